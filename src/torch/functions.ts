/** @file Functions of `torch` that Python itself writes over the operators, or whose arguments are no plain operator's. Upstream: torch/functional.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import type { Layout } from "../tensor/format_names.ts";
import type { Generator } from "../tensor/generator.ts";
import type { Int, Scalar } from "../tensor/scalar.ts";
import { Device, Tensor } from "../tensor/tensor.ts";
import type { NormOptions, UniqueOptions } from "../tensor/tensor_api.ts";
import { callByName } from "./eager_call.ts";

/** Options of the creation functions. */
export interface TensorOptions {
  /** The default dtype, or what the values say, where left out. */
  readonly dtype?: DType | null;
  /** `"cpu"` where left out. */
  readonly device?: Device | string | null;
  /** `torch.strided` where left out. */
  readonly layout?: Layout | null;
  /** Whether training changes the tensor; false where left out. */
  readonly requires_grad?: boolean;
  /** Taken and ignored, as there is no pinned memory. */
  readonly pin_memory?: boolean | null;
}

/** Options of the creation functions that write into a tensor. */
export interface OutOptions extends TensorOptions {
  /** The tensor that gets the result. */
  readonly out?: Tensor;
}

/** Options of random creation functions. */
export interface RandomOptions extends OutOptions {
  /** The stream of random bits; the default one where left out. */
  readonly generator?: Generator | null;
}

const one = (name: string, ...args: unknown[]): Tensor => callByName(name, args) as Tensor;
const many = (name: string, ...args: unknown[]): Tensor[] => callByName(name, args) as Tensor[];

/** Splits arguments into tensors, given one by one or as an array, and a trailing options object. */
function tensorsAndOptions<O extends object>(args: readonly unknown[]): [Tensor[], O] {
  const last = args.at(-1);
  const hasOptions = typeof last === "object" && last !== null && !(last instanceof Tensor) && !Array.isArray(last);
  const given = hasOptions ? args.slice(0, -1) : args;
  const tensors = given.length === 1 && Array.isArray(given[0]) ? (given[0] as Tensor[]) : (given as Tensor[]);
  return [tensors, (hasOptions ? last : {}) as O];
}

/** Sizes given one by one or as an array, and a trailing options object. */
export function sizesAndOptions(args: readonly unknown[]): [readonly Int[], object] {
  const last = args.at(-1);
  const hasOptions = typeof last === "object" && last !== null && !Array.isArray(last);
  const given = hasOptions ? args.slice(0, -1) : args;
  const sizes = Array.isArray(given[0]) ? (given[0] as Int[]) : (given as Int[]);
  return [sizes, hasOptions ? last : {}];
}

/** Sums products of the operands' elements as the equation says. Mirrors `torch.einsum`. */
export function einsum(equation: string, ...operands: readonly (Tensor | readonly Tensor[])[]): Tensor {
  return one("einsum", equation, tensorsAndOptions(operands)[0]);
}

/** Coordinate grids of 1-d tensors. Mirrors `torch.meshgrid`; its indexing is "ij" where none is given. */
export function meshgrid(...args: readonly (Tensor | readonly Tensor[] | { indexing?: "ij" | "xy" })[]): Tensor[] {
  const [tensors, { indexing }] = tensorsAndOptions<{ indexing?: string }>(args);
  return indexing === undefined ? many("meshgrid", tensors) : many("meshgrid", tensors, { indexing });
}

/** Every combination of the elements of 1-d tensors, one a row. Mirrors `torch.cartesian_prod`. */
export function cartesianProd(...tensors: readonly (Tensor | readonly Tensor[])[]): Tensor {
  return one("cartesian_prod", tensorsAndOptions(tensors)[0]);
}

/** A matrix with the given ones along its diagonal. Mirrors `torch.block_diag`. */
export function blockDiag(...tensors: readonly (Tensor | readonly Tensor[])[]): Tensor {
  return one("block_diag", tensorsAndOptions(tensors)[0]);
}

/** The tensors expanded to their common shape: views. Mirrors `torch.broadcast_tensors`. */
export function broadcastTensors(...tensors: readonly (Tensor | readonly Tensor[])[]): Tensor[] {
  return many("broadcast_tensors", tensorsAndOptions(tensors)[0]);
}

/** The common shape of shapes. Mirrors `torch.broadcast_shapes`. Throws OperatorError where there is none. */
export function broadcastShapes(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    shape.forEach((size, i) => {
      const at = rank - shape.length + i;
      if (size !== 1 && result[at] !== 1 && result[at] !== size)
        throw new OperatorError(
          `Shape mismatch: objects cannot be broadcast to a single shape: [${shape.join(", ")}] has ${size} at dimension ${at}, expected ${result[at]}`,
        );
      if (size !== 1) result[at] = size;
    });
  }
  return result;
}

/**
 * Sums products over dimensions: the last `dims` of `a` with the first of `b`, or the two lists of dimensions.
 * Mirrors `torch.tensordot`.
 */
export function tensordot(
  a: Tensor,
  b: Tensor,
  options?: { dims?: number | readonly [readonly number[], readonly number[]] } | number,
): Tensor {
  const dims = (typeof options === "number" ? options : options?.dims) ?? 2;
  if (typeof dims !== "number") return one("tensordot", a, b, dims[0], dims[1]);
  if (dims < 0) throw new OperatorError(`tensordot expects dims >= 0, but got dims=${dims}`);
  if (dims > Math.min(a.ndim, b.ndim))
    throw new OperatorError(`tensordot expects dims < ndim_a or ndim_b, but got dims=${dims}`);
  const count = Array.from({ length: dims }, (_, i) => i);
  return one(
    "tensordot",
    a,
    b,
    count.map((i) => i - dims),
    count,
  );
}

/** The distinct elements, and what the options ask for: one tensor, or several in the order (values, inverse, counts). */
export function unique(self: Tensor, options?: UniqueOptions): Tensor | Tensor[] {
  const { sorted = true, return_inverse: inverse = false, return_counts: counts = false, dim = null } = options ?? {};
  const results =
    dim === null
      ? many("_unique2", self, sorted, inverse, counts)
      : many("unique_dim", self, dim, sorted, inverse, counts);
  return chosen(results, inverse, counts);
}

/** The elements without repetitions that follow each other. Mirrors `torch.unique_consecutive`. */
export function uniqueConsecutive(self: Tensor, options?: UniqueOptions): Tensor | Tensor[] {
  const { return_inverse: inverse = false, return_counts: counts = false, dim = null } = options ?? {};
  return chosen(many("unique_consecutive", self, inverse, counts, dim), inverse, counts);
}

function chosen(results: readonly Tensor[], inverse: boolean, counts: boolean): Tensor | Tensor[] {
  if (!inverse && !counts) return results[0]!;
  return [results[0]!, ...(inverse ? [results[1]!] : []), ...(counts ? [results[2]!] : [])];
}

/** A norm: Frobenius where `p` is left out. Mirrors `torch.norm`. */
export function norm(
  self: Tensor,
  p: NormOptions["p"] | NormOptions = "fro",
  dim: NormOptions["dim"] = null,
  keepdim = false,
  dtype: DType | null = null,
): Tensor {
  if (typeof p === "object" && p !== null && Object.getPrototypeOf(p) === Object.prototype) {
    const options = p as NormOptions;
    return norm(self, options.p ?? "fro", options.dim ?? null, options.keepdim ?? false, options.dtype ?? null);
  }
  const order = p as Scalar | string | null;
  const dims = dim === null ? null : typeof dim === "object" ? dim : [dim];
  if (order === "nuc") {
    if (dims === null || dims.length === 2)
      return one("linalg_matrix_norm", self, "nuc", dims ?? [-2, -1], keepdim, { dtype });
    throw new OperatorError(`norm: the nuclear norm reduces 2 dimensions, but got ${dims.length}`);
  }
  return one("linalg_vector_norm", self, order === "fro" || order === null ? 2 : order, dims, keepdim, { dtype });
}

/** See `torch.sizeText`. */
export function sizeText(sizes: readonly number[]): string {
  return `torch.Size([${sizes.join(", ")}])`;
}

/** Whether a value is a tensor. Mirrors `torch.is_tensor`. */
export function isTensor(value: unknown): value is Tensor {
  return value instanceof Tensor;
}

/** dtypes by PyTorch's short names. */
export const DTYPE_ALIASES = {
  /** Another name of float32. */
  float: DTYPES.float32,
  /** Another name of float64. */
  double: DTYPES.float64,
  /** Another name of float16. */
  half: DTYPES.float16,
  /** Another name of int64. */
  long: DTYPES.int64,
  /** Another name of int32. */
  int: DTYPES.int32,
  /** Another name of int16. */
  short: DTYPES.int16,
  /** Another name of complex64. */
  cfloat: DTYPES.complex64,
  /** Another name of complex128. */
  cdouble: DTYPES.complex128,
  /** Another name of complex32. */
  chalf: DTYPES.complex32,
} as const;
