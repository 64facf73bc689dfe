/** @file Quantized linear layers on packed parameters. Upstream: aten/src/ATen/native/quantized/cpu/qlinear.cpp, qlinear_dynamic.cpp. Spec: none. See Note [Exact accumulators]. */
import { OperatorError } from "../base/errors.ts";
import { callNative, makeNative, nativeState, type LinearParams } from "../core/native_class.ts";
import { op } from "../core/operator_registry.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { roundToHalf } from "../tensor/half.ts";
import { doublesOf, fromDoubles } from "../tensor/kernels/data.ts";
import { rowProductFor } from "../tensor/kernels/gemm.ts";
import { quantizeDynamic, quantizeFused } from "../tensor/kernels/quantized.ts";
import { wasmIntegerSums } from "../tensor/kernels/wasm/integers.ts";
import type { Quantizer, Tensor } from "../tensor/tensor.ts";
import { centered, requantize, requireActivations, scaledFloats, weightScales, type Sums } from "./quantized_sums.ts";

const f = Math.fround;

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
    channels: n,
    inner: 1,
  };
}
function linearQuantized(x: Tensor, packed: unknown, scale: number, zeroPoint: number, relu: boolean): Tensor {
  const input = requireActivations(x, "linear");
  return requantize(
    linearSums(centered(x), x.sizes, input.scale, nativeState<LinearParams>(packed)),
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

op(
  "quantized::linear_unpack(__torch__.torch.classes.quantized.LinearPackedParamsBase W_prepack) -> (Tensor W_origin, Tensor? B_origin)",
  (packed) => callNative(packed, "unpack") as [Tensor, Tensor | null],
);
op(
  "quantized::linear_unpack_fp16(__torch__.torch.classes.quantized.LinearPackedParamsBase W_prepack) -> (Tensor W_origin, Tensor? B_origin)",
  (packed) => callNative(packed, "unpack") as [Tensor, Tensor | null],
);
