/** @file Losses of two tensors, element by element: regression, cross entropy of probabilities, divergences, hinges. Upstream: aten/src/ATen/native/Loss.cpp, BinaryOps.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { callOperator, op } from "../core/operator_registry.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { toComplexArrays } from "../tensor/data.ts";
import { broadcastAll, notImplemented } from "../tensor/pointwise.ts";
import { canCast, floatResult, promoteTypes, resultType, toRealDtype } from "../tensor/promotion.ts";
import { Float } from "../tensor/scalar.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { expandView, formatList } from "../tensor/view_geometry.ts";
import {
  broadcastColumns,
  logSigmoid,
  reduceLoss,
  reducePairs,
  roundAs,
  withIteratorStrides,
} from "../tensor/kernels/loss.ts";
import { fromDoubles } from "../tensor/kernels/data.ts";

function isFloating(dtype: DType): boolean {
  return dtype.category === "float";
}

/** A loss of one number per pair of elements, with TensorIterator's promotion. */
function pairLoss(
  kernelName: string,
  self: Tensor,
  target: Tensor,
  reduction: number,
  f: (x: number, y: number) => number,
  own?: DType,
): Tensor {
  const dtype = resultType(self, target);
  if (own && !canCast(dtype, own))
    throw new OperatorError(`result type ${dtype.cppName} can't be cast to the desired output type ${own.cppName}`);
  if (!isFloating(dtype)) {
    broadcastAll([self, target]);
    throw notImplemented(kernelName, dtype);
  }
  return reducePairs(kernelName, [self, target], f, own ?? dtype, reduction);
}

function complexL1(self: Tensor, target: Tensor, reduction: number, dtype: DType): Tensor {
  const sizes = broadcastAll([self, target]);
  const a = toComplexArrays(expandView(self, sizes, self.dtype.cppName));
  const b = toComplexArrays(expandView(target, sizes, target.dtype.cppName));
  const out = a.re.map((re, i) => Math.hypot(re - b.re[i]!, a.im[i]! - b.im[i]!));
  return reduceLoss(out, sizes, toRealDtype(dtype), reduction, [self, target]);
}

export const l1_loss = op(
  "aten::l1_loss(Tensor self, Tensor target, int reduction=1) -> Tensor",
  (self, target, reduction) => {
    const dtype = resultType(self, target);
    if (dtype.category === "complex") return complexL1(self, target, reduction, dtype);
    return reducePairs("l1_loss", [self, target], (x, y) => Math.abs(x - y), dtype, reduction);
  },
);

export const mse_loss = op(
  "aten::mse_loss(Tensor self, Tensor target, int reduction=1) -> Tensor",
  (self, target, reduction) => pairLoss("mse_cpu", self, target, reduction, (x, y) => (x - y) * (x - y)),
);

export const smooth_l1_loss = op(
  "aten::smooth_l1_loss(Tensor self, Tensor target, int reduction=1, float beta=1.) -> Tensor",
  (self, target, reduction, beta) => {
    if (!(beta >= 0)) throw new OperatorError("smooth_l1_loss does not support negative values for beta.");
    if (beta === 0) return l1_loss(self, target, reduction);
    return pairLoss("smooth_l1_cpu", self, target, reduction, (x, y) => {
      const z = Math.abs(x - y);
      return z < beta ? (0.5 * z * z) / beta : z - 0.5 * beta;
    });
  },
);

export const huber_loss = op(
  "aten::huber_loss(Tensor self, Tensor target, int reduction=1, float delta=1.) -> Tensor",
  (self, target, reduction, delta) => {
    if (!(delta > 0)) throw new OperatorError("huber_loss does not support non-positive values for delta.");
    const huber = (x: number, y: number): number => {
      const z = Math.abs(x - y);
      return z <= delta ? 0.5 * z * z : delta * (z - 0.5 * delta);
    };
    // torch writes into a tensor like the input
    return pairLoss("huber_cpu", self, target, reduction, huber, self.dtype);
  },
);

export const soft_margin_loss = op(
  "aten::soft_margin_loss(Tensor self, Tensor target, int reduction=1) -> Tensor",
  (self, target, reduction) => {
    const dtype = promoteTypes(self.dtype, target.dtype);
    if (!canCast(floatResult(dtype), self.dtype)) {
      throw new OperatorError(
        `result type ${floatResult(dtype).cppName} can't be cast to the desired output type ${self.dtype.cppName}`,
      );
    }
    const f = (x: number, y: number): number => Math.log1p(roundAs(dtype, Math.exp(-y * x)));
    return reducePairs("soft_margin_loss", [self, target], f, self.dtype, reduction);
  },
);

function crossEntropy(x: number, y: number): number {
  if (!(x >= 0 && x <= 1)) throw new OperatorError("all elements of input should be between 0 and 1");
  if (!(y >= 0 && y <= 1)) throw new OperatorError("all elements of target should be between 0 and 1");
  // torch clamps both logarithms at -100
  return (y - 1) * Math.max(Math.log1p(-x), -100) - y * Math.max(Math.log(x), -100);
}

export const binary_cross_entropy = op(
  "aten::binary_cross_entropy(Tensor self, Tensor target, Tensor? weight=None, int reduction=1) -> Tensor",
  (self, target, weight, reduction) => {
    if (!isFloating(self.dtype)) throw notImplemented("binary_cross_entropy", self.dtype);
    if (target.dtype !== self.dtype)
      throw new OperatorError(`Found dtype ${target.dtype.cppName} but expected ${self.dtype.cppName}`);
    if (!weight) return reducePairs("binary_cross_entropy", [self, target], crossEntropy, self.dtype, reduction);
    const { sizes, values } = broadcastColumns([self, target]);
    const [x, y] = values as [Float64Array, Float64Array];
    const out = x.map((p, i) => crossEntropy(p, y[i]!));
    weigh(out, weight, sizes);
    return reduceLoss(out, sizes, self.dtype, reduction, [self, target]);
  },
);

function weigh(losses: Float64Array, weight: Tensor, sizes: readonly number[]): void {
  const w = broadcastColumns([expandView(weight, sizes, weight.dtype.cppName)]).values[0]!;
  for (let i = 0; i < losses.length; i++) losses[i]! *= w[i]!;
}

const call = (key: string, args: unknown[]): Tensor => callOperator(key, args) as Tensor;
const mul = (a: Tensor, b: Tensor): Tensor => call("aten::mul.Tensor", [a, b]);
const scale = (a: Tensor, b: Tensor): Tensor => call("aten::mul_.Tensor", [a, b]);
const sub = (a: Tensor, b: Tensor): Tensor => call("aten::sub.Tensor", [a, b, 1]);
const neg = (a: Tensor): Tensor => call("aten::neg", [a]);
const clampMin = (a: Tensor): Tensor => call("aten::clamp_min", [a, 0]);

function isNarrow(t: Tensor): boolean {
  return t.dtype === DTYPES.float16 || t.dtype === DTYPES.bfloat16;
}

function reduceTensor(loss: Tensor, reduction: number): Tensor {
  return reduction === 1 ? call("aten::mean", [loss, null]) : reduction === 2 ? call("aten::sum", [loss, null]) : loss;
}

/** The loss by operators, each in the dtype of what it writes to: PyTorch's rounding shows where dtypes are narrow or several. */
function logitsBySteps(
  self: Tensor,
  target: Tensor,
  weight: Tensor | null,
  posWeight: Tensor | null,
  reduction: number,
): Tensor {
  const logSigmoids = call("aten::log_sigmoid", [self]);
  if (posWeight)
    scale(logSigmoids, call("aten::add.Scalar", [mul(call("aten::sub.Scalar", [posWeight, 1, 1]), target), 1, 1]));
  const loss = call("aten::rsub.Scalar", [target, 1, 1]);
  scale(loss, self);
  call("aten::sub_.Tensor", [loss, logSigmoids, 1]);
  if (weight) scale(loss, weight);
  return reduceTensor(loss, reduction);
}

export const binary_cross_entropy_with_logits = op(
  "aten::binary_cross_entropy_with_logits(Tensor self, Tensor target, Tensor? weight=None, Tensor? pos_weight=None, int reduction=1) -> Tensor",
  (self, target, weight, posWeight, reduction) => {
    const inputs = [self, target, ...(weight ? [weight] : []), ...(posWeight ? [posWeight] : [])];
    if (self.dtype.category !== "float") throw notImplemented("log_sigmoid_cpu", self.dtype);
    if (inputs.some((t) => isNarrow(t) || t.dtype !== self.dtype))
      return logitsBySteps(self, target, weight, posWeight, reduction);
    const { dtype } = self;
    if (!weight && !posWeight) {
      const f = (x: number, y: number): number => (1 - y) * x - logSigmoid(x);
      return reducePairs("binary_cross_entropy_with_logits", [self, target], f, dtype, reduction);
    }
    const { sizes, values } = broadcastColumns(inputs);
    const [x, y] = values as [Float64Array, Float64Array];
    const w = weight ? values[2] : undefined;
    const p = posWeight ? values[weight ? 3 : 2] : undefined;
    const out = new Float64Array(x.length);
    for (let i = 0; i < x.length; i++) {
      const ls = logSigmoid(x[i]!);
      const logWeight = p ? (p[i]! - 1) * y[i]! + 1 : 1;
      out[i] = ((1 - y[i]!) * x[i]! - logWeight * ls) * (w ? w[i]! : 1);
    }
    return reduceLoss(out, sizes, dtype, reduction, [self, target]);
  },
);

export const kl_div = op(
  "aten::kl_div(Tensor self, Tensor target, int reduction=1, *, bool log_target=False) -> Tensor",
  (self, target, reduction, logTarget) => {
    const dtype = resultType(self, target);
    if (dtype.category === "complex") throw new OperatorError("kl_div: Complex inputs not supported.");
    if (self.dtype.category !== "float" || target.dtype.category !== "float")
      throw new OperatorError("kl_div: Integral inputs not supported.");
    if (self.dtype !== target.dtype) {
      const loss = logTarget
        ? mul(call("aten::exp", [target]), sub(target, self))
        : sub(call("aten::xlogy.Tensor", [target, target]), mul(target, self));
      return reduceTensor(loss, reduction);
    }
    const f = logTarget
      ? (x: number, t: number): number => Math.exp(t) * (t - x)
      : (x: number, t: number): number => (t === 0 ? 0 : t * Math.log(t)) - t * x;
    return reducePairs("kl_div", [self, target], f, dtype, reduction);
  },
);

function poissonBySteps(input: Tensor, target: Tensor, logInput: boolean, full: boolean, eps: number): Tensor {
  const log = (t: Tensor): Tensor => call("aten::log", [t]);
  const loss = logInput
    ? sub(call("aten::exp", [input]), mul(target, input))
    : sub(input, mul(target, log(call("aten::add.Scalar", [input, new Float(eps), 1]))));
  if (!full) return loss;
  // Stirling's approximation, for counts above one
  const half = call("aten::mul.Scalar", [
    log(call("aten::mul.Scalar", [target, new Float(2 * Math.PI)])),
    new Float(0.5),
  ]);
  const term = call("aten::add.Tensor", [sub(mul(target, log(target)), target), half, 1]);
  return call("aten::add.Tensor", [
    loss,
    call("aten::masked_fill.Scalar", [term, call("aten::le.Scalar", [target, 1]), 0]),
    1,
  ]);
}

op(
  "aten::poisson_nll_loss(Tensor input, Tensor target, bool log_input, bool full, float eps, int reduction) -> Tensor",
  (input, target, logInput, full, eps, reduction) => {
    if (isNarrow(input) || isNarrow(target))
      return reduceTensor(poissonBySteps(input, target, logInput, full, eps), reduction);
    const { sizes, values } = broadcastColumns([target, input]);
    const y = values[0]!;
    const out = values[1]!.map((x, i) => {
      const t = y[i]!;
      let loss = logInput ? Math.exp(x) - t * x : x - t * Math.log(x + eps);
      // Stirling's approximation, for counts above one
      if (full && t > 1) loss += t * Math.log(t) - t + 0.5 * Math.log(2 * Math.PI * t);
      return loss;
    });
    return reduceLoss(out, sizes, floatResult(resultType(input, target)), reduction, [input, target]);
  },
);

op(
  "aten::hinge_embedding_loss(Tensor self, Tensor target, float margin=1., int reduction=1) -> Tensor",
  (self, target, margin, reduction) => {
    if (isNarrow(self)) {
      const zero = call("aten::zeros_like", [self, null, null, null, null, null]);
      const gap = clampMin(call("aten::rsub.Scalar", [self, new Float(margin), 1]));
      const apart = call("aten::where.self", [call("aten::ne.Scalar", [target, 1]), gap, zero]);
      const near = call("aten::where.self", [call("aten::ne.Scalar", [target, -1]), self, zero]);
      return reduceTensor(call("aten::add.Tensor", [apart, near, 1]), reduction);
    }
    const { sizes, values } = broadcastColumns([self, target]);
    const y = values[1]!;
    // PyTorch makes a tensor of self's dtype of the margin: integer inputs truncate it and stay integers
    const m = self.dtype.category === "int" ? Math.trunc(margin) : margin;
    const out = values[0]!.map((x, i) => (y[i] !== 1 ? Math.max(m - x, 0) : 0) + (y[i] !== -1 ? x : 0));
    return reduceLoss(out, sizes, self.dtype, reduction, [self, target]);
  },
);

op(
  "aten::margin_ranking_loss(Tensor input1, Tensor input2, Tensor target, float margin=0., int reduction=1) -> Tensor",
  (input1, input2, target, margin, reduction) => {
    // by operators, as PyTorch: integers wrap, narrow dtypes round at each step
    const product = mul(neg(target), sub(input1, input2));
    return reduceTensor(
      clampMin(callOperator("aten::add.Scalar", [product, new Float(margin), 1]) as Tensor),
      reduction,
    );
  },
);

op(
  "aten::cosine_embedding_loss(Tensor input1, Tensor input2, Tensor target, float margin=0., int reduction=1) -> Tensor",
  (input1, input2, target, margin, reduction) => {
    if (target.ndim > 1) throw new OperatorError("0D or 1D target tensor expected, multi-target not supported");
    const dims = target.ndim + 1;
    if (input1.ndim !== dims || input2.ndim !== dims) {
      throw new OperatorError(
        `${target.ndim}D target tensor expects ${dims}D input tensors, but found inputs with sizes ${formatList(input1.sizes)} and ${formatList(input2.sizes)}.`,
      );
    }
    const { sizes, values } = broadcastColumns([input1, input2]);
    const [a, b] = values as [Float64Array, Float64Array];
    const width = sizes[sizes.length - 1]!;
    const rows = sizes.slice(0, -1);
    const count = rows.reduce((x, y) => x * y, 1);
    const cosine = new Float64Array(count);
    for (let r = 0; r < count; r++) {
      let product = 0;
      let m1 = 1e-12; // torch's EPSILON
      let m2 = 1e-12;
      for (let i = r * width; i < (r + 1) * width; i++) {
        product += a[i]! * b[i]!;
        m1 += a[i]! * a[i]!;
        m2 += b[i]! * b[i]!;
      }
      cosine[r] = product / Math.sqrt(m1 * m2);
    }
    const dtype = floatResult(promoteTypes(input1.dtype, input2.dtype));
    const similarity = fromDoubles(cosine, rows, DTYPES.float64);
    const columns = broadcastColumns([similarity, target]);
    const y = columns.values[1]!;
    const out = columns.values[0]!.map((c, i) => (y[i] === 1 ? 1 - c : y[i] === -1 ? Math.max(c - margin, 0) : 0));
    return reduceLoss(out, columns.sizes, dtype, reduction, [target]);
  },
);

/** A result with the layout of an elementwise operator on `inputs`. */
export function elementwiseResult(
  values: Float64Array,
  sizes: readonly number[],
  dtype: DType,
  inputs: readonly Tensor[],
): Tensor {
  return withIteratorStrides(fromDoubles(values, sizes, dtype), inputs);
}
