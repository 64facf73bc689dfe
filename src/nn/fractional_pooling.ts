/** @file Fractional max pooling. Upstream: torch/nn/modules/pooling.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { repeatSize, type Size } from "./aten.ts";
import { fractional_max_pool2d_with_indices, fractional_max_pool3d_with_indices } from "./functional_pooling.ts";
import { Module } from "./module.ts";
import type { ModuleScript } from "./module_script.ts";
import type { MaxPoolResult } from "./pooling.ts";
import { moduleScript } from "./scripts/module_text.ts";

/** Options of FractionalMaxPool2d and FractionalMaxPool3d: one of the sizes or ratios of the output. */
export interface FractionalMaxPoolOptions<I extends boolean = boolean> {
  /** Size of the output in each dimension. */
  readonly outputSize?: Size;
  /** Size of the output in relation to the input. */
  readonly outputRatio?: Size;
  /** Give the positions of the maxima too. */
  readonly returnIndices?: I;
  /** Where the windows lie; drawn at each call where left out. */
  readonly randomSamples?: Tensor;
}

function fractionalScript(n: 2 | 3): ModuleScript {
  return moduleScript(
    `pooling.FractionalMaxPool${n}d`,
    `def forward(self, input: Tensor):
    return F.fractional_max_pool${n}d(input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, _random_samples=self._random_samples)
`,
    {
      constants: ["kernel_size", "return_indices", "output_size", "output_ratio"],
      attributes: { return_indices: "bool", output_ratio: "Optional[List[float]]" },
    },
  );
}

/** What both kinds share. */
abstract class FractionalMaxPoolNd<I extends boolean> extends Module {
  /** Size of the window in each dimension. */
  readonly kernel_size: readonly number[];
  /** Whether the places of the maxima are given too. */
  readonly return_indices: boolean;
  /** Positions of the pooling regions; null where they are drawn anew. */
  declare _random_samples: Tensor | null;
  /** Size of the output in each dimension. */
  declare readonly output_size: readonly number[] | null;
  /** Size of the output in relation to the input; null where the size is given. */
  declare readonly output_ratio: readonly number[] | null;
  constructor(n: 2 | 3, kernelSize: Size, options: FractionalMaxPoolOptions<I>) {
    super();
    const { outputSize, outputRatio } = options;
    this.kernel_size = repeatSize(kernelSize, n);
    this.return_indices = options.returnIndices ?? false;
    this.registerBuffer("_random_samples", options.randomSamples ?? null);
    this.output_size = outputSize === undefined ? null : repeatSize(outputSize, n);
    this.output_ratio = outputRatio === undefined ? null : repeatSize(outputRatio, n);
    if (!this.output_size && !this.output_ratio)
      throw new OperatorError(`FractionalMaxPool${n}d requires specifying either an output size, or a pooling ratio`);
    if (this.output_size && this.output_ratio)
      throw new OperatorError("only one of output_size and output_ratio may be specified");
    if (this.output_ratio?.some((ratio) => !(ratio > 0 && ratio < 1)))
      throw new OperatorError(`output_ratio must be between 0 and 1 (got [${this.output_ratio.join(", ")}])`);
  }
  forward(input: Tensor): MaxPoolResult<I> {
    const pool =
      this.kernel_size.length === 2 ? fractional_max_pool2d_with_indices : fractional_max_pool3d_with_indices;
    const result = pool(input, this.kernel_size, {
      outputSize: this.output_size,
      outputRatio: this.output_ratio,
      randomSamples: this._random_samples,
    });
    return (this.return_indices ? result : result[0]) as MaxPoolResult<I>;
  }
}

/** Maxima over windows of (N, C, H, W) at random places. */
export class FractionalMaxPool2d<I extends boolean = false> extends FractionalMaxPoolNd<I> {
  static readonly torchscript: ModuleScript = fractionalScript(2);
  constructor(kernelSize: Size, options: FractionalMaxPoolOptions<I> = {}) {
    super(2, kernelSize, options);
  }
}

/** Maxima over windows of (N, C, D, H, W) at random places. */
export class FractionalMaxPool3d<I extends boolean = false> extends FractionalMaxPoolNd<I> {
  static readonly torchscript: ModuleScript = fractionalScript(3);
  constructor(kernelSize: Size, options: FractionalMaxPoolOptions<I> = {}) {
    super(3, kernelSize, options);
  }
}
