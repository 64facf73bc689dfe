/** @file Records one operator call as a node. Upstream: tools/autograd/gen_trace_type.py (the generated TraceType.cpp), torch/csrc/jit/frontend/tracer.cpp (addInputs), torch/csrc/autograd/TraceTypeManual.cpp. Spec: none. */
import { isOutArgument, type Argument, type FunctionSchema } from "../../core/schema.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { insertOp } from "../../frontend/emit/emit_builtin.ts";
import { createList } from "../../ir/build_nodes.ts";
import type { Node, Value } from "../../ir/graph.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { RESIZE_ADVICE, warnTrace } from "./warnings.ts";
import type { TracingState } from "./tracing_state.ts";

/** Values that stand in the place of numbers: what was computed from a traced size. By argument, for lists by element. */
export type TracedNumbers = ReadonlyMap<string, Value | readonly (Value | undefined)[]>;

/** A call that is about to run. */
export interface RecordedCall {
  readonly schema: FunctionSchema;
  readonly args: readonly unknown[];
  readonly numbers: TracedNumbers;
}

/** Functional names of in-place operators where they are not simply without the underscore. */
const OUTPLACE_NAMES: Readonly<Record<string, string>> = {
  "aten::zero_": "aten::zeros_like",
  "aten::fill_": "aten::full_like",
};

function isInplace(schema: FunctionSchema): boolean {
  return schema.args[0]?.aliasInfo?.isWrite === true && schema.name.endsWith("_") && !schema.name.endsWith("__");
}

/** The kind of node that a call becomes. */
function nodeKind(schema: FunctionSchema, forceOutplace: boolean): string {
  if (!forceOutplace || !isInplace(schema)) return schema.name;
  return OUTPLACE_NAMES[schema.name] ?? schema.name.slice(0, -1);
}

/** Whether PyTorch's tracer has a node for calls of the operator: such as give no tensor have none. */
export function isRecorded(schema: FunctionSchema): boolean {
  return schema.returns.some(
    ({ type }) => type.kind === "Tensor" || (type.kind === "List" && type.element.kind === "Tensor"),
  );
}

function intList(state: TracingState, value: readonly unknown[], traced: readonly (Value | undefined)[]): Value {
  const { graph } = state;
  const items = value.map((item, i) => traced[i] ?? state.constant(item, T.IntT));
  return graph.insertNode(createList(graph, T.IntT, items)).output;
}

function tensorList(state: TracingState, value: readonly unknown[], element: Type): Value {
  const items = value.map((item) => state.getValue(item));
  return state.graph.insertNode(createList(state.graph, element, items)).output;
}

function argumentValue(state: TracingState, argument: Argument, value: unknown, numbers: TracedNumbers): Value {
  const traced = numbers.get(argument.name);
  if (traced !== undefined && !Array.isArray(traced)) return traced as Value;
  if (value === null || value === undefined) return state.none();
  const type = argument.type.kind === "Optional" ? argument.type.element : argument.type;
  if (type.kind === "Tensor") return state.getValue(value);
  if (type.kind === "List") {
    const { element } = type;
    const items = value as readonly unknown[];
    if (element.kind === "Int") return intList(state, items, (traced as (Value | undefined)[] | undefined) ?? []);
    if (element.kind === "Float") {
      const floats = items.map((item) => state.constant(item, T.FloatT));
      return state.graph.insertNode(createList(state.graph, T.FloatT, floats)).output;
    }
    if (element.kind === "Tensor" || element.kind === "Optional") return tensorList(state, items, element);
  }
  // generators are not part of a trace
  if (type.kind === "Generator") return state.none();
  return state.constant(value, type);
}

/** Arguments of a call in the order of the node's inputs: `out=` ones are left out where the node is to be functional. */
function addInputs(state: TracingState, node: Node, { schema, args, numbers }: RecordedCall): void {
  const { forceOutplace } = state.options;
  const isFactory = !schema.args.some((a) => !isOutArgument(a) && a.type.kind === "Tensor");
  schema.args.forEach((argument, i) => {
    if (!isOutArgument(argument) || !forceOutplace) {
      node.addInput(argumentValue(state, argument, args[i], numbers));
      return;
    }
    const out = args[i] as Tensor;
    if (isFactory) for (const option of [out.dtype.id, 0]) node.addInput(state.constant(option, T.IntT));
  });
}

function addOutputs(state: TracingState, node: Node, { schema }: RecordedCall, result: unknown): void {
  const results = schema.returns.length === 1 ? [result] : (result as unknown[]);
  schema.returns.forEach(({ type }, i) => {
    const value = results[i];
    if (value instanceof Tensor) {
      state.addOutput(node, value);
      return;
    }
    if (!Array.isArray(value) || type.kind !== "List") return;
    const list = node.addOutput().setType(T.listOf(T.TensorT));
    const unpack = state.graph.insertNode(state.graph.create("prim::ListUnpack", [list], value.length));
    value.forEach((tensor, k) => state.setOutput(unpack.outputs[k]!, tensor as Tensor));
  });
}

/** Records a call around its execution. `run` computes the result and is not traced. */
export function recordCall(state: TracingState, call: RecordedCall, run: () => unknown): unknown {
  const node = state.graph.create(nodeKind(call.schema, state.options.forceOutplace), [], 0);
  node.setSourceRange(state.currentRange());
  addInputs(state, node, call);
  state.graph.insertNode(node);
  const result = run();
  addOutputs(state, node, call, result);
  return result;
}

/** Operators whose recording is no plain node. */
export type ManualRecord = (state: TracingState, call: RecordedCall, run: () => unknown) => unknown;

/** See torch/csrc/autograd/TraceTypeManual.cpp. */
export const MANUAL: Readonly<Record<string, ManualRecord>> = {
  "aten::copy_"(state, { args }, run) {
    const [self, source] = args as [Tensor, Tensor];
    const target = state.getValue(self);
    const value = state.getValue(source);
    const output = insertOp(state.graph, "aten::copy_", [target, value], state.currentRange());
    const result = run();
    state.setOutput(output, self);
    return result;
  },
  "aten::resize_"(state, { args }, run) {
    warnTrace(`resize_${RESIZE_ADVICE}`);
    state.forget(args[0] as Tensor);
    return run();
  },
  "aten::resize_as_"(state, { args }, run) {
    warnTrace(`resize_as_${RESIZE_ADVICE}`);
    state.forget(args[0] as Tensor);
    return run();
  },
  "aten::detach": recordDetach,
  "aten::detach_": recordDetach,
};

function recordDetach(state: TracingState, call: RecordedCall, run: () => unknown): unknown {
  const node = state.graph.create("aten::detach", [], 0);
  node.setSourceRange(state.currentRange());
  node.addInput(state.getValue(call.args[0]));
  state.graph.insertNode(node);
  const result = run();
  state.addOutput(node, result as Tensor);
  return result;
}
