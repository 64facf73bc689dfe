/** @file Simplifies operations on dicts that are made in sight and that nobody writes to. Upstream: torch/csrc/jit/passes/peephole_dict_idioms.cpp. Spec: none. */
import { IntT } from "../core/type.ts";
import { insertConstant, toIValue } from "../ir/constants.ts";
import type { Block, Graph, Node, Value } from "../ir/graph.ts";
import { anyNode, writtenValues } from "./peephole_list_idioms.ts";

/** Folds len and indexing of dict literals with constant, distinct keys. */
export function peepholeDictIdioms(graph: Graph): boolean {
  return anyNode(graph, isCandidate) && foldBlock(graph.block, writtenValues(graph, "Dict"));
}

function isCandidate(node: Node): boolean {
  const dict = node.inputs[0];
  if (node.kind !== "aten::len" && node.kind !== "aten::__getitem__") return false;
  return dict?.type.kind === "Dict" && dict.node.kind === "prim::DictConstruct";
}

function foldBlock(block: Block, written: ReadonlySet<Value>): boolean {
  let changed = false;
  for (const node of block.nodes()) {
    for (const inner of node.blocks) if (foldBlock(inner, written)) changed = true;
    const dict = node.inputs[0];
    if (!dict || !isCandidate(node) || written.has(dict)) continue;
    const entries = constantEntries(dict.node);
    if (entries && fold(node, entries)) changed = true;
  }
  return changed;
}

function fold(node: Node, entries: ReadonlyMap<unknown, Value>): boolean {
  if (node.kind === "aten::len") {
    const length = node.graph.withInsertPoint(node, () => insertConstant(node.graph, entries.size, IntT));
    node.output.replaceAllUsesWith(length);
    return true;
  }
  const key = toIValue(node.inputs[1]!);
  const value = key && entries.get(key.value);
  if (value) node.output.replaceAllUsesWith(value);
  return value !== undefined;
}

/** Values by key, or undefined where a key is not constant, occurs twice, or is of a type that is not compared here. */
function constantEntries(construct: Node): Map<unknown, Value> | undefined {
  const { type } = construct.output;
  if (type.kind !== "Dict" || !["Int", "Float", "String"].includes(type.key.kind)) return undefined;
  const entries = new Map<unknown, Value>();
  for (let i = 0; i < construct.inputs.length; i += 2) {
    const key = toIValue(construct.inputs[i]!);
    if (!key || entries.has(key.value)) return undefined;
    entries.set(key.value, construct.inputs[i + 1]!);
  }
  return entries;
}
