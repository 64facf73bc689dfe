/** @file Activations. Upstream: torch/nn/modules/activation.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import type { DType } from "../tensor/dtype.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { getDefaultDtype } from "../tensor/promotion.ts";
import { float, floatText, valueText } from "./aten.ts";
import * as F from "./functional_activation.ts";
import { constant_ } from "./init.ts";
import { Module } from "./module.ts";
import type { ModuleScript } from "./module_script.ts";
import { Parameter } from "./parameter.ts";
import { callScript, moduleScript } from "./scripts/module_text.ts";

/** Options of activations that can write over their input. */
export interface InplaceOptions {
  /** Whether the input is overwritten; false where left out. */
  readonly inplace?: boolean;
}

/** An activation that can write over its input. */
abstract class InplaceActivation extends Module {
  /** Whether the input itself is changed. */
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
  static readonly torchscript: ModuleScript = callScript(
    "activation.ReLU",
    "input: Tensor",
    "F.relu(input, inplace=self.inplace)",
    { constants: ["inplace"], attributes: { inplace: "bool" } },
  );
  forward(input: Tensor): Tensor {
    return F.relu(input, this.inplace);
  }
}

/** x * sigmoid(x). */
export class SiLU extends InplaceActivation {
  static readonly torchscript: ModuleScript = callScript(
    "activation.SiLU",
    "input: Tensor",
    "F.silu(input, inplace=self.inplace)",
    { constants: ["inplace"], attributes: { inplace: "bool" } },
  );
  forward(input: Tensor): Tensor {
    return F.silu(input, this.inplace);
  }
}

/** x * tanh(softplus(x)). */
export class Mish extends InplaceActivation {
  static readonly torchscript: ModuleScript = callScript(
    "activation.Mish",
    "input: Tensor",
    "F.mish(input, inplace=self.inplace)",
    { constants: ["inplace"], attributes: { inplace: "bool" } },
  );
  forward(input: Tensor): Tensor {
    return F.mish(input, this.inplace);
  }
}

/** Scaled exponential linear unit. */
export class SELU extends InplaceActivation {
  static readonly torchscript: ModuleScript = callScript(
    "activation.SELU",
    "input: Tensor",
    "F.selu(input, self.inplace)",
    { constants: ["inplace"], attributes: { inplace: "bool" } },
  );
  forward(input: Tensor): Tensor {
    return F.selu(input, this.inplace);
  }
}

/** x * relu6(x + 3) / 6. */
export class Hardswish extends InplaceActivation {
  static readonly torchscript: ModuleScript = callScript(
    "activation.Hardswish",
    "input: Tensor",
    "F.hardswish(input, self.inplace)",
    { constants: ["inplace"], attributes: { inplace: "bool" } },
  );
  forward(input: Tensor): Tensor {
    return F.hardswish(input, this.inplace);
  }
  override extraRepr(): string {
    return "";
  }
}

/** Piecewise linear sigmoid. */
export class Hardsigmoid extends InplaceActivation {
  static readonly torchscript: ModuleScript = callScript(
    "activation.Hardsigmoid",
    "input: Tensor",
    "F.hardsigmoid(input, self.inplace)",
    { constants: ["inplace"], attributes: { inplace: "bool" } },
  );
  forward(input: Tensor): Tensor {
    return F.hardsigmoid(input, this.inplace);
  }
  override extraRepr(): string {
    return "";
  }
}

/** 1 / (1 + exp(-x)). */
export class Sigmoid extends Module {
  static readonly torchscript: ModuleScript = callScript("activation.Sigmoid", "input: Tensor", "torch.sigmoid(input)");
  forward(input: Tensor): Tensor {
    return F.sigmoid(input);
  }
}

/** Hyperbolic tangent. */
export class Tanh extends Module {
  static readonly torchscript: ModuleScript = callScript("activation.Tanh", "input: Tensor", "torch.tanh(input)");
  forward(input: Tensor): Tensor {
    return F.tanh(input);
  }
}

/** log(sigmoid(x)). */
export class LogSigmoid extends Module {
  static readonly torchscript: ModuleScript = callScript(
    "activation.LogSigmoid",
    "input: Tensor",
    "F.logsigmoid(input)",
  );
  forward(input: Tensor): Tensor {
    return F.logsigmoid(input);
  }
}

/** x / (1 + |x|). */
export class Softsign extends Module {
  static readonly torchscript: ModuleScript = callScript("activation.Softsign", "input: Tensor", "F.softsign(input)");
  forward(input: Tensor): Tensor {
    return F.softsign(input);
  }
}

/** x - tanh(x). */
export class Tanhshrink extends Module {
  static readonly torchscript: ModuleScript = callScript(
    "activation.Tanhshrink",
    "input: Tensor",
    "F.tanhshrink(input)",
  );
  forward(input: Tensor): Tensor {
    return F.tanhshrink(input);
  }
}

/** `x` where above a threshold, else `value`. */
export class Threshold extends InplaceActivation {
  static readonly torchscript: ModuleScript = callScript(
    "activation.Threshold",
    "input: Tensor",
    "F.threshold(input, self.threshold, self.value, self.inplace)",
    {
      asWritten: ["threshold", "value"],
      constants: ["threshold", "value", "inplace"],
      attributes: { threshold: "float", value: "float", inplace: "bool" },
    },
  );
  /** Value above which elements pass as they are. */
  readonly threshold: number;
  /** What is filled in. */
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
  static readonly torchscript: ModuleScript = callScript(
    "activation.RReLU",
    "input: Tensor",
    "F.rrelu(input, self.lower, self.upper, self.training, self.inplace)",
    { constants: ["lower", "upper", "inplace"], attributes: { lower: "float", upper: "float", inplace: "bool" } },
  );
  /** Lower end of the random slope. */
  readonly lower: number;
  /** Upper end of the random slope. */
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
  static readonly torchscript: ModuleScript = callScript(
    "activation.Hardtanh",
    "input: Tensor",
    "F.hardtanh(input, self.min_val, self.max_val, self.inplace)",
    {
      constants: ["min_val", "max_val", "inplace"],
      attributes: { min_val: "float", max_val: "float", inplace: "bool" },
    },
  );
  /** Lower bound. */
  readonly min_val: number;
  /** Upper bound. */
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
  static override readonly torchscript: ModuleScript = callScript(
    "activation.ReLU6",
    "input: Tensor",
    "F.hardtanh(input, self.min_val, self.max_val, self.inplace)",
    {
      constants: ["min_val", "max_val", "inplace"],
      attributes: { min_val: "float", max_val: "float", inplace: "bool" },
    },
  );
  constructor(options: InplaceOptions = {}) {
    super(0, 6, options);
  }
  override extraRepr(): string {
    return this.inplace ? "inplace=True" : "";
  }
}

/** Exponential linear unit. */
export class ELU extends InplaceActivation {
  static readonly torchscript: ModuleScript = callScript(
    "activation.ELU",
    "input: Tensor",
    "F.elu(input, self.alpha, self.inplace)",
    { constants: ["alpha", "inplace"], attributes: { alpha: "float", inplace: "bool" } },
  );
  /** Scale of the negative part. */
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
  static readonly torchscript: ModuleScript = callScript(
    "activation.CELU",
    "input: Tensor",
    "F.celu(input, self.alpha, self.inplace)",
    { constants: ["alpha", "inplace"], attributes: { alpha: "float", inplace: "bool" } },
  );
  /** Scale of the negative part. */
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
  static readonly torchscript: ModuleScript = callScript(
    "activation.LeakyReLU",
    "input: Tensor",
    "F.leaky_relu(input, self.negative_slope, self.inplace)",
    { constants: ["inplace", "negative_slope"], attributes: { inplace: "bool", negative_slope: "float" } },
  );
  /** Slope of the negative part. */
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
  static readonly torchscript: ModuleScript = callScript("activation.GLU", "input: Tensor", "F.glu(input, self.dim)", {
    constants: ["dim"],
    attributes: { dim: "int" },
  });
  /** The dimension that is worked along. */
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
  static readonly torchscript: ModuleScript = callScript(
    "activation.GELU",
    "input: Tensor",
    "F.gelu(input, approximate=self.approximate)",
    { constants: ["approximate"], attributes: { approximate: "str" } },
  );
  /** Which formula: `"none"` or `"tanh"`. */
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
  static readonly torchscript: ModuleScript = callScript(
    "activation.Hardshrink",
    "input: Tensor",
    "F.hardshrink(input, self.lambd)",
    { constants: ["lambd"], attributes: { lambd: "float" } },
  );
  /** Half the width of the part that becomes zero. */
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
  static readonly torchscript: ModuleScript = callScript(
    "activation.Softshrink",
    "input: Tensor",
    "F.softshrink(input, self.lambd)",
    { constants: ["lambd"], attributes: { lambd: "float" } },
  );
  /** Half the width of the part that becomes zero. */
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
  static readonly torchscript: ModuleScript = callScript(
    "activation.Softplus",
    "input: Tensor",
    "F.softplus(input, self.beta, self.threshold)",
    { constants: ["beta", "threshold"], attributes: { beta: "float", threshold: "float" } },
  );
  /** Weight of the smooth part. */
  readonly beta: number;
  /** Value above which elements pass as they are. */
  readonly threshold: number;
  constructor(beta = 1, threshold = 20) {
    super();
    this.beta = beta;
    this.threshold = threshold;
  }
  forward(input: Tensor): Tensor {
    return F.softplus(input, float(this.beta), float(this.threshold));
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
  /** Dtype of the elements. */
  readonly dtype?: DType;
}

/** Leaky relu with learned slopes. */
export class PReLU extends Module {
  static readonly torchscript: ModuleScript = callScript(
    "activation.PReLU",
    "input: Tensor",
    "F.prelu(input, self.weight)",
    { constants: ["num_parameters"], attributes: { num_parameters: "int" } },
  );
  /** One slope for all channels, or one for each. */
  readonly num_parameters: number;
  /** The value that the parameter starts with. */
  readonly init: number;
  /** What inputs are multiplied by; learned. In losses: what each class counts. */
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
  /** The dimension that is worked along. */
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
  static readonly torchscript: ModuleScript = callScript(
    "activation.Softmin",
    "input: Tensor",
    "F.softmin(input, self.dim, _stacklevel=5)",
    { constants: ["dim"], attributes: { dim: "Optional[int]" } },
  );
  forward(input: Tensor): Tensor {
    return F.softmin(input, this.dim);
  }
}

/** Softmax over a dimension. */
export class Softmax extends SoftmaxBase {
  static readonly torchscript: ModuleScript = callScript(
    "activation.Softmax",
    "input: Tensor",
    "F.softmax(input, self.dim, _stacklevel=5)",
    { constants: ["dim"], attributes: { dim: "Optional[int]" } },
  );
  forward(input: Tensor): Tensor {
    return F.softmax(input, this.dim);
  }
}

/** log(softmax(x)). */
export class LogSoftmax extends SoftmaxBase {
  static readonly torchscript: ModuleScript = callScript(
    "activation.LogSoftmax",
    "input: Tensor",
    "F.log_softmax(input, self.dim, _stacklevel=5)",
    { constants: ["dim"], attributes: { dim: "Optional[int]" } },
  );
  forward(input: Tensor): Tensor {
    return F.log_softmax(input, this.dim);
  }
}

/** Softmax over the channels of (N, C, H, W) or (C, H, W). */
export class Softmax2d extends Module {
  static readonly torchscript: ModuleScript = moduleScript(
    "activation.Softmax2d",
    `def forward(self, input: Tensor) -> Tensor:
    """Over the channels."""
    if input.dim() not in (3, 4):
        raise ValueError("Softmax2d: expected input to be 3D or 4D, got {}D instead".format(input.dim()))
    return F.softmax(input, -3, _stacklevel=5)
`,
  );
  forward(input: Tensor): Tensor {
    if (input.ndim !== 3 && input.ndim !== 4)
      throw new OperatorError(`Softmax2d: expected input to be 3D or 4D, got ${input.ndim}D instead`);
    return F.softmax(input, -3);
  }
}
