/** @file Sums and extrema on the WebAssembly kernels give what plain loops give, over random shapes and special values. */
import { afterAll, describe, expect, test } from "vitest";
import {
  kernelBuild,
  setKernelBuild,
  supportedKernelBuilds,
  type KernelBuild,
} from "../../src/tensor/kernels/wasm/build.ts";
import { REDUCTIONS } from "../../src/tensor/kernels/wasm/reduction_programs.ts";
import { wasmReduce } from "../../src/tensor/kernels/wasm/reductions.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));

let state = 99;
function next(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}
const integer = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));

function check(outer: number, count: number, inner: number, special: readonly number[] = []): void {
  const offset = integer(0, 5);
  // a product of many small numbers is zero from some number on, and whether an infinity meets that zero depends on the order
  const draw = special.length > 0 ? () => (0.9 + 0.2 * next()) * (next() < 0.5 ? -1 : 1) : () => 2 * next() - 1;
  const x = Float32Array.from({ length: offset + outer * count * inner + 7 }, draw);
  for (const value of special) x[offset + integer(0, outer * count * inner - 1)] = value;
  for (const kind of REDUCTIONS) {
    const results = new Float64Array(outer * inner).fill(12345);
    expect(wasmReduce(kind, x, offset, outer, count, inner, results)).toBe(true);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const values = Array.from({ length: count }, (_, c) => x[offset + (o * count + c) * inner + i]!);
        const size =
          kind === "prod"
            ? Math.abs(values.reduce((a, b) => a * b, 1))
            : values.reduce((sum, v) => sum + Math.abs(v), 0);
        const expected =
          kind === "sum"
            ? values.reduce((sum, v) => sum + v, 0)
            : kind === "squares"
              ? values.reduce((sum, v) => sum + v * v, 0)
              : kind === "prod"
                ? values.reduce((a, b) => a * b, 1)
                : values.reduce((a, b) => Math[kind](a, b));
        const got = results[o * inner + i]!;
        const isSame =
          Object.is(got, expected) || got === expected || Math.abs(got - expected) <= 1e-12 * size + 1e-300;
        if (!isSame)
          throw new Error(`${kind} of ${outer} x ${count} x ${inner} at ${o}, ${i}: ${got}, not ${expected}`);
      }
    }
  }
}

describe.each(supportedKernelBuilds().filter((b): b is Exclude<KernelBuild, "reference"> => b !== "reference"))(
  "%s",
  (build) => {
    test("rows", () => {
      setKernelBuild(build);
      for (let round = 0; round < 40; round++) check(integer(1, 40), integer(512, 700), 1);
      check(3, 40_001, 1);
      check(1, 16384, 1);
      check(700, 9, 1);
    });
    test("columns", () => {
      setKernelBuild(build);
      for (let round = 0; round < 40; round++) check(integer(1, 4), integer(1, 60), integer(512, 600));
      check(2, 3000, 17);
      check(100, 3, 5);
    });
    test("infinities and what is not a number", () => {
      setKernelBuild(build);
      for (const special of [[NaN], [Infinity], [-Infinity], [Infinity, -Infinity], [NaN, Infinity], [-0, 0]]) {
        check(5, 333, 1, special);
        check(2, 40, 33, special);
        check(1, 20_000, 1, special);
      }
    });
  },
);
