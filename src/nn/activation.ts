/** @file Activations. Upstream: torch/nn/modules/activation.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import type { DType } from "../tensor/dtype.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { getDefaultDtype } from "../tensor/promotion.ts";
import { floatText, valueText } from "./aten.ts";
import * as F from "./functional_activation.ts";
import { constant_ } from "./init.ts";
import { Module } from "./module.ts";
import type { ModuleScript } from "./module_script.ts";
import { Parameter } from "./parameter.ts";

/** Options of activations that can write over their input. */
export interface InplaceOptions {
  /** Whether the input is overwritten; false where left out. */
  readonly inplace?: boolean;
}

/** An activation that can write over its input. */
abstract class InplaceActivation extends Module {
  static readonly constants: readonly string[] = ["inplace"];
  inplace: boolean;
  constructor(options: InplaceOptions = {}) {
    super();
    this.inplace = options.inplace ?? false;
  }
  override extraRepr(): string {
    return this.inplace ? "inplace=True" : "";
  }
  /** `inplace` behind other values. */
  protected inplaceText(): string {
    return this.inplace ? ", inplace=True" : "";
  }
}

/** max(x, 0). */
export class ReLU extends InplaceActivation {
  static readonly torchscript: ModuleScript = {
    name: "torch.nn.modules.activation.ReLU",
    constants: ["inplace"],
    attributes: { inplace: "bool" },
    source: "def forward(self, input: Tensor) -> Tensor:\n    return F.relu(input, inplace=self.inplace)\n",
  };
  forward(input: Tensor): Tensor {
    return F.relu(input, this.inplace);
  }
}

/** x * sigmoid(x). */
export class SiLU extends InplaceActivation {
  forward(input: Tensor): Tensor {
    return F.silu(input, this.inplace);
  }
}

/** x * tanh(softplus(x)). */
export class Mish extends InplaceActivation {
  forward(input: Tensor): Tensor {
    return F.mish(input, this.inplace);
  }
}

/** Scaled exponential linear unit. */
export class SELU extends InplaceActivation {
  forward(input: Tensor): Tensor {
    return F.selu(input, this.inplace);
  }
}

/** x * relu6(x + 3) / 6. */
export class Hardswish extends InplaceActivation {
  forward(input: Tensor): Tensor {
    return F.hardswish(input, this.inplace);
  }
  override extraRepr(): string {
    return "";
  }
}

/** Piecewise linear sigmoid. */
export class Hardsigmoid extends InplaceActivation {
  forward(input: Tensor): Tensor {
    return F.hardsigmoid(input, this.inplace);
  }
  override extraRepr(): string {
    return "";
  }
}

/** 1 / (1 + exp(-x)). */
export class Sigmoid extends Module {
  forward(input: Tensor): Tensor {
    return F.sigmoid(input);
  }
}

/** Hyperbolic tangent. */
export class Tanh extends Module {
  forward(input: Tensor): Tensor {
    return F.tanh(input);
  }
}

/** log(sigmoid(x)). */
export class LogSigmoid extends Module {
  forward(input: Tensor): Tensor {
    return F.logsigmoid(input);
  }
}

/** x / (1 + |x|). */
export class Softsign extends Module {
  forward(input: Tensor): Tensor {
    return F.softsign(input);
  }
}

/** x - tanh(x). */
export class Tanhshrink extends Module {
  forward(input: Tensor): Tensor {
    return F.tanhshrink(input);
  }
}

/** `x` where above a threshold, else `value`. */
export class Threshold extends InplaceActivation {
  static override readonly constants: readonly string[] = ["threshold", "value", "inplace"];
  readonly threshold: number;
  readonly value: number;
  constructor(threshold: number, value: number, options: InplaceOptions = {}) {
    super(options);
    this.threshold = threshold;
    this.value = value;
  }
  forward(input: Tensor): Tensor {
    return F.threshold(input, this.threshold, this.value, this.inplace);
  }
  override extraRepr(): string {
    return `threshold=${valueText(this.threshold)}, value=${valueText(this.value)}${this.inplaceText()}`;
  }
}

/** Leaky relu with random slopes while training. */
export class RReLU extends InplaceActivation {
  static override readonly constants: readonly string[] = ["lower", "upper", "inplace"];
  readonly lower: number;
  readonly upper: number;
  constructor(lower = 1 / 8, upper = 1 / 3, options: InplaceOptions = {}) {
    super(options);
    this.lower = lower;
    this.upper = upper;
  }
  forward(input: Tensor): Tensor {
    return F.rrelu(input, this.lower, this.upper, this.training, this.inplace);
  }
  override extraRepr(): string {
    return `lower=${floatText(this.lower)}, upper=${floatText(this.upper)}${this.inplaceText()}`;
  }
}

/** Limited to [minVal, maxVal]. */
export class Hardtanh extends InplaceActivation {
  static override readonly constants: readonly string[] = ["min_val", "max_val", "inplace"];
  readonly min_val: number;
  readonly max_val: number;
  constructor(minVal = -1, maxVal = 1, options: InplaceOptions = {}) {
    super(options);
    if (maxVal <= minVal) throw new OperatorError("max_val must be larger than min_val");
    this.min_val = minVal;
    this.max_val = maxVal;
  }
  forward(input: Tensor): Tensor {
    return F.hardtanh(input, this.min_val, this.max_val, this.inplace);
  }
  override extraRepr(): string {
    return `min_val=${floatText(this.min_val)}, max_val=${floatText(this.max_val)}${this.inplaceText()}`;
  }
}

/** min(max(x, 0), 6). */
export class ReLU6 extends Hardtanh {
  constructor(options: InplaceOptions = {}) {
    super(0, 6, options);
  }
  override extraRepr(): string {
    return this.inplace ? "inplace=True" : "";
  }
}

/** Exponential linear unit. */
export class ELU extends InplaceActivation {
  static override readonly constants: readonly string[] = ["alpha", "inplace"];
  readonly alpha: number;
  constructor(alpha = 1, options: InplaceOptions = {}) {
    super(options);
    this.alpha = alpha;
  }
  forward(input: Tensor): Tensor {
    return F.elu(input, this.alpha, this.inplace);
  }
  override extraRepr(): string {
    return `alpha=${floatText(this.alpha)}${this.inplaceText()}`;
  }
}

/** Continuously differentiable exponential linear unit. */
export class CELU extends InplaceActivation {
  static override readonly constants: readonly string[] = ["alpha", "inplace"];
  readonly alpha: number;
  constructor(alpha = 1, options: InplaceOptions = {}) {
    super(options);
    this.alpha = alpha;
  }
  forward(input: Tensor): Tensor {
    return F.celu(input, this.alpha, this.inplace);
  }
  override extraRepr(): string {
    return `alpha=${floatText(this.alpha)}${this.inplaceText()}`;
  }
}

/** max(x, 0) + slope * min(x, 0). */
export class LeakyReLU extends InplaceActivation {
  static override readonly constants: readonly string[] = ["inplace", "negative_slope"];
  readonly negative_slope: number;
  constructor(negativeSlope = 0.01, options: InplaceOptions = {}) {
    super(options);
    this.negative_slope = negativeSlope;
  }
  forward(input: Tensor): Tensor {
    return F.leaky_relu(input, this.negative_slope, this.inplace);
  }
  override extraRepr(): string {
    return `negative_slope=${floatText(this.negative_slope)}${this.inplaceText()}`;
  }
}

/** The first half of a dimension, gated by the second. */
export class GLU extends Module {
  static readonly constants: readonly string[] = ["dim"];
  readonly dim: number;
  constructor(dim = -1) {
    super();
    this.dim = dim;
  }
  forward(input: Tensor): Tensor {
    return F.glu(input, this.dim);
  }
  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}

/** Gaussian error linear unit. */
export class GELU extends Module {
  static readonly constants: readonly string[] = ["approximate"];
  readonly approximate: "none" | "tanh";
  constructor(options: { readonly approximate?: "none" | "tanh" } = {}) {
    super();
    this.approximate = options.approximate ?? "none";
  }
  forward(input: Tensor): Tensor {
    return F.gelu(input, this.approximate);
  }
  override extraRepr(): string {
    return `approximate='${this.approximate}'`;
  }
}

/** x where |x| is above lambd, else 0. */
export class Hardshrink extends Module {
  static readonly constants: readonly string[] = ["lambd"];
  readonly lambd: number;
  constructor(lambd = 0.5) {
    super();
    this.lambd = lambd;
  }
  forward(input: Tensor): Tensor {
    return F.hardshrink(input, this.lambd);
  }
  override extraRepr(): string {
    return floatText(this.lambd);
  }
}

/** x moved towards 0 by lambd. */
export class Softshrink extends Module {
  static readonly constants: readonly string[] = ["lambd"];
  readonly lambd: number;
  constructor(lambd = 0.5) {
    super();
    this.lambd = lambd;
  }
  forward(input: Tensor): Tensor {
    return F.softshrink(input, this.lambd);
  }
  override extraRepr(): string {
    return floatText(this.lambd);
  }
}

/** Smooth relu. */
export class Softplus extends Module {
  static readonly constants: readonly string[] = ["beta", "threshold"];
  readonly beta: number;
  readonly threshold: number;
  constructor(beta = 1, threshold = 20) {
    super();
    this.beta = beta;
    this.threshold = threshold;
  }
  forward(input: Tensor): Tensor {
    return F.softplus(input, this.beta, this.threshold);
  }
  override extraRepr(): string {
    return `beta=${floatText(this.beta)}, threshold=${floatText(this.threshold)}`;
  }
}

/** Options of PReLU. */
export interface PReLUOptions {
  /** One slope for all, or one per channel. */
  readonly numParameters?: number;
  /** The initial slope; 0.25 where left out. */
  readonly init?: number;
  readonly dtype?: DType;
}

/** Leaky relu with learned slopes. */
export class PReLU extends Module {
  static readonly constants: readonly string[] = ["num_parameters"];
  readonly num_parameters: number;
  readonly init: number;
  weight: Parameter;
  constructor(options: PReLUOptions = {}) {
    super();
    this.num_parameters = options.numParameters ?? 1;
    this.init = options.init ?? 0.25;
    this.weight = new Parameter(emptyTensor([this.num_parameters], options.dtype ?? getDefaultDtype()));
    this.resetParameters();
  }
  /** Sets the initial slopes. */
  resetParameters(): void {
    constant_(this.weight, this.init);
  }
  forward(input: Tensor): Tensor {
    return F.prelu(input, this.weight);
  }
  override extraRepr(): string {
    return `num_parameters=${this.num_parameters}`;
  }
}

/** What the softmax family shares. */
abstract class SoftmaxBase extends Module {
  static readonly constants: readonly string[] = ["dim"];
  readonly dim: number | null;
  constructor(dim: number | null = null) {
    super();
    this.dim = dim;
  }
  override extraRepr(): string {
    return `dim=${valueText(this.dim)}`;
  }
}

/** Softmax of -x. */
export class Softmin extends SoftmaxBase {
  forward(input: Tensor): Tensor {
    return F.softmin(input, this.dim);
  }
}

/** Softmax over a dimension. */
export class Softmax extends SoftmaxBase {
  forward(input: Tensor): Tensor {
    return F.softmax(input, this.dim);
  }
}

/** log(softmax(x)). */
export class LogSoftmax extends SoftmaxBase {
  forward(input: Tensor): Tensor {
    return F.log_softmax(input, this.dim);
  }
}

/** Softmax over the channels of (N, C, H, W) or (C, H, W). */
export class Softmax2d extends Module {
  forward(input: Tensor): Tensor {
    if (input.ndim !== 3 && input.ndim !== 4)
      throw new OperatorError(`Softmax2d: expected input to be 3D or 4D, got ${input.ndim}D instead`);
    return F.softmax(input, -3);
  }
}
