/** @file Products of many small matrices on the WebAssembly kernels give what sums in double precision give. */
import { afterAll, describe, expect, test } from "vitest";
import { startNodeWorker } from "../../src/node/worker.ts";
import { wasmBatchedProduct } from "../../src/tensor/kernels/wasm/batched_product.ts";
import {
  kernelBuild,
  setKernelBuild,
  setKernelThreads,
  supportedKernelBuilds,
  wasmKernels,
} from "../../src/tensor/kernels/wasm/build.ts";
import { setStartWorker } from "../../src/tensor/kernels/wasm/thread_pool.ts";
import { seededRandom } from "../support/archive.ts";

const initial = kernelBuild();
afterAll(() => {
  setKernelThreads(1);
  setKernelBuild(initial);
});
const fast = supportedKernelBuilds().filter((b) => b !== "reference");

const below = seededRandom(7);
const integer = (low: number, high: number): number => low + below(high - low + 1);
const SPECIAL = [0, -0, 1, Infinity, -Infinity, NaN, 1e-40, 3e38];
const values = (count: number, isSpecial: boolean): Float32Array =>
  Float32Array.from({ length: count }, () =>
    isSpecial && below(40) === 0 ? SPECIAL[below(SPECIAL.length)]! : below(20001) / 10000 - 1,
  );

interface Case {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly isTransposed: boolean;
  readonly isSpecial: boolean;
}

/** The sums in double precision, and the sums of absolute values: what rounding goes by. */
function expected({ batch, m, n, k, isTransposed }: Case, a: Float32Array, b: Float32Array): [number[], number[]] {
  const sums: number[] = [];
  const sizes: number[] = [];
  for (let i = 0; i < batch * m; i++) {
    const matrix = Math.floor(i / m) * k * n;
    for (let j = 0; j < n; j++) {
      let [sum, size] = [0, 0];
      for (let p = 0; p < k; p++) {
        const product = a[i * k + p]! * b[matrix + (isTransposed ? j * k + p : p * n + j)]!;
        sum += product;
        size += Math.abs(product);
      }
      sums.push(sum);
      sizes.push(size);
    }
  }
  return [sums, sizes];
}

/** Runs a case with each of the three arrays inside or outside of the kernels' memory, at some offset; nothing else may be written. */
function check(c: Case, places: number): void {
  const { batch, m, n, k } = c;
  const { memory } = wasmKernels()!;
  const offsets = [integer(0, 9), integer(0, 9), integer(0, 9)];
  const arrays = [
    values(batch * m * k, c.isSpecial),
    values(batch * k * n, c.isSpecial),
    new Float32Array(batch * m * n),
  ];
  const [sums, sizes] = expected(c, arrays[0]!, arrays[1]!);
  const lengths = arrays.map((array, i) => array.length + offsets[i]! + 11);
  const blocks = lengths.map((length) => memory.allocate(4 * length));
  expect(blocks.every((block) => block !== 0)).toBe(true);
  memory.residents++; // the memory must not grow under the views
  const [a, b, out] = arrays.map((array, i) => {
    const isInside = (places >> i) % 2 === 1;
    const view = isInside
      ? memory.f32.subarray(blocks[i]! / 4, blocks[i]! / 4 + lengths[i]!)
      : new Float32Array(lengths[i]!);
    view.fill(-7);
    view.set(array, offsets[i]);
    return view;
  }) as [Float32Array, Float32Array, Float32Array];
  const [aAt, bAt, cAt] = offsets as [number, number, number];
  const isDone = wasmBatchedProduct(a, aAt, b, bAt, c.isTransposed, out, cAt, batch, m, n, k);
  const wrong: string[] = isDone ? [] : ["not done"];
  for (let i = 0; i < out.length; i++) {
    const [at, value] = [i - cAt, out[i]!];
    const isOutside = at < 0 || at >= sums.length;
    const isRight = isOutside
      ? value === -7
      : Number.isNaN(sums[at]!)
        ? Number.isNaN(value)
        : !(sizes[at]! < 1e38) || Math.abs(value - sums[at]!) <= 1e-6 * sizes[at]! + 1e-37;
    if (!isRight) wrong.push(`${i}: ${value} instead of ${isOutside ? -7 : sums[at]}`);
  }
  expect(wrong, `${JSON.stringify(c)} in places ${places}`).toEqual([]);
  memory.residents--;
  for (const block of blocks) memory.free(block);
}

const randomCase = (isSpecial: boolean): Case => {
  const [m, n, k] = [integer(5, 40), integer(5, 40), integer(1, 70)];
  // enough multiplications
  const wide = Math.max(k, Math.ceil(2048 / (m * n)));
  return { batch: integer(2, 12), m, n, k: wide, isTransposed: below(2) === 1, isSpecial };
};

describe.each(fast)("batched products of the %s build", (build) => {
  test.each([false, true])("random shapes and places, special values %s", (isSpecial) => {
    setKernelBuild(build);
    for (let i = 0; i < 120; i++) check(randomCase(isSpecial), i % 8);
  });

  test("operands outside of the kernels' memory are copied some at a time", () => {
    setKernelBuild(build);
    const sizes = { m: 64, n: 48, k: 80, isSpecial: false };
    for (const isTransposed of [false, true]) check({ ...sizes, batch: 70, isTransposed }, 0);
  });

  test("what is small, large or single is left to others", () => {
    setKernelBuild(build);
    const x = new Float32Array(1 << 20);
    for (const [batch, m, n, k] of [
      [1, 64, 64, 64],
      [9, 4, 64, 64],
      [9, 64, 4, 64],
      [9, 5, 5, 5],
      [2, 16, 16, 600],
    ] as const)
      expect(wasmBatchedProduct(x, 0, x, 0, false, new Float32Array(1 << 20), 0, batch, m, n, k)).toBe(false);
  });
});

test.runIf(fast.length > 0)("three threads give the same", async () => {
  setStartWorker(startNodeWorker);
  setKernelBuild(fast.at(-1)!);
  setKernelThreads(3);
  const { pool } = wasmKernels()!;
  for (let i = 0; i < 500 && pool!.ready < 2; i++) await new Promise((r) => setTimeout(r, 10));
  for (let i = 0; i < 40; i++)
    check(
      { batch: integer(8, 40), m: 64, n: integer(30, 64), k: 64, isTransposed: i % 2 === 1, isSpecial: false },
      i % 8,
    );
});
