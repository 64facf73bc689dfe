/** @file Text of IValues as C++ streams print them: `print`, `str`, `format`, KeyErrors. Upstream: aten/src/ATen/core/ivalue.cpp (operator<<). Spec: none. */
import { complexText, floatText } from "../base/float_text.ts";
import { cppTensorText } from "../tensor/cpp_text.ts";
import { Complex, Float, isIntScalar } from "../tensor/scalar.ts";
import { Device, Tensor } from "../tensor/tensor.ts";
import { EnumValue, Future, ScriptObject, dynamicTypeOf, isDynamicType } from "./ivalue.ts";
import { AnyT, type Type } from "./type.ts";

const objectNumbers = new WeakMap<object, number>();
let nextObject = 0;
/** A number that stands for the address of an object: stable, unique, never 0. */
export function objectAddress(object: object): number {
  let address = objectNumbers.get(object);
  if (address === undefined) {
    address = 0x500000000000 + 64 * ++nextObject;
    objectNumbers.set(object, address);
  }
  return address;
}

/** The text of a value whose static type is `type`. Strings have no quotes, lists and dicts print their elements. */
export function printIValue(value: unknown, type: Type): string {
  if (value === null) return "None";
  if (value === undefined) return "Uninitialized";
  switch (typeof value) {
    case "string":
      return value;
    case "boolean":
      return value ? "True" : "False";
    case "bigint":
      return String(value);
    case "number":
      return isFloatType(type) || (isDynamicType(type) && !isIntScalar(value)) ? floatText(value) : String(value);
    default:
      break;
  }
  if (value instanceof Tensor) return cppTensorText(value);
  if (value instanceof Float) return floatText(value.value);
  if (value instanceof Complex) return complexText(value.re, value.im);
  if (value instanceof Device) return String(value);
  if (value instanceof EnumValue) return `Enum<${value.type.name.name}.${value.name}>`;
  if (value instanceof ScriptObject)
    return `<${value.type.name.qualifiedName} object at 0x${objectAddress(value).toString(16)}>`;
  if (value instanceof Future) return "Future";
  if (Array.isArray(value)) {
    const own = containerType(value, type);
    if (own.kind === "Tuple") {
      const items = value.map((v, i) => printIValue(v, own.elements[i] ?? AnyT));
      return items.length === 1 ? `(${items[0]!},)` : `(${items.join(", ")})`;
    }
    const element = own.kind === "List" ? own.element : AnyT;
    return `[${value.map((v) => printIValue(v, element)).join(", ")}]`;
  }
  if (value instanceof Map) {
    const own = containerType(value, type);
    const key = own.kind === "Dict" ? own.key : AnyT;
    const element = own.kind === "Dict" ? own.value : AnyT;
    return `{${[...value].map(([k, v]) => `${printIValue(k, key)}: ${printIValue(v, element)}`).join(", ")}}`;
  }
  return "Object";
}

function isFloatType(type: Type): boolean {
  return type.kind === "Float" || (type.kind === "Optional" && type.element.kind === "Float");
}

/** The container type behind Optional, or the tag of a dynamic value. */
function containerType(value: object, type: Type): Type {
  if (isDynamicType(type)) return dynamicTypeOf(value);
  return type.kind === "Optional" ? type.element : type;
}
