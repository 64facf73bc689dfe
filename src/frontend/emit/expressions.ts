/** @file Expressions. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp (emitSugaredExpr, emitSimpleExpr). Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import { checkLimit } from "../../base/limits.ts";
import { callOperator, findOperatorByKey } from "../../core/operator_registry.ts";
import { operatorName } from "../../core/schema.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { createTuple, insertUncheckedCast, unpackTuple } from "../../ir/build_nodes.ts";
import { insertConstant, toIValue } from "../../ir/constants.ts";
import type { Value } from "../../ir/graph.ts";
import { Complex, Float, normalizeInt } from "../../tensor/scalar.ts";
import type { BinaryOperator, Expr } from "../ast.ts";
import { emitArguments, emitKeywords } from "./calls.ts";
import { updatePendingRange } from "./call_stack.ts";
import { emitCondition, emitTernary } from "./conditions.ts";
import { emitDictComprehension, emitListComprehension } from "./comprehensions.ts";
import { emitBuiltinCall } from "./emit_builtin.ts";
import type { EmitContext } from "./emit_context.ts";
import { emitSubscript } from "./indexing.ts";
import { emitDictLiteral, emitListLiteral, emitNumber } from "./literals.ts";
import { NamedValue, toValues } from "./named_value.ts";
import { emitSpecialForm } from "./special_forms.ts";
import { MagicMethod } from "./sugared_callable.ts";
import { BuiltinFunction, SimpleValue, SpecialFormValue, asSimple, type SugaredValue } from "./sugared_value.ts";

/** Operator and magic method of the binary operators that classes may define. */
// prettier-ignore
const OVERLOADABLE: Readonly<Partial<Record<BinaryOperator, readonly [operator: string, method: string]>>> = {
  "+":  ["aten::add", "__add__"],
  "-":  ["aten::sub", "__sub__"],
  "*":  ["aten::mul", "__mul__"],
  "**": ["aten::pow", "__pow__"],
  "/":  ["aten::div", "__truediv__"],
  "%":  ["aten::remainder", "__mod__"],
  "!=": ["aten::ne", "__ne__"],
  "==": ["aten::eq", "__eq__"],
  "<":  ["aten::lt", "__lt__"],
  ">":  ["aten::gt", "__gt__"],
  "<=": ["aten::le", "__le__"],
  ">=": ["aten::ge", "__ge__"],
  "&":  ["aten::__and__", "__and__"],
  "|":  ["aten::__or__", "__or__"],
  "^":  ["aten::__xor__", "__xor__"],
  "in": ["aten::__contains__", "__contains__"],
  "<<": ["aten::__lshift__", "__lshift__"],
  ">>": ["aten::__rshift__", "__rshift__"],
};

/** An expression as a value. `hint`: the type that is expected, which may be ignored. */
export function emitExpr(e: EmitContext, tree: Expr, hint?: Type): Value {
  updatePendingRange(tree.range);
  checkLimit("maxGraphValues", e.graph.nextUnique, "the values of a graph");
  const value = emitSugaredExpr(e, tree, 1, hint).asValue(tree.range, e.fn);
  // Any is the one type that values are not unified to by themselves
  if (hint?.kind === "Any" && value.type.kind !== "Any") return insertUncheckedCast(e.graph, value, hint);
  return value;
}

/** An expression as a meaning. `binders`: how many names it is bound to. */
export function emitSugaredExpr(e: EmitContext, tree: Expr, binders: number, hint?: Type): SugaredValue {
  switch (tree.kind) {
    case "Var":
      return e.env.getSugaredVar(tree.name.name, tree.name.range);
    case "Select":
      return emitSugaredExpr(e, tree.value, 1).attr(tree.range, e.fn, tree.selector.name);
    case "Apply": {
      const callee = emitSugaredExpr(e, tree.callee, 1);
      if (callee instanceof SpecialFormValue) return emitSpecialForm(e, callee, tree, hint);
      const args = emitArguments(e, tree.args);
      return callee.call(tree.callee.range, e.fn, args, emitKeywords(e, tree.kwargs), binders);
    }
    case "Subscript":
      return emitSubscript(e, tree, hint);
    default:
      return new SimpleValue(emitSimpleExpr(e, tree, hint));
  }
}

function emitSimpleExpr(e: EmitContext, tree: Expr, hint: Type | undefined): Value {
  const { graph } = e;
  switch (tree.kind) {
    case "Number":
      return emitNumber(e, tree);
    case "True":
    case "False":
      return insertConstant(graph, tree.kind === "True", T.BoolT, tree.range);
    case "None":
      return insertConstant(graph, null, T.NoneT, tree.range);
    case "String":
      return insertConstant(graph, tree.value, T.StringT, tree.range);
    case "Binary":
      return emitBinary(e, tree);
    case "Unary":
      if (tree.op === "not") return emitCondition(e, tree).value;
      return tree.op === "-"
        ? emitUnary(e, tree, "__neg__", "aten::neg")
        : emitUnary(e, tree, "__invert__", "aten::bitwise_not");
    case "Ternary":
      return emitTernary(e, tree, hint);
    case "List":
      return emitListLiteral(e, tree, toValues(graph, emitArguments(e, tree.elements)), hint);
    case "Tuple": {
      const values = toValues(graph, emitArguments(e, tree.elements));
      return graph.insertNode(createTuple(graph, values)).output;
    }
    case "Dict":
      return emitDictLiteral(e, tree, hint);
    case "ListComp":
      return emitListComprehension(e, tree, hint);
    case "DictComp":
      return emitDictComprehension(e, tree, hint);
    case "Starred":
      throw new ScriptError("Unexpected starred expansion. File a bug report", tree.range);
    default:
      // an Ellipsis alone in brackets gets here, with the text of its tree
      throw new ScriptError(`Cannot emit expr for: (${tree.kind.toLowerCase()})\n`, tree.range);
  }
}

function emitBinary(e: EmitContext, tree: Expr & { kind: "Binary" }): Value {
  const { graph } = e;
  const operands = [tree.left, tree.right];
  switch (tree.op) {
    case "and":
    case "or":
    case "is":
    case "is not":
      return emitCondition(e, tree).value;
    case "not in":
      return emitCondition(e, { kind: "Unary", op: "not", operand: { ...tree, op: "in" }, range: tree.range }).value;
    case "//":
    case "@":
      return emitBuiltinCall(
        tree.range,
        graph,
        tree.op === "@" ? "aten::matmul" : "aten::floordiv",
        operands.map((x) => e.named(x)),
      );
    case "%": {
      // the left operand is evaluated once to see its type, and again with the other, as upstream does
      const left = emitSugaredExpr(e, tree.left, 0).asValue(tree.left.range, e.fn);
      if (left.type.kind !== "String") return emitOverloadable(e, tree);
      const values = operands.map((x) => emitExpr(e, x));
      return graph
        .insertNode(graph.create("aten::percentFormat", values).setSourceRange(tree.range))
        .output.setType(T.StringT);
    }
    default:
      return emitOverloadable(e, tree);
  }
}

function emitOverloadable(e: EmitContext, tree: Expr & { kind: "Binary" }): Value {
  const { graph } = e;
  const [operator, method] = OVERLOADABLE[tree.op]!;
  let args = [e.named(tree.left), e.named(tree.right)];
  // the container is what decides
  if (tree.op === "in") args = [args[1]!, args[0]!];
  const [left, right] = args as [NamedValue, NamedValue];
  if (tree.op === "+" && left.type.kind === "Tuple" && right.type.kind === "Tuple") {
    const values = [...unpackTuple(graph, left.value(graph)), ...unpackTuple(graph, right.value(graph))];
    return graph.insertNode(createTuple(graph, values)).output;
  }
  const result = asSimple(new MagicMethod(method, new BuiltinFunction(operator)).call(tree.range, e.fn, args, [], 0));
  if (!result) throw new ScriptError(`${method} gives no value`, tree.range);
  return result;
}

function emitUnary(e: EmitContext, tree: Expr & { kind: "Unary" }, method: string, operator: string): Value {
  const args = [e.named(tree.operand)];
  const result = asSimple(new MagicMethod(method, new BuiltinFunction(operator)).call(tree.range, e.fn, args, [], 0));
  if (!result) throw new ScriptError(`${method} gives no value`, tree.range);
  if (result.node.kind !== operator) return result;
  // negative numbers are constants
  const folded = foldUnary(result);
  return folded === undefined ? result : insertConstant(e.graph, folded, result.type, tree.range);
}

/** The result of a unary operator on a constant. */
function foldUnary(result: Value): unknown {
  const { node } = result;
  const operand = node.inputs[0]!;
  const constant = toIValue(operand);
  if (!constant) return undefined;
  const { value } = constant;
  switch (operand.type.kind) {
    case "Int":
      return normalizeInt(-BigInt(value as number | bigint));
    case "Float":
      return -(value instanceof Float ? value.value : (value as number));
    case "Complex":
      return value instanceof Complex ? new Complex(-value.re, -value.im) : undefined;
    case "Tensor": {
      const key = node.schema && operatorName(node.schema);
      return key !== undefined && findOperatorByKey(key) ? callOperator(key, [value]) : undefined;
    }
    default:
      return undefined;
  }
}
