/** @file Dropout and its kin. Upstream: aten/src/ATen/native/Dropout.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { convertTensor, emptyLike } from "../tensor/clone.ts";
import { copyInto } from "../tensor/copy.ts";
import { toFloat64Array } from "../tensor/data.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { boxFloat } from "../tensor/scalar.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { add, addScalar, divScalar, mul, mulScalar } from "./arithmetic.ts";
import { ones, ones_like, zeros, zeros_like } from "./creation.ts";
import { bernoulli_, bernoulliInto } from "./random.ts";

/** Noise that drops whole channels: one value for each of the first two dimensions. */
function featureNoise(input: Tensor): Tensor {
  if (input.ndim < 2) throw new OperatorError("Feature dropout requires at least 2 dimensions in the input");
  return emptyTensor([input.sizes[0]!, input.sizes[1]!, ...new Array<number>(input.ndim - 2).fill(1)], input.dtype);
}

const ALPHA = 1.7580993408473766; // SELU's negative saturation

function dropped(input: Tensor, p: number, train: boolean, feature: boolean, alpha: boolean): Tensor {
  if (!(p >= 0 && p <= 1)) throw new OperatorError(`dropout probability has to be between 0 and 1, but got ${p}`);
  if (p === 0 || !train || input.numel === 0) return input;
  if (p === 1) return mul(input, zeros([], input.dtype.id));
  const noise = feature ? featureNoise(input) : emptyLike(input);
  if (!alpha) {
    const kept = divScalar(ones([], input.dtype.id), 1 - p);
    return mul(input, bernoulliInto(noise, 1 - p, null, toFloat64Array(kept)[0]));
  }
  bernoulliInto(noise, 1 - p, null);
  // keeps mean and variance of SELU activations: dropped units sit at the negative saturation
  const a = 1 / Math.sqrt((ALPHA * ALPHA * p + 1) * (1 - p));
  const shift = addScalar(mulScalar(addScalar(noise, -1), ALPHA * a), ALPHA * a * p);
  return add(mul(input, mulScalar(noise, a)), shift);
}

function inPlace(self: Tensor, result: Tensor): Tensor {
  if (result !== self) copyInto(self, result);
  return self;
}

export const dropout = op("aten::dropout(Tensor input, float p, bool train) -> Tensor", (input, p, train) =>
  dropped(input, p, train, false, false),
);
op("aten::dropout_(Tensor(a!) self, float p, bool train) -> Tensor(a!)", (self, p, train) =>
  inPlace(self, dropped(self, p, train, false, false)),
);
op("aten::feature_dropout(Tensor input, float p, bool train) -> Tensor", (input, p, train) =>
  dropped(input, p, train, true, false),
);
op("aten::feature_dropout_(Tensor(a!) self, float p, bool train) -> Tensor(a!)", (self, p, train) =>
  inPlace(self, dropped(self, p, train, true, false)),
);
op("aten::alpha_dropout(Tensor input, float p, bool train) -> Tensor", (input, p, train) =>
  dropped(input, p, train, false, true),
);
op("aten::alpha_dropout_(Tensor(a!) self, float p, bool train) -> Tensor(a!)", (self, p, train) =>
  inPlace(self, dropped(self, p, train, false, true)),
);
op("aten::feature_alpha_dropout(Tensor input, float p, bool train) -> Tensor", (input, p, train) =>
  dropped(input, p, train, true, true),
);
op("aten::feature_alpha_dropout_(Tensor(a!) self, float p, bool train) -> Tensor(a!)", (self, p, train) =>
  inPlace(self, dropped(self, p, train, true, true)),
);

op(
  "aten::native_dropout(Tensor input, float p, bool? train) -> (Tensor, Tensor)",
  (input, p, train): [Tensor, Tensor] => {
    if (input.numel === 0) return [input, emptyLike(input)];
    if (p === 0 || train === false) return [mulScalar(input, 1), ones_like(input, DTYPES.bool.id)];
    if (p === 1) return [zeros_like(input), zeros_like(input, DTYPES.bool.id)];
    const mask = bernoulli_(emptyLike(input, DTYPES.bool), 1 - p);
    return [mulScalar(mul(input, mask), boxFloat(1 / (1 - p))), mask];
  },
);
op("aten::native_dropout_backward(Tensor grad_output, Tensor mask, float scale) -> Tensor", (grad, mask, scale) =>
  mul(grad, mulScalar(convertTensor(mask, grad.dtype), boxFloat(scale))),
);
