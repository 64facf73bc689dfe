/** @file Sorting by digits is the stable order that comparing gives, whatever the keys. */
import { describe, expect, test } from "vitest";
import { compareKeys, sortedOrder, type Keys } from "../../src/tensor/kernels/ordering.ts";

function compared(keys: Keys, at: number, stride: number, n: number, descending: boolean): number[] {
  const sign = descending ? -1 : 1;
  return Array.from({ length: n }, (_, i) => i).sort(
    (a, b) => sign * compareKeys(keys[at + a * stride]!, keys[at + b * stride]!),
  );
}

let state = 1;
const random = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
const SPECIAL = [0, -0, Infinity, -Infinity, NaN, 1e-45, -1e-45, 3.4028234663852886e38, -3.4028234663852886e38, 1, -1];
const KINDS: Readonly<Record<string, () => number>> = {
  "float32 numbers": () => Math.fround(10 ** (random() * 20 - 10) * (random() - 0.5)),
  "special values": () => SPECIAL[Math.floor(random() * SPECIAL.length)]!,
  "few integers": () => Math.floor(random() * 7) - 3,
  "large integers": () => Math.floor(random() * 2 ** 53),
  "integers of a range of 32 bits": () => Math.floor(random() * 2 ** 32) - 1e12,
  doubles: () => random() - 0.5,
  "doubles of any size": () => SPECIAL[Math.floor(random() * 30)] ?? (random() - 0.5) * 10 ** (random() * 600 - 300),
  "one value": () => 42,
};

describe.each(Object.keys(KINDS))("%s", (kind) => {
  test.each([
    [1, 0, 1],
    [63, 0, 1],
    [64, 3, 1],
    [500, 0, 1],
    [257, 2, 5],
    [3000, 0, 1],
    [5000, 1, 2],
  ])("%i from %i on, %i apart", (n, at, stride) => {
    const keys = Float64Array.from({ length: at + n * stride }, KINDS[kind]!);
    for (const descending of [false, true])
      expect([...Array.from(sortedOrder(keys, at, stride, n, descending))]).toEqual(
        compared(keys, at, stride, n, descending),
      );
  });
});

test("NaN of either sign is greater than everything", () => {
  const bits = new Uint32Array([0xffc00000, 0x7fc00000]);
  const [negative, positive] = new Float32Array(bits.buffer) as unknown as [number, number];
  const keys = Float64Array.from({ length: 100 }, (_, i) => (i === 3 ? negative : i === 7 ? positive : -i));
  expect(Array.from(sortedOrder(keys, 0, 1, 100, false)).slice(-2)).toEqual([3, 7]);
  expect(Array.from(sortedOrder(keys, 0, 1, 100, true)).slice(0, 2)).toEqual([3, 7]);
});

test.each([64, 500, 5000])("%i integers of 64 bits", (n) => {
  const keys = BigInt64Array.from({ length: 2 * n }, (_, i) =>
    BigInt.asIntN(i % 3 === 0 ? 64 : 40, BigInt(Math.floor(random() * 2 ** 52)) * 12345678901n),
  );
  for (const descending of [false, true])
    expect(Array.from(sortedOrder(keys, 1, 2, n - 1, descending))).toEqual(compared(keys, 1, 2, n - 1, descending));
});
