/** @file The condition block of a loop moves before the loop and to the end of its body. Upstream: torch/csrc/jit/frontend/inline_loop_condition.cpp. Spec: none. */
import type { Block, Node } from "../../ir/graph.ts";

/** Moves the nodes of a block before a node. */
export function inlineBlockBeforeNode(before: Node, block: Block): void {
  for (const node of [...block.nodes()]) node.moveBefore(before);
}

function inlineLoopCondition(loop: Node): void {
  const body = loop.blocks[0]!;
  const header = loop.blocks[1]!;
  const copy = loop.addBlock();
  copy.cloneFrom(header, (v) => v);
  inlineBlockBeforeNode(loop, copy);
  loop.insertInput(1, copy.outputs[0]!);
  loop.eraseBlock(2);
  inlineBlockBeforeNode(body.returnNode, header);
  body.returnNode.insertInput(0, header.outputs[0]!);
  loop.eraseBlock(1);
}

/** Gives every loop of a block the form `Loop(trips, start condition, carried...)` with the condition as the body's first output. */
export function inlineLoopConditions(block: Block): void {
  for (const node of [...block.nodes()]) {
    for (const inner of [...node.blocks]) inlineLoopConditions(inner);
    if (node.kind === "prim::Loop") inlineLoopCondition(node);
  }
}
