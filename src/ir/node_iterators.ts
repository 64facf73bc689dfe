/** @file Iterators over the nodes of blocks. Upstream: torch/csrc/jit/ir/graph_node_list.h. Spec: none.
 *
 * They are no generators: code that runs a few times in a process is interpreted, and generators take several times as long there. */
import type { Block, Node } from "./graph.ts";

type Step = IteratorResult<Node, undefined>;

const END: Step = { done: true, value: undefined };

/**
 * The nodes of a block, in order or from the last to the first; the current node may be removed while iterating, and others inserted behind
 * it (in front of it).
 */
export class BlockNodes implements IterableIterator<Node, undefined> {
  private readonly block: Block;
  private readonly isReverse: boolean;
  private current: Node | undefined;
  /** What followed the current node when it was given. */
  private following: Node | undefined;
  /** The same object for all nodes: who iterates takes the node out at once. */
  private step: { done: false; value: Node } | undefined;

  constructor(block: Block, isReverse = false) {
    this.block = block;
    this.isReverse = isReverse;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): Step {
    const { block, current, isReverse } = this;
    const node =
      (current?.owningBlock === block && (isReverse ? current.prev : current.next)) ||
      (this.following ?? (isReverse ? block.last : block.first));
    if (node === (isReverse ? block.paramNode : block.returnNode)) {
      this.current = undefined;
      this.following = node;
      return END;
    }
    this.current = node;
    this.following = isReverse ? node.prev : node.next;
    if (this.step) this.step.value = node;
    else this.step = { done: false, value: node };
    return this.step;
  }
}

/** Every node of a block and its sub-blocks, outer first. */
export class AllNodes implements IterableIterator<Node, undefined> {
  /** The blocks that are open, and behind each those that follow it. */
  private readonly open: BlockNodes[];
  private last: Node | undefined;

  constructor(block: Block) {
    this.open = [new BlockNodes(block)];
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): Step {
    const blocks = this.last?.blocks;
    if (blocks) for (let i = blocks.length - 1; i >= 0; i--) this.open.push(new BlockNodes(blocks[i]!));
    this.last = undefined;
    while (this.open.length > 0) {
      const step = this.open[this.open.length - 1]!.next();
      if (!step.done) {
        this.last = step.value;
        return step;
      }
      this.open.pop();
    }
    return END;
  }
}
