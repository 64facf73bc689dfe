/** @file Resampling of images and volumes: nearest, linear, cubic, antialiased, interpolate. Upstream: aten/src/ATen/native/UpSample*.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { callOperator, op } from "../core/operator_registry.ts";
import { laidOutLike } from "../tensor/clone.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { roundToBfloat16, roundToHalf } from "../tensor/half.ts";
import { computeDtype, doublesOf, floatsAs, floatsOf, fromDoubles } from "../tensor/kernels/data.ts";
import { gatherDim, gatherPlanes } from "../tensor/kernels/gather.ts";
import {
  antialiasTaps,
  applyByteTaps,
  applyTaps,
  cubicTaps,
  linearTaps,
  nearestIndices,
  type Taps,
} from "../tensor/kernels/resample.ts";
import { isResampled, wasmResample } from "../tensor/kernels/wasm/resample.ts";
import { notImplemented } from "../tensor/pointwise.ts";
import { numelOf } from "../tensor/strides.ts";
import { uninitializedTensor, type Tensor } from "../tensor/tensor.ts";
import { formatList } from "../tensor/view_geometry.ts";
import { list } from "./convolution.ts";
import { isReducedFloat } from "./operands.ts";
import { roundingOf } from "./unary.ts";

const NAMES: Readonly<Record<number, readonly string[]>> = { 1: ["W"], 2: ["H", "W"], 3: ["D", "H", "W"] };

function checkSizes(input: Tensor, size: readonly number[], dims: number): void {
  if (size.length !== dims)
    throw new OperatorError(`It is expected output_size equals to ${dims}, but got size ${size.length}`);
  if (input.ndim !== dims + 2) {
    throw new OperatorError(`It is expected input_size equals to ${dims + 2}, but got size ${input.ndim}`);
  }
  const spatial = input.sizes.slice(2);
  if (spatial.some((s) => s <= 0) || size.some((s) => s <= 0)) {
    const text = (v: readonly number[]): string => v.map((s, i) => `${NAMES[dims]![i]}: ${s}`).join(", ");
    throw new OperatorError(
      `Input and output sizes should be greater than 0, but got input (${text(spatial)}) output (${text(size)})`,
    );
  }
  if (input.sizes.slice(1).some((s) => s === 0)) {
    throw new OperatorError(
      `Non-empty ${dims + 2}D data tensor expected but got a tensor with sizes ${formatList(input.sizes)}`,
    );
  }
}

/** Of taps that are alone. */
const NO_WEIGHTS = new Float64Array(0);

type Scales = readonly (number | null)[];

function nearest(input: Tensor, size: readonly number[], scales: Scales, isExact: boolean): Tensor {
  return laidOutLike(nearestElements(input, size, scales, isExact), input);
}

function nearestElements(input: Tensor, size: readonly number[], scales: Scales, isExact: boolean): Tensor {
  const dims = size.length;
  checkSizes(input, size, dims);
  if (input.dtype.category !== "float" && input.dtype !== DTYPES.uint8 && input.dtype.category !== "quantized") {
    throw notImplemented(
      dims === 1 ? "compute_indices_weights_nearest" : `upsample_nearest${dims}d_channels_last`,
      input.dtype,
    );
  }
  const rule = isExact ? "exact" : isVectorised(input, size) ? "legacyVectorised" : "legacy";
  const indices = size.map((s, d) => nearestIndices(input.sizes[d + 2]!, s, scales[d] ?? null, rule));
  const columns = indices.at(-1)!;
  const taps = indices.map((index) => ({ count: index.length, taps: 1, index, weight: NO_WEIGHTS }));
  const result = input.dtype === DTYPES.float32 && dims <= 2 ? resampleFloats(input, taps) : undefined;
  if (result) return result;
  if (dims === 1)
    return gatherPlanes(
      input,
      Int32Array.from({ length: input.sizes[1]! }, (_, c) => c),
      columns,
    );
  return gatherPlanes(dims === 3 ? gatherDim(input, 2, indices[0]!) : input, indices.at(-2)!, columns);
}

/** `resample` of float32 rows or planes by the kernels; undefined where the reference is to run. */
function resampleFloats(input: Tensor, taps: readonly Taps[]): Tensor | undefined {
  const [rows, columns] = taps.length === 2 ? [taps[0], taps[1]!] : [undefined, taps[0]!];
  const out = [...input.sizes.slice(0, 2), ...taps.map((t) => t.count)];
  if (!isResampled(columns, numelOf(out))) return undefined;
  const [height, width] = [rows ? input.sizes[2]! : 1, input.sizes.at(-1)!];
  const result = uninitializedTensor(out);
  const planes = input.sizes[0]! * input.sizes[1]!;
  const [x, values] = [floatsAs(input, DTYPES.float32), floatsOf(result)] as [Float32Array, Float32Array];
  return wasmResample(x, values, planes, height, width, rows, columns) ? result : undefined;
}

/** Names of PyTorch's kernels. */
const WEIGHTED = "compute_indices_weights_linear";
const SMOOTHED = "compute_index_ranges_weights";

type TapMaker = (input: number, output: number, scale: number | null, round: (x: number) => number) => Taps;

function resample(input: Tensor, size: readonly number[], scales: Scales, name: string, make: TapMaker): Tensor {
  return laidOutLike(weightedSums(input, size, scales, name, make), input);
}

function weightedSums(input: Tensor, size: readonly number[], scales: Scales, name: string, make: TapMaker): Tensor {
  const dims = size.length;
  checkSizes(input, size, dims);
  // of bytes there are kernels of images, of halves none that smooth
  const isByte = input.dtype === DTYPES.uint8 && dims === 2;
  const isTaken =
    isByte ||
    input.dtype.category === "quantized" ||
    (input.dtype.category === "float" && !(name === SMOOTHED && isReducedFloat(input.dtype)));
  if (!isTaken) throw notImplemented(name, input.dtype);
  // bytes are resampled by weights of 16 bits that are made of doubles
  const round = isByte || computeDtype(input.dtype) === DTYPES.float64 ? (x: number): number => x : Math.fround;
  const taps = size.map((s, d) => make(input.sizes[d + 2]!, s, scales[d] ?? null, round));
  const result = input.dtype === DTYPES.float32 && dims <= 2 ? resampleFloats(input, taps) : undefined;
  if (result) return result;
  let values: ArrayLike<number> = doublesOf(input);
  const sizes = [...input.sizes];
  for (let d = dims - 1; d >= 0; d--) {
    const from = sizes[d + 2]!;
    if (isByte && from === size[d]) continue;
    values = (isByte ? applyByteTaps : applyTaps)(
      values,
      numelOf(sizes.slice(0, d + 2)),
      from,
      numelOf(sizes.slice(d + 3)),
      taps[d]!,
    );
    sizes[d + 2] = size[d]!;
  }
  return fromDoubles(values, sizes, input.dtype);
}

function linear(dims: number, input: Tensor, size: readonly number[], align: boolean, scales: Scales): Tensor {
  const name = dims === 1 ? WEIGHTED : dims === 2 ? "upsample_bilinear2d_channels_last" : WEIGHTED;
  const narrow = narrowWeights(input, size);
  return resample(input, size, scales, name, (i, o, s, round) => {
    const taps = linearTaps(i, o, align, s, round);
    if (narrow) {
      for (let k = 0; k < taps.weight.length; k += 2) {
        taps.weight[k + 1] = narrow(taps.weight[k + 1]!);
        taps.weight[k] = narrow(1 - taps.weight[k + 1]!);
      }
    }
    return taps;
  });
}

/** Whether PyTorch runs its vectorised kernels, for small planes and channels last: they differ from the general ones. */
function isVectorised(input: Tensor, size: readonly number[]): boolean {
  const lastIsDense =
    input.ndim > 3 && input.strides[1] === 1 && input.sizes[1]! > 3 && input.strides[input.ndim - 1] === input.sizes[1];
  return lastIsDense || (size.length === 2 && size[0]! + size[1]! <= 128);
}

/** PyTorch's general kernel keeps the weights in the input's dtype, its vectorised one in float32. */
function narrowWeights(input: Tensor, size: readonly number[]): ((x: number) => number) | undefined {
  const round =
    input.dtype === DTYPES.bfloat16 ? roundToBfloat16 : input.dtype === DTYPES.float16 ? roundToHalf : undefined;
  return round && isVectorised(input, size) ? undefined : round;
}

function cubic(input: Tensor, size: readonly number[], align: boolean, scales: Scales): Tensor {
  const narrow = isReducedFloat(input.dtype) ? roundingOf(input.dtype) : undefined;
  return resample(input, size, scales, "compute_indices_weights_cubic", (i, o, s, round) => {
    const taps = cubicTaps(i, o, align, s, round);
    return narrow ? { ...taps, weight: taps.weight.map(narrow) } : taps;
  });
}

function antialias(
  input: Tensor,
  size: readonly number[],
  align: boolean,
  scales: Scales,
  filter: "linear" | "cubic" | "lanczos",
): Tensor {
  return resample(input, size, scales, SMOOTHED, (i, o, s, round) => antialiasTaps(i, o, align, s, filter, round));
}

/** Output size and scales of the `.vec` forms, which take one of the two. */
function vec(input: Tensor, size: number[] | null, factors: number[] | null): [number[], Scales] {
  const dims = input.ndim - 2;
  if (size && !factors) {
    if (size.length !== dims) {
      throw new OperatorError(
        "Expected static_cast<int64_t>(output_size->size()) == spatial_dimensions to be true, but got false.  (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)",
      );
    }
    return [size, []];
  }
  if (!factors || size) throw new OperatorError("Must specify exactly one of output_size and scale_factors");
  if (factors.length !== dims) {
    throw new OperatorError(
      "Expected static_cast<int64_t>(scale_factors->size()) == spatial_dimensions to be true, but got false.  (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)",
    );
  }
  return [factors.map((f, d) => Math.floor(input.sizes[d + 2]! * f)), factors];
}

op("aten::upsample_nearest1d(Tensor self, SymInt[1] output_size, float? scales=None) -> Tensor", (self, size, s) =>
  nearest(self, list(size), [s], false),
);
op(
  "aten::upsample_nearest1d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
  (x, size, f) => nearest(x, ...vec(x, size, f), false),
);
op(
  "aten::upsample_nearest2d(Tensor self, SymInt[2] output_size, float? scales_h=None, float? scales_w=None) -> Tensor",
  (self, size, h, w) => nearest(self, list(size), [h, w], false),
);
op(
  "aten::upsample_nearest2d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
  (x, size, f) => nearest(x, ...vec(x, size, f), false),
);
op(
  "aten::upsample_nearest3d(Tensor self, SymInt[3] output_size, float? scales_d=None, float? scales_h=None, float? scales_w=None) -> Tensor",
  (self, size, d, h, w) => nearest(self, list(size), [d, h, w], false),
);
op(
  "aten::upsample_nearest3d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
  (x, size, f) => nearest(x, ...vec(x, size, f), false),
);
op(
  "aten::_upsample_nearest_exact1d(Tensor self, SymInt[1] output_size, float? scales=None) -> Tensor",
  (self, size, s) => nearest(self, list(size), [s], true),
);
op(
  "aten::_upsample_nearest_exact1d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
  (x, size, f) => nearest(x, ...vec(x, size, f), true),
);
op(
  "aten::_upsample_nearest_exact2d(Tensor self, SymInt[2] output_size, float? scales_h=None, float? scales_w=None) -> Tensor",
  (self, size, h, w) => nearest(self, list(size), [h, w], true),
);
op(
  "aten::_upsample_nearest_exact2d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
  (x, size, f) => nearest(x, ...vec(x, size, f), true),
);
op(
  "aten::_upsample_nearest_exact3d(Tensor self, SymInt[3] output_size, float? scales_d=None, float? scales_h=None, float? scales_w=None) -> Tensor",
  (self, size, d, h, w) => nearest(self, list(size), [d, h, w], true),
);
op(
  "aten::_upsample_nearest_exact3d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor",
  (x, size, f) => nearest(x, ...vec(x, size, f), true),
);

op(
  "aten::upsample_linear1d(Tensor self, SymInt[1] output_size, bool align_corners, float? scales=None) -> Tensor",
  (self, size, align, s) => linear(1, self, list(size), align, [s]),
);
op(
  "aten::upsample_linear1d.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? scale_factors) -> Tensor",
  (x, size, align, f) => {
    const [out, scales] = vec(x, size, f);
    return linear(1, x, out, align, scales);
  },
);
op(
  "aten::upsample_bilinear2d(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor",
  (self, size, align, h, w) => linear(2, self, list(size), align, [h, w]),
);
op(
  "aten::upsample_bilinear2d.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? scale_factors) -> Tensor",
  (x, size, align, f) => {
    const [out, scales] = vec(x, size, f);
    return linear(2, x, out, align, scales);
  },
);
op(
  "aten::upsample_trilinear3d(Tensor self, SymInt[3] output_size, bool align_corners, float? scales_d=None, float? scales_h=None, float? scales_w=None) -> Tensor",
  (self, size, align, d, h, w) => linear(3, self, list(size), align, [d, h, w]),
);
op(
  "aten::upsample_trilinear3d.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? scale_factors) -> Tensor",
  (x, size, align, f) => {
    const [out, scales] = vec(x, size, f);
    return linear(3, x, out, align, scales);
  },
);
op(
  "aten::upsample_bicubic2d(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor",
  (self, size, align, h, w) => cubic(self, list(size), align, [h, w]),
);
op(
  "aten::upsample_bicubic2d.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? scale_factors) -> Tensor",
  (x, size, align, f) => {
    const [out, scales] = vec(x, size, f);
    return cubic(x, out, align, scales);
  },
);
op(
  "aten::_upsample_bilinear2d_aa(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor",
  (self, size, align, h, w) => antialias(self, list(size), align, [h, w], "linear"),
);
op(
  "aten::_upsample_bilinear2d_aa.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? scale_factors) -> Tensor",
  (x, size, align, f) => {
    const [out, scales] = vec(x, size, f);
    return antialias(x, out, align, scales, "linear");
  },
);
op(
  "aten::_upsample_bicubic2d_aa(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor",
  (self, size, align, h, w) => antialias(self, list(size), align, [h, w], "cubic"),
);
op(
  "aten::_upsample_bicubic2d_aa.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? scale_factors) -> Tensor",
  (x, size, align, f) => {
    const [out, scales] = vec(x, size, f);
    return antialias(x, out, align, scales, "cubic");
  },
);
op(
  "aten::_upsample_lanczos2d_aa(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor",
  (self, size, align, h, w) => antialias(self, list(size), align, [h, w], "lanczos"),
);
op(
  "aten::_upsample_lanczos2d_aa.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? scale_factors) -> Tensor",
  (x, size, align, f) => {
    const [out, scales] = vec(x, size, f);
    return antialias(x, out, align, scales, "lanczos");
  },
);

/** torch.nn.functional.interpolate, as the TorchScript builtin has it. */
function interpolate(
  input: Tensor,
  size: number | number[] | null,
  factor: number | number[] | null,
  mode: string,
  alignIn: boolean | null,
  recompute: boolean | null,
): Tensor {
  if ((mode === "nearest" || mode === "area") && alignIn !== null) {
    throw new OperatorError(
      "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear",
    );
  }
  const align = alignIn ?? false;
  const dims = input.ndim - 2;
  if ((size === null) === (factor === null)) {
    throw new OperatorError(
      size === null
        ? "either size or scale_factor should be defined"
        : "only one of size or scale_factor should be defined",
    );
  }
  const factors = factor === null ? null : Array.isArray(factor) ? factor : new Array<number>(dims).fill(factor);
  const sizes =
    size === null
      ? factors!.map((f, d) => Math.floor(input.sizes[d + 2]! * f))
      : Array.isArray(size)
        ? size
        : new Array<number>(dims).fill(size);
  const scales: Scales = recompute === true || factors === null ? [] : factors;
  if (mode === "nearest" && dims >= 1 && dims <= 3) return nearest(input, sizes, scales, false);
  if (mode === "nearest-exact" && dims >= 1 && dims <= 3) return nearest(input, sizes, scales, true);
  if (mode === "area" && dims >= 1 && dims <= 3)
    return callOperator(`aten::adaptive_avg_pool${dims}d`, [input, sizes]) as Tensor;
  const wanted = { linear: 1, bilinear: 2, trilinear: 3, bicubic: 2 }[mode];
  if (wanted === dims)
    return mode === "bicubic" ? cubic(input, sizes, align, scales) : linear(dims, input, sizes, align, scales);
  if (wanted !== undefined && dims >= 1 && dims <= 3) {
    throw new OperatorError(`Got ${input.ndim}D input, but ${mode} mode needs ${wanted + 2}D input`);
  }
  throw new OperatorError(
    `Input Error: Only 3D, 4D and 5D input Tensors supported (got ${input.ndim}D) for the modes: nearest | linear | bilinear | trilinear (got ${mode})`,
  );
}

op(
  'aten::__interpolate.scale_list(Tensor input, int? size=None, float[]? scale_factor=None, str mode="nearest", bool? align_corners=None, bool? recompute_scale_factor=None, bool antialias=False) -> Tensor',
  interpolate,
);
op(
  'aten::__interpolate.size_list_scale_list(Tensor input, int[]? size=None, float[]? scale_factor=None, str mode="nearest", bool? align_corners=None, bool? recompute_scale_factor=None, bool antialias=False) -> Tensor',
  interpolate,
);
op(
  'aten::__interpolate(Tensor input, int? size=None, float? scale_factor=None, str mode="nearest", bool? align_corners=None, bool? recompute_scale_factor=None, bool antialias=False) -> Tensor',
  interpolate,
);
op(
  'aten::__interpolate.size_list(Tensor input, int[]? size=None, float? scale_factor=None, str mode="nearest", bool? align_corners=None, bool? recompute_scale_factor=None, bool antialias=False) -> Tensor',
  interpolate,
);
op(
  'aten::__upsample(Tensor input, int? size=None, int? scale_factor=None, str mode="nearest", bool? align_corners=None) -> Tensor',
  (x, size, f, mode, align) => interpolate(x, size, f, mode, align, null),
);
op(
  'aten::__upsample.size_list(Tensor input, int[]? size=None, int? scale_factor=None, str mode="nearest", bool? align_corners=None) -> Tensor',
  (x, size, f, mode, align) => interpolate(x, size, f, mode, align, null),
);
op("aten::__upsample_nearest(Tensor input, int? size=None, int? scale_factor=None) -> Tensor", (x, size, f) =>
  interpolate(x, size, f, "nearest", null, null),
);
op(
  "aten::__upsample_nearest.size_list(Tensor input, int[]? size=None, int? scale_factor=None) -> Tensor",
  (x, size, f) => interpolate(x, size, f, "nearest", null, null),
);
op("aten::__upsample_bilinear(Tensor input, int? size=None, int? scale_factor=None) -> Tensor", (x, size, f) =>
  interpolate(x, size, f, "bilinear", true, null),
);
op(
  "aten::__upsample_bilinear.size_list(Tensor input, int[]? size=None, int? scale_factor=None) -> Tensor",
  (x, size, f) => interpolate(x, size, f, "bilinear", true, null),
);
op(
  "aten::__upsample_bilinear.scale_list(Tensor input, int? size=None, int[]? scale_factor=None) -> Tensor",
  (x, size, f) => interpolate(x, size, f, "bilinear", true, null),
);
op(
  "aten::__upsample_bilinear.size_list_scale_list(Tensor input, int[]? size=None, int[]? scale_factor=None) -> Tensor",
  (x, size, f) => interpolate(x, size, f, "bilinear", true, null),
);

/** The sampling grid of an affine map: (N, H, W, 2) or (N, D, H, W, 3). */
op("aten::affine_grid_generator(Tensor theta, SymInt[] size, bool align_corners) -> Tensor", (theta, size, align) => {
  if (size.length !== 4 && size.length !== 5) {
    throw new OperatorError("AffineGridGenerator needs 4d (spatial) or 5d (volumetric) inputs.");
  }
  const dims = size.length - 2;
  const spatial = size.slice(2);
  const batch = size[0]!;
  const t = doublesOf(theta);
  const points = numelOf(spatial);
  const out = new Float64Array(batch * points * dims);
  const coordinate = (i: number, n: number): number => {
    if (n <= 1) return 0;
    const x = -1 + (2 * i) / (n - 1);
    return align ? x : (x * (n - 1)) / n;
  };
  let at = 0;
  for (let n = 0; n < batch; n++) {
    for (let p = 0; p < points; p++) {
      const base: number[] = [];
      let rest = p;
      for (let d = dims - 1; d >= 0; d--) {
        base.push(coordinate(rest % spatial[d]!, spatial[d]!));
        rest = Math.floor(rest / spatial[d]!);
      }
      for (let r = 0; r < dims; r++) {
        const row = (n * dims + r) * (dims + 1);
        let sum = t[row + dims]!;
        for (let c = 0; c < dims; c++) sum += t[row + c]! * base[c]!;
        out[at++] = sum;
      }
    }
  }
  return fromDoubles(out, [batch, ...spatial, dims], theta.dtype);
});
