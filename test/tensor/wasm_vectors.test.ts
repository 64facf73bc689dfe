/** @file Vector functions, softmax and kept linear layers on the WebAssembly kernels give what the reference gives. */
import { afterAll, describe, expect, test } from "vitest";
import { fromData } from "../../src/tensor/data.ts";
import { floatsOf } from "../../src/tensor/kernels/data.ts";
import { linearProduct } from "../../src/tensor/kernels/matmul.ts";
import {
  kernelBuild,
  setKernelBuild,
  supportedKernelBuilds,
  wasmKernels,
} from "../../src/tensor/kernels/wasm/build.ts";
import { roundHalfEven } from "../../src/tensor/kernels/unary.ts";
import { releaseTemporary, runForTemporary } from "../../src/tensor/temporaries.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { erf } from "../../src/tensor/math/erf.ts";
import { SHORT_VECTORS, UNARY_VECTORS, type UnaryVector } from "../../src/tensor/kernels/wasm/vector_programs.ts";
import { wasmClamp, wasmElu, wasmLeakyRelu, wasmSoftmax, wasmUnary } from "../../src/tensor/kernels/wasm/vectors.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));
const fast = supportedKernelBuilds().filter((b) => b !== "reference");

const { fround } = Math;
/** min(max(x + 3, 0), 6) in float32. */
const ramp = (x: number): number => Math.min(Math.max(fround(x + 3), 0), 6);

/** The functions in double precision; those of few operations in float32, as PyTorch's vectors compute them. */
const EXACT: Readonly<Record<UnaryVector, (x: number) => number>> = {
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  logSigmoid: (x) => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x))),
  abs: Math.abs,
  neg: (x) => -x,
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  round: roundHalfEven,
  sqrt: (x) => fround(Math.sqrt(x)),
  square: (x) => fround(x * x),
  cube: (x) => fround(fround(x * x) * x),
  reciprocal: (x) => fround(1 / x),
  rsqrt: (x) => fround(1 / fround(Math.sqrt(x))),
  exp: Math.exp,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  silu: (x) => x / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  log: Math.log,
  erf,
  geluTanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  mish: (x) => x * Math.tanh(Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  hardsigmoid: (x) => fround(ramp(x) / 6),
  hardswish: (x) => fround(fround(x * ramp(x)) / 6),
};

/** Largest difference in units of 2^-24 of the value, or of `least` where the value is smaller. */
function worstError(actual: Float32Array, exact: (i: number) => number, least: number): number {
  let worst = 0;
  actual.forEach((value, i) => {
    const wanted = Math.fround(exact(i));
    if (Object.is(value, wanted) || value === wanted) return;
    const error = Math.abs(value - exact(i)) / (2 ** -24 * Math.max(Math.abs(wanted), least));
    worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
  });
  return worst;
}

describe.each(fast)("%s vectors", (build) => {
  test.each(UNARY_VECTORS)("%s over the range of float32, in any position, with special values", (name) => {
    setKernelBuild(build);
    const special = [
      NaN,
      Infinity,
      -Infinity,
      0,
      -0,
      1e-45,
      -1e-45,
      1e38,
      -1e38,
      88.7,
      88.8,
      -87,
      -103.9,
      -105,
      0.55,
      -0.55,
      1e-40,
      2 ** -126,
      Math.SQRT1_2,
      Math.SQRT2,
      0.99999994,
      1.0000001,
    ];
    const values = special.concat(Array.from({ length: 9000 }, (_, i) => (i - 4500) / 400));
    const x = Float32Array.from(values.concat(Array.from({ length: 1000 }, (_, i) => (i - 500) / 5)));
    for (const [n, ai, o] of [
      [x.length, 0, 0],
      [4099, 3, 2],
      [65, 1, 7],
      [3, 0, 1],
    ] as const) {
      const out = new Float32Array(o + n + 3).fill(-7);
      expect(wasmUnary(name, out, o, x, ai, n)).toBe(true);
      // denormal results keep their absolute precision, sigmoid and silu give 0 below -88.7 as PyTorch's vectors do; gelu's
      // tail beyond -5.5 has 3e-6 of relative precision, geluTanh beyond -3 that of the exponent; PyTorch has an absolute one of 1e-7 there
      const least =
        name === "geluTanh" ? 1e-2 : name === "gelu" ? 1e-6 : name === "exp" || name === "tanh" ? 1e-37 : 1e-29;
      expect(worstError(out.subarray(o, o + n), (i) => EXACT[name](x[ai + i]!), least)).toBeLessThan(12);
      if (name === "hardsigmoid" || name === "hardswish")
        expect([...out.subarray(o, o + n)]).toEqual([...x.subarray(ai, ai + n)].map(EXACT[name]));
      expect([...out.subarray(0, o), ...out.subarray(o + n)].every((v) => v === -7)).toBe(true);
    }
  });

  test.each(SHORT_VECTORS)("%s to the last bit", (name) => {
    setKernelBuild(build);
    const special = [NaN, Infinity, -Infinity, 0, -0, 1e-45, -1e-45, 3e38, -3e38, 8388609, 0.49999997, 2147483648];
    const x = Float32Array.from(special.concat(Array.from({ length: 9000 }, (_, i) => (i - 4500) / 8)));
    const out = new Float32Array(x.length + 2).fill(-7);
    expect(wasmUnary(name, out, 1, x, 0, x.length)).toBe(true);
    expect(out.slice(1, -1)).toEqual(x.map(EXACT[name]));
    expect([out[0], out.at(-1)]).toEqual([-7, -7]);
  });

  test("clamp: bounds in either order, what is not a number, the sign of zero", () => {
    setKernelBuild(build);
    const values = [NaN, -0, 0, Infinity, -Infinity, ...Array.from({ length: 9000 }, (_, i) => (i - 4500) / 1000)];
    const x = Float32Array.from(values);
    for (const [low, high] of [
      [0, Infinity],
      [-1, 2],
      [1, -1],
      [-Infinity, -0.5],
    ] as const) {
      const out = new Float32Array(x.length + 2).fill(-7);
      expect(wasmClamp(out, 1, x, 0, x.length, low, high)).toBe(true);
      const least = Math.min(low, high);
      x.forEach((v, i) => {
        const wanted = v < low ? least : v > high ? high : v;
        if (!Object.is(out[1 + i], Math.fround(wanted))) throw new Error(`clamp(${v}, ${low}, ${high}): ${out[1 + i]}`);
      });
      expect([out[0], out.at(-1)]).toEqual([-7, -7]);
    }
  });

  test("leaky relu: any slope, what is not a number, the sign of zero", () => {
    setKernelBuild(build);
    const values = [NaN, -0, 0, Infinity, -Infinity, ...Array.from({ length: 9000 }, (_, i) => (i - 4500) / 1000)];
    const x = Float32Array.from(values);
    for (const slope of [fround(0.01), 0, -2, Infinity]) {
      const out = new Float32Array(x.length + 2).fill(-7);
      expect(wasmLeakyRelu(out, 1, x, 0, x.length, slope)).toBe(true);
      expect([...out.subarray(1, -1)]).toEqual([...x].map((v) => (v > 0 ? v : fround(v * slope))));
      expect([out[0], out.at(-1)]).toEqual([-7, -7]);
    }
  });

  test("elu: any factors, near zero and far from it, what is not a number, the sign of zero", () => {
    setKernelBuild(build);
    const values = [NaN, -0, 0, Infinity, -Infinity, -1e-45, -1e-30, -1e-5, -0.34, -0.35, -87, -88, -3e38];
    const x = Float32Array.from(values.concat(Array.from({ length: 9000 }, (_, i) => (i - 4500) / 400)));
    for (const [slope, negative, positive] of [
      [1, 1, 1],
      [1, 1.7580993175506592, 1.0507010221481323],
      [0.25, 4, 1],
      [0, 1, -1],
    ] as const) {
      const out = new Float32Array(x.length + 2).fill(-7);
      expect(wasmElu(out, 1, x, 0, x.length, slope, negative, positive)).toBe(true);
      const exact = (v: number): number => (v < 0 ? Math.expm1(v * slope) * negative : v * positive);
      expect(worstError(out.subarray(1, -1), (i) => exact(x[i]!), 1e-37)).toBeLessThan(6);
      expect([out[0], out.at(-1)]).toEqual([-7, -7]);
    }
    const out = new Float32Array(x.length);
    expect(wasmElu(out, 0, x, 0, x.length, -1, 1, 1)).toBe(false);
  });

  test("functions run in place, and in the kernels' memory", () => {
    setKernelBuild(build);
    const { memory } = wasmKernels()!;
    const address = memory.allocate(4 * 103);
    const here = memory.f32.subarray(address / 4, address / 4 + 103);
    here.fill(0.5);
    here[102] = -7;
    expect(wasmUnary("tanh", here, 0, here, 0, 102)).toBe(true);
    expect(here[102]).toBe(-7);
    expect(here.subarray(0, 102).every((v) => Math.abs(v - Math.tanh(0.5)) < 1e-7)).toBe(true);
    memory.free(address);
  });

  test("softmax of rows of any length; rows with NaN, infinities and nothing but -infinity", () => {
    setKernelBuild(build);
    for (const [rows, columns] of [
      [1, 64],
      [7, 13],
      [3, 1001],
      [200, 4],
      [50, 197],
    ] as const) {
      const x = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i * 7) * 20);
      x[1] = -Infinity;
      if (rows > 2) {
        x[columns] = NaN;
        x.fill(-Infinity, 2 * columns, 3 * columns);
      }
      const out = new Float32Array(rows * columns);
      expect(wasmSoftmax(x, 0, out, 0, rows, columns)).toBe(true);
      const exact = (i: number): number => {
        const row = x.subarray(Math.floor(i / columns) * columns, (Math.floor(i / columns) + 1) * columns);
        const most = row.some(Number.isNaN) ? NaN : Math.max(...row);
        return Math.exp(x[i]! - most) / row.reduce((sum, v) => sum + Math.exp(v - most), 0);
      };
      expect(worstError(out, exact, 1e-30)).toBeLessThan(60);
    }
  });

  test("linear layers of any size, and again when the weight has changed", () => {
    for (const [rows, k, n, hasBias] of [
      [1, 64, 256, true],
      [3, 65, 70, false],
      [4, 37, 101, true],
      [5, 33, 67, true],
      [197, 96, 130, true],
      [40, 700, 33, false],
      [130, 17, 1300, true],
      [601, 70, 50, true],
      [517, 70, 50, true],
      [6, 1100, 95, true],
    ] as const) {
      const random = (count: number): Float32Array => Float32Array.from({ length: count }, () => Math.random() - 0.5);
      const x = fromData(random(rows * k), [rows, k]);
      const w = fromData(random(n * k), [n, k]);
      const b = hasBias ? fromData(random(n), [n]) : null;
      for (let round = 0; round < 3; round++) {
        setKernelBuild("reference");
        const wanted = floatsOf(linearProduct(x, w, b));
        setKernelBuild(build);
        const here = runForTemporary(() => fromData(floatsOf(x), [rows, k]))() as Tensor;
        const there = runForTemporary(() => linearProduct(here, w, b))() as Tensor;
        for (const result of [linearProduct(x, w, b), there]) {
          const actual = floatsOf(result);
          let worst = 0;
          for (let i = 0; i < actual.length; i++) worst = Math.max(worst, Math.abs(actual[i]! - wanted[i]!));
          expect(worst).toBeLessThan(2e-6 * Math.sqrt(k));
        }
        releaseTemporary(here);
        releaseTemporary(there);
        floatsOf(w).forEach((v, i, all) => (all[i] = 0.5 - v));
        w.storage.version++;
      }
    }
  });
});
