/** @file Which nodes are printed inside the expression that uses them. Upstream: torch/csrc/jit/serialization/python_print.cpp (scanBlock). Spec: spec/printing.md.
 *
 * Note [Tree order]: reading an expression back makes its operands left to right, then itself. A node may stand inside its user only
 * where that gives the old order back: scanning the inputs right to left, each must be the last node before the point reached. */
import type { Block, Node, Value } from "../ir/graph.ts";

/** Calls whose operands must have names: their subgraph may use them more than once. */
const NAMED_OPERANDS = new Set([
  "prim::fork",
  "prim::awaitable",
  "prim::rpc_async",
  "prim::rpc_sync",
  "prim::rpc_remote",
]);
const FIRST_CARRIED_INPUT = 2; // of prim::Loop, behind trip count and condition

function canInline(value: Value): boolean {
  const { node } = value;
  if (node.outputs.length !== 1 || value.uses.length !== 1) return false;
  const { user, offset } = value.uses[0]!;
  // a name was a variable of the source; it is kept unless the value only leaves the block
  if (value.hasDebugName() && user.kind !== "prim::Return") return false;
  if (node.blocks.length > 0) return false;
  if (user.kind === "prim::Loop" && offset >= FIRST_CARRIED_INPUT) return false;
  if (NAMED_OPERANDS.has(user.kind)) return false;
  // inside a condition it would refine types a second time
  return node.kind !== "prim::isinstance";
}

function previousNonConstant(node: Node): Node {
  let previous = node.prev!;
  while (previous.kind === "prim::Constant") previous = previous.prev!;
  return previous;
}

interface Frame {
  readonly node: Node;
  /** Next input to look at, counting down. */
  input: number;
  /** The node that must be an input's for the input to be in tree order. */
  point: Node;
}

/** Collects the nodes to inline. */
export class Inlining {
  private readonly inlined = new Set<Node>();

  has(node: Node): boolean {
    return this.inlined.has(node);
  }

  /** Decides for a block and the blocks in it. */
  scan(block: Block): void {
    this.scanNode(block.returnNode);
    for (let node = block.returnNode.prev!; node !== block.paramNode; node = node.prev!) this.scanNode(node);
  }

  private enter(node: Node): Frame {
    for (const block of node.blocks) this.scan(block);
    return { node, input: node.inputs.length - 1, point: previousNonConstant(node) };
  }

  /** A depth-first walk with its own stack: traces make chains of thousands of nodes. */
  private scanNode(root: Node): void {
    if (this.inlined.has(root)) return;
    const frames = [this.enter(root)];
    for (;;) {
      const frame = frames[frames.length - 1]!;
      if (frame.input < 0) {
        frames.pop();
        const parent = frames[frames.length - 1];
        if (!parent) return;
        parent.point = frame.point;
        this.inlined.add(frame.node);
        continue;
      }
      const value = frame.node.inputs[frame.input--]!;
      const { node } = value;
      if (node === frame.point && canInline(value)) {
        if (!this.inlined.has(node)) frames.push(this.enter(node));
      } else if (node.kind === "prim::Constant") this.inlined.add(node);
    }
  }
}
