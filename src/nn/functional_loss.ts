/** @file Functional losses. Upstream: torch/nn/functional.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { emitWarning } from "../base/sinks.ts";
import { toNumbers } from "../tensor/data.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { aten, atenMany, float } from "./aten.ts";
import { sizeOf, sizesEqual, sizesOf } from "./sizes.ts";

/** What becomes of the single losses. */
export type Reduction = "none" | "mean" | "sum";

/** Options of most losses. */
export interface ReductionOptions {
  /** `"mean"`, `"sum"` or `"none"`: what becomes of the losses of the examples. */
  readonly reduction?: Reduction;
}

/** Options of losses with a weight. */
export interface WeightedOptions extends ReductionOptions {
  /** What inputs are multiplied by; learned. In losses: what each class counts. */
  readonly weight?: Tensor | null;
}

const REDUCTIONS: readonly Reduction[] = ["none", "mean", "sum"];

function reductionOf(options: ReductionOptions): number {
  const at = REDUCTIONS.indexOf(options.reduction ?? "mean");
  if (at < 0) throw new OperatorError(`${String(options.reduction)} is not a valid value for reduction`);
  return at;
}

function reduce(loss: Tensor, options: ReductionOptions): Tensor {
  const kind = reductionOf(options);
  return kind === 0 ? loss : aten(kind === 1 ? "mean" : "sum", loss);
}

const sizeText = (t: Tensor): string => `torch.Size([${t.sizes.join(", ")}])`;

function broadcastPair(input: Tensor, target: Tensor): [Tensor, Tensor] {
  if (!sizesEqual(sizesOf(target), sizesOf(input))) {
    emitWarning(
      `Using a target size (${sizeText(target)}) that is different to the input size (${sizeText(input)}). This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size.`,
    );
  }
  return atenMany("broadcast_tensors", [input, target]) as [Tensor, Tensor];
}

/** |input - target|. */
export function l1_loss(input: Tensor, target: Tensor, options: ReductionOptions = {}): Tensor {
  [input, target] = broadcastPair(input, target);
  return aten("l1_loss", input, target, reductionOf(options));
}

/** (input - target)^2. */
export function mse_loss(input: Tensor, target: Tensor, options: ReductionOptions = {}): Tensor {
  [input, target] = broadcastPair(input, target);
  return aten("mse_loss", input, target, reductionOf(options));
}

/** Squares near 0, absolute values beyond `beta`. */
export function smooth_l1_loss(
  input: Tensor,
  target: Tensor,
  options: ReductionOptions & { readonly beta?: number } = {},
): Tensor {
  [input, target] = broadcastPair(input, target);
  const { beta = 1 } = options;
  return beta === 0
    ? aten("l1_loss", input, target, reductionOf(options))
    : aten("smooth_l1_loss", input, target, reductionOf(options), beta);
}

/** Squares near 0, absolute values times `delta` beyond. */
export function huber_loss(
  input: Tensor,
  target: Tensor,
  options: ReductionOptions & { readonly delta?: number } = {},
): Tensor {
  [input, target] = broadcastPair(input, target);
  return aten("huber_loss", input, target, reductionOf(options), options.delta ?? 1);
}

/** Options of losses with classes. */
export interface ClassLossOptions extends WeightedOptions {
  /** Targets of this class count nothing; -100 where left out. */
  readonly ignoreIndex?: number;
}

/** Negative log likelihood of log-probabilities. */
export function nll_loss(input: Tensor, target: Tensor, options: ClassLossOptions = {}): Tensor {
  return aten("nll_loss_nd", input, target, options.weight ?? null, reductionOf(options), options.ignoreIndex ?? -100);
}

/** Cross entropy of logits with classes or probabilities. */
export function cross_entropy(
  input: Tensor,
  target: Tensor,
  options: ClassLossOptions & { readonly labelSmoothing?: number } = {},
): Tensor {
  return aten(
    "cross_entropy_loss",
    input,
    target,
    options.weight ?? null,
    reductionOf(options),
    options.ignoreIndex ?? -100,
    options.labelSmoothing ?? 0,
  );
}

/** Binary cross entropy of probabilities. */
export function binary_cross_entropy(input: Tensor, target: Tensor, options: WeightedOptions = {}): Tensor {
  if (!sizesEqual(sizesOf(target), sizesOf(input))) {
    throw new OperatorError(
      `Using a target size (${sizeText(target)}) that is different to the input size (${sizeText(input)}) is deprecated. Please ensure they have the same size.`,
    );
  }
  const weight = options.weight ? aten("mul", options.weight, aten("ones_like", target)) : null;
  return aten("binary_cross_entropy", input, target, weight, reductionOf(options));
}

/** Binary cross entropy of logits. */
export function binary_cross_entropy_with_logits(
  input: Tensor,
  target: Tensor,
  options: WeightedOptions & { readonly posWeight?: Tensor | null } = {},
): Tensor {
  if (!sizesEqual(sizesOf(target), sizesOf(input)))
    throw new OperatorError(`Target size (${sizeText(target)}) must be the same as input size (${sizeText(input)})`);
  return aten(
    "binary_cross_entropy_with_logits",
    input,
    target,
    options.weight ?? null,
    options.posWeight ?? null,
    reductionOf(options),
  );
}

/** Kullback-Leibler divergence of log-probabilities from targets. */
export function kl_div(
  input: Tensor,
  target: Tensor,
  options: { readonly reduction?: Reduction | "batchmean"; readonly logTarget?: boolean } = {},
): Tensor {
  const { reduction = "mean", logTarget = false } = options;
  if (reduction === "mean") {
    emitWarning(
      "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides only by the batch size, and aligns with the KL div math definition.'mean' will be changed to behave the same as 'batchmean' in the next major release.",
    );
  }
  const reduced = aten(
    "kl_div",
    input,
    target,
    reductionOf({ reduction: reduction === "batchmean" ? "sum" : reduction }),
    { log_target: logTarget },
  );
  return reduction === "batchmean" && input.ndim !== 0 ? aten("div", reduced, sizesOf(input)[0]!) : reduced;
}

/** Negative log likelihood of a Poisson distribution. */
export function poisson_nll_loss(
  input: Tensor,
  target: Tensor,
  options: ReductionOptions & { readonly logInput?: boolean; readonly full?: boolean; readonly eps?: number } = {},
): Tensor {
  const { logInput = true, full = false, eps = 1e-8 } = options;
  return aten("poisson_nll_loss", input, target, logInput, full, eps, reductionOf(options));
}

/** Negative log likelihood of a Gaussian with the given variance. */
export function gaussian_nll_loss(
  input: Tensor,
  target: Tensor,
  var_: Tensor | number,
  options: ReductionOptions & { readonly full?: boolean; readonly eps?: number } = {},
): Tensor {
  const { full = false, eps = 1e-6 } = options;
  if (typeof var_ === "number") var_ = aten("mul", aten("ones_like", input), float(var_));
  if (toNumbers(aten("any", aten("lt", var_, 0)))[0] !== 0) throw new OperatorError("var has negative entry/entries");
  const spread = var_;
  if (!sizesEqual(sizesOf(spread), sizesOf(input))) {
    const differing = input.sizes.map((size, d) => [size, spread.sizes[d]] as const).filter(([a, b]) => a !== b);
    if (sizesEqual(sizesOf(input).slice(0, -1), sizesOf(spread))) var_ = aten("unsqueeze", spread, -1);
    else if (!(input.ndim === spread.ndim && differing.length === 1 && differing[0]![1] === 1))
      throw new OperatorError("var is of incorrect size");
  }
  var_ = aten("clone", var_);
  aten("clamp_", var_, eps);
  let loss = aten(
    "mul",
    aten("add", aten("log", var_), aten("div", aten("pow", aten("sub", input, target), 2), var_)),
    0.5,
  );
  if (full) loss = aten("add", loss, 0.5 * Math.log(2 * Math.PI));
  return reduce(loss, options);
}

/** Distance for target 1, margin minus distance for -1. */
export function hinge_embedding_loss(
  input: Tensor,
  target: Tensor,
  options: ReductionOptions & { readonly margin?: number } = {},
): Tensor {
  return aten("hinge_embedding_loss", input, target, options.margin ?? 1, reductionOf(options));
}

/** Hinge loss between all pairs of a true and a false class. */
export function multilabel_margin_loss(input: Tensor, target: Tensor, options: ReductionOptions = {}): Tensor {
  return aten("multilabel_margin_loss", input, target, reductionOf(options));
}

/** log(1 + exp(-target * input)). */
export function soft_margin_loss(input: Tensor, target: Tensor, options: ReductionOptions = {}): Tensor {
  return aten("soft_margin_loss", input, target, reductionOf(options));
}

/** Mean binary cross entropy of logits over classes. */
export function multilabel_soft_margin_loss(input: Tensor, target: Tensor, options: WeightedOptions = {}): Tensor {
  let loss = aten(
    "neg",
    aten(
      "add",
      aten("mul", target, aten("log_sigmoid", input)),
      aten("mul", aten("rsub", target, 1), aten("log_sigmoid", aten("neg", input))),
    ),
  );
  if (options.weight) loss = aten("mul", loss, options.weight);
  const last = input.ndim - 1;
  const C = sizeOf(input, last);
  loss = aten("div", aten("sum", loss, [last]), C);
  return reduce(loss, options);
}

/** 1 - cos for target 1, cos beyond the margin for -1. */
export function cosine_embedding_loss(
  input1: Tensor,
  input2: Tensor,
  target: Tensor,
  options: ReductionOptions & { readonly margin?: number } = {},
): Tensor {
  return aten("cosine_embedding_loss", input1, input2, target, options.margin ?? 0, reductionOf(options));
}

/** How far the wrong one of two inputs ranks higher. */
export function margin_ranking_loss(
  input1: Tensor,
  input2: Tensor,
  target: Tensor,
  options: ReductionOptions & { readonly margin?: number } = {},
): Tensor {
  if (input1.ndim !== input2.ndim || input1.ndim !== target.ndim) {
    throw new OperatorError(
      `margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: ${sizeText(input1)}, input2: ${sizeText(input2)}, target: ${sizeText(target)} `,
    );
  }
  return aten("margin_ranking_loss", input1, input2, target, options.margin ?? 0, reductionOf(options));
}

/** Hinge loss of one true class against all others. */
export function multi_margin_loss(
  input: Tensor,
  target: Tensor,
  options: WeightedOptions & { readonly p?: number; readonly margin?: number } = {},
): Tensor {
  const { p = 1, margin = 1, weight = null } = options;
  if (p !== 1 && p !== 2) throw new OperatorError("only p == 1 and p == 2 supported");
  if (weight && weight.ndim !== 1) throw new OperatorError("weight must be one-dimensional");
  return aten("multi_margin_loss", input, target, p, float(margin), weight, reductionOf(options));
}

/** Options of `triplet_margin_loss`. */
export interface TripletOptions extends ReductionOptions {
  /** By how much the right answer has to win. */
  readonly margin?: number;
  /** Order of the norm, or probability of zeroing an element. */
  readonly p?: number;
  /** Added where a division by zero could be. */
  readonly eps?: number;
  /** Whether the distance of positive and negative counts where it is smaller. */
  readonly swap?: boolean;
}

/** How much nearer the anchor is to the negative than to the positive. */
export function triplet_margin_loss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options: TripletOptions = {},
): Tensor {
  const { margin = 1, p = 2, eps = 1e-6, swap = false } = options;
  if (margin <= 0) throw new OperatorError(`margin must be greater than 0, got ${margin}`);
  return aten("triplet_margin_loss", anchor, positive, negative, margin, p, eps, swap, reductionOf(options));
}

/** A distance of two tensors. */
export type DistanceFunction = (x1: Tensor, x2: Tensor) => Tensor;

/** `triplet_margin_loss` with another distance. */
export function triplet_margin_with_distance_loss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options: ReductionOptions & {
    readonly distanceFunction?: DistanceFunction | null;
    readonly margin?: number;
    readonly swap?: boolean;
  } = {},
): Tensor {
  const { margin = 1, swap = false } = options;
  const { distanceFunction: distance } = options;
  if (margin <= 0) throw new OperatorError(`margin must be greater than 0, got ${margin}`);
  if (anchor.ndim !== positive.ndim || positive.ndim !== negative.ndim) {
    throw new OperatorError(
      `The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: anchor ${anchor.ndim}D, positive ${positive.ndim}D, and negative ${negative.ndim}D inputs`,
    );
  }
  const distPos = distance ? distance(anchor, positive) : aten("pairwise_distance", anchor, positive);
  let distNeg = distance ? distance(anchor, negative) : aten("pairwise_distance", anchor, negative);
  if (swap) {
    const distSwap = distance ? distance(positive, negative) : aten("pairwise_distance", positive, negative);
    distNeg = aten("minimum", distNeg, distSwap);
  }
  const loss = aten("clamp_min", aten("sub", aten("add", distPos, float(margin)), distNeg), 0);
  return reduce(loss, options);
}

/** Connectionist temporal classification. */
export function ctc_loss(
  logProbs: Tensor,
  targets: Tensor,
  inputLengths: Tensor | readonly number[],
  targetLengths: Tensor | readonly number[],
  options: ReductionOptions & { readonly blank?: number; readonly zeroInfinity?: boolean } = {},
): Tensor {
  return aten(
    "ctc_loss",
    logProbs,
    targets,
    inputLengths,
    targetLengths,
    options.blank ?? 0,
    reductionOf(options),
    options.zeroInfinity ?? false,
  );
}
