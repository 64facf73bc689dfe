/** @file Quantized linear layers on packed parameters. Upstream: aten/src/ATen/native/quantized/cpu/qlinear.cpp, qlinear_dynamic.cpp. Spec: none. See Note [Exact accumulators]. */
import { OperatorError } from "../base/errors.ts";
import { callNative, makeNative, nativeState, type LinearParams } from "../core/native_class.ts";
import { op } from "../core/operator_registry.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { roundToHalf } from "../tensor/half.ts";
import { doublesOf, floatsAs, floatsOf, fromDoubles } from "../tensor/kernels/data.ts";
import { rowProductFor } from "../tensor/kernels/gemm.ts";
import { dynamicParameters, extremes, parametersOf, quantizeActivations } from "../tensor/kernels/quantized.ts";
import {
  scaleTable,
  wasmByteLayer,
  wasmFloatLayer,
  type InputParameters,
  type IntegerWeights,
} from "../tensor/kernels/wasm/integers.ts";
import { numelOf } from "../tensor/strides.ts";
import { emptyTensor, type Quantizer, type Tensor } from "../tensor/tensor.ts";
import {
  accumulatorUnits,
  centered,
  requantize,
  requireActivations,
  scaleFloats,
  weightScales,
  type Sums,
} from "./quantized_sums.ts";

const f = Math.fround;

const quantizerNumbers = new WeakMap<Quantizer, number>();
let quantizers = 0;

/** Tells one quantizer from another: what is kept of a weight depends on its zero points. */
function quantizerNumber(quantizer: Quantizer): number {
  let number = quantizerNumbers.get(quantizer);
  if (number === undefined) quantizerNumbers.set(quantizer, (number = ++quantizers));
  return number;
}

/** Writes to what a layer's scales and shifts are made of. */
function versionOf({ weight, bias }: LinearParams): number {
  const { quantizer } = weight;
  const scales = quantizer?.scheme === "per_channel_affine" ? quantizer.scales.storage.version : 0;
  return scales + (bias ? bias.storage.version : 0);
}

/** What the kernels need of a layer, and what it was made of: the scales of input and output for bytes, no scales for float32. */
interface Prepared {
  readonly quantizer: Quantizer | undefined;
  readonly version: number;
  readonly input: number | undefined;
  readonly output: number | undefined;
  readonly weights: IntegerWeights;
}

const prepared = new WeakMap<LinearParams, Prepared>();

/** The weights of a layer for the kernels. Results are float32 where there is no scale of an output. */
function weightsFor(params: LinearParams, input?: number, output?: number): IntegerWeights {
  const { weight, bias } = params;
  const known = prepared.get(params);
  const version = versionOf(params);
  if (
    known?.quantizer === weight.quantizer &&
    known?.version === version &&
    known.input === input &&
    known.output === output
  )
    return known.weights;
  const [n, k] = weight.sizes as [number, number];
  const scales = weightScales(weight, n);
  const shifts = bias ? doublesOf(bias) : new Float64Array(n);
  if (input !== undefined && output !== undefined)
    for (let i = 0; i < n; i++) {
      const { scale, shift } = accumulatorUnits(f(f(input) * scales[i]!), bias && shifts[i]!, output);
      scales[i] = scale;
      shifts[i] = shift;
    }
  const weights = {
    owner: weight.storage,
    key: `integers:${weight.storageOffset}:${weight.strides.join()}:${quantizerNumber(weight.quantizer!)}:${n}:${k}`,
    values: () => centered(weight),
    areBytes: parametersOf(weight.quantizer!, weight.sizes).zeroPoints.every((zeroPoint) => zeroPoint === 0),
    n,
    k,
    table: scaleTable(
      n,
      (i) => scales[i]!,
      (i) => shifts[i]!,
    ),
  };
  prepared.set(params, { quantizer: weight.quantizer, version, input, output, weights });
  return weights;
}

/** Rows of an input of the sizes. */
function rowsOf(sizes: readonly number[], { weight }: LinearParams): number {
  const k = weight.sizes[1]!;
  const width = sizes[sizes.length - 1]!;
  if (width !== k) throw new OperatorError(`The number of rows in the packB should be equal to K: ${width}`);
  return k === 0 ? 0 : numelOf(sizes.slice(0, -1));
}

const sizesOf = (sizes: readonly number[], { weight }: LinearParams): number[] => [
  ...sizes.slice(0, -1),
  weight.sizes[0]!,
];

/** The sums of a layer for integers less their zero point. */
function linearSums(x: Float64Array, sizes: readonly number[], scale: number, params: LinearParams): Sums {
  const { weight, bias } = params;
  const [n, k] = weight.sizes as [number, number];
  const rows = rowsOf(sizes, params);
  const sums = new Float64Array(rows * n);
  rowProductFor(sums)(x, 0, k, centered(weight), 0, k, sums, 0, n, rows, n, k);
  return {
    sums,
    sizes: sizesOf(sizes, params),
    scales: weightScales(weight, n).map((w) => f(f(scale) * w)),
    bias: bias ? doublesOf(bias) : undefined,
    channels: n,
    inner: 1,
  };
}

function linearQuantized(x: Tensor, packed: unknown, scale: number, zeroPoint: number, relu: boolean): Tensor {
  const input = requireActivations(x, "linear");
  const params = nativeState<LinearParams>(packed);
  const rows = rowsOf(x.sizes, params);
  if (x.dtype === DTYPES.quint8 && x.isContiguous()) {
    const out = emptyTensor(sizesOf(x.sizes, params), DTYPES.quint8);
    const bytes = (t: Tensor): Uint8Array => t.storage.segment.u8.subarray(t.base0, t.base0 + t.numel);
    const weights = weightsFor(params, input.scale, scale);
    if (wasmByteLayer(bytes(x), input.zeroPoint, weights, zeroPoint, relu ? zeroPoint : 0, bytes(out), rows)) {
      out.quantizer = { scheme: "per_tensor_affine", scale, zeroPoint };
      return out;
    }
  }
  return requantize(linearSums(centered(x), x.sizes, input.scale, params), scale, zeroPoint, relu);
}

/** Makes the results of a layer on float activations, which become integers with the parameters. */
function floatsInto(
  x: Float32Array,
  params: LinearParams,
  parameters: (extremes: () => number[]) => InputParameters,
  relu: boolean,
  out: Float32Array,
  rows: number,
): void {
  if (wasmFloatLayer(x, parameters, weightsFor(params), relu ? 0 : -Infinity, out, rows)) return;
  const { scale, zeroPoint } = parameters(() => {
    const { min, max } = extremes(x);
    return [min, max];
  });
  const integers = quantizeActivations(x, scale, zeroPoint).map((q) => q - zeroPoint);
  scaleFloats(linearSums(integers, [rows, params.weight.sizes[1]!], scale, params), relu, out);
}

/** Parameters by the extremes of what is multiplied. */
const dynamic =
  (reduceRange: boolean) =>
  (range: () => number[]): InputParameters => {
    const [min, max] = range() as [number, number];
    return dynamicParameters(min, max, reduceRange);
  };

function linearFloats(
  x: Tensor,
  params: LinearParams,
  parameters: (extremes: () => number[]) => InputParameters,
  relu: boolean,
): Tensor {
  const rows = rowsOf(x.sizes, params);
  const values = floatsAs(x, DTYPES.float32) as Float32Array;
  const out = emptyTensor(sizesOf(x.sizes, params), DTYPES.float32);
  floatsInto(values, params, parameters, relu, floatsOf(out) as Float32Array, rows);
  return out;
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

/** A linear layer with weights of either kind on float activations. */
function dynamicLinear(x: Tensor, packed: unknown, reduceRange: boolean, relu = false): Tensor {
  const params = nativeState<LinearParams>(packed);
  if (!params.weight.quantizer) return halfLinear(x, params, relu);
  if (x.dtype !== DTYPES.float32)
    throw new OperatorError(`qlinear_dynamic expects Float input, got ${x.dtype.cppName}`);
  if (x.ndim === 0) throw new OperatorError("The dimension for input tensor should be larger than or equal to 1");
  return linearFloats(x, params, dynamic(reduceRange), relu);
}

/** out (rows, n) = the layer of x (rows, k), with weights of either kind: quantized on the fly, or half precision weights. */
export function dynamicLinearInto(
  x: Float32Array,
  params: LinearParams,
  reduceRange: boolean,
  out: Float32Array,
  rows: number,
): void {
  if (params.weight.quantizer) floatsInto(x, params, dynamic(reduceRange), false, out, rows);
  else halfInto(Float64Array.from(x), params, false, out);
}

function halfLinear(x: Tensor, params: LinearParams, relu: boolean): Tensor {
  const out = emptyTensor(sizesOf(x.sizes, params), DTYPES.float32);
  halfInto(doublesOf(x), params, relu, floatsOf(out) as Float32Array);
  return out;
}

function halfInto(x: Float64Array, { weight, bias }: LinearParams, relu: boolean, out: Float32Array): void {
  const [n, k] = weight.sizes as [number, number];
  const rows = k === 0 ? 0 : x.length / k;
  const sums = new Float64Array(rows * n);
  rowProductFor(sums)(x, 0, k, halfWeights(weight), 0, k, sums, 0, n, rows, n, k);
  const b = bias ? doublesOf(bias) : undefined;
  for (let i = 0; i < sums.length; i++) {
    const y = f(f(sums[i]!) + (b ? b[i % n]! : 0));
    out[i] = relu && y < 0 ? 0 : y;
  }
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
  return linearFloats(x, nativeState<LinearParams>(packed), () => ({ scale, zeroPoint }), relu);
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

op(
  "quantized::linear_unpack(__torch__.torch.classes.quantized.LinearPackedParamsBase W_prepack) -> (Tensor W_origin, Tensor? B_origin)",
  (packed) => callNative(packed, "unpack") as [Tensor, Tensor | null],
);
op(
  "quantized::linear_unpack_fp16(__torch__.torch.classes.quantized.LinearPackedParamsBase W_prepack) -> (Tensor W_origin, Tensor? B_origin)",
  (packed) => callNative(packed, "unpack") as [Tensor, Tensor | null],
);
