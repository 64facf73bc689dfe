/** @file Text operators: str, format, percentFormat, print, hashes and identities of any value. Upstream: torch/csrc/jit/runtime/vararg_functions.cpp, register_prim_ops.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { formatFixed, formatScientific } from "../base/float_text.ts";
import { fromByteString, toByteString } from "../base/byte_string.ts";
import { emitPrint } from "../base/sinks.ts";
import { objectAddress, printIValue } from "../core/ivalue_print.ts";
import { EnumValue } from "../core/ivalue.ts";
import { valueType } from "../core/ivalue_text.ts";
import { builtin } from "../core/operator_registry.ts";
import { typedBuiltin } from "../core/typed_builtin.ts";
import { AnyT, typeReprStr, type Type } from "../core/type.ts";
import { Complex, Float, normalizeInt, type Int } from "../tensor/scalar.ts";
import { Tensor } from "../tensor/tensor.ts";
import { hashBytes, hashCombine, hashFloat } from "./std_hash.ts";

typedBuiltin(
  "aten::str(t elem) -> str",
  ([type]) =>
    (value: unknown) =>
      printIValue(value, type!),
);

typedBuiltin("prim::Print(...) -> ()", (types) => (...values: unknown[]) => {
  emitPrint(`${values.map((v, i) => printIValue(v, types[i] ?? AnyT)).join(" ")}\n`);
});
builtin("aten::_print(str s) -> ()", (text: string) => emitPrint(`${text}\n`));

typedBuiltin("aten::format(str self, ...) -> str", (types) => (format: string, ...values: unknown[]) => {
  let out = "";
  let begin = 0;
  for (let used = 0; ; used++) {
    const at = format.indexOf("{}", begin);
    if (at < 0) return out + format.slice(begin);
    if (used >= values.length) throw new OperatorError(`Too few arguments for format string: ${format}`);
    out += format.slice(begin, at) + printIValue(values[used], types[used + 1] ?? AnyT);
    begin = at + 2;
  }
});

/** torch's names of IValue tags, for messages of percentFormat. */
function tagOf(value: unknown, type: Type): string {
  const own = valueType(value, type);
  const names: Readonly<Record<string, string>> = {
    Float: "Double",
    Complex: "ComplexDouble",
    List: "GenericList",
    Dict: "GenericDict",
    Class: "Object",
    Device: "Device",
  };
  if (own.kind === "List") {
    const element = own.element.kind;
    return (
      (
        {
          Int: "IntList",
          Float: "DoubleList",
          Bool: "BoolList",
          Tensor: "TensorList",
          Complex: "ComplexDoubleList",
        } as Record<string, string>
      )[element] ?? "GenericList"
    );
  }
  return names[own.kind] ?? own.kind;
}

function numberOf(value: unknown, type: Type): number | bigint | undefined {
  const own = valueType(value, type).kind;
  if (own !== "Int" && own !== "Float" && own !== "Bool") return undefined;
  if (value instanceof Float) return value.value;
  return typeof value === "boolean" ? Number(value) : (value as number | bigint);
}

function formatted(key: string, value: unknown, type: Type): string {
  const number = (): number | bigint => {
    const n = numberOf(value, type);
    if (n === undefined)
      throw new OperatorError(`%${key} requires a number for formatting, but got ${tagOf(value, type)}`);
    return n;
  };
  switch (key) {
    case "d":
    case "i": {
      const n = number();
      if (typeof n === "bigint" || Number.isInteger(n))
        return valueType(value, type).kind === "Int" ? String(n) : String(Math.trunc(Number(n)) | 0);
      return String(Math.trunc(n) | 0);
    }
    case "e":
      return formatScientific(Math.fround(Number(number())), 6);
    case "E":
      return formatScientific(Math.fround(Number(number())), 6).toUpperCase();
    case "f":
      return formatFixed(Math.fround(Number(number())), 6);
    case "F":
      return formatFixed(Math.fround(Number(number())), 6);
    case "c": {
      if (typeof value === "string" && toByteString(value).length === 1) return value;
      if (valueType(value, type).kind === "Int")
        return fromByteString(String.fromCharCode(Number(BigInt.asUintN(8, BigInt(value as Int)))));
      throw new OperatorError(`%c requires an int or char for formatting, but got ${tagOf(value, type)}`);
    }
    case "s":
      return printIValue(value, type);
    default:
      throw new OperatorError(`The specifier %${key} is not supported in TorchScript format strings`);
  }
}

typedBuiltin("aten::percentFormat(str self, ...) -> str", (types) => (format: string, argument: unknown) => {
  const type = valueType(argument, types[1] ?? AnyT);
  const values = type.kind === "Tuple" ? (argument as unknown[]) : [argument];
  const typeOf = (i: number): Type => (type.kind === "Tuple" ? (type.elements[i] ?? AnyT) : type);
  let out = "";
  let begin = 0;
  let used = 0;
  for (;;) {
    const at = format.indexOf("%", begin);
    if (at < 0) {
      out += format.slice(begin);
      break;
    }
    if (at >= format.length - 1) throw new OperatorError("Incomplete format specifier");
    out += format.slice(begin, at);
    const key = format[at + 1]!;
    begin = at + 2;
    if (key === "%") {
      out += "%";
      continue;
    }
    if (used >= values.length) throw new OperatorError("Too few arguments for format string");
    out += formatted(key, values[used], typeOf(used));
    used++;
  }
  if (used !== values.length) throw new OperatorError("Too many arguments for format string");
  return out;
});

/** Hash of a value as c10 computes it: equal values hash alike. */
function hashOf(value: unknown, type: Type): bigint {
  const own = valueType(value, type);
  switch (own.kind) {
    case "None":
      return 0n;
    case "Bool":
      return value ? 1n : 0n;
    case "Int":
      return BigInt.asUintN(64, BigInt(value as Int));
    case "Float":
      return hashFloat(value instanceof Float ? value.value : (value as number));
    case "Complex": {
      const { re, im } = value as Complex;
      return hashCombine(hashCombine(0n, hashFloat(re)), hashFloat(im));
    }
    case "String":
      return hashBytes(toByteString(value as string));
    case "Tuple":
      return (value as unknown[]).reduce<bigint>(
        (seed, v, i) => hashCombine(seed, hashOf(v, own.elements[i] ?? AnyT)),
        0n,
      );
    case "Device":
      return hashBytes(String(value));
    case "Enum":
      return BigInt(objectAddress(value as EnumValue));
    case "Tensor":
      return BigInt(objectAddress(value as Tensor));
    default:
      throw new OperatorError(`unhashable type: '${typeReprStr(own)}'`);
  }
}
typedBuiltin(
  "aten::hash.generic(t value) -> int",
  ([type]) =>
    (value: unknown) =>
      normalizeInt(hashOf(value, type!)),
);

builtin("prim::id(AnyClassType? x) -> int", (value: object | null) => (value === null ? 0 : objectAddress(value)));

/** `is`: the same object, or an equal value of a kind without identity. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (a instanceof Float && b instanceof Float) return a.value === b.value;
  return a instanceof Complex && b instanceof Complex && a.re === b.re && a.im === b.im;
}
builtin("aten::__is__(t1 self, t2 obj) -> bool", isSame);
builtin("aten::__isnot__(t1 self, t2 obj) -> bool", (a: unknown, b: unknown) => !isSame(a, b));
