/** @file What loss operators share: broadcast columns of doubles, reductions of per-element losses, log-softmax rows. Upstream: aten/src/ATen/native/Loss.cpp. Spec: none. */
import { OperatorError } from "../../base/errors.ts";
import { emptyStrided } from "../clone.ts";
import { copyInto } from "../copy.ts";
import { DTYPES, type DType } from "../dtype.ts";
import { outputStrides } from "../iterate.ts";
import { broadcastAll } from "../pointwise.ts";
import type { Tensor } from "../tensor.ts";
import { expandView } from "../view_geometry.ts";
import { doublesOf, fromDoubles } from "./data.ts";

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

/** Sums doubles; pairs of halves keep the error small. */
export function sumOf(values: ArrayLike<number>, start = 0, end = values.length): number {
  if (end - start > 512) {
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

/** log(sigmoid(x)) without overflow. */
export function logSigmoid(x: number): number {
  return Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));
}

/** log_softmax over the middle dimension of an (outer, classes, inner) array. */
export function logSoftmaxOver(x: Float64Array, outer: number, classes: number, inner: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const base = o * classes * inner + i;
      let max = -Infinity;
      for (let c = 0; c < classes; c++) {
        const v = x[base + c * inner]!;
        if (v > max || v !== v) max = v;
      }
      let sum = 0;
      for (let c = 0; c < classes; c++) sum += Math.exp(x[base + c * inner]! - max);
      const shift = max + Math.log(sum);
      for (let c = 0; c < classes; c++) out[base + c * inner] = x[base + c * inner]! - shift;
    }
  }
  return out;
}
