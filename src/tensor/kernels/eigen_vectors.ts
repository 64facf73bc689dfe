/** @file Eigenvectors of a real Schur form, and their normalisation. Upstream: LAPACK trevc, geev. Spec: none. */
import { C, cdiv } from "../math/complex.ts";
import { Matrix } from "./matrices.ts";
import { olderRotation, rotation } from "./rotations.ts";
import { SMALL, ULP } from "./general_eigen.ts";

/** Eigenvectors of a quasi-triangular matrix, as trevc scales them, in a complex matrix. */
export function realVectors(h: Matrix, wr: Float64Array, wi: Float64Array): Matrix {
  const n = h.rows;
  const t = h.re;
  const out = new Matrix(n, n, true);
  const { re, im } = out;
  const floor = Math.max(SMALL, ULP * Math.max(...Array.from(t, Math.abs), 0));
  for (let k = n - 1; k >= 0; k--) {
    const paired = wi[k]! < 0;
    const lambda = { r: wr[k]!, i: paired ? -wi[k]! : 0 };
    const col = paired ? k - 1 : k;
    let top = k - 1;
    if (paired) {
      const [up, down] = [t[(k - 1) * n + k]!, t[k * n + k - 1]!];
      if (Math.abs(up) >= Math.abs(down)) {
        re[(k - 1) * n + col] = 1;
        im[k * n + col] = lambda.i / up;
      } else {
        re[(k - 1) * n + col] = -lambda.i / down;
        im[k * n + col] = 1;
      }
      top = k - 2;
    } else re[k * n + col] = 1;
    for (let i = top; i >= 0; i--) backSubstitute(t, n, i, k, lambda, re, im, col, floor);
    if (paired) {
      for (let i = 0; i < n; i++) {
        re[i * n + k] = re[i * n + col]!;
        im[i * n + k] = -im[i * n + col]!;
      }
      k--;
    }
  }
  return out;
}

function backSubstitute(
  t: Float64Array,
  n: number,
  i: number,
  k: number,
  lambda: { r: number; i: number },
  re: Float64Array,
  im: Float64Array,
  col: number,
  floor: number,
): void {
  const isLower = i > 0 && t[i * n + i - 1] !== 0;
  const isUpper = i + 1 < n && t[(i + 1) * n + i] !== 0;
  if (isUpper) return; // solved together with the row below
  const rhs = (row: number, from: number): [number, number] => {
    let sr = 0;
    let si = 0;
    for (let j = from; j <= k; j++) {
      sr -= t[row * n + j]! * re[j * n + col]!;
      si -= t[row * n + j]! * im[j * n + col]!;
    }
    return [sr, si];
  };
  if (!isLower) {
    const [sr, si] = rhs(i, i + 1);
    let dr = t[i * n + i]! - lambda.r;
    if (Math.abs(dr) + Math.abs(lambda.i) < floor) dr = floor;
    cdiv(sr, si, dr, -lambda.i);
    re[i * n + col] = C.re;
    im[i * n + col] = C.im;
    return;
  }
  const [pr, pi] = rhs(i - 1, i + 1);
  const [qr, qi] = rhs(i, i + 1);
  const [a, b, c, d] = [
    t[(i - 1) * n + i - 1]! - lambda.r,
    t[(i - 1) * n + i]!,
    t[i * n + i - 1]!,
    t[i * n + i]! - lambda.r,
  ];
  const w = -lambda.i;
  let detR = a * d - w * w - b * c;
  const detI = w * (a + d);
  if (Math.abs(detR) + Math.abs(detI) < floor * floor) detR = floor * floor;
  // Cramer's rule for [[a + iw, b], [c, d + iw]]
  cdiv(d * pr - w * pi - b * qr, d * pi + w * pr - b * qi, detR, detI);
  re[(i - 1) * n + col] = C.re;
  im[(i - 1) * n + col] = C.im;
  cdiv(a * qr - w * qi - c * pr, a * qi + w * qr - c * pi, detR, detI);
  re[i * n + col] = C.re;
  im[i * n + col] = C.im;
}

/** geev's scaling for real matrices: unit length; of a pair, the largest component is real. */
export function realNormalized(v: Matrix, wi: Float64Array): Matrix {
  const n = v.rows;
  const { re, im } = v;
  for (let k = 0; k < n; k++) {
    let norm = 0;
    for (let i = 0; i < n; i++) norm = Math.hypot(norm, re[i * n + k]!, im[i * n + k]!);
    let [cs, sn] = [1 / norm, 0];
    if (wi[k]! > 0) {
      let best = 0;
      for (let i = 1; i < n; i++)
        if (re[i * n + k]! ** 2 + im[i * n + k]! ** 2 > re[best * n + k]! ** 2 + im[best * n + k]! ** 2) best = i;
      // MKL's single precision routine rotates as newer LAPACK does, its double precision routine as older
      const { c, s } = (ULP > 1e-10 ? rotation : olderRotation)(re[best * n + k]!, im[best * n + k]!);
      cs = c / norm;
      sn = s / norm;
      for (let i = 0; i < n; i++) {
        const [x, y] = [re[i * n + k]!, im[i * n + k]!];
        re[i * n + k] = cs * x + sn * y;
        im[i * n + k] = i === best ? 0 : cs * y - sn * x;
        re[i * n + k + 1] = re[i * n + k]!;
        im[i * n + k + 1] = -im[i * n + k]!;
      }
      k++;
      continue;
    }
    for (let i = 0; i < n; i++) {
      re[i * n + k]! *= cs;
      im[i * n + k]! *= cs;
    }
  }
  return v;
}

/** Scales columns to unit length with a real (positive) largest component. */
export function normalized(v: Matrix, makeReal: boolean): Matrix {
  const n = v.rows;
  const { re, im } = v;
  for (let k = 0; k < n; k++) {
    let norm = 0;
    let best = 0;
    for (let i = 0; i < n; i++) {
      norm = Math.hypot(norm, re[i * n + k]!, im[i * n + k]!);
      if (re[i * n + k]! ** 2 + im[i * n + k]! ** 2 > re[best * n + k]! ** 2 + im[best * n + k]! ** 2) best = i;
    }
    const size = Math.hypot(re[best * n + k]!, im[best * n + k]!);
    const [pr, pi] = makeReal ? [re[best * n + k]! / size / norm, -im[best * n + k]! / size / norm] : [1 / norm, 0];
    for (let i = 0; i < n; i++) {
      const [x, y] = [re[i * n + k]!, im[i * n + k]!];
      re[i * n + k] = x * pr - y * pi;
      im[i * n + k] = makeReal && i === best ? 0 : x * pi + y * pr;
    }
  }
  return v;
}
