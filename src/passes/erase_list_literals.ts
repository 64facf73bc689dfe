/** @file Literals `[]` that nobody gave a type become lists of tensors. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp (eraseListLiterals). Spec: none. */
import { TensorT } from "../core/type.ts";
import { createList } from "../ir/build_nodes.ts";
import { allNodes, type Graph } from "../ir/graph.ts";

/** Replaces `prim::EmptyListLiteral`, which exists while a function is emitted only. */
export function eraseListLiterals(graph: Graph): void {
  for (const node of allNodes(graph.block)) {
    if (node.kind !== "prim::EmptyListLiteral") continue;
    if (node.hasUses()) node.replaceAllUsesWith(createList(graph, TensorT, []).insertBefore(node));
    node.destroy();
  }
}
