/** @file Bessel functions and Airy's Ai. Upstream: aten/src/ATen/native/Math.h (Cephes). Spec: none. */
import * as T from "./bessel_tables.ts";
import { fusedMultiplyAdd } from "./fused.ts";

function horner(x: number, c: readonly number[]): number {
  let y = 0;
  for (let i = 0; i < c.length; i++) y = y * x + c[i]!;
  return y;
}

/** Chebyshev series at x/2, coefficients from the highest order. */
function chebyshev(x: number, c: readonly number[]): number {
  let b0 = c[0]!;
  let b1 = 0;
  let b2 = 0;
  for (let i = 1; i < c.length; i++) {
    b2 = b1;
    b1 = b0;
    b0 = x * b1 - b2 + c[i]!;
  }
  return 0.5 * (b0 - b2);
}

const SQRT_2_OVER_PI = 0.797884560802865355879892119868763737;
const TWO_OVER_PI = 0.636619772367581343075535053490057448;
const QUARTER_PI = 0.785398163397448309615660845819875721;
const THREE_QUARTER_PI = 2.356194490192344928846982537459627163;

/** Amplitudes of the asymptotic forms beyond 5: those of cosine and sine. */
function asymptotic0(x: number): [number, number] {
  const z = 25 / (x * x);
  return [horner(z, T.J0_PP) / horner(z, T.J0_PQ), (5 / x) * (horner(z, T.J0_QP) / horner(z, T.J0_QQ))];
}
function asymptotic1(x: number): [number, number] {
  const z = (5 / x) * (5 / x);
  return [horner(z, T.J1_PP) / horner(z, T.J1_PQ), (5 / x) * (horner(z, T.J1_QP) / horner(z, T.J1_QQ))];
}

/** J0. */
export function besselJ0(value: number): number {
  const x = Math.abs(value);
  if (x <= 5) {
    const z = x * x;
    if (x < 1e-5) return 1 - z / 4;
    return ((z - 5.78318596294678452118) * (z - 3.04712623436620863991e1) * horner(z, T.J0_RP)) / horner(z, T.J0_RQ);
  }
  const [p, q] = asymptotic0(x);
  const angle = x - QUARTER_PI;
  return ((p * Math.cos(angle) - q * Math.sin(angle)) * SQRT_2_OVER_PI) / Math.sqrt(x);
}

/** J1. */
export function besselJ1(x: number): number {
  if (x < 0) return -besselJ1(-x);
  if (x <= 5) {
    const z = x * x;
    return (
      (horner(z, T.J1_RP) / horner(z, T.J1_RQ)) * x * (z - 1.46819706421238932572e1) * (z - 4.92184563216946036703e1)
    );
  }
  const [p, q] = asymptotic1(x);
  const angle = x - THREE_QUARTER_PI;
  return ((p * Math.cos(angle) - q * Math.sin(angle)) * SQRT_2_OVER_PI) / Math.sqrt(x);
}

/** Y0. */
export function besselY0(x: number): number {
  if (x <= 5) {
    if (x === 0) return -Infinity;
    if (x < 0) return NaN;
    const z = x * x;
    return horner(z, T.Y0_YP) / horner(z, T.Y0_YQ) + TWO_OVER_PI * Math.log(x) * besselJ0(x);
  }
  const [p, q] = asymptotic0(x);
  const angle = x - QUARTER_PI;
  return ((p * Math.sin(angle) + q * Math.cos(angle)) * SQRT_2_OVER_PI) / Math.sqrt(x);
}

/** Y1. */
export function besselY1(x: number): number {
  if (x <= 5) {
    if (x === 0) return -Infinity;
    if (x < 0) return NaN;
    const z = x * x;
    return x * (horner(z, T.Y1_YP) / horner(z, T.Y1_YQ)) + TWO_OVER_PI * (besselJ1(x) * Math.log(x) - 1 / x);
  }
  const [p, q] = asymptotic1(x);
  const angle = x - THREE_QUARTER_PI;
  return ((p * Math.sin(angle) + q * Math.cos(angle)) * SQRT_2_OVER_PI) / Math.sqrt(x);
}

/** exp(-|x|) I0(x). */
export function besselI0e(value: number): number {
  const x = Math.abs(value);
  return x <= 8 ? chebyshev(x / 2 - 2, T.I0_A) : chebyshev(32 / x - 2, T.I0_B) / Math.sqrt(x);
}

/** I0. */
export function besselI0(x: number): number {
  return Math.exp(Math.abs(x)) * besselI0e(x);
}

/** Chebyshev series at x/2 whose products are rounded together with the differences, in float32 or float64. */
function chebyshevFused(x: number, c: readonly number[], round: (y: number) => number): number {
  let [b0, b1, b2] = [round(c[0]!), 0, 0];
  for (let i = 1; i < c.length; i++) {
    b2 = b1;
    b1 = b0;
    b0 = round(round(fusedMultiplyAdd(x, b1, -b2)) + round(c[i]!));
  }
  return round(0.5 * round(b0 - b2));
}

/** I0 of float32, with the steps of PyTorch's kernel on a processor that fuses multiplication and addition. */
export function i0Float(value: number): number {
  return i0In(Math.fround, value);
}

/** I0 of float64, so. */
export function i0Double(value: number): number {
  return i0In((x) => x, value);
}

function i0In(round: (x: number) => number, value: number): number {
  const x = Math.abs(value);
  const scale = round(Math.exp(x));
  if (x <= 8) return round(scale * chebyshevFused(round(x / 2) - 2, T.I0_A, round));
  return round(round(scale * chebyshevFused(round(round(32 / x) - 2), T.I0_B, round)) / round(Math.sqrt(x)));
}

/** exp(-|x|) I1(x). */
export function besselI1e(value: number): number {
  const x = Math.abs(value);
  const y = x <= 8 ? chebyshev(x / 2 - 2, T.I1_A) * x : chebyshev(32 / x - 2, T.I1_B) / Math.sqrt(x);
  return value < 0 ? -y : y;
}

/** I1. */
export function besselI1(x: number): number {
  return Math.exp(Math.abs(x)) * besselI1e(x);
}

/** exp(x) K0(x). */
export function scaledBesselK0(x: number): number {
  if (x === 0) return Infinity;
  if (x < 0) return NaN;
  if (x <= 2) return besselK0(x) * Math.exp(x);
  return chebyshev(8 / x - 2, T.K0_B) / Math.sqrt(x);
}

/** K0. */
export function besselK0(x: number): number {
  if (x === 0) return Infinity;
  if (x < 0) return NaN;
  if (x <= 2) return chebyshev(x * x - 2, T.K0_A) - Math.log(0.5 * x) * besselI0(x);
  return Math.exp(-x) * scaledBesselK0(x);
}

/** exp(x) K1(x). */
export function scaledBesselK1(x: number): number {
  if (x === 0) return Infinity;
  if (x < 0) return NaN;
  if (x <= 2) return besselK1(x) * Math.exp(x);
  return chebyshev(8 / x - 2, T.K1_B) / Math.sqrt(x);
}

/** K1. */
export function besselK1(x: number): number {
  if (x === 0) return Infinity;
  if (x < 0) return NaN;
  if (x <= 2) return Math.log(0.5 * x) * besselI1(x) + chebyshev(x * x - 2, T.K1_A) / x;
  return Math.exp(-x) * scaledBesselK1(x);
}

/** The spherical Bessel function j0: sin(x) / x. */
export function sphericalBesselJ0(x: number): number {
  if (x === Infinity || x === -Infinity) return 0;
  if (Math.abs(x) < 0.5) {
    const z = x * x;
    return 1 + z * (-1 / 6 + z * (1 / 120 + z * (-1 / 5040 + z * (1 / 362880 + z * (-1 / 39916800 + z / 6227020800)))));
  }
  return Math.sin(x) / x;
}

/** Airy's Ai; the phase of its oscillation is rounded to the dtype, as in PyTorch. */
export function airyAi(x: number, round: (v: number) => number): number {
  if (x === Infinity || x === -Infinity) return NaN;
  if (x > 103.892) return 0;
  const inverseSqrtPi = 5.64189583547756286948e-1;
  if (x < -2.09) {
    const zeta = round(round(-2 * x * round(Math.sqrt(-x))) / 3);
    const z = 1 / zeta;
    const z2 = z * z;
    const f = 1 + (z2 * horner(z2, T.AIRY_AFN)) / horner(z2, T.AIRY_AFD);
    const g = (z * horner(z2, T.AIRY_AGN)) / horner(z2, T.AIRY_AGD);
    const t = round(zeta + round(0.25 * Math.PI));
    return (inverseSqrtPi / Math.sqrt(Math.sqrt(-x))) * (Math.sin(t) * f - Math.cos(t) * g);
  }
  if (x >= 2.09) {
    const zeta = (2 * x * Math.sqrt(x)) / 3;
    const z = 1 / zeta;
    return (
      (inverseSqrtPi * (horner(z, T.AIRY_AN) / horner(z, T.AIRY_AD))) / (2 * Math.sqrt(Math.sqrt(x)) * Math.exp(zeta))
    );
  }
  // Maclaurin series of the two solutions
  const z = x * x * x;
  let f = 1;
  let g = x;
  let m = 1;
  let n = x;
  for (let k = 1, t = 1; t > 2.220446049250313e-16;) {
    m *= z;
    k += 1;
    m /= k;
    n *= z;
    k += 1;
    n /= k;
    m /= k;
    f += m;
    k += 1;
    n /= k;
    g += n;
    t = Math.abs(m / f);
  }
  return 0.35502805388781723926 * f - 0.258819403792806798405 * g;
}
