/** @file Streaming zip writer with the byte layout of PyTorch's. Upstream: caffe2/serialize/inline_container.cc, third_party/miniz. Spec: spec/container.md. */
import { ByteWriter } from "../base/bytes.ts";
import { ArchiveError } from "../base/errors.ts";
import type { ByteSink } from "./byte_source.ts";
import { crc32 } from "./crc32.ts";
import {
  DEFAULT_ALIGNMENT,
  EXTRA_PADDING,
  EXTRA_ZIP64,
  METHOD,
  NBYTES,
  SIGNATURE,
  U16_MAX,
  U32_MAX,
} from "./zip_format.ts";

/** Options of `ZipWriter`. */
export interface ZipWriterOptions {
  /** Data starts at multiples of this many bytes; a power of two up to 32768. Default 64. */
  alignment?: number;
}

/** What the writer keeps of an entry until the directory is written. */
export interface WrittenEntry {
  readonly name: string;
  /** Checksum of the uncompressed bytes. */
  readonly crc32: number;
  /** Bytes, uncompressed. */
  readonly size: number;
  /** Where the local header starts in the file. */
  readonly headerOffset: number;
  /** Where the data starts in the file. */
  readonly dataOffset: number;
}

/** What a directory states of an entry that is copied. */
export interface CopiedEntry {
  /** 0 stored, 8 deflated. */
  readonly method: number;
  /** Bytes, uncompressed. */
  readonly size: number;
  /** Checksum of the uncompressed bytes. */
  readonly crc32: number;
}

const FLAGS = 0x0808; // data descriptor, UTF-8 names
const FLAGS_OF_EMPTY = 0x0800; // miniz writes no data descriptor behind nothing

function flagsOf(size: number): number {
  return size === 0 ? FLAGS_OF_EMPTY : FLAGS;
}
const VERSION_DEFLATED = 20;
const ZIP64_MADE_BY = 0x031e; // miniz states: made by Unix, 3.0
const ZIP64_NEEDED = 45;
const PADDING_BYTE = 0x5a; // Z
const WRITE_CHUNK = 1 << 18; // still in the second-level cache after its CRC

/** Writes entries one after another; only their directory entries stay in memory. */
export class ZipWriter {
  private readonly sink: ByteSink;
  private readonly alignment: number;
  private readonly directory = new ByteWriter(4096);
  // written anew for every entry
  private readonly header = new ByteWriter(256);
  private readonly name = new ByteWriter(128);
  private readonly names = new Set<string>();
  private position = 0;
  private count = 0;

  constructor(sink: ByteSink, options: ZipWriterOptions = {}) {
    const alignment = options.alignment ?? DEFAULT_ALIGNMENT;
    if (!(alignment >= 1 && alignment <= 32768 && (alignment & (alignment - 1)) === 0)) {
      throw new RangeError(`Cannot write archive: alignment is ${alignment}, expected a power of two from 1 to 32768`);
    }
    this.sink = sink;
    this.alignment = alignment;
  }

  /** Bytes written so far. */
  get nbytes(): number {
    return this.position;
  }

  private write(bytes: Uint8Array): void {
    this.sink.write(bytes);
    this.position += bytes.length;
  }

  /**
   * Writes a stored entry of `size` bytes, whose data may come in chunks; nothing is kept of it. Deflated ones are copied: `copyEntry`.
   * @param knownCrc CRC-32 of all of the data, where somebody has compared it already.
   */
  writeEntry(name: string, data: Uint8Array | Iterable<Uint8Array>, size: number, knownCrc?: number): WrittenEntry {
    const method = METHOD.stored;
    const { nameBytes, headerOffset, dataOffset } = this.startEntry(name, method, size);
    let crc = knownCrc ?? 0;
    let written = 0;
    const chunks = data instanceof Uint8Array ? [data] : data;
    for (const chunk of chunks) {
      written += chunk.length;
      // what is in the cache for the CRC is written from there
      const step = knownCrc === undefined ? WRITE_CHUNK : chunk.length;
      for (let at = 0; at < chunk.length; at += step) {
        const piece = chunk.subarray(at, Math.min(at + step, chunk.length));
        crc = knownCrc ?? crc32(piece, crc);
        this.write(piece);
      }
    }
    if (written !== size)
      throw new ArchiveError(`Cannot write record "${name}": ${written} bytes came, ${size} were announced`, {
        record: name,
      });
    const compressedSize = this.position - dataOffset;
    this.endEntry(nameBytes, method, crc, compressedSize, size, headerOffset);
    return { name, crc32: crc, size, headerOffset, dataOffset };
  }

  /** Writes an entry of `size` bytes from what it is in an archive: stored or deflated. */
  copyEntry(name: string, raw: Uint8Array, { method, size, crc32: crc }: CopiedEntry): WrittenEntry {
    const { nameBytes, headerOffset, dataOffset } = this.startEntry(name, method, size);
    this.write(raw);
    this.endEntry(nameBytes, method, crc, raw.length, size, headerOffset);
    return { name, crc32: crc, size, headerOffset, dataOffset };
  }

  private startEntry(
    name: string,
    method: number,
    size: number,
  ): { nameBytes: Uint8Array; headerOffset: number; dataOffset: number } {
    this.name.clear();
    this.name.utf8(name);
    const nameBytes = this.name.finish(); // until the next entry
    if (nameBytes.length === 0 || nameBytes.length > U16_MAX) {
      throw new ArchiveError(
        `Cannot write record "${name.slice(0, 100)}": its name has ${nameBytes.length} bytes, expected 1 to 65535`,
        { record: name },
      );
    }
    if (this.names.has(name)) throw new ArchiveError(`Tried to serialize file twice: ${name}`, { record: name });
    this.names.add(name);
    const headerOffset = this.position;
    this.write(this.localHeader(nameBytes, method, size, headerOffset));
    return { nameBytes, headerOffset, dataOffset: this.position };
  }

  private endEntry(
    name: Uint8Array,
    method: number,
    crc: number,
    compressedSize: number,
    size: number,
    headerOffset: number,
  ): void {
    const isWide = size >= U32_MAX || headerOffset >= U32_MAX;
    if (size > 0) this.writeDescriptor(crc, compressedSize, size, isWide);
    this.addToDirectory(name, method, crc, compressedSize, size, headerOffset);
  }

  /**
   * CRC and sizes are 0, the data descriptor has them. From 4 GiB on (size or position) PyTorch puts a zip64 field
   * with the size, a compressed size of 0, and the offset before the padding, and the descriptor has 64-bit sizes.
   */
  private localHeader(name: Uint8Array, method: number, size: number, headerOffset: number): Uint8Array {
    const wideSize = size >= U32_MAX;
    const wideOffset = headerOffset >= U32_MAX;
    const wideNbytes = (wideSize ? 16 : 0) + (wideOffset ? 8 : 0);
    const nbytes = NBYTES.localHeader + name.length + (wideNbytes > 0 ? 4 + wideNbytes : 0) + 4;
    const padding = (this.alignment - ((headerOffset + nbytes) % this.alignment)) % this.alignment;
    const { header } = this;
    header.clear();
    header.u4(SIGNATURE.localHeader);
    header.u2(0); // version needed; miniz states 20 for deflated entries in the directory only
    header.u2(flagsOf(size));
    header.u2(method);
    header.u4(0); // time and date
    header.fill(0, 12); // crc and sizes
    header.u2(name.length);
    header.u2(nbytes + padding - NBYTES.localHeader - name.length);
    header.bytes(name);
    if (wideNbytes > 0) {
      header.u2(EXTRA_ZIP64);
      header.u2(wideNbytes);
      if (wideSize) {
        header.u8(size);
        header.u8(0);
      }
      if (wideOffset) header.u8(headerOffset);
    }
    header.u2(EXTRA_PADDING);
    header.u2(padding);
    header.fill(PADDING_BYTE, padding);
    return header.finish();
  }

  private writeDescriptor(crc: number, compressedSize: number, size: number, isWide: boolean): void {
    const out = this.header;
    out.clear();
    out.u4(SIGNATURE.dataDescriptor);
    out.u4(crc);
    if (isWide) {
      out.u8(compressedSize);
      out.u8(size);
    } else {
      out.u4(compressedSize);
      out.u4(size);
    }
    this.write(out.finish());
  }

  private addToDirectory(
    name: Uint8Array,
    method: number,
    crc: number,
    compressedSize: number,
    size: number,
    headerOffset: number,
  ): void {
    const isWide = Math.max(size, compressedSize, headerOffset) >= U32_MAX;
    const wide = isWide ? [size, compressedSize, headerOffset].filter((value) => value >= U32_MAX) : [];
    const out = this.directory;
    out.u4(SIGNATURE.centralHeader);
    out.u2(0); // made by
    out.u2(method === METHOD.deflated ? VERSION_DEFLATED : 0);
    out.u2(flagsOf(size));
    out.u2(method);
    out.u4(0); // time and date
    out.u4(crc);
    out.u4(Math.min(compressedSize, U32_MAX));
    out.u4(Math.min(size, U32_MAX));
    out.u2(name.length);
    out.u2(wide.length > 0 ? 4 + 8 * wide.length : 0);
    out.fill(0, 10); // comment length, disk, attributes
    out.u4(Math.min(headerOffset, U32_MAX));
    out.bytes(name);
    if (wide.length > 0) {
      out.u2(EXTRA_ZIP64);
      out.u2(8 * wide.length);
      for (const value of wide) out.u8(value);
    }
    this.count++;
  }

  /** Writes directory and end records. Zip64 records come only where a number does not fit: JSZip cannot read PyTorch's. */
  finish(): void {
    const byteOffset = this.position;
    const directory = this.directory.finish();
    const needsZip64 = this.count >= U16_MAX || directory.length >= U32_MAX || byteOffset >= U32_MAX;
    this.write(directory);
    const end = new ByteWriter(NBYTES.zip64End + NBYTES.zip64Locator + NBYTES.end);
    if (needsZip64) {
      const zip64Offset = this.position;
      end.u4(SIGNATURE.zip64End);
      end.u8(NBYTES.zip64End - 12);
      end.u2(ZIP64_MADE_BY);
      end.u2(ZIP64_NEEDED);
      end.fill(0, 8); // disks
      end.u8(this.count);
      end.u8(this.count);
      end.u8(directory.length);
      end.u8(byteOffset);
      end.u4(SIGNATURE.zip64Locator);
      end.u4(0);
      end.u8(zip64Offset);
      end.u4(1);
    }
    const count = Math.min(this.count, U16_MAX);
    end.u4(SIGNATURE.end);
    end.u4(0); // disks
    end.u2(count);
    end.u2(count);
    end.u4(Math.min(directory.length, U32_MAX));
    end.u4(Math.min(byteOffset, U32_MAX));
    end.u2(0); // comment length
    this.write(end.finish());
  }
}
