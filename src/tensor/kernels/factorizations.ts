/** @file LU, Cholesky, QR and LDL factorisations with LAPACK's conventions for pivots, signs and failures. Upstream: LAPACK getf2, potf2, geqr2, ung2r, sytf2, hetf2. Spec: none. */
import { C, cdiv } from "../math/complex.ts";
import { rowProductFor } from "./gemm.ts";
import { identity, Matrix, solveTriangle, subtractRows, triangleOf } from "./matrices.ts";

/** LU with partial pivoting. */
export interface LU {
  /** L below the diagonal (unit), U on and above it. */
  readonly lu: Matrix;
  /** 1-based: row i was exchanged with row pivots[i]. */
  readonly pivots: number[];
  /** 1-based index of the first zero pivot; 0 if there is none. */
  readonly info: number;
}

/** Columns that are eliminated before the rest of their rows follows. */
const PANEL = 32;

/** Factors a matrix of any shape: P A = L U. */
export function factorLU(a: Matrix): LU {
  const lu = a.clone();
  const { rows, cols, re } = lu;
  const count = Math.min(rows, cols);
  const pivots: number[] = [];
  let info = 0;
  const isFinite = !lu.isComplex && cols > PANEL && re.every(Number.isFinite);
  for (let first = 0; first < count; first += PANEL) {
    const end = Math.min(first + PANEL, count);
    // real matrices: these columns alone
    const inner = lu.isComplex ? cols : end;
    const skipped: number[] = [];
    for (let k = first; k < end; k++) {
      const pivot = pivotOf(lu, k);
      pivots.push(pivot + 1);
      if (re[pivot * cols + k] === 0 && lu.im[pivot * cols + k] === 0) {
        if (info === 0) info = k + 1;
        skipped.push(k);
        continue;
      }
      lu.swapRows(k, pivot);
      for (let i = k + 1; i < rows; i++) eliminate(lu, i, k, inner);
    }
    if (inner === cols) continue;
    const alone = isFinite ? end : rows;
    for (let i = first + 1; i < alone; i++) {
      let from = first;
      const last = Math.min(i, end);
      // a multiple of 0 is not subtracted: of infinity it would be NaN
      for (let k = first; k <= last; k++) {
        if (k < last && re[i * cols + k] !== 0 && !skipped.includes(k)) continue;
        subtractRows(re, i * cols + end, cols - end, re, i * cols + from, k - from, re, from * cols + end, cols);
        from = k + 1;
      }
    }
    if (isFinite) subtractPanel(lu, first, end);
  }
  return { lu, pivots, info };
}

/** Subtracts from the rows and columns beyond a panel the product of its columns with its rows. */
function subtractPanel({ rows, cols, re }: Matrix, first: number, end: number): void {
  const [depth, width, height] = [end - first, cols - end, rows - end];
  if (height <= 0) return;
  const right = new Float64Array(width * depth);
  for (let k = 0; k < depth; k++)
    for (let j = 0, at = (first + k) * cols + end; j < width; j++) right[j * depth + k] = re[at + j]!;
  const product = new Float64Array(height * width);
  const multiplyRows = rowProductFor(product);
  multiplyRows(re, end * cols + first, cols, right, 0, depth, product, 0, width, height, width, depth);
  for (let i = 0, from = 0; i < height; i++) {
    const at = (end + i) * cols + end;
    for (let j = 0; j < width; j++, from++) re[at + j] = re[at + j]! - product[from]!;
  }
}

/** The row from `k` on whose element in column `k` is largest, as LAPACK measures it. */
function pivotOf({ rows, cols, re, im }: Matrix, k: number): number {
  let pivot = k;
  let best = -1;
  for (let i = k; i < rows; i++) {
    const size = Math.abs(re[i * cols + k]!) + Math.abs(im[i * cols + k]!);
    if (size > best || (i === k && size !== size)) {
      best = size;
      pivot = i;
    }
  }
  return pivot;
}

/** Subtracts the multiple of row `k` from row `i` that leaves 0 in column `k`, up to column `end`, and keeps the multiple there. */
function eliminate({ cols, re, im, isComplex }: Matrix, i: number, k: number, end: number): void {
  const x = i * cols + k;
  const pivot = k * cols + k;
  if (!isComplex) {
    const f = re[x]! / re[pivot]!;
    re[x] = f;
    if (f !== 0) for (let j = 1; j < end - k; j++) re[x + j] = re[x + j]! - f * re[pivot + j]!;
    return;
  }
  cdiv(re[x]!, im[x]!, re[pivot]!, im[pivot]!);
  const [fr, fi] = [C.re, C.im];
  re[x] = fr;
  im[x] = fi;
  if (fr === 0 && fi === 0) return;
  for (let j = 1; j < end - k; j++) {
    const [yr, yi] = [re[pivot + j]!, im[pivot + j]!];
    re[x + j]! -= fr * yr - fi * yi;
    im[x + j]! -= fr * yi + fi * yr;
  }
}

/** Applies the row exchanges of a factorisation to `b`, in order or backwards. */
export function exchangeRows(b: Matrix, pivots: readonly number[], backwards = false): void {
  for (let k = 0; k < pivots.length; k++) {
    const i = backwards ? pivots.length - 1 - k : k;
    b.swapRows(i, pivots[i]! - 1);
  }
}

/** Solves A X = B from A's LU (square); returns X. */
export function solveLU({ lu, pivots }: Pick<LU, "lu" | "pivots">, b: Matrix): Matrix {
  const x = b.clone();
  exchangeRows(x, pivots);
  solveTriangle(lu, x, { upper: false, unit: true });
  solveTriangle(lu, x, { upper: true });
  return x;
}

/** Solves A^H X = B (or A^T X = B) from A's LU. */
export function solveLUAdjoint({ lu, pivots }: Pick<LU, "lu" | "pivots">, b: Matrix, conjugate: boolean): Matrix {
  const x = b.clone();
  const t = lu.transpose(conjugate);
  solveTriangle(t, x, { upper: false });
  solveTriangle(t, x, { upper: true, unit: true });
  exchangeRows(x, pivots, true);
  return x;
}

/** Cholesky factor of a Hermitian matrix (only one triangle is read); lower: A = L L^H, upper: A = U^H U. */
export function factorCholesky(a: Matrix, upper: boolean): { factor: Matrix; info: number } {
  const n = a.rows;
  const l = triangleOf(upper ? a.transpose(true) : a, n, n, false);
  const { re, im } = l;
  let info = 0;
  for (let j = 0; j < n; j++) {
    let d = re[j * n + j]!;
    for (let k = 0; k < j; k++) d -= re[j * n + k]! ** 2 + im[j * n + k]! ** 2;
    if (!(d > 0)) {
      re[j * n + j] = d;
      info = j + 1;
      break;
    }
    const root = Math.sqrt(d);
    re[j * n + j] = root;
    im[j * n + j] = 0;
    for (let i = j + 1; i < n; i++) {
      let sr = re[i * n + j]!;
      let si = im[i * n + j]!;
      if (!l.isComplex) for (let k = 0; k < j; k++) sr -= re[i * n + k]! * re[j * n + k]!;
      for (let k = 0; l.isComplex && k < j; k++) {
        const [xr, xi, yr, yi] = [re[i * n + k]!, im[i * n + k]!, re[j * n + k]!, im[j * n + k]!];
        sr -= xr * yr + xi * yi;
        si -= xi * yr - xr * yi;
      }
      re[i * n + j] = sr / root;
      im[i * n + j] = si / root;
    }
  }
  return { factor: upper ? l.transpose(true) : l, info };
}

/** One Householder reflector (larfg): x becomes v with v[0] = 1 kept implicit. `step` apart, `n` long. */
export function reflector(
  re: Float64Array,
  im: Float64Array,
  at: number,
  tail: number,
  step: number,
  n: number,
): { tr: number; ti: number } {
  let norm = 0;
  for (let i = 0; i < n - 1; i++) norm = Math.hypot(norm, re[tail + i * step]!, im[tail + i * step]!);
  const ar = re[at]!;
  const ai = im[at]!;
  if (n <= 0 || (norm === 0 && ai === 0)) return { tr: 0, ti: 0 };
  const beta = ar >= 0 && !Object.is(ar, -0) ? -Math.hypot(ar, ai, norm) : Math.hypot(ar, ai, norm);
  cdiv(1, 0, ar - beta, ai);
  const [sr, si] = [C.re, C.im];
  for (let i = 0; i < n - 1; i++) {
    const p = tail + i * step;
    const [xr, xi] = [re[p]!, im[p]!];
    re[p] = xr * sr - xi * si;
    im[p] = xr * si + xi * sr;
  }
  re[at] = beta;
  im[at] = 0;
  return { tr: (beta - ar) / beta, ti: -ai / beta };
}

/** Rows `r0…` and columns `c0…c1` of m: applies I - tau v v^H from the left; v's tail is column `vc` of `q` below row r0. */
export function reflectLeft(
  m: Matrix,
  r0: number,
  c0: number,
  c1: number,
  q: Matrix,
  vc: number,
  tr: number,
  ti: number,
): void {
  if (tr === 0 && ti === 0) return;
  const { rows, cols, re, im } = m;
  for (let j = c0; j < c1; j++) {
    let sr = re[r0 * cols + j]!;
    let si = im[r0 * cols + j]!;
    for (let i = r0 + 1; i < rows; i++) {
      const vr = q.re[i * q.cols + vc]!;
      const vi = q.im[i * q.cols + vc]!;
      const [xr, xi] = [re[i * cols + j]!, im[i * cols + j]!];
      sr += vr * xr + vi * xi;
      si += vr * xi - vi * xr;
    }
    const fr = tr * sr - ti * si;
    const fi = tr * si + ti * sr;
    re[r0 * cols + j]! -= fr;
    im[r0 * cols + j]! -= fi;
    for (let i = r0 + 1; i < rows; i++) {
      const vr = q.re[i * q.cols + vc]!;
      const vi = q.im[i * q.cols + vc]!;
      re[i * cols + j]! -= vr * fr - vi * fi;
      im[i * cols + j]! -= vr * fi + vi * fr;
    }
  }
}

/** geqrf: R on and above the diagonal, reflectors below it, and their factors. */
export function factorQR(a: Matrix): { packed: Matrix; tau: { re: number[]; im: number[] } } {
  const packed = a.clone();
  const { rows, cols, re, im } = packed;
  const tau = { re: [] as number[], im: [] as number[] };
  for (let k = 0; k < Math.min(rows, cols); k++) {
    const { tr, ti } = reflector(re, im, k * cols + k, (k + 1) * cols + k, cols, rows - k);
    tau.re.push(tr);
    tau.im.push(ti);
    reflectLeft(packed, k, k + 1, cols, packed, k, tr, -ti);
  }
  return { packed, tau };
}

/** The first `cols` columns of H1 H2 … Hk. */
export function productOfReflectors(
  packed: Matrix,
  tau: { re: ArrayLike<number>; im: ArrayLike<number> },
  cols: number,
): Matrix {
  const q = identity(packed.rows, cols, packed.isComplex);
  for (let k = tau.re.length - 1; k >= 0; k--) reflectLeft(q, k, k, cols, packed, k, tau.re[k]!, tau.im[k]!);
  return q;
}

/** Q B or Q^H B, in a copy of B. */
export function applyReflectors(
  packed: Matrix,
  tau: { re: ArrayLike<number>; im: ArrayLike<number> },
  b: Matrix,
  adjoint: boolean,
): Matrix {
  const out = b.clone();
  const count = tau.re.length;
  for (let s = 0; s < count; s++) {
    const k = adjoint ? s : count - 1 - s;
    reflectLeft(out, k, 0, out.cols, packed, k, tau.re[k]!, adjoint ? -tau.im[k]! : tau.im[k]!);
  }
  return out;
}

/** Bunch-Kaufman factors of a symmetric or Hermitian matrix (lower triangle read), packed as sytrf packs them. */
export interface LDL {
  readonly ld: Matrix;
  /** 1-based; a negative pair marks a 2 by 2 block. */
  readonly pivots: number[];
  readonly info: number;
}

const ALPHA = (1 + Math.sqrt(17)) / 8; // sytf2: bounds element growth

/** Factors A = L D L^T, or L D L^H where `hermitian`. */
export function factorLDL(a: Matrix, hermitian: boolean): LDL {
  const ld = triangleOf(a, a.rows, a.cols, false);
  const n = ld.rows;
  const { re, im } = ld;
  const conj = hermitian ? -1 : 1;
  const size = (p: number): number => Math.abs(re[p]!) + Math.abs(im[p]!);
  const pivots = new Array<number>(n).fill(0);
  let info = 0;
  for (let k = 0; k < n;) {
    const kk0 = k * n + k;
    if (hermitian) im[kk0] = 0;
    const absakk = hermitian ? Math.abs(re[kk0]!) : size(kk0);
    let imax = k;
    let colmax = 0;
    for (let i = k + 1; i < n; i++) {
      if (size(i * n + k) > colmax) {
        colmax = size(i * n + k);
        imax = i;
      }
    }
    let step = 1;
    let kp = k;
    if (Math.max(absakk, colmax) === 0 || absakk !== absakk) {
      if (info === 0) info = k + 1;
      pivots[k] = k + 1;
      k++;
      continue;
    }
    if (absakk < ALPHA * colmax) {
      let rowmax = 0;
      for (let j = k; j < imax; j++) rowmax = Math.max(rowmax, size(imax * n + j));
      for (let i = imax + 1; i < n; i++) rowmax = Math.max(rowmax, size(i * n + imax));
      const diagonal = hermitian ? Math.abs(re[imax * n + imax]!) : size(imax * n + imax);
      if (absakk >= ALPHA * colmax * (colmax / rowmax)) kp = k;
      else if (diagonal >= ALPHA * rowmax) kp = imax;
      else {
        kp = imax;
        step = 2;
      }
    }
    const kk = k + step - 1;
    if (kp !== kk) exchangeSymmetric(ld, k, kk, kp, step, conj);
    if (step === 1) {
      eliminateOne(ld, k, conj);
      pivots[k] = kp + 1;
    } else {
      eliminateTwo(ld, k, conj);
      pivots[k] = -(kp + 1);
      pivots[k + 1] = -(kp + 1);
    }
    k += step;
  }
  return { ld, pivots, info };
}

function exchangeSymmetric(m: Matrix, k: number, kk: number, kp: number, step: number, conj: number): void {
  const n = m.cols;
  const { re, im } = m;
  const swap = (p: number, q: number): void => {
    [re[p], re[q]] = [re[q]!, re[p]!];
    [im[p], im[q]] = [im[q]!, im[p]!];
  };
  for (let i = kp + 1; i < n; i++) swap(i * n + kk, i * n + kp);
  for (let j = kk + 1; j < kp; j++) {
    swap(j * n + kk, kp * n + j);
    im[j * n + kk]! *= conj;
    im[kp * n + j]! *= conj;
  }
  im[kp * n + kk]! *= conj;
  swap(kk * n + kk, kp * n + kp);
  if (step === 2) swap((k + 1) * n + k, kp * n + k);
}

function eliminateOne(m: Matrix, k: number, conj: number): void {
  const n = m.cols;
  const { re, im } = m;
  if (k >= n - 1) return;
  cdiv(1, 0, re[k * n + k]!, conj < 0 ? 0 : im[k * n + k]!);
  const [rr, ri] = [C.re, C.im];
  for (let j = k + 1; j < n; j++) {
    const [xr, xi] = [re[j * n + k]!, conj * im[j * n + k]!];
    const fr = rr * xr - ri * xi;
    const fi = rr * xi + ri * xr;
    for (let i = j; i < n; i++) {
      const [yr, yi] = [re[i * n + k]!, im[i * n + k]!];
      re[i * n + j]! -= fr * yr - fi * yi;
      im[i * n + j]! -= fr * yi + fi * yr;
    }
  }
  for (let i = k + 1; i < n; i++) {
    const [xr, xi] = [re[i * n + k]!, im[i * n + k]!];
    re[i * n + k] = rr * xr - ri * xi;
    im[i * n + k] = rr * xi + ri * xr;
  }
}

function eliminateTwo(m: Matrix, k: number, conj: number): void {
  const n = m.cols;
  const { re, im } = m;
  if (k >= n - 2) return;
  const [ar, ai] = [re[k * n + k]!, conj < 0 ? 0 : im[k * n + k]!];
  const [br, bi] = [re[(k + 1) * n + k]!, im[(k + 1) * n + k]!];
  const [dr, di] = [re[(k + 1) * n + k + 1]!, conj < 0 ? 0 : im[(k + 1) * n + k + 1]!];
  // det of [[a, conj b], [b, d]]
  const detR = ar * dr - ai * di - (br * br - bi * conj * bi);
  const detI = ar * di + ai * dr - (br * conj * bi + bi * br);
  const wr: number[] = [];
  const wi: number[] = [];
  for (let i = k + 2; i < n; i++) {
    // (w_k, w_{k+1}) = (a_ik, a_i,k+1) D^-1
    const [xr, xi, yr, yi] = [re[i * n + k]!, im[i * n + k]!, re[i * n + k + 1]!, im[i * n + k + 1]!];
    cdiv(dr * xr - di * xi - (br * yr - bi * yi), dr * xi + di * xr - (br * yi + bi * yr), detR, detI);
    wr.push(C.re);
    wi.push(C.im);
    const [cr, ci] = [br, conj * bi];
    cdiv(ar * yr - ai * yi - (cr * xr - ci * xi), ar * yi + ai * yr - (cr * xi + ci * xr), detR, detI);
    wr.push(C.re);
    wi.push(C.im);
  }
  for (let j = k + 2; j < n; j++) {
    const [pr, pi] = [re[j * n + k]!, conj * im[j * n + k]!];
    const [qr, qi] = [re[j * n + k + 1]!, conj * im[j * n + k + 1]!];
    for (let i = j; i < n; i++) {
      const w = 2 * (i - k - 2);
      re[i * n + j]! -= wr[w]! * pr - wi[w]! * pi + wr[w + 1]! * qr - wi[w + 1]! * qi;
      im[i * n + j]! -= wr[w]! * pi + wi[w]! * pr + wr[w + 1]! * qi + wi[w + 1]! * qr;
    }
  }
  for (let i = k + 2; i < n; i++) {
    const w = 2 * (i - k - 2);
    re[i * n + k] = wr[w]!;
    im[i * n + k] = wi[w]!;
    re[i * n + k + 1] = wr[w + 1]!;
    im[i * n + k + 1] = wi[w + 1]!;
  }
}

/** Solves A X = B from a packed LDL factorisation; returns X. */
export function solveLDL({ ld, pivots }: Pick<LDL, "ld" | "pivots">, b: Matrix, hermitian: boolean): Matrix {
  const x = b.clone();
  const n = ld.rows;
  const width = x.cols;
  const conj = hermitian ? -1 : 1;
  const subtract = (target: number, source: number, fr: number, fi: number): void => {
    for (let j = 0; j < width; j++) {
      const [yr, yi] = [x.re[source * width + j]!, x.im[source * width + j]!];
      x.re[target * width + j]! -= fr * yr - fi * yi;
      x.im[target * width + j]! -= fr * yi + fi * yr;
    }
  };
  for (let k = 0; k < n;) {
    const two = pivots[k]! < 0;
    const kp = Math.abs(pivots[k]!) - 1;
    x.swapRows(two ? k + 1 : k, kp);
    for (let i = k + (two ? 2 : 1); i < n; i++) {
      subtract(i, k, ld.re[i * n + k]!, ld.im[i * n + k]!);
      if (two) subtract(i, k + 1, ld.re[i * n + k + 1]!, ld.im[i * n + k + 1]!);
    }
    const at = k * n + k;
    if (!two) {
      for (let j = 0; j < width; j++) {
        cdiv(x.re[k * width + j]!, x.im[k * width + j]!, ld.re[at]!, hermitian ? 0 : ld.im[at]!);
        x.re[k * width + j] = C.re;
        x.im[k * width + j] = C.im;
      }
    } else solveBlock(ld, k, x, conj);
    k += two ? 2 : 1;
  }
  for (let k = n - 1; k >= 0;) {
    const two = pivots[k]! < 0;
    const first = two ? k - 1 : k;
    for (let i = k + 1; i < n; i++) {
      subtract(first, i, ld.re[i * n + first]!, conj * ld.im[i * n + first]!);
      if (two) subtract(k, i, ld.re[i * n + k]!, conj * ld.im[i * n + k]!);
    }
    x.swapRows(k, Math.abs(pivots[k]!) - 1);
    k = first - 1;
  }
  return x;
}

function solveBlock(ld: Matrix, k: number, x: Matrix, conj: number): void {
  const n = ld.cols;
  const width = x.cols;
  const [ar, ai] = [ld.re[k * n + k]!, conj < 0 ? 0 : ld.im[k * n + k]!];
  const [br, bi] = [ld.re[(k + 1) * n + k]!, ld.im[(k + 1) * n + k]!];
  const [dr, di] = [ld.re[(k + 1) * n + k + 1]!, conj < 0 ? 0 : ld.im[(k + 1) * n + k + 1]!];
  const [cr, ci] = [br, conj * bi];
  const detR = ar * dr - ai * di - (br * cr - bi * ci);
  const detI = ar * di + ai * dr - (br * ci + bi * cr);
  for (let j = 0; j < width; j++) {
    const p = k * width + j;
    const q = p + width;
    const [xr, xi, yr, yi] = [x.re[p]!, x.im[p]!, x.re[q]!, x.im[q]!];
    cdiv(dr * xr - di * xi - (cr * yr - ci * yi), dr * xi + di * xr - (cr * yi + ci * yr), detR, detI);
    x.re[p] = C.re;
    x.im[p] = C.im;
    cdiv(ar * yr - ai * yi - (br * xr - bi * xi), ar * yi + ai * yr - (br * xi + bi * xr), detR, detI);
    x.re[q] = C.re;
    x.im[q] = C.im;
  }
}
