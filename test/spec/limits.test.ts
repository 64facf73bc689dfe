/** @file Executes the rules of spec/limits.md. Upstream: none. Spec: spec/limits.md. */
import { readFileSync } from "node:fs";
import { zipSync } from "fflate";
import { expect, test } from "vitest";
import { ArchiveReader, unpickle } from "../../src/archive/index.ts";
import { LimitError } from "../../src/base/errors.ts";
import { LIMITS } from "../../src/base/limits.ts";
import { type LeField, le, torchArchive } from "../support/archive.ts";

const pickle = (...parts: LeField[]): Uint8Array => le([1, 0x80], [1, 2], ...parts, ".");

test("LIM-1: the defaults are those of the table", () => {
  const text = readFileSync(new URL("../../spec/limits.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\| (max\w+) \| ([\d,]+) \|/gm)].map((match) => [
    match[1],
    Number(match[2]!.replaceAll(",", "")),
  ]);
  expect(Object.fromEntries(rows)).toEqual(LIMITS);
});

test("LIM-2: entries of a directory", () => {
  const call = (): unknown => ArchiveReader.open(torchArchive(), { limits: { maxRecords: 16 } });
  expect(call).toThrow(LimitError);
  expect(call).toThrow("Cannot read directory of archive: 17 exceeds the limit maxRecords = 16");
});

test("LIM-3: bytes of a deflated record", () => {
  const reader = ArchiveReader.open(zipSync({ "m/a": new Uint8Array(1000) }), {
    limits: { maxRecordBytes: 999 },
  });
  expect(() => reader.read("a")).toThrow('Cannot read record "m/a": 1000 exceeds the limit maxRecordBytes = 999');
});

test("LIM-4: inflated bytes of a compressed byte", () => {
  const reader = ArchiveReader.open(zipSync({ "m/a": new Uint8Array(100_000) }), {
    limits: { maxInflateRatio: 10 },
  });
  expect(() => reader.read("a")).toThrow(/at most 10 times as many are possible/);
});

test("LIM-5: nesting of pickled values", () => {
  expect(() => unpickle(pickle("N", new Uint8Array(500_000).fill(0x85)))).toThrow(LimitError);
  expect(() => unpickle(pickle("N", new Uint8Array(11).fill(0x85)), { limits: { maxPickleDepth: 10 } })).toThrow(
    "exceeds the limit maxPickleDepth = 10",
  );
});

test("LIM-6: items of a pickle", () => {
  expect(() => unpickle(pickle("(", "N".repeat(11), "t"), { limits: { maxPickleItems: 10 } })).toThrow(
    "exceeds the limit maxPickleItems = 10",
  );
  expect(unpickle(pickle("Nr", [4, 0xffffffff]))).toBe(null);
});
