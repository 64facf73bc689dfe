/** @file Filling tensors with random values in PyTorch's order, and the rejection samplers. Upstream: aten/src/ATen/native/cpu/DistributionTemplates.h, aten/src/ATen/native/Distributions.cpp. Spec: none. */
import { fusedMultiplyAdd } from "../math/fused.ts";
import { copyInto } from "../copy.ts";
import { fromData } from "../data.ts";
import { wasmBoxMuller } from "./wasm/random.ts";
import { floatsOf, fromDoubles, isOnCpu, type Floats } from "./data.ts";
import { logFloat, sinCosFloat } from "../math/cephes_float.ts";
import { DTYPES, type DType } from "../dtype.ts";
import type { Generator } from "../generator.ts";
import { lgamma } from "../math/gamma.ts";
import { nearestCos, nearestLog, nearestSin } from "../math/nearest.ts";
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

/** Whether values can be written where they belong, one after the other. */
function isInPlace(t: Tensor): boolean {
  return (t.dtype === DTYPES.float32 || t.dtype === DTYPES.float64) && t.isContiguous() && !t.isNeg && isOnCpu(t);
}

/** Writes what `fill` makes, in memory order: values of the dtype, or of float32 for narrower ones. */
export function fillFloats(t: Tensor, fill: (values: Floats) => void): void {
  const target = inMemoryOrder(t);
  if (isInPlace(target)) {
    t.storage.version++;
    fill(floatsOf(target));
    return;
  }
  const values = t.dtype === DTYPES.float64 ? new Float64Array(t.numel) : new Float32Array(t.numel);
  fill(values);
  copyInto(target, fromDoubles(values, target.sizes, t.dtype));
}

/** Writes one drawn value after the other in memory order. */
export function fillSerially(t: Tensor, draw: () => number | bigint): void {
  const target = inMemoryOrder(t);
  if (isInPlace(target)) {
    fillFloats(target, (to) => {
      for (let i = 0; i < to.length; i++) to[i] = Number(draw());
    });
    return;
  }
  const values = new Array<number | bigint>(t.numel);
  for (let i = 0; i < values.length; i++) values[i] = draw();
  copyInto(target, fromData(values, target.sizes, t.dtype));
}

/** Numbers that are drawn together. */
const BATCH = 2048;
const batch = new Uint32Array(BATCH);

/** Draws `words` numbers for each of `count` elements and gives them to `use`, some elements at a time. */
export function drawBatches(
  count: number,
  words: 1 | 2,
  generator: Generator,
  use: (bits: Uint32Array, at: number, some: number) => void,
): void {
  for (let at = 0; at < count; at += BATCH / words) {
    const some = Math.min(BATCH / words, count - at);
    generator.fill(batch, words * some);
    use(batch, at, some);
  }
}

/** Uniform values in [0, 1) times `width` plus `low`: with 53 digits for doubles, else with 24; each rounded once. */
export function fillUniform(values: Floats, start: number, low: number, width: number, generator: Generator): void {
  const isDouble = values instanceof Float64Array;
  drawBatches(values.length - start, isDouble ? 2 : 1, generator, (bits, at, some) => {
    if (isDouble) fillDoubles(values, start + at, bits, some, low, width);
    else fillSingles(values, start + at, bits, some, low, width);
  });
}

function fillDoubles(
  values: Float64Array,
  at: number,
  bits: Uint32Array,
  count: number,
  low: number,
  width: number,
): void {
  for (let i = 0; i < count; i++) {
    const u = ((bits[2 * i]! & 0x1fffff) * 4294967296 + bits[2 * i + 1]!) / 9007199254740992;
    values[at + i] = low === 0 ? u * width : fusedMultiplyAdd(u, width, low);
  }
}

/** Makes `low` of values that rounding took to the end of the range, which is not in it. */
export function excludeEnd(values: Floats, low: number, end: number, narrow: (value: number) => number): void {
  const limit = narrow(end);
  for (let i = 0; i < values.length; i++) if (narrow(values[i]!) === limit) values[i] = low;
}

function fillSingles(
  values: Float32Array,
  at: number,
  bits: Uint32Array,
  count: number,
  low: number,
  width: number,
): void {
  for (let i = 0; i < count; i++) values[at + i] = ((bits[i]! & 0xffffff) / 16777216) * width + low;
}

/** `one` with a probability, else zeros: the chance of an element is a double of 53 digits. */
export function fillBernoulli(values: Floats, p: number, one: number, generator: Generator): void {
  const limit = p * 9007199254740992;
  const high = Math.floor(limit / 4294967296);
  const low = limit - high * 4294967296;
  const choices = Float64Array.of(0, one);
  drawBatches(values.length, 2, generator, (bits, at, some) => {
    for (let i = 0; i < some; i++) {
      // without a branch that nobody can foresee: the low words hardly ever decide
      const difference = (bits[2 * i]! & 0x1fffff) - high;
      values[at + i] = difference === 0 ? choices[bits[2 * i + 1]! < low ? 1 : 0]! : choices[difference >>> 31]!;
    }
  });
}

/** Integers from `low` on, `range` of them, below 2^32. */
export function fillIntegers(t: Tensor, low: number, range: number, generator: Generator): void {
  const target = inMemoryOrder(t);
  const divisor = range >>> 0;
  if (t.dtype === DTYPES.int64 && target.isContiguous() && isOnCpu(t) && low === (low | 0) && low + range < 2 ** 31) {
    t.storage.version++;
    const words = target.storage.segment.i32;
    const start = 2 * target.base0;
    drawBatches(t.numel, 1, generator, (bits, at, some) => {
      for (let i = 0, to = start + 2 * at; i < some; i++, to += 2) {
        const value = (bits[i]! % divisor) + low;
        words[to] = value;
        words[to + 1] = value >> 31;
      }
    });
    return;
  }
  const values = new Float64Array(t.numel);
  drawBatches(values.length, 1, generator, (bits, at, some) => {
    for (let i = 0; i < some; i++) values[at + i] = (bits[i]! % divisor) + low;
  });
  const isDirect = t.dtype === DTYPES.int64 || t.dtype === DTYPES.float32 || t.dtype === DTYPES.float64;
  copyInto(target, isDirect ? fromDoubles(values, target.sizes, t.dtype) : fromData(values, target.sizes, t.dtype));
}

/** The numbers below `count`, fewer than 2^31, in random order. */
export function permuted(count: number, generator: Generator): Int32Array {
  const values = new Int32Array(count);
  for (let i = 0; i < count; i++) values[i] = i;
  drawBatches(Math.max(0, count - 1), 1, generator, (bits, at, some) => {
    for (let i = 0; i < some; i++) {
      const from = at + i;
      const other = from + (bits[i]! % ((count - from) >>> 0));
      const swapped = values[from]!;
      values[from] = values[other]!;
      values[other] = swapped;
    }
  });
  return values;
}

const BLOCK = 16;

/** Normal values: 16 or more contiguous ones by blocks of Box-Muller pairs, others one by one. */
export function fillNormal(t: Tensor, mean: number, std: number, generator: Generator): void {
  const { numel, dtype } = t;
  if (numel < BLOCK || !t.isContiguous()) {
    fillSerially(t, () => fusedMultiplyAdd(generator.normal(), std, mean));
    return;
  }
  const transform = dtype === DTYPES.float64 ? normalDoubles : normalFloats;
  fillFloats(t, (values) => {
    const blocks = Math.floor(numel / BLOCK);
    // PyTorch draws narrower values block by block, and so draws none that it does not use
    const isNarrow = dtype !== DTYPES.float64 && dtype !== DTYPES.float32;
    fillUniform(isNarrow ? values.subarray(0, BLOCK * blocks) : values, 0, 0, 1, generator);
    transform(values, 0, blocks, mean, std);
    if (numel % BLOCK === 0) return;
    // the last block overlaps the one before: its uniform values are drawn anew
    fillUniform(values, numel - BLOCK, 0, 1, generator);
    transform(values, numel - BLOCK, 1, mean, std);
  });
}

/** Blocks of uniform values to blocks of normal ones, in place: those of a block's first half with those of its second. */
type NormalBlocks = (values: Floats, at: number, blocks: number, mean: number, std: number) => void;

/** As PyTorch's scalar code does it, with functions as close as those of the C library. */
const normalDoubles: NormalBlocks = (values, start, blocks, mean, std) => {
  for (let block = 0, at = start; block < blocks; block++, at += BLOCK) {
    for (let i = at; i < at + BLOCK / 2; i++) {
      // [0, 1) to (0, 1] for the logarithm
      const radius = Math.sqrt(-2 * nearestLog(1 - values[i]!));
      const theta = 2 * Math.PI * values[i + BLOCK / 2]!;
      values[i] = fusedMultiplyAdd(radius * nearestCos(theta), std, mean);
      values[i + BLOCK / 2] = fusedMultiplyAdd(radius * nearestSin(theta), std, mean);
    }
  }
};

/** As PyTorch's vector code does it, whose logarithm, sine and cosine are single-precision polynomials. */
const normalFloats: NormalBlocks = (values, start, blocks, mean, std) => {
  if (wasmBoxMuller(values as Float32Array, start, blocks, mean, std)) return;
  const f = Math.fround;
  const [twoPi, scale, shift] = [f(2 * Math.PI), f(std), f(mean)];
  for (let block = 0, at = start; block < blocks; block++, at += BLOCK) {
    for (let i = at; i < at + BLOCK / 2; i++) {
      const radius = f(Math.sqrt(f(-2 * logFloat(f(1 - values[i]!)))));
      const { sin, cos } = sinCosFloat(f(twoPi * values[i + BLOCK / 2]!));
      values[i] = f(f(radius * cos) * scale + shift);
      values[i + BLOCK / 2] = f(f(radius * sin) * scale + shift);
    }
  }
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
