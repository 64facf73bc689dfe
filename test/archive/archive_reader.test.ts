/** @file Records: lookup, versions, other formats, verification. Upstream: none. Spec: none. */
import { describe, expect, test } from "vitest";
import {
  ArchiveReader,
  MemorySource,
  crc32,
  parseVersion,
  rootNameOf,
  verifyContainer,
} from "../../src/archive/index.ts";
import { SerializationId, isRecordCompressed } from "../../src/archive/records.ts";
import { encodeUtf8 } from "../../src/base/bytes.ts";
import { le, makeArchive, rawZip, torchArchive } from "../support/archive.ts";

const open = (bytes: Uint8Array): ArchiveReader => ArchiveReader.open(new MemorySource(bytes, "x.pt"));
const minimal = { "data.pkl": "d", "constants.pkl": "c" };

describe("ArchiveReader", () => {
  test("reads an archive of PyTorch", () => {
    const reader = open(torchArchive());
    expect(reader.rootName).toBe("model");
    expect(reader.checkTorchScript()).toBe(3);
    expect(reader.byteorder()).toBe("little");
    expect(reader.serializationId()).toMatch(/^\d{40}$/);
    expect(reader.recordNames("data/")).toEqual(["data/0", "data/1"]);
    expect(reader.stat("data/0")).toEqual({
      name: "data/0",
      size: 16,
      compressedSize: 16,
      method: 0,
      crc32: 0xa3c87831,
      headerOffset: 0,
      dataOffset: 64,
      aligned: true,
    });
    expect([...verifyContainer(reader)]).toEqual([]);
  });

  test("a missing record is named as PyTorch does, with a hint when only the case differs", () => {
    const reader = open(makeArchive({ "Data.pkl": "x" }));
    expect(() => reader.read("constants.pkl")).toThrow(
      'Cannot read archive "x.pt": PytorchStreamReader failed locating file constants.pkl: file not found',
    );
    expect(() => reader.read("data.pkl")).toThrow(/file not found; there is "Data.pkl"/);
  });

  test.each([
    ["3", 3],
    ["10\n", 10],
    [" 7 \n", 7],
  ])("version text %j is %s", (text, version) => {
    expect(open(rawZip([{ name: "m/version", data: text }], crc32)).version()).toBe(version);
  });

  test.each([
    ["3abc", 'record "version" is "3abc", expected a decimal number'],
    ["", 'record "version" is "", expected a decimal number'],
    ["-3", 'record "version" is "-3", expected a decimal number'],
    ["0x3", 'record "version" is "0x3", expected a decimal number'],
    ["12", "archive version 12 is newer than the supported 10"],
    ["0", "archive version 0 is older than the supported 1"],
  ])("version text %j is refused", (text, message) => {
    expect(() => open(rawZip([{ name: "m/version", data: text }], crc32)).version()).toThrow(message);
    expect(parseVersion("9".repeat(16))).toBeUndefined();
  });

  test.each([
    [3, "version"],
    [5, "version"],
    [6, ".data/version"],
    [10, ".data/version"],
  ])("version %s is written to %s", (version, record) => {
    const reader = open(makeArchive(minimal, { version }));
    expect(reader.recordNames()).toEqual(["data.pkl", "constants.pkl", record, "byteorder", ".data/serialization_id"]);
    expect(reader.readText(record)).toBe(`${version}\n`);
    expect(reader.checkTorchScript()).toBe(version);
  });

  test("files of torch.save, torch.package and old PyTorch are named", () => {
    expect(() => open(makeArchive({ "data.pkl": "x" })).checkTorchScript()).toThrow(
      /locating file constants.pkl: file not found; a file of torch.save has no such record/,
    );
    expect(() => open(makeArchive({ "constants.pkl": "x" })).checkTorchScript()).toThrow(
      /locating file data.pkl: file not found$/,
    );
    expect(() => open(makeArchive({ ".data/extern_modules": "x" })).checkTorchScript()).toThrow(
      /torch.package archive/,
    );
    expect(() => open(makeArchive({ "model.json": "{}" })).checkTorchScript()).toThrow(/model.json format/);
  });

  test("files that are no zip archives are named by their first bytes", () => {
    expect(() => open(encodeUtf8("PYTORCH1........"))).toThrow(
      "File is an unsupported archive format from the preview release.",
    );
    expect(() => open(le([4, 24], "PTMF", "........"))).toThrow(/flatbuffer module/);
    expect(() => open(le([1, 0x80], [1, 2], [1, 0x8a], "........."))).toThrow(/starts with a pickle/);
    expect(() => open(new Uint8Array(0))).toThrow(
      'Cannot read archive "x.pt": file has 0 bytes, expected a zip archive',
    );
  });

  test("an archive without folder, or without files, is refused as in PyTorch", () => {
    expect(() => open(rawZip([{ name: "data.pkl", data: "" }], crc32))).toThrow(
      /file in archive is not in a subdirectory: data.pkl/,
    );
    expect(() => open(rawZip([], crc32))).toThrow(/archive does not contain any files/);
  });

  test("of two entries with one name the first is the record", () => {
    const reader = open(
      rawZip(
        [
          { name: "m/a", data: "first" },
          { name: "m/a", data: "second" },
          { name: "n/a", data: "" },
          { name: "m/A", data: "" },
        ],
        crc32,
      ),
    );
    expect(reader.readText("a")).toBe("first");
    expect(reader.duplicates).toEqual(["a"]);
    expect(reader.recordNames()).toEqual(["a", "A"]);
    expect([...verifyContainer(reader)].map((finding) => finding.message)).toEqual([
      'record "a" occurs more than once: PyTorch reads the first, other readers the last',
      'entry "n/a" lies outside the folder "m"',
      'records "a" and "A" differ only in case: PyTorch takes either for both',
    ]);
  });

  test("verifyContainer() reports a wrong CRC and a local header with another name, and goes on", () => {
    const reader = open(
      rawZip(
        [
          { name: "m/a", data: "x", crc32: 1 },
          { name: "m/b", data: "y", localName: "m/c" },
          { name: "m/d", data: "z", crc32: 2 },
        ],
        crc32,
      ),
    );
    expect([...verifyContainer(reader)].map((finding) => [finding.severity, finding.record])).toEqual([
      ["error", "m/a"],
      ["warning", "m/b"],
      ["error", "m/d"],
    ]);
  });

  test("extra files are listed, and read as bytes", () => {
    const reader = open(makeArchive({ "extra/a/b.txt": "hi", "data.pkl": "x" }));
    expect(reader.extraFileNames()).toEqual(["a/b.txt"]);
    expect(reader.readExtraFile("a/b.txt")).toEqual(encodeUtf8("hi"));
  });
});

describe("record names", () => {
  test.each([
    ["/a/b/model.pt", "model"],
    ["C:\\x\\net.v2.pt", "net.v2"],
    ["plain", "plain"],
    ["a/.hidden.pt", ".hidden"],
  ])("rootNameOf(%j) is %j", (path, root) => {
    expect(rootNameOf(path)).toBe(root);
  });

  test("rootNameOf() refuses a name without a part before its extension", () => {
    expect(() => rootNameOf("a/.pt")).toThrow(RangeError);
    expect(() => rootNameOf("a/")).toThrow(RangeError);
  });

  test("isRecordCompressed() takes sources and debug records above 200 bytes", () => {
    expect(isRecordCompressed("code/a.py", 200)).toBe(false);
    expect(isRecordCompressed("code/a.py", 201)).toBe(true);
    expect(isRecordCompressed("code/a.py.debug_pkl", 201)).toBe(true);
    expect(isRecordCompressed("data.pkl", 5000)).toBe(false);
    expect(isRecordCompressed("data/0", 5000)).toBe(false);
  });

  test("SerializationId depends on names and CRCs, and is FNV-1a with 64 bits", () => {
    const id = (records: [string, number][]): string => {
      const it = new SerializationId();
      for (const [name, crc] of records) it.add(name, crc);
      return it.digits();
    };
    const [a, b] = [id([["a", 1]]), id([["b", 1]])];
    expect(a).toMatch(/^\d{40}$/);
    expect(a.slice(0, 20)).not.toBe(b.slice(0, 20));
    expect(a.slice(20)).toBe(b.slice(20));
    let hash = 0xcbf29ce484222325n;
    for (const byte of [97, 0, 0]) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
    expect(a.slice(0, 20)).toBe(hash.toString().padStart(20, "0"));
  });
});
