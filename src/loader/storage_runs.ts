/** @file Records that lie side by side, read at once. Upstream: none. Spec: spec/records.md.
 *
 * Note [Runs]: storages are read many at once: one call of the system and one buffer for all records that lie side by side, up to MAX_RUN
 * bytes. Beside the calls this saves memory that nobody has touched yet: a C library gives large buffers back to the system and takes new
 * pages for the next ones, which costs more than reading into them; buffers of this size it keeps. The buffer lives as long as one of its
 * storages does. With a `holder` the larger storages of a run stay in the memory that it was read into, and the smaller ones are copied.
 * A record is checked when its storage is asked for: what no pickle refers to is no concern. No byte is read twice, as a run ends where
 * another begins. */
import type { ArchiveReader } from "../archive/archive_reader.ts";
import type { ZipEntry } from "../archive/zip_directory.ts";
import { DEFAULT_ALIGNMENT } from "../archive/zip_format.ts";
import { allocateUnwrittenStorage, Storage, type UntouchedBytes } from "../tensor/storage.ts";
import { moveUntouched, untouchedStorage, type StorageHolder, type Stretch } from "../tensor/untouched_storage.ts";

const MAX_RUN = 1 << 24;

/** What `Storage.byteOffset` is a multiple of. */
const ALIGNMENT = 16;

/** Bytes of a storage from which a holder gets it. */
export const MIN_HELD = 1 << 14;

/** Where the data of a record lies in a run. */
interface Place {
  readonly entry: ZipEntry;
  readonly start: number;
  readonly end: number;
}

/** A record that was read and not checked yet: where its bytes are now. */
export class ReadRecord {
  private readonly reader: ArchiveReader;
  private readonly entry: ZipEntry;
  private readonly where: Storage | UntouchedBytes;

  constructor(reader: ArchiveReader, entry: ZipEntry, where: Storage | UntouchedBytes) {
    this.reader = reader;
    this.entry = entry;
    this.where = where;
  }

  /** Its storage. @throws ArchiveError where the CRC is another than the directory's. */
  storage(): Storage {
    this.check();
    return this.where instanceof Storage ? this.where : untouchedStorage(this.entry.size, this.where);
  }

  /** Gives the bytes to a storage unless somebody has touched it. @throws as `storage` does. */
  moveTo(storage: Storage): void {
    this.check();
    if (storage.untouched()) moveUntouched(storage, this.where);
  }

  private check(): void {
    const { where, entry } = this;
    const { zip } = this.reader;
    zip.check(entry, where instanceof Storage ? where.bytes() : where.view()!);
    if (!(where instanceof Storage) && zip.verifyCrc) where.crc32 = entry.crc32;
  }
}

/** A run on its way into memory: `target` is to be filled with the bytes of the file from `byteOffset` on. */
export class Run {
  readonly entries: readonly ZipEntry[];
  readonly byteOffset: number;
  private readonly reader: ArchiveReader;
  private readonly holder: StorageHolder | undefined;
  private readonly stretch: Stretch | undefined;
  private readonly nbytes: number;
  private buffer: Storage | undefined;

  /** The run from a stored record on, with those behind it that are wanted. Takes its memory; the caller must `close` it. */
  constructor(
    reader: ArchiveReader,
    holder: StorageHolder | undefined,
    first: ZipEntry,
    isWanted: (entry: ZipEntry) => boolean,
  ) {
    const run = reader.zip.runFrom(first, MAX_RUN, isWanted);
    this.reader = reader;
    this.entries = run.entries;
    // records of PyTorch are aligned in the file, and so are runs
    this.byteOffset = run.byteOffset - (run.byteOffset % DEFAULT_ALIGNMENT);
    this.nbytes = run.end - this.byteOffset;
    this.stretch = run.entries.some(isHeld) ? holder?.open(this.nbytes) : undefined;
    this.holder = holder;
  }

  /** Where the bytes go. From now on the memory stays where it is until `close`. */
  target(): Uint8Array {
    if (this.stretch) return this.stretch.bytes();
    this.buffer ??= allocateUnwrittenStorage(this.nbytes);
    return this.buffer.bytes();
  }

  /** The records, once `target` is filled: without those that lie over others or somewhere else than the directory makes believe. */
  records(): (readonly [ZipEntry, ReadRecord])[] {
    const record = (entry: ZipEntry, where: Storage | UntouchedBytes) =>
      [entry, new ReadRecord(this.reader, entry, where)] as const;
    const target = this.target();
    const places = this.placesIn(target);
    const { stretch } = this;
    if (!stretch) {
      const { segment, byteOffset } = this.buffer!;
      return places.map(({ entry, start }) => record(entry, new Storage(segment, byteOffset + start, entry.size)));
    }
    const small = copySmall(
      places.filter(({ entry }) => !isHeld(entry)),
      target,
    );
    const held = places.filter(({ entry, start }) => isHeld(entry) && start % this.holder!.alignment === 0);
    const bytes = stretch.keep(held);
    return [
      ...small.map(([entry, storage]) => record(entry, storage)),
      ...held.map(({ entry }, i) => record(entry, bytes[i]!)),
    ];
  }

  /** Gives back what no record holds. Nobody may write to `target` any more. */
  close(): void {
    this.stretch?.close();
  }

  private placesIn(part: Uint8Array): Place[] {
    const places: Place[] = [];
    let last = 0;
    for (const entry of this.entries) {
      const start = this.reader.zip.locate(entry, part, this.byteOffset);
      if (start === undefined || start < last || start % ALIGNMENT !== 0) continue;
      last = start + entry.size;
      places.push({ entry, start, end: last });
    }
    return places;
  }
}

function isHeld({ size }: ZipEntry): boolean {
  return size >= MIN_HELD;
}

/** Storages of records that are not worth a block: one buffer for all. */
function copySmall(places: readonly Place[], part: Uint8Array): (readonly [ZipEntry, Storage])[] {
  const need = ({ entry }: Place): number => Math.ceil(entry.size / ALIGNMENT) * ALIGNMENT;
  const total = places.reduce((sum, place) => sum + need(place), 0);
  const { segment, byteOffset } = allocateUnwrittenStorage(total);
  let at = byteOffset;
  return places.map((place) => {
    const { entry, start, end } = place;
    const storage = new Storage(segment, at, entry.size);
    segment.u8.set(part.subarray(start, end), at);
    at += need(place);
    return [entry, storage] as const;
  });
}
