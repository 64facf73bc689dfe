/** @file Connectionist temporal classification loss. Upstream: aten/src/ATen/native/LossCTC.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { doublesOf, fromDoubles, indicesOf } from "../tensor/kernels/data.ts";
import { reduceLoss, REDUCTION } from "../tensor/kernels/loss.ts";
import { notImplemented } from "../tensor/pointwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { unsqueezeView } from "../tensor/view_geometry.ts";

const WHERE = "(while checking arguments for ctc_loss_allocate_outputs)";

interface CtcShape {
  readonly steps: number;
  readonly batch: number;
  readonly labels: number;
  readonly inputLengths: readonly number[];
  readonly targetLengths: readonly number[];
  /** Where each sample's targets start in the flat targets. */
  readonly offsets: readonly number[];
  readonly maxTarget: number;
}

function checkCtc(
  logProbs: Tensor,
  targets: Tensor,
  inputLengths: readonly number[],
  targetLengths: readonly number[],
  blank: number,
): CtcShape {
  if (logProbs.ndim !== 3) {
    throw new OperatorError(
      `Expected 3-dimensional tensor, but got ${logProbs.ndim}-dimensional tensor for argument #1 'log_probs' ${WHERE}`,
    );
  }
  const [steps, batch, labels] = logProbs.sizes as [number, number, number];
  if (logProbs.dtype !== DTYPES.float32 && logProbs.dtype !== DTYPES.float64)
    throw notImplemented("ctc_loss_cpu", logProbs.dtype);
  if (!(blank >= 0 && blank < labels)) throw new OperatorError("blank must be in label range");
  if (inputLengths.length !== batch) throw new OperatorError("input_lengths must be of size batch_size");
  if (targetLengths.length !== batch) throw new OperatorError("target_lengths must be of size batch_size");
  for (const length of targetLengths) {
    if (length < 0)
      throw new OperatorError(`Expected target_lengths to have value at least 0, but got value ${length} ${WHERE}`);
  }
  const maxTarget = Math.max(0, ...targetLengths);
  const offsets: number[] = [];
  if (targets.ndim === 1) {
    let at = 0;
    for (const length of targetLengths) {
      offsets.push(at);
      at += length;
    }
    if (targets.sizes[0] !== at) {
      throw new OperatorError(
        `Expected tensor to have size ${at} at dimension 0, but got size ${targets.sizes[0]} for argument #2 'targets' ${WHERE}`,
      );
    }
  } else {
    if (targets.sizes[0] !== batch) {
      throw new OperatorError(
        `Expected tensor to have size ${batch} at dimension 0, but got size ${targets.sizes[0]} for argument #2 'targets' ${WHERE}`,
      );
    }
    const width = targets.sizes[1]!;
    if (width < maxTarget) {
      throw new OperatorError(
        `Expected tensor to have size at least ${maxTarget} at dimension 1, but got size ${width} for argument #2 'targets' ${WHERE}`,
      );
    }
    for (let b = 0; b < batch; b++) offsets.push(b * width);
  }
  for (const length of inputLengths) {
    if (length < 0)
      throw new OperatorError(`Expected input_lengths to have value at least 0, but got value ${length} ${WHERE}`);
    if (length > steps)
      throw new OperatorError(
        `Expected input_lengths to have value at most ${steps}, but got value ${length} ${WHERE}`,
      );
  }
  return { steps, batch, labels, inputLengths, targetLengths, offsets, maxTarget };
}

function ctcForward(
  logProbs: Tensor,
  targets: Tensor,
  inputLengths: readonly number[],
  targetLengths: readonly number[],
  blank: number,
): [Tensor, Tensor] {
  const s = checkCtc(logProbs, targets, inputLengths, targetLengths, blank);
  const x = doublesOf(logProbs);
  const y = indicesOf(targets);
  const width = 2 * s.maxTarget + 1;
  const alpha = new Float64Array(s.batch * s.steps * width).fill(-Infinity);
  const losses = new Float64Array(s.batch);
  for (let b = 0; b < s.batch; b++) {
    const length = s.inputLengths[b]!;
    const states = 2 * s.targetLengths[b]! + 1;
    // the label of state i: blanks stand between, before and behind the targets
    const label = (i: number): number => (i % 2 === 0 ? blank : y[s.offsets[b]! + (i >> 1)]!);
    const logProb = (t: number, i: number): number => x[(t * s.batch + b) * s.labels + label(i)]!;
    if (length === 0) {
      losses[b] = s.targetLengths[b] === 0 ? -0 : Infinity;
      continue;
    }
    const row = (t: number): number => (b * s.steps + t) * width;
    alpha[row(0)] = logProb(0, 0);
    if (states > 1) alpha[row(0) + 1] = logProb(0, 1);
    for (let t = 1; t < length; t++) {
      for (let i = 0; i < states; i++) {
        const stay = alpha[row(t - 1) + i]!;
        const step = i > 0 ? alpha[row(t - 1) + i - 1]! : -Infinity;
        const skip = i > 1 && label(i) !== label(i - 2) ? alpha[row(t - 1) + i - 2]! : -Infinity;
        alpha[row(t) + i] = logSum(stay, step, skip) + logProb(t, i);
      }
    }
    const end = row(length - 1) + states - 1;
    losses[b] = -(states === 1 ? alpha[end]! : logSum(alpha[end]!, alpha[end - 1]!, -Infinity));
  }
  return [
    fromDoubles(losses, [s.batch], logProbs.dtype),
    fromDoubles(alpha, [s.batch, s.steps, width], logProbs.dtype),
  ];
}

function logSum(a: number, b: number, c: number): number {
  const max = Math.max(a, b, c);
  if (max === -Infinity) return -Infinity;
  return max + Math.log(Math.exp(a - max) + Math.exp(b - max) + Math.exp(c - max));
}

function lengthsOf(lengths: Tensor, name: string): number[] {
  if (lengths.dtype.category !== "int" && lengths.dtype.category !== "bool")
    throw new OperatorError(`${name} must be integral`);
  return Array.from(indicesOf(lengths));
}

function ctcLoss(
  logProbs: Tensor,
  targets: Tensor,
  inputLengths: readonly number[],
  targetLengths: readonly number[],
  blank: number,
  reduction: number,
  zeroInfinity: boolean,
): Tensor {
  const batched = logProbs.ndim === 3;
  const probs = batched ? logProbs : unsqueezeView(logProbs, 1);
  const [lossTensor] = ctcForward(probs, targets, inputLengths, targetLengths, blank);
  const losses = Float64Array.from(doublesOf(lossTensor));
  if (zeroInfinity) for (let i = 0; i < losses.length; i++) if (losses[i] === Infinity) losses[i] = 0;
  if (reduction === REDUCTION.mean) {
    for (let i = 0; i < losses.length; i++) losses[i]! /= Math.max(targetLengths[i]!, 1);
  }
  return reduceLoss(losses, batched ? [losses.length] : [], logProbs.dtype, reduction, []);
}

op(
  "aten::_ctc_loss(Tensor log_probs, Tensor targets, int[] input_lengths, int[] target_lengths, int blank=0, bool zero_infinity=False) -> (Tensor, Tensor)",
  (logProbs, targets, inputLengths, targetLengths, blank) =>
    ctcForward(logProbs, targets, inputLengths, targetLengths, blank),
);
op(
  "aten::_ctc_loss.Tensor(Tensor log_probs, Tensor targets, Tensor input_lengths, Tensor target_lengths, int blank=0, bool zero_infinity=False) -> (Tensor, Tensor)",
  (logProbs, targets, inputLengths, targetLengths, blank) =>
    ctcForward(
      logProbs,
      targets,
      lengthsOf(inputLengths, "input_lengths"),
      lengthsOf(targetLengths, "target_lengths"),
      blank,
    ),
);
op(
  "aten::ctc_loss.IntList(Tensor log_probs, Tensor targets, int[] input_lengths, int[] target_lengths, int blank=0, int reduction=1, bool zero_infinity=False) -> Tensor",
  ctcLoss,
);
op(
  "aten::ctc_loss.Tensor(Tensor log_probs, Tensor targets, Tensor input_lengths, Tensor target_lengths, int blank=0, int reduction=1, bool zero_infinity=False) -> Tensor",
  (logProbs, targets, inputLengths, targetLengths, blank, reduction, zeroInfinity) =>
    ctcLoss(
      logProbs,
      targets,
      lengthsOf(inputLengths, "input_lengths"),
      lengthsOf(targetLengths, "target_lengths"),
      blank,
      reduction,
      zeroInfinity,
    ),
);
