/** @file Finds and parses a zip archive's directory: end record, zip64 records, central headers. Upstream: third_party/miniz (behaviour). Spec: spec/container.md. */
import { ByteReader, decodeUtf8 } from "../base/bytes.ts";
import { ArchiveError } from "../base/errors.ts";
import { type LimitOverrides, checkLimit } from "../base/limits.ts";
import { type ByteSource, describeSource } from "./byte_source.ts";
import { EXTRA_ZIP64, METHOD, NBYTES, SIGNATURE, U16_MAX, U32_MAX } from "./zip_format.ts";

/** One file of the archive, as the directory states it. */
export interface ZipEntry {
  /** Full name, with the root folder. */
  readonly name: string;
  /** General purpose bits. */
  readonly flags: number;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  /** Checksum of the uncompressed bytes. */
  readonly crc32: number;
  /** Bytes in the file. */
  readonly compressedSize: number;
  /** Bytes, uncompressed. */
  readonly size: number;
  /** Byte offset of the local header. */
  readonly headerOffset: number;
}

/** The parsed directory. */
export interface ZipDirectory {
  /** The entries in directory order. */
  readonly entries: readonly ZipEntry[];
  /** Where the central headers start: record data ends before it. */
  readonly byteOffset: number;
  /** Bytes of the directory. */
  readonly nbytes: number;
  /** Whether there are zip64 end records. */
  readonly hasZip64: boolean;
  /** Bytes after the end record that are neither its comment nor anything else of the format. */
  readonly trailingBytes: number;
  /** The file's comment. */
  readonly comment: string;
}

interface EndRecord {
  readonly count: number;
  readonly nbytes: number;
  readonly byteOffset: number;
}

/** Reads the directory. Costs its own bytes plus at most 65,577 bytes at the end of the file. */
export function readZipDirectory(source: ByteSource, limits?: LimitOverrides): ZipDirectory {
  const error = (message: string, byteOffset: number): ArchiveError =>
    new ArchiveError(`Cannot read ${describeSource(source)}: ${message} (byte ${byteOffset})`, {
      file: source.name,
      byteOffset,
    });
  const { endOffset, tail, tailOffset } = findEnd(source);
  const fail = (message: string, at: number): never => {
    throw error(`end of central directory: ${message}`, tailOffset + at);
  };
  const end = new ByteReader(tail, fail, endOffset - tailOffset + 4);
  const disk = end.u2();
  const directoryDisk = end.u2();
  const countHere = end.u2();
  const classic: EndRecord = { count: end.u2(), nbytes: end.u4(), byteOffset: end.u4() };
  const comment = end.text(end.u2());
  const trailingBytes = end.remaining;
  const zip64 = readZip64End(source, endOffset, error);
  if (!zip64 && (disk !== 0 || directoryDisk !== 0 || countHere !== classic.count)) {
    throw error(`archive is split over disks (${disk}, ${directoryDisk}), expected one`, endOffset);
  }
  if (zip64) checkAgreement(classic, zip64.record, endOffset, error);
  const stated = zip64?.record ?? classic;
  const limitOffset = zip64?.byteOffset ?? endOffset;
  checkLimit("maxRecords", stated.count, `directory of ${describeSource(source)}`, limits);
  checkLimit("maxRecordBytes", stated.nbytes, `directory of ${describeSource(source)}`, limits);
  if (stated.byteOffset + stated.nbytes > limitOffset) {
    throw error(
      `directory of ${stated.nbytes} bytes at byte ${stated.byteOffset} does not fit before its end record at byte ${limitOffset}`,
      endOffset,
    );
  }
  if (stated.count * NBYTES.centralHeader > stated.nbytes) {
    throw error(
      `directory has ${stated.nbytes} bytes, its ${stated.count} entries need at least ${stated.count * NBYTES.centralHeader}`,
      endOffset,
    );
  }
  const gap = limitOffset - (stated.byteOffset + stated.nbytes);
  const entries = readCentralHeaders(source, stated, gap, error);
  checkOverlaps(entries, stated.byteOffset, error);
  return {
    entries,
    byteOffset: stated.byteOffset,
    nbytes: stated.nbytes,
    hasZip64: zip64 !== undefined,
    trailingBytes,
    comment,
  };
}

/** Searches the end record backwards; bytes after it are allowed, as in PyTorch. */
function findEnd(source: ByteSource): { endOffset: number; tail: Uint8Array; tailOffset: number } {
  // An archive without a comment, which is every archive of PyTorch, ends with its end record: a short look is enough.
  const short = searchEnd(source, Math.min(source.size, SHORT_SEARCH));
  if (short) return short;
  const nbytes = Math.min(source.size, NBYTES.endSearch);
  const found = searchEnd(source, nbytes);
  if (found) return found;
  throw new ArchiveError(
    `Cannot read ${describeSource(source)}: failed finding central directory: no end record in the last ${nbytes} bytes (file has ${source.size} bytes)`,
    { file: source.name, byteOffset: source.size - nbytes },
  );
}

const SHORT_SEARCH = 1024;

function searchEnd(
  source: ByteSource,
  nbytes: number,
): { endOffset: number; tail: Uint8Array; tailOffset: number } | undefined {
  const tailOffset = source.size - nbytes;
  const tail = source.read(tailOffset, nbytes);
  for (let at = nbytes - NBYTES.end; at >= 0; at--) {
    if (tail[at] !== 0x50 || tail[at + 1] !== 0x4b || tail[at + 2] !== 0x05 || tail[at + 3] !== 0x06) continue;
    const commentLength = tail[at + 20]! | (tail[at + 21]! << 8);
    // The signature can occur by chance, in a comment for example: its own comment must then fit.
    if (at + NBYTES.end + commentLength <= nbytes) return { endOffset: tailOffset + at, tail, tailOffset };
  }
  return undefined;
}

type MakeError = (message: string, byteOffset: number) => ArchiveError;

/** The zip64 end record, if a locator stands before the classic one. */
function readZip64End(
  source: ByteSource,
  endOffset: number,
  error: MakeError,
): { record: EndRecord; byteOffset: number } | undefined {
  const locatorOffset = endOffset - NBYTES.zip64Locator;
  if (locatorOffset < 0) return undefined;
  const fail = (message: string): never => {
    throw error(`zip64 end record: ${message}`, locatorOffset);
  };
  const locator = new ByteReader(source.read(locatorOffset, NBYTES.zip64Locator), fail);
  if (locator.u4() !== SIGNATURE.zip64Locator) return undefined;
  locator.u4(); // disk
  const byteOffset = locator.u8();
  if (byteOffset + NBYTES.zip64End > locatorOffset) {
    throw error(
      `zip64 end record is stated to start at byte ${byteOffset}, the locator after it starts at byte ${locatorOffset}`,
      locatorOffset,
    );
  }
  const reader = new ByteReader(source.read(byteOffset, NBYTES.zip64End), fail);
  const signature = reader.u4();
  if (signature !== SIGNATURE.zip64End) {
    const junk = "other data may precede the archive";
    throw error(
      `zip64 end record has signature 0x${signature.toString(16).padStart(8, "0")}, expected 0x06064b50; ${junk}`,
      byteOffset,
    );
  }
  reader.u8(); // size of this record
  reader.bytes(4); // versions made by and needed
  if (reader.u4() !== 0 || reader.u4() !== 0) throw error("archive is split over disks, expected one", byteOffset);
  const countHere = reader.u8();
  const record = { count: reader.u8(), nbytes: reader.u8(), byteOffset: reader.u8() };
  if (countHere !== record.count)
    throw error(`archive is split over disks (${countHere} of ${record.count} entries), expected one`, byteOffset);
  return { record, byteOffset };
}

/** Two end records that disagree would show different archives to different readers. */
function checkAgreement(classic: EndRecord, zip64: EndRecord, endOffset: number, error: MakeError): void {
  const fields: readonly [string, number, number, number][] = [
    ["entries", classic.count, zip64.count, U16_MAX],
    ["directory bytes", classic.nbytes, zip64.nbytes, U32_MAX],
    ["directory offset", classic.byteOffset, zip64.byteOffset, U32_MAX],
  ];
  for (const [what, small, large, saturated] of fields) {
    if (small !== saturated && small !== large)
      throw error(`end record states ${small} ${what}, the zip64 end record ${large}`, endOffset);
  }
}

function readCentralHeaders(source: ByteSource, stated: EndRecord, gap: number, error: MakeError): ZipEntry[] {
  const base = stated.byteOffset;
  const reader = new ByteReader(source.read(base, stated.nbytes), (message, at) => {
    throw error(`directory: ${message}`, base + at);
  });
  const entries: ZipEntry[] = [];
  for (let i = 0; i < stated.count; i++) {
    const at = base + reader.position;
    const signature = reader.u4();
    if (signature !== SIGNATURE.centralHeader) {
      const hint = i === 0 && gap > 0 ? `; ${gap} bytes of other data may precede the archive` : "";
      throw error(
        `directory entry ${i} has signature 0x${signature.toString(16).padStart(8, "0")}, expected 0x02014b50${hint}`,
        at,
      );
    }
    reader.skip(4); // versions made by and needed
    const flags = reader.u2();
    const method = reader.u2();
    reader.skip(4); // time and date
    const crc32 = reader.u4();
    const compressed = reader.u4();
    const uncompressed = reader.u4();
    const nameLength = reader.u2();
    const extraLength = reader.u2();
    const commentLength = reader.u2();
    const disk = reader.u2();
    reader.skip(6); // attributes
    const offset = reader.u4();
    // UTF-8 whatever flag 0x0800 says: PyTorch compares the bytes, and record names are ASCII anyway.
    const name = decodeUtf8(reader.bytes(nameLength));
    const extra = reader.bytes(extraLength);
    reader.skip(commentLength);
    if (disk !== 0 && disk !== U16_MAX) throw error(`directory entry "${name}" lies on disk ${disk}, expected 0`, at);
    const wide = readZip64Extra(extra, { uncompressed, compressed, offset }, name, at, error);
    entries.push({
      name,
      flags,
      method,
      crc32,
      compressedSize: wide.compressed,
      size: wide.uncompressed,
      headerOffset: wide.offset,
    });
  }
  return entries;
}

interface Widened {
  readonly uncompressed: number;
  readonly compressed: number;
  readonly offset: number;
}

/** Replaces saturated 32-bit fields by those of the zip64 extra field, which holds only these, in this order. */
function readZip64Extra(extra: Uint8Array, fields: Widened, name: string, at: number, error: MakeError): Widened {
  if (fields.uncompressed !== U32_MAX && fields.compressed !== U32_MAX && fields.offset !== U32_MAX) return fields;
  const fail = (message: string): never => {
    throw error(`directory entry "${name}", extra field: ${message}`, at);
  };
  const reader = new ByteReader(extra, fail);
  while (reader.remaining >= 4) {
    const id = reader.u2();
    const data = reader.bytes(reader.u2());
    if (id !== EXTRA_ZIP64) continue;
    const wide = new ByteReader(data, fail);
    return {
      uncompressed: fields.uncompressed === U32_MAX ? wide.u8() : fields.uncompressed,
      compressed: fields.compressed === U32_MAX ? wide.u8() : fields.compressed,
      offset: fields.offset === U32_MAX ? wide.u8() : fields.offset,
    };
  }
  return fields; // exactly 4 GiB - 1 without zip64: the numbers mean what they say
}

/** Entries that share bytes make small files that unpack to huge ones, and records that show two contents. */
function checkOverlaps(entries: readonly ZipEntry[], directoryOffset: number, error: MakeError): void {
  const sorted = isSorted(entries) ? entries : entries.toSorted((a, b) => a.headerOffset - b.headerOffset);
  for (let i = 0; i < sorted.length; i++) {
    const entry = sorted[i]!;
    const stored = entry.method === METHOD.stored ? entry.size : entry.compressedSize;
    const end = entry.headerOffset + NBYTES.localHeader + Math.max(stored, entry.compressedSize);
    const next = sorted[i + 1];
    if (next && end > next.headerOffset) {
      throw error(
        `entries "${entry.name}" and "${next.name}" overlap: the first ends at byte ${end} or later, the second starts at byte ${next.headerOffset}`,
        entry.headerOffset,
      );
    }
    if (end > directoryOffset) {
      throw error(
        `entry "${entry.name}" ends at byte ${end} or later, the directory starts at byte ${directoryOffset}`,
        entry.headerOffset,
      );
    }
  }
}

function isSorted(entries: readonly ZipEntry[]): boolean {
  for (let i = 1; i < entries.length; i++) if (entries[i]!.headerOffset < entries[i - 1]!.headerOffset) return false;
  return true;
}
