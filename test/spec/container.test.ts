/** @file Executes the rules of spec/container.md. Upstream: none. Spec: spec/container.md. */
import { deflateSync, zipSync } from "fflate";
import JSZip from "jszip";
import { expect, test } from "vitest";
import {
  ArchiveReader,
  ArchiveWriter,
  MemorySink,
  ZipReader,
  ZipWriter,
  crc32,
  withSink,
} from "../../src/archive/index.ts";
import { MemorySource } from "../../src/archive/byte_source.ts";
import { concatBytes, encodeUtf8 } from "../../src/base/bytes.ts";
import { ArchiveError } from "../../src/base/errors.ts";
import { SparseSink, le, makeArchive, rawZip, recordsOf, torchArchive } from "../support/archive.ts";

const open = (bytes: Uint8Array): ArchiveReader => ArchiveReader.open(bytes);

/** One record `m/a` in a zip of our writer. */
function written(data: string, alignment = 64): Uint8Array {
  const sink = new MemorySink();
  const zip = new ZipWriter(sink, { alignment });
  zip.writeEntry("m/a", encodeUtf8(data), data.length);
  zip.finish();
  sink.close();
  return sink.bytes();
}

test("ZIP-1: records are found through the directory", () => {
  const hidden = rawZip([{ name: "m/hidden", data: "x" }], crc32).subarray(0, 39);
  const bytes = rawZip([{ name: "m/a", data: concatBytes([hidden, encodeUtf8("y")]) }], crc32);
  expect(open(bytes).recordNames()).toEqual(["a"]);
});

test("ZIP-2: the end record is searched backwards, bytes may follow", () => {
  const bytes = concatBytes([
    written("x"),
    encodeUtf8("PK\x05\x06 and other junk that is no end record"),
    new Uint8Array(40_000),
  ]);
  expect(() => open(concatBytes([written("x"), new Uint8Array(65_536)]))).toThrow(
    /no end record in the last 65557 bytes/,
  );
  expect(open(concatBytes([written("x"), new Uint8Array(65_535)])).readText("a")).toBe("x");
  expect(() => open(bytes)).toThrow(ArchiveError); // a second signature with room for its "comment" is taken for the end
});

test("ZIP-3: bytes before the archive are refused", () => {
  expect(() => open(concatBytes([encodeUtf8("#!/bin/sh\n"), written("x")]))).toThrow(
    /10 bytes of other data may precede the archive/,
  );
});

test("ZIP-4: data starts after the local header's own name and extra field", () => {
  const bytes = rawZip([{ name: "m/a", data: "xyz", localExtra: le([2, 0x4246], [2, 2], "ZZ") }], crc32);
  expect(open(bytes).stat("a").dataOffset).toBe(30 + 3 + 6);
  expect(open(bytes).readText("a")).toBe("xyz");
});

test("ZIP-5: CRC and sizes come from the directory", () => {
  const reader = open(torchArchive());
  const { headerOffset, size, crc32: crc } = reader.stat("data/0");
  expect([...torchArchive().subarray(headerOffset + 14, headerOffset + 26)]).toEqual(
    Array.from({ length: 12 }, () => 0),
  );
  expect([size, crc]).toEqual([16, 0xa3c87831]);
});

test("ZIP-6: stored and deflated are read, other methods and encryption refused", () => {
  const deflated = deflateSync(encodeUtf8("weights"));
  const entry = {
    name: "m/data.pkl",
    data: deflated,
    method: 8,
    size: 7,
    crc32: crc32(encodeUtf8("weights")),
  };
  expect(open(rawZip([entry], crc32)).readText("data.pkl")).toBe("weights");
  expect(() => open(rawZip([{ name: "m/a", data: "x", method: 14 }], crc32)).read("a")).toThrow(
    /method is 14, expected 0 \(stored\) or 8/,
  );
  for (const flags of [0x0001, 0x0040, 0x2000])
    expect(() => open(rawZip([{ name: "m/a", data: "x", flags }], crc32)).read("a")).toThrow(/encrypted/);
});

test("ZIP-7: the order of entries has no meaning", () => {
  const records = [...recordsOf(torchArchive())].toReversed();
  const packed = zipSync(Object.fromEntries(records.map(([name, data]) => [`r/${name}`, Uint8Array.from(data)])));
  expect(open(packed).checkTorchScript()).toBe(3);
});

test("ZIP-8: alignment, padding and descriptors are not required", () => {
  const reader = open(rawZip([{ name: "m/a", data: "x" }], crc32));
  expect([reader.stat("a").aligned, reader.readText("a")]).toEqual([false, "x"]);
});

test("ZIP-9: saturated fields are replaced by the zip64 extra field", () => {
  const data = encodeUtf8("x");
  const local = le(
    "PK\x03\x04",
    [2, 45],
    [2, 0],
    [2, 0],
    [4, 0],
    [4, crc32(data)],
    [4, 1],
    [4, 1],
    [2, 3],
    [2, 0],
    "m/a",
    data,
  );
  const central = le(
    "PK\x01\x02",
    [2, 45],
    [2, 45],
    [2, 0],
    [2, 0],
    [4, 0],
    [4, crc32(data)],
    [4, 1],
    [4, 0xffffffff],
    [2, 3],
    [2, 20],
    [2, 0],
    [2, 0],
    [2, 0],
    [4, 0],
    [4, 0xffffffff],
    "m/a",
    [2, 1],
    [2, 16],
    [8, 1],
    [8, 0],
  );
  const end = le("PK\x05\x06", [4, 0], [2, 1], [2, 1], [4, central.length], [4, local.length], [2, 0]);
  expect(open(concatBytes([local, central, end])).readText("a")).toBe("x");
});

test("ZIP-10: two end records must agree", () => {
  const bytes = torchArchive();
  expect(open(bytes).zip.directory.hasZip64).toBe(true);
  bytes[bytes.length - 22 + 16]! += 1; // directory offset of the end record
  expect(() => open(bytes)).toThrow(/end record states 6329 directory offset, the zip64 end record 6328/);
});

test("ZIP-11: entries must not overlap", () => {
  const bytes = rawZip(
    [
      { name: "m/a", data: "xyz" },
      { name: "m/b", data: "xyz", headerOffset: 0 },
    ],
    crc32,
  );
  expect(() => open(bytes)).toThrow(/entries "m\/a" and "m\/b" overlap/);
});

test("ZIP-12: the CRC of a whole record is compared, unless that is off", () => {
  const bytes = rawZip([{ name: "m/a", data: "x", crc32: 1 }], crc32);
  expect(() => open(bytes).read("a")).toThrow(/crc-32 check failed/);
  expect(ArchiveReader.open(bytes, { verifyCrc: false }).readText("a")).toBe("x");
});

test("ZIP-13: sizes that cannot be true are refused", () => {
  const deflated = deflateSync(new Uint8Array(1000));
  const entry = (size: number): Uint8Array => rawZip([{ name: "m/a", data: deflated, method: 8, size }], crc32);
  expect(() => open(entry(deflated.length * 1100 + 1)).read("a")).toThrow(/at most 1100 times as many/);
  expect(() => open(entry(999)).read("a")).toThrow(/inflated to more than 999 bytes, the directory states 999/);
  expect(() => open(entry(1001)).read("a")).toThrow(/inflated to 1000 bytes, the directory states 1001/);
  const stored = rawZip([{ name: "m/a", data: "xyz", size: 2 }], crc32);
  expect(() => open(stored).read("a")).toThrow(
    /stored, but the directory states 3 compressed and 2 uncompressed bytes/,
  );
});

test("ZIP-14: opening reads the directory and the ends", () => {
  const bytes = makeArchive({ "data/0": new Uint8Array(1_000_000) });
  let nbytes = 0;
  ArchiveReader.open({
    size: bytes.length,
    read(at, n) {
      nbytes += n;
      return bytes.subarray(at, at + n);
    },
  });
  expect(nbytes).toBeLessThanOrEqual(65_577 + 8 + open(bytes).zip.directory.nbytes);
});

test("ZIP-15: other formats are named", () => {
  expect(() => open(encodeUtf8("PYTORCH1 and more"))).toThrow(/unsupported archive format from the preview release/);
  expect(() => open(encodeUtf8("    PTMF and more"))).toThrow(/flatbuffer/);
  expect(() => open(le([1, 0x80], [1, 2], "and more bytes"))).toThrow(/pickle/);
});

test("ZIP-20: local header and descriptor", () => {
  const crc = crc32(encodeUtf8("xyz"));
  const bytes = written("xyz");
  expect(bytes.subarray(0, 28)).toEqual(
    le("PK\x03\x04", [2, 0], [2, 0x0808], [2, 0], [4, 0], [4, 0], [4, 0], [4, 0], [2, 3]),
  );
  expect(bytes.subarray(67, 83)).toEqual(le("PK\x07\x08", [4, crc], [4, 3], [4, 3]));
  expect(torchArchive().subarray(0, 26)).toEqual(bytes.subarray(0, 26));
});

test("ZIP-21: the padding field aligns data to 64 bytes", () => {
  expect(written("xyz").subarray(28, 64)).toEqual(le([2, 31], "m/aFB", [2, 27], "Z".repeat(27)));
  expect(written("xyz", 1).subarray(28, 37)).toEqual(le([2, 4], "m/aFB", [2, 0]));
});

test("ZIP-22: directory entries", () => {
  const bytes = written("xyz");
  const crc = crc32(encodeUtf8("xyz"));
  expect(bytes.subarray(83, 132)).toEqual(
    le(
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
    ),
  );
});

test("ZIP-23: sources and debug records above 200 bytes are deflated", () => {
  const long = "x".repeat(201);
  const reader = open(
    makeArchive({
      "code/a.py": long,
      "code/b.py": "x".repeat(200),
      "code/a.py.debug_pkl": long,
      "data.pkl": long,
      "extra/a.txt": long,
    }),
  );
  const deflated = reader.recordNames().filter((name) => reader.stat(name).method === 8);
  expect(deflated).toEqual(["code/a.py", "code/a.py.debug_pkl"]);
  const theirs = open(torchArchive());
  for (const name of theirs.recordNames()) {
    expect([name, theirs.stat(name).method]).toEqual([
      name,
      /\.(py|debug_pkl)$/.test(name) && theirs.sizeOf(name) > 200 ? 8 : 0,
    ]);
  }
});

test("ZIP-24: beyond 4 GiB the headers have zip64 fields", () => {
  const sink = new SparseSink();
  sink.size = 2 ** 32; // as if as much had been written
  const writer = new ZipWriter({ write: (bytes) => sink.write(bytes), close() {}, abort() {} });
  (writer as unknown as { position: number }).position = 2 ** 32;
  const entry = writer.writeEntry("m/a", encodeUtf8("x"), 1);
  writer.finish();
  expect(entry.dataOffset % 64).toBe(0);
  expect(sink.read(2 ** 32 + 33, 12)).toEqual(le([2, 1], [2, 8], [8, 2 ** 32]));
  expect(sink.read(entry.dataOffset + 1, 24)).toEqual(le("PK\x07\x08", [4, entry.crc32], [8, 1], [8, 1]));
  const zip = new ZipReader({ size: sink.size, read: (at, n) => sink.read(at, n) });
  expect(zip.entries[0]).toMatchObject({ size: 1, headerOffset: 2 ** 32 });
  expect(zip.directory.hasZip64).toBe(true);
});

test("ZIP-25: zip64 end records are written only where needed, so that JSZip opens the file", async () => {
  const bytes = makeArchive({ a: "x" });
  expect(open(bytes).zip.directory.hasZip64).toBe(false);
  expect(Object.keys((await JSZip.loadAsync(bytes)).files)).toContain("m/a");
  await expect(JSZip.loadAsync(torchArchive())).rejects.toThrow();
});

test("ZIP-26: an error while writing aborts the sink", () => {
  const calls: string[] = [];
  const sink = {
    write: () => void calls.push("write"),
    close: () => void calls.push("close"),
    abort: () => void calls.push("abort"),
  };
  const write = (): void =>
    withSink(sink, (it) => {
      new ArchiveWriter(it).writeStream("a", [new Uint8Array(1)], 2);
    });
  expect(write).toThrow(ArchiveError);
  expect(calls.at(-1)).toBe("abort");
  expect(calls).not.toContain("close");
});

test("ZIP-27: no name is written twice", () => {
  const writer = new ZipWriter(new MemorySink());
  writer.writeEntry("m/a", new Uint8Array(0), 0);
  expect(() => writer.writeEntry("m/a", new Uint8Array(0), 0)).toThrow("Tried to serialize file twice: m/a");
  expect(new MemorySource(new Uint8Array(3)).read(1, 2).length).toBe(2);
});
