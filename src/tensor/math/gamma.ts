/** @file The gamma function's family: lgamma, digamma, polygamma, Hurwitz zeta, incomplete gammas. Upstream: none (Lanczos, DLMF 5, 8 and 25). Spec: none. */
import { erfc } from "./erf.ts";
import { ASYMPTOTIC_GAMMA } from "./gamma_table.ts";

// Lanczos sum of N = 13, g = 6.0246..., scaled by exp(g)
const LANCZOS_NUM = [
  56906521.91347156388, 103794043.1163445451906, 86363131.28813859145547, 43338889.32467613834774,
  14605578.08768506808414, 3481712.15498064590882, 601859.6171681098786671, 75999.29304014542649875,
  6955.999602515376140356, 449.9445569063168119447, 19.51992788247617482848, 0.5098416655656676188125,
  0.006061842346248906525784,
];
const LANCZOS_DEN = [
  0, 39916800, 120543840, 150917976, 105258076, 45995730, 13339535, 2637558, 357423, 32670, 1925, 66, 1,
];
const LANCZOS_G = 6.024680040776729583740234375;

function lanczosSum(x: number): number {
  let num = 0;
  let den = 0;
  if (x <= 1) {
    for (let i = 12; i >= 0; i--) {
      num = num * x + LANCZOS_NUM[i]!;
      den = den * x + LANCZOS_DEN[i]!;
    }
  } else {
    const y = 1 / x;
    for (let i = 0; i <= 12; i++) {
      num = num * y + LANCZOS_NUM[i]!;
      den = den * y + LANCZOS_DEN[i]!;
    }
  }
  return num / den;
}

/** sin(pi * x) without loss for large x. */
function sinPi(x: number): number {
  const r = x - 2 * Math.round(x / 2);
  return Math.sin(Math.PI * r);
}

/** log(abs(gamma(x))). */
export function lgamma(x: number): number {
  if (x !== x) return NaN;
  if (x === Infinity || x === -Infinity) return Infinity;
  if (x <= 0) {
    if (x === Math.floor(x)) return Infinity;
    return Math.log(Math.PI / Math.abs(x * sinPi(x))) - lgamma(-x);
  }
  if (x === 1 || x === 2) return 0;
  if (x < 1e-8) return -Math.log(x) - 0.57721566490153286061 * x;
  if (x > 1e17) return x * (Math.log(x) - 1);
  if (x > 20) {
    const s = 1 / (x * x);
    const series = (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s * (1 / 1188 - s * (691 / 360360)))))) / x;
    return (x - 0.5) * Math.log(x) - x + 0.91893853320467274178 + series;
  }
  if (x > 0.7 && x < 2.5) return nearOneOrTwo(x);
  return Math.log(lanczosSum(x)) + (x - 0.5) * (Math.log(x + LANCZOS_G - 0.5) - 1);
}

/** lgamma around its zeros, by log(gamma) = log1p(gamma - 1) through the zeta series (DLMF 5.7.3). */
function nearOneOrTwo(x: number): number {
  const offset = x < 1.5 ? 1 : 2;
  const t = x - offset;
  // lgamma(1+t) = -log(1+t) + t*(1-euler) + sum (-1)^k (zeta(k)-1) t^k / k; lgamma(2+t) = lgamma(1+t) + log(1+t)
  let sum = 0;
  const zetas = zetaMinusOne();
  let power = t;
  for (let k = 2; k < 60; k++) {
    power *= -t;
    const term = (-power * zetas[k]!) / k;
    sum += term;
    if (Math.abs(term) < 1e-18) break;
  }
  const base = t * (1 - 0.57721566490153286061) + sum;
  return offset === 2 ? base : base - Math.log1p(t);
}

let zetaTable: number[] | undefined;

/** zeta(k) - 1 for integers k from 2 to 59. */
function zetaMinusOne(): number[] {
  return (zetaTable ??= Array.from({ length: 60 }, (_, k) => (k < 2 ? 0 : zeta(k, 2))));
}

/** The digamma function. */
export function digamma(x: number): number {
  if (x === 0) return Object.is(x, -0) ? Infinity : -Infinity;
  if (x === -Infinity) return NaN;
  if (x < 0) {
    if (x === Math.floor(x)) return NaN;
    return digamma(1 - x) - Math.PI / Math.tan(Math.PI * (x % 1));
  }
  let result = 0;
  let y = x;
  while (y < 10) {
    result -= 1 / y;
    y += 1;
  }
  if (y === 10) return result + 2.25175258906672110764;
  if (y >= 1e17) return result + Math.log(y) - 0.5 / y;
  const z = 1 / (y * y);
  const tail =
    z * (1 / 12 - z * (1 / 120 - z * (1 / 252 - z * (1 / 240 - z * (1 / 132 - z * (691 / 32760 - z / 12))))));
  return result + Math.log(y) - 0.5 / y - tail;
}

/** The trigamma function; `round` to the dtype decides what its poles give. */
export function trigamma(x: number, round: (v: number) => number = (v) => v): number {
  let sign = 1;
  let result = 0;
  let y = x;
  if (x < 0.5) {
    sign = -1;
    const s = round(Math.sin(round(round(Math.PI) * x)));
    result -= round(Math.PI * Math.PI) / round(s * s);
    y = 1 - x;
  }
  for (let i = 0; i < 6; i++) {
    result += 1 / (y * y);
    y += 1;
  }
  const z = 1 / (y * y);
  result += (1 + 1 / (2 * y) + z * (1 / 6 - z * (1 / 30 - z / 42))) / y;
  return sign * result;
}

const ZETA_A = [
  12, -720, 30240, -1209600, 47900160, -1.8924375803183791606e9, 7.47242496e10, -2.950130727918164224e12,
  1.1646782814350067249e14, -4.5979787224074726105e15, 1.8152105401943546773e17, -7.1661652561756670113e18,
];

/** Hurwitz zeta(x, q) by Euler-Maclaurin summation. */
export function zeta(x: number, q: number): number {
  if (x === 1) return Infinity;
  if (x < 1) return NaN;
  if (q <= 0) {
    if (q === Math.floor(q)) return Infinity;
    if (x !== Math.floor(x)) return NaN;
  }
  const eps = 1.11022302462515654042e-16;
  let s = q === 1 ? 1 : Math.pow(q, -x); // C's pow(1, anything) is 1
  let a = q;
  let b = 0;
  for (let i = 0; i < 9 || a <= 9; i++) {
    a += 1;
    b = Math.pow(a, -x);
    s += b;
    if (-eps * s < b && b < eps * s) return s;
    if (i > 1e6) return NaN;
  }
  const w = a;
  s += (b * w) / (x - 1) - 0.5 * b;
  let factor = 1;
  let k = 0;
  for (let i = 0; i < 12; i++) {
    factor *= x + k;
    b /= w;
    const t = (factor * b) / ZETA_A[i]!;
    s += t;
    if (Math.abs(t / s) < eps) return s;
    k += 1;
    factor *= x + k;
    b /= w;
    k += 1;
  }
  return s;
}

/** The n-th derivative of digamma. */
export function polygamma(n: number, x: number): number {
  if (n === 0) return digamma(x);
  if (n === 1) return trigamma(x);
  return (n % 2 === 1 ? 1 : -1) * Math.exp(lgamma(n + 1)) * zeta(n + 1, x);
}

const EPS = 1.11022302462515654042e-16;

/** x^a * exp(-x) / gamma(a). */
function igamFactor(a: number, x: number): number {
  if (Math.abs(a - x) > 0.4 * Math.abs(a)) {
    const ax = a * Math.log(x) - x - lgamma(a);
    return ax < -709.782712893383996843 ? 0 : Math.exp(ax);
  }
  const fac = a + LANCZOS_G - 0.5;
  const res = Math.sqrt(fac / Math.E) / lanczosSum(a);
  if (a < 200 && x < 200) return res * Math.exp(a - x) * Math.pow(x / fac, a);
  const ratio = (x - a - LANCZOS_G + 0.5) / fac;
  return res * Math.exp(a * (Math.log1p(ratio) - ratio) + (x * (0.5 - LANCZOS_G)) / fac);
}

function igamSeries(a: number, x: number): number {
  const ax = igamFactor(a, x);
  if (ax === 0) return 0;
  let r = a;
  let c = 1;
  let sum = 1;
  for (let i = 0; i < 2000; i++) {
    r += 1;
    c *= x / r;
    sum += c;
    if (c <= EPS * sum) break;
  }
  return (sum * ax) / a;
}

function igamcSeries(a: number, x: number): number {
  let fac = 1;
  let sum = 0;
  for (let n = 1; n < 2000; n++) {
    fac *= -x / n;
    const term = fac / (a + n);
    sum += term;
    if (Math.abs(term) <= EPS * Math.abs(sum)) break;
  }
  const logx = Math.log(x);
  return -Math.expm1(a * logx - lgamma(1 + a)) - Math.exp(a * logx - lgamma(a)) * sum;
}

function igamcFraction(a: number, x: number): number {
  const ax = igamFactor(a, x);
  if (ax === 0) return 0;
  let y = 1 - a;
  let z = x + y + 1;
  let c = 0;
  let p2 = 1;
  let q2 = x;
  let p1 = x + 1;
  let q1 = z * x;
  let ans = p1 / q1;
  for (let i = 0; i < 2000; i++) {
    c += 1;
    y += 1;
    z += 2;
    const yc = y * c;
    const p = p1 * z - p2 * yc;
    const q = q1 * z - q2 * yc;
    let t = 1;
    if (q !== 0) {
      const r = p / q;
      t = Math.abs((ans - r) / r);
      ans = r;
    }
    p2 = p1;
    p1 = p;
    q2 = q1;
    q1 = q;
    if (Math.abs(p) > 4503599627370496) {
      p2 *= 2.22044604925031308085e-16;
      p1 *= 2.22044604925031308085e-16;
      q2 *= 2.22044604925031308085e-16;
      q1 *= 2.22044604925031308085e-16;
    }
    if (t <= EPS) break;
  }
  return ans * ax;
}

/** Uniform asymptotic expansion for large a close to x (DLMF 8.12). */
function asymptotic(a: number, x: number, sign: 1 | -1): number {
  const sigma = (x - a) / a;
  const root = Math.sqrt(-2 * (Math.log1p(sigma) - sigma));
  const eta = x > a ? root : x < a ? -root : 0;
  let sum = 0;
  let scale = 1;
  let previous = Infinity;
  for (const row of ASYMPTOTIC_GAMMA) {
    let ck = row[0]!;
    let power = 1;
    for (let n = 1; n < row.length; n++) {
      power *= eta;
      const term = row[n]! * power;
      ck += term;
      if (Math.abs(term) < EPS * Math.abs(ck)) break;
    }
    const term = ck * scale;
    const size = Math.abs(term);
    if (size > previous) break;
    sum += term;
    if (size < EPS * Math.abs(sum)) break;
    previous = size;
    scale /= a;
  }
  return (
    0.5 * erfc(sign * eta * Math.sqrt(a / 2)) +
    (sign * Math.exp(-0.5 * a * eta * eta) * sum) / Math.sqrt(2 * Math.PI * a)
  );
}

function isAsymptotic(a: number, x: number): boolean {
  const distance = Math.abs(x - a) / a;
  return (a > 20 && a < 200 && distance < 0.3) || (a > 200 && distance < 4.5 / Math.sqrt(a));
}

/** Regularized upper incomplete gamma Q(a, x). */
export function igammac(a: number, x: number): number {
  if (x < 0 || a < 0) return NaN;
  if (a === 0) return x > 0 ? 0 : NaN;
  if (x === 0) return 1;
  if (a === Infinity) return x === Infinity ? NaN : 1;
  if (x === Infinity) return 0;
  if (isAsymptotic(a, x)) return asymptotic(a, x, 1);
  if (x > 1.1) return x < a ? 1 - igamSeries(a, x) : igamcFraction(a, x);
  const bySeries = x <= 0.5 ? -0.4 / Math.log(x) < a : x * 1.1 < a;
  return bySeries ? 1 - igamSeries(a, x) : igamcSeries(a, x);
}

/** Regularized lower incomplete gamma P(a, x). */
export function igamma(a: number, x: number): number {
  if (x < 0 || a < 0) return NaN;
  if (a === 0) return x > 0 ? 1 : NaN;
  if (x === 0) return 0;
  if (a === Infinity) return x === Infinity ? NaN : 0;
  if (x === Infinity) return 1;
  if (isAsymptotic(a, x)) return asymptotic(a, x, -1);
  if (x > 1 && x > a) return 1 - igammac(a, x);
  return igamSeries(a, x);
}
