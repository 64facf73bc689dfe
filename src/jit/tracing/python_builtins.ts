/** @file What Python's own functions and methods of tensors do in library texts that a trace runs. Upstream: torch/_tensor.py, torch/nn/modules/utils.py. Spec: none. See Note [Python values]. */
import { OperatorError } from "../../base/errors.ts";
import { emitWarning } from "../../base/sinks.ts";
import { callOperator, findOperatorByKey, schemasFor } from "../../core/operator_registry.ts";
import { boxFloat } from "../../tensor/scalar.ts";
import { traceListener } from "../../tensor/trace_listener.ts";
import { PackedSequence } from "../../nn/utils_rnn.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { callByName } from "../../torch/eager_call.ts";
import { binary, numberOf, range, sizeOf, sizesOf, textOf, truth, tuple } from "./python_values.ts";

/** A function of Python. */
export type Call = (args: readonly unknown[], kwargs: Readonly<Record<string, unknown>>) => unknown;

const list = (value: unknown): readonly unknown[] => value as readonly unknown[];

/** Exceptions as the messages that they carry. */
const exception: Call = ([message]) => textOf(message ?? "");

/** Functions without a module. */
export const BUILTINS: Readonly<Record<string, Call>> = {
  PackedSequence: ([data, batchSizes, sorted, unsorted]) =>
    new PackedSequence(data as Tensor, batchSizes as Tensor, sorted as Tensor | null, unsorted as Tensor | null),
  len: ([value]) => (value instanceof Tensor ? value.sizes[0] : value instanceof Map ? value.size : list(value).length),
  range: (args) => range(...args),
  int: ([value]) => (value instanceof Tensor ? value : Math.trunc(numberOf(value))),
  float: ([value]) => (value === "inf" ? Infinity : value === "-inf" ? -Infinity : boxFloat(numberOf(value))),
  bool: ([value]) => truth(value),
  list: ([value]) => [...list(value)],
  tuple: ([value]) => tuple(list(value)),
  all: ([value]) => list(value).every(truth),
  any: ([value]) => list(value).some(truth),
  min: (args) => (args.length === 1 ? list(args[0]) : args).reduce((a, b) => (truth(binary("<", b, a)) ? b : a)),
  max: (args) => (args.length === 1 ? list(args[0]) : args).reduce((a, b) => (truth(binary(">", b, a)) ? b : a)),
  enumerate: ([value]) => list(value).map((item, i) => tuple([i, item])),
  zip: (args) => list(args[0]).map((_, i) => tuple(args.map((other) => list(other)[i]))),
  ValueError: exception,
  RuntimeError: exception,
  AssertionError: exception,
  NotImplementedError: exception,
  "warnings.warn": ([message]) => {
    emitWarning(textOf(message));
    return null;
  },
  "math.sqrt": ([value]) => boxFloat(Math.sqrt(numberOf(value))),
  "math.floor": ([value]) => Math.floor(numberOf(value)),
};

function repeated(count: number): Call {
  return ([value]) => (Array.isArray(value) ? tuple(value) : tuple(new Array<unknown>(count).fill(value)));
}

/** Functions of torch that are not operators, by their last name. */
export const TORCH_FUNCTIONS: Readonly<Record<string, Call>> = {
  is_scripting: () => false,
  is_tracing: () => true,
  _get_tracing_state: () => true,
  is_grad_enabled: () => false,
  is_autocast_enabled: () => false,
  has_torch_function: () => false,
  has_torch_function_unary: () => false,
  has_torch_function_variadic: () => false,
  _single: repeated(1),
  _pair: repeated(2),
  _triple: repeated(3),
  _quadruple: repeated(4),
  _list_with_default([size, defaults]) {
    if (!Array.isArray(size)) return size;
    const known = list(defaults);
    if (known.length <= size.length)
      throw new OperatorError(`Input dimension should be at least ${size.length + 1}, got ${known.length}`);
    return known.slice(-size.length).map((other, i) => (size[i] as unknown) ?? other);
  },
  _no_grad_embedding_renorm_([weight, input, maxNorm, normType]) {
    callByName("embedding_renorm_", [callByName("detach", [weight]), input, maxNorm, normType]);
    return null;
  },
};

/** An attribute or method of a tensor. */
export function tensorMember(tensor: Tensor, name: string): unknown {
  switch (name) {
    case "shape":
      return sizesOf(tensor);
    case "ndim":
      return tensor.ndim;
    case "dtype":
      return tensor.dtype;
    case "device":
      return tensor.device;
    case "requires_grad":
      return tensor.requiresGrad;
    case "is_nested":
    case "is_cuda":
      return false;
    case "is_cpu":
      return true;
    case "dim":
      return () => tensor.ndim;
    case "size":
      return (([dim]) => (dim === undefined ? sizesOf(tensor) : sizeOf(tensor, numberOf(dim)))) satisfies Call;
    case "numel":
      return () => traceListener()?.numelTensor(tensor) ?? tensor.numel;
    case "is_floating_point":
      return () => tensor.dtype.category === "float";
    default:
      return ((args, kwargs) => callMethod(tensor, name, args, kwargs)) satisfies Call;
  }
}

/** Methods that are written in Python: there the tensor is `self`, which names nothing. */
const METHODS_IN_PYTHON = new Set(["unflatten", "split", "norm", "stft", "istft", "unique", "lu"]);

/** Runs a body in a frame without names; installed by `python_frame.ts`, which needs this file. */
let nameless: <R>(body: () => R) => R = (body) => body();
/** Installs the frame without names. */
export function setNameless(fn: typeof nameless): void {
  nameless = fn;
}

function callMethod(
  tensor: Tensor,
  name: string,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
): unknown {
  const given = [tensor, ...args];
  const run = (): unknown =>
    name === "split" && Array.isArray(args[0]) ? callByName("split_with_sizes", given) : callTorch(name, given, kwargs);
  return METHODS_IN_PYTHON.has(name) ? nameless(run) : run();
}

/** Where the sizes of an operator may be given one by one. */
const SIZES_AT: Readonly<Record<string, number>> = {
  ...Object.fromEntries(["zeros", "ones", "rand", "randn", "empty"].map((name) => [name, 0])),
  ...Object.fromEntries(["view", "reshape", "expand", "repeat", "permute"].map((name) => [name, 1])),
};
const LISTS_OF_TENSORS = new Set(["broadcast_tensors"]);

/** Calls an operator as Python does: sizes one by one or as a list, one number for a list of fixed length. */
export function callTorch(name: string, args: readonly unknown[], kwargs: Readonly<Record<string, unknown>>): unknown {
  let given = args;
  const at = SIZES_AT[name];
  if (at !== undefined && args.length > at && !Array.isArray(args[at])) given = [...args.slice(0, at), args.slice(at)];
  else if (LISTS_OF_TENSORS.has(name) && args[0] instanceof Tensor) given = [args];
  else given = args.map((arg, i) => expanded(name, i, arg));
  const key = `aten::${name}.vec`;
  if (Object.keys(kwargs).length === 0 && findOperatorByKey(key)?.schema.args.length === given.length)
    return callOperator(key, [...given]);
  return callByName(name, Object.keys(kwargs).length > 0 ? [...given, kwargs] : given);
}

function expanded(name: string, position: number, value: unknown): unknown {
  if (typeof value !== "number") return value;
  const length = schemasFor(`aten::${name}`)[0]?.args[position]?.fixedLength;
  return length === undefined ? value : new Array<number>(length).fill(value);
}
