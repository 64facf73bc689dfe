/** @file Operators on integers and masks give the same with the WebAssembly kernels as without: whole operators, with their checks and dtypes. */
import { afterAll, describe, expect, test } from "vitest";
import { callOperator } from "../../src/core/operator_registry.ts";
import "../../src/ops/index.ts";
import { cloneTensor } from "../../src/tensor/clone.ts";
import { fromData } from "../../src/tensor/data.ts";
import { DTYPES, type DType } from "../../src/tensor/dtype.ts";
import { kernelBuild, setKernelBuild, supportedKernelBuilds } from "../../src/tensor/kernels/wasm/build.ts";
import { Float } from "../../src/tensor/scalar.ts";
import { contiguousStrides, numelOf } from "../../src/tensor/strides.ts";
import { viewOf, Tensor } from "../../src/tensor/tensor.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));
const fast = supportedKernelBuilds().filter((b) => b !== "reference");

const { int64, int32, uint8, bool, float32, float16, float64, int16 } = DTYPES;

let state = 11;
const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);

/** Whole numbers of many sizes; `limit` bounds them from 0 on. */
function whole(sizes: readonly number[], dtype: DType, limit?: number): Tensor {
  const values = Array.from({ length: numelOf(sizes) }, () => {
    if (limit !== undefined) return BigInt(next() % limit);
    const wide = (BigInt(next()) << 32n) | BigInt(next());
    // what is no float32 must not be rounded twice on one side
    return BigInt.asIntN(dtype === int64 ? 1 + (next() % 64) : 23, wide);
  });
  return fromData(values, sizes, dtype);
}
const turned = (t: Tensor): Tensor =>
  viewOf(t, [t.sizes[1]!, t.sizes[0]!], [t.strides[1]!, t.strides[0]!], t.storageOffset);

/** What can be compared: sizes, strides, dtype and bits of every tensor of a result, or the message of an error. */
function described(run: () => unknown): unknown {
  try {
    const result = run();
    return (Array.isArray(result) ? result : [result]).map((t: unknown) => {
      if (!(t instanceof Tensor)) return t;
      const plain = cloneTensor(t, 0);
      const size = t.dtype.itemsize;
      const start = plain.base0 * size;
      return [t.dtype.name, t.sizes, t.strides, plain.storage.segment.u8.slice(start, start + size * t.numel).join()];
    });
  } catch (cause) {
    return (cause as Error).message;
  }
}

function both(build: (typeof fast)[number], run: () => unknown): void {
  setKernelBuild("reference");
  const wanted = described(run);
  setKernelBuild(build);
  expect(described(run)).toEqual(wanted);
}

describe.each(fast)("%s", (build) => {
  const same = (name: string, ...args: readonly unknown[]): void => both(build, () => callOperator(name, [...args]));
  /** The same for an operator that writes to its first argument. */
  const sameInPlace = (name: string, self: Tensor, ...args: readonly unknown[]): void =>
    both(build, () => callOperator(name, [cloneTensor(self), ...args]));

  test("arithmetic and comparisons with numbers", () => {
    for (const dtype of [int64, int32, uint8]) {
      for (const a of [whole([700], dtype), turned(whole([20, 33], dtype))]) {
        for (const number of [0, 1, 7, -3, 300]) {
          for (const name of ["add.Scalar", "sub.Scalar"]) same(`aten::${name}`, a, number, 1);
          for (const name of ["mul", "remainder", "fmod", "floor_divide", "eq", "ne", "lt", "le", "gt", "ge"])
            same(`aten::${name}.Scalar`, a, number);
          for (const name of ["bitwise_and", "bitwise_or", "bitwise_xor"]) same(`aten::${name}.Scalar`, a, number);
          same("aten::rsub.Scalar", a, number, 1);
        }
        same("aten::div.Scalar", a, 3);
        same("aten::mul.Scalar", a, new Float(0.5));
        same("aten::gt.Scalar", a, new Float(0.5));
        sameInPlace("aten::add_.Scalar", a, 5, 1);
        sameInPlace("aten::mul_.Scalar", a, -2);
        sameInPlace("aten::remainder_.Scalar", a, 5);
        sameInPlace("aten::eq_.Scalar", a, 5);
        same("aten::add.Scalar", a, new Float(1.5), 1);
      }
    }
    same("aten::add.Scalar", whole([500], int64), 2n ** 63n - 1n, 1);
    same("aten::add.Tensor", whole([500], int64), whole([500], int64), 3);
  });

  test("functions of one tensor, clamp", () => {
    for (const dtype of [int64, int32, uint8, int16]) {
      for (const a of [whole([700], dtype), turned(whole([20, 33], dtype)), whole([0], dtype)]) {
        for (const name of ["neg", "abs", "bitwise_not", "logical_not", "square", "relu", "sign"])
          same(`aten::${name}`, a);
        for (const [low, high] of [
          [3, 100],
          [-5, null],
          [null, 17],
          [9, 2],
          [null, null],
          [new Float(0.5), null],
          [2 ** 40, null],
        ]) {
          same("aten::clamp", a, low, high);
          sameInPlace("aten::clamp_", a, low, high);
        }
        same("aten::clamp_min", a, 4);
        sameInPlace("aten::clamp_max_", a, 4);
        sameInPlace("aten::neg_", a);
        sameInPlace("aten::abs_", a);
      }
    }
    for (const a of [whole([700], bool, 2), turned(whole([20, 33], bool, 2))])
      for (const name of ["bitwise_not", "logical_not", "abs", "neg"]) same(`aten::${name}`, a);
  });

  test("where and masked_fill", () => {
    const mask = whole([20, 33], bool, 2);
    for (const dtype of [int64, int32, uint8, bool, float32, float16, float64]) {
      const [a, b] = [whole([20, 33], dtype, 200), turned(whole([33, 20], dtype, 200))];
      for (const condition of [mask, whole([33], uint8, 2), whole([20, 1], bool, 2), whole([], bool, 2)]) {
        same("aten::where.self", condition, a, b);
        same("aten::where.self", condition, a, whole([], dtype, 9));
        same("aten::where.self", condition, a, whole([33], int32));
        same("aten::where.ScalarOther", condition, b, 3);
        same("aten::where.ScalarSelf", condition, new Float(3.5), b);
        if (condition.dtype !== bool) continue;
        same("aten::masked_fill.Scalar", a, condition, 7);
        same("aten::masked_fill.Scalar", b, condition, -1);
        same("aten::masked_fill.Tensor", b, condition, whole([], int64, 9));
        sameInPlace("aten::masked_fill_.Scalar", a, condition, 7);
        sameInPlace("aten::masked_fill_.Scalar", b, condition, 1);
      }
    }
    const alike = whole([20, 33], bool, 2);
    both(build, () => {
      const own = cloneTensor(alike);
      return callOperator("aten::masked_fill_.Scalar", [own, own, false]);
    });
    // a part of a larger tensor
    const base = whole([40, 40], int64);
    both(build, () => {
      const own = cloneTensor(base);
      callOperator("aten::masked_fill_.Scalar", [viewOf(own, [20, 33], [40, 1], 44), mask, 5]);
      return own;
    });
    expect(contiguousStrides([20, 33])).toEqual([33, 1]);
  });
});

describe.each(fast)("%s reductions", (build) => {
  const same = (name: string, ...args: readonly unknown[]): void => both(build, () => callOperator(name, [...args]));

  test("sums and extrema over any dimensions", () => {
    for (const dtype of [int64, int32, uint8, bool, int16]) {
      const limit = dtype === bool ? 2 : undefined;
      const tensors = [
        whole([1000], dtype, limit),
        whole([2, 8500], dtype, limit),
        whole([60, 7], dtype, limit),
        whole([7, 60], dtype, limit),
        whole([5, 9, 31], dtype, limit),
        whole([2, 950, 9], dtype, limit),
        turned(whole([20, 33], dtype, limit)),
        viewOf(whole([701], dtype, limit), [700], [1], 1),
      ];
      for (const a of tensors) {
        same("aten::sum", a, null);
        same("aten::sum", a, 3);
        same("aten::sum", a, 6);
        for (const name of ["max", "min", "any"]) same(`aten::${name}`, a);
        const lists =
          a.ndim === 1 ? [[0]] : a.ndim === 2 ? [[0], [1], [0, 1]] : [[0], [1], [2], [0, 1], [1, 2], [0, 2]];
        for (const dims of lists) {
          same("aten::sum.dim_IntList", a, dims, false, null);
          same("aten::sum.dim_IntList", a, dims, true, null);
          for (const name of ["amax", "amin"]) same(`aten::${name}`, a, dims, false);
        }
        for (let d = 0; d < a.ndim; d++) {
          same("aten::cumsum", a, d, null);
          if (dtype !== int64) same("aten::max.dim", a, d, true);
          if (dtype !== bool) same("aten::argmin", a, d, false);
          same("aten::any.dim", a, d, false);
          same("aten::all.dim", a, d, false);
        }
        if (dtype !== bool) same("aten::argmax", a, null, false);
      }
    }
  });
});

test("gather and scatter of elements of every size, index and layout", () => {
  const at = (t: Tensor, place: readonly number[]): string => {
    const size = t.dtype.itemsize;
    const start = (t.base0 + place.reduce((sum, p, d) => sum + p * t.strides[d]!, 0)) * size;
    return t.storage.segment.u8.slice(start, start + size).join();
  };
  const places = (sizes: readonly number[]): number[][] =>
    sizes.reduce<number[][]>((all, n) => all.flatMap((p) => Array.from({ length: n }, (_, i) => [...p, i])), [[]]);
  for (const dtype of [int64, int32, float16, uint8]) {
    for (const [self, sizes] of [
      [whole([9, 11], dtype), [9, 11]],
      [turned(whole([11, 9], dtype)), [7, 11]],
      [whole([4, 5, 6], dtype), [3, 5, 2]],
      [whole([13], dtype), [29]],
      [whole([2, 3], dtype), [0, 3]],
    ] as const) {
      for (let dim = 0; dim < self.ndim; dim++) {
        const limit = self.sizes[dim]!;
        if (sizes.some((n, d) => d !== dim && n > self.sizes[d]!)) continue;
        for (const indexDtype of [int64, int32]) {
          const index = whole(sizes, indexDtype, limit);
          const target = (place: readonly number[]): number[] =>
            place.map((p, d) => (d === dim ? Number(at(index, place).split(",")[0]) : p));
          const gathered = callOperator("aten::gather", [self, dim, index, false]) as Tensor;
          expect([gathered.dtype, gathered.sizes]).toEqual([dtype, sizes]);
          for (const place of places(sizes)) expect(at(gathered, place)).toBe(at(self, target(place)));
          const source = turned(whole([40, 40], dtype));
          const part = self.ndim === 2 ? source : whole(sizes, dtype);
          const scattered = callOperator("aten::scatter.src", [self, dim, index, part]) as Tensor;
          const wanted = new Map(places(self.sizes).map((place) => [place.join(), at(self, place)]));
          for (const place of places(sizes)) wanted.set(target(place).join(), at(part, place));
          for (const place of places(self.sizes)) expect(at(scattered, place)).toBe(wanted.get(place.join()));
          if (numelOf(sizes) === 0) continue;
          for (const wrong of [limit, -1, 2 ** 40]) {
            if (wrong === 2 ** 40 && indexDtype === int32) continue;
            const bad = cloneTensor(index, 0);
            callOperator("aten::fill_.Scalar", [bad, wrong]);
            const message = `index ${wrong} is out of bounds for dimension ${dim} with size ${limit}`;
            expect(() => callOperator("aten::gather", [self, dim, bad, false])).toThrow(message);
            expect(() => callOperator("aten::scatter.src", [self, dim, bad, part])).toThrow(message);
          }
        }
      }
    }
  }
});

test("one_hot, bincount and index_select", () => {
  const classes = whole([5, 7], int64, 9);
  const hot = callOperator("aten::one_hot", [classes, 9]) as Tensor;
  expect([hot.dtype, hot.sizes]).toEqual([int64, [5, 7, 9]]);
  const words = classes.storage.segment.i64.slice(classes.base0, classes.base0 + 35);
  const ones = hot.storage.segment.i64.slice(hot.base0, hot.base0 + 35 * 9);
  ones.forEach((v, i) => expect(v).toBe(BigInt(Number(words[Math.floor(i / 9)]) === i % 9)));
  const counts = callOperator("aten::bincount", [viewOf(classes, [35], [1]), null, 0]) as Tensor;
  const found = counts.storage.segment.i64.slice(counts.base0, counts.base0 + counts.numel);
  found.forEach((v, c) => expect(v).toBe(BigInt(words.filter((w) => Number(w) === c).length)));
  const table = whole([30, 40], int32);
  const columns = callOperator("aten::index_select", [table, 1, viewOf(classes, [35], [1])]) as Tensor;
  const [x, y] = [table, columns].map((t) => t.storage.segment.i32.subarray(t.base0));
  for (let i = 0; i < 30 * 35; i++) expect(y![i]).toBe(x![40 * Math.floor(i / 35) + Number(words[i % 35])]);
});
