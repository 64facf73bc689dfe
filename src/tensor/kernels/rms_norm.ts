/** @file RMS normalisation of float32, operator by operator. Upstream: aten/src/ATen/native/layer_norm.cpp (rms_norm_composite). Spec: none. */
import { convertTensor } from "../clone.ts";
import { scalarTensor } from "../data.ts";
import { DTYPES } from "../dtype.ts";
import { map1, map2, mapInPlace } from "../pointwise.ts";
import { planReduction, reduceReal, type RealFold } from "../reduce.ts";
import { numelOf } from "../strides.ts";
import type { Tensor } from "../tensor.ts";
import { BINARY } from "./binary.ts";
import { UNARY } from "./unary.ts";

/** Elements from which vector instructions, operator after operator, pay. */
export const MIN_STEPPED = 1024;

/** Contiguous float32 `x`, normalised over its dimensions from `axis` on, and the factors; rounded where PyTorch's operators round. */
export function steppedRmsNorm(x: Tensor, axis: number, weight: Tensor | null, eps: number): [Tensor, Tensor] {
  const { float32 } = DTYPES;
  const dims = Array.from({ length: x.ndim - axis }, (_, d) => axis + d);
  const fold = meanOfSquares(numelOf(x.sizes.slice(axis)));
  const mean = reduceReal(x, planReduction(x, dims, true), fold, float32, true);
  const scale = map1(map2(mean, scalarTensor(eps, float32), BINARY.add, float32), UNARY.rsqrt, float32);
  const scaled = map2(x, scale, BINARY.mul, float32);
  if (!weight) return [scaled, scale];
  const gamma = convertTensor(weight, float32);
  return [mapInPlace(scaled, () => map2(scaled, gamma, BINARY.mul, float32), []) as Tensor, scale];
}

/** The mean of the squares of `count` elements. */
function meanOfSquares(count: number): RealFold {
  let sum = 0;
  return {
    start: () => {
      sum = 0;
    },
    fold: (x, from, to) => {
      for (let i = from; i < to; i++) sum += x[i]! * x[i]!;
    },
    finish: () => sum / count,
    vector: { kind: "squares", finish: (squares) => squares / count },
  };
}
