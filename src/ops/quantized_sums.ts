/** @file Sums of quantized layers, and what becomes of them. Upstream: aten/src/ATen/native/quantized/cpu/qlinear.cpp, fbgemm QuantUtils.h. Spec: none.
 *
 * Note [Exact accumulators]: products of (integer - zero point) are summed exactly, as integers of 32 bits, as float32 where no sum can reach 2^24,
 * or as float64; one float32 multiplication (with a bias, one fused multiply-add) then rescales the sum, as the output stages of fbgemm and oneDNN do. */
import { OperatorError } from "../base/errors.ts";
import { emptyStrided } from "../tensor/clone.ts";
import { toFloat64Array } from "../tensor/data.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Floats } from "../tensor/kernels/data.ts";
import { integersOf, parametersOf } from "../tensor/kernels/quantized.ts";
import { roundHalfEven } from "../tensor/kernels/unary.ts";
import { isChannelsLastContiguous, channelsLastStrides } from "../tensor/memory_format.ts";
import { contiguousStrides } from "../tensor/strides.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";

const f = Math.fround;

/** Sums of a quantized layer before they are scaled: `inner` of a channel side by side, channels one after another. */
export interface Sums {
  readonly sums: Floats;
  readonly sizes: readonly number[];
  /** The scale of the input times that of the channel's weights. */
  readonly scales: Float64Array;
  readonly bias: Float64Array | undefined;
  readonly channels: number;
  readonly inner: number;
}

/** A number as a byte of at least `low`, which what is no number becomes. */
export function toByte(value: number, zeroPoint: number, low: number): number {
  const q = zeroPoint + roundHalfEven(value);
  return q >= low ? (q > 255 ? 255 : q) : low;
}

/** Calls `visit` for every channel of every sample: where its sums begin, where its results do, and how far apart those are. */
export function eachPlane(
  { sums, channels, inner }: Sums,
  isLast: boolean,
  visit: (channel: number, from: number, to: number, step: number) => void,
): void {
  const step = isLast ? channels : 1;
  for (let from = 0, plane = 0; from < sums.length; from += inner, plane++) {
    const c = plane % channels;
    visit(c, from, isLast ? from - c * inner + c : from, step);
  }
}

/** An empty result, with its channels last where PyTorch has them so: for convolutions. */
export function resultOf(
  { sizes }: Sums,
  isConv: boolean,
  scale: number,
  zeroPoint: number,
): { out: Tensor; isLast: boolean } {
  const isLast = isConv && sizes.length >= 4 && !isChannelsLastContiguous({ sizes, strides: contiguousStrides(sizes) });
  const out = isLast
    ? emptyStrided(sizes, channelsLastStrides(sizes), DTYPES.quint8)
    : emptyTensor(sizes, DTYPES.quint8);
  out.quantizer = { scheme: "per_tensor_affine", scale, zeroPoint };
  return { out, isLast };
}

/** Integers minus their zero points: exact in float64. */
export function centered(t: Tensor): Float64Array {
  const { zeroPoints, channel } = parametersOf(t.quantizer!, t.sizes);
  return integersOf(t).map((q, i) => q - zeroPoints[channel(i)]!);
}

export function weightScales(weight: Tensor, channels: number): Float64Array {
  const q = weight.quantizer;
  if (!q) throw new OperatorError("The weight of a quantized layer is not quantized");
  if (q.scheme === "per_tensor_affine") return new Float64Array(channels).fill(f(q.scale));
  return toFloat64Array(q.scales).map(f);
}

/** What a channel's sums are added to and then multiplied by for results of another scale. */
export function accumulatorUnits(
  sumScale: number,
  bias: number | null | undefined,
  outScale: number,
): { scale: number; shift: number } {
  return { scale: f(sumScale / f(outScale)), shift: typeof bias === "number" ? f(bias / sumScale) : 0 };
}

/** Scales sums to a quantized tensor as fbgemm does: in units of the accumulator, with one multiplication. */
export function requantize(s: Sums, outScale: number, zeroPoint: number, relu: boolean, isConv = false): Tensor {
  const { sums, inner, scales, bias } = s;
  const { out, isLast } = resultOf(s, isConv, outScale, zeroPoint);
  const bytes = out.storage.segment.u8;
  const low = relu ? zeroPoint : 0;
  eachPlane(s, isLast, (c, from, to, step) => {
    const { scale, shift } = accumulatorUnits(scales[c]!, bias?.[c], outScale);
    for (let i = from, at = out.base0 + to; i < from + inner; i++, at += step)
      bytes[at] = toByte(f(f(f(sums[i]!) + shift) * scale), zeroPoint, low);
  });
  return out;
}

/** Scales sums to float32 as oneDNN and fbgemm do: bias and product are rounded together. */
export function scaleFloats(s: Sums, relu: boolean, out: Float32Array): void {
  const { sums, inner, scales, bias } = s;
  eachPlane(s, false, (c, from) => {
    const scale = scales[c]!;
    const b = bias ? bias[c]! : 0;
    for (let i = from; i < from + inner; i++) {
      const y = f(f(sums[i]!) * scale + b);
      out[i] = relu && y < 0 ? 0 : y;
    }
  });
}

export function requireActivations(x: Tensor, name: string): { scale: number; zeroPoint: number } {
  const { quantizer } = x;
  if (quantizer?.scheme !== "per_tensor_affine") {
    throw new OperatorError(
      `Could not run 'quantized::${name}' with arguments from the 'CPU' backend. This could be because the operator doesn't exist for this backend, or was omitted during the selective/custom build process (if using custom build).`,
    );
  }
  return quantizer;
}
