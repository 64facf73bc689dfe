/** @file The two kinds of loop that a prim::Loop can be. Upstream: torch/csrc/jit/ir/ir_views.h (LoopView). Spec: spec/printing.md. */
import { constantBool, constantInt, isConstant } from "../ir/constants.ts";
import type { Node } from "../ir/graph.ts";

const UNBOUNDED = 2n ** 63n - 1n; // trip count of `while`

/** How a loop is written: "modified" has both a trip count and a condition and is neither. */
export function loopKind(node: Node): "for" | "while" | "modified" {
  const [maxTripCount, condition] = node.inputs;
  const body = node.blocks[0]!;
  const isAlwaysTrue = constantBool(condition!) === true && constantBool(body.outputs[0]!) === true;
  const isCounted =
    !isConstant(maxTripCount!) ||
    BigInt(constantInt(maxTripCount!) ?? 0) !== UNBOUNDED ||
    body.inputs[0]!.uses.length > 0;
  if (isAlwaysTrue) return isCounted ? "for" : "while";
  return isCounted ? "modified" : "while";
}
