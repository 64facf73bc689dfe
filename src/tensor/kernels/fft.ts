/** @file Discrete Fourier transforms of any length: mixed radix, Bluestein for large primes. Upstream: aten/src/ATen/native/mkl/SpectralOps.cpp. Spec: none. */

interface Plan {
  readonly n: number;
  /** exp(-2 pi i k / n). */
  readonly cos: Float64Array;
  readonly sin: Float64Array;
  readonly factors: readonly number[];
  /** Where the parts of a result are put together. */
  readonly re: Float64Array;
  readonly im: Float64Array;
}

const plans = new Map<number, Plan>();
const MAX_PLANS = 64;
/** Factors above this go through Bluestein's convolution. */
const MAX_RADIX = 64;

/**
 * Cosine and sine of 2 pi k / n, 0 <= k < n, from an angle of at most pi / 4: quarter turns are exact and halves mirror each
 * other, so that what cancels in exact arithmetic cancels here.
 */
export function rootOfUnity(k: number, n: number): [cos: number, sin: number] {
  if (2 * k > n) {
    const [c, s] = rootOfUnity(n - k, n);
    return [c, -s];
  }
  if (4 * k > n) {
    const [c, s] = rootOfUnity(n - 2 * k, 2 * n); // pi - angle
    return [-c, s];
  }
  if (8 * k > n) {
    const rest = (2 * Math.PI * (n - 4 * k)) / (4 * n); // pi / 2 - angle
    return [Math.sin(rest), Math.cos(rest)];
  }
  const angle = (2 * Math.PI * k) / n;
  return [Math.cos(angle), Math.sin(angle)];
}

function planFor(n: number): Plan {
  let plan = plans.get(n);
  if (plan) return plan;
  const cos = new Float64Array(n);
  const sin = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    const [c, s] = rootOfUnity(k, n);
    cos[k] = c;
    sin[k] = -s;
  }
  const factors: number[] = [];
  let rest = n;
  for (let f = 4; rest > 1;) {
    if (rest % f === 0) {
      factors.push(f);
      rest /= f;
    } else {
      f = f === 4 ? 2 : f === 2 ? 3 : f + 2;
      if (f * f > rest && rest > 1 && f > 3) f = rest;
    }
  }
  plan = { n, cos, sin, factors, re: new Float64Array(n), im: new Float64Array(n) };
  if (plans.size >= MAX_PLANS) plans.clear();
  plans.set(n, plan);
  return plan;
}

/** Forward (`sign` -1: exp(-i)) or backward (+1) transform of `re`, `im` in place, without scaling. */
export function transform(re: Float64Array, im: Float64Array, sign: -1 | 1): void {
  const n = re.length;
  if (n <= 1) return;
  if (sign === 1) {
    // conj(F(conj(x))): swapping the parts does the same
    transform(im, re, -1);
    return;
  }
  const plan = planFor(n);
  if (plan.factors.some((f) => f > MAX_RADIX)) {
    bluestein(re, im);
    return;
  }
  recurse(plan, 0, re, im, 0, 1, plan.re, plan.im, 0, n);
  re.set(plan.re);
  im.set(plan.im);
}

/** Decimation in time: `count` elements of (re, im) from `at` with `stride` into out[to ...]. */
function recurse(
  plan: Plan,
  level: number,
  re: Float64Array,
  im: Float64Array,
  at: number,
  stride: number,
  outRe: Float64Array,
  outIm: Float64Array,
  to: number,
  count: number,
): void {
  const radix = plan.factors[level]!;
  const m = count / radix;
  if (m === 1) {
    for (let r = 0, from = at; r < radix; r++, from += stride) {
      outRe[to + r] = re[from]!;
      outIm[to + r] = im[from]!;
    }
  } else {
    for (let r = 0; r < radix; r++)
      recurse(plan, level + 1, re, im, at + r * stride, stride * radix, outRe, outIm, to + r * m, m);
  }
  if (radix === 4) fours(plan, stride, outRe, outIm, to, m);
  else if (radix === 2) twos(plan, stride, outRe, outIm, to, m);
  else odds(plan, radix, stride, outRe, outIm, to, m);
}

/** Butterflies of two: elements `m` apart, each turned by its power of exp(-2 pi i stride / n). */
function twos({ cos, sin }: Plan, stride: number, re: Float64Array, im: Float64Array, to: number, m: number): void {
  for (let k = 0, p = to, w = 0; k < m; k++, p++, w += stride) {
    const q = p + m;
    const a = re[q]! * cos[w]! - im[q]! * sin[w]!;
    const b = re[q]! * sin[w]! + im[q]! * cos[w]!;
    re[q] = re[p]! - a;
    im[q] = im[p]! - b;
    re[p] = re[p]! + a;
    im[p] = im[p]! + b;
  }
}

/** The same of four. */
function fours({ cos, sin }: Plan, stride: number, re: Float64Array, im: Float64Array, to: number, m: number): void {
  for (let k = 0, p0 = to, w = 0; k < m; k++, p0++, w += stride) {
    const [p1, p2, p3] = [p0 + m, p0 + 2 * m, p0 + 3 * m];
    const [w2, w3] = [2 * w, 3 * w];
    const a1 = re[p1]! * cos[w]! - im[p1]! * sin[w]!;
    const b1 = re[p1]! * sin[w]! + im[p1]! * cos[w]!;
    const a2 = re[p2]! * cos[w2]! - im[p2]! * sin[w2]!;
    const b2 = re[p2]! * sin[w2]! + im[p2]! * cos[w2]!;
    const a3 = re[p3]! * cos[w3]! - im[p3]! * sin[w3]!;
    const b3 = re[p3]! * sin[w3]! + im[p3]! * cos[w3]!;
    const [evenRe, evenIm, oddRe, oddIm] = [re[p0]! + a2, im[p0]! + b2, a1 + a3, b1 + b3];
    const [restRe, restIm, turnRe, turnIm] = [re[p0]! - a2, im[p0]! - b2, a1 - a3, b1 - b3];
    re[p0] = evenRe + oddRe;
    im[p0] = evenIm + oddIm;
    re[p1] = restRe + turnIm;
    im[p1] = restIm - turnRe;
    re[p2] = evenRe - oddRe;
    im[p2] = evenIm - oddIm;
    re[p3] = restRe - turnIm;
    im[p3] = restIm + turnRe;
  }
}

/** Sums of elements with those as far from the end, and differences. */
const evenRe = new Float64Array(MAX_RADIX);
const evenIm = new Float64Array(MAX_RADIX);
const oddRe = new Float64Array(MAX_RADIX);
const oddIm = new Float64Array(MAX_RADIX);

/** The same of any odd number up to MAX_RADIX: elements as far from the beginning as from the end share their cosines, and results do. */
function odds(
  { cos, sin, n }: Plan,
  radix: number,
  stride: number,
  re: Float64Array,
  im: Float64Array,
  to: number,
  m: number,
): void {
  const unit = n / radix;
  const half = radix >> 1;
  for (let k = 0; k < m; k++) {
    const p0 = to + k;
    const [firstRe, firstIm] = [re[p0]!, im[p0]!];
    let [a, b] = [firstRe, firstIm];
    for (let r = 1; r <= half; r++) {
      const [p, q] = [p0 + r * m, p0 + (radix - r) * m];
      const [v, w] = [r * k * stride, (radix - r) * k * stride];
      const pRe = re[p]! * cos[v]! - im[p]! * sin[v]!;
      const pIm = re[p]! * sin[v]! + im[p]! * cos[v]!;
      const qRe = re[q]! * cos[w]! - im[q]! * sin[w]!;
      const qIm = re[q]! * sin[w]! + im[q]! * cos[w]!;
      a += evenRe[r] = pRe + qRe;
      b += evenIm[r] = pIm + qIm;
      oddRe[r] = pRe - qRe;
      oddIm[r] = pIm - qIm;
    }
    re[p0] = a;
    im[p0] = b;
    for (let q = 1; q <= half; q++) {
      let [sumRe, sumIm, turnRe, turnIm] = [firstRe, firstIm, 0, 0];
      const step = q * unit;
      for (let r = 1, w = step; r <= half; r++) {
        sumRe += evenRe[r]! * cos[w]!;
        sumIm += evenIm[r]! * cos[w]!;
        turnRe -= oddIm[r]! * sin[w]!;
        turnIm += oddRe[r]! * sin[w]!;
        w += step;
        if (w >= n) w -= n;
      }
      const [p, opposite] = [p0 + q * m, p0 + (radix - q) * m];
      re[p] = sumRe + turnRe;
      im[p] = sumIm + turnIm;
      re[opposite] = sumRe - turnRe;
      im[opposite] = sumIm - turnIm;
    }
  }
}

/** A transform of any length as a convolution of a length that is a power of two. */
function bluestein(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  let size = 1;
  while (size < 2 * n - 1) size *= 2;
  const cos = new Float64Array(n);
  const sin = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    const [c, s] = rootOfUnity((k * k) % (2 * n), 2 * n);
    cos[k] = c;
    sin[k] = s;
  }
  const aRe = new Float64Array(size);
  const aIm = new Float64Array(size);
  const bRe = new Float64Array(size);
  const bIm = new Float64Array(size);
  for (let k = 0; k < n; k++) {
    aRe[k] = re[k]! * cos[k]! + im[k]! * sin[k]!;
    aIm[k] = im[k]! * cos[k]! - re[k]! * sin[k]!;
    bRe[k] = cos[k]!;
    bIm[k] = sin[k]!;
    if (k > 0) {
      bRe[size - k] = cos[k]!;
      bIm[size - k] = sin[k]!;
    }
  }
  transform(aRe, aIm, -1);
  transform(bRe, bIm, -1);
  for (let k = 0; k < size; k++) {
    const a = aRe[k]! * bRe[k]! - aIm[k]! * bIm[k]!;
    aIm[k] = aRe[k]! * bIm[k]! + aIm[k]! * bRe[k]!;
    aRe[k] = a;
  }
  transform(aRe, aIm, 1);
  for (let k = 0; k < n; k++) {
    const a = aRe[k]! / size;
    const b = aIm[k]! / size;
    re[k] = a * cos[k]! + b * sin[k]!;
    im[k] = b * cos[k]! - a * sin[k]!;
  }
}

/** Parts of a complex array with sizes. */
export interface ComplexArray {
  readonly re: Float64Array;
  readonly im: Float64Array;
  readonly sizes: readonly number[];
}

/** Transforms every line along `dim`, in place. */
export function transformDim(x: ComplexArray, dim: number, sign: -1 | 1): void {
  const n = x.sizes[dim]!;
  let inner = 1;
  for (let d = dim + 1; d < x.sizes.length; d++) inner *= x.sizes[d]!;
  const lines = n === 0 ? 0 : x.re.length / n;
  const re = new Float64Array(n);
  const im = new Float64Array(n);
  for (let line = 0; line < lines; line++) {
    const at = Math.floor(line / inner) * n * inner + (line % inner);
    for (let k = 0; k < n; k++) {
      re[k] = x.re[at + k * inner]!;
      im[k] = x.im[at + k * inner]!;
    }
    transform(re, im, sign);
    for (let k = 0; k < n; k++) {
      x.re[at + k * inner] = re[k]!;
      x.im[at + k * inner] = im[k]!;
    }
  }
}

/** Crops or zero-pads one dimension. */
export function resizeDim(x: ComplexArray, dim: number, size: number): ComplexArray {
  const old = x.sizes[dim]!;
  if (old === size) return x;
  let inner = 1;
  for (let d = dim + 1; d < x.sizes.length; d++) inner *= x.sizes[d]!;
  let outer = 1;
  for (let d = 0; d < dim; d++) outer *= x.sizes[d]!;
  const sizes = [...x.sizes];
  sizes[dim] = size;
  const re = new Float64Array(outer * size * inner);
  const im = new Float64Array(re.length);
  const run = Math.min(old, size) * inner;
  for (let o = 0; o < outer; o++) {
    re.set(x.re.subarray(o * old * inner, o * old * inner + run), o * size * inner);
    im.set(x.im.subarray(o * old * inner, o * old * inner + run), o * size * inner);
  }
  return { re, im, sizes };
}
