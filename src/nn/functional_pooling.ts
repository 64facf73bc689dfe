/** @file Functional pooling. Upstream: torch/nn/functional.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { Float } from "../tensor/scalar.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { aten, atenMany, float, repeatSize, type Size } from "./aten.ts";
import { relu } from "./functional_activation.ts";
import { sizesOf, type Dim } from "./sizes.ts";

/** Options of max pooling. */
export interface MaxPoolFunctionOptions {
  /** The kernel's size where left out. */
  readonly stride?: Size | null;
  /** What is added around the input. */
  readonly padding?: Size;
  /** Distance between the elements that the kernel takes. */
  readonly dilation?: Size;
  /** Round the output size up instead of down. */
  readonly ceilMode?: boolean;
}

function poolArguments(n: number, kernelSize: Size, options: MaxPoolFunctionOptions): unknown[] {
  const { stride = null, padding = 0, dilation = 1, ceilMode = false } = options;
  return [
    repeatSize(kernelSize, n),
    // as PyTorch writes it: an empty list is the kernel's size
    stride === null ? [] : repeatSize(stride, n),
    repeatSize(padding, n),
    repeatSize(dilation, n),
    ceilMode,
  ];
}

const maxPool =
  (n: number) =>
  (input: Tensor, kernelSize: Size, options: MaxPoolFunctionOptions = {}): Tensor =>
    aten(`max_pool${n}d`, input, ...poolArguments(n, kernelSize, options));

const maxPoolWithIndices =
  (n: number) =>
  (input: Tensor, kernelSize: Size, options: MaxPoolFunctionOptions = {}): [values: Tensor, indices: Tensor] =>
    atenMany(
      n === 1 ? "max_pool1d_with_indices" : `max_pool${n}d_with_indices`,
      input,
      ...poolArguments(n, kernelSize, options),
    ) as [Tensor, Tensor];

/** Maxima over windows of (N, C, L). */
export const max_pool1d = maxPool(1);
/** Maxima over windows of (N, C, H, W). */
export const max_pool2d = maxPool(2);
/** Maxima over windows of (N, C, D, H, W). */
export const max_pool3d = maxPool(3);
/** `max_pool1d` and where the maxima are. */
export const max_pool1d_with_indices = maxPoolWithIndices(1);
/** `max_pool2d` and where the maxima are. */
export const max_pool2d_with_indices = maxPoolWithIndices(2);
/** `max_pool3d` and where the maxima are. */
export const max_pool3d_with_indices = maxPoolWithIndices(3);

/** Options of max_unpool. */
export interface MaxUnpoolFunctionOptions {
  /** Distance between the places of the window. */
  readonly stride?: Size | null;
  /** What is added around the input. */
  readonly padding?: Size;
  /** Size of the output in each dimension. */
  readonly outputSize?: readonly number[] | null;
}

function unpoolSize(n: number, input: Tensor, kernelSize: Size, options: MaxUnpoolFunctionOptions): readonly number[] {
  const kernel = repeatSize(kernelSize, n);
  const stride = repeatSize(options.stride ?? kernelSize, n);
  const padding = repeatSize(options.padding ?? 0, n);
  const natural = kernel.map((k, d) => (input.sizes[input.ndim - n + d]! - 1) * stride[d]! + k - 2 * padding[d]!);
  let wanted = options.outputSize ?? null;
  if (wanted === null) return natural;
  if (wanted.length === n + 2) wanted = wanted.slice(2);
  if (wanted.length !== n)
    throw new OperatorError(
      `output_size should be a sequence containing ${n} or ${n + 2} elements, but it has a length of '${wanted.length}'`,
    );
  wanted.forEach((size, d) => {
    const low = natural[d]! - stride[d]!;
    const high = natural[d]! + stride[d]!;
    if (!(low < size && size < high))
      throw new OperatorError(
        `invalid output_size "[${wanted.join(", ")}]" (dim ${d} must be between ${low} and ${high})`,
      );
  });
  return wanted;
}

/** Puts maxima back where they were, zeros elsewhere: (N, C, L). */
export function max_unpool1d(
  input: Tensor,
  indices: Tensor,
  kernelSize: Size,
  options: MaxUnpoolFunctionOptions = {},
): Tensor {
  const size = [...unpoolSize(1, input, kernelSize, options), 1];
  return aten("squeeze", aten("max_unpool2d", aten("unsqueeze", input, -1), aten("unsqueeze", indices, -1), size), -1);
}

/** Puts maxima back where they were, zeros elsewhere: (N, C, H, W). */
export function max_unpool2d(
  input: Tensor,
  indices: Tensor,
  kernelSize: Size,
  options: MaxUnpoolFunctionOptions = {},
): Tensor {
  return aten("max_unpool2d", input, indices, unpoolSize(2, input, kernelSize, options));
}

/** Puts maxima back where they were, zeros elsewhere: (N, C, D, H, W). */
export function max_unpool3d(
  input: Tensor,
  indices: Tensor,
  kernelSize: Size,
  options: MaxUnpoolFunctionOptions = {},
): Tensor {
  const stride = repeatSize(options.stride ?? kernelSize, 3);
  return aten(
    "max_unpool3d",
    input,
    indices,
    unpoolSize(3, input, kernelSize, options),
    stride,
    repeatSize(options.padding ?? 0, 3),
  );
}

/** Options of average pooling. */
export interface AvgPoolFunctionOptions {
  /** Distance between the places of the window. */
  readonly stride?: Size | null;
  /** What is added around the input. */
  readonly padding?: Size;
  /** Round the output size up instead of down. */
  readonly ceilMode?: boolean;
  /** Whether padding counts in the mean; true where left out. */
  readonly countIncludePad?: boolean;
  /** Divides by this instead of the window's size; not in one dimension. */
  readonly divisorOverride?: number | null;
}

const avgPool = (n: number) =>
  function avgPoolNd(input: Tensor, kernelSize: Size, options: AvgPoolFunctionOptions = {}): Tensor {
    const { stride = null, padding = 0, ceilMode = false, countIncludePad = true, divisorOverride = null } = options;
    const args = [
      repeatSize(kernelSize, n),
      stride === null ? [] : repeatSize(stride, n),
      repeatSize(padding, n),
      ceilMode,
      countIncludePad,
    ];
    return aten(`avg_pool${n}d`, input, ...args, ...(n === 1 ? [] : [divisorOverride]));
  };

/** Means over windows of (N, C, L). */
export const avg_pool1d = avgPool(1);
/** Means over windows of (N, C, H, W). */
export const avg_pool2d = avgPool(2);
/** Means over windows of (N, C, D, H, W). */
export const avg_pool3d = avgPool(3);

/** Options of power-average pooling. */
export interface LPPoolFunctionOptions {
  /** Distance between the places of the window. */
  readonly stride?: Size | null;
  /** Round the output size up instead of down. */
  readonly ceilMode?: boolean;
}

const lpPool =
  (n: number) =>
  (input: Tensor, normType: number | Float, kernelSize: Size, options: LPPoolFunctionOptions = {}): Tensor => {
    const kernel = repeatSize(kernelSize, n);
    const { stride = null, ceilMode = false } = options;
    const pool = { stride, ceilMode };
    if (normType === Infinity) return maxPool(n)(aten("abs", input), kernel, pool);
    if (normType === -Infinity) return aten("neg", maxPool(n)(aten("neg", aten("abs", input)), kernel, pool));
    const out = avgPool(n)(aten("pow", input, normType), kernel, pool);
    const count = kernel.reduce((product, size) => product * size, 1);
    return aten(
      "pow",
      aten("mul", aten("mul", aten("sign", out), relu(aten("abs", out))), count),
      float(1 / (normType instanceof Float ? normType.value : normType)),
    );
  };

/** Power averages over windows of (N, C, L). */
export const lp_pool1d = lpPool(1);
/** Power averages over windows of (N, C, H, W). */
export const lp_pool2d = lpPool(2);
/** Power averages over windows of (N, C, D, H, W). */
export const lp_pool3d = lpPool(3);

/** An output size per dimension; null keeps the input's. */
export type AdaptiveSize = number | null | readonly (number | null)[];

/** An adaptive size with the input's own sizes where null. */
function fullSize(n: number, input: Tensor, size: AdaptiveSize): readonly Dim[] {
  // one dimension is built into PyTorch and reads nothing
  const sizes = n === 1 ? input.sizes : sizesOf(input);
  const given = Array.isArray(size)
    ? (size as readonly (number | null)[])
    : new Array<number | null>(n).fill(size as number | null);
  if (given.length > input.ndim) throw new OperatorError(`Input dimension should be at least ${given.length + 1}`);
  return given.map((value, d) => value ?? sizes[input.ndim - n + d]!);
}

const adaptiveAvgPool =
  (n: number) =>
  (input: Tensor, outputSize: AdaptiveSize): Tensor =>
    aten(`adaptive_avg_pool${n}d`, input, fullSize(n, input, outputSize));
const adaptiveMaxPool =
  (n: number) =>
  (input: Tensor, outputSize: AdaptiveSize): [values: Tensor, indices: Tensor] =>
    atenMany(`adaptive_max_pool${n}d`, input, fullSize(n, input, outputSize)) as [Tensor, Tensor];

/** Means over as many windows of (N, C, L) as asked for. */
export const adaptive_avg_pool1d = adaptiveAvgPool(1);
/** Means over as many windows of (N, C, H, W) as asked for. */
export const adaptive_avg_pool2d = adaptiveAvgPool(2);
/** Means over as many windows of (N, C, D, H, W) as asked for. */
export const adaptive_avg_pool3d = adaptiveAvgPool(3);
/** Maxima over as many windows of (N, C, L) as asked for, and where they are. */
export const adaptive_max_pool1d_with_indices = adaptiveMaxPool(1);
/** Maxima over as many windows of (N, C, H, W) as asked for, and where they are. */
export const adaptive_max_pool2d_with_indices = adaptiveMaxPool(2);
/** Maxima over as many windows of (N, C, D, H, W) as asked for, and where they are. */
export const adaptive_max_pool3d_with_indices = adaptiveMaxPool(3);
/** Maxima over as many windows of (N, C, L) as asked for. */
export const adaptive_max_pool1d = (input: Tensor, outputSize: AdaptiveSize): Tensor =>
  adaptive_max_pool1d_with_indices(input, outputSize)[0];
/** Maxima over as many windows of (N, C, H, W) as asked for. */
export const adaptive_max_pool2d = (input: Tensor, outputSize: AdaptiveSize): Tensor =>
  adaptive_max_pool2d_with_indices(input, outputSize)[0];
/** Maxima over as many windows of (N, C, D, H, W) as asked for. */
export const adaptive_max_pool3d = (input: Tensor, outputSize: AdaptiveSize): Tensor =>
  adaptive_max_pool3d_with_indices(input, outputSize)[0];

/** Options of fractional max pooling: one of the sizes or ratios of the output. */
export interface FractionalPoolFunctionOptions {
  /** Size of the output in each dimension. */
  readonly outputSize?: Size | null;
  /** Size of the output in relation to the input. */
  readonly outputRatio?: Size | null;
  /** Where the windows lie; drawn where left out. */
  readonly randomSamples?: Tensor | null;
}

const fractionalMaxPool =
  (n: 2 | 3) =>
  (input: Tensor, kernelSize: Size, options: FractionalPoolFunctionOptions = {}): [values: Tensor, indices: Tensor] => {
    const { outputSize = null, outputRatio = null } = options;
    if (outputSize === null && outputRatio === null)
      throw new OperatorError(`fractional_max_pool${n}d requires specifying either an output_size or an output_ratio`);
    const spatial = input.sizes.slice(-n);
    const ratios = outputRatio === null ? [] : repeatSize(outputRatio, n);
    const size =
      outputSize === null ? spatial.map((extent, d) => Math.trunc(extent * ratios[d]!)) : repeatSize(outputSize, n);
    const batch = input.ndim === n + 1 ? 1 : input.sizes[0]!;
    const samples =
      options.randomSamples ?? aten("rand", [batch, input.sizes[input.ndim - n - 1]!, n], { dtype: input.dtype });
    return atenMany(`fractional_max_pool${n}d`, input, repeatSize(kernelSize, n), size, samples) as [Tensor, Tensor];
  };

/** Maxima over windows of (N, C, H, W) at random places, and where they are. */
export const fractional_max_pool2d_with_indices = fractionalMaxPool(2);
/** Maxima over windows of (N, C, D, H, W) at random places, and where they are. */
export const fractional_max_pool3d_with_indices = fractionalMaxPool(3);
/** Maxima over windows of (N, C, H, W) at random places. */
export const fractional_max_pool2d = (
  input: Tensor,
  kernelSize: Size,
  options: FractionalPoolFunctionOptions = {},
): Tensor => fractional_max_pool2d_with_indices(input, kernelSize, options)[0];
/** Maxima over windows of (N, C, D, H, W) at random places. */
export const fractional_max_pool3d = (
  input: Tensor,
  kernelSize: Size,
  options: FractionalPoolFunctionOptions = {},
): Tensor => fractional_max_pool3d_with_indices(input, kernelSize, options)[0];
