/** @file The `torch` namespace: every operator as a function, creation, dtypes, settings. Upstream: torch/__init__.py, torch/_C/_VariableFunctions. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { isGradEnabled, setGradEnabled, withGradMode } from "../core/grad_mode.ts";
import { findOperatorByKey } from "../core/operator_registry.ts";
import { parseDevice } from "../core/device_text.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { LAYOUTS, MEMORY_FORMATS, QSCHEMES } from "../tensor/format_names.ts";
import { Generator, defaultGenerator } from "../tensor/generator.ts";
import { kernelThreads, setKernelThreads } from "../tensor/kernels/wasm/build.ts";
import { canCast, getDefaultDtype, promoteTypes, setDefaultDtype } from "../tensor/promotion.ts";
import { Float, type Int, type Scalar } from "../tensor/scalar.ts";
import { Device, Tensor, setRequiresGrad } from "../tensor/tensor.ts";
import { traceListener } from "../tensor/trace_listener.ts";
import type { NestedData, Slice, TypedData, UniqueOptions } from "../tensor/tensor_api.ts";
import { checked } from "./argument_check.ts";
import { callByName, overloadsOf, type OverloadSet } from "./eager_call.ts";
import * as functions from "./functions.ts";
import { sizesAndOptions, type OutOptions, type RandomOptions, type TensorOptions } from "./functions.ts";
import { FUNCTION_NAMES, NAMESPACE_NAMES } from "./generated/names.ts";
import type { FftFunctions, LinalgFunctions, SpecialFunctions, TorchFunctions } from "./generated/torch_functions.ts";
import { makeSlice } from "./indexing.ts";
import { keep, memoryFigures, tidy, type MemoryFigures } from "./memory.ts";
import { printOptions, setPrintoptions } from "./print_options.ts";
import { flatValues, tensorFromBytes, tensorFromNested, tensorFromTyped } from "./tensor_data.ts";

export type { OutOptions, RandomOptions, TensorOptions } from "./functions.ts";
export type { MemoryFigures } from "./memory.ts";
export type { PrintOptionsChange } from "./print_options.ts";

/** Sizes one by one or as an array, then options. */
type Sizes = [size: readonly Int[], options?: OutOptions] | [...size: Int[]] | [...size: Int[], options: OutOptions];
/** Sizes one by one or as an array, then options. */
type RandomSizes =
  | [size: readonly Int[], options?: RandomOptions]
  | [...size: Int[]]
  | [...size: Int[], options: RandomOptions];

function create(name: string, args: readonly unknown[]): Tensor {
  const [sizes, options] = sizesAndOptions(args);
  return callByName(name, [sizes, options]) as Tensor;
}

/** See `torch.tensor`. */
function tensorOf(data: NestedData | TypedData | Tensor, given?: TensorOptions): Tensor {
  const options = given ?? {};
  let tensor: Tensor;
  if (data instanceof Tensor) {
    tensor = callByName("clone", [data]) as Tensor;
    if (options.dtype && options.dtype !== tensor.dtype) tensor = callByName("to", [tensor, options.dtype]) as Tensor;
  } else if (ArrayBuffer.isView(data)) {
    tensor = tensorFromTyped(data);
    if (options.dtype && options.dtype !== tensor.dtype) tensor = callByName("to", [tensor, options.dtype]) as Tensor;
  } else tensor = tensorFromNested(data as NestedData, options.dtype ?? undefined);
  setRequiresGrad(tensor, options.requires_grad ?? false);
  return data instanceof Tensor ? tensor : (traceListener()?.madeOfNumbers(tensor, "torch.tensor") ?? tensor);
}

/** See `torch.from`. */
function fromTyped(data: TypedData, shape?: readonly number[]): Tensor {
  const tensor = tensorFromTyped(data, shape);
  return traceListener()?.madeOfNumbers(tensor, "torch.from") ?? tensor;
}

/** See `torch.fromBytes`. */
function fromBytes(bytes: Uint8Array, shape: readonly number[], dtype: DType): Tensor {
  const tensor = tensorFromBytes(bytes, shape, dtype);
  return traceListener()?.madeOfNumbers(tensor, "torch.fromBytes") ?? tensor;
}

/** See `torch.no_grad`. */
const withoutGradients = <R>(body: () => R): R => withGradMode(false, body);
/** See `torch.enable_grad`. */
const withGradients = <R>(body: () => R): R => withGradMode(true, body);

/** See `torch.set_default_dtype`. */
const setDtype = checked("set_default_dtype", setDefaultDtype, ["d: torch.dtype"]);

/** See `torch.manual_seed`. */
function seedDefault(seed: Int): Generator {
  findOperatorByKey("aten::manual_seed")!.kernel(...([seed] as never[]));
  return defaultGenerator;
}

/** The functions that are written by hand. */
const own = {
  // creation

  /** A tensor of nested arrays, numbers or a typed array, copied. Mirrors `torch.tensor`; whole numbers make int64. */
  tensor: tensorOf,
  /** A tensor of data; a tensor is given back as it is, unless the dtype differs. Mirrors `torch.as_tensor`. */
  as_tensor(data: NestedData | TypedData | Tensor, options?: TensorOptions): Tensor {
    return data instanceof Tensor && (options?.dtype ?? data.dtype) === data.dtype ? data : tensorOf(data, options);
  },
  /** A tensor with a copy of a typed array, of the array's dtype; shape (N,) where none is given. */
  from: checked("torch.from", fromTyped, ["data: typed array", "shape: list of ints?"]),
  /** A tensor of little-endian bytes, copied. */
  fromBytes: checked("torch.fromBytes", fromBytes, ["bytes: typed array", "shape: list of ints", "dtype: torch.dtype"]),
  /** Zeros: `torch.zeros([2, 3])` or `torch.zeros(2, 3)`. Mirrors `torch.zeros`. */
  zeros(...args: Sizes): Tensor {
    return create("zeros", args);
  },
  /** Ones. Mirrors `torch.ones`. */
  ones(...args: Sizes): Tensor {
    return create("ones", args);
  },
  /** Memory as it comes, here zeros. Mirrors `torch.empty`. */
  empty(...args: Sizes): Tensor {
    return create("empty", args);
  },
  /** One value everywhere; its dtype where none is given. Mirrors `torch.full`. */
  full(size: readonly Int[], value: Scalar, options: OutOptions = {}): Tensor {
    return callByName("full", [size, value, options]) as Tensor;
  },
  /** Ones on the diagonal of an (n, m) matrix; m is n where left out. Mirrors `torch.eye`. */
  eye(n: Int, m?: Int | OutOptions, options: OutOptions = {}): Tensor {
    if (typeof m === "object") return callByName("eye", [n, m]) as Tensor;
    return callByName("eye", m === undefined ? [n, options] : [n, m, options]) as Tensor;
  },
  /**
   * `arange(end)`, `arange(start, end)`, `arange(start, end, step)`: from `start` (0) to before `end`. int64, unless a bound has a
   * fraction. Mirrors `torch.arange`.
   */
  arange(
    ...args: (Scalar | undefined)[] | [...bounds: (Scalar | undefined)[], options: OutOptions | undefined]
  ): Tensor {
    return callByName(
      "arange",
      args.filter((a) => a !== undefined),
    ) as Tensor;
  },
  /** `steps` values from `start` to `end`, both included. Mirrors `torch.linspace`. */
  linspace(start: Scalar | Tensor, end: Scalar | Tensor, steps: Int, options: OutOptions = {}): Tensor {
    return callByName("linspace", [start, end, steps, options]) as Tensor;
  },
  /** `base` to the power of `steps` values from `start` to `end`. Mirrors `torch.logspace`. */
  logspace(
    start: Scalar | Tensor,
    end: Scalar | Tensor,
    steps: Int,
    base: number | OutOptions = 10,
    options: OutOptions = {},
  ): Tensor {
    if (typeof base === "object") return callByName("logspace", [start, end, steps, 10, base]) as Tensor;
    return callByName("logspace", [start, end, steps, base, options]) as Tensor;
  },
  /**
   * With one argument, or with bounds alone: the ints of a loop, as Python's `range`: `for (const i of torch.range(n))`. With an
   * options object behind the bounds: a tensor from `start` to `end`, both included, as `torch.range`, which PyTorch deprecates.
   */
  range: rangeOf,
  /** Uniform in [0, 1): PyTorch's numbers for the same seed. Mirrors `torch.rand`. */
  rand(...args: RandomSizes): Tensor {
    return create("rand", args);
  },
  /** Standard normal: PyTorch's numbers for the same seed. Mirrors `torch.randn`. */
  randn(...args: RandomSizes): Tensor {
    return create("randn", args);
  },
  /** Ints from `low` (0) to before `high`: `randint(high, size)` or `randint(low, high, size)`. Mirrors `torch.randint`. */
  randint(
    ...args:
      | [high: Int, size: readonly Int[], options?: RandomOptions]
      | [low: Int, high: Int, size: readonly Int[], options?: RandomOptions]
  ): Tensor {
    return callByName("randint", args) as Tensor;
  },
  /** The ints below n in random order. Mirrors `torch.randperm`. */
  randperm(n: Int, options: RandomOptions = {}): Tensor {
    return callByName("randperm", [n, options]) as Tensor;
  },
  /** Normal numbers: a mean and a deviation for each element, or for all with a size. Mirrors `torch.normal`. */
  normal(
    mean: Tensor | number,
    std: Tensor | number = 1,
    ...rest: [RandomOptions?] | [size: readonly Int[], options?: RandomOptions]
  ): Tensor {
    return callByName("normal", [mean, std, ...rest]) as Tensor;
  },

  // what Python writes over the operators

  /** Sums products of the operands' elements as the equation says. Mirrors `torch.einsum`. */
  einsum: functions.einsum,
  /** Coordinate grids of 1-d tensors, given one by one or as an array. Mirrors `torch.meshgrid`. */
  meshgrid: functions.meshgrid,
  /** Every combination of the elements of 1-d tensors, one a row. Mirrors `torch.cartesian_prod`. */
  cartesian_prod: functions.cartesianProd,
  /** A matrix with the given ones along its diagonal. Mirrors `torch.block_diag`. */
  block_diag: functions.blockDiag,
  /** The tensors expanded to their common shape: views. Mirrors `torch.broadcast_tensors`. */
  broadcast_tensors: functions.broadcastTensors,
  /** The common shape of shapes. Mirrors `torch.broadcast_shapes`. */
  broadcast_shapes: checked("broadcast_shapes", functions.broadcastShapes, ["...shapes: list of ints"]),
  /** Sums products over dimensions. Mirrors `torch.tensordot`. */
  tensordot: checked("tensordot", functions.tensordot, ["a: Tensor", "b: Tensor"]),
  /** The distinct elements. Mirrors `torch.unique`. */
  unique: checked("unique", functions.unique, ["input: Tensor"]) as {
    /** The distinct elements, sorted. Mirrors `torch.unique`. */
    (input: Tensor, options?: UniqueOptions & { return_inverse?: false; return_counts?: false }): Tensor;
    /** The distinct elements, and what the options ask for. */
    (input: Tensor, options: UniqueOptions): Tensor | Tensor[];
  },
  /** The elements without repetitions that follow each other. Mirrors `torch.unique_consecutive`. */
  unique_consecutive: checked("unique_consecutive", functions.uniqueConsecutive, ["input: Tensor"]),
  /** A norm: Frobenius where `p` is left out. Mirrors `torch.norm`. */
  norm: functions.norm,

  // random numbers

  /** Seeds the default generator and gives it. Mirrors `torch.manual_seed`. */
  manualSeed: seedDefault,
  /** Seeds the default generator and gives it. Mirrors `torch.manual_seed`. */
  manual_seed: seedDefault,
  /** The seed of the default generator. Mirrors `torch.initial_seed`. */
  initial_seed(): Int {
    return callByName("initial_seed", [defaultGenerator]) as Int;
  },
  /** Seeds the default generator with a random number and gives that. Mirrors `torch.seed`. */
  seed(): Int {
    return callByName("seed", [defaultGenerator]) as Int;
  },
  /** A stream of random numbers: `new torch.Generator()`. */
  Generator,

  // settings and questions

  /**
   * Sets how many threads compute (1 at the start): large products, convolutions and what is like them share their work out.
   * Workers start in the background, about 0.1 s; until then, and for small work, one thread computes. The heap of the kernels
   * becomes shared memory at the first call with more than one, and weights are packed again. Mirrors `torch.set_num_threads`.
   * @throws OperatorError for a number that is not a positive integer, UnsupportedError where there is no shared memory: a page
   * must be isolated from other origins.
   */
  setNumThreads: setKernelThreads,
  /** How many threads compute. Mirrors `torch.get_num_threads`. */
  getNumThreads: kernelThreads,
  /** See `setNumThreads`. Mirrors `torch.set_num_threads`. */
  set_num_threads: setKernelThreads,
  /** How many threads compute. Mirrors `torch.get_num_threads`. */
  get_num_threads: kernelThreads,
  /** Whether a value is a tensor. */
  isTensor: functions.isTensor,
  /** Whether a value is a tensor. Mirrors `torch.is_tensor`. */
  is_tensor: functions.isTensor,
  /** Sets the dtype of numbers with a fraction. Mirrors `torch.set_default_dtype`. */
  setDefaultDtype: setDtype,
  /** The dtype of numbers with a fraction. Mirrors `torch.get_default_dtype`. */
  getDefaultDtype,
  /** Sets the dtype of numbers with a fraction. Mirrors `torch.set_default_dtype`. */
  set_default_dtype: setDtype,
  /** The dtype of numbers with a fraction. Mirrors `torch.get_default_dtype`. */
  get_default_dtype: getDefaultDtype,
  /** The smallest dtype that both convert to. Mirrors `torch.promote_types`. */
  promote_types: checked("promote_types", promoteTypes, ["type1: torch.dtype", "type2: torch.dtype"]),
  /** Whether a result of one dtype may be written to a tensor of another. Mirrors `torch.can_cast`. */
  can_cast: checked("can_cast", canCast, ["from_: torch.dtype", "to: torch.dtype"]),
  /** Sets how tensors print. Mirrors `torch.set_printoptions`. */
  setPrintoptions,
  /** Sets how tensors print. Mirrors `torch.set_printoptions`. */
  set_printoptions: setPrintoptions,
  /** How tensors print now. */
  printOptions,
  /** Sizes as Python prints them: `torch.Size([2, 3])`. */
  sizeText: checked("torch.sizeText", functions.sizeText, ["sizes: list of ints"]),
  /** Runs a function without recording gradients and gives its result. Mirrors `with torch.no_grad():`. */
  noGrad: checked("torch.noGrad", withoutGradients, ["body: function"]),
  /** Runs a function without recording gradients and gives its result. Mirrors `with torch.no_grad():`. */
  no_grad: checked("torch.no_grad", withoutGradients, ["body: function"]),
  /** Runs a function with gradients on and gives its result. Mirrors `with torch.enable_grad():`. */
  enable_grad: checked("torch.enable_grad", withGradients, ["body: function"]),
  /** Runs a function for inference alone and gives its result. Mirrors `with torch.inference_mode():`. */
  inference_mode: checked("torch.inference_mode", withoutGradients, ["body: function"]),
  /** Whether gradients are recorded. Mirrors `torch.is_grad_enabled`. */
  is_grad_enabled: isGradEnabled,
  /** Says whether gradients are recorded from now on. Mirrors `torch.set_grad_enabled`. */
  set_grad_enabled(mode: boolean): void {
    setGradEnabled(mode);
  },
  /** A device: `torch.device("cpu")`, `torch.device("cuda", 1)`. Mirrors `torch.device`. */
  device(type: string, index?: number): Device {
    return index === undefined ? parseDevice(type) : new Device(type, index);
  },

  // indexing, numbers, memory

  /**
   * `start:stop:step` for `x.at` and `x.set`: `torch.slice(stop)`, `torch.slice(start, stop)`, `torch.slice(start, stop, step)`;
   * null leaves a bound out. With a tensor in front: `aten::slice.Tensor(Tensor self, int dim=0, int? start=None, int? end=None, int step=1)`.
   */
  slice: sliceOf,
  /** Says that a whole number is a float where the type is open: `torch.call("add", ints, torch.asFloat(1))`. */
  asFloat(value: number): Float {
    return new Float(value);
  },
  /** The elements, row-major; complex ones as pairs, int64 beyond 2^53 as bigints. */
  flatValues: checked("torch.flatValues", flatValues, ["tensor: Tensor"]),
  /** Runs a function and gives back at once the memory of all tensors that it made and does not return. */
  tidy: checked("torch.tidy", tidy, ["body: function"]),
  /** Keeps a tensor beyond the `torch.tidy` that runs. */
  keep: checked("torch.keep", keep, ["tensor: Tensor"]),
  /** What was allocated for tensors and given back, in storages and bytes. */
  memory(): MemoryFigures {
    return memoryFigures();
  },
  /** Calls any operator: `torch.call("softmax", x, -1)`. Positional arguments, then an object of keyword arguments. */
  call(name: string, ...args: unknown[]): unknown {
    return callByName(name, args);
  },
};

/** The ints from 0 to before `end`, for a loop. */
function rangeOf(end: number): Iterable<number>;
/** The ints from `start` to before `end`, for a loop. */
function rangeOf(start: number, end: number, step?: number): Iterable<number>;
/** A tensor from `start` to `end`, both included: `aten::range(Scalar start, Scalar end)`. */
function rangeOf(start: Scalar, end: Scalar, options: OutOptions): Tensor;
/** A tensor from `start` to `end`, both included, by `step`: `aten::range.step`. */
function rangeOf(start: Scalar, end: Scalar, step: Scalar, options: OutOptions): Tensor;
function rangeOf(...args: unknown[]): Iterable<number> | Tensor {
  const last = args.at(-1);
  if (typeof last === "object" && last !== null && !(last instanceof Float)) return callByName("range", args) as Tensor;
  const [start, end, step] =
    args.length === 1
      ? [0, args[0] as number, 1]
      : [args[0] as number, args[1] as number, (args[2] as number | undefined) ?? 1];
  for (const bound of [start, end, step]) {
    if (!Number.isSafeInteger(bound))
      throw new OperatorError(`torch.range of a loop takes ints, found ${String(bound)}; torch.arange makes tensors`);
  }
  if (step === 0) throw new OperatorError("range() arg 3 must not be zero");
  return {
    *[Symbol.iterator]() {
      for (let i = start; step > 0 ? i < end : i > end; i += step) yield i;
    },
  };
}

/** A place of an index, as `start:stop:step` in Python. */
function sliceOf(...bounds: [stop: Int | null] | [start: Int | null, stop: Int | null, step?: Int | null]): Slice;
/** `aten::slice.Tensor`: every `step`-th from `start` to before `end` along a dimension. A view. */
function sliceOf(input: Tensor, dim?: Int, start?: Int | null, end?: Int | null, step?: Int): Tensor;
function sliceOf(...args: unknown[]): Slice | Tensor {
  if (args[0] instanceof Tensor) return callByName("slice", args) as Tensor;
  return makeSlice(...(args as (Int | null)[]));
}

type Operator = (...args: unknown[]) => unknown;

function operatorFunction(name: string): Operator {
  let overloads: OverloadSet | undefined;
  return (...args) => (overloads ??= overloadsOf(name)).call(args);
}

/** Not to be copied: a thousand properties are a hash table, whose making is part of every start. */
function operatorFunctions(words: string, prefix = ""): Record<string, Operator> {
  const result: Record<string, Operator> = {};
  for (const name of words.split(/\s+/)) if (name !== "") result[name] = operatorFunction(prefix + name);
  return result;
}

const { linalg, fft, special } = NAMESPACE_NAMES;

/** What `torch` is: dtypes and other names, the hand-written functions, every operator, and the namespaces. */
export type Torch = typeof DTYPES &
  typeof functions.DTYPE_ALIASES &
  typeof MEMORY_FORMATS &
  typeof LAYOUTS &
  typeof QSCHEMES &
  typeof own &
  TorchFunctions & {
    /** Linear algebra. Mirrors `torch.linalg`. */
    readonly linalg: LinalgFunctions;
    /** Fourier transforms. Mirrors `torch.fft`. */
    readonly fft: FftFunctions;
    /** Special functions. Mirrors `torch.special`. */
    readonly special: SpecialFunctions;
  };

/** PyTorch's functions under their own names. `torch.call(name, ...)` reaches every operator. */
export const torch = Object.assign(operatorFunctions(FUNCTION_NAMES), {
  ...DTYPES,
  ...functions.DTYPE_ALIASES,
  ...MEMORY_FORMATS,
  ...LAYOUTS,
  ...QSCHEMES,
  ...own,
  linalg: operatorFunctions(linalg, "linalg_"),
  fft: operatorFunctions(fft, "fft_"),
  special: operatorFunctions(special, "special_"),
}) as unknown as Torch;
