/** @file Storages of an archive: records to memory, once each, always bounds-checked, now or when first touched. Upstream: torch/csrc/jit/serialization/unpickler.cpp (BINPERSID). Spec: spec/records.md. */
import type { ArchiveReader } from "../archive/archive_reader.ts";
import { readSourceInto } from "../archive/byte_source.ts";
import type { ZipEntry } from "../archive/zip_directory.ts";
import { DEFAULT_ALIGNMENT, METHOD } from "../archive/zip_format.ts";
import { PersistentId, PickleGlobal, PickleTuple, pickleTypeName, type PickleValue } from "../archive/pickle_value.ts";
import { ArchiveError, PickleError } from "../base/errors.ts";
import { checkLimit, type LimitOverrides } from "../base/limits.ts";
import { DTYPES, dtypeFromStorageName, type DType } from "../tensor/dtype.ts";
import { allocateStorage, allocateUnwrittenStorage, Segment, Storage } from "../tensor/storage.ts";
import { CPU, Device, META } from "../tensor/tensor.ts";

/*
 * Note [Runs]: storages are read many at once: one call of the system and one buffer for all records that lie side by side, up to MAX_RUN
 * bytes. Beside the calls this saves memory that nobody has touched yet: a C library gives large buffers back to the system and takes new
 * pages for the next ones, which costs more than reading into them; buffers of this size it keeps. The buffer lives as long as one of its
 * storages does. A record is checked when its storage is asked for: what no pickle refers to is no concern. No byte is read twice, as a
 * run ends where another begins.
 */
const MAX_RUN = 1 << 24;

/** What `Storage.byteOffset` is a multiple of. */
const ALIGNMENT = 16;

/** Bytes of the file from `byteOffset` on. */
interface Run {
  readonly storage: Storage;
  readonly byteOffset: number;
}

/** Options of reading storages. */
export interface StorageOptions {
  /** Read the bytes of a storage when they are first touched, not while loading. Default false. */
  readonly lazy?: boolean | undefined;
  /** Order of the bytes in the file. Default little, as torch.jit.load, whatever the record `byteorder` says. */
  readonly byteorder?: "little" | "big" | undefined;
  readonly limits?: LimitOverrides | undefined;
}

/** A storage as a pickle refers to it. */
export interface StorageReference {
  readonly storage: Storage;
  readonly dtype: DType;
  readonly device: Device;
}

/** Bytes of one number in an element: what byte order is about. */
function unitBytes(dtype: DType): number {
  return dtype.category === "complex" ? dtype.itemsize / 2 : dtype.itemsize;
}

/** Reads the storages that one pickle refers to, from the records of its folder. */
export class StorageImporter {
  private readonly reader: ArchiveReader;
  private readonly folder: string;
  private readonly pickle: string;
  private readonly options: StorageOptions;
  private readonly storages = new Map<string, Storage>();
  private readonly references = new Map<PersistentId, StorageReference>();
  /** Which run a record lies in; undefined once its bytes were taken there. */
  private readonly runs = new Map<ZipEntry, Run | undefined>();

  /** @param folder `data/` or `constants/`. @param pickle name of the pickle, for messages. */
  constructor(reader: ArchiveReader, folder: string, pickle: string, options: StorageOptions) {
    this.reader = reader;
    this.folder = folder;
    this.pickle = pickle;
    this.options = options;
  }

  /** The storage that `('storage', FloatStorage, key, device, numel)` means. */
  resolve(id: PickleValue | undefined): StorageReference {
    if (!(id instanceof PersistentId))
      throw new PickleError(
        `Cannot unpickle "${this.pickle}": tensor is made of ${pickleTypeName(id)}, expected a storage`,
        { record: this.pickle },
      );
    const known = this.references.get(id);
    if (known) return known;
    const reference = this.read(id);
    this.references.set(id, reference);
    return reference;
  }

  private read(id: PersistentId): StorageReference {
    const fail = (message: string): never => {
      throw new PickleError(`Cannot unpickle "${this.pickle}": ${message}`, {
        record: this.pickle,
        byteOffset: id.byteOffset,
      });
    };
    const parts = id.value instanceof PickleTuple ? id.value.items : [];
    const [word, type, key, where, numel] = parts;
    if (word !== "storage") fail(`persistent id begins with ${JSON.stringify(word ?? null)}, expected "storage"`);
    const typeName = type instanceof PickleGlobal && type.module === "torch" ? type.name : pickleTypeName(type);
    const isUntyped = type instanceof PickleGlobal && type.is("torch.storage", "UntypedStorage");
    const dtype = isUntyped
      ? DTYPES.uint8
      : (dtypeFromStorageName(typeName) ?? fail(`storage type ${typeName} is not known`));
    if (typeof key !== "string") return fail(`storage key is ${pickleTypeName(key)}, expected str`);
    if (typeof where !== "string") return fail(`storage device is ${pickleTypeName(where)}, expected str`);
    if (typeof numel !== "number" || numel < 0) return fail(`storage has ${String(numel)} elements, expected a count`);
    const device = where === "meta" ? META : CPU;
    return { dtype, device, storage: this.storage(key, dtype, numel, device) };
  }

  private storage(key: string, dtype: DType, numel: number, device: Device): Storage {
    checkLimit("maxNumel", numel, `storage "${this.folder}${key}"`, this.options.limits);
    const nbytes = numel * dtype.itemsize;
    const id = `${nbytes} ${device.type} ${key}`;
    const known = this.storages.get(id);
    if (known) return known;
    const storage = device === META ? new Storage(EMPTY.segment, 0, nbytes) : this.load(key, dtype, numel, nbytes);
    this.storages.set(id, storage);
    return storage;
  }

  private load(key: string, dtype: DType, numel: number, nbytes: number): Storage {
    // the record of an empty storage is never looked at, as in torch
    if (numel === 0) return allocateStorage(0);
    const name = this.folder + key;
    const size = this.reader.sizeOf(name);
    if (size < nbytes) {
      throw new ArchiveError(
        `Cannot read storage "${name}": record has ${size} bytes, ${numel} ${dtype.name} elements need ${nbytes}`,
        { record: name },
      );
    }
    return this.options.lazy
      ? lazyStorage(nbytes, (target) => this.fill(name, size, dtype, target), this.piecesOf(name, size, nbytes))
      : this.eager(name, size, dtype, nbytes);
  }

  private eager(name: string, size: number, dtype: DType, nbytes: number): Storage {
    const entry = this.reader.entry(name);
    const inRun = size === nbytes && entry.method === METHOD.stored ? this.takeOfRun(entry) : undefined;
    if (inRun) {
      if (this.options.byteorder === "big") swapBytes(inRun.bytes(), unitBytes(dtype));
      return inRun;
    }
    const storage = allocateUnwrittenStorage(nbytes);
    this.fill(name, size, dtype, storage.bytes());
    return storage;
  }

  /** The storage of a record where it lies in a run; once, as a second storage of the record has bytes of its own. See Note [Runs]. */
  private takeOfRun(entry: ZipEntry): Storage | undefined {
    if (!this.runs.has(entry)) this.readRunFrom(entry);
    const run = this.runs.get(entry);
    this.runs.set(entry, undefined);
    if (!run) return undefined;
    const start = this.reader.zip.locate(entry, run.storage.bytes(), run.byteOffset);
    if (start === undefined) return undefined;
    const { segment, byteOffset } = run.storage;
    // records of PyTorch are aligned in the file, and so are runs
    return (byteOffset + start) % ALIGNMENT === 0 ? new Storage(segment, byteOffset + start, entry.size) : undefined;
  }

  private readRunFrom(first: ZipEntry): void {
    const { zip, rootName } = this.reader;
    const folder = `${rootName}/${this.folder}`;
    const run = zip.runFrom(first, MAX_RUN, (entry) => entry.name.startsWith(folder) && !this.runs.has(entry));
    if (run.entries.length === 1) return;
    const byteOffset = run.byteOffset - (run.byteOffset % DEFAULT_ALIGNMENT);
    const storage = allocateUnwrittenStorage(run.end - byteOffset);
    readSourceInto(zip.source, storage.bytes(), byteOffset);
    for (const entry of run.entries) this.runs.set(entry, { storage, byteOffset });
  }

  /** The record as it is, where it is what the storage holds. */
  private piecesOf(name: string, size: number, nbytes: number): LazyStorage["pieces"] {
    if (size !== nbytes || this.options.byteorder === "big") return undefined;
    return () => this.reader.pieces(name);
  }

  private fill(name: string, size: number, dtype: DType, target: Uint8Array): void {
    if (size === target.length) this.reader.readInto(name, target);
    else target.set(this.reader.readSlice(name, 0, target.length));
    if (this.options.byteorder === "big") swapBytes(target, unitBytes(dtype));
  }
}

const EMPTY = allocateStorage(0);

/** Reverses the bytes of each unit. */
function swapBytes(bytes: Uint8Array, unit: number): void {
  if (unit === 1) return;
  for (let i = 0; i + unit <= bytes.length; i += unit) bytes.subarray(i, i + unit).reverse();
}

/** Fills the bytes of a storage. */
type Fill = (target: Uint8Array) => void;

/** A storage that is allocated and filled when somebody first asks where its bytes are. */
function lazyStorage(nbytes: number, fill: Fill, pieces: LazyStorage["pieces"]): Storage {
  const storage = Object.create(LAZY) as LazyStorage;
  storage.nbytes = nbytes;
  storage.version = 0;
  storage.fill = fill;
  storage.pieces = pieces;
  return storage;
}

type LazyStorage = Storage & { fill: Fill | undefined; pieces: (() => Iterable<Uint8Array>) | undefined };

/** Gives a storage its place as plain properties: once touched it is as fast as any. */
function place(storage: LazyStorage, segment: Segment, byteOffset: number): void {
  const plain = { writable: true, enumerable: true, configurable: true };
  Object.defineProperties(storage, {
    segment: { value: segment, ...plain },
    byteOffset: { value: byteOffset, ...plain },
  });
  storage.fill = undefined; // lets the file go
  storage.pieces = undefined;
}

function touch(storage: LazyStorage): LazyStorage {
  const { segment, byteOffset } = allocateUnwrittenStorage(storage.nbytes);
  storage.fill!(segment.u8.subarray(byteOffset, byteOffset + storage.nbytes));
  place(storage, segment, byteOffset);
  return storage;
}

/** What stands before `Storage.prototype` until then. */
const LAZY: object = Object.create(Storage.prototype, {
  untouchedPieces: {
    value(this: LazyStorage) {
      return this.pieces?.();
    },
  },
  untouchedReader: {
    value(this: LazyStorage) {
      return this.fill;
    },
  },
  segment: {
    get(this: LazyStorage) {
      return touch(this).segment;
    },
    set(this: LazyStorage, segment: Segment) {
      place(this, segment, 0);
    },
  },
  byteOffset: {
    get(this: LazyStorage) {
      return touch(this).byteOffset;
    },
    set(this: LazyStorage, byteOffset: number) {
      place(this, touch(this).segment, byteOffset);
    },
  },
});
