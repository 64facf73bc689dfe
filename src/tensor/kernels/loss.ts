/** @file What loss operators share: broadcast columns of doubles, reductions of per-element losses, log-softmax rows. Upstream: aten/src/ATen/native/Loss.cpp. Spec: none. */
import { OperatorError } from "../../base/errors.ts";
import { emptyStrided } from "../clone.ts";
import { copyInto } from "../copy.ts";
import { DTYPES, type DType } from "../dtype.ts";
import { outputStrides } from "../iterate.ts";
import { ownLoop } from "../own_loops.ts";
import { broadcastAll } from "../pointwise.ts";
import type { Tensor } from "../tensor.ts";
import { expandView } from "../view_geometry.ts";
import { sameSizes } from "../strides.ts";
import { doublesOf, floatsOf, fromDoubles, type Floats } from "./data.ts";

/** c10's at::Reduction. */
export const REDUCTION = { none: 0, mean: 1, sum: 2 } as const;

/** Tensors seen with their broadcast shape, as doubles. */
export interface Columns {
  readonly sizes: readonly number[];
  readonly values: readonly Float64Array[];
  readonly numel: number;
}

/** Loads tensors with broadcasting. */
export function broadcastColumns(tensors: readonly Tensor[]): Columns {
  const sizes = broadcastAll(tensors);
  const values = tensors.map((t) => doublesOf(t.sizes === sizes ? t : expandView(t, sizes, t.dtype.cppName)));
  return { sizes, values, numel: sizes.reduce((a, b) => a * b, 1) };
}

/** Rounds to what an intermediate result of `dtype` can hold: overflow to infinity matters to losses that exponentiate. */
export function roundAs(dtype: DType, value: number): number {
  return dtype === DTYPES.float64 ? value : Math.fround(value);
}

/** Gives a per-element result the strides that TensorIterator would give it. */
export function withIteratorStrides(result: Tensor, inputs: readonly Tensor[]): Tensor {
  const strides = outputStrides(inputs, result.sizes);
  if (strides.every((s, d) => s === result.strides[d])) return result;
  const out = emptyStrided(result.sizes, strides, result.dtype);
  copyInto(out, result);
  return out;
}

/** Terms that `sumOf` adds one by one. */
const MAX_LEAF = 512;

/** Sums doubles; pairs of halves keep the error small. */
export function sumOf(values: ArrayLike<number>, start = 0, end = values.length): number {
  if (end - start > MAX_LEAF) {
    const middle = (start + end) >> 1;
    return sumOf(values, start, middle) + sumOf(values, middle, end);
  }
  let sum = 0;
  for (let i = start; i < end; i++) sum += values[i]!;
  return sum;
}

/** Throws PyTorch's text where a mean has no dtype. */
export function checkMeanDtype(dtype: DType): void {
  if (dtype.category === "int" || dtype.category === "bool") {
    throw new OperatorError(
      `mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: ${dtype.cppName}`,
    );
  }
}

/** Applies `reduction` to per-element losses. */
export function reduceLoss(
  losses: Float64Array,
  sizes: readonly number[],
  dtype: DType,
  reduction: number,
  inputs: readonly Tensor[],
): Tensor {
  if (reduction === REDUCTION.mean) {
    checkMeanDtype(dtype);
    return fromDoubles([sumOf(losses) / losses.length], [], dtype);
  }
  if (reduction === REDUCTION.sum) {
    return fromDoubles(
      [sumOf(losses)],
      [],
      dtype.category === "int" || dtype.category === "bool" ? DTYPES.int64 : dtype,
    );
  }
  return withIteratorStrides(fromDoubles(losses, sizes, dtype), inputs);
}

/**
 * A loss of every pair of elements of two real tensors, reduced: those of a leaf of the sum at a time, which nobody keeps.
 * @param name of the loss, see Note [Own loops]
 */
export function reducePairs(
  name: string,
  tensors: readonly [Tensor, Tensor],
  f: (x: number, y: number) => number,
  dtype: DType,
  reduction: number,
): Tensor {
  const sizes = broadcastAll(tensors);
  const numel = sizes.reduce((a, b) => a * b, 1);
  const [x, y] = tensors.map((t) => floatsIn(t, sizes)) as [Floats, Floats];
  const kinds = [x, y].map((values) => (values instanceof Float32Array ? "f" : "d")).join("");
  const loop = ownLoop(name, f, kinds, "d", MAX_LEAF, STEPS);
  const run = (out: Float64Array, start: number, count: number): void => {
    if (loop) loop(f, 1, count, out, 0, 0, [x, y], [start, start], STEPS, STEPS);
    else for (let i = 0; i < count; i++) out[i] = f(x[start + i]!, y[start + i]!);
  };
  if (reduction !== REDUCTION.mean && reduction !== REDUCTION.sum) {
    const losses = new Float64Array(numel);
    run(losses, 0, numel);
    return reduceLoss(losses, sizes, dtype, reduction, tensors);
  }
  if (reduction === REDUCTION.mean) checkMeanDtype(dtype);
  const leaf = new Float64Array(MAX_LEAF);
  const sumFrom = (start: number, end: number): number => {
    if (end - start > MAX_LEAF) {
      const middle = (start + end) >> 1;
      return sumFrom(start, middle) + sumFrom(middle, end);
    }
    run(leaf, start, end - start);
    return sumOf(leaf, 0, end - start);
  };
  const sum = sumFrom(0, numel);
  return reduceLoss(
    Float64Array.of(reduction === REDUCTION.mean ? sum / numel : sum),
    [],
    dtype,
    REDUCTION.sum,
    tensors,
  );
}

const STEPS = [1, 1];

/** The elements of a real tensor that is seen with a broadcast shape: where they lie, or as doubles (do not write). */
export function floatsIn(t: Tensor, sizes: readonly number[]): Floats {
  const isPlain = (t.dtype === DTYPES.float32 || t.dtype === DTYPES.float64) && !t.isNeg && t.isContiguous();
  const seen = sameSizes(t.sizes, sizes) ? t : expandView(t, sizes, t.dtype.cppName);
  return isPlain && seen === t ? floatsOf(t) : doublesOf(seen);
}

/** log(sigmoid(x)) without overflow. */
export function logSigmoid(x: number): number {
  return Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));
}
