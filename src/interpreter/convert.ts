/** @file Values of callers made IValues by a schema, and results made plain values again. Upstream: torch/csrc/jit/python/pybind_utils.cpp. Spec: none.
 *
 * Note [Values of callers]: numbers are ints where the type says int and floats where it says float; where it says neither (Any, Union,
 * Scalar) an integral number is an int unless it comes as a `Float`. Arrays are lists or tuples as the type says; for Any a list, unless its
 * elements differ in type or the array was tagged (`tagDynamicType`). Maps and plain objects are dicts; a plain object can be a NamedTuple. */
import { OperatorError, ScriptRuntimeError } from "../base/errors.ts";
import { parseDevice } from "../core/device_text.ts";
import {
  EnumValue,
  Future,
  ScriptObject,
  dictKey,
  dynamicTypeOf,
  dynamicTypeTag,
  isDynamicType,
  toDynamic,
} from "../core/ivalue.ts";
import { schemaText, type Argument, type FunctionSchema } from "../core/schema.ts";
import * as T from "../core/type.ts";
import type { Type } from "../core/type.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { getElement } from "../tensor/elements.ts";
import { Complex, Float, normalizeInt, type Int } from "../tensor/scalar.ts";
import { Device, Tensor } from "../tensor/tensor.ts";
import { pythonClass, pythonRepr, pythonTypeName } from "./python_text.ts";

/** A value that does not fit: PyTorch's "Cast error details". */
class CastError {
  readonly details: string;
  constructor(details: string) {
    this.details = details;
  }
}

function cannotCast(value: unknown): never {
  throw new CastError(
    `Unable to cast Python instance of type ${pythonClass(value)} to C++ type '?' (#define PYBIND11_DETAILED_ERROR_MESSAGES or compile in debug mode for details)`,
  );
}

const typedArray = (value: unknown): value is ArrayLike<number | bigint> =>
  ArrayBuffer.isView(value) && !(value instanceof DataView);
const dtypes: ReadonlySet<unknown> = new Set(Object.values(DTYPES));

function intFrom(value: unknown): Int {
  if (typeof value === "number" && Number.isInteger(value)) {
    if (Number.isSafeInteger(value)) return value + 0;
    if (value >= -9223372036854775808 && value < 9223372036854775808) return normalizeInt(BigInt(value));
  }
  if (typeof value === "bigint" && BigInt.asIntN(64, value) === value) return normalizeInt(value);
  if (typeof value === "boolean") return Number(value);
  if (value instanceof Tensor && value.numel === 1 && value.dtype.category !== "complex") {
    const element = getElement(value, 0) as Int;
    return typeof element === "bigint" ? element : Math.trunc(element);
  }
  // a dtype is an int of the language
  if (dtypes.has(value)) return (value as { id: number }).id;
  return cannotCast(value);
}

function floatFrom(value: unknown): number {
  if (typeof value === "number") return value;
  if (value instanceof Float) return value.value;
  if (typeof value === "bigint" || typeof value === "boolean") return Number(value);
  if (value instanceof Tensor && value.numel === 1 && value.dtype.category !== "complex")
    return Number(getElement(value, 0));
  return cannotCast(value);
}

function complexFrom(value: unknown): Complex {
  if (value instanceof Complex) return value;
  if (value instanceof Tensor && value.numel === 1) {
    const element = getElement(value, 0);
    return element instanceof Complex ? element : new Complex(Number(element), 0);
  }
  return new Complex(floatFrom(value), 0);
}

function boolFrom(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  if (value === null || value === undefined) return false;
  if (typeof value === "number" || typeof value === "bigint") return Boolean(value);
  if (value instanceof Float) return value.value !== 0;
  if (value instanceof Tensor && value.numel === 1) return Boolean(getElement(value, 0));
  return cannotCast(value);
}

function listFrom(value: unknown, element: Type): unknown[] {
  if (Array.isArray(value)) {
    if (element.kind === "Int" || element.kind === "Float" || element.kind === "Bool" || element.kind === "Tensor") {
      // torch converts these as a whole: the list is at fault, not the element
      try {
        return value.map((v) => convert(v, element));
      } catch (error) {
        if (error instanceof CastError) cannotCast(value);
        throw error;
      }
    }
    return value.map((v) => convert(v, element));
  }
  if (typedArray(value)) return Array.from(value as ArrayLike<unknown>, (v) => convert(v, element));
  if (typeof value === "string" && element.kind === "String") return Array.from(value);
  return cannotCast(value);
}

function tupleFrom(value: unknown, type: T.TupleType): unknown[] {
  let items: unknown[];
  if (Array.isArray(value)) items = value;
  else if (typedArray(value)) items = Array.from(value as ArrayLike<unknown>);
  else if (type.fieldNames && isPlainObject(value) && type.fieldNames.every((f) => f in value))
    items = type.fieldNames.map((f) => value[f]);
  else throw new CastError(`\u0000TypeError: '${pythonTypeName(value)}' object is not iterable`);
  if (items.length !== type.elements.length) {
    throw new CastError(
      `Object ${pythonRepr(value, type)} had a different number of elements than type ${T.typeReprStr(type)}`,
    );
  }
  return items.map((v, i) => convert(v, type.elements[i]!));
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function dictFrom(value: unknown, type: T.DictType): Map<unknown, unknown> {
  const out = new Map<unknown, unknown>();
  if (value instanceof Map) {
    for (const [k, v] of value as Map<unknown, unknown>) out.set(dictKey(convert(k, type.key)), convert(v, type.value));
    return out;
  }
  if (!isPlainObject(value)) return cannotCast(value);
  for (const [k, v] of Object.entries(value)) {
    const key = type.key.kind === "Int" || type.key.kind === "Float" ? Number(k) : k;
    out.set(dictKey(convert(key, type.key)), convert(v, type.value));
  }
  return out;
}

/** The type of a caller's value; throws ScriptRuntimeError where PyTorch finds none. */
function inferType(value: unknown): Type {
  const fail = (why: string): never => {
    const message = `Tracer cannot infer type of ${pythonRepr(value)}\n:${why}`;
    throw new ScriptRuntimeError(message, message);
  };
  if (value === undefined) return T.NoneT;
  if (typedArray(value))
    return T.listOf(value instanceof Float32Array || value instanceof Float64Array ? T.FloatT : T.IntT);
  if (Array.isArray(value)) {
    const tag = dynamicTypeTag(value);
    if (tag) return tag;
    if (value.length === 0) return fail("List trace inputs must have elements");
    const elements = value.map(inferType);
    const element = T.unifyTypeList(elements);
    if (element) return T.listOf(element);
    // a list that Python would refuse; a tuple is what was meant
    if (elements.every((e) => e.kind === "Int" || e.kind === "Float")) return T.listOf(T.FloatT);
    return T.tupleOf(elements);
  }
  if (value instanceof Map || isPlainObject(value)) {
    const entries: [unknown, unknown][] =
      value instanceof Map ? [...(value as Map<unknown, unknown>)] : Object.entries(value);
    if (entries.length === 0) return fail("Dictionary inputs must have entries");
    const key = T.unifyTypeList(entries.map(([k]) => inferType(k)));
    const element = T.unifyTypeList(entries.map(([, v]) => inferType(v)));
    if (key && element) return T.dictOf(key, element);
    return fail("Dictionary inputs to traced functions must have consistent type");
  }
  const type = dynamicTypeOf(value);
  if (type.kind === "Capsule") {
    return fail(
      `Only tensors and (possibly nested) tuples of tensors, lists, or dicts are supported as inputs or outputs of traced functions, but instead got value of type ${pythonTypeName(value)}.`,
    );
  }
  return type;
}

function dynamicFrom(value: unknown): unknown {
  const type = inferType(value);
  if (isDynamicType(type)) return value;
  return toDynamic(convert(value, type), type);
}

function unionFrom(value: unknown, type: T.UnionType): unknown {
  const own = inferType(value);
  if (T.isSubtypeOf(own, type)) return toDynamic(convert(value, own), own);
  for (const member of type.members) {
    // numbers and arrays are ambiguous: the union may mean a float or a tuple
    if (own.kind === "Int" && member.kind !== "Float") continue;
    if (own.kind !== "Int" && own.kind !== "List" && own.kind !== "Tuple" && own.kind !== "Dict") continue;
    try {
      return toDynamic(convert(value, member), member);
    } catch (error) {
      if (!(error instanceof CastError)) throw error;
    }
  }
  throw new CastError(`Expected a member of ${T.annotationStr(type)} but instead found type ${T.annotationStr(own)}`);
}

/** The IValue, in static form, of a caller's value. Lists, tuples and dicts are copied. */
function convert(value: unknown, type: Type): unknown {
  switch (type.kind) {
    case "Tensor":
      if (value instanceof Tensor || value === null) return value;
      throw new CastError(`Unable to cast ${pythonRepr(value)} to Tensor`);
    case "Int":
      return intFrom(value);
    case "Float":
      return floatFrom(value);
    case "Complex":
      return complexFrom(value);
    case "Bool":
      return boolFrom(value);
    case "String":
      return typeof value === "string" ? value : cannotCast(value);
    case "Number":
      if (typeof value === "boolean") return Number(value);
      if (typeof value === "number" || typeof value === "bigint" || value instanceof Float || value instanceof Complex)
        return typeof value === "bigint" ? normalizeInt(value) : value;
      if (dtypes.has(value)) return (value as { id: number }).id;
      throw new CastError(`Cannot cast ${pythonRepr(value)} to Scalar`);
    case "None":
      if (value === null || value === undefined) return null;
      throw new CastError(`Cannot cast ${pythonRepr(value)} to None`);
    case "Optional":
      return value === null || value === undefined ? null : convert(value, type.element);
    case "List":
      return listFrom(value, type.element);
    case "Tuple":
      return tupleFrom(value, type);
    case "Dict":
      return dictFrom(value, type);
    case "Union":
      return unionFrom(value, type);
    case "Any":
    case "AnyList":
    case "AnyTuple":
      return dynamicFrom(value);
    case "Device":
      if (value instanceof Device) return value;
      return typeof value === "string" ? parseDevice(value) : cannotCast(value);
    case "Class": {
      const object = objectOf(value);
      return object && (object.type === type || object.type.name.qualifiedName === type.name.qualifiedName)
        ? object
        : cannotCast(value);
    }
    case "Interface": {
      const object = objectOf(value);
      const whyNot = { text: "" };
      if (object && T.isSubtypeOf(object.type, type, whyNot)) return object;
      if (object)
        throw new CastError(
          `Object ${pythonRepr(value)} is not compatible with interface ${T.typeReprStr(type)}\n${whyNot.text}`,
        );
      return cannotCast(value);
    }
    case "Enum":
      if (value instanceof EnumValue && T.typesEqual(value.type, type)) return value;
      throw new CastError(`\u0000AttributeError: '${pythonTypeName(value)}' object has no attribute 'name'`);
    case "Future":
    case "Await":
      return value instanceof Future ? value : cannotCast(value);
    default:
      return value ?? null;
  }
}

/** A script object, also inside a module wrapper. */
function objectOf(value: unknown): ScriptObject | undefined {
  if (value instanceof ScriptObject) return value;
  const inner = typeof value === "object" && value !== null && "object" in value ? value.object : undefined;
  return inner instanceof ScriptObject ? inner : undefined;
}

function schemaError(message: string): ScriptRuntimeError {
  return new ScriptRuntimeError(message, message);
}

function argumentFrom(schema: FunctionSchema, position: number, value: unknown): unknown {
  const argument = schema.args[position]!;
  try {
    const { type, fixedLength } = argument;
    const list = type.kind === "Optional" ? type.element : type;
    // one number stands for int[N] and float[N]
    if (fixedLength !== undefined && list.kind === "List" && typeof value === "number")
      return Array.from({ length: fixedLength }, () => convert(value, list.element));
    return convert(value, type);
  } catch (error) {
    if (error instanceof OperatorError) throw schemaError(error.message);
    if (!(error instanceof CastError)) throw error;
    throw schemaError(mismatch(schema, argument, position, value, error.details));
  }
}

/** One number stands for the list of a fixed length. */
function defaultOf({ defaultValue, type, fixedLength }: Argument): unknown {
  return fixedLength !== undefined && type.kind === "List" && typeof defaultValue === "number"
    ? Array.from({ length: fixedLength }, () => defaultValue)
    : defaultValue;
}

function mismatch(
  schema: FunctionSchema,
  argument: Argument,
  position: number,
  value: unknown,
  details: string,
): string {
  const title = details.startsWith("\u0000")
    ? ` Python error details: ${details.slice(1)}`
    : `Cast error details: ${details}`;
  const hint =
    argument.type === T.InferredTensorT
      ? `Inferred '${argument.name}' to be of type 'Tensor' because it was not annotated with an explicit type.\n`
      : "";
  return (
    `${schema.name}() Expected a value of type '${T.typeReprStr(argument.type)}' for argument '${argument.name}' but instead found type '${pythonTypeName(value, argument.type)}'.\n` +
    `${hint}Position: ${position}\nValue: ${pythonRepr(value, argument.type)}\nDeclaration: ${schemaText(schema)}\n${title}`
  );
}

/**
 * IValues for a call: positional arguments (the object first, for a method), then keyword arguments, then defaults.
 * @throws ScriptRuntimeError with PyTorch's text where something is missing, unknown or of a wrong type.
 */
export function checkAndConvertInputs(
  schema: FunctionSchema,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>> = {},
): unknown[] {
  const names = Object.keys(kwargs);
  const count = args.length + names.length;
  if (count > schema.args.length) {
    throw schemaError(
      `${schema.name}() expected at most ${schema.args.length} argument(s) but received ${count} argument(s). Declaration: ${schemaText(schema)}`,
    );
  }
  const values: unknown[] = [];
  for (const value of args) {
    if (schema.args[values.length]!.kwargOnly) {
      throw schemaError(
        `${schema.name}() takes ${values.length} positional argument(s) but ${args.length} was/were given.  Declaration: ${schemaText(schema)}`,
      );
    }
    values.push(argumentFrom(schema, values.length, value));
  }
  let used = 0;
  for (let i = values.length; i < schema.args.length; i++) {
    const argument = schema.args[i]!;
    if (Object.hasOwn(kwargs, argument.name)) {
      values.push(argumentFrom(schema, i, kwargs[argument.name]));
      used++;
    } else if (argument.hasDefault) values.push(defaultOf(argument));
    else
      throw schemaError(
        `${schema.name}() is missing value for argument '${argument.name}'. Declaration: ${schemaText(schema)}`,
      );
  }
  if (used !== names.length) {
    const unknownName = names.find((n) => !schema.args.some((a) => a.name === n));
    if (unknownName !== undefined)
      throw schemaError(
        `Unknown keyword argument '${unknownName}' for operator '${schema.name}'. Schema: ${schemaText(schema)}`,
      );
    const twice = schema.args.find((a) => names.includes(a.name))!;
    throw schemaError(
      `Argument '${twice.name}' specified both as positional and keyword argument. Schema: ${schemaText(schema)}`,
    );
  }
  return values;
}

/** The IValue of a caller's value for a place of type `type`, or undefined where it does not fit. */
export function fromUser(value: unknown, type: Type): unknown {
  try {
    return convert(value, type);
  } catch (error) {
    if (error instanceof CastError || error instanceof OperatorError || error instanceof ScriptRuntimeError)
      return undefined;
    throw error;
  }
}

/** A plain value: floats without boxes, lists and tuples as new arrays, dicts as new Maps; objects, enums and tensors as they are. */
export function toUser(value: unknown, type: Type): unknown {
  if (value === null || value === undefined) return null;
  if (value instanceof Float) return value.value;
  if (Array.isArray(value)) {
    const own = containerType(value, type);
    if (own.kind === "Tuple") return value.map((v, i) => toUser(v, own.elements[i] ?? T.AnyT));
    const element = own.kind === "List" ? own.element : T.AnyT;
    return value.map((v) => toUser(v, element));
  }
  if (value instanceof Map) {
    const own = containerType(value, type);
    const [key, element] = own.kind === "Dict" ? [own.key, own.value] : [T.AnyT, T.AnyT];
    const out = new Map<unknown, unknown>();
    for (const [k, v] of value as Map<unknown, unknown>) out.set(toUser(k, key), toUser(v, element));
    return out;
  }
  return value;
}

function containerType(value: object, type: Type): Type {
  if (isDynamicType(type)) return dynamicTypeTag(value) ?? T.AnyT;
  return type.kind === "Optional" ? type.element : type;
}
