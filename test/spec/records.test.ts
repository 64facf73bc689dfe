/** @file Executes the rules of spec/records.md. Upstream: none. Spec: spec/records.md. */
import { expect, test } from "vitest";
import { ArchiveReader, ArchiveWriter, MemorySink, crc32, rootNameOf } from "../../src/archive/index.ts";
import { makeArchive, rawZip, torchArchive } from "../support/archive.ts";

const open = (bytes: Uint8Array): ArchiveReader => ArchiveReader.open(bytes);
const minimal = { "data.pkl": "d", "constants.pkl": "c" };

test("REC-1: the first entry names the root folder", () => {
  const reader = open(
    rawZip(
      [
        { name: "r/data/0", data: "x" },
        { name: "other/data/1", data: "" },
      ],
      crc32,
    ),
  );
  expect([reader.rootName, reader.recordNames()]).toEqual(["r", ["data/0"]]);
  expect(() => open(rawZip([{ name: "data.pkl", data: "" }], crc32))).toThrow(
    /file in archive is not in a subdirectory: data.pkl/,
  );
});

test("REC-2: the root folder of a written file", () => {
  expect(["/x/model.pt", "a.b.pt", "net"].map(rootNameOf)).toEqual(["model", "a.b", "net"]);
  expect(() => rootNameOf("x/.pt")).toThrow(RangeError);
  const sink = new MemorySink();
  new ArchiveWriter(sink).finish();
  sink.close();
  expect(open(sink.bytes()).rootName).toBe("archive");
});

test("REC-3: names are case-sensitive", () => {
  expect(() => open(makeArchive({ "Data.pkl": "" })).read("data.pkl")).toThrow(
    /failed locating file data.pkl: file not found; there is "Data.pkl"/,
  );
});

test("REC-4: the first of two entries is the record", () => {
  const reader = open(
    rawZip(
      [
        { name: "m/a", data: "1" },
        { name: "m/a", data: "2" },
      ],
      crc32,
    ),
  );
  expect([reader.readText("a"), reader.duplicates]).toEqual(["1", ["a"]]);
});

test("REC-5: data.pkl, constants.pkl and a version must exist", () => {
  const entries = ["m/data.pkl", "m/constants.pkl", "m/version"].map((name) => ({ name, data: "3" }));
  expect(open(rawZip(entries, crc32)).checkTorchScript()).toBe(3);
  for (const missing of entries) {
    const rest = entries.filter((entry) => entry !== missing);
    expect(() => open(rawZip(rest, crc32)).checkTorchScript()).toThrow(
      `failed locating file ${missing.name.slice(2)}: file not found`,
    );
  }
});

test("REC-6: the order of PyTorch's records", () => {
  const names = open(torchArchive()).recordNames();
  expect(names.slice(0, 3)).toEqual(["data/0", "data/1", "data.pkl"]);
  expect(names.slice(-3)).toEqual(["version", "byteorder", ".data/serialization_id"]);
  const sources = names.filter((name) => name.endsWith(".py"));
  for (const name of sources) expect(names[names.indexOf(name) + 1]).toBe(`${name}.debug_pkl`);
  expect(open(makeArchive(minimal)).recordNames().slice(-3)).toEqual([
    "version",
    "byteorder",
    ".data/serialization_id",
  ]);
});

test("REC-7: the version record is digits", () => {
  const version = (text: string): number => open(rawZip([{ name: "m/version", data: text }], crc32)).version();
  expect(["3", "3\n", " 10\r\n"].map(version)).toEqual([3, 3, 10]);
  expect(() => version("3abc")).toThrow('record "version" is "3abc", expected a decimal number');
  expect(open(torchArchive()).readText("version")).toBe("3\n");
});

test("REC-8: version records from 6 on lie in .data", () => {
  expect(open(makeArchive(minimal, { version: 5 })).has("version")).toBe(true);
  const reader = open(makeArchive({ ...minimal, version: "3\n" }, { version: 6 }));
  expect([reader.has(".data/version"), reader.version()]).toEqual([true, 6]);
});

test("REC-9: byteorder", () => {
  expect(open(makeArchive(minimal)).byteorder()).toBe("little");
  expect(open(torchArchive()).byteorder()).toBe("little");
  expect(open(rawZip([{ name: "m/version", data: "3" }], crc32)).byteorder()).toBeUndefined();
});

test("REC-10: the serialization id is 40 digits and depends on the records", () => {
  const id = (text: string): string => open(makeArchive({ a: text })).serializationId()!;
  expect(id("x")).toMatch(/^\d{40}$/);
  expect(open(torchArchive()).serializationId()).toMatch(/^\d{40}$/);
  expect(id("x")).toBe(id("x"));
  expect(id("x")).not.toBe(id("y"));
});

test("REC-11: other users of the container are named", () => {
  expect(() => open(makeArchive({ "data.pkl": "" })).checkTorchScript()).toThrow(/torch.save/);
  expect(() => open(makeArchive({ ".data/extern_modules": "" })).checkTorchScript()).toThrow(/torch.package/);
  expect(() => open(makeArchive({ "model.json": "" })).checkTorchScript()).toThrow(/model.json/);
});
