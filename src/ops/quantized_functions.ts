/** @file Elementwise functions, normalisations and matrix products of the `quantized` namespace. Upstream: aten/src/ATen/native/quantized/cpu/qadd.cpp, qmul.cpp, qnormalization.cpp, qmatmul.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { callOperator, op } from "../core/operator_registry.ts";
import { convertTensor, emptyStrided } from "../tensor/clone.ts";
import { copyInto } from "../tensor/copy.ts";
import { toFloat64Array } from "../tensor/data.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { doublesOf, fromDoubles } from "../tensor/kernels/data.ts";
import { broadcastColumns } from "../tensor/kernels/loss.ts";
import {
  dequantized,
  fromIntegers,
  integerRange,
  integersOf,
  integersView,
  mapElementwise,
  quantizeFused,
  quantizeScalar,
  quantizeValue,
  quantizeValues,
} from "../tensor/kernels/quantized.ts";
import { roundHalfEven } from "../tensor/kernels/unary.ts";
import { channelsLastStrides, isChannelsLastContiguous } from "../tensor/memory_format.ts";
import { scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import type { Quantizer, Tensor } from "../tensor/tensor.ts";
import { max_pool2d } from "./pooling.ts";
import { batch_norm, group_norm, layer_norm } from "./normalization.ts";
import { matmul } from "./matrix.ts";
import { cat } from "./joining.ts";

const f = Math.fround;

type PerTensor = Quantizer & { scheme: "per_tensor_affine" };

/** The parameters of an operand that must be quantized per tensor. */
export function affineOf(t: Tensor, name: string): PerTensor {
  const q = t.quantizer;
  if (!q) {
    throw new OperatorError(
      `Could not run 'quantized::${name}' with arguments from the 'CPU' backend. This could be because the operator doesn't exist for this backend, or was omitted during the selective/custom build process (if using custom build).`,
    );
  }
  if (q.scheme !== "per_tensor_affine")
    throw new OperatorError(`Only per tensor quantization is supported in ${name}.`);
  return q;
}

/** The float32 tensor behind a quantized one. */
function floatsOfQuantized(t: Tensor): Tensor {
  return fromDoubles(dequantized(t), t.sizes);
}

/** Quantizes a float32 tensor of any layout. */
function requantized(t: Tensor, dtype: DType, scale: number, zeroPoint: number): Tensor {
  return quantizeValues(doublesOf(t), t.sizes, dtype, scale, zeroPoint);
}

function checkPair(a: Tensor, b: Tensor, verb: string): void {
  affineOf(a, verb.toLowerCase());
  affineOf(b, verb.toLowerCase());
  if (a.dtype !== b.dtype) throw new OperatorError(`${verb} operands should have same data type.`);
}

function add(a: Tensor, b: Tensor, scale: number, zeroPoint: number, relu: boolean): Tensor {
  checkPair(a, b, "Add");
  const qa = affineOf(a, "add");
  const qb = affineOf(b, "add");
  const { sizes, values } = broadcastColumns([integersView(a), integersView(b)]);
  const operands = [
    { ...qa, integers: values[0]! },
    { ...qb, integers: values[1]! },
  ];
  const sums = mapElementwise(operands, (x, y) => (relu ? Math.max(f(x + y), 0) : x + y), scale, zeroPoint, a.dtype);
  return fromIntegers(sums, sizes, a.dtype, { scheme: "per_tensor_affine", scale, zeroPoint });
}

function mul(a: Tensor, b: Tensor, scale: number, zeroPoint: number, relu: boolean): Tensor {
  checkPair(a, b, "Mul");
  const qa = affineOf(a, "mul");
  const qb = affineOf(b, "mul");
  const multiplier = f(f(f(qa.scale) * f(qb.scale)) * f(1 / f(scale)));
  const { sizes, values } = broadcastColumns([integersView(a), integersView(b)]);
  const [x, y] = values as [Float64Array, Float64Array];
  const [min, max] = integerRange(a.dtype);
  const low = relu ? Math.max(min, zeroPoint) : min;
  const out = x.map((v, i) => {
    const q = zeroPoint + roundHalfEven(f(multiplier * f(Math.imul(v - qa.zeroPoint, y[i]! - qb.zeroPoint))));
    return Math.max(low, Math.min(max, q));
  });
  return fromIntegers(out, sizes, a.dtype, { scheme: "per_tensor_affine", scale, zeroPoint });
}

/** Writes a result into an `out` argument with its own parameters. */
function writeQuantized(out: Tensor, result: Tensor): Tensor {
  copyInto(integersView(out), integersView(result));
  out.storage.version++;
  return out;
}

op("quantized::add(Tensor qa, Tensor qb, float scale, int zero_point) -> Tensor qc", (a, b, scale, zeroPoint) =>
  add(a, b, scale, zeroPoint, false),
);
op("quantized::add_relu(Tensor qa, Tensor qb, float scale, int zero_point) -> Tensor qc", (a, b, scale, zeroPoint) =>
  add(a, b, scale, zeroPoint, true),
);
op("quantized::mul(Tensor qa, Tensor qb, float scale, int zero_point) -> Tensor qc", (a, b, scale, zeroPoint) =>
  mul(a, b, scale, zeroPoint, false),
);
op("quantized::mul_relu(Tensor qa, Tensor qb, float scale, int zero_point) -> Tensor qc", (a, b, scale, zeroPoint) =>
  mul(a, b, scale, zeroPoint, true),
);

type OutSchema = "quantized::add_out(Tensor qa, Tensor qb, Tensor(a!) out) -> Tensor(a!) out";
for (const [name, run, relu] of [
  ["add", add, false],
  ["add_relu", add, true],
  ["mul", mul, false],
  ["mul_relu", mul, true],
] as const) {
  const kernel = (a: Tensor, b: Tensor, out: Tensor): Tensor => {
    const q = affineOf(out, name);
    return writeQuantized(out, run(a, b, q.scale, q.zeroPoint, relu));
  };
  op(`quantized::${name}_out(Tensor qa, Tensor qb, Tensor(a!) out) -> Tensor(a!) out` as OutSchema, kernel as never);
  op(`quantized::${name}.out(Tensor qa, Tensor qb, Tensor(a!) out) -> Tensor(a!) out` as OutSchema, kernel as never);
}

/** Adds a number by moving the zero point, and the scale where that leaves the range. */
function addNumber(a: Tensor, b: number, relu: boolean): Tensor {
  const q = affineOf(a, "add_scalar");
  const [min, max] = integerRange(a.dtype);
  const c = roundHalfEven(b / q.scale);
  let { scale } = q;
  let zeroPoint = q.zeroPoint - c;
  const integers = integersOf(a);
  let out: Float64Array;
  if (zeroPoint < min || zeroPoint > max) {
    const isLow = zeroPoint < min;
    scale = ((isLow ? max - zeroPoint : zeroPoint - min) / (max - min)) * q.scale;
    zeroPoint = isLow ? min : max;
    const multiplier = f(f(q.scale) * f(1 / f(scale)));
    out = integers.map((v) =>
      Math.max(min, Math.min(max, zeroPoint + roundHalfEven(f(f(v - q.zeroPoint + c) * multiplier)))),
    );
  } else out = integers;
  if (relu) out = out.map((v) => Math.max(v, zeroPoint));
  return fromIntegers(out, a.sizes, a.dtype, { scheme: "per_tensor_affine", scale, zeroPoint });
}

/** Multiplies by a number by changing the scale. */
function mulNumber(a: Tensor, b: number, relu: boolean): Tensor {
  const q = affineOf(a, "mul_scalar");
  const [min, max] = integerRange(a.dtype);
  const integers = integersOf(a);
  let scale = q.scale * Math.abs(b);
  let { zeroPoint } = q;
  let out = integers;
  if (b === 0) {
    scale = 1;
    zeroPoint = 0;
    out = new Float64Array(integers.length);
  } else if (b < 0) {
    zeroPoint = max + min - q.zeroPoint;
    out = integers.map((v) => max + min - v);
  }
  if (relu) out = out.map((v) => Math.max(v, zeroPoint));
  return fromIntegers(out, a.sizes, a.dtype, { scheme: "per_tensor_affine", scale, zeroPoint });
}

const numberOf = (b: Scalar | Tensor): number =>
  typeof b === "object" && "storage" in b ? (toFloat64Array(b)[0] ?? 0) : scalarToNumber(b);

type NumberSchema = "quantized::add.Scalar(Tensor qa, Scalar b) -> Tensor qc";
for (const [name, run, relu] of [
  ["add", addNumber, false],
  ["add_relu", addNumber, true],
  ["mul", mulNumber, false],
  ["mul_relu", mulNumber, true],
] as const) {
  const kernel = (a: Tensor, b: Scalar | Tensor): Tensor => run(a, numberOf(b), relu);
  const flipped = (b: Scalar, a: Tensor): Tensor => run(a, numberOf(b), relu);
  const scalarName = name.endsWith("_relu") ? `${name.slice(0, 3)}_scalar_relu` : `${name}_scalar`;
  op(`quantized::${name}.Scalar(Tensor qa, Scalar b) -> Tensor qc` as NumberSchema, kernel);
  op(`quantized::${name}.Scalar2(Scalar b, Tensor qa) -> Tensor qc` as NumberSchema, flipped as never);
  op(`quantized::${scalarName}(Tensor qa, Scalar b) -> Tensor qc` as NumberSchema, kernel);
  op(`quantized::${scalarName}.Tensor(Tensor qa, Tensor b) -> Tensor qc` as NumberSchema, kernel);
}

op("quantized::matmul(Tensor qa, Tensor qb, float scale, int zero_point) -> Tensor qc", (a, b, scale, zeroPoint) => {
  if (a.dtype === DTYPES.qint32) throw new OperatorError("MatMul operands should use QInt8 or QUInt8 data types.");
  checkPair(a, b, "MatMul");
  return requantized(matmul(floatsOfQuantized(a), floatsOfQuantized(b)), a.dtype, scale, zeroPoint);
});

function concatenate(
  tensors: readonly Tensor[],
  dim: number,
  scaleIn: number | null,
  zeroPointIn: number | null,
  relu: boolean,
): Tensor {
  const first = tensors[0];
  if (!first) throw new OperatorError("Concatenation of an empty list of tensors");
  const q = affineOf(first, "cat");
  for (const t of tensors) {
    if (t.dtype !== first.dtype) throw new OperatorError("All dtypes must be the same.");
    affineOf(t, "cat");
  }
  const scale = scaleIn ?? q.scale;
  const zeroPoint = zeroPointIn ?? q.zeroPoint;
  if (dim === 1 && first.ndim === 4 && tensors.every((t) => isChannelsLastContiguous(t)))
    return concatenateChannels(tensors, scale, zeroPoint, relu);
  const mapped = tensors.map((t) => {
    const values = dequantized(t).map((x) => quantizeFused(relu ? Math.max(x, 0) : x, scale, zeroPoint, t.dtype));
    return fromDoubles(values, t.sizes);
  });
  const joined = cat(mapped, dim);
  return fromIntegers(doublesOf(joined), joined.sizes, first.dtype, { scheme: "per_tensor_affine", scale, zeroPoint });
}

/** Channels that fill registers (AVX2) are mapped by vector code, which rounds differently. */
const FLOAT_LANES = 8;

/** Joins channels-last tensors pixel by pixel: equal parameters copy integers, others are mapped as the elementwise kernels do. */
function concatenateChannels(tensors: readonly Tensor[], scale: number, zeroPoint: number, relu: boolean): Tensor {
  const { dtype } = tensors[0]!;
  const mapped = tensors.map((t) => {
    const q = affineOf(t, "cat");
    const integers = integersOf(t);
    if (!relu && q.scale === scale && q.zeroPoint === zeroPoint) return fromDoubles(integers, t.sizes);
    const channels = t.sizes[1]!;
    const inVectors = channels - (channels % FLOAT_LANES);
    const plane = t.sizes[2]! * t.sizes[3]!;
    const s = f(q.scale);
    const shift = f(s * -q.zeroPoint);
    const inverse = f(1 / scale);
    const values = integers.map((v, i) => {
      const isVector = Math.floor(i / plane) % channels < inVectors;
      const real = isVector ? f(s * v + shift) : f(s * (v - q.zeroPoint));
      const kept = relu ? Math.max(real, 0) : real;
      return isVector && dtype.itemsize === 1
        ? quantizeValue(f(kept * inverse), 1, zeroPoint, dtype)
        : quantizeScalar(kept, scale, zeroPoint, dtype);
    });
    return fromDoubles(values, t.sizes);
  });
  const joined = cat(mapped, 1);
  const out = fromIntegers(doublesOf(joined), joined.sizes, dtype, { scheme: "per_tensor_affine", scale, zeroPoint });
  const strided = emptyStrided(out.sizes, channelsLastStrides(out.sizes), dtype);
  copyInto(integersView(strided), integersView(out));
  strided.quantizer = out.quantizer;
  return strided;
}

op("quantized::cat(Tensor[] qx, int dim, float? scale, int? zero_point) -> Tensor", (tensors, dim, scale, zeroPoint) =>
  concatenate(tensors, dim, scale, zeroPoint, false),
);
op(
  "quantized::cat_relu(Tensor[] qx, int dim, float? scale, int? zero_point) -> Tensor",
  (tensors, dim, scale, zeroPoint) => concatenate(tensors, dim, scale, zeroPoint, true),
);

/** Applies a function to real values and quantizes the result. */
export function mapQuantized(t: Tensor, scale: number, zeroPoint: number, g: (x: number) => number): Tensor {
  const q = affineOf(t, "map");
  const integers = mapElementwise([{ ...q, integers: integersOf(t) }], g, scale, zeroPoint, t.dtype);
  return fromIntegers(integers, t.sizes, t.dtype, { scheme: "per_tensor_affine", scale, zeroPoint });
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

op("quantized::hardswish(Tensor input, float output_scale, int output_zero_point) -> Tensor", (x, scale, zeroPoint) =>
  mapQuantized(x, scale, zeroPoint, (v) => (v * Math.min(Math.max(v + 3, 0), 6)) / 6),
);
op(
  "quantized::leaky_relu(Tensor qx, Scalar negative_slope, bool inplace, float output_scale, int output_zero_point) -> Tensor",
  (x, slope, _inplace, scale, zeroPoint) => {
    const s = f(scalarToNumber(slope));
    return mapQuantized(x, scale, zeroPoint, (v) => (v > 0 ? v : v * s));
  },
);
op(
  "quantized::elu(Tensor self, float output_scale, int output_zero_point, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor",
  (x, outScale, zeroPoint, alphaIn, scaleIn, inputScaleIn) => {
    const [alpha, scale, inputScale] = [alphaIn, scaleIn, inputScaleIn].map(scalarToNumber) as [number, number, number];
    return mapQuantized(x, outScale, zeroPoint, (v) =>
      v >= 0 ? v * scale : Math.expm1(v * inputScale) * alpha * scale,
    );
  },
);
op(
  "quantized::celu(Tensor self, float output_scale, int output_zero_point, Scalar alpha=1) -> Tensor",
  (x, scale, zeroPoint, alphaIn) => {
    const alpha = scalarToNumber(alphaIn);
    return mapQuantized(x, scale, zeroPoint, (v) => (v >= 0 ? v : Math.expm1(v / alpha) * alpha));
  },
);
op("quantized::sigmoid(Tensor qx, float output_scale, int output_zero_point) -> Tensor", (x, scale, zeroPoint) =>
  mapQuantized(x, scale, zeroPoint, sigmoid),
);
op("quantized::relu6(Tensor qx, bool inplace=False) -> Tensor", (x) => {
  const q = affineOf(x, "relu6");
  const six = quantizeScalar(6, q.scale, q.zeroPoint, x.dtype);
  return fromIntegers(
    integersOf(x).map((v) => Math.min(Math.max(v, q.zeroPoint), six)),
    x.sizes,
    x.dtype,
    q,
  );
});
op("quantized::threshold(Tensor qx, Scalar threshold, Scalar value) -> Tensor qy", (x, threshold, value) => {
  const q = affineOf(x, "threshold");
  const [t, v] = [scalarToNumber(threshold), scalarToNumber(value)];
  return mapQuantized(x, q.scale, q.zeroPoint, (y) => (y > t ? y : v));
});
op("quantized::clamp(Tensor qx, Scalar? min=None, Scalar? max=None) -> Tensor qy", (x, min, max) =>
  clampQuantized(x, min === null ? null : scalarToNumber(min), max === null ? null : scalarToNumber(max)),
);

/** Clamps in the integer domain. */
export function clampQuantized(x: Tensor, min: number | null, max: number | null): Tensor {
  const q = affineOf(x, "clamp");
  const low = min === null || min === undefined ? -Infinity : quantizeScalar(min, q.scale, q.zeroPoint, x.dtype);
  const high = max === null || max === undefined ? Infinity : quantizeScalar(max, q.scale, q.zeroPoint, x.dtype);
  return fromIntegers(
    integersOf(x).map((v) => Math.min(Math.max(v, low), high)),
    x.sizes,
    x.dtype,
    q,
  );
}

op(
  "quantized::softmax(Tensor qx, int dim, float output_scale, int output_zero_point) -> Tensor",
  (x, dimIn, scale, zeroPoint) => {
    const values = dequantized(x);
    const dim = dimIn < 0 ? dimIn + x.ndim : dimIn;
    const size = x.sizes[dim] ?? 1;
    const inner = x.sizes.slice(dim + 1).reduce((a, b) => a * b, 1);
    const out = new Float64Array(values.length);
    for (let start = 0; start < values.length; start++) {
      if (Math.floor(start / inner) % size !== 0) continue;
      let top = -Infinity;
      for (let k = 0; k < size; k++) top = Math.max(top, values[start + k * inner]!);
      let sum = 0;
      for (let k = 0; k < size; k++) sum += out[start + k * inner] = Math.exp(values[start + k * inner]! - top);
      for (let k = 0; k < size; k++) out[start + k * inner]! /= sum;
    }
    return quantizeValues(out, x.sizes, x.dtype, scale, zeroPoint);
  },
);
op(
  "quantized::prelu(Tensor qx, Tensor weight, float output_scale, int output_zero_point) -> Tensor",
  (x, weight, scale, zeroPoint) => {
    const w = weight.quantizer ? dequantized(weight) : doublesOf(weight);
    const inner = x.sizes.slice(2).reduce((a, b) => a * b, 1);
    const channels = x.sizes[1] ?? 1;
    const values = dequantized(x).map((v, i) =>
      v >= 0 ? v : v * w[w.length === 1 ? 0 : Math.floor(i / inner) % channels]!,
    );
    return quantizeValues(values, x.sizes, x.dtype, scale, zeroPoint);
  },
);
op(
  "quantized::dropout(Tensor self, float output_scale, int output_zero_point, Scalar p=0.5, bool training=False) -> Tensor",
  (x) => x,
);

/** Runs a normalisation on dequantized numbers; `as` gives parameters their dtype. */
function norm(
  x: Tensor,
  scale: number,
  zeroPoint: number,
  run: (x: Tensor, as: (parameter: Tensor | null) => Tensor | null) => Tensor,
): Tensor {
  const floats = floatsOfQuantized(x);
  const as = (parameter: Tensor | null): Tensor | null => parameter && convertTensor(parameter, floats.dtype);
  return requantized(run(floats, as), x.dtype, scale, zeroPoint);
}

op(
  "quantized::layer_norm(Tensor input, int[] normalized_shape, Tensor? weight, Tensor? bias, float eps, float output_scale, int output_zero_point) -> Tensor",
  (x, shape, weight, bias, eps, scale, zeroPoint) =>
    norm(x, scale, zeroPoint, (y, as) => layer_norm(y, shape, as(weight), as(bias), eps)),
);
op(
  "quantized::group_norm(Tensor input, int num_groups, Tensor? weight, Tensor? bias, float eps, float output_scale, int output_zero_point) -> Tensor",
  (x, groups, weight, bias, eps, scale, zeroPoint) =>
    norm(x, scale, zeroPoint, (y, as) => group_norm(y, groups, as(weight), as(bias), eps)),
);
op(
  "quantized::instance_norm(Tensor input, Tensor? weight, Tensor? bias, float eps, float output_scale, int output_zero_point) -> Tensor",
  (x, weight, bias, eps, scale, zeroPoint) =>
    norm(x, scale, zeroPoint, (y, as) => group_norm(y, y.sizes[1]!, as(weight), as(bias), eps)),
);

function batchNorm(
  x: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  mean: Tensor,
  variance: Tensor,
  eps: number,
  scale: number,
  zeroPoint: number,
  relu: boolean,
): Tensor {
  return norm(x, scale, zeroPoint, (y, as) => {
    const out = batch_norm(y, as(weight), as(bias), as(mean), as(variance), false, 0, eps, false);
    return relu
      ? fromDoubles(
          doublesOf(out).map((v) => Math.max(v, 0)),
          out.sizes,
        )
      : out;
  });
}

type NormSchema =
  "quantized::batch_norm(Tensor qx, Tensor? weight, Tensor? bias, Tensor mean, Tensor var, float eps, float output_scale, int output_zero_point) -> Tensor";
for (const name of ["batch_norm", "batch_norm1d", "batch_norm2d", "batch_norm3d"]) {
  for (const relu of [false, true]) {
    const schema =
      `quantized::${name}${relu ? "_relu" : ""}(Tensor qx, Tensor? weight, Tensor? bias, Tensor mean, Tensor var, float eps, float output_scale, int output_zero_point) -> Tensor` as NormSchema;
    op(schema, (x, weight, bias, mean, variance, eps, scale, zeroPoint) =>
      batchNorm(x, weight, bias, mean, variance, eps, scale, zeroPoint, relu),
    );
  }
}
op(
  "aten::quantized_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor mean, Tensor var, float eps, float output_scale, int output_zero_point) -> Tensor",
  (x, weight, bias, mean, variance, eps, scale, zeroPoint) =>
    batchNorm(x, weight, bias, mean, variance, eps, scale, zeroPoint, false),
);

function pooled(x: Tensor, run: (x: Tensor) => Tensor): Tensor {
  const q = affineOf(x, "max_pool");
  const out = run(fromDoubles(integersOf(x), x.sizes));
  return fromIntegers(doublesOf(out), out.sizes, x.dtype, q);
}

op(
  "quantized::max_pool2d(Tensor qx, int[] kernel_size, int[] stride, int[] padding, int[] dilation, bool ceil_mode) -> Tensor",
  (x, k, s, p, d, ceil) => pooled(x, (y) => max_pool2d(y, k, s, p, d, ceil)),
);
op(
  "aten::quantized_max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1, bool ceil_mode=False) -> Tensor",
  (x, k, s, p, d, ceil) => pooled(x, (y) => max_pool2d(y, k, s, p, d, ceil)),
);
for (const [key, name] of [
  [
    "quantized::max_pool1d(Tensor qx, int[] kernel_size, int[] stride, int[] padding, int[] dilation, bool ceil_mode) -> Tensor",
    "max_pool1d",
  ],
  [
    "aten::quantized_max_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=[0], int[1] dilation=[1], bool ceil_mode=False) -> Tensor",
    "max_pool1d",
  ],
  [
    "aten::quantized_max_pool3d(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, int[3] dilation=1, bool ceil_mode=False) -> Tensor",
    "max_pool3d",
  ],
] as const) {
  op(key, ((x: Tensor, k: unknown, s: unknown, p: unknown, d: unknown, ceil: boolean) =>
    pooled(x, (y) => callOperator(`aten::${name}`, [y, k, s, p, d, ceil]) as Tensor)) as never);
}

// results with the parameters that the arithmetic gives, written over the target's
type NumberOutSchema = "quantized::add_scalar_out(Tensor qa, Scalar b, Tensor(a!) out) -> Tensor(a!) out";
for (const [name, run, relu] of [
  ["add_scalar", addNumber, false],
  ["add_scalar_relu", addNumber, true],
  ["mul_scalar", mulNumber, false],
  ["mul_scalar_relu", mulNumber, true],
] as const) {
  const kernel = (a: Tensor, b: Scalar | Tensor, out: Tensor): Tensor => {
    const result = run(a, numberOf(b), relu);
    writeQuantized(out, result);
    out.quantizer = result.quantizer;
    return out;
  };
  op(`quantized::${name}_out(Tensor qa, Scalar b, Tensor(a!) out) -> Tensor(a!) out` as NumberOutSchema, kernel);
  op(`quantized::${name}_out.Tensor(Tensor qa, Tensor b, Tensor(a!) out) -> Tensor(a!) out` as NumberOutSchema, kernel);
}
