/** @file Kernels of convolutions that wait for what follows them. Upstream: none. Spec: none. See Note [Deferred convolutions] in passes/defer_convolutions.ts.
 *
 * They are no operators: only compiled graphs name them, never an archive. A tensor that waits has its sizes but no values. */
import { isIntercepted } from "../core/dispatcher.ts";
import { callOperator } from "../core/operator_registry.ts";
import { emptyStrided } from "../tensor/clone.ts";
import { copyElements } from "../tensor/copy.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { convolve, type ConvGeometry } from "../tensor/kernels/convolution.ts";
import { floatsAs, floatsOf } from "../tensor/kernels/data.ts";
import { kernelMemory, wasmKernels } from "../tensor/kernels/wasm/build.ts";
import { wasmConvolve } from "../tensor/kernels/wasm/convolution.ts";
import { affinePairs, type Finish } from "../tensor/kernels/wasm/finish.ts";
import { Weights } from "../tensor/kernels/wasm/packed_weights.ts";
import type { Storage } from "../tensor/storage.ts";
import { scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import { MEMORY_FORMAT, stridesIn } from "../tensor/memory_format.ts";
import { numelOf, sameSizes } from "../tensor/strides.ts";
import { uninitializedTensor, type Tensor } from "../tensor/tensor.ts";
import { planConvolution } from "./convolution.ts";
import { convolutionFormat } from "./convolution_format.ts";
import { batchNormAffine } from "./normalization.ts";
import { plainWeight } from "./plain_weights.ts";

/** What a waiting tensor is to become. */
interface Note {
  readonly input: Tensor;
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  readonly geometry: ConvGeometry;
  /** The memory format of the result. The kernels compute contiguous ones of contiguous operands. */
  readonly format: number;
  /** Scale and shift of every channel, of a batch normalisation. */
  affine: Float32Array | undefined;
  residual: Tensor | undefined;
  low: number;
  high: number;
}

const notes = new Map<Tensor, Note>();

/** Computes a tensor that waits; nothing happens to others. */
function settle(out: Tensor): null {
  const note = notes.get(out);
  if (note) {
    notes.delete(out);
    compute(out, note);
  }
  return null;
}

function settleAll(): void {
  for (const out of notes.keys()) settle(out);
}

/** Forgets what waits: the run that made it has ended. */
export function forgetDeferred(): void {
  if (notes.size > 0) notes.clear();
}

function compute(out: Tensor, note: Note): void {
  if (note.format === MEMORY_FORMAT.contiguous) return computePlain(out, note);
  const result = uninitializedTensor(out.sizes);
  computePlain(result, note);
  copyElements(out, result);
}

function computePlain(out: Tensor, note: Note): void {
  const run = (): boolean =>
    wasmConvolve(
      floatsAs(note.input, DTYPES.float32) as Float32Array,
      Weights.of(plainWeight(note.weight)),
      floatsOf(out) as Float32Array,
      note.geometry,
      finishOf(note),
    );
  if (run()) return;
  // between two instructions nobody holds a view of the memory: it may grow
  kernelMemory()?.satisfy();
  if (!run()) computeStepByStep(out, note);
}

function finishOf(note: Note): Finish {
  return {
    affine: channelMap(note.bias, note.affine),
    residual: note.residual && (floatsAs(note.residual, DTYPES.float32) as Float32Array),
    low: note.low,
    high: note.high,
  };
}

function computeStepByStep(out: Tensor, note: Note): void {
  const values = floatsOf(out) as Float32Array;
  const finish = finishOf(note);
  const input = floatsAs(note.input, DTYPES.float32);
  convolve(input, floatsOf(plainWeight(note.weight)), values, note.geometry);
  const plane = numelOf(out.sizes.slice(2));
  for (let at = 0, c = 0; at < values.length; c = (c + 1) % out.sizes[1]!) {
    const scale = finish.affine ? finish.affine[2 * c]! : 1;
    const shift = finish.affine ? finish.affine[2 * c + 1]! : 0;
    for (const end = at + plane; at < end; at++) {
      const value = values[at]! * scale + shift + (finish.residual ? finish.residual[at]! : 0);
      values[at] = value < note.low ? note.low : value > note.high ? note.high : value;
    }
  }
}

/** Where the values of a tensor are, and how often they were written to. */
interface Seen {
  readonly storage: Storage;
  readonly version: number;
  readonly base: number;
  readonly numel: number;
}

const seenOf = (t: Tensor): Seen => ({ storage: t.storage, version: t.storage.version, base: t.base0, numel: t.numel });

const isUnchanged = (t: Tensor | null, seen: Seen | undefined): boolean =>
  t === null
    ? seen === undefined
    : seen !== undefined &&
      t.storage === seen.storage &&
      t.storage.version === seen.version &&
      t.base0 === seen.base &&
      t.numel === seen.numel;

/** The maps of normalisations by the storage of their variance. */
const affines = new WeakMap<
  Storage,
  { readonly eps: number; readonly seen: (Seen | undefined)[]; readonly affine: Float32Array }
>();

/** `batchNormAffine`, kept until one of the parameters is written to. Values in the kernels' memory are the interpreter's, and written to without notice. */
function keptAffine(
  input: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  mean: Tensor | null,
  variance: Tensor | null,
  eps: number,
): Float32Array {
  const parameters = [weight, bias, mean, variance];
  const known = variance ? affines.get(variance.storage) : undefined;
  const channels = input.sizes[1];
  if (
    known?.eps === eps &&
    known.affine.length === 2 * channels! &&
    parameters.every((t, i) => isUnchanged(t, known.seen[i]))
  )
    return known.affine;
  const { scale, shift } = batchNormAffine(input, weight, bias, mean, variance, eps);
  const affine = affinePairs(scale.length, scale, shift);
  const memory = kernelMemory();
  if (variance && parameters.every((t) => t === null || !memory?.holds(t.storage)))
    affines.set(variance.storage, { eps, seen: parameters.map((t) => (t ? seenOf(t) : undefined)), affine });
  return affine;
}

/** Bias and batch normalisation as one map. */
function channelMap(bias: Tensor | null, affine: Float32Array | undefined): Float32Array | undefined {
  if (!bias) return affine;
  const b = floatsOf(bias);
  if (!affine) return affinePairs(b.length, undefined, b);
  return affine.map((value, i) => (i % 2 === 0 ? value : value + b[i >> 1]! * affine[i - 1]!));
}

const isFloat32 = (t: Tensor): boolean =>
  t.dtype === DTYPES.float32 &&
  !t.isNeg &&
  t.quantizer === undefined &&
  t.sparse === undefined &&
  t.device.type === "cpu";

const isPlain = (t: Tensor | null): boolean => t === null || (isFloat32(t) && t.isContiguous());

interface KeptPlan {
  readonly of: readonly (readonly number[])[];
  readonly groups: number;
  readonly plan: ReturnType<typeof planConvolution>;
}

/** The last geometry of a weight. */
const plans = new WeakMap<Tensor, KeptPlan>();

/** Stands for no bias: one without dimensions is an error. */
const NO_SIZES: readonly number[] = [-1];

/** `planConvolution` of plain tensors, kept for the next call with the same sizes and options: kernels keep what they make of the geometry. */
function keptPlan(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  stride: readonly number[],
  padding: readonly number[],
  dilation: readonly number[],
  groups: number,
): KeptPlan["plan"] {
  const of = [input.sizes, weight.sizes, bias?.sizes ?? NO_SIZES, stride, padding, dilation];
  const known = plans.get(weight);
  if (known?.groups === groups && of.every((sizes, i) => sameSizes(sizes, known.of[i]!))) return known.plan;
  const options = { stride, padding, dilation, transposed: false, outputPadding: [0, 0], groups };
  const plan = planConvolution(input, weight, bias, options);
  plans.set(weight, { of: of.map((sizes) => [...sizes]), groups, plan });
  return plan;
}

function deferred(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  stride: readonly number[],
  padding: readonly number[],
  dilation: readonly number[],
  groups: number,
): Tensor | undefined {
  const canWait =
    !isIntercepted() &&
    input.ndim === 4 &&
    weight.ndim === 4 &&
    input.numel > 0 &&
    weight.numel > 0 &&
    isFloat32(input) &&
    isFloat32(weight) &&
    isPlain(bias) &&
    wasmKernels() !== undefined;
  if (!canWait) return undefined;
  const { sizes, geometry } = keptPlan(input, weight, bias, stride, padding, dilation, groups);
  if (numelOf(sizes) === 0) return undefined;
  const format = convolutionFormat(input, weight, groups, sizes);
  const out =
    format === MEMORY_FORMAT.contiguous
      ? uninitializedTensor(sizes)
      : emptyStrided(sizes, stridesIn(sizes, format), DTYPES.float32, false);
  notes.set(out, {
    input,
    weight,
    bias,
    geometry,
    format,
    affine: undefined,
    residual: undefined,
    low: -Infinity,
    high: Infinity,
  });
  return out;
}

/** The note of a tensor that waits. Where nothing more may be added it is settled, and undefined comes back. */
function openNote(self: Tensor, mayAdd: (note: Note) => boolean): Note | undefined {
  const note = notes.get(self);
  if (note && !isIntercepted() && mayAdd(note)) return note;
  settle(self);
  return undefined;
}

const isUnclamped = (note: Note): boolean => note.low === -Infinity && note.high === Infinity;

function addResidual(key: string, self: Tensor, other: Tensor, alpha: unknown, isSecond: boolean): Tensor {
  settle(other);
  const note = openNote(
    self,
    (n) =>
      n.residual === undefined &&
      isUnclamped(n) &&
      isFloat32(other) &&
      sameSizes(self.sizes, other.sizes) &&
      // the sum lies as both do
      (n.format === MEMORY_FORMAT.contiguous ? other.isContiguous() : sameSizes(self.strides, other.strides)),
  );
  if (!note) return callOperator(key, isSecond ? [other, self, alpha] : [self, other, alpha]) as Tensor;
  note.residual = other;
  return self;
}

function clamped(key: string, self: Tensor, low: number, high: number, ...rest: readonly unknown[]): Tensor {
  const note = openNote(self, (n) => isUnclamped(n) && low <= high);
  if (!note) return callOperator(key, [self, ...rest]) as Tensor;
  note.low = low;
  note.high = high;
  return self;
}

/** Offsets of the arguments that are numbers of any type. */
export const DEFERRED_NUMBERS: Readonly<Record<string, readonly number[]>> = {
  "tsarchive::deferred_add": [2],
  "tsarchive::deferred_add_": [2],
  "tsarchive::deferred_add_to": [2],
  "tsarchive::deferred_hardtanh": [1, 2],
  "tsarchive::deferred_hardtanh_": [1, 2],
};

/** Kernels by the kind of node that runs them. */
export const DEFERRED_KERNELS: Readonly<Record<string, (...args: never[]) => unknown>> = {
  "tsarchive::settle": settle,
  "tsarchive::deferred_conv2d": (...args: Parameters<typeof deferred>) =>
    deferred(...args) ?? callOperator("aten::conv2d", args),
  "tsarchive::deferred_convolution": (...args: Parameters<typeof deferred>) =>
    deferred(...args) ??
    // one output padding for every dimension: this may be a convolution of one or three
    callOperator("aten::convolution", [...args.slice(0, 6), false, new Array(args[1].ndim - 2).fill(0), args[6]]),
  "tsarchive::deferred_batch_norm": (
    input: Tensor,
    weight: Tensor | null,
    bias: Tensor | null,
    mean: Tensor | null,
    variance: Tensor | null,
    training: boolean,
    momentum: number,
    eps: number,
    cudnn: boolean,
  ) => {
    // training writes to the running statistics, which nobody knows not to be what a note holds
    if (training) settleAll();
    const isEvaluation = !training && [weight, bias, mean, variance].every(isPlain);
    const note = openNote(input, (n) => isEvaluation && n.affine === undefined && !n.residual && isUnclamped(n));
    if (!note)
      return callOperator("aten::batch_norm", [input, weight, bias, mean, variance, training, momentum, eps, cudnn]);
    note.affine = keptAffine(input, weight, bias, mean, variance, eps);
    return input;
  },
  "tsarchive::deferred_add": (self: Tensor, other: Tensor, alpha: unknown) =>
    addResidual("aten::add.Tensor", self, other, alpha, false),
  "tsarchive::deferred_add_": (self: Tensor, other: Tensor, alpha: unknown) =>
    addResidual("aten::add_.Tensor", self, other, alpha, false),
  "tsarchive::deferred_add_to": (other: Tensor, self: Tensor, alpha: unknown) =>
    addResidual("aten::add.Tensor", self, other, alpha, true),
  "tsarchive::deferred_relu": (self: Tensor) => clamped("aten::relu", self, 0, Infinity),
  "tsarchive::deferred_relu_": (self: Tensor) => clamped("aten::relu_", self, 0, Infinity),
  "tsarchive::deferred_relu6": (self: Tensor) => clamped("aten::relu6", self, 0, 6),
  "tsarchive::deferred_relu6_": (self: Tensor) => clamped("aten::relu6_", self, 0, 6),
  "tsarchive::deferred_hardtanh": (self: Tensor, low: Scalar, high: Scalar) =>
    clamped("aten::hardtanh", self, scalarToNumber(low), scalarToNumber(high), low, high),
  "tsarchive::deferred_hardtanh_": (self: Tensor, low: Scalar, high: Scalar) =>
    clamped("aten::hardtanh_", self, scalarToNumber(low), scalarToNumber(high), low, high),
};
