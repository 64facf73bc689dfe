/** @file float64 matrix products and functions of float64 arrays on the WebAssembly kernels. Upstream: none. Spec: none. */
import type { Loop64 } from "../../element_kernel.ts";
import { family, wasmKernels } from "./build.ts";
import { DOUBLE_STEP, DOUBLE_TILE, type DoubleMap } from "./double_programs.ts";
import { runTasks } from "./parallel.ts";
import { wideConstants } from "./wide.ts";

/** Multiplications from which the copies into the kernels' memory pay. */
const MIN_WORK = 1 << 13;
/** Elements of the columns that are packed at a time: they stay in the last-level cache. */
const PACKED_ELEMENTS = 1 << 19;
/** Most terms of a sum: a panel of rows stays in the second-level cache. */
const MAX_TERMS = 1 << 14;

/** See double_programs.ts. */
interface DoubleKernels {
  readonly product64: (a: number, b: number, c: number, ldc: number, k: number, panels: number) => void;
}

/** c[i, j] = sum over p of a[i, p] * bt[j, p], as a `RowProduct` of gemm.ts. Returns false where another kernel is to run. */
export function wasmProduct64(
  a: Float64Array,
  aAt: number,
  lda: number,
  bt: Float64Array,
  bAt: number,
  ldb: number,
  c: Float64Array,
  cAt: number,
  ldc: number,
  m: number,
  n: number,
  k: number,
): boolean {
  if (m * n * k < MIN_WORK || k > MAX_TERMS || k === 0) return false;
  const memory = wasmKernels()?.memory;
  const kernels = family("doubles", (exports) => exports as unknown as DoubleKernels);
  if (!memory || !kernels) return false;
  const columns = Math.min(n, Math.max(1, Math.floor(PACKED_ELEMENTS / k)));
  const width = Math.ceil(columns / DOUBLE_TILE) * DOUBLE_TILE;
  const areas = memory.arena(2 * DOUBLE_TILE * k, 2 * width * k, 2 * DOUBLE_TILE * width);
  if (!areas) return false;
  const [left, right, result] = areas as [number, number, number];
  const { f64 } = memory.segment;
  for (let j = 0; j < n; j += columns) {
    const some = Math.min(columns, n - j);
    for (let q = 0; q < some; q += DOUBLE_TILE)
      packPanel(f64, right / 8 + q * k, bt, bAt + (j + q) * ldb, ldb, Math.min(DOUBLE_TILE, some - q), k);
    for (let i = 0; i < m; i += DOUBLE_TILE) {
      const rows = Math.min(DOUBLE_TILE, m - i);
      packPanel(f64, left / 8, a, aAt + i * lda, lda, rows, k);
      kernels.product64(left, right, result, 8 * width, k, Math.ceil(some / DOUBLE_TILE));
      for (let r = 0; r < rows; r++) {
        const from = result / 8 + r * width;
        c.set(f64.subarray(from, from + some), cAt + (i + r) * ldc + j);
      }
    }
  }
  memory.free(left);
  return true;
}

/** Interleaves up to DOUBLE_TILE rows of k elements; rows beyond the last are zero. */
function packPanel(
  to: Float64Array,
  at: number,
  from: Float64Array,
  start: number,
  ld: number,
  rows: number,
  k: number,
): void {
  if (rows < DOUBLE_TILE) to.fill(0, at, at + DOUBLE_TILE * k);
  for (let r = 0; r < rows; r++) {
    for (let p = 0, o = at + r, i = start + r * ld; p < k; p++, o += DOUBLE_TILE) to[o] = from[i + p]!;
  }
}

/** Elements from which a call of a function pays. */
const MIN_ELEMENTS = 64;
/** Elements that are copied into the kernels' memory at a time. */
const BLOCK = 1 << 11;
/** Elements of a task. */
const TASK_ELEMENTS = 1 << 15;

type DoubleKernel = (
  to: number,
  a: number,
  aStep: number,
  b: number,
  bStep: number,
  steps: number,
  table: number,
) => void;

/**
 * The loop of a function of float64. Arithmetic declines where not all lies in the kernels' memory, evenly and in some number: it costs less than
 * copies, and has the same results elsewhere. An exponential has not: it is the kernel's, however its arguments lie.
 */
export function doubleLoop(name: DoubleMap): Loop64 {
  return (out, o, x, at, steps, n) => {
    const isEven = steps.every((step) => step <= 1);
    const kernels = name !== "exp" && (n < MIN_ELEMENTS || !isEven) ? undefined : wasmKernels();
    if (!kernels) return false;
    const { memory } = kernels;
    const to = memory.addressAt(out, o);
    const addresses = x.map((array, k) => memory.addressAt(array, at[k]!));
    const isHere = isEven && to !== 0 && addresses.every((address, k) => address !== 0 || steps[k] === 0);
    if (!isHere && name !== "exp") return false;
    const run = family("doubleMaps", (exports) => exports as Readonly<Record<string, DoubleKernel>>)?.[name];
    const table = run ? wideConstants(memory) : 0;
    const blocks = table === 0 ? undefined : memory.arena(...x.map(() => 2 * BLOCK), 2 * BLOCK);
    if (!run || !blocks) return false;
    const { f64 } = memory.segment;
    const bytes = steps.map((step) => 16 * Math.min(step, 1)); // what lies further apart is brought together first
    x.forEach((array, k) => {
      if (steps[k] === 0) f64.fill(array[at[k]!]!, blocks[k]! / 8, blocks[k]! / 8 + 2);
    });
    /** Runs the kernel for some elements from `first` on, which operands have at `from`. */
    const apply = (target: number, from: readonly number[], count: number): void =>
      run(target, from[0]!, bytes[0]!, from[1] ?? 0, bytes[1] ?? 0, Math.ceil(count / DOUBLE_STEP), table);
    let done = 0;
    if (isHere) {
      done = n - (n % DOUBLE_STEP);
      runTasks(kernels, Math.ceil(done / TASK_ELEMENTS), (_, task) => {
        const first = task * TASK_ELEMENTS;
        const from = addresses.map((address, k) => (steps[k] === 0 ? blocks[k]! : address + 8 * first));
        apply(to + 8 * first, from, Math.min(TASK_ELEMENTS, done - first));
      });
    }
    for (; done < n; done += BLOCK) {
      const count = Math.min(BLOCK, n - done);
      x.forEach((array, k) => {
        const step = steps[k]!;
        const [start, block] = [at[k]! + done * step, blocks[k]! / 8];
        if (step === 1) f64.set(array.subarray(start, start + count), block);
        else if (step > 1) for (let i = 0; i < count; i++) f64[block + i] = array[start + i * step]!;
      });
      const result = blocks.at(-1)!;
      apply(result, blocks, count);
      out.set(f64.subarray(result / 8, result / 8 + count), o + done);
    }
    memory.free(blocks[0]!);
    return true;
  };
}
