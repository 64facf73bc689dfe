/** @file Operators that meant something else in the archive's version are replaced by what they meant. Upstream: torch/csrc/jit/passes/replacement_of_old_operators.cpp. Spec: spec/versions.md. */
import { internalAssert } from "../../base/errors.ts";
import { operatorName } from "../../core/schema.ts";
import { insertGraph } from "../../ir/build_nodes.ts";
import { allNodes, type Graph } from "../../ir/graph.ts";
import { upgraderGraph } from "./builtin_functions.ts";
import { operatorVersion, setOperatorVersion } from "./emit_builtin.ts";
import { findUpgrader } from "./upgraders.ts";

/** Inlines the upgraders of a graph's old operators; from then on the graph is of today's version. */
export function replaceOldOperators(graph: Graph): void {
  const version = operatorVersion(graph);
  if (version === undefined) return;
  for (const node of [...allNodes(graph.block)]) {
    const upgrader = node.schema && findUpgrader(operatorName(node.schema), version);
    if (!upgrader) continue;
    const body = upgraderGraph(upgrader);
    const outputs = graph.withInsertPoint(node, () => insertGraph(graph, body, [...node.inputs]));
    internalAssert(outputs.length === node.outputs.length, "upgrader returns something else");
    node.outputs.forEach((output, i) => output.replaceAllUsesWith(outputs[i]!));
    node.destroy();
  }
  setOperatorVersion(graph, undefined);
}
