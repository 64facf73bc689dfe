/** @file Turns fork and await of a closure into nodes that take the captured values one by one. Upstream: torch/csrc/jit/passes/inline_forked_closures.cpp. Spec: none. */
import { ScriptError, internalAssert } from "../base/errors.ts";
import type { Block, Graph, Node } from "../ir/graph.ts";
import type { Cleanup } from "./lift_closures.ts";

/** Kind of the node over a closure -> kind of the node that runs its graph. */
const RUNNERS: Readonly<Record<string, string>> = {
  "prim::forkClosure": "prim::fork",
  "prim::awaitableClosure": "prim::awaitable",
};

/** Inlines every forked closure; closures must have been lifted. */
export function inlineForkedClosures(graph: Graph, cleanup: Cleanup): boolean {
  return inlineBlock(graph.block, cleanup);
}

function inlineBlock(block: Block, cleanup: Cleanup): boolean {
  let changed = false;
  for (let node = block.first; node !== block.returnNode;) {
    const next = node.next!;
    const kind = RUNNERS[node.kind];
    if (kind !== undefined) {
      inlineClosure(node, kind, cleanup);
      changed = true;
    } else for (const inner of node.blocks) if (inlineBlock(inner, cleanup)) changed = true;
    node = next;
  }
  return changed;
}

function inlineClosure(over: Node, kind: string, cleanup: Cleanup): void {
  const pair = over.input.node;
  const closure = pair.inputs[0]?.node;
  const context = pair.inputs[1]?.node;
  if (pair.inputs.length !== 2 || closure?.kind !== "prim::Closure" || context?.kind !== "prim::TupleConstruct") {
    throw new ScriptError("Cannot fork this value", over.sourceRange);
  }
  const subgraph = closure.attr("Subgraph", "g").copy();
  const runner = over.graph.create(kind).insertAfter(over).setSourceRange(over.sourceRange);
  const [packed] = subgraph.inputs;
  if (subgraph.inputs.length !== 1 || packed?.type.kind !== "Tuple")
    throw new ScriptError("Cannot fork lambda with parameters", runner.sourceRange);
  internalAssert(packed.uses.length === 1, "a closure's context is unpacked once");
  const unpack = packed.uses[0]!.user;
  context.inputs.forEach((captured, i) => {
    runner.addInput(captured);
    const input = subgraph.block.insertInput(i).copyMetadata(captured);
    unpack.outputs[i]!.replaceAllUsesWith(input);
  });
  unpack.destroy();
  subgraph.block.eraseInput(subgraph.inputs.length - 1);
  runner.output.copyMetadata(over.output);
  over.output.replaceAllUsesWith(runner.output);
  over.destroy();
  runner.setAttr("Subgraph", "g", subgraph);
  cleanup(subgraph);
}
