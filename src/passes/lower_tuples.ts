/** @file Takes tuples apart: where it is easy (after emission), or everywhere. Upstream: torch/csrc/jit/passes/lower_tuples.cpp. Spec: none. */
import { ScriptError } from "../base/errors.ts";
import type { TupleType } from "../core/type.ts";
import { createTuple } from "../ir/build_nodes.ts";
import { constantInt, insertConstant, toIValue } from "../ir/constants.ts";
import { allNodes, type Block, type Graph, type Node, type Value } from "../ir/graph.ts";
import { eliminateDeadCode } from "./dead_code_elimination.ts";

const TAKERS = new Set(["prim::TupleUnpack", "prim::TupleIndex", "prim::TupleSlice"]);

/** Kinds through which a tuple may pass as its elements. */
const FORWARD_TUPLES = new Set([
  "prim::If",
  "prim::Loop",
  "prim::TupleUnpack",
  "prim::TupleConstruct",
  "prim::TupleIndex",
  "prim::TupleSlice",
  "prim::Param",
  "prim::Return",
  "prim::PythonOp",
  "aten::format",
  "prim::Uninitialized",
  "aten::__getitem__",
]);

/** Replaces unpacking, indexing and slicing of tuples that are made in sight, then removes what is dead. */
export function lowerSimpleTuples(graph: Graph): boolean {
  let changed = false;
  for (const node of allNodes(graph.block)) if (forwardElements(node, false)) changed = true;
  return eliminateDeadCode(graph) || changed;
}

/** Replaces the outputs of a node that takes a tuple apart by the tuple's elements. */
function forwardElements(node: Node, mustSucceed: boolean): boolean {
  if (!TAKERS.has(node.kind)) return false;
  const construct = node.inputs[0]!.node;
  if (construct.kind !== "prim::TupleConstruct") {
    if (mustSucceed) throw new ScriptError(`${node.kind} not matched to tuple construct`);
    return false;
  }
  if (node.kind === "prim::TupleUnpack") {
    node.outputs.forEach((output, i) => output.replaceAllUsesWith(construct.inputs[i]!));
    return true;
  }
  if (node.kind === "prim::TupleIndex") {
    const constant = constantInt(node.inputs[1]!);
    if (constant === undefined) {
      if (mustSucceed) throw new ScriptError("tuple index with non-constant index", node.sourceRange);
      return false;
    }
    const length = construct.inputs.length;
    const index = Number(constant) < 0 ? Number(constant) + length : Number(constant);
    // out of range is an error at run time, and stays one
    if (index < 0 || index >= length) return false;
    node.output.replaceAllUsesWith(construct.inputs[index]!);
    return true;
  }
  const { graph } = node;
  const slice = construct.inputs.slice(Number(node.attr("beg", "i")), Number(node.attr("end", "i")));
  const tuple = createTuple(graph, slice).copyMetadata(node);
  graph.withInsertPoint(node, () => graph.insertNode(tuple));
  node.output.replaceAllUsesWith(tuple.output);
  return true;
}

/**
 * Removes every tuple: inputs, outputs and constants become their elements.
 * @throws ScriptError where a tuple passes through a node that cannot forward one.
 */
export function lowerAllTuples(graph: Graph): boolean {
  lowerBlock(graph.block);
  eliminateDeadCode(graph, { useAliasDb: false });
  for (const node of allNodes(graph.block)) {
    for (const output of node.outputs)
      if (output.type.kind === "Tuple") throw new ScriptError("Couldn't lower all tuples.");
  }
  return true;
}

function lowerBlock(block: Block): void {
  flattenOutputs(block.paramNode, block.first);
  for (let node = block.first; node !== block.returnNode;) {
    const next = node.next!;
    expandTupleConstant(node);
    visitNode(node, next);
    node = next;
  }
  flattenInputs(block.returnNode);
}

function visitNode(node: Node, next: Node): void {
  // dies when those that take it apart are gone
  if (node.kind === "prim::TupleConstruct") return;
  if (TAKERS.has(node.kind)) {
    forwardElements(node, true);
    return;
  }
  flattenInputs(node);
  for (const block of node.blocks) lowerBlock(block);
  flattenOutputs(node, next);
}

function expandTupleConstant(node: Node): void {
  if (node.kind !== "prim::Constant") return;
  const { type } = node.output;
  if (type.kind !== "Tuple") return;
  const { graph } = node;
  const values = toIValue(node.output)?.value as readonly unknown[];
  const tuple = graph.withInsertPoint(node, () => {
    const elements = values.map((v, i) => insertConstant(graph, v, type.elements[i]!));
    const made = graph.insertNode(createTuple(graph, elements, type.name ? type : undefined)).copyMetadata(node);
    // the elements have a use now
    for (const element of elements) expandTupleConstant(element.node);
    return made;
  });
  node.replaceAllUsesWith(tuple);
}

/** Replaces tuples among a node's inputs by their elements, again and again for tuples of tuples. */
function flattenInputs(node: Node): void {
  for (let i = 0; i < node.inputs.length;) {
    const input = node.inputs[i]!;
    if (input.type.kind !== "Tuple") {
      i++;
      continue;
    }
    if (input.node.kind !== "prim::TupleConstruct") {
      throw new ScriptError(`tuple use not matched to tuple construct. Instead found: ${node.kind}`);
    }
    if (!FORWARD_TUPLES.has(node.kind)) i++;
    else if (node.kind === "prim::Loop") flattenLoopInput(node, i, input.type);
    else if (node.kind === "prim::Return") flattenReturned(node, i, input.type);
    else {
      input.type.elements.forEach((_, j) => node.insertInput(i + 1 + j, input.node.inputs[j]!));
      node.removeInput(i);
    }
  }
}

/** Carries the elements of a tuple through a loop, which makes the tuple anew in its body. */
function flattenLoopInput(loop: Node, index: number, type: TupleType): void {
  const tuple = loop.inputs[index]!;
  const body = loop.blocks[0]!;
  const made = body.prependNode(loop.graph.create("prim::TupleConstruct"));
  type.elements.forEach((_, j) => {
    made.addInput(body.insertInput(index + j));
    loop.insertInput(index + j + 1, tuple.node.inputs[j]!);
  });
  const parameter = body.inputs[index - 1]!;
  made.output.setType(parameter.type);
  made.copyMetadata(loop);
  parameter.replaceAllUsesWith(made.output);
  body.eraseInput(index - 1);
  loop.removeInput(index);
}

/** Returns the elements of a tuple from a block; the node that holds the block makes the tuple behind it. */
function flattenReturned(returnNode: Node, index: number, type: TupleType): void {
  const block = returnNode.owningBlock!;
  const tuple = returnNode.inputs[index]!;
  type.elements.forEach((_, j) => block.insertOutput(index + j + 1, tuple.node.inputs[j]!));
  block.eraseOutput(index);
  const outer = block.owningNode;
  if (!outer) return;
  const at = outer.kind === "prim::Loop" ? index - 1 : index;
  const output = outer.outputs[at]!;
  // the other branch of an If has done it already
  if (output.type.kind !== "Tuple") return;
  const made = outer.graph.create("prim::TupleConstruct").insertAfter(outer);
  type.elements.forEach((_, j) => made.addInput(outer.insertOutput(at + j + 1)));
  made.output.setType(output.type);
  made.copyMetadata(outer);
  output.replaceAllUsesWith(made.output);
  outer.eraseOutput(at);
}

/** Replaces tuples among a node's outputs by their elements; each tuple is made anew before `insertPoint`. */
function flattenOutputs(node: Node, insertPoint: Node): void {
  let point = insertPoint;
  for (let i = 0; i < node.outputs.length;) {
    const output: Value = node.outputs[i]!;
    if (output.uses.length === 0 || output.type.kind !== "Tuple" || !FORWARD_TUPLES.has(node.kind)) {
      i++;
      continue;
    }
    const { elements }: TupleType = output.type;
    const parts = elements.map((element, j) => node.insertOutput(i + 1 + j).setType(element));
    const tuple = createTuple(node.graph, parts).copyMetadata(node);
    tuple.insertBefore(point);
    point = tuple;
    output.replaceAllUsesWith(tuple.output);
    node.eraseOutput(i);
  }
}
