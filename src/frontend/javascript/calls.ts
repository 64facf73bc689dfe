/** @file JavaScript calls: of functions, modules and methods, of what JavaScript itself has (Math, Object, Array), of jit. Upstream: none (torch/jit/frontend.py build_Call). Spec: docs/scripting.md. */
import type * as B from "@babel/types";
import type { Expr, KeywordArgument } from "../ast.ts";
import { containerOf, isPackagePath, lowerExpr, propertyKey, typeArgument } from "./expressions.ts";
import { dottedPath, type Lowering } from "./lowering.ts";

/** Methods of containers that take an object as a value, not as keyword arguments. */
const VALUE_METHODS = new Set(["push", "unshift", "set", "concat", "includes", "fill"]);

/** Methods of arrays that take a function. */
const CALLBACKS: Readonly<Record<string, string>> = {
  filter: "filter is not compiled; write a loop with push",
  reduce: "reduce is not compiled; write a loop",
  forEach: "forEach is not compiled; write for (const x of xs) { ... }",
  some: "some is not compiled; write a loop with a boolean",
  every: "every is not compiled; write a loop with a boolean",
  find: "find is not compiled; write a loop",
  findIndex: "findIndex is not compiled; write a loop",
  flatMap: "flatMap is not compiled; write a loop with push",
  sort: "This order is not compiled; write xs.sort((a, b) => a - b) for numbers",
};

interface Arguments {
  readonly args: Expr[];
  readonly kwargs: KeywordArgument[];
}

/** Positional arguments and, from an object literal at the end, keyword arguments. */
function lowerArguments(c: Lowering, nodes: B.CallExpression["arguments"], keywords: boolean): Arguments {
  const args: Expr[] = [];
  const kwargs: KeywordArgument[] = [];
  nodes.forEach((node, i) => {
    if (node.type === "SpreadElement") {
      args.push({ kind: "Starred", value: lowerExpr(c, node.argument), range: c.range(node) });
      return;
    }
    if (node.type === "ArgumentPlaceholder") c.refuse(node, "Partial application is not compiled");
    if (!keywords || i !== nodes.length - 1 || node.type !== "ObjectExpression") {
      args.push(c.parts.expr(c, node));
      return;
    }
    for (const property of node.properties) {
      if (property.type !== "ObjectProperty")
        c.refuse(property, "Keyword arguments are written one by one: { dim: 1, keepdim: true }");
      kwargs.push({
        name: c.ident(propertyKey(c, property), property.key),
        value: c.parts.expr(c, property.value),
        range: c.range(property),
      });
    }
  });
  return { args, kwargs };
}

function plainArguments(c: Lowering, node: B.CallExpression): Expr[] {
  return lowerArguments(c, node.arguments, false).args;
}

function expectArguments(c: Lowering, node: B.CallExpression, count: number, what: string): B.Node[] {
  const args = node.arguments;
  if (args.length !== count || args.some((a) => a.type === "SpreadElement"))
    c.refuse(node, `${what} takes ${count} argument${count === 1 ? "" : "s"}`);
  return args;
}

/** The arrow function of `map` and `Array.from`: its parameters and the expression it gives. */
function inlineArrow(
  c: Lowering,
  node: B.Node | undefined,
  what: string,
): { params: B.ArrowFunctionExpression["params"]; body: B.Expression } {
  if (node?.type !== "ArrowFunctionExpression" || node.async)
    return c.refuse(
      node ?? ({ type: "EmptyStatement", start: 0, end: 0 } as B.EmptyStatement),
      `Give ${what} an arrow function here: x => x.relu()`,
    );
  if (node.body.type === "BlockStatement")
    return c.refuse(node.body, `The function of ${what} must be an expression, without braces; else write a loop`);
  return { params: node.params, body: node.body };
}

function comprehension(c: Lowering, node: B.Node, target: Expr, iter: Expr, body: B.Expression): Expr {
  return { kind: "ListComp", element: lowerExpr(c, body), target, iter, range: c.range(node) };
}

/** `xs.map(x => e)`: a list comprehension. */
function lowerMapCall(c: Lowering, node: B.CallExpression, object: B.Node): Expr {
  const { params, body } = inlineArrow(c, node.arguments[0], "map");
  const over = lowerExpr(c, object);
  return c.inScope(() => {
    const [item, index] = params;
    for (const param of params) c.declarePattern(param, true);
    if (!item || params.length > 2) c.refuse(node, "The function of map takes the element and, if wanted, its index");
    if (!index) return comprehension(c, node, c.parts.pattern(c, item), c.form("elements", [over], object), body);
    const indexTarget = c.parts.pattern(c, index);
    const target: Expr = {
      kind: "Tuple",
      elements: [indexTarget, c.parts.pattern(c, item)],
      range: c.between(params[0]!, index),
    };
    return comprehension(c, node, target, c.form("enumerate", [over], object), body);
  });
}

/** `Array.from({ length: n }, (_, i) => e)`, `Array.from(xs)`. */
function lowerArrayFrom(c: Lowering, node: B.CallExpression): Expr {
  const [source, fn] = node.arguments;
  if (!source || source.type === "SpreadElement") return c.refuse(node, "Array.from takes what to make the array from");
  if (source.type !== "ObjectExpression") {
    if (fn) return lowerMapCall(c, { ...node, arguments: [fn] }, source);
    return c.form("list", [lowerExpr(c, source)], node);
  }
  const [property] = source.properties;
  if (source.properties.length !== 1 || property?.type !== "ObjectProperty" || propertyKey(c, property) !== "length")
    c.refuse(source, "Array.from is compiled of { length: n } and of arrays");
  const count = c.form("range", [lowerExpr(c, (property as B.ObjectProperty).value)], source);
  const { params, body } = inlineArrow(c, fn, "Array.from");
  return c.inScope(() => {
    const [ignored, index] = params;
    if (ignored && (ignored.type !== "Identifier" || !ignored.name.startsWith("_")))
      c.refuse(ignored, "The first parameter is undefined here; call it _: (_, i) => ...");
    if (index) c.declarePattern(index, true);
    const target = index ? c.parts.pattern(c, index) : c.temp(node);
    return comprehension(c, node, target, count, body);
  });
}

/** Calls of what JavaScript has. */
function lowerGlobalCall(c: Lowering, node: B.CallExpression, path: string): Expr {
  const [root, member = ""] = path.split(".");
  switch (root) {
    case "Math": {
      const [first] = node.arguments;
      if (first?.type === "SpreadElement" && node.arguments.length === 1)
        return c.form(`${path}...`, [lowerExpr(c, first.argument)], node);
      // Math.floor(a / b) of ints is floor division
      if (
        member === "floor" &&
        first?.type === "BinaryExpression" &&
        first.operator === "/" &&
        node.arguments.length === 1
      )
        return c.form("floorDiv", [lowerExpr(c, first.left), lowerExpr(c, first.right)], node);
      return c.form(path, plainArguments(c, node), node);
    }
    case "Object":
      if (member === "keys" || member === "values" || member === "entries")
        return c.form(`Object.${member}`, plainArguments(c, node), node);
      break;
    case "Array":
      if (member === "from") return lowerArrayFrom(c, node);
      break;
    case "String":
      if (member === "") return c.form("str", plainArguments(c, node), node);
      break;
    case "Number":
      if (member === "isNaN" || member === "isFinite") return c.form(path, plainArguments(c, node), node);
      return c.refuse(node, "Write jit.float(x) or jit.int(x): int and float are two types in TorchScript");
    case "Boolean":
      return c.refuse(node, "Write a comparison: x !== 0, list.length > 0, x !== null");
    case "console":
      if (member === "assert")
        return c.refuse(
          node,
          "console.assert only prints, TorchScript's assert raises; write jit.assert(condition, message)",
        );
      if (member === "log")
        return c.form(
          "print",
          plainArguments(c, node).map((x, i) => c.form("printable", [x], node.arguments[i]!)),
          node,
        );
      break;
    default:
  }
  return c.refuse(node, `${path} is not compiled; see docs/scripting.md for what is`);
}
const GLOBAL_ROOTS = new Set(["Math", "Object", "Array", "String", "Number", "Boolean", "console"]);

/** Calls of `jit`. */
function lowerJitCall(c: Lowering, node: B.CallExpression, member: string): Expr {
  switch (member) {
    case "annotate": {
      const [type, value] = expectArguments(c, node, 2, "jit.annotate");
      return c.form("annotate", [typeArgument(c, type!), c.parts.expr(c, value!)], node);
    }
    case "isinstance": {
      const [value, type] = expectArguments(c, node, 2, "jit.isinstance");
      return c.form("isinstance", [lowerExpr(c, value!), typeArgument(c, type!)], node);
    }
    case "isScripting":
      return c.form("isScripting", [], node);
    case "float": {
      const [value] = expectArguments(c, node, 1, "jit.float");
      if (value!.type === "NumericLiteral" && /^\d+$/.test(String(value!.extra?.["raw"])))
        return { kind: "Number", text: `${value!.value}.0`, range: c.range(node) };
      return c.form("float", [lowerExpr(c, value!)], node);
    }
    case "int":
      return c.form("int", [lowerExpr(c, expectArguments(c, node, 1, "jit.int")[0]!)], node);
    case "mod":
      return c.form(
        "%python",
        expectArguments(c, node, 2, "jit.mod").map((x) => lowerExpr(c, x)),
        node,
      );
    case "assert":
      return c.refuse(node, "jit.assert is a statement of its own");
    default:
      return c.refuse(node, `jit.${member} is not compiled; see docs/scripting.md for what is`);
  }
}

/** `callee(args)`. `twice`: the call is a condition, whose callee upstream's emitter looks up twice. */
export function lowerCall(c: Lowering, node: B.CallExpression, twice: boolean): Expr {
  const callee = calleeOf(node);
  if (callee.type === "Super" || callee.type === "Import") c.refuse(node, "`super` and `import` are not compiled");
  const path = dottedPath(callee);
  const first = path?.[0];
  if (path && first !== undefined && !c.scope.find(first)) {
    const root = c.names.packageOf(first);
    const full = root === undefined ? undefined : [root, ...path.slice(1)].filter(Boolean).join(".");
    if (full !== undefined && GLOBAL_ROOTS.has(full.split(".")[0]!)) return lowerGlobalCall(c, node, full);
    if (full?.startsWith("jit.")) return lowerJitCall(c, node, full.slice(4));
    if (root !== undefined || path.length === 1) return plainCall(c, node, lowerExpr(c, callee), twice);
  }
  if (callee.type !== "MemberExpression" || callee.computed || callee.object.type === "ThisExpression")
    return plainCall(c, node, lowerExpr(c, callee), twice);
  const { property, object } = callee;
  if (property.type !== "Identifier") c.refuse(callee, "Private methods are not compiled; use a method without `#`");
  const name = (property as B.Identifier).name;
  const [argument] = node.arguments;
  if (name === "map" && argument?.type === "ArrowFunctionExpression") return lowerMapCall(c, node, object);
  if (name === "push" && c.statementCall !== node)
    c.refuse(node, "push gives the new length in JavaScript; make it a statement of its own, and read xs.length");
  if (name === "sort" && argument) {
    const order = numericOrder(argument);
    if (order) return c.form(order === 1 ? "sort" : "sortDown", [lowerExpr(c, object)], node);
  }
  const advice = argument?.type === "ArrowFunctionExpression" ? CALLBACKS[name] : undefined;
  if (advice !== undefined) c.refuse(node, advice);
  const special = lowerContainerCall(c, node, object, name);
  if (special) return special;
  const { args, kwargs } = lowerArguments(c, node.arguments, !VALUE_METHODS.has(name));
  const container = containerOf(c, object)[0] ?? c.string("", object);
  // the range of the method is that of the member, as for a call of Python's
  const form = c.variable(`$js:${twice ? "method2" : "method"}`, callee);
  return c.apply(form, [lowerExpr(c, object), c.string(name, property), container, ...args], node, kwargs);
}

/** An index of `x.at(...)`: `"..."`, null, `torch.slice(from, to)`, or a value. */
function lowerIndex(c: Lowering, node: B.Node): Expr {
  const range = c.range(node);
  if (node.type === "StringLiteral" && node.value === "...") return { kind: "Dots", range };
  if (node.type === "SpreadElement") c.refuse(node, "Give the indices one by one");
  const path = node.type === "CallExpression" ? dottedPath(node.callee) : undefined;
  if (node.type !== "CallExpression" || !path || !isPackagePath(c, path, "torch", ["slice"]))
    return c.parts.expr(c, node);
  const parts = node.arguments.map((part) => (part.type === "NullLiteral" ? undefined : c.parts.expr(c, part)));
  if (parts.length === 1) return { kind: "Slice", start: undefined, end: parts[0], step: undefined, range };
  return { kind: "Slice", start: parts[0], end: parts[1], step: parts[2], range };
}

/** `x.at(i, torch.slice(1, null))`, `list.at(-1)`, `map.get(key)` as a subscript. */
export function lowerSubscript(
  c: Lowering,
  node: B.Node,
  object: B.Node,
  method: string,
  indices: readonly B.Node[],
): Expr {
  const value = c.form(
    "subscripted",
    [lowerExpr(c, object), c.string(method, object), ...containerOf(c, object)],
    object,
  );
  return { kind: "Subscript", value, indices: indices.map((index) => lowerIndex(c, index)), range: c.range(node) };
}

/** Methods whose Python twin evaluates its parts in another order, or is an operator. */
function lowerContainerCall(c: Lowering, node: B.CallExpression, object: B.Node, name: string): Expr | undefined {
  const args = node.arguments;
  const [only] = args;
  if (name === "entries" && args.length === 0 && containerOf(c, object).length === 0) {
    // [...list].entries(): the copy of an iterable is only there to be counted
    const copied = object.type === "ArrayExpression" && object.elements.length === 1 ? object.elements[0] : undefined;
    const over = copied?.type === "SpreadElement" ? copied.argument : object;
    return c.form("entries", [lowerExpr(c, over)], node);
  }
  if ((name === "at" || name === "get") && args.length > 0) return lowerSubscript(c, node, object, name, args);
  if (args.length !== 1 || !only || only.type === "SpreadElement") return undefined;
  if (name === "has" || name === "includes")
    return c.form(
      "contains",
      [lowerExpr(c, object), c.parts.expr(c, only), c.string(name, node), ...containerOf(c, object)],
      node,
    );
  if (name === "join") return c.form("join", [lowerExpr(c, object), c.parts.expr(c, only)], node);
  return undefined;
}

/** 1 for `(a, b) => a - b`, -1 for `(a, b) => b - a`. */
function numericOrder(node: B.Node): 1 | -1 | undefined {
  if (node.type !== "ArrowFunctionExpression" || node.params.length !== 2) return undefined;
  const { body } = node;
  const names = node.params.map((p) => (p.type === "Identifier" ? p.name : undefined));
  if (body.type !== "BinaryExpression" || body.operator !== "-") return undefined;
  if (body.left.type !== "Identifier" || body.right.type !== "Identifier") return undefined;
  if (body.left.name === names[0] && body.right.name === names[1]) return 1;
  return body.left.name === names[1] && body.right.name === names[0] ? -1 : undefined;
}

/** The callee; bundlers write `(0, x.f)(...)`. */
function calleeOf(node: B.CallExpression): B.CallExpression["callee"] {
  const { callee } = node;
  if (callee.type === "SequenceExpression" && callee.expressions.length === 2) return callee.expressions[1]!;
  return callee.type === "ParenthesizedExpression" ? callee.expression : callee;
}

function plainCall(c: Lowering, node: B.CallExpression, callee: Expr, twice: boolean): Expr {
  const { args, kwargs } = lowerArguments(c, node.arguments, true);
  const form = c.variable(`$js:${twice ? "call2" : "call"}`, node.callee);
  return c.apply(form, [callee, ...args], node, kwargs);
}
