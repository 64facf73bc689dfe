/** @file Arithmetic of two tensors, or a tensor and a number: add, sub, mul, div, powers, remainders. Upstream: aten/src/ATen/native/BinaryOps.cpp, Pow.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { aliasOperator, op } from "../core/operator_registry.ts";
import { cloneTensor, convertTensor, plainlyStrided } from "../tensor/clone.ts";
import { writeInplaceResult, writeOutResult } from "../tensor/copy.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { BINARY, pow as powReal, powFloat } from "../tensor/kernels/binary.ts";
import { UNARY } from "../tensor/kernels/unary.ts";
import { C, cdiv, cmul, csqrt } from "../tensor/math/complex.ts";
import {
  asMap,
  emptyResult,
  map1,
  map2,
  mapInPlace,
  notImplemented,
  type Kernel1,
  type Kernel2,
  type Loop1,
} from "../tensor/pointwise.ts";
import { floatResult, resultType, toComplexDtype } from "../tensor/promotion.ts";
import { Complex, isIntScalar, scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import { Tensor } from "../tensor/tensor.ts";
import { writeElement } from "../tensor/elements.ts";
import { arithmetic, checkAlpha, computeIn, floatArithmetic, isOne, isReducedFloat } from "./operands.ts";
import { scaledSumOf } from "./scaled_sum.ts";
import { checkedScalar } from "./scalar_checks.ts";
import { kernelParameter, roundingOf } from "./unary.ts";

/** `a + alpha * b` or `a - alpha * b` for alpha other than 1. */
function scaled(a: Tensor | Scalar, b: Tensor | Scalar, alpha: Scalar, sign: 1 | -1, dtype: DType): Tensor {
  if (dtype.category === "float") return scaledSumOf(a, b, alpha, sign, dtype);
  const name = sign === 1 ? "add_stub" : "sub_stub";
  if (dtype.category === "complex") {
    const re = sign * kernelParameter(dtype, scalarToNumber(alpha));
    const im = sign * kernelParameter(dtype, alpha instanceof Complex ? alpha.im : 0);
    const complex: Kernel2["complex"] = (ar, ai, br, bi) => {
      cmul(re, im, br, bi);
      C.re += ar;
      C.im += ai;
    };
    return computeIn({ name, complex }, a, b, dtype);
  }
  const big = BigInt(typeof alpha === "bigint" ? alpha : Math.trunc(scalarToNumber(alpha))) * BigInt(sign);
  const factor = Number(big);
  return computeIn({ name, real: (x, y) => x + factor * y, big: (x, y) => x + big * y }, a, b, dtype);
}

const addWith = asMap((a: Tensor | Scalar, b: Tensor | Scalar, alpha: Scalar): Tensor => {
  const dtype = resultType(a, b);
  // complex addition multiplies by alpha even when it is 1: infinities then make NaN, as in PyTorch
  if (isOne(alpha) && typeof alpha !== "boolean" && dtype.category !== "complex")
    return computeIn(BINARY.add, a, b, dtype);
  checkAlpha(dtype, alpha);
  return scaled(a, b, alpha, 1, dtype);
});

function isBool(value: Tensor | Scalar): boolean {
  return typeof value === "boolean" || (value instanceof Tensor && value.dtype === DTYPES.bool);
}

const subWith = asMap((a: Tensor | Scalar, b: Tensor | Scalar, alpha: Scalar): Tensor => {
  if (isBool(a) && isBool(b)) {
    throw new OperatorError(
      "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` operator instead.",
    );
  }
  if (isBool(a) || isBool(b)) {
    throw new OperatorError(
      "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, use the `~` or `logical_not()` operator instead.",
    );
  }
  const dtype = resultType(a, b);
  if (isOne(alpha) && typeof alpha !== "boolean" && dtype.category !== "complex")
    return computeIn(BINARY.sub, a, b, dtype);
  checkAlpha(dtype, alpha);
  return scaled(a, b, alpha, -1, dtype);
});

export const add = op("aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", addWith);
export const addScalar = op("aten::add.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor", addWith);
export const sub = op("aten::sub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", subWith);
export const subScalar = op("aten::sub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor", subWith);
export const rsub = op(
  "aten::rsub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor",
  (self, other, alpha) => subWith(other, self, alpha),
);
op("aten::rsub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor", (self, other, alpha) =>
  subWith(other, self, alpha),
);
op("aten::_add_relu.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor", (self, other, alpha) =>
  map1(addWith(self, other, alpha), UNARY.relu),
);
op("aten::_add_relu.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor", (self, other, alpha) =>
  map1(addWith(self, other, alpha), UNARY.relu),
);

const multiply = asMap((self: Tensor, other: Tensor | Scalar): Tensor => arithmetic(BINARY.mul, self, other));
export const mul = op("aten::mul.Tensor(Tensor self, Tensor other) -> Tensor", multiply);
export const mulScalar = op("aten::mul.Scalar(Tensor self, Scalar other) -> Tensor", multiply);
op("aten::mul_.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)", (self, other) => {
  // in place, PyTorch makes the number the first factor, which halves do not read in its own precision
  const factor =
    isReducedFloat(self.dtype) && !(other instanceof Complex) ? roundingOf(self.dtype)(scalarToNumber(other)) : other;
  writeInplaceResult(self, mapInPlace(self, multiply, [self, factor]) as Tensor);
  return self;
});

const divide = asMap((a: Tensor | Scalar, b: Tensor | Scalar): Tensor => floatArithmetic(BINARY.div, a, b));

function divideRounded(a: Tensor | Scalar, b: Tensor | Scalar, mode: string | null): Tensor {
  if (mode === null) return divide(a, b);
  if (mode !== "trunc" && mode !== "floor") {
    throw new OperatorError(`div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '${mode}'`);
  }
  const dtype = resultType(a, b);
  if (dtype.category === "complex" || dtype === DTYPES.bool) throw notImplemented(`div_${mode}_cpu`, dtype);
  if (dtype.category === "int")
    return computeIn(mode === "trunc" ? BINARY.divTruncInt : BINARY.divFloorInt, a, b, dtype);
  if (mode === "floor") return computeIn(BINARY.divFloor, a, b, dtype);
  // halves are divided by one number in float32, by many in their own dtype
  const isOne = !(b instanceof Tensor) || b.numel === 1;
  const step = roundingOf(isOne && isReducedFloat(dtype) ? DTYPES.float32 : dtype);
  return computeIn({ name: "div_trunc_cpu", real: (x, y) => Math.trunc(step(x / y)) }, a, b, dtype);
}

export const div = op("aten::div.Tensor(Tensor self, Tensor other) -> Tensor", divide);
export const divScalar = op("aten::div.Scalar(Tensor self, Scalar other) -> Tensor", divide);
op("aten::div.Tensor_mode(Tensor self, Tensor other, *, str? rounding_mode) -> Tensor", divideRounded);
op("aten::div.Scalar_mode(Tensor self, Scalar other, *, str? rounding_mode) -> Tensor", divideRounded);
export const floor_divide = op("aten::floor_divide(Tensor self, Tensor other) -> Tensor", (self, other) =>
  divideRounded(self, other, "floor"),
);
op("aten::floor_divide.Scalar(Tensor self, Scalar other) -> Tensor", (self, other) =>
  divideRounded(self, other, "floor"),
);

function modulo(int: Kernel2, float: Kernel2): (a: Tensor | Scalar, b: Tensor | Scalar) => Tensor {
  return (a, b) => {
    const dtype = resultType(a, b);
    if (dtype.category === "int") return computeIn(int, a, b, dtype);
    if (dtype.category !== "float") throw notImplemented(int.name, dtype);
    return computeIn(float, a, b, dtype);
  };
}
const remainderOf = asMap(modulo(BINARY.remainderInt, BINARY.remainder));
const fmodOf = asMap(modulo(BINARY.fmodInt, BINARY.fmod));
export const remainder = op("aten::remainder.Tensor(Tensor self, Tensor other) -> Tensor", remainderOf);
op("aten::remainder.Scalar(Tensor self, Scalar other) -> Tensor", remainderOf);
op("aten::remainder.Scalar_Tensor(Scalar self, Tensor other) -> Tensor", remainderOf);
op("aten::fmod.Tensor(Tensor self, Tensor other) -> Tensor", fmodOf);
op("aten::fmod.Scalar(Tensor self, Scalar other) -> Tensor", fmodOf);

function power(base: Tensor | Scalar, exponent: Tensor | Scalar): Tensor {
  const dtype = resultType(base, exponent);
  if (dtype === DTYPES.bool) throw notImplemented("pow", dtype);
  if (dtype.category === "int") return computeIn(BINARY.powInt, base, exponent, dtype);
  return computeIn(BINARY.pow, base, exponent, dtype);
}

/** Exponents that PyTorch computes without pow. */
const EASY_POWERS = new Map<number, Kernel1>([
  [0.5, UNARY.sqrt],
  [2, UNARY.square],
  [3, UNARY.cube],
  [-0.5, UNARY.rsqrt],
  [-1, UNARY.reciprocal],
  [-2, { name: "pow", real: (x) => 1 / (x * x) }],
]);

function powScalar(self: Tensor, exponent: Scalar): Tensor {
  const intBase = self.dtype.category === "int" || self.dtype === DTYPES.bool;
  if (intBase && (isIntScalar(exponent) || typeof exponent === "boolean") && Number(exponent) < 0) {
    throw new OperatorError("Integers to negative integer powers are not allowed.");
  }
  const dtype = resultType(self, exponent);
  checkedScalar(exponent, dtype);
  const plain = exponent instanceof Complex ? (exponent.im === 0 ? exponent.re : NaN) : scalarToNumber(exponent);
  if (plain === 0) return filled([self], dtype, 1);
  if (plain === 1) return dtype === self.dtype ? cloneTensor(self) : convertTensor(self, dtype);
  if (dtype.category === "float") {
    const easy = EASY_POWERS.get(plain);
    // float16 takes the power itself where others take roots: -inf then gives inf
    const direct = dtype !== DTYPES.float16 || plain >= 2;
    if (easy && direct) return map1(self, { ...easy, name: "pow" }, dtype);
    const e = kernelParameter(dtype, plain);
    const exponents = Float32Array.of(e);
    const f32: Loop1 = (out, o, a, ai, n) => BINARY.pow.f32(out, o, a, ai, 1, exponents, 0, 0, n);
    return map1(self, { name: "pow", real: (x) => powReal(x, e), single: (x) => powFloat(x, e), f32 }, dtype);
  }
  if (dtype.category === "int" && plain === 2) return map1(self, UNARY.square, dtype);
  if (dtype.category === "complex") {
    const easy = EASY_COMPLEX_POWERS.get(plain);
    if (easy) return map1(self, { name: "pow", complex: easy }, dtype);
  }
  return power(self, exponent);
}
const EASY_COMPLEX_POWERS = new Map<number, (re: number, im: number) => void>([
  [0.5, csqrt],
  [2, (r, i) => cmul(r, i, r, i)],
  [
    3,
    (r, i) => {
      cmul(r, i, r, i);
      cmul(C.re, C.im, r, i);
    },
  ],
  [
    -0.5,
    (r, i) => {
      csqrt(r, i);
      cdiv(1, 0, C.re, C.im);
    },
  ],
  [-1, (r, i) => cdiv(1, 0, r, i)],
  [
    -2,
    (r, i) => {
      cmul(r, i, r, i);
      cdiv(1, 0, C.re, C.im);
    },
  ],
]);
/** A new tensor of the inputs' broadcast shape and layout, full of `value`. */
export function filled(inputs: readonly Tensor[], dtype: DType, value: Scalar): Tensor {
  const out = emptyResult(inputs, dtype);
  const seg = out.storage.segment;
  for (let i = 0; i < out.numel; i++) writeElement(dtype, seg, out.base0 + i, value);
  return out;
}

export const pow = op("aten::pow.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor", power);
export const powTensorScalar = op("aten::pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor", asMap(powScalar));
op("aten::pow.Scalar(Scalar self, Tensor exponent) -> Tensor", (base, exponent) => {
  if (!(base instanceof Complex) && scalarToNumber(base) === 1)
    return plainlyStrided(filled([exponent], resultType(base, exponent), 1));
  return plainlyStrided(power(base, exponent));
});

function floatPower(base: Tensor | Scalar, exponent: Tensor | Scalar): Tensor {
  const isComplex = (v: Tensor | Scalar): boolean =>
    v instanceof Complex || (v instanceof Tensor && v.dtype.category === "complex");
  const dtype = isComplex(base) || isComplex(exponent) ? DTYPES.complex128 : DTYPES.float64;
  const wide = (v: Tensor | Scalar): Tensor | Scalar => (v instanceof Tensor ? convertTensor(v, dtype) : v);
  if (base instanceof Tensor && !(exponent instanceof Tensor)) return powScalar(convertTensor(base, dtype), exponent);
  return computeIn(BINARY.pow, wide(base), wide(exponent), dtype);
}
op("aten::float_power.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor", floatPower);
op("aten::float_power.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor", floatPower);
op("aten::float_power.Scalar(Scalar self, Tensor exponent) -> Tensor", (base, exponent) =>
  plainlyStrided(floatPower(base, exponent)),
);

/** x * 2^e; a float with integer exponents keeps its dtype. */
function ldexp(self: Tensor, other: Tensor): Tensor {
  const integral = other.dtype.category === "int" || other.dtype.category === "bool";
  if (self.dtype.category !== "float" || !integral) return mul(self, callPowTwo(other));
  if (other.dtype === DTYPES.bool) throw notImplemented("ldexp_cpu_exp", other.dtype);
  return map2(self, other, LDEXP, self.dtype, self.dtype, [true, true]);
}
const LDEXP: Kernel2 = {
  name: "ldexp_cpu",
  real: (x, e) => {
    // in two steps: 2^e alone may leave the range that the product stays in
    if (x === 0 || !Number.isFinite(x)) return x;
    const step = Math.max(-2000, Math.min(2000, e));
    const half = Math.trunc(step / 2);
    return x * 2 ** half * 2 ** (step - half);
  },
};
op("aten::ldexp.Tensor(Tensor self, Tensor other) -> Tensor", ldexp);
op("aten::ldexp_(Tensor(a!) self, Tensor other) -> Tensor(a!)", (self, other) => {
  writeInplaceResult(self, ldexp(self, other));
  return self;
});
function callPowTwo(other: Tensor): Tensor {
  return computeIn(
    BINARY.pow,
    2.0,
    other,
    other.dtype.category === "float" || other.dtype.category === "complex" ? other.dtype : floatResult(other.dtype),
  );
}

/** A complex tensor of two real ones; `out`, if given, has the complex dtype already. */
function fromParts(kernel: Kernel2, a: Tensor, b: Tensor, out?: Tensor): Tensor {
  const ok = (d: DType): boolean => d === DTYPES.float32 || d === DTYPES.float64 || d === DTYPES.float16;
  if (!ok(a.dtype) || !ok(b.dtype)) {
    throw new OperatorError(
      `Expected both inputs to be Half, Float or Double tensors but got ${a.dtype.cppName} and ${b.dtype.cppName}`,
    );
  }
  const mismatch = (want: DType, got: DType, where: string): OperatorError =>
    new OperatorError(`Expected object of scalar type ${want.cppName} but got scalar type ${got.cppName} for ${where}`);
  if (a.dtype !== b.dtype) throw mismatch(a.dtype, b.dtype, "second argument");
  const dtype = toComplexDtype(a.dtype);
  if (out && out.dtype !== dtype) throw mismatch(dtype, out.dtype, "argument 'out'");
  if (kernel === POLAR && a.dtype === DTYPES.float16) throw notImplemented("polar_cpu", a.dtype);
  const result = computeIn(kernel, a, b, dtype);
  if (!out) return result;
  writeOutResult(out, result);
  return out;
}
const COMPLEX: Kernel2 = {
  name: "complex_cpu",
  complex: (ar, _ai, br) => {
    C.re = ar;
    C.im = br;
  },
};
const POLAR: Kernel2 = {
  name: "polar_cpu",
  complex: (ar, _ai, br) => {
    C.re = ar * Math.cos(br);
    C.im = ar * Math.sin(br);
  },
};
op("aten::complex(Tensor real, Tensor imag) -> Tensor", (real, imag) => fromParts(COMPLEX, real, imag));
op("aten::complex.out(Tensor real, Tensor imag, *, Tensor(a!) out) -> Tensor(a!)", (real, imag, out) =>
  fromParts(COMPLEX, real, imag, out),
);
op("aten::polar(Tensor abs, Tensor angle) -> Tensor", (abs, angle) => fromParts(POLAR, abs, angle));
op("aten::polar.out(Tensor abs, Tensor angle, *, Tensor(a!) out) -> Tensor(a!)", (abs, angle, out) =>
  fromParts(POLAR, abs, angle, out),
);

for (const [alias, name] of Object.entries({ subtract: "sub", multiply: "mul", divide: "div", true_divide: "div" })) {
  aliasOperator(`aten::${alias}`, `aten::${name}`);
}
