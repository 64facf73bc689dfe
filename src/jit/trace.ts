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
import { keywordExample, positionalExample, type Example, type Parameters } from "./tracing/example_inputs.ts";
import { runInScopes, gatherMembers, moduleScopes } from "./tracing/module_scopes.ts";
import { moduleMethod } from "./tracing/library_modules.ts";
import { parameterNames } from "./tracing/parameter_names.ts";
import { dictEntries } from "./tracing/tracing_state.ts";
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
  /**
   * Example inputs by the name of the parameter, where `exampleInputs` is null: `{ mask, x }`. Parameters that are left out have
   * their defaults. `checkInputs` are given by name then, too.
   */
  readonly exampleKwargInputs?: Readonly<Record<string, unknown>>;
}

/** How to trace methods. */
export interface TraceModuleOptions extends Omit<TraceOptions, "exampleKwargInputs"> {
  /** Whether the inputs of a method are an object of inputs by name; an array is by position all the same. */
  readonly exampleInputsIsKwarg?: boolean;
}

/** What may be traced: a function of tensors and of containers of tensors. */
export type TraceableFunction = (...args: never[]) => unknown;

interface Settings {
  readonly strict: boolean;
  readonly forceOutplace: boolean;
}

function settingsOf(options: TraceModuleOptions): Settings {
  return { strict: options.strict ?? true, forceOutplace: options.forceOutplace ?? false };
}

function parametersOf(fn: TraceableFunction): Parameters {
  return { names: parameterNames(fn), isLibrary: false, owner: `${fn.name || "the function"}()` };
}

function methodParameters(module: Module, name: string): Parameters {
  const owner = `${name}() method`;
  const library = moduleMethod(module, name);
  if (library) return { names: library.def.params.slice(1).map((param) => param.name.name), isLibrary: true, owner };
  const isLibrary = ownScript(classOf(module)) !== undefined;
  return { names: parameterNames(methodOf(module, name), isLibrary), isLibrary, owner };
}

function methodOf(module: Module, name: string): TraceableFunction {
  const method = (module as unknown as Record<string, unknown>)[name];
  if (typeof method !== "function")
    throw new ScriptError(`'${module.getName()}' object has no method '${name}' to trace`);
  return method as TraceableFunction;
}

function traceFunction(fn: TraceableFunction, example: Example, settings: Settings): ScriptFunction {
  const { graph } = record({
    inputs: example.inputs,
    argumentNames: example.names,
    run: (inputs) => fn(...(example.argumentsOf(inputs) as never[])),
    options: settings,
  });
  const name = uniqueName(qualifiedNameOf(fn.name.replace(/^bound /, "") || "_lambda"));
  return pythonCu().addFunction(new ScriptFunction(name, graph));
}

/** Calls a method; calling the module itself runs its hooks too. */
function callMethod(module: Module, name: string, args: readonly unknown[]): unknown {
  if (name === "forward") return module.callWith(...args);
  return (methodOf(module, name) as (...given: unknown[]) => unknown).apply(module, [...args]);
}

function traceMethod(
  module: Module,
  traced: ScriptModule,
  name: string,
  example: Example,
  settings: Settings,
  store: boolean,
): ScriptFunction {
  const { type } = traced.object;
  const { inputs } = example;
  const scopes = moduleScopes(module);
  const { graph } = record({
    inputs,
    argumentNames: example.names,
    run: (given) => runInScopes(scopes, () => callMethod(module, name, example.argumentsOf(given))),
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
export function trace<M extends Module>(module: M, exampleInputs?: unknown, options?: TraceOptions): Scripted<M>;
export function trace(fn: TraceableFunction, exampleInputs?: unknown, options?: TraceOptions): CompiledFunction;
export function trace(
  fn: Module | TraceableFunction,
  exampleInputs: unknown = null,
  options: TraceOptions = {},
): ScriptModule | CompiledFunction {
  const compiled = fn instanceof ScriptModule || functionOf(fn) !== undefined;
  if (compiled) {
    emitWarning("The input to trace is already a ScriptModule, tracing it is a no-op. Returning the object as is.");
    return fn as unknown as ScriptModule;
  }
  const { exampleKwargInputs, ...others } = options;
  const isByName = exampleKwargInputs !== undefined && exampleKwargInputs !== null;
  const given = exampleInputs ?? exampleKwargInputs;
  if (given === undefined || given === null)
    throw new ScriptError("A trace needs example inputs: an array of them, or exampleKwargInputs, an object by name");
  if (fn instanceof Module) {
    const { checkInputs } = options;
    const checks = checkInputs && { checkInputs: checkInputs.map((inputs) => ({ forward: inputs })) };
    return traceModule(fn, { forward: given }, { ...others, ...checks, exampleInputsIsKwarg: isByName });
  }
  const settings = settingsOf(options);
  const parameters = parametersOf(fn);
  const exampleOf = (inputs: unknown): Example =>
    isByName ? keywordExample(inputs, parameters) : positionalExample(inputs, parameters);
  // a function takes those by name where there are both, as in PyTorch
  const example = exampleOf(exampleKwargInputs ?? given);
  const traced = traceFunction(fn, example, settings);
  const callable = compiledFunction(traced);
  if (options.checkTrace ?? true) {
    checkTrace({
      traced,
      call: (args, kwargs) => callable.callWith(args, kwargs),
      original: (args) => fn(...(args as never[])),
      checkInputs: options.checkInputs?.map(exampleOf) ?? [example],
      again: (fresh) => {
        const again = traceFunction(fn, fresh, settings);
        const called = compiledFunction(again);
        return { fn: again, call: (args, kwargs) => called.callWith(args, kwargs) };
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
  options: TraceModuleOptions = {},
): Scripted<M> {
  if (!(module instanceof Module)) throw new ScriptError("expected a Module as the first argument of traceModule");
  const settings = settingsOf(options);
  const traced = createTracedModule(module);
  for (const [name, given] of Object.entries(inputs)) {
    const parameters = methodParameters(module, name);
    const exampleOf = (values: unknown): Example =>
      options.exampleInputsIsKwarg === true && dictEntries(values)
        ? keywordExample(values, parameters)
        : positionalExample(values, parameters);
    const example = exampleOf(given);
    const fn = traceMethod(module, traced, name, example, settings, true);
    if (!(options.checkTrace ?? true)) continue;
    const checks = (options.checkInputs ?? []) as readonly Readonly<Record<string, unknown>>[];
    checkTrace({
      traced: fn,
      call: (args, kwargs) => traced.invoke(name, args, kwargs),
      original: (args) => callMethod(module, name, args),
      checkInputs: options.checkInputs ? checks.map((byMethod) => exampleOf(checkOf(byMethod, name))) : [example],
      again: (fresh) => {
        const other = createTracedModule(module);
        const again = traceMethod(module, other, name, fresh, settings, false);
        return { fn: again, call: (args, kwargs) => other.invoke(name, args, kwargs) };
      },
      tolerance: options.checkTolerance ?? DEFAULT_TOLERANCE,
    });
  }
  return traced as Scripted<M>;
}

/** The inputs to check a method with. */
function checkOf(byMethod: Readonly<Record<string, unknown>>, name: string): unknown {
  if (!Object.hasOwn(byMethod, name)) throw new ScriptError(`checkInputs have no inputs for the method '${name}'`);
  return byMethod[name];
}
