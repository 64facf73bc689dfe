/** @file Variances, log-sum-exps and places of extrema on the WebAssembly kernels give what plain loops give. */
import { afterAll, describe, expect, test } from "vitest";
import {
  kernelBuild,
  setKernelBuild,
  supportedKernelBuilds,
  wasmKernels,
} from "../../src/tensor/kernels/wasm/build.ts";
import { wasmLogSumExp, wasmMoments, wasmWhere, type Planes } from "../../src/tensor/kernels/wasm/centered.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));
const fast = supportedKernelBuilds().filter((b) => b !== "reference");

const SHAPES: readonly Planes[] = [
  { outer: 40, count: 37, inner: 1 },
  { outer: 3, count: 16384, inner: 1 },
  { outer: 2, count: 40001, inner: 1 },
  { outer: 1, count: 513, inner: 1 },
  { outer: 700, count: 8, inner: 1 },
  { outer: 2, count: 300, inner: 7 },
  { outer: 5, count: 33, inner: 64 },
  { outer: 1, count: 4000, inner: 9 },
  { outer: 3, count: 1, inner: 900 },
];
const OFFSET = 3;

/** Rows of plain numbers, of equal ones, and with zeros of both signs, infinities and what is not a number. */
function elements({ outer, count, inner }: Planes): Float32Array {
  const x = Float32Array.from({ length: outer * count * inner + OFFSET }, (_, i) => Math.sin(i * 1.7) * 9 + 5);
  const special = [NaN, Infinity, -Infinity, -0, 0, 3e38, -3e38];
  for (let i = 97; i < x.length; i += 611) x[i] = special[((i - 97) / 611) % 14]! ?? 1;
  x.fill(-0, OFFSET + 100, OFFSET + 110);
  if (outer * inner > 4) x.fill(-Infinity, x.length - count * inner);
  return x;
}

/** Where the elements lie: in an array of their own, and in the kernels' memory. */
function places(x: Float32Array): { array: Float32Array; at: number; free: () => void }[] {
  const { memory } = wasmKernels()!;
  const address = memory.allocate(4 * x.length);
  memory.f32.set(x, address / 4);
  const array = memory.f32;
  return [
    { array: x, at: OFFSET, free: () => undefined },
    { array, at: address / 4 + OFFSET, free: () => memory.free(address) },
  ];
}

/** The elements that are taken together, by result. */
function line(x: Float32Array, { count, inner }: Planes, k: number): number[] {
  const from = OFFSET + Math.floor(k / inner) * count * inner + (k % inner);
  return Array.from({ length: count }, (_, c) => x[from + c * inner]!);
}

const close = (actual: ArrayLike<number>, k: number, wanted: number): void => {
  const [a, w] = [Math.fround(actual[k]!), Math.fround(wanted)];
  if (!Object.is(a, w)) expect(Math.abs(a - w)).toBeLessThanOrEqual(1e-7 * Math.abs(w) + 1e-12);
};

describe.each(fast)("%s build", (build) => {
  test.each(SHAPES)("$outer x $count x $inner", (planes) => {
    setKernelBuild(build);
    const n = planes.outer * planes.inner;
    const x = elements(planes);
    for (const { array, at, free } of places(x)) {
      const results = new Float64Array(n);
      expect(wasmLogSumExp(array, at, planes, results)).toBe(true);
      for (let k = 0; k < n; k++) {
        const row = line(x, planes, k);
        const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
        const sum = row.reduce((total, v) => total + Math.exp(v - most), 0);
        close(results, k, Number.isFinite(most) ? most + Math.log(sum) : most);
      }
      const means = new Float64Array(n);
      expect(wasmMoments(array, at, planes, means, results)).toBe(true);
      for (let k = 0; k < n; k++) {
        const row = line(x, planes, k);
        const mean = row.reduce((a, b) => a + b, 0) / row.length;
        close(means, k, mean);
        close(
          results,
          k,
          row.reduce((a, b) => a + (b - mean) ** 2, 0),
        );
      }
      for (const isMax of [true, false]) {
        const where = new Int32Array(n);
        expect(wasmWhere(isMax, array, at, planes, where)).toBe(true);
        const wanted = Array.from(where, (_, k) => {
          const row = line(x, planes, k);
          const none = row.findIndex((v) => v !== v);
          const extreme = row.reduce((a, b) => (isMax ? Math.max(a, b) : Math.min(a, b)));
          return none >= 0 ? none : row.findIndex((v) => v === extreme);
        });
        expect([...where]).toEqual(wanted);
      }
      free();
    }
  });

  test("few elements, and rows of few, are left to the reference", () => {
    setKernelBuild(build);
    const x = new Float32Array(6000);
    for (const planes of [
      { outer: 1, count: 0, inner: 900 },
      { outer: 10, count: 10, inner: 1 },
      { outer: 1000, count: 3, inner: 1 },
      { outer: 100, count: 20, inner: 3 },
    ]) {
      const results = new Float64Array(planes.outer * planes.inner);
      expect(wasmLogSumExp(x, 0, planes, results)).toBe(false);
      expect(wasmMoments(x, 0, planes, results, results)).toBe(false);
      expect(wasmWhere(true, x, 0, planes, new Int32Array(results.length))).toBe(false);
    }
  });
});
