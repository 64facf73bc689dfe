/** @file Dropout. Upstream: torch/nn/modules/dropout.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { InplaceOptions } from "./activation.ts";
import { floatText, valueText } from "./aten.ts";
import * as F from "./functional_activation.ts";
import { Module } from "./module.ts";
import type { ModuleScript } from "./module_script.ts";
import { callScript } from "./scripts/module_text.ts";

/** What all kinds of dropout share. */
abstract class DropoutNd extends Module {
  /** Order of the norm, or probability of zeroing an element. */
  p: number;
  /** Whether the input itself is changed. */
  inplace: boolean;
  constructor(p = 0.5, options: InplaceOptions = {}) {
    super();
    if (p < 0 || p > 1)
      throw new OperatorError(`dropout probability has to be between 0 and 1, but got ${floatText(p)}`);
    this.p = p;
    this.inplace = options.inplace ?? false;
  }
  override extraRepr(): string {
    return `p=${floatText(this.p)}, inplace=${valueText(this.inplace)}`;
  }
}

/** Zeroes elements with probability p and scales the rest, while training. */
export class Dropout extends DropoutNd {
  static readonly torchscript: ModuleScript = callScript(
    "dropout.Dropout",
    "input: Tensor",
    "F.dropout(input, self.p, self.training, self.inplace)",
    { constants: ["p", "inplace"], attributes: { p: "float", inplace: "bool" } },
  );
  forward(input: Tensor): Tensor {
    return F.dropout(input, this.p, this.training, this.inplace);
  }
}

/** Dropout of whole channels of (N, C, L). */
export class Dropout1d extends DropoutNd {
  static readonly torchscript: ModuleScript = callScript(
    "dropout.Dropout1d",
    "input: Tensor",
    "F.dropout1d(input, self.p, self.training, self.inplace)",
    { constants: ["p", "inplace"], attributes: { p: "float", inplace: "bool" } },
  );
  forward(input: Tensor): Tensor {
    return F.dropout1d(input, this.p, this.training, this.inplace);
  }
}

/** Dropout of whole channels of (N, C, H, W). */
export class Dropout2d extends DropoutNd {
  static readonly torchscript: ModuleScript = callScript(
    "dropout.Dropout2d",
    "input: Tensor",
    "F.dropout2d(input, self.p, self.training, self.inplace)",
    { constants: ["p", "inplace"], attributes: { p: "float", inplace: "bool" } },
  );
  forward(input: Tensor): Tensor {
    return F.dropout2d(input, this.p, this.training, this.inplace);
  }
}

/** Dropout of whole channels of (N, C, D, H, W). */
export class Dropout3d extends DropoutNd {
  static readonly torchscript: ModuleScript = callScript(
    "dropout.Dropout3d",
    "input: Tensor",
    "F.dropout3d(input, self.p, self.training, self.inplace)",
    { constants: ["p", "inplace"], attributes: { p: "float", inplace: "bool" } },
  );
  forward(input: Tensor): Tensor {
    return F.dropout3d(input, this.p, this.training, this.inplace);
  }
}

/** Dropout that keeps mean and variance of SELU networks. */
export class AlphaDropout extends DropoutNd {
  static readonly torchscript: ModuleScript = callScript(
    "dropout.AlphaDropout",
    "input: Tensor",
    "F.alpha_dropout(input, self.p, self.training)",
    { constants: ["p", "inplace"], attributes: { p: "float", inplace: "bool" } },
  );
  forward(input: Tensor): Tensor {
    return F.alpha_dropout(input, this.p, this.training);
  }
}

/** AlphaDropout of whole channels. */
export class FeatureAlphaDropout extends DropoutNd {
  static readonly torchscript: ModuleScript = callScript(
    "dropout.FeatureAlphaDropout",
    "input: Tensor",
    "F.feature_alpha_dropout(input, self.p, self.training)",
    { constants: ["p", "inplace"], attributes: { p: "float", inplace: "bool" } },
  );
  forward(input: Tensor): Tensor {
    return F.feature_alpha_dropout(input, this.p, this.training);
  }
}
