/** @file Zip writing: PyTorch's layout byte for byte, other readers, 4 GiB. Upstream: none. Spec: none. */
import { unzipSync } from "fflate";
import JSZip from "jszip";
import { describe, expect, test } from "vitest";
import { ArchiveReader, ArchiveWriter, MemorySink, ZipWriter, crc32 } from "../../src/archive/index.ts";
import { encodeUtf8 } from "../../src/base/bytes.ts";
import { SparseSink, hasProgram, le, makeArchive, runOnArchive, torchArchive } from "../support/archive.ts";

const TRAILER = new Set(["version", ".data/version", "byteorder", ".data/serialization_id"]);

/** The fixture, written again by our writer. */
function rewritten(): Uint8Array {
  const reader = ArchiveReader.open(torchArchive());
  const sink = new MemorySink();
  const writer = new ArchiveWriter(sink, { rootName: reader.rootName });
  for (const name of reader.recordNames()) if (!TRAILER.has(name)) writer.writeRecord(name, reader.read(name));
  writer.finish({ version: reader.version() });
  sink.close();
  return sink.bytes();
}

describe("ZipWriter", () => {
  test("a rewritten archive of PyTorch has its record order, methods, alignment, flags and headers", () => {
    const theirs = torchArchive();
    const ours = rewritten();
    const a = ArchiveReader.open(theirs);
    const b = ArchiveReader.open(ours);
    expect(b.recordNames()).toEqual(a.recordNames());
    for (const name of a.recordNames()) {
      const [s, t] = [a.stat(name), b.stat(name)];
      expect([name, t.method, t.size, t.aligned]).toEqual([name, s.method, s.size, true]);
      // PyTorch 2.13 writes no data descriptor behind an empty record; the writer of this file still did.
      if (s.size === 0) continue;
      // Local header up to the lengths of name and extra field; the latter depends on where the record starts.
      expect(ours.subarray(t.headerOffset, t.headerOffset + 28)).toEqual(
        theirs.subarray(s.headerOffset, s.headerOffset + 28),
      );
    }
  });

  test("everything before the first deflated record is byte-identical to PyTorch's file", () => {
    const theirs = torchArchive();
    const reader = ArchiveReader.open(theirs);
    const firstDeflated = reader.recordNames().find((name) => reader.stat(name).method === 8)!;
    const end = reader.stat(firstDeflated).dataOffset;
    expect(end).toBeGreaterThan(900);
    expect(rewritten().subarray(0, end)).toEqual(theirs.subarray(0, end));
  });

  test("a file of stored records is byte-identical to PyTorch's but for the zip64 records, which it leaves out", () => {
    const sink = new MemorySink();
    const zip = new ZipWriter(sink);
    zip.writeEntry("m/a", encodeUtf8("abc"), 3);
    zip.finish();
    sink.close();
    const crc = crc32(encodeUtf8("abc"));
    const descriptor = le("PK\x07\x08", [4, crc], [4, 3], [4, 3]);
    expect(sink.bytes()).toEqual(
      le(
        "PK\x03\x04",
        [2, 0],
        [2, 0x0808],
        [2, 0],
        [4, 0],
        [4, 0],
        [4, 0],
        [4, 0],
        [2, 3],
        [2, 31],
        "m/aFB",
        [2, 27],
        "Z".repeat(27),
        "abc",
        descriptor,
        "PK\x01\x02",
        [2, 0],
        [2, 0],
        [2, 0x0808],
        [2, 0],
        [4, 0],
        [4, crc],
        [4, 3],
        [4, 3],
        [2, 3],
        [2, 0],
        [2, 0],
        [2, 0],
        [2, 0],
        [4, 0],
        [4, 0],
        "m/a",
        "PK\x05\x06",
        [4, 0],
        [2, 1],
        [2, 1],
        [4, 49],
        [4, 83],
        [2, 0],
      ),
    );
  });

  test("JSZip opens the file with equal contents", async () => {
    const ours = rewritten();
    const reader = ArchiveReader.open(ours);
    const zip = await JSZip.loadAsync(ours, { checkCRC32: true });
    const files = Object.values(zip.files).filter((file) => !file.dir);
    expect(files.map((file) => file.name)).toEqual(reader.recordNames().map((name) => `model/${name}`));
    for (const file of files)
      expect(await file.async("uint8array")).toEqual(Uint8Array.from(reader.read(file.name.slice(6))));
  });

  test("fflate opens the file with equal contents", () => {
    const ours = rewritten();
    const reader = ArchiveReader.open(ours);
    const files = unzipSync(ours);
    expect(Object.keys(files)).toEqual(reader.recordNames().map((name) => `model/${name}`));
    for (const [name, bytes] of Object.entries(files))
      expect(bytes).toEqual(Uint8Array.from(reader.read(name.slice(6))));
  });

  test.skipIf(!hasProgram("unzip", "-v"))("unzip -t finds nothing to warn of", () => {
    expect(runOnArchive(rewritten(), "unzip", "-tq")).toMatch(/^No errors detected/);
  });

  test.skipIf(!hasProgram("python3", "-c", "import zipfile"))("Python's zipfile reads every record", () => {
    const script = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.testzip(), len(z.namelist()))";
    expect(runOnArchive(rewritten(), "python3", "-c", script).trim()).toBe(
      `None ${ArchiveReader.open(torchArchive()).recordNames().length}`,
    );
  });

  test("writing twice gives the same bytes", () => {
    expect(rewritten()).toEqual(rewritten());
  });

  test("a record name cannot be written twice", () => {
    const writer = new ArchiveWriter(new MemorySink());
    writer.writeRecord("a", new Uint8Array(1));
    expect(() => writer.writeRecord("a", new Uint8Array(1))).toThrow("Tried to serialize file twice: archive/a");
  });

  test("a stream of another length than announced is an error", () => {
    const writer = new ArchiveWriter(new MemorySink());
    expect(() => writer.writeStream("a", [new Uint8Array(3)], 4)).toThrow("3 bytes came, 4 were announced");
  });

  test("beyond 4 GiB the file has PyTorch's zip64 fields, and is read back", () => {
    const sink = new SparseSink();
    const zip = new ZipWriter(sink);
    const hole = new Uint8Array(1 << 20);
    function* zeros(nbytes: number): Iterable<Uint8Array> {
      for (let left = nbytes; left > 0; left -= hole.length) yield hole.subarray(0, Math.min(hole.length, left));
    }
    const size = 2 ** 32;
    const big = zip.writeEntry("m/data/0", zeros(size), size);
    const small = zip.writeEntry("m/data/1", encodeUtf8("abcd"), 4);
    zip.finish();
    expect(big.dataOffset).toBe(64);
    expect(small.dataOffset % 64).toBe(0);
    // torch 2.13 wrote exactly these bytes for such records
    expect(sink.read(30, 8 + 24)).toEqual(le("m/data/0", [2, 1], [2, 16], [8, size], [8, 0], "FB", [2, 2]));
    expect(sink.read(64 + size, 24)).toEqual(le("PK\x07\x08", [4, big.crc32], [8, size], [8, size]));
    expect(sink.read(small.headerOffset + 30, 20)).toEqual(le("m/data/1", [2, 1], [2, 8], [8, small.headerOffset]));
    expect(sink.read(small.dataOffset + 4, 24)).toEqual(le("PK\x07\x08", [4, small.crc32], [8, 4], [8, 4]));
    const reader = ArchiveReader.open({ size: sink.size, name: "big", read: (at, n) => sink.read(at, n) });
    expect(reader.sizeOf("data/0")).toBe(size);
    expect(reader.zip.directory.hasZip64).toBe(true);
    expect(reader.readText("data/1")).toBe("abcd");
    expect(reader.readSlice("data/0", size - 5, 5)).toEqual(new Uint8Array(5));
  }, 60_000);

  test("more than 65,534 entries get zip64 end records, and are read back", () => {
    const sink = new MemorySink();
    const zip = new ZipWriter(sink, { alignment: 1 });
    for (let i = 0; i < 65_536; i++) zip.writeEntry(`m/${i}`, new Uint8Array(0), 0);
    zip.finish();
    sink.close();
    const reader = ArchiveReader.open(sink.bytes());
    expect(reader.recordNames().length).toBe(65_536);
    expect(reader.zip.directory.hasZip64).toBe(true);
    expect(ArchiveReader.open(makeArchive({ a: "x" })).zip.directory.hasZip64).toBe(false);
  });
});
