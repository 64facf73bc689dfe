/** @file Constants of the functions that are computed in double precision. Upstream: none. Spec: none. See Note [Wide functions]. */

/** A double of these 64 bits, for masks and for sums of bits; it must be a number. */
const bits = (high: number, low: number): number => new Float64Array(Uint32Array.of(low, high).buffer)[0]!;

/** pi in two parts: products of the high one, of 33 bits, with whole numbers up to 2^20 are exact. */
const HIGH_PI = 3.1415926534682512;
const LOW_PI = 1.2154201013012384e-10;
const HIGH_LN2 = bits(0x3fe62e42, 0xfee00000);
const LOW_LN2 = 1.9082149292705877e-10;
/** Bits of the root of 1/2 are D less than those of one. */
const D_HIGH = 0x00095f61;
const D_LOW = 0x9980c433;

const CONSTANTS = {
  one: 1,
  two: 2,
  oneHalf: 0.5,
  /** Adding it leaves the nearest whole number in the low bits. */
  magic: 1.5 * 2 ** 52,
  log2e: Math.LOG2E,
  log10e: Math.LOG10E,
  ln2: Math.LN2,
  minusLn2: -Math.LN2,
  lowest: -200,
  highest: 200,
  oneOverRoot: bits(D_HIGH, D_LOW),
  rootHalf: bits(0x3fe6a09e, 0x667f3bcd),
  fraction: bits(0x000fffff, 0xffffffff),
  whole: 2 ** 52,
  wholeAndBias: 2 ** 52 + 1023,
  infinity: Infinity,
  minusInfinity: -Infinity,
  none: NaN,
  minusZero: -0,
  huge: 2 ** 1000,
  tiny: 2 ** -1000,
  rootLessOne: Math.SQRT2 - 1,
  eighth: Math.PI / 4,
  quarter: Math.PI / 2,
  half: Math.PI,
  perPi: 1 / Math.PI,
  perQuarter: 2 / Math.PI,
  highPi: HIGH_PI,
  lowPi: LOW_PI,
  highQuarter: HIGH_PI / 2,
  lowQuarter: LOW_PI / 2,
  mostDirect: 2 ** 17,
  /** Beyond these doubles have no exponentials but nothing and infinity. */
  lowestDouble: -746,
  highestDouble: 710,
  /** ln 2 in two parts: products of the high one, of 33 bits, with whole numbers up to 2^20 are exact. */
  highLn2: HIGH_LN2,
  lowLn2: LOW_LN2,
} as const;
/** Name of a constant. */
export type WideConstant = keyof typeof CONSTANTS;
const NAMES = Object.keys(CONSTANTS) as WideConstant[];

/** Coefficients from the lowest, fitted by Chebyshev's points. */
export const POLYNOMIALS = {
  /** (e^r - 1 - r) / r^2 for r up to half of ln 2. */
  exp: [
    0.5, 0.166666667193124809, 0.041666666719295685, 0.00833329834402309204, 0.0013888853909945039,
    0.000198993901836792308, 0.0000248596943947520718,
  ],
  /** The same to 2^-59, for results that stay doubles. */
  expLong: [
    0.5, 0.16666666666666671, 0.0416666666666666698, 0.00833333333332613513, 0.00138888888888837483,
    0.000198412698748206253, 0.0000248015873255477412, 2.75572554002064244e-6, 2.75572736431102953e-7,
    2.51052170047207452e-8, 2.09146869680868772e-9,
  ],
  /** (log((1 + s) / (1 - s)) - 2 s) / s^3 of s^2, for what lies between the root of 1/2 and that of 2. */
  log: [0.666666666673786857, 0.399999987924416886, 0.285717555350329424, 0.221913374280657837, 0.193638849866331992],
  /** (sin(r) / r - 1) / r^2 of r^2, up to half of pi; the short one up to a quarter. */
  sin: [
    -0.16666666666658418, 0.00833333333092844156, -0.000198412687045505448, 2.75571225905657945e-6,
    -2.50367146121850125e-8, 1.55019619229123697e-10,
  ],
  sinShort: [
    -0.16666666666663872, 0.00833333333107020959, -0.000198412669082247961, 2.75559882800214152e-6,
    -2.48053909457660663e-8,
  ],
  /** (cos(r) - 1) / r^2 of r^2, up to a quarter of pi. */
  cosShort: [
    -0.499999999999637107, 0.0416666666372790616, -0.00138888850800259908, 0.0000247998587507488577,
    -2.7236822001886195e-7,
  ],
  /** (asin(s) / s - 1) / s^2 of s^2, up to 1/2. */
  asin: [
    0.166666666654940252, 0.075000005993110692, 0.0446423581338378822, 0.0303976435788989056, 0.0221323239325274473,
    0.0193070318240783083, 0.00544074212409707513, 0.0293082606105126874,
  ],
  /** (atan(q) / q - 1) / q^2 of q^2, up to the root of two less one. */
  atan: [
    -0.333333333314283565, 0.199999989112964118, -0.14285612049555614, 0.111074822988596848, -0.0902882401557621276,
    0.0713442020121825746, -0.0404131402647063798,
  ],
} as const satisfies Record<string, readonly number[]>;
/** Name of a polynomial. */
export type WidePolynomial = keyof typeof POLYNOMIALS;
const POLYNOMIAL_NAMES = Object.keys(POLYNOMIALS) as WidePolynomial[];

/** Byte offset of a constant in the table. */
export const constantOffset = (name: WideConstant): number => 8 * NAMES.indexOf(name);
/** Byte offset of a coefficient. */
export function coefficientOffset(name: WidePolynomial, index: number): number {
  let at = NAMES.length + index;
  for (const before of POLYNOMIAL_NAMES) {
    if (before === name) break;
    at += POLYNOMIALS[before].length;
  }
  return 8 * at;
}

/** Byte offset of the digits of 1 / pi, for exponents of float32 from that of `mostDirect` on. */
export const DIGITS_BYTES: number =
  8 * (NAMES.length + POLYNOMIAL_NAMES.reduce((sum, name) => sum + POLYNOMIALS[name].length, 0));
export const FIRST_FAR_EXPONENT = 127 + 17;
/** Parts of the digits: two of 28 bits and a double. */
export const DIGIT_PARTS = 3;
const PART_BITS = 28;
/** 2^256 / pi. */
const PER_PI = 0x517cc1b727220a94fe13abe8fa9a6ee06db14acc9e21c820ff28b1d5ef5de2b0n;

/** The table of constants, coefficients and digits. */
export function wideTable(): Float64Array {
  const values: number[] = NAMES.map((name) => CONSTANTS[name]);
  for (const name of POLYNOMIAL_NAMES) values.push(...POLYNOMIALS[name]);
  for (let exponent = FIRST_FAR_EXPONENT; exponent <= 255; exponent++) {
    // an element of this exponent is a multiple of 2^(exponent - 150): times digits of that many places more it is an even number
    let weight = 150 - exponent;
    let rest = PER_PI & ((1n << BigInt(257 + weight)) - 1n);
    for (let part = 0; part < DIGIT_PARTS - 1; part++) {
      weight -= PART_BITS;
      const places = BigInt(257 + weight);
      values.push(Number(rest >> places) * 2 ** (weight + 1));
      rest &= (1n << places) - 1n;
    }
    values.push(Number(rest) * 2 ** -256);
  }
  return Float64Array.from(values);
}
