/** @file Conversions between scalars, strings and tensors: int(), float(), bool(), complex(), item, implicit ones. Upstream: torch/csrc/jit/runtime/register_prim_ops.cpp, promoted_prim_ops.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { builtin } from "../core/operator_registry.ts";
import { scalarTensor } from "../tensor/data.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { getElement } from "../tensor/elements.ts";
import {
  Complex,
  boxFloat,
  isFloatScalar,
  normalizeInt,
  scalarToNumber,
  type Int,
  type Scalar,
} from "../tensor/scalar.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** A float made an int as x86 does it: towards zero; NaN and values out of range give -2^63. */
export function truncateToInt(value: number): Int {
  const whole = Math.trunc(value);
  if (Number.isSafeInteger(whole)) return whole + 0;
  return whole >= -9223372036854775808 && whole < 9223372036854775808 ? normalizeInt(BigInt(whole)) : -(2n ** 63n);
}

/** The element of a one-element tensor, as `item()` gives it: a dynamic scalar. */
export function itemOf(t: Tensor): Scalar {
  if (t.numel !== 1) throw new OperatorError(`a Tensor with ${t.numel} elements cannot be converted to Scalar`);
  if (t.device.type === "meta") throw new OperatorError("Tensor.item() cannot be called on meta tensors");
  const value = getElement(t, 0);
  if (t.dtype.category === "bool") return value !== 0;
  return t.dtype.category === "float" ? boxFloat(value as number) : value;
}

function overflow(type: string): never {
  throw new OperatorError(`value cannot be converted to type ${type} without overflow`);
}

/** `item<int64_t>()`. */
function itemInt(t: Tensor): Int {
  const value = itemOf(t);
  if (value instanceof Complex) {
    if (value.im !== 0) overflow("int64_t");
    return checkedInt(value.re);
  }
  return isFloatScalar(value)
    ? checkedInt(scalarToNumber(value))
    : typeof value === "boolean"
      ? Number(value)
      : (value as Int);
}
function checkedInt(value: number): Int {
  // c10::overflows: NaN, infinities and values out of range
  if (!(value >= -(2 ** 63) && value <= 2 ** 63)) overflow("int64_t");
  return truncateToInt(value);
}

/** `item<double>()`. */
function itemFloat(t: Tensor): number {
  const value = itemOf(t);
  if (value instanceof Complex && value.im !== 0) overflow("double");
  return scalarToNumber(value);
}

/** Whether a tensor of one element is true. */
export function isNonzero(t: Tensor): boolean {
  if (t.numel === 0) throw new OperatorError("Boolean value of Tensor with no values is ambiguous");
  if (t.numel > 1) throw new OperatorError("Boolean value of Tensor with more than one value is ambiguous");
  const value = itemOf(t);
  return value instanceof Complex ? value.re !== 0 || value.im !== 0 : scalarToNumber(value) !== 0;
}

builtin("aten::item(Tensor self) -> Scalar", itemOf);
builtin("aten::Bool.Tensor(Tensor a) -> bool", isNonzero);
builtin("aten::Int.Tensor(Tensor a) -> int", itemInt);
builtin("aten::Float.Tensor(Tensor a) -> float", itemFloat);

function checkImplicit(t: Tensor, toInt: boolean): void {
  if (t.requiresGrad) throw new OperatorError("Cannot input a tensor that requires grad as a scalar argument");
  if (t.ndim !== 0) throw new OperatorError("Cannot input a tensor of dimension other than 0 as a scalar argument");
  if (toInt && t.dtype.category !== "int")
    throw new OperatorError(`Cannot input a tensor of type ${t.dtype.cppName} as an integral argument`);
}
builtin("aten::IntImplicit(Tensor a) -> int", (t: Tensor) => (checkImplicit(t, true), itemInt(t)));
builtin("aten::FloatImplicit(Tensor a) -> float", (t: Tensor) => (checkImplicit(t, false), itemFloat(t)));
builtin("aten::ComplexImplicit(Tensor a) -> complex", (t: Tensor) => (checkImplicit(t, false), toComplex(itemOf(t))));
builtin("aten::ScalarImplicit(Tensor a) -> Scalar", (t: Tensor) => (checkImplicit(t, false), itemOf(t)));

builtin("aten::Bool.int(int a) -> bool", (a: Int) => a !== 0);
builtin("aten::Bool.float(float a) -> bool", (a: number) => a !== 0);
builtin("aten::Int.bool(bool a) -> int", Number);
builtin("aten::Int.float(float a) -> int", truncateToInt);
builtin("aten::Int.Scalar(Scalar a) -> int", (a: Scalar) => {
  if (a instanceof Complex) {
    if (a.im !== 0) overflow("int64_t");
    return checkedInt(a.re);
  }
  return isFloatScalar(a) ? checkedInt(scalarToNumber(a)) : typeof a === "boolean" ? Number(a) : (a as Int);
});
// what C's strtoll and strtod take: blanks before, nothing behind
builtin("aten::Int.str(str a) -> int", (text: string) => {
  const found = /^[ \t-\r]*([-+]?[0-9]+)/.exec(text);
  if (!found) throw new OperatorError("stoll");
  const value = BigInt(found[1]!.replace("+", ""));
  if (BigInt.asIntN(64, value) !== value) throw new OperatorError("stoll");
  if (found[0].length !== text.length) throw new OperatorError(`invalid literal for int() with base 10: '${text}'`);
  return normalizeInt(value);
});
builtin("aten::Float.str(str a) -> float", (text: string) => {
  const found =
    /^[ \t-\r]*([-+]?)(0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][-+]?[0-9]+)?|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|inf(?:inity)?|nan(?:\([A-Za-z0-9_]*\))?)/i.exec(
      text,
    );
  if (!found) throw new OperatorError("stod");
  const body = found[2]!.toLowerCase();
  const size = body.startsWith("inf")
    ? Infinity
    : body.startsWith("nan")
      ? NaN
      : body.startsWith("0x")
        ? hexFloat(body)
        : Number(body);
  const isZero = !/[1-9a-f]/.test(body.replace(/[ep].*$/, "").replace(/^0x/, ""));
  // strtod reports overflow and underflow, and std::stod throws for both
  if (!body.startsWith("inf") && (size === Infinity || (!isZero && size < 2.2250738585072014e-308)))
    throw new OperatorError("stod");
  if (found[0].length !== text.length) throw new OperatorError(`could not convert string to float: '${text}'`);
  return found[1] === "-" ? -size : size;
});
function hexFloat(text: string): number {
  const [mantissa, power] = text.slice(2).split("p") as [string, string | undefined];
  const dot = mantissa.indexOf(".");
  const digits = mantissa.replace(".", "");
  const scale = dot < 0 ? 0 : -4 * (mantissa.length - dot - 1);
  return Number(`0x${digits}`) * 2 ** (scale + Number(power ?? 0));
}
builtin("aten::Float.int(int a) -> float", Number);
builtin("aten::Float.bool(bool a) -> float", Number);
builtin("aten::Float.Scalar(Scalar a) -> float", (a: Scalar) => scalarToNumber(a));

function toComplex(a: Scalar): Complex {
  return a instanceof Complex ? a : new Complex(scalarToNumber(a), 0);
}
builtin("aten::Complex.Scalar(Scalar a) -> complex", toComplex);
const KINDS = ["int", "float", "bool"] as const;
type Part = Int | boolean | Tensor;
const part = (v: Part): number => (typeof v === "object" ? itemFloat(v) : Number(v));
const complexOf = (re: Part, im: Part): Complex => new Complex(part(re), part(im));
for (const a of KINDS) {
  for (const b of KINDS) builtin(`aten::Complex.${a}_${b}(${a} x, ${b} y) -> complex`, complexOf);
  builtin(`aten::Complex.Tensor_${a}(Tensor x, ${a} y) -> complex`, complexOf);
  builtin(`aten::Complex.${a}_Tensor(${a} x, Tensor y) -> complex`, complexOf);
}
builtin("aten::Complex.Tensor_Tensor(Tensor a, Tensor b) -> complex", complexOf);

/** A 0-dim tensor of a scalar, in the widest dtype of its kind. */
export function scalarToTensor(value: Scalar): Tensor {
  if (value instanceof Complex) return scalarTensor(value, DTYPES.complex128);
  if (typeof value === "boolean") return scalarTensor(value, DTYPES.bool);
  return scalarTensor(value, isFloatScalar(value) ? DTYPES.float64 : DTYPES.int64);
}
builtin("prim::NumToTensor.Scalar(Scalar a) -> Tensor", scalarToTensor);
builtin("prim::NumToTensor.bool(bool a) -> Tensor", scalarToTensor);
