/** @file Initialisation of tensors in place, with PyTorch's random sequences. Upstream: torch/nn/init.py. Spec: none.
 *
 * Names are those of `torch.nn.init`, arguments are in its order. */
import { OperatorError } from "../base/errors.ts";
import { emitWarning } from "../base/sinks.ts";
import { callByName } from "../torch/eager_call.ts";
import { cloneTensor } from "../tensor/clone.ts";
import { copyInto } from "../tensor/copy.ts";
import { toNumbers } from "../tensor/data.ts";
import type { Generator } from "../tensor/generator.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { emptyTensor, viewOf, type Tensor } from "../tensor/tensor.ts";
import { aten, atenMany, float } from "./aten.ts";

/** The functions whose gain is known. */
export type Nonlinearity =
  | "linear"
  | "conv1d"
  | "conv2d"
  | "conv3d"
  | "conv_transpose1d"
  | "conv_transpose2d"
  | "conv_transpose3d"
  | "sigmoid"
  | "tanh"
  | "relu"
  | "leaky_relu"
  | "selu";

/** Which size of a weight keeps its variance: that of the forward or of the backward pass. */
export type FanMode = "fan_in" | "fan_out";

/** A source of random numbers; the default one where null. */
export type MaybeGenerator = Generator | null;

/** The gain that PyTorch recommends for a nonlinearity; `param` is the slope of `leaky_relu` (0.01). */
export function calculateGain(nonlinearity: Nonlinearity, param: number | null = null): number {
  switch (nonlinearity) {
    case "tanh":
      return 5 / 3;
    case "relu":
      return Math.sqrt(2);
    case "leaky_relu":
      return Math.sqrt(2 / (1 + (param ?? 0.01) ** 2));
    case "selu":
      return 3 / 4;
    case "sigmoid":
    case "linear":
    case "conv1d":
    case "conv2d":
    case "conv3d":
    case "conv_transpose1d":
    case "conv_transpose2d":
    case "conv_transpose3d":
      return 1;
    default:
      throw new OperatorError(`Unsupported nonlinearity ${String(nonlinearity)}`);
  }
}

/** Inputs and outputs of one unit of a weight. Throws OperatorError below two dimensions. */
export function calculateFanInAndFanOut(tensor: Tensor): [fanIn: number, fanOut: number] {
  if (tensor.ndim < 2)
    throw new OperatorError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions");
  const field = tensor.sizes.slice(2).reduce((product, size) => product * size, 1);
  return [tensor.sizes[1]! * field, tensor.sizes[0]! * field];
}

/** Uniform in [a, b). */
export function uniform_(tensor: Tensor, a = 0, b = 1, generator: MaybeGenerator = null): Tensor {
  return aten("uniform_", tensor, a, b, { generator });
}

/** Normal with the given mean and standard deviation. */
export function normal_(tensor: Tensor, mean = 0, std = 1, generator: MaybeGenerator = null): Tensor {
  return aten("normal_", tensor, mean, std, { generator });
}

/** One value everywhere. */
export function constant_(tensor: Tensor, value: number): Tensor {
  return aten("fill_", tensor, float(value));
}

/** Ones. */
export function ones_(tensor: Tensor): Tensor {
  return constant_(tensor, 1);
}

/** Zeros. */
export function zeros_(tensor: Tensor): Tensor {
  return aten("zero_", tensor);
}

/** The identity matrix. */
export function eye_(tensor: Tensor): Tensor {
  if (tensor.ndim !== 2) throw new OperatorError("Only tensors with 2 dimensions are supported");
  copyInto(tensor, aten("eye", ...tensor.sizes, { dtype: tensor.dtype }));
  return tensor;
}

/** The Dirac delta: a convolution with it gives its input back, in as many channels as possible. */
export function dirac_(tensor: Tensor, groups = 1): Tensor {
  const { sizes } = tensor;
  if (![3, 4, 5].includes(sizes.length))
    throw new OperatorError("Only tensors with 3, 4, or 5 dimensions are supported");
  if (sizes[0]! % groups !== 0) throw new OperatorError("dim 0 must be divisible by groups");
  const perGroup = sizes[0]! / groups;
  const centre = sizes.slice(2).reduce((offset, size, d) => offset + Math.floor(size / 2) * tensor.strides[d + 2]!, 0);
  zeros_(tensor);
  for (let g = 0; g < groups; g++) {
    for (let d = 0; d < Math.min(perGroup, sizes[1]!); d++) {
      const at = tensor.storageOffset + (g * perGroup + d) * tensor.strides[0]! + d * tensor.strides[1]! + centre;
      ones_(viewOf(tensor, [], [], at));
    }
  }
  return tensor;
}

/** Uniform, with the variance of Glorot and Bengio. */
export function xavier_uniform_(tensor: Tensor, gain = 1, generator: MaybeGenerator = null): Tensor {
  const [fanIn, fanOut] = calculateFanInAndFanOut(tensor);
  const bound = Math.sqrt(3) * (gain * Math.sqrt(2 / (fanIn + fanOut)));
  return uniform_(tensor, -bound, bound, generator);
}

/** Normal, with the variance of Glorot and Bengio. */
export function xavier_normal_(tensor: Tensor, gain = 1, generator: MaybeGenerator = null): Tensor {
  const [fanIn, fanOut] = calculateFanInAndFanOut(tensor);
  return normal_(tensor, 0, gain * Math.sqrt(2 / (fanIn + fanOut)), generator);
}

/** Options of kaiming_uniform_ and kaiming_normal_. */
export interface KaimingOptions {
  /** The negative slope of the following `leaky_relu`. */
  readonly a?: number;
  /** Which way of computing, by PyTorch's name. */
  readonly mode?: FanMode;
  /** `"tanh"` or `"relu"`. */
  readonly nonlinearity?: Nonlinearity;
  /** The stream of random bits; the default one where left out. */
  readonly generator?: MaybeGenerator;
}

/** The standard deviation of He et al.; undefined where there is nothing to fill. */
function kaimingStd(tensor: Tensor, options: KaimingOptions): number | undefined {
  const { a = 0, mode = "fan_in", nonlinearity = "leaky_relu" } = options;
  if (tensor.sizes.includes(0)) {
    emitWarning("Initializing zero-element tensors is a no-op");
    return undefined;
  }
  if (mode !== "fan_in" && mode !== "fan_out")
    throw new OperatorError(`Mode ${String(mode)} not supported, please use one of ['fan_in', 'fan_out']`);
  const [fanIn, fanOut] = calculateFanInAndFanOut(tensor);
  return calculateGain(nonlinearity, a) / Math.sqrt(mode === "fan_in" ? fanIn : fanOut);
}

/** Uniform, with the variance of He et al. */
export function kaiming_uniform_(tensor: Tensor, options: KaimingOptions = {}): Tensor {
  const std = kaimingStd(tensor, options);
  if (std === undefined) return tensor;
  const bound = Math.sqrt(3) * std;
  return uniform_(tensor, -bound, bound, options.generator ?? null);
}

/** Normal, with the variance of He et al. */
export function kaiming_normal_(tensor: Tensor, options: KaimingOptions = {}): Tensor {
  const std = kaimingStd(tensor, options);
  return std === undefined ? tensor : normal_(tensor, 0, std, options.generator ?? null);
}

/** Abramowitz and Stegun would not do: the threshold below compares with PyTorch's own `erf`. */
function erf(x: number): number {
  return Number(toNumbers(aten("erf", aten("full", [], float(x), { dtype: DTYPES.float64 })))[0]);
}

/** Normal, with what falls outside [a, b] drawn again. */
export function trunc_normal_(
  tensor: Tensor,
  mean = 0,
  std = 1,
  a = -2,
  b = 2,
  generator: MaybeGenerator = null,
): Tensor {
  if (mean < a - 2 * std || mean > b + 2 * std) {
    emitWarning(
      "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be incorrect.",
    );
  }
  const cdf = (x: number): number => (1 + erf(x / Math.sqrt(2))) / 2;
  const some = (mask: Tensor): boolean => toNumbers(aten("any", mask))[0] !== 0;
  const anew = (): Tensor => emptyTensor(tensor.sizes, tensor.dtype);
  if (cdf((b - mean) / std) - cdf((a - mean) / std) > 0.3) {
    // the bounds as the dtype holds them
    const [lo, hi] = [a, b].map((v) => toNumbers(aten("full", [], float(v), { dtype: tensor.dtype }))[0]!) as [
      number,
      number,
    ];
    let result = normal_(tensor, mean, std, generator);
    for (;;) {
      const mask = aten("bitwise_or", aten("lt", result, float(lo)), aten("gt", result, float(hi)));
      if (!some(mask)) break;
      result = aten("where", mask, normal_(anew(), mean, std, generator), result);
    }
    if (result !== tensor) copyInto(tensor, result);
    return tensor;
  }
  // little of the normal distribution lies in [a, b]: reject uniform candidates by their density
  const mode = Math.max(a, Math.min(mean, b));
  const logPeak = -0.5 * ((mode - mean) / std) ** 2;
  const logDensity = (x: Tensor): Tensor =>
    aten(
      "sub",
      aten("mul", aten("pow", aten("div", aten("sub", x, float(mean)), float(std)), 2), float(-0.5)),
      float(logPeak),
    );
  const accept = (x: Tensor): Tensor => aten("gt", aten("log", uniform_(anew(), 0, 1, generator)), logDensity(x));
  let result = cloneTensor(uniform_(tensor, a, b, generator));
  let pending = accept(result);
  while (some(pending)) {
    const candidates = uniform_(anew(), a, b, generator);
    result = aten("where", pending, candidates, result);
    pending = aten("bitwise_and", pending, accept(candidates));
  }
  copyInto(tensor, result);
  return tensor;
}

/** A (semi-)orthogonal matrix, times `gain`. */
export function orthogonal_(tensor: Tensor, gain = 1, generator: MaybeGenerator = null): Tensor {
  if (tensor.ndim < 2) throw new OperatorError("Only tensors with 2 or more dimensions are supported");
  if (tensor.numel === 0) return tensor;
  const rows = tensor.sizes[0]!;
  const cols = tensor.numel / rows;
  let flattened = normal_(emptyTensor([rows, cols], tensor.dtype), 0, 1, generator);
  if (rows < cols) flattened = aten("t", flattened);
  const [q, r] = atenMany("linalg_qr", flattened) as [Tensor, Tensor];
  const unique = aten("mul", q, aten("sign", aten("diag", r, 0)));
  copyInto(tensor, aten("reshape", rows < cols ? aten("t", unique) : unique, tensor.sizes));
  return aten("mul_", tensor, float(gain));
}

/** Normal, with a share of every column zero. */
export function sparse_(tensor: Tensor, sparsity: number, std = 0.01, generator: MaybeGenerator = null): Tensor {
  if (tensor.ndim !== 2) throw new OperatorError("Only tensors with 2 dimensions are supported");
  const [rows, cols] = tensor.sizes as [number, number];
  const zeros = Math.ceil(sparsity * rows);
  normal_(tensor, 0, std, generator);
  for (let column = 0; column < cols; column++) {
    const order = toNumbers(callByName("randperm", [rows]) as Tensor);
    for (const row of order.slice(0, zeros)) {
      zeros_(viewOf(tensor, [], [], tensor.storageOffset + row * tensor.strides[0]! + column * tensor.strides[1]!));
    }
  }
  return tensor;
}
