/** @file Functions that are computed in double precision on the WebAssembly kernels give the nearest float32, remainders exactly; those of three operands PyTorch's bits. */
import { afterAll, describe, expect, test } from "vitest";
import { BINARY } from "../../src/tensor/kernels/binary.ts";
import { UNARY } from "../../src/tensor/kernels/unary.ts";
import {
  kernelBuild,
  setKernelBuild,
  supportedKernelBuilds,
  wasmKernels,
} from "../../src/tensor/kernels/wasm/build.ts";
import { TERNARY_VECTORS, type TernaryVector } from "../../src/tensor/kernels/wasm/element_programs.ts";
import { ternaryLoop } from "../../src/tensor/kernels/wasm/elements.ts";
import {
  WIDE_PAIRS,
  WIDE_VECTORS,
  type WidePair,
  type WideVector,
} from "../../src/tensor/kernels/wasm/wide_programs.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));
const fast = supportedKernelBuilds().filter((b) => b !== "reference");
const { fround } = Math;

const SPECIAL = [
  [NaN, Infinity, -Infinity, 0, -0, 1e-45, -1e-45, 2 ** -126, -1e-40, 3.4e38, -3.4e38, 1, -1, 0.5, -0.5, 2, -2],
  [3, -3, 2.5, -2.5, 0.7, 0.99999994, 1.0000001, 8388609, -16777216, 5e30, 1e5, 131072.5, -131071, 104, -104, 89, 1e10],
].flat();

/** The functions in double precision. */
const EXACT: Readonly<Record<WideVector, (x: number) => number>> = {
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  atan: Math.atan,
  asin: Math.asin,
  acos: Math.acos,
  log1p: Math.log1p,
  log2: Math.log2,
  log10: Math.log10,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  exp2: (x) => 2 ** x,
  expm1: Math.expm1,
  sinh: Math.sinh,
  cosh: Math.cosh,
};
const EXACT_PAIRS: Readonly<Record<WidePair, (a: number, b: number) => number>> = {
  atan2: Math.atan2,
  hypot: Math.hypot,
  pow: BINARY.pow.real,
  fmod: (a, b) => a % b,
  remainder: BINARY.remainder.real,
};

/** Elements that are neither the nearest float32 nor up to 0.501 units in the last place off. */
function wrong(actual: Float32Array, exact: (i: number) => number): number[] {
  const indices: number[] = [];
  actual.forEach((value, i) => {
    const wanted = exact(i);
    const nearest = fround(wanted);
    if (Object.is(value, nearest)) return;
    const unit = 2 ** Math.max(-149, Math.floor(Math.log2(Math.abs(wanted))) - 23);
    if (nearest === 0 || !(Math.abs(value - wanted) <= 0.501 * unit)) indices.push(i);
  });
  return indices;
}

/** All exponents, both signs; and the special ones. */
const sweep = (n: number, shift: number): Float32Array => {
  const x = new Float32Array(n);
  const bits = new Int32Array(x.buffer);
  for (let i = 0; i < n; i++) bits[i] = Math.imul(i + shift, 0x9e3779b1);
  x.set(SPECIAL, n >> 1);
  return x;
};
/** What lies around one. */
const near = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => ((i * 7919) % n) / (n / 8) - 4);

describe.each(fast)("%s build", (build) => {
  test.each(WIDE_VECTORS)("%s of every exponent and around one, in any position", (name) => {
    setKernelBuild(build);
    const { memory } = wasmKernels()!;
    for (const x of [sweep(1 << 16, 5), near(1 << 15)]) {
      for (const [n, ai, o] of [
        [x.length, 0, 0],
        [4099, 3, 2],
        [x.length - (x.length >> 1), x.length >> 1, 1],
        [65, 1, 7],
        [63, 0, 0],
        [0, 0, 0],
      ] as const) {
        const out = new Float32Array(o + n + 3).fill(-7);
        UNARY[name].f32(out, o, x, ai, n);
        expect(wrong(out.subarray(o, o + n), (i) => EXACT[name](x[ai + i]!))).toEqual([]);
        expect([...out.subarray(0, o), ...out.subarray(o + n)]).toEqual(new Array(o + 3).fill(-7));
      }
      const at = memory.allocate(4 * x.length) / 4;
      const { f32 } = memory;
      f32.set(x, at);
      UNARY[name].f32(f32, at, f32, at, x.length);
      expect(wrong(f32.slice(at, at + x.length), (i) => EXACT[name](x[i]!))).toEqual([]);
      memory.free(4 * at);
    }
  });

  test.each(WIDE_PAIRS)("%s of special numbers, of every exponent and around one, repeated operands too", (name) => {
    setKernelBuild(build);
    const { memory } = wasmKernels()!;
    const loop = BINARY[name].f32;
    const grid = SPECIAL.flatMap((a) => SPECIAL.map((b) => [a, b] as const));
    for (const [x, y] of [
      [Float32Array.from(grid, ([a]) => a), Float32Array.from(grid, ([, b]) => b)],
      [sweep(30011, 3), sweep(30011, 77)],
      [near(30011), near(30011).reverse()],
    ] as const) {
      const n = x.length - 2;
      for (const [as, bs] of [
        [1, 1],
        [1, 0],
        [0, 1],
        [0, 0],
      ] as const) {
        const exact = (i: number): number => EXACT_PAIRS[name](x[1 + i * as]!, y[2 + i * bs]!);
        const out = new Float32Array(n + 4).fill(-7);
        loop(out, 2, x, 1, as, y, 2, bs, n);
        expect(wrong(out.subarray(2, n + 2), exact)).toEqual([]);
        expect([out[1], out[n + 2]]).toEqual([-7, -7]);
        const at = memory.allocate(8 * x.length) / 4;
        const { f32 } = memory;
        f32.set(x, at);
        f32.set(y, at + x.length);
        if (as === 1) loop(f32, at + 1, f32, at + 1, as, f32, at + x.length + 2, bs, n);
        if (as === 1) expect(wrong(f32.slice(at + 1, at + 1 + n), exact)).toEqual([]);
        memory.free(4 * at);
      }
      const [a, b] = [x.slice(0, 600), y.slice(0, 900)];
      const strided = new Float32Array(300);
      loop(strided, 0, a, 1, 2, b, 0, 3, 299);
      expect(wrong(strided.subarray(0, 299), (i) => EXACT_PAIRS[name](a[1 + 2 * i]!, b[3 * i]!))).toEqual([]);
    }
  });

  /** As PyTorch rounds: products only with the sum. */
  const TERNARY: Readonly<Record<TernaryVector, (a: number, b: number, c: number) => number>> = {
    lerp: (a, b, w) => (Math.abs(w) < 0.5 ? a + w * fround(b - a) : b + fround(w - 1) * fround(b - a)),
    addcmul: (a, b, c) => a + fround(fround(0.3) * b) * c,
    addcdiv: (a, b, c) => a + fround(fround(fround(0.3) * b) / c),
  };
  test.each(TERNARY_VECTORS)("%s of arrays and repeated elements, at any position", (name) => {
    setKernelBuild(build);
    const { memory } = wasmKernels()!;
    const loop = ternaryLoop(name, TERNARY[name], fround(0.3));
    const length = 4101;
    const values = [0, 1, 2].map((shift) =>
      Float32Array.from({ length }, (_, i) =>
        (i + shift) % 29 === 0
          ? [NaN, Infinity, -Infinity, 0, -0, 3e38, -3e38][((i + shift) / 29) % 7]!
          : Math.sin(i * (1 + shift)) * 3,
      ),
    );
    for (const n of [0, 5, 511, 512, 4099]) {
      for (let mask = 0; mask < 8; mask++) {
        const steps = [mask & 1, (mask >> 1) & 1, mask >> 2];
        const at = [1, 2, 0];
        const wanted = Float32Array.from({ length: n }, (_, i) =>
          TERNARY[name](...(values.map((x, k) => x[at[k]! + i * steps[k]!]!) as [number, number, number])),
        );
        const out = new Float32Array(n + 2).fill(-7);
        loop(out, 1, values, at, steps, n);
        expect(out.slice(1, n + 1)).toEqual(wanted);
        expect([out[0], out[n + 1]]).toEqual([-7, -7]);
        const start = memory.allocate(12 * length) / 4;
        const { f32 } = memory;
        values.forEach((x, k) => f32.set(x, start + k * length));
        const here = at.map((a, k) => start + k * length + a);
        if (steps[0] === 1) loop(f32, here[0]!, [f32, f32, f32], here, steps, n);
        if (steps[0] === 1) expect(f32.slice(here[0], here[0]! + n)).toEqual(wanted);
        memory.free(4 * start);
      }
    }
  });
});
