/** @file Dense matrices in double precision, real or complex: loading from and storing to batches, products, triangular solves. Upstream: aten/src/ATen/native/LinearAlgebraUtils.h. Spec: none.
 *
 * Note [Matrices compute in double]: every decomposition runs in float64 (real and imaginary parts apart) and rounds once, when the
 * result is stored. Real matrices have an `im` of zeros; kernels in which infinities can occur skip it, since inf * 0 is NaN. */
import { toComplexArrays } from "../data.ts";
import type { DType } from "../dtype.ts";
import { C, cdiv } from "../math/complex.ts";
import { emptyTensor, viewOf, type Tensor } from "../tensor.ts";
import { rowMajorCursor } from "../iterate.ts";
import { rowProductFor, transposed } from "./gemm.ts";

/** A row-major matrix. */
export class Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly re: Float64Array;
  readonly im: Float64Array;
  readonly isComplex: boolean;
  constructor(rows: number, cols: number, isComplex: boolean, re?: Float64Array, im?: Float64Array) {
    this.rows = rows;
    this.cols = cols;
    this.isComplex = isComplex;
    this.re = re ?? new Float64Array(rows * cols);
    this.im = im ?? new Float64Array(rows * cols);
  }

  clone(): Matrix {
    return new Matrix(this.rows, this.cols, this.isComplex, this.re.slice(), this.im.slice());
  }

  /** The transpose, conjugated or not. */
  transpose(conjugate = false): Matrix {
    const out = new Matrix(this.cols, this.rows, this.isComplex);
    for (let i = 0; i < this.rows; i++) {
      for (let j = 0; j < this.cols; j++) {
        out.re[j * this.rows + i] = this.re[i * this.cols + j]!;
        out.im[j * this.rows + i] = conjugate ? -this.im[i * this.cols + j]! : this.im[i * this.cols + j]!;
      }
    }
    return out;
  }

  /** The top left part, or a larger matrix with zeros around. */
  resized(rows: number, cols: number): Matrix {
    const out = new Matrix(rows, cols, this.isComplex);
    for (let i = 0; i < Math.min(rows, this.rows); i++) {
      for (let j = 0; j < Math.min(cols, this.cols); j++) {
        out.re[i * cols + j] = this.re[i * this.cols + j]!;
        out.im[i * cols + j] = this.im[i * this.cols + j]!;
      }
    }
    return out;
  }

  swapRows(a: number, b: number): void {
    if (a === b) return;
    for (let j = 0; j < this.cols; j++) {
      const p = a * this.cols + j;
      const q = b * this.cols + j;
      const re = this.re[p]!;
      this.re[p] = this.re[q]!;
      this.re[q] = re;
      if (!this.isComplex) continue;
      const im = this.im[p]!;
      this.im[p] = this.im[q]!;
      this.im[q] = im;
    }
  }
}

/** The identity, or its first columns. */
export function identity(rows: number, cols: number, isComplex: boolean): Matrix {
  const out = new Matrix(rows, cols, isComplex);
  for (let i = 0; i < Math.min(rows, cols); i++) out.re[i * cols + i] = 1;
  return out;
}

/** The matrices of a tensor's last two dimensions. */
export function loadMatrices(t: Tensor): Matrix[] {
  const rows = t.sizes[t.ndim - 2]!;
  const cols = t.sizes[t.ndim - 1]!;
  const { re, im } = toComplexArrays(t);
  const isComplex = t.dtype.category === "complex";
  const size = rows * cols;
  const count = t.sizes.slice(0, -2).reduce((a, b) => a * b, 1);
  return Array.from(
    { length: count },
    (_, k) => new Matrix(rows, cols, isComplex, re.slice(k * size, (k + 1) * size), im.slice(k * size, (k + 1) * size)),
  );
}

/** A (…batch, rows, cols) tensor of matrices; column-major as LAPACK leaves it unless told otherwise. */
export function storeMatrices(
  list: readonly Matrix[],
  batch: readonly number[],
  rows: number,
  cols: number,
  dtype: DType,
  columnMajor = true,
): Tensor {
  const size = rows * cols;
  const re = new Float64Array(list.length * size);
  const im = new Float64Array(list.length * size);
  list.forEach((m, k) => {
    const source = columnMajor ? m.transpose() : m;
    re.set(source.re, k * size);
    im.set(source.im, k * size);
  });
  const out = emptyTensor(columnMajor ? [...batch, cols, rows] : [...batch, rows, cols], dtype);
  storeParts(out, re, im);
  if (!columnMajor) return out;
  const n = batch.length;
  const view = viewOf(out, [...batch, rows, cols], [...out.strides.slice(0, n), out.strides[n + 1]!, out.strides[n]!]);
  view.base = undefined;
  return view;
}

function storeParts(out: Tensor, re: Float64Array, im: Float64Array): void {
  if (out.dtype.category === "complex") rowMajorCursor(out).storeComplex(re, im, out.numel);
  else rowMajorCursor(out).store(re, out.numel, true);
}

/** A contiguous tensor of real numbers, or of complex ones where `im` is given. */
export function storeNumbers(
  re: ArrayLike<number>,
  im: ArrayLike<number> | null,
  sizes: readonly number[],
  dtype: DType,
): Tensor {
  const out = emptyTensor(sizes, dtype);
  storeParts(out, Float64Array.from(re), im ? Float64Array.from(im) : new Float64Array(re.length));
  return out;
}

/** a times b. */
export function multiply(a: Matrix, b: Matrix): Matrix {
  const isComplex = a.isComplex || b.isComplex;
  const [m, k, n] = [a.rows, a.cols, b.cols];
  const out = new Matrix(m, n, isComplex);
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      const xr = a.re[i * k + p]!;
      const xi = a.im[i * k + p]!;
      if (isComplex) {
        for (let j = 0; j < n; j++) {
          const yr = b.re[p * n + j]!;
          const yi = b.im[p * n + j]!;
          out.re[i * n + j]! += xr * yr - xi * yi;
          out.im[i * n + j]! += xr * yi + xi * yr;
        }
      } else for (let j = 0; j < n; j++) out.re[i * n + j]! += xr * b.re[p * n + j]!;
    }
  }
  return out;
}

/**
 * to[at + j] -= factors[first + k] * rows[start + k * ld + j] for `width` columns and `n` rows, row after row: the order of the
 * sums is that of single rows, the target is read and written once for four of them.
 */
export function subtractRows(
  to: Float64Array,
  at: number,
  width: number,
  factors: Float64Array,
  first: number,
  n: number,
  rows: Float64Array,
  start: number,
  ld: number,
): void {
  let k = 0;
  for (; k + 4 <= n; k += 4) {
    const f0 = factors[first + k]!;
    const f1 = factors[first + k + 1]!;
    const f2 = factors[first + k + 2]!;
    const f3 = factors[first + k + 3]!;
    const r0 = start + k * ld;
    const r1 = r0 + ld;
    const r2 = r1 + ld;
    const r3 = r2 + ld;
    for (let j = 0; j < width; j++)
      to[at + j] = to[at + j]! - f0 * rows[r0 + j]! - f1 * rows[r1 + j]! - f2 * rows[r2 + j]! - f3 * rows[r3 + j]!;
  }
  for (; k < n; k++) {
    const f = factors[first + k]!;
    const row = start + k * ld;
    for (let j = 0; j < width; j++) to[at + j] = to[at + j]! - f * rows[row + j]!;
  }
}

/** How a triangular matrix enters a solve. */
export interface Triangle {
  readonly upper: boolean;
  readonly unit?: boolean;
}

/** Solves A X = B for a triangular A, in place in B. */
export function solveTriangle(a: Matrix, b: Matrix, triangle: Triangle): void {
  if (a.isComplex || b.isComplex) {
    solveComplexTriangle(a, b, triangle);
    return;
  }
  const n = b.rows;
  for (let done = 0; done < n; done += BLOCK_ROWS) {
    const rows = Math.min(BLOCK_ROWS, n - done);
    const first = triangle.upper ? n - done - rows : done;
    subtractSolved(a, b, first, rows, triangle.upper ? first + rows : 0, done);
    solveRows(a, b, first, rows, triangle);
  }
}

/** Rows that are solved together, after the multiples of all solved ones were subtracted from them as one product. */
const BLOCK_ROWS = 64;

/** Subtracts from `rows` rows of B from `first` on the multiples that A says of the `count` solved ones from `from` on. */
function subtractSolved(a: Matrix, b: Matrix, first: number, rows: number, from: number, count: number): void {
  if (count === 0) return;
  const width = b.cols;
  const product = new Float64Array(rows * width);
  const solved = transposed(b.re, from * width, count, width);
  rowProductFor(product)(a.re, first * a.cols + from, a.cols, solved, 0, count, product, 0, width, rows, width, count);
  const x = b.re;
  for (let j = 0, at = first * width; j < product.length; j++, at++) x[at] = x[at]! - product[j]!;
}

/** Solves for `rows` rows from `first` on, from which the multiples of all others are already subtracted. */
function solveRows(a: Matrix, b: Matrix, first: number, rows: number, { upper, unit = false }: Triangle): void {
  const width = b.cols;
  const x = b.re;
  for (let step = 0; step < rows; step++) {
    const i = upper ? first + rows - 1 - step : first + step;
    const from = upper ? i + 1 : first;
    const row = i * a.cols;
    const at = i * width;
    subtractRows(x, at, width, a.re, row + from, step, x, from * width, width);
    if (unit) continue;
    const diagonal = a.re[row + i]!;
    for (let j = at; j < at + width; j++) x[j] = x[j]! / diagonal;
  }
}

function solveComplexTriangle(a: Matrix, b: Matrix, { upper, unit = false }: Triangle): void {
  const n = b.rows;
  const width = b.cols;
  const lda = a.cols;
  for (let step = 0; step < n; step++) {
    const i = upper ? n - 1 - step : step;
    const [from, to] = upper ? [i + 1, n] : [0, i];
    for (let k = from; k < to; k++) {
      const xr = a.re[i * lda + k]!;
      const xi = a.im[i * lda + k]!;
      for (let j = 0; j < width; j++) {
        const yr = b.re[k * width + j]!;
        const yi = b.im[k * width + j]!;
        b.re[i * width + j]! -= xr * yr - xi * yi;
        b.im[i * width + j]! -= xr * yi + xi * yr;
      }
    }
    if (unit) continue;
    const dr = a.re[i * lda + i]!;
    const di = a.im[i * lda + i]!;
    for (let at = i * width; at < (i + 1) * width; at++) {
      cdiv(b.re[at]!, b.im[at]!, dr, di);
      b.re[at] = C.re;
      b.im[at] = C.im;
    }
  }
}

/** The upper or lower triangle, with zeros (and with ones on the diagonal where `unit`) elsewhere. */
export function triangleOf(a: Matrix, rows: number, cols: number, upper: boolean, unit = false): Matrix {
  const out = new Matrix(rows, cols, a.isComplex);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) {
      if (upper ? j < i : j > i) continue;
      if (unit && i === j) out.re[i * cols + j] = 1;
      else {
        out.re[i * cols + j] = a.re[i * a.cols + j]!;
        out.im[i * cols + j] = a.im[i * a.cols + j]!;
      }
    }
  }
  return out;
}
