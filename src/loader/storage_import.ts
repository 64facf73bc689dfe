/** @file Storages of an archive: records to memory, once each, always bounds-checked, now or when first touched. Upstream: torch/csrc/jit/serialization/unpickler.cpp (BINPERSID). Spec: spec/records.md. */
import type { ArchiveReader } from "../archive/archive_reader.ts";
import { readSourceInto } from "../archive/byte_source.ts";
import type { ZipEntry } from "../archive/zip_directory.ts";
import { METHOD } from "../archive/zip_format.ts";
import { PersistentId, PickleGlobal, PickleTuple, pickleTypeName, type PickleValue } from "../archive/pickle_value.ts";
import { ArchiveError, PickleError } from "../base/errors.ts";
import { checkLimit, type LimitOverrides } from "../base/limits.ts";
import { DTYPES, dtypeFromStorageName, type DType } from "../tensor/dtype.ts";
import { allocateStorage, allocateUnwrittenStorage, Storage, type UntouchedBytes } from "../tensor/storage.ts";
import { CPU, Device, META } from "../tensor/tensor.ts";
import { untouchedStorage, type StorageHolder } from "../tensor/untouched_storage.ts";
import { MIN_HELD, Run, type ReadRecord } from "./storage_runs.ts";

/** Options of reading storages. */
export interface StorageOptions {
  /** Read the bytes of a storage when they are first touched, not while loading. Default false. */
  readonly lazy?: boolean | undefined;
  /** Order of the bytes in the file. Default little, as torch.jit.load, whatever the record `byteorder` says. */
  readonly byteorder?: "little" | "big" | undefined;
  readonly limits?: LimitOverrides | undefined;
  /** Leave storages to `StorageImporter.fetch` that can be read beside the main thread. Default false. */
  readonly later?: boolean | undefined;
  /** Where larger storages that are read now stay until they are touched. Default: each has a place of its own. */
  readonly holder?: StorageHolder | undefined;
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
  private readonly holder: StorageHolder | undefined;
  /** Records that were read already; undefined once taken, or where the record has to be read by itself. */
  private readonly read = new Map<ZipEntry, ReadRecord | undefined>();
  /** What `fetch` will read; one storage of each record. */
  private readonly later = new Map<ZipEntry, Storage>();

  /** @param folder `data/` or `constants/`. @param pickle name of the pickle, for messages. */
  constructor(reader: ArchiveReader, folder: string, pickle: string, options: StorageOptions) {
    this.reader = reader;
    this.folder = folder;
    this.pickle = pickle;
    this.options = options;
    this.holder = options.byteorder === "big" ? undefined : options.holder;
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
    const reference = this.readReference(id);
    this.references.set(id, reference);
    return reference;
  }

  private readReference(id: PersistentId): StorageReference {
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
    const entry = this.reader.entry(name);
    const isLater = this.isForLater(entry, size, nbytes);
    if (!this.options.lazy && !isLater) return this.eager(name, size, dtype, nbytes);
    const read = (target: Uint8Array): void => this.fill(name, size, dtype, target);
    const storage = untouchedStorage(nbytes, {
      read,
      pieces: this.piecesOf(name, size, nbytes),
      crc32: this.crcOf(name, size, nbytes),
      view: nothing,
      release: nothing,
    });
    if (isLater) this.later.set(entry, storage);
    return storage;
  }

  private isForLater(entry: ZipEntry, size: number, nbytes: number): boolean {
    const { later, byteorder } = this.options;
    const isPlain = size === nbytes && entry.method === METHOD.stored && byteorder !== "big";
    return later === true && isPlain && !this.later.has(entry) && this.reader.source.readIntoAsync !== undefined;
  }

  /** Bytes that `fetch` would read. */
  laterBytes(): number {
    let total = 0;
    for (const storage of this.later.values()) if (storage.untouched()) total += storage.nbytes;
    return total;
  }

  /**
   * Reads the storages that were left for later and that nobody has touched meanwhile, beside the main thread; when it is done, each has its
   * bytes and the source may be closed. Records are checked as they arrive.
   * @throws ArchiveError naming the record; nothing is being read any more then.
   */
  async fetch(): Promise<void> {
    const { reader, later } = this;
    for (const [entry, storage] of later) if (!storage.untouched()) later.delete(entry);
    const taken = new Set<ZipEntry>();
    const runs: Run[] = [];
    let failure: { readonly cause: unknown } | undefined;
    try {
      for (const first of [...later.keys()].toSorted((a, b) => a.headerOffset - b.headerOffset)) {
        if (taken.has(first)) continue;
        const run = new Run(reader, this.holder, first, (entry) => later.has(entry) && !taken.has(entry));
        for (const entry of run.entries) taken.add(entry);
        runs.push(run);
      }
      // all have their memory now, so that it may stay where it is
      const reads = runs.map(async (run) => reader.source.readIntoAsync!(run.target(), run.byteOffset));
      for (const read of reads) read.catch(nothing); // until somebody waits for it
      for (const [i, run] of runs.entries()) {
        try {
          await reads[i];
          for (const [entry, record] of failure ? [] : run.records()) {
            record.moveTo(later.get(entry)!);
            later.delete(entry);
          }
        } catch (cause) {
          failure ??= { cause }; // the others write to their memory still
        }
      }
    } finally {
      for (const run of runs) run.close();
    }
    if (failure) throw failure.cause;
    // what could not be read with others says why when it is read by itself
    for (const storage of later.values()) storage.bytes();
    later.clear();
  }

  private eager(name: string, size: number, dtype: DType, nbytes: number): Storage {
    const entry = this.reader.entry(name);
    const inRun = size === nbytes && entry.method === METHOD.stored ? this.takeOfRun(entry) : undefined;
    if (inRun) {
      if (this.options.byteorder === "big") swapBytes(inRun.bytes(), unitBytes(dtype));
      return inRun;
    }
    const fill = (target: Uint8Array): void => this.fill(name, size, dtype, target);
    const stretch = nbytes >= MIN_HELD ? this.holder?.open(nbytes) : undefined;
    if (stretch) {
      try {
        fill(stretch.bytes());
        const held = stretch.keep([{ start: 0, end: nbytes }])[0]!;
        held.crc32 = this.crcOf(name, size, nbytes);
        return untouchedStorage(nbytes, held);
      } finally {
        stretch.close();
      }
    }
    const storage = allocateUnwrittenStorage(nbytes);
    fill(storage.bytes());
    return storage;
  }

  /** The storage of a record that was read with others; once, as a second storage of the record has bytes of its own. See Note [Runs]. */
  private takeOfRun(entry: ZipEntry): Storage | undefined {
    if (!this.read.has(entry)) this.readRunFrom(entry);
    const record = this.read.get(entry);
    this.read.set(entry, undefined);
    return record?.storage();
  }

  private readRunFrom(first: ZipEntry): void {
    const { zip, rootName } = this.reader;
    const folder = `${rootName}/${this.folder}`;
    const run = new Run(
      this.reader,
      this.holder,
      first,
      (entry) => entry.name.startsWith(folder) && !this.read.has(entry),
    );
    try {
      for (const entry of run.entries) this.read.set(entry, undefined);
      if (run.entries.length === 1) return;
      readSourceInto(zip.source, run.target(), run.byteOffset);
      for (const [entry, record] of run.records()) this.read.set(entry, record);
    } finally {
      run.close();
    }
  }

  /** The record as it is, where it is what the storage holds. */
  private piecesOf(name: string, size: number, nbytes: number): UntouchedBytes["pieces"] {
    if (size !== nbytes || this.options.byteorder === "big") return nothing;
    return (place) => this.reader.pieces(name, place);
  }

  /** The CRC of the record, where it is what the storage holds and `fill` compares it. */
  private crcOf(name: string, size: number, nbytes: number): number | undefined {
    if (size !== nbytes || this.options.byteorder === "big" || !this.reader.zip.verifyCrc) return undefined;
    return this.reader.entry(name).crc32;
  }

  private fill(name: string, size: number, dtype: DType, target: Uint8Array): void {
    if (size === target.length) this.reader.readInto(name, target);
    else target.set(this.reader.readSlice(name, 0, target.length));
    if (this.options.byteorder === "big") swapBytes(target, unitBytes(dtype));
  }
}

const EMPTY = allocateStorage(0);
const nothing = (): undefined => undefined;

/** Reverses the bytes of each unit. */
function swapBytes(bytes: Uint8Array, unit: number): void {
  if (unit === 1) return;
  for (let i = 0; i + unit <= bytes.length; i += unit) bytes.subarray(i, i + unit).reverse();
}
