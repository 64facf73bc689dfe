/** @file Storages of an archive: records to memory, once each, always bounds-checked, now or when first touched. Upstream: torch/csrc/jit/serialization/unpickler.cpp (BINPERSID). Spec: spec/records.md. */
import type { ArchiveReader } from "../archive/archive_reader.ts";
import { readSourceInto } from "../archive/byte_source.ts";
import type { ZipEntry } from "../archive/zip_directory.ts";
import { DEFAULT_ALIGNMENT, METHOD } from "../archive/zip_format.ts";
import { PersistentId, PickleGlobal, PickleTuple, pickleTypeName, type PickleValue } from "../archive/pickle_value.ts";
import { ArchiveError, PickleError } from "../base/errors.ts";
import { checkLimit, type LimitOverrides } from "../base/limits.ts";
import { DTYPES, dtypeFromStorageName, type DType } from "../tensor/dtype.ts";
import { allocateStorage, allocateUnwrittenStorage, Storage, type UntouchedBytes } from "../tensor/storage.ts";
import { CPU, Device, META } from "../tensor/tensor.ts";
import { untouchedStorage, type StorageHolder } from "../tensor/untouched_storage.ts";

/*
 * Note [Runs]: storages are read many at once: one call of the system and one buffer for all records that lie side by side, up to MAX_RUN
 * bytes. Beside the calls this saves memory that nobody has touched yet: a C library gives large buffers back to the system and takes new
 * pages for the next ones, which costs more than reading into them; buffers of this size it keeps. The buffer lives as long as one of its
 * storages does. With a `holder` the larger storages of a run stay in the memory that it was read into, and the smaller ones are copied.
 * A record is checked when its storage is asked for: what no pickle refers to is no concern. No byte is read twice, as a run ends where
 * another begins.
 */
const MAX_RUN = 1 << 24;

/** What `Storage.byteOffset` is a multiple of. */
const ALIGNMENT = 16;

/** Bytes of a storage from which a holder gets it. */
const MIN_HELD = 1 << 14;

/** Where the data of a record lies in a run. */
interface Place {
  readonly entry: ZipEntry;
  readonly start: number;
  readonly end: number;
}

/** Options of reading storages. */
export interface StorageOptions {
  /** Read the bytes of a storage when they are first touched, not while loading. Default false. */
  readonly lazy?: boolean | undefined;
  /** Order of the bytes in the file. Default little, as torch.jit.load, whatever the record `byteorder` says. */
  readonly byteorder?: "little" | "big" | undefined;
  readonly limits?: LimitOverrides | undefined;
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
  /** Storages of records that were read already and not checked yet; undefined once taken, or where the record has to be read by itself. */
  private readonly read = new Map<ZipEntry, Storage | undefined>();

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
    if (!this.options.lazy) return this.eager(name, size, dtype, nbytes);
    const read = (target: Uint8Array): void => this.fill(name, size, dtype, target);
    return untouchedStorage(nbytes, {
      read,
      pieces: this.piecesOf(name, size, nbytes),
      crc32: this.crcOf(name, size, nbytes),
      view: nothing,
      release: nothing,
    });
  }

  private eager(name: string, size: number, dtype: DType, nbytes: number): Storage {
    const entry = this.reader.entry(name);
    const inRun = size === nbytes && entry.method === METHOD.stored ? this.takeOfRun(entry) : undefined;
    if (inRun) {
      if (this.options.byteorder === "big") swapBytes(inRun.bytes(), unitBytes(dtype));
      return inRun;
    }
    const fill = (target: Uint8Array): void => this.fill(name, size, dtype, target);
    const held = nbytes >= MIN_HELD ? this.holder?.hold(nbytes, fill) : undefined;
    if (held) {
      held.untouched()!.crc32 = this.crcOf(name, size, nbytes);
      return held;
    }
    const storage = allocateUnwrittenStorage(nbytes);
    fill(storage.bytes());
    return storage;
  }

  /** The storage of a record that was read with others; once, as a second storage of the record has bytes of its own. See Note [Runs]. */
  private takeOfRun(entry: ZipEntry): Storage | undefined {
    if (!this.read.has(entry)) this.readRunFrom(entry);
    const storage = this.read.get(entry);
    this.read.set(entry, undefined);
    if (!storage) return undefined;
    const untouched = storage.untouched();
    this.reader.zip.check(entry, untouched?.view() ?? storage.bytes());
    if (untouched && this.reader.zip.verifyCrc) untouched.crc32 = entry.crc32;
    return storage;
  }

  private readRunFrom(first: ZipEntry): void {
    const { zip, rootName } = this.reader;
    const folder = `${rootName}/${this.folder}`;
    const run = zip.runFrom(first, MAX_RUN, (entry) => entry.name.startsWith(folder) && !this.read.has(entry));
    if (run.entries.length === 1) return;
    for (const entry of run.entries) this.read.set(entry, undefined);
    // records of PyTorch are aligned in the file, and so are runs
    const byteOffset = run.byteOffset - (run.byteOffset % DEFAULT_ALIGNMENT);
    const nbytes = run.end - byteOffset;
    const fill = (target: Uint8Array): Place[] => {
      readSourceInto(zip.source, target, byteOffset);
      return this.placesOf(run.entries, target, byteOffset);
    };
    const { holder } = this;
    const isHeld = ({ size }: ZipEntry): boolean => size >= MIN_HELD;
    const held =
      holder && run.entries.some(isHeld)
        ? holder.holdStretch(nbytes, (target) => {
            const places = fill(target);
            this.copySmall(
              places.filter(({ entry }) => !isHeld(entry)),
              target,
            );
            return places.filter(({ entry, start }) => isHeld(entry) && start % holder.alignment === 0);
          })
        : undefined;
    if (held) {
      for (const [{ entry }, storage] of held) this.read.set(entry, storage);
      return;
    }
    const { segment, byteOffset: at } = allocateUnwrittenStorage(nbytes);
    for (const { entry, start } of fill(segment.u8.subarray(at, at + nbytes)))
      this.read.set(entry, new Storage(segment, at + start, entry.size));
  }

  /** Where the records of a run have their data, without those that lie over others or somewhere else than the directory makes believe. */
  private placesOf(entries: readonly ZipEntry[], part: Uint8Array, byteOffset: number): Place[] {
    const places: Place[] = [];
    let last = 0;
    for (const entry of entries) {
      const start = this.reader.zip.locate(entry, part, byteOffset);
      if (start === undefined || start < last || start % ALIGNMENT !== 0) continue;
      last = start + entry.size;
      places.push({ entry, start, end: last });
    }
    return places;
  }

  /** Storages of records that are not worth a block: one buffer for all. */
  private copySmall(places: readonly Place[], part: Uint8Array): void {
    const need = ({ entry }: Place): number => Math.ceil(entry.size / ALIGNMENT) * ALIGNMENT;
    const total = places.reduce((sum, place) => sum + need(place), 0);
    const { segment, byteOffset } = allocateUnwrittenStorage(total);
    let at = byteOffset;
    for (const place of places) {
      const { entry, start, end } = place;
      segment.u8.set(part.subarray(start, end), at);
      this.read.set(entry, new Storage(segment, at, entry.size));
      at += need(place);
    }
  }

  /** The record as it is, where it is what the storage holds. */
  private piecesOf(name: string, size: number, nbytes: number): UntouchedBytes["pieces"] {
    if (size !== nbytes || this.options.byteorder === "big") return nothing;
    return () => this.reader.pieces(name);
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
