/** @file Functional activations and dropout. Upstream: torch/nn/functional.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { emitWarning } from "../base/sinks.ts";
import { emptyLike } from "../tensor/clone.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Float } from "../tensor/scalar.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { aten, atenInplace, float } from "./aten.ts";

/** `x` where above the threshold, else `value`. */
export function threshold(input: Tensor, limit: number, value: number, inplace = false): Tensor {
  return atenInplace("threshold", inplace, input, limit, value);
}

/** max(x, 0). */
export function relu(input: Tensor, inplace = false): Tensor {
  return atenInplace("relu", inplace, input);
}

/** min(max(x, 0), 6). */
export function relu6(input: Tensor, inplace = false): Tensor {
  return atenInplace("relu6", inplace, input);
}

/** The first half of a dimension, gated by the second. */
export function glu(input: Tensor, dim = -1): Tensor {
  if (input.ndim === 0) throw new OperatorError("glu does not support scalars because halving size must be even");
  return aten("glu", input, dim);
}

/** Limited to [minVal, maxVal]. */
export function hardtanh(input: Tensor, minVal = -1, maxVal = 1, inplace = false): Tensor {
  if (minVal > maxVal) throw new OperatorError("min_val cannot be greater than max_val");
  return atenInplace("hardtanh", inplace, input, float(minVal), float(maxVal));
}

/** Exponential linear unit. */
export function elu(input: Tensor, alpha = 1, inplace = false): Tensor {
  return atenInplace("elu", inplace, input, float(alpha));
}

/** Scaled exponential linear unit. */
export function selu(input: Tensor, inplace = false): Tensor {
  return atenInplace("selu", inplace, input);
}

/** Continuously differentiable exponential linear unit. */
export function celu(input: Tensor, alpha = 1, inplace = false): Tensor {
  return atenInplace("celu", inplace, input, float(alpha));
}

/** max(x, 0) + slope * min(x, 0). */
export function leaky_relu(input: Tensor, negativeSlope = 0.01, inplace = false): Tensor {
  return atenInplace("leaky_relu", inplace, input, float(negativeSlope));
}

/** `leaky_relu` with learned slopes, one or one per channel. */
export function prelu(input: Tensor, weight: Tensor): Tensor {
  return aten("prelu", input, weight);
}

/** `leaky_relu` with random slopes while training. */
export function rrelu(input: Tensor, lower = 1 / 8, upper = 1 / 3, training = false, inplace = false): Tensor {
  return atenInplace("rrelu", inplace, input, float(lower), float(upper), training);
}

/** log(sigmoid(x)). */
export function logsigmoid(input: Tensor): Tensor {
  return aten("log_sigmoid", input);
}

/** Gaussian error linear unit; `approximate` may be `tanh`. */
export function gelu(input: Tensor, approximate: "none" | "tanh" = "none"): Tensor {
  return aten("gelu", input, { approximate });
}

/** x where |x| is above lambd, else 0. */
export function hardshrink(input: Tensor, lambd = 0.5): Tensor {
  return aten("hardshrink", input, float(lambd));
}

/** x - tanh(x). */
export function tanhshrink(input: Tensor): Tensor {
  return aten("sub", input, aten("tanh", input));
}

/** x / (1 + |x|). */
export function softsign(input: Tensor): Tensor {
  return aten("div", input, aten("add", aten("abs", input), 1));
}

/** Smooth relu. */
export function softplus(input: Tensor, beta: number | Float = 1, limit: number | Float = 20): Tensor {
  return aten("softplus", input, beta, limit);
}

/** x moved towards 0 by lambd. */
export function softshrink(input: Tensor, lambd = 0.5): Tensor {
  return aten("softshrink", input, float(lambd));
}

/** Hyperbolic tangent. */
export function tanh(input: Tensor): Tensor {
  return aten("tanh", input);
}

/** 1 / (1 + exp(-x)). */
export function sigmoid(input: Tensor): Tensor {
  return aten("sigmoid", input);
}

/** Piecewise linear sigmoid. */
export function hardsigmoid(input: Tensor, inplace = false): Tensor {
  return atenInplace("hardsigmoid", inplace, input);
}

/** x * sigmoid(x). */
export function silu(input: Tensor, inplace = false): Tensor {
  return atenInplace("silu", inplace, input);
}

/** x * tanh(softplus(x)). */
export function mish(input: Tensor, inplace = false): Tensor {
  return atenInplace("mish", inplace, input);
}

/** x * relu6(x + 3) / 6. */
export function hardswish(input: Tensor, inplace = false): Tensor {
  return atenInplace("hardswish", inplace, input);
}

/** The dimension that PyTorch takes where none is given. */
function softmaxDim(name: string, ndim: number): number {
  const dim = ndim === 0 || ndim === 1 || ndim === 3 ? 0 : 1;
  emitWarning(
    `Implicit dimension choice for ${name} has been deprecated. Change the call to include dim=X as an argument.`,
  );
  return dim;
}

/** Softmax over a dimension. */
export function softmax(input: Tensor, dim: number | null = null, dtype: DType | null = null): Tensor {
  return aten("softmax", input, dim ?? softmaxDim("softmax", input.ndim), dtype);
}

/** Softmax of -x. */
export function softmin(input: Tensor, dim: number | null = null, dtype: DType | null = null): Tensor {
  return aten("softmax", aten("neg", input), dim ?? softmaxDim("softmin", input.ndim), dtype);
}

/** log(softmax(x)), computed stably. */
export function log_softmax(input: Tensor, dim: number | null = null, dtype: DType | null = null): Tensor {
  return aten("log_softmax", input, dim ?? softmaxDim("log_softmax", input.ndim), dtype);
}

/** A sample of the Gumbel-Softmax distribution; one-hot where `hard`. */
export function gumbel_softmax(logits: Tensor, tau = 1, hard = false, dim = -1): Tensor {
  const gumbels = aten("neg", aten("log", aten("exponential_", emptyLike(logits))));
  const soft = aten("softmax", aten("div", aten("add", logits, gumbels), float(tau)), dim, null);
  if (!hard) return soft;
  const index = aten("argmax", soft, dim, true);
  const one = aten("scatter_", aten("zeros_like", logits), dim, index, float(1));
  return aten("add", aten("sub", one, soft), soft);
}

/** Divides by the p-norm over a dimension. */
export function normalize(input: Tensor, p = 2, dim = 1, eps = 1e-12): Tensor {
  const denom = aten(
    "expand_as",
    aten("clamp_min", aten("linalg_vector_norm", input, float(p), [dim], true), eps),
    input,
  );
  return aten("div", input, denom);
}

function checkProbability(p: number): void {
  if (p < 0 || p > 1) throw new OperatorError(`dropout probability has to be between 0 and 1, but got ${p}`);
}

/** Zeroes elements with probability p and scales the rest, while training. */
export function dropout(input: Tensor, p = 0.5, training = true, inplace = false): Tensor {
  checkProbability(p);
  return atenInplace("dropout", inplace, input, p, training);
}

/** Dropout that keeps mean and variance of `selu` networks. */
export function alpha_dropout(input: Tensor, p = 0.5, training = false, inplace = false): Tensor {
  checkProbability(p);
  return atenInplace("alpha_dropout", inplace, input, p, training);
}

/** `alpha_dropout` of whole channels. */
export function feature_alpha_dropout(input: Tensor, p = 0.5, training = false, inplace = false): Tensor {
  checkProbability(p);
  return atenInplace("feature_alpha_dropout", inplace, input, p, training);
}

/** Dropout of whole channels of (N, C, L); of (C, L) too. */
export function dropout1d(input: Tensor, p = 0.5, training = true, inplace = false): Tensor {
  checkProbability(p);
  if (input.ndim !== 2 && input.ndim !== 3) {
    throw new OperatorError(
      `dropout1d: Expected 2D or 3D input, but received a ${input.ndim}D input. Note that dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs).`,
    );
  }
  const isBatched = input.ndim === 3;
  if (!isBatched) input = atenInplace("unsqueeze", inplace, input, 0);
  let result = atenInplace("feature_dropout", inplace, input, p, training);
  if (!isBatched) result = atenInplace("squeeze", inplace, result, 0);
  return result;
}

/** Dropout of whole channels of (N, C, H, W). */
export function dropout2d(input: Tensor, p = 0.5, training = true, inplace = false): Tensor {
  checkProbability(p);
  if (input.ndim !== 3 && input.ndim !== 4) {
    emitWarning(
      `dropout2d: Received a ${input.ndim}-D input to dropout2d, which is deprecated and will result in an error in a future release. To retain the behavior and silence this warning, please use dropout instead. Note that dropout2d exists to provide channel-wise dropout on inputs with 2 spatial dimensions, a channel dimension, and an optional batch dimension (i.e. 3D or 4D inputs).`,
    );
  }
  if (input.ndim === 3) {
    emitWarning(
      "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired - input is interpreted as shape (N, C, L), where C is the channel dim. This behavior will change in a future release to interpret the input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D channel-wise dropout behavior, please switch to using dropout1d instead.",
    );
  }
  return atenInplace("feature_dropout", inplace, input, p, training);
}

/** Dropout of whole channels of (N, C, D, H, W); of (C, D, H, W) too. */
export function dropout3d(input: Tensor, p = 0.5, training = true, inplace = false): Tensor {
  checkProbability(p);
  if (input.ndim !== 4 && input.ndim !== 5) {
    emitWarning(
      `dropout3d: Received a ${input.ndim}-D input to dropout3d, which is deprecated and will result in an error in a future release. To retain the behavior and silence this warning, please use dropout instead. Note that dropout3d exists to provide channel-wise dropout on inputs with 3 spatial dimensions, a channel dimension, and an optional batch dimension (i.e. 4D or 5D inputs).`,
    );
  }
  const isBatched = input.ndim === 5;
  if (!isBatched) input = atenInplace("unsqueeze", inplace, input, 0);
  let result = atenInplace("feature_dropout", inplace, input, p, training);
  if (!isBatched) result = atenInplace("squeeze", inplace, result, 0);
  return result;
}

/** `threshold` over its input. */
export const threshold_ = (input: Tensor, limit: number, value: number): Tensor => threshold(input, limit, value, true);
/** `relu` over its input. */
export const relu_ = (input: Tensor): Tensor => relu(input, true);
/** `hardtanh` over its input. */
export const hardtanh_ = (input: Tensor, minVal = -1, maxVal = 1): Tensor => hardtanh(input, minVal, maxVal, true);
/** `elu` over its input. */
export const elu_ = (input: Tensor, alpha = 1): Tensor => elu(input, alpha, true);
/** `selu` over its input. */
export const selu_ = (input: Tensor): Tensor => selu(input, true);
/** `celu` over its input. */
export const celu_ = (input: Tensor, alpha = 1): Tensor => celu(input, alpha, true);
/** `leaky_relu` over its input. */
export const leaky_relu_ = (input: Tensor, negativeSlope = 0.01): Tensor => leaky_relu(input, negativeSlope, true);
/** `rrelu` over its input. */
export const rrelu_ = (input: Tensor, lower = 1 / 8, upper = 1 / 3, training = false): Tensor =>
  rrelu(input, lower, upper, training, true);
