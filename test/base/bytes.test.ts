/** @file Bytes and text: bounds, lossless decoding. Upstream: none. Spec: none. */
import { describe, expect, test } from "vitest";
import { ByteReader, ByteWriter, concatBytes, decodeUtf8, encodeUtf8 } from "../../src/base/bytes.ts";
import { seededRandom } from "../support/archive.ts";

const fail = (message: string, byteOffset: number): never => {
  throw new Error(`${message} at ${byteOffset}`);
};

describe("bytes", () => {
  test("encodeUtf8(decodeUtf8(b)) gives any bytes back", () => {
    const random = seededRandom(7);
    for (let i = 0; i < 2000; i++) {
      const bytes = Uint8Array.from({ length: random(90) }, () => (random(3) === 0 ? random(256) : 0xe0 + random(32)));
      expect(encodeUtf8(decodeUtf8(bytes))).toEqual(bytes);
    }
  });

  test("decodeUtf8() keeps well-formed text, a byte order mark and non-characters", () => {
    for (const text of ["", "abc", "ünï", "\ufeffx", "😀".repeat(30), "\u0000"])
      expect(decodeUtf8(encodeUtf8(text))).toBe(text);
  });

  test("decodeUtf8() gives a lone surrogate for a byte that is not UTF-8", () => {
    expect(decodeUtf8(Uint8Array.of(0x61, 0xff, 0x62))).toBe("a\udcffb");
  });

  test("encodeUtf8() writes a lone surrogate that no byte made as three bytes", () => {
    expect([...encodeUtf8("\ud800")]).toEqual([0xed, 0xa0, 0x80]);
  });

  test("ByteReader reads back what ByteWriter wrote", () => {
    const writer = new ByteWriter(1);
    writer.u1(200);
    writer.u2(60000);
    writer.u4(4e9);
    writer.i4(-5);
    writer.u8(2 ** 40 + 3);
    writer.i8(-(2n ** 60n));
    writer.f8BigEndian(0.1);
    writer.ascii("line\n");
    const reader = new ByteReader(writer.finish(), fail);
    expect([reader.u1(), reader.u2(), reader.u4(), reader.i4(), reader.u8()]).toEqual([
      200,
      60000,
      4e9,
      -5,
      2 ** 40 + 3,
    ]);
    expect(reader.i8()).toBe(-(2n ** 60n));
    expect(reader.f8BigEndian()).toBe(0.1);
    expect(reader.line()).toBe("line");
    expect(reader.remaining).toBe(0);
  });

  test("ByteReader reports a read past the end with both numbers", () => {
    const reader = new ByteReader(Uint8Array.of(1, 2, 3), fail);
    expect(() => reader.u4()).toThrow("3 bytes are left, 4 bytes are needed at 0");
    expect(() => new ByteReader(new Uint8Array(0), fail).u1()).toThrow("0 bytes are left");
    expect(() => new ByteReader(Uint8Array.of(65), fail).line()).toThrow("line feed not found");
    expect(() => new ByteReader(new Uint8Array(8).fill(255), fail).u8()).toThrow("64-bit count");
  });

  test("concatBytes() joins", () => {
    expect(concatBytes([Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)])).toEqual(Uint8Array.of(1, 2, 3));
    expect(concatBytes([])).toEqual(new Uint8Array(0));
  });
});
