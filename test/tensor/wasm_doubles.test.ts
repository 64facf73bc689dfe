/** @file float64 products on the WebAssembly kernels have the bits of plain sums in order, over random sizes, offsets and special values. */
import { afterAll, describe, expect, test } from "vitest";
import { rowProductFor } from "../../src/tensor/kernels/gemm.ts";
import {
  kernelBuild,
  setKernelBuild,
  supportedKernelBuilds,
  type KernelBuild,
} from "../../src/tensor/kernels/wasm/build.ts";
import { wasmProduct64 } from "../../src/tensor/kernels/wasm/doubles.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));

let state = 21;
const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
const integer = (low: number, high: number): number => low + Math.floor(random() * (high - low + 1));
const SPECIAL = [NaN, Infinity, -Infinity, -0, 1e308, 5e-324];

function check(m: number, n: number, k: number, specials: number): void {
  const [lda, ldb, ldc] = [k + integer(0, 2), k + integer(0, 2), n + integer(0, 2)];
  const make = (length: number): Float64Array =>
    Float64Array.from({ length }, () =>
      random() < specials ? SPECIAL[integer(0, SPECIAL.length - 1)]! : random() - 0.5,
    );
  const [a, b] = [make(3 + m * lda), make(5 + n * ldb)];
  const c = new Float64Array(2 + m * ldc).fill(7);
  expect(wasmProduct64(a, 3, lda, b, 5, ldb, c, 2, ldc, m, n, k)).toBe(true);
  const wanted = new Float64Array(c.length).fill(7);
  setKernelBuild("reference");
  rowProductFor(wanted)(a, 3, lda, b, 5, ldb, wanted, 2, ldc, m, n, k);
  c.forEach((value, i) => {
    if (!Object.is(value, wanted[i])) throw new Error(`${m} x ${n} x ${k}: ${value} at ${i}, not ${wanted[i]}`);
  });
}

describe.each(supportedKernelBuilds().filter((b): b is Exclude<KernelBuild, "reference"> => b !== "reference"))(
  "%s",
  (build) => {
    test.each([0, 0.01])("random sizes, a share of %d of special values", (specials) => {
      for (let round = 0; round < 25; round++) {
        setKernelBuild(build);
        const [m, n] = [integer(1, 40), integer(1, 40)];
        check(m, n, Math.ceil(8192 / (m * n)) + integer(0, 40), specials);
      }
    });
    test("more columns than are packed at a time", () => {
      setKernelBuild(build);
      check(3, 75, 8000, 0);
    });
    test("few multiplications and long sums run elsewhere", () => {
      setKernelBuild(build);
      const x = new Float64Array(4);
      expect(wasmProduct64(x, 0, 2, x, 0, 2, x, 0, 2, 2, 2, 2)).toBe(false);
    });
  },
);
