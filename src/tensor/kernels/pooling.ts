/** @file Pooling over (planes, D, H, W) arrays; 1-d and 2-d come with sizes of 1. Upstream: aten/src/ATen/native/cpu/MaxPoolKernel.cpp, AvgPoolKernel.cpp. Spec: none. */
import type { Triple } from "./convolution.ts";
import { wasmAveragePool } from "./wasm/pooling.ts";
import { wasmReduce } from "./wasm/reductions.ts";

/** Everything about a pooling window except the data. */
export interface PoolGeometry {
  readonly planes: number;
  readonly input: Triple;
  readonly output: Triple;
  readonly kernel: Triple;
  readonly stride: Triple;
  readonly padding: Triple;
  readonly dilation: Triple;
}

/** Size of a pooled dimension. */
export function pooledSize(
  size: number,
  kernel: number,
  padding: number,
  stride: number,
  dilation: number,
  ceilMode: boolean,
): number {
  const span = size + 2 * padding - dilation * (kernel - 1) - 1 + (ceilMode ? stride - 1 : 0);
  const out = Math.floor(span / stride) + 1;
  // the last window must start inside the input or its left padding
  return ceilMode && (out - 1) * stride >= size + padding ? out - 1 : out;
}

/** Maximum of each window and its index within the plane; NaN wins. */
export function maxPool(
  x: ArrayLike<number>,
  out: Float64Array | Float32Array,
  indices: Float64Array,
  g: PoolGeometry,
): void {
  const [id, ih, iw] = g.input;
  const [od, oh, ow] = g.output;
  const plane = id * ih * iw;
  let at = 0;
  for (let n = 0; n < g.planes; n++) {
    const base = n * plane;
    for (let oz = 0; oz < od; oz++) {
      for (let oy = 0; oy < oh; oy++) {
        for (let ox = 0; ox < ow; ox++, at++) {
          const [z0, z1] = window(oz, 0, g);
          const [y0, y1] = window(oy, 1, g);
          const [x0, x1] = window(ox, 2, g);
          let best = -Infinity;
          let bestAt = (z0 * ih + y0) * iw + x0;
          for (let z = z0; z < z1; z += g.dilation[0]) {
            for (let y = y0; y < y1; y += g.dilation[1]) {
              const row = (z * ih + y) * iw;
              for (let px = x0; px < x1; px += g.dilation[2]) {
                const v = x[base + row + px]!;
                if (v > best || v !== v) {
                  best = v;
                  bestAt = row + px;
                }
              }
            }
          }
          out[at] = best;
          indices[at] = bestAt;
        }
      }
    }
  }
}

function window(o: number, d: 0 | 1 | 2, g: PoolGeometry): [number, number] {
  let start = o * g.stride[d] - g.padding[d];
  const end = Math.min(start + (g.kernel[d] - 1) * g.dilation[d] + 1, g.input[d]);
  while (start < 0) start += g.dilation[d];
  return [start, end];
}

/** Where window `o` of a dimension begins and ends, with and without the padding. */
function averageWindow(o: number, d: 0 | 1 | 2, g: PoolGeometry): [start: number, end: number, padded: number] {
  const start = o * g.stride[d] - g.padding[d];
  const end = Math.min(start + g.kernel[d], g.input[d] + g.padding[d]);
  return [Math.max(start, 0), Math.min(end, g.input[d]), end - start];
}

/** Average of each window; float32 is summed in its own precision, as PyTorch does it. */
export function averagePool(
  x: ArrayLike<number>,
  out: Float64Array | Float32Array,
  g: PoolGeometry,
  countIncludePad: boolean,
  divisor: number | null,
): void {
  const [id, ih, iw] = g.input;
  const [od, oh, ow] = g.output;
  if (x instanceof Float32Array && out instanceof Float32Array) {
    const divisorAt = (y: number, z: number): number => {
      const [[ys, ye, high], [xs, xe, wide]] = [averageWindow(y, 1, g), averageWindow(z, 2, g)];
      // the sum of nothing is zero
      return ys >= ye || xs >= xe ? 1 : (divisor ?? (countIncludePad ? high * wide : (ye - ys) * (xe - xs)));
    };
    if (wasmAveragePool(x, out, g, divisorAt)) return;
  }
  const isSingle = out instanceof Float32Array;
  const plane = id * ih * iw;
  let at = 0;
  for (let n = 0; n < g.planes; n++) {
    for (let oz = 0; oz < od; oz++) {
      const [zs, ze, deep] = averageWindow(oz, 0, g);
      for (let oy = 0; oy < oh; oy++) {
        const [ys, ye, high] = averageWindow(oy, 1, g);
        for (let ox = 0; ox < ow; ox++, at++) {
          const [xs, xe, wide] = averageWindow(ox, 2, g);
          if (zs >= ze || ys >= ye || xs >= xe) {
            out[at] = 0;
            continue;
          }
          let sum = 0;
          for (let z = zs; z < ze; z++) {
            for (let y = ys; y < ye; y++) {
              const row = n * plane + (z * ih + y) * iw;
              if (isSingle) for (let px = xs; px < xe; px++) sum = Math.fround(sum + x[row + px]!);
              else for (let px = xs; px < xe; px++) sum += x[row + px]!;
            }
          }
          out[at] = sum / (divisor ?? (countIncludePad ? deep * high * wide : (ze - zs) * (ye - ys) * (xe - xs)));
        }
      }
    }
  }
}

/** Bounds of adaptive window `o` of `out` over `size`. */
function adaptiveWindow(o: number, out: number, size: number): [number, number] {
  return [Math.floor((o * size) / out), Math.ceil(((o + 1) * size) / out)];
}

/** Adaptive average pooling; `round` after every operation where the sum is kept in a narrow type. */
export function adaptiveAverage(
  x: ArrayLike<number>,
  out: Float64Array | Float32Array,
  planes: number,
  input: Triple,
  output: Triple,
  round?: (x: number) => number,
): void {
  if (!round && output.every((size) => size === 1)) {
    planeMeans(x, out, planes, input[0] * input[1] * input[2]);
    return;
  }
  eachAdaptiveWindow(planes, input, output, (at, base, z, y, w) => {
    let sum = 0;
    for (let a = z[0]; a < z[1]; a++) {
      for (let b = y[0]; b < y[1]; b++) {
        const row = base + (a * input[1] + b) * input[2];
        for (let c = w[0]; c < w[1]; c++) sum = round ? round(sum + x[row + c]!) : sum + x[row + c]!;
      }
    }
    if (round) {
      out[at] = round(round(round(sum / (z[1] - z[0])) / (y[1] - y[0])) / (w[1] - w[0]));
      return;
    }
    out[at] = sum / ((z[1] - z[0]) * (y[1] - y[0]) * (w[1] - w[0]));
  });
}

/** The mean of every plane, by four sums that do not wait for each other. */
function planeMeans(x: ArrayLike<number>, out: Float64Array | Float32Array, planes: number, plane: number): void {
  if (x instanceof Float32Array && out instanceof Float64Array && wasmReduce("sum", x, 0, planes, plane, 1, out)) {
    for (let n = 0; n < planes; n++) out[n]! /= plane;
    return;
  }
  for (let n = 0, at = 0; n < planes; n++) {
    const end = at + plane;
    let [a, b, c, d] = [0, 0, 0, 0];
    for (; at + 4 <= end; at += 4) {
      a += x[at]!;
      b += x[at + 1]!;
      c += x[at + 2]!;
      d += x[at + 3]!;
    }
    for (; at < end; at++) a += x[at]!;
    out[n] = (a + b + (c + d)) / plane;
  }
}

/** Adaptive maximum pooling with indices within the plane. */
export function adaptiveMax(
  x: ArrayLike<number>,
  out: Float64Array | Float32Array,
  indices: Float64Array,
  planes: number,
  input: Triple,
  output: Triple,
): void {
  eachAdaptiveWindow(planes, input, output, (at, base, z, y, w) => {
    let best = -Infinity;
    let bestAt = (z[0] * input[1] + y[0]) * input[2] + w[0];
    for (let a = z[0]; a < z[1]; a++) {
      for (let b = y[0]; b < y[1]; b++) {
        const row = (a * input[1] + b) * input[2];
        for (let c = w[0]; c < w[1]; c++) {
          const v = x[base + row + c]!;
          if (v > best || v !== v) {
            best = v;
            bestAt = row + c;
          }
        }
      }
    }
    out[at] = best;
    indices[at] = bestAt;
  });
}

type Span = [number, number];

function eachAdaptiveWindow(
  planes: number,
  input: Triple,
  output: Triple,
  visit: (at: number, base: number, z: Span, y: Span, x: Span) => void,
): void {
  const plane = input[0] * input[1] * input[2];
  let at = 0;
  for (let n = 0; n < planes; n++) {
    for (let oz = 0; oz < output[0]; oz++) {
      const z = adaptiveWindow(oz, output[0], input[0]);
      for (let oy = 0; oy < output[1]; oy++) {
        const y = adaptiveWindow(oy, output[1], input[1]);
        for (let ox = 0; ox < output[2]; ox++) visit(at++, n * plane, z, y, adaptiveWindow(ox, output[2], input[2]));
      }
    }
  }
}
