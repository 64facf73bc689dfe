/** @file Whole tensors to and from natural typed arrays. Upstream: none. Spec: none. */
import { DTYPES, type DType } from "./dtype.ts";
import { readElement, writeElement } from "./elements.ts";
import { rowMajorCursor, elementOffsets } from "./iterate.ts";
import type { Scalar } from "./scalar.ts";
import { emptyTensor, type Tensor } from "./tensor.ts";

/** What `contiguousData` gives. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/**
 * The logical elements, row-major. float32, float64 and small ints: their typed array, without a copy when contiguous
 * (do not write to it, do not keep it across an allocation). half, bfloat16, float8: Float32Array. int64: Float64Array
 * when every value is safe, else BigInt64Array. Complex: pairs (re, im). Conj and neg bits are applied.
 */
export function contiguousData(t: Tensor): TensorData {
  const { dtype, numel } = t;
  const seg = t.storage.segment;
  const plain = !t.isConj && !t.isNeg && t.isContiguous();
  if (dtype.category === "complex") {
    if (plain && dtype.id !== 8) {
      const array = dtype.id === 9 ? seg.f32 : seg.f64;
      return array.subarray(2 * t.base0, 2 * (t.base0 + numel));
    }
    const re = new Float64Array(numel);
    const im = new Float64Array(numel);
    rowMajorCursor(t).loadComplex(re, im, numel);
    const out = dtype.id === 10 ? new Float64Array(2 * numel) : new Float32Array(2 * numel);
    for (let i = 0; i < numel; i++) {
      out[2 * i] = re[i]!;
      out[2 * i + 1] = im[i]!;
    }
    return out;
  }
  if (dtype.id === 4 || dtype.id === 29) {
    const out = new Float64Array(numel);
    if (rowMajorCursor(t).load(out, numel)) return out;
    const offsets = elementOffsets(t);
    const big = dtype.id === 4 ? new BigInt64Array(numel) : new BigUint64Array(numel);
    for (let i = 0; i < numel; i++) big[i] = seg.i64[offsets[i]!]!;
    return big;
  }
  const isReduced = dtype.category === "float" && dtype.itemsize < 4;
  if (isReduced) {
    const wide = new Float64Array(numel);
    rowMajorCursor(t).load(wide, numel);
    return Float32Array.from(wide);
  }
  const array = seg[dtype.array];
  if (plain) return array.subarray(t.base0, t.base0 + numel);
  if (t.isContiguous()) {
    const out = array.slice(t.base0, t.base0 + numel);
    if (t.isNeg) for (let i = 0; i < numel; i++) out[i] = -out[i]!;
    return out;
  }
  const out = new (array.constructor as new (n: number) => Exclude<TensorData, BigInt64Array | BigUint64Array>)(numel);
  const wide = new Float64Array(numel);
  rowMajorCursor(t).load(wide, numel);
  for (let i = 0; i < numel; i++) out[i] = wide[i]!;
  return out;
}

/** The logical elements as float64: what kernels that compute in double start from. int64 beyond 2^53 is rounded. */
export function toFloat64Array(t: Tensor): Float64Array {
  const out = new Float64Array(t.numel);
  rowMajorCursor(t).load(out, t.numel);
  return out;
}

/** The logical elements of a complex (or real) tensor as real and imaginary parts. */
export function toComplexArrays(t: Tensor): { re: Float64Array; im: Float64Array } {
  const re = new Float64Array(t.numel);
  const im = new Float64Array(t.numel);
  rowMajorCursor(t).loadComplex(re, im, t.numel);
  return { re, im };
}

/** The logical elements of an int64 (or other integral) tensor as plain numbers, e.g. indices. */
export function toNumbers(t: Tensor): number[] {
  return Array.from(toFloat64Array(t));
}

/**
 * A new contiguous tensor of `values` (row-major; complex: pairs re, im). Rounds to nearest even, truncates floats to ints,
 * wraps ints around, and makes bools of what is not zero.
 */
export function fromData(
  values: ArrayLike<number> | ArrayLike<bigint> | ArrayLike<number | bigint | boolean>,
  sizes: readonly number[],
  dtype: DType = DTYPES.float32,
): Tensor {
  const t = emptyTensor(sizes, dtype);
  const seg = t.storage.segment;
  const { base0, numel } = t;
  if (dtype.category === "complex") {
    const re = new Float64Array(numel);
    const im = new Float64Array(numel);
    for (let i = 0; i < numel; i++) {
      re[i] = Number(values[2 * i]!);
      im[i] = Number(values[2 * i + 1]!);
    }
    rowMajorCursor(t).storeComplex(re, im, numel);
    return t;
  }
  if (dtype.id === 6 && (values instanceof Float32Array || values instanceof Float64Array)) {
    seg.f32.set(values, base0);
    return t;
  }
  for (let i = 0; i < numel; i++) writeElement(dtype, seg, base0 + i, values[i] as Scalar);
  return t;
}

/** A new contiguous tensor from float64 values, rounded to `dtype`. */
export function fromFloat64Array(values: Float64Array, sizes: readonly number[], dtype: DType): Tensor {
  const t = emptyTensor(sizes, dtype);
  rowMajorCursor(t).store(values.slice(), t.numel, true);
  return t;
}

/** A new contiguous complex tensor from its parts. */
export function fromComplexArrays(re: Float64Array, im: Float64Array, sizes: readonly number[], dtype: DType): Tensor {
  const t = emptyTensor(sizes, dtype);
  rowMajorCursor(t).storeComplex(re, im, t.numel);
  return t;
}

/** A 0-dim tensor of one value. */
export function scalarTensor(value: Scalar, dtype: DType): Tensor {
  const t = emptyTensor([], dtype);
  writeElement(dtype, t.storage.segment, t.base0, value);
  return t;
}

/** The only element of a one-element tensor. */
export function onlyElement(t: Tensor): ReturnType<typeof readElement> {
  return readElement(t.dtype, t.storage.segment, t.base0);
}
