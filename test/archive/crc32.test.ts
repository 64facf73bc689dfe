/** @file CRC-32: known values, running state, every alignment. Upstream: none. Spec: none. */
import { afterEach, describe, expect, test } from "vitest";
import { crc32, crc32Portable, installCrc32 } from "../../src/archive/crc32.ts";
import { encodeUtf8 } from "../../src/base/bytes.ts";
import { installNodePlatform } from "../../src/node/platform.ts";
import { seededRandom } from "../support/archive.ts";

const random = seededRandom(1);
const data = Uint8Array.from({ length: 5000 }, () => random(256));

/** The definition, bit by bit. */
function slowCrc(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

describe("crc32", () => {
  afterEach(() => installCrc32(undefined));

  test("crc32() gives the check value of the standard", () => {
    expect(crc32(encodeUtf8("123456789"))).toBe(0xcbf43926);
    expect(crc32(new Uint8Array(0))).toBe(0);
  });

  test("crc32() agrees with the definition at every alignment and short length", () => {
    for (let start = 0; start < 5; start++) {
      for (let length = 0; length < 70; length++) {
        const part = data.subarray(start, start + length);
        expect(crc32Portable(part)).toBe(slowCrc(part));
      }
    }
  });

  test("crc32() continues from a seed", () => {
    expect(crc32Portable(data.subarray(1234), crc32Portable(data.subarray(0, 1234)))).toBe(slowCrc(data));
  });

  test("installNodePlatform() keeps results", () => {
    const before = crc32(data);
    installNodePlatform();
    expect(crc32(data)).toBe(before);
    expect(crc32(data.subarray(100), crc32(data.subarray(0, 100)))).toBe(before);
  });
});
