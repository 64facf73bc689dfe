/** @file CompilationUnit: functions of TorchScript's own language, compiled from text. Upstream: torch/jit/_script.py CompilationUnit. Spec: spec/grammar.md. */
import { ScriptError } from "../base/errors.ts";
import { schemaText } from "../core/schema.ts";
import { defineSource } from "../frontend/emit/compile.ts";
import { checkAndConvertInputs, toUser } from "../interpreter/convert.ts";
import { runFunction } from "../interpreter/run.ts";
import { CompilationUnit as Functions } from "../ir/compilation_unit.ts";
import type { ScriptFunction } from "../ir/function.ts";
import type { Graph } from "../ir/graph.ts";
import { graphText } from "../ir/printer.ts";
import { inlinedGraph } from "../passes/inliner.ts";
import { finishEmission } from "../passes/pipeline.ts";
import { functionCode } from "../saver/function_code.ts";

/** A compiled function: call it; `code`, `graph` and `schema` print PyTorch's text. */
export interface CompiledFunction {
  /** Calls with positional arguments. */
  (...args: unknown[]): unknown;
  readonly functionName: string;
  /** The schema, e.g. `f(Tensor x, int n=2) -> Tensor`. */
  readonly schema: string;
  readonly code: string;
  readonly graph: Graph;
  readonly inlinedGraph: Graph;
  /** Calls with keyword arguments. */
  callWith(args: readonly unknown[], kwargs?: Readonly<Record<string, unknown>>): unknown;
}

/** `String(graph)` prints PyTorch's text. */
export function printableGraph(graph: Graph): Graph {
  if (!Object.hasOwn(graph, "toString")) {
    Object.defineProperty(graph, "toString", { value: () => graphText(graph), enumerable: false });
  }
  return graph;
}

function graphOf(fn: ScriptFunction): Graph {
  fn.ensureDefined();
  return printableGraph(fn.graph);
}

/** Takes keyword arguments off the end of a call's arguments. */
export type SplitArguments = (
  args: readonly unknown[],
) => readonly [args: readonly unknown[], kwargs: Readonly<Record<string, unknown>>];

/** A compiled function as something to call. */
export function makeCallable(fn: ScriptFunction, split: SplitArguments = (args) => [args, {}]): CompiledFunction {
  const callWith = (args: readonly unknown[], kwargs: Readonly<Record<string, unknown>> = {}): unknown => {
    const { schema } = fn;
    const result = runFunction(fn, checkAndConvertInputs(schema, args, kwargs));
    const returned = schema.returns[0];
    return returned ? toUser(result, returned.type) : undefined;
  };
  const callable = (...args: unknown[]): unknown => callWith(...split(args));
  return Object.defineProperties(callable, {
    callWith: { value: callWith },
    functionName: { value: fn.name },
    schema: { get: () => schemaText(fn.schema) },
    code: { get: () => functionCode(fn, { isMethod: false }).code },
    graph: { get: () => graphOf(fn) },
    inlinedGraph: { get: () => printableGraph(inlinedGraph(graphOf(fn))) },
  }) as unknown as CompiledFunction;
}

/**
 * Compiles functions written in TorchScript's own language, which may call each other. Mirrors `torch.jit.CompilationUnit`.
 *
 *     const cu = new jit.CompilationUnit("def f(x, n: int = 2):\n  return x * n\n");
 *     cu.get("f")(torch.ones([2]));
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
    for (const fn of defineSource(text, finishEmission, this.functions)) fn.ensureDefined();
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
    return makeCallable(fn);
  }
}
