/** @file Which graph runs: the function's own, or what the executor's passes make of it where running needs them. Upstream: torch/csrc/jit/runtime/graph_executor.cpp. Spec: none. */
import { setExecutionGraph } from "../interpreter/compile.ts";
import { allNodes, type Graph } from "../ir/graph.ts";
import { optimizedGraph } from "../passes/inliner.ts";

const AUTOCAST = /\.autocast_mode\.autocast$/;

/** Whether a graph opens an autocast region: casts are a pass, and reach into what the region calls. */
function usesAutocast(graph: Graph): boolean {
  for (const node of allNodes(graph.block)) {
    if (node.kind !== "prim::Enter") continue;
    const { type } = node.inputs[0]!;
    if (type.kind === "Class" && AUTOCAST.test(type.name.qualifiedName)) return true;
  }
  return false;
}

/** Installs the choice. */
export function installExecutionGraph(): void {
  setExecutionGraph((fn) => (usesAutocast(fn.graph) ? optimizedGraph(fn) : fn.graph));
}
