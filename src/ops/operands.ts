/** @file Operands of binary operators: numbers as tensors, common dtypes, checks shared by families. Upstream: aten/src/ATen/ScalarOps.h, native/BinaryOps.h. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { scalarTensor } from "../tensor/data.ts";
import { map2, type Kernel2 } from "../tensor/pointwise.ts";
import { floatResult, resultType, scalarDtype } from "../tensor/promotion.ts";
import { Complex, isFloatScalar, type Scalar } from "../tensor/scalar.ts";
import { Tensor } from "../tensor/tensor.ts";

/** A number as a 0-dim tensor that ranks lowest in promotion. */
export function wrapped(value: Scalar): Tensor {
  const t = scalarTensor(value, scalarDtype(value));
  t.isWrappedNumber = true;
  return t;
}

/** A tensor operand, or a number as a 0-dim tensor of the dtype that it will be computed in. */
export function operand(value: Tensor | Scalar, compute: DType): Tensor {
  if (value instanceof Tensor) return value;
  if (compute.category === "float") return scalarTensor(value, compute);
  return wrapped(value);
}

/** Whether a dtype computes in float32 and rounds only the result. */
export function isReducedFloat(dtype: DType): boolean {
  return dtype === DTYPES.float16 || dtype === DTYPES.bfloat16;
}

/** Refuses a tensor that a kernel reads as `dtype`, which it is not. */
export function requireDtype(dtype: DType, t: Tensor | null): void {
  if (t && t.dtype !== dtype)
    throw new OperatorError(`expected scalar type ${dtype.cppName} but found ${t.dtype.cppName}`);
}

/** Parameters of a normalisation have the dtype of its input; beside half types they may all be float32. */
export function requireParameterDtypes(input: Tensor, parameters: readonly (Tensor | null)[]): void {
  const first = parameters.find((p) => p !== null);
  if (!first || first.dtype === input.dtype) {
    for (const p of parameters) requireDtype(input.dtype, p);
  } else if (parameters.some((p) => p && p.dtype !== DTYPES.float32)) {
    throw new OperatorError("mixed dtype (CPU): expect parameter to have scalar type of Float");
  } else if (!isReducedFloat(input.dtype)) {
    throw new OperatorError("mixed dtype (CPU): all inputs must share same datatype.");
  }
}

/** Arithmetic in the common dtype. */
export function arithmetic(kernel: Kernel2, a: Tensor | Scalar, b: Tensor | Scalar): Tensor {
  return computeIn(kernel, a, b, resultType(a, b));
}

/** Arithmetic whose integer inputs give floats. */
export function floatArithmetic(kernel: Kernel2, a: Tensor | Scalar, b: Tensor | Scalar): Tensor {
  return computeIn(kernel, a, b, floatResult(resultType(a, b)));
}

/** Kernels whose half forms read a one-element second operand without rounding it to half. */
const READS_EXACT_SCALARS = new Set(["mul_cpu", "div_cpu", "div_trunc_cpu", "div_floor_cpu"]);

/** Computes in a given dtype. */
export function computeIn(
  kernel: Kernel2,
  a: Tensor | Scalar,
  b: Tensor | Scalar,
  compute: DType,
  out: DType = compute,
): Tensor {
  const x = operand(a, compute);
  // PyTorch reads a one-element second operand of half kernels in its own precision
  const isExact = isReducedFloat(compute) && READS_EXACT_SCALARS.has(kernel.name);
  const y = isExact && !(b instanceof Tensor) ? wrapped(b) : operand(b, compute);
  if (isExact && y.numel === 1) return map2(x, y, kernel, compute, out, [false, true]);
  return map2(x, y, kernel, compute, out);
}

/** Comparison in the common dtype, with a bool result. */
export function comparison(kernel: Kernel2, a: Tensor | Scalar, b: Tensor | Scalar): Tensor {
  const compute = resultType(a, b);
  return map2(operand(a, compute), operand(b, compute), kernel, compute, DTYPES.bool);
}

/** PyTorch's checks of `alpha`. */
export function checkAlpha(dtype: DType, alpha: Scalar): void {
  if (typeof alpha === "boolean" && dtype !== DTYPES.bool) {
    throw new OperatorError("Boolean alpha only supported for Boolean results.");
  }
  if ((dtype.category === "int" || dtype.category === "bool") && (isFloatScalar(alpha) || alpha instanceof Complex)) {
    throw new OperatorError("For integral input tensors, argument alpha must not be a floating point number.");
  }
  if (alpha instanceof Complex && dtype.category !== "complex") {
    throw new OperatorError("For non-complex input tensors, argument alpha must not be a complex number.");
  }
}

/** Whether a scalar is the number one. */
export function isOne(value: Scalar): boolean {
  return (
    value === 1 || value === true || (typeof value === "object" && !(value instanceof Complex) && value.value === 1)
  );
}
