/** @file Text of IValues as literals of code and graphs, and the type that a value has of itself. Upstream: aten/src/ATen/core/ivalue.cpp. Spec: none. */
import { UnsupportedError } from "../base/errors.ts";
import { complexText, floatLiteral, quotedString } from "../base/float_text.ts";
import { Complex, Float } from "../tensor/scalar.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { dynamicTypeOf, isDynamicType, type EnumValue } from "./ivalue.ts";
import * as T from "./type.ts";
import type { Type } from "./type.ts";

/** Text of a value where the usual text does not do (tensors, objects), or undefined. */
export type ValueFormatter = (value: unknown, type: Type) => string | undefined;

const plainTensor = (): Type => T.TensorT;

/** The type that a value of static type `type` has of itself: None or T for an Optional, element types for a tuple. */
export function valueType(value: unknown, type: Type, tensorType: (tensor: Tensor) => Type = plainTensor): Type {
  if (value === null || value === undefined) return T.NoneT;
  if (type.kind === "Optional") return valueType(value, type.element, tensorType);
  if (isDynamicType(type)) {
    const dynamic = dynamicTypeOf(value);
    return isDynamicType(dynamic)
      ? dynamic
      : valueType(value instanceof Float ? value.value : value, dynamic, tensorType);
  }
  if (type.kind === "Tuple" && !type.name && Array.isArray(value)) {
    return T.tupleOf(value.map((v, i) => valueType(v, type.elements[i] ?? T.AnyT, tensorType)));
  }
  if (type.kind === "Tensor") return tensorType(value as Tensor);
  return type;
}

/** Whether the elements of a list say its type; else the literal needs an annotation. */
function canBeInferred(element: Type): boolean {
  return element.kind !== "Union" && element.kind !== "Optional" && element.kind !== "Number" && element.kind !== "Any";
}

/**
 * A literal: `[1, 2]`, `(1, None)`, `annotate(List[int], [])`, `torch.device("cpu")`.
 * @throws UnsupportedError for values that have no literal.
 */
export function valueLiteral(value: unknown, staticType: Type, format?: ValueFormatter): string {
  const type = valueType(value, staticType);
  const own = format?.(value, type);
  if (own !== undefined) return own;
  const plain = value instanceof Float ? value.value : value;
  switch (type.kind) {
    case "None":
      return "None";
    case "Float":
      return floatLiteral(plain as number);
    case "Complex":
      return plain instanceof Complex ? complexText(plain.re, plain.im) : complexText(Number(plain), 0);
    case "Int":
      return String(plain);
    case "Bool":
      return plain ? "True" : "False";
    case "String":
      return quotedString(plain as string);
    case "Device":
      return `torch.device(${quotedString(String(plain))})`;
    case "Tuple": {
      const items = (plain as unknown[]).map((v, i) => valueLiteral(v, type.elements[i] ?? T.AnyT, format));
      return items.length === 1 ? `(${items[0]!},)` : `(${items.join(", ")})`;
    }
    case "List": {
      const items = plain as unknown[];
      const text = `[${items.map((v) => valueLiteral(v, type.element, format)).join(", ")}]`;
      return items.length === 0 || !canBeInferred(type.element) ? `annotate(${T.annotationStr(type)}, ${text})` : text;
    }
    case "Dict": {
      const items = [...(plain as Map<unknown, unknown>)];
      const text = `{${items.map(([k, v]) => `${valueLiteral(k, type.key, format)}: ${valueLiteral(v, type.value, format)}`).join(", ")}}`;
      return items.length === 0 || !canBeInferred(type.value) ? `annotate(${T.annotationStr(type)},${text})` : text;
    }
    case "Enum":
      return `${type.name.qualifiedName}.${(plain as EnumValue).name}`;
    default:
      throw new UnsupportedError(
        `constant:${type.kind}`,
        `repr() not defined on: ${type.kind}. Perhaps you've frozen a module with custom classes?`,
      );
  }
}
