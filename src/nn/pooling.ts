/** @file Pooling. Upstream: torch/nn/modules/pooling.py. Spec: none. */
import type { Tensor } from "../tensor/tensor.ts";
import { float, floatText, pairsText, sizeText, valueText, repeatSize, type Size } from "./aten.ts";
import * as F from "./functional_pooling.ts";
import type {
  AdaptiveSize,
  AvgPoolFunctionOptions,
  LPPoolFunctionOptions,
  MaxPoolFunctionOptions,
} from "./functional_pooling.ts";
import type { NAMED_CALL } from "./keywords.ts";
import { Module } from "./module.ts";
import type { ModuleScript } from "./module_script.ts";
import { callScript, forwardText, moduleScript } from "./scripts/module_text.ts";

/** Options of MaxPool1d, MaxPool2d and MaxPool3d. */
export interface MaxPoolOptions<I extends boolean = boolean> extends MaxPoolFunctionOptions {
  /** Give the positions of the maxima too, for MaxUnpool. */
  readonly returnIndices?: I;
}

/** Maxima, with their positions where asked for. */
export type MaxPoolResult<I extends boolean> = I extends true ? [values: Tensor, indices: Tensor] : Tensor;

/** What max pooling shares. */
abstract class MaxPoolNd<I extends boolean> extends Module {
  /** Size of the window in each dimension. */
  readonly kernel_size: Size;
  /** Distance between the places of the window. */
  readonly stride: Size;
  /** What is added around the input. */
  readonly padding: Size;
  /** Distance between the elements that the kernel takes. */
  readonly dilation: Size;
  /** Whether the places of the maxima are given too. */
  readonly return_indices: boolean;
  /** Whether the output size is rounded up instead of down. */
  readonly ceil_mode: boolean;
  constructor(kernelSize: Size, options: MaxPoolOptions<I> = {}) {
    super();
    this.kernel_size = kernelSize;
    this.stride = options.stride ?? kernelSize;
    this.padding = options.padding ?? 0;
    this.dilation = options.dilation ?? 1;
    this.return_indices = options.returnIndices ?? false;
    this.ceil_mode = options.ceilMode ?? false;
  }
  protected options(): MaxPoolFunctionOptions {
    return { stride: this.stride, padding: this.padding, dilation: this.dilation, ceilMode: this.ceil_mode };
  }
  override extraRepr(): string {
    return pairsText({
      kernel_size: sizeText(this.kernel_size),
      stride: sizeText(this.stride),
      padding: sizeText(this.padding),
      dilation: sizeText(this.dilation),
      ceil_mode: valueText(this.ceil_mode),
    });
  }
}

/** What max unpooling shares. */
abstract class MaxUnpoolNd extends Module {
  /** See NAMED_CALL. @internal */
  declare readonly [NAMED_CALL]: [
    input: Tensor,
    indices: Tensor,
    named: { readonly outputSize?: readonly number[] | null },
  ];
  /** Size of the window in each dimension. */
  readonly kernel_size: readonly number[];
  /** Distance between the places of the window. */
  readonly stride: readonly number[];
  /** What is added around the input. */
  readonly padding: readonly number[];
  constructor(n: number, kernelSize: Size, options: { readonly stride?: Size | null; readonly padding?: Size }) {
    super();
    this.kernel_size = repeatSize(kernelSize, n);
    this.stride = repeatSize(options.stride ?? kernelSize, n);
    this.padding = repeatSize(options.padding ?? 0, n);
  }
  override extraRepr(): string {
    return pairsText({
      kernel_size: sizeText(this.kernel_size),
      stride: sizeText(this.stride),
      padding: sizeText(this.padding),
    });
  }
}

/** What average pooling shares. */
abstract class AvgPoolNd extends Module {
  /** Size of the window in each dimension. */
  readonly kernel_size: Size;
  /** Distance between the places of the window. */
  readonly stride: Size;
  /** What is added around the input. */
  readonly padding: Size;
  /** Whether the output size is rounded up instead of down. */
  readonly ceil_mode: boolean;
  /** Whether padding counts in the mean. */
  readonly count_include_pad: boolean;
  constructor(kernelSize: Size, options: AvgPoolFunctionOptions = {}) {
    super();
    this.kernel_size = kernelSize;
    this.stride = options.stride ?? kernelSize;
    this.padding = options.padding ?? 0;
    this.ceil_mode = options.ceilMode ?? false;
    this.count_include_pad = options.countIncludePad ?? true;
  }
  protected options(): AvgPoolFunctionOptions {
    return {
      stride: this.stride,
      padding: this.padding,
      ceilMode: this.ceil_mode,
      countIncludePad: this.count_include_pad,
    };
  }
  override extraRepr(): string {
    return pairsText({
      kernel_size: sizeText(this.kernel_size),
      stride: sizeText(this.stride),
      padding: sizeText(this.padding),
    });
  }
}

/** What power-average pooling shares. */
abstract class LPPoolNd extends Module {
  /** Order of the norm. */
  readonly norm_type: number;
  /** Size of the window in each dimension. */
  readonly kernel_size: Size;
  /** Distance between the places of the window. */
  readonly stride: Size | null;
  /** Whether the output size is rounded up instead of down. */
  readonly ceil_mode: boolean;
  constructor(normType: number, kernelSize: Size, options: LPPoolFunctionOptions = {}) {
    super();
    this.norm_type = normType;
    this.kernel_size = kernelSize;
    this.stride = options.stride ?? null;
    this.ceil_mode = options.ceilMode ?? false;
  }
  protected options(): LPPoolFunctionOptions {
    return { stride: this.stride, ceilMode: this.ceil_mode };
  }
  override extraRepr(): string {
    return pairsText({
      norm_type: Number.isFinite(this.norm_type) ? valueText(this.norm_type) : floatText(this.norm_type),
      kernel_size: sizeText(this.kernel_size),
      stride: sizeText(this.stride),
      ceil_mode: valueText(this.ceil_mode),
    });
  }
}

/** What adaptive pooling shares. */
abstract class AdaptivePoolNd extends Module {
  /** Size of the output in each dimension. */
  readonly output_size: AdaptiveSize;
  constructor(outputSize: AdaptiveSize) {
    super();
    this.output_size = outputSize;
  }
  override extraRepr(): string {
    return `output_size=${valueText(this.output_size)}`;
  }
}

/** Maxima over windows of (N, C, L). */
export class MaxPool1d<I extends boolean = false> extends MaxPoolNd<I> {
  static readonly torchscript: ModuleScript = moduleScript(
    "pooling.MaxPool1d",
    forwardText(
      "input: Tensor",
      "F.max_pool1d(input, self.kernel_size, self.stride, self.padding, self.dilation, ceil_mode=self.ceil_mode, return_indices=self.return_indices)",
      "",
    ),
    { constants: ["kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"], attributes: {} },
  );
  forward(input: Tensor): MaxPoolResult<I> {
    const pool = this.return_indices ? F.max_pool1d_with_indices : F.max_pool1d;
    return pool(input, this.kernel_size, this.options()) as MaxPoolResult<I>;
  }
}

/** Puts maxima of (N, C, L) back where they were. */
export class MaxUnpool1d extends MaxUnpoolNd {
  static readonly torchscript: ModuleScript = callScript(
    "pooling.MaxUnpool1d",
    "input: Tensor, indices: Tensor, output_size: Optional[List[int]] = None",
    "F.max_unpool1d(input, indices, self.kernel_size, self.stride, self.padding, output_size)",
    { attributes: {} },
  );
  constructor(kernelSize: Size, options: { readonly stride?: Size | null; readonly padding?: Size } = {}) {
    super(1, kernelSize, options);
  }
  forward(input: Tensor, indices: Tensor, outputSize: readonly number[] | null = null): Tensor {
    return F.max_unpool1d(input, indices, this.kernel_size, { stride: this.stride, padding: this.padding, outputSize });
  }
}

/** Means over windows of (N, C, L). */
export class AvgPool1d extends AvgPoolNd {
  static readonly torchscript: ModuleScript = callScript(
    "pooling.AvgPool1d",
    "input: Tensor",
    "F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)",
    {
      constants: ["kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"],
      attributes: { ceil_mode: "bool", count_include_pad: "bool" },
    },
  );
  /** Size of the window in each dimension. */
  declare readonly kernel_size: readonly number[];
  /** Distance between the places of the window. */
  declare readonly stride: readonly number[];
  /** What is added around the input. */
  declare readonly padding: readonly number[];
  constructor(kernelSize: Size, options: Omit<AvgPoolFunctionOptions, "divisorOverride"> = {}) {
    // in one dimension PyTorch keeps tuples
    super(repeatSize(kernelSize, 1), {
      ...options,
      stride: repeatSize(options.stride ?? kernelSize, 1),
      padding: repeatSize(options.padding ?? 0, 1),
    });
  }
  forward(input: Tensor): Tensor {
    return F.avg_pool1d(input, this.kernel_size, this.options());
  }
}

/** Power averages over windows of (N, C, L). */
export class LPPool1d extends LPPoolNd {
  static readonly torchscript: ModuleScript = callScript(
    "pooling.LPPool1d",
    "input: Tensor",
    "F.lp_pool1d(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)",
    { constants: ["norm_type", "kernel_size", "stride", "ceil_mode"], attributes: {} },
  );
  forward(input: Tensor): Tensor {
    return F.lp_pool1d(input, float(this.norm_type), this.kernel_size, this.options());
  }
}

/** Means over as many windows of (N, C, L) as asked for. */
export class AdaptiveAvgPool1d extends AdaptivePoolNd {
  static readonly torchscript: ModuleScript = callScript(
    "pooling.AdaptiveAvgPool1d",
    "input: Tensor",
    "F.adaptive_avg_pool1d(input, self.output_size)",
    { constants: ["output_size"], attributes: {} },
  );
  forward(input: Tensor): Tensor {
    return F.adaptive_avg_pool1d(input, this.output_size);
  }
}

/** Maxima over as many windows of (N, C, L) as asked for. */
export class AdaptiveMaxPool1d<I extends boolean = false> extends AdaptivePoolNd {
  static readonly torchscript: ModuleScript = moduleScript(
    "pooling.AdaptiveMaxPool1d",
    forwardText("input: Tensor", "F.adaptive_max_pool1d(input, self.output_size, self.return_indices)", ""),
    { constants: ["output_size", "return_indices"], attributes: {} },
  );
  /** Whether the places of the maxima are given too. */
  readonly return_indices: boolean;
  constructor(outputSize: AdaptiveSize, options: { readonly returnIndices?: I } = {}) {
    super(outputSize);
    this.return_indices = options.returnIndices ?? false;
  }
  forward(input: Tensor): MaxPoolResult<I> {
    const pool = this.return_indices ? F.adaptive_max_pool1d_with_indices : F.adaptive_max_pool1d;
    return pool(input, this.output_size) as MaxPoolResult<I>;
  }
}

/** Maxima over windows of (N, C, H, W). */
export class MaxPool2d<I extends boolean = false> extends MaxPoolNd<I> {
  static readonly torchscript: ModuleScript = moduleScript(
    "pooling.MaxPool2d",
    forwardText(
      "input: Tensor",
      "F.max_pool2d(input, self.kernel_size, self.stride, self.padding, self.dilation, ceil_mode=self.ceil_mode, return_indices=self.return_indices)",
      "",
    ),
    { constants: ["kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"], attributes: {} },
  );
  forward(input: Tensor): MaxPoolResult<I> {
    const pool = this.return_indices ? F.max_pool2d_with_indices : F.max_pool2d;
    return pool(input, this.kernel_size, this.options()) as MaxPoolResult<I>;
  }
}

/** Puts maxima of (N, C, H, W) back where they were. */
export class MaxUnpool2d extends MaxUnpoolNd {
  static readonly torchscript: ModuleScript = callScript(
    "pooling.MaxUnpool2d",
    "input: Tensor, indices: Tensor, output_size: Optional[List[int]] = None",
    "F.max_unpool2d(input, indices, self.kernel_size, self.stride, self.padding, output_size)",
    { attributes: {} },
  );
  constructor(kernelSize: Size, options: { readonly stride?: Size | null; readonly padding?: Size } = {}) {
    super(2, kernelSize, options);
  }
  forward(input: Tensor, indices: Tensor, outputSize: readonly number[] | null = null): Tensor {
    return F.max_unpool2d(input, indices, this.kernel_size, { stride: this.stride, padding: this.padding, outputSize });
  }
}

/** Means over windows of (N, C, H, W). */
export class AvgPool2d extends AvgPoolNd {
  static readonly torchscript: ModuleScript = callScript(
    "pooling.AvgPool2d",
    "input: Tensor",
    "F.avg_pool2d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override)",
    {
      constants: ["kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"],
      attributes: { ceil_mode: "bool", count_include_pad: "bool" },
    },
  );
  /** What sums are divided by instead of the size of the region. */
  readonly divisor_override: number | null;
  constructor(kernelSize: Size, options: AvgPoolFunctionOptions = {}) {
    super(kernelSize, options);
    this.divisor_override = options.divisorOverride ?? null;
  }
  forward(input: Tensor): Tensor {
    return F.avg_pool2d(input, this.kernel_size, { ...this.options(), divisorOverride: this.divisor_override });
  }
}

/** Power averages over windows of (N, C, H, W). */
export class LPPool2d extends LPPoolNd {
  static readonly torchscript: ModuleScript = callScript(
    "pooling.LPPool2d",
    "input: Tensor",
    "F.lp_pool2d(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)",
    { constants: ["norm_type", "kernel_size", "stride", "ceil_mode"], attributes: {} },
  );
  forward(input: Tensor): Tensor {
    return F.lp_pool2d(input, float(this.norm_type), this.kernel_size, this.options());
  }
}

/** Means over as many windows of (N, C, H, W) as asked for. */
export class AdaptiveAvgPool2d extends AdaptivePoolNd {
  static readonly torchscript: ModuleScript = callScript(
    "pooling.AdaptiveAvgPool2d",
    "input: Tensor",
    "F.adaptive_avg_pool2d(input, self.output_size)",
    { constants: ["output_size"], attributes: {} },
  );
  forward(input: Tensor): Tensor {
    return F.adaptive_avg_pool2d(input, this.output_size);
  }
}

/** Maxima over as many windows of (N, C, H, W) as asked for. */
export class AdaptiveMaxPool2d<I extends boolean = false> extends AdaptivePoolNd {
  static readonly torchscript: ModuleScript = moduleScript(
    "pooling.AdaptiveMaxPool2d",
    forwardText("input: Tensor", "F.adaptive_max_pool2d(input, self.output_size, self.return_indices)", ""),
    { constants: ["output_size", "return_indices"], attributes: {} },
  );
  /** Whether the places of the maxima are given too. */
  readonly return_indices: boolean;
  constructor(outputSize: AdaptiveSize, options: { readonly returnIndices?: I } = {}) {
    super(outputSize);
    this.return_indices = options.returnIndices ?? false;
  }
  forward(input: Tensor): MaxPoolResult<I> {
    const pool = this.return_indices ? F.adaptive_max_pool2d_with_indices : F.adaptive_max_pool2d;
    return pool(input, this.output_size) as MaxPoolResult<I>;
  }
}

/** Maxima over windows of (N, C, D, H, W). */
export class MaxPool3d<I extends boolean = false> extends MaxPoolNd<I> {
  static readonly torchscript: ModuleScript = moduleScript(
    "pooling.MaxPool3d",
    forwardText(
      "input: Tensor",
      "F.max_pool3d(input, self.kernel_size, self.stride, self.padding, self.dilation, ceil_mode=self.ceil_mode, return_indices=self.return_indices)",
      "",
    ),
    { constants: ["kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"], attributes: {} },
  );
  forward(input: Tensor): MaxPoolResult<I> {
    const pool = this.return_indices ? F.max_pool3d_with_indices : F.max_pool3d;
    return pool(input, this.kernel_size, this.options()) as MaxPoolResult<I>;
  }
}

/** Puts maxima of (N, C, D, H, W) back where they were. */
export class MaxUnpool3d extends MaxUnpoolNd {
  static readonly torchscript: ModuleScript = callScript(
    "pooling.MaxUnpool3d",
    "input: Tensor, indices: Tensor, output_size: Optional[List[int]] = None",
    "F.max_unpool3d(input, indices, self.kernel_size, self.stride, self.padding, output_size)",
    { attributes: {} },
  );
  constructor(kernelSize: Size, options: { readonly stride?: Size | null; readonly padding?: Size } = {}) {
    super(3, kernelSize, options);
  }
  forward(input: Tensor, indices: Tensor, outputSize: readonly number[] | null = null): Tensor {
    return F.max_unpool3d(input, indices, this.kernel_size, { stride: this.stride, padding: this.padding, outputSize });
  }
}

/** Means over windows of (N, C, D, H, W). */
export class AvgPool3d extends AvgPoolNd {
  static readonly torchscript: ModuleScript = callScript(
    "pooling.AvgPool3d",
    "input: Tensor",
    "F.avg_pool3d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override)",
    {
      constants: ["kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"],
      attributes: { ceil_mode: "bool", count_include_pad: "bool" },
    },
  );
  /** What sums are divided by instead of the size of the region. */
  readonly divisor_override: number | null;
  constructor(kernelSize: Size, options: AvgPoolFunctionOptions = {}) {
    super(kernelSize, options);
    this.divisor_override = options.divisorOverride ?? null;
  }
  forward(input: Tensor): Tensor {
    return F.avg_pool3d(input, this.kernel_size, { ...this.options(), divisorOverride: this.divisor_override });
  }
}

/** Power averages over windows of (N, C, D, H, W). */
export class LPPool3d extends LPPoolNd {
  static readonly torchscript: ModuleScript = callScript(
    "pooling.LPPool3d",
    "input: Tensor",
    "F.lp_pool3d(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)",
    { constants: ["norm_type", "kernel_size", "stride", "ceil_mode"], attributes: {} },
  );
  forward(input: Tensor): Tensor {
    return F.lp_pool3d(input, float(this.norm_type), this.kernel_size, this.options());
  }
}

/** Means over as many windows of (N, C, D, H, W) as asked for. */
export class AdaptiveAvgPool3d extends AdaptivePoolNd {
  static readonly torchscript: ModuleScript = callScript(
    "pooling.AdaptiveAvgPool3d",
    "input: Tensor",
    "F.adaptive_avg_pool3d(input, self.output_size)",
    { constants: ["output_size"], attributes: {} },
  );
  forward(input: Tensor): Tensor {
    return F.adaptive_avg_pool3d(input, this.output_size);
  }
}

/** Maxima over as many windows of (N, C, D, H, W) as asked for. */
export class AdaptiveMaxPool3d<I extends boolean = false> extends AdaptivePoolNd {
  static readonly torchscript: ModuleScript = moduleScript(
    "pooling.AdaptiveMaxPool3d",
    forwardText("input: Tensor", "F.adaptive_max_pool3d(input, self.output_size, self.return_indices)", ""),
    { constants: ["output_size", "return_indices"], attributes: {} },
  );
  /** Whether the places of the maxima are given too. */
  readonly return_indices: boolean;
  constructor(outputSize: AdaptiveSize, options: { readonly returnIndices?: I } = {}) {
    super(outputSize);
    this.return_indices = options.returnIndices ?? false;
  }
  forward(input: Tensor): MaxPoolResult<I> {
    const pool = this.return_indices ? F.adaptive_max_pool3d_with_indices : F.adaptive_max_pool3d;
    return pool(input, this.output_size) as MaxPoolResult<I>;
  }
}
