/** @file Small local simplifications that need no shapes. Upstream: torch/csrc/jit/passes/peephole.cpp. Spec: none. */
import type { Block, Graph, Node } from "../ir/graph.ts";
import { callsOverload } from "../ir/node_schema.ts";
import { combineConcats } from "./concat_opt.ts";
import { eliminateDeadCode } from "./dead_code_elimination.ts";
import { peepholeAliasSensitive } from "./peephole_alias_sensitive.ts";
import { peepholeDictIdioms } from "./peephole_dict_idioms.ts";
import { peepholeListIdioms } from "./peephole_list_idioms.ts";
import { peepholeNonTensor } from "./peephole_non_tensor.ts";

/** Runs every peephole pass; what the shape peepholes do is left to the passes that know shapes. */
export function peepholeOptimize(graph: Graph): boolean {
  const passes = [
    (g: Graph): boolean => simplifyBlock(g.block),
    peepholeListIdioms,
    peepholeDictIdioms,
    peepholeAliasSensitive,
    peepholeNonTensor,
    combineConcats,
  ];
  let changed = false;
  for (const pass of passes) if (pass(graph)) changed = true;
  if (changed) eliminateDeadCode(graph, { useAliasDb: false });
  return changed;
}

const NUMBER_CONVERSIONS = new Set([
  "aten::Float",
  "aten::Int",
  "aten::FloatImplicit",
  "aten::IntImplicit",
  "aten::ScalarImplicit",
]);

function simplifyBlock(block: Block): boolean {
  let changed = false;
  for (const node of block.nodes()) {
    for (const inner of node.blocks) if (simplifyBlock(inner)) changed = true;
    if (simplify(node)) changed = true;
  }
  return changed;
}

function simplify(node: Node): boolean {
  const source = node.inputs[0]?.node;
  // x.t().t() is x
  if (node.kind === "aten::t" && source?.kind === "aten::t" && callsOverload(node, "aten::t")) {
    node.output.replaceAllUsesWith(source.input);
    return true;
  }
  // a number that became a tensor and a number again
  if (NUMBER_CONVERSIONS.has(node.kind) && node.inputs.length === 1 && source?.kind === "prim::NumToTensor") {
    node.output.replaceAllUsesWith(source.input);
    return true;
  }
  if (node.kind === "aten::_grad_sum_to_size" && node.inputs[1]?.mustBeNone()) {
    node.output.replaceAllUsesWith(node.inputs[0]!);
    return true;
  }
  return false;
}
