/** @file Orders outputs of control flow by first use, so that saving and loading does not shuffle them. Upstream: torch/csrc/jit/passes/canonicalize.cpp. Spec: none. */
import type { Block, Graph, Node, Use, Value } from "../ir/graph.ts";

/** Orders the outputs of every `prim::If` and `prim::Loop`. */
export function canonicalizeOutputs(graph: Graph): boolean {
  return canonicalizeBlock(graph.block);
}

function canonicalizeBlock(block: Block): boolean {
  let changed = false;
  // backwards: the order of a node's outputs depends on the nodes behind it
  for (const node of block.reverseNodes()) {
    if (node.kind === "prim::If" || node.kind === "prim::Loop") {
      const order = orderByFirstUse(node.outputs);
      if (order.some((from, to) => from !== to)) {
        permute(node, order);
        changed = true;
      }
    }
    for (const inner of node.blocks) if (canonicalizeBlock(inner)) changed = true;
  }
  return changed;
}

function permute(node: Node, order: readonly number[]): void {
  node.permuteOutputs(order);
  if (node.kind === "prim::If") {
    for (const block of node.blocks) block.returnNode.permuteInputs(order);
    return;
  }
  // a loop's carried values stand behind trip count and condition
  const shifted = (by: number): number[] => [...Array.from({ length: by }, (_, i) => i), ...order.map((i) => i + by)];
  node.permuteInputs(shifted(2));
  const body = node.blocks[0]!;
  body.returnNode.permuteInputs(shifted(1));
  body.paramNode.permuteOutputs(shifted(1));
}

function orderByFirstUse(values: readonly Value[]): number[] {
  const first = values.map(firstUse);
  const order = values.map((_, i) => i);
  return order.sort((a, b) => {
    const left = first[a];
    const right = first[b];
    if (!left || !right) return left ? -1 : right ? 1 : a - b;
    return isUseBefore(left, right) ? -1 : 1;
  });
}

function firstUse(value: Value): Use | undefined {
  let first = value.uses[0];
  for (const use of value.uses) if (first && use !== first && !isUseBefore(first, use)) first = use;
  return first;
}

function isUseBefore(a: Use, b: Use): boolean {
  return a.user === b.user ? a.offset < b.offset : isNodeBefore(a.user, b.user);
}

/** The order of the printed graph: also between the branches of an If, and a node before what it holds. */
function isNodeBefore(a: Node, b: Node): boolean {
  let left = a;
  let right = b;
  let leftDepth = left.depth;
  let rightDepth = right.depth;
  for (; leftDepth > rightDepth; leftDepth--) {
    left = left.owningBlock!.owningNode!;
    if (left === right) return false;
  }
  for (; rightDepth > leftDepth; rightDepth--) {
    right = right.owningBlock!.owningNode!;
    if (left === right) return true;
  }
  while (left.owningBlock !== right.owningBlock) {
    const outerLeft = left.owningBlock!.owningNode!;
    const outerRight = right.owningBlock!.owningNode!;
    if (outerLeft === outerRight)
      return outerLeft.blocks.indexOf(left.owningBlock!) < outerLeft.blocks.indexOf(right.owningBlock!);
    left = outerLeft;
    right = outerRight;
  }
  return left.isBefore(right);
}
