/** @file Records of a TorchScript archive: opening, looking up, reading, verifying. Upstream: caffe2/serialize/inline_container.cc. Spec: spec/records.md. */
import { ArchiveError } from "../base/errors.ts";
import { decodeUtf8 } from "../base/bytes.ts";
import type { LimitOverrides } from "../base/limits.ts";
import { type ByteSource, MemorySource, describeSource } from "./byte_source.ts";
import { RecordGroups } from "./record_groups.ts";
import { FOLDER, RECORD, SerializationId, parseVersion } from "./records.ts";
import { MAX_ARCHIVE_VERSION, MIN_ARCHIVE_VERSION } from "./versions.ts";
import type { ZipEntry } from "./zip_directory.ts";
import { DEFAULT_ALIGNMENT } from "./zip_format.ts";
import { ZipReader } from "./zip_reader.ts";

/** Options of `ArchiveReader.open`. */
export interface ArchiveReaderOptions {
  /** Compare each record's CRC with the directory when it is read. Default true. */
  verifyCrc?: boolean;
  /** Overrides of the limits that untrusted input is held to. */
  limits?: LimitOverrides | undefined;
}

/** Facts about a record. */
export interface RecordStat {
  /** Name without the root folder. */
  readonly name: string;
  /** Bytes, uncompressed. */
  readonly size: number;
  /** Bytes in the file. */
  readonly compressedSize: number;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  /** Checksum of the uncompressed bytes. */
  readonly crc32: number;
  /** Where the local header starts in the file. */
  readonly headerOffset: number;
  /** Where the data starts in the file. */
  readonly dataOffset: number;
  /** Data starts at a multiple of 64 bytes. */
  readonly aligned: boolean;
}

/** Reads records by name. Lookups are relative to the root folder, which the first entry names. */
export class ArchiveReader {
  /** The zip file below. */
  readonly zip: ZipReader;
  /** The folder that all records lie in. */
  readonly rootName: string;
  /** Names that occur more than once. The first entry is the record, as in PyTorch; Python's zipfile takes the last. */
  readonly duplicates: readonly string[];
  /** Entries outside the root folder: never looked at. */
  readonly foreign: readonly ZipEntry[];
  private readonly records: ReadonlyMap<string, ZipEntry>;
  private own: boolean | undefined;

  private constructor(zip: ZipReader) {
    this.zip = zip;
    const first = zip.entries[0];
    if (!first) throw this.archiveError("archive does not contain any files", 0);
    const slash = first.name.indexOf("/");
    if (slash < 0) {
      throw this.archiveError(
        `file in archive is not in a subdirectory: ${first.name}; expected all records in one folder`,
        first.headerOffset,
      );
    }
    this.rootName = first.name.slice(0, slash);
    const prefix = `${this.rootName}/`;
    const records = new Map<string, ZipEntry>();
    const duplicates = new Set<string>();
    const foreign: ZipEntry[] = [];
    for (const entry of zip.entries) {
      if (!entry.name.startsWith(prefix)) {
        foreign.push(entry);
        continue;
      }
      const name = entry.name.slice(prefix.length);
      if (name === "" || name.endsWith("/")) continue; // a folder, as zip -r writes them
      if (records.has(name)) duplicates.add(name);
      else records.set(name, entry);
    }
    this.records = records;
    this.duplicates = [...duplicates];
    this.foreign = foreign;
  }

  /** Opens an archive; reads the first bytes and the directory. */
  static open(source: ByteSource | ArrayBuffer | Uint8Array, options: ArchiveReaderOptions = {}): ArchiveReader {
    const bytes = source instanceof Uint8Array || source instanceof ArrayBuffer ? new MemorySource(source) : source;
    refuseOtherFormats(bytes);
    return new ArchiveReader(new ZipReader(bytes, options));
  }

  /** Where the bytes come from. */
  get source(): ByteSource {
    return this.zip.source;
  }

  private archiveError(message: string, byteOffset?: number, record?: string): ArchiveError {
    return new ArchiveError(`Cannot read ${describeSource(this.zip.source)}: ${message}`, {
      file: this.zip.source.name,
      byteOffset,
      record,
    });
  }

  /** Names of all records in directory order, without the root folder; under `folder` only if it is given. */
  recordNames(folder = ""): string[] {
    const names = [...this.records.keys()];
    return folder === "" ? names : names.filter((name) => name.startsWith(folder));
  }

  /** Whether there is such a record. */
  has(name: string): boolean {
    return this.records.has(name);
  }

  /** The directory entry of a record; throws when there is none. Reads nothing. */
  entry(name: string): ZipEntry {
    const entry = this.records.get(name);
    if (entry) return entry;
    const folded = name.toLowerCase();
    // torch's lookup ignores case; a name that only differs in it is refused here, but worth a hint
    const near = this.recordNames().find((other) => other.toLowerCase() === folded);
    const hint = near === undefined ? "" : `; there is "${near}"`;
    throw this.archiveError(`PytorchStreamReader failed locating file ${name}: file not found${hint}`, undefined, name);
  }

  /** Whether tsarchive wrote the archive and nothing has changed since: the serialization id is the hash of the records. */
  isOwn(): boolean {
    return this.detachIsOwn()();
  }

  /** `isOwn` to be asked later, when the source may be closed. */
  detachIsOwn(): () => boolean {
    const stated = this.has(RECORD.serializationId) ? this.zip.stored(this.entry(RECORD.serializationId)) : undefined;
    return () => {
      if (this.own === undefined) {
        const id = new SerializationId();
        for (const [name, { crc32 }] of this.records) if (name !== RECORD.serializationId) id.add(name, crc32);
        this.own = stated !== undefined && decodeUtf8(this.zip.decode(stated)) === id.digits();
      }
      return this.own;
    };
  }

  /** Size of a record in bytes, uncompressed. */
  sizeOf(name: string): number {
    return this.entry(name).size;
  }

  /** Facts about a record; reads its local header. */
  stat(name: string): RecordStat {
    const { size, compressedSize, method, crc32, headerOffset } = this.entry(name);
    const dataOffset = this.zip.dataOffset(this.entry(name));
    return {
      name,
      size,
      compressedSize,
      method,
      crc32,
      headerOffset,
      dataOffset,
      aligned: dataOffset % DEFAULT_ALIGNMENT === 0,
    };
  }

  /** All bytes of a record: possibly a view of the source, which must not be changed. */
  read(name: string): Uint8Array {
    return this.zip.read(this.entry(name));
  }

  /**
   * The records of a folder with such an end of the name, for those who look at most of them.
   * @param detaches stored bytes are read now, so that the source may be closed; they are inflated and checked when they are asked for.
   */
  grouped(folder: string, end: string, detaches: boolean): RecordGroups {
    const entries = new Map<string, ZipEntry>();
    for (const [name, entry] of this.records)
      if (name.startsWith(folder) && name.endsWith(end)) entries.set(name, entry);
    return new RecordGroups(this.zip, entries, detaches);
  }

  /** A record as UTF-8 text. */
  readText(name: string): string {
    return decodeUtf8(this.read(name));
  }

  /** Fills `target`, which must have the record's size. */
  readInto(name: string, target: Uint8Array): void {
    this.zip.readInto(this.entry(name), target);
  }

  /** A record in pieces, each valid until the next is taken; every one but the last fills `place`, where it is given. */
  pieces(name: string, place?: Uint8Array): Iterable<Uint8Array> {
    return this.zip.pieces(this.entry(name), place);
  }

  /** A part of a record, without a CRC check. */
  readSlice(name: string, byteOffset: number, nbytes: number): Uint8Array {
    return this.zip.readSlice(this.entry(name), byteOffset, nbytes);
  }

  /** Name of the version record that counts, or undefined when there is none. */
  versionRecord(): string | undefined {
    return [RECORD.dataVersion, RECORD.version].find((name) => this.has(name));
  }

  /** The archive version; throws when it is missing, not a number, or not supported. */
  version(): number {
    const name = this.versionRecord();
    if (name === undefined)
      throw this.archiveError(
        `PytorchStreamReader failed locating file version: file not found`,
        undefined,
        RECORD.version,
      );
    const text = this.readText(name);
    const version = parseVersion(text);
    if (version === undefined)
      throw this.archiveError(
        `record "${name}" is ${JSON.stringify(text.slice(0, 40))}, expected a decimal number`,
        undefined,
        name,
      );
    if (version > MAX_ARCHIVE_VERSION) {
      throw this.archiveError(
        `archive version ${version} is newer than the supported ${MAX_ARCHIVE_VERSION}`,
        undefined,
        name,
      );
    }
    if (version < MIN_ARCHIVE_VERSION) {
      throw this.archiveError(
        `archive version ${version} is older than the supported ${MIN_ARCHIVE_VERSION}`,
        undefined,
        name,
      );
    }
    return version;
  }

  /** `little` or `big` as the record states, or undefined without one. torch.jit.load ignores it. */
  byteorder(): string | undefined {
    return this.has(RECORD.byteorder) ? this.readText(RECORD.byteorder) : undefined;
  }

  /** The opaque digits of `.data/serialization_id`, or undefined without that record. */
  serializationId(): string | undefined {
    return this.has(RECORD.serializationId) ? this.readText(RECORD.serializationId) : undefined;
  }

  /** Names of the extra files, without `extra/`. */
  extraFileNames(): string[] {
    return this.recordNames(FOLDER.extra).map((name) => name.slice(FOLDER.extra.length));
  }

  /** Bytes of an extra file. */
  readExtraFile(name: string): Uint8Array {
    return this.read(FOLDER.extra + name);
  }

  /** Throws unless this is a TorchScript archive that can be loaded: version, data.pkl, constants.pkl. Returns the version. */
  checkTorchScript(): number {
    if (this.has(RECORD.constants) && this.has(RECORD.data)) return this.version();
    if (this.has(".data/extern_modules") || this.recordNames(".data/ts_code/").length > 0) {
      throw this.archiveError("it is a torch.package archive, expected one of torch.jit.save");
    }
    if (this.has("model.json"))
      throw this.archiveError(
        "it is in the model.json format of PyTorch 1.2 and earlier, expected archive version 1 or later",
      );
    const missing = this.has(RECORD.data) ? RECORD.constants : RECORD.data;
    const hint =
      missing === RECORD.constants ? "; a file of torch.save has no such record, torch.jit.save writes it" : "";
    throw this.archiveError(
      `PytorchStreamReader failed locating file ${missing}: file not found${hint}`,
      undefined,
      missing,
    );
  }

  /** Closes the source. */
  close(): void {
    this.zip.source.close?.();
  }
}

const MAGIC_NBYTES = 8;

/** Files that are something known, but not a zip archive, get a message that says so. */
function refuseOtherFormats(source: ByteSource): void {
  if (source.has && !source.has(0, Math.min(MAGIC_NBYTES, source.size))) return; // a prefetched source: checked before
  const head = source.read(0, Math.min(MAGIC_NBYTES, source.size));
  const text = String.fromCharCode(...head);
  const refuse = (what: string): never => {
    throw new ArchiveError(`Cannot read ${describeSource(source)}: ${what}`, {
      file: source.name,
      byteOffset: 0,
    });
  };
  if (source.size === 0) refuse("file has 0 bytes, expected a zip archive");
  if (text === "PYTORCH1") refuse("File is an unsupported archive format from the preview release.");
  if (text.slice(4) === "PTMF") refuse("it is a flatbuffer module (PTMF), expected a zip archive");
  if (head[0] === 0x80 && head[1] === 0x02) {
    refuse(
      "it starts with a pickle (torch.save before 1.6 or with _use_new_zipfile_serialization=False), expected a zip archive",
    );
  }
}

/** One defect or oddity that `verifyContainer` found. */
export interface ContainerFinding {
  /** How bad it is. */
  readonly severity: "error" | "warning";
  /** The record that it is about. */
  readonly record?: string;
  /** Where in the file. */
  readonly byteOffset?: number;
  /** What was found and what was expected. */
  readonly message: string;
}

/** Checks every entry: local header against directory, CRC, duplicates, entries outside the root. Reads the whole file. */
export function* verifyContainer(reader: ArchiveReader): Generator<ContainerFinding> {
  const { zip } = reader;
  for (const record of reader.duplicates) {
    yield {
      severity: "warning",
      record,
      message: `record "${record}" occurs more than once: PyTorch reads the first, other readers the last`,
    };
  }
  for (const entry of reader.foreign) {
    yield {
      severity: "warning",
      record: entry.name,
      byteOffset: entry.headerOffset,
      message: `entry "${entry.name}" lies outside the folder "${reader.rootName}"`,
    };
  }
  const folded = new Map<string, string>();
  for (const name of reader.recordNames()) {
    const other = folded.get(name.toLowerCase());
    if (other !== undefined)
      yield {
        severity: "warning",
        record: name,
        message: `records "${other}" and "${name}" differ only in case: PyTorch takes either for both`,
      };
    folded.set(name.toLowerCase(), name);
  }
  if (zip.directory.trailingBytes > 0) {
    yield {
      severity: "warning",
      message: `${zip.directory.trailingBytes} bytes follow the end of the archive`,
    };
  }
  for (const entry of zip.entries) {
    try {
      const local = zip.localHeader(entry);
      if (local.name !== entry.name || local.method !== entry.method) {
        yield {
          severity: "warning",
          record: entry.name,
          byteOffset: entry.headerOffset,
          message: `local header states "${local.name}", method ${local.method}; the directory states "${entry.name}", method ${entry.method}`,
        };
      }
      zip.verify(entry);
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      const at = error.byteOffset;
      yield {
        severity: "error",
        record: entry.name,
        ...(at === undefined ? {} : { byteOffset: at }),
        message: error.message,
      };
    }
  }
}
