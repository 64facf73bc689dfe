/** @file Singular value decomposition: Householder bidiagonalisation and implicit zero-shift QR. Upstream: LAPACK gesdd, gebd2, bdsqr. Spec: none.
 *
 * Note [Signs of singular vectors]: vectors are unique up to a common sign (phase) only; to give the ones that PyTorch gives, the path
 * (QR first for tall matrices, LQ for wide ones), the shifts and the sweep directions follow LAPACK's. */
import { factorQR, productOfReflectors, reflector } from "./factorizations.ts";
import { identity, Matrix, multiply, triangleOf } from "./matrices.ts";
import {
  rotateColumns,
  rotateRows,
  rotation,
  sign,
  smallerSingular,
  swapColumns,
  triangularPair,
} from "./rotations.ts";

/** A = u diag(s) vh; u is (m, k), vh (k, n) with k = min(m, n), or square ones for a full decomposition. */
export interface SVD {
  readonly u: Matrix;
  readonly s: Float64Array;
  readonly vh: Matrix;
}

/** Decomposes a finite matrix. `eps` is the precision of the dtype it came from. */
export function decomposeSVD(a: Matrix, full: boolean, eps: number): SVD {
  const { rows: m, cols: n } = a;
  const k = Math.min(m, n);
  if (k === 0)
    return {
      u: identity(m, full ? m : 0, a.isComplex),
      s: new Float64Array(0),
      vh: identity(full ? n : 0, n, a.isComplex),
    };
  // gesdd's crossover to a QR (LQ) first
  const threshold = a.isComplex ? Math.floor((k * 17) / 9) : Math.floor((k * 11) / 6);
  if (m >= n) {
    if (m < threshold) return bidiagonalSVD(a, full, eps);
    const { packed, tau } = factorQR(a);
    const inner = bidiagonalSVD(triangleOf(packed, n, n, true), false, eps);
    const q = productOfReflectors(packed, tau, full ? m : n);
    return { u: multiply(q, bordered(inner.u, full ? m : n)), s: inner.s, vh: inner.vh };
  }
  // MKL, unlike LAPACK, takes no LQ first where the matrix is real
  if (n < threshold || !a.isComplex) return bidiagonalSVD(a, full, eps);
  const { packed, tau } = factorQR(a.transpose(true));
  const lower = triangleOf(packed, m, m, true).transpose(true);
  const inner = bidiagonalSVD(lower, false, eps);
  const q = productOfReflectors(packed, tau, full ? n : m).transpose(true);
  return { u: inner.u, s: inner.s, vh: multiply(bordered(inner.vh, full ? n : m), q) };
}

/** `m` in the top left corner of an identity. */
function bordered(m: Matrix, size: number): Matrix {
  const out = identity(size, size, m.isComplex);
  for (let i = 0; i < m.rows; i++) {
    for (let j = 0; j < m.cols; j++) {
      out.re[i * size + j] = m.re[i * m.cols + j]!;
      out.im[i * size + j] = m.im[i * m.cols + j]!;
    }
  }
  return out;
}

interface Vector {
  re: Float64Array;
  im: Float64Array;
  from: number;
  tr: number;
  ti: number;
}

/** a := (I - tau v v^H) a on the rows v.from…, columns c0…. */
function fromLeft(a: Matrix, v: Vector, c0: number, conjTau: boolean): void {
  const { rows, cols, re, im } = a;
  const ti = conjTau ? -v.ti : v.ti;
  for (let j = c0; j < cols; j++) {
    let sr = 0;
    let si = 0;
    for (let i = v.from; i < rows; i++) {
      const [xr, xi] = [re[i * cols + j]!, im[i * cols + j]!];
      sr += v.re[i]! * xr + v.im[i]! * xi;
      si += v.re[i]! * xi - v.im[i]! * xr;
    }
    const fr = v.tr * sr - ti * si;
    const fi = v.tr * si + ti * sr;
    for (let i = v.from; i < rows; i++) {
      re[i * cols + j]! -= v.re[i]! * fr - v.im[i]! * fi;
      im[i * cols + j]! -= v.re[i]! * fi + v.im[i]! * fr;
    }
  }
}

/** a := a (I - tau v v^H) on the columns v.from…, rows r0…. */
function fromRight(a: Matrix, v: Vector, r0: number): void {
  const { rows, cols, re, im } = a;
  for (let i = r0; i < rows; i++) {
    let sr = 0;
    let si = 0;
    for (let j = v.from; j < cols; j++) {
      const [xr, xi] = [re[i * cols + j]!, im[i * cols + j]!];
      sr += xr * v.re[j]! - xi * v.im[j]!;
      si += xr * v.im[j]! + xi * v.re[j]!;
    }
    const fr = v.tr * sr - v.ti * si;
    const fi = v.tr * si + v.ti * sr;
    for (let j = v.from; j < cols; j++) {
      re[i * cols + j]! -= fr * v.re[j]! + fi * v.im[j]!;
      im[i * cols + j]! -= fi * v.re[j]! - fr * v.im[j]!;
    }
  }
}

function columnReflector(a: Matrix, row: number, col: number): { v: Vector; beta: number } {
  const v: Vector = { re: new Float64Array(a.rows), im: new Float64Array(a.rows), from: row, tr: 0, ti: 0 };
  for (let i = row; i < a.rows; i++) {
    v.re[i] = a.re[i * a.cols + col]!;
    v.im[i] = a.im[i * a.cols + col]!;
  }
  return finish(v, row, a.rows);
}

function rowReflector(a: Matrix, row: number, col: number): { v: Vector; beta: number } {
  const v: Vector = { re: new Float64Array(a.cols), im: new Float64Array(a.cols), from: col, tr: 0, ti: 0 };
  for (let j = col; j < a.cols; j++) {
    v.re[j] = a.re[row * a.cols + j]!;
    v.im[j] = -a.im[row * a.cols + j]!;
  }
  return finish(v, col, a.cols);
}

function finish(v: Vector, at: number, end: number): { v: Vector; beta: number } {
  const { tr, ti } = reflector(v.re, v.im, at, at + 1, 1, end - at);
  const beta = v.re[at]!;
  v.re[at] = 1;
  v.im[at] = 0;
  v.tr = tr;
  v.ti = ti;
  return { v, beta };
}

function bidiagonalSVD(input: Matrix, full: boolean, eps: number): SVD {
  const a = input.clone();
  const { rows: m, cols: n } = a;
  const k = Math.min(m, n);
  const d = new Float64Array(k);
  const e = new Float64Array(Math.max(0, k - 1));
  const left: Vector[] = [];
  const right: Vector[] = [];
  const upper = m >= n;
  for (let i = 0; i < k; i++) {
    if (upper) {
      const q = columnReflector(a, i, i);
      d[i] = q.beta;
      fromLeft(a, q.v, i + 1, true);
      left.push(q.v);
      if (i < n - 1) {
        const p = rowReflector(a, i, i + 1);
        e[i] = p.beta;
        fromRight(a, p.v, i + 1);
        right.push(p.v);
      }
    } else {
      const p = rowReflector(a, i, i);
      d[i] = p.beta;
      fromRight(a, p.v, i + 1);
      right.push(p.v);
      if (i < m - 1) {
        const q = columnReflector(a, i + 1, i);
        e[i] = q.beta;
        fromLeft(a, q.v, i + 1, true);
        left.push(q.v);
      }
    }
  }
  const ub = identity(k, k, a.isComplex);
  const vb = identity(k, k, a.isComplex);
  diagonalise(d, e, ub, vb, upper, eps);
  const u = bordered(ub, m).resized(m, full ? m : k);
  for (let i = left.length - 1; i >= 0; i--) fromLeft(u, left[i]!, 0, false);
  // vh = vb P^H: apply the reflectors to P's columns, as (P vb^H)^H
  const v = bordered(vb.transpose(true), n).resized(n, full ? n : k);
  for (let i = right.length - 1; i >= 0; i--) fromLeft(v, right[i]!, 0, false);
  return { u, s: d, vh: v.transpose(true) };
}

/** bdsdc for small sizes: bidiagonal (d, e) to decreasing singular values; u's columns and vt's rows rotate along. */
function diagonalise(d: Float64Array, e: Float64Array, u: Matrix, vt: Matrix, upper: boolean, eps: number): void {
  const n = d.length;
  if (n === 1) {
    u.re[0] = sign(1, d[0]!);
    d[0] = Math.abs(d[0]!);
    return;
  }
  const undo: [number, number][] = [];
  if (!upper) {
    for (let i = 0; i < n - 1; i++) {
      const { c, s, r } = rotation(d[i]!, e[i]!);
      d[i] = r;
      e[i] = s * d[i + 1]!;
      d[i + 1]! *= c;
      undo.push([c, -s]);
    }
  }
  implicitQR(d, e, u, vt, eps);
  for (let i = undo.length - 1; i >= 0; i--) rotateRows(u, i, undo[i]![0], undo[i]![1]);
}

function implicitQR(d: Float64Array, e: Float64Array, u: Matrix, vt: Matrix, eps: number): void {
  const n = d.length;
  const tol = Math.max(10, Math.min(100, eps ** -0.125)) * eps;
  const tiny = eps > 1e-10 ? 2 ** -126 : 2 ** -1022;
  let least = Math.abs(d[0]!);
  for (let i = 1, mu = least; i < n && least !== 0; i++) {
    mu = Math.abs(d[i]!) * (mu / (mu + Math.abs(e[i - 1]!)));
    least = Math.min(least, mu);
  }
  const thresh = Math.max((tol * least) / Math.sqrt(n), 6 * n * n * tiny);
  let budget = 6 * n * n + 100;
  let direction = 0;
  let oldStart = -2;
  let oldEnd = -2;
  let m = n - 1;
  while (m > 0 && budget > 0) {
    let max = Math.abs(d[m]!);
    let ll = m - 1;
    for (; ll >= 0; ll--) {
      if (Math.abs(e[ll]!) <= thresh) break;
      max = Math.max(max, Math.abs(d[ll]!), Math.abs(e[ll]!));
    }
    if (ll >= 0) {
      e[ll] = 0;
      if (ll === m - 1) {
        m--;
        continue;
      }
    }
    ll++;
    if (ll === m - 1) {
      const p = triangularPair(d[m - 1]!, e[m - 1]!, d[m]!, eps);
      d[m - 1] = p.max;
      e[m - 1] = 0;
      d[m] = p.min;
      rotateRows(vt, m - 1, p.cosR, p.sinR);
      rotateColumns(u, m - 1, p.cosL, p.sinL);
      m -= 2;
      continue;
    }
    if (ll > oldEnd || m < oldStart) direction = Math.abs(d[ll]!) >= Math.abs(d[m]!) ? 1 : 2;
    const min = direction === 1 ? deflateDown(d, e, ll, m, tol) : deflateUp(d, e, ll, m, tol);
    if (min < 0) continue;
    oldStart = ll;
    oldEnd = m;
    let shift = 0;
    if (n * tol * (min / max) > Math.max(eps, 0.01 * tol)) {
      const first = Math.abs(direction === 1 ? d[ll]! : d[m]!);
      shift =
        direction === 1 ? smallerSingular(d[m - 1]!, e[m - 1]!, d[m]!) : smallerSingular(d[ll]!, e[ll]!, d[ll + 1]!);
      if (first > 0 && (shift / first) ** 2 < eps) shift = 0;
    }
    budget -= m - ll;
    if (shift === 0) {
      if (direction === 1) zeroShiftDown(d, e, u, vt, ll, m);
      else zeroShiftUp(d, e, u, vt, ll, m);
    } else if (direction === 1) shiftDown(d, e, u, vt, ll, m, shift);
    else shiftUp(d, e, u, vt, ll, m, shift);
    const last = direction === 1 ? m - 1 : ll;
    if (Math.abs(e[last]!) <= thresh) e[last] = 0;
  }
  order(d, u, vt);
}

/** Deflates where it can (negative result), else gives a lower bound of the smallest singular value. */
function deflateDown(d: Float64Array, e: Float64Array, ll: number, m: number, tol: number): number {
  if (Math.abs(e[m - 1]!) <= tol * Math.abs(d[m]!)) {
    e[m - 1] = 0;
    return -1;
  }
  let mu = Math.abs(d[ll]!);
  let min = mu;
  for (let i = ll; i < m; i++) {
    if (Math.abs(e[i]!) <= tol * mu) {
      e[i] = 0;
      return -1;
    }
    mu = Math.abs(d[i + 1]!) * (mu / (mu + Math.abs(e[i]!)));
    min = Math.min(min, mu);
  }
  return min;
}

function deflateUp(d: Float64Array, e: Float64Array, ll: number, m: number, tol: number): number {
  if (Math.abs(e[ll]!) <= tol * Math.abs(d[ll]!)) {
    e[ll] = 0;
    return -1;
  }
  let mu = Math.abs(d[m]!);
  let min = mu;
  for (let i = m - 1; i >= ll; i--) {
    if (Math.abs(e[i]!) <= tol * mu) {
      e[i] = 0;
      return -1;
    }
    mu = Math.abs(d[i]!) * (mu / (mu + Math.abs(e[i]!)));
    min = Math.min(min, mu);
  }
  return min;
}

function zeroShiftDown(d: Float64Array, e: Float64Array, u: Matrix, vt: Matrix, ll: number, m: number): void {
  let c = 1;
  let oldC = 1;
  let oldS = 0;
  for (let i = ll; i < m; i++) {
    const a = rotation(d[i]! * c, e[i]!);
    c = a.c;
    if (i > ll) e[i - 1] = oldS * a.r;
    const b = rotation(oldC * a.r, d[i + 1]! * a.s);
    oldC = b.c;
    oldS = b.s;
    d[i] = b.r;
    rotateRows(vt, i, a.c, a.s);
    rotateColumns(u, i, b.c, b.s);
  }
  const h = d[m]! * c;
  d[m] = h * oldC;
  e[m - 1] = h * oldS;
}

function zeroShiftUp(d: Float64Array, e: Float64Array, u: Matrix, vt: Matrix, ll: number, m: number): void {
  let c = 1;
  let oldC = 1;
  let oldS = 0;
  for (let i = m; i > ll; i--) {
    const a = rotation(d[i]! * c, e[i - 1]!);
    c = a.c;
    if (i < m) e[i] = oldS * a.r;
    const b = rotation(oldC * a.r, d[i - 1]! * a.s);
    oldC = b.c;
    oldS = b.s;
    d[i] = b.r;
    rotateColumns(u, i - 1, a.c, -a.s);
    rotateRows(vt, i - 1, b.c, -b.s);
  }
  const h = d[ll]! * c;
  d[ll] = h * oldC;
  e[ll] = h * oldS;
}

function shiftDown(
  d: Float64Array,
  e: Float64Array,
  u: Matrix,
  vt: Matrix,
  ll: number,
  m: number,
  shift: number,
): void {
  let f = (Math.abs(d[ll]!) - shift) * (sign(1, d[ll]!) + shift / d[ll]!);
  let g = e[ll]!;
  for (let i = ll; i < m; i++) {
    const a = rotation(f, g);
    if (i > ll) e[i - 1] = a.r;
    f = a.c * d[i]! + a.s * e[i]!;
    e[i] = a.c * e[i]! - a.s * d[i]!;
    g = a.s * d[i + 1]!;
    d[i + 1]! *= a.c;
    const b = rotation(f, g);
    d[i] = b.r;
    f = b.c * e[i]! + b.s * d[i + 1]!;
    d[i + 1] = b.c * d[i + 1]! - b.s * e[i]!;
    if (i < m - 1) {
      g = b.s * e[i + 1]!;
      e[i + 1]! *= b.c;
    }
    rotateRows(vt, i, a.c, a.s);
    rotateColumns(u, i, b.c, b.s);
  }
  e[m - 1] = f;
}

function shiftUp(d: Float64Array, e: Float64Array, u: Matrix, vt: Matrix, ll: number, m: number, shift: number): void {
  let f = (Math.abs(d[m]!) - shift) * (sign(1, d[m]!) + shift / d[m]!);
  let g = e[m - 1]!;
  for (let i = m; i > ll; i--) {
    const a = rotation(f, g);
    if (i < m) e[i] = a.r;
    f = a.c * d[i]! + a.s * e[i - 1]!;
    e[i - 1] = a.c * e[i - 1]! - a.s * d[i]!;
    g = a.s * d[i - 1]!;
    d[i - 1]! *= a.c;
    const b = rotation(f, g);
    d[i] = b.r;
    f = b.c * e[i - 1]! + b.s * d[i - 1]!;
    d[i - 1] = b.c * d[i - 1]! - b.s * e[i - 1]!;
    if (i > ll + 1) {
      g = b.s * e[i - 2]!;
      e[i - 2]! *= b.c;
    }
    rotateColumns(u, i - 1, a.c, -a.s);
    rotateRows(vt, i - 1, b.c, -b.s);
  }
  e[ll] = f;
}

/** Makes the values positive and sorts them in decreasing order. */
function order(d: Float64Array, u: Matrix, vt: Matrix): void {
  const n = d.length;
  for (let i = 0; i < n; i++) {
    if (!(d[i]! < 0 || Object.is(d[i], -0))) continue;
    d[i] = -d[i]!;
    for (let j = 0; j < vt.cols; j++) {
      vt.re[i * vt.cols + j] = -vt.re[i * vt.cols + j]!;
      vt.im[i * vt.cols + j] = -vt.im[i * vt.cols + j]!;
    }
  }
  for (let last = n - 1; last > 0; last--) {
    let k = 0;
    for (let j = 1; j <= last; j++) if (d[j]! <= d[k]!) k = j;
    if (k === last) continue;
    [d[k], d[last]] = [d[last]!, d[k]!];
    vt.swapRows(k, last);
    swapColumns(u, k, last);
  }
}
