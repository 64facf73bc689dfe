/** @file Rewrites calls of quantized convolutions in the form of PyTorch 1.5 and earlier. Upstream: torch/csrc/jit/serialization/import.cpp (rewriteQuantizedConvForBC). Spec: spec/versions.md. */
import type { Block, Graph } from "../ir/graph.ts";

const OPERATORS = new Set([
  "quantized::conv2d",
  "quantized::conv2d_relu",
  "quantized::conv3d",
  "quantized::conv3d_relu",
]);
const OLD_INPUTS = 8;
const FIRST_DROPPED = 2;
const LAST_DROPPED = 5;

/**
 * Replaces `conv(x, packed, stride, padding, dilation, groups, scale, zero_point)` by `conv(x, packed, scale, zero_point)`:
 * what the packed weights know now was an argument then. The importer runs it on each method that it compiled.
 */
export function rewriteQuantizedConvForBC(graph: Graph): void {
  rewriteBlock(graph.block);
}

function rewriteBlock(block: Block): void {
  // a copy: nodes are taken out on the way
  const nodes = Array.from(block.nodes());
  for (const node of nodes) {
    for (const inner of node.blocks) rewriteBlock(inner);
    if (!OPERATORS.has(node.kind) || node.inputs.length !== OLD_INPUTS) continue;
    // a new node without a source range, as torch's rewriter makes it: graphs print numbers and locations
    const inputs = node.inputs.filter((_, i) => i < FIRST_DROPPED || i > LAST_DROPPED);
    const replacement = node.graph.create(node.kind, inputs);
    replacement.output.setType(node.output.type);
    replacement.insertBefore(node);
    node.output.replaceAllUsesWith(replacement.output);
    node.destroy();
  }
}
