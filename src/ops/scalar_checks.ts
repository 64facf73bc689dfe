/** @file Checks of numbers against dtypes, and dtypes as messages with C++ types name them. Upstream: c10/core/Scalar.h, c10/util/TypeCast.h. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { toRealDtype } from "../tensor/promotion.ts";
import { Complex, isFloatScalar, scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import { largestOf } from "./unary.ts";

/** dtype names in some messages are those of C++. */
const CPP_NAMES: Readonly<Record<string, string>> = {
  Byte: "unsigned char",
  Char: "signed char",
  Short: "short",
  Int: "int",
  Long: "long int",
  Float: "float",
  Double: "double",
  Half: "c10::Half",
  BFloat16: "c10::BFloat16",
  ComplexFloat: "c10::complex<float>",
  ComplexDouble: "c10::complex<double>",
  Bool: "bool",
};

/** A dtype as messages with C++ types name it. */
export function cppTypeName(dtype: DType): string {
  return CPP_NAMES[dtype.cppName] ?? dtype.cppName;
}

const INT_RANGE: Readonly<Record<string, readonly [bigint, bigint]>> = {
  Byte: [-255n, 255n],
  Char: [-128n, 127n],
  Short: [-32768n, 32767n],
  Int: [-2147483648n, 2147483647n],
  Long: [-(2n ** 63n), 2n ** 63n - 1n],
};
const CPP_FIXED: Readonly<Record<string, string>> = {
  Byte: "uint8_t",
  Char: "int8_t",
  Short: "int16_t",
  Int: "int",
  Long: "int64_t",
  Half: "c10::Half",
  BFloat16: "c10::BFloat16",
  Float: "float",
  Double: "double",
  Bool: "bool",
};

/** A number as an element of `dtype`, checked as Scalar::to does. */
export function checkedScalar(value: Scalar, dtype: DType): Scalar {
  const fail = (): never => {
    throw new OperatorError(
      `value cannot be converted to type ${CPP_FIXED[dtype.cppName] ?? dtype.cppName} without overflow`,
    );
  };
  if (dtype.category === "complex" || dtype === DTYPES.bool) return value;
  if (value instanceof Complex) {
    if (value.im !== 0) fail();
    return checkedScalar(value.re, dtype);
  }
  const range = INT_RANGE[dtype.cppName];
  if (range) {
    const x = typeof value === "bigint" ? value : scalarToNumber(value);
    if (typeof x === "number" && !Number.isFinite(x)) fail();
    // only integers may be negative, and wrap around, where the dtype has no sign
    const isFloat = isFloatScalar(value);
    if (isFloat && (Number(x) < (dtype.isSigned ? Number(range[0]) : 0) || Number(x) > Number(range[1]))) fail();
    const whole = typeof x === "bigint" ? x : BigInt(Math.trunc(x));
    if (whole < range[0] || whole > range[1]) fail();
    return whole;
  }
  const x = scalarToNumber(value);
  if (Number.isFinite(x) && Math.abs(x) > largestOf(toRealDtype(dtype))) fail();
  return value;
}
