/** @file Normalisation over rows and channels. Upstream: aten/src/ATen/native/cpu/layer_norm_kernel.cpp, batch_norm_kernel.cpp. Spec: none. */
import type { Floats } from "./data.ts";
import { wasmLayerNorm } from "./wasm/elements.ts";
import { wasmNormGroups, wasmScalePlanes } from "./wasm/norms.ts";

/** Mean and 1 / sqrt(variance + eps) of each of `rows` rows of `size` elements. */
function rowMoments(x: Floats, rows: number, size: number, eps: number): Moments {
  const mean = new Float64Array(rows);
  const rstd = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    const at = r * size;
    let sum = 0;
    for (let i = 0; i < size; i++) sum += x[at + i]!;
    const m = sum / size;
    let squares = 0;
    for (let i = 0; i < size; i++) {
      const d = x[at + i]! - m;
      squares += d * d;
    }
    mean[r] = m;
    rstd[r] = 1 / Math.sqrt(squares / size + eps);
  }
  return { mean, rstd };
}

interface Moments {
  readonly mean: Float64Array;
  readonly rstd: Float64Array;
}

/** Normalises each of `rows` rows of `size` elements by its own moments, which are returned, and applies an affine map by position. */
export function normalizedRows(
  x: Floats,
  out: Floats,
  rows: number,
  size: number,
  weight: Floats | undefined,
  bias: Floats | undefined,
  eps: number,
): Moments {
  const moments = normalizedFast(x, out, rows, size, weight, bias, eps);
  if (moments) return moments;
  const known = rowMoments(x, rows, size, eps);
  normalizeRows(x, out, rows, size, known.mean, known.rstd, weight, bias);
  return known;
}

/**
 * Normalises each of `rows` groups of `per` channels of `plane` elements by its own moments, which are returned; gamma and beta are of the
 * channels of all groups in turn.
 */
export function normalizedGroups(
  x: Floats,
  out: Floats,
  rows: number,
  per: number,
  plane: number,
  gamma: Floats | undefined,
  beta: Floats | undefined,
  eps: number,
): Moments {
  const moments = new Float32Array(2 * rows);
  const isDone =
    x instanceof Float32Array && wasmNormGroups(x, out as Float32Array, rows, per, plane, gamma, beta, eps, moments);
  if (isDone) return momentsFrom(moments);
  const known = rowMoments(x, rows, per * plane, eps);
  const [scale, shift] = [new Float64Array(rows * per), new Float64Array(rows * per)];
  const channels = gamma?.length ?? beta?.length ?? per;
  for (let i = 0; i < scale.length; i++) {
    const row = Math.floor(i / per);
    scale[i] = known.rstd[row]! * (gamma ? gamma[i % channels]! : 1);
    shift[i] = (beta ? beta[i % channels]! : 0) - known.mean[row]! * scale[i]!;
  }
  scalePlanes(x, out, rows * per, plane, scale, shift);
  return known;
}

/** Pairs of mean and rstd taken apart. */
function momentsFrom(pairs: Float32Array): Moments {
  const every = (first: number): Float64Array =>
    Float64Array.from({ length: pairs.length / 2 }, (_, r) => pairs[2 * r + first]!);
  return { mean: every(0), rstd: every(1) };
}

function normalizedFast(
  x: Floats,
  out: Floats,
  rows: number,
  size: number,
  weight: Floats | undefined,
  bias: Floats | undefined,
  eps: number,
): Moments | undefined {
  if (!(x instanceof Float32Array)) return undefined;
  const moments = new Float32Array(2 * rows);
  const [w, b] = [weight, bias] as (Float32Array | undefined)[];
  if (!wasmLayerNorm(x, out as Float32Array, rows, size, w, b, eps, moments)) return undefined;
  return momentsFrom(moments);
}

function normalizeRows(
  x: Floats,
  out: Floats,
  rows: number,
  size: number,
  mean: ArrayLike<number>,
  rstd: ArrayLike<number>,
  weight: Floats | undefined,
  bias: Floats | undefined,
): void {
  for (let r = 0, at = 0; r < rows; r++) {
    const m = mean[r]!;
    const s = rstd[r]!;
    for (let i = 0; i < size; i++, at++) {
      let y = (x[at]! - m) * s;
      if (weight) y *= weight[i]!;
      if (bias) y += bias[i]!;
      out[at] = y;
    }
  }
}

/** out = x * scale + shift for planes of `size` elements, each with its own two numbers: plane i has those at i modulo their count. `out` is not `x`. */
export function scalePlanes(
  x: Floats,
  out: Floats,
  planes: number,
  size: number,
  scale: Float64Array,
  shift: Float64Array,
): void {
  if (x instanceof Float32Array && wasmScalePlanes(x, out as Float32Array, planes, size, scale, shift)) return;
  for (let plane = 0, at = 0; plane < planes; plane++) {
    const a = scale[plane % scale.length]!;
    const b = shift[plane % scale.length]!;
    for (const end = at + size; at < end; at++) out[at] = x[at]! * a + b;
  }
}

/** Mean and (biased) variance of each channel over (N, C, plane). */
export function channelMoments(
  x: Floats,
  batch: number,
  channels: number,
  plane: number,
): { mean: Float64Array; variance: Float64Array } {
  const mean = new Float64Array(channels);
  const variance = new Float64Array(channels);
  const count = batch * plane;
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    for (let n = 0; n < batch; n++) {
      const at = (n * channels + c) * plane;
      for (let p = 0; p < plane; p++) sum += x[at + p]!;
    }
    const m = sum / count;
    let squares = 0;
    for (let n = 0; n < batch; n++) {
      const at = (n * channels + c) * plane;
      for (let p = 0; p < plane; p++) {
        const d = x[at + p]! - m;
        squares += d * d;
      }
    }
    mean[c] = m;
    variance[c] = squares / count;
  }
  return { mean, variance };
}
