/** @file Products of many small float32 matrices on the WebAssembly kernels. Upstream: none. Spec: none.
 *
 * Note [Small products]: attention multiplies hundreds of matrices of some ten thousand multiplications each, which take no longer than
 * what `wasmProduct` does around them: finding areas, closures, tasks of one product. Here all products share that, and are the tasks. */
import { convolutionKernels, denseKernels, wasmKernels } from "./build.ts";
import { copyElements32 } from "./copies.ts";
import { runTasks, threadAreas } from "./parallel.ts";
import { COLUMNS } from "./programs.ts";
import { GROUP_ELEMENTS, packedElements, packResident } from "./product.ts";

/** Fewest rows and columns of a product, and most of all its sizes: its operands are one pass each. */
const [MIN_SIZE, MAX_SIZE] = [5, 512];
/** Multiplications of one product below which sums in double precision are faster, and from which it has tasks of its own. */
const [MIN_WORK, MAX_WORK] = [1 << 11, 1 << 22];
/** Most tasks, and multiplications from which one pays. */
const [MAX_TASKS, TASK_WORK] = [16, 1 << 19];

/** Elements of operands and results that are copied at a time where they lie outside of the kernels' memory: they stay in the cache. */
const STAGED_ELEMENTS = 1 << 18;

/**
 * c = a b for `batch` dense matrices that lie one after the other, from the places given on: a's of m by k, b's of k by n, or of n by k
 * where they are transposed. False where they are too large or small, or there is no room.
 */
export function wasmBatchedProduct(
  a: Float32Array,
  aAt: number,
  b: Float32Array,
  bAt: number,
  isTransposed: boolean,
  c: Float32Array,
  cAt: number,
  batch: number,
  m: number,
  n: number,
  k: number,
): boolean {
  const work = m * n * k;
  if (batch < 2 || Math.min(m, n) < MIN_SIZE || Math.max(m, n, k) > MAX_SIZE || work < MIN_WORK || work > MAX_WORK)
    return false;
  const kernels = wasmKernels();
  const dense = isTransposed ? denseKernels() : undefined;
  const convolution = isTransposed ? undefined : convolutionKernels();
  if (!kernels || !(dense ?? convolution)) return false;
  const { memory } = kernels;
  const [sizeA, sizeB, sizeC] = [m * k, k * n, m * n];
  const [a0, b0, c0] = [memory.addressAt(a, aAt), memory.addressAt(b, bAt), memory.addressAt(c, cAt)];
  const staged = (a0 === 0 ? sizeA : 0) + (b0 === 0 ? sizeB : 0) + (c0 === 0 ? sizeC : 0);
  const some = staged === 0 ? batch : Math.min(batch, Math.max(1, Math.floor(STAGED_ELEMENTS / staged)));
  const group = Math.max(1, Math.floor(GROUP_ELEMENTS / (COLUMNS * k)));
  const areas = memory.arena(
    isTransposed ? 0 : k,
    a0 === 0 ? some * sizeA : 0,
    b0 === 0 ? some * sizeB : 0,
    c0 === 0 ? some * sizeC : 0,
  );
  const tiles = isTransposed ? Math.ceil(n / COLUMNS) * COLUMNS * k : group * COLUMNS * k;
  const own = areas && threadAreas(kernels, packedElements(kernels, m, k), tiles);
  if (!own) {
    if (areas) memory.free(areas[0]!);
    return false;
  }
  const [offsets, stagedA, stagedB, stagedC] = areas as [number, number, number, number];
  const [left, right] = own.at as [number, number];
  const { f32, i32 } = memory;
  if (!isTransposed) for (let p = 0; p < k; p++) i32[offsets / 4 + p] = 4 * p * n;
  for (let first = 0; first < batch; first += some) {
    const count = Math.min(some, batch - first);
    if (a0 === 0) copyElements32(f32, stagedA / 4, a, aAt + first * sizeA, count * sizeA);
    if (b0 === 0) copyElements32(f32, stagedB / 4, b, bAt + first * sizeB, count * sizeB);
    const fromA = a0 === 0 ? stagedA : a0 + 4 * first * sizeA;
    const fromB = b0 === 0 ? stagedB : b0 + 4 * first * sizeB;
    const to = c0 === 0 ? stagedC : c0 + 4 * first * sizeC;
    const share = Math.ceil(count / Math.max(1, Math.min(MAX_TASKS, Math.floor((count * work) / TASK_WORK))));
    runTasks(
      kernels,
      Math.ceil(count / share),
      (using, task) => {
        for (let i = task * share; i < Math.min(count, (task + 1) * share); i++) {
          const matrix = fromB + 4 * i * sizeB;
          const result = to + 4 * i * sizeC;
          packResident(using, left, fromA + 4 * i * sizeA, 4 * k, m, k, using.rows);
          if (dense) {
            packResident(using, right, matrix, 4 * k, n, k, COLUMNS);
            dense.dense(left, right, 4 * COLUMNS * k, k, m, n, result, 4 * n, 0, 0);
          } else convolution!.convolve(left, matrix, 0, offsets, k, m, n, result, 4 * n, 0, right, group, 0, 0, 0, 0);
        }
      },
      own,
    );
    if (c0 === 0) copyElements32(c, cAt + first * sizeC, f32, stagedC / 4, count * sizeC);
  }
  memory.free(own.start);
  memory.free(offsets);
  return true;
}
