/** @file Discrete Fourier transforms of any length: mixed radix, Bluestein for large primes. Upstream: aten/src/ATen/native/mkl/SpectralOps.cpp. Spec: none. */

interface Plan {
  readonly n: number;
  /** exp(-2 pi i k / n). */
  readonly cos: Float64Array;
  readonly sin: Float64Array;
  readonly factors: readonly number[];
}

const plans = new Map<number, Plan>();
const MAX_PLANS = 64;
/** Factors above this go through Bluestein's convolution. */
const MAX_RADIX = 64;

/**
 * Cosine and sine of 2 pi k / n, 0 <= k < n, from an angle of at most pi / 4: quarter turns are exact and halves mirror each
 * other, so that what cancels in exact arithmetic cancels here.
 */
function rootOfUnity(k: number, n: number): [cos: number, sin: number] {
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
  plan = { n, cos, sin, factors };
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
  const outRe = new Float64Array(n);
  const outIm = new Float64Array(n);
  recurse(plan, 0, re, im, 0, 1, outRe, outIm, 0, n);
  re.set(outRe);
  im.set(outIm);
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
  if (count === 1) {
    outRe[to] = re[at]!;
    outIm[to] = im[at]!;
    return;
  }
  const radix = plan.factors[level]!;
  const m = count / radix;
  for (let r = 0; r < radix; r++)
    recurse(plan, level + 1, re, im, at + r * stride, stride * radix, outRe, outIm, to + r * m, m);
  const { cos, sin, n } = plan;
  const tRe = new Float64Array(radix);
  const tIm = new Float64Array(radix);
  const unit = n / radix;
  for (let k = 0; k < m; k++) {
    for (let r = 0; r < radix; r++) {
      const w = r * k * stride;
      const a = outRe[to + r * m + k]!;
      const b = outIm[to + r * m + k]!;
      tRe[r] = a * cos[w]! - b * sin[w]!;
      tIm[r] = a * sin[w]! + b * cos[w]!;
    }
    if (radix === 2) {
      outRe[to + k] = tRe[0]! + tRe[1]!;
      outIm[to + k] = tIm[0]! + tIm[1]!;
      outRe[to + m + k] = tRe[0]! - tRe[1]!;
      outIm[to + m + k] = tIm[0]! - tIm[1]!;
      continue;
    }
    for (let q = 0; q < radix; q++) {
      let a = 0;
      let b = 0;
      for (let r = 0; r < radix; r++) {
        const w = ((q * r) % radix) * unit;
        a += tRe[r]! * cos[w]! - tIm[r]! * sin[w]!;
        b += tRe[r]! * sin[w]! + tIm[r]! * cos[w]!;
      }
      outRe[to + q * m + k] = a;
      outIm[to + q * m + k] = b;
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
