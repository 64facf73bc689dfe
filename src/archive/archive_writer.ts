/** @file Writes the records of an archive in PyTorch's container layout. Upstream: caffe2/serialize/inline_container.cc. Spec: spec/records.md. */
import { internalAssert } from "../base/errors.ts";
import { concatBytes, encodeUtf8 } from "../base/bytes.ts";
import type { ByteSink } from "./byte_source.ts";
import { crc32 } from "./crc32.ts";
import { BUFFER_ROOT_NAME, RECORD, SerializationId, isRecordCompressed, versionRecordName } from "./records.ts";
import { PRODUCED_ARCHIVE_VERSION } from "./versions.ts";
import { METHOD } from "./zip_format.ts";
import { deflate } from "./zip_vendor.ts";
import { type CopiedEntry, type WrittenEntry, ZipWriter } from "./zip_writer.ts";

/** Options of `ArchiveWriter`. */
export interface ArchiveWriterOptions {
  /** Folder of all records; see `rootNameOf`. Default `archive`. */
  rootName?: string;
  /** Data of records starts at multiples of this. Default 64. */
  alignment?: number;
}

/** What `finish` writes after the records. */
export interface ArchiveTrailer {
  /** Archive version that the operators of the code need. Default 3. */
  version?: number;
  /** Whether to write `byteorder`. Default true. */
  byteorder?: boolean;
}

/** A record as it lies in an archive. */
export interface PackedRecord {
  readonly entry: CopiedEntry;
  readonly raw: Uint8Array;
}

/** Packs a record, by PyTorch's rule of what is deflated, for `copyRecord` to write, and more than once. */
export function packRecord(
  name: string,
  data: Uint8Array,
  compress = isRecordCompressed(name, data.length),
): PackedRecord {
  const method = compress ? METHOD.deflated : METHOD.stored;
  return { entry: { method, size: data.length, crc32: crc32(data) }, raw: compress ? deflate(data) : data };
}

/** Streams records to a sink. The caller closes the sink, or aborts it after an error: see `withSink`. */
export class ArchiveWriter {
  /** The folder that all records lie in. */
  readonly rootName: string;
  private readonly zip: ZipWriter;
  private readonly id = new SerializationId();
  private finished = false;
  private isForeign = false;

  constructor(sink: ByteSink, options: ArchiveWriterOptions = {}) {
    this.rootName = options.rootName ?? BUFFER_ROOT_NAME;
    if (this.rootName === "" || this.rootName.includes("/")) {
      throw new RangeError(
        `Cannot write archive: root folder name is "${this.rootName}", expected a name without slashes`,
      );
    }
    this.zip = new ZipWriter(sink, options.alignment === undefined ? {} : { alignment: options.alignment });
  }

  /** Bytes written so far. */
  get nbytes(): number {
    return this.zip.nbytes;
  }

  /** Writes a record, given as a whole or as chunks; `compress` defaults to PyTorch's rule. */
  writeRecord(
    name: string,
    data: Uint8Array | readonly Uint8Array[],
    options: { compress?: boolean } = {},
  ): WrittenEntry {
    const chunks = data instanceof Uint8Array ? [data] : data;
    let size = 0;
    for (const chunk of chunks) size += chunk.length;
    const compress = options.compress ?? isRecordCompressed(name, size);
    return compress
      ? this.copyRecord(packRecord(name, concatBytes(chunks), true), name, true)
      : this.writeStream(name, chunks, size);
  }

  /** Writes a stored record of `size` bytes from chunks that may be made while it is written, and with the CRC-32 if it is known of them. */
  writeStream(name: string, chunks: Iterable<Uint8Array>, size: number, knownCrc?: number): WrittenEntry {
    internalAssert(!this.finished, "record written after finish");
    const entry = this.zip.writeEntry(`${this.rootName}/${name}`, chunks, size, knownCrc);
    this.id.add(name, entry.crc32);
    return entry;
  }

  /** Writes a record that is packed already, as it is in another archive. The result is then not tsarchive's own (`ArchiveReader.isOwn`), unless `isOwn`. */
  copyRecord({ entry, raw }: PackedRecord, name: string, isOwn: boolean): WrittenEntry {
    internalAssert(!this.finished, "record written after finish");
    const written = this.zip.copyEntry(`${this.rootName}/${name}`, raw, entry);
    this.id.add(name, written.crc32);
    this.isForeign ||= !isOwn;
    return written;
  }

  /** Writes version, byteorder, serialization id and the directory. Does not close the sink. */
  finish(trailer: ArchiveTrailer = {}): void {
    const version = trailer.version ?? PRODUCED_ARCHIVE_VERSION;
    this.writeRecord(versionRecordName(version), encodeUtf8(`${version}\n`));
    // Every platform that JavaScript runs on in practice is little-endian, and storages are written as they lie in memory.
    if (trailer.byteorder ?? true) this.writeRecord(RECORD.byteorder, encodeUtf8("little"));
    if (this.isForeign) this.id.add("", 0); // another number than `isOwn` expects
    this.writeRecord(RECORD.serializationId, encodeUtf8(this.id.digits()));
    this.finished = true;
    this.zip.finish();
  }
}
