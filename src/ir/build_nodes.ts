/** @file Constructors of the common node kinds, in the form that PyTorch makes them. Upstream: torch/csrc/jit/ir/ir.cpp. Spec: none.
 *
 * `create...` gives a node in no block; `insert...` puts it at the insert point. */
import { ScriptError, internalAssert } from "../base/errors.ts";
import type { SourceRange } from "../base/source_range.ts";
import * as T from "../core/type.ts";
import type { ClassType, TupleType, Type } from "../core/type.ts";
import { insertConstant } from "./constants.ts";
import type { ScriptFunction } from "./function.ts";
import type { Graph, Node, Value } from "./graph.ts";

/** A node with one output of a type. */
function typed(graph: Graph, kind: string, inputs: readonly Value[], type: Type): Node {
  const node = graph.create(kind, inputs);
  node.output.setType(type);
  return node;
}

/** `prim::TupleConstruct`; a NamedTuple where `type` is given. */
export function createTuple(graph: Graph, values: readonly Value[], type?: TupleType): Node {
  return typed(graph, "prim::TupleConstruct", values, type ?? T.tupleOf(values.map((v) => v.type)));
}

/** `prim::TupleUnpack` with one output per element. */
export function createTupleUnpack(graph: Graph, tuple: Value): Node {
  internalAssert(tuple.type.kind === "Tuple", "unpacking no tuple");
  const node = graph.create("prim::TupleUnpack", [tuple], 0);
  for (const element of tuple.type.elements) node.addOutput().setType(element);
  return node;
}

/** The elements of a tuple: those that it was made of, where that is in sight, else of a new `prim::TupleUnpack`. */
export function unpackTuple(graph: Graph, tuple: Value): readonly Value[] {
  // keeps e.g. the literal of x.expand([3, 4]) a constant
  if (tuple.node.kind === "prim::TupleConstruct") return [...tuple.node.inputs];
  return [...graph.insertNode(createTupleUnpack(graph, tuple)).outputs];
}

/** `prim::TupleIndex` with the type of the chosen element. */
export function createTupleIndex(graph: Graph, tuple: Value, index: Value, type: Type): Node {
  return typed(graph, "prim::TupleIndex", [tuple, index], type);
}

/** Inserts the elements of a slice of a tuple and gives the (uninserted) new tuple. */
export function createTupleSlice(graph: Graph, tuple: Value, begin: number, step: number, count: number): Node {
  internalAssert(tuple.type.kind === "Tuple", "slicing no tuple");
  const values: Value[] = [];
  for (let i = begin; values.length < count; i += step) {
    const index = insertConstant(graph, i, T.IntT);
    values.push(graph.insertNode(createTupleIndex(graph, tuple, index, tuple.type.elements[i]!)).output);
  }
  return createTuple(graph, values);
}

/** `prim::ListConstruct`. */
export function createList(graph: Graph, element: Type, values: readonly Value[]): Node {
  return typed(graph, "prim::ListConstruct", values, T.listOf(element));
}

/** `prim::ListUnpack` into a known number of elements. */
export function createListUnpack(graph: Graph, list: Value, size: number): Node {
  internalAssert(list.type.kind === "List", "unpacking no list");
  const node = graph.create("prim::ListUnpack", [list], 0);
  for (let i = 0; i < size; i++) node.addOutput().setType(list.type.element);
  return node;
}

/** `prim::DictConstruct` of keys and values in turn. */
export function createDict(
  graph: Graph,
  key: Type,
  value: Type,
  keys: readonly Value[],
  values: readonly Value[],
): Node {
  return typed(
    graph,
    "prim::DictConstruct",
    keys.flatMap((k, i) => [k, values[i]!]),
    T.dictOf(key, value),
  );
}

/** A None constant. */
export function createNone(graph: Graph): Node {
  return typed(graph, "prim::Constant", [], T.NoneT);
}

/** A value that is never looked at. */
export function createUninitialized(graph: Graph, type: Type): Node {
  return typed(graph, "prim::Uninitialized", [], type);
}

/** `prim::Load` of a variable; exists before conversion to SSA only. */
export function createLoad(graph: Graph, name: string, type: Type): Node {
  return typed(graph, "prim::Load", [], type).setAttr("name", "s", name);
}

/** `prim::Store` to a variable; exists before conversion to SSA only. */
export function createStore(graph: Graph, name: string, value: Value): Node {
  return graph.create("prim::Store", [value], 0).setAttr("name", "s", name);
}

/** `prim::CreateObject`. */
export function createObject(graph: Graph, type: ClassType): Node {
  return typed(graph, "prim::CreateObject", [], type);
}

/** `prim::GetAttr`; the output is named after the attribute. */
export function createGetAttr(graph: Graph, object: Value, field: string): Node {
  internalAssert(object.type.kind === "Class", "attribute of no class");
  const type = object.type.findAttribute(field);
  internalAssert(type, `${object.type.name.qualifiedName} has no attribute "${field}"`);
  const node = typed(graph, "prim::GetAttr", [object], type).setAttr("name", "s", field);
  node.output.setDebugName(/^[0-9]+$/.test(field) ? `_${field}` : field);
  return node;
}

/** `prim::SetAttr`. */
export function createSetAttr(graph: Graph, object: Value, field: string, value: Value): Node {
  return graph.create("prim::SetAttr", [object, value], 0).setAttr("name", "s", field);
}

/** `prim::isinstance`. */
export function createIsInstance(graph: Graph, value: Value, types: readonly Type[]): Node {
  return typed(graph, "prim::isinstance", [value], T.BoolT).setAttr("types", "tys", types);
}

/** `prim::EnumName`. */
export function createEnumName(graph: Graph, value: Value): Node {
  return typed(graph, "prim::EnumName", [value], T.StringT);
}

/** `prim::EnumValue`. */
export function createEnumValue(graph: Graph, value: Value): Node {
  internalAssert(value.type.kind === "Enum", "value of no enum");
  return typed(graph, "prim::EnumValue", [value], value.type.valueType);
}

/** `prim::unchecked_cast`: gives a value another static type. */
export function insertUncheckedCast(graph: Graph, value: Value, type: Type): Value {
  return graph.insertNode(typed(graph, "prim::unchecked_cast", [value], type)).output;
}

const TOLIST_ELEMENTS: Readonly<Record<string, number>> = { Int: 0, Float: 1, Bool: 2, Complex: 3 };

/** `prim::tolist` of a tensor to (nested lists of) ints, floats, bools or complex numbers. */
export function insertToList(graph: Graph, value: Value, type: Type, range?: SourceRange): Value {
  let inner = type;
  let dim = 0;
  for (; inner.kind === "List"; dim++) inner = inner.element;
  const element = TOLIST_ELEMENTS[inner.kind];
  if (element === undefined) {
    throw new ScriptError(
      `${T.typeReprStr(inner)} is not one of the supported element types for tolist: int, float, complex, bool`,
      range,
    );
  }
  const dimValue = insertConstant(graph, dim, T.IntT);
  const elementValue = insertConstant(graph, element, T.IntT);
  return graph.insertNode(typed(graph, "prim::tolist", [value, dimValue, elementValue], type)).output;
}

/** `prim::CallFunction` of a function constant. */
export function insertFunctionCall(
  graph: Graph,
  callee: ScriptFunction,
  inputs: readonly Value[],
  returned: Type,
): Value {
  const constant = graph
    .insertNode(typed(graph, "prim::Constant", [], { kind: "Function", fn: callee }))
    .setAttr("name", "s", callee.name);
  return graph.insertNode(typed(graph, "prim::CallFunction", [constant.output, ...inputs], returned)).output;
}

/** `prim::CallMethod`; the first input is the object. */
export function insertMethodCall(graph: Graph, name: string, inputs: readonly Value[], returned: Type): Value {
  return graph.insertNode(typed(graph, "prim::CallMethod", inputs, returned)).setAttr("name", "s", name).output;
}

/** Copies the nodes of `callee` to the insert point, its inputs replaced by `inputs`; gives what its outputs became. */
export function insertGraph(graph: Graph, callee: Graph, inputs: readonly Value[]): Value[] {
  const map = new Map<Value, Value>();
  const find = (value: Value): Value => {
    const found = map.get(value);
    internalAssert(found, "value from outside the inserted graph");
    return found;
  };
  callee.inputs.forEach((input, i) => map.set(input, inputs[i]!));
  for (const node of callee.block.nodes()) {
    const copy = graph.insertNode(graph.createClone(node, find));
    node.outputs.forEach((output, i) => map.set(output, copy.outputs[i]!));
  }
  return callee.outputs.map(find);
}
