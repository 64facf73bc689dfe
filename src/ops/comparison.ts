/** @file Comparison, logical and bitwise operators of two tensors, or a tensor and a number. Upstream: aten/src/ATen/native/BinaryOps.cpp, TensorCompare.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { aliasOperator, op } from "../core/operator_registry.ts";
import { writeInplaceResult } from "../tensor/copy.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { toFloat64Array } from "../tensor/data.ts";
import { BINARY, shiftKernels } from "../tensor/kernels/binary.ts";
import { notImplemented, type Kernel2 } from "../tensor/pointwise.ts";
import { resultType } from "../tensor/promotion.ts";
import { boxFloat, type Scalar } from "../tensor/scalar.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { abs, isfinite, isnan } from "./unary.ts";
import { addScalar, mulScalar, sub } from "./arithmetic.ts";
import { comparison, computeIn } from "./operands.ts";

type Operand = Tensor | Scalar;
const compare =
  (kernel: Kernel2) =>
  (a: Operand, b: Operand): Tensor =>
    comparison(kernel, a, b);

export const eq = op("aten::eq.Tensor(Tensor self, Tensor other) -> Tensor", compare(BINARY.eq));
op("aten::eq.Scalar(Tensor self, Scalar other) -> Tensor", compare(BINARY.eq));
export const ne = op("aten::ne.Tensor(Tensor self, Tensor other) -> Tensor", compare(BINARY.ne));
op("aten::ne.Scalar(Tensor self, Scalar other) -> Tensor", compare(BINARY.ne));
export const lt = op("aten::lt.Tensor(Tensor self, Tensor other) -> Tensor", compare(BINARY.lt));
op("aten::lt.Scalar(Tensor self, Scalar other) -> Tensor", compare(BINARY.lt));
export const le = op("aten::le.Tensor(Tensor self, Tensor other) -> Tensor", compare(BINARY.le));
op("aten::le.Scalar(Tensor self, Scalar other) -> Tensor", compare(BINARY.le));
export const gt = op("aten::gt.Tensor(Tensor self, Tensor other) -> Tensor", compare(BINARY.gt));
op("aten::gt.Scalar(Tensor self, Scalar other) -> Tensor", compare(BINARY.gt));
export const ge = op("aten::ge.Tensor(Tensor self, Tensor other) -> Tensor", compare(BINARY.ge));
op("aten::ge.Scalar(Tensor self, Scalar other) -> Tensor", compare(BINARY.ge));

export const logical_and = op("aten::logical_and(Tensor self, Tensor other) -> Tensor", compare(BINARY.logicalAnd));
export const logical_or = op("aten::logical_or(Tensor self, Tensor other) -> Tensor", compare(BINARY.logicalOr));
op("aten::logical_xor(Tensor self, Tensor other) -> Tensor", compare(BINARY.logicalXor));

const bitwise =
  (kernel: Kernel2, onBool: Kernel2) =>
  (a: Operand, b: Operand): Tensor => {
    const dtype = resultType(a, b);
    if (dtype === DTYPES.bool) return computeIn(onBool, a, b, dtype);
    if (dtype.category !== "int") throw notImplemented(kernel.name, dtype);
    return computeIn(kernel, a, b, dtype);
  };
const and = bitwise(BINARY.bitwiseAnd, BINARY.logicalAnd);
const or = bitwise(BINARY.bitwiseOr, BINARY.logicalOr);
const xor = bitwise(BINARY.bitwiseXor, BINARY.logicalXor);
const shift =
  (direction: "left" | "right") =>
  (a: Operand, b: Operand): Tensor => {
    const dtype = resultType(a, b);
    const kernel = shiftKernels(8 * dtype.itemsize)[direction];
    if (dtype.category !== "int") throw notImplemented(kernel.name, dtype);
    return computeIn(kernel, a, b, dtype);
  };
const left = shift("left");
const right = shift("right");

op("aten::bitwise_and.Tensor(Tensor self, Tensor other) -> Tensor", and);
op("aten::bitwise_and.Scalar(Tensor self, Scalar other) -> Tensor", and);
op("aten::bitwise_and.Scalar_Tensor(Scalar self, Tensor other) -> Tensor", and);
op("aten::bitwise_or.Tensor(Tensor self, Tensor other) -> Tensor", or);
op("aten::bitwise_or.Scalar(Tensor self, Scalar other) -> Tensor", or);
op("aten::bitwise_or.Scalar_Tensor(Scalar self, Tensor other) -> Tensor", or);
op("aten::bitwise_xor.Tensor(Tensor self, Tensor other) -> Tensor", xor);
op("aten::bitwise_xor.Scalar(Tensor self, Scalar other) -> Tensor", xor);
op("aten::bitwise_xor.Scalar_Tensor(Scalar self, Tensor other) -> Tensor", xor);
op("aten::bitwise_left_shift.Tensor(Tensor self, Tensor other) -> Tensor", left);
op("aten::bitwise_left_shift.Tensor_Scalar(Tensor self, Scalar other) -> Tensor", left);
op("aten::bitwise_left_shift.Scalar_Tensor(Scalar self, Tensor other) -> Tensor", left);
op("aten::bitwise_right_shift.Tensor(Tensor self, Tensor other) -> Tensor", right);
op("aten::bitwise_right_shift.Tensor_Scalar(Tensor self, Scalar other) -> Tensor", right);
op("aten::bitwise_right_shift.Scalar_Tensor(Scalar self, Tensor other) -> Tensor", right);
op("aten::__and__.Tensor(Tensor self, Tensor other) -> Tensor", and);
op("aten::__and__.Scalar(Tensor self, Scalar other) -> Tensor", and);
op("aten::__or__.Tensor(Tensor self, Tensor other) -> Tensor", or);
op("aten::__or__.Scalar(Tensor self, Scalar other) -> Tensor", or);
op("aten::__xor__.Tensor(Tensor self, Tensor other) -> Tensor", xor);
op("aten::__xor__.Scalar(Tensor self, Scalar other) -> Tensor", xor);
op("aten::__lshift__.Tensor(Tensor self, Tensor other) -> Tensor", left);
op("aten::__lshift__.Scalar(Tensor self, Scalar other) -> Tensor", left);
op("aten::__rshift__.Tensor(Tensor self, Tensor other) -> Tensor", right);
op("aten::__rshift__.Scalar(Tensor self, Scalar other) -> Tensor", right);

/** Python's augmented assignments are operators of their own: `__iand__` and the like. */
const inPlace =
  (compute: (a: Operand, b: Operand) => Tensor) =>
  (self: Tensor, other: Operand): Tensor => {
    writeInplaceResult(self, compute(self, other));
    return self;
  };
op("aten::__iand__.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)", inPlace(and));
op("aten::__iand__.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)", inPlace(and));
op("aten::__ior__.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)", inPlace(or));
op("aten::__ior__.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)", inPlace(or));
op("aten::__ixor__.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)", inPlace(xor));
op("aten::__ixor__.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)", inPlace(xor));
op("aten::__ilshift__.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)", inPlace(left));
op("aten::__ilshift__.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)", inPlace(left));
op("aten::__irshift__.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)", inPlace(right));
op("aten::__irshift__.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)", inPlace(right));

export const isclose = op(
  "aten::isclose(Tensor self, Tensor other, float rtol=1.0000000000000001e-05, float atol=1e-08, bool equal_nan=False) -> Tensor",
  (self, other, rtol, atol, equalNan) => {
    if (self.dtype !== other.dtype) {
      throw new OperatorError(`${self.dtype.cppName} did not match ${other.dtype.cppName}`);
    }
    if (rtol < 0) throw new OperatorError(`rtol must be greater than or equal to zero, but got ${rtol}`);
    if (atol < 0) throw new OperatorError(`atol must be greater than or equal to zero, but got ${atol}`);
    let close = eq(self, other);
    if (equalNan && (self.dtype.category === "float" || self.dtype.category === "complex")) {
      close = logical_or(close, logical_and(isnan(self), isnan(other)));
    }
    if (rtol === 0 && atol === 0) return close;
    let reference = other;
    if (self.dtype.category === "int" || self.dtype.category === "bool")
      reference = computeIn(BINARY.mul, other, 1, DTYPES.float32);
    const allowed = addScalar(abs(mulScalar(reference, boxFloat(rtol))), boxFloat(atol));
    const error = abs(
      self.dtype === DTYPES.bool ? computeIn(BINARY.sub, self, other, DTYPES.float32) : sub(self, reference),
    );
    return logical_or(close, logical_and(isfinite(error), le(error, allowed)));
  },
);

op(
  "aten::allclose(Tensor self, Tensor other, float rtol=1.0000000000000001e-05, float atol=1e-08, bool equal_nan=False) -> bool",
  (self, other, rtol, atol, equalNan) =>
    toFloat64Array(isclose(self, other, rtol, atol, equalNan)).every((x) => x !== 0),
);

op("aten::equal(Tensor self, Tensor other) -> bool", (self, other) => {
  if (self.ndim !== other.ndim || self.sizes.some((s, d) => s !== other.sizes[d])) return false;
  return toFloat64Array(eq(self, other)).every((x) => x !== 0);
});

for (const [alias, name] of Object.entries({
  not_equal: "ne",
  less: "lt",
  less_equal: "le",
  greater: "gt",
  greater_equal: "ge",
})) {
  aliasOperator(`aten::${alias}`, `aten::${name}`);
}
