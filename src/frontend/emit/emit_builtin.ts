/** @file Calls of operators: overloads by archive version, then builtin functions, then PyTorch's suggestions for unknown names. Upstream: torch/csrc/jit/frontend/schema_matching.cpp (emitBuiltinCall). Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";
import { lateSchemasFor, operatorNames, type LateSchema } from "../../core/operator_registry.ts";
import { parseSchema, type FunctionSchema } from "../../core/schema.ts";
import type { Type } from "../../core/type.ts";
import { createTuple, insertGraph } from "../../ir/build_nodes.ts";
import type { Graph, Value } from "../../ir/graph.ts";
import { builtinFunctionsFor } from "./builtin_functions.ts";
import { FAKE_RANGE, NamedValue } from "./named_value.ts";
import { matchSchemas, setInsertOperator, type MatchedSchema, type Overload } from "./schema_matching.ts";
import { UPGRADERS, findUpgrader } from "./upgraders.ts";

const graphVersions = new WeakMap<Graph, number>();
/** The archive version whose operators a graph is being compiled with; undefined: today's. */
export function operatorVersion(graph: Graph): number | undefined {
  return graphVersions.get(graph);
}
/** Sets or clears the archive version of a graph. */
export function setOperatorVersion(graph: Graph, version: number | undefined): void {
  if (version === undefined) graphVersions.delete(graph);
  else graphVersions.set(graph, version);
}

const oldSchemas = new Map<string, FunctionSchema>();
function oldSchema(text: string): FunctionSchema {
  let schema = oldSchemas.get(text);
  if (!schema) oldSchemas.set(text, (schema = parseSchema(text)));
  return schema;
}

interface Overloads {
  /** The registry's schemas that `operators` was made of: a new operator is a new list. */
  readonly variants: readonly LateSchema[];
  readonly operators: readonly Overload[];
}
const knownOverloads = new Map<string, Overloads>();

/** The schemas that a name may mean in an archive of a version; old ones stand behind those of today. */
function overloads(name: string, version: number | undefined): readonly Overload[] {
  const variants = lateSchemasFor(name);
  if (version === undefined) return variants;
  const key = `${version}:${name}`;
  const known = knownOverloads.get(key);
  if (known?.variants === variants) return known.operators;
  const operators = overloadsIn(name, variants, version);
  knownOverloads.set(key, { variants, operators });
  return operators;
}

function overloadsIn(name: string, variants: readonly LateSchema[], version: number): readonly Overload[] {
  const current: Overload[] = [];
  const old: Overload[] = [];
  for (const variant of variants) {
    const upgrader = findUpgrader(variant.key, version);
    if (upgrader) old.push({ schema: oldSchema(upgrader.oldSchema) });
    else current.push(variant);
  }
  if (variants.length === 0) {
    for (const key of UPGRADERS.keys()) {
      const upgrader = key.split(".", 1)[0] === name ? findUpgrader(key, version) : undefined;
      if (upgrader) old.push({ schema: oldSchema(upgrader.oldSchema) });
    }
  }
  return [...current, ...old];
}

/** One value for what an operator returns: the value, or a tuple, named where the schema names every return. */
function packOutputs(graph: Graph, values: readonly Value[], names: readonly string[] | undefined): Value {
  if (values.length === 1) return values[0]!;
  const elements: Type[] = values.map((v) => v.type);
  return graph.insertNode(
    names ? createTuple(graph, values, { kind: "Tuple", elements, fieldNames: names }) : createTuple(graph, values),
  ).output;
}

/** Inserts the node of an operator whose schema matched. */
function emitBuiltinNode(matched: MatchedSchema, range: SourceRange, graph: Graph, name: string): Value {
  const node = graph.insertNode(graph.create(name, matched.inputs, 0)).setSourceRange(range);
  node.schema = matched.schema;
  for (const type of matched.returnTypes) node.addOutput().setType(type);
  return packOutputs(graph, [...node.outputs], matched.returnNames);
}

const MAX_EDIT_DISTANCE = 2;

/** Whether two names are at most `MAX_EDIT_DISTANCE` insertions, deletions and replacements apart; gives the distance. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > MAX_EDIT_DISTANCE) return MAX_EDIT_DISTANCE + 1;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}

function unknownOperator(name: string, range: SourceRange): ScriptError {
  const similar = operatorNames()
    .map((other) => ({ other, distance: editDistance(name, other) }))
    .filter((x) => x.distance <= MAX_EDIT_DISTANCE)
    .sort((a, b) => a.distance - b.distance);
  let text = `Unknown builtin op: ${name}.\n`;
  if (similar.length === 0) {
    text += `Could not find any similar ops to ${name}. This op may not exist or may not be currently supported in TorchScript.\n`;
  } else {
    text += `Here are some suggestions: \n${similar.map((s) => `\t${s.other}\n`).join("")}\nThe original call is`;
  }
  return new ScriptError(text, range);
}

/** Calls the operator of a name with the overload that fits the arguments; throws ScriptError where none does. */
export function emitBuiltinCall(
  range: SourceRange,
  graph: Graph,
  name: string,
  args: readonly NamedValue[],
  kwargs: readonly NamedValue[] = [],
  self?: NamedValue,
): Value {
  const operators = overloads(name, operatorVersion(graph));
  const functions = builtinFunctionsFor(name);
  const candidates: readonly Overload[] = functions.length === 0 ? operators : [...operators, ...functions];
  if (candidates.length === 0) throw unknownOperator(name, range);
  const [index, matched] = matchSchemas(candidates, range, graph, args, kwargs, self);
  if (index < operators.length) return emitBuiltinNode(matched, range, graph, name);
  // small wrappers: nobody wants to see calls of them
  return insertGraph(graph, functions[index - operators.length]!.graph, matched.inputs)[0]!;
}

/** `emitBuiltinCall` of plain values. */
export function insertOp(graph: Graph, name: string, args: readonly Value[], range: SourceRange = FAKE_RANGE): Value {
  return emitBuiltinCall(
    range,
    graph,
    name,
    args.map((v) => NamedValue.of(v)),
  );
}
setInsertOperator((graph, name, value, range) => insertOp(graph, name, [value], range));
