/** @file Changes of shape, and distances. Upstream: torch/nn/modules/flatten.py, fold.py, distance.py. Spec: none. */
import type { Tensor } from "../tensor/tensor.ts";
import { aten, pairsText, sizeText, tupleText, type Size } from "./aten.ts";
import { cosine_similarity, fold, pairwise_distance, unfold, type FoldFunctionOptions } from "./functional_vision.ts";
import { Module } from "./module.ts";
import type { ModuleScript } from "./module_script.ts";
import { callScript } from "./scripts/module_text.ts";

/** Makes a range of dimensions one. */
export class Flatten extends Module {
  static readonly torchscript: ModuleScript = callScript(
    "flatten.Flatten",
    "input: Tensor",
    "input.flatten(self.start_dim, self.end_dim)",
    { constants: ["start_dim", "end_dim"], attributes: { start_dim: "int", end_dim: "int" } },
  );
  /** First dimension that is flattened. */
  readonly start_dim: number;
  /** Last dimension that is flattened. */
  readonly end_dim: number;
  constructor(startDim = 1, endDim = -1) {
    super();
    this.start_dim = startDim;
    this.end_dim = endDim;
  }
  forward(input: Tensor): Tensor {
    return aten("flatten", input, this.start_dim, this.end_dim);
  }
  override extraRepr(): string {
    return `start_dim=${this.start_dim}, end_dim=${this.end_dim}`;
  }
}

/** Makes one dimension several. */
export class Unflatten extends Module {
  static readonly torchscript: ModuleScript = callScript(
    "flatten.Unflatten",
    "input: Tensor",
    "input.unflatten(self.dim, self.unflattened_size)",
    { constants: ["dim", "unflattened_size"], attributes: { dim: "int" } },
  );
  /** The dimension that is worked along. */
  readonly dim: number;
  /** The sizes that the dimension becomes. */
  readonly unflattened_size: readonly number[];
  constructor(dim: number, unflattenedSize: readonly number[]) {
    super();
    this.dim = dim;
    this.unflattened_size = unflattenedSize;
  }
  forward(input: Tensor): Tensor {
    return aten("unflatten", input, this.dim, this.unflattened_size);
  }
  override extraRepr(): string {
    return `dim=${this.dim}, unflattened_size=${tupleText(this.unflattened_size)}`;
  }
}

/** Sliding blocks as columns. */
export class Unfold extends Module {
  static readonly torchscript: ModuleScript = callScript(
    "fold.Unfold",
    "input: Tensor",
    "F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)",
    { constants: ["kernel_size", "dilation", "padding", "stride"], attributes: {} },
  );
  /** Size of the window in each dimension. */
  readonly kernel_size: Size;
  /** Distance between the elements that the kernel takes. */
  readonly dilation: Size;
  /** What is added around the input. */
  readonly padding: Size;
  /** Distance between the places of the window. */
  readonly stride: Size;
  constructor(kernelSize: Size, options: FoldFunctionOptions = {}) {
    super();
    this.kernel_size = kernelSize;
    this.dilation = options.dilation ?? 1;
    this.padding = options.padding ?? 0;
    this.stride = options.stride ?? 1;
  }
  forward(input: Tensor): Tensor {
    return unfold(input, this.kernel_size, { dilation: this.dilation, padding: this.padding, stride: this.stride });
  }
  override extraRepr(): string {
    return pairsText({
      kernel_size: sizeText(this.kernel_size),
      dilation: sizeText(this.dilation),
      padding: sizeText(this.padding),
      stride: sizeText(this.stride),
    });
  }
}

/** Sums columns back into sliding blocks. */
export class Fold extends Unfold {
  static override readonly torchscript: ModuleScript = callScript(
    "fold.Fold",
    "input: Tensor",
    "F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)",
    { constants: ["output_size", "kernel_size", "dilation", "padding", "stride"], attributes: {} },
  );
  /** Size of the output in each dimension. */
  readonly output_size: Size;
  constructor(outputSize: Size, kernelSize: Size, options: FoldFunctionOptions = {}) {
    super(kernelSize, options);
    this.output_size = outputSize;
  }
  override forward(input: Tensor): Tensor {
    return fold(input, this.output_size, this.kernel_size, {
      dilation: this.dilation,
      padding: this.padding,
      stride: this.stride,
    });
  }
  override extraRepr(): string {
    return `output_size=${sizeText(this.output_size)}, ${super.extraRepr()}`;
  }
}

/** Norm of the difference of rows. */
export class PairwiseDistance extends Module {
  static readonly torchscript: ModuleScript = callScript(
    "distance.PairwiseDistance",
    "x1: Tensor, x2: Tensor",
    "F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)",
    { constants: ["norm", "eps", "keepdim"], attributes: { norm: "float", eps: "float", keepdim: "bool" } },
  );
  /** The normalization at the end; null without. */
  readonly norm: number;
  /** Added where a division by zero could be. */
  readonly eps: number;
  /** Keep the reduced dimension with size 1. */
  readonly keepdim: boolean;
  constructor(options: { readonly p?: number; readonly eps?: number; readonly keepdim?: boolean } = {}) {
    super();
    this.norm = options.p ?? 2;
    this.eps = options.eps ?? 1e-6;
    this.keepdim = options.keepdim ?? false;
  }
  forward(x1: Tensor, x2: Tensor): Tensor {
    return pairwise_distance(x1, x2, this.norm, this.eps, this.keepdim);
  }
}

/** Cosine of the angle between vectors along a dimension. */
export class CosineSimilarity extends Module {
  static readonly torchscript: ModuleScript = callScript(
    "distance.CosineSimilarity",
    "x1: Tensor, x2: Tensor",
    "F.cosine_similarity(x1, x2, self.dim, self.eps)",
    { constants: ["dim", "eps"], attributes: { dim: "int", eps: "float" } },
  );
  /** The dimension that is worked along. */
  readonly dim: number;
  /** Added where a division by zero could be. */
  readonly eps: number;
  constructor(options: { readonly dim?: number; readonly eps?: number } = {}) {
    super();
    this.dim = options.dim ?? 1;
    this.eps = options.eps ?? 1e-8;
  }
  forward(x1: Tensor, x2: Tensor): Tensor {
    return cosine_similarity(x1, x2, this.dim, this.eps);
  }
}
