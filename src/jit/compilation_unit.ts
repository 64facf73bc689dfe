/** @file CompilationUnit: functions of TorchScript's own language, compiled from text. Upstream: torch/jit/_script.py CompilationUnit. Spec: spec/grammar.md. */
import { ScriptError } from "../base/errors.ts";
import { defineSource } from "../frontend/emit/compile.ts";
import { CompilationUnit as Functions } from "../ir/compilation_unit.ts";
import { installDefaultEvaluator } from "../loader/evaluate_defaults.ts";
import { finishEmission } from "../passes/pipeline.ts";
import { compiledFunction, type CompiledFunction } from "./compiled_function.ts";
import { libraryResolver } from "./scripting/library.ts";

export { printableGraph, type CompiledFunction } from "./compiled_function.ts";

/**
 * Compiles functions written in TorchScript's own language, which may call each other. Mirrors `torch.jit.CompilationUnit`.
 *
 *     const cu = jit.CompilationUnit("def f(x, n: int = 2):\n  return x * n\n");
 *     cu.get("f")(torch.ones([2]));
 *
 * `new` may stand before it. Functions are properties too, as in PyTorch; `get` is the typed way to them.
 *
 * @throws ScriptError with PyTorch's text and a caret, for text that cannot be parsed (here) or compiled (here as well).
 */
export class CompilationUnit {
  private readonly functions = new Functions();

  constructor(text = "") {
    if (text) this.define(text);
  }

  /** Adds functions. */
  define(text: string): void {
    installDefaultEvaluator();
    for (const fn of defineSource(text, finishEmission, this.functions, "<string>", libraryResolver)) {
      fn.ensureDefined();
      this.expose(fn.name);
    }
  }

  private expose(name: string): void {
    if (!(name in this)) Object.defineProperty(this, name, { get: () => this.get(name), configurable: true });
  }

  /** Names of the functions, in order. */
  functionNames(): string[] {
    return [...this.functions.functions.keys()];
  }

  /** A function by name. Throws ScriptError where there is none. */
  get(name: string): CompiledFunction {
    const fn = this.functions.findFunction(name);
    if (!fn)
      throw new ScriptError(
        `'CompilationUnit' object has no attribute '${name}'; it has: ${this.functionNames().join(", ") || "none"}`,
      );
    return compiledFunction(fn);
  }
}

/** `CompilationUnit` as Python calls it: without `new`. */
export const compilationUnit: typeof CompilationUnit & ((text?: string) => CompilationUnit) = new Proxy(
  CompilationUnit,
  { apply: (target, _this, args: [text?: string]) => new target(...args) },
) as typeof CompilationUnit & ((text?: string) => CompilationUnit);
