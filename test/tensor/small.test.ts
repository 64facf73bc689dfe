/** @file Short ways of small tensors give what the general kernels give, and leave the rest to them. */
import { describe, expect, test } from "vitest";
import { findOperatorByKey, type Kernel } from "../../src/core/operator_registry.ts";
import { withShortWay } from "../../src/interpreter/short_ways.ts";
import { fromData, scalarTensor } from "../../src/tensor/data.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { Float } from "../../src/tensor/scalar.ts";
import { viewOf, type Tensor } from "../../src/tensor/tensor.ts";
import { toFloat64Array } from "../../src/tensor/data.ts";
import { floatExp, floatSigmoid, floatTanh } from "../../src/tensor/math/float_exp.ts";
import "../../src/ops/index.ts";

type Any = (...args: unknown[]) => unknown;

function general(key: string): Any {
  return findOperatorByKey(key)!.kernel as unknown as Any;
}
const short = (key: string): Any => withShortWay(key, general(key) as unknown as Kernel) as unknown as Any;

let seed = 1;
function random(): number {
  seed = (seed * 48271) % 2147483647;
  return (seed / 2147483647) * 8 - 4;
}
function tensor(...sizes: number[]): Tensor {
  return fromData(Array.from({ length: sizes.reduce((a, b) => a * b, 1) }, random), sizes);
}

/** All that tells tensors apart. */
function picture(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(picture);
  if (typeof value !== "object" || value === null) return value;
  const t = value as Tensor;
  return {
    dtype: t.dtype.name,
    sizes: [...t.sizes],
    strides: [...t.strides],
    offset: t.storageOffset,
    isView: t.base !== undefined,
    values: Array.from(toFloat64Array(t)),
  };
}
function same(key: string, ...args: unknown[]): void {
  const check = short(key);
  // twice: weights move in at their second use
  for (let k = 0; k < 3; k++) expect(picture(check(...args))).toEqual(picture(general(key)(...args)));
}

const base = tensor(4, 6);
const odd = [
  tensor(3, 4),
  tensor(1, 64),
  viewOf(tensor(2, 256), [1, 64], [256, 1], 64), // as chunk makes it
  viewOf(base, [6, 4], [1, 6], 0), // transposed
  viewOf(base, [4, 3], [6, 2], 1), // every other column
  tensor(0, 3),
  scalarTensor(1.5, DTYPES.float32),
  fromData([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [3, 4], DTYPES.float64),
  fromData([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [3, 4], DTYPES.int64),
];

describe("short ways", () => {
  test.each(["aten::neg", "aten::relu", "aten::tanh", "aten::sigmoid", "aten::exp"])("%s", (key) => {
    for (const t of odd) same(key, t);
  });

  test.each(["aten::add.Tensor", "aten::sub.Tensor", "aten::mul.Tensor", "aten::div.Tensor"])("%s", (key) => {
    const rest = /add|sub/.test(key) ? [1] : [];
    for (const t of odd) {
      same(key, t, t, ...rest);
      same(key, t, scalarTensor(2, DTYPES.float32), ...rest);
    }
    same(key, tensor(3, 4), tensor(4), ...rest);
    same(key, tensor(3, 1), tensor(1, 4), ...rest);
    if (rest.length > 0) same(key, tensor(3, 4), tensor(3, 4), 2);
  });

  test.each([
    "aten::add.Scalar",
    "aten::sub.Scalar",
    "aten::mul.Scalar",
    "aten::div.Scalar",
    "aten::gt.Scalar",
    "aten::le.Scalar",
  ])("%s", (key) => {
    const rest = /add|sub/.test(key) ? [1] : [];
    for (const t of odd)
      for (const b of [3, 0.1, new Float(2), ...(key.includes("sub") ? [] : [true])]) same(key, t, b, ...rest);
  });

  test("sum, Bool, select, chunk", () => {
    for (const t of odd) {
      same("aten::sum", t, null);
      if (t.ndim === 2) {
        same("aten::select.int", t, 1, -1);
        same("aten::chunk", t, 2, 1);
        same("aten::chunk", t, 5, -1);
      }
    }
    same("aten::select.int", tensor(2, 3, 4), 1, 2);
    same("aten::select.int", tensor(2, 3, 4, 5), -2, 1);
    same("aten::Bool.Tensor", scalarTensor(0, DTYPES.float32));
    same("aten::Bool.Tensor", fromData([1], [1, 1], DTYPES.bool));
    expect(() => short("aten::select.int")(tensor(2), 0, 5)).toThrow(/out of range/);
    expect(() => short("aten::Bool.Tensor")(tensor(2))).toThrow(/ambiguous/);
  });

  test("linear: rounding may differ from the general kernel's in the last bits only", () => {
    for (const [rows, n, k] of [
      [3, 4, 4],
      [1, 256, 64],
      [4, 70, 67],
      [9, 64, 64],
    ] as const) {
      for (const bias of [tensor(n), null]) {
        const [x, w] = [tensor(rows, k), tensor(n, k)];
        const linear = short("aten::linear");
        const expected = toFloat64Array(general("aten::linear")(x, w, bias) as Tensor);
        for (let use = 0; use < 3; use++) {
          const found = linear(x, w, bias) as Tensor;
          expect(found.sizes).toEqual([rows, n]);
          toFloat64Array(found).forEach((v, i) => expect(Math.abs(v - expected[i]!)).toBeLessThan(2e-4));
        }
      }
    }
    expect(short("aten::linear")(tensor(5), tensor(3, 5), null)).toHaveProperty("sizes", [3]);
    expect(() => short("aten::linear")(tensor(2, 5), tensor(3, 4), null)).toThrow(/cannot be multiplied/);
  });

  test.each([
    [1, 64, 64],
    [3, 8, 16],
    [4, 40, 33],
    [6, 40, 33],
  ])("cells of %d rows, %d features and %d units", (rows, features, size) => {
    for (const hasBias of [true, false]) {
      const weights = (count: number): (Tensor | null)[] => [
        tensor(count * size, features),
        tensor(count * size, size),
        ...(hasBias ? [tensor(count * size), tensor(count * size)] : [null, null]),
      ];
      const [x, h, c] = [tensor(rows, features), tensor(rows, size), tensor(rows, size)];
      for (const [key, args] of [
        ["aten::gru_cell", [x, h, ...weights(3)]],
        ["aten::lstm_cell", [x, [h, c], ...weights(4)]],
      ] as const) {
        const expected = [general(key)(...args)].flat().map((t) => toFloat64Array(t as Tensor));
        for (let use = 0; use < 3; use++) {
          const found = [short(key)(...args)].flat() as Tensor[];
          found.forEach((t, i) => {
            expect(t.sizes).toEqual([rows, size]);
            // sums of some hundred products of numbers up to 4 in another order, before they are squashed
            toFloat64Array(t).forEach((v, j) => expect(Math.abs(v - expected[i]![j]!)).toBeLessThan(1e-4));
          });
        }
      }
    }
  });

  test("linear sees weights that have been written to", () => {
    const [x, w] = [tensor(1, 64), tensor(256, 64)];
    const linear = short("aten::linear");
    for (let use = 0; use < 3; use++) linear(x, w, null);
    general("aten::zero_")(w);
    expect(Math.max(...toFloat64Array(linear(x, w, null) as Tensor))).toBe(0);
  });
});

describe("exponentials for float32", () => {
  test("round to what Math's give, but for one in ten thousand that is one unit off", () => {
    let wrong = 0;
    for (let i = 0; i < 60000; i++) {
      const x = Math.fround((i % 2 ? 1 : -1) * 10 ** ((i / 60000) * 7 - 5));
      for (const [found, exact] of [
        [floatExp(x), Math.exp(x)],
        [floatSigmoid(x), 1 / (1 + Math.exp(-x))],
        [floatTanh(x), Math.tanh(x)],
      ] as const) {
        if (Math.fround(found) !== Math.fround(exact)) wrong++;
        if (exact > 0 && exact < 3e38) expect(Math.abs(found / exact - 1)).toBeLessThan(1e-9 + 1e-45 / exact);
      }
    }
    expect(wrong).toBeLessThan(18);
  });

  test("special values", () => {
    expect([NaN, Infinity, -Infinity, 0].map(floatExp)).toEqual([NaN, Infinity, 0, 1]);
    expect([NaN, Infinity, -Infinity, 0].map(floatSigmoid)).toEqual([NaN, 1, 0, 0.5]);
    expect([NaN, Infinity, -Infinity, -0].map(floatTanh)).toEqual([NaN, 1, -1, -0]);
  });
});
