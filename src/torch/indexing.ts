/** @file Indexing: what stands between Python's brackets, as select, slice, unsqueeze and index calls. Upstream: torch/csrc/autograd/python_variable_indexing.cpp, aten/src/ATen/TensorIndexing.h. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { isIntercepted } from "../core/dispatcher.ts";
import { onlyElement, scalarTensor } from "../tensor/data.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { Complex, Float, type Int, type Scalar } from "../tensor/scalar.ts";
import { sameSizes } from "../tensor/strides.ts";
import { CPU, Tensor } from "../tensor/tensor.ts";
import type { Index, NestedData, Slice } from "../tensor/tensor_api.ts";
import { isInt } from "./argument_fit.ts";
import { callByName, type IndexNumber, type WrittenIndex } from "./eager_call.ts";
import { tensorFromNested } from "./tensor_data.ts";

const END = 9223372036854775807n; // what Python's `x[1:]` passes as the end

/** Whether a value was made by `torch.slice`. */
export function isSlice(value: unknown): value is Slice {
  return typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "slice";
}

/** `start:stop:step`; one argument is the stop, as in Python's `slice`. */
export function makeSlice(...args: readonly (Int | null)[]): Slice {
  const [first = null, second, step] = args;
  const slice: Slice =
    args.length < 2
      ? { kind: "slice", start: null, stop: first, step: 1 }
      : { kind: "slice", start: first, stop: second ?? null, step: step ?? 1 };
  if (BigInt(slice.step) <= 0n) throw new OperatorError("step must be greater than zero");
  return slice;
}

/** The calls of one index: only the tensor that is indexed and the places stand in the caller's source, not what lies between. */
class IndexCalls {
  private readonly self: Tensor;
  private readonly written: readonly unknown[];
  private readonly index: WrittenIndex;

  constructor(self: Tensor, written: readonly unknown[], index: WrittenIndex) {
    this.self = self;
    this.written = written;
    this.index = index;
  }

  call(name: string, ...args: unknown[]): Tensor {
    return this.callWith(name, args, {});
  }

  /** A call with numbers that the index says. */
  callWith(name: string, args: readonly unknown[], numbers: Readonly<Record<string, IndexNumber>>): Tensor {
    const written = [args[0] === this.self ? this.self : undefined, ...this.written];
    return callByName(name, args, { args: written, index: this.index, numbers }) as Tensor;
  }

  /** `x[i]` and `x[tensor of one integer]`. */
  select(view: Tensor, dim: number, index: unknown, place: number): Tensor {
    return this.callWith("select", [view, dim, index], { index: { place, part: "index" } });
  }

  /** `x[start:stop:step]`. */
  slice(view: Tensor, dim: number, { start, stop, step }: Slice, place: number): Tensor {
    return this.callWith("slice", [view, dim, start ?? 0, stop ?? END, step], {
      start: { place, part: "start" },
      end: { place, part: "stop" },
      step: { place, part: "step" },
    });
  }
}

function isMask(tensor: Tensor): boolean {
  return tensor.dtype === DTYPES.bool || tensor.dtype === DTYPES.uint8;
}

/** Dimensions that a place of an index takes. */
function dimensionsOf(place: Index): number {
  if (place === null || place === "..." || typeof place === "boolean") return 0;
  return place instanceof Tensor && isMask(place) ? place.ndim : 1;
}

function checkPlace(place: unknown): asserts place is Index {
  if (place === null || place === "..." || typeof place === "boolean" || isInt(place)) return;
  if (isSlice(place) || place instanceof Tensor || Array.isArray(place)) return;
  const got = place === undefined ? "undefined" : typeof place === "object" ? "an object" : JSON.stringify(place);
  throw new OperatorError(
    `Cannot index a tensor with ${got}: expected an int, torch.slice(start, stop), "...", null, a boolean, a tensor or an array of indices`,
  );
}

interface Sliced {
  readonly view: Tensor;
  /** The tensors of an index by dimension of the view; null where a dimension is whole. */
  readonly tensors: (Tensor | null)[];
}

function applySlicing(self: Tensor, index: readonly Index[], calls: IndexCalls): Sliced {
  for (const place of index) checkPlace(place);
  const specified = index.reduce<number>((sum, place) => sum + dimensionsOf(place), 0);
  if (index.filter((place) => place === "...").length > 1)
    throw new OperatorError('an index can only have a single ellipsis ("...")');
  if (specified > self.ndim) throw new OperatorError(`too many indices for tensor of dimension ${self.ndim}`);
  let view = self;
  let dim = 0;
  // a mask takes one place of the operator's list, whatever its dimensions
  let at = 0;
  const tensors: (Tensor | null)[] = [];
  const putTensor = (tensor: Tensor): void => {
    while (tensors.length < at) tensors.push(null);
    tensors.push(tensor);
    at++;
  };
  const keep = (count: number): void => {
    dim += count;
    at += count;
  };
  for (const [i, place] of index.entries()) {
    if (isInt(place)) view = calls.select(view, dim, place, i);
    else if (isSlice(place)) {
      if (place.start !== null || place.stop !== null || place.step !== 1 || isIntercepted())
        view = calls.slice(view, dim, place, i);
      keep(1);
    } else if (place === "...") keep(self.ndim - specified);
    else if (place === null) {
      view = calls.call("unsqueeze", view, dim);
      keep(1);
    } else if (typeof place === "boolean") {
      view = calls.call("unsqueeze", view, dim);
      putTensor(tensorFromNested([place], DTYPES.bool));
      dim++;
    } else {
      const tensor = indexTensorOf(place as Tensor | readonly NestedData[], calls);
      if (tensor.ndim > 0) {
        putTensor(tensor);
        dim += dimensionsOf(tensor);
      } else if (isMask(tensor)) {
        view = calls.call("unsqueeze", view, dim);
        putTensor(tensor);
        dim++;
      } else view = calls.select(view, dim, onlyElement(tensor), i);
    }
  }
  return { view, tensors };
}

/** An empty array indexes nothing: its elements count as ints. */
function indexTensorOf(place: Tensor | readonly NestedData[], calls: IndexCalls): Tensor {
  if (place instanceof Tensor) return place;
  const tensor = tensorFromNested(place, place.length === 0 ? DTYPES.int64 : undefined);
  // Python's list becomes a tensor by a conversion, which a trace shows
  return isIntercepted() ? calls.call("to", tensor, CPU, tensor.dtype, false, false, null) : tensor;
}

/** The part of a tensor at an index. Throws OperatorError where the index does not fit. */
export function indexTensor(self: Tensor, index: readonly Index[]): Tensor {
  const calls = new IndexCalls(self, index, { isArray: false, places: index });
  const { view, tensors } = applySlicing(self, index, calls);
  if (tensors.length > 0) return calls.call("index", view, tensors);
  // Python gives a new tensor object for x[...] too
  return view === self ? calls.call("alias", self) : view;
}

/** Writes the part of a tensor at an index. Throws OperatorError where index or value do not fit. */
export function assignTensor(
  self: Tensor,
  index: readonly Index[],
  value: Tensor | Scalar | readonly NestedData[],
): void {
  const calls = new IndexCalls(self, [index, value], { isArray: true, places: index });
  const { view, tensors } = applySlicing(self, index, calls);
  const isNumber =
    typeof value === "number" ||
    typeof value === "bigint" ||
    typeof value === "boolean" ||
    value instanceof Float ||
    value instanceof Complex;
  const source =
    value instanceof Tensor ? value : isNumber ? numberTensor(value, self.dtype) : tensorFromNested(value, self.dtype);
  if (tensors.length > 0) calls.call("index_put_", view, tensors, withoutLeadingOnes(source, calls));
  else if (sameSizes(view.sizes, source.sizes)) calls.call("copy_", view, source);
  else if (source.ndim === 0) calls.call("fill_", view, source);
  else calls.call("copy_", view, calls.call("expand", withoutLeadingOnes(source, calls), view.sizes));
}

function numberTensor(value: Scalar, dtype: DType): Tensor {
  if (value instanceof Complex && dtype.category !== "complex")
    throw new OperatorError(`value cannot be converted to type ${dtype.name} without overflow`);
  return scalarTensor(value instanceof Float ? value.value : value, dtype);
}

/** Python lets a value have more dimensions than the place it is written to, as long as those are of size 1. */
function withoutLeadingOnes(value: Tensor, calls: IndexCalls): Tensor {
  let extra = 0;
  while (extra < value.ndim && value.sizes[extra] === 1) extra++;
  return extra === 0 ? value : calls.call("view", value, value.sizes.slice(extra));
}
