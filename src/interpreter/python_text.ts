/** @file How Python would name and show a caller's values, for messages about arguments. Upstream: torch/csrc/jit/python/pybind_utils.h. Spec: none. */
import { EnumValue, Future, ScriptObject } from "../core/ivalue.ts";
import type { Type } from "../core/type.ts";
import { cppTensorText } from "../tensor/cpp_text.ts";
import { Complex, Float } from "../tensor/scalar.ts";
import { Device, Tensor } from "../tensor/tensor.ts";

/** The named tuple that an array given for `type` stands for. */
function namedTuple(value: unknown, type: Type | undefined): { name: string; fields: readonly string[] } | undefined {
  const inner = type?.kind === "Optional" ? type.element : type;
  if (inner?.kind !== "Tuple" || !inner.fieldNames || !inner.name || !Array.isArray(value)) return undefined;
  return { name: inner.name.name, fields: inner.fieldNames };
}

function isTuple(type: Type | undefined): boolean {
  return type?.kind === "Tuple" || (type?.kind === "Optional" && type.element.kind === "Tuple");
}

/** What is expected at a place of a list or tuple. */
function elementType(type: Type | undefined, i: number): Type | undefined {
  const inner = type?.kind === "Optional" ? type.element : type;
  if (inner?.kind === "Tuple") return inner.elements[i];
  return inner?.kind === "List" ? inner.element : undefined;
}

/** `__name__` of a value's Python class. Numbers with a fraction are floats, arrays lists unless a tuple is expected. */
export function pythonTypeName(value: unknown, expected?: Type): string {
  const named = namedTuple(value, expected);
  if (named) return `${named.name} (aka NamedTuple(${named.fields.join(", ")}))`;
  if (value === null || value === undefined) return "NoneType";
  if (value instanceof Tensor) return "Tensor";
  if (value instanceof Float) return "float";
  if (value instanceof Complex) return "complex";
  if (value instanceof Device) return "device";
  if (value instanceof ScriptObject) return value.type.name.name;
  if (value instanceof EnumValue) return value.type.name.name;
  if (value instanceof Future) return "Future";
  if (Array.isArray(value)) return isTuple(expected) ? "tuple" : "list";
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "string":
      return "str";
    case "bigint":
      return "int";
    case "number":
      return Number.isInteger(value) ? "int" : "float";
    case "object":
      return "dict";
    default:
      return typeof value;
  }
}

/** `<class '...'>` of a value. */
export function pythonClass(value: unknown): string {
  const name = pythonTypeName(value);
  return `<class '${value instanceof Tensor ? "torch.Tensor" : name}'>`;
}

function floatRepr(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const [mantissa, power] = value.toExponential().split("e") as [string, string];
  const exponent = Number(power);
  if (value !== 0 && (exponent < -4 || exponent >= 16))
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  if (Object.is(value, -0)) return "-0.0";
  return Number.isInteger(value)
    ? `${value}.0`
    : value.toFixed(Math.max(1, mantissa.replace(/[-.]/g, "").length - 1 - exponent));
}

/** `repr()` of a value. */
export function pythonRepr(value: unknown, expected?: Type): string {
  const named = namedTuple(value, expected);
  if (named)
    return `${named.name}(${(value as unknown[]).map((v, i) => `${named.fields[i] ?? i}=${pythonRepr(v)}`).join(", ")})`;
  if (value === null || value === undefined) return "None";
  if (value instanceof Tensor)
    return String(
      (value as { toString(): string }).toString === Object.prototype.toString ? cppTensorText(value) : value,
    );
  if (value instanceof Float) return floatRepr(value.value);
  if (value instanceof Complex)
    return `(${String(value.re)}${value.im < 0 || Object.is(value.im, -0) ? "-" : "+"}${String(Math.abs(value.im))}j)`;
  if (value instanceof Device)
    return `device(type='${value.type}'${value.index === undefined ? "" : `, index=${value.index}`})`;
  if (value instanceof EnumValue) return `<${value.type.name.name}.${value.name}: ${pythonRepr(value.value)}>`;
  if (value instanceof ScriptObject) return `<torch.ScriptObject object of ${value.type.name.qualifiedName}>`;
  if (Array.isArray(value)) {
    const items = value.map((v, i) => pythonRepr(v, elementType(expected, i)));
    return isTuple(expected) ? `(${items.join(", ")}${items.length === 1 ? "," : ""})` : `[${items.join(", ")}]`;
  }
  switch (typeof value) {
    case "boolean":
      return value ? "True" : "False";
    case "string":
      return stringRepr(value);
    case "number":
      return Number.isInteger(value) ? String(value) : floatRepr(value);
    case "object": {
      const entries = value instanceof Map ? [...value] : Object.entries(value);
      return `{${entries.map(([k, v]) => `${pythonRepr(k)}: ${pythonRepr(v)}`).join(", ")}}`;
    }
    default:
      return String(value);
  }
}

function stringRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/\r/g, "\\r").replace(/\t/g, "\\t");
  return quote + (quote === "'" ? body.replace(/'/g, "\\'") : body) + quote;
}
