/** @file float32 matrix products on the WebAssembly kernels. Upstream: none. Spec: none.
 *
 * See Note [Packed product] and Note [Kernel heap]. */
import { wasmKernels, type Kernels } from "./build.ts";
import { copyElements32 } from "./copies.ts";
import { COLUMNS } from "./programs.ts";

/** Inner dimension of one pass: a tile of the right operand (24 KiB) and a panel of the left (12 to 18 KiB) stay in the L1 cache, or stream from the L2 cache. */
const INNER = 768;
/** Rows of one pass: their panels (up to 1 MiB) stay in the L2 cache. */
export const PASS_PANELS = 86;
/** Elements of the tiles that are gathered at a time: they stay in the first-level cache. */
export const GROUP_ELEMENTS: number = 1 << 13;
/** Elements of one packed operand or result at a time. */
const AREA_ELEMENTS = 1 << 21;
/** At most so many rows or columns are computed as dot products, without packing. */
const MAX_SKINNY = 4;
const STAGING_ELEMENTS = 1 << 14;
/** Multiplications from which the copies into the kernels' memory pay. */
const MIN_WORK = 1 << 13;
const MIN_SKINNY_WORK = 1 << 11;

/** Splits the inner dimension evenly into passes. */
export function innerStep(k: number): number {
  return Math.ceil(k / Math.ceil(k / INNER));
}

/** Interleaves rows: panels of `width` rows (4, 6 or 8), in every panel one element of each row after the other, rows beyond the
 * last zero. They pass through `staging`, STAGING_ELEMENTS or 8 rows large, on the way. `toAt` is a byte address. */
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
  if (resident !== 0) {
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
    if (ld === k) copyElements32(f32, staging / 4, from, fromAt + r0 * ld, count * k);
    else for (let r = 0; r < count; r++) copyElements32(f32, staging / 4 + r * k, from, fromAt + (r0 + r) * ld, k);
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

/** Where a product lies in the kernels' memory (byte addresses; `offsets` as in gemmProgram). */
export interface PackedProduct {
  readonly a: number;
  readonly m: number;
  readonly k: number;
  readonly b: number;
  readonly tileStride: number;
  /** Table of k offsets of the rows of a tile, with its scratch area; 0 where tiles are packed densely. */
  readonly offsets: number;
  readonly scratch: number;
  readonly tiles: number;
  readonly c: number;
  /** Elements between the rows of c. */
  readonly ldc: number;
}

/** Runs a product whose operands are in place. */
export function runPacked(kernels: Kernels, p: PackedProduct): void {
  const step = innerStep(p.k);
  const { rows } = kernels;
  const panels = Math.ceil(p.m / rows);
  let a = p.a;
  for (let k0 = 0; k0 < p.k; k0 += step) {
    const count = Math.min(step, p.k - k0);
    const b = p.offsets === 0 ? p.b + 4 * COLUMNS * k0 : p.b;
    const offsets = p.offsets === 0 ? 0 : p.offsets + 4 * k0;
    for (let panel = 0; panel < panels; panel += PASS_PANELS) {
      const some = Math.min(PASS_PANELS, panels - panel);
      const c = p.c + 4 * panel * rows * p.ldc;
      kernels.gemm(
        a + 4 * panel * rows * count,
        b,
        p.tileStride,
        offsets,
        count,
        some,
        p.tiles,
        c,
        4 * p.ldc,
        k0,
        p.scratch,
      );
    }
    a += 4 * panels * rows * count;
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
  const someRows = Math.min(m, Math.max(kernels.rows, Math.floor(AREA_ELEMENTS / k)));
  const someColumns = Math.min(n, Math.max(COLUMNS, Math.floor(AREA_ELEMENTS / Math.max(k, someRows)) & -COLUMNS));
  const tiles = Math.ceil(someColumns / COLUMNS);
  // an odd number of cache lines between rows, or they fall on the same few sets of the cache
  const rowElements = (Math.ceil(someColumns / 16) | 1) * 16;
  const areas = kernels.memory.arena(
    isTransposed ? 1 : k,
    isTransposed ? 1 : COLUMNS * k,
    stagingElements(k),
    packedElements(kernels, someRows, k),
    isTransposed ? tiles * COLUMNS * k : rowElements * k,
    Math.ceil(someRows / kernels.rows) * kernels.rows * tiles * COLUMNS,
  );
  if (!areas) return false;
  const [arena, area, staging, left, right, result] = areas as [number, number, number, number, number, number];
  const [offsets, scratch] = isTransposed ? [0, 0] : [arena, area];
  const { f32, i32 } = kernels.memory;
  if (!isTransposed) for (let p = 0; p < k; p++) i32[offsets / 4 + p] = 4 * p * rowElements;
  for (let i = 0; i < m; i += someRows) {
    const rows = Math.min(someRows, m - i);
    packLeft(kernels, left, staging, a, aAt + i * lda, lda, rows, k);
    for (let j = 0; j < n; j += someColumns) {
      const columns = Math.min(someColumns, n - j);
      if (isTransposed) packPanels(kernels, right, staging, b, bAt + j * ldb, ldb, columns, k, COLUMNS);
      else for (let p = 0; p < k; p++) copyElements32(f32, right / 4 + p * rowElements, b, bAt + p * ldb + j, columns);
      const some = Math.ceil(columns / COLUMNS);
      const width = some * COLUMNS;
      runPacked(kernels, {
        a: left,
        m: rows,
        k,
        b: right,
        tiles: some,
        c: result,
        ldc: width,
        offsets,
        scratch,
        tileStride: 4 * COLUMNS * (isTransposed ? k : 1),
      });
      copyResult(f32, result / 4, width, c, cAt + i * ldc + j, ldc, rows, columns);
    }
  }
  kernels.memory.free(arena);
  return true;
}

function copyResult(
  from: Float32Array,
  fromAt: number,
  width: number,
  to: Float32Array,
  toAt: number,
  ldc: number,
  rows: number,
  columns: number,
): void {
  if (width === columns && ldc === columns) {
    copyElements32(to, toAt, from, fromAt, rows * columns);
    return;
  }
  for (let r = 0; r < rows; r++) copyElements32(to, toAt + r * ldc, from, fromAt + r * width, columns);
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
      kernels.dots(xs + 4 * i * padded, ws, 4 * padded, padded, Math.ceil(count / 4) * 4, ys);
      let to = cAt + i * ci + j * cj;
      for (let r = 0; r < count; r++, to += cj) c[to] = f32[ys / 4 + r]!;
    }
  }
  kernels.memory.free(xs);
  return true;
}

/** Copies rows of k elements to rows of `padded`, with zeros behind them. */
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
  if (padded === k && ld === k) {
    copyElements32(to, toAt, from, fromAt, rows * k);
    return;
  }
  for (let r = 0; r < rows; r++, toAt += padded, fromAt += ld) {
    copyElements32(to, toAt, from, fromAt, k);
    for (let p = k; p < padded; p++) to[toAt + p] = 0;
  }
}
