/** @file Running functions: the entrance for everybody above. Upstream: torch/csrc/jit/runtime/graph_executor.cpp. Spec: none. */
import { setFunctionCaller } from "../core/typed_builtin.ts";
import { ScriptObject } from "../core/ivalue.ts";
import type { FunctionLike } from "../core/type.ts";
import { generateCode } from "./codegen/generate.ts";
import { ScriptFunction } from "../ir/function.ts";
import { calleeOf, codeFor } from "./compile.ts";
import { calleeCode, invoke, runIsolated, withBudget } from "./runtime.ts";
import { setCodeGenerator } from "./tier.ts";

/** Limits of one run. */
export interface RunOptions {
  /** Instructions that may run; a loop's round counts as one more. */
  readonly maxSteps?: number;
}

/** Compiles a function and all that it calls. @throws UnsupportedError that names an operator and its line. */
export function compileFunction(fn: FunctionLike): void {
  calleeOf(fn);
}

/** Compiles what a call of a module's method runs first. @throws what the call would throw before it runs anything. */
export function compileMethod(fn: ScriptFunction, self: ScriptObject): void {
  void fn.schema;
  codeFor(fn, self);
}

/**
 * Runs a function or method on IValues in static form (the object first, for a method).
 * @throws ScriptRuntimeError with PyTorch's text, LimitError, UnsupportedError.
 */
export function runFunction(fn: FunctionLike, args: readonly unknown[], options: RunOptions = {}): unknown {
  const self = args[0];
  if (self instanceof ScriptObject && self.type.isModule && fn instanceof ScriptFunction) {
    const code = codeFor(fn, self);
    return withBudget(options.maxSteps, () => runIsolated(code, args));
  }
  const callee = calleeOf(fn);
  if (typeof callee === "function") return callee([...args]);
  return withBudget(options.maxSteps, () => runIsolated(calleeCode(callee), args));
}

setCodeGenerator(generateCode);
setFunctionCaller((fn, args) => {
  const callee = calleeOf(fn);
  return typeof callee === "function" ? callee([...args]) : invoke(calleeCode(callee), args);
});
