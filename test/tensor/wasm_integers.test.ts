/** @file Sums of products of integers on the WebAssembly kernels are exact, over random sizes and the largest values. */
import { afterAll, describe, expect, test } from "vitest";
import {
  kernelBuild,
  setKernelBuild,
  supportedKernelBuilds,
  type KernelBuild,
} from "../../src/tensor/kernels/wasm/build.ts";
import { wasmIntegerSums } from "../../src/tensor/kernels/wasm/integers.ts";
import { allocateStorage } from "../../src/tensor/storage.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));

let state = 77;
function integer(low: number, high: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return low + Math.floor((state / 2 ** 32) * (high - low + 1));
}
const integers = (count: number, make: () => number): Float64Array => Float64Array.from({ length: count }, make);

function check(rows: number, n: number, k: number, make: () => number): void {
  const x = integers(rows * k, make);
  const w = integers(n * k, make);
  const sums = new Float64Array(rows * n);
  const owner = allocateStorage(n * k);
  for (let call = 0; call < 2; call++) {
    sums.fill(Number.NaN);
    const isDone = wasmIntegerSums(x, owner, "w", () => w, sums, rows, n, k);
    expect(isDone).toBe(true);
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0; p < k; p++) sum += x[r * k + p]! * w[j * k + p]!;
        if (sums[r * n + j] !== sum)
          throw new Error(`${rows} x ${n} x ${k}: sum ${r}, ${j} is ${sums[r * n + j]}, not ${sum}`);
      }
    }
  }
}

describe.each(supportedKernelBuilds().filter((b): b is Exclude<KernelBuild, "reference"> => b !== "reference"))(
  "%s",
  (build) => {
    test("random sizes", () => {
      setKernelBuild(build);
      for (let round = 0; round < 60; round++) {
        const [rows, n] = [integer(1, 9), integer(1, 40)];
        const k = Math.ceil(1024 / (rows * n)) + integer(0, 70);
        check(rows, n, k, () => integer(-255, 255));
      }
    });
    test("the largest values and longest sums", () => {
      setKernelBuild(build);
      check(1, 5, 32768, () => 255);
      check(2, 3, 32767, () => -255);
    });
    test("sums that 32 bits may not hold, and small work, are left to others", () => {
      setKernelBuild(build);
      const owner = allocateStorage(16);
      const call = (rows: number, n: number, k: number): boolean =>
        wasmIntegerSums(
          new Float64Array(rows * k),
          owner,
          "w",
          () => new Float64Array(n * k),
          new Float64Array(rows * n),
          rows,
          n,
          k,
        );
      expect(call(1, 1, 32769)).toBe(false);
      expect(call(1, 4, 8)).toBe(false);
    });
  },
);
