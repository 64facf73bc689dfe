/** @file Kernels of aten operators for quantized tensors; imported after the families that they specialise. Upstream: aten/src/ATen/native/quantized/cpu/*.cpp (QuantizedCPU in native_functions.yaml). Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { specializeKernel } from "../core/operator_registry.ts";
import { copyInto } from "../tensor/copy.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { doublesOf, fromDoubles } from "../tensor/kernels/data.ts";
import {
  fromIntegers,
  integerDtype,
  integersOf,
  integersView,
  parametersOf,
  quantizeChannels,
  quantizeScalar,
} from "../tensor/kernels/quantized.ts";
import { roundHalfEven } from "../tensor/kernels/unary.ts";
import { erf } from "../tensor/math/erf.ts";
import { scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import { Tensor, type Quantizer } from "../tensor/tensor.ts";
import { dequantizeTensor } from "./quantized.ts";
import { affineOf, clampQuantized, mapQuantized } from "./quantized_functions.ts";

const isQuantized = (t: unknown): boolean => t instanceof Tensor && t.quantizer !== undefined;
const isQuantizedList = (list: unknown): boolean => Array.isArray(list) && isQuantized(list[0]);

function special(key: string, kernel: (...args: never[]) => unknown): void {
  specializeKernel(key, isQuantized, () => kernel as (...args: unknown[]) => unknown);
}

/** Gives integers back their meaning (only tensors of the integer dtype: indices stay as they are). */
function requalified(result: unknown, self: Tensor): unknown {
  if (Array.isArray(result)) return result.map((r) => requalified(r, self));
  if (!(result instanceof Tensor) || result.dtype !== integerDtype(self.dtype)) return result;
  const out = new Tensor(result.storage, self.dtype, result.sizes, result.strides, result.storageOffset);
  out.quantizer = self.quantizer;
  return out;
}

// operators that only move or select elements work on the integers
const MOVES = [
  "index_select",
  "index.Tensor",
  "flip",
  "channel_shuffle",
  "native_channel_shuffle",
  "max_pool2d",
  "max_pool1d",
  "max_pool3d",
  "topk",
  "sort",
  "sort.stable",
  "max",
  "min",
  "repeat",
  "roll",
  "gather",
  "masked_select",
  "take",
  "reflection_pad1d",
  "reflection_pad2d",
  "replication_pad2d",
  "upsample_nearest1d",
  "upsample_nearest1d.vec",
  "upsample_nearest2d",
  "upsample_nearest2d.vec",
  "upsample_nearest3d",
  "upsample_nearest3d.vec",
  "_upsample_nearest_exact2d",
  "_upsample_nearest_exact2d.vec",
  "pixel_shuffle",
  "pixel_unshuffle",
  "unfold_copy",
  "repeat_interleave.self_int",
  "max.dim",
  "min.dim",
];
// where bytes have a kernel and signed bytes have none, the integers go as doubles
const RESIZES = new Set(MOVES.filter((name) => name.includes("upsample") || name.includes("pool")));
for (const name of MOVES) {
  specializeKernel(`aten::${name}`, isQuantized, (plain) => (selfIn, ...rest) => {
    const self = selfIn as Tensor;
    if (!RESIZES.has(name)) return requalified(plain(integersView(self), ...rest), self);
    const out = plain(fromDoubles(integersOf(self), self.sizes), ...rest) as Tensor;
    return fromIntegers(doublesOf(out), out.sizes, self.dtype, self.quantizer!);
  });
}
for (const name of ["cat", "stack", "concat", "hstack", "vstack"]) {
  specializeKernel(`aten::${name}`, isQuantizedList, (plain) => (list, ...rest) => {
    const tensors = list as Tensor[];
    const first = tensors[0]!;
    const q = affineOf(first, name);
    // tensors with other parameters are mapped to those of the first
    const same = tensors.map((t) => {
      const own = affineOf(t, name);
      return own.scale === q.scale && own.zeroPoint === q.zeroPoint
        ? t
        : mapQuantized(t, q.scale, q.zeroPoint, (x) => x);
    });
    return requalified(plain(same.map(integersView), ...rest), first);
  });
}

/** Runs a float operator on (integer - zero point) and rounds back: averages keep the scale. */
function averaged(self: Tensor, run: (x: Tensor) => unknown): Tensor {
  const q = affineOf(self, "mean");
  const out = run(
    fromDoubles(
      integersOf(self).map((v) => v - q.zeroPoint),
      self.sizes,
      DTYPES.float64,
    ),
  ) as Tensor;
  const [min, max] =
    self.dtype === DTYPES.qint8 ? [-128, 127] : self.dtype === DTYPES.quint8 ? [0, 255] : [-2147483648, 2147483647];
  // the zero point is added before rounding, which decides ties
  const integers = doublesOf(out).map((v) =>
    Math.max(min, Math.min(max, roundHalfEven(Math.fround(Math.fround(v) + q.zeroPoint)))),
  );
  return fromIntegers(integers, out.sizes, self.dtype, q);
}

const AVERAGES = [
  "mean",
  "mean.dim",
  "std",
  "std.dim",
  "std.correction",
  "avg_pool1d",
  "avg_pool2d",
  "avg_pool3d",
  "adaptive_avg_pool1d",
  "adaptive_avg_pool2d",
  "_adaptive_avg_pool2d",
  "adaptive_avg_pool3d",
  "_adaptive_avg_pool3d",
];
for (const name of AVERAGES) {
  specializeKernel(
    `aten::${name}`,
    isQuantized,
    (plain) =>
      (self, ...rest) =>
        averaged(self as Tensor, (x) => plain(x, ...rest)),
  );
}

// interpolation weighs the integers themselves in float32, then takes off the zero point
for (const name of ["upsample_bilinear2d", "upsample_bilinear2d.vec"]) {
  specializeKernel(`aten::${name}`, isQuantized, (plain) => (selfIn, ...rest) => {
    const self = selfIn as Tensor;
    const q = affineOf(self, name);
    const out = plain(fromDoubles(integersOf(self), self.sizes, DTYPES.float32), ...rest) as Tensor;
    const integers = doublesOf(out).map((v) =>
      quantizeScalar(Math.fround(v - q.zeroPoint), 1, q.zeroPoint, self.dtype),
    );
    return fromIntegers(integers, out.sizes, self.dtype, q);
  });
}

// operators that PyTorch has no quantized kernel for: their plain kernels would compute with the integers
const REFUSED: readonly (readonly [key: string, name: string])[] = [
  ["add.Tensor", "add.out"],
  ["add.Scalar", "add.out"],
  ["sub.Tensor", "sub.out"],
  ["sub.Scalar", "sub.out"],
  ["mul.Tensor", "mul.out"],
  ["mul.Scalar", "mul.out"],
  ["div.Tensor", "div.out"],
  ["div.Scalar", "div.out"],
  ["abs", "abs.out"],
  ["exp", "exp.out"],
  ["log", "log.out"],
  ["sqrt", "sqrt.out"],
  ["sum", "sum.IntList_out"],
  ["sum.dim_IntList", "sum.IntList_out"],
  ["cumsum", "cumsum.out"],
  ["argmax", "argmax.out"],
  ["argmin", "argmin.out"],
  ["softmax.int", "_softmax.out"],
  ["mm", "mm"],
  ["matmul", "mm"],
];
for (const [key, name] of REFUSED) {
  special(`aten::${key}`, () => {
    throw new OperatorError(
      `Could not run 'aten::${name}' with arguments from the 'QuantizedCPU' backend. This could be because the operator doesn't exist for this backend, or was omitted during the selective/custom build process (if using custom build).`,
    );
  });
}

/** Applies a function to real values, keeping the parameters. */
function mapped(self: Tensor, g: (x: number) => number): Tensor {
  const q = affineOf(self, "activation");
  return mapQuantized(self, q.scale, q.zeroPoint, g);
}

/** Activations of a fixed range have fixed parameters: `unit` is the size of the range. */
function bounded(self: Tensor, unit: number, isCentered: boolean, g: (x: number) => number): Tensor {
  const levels = self.dtype === DTYPES.qint32 ? 2 ** 32 : 256;
  const zeroPoint =
    self.dtype === DTYPES.quint8 ? (isCentered ? 128 : 0) : isCentered || self.dtype === DTYPES.qint32 ? 0 : -128;
  return mapQuantized(self, unit / levels, zeroPoint, g);
}

function rectified(self: Tensor): Tensor {
  const q = self.quantizer!;
  const { zeroPoints, channel } = parametersOf(q, self.sizes);
  return fromIntegers(
    integersOf(self).map((v, i) => Math.max(v, zeroPoints[channel(i)]!)),
    self.sizes,
    self.dtype,
    q,
  );
}

special("aten::relu", rectified);
special("aten::relu6", (self: Tensor) => clampQuantized(self, 0, 6));
special("aten::sigmoid", (self: Tensor) => bounded(self, 1, false, (x) => 1 / (1 + Math.exp(-x))));
special("aten::hardsigmoid", (self: Tensor) => bounded(self, 1, false, (x) => Math.min(Math.max(x + 3, 0), 6) / 6));
special("aten::tanh", (self: Tensor) => bounded(self, 2, true, Math.tanh));
special("aten::hardtanh", (self: Tensor, min: Scalar, max: Scalar) =>
  clampQuantized(self, scalarToNumber(min), scalarToNumber(max)),
);
special("aten::clamp", (self: Tensor, min: Scalar | null, max: Scalar | null) =>
  clampQuantized(self, min === null ? null : scalarToNumber(min), max === null ? null : scalarToNumber(max)),
);
special("aten::threshold", (self: Tensor, threshold: Scalar, value: Scalar) =>
  mapped(self, (x) => (x > scalarToNumber(threshold) ? x : scalarToNumber(value))),
);
special("aten::leaky_relu", (self: Tensor, slope: Scalar) =>
  mapped(self, (x) => (x > 0 ? x : x * Math.fround(scalarToNumber(slope)))),
);
specializeKernel(
  "aten::gelu",
  isQuantized,
  () => (self) => mapped(self as Tensor, (x) => (x * (1 + erf(x * Math.SQRT1_2))) / 2),
);
/** A quantized tensor of the same sizes whose elements stand for one number. */
function filledLike(self: Tensor, value: number): Tensor {
  const q = self.quantizer!;
  return quantizeChannels(new Float64Array(self.numel).fill(value), self.sizes, self.dtype, q);
}
special("aten::ones_like", (self: Tensor) => filledLike(self, 1));
special("aten::full_like", (self: Tensor, value: Scalar) => filledLike(self, scalarToNumber(value)));
special("aten::masked_fill.Scalar", (self: Tensor, mask: Tensor, value: Scalar) => {
  const q = affineOf(self, "masked_fill");
  const fill = quantizeScalar(scalarToNumber(value), q.scale, q.zeroPoint, self.dtype);
  const m = doublesOf(mask);
  return fromIntegers(
    integersOf(self).map((v, i) => (m[i % m.length] ? fill : v)),
    self.sizes,
    self.dtype,
    q,
  );
});
specializeKernel("aten::constant_pad_nd", isQuantized, (plain) => (selfIn, pad, value) => {
  const self = selfIn as Tensor;
  const q = affineOf(self, "constant_pad_nd");
  return requalified(
    plain(integersView(self), pad, quantizeScalar(scalarToNumber(value as Scalar), q.scale, q.zeroPoint, self.dtype)),
    self,
  );
});

/** In-place writes of real values: quantized with the target's parameters. */
function assign(self: Tensor, values: Float64Array, sizes: readonly number[]): Tensor {
  const q: Quantizer = self.quantizer!;
  copyInto(integersView(self), integersView(quantizeChannels(values, sizes, self.dtype, q)));
  return self;
}

special("aten::fill_.Scalar", (self: Tensor, value: Scalar) =>
  assign(self, new Float64Array(self.numel).fill(scalarToNumber(value)), self.sizes),
);
special("aten::zero_", (self: Tensor) => assign(self, new Float64Array(self.numel), self.sizes));
specializeKernel("aten::copy_", isQuantized, (plain) => (target, source, ...rest) => {
  const [self, src] = [target as Tensor, source as Tensor];
  if (!src.quantizer) return assign(self, doublesOf(src.sizes.length === self.sizes.length ? src : src), src.sizes);
  plain(integersView(self), integersView(src), ...rest);
  self.quantizer = src.quantizer;
  return self;
});
for (const name of ["relu_", "hardtanh_", "clamp_", "relu6_", "leaky_relu_"]) {
  specializeKernel(`aten::${name}`, isQuantized, () => (target, a, b) => {
    const self = target as Tensor;
    const result =
      name === "relu_"
        ? rectified(self)
        : name === "leaky_relu_"
          ? mapped(self, (x) => (x > 0 ? x : x * Math.fround(scalarToNumber(a as Scalar))))
          : clampQuantized(
              self,
              a === null || a === undefined ? null : scalarToNumber(a as Scalar),
              b === null || b === undefined ? null : scalarToNumber(b as Scalar),
            );
    copyInto(integersView(self), integersView(result));
    self.quantizer = result.quantizer;
    return self;
  });
}

// comparisons and reads see real values
for (const name of [
  "eq.Tensor",
  "ne.Tensor",
  "lt.Tensor",
  "gt.Tensor",
  "le.Tensor",
  "ge.Tensor",
  "eq.Scalar",
  "ne.Scalar",
  "lt.Scalar",
  "gt.Scalar",
  "le.Scalar",
  "ge.Scalar",
]) {
  specializeKernel(
    `aten::${name}`,
    isQuantized,
    (plain) => (self, other) =>
      plain(dequantizeTensor(self as Tensor), isQuantized(other) ? dequantizeTensor(other as Tensor) : other),
  );
}
for (const name of ["item", "_local_scalar_dense", "Float.Tensor", "ScalarImplicit", "FloatImplicit"]) {
  specializeKernel(`aten::${name}`, isQuantized, (plain) => (self) => plain(dequantizeTensor(self as Tensor)));
}
specializeKernel("aten::equal", isQuantized, (plain) => (a, b) => {
  const [x, y] = [a as Tensor, b as Tensor];
  if (!y.quantizer || x.dtype !== y.dtype || JSON.stringify(plainQuantizer(x)) !== JSON.stringify(plainQuantizer(y)))
    return false;
  return plain(integersView(x), integersView(y));
});

function plainQuantizer(t: Tensor): unknown {
  const { scales, zeroPoints } = parametersOf(t.quantizer!, t.sizes);
  return [t.quantizer!.scheme, Array.from(scales), Array.from(zeroPoints)];
}
