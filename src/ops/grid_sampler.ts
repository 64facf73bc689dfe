/** @file Sampling images and volumes at the points of a grid. Upstream: aten/src/ATen/native/GridSampler.cpp, GridSamplerUtils.h. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { roundToBfloat16, roundToHalf } from "../tensor/half.ts";
import { doublesOf, fromDoubles } from "../tensor/kernels/data.ts";
import { numelOf } from "../tensor/strides.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { formatList } from "../tensor/view_geometry.ts";

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

/** Corners (index per dimension) and weights of one point. */
interface Stencil {
  readonly index: number[][];
  readonly weight: number[];
}

function stencil(
  point: readonly number[],
  sizes: readonly number[],
  mode: number,
  padding: number,
  align: boolean,
  round: Round,
): Stencil {
  const dims = sizes.length;
  if (mode === NEAREST) {
    return {
      index: [
        point.map((x, d) => roundEven(padded(unnormalize(x, sizes[d]!, align, round), sizes[d]!, padding, align))),
      ],
      weight: [1],
    };
  }
  const perDim: [number, number][][] = [];
  for (let d = 0; d < dims; d++) {
    const size = sizes[d]!;
    const raw = unnormalize(point[d]!, size, align, round);
    {
      const x = padded(raw, size, padding, align);
      const low = Math.floor(x);
      perDim.push([
        [low, round(low + 1 - x)],
        [low + 1, round(x - low)],
      ]);
    }
  }
  let index: number[][] = [[]];
  let weight = [1];
  for (const options of perDim) {
    index = index.flatMap((i) => options.map(([at]) => [...i, at]));
    weight = weight.flatMap((w) => options.map(([, u]) => w * u));
  }
  return { index, weight };
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
  const [batch, channels] = input.sizes as [number, number];
  const sizes = input.sizes.slice(2);
  const outSizes = grid.sizes.slice(1, -1);
  const points = numelOf(outSizes);
  const plane = numelOf(sizes);
  const x = doublesOf(input);
  const g = doublesOf(grid);
  const out = new Float64Array(batch * channels * points);
  const round = roundingOf(input);
  for (let n = 0; n < batch; n++) {
    for (let p = 0; p < points; p++) {
      // coordinates come last dimension first
      const point = Array.from({ length: dims }, (_, d) => g[(n * points + p) * dims + (dims - 1 - d)]!);
      if (mode === BICUBIC) {
        const ys = cubicLine(point[0]!, sizes[0]!, padding, align, round);
        const xs = cubicLine(point[1]!, sizes[1]!, padding, align, round);
        const width = sizes[1]!;
        for (let c = 0; c < channels; c++) {
          const base = (n * channels + c) * plane;
          const value = (y: number, w: number): number =>
            y >= 0 && y < sizes[0]! && w >= 0 && w < width ? x[base + y * width + w]! : 0;
          const mix = (v: readonly number[], weight: readonly number[]): number => {
            let sum = round(v[0]! * weight[0]!);
            for (let k = 1; k < 4; k++) sum = round(sum + round(v[k]! * weight[k]!));
            return sum;
          };
          out[(n * channels + c) * points + p] = mix(
            ys.index.map((y) =>
              mix(
                xs.index.map((w) => value(y, w)),
                xs.weight,
              ),
            ),
            ys.weight,
          );
        }
        continue;
      }
      const s = stencil(point, sizes, mode, padding, align, round);
      for (let k = 0; k < s.weight.length; k++) {
        const at = s.index[k]!;
        let offset = 0;
        let isInside = true;
        for (let d = 0; d < dims; d++) {
          if (!(at[d]! >= 0 && at[d]! < sizes[d]!)) {
            isInside = false;
            break;
          }
          offset = offset * sizes[d]! + at[d]!;
        }
        if (!isInside) continue;
        for (let c = 0; c < channels; c++) {
          const o = (n * channels + c) * points + p;
          out[o] = out[o]! + s.weight[k]! * x[(n * channels + c) * plane + offset]!;
        }
      }
    }
  }
  return fromDoubles(out, [batch, channels, ...outSizes], input.dtype);
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
