/** @file Activation functions. Upstream: aten/src/ATen/native/Activation.cpp, cpu/Activation.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { isReducedFloat } from "./operands.ts";
import { checkedScalar } from "./scalar_checks.ts";
import { op } from "../core/operator_registry.ts";
import { onlyElement } from "../tensor/data.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { BINARY } from "../tensor/kernels/binary.ts";
import { UNARY } from "../tensor/kernels/unary.ts";
import { vectorLoop, wasmElu, wasmLeakyRelu, wasmReplace } from "../tensor/kernels/wasm/vectors.ts";
import { C, cmul, csigmoid } from "../tensor/math/complex.ts";
import { erf } from "../tensor/math/erf.ts";
import { floatExp } from "../tensor/math/float_exp.ts";
import { floatSoftplus } from "../tensor/math/float_log.ts";
import { asMap, map1, map2, notImplemented, type Kernel1, type Loop1 } from "../tensor/pointwise.ts";
import { wrapDim } from "../tensor/strides.ts";
import { normalizeInt, scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import { viewOf, type Tensor } from "../tensor/tensor.ts";
import { narrowView } from "../tensor/view_geometry.ts";
import { clamp } from "./ternary.ts";
import { kernelParameter, roundingOf } from "./unary.ts";

/** Applies a kernel that exists for floating dtypes only. */
export function floatsOnly(self: Tensor, kernel: Kernel1): Tensor {
  const { category } = self.dtype;
  if (category !== "float" && !(category === "complex" && kernel.complex && self.dtype !== DTYPES.complex32)) {
    throw notImplemented(kernel.name, self.dtype);
  }
  return map1(self, kernel);
}

/** An operator that is such a kernel. */
function floatMap(kernel: Kernel1): (self: Tensor) => Tensor {
  return asMap((self) => floatsOnly(self, kernel));
}

/** A kernel parameter in the tensor's computing precision. */
function parameter(self: Tensor, value: Scalar): number {
  return kernelParameter(self.dtype, scalarToNumber(value));
}

export const relu = op(
  "aten::relu(Tensor self) -> Tensor",
  asMap((self: Tensor) => {
    if (self.dtype === DTYPES.bool) throw new OperatorError("Boolean inputs not supported for relu");
    if (self.dtype.category === "complex") throw new OperatorError("clamp is not supported for complex types");
    return map1(self, UNARY.relu);
  }),
);

op(
  "aten::relu6(Tensor self) -> Tensor",
  asMap((self: Tensor) => {
    if (self.dtype === DTYPES.bool) throw new OperatorError("Bool inputs not supported for hardtanh");
    return clamp(self, 0, 6);
  }),
);

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
const gelu = (x: number): number => 0.5 * x * (1 + erf(x * Math.SQRT1_2));
const geluLoop: Loop1 = (out, o, a, ai, n) => {
  for (let i = 0; i < n; i++) {
    const x = a[ai + i]!;
    out[o + i] = 0.5 * x * (1 + erf(x * Math.SQRT1_2));
  }
};
const geluTanh = (x: number): number => 0.5 * x * (1 + Math.tanh(SQRT_2_OVER_PI * (x + 0.044715 * x * x * x)));
const geluTanhLoop: Loop1 = (out, o, a, ai, n) => {
  for (let i = 0; i < n; i++) out[o + i] = geluTanh(a[ai + i]!);
};
const GELU: Readonly<Record<string, Kernel1>> = {
  none: { name: "GeluKernelImpl", real: gelu, f32: vectorLoop("gelu", geluLoop) },
  tanh: { name: "GeluKernelImpl", real: geluTanh, f32: vectorLoop("geluTanh", geluTanhLoop) },
};

/** The kernel for an `approximate` argument. */
function geluKernel(approximate: string): Kernel1 {
  const kernel = GELU[approximate];
  if (!kernel) throw new OperatorError("approximate argument must be either none or tanh.");
  return kernel;
}
op(
  'aten::gelu(Tensor self, *, str approximate="none") -> Tensor',
  asMap((self: Tensor, approximate: string) => floatsOnly(self, geluKernel(approximate))),
);

const SILU: Kernel1 = {
  name: "silu_cpu",
  real: (x) => x / (1 + Math.exp(-x)),
  complex: (r, i) => {
    csigmoid(r, i);
    cmul(C.re, C.im, r, i);
  },
  f32: vectorLoop("silu", (out, o, a, ai, n) => {
    for (let i = 0; i < n; i++) {
      const x = a[ai + i]!;
      out[o + i] = x / (1 + Math.exp(-x));
    }
  }),
};
op("aten::silu(Tensor self) -> Tensor", floatMap(SILU));
/** log(1 + exp(x)) without overflow. */
export function softplus(x: number): number {
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));
}
const mish = (x: number): number => x * Math.tanh(softplus(x));
const mishLoop: Loop1 = (out, o, a, ai, n) => {
  for (let i = 0; i < n; i++) out[o + i] = mish(a[ai + i]!);
};
const MISH: Kernel1 = { name: "mish_cpu", real: mish, f32: vectorLoop("mish", mishLoop) };
op("aten::mish(Tensor self) -> Tensor", floatMap(MISH));

// loops of float32 round every step, as PyTorch's vectors and the kernels do
const { fround } = Math;
const hardsigmoidLoop: Loop1 = (out, o, a, ai, n) => {
  for (let i = 0; i < n; i++) out[o + i] = Math.min(Math.max(fround(a[ai + i]! + 3), 0), 6) / 6;
};
const hardswishLoop: Loop1 = (out, o, a, ai, n) => {
  for (let i = 0; i < n; i++) {
    const x = a[ai + i]!;
    out[o + i] = fround(x * Math.min(Math.max(fround(x + 3), 0), 6)) / 6;
  }
};
const HARDSIGMOID: Kernel1 = {
  name: "hardsigmoid_cpu",
  real: (x) => Math.min(Math.max(x + 3, 0), 6) / 6,
  f32: vectorLoop("hardsigmoid", hardsigmoidLoop),
};
op("aten::hardsigmoid(Tensor self) -> Tensor", floatMap(HARDSIGMOID));
const HARDSWISH: Kernel1 = {
  name: "hardswish_cpu",
  real: (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6,
  f32: vectorLoop("hardswish", hardswishLoop),
};
op("aten::hardswish(Tensor self) -> Tensor", floatMap(HARDSWISH));

const hardtanh = asMap((self: Tensor, min: Scalar, max: Scalar): Tensor => {
  if (self.dtype === DTYPES.bool) throw new OperatorError("Bool inputs not supported for hardtanh");
  if (self.dtype.category !== "int") return clamp(self, min, max);
  const whole = (v: Scalar): Scalar => normalizeInt(checkedScalar(v, DTYPES.int64) as bigint);
  const [low, high] = [whole(min), whole(max)];
  if (self.dtype === DTYPES.uint8 && (scalarToNumber(low) < 0 || scalarToNumber(high) < 0)) {
    throw new OperatorError("cannot do hardtanh on an unsigned type with negative limits");
  }
  return clamp(self, low, high);
});
op("aten::hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1) -> Tensor", hardtanh);

/** The elu family: scale * (x > 0 ? x : alpha * (exp(input_scale * x) - 1)). */
function eluOf(self: Tensor, alpha: Scalar, scale: Scalar, inputScale: Scalar): Tensor {
  const negative = parameter(self, scalarToNumber(alpha) * scalarToNumber(scale));
  const positive = parameter(self, scale);
  const slope = parameter(self, inputScale);
  const real = (x: number): number => (x < 0 ? Math.expm1(x * slope) * negative : x * positive);
  return floatsOnly(self, {
    name: "elu_cpu",
    real,
    f32: (out, o, a, ai, n) => {
      if (!wasmElu(out, o, a, ai, n, slope, negative, positive))
        for (let i = 0; i < n; i++) out[o + i] = real(a[ai + i]!);
    },
  });
}
op("aten::elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor", asMap(eluOf));
const SELU_ALPHA = 1.6732632423543772848170429916717;
const SELU_SCALE = 1.0507009873554804934193349852946;
op(
  "aten::selu(Tensor self) -> Tensor",
  asMap((self: Tensor) => eluOf(self, SELU_ALPHA, SELU_SCALE, 1)),
);
op(
  "aten::celu(Tensor self, Scalar alpha=1.) -> Tensor",
  asMap((self: Tensor, alpha: Scalar) => {
    const a = scalarToNumber(alpha);
    if (a === 0) throw new OperatorError("ZeroDivisionError: alpha cannot be 0 for CELU");
    return eluOf(self, alpha, 1, 1 / a);
  }),
);

/** A function of its own: a loop in a closure that is made for one call is never compiled well. */
function leakyReluLoop(out: Float32Array, o: number, a: Float32Array, ai: number, n: number, negative: number): void {
  for (let i = 0; i < n; i++) {
    const x = a[ai + i]!;
    out[o + i] = x > 0 ? x : x * negative;
  }
}
/** x, times `negative` where that is not above zero. */
const leakyKernel = (name: string, negative: number): Kernel1 => ({
  name,
  real: (x) => (x > 0 ? x : x * negative),
  f32: (out, o, a, ai, n) => {
    if (!wasmLeakyRelu(out, o, a, ai, n, negative)) leakyReluLoop(out, o, a, ai, n, negative);
  },
});
const leakyRelu = asMap((self: Tensor, slope: Scalar): Tensor =>
  floatsOnly(self, leakyKernel("leaky_relu_cpu", parameter(self, slope))),
);
op("aten::leaky_relu(Tensor self, Scalar negative_slope=0.01) -> Tensor", leakyRelu);

function logSigmoid(x: number): number {
  return Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));
}
const LOG_SIGMOID: Kernel1 = {
  name: "log_sigmoid_cpu",
  real: logSigmoid,
  f32: vectorLoop("logSigmoid", (out, o, a, ai, n) => {
    for (let i = 0; i < n; i++) out[o + i] = -floatSoftplus(-a[ai + i]!);
  }),
};
op("aten::log_sigmoid(Tensor self) -> Tensor", (self) => floatsOnly(self, LOG_SIGMOID));
op("aten::log_sigmoid_forward(Tensor self) -> (Tensor output, Tensor buffer)", (self): [Tensor, Tensor] => [
  floatsOnly(self, LOG_SIGMOID),
  floatsOnly(self, {
    name: "log_sigmoid_cpu",
    real: (x) => Math.exp(-Math.abs(x)),
    single: (x) => floatExp(-Math.abs(x)),
  }),
]);

/** With a slope of one, and a threshold beyond which nothing shows of what it leaves out. */
const softplusLoop = vectorLoop("softplus", (out, o, a, ai, n) => {
  for (let i = 0; i < n; i++) out[o + i] = floatSoftplus(a[ai + i]!);
});
op("aten::softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor", (self, beta, threshold) => {
  const b = parameter(self, beta);
  const t = parameter(self, threshold);
  return floatsOnly(self, {
    name: "softplus_cpu",
    real: (x) => (x * b > t ? x : Math.log1p(Math.exp(x * b)) / b),
    single: (x) => (x * b > t ? x : floatSoftplus(x * b) / b),
    ...(b === 1 && t >= 20 && { f32: softplusLoop }),
  });
});

/** The loop of a function that is `value` from `low` to `high`, and leaves the rest. */
function replaceLoop(real: (x: number) => number, low: number, high: number, value: number): Loop1 {
  return (out, o, a, ai, n) => {
    if (!wasmReplace(out, o, a, ai, n, low, high, value)) for (let i = 0; i < n; i++) out[o + i] = real(a[ai + i]!);
  };
}

op("aten::hardshrink(Tensor self, Scalar lambd=0.5) -> Tensor", (self, lambd) => {
  const l = roundingOf(self.dtype)(scalarToNumber(lambd));
  const real = (x: number): number => (x >= -l && x <= l ? 0 : x);
  return floatsOnly(self, { name: "hardshrink_cpu", real, f32: replaceLoop(real, -l, l, 0) });
});

op("aten::softshrink(Tensor self, Scalar lambd=0.5) -> Tensor", (self, lambd) => {
  if (self.dtype.category !== "float") throw notImplemented("softshrink_check", self.dtype);
  const l = scalarToNumber(lambd);
  if (l < 0) {
    const max =
      self.dtype === DTYPES.float64
        ? "1.79769e+308"
        : self.dtype === DTYPES.float16
          ? "65504"
          : self.dtype === DTYPES.bfloat16
            ? "3.38953e+38"
            : "3.40282e+38";
    throw new OperatorError(
      `lambda must be in range [0, ${max}] for input dtype ${self.dtype.cppName}, but found ${l}`,
    );
  }
  const p = parameter(self, lambd);
  return floatsOnly(self, {
    name: "softshrink_cpu",
    real: (x) => (x > p ? x - p : x < -p ? x + p : x !== x ? x : 0 * x),
  });
});

op("aten::threshold(Tensor self, Scalar threshold, Scalar value) -> Tensor", (self, threshold, value) => {
  if (self.dtype === DTYPES.bool || self.dtype.category === "complex")
    throw notImplemented("threshold_cpu", self.dtype);
  const isInt = self.dtype.category === "int";
  for (const x of [threshold, value]) checkedScalar(x, isReducedFloat(self.dtype) ? DTYPES.float32 : self.dtype);
  checkedScalar(value, self.dtype);
  const whole = (x: Scalar): bigint => {
    const checked = checkedScalar(x, self.dtype) as bigint;
    return self.dtype === DTYPES.uint8 ? BigInt.asUintN(8, checked) : checked;
  };
  const t = isInt ? Number(whole(threshold)) : parameter(self, threshold);
  const v = isInt ? Number(whole(value)) : parameter(self, value);
  const real = (x: number): number => (x <= t ? v : x);
  return map1(self, {
    name: "threshold_cpu",
    real,
    f32: replaceLoop(real, -Infinity, t, v),
    big: (x) => (x <= BigInt(t) ? BigInt(v) : x),
  });
});

/** `weight` (C) made broadcastable against `self` (N, C, ...). */
export function channelView(weight: Tensor, self: Tensor): Tensor {
  if (weight.numel === 1 || self.ndim < 2)
    return viewOf(
      weight,
      weight.numel === 1 ? new Array<number>(self.ndim).fill(1) : weight.sizes,
      weight.numel === 1 ? new Array<number>(self.ndim).fill(0) : weight.strides,
    );
  const sizes = self.sizes.map((_, d) => (d === 1 ? weight.numel : 1));
  const strides = self.sizes.map((_, d) => (d === 1 ? weight.strides[0]! : 0));
  return viewOf(weight, sizes, strides);
}
const PRELU = { name: "prelu_cpu", real: (x: number, w: number) => (x > 0 ? x : w * x) };
op("aten::prelu(Tensor self, Tensor weight) -> Tensor", (self, weight) => {
  if (self.dtype !== weight.dtype) {
    throw new OperatorError(
      `prelu: Type promoting not supported. Got ${self.dtype.cppName} and ${weight.dtype.cppName}`,
    );
  }
  if (weight.ndim > 1) {
    throw new OperatorError(`prelu: Expected \`weight\` to be a scalar or 1D tensor, but got: ndim = ${weight.ndim}`);
  }
  if (weight.numel !== 1) {
    if (self.ndim === 0) throw new OperatorError("Not allow zero-dim input tensor.");
    const channels = self.ndim >= 2 ? self.sizes[1]! : 1;
    if (channels !== weight.numel) {
      throw new OperatorError(
        `Mismatch of parameter numbers and input channel size. Found parameter numbers = ${weight.numel} and channel size = ${channels}.`,
      );
    }
  }
  if (self.dtype.category !== "float") throw notImplemented("prelu_cpu", self.dtype);
  if (weight.numel === 1 && weight.device.type === "cpu" && self.device.type === "cpu")
    return map1(self, leakyKernel("prelu_cpu", onlyElement(weight) as number));
  return map2(self, channelView(weight, self), PRELU, self.dtype);
});
op("aten::_prelu_kernel(Tensor self, Tensor weight) -> Tensor", (self, weight) =>
  map2(self, weight, PRELU, self.dtype),
);

op("aten::glu(Tensor self, int dim=-1) -> Tensor", (self, dim) => {
  if (self.ndim === 0) throw new OperatorError("glu does not support 0-dimensional tensors");
  const [a, b] = halves(self, dim);
  if (self.dtype.category !== "float") throw notImplemented("glu_cpu", self.dtype);
  // PyTorch rounds 1 / (1 + e^-b) before it multiplies
  if (self.dtype === DTYPES.float32) return map2(a, map1(b, UNARY.sigmoid), BINARY.mul, self.dtype);
  return map2(
    a,
    b,
    { name: "glu_cpu", real: (x, g) => x / (1 + Math.exp(-g)), single: (x, g) => x / (1 + floatExp(-g)) },
    self.dtype,
  );
});

/** Both halves of a dimension. */
export function halves(self: Tensor, dim: number): [Tensor, Tensor] {
  const d = wrapDim(dim, self.ndim);
  const size = self.sizes[d]!;
  if (size % 2 !== 0) throw new OperatorError(`Halving dimension must be even, but dimension ${d} is size ${size}`);
  return [narrowView(self, d, 0, size / 2), narrowView(self, d, size / 2, size / 2)];
}
