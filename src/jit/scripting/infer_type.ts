/** @file The TorchScript type of a JavaScript value, and the value in that type's form. Upstream: torch/csrc/jit/python/pybind_utils.h (tryToInferType). Spec: none.
 *
 * Note [Types of values]: a whole number is an int and any other number a float; `Float` and a declared type say otherwise. An
 * array is a list where its elements have one type (ints beside floats count as floats), and a tuple where they differ or the
 * array is frozen. Maps and plain objects are dicts, null is None, a dtype is an int. */
import { Future, EnumValue, ScriptObject, dynamicTypeOf } from "../../core/ivalue.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { fromUser } from "../../interpreter/convert.ts";
import { Module } from "../../nn/module.ts";
import { DTYPES } from "../../tensor/dtype.ts";
import { Generator } from "../../tensor/generator.ts";
import { Complex, Float } from "../../tensor/scalar.ts";
import { Device, Tensor } from "../../tensor/tensor.ts";

/** A type and a value in its static form, or why there is none. */
export type Inferred =
  | { readonly type: Type; readonly value: unknown; readonly reason?: never }
  | { readonly type?: never; readonly reason: string };

const dtypes: ReadonlySet<unknown> = new Set(Object.values(DTYPES));

class NoType {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}
function fail(reason: string): never {
  throw new NoType(reason);
}

/** What Python calls the type of a JavaScript value, as messages name it. */
export function pythonTypeText(value: unknown): string {
  if (Array.isArray(value)) return "list";
  if (value instanceof Map) return "dict";
  if (value === undefined) return "undefined";
  if (value instanceof Module) return value.constructor.name;
  if (typeof value === "function") return "function";
  if (typeof value === "object" && value !== null) {
    const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null;
    if (prototype === null || prototype === Object.prototype) return "dict";
    return prototype.constructor?.name ?? "object";
  }
  return typeof value;
}

/** What PyTorch says of lists and dicts whose elements have no common type. */
const INCONSISTENT = {
  list: "List inputs to traced functions must have consistent element type",
  dict: "Dictionary inputs to traced functions must have consistent type",
} as const;

function elementType(types: readonly Type[], what: keyof typeof INCONSISTENT): Type {
  const unified = T.unifyTypeList(types);
  if (unified) return unified;
  if (types.every((t) => t.kind === "Int" || t.kind === "Float")) return T.FloatT;
  const other = types.find((t) => !T.typesEqual(t, types[0]!))!;
  return fail(`${INCONSISTENT[what]}. Found ${T.typeReprStr(types[0]!)} and ${T.typeReprStr(other)}`);
}

function arrayType(value: readonly unknown[]): Type {
  if (Object.isFrozen(value)) return T.tupleOf(value.map(typeOf));
  if (value.length === 0) return fail("List trace inputs must have elements");
  const types = value.map((item) => {
    try {
      return typeOf(item);
    } catch (error) {
      if (error instanceof NoType) fail(`Could not infer type of list element: ${error.reason}`);
      throw error;
    }
  });
  try {
    return T.listOf(elementType(types, "list"));
  } catch (error) {
    if (!(error instanceof NoType)) throw error;
    // no list of Python's; elements that have types of their own make a tuple
    return T.tupleOf(types);
  }
}

function typeOf(value: unknown): Type {
  if (value === null) return T.NoneT;
  if (value instanceof Tensor) return T.TensorT;
  switch (typeof value) {
    case "boolean":
      return T.BoolT;
    case "string":
      return T.StringT;
    case "bigint":
      return T.IntT;
    case "number":
      return Number.isSafeInteger(value) && !Object.is(value, -0) ? T.IntT : T.FloatT;
    default:
      break;
  }
  if (value instanceof Float) return T.FloatT;
  if (value instanceof Complex) return T.ComplexT;
  if (value instanceof Device) return T.DeviceT;
  if (value instanceof Generator) return T.GeneratorT;
  if (value instanceof Module) return fail("Cannot infer concrete type of torch.nn.Module");
  if (value instanceof ScriptObject || value instanceof EnumValue || value instanceof Future)
    return dynamicTypeOf(value);
  if (dtypes.has(value)) return T.IntT;
  if (Array.isArray(value)) return arrayType(value);
  const isRecord = typeof value === "object" && pythonTypeText(value) === "dict";
  if (isRecord) {
    const entries: (readonly [unknown, unknown])[] =
      value instanceof Map ? [...(value as Map<unknown, unknown>)] : Object.entries(value as object);
    if (entries.length === 0) return fail("Dictionary inputs must have entries");
    return T.dictOf(
      elementType(
        entries.map(([k]) => typeOf(k)),
        "dict",
      ),
      elementType(
        entries.map(([, v]) => typeOf(v)),
        "dict",
      ),
    );
  }
  return fail(
    `Only tensors and (possibly nested) tuples of tensors, lists, or dicts are supported as inputs or outputs of traced functions, but instead got value of type ${pythonTypeText(value)}.`,
  );
}

/** The type of a value (see Note [Types of values]) and its form in that type; `declared` goes first where the value fits it. */
export function inferType(value: unknown, declared?: Type): Inferred {
  try {
    const type = declared ?? typeOf(value);
    const converted = fromUser(value, type);
    if (converted === undefined)
      return { reason: `expected a value of type '${T.annotationStr(type)}', found ${pythonTypeText(value)}` };
    return { type, value: converted };
  } catch (error) {
    if (error instanceof NoType) return { reason: error.reason };
    throw error;
  }
}
