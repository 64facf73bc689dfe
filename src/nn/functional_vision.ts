/** @file Functional padding, resampling, rearranging of pixels, distances. Upstream: torch/nn/functional.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { callOperator } from "../core/operator_registry.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { aten, repeatSize, type Size } from "./aten.ts";

/** What stands in the padding. */
export type PadMode = "constant" | "reflect" | "replicate" | "circular";

/** Pads from the last dimension on: `[left, right, top, bottom, ...]`. */
export function pad(
  input: Tensor,
  padding: readonly number[],
  mode: PadMode = "constant",
  value: number | null = null,
): Tensor {
  return aten("pad", input, padding, mode, value);
}

/** How `interpolate` computes values between elements. */
export type InterpolateMode = "nearest" | "nearest-exact" | "linear" | "bilinear" | "bicubic" | "trilinear" | "area";

/** Options of `interpolate`: one of `size` and `scaleFactor`. */
export interface InterpolateOptions {
  /** Size of the output, or of the neighbourhood. */
  readonly size?: Size | null;
  /** By how much each dimension grows. */
  readonly scaleFactor?: Size | null;
  /** Which way of computing, by PyTorch's name. */
  readonly mode?: InterpolateMode;
  /** Let the corners of input and output be the same points. */
  readonly alignCorners?: boolean | null;
  /** Compute the scale anew from the sizes. */
  readonly recomputeScaleFactor?: boolean | null;
  /** Filter before the size is reduced. */
  readonly antialias?: boolean;
}

const INTERPOLATED: Readonly<Partial<Record<InterpolateMode, number>>> = {
  linear: 1,
  bilinear: 2,
  bicubic: 2,
  trilinear: 3,
};
const NAMED: Readonly<Partial<Record<InterpolateMode, string>>> = {
  linear: "upsample_linear1d",
  bilinear: "upsample_bilinear2d",
  bicubic: "upsample_bicubic2d",
  trilinear: "upsample_trilinear3d",
};

/** Resizes the spatial dimensions of (N, C, ...). */
export function interpolate(input: Tensor, options: InterpolateOptions): Tensor {
  const { size = null, scaleFactor = null, mode = "nearest", antialias = false } = options;
  let recompute = options.recomputeScaleFactor ?? false;
  const n = input.ndim - 2;
  const spatial = input.sizes.slice(2);
  const exact = mode === "nearest" || mode === "nearest-exact";
  if ((exact || mode === "area") && (options.alignCorners ?? null) !== null) {
    throw new OperatorError(
      "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear",
    );
  }
  const alignCorners = options.alignCorners ?? false;
  if (size !== null && scaleFactor !== null)
    throw new OperatorError("only one of size or scale_factor should be defined");
  if (size === null && scaleFactor === null) throw new OperatorError("either size or scale_factor should be defined");
  const check = (what: string, given: readonly number[], names: string): void => {
    if (given.length === n) return;
    const tuple = given.length === 1 ? `(${given[0]!},)` : `(${given.join(", ")})`;
    throw new OperatorError(
      `Input and ${what} must have the same number of spatial dimensions, but got input with spatial dimensions of [${spatial.join(", ")}] and ${what === "output" ? "output size of" : "scale_factor of shape"} ${tuple}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and ${names} format.`,
    );
  };
  let outputSize = size === null ? null : repeatSize(size, n);
  let scales = scaleFactor === null ? null : repeatSize(scaleFactor, n);
  if (outputSize) check("output", outputSize, "output size in (o1, o2, ...,oK)");
  if (scales) check("scale_factor", scales, "scale_factor in (s1, s2, ...,sK)");
  if (recompute && size !== null)
    throw new OperatorError("recompute_scale_factor is not meaningful with an explicit size.");
  if (mode === "area" && outputSize === null) recompute = true;
  if (recompute) {
    outputSize = spatial.map((length, d) => Math.trunc(length * scales![d]!));
    scales = null;
  }
  if (antialias && !((mode === "bilinear" || mode === "bicubic") && input.ndim === 4)) {
    throw new OperatorError(
      "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input",
    );
  }
  if (n >= 1 && n <= 3) {
    if (exact)
      return callOperator(`aten::${mode === "nearest" ? "upsample_nearest" : "_upsample_nearest_exact"}${n}d.vec`, [
        input,
        outputSize,
        scales,
      ]) as Tensor;
    if (mode === "area") return aten(`adaptive_avg_pool${n}d`, input, outputSize);
    const name = INTERPOLATED[mode] === n ? NAMED[mode]! : undefined;
    if (name)
      return callOperator(`aten::${antialias ? `_${name}_aa` : name}.vec`, [
        input,
        outputSize,
        alignCorners,
        scales,
      ]) as Tensor;
    if (INTERPOLATED[mode] && mode !== "bicubic") {
      throw new OperatorError(`Got ${input.ndim}D input, but ${mode} mode needs ${INTERPOLATED[mode] + 2}D input`);
    }
  }
  throw new OperatorError(
    `Input Error: Only 3D, 4D and 5D input Tensors supported (got ${input.ndim}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got ${mode})`,
  );
}

/** (N, C*r*r, H, W) to (N, C, H*r, W*r). */
export function pixel_shuffle(input: Tensor, upscaleFactor: number): Tensor {
  return aten("pixel_shuffle", input, upscaleFactor);
}

/** The inverse of `pixel_shuffle`. */
export function pixel_unshuffle(input: Tensor, downscaleFactor: number): Tensor {
  return aten("pixel_unshuffle", input, downscaleFactor);
}

/** Interleaves groups of channels. */
export function channel_shuffle(input: Tensor, groups: number): Tensor {
  return aten("channel_shuffle", input, groups);
}

/** Options of `fold` and `unfold`. */
export interface FoldFunctionOptions {
  /** Distance between the elements that the kernel takes. */
  readonly dilation?: Size;
  /** What is added around the input. */
  readonly padding?: Size;
  /** Distance between the places of the window. */
  readonly stride?: Size;
}

/** Sliding blocks as columns. */
export function unfold(input: Tensor, kernelSize: Size, options: FoldFunctionOptions = {}): Tensor {
  const { dilation = 1, padding = 0, stride = 1 } = options;
  return aten(
    "im2col",
    input,
    repeatSize(kernelSize, 2),
    repeatSize(dilation, 2),
    repeatSize(padding, 2),
    repeatSize(stride, 2),
  );
}

/** Sums columns back into sliding blocks. */
export function fold(input: Tensor, outputSize: Size, kernelSize: Size, options: FoldFunctionOptions = {}): Tensor {
  const { dilation = 1, padding = 0, stride = 1 } = options;
  return aten(
    "col2im",
    input,
    repeatSize(outputSize, 2),
    repeatSize(kernelSize, 2),
    repeatSize(dilation, 2),
    repeatSize(padding, 2),
    repeatSize(stride, 2),
  );
}

/** Norm of the difference of rows. */
export function pairwise_distance(x1: Tensor, x2: Tensor, p = 2, eps = 1e-6, keepdim = false): Tensor {
  return aten("pairwise_distance", x1, x2, p, eps, keepdim);
}

/** Cosine of the angle between vectors along a dimension. */
export function cosine_similarity(x1: Tensor, x2: Tensor, dim = 1, eps = 1e-8): Tensor {
  return aten("cosine_similarity", x1, x2, dim, eps);
}

/** Indices as rows with a single one; -1 takes as many classes as there are. */
export function one_hot(input: Tensor, numClasses = -1): Tensor {
  return aten("one_hot", input, numClasses);
}

/** Options of `grid_sample`. */
export interface GridSampleOptions {
  /** Which way of computing, by PyTorch's name. */
  readonly mode?: "bilinear" | "nearest" | "bicubic";
  /** What is added: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`. */
  readonly paddingMode?: "zeros" | "border" | "reflection";
  /** Let the corners of input and output be the same points. */
  readonly alignCorners?: boolean;
}

/** Values of the input at the positions of a grid in [-1, 1]. */
export function grid_sample(input: Tensor, grid: Tensor, options: GridSampleOptions = {}): Tensor {
  const { mode = "bilinear", paddingMode = "zeros", alignCorners = false } = options;
  const modes = ["bilinear", "nearest", "bicubic"];
  const paddings = ["zeros", "border", "reflection"];
  if (!modes.includes(mode))
    throw new OperatorError(
      `nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '${mode}'`,
    );
  if (!paddings.includes(paddingMode)) {
    throw new OperatorError(
      `nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: '${paddingMode}'`,
    );
  }
  return aten("grid_sampler", input, grid, modes.indexOf(mode), paddings.indexOf(paddingMode), alignCorners);
}

/** The sampling grid of a batch of affine maps, for `grid_sample`. `size`: of the result, (N, C, H, W) or (N, C, D, H, W). */
export function affine_grid(theta: Tensor, size: readonly number[], alignCorners = false): Tensor {
  if (theta.dtype.category !== "float")
    throw new OperatorError(`Expected theta to have floating point type, but got torch.${theta.dtype.name}`);
  const n = size.length - 2;
  if (n !== 2 && n !== 3) {
    throw new OperatorError(
      `affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size [${size.join(", ")}].`,
    );
  }
  if (theta.ndim !== 3 || theta.sizes[1] !== n || theta.sizes[2] !== n + 1) {
    throw new OperatorError(
      `Expected a batch of ${n}D affine matrices of shape Nx${n}x${n + 1} for size [${size.join(", ")}]. Got torch.Size([${theta.sizes.join(", ")}]).`,
    );
  }
  if (Math.min(...size) <= 0)
    throw new OperatorError(`Expected non-zero, positive output size. Got [${size.join(", ")}]`);
  return aten("affine_grid_generator", theta, size, alignCorners);
}

/** Distances of all pairs of rows. */
export function pdist(input: Tensor, p = 2): Tensor {
  return aten("pdist", input, p);
}

/** `interpolate` by its old name. A function of its own: scripts tell the two apart. */
export function upsample(input: Tensor, options: InterpolateOptions): Tensor {
  return interpolate(input, options);
}
