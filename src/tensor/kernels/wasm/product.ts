/** @file float32 matrix products on the WebAssembly kernels. Upstream: none. Spec: none.
 *
 * See Note [Packed product] and Note [Kernel heap]. */
import { convolutionKernels, denseKernels, wasmKernels, type Kernels } from "./build.ts";
import { copyElements32, moveElements32 } from "./copies.ts";
import { runTasks, threadAreas, type ThreadAreas } from "./parallel.ts";
import { COLUMNS } from "./programs.ts";

/** Inner dimension of one pass: a tile of the right operand (24 KiB) and a panel of the left (12 to 18 KiB) stay in the L1 cache, or stream from the L2 cache. */
const INNER = 768;
/** Rows of one pass: their panels (up to 1 MiB) stay in the L2 cache. */
export const PASS_PANELS = 86;
/** Elements of the tiles that are gathered at a time: they stay in the first-level cache. */
export const GROUP_ELEMENTS = 1 << 13;
/** Elements of one packed operand or result at a time. */
const AREA_ELEMENTS = 1 << 21;
/** Fewest rows that are packed where they lie. */
const MIN_RESIDENT = 4;
/** Most tasks of a block of a product, and multiplications from which one pays. */
const MAX_TASKS = 16;
const TASK_WORK = 1 << 21;
/** Elements of the rows that are summed at a time where they have to be copied: they stay in the second-level cache. */
const SUMMED_ELEMENTS = 1 << 16;
/** At most so many rows or columns are computed as dot products or as sums of rows, without packing. */
const MAX_SKINNY = 4;
/** Elements of rows that are read one after the other by dot products: the second-level cache does not hold them. */
const IN_TURN_ELEMENTS = 1 << 18;
const STAGING_ELEMENTS = 1 << 14;
/** Multiplications from which the copies into the kernels' memory pay. */
const MIN_WORK = 1 << 13;
const MIN_SKINNY_WORK = 1 << 11;

/** Splits the inner dimension evenly into passes. */
export function innerStep(k: number): number {
  return Math.ceil(k / Math.ceil(k / INNER));
}

/** Interleaves rows: panels of `width` rows (4, 6 or 8), in every panel one element of each row after the other, rows beyond the
 * last zero. They pass through `staging`, STAGING_ELEMENTS or 8 rows large, on the way. `toAt` is a byte address, and may be that of
 * the rows where they are dense and fill their panels. */
export function packPanels(
  kernels: Kernels,
  toAt: number,
  staging: number,
  from: Float32Array,
  fromAt: number,
  ld: number,
  rows: number,
  k: number,
  width: number,
): void {
  const { f32 } = kernels.memory;
  const resident = kernels.memory.addressOf(from);
  const copy = resident === 0 ? copyElements32 : moveElements32;
  if (resident !== 0 && resident + 4 * fromAt !== toAt) {
    // whole panels where they lie, the rest by way of the staging area
    for (; rows >= width; rows -= width, fromAt += width * ld, toAt += 4 * width * k) {
      const row = resident + 4 * fromAt;
      kernels.interleave(toAt, 4 * width, row, 4 * ld, k);
      if (width > 4) kernels.interleave(toAt + 4 * (width - 4), 4 * width, row + 4 * (width - 4) * ld, 4 * ld, k);
    }
  }
  const group = Math.max(1, Math.floor(STAGING_ELEMENTS / (width * k))) * width;
  for (let r0 = 0; r0 < rows; r0 += group) {
    const count = Math.min(group, rows - r0);
    if (ld === k) copy(f32, staging / 4, from, fromAt + r0 * ld, count * k);
    else for (let r = 0; r < count; r++) copy(f32, staging / 4 + r * k, from, fromAt + (r0 + r) * ld, k);
    const padded = Math.ceil(count / width) * width;
    if (padded > count) f32.fill(0, staging / 4 + count * k, staging / 4 + padded * k);
    for (let r = 0; r < padded; r += width, toAt += 4 * width * k) {
      const row = staging + 4 * r * k;
      // the second four rows overlap the first where the panel has six
      kernels.interleave(toAt, 4 * width, row, 4 * k, k);
      if (width > 4) kernels.interleave(toAt + 4 * (width - 4), 4 * width, row + 4 * (width - 4) * k, 4 * k, k);
    }
  }
}

/** `packPanels` for rows that lie in the kernels' memory, `ld` bytes apart, by kernel calls alone: a task may pack. What fills the last
 * panel has no meaning. Writes up to four elements before `toAt`, and reads up to three rows before the first where there are fewer than four. */
export function packResident(
  kernels: Kernels,
  toAt: number,
  from: number,
  ld: number,
  rows: number,
  k: number,
  width: number,
): void {
  const step = 4 * width;
  // the last panel first: its first lanes, written last, may spill into the panel before it
  for (let r = Math.floor((rows - 1) / width) * width; r >= 0; r -= width) {
    const to = toAt + 4 * r * k;
    const row = from + r * ld;
    const count = Math.min(width, rows - r);
    if (count < width) {
      const last = row + (count - 1) * ld;
      kernels.interleave(to, step, last, 0, k);
      if (width > 4) kernels.interleave(to + 4 * (width - 4), step, last, 0, k);
    }
    if (count > 4) kernels.interleave(to, step, row, ld, k);
    kernels.interleave(to + 4 * (count - 4), step, row + (count - 4) * ld, ld, k);
  }
}

/** Elements of the area that rows pass through while they are packed. */
export function stagingElements(k: number): number {
  return Math.max(STAGING_ELEMENTS, COLUMNS * k);
}

/** Elements of the packed left operand. */
export function packedElements(kernels: Kernels, m: number, k: number): number {
  return Math.ceil(m / kernels.rows) * kernels.rows * k;
}

/** Packs the rows of the left operand to a byte address, pass by pass of the inner dimension. */
export function packLeft(
  kernels: Kernels,
  to: number,
  staging: number,
  a: Float32Array,
  aAt: number,
  lda: number,
  m: number,
  k: number,
): void {
  const step = innerStep(k);
  for (let k0 = 0; k0 < k; k0 += step) {
    const count = Math.min(step, k - k0);
    packPanels(kernels, to, staging, a, aAt + k0, lda, m, count, kernels.rows);
    to += 4 * packedElements(kernels, m, count);
  }
}

/** c = a b, with b as rows of its transpose (`isTransposed`) or as it is. Returns false where the reference kernel is to run. */
export function wasmProduct(
  a: Float32Array,
  aAt: number,
  lda: number,
  b: Float32Array,
  bAt: number,
  ldb: number,
  isTransposed: boolean,
  c: Float32Array,
  cAt: number,
  ldc: number,
  m: number,
  n: number,
  k: number,
): boolean {
  const work = m * n * k;
  if (work < MIN_SKINNY_WORK) return false;
  if (n === 1 && ldb === 1) {
    isTransposed = true; // a dense column is a row of its transpose
    ldb = k;
  }
  const isSkinny = isTransposed && (m <= MAX_SKINNY || n <= MAX_SKINNY);
  if (!isSkinny && work < MIN_WORK) return false;
  const kernels = wasmKernels();
  if (kernels === undefined || k > AREA_ELEMENTS / COLUMNS) return false;
  if (isSkinny) {
    return m <= n
      ? dotProducts(kernels, a, aAt, lda, b, bAt, ldb, c, cAt, ldc, 1, m, n, k)
      : dotProducts(kernels, b, bAt, ldb, a, aAt, lda, c, cAt, 1, ldc, n, m, k);
  }
  const operands: Operands = { a, aAt, lda, b, bAt, ldb, c, cAt, ldc, m, n, k };
  if (isTransposed) return rowsByRows(kernels, operands);
  return m <= MAX_SKINNY ? sumsOfRows(kernels, operands) : rowsByColumns(kernels, operands);
}

interface Operands {
  readonly a: Float32Array;
  readonly aAt: number;
  readonly lda: number;
  readonly b: Float32Array;
  readonly bAt: number;
  readonly ldb: number;
  readonly c: Float32Array;
  readonly cAt: number;
  readonly ldc: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Rows and columns of a product that are computed at a time. */
function blockOf(kernels: Kernels, { m, n, k }: Operands): { rows: number; columns: number } {
  const rows = Math.min(m, Math.max(kernels.rows, Math.floor(AREA_ELEMENTS / k)));
  const columns = Math.min(n, Math.max(COLUMNS, Math.floor(AREA_ELEMENTS / Math.max(k, rows)) & -COLUMNS));
  return { rows, columns };
}

/** Address of the first element where packing may read whole panels of `rows` rows, else 0. */
function resident(kernels: Kernels, array: Float32Array, at: number, rows: number): number {
  return rows < MIN_RESIDENT ? 0 : kernels.memory.addressAt(array, at);
}

/** `packLeft`, as tasks where the rows lie in the kernels' memory. */
export function packLeftAnywhere(
  kernels: Kernels,
  to: number,
  staging: number,
  a: Float32Array,
  aAt: number,
  lda: number,
  m: number,
  k: number,
): void {
  const from = resident(kernels, a, aAt, m);
  if (from === 0) return packLeft(kernels, to, staging, a, aAt, lda, m, k);
  const step = innerStep(k);
  runTasks(kernels, Math.ceil(k / step), (using, task) => {
    const k0 = task * step;
    const count = Math.min(step, k - k0);
    packResident(using, to + 4 * packedElements(kernels, m, k0), from + 4 * k0, 4 * lda, m, count, using.rows);
  });
}

/** Runs `multiply` for the passes of the inner dimension, for the tasks of `columns` columns: with the packed left operand and the first column of a task, its columns, and what is done already. */
function inPasses(
  kernels: Kernels,
  left: number,
  rows: number,
  columns: number,
  k: number,
  multiply: (a: number, column: number, count: number, k0: number, depth: number) => void,
  own?: ThreadAreas,
): void {
  const step = innerStep(k);
  const tiles = Math.ceil(columns / COLUMNS);
  const tasks = Math.max(1, Math.min(MAX_TASKS, tiles, Math.floor((rows * columns * k) / TASK_WORK)));
  const share = Math.ceil(tiles / tasks) * COLUMNS;
  runTasks(
    kernels,
    Math.ceil(columns / share),
    (_, task) => {
      const column = task * share;
      const count = Math.min(share, columns - column);
      for (let k0 = 0; k0 < k; k0 += step)
        multiply(left + 4 * packedElements(kernels, rows, k0), column, count, k0, Math.min(step, k - k0));
    },
    own,
  );
}

/** c = a times the transpose of b: the rows of both are packed, b's as tiles. */
function rowsByRows(kernels: Kernels, o: Operands): boolean {
  const { memory } = kernels;
  const dense = denseKernels();
  if (!dense) return false;
  const { b, bAt, ldb, c, cAt, ldc, m, n, k } = o;
  const block = blockOf(kernels, o);
  const isOutHere = memory.addressAt(c, cAt) !== 0;
  const areas = memory.arena(
    stagingElements(k),
    packedElements(kernels, block.rows, k),
    Math.ceil(block.columns / COLUMNS) * COLUMNS * k,
    isOutHere ? 0 : block.rows * block.columns,
  );
  if (!areas) return false;
  const [staging, left, right, result] = areas as [number, number, number, number];
  for (let j = 0; j < n; j += block.columns) {
    const columns = Math.min(block.columns, n - j);
    const from = resident(kernels, b, bAt + j * ldb, columns);
    if (from === 0) packPanels(kernels, right, staging, b, bAt + j * ldb, ldb, columns, k, COLUMNS);
    else packResident(kernels, right, from, 4 * ldb, columns, k, COLUMNS);
    for (let i = 0; i < m; i += block.rows) {
      const rows = Math.min(block.rows, m - i);
      packLeftAnywhere(kernels, left, staging, o.a, o.aAt + i * o.lda, o.lda, rows, k);
      const at = cAt + i * ldc + j;
      const to = isOutHere ? memory.addressAt(c, at) : result;
      const ldto = 4 * (isOutHere ? ldc : columns);
      inPasses(kernels, left, rows, columns, k, (packed, column, count, k0, depth) => {
        const tile = right + 4 * (column * k + COLUMNS * k0);
        dense.dense(packed, tile, 4 * COLUMNS * k, depth, rows, count, to + 4 * column, ldto, k0, 0);
      });
      if (!isOutHere) copyResult(memory.f32, result / 4, c, at, ldc, rows, columns);
    }
  }
  memory.free(staging);
  return true;
}

/** c = a b for few rows of a: every row of c is a sum of rows of b, which are read once, where they lie or some at a time. */
function sumsOfRows(kernels: Kernels, { a, aAt, lda, b, bAt, ldb, c, cAt, ldc, m, n, k }: Operands): boolean {
  const { memory } = kernels;
  const dense = denseKernels();
  const vectors = Math.ceil(n / 4);
  if (!dense || vectors * 4 > AREA_ELEMENTS) return false;
  const from = memory.addressAt(b, bAt);
  const some = from === 0 ? Math.max(1, Math.min(k, Math.floor(SUMMED_ELEMENTS / (vectors * 4)))) : k;
  const areas = memory.arena(m * k, m * vectors * 4, from === 0 ? some * vectors * 4 : 0);
  if (!areas) return false;
  const [factors, sums, rows] = areas as [number, number, number];
  const { f32 } = memory;
  for (let i = 0; i < m; i++) copyElements32(f32, factors / 4 + i * k, a, aAt + i * lda, k);
  f32.fill(0, sums / 4, sums / 4 + m * vectors * 4);
  for (let p = 0; p < k; p += some) {
    const count = Math.min(some, k - p);
    if (from === 0)
      for (let r = 0; r < count; r++) copyElements32(f32, rows / 4 + r * vectors * 4, b, bAt + (p + r) * ldb, n);
    const [at, ld] = from === 0 ? [rows, 16 * vectors] : [from, 4 * ldb];
    for (let i = 0; i < m; i++)
      dense.addRows(factors + 4 * (i * k + p), count, at, ld, vectors, sums + 16 * i * vectors);
  }
  for (let i = 0; i < m; i++) copyElements32(c, cAt + i * ldc, f32, sums / 4 + i * vectors * 4, n);
  memory.free(factors);
  return true;
}

/** c = a b: b's rows are read where they lie, or copied into the kernels' memory, and gathered tile by tile. */
function rowsByColumns(kernels: Kernels, o: Operands): boolean {
  const { memory } = kernels;
  const convolution = convolutionKernels();
  if (!convolution) return false;
  const { b, bAt, ldb, c, cAt, ldc, m, n, k } = o;
  const block = blockOf(kernels, o);
  const [isRightHere, isOutHere] = [memory.addressAt(b, bAt) !== 0, memory.addressAt(c, cAt) !== 0];
  // an odd number of cache lines between rows, or they fall on the same few sets of the cache
  const copied = (Math.ceil(block.columns / 16) | 1) * 16;
  const step = innerStep(k);
  const group = Math.max(
    1,
    Math.min(Math.ceil(block.columns / COLUMNS), Math.floor(GROUP_ELEMENTS / (COLUMNS * step))),
  );
  const areas = memory.arena(
    stagingElements(k),
    k,
    packedElements(kernels, block.rows, k),
    isRightHere ? 0 : copied * k,
    isOutHere ? 0 : block.rows * block.columns,
  );
  const own = areas && threadAreas(kernels, group * COLUMNS * step);
  if (!own) {
    if (areas) memory.free(areas[0]!);
    return false;
  }
  const [staging, offsets, left, right, result] = areas as [number, number, number, number, number];
  const { f32, i32 } = memory;
  const ldright = isRightHere ? ldb : copied;
  for (let p = 0; p < k; p++) i32[offsets / 4 + p] = 4 * p * ldright;
  for (let j = 0; j < n; j += block.columns) {
    const columns = Math.min(block.columns, n - j);
    if (!isRightHere)
      for (let p = 0; p < k; p++) copyElements32(f32, right / 4 + p * copied, b, bAt + p * ldb + j, columns);
    const from = isRightHere ? memory.addressAt(b, bAt + j) : right;
    for (let i = 0; i < m; i += block.rows) {
      const rows = Math.min(block.rows, m - i);
      packLeftAnywhere(kernels, left, staging, o.a, o.aAt + i * o.lda, o.lda, rows, k);
      const at = cAt + i * ldc + j;
      const to = isOutHere ? memory.addressAt(c, at) : result;
      const ldto = 4 * (isOutHere ? ldc : columns);
      const multiply = (packed: number, column: number, count: number, k0: number, depth: number): void =>
        convolution.convolve(
          packed,
          from + 4 * column,
          0,
          offsets + 4 * k0,
          depth,
          rows,
          count,
          to + 4 * column,
          ldto,
          k0,
          own.at[0]!,
          group,
          0,
          0,
          0,
          0,
        );
      inPasses(kernels, left, rows, columns, k, multiply, own);
      if (!isOutHere) copyResult(f32, result / 4, c, at, ldc, rows, columns);
    }
  }
  memory.free(own.start);
  memory.free(staging);
  return true;
}

/** Copies dense rows of a result to where they belong. */
function copyResult(
  from: Float32Array,
  fromAt: number,
  to: Float32Array,
  toAt: number,
  ldc: number,
  rows: number,
  columns: number,
): void {
  if (ldc === columns) copyElements32(to, toAt, from, fromAt, rows * columns);
  else for (let r = 0; r < rows; r++) copyElements32(to, toAt + r * ldc, from, fromAt + r * columns, columns);
}

/** y = the dot products of x and rows of k elements side by side at w, all byte addresses. k is a multiple of 4, and there is room for rows up to
 * the next multiple of 4. */
export function denseDots(kernels: Kernels, x: number, w: number, k: number, rows: number, y: number): void {
  if (rows * k < IN_TURN_ELEMENTS) kernels.dots(x, w, 4 * k, k, (rows + 3) & -4, y);
  else kernels.dotsInTurn(x, w, k, rows, y);
}

/** c[i * ci + j * cj] = the dot product of row i of x (few rows) and row j of w. */
function dotProducts(
  kernels: Kernels,
  x: Float32Array,
  xAt: number,
  ldx: number,
  w: Float32Array,
  wAt: number,
  ldw: number,
  c: Float32Array,
  cAt: number,
  ci: number,
  cj: number,
  few: number,
  rows: number,
  k: number,
): boolean {
  const padded = Math.ceil(k / 4) * 4;
  const some = Math.min(rows, Math.max(4, Math.floor(AREA_ELEMENTS / padded)));
  const areas = kernels.memory.arena(few * padded, (some + 3) * padded, some + 3);
  if (!areas) return false;
  const [xs, ws, ys] = areas as [number, number, number];
  const { f32 } = kernels.memory;
  copyPadded(f32, xs / 4, padded, x, xAt, ldx, few, k);
  for (let j = 0; j < rows; j += some) {
    const count = Math.min(some, rows - j);
    copyPadded(f32, ws / 4, padded, w, wAt + j * ldw, ldw, count, k);
    for (let i = 0; i < few; i++) {
      denseDots(kernels, xs + 4 * i * padded, ws, padded, count, ys);
      let to = cAt + i * ci + j * cj;
      for (let r = 0; r < count; r++, to += cj) c[to] = f32[ys / 4 + r]!;
    }
  }
  kernels.memory.free(xs);
  return true;
}

/** Copies rows of k elements to rows of `padded`, with zeros behind them. Within one buffer bit by bit, as weights are. */
export function copyPadded(
  to: Float32Array,
  toAt: number,
  padded: number,
  from: Float32Array,
  fromAt: number,
  ld: number,
  rows: number,
  k: number,
): void {
  const copy = to.buffer === from.buffer ? moveElements32 : copyElements32;
  if (padded === k && ld === k) {
    copy(to, toAt, from, fromAt, rows * k);
    return;
  }
  for (let r = 0; r < rows; r++, toAt += padded, fromAt += ld) {
    copy(to, toAt, from, fromAt, k);
    for (let p = k; p < padded; p++) to[toAt + p] = 0;
  }
}
