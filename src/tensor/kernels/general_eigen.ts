/** @file Eigenvalues and vectors of general matrices: Hessenberg form and shifted QR, real (double shift) and complex (single shift). Upstream: LAPACK gehd2, lahqr, lanv2, trevc, geev. Spec: none. */
import { C, cdiv, csqrt } from "../math/complex.ts";
import { reflector } from "./factorizations.ts";
import { identity, Matrix, multiply } from "./matrices.ts";
import { sign } from "./rotations.ts";
import { normalized, realNormalized, realVectors } from "./eigen_vectors.ts";

/** Complex eigenvalues in the order of the Schur form, and unit vectors in the columns. */
export interface GeneralEigen {
  readonly re: Float64Array;
  readonly im: Float64Array;
  readonly vectors: Matrix;
  /** False where the iteration did not converge. */
  readonly converged: boolean;
}

/** Precision and safe minimum of the dtype that the matrix came from: they decide when an iteration stops. */
export let ULP = 2 ** -52;
export let SMALL = 2 ** -970;

/** Decomposes a finite square matrix that was rounded to `eps`. */
export function generalEigen(a: Matrix, eps = 2 ** -52): GeneralEigen {
  ULP = eps;
  SMALL = (eps > 1e-10 ? 2 ** -126 : 2 ** -1022) / eps;
  const h = a.clone();
  const z = hessenberg(h);
  const n = a.rows;
  const re = new Float64Array(n);
  const im = new Float64Array(n);
  if (a.isComplex) {
    const converged = complexSchur(h, z);
    for (let i = 0; i < n; i++) {
      re[i] = h.re[i * n + i]!;
      im[i] = h.im[i * n + i]!;
    }
    return { re, im, vectors: normalized(multiply(z, complexVectors(h)), true), converged };
  }
  const converged = realSchur(h, z, re, im);
  return { re, im, vectors: realNormalized(multiply(asComplex(z), realVectors(h, re, im)), im), converged };
}

function asComplex(m: Matrix): Matrix {
  return new Matrix(m.rows, m.cols, true, m.re, m.im);
}

/** Reduces h to upper Hessenberg form in place; returns the orthogonal factor. */
function hessenberg(h: Matrix): Matrix {
  const n = h.rows;
  const vectors: { re: Float64Array; im: Float64Array; tr: number; ti: number; from: number }[] = [];
  for (let k = 0; k < n - 2; k++) {
    const v = { re: new Float64Array(n), im: new Float64Array(n), tr: 0, ti: 0, from: k + 1 };
    for (let i = k + 1; i < n; i++) {
      v.re[i] = h.re[i * n + k]!;
      v.im[i] = h.im[i * n + k]!;
    }
    const { tr, ti } = reflector(v.re, v.im, k + 1, k + 2, 1, n - k - 1);
    const beta = v.re[k + 1]!;
    v.re[k + 1] = 1;
    v.im[k + 1] = 0;
    v.tr = tr;
    v.ti = ti;
    vectors.push(v);
    applyRight(h, v, 0);
    applyLeft(h, v, k + 1, -1);
    h.re[(k + 1) * n + k] = beta;
    h.im[(k + 1) * n + k] = 0;
    for (let i = k + 2; i < n; i++) {
      h.re[i * n + k] = 0;
      h.im[i * n + k] = 0;
    }
  }
  const z = identity(n, n, h.isComplex);
  for (let k = vectors.length - 1; k >= 0; k--) applyLeft(z, vectors[k]!, 0, 1);
  return z;
}

interface Reflection {
  re: Float64Array;
  im: Float64Array;
  tr: number;
  ti: number;
  from: number;
}

function applyLeft(a: Matrix, v: Reflection, c0: number, conj: number): void {
  const { rows, cols, re, im } = a;
  for (let j = c0; j < cols; j++) {
    let sr = 0;
    let si = 0;
    for (let i = v.from; i < rows; i++) {
      sr += v.re[i]! * re[i * cols + j]! + v.im[i]! * im[i * cols + j]!;
      si += v.re[i]! * im[i * cols + j]! - v.im[i]! * re[i * cols + j]!;
    }
    const ti = conj * v.ti;
    const fr = v.tr * sr - ti * si;
    const fi = v.tr * si + ti * sr;
    for (let i = v.from; i < rows; i++) {
      re[i * cols + j]! -= v.re[i]! * fr - v.im[i]! * fi;
      im[i * cols + j]! -= v.re[i]! * fi + v.im[i]! * fr;
    }
  }
}

function applyRight(a: Matrix, v: Reflection, r0: number): void {
  const { rows, cols, re, im } = a;
  for (let i = r0; i < rows; i++) {
    let sr = 0;
    let si = 0;
    for (let j = v.from; j < cols; j++) {
      sr += re[i * cols + j]! * v.re[j]! - im[i * cols + j]! * v.im[j]!;
      si += re[i * cols + j]! * v.im[j]! + im[i * cols + j]! * v.re[j]!;
    }
    const fr = v.tr * sr - v.ti * si;
    const fi = v.tr * si + v.ti * sr;
    for (let j = v.from; j < cols; j++) {
      re[i * cols + j]! -= fr * v.re[j]! + fi * v.im[j]!;
      im[i * cols + j]! -= fi * v.re[j]! - fr * v.im[j]!;
    }
  }
}

/** Where the active block ends upwards: the first negligible subdiagonal at or below `i`. */
function deflation(h: Matrix, i: number): number {
  const n = h.cols;
  const size = (p: number): number => Math.abs(h.re[p]!) + Math.abs(h.im[p]!);
  let k = i;
  for (; k > 0; k--) {
    const sub = size(k * n + k - 1);
    if (sub <= SMALL) break;
    const [dr, di] = [(k - 1) * n + k - 1, k * n + k];
    let test = size(dr) + size(di);
    if (test === 0) {
      if (k >= 2) test += size((k - 1) * n + k - 2);
      if (k + 1 < n) test += size((k + 1) * n + k);
    }
    if (sub > ULP * test) continue;
    const over = size((k - 1) * n + k);
    const ab = Math.max(sub, over);
    const ba = Math.min(sub, over);
    const gap = Math.abs(h.re[dr]! - h.re[di]!) + Math.abs(h.im[dr]! - h.im[di]!);
    const aa = Math.max(size(di), gap);
    const bb = Math.min(size(di), gap);
    const s = aa + ab;
    if (ba * (ab / s) <= Math.max(SMALL, ULP * (bb * (aa / s)))) break;
  }
  return k;
}

function realSchur(h: Matrix, z: Matrix, wr: Float64Array, wi: Float64Array): boolean {
  const n = h.rows;
  const a = h.re;
  let i = n - 1;
  let steps = 0;
  let budget = 30 * Math.max(10, n) * Math.max(1, n);
  while (i >= 0) {
    const l = deflation(h, i);
    if (l > 0) a[l * n + l - 1] = 0;
    if (l >= i - 1) {
      if (l === i) {
        wr[i] = a[i * n + i]!;
        wi[i] = 0;
      } else standardize(h, z, i, wr, wi);
      steps = 0;
      i = l - 1;
      continue;
    }
    if (budget-- <= 0) return false;
    steps++;
    doubleShift(h, z, l, i, shiftBlock(a, n, l, i, steps));
  }
  return true;
}

type Block = readonly [number, number, number, number];

function shiftBlock(a: Float64Array, n: number, l: number, i: number, steps: number): Block {
  // lahqr's exceptional shifts
  if (steps % 20 === 0) {
    const s = Math.abs(a[i * n + i - 1]!) + Math.abs(a[(i - 1) * n + i - 2]!);
    const x = 0.75 * s + a[i * n + i]!;
    return [x, -0.4375 * s, s, x];
  }
  if (steps % 10 === 0) {
    const s = Math.abs(a[(l + 1) * n + l]!) + Math.abs(a[(l + 2) * n + l + 1]!);
    const x = 0.75 * s + a[l * n + l]!;
    return [x, -0.4375 * s, s, x];
  }
  return [a[(i - 1) * n + i - 1]!, a[(i - 1) * n + i]!, a[i * n + i - 1]!, a[i * n + i]!];
}

function doubleShift(h: Matrix, z: Matrix, l: number, i: number, [p11, p12, p21, p22]: Block): void {
  const n = h.rows;
  const a = h.re;
  const scale = Math.abs(p11) + Math.abs(p12) + Math.abs(p21) + Math.abs(p22);
  let [rt1r, rt1i, rt2r, rt2i] = [0, 0, 0, 0];
  if (scale !== 0) {
    const [h11, h12, h21, h22] = [p11 / scale, p12 / scale, p21 / scale, p22 / scale];
    const tr = (h11 + h22) / 2;
    const det = (h11 - tr) * (h22 - tr) - h12 * h21;
    const root = Math.sqrt(Math.abs(det));
    if (det >= 0) {
      rt1r = rt2r = tr * scale;
      rt1i = root * scale;
      rt2i = -rt1i;
    } else {
      const near = Math.abs(tr + root - h22) <= Math.abs(tr - root - h22) ? tr + root : tr - root;
      rt1r = rt2r = near * scale;
    }
  }
  let v1 = 0;
  let v2 = 0;
  let v3 = 0;
  let m = i - 2;
  for (; m >= l; m--) {
    const hmm = a[m * n + m]!;
    let sub = a[(m + 1) * n + m]!;
    let s = Math.abs(hmm - rt2r) + Math.abs(rt2i) + Math.abs(sub);
    sub /= s;
    v1 = sub * a[m * n + m + 1]! + (hmm - rt1r) * ((hmm - rt2r) / s) - rt1i * (rt2i / s);
    v2 = sub * (hmm + a[(m + 1) * n + m + 1]! - rt1r - rt2r);
    v3 = sub * a[(m + 2) * n + m + 1]!;
    s = Math.abs(v1) + Math.abs(v2) + Math.abs(v3);
    v1 /= s;
    v2 /= s;
    v3 /= s;
    if (m === l) break;
    const around = Math.abs(a[(m - 1) * n + m - 1]!) + Math.abs(hmm) + Math.abs(a[(m + 1) * n + m + 1]!);
    if (Math.abs(a[m * n + m - 1]!) * (Math.abs(v2) + Math.abs(v3)) <= ULP * Math.abs(v1) * around) break;
  }
  const v = new Float64Array(3);
  const none = new Float64Array(3);
  for (let k = m; k < i; k++) {
    const nr = Math.min(3, i - k + 1);
    if (k > m) {
      v[0] = a[k * n + k - 1]!;
      v[1] = a[(k + 1) * n + k - 1]!;
      v[2] = nr === 3 ? a[(k + 2) * n + k - 1]! : 0;
    } else {
      v[0] = v1;
      v[1] = v2;
      v[2] = v3;
    }
    none.fill(0);
    const { tr: t1 } = reflector(v, none, 0, 1, 1, nr);
    if (k > m) {
      a[k * n + k - 1] = v[0]!;
      a[(k + 1) * n + k - 1] = 0;
      if (k < i - 1) a[(k + 2) * n + k - 1] = 0;
    } else if (m > l) a[k * n + k - 1]! *= 1 - t1;
    const [u2, u3] = [v[1]!, nr === 3 ? v[2]! : 0];
    for (let j = k; j < n; j++) {
      const sum = a[k * n + j]! + u2 * a[(k + 1) * n + j]! + (nr === 3 ? u3 * a[(k + 2) * n + j]! : 0);
      a[k * n + j]! -= sum * t1;
      a[(k + 1) * n + j]! -= sum * t1 * u2;
      if (nr === 3) a[(k + 2) * n + j]! -= sum * t1 * u3;
    }
    mixColumns(a, n, Math.min(k + 3, i) + 1, k, nr, t1, u2, u3);
    mixColumns(z.re, n, n, k, nr, t1, u2, u3);
  }
}

function mixColumns(
  a: Float64Array,
  n: number,
  rows: number,
  k: number,
  nr: number,
  t1: number,
  u2: number,
  u3: number,
): void {
  for (let j = 0; j < rows; j++) {
    const p = j * n + k;
    const sum = a[p]! + u2 * a[p + 1]! + (nr === 3 ? u3 * a[p + 2]! : 0);
    a[p]! -= sum * t1;
    a[p + 1]! -= sum * t1 * u2;
    if (nr === 3) a[p + 2]! -= sum * t1 * u3;
  }
}

/** Brings the block of rows i - 1 and i to standard form (lanv2) and rotates the rest along. */
function standardize(h: Matrix, z: Matrix, i: number, wr: Float64Array, wi: Float64Array): void {
  const n = h.rows;
  const m = h.re;
  const at = (i - 1) * n + i - 1;
  let [a, b, c, d] = [m[at]!, m[at + 1]!, m[at + n]!, m[at + n + 1]!];
  let cs = 1;
  let sn = 0;
  if (c === 0) {
    // already upper triangular
  } else if (b === 0) {
    cs = 0;
    sn = 1;
    [a, d] = [d, a];
    b = -c;
    c = 0;
  } else if (!(a - d === 0 && sign(1, b) !== sign(1, c))) {
    let temp = a - d;
    let p = 0.5 * temp;
    const bcmax = Math.max(Math.abs(b), Math.abs(c));
    const bcmis = Math.min(Math.abs(b), Math.abs(c)) * sign(1, b) * sign(1, c);
    const scale = Math.max(Math.abs(p), bcmax);
    let zz = (p / scale) * p + (bcmax / scale) * bcmis;
    if (zz >= 4 * ULP) {
      zz = p + sign(Math.sqrt(scale) * Math.sqrt(zz), p);
      a = d + zz;
      d -= (bcmax / zz) * bcmis;
      const tau = Math.hypot(c, zz);
      cs = zz / tau;
      sn = c / tau;
      b -= c;
      c = 0;
    } else {
      const sigma = b + c;
      p = 0.5 * temp;
      const tau = Math.hypot(sigma, temp);
      cs = Math.sqrt(0.5 * (1 + Math.abs(sigma) / tau));
      sn = -(p / (tau * cs)) * sign(1, sigma);
      const [aa, bb, cc, dd] = [a * cs + b * sn, -a * sn + b * cs, c * cs + d * sn, -c * sn + d * cs];
      a = aa * cs + cc * sn;
      b = bb * cs + dd * sn;
      c = -aa * sn + cc * cs;
      d = -bb * sn + dd * cs;
      temp = 0.5 * (a + d);
      a = d = temp;
      if (c !== 0 && b !== 0 && sign(1, b) === sign(1, c)) {
        const sab = Math.sqrt(Math.abs(b));
        const sac = Math.sqrt(Math.abs(c));
        p = sign(sab * sac, c);
        const t = 1 / Math.sqrt(Math.abs(b + c));
        a = temp + p;
        d = temp - p;
        b -= c;
        c = 0;
        [cs, sn] = [cs * sab * t - sn * sac * t, cs * sac * t + sn * sab * t];
      } else if (c !== 0 && b === 0) {
        b = -c;
        c = 0;
        [cs, sn] = [-sn, cs];
      }
    }
  }
  m[at] = a;
  m[at + 1] = b;
  m[at + n] = c;
  m[at + n + 1] = d;
  wr[i - 1] = a;
  wr[i] = d;
  wi[i - 1] = c === 0 ? 0 : Math.sqrt(Math.abs(b)) * Math.sqrt(Math.abs(c));
  wi[i] = -wi[i - 1]!;
  for (let j = i + 1; j < n; j++) {
    const [x, y] = [m[(i - 1) * n + j]!, m[i * n + j]!];
    m[(i - 1) * n + j] = cs * x + sn * y;
    m[i * n + j] = cs * y - sn * x;
  }
  const mix = (q: Float64Array, rows: number): void => {
    for (let j = 0; j < rows; j++) {
      const [x, y] = [q[j * n + i - 1]!, q[j * n + i]!];
      q[j * n + i - 1] = cs * x + sn * y;
      q[j * n + i] = cs * y - sn * x;
    }
  };
  mix(m, i - 1);
  mix(z.re, n);
}

/** Single-shift QR on a complex Hessenberg matrix, to Schur form. */
function complexSchur(h: Matrix, z: Matrix): boolean {
  const n = h.rows;
  let i = n - 1;
  let steps = 0;
  let budget = 30 * Math.max(10, n) * Math.max(1, n);
  while (i >= 0) {
    const l = deflation(h, i);
    if (l > 0) {
      h.re[l * n + l - 1] = 0;
      h.im[l * n + l - 1] = 0;
    }
    if (l >= i) {
      i = l - 1;
      steps = 0;
      continue;
    }
    if (budget-- <= 0) return false;
    steps++;
    const [sr, si] = complexShift(h, l, i, steps);
    singleShift(h, z, l, i, sr, si);
  }
  return true;
}

function complexShift(h: Matrix, l: number, i: number, steps: number): [number, number] {
  const n = h.cols;
  const at = i * n + i;
  if (steps % 20 === 0) return [0.75 * Math.abs(h.re[at - 1]!) + h.re[at]!, h.im[at]!];
  if (steps % 10 === 0) return [0.75 * Math.abs(h.re[(l + 1) * n + l]!) + h.re[l * n + l]!, h.im[l * n + l]!];
  const [tr, ti] = [h.re[at]!, h.im[at]!];
  csqrt(h.re[at - n]!, h.im[at - n]!);
  const [pr, pi] = [C.re, C.im];
  csqrt(h.re[at - 1]!, h.im[at - 1]!);
  const [ur, ui] = [pr * C.re - pi * C.im, pr * C.im + pi * C.re];
  if (ur === 0 && ui === 0) return [tr, ti];
  const [xr, xi] = [0.5 * (h.re[at - n - 1]! - tr), 0.5 * (h.im[at - n - 1]! - ti)];
  csqrt(xr * xr - xi * xi + ur * ur - ui * ui, 2 * xr * xi + 2 * ur * ui);
  let [yr, yi] = [C.re, C.im];
  if (xr * yr + xi * yi < 0) [yr, yi] = [-yr, -yi];
  cdiv(ur, ui, xr + yr, xi + yi);
  return [tr - (ur * C.re - ui * C.im), ti - (ur * C.im + ui * C.re)];
}

function singleShift(h: Matrix, z: Matrix, l: number, i: number, sr: number, si: number): void {
  const n = h.rows;
  const { re, im } = h;
  let xr = re[l * n + l]! - sr;
  let xi = im[l * n + l]! - si;
  let yr = re[(l + 1) * n + l]!;
  let yi = im[(l + 1) * n + l]!;
  for (let k = l; k < i; k++) {
    if (k > l) {
      [xr, xi] = [re[k * n + k - 1]!, im[k * n + k - 1]!];
      [yr, yi] = [re[(k + 1) * n + k - 1]!, im[(k + 1) * n + k - 1]!];
    }
    const norm = Math.hypot(xr, xi, yr, yi);
    if (norm === 0) continue;
    const [ar, ai, br, bi] = [xr / norm, xi / norm, yr / norm, yi / norm];
    // rows: [conj a, conj b; -b, a]
    for (let j = Math.max(0, k - 1); j < n; j++) {
      const [p, q] = [k * n + j, (k + 1) * n + j];
      const [pr, pi, qr, qi] = [re[p]!, im[p]!, re[q]!, im[q]!];
      re[p] = ar * pr + ai * pi + br * qr + bi * qi;
      im[p] = ar * pi - ai * pr + br * qi - bi * qr;
      re[q] = ar * qr - ai * qi - (br * pr - bi * pi);
      im[q] = ar * qi + ai * qr - (br * pi + bi * pr);
    }
    const columns = (m: Matrix, rows: number): void => {
      for (let j = 0; j < rows; j++) {
        const p = j * n + k;
        const [pr, pi, qr, qi] = [m.re[p]!, m.im[p]!, m.re[p + 1]!, m.im[p + 1]!];
        m.re[p] = pr * ar - pi * ai + qr * br - qi * bi;
        m.im[p] = pr * ai + pi * ar + qr * bi + qi * br;
        m.re[p + 1] = qr * ar + qi * ai - (pr * br + pi * bi);
        m.im[p + 1] = qi * ar - qr * ai - (pi * br - pr * bi);
      }
    };
    columns(h, Math.min(k + 3, i + 1));
    columns(z, n);
    if (k > l) {
      re[(k + 1) * n + k - 1] = 0;
      im[(k + 1) * n + k - 1] = 0;
    }
  }
}

function complexVectors(h: Matrix): Matrix {
  const n = h.rows;
  const out = new Matrix(n, n, true);
  let largest = 0;
  for (let p = 0; p < h.re.length; p++) largest = Math.max(largest, Math.abs(h.re[p]!) + Math.abs(h.im[p]!));
  const floor = Math.max(SMALL, ULP * largest);
  for (let k = 0; k < n; k++) {
    out.re[k * n + k] = 1;
    for (let i = k - 1; i >= 0; i--) {
      let sr = 0;
      let si = 0;
      for (let j = i + 1; j <= k; j++) {
        const [xr, xi, yr, yi] = [h.re[i * n + j]!, h.im[i * n + j]!, out.re[j * n + k]!, out.im[j * n + k]!];
        sr -= xr * yr - xi * yi;
        si -= xr * yi + xi * yr;
      }
      let dr = h.re[i * n + i]! - h.re[k * n + k]!;
      const di = h.im[i * n + i]! - h.im[k * n + k]!;
      if (Math.abs(dr) + Math.abs(di) < floor) dr = floor;
      cdiv(sr, si, dr, di);
      out.re[i * n + k] = C.re;
      out.im[i * n + k] = C.im;
    }
  }
  return out;
}
