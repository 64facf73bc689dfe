/** @file Linear maps. Upstream: torch/nn/modules/linear.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { emptyParameter, pairsText, valueText, type FactoryOptions } from "./aten.ts";
import * as F from "./functional_layers.ts";
import { calculateFanInAndFanOut, kaiming_uniform_, uniform_ } from "./init.ts";
import { Module } from "./module.ts";
import type { ModuleScript } from "./module_script.ts";
import type { Parameter } from "./parameter.ts";
import { callScript } from "./scripts/module_text.ts";

/** Gives its input back. */
export class Identity extends Module {
  static readonly torchscript: ModuleScript = callScript("linear.Identity", "input: Tensor", "input");
  /** Arguments are taken and left unused, as in PyTorch. */
  constructor(..._args: unknown[]) {
    super();
  }
  forward(input: Tensor): Tensor {
    return input;
  }
}

/** Options of Linear and Bilinear. */
export interface LinearOptions extends FactoryOptions {
  /** Whether something is added; true where left out. */
  readonly bias?: boolean;
}

/** `x @ weight.T + bias`. */
export class Linear extends Module {
  static readonly torchscript: ModuleScript = callScript(
    "linear.Linear",
    "input: Tensor",
    "F.linear(input, self.weight, self.bias)",
    {
      constants: ["in_features", "out_features"],
      attributes: { in_features: "int", out_features: "int", weight: "Tensor" },
    },
  );
  /** Size of the input's last dimension. */
  readonly in_features: number;
  /** Size of the output's last dimension. */
  readonly out_features: number;
  /** What inputs are multiplied by; learned. In losses: what each class counts. */
  weight: Parameter;
  /** Values that are added, one for each output; null or false without. */
  declare bias: Parameter | null;

  constructor(inFeatures: number, outFeatures: number, options: LinearOptions = {}) {
    super();
    this.in_features = inFeatures;
    this.out_features = outFeatures;
    this.weight = emptyParameter([outFeatures, inFeatures], options);
    this.registerParameter("bias", (options.bias ?? true) ? emptyParameter([outFeatures], options) : null);
    this.resetParameters();
  }

  /** Draws the default initial values. */
  resetParameters(): void {
    kaiming_uniform_(this.weight, { a: Math.sqrt(5) });
    if (!this.bias) return;
    const [fanIn] = calculateFanInAndFanOut(this.weight);
    const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0;
    uniform_(this.bias, -bound, bound);
  }

  forward(input: Tensor): Tensor {
    return F.linear(input, this.weight, this.bias);
  }

  override extraRepr(): string {
    return `in_features=${this.in_features}, out_features=${this.out_features}, bias=${valueText(this.bias !== null)}`;
  }
}

/** The output projection of attention: a Linear under the name that PyTorch prints there. */
export class NonDynamicallyQuantizableLinear extends Linear {
  static override readonly torchscript: ModuleScript = callScript(
    "linear.NonDynamicallyQuantizableLinear",
    "input: Tensor",
    "F.linear(input, self.weight, self.bias)",
    {
      constants: ["in_features", "out_features"],
      attributes: { in_features: "int", out_features: "int", weight: "Tensor" },
    },
  );
}

/** `x1 @ weight[k] @ x2 + bias[k]`. */
export class Bilinear extends Module {
  static readonly torchscript: ModuleScript = callScript(
    "linear.Bilinear",
    "input1: Tensor, input2: Tensor",
    "F.bilinear(input1, input2, self.weight, self.bias)",
    {
      constants: ["in1_features", "in2_features", "out_features"],
      attributes: { in1_features: "int", in2_features: "int", out_features: "int", weight: "Tensor" },
    },
  );
  /** Size of the first input's features. */
  readonly in1_features: number;
  /** Size of the second input's features. */
  readonly in2_features: number;
  /** Size of the output's last dimension. */
  readonly out_features: number;
  /** What inputs are multiplied by; learned. In losses: what each class counts. */
  weight: Parameter;
  /** Values that are added, one for each output; null or false without. */
  declare bias: Parameter | null;

  constructor(in1Features: number, in2Features: number, outFeatures: number, options: LinearOptions = {}) {
    super();
    this.in1_features = in1Features;
    this.in2_features = in2Features;
    this.out_features = outFeatures;
    this.weight = emptyParameter([outFeatures, in1Features, in2Features], options);
    this.registerParameter("bias", (options.bias ?? true) ? emptyParameter([outFeatures], options) : null);
    this.resetParameters();
  }

  /** Draws the default initial values. */
  resetParameters(): void {
    if (this.in1_features <= 0)
      throw new OperatorError(`in1_features must be > 0, but got (in1_features=${this.in1_features})`);
    const bound = 1 / Math.sqrt(this.weight.sizes[1]!);
    uniform_(this.weight, -bound, bound);
    if (this.bias) uniform_(this.bias, -bound, bound);
  }

  forward(input1: Tensor, input2: Tensor): Tensor {
    return F.bilinear(input1, input2, this.weight, this.bias);
  }

  override extraRepr(): string {
    return pairsText({
      in1_features: String(this.in1_features),
      in2_features: String(this.in2_features),
      out_features: String(this.out_features),
      bias: valueText(this.bias !== null),
    });
  }
}
