/** @file Logarithms, powers, sine and cosine for results that are rounded to float32: about 2^-40 exact, several times faster than Math's. Upstream: none. Spec: none.
 *
 * Note [Logarithms by table]: x = 2^e * m with m in [1, 2), and m times a number from a table lies within 1/64 of one: the rest is a polynomial of
 * that difference. Around one, where the parts would cancel, a longer polynomial of x - 1 does it alone. */
import { floatExp } from "./float_exp.ts";

const STEPS = 32;
const INVERSES = Float64Array.from({ length: STEPS }, (_, j) => 1 / (1 + (j + 0.5) / STEPS));
const LOGS = INVERSES.map((x) => -Math.log(x));
/** 2^-e from e = -1023 on. */
const DOWN = Float64Array.from({ length: 2048 }, (_, e) => 2 ** (1023 - e));
const value = new Float64Array(1);
/** Its halves, the low one first; they are only read: what is read whole after half of it was written waits for the cache. */
const words = new Int32Array(value.buffer);
const NEAR = 0.03;

/** log(1 + d) for small d. */
function logNear(d: number): number {
  const high = 1 / 5 + d * (-1 / 6 + d * (1 / 7 + d * (-1 / 8 + d * (1 / 9))));
  return d * (1 + d * (-1 / 2 + d * (1 / 3 + d * (-1 / 4 + d * high))));
}

/** log(x). */
export function floatLog(x: number): number {
  const d = x - 1;
  if (d < NEAR && d > -NEAR) return logNear(d);
  if (!(x > 2.3e-308 && x < Infinity)) return Math.log(x);
  value[0] = x;
  const high = words[1]!;
  const e = high >> 20;
  const j = (high >> 15) & (STEPS - 1);
  const r = x * DOWN[e]! * INVERSES[j]! - 1;
  return (e - 1023) * Math.LN2 + (LOGS[j]! + logPart(r));
}

/** log(1 + r) for |r| up to 1/64. */
function logPart(r: number): number {
  const s = r * r; // three steps after each other instead of seven
  return r + s * (-1 / 2 + r * (1 / 3) + s * (-1 / 4 + r * (1 / 5) + s * (-1 / 6 + r * (1 / 7))));
}

/** log(1 + x). */
export function floatLog1p(x: number): number {
  return x < NEAR && x > -NEAR ? logNear(x) : floatLog(1 + x);
}

const UNIT_INVERSES = Float64Array.from({ length: STEPS + 1 }, (_, j) => 1 / (1 + j / STEPS));
const UNIT_LOGS = UNIT_INVERSES.map((x) => -Math.log(x));

/** log(1 + exp(x)) without overflow. */
export function floatSoftplus(x: number): number {
  const y = floatExp(-Math.abs(x));
  const j = (y * STEPS + 0.5) | 0;
  return (x > 0 ? x : 0) + (UNIT_LOGS[j]! + logPart((y - j * (1 / STEPS)) * UNIT_INVERSES[j]!));
}

/** exp(x) - 1. */
export function floatExpm1(x: number): number {
  if (!(x < 0.06 && x > -0.06)) return floatExp(x) - 1;
  return x * (1 + x * (1 / 2 + x * (1 / 6 + x * (1 / 24 + x * (1 / 120 + x * (1 / 720 + x * (1 / 5040)))))));
}

const PER_QUARTER = 2 / Math.PI;
/** A quarter turn in two parts: products of the high one, of 33 bits, with numbers of quarters are exact. */
const QUARTER_HIGH = 1.5707963267341256;
const QUARTER_LOW = 6.077100506506192e-11;
/** Adding and subtracting it rounds to an integer. */
const ROUND = 6755399441055744;
/** Beyond it a quarter turn has too few digits. */
const MOST = 1e5;

/** Factors of r^2, r^4, ... in a sine divided by r, then in a cosine; behind them what the sum is multiplied by: a constant, times r. */
const SERIES = Float64Array.of(
  -1 / 6,
  1 / 120,
  -1 / 5040,
  1 / 362880,
  -1 / 39916800,
  1 / 6227020800,
  -0,
  1,
  -1 / 2,
  1 / 24,
  -1 / 720,
  1 / 40320,
  -1 / 3628800,
  1 / 479001600,
  1,
  0,
);
const SIGNS = Float64Array.of(1, 1, -1, -1);

/** The sine of x, `quarters` turned on. Without branches: which quarter it is, nobody guesses. */
function turned(x: number, quarters: number): number {
  const k = x * PER_QUARTER + ROUND - ROUND;
  const r = x - k * QUARTER_HIGH - k * QUARTER_LOW;
  const quarter = (k | 0) + quarters;
  const c = (quarter & 1) << 3;
  const s = r * r;
  const s2 = s * s;
  const high = SERIES[c + 2]! + s * SERIES[c + 3]! + s2 * (SERIES[c + 4]! + s * SERIES[c + 5]!);
  const sum = SERIES[c]! + s * SERIES[c + 1]! + s2 * high;
  const factor = SIGNS[quarter & 3]! * (SERIES[c + 6]! + r * SERIES[c + 7]!);
  return factor * (1 + s * sum);
}

/** sin(x). */
export function floatSin(x: number): number {
  return x < MOST && x > -MOST ? turned(x, 0) : Math.sin(x);
}

/** cos(x). */
export function floatCos(x: number): number {
  return x < MOST && x > -MOST ? turned(x, 1) : Math.cos(x);
}
