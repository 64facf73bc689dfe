/** @file A JavaScript function as a definition of TorchScript's syntax tree: parameters, types, body. Upstream: none (torch/jit/frontend.py get_jit_def). Spec: docs/scripting.md. */
import type * as B from "@babel/types";
import type { Source } from "../../base/source_range.ts";
import type { FunctionSchema } from "../../core/schema.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import type { Def, Expr, Param, Stmt } from "../ast.ts";
import { evaluateLiteral, type TypedConstant } from "../default_value.ts";
import { ScriptTypeParser } from "../script_type_parser.ts";
import { escapeOf } from "./array_defaults.ts";
import { lowerCall } from "./calls.ts";
import { lowerCondition, lowerExpr } from "./expressions.ts";
import { Lowering, bare, someNode, type FreeNames, type LoweringParts } from "./lowering.ts";
import type { FunctionSource } from "./parse.ts";
import { lowerBlock, lowerPattern, lowerStatements } from "./statements.ts";
import { containerOfType, isArrayType, lowerType, parseSignature, typeExpression } from "./types.ts";

const PARTS: LoweringParts = {
  expr: lowerExpr,
  condition: lowerCondition,
  call: lowerCall,
  block: lowerBlock,
  pattern: lowerPattern,
};

/** How to lower a function. */
export interface LowerOptions {
  readonly name: string;
  readonly isMethod: boolean;
  readonly names: FreeNames;
  /** `(Tensor xs, int n=3) -> (Tensor, Tensor)`: goes before all other types. */
  readonly signature?: string | undefined;
}

/** Why defaults that can change are refused. */
const KEPT = "JavaScript makes this default anew at every call, compiled code would keep one between calls";

/** A literal as TorchScript reads one, for defaults. */
function literal(c: Lowering, node: B.Node): Expr {
  const inner = bare(node);
  switch (inner.type) {
    case "NumericLiteral":
    case "StringLiteral":
    case "BooleanLiteral":
    case "NullLiteral":
      return lowerExpr(c, inner);
    case "UnaryExpression": {
      const operand = literal(c, inner.argument);
      if (inner.operator === "-" && operand.kind === "Number") return { ...operand, text: `-${operand.text}` };
      break;
    }
    case "ArrayExpression":
      return {
        kind: "List",
        elements: inner.elements.map((x) => (x ? literal(c, x) : c.refuse(inner, "A default has no holes"))),
        range: c.range(inner),
      };
    case "NewExpression":
    case "ObjectExpression":
      c.refuse(node, `${KEPT}; write null as the default, and in the body: const own: Map<K, V> = given ?? new Map()`);
    default:
  }
  return c.refuse(node, "A default is a literal: a number, text, boolean, null, or an array of them");
}

/** The value of a literal constant outside of functions; undefined where it is none. */
export function evaluateConstant(source: Source, node: B.Node): TypedConstant | undefined {
  const names: FreeNames = { packageOf: () => undefined, numberOf: () => undefined };
  const c = new Lowering(source, 0, { isMethod: false, names, parts: PARTS });
  const types = new ScriptTypeParser();
  return evaluateLiteral(literal(c, node), undefined, (expr) => types.parseTypeFromExpr(expr));
}

/** The type that a default says. */
function typeOfLiteral(c: Lowering, value: Expr, node: B.Node): Expr {
  const named = (name: string): Expr => c.variable(name, node);
  switch (value.kind) {
    case "Number":
      return named(/[.e]/i.test(value.text) ? "float" : "int");
    case "String":
      return named("str");
    case "True":
    case "False":
      return named("bool");
    case "None":
      return { kind: "Subscript", value: named("Optional"), indices: [named("Tensor")], range: c.range(node) };
    case "List": {
      const [first] = value.elements;
      const element = first ? typeOfLiteral(c, first, node) : named("Tensor");
      return { kind: "Subscript", value: named("List"), indices: [element], range: c.range(node) };
    }
    default:
      return c.refuse(node, "The type of this default is not known; annotate the parameter");
  }
}

/** A constant of a signature as a literal. */
function constantLiteral(c: Lowering, value: unknown, type: Type, node: B.Node): Expr {
  const range = c.range(node);
  if (value === null || value === undefined) return { kind: "None", range };
  if (typeof value === "boolean") return { kind: value ? "True" : "False", range };
  if (typeof value === "string") return { kind: "String", value, range };
  if (typeof value === "number" || typeof value === "bigint") {
    const wanted = type.kind === "Optional" ? type.element : type;
    const text = String(value);
    return { kind: "Number", text: wanted.kind === "Float" && /^-?\d+$/.test(text) ? `${text}.0` : text, range };
  }
  if (Array.isArray(value)) {
    const element = type.kind === "List" ? type.element : T.IntT;
    return { kind: "List", elements: value.map((x) => constantLiteral(c, x, element, node)), range };
  }
  return c.refuse(node, "The default in the signature is no literal");
}

class Parameters {
  readonly params: Param[] = [];
  private readonly c: Lowering;
  private readonly schema: FunctionSchema | undefined;
  private readonly body: B.Node;
  constructor(c: Lowering, schema: FunctionSchema | undefined, body: B.Node) {
    this.c = c;
    this.schema = schema;
    this.body = body;
  }

  /** Adds a parameter with its name, annotation and default. */
  add(id: B.Identifier, fallback: B.Node | undefined, kwargOnly: boolean): void {
    const { c } = this;
    const binding = c.declare(id.name, { constant: false, initialized: true });
    binding.isParameter = true;
    const annotation = id.typeAnnotation ?? undefined;
    if (annotation) binding.container = containerOfType(annotation);
    const declared = this.schema?.args[this.params.length - (c.isMethod ? 1 : 0)];
    if (this.schema && declared?.name !== id.name)
      c.refuse(
        id,
        `The signature calls this parameter ${declared ? `"${declared.name}"` : "nothing"}; use one name in both`,
      );
    let defaultValue = fallback ? literal(c, fallback) : undefined;
    let type: Expr | undefined;
    if (declared) {
      type = typeExpression(declared.type, c.range(id));
      if (declared.hasDefault && !defaultValue)
        defaultValue = constantLiteral(c, declared.defaultValue, declared.type, id);
    } else if (annotation) {
      if (id.optional) c.refuse(id, `A parameter that is left out is undefined; write ${id.name}: T | null = null`);
      type = lowerType(c, annotation);
      if (!type) {
        if (!defaultValue || defaultValue.kind === "None" || defaultValue.kind === "List")
          c.refuse(
            id,
            "`number` says neither int nor float; write int or float (types of tsarchive), or give a default such as 2 or 2.0",
          );
        type = typeOfLiteral(c, defaultValue!, id);
      }
    } else if (defaultValue) type = typeOfLiteral(c, defaultValue, id);
    if (defaultValue?.kind === "List") this.checkArray(id, fallback ?? id, defaultValue.elements);
    // a Tensor needs no annotation, and has none in Python as a rule
    if (type?.kind === "Var" && type.name.name === "Tensor" && !defaultValue) type = undefined;
    this.params.push({
      name: c.ident(binding.emitted, id),
      type,
      defaultValue,
      kwargOnly,
      range: c.range(id),
    });
  }

  /** Refuses an array as a default that the function may change or give away. */
  private checkArray({ name, typeAnnotation }: B.Identifier, place: B.Node, elements: readonly Expr[]): void {
    const { c } = this;
    const annotated = typeAnnotation?.type === "TSTypeAnnotation" ? typeAnnotation.typeAnnotation : undefined;
    const type = annotated ? c.textOf(annotated) : "T[]";
    const value = place.type === "ArrayExpression" ? c.textOf(place) : "[]";
    const instead = `write ${name}: ${type} | null = null, and in the body: const own: ${type} = ${name} ?? ${value}`;
    if (elements.some((element) => element.kind === "List")) c.refuse(place, `${KEPT}; ${instead}`);
    const escape = escapeOf(this.body, name, c.names);
    if (escape)
      c.refuse(
        escape,
        `The default of "${name}" is an array that may be changed or given away here. ${KEPT}; ${instead}`,
      );
  }
}

function addParameter(c: Lowering, parameters: Parameters, node: B.Node, isLast: boolean): void {
  const target = node.type === "AssignmentPattern" ? node.left : node;
  const fallback = node.type === "AssignmentPattern" ? node.right : undefined;
  if (target.type === "Identifier") {
    if (target.name === "this") return;
    parameters.add(target, fallback, false);
    return;
  }
  if (target.type === "ObjectPattern") {
    // options: keyword arguments
    if (!isLast) c.refuse(target, "An object of options comes last");
    for (const property of target.properties) {
      if (property.type === "RestElement") c.refuse(property, "`...rest` of options is not compiled; name them");
      const { value } = property as B.ObjectProperty;
      const id = value.type === "AssignmentPattern" ? value.left : value;
      if (id.type !== "Identifier") c.refuse(property, "An option is a name, with a default: { scale = 1.0 }");
      parameters.add(id as B.Identifier, value.type === "AssignmentPattern" ? value.right : undefined, true);
    }
    return;
  }
  if (target.type === "RestElement") c.refuse(node, "`...rest` parameters are not compiled; take an array");
  c.refuse(node, "A parameter is a name; take it apart in the body: const [a, b] = pair");
}

/** The kinds of functions that are compiled. */
function checkKind(c: Lowering, { node }: FunctionSource): void {
  if (node.async)
    c.refuseFunction(node, "Asynchronous functions are not compiled; leave them to JavaScript: jit.ignore");
  if ("generator" in node && node.generator)
    c.refuseFunction(node, "Generators are not compiled; fill an array and return it");
  if ((node.type === "ClassMethod" || node.type === "ObjectMethod") && (node.kind === "get" || node.kind === "set"))
    c.refuseFunction(node, "Accessors are not compiled; write a method");
}

/** Lowers a function. Throws ScriptError with the place of what cannot be compiled and what to write instead. */
export function lowerFunction(from: FunctionSource, options: LowerOptions): Def {
  const { node, source, offset } = from;
  const c = new Lowering(source, offset, { isMethod: options.isMethod, names: options.names, parts: PARTS });
  checkKind(c, from);
  if (node.typeParameters?.type === "TSTypeParameterDeclaration")
    for (const { name, constraint } of node.typeParameters.params)
      if (constraint) c.typeParameters.set(typeof name === "string" ? name : (name as B.Identifier).name, constraint);
  const range = c.range(node);
  const head = c.head(node);
  const schema = options.signature === undefined ? undefined : parseSignature(options.signature, head);
  const parameters = new Parameters(c, schema, node.body);
  const name = c.ident(options.name, node);
  if (options.isMethod)
    parameters.params.push({
      name: { ...name, name: "self" },
      type: undefined,
      defaultValue: undefined,
      kwargOnly: false,
      range,
    });
  node.params.forEach((p, i) => addParameter(c, parameters, p, i === node.params.length - 1));
  if (schema && schema.args.length !== parameters.params.length - (options.isMethod ? 1 : 0))
    c.refuseFunction(
      node,
      `The signature has ${schema.args.length} parameters, the function ${parameters.params.length - (options.isMethod ? 1 : 0)}`,
    );
  someNode(node.body, (n) => {
    const target = n.type === "AssignmentExpression" ? n.left : n.type === "UpdateExpression" ? n.argument : undefined;
    if (target) someNode(target, (x) => x.type === "Identifier" && c.assigned.add(x.name) === undefined);
    return false;
  });
  const returnType = returned(c, node, schema);
  const body = bodyOf(c, node);
  return { name, params: parameters.params, returnType, body, declRange: head, range };
}

function returned(c: Lowering, node: FunctionSource["node"], schema: FunctionSchema | undefined): Expr | undefined {
  if (schema) {
    const [only] = schema.returns;
    const type =
      schema.returns.length === 1
        ? only!.type
        : schema.returns.length === 0
          ? T.NoneT
          : T.tupleOf(schema.returns.map((r) => r.type));
    return typeExpression(type, c.range(node));
  }
  const annotation = node.returnType;
  if (annotation?.type !== "TSTypeAnnotation") return undefined;
  if (/^TS(?:Any|Unknown)Keyword$/.test(annotation.typeAnnotation.type)) return undefined;
  c.returnsList = isArrayType(annotation);
  // `number` leaves the type to the values
  return lowerType(c, annotation);
}

function bodyOf(c: Lowering, node: FunctionSource["node"]): Stmt[] {
  if (node.body.type === "BlockStatement") return lowerStatements(c, node.body.body);
  const value = c.parts.expr(c, node.body, c.returnsList ? "list" : "tuple");
  return [{ kind: "Return", value, range: c.range(node.body) }];
}
