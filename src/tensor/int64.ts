/** @file 64-bit integers as pairs of 32-bit words: fast as numbers while safe, exact as bigints. Upstream: none. Spec: none.
 *
 * Note [Safe int64]: kernels read int64 elements as numbers from the two 32-bit words, which is exact up to 2^53. A run of
 * elements reports when it met a value beyond; the kernel then starts over with bigints, which wrap at 64 bits. */
import { normalizeInt, type Int } from "./scalar.ts";

const TWO_32 = 4294967296;

/** The int64 at element `index` as a number; rounded beyond 2^53. */
export function readInt64(i32: Int32Array, index: number): number {
  return i32[2 * index + 1]! * TWO_32 + (i32[2 * index]! >>> 0);
}

/** The uint64 at element `index` as a number; rounded beyond 2^53. */
export function readUint64(u32: Uint32Array, index: number): number {
  return u32[2 * index + 1]! * TWO_32 + u32[2 * index]!;
}

/** Writes an integral number within the int64 or uint64 range. */
export function writeInt64(i32: Int32Array | Uint32Array, index: number, value: number): void {
  const high = Math.floor(value / TWO_32);
  i32[2 * index] = value - high * TWO_32;
  i32[2 * index + 1] = high;
}

/** A float made an int64 as x86 does it: truncated; NaN and values out of range give -2^63. */
export function truncateToInt64(value: number): number {
  const whole = Math.trunc(value);
  return whole >= -9223372036854775808 && whole < 9223372036854775808 ? whole : -9223372036854775808;
}

/** An int of the script language from an int64 element. */
export function intFromInt64(i32: Int32Array, index: number): Int {
  const value = readInt64(i32, index);
  if (Number.isSafeInteger(value)) return value;
  return normalizeInt((BigInt(i32[2 * index + 1]!) << 32n) | BigInt(i32[2 * index]! >>> 0));
}
