/** @file Functions of two tensors: maxima, angles, logarithms, number theory, gamma functions. Upstream: aten/src/ATen/native/BinaryOps.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { aliasOperator, op } from "../core/operator_registry.ts";
import { writeInplaceResult } from "../tensor/copy.ts";
import { contiguousTensor } from "../tensor/clone.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { BINARY } from "../tensor/kernels/binary.ts";
import { bfloat16ToFloat, floatToBfloat16, floatToHalf, halfToFloat } from "../tensor/half.ts";
import { digamma, lgamma, polygamma, trigamma } from "../tensor/math/gamma.ts";
import { asMap, map1, map2, notImplemented, type Kernel2 } from "../tensor/pointwise.ts";
import { canCast, floatResult, promoteTypes, resultType } from "../tensor/promotion.ts";
import type { Scalar } from "../tensor/scalar.ts";
import { Tensor } from "../tensor/tensor.ts";
import { arithmetic, computeIn, floatArithmetic } from "./operands.ts";
import { dtypeArgument } from "./views.ts";

type Operand = Tensor | Scalar;

function extremum(name: string, kernel: Kernel2): (a: Tensor, b: Tensor) => Tensor {
  return (a, b) => {
    if (a.dtype.category === "complex" || b.dtype.category === "complex") {
      throw new OperatorError(`${name} not implemented for complex tensors.`);
    }
    return arithmetic(kernel, a, b);
  };
}
const maximumOf = extremum("maximum", BINARY.maximum);
const minimumOf = extremum("minimum", BINARY.minimum);
export const maximum = op("aten::maximum(Tensor self, Tensor other) -> Tensor", maximumOf);
export const minimum = op("aten::minimum(Tensor self, Tensor other) -> Tensor", minimumOf);
op("aten::max.other(Tensor self, Tensor other) -> Tensor", maximumOf);
op("aten::min.other(Tensor self, Tensor other) -> Tensor", minimumOf);
op("aten::fmax(Tensor self, Tensor other) -> Tensor", extremum("fmax", BINARY.fmax));
op("aten::fmin(Tensor self, Tensor other) -> Tensor", extremum("fmin", BINARY.fmin));

const floats =
  (kernel: Kernel2) =>
  (a: Operand, b: Operand): Tensor =>
    floatArithmetic(kernel, a, b);

/** Functions that PyTorch has for floating dtypes only, without promotion of integers. */
const onlyFloats =
  (kernel: Kernel2) =>
  (a: Tensor, b: Tensor): Tensor => {
    const dtype = resultType(a, b);
    if (dtype.category !== "float" && !(dtype.category === "complex" && "complex" in kernel))
      throw notImplemented(kernel.name, dtype);
    return computeIn(kernel, a, b, dtype);
  };
const onlyInts =
  (kernel: Kernel2) =>
  (a: Tensor, b: Tensor): Tensor => {
    const dtype = resultType(a, b);
    if (dtype.category !== "int") throw notImplemented(kernel.name, dtype);
    return computeIn(kernel, a, b, dtype);
  };

op("aten::atan2(Tensor self, Tensor other) -> Tensor", asMap(floats(BINARY.atan2)));
op("aten::copysign.Tensor(Tensor self, Tensor other) -> Tensor", floats(BINARY.copysign));
op("aten::copysign.Scalar(Tensor self, Scalar other) -> Tensor", floats(BINARY.copysign));
op("aten::hypot(Tensor self, Tensor other) -> Tensor", asMap(onlyFloats(BINARY.hypot)));
op("aten::logaddexp(Tensor self, Tensor other) -> Tensor", onlyFloats(BINARY.logaddexp));
op("aten::logaddexp2(Tensor self, Tensor other) -> Tensor", onlyFloats(BINARY.logaddexp2));
op("aten::igamma(Tensor self, Tensor other) -> Tensor", onlyFloats(BINARY.igamma));
op("aten::igammac(Tensor self, Tensor other) -> Tensor", onlyFloats(BINARY.igammac));
op("aten::gcd(Tensor self, Tensor other) -> Tensor", onlyInts(BINARY.gcd));
op("aten::lcm(Tensor self, Tensor other) -> Tensor", onlyInts(BINARY.lcm));

const xlogy = floats({ name: "xlogy_cpu", real: BINARY.xlogy.real });
op("aten::xlogy.Tensor(Tensor self, Tensor other) -> Tensor", xlogy);
op("aten::xlogy.Scalar_Other(Tensor self, Scalar other) -> Tensor", xlogy);
op("aten::xlogy.Scalar_Self(Scalar self, Tensor other) -> Tensor", xlogy);
op("aten::special_xlogy(Tensor self, Tensor other) -> Tensor", xlogy);
op("aten::special_xlogy.other_scalar(Tensor self, Scalar other) -> Tensor", xlogy);
op("aten::special_xlogy.self_scalar(Scalar self, Tensor other) -> Tensor", xlogy);
const xlog1py = floats(BINARY.xlog1py);
op("aten::special_xlog1py(Tensor self, Tensor other) -> Tensor", xlog1py);
op("aten::special_xlog1py.other_scalar(Tensor self, Scalar other) -> Tensor", xlog1py);
op("aten::special_xlog1py.self_scalar(Scalar self, Tensor other) -> Tensor", xlog1py);

function zetaOf(a: Operand, b: Operand): Tensor {
  const dtype = floatResult(resultType(a, b));
  if (dtype !== DTYPES.float32 && dtype !== DTYPES.float64) throw notImplemented("zeta_cpu", dtype);
  return computeIn(BINARY.zeta, a, b, dtype);
}
op("aten::special_zeta(Tensor self, Tensor other) -> Tensor", zetaOf);
op("aten::special_zeta.other_scalar(Tensor self, Scalar other) -> Tensor", zetaOf);
op("aten::special_zeta.self_scalar(Scalar self, Tensor other) -> Tensor", zetaOf);

op("aten::heaviside(Tensor self, Tensor values) -> Tensor", (self, values) => {
  if (self.dtype.category === "complex" || values.dtype.category === "complex") {
    throw new OperatorError("heaviside is not yet implemented for complex tensors.");
  }
  if (self.dtype !== values.dtype) {
    throw new OperatorError("heaviside is not yet implemented for tensors with different dtypes.");
  }
  return map2(self, values, BINARY.heaviside, self.dtype);
});

const wide = new DataView(new ArrayBuffer(8));

/** The next float64 after `x` towards `y`. */
function nextDouble(x: number, y: number): number {
  if (x !== x || y !== y) return NaN;
  if (x === y) return y;
  if (x === 0) return y > 0 ? Number.MIN_VALUE : -Number.MIN_VALUE;
  wide.setFloat64(0, x);
  const bits = wide.getBigInt64(0);
  wide.setBigInt64(0, y > x === x > 0 ? bits + 1n : bits - 1n);
  return wide.getFloat64(0);
}

function nextFloat(x: number, y: number): number {
  if (x !== x || y !== y) return NaN;
  if (x === y) return y;
  if (x === 0) return y > 0 ? 2 ** -149 : -(2 ** -149);
  wide.setFloat32(0, x);
  wide.setInt32(0, wide.getInt32(0) + (y > x === x > 0 ? 1 : -1));
  return wide.getFloat32(0);
}

/** nextafter of a 16-bit kind, by its bits. */
function nextSmall(encode: (x: number) => number, decode: (bits: number) => number): (x: number, y: number) => number {
  return (x, y) => {
    if (x !== x || y !== y) return NaN;
    if (x === y) return y;
    if (x === 0) return y > 0 ? decode(1) : -decode(1);
    const bits = encode(x);
    return decode(y > x === x > 0 ? bits + 1 : bits - 1);
  };
}

const NEXT = new Map<DType, (x: number, y: number) => number>([
  [DTYPES.float64, nextDouble],
  [DTYPES.float32, nextFloat],
  [DTYPES.float16, nextSmall(floatToHalf, halfToFloat)],
  [DTYPES.bfloat16, nextSmall(floatToBfloat16, bfloat16ToFloat)],
]);

op("aten::nextafter(Tensor self, Tensor other) -> Tensor", (self, other) => {
  const dtype = resultType(self, other);
  const real = NEXT.get(dtype);
  if (!real) throw notImplemented("nextafter_cpu", dtype);
  return map2(self, other, { name: "nextafter_cpu", real }, dtype);
});

function polygammaOf(n: number, self: Tensor): Tensor {
  if (n < 0) throw new OperatorError("polygamma(n, x) does not support negative n.");
  const dtype = floatResult(self.dtype);
  const name = n === 0 ? "digamma" : n === 1 ? "trigamma" : "polygamma";
  if (dtype.category === "complex") throw notImplemented(name, dtype);
  const round = dtype === DTYPES.float64 ? (v: number): number => v : Math.fround;
  const real = n === 0 ? digamma : n === 1 ? (x: number) => trigamma(x, round) : (x: number) => polygamma(n, x);
  return map1(self, { name, real }, dtype);
}
op("aten::polygamma(int n, Tensor self) -> Tensor", polygammaOf);
op("aten::special_polygamma(int n, Tensor self) -> Tensor", polygammaOf);
op("aten::polygamma_(Tensor(a!) self, int n) -> Tensor(a!)", (self, n) => {
  const result = polygammaOf(n, self);
  writeInplaceResult(self, result);
  return self;
});

function multigammaln(self: Tensor, p: number): Tensor {
  if (self.dtype === DTYPES.bool) throw new OperatorError("The input tensor may not be a boolean tensor.");
  if (p < 1) throw new OperatorError("p has to be greater than or equal to 1");
  const dtype = floatResult(self.dtype);
  if (dtype.category === "complex") throw notImplemented("arange_cpu", dtype);
  const constant = ((p * (p - 1)) / 4) * Math.log(Math.PI);
  // a sum of contiguous ones
  return map1(
    contiguousTensor(self),
    {
      name: "lgamma_vml_cpu",
      real: (x) => {
        let sum = constant;
        for (let i = 0; i < p; i++) sum += lgamma(x - i / 2);
        return sum;
      },
    },
    dtype,
  );
}
op("aten::mvlgamma(Tensor self, int p) -> Tensor", multigammaln);
op("aten::special_multigammaln(Tensor self, int p) -> Tensor", multigammaln);

op("aten::result_type.Tensor(Tensor tensor, Tensor other) -> ScalarType", (a, b) => resultType(a, b).id);
op("aten::result_type.Scalar(Tensor tensor, Scalar other) -> ScalarType", (a, b) => resultType(a, b).id);
op("aten::result_type.Scalar_Tensor(Scalar scalar, Tensor tensor) -> ScalarType", (a, b) => resultType(a, b).id);
op("aten::result_type.Scalar_Scalar(Scalar scalar1, Scalar scalar2) -> ScalarType", (a, b) => resultType(a, b).id);
op(
  "aten::promote_types(ScalarType type1, ScalarType type2) -> ScalarType",
  (a, b) => promoteTypes(dtypeArgument(a), dtypeArgument(b)).id,
);
op("aten::can_cast(ScalarType from_, ScalarType to) -> bool", (a, b) => canCast(dtypeArgument(a), dtypeArgument(b)));

aliasOperator("aten::arctan2", "aten::atan2");
aliasOperator("aten::special_gammainc", "aten::igamma");
aliasOperator("aten::special_gammaincc", "aten::igammac");
