/** @file Assignments: to variables, attributes, subscripts and patterns of them; augmented ones; del. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp. Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { createTuple } from "../../ir/build_nodes.ts";
import type { Value } from "../../ir/graph.ts";
import type { Expr, Stmt } from "../ast.ts";
import { emitBuiltinCall, insertOp } from "./emit_builtin.ts";
import { bracketRange, type EmitContext } from "./emit_context.ts";
import { emitIndexList, emitIntAndSliceIndexing } from "./indexing.ts";
import { FAKE_RANGE, NamedValue } from "./named_value.ts";
import { MagicMethod, MethodValue } from "./sugared_callable.ts";
import { BuiltinFunction, SimpleValue, type SugaredValue } from "./sugared_value.ts";

type AugAssign = Stmt & { kind: "AugAssign" };
type SubscriptExpr = Expr & { kind: "Subscript" };

/** Checks the targets of an assignment; gives whether one is starred. */
export function validateTargets(targets: readonly Expr[], range: SourceRange): boolean {
  let normal = 0;
  let starred = 0;
  for (const target of targets) {
    if (target.kind === "Var" || target.kind === "Subscript" || target.kind === "Tuple" || target.kind === "Select")
      normal++;
    else if (target.kind === "Starred") starred++;
    else throw new ScriptError("lhs of assignment must be a variable, subscript, or starred expression", target.range);
  }
  if (starred > 1) throw new ScriptError("Only one starred expression is allowed on the lhs", range);
  if (starred > 0 && normal === 0) {
    throw new ScriptError(
      "A Starred expression may only appear on the lhs within the presence of another non-starred expression",
      range,
    );
  }
  return starred > 0;
}

function emitTupleAssign(
  e: EmitContext,
  target: Expr & { kind: "Tuple" },
  value: (binders: number) => SugaredValue,
  range: SourceRange,
): void {
  const starred = validateTargets(target.elements, target.range);
  const binders = target.elements.length - (starred ? 1 : 0);
  const outputs = value(binders).asTuple(range, e.fn, starred ? undefined : binders);
  if (outputs.length < binders) {
    throw new ScriptError(
      `need ${starred ? "at least " : ""}${binders} values to unpack but found only ${outputs.length}`,
      target.range,
    );
  }
  if (outputs.length > binders && !starred && !target.takesFirst) {
    throw new ScriptError(`too many values to unpack: need ${binders} but found ${outputs.length}`, target.range);
  }
  emitExprsAssign(e, target.elements, outputs, range, binders);
}

/** Assigns one meaning per target; a starred target takes what is left. */
export function emitExprsAssign(
  e: EmitContext,
  targets: readonly Expr[],
  outputs: readonly SugaredValue[],
  range: SourceRange,
  binders: number,
): void {
  let i = 0;
  for (const target of targets) {
    const output = outputs[i];
    switch (target.kind) {
      case "Subscript":
        emitSubscriptAssign(e, range, target, NamedValue.of(output!.asValue(range, e.fn), undefined, range));
        i++;
        break;
      case "Var":
        e.env.setSugaredVar(target.range, target.name.name, output!);
        i++;
        break;
      case "Starred": {
        const { value } = target;
        if (value.kind !== "Var") throw new ScriptError("Cannot pack a tuple into a non-variable", value.range);
        const count = outputs.length - binders;
        const values = outputs.slice(i, i + count).map((o) => o.asValue(target.range, e.fn));
        const tuple = e.graph.insertNode(createTuple(e.graph, values)).output;
        e.env.setVar(value.range, value.name.name, tuple);
        i += count;
        break;
      }
      case "Tuple":
        emitTupleAssign(e, target, () => output!, range);
        i++;
        break;
      case "Select": {
        const object = e.parts.sugared(e, target.value, 1);
        object.setAttr(range, e.fn, target.selector.name, output!.asValue(range, e.fn));
        i++;
        break;
      }
      default:
        throw new ScriptError("unexpected expression on the left-hand side", target.range);
    }
  }
}

/** `a = b = value`. */
export function emitAssign(e: EmitContext, stmt: Stmt & { kind: "Assign" }): void {
  const { targets, value } = stmt;
  if (targets.length === 1) {
    emitSingleAssign(e, stmt.range, targets[0]!, value, stmt.annotation);
    return;
  }
  if (!value) throw new ScriptError("For an assignment, expected an expression on the right-hand side", stmt.range);
  // the value is computed once, then assigned from left to right
  const name = e.tempName("$tmp_assign_");
  e.env.setSugaredVar(value.range, name, e.parts.sugared(e, value, 1));
  const temp: Expr = { kind: "Var", name: { name, range: value.range }, range: value.range };
  for (const target of targets) emitSingleAssign(e, stmt.range, target, temp, undefined);
}

function emitSingleAssign(
  e: EmitContext,
  range: SourceRange,
  target: Expr,
  value: Expr | undefined,
  annotation: Expr | undefined,
): void {
  if (!value) throw new ScriptError("For an assignment, expected an expression on the right-hand side", range);
  switch (target.kind) {
    case "Var": {
      const type: Type | undefined = annotation && e.types.parseTypeFromExpr(annotation);
      const meaning = keepLegacyPrepack(e, e.parts.sugared(e, value, 1, type));
      e.env.setSugaredVar(target.range, target.name.name, meaning, type);
      return;
    }
    case "Tuple":
      emitTupleAssign(e, target, (binders) => e.parts.sugared(e, value, binders), value.range);
      return;
    case "Select": {
      const type = annotation && e.types.parseTypeFromExpr(annotation);
      const object = e.parts.sugared(e, target.value, 1);
      const assigned = e.parts.sugared(e, value, 1, type).asValue(value.range, e.fn);
      object.setAttr(range, e.fn, target.selector.name, assigned);
      return;
    }
    case "Subscript":
      emitSubscriptAssign(e, range, target, e.named(value));
      return;
    default:
      throw new ScriptError("unexpected expression on left-hand side of assignment", target.range);
  }
}

const LEGACY_PACKED_RNN = "__torch__.torch.nn.quantized.dynamic.modules.rnn.PackedParameter.__setstate__";

/** Quantized RNNs of old archives keep their packed weights in a tensor, not in a class: they need the operator of then. */
function keepLegacyPrepack(e: EmitContext, meaning: SugaredValue): SugaredValue {
  if (e.fn.qualname.qualifiedName !== LEGACY_PACKED_RNN || !(meaning instanceof SimpleValue)) return meaning;
  const { node } = meaning.value;
  if (node.kind !== "quantized::linear_prepack") return meaning;
  return new SimpleValue(insertOp(e.graph, "quantized::linear_prepack_legacy", [...node.inputs], node.sourceRange));
}

/** A number assigned to a part of a tensor becomes a tensor of its dtype and device. */
function valueToTensor(e: EmitContext, value: NamedValue, like: NamedValue): NamedValue {
  const kinds = ["Number", "Int", "Bool", "Float", "Complex"];
  if (!kinds.includes(value.type.kind)) return value;
  const of = (name: string): Value => emitBuiltinCall(FAKE_RANGE, e.graph, name, [like]);
  const dtype = of("prim::dtype");
  const device = of("prim::device");
  const kwargs = [NamedValue.of(dtype, "dtype"), NamedValue.of(device, "device")];
  return NamedValue.of(emitBuiltinCall(FAKE_RANGE, e.graph, "aten::tensor", [value], kwargs), undefined, value.range);
}

function emitSubscriptAssign(e: EmitContext, range: SourceRange, target: SubscriptExpr, value: NamedValue): void {
  const { graph } = e;
  const { indices } = target;
  const sliceable = e.parts.expr(e, target.value);
  if (T.isSubtypeOf(sliceable.type, T.TensorT)) {
    const { sliced, tensors } = emitIntAndSliceIndexing(e, target.range, sliceable, indices);
    const slicedArg = NamedValue.of(sliced, undefined, target.range);
    const converted = valueToTensor(e, value, slicedArg);
    if (tensors.length === 0) emitBuiltinCall(range, graph, "aten::copy_", [slicedArg, converted]);
    else {
      const list = NamedValue.of(emitIndexList(e, tensors));
      emitBuiltinCall(range, graph, "aten::index_put_", [slicedArg, list, converted]);
    }
    return;
  }
  const [only] = indices;
  if (indices.length !== 1 || !only || only.kind === "Slice") {
    throw new ScriptError(
      "Sliced expression not yet supported for subscripted assignment. File a bug if you want this",
      bracketRange(target.value.range, indices),
    );
  }
  if (T.isSubtypeOf(sliceable.type, T.AnyTupleT)) {
    throw new ScriptError(`${T.typeReprStr(sliceable.type)} does not support subscripted assignment`, target.range);
  }
  const args = [
    NamedValue.of(sliceable, "self", target.value.range),
    NamedValue.of(e.parts.expr(e, only), "idx", bracketRange(target.value.range, indices)),
    value,
  ];
  new MagicMethod("__setitem__", new BuiltinFunction("aten::_set_item")).call(range, e.fn, args, [], 0);
}

/** Operators of `op=`: in place for tensors and lists, plain for everything else. */
// prettier-ignore
const AUG_OPS: Readonly<Record<string, readonly [inPlace: string, plain: string]>> = {
  "+":  ["aten::add_", "aten::add"],
  "-":  ["aten::sub_", "aten::sub"],
  "/":  ["aten::div_", "aten::div"],
  "*":  ["aten::mul_", "aten::mul"],
  "%":  ["aten::fmod_", "aten::fmod"],
  "|":  ["aten::bitwise_or", "aten::__or__"],
  "&":  ["aten::bitwise_and", "aten::__and__"],
  "^":  ["aten::bitwise_xor", "aten::__xor__"],
  "<<": ["aten::__lshift__", "aten::__lshift__"],
  ">>": ["aten::__irshift__", "aten::__rshift__"],
  "**": ["aten::pow", "aten::pow"],
};
const AUG_METHODS: Readonly<Record<string, readonly [inPlace: string, plain: string]>> = {
  "+": ["__iadd__", "__add__"],
  "-": ["__isub__", "__sub__"],
  "/": ["__itruediv__", "__truediv__"],
  "*": ["__imul__", "__mul__"],
  "%": ["__imod__", "__mod__"],
};

function augOp(stmt: AugAssign, type: Type): string {
  const ops = AUG_OPS[stmt.op];
  if (!ops) throw new ScriptError(`Unknown augmented assignment: ${stmt.op}`, stmt.range);
  return ops[T.isSubtypeOf(type, T.TensorT) || type.kind === "List" ? 0 : 1];
}

/** `target op= value`. */
export function emitAugAssign(e: EmitContext, stmt: AugAssign): void {
  const { target } = stmt;
  switch (target.kind) {
    case "Var": {
      const result = emitAugOp(e, stmt, e.parts.expr(e, target));
      e.env.setVar(target.range, target.name.name, result);
      return;
    }
    case "Select": {
      const object = e.parts.sugared(e, target.value, 1);
      const old = object.attr(target.range, e.fn, target.selector.name).asValue(target.range, e.fn);
      object.setAttr(stmt.range, e.fn, target.selector.name, emitAugOp(e, stmt, old));
      return;
    }
    case "Subscript":
      emitAugSubscript(e, stmt, target);
      return;
    default:
      throw new ScriptError("unexpected expression on left-hand side of augmented assignment", target.range);
  }
}

function emitAugOp(e: EmitContext, stmt: AugAssign, left: Value): Value {
  const { type } = left;
  if (type.kind !== "Class") {
    const right = e.parts.expr(e, stmt.value);
    return insertOp(e.graph, augOp(stmt, type), [left, right], stmt.range);
  }
  const methods = AUG_METHODS[stmt.op];
  if (!methods) throw new ScriptError(`Unknown augmented assignment: ${stmt.op}`, stmt.range);
  const right = e.parts.expr(e, stmt.value);
  const method = methods.find((m) => type.findMethod(m));
  if (!method) {
    throw new ScriptError(
      `Cannot emit inplace op on ${T.typeReprStr(type)} since it does not define an ${methods[0]} or ${methods[1]} method`,
      stmt.range,
    );
  }
  return new MethodValue(left, method).call(stmt.range, e.fn, [NamedValue.of(right)], []).asValue(stmt.range, e.fn);
}

function emitAugSubscript(e: EmitContext, stmt: AugAssign, target: SubscriptExpr): void {
  const { graph } = e;
  const sliceable = e.parts.expr(e, target.value);
  if (!T.isSubtypeOf(sliceable.type, T.TensorT)) {
    emitAugItem(e, stmt, target, sliceable);
    return;
  }
  const { sliced, tensors } = emitIntAndSliceIndexing(e, target.range, sliceable, target.indices);
  const self = NamedValue.of(sliced, "self", target.range);
  const value = e.named(stmt.value);
  const op = augOp(stmt, sliceable.type);
  if (tensors.length === 0) {
    emitBuiltinCall(stmt.range, graph, op, [value], [], self);
    return;
  }
  const list = NamedValue.of(emitIndexList(e, tensors));
  const indexed = emitBuiltinCall(stmt.range, graph, "aten::index", [self, list]);
  const augmented = emitBuiltinCall(stmt.range, graph, op, [value], [], NamedValue.of(indexed));
  emitBuiltinCall(stmt.range, graph, "aten::index_put_", [self, list, NamedValue.of(augmented)]);
}

/** `list[i] op= value`, `dict[key] op= value`. */
function emitAugItem(e: EmitContext, stmt: AugAssign, target: SubscriptExpr, container: Value): void {
  const { graph } = e;
  const { type } = container;
  const [only] = target.indices;
  if (target.indices.length !== 1 || !only) {
    throw new ScriptError(
      `Sliced expression not yet supported for ${T.typeReprStr(type)} augmented assignment. File a bug if you want this`,
      bracketRange(target.value.range, target.indices),
    );
  }
  // upstream asks the key of a dict, not the value, which operator it takes
  const element = type.kind === "List" ? type.element : type.kind === "Dict" ? type.key : undefined;
  if (!element) throw new ScriptError(`${T.typeReprStr(type)} does not support augmented assignment.`, target.range);
  const index = e.parts.expr(e, only);
  const value = e.parts.expr(e, stmt.value);
  const item = insertOp(graph, "aten::__getitem__", [container, index], stmt.range);
  const augmented = insertOp(graph, augOp(stmt, element), [item, value], stmt.range);
  insertOp(graph, "aten::_set_item", [container, index, augmented], stmt.range);
}

/** `del a, b[i]`. */
export function emitDelete(e: EmitContext, stmt: Stmt & { kind: "Delete" }): void {
  for (const target of stmt.targets) {
    if (target.kind === "Var") {
      e.env.removeVar(target.name);
      continue;
    }
    if (target.kind !== "Subscript") {
      throw new ScriptError(
        "del statements are only supported for deleting list and dict items and variables",
        target.range,
      );
    }
    const first = target.indices[0]!;
    if (first.kind === "Slice") {
      throw new ScriptError(
        "del statements only support deletion at a single index, slicing is not supported (see https://github.com/pytorch/pytorch/issues/31430)",
        target.range,
      );
    }
    const meaning = e.parts.sugared(e, target.value, 1);
    const index = e.parts.expr(e, first);
    const container = meaning.asValue(target.value.range, e.fn);
    if (container.type.kind === "Class") {
      if (!container.type.findMethod("__delitem__"))
        throw new ScriptError("Class does not define __delitem__", target.range);
      new MethodValue(container, "__delitem__").call(stmt.range, e.fn, [NamedValue.of(index)], []);
    } else e.graph.insertNode(e.graph.create("aten::Delete", [container, index], 0).setSourceRange(target.range));
  }
}
