/** @file Traces again and compares: graphs must be the same and results close. Upstream: torch/jit/_trace.py (_check_trace). Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import { lineDiff } from "./text_diff.ts";
import type { ScriptFunction } from "../../ir/function.ts";
import { Graph, allNodes, type Node } from "../../ir/graph.ts";
import { isNondeterministic } from "../../ir/node_schema.ts";
import { graphText, nodeText } from "../../ir/printer.ts";
import { unshapedType } from "../../core/type.ts";
import { inline } from "../../passes/inliner.ts";
import { cloneTensor } from "../../tensor/clone.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { keywordsOf, type Example } from "./example_inputs.ts";
import { closenessError } from "./assert_close.ts";
import { warnTrace } from "./warnings.ts";

/** A trace that another run does not confirm. */
export class TracingCheckError extends ScriptError {
  constructor(graphDifference: string | undefined, tensorDifference: string | undefined, extra?: string) {
    let message = "Tracing failed sanity checks!\n";
    if (extra !== undefined) message += `${extra}\n`;
    if (graphDifference !== undefined)
      message += `ERROR: Graphs differed across invocations!\n${indent(graphDifference)}\n`;
    if (tensorDifference !== undefined) {
      message += `ERROR: Tensor-valued Constant nodes differed in value across invocations. This often indicates that the tracer has encountered untraceable code.\n${indent(tensorDifference)}\n`;
    }
    super(message);
    this.name = "TracingCheckError";
  }
}

/** Calls what was traced. */
export type TracedCall = (args: readonly unknown[], kwargs?: Readonly<Record<string, unknown>>) => unknown;

/** What to check. */
export interface TraceCheck {
  readonly traced: ScriptFunction;
  readonly call: TracedCall;
  /** The function or method that was traced. */
  readonly original: (args: readonly unknown[]) => unknown;
  readonly checkInputs: readonly Example[];
  /** Traces once more. */
  readonly again: (example: Example) => { readonly fn: ScriptFunction; readonly call: TracedCall };
  readonly tolerance: number;
}

function indent(text: string): string {
  return text
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => `\t${line}`)
    .join("\n");
}

/** Copies of tensors, so that a run that writes to its inputs does not disturb the next. */
function cloneInputs(value: unknown): unknown {
  if (value instanceof Tensor) return cloneTensor(value);
  if (Array.isArray(value)) return value.map(cloneInputs);
  if (value instanceof Map) return new Map(Array.from(value as Map<unknown, unknown>, ([k, v]) => [k, cloneInputs(v)]));
  if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, cloneInputs(v)]));
  return value;
}

const cloneAll = (args: readonly unknown[]): readonly unknown[] => args.map(cloneInputs);

/** A graph with its calls inlined, without shapes, values numbered in order. */
function canonical(fn: ScriptFunction): Graph {
  const copy = fn.graph.copy();
  inline(copy);
  const result = copy.copy();
  const values = [...result.inputs];
  for (const node of allNodes(result.block)) {
    values.push(...node.outputs);
    for (const block of node.blocks) values.push(...block.inputs);
  }
  for (const value of values) value.setType(unshapedType(value.type)).setDebugName("");
  return result.copy();
}

const unmangled = (text: string): string => text.replace(/___torch_mangle_[0-9]+\./g, "");
const textOf = (graph: Graph): string => unmangled(graphText(graph, { printSourceLocations: false }));

function stackOf(node: Node): string {
  return node.sourceRange?.source.text ?? "";
}

function graphDifference(mod: Graph, check: Graph): string | undefined {
  const modText = textOf(mod);
  const checkText = textOf(check);
  if (modText === checkText) return undefined;
  let errors = `Graph diff:\n${indent(lineDiff(modText, checkText))}\n`;
  const others = check.block.nodes();
  for (const node of mod.block.nodes()) {
    const other = others.next();
    if (other.done) break;
    const [a, b] = [unmangled(nodeText(node)), unmangled(nodeText(other.value))];
    if (a === b) continue;
    errors += `First diverging operator:\nNode diff:\n${indent(lineDiff(a, b))}\n`;
    errors += `Trace source location:\n${indent(stackOf(node))}\nCheck source location:\n${indent(stackOf(other.value))}\n`;
    break;
  }
  return errors;
}

function constantDifference(mod: Graph, check: Graph): string | undefined {
  const others = check.block.nodes();
  for (const node of mod.block.nodes()) {
    const other = others.next();
    if (other.done || other.value.kind !== node.kind) return undefined;
    const [a, b] = [node.attributes.get("value"), other.value.attributes.get("value")];
    if (node.kind !== "prim::Constant" || a?.kind !== "t" || b?.kind !== "t") continue;
    const error = closenessError(a.value, b.value);
    if (error === undefined) continue;
    return `Node:\n${indent(nodeText(node))}\nSource Location:\n${indent(stackOf(node))}\nComparison exception: ${indent(error)}`;
  }
  return undefined;
}

function diagnose(check: TraceCheck, again: ScriptFunction): [string | undefined, string | undefined] {
  const mod = canonical(check.traced);
  const other = canonical(again);
  return [graphDifference(mod, other), constantDifference(mod, other)];
}

const MAX_SHOWN = 20;

/** Warns where results differ. Throws TracingCheckError where graphs differ or a run fails. */
export function checkTrace(check: TraceCheck): void {
  for (const example of check.checkInputs) checkWith(check, example);
}

function checkWith(check: TraceCheck, example: Example): void {
  const { inputs } = example;
  const again = check.again({ ...example, inputs: cloneAll(inputs) });
  const traceOf =
    (call: TracedCall) =>
    (args: readonly unknown[]): unknown =>
      example.isByName ? call([], keywordsOf(example, args)) : call(args);
  const outputs = (call: (args: readonly unknown[]) => unknown, what: string): Tensor[] => {
    try {
      const result = call(cloneAll(inputs));
      return (Array.isArray(result) ? result : [result]).filter((item): item is Tensor => item instanceof Tensor);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new TracingCheckError(
        ...diagnose(check, again.fn),
        `encountered an exception while running the ${what} with test inputs.\nException:\n${indent(message)}`,
      );
    }
  };
  let warned = false;
  const compare = (original: readonly Tensor[], reference: readonly Tensor[], what: string): boolean => {
    let same = true;
    original.forEach((tensor, i) => {
      const other = reference[i];
      const error = other && closenessError(tensor, other, check.tolerance);
      if (error === undefined) return;
      if (!warned) warnNondeterministic(check.traced);
      warned = true;
      warnTrace(
        `Output nr ${i + 1}. of the traced function does not match the corresponding output of the ${what}. Detailed error:\n${error}`,
      );
      same = false;
    });
    return same;
  };
  const traced = outputs(traceOf(check.call), "trace");
  const expected = outputs((args) => check.original(example.argumentsOf(args)), "JavaScript function");
  if (compare(traced, expected, "JavaScript function")) {
    compare(traced, outputs(traceOf(again.call), "repeated trace"), "repeated trace");
  }
  const differences = diagnose(check, again.fn);
  if (differences.some((text) => text !== undefined)) throw new TracingCheckError(...differences);
}

function warnNondeterministic(fn: ScriptFunction): void {
  const nodes = [...fn.graph.block.nodes()].filter((node) => isNondeterministic(node));
  if (nodes.length === 0) return;
  warnTrace(
    `Trace had nondeterministic nodes. Did you forget call .eval() on your model? Nodes:\n${nodes
      .slice(0, MAX_SHOWN)
      .map((node) => indent(nodeText(node)))
      .join(
        "\n",
      )}\nThis may cause errors in trace checking. To disable trace checking, pass checkTrace: false to jit.trace()`,
  );
}
