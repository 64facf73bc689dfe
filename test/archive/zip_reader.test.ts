/** @file Zip reading: other tools' files, odd layouts, defects. Upstream: none. Spec: none. */
import { zipSync } from "fflate";
import JSZip from "jszip";
import { describe, expect, test } from "vitest";
import { ArchiveReader, MemorySource, ZipReader, crc32 } from "../../src/archive/index.ts";
import { concatBytes, encodeUtf8 } from "../../src/base/bytes.ts";
import { ArchiveError, LimitError } from "../../src/base/errors.ts";
import { hasProgram, inTemporaryFolder, le, makeArchive, rawZip, recordsOf, torchArchive } from "../support/archive.ts";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const open = (bytes: Uint8Array): ArchiveReader => ArchiveReader.open(new MemorySource(bytes, "x.pt"));

/** The error that a call throws. */
function errorOf(call: () => unknown): Error & { byteOffset?: number; record?: string; file?: string } {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

/** Expects that the archive holds the records of PyTorch's file. */
function expectSameRecords(bytes: Uint8Array): void {
  const expected = recordsOf(torchArchive());
  const found = recordsOf(bytes);
  expect([...found.keys()].toSorted()).toEqual([...expected.keys()].toSorted());
  for (const [name, data] of expected) expect([name, [...found.get(name)!]]).toEqual([name, [...data]]);
}

describe("ZipReader on files of other tools", () => {
  const records = recordsOf(torchArchive());

  test.each(["STORE", "DEFLATE"] as const)("opens an archive that JSZip packed again (%s)", async (compression) => {
    const zip = new JSZip();
    for (const [name, data] of [...records].toReversed()) zip.file(`renamed/${name}`, data);
    expectSameRecords(await zip.generateAsync({ type: "uint8array", compression }));
  });

  test("opens an archive that JSZip streamed with data descriptors", async () => {
    const zip = new JSZip();
    for (const [name, data] of records) zip.file(`renamed/${name}`, data);
    expectSameRecords(
      await zip.generateAsync({
        type: "uint8array",
        compression: "DEFLATE",
        streamFiles: true,
        comment: "packed PK\x05\x06 again",
      }),
    );
  });

  test.each([0, 1, 9] as const)("opens an archive that fflate packed again at level %s", (level) => {
    const files = Object.fromEntries([...records].map(([name, data]) => [`renamed/${name}`, Uint8Array.from(data)]));
    expectSameRecords(zipSync(files, { level }));
  });

  test.skipIf(!hasProgram("zip", "-v"))("opens an archive that zip -r packed from a folder", () => {
    inTemporaryFolder((folder) => {
      for (const [name, data] of records) {
        mkdirSync(dirname(join(folder, "root", name)), { recursive: true });
        writeFileSync(join(folder, "root", name), data);
      }
      execFileSync("zip", ["-qr", "out.zip", "root"], { cwd: folder });
      expectSameRecords(new Uint8Array(readFileSync(join(folder, "out.zip"))));
    });
  });

  test.skipIf(!hasProgram("python3", "-c", "import zipfile"))(
    "opens an archive that Python's zipfile packed with forced zip64 fields",
    () => {
      inTemporaryFolder((folder) => {
        const script = [
          "import zipfile",
          "i = zipfile.ZipFile('in.zip'); o = zipfile.ZipFile('out.zip', 'w', zipfile.ZIP_DEFLATED)",
          "for n in i.namelist():",
          "  with o.open(n, 'w', force_zip64=True) as f: f.write(i.read(n))",
          "o.close()",
        ];
        writeFileSync(join(folder, "in.zip"), torchArchive());
        execFileSync("python3", ["-c", script.join("\n")], { cwd: folder });
        expectSameRecords(new Uint8Array(readFileSync(join(folder, "out.zip"))));
      });
    },
  );
});

describe("ZipReader", () => {
  test("opening reads the end of the file and the directory, not the records", () => {
    const bytes = makeArchive({ "data.pkl": new Uint8Array(1_000_000), "data/0": new Uint8Array(3_000_000) });
    let read = 0;
    const source = {
      size: bytes.length,
      read(at: number, n: number): Uint8Array {
        read += n;
        return bytes.subarray(at, at + n);
      },
    };
    const reader = ArchiveReader.open(source);
    expect(read).toBeLessThan(67_000);
    read = 0;
    reader.stat("data/0");
    reader.readSlice("data/0", 1000, 8);
    expect(read).toBeLessThan(200);
  });

  test("data after the archive is allowed, data before it is not", () => {
    const bytes = torchArchive();
    expect(recordsOf(concatBytes([bytes, encodeUtf8("junk".repeat(1000))])).size).toBe(17);
    const error = errorOf(() => open(concatBytes([encodeUtf8("junk"), bytes])));
    expect(error).toBeInstanceOf(ArchiveError);
    expect(error.message).toMatch(/other data may precede the archive/);
    const small = rawZip([{ name: "m/a", data: "x" }], crc32, encodeUtf8("junk"));
    expect(errorOf(() => open(small)).message).toMatch(/4 bytes of other data may precede the archive/);
  });

  test("record data starts where the local header says", () => {
    const bytes = rawZip(
      [{ name: "m/a", data: "hello", localExtra: le([2, 0x4246], [2, 3], "ZZZ"), localName: "m/another" }],
      crc32,
    );
    const reader = open(bytes);
    expect(reader.stat("a").dataOffset).toBe(30 + 9 + 7);
    expect(reader.readText("a")).toBe("hello");
  });

  test("a wrong CRC is an error with both numbers, and can be turned off", () => {
    const bytes = rawZip([{ name: "m/a", data: "hello", crc32: 0x12345678 }], crc32);
    const error = errorOf(() => open(bytes).read("a"));
    expect(error.message).toBe(
      'Cannot read record "m/a" of archive "x.pt": crc-32 check failed: the data has 0x3610a686, the directory states 0x12345678 (byte 33)',
    );
    expect([error.file, error.record, error.byteOffset]).toEqual(["x.pt", "m/a", 33]);
    expect(ArchiveReader.open(bytes, { verifyCrc: false }).readText("a")).toBe("hello");
    expect(errorOf(() => open(bytes).readInto("a", new Uint8Array(5))).message).toMatch(/crc-32 check failed/);
  });

  test.each([
    [
      "an unknown method",
      { method: 12 },
      /compression method is 12, expected 0 \(stored\) or 8 \(deflated\) \(byte 0\)/,
    ],
    ["encryption", { flags: 1 }, /encrypted \(flags 0x0001\), expected no encryption/],
    [
      "sizes of a stored entry that differ",
      { size: 9 },
      /overlap|stored, but the directory states 5 compressed and 9|directory starts at byte/,
    ],
    [
      "a size that deflate cannot reach",
      { method: 8, size: 6000 },
      /directory states 6000 bytes from 5 compressed bytes, at most 1100 times/,
    ],
    ["a deflate stream that is none", { method: 8, size: 50 }, /deflate stream: /],
  ])("%s is an ArchiveError", (_, fields, pattern) => {
    const error = errorOf(() => open(rawZip([{ name: "m/a", data: "hello", ...fields }], crc32)).read("a"));
    expect(error).toBeInstanceOf(ArchiveError);
    expect(error.message).toMatch(pattern);
  });

  test("a deflate stream that holds more than stated stops early", async () => {
    const zip = new JSZip();
    zip.file("m/a", new Uint8Array(50_000_000), { createFolders: false });
    const bytes = await zip.generateAsync({ type: "uint8array", compression: "DEFLATE" });
    const at = bytes.findIndex(
      (_, i) => bytes[i] === 0x50 && bytes[i + 1] === 0x4b && bytes[i + 2] === 1 && bytes[i + 3] === 2,
    );
    bytes.set(le([4, 1000]), at + 24); // uncompressed size in the directory
    const error = errorOf(() => open(bytes).read("a"));
    expect(error).toBeInstanceOf(ArchiveError);
    expect(error.message).toMatch(/inflated to more than 1000 bytes, the directory states 1000/);
  });

  test("large deflated records are inflated straight into their target", async () => {
    const data = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * i) >> 7);
    const zip = new JSZip();
    zip.file("m/a", data);
    const reader = open(await zip.generateAsync({ type: "uint8array", compression: "DEFLATE" }));
    const target = new Uint8Array(data.length);
    reader.readInto("a", target);
    expect(Buffer.compare(target, data)).toBe(0);
    expect(Buffer.compare(reader.read("a"), data)).toBe(0);
    reader.zip.verify(reader.entry("a"));
  });

  test("entries that overlap are refused when the archive is opened", () => {
    const bytes = rawZip(
      [
        { name: "m/a", data: "hello" },
        { name: "m/b", data: "hello", headerOffset: 10 },
      ],
      crc32,
    );
    expect(errorOf(() => open(bytes)).message).toMatch(
      /entries "m\/a" and "m\/b" overlap: the first ends at byte 35 or later, the second starts at byte 10/,
    );
  });

  test("a record that reaches into the directory is refused", () => {
    const bytes = rawZip([{ name: "m/a", data: "hello", size: 6, compressedSize: 6 }], crc32);
    expect(errorOf(() => open(bytes).read("a")).message).toMatch(/directory starts at byte 38/);
  });

  test("two end records that disagree are refused", () => {
    const bytes = torchArchive();
    const changed = bytes.slice();
    changed[bytes.length - 22 + 10]! -= 1; // entries in the classic record
    changed[bytes.length - 22 + 8]! -= 1;
    expect(errorOf(() => open(changed)).message).toMatch(/end record states 16 entries, the zip64 end record 17/);
  });

  test("limits are checked before anything is allocated", () => {
    expect(() => ArchiveReader.open(torchArchive(), { limits: { maxRecords: 16 } })).toThrow(LimitError);
    const bytes = zipSync({ "m/a": new Uint8Array(5000) });
    expect(() => ArchiveReader.open(bytes, { limits: { maxRecordBytes: 4999 } }).read("a")).toThrow(LimitError);
  });

  test("a file without end record is an ArchiveError with both numbers", () => {
    const error = errorOf(() => open(new Uint8Array(1024).fill(7)));
    expect(error.message).toBe(
      'Cannot read archive "x.pt": failed finding central directory: no end record in the last 1024 bytes (file has 1024 bytes)',
    );
    expect(new ZipReader(new MemorySource(le("PK\x05\x06", new Uint8Array(18)))).entries).toEqual([]);
  });
});
