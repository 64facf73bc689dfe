/** @file Concatenations of concatenations become one. Upstream: torch/csrc/jit/passes/concat_opt.cpp (CombineConcats). Spec: none. */
import { AliasDb } from "../ir/alias_analysis.ts";
import { toIValue } from "../ir/constants.ts";
import { allNodes, type Graph, type Node, type Value } from "../ir/graph.ts";
import { tryMove } from "../ir/topological_move.ts";
import { eliminateDeadCode } from "./dead_code_elimination.ts";

/** A concatenation that is only used as element `index` of another. */
interface Pair {
  readonly first: Node;
  readonly second: Node;
  readonly index: number;
}

/** Merges `cat([a, cat([b, c], d)], d)` into `cat([a, b, c], d)`. */
export function combineConcats(graph: Graph): boolean {
  let aliasDb: AliasDb | undefined;
  const db = (): AliasDb => (aliasDb ??= new AliasDb(graph)); // most graphs have nothing to ask
  const pairs: Pair[] = [];
  for (const node of allNodes(graph.block)) {
    const pair = node.kind === "aten::cat" ? pairOf(node, db) : undefined;
    if (pair) pairs.push(pair);
  }
  if (pairs.length === 0) return false;
  const lists = new Map<Node, Value[]>();
  for (const { first, second, index } of pairs) {
    const inner = lists.get(first) ?? listInputs(first);
    lists.delete(first);
    const outer = listInputs(second);
    // upstream keeps the first merge of a concatenation that takes several
    if (!lists.has(second)) lists.set(second, [...outer.slice(0, index), ...inner, ...outer.slice(index + 1)]);
  }
  for (const [node, inputs] of lists) {
    const old = node.inputs[0]!.node;
    const list = graph.create("prim::ListConstruct", inputs);
    list.output.setType(old.output.type);
    list.insertBefore(node);
    old.replaceAllUsesWith(list);
  }
  eliminateDeadCode(graph);
  return true;
}

function listInputs(concat: Node): Value[] {
  return [...concat.inputs[0]!.node.inputs];
}

function pairOf(node: Node, db: () => AliasDb): Pair | undefined {
  const list = node.inputs[0]!.node;
  const dim = toIValue(node.inputs[1]!)?.value;
  if (typeof dim !== "number" || list.kind !== "prim::ListConstruct" || !tryMove(db(), list, node, "before", true))
    return undefined;
  const [use] = node.output.uses;
  if (node.output.uses.length !== 1 || use?.user.kind !== "prim::ListConstruct") return undefined;
  const nextList = use.user;
  const [nextUse] = nextList.output.uses;
  if (nextList.output.uses.length !== 1 || nextUse?.user.kind !== "aten::cat") return undefined;
  if (toIValue(nextUse.user.inputs[1]!)?.value !== dim) return undefined;
  return { first: node, second: nextUse.user, index: nextList.inputs.indexOf(node.output) };
}
