/** @file The text of types: in graphs, in annotations, in messages. Upstream: aten/src/ATen/core/type.cpp. Spec: spec/types.md. */
import { InferredTensorT, SIMPLE, type Type, type TensorDetail } from "./type_kinds.ts";

/** Text as in graphs and messages: `int[]`, `Dict(str, Tensor)`, `Tensor?`. Mirrors `Type::str()`. */
export function typeStr(type: Type): string {
  switch (type.kind) {
    case "Tensor":
      return type.detail ? tensorDetailStr(type.detail) : "Tensor";
    case "List":
      return `${typeStr(type.element)}[]`;
    case "Dict":
      return `Dict(${typeStr(type.key)}, ${typeStr(type.value)})`;
    case "Optional":
      return `${typeStr(type.element)}?`;
    case "Union":
      return `Union(${unionText(type.members, typeStr, "Scalar")})`;
    case "Tuple":
      if (type.name) return type.name.qualifiedName;
      return `(${type.elements.map(typeStr).join(", ")})`;
    case "Future":
    case "Await":
    case "RRef":
      return `${type.kind}(${typeStr(type.element)})`;
    case "Var":
      return type.name;
    case "Function":
      return "Function";
    case "Class":
      return type.name.qualifiedName;
    case "Interface":
      return `InterfaceType<${type.name.name}>`;
    case "Enum":
      return `Enum<${type.name.qualifiedName}>`;
    default:
      return SIMPLE[type.kind][0];
  }
}

export function isNumberMember(type: Type): boolean {
  return type.kind === "Int" || type.kind === "Float" || type.kind === "Complex";
}

/** Whether int, float and complex are all members: together they print as one word. */
export function holdsNumber(members: readonly Type[]): boolean {
  return members.filter(isNumberMember).length === 3;
}

/** Members of a union. Separators follow upstream: they depend on a member's place among all, so `Union[, str, number]` occurs. */
function unionText(members: readonly Type[], text: (type: Type) => string, number: string): string {
  if (!holdsNumber(members)) return members.map(text).join(", ");
  let out = "";
  let separated = false;
  members.forEach((member, i) => {
    if (isNumberMember(member)) return;
    if (i > 0) {
      out += ", ";
      separated = true;
    }
    out += text(member);
  });
  return out + (separated ? ", " : "") + number;
}

function tensorDetailStr(d: TensorDetail): string {
  // torch: Float(2, 3, strides=[3, 1], requires_grad=0, device=cpu)
  if (d.scalarType === undefined) return "Tensor";
  const parts: string[] = [];
  if (d.sizes) parts.push(...d.sizes.map((s) => (s === null ? "*" : String(s))));
  if (d.strides) parts.push(`strides=[${d.strides.map((s) => (s === null ? "*" : String(s))).join(", ")}]`);
  if (d.requiresGrad !== undefined) parts.push(`requires_grad=${d.requiresGrad ? 1 : 0}`);
  if (d.device !== undefined) parts.push(`device=${d.device}`);
  return `${d.scalarType}(${parts.join(", ")})`;
}

/** Gives a type another text, or undefined for the usual one: how saving renames classes. */
export type TypePrinter = (type: Type) => string | undefined;

/** Text as in source: `List[int]`, `Dict[str, Tensor]`, `Optional[Tensor]`. Mirrors `Type::annotation_str()`. */
export function annotationStr(type: Type, printer?: TypePrinter): string {
  const renamed = printer?.(type);
  if (renamed !== undefined) return renamed;
  if (type.kind === "Tensor") return "Tensor";
  const inner = (t: Type): string => annotationStr(t, printer);
  switch (type.kind) {
    case "List":
      return `List[${inner(type.element)}]`;
    case "Dict":
      return `Dict[${inner(type.key)}, ${inner(type.value)}]`;
    case "Optional":
      return `Optional[${inner(type.element)}]`;
    case "Union":
      return `Union[${unionText(type.members, inner, "number")}]`;
    case "Tuple":
      if (type.name) return type.name.qualifiedName;
      return type.elements.length === 0 ? "Tuple[()]" : `Tuple[${type.elements.map(inner).join(", ")}]`;
    case "Future":
    case "Await":
    case "RRef":
      return `${type.kind}[${inner(type.element)}]`;
    case "Var":
      return type.name;
    case "Function":
      return "Function";
    case "Class":
    case "Interface":
    case "Enum":
      return type.name.qualifiedName;
    default:
      return SIMPLE[type.kind][1];
  }
}

/** Text in error messages. Mirrors `Type::repr_str()`. */
export function typeReprStr(type: Type): string {
  if (type === InferredTensorT) return "Tensor (inferred)";
  if (type.kind === "Tensor" && type.detail) return "Tensor";
  if (type.kind === "Optional" || type.kind === "Union" || type.kind === "List" || type.kind === "Dict")
    return annotationStr(type);
  return annotationStr(type);
}
