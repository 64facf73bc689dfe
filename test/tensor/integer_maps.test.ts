/** @file Functions of integers on the WebAssembly kernels give what the reference gives: all kinds, shapes, strides and places. */
import { afterAll, describe, expect, test } from "vitest";
import { cloneTensor, convertTensor } from "../../src/tensor/clone.ts";
import { fromData } from "../../src/tensor/data.ts";
import type { Kernel2 } from "../../src/tensor/element_kernel.ts";
import { DTYPES, type DType } from "../../src/tensor/dtype.ts";
import { BINARY, shiftKernels } from "../../src/tensor/kernels/binary.ts";
import {
  kernelBuild,
  setKernelBuild,
  supportedKernelBuilds,
  wasmKernels,
} from "../../src/tensor/kernels/wasm/build.ts";
import { UNARY } from "../../src/tensor/kernels/unary.ts";
import { wasmFoldIntegers, wasmScanIntegers } from "../../src/tensor/kernels/wasm/integer_folds.ts";
import { wasmIntegerMap, wasmSelectBits } from "../../src/tensor/kernels/wasm/integer_maps.ts";
import { asMap, broadcastAll, emptyResult, map1, map2, mapInPlace } from "../../src/tensor/pointwise.ts";
import { contiguousStrides, numelOf } from "../../src/tensor/strides.ts";
import { releaseTemporary, runForTemporary } from "../../src/tensor/temporaries.ts";
import { emptyTensor, viewOf, type Tensor } from "../../src/tensor/tensor.ts";
import { expandView } from "../../src/tensor/view_geometry.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));
const fast = supportedKernelBuilds().filter((b) => b !== "reference");

const { int64, int32, uint8, bool, int16, float32 } = DTYPES;
const EXTREMES = [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 31n, -(2n ** 31n), 2n ** 32n, 2n ** 53n + 1n, 255n];

let state = 1;
const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
/** Integers of every size; `isSmall` keeps them within 8 bits. */
function integers(n: number, dtype: DType, isSmall: boolean): Tensor {
  const t = convertTensor(fromData(new Float32Array(n), [n]), int64);
  for (let i = 0; i < n; i++) {
    const random = (BigInt(next()) << 32n) | BigInt(next());
    const value = next() % 8 === 0 ? EXTREMES[next() % EXTREMES.length]! : random;
    t.storage.segment.i64[t.base0 + i] = isSmall ? BigInt.asIntN(8, value) : BigInt.asIntN(next() % 60, value);
  }
  return convertTensor(t, dtype);
}
/** All bits of a tensor in row-major order. */
const bitsOf = (t: Tensor): number[] => {
  const size = t.dtype.itemsize;
  const bytes: number[] = [];
  const visit = (d: number, at: number): void => {
    if (d === t.ndim) for (let i = 0; i < size; i++) bytes.push(t.storage.segment.u8[(t.base0 + at) * size + i]!);
    else for (let i = 0; i < t.sizes[d]!; i++) visit(d + 1, at + i * t.strides[d]!);
  };
  visit(0, 0);
  return bytes;
};
/** A view of these sizes and strides of fresh integers, which begins behind `offset` of them. */
function view(
  sizes: readonly number[],
  strides: readonly number[],
  offset: number,
  dtype: DType,
  isSmall = false,
): Tensor {
  let extent = offset + 1;
  sizes.forEach((size, d) => (extent += (size - 1) * strides[d]!));
  return viewOf(integers(extent, dtype, isSmall), sizes, strides, offset);
}

const ANY_KIND = [
  "add",
  "mul",
  "maximum",
  "minimum",
  "eq",
  "ne",
  "lt",
  "le",
  "gt",
  "ge",
  "logicalAnd",
  "logicalOr",
] as const;
const NUMBERS_ONLY = ["sub", "bitwiseAnd", "bitwiseOr", "bitwiseXor", "fmax", "logicalXor"] as const;
const DIVISIONS = ["divTruncInt", "divFloorInt", "remainderInt", "fmodInt"] as const;
const COMPARES = new Set(["eq", "ne", "lt", "le", "gt", "ge", "logicalAnd", "logicalOr", "logicalXor"]);
const resultOf = (name: string, compute: DType): DType => (COMPARES.has(name) ? bool : compute);

function both(build: (typeof fast)[number], run: () => Tensor): void {
  setKernelBuild("reference");
  const wanted = run();
  setKernelBuild(build);
  const found = run();
  expect(found.dtype).toBe(wanted.dtype);
  expect(found.strides).toEqual(wanted.strides);
  expect(bitsOf(found)).toEqual(bitsOf(wanted));
}

/** Sizes, then strides and offset of both operands. */
const LAYOUTS: readonly (readonly [number[], [number[], number], number[], [number[], number]])[] = [
  [[300], [[1], 0], [300], [[1], 3]],
  [[4099], [[1], 5], [4099], [[2], 1]],
  [[777], [[1], 1], [], [[], 2]],
  [[1], [[1], 1], [600], [[3], 2]],
  [[20, 30], [[30, 1], 0], [30], [[1], 0]],
  [
    [20, 30],
    [[30, 1], 1],
    [20, 1],
    [[1, 1], 0],
  ],
  [
    [1, 70],
    [[70, 1], 0],
    [70, 1],
    [[1, 1], 4],
  ],
  [
    [30, 20],
    [[1, 30], 0],
    [30, 20],
    [[1, 30], 7],
  ],
  [
    [30, 20],
    [[1, 30], 0],
    [30, 20],
    [[20, 1], 0],
  ],
  [
    [5, 7, 19],
    [[266, 38, 2], 3],
    [7, 1],
    [[1, 1], 0],
  ],
  [
    [3, 300],
    [[0, 1], 0],
    [3, 300],
    [[300, 1], 0],
  ],
  [[0, 300], [[300, 1], 0], [300], [[1], 0]],
];

describe.each(fast)("%s integers", (build) => {
  const check = (name: keyof typeof BINARY, dtype: DType, isDivision = false): void => {
    for (const [sizesA, [stridesA, atA], sizesB, [stridesB, atB]] of LAYOUTS) {
      const a = view(sizesA, stridesA, atA, dtype);
      const b = view(sizesB, stridesB, atB, dtype);
      if (isDivision) {
        const { segment } = b.storage;
        for (let i = 0; i < b.storage.nbytes / dtype.itemsize; i++) {
          const at = b.base0 - b.storageOffset + i;
          if (dtype === int64) segment.i64[at] ||= 7n;
          else segment.i32[at] ||= -1;
        }
      }
      both(build, () => map2(a, b, BINARY[name] as Kernel2, dtype, resultOf(name, dtype)));
    }
  };
  test.each(ANY_KIND)("%s of every kind and layout", (name) => {
    for (const dtype of [int64, int32, uint8, bool]) check(name, dtype);
  });
  test.each(NUMBERS_ONLY)("%s of numbers of every layout", (name) => {
    for (const dtype of [int64, int32, uint8]) check(name, dtype);
  });
  test.each(DIVISIONS)("%s of numbers of every layout", (name) => {
    for (const dtype of [int64, int32]) check(name, dtype, true);
  });

  test("shifts by any number of bits, of every layout", () => {
    for (const dtype of [int64, int32, uint8]) {
      for (const [sizesA, [stridesA, atA], sizesB, [stridesB, atB]] of LAYOUTS) {
        const a = view(sizesA, stridesA, atA, dtype);
        const b = view(sizesB, stridesB, atB, dtype, true);
        for (const kernel of Object.values(shiftKernels(8 * dtype.itemsize)))
          both(build, () => map2(a, b, kernel, dtype));
      }
    }
  });

  test("divisions by zero and of the least number", () => {
    setKernelBuild(build);
    for (const dtype of [int64, int32]) {
      const a = integers(500, dtype, false);
      const b = integers(500, dtype, true);
      for (const name of DIVISIONS) {
        expect(() => map2(a, b, BINARY[name], dtype)).toThrow("ZeroDivisionError");
        const least = convertTensor(integers(500, bool, true), dtype);
        const divisor = convertTensor(integers(500, bool, true), dtype);
        least.storage.segment.u8.fill(0, least.base0 * dtype.itemsize, (least.base0 + 500) * dtype.itemsize);
        for (let i = 0; i < 500; i++) {
          least.storage.segment.u8[(least.base0 + i + 1) * dtype.itemsize - 1] = 0x80;
          if (dtype === int64) divisor.storage.segment.i64[divisor.base0 + i] = -1n;
          else divisor.storage.segment.i32[divisor.base0 + i] = -1;
        }
        both(build, () => map2(least, divisor, BINARY[name], dtype));
      }
    }
  });

  test("bytes that are true without being 1", () => {
    const a = view([1000], [1], 3, uint8);
    const b = view([1000], [1], 1, uint8);
    const [p, q] = [viewOf(a, a.sizes, a.strides, 3), viewOf(b, b.sizes, b.strides, 1)];
    p.dtype = q.dtype = bool;
    for (const name of ["eq", "ne", "logicalAnd", "logicalOr", "logicalXor", "lt"] as const)
      both(build, () => map2(p, q, BINARY[name], bool));
  });

  test("operands of other dtypes become the common one first", () => {
    for (const [x, y, compute] of [
      [int32, int64, int64],
      [bool, int64, int64],
      [int64, uint8, uint8],
      [int64, int32, int32],
      [int16, int32, int32],
      [uint8, int32, int32],
    ] as const) {
      for (const name of ["add", "mul", "lt", "logicalXor"] as const) {
        // the reference has no logic of bigints: it rounds what it is to cut
        const isSmall = name === "logicalXor";
        const [a, b] = [view([50, 20], [20, 1], 0, x, isSmall), view([20], [2], 1, y, isSmall)];
        both(build, () => map2(a, b, BINARY[name], compute, resultOf(name, compute)));
      }
    }
    const [a, b] = [view([500], [1], 0, int64), fromData(new Float32Array(500), [500])];
    both(build, () => map2(a, b, BINARY.add, float32));
  });

  test.each(["neg", "abs", "bitwiseNot", "logicalNot", "square", "relu"] as const)("%s", (name) => {
    for (const dtype of [int64, int32, uint8, bool]) {
      if (dtype === bool && name !== "logicalNot") continue;
      const out = name === "logicalNot" ? bool : dtype;
      for (const [sizes, [strides, offset]] of LAYOUTS) {
        const x = view(sizes, strides, offset, dtype);
        both(build, () => map1(x, UNARY[name], dtype, out));
      }
    }
  });

  test("selections of elements of 1, 4 and 8 bytes, of every layout and place", () => {
    for (const dtype of [int64, int32, uint8, bool, float32]) {
      for (const [sizesA, [stridesA, atA], sizesB, [stridesB, atB]] of LAYOUTS) {
        const condition = view(sizesB, stridesB, atB, uint8);
        const a = view(sizesA, stridesA, atA, dtype);
        for (const b of [view(sizesB, stridesB, atB, dtype), view([], [], 3, dtype), a]) {
          if (broadcastAll([condition, a, b]).reduce((x, y) => x * y, 1) < 256) continue;
          setKernelBuild(build);
          const found = emptyResult([condition, a, b], dtype);
          expect(wasmSelectBits(found, condition, a, b)).toBe(true);
          const flags = expandView(condition, found.sizes, "");
          const [x, y] = [expandView(a, found.sizes, ""), expandView(b, found.sizes, "")];
          const size = dtype.itemsize;
          const mask = bitsOf(flags);
          const [p, q] = [bitsOf(x), bitsOf(y)];
          expect(bitsOf(found)).toEqual(p.map((v, i) => (mask[Math.floor(i / size)] !== 0 ? v : q[i]!)));
        }
      }
    }
  });

  test("folds and running sums in the kernels' memory and outside", () => {
    const big = (t: Tensor, i: number): bigint =>
      t.dtype === int64
        ? t.storage.segment.i64[t.base0 + i]!
        : BigInt(t.dtype === int32 ? t.storage.segment.i32[t.base0 + i]! : t.storage.segment.u8[t.base0 + i]!);
    const merges = {
      sum: (a: bigint, b: bigint) => BigInt.asIntN(64, a + b),
      max: (a: bigint, b: bigint) => (a > b ? a : b),
      min: (a: bigint, b: bigint) => (a < b ? a : b),
    };
    for (const dtype of [int64, int32, uint8, bool]) {
      for (const [outer, count, inner] of [
        [1, 20_001, 1],
        [300, 77, 1],
        [3, 50, 33],
        [1, 40, 8],
      ] as const) {
        const outside = view([outer, count, inner], [count * inner, inner, 1], 3, dtype);
        setKernelBuild(build);
        const inside = runForTemporary((t: Tensor) => cloneTensor(t))(outside as never) as Tensor;
        for (const x of [outside, inside]) {
          for (const fold of ["sum", "max", "min"] as const) {
            if ((fold !== "sum" && dtype.itemsize === 1) || (fold === "sum" && inner > 1 && dtype !== int64)) continue;
            const out = emptyTensor([outer, inner], fold === "sum" ? int64 : dtype);
            expect(wasmFoldIntegers(fold, x, outer, count, inner, out)).toBe(true);
            for (let o = 0; o < outer; o++) {
              for (let i = 0; i < inner; i++) {
                let wanted = big(x, o * count * inner + i);
                for (let c = 1; c < count; c++) wanted = merges[fold](wanted, big(x, (o * count + c) * inner + i));
                if (big(out, o * inner + i) !== wanted) throw new Error(`${fold} ${dtype.name} ${o} ${i}`);
              }
            }
          }
          if (dtype !== int64) continue;
          const [rows, columns] = [outer, count * inner];
          for (const out of [emptyTensor([rows, columns], int64), cloneTensor(inside)]) {
            expect(wasmScanIntegers(x, rows, columns, out)).toBe(true);
            for (let r = 0, sum = 0n; r < rows; r++, sum = 0n) {
              for (let c = 0; c < columns; c++) {
                sum = merges.sum(sum, big(x, r * columns + c));
                if (big(out, r * columns + c) !== sum) throw new Error(`row ${r}, column ${c}`);
              }
            }
          }
        }
        releaseTemporary(inside);
      }
    }
  });

  test("in the kernels' memory and in place", () => {
    setKernelBuild(build);
    const { memory } = wasmKernels()!;
    for (const dtype of [int64, int32, uint8]) {
      for (const n of [700, 4096, 70_001]) {
        const [a, b] = [integers(n, dtype, false), integers(n, dtype, false)];
        for (const name of ["add", "mul", "lt", "bitwiseXor"] as const) {
          const out = resultOf(name, dtype);
          setKernelBuild("reference");
          const wanted = bitsOf(map2(a, b, BINARY[name], dtype, out));
          setKernelBuild(build);
          const inside = runForTemporary((x: Tensor, y: Tensor) => map2(x, y, BINARY[name], dtype, out));
          const sum = inside(a as never, b as never) as Tensor;
          expect(memory.holds(sum.storage)).toBe(sum.storage.nbytes > 4096);
          expect(bitsOf(sum)).toEqual(wanted);
          if (out === dtype) {
            // both operands and the result there, then over the first operand
            const again = inside(sum as never, sum as never) as Tensor;
            setKernelBuild("reference");
            const twice = bitsOf(map2(sum, sum, BINARY[name], dtype));
            setKernelBuild(build);
            expect(bitsOf(again)).toEqual(twice);
            expect(wasmIntegerMap("add", sum, sum, again)).toBe(true);
            const kernel = asMap((self: Tensor, other: Tensor): Tensor => map2(self, other, BINARY.sub, dtype));
            expect(mapInPlace(sum, kernel as never, [sum, again])).toBe(sum);
            expect(bitsOf(sum)).toEqual(wanted);
            releaseTemporary(again);
          }
          releaseTemporary(sum);
        }
      }
    }
  });

  test("in place, with an operand that lies across", () => {
    const kernel = asMap((self: Tensor, other: Tensor): Tensor => map2(self, other, BINARY.add, int64));
    setKernelBuild(build);
    const whole = integers(1001, int64, false);
    const [a, b] = [viewOf(whole, [1000], [1], 1), viewOf(whole, [1000], [1], 0)];
    const result = mapInPlace(a, kernel as never, [a, b]) as Tensor;
    expect(result).not.toBe(a);
    expect(numelOf(result.sizes)).toBe(1000);
    expect(result.strides).toEqual(contiguousStrides([1000]));
  });
});
