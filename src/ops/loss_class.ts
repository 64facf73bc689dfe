/** @file Losses against class indices: negative log likelihood, cross entropy, margin losses. Upstream: aten/src/ATen/native/LossNLL.cpp, LossNLL2d.cpp, LossMultiMargin.cpp, LossMultiLabelMargin.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { computeDtype, doublesOf, floatsAs, fromDoubles, indicesOf, type Floats } from "../tensor/kernels/data.ts";
import { REDUCTION, reduceLoss, roundAs, sumOf } from "../tensor/kernels/loss.ts";
import { notImplemented } from "../tensor/pointwise.ts";
import { resultType } from "../tensor/promotion.ts";
import { scalarToNumber } from "../tensor/scalar.ts";
import { sameSizes } from "../tensor/strides.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { formatList } from "../tensor/view_geometry.ts";
import { requireDtype } from "./operands.ts";
import { log_softmax } from "./softmax.ts";
import { reshapeTensor } from "./views.ts";

/** Losses per target of (outer, classes, inner) inputs, and the sum of the weights that counted. */
function nllParts(
  x: Floats,
  target: Float64Array,
  weight: Float64Array | undefined,
  [outer, classes, inner]: readonly [number, number, number],
  ignoreIndex: number,
): { losses: Float64Array; totalWeight: number } {
  const losses = new Float64Array(outer * inner);
  let totalWeight = 0;
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const at = o * inner + i;
      const c = target[at]!;
      if (c === ignoreIndex) continue;
      if (!(c >= 0 && c < classes)) throw new OperatorError(`Target ${c} is out of bounds.`);
      const w = weight ? weight[c]! : 1;
      losses[at] = -x[(o * classes + c) * inner + i]! * w;
      totalWeight += w;
    }
  }
  return { losses, totalWeight };
}

function checkTargetDtype(target: Tensor): void {
  if (target.dtype !== DTYPES.int64 && target.dtype !== DTYPES.uint8) {
    throw new OperatorError(`expected target dtype to be Long or Byte, but got ${target.dtype.cppName}`);
  }
}

function checkKernel(name: string, self: Tensor, weight: Tensor | null): void {
  if (self.dtype.category !== "float") throw notImplemented(name, self.dtype);
  requireDtype(self.dtype, weight);
}

function nllForward(
  self: Tensor,
  target: Tensor,
  weight: Tensor | null,
  reduction: number,
  ignoreIndex: number,
): [Tensor, Tensor] {
  if (self.ndim === 0 || self.ndim > 2) throw new OperatorError("input tensor should be 1D or 2D");
  if (target.ndim > 1) throw new OperatorError("0D or 1D target tensor expected, multi-target not supported");
  const noBatch = self.ndim === 1 && target.ndim === 0;
  if (!noBatch && self.sizes[0] !== target.sizes[0]) {
    throw new OperatorError(
      `size mismatch (got input: ${formatList(self.sizes)}, target: ${formatList(target.sizes)})`,
    );
  }
  const classes = self.sizes[self.ndim - 1]!;
  if (weight && !(weight.ndim === 1 && weight.numel === classes)) {
    throw new OperatorError(
      `weight tensor should be defined either for all ${classes} classes or no classes but got weight tensor of shape: ${formatList(weight.sizes)}`,
    );
  }
  checkTargetDtype(target);
  checkKernel("nll_loss_out_frame", self, weight);
  const outer = self.ndim === 1 ? 1 : self.sizes[0]!;
  const parts = nllParts(
    floatsAs(self, computeDtype(self.dtype)),
    indicesOf(target),
    weight ? doublesOf(weight) : undefined,
    [outer, classes, 1],
    ignoreIndex,
  );
  if (reduction === REDUCTION.none && self.ndim === 2) {
    return [fromDoubles(parts.losses, [outer], self.dtype), fromDoubles([0], [], self.dtype)];
  }
  // a single sample sums like a batch of one; its "mean" divides by its own weight
  const sum = sumOf(parts.losses);
  const result = reduction === REDUCTION.mean ? sum / parts.totalWeight : sum;
  return [fromDoubles([result], [], self.dtype), fromDoubles([parts.totalWeight], [], self.dtype)];
}

function nllForward2d(
  self: Tensor,
  target: Tensor,
  weight: Tensor | null,
  reduction: number,
  ignoreIndex: number,
): [Tensor, Tensor] {
  if (target.ndim !== 3) {
    throw new OperatorError(
      `only batches of spatial targets supported (3D tensors) but got targets of dimension: ${target.ndim}`,
    );
  }
  if (self.ndim !== 4)
    throw new OperatorError(
      `only batches of spatial inputs supported (4D tensors), but got input of dimension: ${self.ndim}`,
    );
  const [n, classes, h, w] = self.sizes as [number, number, number, number];
  if (weight && weight.numel !== classes)
    throw new OperatorError("weight tensor should be defined either for all or no classes");
  if (n !== target.sizes[0] || h !== target.sizes[1] || w !== target.sizes[2]) {
    throw new OperatorError(
      `size mismatch (got input: ${formatList(self.sizes)} , target: ${formatList(target.sizes)}`,
    );
  }
  checkTargetDtype(target);
  checkKernel("nll_loss2d_forward_out_frame", self, weight);
  const parts = nllParts(
    floatsAs(self, computeDtype(self.dtype)),
    indicesOf(target),
    weight ? doublesOf(weight) : undefined,
    [n, classes, h * w],
    ignoreIndex,
  );
  if (reduction === REDUCTION.none)
    return [fromDoubles(parts.losses, [n, h, w], self.dtype), fromDoubles([0], [], self.dtype)];
  const sum = sumOf(parts.losses);
  const result = reduction === REDUCTION.mean ? sum / parts.totalWeight : sum;
  return [fromDoubles([result], [], self.dtype), fromDoubles([parts.totalWeight], [], self.dtype)];
}

op(
  "aten::nll_loss_forward(Tensor self, Tensor target, Tensor? weight, int reduction, SymInt ignore_index) -> (Tensor output, Tensor total_weight)",
  nllForward,
);
op(
  "aten::nll_loss2d_forward(Tensor self, Tensor target, Tensor? weight, int reduction, SymInt ignore_index) -> (Tensor output, Tensor total_weight)",
  nllForward2d,
);
export const nll_loss = op(
  "aten::nll_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt ignore_index=-100) -> Tensor",
  (self, target, weight, reduction, ignoreIndex) => nllForward(self, target, weight, reduction, ignoreIndex)[0],
);
op(
  "aten::nll_loss2d(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt ignore_index=-100) -> Tensor",
  (self, target, weight, reduction, ignoreIndex) => nllForward2d(self, target, weight, reduction, ignoreIndex)[0],
);

function nllNd(self: Tensor, target: Tensor, weight: Tensor | null, reduction: number, ignoreIndex: number): Tensor {
  if (self.ndim < 1) throw new OperatorError(`Expected 1 or more dimensions (got ${self.ndim})`);
  if (self.ndim !== 1 && self.sizes[0] !== (target.sizes[0] ?? 1)) {
    throw new OperatorError(
      `Expected input batch_size (${self.sizes[0]}) to match target batch_size (${target.sizes[0]}).`,
    );
  }
  if (self.ndim <= 2) return nll_loss(self, target, weight, reduction, ignoreIndex);
  const spatial = self.sizes.slice(2);
  const expected = [self.sizes[0]!, ...spatial];
  if (self.ndim !== 4 && (target.ndim !== expected.length || expected.some((s, d) => s !== target.sizes[d]))) {
    throw new OperatorError(`Expected target size ${formatList(expected)}, got ${formatList(target.sizes)}`);
  }
  if (self.ndim === 4) return nllForward2d(self, target, weight, reduction, ignoreIndex)[0];
  const [n, c] = [self.sizes[0]!, self.sizes[1]!];
  const inner = spatial.reduce((a, b) => a * b, 1);
  const flat = nllForward2d(
    reshapeTensor(self, [n, c, 1, inner]),
    reshapeTensor(target, [n, 1, inner]),
    weight,
    reduction,
    ignoreIndex,
  )[0];
  return reduction === REDUCTION.none ? reshapeTensor(flat, expected) : flat;
}

export const nll_loss_nd = op(
  "aten::nll_loss_nd(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt ignore_index=-100) -> Tensor",
  nllNd,
);

export const cross_entropy_loss = op(
  "aten::cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt ignore_index=-100, float label_smoothing=0.) -> Tensor",
  (self, target, weight, reduction, ignoreIndex, smoothing) => {
    const hasProbabilities = sameSizes(self.sizes, target.sizes);
    if (hasProbabilities) {
      if (target.dtype.category !== "float") {
        throw new OperatorError(
          `Expected floating point type for target with class probabilities, got ${target.dtype.cppName}`,
        );
      }
      if (ignoreIndex >= 0) throw new OperatorError("ignore_index is not supported for floating point target");
    } else if (!(smoothing >= 0 && smoothing <= 1)) {
      throw new OperatorError(`label_smoothing must be between 0.0 and 1.0. Got: ${smoothing}`);
    }
    if (self.dtype.category !== "float") throw notImplemented("log_softmax_lastdim_kernel_impl", self.dtype);
    const classDim = self.ndim === 1 ? 0 : 1;
    if (self.ndim < 1) throw new OperatorError(`Expected 1 or more dimensions (got ${self.ndim})`);
    const outer = classDim === 0 ? 1 : self.sizes[0]!;
    const classes = self.sizes[classDim]!;
    const rest = self.sizes.slice(classDim + 1);
    const inner = rest.reduce((a, b) => a * b, 1);
    const logits = log_softmax(self, classDim, null);
    const shape = [outer, classes, inner] as const;
    if (hasProbabilities) return probabilityLoss(self, target, weight, reduction, smoothing, doublesOf(logits), shape);
    const loss = nllNd(logits, target, weight, reduction, ignoreIndex);
    return smoothing === 0
      ? loss
      : smoothedLoss(loss, self, target, weight, reduction, ignoreIndex, smoothing, doublesOf(logits), shape);
  },
);

type Shape3 = readonly [number, number, number];

function probabilityLoss(
  self: Tensor,
  target: Tensor,
  weight: Tensor | null,
  reduction: number,
  smoothing: number,
  logits: Float64Array,
  [outer, classes, inner]: Shape3,
): Tensor {
  if (weight && !(weight.ndim === 1 && weight.numel === classes)) {
    throw new OperatorError(
      `cross_entropy: weight tensor should be defined either for all ${classes} classes or no classes but got weight tensor of shape: ${formatList(weight.sizes)}`,
    );
  }
  const y = doublesOf(target);
  const w = weight ? doublesOf(weight) : undefined;
  const losses = new Float64Array(outer * inner);
  for (let o = 0; o < outer; o++) {
    for (let c = 0; c < classes; c++) {
      for (let i = 0; i < inner; i++) {
        const at = (o * classes + c) * inner + i;
        const p = smoothing > 0 ? roundAs(target.dtype, y[at]! * (1 - smoothing) + smoothing / classes) : y[at]!;
        losses[o * inner + i]! -= logits[at]! * p * (w ? w[c]! : 1);
      }
    }
  }
  const sizes = self.ndim === 1 ? [] : [self.sizes[0]!, ...self.sizes.slice(2)];
  const dtype = resultType(self, target, ...(weight ? [weight] : []));
  return reduceLoss(losses, sizes, dtype, reduction, []);
}

/** Adds the share of the uniform distribution to a loss. */
function smoothedLoss(
  nll: Tensor,
  self: Tensor,
  target: Tensor,
  weight: Tensor | null,
  reduction: number,
  ignoreIndex: number,
  smoothing: number,
  logits: Float64Array,
  [outer, classes, inner]: Shape3,
): Tensor {
  const w = weight ? doublesOf(weight) : undefined;
  const t = indicesOf(target);
  const smooth = new Float64Array(outer * inner);
  let used = 0;
  let weightSum = 0;
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const at = o * inner + i;
      if (t[at] === ignoreIndex) continue;
      used++;
      weightSum += w ? (w[t[at]!] ?? 0) : 0;
      for (let c = 0; c < classes; c++) smooth[at]! -= logits[(o * classes + c) * inner + i]! * (w ? w[c]! : 1);
    }
  }
  const plain = doublesOf(nll);
  const share = smoothing / classes;
  if (reduction === REDUCTION.none) {
    return fromDoubles(
      smooth.map((s, i) => (1 - smoothing) * plain[i]! + s * share),
      nll.sizes,
      self.dtype,
    );
  }
  const sum = sumOf(smooth);
  const reduced = reduction === REDUCTION.sum ? sum : w ? sum / weightSum : sum / used;
  return fromDoubles([(1 - smoothing) * plain[0]! + reduced * share], [], self.dtype);
}

op(
  "aten::multi_margin_loss(Tensor self, Tensor target, Scalar p=1, Scalar margin=1, Tensor? weight=None, int reduction=1) -> Tensor",
  (self, target, pIn, marginIn, weight, reduction) => {
    const p = scalarToNumber(pIn);
    const margin = scalarToNumber(marginIn);
    if (p !== 1 && p !== 2) throw new OperatorError("only p == 1 and p == 2 supported");
    const n = self.ndim <= 1 ? 1 : self.sizes[0]!;
    const dim = self.ndim === 0 ? 1 : self.sizes[self.ndim - 1]!;
    if (self.ndim > 2 || (self.ndim === 1 && self.sizes[0] === 0) || (self.ndim === 2 && self.sizes[1] === 0)) {
      throw new OperatorError(
        `Expected non-empty vector or matrix with optional 0-dim batch size, but got: ${formatList(self.sizes)}`,
      );
    }
    if (target.ndim > 1 || target.numel !== n) {
      throw new OperatorError(
        `multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch size). Expected target size [${n}], but got ${formatList(target.sizes)}. Input has shape ${formatList(self.sizes)}.`,
      );
    }
    if (weight && !(weight.ndim <= 1 && weight.numel === dim)) {
      throw new OperatorError(`inconsistent weight size, expected ${dim} but got ${formatList(weight.sizes)}`);
    }
    if (self.dtype !== DTYPES.float32 && self.dtype !== DTYPES.float64)
      throw notImplemented("multi_margin_loss_cpu_kernel", self.dtype);
    if (target.dtype !== DTYPES.int64)
      throw new OperatorError(`expected scalar type Long but found ${target.dtype.cppName}`);
    requireDtype(self.dtype, weight);
    const x = doublesOf(self);
    const y = indicesOf(target);
    const w = weight ? doublesOf(weight) : undefined;
    const losses = new Float64Array(n);
    for (let r = 0; r < n; r++) {
      const t = y[r]!;
      if (!(t >= 0 && t < dim)) throw new OperatorError("target out of range");
      let sum = 0;
      for (let d = 0; d < dim; d++) {
        if (d === t) continue;
        const z = margin - x[r * dim + t]! + x[r * dim + d]!;
        if (z > 0) sum += (p === 1 ? z : z * z) * (w ? w[t]! : 1);
      }
      losses[r] = sum / dim;
    }
    return reduceLoss(losses, target.sizes, self.dtype, reduction, []);
  },
);

function multilabelMargin(self: Tensor, target: Tensor, reduction: number): [Tensor, Tensor] {
  if (self.ndim > 2 || (self.ndim === 1 && self.sizes[0] === 0) || (self.ndim === 2 && self.sizes[1] === 0)) {
    throw new OperatorError(
      `Expected non-empty vector or matrix with optional 0-dim batch size, but got: ${formatList(self.sizes)}`,
    );
  }
  const n = self.ndim <= 1 ? 1 : self.sizes[0]!;
  const dim = self.ndim === 0 ? 1 : self.sizes[self.ndim - 1]!;
  const fits =
    self.ndim <= 1
      ? target.ndim <= 1 && target.numel === dim
      : target.ndim === 2 && target.sizes[0] === n && target.sizes[1] === dim;
  if (!fits)
    throw new OperatorError(
      `inconsistent target size: ${formatList(target.sizes)} for input of size: ${formatList(self.sizes)}`,
    );
  if (self.dtype !== DTYPES.float32 && self.dtype !== DTYPES.float64)
    throw notImplemented("multilabel_margin_loss_forward_out_frame", self.dtype);
  if (target.dtype !== DTYPES.int64)
    throw new OperatorError(`expected scalar type Long but found ${target.dtype.cppName}`);
  const x = doublesOf(self);
  const y = indicesOf(target);
  for (const t of y) if (!(t >= -1 && t < dim)) throw new OperatorError("argument #2 'target' is out of range");
  const isTarget = new Float64Array(x.length);
  const losses = new Float64Array(n);
  for (let r = 0; r < n; r++) {
    const labels: number[] = [];
    for (let d = 0; d < dim && y[r * dim + d]! >= 0; d++) labels.push(y[r * dim + d]!);
    for (const t of labels) isTarget[r * dim + t] = 1;
    let sum = 0;
    for (const t of labels) {
      for (let d = 0; d < dim; d++) {
        if (isTarget[r * dim + d]) continue;
        const z = 1 - x[r * dim + t]! + x[r * dim + d]!;
        if (z > 0) sum += z;
      }
    }
    losses[r] = sum / dim;
  }
  const rows = self.ndim <= 1 ? [] : [n];
  return [reduceLoss(losses, rows, self.dtype, reduction, []), fromDoubles(isTarget, target.sizes, self.dtype)];
}

op(
  "aten::multilabel_margin_loss_forward(Tensor self, Tensor target, int reduction) -> (Tensor output, Tensor is_target)",
  multilabelMargin,
);
op(
  "aten::multilabel_margin_loss(Tensor self, Tensor target, int reduction=1) -> Tensor",
  (self, target, reduction) => multilabelMargin(self, target, reduction)[0],
);
