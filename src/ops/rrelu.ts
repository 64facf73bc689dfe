/** @file Randomized leaky ReLU: random slopes in training, their mean in evaluation. Upstream: aten/src/ATen/native/Activation.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { emptyLike } from "../tensor/clone.ts";
import { copyElements, writeInplaceResult } from "../tensor/copy.ts";
import { fromFloat64Array, toFloat64Array } from "../tensor/data.ts";
import { defaultGenerator, type Generator } from "../tensor/generator.ts";
import { notImplemented } from "../tensor/pointwise.ts";
import { scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { floatsOnly } from "./activation.ts";
import { kernelParameter } from "./unary.ts";

function rrelu(
  self: Tensor,
  noise: Tensor,
  lower: Scalar,
  upper: Scalar,
  training: boolean,
  generator: Generator | null,
): Tensor {
  const lo = scalarToNumber(lower);
  const hi = scalarToNumber(upper);
  if (lo > hi) throw new OperatorError("Lower bound should be less than or equal to the upper bound");
  if (!training) {
    const slope = kernelParameter(self.dtype, (lo + hi) / 2);
    return floatsOnly(self, { name: "leaky_relu_cpu", real: (x) => (x > 0 ? x : x * slope) });
  }
  if (self.dtype.category !== "float") throw notImplemented("rrelu_with_noise_out_cpu", self.dtype);
  const source = generator ?? defaultGenerator;
  const x = toFloat64Array(self);
  const slopes = new Float64Array(x.length);
  for (let i = 0; i < x.length; i++) {
    // only elements that are not positive draw a number
    const r = x[i]! <= 0 ? kernelParameter(self.dtype, lo + source.uniformDouble() * (hi - lo)) : 1;
    slopes[i] = r;
    x[i] = x[i]! * r;
  }
  copyElements(noise, fromFloat64Array(slopes, self.sizes, noise.dtype));
  return fromFloat64Array(x, self.sizes, self.dtype);
}

op(
  "aten::rrelu(Tensor self, Scalar lower=0.125, Scalar upper=0.33333333333333331, bool training=False, Generator? generator=None) -> Tensor",
  (self, lower, upper, training, generator) => rrelu(self, emptyLike(self), lower, upper, training, generator),
);
op(
  "aten::rrelu_with_noise(Tensor self, Tensor(b!) noise, Scalar lower=0.125, Scalar upper=0.33333333333333331, bool training=False, Generator? generator=None) -> Tensor",
  rrelu,
);
op(
  "aten::rrelu_with_noise_(Tensor(a!) self, Tensor(b!) noise, Scalar lower=0.125, Scalar upper=0.33333333333333331, bool training=False, Generator? generator=None) -> Tensor(a!)",
  (self, noise, lower, upper, training, generator) => {
    writeInplaceResult(self, rrelu(self, noise, lower, upper, training, generator));
    return self;
  },
);
op(
  "aten::rrelu_with_noise_functional(Tensor self, Tensor noise, Scalar lower=0.125, Scalar upper=0.33333333333333331, bool training=False, Generator? generator=None) -> (Tensor, Tensor noise_out)",
  (self, noise, lower, upper, training, generator): [Tensor, Tensor] => {
    const out = emptyLike(noise);
    copyElements(out, noise);
    return [rrelu(self, out, lower, upper, training, generator), out];
  },
);
