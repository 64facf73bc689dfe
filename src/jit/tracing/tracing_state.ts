/** @file TracingState: the graph under construction and which value of it each tensor is. Upstream: torch/csrc/jit/frontend/tracer.cpp. Spec: none.
 *
 * Note [Untracked tensors]: a tensor that no recorded operator made and that is no input or parameter is a constant of the graph,
 * one for each tensor object. Numbers are constants anew at every use. */
import { ScriptError } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";
import { ScriptObject, dynamicTypeTag } from "../../core/ivalue.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { createDict, createList, createNone, createTuple, createTupleUnpack } from "../../ir/build_nodes.ts";
import { insertConstant, tensorTypeOf } from "../../ir/constants.ts";
import { Graph, Scope, type Node, type Value } from "../../ir/graph.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { tensorText } from "../../tensor/print.ts";
import { STRICT_ADVICE, warnTrace } from "./warnings.ts";

/** How a trace records. */
export interface RecordOptions {
  /** Refuses dicts and warns of lists at the output. */
  readonly strict: boolean;
  /** Records `add` for `add_`, as exporters want it. */
  readonly forceOutplace: boolean;
}

/** A trace in progress. */
export class TracingState {
  readonly graph = new Graph();
  readonly options: RecordOptions;
  private readonly values = new Map<Tensor | ScriptObject, Value>();
  /** The name of the variable that holds a tensor where the current operator is called. */
  lookupName: (tensor: Tensor) => string = () => "";
  /** Where the current operator is called. */
  currentRange: () => SourceRange | undefined = () => undefined;

  constructor(options: RecordOptions) {
    this.options = options;
  }

  hasValue(key: Tensor | ScriptObject): boolean {
    return this.values.has(key);
  }

  setValue(key: Tensor | ScriptObject, value: Value): void {
    // results of calls say no more than Tensor: the tensor at hand says the rest
    if (key instanceof Tensor && value.type.kind === "Tensor" && !value.type.detail?.sizes)
      value.setType(tensorTypeOf(key));
    this.values.set(key, value);
  }

  /** Forgets a tensor: later uses make it a constant. */
  forget(key: Tensor): void {
    this.values.delete(key);
  }

  /** A constant with the position of the current call. */
  constant(value: unknown, type: Type): Value {
    return insertConstant(this.graph, value, type, this.currentRange());
  }

  none(): Value {
    return this.graph.insertNode(createNone(this.graph)).output;
  }

  /** The value of a tensor, list or tuple of tensors, object or plain value; see Note [Untracked tensors]. */
  getValue(value: unknown, type: Type = T.AnyT): Value {
    if (value === null || value === undefined) return this.none();
    if (value instanceof Tensor) return this.tensorValue(value);
    if (value instanceof ScriptObject) return this.objectValue(value);
    if (Array.isArray(value) && type.kind === "Tuple") {
      const items = value.map((item, i) => this.getValue(item, type.elements[i]));
      return this.graph.insertNode(createTuple(this.graph, items)).output;
    }
    if (Array.isArray(value) && value.length > 0 && value.every((item) => item instanceof Tensor)) {
      const items = value.map((item) => this.getValue(item));
      return this.graph.insertNode(createList(this.graph, T.TensorT, items)).output;
    }
    return this.constant(value, type);
  }

  private tensorValue(tensor: Tensor): Value {
    const known = this.values.get(tensor);
    if (known) {
      if (!known.hasDebugName()) {
        const name = this.lookupName(tensor);
        if (name) known.setDebugName(name);
      }
      return known;
    }
    if (tensor.requiresGrad) {
      throw new ScriptError(
        `Cannot insert a Tensor that requires grad as a constant. Consider making it a parameter or input, or detaching the gradient\nTensor:\n${tensorText(tensor)}`,
      );
    }
    const constant = this.constant(tensor, T.TensorT);
    this.values.set(tensor, constant);
    return constant;
  }

  private objectValue(object: ScriptObject): Value {
    const known = this.values.get(object);
    if (known) return known;
    throw new ScriptError(
      `Tried to trace <${object.type.name.qualifiedName} object> but it is not part of the active trace. Modules that are called during a trace must be registered as submodules of the thing being traced.`,
    );
  }

  /** Makes `value` the value of a result, elements of lists and tuples unpacked. */
  setResult(result: unknown, value: Value): void {
    const { graph } = this;
    if (result instanceof Tensor || result instanceof ScriptObject) {
      // a call says only that its result is a tensor
      if (result instanceof Tensor && value.type.kind === "Tensor" && !value.type.detail?.sizes)
        value.setType(tensorTypeOf(result));
      this.values.set(result, value);
      return;
    }
    const { type } = value;
    if (Array.isArray(result) && (type.kind === "Tuple" || type.kind === "List")) {
      const unpack =
        type.kind === "Tuple" ? createTupleUnpack(graph, value) : graph.create("prim::ListUnpack", [value], 0);
      if (type.kind === "List") for (const _ of result) unpack.addOutput().setType(type.element);
      graph.insertNode(unpack);
      result.forEach((item, i) => this.setResult(item, unpack.outputs[i]!));
      return;
    }
    if (result instanceof Map && type.kind === "Dict") {
      if (type.value.kind !== "Tensor") return;
      const values = graph.insertNode(graph.create("aten::values", [value]));
      values.output.setType(T.listOf(type.value));
      this.setResult([...(result as Map<unknown, unknown>).values()], values.output);
      return;
    }
    throw new ScriptError(
      `Tracer cannot set value trace for type ${T.typeStr(type)}. Supported types are tensor, tensor list, and tuple of tensors.`,
    );
  }

  /** An output of a node for a tensor that was computed. */
  addOutput(node: Node, tensor: Tensor): Value {
    const value = node.addOutput();
    this.setOutput(value, tensor);
    return value;
  }

  setOutput(value: Value, tensor: Tensor): void {
    value.setType(tensorTypeOf(tensor));
    this.values.set(tensor, value);
  }

  /** The value that the traced function returns; `position` counts outputs for the message. */
  getOutput(value: unknown, position: number): Value {
    const { graph } = this;
    if (value instanceof Tensor) {
      const known = this.values.get(value);
      if (known) return known;
      throw new ScriptError(
        `output ${position} (${tensorText(value)}) of traced region did not have observable data dependence with trace inputs; this probably indicates your program cannot be understood by the tracer.`,
      );
    }
    if (Array.isArray(value) && !isList(value)) {
      const items = value.map((item) => this.getOutput(item, position));
      return graph.insertNode(createTuple(graph, items)).output;
    }
    if (Array.isArray(value)) {
      if (this.options.strict) warnTrace(`Encountering a list at the output of the tracer${STRICT_ADVICE}`);
      const items = value.map((item) => this.getOutput(item, position));
      return graph.insertNode(createList(graph, T.TensorT, items)).output;
    }
    const entries = dictEntries(value);
    if (entries) return this.dictOutput(entries, position);
    throw new ScriptError(
      "Only tensors, lists, tuples of tensors, or dictionary of tensors can be output from traced functions",
    );
  }

  private dictOutput(dict: readonly (readonly [unknown, unknown])[], position: number): Value {
    if (this.options.strict) throw new ScriptError(`Encountering a dict at the output of the tracer${STRICT_ADVICE}`);
    const keys: Value[] = [];
    const values: Value[] = [];
    for (const [key, item] of dict) {
      if ((typeof key !== "string" && !(key instanceof Tensor)) || !(item instanceof Tensor)) {
        throw new ScriptError(
          `output ${position} of traced region cannot be understood by the tracer, only dict[str, Tensor] or dict[Tensor, Tensor] can be a dictionary output of a traced function`,
        );
      }
      keys.push(this.getValue(key));
      values.push(this.getOutput(item, position));
    }
    const keyType = keys[0]?.type.kind === "Tensor" ? T.TensorT : T.StringT;
    return this.graph.insertNode(createDict(this.graph, keyType, T.TensorT, keys, values)).output;
  }

  /** Runs `body`, whose nodes belong to the call of the module `name`. */
  withScope<R>(name: string, body: () => R): R {
    const { graph } = this;
    const outer = graph.currentScope;
    graph.currentScope = new Scope(outer ?? new Scope(), name);
    const block = graph
      .insertNode(graph.create("prim::TracedModuleForward", [], 0))
      .setAttr("scope", "s", name)
      .addBlock();
    graph.setInsertPoint(block);
    try {
      return body();
    } finally {
      graph.currentScope = outer;
      graph.setInsertPoint(graph.insertPoint.owningBlock!.owningNode!.next!);
    }
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** The entries of a dict: a Map or a plain object; undefined for anything else. */
export function dictEntries(value: unknown): readonly (readonly [unknown, unknown])[] | undefined {
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)];
  return isRecord(value) ? Object.entries(value) : undefined;
}

/** Whether an array stands for a list. Note [Arrays of traces]: arrays are tuples, as functions return several values; what is
 * tagged as a list (`jit.annotate("List[Tensor]", xs)`) is one. */
export function isList(value: readonly unknown[]): boolean {
  return dynamicTypeTag(value)?.kind === "List";
}
