/** @file Resampling: weights of each output position along one dimension, applied dimension by dimension. Upstream: aten/src/ATen/native/UpSample.h, cpu/UpSampleKernel.cpp. Spec: none. */

/** For each output position, `taps` source indices and weights, which one tap alone needs not; an index of -1 is none. */
export interface Taps {
  readonly count: number;
  readonly taps: number;
  readonly index: Int32Array;
  readonly weight: Float64Array;
}

/** How many input elements one output step spans. `round` is Math.fround where the operator computes in float32. */
export function stepScale(
  input: number,
  output: number,
  alignCorners: boolean,
  scale: number | null,
  round: (x: number) => number,
): number {
  if (alignCorners) return output > 1 ? round((input - 1) / (output - 1)) : 0;
  return scale !== null && scale > 0 ? round(1 / scale) : round(input / output);
}

/**
 * Source index of each output position for nearest: of `exact`, or by the floor of the left edge. `legacyVectorised` is the latter, but looks
 * at no scale where the sizes are equal or one is twice the other.
 */
export function nearestIndices(
  input: number,
  output: number,
  scale: number | null,
  rule: "exact" | "legacy" | "legacyVectorised",
): Int32Array {
  if (rule === "legacyVectorised" && (output === input || output === 2 * input))
    return Int32Array.from({ length: output }, (_, i) => (output === input ? i : i >> 1));
  const isExact = rule === "exact";
  const step = Math.fround(scale !== null && scale > 0 ? 1 / scale : input / output);
  const out = new Int32Array(output);
  for (let i = 0; i < output; i++) {
    out[i] = Math.min(Math.floor(Math.fround((isExact ? i + 0.5 : i) * step)), input - 1);
  }
  return out;
}

/** Two taps per position. */
export function linearTaps(
  input: number,
  output: number,
  alignCorners: boolean,
  scale: number | null,
  round: (x: number) => number,
): Taps {
  const step = stepScale(input, output, alignCorners, scale, round);
  const index = new Int32Array(2 * output);
  const weight = new Float64Array(2 * output);
  for (let i = 0; i < output; i++) {
    if (input === output) {
      index[2 * i] = index[2 * i + 1] = i;
      weight[2 * i] = 1;
      continue;
    }
    const real = alignCorners ? round(step * i) : Math.max(round(round(step * (i + 0.5)) - 0.5), 0);
    const low = Math.min(Math.floor(real), input - 1);
    const high = low + (low < input - 1 ? 1 : 0);
    const t = Math.min(Math.max(round(real - low), 0), 1);
    index[2 * i] = low;
    index[2 * i + 1] = high;
    weight[2 * i] = round(1 - t);
    weight[2 * i + 1] = t;
  }
  return { count: output, taps: 2, index, weight };
}

function cubicNear(x: number, a: number): number {
  return ((a + 2) * x - (a + 3)) * x * x + 1;
}

function cubicFar(x: number, a: number): number {
  return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}

/** Weights of the four neighbours of a point at distance `t` past the second. */
export function cubicWeights(t: number): [number, number, number, number] {
  const a = -0.75;
  return [cubicFar(t + 1, a), cubicNear(t, a), cubicNear(1 - t, a), cubicFar(2 - t, a)];
}

/** Four taps per position; indices beyond the edge are clamped. */
export function cubicTaps(
  input: number,
  output: number,
  alignCorners: boolean,
  scale: number | null,
  round: (x: number) => number,
): Taps {
  const step = stepScale(input, output, alignCorners, scale, round);
  const index = new Int32Array(4 * output);
  const weight = new Float64Array(4 * output);
  for (let i = 0; i < output; i++) {
    const real = alignCorners ? round(step * i) : round(round(step * (i + 0.5)) - 0.5);
    const low = Math.floor(real);
    const w = cubicWeights(Math.min(Math.max(round(real - low), 0), 1));
    for (let k = 0; k < 4; k++) {
      index[4 * i + k] = Math.min(Math.max(low - 1 + k, 0), input - 1);
      weight[4 * i + k] = w[k]!;
    }
  }
  return { count: output, taps: 4, index, weight };
}

/** Filters of the antialiased modes: half width at scale 1, and value. */
export const FILTERS = {
  linear: { size: 2, value: (x: number): number => (Math.abs(x) < 1 ? 1 - Math.abs(x) : 0) },
  cubic: {
    size: 4,
    value: (x: number): number => {
      const d = Math.abs(x);
      return d < 1 ? cubicNear(d, -0.5) : d < 2 ? cubicFar(d, -0.5) : 0;
    },
  },
  lanczos: {
    size: 6,
    value: (x: number): number => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0),
  },
} as const;

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Taps of a filter that widens with the scale when shrinking. */
export function antialiasTaps(
  input: number,
  output: number,
  alignCorners: boolean,
  scale: number | null,
  filter: keyof typeof FILTERS,
  round: (x: number) => number,
): Taps {
  const { size, value } = FILTERS[filter];
  const step = stepScale(input, output, alignCorners, scale, round);
  const support = round(step >= 1 ? size * 0.5 * step : size * 0.5);
  const inverse = round(step >= 1 ? 1 / step : 1);
  const taps = Math.ceil(support) * 2 + 1;
  const index = new Int32Array(taps * output).fill(-1);
  const weight = new Float64Array(taps * output);
  for (let i = 0; i < output; i++) {
    const center = round(step * (i + 0.5));
    const from = Math.max(Math.trunc(round(center - support) + 0.5), 0);
    const count = Math.min(Math.min(Math.trunc(round(center + support) + 0.5), input) - from, taps);
    let total = 0;
    for (let j = 0; j < count; j++) {
      const w = round(value(round((round(j + from - center) + 0.5) * inverse)));
      index[i * taps + j] = from + j;
      weight[i * taps + j] = w;
      total = round(total + w);
    }
    if (total !== 0) for (let j = 0; j < count; j++) weight[i * taps + j] = round(weight[i * taps + j]! / total);
  }
  return { count: output, taps, index, weight };
}

/**
 * `applyTaps` in the fixed-point arithmetic of bytes: weights of 16 bits, rounding and clamping after each dimension.
 */
export function applyByteTaps(x: ArrayLike<number>, outer: number, size: number, inner: number, t: Taps): Float64Array {
  // of taps beyond the border the weights are added before they are rounded
  const whole = t.weight.slice();
  for (let k = 1; k < whole.length; k++) {
    if (k % t.taps === 0 || t.index[k] !== t.index[k - 1] || t.index[k] === -1) continue;
    whole[k] = whole[k]! + whole[k - 1]!;
    whole[k - 1] = 0;
  }
  let most = 0;
  for (const w of whole) most = Math.max(most, w);
  let precision = 0;
  while (precision < 22 && Math.trunc(0.5 + most * 2 ** (precision + 1)) < 1 << 15) precision++;
  const unit = 2 ** precision;
  const weight = whole.map((w) => Math.trunc(w * unit + (w < 0 ? -0.5 : 0.5)));
  const out = applyTaps(x, outer, size, inner, { ...t, weight });
  for (let i = 0; i < out.length; i++) out[i] = Math.min(Math.max(Math.floor((out[i]! + unit / 2) / unit), 0), 255);
  return out;
}

/** Applies taps along the middle dimension of (outer, size, inner). */
export function applyTaps(x: ArrayLike<number>, outer: number, size: number, inner: number, t: Taps): Float64Array {
  const out = new Float64Array(outer * t.count * inner);
  let at = 0;
  for (let o = 0; o < outer; o++) {
    const base = o * size * inner;
    for (let i = 0; i < t.count; i++, at += inner) {
      for (let k = i * t.taps; k < (i + 1) * t.taps; k++) {
        if (t.index[k] === -1) continue;
        const w = t.weight[k]!; // zero or not, as PyTorch: what is not finite spreads
        const from = base + t.index[k]! * inner;
        for (let j = 0; j < inner; j++) out[at + j] = out[at + j]! + w * x[from + j]!;
      }
    }
  }
  return out;
}
