/** @file Making, reading and faking quantized tensors. Upstream: aten/src/ATen/native/quantized/QTensor.cpp, FakeQuantPerTensorAffine.cpp, FakeQuantPerChannelAffine.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op, builtin } from "../core/operator_registry.ts";
import { convertTensor, emptyStrided, cloneTensor } from "../tensor/clone.ts";
import { toFloat64Array } from "../tensor/data.ts";
import { DTYPES, dtypeFromId, type DType } from "../tensor/dtype.ts";
import { doublesOf, floatsAs, fromDoubles, fromMask } from "../tensor/kernels/data.ts";
import { withIteratorStrides } from "../tensor/kernels/loss.ts";
import {
  chooseParameters,
  dequantized,
  dequantizedBytes,
  extremes,
  fromIntegers,
  integerRange,
  integersView,
  quantizeChannels,
  quantizeValues,
} from "../tensor/kernels/quantized.ts";
import { roundHalfEven } from "../tensor/kernels/unary.ts";
import { roundToBfloat16, roundToHalf } from "../tensor/half.ts";
import { stridesIn } from "../tensor/memory_format.ts";
import { map1 } from "../tensor/pointwise.ts";
import type { Quantizer, Tensor } from "../tensor/tensor.ts";
import { newTensor } from "./creation.ts";

const f = Math.fround;

function quantizedDtype(id: number): DType {
  const dtype = dtypeFromId(id);
  if (!dtype || dtype.category !== "quantized")
    throw new OperatorError(`ScalarType ${dtype?.cppName ?? id} is not supported in new_qtensor.`);
  return dtype;
}

function checkFloatInput(self: Tensor): void {
  if (self.dtype !== DTYPES.float32)
    throw new OperatorError(`Quantize only works on Float Tensor, got ${self.dtype.cppName}`);
}

function checkZeroPoint(name: string, zeroPoint: number, dtype: DType): void {
  const [min, max] = integerRange(dtype);
  if (zeroPoint > max) throw new OperatorError(`${name} zero_point ${zeroPoint} is above upper bound.`);
  if (zeroPoint < min) throw new OperatorError(`${name} zero_point ${zeroPoint} is below lower bound.`);
}

/** Gives a result of elementwise quantization the strides of its input. */
function likeInput(result: Tensor, self: Tensor): Tensor {
  if (self.isContiguous()) return result;
  const strided = withIteratorStrides(integersView(result), [self]);
  const out = emptyStrided(strided.sizes, strided.strides, result.dtype);
  out.storage = strided.storage;
  out.quantizer = result.quantizer;
  return out;
}

/** torch.quantize_per_tensor. */
export function quantizeTensor(self: Tensor, scale: number, zeroPoint: number, dtype: DType): Tensor {
  checkFloatInput(self);
  checkZeroPoint("quantize_tensor_per_tensor_affine", zeroPoint, dtype);
  return likeInput(quantizeValues(floatsAs(self, DTYPES.float32), self.sizes, dtype, scale, zeroPoint), self);
}

export const quantize_per_tensor = op(
  "aten::quantize_per_tensor(Tensor self, float scale, int zero_point, ScalarType dtype) -> Tensor",
  (self, scale, zeroPoint, dtype) => quantizeTensor(self, scale, zeroPoint, quantizedDtype(dtype)),
);

function only(t: Tensor): number {
  return toFloat64Array(t)[0] ?? 0;
}

op(
  "aten::quantize_per_tensor.tensor_qparams(Tensor self, Tensor scale, Tensor zero_point, ScalarType dtype) -> Tensor",
  (self, scale, zeroPoint, dtype) => quantizeTensor(self, only(scale), only(zeroPoint), quantizedDtype(dtype)),
);
op(
  "aten::quantize_per_tensor.tensors(Tensor[] tensors, Tensor scales, Tensor zero_points, ScalarType dtype) -> Tensor[]",
  (tensors, scales, zeroPoints, dtype) => {
    const s = toFloat64Array(scales);
    const z = toFloat64Array(zeroPoints);
    return tensors.map((t, i) => quantizeTensor(t, s[i]!, z[i]!, quantizedDtype(dtype)));
  },
);
op(
  "aten::quantize_per_tensor_dynamic(Tensor self, ScalarType dtype, bool reduce_range) -> Tensor",
  (self, dtypeId, reduceRange) => {
    if (dtypeId === DTYPES.float16.id) {
      return fromDoubles(doublesOf(self).map(roundToHalf), self.sizes, self.dtype);
    }
    const dtype = dtypeFromId(dtypeId);
    if (dtype !== DTYPES.qint8 && dtype !== DTYPES.quint8) {
      throw new OperatorError(`dtype ${dtype?.cppName ?? dtypeId}not supported`);
    }
    checkFloatInput(self);
    const [low, high] = integerRange(dtype);
    const [qmin, qmax] = reduceRange ? [Math.trunc(low / 2), Math.trunc(high / 2)] : [low, high];
    const { min, max } = extremes(doublesOf(self));
    const { scale, zeroPoint } = chooseParameters(min, max, qmin, qmax);
    return quantizeTensor(self, scale, zeroPoint, dtype);
  },
);
op(
  "aten::_choose_qparams_per_tensor(Tensor self, bool reduce_range=False) -> (float, int)",
  (self, reduceRange): [number, number] => {
    const { min, max } = extremes(doublesOf(self));
    const { scale, zeroPoint } = chooseParameters(min, max, 0, reduceRange ? 127 : 255);
    return [scale, zeroPoint];
  },
);

function channelQuantizer(scales: Tensor, zeroPoints: Tensor, axis: number): Quantizer {
  const isFloat = zeroPoints.dtype.category === "float";
  return isFloat
    ? {
        scheme: "per_channel_affine_float_qparams",
        scales: convertTensor(scales, DTYPES.float32),
        zeroPoints: convertTensor(zeroPoints, DTYPES.float32),
        axis,
      }
    : {
        scheme: "per_channel_affine",
        scales: convertTensor(scales, DTYPES.float64),
        zeroPoints: convertTensor(zeroPoints, DTYPES.int64),
        axis,
      };
}

op(
  "aten::quantize_per_channel(Tensor self, Tensor scales, Tensor zero_points, int axis, ScalarType dtype) -> Tensor",
  (self, scales, zeroPoints, axis, dtypeId) => {
    const dtype = quantizedDtype(dtypeId);
    checkFloatInput(self);
    if (!(axis >= 0 && axis < self.ndim)) {
      throw new OperatorError(
        `Channel axis out of range in per channel ${zeroPoints.dtype.category === "float" ? "float qparams" : "affine"} quantization. Got: ${axis}Expected: [0, ${self.ndim})`,
      );
    }
    if (scales.numel !== self.sizes[axis]) {
      throw new OperatorError(
        `length of scales must equal to channel, expected ${self.sizes[axis]} got, ${scales.numel}`,
      );
    }
    if (zeroPoints.numel !== self.sizes[axis]) {
      throw new OperatorError(
        `length of zero_points must equal to channel, expected ${self.sizes[axis]} got, ${zeroPoints.numel}`,
      );
    }
    if (zeroPoints.dtype.category !== "float")
      for (const z of toFloat64Array(zeroPoints)) checkZeroPoint("quantize_tensor_per_channel_affine", z, dtype);
    return likeInput(
      quantizeChannels(doublesOf(self), self.sizes, dtype, channelQuantizer(scales, zeroPoints, axis)),
      self,
    );
  },
);

/** The float32 tensor that a quantized tensor stands for. */
export function dequantizeTensor(self: Tensor): Tensor {
  if (!self.quantizer) return self.dtype === DTYPES.float32 ? self : convertTensor(self, DTYPES.float32);
  const out = fromDoubles(dequantizedBytes(self) ?? dequantized(self), self.sizes, DTYPES.float32);
  return self.isContiguous() ? out : withIteratorStrides(out, [self]);
}

export const dequantize = op("aten::dequantize.self(Tensor self) -> Tensor", dequantizeTensor);
op("aten::dequantize.tensor(Tensor qtensor) -> Tensor", dequantizeTensor);
op("aten::dequantize.tensors(Tensor[] tensors) -> Tensor[]", (tensors) => tensors.map(dequantizeTensor));
op("aten::dequantize.list(Tensor[] qtensors) -> Tensor[]", (tensors) => tensors.map(dequantizeTensor));

/** The quantizer of a tensor that an inspecting operator needs quantized. */
function quantizerOf(self: Tensor, name: string): Quantizer {
  if (!self.quantizer) {
    throw new OperatorError(
      `Could not run 'aten::${name}' with arguments from the 'CPU' backend. This could be because the operator doesn't exist for this backend, or was omitted during the selective/custom build process (if using custom build).`,
    );
  }
  return self.quantizer;
}

function perTensor(self: Tensor, name: string): Quantizer & { scheme: "per_tensor_affine" } {
  const q = quantizerOf(self, name);
  if (q.scheme !== "per_tensor_affine") {
    throw new OperatorError(
      "Expected quantizer->qscheme() == kPerTensorAffine to be true, but got false.  (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)",
    );
  }
  return q;
}

function perChannel(self: Tensor, name: string): Exclude<Quantizer, { scheme: "per_tensor_affine" }> {
  const q = quantizerOf(self, name);
  if (q.scheme === "per_tensor_affine") {
    throw new OperatorError(
      "Expected quantizer->qscheme() == kPerChannelAffine || quantizer->qscheme() == kPerChannelAffineFloatQParams to be true, but got false.  (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)",
    );
  }
  return q;
}

op("aten::int_repr(Tensor self) -> Tensor", (self) => {
  quantizerOf(self, "int_repr");
  return cloneTensor(integersView(self));
});
op("aten::q_scale(Tensor self) -> float", (self) => perTensor(self, "q_scale").scale);
op("aten::q_zero_point(Tensor self) -> int", (self) => perTensor(self, "q_zero_point").zeroPoint);
op("aten::q_per_channel_scales(Tensor self) -> Tensor", (self) => perChannel(self, "q_per_channel_scales").scales);
op(
  "aten::q_per_channel_zero_points(Tensor self) -> Tensor",
  (self) => perChannel(self, "q_per_channel_zero_points").zeroPoints,
);
op("aten::q_per_channel_axis(Tensor self) -> int", (self) => perChannel(self, "q_per_channel_axis").axis);

/** c10::QScheme numbers. */
export const QSCHEME = {
  per_tensor_affine: 0,
  per_channel_affine: 1,
  per_tensor_symmetric: 2,
  per_channel_symmetric: 3,
  per_channel_affine_float_qparams: 4,
} as const;

builtin("aten::qscheme(Tensor self) -> QScheme", (self: Tensor) => QSCHEME[quantizerOf(self, "qscheme").scheme]);

op(
  "aten::_make_per_tensor_quantized_tensor(Tensor self, float scale, int zero_point) -> Tensor",
  (self, scale, zeroPoint) =>
    likeInput(
      fromIntegers(doublesOf(self), self.sizes, wrapped(self.dtype), { scheme: "per_tensor_affine", scale, zeroPoint }),
      self,
    ),
);
op(
  "aten::_make_per_channel_quantized_tensor(Tensor self, Tensor scale, Tensor zero_point, int axis) -> Tensor",
  (self, scale, zeroPoint, axis) =>
    likeInput(
      fromIntegers(doublesOf(self), self.sizes, wrapped(self.dtype), channelQuantizer(scale, zeroPoint, axis)),
      self,
    ),
);

function wrapped(dtype: DType): DType {
  const q =
    dtype === DTYPES.int8
      ? DTYPES.qint8
      : dtype === DTYPES.uint8
        ? DTYPES.quint8
        : dtype === DTYPES.int32
          ? DTYPES.qint32
          : undefined;
  if (!q) throw new OperatorError(`Quantized tensors are made of Char, Byte or Int tensors, got ${dtype.cppName}`);
  return q;
}

function emptyQuantized(
  size: readonly number[],
  dtypeId: number | null,
  quantizer: Quantizer,
  format: number | null,
): Tensor {
  const dtype = dtypeId === null || dtypeId === undefined ? undefined : dtypeFromId(dtypeId);
  if (!dtype || dtype.category !== "quantized")
    throw new OperatorError("empty_affine_quantized expects a quantized dtype");
  const out = format ? emptyStrided([...size], stridesIn(size, format), dtype) : newTensor(size, dtype);
  out.quantizer = quantizer;
  return out;
}

op(
  "aten::_empty_affine_quantized(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, float scale=1., int zero_point=0, MemoryFormat? memory_format=0) -> Tensor",
  (size, dtype, _l, _d, _p, scale, zeroPoint, format) =>
    emptyQuantized(size, dtype, { scheme: "per_tensor_affine", scale, zeroPoint }, format),
);
op(
  "aten::_empty_per_channel_affine_quantized(SymInt[] size, *, Tensor scales, Tensor zero_points, int axis, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=0) -> Tensor",
  (size, scales, zeroPoints, axis, dtype, _l, _d, _p, format) =>
    emptyQuantized(size, dtype, channelQuantizer(scales, zeroPoints, axis), format),
);
op(
  "aten::empty_quantized(int[] size, Tensor qtensor, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
  (size, like, dtype, _l, _d, _p, format) =>
    emptyQuantized(size, dtype ?? like.dtype.id, quantizerOf(like, "empty_quantized"), format),
);

/** Rounds fake-quantized float64 values to the dtype of the input. */
function roundLike(dtype: DType, value: number): number {
  return dtype === DTYPES.float64
    ? value
    : dtype === DTYPES.float16
      ? roundToHalf(value)
      : dtype === DTYPES.bfloat16
        ? roundToBfloat16(value)
        : f(value);
}

interface FakeRange {
  readonly min: number;
  readonly max: number;
}

function checkRange({ min, max }: FakeRange): void {
  if (min > max) throw new OperatorError("`quant_min` should be less than or         equal to `quant_max`.");
}

/** Quantizes and dequantizes each element; the mask tells which were inside the range. */
export function fakeQuantize(
  self: Tensor,
  scales: ArrayLike<number>,
  zeroPoints: ArrayLike<number>,
  channel: (i: number) => number,
  { min, max }: FakeRange,
  hasFloatZeros = false,
): [Tensor, Tensor] {
  const x = doublesOf(self);
  const out = new Float64Array(x.length);
  const mask = new Uint8Array(x.length);
  for (let i = 0; i < x.length; i++) {
    const c = channel(i);
    const scale = f(scales[c]!);
    const zero = zeroPoints[c]!;
    const q = quantum(x[i]!, f(1 / scale), zero, hasFloatZeros);
    mask[i] = q >= min && q <= max ? 1 : 0;
    out[i] = roundLike(self.dtype, f((Math.min(Math.max(q, min), max) - zero) * scale));
  }
  return [withIteratorStrides(fromDoubles(out, self.sizes, self.dtype), [self]), fromMask(mask, self.sizes)];
}

/** The integer that stands for a number; zero points that are floats are added before rounding. */
function quantum(x: number, inverse: number, zero: number, hasFloatZeros: boolean): number {
  const scaled = f(f(x) * inverse);
  return hasFloatZeros ? roundHalfEven(f(scaled + f(zero))) : zero + roundHalfEven(scaled);
}

/** The same with one scale and zero point, and without the mask. */
function fakeQuantized(self: Tensor, scale32: number, zero: number, { min, max }: FakeRange): Tensor {
  const scale = f(scale32);
  const inverse = f(1 / scale);
  const real = (x: number): number =>
    f((Math.min(Math.max(quantum(x, inverse, zero, false), min), max) - zero) * scale);
  return map1(self, { name: "fake_quantize_tensor_cachemask_kernel", real });
}

function checkFakeZero(zeroPoint: number, { min, max }: FakeRange): void {
  checkRange({ min, max });
  if (!(zeroPoint >= min && zeroPoint <= max))
    throw new OperatorError("`zero_point` must be between `quant_min` and `quant_max`.");
}

function fakePerTensor(self: Tensor, scale: number, zeroPoint: number, min: number, max: number): Tensor {
  checkFakeZero(zeroPoint, { min, max });
  // what is no float goes by doubles, as it always did
  if (self.dtype.category !== "float") return fakeQuantize(self, [scale], [zeroPoint], () => 0, { min, max })[0];
  return fakeQuantized(self, scale, zeroPoint, { min, max });
}

op(
  "aten::fake_quantize_per_tensor_affine(Tensor self, float scale, int zero_point, int quant_min, int quant_max) -> Tensor",
  fakePerTensor,
);
op(
  "aten::fake_quantize_per_tensor_affine_cachemask(Tensor self, float scale, int zero_point, int quant_min, int quant_max) -> (Tensor output, Tensor mask)",
  (self, scale, zeroPoint, min, max): [Tensor, Tensor] => {
    checkFakeZero(zeroPoint, { min, max });
    return fakeQuantize(self, [scale], [zeroPoint], () => 0, { min, max });
  },
);
op(
  "aten::fake_quantize_per_tensor_affine.tensor_qparams(Tensor self, Tensor scale, Tensor zero_point, int quant_min, int quant_max) -> Tensor",
  (self, scale, zeroPoint, min, max) => fakeQuantize(self, [only(scale)], [only(zeroPoint)], () => 0, { min, max })[0],
);
op(
  "aten::_fake_quantize_per_tensor_affine_cachemask_tensor_qparams(Tensor self, Tensor scale, Tensor zero_point, Tensor fake_quant_enabled, int quant_min, int quant_max) -> (Tensor output, Tensor mask)",
  (self, scale, zeroPoint, enabled, min, max): [Tensor, Tensor] => {
    if (only(enabled) === 0) return [cloneTensor(self), fromMask(new Uint8Array(self.numel).fill(1), self.sizes)];
    return fakeQuantize(self, [only(scale)], [only(zeroPoint)], () => 0, { min, max });
  },
);
op(
  "aten::_fake_quantize_learnable_per_tensor_affine(Tensor self, Tensor scale, Tensor zero_point, int quant_min, int quant_max, float grad_factor=1.) -> Tensor",
  (self, scale, zeroPoint, min, max) => {
    const zero = Math.trunc(Math.min(Math.max(only(zeroPoint) + 0.5, min), max));
    return fakePerTensor(self, only(scale), zero, min, max);
  },
);

function channelOf(self: Tensor, axis: number): (i: number) => number {
  const inner = self.sizes.slice(axis + 1).reduce((a, b) => a * b, 1);
  const size = self.sizes[axis]!;
  return (i) => Math.floor(i / inner) % size;
}

function fakePerChannel(
  self: Tensor,
  scale: Tensor,
  zeroPoint: Tensor,
  axis: number,
  min: number,
  max: number,
): [Tensor, Tensor] {
  if (scale.ndim !== 1) throw new OperatorError("scale should be a 1-D tensor");
  if (zeroPoint.ndim !== 1) throw new OperatorError("zero point should be a 1-D tensor");
  if (scale.numel !== zeroPoint.numel) throw new OperatorError("scale and zero-point need to have the same dimensions");
  if (!(axis >= 0 && axis < self.ndim))
    throw new OperatorError("`axis` must be between 0 and number of dimensions of input");
  if (scale.numel !== self.sizes[axis])
    throw new OperatorError("dimensions of scale and zero-point are not consistent with input tensor");
  checkRange({ min, max });
  const zeros = toFloat64Array(zeroPoint);
  if (zeroPoint.dtype.category === "int" && zeros.some((z) => z < min || z > max)) {
    throw new OperatorError("`zero_point` must be between `quant_min` and `quant_max`.");
  }
  return fakeQuantize(
    self,
    toFloat64Array(scale),
    zeros,
    channelOf(self, axis),
    { min, max },
    zeroPoint.dtype.category === "float",
  );
}

op(
  "aten::fake_quantize_per_channel_affine(Tensor self, Tensor scale, Tensor zero_point, int axis, int quant_min, int quant_max) -> Tensor",
  (self, scale, zeroPoint, axis, min, max) => fakePerChannel(self, scale, zeroPoint, axis, min, max)[0],
);
op(
  "aten::fake_quantize_per_channel_affine_cachemask(Tensor self, Tensor scale, Tensor zero_point, int axis, int quant_min, int quant_max) -> (Tensor output, Tensor mask)",
  fakePerChannel,
);
op(
  "aten::_fake_quantize_learnable_per_channel_affine(Tensor self, Tensor scale, Tensor zero_point, int axis, int quant_min, int quant_max, float grad_factor=1.) -> Tensor",
  (self, scale, zeroPoint, axis, min, max) => {
    const rounded = toFloat64Array(zeroPoint).map((z) => Math.trunc(Math.min(Math.max(z + 0.5, min), max)));
    return fakeQuantize(self, toFloat64Array(scale), rounded, channelOf(self, axis), { min, max })[0];
  },
);

op("aten::_saturate_weight_to_fp16(Tensor weight) -> Tensor", (weight) =>
  fromDoubles(
    doublesOf(weight).map((x) => Math.max(-65504, Math.min(65504, x))),
    weight.sizes,
    weight.dtype,
  ),
);
