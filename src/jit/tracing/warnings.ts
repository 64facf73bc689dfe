/** @file Warnings of the tracer, each with the line of the user's code that it is about. Upstream: torch/csrc/jit/frontend/tracer.cpp (warn), torch/jit/_trace.py (TracerWarning). Spec: none. */
import { emitWarning } from "../../base/sinks.ts";
import { userCallSite } from "../call_site.ts";

/** What a value that leaves the tensors means for a trace. */
export const DATAFLOW_ADVICE =
  " might cause the trace to be incorrect. We can't record the data flow of JavaScript values, so this value will be treated as a constant in the future. This means that the trace might not generalize to other inputs!";

/** What a tensor made of numbers means for a trace. */
export const CONSTRUCTOR_ADVICE =
  " results are registered as constants in the trace. You can safely ignore this warning if you use this function to create tensors out of constant variables that would be the same every time you call this function. In any other case, this might cause the trace to be incorrect.";

/** What changing the size in place means for a trace. */
export const RESIZE_ADVICE =
  " can't be represented in the JIT at the moment, so we won't connect any uses of this value with its current trace. If you happen to use it again, it will show up as a constant in the graph.";

/** What containers at the output mean. */
export const STRICT_ADVICE =
  " might cause the trace to be incorrect, this is only valid if the container structure does not change based on the module's inputs. Consider using a constant container instead (e.g. for `list`, use a `tuple` instead. for `dict`, use a `NamedTuple` instead). If you absolutely need this and know the side effects, pass strict=False to trace() to allow this behavior.";

/** Warns at the line of the user's code that is running. */
export function warnTrace(message: string): void {
  const site = userCallSite();
  emitWarning(message, { category: "TracerWarning", filename: site?.file, line: site?.line });
}
