/** @file Tensors from and to JavaScript data: typed arrays, nested arrays, bytes. Upstream: torch/csrc/utils/tensor_new.cpp, tensor_list.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { contiguousData, fromData } from "../tensor/data.ts";
import { getDefaultDtype } from "../tensor/promotion.ts";
import { Complex } from "../tensor/scalar.ts";
import { numelOf } from "../tensor/strides.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import type { NestedData, TypedData } from "../tensor/tensor_api.ts";

export type { NestedData, TypedData };

function dtypeOfTyped(data: TypedData): DType {
  if (data instanceof Float32Array) return DTYPES.float32;
  if (data instanceof Float64Array) return DTYPES.float64;
  if (data instanceof Int8Array) return DTYPES.int8;
  if (data instanceof Int16Array) return DTYPES.int16;
  if (data instanceof Int32Array) return DTYPES.int32;
  if (data instanceof Uint8Array) return DTYPES.uint8;
  if (data instanceof Uint16Array) return DTYPES.uint16;
  if (data instanceof Uint32Array) return DTYPES.uint32;
  if (data instanceof BigInt64Array) return DTYPES.int64;
  if (data instanceof BigUint64Array) return DTYPES.uint64;
  throw new OperatorError(
    `Cannot make a tensor of ${Object.prototype.toString.call(data).slice(8, -1)}: expected a typed array such as Float32Array or BigInt64Array`,
  );
}

/** A tensor of little-endian bytes, copied. Throws OperatorError where the length does not fit. */
export function tensorFromBytes(bytes: Uint8Array, shape: readonly number[], dtype: DType): Tensor {
  const tensor = emptyTensor([...shape], dtype);
  const want = tensor.numel * dtype.itemsize;
  if (bytes.length !== want) {
    throw new OperatorError(
      `Cannot make a tensor of shape [${shape.join(", ")}] and dtype ${dtype.name}: found ${bytes.length} bytes, expected ${want}`,
    );
  }
  tensor.storage.bytes().set(bytes);
  return tensor;
}

/** A tensor with a copy of a typed array's elements; the dtype follows the array. */
export function tensorFromTyped(data: TypedData, shape: readonly number[] = [data.length]): Tensor {
  const numel = numelOf(shape);
  if (numel !== data.length)
    throw new OperatorError(
      `Cannot make a tensor of shape [${shape.join(", ")}]: found ${data.length} elements, expected ${numel}`,
    );
  return tensorFromBytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), shape, dtypeOfTyped(data));
}

/** What `typeof` says of a number, a boolean or a Complex. */
const ELEMENT_KINDS: ReadonlySet<string> = new Set(["number", "bigint", "boolean", "object"]);

/** A tensor of nested arrays; without a dtype: float32 if any number has a fraction, else int64; bool; complex64. */
export function tensorFromNested(data: NestedData, dtype?: DType): Tensor {
  const shape: number[] = [];
  for (let level: NestedData = data; Array.isArray(level); level = level[0] as NestedData) {
    shape.push(level.length);
    if (level.length === 0) break;
  }
  const flat: (number | bigint | boolean | Complex)[] = [];
  const walk = (value: NestedData, depth: number): void => {
    if (!Array.isArray(value)) {
      if (depth !== shape.length)
        throw new OperatorError(`expected sequence of length ${shape[depth]} at dim ${depth}`);
      if (value === null || !ELEMENT_KINDS.has(typeof value)) {
        throw new OperatorError(
          `Cannot make a tensor of ${String(value)}: expected numbers, booleans or arrays of them`,
        );
      }
      flat.push(value as number);
      return;
    }
    if (depth >= shape.length || value.length !== shape[depth]) {
      throw new OperatorError(`expected sequence of length ${shape[depth] ?? 0} at dim ${depth} (got ${value.length})`);
    }
    for (const item of value) walk(item as NestedData, depth + 1);
  };
  walk(data, 0);
  const inferred =
    dtype ??
    (flat.some((v) => v instanceof Complex)
      ? DTYPES.complex64
      : flat.length > 0 && flat.every((v) => typeof v === "boolean")
        ? DTYPES.bool
        : flat.length > 0 && flat.every((v) => typeof v === "bigint" || typeof v === "boolean" || Number.isInteger(v))
          ? DTYPES.int64
          : getDefaultDtype());
  const values =
    inferred.category === "complex"
      ? flat.flatMap((v) => (v instanceof Complex ? [v.re, v.im] : [Number(v), 0]))
      : flat.map((v) => (typeof v === "bigint" ? v : Number(v)));
  return fromData(values, shape, inferred);
}

/** The logical elements, row-major; complex ones as pairs. */
export function flatValues(tensor: Tensor): ArrayLike<number | bigint> {
  return contiguousData(tensor);
}

/** Nested arrays of numbers, booleans, bigints (int64 beyond 2^53) or Complex; a number for a zero-dim tensor. */
export function toNested(tensor: Tensor): NestedData {
  const flat = contiguousData(tensor);
  const isBool = tensor.dtype.category === "bool";
  const isComplex = tensor.dtype.category === "complex";
  let at = 0;
  const next = (): NestedData => {
    if (isComplex) {
      const re = Number(flat[2 * at]);
      const im = Number(flat[2 * at + 1]);
      at++;
      return new Complex(re, im);
    }
    const value = flat[at++]!;
    return isBool ? value !== 0 : value;
  };
  const build = (dim: number): NestedData => {
    if (dim === tensor.sizes.length) return next();
    const size = tensor.sizes[dim]!;
    const items: NestedData[] = [];
    for (let i = 0; i < size; i++) items.push(build(dim + 1));
    return items;
  };
  return build(0);
}
