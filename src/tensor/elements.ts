/** @file Single elements: reading and writing one element of any dtype, by storage index or logical index. Upstream: none. Spec: none. */
import type { DType } from "./dtype.ts";
import { bfloat16ToFloat, float8Table, floatToBfloat16, floatToFloat8, floatToHalf, halfToFloat } from "./half.ts";
import { intFromInt64, readUint64, truncateToInt64, writeInt64 } from "./int64.ts";
import { Complex, Float, type Int, type Scalar } from "./scalar.ts";
import type { Segment } from "./storage.ts";
import type { Tensor } from "./tensor.ts";

/** An element as a JavaScript value: bool as 0 or 1, int64 beyond 2^53 as a bigint. */
export type Element = Int | Complex;

/** Reads the element at an absolute index of the segment, in units of the dtype. Conj and neg bits are not applied. */
export function readElement(dtype: DType, seg: Segment, index: number): Element {
  switch (dtype.id) {
    case 4:
      return intFromInt64(seg.i32, index);
    case 29: {
      const value = readUint64(seg.u32, index);
      return Number.isSafeInteger(value) ? value : BigInt.asUintN(64, seg.i64[index]!);
    }
    case 5:
      return halfToFloat(seg.u16[index]!);
    case 15:
      return bfloat16ToFloat(seg.u16[index]!);
    case 8:
      return new Complex(halfToFloat(seg.u16[2 * index]!), halfToFloat(seg.u16[2 * index + 1]!));
    case 9:
      return new Complex(seg.f32[2 * index]!, seg.f32[2 * index + 1]!);
    case 10:
      return new Complex(seg.f64[2 * index]!, seg.f64[2 * index + 1]!);
    case 11:
      return seg.u8[index] !== 0 ? 1 : 0;
    case 23:
    case 24:
    case 25:
    case 26:
      return float8Table(dtype)[seg.u8[index]!]!;
    default:
      return seg[dtype.array][index]!;
  }
}

/** Writes a value with PyTorch's conversion: wrap-around for ints, truncation of floats, nearest even. */
export function writeElement(dtype: DType, seg: Segment, index: number, value: Scalar): void {
  if (dtype.category === "complex") {
    const re = value instanceof Complex ? value.re : toNumber(value);
    const im = value instanceof Complex ? value.im : 0;
    if (dtype.id === 9) {
      seg.f32[2 * index] = re;
      seg.f32[2 * index + 1] = im;
    } else if (dtype.id === 10) {
      seg.f64[2 * index] = re;
      seg.f64[2 * index + 1] = im;
    } else {
      seg.u16[2 * index] = floatToHalf(re);
      seg.u16[2 * index + 1] = floatToHalf(im);
    }
    return;
  }
  if (dtype.id === 11) {
    seg.u8[index] = value instanceof Complex ? Number(value.re !== 0 || value.im !== 0) : Number(toNumber(value) !== 0);
    return;
  }
  if (typeof value === "bigint" && dtype.category === "int") {
    if (dtype.itemsize === 8) seg.i64[index] = value;
    else seg[dtype.array][index] = Number(BigInt.asIntN(32, value));
    return;
  }
  const x = toNumber(value);
  switch (dtype.id) {
    case 4:
      writeInt64(seg.i32, index, truncateToInt64(x));
      return;
    case 29:
      writeInt64(seg.u32, index, Math.trunc(x) || 0);
      return;
    case 5:
      seg.u16[index] = floatToHalf(x);
      return;
    case 15:
      seg.u16[index] = floatToBfloat16(x);
      return;
    case 23:
    case 24:
    case 25:
    case 26:
      seg.u8[index] = floatToFloat8(x, dtype);
      return;
    default:
      seg[dtype.array][index] = x;
  }
}

function toNumber(value: Scalar): number {
  if (typeof value === "number") return value;
  if (value instanceof Float) return value.value;
  return value instanceof Complex ? value.re : Number(value);
}

/** A reader of `t`'s elements by absolute element index; applies conj and neg bits. */
export function elementReader(t: Tensor): (index: number) => Element {
  const { dtype } = t;
  const seg = t.storage.segment;
  if (!t.isConj && !t.isNeg) return (index) => readElement(dtype, seg, index);
  return (index) => {
    const value = readElement(dtype, seg, index);
    if (!(value instanceof Complex)) return -value;
    const re = t.isNeg ? -value.re : value.re;
    const im = t.isNeg !== t.isConj ? -value.im : value.im;
    return new Complex(re, im);
  };
}

/** A writer of `t`'s elements by absolute element index. */
export function elementWriter(t: Tensor): (index: number, value: Scalar) => void {
  const { dtype } = t;
  const seg = t.storage.segment;
  return (index, value) => writeElement(dtype, seg, index, value);
}

/** Absolute index of the logical (row-major) element `linear`. */
export function elementIndex(t: Tensor, linear: number): number {
  let index = t.base0;
  let rest = linear;
  for (let d = t.sizes.length - 1; d >= 0; d--) {
    const size = t.sizes[d]!;
    index += (rest % size) * t.strides[d]!;
    rest = Math.floor(rest / size);
  }
  return index;
}

/** The logical (row-major) element `linear`. */
export function getElement(t: Tensor, linear: number): Element {
  return elementReader(t)(elementIndex(t, linear));
}

/** Writes the logical (row-major) element `linear`. */
export function setElement(t: Tensor, linear: number, value: Scalar): void {
  elementWriter(t)(elementIndex(t, linear), value);
}
