/** @file Archives for tests: the fixture, small archives made on the spot, repacking, external tools. Upstream: none. Spec: none. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ArchiveReader, ArchiveWriter, type ByteSink, MemorySink } from "../../src/archive/index.ts";
import { concatBytes, encodeUtf8 } from "../../src/base/bytes.ts";

/** Bytes of a file under test/fixtures. */
export function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../fixtures/${name}`, import.meta.url)));
}

/** An archive that PyTorch 2.13 wrote: scripted and traced modules, weights, one submodule called in a loop. */
export function torchArchive(): Uint8Array {
  return fixture("wrapped_rnn.pt");
}

/** Writes an archive from records; a string is text. */
export function makeArchive(
  records: Record<string, string | Uint8Array>,
  options: { rootName?: string; version?: number } = {},
): Uint8Array {
  const sink = new MemorySink();
  const writer = new ArchiveWriter(sink, { rootName: options.rootName ?? "m" });
  for (const [name, data] of Object.entries(records))
    writer.writeRecord(name, typeof data === "string" ? encodeUtf8(data) : data);
  writer.finish({ version: options.version ?? 3 });
  sink.close();
  return sink.bytes();
}

/** Name and bytes of every record. */
export function recordsOf(archive: Uint8Array): Map<string, Uint8Array> {
  const reader = ArchiveReader.open(archive);
  return new Map(reader.recordNames().map((name) => [name, reader.read(name)]));
}

/** A number as [bytes, value], text, or bytes. */
export type LeField = readonly [number, number] | string | Uint8Array;

/** Little-endian bytes: [1, value] is one byte, [4, value] four. */
export function le(...fields: readonly LeField[]): Uint8Array {
  const parts = fields.map((field) => {
    if (typeof field === "string") return encodeUtf8(field);
    if (field instanceof Uint8Array) return field;
    const [nbytes, value] = field;
    return Uint8Array.from({ length: nbytes }, (_, i) => Math.floor(value / 256 ** i) % 256);
  });
  return concatBytes(parts);
}

/** A zip file made by hand, each field of which can be bent. */
export interface RawEntry {
  name: string;
  data: Uint8Array | string;
  method?: number;
  flags?: number;
  crc32?: number;
  size?: number;
  compressedSize?: number;
  localName?: string;
  localExtra?: Uint8Array;
  headerOffset?: number;
}

/** Writes entries as they are, without checks. */
export function rawZip(
  entries: readonly RawEntry[],
  crc: (bytes: Uint8Array) => number,
  prefix: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const parts: Uint8Array[] = [prefix];
  const directory: Uint8Array[] = [];
  let at = 0; // offsets are relative to the end of the prefix, as in a file that junk was put before
  for (const entry of entries) {
    const data = typeof entry.data === "string" ? encodeUtf8(entry.data) : entry.data;
    const name = encodeUtf8(entry.name);
    const localName = encodeUtf8(entry.localName ?? entry.name);
    const extra = entry.localExtra ?? new Uint8Array(0);
    const sum = entry.crc32 ?? crc(data);
    const size = entry.size ?? data.length;
    const compressedSize = entry.compressedSize ?? data.length;
    const method = entry.method ?? 0;
    const flags = entry.flags ?? 0;
    const local = le(
      "PK\x03\x04",
      [2, 20],
      [2, flags],
      [2, method],
      [4, 0],
      [4, sum],
      [4, compressedSize],
      [4, size],
      [2, localName.length],
      [2, extra.length],
      localName,
      extra,
      data,
    );
    directory.push(
      le(
        "PK\x01\x02",
        [2, 20],
        [2, 20],
        [2, flags],
        [2, method],
        [4, 0],
        [4, sum],
        [4, compressedSize],
        [4, size],
        [2, name.length],
        [2, 0],
        [2, 0],
        [2, 0],
        [2, 0],
        [4, 0],
        [4, entry.headerOffset ?? at],
        name,
      ),
    );
    parts.push(local);
    at += local.length;
  }
  const central = concatBytes(directory);
  parts.push(
    central,
    le("PK\x05\x06", [4, 0], [2, entries.length], [2, entries.length], [4, central.length], [4, at], [2, 0]),
  );
  return concatBytes(parts);
}

/** A sink that keeps only what is not zero, for files of many gigabytes; `source()` reads it back. */
export class SparseSink implements ByteSink {
  private readonly pieces: { start: number; bytes: Uint8Array }[] = [];
  size = 0;

  write(bytes: Uint8Array): void {
    const isHole = bytes.length >= 65536 && bytes[0] === 0 && bytes[bytes.length - 1] === 0;
    if (!isHole) this.pieces.push({ start: this.size, bytes: bytes.slice() });
    this.size += bytes.length;
  }

  close(): void {}
  abort(): void {}

  read(byteOffset: number, nbytes: number): Uint8Array {
    const out = new Uint8Array(nbytes);
    for (const { start, bytes } of this.pieces) {
      const from = Math.max(start, byteOffset);
      const to = Math.min(start + bytes.length, byteOffset + nbytes);
      if (from < to) out.set(bytes.subarray(from - start, to - start), from - byteOffset);
    }
    return out;
  }
}

/** A seeded generator of numbers below `limit` (mulberry32). */
export function seededRandom(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

/** Runs `use` in a folder that is removed afterwards. */
export function inTemporaryFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "tsarchive-"));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether a program can be started. */
export function hasProgram(name: string, ...probe: string[]): boolean {
  return spawnSync(name, probe, { stdio: "ignore" }).status === 0;
}

/** Output of a program given the archive's path as last argument. Throws when it fails. */
export function runOnArchive(archive: Uint8Array, program: string, ...args: string[]): string {
  return inTemporaryFolder((folder) => {
    const path = join(folder, "archive.zip");
    writeFileSync(path, archive);
    return execFileSync(program, [...args, path], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  });
}
