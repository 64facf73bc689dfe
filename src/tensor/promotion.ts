/** @file Type promotion: promoteTypes, resultType, canCast, the default dtype. Upstream: c10/core/ScalarType.cpp, aten/src/ATen/native/TypeProperties.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { DTYPES, type DType } from "./dtype.ts";
import { Complex, isFloatScalar, type Scalar } from "./scalar.ts";
import { Tensor } from "./tensor.ts";

let defaultFloat: DType = DTYPES.float32;

/** The dtype of float literals and of float results of integer inputs. */
export function getDefaultDtype(): DType {
  return defaultFloat;
}

/** torch.set_default_dtype: a floating-point dtype. */
export function setDefaultDtype(dtype: DType): void {
  if (dtype.category !== "float") {
    throw new OperatorError(`only floating-point types are supported as the default type`);
  }
  defaultFloat = dtype;
}

/** The complex dtype whose parts have the float dtype. */
export function toComplexDtype(dtype: DType): DType {
  if (dtype.category === "complex") return dtype;
  if (dtype === DTYPES.float64) return DTYPES.complex128;
  if (dtype === DTYPES.float16) return DTYPES.complex32;
  return DTYPES.complex64;
}

/** The dtype of the real and imaginary parts of a complex dtype; other dtypes are their own. */
export function toRealDtype(dtype: DType): DType {
  if (dtype === DTYPES.complex128) return DTYPES.float64;
  if (dtype === DTYPES.complex64) return DTYPES.float32;
  if (dtype === DTYPES.complex32) return DTYPES.float16;
  return dtype;
}

function isBareUnsigned(dtype: DType): boolean {
  return dtype.id >= 27 && dtype.id <= 29;
}

function isFloat8(dtype: DType): boolean {
  return dtype.category === "float" && dtype.itemsize === 1;
}

/** The smallest dtype that both convert to, by PyTorch's table. */
export function promoteTypes(a: DType, b: DType): DType {
  if (a === b) return a;
  if (isFloat8(a) || isFloat8(b)) {
    throw new OperatorError(
      `Promotion for Float8 Types is not supported, attempted to promote ${a.cppName} and ${b.cppName}`,
    );
  }
  if (a.category === "quantized" || b.category === "quantized" || a.category === "bits" || b.category === "bits") {
    throw new OperatorError(
      `promoteTypes with quantized numbers is not handled yet; figure out what the correct rules should be, offending types: ${a.cppName} ${b.cppName}`,
    );
  }
  if (isBareUnsigned(a) || isBareUnsigned(b)) {
    if (a.category === "float") return a;
    if (b.category === "float") return b;
    throw new OperatorError(
      `Promotion for uint16, uint32, uint64 types is not supported, attempted to promote ${a.cppName} and ${b.cppName}`,
    );
  }
  if (a.category === "bool") return b;
  if (b.category === "bool") return a;
  if (a.category === "complex" || b.category === "complex") {
    const real = promoteFloats(toRealDtype(a), toRealDtype(b));
    return toComplexDtype(real);
  }
  if (a.category === "float" || b.category === "float") return promoteFloats(a, b);
  if (a === DTYPES.uint8 || b === DTYPES.uint8) {
    const other = a === DTYPES.uint8 ? b : a;
    return other === DTYPES.int8 ? DTYPES.int16 : other;
  }
  return a.itemsize >= b.itemsize ? a : b;
}

function promoteFloats(a: DType, b: DType): DType {
  if (a.category !== "float") return b;
  if (b.category !== "float" || a === b) return a;
  if (a.itemsize === b.itemsize) return DTYPES.float32; // half with bfloat16
  return a.itemsize > b.itemsize ? a : b;
}

/** Whether PyTorch lets a result of dtype `from` be written to a tensor of dtype `to`. */
export function canCast(from: DType, to: DType): boolean {
  if (from.category === "complex" && to.category !== "complex") return false;
  if (from.category === "float" && (to.category === "int" || to.category === "bool")) return false;
  if (from.category !== "bool" && to.category === "bool") return false;
  return true;
}

/** The dtype that a dynamic scalar has when it is wrapped into a tensor: int64, float64, complex128 or bool. */
export function scalarDtype(value: Scalar): DType {
  if (typeof value === "boolean") return DTYPES.bool;
  if (value instanceof Complex) return DTYPES.complex128;
  return isFloatScalar(value) ? DTYPES.float64 : DTYPES.int64;
}

/** What promotion sees of a wrapped number: floats count as the default dtype. */
function wrappedDtype(value: Scalar): DType {
  const dtype = scalarDtype(value);
  if (dtype === DTYPES.complex128) return toComplexDtype(defaultFloat);
  return dtype === DTYPES.float64 ? defaultFloat : dtype;
}

function promoteMaybe(a: DType | undefined, b: DType | undefined): DType | undefined {
  if (!a) return b;
  if (!b) return a;
  return promoteTypes(a, b);
}

function combineCategories(higher: DType | undefined, lower: DType | undefined): DType | undefined {
  if (!higher) return lower;
  if (higher.category === "complex") return higher;
  if (higher.category === "float") return lower?.category === "complex" ? toComplexDtype(higher) : higher;
  if (higher.category === "bool" || lower?.category === "float" || lower?.category === "complex") {
    return promoteMaybe(higher, lower);
  }
  return higher;
}

/** PyTorch's result_type: dim tensors outrank zero-dim tensors, which outrank numbers, unless the category is higher. */
export function resultType(...operands: readonly (Tensor | Scalar)[]): DType {
  if (operands.length === 2) {
    const [a, b] = operands;
    if (a instanceof Tensor && b instanceof Tensor && a.dtype === b.dtype) return a.dtype;
  }
  let dim: DType | undefined;
  let zero: DType | undefined;
  let wrapped: DType | undefined;
  for (const operand of operands) {
    if (operand instanceof Tensor) {
      if (operand.isWrappedNumber) wrapped = promoteMaybe(wrapped, wrappedTensorDtype(operand));
      else if (operand.sizes.length > 0) dim = promoteMaybe(dim, operand.dtype);
      else zero = promoteMaybe(zero, operand.dtype);
    } else wrapped = promoteMaybe(wrapped, wrappedDtype(operand));
  }
  return combineCategories(dim, combineCategories(zero, wrapped)) ?? defaultFloat;
}

function wrappedTensorDtype(t: Tensor): DType {
  if (t.dtype.category === "complex") return toComplexDtype(defaultFloat);
  return t.dtype.category === "float" ? defaultFloat : t.dtype;
}

/** The dtype of a float result: ints and bools become the default dtype. */
export function floatResult(dtype: DType): DType {
  return dtype.category === "int" || dtype.category === "bool" ? defaultFloat : dtype;
}
