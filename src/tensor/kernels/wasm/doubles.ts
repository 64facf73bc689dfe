/** @file float64 matrix products on the WebAssembly kernels. Upstream: none. Spec: none. */
import { family, wasmKernels } from "./build.ts";
import { DOUBLE_TILE } from "./double_programs.ts";

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
