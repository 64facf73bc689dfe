/** @file Example inputs: their types, and the values of a trace that stand for them. Upstream: torch/csrc/jit/frontend/tracer.cpp (addInput), torch/csrc/jit/python/pybind_utils.h (toTraceableStack). Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { insertOp } from "../../frontend/emit/emit_builtin.ts";
import { createListUnpack, createTupleUnpack } from "../../ir/build_nodes.ts";
import { insertConstant, tensorTypeOf } from "../../ir/constants.ts";
import type { Value } from "../../ir/graph.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { callByName } from "../../torch/eager_call.ts";
import { dictEntries, isList, type TracingState } from "./tracing_state.ts";

function refuse(value: unknown): never {
  throw new ScriptError(
    `Type '${typeof value}' cannot be traced. Only Tensors and (possibly nested) Lists, Dicts, and Tuples of Tensors can be traced`,
  );
}

/** The type of an example input. Throws ScriptError for what is no tensor and no container of tensors. */
export function inputType(value: unknown): Type {
  if (value instanceof Tensor) return tensorTypeOf(value);
  if (Array.isArray(value)) {
    const types = value.map(inputType);
    return isList(value)
      ? T.listOf(types[0]?.kind === "Tensor" ? T.TensorT : (types[0] ?? T.TensorT))
      : T.tupleOf(types);
  }
  const entries = dictEntries(value);
  if (!entries || entries.length === 0) return refuse(value);
  const [key, first] = entries[0]!;
  const keyType = typeof key === "string" ? T.StringT : typeof key === "number" ? T.IntT : refuse(key);
  const element = inputType(first);
  return T.dictOf(keyType, element.kind === "Tensor" ? T.TensorT : element);
}

/** Binds an input to a value of the graph; gives what the traced function receives. */
export function addInput(state: TracingState, input: unknown, type: Type, value: Value): unknown {
  const { graph } = state;
  value.setType(type);
  if (input instanceof Tensor) {
    // the same tensor twice: two inputs need two tensors
    const tensor = state.hasValue(input) ? (callByName("view", [input, [...input.sizes]]) as Tensor) : input;
    state.setValue(tensor, value.setType(tensorTypeOf(tensor)));
    return tensor;
  }
  if (Array.isArray(input)) {
    const unpack = graph.insertNode(
      type.kind === "Tuple" ? createTupleUnpack(graph, value) : createListUnpack(graph, value, input.length),
    );
    const items = input.map((item, i) => addInput(state, item, inputType(item), unpack.outputs[i]!));
    return items;
  }
  const entries = dictEntries(input);
  if (!entries) return refuse(input);
  const items = entries.map(([key, item]) => {
    const constant = insertConstant(graph, key, T.AnyT);
    const element = insertOp(graph, "aten::__getitem__", [value, constant]);
    return [key, addInput(state, item, inputType(item), element)] as const;
  });
  return input instanceof Map ? new Map(items) : Object.fromEntries(items);
}
