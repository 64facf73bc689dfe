/** @file Quantized and sparse operators where details decide: ties of rounding, requantization, packed rows. Expected values are from torch 2.13 on x86. */
import { expect, test } from "vitest";
import { callOperator } from "../../src/core/operator_registry.ts";
import "../../src/ops/index.ts";
import { sparseTensor } from "../../src/ops/sparse.ts";
import { fromData, toFloat64Array } from "../../src/tensor/data.ts";
import { DTYPES, type DType } from "../../src/tensor/dtype.ts";
import { fromIntegers, integersOf, quantizeFused } from "../../src/tensor/kernels/quantized.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

const call = (name: string, ...args: unknown[]): Tensor => callOperator(name, args) as Tensor;
const floats = (values: number[], sizes = [values.length]): Tensor =>
  fromData(Float32Array.from(values), sizes, DTYPES.float32);
const ints = (values: number[], sizes = [values.length]): Tensor => fromData(values, sizes, DTYPES.int64);
const list = (t: Tensor): number[] => Array.from(toFloat64Array(t));
const integers = (t: Tensor): number[] => Array.from(integersOf(t));
const affine = (values: number[], sizes: number[], dtype: DType, scale: number, zeroPoint: number): Tensor =>
  fromIntegers(values, sizes, dtype, { scheme: "per_tensor_affine", scale, zeroPoint });

const HALVES = [0.345, 0.015, -0.045, 0.075, 3, -9, NaN, 0.105];

test.each([
  [DTYPES.quint8, 101, [112, 102, 100, 104, 201, 0, 255, 104]],
  [DTYPES.qint8, -3, [9, -2, -4, 0, 97, -128, 127, 1]],
  [DTYPES.qint32, 101, [112, 102, 100, 104, 201, -199, -2147483648, 104]],
])("quantize_per_tensor rounds ties of $name after a fused multiply-add", (dtype, zeroPoint, expected) => {
  expect(integers(call("aten::quantize_per_tensor", floats(HALVES), 0.03, zeroPoint, dtype.id))).toEqual(expected);
});

test("quantize_per_channel makes 0 of a NaN where quantize_per_tensor makes the largest integer", () => {
  const q = call(
    "aten::quantize_per_channel",
    floats(HALVES, [1, 8]),
    floats([0.03]),
    ints([101]),
    0,
    DTYPES.quint8.id,
  );
  expect(integers(q)).toEqual([112, 102, 100, 104, 201, 0, 0, 104]);
});

const WEIGHTS = [1, -2, 3, 4, -5, 7];
const BIAS = floats([0.5, -1, 2]);

test("quantized::linear requantizes in units of the accumulator", () => {
  const packed = call("quantized::linear_prepack", affine(WEIGHTS, [3, 2], DTYPES.qint8, 0.04, 0), BIAS);
  const x = affine([10, 200, 77, 3], [2, 2], DTYPES.quint8, 0.05, 90);
  expect(integers(call("quantized::linear", x, packed, 0.1, 30))).toEqual([29, 24, 73, 38, 12, 39]);
  expect(integers(call("quantized::linear_relu", x, packed, 0.1, 30))).toEqual([30, 30, 73, 38, 30, 39]);
  const dynamic = list(call("quantized::linear_dynamic", floats([0.3, -1.2, 2.5, 0.01], [2, 2]), packed, false));
  [
    0.6085333228111267, -1.156125545501709, 1.601850986480713, 0.5986666679382324, -0.6981960535049438,
    1.5049254894256592,
  ].forEach((v, i) => expect(dynamic[i]).toBeCloseTo(v, 6));
});

test("quantized::conv2d_dynamic gives results of the input's scale", () => {
  const weight = affine(WEIGHTS, [3, 2, 1, 1], DTYPES.qint8, 0.04, 0);
  const packed = call("quantized::conv2d_prepack", weight, BIAS, [1, 1], [0, 0], [1, 1], 1);
  const x = affine([10, 200, 77, 3], [1, 2, 1, 2], DTYPES.quint8, 0.05, 90);
  expect(integers(call("quantized::conv2d.new", x, packed, 0.1, 30))).toEqual([34, 41, 14, 20, 56, 27]);
  const y = list(call("quantized::conv2d_dynamic", floats([0.3, -1.2, 2.5, 0.01], [1, 2, 1, 2]), packed, false));
  [
    0.31921571493148804, 0.4498039484024048, -0.5658823847770691, -1.1462745666503906, 2.4956862926483154,
    2.2490196228027344,
  ].forEach((v, i) => expect(y[i]).toBeCloseTo(v, 6));
});

test("transposed quantized convolutions refuse scales per channel", () => {
  const weight = fromIntegers([1, 2], [1, 2, 1, 1], DTYPES.qint8, {
    scheme: "per_channel_affine",
    scales: floats([1, 1]),
    zeroPoints: ints([0, 0]),
    axis: 1,
  });
  expect(() => call("quantized::conv_transpose2d_prepack", weight, null, [1, 1], [0, 0], [0, 0], [1, 1], 1)).toThrow(
    "Per Channel Quantization is currently disabled for transposed conv",
  );
});

test("4-bit embeddings keep scale and bias in half precision", () => {
  const weight = floats([0.1, 0.5, -0.3, 0.9, 1, -1, 0.2, 0.6], [2, 4]);
  const q = call("aten::quantize_per_channel", weight, floats([0.1, 0.2]), floats([5.5, 7.25]), 0, DTYPES.quint4x2.id);
  expect(q.storage.nbytes).toBe(4);
  const packed = call("quantized::embedding_bag_prepack", q);
  const y = list(call("quantized::embedding_4bit", packed, ints([1, 0]), false));
  [
    0.94921875, -1.05029296875, 0.1494140625, 0.54931640625, 0.050048828125, 0.449951171875, -0.349853515625,
    0.849853515625,
  ].forEach((v, i) => expect(y[i]).toBeCloseTo(v, 6));
});

test("embedding_bag_4bit_prepack searches bounds on request", () => {
  const packed = call("quantized::embedding_bag_4bit_prepack", floats([0.1, 0.5, -0.3, 0.9], [1, 4]), true, 200, 0.16);
  expect(list(packed)).toEqual([165, 240, 31, 45, 205, 180]);
});

test("fused_moving_avg_obs_fake_quant chooses parameters only while it fakes", () => {
  const on = ints([1]);
  const off = ints([0]);
  const [low, high, scale, zero] = [
    floats([Infinity]),
    floats([-Infinity]),
    floats([1]),
    fromData([0], [1], DTYPES.int32),
  ];
  call(
    "aten::fused_moving_avg_obs_fake_quant",
    floats([-1, 3]),
    on,
    off,
    low,
    high,
    scale,
    zero,
    0.01,
    0,
    255,
    0,
    false,
    false,
  );
  expect([list(low), list(high), list(scale)]).toEqual([[-1], [3], [1]]);
  call(
    "aten::fused_moving_avg_obs_fake_quant",
    floats([-1, 3]),
    off,
    on,
    low,
    high,
    scale,
    zero,
    0.01,
    0,
    255,
    0,
    false,
    false,
  );
  expect(list(scale)[0]).toBeCloseTo(4 / 255, 8);
  expect(list(zero)).toEqual([64]);
});

test("arithmetic that PyTorch has no quantized kernel for is refused", () => {
  const q = affine([1, 2], [2], DTYPES.quint8, 0.1, 0);
  expect(() => call("aten::add.Tensor", q, q, 1)).toThrow(
    "Could not run 'aten::add.out' with arguments from the 'QuantizedCPU' backend.",
  );
});

const SPARSE = (): Tensor => sparseTensor(ints([0, 1, 1, 2, 0, 0], [2, 3]), floats([1, 2, 3]), [2, 3], false);
const parts = (t: Tensor): number[][] => {
  const c = callOperator("aten::coalesce", [t]) as Tensor;
  return [list(call("aten::_indices", c)), list(call("aten::_values", c))];
};

test("sparse tensors are joined, selected and summed by their indices", () => {
  expect(parts(call("aten::cat", [SPARSE(), SPARSE()], 1))).toEqual([
    [0, 0, 1, 1, 2, 5, 0, 3],
    [1, 1, 5, 5],
  ]);
  expect(parts(call("aten::index_select", SPARSE(), 0, ints([1, 0, 1])))).toEqual([
    [0, 1, 2, 0, 2, 0],
    [5, 1, 5],
  ]);
  expect(list(call("aten::to_dense", call("aten::sum.dim_IntList", SPARSE(), [1], false, null), null, null))).toEqual([
    1, 5,
  ]);
});

// what such an operator found in the place of the elements was other tensors' bytes, which it could change
test("operators that know no sparse tensors refuse them, and touch nothing", () => {
  const t = SPARSE();
  const neighbour = floats([7, 8, 9, 10]);
  for (const [name, ...args] of [
    ["cumsum", 0, null],
    ["sort", -1, false],
    ["flip", [0]],
    ["max"],
    ["angle"],
    ["masked_fill_.Scalar", call("aten::gt.Scalar", ints([1, 0, 1]), 0), 5],
    ["fill_.Scalar", 5],
    ["uniform_", 0, 1, null],
    ["addcmul_", t, t, 1],
  ] as const) {
    const key = `aten::${name}`;
    expect(() => call(key, t, ...args), key).toThrow(
      `Could not run '${key}' with arguments from the 'SparseCPU' backend.`,
    );
  }
  expect(() => call("aten::div.Tensor", t, floats([1, 2, 3]))).toThrow(
    "Sparse division requires a scalar or zero-dim dense tensor divisor (got shape [3] for divisor)",
  );
  expect(list(neighbour)).toEqual([7, 8, 9, 10]);
  call("aten::mul_.Scalar", t, 2);
  const rows = callOperator("aten::unbind.int", [t, 0]) as Tensor[];
  expect(rows.map((row) => list(call("aten::to_dense", row, null, null)))).toEqual([
    [0, 0, 2],
    [10, 0, 0],
  ]);
});

test("in-place operators replace the parts of a sparse tensor", () => {
  const t = SPARSE();
  call("aten::add_.Tensor", t, t, 1);
  expect(list(call("aten::to_dense", t, null, null))).toEqual([0, 0, 2, 10, 0, 0]);
  call("aten::zero_", t);
  expect(callOperator("aten::_nnz", [t])).toBe(0);
});

test.each([
  ["float32 sums", 8, 1],
  ["sums that float32 cannot hold", 640, 1],
  ["groups", 16, 4],
])("quantized::conv2d is the rounded sum of whole numbers: %s", (_, channels, groups) => {
  const [outs, side] = [8, 5];
  const per = channels / groups;
  let state = 7;
  const next = (count: number): number => (state = (state * 48271) % 2147483647) % count;
  const x = Array.from({ length: channels * side * side }, () => next(256));
  const w = Array.from({ length: outs * per * 9 }, () => (next(4) === 0 ? next(255) - 127 : 127));
  const packed = call(
    "quantized::conv2d_prepack",
    affine(w, [outs, per, 3, 3], DTYPES.qint8, 1, 0),
    null,
    [1, 1],
    [1, 1],
    [1, 1],
    groups,
  );
  const scale = per * 9 * 127;
  const y = call("quantized::conv2d.new", affine(x, [1, channels, side, side], DTYPES.quint8, 1, 3), packed, scale, 4);
  expect(y.strides).toEqual([outs * side * side, 1, side * outs, outs]);
  const expected: number[] = [];
  for (let o = 0; o < outs; o++) {
    for (let i = 0; i < side * side; i++) {
      let sum = 0;
      for (let c = 0; c < per; c++) {
        for (let tap = 0; tap < 9; tap++) {
          const [r, q] = [Math.floor(i / side) + Math.floor(tap / 3) - 1, (i % side) + (tap % 3) - 1];
          if (r < 0 || r >= side || q < 0 || q >= side) continue;
          const channel = Math.floor(o / (outs / groups)) * per + c;
          sum += (x[(channel * side + r) * side + q]! - 3) * w[(o * per + c) * 9 + tap]!;
        }
      }
      expected.push(Math.max(0, Math.round(sum / scale + 4)));
    }
  }
  expect(integers(y)).toEqual(expected);
});

const SPECIAL = [NaN, Infinity, -Infinity, -0, 0, 1e-45, -1e-45, 3.4e38, -3.4e38, 0.5, 1.5, -2.5];

test.each([
  [DTYPES.quint8, 3, 0.1],
  [DTYPES.qint8, -7, 0.25],
  [DTYPES.quint8, 255, 1e-38],
  [DTYPES.qint8, 127, 1e30],
])("quantizing to $name and back is what one element after the other gives", (dtype, zeroPoint, scale) => {
  const values = Array.from({ length: 300 }, (_, i) =>
    Math.fround(i < 12 ? SPECIAL[i]! : scale * 0.5 * (i - 150) * (i % 3 ? 1 : 1.7)),
  );
  const q = call("aten::quantize_per_tensor", floats(values), scale, zeroPoint, dtype.id);
  expect(integers(q)).toEqual(values.map((v) => quantizeFused(v, scale, zeroPoint, dtype) + 0));
  const back = integers(q).map((i) => Math.fround((i - zeroPoint) * Math.fround(scale)));
  expect(list(call("aten::dequantize.self", q))).toEqual(back);
  const columns = call("aten::t", call("aten::reshape", q, [20, 15]));
  const transposed = Array.from({ length: 300 }, (_, i) => back[(i % 20) * 15 + Math.floor(i / 20)]!);
  expect(list(call("aten::dequantize.self", columns))).toEqual(transposed);
});

test("dynamic layers have PyTorch's bits: product and bias are rounded together", () => {
  const packed = call("quantized::linear_prepack", affine(WEIGHTS, [3, 2], DTYPES.qint8, 0.04, 0), BIAS);
  const y = call("quantized::linear_dynamic", floats([0.3, -1.2, 2.5, 0.01, 0.7, -0.9], [3, 2]), packed, true);
  expect(list(y)).toEqual([
    0.6072126030921936, -1.1561574935913086, 1.6072756052017212, 0.6002204418182373, -0.6993386149406433,
    1.498897671699524, 0.6002204418182373, -1.060598373413086, 1.6072756052017212,
  ]);
});
