/** @file Zip directory and lazy record access over a ByteSource. Upstream: third_party/miniz (behaviour). Spec: spec/container.md. */
import { ByteReader, decodeUtf8 } from "../base/bytes.ts";
import { ArchiveError } from "../base/errors.ts";
import { type LimitOverrides, LIMITS, checkLimit } from "../base/limits.ts";
import { type ByteSource, describeSource, readSourceInto } from "./byte_source.ts";
import { crc32 } from "./crc32.ts";
import { type ZipDirectory, type ZipEntry, readZipDirectory } from "./zip_directory.ts";
import { FLAG, METHOD, NBYTES, SIGNATURE } from "./zip_format.ts";
import { inflateChunks, inflateExact, inflateInto, inflateTogether } from "./zip_vendor.ts";

/** Options of `ZipReader`. */
export interface ZipReaderOptions {
  /** Compare the CRC of whole records with the directory. Default true. */
  verifyCrc?: boolean;
  /** Overrides of the limits that untrusted input is held to. */
  limits?: LimitOverrides | undefined;
}

/** The fixed part of a local header, and where the data after it starts. */
export interface LocalHeader {
  readonly name: string;
  /** General purpose bits. */
  readonly flags: number;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  /** The extra fields. */
  readonly extra: Uint8Array;
  /** Where the data starts in the file. */
  readonly dataOffset: number;
}

/** An entry and its bytes as they lie in the archive. */
export interface StoredEntry {
  readonly entry: ZipEntry;
  readonly raw: Uint8Array;
}

/** Entries that lie one behind the other, and where in the file. */
export interface EntryRun {
  readonly entries: readonly ZipEntry[];
  readonly byteOffset: number;
  readonly end: number;
}

const READ_CHUNK = 1 << 18; // a piece is still in the second-level cache when its CRC is taken
const INFLATE_CHUNK = 1 << 16; // bounds what one step can inflate to (65 MB) before the size is checked

/** Reads entries of a zip archive. Opening reads the directory and nothing else. */
export class ZipReader {
  /** Where the bytes come from. */
  readonly source: ByteSource;
  /** The directory as it was read. */
  readonly directory: ZipDirectory;
  /** Whether checksums are compared. */
  readonly verifyCrc: boolean;
  private readonly limits: LimitOverrides | undefined;
  private readonly dataOffsets = new Map<ZipEntry, number>();
  private fileOrder: readonly ZipEntry[] | undefined;
  private ranks: ReadonlyMap<ZipEntry, number> | undefined;

  constructor(source: ByteSource, options: ZipReaderOptions = {}) {
    this.source = source;
    this.limits = options.limits;
    this.verifyCrc = options.verifyCrc ?? true;
    this.directory = readZipDirectory(source, this.limits);
  }

  /** The entries in directory order. */
  get entries(): readonly ZipEntry[] {
    return this.directory.entries;
  }

  /** Builds the error for a defect of an entry. */
  private error(entry: ZipEntry, message: string, byteOffset: number, cause?: unknown): ArchiveError {
    return new ArchiveError(
      `Cannot read record "${entry.name}" of ${describeSource(this.source)}: ${message} (byte ${byteOffset})`,
      {
        file: this.source.name,
        record: entry.name,
        byteOffset,
        cause,
      },
    );
  }

  /** Reads an entry's local header. */
  localHeader(entry: ZipEntry): LocalHeader {
    const { flags, method, nameLength, extraLength, dataOffset } = this.localLengths(entry);
    const rest = this.source.read(entry.headerOffset + NBYTES.localHeader, nameLength + extraLength);
    return {
      name: decodeUtf8(rest.subarray(0, nameLength)),
      flags,
      method,
      extra: rest.subarray(nameLength),
      dataOffset,
    };
  }

  /** The fixed part of a local header, of `header` where it was read already; checks that the data it announces lies before the directory. */
  private localLengths(
    entry: ZipEntry,
    header?: Uint8Array,
  ): Omit<LocalHeader, "name" | "extra"> & { nameLength: number; extraLength: number } {
    const at = entry.headerOffset;
    const fail = (message: string, byteOffset: number): never => {
      throw this.error(entry, `local header: ${message}`, at + byteOffset);
    };
    if (at + NBYTES.localHeader > this.directory.byteOffset) {
      throw this.error(
        entry,
        `local header does not fit before the directory at byte ${this.directory.byteOffset}`,
        at,
      );
    }
    const fixed = new ByteReader(header ?? this.source.read(at, NBYTES.localHeader), fail);
    const signature = fixed.u4();
    if (signature !== SIGNATURE.localHeader)
      fail(`signature is 0x${hex(signature)}, expected 0x${hex(SIGNATURE.localHeader)}`, 0);
    fixed.u2(); // version needed
    const flags = fixed.u2();
    const method = fixed.u2();
    fixed.skip(16); // time, date, crc and sizes: zero when a data descriptor follows, so the directory's are used
    const nameLength = fixed.u2();
    const extraLength = fixed.u2();
    const dataOffset = at + NBYTES.localHeader + nameLength + extraLength;
    if (dataOffset + entry.compressedSize > this.directory.byteOffset) {
      const end = dataOffset + entry.compressedSize;
      throw this.error(
        entry,
        `data reaches byte ${end}, the directory starts at byte ${this.directory.byteOffset}`,
        dataOffset,
      );
    }
    this.dataOffsets.set(entry, dataOffset);
    return { flags, method, nameLength, extraLength, dataOffset };
  }

  /** Where an entry's data starts: the local header's own lengths decide, they differ from the directory's. */
  dataOffset(entry: ZipEntry): number {
    return this.dataOffsets.get(entry) ?? this.localLengths(entry).dataOffset;
  }

  /** Refuses encryption, unknown methods and impossible sizes, before anything is allocated. */
  private checkReadable(entry: ZipEntry): void {
    const at = entry.headerOffset;
    if (entry.flags & (FLAG.encrypted | FLAG.strongEncryption | FLAG.maskedHeader)) {
      throw this.error(
        entry,
        `encrypted (flags 0x${entry.flags.toString(16).padStart(4, "0")}), expected no encryption`,
        at,
      );
    }
    if (entry.method === METHOD.stored) {
      if (entry.size !== entry.compressedSize) {
        throw this.error(
          entry,
          `stored, but the directory states ${entry.compressedSize} compressed and ${entry.size} uncompressed bytes`,
          at,
        );
      }
    } else if (entry.method === METHOD.deflated) {
      const ratio = this.limits?.maxInflateRatio ?? LIMITS.maxInflateRatio;
      if (entry.size > entry.compressedSize * ratio) {
        throw this.error(
          entry,
          `directory states ${entry.size} bytes from ${entry.compressedSize} compressed bytes, at most ${ratio} times as many are possible`,
          at,
        );
      }
    } else {
      throw this.error(entry, `compression method is ${entry.method}, expected 0 (stored) or 8 (deflated)`, at);
    }
  }

  /** All bytes of an entry: a view of the source when it is stored. */
  read(entry: ZipEntry): Uint8Array {
    this.checkReadable(entry);
    if (entry.method === METHOD.deflated && entry.compressedSize > INFLATE_CHUNK) {
      checkLimit("maxRecordBytes", entry.size, `record "${entry.name}"`, this.limits);
      const bytes = this.allocating(entry, () => new Uint8Array(entry.size));
      this.readInto(entry, bytes);
      return bytes;
    }
    return this.decode({ entry, raw: this.rawBytes(entry) });
  }

  /** An entry as it lies in the archive, to be inflated and checked later: by then the source may be closed. */
  stored(entry: ZipEntry): StoredEntry {
    this.checkReadable(entry);
    return { entry, raw: this.rawBytes(entry) };
  }

  /** The bytes of an entry as they lie in the archive. */
  private rawBytes(entry: ZipEntry): Uint8Array {
    if (entry.method === METHOD.stored)
      return this.allocating(entry, () => this.source.read(this.dataOffset(entry), entry.size));
    checkLimit("maxRecordBytes", entry.size, `record "${entry.name}"`, this.limits);
    return this.source.read(this.dataOffset(entry), entry.compressedSize);
  }

  /** Inflates and checks what `stored` gave. */
  decode({ entry, raw }: StoredEntry): Uint8Array {
    const bytes = entry.method === METHOD.stored ? raw : this.inflating(entry, () => inflateExact(raw, entry.size));
    this.checkCrc(entry, () => crc32(bytes));
    return bytes;
  }

  /** Inflates and checks deflated entries in one call; undefined where the platform cannot or anything does not fit. */
  decodeTogether(entries: readonly StoredEntry[]): Uint8Array[] | undefined {
    return inflateTogether(entries.map(({ entry: { size, crc32 }, raw }) => ({ compressed: raw, size, crc32 })));
  }

  /**
   * The part of the file that holds `first`, a stored entry, and those right behind it that are wanted, as many as `maxBytes` have room for:
   * for those who want many and would rather read once. See `locate`.
   */
  runFrom(first: ZipEntry, maxBytes: number, isWanted: (entry: ZipEntry) => boolean): EntryRun {
    this.fileOrder ??= this.entries.toSorted((a, b) => a.headerOffset - b.headerOffset);
    this.ranks ??= new Map(this.fileOrder.map((entry, i) => [entry, i] as const));
    const order = this.fileOrder;
    const rank = this.ranks.get(first)!;
    const entries = [first];
    const endOf = (i: number): number => order[i + 1]?.headerOffset ?? this.directory.byteOffset;
    let end = endOf(rank);
    for (let i = rank + 1; i < order.length && endOf(i) - first.headerOffset <= maxBytes; i++) {
      const next = order[i]!;
      if (next.method !== METHOD.stored || !isWanted(next)) break;
      entries.push(next);
      end = endOf(i);
    }
    return { entries, byteOffset: first.headerOffset, end };
  }

  /** Where the data of a stored entry lies in `part`, the bytes of the file from `byteOffset` on, unchecked. Undefined where it reaches out of it, or the entry has a defect that reading it would tell. */
  locate(entry: ZipEntry, part: Uint8Array, byteOffset: number): number | undefined {
    const header = entry.headerOffset - byteOffset;
    let start: number;
    try {
      this.checkReadable(entry);
      start = this.localLengths(entry, part.subarray(header, header + NBYTES.localHeader)).dataOffset - byteOffset;
    } catch (error) {
      if (error instanceof ArchiveError) return undefined;
      throw error;
    }
    return start + entry.size > part.length ? undefined : start;
  }

  /** Compares the CRC of the data of an entry. Throws `ArchiveError`. */
  check(entry: ZipEntry, data: Uint8Array): void {
    this.checkCrc(entry, () => crc32(data));
  }

  /** Fills `target`, which must have the entry's size, without an intermediate copy of it. */
  readInto(entry: ZipEntry, target: Uint8Array): void {
    this.checkReadable(entry);
    if (target.length !== entry.size) {
      throw new RangeError(
        `Cannot read record "${entry.name}" into ${target.length} bytes: it has ${entry.size} bytes`,
      );
    }
    const dataOffset = this.dataOffset(entry);
    if (entry.method === METHOD.stored) {
      if (!this.verifyCrc) {
        readSourceInto(this.source, target, dataOffset);
        return;
      }
      // In pieces, so that the CRC runs over bytes that are still in the cache.
      let crc = 0;
      for (let at = 0; at < target.length; at += READ_CHUNK) {
        const piece = target.subarray(at, Math.min(at + READ_CHUNK, target.length));
        readSourceInto(this.source, piece, dataOffset + at);
        crc = crc32(piece, crc);
      }
      this.checkCrc(entry, () => crc);
      return;
    }
    this.inflating(entry, () => inflateInto(this.compressedChunks(entry, dataOffset), target));
    this.checkCrc(entry, () => crc32(target));
  }

  /**
   * The bytes of an entry in pieces that are valid until the next one is taken; the CRC is checked at the end. For those who do not need the
   * record in memory.
   * @param place where every piece but the last fills, and is.
   */
  *pieces(entry: ZipEntry, place?: Uint8Array): Generator<Uint8Array> {
    this.checkReadable(entry);
    if (entry.method !== METHOD.stored) {
      const bytes = this.read(entry);
      if (place) yield* copiedPieces(bytes, place);
      else yield bytes;
      return;
    }
    const dataOffset = this.dataOffset(entry);
    const buffer = place ?? new Uint8Array(Math.min(READ_CHUNK, entry.size));
    let crc = 0;
    for (let at = 0; at < entry.size; at += buffer.length) {
      const piece = buffer.subarray(0, Math.min(buffer.length, entry.size - at));
      readSourceInto(this.source, piece, dataOffset + at);
      if (this.verifyCrc) crc = crc32(piece, crc);
      yield piece;
    }
    this.checkCrc(entry, () => crc);
  }

  /** Reads all of an entry in small pieces and checks its CRC, whatever `verifyCrc` says. Throws `ArchiveError`. */
  verify(entry: ZipEntry): void {
    this.checkReadable(entry);
    const dataOffset = this.dataOffset(entry);
    let crc = 0;
    if (entry.method === METHOD.stored) {
      for (let at = 0; at < entry.size; at += READ_CHUNK) {
        crc = crc32(this.source.read(dataOffset + at, Math.min(READ_CHUNK, entry.size - at)), crc);
      }
    } else {
      this.inflating(entry, () => {
        inflateChunks(this.compressedChunks(entry, dataOffset), entry.size, (part) => {
          crc = crc32(part, crc);
        });
      });
    }
    this.expectCrc(entry, crc);
  }

  /** A part of an entry. The CRC cannot be checked; a deflated entry is inflated as a whole. */
  readSlice(entry: ZipEntry, byteOffset: number, nbytes: number): Uint8Array {
    if (!(byteOffset >= 0 && nbytes >= 0 && byteOffset + nbytes <= entry.size)) {
      throw this.error(
        entry,
        `bytes ${byteOffset} to ${byteOffset + nbytes} are asked for, the record has ${entry.size} bytes`,
        entry.headerOffset,
      );
    }
    if (entry.method !== METHOD.stored) return this.read(entry).subarray(byteOffset, byteOffset + nbytes);
    this.checkReadable(entry);
    const dataOffset = this.dataOffset(entry);
    return this.allocating(entry, () => this.source.read(dataOffset + byteOffset, nbytes));
  }

  private *compressedChunks(entry: ZipEntry, dataOffset: number): Iterable<Uint8Array> {
    for (let at = 0; at < entry.compressedSize; at += INFLATE_CHUNK) {
      yield this.source.read(dataOffset + at, Math.min(INFLATE_CHUNK, entry.compressedSize - at));
    }
  }

  private checkCrc(entry: ZipEntry, compute: () => number): void {
    if (this.verifyCrc) this.expectCrc(entry, compute());
  }

  private expectCrc(entry: ZipEntry, crc: number): void {
    if (crc !== entry.crc32) {
      throw this.error(
        entry,
        `crc-32 check failed: the data has 0x${hex(crc)}, the directory states 0x${hex(entry.crc32)}`,
        this.dataOffset(entry),
      );
    }
  }

  /** An engine's allocation failure for a size that a file states is the file's defect. */
  private allocating<T>(entry: ZipEntry, allocate: () => T): T {
    try {
      return allocate();
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw this.error(entry, `${entry.size} bytes cannot be allocated`, entry.headerOffset, cause);
    }
  }

  private inflating<T>(entry: ZipEntry, inflate: () => T): T {
    try {
      return inflate();
    } catch (cause) {
      if (cause instanceof ArchiveError) throw cause;
      throw this.error(
        entry,
        `deflate stream: ${cause instanceof Error ? cause.message : String(cause)}`,
        this.dataOffset(entry),
        cause,
      );
    }
  }
}

function* copiedPieces(bytes: Uint8Array, place: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += place.length) {
    const part = bytes.subarray(at, at + place.length);
    place.set(part);
    yield place.subarray(0, part.length);
  }
}

/** Eight hexadecimal digits of an unsigned 32-bit number. */
export function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
