/** @file Losses. Upstream: torch/nn/modules/loss.py. Spec: none. */
import type { Tensor } from "../tensor/tensor.ts";
import * as F from "./functional_loss.ts";
import type {
  ClassLossOptions,
  DistanceFunction,
  Reduction,
  ReductionOptions,
  TripletOptions,
  WeightedOptions,
} from "./functional_loss.ts";
import { Module } from "./module.ts";
import { PairwiseDistance } from "./reshape.ts";
import type { ModuleScript } from "./module_script.ts";
import { callScript } from "./scripts/module_text.ts";

/** What all losses share. */
abstract class Loss extends Module {
  /** `"mean"`, `"sum"` or `"none"`: what becomes of the losses of the examples. */
  readonly reduction: Reduction;
  constructor(options: ReductionOptions = {}) {
    super();
    this.reduction = options.reduction ?? "mean";
  }
}

/** A loss with a buffer of weights. */
abstract class WeightedLoss extends Loss {
  /** What inputs are multiplied by; learned. In losses: what each class counts. */
  declare weight: Tensor | null;
  constructor(options: WeightedOptions = {}) {
    super(options);
    this.registerBuffer("weight", options.weight ?? null);
  }
}

/** |input - target|. */
export class L1Loss extends Loss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.L1Loss",
    "input: Tensor, target: Tensor",
    "F.l1_loss(input, target, reduction=self.reduction)",
    { constants: ["reduction"], attributes: { reduction: "str" } },
  );
  forward(input: Tensor, target: Tensor): Tensor {
    return F.l1_loss(input, target, { reduction: this.reduction });
  }
}

/** (input - target)^2. */
export class MSELoss extends Loss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.MSELoss",
    "input: Tensor, target: Tensor",
    "F.mse_loss(input, target, reduction=self.reduction)",
    { constants: ["reduction"], attributes: { reduction: "str" } },
  );
  forward(input: Tensor, target: Tensor): Tensor {
    return F.mse_loss(input, target, { reduction: this.reduction });
  }
}

/** Squares near 0, absolute values beyond `beta`. */
export class SmoothL1Loss extends Loss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.SmoothL1Loss",
    "input: Tensor, target: Tensor",
    "F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)",
    { constants: ["reduction"], attributes: { reduction: "str", beta: "float" } },
  );
  /** Weight of the smooth part. */
  readonly beta: number;
  constructor(options: ReductionOptions & { readonly beta?: number } = {}) {
    super(options);
    this.beta = options.beta ?? 1;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.smooth_l1_loss(input, target, { beta: this.beta, reduction: this.reduction });
  }
}

/** Squares near 0, absolute values times `delta` beyond. */
export class HuberLoss extends Loss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.HuberLoss",
    "input: Tensor, target: Tensor",
    "F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)",
    { constants: ["reduction", "delta"], attributes: { reduction: "str", delta: "float" } },
  );
  /** Where the loss turns from quadratic to linear. */
  readonly delta: number;
  constructor(options: ReductionOptions & { readonly delta?: number } = {}) {
    super(options);
    this.delta = options.delta ?? 1;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.huber_loss(input, target, { delta: this.delta, reduction: this.reduction });
  }
}

/** Negative log likelihood of log-probabilities. */
export class NLLLoss extends WeightedLoss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.NLLLoss",
    "input: Tensor, target: Tensor",
    "F.nll_loss(input, target, weight=self.weight, ignore_index=self.ignore_index, reduction=self.reduction)",
    { constants: ["ignore_index", "reduction"], attributes: { ignore_index: "int" } },
  );
  /** Target that does not count. */
  readonly ignore_index: number;
  constructor(options: ClassLossOptions = {}) {
    super(options);
    this.ignore_index = options.ignoreIndex ?? -100;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.nll_loss(input, target, {
      weight: this.weight,
      ignoreIndex: this.ignore_index,
      reduction: this.reduction,
    });
  }
}

/** Cross entropy of logits with classes or probabilities. */
export class CrossEntropyLoss extends WeightedLoss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.CrossEntropyLoss",
    "input: Tensor, target: Tensor",
    "F.cross_entropy(input, target, weight=self.weight, ignore_index=self.ignore_index, reduction=self.reduction, label_smoothing=self.label_smoothing)",
    {
      constants: ["ignore_index", "reduction", "label_smoothing"],
      attributes: { ignore_index: "int", label_smoothing: "float" },
    },
  );
  /** Target that does not count. */
  readonly ignore_index: number;
  /** Share of the target that is spread over all classes. */
  readonly label_smoothing: number;
  constructor(options: ClassLossOptions & { readonly labelSmoothing?: number } = {}) {
    super(options);
    this.ignore_index = options.ignoreIndex ?? -100;
    this.label_smoothing = options.labelSmoothing ?? 0;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.cross_entropy(input, target, {
      weight: this.weight,
      ignoreIndex: this.ignore_index,
      labelSmoothing: this.label_smoothing,
      reduction: this.reduction,
    });
  }
}

/** Binary cross entropy of probabilities. */
export class BCELoss extends WeightedLoss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.BCELoss",
    "input: Tensor, target: Tensor",
    "F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)",
    { constants: ["reduction"], attributes: { reduction: "str" } },
  );
  forward(input: Tensor, target: Tensor): Tensor {
    return F.binary_cross_entropy(input, target, { weight: this.weight, reduction: this.reduction });
  }
}

/** Binary cross entropy of logits. */
export class BCEWithLogitsLoss extends WeightedLoss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.BCEWithLogitsLoss",
    "input: Tensor, target: Tensor",
    "F.binary_cross_entropy_with_logits(input, target, self.weight, pos_weight=self.pos_weight, reduction=self.reduction)",
    { attributes: { reduction: "str" } },
  );
  /** What positive examples count; null for 1. */
  declare pos_weight: Tensor | null;
  constructor(options: WeightedOptions & { readonly posWeight?: Tensor | null } = {}) {
    super(options);
    this.registerBuffer("pos_weight", options.posWeight ?? null);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.binary_cross_entropy_with_logits(input, target, {
      weight: this.weight,
      posWeight: this.pos_weight,
      reduction: this.reduction,
    });
  }
}

/** Kullback-Leibler divergence of log-probabilities from targets. */
export class KLDivLoss extends Module {
  static readonly torchscript: ModuleScript = callScript(
    "loss.KLDivLoss",
    "input: Tensor, target: Tensor",
    "F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)",
    { constants: ["reduction"], attributes: { reduction: "str" } },
  );
  /** `"mean"`, `"sum"` or `"none"`: what becomes of the losses of the examples. */
  readonly reduction: Reduction | "batchmean";
  /** Whether the target is a logarithm. */
  readonly log_target: boolean;
  constructor(options: { readonly reduction?: Reduction | "batchmean"; readonly logTarget?: boolean } = {}) {
    super();
    this.reduction = options.reduction ?? "mean";
    this.log_target = options.logTarget ?? false;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.kl_div(input, target, { reduction: this.reduction, logTarget: this.log_target });
  }
}

/** Connectionist temporal classification. */
export class CTCLoss extends Loss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.CTCLoss",
    "log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor",
    "F.ctc_loss(log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity)",
    { constants: ["blank", "reduction"], attributes: { blank: "int", zero_infinity: "bool" } },
  );
  /** Label that stands for nothing. */
  readonly blank: number;
  /** Whether infinite losses count as zero. */
  readonly zero_infinity: boolean;
  constructor(options: ReductionOptions & { readonly blank?: number; readonly zeroInfinity?: boolean } = {}) {
    super(options);
    this.blank = options.blank ?? 0;
    this.zero_infinity = options.zeroInfinity ?? false;
  }
  forward(
    logProbs: Tensor,
    targets: Tensor,
    inputLengths: Tensor | readonly number[],
    targetLengths: Tensor | readonly number[],
  ): Tensor {
    return F.ctc_loss(logProbs, targets, inputLengths, targetLengths, {
      blank: this.blank,
      reduction: this.reduction,
      zeroInfinity: this.zero_infinity,
    });
  }
}

/** TripletMarginLoss with another distance. */
export class TripletMarginWithDistanceLoss extends Loss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.TripletMarginWithDistanceLoss",
    "anchor: Tensor, positive: Tensor, negative: Tensor",
    "F.triplet_margin_with_distance_loss(anchor, positive, negative, distance_function=self.distance_function, margin=self.margin, swap=self.swap, reduction=self.reduction)",
    { constants: ["margin", "swap", "reduction"], attributes: { margin: "float", swap: "bool" } },
  );
  /** How far two tensors are apart; the p-norm where null. */
  readonly distance_function: DistanceFunction;
  /** By how much the right answer has to win. */
  readonly margin: number;
  /** Whether the distance of positive and negative counts where it is smaller. */
  readonly swap: boolean;
  constructor(
    options: ReductionOptions & {
      readonly distanceFunction?: DistanceFunction | null;
      readonly margin?: number;
      readonly swap?: boolean;
    } = {},
  ) {
    super(options);
    this.distance_function = options.distanceFunction ?? new PairwiseDistance();
    this.margin = options.margin ?? 1;
    this.swap = options.swap ?? false;
  }
  forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return F.triplet_margin_with_distance_loss(anchor, positive, negative, {
      distanceFunction: this.distance_function,
      margin: this.margin,
      swap: this.swap,
      reduction: this.reduction,
    });
  }
}

/** Negative log likelihood of a Poisson distribution. */
export class PoissonNLLLoss extends Loss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.PoissonNLLLoss",
    "log_input: Tensor, target: Tensor",
    "F.poisson_nll_loss(log_input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction)",
    {
      constants: ["log_input", "full", "eps", "reduction"],
      attributes: { log_input: "bool", full: "bool", eps: "float" },
    },
  );
  /** Whether the input is a logarithm. */
  readonly log_input: boolean;
  /** Add the constant term of Stirling's formula. */
  readonly full: boolean;
  /** Added where a division by zero could be. */
  readonly eps: number;
  constructor(
    options: ReductionOptions & { readonly logInput?: boolean; readonly full?: boolean; readonly eps?: number } = {},
  ) {
    super(options);
    this.log_input = options.logInput ?? true;
    this.full = options.full ?? false;
    this.eps = options.eps ?? 1e-8;
  }
  forward(logInput: Tensor, target: Tensor): Tensor {
    return F.poisson_nll_loss(logInput, target, {
      logInput: this.log_input,
      full: this.full,
      eps: this.eps,
      reduction: this.reduction,
    });
  }
}

/** Negative log likelihood of a Gaussian with the given variance. */
export class GaussianNLLLoss extends Loss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.GaussianNLLLoss",
    "input: Tensor, target: Tensor, var: Union[Tensor, float]",
    "F.gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)",
    { constants: ["full", "eps", "reduction"], attributes: { full: "bool", eps: "float" } },
  );
  /** Add the constant term of Stirling's formula. */
  readonly full: boolean;
  /** Added where a division by zero could be. */
  readonly eps: number;
  constructor(options: ReductionOptions & { readonly full?: boolean; readonly eps?: number } = {}) {
    super(options);
    this.full = options.full ?? false;
    this.eps = options.eps ?? 1e-6;
  }
  forward(input: Tensor, target: Tensor, var_: Tensor | number): Tensor {
    return F.gaussian_nll_loss(input, target, var_, { full: this.full, eps: this.eps, reduction: this.reduction });
  }
}

/** Distance for target 1, margin minus distance for -1. */
export class HingeEmbeddingLoss extends Loss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.HingeEmbeddingLoss",
    "input: Tensor, target: Tensor",
    "F.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)",
    { constants: ["margin", "reduction"], attributes: { margin: "float" } },
  );
  /** By how much the right answer has to win. */
  readonly margin: number;
  constructor(options: ReductionOptions & { readonly margin?: number } = {}) {
    super(options);
    this.margin = options.margin ?? 1;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.hinge_embedding_loss(input, target, { margin: this.margin, reduction: this.reduction });
  }
}

/** Hinge loss between all pairs of a true and a false class. */
export class MultiLabelMarginLoss extends Loss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.MultiLabelMarginLoss",
    "input: Tensor, target: Tensor",
    "F.multilabel_margin_loss(input, target, reduction=self.reduction)",
    { constants: ["reduction"], attributes: { reduction: "str" } },
  );
  forward(input: Tensor, target: Tensor): Tensor {
    return F.multilabel_margin_loss(input, target, { reduction: this.reduction });
  }
}

/** log(1 + exp(-target * input)). */
export class SoftMarginLoss extends Loss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.SoftMarginLoss",
    "input: Tensor, target: Tensor",
    "F.soft_margin_loss(input, target, reduction=self.reduction)",
    { constants: ["reduction"], attributes: { reduction: "str" } },
  );
  forward(input: Tensor, target: Tensor): Tensor {
    return F.soft_margin_loss(input, target, { reduction: this.reduction });
  }
}

/** Mean binary cross entropy of logits over classes. */
export class MultiLabelSoftMarginLoss extends WeightedLoss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.MultiLabelSoftMarginLoss",
    "input: Tensor, target: Tensor",
    "F.multilabel_soft_margin_loss(input, target, weight=self.weight, reduction=self.reduction)",
    { constants: ["reduction"], attributes: { reduction: "str" } },
  );
  forward(input: Tensor, target: Tensor): Tensor {
    return F.multilabel_soft_margin_loss(input, target, { weight: this.weight, reduction: this.reduction });
  }
}

/** 1 - cos for target 1, cos beyond the margin for -1. */
export class CosineEmbeddingLoss extends Loss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.CosineEmbeddingLoss",
    "input1: Tensor, input2: Tensor, target: Tensor",
    "F.cosine_embedding_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)",
    { constants: ["margin", "reduction"], attributes: { margin: "float" } },
  );
  /** By how much the right answer has to win. */
  readonly margin: number;
  constructor(options: ReductionOptions & { readonly margin?: number } = {}) {
    super(options);
    this.margin = options.margin ?? 0;
  }
  forward(input1: Tensor, input2: Tensor, target: Tensor): Tensor {
    return F.cosine_embedding_loss(input1, input2, target, { margin: this.margin, reduction: this.reduction });
  }
}

/** How far the wrong one of two inputs ranks higher. */
export class MarginRankingLoss extends Loss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.MarginRankingLoss",
    "input1: Tensor, input2: Tensor, target: Tensor",
    "F.margin_ranking_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)",
    { constants: ["margin", "reduction"], attributes: { margin: "float" } },
  );
  /** By how much the right answer has to win. */
  readonly margin: number;
  constructor(options: ReductionOptions & { readonly margin?: number } = {}) {
    super(options);
    this.margin = options.margin ?? 0;
  }
  forward(input1: Tensor, input2: Tensor, target: Tensor): Tensor {
    return F.margin_ranking_loss(input1, input2, target, { margin: this.margin, reduction: this.reduction });
  }
}

/** Hinge loss of one true class against all others. */
export class MultiMarginLoss extends WeightedLoss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.MultiMarginLoss",
    "input: Tensor, target: Tensor",
    "F.multi_margin_loss(input, target, p=self.p, margin=self.margin, weight=self.weight, reduction=self.reduction)",
    { constants: ["p", "margin", "reduction"], attributes: { margin: "float", p: "int" } },
  );
  /** Order of the norm, or probability of zeroing an element. */
  readonly p: number;
  /** By how much the right answer has to win. */
  readonly margin: number;
  constructor(options: WeightedOptions & { readonly p?: number; readonly margin?: number } = {}) {
    super(options);
    this.p = options.p ?? 1;
    this.margin = options.margin ?? 1;
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.multi_margin_loss(input, target, {
      p: this.p,
      margin: this.margin,
      weight: this.weight,
      reduction: this.reduction,
    });
  }
}

/** How much nearer the anchor is to the negative than to the positive. */
export class TripletMarginLoss extends Loss {
  static readonly torchscript: ModuleScript = callScript(
    "loss.TripletMarginLoss",
    "anchor: Tensor, positive: Tensor, negative: Tensor",
    "F.triplet_margin_loss(anchor, positive, negative, margin=self.margin, p=self.p, eps=self.eps, swap=self.swap, reduction=self.reduction)",
    {
      constants: ["margin", "p", "eps", "swap", "reduction"],
      attributes: { margin: "float", p: "float", eps: "float", swap: "bool" },
    },
  );
  /** By how much the right answer has to win. */
  readonly margin: number;
  /** Order of the norm, or probability of zeroing an element. */
  readonly p: number;
  /** Added where a division by zero could be. */
  readonly eps: number;
  /** Whether the distance of positive and negative counts where it is smaller. */
  readonly swap: boolean;
  constructor(options: TripletOptions = {}) {
    super(options);
    this.margin = options.margin ?? 1;
    this.p = options.p ?? 2;
    this.eps = options.eps ?? 1e-6;
    this.swap = options.swap ?? false;
  }
  forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return F.triplet_margin_loss(anchor, positive, negative, {
      margin: this.margin,
      p: this.p,
      eps: this.eps,
      swap: this.swap,
      reduction: this.reduction,
    });
  }
}
