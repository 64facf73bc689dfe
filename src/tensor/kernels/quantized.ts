/** @file Integers and real values of quantized tensors: mapping, choosing parameters, requantising. Upstream: aten/src/ATen/native/quantized/AffineQuantizerBase.cpp, fbgemm QuantUtils.h. Spec: none.
 *
 * Note [Quantized arithmetic]: scales are float32 wherever PyTorch's kernels hold them so. A value becomes an integer in three ways,
 * which differ at ties: `quantizeValue` rounds value * (1 / scale), then adds the zero point (vector loops of elementwise kernels,
 * fake quantization); `quantizeScalar` adds the zero point before it rounds (scalar code, channels, bounds); `quantizeFused` does so
 * in one fused multiply-add (quantize_per_tensor to 8 bits, activations of dynamic layers). Measured against torch 2.13 on ties. */
import { toFloat64Array } from "../data.ts";
import { DTYPES, type DType } from "../dtype.ts";
import { allocateStorage } from "../storage.ts";
import { contiguousStrides } from "../strides.ts";
import { emptyTensor, Tensor, type Quantizer } from "../tensor.ts";
import type { Floats } from "./data.ts";
import { roundHalfEven } from "./unary.ts";

const f = Math.fround;

/** 1.5 * 2^52: doubles of this size have no fraction. */
const ROUNDING = 6755399441055744;

/** The dtype whose elements a quantized dtype stores. */
export function integerDtype(dtype: DType): DType {
  return dtype === DTYPES.qint8 ? DTYPES.int8 : dtype === DTYPES.qint32 ? DTYPES.int32 : DTYPES.uint8;
}

/** Bits of one element: dtypes below 8 bits share bytes, lowest bits first. */
export function bitsOf(dtype: DType): number {
  return dtype === DTYPES.quint4x2 ? 4 : dtype === DTYPES.quint2x4 ? 2 : 8 * dtype.itemsize;
}

/** The range of a quantized dtype's integers. */
export function integerRange(dtype: DType): readonly [number, number] {
  if (dtype === DTYPES.qint8) return [-128, 127];
  return dtype === DTYPES.qint32 ? [-2147483648, 2147483647] : [0, (1 << bitsOf(dtype)) - 1];
}

/** A quantized tensor seen as plain integers (shares the storage). */
export function integersView(t: Tensor): Tensor {
  const view = new Tensor(t.storage, integerDtype(t.dtype), t.sizes, t.strides, t.storageOffset);
  view.device = t.device;
  return view;
}

/** The integers, in logical order. */
export function integersOf(t: Tensor): Float64Array {
  const bits = bitsOf(t.dtype);
  if (bits < 8) {
    const bytes = t.storage.segment.u8;
    const start = t.storage.byteOffset + t.storageOffset;
    const perByte = 8 / bits;
    const out = new Float64Array(t.numel);
    for (let i = 0; i < out.length; i++)
      out[i] = (bytes[start + Math.floor(i / perByte)]! >> (bits * (i % perByte))) & ((1 << bits) - 1);
    return out;
  }
  return toFloat64Array(integersView(t));
}

/** Scale and zero point of each element of a tensor, by channel. */
export interface ChannelParameters {
  readonly scales: Float64Array;
  readonly zeroPoints: Float64Array;
  /** The channel of a logical element. */
  readonly channel: (index: number) => number;
}

/** The parameters of a quantizer for a tensor of the given sizes. */
export function parametersOf(q: Quantizer, sizes: readonly number[]): ChannelParameters {
  if (q.scheme === "per_tensor_affine") {
    return { scales: Float64Array.of(q.scale), zeroPoints: Float64Array.of(q.zeroPoint), channel: () => 0 };
  }
  const inner = sizes.slice(q.axis + 1).reduce((a, b) => a * b, 1);
  const channels = sizes[q.axis] ?? 1;
  return {
    scales: toFloat64Array(q.scales),
    zeroPoints: toFloat64Array(q.zeroPoints),
    channel: (i) => Math.floor(i / inner) % channels,
  };
}

/** The real values, in logical order, as float32 arithmetic gives them. */
export function dequantized(t: Tensor): Float64Array {
  const q = t.quantizer;
  const out = integersOf(t);
  if (!q) return out;
  const { scales, zeroPoints, channel } = parametersOf(q, t.sizes);
  const isFloatZero = q.scheme === "per_channel_affine_float_qparams";
  for (let i = 0; i < out.length; i++) {
    const c = channel(i);
    out[i] = isFloatZero
      ? f(f(out[i]! - f(zeroPoints[c]!)) * f(scales[c]!))
      : f((out[i]! - zeroPoints[c]!) * f(scales[c]!));
  }
  return out;
}

/** One float32 value as an integer of `dtype`. */
export function quantizeValue(value: number, scale: number, zeroPoint: number, dtype: DType): number {
  const [min, max] = integerRange(dtype);
  const scaled = roundHalfEven(f(f(value) * f(1 / f(scale))));
  // a NaN converts to the smallest integer
  const q = zeroPoint + (scaled === scaled ? Math.max(-2147483648, Math.min(2147483647, scaled)) : -2147483648);
  return q < min ? min : q > max ? max : q;
}

/** The same where PyTorch's scalar code runs: the zero point is added before rounding. */
export function quantizeScalar(value: number, scale: number, zeroPoint: number, dtype: DType): number {
  const [min, max] = integerRange(dtype);
  const q = roundHalfEven(f(zeroPoint + f(f(value) * f(1 / f(scale)))));
  // a NaN converts to the smallest 32-bit integer, whose low byte is 0
  if (q !== q) return dtype === DTYPES.qint32 ? min : 0;
  return q < min ? min : q > max ? max : q;
}

/** The same where PyTorch quantizes whole tensors: value * (1 / scale) + zero_point is rounded to float32 once. */
export function quantizeFused(value: number, scale: number, zeroPoint: number, dtype: DType): number {
  if (dtype === DTYPES.qint32) return quantizeScalar(value, scale, zeroPoint, dtype);
  const [min, max] = integerRange(dtype);
  // the product of two float32 numbers is exact in double precision
  const q = roundHalfEven(f(f(value) * f(1 / f(scale)) + zeroPoint));
  return q < min ? min : q <= max ? q : max;
}

/**
 * Bytes that PyTorch's elementwise kernels on quantized tensors take at once (AVX-512); the rest goes through scalar code, which
 * rounds differently.
 */
const VECTOR = 64;

/** Maps the real values behind a per-tensor quantized operand and quantizes the results, rounding as an elementwise kernel does. */
export function mapElementwise(
  operands: readonly { readonly integers: Float64Array; readonly scale: number; readonly zeroPoint: number }[],
  g: (a: number, b: number) => number,
  scale: number,
  zeroPoint: number,
  dtype: DType,
): Float64Array {
  const n = operands[0]!.integers.length;
  const lanes = VECTOR / dtype.itemsize;
  const vectors = n - (n % lanes);
  // 32-bit integers have no vector code that quantizes
  const inVector = dtype === DTYPES.qint32 ? quantizeScalar : quantizeValue;
  const out = new Float64Array(n);
  const real = operands.map(({ integers, scale: s, zeroPoint: z }) => {
    const wide = f(s);
    const shift = f(wide * -z);
    return (i: number): number => (i < vectors ? f(wide * integers[i]! + shift) : f(wide * (integers[i]! - z)));
  });
  const [first, second] = real;
  for (let i = 0; i < n; i++) {
    const y = f(g(first!(i), second ? second(i) : 0));
    out[i] = i < vectors ? inVector(y, scale, zeroPoint, dtype) : quantizeScalar(y, scale, zeroPoint, dtype);
  }
  return out;
}

/** A contiguous quantized tensor of integers. */
export function fromIntegers(
  values: ArrayLike<number>,
  sizes: readonly number[],
  dtype: DType,
  quantizer: Quantizer,
): Tensor {
  const bits = bitsOf(dtype);
  if (bits < 8) {
    const perByte = 8 / bits;
    const packed = new Tensor(
      allocateStorage(Math.ceil(values.length / perByte)),
      dtype,
      sizes,
      contiguousStrides(sizes),
      0,
    );
    const bytes = packed.storage.bytes();
    for (let i = 0; i < values.length; i++) bytes[Math.floor(i / perByte)]! |= values[i]! << (bits * (i % perByte));
    packed.quantizer = quantizer;
    return packed;
  }
  const out = emptyTensor(sizes, dtype);
  const array = out.storage.segment[dtype.array];
  for (let i = 0; i < values.length; i++) array[out.base0 + i] = values[i]!;
  out.quantizer = quantizer;
  return out;
}

/** Quantizes float32 values with one scale. */
export function quantizeValues(
  values: ArrayLike<number>,
  sizes: readonly number[],
  dtype: DType,
  scale: number,
  zeroPoint: number,
): Tensor {
  const quantizer: Quantizer = { scheme: "per_tensor_affine", scale, zeroPoint };
  if (bitsOf(dtype) !== 8) {
    const out = new Float64Array(values.length);
    for (let i = 0; i < out.length; i++) out[i] = quantizeFused(values[i]!, scale, zeroPoint, dtype);
    return fromIntegers(out, sizes, dtype, quantizer);
  }
  const out = emptyTensor(sizes, dtype);
  const [min, max] = integerRange(dtype);
  const [bytes, at, inverse] = [out.storage.segment.u8, out.base0, f(1 / f(scale))];
  for (let i = 0; i < values.length; i++) {
    // as quantizeFused; adding and taking away rounds a double to the nearest even integer
    const q = f(f(values[i]!) * inverse + zeroPoint) + ROUNDING - ROUNDING;
    bytes[at + i] = q < min ? min : q <= max ? q : max;
  }
  out.quantizer = quantizer;
  return out;
}

/** The real values of a contiguous tensor of bytes with one scale, by a table of all bytes; undefined for others. */
export function dequantizedBytes(t: Tensor): Float32Array | undefined {
  const q = t.quantizer;
  if (q?.scheme !== "per_tensor_affine" || bitsOf(t.dtype) !== 8 || !t.isContiguous()) return undefined;
  const scale = f(q.scale);
  const isSigned = t.dtype === DTYPES.qint8;
  const table = new Float32Array(256);
  for (let byte = 0; byte < 256; byte++) table[byte] = ((isSigned ? (byte << 24) >> 24 : byte) - q.zeroPoint) * scale;
  const out = new Float32Array(t.numel);
  const [bytes, at] = [t.storage.segment.u8, t.base0];
  for (let i = 0; i < out.length; i++) out[i] = table[bytes[at + i]!]!;
  return out;
}

/** Quantizes with the parameters of each channel. */
export function quantizeChannels(
  values: ArrayLike<number>,
  sizes: readonly number[],
  dtype: DType,
  quantizer: Quantizer,
): Tensor {
  const { scales, zeroPoints, channel } = parametersOf(quantizer, sizes);
  const isFloatZero = quantizer.scheme === "per_channel_affine_float_qparams";
  const [min, max] = integerRange(dtype);
  const out = new Float64Array(values.length);
  for (let i = 0; i < out.length; i++) {
    const c = channel(i);
    if (isFloatZero) {
      // float zero points are added before rounding
      const q = roundHalfEven(f(f(f(values[i]!) * f(1 / f(scales[c]!))) + f(zeroPoints[c]!)));
      out[i] = Math.max(min, Math.min(max, q));
    } else out[i] = quantizeScalar(values[i]!, scales[c]!, zeroPoints[c]!, dtype);
  }
  return fromIntegers(out, sizes, dtype, quantizer);
}

/** Scale and zero point for values between min and max (ChooseQuantizationParams in QuantUtils.h). */
export function chooseParameters(
  minIn: number,
  maxIn: number,
  qmin: number,
  qmax: number,
  symmetric = false,
): { scale: number; zeroPoint: number } {
  const SMALL = f(6.1e-5);
  let min = Math.min(minIn, 0);
  let max = Math.max(maxIn, 0);
  const keepsZero = symmetric && min < 0 && max > 0;
  if (keepsZero) {
    const half = Math.trunc((qmax - qmin) / 2);
    const unit = Math.max(f(Math.abs(min) / (half + 1)), f(Math.abs(max) / half));
    min = f(-unit * (half + 1));
    max = f(unit * half);
  }
  let scale = (max - min) / (qmax - qmin);
  if (f(scale) === 0 || !Number.isFinite(1 / f(scale))) scale = 0.1;
  if (scale < SMALL) {
    const original = scale;
    scale = SMALL;
    if (min === 0) max = f(SMALL * (qmax - qmin));
    else if (max === 0) min = f(-SMALL * (qmax - qmin));
    else {
      const amplifier = f(SMALL / f(original));
      min = f(min * amplifier);
      max = f(max * amplifier);
    }
  }
  const fromMin = qmin - min / scale;
  const fromMax = qmax - max / scale;
  const errorMin = Math.abs(qmin) - Math.abs(min / scale);
  const errorMax = Math.abs(qmax) - Math.abs(max / scale);
  let initial = errorMin < errorMax ? fromMin : fromMax;
  if (keepsZero) initial = (qmin + qmax) / 2;
  const zeroPoint = initial < qmin ? qmin : initial > qmax ? qmax : roundHalfEven(initial);
  return { scale, zeroPoint };
}

/** Smallest and largest element, as float32. */
export function extremes(values: ArrayLike<number>): { min: number; max: number } {
  let min = values.length ? Infinity : 0;
  let max = values.length ? -Infinity : 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    min = value < min ? value : min;
    max = value > max ? value : max;
  }
  return { min, max };
}

/** Scale and zero point for activations between min and max that become uint8 on the fly. */
export function dynamicParameters(
  min: number,
  max: number,
  reduceRange: boolean,
): { scale: number; zeroPoint: number } {
  return chooseParameters(min, max, 0, reduceRange ? 127 : 255);
}

/** Integers of activations that become uint8 on the fly. */
export function quantizeActivations(values: Floats, scale: number, zeroPoint: number): Float64Array {
  const integers = new Float64Array(values.length);
  const inverse = f(1 / f(scale));
  for (let i = 0; i < integers.length; i++) {
    // as quantizeFused; adding and taking away rounds a double to the nearest even integer
    const q = f(f(values[i]!) * inverse + zeroPoint) + ROUNDING - ROUNDING;
    integers[i] = q < 0 ? 0 : q <= 255 ? q : 255;
  }
  return integers;
}

/** Quantizes activations on the fly to uint8. */
export function quantizeDynamic(
  values: Float64Array,
  reduceRange: boolean,
): { integers: Float64Array; scale: number; zeroPoint: number } {
  const { min, max } = extremes(values);
  const { scale, zeroPoint } = dynamicParameters(min, max, reduceRange);
  return { integers: quantizeActivations(values, scale, zeroPoint), scale, zeroPoint };
}
