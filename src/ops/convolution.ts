/** @file Convolutions of one to three dimensions, plain and transposed. Upstream: aten/src/ATen/native/Convolution.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { contiguousAs, convertTensor, laidOut } from "../tensor/clone.ts";
import { roundToBfloat16, roundToHalf } from "../tensor/half.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import {
  convolve,
  convolveFloats,
  convolveTransposed,
  convolveWeightGradient,
  type ConvGeometry,
  type Triple,
} from "../tensor/kernels/convolution.ts";
import { computeDtype, floatsAs, floatsOf, fromDoubles } from "../tensor/kernels/data.ts";
import { cppScalarName } from "../tensor/kernels/matmul.ts";
import { notImplemented } from "../tensor/pointwise.ts";
import { numelOf } from "../tensor/strides.ts";
import { emptyTensor, uninitializedTensor, type Tensor } from "../tensor/tensor.ts";
import { formatList, permuteView, squeezeView, unsqueezeView } from "../tensor/view_geometry.ts";
import { view_as_real } from "./views.ts";
import { convolutionFormat, missingKernel } from "./convolution_format.ts";
import { constantPad } from "./padding.ts";

interface ConvOptions {
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly transposed: boolean;
  readonly outputPadding: readonly number[];
  readonly groups: number;
}

function expanded(values: readonly number[], name: string, dims: number): number[] {
  if (values.length === 1) return new Array<number>(dims).fill(values[0]!);
  if (values.length !== dims) {
    throw new OperatorError(
      `expected ${name} to be a single integer value or a list of ${dims} values to match the convolution dimensions, but got ${name}=${formatList(values)}`,
    );
  }
  return [...values];
}

function checkShapes(input: Tensor, weight: Tensor, bias: Tensor | null, o: ConvOptions): void {
  const k = input.ndim;
  if (o.padding.some((p) => p < 0)) throw new OperatorError("negative padding is not supported");
  if (o.outputPadding.some((p) => p < 0)) throw new OperatorError("negative output_padding is not supported");
  if (o.stride.some((s) => s <= 0)) throw new OperatorError("non-positive stride is not supported");
  if (o.dilation.some((d) => d <= 0)) {
    throw new OperatorError(`dilation should be greater than zero, but got ${formatList(o.dilation)}`);
  }
  if (weight.ndim !== k) {
    throw new OperatorError(
      `Expected ${weight.ndim}-dimensional input for ${weight.ndim}-dimensional weight ${formatList(weight.sizes)}, but got ${k}-dimensional input of size ${formatList(input.sizes)} instead`,
    );
  }
  if (weight.sizes[0]! < o.groups) {
    throw new OperatorError(
      `Given groups=${o.groups}, expected weight to be at least ${o.groups} at dimension 0, but got weight of size ${formatList(weight.sizes)} instead`,
    );
  }
  if (weight.sizes[0]! % o.groups !== 0) {
    throw new OperatorError(
      `Given groups=${o.groups}, expected weight to be divisible by ${o.groups} at dimension 0, but got weight of size [${formatList(weight.sizes)}] instead`,
    );
  }
  const channels = input.sizes[1]!;
  if (!o.transposed) {
    if (channels !== weight.sizes[1]! * o.groups) {
      throw new OperatorError(
        `Given groups=${o.groups}, weight of size ${formatList(weight.sizes)}, expected input${formatList(input.sizes)} to have ${weight.sizes[1]! * o.groups} channels, but got ${channels} channels instead`,
      );
    }
    if (bias && (bias.ndim !== 1 || bias.sizes[0] !== weight.sizes[0])) {
      throw new OperatorError(
        `Given weight of size ${formatList(weight.sizes)}, expected bias to be 1-dimensional with ${weight.sizes[0]} elements, but got bias of size ${formatList(bias.sizes)} instead`,
      );
    }
    const padded: number[] = [];
    const kernel: number[] = [];
    let fits = true;
    for (let d = 2; d < k; d++) {
      padded.push(input.sizes[d]! + 2 * o.padding[d - 2]!);
      kernel.push(o.dilation[d - 2]! * (weight.sizes[d]! - 1) + 1);
      if (padded[d - 2]! < kernel[d - 2]!) fits = false;
    }
    if (!fits) {
      throw new OperatorError(
        `Calculated padded input size per channel: (${padded.join(" x ")}). Kernel size: (${kernel.join(" x ")}). Kernel size can't be greater than actual input size`,
      );
    }
  } else {
    if (channels !== weight.sizes[0]) {
      throw new OperatorError(
        `Given transposed=${Number(o.transposed)}, weight of size ${formatList(weight.sizes)}, expected input${formatList(input.sizes)} to have ${weight.sizes[0]} channels, but got ${channels} channels instead`,
      );
    }
    if (bias && (bias.ndim !== 1 || bias.sizes[0] !== weight.sizes[1]! * o.groups)) {
      throw new OperatorError(
        `Given transposed=${Number(o.transposed)}, weight of size ${formatList(weight.sizes)}, expected bias to be 1-dimensional with ${weight.sizes[1]! * o.groups} elements, but got bias of size ${formatList(bias.sizes)} instead`,
      );
    }
    for (let d = 0; d < k - 2; d++) {
      if (o.outputPadding[d]! >= Math.max(o.stride[d]!, o.dilation[d]!)) {
        const [op_, st, di] = [o.outputPadding, o.stride, o.dilation];
        const two = k === 3 ? [1, 1, 1] : [op_[k - 4] ?? 0, st[k - 4] ?? 1, di[k - 4] ?? 1];
        throw new OperatorError(
          k === 5
            ? `output padding must be smaller than either stride or dilation, but got output_padding_depth: ${op_[0]} output_padding_height: ${op_[1]} output_padding_width: ${op_[2]} stride_depth: ${st[0]} stride_height: ${st[1]} stride_width: ${st[2]} dilation_depth: ${di[0]} dilation_height: ${di[1]} dilation_width: ${di[2]}`
            : `output padding must be smaller than either stride or dilation, but got output_padding_height: ${k === 3 ? 0 : two[0]} output_padding_width: ${op_[k - 3]} stride_height: ${two[1]} stride_width: ${st[k - 3]} dilation_height: ${two[2]} dilation_width: ${di[k - 3]}`,
        );
      }
    }
  }
}

function outputSize(input: Tensor, weight: Tensor, o: ConvOptions): number[] {
  const out = [input.sizes[0]!, o.transposed ? weight.sizes[1]! * o.groups : weight.sizes[0]!];
  for (let d = 2; d < input.ndim; d++) {
    const i = d - 2;
    const kernel = o.dilation[i]! * (weight.sizes[d]! - 1) + 1;
    out.push(
      o.transposed
        ? (input.sizes[d]! - 1) * o.stride[i]! - 2 * o.padding[i]! + kernel + o.outputPadding[i]!
        : Math.floor((input.sizes[d]! + 2 * o.padding[i]! - kernel) / o.stride[i]!) + 1,
    );
  }
  return out;
}

function triple(values: readonly number[], fill: number): Triple {
  const lead = 3 - values.length;
  return [lead > 0 ? fill : values[0]!, lead > 1 ? fill : values[1 - lead]!, values[2 - lead]!];
}

/** Sizes of the result. @throws OperatorError where the input is too small. */
function checkedSizes(input: Tensor, weight: Tensor, o: ConvOptions): number[] {
  const sizes = outputSize(input, weight, o);
  if (sizes.some((s) => s < 0) || sizes.slice(2).some((s) => s === 0 && input.numel > 0 && o.transposed)) {
    throw new OperatorError(
      `Given input size per channel: (${input.sizes.slice(2).join(" x ")}). Calculated output size per channel: (${sizes.slice(2).join(" x ")}). Output size is too small`,
    );
  }
  return sizes;
}

function runConvolution(input: Tensor, weight: Tensor, bias: Tensor | null, o: ConvOptions): Tensor {
  const sizes = checkedSizes(input, weight, o);
  const geometry = geometryOf(input, weight, sizes, o);
  if (input.dtype.category === "complex") return complexConvolution(input, weight, bias, geometry, sizes, o);
  const hasValues = numelOf(sizes) > 0 && input.numel > 0 && weight.numel > 0;
  if (hasValues && input.dtype === DTYPES.float32) {
    const out = uninitializedTensor(sizes);
    if (convolveFloats(input, weight, bias, out, geometry, o.transposed)) return out;
  }
  const dtype = input.dtype.category === "float" ? computeDtype(input.dtype) : DTYPES.float64;
  const out = emptyTensor(sizes, dtype);
  if (hasValues) {
    const [x, w, values] = [floatsAs(input, dtype), floatsAs(weight, dtype), floatsOf(out)];
    if (o.transposed) convolveTransposed(x, w, values, geometry, narrowSteps(input.dtype, o));
    else convolve(x, w, values, geometry);
  }
  if (bias) addChannels(out, floatsAs(bias, dtype), numelOf(sizes.slice(2)));
  return convertTensor(out, input.dtype);
}

/** Rounding of the steps of a transposed convolution: bfloat16 has a wide accumulator (oneDNN) unless the output padding is beyond the stride. */
function narrowSteps(dtype: DType, o: ConvOptions): ((value: number) => number) | undefined {
  if (dtype === DTYPES.float16) return roundToHalf;
  if (dtype === DTYPES.bfloat16 && o.outputPadding.some((p, i) => p >= o.stride[i]!)) return roundToBfloat16;
  return undefined;
}

function addChannels(out: Tensor, bias: ArrayLike<number>, plane: number): void {
  const values = floatsOf(out);
  const channels = out.sizes[1]!;
  for (let n = 0, at = 0; n < out.sizes[0]!; n++) {
    for (let c = 0; c < channels; c++) {
      const b = bias[c]!;
      for (let p = 0; p < plane; p++, at++) values[at] = values[at]! + b;
    }
  }
}

/** Four real convolutions of the parts. */
function complexConvolution(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  g: ConvGeometry,
  sizes: readonly number[],
  o: ConvOptions,
): Tensor {
  const run = o.transposed ? convolveTransposed : convolve;
  const x = complexParts(input);
  const w = complexParts(weight);
  const count = numelOf(sizes);
  const parts = [0, 1].map((i) =>
    [0, 1].map((j) => {
      const out = new Float64Array(count);
      if (count > 0 && input.numel > 0 && weight.numel > 0) run(x[i]!, w[j]!, out, g);
      return out;
    }),
  );
  const out = emptyTensor(sizes, DTYPES.complex128);
  const values = floatsOf(out);
  const b = bias ? complexParts(bias) : undefined;
  const plane = numelOf(sizes.slice(2));
  for (let i = 0; i < count; i++) {
    const c = Math.floor(i / plane) % sizes[1]!;
    values[2 * i] = parts[0]![0]![i]! - parts[1]![1]![i]! + (b ? b[0]![c]! : 0);
    values[2 * i + 1] = parts[0]![1]![i]! + parts[1]![0]![i]! + (b ? b[1]![c]! : 0);
  }
  return convertTensor(out, input.dtype);
}

function complexParts(t: Tensor): [Float64Array, Float64Array] {
  const pairs = floatsOf(view_as_real(contiguousAs(t, DTYPES.complex128)));
  const re = new Float64Array(t.numel);
  const im = new Float64Array(t.numel);
  for (let i = 0; i < t.numel; i++) {
    re[i] = pairs[2 * i]!;
    im[i] = pairs[2 * i + 1]!;
  }
  return [re, im];
}

function convolutionTensor(input: Tensor, weight: Tensor, bias: Tensor | null, options: ConvOptions): Tensor {
  const o = checkedOptions(input, weight, bias, options);
  const out = runConvolution(input, weight, bias, o);
  return laidOut(out, convolutionFormat(input, weight, o.groups, out.sizes));
}

/** Sizes and geometry of a plain convolution of a batch. @throws OperatorError where something does not fit. */
export function planConvolution(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  options: ConvOptions,
): { sizes: number[]; geometry: ConvGeometry } {
  const o = checkedOptions(input, weight, bias, options);
  const sizes = checkedSizes(input, weight, o);
  return { sizes, geometry: geometryOf(input, weight, sizes, o) };
}

/** Options with one entry a dimension. @throws OperatorError where something does not fit. */
function checkedOptions(input: Tensor, weight: Tensor, bias: Tensor | null, options: ConvOptions): ConvOptions {
  const k = weight.ndim;
  const dims = k - 2;
  if (dims <= 0) throw new OperatorError("weight should have at least three dimensions");
  if (options.groups <= 0) throw new OperatorError("non-positive groups is not supported");
  const o: ConvOptions = {
    ...options,
    stride: expanded(options.stride, "stride", dims),
    padding: expanded(options.padding, "padding", dims),
    dilation: expanded(options.dilation, "dilation", dims),
    outputPadding: expanded(options.outputPadding, "output_padding", dims),
  };
  checkShapes(input, weight, bias, o);
  if (bias && bias.dtype !== input.dtype) {
    throw new OperatorError(
      `Input type (${cppScalarName(input.dtype)}) and bias type (${cppScalarName(bias.dtype)}) should be the same`,
    );
  }
  if (weight.dtype !== input.dtype) {
    throw new OperatorError(`expected scalar type ${input.dtype.cppName} but found ${weight.dtype.cppName}`);
  }
  const missing = missingKernel(input.dtype, dims, o.transposed, o.dilation);
  if (missing !== undefined) throw notImplemented(missing, input.dtype);
  return o;
}

function geometryOf(input: Tensor, weight: Tensor, output: readonly number[], o: ConvOptions): ConvGeometry {
  return {
    batch: input.sizes[0]!,
    inChannels: input.sizes[1]!,
    outChannels: output[1]!,
    groups: o.groups,
    input: triple(input.sizes.slice(2), 1),
    kernel: triple(weight.sizes.slice(2), 1),
    output: triple(output.slice(2), 1),
    stride: triple(o.stride, 1),
    padding: triple(o.padding, 0),
    dilation: triple(o.dilation, 1),
  };
}

/** Gradients of a convolution with respect to input, weight and bias; empty tensors where not asked for. */
function convolutionBackward(
  grad: Tensor,
  input: Tensor,
  weight: Tensor,
  given: ConvOptions,
  mask: readonly boolean[],
): [Tensor, Tensor, Tensor] {
  const dims = weight.ndim - 2;
  const o: ConvOptions = {
    ...given,
    stride: expanded(given.stride, "stride", dims),
    padding: expanded(given.padding, "padding", dims),
    dilation: expanded(given.dilation, "dilation", dims),
  };
  const none = (): Tensor => emptyTensor([0], grad.dtype);
  const dtype = computeDtype(input.dtype);
  const [g, x, w] = [floatsAs(grad, dtype), floatsAs(input, dtype), floatsAs(weight, dtype)];
  // the plain convolution of the pair: from input to output, or from output to input where transposed
  const plain = o.transposed ? geometryOf(grad, weight, input.sizes, o) : geometryOf(input, weight, grad.sizes, o);
  let dInput = none();
  if (mask[0]) {
    dInput = emptyTensor(input.sizes, dtype);
    if (o.transposed) convolve(g, w, floatsOf(dInput), plain);
    else convolveTransposed(g, w, floatsOf(dInput), geometryOf(grad, weight, input.sizes, o));
  }
  let dWeight = none();
  if (mask[1]) {
    dWeight = emptyTensor(weight.sizes, dtype);
    if (o.transposed) convolveWeightGradient(g, x, floatsOf(dWeight), plain);
    else convolveWeightGradient(x, g, floatsOf(dWeight), plain);
  }
  let dBias = none();
  if (mask[2]) {
    const channels = grad.sizes[1]!;
    const plane = numelOf(grad.sizes.slice(2));
    const sums = new Float64Array(channels);
    for (let i = 0; i < g.length; i++) sums[Math.floor(i / plane) % channels]! += g[i]!;
    dBias = fromDoubles(sums, [channels], grad.dtype);
  }
  return [convertTensor(dInput, grad.dtype), convertTensor(dWeight, grad.dtype), dBias];
}

op(
  "aten::convolution_backward(Tensor grad_output, Tensor input, Tensor weight, SymInt[]? bias_sizes, SymInt[] stride, SymInt[] padding, SymInt[] dilation, bool transposed, SymInt[] output_padding, SymInt groups, bool[3] output_mask) -> (Tensor, Tensor, Tensor)",
  (grad, input, weight, _sizes, stride, padding, dilation, transposed, outputPadding, groups, mask) =>
    convolutionBackward(grad, input, weight, { stride, padding, dilation, transposed, outputPadding, groups }, mask),
);

export const convolution = op(
  "aten::convolution(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding, SymInt[] dilation, bool transposed, SymInt[] output_padding, SymInt groups) -> Tensor",
  (input, weight, bias, stride, padding, dilation, transposed, outputPadding, groups) =>
    convolutionTensor(input, weight, bias, { stride, padding, dilation, transposed, outputPadding, groups }),
);
op(
  "aten::convolution_overrideable(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding, SymInt[] dilation, bool transposed, SymInt[] output_padding, SymInt groups) -> Tensor",
  (input, weight, bias, stride, padding, dilation, transposed, outputPadding, groups) =>
    convolutionTensor(input, weight, bias, { stride, padding, dilation, transposed, outputPadding, groups }),
);
op(
  "aten::_convolution(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding, SymInt[] dilation, bool transposed, SymInt[] output_padding, SymInt groups, bool benchmark, bool deterministic, bool cudnn_enabled, bool allow_tf32) -> Tensor",
  (input, weight, bias, stride, padding, dilation, transposed, outputPadding, groups) =>
    convolutionTensor(input, weight, bias, { stride, padding, dilation, transposed, outputPadding, groups }),
);
op(
  "aten::_convolution.deprecated(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding, SymInt[] dilation, bool transposed, int[] output_padding, SymInt groups, bool benchmark, bool deterministic, bool cudnn_enabled) -> Tensor",
  (input, weight, bias, stride, padding, dilation, transposed, outputPadding, groups) =>
    convolutionTensor(input, weight, bias, { stride, padding, dilation, transposed, outputPadding, groups }),
);
op(
  "aten::mkldnn_convolution(Tensor self, Tensor weight, Tensor? bias, SymInt[] padding, SymInt[] stride, SymInt[] dilation, SymInt groups) -> Tensor",
  (input, weight, bias, padding, stride, dilation, groups) =>
    convolutionTensor(input, weight, bias, {
      stride,
      padding,
      dilation,
      transposed: false,
      outputPadding: [0],
      groups,
    }),
);

/** Lets a convolution of `dims` dimensions take an input without a batch. */
function batched(input: Tensor, dims: number, name: string, run: (input: Tensor) => Tensor): Tensor {
  if (input.ndim !== dims + 1 && input.ndim !== dims + 2) {
    throw new OperatorError(
      `Expected ${dims + 1}D (unbatched) or ${dims + 2}D (batched) input to ${name}, but got input of size: ${formatList(input.sizes)}`,
    );
  }
  return input.ndim === dims + 2 ? run(input) : squeezeView(run(unsqueezeView(input, 0)), [0]);
}

function convNd(
  dims: number,
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  stride: readonly number[],
  padding: readonly number[],
  dilation: readonly number[],
  groups: number,
): Tensor {
  return batched(input, dims, `conv${dims}d`, (x) =>
    convolution(
      x,
      weight,
      bias,
      [...stride],
      [...padding],
      [...dilation],
      false,
      new Array<number>(dims).fill(0),
      groups,
    ),
  );
}

function same(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  strideIn: readonly number[],
  dilationIn: readonly number[],
  groups: number,
): Tensor {
  const dims = weight.ndim - 2;
  if (input.ndim !== weight.ndim) {
    throw new OperatorError(
      `Expected ${weight.ndim}-dimensional input for ${weight.ndim}-dimensional weight${formatList(weight.sizes)}, but got ${input.ndim}-dimensional input of size ${formatList(input.sizes)} instead`,
    );
  }
  const stride = expanded(strideIn, "stride", dims);
  const dilation = expanded(dilationIn, "dilation", dims);
  if (stride.some((s) => s !== 1)) throw new OperatorError("padding='same' is not supported for strided convolutions");
  const left: number[] = [];
  const pads: number[] = [];
  let symmetric = true;
  for (let i = 0; i < dims; i++) {
    const total = dilation[i]! * (weight.sizes[i + 2]! - 1);
    left.push(Math.floor(total / 2));
    if (total % 2 !== 0) symmetric = false;
    pads.unshift(0, total % 2);
  }
  const x = symmetric ? input : constantPad(input, pads, 0);
  return convolution(x, weight, bias, stride, left, dilation, false, new Array<number>(dims).fill(0), groups);
}

function withMode(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  stride: readonly number[],
  padding: string,
  dilation: readonly number[],
  groups: number,
): Tensor {
  if (groups <= 0) throw new OperatorError("non-positive groups is not supported");
  if (padding === "same") return same(input, weight, bias, stride, dilation, groups);
  if (padding !== "valid") throw new OperatorError(`Invalid padding string: '${padding}'`);
  const dims = weight.ndim - 2;
  return convolution(
    input,
    weight,
    bias,
    [...stride],
    [0],
    [...dilation],
    false,
    new Array<number>(dims).fill(0),
    groups,
  );
}

op(
  "aten::_convolution_mode(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, str padding, SymInt[] dilation, SymInt groups) -> Tensor",
  withMode,
);

op(
  "aten::conv1d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=[1], SymInt[1] padding=[0], SymInt[1] dilation=[1], SymInt groups=1) -> Tensor",
  (input, weight, bias, stride, padding, dilation, groups) =>
    convNd(1, input, weight, bias, list(stride), list(padding), list(dilation), groups),
);
export const conv2d = op(
  "aten::conv2d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=[1, 1], SymInt[2] padding=[0, 0], SymInt[2] dilation=[1, 1], SymInt groups=1) -> Tensor",
  (input, weight, bias, stride, padding, dilation, groups) =>
    convNd(2, input, weight, bias, list(stride), list(padding), list(dilation), groups),
);
op(
  "aten::conv3d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[3] stride=[1, 1, 1], SymInt[3] padding=[0, 0, 0], SymInt[3] dilation=[1, 1, 1], SymInt groups=1) -> Tensor",
  (input, weight, bias, stride, padding, dilation, groups) =>
    convNd(3, input, weight, bias, list(stride), list(padding), list(dilation), groups),
);
op(
  'aten::conv1d.padding(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=[1], str padding="valid", SymInt[1] dilation=[1], SymInt groups=1) -> Tensor',
  (input, weight, bias, stride, padding, dilation, groups) =>
    batched(input, 1, "conv1d", (x) => withMode(x, weight, bias, list(stride), padding, list(dilation), groups)),
);
op(
  'aten::conv2d.padding(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=[1, 1], str padding="valid", SymInt[2] dilation=[1, 1], SymInt groups=1) -> Tensor',
  (input, weight, bias, stride, padding, dilation, groups) =>
    batched(input, 2, "conv2d", (x) => withMode(x, weight, bias, list(stride), padding, list(dilation), groups)),
);
op(
  'aten::conv3d.padding(Tensor input, Tensor weight, Tensor? bias=None, SymInt[3] stride=[1, 1, 1], str padding="valid", SymInt[3] dilation=[1, 1, 1], SymInt groups=1) -> Tensor',
  (input, weight, bias, stride, padding, dilation, groups) =>
    batched(input, 3, "conv3d", (x) => withMode(x, weight, bias, list(stride), padding, list(dilation), groups)),
);

/** A size argument as a list: schemas such as `int[2] stride=1` also take one number. */
export function list(value: unknown): number[] {
  return Array.isArray(value) ? (value as number[]) : [Number(value)];
}

function transposeNd(
  dims: number,
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  stride: unknown,
  padding: unknown,
  outputPadding: unknown,
  groups: number,
  dilation: unknown,
): Tensor {
  return batched(input, dims, `conv_transpose${dims}d`, (x) =>
    convolution(x, weight, bias, list(stride), list(padding), list(dilation), true, list(outputPadding), groups),
  );
}

op(
  "aten::conv_transpose1d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=[1], SymInt[1] padding=[0], SymInt[1] output_padding=[0], SymInt groups=1, SymInt[1] dilation=[1]) -> Tensor",
  (input, weight, bias, stride, padding, outputPadding, groups, dilation) =>
    transposeNd(1, input, weight, bias, stride, padding, outputPadding, groups, dilation),
);
op(
  "aten::conv_transpose2d.input(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=[1, 1], SymInt[2] padding=[0, 0], SymInt[2] output_padding=[0, 0], SymInt groups=1, SymInt[2] dilation=[1, 1]) -> Tensor",
  (input, weight, bias, stride, padding, outputPadding, groups, dilation) =>
    transposeNd(2, input, weight, bias, stride, padding, outputPadding, groups, dilation),
);
op(
  "aten::conv_transpose3d.input(Tensor input, Tensor weight, Tensor? bias=None, SymInt[3] stride=[1, 1, 1], SymInt[3] padding=[0, 0, 0], SymInt[3] output_padding=[0, 0, 0], SymInt groups=1, SymInt[3] dilation=[1, 1, 1]) -> Tensor",
  (input, weight, bias, stride, padding, outputPadding, groups, dilation) =>
    transposeNd(3, input, weight, bias, stride, padding, outputPadding, groups, dilation),
);

op("aten::conv_tbc(Tensor self, Tensor weight, Tensor bias, int pad=0) -> Tensor", (self, weight, bias, pad) => {
  if (self.ndim !== 3) throw new OperatorError("Input must have 3 dims: time, batch, in_channel");
  if (weight.ndim !== 3)
    throw new OperatorError("Weight tensor must have 3 dims: kernel_width, in_channels, out_channels.");
  // time-batch-channel to batch-channel-time and back
  const out = convolution(
    permuteView(self, [1, 2, 0]),
    permuteView(weight, [2, 1, 0]),
    bias,
    [1],
    [pad],
    [1],
    false,
    [0],
    1,
  );
  return contiguousAs(permuteView(out, [2, 0, 1]), self.dtype);
});
op(
  "aten::thnn_conv2d(Tensor self, Tensor weight, SymInt[2] kernel_size, Tensor? bias=None, SymInt[2] stride=[1, 1], SymInt[2] padding=[0, 0]) -> Tensor",
  (self, weight, _kernel, bias, stride, padding) =>
    convNd(2, self, weight, bias, list(stride), list(padding), [1, 1], 1),
);
op(
  "aten::_slow_conv2d_forward(Tensor self, Tensor weight, SymInt[2] kernel_size, Tensor? bias, SymInt[2] stride, SymInt[2] padding) -> Tensor",
  (self, weight, _kernel, bias, stride, padding) => convNd(2, self, weight, bias, stride, padding, [1, 1], 1),
);
op(
  "aten::slow_conv3d(Tensor self, Tensor weight, SymInt[3] kernel_size, Tensor? bias=None, SymInt[3] stride=[1, 1, 1], SymInt[3] padding=[0, 0, 0]) -> Tensor",
  (self, weight, _kernel, bias, stride, padding) =>
    convNd(3, self, weight, bias, list(stride), list(padding), [1, 1, 1], 1),
);
op(
  "aten::slow_conv_dilated2d(Tensor self, Tensor weight, SymInt[2] kernel_size, Tensor? bias=None, SymInt[2] stride=[1, 1], SymInt[2] padding=[0, 0], SymInt[2] dilation=[1, 1]) -> Tensor",
  (self, weight, _kernel, bias, stride, padding, dilation) =>
    convNd(2, self, weight, bias, list(stride), list(padding), list(dilation), 1),
);
op(
  "aten::slow_conv_transpose2d(Tensor self, Tensor weight, SymInt[2] kernel_size, Tensor? bias=None, SymInt[2] stride=[1, 1], SymInt[2] padding=[0, 0], SymInt[2] output_padding=[0, 0], SymInt[2] dilation=[1, 1]) -> Tensor",
  (self, weight, _kernel, bias, stride, padding, outputPadding, dilation) =>
    transposeNd(2, self, weight, bias, stride, padding, outputPadding, 1, dilation),
);
op(
  "aten::_conv_depthwise2d(Tensor self, Tensor weight, SymInt[2] kernel_size, Tensor? bias, SymInt[2] stride, SymInt[2] padding, SymInt[2] dilation) -> Tensor",
  (self, weight, _kernel, bias, stride, padding, dilation) =>
    convNd(2, self, weight, bias, stride, padding, dilation, self.sizes[self.ndim - 3]!),
);
op(
  "aten::conv_depthwise3d(Tensor self, Tensor weight, SymInt[3] kernel_size, Tensor? bias, SymInt[3] stride, SymInt[3] padding, SymInt[3] dilation) -> Tensor",
  (self, weight, _kernel, bias, stride, padding, dilation) =>
    convNd(3, self, weight, bias, stride, padding, dilation, self.sizes[self.ndim - 4]!),
);
op(
  "aten::slow_conv_dilated3d(Tensor self, Tensor weight, SymInt[3] kernel_size, Tensor? bias=None, SymInt[3] stride=[1, 1, 1], SymInt[3] padding=[0, 0, 0], SymInt[3] dilation=[1, 1, 1]) -> Tensor",
  (self, weight, _kernel, bias, stride, padding, dilation) =>
    convNd(3, self, weight, bias, list(stride), list(padding), list(dilation), 1),
);
op(
  "aten::slow_conv_transpose3d(Tensor self, Tensor weight, SymInt[3] kernel_size, Tensor? bias=None, SymInt[3] stride=[1, 1, 1], SymInt[3] padding=[0, 0, 0], SymInt[3] output_padding=[0, 0, 0], SymInt[3] dilation=[1, 1, 1]) -> Tensor",
  (self, weight, _kernel, bias, stride, padding, outputPadding, dilation) =>
    transposeNd(3, self, weight, bias, stride, padding, outputPadding, 1, dilation),
);
