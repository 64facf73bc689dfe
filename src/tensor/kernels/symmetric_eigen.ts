/** @file Eigenvalues and vectors of symmetric and Hermitian matrices: Householder tridiagonalisation, implicit QL and QR. Upstream: LAPACK sytd2, hetd2, steqr. Spec: none. */
import { reflector } from "./factorizations.ts";
import { identity, Matrix, triangleOf } from "./matrices.ts";
import { olderRotation, rotateColumns, sign, swapColumns, symmetricPair } from "./rotations.ts";

/** Eigenvalues in ascending order, and vectors in the columns; undefined vectors where the iteration did not converge. */
export interface SymmetricEigen {
  readonly values: Float64Array;
  readonly vectors: Matrix;
  readonly info: number;
}

/** Decomposes a Hermitian matrix of which one triangle is read. `eps` is half the precision of the dtype it came from. */
export function symmetricEigen(a: Matrix, upper: boolean, eps = 2 ** -53): SymmetricEigen {
  const n = a.rows;
  const full = fromTriangle(a, upper);
  for (let i = 0; i < full.re.length; i++) {
    if (!Number.isFinite(full.re[i]!) || !Number.isFinite(full.im[i]!)) {
      return { values: new Float64Array(n).fill(NaN), vectors: full, info: Math.max(1, n - 1) };
    }
  }
  const { d, e, q } = upper ? tridiagonalUpper(full) : tridiagonalLower(full);
  const info = tridiagonalQL(d, e, q, eps);
  return { values: d, vectors: q, info };
}

function fromTriangle(a: Matrix, upper: boolean): Matrix {
  const t = triangleOf(a, a.rows, a.cols, upper);
  const flipped = t.transpose(true);
  const n = a.rows;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      if (i === j) t.im[i * n + i] = 0;
      else if (upper ? j < i : j > i) {
        t.re[i * n + j] = flipped.re[i * n + j]!;
        t.im[i * n + j] = flipped.im[i * n + j]!;
      }
    }
  }
  return t;
}

interface Tridiagonal {
  readonly d: Float64Array;
  readonly e: Float64Array;
  readonly q: Matrix;
}

/** Replaces the rows and columns of `range` by H^H A H for H = I - tau v v^H. */
function reflectBoth(
  a: Matrix,
  v: { re: Float64Array; im: Float64Array },
  from: number,
  to: number,
  tr: number,
  ti: number,
): void {
  const n = a.cols;
  const { re, im } = a;
  const wr = new Float64Array(n);
  const wi = new Float64Array(n);
  for (let i = from; i < to; i++) {
    let sr = 0;
    let si = 0;
    for (let j = from; j < to; j++) {
      const [xr, xi, yr, yi] = [re[i * n + j]!, im[i * n + j]!, v.re[j]!, v.im[j]!];
      sr += xr * yr - xi * yi;
      si += xr * yi + xi * yr;
    }
    wr[i] = tr * sr - ti * si;
    wi[i] = tr * si + ti * sr;
  }
  let dr = 0; // conj(w) . v
  let di = 0;
  for (let i = from; i < to; i++) {
    dr += wr[i]! * v.re[i]! + wi[i]! * v.im[i]!;
    di += wr[i]! * v.im[i]! - wi[i]! * v.re[i]!;
  }
  const ar = -0.5 * (tr * dr - ti * di);
  const ai = -0.5 * (tr * di + ti * dr);
  for (let i = from; i < to; i++) {
    wr[i]! += ar * v.re[i]! - ai * v.im[i]!;
    wi[i]! += ar * v.im[i]! + ai * v.re[i]!;
  }
  for (let i = from; i < to; i++) {
    for (let j = from; j < to; j++) {
      re[i * n + j]! -= v.re[i]! * wr[j]! + v.im[i]! * wi[j]! + wr[i]! * v.re[j]! + wi[i]! * v.im[j]!;
      im[i * n + j]! -= v.im[i]! * wr[j]! - v.re[i]! * wi[j]! + wi[i]! * v.re[j]! - wr[i]! * v.im[j]!;
    }
    im[i * n + i] = 0;
  }
}

/** q := H q for H = I - tau v v^H on rows from..to. */
function reflectRows(
  q: Matrix,
  v: { re: Float64Array; im: Float64Array },
  from: number,
  to: number,
  tr: number,
  ti: number,
): void {
  const { cols, re, im } = q;
  for (let j = 0; j < cols; j++) {
    let sr = 0;
    let si = 0;
    for (let i = from; i < to; i++) {
      const [xr, xi] = [re[i * cols + j]!, im[i * cols + j]!];
      sr += v.re[i]! * xr + v.im[i]! * xi;
      si += v.re[i]! * xi - v.im[i]! * xr;
    }
    const fr = tr * sr - ti * si;
    const fi = tr * si + ti * sr;
    for (let i = from; i < to; i++) {
      re[i * cols + j]! -= v.re[i]! * fr - v.im[i]! * fi;
      im[i * cols + j]! -= v.re[i]! * fi + v.im[i]! * fr;
    }
  }
}

interface Reflection {
  readonly v: { re: Float64Array; im: Float64Array };
  readonly from: number;
  readonly to: number;
  readonly tr: number;
  readonly ti: number;
}

function accumulate(n: number, isComplex: boolean, reflections: readonly Reflection[]): Matrix {
  const q = identity(n, n, isComplex);
  for (let k = reflections.length - 1; k >= 0; k--) {
    const r = reflections[k]!;
    reflectRows(q, r.v, r.from, r.to, r.tr, r.ti);
  }
  return q;
}

function tridiagonalLower(a: Matrix): Tridiagonal {
  const n = a.rows;
  const d = new Float64Array(n);
  const e = new Float64Array(Math.max(0, n - 1));
  const reflections: Reflection[] = [];
  for (let i = 0; i < n - 1; i++) {
    const v = { re: new Float64Array(n), im: new Float64Array(n) };
    for (let k = i + 1; k < n; k++) {
      v.re[k] = a.re[k * n + i]!;
      v.im[k] = a.im[k * n + i]!;
    }
    const { tr, ti } = reflector(v.re, v.im, i + 1, i + 2, 1, n - i - 1);
    e[i] = v.re[i + 1]!;
    v.re[i + 1] = 1;
    v.im[i + 1] = 0;
    if (tr !== 0 || ti !== 0) {
      reflectBoth(a, v, i + 1, n, tr, ti);
      reflections.push({ v, from: i + 1, to: n, tr, ti });
    }
    d[i] = a.re[i * n + i]!;
  }
  if (n > 0) d[n - 1] = a.re[n * n - 1]!;
  return { d, e, q: accumulate(n, a.isComplex, reflections) };
}

function tridiagonalUpper(a: Matrix): Tridiagonal {
  const n = a.rows;
  const d = new Float64Array(n);
  const e = new Float64Array(Math.max(0, n - 1));
  const reflections: Reflection[] = [];
  for (let i = n - 2; i >= 0; i--) {
    const v = { re: new Float64Array(n), im: new Float64Array(n) };
    for (let k = 0; k <= i; k++) {
      v.re[k] = a.re[k * n + i + 1]!;
      v.im[k] = a.im[k * n + i + 1]!;
    }
    const { tr, ti } = reflector(v.re, v.im, i, 0, 1, i + 1);
    e[i] = v.re[i]!;
    v.re[i] = 1;
    v.im[i] = 0;
    if (tr !== 0 || ti !== 0) {
      reflectBoth(a, v, 0, i + 1, tr, ti);
      reflections.push({ v, from: 0, to: i + 1, tr, ti });
    }
    d[i + 1] = a.re[(i + 1) * n + i + 1]!;
  }
  if (n > 0) d[0] = a.re[0]!;
  return { d, e, q: accumulate(n, a.isComplex, reflections) };
}

/** Implicit QL and QR iterations (steqr) on a symmetric tridiagonal matrix; rotates the columns of z along. */
function tridiagonalQL(d: Float64Array, e: Float64Array, z: Matrix, eps: number): number {
  const n = d.length;
  const tiny = eps > 1e-10 ? 2 ** -126 : 2 ** -1022;
  let budget = 30 * n;
  let next = 0;
  while (next < n) {
    if (next > 0) e[next - 1] = 0;
    let m = next;
    for (; m < n - 1; m++) {
      const size = Math.abs(e[m]!);
      if (size === 0) break;
      if (size <= Math.sqrt(Math.abs(d[m]!)) * Math.sqrt(Math.abs(d[m + 1]!)) * eps) {
        e[m] = 0;
        break;
      }
    }
    const start = next;
    next = m + 1;
    if (m === start) continue;
    const down = Math.abs(d[m]!) < Math.abs(d[start]!);
    budget = down
      ? sweepQR(d, e, z, m, start, { eps, tiny }, budget)
      : sweepQL(d, e, z, start, m, { eps, tiny }, budget);
    if (budget <= 0) break;
  }
  let failed = 0;
  for (let i = 0; i < n - 1; i++) if (e[i] !== 0) failed++;
  for (let i = 0; i < n - 1; i++) {
    let k = i;
    for (let j = i + 1; j < n; j++) if (d[j]! < d[k]!) k = j;
    if (k !== i) {
      [d[i], d[k]] = [d[k]!, d[i]!];
      swapColumns(z, i, k);
    }
  }
  return failed;
}

interface Precision {
  readonly eps: number;
  readonly tiny: number;
}

function sweepQL(
  d: Float64Array,
  e: Float64Array,
  z: Matrix,
  from: number,
  end: number,
  { eps, tiny }: Precision,
  steps: number,
): number {
  let l = from;
  let budget = steps;
  while (l <= end) {
    let m = l;
    for (; m < end; m++) if (e[m]! ** 2 <= eps * eps * Math.abs(d[m]!) * Math.abs(d[m + 1]!) + tiny) break;
    if (m < end) e[m] = 0;
    let p = d[l]!;
    if (m === l) {
      l++;
      continue;
    }
    if (m === l + 1) {
      const { rt1, rt2, cs, sn } = symmetricPair(d[l]!, e[l]!, d[l + 1]!);
      rotateColumns(z, l, cs, sn);
      d[l] = rt1;
      d[l + 1] = rt2;
      e[l] = 0;
      l += 2;
      continue;
    }
    if (budget-- <= 0) return 0;
    let g = (d[l + 1]! - p) / (2 * e[l]!);
    let r = Math.hypot(g, 1);
    g = d[m]! - p + e[l]! / (g + sign(r, g));
    let s = 1;
    let c = 1;
    p = 0;
    for (let i = m - 1; i >= l; i--) {
      const f = s * e[i]!;
      const b = c * e[i]!;
      ({ c, s, r } = olderRotation(g, f));
      if (i !== m - 1) e[i + 1] = r;
      g = d[i + 1]! - p;
      r = (d[i]! - g) * s + 2 * c * b;
      p = s * r;
      d[i + 1] = g + p;
      g = c * r - b;
      rotateColumns(z, i, c, -s);
    }
    d[l]! -= p;
    e[l] = g;
  }
  return budget;
}

function sweepQR(
  d: Float64Array,
  e: Float64Array,
  z: Matrix,
  from: number,
  end: number,
  { eps, tiny }: Precision,
  steps: number,
): number {
  let l = from;
  let budget = steps;
  while (l >= end) {
    let m = l;
    for (; m > end; m--) if (e[m - 1]! ** 2 <= eps * eps * Math.abs(d[m]!) * Math.abs(d[m - 1]!) + tiny) break;
    if (m > end) e[m - 1] = 0;
    let p = d[l]!;
    if (m === l) {
      l--;
      continue;
    }
    if (m === l - 1) {
      const { rt1, rt2, cs, sn } = symmetricPair(d[l - 1]!, e[l - 1]!, d[l]!);
      rotateColumns(z, l - 1, cs, sn);
      d[l - 1] = rt1;
      d[l] = rt2;
      e[l - 1] = 0;
      l -= 2;
      continue;
    }
    if (budget-- <= 0) return 0;
    let g = (d[l - 1]! - p) / (2 * e[l - 1]!);
    let r = Math.hypot(g, 1);
    g = d[m]! - p + e[l - 1]! / (g + sign(r, g));
    let s = 1;
    let c = 1;
    p = 0;
    for (let i = m; i < l; i++) {
      const f = s * e[i]!;
      const b = c * e[i]!;
      ({ c, s, r } = olderRotation(g, f));
      if (i !== m) e[i - 1] = r;
      g = d[i]! - p;
      r = (d[i + 1]! - g) * s + 2 * c * b;
      p = s * r;
      d[i] = g + p;
      g = c * r - b;
      rotateColumns(z, i, c, s);
    }
    d[l]! -= p;
    e[l - 1] = g;
  }
  return budget;
}
