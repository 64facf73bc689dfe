/** @file The `torch` namespace: creation, random seed, dtypes, and every operator by name. Upstream: torch/functional.py, torch/_C/_VariableFunctions. Spec: none. */
import { findOperatorByKey } from "../core/operator_registry.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { Float } from "../tensor/scalar.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { callByName } from "./eager_call.ts";
import {
  flatValues,
  tensorFromBytes,
  tensorFromNested,
  tensorFromTyped,
  type NestedData,
  type TypedData,
} from "./tensor_data.ts";

/** Options of the creation functions. */
export interface TensorOptions {
  readonly dtype?: DType;
  readonly device?: string;
}

function create(name: string, args: readonly unknown[], options: TensorOptions): Tensor {
  return callByName(name, [...args, { ...options }]) as Tensor;
}

/** PyTorch's functions under their own names. `torch.call(name, ...)` reaches every operator. */
export const torch = {
  ...DTYPES,
  float: DTYPES.float32,
  double: DTYPES.float64,
  half: DTYPES.float16,
  long: DTYPES.int64,
  int: DTYPES.int32,
  short: DTYPES.int16,
  /** A tensor of nested arrays or numbers, copied. Mirrors `torch.tensor`; whole numbers make int64. */
  tensor(data: NestedData, options: TensorOptions = {}): Tensor {
    return tensorFromNested(data, options.dtype);
  },
  /** A tensor with a copy of a typed array; shape (N,) where none is given. */
  from(data: TypedData, shape?: readonly number[]): Tensor {
    return tensorFromTyped(data, shape);
  },
  /** A tensor of little-endian bytes, copied. */
  fromBytes(bytes: Uint8Array, shape: readonly number[], dtype: DType): Tensor {
    return tensorFromBytes(bytes, shape, dtype);
  },
  /** The elements, row-major; complex ones as pairs, int64 beyond 2^53 as bigints. */
  flatValues(tensor: Tensor): ArrayLike<number | bigint> {
    return flatValues(tensor);
  },
  zeros(size: readonly number[], options: TensorOptions = {}): Tensor {
    return create("zeros", [size], options);
  },
  ones(size: readonly number[], options: TensorOptions = {}): Tensor {
    return create("ones", [size], options);
  },
  full(size: readonly number[], value: number | bigint | boolean | Float, options: TensorOptions = {}): Tensor {
    return create("full", [size, value], options);
  },
  /** Integers from `start` (0) to before `end`, by `step`; float32 where a bound has a fraction. */
  arange(start: number, end?: number, step?: number, options: TensorOptions = {}): Tensor {
    return create(
      "arange",
      end === undefined ? [start] : step === undefined ? [start, end] : [start, end, step],
      options,
    );
  },
  /** Uniform in [0, 1): PyTorch's numbers for the same seed. */
  rand(size: readonly number[], options: TensorOptions = {}): Tensor {
    return create("rand", [size], options);
  },
  /** Standard normal: PyTorch's numbers for the same seed. */
  randn(size: readonly number[], options: TensorOptions = {}): Tensor {
    return create("randn", [size], options);
  },
  /** Seeds the default generator. Mirrors `torch.manual_seed`. */
  manualSeed(seed: number | bigint): void {
    findOperatorByKey("aten::manual_seed")!.kernel(...([seed] as never[]));
  },
  /** Calls any operator: `torch.call("softmax", x, -1)`. Positional arguments, then an object of keyword arguments. */
  call(name: string, ...args: unknown[]): unknown {
    return callByName(name, args);
  },
  /** Says that a whole number is a float where the type is open: `torch.call("add", ints, torch.asFloat(1))`. */
  asFloat(value: number): Float {
    return new Float(value);
  },
};
