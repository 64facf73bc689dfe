/** @file Filling tensors with random values in PyTorch's order, and the rejection samplers. Upstream: aten/src/ATen/native/cpu/DistributionTemplates.h, aten/src/ATen/native/Distributions.cpp. Spec: none. */
import { copyInto } from "../copy.ts";
import { fromData } from "../data.ts";
import { logFloat, sinCosFloat } from "../math/cephes_float.ts";
import { DTYPES, type DType } from "../dtype.ts";
import type { Generator } from "../generator.ts";
import { lgamma } from "../math/gamma.ts";
import { viewOf, type Tensor } from "../tensor.ts";

/** Binary digits of a floating dtype's significand. */
export function digitsOf(dtype: DType): number {
  return dtype === DTYPES.float16 ? 11 : dtype === DTYPES.bfloat16 ? 8 : dtype === DTYPES.float64 ? 53 : 24;
}

/** The view of a tensor whose row-major order is its memory order: PyTorch's serial loops follow memory. */
export function inMemoryOrder(t: Tensor): Tensor {
  const order = t.sizes.map((_, d) => d).sort((a, b) => t.strides[b]! - t.strides[a]! || a - b);
  if (order.every((d, i) => d === i)) return t;
  return viewOf(
    t,
    order.map((d) => t.sizes[d]!),
    order.map((d) => t.strides[d]!),
  );
}

/** Writes one drawn value after the other in memory order. */
export function fillSerially(t: Tensor, draw: () => number | bigint): void {
  const target = inMemoryOrder(t);
  const values = new Array<number | bigint>(t.numel);
  for (let i = 0; i < values.length; i++) values[i] = draw();
  copyInto(target, fromData(values, target.sizes, t.dtype));
}

const FLOAT_DIGITS = 24;

/** Uniform values for a dtype in [0, 1): narrow floats are rounded from float32. */
export function uniformDraw(dtype: DType, generator: Generator): () => number {
  return dtype === DTYPES.float64 ? () => generator.uniformDouble() : () => generator.uniformBits(FLOAT_DIGITS);
}

const BLOCK = 16;

/** Normal values: 16 or more contiguous ones by blocks of Box-Muller pairs, others one by one. */
export function fillNormal(t: Tensor, mean: number, std: number, generator: Generator): void {
  const { numel, dtype } = t;
  if (numel < BLOCK || !t.isContiguous()) {
    fillSerially(t, () => generator.normal() * std + mean);
    return;
  }
  const draw = uniformDraw(dtype, generator);
  const values = new Float64Array(numel);
  for (let i = 0; i < numel; i++) values[i] = draw();
  const pair = dtype === DTYPES.float32 ? boxMullerFloat : boxMuller;
  const round = dtype === DTYPES.float64 ? (x: number) => x : Math.fround;
  const block = (at: number): void => {
    for (let j = at; j < at + BLOCK / 2; j++) pair(values, j, j + BLOCK / 2, std, mean, round);
  };
  for (let i = 0; i + BLOCK <= numel; i += BLOCK) block(i);
  if (numel % BLOCK !== 0) {
    // the last block overlaps the one before: its uniform values are drawn anew
    for (let i = numel - BLOCK; i < numel; i++) values[i] = draw();
    block(numel - BLOCK);
  }
  copyInto(t, fromData(values, t.sizes, dtype));
}

/** Two uniform values to two normal ones, in place. */
type NormalPair = (
  values: Float64Array,
  first: number,
  second: number,
  std: number,
  mean: number,
  round: (x: number) => number,
) => void;

const boxMuller: NormalPair = (values, first, second, std, mean, round) => {
  const u1 = round(1 - values[first]!); // [0, 1) to (0, 1] for the logarithm
  const radius = round(Math.sqrt(round(-2 * round(Math.log(u1)))));
  const theta = round(2 * Math.PI * values[second]!);
  values[first] = round(round(radius * round(Math.cos(theta))) * std + mean);
  values[second] = round(round(radius * round(Math.sin(theta))) * std + mean);
};

const TWO_PI = Math.fround(2 * Math.PI);

/** As PyTorch's vector code does it, whose logarithm, sine and cosine are single-precision polynomials. */
const boxMullerFloat: NormalPair = (values, first, second, std, mean, round) => {
  const radius = round(Math.sqrt(round(-2 * logFloat(round(1 - values[first]!)))));
  const { sin, cos } = sinCosFloat(round(TWO_PI * values[second]!));
  values[first] = round(round(radius * cos) * round(std) + round(mean));
  values[second] = round(round(radius * sin) * round(std) + round(mean));
};

/** Poisson variate: multiplication below 10, else Hörmann's transformed rejection (PTRS). */
export function samplePoisson(lambda: number, g: Generator): number {
  if (lambda === 0) return 0;
  if (lambda < 10) {
    const limit = Math.exp(-lambda);
    let product = 1;
    for (let x = 0; ; x++) {
      product *= g.uniformDouble();
      if (product <= limit) return x;
    }
  }
  const logLambda = Math.log(lambda);
  const b = 0.931 + 2.53 * Math.sqrt(lambda);
  const a = -0.059 + 0.02483 * b;
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4);
  const vr = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const u = g.uniformDouble() - 0.5;
    const v = g.uniformDouble();
    const us = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / us + b) * u + lambda + 0.43);
    if (us >= 0.07 && v <= vr) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (Math.log(v) + Math.log(inverseAlpha) - Math.log(a / (us * us) + b) <= -lambda + k * logLambda - lgamma(k + 1))
      return k;
  }
}

const STIRLING_TAIL = [
  0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211,
  0.0138761288230707, 0.0118967099458917, 0.010411265261972, 0.00925546218271273, 0.00833056343336287,
];

function stirlingTail(k: number): number {
  if (k <= 9) return STIRLING_TAIL[k]!;
  const square = (k + 1) * (k + 1);
  return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1);
}

function binomialInversion(count: number, prob: number, g: Generator): number {
  const logProb = Math.log1p(-prob);
  let sum = 0;
  for (let n = 0; ; n++) {
    sum += Math.ceil(Math.log(g.uniformDouble()) / logProb);
    if (sum > count) return n;
  }
}

/** Hörmann's transformed rejection with squeeze (BTRS). */
function btrs(count: number, prob: number, g: Generator): number {
  const stddev = Math.sqrt(count * prob * (1 - prob));
  const b = 1.15 + 2.53 * stddev;
  const a = -0.0873 + 0.0248 * b + 0.01 * prob;
  const c = count * prob + 0.5;
  const vr = 0.92 - 4.2 / b;
  const r = prob / (1 - prob);
  const alpha = (2.83 + 5.1 / b) * stddev;
  const m = Math.floor((count + 1) * prob);
  for (;;) {
    const u = g.uniformDouble() - 0.5;
    let v = g.uniformDouble();
    const us = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / us + b) * u + c);
    if (k < 0 || k > count) continue;
    if (us >= 0.07 && v <= vr) return k;
    v = Math.log((v * alpha) / (a / (us * us) + b));
    const bound =
      (m + 0.5) * Math.log((m + 1) / (r * (count - m + 1))) +
      (count + 1) * Math.log((count - m + 1) / (count - k + 1)) +
      (k + 0.5) * Math.log((r * (count - k + 1)) / (k + 1)) +
      stirlingTail(m) +
      stirlingTail(count - m) -
      stirlingTail(k) -
      stirlingTail(count - k);
    if (v <= bound) return k;
  }
}

/** Binomial variate. */
export function sampleBinomial(count: number, prob: number, g: Generator): number {
  if (count <= 0 || prob <= 0) return 0;
  if (prob >= 1) return count;
  const small = prob <= 0.5 ? prob : 1 - prob;
  if (!(small >= 0)) return NaN;
  const hits = count * small >= 10 ? btrs(count, small, g) : binomialInversion(count, small, g);
  return prob <= 0.5 ? hits : count - hits;
}

/** Gamma variate of unit scale (Marsaglia and Tsang 2000). */
export function sampleGamma(shape: number, g: Generator): number {
  let scale = 1;
  let alpha = shape;
  if (alpha < 1) {
    if (alpha === 0) return 0;
    scale = Math.pow(1 - g.uniformDouble(), 1 / alpha);
    alpha += 1;
  }
  const d = alpha - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    let x: number;
    let y: number;
    do {
      x = g.normal();
      y = 1 + c * x;
    } while (y <= 0);
    const v = y * y * y;
    const u = 1 - g.uniformDouble();
    const xx = x * x;
    if (u < 1 - 0.0331 * xx * xx) return scale * d * v;
    if (Math.log(u) < 0.5 * xx + d * (1 - v + Math.log(v))) return scale * d * v;
  }
}
