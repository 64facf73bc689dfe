/** @file Functions of Python's math module on ints, floats, complex numbers and Scalars. Upstream: torch/csrc/jit/runtime/register_prim_ops.cpp, register_ops_utils.h. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { formatFixed } from "../base/float_text.ts";
import { builtin } from "../core/operator_registry.ts";
import * as Z from "../tensor/math/complex.ts";
import { erf, erfc } from "../tensor/math/erf.ts";
import { lgamma } from "../tensor/math/gamma.ts";
import { cosh, log10, nearestCos, nearestExp, nearestLog, nearestSin } from "../tensor/math/nearest.ts";
import {
  Complex,
  boxFloat,
  isFloatScalar,
  normalizeInt,
  scalarToNumber,
  type Int,
  type Scalar,
} from "../tensor/scalar.ts";
import { absInt, negInt } from "./builtin_int.ts";

type Real = (a: number) => number;
type OfComplex = (re: number, im: number) => void;

const taken = (): Complex => new Complex(Z.C.re, Z.C.im);
const int32 = (a: Int): Int => Number(BigInt.asIntN(32, BigInt(a)));

/**
 * One function of a number: `.int`, `.float`, `.Scalar` and, where `complex` is given, `.complex`.
 * torch's Scalar overloads round floats to C's float and ints to C's int: so do these.
 */
function unary(name: string, real: Real, complex?: OfComplex): void {
  builtin(`${name}.int(int a) -> float`, (a: Int) => real(Number(a)));
  builtin(`${name}.float(float a) -> float`, real);
  if (complex) builtin(`${name}.complex(complex a) -> complex`, (a: Complex) => (complex(a.re, a.im), taken()));
  builtin(`${name}.Scalar(Scalar a) -> Scalar`, (a: Scalar) => {
    if (a instanceof Complex) {
      if (!complex) throw new OperatorError(`${name.slice(6)}() does not take complex numbers`);
      complex(a.re, a.im);
      return taken();
    }
    return boxFloat(Math.fround(real(scalarToNumber(a))));
  });
}

const complexLog10: OfComplex = (re, im) => {
  Z.clog(re, im);
  Z.C.re /= Math.LN10;
  Z.C.im /= Math.LN10;
};

unary("aten::sqrt", Math.sqrt, Z.csqrt);
unary("aten::exp", nearestExp, Z.cexp);
unary("aten::log", nearestLog, Z.clog);
unary("aten::log10", log10, complexLog10);
unary("aten::sin", nearestSin, Z.csin);
unary("aten::cos", nearestCos, Z.ccos);
unary("aten::tan", Math.tan, Z.ctan);
unary("aten::asin", Math.asin, Z.casin);
unary("aten::acos", Math.acos, Z.cacos);
unary("aten::atan", Math.atan, Z.catan);
unary("aten::sinh", Math.sinh, Z.csinh);
unary("aten::cosh", cosh, Z.ccosh);
unary("aten::tanh", Math.tanh, Z.ctanh);
unary("aten::asinh", Math.asinh, Z.casinh);
unary("aten::acosh", Math.acosh, Z.cacosh);
unary("aten::atanh", Math.atanh, Z.catanh);
unary("aten::log1p", Math.log1p);
unary("aten::expm1", Math.expm1);
unary("aten::erf", erf);
unary("aten::erfc", erfc);
unary("aten::lgamma", lgamma);
unary("aten::gamma", gamma);
unary("aten::fabs", Math.abs);
unary("aten::degrees", (a) => a * (180 / Math.PI));
unary("aten::radians", (a) => a * (Math.PI / 180));
unary("aten::round", roundHalfEven);

/** Rounds halves to even, as torch's round_to_even: the sign of zero stays. */
function roundHalfEven(a: number): number {
  const away = (v: number): number => {
    const whole = Math.trunc(v);
    return Math.abs(v - whole) >= 0.5 ? whole + Math.sign(v) : whole;
  };
  return a - Math.floor(a) === 0.5 ? away(a * 0.5) * 2 : away(a);
}

/** Lanczos' g and coefficients, as boost and many others use them (g = 7, n = 9). */
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

/** The gamma function. */
function gamma(x: number): number {
  if (Number.isInteger(x)) {
    if (x < 0) return NaN;
    if (x === 0) return Object.is(x, -0) ? -Infinity : Infinity;
    if (x <= 171) {
      let product = 1n;
      for (let i = 2; i < x; i++) product *= BigInt(i);
      return Number(product);
    }
  }
  if (x < 0.5) return Math.PI / (Math.sin(Math.PI * x) * gamma(1 - x));
  if (x > 171.7) return x === -Infinity ? NaN : Infinity;
  const z = x - 1;
  let sum = LANCZOS[0]!;
  for (let i = 1; i < LANCZOS.length; i++) sum += LANCZOS[i]! / (z + i);
  const t = z + 7.5;
  // two halves of the power: t ** (z + 0.5) alone overflows near 171
  const half = t ** ((z + 0.5) / 2);
  return Math.sqrt(2 * Math.PI) * half * Math.exp(-t) * half * sum;
}

builtin("aten::angle.int(int a) -> float", (a: Int) => (a < 0 ? Math.PI : 0));
builtin("aten::angle.float(float a) -> float", (a: number) =>
  Number.isNaN(a) ? NaN : a < 0 || Object.is(a, -0) ? Math.PI : 0,
);
builtin("aten::angle.complex(complex a) -> float", (a: Complex) => Math.atan2(a.im, a.re));
builtin("aten::angle.Scalar(Scalar a) -> Scalar", (a: Scalar) =>
  boxFloat(Math.fround(a instanceof Complex ? Math.atan2(a.im, a.re) : scalarToNumber(a) < 0 ? Math.PI : 0)),
);

builtin("prim::abs.float(float a) -> float", Math.abs);
builtin("prim::abs.complex(complex a) -> float", (a: Complex) => Math.hypot(a.re, a.im));
builtin("prim::abs.Scalar(Scalar a) -> Scalar", (a: Scalar) => {
  if (a instanceof Complex) return boxFloat(Math.fround(Math.hypot(a.re, a.im)));
  return isFloatScalar(a)
    ? boxFloat(Math.fround(Math.abs(scalarToNumber(a))))
    : int32(absInt(typeof a === "boolean" ? Number(a) : (a as Int)));
});

builtin("aten::neg.float(float a) -> float", (a: number) => -a);
builtin("aten::neg.complex(complex a) -> complex", (a: Complex) => new Complex(-a.re, -a.im));
builtin("aten::neg.Scalar(Scalar a) -> Scalar", (a: Scalar) => {
  if (a instanceof Complex) return new Complex(-a.re, -a.im);
  return isFloatScalar(a)
    ? boxFloat(Math.fround(-scalarToNumber(a)))
    : int32(negInt(typeof a === "boolean" ? Number(a) : (a as Int)));
});

/** A float made an int, checked as torch checks floor and ceil. */
function checkedInt(a: number, round: Real): Int {
  if (Number.isNaN(a) || a > 2 ** 63 || a < -(2 ** 63)) {
    throw new OperatorError(`Cannot convert float ${formatFixed(a, 6)} to integer`);
  }
  const whole = round(a) + 0;
  return Number.isSafeInteger(whole)
    ? whole
    : normalizeInt(BigInt(whole) > 9223372036854775807n ? -(2n ** 63n) : BigInt(whole));
}
for (const [name, round] of [
  ["floor", Math.floor],
  ["ceil", Math.ceil],
] as const) {
  builtin(`aten::${name}.int(int a) -> int`, (a: Int) => checkedInt(Number(a), round));
  builtin(`aten::${name}.float(float a) -> int`, (a: number) => checkedInt(a, round));
  builtin(`aten::${name}.Scalar(Scalar a) -> Scalar`, (a: Scalar) => int32(checkedInt(scalarToNumber(a), round)));
}

/** A function of two floats: `.int`, `.float`, mixed and Scalar overloads. */
function binary(name: string, f: (a: number, b: number) => number, scalar: string): void {
  const kernel = (a: Int, b: Int): number => f(Number(a), Number(b));
  builtin(`${name}.int(int a, int b) -> float`, kernel);
  builtin(`${name}.float(float a, float b) -> float`, f);
  builtin(`${name}.int_float(int a, float b) -> float`, kernel);
  builtin(`${name}.float_int(float a, int b) -> float`, kernel);
  builtin(`${name}${scalar}(Scalar a, Scalar b) -> float`, (a: Scalar, b: Scalar) =>
    f(scalarToNumber(a), scalarToNumber(b)),
  );
}
/** IEEE remainder: a - b * n with n the integer nearest to a / b, halves to even. */
function ieeeRemainder(a: number, b: number): number {
  if (!Number.isFinite(a) || b === 0 || Number.isNaN(b)) return NaN;
  if (!Number.isFinite(b)) return a;
  const size = Math.abs(b);
  let r = Math.abs(a) % (2 * size);
  if (!Number.isFinite(2 * size)) r = Math.abs(a) % size;
  // r in [0, 2|b|)
  if (r > 1.5 * size || (r === 1.5 * size && Number.isFinite(2 * size))) r -= 2 * size;
  else if (r > 0.5 * size && r !== 0.5 * size) r -= size;
  return a < 0 || Object.is(a, -0) ? -r : r;
}
binary("aten::fmod", (a, b) => a % b, "");
binary("aten::mathremainder", ieeeRemainder, "");
binary("aten::copysign", Z.copySign, "");
binary("aten::atan2", Math.atan2, ".Scalar_Scalar");

// log(a, b): the logarithm to a base
const logBase = (a: Int, b: Int): number => nearestLog(Number(a)) / nearestLog(Number(b));
const logComplex = (a: Complex | Int, b: Complex | Int): Complex => {
  const [x, y] = [a, b].map((v) => {
    if (v instanceof Complex) Z.clog(v.re, v.im);
    else Z.clog(Number(v), 0);
    return taken();
  }) as [Complex, Complex];
  Z.cdiv(x.re, x.im, y.re, y.im);
  return taken();
};
for (const a of ["int", "float", "complex"]) {
  for (const b of ["int", "float", "complex"]) {
    const complex = a === "complex" || b === "complex";
    builtin(`aten::log.${a}_${b}(${a} a, ${b} b) -> ${complex ? "complex" : "float"}`, complex ? logComplex : logBase);
  }
}
builtin("aten::log.Scalar_Scalar(Scalar a, Scalar b) -> float", (a: Scalar, b: Scalar) =>
  logBase(scalarToNumber(a), scalarToNumber(b)),
);

const polar = (a: Int, b: Int): Complex =>
  new Complex(Number(a) * nearestCos(Number(b)), Number(a) * nearestSin(Number(b)));
for (const o of [
  "int(int a, int b)",
  "float(float a, float b)",
  "int_float(int a, float b)",
  "float_int(float a, int b)",
])
  builtin(`aten::polar.${o} -> complex`, polar);
builtin("aten::polar.Scalar_Scalar(Scalar a, Scalar b) -> Scalar", (a: Scalar, b: Scalar) =>
  polar(scalarToNumber(a), scalarToNumber(b)),
);

builtin("aten::isnan.float(float a) -> bool", Number.isNaN);
builtin("aten::isnan.complex(complex a) -> bool", (a: Complex) => Number.isNaN(a.re) || Number.isNaN(a.im));
builtin("aten::isfinite.float(float a) -> bool", Number.isFinite);
builtin("aten::isfinite.complex(complex a) -> bool", (a: Complex) => Number.isFinite(a.re) && Number.isFinite(a.im));
const isInf = (a: number): boolean => a === Infinity || a === -Infinity;
builtin("aten::isinf.float(float a) -> bool", isInf);
builtin("aten::isinf.complex(complex a) -> bool", (a: Complex) => isInf(a.re) || isInf(a.im));

builtin("aten::modf(float a) -> (float, float)", (a: number) => {
  if (isInf(a)) return [Z.copySign(0, a), a];
  const whole = Math.trunc(a);
  return [Z.copySign(a - whole, a), whole];
});
builtin("aten::frexp(float a) -> (float, int)", (a: number) => {
  if (a === 0 || !Number.isFinite(a)) return [a, 0];
  let e = Math.max(-1023, Math.floor(Math.log2(Math.abs(a))) + 1);
  let m = a * 2 ** -e;
  // log2 rounds near powers of two, and 2 ** 1075 is beyond the range
  while (Math.abs(m) < 0.5) [m, e] = [m * 2, e - 1];
  while (Math.abs(m) >= 1) [m, e] = [m / 2, e + 1];
  return [m, e];
});
builtin("aten::ldexp(float x, int i) -> float", (x: number, i: Int) => {
  let e = Math.max(-3000, Math.min(3000, Number(i)));
  let r = x;
  // in steps: 2 ** e alone may leave the range where x * 2 ** e does not
  for (; e > 1000; e -= 1000) r *= 2 ** 1000;
  for (; e < -1000; e += 1000) r *= 2 ** -1000;
  return r * 2 ** e;
});
