/** @file jit.trace and jit.traceModule: run a function or module once and keep what it did. Upstream: torch/jit/_trace.py. Spec: none. */
import { ScriptError } from "../base/errors.ts";
import { emitWarning } from "../base/sinks.ts";
import { QualifiedName } from "../core/qualified_name.ts";
import { ScriptFunction } from "../ir/function.ts";
import { Module } from "../nn/module.ts";
import { storeTracedInputs } from "../saver/traced_inputs.ts";
import { compiledFunction, functionOf, type CompiledFunction } from "./compiled_function.ts";
import { pythonCu, qualifiedNameOf, uniqueName } from "./python_cu.ts";
import { classOf, ownScript } from "./scripting/module_class.ts";
import { createTracedModule } from "./scripting/recursive.ts";
import { ScriptModule, type Scripted } from "./script_module.ts";
import { checkTrace } from "./tracing/check_trace.ts";
import { runInScopes, gatherMembers, moduleScopes } from "./tracing/module_scopes.ts";
import { moduleMethod } from "./tracing/library_modules.ts";
import { parameterNames } from "./tracing/parameter_names.ts";
import { trace as record } from "./tracing/tracer.ts";

/** How to trace and what to check. */
export interface TraceOptions {
  /** Whether to trace again and compare graphs and results; true where left out. */
  readonly checkTrace?: boolean;
  /** Inputs to check with; the example inputs where left out. For `traceModule` each is an object of inputs by method. */
  readonly checkInputs?: readonly unknown[];
  /** How far results may differ, relatively; 1e-5 where left out. */
  readonly checkTolerance?: number;
  /** Whether dicts are refused as results; true where left out. */
  readonly strict?: boolean;
  /** Whether in-place operators are recorded in their functional form. */
  readonly forceOutplace?: boolean;
}

/** What may be traced: a function of tensors and of containers of tensors. */
export type TraceableFunction = (...args: never[]) => unknown;

interface Settings {
  readonly strict: boolean;
  readonly forceOutplace: boolean;
}

function settingsOf(options: TraceOptions): Settings {
  return { strict: options.strict ?? true, forceOutplace: options.forceOutplace ?? false };
}

/** Arguments from example inputs: a tensor or a dict is one argument, an array holds all of them. */
function asArguments(inputs: unknown): readonly unknown[] {
  return Array.isArray(inputs) ? (inputs as unknown[]) : [inputs];
}

function traceFunction(fn: TraceableFunction, inputs: readonly unknown[], settings: Settings): ScriptFunction {
  const { graph } = record({
    inputs,
    argumentNames: parameterNames(fn),
    run: (args) => fn(...(args as never[])),
    options: settings,
  });
  const name = uniqueName(qualifiedNameOf(fn.name.replace(/^bound /, "") || "_lambda"));
  return pythonCu().addFunction(new ScriptFunction(name, graph));
}

function traceMethod(
  module: Module,
  traced: ScriptModule,
  name: string,
  inputs: readonly unknown[],
  settings: Settings,
  store: boolean,
): ScriptFunction {
  const method = (module as unknown as Record<string, unknown>)[name];
  if (typeof method !== "function")
    throw new ScriptError(`'${module.getName()}' object has no method '${name}' to trace`);
  const { type } = traced.object;
  const scopes = moduleScopes(module);
  const { graph } = record({
    inputs,
    argumentNames:
      moduleMethod(module, name)
        ?.def.params.slice(1)
        .map((param) => param.name.name) ??
      parameterNames(method as TraceableFunction, ownScript(classOf(module)) !== undefined),
    run: (args) =>
      runInScopes(scopes, () =>
        // calling the module runs its hooks too
        name === "forward"
          ? module.callWith(...args)
          : (method as (...given: unknown[]) => unknown).apply(module, [...args]),
      ),
    options: settings,
    self: traced.object,
    gather: (state, self) => gatherMembers(state, self, traced.object),
  });
  const fn = new ScriptFunction(new QualifiedName(`${type.name.qualifiedName}.${name}`), graph);
  type.methods.set(name, fn);
  if (store) storeTracedInputs(traced.object, name, inputs);
  return fn;
}

/**
 * Runs a function or module with example inputs and gives what it did as a ScriptFunction or ScriptModule. Only the operators
 * that ran are kept: branches and numbers that depend on the inputs are fixed to what they were. Mirrors `torch.jit.trace`.
 *
 *     const traced = jit.trace(cell, [x, h]);
 *     traced(x2, h2);
 *     console.log(traced.code);
 *
 * @throws ScriptError where the result does not come from tensors, TracingCheckError where another run gives another graph.
 */
export function trace<M extends Module>(module: M, exampleInputs: unknown, options?: TraceOptions): Scripted<M>;
export function trace(fn: TraceableFunction, exampleInputs: unknown, options?: TraceOptions): CompiledFunction;
export function trace(
  fn: Module | TraceableFunction,
  exampleInputs: unknown,
  options: TraceOptions = {},
): ScriptModule | CompiledFunction {
  const compiled = fn instanceof ScriptModule || functionOf(fn) !== undefined;
  if (compiled) {
    emitWarning("The input to trace is already a ScriptModule, tracing it is a no-op. Returning the object as is.");
    return fn as unknown as ScriptModule;
  }
  if (fn instanceof Module) {
    const { checkInputs } = options;
    const checks = checkInputs && { checkInputs: checkInputs.map((inputs) => ({ forward: inputs })) };
    return traceModule(fn, { forward: exampleInputs }, { ...options, ...checks });
  }
  const settings = settingsOf(options);
  const inputs = asArguments(exampleInputs);
  const traced = traceFunction(fn, inputs, settings);
  const callable = compiledFunction(traced);
  if (options.checkTrace ?? true) {
    checkTrace({
      traced,
      call: (args) => callable(...args),
      original: (args) => fn(...(args as never[])),
      checkInputs: (options.checkInputs ?? [exampleInputs]).map(asArguments),
      again: (args) => {
        const fresh = traceFunction(fn, args, settings);
        const again = compiledFunction(fresh);
        return { fn: fresh, call: (given) => again(...given) };
      },
      tolerance: options.checkTolerance ?? DEFAULT_TOLERANCE,
    });
  }
  return callable;
}

const DEFAULT_TOLERANCE = 1e-5;

/**
 * Traces methods of a module by name, each with its example inputs. Mirrors `torch.jit.trace_module`.
 * @throws as `trace` does.
 */
export function traceModule<M extends Module>(
  module: M,
  inputs: Readonly<Record<string, unknown>>,
  options: TraceOptions = {},
): Scripted<M> {
  if (!(module instanceof Module)) throw new ScriptError("expected a Module as the first argument of traceModule");
  const settings = settingsOf(options);
  const traced = createTracedModule(module);
  for (const [name, example] of Object.entries(inputs)) {
    const fn = traceMethod(module, traced, name, asArguments(example), settings, true);
    if (!(options.checkTrace ?? true)) continue;
    const checks = (options.checkInputs ?? [inputs]) as readonly Readonly<Record<string, unknown>>[];
    checkTrace({
      traced: fn,
      call: (args) => traced.invoke(name, args),
      original: (args) =>
        name === "forward"
          ? module.callWith(...args)
          : (module as unknown as Record<string, (...given: unknown[]) => unknown>)[name]!(...args),
      checkInputs: checks.map((byMethod) => asArguments(byMethod[name])),
      again: (args) => {
        const other = createTracedModule(module);
        const fresh = traceMethod(module, other, name, args, settings, false);
        return { fn: fresh, call: (given) => other.invoke(name, given) };
      },
      tolerance: options.checkTolerance ?? DEFAULT_TOLERANCE,
    });
  }
  return traced as Scripted<M>;
}
