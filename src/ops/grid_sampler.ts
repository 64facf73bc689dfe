/** @file Sampling images and volumes at the points of a grid. Upstream: aten/src/ATen/native/GridSampler.cpp, GridSamplerUtils.h. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { convertTensor } from "../tensor/clone.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { roundToBfloat16, roundToHalf } from "../tensor/half.ts";
import { computeDtype, floatsAs, floatsOf, type Floats } from "../tensor/kernels/data.ts";
import { notImplemented } from "../tensor/pointwise.ts";
import { numelOf } from "../tensor/strides.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { formatList } from "../tensor/view_geometry.ts";
import { requireDtype } from "./operands.ts";

const NEAREST = 1;
const BICUBIC = 2;
const ZEROS = 0;
const BORDER = 1;

/** Rounds to the dtype in which PyTorch computes positions: the input's own. */
type Round = (x: number) => number;

function roundingOf(input: Tensor): Round {
  if (input.dtype === DTYPES.float16) return roundToHalf;
  if (input.dtype === DTYPES.bfloat16) return roundToBfloat16;
  return input.dtype === DTYPES.float32 ? Math.fround : (x) => x;
}

/** A grid coordinate in [-1, 1] as a position in pixels. */
function unnormalize(x: number, size: number, align: boolean, round: Round): number {
  return align ? round(round(round(x + 1) / 2) * (size - 1)) : round(round(round(round(x + 1) * size) - 1) / 2);
}

/** Folds a position back between two borders (given doubled, as the half-pixel ones are not integers). */
function reflect(x: number, twiceLow: number, twiceHigh: number): number {
  if (twiceLow === twiceHigh) return 0;
  const low = twiceLow / 2;
  const span = (twiceHigh - twiceLow) / 2;
  const distance = Math.abs(x - low);
  const extra = distance % span;
  return Math.floor(distance / span) % 2 === 0 ? extra + low : span - extra + low;
}

function clip(x: number, size: number): number {
  // NaN becomes 0, as std::min and std::max leave it
  return Math.min(size - 1, x > 0 ? x : 0);
}

/** Applies the padding mode to a position. */
function padded(x: number, size: number, padding: number, align: boolean): number {
  if (padding === ZEROS) return x;
  if (padding === BORDER) return clip(x, size);
  return clip(align ? reflect(x, 0, 2 * (size - 1)) : reflect(x, -1, 2 * size - 1), size);
}

function roundEven(x: number): number {
  const r = Math.round(x);
  return r - x === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

/** The four taps of a dimension in bicubic mode: indices (padded one by one) and weights, rounded at every step. */
function cubicLine(
  coordinate: number,
  size: number,
  padding: number,
  align: boolean,
  round: Round,
): { index: number[]; weight: number[] } {
  const raw = unnormalize(coordinate, size, align, round);
  const low = Math.floor(raw);
  const t = round(raw - low);
  const a = -0.75;
  const near = (x: number): number => round(round(round(round((a + 2) * x) - (a + 3)) * x) * x) + 1;
  const far = (x: number): number => round(round(round(round(round(round(a * x) - 5 * a) * x) + 8 * a) * x) - 4 * a);
  const u = round(1 - t);
  return {
    index: [0, 1, 2, 3].map((k) => Math.trunc(padded(low - 1 + k, size, padding, align))),
    weight: [far(round(t + 1)), round(near(t)), round(near(u)), far(round(u + 1))],
  };
}

/** `channels` planes from plane `first` on at all points of an image, in bicubic mode. */
function sampleCubic(
  out: Floats,
  x: Floats,
  first: number,
  channels: number,
  grid: Floats,
  from: number,
  points: number,
  sizes: readonly number[],
  padding: number,
  align: boolean,
  round: Round,
): void {
  const [height, width] = sizes as [number, number];
  for (let p = 0; p < points; p++) {
    const ys = cubicLine(grid[from + 2 * p + 1]!, height, padding, align, round);
    const xs = cubicLine(grid[from + 2 * p]!, width, padding, align, round);
    for (let c = first; c < first + channels; c++) {
      const base = c * height * width;
      const value = (y: number, w: number): number =>
        y >= 0 && y < height && w >= 0 && w < width ? x[base + y * width + w]! : 0;
      const mix = (v: readonly number[], weight: readonly number[]): number => {
        let sum = round(v[0]! * weight[0]!);
        for (let k = 1; k < 4; k++) sum = round(sum + round(v[k]! * weight[k]!));
        return sum;
      };
      out[c * points + p] = mix(
        ys.index.map((y) =>
          mix(
            xs.index.map((w) => value(y, w)),
            xs.weight,
          ),
        ),
        ys.weight,
      );
    }
  }
}

/** What the points of one image read: the position of each corner in its plane, -1 outside, and the corner's weight; point by point. */
interface Corners {
  readonly each: number;
  readonly at: Int32Array;
  readonly weight: Float64Array;
}

/** The corners of `points` points whose coordinates, last dimension first, start at `from` in the grid. */
function cornersOf(
  grid: Floats,
  from: number,
  points: number,
  sizes: readonly number[],
  mode: number,
  padding: number,
  align: boolean,
  round: Round,
): Corners {
  const dims = sizes.length;
  const each = mode === NEAREST ? 1 : 1 << dims;
  const at = new Int32Array(points * each);
  const weight = new Float64Array(points * each).fill(1);
  for (let p = 0; p < points; p++) {
    const first = p * each;
    for (let d = 0; d < dims; d++) {
      const size = sizes[d]!;
      const raw = unnormalize(grid[from + p * dims + (dims - 1 - d)]!, size, align, round);
      const x = padded(raw, size, padding, align);
      const low = mode === NEAREST ? roundEven(x) : Math.floor(x);
      const far = round(x - low);
      const near = round(low + 1 - x);
      for (let k = 0; k < each; k++) {
        // bits of a corner's number, first dimension first, say where it is the far one
        const isFar = (k >> (dims - 1 - d)) & 1;
        const index = low + isFar;
        const isInside = index >= 0 && index < size && at[first + k]! >= 0;
        at[first + k] = isInside ? at[first + k]! * size + index : -1;
        if (mode !== NEAREST) weight[first + k] = weight[first + k]! * (isFar ? far : near);
      }
    }
  }
  return { each, at, weight };
}

/** Planes that are sampled together: what is known of a point is read once for all, and they stay in the second-level cache. */
const TOGETHER = 8;

/** `count` planes of `size` elements, the first one at `from`, at all points: sums of their elements at the corners. */
function samplePlanes(
  out: Floats,
  to: number,
  x: Floats,
  from: number,
  size: number,
  count: number,
  { each, at, weight }: Corners,
): void {
  const points = at.length / each;
  for (let p = 0, i = 0; p < points; p++, i += each) {
    if (each === 4) {
      const [a, b, c, d] = [at[i]!, at[i + 1]!, at[i + 2]!, at[i + 3]!];
      // images: a point with all four corners inside needs no questions
      if ((a | b | c | d) >= 0) {
        const [wa, wb, wc, wd] = [weight[i]!, weight[i + 1]!, weight[i + 2]!, weight[i + 3]!];
        for (let k = 0, q = from, o = to + p; k < count; k++, q += size, o += points)
          out[o] = 0 + wa * x[q + a]! + wb * x[q + b]! + wc * x[q + c]! + wd * x[q + d]!;
        continue;
      }
    }
    for (let k = 0, q = from, o = to + p; k < count; k++, q += size, o += points) {
      let sum = 0;
      for (let j = i; j < i + each; j++) if (at[j]! >= 0) sum += weight[j]! * x[q + at[j]!]!;
      out[o] = sum;
    }
  }
}

function sample(input: Tensor, grid: Tensor, mode: number, padding: number, align: boolean): Tensor {
  const dims = input.ndim - 2;
  if (input.ndim !== grid.ndim || dims < 2 || dims > 3) {
    throw new OperatorError(
      `grid_sampler(): expected ${dims === 3 ? "5D" : "4D"} input and grid with same number of dimensions, but got input with sizes ${formatList(input.sizes)} and grid with sizes ${formatList(grid.sizes)}`,
    );
  }
  if (input.sizes[0] !== grid.sizes[0]) {
    throw new OperatorError(
      `grid_sampler(): expected grid and input to have same batch size, but got input with sizes ${formatList(input.sizes)} and grid with sizes ${formatList(grid.sizes)}`,
    );
  }
  if (grid.sizes[grid.ndim - 1] !== dims) {
    throw new OperatorError(
      `grid_sampler(): expected grid to have size ${dims} in last dimension, but got grid with sizes ${formatList(grid.sizes)}`,
    );
  }
  for (let d = 2; d < input.ndim; d++) {
    if (input.sizes[d] === 0) {
      throw new OperatorError(
        `grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes ${formatList(input.sizes)} with dimension ${d} being empty`,
      );
    }
  }
  if (dims === 3 && mode === BICUBIC)
    throw new OperatorError("grid_sampler(): bicubic interpolation only supports 4D input");
  if (input.dtype.category !== "float")
    throw notImplemented(`grid_sampler_${dims}d_cpu${dims === 2 ? "_kernel_impl" : ""}`, input.dtype);
  requireDtype(input.dtype, grid);
  const [batch, channels] = input.sizes as [number, number];
  const sizes = input.sizes.slice(2);
  const outSizes = grid.sizes.slice(1, -1);
  const points = numelOf(outSizes);
  const plane = numelOf(sizes);
  const outDims = [batch, channels, ...outSizes];
  const x = floatsAs(input, computeDtype(input.dtype));
  const g = floatsAs(grid, computeDtype(grid.dtype));
  const result = emptyTensor(outDims, computeDtype(input.dtype));
  const out = floatsOf(result);
  const round = roundingOf(input);
  for (let n = 0; n < batch; n++) {
    const from = n * points * dims;
    if (mode === BICUBIC) {
      sampleCubic(out, x, n * channels, channels, g, from, points, sizes, padding, align, round);
      continue;
    }
    const corners = cornersOf(g, from, points, sizes, mode, padding, align, round);
    for (let c = 0; c < channels; c += TOGETHER) {
      const first = n * channels + c;
      samplePlanes(out, first * points, x, first * plane, plane, Math.min(TOGETHER, channels - c), corners);
    }
  }
  return convertTensor(result, input.dtype);
}

op(
  "aten::grid_sampler(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners) -> Tensor",
  sample,
);
op(
  "aten::grid_sampler_2d(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners) -> Tensor",
  sample,
);
op(
  "aten::grid_sampler_3d(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners) -> Tensor",
  sample,
);
