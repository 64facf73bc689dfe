/** @file Keeps one of several nodes that compute the same. Upstream: torch/csrc/jit/passes/common_subexpression_elimination.cpp. Spec: none. */
import { AliasDb } from "../ir/alias_analysis.ts";
import type { Block, Graph, Node } from "../ir/graph.ts";
import { nodeHash, sameComputation } from "../ir/node_hashing.ts";
import { hasSideEffects, isNondeterministic } from "../ir/node_schema.ts";

/** Removes repeated computations, in a block and in the blocks inside it. */
export function eliminateCommonSubexpression(graph: Graph): boolean {
  return new CommonSubexpressions(graph).visit(graph.block, []);
}

type Seen = Map<string, Node[]>;

class CommonSubexpressions {
  private readonly graph: Graph;
  private readonly db: AliasDb;
  constructor(graph: Graph) {
    this.graph = graph;
    this.db = new AliasDb(graph);
  }

  visit(block: Block, outer: readonly Seen[]): boolean {
    let changed = false;
    const own: Seen = new Map();
    const scopes = [own, ...outer];
    for (const node of block.nodes()) {
      if (node.kind === "prim::profile") continue;
      if (hasSideEffects(node) || isNondeterministic(node) || node.blocks.length > 0 || this.db.nodeHasWriters(node)) {
        for (const inner of node.blocks) if (this.visit(inner, scopes)) changed = true;
        continue;
      }
      const hash = nodeHash(node);
      const find = (seen: Seen): Node | undefined => seen.get(hash)?.find((n) => sameComputation(n, node));
      let existing: Node | undefined;
      for (const seen of outer) existing ??= find(seen);
      if (existing) {
        if (!this.db.safeToChangeAliasing(node.outputs, existing.outputs)) continue;
      } else {
        existing = find(own);
        if (!existing) {
          const bucket = own.get(hash);
          if (bucket) bucket.push(node);
          else own.set(hash, [node]);
          continue;
        }
        // two results of the graph stay two things
        if (this.isReturned(node) && this.isReturned(existing)) continue;
      }
      node.replaceAllUsesWith(existing);
      node.destroy();
      changed = true;
    }
    return changed;
  }

  private isReturned(node: Node): boolean {
    return this.db.mayContainAlias(node.outputs, this.graph.outputs);
  }
}
