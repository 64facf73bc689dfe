/** @file The functions for results that are rounded to float32 are as exact as they say, and Math's where there are no numbers. */
import { describe, expect, test } from "vitest";
import { pow, powFloat } from "../../src/tensor/kernels/binary.ts";
import { floatExp, floatSigmoid, floatTanh } from "../../src/tensor/math/float_exp.ts";
import * as floats from "../../src/tensor/math/float_log.ts";

const EXACT: Readonly<Record<string, [(x: number) => number, (x: number) => number]>> = {
  exp: [floatExp, (x) => (x <= -104 ? 0 : x >= 104 ? Infinity : Math.exp(x))],
  sigmoid: [floatSigmoid, (x) => (x <= -104 ? 0 : 1 / (1 + Math.exp(-x)))],
  tanh: [floatTanh, Math.tanh],
  log: [floats.floatLog, Math.log],
  log1p: [floats.floatLog1p, Math.log1p],
  softplus: [floats.floatSoftplus, (x) => (x <= -104 ? 0 : Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))))],
  expm1: [floats.floatExpm1, (x) => (x >= 104 ? Infinity : Math.expm1(x))],
  sin: [floats.floatSin, Math.sin],
  cos: [floats.floatCos, Math.cos],
};
const SPECIAL = [NaN, Infinity, -Infinity, 0, -0, 1, -1, 1e-45, -1e-45, 1e-38, 3e38, -3e38, 99999, 1e6, 0.03, -0.03];
const VALUES = Float32Array.from(
  SPECIAL.concat(
    Array.from({ length: 20_000 }, (_, i) => (i - 10_000) / 100),
    Array.from({ length: 20_000 }, (_, i) => 1 + (i - 10_000) / 1e5),
    Array.from({ length: 20_000 }, (_, i) => (i % 2 ? 1 : -1) * 1.003 ** (i - 15_000)),
    Array.from({ length: 20_000 }, (_, i) => (i * Math.PI) / 2),
  ),
);

describe.each(Object.entries(EXACT))("%s", (_, [fast, exact]) => {
  test("to 2^-34 over the range of float32", () => {
    for (const x of VALUES) {
      const [actual, wanted] = [fast(x), exact(x)];
      if (Object.is(actual, wanted) || (wanted !== 0 && Math.abs(actual - wanted) <= 2 ** -34 * Math.abs(wanted)))
        continue;
      expect.fail(`${x}: ${actual} instead of ${wanted}`);
    }
  });
});

test("powers: of any sign, and C's where there are no numbers", () => {
  const bases = [0.3, 1, 2, 3, 1e-45, 1e20, 3e38, -1, -2, -0.7, 1.0000001, NaN, 0, -0, Infinity, -Infinity];
  for (const b of [2.5, -0.3, 4, 3, -5, 17, 0.1, 0, 1e10, NaN, Infinity, -Infinity])
    for (const a of bases) {
      const [actual, wanted] = [powFloat(a, b), pow(a, b)];
      const isNear = Math.abs(actual - wanted) <= 2 ** -34 * Math.abs(wanted);
      const isBeyond = Math.abs(wanted) < 1e-45 ? Math.abs(actual) < 1e-45 : Math.abs(wanted) > 1e45 && actual > 1e45;
      if (!Object.is(actual, wanted) && !isNear && !isBeyond) expect.fail(`${a} ** ${b}: ${actual}, not ${wanted}`);
    }
});
