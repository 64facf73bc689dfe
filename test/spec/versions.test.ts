/** @file Executes the rules of spec/versions.md. Upstream: none. Spec: spec/versions.md. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  ARCHIVE_VERSIONS,
  ArchiveReader,
  PRODUCED_ARCHIVE_VERSION,
  crc32,
  describeVersion,
} from "../../src/archive/index.ts";
import { makeArchive, rawZip } from "../support/archive.ts";

const version = (text: string): number =>
  ArchiveReader.open(rawZip([{ name: "m/version", data: text }], crc32)).version();

test("VER-1: versions 1 to 10 are read", () => {
  for (let v = 1; v <= 10; v++) expect(version(`${v}\n`)).toBe(v);
  expect(() => version("11")).toThrow("archive version 11 is newer than the supported 10");
  expect(() => version("0")).toThrow("archive version 0 is older than the supported 1");
});

test("VER-2: a writer writes 3 unless told otherwise", () => {
  expect(PRODUCED_ARCHIVE_VERSION).toBe(3);
  expect(ArchiveReader.open(makeArchive({ a: "" })).version()).toBe(3);
});

test("VER-3: the table is the code's", () => {
  const text = readFileSync(new URL("../../spec/versions.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\| (\d+) \| ([\d.]+) \| (.+) \|$/gm)].map((match) => ({
    version: Number(match[1]),
    since: match[2],
    meaning: match[3],
  }));
  expect(rows).toEqual(ARCHIVE_VERSIONS);
  expect(describeVersion(7)?.since).toBe("1.10");
  expect(describeVersion(11)).toBeUndefined();
});
