/** @file Functions of doubles that are rounded once, and what is made of them: normal numbers of float64. nearest.json was made by make_nearest.py. */
import { expect, test } from "vitest";
import { torch } from "../../src/index.ts";
import { nearestCos, nearestExp, nearestLog, nearestPow, nearestSin } from "../../src/tensor/math/nearest.ts";
import recorded from "./nearest.json" with { type: "json" };

const FUNCTIONS = { log: nearestLog, exp: nearestExp, sin: nearestSin, cos: nearestCos };

test.each(["log", "exp", "sin", "cos"] as const)("%s is the nearest double", (name) => {
  const points = recorded.functions[name] as [number, number][];
  expect(points.length).toBeGreaterThan(200);
  expect(points.map(([x]) => FUNCTIONS[name](x))).toEqual(points.map(([, y]) => y));
});

test("what has no logarithm, or no angle", () => {
  expect([0, -1, Infinity, NaN].map(nearestLog)).toEqual([-Infinity, NaN, Infinity, NaN]);
  expect([Infinity, NaN, -0].map(nearestSin)).toEqual([NaN, NaN, -0]);
  expect([-Infinity, NaN, -0].map(nearestCos)).toEqual([NaN, NaN, 1]);
});

test("powers are the nearest doubles", () => {
  const points = recorded.powers as [number, number, number][];
  expect(points.map(([x, y]) => nearestPow(x, y))).toEqual(points.map(([, , power]) => power));
  const bases = [-2, -2, -2, 0, 0, Infinity, NaN, 3, 1e200, 1e-200];
  const exponents = [3, -2, 0.5, -1, 0, -1, 0, 40, 2, 2];
  expect(bases.map((x, i) => nearestPow(x, exponents[i]!))).toEqual([
    -8,
    0.25,
    NaN,
    Infinity,
    1,
    0,
    1,
    12157665459056928801,
    Infinity,
    0,
  ]);
});

test("operators of float64 use them, whatever the layout", () => {
  for (const name of ["log", "sin", "cos"] as const) {
    const points = recorded.functions[name] as [number, number][];
    const x = torch
      .tensor(
        points.map(([v]) => [v, 1]),
        { dtype: torch.float64 },
      )
      .select(1, 0);
    const expected = points.map(([, y]) => y);
    expect(torch[name](x).tolist()).toEqual(expected);
    expect(torch[name](x.contiguous()).tolist()).toEqual(expected);
  }
});

test("normal numbers of float64 are PyTorch's, but for those of which the C library's functions are not the nearest", () => {
  torch.manual_seed(5);
  const numbers = torch.randn([400], { dtype: torch.float64 }).tolist() as number[];
  const others = recorded.randn.filter((x, i) => x !== numbers[i]);
  expect(others.length).toBeLessThanOrEqual(2);
  recorded.randn.forEach((x, i) => expect(Math.abs(numbers[i]! - x)).toBeLessThanOrEqual(4e-16 * Math.abs(x)));
});
