/** @file Conversions between dtypes of elements that lie side by side, without a stop in scratch memory. Upstream: c10/util/TypeCast.h. Spec: none. */
import { DTYPES } from "../dtype.ts";
import { truncateToInt64, writeInt64 } from "../int64.ts";
import type { Tensor } from "../tensor.ts";
import type { Floats } from "./data.ts";

/** Converts the elements of `src` in the order in which both tensors have them in memory. Returns false where another loop is to run. */
export function convertElements(dst: Tensor, src: Tensor): boolean {
  const { float32, float64, int32, int64, bool } = DTYPES;
  const isFloat = (t: Tensor): boolean => t.dtype === float32 || t.dtype === float64;
  const floats = (t: Tensor): Floats => (t.dtype === float32 ? t.storage.segment.f32 : t.storage.segment.f64);
  const [to, at] = [dst.storage.segment, dst.base0];
  const [from, start, n] = [src.storage.segment, src.base0, src.numel];
  if (isFloat(src)) {
    if (isFloat(dst)) floats(dst).set(floats(src).subarray(start, start + n), at);
    else if (dst.dtype === int64) floatsToInt64(to.i32, at, floats(src), start, n);
    else if (dst.dtype === int32) floatsToInt32(to.i32, at, floats(src), start, n);
    else return false;
    return true;
  }
  if (!isFloat(dst)) return false;
  if (src.dtype === int64) int64ToFloats(floats(dst), at, from.i32, from.u32, start, n);
  else if (src.dtype === bool) boolsToFloats(floats(dst), at, from.u8, start, n);
  else if (src.dtype.category === "int" && src.dtype.itemsize < 8)
    floats(dst).set(from[src.dtype.array].subarray(start, start + n), at);
  else return false;
  return true;
}

function floatsToInt64(to: Int32Array, at: number, from: Floats, start: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const value = from[start + i]!;
    if (value > -2147483649 && value < 2147483648) {
      to[2 * (at + i)] = value | 0;
      to[2 * (at + i) + 1] = (value | 0) >> 31;
    } else writeInt64(to, at + i, truncateToInt64(value));
  }
}

function floatsToInt32(to: Int32Array, at: number, from: Floats, start: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const value = from[start + i]!;
    // as x86 does it
    to[at + i] = value > -2147483649 && value < 2147483648 ? value | 0 : -2147483648;
  }
}

function int64ToFloats(to: Floats, at: number, high: Int32Array, low: Uint32Array, start: number, n: number): void {
  if (to instanceof Float64Array)
    for (let i = 0, p = 2 * start; i < n; i++, p += 2) to[at + i] = high[p + 1]! * 4294967296 + low[p]!;
  else for (let i = 0, p = 2 * start; i < n; i++, p += 2) to[at + i] = int64ToDouble(high[p + 1]!, low[p]!);
}

/** A double that rounds to the float32 that the int64 itself rounds to: bits that a double has no room for become one that says that there were any. */
function int64ToDouble(high: number, low: number): number {
  const isSafe = high < 1 << 21 && high >= -(1 << 21);
  return high * 4294967296 + (isSafe || (low & 0xfff) === 0 ? low : ((low & ~0xfff) | 0x800) >>> 0);
}

function boolsToFloats(to: Floats, at: number, from: Uint8Array, start: number, n: number): void {
  for (let i = 0; i < n; i++) to[at + i] = from[start + i]! !== 0 ? 1 : 0;
}
