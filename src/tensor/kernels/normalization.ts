/** @file Normalisation over rows and channels. Upstream: aten/src/ATen/native/cpu/layer_norm_kernel.cpp, batch_norm_kernel.cpp. Spec: none. */
import type { Floats } from "./data.ts";
import { wasmLayerNorm } from "./wasm/elements.ts";

/** Mean and 1 / sqrt(variance + eps) of each of `rows` rows of `size` elements. */
export function rowMoments(
  x: Floats,
  rows: number,
  size: number,
  eps: number,
): { mean: Float64Array; rstd: Float64Array } {
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

/** Normalises each of `rows` rows of `size` elements by its own moments, which are returned, and applies an affine map by position. */
export function normalizedRows(
  x: Floats,
  out: Floats,
  rows: number,
  size: number,
  weight: Floats | undefined,
  bias: Floats | undefined,
  eps: number,
): { mean: Float64Array; rstd: Float64Array } {
  if (x instanceof Float32Array) {
    const moments = new Float32Array(2 * rows);
    const [w, b] = [weight, bias] as (Float32Array | undefined)[];
    if (wasmLayerNorm(x, out as Float32Array, rows, size, w, b, eps, moments)) {
      const every = (first: number): Float64Array =>
        Float64Array.from({ length: rows }, (_, r) => moments[2 * r + first]!);
      return { mean: every(0), rstd: every(1) };
    }
  }
  const known = rowMoments(x, rows, size, eps);
  normalizeRows(x, out, rows, size, known.mean, known.rstd, weight, bias);
  return known;
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

/** out = x * scale[c] + shift[c] over (N, C, plane). */
export function scaleChannels(
  x: Floats,
  out: Floats,
  batch: number,
  channels: number,
  plane: number,
  scale: Float64Array,
  shift: Float64Array,
): void {
  for (let n = 0, at = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      const a = scale[c]!;
      const b = shift[c]!;
      for (let p = 0; p < plane; p++, at++) out[at] = x[at]! * a + b;
    }
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
