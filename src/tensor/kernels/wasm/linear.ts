/** @file float32 linear layers on the WebAssembly kernels: the weight is packed once and kept. Upstream: none. Spec: none. */
import { denseKernels, wasmKernels, type Kernels } from "./build.ts";
import { copyElements32 } from "./copies.ts";
import { packedFrom, type Weights } from "./packed_weights.ts";
import { Panels } from "./panels.ts";
import { runTasks } from "./parallel.ts";
import {
  copyPadded,
  denseDots,
  innerStep,
  packedElements,
  packLeftAnywhere,
  packPanels,
  stagingElements,
} from "./product.ts";
import { COLUMNS } from "./programs.ts";
import { FEW_ROWS, fitsRowByRow, packedRows, rowElements } from "./row_vectors.ts";

/** Rows up to which outputs are dot products where the weight is larger than `fitsRowByRow` allows: it is read for every row. */
const MAX_SKINNY = 2;
/** Multiplications from which keeping the weight pays. */
const MIN_WORK = 1 << 11;
/** Rows of a block. */
const BLOCK = 516;
/** Multiplications of a task, and tasks that there should be at least. */
const TASK_WORK = 1 << 23;
const MIN_TASKS = 8;
const MAX_AREA = 1 << 24;

/**
 * out (rows, n) = x (rows, k) times the transpose of w (n, k), plus bias. Returns false where another kernel is to run.
 */
export function wasmLinear(
  x: Float32Array,
  w: Weights,
  bias: Float32Array | undefined,
  out: Float32Array,
  rows: number,
  n: number,
  k: number,
): boolean {
  if (n * k < MIN_WORK || rows === 0) return false;
  const kernels = wasmKernels();
  if (!kernels) return false;
  return rows <= (fitsRowByRow(n, k) ? FEW_ROWS : MAX_SKINNY)
    ? fewRows(kernels, x, w, bias, out, rows, n, k)
    : manyRows(kernels, x, w, bias, out, rows, n, k);
}

function fewRows(
  kernels: Kernels,
  x: Float32Array,
  w: Weights,
  bias: Float32Array | undefined,
  out: Float32Array,
  rows: number,
  n: number,
  k: number,
): boolean {
  const { memory } = kernels;
  const padded = rowElements(k);
  const weights = packedRows(memory, w, n, k, true);
  if (weights === 0) return false;
  const areas = memory.arena(rows * padded, (n + 3) & -4);
  if (!areas) return false;
  const [xs, ys] = areas as [number, number];
  const { f32 } = memory;
  copyPadded(f32, xs / 4, padded, x, 0, k, rows, k);
  for (let r = 0; r < rows; r++) {
    denseDots(kernels, xs + 4 * r * padded, weights, padded, n, ys);
    const at = r * n;
    const y = ys / 4;
    if (bias) for (let j = 0; j < n; j++) out[at + j] = f32[y + j]! + bias[j]!;
    else copyElements32(out, at, f32, y, n);
  }
  memory.free(xs);
  return true;
}

function manyRows(
  kernels: Kernels,
  x: Float32Array,
  w: Weights,
  bias: Float32Array | undefined,
  out: Float32Array,
  rows: number,
  n: number,
  k: number,
): boolean {
  const { memory } = kernels;
  const dense = denseKernels();
  const tiles = Math.ceil(n / COLUMNS);
  const inner = innerStep(k);
  if (!dense || Math.max(tiles * COLUMNS * k, (kernels.rows + 1) * Math.max(k, n)) > MAX_AREA) return false;
  const fill = (address: number, values: Float32Array): boolean => {
    const staging = memory.arena(stagingElements(k));
    if (!staging) return false;
    packPanels(kernels, address, staging[0]!, values, 0, k, n, k, COLUMNS);
    memory.free(staging[0]!);
    return true;
  };
  const weights = packedFrom(memory, w, `linear:${n}:${k}`, tiles * COLUMNS * k, fill, new Panels(n, k, COLUMNS), true);
  if (weights === 0) return false;
  // rows of one block: their panels of one pass stay in the second-level cache
  const block = Math.min(
    rows,
    Math.max(1, Math.floor(Math.min(BLOCK, MAX_AREA / Math.max(k, n)) / kernels.rows)) * kernels.rows,
  );
  const to = memory.addressOf(out);
  const areas = memory.arena(
    packedElements(kernels, block, k),
    stagingElements(k),
    tiles * COLUMNS,
    to === 0 ? block * n : 0,
  );
  if (!areas) return false;
  const [left, staging, shift, result] = areas as [number, number, number, number];
  const { f32 } = memory;
  if (bias) copyElements32(f32, shift / 4, bias, 0, n);
  const someTiles = Math.max(1, Math.min(Math.ceil(tiles / MIN_TASKS), Math.ceil(TASK_WORK / (block * COLUMNS * k))));
  const tasks = Math.ceil(tiles / someTiles);
  for (let row = 0; row < rows; row += block) {
    const count = Math.min(block, rows - row);
    packLeftAnywhere(kernels, left, staging, x, row * k, k, count, k);
    const c = to === 0 ? result : to + 4 * row * n;
    runTasks(kernels, tasks, (_, task) => {
      const column = task * someTiles * COLUMNS;
      const columns = Math.min(someTiles * COLUMNS, n - column);
      let a = left;
      for (let k0 = 0; k0 < k; k0 += inner) {
        const depth = Math.min(inner, k - k0);
        const b = weights + 4 * (column * k + COLUMNS * k0);
        dense.dense(
          a,
          b,
          4 * COLUMNS * k,
          depth,
          count,
          columns,
          c + 4 * column,
          4 * n,
          k0,
          bias ? shift + 4 * column : 0,
        );
        a += 4 * packedElements(kernels, count, depth);
      }
    });
    if (to === 0) copyElements32(out, row * n, f32, result / 4, count * n);
  }
  memory.free(left);
  return true;
}
