/** @file Which graph runs: the function's own, or what the executor's passes make of it where running needs them or gains by them. Upstream: torch/csrc/jit/runtime/graph_executor.cpp. Spec: none. */
import { LimitError } from "../base/errors.ts";
import { setExecutionGraph } from "../interpreter/compile.ts";
import { installInternalKernel } from "../interpreter/internal_kernels.ts";
import { afterFailedRun } from "../interpreter/runtime.ts";
import type { ScriptObject } from "../core/ivalue.ts";
import type { ScriptFunction } from "../ir/function.ts";
import { allNodes, type Graph } from "../ir/graph.ts";
import { DEFERRED_KERNELS, DEFERRED_NUMBERS, forgetDeferred } from "../ops/deferred_convolution.ts";
import { withoutDeadCode } from "../passes/dead_code_elimination.ts";
import { deferConvolutions } from "../passes/defer_convolutions.ts";
import { executableGraph, type ExecutableGraph } from "../passes/executable_graph.ts";
import { optimizedGraph } from "../passes/inliner.ts";
import { lowerSimpleTuples } from "../passes/lower_tuples.ts";

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

/** Operators with which what is around them is computed, in whichever module it stands. */
const HEAVY: ReadonlySet<string> = new Set(["aten::conv2d", "aten::_convolution"]);

/** Nodes from which on a function is too long to be generated as one: its calls stay calls, which are. */
const MANY_NODES = 2000;

/** What decides how a graph runs. */
function traitsOf(graph: Graph): { isHeavy: boolean; hasTuples: boolean; isLong: boolean } {
  let [isHeavy, hasTuples, count] = [false, false, 0];
  for (const node of allNodes(graph.block)) {
    count++;
    if (HEAVY.has(node.kind)) isHeavy = true;
    // taken apart where it is made, as calls leave it that are inlined
    else if (node.kind === "prim::TupleUnpack" && node.input.node.kind === "prim::TupleConstruct") hasTuples = true;
  }
  return { isHeavy, hasTuples, isLong: count > MANY_NODES };
}

/** A graph that runs whatever attributes hold. */
export function plain(graph: Graph): ExecutableGraph {
  return { graph, assumptions: [] };
}

/** A function's graph with its calls inlined, where it has fewer values than the limit. */
function inlined(fn: ScriptFunction, self: ScriptObject | undefined, notes: boolean): ExecutableGraph | undefined {
  try {
    return executableGraph(fn, self, notes);
  } catch (error) {
    if (!(error instanceof LimitError)) throw error;
    return undefined;
  }
}

/**
 * The graph that runs for a function: with its calls inlined, since a call costs more than a small operator and hides what is around
 * it, and for a method on `self`, where that is given. `notesObjects`: see `executableGraph`.
 */
export function executionGraph(fn: ScriptFunction, self?: ScriptObject, notesObjects = false): ExecutableGraph {
  const executable = inlined(fn, self, notesObjects);
  if (!executable) return plain(withoutDeadCode(fn.graph));
  const { graph } = executable;
  if (usesAutocast(graph)) return plain(optimizedGraph(fn));
  const { isHeavy, hasTuples, isLong } = traitsOf(graph);
  if (isLong && !isHeavy) return plain(withoutDeadCode(fn.graph));
  if (hasTuples) lowerSimpleTuples(graph);
  if (isHeavy) deferConvolutions(graph);
  return executable;
}

/** Installs the choice. */
export function installExecutionGraph(): void {
  for (const [kind, kernel] of Object.entries(DEFERRED_KERNELS)) {
    installInternalKernel(kind, kernel, DEFERRED_NUMBERS[kind]);
  }
  afterFailedRun.push(forgetDeferred);
  setExecutionGraph(executionGraph);
}
