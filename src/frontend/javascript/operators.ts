/** @file Forms of JavaScript's operators: the types decide what is the same in both languages, everything else is refused. Upstream: none. Spec: docs/scripting.md. */
import { ScriptError } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { createTuple, insertUncheckedCast } from "../../ir/build_nodes.ts";
import { insertConstant, toIValue } from "../../ir/constants.ts";
import type { Value } from "../../ir/graph.ts";
import type { Expr } from "../ast.ts";
import { emitIfExpr } from "../emit/conditions.ts";
import { emitBuiltinCall, insertOp } from "../emit/emit_builtin.ts";
import type { EmitContext } from "../emit/emit_context.ts";
import { FormValue, type FormCall, type FormEmitter } from "../emit/form_value.ts";
import { emitListLiteral } from "../emit/literals.ts";
import { NamedValue, toValues } from "../emit/named_value.ts";
import { RefinementSet } from "../emit/refinements.ts";
import { MagicMethod } from "../emit/sugared_callable.ts";
import { BuiltinFunction, SimpleValue, type SugaredValue } from "../emit/sugared_value.ts";
import { FORM } from "./lowering.ts";

/** The text of an expression, for suggestions; long ones by a stand-in. */
export function shown(tree: Expr, standIn: string): string {
  const text = tree.range.text();
  return text.length <= 30 && !text.includes("\n") ? text : standIn;
}

/** Whether values of a type are JavaScript numbers. */
export function isNumber(type: Type): boolean {
  return type.kind === "Int" || type.kind === "Float" || type.kind === "Number";
}
export function isTensor(type: Type): boolean {
  return T.isSubtypeOf(type, T.TensorT);
}
function mayBeNull(type: Type): boolean {
  return (
    type.kind === "Optional" ||
    type.kind === "None" ||
    (type.kind === "Union" && type.members.some((m) => m.kind === "None"))
  );
}

export function refuseAt(range: SourceRange, message: string): never {
  throw new ScriptError(message, range);
}

// prettier-ignore
const OPERATORS: Readonly<Record<string, readonly [operator: string, magic: string, method: string]>> = {
  "+":   ["aten::add", "__add__", "add"],
  "-":   ["aten::sub", "__sub__", "sub"],
  "*":   ["aten::mul", "__mul__", "mul"],
  "/":   ["aten::div", "__truediv__", "div"],
  "**":  ["aten::pow", "__pow__", "pow"],
  "<":   ["aten::lt", "__lt__", "lt"],
  ">":   ["aten::gt", "__gt__", "gt"],
  "<=":  ["aten::le", "__le__", "le"],
  ">=":  ["aten::ge", "__ge__", "ge"],
  "===": ["aten::eq", "__eq__", "eq"],
  "!==": ["aten::ne", "__ne__", "ne"],
};

/** What a number on the left of a tensor is written as. */
function tensorAdvice(op: string, method: string, tree: FormCall, left: Type): string {
  const [a, b] = [shown(tree.args[0]!, "a"), shown(tree.args[1]!, "b")];
  if (isTensor(left)) return `${a}.${method}(${b})`;
  const swapped: Readonly<Record<string, string>> = {
    "-": `${b}.neg().add(${a})`,
    "/": `${b}.reciprocal().mul(${a})`,
    "**": `torch.pow(${a}, ${b})`,
    "<": `${b}.gt(${a})`,
    ">": `${b}.lt(${a})`,
    "<=": `${b}.ge(${a})`,
    ">=": `${b}.le(${a})`,
  };
  return swapped[op] ?? `${b}.${method}(${a})`;
}

/** Refuses what has no common meaning in a binary operator. */
function checkOperands(op: string, tree: FormCall, left: Type, right: Type): void {
  const types = [left, right];
  const [, , method] = OPERATORS[op] ?? ["", "", "remainder"];
  const refuse = (message: string): never => refuseAt(tree.range, `\`${op}\` ${message}`);
  const equality = op === "===" || op === "!==";
  if (types.some(isTensor)) {
    const what =
      op === "===" || op === "!=="
        ? "compares the identity of tensors in JavaScript"
        : "on tensors gives no tensor in JavaScript";
    const advice = tensorAdvice(op, method, tree, left);
    refuse(
      `${what}; write ${advice}${equality ? `, or torch.equal(${tree.args.map((x) => shown(x, "x")).join(", ")})` : ""}`,
    );
  }
  if (types.every(isNumber)) return;
  const nullable = types.findIndex(mayBeNull);
  if (nullable >= 0) {
    const name = shown(tree.args[nullable]!, "x");
    refuse(`has an operand that may be null; check \`${name} !== null\` before`);
  }
  const kinds = types.map((t) => t.kind);
  const both = (kind: string): boolean => kinds.every((k) => k === kind);
  if (both("String") && (op === "+" || equality)) return;
  if (equality && both("Bool")) return;
  if (equality && (both("Device") || both("Enum")))
    refuse("compares the identity of objects in JavaScript; compare their texts or numbers");
  if (op === "+" && kinds.includes("String"))
    refuse("of a string and another value converts it differently in both languages; write a template string: `${n}`");
  if (op === "+" && kinds.includes("List"))
    refuse(
      `makes a string of arrays in JavaScript; write [...${shown(tree.args[0]!, "a")}, ...${shown(tree.args[1]!, "b")}]`,
    );
  if (kinds.includes("Bool") && !equality)
    refuse("on booleans computes with 0 and 1 in JavaScript; write `flag ? 1 : 0`");
  if (equality && kinds.some((k) => k === "List" || k === "Dict" || k === "Tuple"))
    refuse("compares the identity of arrays and objects in JavaScript; compare their elements");
  if (equality)
    refuse(`is always ${op === "!=="} for ${T.typeReprStr(left)} and ${T.typeReprStr(right)} in JavaScript`);
  if (both("String")) refuse("orders strings differently in both languages; compare numbers");
  refuse(`is not compiled for ${T.typeReprStr(left)} and ${T.typeReprStr(right)}; it takes numbers`);
}

function call(tree: FormCall, e: EmitContext, op: string, args: readonly NamedValue[]): SugaredValue {
  const [operator, magic] = OPERATORS[op]!;
  return new MagicMethod(magic, new BuiltinFunction(operator)).call(tree.range, e.fn, args, [], 0);
}

function binary(op: string): FormEmitter {
  return (e, tree) => {
    const args = tree.args.map((x) => e.named(x));
    checkOperands(op, tree, args[0]!.type, args[1]!.type);
    return call(tree, e, op, args);
  };
}

/** `x.item() > 0` in a condition: the comparison of the tensor. */
function itemComparison(op: string): FormEmitter {
  return (e, tree) => {
    const args = tree.args.map((x) => e.named(x));
    if (!isTensor(args[0]!.type))
      refuseAt(tree.args[0]!.range, `item() is a method of tensors, found ${T.typeReprStr(args[0]!.type)}`);
    return call(tree, e, op, args);
  };
}

/** Whether an int is known not to be negative. */
function isNonNegative(value: Value): boolean {
  const constant = toIValue(value);
  if (constant) return Number(constant.value) >= 0;
  const { node } = value;
  switch (node.kind) {
    case "aten::len":
    case "aten::size":
    case "aten::dim":
    case "aten::numel":
    case "prim::ndim":
      return true;
    case "aten::add":
    case "aten::mul":
      return node.inputs.every(isNonNegative);
    case "aten::remainder":
    case "aten::floordiv":
      return node.inputs.every(isNonNegative);
    default:
      return false;
  }
}

/** `%`: JavaScript's has the sign of the left operand, TorchScript's that of the right. */
function remainder(mode: "js" | "any" | "python"): FormEmitter {
  return (e, tree) => {
    const [left, right] = tree.args as [Expr, Expr];
    // upstream looks at the left operand once more to see whether it is a string
    const first = e.parts.sugared(e, left, 0).asValue(left.range, e.fn);
    const args = [e.named(left), e.named(right)];
    checkOperands("%", tree, first.type, args[1]!.type);
    const ints = args.every((a) => a.type.kind === "Int");
    const same = mode !== "js" || (ints && args.every((a) => isNonNegative(a.value(e.graph))));
    if (same)
      return new MagicMethod("__mod__", new BuiltinFunction("aten::remainder")).call(tree.range, e.fn, args, [], 0);
    if (args.every((a) => a.type.kind === "Float"))
      return new SimpleValue(emitBuiltinCall(tree.range, e.graph, "aten::fmod", args));
    return refuseAt(
      tree.range,
      `\`%\` of a negative number has the sign of the left operand in JavaScript, of the right one in TorchScript; write jit.mod(${shown(left, "a")}, ${shown(right, "b")})`,
    );
  };
}

const negate: FormEmitter = (e, tree) => {
  const args = [e.named(tree.args[0]!)];
  const { type } = args[0]!;
  if (isTensor(type))
    refuseAt(tree.range, `\`-\` on a tensor is NaN in JavaScript; write ${shown(tree.args[0]!, "x")}.neg()`);
  if (!isNumber(type)) refuseAt(tree.range, `\`-\` is not compiled for ${T.typeReprStr(type)}; it takes a number`);
  return new MagicMethod("__neg__", new BuiltinFunction("aten::neg")).call(tree.range, e.fn, args, [], 0);
};

/** A condition that is no comparison. */
const truth: FormEmitter = (e, tree) => {
  const [condition] = tree.args as [Expr];
  const value = e.parts.expr(e, condition);
  if (value.type.kind === "Bool") return new SimpleValue(value);
  const text = shown(condition, "x");
  const refuse = (message: string): never => refuseAt(condition.range, message);
  if (isTensor(value.type))
    refuse(
      /\.(any|all)\(\)$/.test(text)
        ? `A tensor is always true in JavaScript; write ${text}.item()`
        : `A tensor is always true in JavaScript; say what it is asked for: ${text}.item() > 0, ${text}.any().item()`,
    );
  if (mayBeNull(value.type)) refuse(`Only bools are conditions; write \`${text} !== null\``);
  switch (value.type.kind) {
    case "Int":
    case "Float":
      return refuse(`Only bools are conditions; write \`${text} !== 0\``);
    case "Number":
      return refuse(`Only bools are conditions, and item() may give any number; compare it: \`${text} !== 0\``);
    case "String":
      return refuse(`Only bools are conditions; write \`${text} !== ""\``);
    case "List":
      return refuse(`An array is always true in JavaScript; write \`${text}.length > 0\``);
    case "Dict":
      return refuse(`An object is always true in JavaScript; write \`${text}.size > 0\``);
    default:
      return refuse(`Only bools are conditions, found ${T.typeReprStr(value.type)}`);
  }
};

/** `mask.any().item()` as a condition. */
const boolItem: FormEmitter = (e, tree) => {
  const value = e.parts.expr(e, tree.args[0]!);
  if (!isTensor(value.type))
    refuseAt(tree.args[0]!.range, `item() is a method of tensors, found ${T.typeReprStr(value.type)}`);
  return new SimpleValue(value);
};

/** A value in a template string. */
const text: FormEmitter = (e, tree) => {
  const [arg] = tree.args as [Expr];
  const value = e.parts.expr(e, arg);
  if (value.type.kind === "String" || value.type.kind === "Int") return new SimpleValue(value);
  const name = T.typeReprStr(value.type);
  return refuseAt(
    arg.range,
    `A ${name} has different texts in JavaScript and TorchScript; only ints and strings can stand in a text`,
  );
};

const str: FormEmitter = (e, tree) => {
  const [arg] = tree.args as [Expr];
  const value = e.named(arg);
  if (value.type.kind === "String") return new SimpleValue(value.value(e.graph));
  if (value.type.kind !== "Int")
    refuseAt(
      arg.range,
      `A ${T.typeReprStr(value.type)} has different texts in JavaScript and TorchScript; only ints can be turned into a text`,
    );
  return new SimpleValue(emitBuiltinCall(tree.range, e.graph, "aten::str", [value]));
};

const printable: FormEmitter = (e, tree) => {
  const [arg] = tree.args as [Expr];
  const value = e.parts.expr(e, arg);
  if (!["String", "Int", "Tensor"].includes(value.type.kind))
    refuseAt(
      arg.range,
      `A ${T.typeReprStr(value.type)} is printed differently by JavaScript and TorchScript; print ints, strings and tensors`,
    );
  return new SimpleValue(value);
};

/** The type that a hint asks for, without null. */
function wanted(hint: Type | undefined): Type | undefined {
  return hint?.kind === "Optional" ? hint.element : hint;
}

function isArrayForm(tree: Expr): boolean {
  return (
    tree.kind === "Apply" &&
    tree.callee.kind === "Var" &&
    (tree.callee.name.name === `${FORM}array` || tree.callee.name.name === `${FORM}tuple`)
  );
}

/** `[a, b]`: a tuple where one is asked for or the elements differ in type, else a list. */
function array(preferTuple: boolean): FormEmitter {
  return (e, tree, hint) => {
    const want = wanted(hint);
    const { graph } = e;
    const elementHint = (i: number): Type | undefined =>
      want?.kind === "Tuple" ? want.elements[i] : want?.kind === "List" ? want.element : undefined;
    const asTuple = want?.kind === "Tuple" || (preferTuple && want?.kind !== "List" && tree.args.length > 0);
    // elements take no hint from the literal around, unless they are such literals themselves
    const named = tree.args.map((x, i) =>
      isArrayForm(x) ? NamedValue.of(e.parts.expr(e, x, elementHint(i)), undefined, x.range) : e.named(x),
    );
    const values = toValues(graph, named);
    const tuple = (): SugaredValue => new SimpleValue(graph.insertNode(createTuple(graph, values)).output);
    if (asTuple) return tuple();
    if (!want && values.length > 1) {
      const kinds = new Set(values.map((v) => v.type.kind));
      if (kinds.size === 2 && kinds.has("Int") && kinds.has("Float"))
        refuseAt(tree.range, "The elements are ints and floats; write all as floats (1.0), or all as ints");
      if (!T.unifyTypeList(values.map((v) => v.type))) return tuple();
    }
    return new SimpleValue(emitListLiteral(e, tree, values, hint));
  };
}

/** Part of `[...xs, y]`. */
const listOperand: FormEmitter = (e, tree) => {
  const [arg] = tree.args as [Expr];
  const value = e.parts.expr(e, arg);
  if (value.type.kind !== "List")
    refuseAt(arg.range, `Only arrays can be spread here, found ${T.typeReprStr(value.type)}`);
  return new SimpleValue(value);
};
const copy: FormEmitter = (e, tree) => {
  const args = [e.named(tree.args[0]!)];
  if (args[0]!.type.kind !== "List")
    refuseAt(tree.range, `Only arrays can be copied, found ${T.typeReprStr(args[0]!.type)}`);
  return new SimpleValue(emitBuiltinCall(tree.range, e.graph, "aten::list", args));
};
const concat: FormEmitter = (e, tree) =>
  call(
    tree,
    e,
    "+",
    tree.args.map((x) => e.named(x)),
  );

/** `x!`: raises for null, where JavaScript goes on. */
const present: FormEmitter = (e, tree) => {
  const arg = e.named(tree.args[0]!);
  if (!mayBeNull(arg.type)) return new SimpleValue(arg.value(e.graph));
  return new SimpleValue(emitBuiltinCall(tree.range, e.graph, "aten::_unwrap_optional", [arg]));
};

/** `a ?? b`. */
const coalesce: FormEmitter = (e, tree, hint) => {
  const [leftTree, rightTree] = tree.args as [Expr, Expr];
  const left = e.parts.expr(e, leftTree);
  if (!mayBeNull(left.type)) return new SimpleValue(left);
  if (left.type.kind === "None") return e.parts.sugared(e, rightTree, 1, hint);
  const none = insertConstant(e.graph, null, T.NoneT, tree.range);
  const value = insertOp(e.graph, "aten::__isnot__", [left, none], tree.range);
  const type =
    left.type.kind === "Optional"
      ? left.type.element
      : T.unionOf((left.type as T.UnionType).members.filter((m) => m.kind !== "None"));
  return new SimpleValue(
    emitIfExpr(
      e,
      tree.range,
      { value, refinements: new RefinementSet(), staticIf: undefined },
      () => insertUncheckedCast(e.graph, left, type),
      () => e.parts.expr(e, rightTree, hint),
    ),
  );
};

/** The list or dict of `xs[i] += value`. */
function numbers(op: string): FormEmitter {
  return (e, tree) => {
    const [arg] = tree.args as [Expr];
    const value = e.parts.expr(e, arg);
    const element =
      value.type.kind === "List" ? value.type.element : value.type.kind === "Dict" ? value.type.value : undefined;
    if (!element || !(isNumber(element) || (element.kind === "String" && op === "+")))
      refuseAt(
        tree.range,
        `\`${op}=\` is not compiled for elements of ${T.typeReprStr(value.type)}; it takes numbers${element && isTensor(element) ? `: write xs[i] = xs[i].add(y)` : ""}`,
      );
    return new SimpleValue(value);
  };
}
const operand: FormEmitter = (e, tree) => {
  const value = e.parts.expr(e, tree.args[0]!);
  if (!isNumber(value.type) && value.type.kind !== "String")
    refuseAt(tree.args[0]!.range, `A number is expected here, found ${T.typeReprStr(value.type)}`);
  return new SimpleValue(value);
};

const contains: FormEmitter = (e, tree) => {
  const [container, key] = [e.named(tree.args[0]!), e.named(tree.args[1]!)];
  return new MagicMethod("__contains__", new BuiltinFunction("aten::__contains__")).call(
    tree.range,
    e.fn,
    [container, key],
    [],
    0,
  );
};

/** `Math.floor(a / b)`: of ints it is floor division. */
const floorDivision: FormEmitter = (e, tree) => {
  const args = tree.args.map((x) => e.named(x));
  checkOperands("/", tree, args[0]!.type, args[1]!.type);
  if (args.every((a) => a.type.kind === "Int"))
    return new SimpleValue(emitBuiltinCall(tree.range, e.graph, "aten::floordiv", args));
  const quotient = call(tree, e, "/", args).asValue(tree.range, e.fn);
  return new SimpleValue(insertOp(e.graph, "aten::floor", [quotient], tree.range));
};

/** The forms of operators and literals, by name. */
export function operatorForms(): [string, SugaredValue][] {
  const forms: [string, FormEmitter][] = [
    ...Object.keys(OPERATORS).map((op): [string, FormEmitter] => [op, binary(op)]),
    ...["<", ">", "<=", ">=", "===", "!=="].map((op): [string, FormEmitter] => [`item${op}`, itemComparison(op)]),
    ...["+", "-", "*", "/", "**"].map((op): [string, FormEmitter] => [`numbers${op}`, numbers(op)]),
    ["%", remainder("js")],
    ["%any", remainder("any")],
    ["%python", remainder("python")],
    ["neg", negate],
    ["truth", truth],
    ["boolItem", boolItem],
    ["text", text],
    ["str", str],
    ["printable", printable],
    ["array", array(false)],
    ["tuple", array(true)],
    ["list", listOperand],
    ["copy", copy],
    ["concat", concat],
    ["present", present],
    ["??", coalesce],
    ["operand", operand],
    ["in", contains],
    ["floorDiv", floorDivision],
  ];
  return forms.map(([name, emit]) => [name, new FormValue(`js::${name}`, emit)]);
}
