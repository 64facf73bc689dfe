/** @file How kernels reach elements: contiguous typed arrays of a tensor, and tensors made of values. Upstream: none. Spec: none. */
import { contiguousAs, convertTensor } from "../clone.ts";
import { DTYPES, type DType } from "../dtype.ts";
import { rowMajorCursor } from "../iterate.ts";
import { BLOCK, storeRun } from "../runs.ts";
import { Complex, scalarToNumber, type Scalar } from "../scalar.ts";
import { CPU, emptyTensor, META, uninitializedTensor, type Tensor } from "../tensor.ts";

/** Elements of a float32 or float64 tensor. */
export type Floats = Float32Array | Float64Array;

/** The dtype in which a float kernel computes: float32 for half types, else the dtype itself. */
export function computeDtype(dtype: DType): DType {
  if (dtype === DTYPES.float16 || dtype === DTYPES.bfloat16) return DTYPES.float32;
  if (dtype === DTYPES.complex32) return DTYPES.complex64;
  return dtype;
}

/** The typed array over a contiguous float32, float64, complex64 or complex128 tensor (complex: pairs). */
export function floatsOf(t: Tensor): Floats {
  const isComplex = t.dtype.category === "complex";
  const count = isComplex ? 2 * t.numel : t.numel;
  const base = isComplex ? 2 * t.base0 : t.base0;
  return t.dtype.array === "f64"
    ? t.storage.segment.f64.subarray(base, base + count)
    : t.storage.segment.f32.subarray(base, base + count);
}

/** `floatsOf` after conversion to `dtype` (a copy only where one is needed: do not write). */
export function floatsAs(t: Tensor, dtype: DType): Floats {
  return floatsOf(contiguousAs(t, dtype));
}

/** Any real tensor as doubles, in logical order (do not write). */
export function doublesOf(t: Tensor): Float64Array {
  return floatsAs(t, DTYPES.float64) as Float64Array;
}

/** Any integer tensor as 64-bit integers, in logical order (do not write). */
export function bigintsOf(t: Tensor): BigInt64Array {
  const wide = contiguousAs(t, DTYPES.int64);
  return wide.storage.segment.i64.subarray(wide.base0, wide.base0 + wide.numel);
}

/** Any integer tensor as plain numbers, in logical order. */
export function indicesOf(t: Tensor): Float64Array {
  const out = new Float64Array(t.numel);
  if (t.dtype === DTYPES.int64 && t.isContiguous()) {
    const words = t.storage.segment.i32;
    const low = t.storage.segment.u32;
    let at = t.base0 * 2;
    for (let i = 0; i < out.length; i++, at += 2) out[i] = words[at + 1]! * 4294967296 + low[at]!;
    return out;
  }
  rowMajorCursor(t).load(out, out.length);
  return out;
}

/** Any bool or integer tensor as bytes that are 0 or not (do not write). */
export function maskOf(t: Tensor): Uint8Array {
  const mask = contiguousAs(t, DTYPES.bool);
  return mask.storage.segment.u8.subarray(mask.base0, mask.base0 + mask.numel);
}

/** A contiguous tensor of `dtype` from doubles. */
export function fromDoubles(
  values: ArrayLike<number>,
  sizes: readonly number[],
  dtype: DType = DTYPES.float64,
): Tensor {
  if (dtype === DTYPES.int64) return fromIndices(values, sizes);
  const direct = dtype === DTYPES.float32 || dtype === DTYPES.float64;
  const out = emptyTensor(sizes, direct ? dtype : DTYPES.float64);
  floatsOf(out).set(values);
  return direct ? out : convertTensor(out, dtype);
}

const isWord = (x: number): boolean => (x | 0) === x;

/** `count` numbers from `start` on, `step` apart. */
export function fromProgression(count: number, start: number, step: number, dtype: DType): Tensor {
  const out = uninitializedTensor([count], dtype);
  if (dtype === DTYPES.int64 && isWord(start) && isWord(step) && isWord(start + step * count)) {
    const words = out.storage.segment.i32;
    for (let i = 0, at = out.base0 * 2, value = start | 0; i < count; i++, value = (value + step) | 0) {
      words[at++] = value;
      words[at++] = value >> 31;
    }
    return out;
  }
  const some = new Float64Array(Math.min(count, BLOCK));
  for (let first = 0; first < count; first += BLOCK) {
    const n = Math.min(BLOCK, count - first);
    for (let i = 0; i < n; i++) some[i] = start + step * (first + i);
    storeRun(dtype, out.storage.segment, out.base0 + first, 1, n, some, 0, dtype !== DTYPES.int64);
  }
  return out;
}

/** An int64 tensor from integers below 2^53. */
export function fromIndices(values: ArrayLike<number>, sizes: readonly number[]): Tensor {
  const out = emptyTensor(sizes, DTYPES.int64);
  const words = out.storage.segment.i32;
  let at = out.base0 * 2;
  for (let i = 0; i < values.length; i++, at += 2) {
    const v = values[i]!;
    if (v <= 2147483647 && v >= -2147483648) {
      words[at] = v;
      words[at + 1] = v >> 31;
    } else {
      const high = Math.floor(v / 4294967296);
      words[at] = v - high * 4294967296;
      words[at + 1] = high;
    }
  }
  return out;
}

/** An int64 tensor from 64-bit integers. */
export function fromBigints(values: ArrayLike<bigint>, sizes: readonly number[], dtype: DType = DTYPES.int64): Tensor {
  const out = emptyTensor(sizes, DTYPES.int64);
  out.storage.segment.i64.set(values, out.base0);
  return convertTensor(out, dtype);
}

/** A bool tensor from truth values. */
export function fromMask(values: ArrayLike<number>, sizes: readonly number[]): Tensor {
  const out = emptyTensor(sizes, DTYPES.bool);
  out.storage.segment.u8.set(values, out.base0);
  return out;
}

/** A 0-dim tensor of a dynamic scalar, exactly, in the widest dtype of its kind (int64, float64, complex128, bool). */
export function wideScalar(value: Scalar): Tensor {
  if (value instanceof Complex) {
    const out = emptyTensor([], DTYPES.complex128);
    const at = 2 * out.base0;
    out.storage.segment.f64[at] = value.re;
    out.storage.segment.f64[at + 1] = value.im;
    return out;
  }
  if (typeof value === "bigint") return fromBigints([BigInt.asIntN(64, value)], []);
  if (typeof value === "boolean") return fromMask([value ? 1 : 0], []);
  if (typeof value === "number" && Number.isSafeInteger(value) && !Object.is(value, -0))
    return fromIndices([value], []);
  return fromDoubles([scalarToNumber(value)], []);
}

/** Whether the tensor has data to compute with. */
export function isOnCpu(t: Tensor): boolean {
  return t.device === CPU || t.device.type !== META.type;
}
