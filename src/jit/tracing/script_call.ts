/** @file Calls of compiled functions and methods while a trace runs: kept as calls. Upstream: torch/csrc/jit/python/pybind_utils.h (runAndInsertCall). Spec: none. */
import { emitFunctionCall, emitMethodCall } from "./insert_call.ts";
import type { ScriptFunction } from "../../ir/function.ts";
import { activeTracer } from "./tracer.ts";

/** Runs a compiled function; a running trace gets a call of it. `isMethod` says that the first argument is the object. */
export function runTraced(
  fn: ScriptFunction,
  args: readonly unknown[],
  isMethod: boolean,
  run: () => unknown,
): unknown {
  const tracer = activeTracer();
  if (!tracer) return run();
  return tracer.recordScriptCall((state) => {
    const values = args.map((value, i) => state.getValue(value, fn.schema.args[i]?.type));
    return isMethod ? emitMethodCall(state, fn, values) : emitFunctionCall(state, fn, values);
  }, run);
}
