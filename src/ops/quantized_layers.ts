/** @file Quantized linear layers and convolutions on packed parameters. Upstream: aten/src/ATen/native/quantized/cpu/qlinear.cpp, qlinear_dynamic.cpp, qconv.cpp. Spec: none.
 *
 * Note [Exact accumulators]: products of (integer - zero point) are summed exactly, as integers of 32 bits or as float64; one float32 multiplication
 * then rescales the sum, as fbgemm's output stage does. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { ScriptObject } from "../core/ivalue.ts";
import {
  isConvForOneDnn,
  makeNative,
  nativeState,
  NativeMethod,
  type ConvParams,
  type LinearParams,
} from "../core/native_class.ts";
import { emptyStrided } from "../tensor/clone.ts";
import { copyInto } from "../tensor/copy.ts";
import { toFloat64Array } from "../tensor/data.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { doublesOf, fromDoubles } from "../tensor/kernels/data.ts";
import {
  fromIntegers,
  integersOf,
  integersView,
  parametersOf,
  quantizeDynamic,
  quantizeFused,
  quantizeValue,
} from "../tensor/kernels/quantized.ts";
import { rowProductFor } from "../tensor/kernels/gemm.ts";
import { wasmIntegerSums } from "../tensor/kernels/wasm/integers.ts";
import { roundToHalf } from "../tensor/half.ts";
import { isChannelsLastContiguous, channelsLastStrides } from "../tensor/memory_format.ts";
import { emptyTensor, Tensor, type Quantizer } from "../tensor/tensor.ts";
import { formatList, squeezeView, unsqueezeView } from "../tensor/view_geometry.ts";
import { convolution } from "./convolution.ts";
import { dequantizeTensor } from "./quantized.ts";

const f = Math.fround;

/** Sums of a quantized layer before they are scaled: row by row for each output channel. */
interface Sums {
  readonly sums: Float64Array;
  readonly sizes: readonly number[];
  /** The scale of the input times that of the channel's weights. */
  readonly scales: Float64Array;
  readonly bias: Float64Array | undefined;
  readonly channel: (index: number) => number;
}

/** Integers minus their zero points: exact in float64. */
function centered(t: Tensor): Float64Array {
  const { zeroPoints, channel } = parametersOf(t.quantizer!, t.sizes);
  return integersOf(t).map((q, i) => q - zeroPoints[channel(i)]!);
}

function weightScales(weight: Tensor, channels: number): Float64Array {
  const q = weight.quantizer;
  if (!q) throw new OperatorError("The weight of a quantized layer is not quantized");
  if (q.scheme === "per_tensor_affine") return new Float64Array(channels).fill(f(q.scale));
  return toFloat64Array(q.scales).map(f);
}

const quantizerNumbers = new WeakMap<Quantizer, number>();
let quantizers = 0;

/** Tells one quantizer from another: what is kept of a weight depends on its zero points. */
function quantizerNumber(quantizer: Quantizer): number {
  let number = quantizerNumbers.get(quantizer);
  if (number === undefined) quantizerNumbers.set(quantizer, (number = ++quantizers));
  return number;
}

function linearSums(x: Float64Array, sizes: readonly number[], scale: number, { weight, bias }: LinearParams): Sums {
  const [n, k] = weight.sizes as [number, number];
  const width = sizes[sizes.length - 1]!;
  if (width !== k) throw new OperatorError(`The number of rows in the packB should be equal to K: ${width}`);
  const rows = k === 0 ? 0 : x.length / k;
  const sums = new Float64Array(rows * n);
  const weights = (): Float64Array => centered(weight);
  const key = `${weight.base0}:${weight.strides.join()}:${quantizerNumber(weight.quantizer!)}`;
  if (!wasmIntegerSums(x, weight.storage, key, weights, sums, rows, n, k)) {
    rowProductFor(sums)(x, 0, k, weights(), 0, k, sums, 0, n, rows, n, k);
  }
  return {
    sums,
    sizes: [...sizes.slice(0, -1), n],
    scales: weightScales(weight, n).map((w) => f(f(scale) * w)),
    bias: bias ? doublesOf(bias) : undefined,
    channel: (i) => i % n,
  };
}

/** PyTorch hands oneDNN reciprocals of scales, as float32. */
const reciprocal = (scale: number): number => f(1 / f(1 / scale));

/** Scales sums to a quantized tensor as oneDNN's convolutions do: scale by scale, and the bias in real units. */
function requantizeByDnn(
  { sums, sizes, bias, channel }: Sums,
  inScale: number,
  weights: Float64Array,
  outScale: number,
  zeroPoint: number,
  relu: boolean,
): Tensor {
  const out = emptyTensor(sizes, DTYPES.quint8);
  const bytes = out.storage.segment.u8;
  const low = relu ? zeroPoint : 0;
  const input = reciprocal(inScale);
  const output = f(1 / reciprocal(outScale));
  for (let i = 0; i < sums.length; i++) {
    const c = channel(i);
    const real = f(f(f(sums[i]!) * input) * weights[c]!);
    const q = quantizeScaled(f(f((bias ? f(real + bias[c]!) : real) * output) + zeroPoint), 0);
    bytes[out.base0 + i] = q < low ? low : q;
  }
  out.quantizer = { scheme: "per_tensor_affine", scale: outScale, zeroPoint };
  return out;
}

/** Scales sums to a quantized tensor as fbgemm does: in units of the accumulator, with one multiplication. */
function requantize(
  { sums, sizes, scales, bias, channel }: Sums,
  outScale: number,
  zeroPoint: number,
  relu: boolean,
): Tensor {
  const out = emptyTensor(sizes, DTYPES.quint8);
  const bytes = out.storage.segment.u8;
  const low = relu ? zeroPoint : 0;
  for (let i = 0; i < sums.length; i++) {
    const c = channel(i);
    const sum = bias ? f(f(sums[i]!) + f(bias[c]! / scales[c]!)) : f(sums[i]!);
    const q = quantizeScaled(f(sum * f(scales[c]! / f(outScale))), zeroPoint);
    bytes[out.base0 + i] = q < low ? low : q;
  }
  out.quantizer = { scheme: "per_tensor_affine", scale: outScale, zeroPoint };
  return out;
}

function quantizeScaled(value: number, zeroPoint: number): number {
  return quantizeValue(value, 1, zeroPoint, DTYPES.quint8);
}

/** Scales sums to float32. */
function scaledFloats({ sums, sizes, scales, bias, channel }: Sums, relu: boolean): Tensor {
  const out = new Float64Array(sums.length);
  for (let i = 0; i < sums.length; i++) {
    const c = channel(i);
    const y = f(f(sums[i]! * scales[c]!) + (bias ? bias[c]! : 0));
    out[i] = relu && y < 0 ? 0 : y;
  }
  return fromDoubles(out, sizes, DTYPES.float32);
}

function activations(x: Tensor, name: string): { scale: number; values: Float64Array } {
  if (x.quantizer?.scheme !== "per_tensor_affine") {
    throw new OperatorError(
      `Could not run 'quantized::${name}' with arguments from the 'CPU' backend. This could be because the operator doesn't exist for this backend, or was omitted during the selective/custom build process (if using custom build).`,
    );
  }
  return { scale: x.quantizer.scale, values: centered(x) };
}

function linearQuantized(x: Tensor, packed: unknown, scale: number, zeroPoint: number, relu: boolean): Tensor {
  const input = activations(x, "linear");
  return requantize(
    linearSums(input.values, x.sizes, input.scale, nativeState<LinearParams>(packed)),
    scale,
    zeroPoint,
    relu,
  );
}

op(
  "quantized::linear(Tensor X, __torch__.torch.classes.quantized.LinearPackedParamsBase W_prepack, float Y_scale_i, int Y_zero_point_i) -> Tensor Y",
  (x, packed, scale, zeroPoint) => linearQuantized(x, packed, scale, zeroPoint, false),
);
op(
  "quantized::linear_relu(Tensor X, __torch__.torch.classes.quantized.LinearPackedParamsBase W_prepack, float Y_scale_i, int Y_zero_point_i) -> Tensor Y",
  (x, packed, scale, zeroPoint) => linearQuantized(x, packed, scale, zeroPoint, true),
);
/** Fused operators that only PyTorch's oneDNN engine has: the default engine refuses them. */
function refuseEngine(name: string): never {
  throw new OperatorError(`Didn't find engine for operation ${name} X86`);
}

op(
  "quantized::linear_leaky_relu(Tensor X, __torch__.torch.classes.quantized.LinearPackedParamsBase W_prepack, float Y_scale_i, int Y_zero_point_i, float negative_slope) -> Tensor Y",
  () => refuseEngine("quantized::linear_leaky_relu"),
);
op(
  "quantized::linear_tanh(Tensor X, __torch__.torch.classes.quantized.LinearPackedParamsBase W_prepack, float Y_scale_i, int Y_zero_point_i) -> Tensor Y",
  () => refuseEngine("quantized::linear_tanh"),
);

/** A linear layer with weights of either kind on float activations: quantized on the fly, or half precision weights. */
export function dynamicLinear(x: Tensor, packed: unknown, reduceRange: boolean, relu = false): Tensor {
  const params = nativeState<LinearParams>(packed);
  if (!params.weight.quantizer) return halfLinear(x, params, relu);
  if (x.dtype !== DTYPES.float32)
    throw new OperatorError(`qlinear_dynamic expects Float input, got ${x.dtype.cppName}`);
  if (x.ndim === 0) throw new OperatorError("The dimension for input tensor should be larger than or equal to 1");
  const q = quantizeDynamic(doublesOf(x), reduceRange);
  const values = q.integers.map((v) => v - q.zeroPoint);
  return scaledFloats(linearSums(values, x.sizes, q.scale, params), relu);
}

function halfLinear(x: Tensor, { weight, bias }: LinearParams, relu: boolean): Tensor {
  const [n, k] = weight.sizes as [number, number];
  const input = doublesOf(x);
  const rows = k === 0 ? 0 : input.length / k;
  const out = new Float64Array(rows * n);
  rowProductFor(out)(input, 0, k, halfWeights(weight), 0, k, out, 0, n, rows, n, k);
  const b = bias ? doublesOf(bias) : undefined;
  for (let i = 0; i < out.length; i++) {
    const y = f(f(out[i]!) + (b ? b[i % n]! : 0));
    out[i] = relu && y < 0 ? 0 : y;
  }
  return fromDoubles(out, [...x.sizes.slice(0, -1), n], DTYPES.float32);
}

function halfWeights(weight: Tensor): Float64Array {
  return doublesOf(weight).map((w) => roundToHalf(Math.max(-65504, Math.min(65504, w))));
}

op(
  "quantized::linear_dynamic(Tensor X, __torch__.torch.classes.quantized.LinearPackedParamsBase W_prepack, bool reduce_range=False) -> Tensor Y",
  (x, packed, reduceRange) => dynamicLinear(x, packed, reduceRange),
);
op(
  "quantized::linear_relu_dynamic(Tensor X, __torch__.torch.classes.quantized.LinearPackedParamsBase W_prepack, bool reduce_range=False) -> Tensor Y",
  (x, packed, reduceRange) => dynamicLinear(x, packed, reduceRange, true),
);
op(
  "quantized::linear_dynamic_fp16(Tensor X, __torch__.torch.classes.quantized.LinearPackedParamsBase W_prepack) -> Tensor Y",
  (x, packed) => halfLinear(x, nativeState<LinearParams>(packed), false),
);
op(
  "quantized::linear_relu_dynamic_fp16(Tensor X, __torch__.torch.classes.quantized.LinearPackedParamsBase W_prepack) -> Tensor Y",
  (x, packed) => halfLinear(x, nativeState<LinearParams>(packed), true),
);
op(
  "quantized::linear_dynamic_fp16_unpacked_weight(Tensor X, Tensor weight, Tensor? bias) -> Tensor Y",
  (x, weight, bias) => halfLinear(x, { weight, bias }, false),
);
op(
  "quantized::linear_with_input_q_dq_qweight_dq_output_fp32(Tensor X, float X_scale, int X_zero_point, __torch__.torch.classes.quantized.LinearPackedParamsBase W_prepack) -> Tensor Y",
  (x, scale, zeroPoint, packed) => linearWithQuantizedInput(x, scale, zeroPoint, packed, false),
);
op(
  "quantized::linear_with_input_q_dq_qweight_dq_relu_output_fp32(Tensor X, float X_scale, int X_zero_point, __torch__.torch.classes.quantized.LinearPackedParamsBase W_prepack) -> Tensor Y",
  (x, scale, zeroPoint, packed) => linearWithQuantizedInput(x, scale, zeroPoint, packed, true),
);

function linearWithQuantizedInput(x: Tensor, scale: number, zeroPoint: number, packed: unknown, relu: boolean): Tensor {
  const values = doublesOf(x).map((v) => quantizeFused(v, scale, zeroPoint, DTYPES.quint8) - zeroPoint);
  return scaledFloats(linearSums(values, x.sizes, scale, nativeState<LinearParams>(packed)), relu);
}

op(
  "quantized::linear_prepack(Tensor W, Tensor? B=None) -> __torch__.torch.classes.quantized.LinearPackedParamsBase W_prepack",
  (weight, bias) => {
    if (weight.ndim !== 2)
      throw new OperatorError("The weight tensor for quantized::linear_prepack (fbgemm) should be 2-dimensional.");
    if (weight.dtype !== DTYPES.qint8) throw new OperatorError("quantized::linear_prepack: expected a qint8 weight");
    return makeNative<LinearParams>("quantized.LinearPackedParamsBase", { weight, bias }, [bias]);
  },
);
op(
  "quantized::linear_prepack_fp16(Tensor W, Tensor? B=None) -> __torch__.torch.classes.quantized.LinearPackedParamsBase W_prepack",
  (weight, bias) => {
    const rounded = fromDoubles(halfWeights(weight), weight.sizes, DTYPES.float32);
    return makeNative<LinearParams>("quantized.LinearPackedParamsBase", { weight: rounded, bias }, [bias]);
  },
);

/** Calls a method of a native object. */
function callNative(object: unknown, method: string): unknown {
  const found = object instanceof ScriptObject ? object.type.methods.get(method) : undefined;
  if (!(found instanceof NativeMethod)) throw new OperatorError(`expected packed parameters with a method ${method}`);
  return found.call([object]);
}

op(
  "quantized::linear_unpack(__torch__.torch.classes.quantized.LinearPackedParamsBase W_prepack) -> (Tensor W_origin, Tensor? B_origin)",
  (packed) => callNative(packed, "unpack") as [Tensor, Tensor | null],
);
op(
  "quantized::linear_unpack_fp16(__torch__.torch.classes.quantized.LinearPackedParamsBase W_prepack) -> (Tensor W_origin, Tensor? B_origin)",
  (packed) => callNative(packed, "unpack") as [Tensor, Tensor | null],
);

/** Convolves integers minus zero points, in float64. */
function convSums(values: Float64Array, x: Tensor, scale: number, p: ConvParams): Sums {
  const dims = p.stride.length;
  if (x.ndim !== dims + 2)
    throw new OperatorError(
      `Expected activation data type QUInt8 and ${dims + 2}-dimensional input, got ${x.ndim}D of size ${formatList(x.sizes)}`,
    );
  const input = fromDoubles(values, x.sizes, DTYPES.float64);
  const weight = fromDoubles(centered(p.weight), p.weight.sizes, DTYPES.float64);
  const y = convolution(
    input,
    weight,
    null,
    [...p.stride],
    [...p.padding],
    [...p.dilation],
    p.transpose,
    [...p.outputPadding],
    p.groups,
  );
  const channels = y.sizes[1]!;
  const inner = y.sizes.slice(2).reduce((a, b) => a * b, 1);
  return {
    sums: doublesOf(y),
    sizes: y.sizes,
    scales: convScales(p, channels).map((w) => f(f(scale) * w)),
    bias: p.bias ? doublesOf(p.bias) : undefined,
    channel: (i) => Math.floor(i / inner) % channels,
  };
}

/** Scales by output channel: transposed weights have their channels in dimension 1, repeated for each group. */
function convScales(p: ConvParams, channels: number): Float64Array {
  const own = weightScales(p.weight, p.transpose ? channels / p.groups : channels);
  return own.length === channels ? own : Float64Array.from({ length: channels }, (_, c) => own[c % own.length]!);
}

/** PyTorch's convolutions give channels-last results. */
function channelsLast(t: Tensor): Tensor {
  if (t.ndim < 4 || isChannelsLastContiguous(t)) return t;
  const out = emptyStrided(t.sizes, channelsLastStrides(t.sizes), t.dtype);
  if (t.quantizer) copyInto(integersView(out), integersView(t));
  else copyInto(out, t);
  out.quantizer = t.quantizer;
  return out;
}

function convQuantized(x: Tensor, packed: unknown, scale: number, zeroPoint: number, relu: boolean): Tensor {
  const input = activations(x, "conv");
  const p = nativeState<ConvParams>(packed);
  const sums = convSums(input.values, x, input.scale, p);
  const out = isConvForOneDnn(p)
    ? requantizeByDnn(sums, input.scale, convScales(p, sums.sizes[1]!), scale, zeroPoint, relu)
    : requantize(sums, scale, zeroPoint, relu);
  return channelsLast(out);
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
