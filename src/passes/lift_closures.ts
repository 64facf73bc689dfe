/** @file Turns the block of a closure into a graph that takes what it captures as one tuple. Upstream: torch/csrc/jit/passes/lift_closures.cpp. Spec: none. */
import * as T from "../core/type.ts";
import { Graph, type Block, type Node, type Value } from "../ir/graph.ts";

/** Runs the passes after emission on a lifted graph. */
export type Cleanup = (graph: Graph) => void;

/** Lifts every `prim::Closure` that still has its block. */
export function liftClosures(graph: Graph, cleanup: Cleanup): boolean {
  return liftBlock(graph.block, cleanup);
}

function liftBlock(block: Block, cleanup: Cleanup): boolean {
  let changed = false;
  for (let node = block.first; node !== block.returnNode;) {
    const next = node.next!;
    if (node.kind === "prim::Closure") {
      if (node.blocks.length > 0) {
        liftClosure(node, cleanup);
        changed = true;
      }
    } else for (const inner of node.blocks) if (liftBlock(inner, cleanup)) changed = true;
    node = next;
  }
  return changed;
}

function liftClosure(closure: Node, cleanup: Cleanup): void {
  const { graph } = closure;
  const subgraph = new Graph();
  const pack = graph.create("prim::TupleConstruct").insertAfter(closure);
  const context = subgraph.addInput("context");
  const unpack = subgraph.insertNode(subgraph.create("prim::TupleUnpack", [context], 0));
  const captures = new Map<Value, Value>();
  subgraph.block.cloneFrom(closure.blocks[0]!, (value) => {
    let inner = captures.get(value);
    if (!inner) {
      pack.addInput(value);
      inner = unpack.addOutput().copyMetadata(value);
      captures.set(value, inner);
    }
    return inner;
  });
  const contextType = T.tupleOf(pack.inputs.map((v) => v.type));
  context.setType(contextType);
  pack.output.setType(contextType);
  const pair = graph.create("prim::TupleConstruct").insertAfter(pack);
  closure.output.replaceAllUsesWith(pair.output);
  pair.addInput(closure.output);
  pair.addInput(pack.output);
  pair.output.setType(T.tupleOf([closure.output.type, contextType]));
  closure.eraseBlock(0);
  closure.setAttr("Subgraph", "g", subgraph);
  cleanup(subgraph);
}
