/** @file JavaScript expressions to TorchScript's. Upstream: none (torch/jit/frontend.py ExprBuilder). Spec: docs/scripting.md. */
import type * as B from "@babel/types";
import type { Expr } from "../ast.ts";
import { bare, childNodes, dottedPath, FREE, type ArrayUse, type Lowering } from "./lowering.ts";
import { lowerType, typeFromText } from "./types.ts";

/** Operators whose result is a bool whatever the operands. */
const COMPARISONS = new Set(["<", ">", "<=", ">=", "===", "!==", "==", "!="]);
/** What to write instead of operators on 32-bit integers. */
const BITWISE = new Set(["|", "&", "^", "<<", ">>", ">>>"]);
/** Tensor methods whose result is of dtype bool: their `item()` is a condition. */
const BOOL_METHODS = new Set(
  "any all gt ge lt le eq ne greater greater_equal less less_equal not_equal logical_and logical_or logical_not logical_xor isnan isinf isfinite isposinf isneginf signbit".split(
    " ",
  ),
);

/** Text of a number as TorchScript reads it: an int has neither dot nor exponent. */
function numberText(c: Lowering, node: B.NumericLiteral): string {
  const raw = String(node.extra?.["raw"] ?? node.value).replaceAll("_", "");
  if (/^0[xob]/i.test(raw) || /^\d+$/.test(raw)) {
    if (!Number.isSafeInteger(node.value))
      c.refuse(node, "This integer is beyond 2^53, where JavaScript numbers are no longer exact; write a smaller one");
    return String(node.value);
  }
  return raw.startsWith(".") ? `0${raw}` : raw;
}

/** A bare `null`. */
export function isNull(node: B.Node): boolean {
  return bare(node).type === "NullLiteral";
}

/** Whether an expression is a bool for what it looks like. */
function isBooleanSyntax(node: B.Node): boolean {
  const inner = bare(node);
  return (
    inner.type === "BooleanLiteral" ||
    (inner.type === "BinaryExpression" && (COMPARISONS.has(inner.operator) || inner.operator === "in")) ||
    (inner.type === "UnaryExpression" && inner.operator === "!")
  );
}

/** Whether a number has at most 8 significant bits: every floating dtype of tensors holds it exactly. */
function isShortNumber(value: number): boolean {
  if (value === 0) return true;
  let mantissa = Math.abs(value);
  if (!(mantissa < 2 ** 15 && mantissa > 2 ** -14)) return false;
  while (!Number.isInteger(mantissa)) mantissa *= 2;
  while (mantissa % 2 === 0) mantissa /= 2;
  return mantissa < 256;
}

function literalValue(node: B.Node): number | undefined {
  const inner = bare(node);
  if (inner.type === "NumericLiteral") return inner.value;
  if (inner.type === "UnaryExpression" && inner.operator === "-") {
    const value = literalValue(inner.argument);
    return value === undefined ? undefined : -value;
  }
  return undefined;
}

/** The tensor of `tensor.item()`. */
function itemReceiver(node: B.Node): B.Node | undefined {
  const inner = bare(node);
  if (inner.type !== "CallExpression" || inner.arguments.length > 0) return undefined;
  const { callee } = inner;
  if (callee.type !== "MemberExpression" || callee.computed || callee.property.type !== "Identifier") return undefined;
  return callee.property.name === "item" ? callee.object : undefined;
}

function isBoolTensor(c: Lowering, node: B.Node): boolean {
  const inner = bare(node);
  if (inner.type !== "CallExpression" || inner.callee.type !== "MemberExpression") return false;
  const { property } = inner.callee;
  void c;
  return property.type === "Identifier" && BOOL_METHODS.has(property.name);
}

/** A condition: of `if`, loops, `?:`, and an operand of `!`, `&&`, `||`. Only bools are: JavaScript's truth is another than Python's. */
export function lowerCondition(c: Lowering, node: B.Node): Expr {
  const inner = bare(node);
  if (inner.type === "LogicalExpression" && inner.operator !== "??") return lowerLogical(c, inner);
  if (inner.type === "UnaryExpression" && inner.operator === "!") {
    return { kind: "Unary", op: "not", operand: lowerCondition(c, inner.argument), range: c.range(inner) };
  }
  if (inner.type === "BinaryExpression" && COMPARISONS.has(inner.operator)) {
    // `x.sum().item() > 0` is `x.sum() > 0`: the same where the tensor's dtype holds the number exactly
    const receiver = itemReceiver(inner.left);
    const value = literalValue(inner.right);
    if (receiver && value !== undefined && isShortNumber(value)) {
      return c.form(`item${inner.operator}`, [c.parts.expr(c, receiver), lowerExpr(c, inner.right)], inner);
    }
    return lowerExpr(c, inner);
  }
  const receiver = itemReceiver(inner);
  if (receiver && isBoolTensor(c, receiver)) return c.form("boolItem", [lowerOperand(c, receiver, true)], inner);
  if (isBooleanSyntax(inner)) return lowerExpr(c, inner);
  if (inner.type === "CallExpression") {
    const path = dottedPath(inner.callee);
    // what the emitter decides at compile time must be seen by it
    if (path && isPackagePath(c, path, "jit", ["isinstance", "isScripting"])) return lowerOperand(c, inner, true);
  }
  return c.form("truth", [lowerOperand(c, inner, true)], inner);
}

/** An expression; a call in a condition looks its callee up twice, as upstream's emitter does. */
function lowerOperand(c: Lowering, node: B.Node, twice: boolean): Expr {
  return node.type === "CallExpression" ? c.parts.call(c, node, twice) : c.parts.expr(c, node);
}

/** Whether a path names a member of a package. */
export function isPackagePath(c: Lowering, path: readonly string[], root: string, names: readonly string[]): boolean {
  const [first, ...rest] = path;
  if (first === undefined || c.scope.find(first)) return false;
  const found = c.names.packageOf(first);
  if (found === undefined) return false;
  const full = [found, ...rest].filter(Boolean).join(".");
  return names.some((name) => full === `${root}.${name}`);
}

function lowerLogical(c: Lowering, node: B.LogicalExpression): Expr {
  return {
    kind: "Binary",
    op: node.operator === "&&" ? "and" : "or",
    left: lowerCondition(c, node.left),
    right: lowerCondition(c, node.right),
    range: c.range(node),
  };
}

function lowerBinary(c: Lowering, node: B.BinaryExpression): Expr {
  const { operator } = node;
  const left = node.left;
  const range = c.range(node);
  if (operator === "===" || operator === "!==" || operator === "==" || operator === "!=") {
    if (isNull(left) || isNull(node.right)) {
      const op = operator.startsWith("=") ? "is" : "is not";
      return { kind: "Binary", op, left: lowerExpr(c, left), right: lowerExpr(c, node.right), range };
    }
    for (const side of [left, node.right]) {
      if (side.type === "Identifier" && side.name === "undefined" && !c.scope.find("undefined"))
        c.refuse(node, "TorchScript has no undefined; use null, and compare with `=== null`");
    }
    if (operator === "==" || operator === "!=")
      c.refuse(
        node,
        `\`${operator}\` converts its operands, which TorchScript does not; write \`${operator}=\` (\`${operator} null\` is fine)`,
      );
    const remainder = bare(left);
    if (
      remainder.type === "BinaryExpression" &&
      remainder.operator === "%" &&
      literalValue(node.right) === 0 &&
      remainder.left.type !== "PrivateName"
    ) {
      // whether the remainder is 0 does not depend on the signs
      const inner = c.form("%any", [lowerExpr(c, remainder.left), lowerExpr(c, remainder.right)], remainder);
      return c.form(operator, [inner, lowerExpr(c, node.right)], node);
    }
    return c.form(operator, [lowerExpr(c, left), lowerExpr(c, node.right)], node);
  }
  if (BITWISE.has(operator)) {
    const instead =
      operator === "|" && literalValue(node.right) === 0
        ? "write Math.trunc(x)"
        : "compute with *, Math.floor and jit.mod instead, or on tensors (torch.bitwise_and, ...)";
    c.refuse(node, `\`${operator}\` works on 32 bits in JavaScript and on 64 in TorchScript; ${instead}`);
  }
  if (operator === "in") {
    const right = bare(node.right);
    const container = right.type === "Identifier" ? c.scope.find(right.name)?.container : undefined;
    if (container !== "record")
      c.refuse(node, "`in` asks for a property; write map.has(key) for a Map, list.includes(value) for an array");
    return c.form("in", [lowerExpr(c, node.right), lowerExpr(c, left)], node);
  }
  if (operator === "instanceof") c.refuse(node, '`instanceof` is not compiled; write jit.isinstance(x, "Tensor")');
  if (operator === "|>") c.refuse(node, "The pipeline operator is not compiled; write the call");
  return c.form(operator, [lowerExpr(c, left), lowerExpr(c, node.right)], node);
}

function lowerUnary(c: Lowering, node: B.UnaryExpression): Expr {
  switch (node.operator) {
    case "!":
      return { kind: "Unary", op: "not", operand: lowerCondition(c, node.argument), range: c.range(node) };
    case "-": {
      const operand = lowerExpr(c, node.argument);
      if (operand.kind === "Number") return { kind: "Unary", op: "-", operand, range: c.range(node) };
      return c.form("neg", [operand], node);
    }
    case "+":
      return c.refuse(node, "Unary `+` converts to a number; write jit.float(x) or jit.int(x)");
    case "~":
      return c.refuse(node, "`~` works on 32 bits in JavaScript and on 64 in TorchScript; write -x - 1");
    case "typeof":
      return c.refuse(node, 'The type of a value is known when it is compiled; write jit.isinstance(x, "int")');
    default:
      return c.refuse(node, `\`${node.operator}\` is not compiled; use statements of TorchScript: docs/scripting.md`);
  }
}

/** A template string: `format` of a text with `{}` for each part. */
function lowerTemplate(c: Lowering, node: B.TemplateLiteral): Expr {
  const texts = node.quasis.map((q) => q.value.cooked ?? q.value.raw);
  if (node.expressions.length === 0) return c.string(texts[0]!, node);
  for (const text of texts)
    if (/[{}]/.test(text)) c.refuse(node, "Braces in a template string with values are not compiled; join with `+`");
  const args = node.expressions.map((x) => c.form("text", [lowerExpr(c, x)], x));
  return c.apply(c.select(c.string(texts.join("{}"), node), "format", node), args, node);
}

/** The elements of an array literal. */
function lowerElements(c: Lowering, node: B.ArrayExpression, arrays: ArrayUse): Expr[] {
  return node.elements.map((element) => {
    if (element === null)
      return c.refuse(node, "An array with holes is not compiled; write null where a value is missing");
    if (element.type === "SpreadElement")
      return c.refuse(element, "A spread element belongs into a list; see docs/scripting.md");
    return c.parts.expr(c, element, arrays);
  });
}

/** `[...xs, y]`: a sum of lists. */
function lowerSpread(c: Lowering, node: B.ArrayExpression): Expr {
  const parts: Expr[] = [];
  let run: B.Node[] = [];
  const flush = (): void => {
    if (run.length === 0) return;
    const elements = run.map((x) => lowerExpr(c, x));
    parts.push({ kind: "List", elements, range: c.between(run[0]!, run.at(-1)!) });
    run = [];
  };
  for (const element of node.elements) {
    if (element === null) c.refuse(node, "An array with holes is not compiled; write null where a value is missing");
    if (element!.type !== "SpreadElement") {
      run.push(element!);
      continue;
    }
    flush();
    parts.push(c.form("list", [lowerExpr(c, element!.argument)], element!));
  }
  flush();
  // a single spread is a copy
  return parts.length === 1
    ? c.form("copy", parts, node)
    : parts.reduce((left, right) => c.form("concat", [left, right], node));
}

function lowerArray(c: Lowering, node: B.ArrayExpression, arrays: ArrayUse): Expr {
  if (node.elements.some((x) => x?.type === "SpreadElement")) return lowerSpread(c, node);
  return c.form(arrays === "tuple" ? "tuple" : "array", lowerElements(c, node, arrays), node);
}

/** The key of a property, as the text that it is in JavaScript. */
export function propertyKey(c: Lowering, node: B.ObjectProperty | B.ObjectMethod): string {
  if (!node.computed) {
    if (node.key.type === "Identifier") return node.key.name;
    if (node.key.type === "StringLiteral") {
      if (/^\d+$/.test(node.key.value))
        c.refuse(node.key, "JavaScript sorts keys that look like numbers; use a Map: new Map([[1, x]])");
      return node.key.value;
    }
    if (node.key.type === "NumericLiteral")
      c.refuse(node.key, "JavaScript sorts keys that look like numbers; use a Map: new Map([[1, x]])");
  }
  return c.refuse(node, "A computed key is not compiled; use a Map: new Map([[key, value]])");
}

function lowerObject(c: Lowering, node: B.ObjectExpression): Expr {
  const keys: Expr[] = [];
  const values: Expr[] = [];
  for (const property of node.properties) {
    if (property.type !== "ObjectProperty")
      c.refuse(property, "Only `key: value` is compiled in an object literal; assign other entries one by one");
    keys.push(c.string(propertyKey(c, property), property.key));
    values.push(lowerExpr(c, property.value));
  }
  return { kind: "Dict", keys, values, range: c.range(node) };
}

/** `new Map([[k, v], ...])`. */
function lowerMap(c: Lowering, node: B.NewExpression): Expr {
  const [entries] = node.arguments;
  const range = c.range(node);
  const type: B.Node | null | undefined = node.typeParameters ?? (node as { typeArguments?: B.Node }).typeArguments;
  const annotated = (dict: Expr): Expr => {
    if (!type || type.type !== "TSTypeParameterInstantiation" || type.params.length !== 2) return dict;
    const [key, value] = (type.params as readonly B.Node[]).map((t) => lowerType(c, t));
    if (!key || !value) return dict;
    const args = { kind: "Subscript", value: c.variable("Dict", node), indices: [key, value], range } as const;
    return c.form("annotate", [args, dict], node);
  };
  if (!entries) return annotated({ kind: "Dict", keys: [], values: [], range });
  const list = bare(entries);
  if (list.type !== "ArrayExpression")
    c.refuse(node, "Give the entries of a Map as a literal: new Map([[key, value]])");
  const keys: Expr[] = [];
  const values: Expr[] = [];
  for (const entry of list.elements) {
    if (entry?.type !== "ArrayExpression" || entry.elements.length !== 2)
      c.refuse(entry ?? list, "An entry of a Map is a literal pair: [key, value]");
    const [key, value] = entry.elements;
    if (!key || !value || key.type === "SpreadElement" || value.type === "SpreadElement")
      c.refuse(entry, "An entry of a Map is a literal pair: [key, value]");
    keys.push(lowerExpr(c, key));
    values.push(lowerExpr(c, value));
  }
  return annotated({ kind: "Dict", keys, values, range });
}

const ERRORS = new Set(["Error", "TypeError", "RangeError", "EvalError", "SyntaxError", "ReferenceError"]);

function lowerNew(c: Lowering, node: B.NewExpression): Expr {
  const { callee } = node;
  if (callee.type === "Identifier" && !c.scope.find(callee.name)) {
    if (callee.name === "Map") return lowerMap(c, node);
    if (ERRORS.has(callee.name)) {
      const args = node.arguments.slice(0, 1).map((a) => c.parts.expr(c, a));
      return c.form(callee.name, args, node);
    }
    if (callee.name === "Array") c.refuse(node, "Write Array.from({ length: n }, () => value)");
    if (callee.name === "Set") c.refuse(node, "TorchScript has no sets; use a Map with values true");
  }
  return c.refuse(
    node,
    "Objects cannot be made in compiled code; make them in the constructor and keep them in a field",
  );
}

function lowerMember(c: Lowering, node: B.MemberExpression): Expr {
  const { property } = node;
  if (node.object.type === "Super") c.refuse(node, "`super` is not compiled; call a method of another name");
  if (node.computed) {
    const literal = literalValue(property);
    if (literal !== undefined && literal < 0)
      c.refuse(node, "A negative index is undefined in JavaScript; write list.at(-1) or list[list.length - 1]");
    const value = c.form("indexable", [lowerExpr(c, node.object), ...containerOf(c, node.object)], node.object);
    return { kind: "Subscript", value, indices: [lowerExpr(c, property)], range: c.range(node) };
  }
  if (property.type !== "Identifier") c.refuse(node, "Private fields are not compiled; use a field without `#`");
  const path = dottedPath(node);
  if (path && !c.scope.find(path[0]!)) {
    const root = c.names.packageOf(path[0]!);
    const full = root === undefined ? "" : [root, ...path.slice(1)].filter(Boolean).join(".");
    if (/^(?:Math|Number)\./.test(full)) return c.form(full, [], node);
    return c.select(lowerExpr(c, node.object), property.name, node);
  }
  if (node.object.type === "ThisExpression") return c.select(lowerExpr(c, node.object), property.name, node);
  return c.form(
    "member",
    [lowerExpr(c, node.object), c.string(property.name, property), ...containerOf(c, node.object)],
    node,
  );
}

/** What the function says of how a dict was made, as an argument of forms. */
export function containerOf(c: Lowering, node: B.Node): Expr[] {
  const inner = bare(node);
  const container = inner.type === "Identifier" ? c.scope.find(inner.name)?.container : undefined;
  return container ? [c.string(container, node)] : [];
}

function lowerIdentifier(c: Lowering, node: B.Identifier): Expr {
  const binding = c.scope.find(node.name);
  if (binding) return c.variable(binding.emitted, node);
  switch (node.name) {
    case "undefined":
      return c.refuse(node, "TorchScript has no undefined; use null");
    case "NaN":
    case "Infinity":
      return c.form(`Number.${node.name}`, [], node);
    case "arguments":
      return c.refuse(node, "`arguments` is not compiled; name the parameters");
    default: {
      const number = c.names.numberOf(node.name);
      if (number === undefined) return c.variable(`${FREE}${node.name}`, node);
      const range = c.range(node);
      if (!number.startsWith("-")) return { kind: "Number", text: number, range };
      return { kind: "Unary", op: "-", operand: { kind: "Number", text: number.slice(1), range }, range };
    }
  }
}

/** `x as T`: the type is what is wanted of literals that have none of their own. */
function lowerAs(c: Lowering, node: B.TSAsExpression | B.TSSatisfiesExpression, arrays: ArrayUse): Expr {
  const inner = bare(node.expression);
  const open = inner.type === "ArrayExpression" || inner.type === "NullLiteral" || inner.type === "ObjectExpression";
  const isConst =
    node.typeAnnotation.type === "TSTypeReference" &&
    node.typeAnnotation.typeName.type === "Identifier" &&
    node.typeAnnotation.typeName.name === "const";
  if (isConst) return c.parts.expr(c, node.expression, "tuple");
  const type = open ? lowerType(c, node.typeAnnotation) : undefined;
  const value = c.parts.expr(c, node.expression, arrays);
  return type ? c.form("annotate", [type, value], node) : value;
}

/** An expression. */
export function lowerExpr(c: Lowering, node: B.Node, arrays: ArrayUse = "list"): Expr {
  switch (node.type) {
    case "NumericLiteral":
      return { kind: "Number", text: numberText(c, node), range: c.range(node) };
    case "StringLiteral":
      return c.string(node.value, node);
    case "BooleanLiteral":
      return { kind: node.value ? "True" : "False", range: c.range(node) };
    case "NullLiteral":
      return { kind: "None", range: c.range(node) };
    case "BigIntLiteral":
      return c.refuse(node, "Integers are written without `n`: every int of TorchScript has 64 bits");
    case "TemplateLiteral":
      return lowerTemplate(c, node);
    case "Identifier":
      return lowerIdentifier(c, node);
    case "ThisExpression":
      if (!c.isMethod) c.refuse(node, "`this` means nothing in a function; pass what it needs as an argument");
      return c.variable("self", node);
    case "ParenthesizedExpression":
    case "TSTypeAssertion":
      return c.parts.expr(c, node.expression, arrays);
    case "TSAsExpression":
    case "TSSatisfiesExpression":
      return lowerAs(c, node, arrays);
    case "TSNonNullExpression":
      return c.form("present", [lowerExpr(c, node.expression)], node);
    case "BinaryExpression":
      return lowerBinary(c, node);
    case "UnaryExpression":
      return lowerUnary(c, node);
    case "LogicalExpression":
      if (node.operator !== "??") return lowerLogical(c, node);
      return lowerCoalesce(c, node);
    case "ConditionalExpression":
      return {
        kind: "Ternary",
        condition: lowerCondition(c, node.test),
        yes: c.parts.expr(c, node.consequent, arrays),
        no: c.parts.expr(c, node.alternate, arrays),
        range: c.range(node),
      };
    case "ArrayExpression":
      return lowerArray(c, node, arrays);
    case "ObjectExpression":
      return lowerObject(c, node);
    case "MemberExpression":
      return lowerMember(c, node);
    case "CallExpression":
      return c.parts.call(c, node, false);
    case "NewExpression":
      return lowerNew(c, node);
    case "TaggedTemplateExpression":
      return c.refuse(node, "Tagged templates are not compiled; call the function");
    case "OptionalMemberExpression":
    case "OptionalCallExpression":
      return c.refuse(node, "`?.` is not compiled; write `x !== null ? ... : ...`");
    case "AssignmentExpression":
    case "UpdateExpression":
      return c.refuse(node, "An assignment inside an expression is not compiled; make it a statement of its own");
    case "SequenceExpression":
      return c.refuse(node, "The comma operator is not compiled; write statements");
    case "ArrowFunctionExpression":
    case "FunctionExpression":
      return c.refuse(
        node,
        "A function inside a function is not compiled; declare it beside this one (only `map` and `Array.from` take one here)",
      );
    case "AwaitExpression":
      return c.refuse(node, "Asynchronous code is not compiled; leave `await` outside, in jit.ignore'd methods");
    case "YieldExpression":
      return c.refuse(node, "Generators are not compiled; fill an array and return it");
    case "RegExpLiteral":
      return c.refuse(node, "Regular expressions are not compiled; use startsWith, endsWith, includes or split");
    default:
      return c.refuse(node, `${node.type} is not compiled; see docs/scripting.md for what is`);
  }
}

/** `a ?? b`: of a variable it is a conditional; `map.get(k) ?? b` has a default. */
function lowerCoalesce(c: Lowering, node: B.LogicalExpression): Expr {
  const left = bare(node.left);
  if (left.type === "Identifier" && c.scope.find(left.name)) {
    const range = c.range(node);
    const value = lowerExpr(c, left);
    return {
      kind: "Ternary",
      condition: { kind: "Binary", op: "is not", left: value, right: { kind: "None", range }, range },
      yes: lowerExpr(c, left),
      no: lowerExpr(c, node.right),
      range,
    };
  }
  if (
    left.type === "CallExpression" &&
    left.arguments.length === 1 &&
    left.callee.type === "MemberExpression" &&
    left.callee.property.type === "Identifier" &&
    left.callee.property.name === "get"
  ) {
    const key = c.parts.expr(c, left.arguments[0]!);
    return c.form("getOr", [lowerExpr(c, left.callee.object), key, lowerExpr(c, node.right)], node);
  }
  return c.form("??", [lowerExpr(c, node.left), lowerExpr(c, node.right)], node);
}

/** The type that a text of `jit.annotate` or `jit.isinstance` means, as an expression. */
export function typeArgument(c: Lowering, node: B.Node): Expr {
  const inner = bare(node);
  if (inner.type === "StringLiteral") return typeFromText(inner.value, c.range(inner));
  if (inner.type === "TemplateLiteral" && inner.expressions.length === 0)
    return typeFromText(inner.quasis[0]!.value.cooked ?? "", c.range(inner));
  if (inner.type === "ArrayExpression") {
    const elements = inner.elements.map((x) => (x ? typeArgument(c, x) : c.refuse(inner, "A type is missing here")));
    return { kind: "Tuple", elements, range: c.range(inner) };
  }
  const path = dottedPath(inner);
  if (path?.at(-1) === "Tensor") return c.variable("Tensor", inner);
  return c.refuse(node, 'Give the type as a text: "int", "List[Tensor]", "Optional[float]"');
}

/** Whether `node` or what is below it names the variable. */
export function mentions(node: B.Node, name: string): boolean {
  if (node.type === "Identifier") return node.name === name;
  for (const child of childNodes(node)) if (mentions(child, name)) return true;
  return false;
}
