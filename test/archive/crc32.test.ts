/** @file CRC-32: known values, running state, every alignment. Upstream: none. Spec: none. */
import { afterEach, describe, expect, test } from "vitest";
import { crc32, crc32Portable, installCrc32 } from "../../src/archive/crc32.ts";
import { makeFoldingCrc } from "../../src/archive/crc32_folding.ts";
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

describe("makeFoldingCrc", () => {
  const folding = makeFoldingCrc(crc32Portable)!;
  const long = Uint8Array.from({ length: 400_000 }, () => random(256));

  test("agrees with the definition at lengths around those of its window and its memory", () => {
    expect(folding(long)).toBe(slowCrc(long));
    const room = 65536 * 2 - 4800 - 16;
    for (const middle of [4816, 4800 + 16 * 145, 2 * 4800, room - 4800, room, room + 4800, 2 * room, 2 * room + 4800]) {
      for (const more of [-17, -16, -1, 0, 1, 15, 16, 17, 31]) {
        const start = random(64);
        const part = long.subarray(start, start + Math.max(middle + more, 4801));
        expect(folding(part), `length ${part.length}`).toBe(crc32Portable(part));
      }
    }
  });

  test("continues from any seed, and nothing is left of the call before", () => {
    for (let i = 0; i < 50; i++) {
      const cut = 4801 + random(390_000);
      const seed = crc32Portable(long.subarray(0, cut));
      expect(folding(long.subarray(0, cut))).toBe(seed);
      if (long.length - cut > 4800) expect(folding(long.subarray(cut), seed)).toBe(crc32Portable(long));
    }
  });

  test("crc32() folds long data when it has seen some, with the same results", () => {
    const whole = new Uint8Array(5 << 20);
    for (let at = 0; at < whole.length; at += 399_999)
      whole.set(long.subarray(0, Math.min(399_999, whole.length - at)), at);
    const expected = crc32Portable(whole);
    let pieces = 0;
    for (let at = 0; at < whole.length; at += 1 << 17) pieces = crc32(whole.subarray(at, at + (1 << 17)), pieces);
    expect(pieces).toBe(expected);
    expect(crc32(whole)).toBe(expected);
    const changed = whole.slice();
    changed[3_000_001]! ^= 4;
    expect(crc32(changed)).not.toBe(expected);
  });
});
