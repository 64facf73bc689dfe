/** @file The WebAssembly kernels give what the reference kernels give, over random shapes, offsets, strides and special values. */
import { afterAll, describe, expect, test } from "vitest";
import { UnsupportedError } from "../../src/base/errors.ts";
import { convolve, type ConvGeometry, type Triple } from "../../src/tensor/kernels/convolution.ts";
import { denseProduct, rowProductFor } from "../../src/tensor/kernels/gemm.ts";
import { encodeModule, FunctionBuilder } from "../../src/base/wasm_assembler.ts";
import {
  kernelBuild,
  setKernelBuild,
  supportedKernelBuilds,
  wasmKernels,
  type KernelBuild,
} from "../../src/tensor/kernels/wasm/build.ts";
import { KERNEL_FAMILIES, kernelModuleBytes, type FastBuild } from "../../src/tensor/kernels/wasm/kernel_modules.ts";
import { setExactConvolution } from "../../src/tensor/kernels/wasm/winograd.ts";
import { fromData } from "../../src/tensor/data.ts";
import { floatsOf } from "../../src/tensor/kernels/data.ts";
import type { Storage } from "../../src/tensor/storage.ts";
import { wasmConvolve } from "../../src/tensor/kernels/wasm/convolution.ts";
import { affinePairs } from "../../src/tensor/kernels/wasm/finish.ts";
import { Weights } from "../../src/tensor/kernels/wasm/packed_weights.ts";
import { wasmProduct } from "../../src/tensor/kernels/wasm/product.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));

const fast = supportedKernelBuilds().filter((b): b is Exclude<KernelBuild, "reference"> => b !== "reference");

let state = 12345;
/** A number in [0, 1): a linear congruential generator, so that failures repeat. */
function next(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}
const integer = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
const random = (count: number): Float32Array => Float32Array.from({ length: count }, () => 2 * next() - 1);
const absolute = (values: Float32Array): Float32Array => values.map(Math.abs);

/** Runs `body` under a build into a fresh array whose elements outside of the result must stay as they are. */
function under(build: KernelBuild, count: number, body: (out: Float32Array) => void): Float32Array {
  setKernelBuild(build);
  const out = new Float32Array(count).fill(-7);
  body(out);
  return out;
}

/** `under` with operands and result in the kernels' memory. */
function resident(
  build: KernelBuild,
  count: number,
  operands: readonly Float32Array[],
  body: (operands: readonly Float32Array[], out: Float32Array) => void,
): Float32Array {
  setKernelBuild(build);
  const { memory } = wasmKernels()!;
  const arrays = [new Float32Array(count).fill(-7), ...operands];
  const blocks = arrays.map((array) => memory.allocate(4 * array.length));
  memory.residents++; // the memory must not grow under the views
  const [out, ...rest] = arrays.map((array, i) => {
    const view = memory.f32.subarray(blocks[i]! / 4, blocks[i]! / 4 + array.length);
    view.set(array);
    return view;
  }) as [Float32Array, ...Float32Array[]];
  body(rest, out);
  const result = out.slice();
  memory.residents--;
  for (const block of blocks) memory.free(block);
  return result;
}

/** float32 sums against double sums: the error is a small part of the sum of absolute products, 2^-21 of it at these sizes. */
function expectClose(actual: Float32Array, expected: Float32Array, scale: Float32Array, bound = 2 ** -21): void {
  let worst = 0;
  actual.forEach((value, i) => {
    if (Object.is(value, expected[i])) return;
    const error = Math.abs(value - expected[i]!);
    worst = Math.max(worst, Number.isNaN(error) ? Infinity : error / (1e-30 + Math.abs(scale[i]!)));
  });
  expect(worst).toBeLessThan(bound);
}

/** A product by both builds; operands and result start at odd offsets with rows further apart than they are long. */
function compareProducts(build: KernelBuild, m: number, n: number, k: number): void {
  const [aAt, bAt, cAt] = [integer(0, 5), integer(0, 5), integer(0, 5)];
  const [lda, ldb, ldc] = [k + integer(0, 3), k + integer(0, 3), n + integer(0, 3)];
  const [a, b] = [random(aAt + m * lda), random(bAt + n * ldb)];
  const size = cAt + m * ldc;
  const product = (x: Float32Array, y: Float32Array) => (out: Float32Array) =>
    rowProductFor(out)(x, aAt, lda, y, bAt, ldb, out, cAt, ldc, m, n, k);
  expectClose(
    under(build, size, product(a, b)),
    under("reference", size, product(a, b)),
    under("reference", size, product(absolute(a), absolute(b))),
  );
  expect(
    resident(build, size, [a, b], ([u, v], out) => product(u!, v!)(out)),
    `${m} ${n} ${k}`,
  ).toEqual(under(build, size, product(a, b)));
  const [x, y] = [random(m * k), random(k * n)];
  const dense = (u: Float32Array, v: Float32Array) => (out: Float32Array) => denseProduct(u, 0, v, 0, out, 0, m, n, k);
  expectClose(
    under(build, m * n, dense(x, y)),
    under("reference", m * n, dense(x, y)),
    under("reference", m * n, dense(absolute(x), absolute(y))),
  );
  expect(
    resident(build, m * n, [x, y], ([u, v], out) => dense(u!, v!)(out)),
    `${m} ${n} ${k}`,
  ).toEqual(under(build, m * n, dense(x, y)));
}

function geometry(
  batch: number,
  inChannels: number,
  outChannels: number,
  groups: number,
  input: Triple,
  kernel: Triple,
  stride: Triple,
  padding: Triple,
  dilation: Triple,
): ConvGeometry {
  const size = (d: 0 | 1 | 2): number =>
    Math.floor((input[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) / stride[d]) + 1;
  return {
    batch,
    inChannels,
    outChannels,
    groups,
    input,
    kernel,
    stride,
    padding,
    dilation,
    output: [size(0), size(1), size(2)],
  };
}

const volume = (t: Triple): number => t[0] * t[1] * t[2];

function compareConvolutions(build: KernelBuild, g: ConvGeometry, bound?: number): void {
  const x = random(g.batch * g.inChannels * volume(g.input));
  const w = random((g.outChannels * g.inChannels * volume(g.kernel)) / g.groups);
  const size = g.batch * g.outChannels * volume(g.output);
  const run = (u: Float32Array, v: Float32Array) => (out: Float32Array) => convolve(u, v, out, g);
  expectClose(
    under(build, size, run(x, w)),
    under("reference", size, run(x, w)),
    under("reference", size, run(absolute(x), absolute(w))),
    bound,
  );
}

describe("encodeModule()", () => {
  test("makes modules that compile and run", () => {
    const f = new FunctionBuilder("store", ["i32", "i32"]);
    f.get(0).get(1).i32(-300).op("i32.add").memory("i32.store");
    const memory = new WebAssembly.Memory({ initial: 1 });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(encodeModule([f])), { e: { m: memory } });
    (exports["store"] as (at: number, value: number) => void)(8, 1000);
    expect(new Int32Array(memory.buffer)[2]).toBe(700);
  });
  test.each([true, false])(
    "keeps kernels below the 4 KiB that older browsers compile synchronously (pinned rows: %s)",
    (pinned) => {
      const above = (build: FastBuild): string[] =>
        KERNEL_FAMILIES.filter((family) => kernelModuleBytes(build, family, false, pinned).length >= 4096);
      expect(above("simd")).toEqual([]);
      // six rows: browsers with fused multiply-add are younger than that limit
      expect(above("relaxed")).toEqual(["convolution"]);
    },
  );
});

describe("setKernelBuild()", () => {
  test("switches to the reference kernels", () => {
    setKernelBuild("reference");
    expect(wasmKernels()).toBeUndefined();
    expect(wasmProduct(random(4096), 0, 64, random(4096), 0, 64, true, new Float32Array(4096), 0, 64, 64, 64, 64)).toBe(
      false,
    );
  });
  test("refuses a build that the platform lacks", () => {
    expect(() => setKernelBuild("mmx" as KernelBuild)).toThrow(UnsupportedError);
  });
});

describe.each(fast)("%s kernels", (build) => {
  test("compile and take the work", () => {
    setKernelBuild(build);
    expect(wasmKernels()).toBeDefined();
    expect(wasmProduct(random(4096), 0, 64, random(4096), 0, 64, true, new Float32Array(4096), 0, 64, 64, 64, 64)).toBe(
      true,
    );
    const g = geometry(1, 8, 8, 1, [1, 16, 16], [1, 3, 3], [1, 1, 1], [0, 1, 1], [1, 1, 1]);
    expect(wasmConvolve(random(2048), Weights.ofArray(random(576)), new Float32Array(2048), g)).toBe(true);
  });
  test("multiply matrices of random shapes as the reference does", () => {
    for (let i = 0; i < 60; i++) compareProducts(build, integer(1, 70), integer(1, 70), integer(1, 90));
  });
  test("multiply few rows or columns as the reference does", () => {
    for (let i = 0; i < 30; i++) {
      compareProducts(build, integer(1, 5), integer(100, 300), integer(1, 200));
      compareProducts(build, integer(100, 300), integer(1, 5), integer(1, 200));
    }
    // rows that are read in turn
    for (let i = 0; i < 8; i++) compareProducts(build, integer(1, 2), integer(600, 620), integer(440, 470));
  });
  test("multiply in passes of the inner dimension and of the rows", () => {
    compareProducts(build, 530, 17, 1100);
    compareProducts(build, 7, 2100, 513);
    compareProducts(build, 6, 8, 5000);
    compareProducts(build, 2, 3, 9001);
  });
  test("keep NaN and infinities in their rows and columns", () => {
    const [m, n, k] = [13, 21, 67];
    const [a, b] = [random(m * k), random(n * k)];
    a[3 * k + 5] = NaN;
    a[4 * k] = Infinity;
    b[7 * k + 2] = -Infinity;
    b[20 * k + 66] = NaN;
    const run = (out: Float32Array): void => rowProductFor(out)(a, 0, k, b, 0, k, out, 0, n, m, n, k);
    const kind = (values: Float32Array): string[] =>
      Array.from(values, (v) => (Number.isFinite(v) ? "finite" : String(v)));
    expect(kind(under(build, m * n, run))).toEqual(kind(under("reference", m * n, run)));
  });
  test("convolve random geometries as the reference does", () => {
    for (let i = 0; i < 80; i++) {
      const groups = integer(1, 3);
      const three = (low: number, high: number): Triple => [
        i % 4 === 0 ? integer(low, high) : low === 0 ? 0 : 1,
        integer(low, high),
        integer(low, high),
      ];
      const kernel = three(1, 4);
      const stride = three(1, 3);
      const dilation = three(1, 3);
      const padding = three(0, 3);
      const input: Triple = [
        kernel[0] * dilation[0] + integer(0, 3),
        kernel[1] * dilation[1] + integer(0, 12),
        kernel[2] * dilation[2] + integer(0, 12),
      ];
      compareConvolutions(
        build,
        geometry(
          integer(1, 2),
          groups * integer(1, 5),
          groups * integer(1, 9),
          groups,
          input,
          kernel,
          stride,
          padding,
          dilation,
        ),
      );
    }
  });
  test("convolve channel by channel as the reference does", () => {
    for (let i = 0; i < 40; i++) {
      const groups = integer(1, 40);
      const kernel: Triple = [integer(1, 2), integer(1, 5), integer(1, 5)];
      const stride: Triple = [1, integer(1, 3), integer(1, 3)];
      const input: Triple = [kernel[0] + integer(0, 2), kernel[1] + integer(0, 20), kernel[2] + integer(0, 20)];
      compareConvolutions(
        build,
        geometry(
          integer(1, 2),
          groups,
          groups * integer(1, 2),
          groups,
          input,
          kernel,
          stride,
          [0, integer(0, 2), integer(0, 2)],
          [1, 1, 1],
        ),
      );
    }
  });
  test("convolve without padding and stride by whole planes", () => {
    compareConvolutions(build, geometry(2, 24, 40, 1, [1, 13, 11], [1, 1, 1], [1, 1, 1], [0, 0, 0], [1, 1, 1]));
    compareConvolutions(build, geometry(1, 3, 20, 1, [1, 32, 32], [1, 8, 8], [1, 8, 8], [0, 0, 0], [1, 1, 1]));
    compareConvolutions(build, geometry(1, 16, 8, 1, [1, 9, 9], [1, 1, 1], [1, 2, 2], [0, 0, 0], [1, 1, 1]));
  });
  test("convolve in bands of rows where the result is large", () => {
    compareConvolutions(build, geometry(1, 2, 64, 1, [1, 90, 90], [1, 3, 3], [1, 1, 1], [0, 1, 1], [1, 1, 1]));
  });
  test("convolve 3 by 3 filters by Winograd's transforms, with errors of a small part of the sum of absolute products", () => {
    for (let i = 0; i < 60; i++) {
      const input: Triple = [1, integer(2, 31), integer(2, 31)];
      const padding: Triple = [0, integer(1, 2), integer(1, 2)];
      const [c, o] = [integer(8, 40), integer(8, 40)];
      compareConvolutions(
        build,
        geometry(integer(1, 2), c, o, 1, input, [1, 3, 3], [1, 1, 1], padding, [1, 1, 1]),
        2 ** -17,
      );
    }
    compareConvolutions(
      build,
      geometry(1, 600, 13, 1, [1, 7, 7], [1, 3, 3], [1, 1, 1], [0, 1, 1], [1, 1, 1]),
      2 ** -17,
    );
    compareConvolutions(
      build,
      geometry(1, 64, 64, 1, [1, 56, 56], [1, 3, 3], [1, 1, 1], [0, 1, 1], [1, 1, 1]),
      2 ** -17,
    );
  });
  test("convolve exactly where that is asked for", () => {
    const g = geometry(1, 24, 24, 1, [1, 14, 14], [1, 3, 3], [1, 1, 1], [0, 1, 1], [1, 1, 1]);
    setExactConvolution(true);
    try {
      compareConvolutions(build, g);
    } finally {
      setExactConvolution(false);
    }
  });
  test("keep what is made of weights until the weights change", () => {
    setKernelBuild(build);
    for (const [c, kernel] of [
      [24, 3],
      [24, 1],
      [3, 5],
    ] as const) {
      const padding: Triple = [0, kernel >> 1, kernel >> 1];
      const g = geometry(1, c, 16, 1, [1, 12, 12], [1, kernel, kernel], [1, 1, 1], padding, [1, 1, 1]);
      const x = random(c * 144);
      const weight = fromData(random(16 * c * kernel * kernel), [16, c, kernel, kernel]);
      const w = floatsOf(weight) as Float32Array;
      const run = (owner?: Storage): Float32Array => {
        const out = new Float32Array(16 * 144);
        wasmConvolve(x, Weights.ofArray(w, owner), out, g);
        return out;
      };
      const first = run(weight.storage);
      expect(first).toEqual(run());
      expect(run(weight.storage)).toEqual(first);
      w.fill(0.25);
      expect(run(weight.storage)).toEqual(first); // nobody said so
      weight.storage.version++;
      expect(run(weight.storage)).toEqual(run());
      expect(run(weight.storage)).not.toEqual(first);
    }
  });
  test("scale, shift, add a residual and clamp what a convolution gives", () => {
    setKernelBuild(build);
    for (const [c, o, groups, kernel, stride, size] of [
      [16, 18, 1, 3, 1, 13],
      [16, 18, 1, 1, 1, 9],
      [3, 7, 1, 3, 2, 17],
      [12, 12, 12, 3, 1, 10],
    ] as const) {
      const padding: Triple = [0, kernel >> 1, kernel >> 1];
      const g = geometry(
        2,
        c,
        o,
        groups,
        [1, size, size],
        [1, kernel, kernel],
        [1, stride, stride],
        padding,
        [1, 1, 1],
      );
      const [x, w] = [random(2 * c * size * size), random((o * c * kernel * kernel) / groups)];
      const plane = volume(g.output);
      const [plain, out, residual] = [
        new Float32Array(2 * o * plane),
        new Float32Array(2 * o * plane),
        random(2 * o * plane),
      ];
      const [scale, shift] = [random(o), random(o)];
      expect(wasmConvolve(x, Weights.ofArray(w), plain, g)).toBe(true);
      expect(
        wasmConvolve(x, Weights.ofArray(w), out, g, {
          affine: affinePairs(o, scale, shift),
          residual,
          low: 0,
          high: 1.5,
        }),
      ).toBe(true);
      plain.forEach((value, i) => {
        const channel = Math.floor(i / plane) % o;
        const wanted = Math.min(1.5, Math.max(0, value * scale[channel]! + shift[channel]! + residual[i]!));
        expect(Math.abs(out[i]! - wanted)).toBeLessThan(1e-5);
      });
    }
  });
});
