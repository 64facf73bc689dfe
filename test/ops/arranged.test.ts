/** @file Functions, reductions and selections of elements that lie in any order, or are narrower, agree with those of float32 that lie side by side. */
import { afterAll, describe, expect, test } from "vitest";
import { torch, type DType, type Tensor } from "../../src/index.ts";
import { kernelBuild, setKernelBuild, supportedKernelBuilds } from "../../src/tensor/kernels/wasm/build.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));

let state = 7;
function integer(low: number, high: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return low + Math.floor((state / 2 ** 32) * (high - low + 1));
}
const shuffled = (n: number): number[] => {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = integer(0, i);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
};
const SPECIAL = [NaN, Infinity, -Infinity, 0, -0, 1e-42, -3e38];

/** log_softmax over the last dimension as PyTorch's kernel of halves has it: the sum and its logarithm are halves. */
function narrowLogSoftmax(wide: Tensor, dtype: DType): Tensor {
  const shifted = wide.sub(wide.amax([-1], true));
  const sum = shifted.exp().sum([-1], true).to(dtype);
  return shifted.sub(sum.float().log().to(dtype).float()).to(dtype);
}

/** float32 of random sizes, a permuted part of another tensor; with numbers that are not finite, or without. */
function scattered(hasSpecial = true): Tensor {
  const sizes = Array.from({ length: integer(2, 4) }, () => integer(3, 17));
  sizes[0] = integer(40, 70);
  const n = sizes.reduce((a, b) => a * b, 2);
  const x = torch.from(
    Float32Array.from({ length: n }, (_, i) =>
      hasSpecial && integer(0, 40) === 0 ? SPECIAL[i % SPECIAL.length]! : integer(-4000, 4000) / 999,
    ),
    [...sizes.slice(0, -1), 2 * sizes.at(-1)!],
  );
  const part = integer(0, 1) === 0 ? x : x.narrow(-1, integer(0, 3), sizes.at(-1)!);
  return part.permute(shuffled(sizes.length));
}
const numbers = (t: Tensor): number[] => t.double().contiguous().reshape([-1]).tolist() as number[];

const FUNCTIONS = ["relu", "exp", "sigmoid", "tanh", "sqrt", "log", "floor", "gelu", "silu", "hardswish"] as const;
const apply = (name: (typeof FUNCTIONS)[number], x: Tensor): Tensor =>
  name === "gelu" || name === "silu" || name === "hardswish" ? torch[name](x) : x[name]();

describe.each(supportedKernelBuilds())("%s", (build) => {
  test.each(FUNCTIONS)("%s", (name) => {
    setKernelBuild(build);
    for (let round = 0; round < 3; round++) {
      const x = scattered();
      const y = apply(name, x);
      expect(y.shape).toEqual(x.shape);
      expect(numbers(y)).toEqual(numbers(apply(name, x.contiguous())));
      if (build === "reference") continue;
      for (const dtype of [torch.float16, torch.bfloat16]) {
        const narrow = x.to(dtype);
        const z = apply(name, narrow);
        expect([z.dtype, z.shape]).toEqual([dtype, x.shape]);
        expect(numbers(z)).toEqual(numbers(apply(name, narrow.float().contiguous()).to(dtype)));
      }
    }
  });

  test("softmax and its logarithm", () => {
    setKernelBuild(build);
    for (let round = 0; round < 4; round++) {
      const x = scattered(false);
      const dim = integer(0, x.ndim - 1);
      for (const f of ["softmax", "log_softmax"] as const) {
        const wanted = x.contiguous()[f](dim);
        expect(numbers(x[f](dim))).toEqual(numbers(wanted));
        if (build === "reference") continue;
        for (const dtype of [torch.float16, torch.bfloat16]) {
          const narrow = x.to(dtype);
          const wide = narrow.float().contiguous();
          const rounded = wide[f](dim).to(dtype);
          const isLastLog = f === "log_softmax" && dim === x.ndim - 1;
          expect(numbers(narrow[f](dim))).toEqual(numbers(isLastLog ? narrowLogSoftmax(wide, dtype) : rounded));
        }
      }
    }
  });

  test("sums, means, extrema and variances over any dimensions", () => {
    setKernelBuild(build);
    for (let round = 0; round < 12; round++) {
      const x = scattered(false);
      const dims = shuffled(x.ndim).slice(0, integer(1, x.ndim));
      const kept = x.shape.map((_, d) => d).filter((d) => !dims.includes(d));
      const lines = x
        .double()
        .permute([...kept, ...dims])
        .contiguous()
        .reshape([-1, dims.reduce((a, d) => a * x.shape[d]!, 1)]);
      const keepdim = round % 2 === 0;
      for (const [found, wanted, size] of [
        [x.sum(dims, { keepdim }), lines.sum(1), lines.abs().sum(1)],
        [x.mean(dims, { keepdim }), lines.mean(1), lines.abs().mean(1)],
        [x.amax(dims, { keepdim }), lines.amax(1), lines.abs().amax(1)],
        [x.amin(dims, { keepdim }), lines.amin(1), lines.abs().amax(1)],
        [x.var(dims, true, keepdim), lines.var([1], true, false), lines.var([1], true, false)],
      ] as const) {
        expect(found.shape).toEqual(x.sum(dims, { keepdim }).shape);
        const [a, b, scale] = [found, wanted, size].map(numbers) as [number[], number[], number[]];
        a.forEach((value, i) => expect(Math.abs(value - b[i]!)).toBeLessThanOrEqual(2 ** -22 * scale[i]!));
      }
      if (build === "reference") continue;
      for (const dtype of [torch.float16, torch.bfloat16]) {
        const narrow = x.to(dtype);
        const wide = narrow.float();
        for (const f of [(t: Tensor) => t.sum(dims), (t: Tensor) => t.mean(dims), (t: Tensor) => t.amax(dims)])
          expect(numbers(f(narrow))).toEqual(numbers(f(wide).to(dtype)));
      }
    }
  });

  test("masks of any shape", () => {
    setKernelBuild(build);
    for (let round = 0; round < 15; round++) {
      const x = scattered().to([torch.float32, torch.float64, torch.float16, torch.int64, torch.uint8][round % 5]!);
      const mask = torch
        .randint(
          0,
          2,
          x.shape.map((size) => (integer(0, 1) === 0 ? 1 : size)),
        )
        .to(torch.bool);
      const flags = numbers(mask.expand(x.shape));
      const wanted = numbers(x).map((value, i) => (flags[i] === 1 ? 7 : value));
      expect(numbers(x.masked_fill(mask, 7))).toEqual(wanted);
    }
  });

  test("normalisation by the root of the mean square", () => {
    setKernelBuild(build);
    for (const [rows, size] of [
      [40, 33],
      [3, 5000],
      [700, 2],
      [1, 1024],
    ] as const) {
      const x = torch.randn([rows, size]).mul(3);
      const weight = torch.randn([size]);
      const wide = x.double();
      const plain = wide.mul(wide.mul(wide).mean([1], { keepdim: true }).add(1e-5).rsqrt());
      for (const [w, exact] of [
        [null, plain],
        [weight, plain.mul(weight.double())],
      ] as const) {
        const [found, wanted] = [numbers(torch.rms_norm(x, [size], w, 1e-5)), numbers(exact)];
        found.forEach((value, i) =>
          expect(Math.abs(value - wanted[i]!)).toBeLessThanOrEqual(4e-7 * Math.abs(wanted[i]!)),
        );
      }
    }
  });
});

test("ranges of every kind of number", () => {
  for (const dtype of [torch.int64, torch.int32, torch.uint8, torch.float32, torch.float64])
    for (const [start, end, step] of [
      [0, 100, 1],
      [3, 5000, 7],
      [200, 10, -3],
    ] as const) {
      const found = numbers(torch.arange(start, end, step, { dtype }));
      const count = Math.ceil((end - start) / step);
      const wrap = (v: number): number => (dtype === torch.uint8 ? v & 255 : v);
      expect(found).toEqual(Array.from({ length: count }, (_, i) => wrap(start + step * i)));
    }
  const first = 2 ** 52 - 1500;
  expect(numbers(torch.arange(first, first + 3000))).toEqual(Array.from({ length: 3000 }, (_, i) => first + i));
  const low = -(2 ** 31) - 1500;
  expect(numbers(torch.arange(low, low + 3000))).toEqual(Array.from({ length: 3000 }, (_, i) => low + i));
});

test("copies of repeated elements have their bits", () => {
  for (const dtype of [torch.uint8, torch.int64, torch.float16, torch.float32, torch.float64])
    for (const sizes of [
      [7, 33, 65],
      [70, 40],
      [5, 31, 3, 40],
    ]) {
      const small = torch
        .randint(
          0,
          200,
          sizes.map((size) => (integer(0, 1) === 0 ? 1 : size)),
        )
        .to(dtype);
      const wide = small.expand(sizes);
      const copy = wide.contiguous();
      expect(copy.strides).toEqual(torch.zeros(sizes).strides);
      expect(torch.equal(copy, wide)).toBe(true);
      expect(numbers(copy)).toEqual(numbers(small.add(torch.zeros(sizes, { dtype }))));
    }
});
