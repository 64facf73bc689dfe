/** @file Quantized convolutions on packed parameters. Upstream: aten/src/ATen/native/quantized/cpu/qconv.cpp. Spec: none. See Note [Exact accumulators]. */
import { OperatorError } from "../base/errors.ts";
import { callNative, isConvForOneDnn, makeNative, nativeState, type ConvParams } from "../core/native_class.ts";
import { op } from "../core/operator_registry.ts";
import { contiguousAs, convertTensor } from "../tensor/clone.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { doublesOf, floatsAs, floatsOf, fromDoubles } from "../tensor/kernels/data.ts";
import { fromIntegers, integersView, quantizeDynamic } from "../tensor/kernels/quantized.ts";
import { withExactConvolution } from "../tensor/kernels/wasm/winograd.ts";
import { Tensor } from "../tensor/tensor.ts";
import { formatList, squeezeView, unsqueezeView } from "../tensor/view_geometry.ts";
import { convolution } from "./convolution.ts";
import { dequantizeTensor } from "./quantized.ts";
import {
  centered,
  eachPlane,
  requantize,
  requireActivations,
  resultOf,
  toByte,
  weightScales,
  type Sums,
} from "./quantized_sums.ts";

const f = Math.fround;

/** PyTorch hands oneDNN reciprocals of scales, as float32. */
const reciprocal = (scale: number): number => f(1 / f(1 / scale));

/** Scales sums to a quantized tensor as oneDNN's convolutions do: scale by scale, and the bias in real units. */
function requantizeByDnn(
  s: Sums,
  inScale: number,
  weights: Float64Array,
  outScale: number,
  zeroPoint: number,
  relu: boolean,
): Tensor {
  const { sums, inner, bias } = s;
  const { out, isLast } = resultOf(s, true, outScale, zeroPoint);
  const bytes = out.storage.segment.u8;
  const low = relu ? zeroPoint : 0;
  const input = reciprocal(inScale);
  const output = f(1 / reciprocal(outScale));
  eachPlane(s, isLast, (c, from, to, step) => {
    const w = weights[c]!;
    const b = bias ? bias[c]! : 0;
    for (let i = from, at = out.base0 + to; i < from + inner; i++, at += step) {
      const real = f(f(f(sums[i]!) * input) * w);
      bytes[at] = toByte(f(f(f(real + b) * output) + zeroPoint), 0, low);
    }
  });
  return out;
}

/** Weights minus their zero points as a float32 tensor of their own, of which kernels keep what they pack. */
interface CenteredWeights {
  readonly weight: Tensor;
  readonly version: number;
  /** The largest sum of absolute weights that an output channel has. */
  readonly largest: number;
}

const centeredWeights = new WeakMap<ConvParams, CenteredWeights>();

function centeredWeightsOf(p: ConvParams): CenteredWeights {
  const known = centeredWeights.get(p);
  const { version } = p.weight.storage;
  if (known?.version === version) return known;
  const values = centered(p.weight);
  const { sizes } = p.weight;
  const taps = sizes.slice(2).reduce((a, b) => a * b, 1);
  const inPerGroup = sizes[0]! / p.groups;
  const sums = new Map<number, number>();
  for (let i = 0; i < values.length; i++) {
    const [first, second] = [Math.floor(i / (taps * sizes[1]!)), Math.floor(i / taps) % sizes[1]!];
    const channel = p.transpose ? Math.floor(first / inPerGroup) * sizes[1]! + second : first;
    sums.set(channel, (sums.get(channel) ?? 0) + Math.abs(values[i]!));
  }
  const made = {
    weight: fromDoubles(values, sizes, DTYPES.float32),
    version,
    largest: [...sums.values()].reduce((a, b) => Math.max(a, b), 0),
  };
  centeredWeights.set(p, made);
  return made;
}

/** The integers of activations minus their zero point. */
function centeredAs(x: Tensor, zeroPoint: number, dtype: DType): Tensor {
  const t = contiguousAs(integersView(x), dtype);
  const values = floatsOf(t);
  for (let i = 0; i < values.length; i++) values[i] = values[i]! - zeroPoint;
  return t;
}

/** Float32 numbers are whole up to here. */
const MOST_EXACT = 2 ** 24;

/** Convolves integers minus zero points, exactly. */
function convSums(x: Tensor, p: ConvParams): Sums {
  const { scale, zeroPoint } = requireActivations(x, "conv");
  const dims = p.stride.length;
  if (x.ndim !== dims + 2)
    throw new OperatorError(
      `Expected activation data type QUInt8 and ${dims + 2}-dimensional input, got ${x.ndim}D of size ${formatList(x.sizes)}`,
    );
  const { weight, largest } = centeredWeightsOf(p);
  const isSmall = largest * Math.max(zeroPoint + 128, 255 - zeroPoint) < MOST_EXACT;
  const dtype = isSmall ? DTYPES.float32 : DTYPES.float64;
  const y = withExactConvolution(() =>
    convolution(
      centeredAs(x, zeroPoint, dtype),
      convertTensor(weight, dtype),
      null,
      [...p.stride],
      [...p.padding],
      [...p.dilation],
      p.transpose,
      [...p.outputPadding],
      p.groups,
    ),
  );
  const channels = y.sizes[1]!;
  return {
    sums: floatsAs(y, dtype),
    sizes: y.sizes,
    scales: convScales(p, channels).map((w) => f(f(scale) * w)),
    bias: p.bias ? doublesOf(p.bias) : undefined,
    channels,
    inner: y.sizes.slice(2).reduce((a, b) => a * b, 1),
  };
}

/** Scales by output channel: transposed weights have their channels in dimension 1, repeated for each group. */
function convScales(p: ConvParams, channels: number): Float64Array {
  const own = weightScales(p.weight, p.transpose ? channels / p.groups : channels);
  return own.length === channels ? own : Float64Array.from({ length: channels }, (_, c) => own[c % own.length]!);
}

function convQuantized(x: Tensor, packed: unknown, scale: number, zeroPoint: number, relu: boolean): Tensor {
  const p = nativeState<ConvParams>(packed);
  const sums = convSums(x, p);
  return isConvForOneDnn(p)
    ? requantizeByDnn(sums, requireActivations(x, "conv").scale, convScales(p, sums.channels), scale, zeroPoint, relu)
    : requantize(sums, scale, zeroPoint, relu, true);
}

/** One-dimensional layers are stored as two-dimensional ones of height 1. */
function asPlane(x: Tensor, run: (x: Tensor) => Tensor): Tensor {
  const out = run(unsqueezeView(x, x.ndim - 1));
  const flat = squeezeView(out, [out.ndim - 2]);
  const fresh = new Tensor(flat.storage, flat.dtype, flat.sizes, flat.strides, flat.storageOffset);
  fresh.quantizer = out.quantizer;
  return fresh;
}

op(
  "quantized::conv1d(Tensor qx, __torch__.torch.classes.quantized.Conv2dPackedParamsBase packed_weight, float output_scale, int output_zero_point) -> Tensor",
  (x, packed, scale, zeroPoint) => asPlane(x, (y) => convQuantized(y, packed, scale, zeroPoint, false)),
);
op(
  "quantized::conv1d_relu(Tensor qx, __torch__.torch.classes.quantized.Conv2dPackedParamsBase packed_weight, float output_scale, int output_zero_point) -> Tensor",
  (x, packed, scale, zeroPoint) => asPlane(x, (y) => convQuantized(y, packed, scale, zeroPoint, true)),
);
op(
  "quantized::conv2d.new(Tensor qx, __torch__.torch.classes.quantized.Conv2dPackedParamsBase packed_weight, float output_scale, int output_zero_point) -> Tensor",
  (x, packed, scale, zeroPoint) => convQuantized(x, packed, scale, zeroPoint, false),
);
op(
  "quantized::conv2d_relu.new(Tensor qx, __torch__.torch.classes.quantized.Conv2dPackedParamsBase packed_weight, float output_scale, int output_zero_point) -> Tensor",
  (x, packed, scale, zeroPoint) => convQuantized(x, packed, scale, zeroPoint, true),
);
op(
  "quantized::conv2d(Tensor qx, __torch__.torch.classes.quantized.Conv2dPackedParamsBase weight, int[] stride, int[] padding, int[] dilation, int groups, float output_scale, int output_zero_point) -> Tensor",
  (x, packed, _s, _p, _d, _g, scale, zeroPoint) => convQuantized(x, packed, scale, zeroPoint, false),
);
op(
  "quantized::conv2d_relu(Tensor qx, __torch__.torch.classes.quantized.Conv2dPackedParamsBase weight, int[] stride, int[] padding, int[] dilation, int groups, float output_scale, int output_zero_point) -> Tensor",
  (x, packed, _s, _p, _d, _g, scale, zeroPoint) => convQuantized(x, packed, scale, zeroPoint, true),
);
op(
  "quantized::conv3d.new(Tensor qx, __torch__.torch.classes.quantized.Conv3dPackedParamsBase packed_weight, float output_scale, int output_zero_point) -> Tensor",
  (x, packed, scale, zeroPoint) => convQuantized(x, packed, scale, zeroPoint, false),
);
op(
  "quantized::conv3d_relu.new(Tensor qx, __torch__.torch.classes.quantized.Conv3dPackedParamsBase packed_weight, float output_scale, int output_zero_point) -> Tensor",
  (x, packed, scale, zeroPoint) => convQuantized(x, packed, scale, zeroPoint, true),
);
op(
  "quantized::conv3d(Tensor qx, __torch__.torch.classes.quantized.Conv3dPackedParamsBase weight, int[] stride, int[] padding, int[] dilation, int groups, float output_scale, int output_zero_point) -> Tensor",
  (x, packed, _s, _p, _d, _g, scale, zeroPoint) => convQuantized(x, packed, scale, zeroPoint, false),
);
op(
  "quantized::conv3d_relu(Tensor qx, __torch__.torch.classes.quantized.Conv3dPackedParamsBase weight, int[] stride, int[] padding, int[] dilation, int groups, float output_scale, int output_zero_point) -> Tensor",
  (x, packed, _s, _p, _d, _g, scale, zeroPoint) => convQuantized(x, packed, scale, zeroPoint, true),
);
op(
  "quantized::conv_transpose1d(Tensor qx, __torch__.torch.classes.quantized.Conv2dPackedParamsBase packed_weight, float output_scale, int output_zero_point) -> Tensor",
  (x, packed, scale, zeroPoint) => asPlane(x, (y) => convQuantized(y, packed, scale, zeroPoint, false)),
);
op(
  "quantized::conv_transpose2d(Tensor qx, __torch__.torch.classes.quantized.Conv2dPackedParamsBase packed_weight, float output_scale, int output_zero_point) -> Tensor",
  (x, packed, scale, zeroPoint) => convQuantized(x, packed, scale, zeroPoint, false),
);
op(
  "quantized::conv_transpose3d(Tensor qx, __torch__.torch.classes.quantized.Conv3dPackedParamsBase packed_weight, float output_scale, int output_zero_point) -> Tensor",
  (x, packed, scale, zeroPoint) => convQuantized(x, packed, scale, zeroPoint, false),
);

for (const name of ["conv2d_add", "conv2d_add_relu"]) {
  const schema = `quantized::${name}(Tensor qx, Tensor qaccum, __torch__.torch.classes.quantized.Conv2dPackedParamsBase packed_weight, float output_scale, int output_zero_point) -> Tensor`;
  op(schema, (() => {
    throw new OperatorError(`Didn't find engine for operation quantized::conv2d_add.X86`);
  }) as never);
}

/** PyTorch runs the quantized convolution with the input's parameters for the output too, and dequantizes. */
function dynamicConv(x: Tensor, packed: unknown, reduceRange: boolean): Tensor {
  if (x.dtype !== DTYPES.float32)
    throw new OperatorError(`Quantize only works on Float Tensor, got ${x.dtype.cppName}`);
  const { integers, scale, zeroPoint } = quantizeDynamic(doublesOf(x), reduceRange);
  const input = fromIntegers(integers, x.sizes, DTYPES.quint8, { scheme: "per_tensor_affine", scale, zeroPoint });
  return dequantizeTensor(convQuantized(input, packed, scale, zeroPoint, false));
}

op(
  "quantized::conv1d_dynamic(Tensor qx, __torch__.torch.classes.quantized.Conv2dPackedParamsBase packed_weight, bool reduce_range=False) -> Tensor",
  (x, packed, reduceRange) => asPlane(x, (y) => dynamicConv(y, packed, reduceRange)),
);
op(
  "quantized::conv2d_dynamic(Tensor qx, __torch__.torch.classes.quantized.Conv2dPackedParamsBase packed_weight, bool reduce_range=False) -> Tensor",
  dynamicConv,
);
op(
  "quantized::conv3d_dynamic(Tensor qx, __torch__.torch.classes.quantized.Conv3dPackedParamsBase packed_weight, bool reduce_range=False) -> Tensor",
  dynamicConv,
);
op(
  "quantized::conv_transpose1d_dynamic(Tensor qx, __torch__.torch.classes.quantized.Conv2dPackedParamsBase packed_weight, bool reduce_range=False) -> Tensor",
  (x, packed, reduceRange) => asPlane(x, (y) => dynamicConv(y, packed, reduceRange)),
);
op(
  "quantized::conv_transpose2d_dynamic(Tensor qx, __torch__.torch.classes.quantized.Conv2dPackedParamsBase packed_weight, bool reduce_range=False) -> Tensor",
  dynamicConv,
);
op(
  "quantized::conv_transpose3d_dynamic(Tensor qx, __torch__.torch.classes.quantized.Conv3dPackedParamsBase packed_weight, bool reduce_range=False) -> Tensor",
  dynamicConv,
);

function packConv(
  dims: number,
  weight: Tensor,
  bias: Tensor | null,
  stride: readonly number[],
  padding: readonly number[],
  dilation: readonly number[],
  groups: number,
  transpose = false,
  outputPadding: readonly number[] = new Array<number>(dims).fill(0),
): unknown {
  if (weight.ndim !== dims + 2) throw new OperatorError(`Weights are expected to have ${dims + 2} dimensions`);
  if (stride.length !== dims)
    throw new OperatorError(`stride should contain ${dims} elements for ${dims}D convolution.`);
  if (padding.length !== dims)
    throw new OperatorError(
      `Specify front/top/left padding only. end/bottom/right padding assumed to be equal to front/top/left`,
    );
  if (transpose && weight.quantizer && weight.quantizer.scheme !== "per_tensor_affine")
    throw new OperatorError("Per Channel Quantization is currently disabled for transposed conv");
  const params: ConvParams = { weight, bias, stride, padding, dilation, groups, transpose, outputPadding };
  return makeNative<ConvParams>(`quantized.Conv${dims}dPackedParamsBase`, params, [bias]);
}

/** Gives one-dimensional arguments a first dimension. */
function planar(values: readonly number[], first: number): number[] {
  return [first, ...values];
}

op(
  "quantized::conv1d_prepack(Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, int groups) -> __torch__.torch.classes.quantized.Conv2dPackedParamsBase",
  (weight, bias, stride, padding, dilation, groups) =>
    packConv(2, plane(weight), bias, planar(stride, 1), planar(padding, 0), planar(dilation, 1), groups),
);

function plane(weight: Tensor): Tensor {
  return unsqueezeView(weight, weight.ndim - 1);
}

op(
  "quantized::conv2d_prepack(Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, int groups) -> __torch__.torch.classes.quantized.Conv2dPackedParamsBase",
  (weight, bias, stride, padding, dilation, groups) => packConv(2, weight, bias, stride, padding, dilation, groups),
);
op(
  "quantized::conv_prepack(Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, int groups) -> __torch__.torch.classes.quantized.Conv2dPackedParamsBase",
  (weight, bias, stride, padding, dilation, groups) => packConv(2, weight, bias, stride, padding, dilation, groups),
);
op(
  "quantized::conv3d_prepack(Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, int groups) -> __torch__.torch.classes.quantized.Conv3dPackedParamsBase",
  (weight, bias, stride, padding, dilation, groups) => packConv(3, weight, bias, stride, padding, dilation, groups),
);
op(
  "quantized::conv_transpose1d_prepack(Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] output_padding, int[] dilation, int groups) -> __torch__.torch.classes.quantized.Conv2dPackedParamsBase",
  (weight, bias, stride, padding, outputPadding, dilation, groups) =>
    packConv(
      2,
      plane(weight),
      bias,
      planar(stride, 1),
      planar(padding, 0),
      planar(dilation, 1),
      groups,
      true,
      planar(outputPadding, 0),
    ),
);
op(
  "quantized::conv_transpose2d_prepack(Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] output_padding, int[] dilation, int groups) -> __torch__.torch.classes.quantized.Conv2dPackedParamsBase",
  (weight, bias, stride, padding, outputPadding, dilation, groups) =>
    packConv(2, weight, bias, stride, padding, dilation, groups, true, outputPadding),
);
op(
  "quantized::conv_transpose3d_prepack(Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] output_padding, int[] dilation, int groups) -> __torch__.torch.classes.quantized.Conv3dPackedParamsBase",
  (weight, bias, stride, padding, outputPadding, dilation, groups) =>
    packConv(3, weight, bias, stride, padding, dilation, groups, true, outputPadding),
);

function unpacked(packed: unknown): [Tensor, Tensor | null] {
  return callNative(packed, "unpack") as [Tensor, Tensor | null];
}

function unpackedLine(packed: unknown): [Tensor, Tensor | null] {
  const [weight, bias] = unpacked(packed);
  return [squeezeView(weight, [weight.ndim - 2]), bias];
}

op(
  "quantized::conv1d_unpack(__torch__.torch.classes.quantized.Conv2dPackedParamsBase packed_weights) -> (Tensor unpacked_weights, Tensor? B_origin)",
  unpackedLine,
);
op(
  "quantized::conv_transpose1d_unpack(__torch__.torch.classes.quantized.Conv2dPackedParamsBase packed_weights) -> (Tensor unpacked_weights, Tensor? B_origin)",
  unpackedLine,
);
op(
  "quantized::conv2d_unpack(__torch__.torch.classes.quantized.Conv2dPackedParamsBase packed_weights) -> (Tensor unpacked_weights, Tensor? B_origin)",
  unpacked,
);
op(
  "quantized::conv_unpack(__torch__.torch.classes.quantized.Conv2dPackedParamsBase packed_weights) -> (Tensor unpacked_weights, Tensor? B_origin)",
  unpacked,
);
op(
  "quantized::conv3d_unpack(__torch__.torch.classes.quantized.Conv3dPackedParamsBase packed_weights) -> (Tensor unpacked_weights, Tensor? B_origin)",
  unpacked,
);
op(
  "quantized::conv_transpose2d_unpack(__torch__.torch.classes.quantized.Conv2dPackedParamsBase packed_weights) -> (Tensor unpacked_weights, Tensor? B_origin)",
  unpacked,
);
op(
  "quantized::conv_transpose3d_unpack(__torch__.torch.classes.quantized.Conv3dPackedParamsBase packed_weights) -> (Tensor unpacked_weights, Tensor? B_origin)",
  unpacked,
);

for (const [prefix, dims] of [
  ["conv2d", 2],
  ["conv3d", 3],
  ["conv_transpose2d", 2],
  ["conv_transpose3d", 3],
] as const) {
  const packed = `(__torch__.torch.classes.quantized.Conv${dims}dPackedParamsBase packed_weights)`;
  for (const name of ["stride", "padding", "output_padding", "dilation"] as const) {
    op(`quantized::${prefix}_${name}${packed} -> int[]`, ((object: unknown) => callNative(object, name)) as never);
  }
  op(`quantized::${prefix}_groups${packed} -> int`, ((object: unknown) => callNative(object, "groups")) as never);
  op(`quantized::${prefix}_transpose${packed} -> int`, ((object: unknown) =>
    callNative(object, "transpose") ? 1 : 0) as never);
}

op("quantized::conv2d_unpack_sizes(Any packed_weights) -> Any", (packed) => {
  const { weight, bias, stride, padding, dilation, groups } = nativeState<ConvParams>(packed);
  return [[...weight.sizes], bias ? [...bias.sizes] : null, [...stride], [...padding], [...dilation], groups];
});
