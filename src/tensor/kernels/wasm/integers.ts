/** @file Sums of products of quantized values on the WebAssembly kernels. Upstream: none. Spec: none. */
import type { Storage } from "../../storage.ts";
import { integerKernels, wasmKernels } from "./build.ts";
import { INTEGER_ROWS, INTEGER_STEP } from "./integer_programs.ts";
import { packedWeights } from "./packed_weights.ts";
import { runTasks } from "./parallel.ts";

/** Multiplications from which the call pays. */
const MIN_WORK = 1 << 10;
/** Most terms of a sum: products are below 2^16, and 32 bits must hold their sum. */
const MAX_TERMS = 1 << 15;
/** Multiplications of a task. */
const TASK_WORK = 1 << 21;
const MAX_ELEMENTS = 1 << 24;

/**
 * sums (rows, n) = x (rows, k) times the transpose of w (n, k), exactly. x holds integers from -255 to 255, `weights` gives such integers.
 * `owner` is the storage that w views, `key` the part of it. Returns false where another kernel is to run.
 */
export function wasmIntegerSums(
  x: Float64Array,
  owner: Storage,
  key: string,
  weights: () => Float64Array,
  sums: Float64Array,
  rows: number,
  n: number,
  k: number,
): boolean {
  if (rows * n * k < MIN_WORK || k > MAX_TERMS) return false;
  const kernels = wasmKernels();
  const integers = integerKernels();
  if (!kernels || !integers) return false;
  const { memory } = kernels;
  const padded = Math.ceil(k / INTEGER_STEP) * INTEGER_STEP;
  const outs = Math.ceil(n / INTEGER_ROWS) * INTEGER_ROWS;
  if (Math.max(outs * padded, rows * padded, rows * outs) > MAX_ELEMENTS) return false;
  const from = packedWeights(memory, owner, `integers:${key}:${n}:${k}`, (outs * padded) / 2, (address) => {
    put16(memory.segment.i16, address / 2, weights(), n, k, padded);
    memory.segment.i16.fill(0, address / 2 + n * padded, address / 2 + outs * padded);
    return true;
  });
  const areas = from === 0 ? undefined : memory.arena((rows * padded) / 2, rows * outs);
  if (!areas) return false;
  const [xs, ys] = areas as [number, number];
  put16(memory.segment.i16, xs / 2, x, rows, k, padded);
  const groups = outs / INTEGER_ROWS;
  const perTask = Math.max(1, Math.ceil(TASK_WORK / (INTEGER_ROWS * padded * rows)));
  runTasks(kernels, Math.ceil(groups / perTask), (_, task) => {
    const first = task * perTask * INTEGER_ROWS;
    const some = Math.min(perTask * INTEGER_ROWS, outs - first);
    integers.dots16(xs, 2 * padded, rows, from + 2 * padded * first, padded, some, ys + 4 * first, 4 * outs);
  });
  const { i32 } = memory;
  for (let r = 0, at = 0; r < rows; r++) {
    for (let j = 0, y = ys / 4 + r * outs; j < n; j++) sums[at++] = i32[y++]!;
  }
  memory.free(xs);
  return true;
}

/** Rows of k integers as rows of `padded` elements of 16 bits. */
function put16(to: Int16Array, at: number, from: Float64Array, rows: number, k: number, padded: number): void {
  for (let r = 0, source = 0; r < rows; r++, at += padded) {
    for (let p = 0; p < k; p++) to[at + p] = from[source++]!;
    for (let p = k; p < padded; p++) to[at + p] = 0;
  }
}
