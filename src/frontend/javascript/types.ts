/** @file TypeScript's types, schema texts and defaults as TorchScript's type expressions. Upstream: torch/jit/annotations.py. Spec: docs/scripting.md. */
import type * as B from "@babel/types";
import { ScriptError } from "../../base/errors.ts";
import { Source, type SourceRange } from "../../base/source_range.ts";
import { parseSchema, type FunctionSchema } from "../../core/schema.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import type { Expr } from "../ast.ts";
import { parseExpression } from "../parser.ts";
import type { Lowering } from "./lowering.ts";

/** A type expression with every range set to one: where the type was written in another language. */
function placed(expr: Expr, range: SourceRange): Expr {
  const at = (x: Expr): Expr => placed(x, range);
  switch (expr.kind) {
    case "Var":
      return { ...expr, name: { ...expr.name, range }, range };
    case "Select":
      return { ...expr, value: at(expr.value), selector: { ...expr.selector, range }, range };
    case "Subscript":
      return { ...expr, value: at(expr.value), indices: expr.indices.map(at), range };
    case "List":
    case "Tuple":
      return { ...expr, elements: expr.elements.map(at), range };
    case "Binary":
      return { ...expr, left: at(expr.left), right: at(expr.right), range };
    default:
      return { ...expr, range };
  }
}

/** A type as an expression at a place. */
export function typeExpression(type: Type, range: SourceRange): Expr {
  return placed(parseExpression(new Source(T.annotationStr(type))), range);
}

/** A type written as text: `List[int]` as in Python, or `int[]`, `Tensor?` as in schemas. */
export function typeFromText(text: string, range: SourceRange): Expr {
  if (/[?)]\s*$|\[\]|^\s*\(|Dict\(/.test(text)) {
    const returned = parseSignature(`() -> ${text}`, range).returns;
    const type = returned.length === 1 ? returned[0]!.type : T.tupleOf(returned.map((r) => r.type));
    return typeExpression(type, range);
  }
  try {
    return placed(parseExpression(new Source(text)), range);
  } catch (error) {
    if (error instanceof ScriptError) throw new ScriptError(`"${text}" is no type: ${error.reason}`, range);
    throw error;
  }
}

/** A declared signature such as `(Tensor xs, int n=3) -> (Tensor, Tensor)`. */
export function parseSignature(text: string, range: SourceRange | undefined): FunctionSchema {
  try {
    return parseSchema(`signature${text.trim().startsWith("(") ? "" : "("}${text.trim()}`);
  } catch (error) {
    const reason = error instanceof ScriptError ? error.reason : String(error instanceof Error ? error.message : error);
    throw new ScriptError(
      `Cannot read the signature "${text}": ${reason}; write it as in '(Tensor xs, int n=3) -> (Tensor, Tensor)'`,
      range,
    );
  }
}

const NAMES: Readonly<Record<string, string>> = {
  Tensor: "Tensor",
  Parameter: "Tensor",
  int: "int",
  float: "float",
  boolean: "bool",
  Boolean: "bool",
  string: "str",
  String: "str",
  Device: "Device",
};

function generic(c: Lowering, name: string, args: readonly (Expr | undefined)[], node: B.Node): Expr | undefined {
  const indices = args.filter((a) => a !== undefined);
  if (indices.length !== args.length) return undefined;
  return { kind: "Subscript", value: c.variable(name, node), indices, range: c.range(node) };
}

/** A TypeScript type as a type expression; undefined where it is `number`, which says neither int nor float. */
export function lowerType(c: Lowering, node: B.Node): Expr | undefined {
  const name = (text: string): Expr => c.variable(text, node);
  switch (node.type) {
    case "TSTypeAnnotation":
      return lowerType(c, node.typeAnnotation);
    case "TSParenthesizedType":
    case "TSOptionalType":
      return lowerType(c, node.typeAnnotation);
    case "TSTypeOperator":
      return lowerType(c, node.typeAnnotation);
    case "TSBooleanKeyword":
      return name("bool");
    case "TSStringKeyword":
      return name("str");
    case "TSNullKeyword":
    case "TSVoidKeyword":
      return { kind: "None", range: c.range(node) };
    case "TSNumberKeyword":
      return undefined;
    case "TSArrayType":
      return generic(c, "List", [lowerType(c, node.elementType)], node);
    case "TSTupleType":
      return generic(
        c,
        "Tuple",
        node.elementTypes.map((t) => lowerType(c, t.type === "TSNamedTupleMember" ? t.elementType : t)),
        node,
      );
    case "TSUnionType":
      return lowerUnion(c, node);
    case "TSTypeReference":
      return lowerReference(c, node);
    case "TSTypeLiteral": {
      const [member] = node.members;
      if (node.members.length === 1 && member?.type === "TSIndexSignature" && member.typeAnnotation)
        return generic(c, "Dict", [name("str"), lowerType(c, member.typeAnnotation)], node);
      const types = node.members.map((m) =>
        m.type === "TSPropertySignature" && !m.optional && !m.computed ? m.typeAnnotation : undefined,
      );
      const text = (type: B.Node | null | undefined): string | undefined => (type ? c.range(type).text() : undefined);
      // `{ a: T; b: T }` holds a T under every name
      if (types[0] && types.every((type) => text(type) === text(types[0])))
        return generic(c, "Dict", [name("str"), lowerType(c, types[0])], node);
      return c.refuse(
        node,
        "This type has no counterpart in TorchScript, where all values of a dict have one type; write Record<string, T>, Map<K, V>, or a tuple [A, B]",
      );
    }
    default:
      return c.refuse(
        node,
        "This type has no counterpart in TorchScript; give `static signatures`, or one of Tensor, int, float, boolean, string, T[], [A, B], Map<K, V>, Record<string, T>, T | null",
      );
  }
}

function lowerUnion(c: Lowering, node: B.TSUnionType): Expr | undefined {
  const some = node.types.filter((t) => t.type !== "TSNullKeyword" && t.type !== "TSUndefinedKeyword");
  if (node.types.some((t) => t.type === "TSUndefinedKeyword"))
    c.refuse(node, "TorchScript has no undefined; write `| null` and pass null");
  const members = some.map((t) => lowerType(c, t));
  const inner = members.length === 1 ? members[0] : generic(c, "Union", members, node);
  return some.length === node.types.length ? inner : generic(c, "Optional", [inner], node);
}

function lowerReference(c: Lowering, node: B.TSTypeReference): Expr | undefined {
  const { typeName } = node;
  const text =
    typeName.type === "Identifier" ? typeName.name : typeName.type === "TSQualifiedName" ? typeName.right.name : "";
  const args =
    (node.typeParameters ?? (node as { typeArguments?: B.TSTypeParameterInstantiation }).typeArguments)?.params ?? [];
  const types = (): (Expr | undefined)[] => args.map((t) => lowerType(c, t));
  switch (text) {
    case "Array":
    case "ReadonlyArray":
      return generic(c, "List", types(), node);
    case "Map":
    case "ReadonlyMap":
    case "Record":
      return generic(c, "Dict", types(), node);
    case "Readonly":
      return types()[0];
    default: {
      const constraint = c.typeParameters.get(text);
      if (constraint) return lowerType(c, constraint);
      const known = NAMES[text];
      if (known !== undefined) return c.variable(known, node);
      return c.refuse(
        node,
        `The type ${text} has no counterpart in TorchScript; give \`static signatures\`, or one of Tensor, int, float, boolean, string, T[], [A, B], Map<K, V>, Record<string, T>, T | null`,
      );
    }
  }
}

/** Whether a TypeScript type is a list at its outside. */
export function isArrayType(node: B.Node): boolean {
  if (node.type === "TSTypeAnnotation" || node.type === "TSTypeOperator") return isArrayType(node.typeAnnotation);
  if (node.type === "TSArrayType") return true;
  return (
    node.type === "TSTypeReference" &&
    node.typeName.type === "Identifier" &&
    (node.typeName.name === "Array" || node.typeName.name === "ReadonlyArray")
  );
}

/** How JavaScript makes the dicts of a type. */
export function containerOfType(node: B.Node): "record" | "map" | undefined {
  if (node.type === "TSTypeAnnotation") return containerOfType(node.typeAnnotation);
  if (node.type === "TSTypeLiteral") return "record";
  if (node.type !== "TSTypeReference" || node.typeName.type !== "Identifier") return undefined;
  if (node.typeName.name === "Record") return "record";
  return node.typeName.name === "Map" || node.typeName.name === "ReadonlyMap" ? "map" : undefined;
}
