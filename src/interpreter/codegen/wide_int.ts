/** @file 64-bit ints as two numbers: arithmetic beyond 2^53 without bigints. Upstream: none. Spec: none.
 *
 * Note [Wide ints]: generated code keeps an int that range analysis cannot bound in two locals, `low` and `high`. A safe integer has
 * high = 0 and low = the value. Any other has high = floor(value / 2^52), which is never -1, 0 or 1, and low = value - high * 2^52 in
 * [0, 2^52). So `high === 0` is the whole test on the fast path, equal ints have equal parts, and of two ints with different highs the one
 * with the larger high is larger. Functions give `low` and leave the other part in `W.high`. */
import type { Int } from "../../tensor/scalar.ts";

/** Where functions leave the high part of their result. */
export const W = { high: 0 };

const TWO_32 = 4294967296;
const TWO_52 = 4503599627370496;
const LOW_BITS = BigInt(TWO_52 - 1);

/** The parts of an int, or of anything in an int's place: what is no bigint is its own low part. */
export function split(value: unknown): number {
  if (typeof value === "bigint") {
    W.high = Number(value >> 52n);
    return Number(value & LOW_BITS);
  }
  W.high = 0;
  return value as number;
}

/** The int of two parts. */
export function join(low: number, high: number): Int {
  return high === 0 ? low : BigInt(high) * BigInt(TWO_52) + BigInt(low);
}

/** The nearest double. */
export function toDouble(low: number, high: number): number {
  return high * TWO_52 + low; // the product is exact: one rounding
}

/** Parts of `high * 2^52 + low`, wrapped to 64 bits, for low in [0, 2^52). */
function canonical(low: number, high: number): number {
  const wrapped = (high << 20) >> 20;
  if (wrapped >= -2 && wrapped <= 1 && !(wrapped === -2 && low === 0)) {
    W.high = 0;
    return wrapped * TWO_52 + low;
  }
  W.high = wrapped;
  return low;
}

/** a + b, wrapped to 64 bits. */
export function addWide(aLow: number, aHigh: number, bLow: number, bHigh: number): number {
  const aCarry = Math.floor(aLow / TWO_52);
  const bCarry = Math.floor(bLow / TWO_52);
  const low = aLow - aCarry * TWO_52 + (bLow - bCarry * TWO_52);
  const high = aHigh + bHigh + aCarry + bCarry;
  return low >= TWO_52 ? canonical(low - TWO_52, high + 1) : canonical(low, high);
}

/** a - b, wrapped to 64 bits. */
export function subWide(aLow: number, aHigh: number, bLow: number, bHigh: number): number {
  const aCarry = Math.floor(aLow / TWO_52);
  const bCarry = Math.floor(bLow / TWO_52);
  const low = aLow - aCarry * TWO_52 - (bLow - bCarry * TWO_52);
  const high = aHigh - bHigh + aCarry - bCarry;
  return low < 0 ? canonical(low + TWO_52, high - 1) : canonical(low, high);
}

/** The upper word of a 64-bit int; `low | 0` is the lower one. */
function upperWord(low: number, high: number): number {
  return (Math.floor(low / TWO_32) + high * 1048576) | 0;
}

/** Parts of a 64-bit int of two words. */
function fromWords(upper: number, lower: number): number {
  return canonical((upper & 0xfffff) * TWO_32 + (lower >>> 0), upper >> 20);
}

/** a * b, wrapped to 64 bits. */
export function mulWide(aLow: number, aHigh: number, bLow: number, bHigh: number): number {
  // doubles beyond 2^52 are even multiples of their unit: modulo 2^32 they stay exact
  const a = aLow >>> 0;
  const b = bLow >>> 0;
  const p0 = (a & 0xffff) * b;
  const p1 = (a >>> 16) * b;
  const p1Low = p1 % 65536;
  const sum = p0 + p1Low * 65536;
  const carry = Math.floor(sum / TWO_32) + (p1 - p1Low) / 65536;
  const cross = Math.imul(upperWord(aLow, aHigh), b) + Math.imul(a, upperWord(bLow, bHigh));
  return fromWords((carry + cross) | 0, (sum % TWO_32) | 0);
}

/** The remainder, with the sign of the divisor, of any int by a divisor of at most 31 bits that is not 0. */
export function remainderWide(low: number, high: number, divisor: number): number {
  const r = ((high * (TWO_52 % divisor)) % divisor) + (low % divisor);
  const once = r % divisor;
  return (once !== 0 && once < 0 !== divisor < 0 ? once + divisor : once) + 0;
}
