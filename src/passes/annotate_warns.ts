/** @file Numbers the warnings of a program, so that each is shown once. Upstream: torch/csrc/jit/passes/annotate_warns.cpp. Spec: none. */
import type { Block, Graph } from "../ir/graph.ts";

let nextWarning = 0;

/** Gives every `aten::warn` a number that no other has. */
export function annotateWarns(graph: Graph): boolean {
  return annotateBlock(graph.block);
}

function annotateBlock(block: Block): boolean {
  let changed = false;
  for (const node of block.nodes()) {
    for (const inner of node.blocks) if (annotateBlock(inner)) changed = true;
    if (node.kind !== "aten::warn") continue;
    node.setAttr("warn_id", "i", nextWarning++);
    changed = true;
  }
  return changed;
}
