/** @file Which of two nodes comes first. Upstream: torch/csrc/jit/ir/ir.cpp (isBeforeOrAfter). Spec: none. */

/** What of a node its order depends on. */
interface OrderedNode {
  readonly owningBlock: OrderedBlock | undefined;
  readonly topoPosition: number;
}
interface OrderedBlock {
  readonly owningNode: OrderedNode | undefined;
  readonly paramNode: OrderedNode;
  readonly returnNode: OrderedNode;
}

/** Negative where `a` comes before `b`, positive where it comes behind; 0 for the same node, or where one holds the other. */
export function compareNodes(a: OrderedNode, b: OrderedNode): number {
  let left = a;
  let right = b;
  // up from both to the common block
  if (left.owningBlock !== right.owningBlock) {
    let leftDepth = depthOf(left);
    let rightDepth = depthOf(right);
    for (; leftDepth > rightDepth; leftDepth--) left = left.owningBlock!.owningNode!;
    for (; rightDepth > leftDepth; rightDepth--) right = right.owningBlock!.owningNode!;
    while (left.owningBlock !== right.owningBlock) {
      left = left.owningBlock!.owningNode!;
      right = right.owningBlock!.owningNode!;
    }
  }
  if (left === right) return 0;
  const { paramNode, returnNode } = left.owningBlock!;
  if (left === paramNode || right === returnNode) return -1;
  if (right === paramNode || left === returnNode) return 1;
  return left.topoPosition - right.topoPosition;
}

/** How many blocks lie between a node and its graph's own block. */
export function depthOf(node: OrderedNode): number {
  let depth = 0;
  for (let outer = node.owningBlock?.owningNode; outer; outer = outer.owningBlock?.owningNode) depth++;
  return depth;
}

/** Whether `node` is only reached through `dominator`: it stands behind it in its block, or inside such a node. */
export function dominates(dominator: OrderedNode, node: OrderedNode): boolean {
  for (let current: OrderedNode | undefined = node; current; current = current.owningBlock?.owningNode) {
    if (current.owningBlock === dominator.owningBlock) return compareNodes(dominator, current) < 0;
  }
  return false;
}
