/** @file Convolutions of one to three dimensions and their transposed forms. Upstream: torch/nn/modules/conv.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { aten, emptyParameter, repeatSize, tupleText, valueText, type FactoryOptions, type Size } from "./aten.ts";
import { calculateFanInAndFanOut, kaiming_uniform_, uniform_ } from "./init.ts";
import { pad } from "./functional_vision.ts";
import type { NAMED_CALL } from "./keywords.ts";
import { Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";
import type { ModuleScript } from "./module_script.ts";
import { convScript, convTransposeScript } from "./scripts/conv_modules.ts";

/** What stands in the padding of a convolution. */
export type ConvPaddingMode = "zeros" | "reflect" | "replicate" | "circular";

/** Options of Conv1d, Conv2d and Conv3d. */
export interface ConvOptions extends FactoryOptions {
  /** Distance between the places of the window. */
  readonly stride?: Size;
  /** A number, one per dimension, `same` or `valid`; 0 where left out. */
  readonly padding?: Size | "same" | "valid";
  /** Distance between the elements that the kernel takes. */
  readonly dilation?: Size;
  /** Into how many parts the channels are divided that do not mix. */
  readonly groups?: number;
  /** Values that are added, one for each output; null or false without. */
  readonly bias?: boolean;
  /** What is added: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`. */
  readonly paddingMode?: ConvPaddingMode;
}

/** Options of ConvTranspose1d, ConvTranspose2d and ConvTranspose3d. */
export interface ConvTransposeOptions extends FactoryOptions {
  /** Distance between the places of the window. */
  readonly stride?: Size;
  /** What is added around the input. */
  readonly padding?: Size;
  /** What is added to one side of the output. */
  readonly outputPadding?: Size;
  /** Into how many parts the channels are divided that do not mix. */
  readonly groups?: number;
  /** Values that are added, one for each output; null or false without. */
  readonly bias?: boolean;
  /** Distance between the elements that the kernel takes. */
  readonly dilation?: Size;
  /** What is added: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`. */
  readonly paddingMode?: "zeros";
}

const same = (values: readonly number[], value: number): boolean => values.every((v) => v === value);

/** What all convolutions share. */
export abstract class ConvNd extends Module {
  /** Channels of the input. */
  readonly in_channels: number;
  /** Channels of the output. */
  readonly out_channels: number;
  /** Size of the window in each dimension. */
  readonly kernel_size: readonly number[];
  /** Distance between the places of the window. */
  readonly stride: readonly number[];
  /** What is added around the input. */
  readonly padding: readonly number[] | "same" | "valid";
  /** Distance between the elements that the kernel takes. */
  readonly dilation: readonly number[];
  /** Whether it is a transposed convolution. */
  readonly transposed: boolean;
  /** What is added to one side of the output. */
  readonly output_padding: readonly number[];
  /** Into how many parts the channels are divided that do not mix. */
  readonly groups: number;
  /** What is added: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`. */
  readonly padding_mode: ConvPaddingMode;
  /** The padding as `functional.pad` takes it. */
  readonly _reversed_padding_repeated_twice: readonly number[];
  /** What inputs are multiplied by; learned. In losses: what each class counts. */
  weight: Parameter;
  /** Values that are added, one for each output; null or false without. */
  declare bias: Parameter | null;

  protected constructor(
    n: number,
    inChannels: number,
    outChannels: number,
    kernelSize: Size,
    transposed: boolean,
    options: ConvOptions & { readonly outputPadding?: Size },
  ) {
    super();
    const {
      stride = 1,
      padding = 0,
      dilation = 1,
      groups = 1,
      bias = true,
      paddingMode = "zeros",
      outputPadding = 0,
    } = options;
    if (groups <= 0) throw new OperatorError("groups must be a positive integer");
    if (inChannels % groups !== 0) throw new OperatorError("in_channels must be divisible by groups");
    if (outChannels % groups !== 0) throw new OperatorError("out_channels must be divisible by groups");
    const strides = repeatSize(stride, n);
    if (typeof padding === "string") {
      if (padding !== "same" && padding !== "valid")
        throw new OperatorError(`Invalid padding string '${String(padding)}', should be one of {'same', 'valid'}`);
      if (padding === "same" && !same(strides, 1))
        throw new OperatorError("padding='same' is not supported for strided convolutions");
    }
    if (!["zeros", "reflect", "replicate", "circular"].includes(paddingMode)) {
      throw new OperatorError(
        `padding_mode must be one of {'zeros', 'reflect', 'replicate', 'circular'}, but got padding_mode='${paddingMode}'`,
      );
    }
    this.in_channels = inChannels;
    this.out_channels = outChannels;
    this.kernel_size = repeatSize(kernelSize, n);
    this.stride = strides;
    this.padding = typeof padding === "string" ? padding : repeatSize(padding, n);
    this.dilation = repeatSize(dilation, n);
    this.transposed = transposed;
    this.output_padding = repeatSize(outputPadding, n);
    this.groups = groups;
    this.padding_mode = paddingMode;
    this._reversed_padding_repeated_twice = this.reversedPadding();
    const [rows, columns] = transposed ? [inChannels, outChannels / groups] : [outChannels, inChannels / groups];
    this.weight = emptyParameter([rows, columns, ...this.kernel_size], options);
    this.registerParameter("bias", bias ? emptyParameter([outChannels], options) : null);
    this.resetParameters();
  }

  /** The padding as `pad` takes it: from the last dimension on, before and after. */
  private reversedPadding(): number[] {
    const { padding, kernel_size, dilation } = this;
    if (typeof padding !== "string") return padding.toReversed().flatMap((p) => [p, p]);
    return kernel_size
      .map((k, d) => (padding === "same" ? dilation[d]! * (k - 1) : 0))
      .toReversed()
      .flatMap((total) => [Math.floor(total / 2), total - Math.floor(total / 2)]);
  }

  /** Draws the default initial values. */
  resetParameters(): void {
    kaiming_uniform_(this.weight, { a: Math.sqrt(5) });
    if (!this.bias) return;
    const [fanIn] = calculateFanInAndFanOut(this.weight);
    const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0;
    uniform_(this.bias, -bound, bound);
  }

  override extraRepr(): string {
    let text = `${this.in_channels}, ${this.out_channels}, kernel_size=${tupleText(this.kernel_size)}, stride=${tupleText(this.stride)}`;
    if (typeof this.padding === "string" || !same(this.padding, 0)) text += `, padding=${valueText(this.padding)}`;
    if (!same(this.dilation, 1)) text += `, dilation=${tupleText(this.dilation)}`;
    if (!same(this.output_padding, 0)) text += `, output_padding=${tupleText(this.output_padding)}`;
    if (this.groups !== 1) text += `, groups=${this.groups}`;
    if (!this.bias) text += ", bias=False";
    if (this.padding_mode !== "zeros") text += `, padding_mode=${this.padding_mode}`;
    return text;
  }

  /** Pads by the mode, where it is not zeros, and convolves. */
  protected convolve(input: Tensor): Tensor {
    return this.convForward(input, this.weight, this.bias);
  }

  private convForward(input: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
    const { padding_mode: mode, _reversed_padding_repeated_twice: around, stride, dilation, groups } = this;
    const name = `conv${this.kernel_size.length}d`;
    if (mode === "zeros") return aten(name, input, weight, bias, stride, this.padding, dilation, groups);
    const none = new Array<number>(this.kernel_size.length).fill(0);
    return aten(name, pad(input, around, mode), weight, bias, stride, none, dilation, groups);
  }
}

/** Convolution over (N, C, L). */
export class Conv1d extends ConvNd {
  static readonly torchscript: ModuleScript = convScript(1);
  constructor(inChannels: number, outChannels: number, kernelSize: Size, options: ConvOptions = {}) {
    super(1, inChannels, outChannels, kernelSize, false, options);
  }
  forward(input: Tensor): Tensor {
    return this.convolve(input);
  }
}

/** Convolution over (N, C, H, W). */
export class Conv2d extends ConvNd {
  static readonly torchscript: ModuleScript = convScript(2);
  constructor(inChannels: number, outChannels: number, kernelSize: Size, options: ConvOptions = {}) {
    super(2, inChannels, outChannels, kernelSize, false, options);
  }
  forward(input: Tensor): Tensor {
    return this.convolve(input);
  }
}

/** Convolution over (N, C, D, H, W). */
export class Conv3d extends ConvNd {
  static readonly torchscript: ModuleScript = convScript(3);
  constructor(inChannels: number, outChannels: number, kernelSize: Size, options: ConvOptions = {}) {
    super(3, inChannels, outChannels, kernelSize, false, options);
  }
  forward(input: Tensor): Tensor {
    return this.convolve(input);
  }
}

/** What all transposed convolutions share. */
export abstract class ConvTransposeNd extends ConvNd {
  /** See NAMED_CALL. @internal */
  declare readonly [NAMED_CALL]: [input: Tensor, named: { readonly outputSize?: readonly number[] | null }];
  /** What is added around the input. */
  declare readonly padding: readonly number[];

  protected constructor(
    n: number,
    inChannels: number,
    outChannels: number,
    kernelSize: Size,
    options: ConvTransposeOptions,
  ) {
    if ((options.paddingMode ?? "zeros") !== "zeros")
      throw new OperatorError(`Only "zeros" padding mode is supported for ${new.target.name}`);
    super(n, inChannels, outChannels, kernelSize, true, options);
  }

  /** The output padding that gives an output size. */
  private outputPaddingFor(input: Tensor, outputSize: readonly number[] | null): readonly number[] {
    if (outputSize === null) return this.output_padding;
    const n = this.kernel_size.length;
    const skipped = input.ndim === n + 2 ? 2 : 1;
    const wanted = outputSize.length === skipped + n ? outputSize.slice(skipped) : outputSize;
    if (wanted.length !== n) {
      throw new OperatorError(
        `ConvTranspose${n}D: for ${input.ndim}D input, output_size must have ${n} or ${skipped + n} elements (got ${wanted.length})`,
      );
    }
    const least = this.kernel_size.map(
      (k, d) =>
        (input.sizes[d + skipped]! - 1) * this.stride[d]! - 2 * this.padding[d]! + this.dilation[d]! * (k - 1) + 1,
    );
    const most = least.map((size, d) => size + this.stride[d]! - 1);
    wanted.forEach((size, d) => {
      if (size >= least[d]! && size <= most[d]!) return;
      throw new OperatorError(
        `requested an output size of [${wanted.join(", ")}], but valid sizes range from [${least.join(", ")}] to [${most.join(", ")}] (for an input of torch.Size([${input.sizes.slice(2).join(", ")}]))`,
      );
    });
    return wanted.map((size, d) => size - least[d]!);
  }

  /** The transposed convolution; `outputSize` settles what the stride leaves open. */
  forward(input: Tensor, outputSize: readonly number[] | null = null): Tensor {
    const n = this.kernel_size.length;
    const name = n === 1 ? "conv_transpose1d" : n === 2 ? "conv_transpose2d" : "conv_transpose3d";
    return aten(
      name,
      input,
      this.weight,
      this.bias,
      this.stride,
      this.padding,
      this.outputPaddingFor(input, outputSize),
      this.groups,
      this.dilation,
    );
  }
}

/** Transposed convolution over (N, C, L). */
export class ConvTranspose1d extends ConvTransposeNd {
  static readonly torchscript: ModuleScript = convTransposeScript(1);
  constructor(inChannels: number, outChannels: number, kernelSize: Size, options: ConvTransposeOptions = {}) {
    super(1, inChannels, outChannels, kernelSize, options);
  }
}

/** Transposed convolution over (N, C, H, W). */
export class ConvTranspose2d extends ConvTransposeNd {
  static readonly torchscript: ModuleScript = convTransposeScript(2);
  constructor(inChannels: number, outChannels: number, kernelSize: Size, options: ConvTransposeOptions = {}) {
    super(2, inChannels, outChannels, kernelSize, options);
  }
}

/** Transposed convolution over (N, C, D, H, W). */
export class ConvTranspose3d extends ConvTransposeNd {
  static readonly torchscript: ModuleScript = convTransposeScript(3);
  constructor(inChannels: number, outChannels: number, kernelSize: Size, options: ConvTransposeOptions = {}) {
    super(3, inChannels, outChannels, kernelSize, options);
  }
}
