/** @file Logarithm, sine and cosine in single precision, by Cephes' polynomials with fused multiply-adds: what the vector code of PyTorch's normal generator computes, to the last bit. Upstream: aten/src/ATen/native/cpu/avx_mathfun.h; Cephes logf.c, sinf.c. Spec: none. */

const f = Math.fround;

/** `a * b + c` with one rounding: the product of two floats is exact in double precision. */
function fma(a: number, b: number, c: number): number {
  return f(a * b + c);
}

/** Horner's scheme, from the highest coefficient. */
function polynomial(x: number, coefficients: Float32Array): number {
  let y = coefficients[0]!;
  for (let i = 1; i < coefficients.length; i++) y = fma(y, x, coefficients[i]!);
  return y;
}

export const LOG = Float32Array.of(
  7.0376836292e-2,
  -1.151461031e-1,
  1.167699874e-1,
  -1.2420140846e-1,
  1.4249322787e-1,
  -1.6668057665e-1,
  2.0000714765e-1,
  -2.4999993993e-1,
  3.3333331174e-1,
);
export const SQRT_HALF = f(Math.SQRT1_2);
// ln 2 in two parts: the high one has few digits, so that its products with exponents are exact
export const LN2_LOW = f(-2.1219444e-4);
export const LN2_HIGH = f(0.693359375);

const bits = new DataView(new ArrayBuffer(4));

/** The natural logarithm of a positive normal float. */
export function logFloat(value: number): number {
  bits.setFloat32(0, value);
  const raw = bits.getInt32(0);
  let exponent = (raw >> 23) - 126;
  bits.setInt32(0, (raw & 0x007fffff) | 0x3f000000);
  let x = bits.getFloat32(0); // in [0.5, 1)
  if (x < SQRT_HALF) {
    exponent -= 1;
    x = f(f(x - 1) + x);
  } else x = f(x - 1);
  const z = f(x * x);
  const y = f(polynomial(x, LOG) * x);
  const low = fma(y, z, f(exponent * LN2_LOW));
  return fma(exponent, LN2_HIGH, f(x + fma(-0.5, z, low)));
}

export const COS = Float32Array.of(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2);
export const SIN = Float32Array.of(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1);
export const FOUR_OVER_PI = f(1.27323954473516);
// pi / 4 in three parts
export const PI4 = Float32Array.of(-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8);

/** Sine and cosine of a float of moderate size. */
export function sinCosFloat(value: number): { readonly sin: number; readonly cos: number } {
  let x = Math.abs(value);
  // the octant, rounded up to an even one
  const octant = (Math.trunc(f(x * FOUR_OVER_PI)) + 1) & ~1;
  for (const part of PI4) x = fma(octant, part, x);
  const z = f(x * x);
  const c = f(polynomial(z, COS) * z);
  const cosine = f(fma(c, z, f(-0.5 * z)) + 1);
  const sine = fma(f(polynomial(z, SIN) * z), x, x);
  const swapped = (octant & 2) !== 0;
  const sinSign = (value < 0 ? -1 : 1) * ((octant & 4) !== 0 ? -1 : 1);
  const cosSign = ((octant - 2) & 4) !== 0 ? 1 : -1;
  return { sin: sinSign * (swapped ? cosine : sine), cos: cosSign * (swapped ? sine : cosine) };
}
