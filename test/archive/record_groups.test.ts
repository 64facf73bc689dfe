/** @file RecordGroups: many records in one call are what they are one by one, and a defect stays with its record. */
import { afterEach, expect, test } from "vitest";
import { deflateRawSync } from "node:zlib";
import { ArchiveReader, crc32, type ByteSource } from "../../src/archive/index.ts";
import { installInflateMembers } from "../../src/archive/zip_vendor.ts";
import { ArchiveError } from "../../src/base/errors.ts";
import { installNodePlatform } from "../../src/node/platform.ts";
import { rawZip, seededRandom } from "../support/archive.ts";

afterEach(() => installNodePlatform());

const random = seededRandom(8);
const texts = Array.from({ length: 300 }, (_, i) => `record ${i} `.repeat(1 + random(i % 50 === 0 ? 4000 : 60)));
const entry = (i: number): Parameters<typeof rawZip>[0][number] => {
  const data = Buffer.from(texts[i]!);
  const isStored = i % 7 === 3;
  const packed = isStored ? data : deflateRawSync(data);
  return {
    name: `m/code/${i}.py`,
    data: new Uint8Array(packed),
    crc32: crc32(data),
    size: data.length,
    method: isStored ? 0 : 8,
  };
};
const archive = (...changes: [number, object][]): Uint8Array =>
  rawZip(
    texts.map((_, i) => ({ ...entry(i), ...changes.find(([at]) => at === i)?.[1] })),
    crc32,
  );

/** A source that can be closed. */
function closable(bytes: Uint8Array): ByteSource & { isClosed: boolean } {
  return {
    isClosed: false,
    size: bytes.length,
    read(at, nbytes) {
      if (this.isClosed) throw new Error("closed");
      return bytes.subarray(at, at + nbytes);
    },
    close() {
      this.isClosed = true;
    },
  };
}

test.each([true, false])("groups give every record, in any order and again (platform: %s)", (hasPlatform) => {
  if (!hasPlatform) installInflateMembers(undefined);
  for (const detaches of [false, true]) {
    const source = closable(archive());
    const groups = ArchiveReader.open(source).grouped("code/", ".py", detaches);
    if (detaches) source.close!();
    for (const order of [0, 299, 5, 4, 6, 128, 129, 5, ...texts.keys()]) {
      expect(Buffer.from(groups.read(`code/${order}.py`)).toString()).toBe(texts[order]);
    }
    expect([groups.has("code/1.py"), groups.has("code/x.py")]).toEqual([true, false]);
  }
});

test("a defect shows where its record is asked for, and nowhere else", () => {
  const bytes = archive(
    [10, { crc32: 1 }],
    [20, { size: 5 }],
    [30, { data: Uint8Array.of(7, 7, 7) }],
    [40, { method: 99 }],
    [50, { flags: 1 }],
  );
  const defects = new Map([
    [10, /crc-32 check failed/],
    [20, /deflate stream/],
    [30, /deflate stream/],
    [40, /compression method is 99/],
    [50, /encrypted/],
  ]);
  const groups = ArchiveReader.open(bytes).grouped("code/", ".py", false);
  for (const i of texts.keys()) {
    const defect = defects.get(i);
    const read = (): string => Buffer.from(groups.read(`code/${i}.py`)).toString();
    if (!defect) expect(read()).toBe(texts[i]);
    else
      for (const _ of [1, 2])
        expect(read).toThrow(expect.objectContaining({ message: expect.stringMatching(defect) as string }));
    if (defect) expect(read).toThrow(ArchiveError);
  }
  const unchecked = ArchiveReader.open(bytes, { verifyCrc: false }).grouped("code/", ".py", false);
  expect(Buffer.from(unchecked.read("code/10.py")).toString()).toBe(texts[10]);
});
