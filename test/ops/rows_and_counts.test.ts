/** @file Arithmetic of rows that are repeated or lie apart, moves of rows, and functions with loops of their own agree with plain definitions, at any sizes and places. */
import { afterAll, describe, expect, test } from "vitest";
import { torch, type Tensor } from "../../src/index.ts";
import { kernelBuild, setKernelBuild, supportedKernelBuilds } from "../../src/tensor/kernels/wasm/build.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));

let state = 11;
function integer(low: number, high: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return low + Math.floor((state / 2 ** 32) * (high - low + 1));
}
const SPECIAL = [NaN, Infinity, -Infinity, 0, -0, 1e-42, -3e38];
const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** float32 with some numbers that are not finite. */
function random(sizes: readonly number[]): Tensor {
  const value = (i: number): number =>
    integer(0, 30) === 0 ? SPECIAL[i % SPECIAL.length]! : integer(-4000, 4000) / 999;
  return torch.from(
    Float32Array.from({ length: product(sizes) }, (_, i) => value(i)),
    [...sizes],
  );
}
/** A view of these sizes whose rows lie apart: a slice or an element of a larger dimension, with an offset. */
function apart(sizes: readonly number[]): Tensor {
  const last = sizes.length - 1;
  const at = integer(0, last);
  const larger = [...sizes];
  if (integer(0, 1) === 0) {
    larger.splice(at, 0, 3);
    return random(larger).select(at, integer(0, 2));
  }
  larger[at]! += 5;
  return random(larger).narrow(at, integer(0, 5), sizes[at]!);
}
const numbers = (t: Tensor): number[] => t.double().contiguous().reshape([-1]).tolist() as number[];
const bigints = (t: Tensor): string[] => (t.contiguous().reshape([-1]).tolist() as (number | bigint)[]).map(String);

describe.each(supportedKernelBuilds())("%s", (build) => {
  test.each(["add", "sub", "mul", "div"] as const)("%s of rows that are repeated or lie apart", (name) => {
    setKernelBuild(build);
    for (let round = 0; round < 60; round++) {
      const sizes = [integer(1, 12), integer(1, 150), [4, 5, 16, 33, 47, 48, 70][integer(0, 6)]!];
      const some = (): Tensor => {
        const own = sizes.map((size) => (integer(0, 2) === 0 ? 1 : size));
        return integer(0, 1) === 0 ? random(own) : apart(own);
      };
      const [a, b] = [some(), some()];
      const found = a[name](b);
      const shape = a.shape.map((size, d) => Math.max(size, b.shape[d]!));
      expect(found.shape).toEqual(shape);
      const [x, y] = [a, b].map((t) => numbers(t.expand(shape))) as [number[], number[]];
      const f = {
        add: (p: number, q: number) => p + q,
        sub: (p: number, q: number) => p - q,
        mul: (p: number, q: number) => p * q,
        div: (p: number, q: number) => p / q,
      }[name];
      expect(numbers(found)).toEqual(x.map((p, i) => Math.fround(f(p, y[i]!))));
    }
  });

  test("halves of which one is a gate", () => {
    setKernelBuild(build);
    for (let round = 0; round < 12; round++) {
      const x = apart([2 * integer(1, 20), 2 * integer(1, 40)]);
      const dim = round % 2;
      const half = x.shape[dim]! / 2;
      const [a, b] = [x.narrow(dim, 0, half), x.narrow(dim, half, half)];
      const found = torch.glu(x, dim);
      const wanted = numbers(a.double().mul(b.double().sigmoid()));
      numbers(found).forEach((value, i) => {
        const w = wanted[i]!;
        if (Number.isFinite(w) && Number.isFinite(value))
          expect(Math.abs(value - w)).toBeLessThanOrEqual(5e-7 * Math.abs(w) + 1e-37);
        else expect(value).toBe(w);
      });
    }
  });

  test("squares of integers wrap around", () => {
    setKernelBuild(build);
    for (const dtype of [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8]) {
      for (const n of [5, 300, 4099]) {
        const x = torch
          .randint(-2147483648, 2147483647, [n])
          .mul(integer(1, 1 << 20))
          .to(dtype);
        expect(bigints(x.pow(2))).toEqual(bigints(x.mul(x)));
      }
    }
    const flags = torch.from(Float32Array.of(0, 1, 1), [3]).to(torch.bool);
    expect(bigints(flags.pow(2))).toEqual(["0", "1", "1"]);
  });
});

test("numbers in the place of those that are not finite", () => {
  const max = 3.4028234663852886e38;
  for (const [nan, high, low] of [
    [null, null, null],
    [1.5, null, -2],
    [-0, 7, null],
  ] as const) {
    const x = apart([20, 33]);
    const wanted = numbers(x).map((v) =>
      v !== v ? (nan ?? 0) : v === Infinity ? (high ?? max) : v === -Infinity ? (low ?? -max) : v,
    );
    expect(numbers(x.nan_to_num(nan, high, low))).toEqual(wanted);
    expect(numbers(x.double().nan_to_num(nan, high ?? max, low ?? -max))).toEqual(wanted);
  }
});

test("running extrema and their places", () => {
  for (const dtype of [torch.float32, torch.float64, torch.float16, torch.int64, torch.uint8])
    for (let round = 0; round < 6; round++) {
      const isFloat = dtype !== torch.int64 && dtype !== torch.uint8;
      const x = isFloat
        ? apart([integer(1, 9), integer(1, 40)]).to(dtype)
        : torch.randint(0, 9, [integer(1, 9), integer(1, 40)]).to(dtype);
      for (const name of ["cummax", "cummin"] as const) {
        const [values, places] = x[name](1) as unknown as [Tensor, Tensor];
        const columns = x.shape[1]!;
        const [all, found, at] = [numbers(x), numbers(values), numbers(places)];
        for (let i = 0, best = 0; i < all.length; i++) {
          if (i % columns === 0) best = i;
          const [v, b] = [all[i]!, all[best]!];
          if (v !== v || (name === "cummax" ? v >= b : v <= b)) best = i;
          expect([found[i], at[i]]).toEqual([all[best], best % columns]);
        }
      }
    }
});

test("flipped, joined and overlapping rows have their bits", () => {
  for (const dtype of [torch.float32, torch.int64, torch.float64, torch.float16, torch.uint8])
    for (let round = 0; round < 8; round++) {
      const [rows, columns] = [integer(1, 6), [1, 7, 16, 127, 128, 129, 300][integer(0, 6)]!];
      const source = torch.randint(0, 200, [rows, columns + 3, 2]).to(dtype);
      const x =
        round % 2 === 0
          ? source.select(2, 1).narrow(1, 2, columns)
          : source.contiguous().select(2, 0).narrow(1, 0, columns).contiguous();
      const at = numbers(x);
      const element = (r: number, c: number): number => at[r * columns + c]!;
      const all = (height: number, width: number, f: (r: number, c: number) => number): number[] =>
        Array.from({ length: height * width }, (_, i) => f(Math.floor(i / width), i % width));
      expect(numbers(x.flip([1]))).toEqual(all(rows, columns, (r, c) => element(r, columns - 1 - c)));
      expect(numbers(x.flip([0, 1]))).toEqual(all(rows, columns, (r, c) => element(rows - 1 - r, columns - 1 - c)));
      expect(numbers(torch.cat([x, x, x], 1))).toEqual(all(rows, 3 * columns, (r, c) => element(r, c % columns)));
      expect(numbers(x.transpose(0, 1).contiguous())).toEqual(all(columns, rows, (r, c) => element(c, r)));
      const size = Math.min(columns, 16);
      const step = integer(1, 5);
      const count = Math.floor((columns - size) / step) + 1;
      expect(numbers(x.unfold(1, size, step).contiguous())).toEqual(
        all(rows, count * size, (r, c) => element(r, Math.floor(c / size) * step + (c % size))),
      );
    }
});

test("bags of rows", () => {
  for (const dtype of [torch.float32, torch.float64, torch.float16, torch.bfloat16])
    for (const mode of [0, 1, 2])
      for (const padding of [-1, 3]) {
        const [rows, width, count] = [20, integer(1, 40), 50];
        const weight = torch
          .randn([rows, width + 2])
          .to(dtype)
          .narrow(1, 1, width);
        const indices = torch.randint(0, rows, [count]);
        const offsets = torch.from(Float32Array.of(0, 7, 7, 30), [4]).to(torch.int64);
        const scale = mode === 0 ? torch.randn([count]).to(dtype) : null;
        const [found] = torch._embedding_bag(weight, indices, offsets, false, mode, false, scale, false, padding);
        const [w, at, s] = [numbers(weight), numbers(indices), scale ? numbers(scale) : undefined];
        const starts = [0, 7, 7, 30, count];
        const wanted = Array.from({ length: 4 * width }, (_, i) => {
          const [b, j] = [Math.floor(i / width), i % width];
          const terms: number[] = [];
          for (let k = starts[b]!; k < starts[b + 1]!; k++)
            if (at[k] !== padding) terms.push(w[at[k]! * width + j]! * (s ? s[k]! : 1));
          if (terms.length === 0) return 0;
          if (mode === 2) return Math.max(...terms);
          const sum = terms.reduce((a, v) => a + v, 0);
          return mode === 1 ? sum / terms.length : sum;
        });
        const rounded = torch.from(Float64Array.from(wanted), [4, width]).to(dtype);
        expect(found.dtype).toBe(dtype);
        expect(numbers(found)).toEqual(numbers(rounded));
      }
});

test("counts of integers", () => {
  const x = torch.randint(0, 50, [3000]);
  const wanted = new Array<number>(60).fill(0);
  for (const v of numbers(x)) wanted[v]!++;
  expect(numbers(torch.bincount(x, null, 60))).toEqual(wanted);
  expect(numbers(torch.bincount(x.to(torch.int32), null, 60))).toEqual(wanted);
  for (const n of [1, 2, 3, 5, 6, 7, 203]) {
    const some = x.narrow(0, integer(0, 9), n);
    const found = numbers(torch.bincount(some));
    expect(found.length).toBe(Math.max(...numbers(some)) + 1);
    found.forEach((count, v) => expect(count).toBe(numbers(some).filter((u) => u === v).length));
  }
  expect(() => torch.bincount(x.sub(1).neg())).toThrow("bincount only supports 1-d non-negative integral inputs.");
  const weights = torch.randint(0, 9, [3000]).float();
  const sums = new Array<number>(60).fill(0);
  numbers(x).forEach((v, i) => (sums[v]! += numbers(weights.narrow(0, i, 1))[0]!));
  expect(numbers(torch.bincount(x, weights, 60))).toEqual(sums);
});
