/** @file Complex functions of one argument; each leaves its result in `C`. Upstream: none (C99 Annex G). Spec: none. */

/** Where complex functions leave their result: they are called one at a time. */
export const C = { re: 0, im: 0 };

function set(re: number, im: number): void {
  C.re = re;
  C.im = im;
}

/** a * b. */
export function cmul(ar: number, ai: number, br: number, bi: number): void {
  C.re = ar * br - ai * bi;
  C.im = ar * bi + ai * br;
}

/** a / b, scaled as numpy and PyTorch do. */
export function cdiv(ar: number, ai: number, br: number, bi: number): void {
  const absR = Math.abs(br);
  const absI = Math.abs(bi);
  if (absR >= absI) {
    if (absR === 0 && absI === 0) return set(ar / absR, ai / absI);
    const ratio = bi / br;
    const scale = 1 / (br + bi * ratio);
    return set((ar + ai * ratio) * scale, (ai - ar * ratio) * scale);
  }
  const ratio = br / bi;
  const scale = 1 / (br * ratio + bi);
  set((ar * ratio + ai) * scale, (ai * ratio - ar) * scale);
}

/** exp(z). */
export function cexp(re: number, im: number): void {
  if (im === 0) return set(Math.exp(re), im);
  if (re === -Infinity && !Number.isFinite(im)) return set(0, 0);
  if (re === Infinity && !Number.isFinite(im)) return set(Infinity, NaN);
  const e = Math.exp(re);
  set(e * Math.cos(im), e * Math.sin(im));
}

/** log(z). */
export function clog(re: number, im: number): void {
  set(logHypot(re, im), Math.atan2(im, re));
}

function logHypot(re: number, im: number): number {
  const a = Math.abs(re);
  const b = Math.abs(im);
  if (a === Infinity || b === Infinity) return Infinity;
  const big = Math.max(a, b);
  const small = Math.min(a, b);
  // close to |z| = 1 the squares cancel
  if (big > 0.5 && big < 2 && small < 2) return 0.5 * Math.log1p((big - 1) * (big + 1) + small * small);
  return Math.log(Math.hypot(re, im));
}

/** sqrt(z). */
export function csqrt(re: number, im: number): void {
  if (re === 0 && im === 0) return set(0, im);
  if (im === Infinity || im === -Infinity) return set(Infinity, im);
  if (re !== re) return set(NaN, NaN);
  if (re === Infinity) return set(re, im !== im ? NaN : copySign(0, im));
  if (re === -Infinity) return set(im !== im ? NaN : 0, im !== im ? Infinity : copySign(Infinity, im));
  let x = re;
  let y = im;
  let scale = 1;
  if (Math.abs(x) > 1e300 || Math.abs(y) > 1e300) {
    x /= 4;
    y /= 4;
    scale = 2;
  } else if (Math.abs(x) < 1e-300 && Math.abs(y) < 1e-300) {
    x *= 2 ** 54;
    y *= 2 ** 54;
    scale = 2 ** -27;
  }
  if (x >= 0) {
    const t = Math.sqrt((x + Math.hypot(x, y)) * 0.5);
    set(scale * t, (scale * y) / (2 * t));
  } else {
    const t = Math.sqrt((-x + Math.hypot(x, y)) * 0.5);
    set((scale * Math.abs(y)) / (2 * t), copySign(scale * t, y));
  }
}

/** `magnitude` with the sign of `sign`. */
export function copySign(magnitude: number, sign: number): number {
  const negative = sign < 0 || Object.is(sign, -0);
  const a = Math.abs(magnitude);
  return negative ? -a : a;
}

/** sinh(z). */
export function csinh(re: number, im: number): void {
  if (im === 0) return set(Math.sinh(re), im);
  if (re === 0) return set(copySign(0, re), Math.sin(im));
  if (!Number.isFinite(im)) {
    if (Math.abs(re) === Infinity) return set(re, NaN);
    return set(NaN, NaN);
  }
  if (Math.abs(re) > 709) return bigHyperbolic(re, im, Math.sign(re), 1);
  set(Math.sinh(re) * Math.cos(im), Math.cosh(re) * Math.sin(im));
}

function bigHyperbolic(re: number, im: number, signRe: number, signIm: number): void {
  const half = Math.exp(Math.abs(re) / 2);
  set(signRe * 0.5 * half * Math.cos(im) * half, signIm * 0.5 * half * Math.sin(im) * half);
}

/** cosh(z). */
export function ccosh(re: number, im: number): void {
  if (im === 0) return set(Math.cosh(re), re === 0 || im === 0 ? re * im || 0 : 0);
  if (re === 0) return set(Math.cos(im), 0);
  if (!Number.isFinite(im)) {
    if (Math.abs(re) === Infinity) return set(Infinity, NaN);
    return set(NaN, NaN);
  }
  if (Math.abs(re) > 709) return bigHyperbolic(re, im, 1, Math.sign(re));
  set(Math.cosh(re) * Math.cos(im), Math.sinh(re) * Math.sin(im));
}

/** tanh(z). */
export function ctanh(re: number, im: number): void {
  if (Math.abs(re) === Infinity) return set(copySign(1, re), copySign(0, Number.isFinite(im) ? Math.sin(2 * im) : im));
  if (!Number.isFinite(im)) return set(re === 0 ? re : NaN, NaN);
  if (Math.abs(re) > 22) {
    const e = Math.exp(-Math.abs(re));
    return set(copySign(1, re), 4 * Math.sin(im) * Math.cos(im) * e * e);
  }
  const t = Math.tan(im);
  const beta = 1 + t * t;
  const s = Math.sinh(re);
  const rho = Math.sqrt(1 + s * s);
  if (Math.abs(t) === Infinity) return set(rho / s, 1 / t);
  const d = 1 + beta * s * s;
  set((beta * rho * s) / d, t / d);
}

/** sin(z) = -i sinh(iz). */
export function csin(re: number, im: number): void {
  csinh(-im, re);
  set(C.im, -C.re);
}

/** cos(z) = cosh(iz). */
export function ccos(re: number, im: number): void {
  ccosh(-im, re);
}

/** tan(z) = -i tanh(iz). */
export function ctan(re: number, im: number): void {
  ctanh(-im, re);
  set(C.im, -C.re);
}

/** asinh(z), after Hull, Fairgrieve and Tang in a simple form. */
export function casinh(re: number, im: number): void {
  // asinh(z) = i asin(-iz)... : asin works with x = im
  casin(-im, re);
  set(C.im, -C.re);
}

/** asin(z). */
export function casin(re: number, im: number): void {
  const x = Math.abs(re);
  const y = Math.abs(im);
  if (!Number.isFinite(x) || !Number.isFinite(y)) {
    cacosSpecial(re, im);
    return set(Math.abs(C.re) === Infinity || C.re !== C.re ? (re === 0 ? re : C.re) : Math.PI / 2 - C.re, -C.im);
  }
  const parts = asinParts(x, y);
  set(copySign(parts.real, re), copySign(parts.imag, im));
}

/** acos(z). */
export function cacos(re: number, im: number): void {
  const x = Math.abs(re);
  const y = Math.abs(im);
  if (!Number.isFinite(x) || !Number.isFinite(y)) return cacosSpecial(re, im);
  const parts = asinParts(x, y);
  set(
    re >= 0 && !Object.is(re, -0) ? parts.acos : re < 0 ? Math.PI - parts.acos : Math.PI / 2,
    copySign(parts.imag, -copySign(1, im)),
  );
}

function cacosSpecial(re: number, im: number): void {
  const signIm = -copySign(1, im);
  if (Math.abs(im) === Infinity) {
    if (re !== re) return set(NaN, signIm * Infinity);
    if (re === Infinity) return set(Math.PI / 4, signIm * Infinity);
    if (re === -Infinity) return set((3 * Math.PI) / 4, signIm * Infinity);
    return set(Math.PI / 2, signIm * Infinity);
  }
  if (Math.abs(re) === Infinity) {
    if (im !== im) return set(NaN, Infinity);
    return set(re > 0 ? 0 : Math.PI, signIm * Infinity);
  }
  set(re === 0 ? Math.PI / 2 : NaN, NaN);
}

/** For x, y >= 0: the real part of asin and acos, and the imaginary part's size. */
function asinParts(x: number, y: number): { real: number; acos: number; imag: number } {
  if (x > 1e8 || y > 1e8) {
    const log = Math.LN2 + Math.log(Math.hypot(x, y));
    return { real: Math.atan2(x, y), acos: Math.atan2(y, x), imag: log };
  }
  const r = Math.hypot(x + 1, y);
  const s = Math.hypot(x - 1, y);
  const a = 0.5 * (r + s);
  const b = x / a;
  let real: number;
  let acos: number;
  if (b <= 0.6417) {
    real = Math.asin(b);
    acos = Math.acos(b);
  } else {
    const ax = a + x;
    const root =
      x <= 1
        ? Math.sqrt(0.5 * ax * ((y * y) / (r + x + 1) + (s + (1 - x))))
        : y * Math.sqrt(0.5 * (ax / (r + x + 1) + ax / (s + (x - 1))));
    real = Math.atan2(x, root);
    acos = Math.atan2(root, x);
  }
  let imag: number;
  if (a <= 1.5) {
    const am1 =
      x < 1
        ? 0.5 * ((y * y) / (r + (x + 1)) + (y * y) / (s + (1 - x)))
        : 0.5 * ((y * y) / (r + (x + 1)) + (s + (x - 1)));
    imag = y === 0 && x < 1 ? 0 : Math.log1p(am1 + Math.sqrt(am1 * (a + 1)));
  } else imag = Math.log(a + Math.sqrt(a * a - 1));
  return { real, acos, imag };
}

/** acosh(z). */
export function cacosh(re: number, im: number): void {
  cacos(re, im);
  const { re: r, im: i } = C;
  // acosh(z) = +-i acos(z), with a non-negative real part
  set(Math.abs(i), copySign(r, im));
}

/** atanh(z). */
export function catanh(re: number, im: number): void {
  const x = Math.abs(re);
  const y = Math.abs(im);
  if (!Number.isFinite(x) || !Number.isFinite(y)) {
    if (x !== x && y !== Infinity) return set(NaN, NaN);
    if (y !== y && x !== Infinity) return set(x === 0 ? re : NaN, NaN);
    return set(copySign(0, re), y !== y ? NaN : copySign(Math.PI / 2, im));
  }
  if (y === 0 && x < 1) return set(Math.atanh(re), im);
  const den = (1 - x) * (1 - x) + y * y;
  const real =
    den === 0
      ? Infinity
      : x < 1e-3 && y < 1e-3
        ? 0.25 * Math.log1p((4 * x) / den)
        : x > 1e15 || y > 1e15
          ? x / Math.hypot(x, y) / Math.hypot(x, y)
          : 0.25 * Math.log1p((4 * x) / den);
  const imag = 0.5 * Math.atan2(2 * y, (1 - x) * (1 + x) - y * y);
  set(copySign(real, re), copySign(imag, im));
}

/** atan(z) = -i atanh(iz). */
export function catan(re: number, im: number): void {
  catanh(-im, re);
  set(C.im, -C.re);
}

/** 1 / z. */
export function creciprocal(re: number, im: number): void {
  cdiv(1, 0, re, im);
}

/** a * b with the infinities that C99 recovers from NaN. */
function cmulC99(ar: number, ai: number, br: number, bi: number): void {
  cmul(ar, ai, br, bi);
  if (C.re === C.re || C.im === C.im) return;
  const inf = (x: number): boolean => Math.abs(x) === Infinity;
  let [a, b, c, d] = [ar, ai, br, bi];
  let recover = false;
  if (inf(a) || inf(b)) {
    a = copySign(inf(a) ? 1 : 0, a);
    b = copySign(inf(b) ? 1 : 0, b);
    if (c !== c) c = 0;
    if (d !== d) d = 0;
    recover = true;
  }
  if (inf(c) || inf(d)) {
    c = copySign(inf(c) ? 1 : 0, c);
    d = copySign(inf(d) ? 1 : 0, d);
    if (a !== a) a = 0;
    if (b !== b) b = 0;
    recover = true;
  }
  if (!recover && (inf(ar * br) || inf(ai * bi) || inf(ar * bi) || inf(ai * br))) {
    if (a !== a) a = 0;
    if (b !== b) b = 0;
    if (c !== c) c = 0;
    if (d !== d) d = 0;
    recover = true;
  }
  if (recover) set(Infinity * (a * c - b * d), Infinity * (a * d + b * c));
}

/** z to the power w: exp(w * log(z)), as C's cpow; 0 to the power 0 is NaN. */
export function cpow(ar: number, ai: number, br: number, bi: number): void {
  clog(ar, ai);
  cmulC99(br, bi, C.re, C.im);
  cexp(C.re, C.im);
}

/** log1p(z). */
export function clog1p(re: number, im: number): void {
  if (re !== re || im !== im) return set(NaN, NaN);
  const x = re + 1;
  const real = Math.abs(re) < 0.5 && Math.abs(im) < 0.5 ? 0.5 * Math.log1p(re * (2 + re) + im * im) : logHypot(x, im);
  set(real, Math.atan2(im, x));
}

/** log(exp(a) + exp(b)), as PyTorch orders it: by real part. */
export function clogaddexp(ar: number, ai: number, br: number, bi: number): void {
  if (ar !== ar || ai !== ai || br !== br || bi !== bi) return set(NaN, NaN);
  const aFirst = ar < br;
  const [minR, minI, maxR, maxI] = aFirst ? [ar, ai, br, bi] : [br, bi, ar, ai];
  if (!Number.isFinite(minR) && minR === maxR) {
    if (minR < 0) return set(minR, minI);
    cexp(minR, minI);
    const [r, i] = [C.re, C.im];
    cexp(maxR, maxI);
    return clog(r + C.re, i + C.im);
  }
  cexp(minR - maxR, minI - maxI);
  clog1p(C.re, C.im);
  set(C.re + maxR, C.im + maxI);
}

/** expm1(z). */
export function cexpm1(re: number, im: number): void {
  const s = Math.sin(im / 2);
  const real = Math.expm1(re) * Math.cos(im) - 2 * s * s;
  set(real, im === 0 ? im : Math.exp(re) * Math.sin(im));
}

/** 1 / (1 + exp(-z)). */
export function csigmoid(re: number, im: number): void {
  cexp(-re, -im);
  cdiv(1, 0, 1 + C.re, C.im);
}
