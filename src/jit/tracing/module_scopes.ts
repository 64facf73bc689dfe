/** @file Modules in a trace: which call belongs to which module, and the values that stand for their members. Upstream: torch/jit/_trace.py (register_submods), torch/nn/modules/module.py (_slow_forward), torch/csrc/jit/frontend/tracer.cpp (gatherParametersAndBuffers). Spec: none. */
import { ScriptObject } from "../../core/ivalue.ts";
import * as T from "../../core/type.ts";
import type { Value } from "../../ir/graph.ts";
import { withModuleInterceptor, type Module } from "../../nn/module.ts";
import { PackedSequence } from "../../nn/utils_rnn.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { forwardFor } from "./library_modules.ts";
import { outsideFrames, runDefinition } from "./python_frame.ts";
import { addInput, inputType } from "./trace_inputs.ts";
import { activeTracer } from "./tracer.ts";
import type { TracingState } from "./tracing_state.ts";

/** Paths of the modules below a module, as scopes are named; a module that is reached twice has the last one. */
export function moduleScopes(module: Module): ReadonlyMap<Module, string> {
  const scopes = new Map<Module, string>();
  const register = (parent: Module, prefix: string): void => {
    for (const [name, child] of parent.namedChildren()) {
      const path = `${prefix}.${name}`;
      scopes.set(child, path);
      register(child, path);
    }
  };
  register(module, "__module");
  return scopes;
}

/** Runs `body` with the `forward` of each module in a scope of its own. */
export function runInScopes<R>(scopes: ReadonlyMap<Module, string>, body: () => R): R {
  return withModuleInterceptor((module, args, next) => {
    const scope = scopes.get(module);
    const tracer = activeTracer();
    if (!tracer) return next(args);
    const run = (): unknown => runTraced(module, args, next);
    return scope === undefined ? run() : tracer.state.withScope(scope, run);
  }, body);
}

/** Runs a module under trace: library modules from their texts; see Note [Traced library code]. */
function runTraced(module: Module, args: readonly unknown[], next: (args: readonly unknown[]) => unknown): unknown {
  const method = forwardFor(module, args);
  if (!method || !args.every(isPythonValue)) return outsideFrames(() => next(args));
  return runDefinition(method, [module, ...args]);
}

/** Options in JavaScript's habit are for our own `forward`s. */
function isPythonValue(value: unknown): boolean {
  if (value instanceof Tensor || value instanceof PackedSequence || value === null || typeof value !== "object")
    return true;
  return Array.isArray(value) && value.every(isPythonValue);
}

/** Makes every member of a module a value that the trace knows. */
export function gatherMembers(state: TracingState, self: Value, module: ScriptObject, prefix = "__module"): void {
  const { graph } = state;
  state.setValue(module, self);
  module.type.attributes.forEach((attribute, slot) => {
    const value = module.slots[slot];
    const path = `${prefix}.${attribute.name}`;
    const node = graph.insertNode(graph.create("prim::TracedAttr")).setAttr("scope", "s", path);
    const member = node.output.setType(value === null ? T.NoneT : attribute.type);
    if (value instanceof Tensor) addInput(state, value, inputType(value), member);
    const isModule = attribute.type.kind === "Class" && attribute.type.isModule;
    if (value instanceof ScriptObject && isModule) gatherMembers(state, member, value, path);
  });
}
