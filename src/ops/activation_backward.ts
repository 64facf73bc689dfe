/** @file Gradients of activation functions, as operators. Upstream: aten/src/ATen/native/Activation.cpp, BinaryOps.cpp. Spec: none. */
import { op } from "../core/operator_registry.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { C, cmul, csigmoid } from "../tensor/math/complex.ts";
import { erf } from "../tensor/math/erf.ts";
import { map2, map3, notImplemented, type Kernel2 } from "../tensor/pointwise.ts";
import { resultType } from "../tensor/promotion.ts";
import { scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { copyElements } from "../tensor/copy.ts";
import { narrowView } from "../tensor/view_geometry.ts";
import { wrapDim } from "../tensor/strides.ts";
import { softplus, halves } from "./activation.ts";
import { kernelParameter } from "./unary.ts";

/** `f(grad, x)` in the common dtype. */
function gradient(grad: Tensor, self: Tensor, kernel: Kernel2): Tensor {
  const dtype = resultType(grad, self);
  if (dtype.category !== "float" && !(dtype.category === "complex" && kernel.complex))
    throw notImplemented(kernel.name, dtype);
  return map2(grad, self, kernel, dtype);
}

const number = scalarToNumber;

op("aten::sigmoid_backward(Tensor grad_output, Tensor output) -> Tensor", (grad, output) =>
  gradient(grad, output, {
    name: "sigmoid_backward_cpu",
    real: (g, y) => g * (1 - y) * y,
    complex: (gr, gi, yr, yi) => {
      // grad * conj((1 - y) * y)
      cmul(1 - yr, -yi, yr, yi);
      cmul(gr, gi, C.re, -C.im);
    },
  }),
);
op("aten::tanh_backward(Tensor grad_output, Tensor output) -> Tensor", (grad, output) =>
  gradient(grad, output, {
    name: "tanh_backward_cpu",
    real: (g, y) => g * (1 - y * y),
    complex: (gr, gi, yr, yi) => {
      cmul(yr, yi, yr, yi);
      cmul(gr, gi, 1 - C.re, C.im);
    },
  }),
);
op("aten::logit_backward(Tensor grad_output, Tensor self, float? eps=None) -> Tensor", (grad, self, eps) =>
  gradient(grad, self, {
    name: "logit_backward_cpu",
    real: (g, x) => {
      if (eps === null) return x < 0 || x > 1 ? NaN : g / (x * (1 - x));
      return x < eps || x > 1 - eps ? 0 : g / (x * (1 - x));
    },
  }),
);

const KAPPA = Math.sqrt(2 / Math.PI);
op(
  'aten::gelu_backward(Tensor grad_output, Tensor self, *, str approximate="none") -> Tensor',
  (grad, self, approximate) =>
    gradient(grad, self, {
      name: "GeluBackwardKernelImpl",
      real:
        approximate === "tanh"
          ? (g, x) => {
              const inner = KAPPA * (x + 0.044715 * x * x * x);
              const t = Math.tanh(inner);
              return g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * KAPPA * (1 + 3 * 0.044715 * x * x));
            }
          : (g, x) => g * (0.5 * (1 + erf(x * Math.SQRT1_2)) + x * Math.exp(-0.5 * x * x) * 0.3989422804014327),
    }),
);
op("aten::silu_backward(Tensor grad_output, Tensor self) -> Tensor", (grad, self) =>
  gradient(grad, self, {
    name: "silu_backward_cpu",
    real: (g, x) => {
      const s = 1 / (1 + Math.exp(-x));
      return g * s * (1 + x * (1 - s));
    },
    complex: (gr, gi, xr, xi) => {
      csigmoid(xr, xi);
      const [sr, si] = [C.re, C.im];
      cmul(xr, xi, 1 - sr, -si);
      cmul(sr, si, 1 + C.re, C.im);
      cmul(gr, gi, C.re, C.im);
    },
  }),
);
op("aten::mish_backward(Tensor grad_output, Tensor self) -> Tensor", (grad, self) =>
  gradient(grad, self, {
    name: "mish_backward_cpu",
    real: (g, x) => {
      const s = 1 / (1 + Math.exp(-x));
      const t = Math.tanh(softplus(x));
      return g * (t + x * s * (1 - t * t));
    },
  }),
);
/** PyTorch multiplies by a float32 constant, also in float64. */
const SIXTH = Math.fround(1 / 6);
op("aten::hardsigmoid_backward(Tensor grad_output, Tensor self) -> Tensor", (grad, self) =>
  gradient(grad, self, { name: "hardsigmoid_backward", real: (g, x) => (x > -3 && x < 3 ? g * SIXTH : 0) }),
);
op("aten::hardswish_backward(Tensor grad_output, Tensor self) -> Tensor", (grad, self) =>
  gradient(grad, self, {
    name: "hardswish_backward_cpu",
    real: (g, x) => (x <= -3 ? 0 : x < 3 ? g * (x / 3 + 0.5) : g),
  }),
);
op(
  "aten::hardtanh_backward(Tensor grad_output, Tensor self, Scalar min_val, Scalar max_val) -> Tensor",
  (grad, self, min, max) => {
    const lo = kernelParameter(self.dtype, number(min));
    const hi = kernelParameter(self.dtype, number(max));
    return gradient(grad, self, { name: "hardshrink_backward_cpu", real: (g, x) => (x <= lo || x >= hi ? 0 : g) });
  },
);
op(
  "aten::elu_backward(Tensor grad_output, Scalar alpha, Scalar scale, Scalar input_scale, bool is_result, Tensor self_or_result) -> Tensor",
  (grad, alpha, scale, inputScale, isResult, self) => {
    const negative = number(alpha) * number(scale);
    const positive = number(scale);
    const slope = number(inputScale);
    return gradient(grad, self, {
      name: "elu_backward_cpu",
      real: (g, x) =>
        isResult
          ? x <= 0
            ? g * slope * (x + negative)
            : g * positive
          : x <= 0
            ? g * slope * negative * Math.exp(x * slope)
            : g * positive,
    });
  },
);
op(
  "aten::leaky_relu_backward(Tensor grad_output, Tensor self, Scalar negative_slope, bool self_is_result) -> Tensor",
  (grad, self, slope) => {
    const s = kernelParameter(self.dtype, number(slope));
    return gradient(grad, self, { name: "leaky_relu_backward_cpu", real: (g, x) => (x > 0 ? g : g * s) });
  },
);
op(
  "aten::softplus_backward(Tensor grad_output, Tensor self, Scalar beta, Scalar threshold) -> Tensor",
  (grad, self, beta, threshold) => {
    const b = number(beta);
    const t = number(threshold);
    return gradient(grad, self, {
      name: "softplus_backward_cpu",
      real: (g, x) => {
        if (x * b > t) return g;
        const z = Math.exp(x * b);
        return (g * z) / (z + 1);
      },
    });
  },
);
function shrinkBackward(name: string) {
  return (grad: Tensor, self: Tensor, lambd: Scalar): Tensor => {
    const l = kernelParameter(self.dtype, number(lambd));
    return gradient(grad, self, { name, real: (g, x) => (x >= -l && x <= l ? 0 : g) });
  };
}
op(
  "aten::hardshrink_backward(Tensor grad_out, Tensor self, Scalar lambd) -> Tensor",
  shrinkBackward("shrink_backward_cpu"),
);
op(
  "aten::softshrink_backward(Tensor grad_output, Tensor self, Scalar lambd) -> Tensor",
  shrinkBackward("shrink_backward_cpu"),
);
op("aten::threshold_backward(Tensor grad_output, Tensor self, Scalar threshold) -> Tensor", (grad, self, threshold) => {
  const t = number(threshold);
  const dtype = resultType(grad, self);
  if (dtype === DTYPES.bool) throw notImplemented("threshold_cpu", dtype);
  return map2(
    grad,
    self,
    { name: "threshold_cpu", real: (g, x) => (x <= t ? 0 : g), big: (g, x) => (x <= BigInt(Math.trunc(t)) ? 0n : g) },
    dtype,
  );
});
op("aten::log_sigmoid_backward(Tensor grad_output, Tensor self, Tensor buffer) -> Tensor", (grad, self) =>
  gradient(grad, self, {
    name: "log_sigmoid_backward_cpu",
    real: (g, x) => {
      const z = Math.exp(-Math.abs(x));
      return g * (x < 0 ? 1 - z / (1 + z) : z / (1 + z));
    },
  }),
);
op(
  "aten::_prelu_kernel_backward(Tensor grad_output, Tensor self, Tensor weight) -> (Tensor, Tensor)",
  (grad, self, weight): [Tensor, Tensor] => {
    const { dtype } = self;
    return [
      map3(grad, self, weight, { name: "prelu_backward_cpu", real: (g, x, w) => (x > 0 ? g : w * g) }, dtype),
      map2(grad, self, { name: "prelu_backward_cpu", real: (g, x) => (x > 0 ? 0 : x * g) }, dtype),
    ];
  },
);
op(
  "aten::rrelu_with_noise_backward(Tensor grad_output, Tensor self, Tensor noise, Scalar lower, Scalar upper, bool training, bool self_is_result) -> Tensor",
  (grad, self, noise, lower, upper, training) => {
    if (training && number(upper) - number(lower) > 1e-6) {
      return map2(grad, noise, { name: "mul_cpu", real: (g, x) => g * x }, resultType(grad, noise));
    }
    const slope = (number(lower) + number(upper)) / 2;
    return gradient(grad, self, { name: "leaky_relu_backward_cpu", real: (g, x) => (x > 0 ? g : g * slope) });
  },
);
op("aten::glu_backward(Tensor grad_output, Tensor self, int dim) -> Tensor", (grad, self, dim) => {
  const [a, b] = halves(self, dim);
  const out = emptyTensor(self.sizes, self.dtype);
  const d = wrapDim(dim, self.ndim);
  const half = self.sizes[d]! / 2;
  const first = map2(grad, b, { name: "glu_backward_cpu", real: (g, x) => g / (1 + Math.exp(-x)) }, self.dtype);
  const second = map3(
    grad,
    a,
    b,
    {
      name: "glu_backward_cpu",
      real: (g, x, y) => {
        const s = 1 / (1 + Math.exp(-y));
        return g * x * s * (1 - s);
      },
    },
    self.dtype,
  );
  copyElements(narrowView(out, d, 0, half), first);
  copyElements(narrowView(out, d, half, half), second);
  return out;
});
