/** @file Simplifies operations on lists that are made in sight and that nobody writes to. Upstream: torch/csrc/jit/passes/peephole_list_idioms.cpp. Spec: none. */
import { IntT, type Type } from "../core/type.ts";
import { AliasDb, canWrite } from "../ir/alias_analysis.ts";
import { insertConstant, toIValue } from "../ir/constants.ts";
import { allNodes, type Block, type Graph, type Node, type Value } from "../ir/graph.ts";

/** Folds len, indexing, unpacking, concatenation and slicing of list literals. */
export function peepholeListIdioms(graph: Graph): boolean {
  return anyNode(graph, isCandidate) && foldBlock(graph.block, writtenValues(graph, "List"));
}

/** Whether some node of the graph is one: asked before the analysis, which costs more than the pass. */
export function anyNode(graph: Graph, test: (node: Node) => boolean): boolean {
  for (const node of allNodes(graph.block)) if (test(node)) return true;
  return false;
}

function isCandidate(node: Node): boolean {
  const list = node.inputs[0];
  return list?.type.kind === "List" && list.node.kind === "prim::ListConstruct" && Object.hasOwn(FOLDS, node.kind);
}

/** Whether values of the type are no containers and hold none. */
function isPlain(type: Type): boolean {
  return type.kind === "Optional" ? isPlain(type.element) : PLAIN.has(type.kind);
}
const PLAIN: ReadonlySet<Type["kind"]> = new Set([
  "Tensor",
  "Int",
  "Float",
  "Bool",
  "None",
  "Number",
  "String",
  "Complex",
]);

/** Values of a kind of type that some node writes to. */
export function writtenValues(graph: Graph, kind: "List" | "Dict"): Set<Value> {
  const written = new Set<Value>();
  // most graphs write to tensors only
  if (!anyNode(graph, (node) => canWrite(node) && !node.inputs.every((v) => isPlain(v.type)))) return written;
  const db = new AliasDb(graph);
  const check = (values: readonly Value[]): void => {
    for (const value of values) if (value.type.kind === kind && db.hasWriters(value)) written.add(value);
  };
  const visit = (block: Block): void => {
    check(block.inputs);
    for (const node of block.nodes()) {
      check(node.outputs);
      node.blocks.forEach(visit);
    }
  };
  visit(graph.block);
  return written;
}

function foldBlock(block: Block, written: Set<Value>): boolean {
  let changed = false;
  for (const node of block.nodes()) {
    for (const inner of node.blocks) if (foldBlock(inner, written)) changed = true;
    const list = node.inputs[0];
    if (!list || !isCandidate(node) || written.has(list)) continue;
    if (FOLDS[node.kind]!(node, list.node.inputs, written)) changed = true;
  }
  return changed;
}

/** Operator -> replacement of a node whose list has the given elements; gives whether it replaced anything. */
const FOLDS: Readonly<Record<string, (node: Node, elements: readonly Value[], written: Set<Value>) => boolean>> = {
  "aten::len"(node, elements) {
    const length = node.graph.withInsertPoint(node, () => insertConstant(node.graph, elements.length, IntT));
    node.output.replaceAllUsesWith(length);
    return true;
  },
  "aten::__getitem__"(node, elements) {
    const constant = toIValue(node.inputs[1]!);
    if (!constant) return false;
    const index = Number(constant.value);
    const element = elements[index < 0 ? index + elements.length : index];
    if (element) node.output.replaceAllUsesWith(element);
    return element !== undefined;
  },
  "prim::ListUnpack"(node, elements) {
    // another length is an error at run time
    if (elements.length !== node.outputs.length) return false;
    node.outputs.forEach((output, i) => output.replaceAllUsesWith(elements[i]!));
    return node.outputs.length > 0;
  },
  "aten::add"(node, elements, written) {
    const other = node.inputs[1];
    if (node.inputs.length !== 2 || !other || written.has(other) || other.node.kind !== "prim::ListConstruct")
      return false;
    replaceByList(node, [...elements, ...other.node.inputs], written);
    return true;
  },
  "aten::slice"(node, elements, written) {
    const constants = node.inputs.slice(1).map((input) => toIValue(input));
    if (constants.some((constant) => !constant)) return false;
    const [start, end, step] = constants.map((constant) =>
      constant!.value === null ? undefined : Number(constant!.value),
    );
    if (step === 0) return false;
    replaceByList(node, sliced(elements, start, end, step ?? 1), written);
    return true;
  },
};

function sliced<E>(items: readonly E[], start: number | undefined, end: number | undefined, step: number): E[] {
  const length = items.length;
  const clamp = (at: number): number => {
    if (at < 0) return Math.max(at + length, step < 0 ? -1 : 0);
    return at >= length ? (step < 0 ? length - 1 : length) : at;
  };
  const from = clamp(start ?? (step < 0 ? Infinity : 0));
  const to = end === undefined ? (step < 0 ? -1 : length) : clamp(end);
  const out: E[] = [];
  if (step > 0) for (let i = from; i < to; i += step) out.push(items[i]!);
  if (step < 0) for (let i = from; i > to; i += step) out.push(items[i]!);
  return out;
}

function replaceByList(node: Node, elements: readonly Value[], written: Set<Value>): void {
  const { graph } = node;
  const list = graph.withInsertPoint(node, () => graph.insertNode(graph.create("prim::ListConstruct")));
  list.output.setType(node.output.type);
  for (const element of elements) list.addInput(element);
  node.output.replaceAllUsesWith(list.output);
  if (written.has(node.output)) written.add(list.output);
}
