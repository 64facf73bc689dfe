/** @file Normalisation layers: batch, layer, group, instance, RMS. Upstream: aten/src/ATen/native/Normalization.cpp, layer_norm.cpp, group_norm.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { cloneTensor, contiguousAs, convertTensor, laidOutLike } from "../tensor/clone.ts";
import { copyInto } from "../tensor/copy.ts";
import { fromComplexArrays, toComplexArrays } from "../tensor/data.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { roundToBfloat16, roundToHalf } from "../tensor/half.ts";
import { computeDtype, doublesOf, floatsAs, floatsOf, fromDoubles, type Floats } from "../tensor/kernels/data.ts";
import { channelMoments, normalizedGroups, normalizedRows, scalePlanes } from "../tensor/kernels/normalization.ts";
import { MIN_STEPPED, steppedRmsNorm } from "../tensor/kernels/rms_norm.ts";
import { isContiguousIn, suggestMemoryFormat } from "../tensor/memory_format.ts";
import { scalarToNumber } from "../tensor/scalar.ts";
import { numelOf, sameSizes } from "../tensor/strides.ts";
import { emptyTensor, uninitializedTensor, viewOf, type Tensor } from "../tensor/tensor.ts";
import { formatList } from "../tensor/view_geometry.ts";
import { isReducedFloat, requireParameterDtypes } from "./operands.ts";
import { reshapeTensor } from "./views.ts";

/** Statistics of nothing are none. */
function requireElements(input: Tensor): void {
  if (input.numel === 0)
    throw new OperatorError(
      `input tensor must have at least one element, but got input_sizes = ${formatList(input.sizes)}`,
    );
}

function requireFloat(self: Tensor, kernel: string): void {
  if (self.dtype.category !== "float")
    throw new OperatorError(`"${kernel}" not implemented for '${self.dtype.cppName}'`);
}

/** Rows and row length of a normalisation over the last dimensions. */
function normRows(
  input: Tensor,
  shape: readonly number[],
  weight: Tensor | null,
  bias: Tensor | null,
): [number, number] {
  if (shape.length === 0) {
    throw new OperatorError(
      `Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got normalized_shape = ${formatList(shape)}`,
    );
  }
  for (const [name, t] of [
    ["weight", weight],
    ["bias", bias],
  ] as const) {
    if (t && !sameSizes(t.sizes, shape)) {
      throw new OperatorError(
        `Expected ${name} to be of same shape as normalized_shape, but got ${name} of shape ${formatList(t.sizes)} and normalized_shape = ${formatList(shape)}`,
      );
    }
  }
  const axis = input.ndim - shape.length;
  if (axis < 0 || !sameSizes(input.sizes.slice(axis), shape)) {
    throw new OperatorError(
      `Given normalized_shape=${formatList(shape)}, expected input with shape [*, ${shape.join(", ")}], but got input of size${formatList(input.sizes)}`,
    );
  }
  const size = numelOf(shape);
  return [numelOf(input.sizes.slice(0, axis)), size];
}

function layerNorm(
  input: Tensor,
  shape: readonly number[],
  weight: Tensor | null,
  bias: Tensor | null,
  eps: number,
): [Tensor, Tensor, Tensor] {
  const [rows, size] = normRows(input, shape, weight, bias);
  requireParameterDtypes(input, [weight, bias]);
  requireFloat(input, "LayerNormKernelImpl");
  const dtype = computeDtype(input.dtype);
  const out = uninitializedTensor(input.sizes, dtype);
  const parameter = (t: Tensor | null): Floats | undefined => (t ? floatsAs(t, dtype) : undefined);
  const [w, b] = [parameter(weight), parameter(bias)];
  const { mean, rstd } = normalizedRows(floatsAs(input, dtype), floatsOf(out), rows, size, w, b, eps);
  const statSizes = input.sizes.map((s, d) => (d < input.ndim - shape.length ? s : 1));
  const statDtype = weight && weight.dtype !== input.dtype ? weight.dtype : input.dtype;
  return [
    convertTensor(out, input.dtype),
    fromDoubles(mean, statSizes, statDtype),
    fromDoubles(rstd, statSizes, statDtype),
  ];
}

export const layer_norm = op(
  "aten::layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1.0000000000000001e-05, bool cudnn_enable=True) -> Tensor",
  (input, shape, weight, bias, eps) => layerNorm(input, shape, weight, bias, eps)[0],
);
op(
  "aten::native_layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, Tensor? bias, float eps) -> (Tensor, Tensor, Tensor)",
  layerNorm,
);

/** The number of channels. @throws OperatorError where parameters and statistics do not fit it. */
function checkedChannels(
  input: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  training: boolean,
): number {
  const channels = input.sizes[1] ?? 0;
  for (const [name, t] of [
    ["running_mean", runningMean],
    ["running_var", runningVar],
    ["weight", weight],
    ["bias", bias],
  ] as const) {
    if (t && t.numel !== channels)
      throw new OperatorError(`${name} should contain ${channels} elements not ${t.numel}`);
    if (!t && !training && name.startsWith("running"))
      throw new OperatorError(`${name} must be defined in evaluation mode`);
  }
  return channels;
}

/** What a batch normalisation in evaluation mode does to a channel: x * scale + shift. */
export function batchNormAffine(
  input: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  eps: number,
): { scale: Float64Array; shift: Float64Array } {
  checkedChannels(input, weight, bias, runningMean, runningVar, false);
  requireParameterDtypes(input, [weight, bias, runningMean, runningVar]);
  const invstd = Float64Array.from(numbersOf(runningVar!));
  for (let c = 0; c < invstd.length; c++) invstd[c] = 1 / Math.sqrt(invstd[c]! + eps);
  return affineOf(numbersOf(runningMean!), invstd, weight, bias);
}

/** The elements of a real tensor, as they are where that needs no conversion. */
function numbersOf(t: Tensor): Float32Array | Float64Array {
  return t.dtype === DTYPES.float32 && t.isContiguous() && !t.isNeg ? (floatsOf(t) as Float32Array) : doublesOf(t);
}

function affineOf(
  mean: Float32Array | Float64Array,
  invstd: Float64Array,
  weight: Tensor | null,
  bias: Tensor | null,
): { scale: Float64Array; shift: Float64Array } {
  const gamma = weight ? numbersOf(weight) : undefined;
  const beta = bias ? numbersOf(bias) : undefined;
  const scale = new Float64Array(invstd.length);
  const shift = new Float64Array(invstd.length);
  for (let c = 0; c < scale.length; c++) {
    scale[c] = invstd[c]! * (gamma ? gamma[c]! : 1);
    shift[c] = (beta ? beta[c]! : 0) - mean[c]! * scale[c]!;
  }
  return { scale, shift };
}

/** A batch normalisation: [out, save_mean, save_invstd]; updates the running statistics where training. */
export function batchNorm(
  input: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  training: boolean,
  momentum: number,
  eps: number,
): [Tensor, Tensor, Tensor] {
  const channels = checkedChannels(input, weight, bias, runningMean, runningVar, training);
  requireFloat(input, "batch_norm");
  requireParameterDtypes(input, [weight, bias, runningMean, runningVar]);
  const dtype = computeDtype(input.dtype);
  const batch = input.sizes[0]!;
  const plane = numelOf(input.sizes.slice(2));
  const x = floatsAs(input, dtype);
  let mean: Float64Array;
  let invstd: Float64Array;
  if (training) requireElements(input);
  const statDtype =
    weight && weight.dtype !== input.dtype
      ? weight.dtype
      : input.dtype === DTYPES.float16 || input.dtype === DTYPES.bfloat16
        ? (runningMean?.dtype ?? input.dtype)
        : input.dtype;
  let saved: [Tensor, Tensor] = [emptyTensor([0], statDtype), emptyTensor([0], statDtype)];
  if (training) {
    const moments = channelMoments(x, batch, channels, plane);
    mean = moments.mean;
    const count = batch * plane;
    // half types keep the sum of squares, too, in their own precision
    const round =
      statDtype === DTYPES.bfloat16
        ? roundToBfloat16
        : statDtype === DTYPES.float16
          ? roundToHalf
          : (x: number): number => x;
    const sums = moments.variance.map((v) => round(v * count));
    invstd = sums.map((v) => 1 / Math.sqrt(round(v / round(count)) + eps));
    if (runningMean) updateRunning(runningMean, mean, momentum);
    if (runningVar)
      updateRunning(
        runningVar,
        sums.map((v) => round(v / round(count - 1))),
        momentum,
      );
    saved = [fromDoubles(mean, [channels], statDtype), fromDoubles(invstd, [channels], statDtype)];
    // the transform reads the saved statistics, rounded as they are
    mean = Float64Array.from(doublesOf(saved[0]));
    invstd = Float64Array.from(doublesOf(saved[1]));
  } else {
    mean = Float64Array.from(doublesOf(runningMean!));
    invstd = doublesOf(runningVar!).map((v) => 1 / Math.sqrt(v + eps));
  }
  const { scale, shift } = affineOf(mean, invstd, weight, bias);
  const out = uninitializedTensor(input.sizes, dtype);
  scalePlanes(x, floatsOf(out), batch * channels, plane, scale, shift);
  return [laidOutLike(convertTensor(out, input.dtype), input), ...saved];
}

function updateRunning(running: Tensor, value: Float64Array, momentum: number): void {
  const old = doublesOf(running);
  const next = old.map((r, c) => (1 - momentum) * r + momentum * value[c]!);
  copyInto(running, fromDoubles(next, running.sizes, DTYPES.float64));
}

/** `batch_norm` as users call it: a batch without elements comes back as it is, and the running statistics stay. */
function batchNormOrEmpty(...args: Parameters<typeof batchNorm>): [Tensor, Tensor, Tensor] {
  const [input] = args;
  if (input.numel > 0) return batchNorm(...args);
  // torch: the statistics have the type that sums are made in
  const dtype = input.dtype.itemsize < 4 ? DTYPES.float32 : DTYPES.float64;
  const statistic = (): Tensor => emptyTensor([input.sizes[1] ?? 0], dtype);
  return [cloneTensor(input), statistic(), statistic()];
}

export const batch_norm = op(
  "aten::batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps, bool cudnn_enabled) -> Tensor",
  (input, weight, bias, mean, variance, training, momentum, eps) =>
    batchNormOrEmpty(input, weight, bias, mean, variance, training, momentum, eps)[0],
);
op(
  "aten::native_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps) -> (Tensor, Tensor, Tensor)",
  batchNorm,
);
op(
  "aten::_native_batch_norm_legit(Tensor input, Tensor? weight, Tensor? bias, Tensor(a!) running_mean, Tensor(b!) running_var, bool training, float momentum, float eps) -> (Tensor, Tensor, Tensor)",
  batchNorm,
);
op(
  "aten::_native_batch_norm_legit.no_stats(Tensor input, Tensor? weight, Tensor? bias, bool training, float momentum, float eps) -> (Tensor, Tensor, Tensor)",
  (input, weight, bias, training, momentum, eps) => batchNorm(input, weight, bias, null, null, training, momentum, eps),
);
op(
  "aten::_native_batch_norm_legit_no_training(Tensor input, Tensor? weight, Tensor? bias, Tensor running_mean, Tensor running_var, float momentum, float eps) -> (Tensor, Tensor, Tensor)",
  (input, weight, bias, mean, variance, momentum, eps) =>
    batchNorm(input, weight, bias, mean, variance, false, momentum, eps),
);
op(
  "aten::_batch_norm_impl_index(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps, bool cudnn_enabled) -> (Tensor, Tensor, Tensor, Tensor, int)",
  (input, weight, bias, mean, variance, training, momentum, eps): [Tensor, Tensor, Tensor, Tensor, number] => [
    ...batchNormOrEmpty(input, weight, bias, mean, variance, training, momentum, eps),
    emptyTensor([0], DTYPES.uint8),
    0,
  ],
);
op(
  "aten::_batch_norm_no_update(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, float momentum, float eps) -> (Tensor, Tensor, Tensor, Tensor)",
  (input, weight, bias, mean, variance, momentum, eps): [Tensor, Tensor, Tensor, Tensor] => [
    ...batchNorm(input, weight, bias, mean, variance, false, momentum, eps),
    emptyTensor([0], DTYPES.uint8),
  ],
);
op(
  "aten::batch_norm_update_stats(Tensor input, Tensor? running_mean, Tensor? running_var, float momentum) -> (Tensor, Tensor)",
  (input, mean, variance, momentum): [Tensor, Tensor] => {
    requireElements(input);
    const plane = numelOf(input.sizes.slice(2));
    const channels = input.sizes[1]!;
    const moments = channelMoments(floatsAs(input, computeDtype(input.dtype)), input.sizes[0]!, channels, plane);
    const count = input.sizes[0]! * plane;
    if (mean) updateRunning(mean, moments.mean, momentum);
    if (variance)
      updateRunning(
        variance,
        moments.variance.map((v) => (v * count) / (count - 1)),
        momentum,
      );
    return [fromDoubles(moments.mean, [channels], input.dtype), fromDoubles(moments.variance, [channels], input.dtype)];
  },
);

/** Normalises each group of channels of each sample. */
function groupNorm(
  input: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  batch: number,
  channels: number,
  plane: number,
  groups: number,
  eps: number,
): [Tensor, Tensor, Tensor] {
  const dtype: DType = computeDtype(input.dtype);
  requireParameterDtypes(input, [weight, bias]);
  requireFloat(input, "GroupNormKernelImpl");
  const rows = batch * groups;
  const out = uninitializedTensor(input.sizes, dtype);
  const [gamma, beta] = [weight, bias].map((t) => (t ? numbersOf(t) : undefined));
  const [x, y] = [floatsAs(input, dtype), floatsOf(out)];
  const { mean, rstd } = normalizedGroups(x, y, rows, channels / groups, plane, gamma, beta, eps);
  const statDtype = weight && weight.dtype !== input.dtype ? weight.dtype : input.dtype;
  return [
    convertTensor(out, input.dtype),
    fromDoubles(mean, [batch, groups], statDtype),
    fromDoubles(rstd, [batch, groups], statDtype),
  ];
}

export const group_norm = op(
  "aten::group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1.0000000000000001e-05, bool cudnn_enabled=True) -> Tensor",
  (input, groups, weight, bias, eps) => {
    if (input.ndim < 2)
      throw new OperatorError(`Expected at least 2 dimensions for input tensor but received ${input.ndim}`);
    const channels = input.sizes[1]!;
    if (groups <= 0) throw new OperatorError(`Expected num groups to be greater than 0, got ${groups}`);
    if (channels % groups !== 0) {
      throw new OperatorError(
        `Expected number of channels in input to be divisible by num_groups, but got input of shape ${formatList(input.sizes)} and num_groups=${groups}`,
      );
    }
    for (const [name, t] of [
      ["weight", weight],
      ["bias", bias],
    ] as const) {
      if (t && (t.ndim !== 1 || t.numel !== channels)) {
        throw new OperatorError(
          `Expected ${name} to be a vector of size equal to the number of channels in input, but got ${name} of shape ${formatList(t.sizes)} and input of shape ${formatList(input.sizes)}`,
        );
      }
    }
    const plane = numelOf(input.sizes.slice(2));
    return laidOutLike(groupNorm(input, weight, bias, input.sizes[0]!, channels, plane, groups, eps)[0], input);
  },
);
op(
  "aten::native_group_norm(Tensor input, Tensor? weight, Tensor? bias, SymInt N, SymInt C, SymInt HxW, int group, float eps) -> (Tensor, Tensor, Tensor)",
  (input, ...rest): [Tensor, Tensor, Tensor] => {
    if (!isContiguousIn(input, suggestMemoryFormat(input))) {
      throw new OperatorError(
        "Expected X.is_contiguous(memory_format) to be true, but got false.  (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)",
      );
    }
    const [out, mean, rstd] = groupNorm(input, ...rest);
    return [laidOutLike(out, input), mean, rstd];
  },
);

op(
  "aten::instance_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool use_input_stats, float momentum, float eps, bool cudnn_enabled) -> Tensor",
  (input, weight, bias, runningMean, runningVar, useInputStats, momentum, eps) => {
    if (!useInputStats && (!runningMean || !runningVar)) {
      throw new OperatorError("Expected running_mean and running_var to be defined when use_input_stats is false");
    }
    const [batch, channels] = input.sizes as [number, number];
    const keepsNothing = useInputStats && !runningMean && !runningVar;
    if (keepsNothing && input.dtype === DTYPES.float32 && input.numel > 0) {
      checkedChannels(input, weight, bias, null, null, true);
      const plane = numelOf(input.sizes.slice(2));
      return groupNorm(input, weight, bias, batch, channels, plane, channels, eps)[0];
    }
    // every channel of every sample is a channel of one sample of batch normalisation
    const repeated = (t: Tensor | null): Tensor | null =>
      t && reshapeTensor(viewOf(t, [batch, channels], [0, t.strides[0]!]), [batch * channels]);
    // statistics may have any dtype here
    const keeps = isReducedFloat(input.dtype) ? DTYPES.float32 : input.dtype;
    const copies = (t: Tensor | null): Tensor | null =>
      t && contiguousAs(repeated(t)!, t.dtype === keeps ? keeps : input.dtype);
    const [meanCopies, varCopies] = [copies(runningMean), copies(runningVar)];
    const out = batchNormOrEmpty(
      reshapeTensor(input, [1, batch * channels, ...input.sizes.slice(2)]),
      repeated(weight),
      repeated(bias),
      meanCopies,
      varCopies,
      useInputStats,
      momentum,
      eps,
    )[0];
    if (useInputStats) {
      for (const [running, updated] of [
        [runningMean, meanCopies],
        [runningVar, varCopies],
      ] as const) {
        if (!running || !updated) continue;
        const values = doublesOf(updated);
        copyInto(
          running,
          fromDoubles(
            Float64Array.from({ length: channels }, (_, c) => {
              let sum = 0;
              for (let n = 0; n < batch; n++) sum += values[n * channels + c]!;
              return sum / batch;
            }),
            [channels],
            DTYPES.float64,
          ),
        );
      }
    }
    return reshapeTensor(out, input.sizes);
  },
);

function rmsNorm(
  input: Tensor,
  shape: readonly number[],
  weight: Tensor | null,
  epsIn: number | null,
): [Tensor, Tensor] {
  if (shape.length === 0) {
    throw new OperatorError(
      `Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got normalized_shape = ${formatList(shape)}`,
    );
  }
  if (weight && !sameSizes(weight.sizes, shape)) {
    throw new OperatorError(
      `Expected weight to be of same shape as normalized_shape, but got weight of shape ${formatList(weight.sizes)} and normalized_shape = ${formatList(shape)}`,
    );
  }
  const axis = input.ndim - shape.length;
  if (axis < 0 || !sameSizes(input.sizes.slice(axis), shape)) {
    throw new OperatorError(
      `Given normalized_shape=${formatList(shape)}, expected input with shape [*${shape.join(", ")}], but got input of size${formatList(input.sizes)}`,
    );
  }
  const eps = epsIn ?? (input.dtype === DTYPES.float64 ? 2.220446049250313e-16 : 1.1920928955078125e-7);
  const isComplex = input.dtype.category === "complex";
  const dtype = computeDtype(input.dtype);
  const size = numelOf(shape);
  const out = emptyTensor(input.sizes, dtype);
  if (isComplex) return complexRmsNorm(input, axis, numelOf(shape), weight, eps);
  if (dtype === DTYPES.float32 && input.numel >= MIN_STEPPED && size > 1) {
    const [scaled, scale] = steppedRmsNorm(contiguousAs(input, dtype), axis, weight, eps);
    return [convertTensor(scaled, input.dtype), scale];
  }
  const x = floatsAs(input, dtype);
  const y = floatsOf(out);
  const gamma = weight ? floatsAs(weight, dtype) : undefined;
  const rows = size === 0 ? 0 : x.length / size;
  const rstd = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    let sum = 0;
    for (let i = 0; i < size; i++) sum += x[r * size + i]! ** 2;
    const s = 1 / Math.sqrt(sum / size + eps);
    rstd[r] = s;
    for (let i = 0; i < size; i++) y[r * size + i] = x[r * size + i]! * s * (gamma ? gamma[i]! : 1);
  }
  const statSizes = input.sizes.map((s, d) => (d < axis ? s : 1));
  return [convertTensor(out, input.dtype), fromDoubles(rstd, statSizes, dtype)];
}

/** The formula with complex squares: PyTorch does not take moduli. */
function complexRmsNorm(
  input: Tensor,
  axis: number,
  size: number,
  weight: Tensor | null,
  eps: number,
): [Tensor, Tensor] {
  const { re, im } = toComplexArrays(input);
  const gamma = weight ? toComplexArrays(weight) : undefined;
  const rows = size === 0 ? 0 : re.length / size;
  const scaleRe = new Float64Array(rows);
  const scaleIm = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    let sr = 0;
    let si = 0;
    for (let i = r * size; i < (r + 1) * size; i++) {
      sr += re[i]! * re[i]! - im[i]! * im[i]!;
      si += 2 * re[i]! * im[i]!;
    }
    const [a, b] = [sr / size + eps, si / size];
    // (a + bi) ** -0.5 in polar form
    const radius = Math.hypot(a, b) ** -0.5;
    const angle = -0.5 * Math.atan2(b, a);
    const [cr, ci] = [radius * Math.cos(angle), radius * Math.sin(angle)];
    scaleRe[r] = cr;
    scaleIm[r] = ci;
    for (let i = r * size; i < (r + 1) * size; i++) {
      let [x, y] = [re[i]! * cr - im[i]! * ci, re[i]! * ci + im[i]! * cr];
      if (gamma) {
        const [gr, gi] = [gamma.re[i - r * size]!, gamma.im[i - r * size]!];
        [x, y] = [x * gr - y * gi, x * gi + y * gr];
      }
      re[i] = x;
      im[i] = y;
    }
  }
  const statSizes = input.sizes.map((s, d) => (d < axis ? s : 1));
  return [
    fromComplexArrays(re, im, input.sizes, input.dtype),
    fromComplexArrays(scaleRe, scaleIm, statSizes, input.dtype),
  ];
}

op(
  "aten::rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor",
  (input, shape, weight, eps) => laidOutLike(rmsNorm(input, shape, weight, eps)[0], input),
);
op(
  "aten::_fused_rms_norm(Tensor input, int[] normalized_shape, Tensor? weight, float? eps) -> (Tensor, Tensor)",
  rmsNorm,
);

/** Scales every slice along `dim` whose p-norm is above maxnorm down to it. */
op("aten::renorm(Tensor self, Scalar p, int dim, Scalar maxnorm) -> Tensor", (self, p, dimIn, maxnorm) => {
  if (self.dtype.category !== "float" && self.dtype.category !== "complex")
    throw new OperatorError(
      `linalg.vector_norm: Expected a floating point or complex tensor as input. Got ${self.dtype.cppName}`,
    );
  const order = scalarToNumber(p);
  const limit = scalarToNumber(maxnorm);
  if (!(order > 0)) throw new OperatorError("renorm: non-positive-norm not supported");
  if (!(limit >= 0)) throw new OperatorError("renorm: expected maxnorm to be >= 0 but got " + limit);
  if (self.ndim < 2) throw new OperatorError(`renorm: input needs at least 2 dimensions, got ${self.ndim} dimensions`);
  const dim = dimIn < 0 ? dimIn + self.ndim : dimIn;
  const isComplex = self.dtype.category === "complex";
  const dtype = isComplex ? DTYPES.complex128 : DTYPES.float64;
  const x = floatsAs(self, dtype);
  const out = emptyTensor(self.sizes, dtype);
  const y = floatsOf(out);
  const per = isComplex ? 2 : 1;
  const inner = numelOf(self.sizes.slice(dim + 1));
  const size = self.sizes[dim]!;
  const norms = new Float64Array(size);
  for (let i = 0; i < self.numel; i++) {
    const s = Math.floor(i / inner) % size;
    const a = isComplex ? Math.hypot(x[2 * i]!, x[2 * i + 1]!) : Math.abs(x[i]!);
    norms[s] = order === Infinity ? Math.max(norms[s]!, a) : norms[s]! + a ** order;
  }
  const scale = norms.map((n) => {
    const norm = order === Infinity ? n : n ** (1 / order);
    return norm > limit ? limit / (norm + 1e-7) : 1;
  });
  for (let i = 0; i < self.numel; i++) {
    const s = scale[Math.floor(i / inner) % size]!;
    for (let w = 0; w < per; w++) y[per * i + w] = x[per * i + w]! * s;
  }
  return convertTensor(out, self.dtype);
});

/** Norms over all dimensions but `dim`, kept as sizes of 1. */
function normExcept(v: Tensor, pow: number, dim: number): Float64Array {
  const x = doublesOf(v);
  const size = dim < 0 ? 1 : v.sizes[dim]!;
  const inner = dim < 0 ? v.numel : numelOf(v.sizes.slice(dim + 1));
  const out = new Float64Array(size);
  for (let i = 0; i < x.length; i++) {
    const at = dim < 0 ? 0 : Math.floor(i / inner) % size;
    out[at] = out[at]! + Math.abs(x[i]!) ** pow;
  }
  return out.map((s) => s ** (1 / pow));
}

op("aten::norm_except_dim(Tensor v, int pow=2, int dim=0) -> Tensor", (v, pow, dim) => {
  const at = dim === -1 ? -1 : dim;
  return fromDoubles(normExcept(v, pow, at), at < 0 ? [] : v.sizes.map((s, d) => (d === at ? s : 1)), v.dtype);
});

function weightNorm(v: Tensor, g: Tensor, dimIn: number): [Tensor, Tensor] {
  const dim = dimIn === -1 ? -1 : dimIn;
  const norms = normExcept(v, 2, dim);
  const gain = doublesOf(g);
  const x = doublesOf(v);
  const inner = dim < 0 ? Math.max(v.numel, 1) : numelOf(v.sizes.slice(dim + 1));
  const size = dim < 0 ? 1 : v.sizes[dim]!;
  const out = x.map((value, i) => {
    const at = dim < 0 ? 0 : Math.floor(i / inner) % size;
    return (value * gain[gain.length === 1 ? 0 : at]!) / norms[at]!;
  });
  return [
    fromDoubles(out, v.sizes, v.dtype),
    fromDoubles(norms, dim < 0 ? [] : v.sizes.map((s, d) => (d === dim ? s : 1)), v.dtype),
  ];
}

op("aten::_weight_norm(Tensor v, Tensor g, int dim=0) -> Tensor", (v, g, dim) => weightNorm(v, g, dim)[0]);
op("aten::_weight_norm_interface(Tensor v, Tensor g, int dim=0) -> (Tensor, Tensor)", weightNorm);
