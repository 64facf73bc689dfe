/** @file Functional linear maps, convolutions, embeddings and normalisations. Upstream: torch/nn/functional.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { aten, atenMany, float, floatText, repeatSize, type Size } from "./aten.ts";
import { pad } from "./functional_vision.ts";
import {
  dimEquals,
  dimNumber,
  divideDims,
  multiplyDims,
  multiplyInto,
  numelOf,
  sizeOf,
  sizesOf,
  type Dim,
} from "./sizes.ts";

/** `input @ weight.T + bias`. */
export function linear(input: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  return aten("linear", input, weight, bias);
}

/** `input1 @ weight[k] @ input2 + bias[k]` for every k. */
export function bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  return aten("bilinear", input1, input2, weight, bias);
}

/** Options of conv1d, conv2d and conv3d. */
export interface ConvolutionOptions {
  /** Distance between the places of the window. */
  readonly stride?: Size;
  /** What is added around the input. */
  readonly padding?: Size | "same" | "valid";
  /** Distance between the elements that the kernel takes. */
  readonly dilation?: Size;
  /** Into how many parts the channels are divided that do not mix. */
  readonly groups?: number;
}

function convolve(n: number, input: Tensor, weight: Tensor, bias: Tensor | null, options: ConvolutionOptions): Tensor {
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
  const pad = typeof padding === "string" ? padding : repeatSize(padding, n);
  return aten(`conv${n}d`, input, weight, bias, repeatSize(stride, n), pad, repeatSize(dilation, n), groups);
}

/** Convolution over (N, C, L). */
export function conv1d(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: ConvolutionOptions = {},
): Tensor {
  return convolve(1, input, weight, bias, options);
}

/** Convolution over (N, C, H, W). */
export function conv2d(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: ConvolutionOptions = {},
): Tensor {
  return convolve(2, input, weight, bias, options);
}

/** Convolution over (N, C, D, H, W). */
export function conv3d(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: ConvolutionOptions = {},
): Tensor {
  return convolve(3, input, weight, bias, options);
}

/** Options of conv_transpose1d, conv_transpose2d and conv_transpose3d. */
export interface TransposedConvolutionOptions {
  /** Distance between the places of the window. */
  readonly stride?: Size;
  /** What is added around the input. */
  readonly padding?: Size;
  /** What is added to one side of the output. */
  readonly outputPadding?: Size;
  /** Into how many parts the channels are divided that do not mix. */
  readonly groups?: number;
  /** Distance between the elements that the kernel takes. */
  readonly dilation?: Size;
}

function convolveTransposed(
  n: number,
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  options: TransposedConvolutionOptions,
): Tensor {
  const { stride = 1, padding = 0, outputPadding = 0, groups = 1, dilation = 1 } = options;
  const name = n === 1 ? "conv_transpose1d" : n === 2 ? "conv_transpose2d" : "conv_transpose3d";
  return aten(
    name,
    input,
    weight,
    bias,
    repeatSize(stride, n),
    repeatSize(padding, n),
    repeatSize(outputPadding, n),
    groups,
    repeatSize(dilation, n),
  );
}

/** Transposed convolution over (N, C, L). */
export function conv_transpose1d(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: TransposedConvolutionOptions = {},
): Tensor {
  return convolveTransposed(1, input, weight, bias, options);
}

/** Transposed convolution over (N, C, H, W). */
export function conv_transpose2d(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: TransposedConvolutionOptions = {},
): Tensor {
  return convolveTransposed(2, input, weight, bias, options);
}

/** Transposed convolution over (N, C, D, H, W). */
export function conv_transpose3d(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: TransposedConvolutionOptions = {},
): Tensor {
  return convolveTransposed(3, input, weight, bias, options);
}

/** Options of `embedding`. */
export interface EmbeddingFunctionOptions {
  /** The vector that is not trained. */
  readonly paddingIdx?: number | null;
  /** Rows that are looked up and have a larger norm are scaled down in place. */
  readonly maxNorm?: number | null;
  /** Order of the norm that lengths are measured by. */
  readonly normType?: number;
  /** Divide gradients by how often a vector occurs. */
  readonly scaleGradByFreq?: boolean;
  /** Whether gradients are sparse. */
  readonly sparse?: boolean;
}

/** Rows of `weight`. */
export function embedding(input: Tensor, weight: Tensor, options: EmbeddingFunctionOptions = {}): Tensor {
  const { maxNorm = null, normType = 2, scaleGradByFreq = false, sparse = false } = options;
  let padding = options.paddingIdx ?? null;
  const rows = weight.sizes[0]!;
  if (padding !== null) {
    if (padding >= rows || padding < -rows) throw new OperatorError("Padding_idx must be within num_embeddings");
    if (padding < 0) padding += rows;
  }
  if (maxNorm !== null) {
    input = aten("contiguous", input);
    aten("embedding_renorm_", weight, input, maxNorm, normType);
  }
  return aten("embedding", weight, input, padding ?? -1, scaleGradByFreq, sparse);
}

/** How a bag's rows become one. */
export type BagMode = "sum" | "mean" | "max";

/** Options of `embedding_bag`. */
export interface EmbeddingBagFunctionOptions extends EmbeddingFunctionOptions {
  /** Which way of computing, by PyTorch's name. */
  readonly mode?: BagMode;
  /** What each vector of a bag is multiplied by. */
  readonly perSampleWeights?: Tensor | null;
  /** The last offset is the end of the last bag. */
  readonly includeLastOffset?: boolean;
}

/** Sums, means or maxima of bags of rows: the rows of a matrix, or what lies between offsets of a vector. */
export function embedding_bag(
  input: Tensor,
  weight: Tensor,
  offsets: Tensor | null = null,
  options: EmbeddingBagFunctionOptions = {},
): Tensor {
  const {
    maxNorm = null,
    normType = 2,
    scaleGradByFreq = false,
    mode = "mean",
    sparse = false,
    paddingIdx = null,
  } = options;
  let perSample = options.perSampleWeights ?? null;
  let includeLast = options.includeLastOffset ?? false;
  const size = (t: Tensor): string => `torch.Size([${t.sizes.join(", ")}])`;
  if (perSample && size(perSample) !== size(input)) {
    throw new OperatorError(
      `embedding_bag: If per_sample_weights (${size(perSample)}) is not None, then it must have the same shape as the input (${size(input)})`,
    );
  }
  if (weight.ndim !== 2)
    throw new OperatorError(`weight has to be a 2D Tensor, but got Tensor of dimension ${weight.ndim}`);
  if (input.ndim === 2) {
    if (offsets)
      throw new OperatorError(
        "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences. However, found offsets of type <class 'torch.Tensor'>",
      );
    offsets = aten("arange", 0, numelOf(input), sizeOf(input, 1), { dtype: input.dtype });
    includeLast = false;
    input = aten("reshape", input, [-1]);
    perSample = perSample && aten("reshape", perSample, [-1]);
  } else if (input.ndim === 1) {
    if (!offsets) throw new OperatorError("offsets has to be a 1D Tensor but got None");
    if (offsets.ndim !== 1) throw new OperatorError("offsets has to be a 1D Tensor");
  } else throw new OperatorError(`input has to be 1D or 2D Tensor, but got Tensor of dimension ${input.ndim}`);
  const modes: readonly BagMode[] = ["sum", "mean", "max"];
  if (!modes.includes(mode)) throw new OperatorError("mode has to be one of sum, mean or max");
  if (mode === "max" && scaleGradByFreq)
    throw new OperatorError("max mode does not support scaling the gradient by the frequency");
  if (mode === "max" && sparse) throw new OperatorError("max mode does not support sparse weights");
  if (perSample && mode !== "sum") {
    throw new OperatorError(
      `embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' (got mode='${mode}'). Please open a feature request on GitHub.`,
    );
  }
  if (maxNorm !== null) aten("embedding_renorm_", weight, input, maxNorm, normType);
  return atenMany(
    "embedding_bag",
    weight,
    input,
    offsets,
    scaleGradByFreq,
    modes.indexOf(mode),
    sparse,
    perSample,
    includeLast,
    paddingIdx,
  )[0]!;
}

function verifyBatchSize(size: readonly Dim[], kind = "torch.Size"): void {
  let sizeProds = size[0]!;
  for (const other of size.slice(2)) sizeProds = multiplyInto(sizeProds, other);
  if (!dimEquals(sizeProds, 1)) return;
  const list = `[${size.map(dimNumber).join(", ")}]`;
  throw new OperatorError(
    `Expected more than 1 value per channel when training, got input size ${kind ? `${kind}(${list})` : list}`,
  );
}

function verifySpatialSize(size: readonly Dim[]): void {
  let sizeProds: Dim = 1;
  for (const other of size.slice(2)) sizeProds = multiplyInto(sizeProds, other);
  if (!dimEquals(sizeProds, 1)) return;
  throw new OperatorError(
    `Expected more than 1 spatial element when training, got input size torch.Size([${size.map(dimNumber).join(", ")}])`,
  );
}

/** Options of `batch_norm`. */
export interface BatchNormFunctionOptions {
  /** What inputs are multiplied by; learned. In losses: what each class counts. */
  readonly weight?: Tensor | null;
  /** Values that are added, one for each output; null or false without. */
  readonly bias?: Tensor | null;
  /** Whether the batch's own statistics are used, and running ones updated. */
  readonly training?: boolean;
  /** Share of the newest batch in the running statistics; null for a plain mean of all. */
  readonly momentum?: number;
  /** Added where a division by zero could be. */
  readonly eps?: number;
}

/** Normalises every channel over the batch. */
export function batch_norm(
  input: Tensor,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  options: BatchNormFunctionOptions = {},
): Tensor {
  const { weight = null, bias = null, training = false, momentum = 0.1, eps = 1e-5 } = options;
  if (training) verifyBatchSize(sizesOf(input));
  if (training && eps <= 0)
    throw new OperatorError(`batch_norm eps must be positive during training, but got ${floatText(eps)}`);
  if (eps < 0) throw new OperatorError(`batch_norm eps must be non-negative, but got ${floatText(eps)}`);
  return aten("batch_norm", input, weight, bias, runningMean, runningVar, training, momentum, eps, true);
}

/** Options of `instance_norm`. */
export interface InstanceNormFunctionOptions {
  /** Means that were collected in training. */
  readonly runningMean?: Tensor | null;
  /** Variances that were collected in training. */
  readonly runningVar?: Tensor | null;
  /** What inputs are multiplied by; learned. In losses: what each class counts. */
  readonly weight?: Tensor | null;
  /** Values that are added, one for each output; null or false without. */
  readonly bias?: Tensor | null;
  /** Take mean and variance of the input, not those that were collected. */
  readonly useInputStats?: boolean;
  /** Share of the newest batch in the running statistics; null for a plain mean of all. */
  readonly momentum?: number;
  /** Added where a division by zero could be. */
  readonly eps?: number;
}

/** Normalises every channel of every sample. */
export function instance_norm(input: Tensor, options: InstanceNormFunctionOptions = {}): Tensor {
  const {
    runningMean = null,
    runningVar = null,
    weight = null,
    bias = null,
    useInputStats = true,
    momentum = 0.1,
    eps = 1e-5,
  } = options;
  if (useInputStats) verifySpatialSize(sizesOf(input));
  return aten("instance_norm", input, weight, bias, runningMean, runningVar, useInputStats, momentum, eps, true);
}

/** Normalises the last dimensions. */
export function layer_norm(
  input: Tensor,
  normalizedShape: readonly number[],
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  eps = 1e-5,
): Tensor {
  return aten("layer_norm", input, normalizedShape, weight, bias, eps, true);
}

/** Divides by the root mean square of the last dimensions. */
export function rms_norm(
  input: Tensor,
  normalizedShape: readonly number[],
  weight: Tensor | null = null,
  eps: number | null = null,
): Tensor {
  return aten("rms_norm", input, normalizedShape, weight, eps);
}

/** Normalises groups of channels of every sample. */
export function group_norm(
  input: Tensor,
  numGroups: number,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  eps = 1e-5,
): Tensor {
  if (input.ndim < 2)
    throw new OperatorError(`Expected at least 2 dimensions for input tensor but received ${input.ndim}`);
  const perGroup = divideDims(multiplyDims(sizeOf(input, 0), sizeOf(input, 1)), numGroups);
  verifyBatchSize([perGroup, numGroups, ...sizesOf(input).slice(2)], "");
  return aten("group_norm", input, numGroups, weight, bias, eps, true);
}

/** Divides by the energy of neighbouring channels. */
export function local_response_norm(input: Tensor, size: number, alpha = 1e-4, beta = 0.75, k = 1): Tensor {
  const { ndim } = input;
  if (ndim < 3)
    throw new OperatorError(
      `Expected 3D or higher dimensionality                          input (got ${ndim} dimensions)`,
    );
  if (dimEquals(numelOf(input), 0)) return input;
  const around = [Math.floor(size / 2), Math.floor((size - 1) / 2)];
  let div = aten("mul", input, input);
  if (ndim === 3) {
    div = aten("unsqueeze", div, 1);
    div = pad(div, [0, 0, ...around]);
    div = aten("squeeze", aten("avg_pool2d", div, [size, 1], [1, 1]), 1);
  } else {
    const sizes = sizesOf(input);
    div = aten("view", div, [sizes[0]!, 1, sizes[1]!, sizes[2]!, -1]);
    div = pad(div, [0, 0, 0, 0, ...around]);
    div = aten("squeeze", aten("avg_pool3d", div, [size, 1, 1], [1, 1, 1]), 1);
    div = aten("view", div, sizes);
  }
  div = aten("pow", aten("add", aten("mul", div, float(alpha)), float(k)), float(beta));
  return aten("div", input, div);
}
