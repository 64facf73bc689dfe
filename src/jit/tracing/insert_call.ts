/** @file Inserts the call of a compiled function or method into a trace. Upstream: torch/csrc/jit/ir/ir.cpp (insertFunctionCall, insertMethodCall). Spec: none. */
import { insertFunctionCall, insertMethodCall } from "../../ir/build_nodes.ts";
import type { ScriptFunction } from "../../ir/function.ts";
import type { Value } from "../../ir/graph.ts";
import { matchSchema } from "../../frontend/emit/schema_matching.ts";
import { NamedValue } from "../../frontend/emit/named_value.ts";
import { NO_SOURCE, SourceRange } from "../../base/source_range.ts";
import type { TracingState } from "./tracing_state.ts";

function matched(state: TracingState, fn: ScriptFunction, values: readonly Value[]): readonly Value[] {
  const range = state.currentRange() ?? new SourceRange(NO_SOURCE, 0, 0);
  return matchSchema(
    fn.schema,
    range,
    state.graph,
    values.map((value) => NamedValue.of(value)),
    [],
  ).inputs;
}

export function emitFunctionCall(state: TracingState, fn: ScriptFunction, values: readonly Value[]): Value {
  const inputs = matched(state, fn, values);
  return insertFunctionCall(state.graph, fn, inputs, fn.schema.returns[0]!.type);
}

export function emitMethodCall(state: TracingState, fn: ScriptFunction, values: readonly Value[]): Value {
  const inputs = matched(state, fn, values);
  return insertMethodCall(state.graph, fn.name, inputs, fn.schema.returns[0]!.type);
}
