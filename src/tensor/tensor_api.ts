/** @file TensorApi: the methods of Tensor that are written by hand, and all of its methods together. Upstream: torch/_tensor.py, torch/csrc/autograd/python_variable.cpp. Spec: none. */
/// <reference lib="esnext.disposable" />
import type { TensorData } from "./data.ts";
import type { DType } from "./dtype.ts";
import type { Layout, MemoryFormat } from "./format_names.ts";
import type { TensorMethods } from "./generated/tensor_methods.ts";
import type { Complex, Int, Scalar } from "./scalar.ts";
import type { Tensor } from "./tensor.ts";

/** Numbers, booleans or complex numbers, nested to any depth. */
export type NestedData = number | bigint | boolean | Complex | readonly NestedData[];

/** Typed arrays that have a dtype. */
export type TypedData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** `start:stop:step` of an index; made by `torch.slice`. */
export interface Slice {
  /** Tells slices from other objects. */
  readonly kind: "slice";
  /** First index; null where it is left out. */
  readonly start: Int | null;
  /** Index behind the last; null where it is left out. */
  readonly stop: Int | null;
  /** Distance, at least 1. */
  readonly step: Int;
}

/**
 * One place of an index, as between Python's brackets: an int, a slice, `"..."` (all dimensions between), null (a new dimension),
 * a boolean, a tensor of indices or of booleans, or nested arrays of indices.
 */
export type Index = Int | boolean | null | "..." | Slice | Tensor | readonly NestedData[];

/** Options of the conversions `x.float()`, `x.long()`. */
export interface ConversionOptions {
  /** Order of the result's elements in memory. */
  readonly memory_format?: MemoryFormat;
}

/** Methods and properties of Tensor that are no plain operators. */
export interface TensorApi extends TensorMethods {
  /** Matrix transpose of a 2-d tensor; all dimensions reversed. Mirrors `Tensor.T`. */
  readonly T: Tensor;
  /** The last two dimensions swapped. Mirrors `Tensor.mT`. */
  readonly mT: Tensor;
  /** Conjugate transpose of a 2-d tensor. Mirrors `Tensor.H`. */
  readonly H: Tensor;
  /** Conjugate, the last two dimensions swapped. Mirrors `Tensor.mH`. */
  readonly mH: Tensor;
  /** The real parts: a view; the tensor itself where it is real. Mirrors `Tensor.real`. */
  readonly real: Tensor;
  /** The imaginary parts: a view. Throws OperatorError where the tensor is real. Mirrors `Tensor.imag`. */
  readonly imag: Tensor;
  /** Whether training changes the tensor. Mirrors `Tensor.requires_grad`. */
  requires_grad: boolean;
  /** The gradient; null, as long as none was computed. */
  readonly grad: Tensor | null;
  /** Whether the tensor was not made by a recorded operation. */
  readonly is_leaf: boolean;
  /** Which result of its operation the tensor is. */
  readonly output_nr: number;
  /** Whether the gradient of a tensor that is no leaf is kept. */
  readonly retains_grad: boolean;
  /** How often the elements were written in place. */
  readonly _version: number;
  /** Dense or a sparse layout. Mirrors `Tensor.layout`. */
  readonly layout: Layout;
  /** Bytes of one element. */
  readonly itemsize: number;
  /** Bytes of all elements. */
  readonly nbytes: number;
  /** Whether the tensor lies on the CPU. */
  readonly is_cpu: boolean;
  /** Whether the tensor lies on a CUDA device: never here, but archives name such devices. */
  readonly is_cuda: boolean;
  /** Whether the tensor has no data. */
  readonly is_meta: boolean;
  /** Whether the tensor is sparse in coordinate layout. */
  readonly is_sparse: boolean;
  /** Whether the elements are quantized. */
  readonly is_quantized: boolean;

  /** PyTorch's text, `tensor([[1., 2.]])`. Follows `torch.setPrintoptions`. */
  toString(): string;
  /** What `JSON.stringify` writes: nested arrays; complex numbers as pairs; ints beyond 2^53 as text. */
  toJSON(): unknown;
  /** Nested arrays of numbers, booleans, bigints (int64 beyond 2^53) or Complex; a plain value for a zero-dim tensor. */
  tolist(): NestedData;
  /**
   * The one element: a number, or what the dtype has (a boolean, a Complex, a bigint beyond 2^53: `item<bigint>()`).
   * Throws OperatorError where there is not exactly one.
   */
  item<T extends number | bigint | boolean | Complex = number>(): T;
  /** The elements, row-major, in a typed array (float16 and bfloat16 as float32, complex as pairs). A view where the tensor is contiguous. */
  data(): TensorData;

  /** The part at an index: `x.at(0, torch.slice(1, 3))` is Python's `x[0, 1:3]`. A view unless a place is a tensor. */
  at(...index: Index[]): Tensor;
  /** The part at ints: `x.get(0, -1)` is Python's `x[0, -1]`. A view. */
  get(...index: Int[]): Tensor;
  /** Writes a part: `x.set([0, torch.slice(1, 3)], value)` is Python's `x[0, 1:3] = value`. Returns the tensor. */
  set(index: readonly Index[] | Index, value: Tensor | Scalar | readonly NestedData[]): this;
  /** The tensors along dimension 0. Throws OperatorError for a zero-dim tensor. */
  [Symbol.iterator](): IterableIterator<Tensor>;

  /** Gives the memory back at once, of all views that share it too: `using x = ...` calls it. Using the tensor afterwards throws. */
  dispose(): void;
  /** As `dispose`: what `using` calls. */
  [Symbol.dispose](): void;
  /** Whether the memory was given back. */
  readonly isDisposed: boolean;
  /** Text where JavaScript wants text. Throws TypeError in arithmetic and comparisons, which JavaScript cannot overload. */
  [Symbol.toPrimitive](hint: string): string;

  /** A norm: Frobenius where `p` is left out. Mirrors `Tensor.norm`. */
  norm(
    p?: Scalar | "fro" | "nuc" | null | NormOptions,
    dim?: Int | readonly Int[] | null,
    keepdim?: boolean,
    dtype?: DType | null,
  ): Tensor;
  /** The elements without repetitions that follow each other. Mirrors `Tensor.unique_consecutive`. */
  unique_consecutive(options?: UniqueOptions & { return_inverse?: false; return_counts?: false }): Tensor;
  /** The elements without repetitions that follow each other, and what the options ask for. */
  unique_consecutive(options: UniqueOptions): Tensor | Tensor[];
  /** `aten::where.self(Tensor condition, Tensor self, Tensor other) -> Tensor`: this tensor where the condition holds. */
  where(condition: Tensor, other: Tensor | Scalar): Tensor;
  /** `aten::polygamma(int n, Tensor self) -> Tensor`: the n-th derivative of the digamma function. */
  polygamma(n: Int): Tensor;
  /** Elements: the product of the sizes. Mirrors `Tensor.nelement`. */
  nelement(): number;
  /** Number of dimensions. Mirrors `Tensor.ndimension`. */
  ndimension(): number;
  /** PyTorch's name of the tensor's type, `torch.FloatTensor`. */
  type(): string;
  /** A tensor of the given dtype. Mirrors `Tensor.type(dtype)`. */
  type(dtype: DType): Tensor;
  /** A tensor of nested arrays, with this tensor's dtype where none is given. Mirrors `Tensor.new_tensor`. */
  new_tensor(data: NestedData, options?: { dtype?: DType; requires_grad?: boolean }): Tensor;
  /** The distinct elements, sorted. Mirrors `Tensor.unique`. */
  unique(options?: UniqueOptions & { return_inverse?: false; return_counts?: false }): Tensor;
  /** The distinct elements, and what the options ask for. */
  unique(options: UniqueOptions): Tensor | Tensor[];

  /** As float32. */
  float(options?: ConversionOptions): Tensor;
  /** As float64. */
  double(options?: ConversionOptions): Tensor;
  /** As float16. */
  half(options?: ConversionOptions): Tensor;
  /** As bfloat16. */
  bfloat16(options?: ConversionOptions): Tensor;
  /** As int64. */
  long(options?: ConversionOptions): Tensor;
  /** As int32. */
  int(options?: ConversionOptions): Tensor;
  /** As int16. */
  short(options?: ConversionOptions): Tensor;
  /** As int8. */
  char(options?: ConversionOptions): Tensor;
  /** As uint8. */
  byte(options?: ConversionOptions): Tensor;
  /** As bool. */
  bool(options?: ConversionOptions): Tensor;
  /** As complex64. */
  cfloat(options?: ConversionOptions): Tensor;
  /** As complex128. */
  cdouble(options?: ConversionOptions): Tensor;
}

/** Options of `unique`. */
export interface UniqueOptions {
  /** Sort the result; true where left out. */
  readonly sorted?: boolean;
  /** Also the place of every element in the result. */
  readonly return_inverse?: boolean;
  /** Also how often each occurs. */
  readonly return_counts?: boolean;
  /** Distinct slices along a dimension instead of elements. */
  readonly dim?: Int | null;
}

/** Options of `norm`. */
export interface NormOptions {
  /** The order: a number, `"fro"` or `"nuc"`. */
  readonly p?: Scalar | "fro" | "nuc" | null;
  /** Dimensions that are reduced; all where left out. */
  readonly dim?: Int | readonly Int[] | null;
  /** Keep the reduced dimensions with size 1. */
  readonly keepdim?: boolean;
  /** Dtype of the result. */
  readonly dtype?: DType | null;
}
