/** @file The functions for results that are rounded to float32 are as exact as they say, and Math's where there are no numbers. */
import { describe, expect, test } from "vitest";
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
      if (Object.is(actual, wanted) || Math.abs(actual - wanted) <= 2 ** -34 * Math.abs(wanted)) continue;
      expect.fail(`${x}: ${actual} instead of ${wanted}`);
    }
  });
});

test("powers: of positive numbers, whole ones of negative numbers, none where there is no number", () => {
  for (const b of [2.5, -0.3, 4, 3, -5, 17, 0.1, 0])
    for (const a of [0.3, 1, 2, 3, 1e-45, 1e20, 3e38, -1, -2, -0.7, 1.0000001]) {
      const [actual, wanted] = [floats.floatPow(a, b), a ** b];
      if (Number.isNaN(wanted)) expect(actual).toBeUndefined();
      else if (Math.abs(wanted) > 1e-45 && Math.abs(wanted) < 1e45)
        expect(Math.abs(actual! / wanted - 1)).toBeLessThan(2 ** -34);
    }
  for (const a of [NaN, 0, -0, Infinity, -Infinity]) expect(floats.floatPow(a, 2)).toBeUndefined();
  for (const b of [NaN, Infinity, -Infinity]) expect(floats.floatPow(2, b)).toBeUndefined();
  expect(floats.floatPow(-2, 0.5)).toBeUndefined();
});
