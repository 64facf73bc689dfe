/** @file Runs a function and records its operators as a graph. Upstream: torch/csrc/jit/frontend/tracer.cpp (trace). Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import type { ScriptObject } from "../../core/ivalue.ts";
import { withInterceptor } from "../../core/dispatcher.ts";
import type { OperatorEntry } from "../../core/operator_registry.ts";
import type { FunctionSchema } from "../../core/schema.ts";
import * as T from "../../core/type.ts";
import { setBuiltinCleanup } from "../../frontend/emit/compile.ts";
import { insertOp } from "../../frontend/emit/emit_builtin.ts";
import type { Graph, Value } from "../../ir/graph.ts";
import { fixupTraceScopes } from "../../passes/fixup_trace_scopes.ts";
import { normalizeOps } from "../../passes/normalize_ops.ts";
import { finishEmission } from "../../passes/pipeline.ts";
import { fromData } from "../../tensor/data.ts";
import { DTYPES } from "../../tensor/dtype.ts";
import { setTraceListener } from "../../tensor/trace_listener.ts";
import { Tensor } from "../../tensor/tensor.ts";
import {
  callByName,
  currentEagerCall,
  type EagerCall,
  type IndexNumber,
  type WrittenIndex,
} from "../../torch/eager_call.ts";
import { isSlice } from "../../torch/indexing.ts";
import { callStack } from "../call_site.ts";
import { CallContext, type SeenVariables } from "./call_context.ts";
import { DECOMPOSITIONS } from "./decompositions.ts";
import { frameName, isFrameRunning } from "./python_frame.ts";
import { addInput, inputType } from "./trace_inputs.ts";
import { pythonCall } from "./python_call.ts";
import { MANUAL, isRecorded, recordCall, type TracedNumbers } from "./record.ts";
import { SizeTracker, type TracedNumber } from "./sizes.ts";
import { offsetOf, type SyntaxNode } from "./syntax.ts";
import { TracingState, dictEntries, type RecordOptions } from "./tracing_state.ts";
import { CONSTRUCTOR_ADVICE, DATAFLOW_ADVICE, warnTrace } from "./warnings.ts";

setBuiltinCleanup((graph) => finishEmission(graph));

/** What a trace is made of. */
export interface TraceRequest {
  readonly inputs: readonly unknown[];
  /** Names of the parameters; may be more than there are inputs. */
  readonly argumentNames: readonly string[];
  readonly run: (inputs: readonly unknown[]) => unknown;
  readonly options: RecordOptions;
  /** The module whose members the trace knows, and its place in the graph. */
  readonly self?: ScriptObject;
  /** Registers the members of `self` before the inputs come. */
  readonly gather?: (state: TracingState, self: Value) => void;
}

let active: Tracer | undefined;

/** The trace that is running, if any. Not while an operator's own code runs. */
export function activeTracer(): Tracer | undefined {
  return active?.isPaused === false ? active : undefined;
}

/** Whether a trace runs. Mirrors `torch.jit.is_tracing`. */
export function isTracing(): boolean {
  return activeTracer() !== undefined;
}

/** Runs a function under trace and gives its graph and what it returned. */
export function trace(request: TraceRequest): { readonly graph: Graph; readonly output: unknown } {
  if (active) throw new ScriptError("Tracing can't be nested");
  const tracer = new Tracer(request.options);
  active = tracer;
  const oldListener = setTraceListener({
    readShape: (tensor) => activeTracer()?.readShape(tensor),
    sizeTensor: (tensor, dim) => activeTracer()?.readSizeTensor(tensor, dim),
    numelTensor: (tensor) => activeTracer()?.readNumelTensor(tensor),
    readValues: (what) => {
      if (activeTracer()) warnTrace(`Converting a tensor to ${what}${DATAFLOW_ADVICE}`);
    },
    madeOfNumbers: (made, name) => activeTracer()?.recordMade(made, name) ?? made,
  });
  try {
    return withInterceptor(
      (entry, args, next) => tracer.intercept(entry, args, next),
      () => tracer.run(request),
    );
  } finally {
    active = undefined;
    setTraceListener(oldListener);
  }
}

/** A running trace. */
export class Tracer {
  readonly state: TracingState;
  isPaused = false;
  private readonly sizes: SizeTracker;
  private readonly variables: SeenVariables = new WeakMap();

  constructor(options: RecordOptions) {
    this.state = new TracingState(options);
    this.sizes = new SizeTracker((names, body) => this.withNames((tensor) => names.get(tensor) ?? "", body));
  }

  run(request: TraceRequest): { readonly graph: Graph; readonly output: unknown } {
    const { state } = this;
    const { graph } = state;
    if (request.self) {
      const self = graph.addInput("self").setType(request.self.type);
      this.withNames(
        () => "",
        () => request.gather?.(state, self),
      );
    }
    const named = request.argumentNames.length >= request.inputs.length;
    const inputs = this.withNames(
      () => "",
      () =>
        request.inputs.map((input, i) =>
          addInput(state, input, inputType(input), graph.addInput(named ? request.argumentNames[i] : "")),
        ),
    );
    const output = request.run(inputs);
    if (output === undefined || output === null) {
      throw new ScriptError(
        "The traced function didn't return any values! Side-effects are not captured in traces, so it would be a no-op.",
      );
    }
    graph.registerOutput(state.getOutput(output, 1));
    this.isPaused = true;
    fixupTraceScopes(graph, request.self?.type);
    normalizeOps(graph);
    return { graph, output };
  }

  /** Runs code that is not part of the trace. */
  pause<R>(body: () => R): R {
    const old = this.isPaused;
    this.isPaused = true;
    try {
      return body();
    } finally {
      this.isPaused = old;
    }
  }

  private withNames<R>(lookup: (tensor: Tensor) => string, body: () => R): R {
    const { state } = this;
    const { lookupName } = state;
    state.lookupName = lookup;
    this.fixedNames = true;
    try {
      return body();
    } finally {
      state.lookupName = lookupName;
      this.fixedNames = false;
    }
  }
  private fixedNames = false;

  /** Runs `body` with positions and names from the source of the running call. */
  private withContext<R>(context: CallContext, body: () => R): R {
    const { state } = this;
    const { currentRange, lookupName } = state;
    state.currentRange = () => context.range;
    if (!this.fixedNames) state.lookupName = (tensor) => frameName(tensor) ?? context.nameOf(tensor);
    try {
      return body();
    } finally {
      state.currentRange = currentRange;
      state.lookupName = lookupName;
    }
  }

  /** Sees every operator call. */
  intercept(entry: OperatorEntry, args: unknown[], next: (args: unknown[]) => unknown): unknown {
    if (this.isPaused) return next(args);
    const { schema } = entry;
    if (schema.name === "aten::size") return this.readSize(schema, args, () => this.pause(() => next(args)));
    const decomposed = DECOMPOSITIONS[schema.name];
    if (decomposed) return this.decompose(() => decomposed(args, schema));
    if (!isRecorded(schema)) {
      if (VALUE_READS[schema.name]) warnTrace(`${VALUE_READS[schema.name]!}${DATAFLOW_ADVICE}`);
      return this.pause(() => next(args));
    }
    const context = new CallContext(this.decomposedCall ?? currentEagerCall(), this.variables);
    if (!isFrameRunning()) context.observe();
    return this.withContext(context, () => {
      const call = pythonCall(schema, args);
      const { numbers, values } = this.tracedNumbers(context, call.schema, call.args);
      const run = (): unknown => this.pause(() => next(args));
      const recorded = { schema: call.schema, args: values, numbers };
      const manual = MANUAL[schema.name];
      return manual ? manual(this.state, recorded, run) : recordCall(this.state, recorded, run);
    });
  }

  /** The call as it was written whose parts are being recorded. */
  private decomposedCall: EagerCall | undefined;
  private decompose(body: () => unknown): unknown {
    const outer = this.decomposedCall;
    this.decomposedCall ??= currentEagerCall();
    try {
      return body();
    } finally {
      this.decomposedCall = outer;
    }
  }

  /** Records the call of a compiled function, whose own operators are not part of the trace. */
  recordScriptCall(insert: (state: TracingState) => Value, run: () => unknown): unknown {
    return this.withContext(new CallContext(undefined, this.variables), () => {
      const value = insert(this.state);
      const result = this.pause(run);
      this.state.setResult(result, value);
      return result;
    });
  }

  /** Records `prim::NumToTensor` of a size and gives the tensor that stands for it. */
  private sizeTensor(tensor: Tensor, dim: number): Tensor {
    const { state } = this;
    const { graph } = state;
    const size = tensor.sizes[dim < 0 ? dim + tensor.sizes.length : dim]!;
    const value = state.getValue(tensor);
    const dimension = state.constant(dim, T.IntT);
    const node = graph.insertNode(graph.create("aten::size", [value, dimension]));
    node.setSourceRange(state.currentRange());
    node.output.setType(T.IntT);
    return this.numToTensor(node.output, size);
  }

  private numToTensor(number: Value, size: number): Tensor {
    const { state } = this;
    const { graph } = state;
    const node = graph.insertNode(graph.create("prim::NumToTensor", [number]));
    node.output.setType({ kind: "Tensor", detail: { scalarType: "Long", sizes: [], device: "cpu" } });
    const tensor = fromData([size], [], DTYPES.int64);
    state.setValue(tensor, node.output);
    return tensor;
  }

  private recordRead(tensor: Tensor, dims: readonly number[], isList: boolean): void {
    const context = new CallContext(currentEagerCall() ?? { name: "shape", args: [tensor] }, this.variables);
    if (!isFrameRunning()) context.observe();
    const site = callStack()[0];
    const offset = site && offsetOf(site);
    this.withContext(context, () => {
      const sizes = dims.map((dim) => this.sizeTensor(tensor, dim));
      if (site && offset !== undefined) this.sizes.addRead(site.file, offset, sizes, isList);
    });
  }

  private readSize(schema: FunctionSchema, args: readonly unknown[], run: () => unknown): unknown {
    const result = run();
    const tensor = args[0] as Tensor;
    if (schema.overloadName === "int") this.recordRead(tensor, [Number(args[1])], false);
    else if (schema.overloadName === "") this.recordRead(tensor, [...tensor.sizes.keys()], true);
    return result;
  }

  /** `tensor.shape` was read. */
  readShape(tensor: Tensor): void {
    this.recordRead(tensor, [...tensor.sizes.keys()], true);
  }

  /** Reads a size for the library's own code, which computes with the tensor. */
  readSizeTensor(tensor: Tensor, dim: number): Tensor {
    const context = new CallContext({ name: "size", args: [tensor] }, this.variables);
    if (!isFrameRunning()) context.observe();
    return this.withContext(context, () => this.sizeTensor(tensor, dim));
  }

  /** Records a tensor that was made of numbers: a constant. PyTorch moves it to its device and detaches it. */
  recordMade(tensor: Tensor, name: string): Tensor {
    warnTrace(`${name}${CONSTRUCTOR_ADVICE}`);
    if (name !== "torch.tensor") return tensor;
    return this.withNames(
      () => "",
      () => callByName("detach", [callByName("to", [tensor, tensor.device, tensor.dtype])]) as Tensor,
    );
  }

  /** Reads the number of elements for the library's own code. */
  readNumelTensor(tensor: Tensor): Tensor {
    const context = new CallContext({ name: "numel", args: [tensor] }, this.variables);
    if (!isFrameRunning()) context.observe();
    return this.withContext(context, () => {
      const { state } = this;
      const node = state.graph.insertNode(state.graph.create("aten::numel", [state.getValue(tensor)]));
      node.setSourceRange(state.currentRange());
      node.output.setType(T.IntT);
      return this.numToTensor(node.output, tensor.numel);
    });
  }

  /** What arguments of a call come from sizes, and the arguments with tensors in the place of such numbers. */
  private tracedNumbers(
    context: CallContext,
    schema: FunctionSchema,
    args: readonly unknown[],
  ): { readonly numbers: TracedNumbers; readonly values: readonly unknown[] } {
    const call = this.decomposedCall ? undefined : currentEagerCall();
    if (call?.index) return { numbers: this.numbersOfIndex(context, call, call.index), values: args };
    const numbers = new Map<string, Value | readonly (Value | undefined)[]>();
    if (!this.decomposedCall) this.tensorsForNumbers(context, schema, numbers);
    // parts of an operator, and what is recorded on the way, have other arguments than were written
    if (this.sizes.isEmpty || this.decomposedCall || this.fixedNames || isFrameRunning())
      return { numbers, values: args };
    const values = [...args];
    const { file } = context;
    if (!file) return { numbers, values };
    const positional = schema.args.filter((a) => !a.kwargOnly);
    for (const { value, expression, keyword, position } of context.arguments.toReversed()) {
      const index =
        keyword === undefined
          ? schema.args.indexOf(positional[position]!)
          : schema.args.findIndex((a) => a.name === keyword);
      const argument = schema.args[index];
      if (!argument) continue;
      const type = argument.type.kind === "Optional" ? argument.type.element : argument.type;
      if (type.kind === "List" && type.element.kind === "Int") {
        const list = this.listArgument(context, position, keyword, expression, args[index]);
        if (list?.some((item) => item !== undefined)) numbers.set(argument.name, list);
      } else if (typeof value === "number" || typeof value === "bigint") {
        const found = this.sizes.numberOf(file, expression, value);
        if (!found) continue;
        // a number in the place of a tensor: its own tensor goes there
        if (type.kind === "Tensor") {
          values[index] = found.tensor;
          context.addName(found.tensor, found.name);
        } else numbers.set(argument.name, this.asNumber(found, type.kind));
      }
    }
    return { numbers, values };
  }

  /** What of an operator's arguments comes from sizes, or from a tensor, in the index that calls it. */
  private numbersOfIndex(context: CallContext, call: EagerCall, index: WrittenIndex): TracedNumbers {
    let traced = this.indexNumbers.get(index);
    if (!traced) {
      traced = this.traceIndex(context, index);
      this.indexNumbers.set(index, traced);
    }
    const numbers = new Map<string, Value>();
    for (const [argument, { place, part }] of Object.entries(call.numbers ?? {})) {
      const found = traced.get(`${place} ${part}`);
      if (found) numbers.set(argument, this.asNumber(found, "Int"));
    }
    return numbers;
  }

  /** The numbers of an index by place and part; all are computed before the first of its operators runs, as in Python. */
  private traceIndex(context: CallContext, index: WrittenIndex): Map<string, TracedNumber> {
    const traced = new Map<string, TracedNumber>();
    const add = (place: number, part: IndexNumber["part"], value: unknown): void => {
      if (typeof value !== "number" && typeof value !== "bigint") return;
      const expression = context.indexExpression(index, { place, part });
      const found = expression && this.sizes.numberOf(context.file!, expression, value);
      if (found) traced.set(`${place} ${part}`, found);
    };
    index.places.forEach((value, place) => {
      if (value instanceof Tensor)
        traced.set(`${place} index`, { tensor: value, name: frameName(value) ?? context.nameOf(value) });
      else if (this.sizes.isEmpty) return;
      else if (isSlice(value)) {
        add(place, "start", value.start);
        add(place, "stop", value.stop);
        add(place, "step", value.step);
      } else add(place, "index", value);
    });
    return traced;
  }
  private readonly indexNumbers = new WeakMap<WrittenIndex, Map<string, TracedNumber>>();

  /** Tensors that were given where an operator takes numbers. */
  private tensorsForNumbers(
    context: CallContext,
    schema: FunctionSchema,
    numbers: Map<string, Value | readonly (Value | undefined)[]>,
  ): void {
    const given = currentEagerCall()?.args;
    if (!given) return;
    const number = (value: unknown, kind: T.TypeKind): Value | undefined =>
      value instanceof Tensor
        ? this.asNumber({ tensor: value, name: frameName(value) ?? context.nameOf(value) }, kind)
        : undefined;
    const last = given.at(-1);
    const kwargs = dictEntries(last) ? (last as Readonly<Record<string, unknown>>) : undefined;
    const positional = kwargs ? given.slice(0, -1) : given;
    const places = [...schema.args.entries()];
    // the binding of arange converts its last number first
    if (schema.name === "aten::arange") places.reverse();
    places.forEach(([i, argument]) => {
      const type = argument.type.kind === "Optional" ? argument.type.element : argument.type;
      let value = i < positional.length && !argument.kwargOnly ? positional[i] : kwargs?.[argument.name];
      if (type.kind === "List" && type.element.kind === "Int") {
        // sizes may be given one by one
        if (!Array.isArray(value) && i < positional.length) value = positional.slice(i);
        if (Array.isArray(value) && value.some((item) => item instanceof Tensor))
          numbers.set(
            argument.name,
            value.map((item) => number(item, "Int")),
          );
      } else if (type.kind === "Int" || type.kind === "Float" || type.kind === "Number") {
        const traced = number(value, type.kind);
        if (traced) numbers.set(argument.name, traced);
      }
    });
  }

  private listArgument(
    context: CallContext,
    position: number,
    keyword: string | undefined,
    expression: SyntaxNode,
    actual: unknown,
  ): (Value | undefined)[] | undefined {
    const file = context.file!;
    if (!Array.isArray(actual)) return undefined;
    let found: (TracedNumber | undefined)[] | undefined;
    if (expression.type === "Identifier" || expression.type === "ArrayExpression" || actual.length !== 1) {
      found = this.sizes.listOf(file, expression, actual);
    }
    // sizes given one by one, x.view(n, -1), or one number for a list
    found ??= actual.map((item, i) => {
      const argument = context.arguments.find(
        (a) => a.keyword === keyword && a.position === (keyword === undefined ? position + i : a.position),
      );
      return argument && this.sizes.numberOf(file, argument.expression, item);
    });
    return found.map((item) => item && this.asNumber(item, "Int"));
  }

  /** A traced tensor as the number that an operator takes, right behind where the tensor was made. */
  private asNumber({ tensor, name }: TracedNumber, kind: T.TypeKind): Value {
    const { state } = this;
    const value = this.withNames(
      () => name,
      () => state.getValue(tensor),
    );
    const op = kind === "Int" ? "aten::Int" : kind === "Float" ? "aten::Float" : "aten::ScalarImplicit";
    return state.graph.withInsertPoint(value.node.next!, () =>
      insertOp(state.graph, op, [value], state.currentRange()),
    );
  }
}

/** Operators that give their tensor's elements to JavaScript, as messages name them. */
const VALUE_READS: Readonly<Record<string, string>> = {
  "aten::is_nonzero": "Converting a tensor to a JavaScript boolean",
  "aten::equal": "Using torch.equal",
  "aten::allclose": "Using torch.allclose",
};
