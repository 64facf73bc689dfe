/** @file Kernels of hot tensor operators with short ways in front, made for each place in a program. Upstream: none. Spec: none. See Note [Short ways]. */
import { internalAssert } from "../base/errors.ts";
import type { Kernel } from "../core/operator_registry.ts";
import { BINARY } from "../tensor/kernels/binary.ts";
import { UNARY } from "../tensor/kernels/unary.ts";
import {
  COMPARISONS,
  smallBinary,
  smallChunk,
  smallComparison,
  smallGruCell,
  smallLinear,
  smallLstmCell,
  smallScalar,
  smallSelect,
  smallSum,
  smallTruth,
  smallUnary,
} from "../tensor/small.ts";
import type { Loop1, Loop2 } from "../tensor/pointwise.ts";
import type { Tensor } from "../tensor/tensor.ts";

type Any = (...args: unknown[]) => unknown;
type CellWeights = [Tensor, Tensor, Tensor | null, Tensor | null];
type Maker = (kernel: Any) => Any;

function loop1(kernel: { readonly f32?: Loop1 }): Loop1 {
  internalAssert(kernel.f32, "a short way without a loop");
  return kernel.f32;
}
function loop2(kernel: { readonly f32?: Loop2 }): Loop2 {
  internalAssert(kernel.f32, "a short way without a loop");
  return kernel.f32;
}

const unary =
  (loop: Loop1): Maker =>
  (kernel) => {
    const short = smallUnary(loop);
    return (a) => short(a as Tensor) ?? kernel(a);
  };
const binary =
  (loop: Loop2): Maker =>
  (kernel) => {
    const short = smallBinary(loop);
    return (a, b) => short(a as Tensor, b as Tensor) ?? kernel(a, b);
  };
/** With `alpha`, of which the short way takes only 1. */
const scaled =
  (loop: Loop2): Maker =>
  (kernel) => {
    const short = smallBinary(loop);
    return (a, b, alpha) => (alpha === 1 ? short(a as Tensor, b as Tensor) : undefined) ?? kernel(a, b, alpha);
  };
const scalar =
  (loop: Loop2): Maker =>
  (kernel) => {
    const short = smallScalar(loop);
    return (a, b) => short(a as Tensor, b) ?? kernel(a, b);
  };
const scaledScalar =
  (loop: Loop2): Maker =>
  (kernel) => {
    const short = smallScalar(loop);
    return (a, b, alpha) => (alpha === 1 ? short(a as Tensor, b) : undefined) ?? kernel(a, b, alpha);
  };
const comparison =
  (test: (a: number, b: number) => boolean): Maker =>
  (kernel) => {
    const short = smallComparison(test);
    return (a, b) => short(a as Tensor, b) ?? kernel(a, b);
  };

const MAKERS = new Map<string, Maker>([
  ["aten::add.Tensor", scaled(loop2(BINARY.add))],
  ["aten::sub.Tensor", scaled(loop2(BINARY.sub))],
  ["aten::mul.Tensor", binary(loop2(BINARY.mul))],
  ["aten::div.Tensor", binary(loop2(BINARY.div))],
  ["aten::add.Scalar", scaledScalar(loop2(BINARY.add))],
  ["aten::sub.Scalar", scaledScalar(loop2(BINARY.sub))],
  ["aten::mul.Scalar", scalar(loop2(BINARY.mul))],
  ["aten::div.Scalar", scalar(loop2(BINARY.div))],
  ...Object.entries(COMPARISONS).map(([name, test]): [string, Maker] => [`aten::${name}.Scalar`, comparison(test)]),
  ["aten::neg", unary(loop1(UNARY.neg))],
  ["aten::relu", unary(loop1(UNARY.relu))],
  ["aten::tanh", unary(loop1(UNARY.tanh))],
  ["aten::sigmoid", unary(loop1(UNARY.sigmoid))],
  ["aten::exp", unary(loop1(UNARY.exp))],
  ["aten::sqrt", unary(loop1(UNARY.sqrt))],
  [
    "aten::linear",
    (kernel) => {
      const short = smallLinear();
      return (input, weight, bias) =>
        short(input as Tensor, weight as Tensor, bias as Tensor | null) ?? kernel(input, weight, bias);
    },
  ],
  [
    "aten::gru_cell",
    (kernel) => {
      const short = smallGruCell();
      return (input, hx, ...weights) =>
        short([hx as Tensor], input as Tensor, ...(weights as CellWeights))?.[0] ?? kernel(input, hx, ...weights);
    },
  ],
  [
    "aten::lstm_cell",
    (kernel) => {
      const short = smallLstmCell();
      return (input, hx, ...weights) =>
        short(hx as Tensor[], input as Tensor, ...(weights as CellWeights)) ?? kernel(input, hx, ...weights);
    },
  ],
  ["aten::sum", (kernel) => (a, dtype) => (dtype === null ? smallSum(a as Tensor) : undefined) ?? kernel(a, dtype)],
  ["aten::Bool.Tensor", (kernel) => (a) => smallTruth(a as Tensor) ?? kernel(a)],
  [
    "aten::select.int",
    (kernel) => {
      const short = smallSelect();
      return (self, dim, index) => short(self as Tensor, dim as number, index as number) ?? kernel(self, dim, index);
    },
  ],
  [
    "aten::chunk",
    (kernel) => (self, chunks, dim) =>
      smallChunk(self as Tensor, chunks as number, dim as number) ?? kernel(self, chunks, dim),
  ],
]);

/** The kernel of an operator with its short way in front. */
export function withShortWay(key: string, kernel: Kernel): Kernel {
  const make = MAKERS.get(key);
  return make ? (make(kernel as unknown as Any) as unknown as Kernel) : kernel;
}
