/** @file 64-bit ints in two numbers: against bigints over random and extreme values. */
import { describe, expect, test } from "vitest";
import {
  W,
  addWide,
  join,
  mulWide,
  remainderWide,
  split,
  subWide,
  toDouble,
} from "../../../src/interpreter/codegen/wide_int.ts";
import { normalizeInt, type Int } from "../../../src/tensor/scalar.ts";

const EDGES = [0n, 1n, 2n, 3n, 2n ** 31n, 2n ** 32n, 2n ** 52n, 2n ** 53n, 2n ** 62n, 2n ** 63n - 2n];

/** Edges, their neighbours and negatives, and pseudo-random ints of every length. */
function samples(): bigint[] {
  const out: bigint[] = [];
  for (const edge of EDGES) for (const d of [-1n, 0n, 1n]) out.push(edge + d, -edge + d);
  let seed = 88172645463325252n;
  for (let k = 0; k < 60; k++) {
    seed = BigInt.asUintN(64, seed ^ (seed << 13n));
    seed ^= seed >> 7n;
    seed = BigInt.asUintN(64, seed ^ (seed << 17n));
    out.push(BigInt.asIntN(64, seed) >> BigInt(k));
  }
  return out.map((v) => BigInt.asIntN(64, v));
}

type Wide = (aLow: number, aHigh: number, bLow: number, bHigh: number) => number;

function apply(f: Wide, a: Int, b: Int): Int {
  const aLow = split(a);
  const aHigh = W.high;
  const bLow = split(b);
  const low = f(aLow, aHigh, bLow, W.high);
  return join(low, W.high);
}

describe("wide ints", () => {
  const values = samples();

  test("split and join are inverse, and high is 0 for safe ints only", () => {
    for (const v of values) {
      const int = normalizeInt(v);
      const low = split(int);
      expect(join(low, W.high)).toBe(int);
      expect(W.high === 0).toBe(typeof int === "number");
      expect(toDouble(low, W.high)).toBe(Number(v));
    }
  });

  test.each([
    ["addWide", addWide, (a: bigint, b: bigint) => a + b],
    ["subWide", subWide, (a: bigint, b: bigint) => a - b],
    ["mulWide", mulWide, (a: bigint, b: bigint) => a * b],
  ] as const)("%s wraps as 64-bit ints do", (_name, f, exact) => {
    for (const a of values) {
      for (const b of values) {
        expect(apply(f, normalizeInt(a), normalizeInt(b))).toBe(normalizeInt(exact(a, b)));
      }
    }
  });

  test("remainderWide has the divisor's sign", () => {
    for (const a of values) {
      const int = normalizeInt(a);
      for (const divisor of [1, 2, 3, 7, 1000003, 2147483647]) {
        const d = BigInt(divisor);
        const low = split(int);
        expect(remainderWide(low, W.high, divisor)).toBe(Number(((a % d) + d) % d));
      }
    }
  });
});
