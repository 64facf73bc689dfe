/** @file Arithmetic and comparison of floats, complex numbers, bools, mixed operands and Scalars. Upstream: torch/csrc/jit/runtime/register_prim_ops.cpp, register_ops_utils.h. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { builtin, type Kernel } from "../core/operator_registry.ts";
import { C, cdiv, cmul, cpow } from "../tensor/math/complex.ts";
import { nearestPow } from "../tensor/math/nearest.ts";
import { Complex, boxFloat, isFloatScalar, scalarToNumber, type Int, type Scalar } from "../tensor/scalar.ts";
import { addInt, floordivInt, mulInt, remainderInt, subInt } from "./builtin_int.ts";

type IntOp = (a: Int, b: Int) => unknown;
type FloatOp = (a: number, b: number) => unknown;
type ComplexOp = (a: Complex, b: Complex) => unknown;

/** The value that a complex function has left. */
const taken = (): Complex => new Complex(C.re, C.im);
const mulComplex: ComplexOp = (a, b) => (cmul(a.re, a.im, b.re, b.im), taken());
const divComplex: ComplexOp = (a, b) => (cdiv(a.re, a.im, b.re, b.im), taken());
const powComplex: ComplexOp = (a, b) => (cpow(a.re, a.im, b.re, b.im), taken());
const lift = (a: number | bigint): Complex => new Complex(Number(a), 0);
const num = (a: Int): number => Number(a);

/** `name.int_float` and `name.float_int`. */
function mixed(name: string, f: FloatOp, result: string): void {
  builtin(`${name}.int_float(int a, float b) -> ${result}`, (a: Int, b: number) => f(num(a), b));
  builtin(`${name}.float_int(float a, int b) -> ${result}`, (a: number, b: Int) => f(a, num(b)));
}
/** The overloads with one complex operand; those with ints where `ints` says so. */
function mixedComplex(name: string, f: ComplexOp, result: string, ints: boolean): void {
  builtin(`${name}.float_complex(float a, complex b) -> ${result}`, (a: number, b: Complex) => f(lift(a), b));
  builtin(`${name}.complex_float(complex a, float b) -> ${result}`, (a: Complex, b: number) => f(a, lift(b)));
  if (!ints) return;
  builtin(`${name}.int_complex(int a, complex b) -> ${result}`, (a: Int, b: Complex) => f(lift(a), b));
  builtin(`${name}.complex_int(complex a, int b) -> ${result}`, (a: Complex, b: Int) => f(a, lift(b)));
}

/** A kernel on two Scalars by what they are; float results are boxed where the result is a Scalar. */
function onScalars(i: IntOp, f: FloatOp, c: ComplexOp | undefined, boxed: boolean): Kernel {
  const kernel = (a: Scalar, b: Scalar): unknown => {
    if (a instanceof Complex || b instanceof Complex) {
      if (!c) throw new OperatorError("isDouble() INTERNAL ASSERT FAILED: a complex number where a real one is needed");
      return c(a instanceof Complex ? a : lift(scalarToNumber(a)), b instanceof Complex ? b : lift(scalarToNumber(b)));
    }
    const x = typeof a === "boolean" ? Number(a) : a;
    const y = typeof b === "boolean" ? Number(b) : b;
    if (!isFloatScalar(x) && !isFloatScalar(y)) return i(x as Int, y as Int);
    const result = f(scalarToNumber(x), scalarToNumber(y));
    return boxed ? boxFloat(result as number) : result;
  };
  return kernel as unknown as Kernel;
}

// + - *
const ARITHMETIC: readonly (readonly [string, IntOp, FloatOp, ComplexOp])[] = [
  ["aten::add", addInt, (a, b) => a + b, (a, b) => new Complex(a.re + b.re, a.im + b.im)],
  ["aten::sub", subInt, (a, b) => a - b, (a, b) => new Complex(a.re - b.re, a.im - b.im)],
  ["aten::mul", mulInt, (a, b) => a * b, mulComplex],
];
for (const [name, i, f, c] of ARITHMETIC) {
  builtin(`${name}.float(float a, float b) -> float`, f);
  builtin(`${name}.complex(complex a, complex b) -> complex`, c);
  mixed(name, f, "float");
  mixedComplex(name, c, "complex", true);
  builtin(`${name}(Scalar a, Scalar b) -> Scalar`, onScalars(i, f, c, true));
}

// true division gives floats
builtin("aten::div.int(int a, int b) -> float", (a: Int, b: Int) => num(a) / num(b));
builtin("aten::div.float(float a, float b) -> float", (a: number, b: number) => a / b);
builtin("aten::div.complex(complex a, complex b) -> complex", divComplex);
builtin(
  "aten::div(Scalar a, Scalar b) -> float",
  onScalars(
    (a, b) => num(a) / num(b),
    (a, b) => a / b,
    undefined,
    false,
  ),
);

const floorFloat: FloatOp = (a, b) => Math.floor(a / b);
builtin("aten::floordiv.float(float a, float b) -> float", floorFloat);
mixed("aten::floordiv", floorFloat, "float");
builtin("aten::floordiv(Scalar a, Scalar b) -> Scalar", onScalars(floordivInt, floorFloat, undefined, true));

const remainderFloat: FloatOp = (a, b) => (b + (a % b)) % b;
builtin("aten::remainder.float(float a, float b) -> float", remainderFloat);
mixed("aten::remainder", remainderFloat, "float");
builtin("aten::remainder(Scalar a, Scalar b) -> Scalar", onScalars(remainderInt, remainderFloat, undefined, true));

builtin("aten::divmod.float(float x, float y) -> (float, float)", (a: number, b: number) => {
  if (b === 0) throw new OperatorError("ZeroDivisionError: float divmod()");
  let r = a % b;
  if (r !== 0 && a < 0 !== b < 0) r += b;
  return [(a - r) / b, r];
});
/** PyTorch takes the float of an int and a float as a C++ `float`: the quotient is one of single precision. */
const divmodMixed = (a: number, b: number): [number, number] => {
  const [x, y] = [Math.fround(a), Math.fround(b)];
  if (y === 0) throw new OperatorError("ZeroDivisionError: float divmod()");
  const q = Math.floor(Math.fround(x / y));
  return [q, a - q * b];
};
builtin("aten::divmod.int_float(int x, float y) -> (float, float)", (a: Int, b: number) =>
  divmodMixed(num(a), Math.fround(b)),
);
builtin("aten::divmod.float_int(float x, int y) -> (float, float)", (a: number, b: Int) =>
  divmodMixed(Math.fround(a), num(b)),
);

/** C's pow: 1 to any power and any number to the power 0 are 1. */
function cPow(a: number, b: number): number {
  if (a === 1) return 1;
  if (a === -1 && !Number.isFinite(b) && !Number.isNaN(b)) return 1;
  return nearestPow(a, b);
}
const checkedPow: FloatOp = (a, b) => {
  if (a === 0 && b < 0) throw new OperatorError("0.0 cannot be raised to a negative power");
  return cPow(a, b);
};
builtin("aten::pow.int(int a, int b) -> float", (a: Int, b: Int) => checkedPow(num(a), num(b)));
builtin("aten::pow.float(float a, float b) -> float", checkedPow);
builtin("aten::pow.complex(complex a, complex b) -> complex", powComplex);
mixed("aten::pow", checkedPow, "float");
mixedComplex("aten::pow", powComplex, "complex", false);
builtin(
  "aten::pow.Scalar_Scalar(Scalar a, Scalar b) -> float",
  onScalars((a, b) => cPow(num(a), num(b)), cPow, undefined, false),
);
builtin("aten::pow.int_to_int(int a, int b) -> int", (a: Int, b: Int) => {
  const r = checkedPow(num(a), num(b)) as number;
  return Number.isSafeInteger(r) ? r : BigInt.asIntN(64, Number.isFinite(r) ? BigInt(Math.trunc(r)) : -(2n ** 63n));
});

// comparisons: ints compare with floats as doubles
const COMPARE: readonly (readonly [string, (a: number | bigint, b: number | bigint) => boolean])[] = [
  ["aten::lt", (a, b) => a < b],
  ["aten::gt", (a, b) => a > b],
  ["aten::le", (a, b) => a <= b],
  ["aten::ge", (a, b) => a >= b],
];
for (const [name, f] of COMPARE) {
  builtin(`${name}.int(int a, int b) -> bool`, f);
  builtin(`${name}.float(float a, float b) -> bool`, f);
  mixed(name, f, "bool");
  builtin(`${name}(Scalar a, Scalar b) -> bool`, onScalars(f, f, undefined, false));
}
const equalComplex = (a: Complex, b: Complex): boolean => a.re === b.re && a.im === b.im;
for (const [name, wanted] of [
  ["aten::eq", true],
  ["aten::ne", false],
] as const) {
  const same = (a: unknown, b: unknown): boolean => (a === b) === wanted;
  const complex: ComplexOp = (a, b) => equalComplex(a, b) === wanted;
  builtin(`${name}.int(int a, int b) -> bool`, same);
  builtin(`${name}.float(float a, float b) -> bool`, same);
  builtin(`${name}.bool(bool a, bool b) -> bool`, same);
  builtin(`${name}.enum(AnyEnumType a, AnyEnumType b) -> bool`, same);
  builtin(`${name}.complex(complex a, complex b) -> bool`, complex);
  mixed(name, same, "bool");
  mixedComplex(name, complex, "bool", false);
  builtin(`${name}(Scalar a, Scalar b) -> bool`, onScalars(same, same, complex, false));
  builtin(`${name}.device(Device a, Device b) -> bool`, (a: object, b: object) => (String(a) === String(b)) === wanted);
}

// Python's min and max
const EXTREMES: readonly (readonly [string, (a: number | bigint, b: number | bigint) => unknown])[] = [
  ["prim::min", (a, b) => (a < b ? a : b)],
  ["prim::max", (a, b) => (a > b ? a : b)],
];
for (const [name, f] of EXTREMES) {
  builtin(`${name}.int(int a, int b) -> int`, f);
  builtin(`${name}.float(float a, float b) -> float`, f);
  mixed(name, f, "float");
  builtin(`${name}(Scalar a, Scalar b) -> Scalar`, onScalars(f, f, undefined, true));
}

builtin("aten::__not__(bool self) -> bool", (a: boolean) => !a);
builtin("aten::__and__.bool(bool a, bool b) -> bool", (a: boolean, b: boolean) => a && b);
builtin("aten::__or__.bool(bool a, bool b) -> bool", (a: boolean, b: boolean) => a || b);
builtin("aten::__xor__.bool(bool a, bool b) -> bool", (a: boolean, b: boolean) => a !== b);
