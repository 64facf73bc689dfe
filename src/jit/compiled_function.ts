/** @file CompiledFunction: a function of the IR as a JavaScript function, with its texts. Upstream: torch/csrc/jit/python/script_init.cpp (ScriptFunction). Spec: none. */
import { ScriptObject } from "../core/ivalue.ts";
import { QualifiedName } from "../core/qualified_name.ts";
import { schemaText } from "../core/schema.ts";
import { BoolT, ClassType } from "../core/type.ts";
import { checkAndConvertInputs, toUser } from "../interpreter/convert.ts";
import { runFunction } from "../interpreter/run.ts";
import { ScriptFunction } from "../ir/function.ts";
import type { Graph } from "../ir/graph.ts";
import { graphText } from "../ir/printer.ts";
import { inlinedGraph } from "../passes/inliner.ts";
import { functionCode } from "../saver/function_code.ts";
import { saver, type SaveOptions } from "./save.ts";
import { runTraced } from "./tracing/script_call.ts";

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
  /**
   * Writes the function as a module with the function as `forward`. A path needs a platform with files.
   * @throws ArchiveError where the file cannot be written.
   */
  save(path: string, options?: SaveOptions): void;
  /** The archive as bytes. */
  saveToBuffer(options?: SaveOptions): Uint8Array;
}

const functionsOf = new WeakMap<object, ScriptFunction>();

/** The function behind a callable; undefined for anything else. */
export function functionOf(callable: unknown): ScriptFunction | undefined {
  return typeof callable === "function" ? functionsOf.get(callable) : undefined;
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

/** The callable of a function. `split` says which arguments of a call are keyword arguments. */
export function compiledFunction(fn: ScriptFunction, split: SplitArguments = (args) => [args, {}]): CompiledFunction {
  const callWith = (args: readonly unknown[], kwargs: Readonly<Record<string, unknown>> = {}): unknown => {
    const { schema } = fn;
    const values = checkAndConvertInputs(schema, args, kwargs);
    const result = runTraced(fn, values, false, () => runFunction(fn, values));
    const returned = schema.returns[0];
    return returned ? toUser(result, returned.type) : undefined;
  };
  const callable = (...args: unknown[]): unknown => callWith(...split(args));
  functionsOf.set(callable, fn);
  return Object.defineProperties(callable, {
    save: {
      value: (path: string, options: SaveOptions = {}) => saver.saveToFile(placeholderModule(fn), path, options),
    },
    saveToBuffer: { value: (options: SaveOptions = {}) => saver.saveToBuffer(placeholderModule(fn), options) },
    callWith: { value: callWith },
    functionName: { value: fn.name },
    schema: { get: () => schemaText(fn.schema) },
    code: { get: () => functionCode(fn, { isMethod: false }).code },
    graph: { get: () => graphOf(fn) },
    inlinedGraph: { get: () => printableGraph(inlinedGraph(graphOf(fn))) },
  }) as unknown as CompiledFunction;
}

/** A module that has the function as its method: archives hold modules only. */
function placeholderModule(fn: ScriptFunction): ScriptObject {
  fn.ensureDefined();
  const type = new ClassType(new QualifiedName("__torch__.PlaceholderModule"), true);
  // loading a module gives it the attribute, so that saving without it would not be stable
  type.addAttribute("training", BoolT);
  const graph = fn.graph.copy();
  graph.block.insertInput(0, "self").setType(type);
  type.methods.set("forward", new ScriptFunction(new QualifiedName("__torch__.PlaceholderModule.forward"), graph));
  return new ScriptObject(type, [true]);
}
