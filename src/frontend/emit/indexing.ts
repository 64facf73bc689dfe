/** @file Subscripts: of tensors (ints, slices, None, Ellipsis, tensors and lists in any mixture), tuples, and the rest. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp. Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { createList, createNone, createTupleIndex, createTupleSlice } from "../../ir/build_nodes.ts";
import { constantInt, insertConstant } from "../../ir/constants.ts";
import type { Value } from "../../ir/graph.ts";
import type { Expr } from "../ast.ts";
import { emitBuiltinCall, insertOp } from "./emit_builtin.ts";
import type { EmitContext } from "./emit_context.ts";
import { FAKE_RANGE, NamedValue } from "./named_value.ts";
import { convertibleToList } from "./schema_matching.ts";
import { SimpleValue, type SugaredValue } from "./sugared_value.ts";

type SliceExpr = Expr & { kind: "Slice" };
type SubscriptExpr = Expr & { kind: "Subscript" };
const LONG = 4;
const OPTIONAL_TENSOR = T.optionalOf(T.TensorT);

/** `prim::ListConstruct` of indices, None where a dimension has no index. */
function indexList(e: EmitContext, indices: readonly Value[]): Value {
  return e.graph.insertNode(createList(e.graph, OPTIONAL_TENSOR, indices)).output;
}

/** `aten::index` with tensors. */
export function emitIndex(e: EmitContext, range: SourceRange, input: Value, indices: readonly Value[]): Value {
  const list = indexList(e, indices);
  return insertOp(e.graph, "aten::index", [input, list], range);
}
export { indexList as emitIndexList };

function emitSliceOp(
  e: EmitContext,
  range: SourceRange,
  sliceable: Value,
  dim: Value | undefined,
  parts: readonly (Value | undefined)[],
): Value {
  const { graph } = e;
  const [start, end, givenStep] = parts;
  if (sliceable.type.kind === "Tuple") return emitTupleSlice(e, range, sliceable, parts);
  const step = givenStep ?? insertConstant(graph, 1, T.IntT, range);
  const bound = (value: Value | undefined, name: string): NamedValue =>
    value ? NamedValue.of(value, name, range) : NamedValue.constant(null, T.NoneT, name);
  const args = [NamedValue.of(sliceable, "self", range)];
  if (dim) args.push(NamedValue.of(dim));
  args.push(bound(start, "start"), bound(end, "end"), NamedValue.of(step, "step", range));
  return emitBuiltinCall(range, graph, "aten::slice", args);
}

function emitSlice(e: EmitContext, range: SourceRange, input: Value, dim: Value | undefined, slice: SliceExpr): Value {
  const part = (tree: Expr | undefined): Value | undefined => tree && e.parts.expr(e, tree);
  const start = part(slice.start);
  const end = part(slice.end);
  const step = part(slice.step);
  return emitSliceOp(e, range, input, dim, [start, end, step]);
}

/** What is left after ints and slices were applied, and the tensors still to index with. */
export interface PartlyIndexed {
  readonly sliced: Value;
  readonly tensors: readonly Value[];
}

/** Applies int, None and slice indices; collects tensor indices by dimension. */
export function emitIntAndSliceIndexing(
  e: EmitContext,
  range: SourceRange,
  sliceable: Value,
  indices: readonly Expr[],
): PartlyIndexed {
  const { graph } = e;
  const dims = new Array<number>(indices.length).fill(0);
  const values = new Array<Value | undefined>(indices.length).fill(undefined);

  // one index on its way from the left (or, behind an Ellipsis, from the right); gives the dimension of the next
  const visit = (tree: Expr, at: number, dim: number, reverse: boolean): number => {
    dims[at] = dim;
    const next = reverse ? dim - 1 : dim + 1;
    if (tree.kind === "Slice") return next;
    // upstream looks whether it is a slice object, and emits it again as a value
    e.parts.sugared(e, tree, 1);
    let index = e.parts.expr(e, tree, tree.kind === "None" ? T.NoneT : undefined);
    if (index.type.kind === "List") {
      index = emitBuiltinCall(
        FAKE_RANGE,
        graph,
        "aten::tensor",
        [NamedValue.of(index)],
        [NamedValue.constant(LONG, T.IntT, "dtype")],
      );
    }
    values[at] = index;
    if (T.isSubtypeOf(index.type, T.NoneT)) return reverse ? dim : next;
    if (index.type.kind === "Int") return reverse ? next : dim;
    if (T.isSubtypeOf(index.type, OPTIONAL_TENSOR)) {
      if (reverse) throw new ScriptError("Ellipses followed by tensor indexing is currently not supported", range);
      return next;
    }
    throw new ScriptError(
      `Unsupported operation: indexing tensor with unsupported index type '${T.typeReprStr(index.type)}'. Only ints, slices, lists and tensors are supported`,
      range,
    );
  };
  let at = 0;
  let dim = 0;
  for (; at < indices.length && indices[at]!.kind !== "Dots"; at++) dim = visit(indices[at]!, at, dim, false);
  let reverseDim = -1;
  for (let back = indices.length - 1; back > at; back--) {
    if (indices[back]!.kind === "Dots")
      throw new ScriptError("An index can only have a single ellipsis ('...')", range);
    reverseDim = visit(indices[back]!, back, reverseDim, true);
  }

  let sliced = sliceable;
  const tensors: (Value | undefined)[] = [];
  const dimValue = (i: number): Value => insertConstant(graph, dims[i]!, T.IntT, range);
  indices.forEach((tree, i) => {
    const index = values[i];
    if (!index) {
      if (tree.kind === "Slice") sliced = emitSlice(e, range, sliced, dimValue(i), tree);
    } else if (T.isSubtypeOf(index.type, T.NoneT))
      sliced = insertOp(graph, "aten::unsqueeze", [sliced, dimValue(i)], range);
    else if (index.type.kind === "Int") sliced = insertOp(graph, "aten::select", [sliced, dimValue(i), index], range);
    else {
      while (tensors.length <= dims[i]!) tensors.push(undefined);
      tensors[dims[i]!] = index;
    }
  });
  return { sliced, tensors: tensors.map((t) => t ?? graph.insertNode(createNone(graph)).output) };
}

function emitMultidimSlicing(e: EmitContext, range: SourceRange, sliceable: Value, indices: readonly Expr[]): Value {
  if (!T.isSubtypeOf(sliceable.type, T.TensorT)) {
    throw new ScriptError(
      "Unsupported operation: attempted to use multidimensional indexing on a non-tensor type",
      range,
    );
  }
  const { sliced, tensors } = emitIntAndSliceIndexing(e, range, sliceable, indices);
  return tensors.length === 0 ? sliced : emitIndex(e, range, sliced, tensors);
}

/** An index of a tuple counted from the front; throws ScriptError where it is out of range. */
function tupleIndex(range: SourceRange, length: number, index: number, allowOutOfRange: boolean): number {
  const adjusted = index < 0 ? index + length : index;
  if (!allowOutOfRange && (adjusted < 0 || adjusted >= length)) {
    throw new ScriptError(`Tuple index out of range. Tuple is length ${length} and index is ${index}`, range);
  }
  return adjusted;
}

function emitTupleIndex(e: EmitContext, range: SourceRange, tuple: Value, index: Value): Value {
  const { type } = tuple;
  const elements = type.kind === "Tuple" ? type.elements : [];
  if (index.type.kind !== "Int") throw new ScriptError("tuple index must be an integer", range);
  const constant = constantInt(index);
  let chosen: Type;
  if (constant === undefined) {
    const [first] = elements;
    // a constant list became a tuple: one type, any index
    if (!first || !convertibleToList(type, T.listOf(first))) {
      throw new ScriptError(
        `Cannot index into a ${T.typeReprStr(type)} with a non-integer literal because we cannot resolve the output type`,
        range,
      );
    }
    chosen = first;
  } else chosen = elements[tupleIndex(range, elements.length, Number(constant), false)]!;
  return e.graph.insertNode(createTupleIndex(e.graph, tuple, index, chosen)).output;
}

function emitTupleSlice(
  e: EmitContext,
  range: SourceRange,
  tuple: Value,
  parts: readonly (Value | undefined)[],
): Value {
  const length = tuple.type.kind === "Tuple" ? tuple.type.elements.length : 0;
  const [beginValue, endValue, stepValue] = parts;
  const constant = (value: Value): number => {
    const index = constantInt(value);
    if (index === undefined) throw new ScriptError("tuple slice indices must be integer constants", range);
    return Number(index);
  };
  const step = stepValue ? constant(stepValue) : 1;
  if (step === 0) throw new ScriptError("List slice should have non-zero step", range);
  const backward = step < 0;
  const limit = (value: Value | undefined, absent: number): number => {
    const index = value ? tupleIndex(range, length, constant(value), true) : absent;
    if (index < 0) return Math.max(index + length, backward ? -1 : 0);
    return Math.min(index, backward ? length - 1 : length);
  };
  const begin = limit(beginValue, backward ? Infinity : 0);
  const end = limit(endValue, backward ? -Infinity : Infinity);
  const count = backward
    ? end < begin
      ? Math.floor((begin - end - 1) / -step) + 1
      : 0
    : begin < end
      ? Math.floor((end - begin - 1) / step) + 1
      : 0;
  return e.graph.insertNode(createTupleSlice(e.graph, tuple, begin, step, count)).output;
}

/** `value[indices]`. */
export function emitSubscript(e: EmitContext, tree: SubscriptExpr, hint: Type | undefined): SugaredValue {
  const meaning = e.parts.sugared(e, tree.value, 1);
  const { indices, range } = tree;
  const valueRange = tree.value.range;
  const [only] = indices;
  if (indices.length !== 1 || !only)
    return new SimpleValue(emitMultidimSlicing(e, range, meaning.asValue(valueRange, e.fn), indices));
  if (only.kind === "Slice") {
    if (meaning.kind() === "module") {
      const tuple = meaning.asTupleValue(valueRange, e.fn).asValue(valueRange, e.fn);
      const parts = [only.start, only.end, only.step].map((part) => part && e.parts.expr(e, part));
      return new SimpleValue(emitTupleSlice(e, valueRange, tuple, parts));
    }
    const sliceable = meaning.asValue(valueRange, e.fn);
    const dim = T.isSubtypeOf(sliceable.type, T.TensorT) ? insertConstant(e.graph, 0, T.IntT, range) : undefined;
    return new SimpleValue(emitSlice(e, range, sliceable, dim, only));
  }
  const sliceable = meaning.asValue(valueRange, e.fn);
  const index = e.parts.sugared(e, only, 1).asValue(valueRange, e.fn);
  if (sliceable.type.kind === "Tuple")
    return new SimpleValue(emitTupleIndex(e, range, meaning.asValue(valueRange, e.fn), index));
  if (T.isSubtypeOf(sliceable.type, T.TensorT))
    return new SimpleValue(emitMultidimSlicing(e, range, sliceable, indices));
  return meaning.getitem(range, e.fn, index, hint);
}
