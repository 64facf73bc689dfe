/** @file Text of types in printed graphs, which differs from `str()` for tensors, tuples and futures. Upstream: aten/src/ATen/core/type.cpp (operator<<). Spec: none. */
import { typeStr, type TensorDetail, type Type } from "../core/type.ts";
import { valueLiteral } from "../core/ivalue_text.ts";

/** Text of a type behind ` : ` in a graph: `Float(2, 3, strides=[3, 1])`, `NamedTuple(t : int)`, `Future[Tensor]`. */
export function graphTypeText(type: Type): string {
  switch (type.kind) {
    case "Tensor":
      return type.detail ? tensorText(type.detail) : "Tensor";
    case "List":
      return `${graphTypeText(type.element)}[]`;
    case "Optional":
      return `${graphTypeText(type.element)}?`;
    case "Future":
    case "RRef":
      return `${type.kind}[${graphTypeText(type.element)}]`;
    case "Tuple": {
      const { fieldNames, fieldDefaults = [] } = type;
      if (!fieldNames) return `(${type.elements.map(graphTypeText).join(", ")})`;
      const firstDefault = type.elements.length - fieldDefaults.length;
      const fields = type.elements.map((element, i) => {
        const text = `${fieldNames[i]!} : ${graphTypeText(element)}`;
        return i < firstDefault ? text : `${text} = ${valueLiteral(fieldDefaults[i - firstDefault], element)}`;
      });
      return `NamedTuple(${fields.join(", ")})`;
    }
    case "Function":
      return "Function";
    default:
      return typeStr(type);
  }
}

function tensorText(d: TensorDetail): string {
  let out = d.scalarType ?? "Tensor";
  if (d.scalarType !== undefined && !d.sizes) out += "Tensor";
  const parts: string[] = [];
  if (d.sizes) {
    parts.push(...d.sizes.map((s) => (s === null ? "*" : String(s))));
    if (d.sizes.length > 0 && d.strides && d.strides.length === d.sizes.length && d.strides.every((s) => s !== null)) {
      parts.push(`strides=[${d.strides.join(", ")}]`);
    }
  }
  if (d.requiresGrad !== undefined) parts.push(`requires_grad=${d.requiresGrad ? 1 : 0}`);
  if (d.device !== undefined) parts.push(`device=${d.device}`);
  return d.sizes || parts.length > 0 ? `${out}(${parts.join(", ")})` : out;
}
