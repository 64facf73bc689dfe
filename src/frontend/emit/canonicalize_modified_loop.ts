/** @file Loops with both a trip count and a condition become while loops, which source text can say. Upstream: torch/csrc/jit/frontend/canonicalize_modified_loop.cpp. Spec: none. */
import * as T from "../../core/type.ts";
import { constantBool, constantInt, insertConstant } from "../../ir/constants.ts";
import type { Block, Graph, Node } from "../../ir/graph.ts";
import { insertOp } from "./emit_builtin.ts";
import { MAX_TRIP_COUNT } from "./loops.ts";

/** Whether a loop is neither a for nor a while loop. */
function isModified(loop: Node): boolean {
  const body = loop.blocks[0]!;
  const alwaysTrue = constantBool(loop.inputs[1]!) === true && constantBool(body.outputs[0]!) === true;
  const trips = constantInt(loop.inputs[0]!);
  const counted = trips === undefined || BigInt(trips) !== MAX_TRIP_COUNT || body.inputs[0]!.uses.length > 0;
  return !alwaysTrue && counted;
}

function canonicalize(loop: Node): void {
  const { graph } = loop;
  const body = loop.blocks[0]!;
  graph.withInsertPoint(loop, () => {
    const zero = insertConstant(graph, 0, T.IntT);
    const one = insertConstant(graph, 1, T.IntT);
    const trips = loop.inputs[0]!;
    let condition = insertOp(graph, "aten::gt", [trips, zero]);
    loop.replaceInput(0, insertConstant(graph, MAX_TRIP_COUNT, T.IntT));
    const given = loop.inputs[1]!;
    if (constantBool(given) !== true) condition = insertOp(graph, "aten::__and__", [condition, given]);
    loop.replaceInput(1, condition);
    loop.addOutput().setType(T.IntT);
    graph.withInsertPoint(body, () => {
      loop.addInput(zero);
      const counter = body.addInput().setType(T.IntT);
      // the replacement has no name, so the old counter must lose its own
      body.inputs[0]!.setDebugName("").replaceAllUsesWith(counter);
      const next = insertOp(graph, "aten::add", [counter, one]);
      body.registerOutput(next);
      const inRange = insertOp(graph, "aten::lt", [next, trips]);
      const proceed = insertOp(graph, "aten::__and__", [inRange, body.outputs[0]!]);
      body.eraseOutput(0);
      body.insertOutput(0, proceed);
    });
  });
}

function visit(block: Block): void {
  for (const node of block.nodes()) {
    for (const inner of node.blocks) visit(inner);
    if (node.kind === "prim::Loop" && isModified(node)) canonicalize(node);
  }
}

/** Makes every loop a for or a while loop. */
export function canonicalizeModifiedLoops(graph: Graph): void {
  visit(graph.block);
}
