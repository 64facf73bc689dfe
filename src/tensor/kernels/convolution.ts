/** @file Convolution and transposed convolution of (N, C, D, H, W) arrays; 1-d and 2-d come with sizes of 1. Upstream: aten/src/ATen/native/ConvolutionMM2d.cpp, NaiveConvolutionTranspose3d.cpp. Spec: none. */
import { DTYPES } from "../dtype.ts";
import type { Tensor } from "../tensor.ts";
import { floatsAs, floatsOf, type Floats } from "./data.ts";
import { rowProductFor, transposed } from "./gemm.ts";
import { wasmConvolve } from "./wasm/convolution.ts";
import { affinePairs, PLAIN_FINISH } from "./wasm/finish.ts";
import { Weights } from "./wasm/packed_weights.ts";
import { wasmConvolveTransposed } from "./wasm/transposed_convolution.ts";

/** Three numbers: depth, height, width. */
export type Triple = readonly [number, number, number];

/** Everything about a convolution except the data. */
export interface ConvGeometry {
  readonly batch: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly groups: number;
  readonly input: Triple;
  readonly kernel: Triple;
  readonly output: Triple;
  readonly stride: Triple;
  readonly padding: Triple;
  readonly dilation: Triple;
}

function makeLike(values: Floats, count: number): Floats {
  return values instanceof Float32Array ? new Float32Array(count) : new Float64Array(count);
}

/** Rows of the column matrix that are made at a time, so that it stays small. */
const COLUMN_ELEMENTS = 1 << 20;

/** out (N, O, ...) = x (N, C, ...) convolved with w (O, C / groups, ...). */
export function convolve(x: Floats, w: Floats, out: Floats, g: ConvGeometry): void {
  const isF32 = x instanceof Float32Array && w instanceof Float32Array && out instanceof Float32Array;
  if (isF32 && wasmConvolve(x, Weights.ofArray(w), out, g)) return;
  const inPlane = g.input[0] * g.input[1] * g.input[2];
  const outPlane = g.output[0] * g.output[1] * g.output[2];
  const inPer = g.inChannels / g.groups;
  const outPer = g.outChannels / g.groups;
  const taps = g.kernel[0] * g.kernel[1] * g.kernel[2];
  const k = inPer * taps;
  if (inPer === 1 && outPer <= 2) {
    depthwise(x, w, out, g);
    return;
  }
  const product = rowProductFor(x);
  const isPointwise = taps === 1 && g.stride.every((s) => s === 1) && g.padding.every((p) => p === 0);
  const chunk = Math.max(1, Math.min(outPlane, Math.floor(COLUMN_ELEMENTS / Math.max(k, 1))));
  const columns = makeLike(x, chunk * k);
  for (let n = 0; n < g.batch; n++) {
    for (let group = 0; group < g.groups; group++) {
      const source = (n * g.inChannels + group * inPer) * inPlane;
      const target = (n * g.outChannels + group * outPer) * outPlane;
      for (let p0 = 0; p0 < outPlane; p0 += chunk) {
        const count = Math.min(chunk, outPlane - p0);
        if (isPointwise) gatherPoints(x, source, inPlane, inPer, p0, count, columns);
        else gatherColumns(x, source, inPer, p0, count, columns, g);
        product(w, group * outPer * k, k, columns, 0, k, out, target + p0, outPlane, outPer, count, k);
      }
    }
  }
}

/** Convolution or transposed convolution plus the bias of every channel, by the kernels for float32; all of `out` is written. False where others are to run. */
export function convolveFloats(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  out: Tensor,
  g: ConvGeometry,
  isTransposed: boolean,
): boolean {
  const isPlain = weight.dtype === DTYPES.float32 && weight.isContiguous() && !weight.isNeg;
  if (!isPlain || input.dtype !== DTYPES.float32) return false;
  const [x, y] = [floatsAs(input, DTYPES.float32), floatsOf(out)] as [Float32Array, Float32Array];
  const shift = bias ? floatsAs(bias, DTYPES.float32) : undefined;
  if (isTransposed) return wasmConvolveTransposed(x, Weights.of(weight), y, g, shift);
  const finish = shift ? { ...PLAIN_FINISH, affine: affinePairs(g.outChannels, undefined, shift) } : PLAIN_FINISH;
  return wasmConvolve(x, Weights.of(weight), y, g, finish);
}

function gatherPoints(
  x: Floats,
  source: number,
  plane: number,
  channels: number,
  p0: number,
  count: number,
  columns: Floats,
): void {
  for (let c = 0; c < channels; c++) {
    const from = source + c * plane + p0;
    for (let p = 0, at = c; p < count; p++, at += channels) columns[at] = x[from + p]!;
  }
}

/** One row per output position: the inputs under the kernel, channel by channel. */
function gatherColumns(
  x: Floats,
  source: number,
  channels: number,
  p0: number,
  count: number,
  columns: Floats,
  g: ConvGeometry,
): void {
  const [id, ih, iw] = g.input;
  const [kd, kh, kw] = g.kernel;
  const [, oh, ow] = g.output;
  const [sd, sh, sw] = g.stride;
  const [pd, ph, pw] = g.padding;
  const [dd, dh, dw] = g.dilation;
  const plane = id * ih * iw;
  let at = 0;
  for (let p = p0; p < p0 + count; p++) {
    const ox = p % ow;
    const oy = Math.floor(p / ow) % oh;
    const oz = Math.floor(p / (ow * oh));
    const x0 = ox * sw - pw;
    const y0 = oy * sh - ph;
    const z0 = oz * sd - pd;
    const inside = dw === 1 && x0 >= 0 && x0 + kw <= iw;
    for (let c = 0; c < channels; c++) {
      const base = source + c * plane;
      for (let a = 0; a < kd; a++) {
        const z = z0 + a * dd;
        for (let b = 0; b < kh; b++) {
          const y = y0 + b * dh;
          if (z < 0 || z >= id || y < 0 || y >= ih) {
            for (let e = 0; e < kw; e++) columns[at++] = 0;
            continue;
          }
          const row = base + (z * ih + y) * iw + x0;
          if (inside) {
            for (let e = 0; e < kw; e++) columns[at++] = x[row + e]!;
          } else {
            for (let e = 0, px = x0, q = row; e < kw; e++, px += dw, q += dw)
              columns[at++] = px >= 0 && px < iw ? x[q]! : 0;
          }
        }
      }
    }
  }
}

function depthwise(x: Floats, w: Floats, out: Floats, g: ConvGeometry): void {
  const [id, ih, iw] = g.input;
  const [kd, kh, kw] = g.kernel;
  const [od, oh, ow] = g.output;
  const [sd, sh, sw] = g.stride;
  const [pd, ph, pw] = g.padding;
  const [dd, dh, dw] = g.dilation;
  const outPer = g.outChannels / g.groups;
  const taps = kd * kh * kw;
  let at = 0;
  for (let n = 0; n < g.batch; n++) {
    for (let o = 0; o < g.outChannels; o++) {
      const source = (n * g.inChannels + Math.floor(o / outPer)) * id * ih * iw;
      const weights = o * taps;
      for (let oz = 0; oz < od; oz++) {
        for (let oy = 0; oy < oh; oy++) {
          for (let ox = 0; ox < ow; ox++) {
            let sum = 0;
            for (let a = 0; a < kd; a++) {
              const z = oz * sd - pd + a * dd;
              if (z < 0 || z >= id) continue;
              for (let b = 0; b < kh; b++) {
                const y = oy * sh - ph + b * dh;
                if (y < 0 || y >= ih) continue;
                const row = source + (z * ih + y) * iw;
                const tap = weights + (a * kh + b) * kw;
                let px = ox * sw - pw;
                for (let e = 0; e < kw; e++, px += dw) {
                  if (px >= 0 && px < iw) sum += w[tap + e]! * x[row + px]!;
                }
              }
            }
            out[at++] = sum;
          }
        }
      }
    }
  }
}

/** dw (O, C / groups, ...) += the gradient of `convolve` with respect to its weight, given that of its result. */
export function convolveWeightGradient(x: Floats, grad: Floats, dw: Floats, g: ConvGeometry): void {
  const inPlane = g.input[0] * g.input[1] * g.input[2];
  const outPlane = g.output[0] * g.output[1] * g.output[2];
  const inPer = g.inChannels / g.groups;
  const outPer = g.outChannels / g.groups;
  const k = inPer * g.kernel[0] * g.kernel[1] * g.kernel[2];
  const product = rowProductFor(x);
  const columns = makeLike(x, outPlane * k);
  const part = makeLike(x, outPer * k);
  for (let n = 0; n < g.batch; n++) {
    for (let group = 0; group < g.groups; group++) {
      gatherColumns(x, (n * g.inChannels + group * inPer) * inPlane, inPer, 0, outPlane, columns, g);
      product(
        grad,
        (n * g.outChannels + group * outPer) * outPlane,
        outPlane,
        transposed(columns, 0, outPlane, k),
        0,
        outPlane,
        part,
        0,
        k,
        outPer,
        k,
        outPlane,
      );
      const to = group * outPer * k;
      for (let i = 0; i < part.length; i++) dw[to + i] = dw[to + i]! + part[i]!;
    }
  }
}

/**
 * out (N, O, ...), which is zero, = x (N, C, ...) convolved, transposed, with w (C, O / groups, ...); `input` is x's size. With `round`, the product
 * and each step of the sum over the kernel's points are rounded: a narrow dtype without a wide accumulator.
 */
export function convolveTransposed(
  x: Floats,
  w: Floats,
  out: Floats,
  g: ConvGeometry,
  round?: (value: number) => number,
): void {
  const isF32 = x instanceof Float32Array && w instanceof Float32Array && out instanceof Float32Array;
  if (isF32 && !round && wasmConvolveTransposed(x, Weights.ofArray(w), out, g, undefined)) return;
  const inPlane = g.input[0] * g.input[1] * g.input[2];
  const outPlane = g.output[0] * g.output[1] * g.output[2];
  const inPer = g.inChannels / g.groups;
  const outPer = g.outChannels / g.groups;
  const taps = g.kernel[0] * g.kernel[1] * g.kernel[2];
  const rows = outPer * taps;
  const product = rowProductFor(x);
  const columns = makeLike(x, rows * inPlane);
  for (let group = 0; group < g.groups; group++) {
    const weights = transposed(w, group * inPer * rows, inPer, rows);
    for (let n = 0; n < g.batch; n++) {
      const points = transposed(x, (n * g.inChannels + group * inPer) * inPlane, inPer, inPlane);
      product(weights, 0, inPer, points, 0, inPer, columns, 0, inPlane, rows, inPlane, inPer);
      if (round) for (let i = 0; i < columns.length; i++) columns[i] = round(columns[i]!);
      scatterColumns(columns, out, (n * g.outChannels + group * outPer) * outPlane, outPer, g, round);
    }
  }
}

function scatterColumns(
  columns: Floats,
  out: Floats,
  target: number,
  channels: number,
  g: ConvGeometry,
  round: ((value: number) => number) | undefined,
): void {
  const [id, ih, iw] = g.input;
  const [kd, kh, kw] = g.kernel;
  const [od, oh, ow] = g.output;
  const [sd, sh, sw] = g.stride;
  const [pd, ph, pw] = g.padding;
  const [dd, dh, dw] = g.dilation;
  let at = 0;
  for (let c = 0; c < channels; c++) {
    const base = target + c * od * oh * ow;
    for (let a = 0; a < kd; a++) {
      for (let b = 0; b < kh; b++) {
        for (let e = 0; e < kw; e++) {
          for (let z = 0; z < id; z++) {
            const oz = z * sd - pd + a * dd;
            for (let y = 0; y < ih; y++) {
              const oy = y * sh - ph + b * dh;
              if (oz < 0 || oz >= od || oy < 0 || oy >= oh) {
                at += iw;
                continue;
              }
              const row = base + (oz * oh + oy) * ow;
              let ox = e * dw - pw;
              if (round) {
                for (let px = 0; px < iw; px++, ox += sw, at++)
                  if (ox >= 0 && ox < ow) out[row + ox] = round(out[row + ox]! + columns[at]!);
                continue;
              }
              for (let px = 0; px < iw; px++, ox += sw, at++) {
                if (ox >= 0 && ox < ow) out[row + ox] = out[row + ox]! + columns[at]!;
              }
            }
          }
        }
      }
    }
  }
}
