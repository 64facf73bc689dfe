/** @file The order of the passes that run on the way from source text to a method's graph. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp (runCleanupPasses). Spec: none. */
import type { Graph } from "../ir/graph.ts";
import { annotateWarns } from "./annotate_warns.ts";
import { canonicalizeOutputs } from "./canonicalize.ts";
import { constantPooling } from "./constant_pooling.ts";
import { constantPropagationImmutableTypes, type PropagationOptions } from "./constant_propagation.ts";
import { eraseListLiterals } from "./erase_list_literals.ts";
import { inlineForkedClosures } from "./inline_forked_closures.ts";
import { liftClosures } from "./lift_closures.ts";
import { lowerSimpleTuples } from "./lower_tuples.ts";
import { normalizeOps } from "./normalize_ops.ts";

/** Cleans a graph that was just emitted and is in SSA form; also the graphs of its closures. */
export function runCleanupPasses(graph: Graph, options: PropagationOptions = {}): void {
  const cleanup = (inner: Graph): void => runCleanupPasses(inner, options);
  liftClosures(graph, cleanup);
  inlineForkedClosures(graph, cleanup);
  eraseListLiterals(graph);
  // tuples that emission made for its own use
  lowerSimpleTuples(graph);
  // Note [No jitter]: only immutable types. Full propagation could do more on every run, so that saving, loading and saving
  // again would give another graph.
  constantPropagationImmutableTypes(graph, options);
  constantPooling(graph);
  canonicalizeOutputs(graph);
  annotateWarns(graph);
}

/** Everything after conversion to SSA: what `emit` calls on a method's graph. */
export function finishEmission(graph: Graph, options: PropagationOptions = {}): void {
  normalizeOps(graph);
  runCleanupPasses(graph, options);
}
