/** @file LU by panels has the pivots of plain elimination and its factors, and systems that are solved by blocks fit, over shapes around the sizes of both. */
import { expect, test } from "vitest";
import { factorLU, solveLU, solveLUAdjoint } from "../../src/tensor/kernels/factorizations.ts";
import { Matrix, multiply } from "../../src/tensor/kernels/matrices.ts";

let state = 9;
const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32 - 0.5;

function matrix(rows: number, cols: number, make: () => number): Matrix {
  const out = new Matrix(rows, cols, false);
  out.re.forEach((_, i) => (out.re[i] = make()));
  return out;
}

/** Elimination column by column; multiples of 0 are not subtracted. */
function plainLU(a: Matrix): { lu: Matrix; pivots: number[]; info: number } {
  const lu = a.clone();
  const { rows, cols, re } = lu;
  const pivots: number[] = [];
  let info = 0;
  for (let k = 0; k < Math.min(rows, cols); k++) {
    let pivot = k;
    for (let i = k + 1; i < rows; i++) if (Math.abs(re[i * cols + k]!) > Math.abs(re[pivot * cols + k]!)) pivot = i;
    pivots.push(pivot + 1);
    if (re[pivot * cols + k] === 0) {
      if (info === 0) info = k + 1;
      continue;
    }
    lu.swapRows(k, pivot);
    for (let i = k + 1; i < rows; i++) {
      const f = (re[i * cols + k]! /= re[k * cols + k]!);
      if (f !== 0) for (let j = k + 1; j < cols; j++) re[i * cols + j]! -= f * re[k * cols + j]!;
    }
  }
  return { lu, pivots, info };
}

function expectClose(actual: Float64Array, expected: Float64Array, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((x, i) => {
    const y = expected[i]!;
    if (!Object.is(x, y) && !(Math.abs(x - y) <= tolerance * (1 + Math.abs(y))))
      throw new Error(`element ${i} is ${x}, expected ${y}`);
  });
}

const SHAPES = [
  [1, 1],
  [3, 7],
  [31, 31],
  [32, 33],
  [33, 32],
  [40, 90],
  [90, 40],
  [65, 65],
  [130, 130],
] as const;

test.each(SHAPES)("%i by %i", (rows, cols) => {
  const kinds: Readonly<Record<string, () => number>> = {
    dense: random,
    sparse: () => (random() > 0.2 ? random() : 0),
    integers: () => Math.round(4 * random()),
  };
  for (const [kind, make] of Object.entries(kinds)) {
    const a = matrix(rows, cols, make);
    if (kind !== "integers") for (let i = 0; i < Math.min(rows, cols); i++) a.re[i * cols + i]! += 1;
    const [got, wanted] = [factorLU(a), plainLU(a)];
    // ties of integers may fall either way once they were rounded differently
    if (kind === "integers" && Math.min(rows, cols) > 32) continue;
    expect(got.pivots).toEqual(wanted.pivots);
    expect(got.info).toBe(wanted.info);
    expectClose(got.lu.re, wanted.lu.re, 1e-10);
  }
});

test("a column of zeros is reported, and infinities spread only through multiples that are not 0", () => {
  const a = matrix(70, 70, random);
  for (let i = 0; i < 70; i++) a.re[i * 70 + 40] = 0;
  expect(factorLU(a).info).toBe(41);
  const b = matrix(70, 70, random);
  b.re[69] = Infinity;
  for (let i = 1; i < 70; i++) b.re[i * 70] = 0;
  const { lu } = factorLU(b);
  expect(lu.re[69]).toBe(Infinity);
  expect(lu.re.filter((x) => !Number.isFinite(x))).toHaveLength(1);
});

test.each([1, 5, 64, 65, 129, 200])("systems of %i equations", (n) => {
  const a = matrix(n, n, random);
  for (let i = 0; i < n; i++) a.re[i * n + i]! += n;
  for (const width of [1, 3, 70]) {
    const b = matrix(n, width, random);
    const factored = factorLU(a);
    expectClose(multiply(a, solveLU(factored, b)).re, b.re, 1e-12);
    expectClose(multiply(a.transpose(), solveLUAdjoint(factored, b, false)).re, b.re, 1e-12);
  }
});
