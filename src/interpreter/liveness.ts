/** @file Last uses: behind which node of its own block a value is dead. Upstream: torch/csrc/jit/runtime/interpreter/preprocess_graph.cpp (insertLastUses). Spec: none. */
import type { Type } from "../core/type.ts";
import type { Block, Node, Value } from "../ir/graph.ts";

/** Position of every node in its block; the return node comes last. */
export class BlockOrder {
  private readonly positions = new Map<Node, number>();
  private readonly list: Node[] = [];
  readonly block: Block;
  /** Position of the return node. */
  readonly end: number;

  constructor(block: Block) {
    this.block = block;
    let position = 0;
    for (const node of block.nodes()) {
      this.positions.set(node, position++);
      this.list.push(node);
    }
    this.end = position;
    this.positions.set(block.returnNode, position);
  }

  /** The node at a position. */
  at(position: number): Node {
    return this.list[position] ?? this.block.returnNode;
  }

  /** Position of a node of this block. */
  positionOf(node: Node): number {
    return this.positions.get(node) ?? -1;
  }

  /** Position of the node of this block that uses the value last, itself or inside its blocks; -1 where nobody does. */
  lastUse(value: Value): number {
    let last = -1;
    for (const use of value.uses) {
      let user: Node | undefined = use.user;
      while (user && user.owningBlock !== this.block) user = user.owningBlock?.owningNode;
      if (user) last = Math.max(last, this.positionOf(user));
    }
    return last;
  }
}

/** Whether values of the type may hold much memory, so that their registers are cleared when dead. */
export function isReleased(type: Type): boolean {
  switch (type.kind) {
    case "Tensor":
    case "Any":
    case "Union":
    case "Dict":
      return true;
    case "Tuple":
      return type.elements.some(isReleased);
    case "List":
    case "Optional":
    case "Future":
    case "Await":
      return isReleased(type.element);
    default:
      return false;
  }
}
