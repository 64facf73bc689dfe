/** @file Normalisation. Upstream: torch/nn/modules/batchnorm.py, instancenorm.py, normalization.py. Spec: none. */
import { batchNormScript, instanceNormScript } from "./scripts/norm_modules.ts";
import { OperatorError } from "../base/errors.ts";
import { emitWarning } from "../base/sinks.ts";
import { scalarTensor, toNumbers } from "../tensor/data.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { getDefaultDtype } from "../tensor/promotion.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import {
  aten,
  emptyParameter,
  floatText,
  pairsText,
  tupleText,
  valueText,
  type FactoryOptions,
  type Size,
} from "./aten.ts";
import * as F from "./functional_layers.ts";
import { ones_, zeros_ } from "./init.ts";
import { Module } from "./module.ts";
import { dimDiffers, sizeOf } from "./sizes.ts";
import type { Parameter } from "./parameter.ts";
import type { StateLoad } from "./state_dict.ts";
import type { ModuleScript } from "./module_script.ts";
import { callScript, moduleScript } from "./scripts/module_text.ts";

/** Options of batch and instance normalisation. */
export interface NormOptions extends FactoryOptions {
  /** Added where a division by zero could be. */
  readonly eps?: number;
  /** How much a batch counts in the running statistics; null takes the plain mean of all batches. */
  readonly momentum?: number | null;
  /** Whether a scale and a shift are learned. */
  readonly affine?: boolean;
  /** Collect means and variances in training. */
  readonly trackRunningStats?: boolean;
  /** Whether there is a shift beside the scale; true where left out. */
  readonly bias?: boolean;
}

/** What batch and instance normalisation share. */
abstract class NormBase extends Module {
  /** Channels of the input. */
  readonly num_features: number;
  /** Added where a division by zero could be. */
  readonly eps: number;
  /** Share of the newest batch in the running statistics; null for a plain mean of all. */
  readonly momentum: number | null;
  /** Learn a weight and a bias for each channel. */
  readonly affine: boolean;
  /** Whether means and variances are collected in training. */
  readonly track_running_stats: boolean;
  /** What inputs are multiplied by; learned. In losses: what each class counts. */
  declare weight: Parameter | null;
  /** Values that are added, one for each output; null or false without. */
  declare bias: Parameter | null;
  /** Means that were collected in training; null without. */
  declare running_mean: Tensor | null;
  /** Variances that were collected in training; null without. */
  declare running_var: Tensor | null;
  /** How many batches the running statistics have seen; null without them. */
  declare num_batches_tracked: Tensor | null;

  constructor(numFeatures: number, options: NormOptions, byDefault: boolean) {
    super();
    this.num_features = numFeatures;
    this.eps = options.eps ?? 1e-5;
    this.momentum = options.momentum === undefined ? 0.1 : options.momentum;
    this.affine = options.affine ?? byDefault;
    this.track_running_stats = options.trackRunningStats ?? byDefault;
    this.registerParameter("weight", this.affine ? emptyParameter([numFeatures], options) : null);
    this.registerParameter(
      "bias",
      this.affine && (options.bias ?? true) ? emptyParameter([numFeatures], options) : null,
    );
    const statistic = (): Tensor | null =>
      this.track_running_stats ? emptyTensor([numFeatures], options.dtype ?? getDefaultDtype()) : null;
    this.registerBuffer("running_mean", statistic());
    this.registerBuffer("running_var", statistic());
    this.registerBuffer("num_batches_tracked", this.track_running_stats ? scalarTensor(0, DTYPES.int64) : null);
    this.resetParameters();
  }

  /** Forgets all batches. */
  resetRunningStats(): void {
    if (!this.track_running_stats) return;
    zeros_(this.running_mean!);
    ones_(this.running_var!);
    zeros_(this.num_batches_tracked!);
  }

  /** Sets the initial values. */
  resetParameters(): void {
    this.resetRunningStats();
    if (this.weight) ones_(this.weight);
    if (this.bias) zeros_(this.bias);
  }

  /** The numbers of dimensions that inputs may have. */
  protected abstract dims(): readonly number[];

  protected checkInput(input: Tensor): void {
    const dims = this.dims();
    if (!dims.includes(input.ndim))
      throw new OperatorError(`expected ${dims.map((d) => `${d}D`).join(" or ")} input (got ${input.ndim}D input)`);
  }

  override extraRepr(): string {
    return `${this.num_features}, ${pairsText({
      eps: floatText(this.eps),
      momentum: this.momentum === null ? "None" : floatText(this.momentum),
      affine: valueText(this.affine),
      bias: valueText(this.bias !== null),
      track_running_stats: valueText(this.track_running_stats),
    })}`;
  }

  override stateVersion(): number {
    return 2;
  }

  override loadOwnState(load: StateLoad): void {
    const key = `${load.prefix}num_batches_tracked`;
    // states of version 1 do not count batches
    if ((load.version === undefined || load.version < 2) && this.track_running_stats && !load.tensors.has(key)) {
      load.tensors.set(key, this.num_batches_tracked ?? scalarTensor(0, DTYPES.int64));
    }
    super.loadOwnState(load);
  }
}

/** Batch normalisation of any number of dimensions. */
abstract class BatchNorm extends NormBase {
  constructor(numFeatures: number, options: NormOptions = {}) {
    super(numFeatures, options, true);
  }

  forward(input: Tensor): Tensor {
    this.checkInput(input);
    let momentum = this.momentum ?? 0;
    if (this.training && this.track_running_stats && this.num_batches_tracked) {
      aten("add_", this.num_batches_tracked, 1);
      if (this.momentum === null) momentum = 1 / toNumbers(this.num_batches_tracked)[0]!;
    }
    const useRunning = !this.training || this.track_running_stats;
    return F.batch_norm(input, useRunning ? this.running_mean : null, useRunning ? this.running_var : null, {
      weight: this.weight,
      bias: this.bias,
      training: this.training || (this.running_mean === null && this.running_var === null),
      momentum,
      eps: this.eps,
    });
  }
}

/** Batch normalisation of (N, C) or (N, C, L). */
export class BatchNorm1d extends BatchNorm {
  static readonly torchscript: ModuleScript = batchNormScript(1);
  protected dims(): readonly number[] {
    return [2, 3];
  }
}

/** Batch normalisation of (N, C, H, W). */
export class BatchNorm2d extends BatchNorm {
  static readonly torchscript: ModuleScript = batchNormScript(2);
  protected dims(): readonly number[] {
    return [4];
  }
}

/** Batch normalisation of (N, C, D, H, W). */
export class BatchNorm3d extends BatchNorm {
  static readonly torchscript: ModuleScript = batchNormScript(3);
  protected dims(): readonly number[] {
    return [5];
  }
}

/** Instance normalisation of any number of dimensions. */
abstract class InstanceNorm extends NormBase {
  constructor(numFeatures: number, options: NormOptions = {}) {
    super(numFeatures, options, false);
  }

  override loadOwnState(load: StateLoad): void {
    if (load.version === undefined && !this.track_running_stats) {
      const keys = ["running_mean", "running_var"]
        .map((name) => load.prefix + name)
        .filter((key) => load.tensors.has(key));
      if (keys.length > 0) {
        const names = keys.map((key) => `"${key}"`).join(" and ");
        load.errors.push(
          `Unexpected running stats buffer(s) ${names} for ${this.getName()} with track_running_stats=False. If state_dict is a checkpoint saved before 0.4.0, this may be expected because ${this.getName()} does not track running stats by default since 0.4.0. Please remove these keys from state_dict. If the running stats are actually needed, instead set track_running_stats=True in ${this.getName()} to enable them. See the documentation of ${this.getName()} for details.`,
        );
        for (const key of keys) load.tensors.delete(key);
      }
    }
    super.loadOwnState(load);
  }

  forward(input: Tensor): Tensor {
    this.checkInput(input);
    const withoutBatch = this.dims()[0]!;
    const at = input.ndim - withoutBatch;
    if (dimDiffers(sizeOf(input, at), this.num_features)) {
      if (this.affine)
        throw new OperatorError(
          `expected input's size at dim=${at} to match num_features (${this.num_features}), but got: ${input.sizes[at]}.`,
        );
      emitWarning(
        `input's size at dim=${at} does not match num_features. You can silence this warning by not passing in num_features, which is not used because affine=False`,
      );
    }
    const options = {
      runningMean: this.running_mean,
      runningVar: this.running_var,
      weight: this.weight,
      bias: this.bias,
      useInputStats: this.training || !this.track_running_stats,
      momentum: this.momentum ?? 0,
      eps: this.eps,
    };
    if (input.ndim === withoutBatch) return aten("squeeze", F.instance_norm(aten("unsqueeze", input, 0), options), 0);
    return F.instance_norm(input, options);
  }
}

/** Instance normalisation of (N, C, L) or (C, L). */
export class InstanceNorm1d extends InstanceNorm {
  static readonly torchscript: ModuleScript = instanceNormScript(1);
  protected dims(): readonly number[] {
    return [2, 3];
  }
}

/** Instance normalisation of (N, C, H, W) or (C, H, W). */
export class InstanceNorm2d extends InstanceNorm {
  static readonly torchscript: ModuleScript = instanceNormScript(2);
  protected dims(): readonly number[] {
    return [3, 4];
  }
}

/** Instance normalisation of (N, C, D, H, W) or (C, D, H, W). */
export class InstanceNorm3d extends InstanceNorm {
  static readonly torchscript: ModuleScript = instanceNormScript(3);
  protected dims(): readonly number[] {
    return [4, 5];
  }
}

/** Options of LayerNorm. */
export interface LayerNormOptions extends FactoryOptions {
  /** Added where a division by zero could be. */
  readonly eps?: number;
  /** Learn a weight and a bias for each element. */
  readonly elementwiseAffine?: boolean;
  /** Values that are added, one for each output; null or false without. */
  readonly bias?: boolean;
}

/** Normalises the last dimensions. */
export class LayerNorm extends Module {
  static readonly torchscript: ModuleScript = moduleScript(
    "normalization.LayerNorm",
    "def forward(self, input: Tensor) -> Tensor:\n    return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)\n",
    {
      constants: ["normalized_shape", "eps", "elementwise_affine"],
      attributes: { eps: "float", elementwise_affine: "bool" },
    },
  );
  /** The last dimensions, over which the mean is taken. */
  readonly normalized_shape: readonly number[];
  /** Added where a division by zero could be. */
  readonly eps: number;
  /** Whether a weight and a bias are learned for each element. */
  readonly elementwise_affine: boolean;
  /** What inputs are multiplied by; learned. In losses: what each class counts. */
  declare weight: Parameter | null;
  /** Values that are added, one for each output; null or false without. */
  declare bias: Parameter | null;

  constructor(normalizedShape: Size, options: LayerNormOptions = {}) {
    super();
    this.normalized_shape = typeof normalizedShape === "number" ? [normalizedShape] : normalizedShape;
    this.eps = options.eps ?? 1e-5;
    this.elementwise_affine = options.elementwiseAffine ?? true;
    this.registerParameter("weight", this.elementwise_affine ? emptyParameter(this.normalized_shape, options) : null);
    this.registerParameter(
      "bias",
      this.elementwise_affine && (options.bias ?? true) ? emptyParameter(this.normalized_shape, options) : null,
    );
    this.resetParameters();
  }

  /** Sets the initial values. */
  resetParameters(): void {
    if (this.weight) ones_(this.weight);
    if (this.bias) zeros_(this.bias);
  }

  forward(input: Tensor): Tensor {
    return F.layer_norm(input, this.normalized_shape, this.weight, this.bias, this.eps);
  }

  override extraRepr(): string {
    const pairs = {
      eps: floatText(this.eps),
      elementwise_affine: valueText(this.elementwise_affine),
      bias: valueText(this.bias !== null),
    };
    return `${tupleText(this.normalized_shape)}, ${pairsText(pairs)}`;
  }
}

/** Options of RMSNorm. */
export interface RMSNormOptions extends FactoryOptions {
  /** The smallest step of the dtype where null. */
  readonly eps?: number | null;
  /** Learn a weight and a bias for each element. */
  readonly elementwiseAffine?: boolean;
}

/** Divides by the root mean square of the last dimensions. */
export class RMSNorm extends Module {
  static readonly torchscript: ModuleScript = callScript(
    "normalization.RMSNorm",
    "x: Tensor",
    "F.rms_norm(x, self.normalized_shape, self.weight, self.eps)",
    {
      constants: ["normalized_shape", "eps", "elementwise_affine"],
      attributes: { eps: "Optional[float]", elementwise_affine: "bool" },
    },
  );
  /** The last dimensions, over which the mean is taken. */
  readonly normalized_shape: readonly number[];
  /** Added where a division by zero could be. */
  readonly eps: number | null;
  /** Whether a weight and a bias are learned for each element. */
  readonly elementwise_affine: boolean;
  /** What inputs are multiplied by; learned. In losses: what each class counts. */
  declare weight: Parameter | null;

  constructor(normalizedShape: Size, options: RMSNormOptions = {}) {
    super();
    this.normalized_shape = typeof normalizedShape === "number" ? [normalizedShape] : normalizedShape;
    this.eps = options.eps ?? null;
    this.elementwise_affine = options.elementwiseAffine ?? true;
    this.registerParameter("weight", this.elementwise_affine ? emptyParameter(this.normalized_shape, options) : null);
    this.resetParameters();
  }

  /** Sets the initial values. */
  resetParameters(): void {
    if (this.weight) ones_(this.weight);
  }

  forward(x: Tensor): Tensor {
    return F.rms_norm(x, this.normalized_shape, this.weight, this.eps);
  }

  override extraRepr(): string {
    const eps = this.eps === null ? "None" : floatText(this.eps);
    return `${tupleText(this.normalized_shape)}, eps=${eps}, elementwise_affine=${valueText(this.elementwise_affine)}`;
  }
}

/** Options of GroupNorm. */
export interface GroupNormOptions extends FactoryOptions {
  /** Added where a division by zero could be. */
  readonly eps?: number;
  /** Learn a weight and a bias for each channel. */
  readonly affine?: boolean;
  /** Values that are added, one for each output; null or false without. */
  readonly bias?: boolean;
}

/** Normalises groups of channels. */
export class GroupNorm extends Module {
  static readonly torchscript: ModuleScript = moduleScript(
    "normalization.GroupNorm",
    "def forward(self, input: Tensor) -> Tensor:\n    return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)\n",
    {
      constants: ["num_groups", "num_channels", "eps", "affine"],
      attributes: { num_groups: "int", num_channels: "int", eps: "float", affine: "bool" },
    },
  );
  /** Into how many parts the channels are divided. */
  readonly num_groups: number;
  /** Channels of the input. */
  readonly num_channels: number;
  /** Added where a division by zero could be. */
  readonly eps: number;
  /** Learn a weight and a bias for each channel. */
  readonly affine: boolean;
  /** What inputs are multiplied by; learned. In losses: what each class counts. */
  declare weight: Parameter | null;
  /** Values that are added, one for each output; null or false without. */
  declare bias: Parameter | null;

  constructor(numGroups: number, numChannels: number, options: GroupNormOptions = {}) {
    super();
    if (numChannels % numGroups !== 0)
      throw new OperatorError(`num_channels (${numChannels}) must be divisible by num_groups (${numGroups})`);
    this.num_groups = numGroups;
    this.num_channels = numChannels;
    this.eps = options.eps ?? 1e-5;
    this.affine = options.affine ?? true;
    this.registerParameter("weight", this.affine ? emptyParameter([numChannels], options) : null);
    this.registerParameter(
      "bias",
      this.affine && (options.bias ?? true) ? emptyParameter([numChannels], options) : null,
    );
    this.resetParameters();
  }

  /** Sets the initial values. */
  resetParameters(): void {
    if (this.weight) ones_(this.weight);
    if (this.bias) zeros_(this.bias);
  }

  forward(input: Tensor): Tensor {
    return F.group_norm(input, this.num_groups, this.weight, this.bias, this.eps);
  }

  override extraRepr(): string {
    return `${this.num_groups}, ${this.num_channels}, eps=${floatText(this.eps)}, affine=${valueText(this.affine)}, bias=${valueText(this.bias !== null)}`;
  }
}

/** Options of LocalResponseNorm. */
export interface LocalResponseNormOptions {
  /** Scale of the negative part. */
  readonly alpha?: number;
  /** Weight of the smooth part. */
  readonly beta?: number;
  /** Number that scales the neighbourhood's sum, or that the probability depends on. */
  readonly k?: number;
}

/** Divides by the energy of neighbouring channels. */
export class LocalResponseNorm extends Module {
  static readonly torchscript: ModuleScript = callScript(
    "normalization.LocalResponseNorm",
    "input: Tensor",
    "F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)",
    {
      constants: ["size", "alpha", "beta", "k"],
      attributes: { size: "int", alpha: "float", beta: "float", k: "float" },
    },
  );
  /** Size of the output, or of the neighbourhood. */
  readonly size: number;
  /** Scale of the negative part. */
  readonly alpha: number;
  /** Weight of the smooth part. */
  readonly beta: number;
  /** Number that scales the neighbourhood's sum, or that the probability depends on. */
  readonly k: number;

  constructor(size: number, options: LocalResponseNormOptions = {}) {
    super();
    this.size = size;
    this.alpha = options.alpha ?? 1e-4;
    this.beta = options.beta ?? 0.75;
    this.k = options.k ?? 1;
  }

  forward(input: Tensor): Tensor {
    return F.local_response_norm(input, this.size, this.alpha, this.beta, this.k);
  }

  override extraRepr(): string {
    return `${this.size}, alpha=${floatText(this.alpha)}, beta=${floatText(this.beta)}, k=${floatText(this.k)}`;
  }
}
