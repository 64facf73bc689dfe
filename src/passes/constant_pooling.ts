/** @file Moves constants to the start of the graph and keeps one of each. Upstream: torch/csrc/jit/passes/constant_pooling.cpp. Spec: none. */
import { AliasDb } from "../ir/alias_analysis.ts";
import { toIValue } from "../ir/constants.ts";
import type { Block, Graph, Node } from "../ir/graph.ts";
import { nodeHash, sameComputation } from "../ir/node_hashing.ts";

/** Pools the constants of a graph; subgraphs of closures are pooled on their own. */
export function constantPooling(graph: Graph): boolean {
  return new ConstantPool(graph).poolBlock(graph.block);
}

class ConstantPool {
  private readonly graph: Graph;
  private aliasDb: AliasDb | undefined;
  private readonly pool = new Map<string, Node[]>();

  constructor(graph: Graph) {
    this.graph = graph;
  }

  /** Only constants that are objects ask for it. */
  private get db(): AliasDb {
    return (this.aliasDb ??= new AliasDb(this.graph));
  }

  poolBlock(block: Block): boolean {
    let changed = false;
    // not the block's iterator: nodes move away under it
    for (let node = block.first; node !== block.returnNode;) {
      const next = node.next!;
      if (node.blocks.length > 0) {
        for (const inner of node.blocks) if (this.poolBlock(inner)) changed = true;
      } else if (node.kind === "prim::Constant" && this.poolConstant(node)) changed = true;
      node = next;
    }
    return changed;
  }

  private poolConstant(node: Node): boolean {
    const hash = nodeHash(node);
    let bucket = this.pool.get(hash);
    if (!bucket) this.pool.set(hash, (bucket = []));
    const existing = bucket.find((known) => sameComputation(known, node));
    if (existing) {
      if (!isSameObject(existing, node) && !this.db.safeToChangeAliasing(node.outputs, existing.outputs)) return false;
      node.replaceAllUsesWith(existing);
      node.destroy();
      return true;
    }
    bucket.push(node);
    const { first } = this.graph.block;
    if (node === first) return false;
    node.moveBefore(first);
    return true;
  }
}

function isSameObject(a: Node, b: Node): boolean {
  const left = toIValue(a.output);
  const right = toIValue(b.output);
  return left !== undefined && right !== undefined && left.value === right.value;
}
