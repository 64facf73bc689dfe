/** @file Softmax and log-softmax, with their gradients. Upstream: aten/src/ATen/native/SoftMax.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { contiguousAs, contiguousTensor, convertTensor } from "../tensor/clone.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { wasmSoftmax, wasmSoftmaxColumns } from "../tensor/kernels/wasm/vectors.ts";
import { notImplemented } from "../tensor/pointwise.ts";
import { lineCursor, mapLines, planLines } from "../tensor/reduce.ts";
import { numelOf, wrapDim } from "../tensor/strides.ts";
import { emptyTensor, uninitializedTensor, type Tensor } from "../tensor/tensor.ts";
import { sub } from "./arithmetic.ts";
import { isReducedFloat } from "./operands.ts";
import { amax, sumDim } from "./reduction.ts";
import { masked_fill } from "./ternary.ts";
import { exp, log } from "./unary.ts";
import { dtypeArgument } from "./views.ts";

function softmaxLine(x: Float64Array, y: Float64Array): void {
  let max = -Infinity;
  for (let i = 0; i < x.length; i++) if (x[i]! > max || x[i]! !== x[i]!) max = x[i]!;
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    const e = Math.exp(x[i]! - max);
    y[i] = e;
    sum += e;
  }
  for (let i = 0; i < x.length; i++) y[i] = y[i]! / sum;
}

function logSoftmaxLine(x: Float64Array, y: Float64Array): void {
  let max = -Infinity;
  for (let i = 0; i < x.length; i++) if (x[i]! > max || x[i]! !== x[i]!) max = x[i]!;
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += Math.exp(x[i]! - max);
  const log = Math.log(sum);
  for (let i = 0; i < x.length; i++) y[i] = x[i]! - max - log;
}

/** Rows of halves keep their sum and its logarithm in their dtype, the rest in float32, as in PyTorch's kernel. */
function logSoftmaxHalves(self: Tensor): Tensor {
  const dims = self.ndim === 0 ? [] : [self.ndim - 1];
  const wide = convertTensor(self, DTYPES.float32);
  const shifted = sub(wide, amax(wide, dims, true), 1);
  const total = convertTensor(sumDim(exp(shifted), dims, true, null), self.dtype);
  return convertTensor(sub(shifted, convertTensor(log(total), DTYPES.float32), 1), self.dtype);
}

/** Contiguous float32 elements by the kernels for many of them; undefined where they do not take them. */
function softmaxFast(self: Tensor, dim: number, isLog: boolean): Tensor | undefined {
  const length = self.sizes[dim]!;
  const inner = numelOf(self.sizes.slice(dim + 1));
  const outer = self.numel / (length * inner);
  const out = uninitializedTensor(self.sizes);
  const x = self.storage.segment.f32;
  const y = out.storage.segment.f32;
  const isDone =
    inner === 1
      ? wasmSoftmax(x, self.base0, y, out.base0, outer, length, isLog)
      : wasmSoftmaxColumns(x, self.base0, y, out.base0, outer, length, inner, isLog);
  if (isDone) return out;
  if (isLog || inner !== 1) return undefined;
  softmaxRows(x, self.base0, y, out.base0, outer, length);
  return out;
}

function softmaxRows(x: Float32Array, xAt: number, y: Float32Array, yAt: number, rows: number, length: number): void {
  const end = xAt + rows * length;
  for (let row = xAt, o = yAt; row < end; row += length, o += length) {
    let max = -Infinity;
    for (let i = 0; i < length; i++) {
      const v = x[row + i]!;
      if (v > max || v !== v) max = v;
    }
    let sum = 0;
    for (let i = 0; i < length; i++) {
      const e = Math.exp(x[row + i]! - max);
      y[o + i] = e;
      sum += e;
    }
    const scale = 1 / sum;
    for (let i = 0; i < length; i++) y[o + i] = y[o + i]! * scale;
  }
}

function softmaxOf(self: Tensor, dim: number, isLog: boolean): Tensor {
  const d = wrapDim(dim, self.ndim);
  if (self.numel === 0) return emptyTensor(self.sizes, self.dtype);
  if (self.dtype.category !== "float") {
    const kernel = d === self.ndim - 1 || self.ndim === 0 ? "_lastdim_kernel_impl" : "_kernel_impl";
    throw notImplemented(`${isLog ? "log_" : ""}softmax${kernel}`, self.dtype);
  }
  if (isLog && isReducedFloat(self.dtype) && d >= self.ndim - 1) return logSoftmaxHalves(self);
  const { float32, float16, bfloat16 } = DTYPES;
  const fits = self.dtype === float32 || self.dtype === float16 || self.dtype === bfloat16;
  if (fits && self.ndim > 0 && self.numel > 0 && self.device.type !== "meta") {
    const fast = softmaxFast(contiguousAs(self, float32), d, isLog);
    if (fast) return convertTensor(fast, self.dtype);
  }
  return mapLines(self, d, self.dtype, true, isLog ? logSoftmaxLine : softmaxLine).out;
}

function withDtype(self: Tensor, id: number | null): Tensor {
  return id === null ? self : convertTensor(self, dtypeArgument(id));
}

/** _softmax(half_to_float): a half input with a float result. */
function halfToFloat(self: Tensor, convert: boolean): Tensor {
  if (!convert) return self;
  throw new OperatorError(`softmax with half to float conversion is not supported on CPU`);
}

const softmaxInt = (self: Tensor, dim: number, dtype: number | null): Tensor =>
  softmaxOf(withDtype(self, dtype), dim, false);
const logSoftmaxInt = (self: Tensor, dim: number, dtype: number | null): Tensor =>
  softmaxOf(withDtype(self, dtype), dim, true);
export const softmax = op("aten::softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", softmaxInt);
export const log_softmax = op(
  "aten::log_softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor",
  logSoftmaxInt,
);
op("aten::special_softmax(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", softmaxInt);
op("aten::special_log_softmax(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor", logSoftmaxInt);
op("aten::_softmax(Tensor self, int dim, bool half_to_float) -> Tensor", (self, dim, convert) =>
  softmaxOf(halfToFloat(self, convert), dim, false),
);
op("aten::_log_softmax(Tensor self, int dim, bool half_to_float) -> Tensor", (self, dim, convert) =>
  softmaxOf(halfToFloat(self, convert), dim, true),
);

/** Softmax that gives zeros, not NaN, for rows that are all -inf. */
op("aten::_safe_softmax(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", (self, dim, dtype) => {
  const input = withDtype(self, dtype);
  return mapLines(input, dim, input.dtype, true, (x, y) => {
    if (x.every((v) => v === -Infinity)) y.fill(0);
    else softmaxLine(x, y);
  }).out;
});

op("aten::_masked_softmax(Tensor self, Tensor mask, int? dim=None, int? mask_type=None) -> Tensor", (self, mask, dim) =>
  softmaxOf(masked_fill(self, mask, -Infinity), dim ?? self.ndim - 1, false),
);

function backward(
  grad: Tensor,
  output: Tensor,
  dim: number,
  id: number,
  line: (g: Float64Array, y: Float64Array, out: Float64Array) => void,
): Tensor {
  const dtype: DType = dtypeArgument(id);
  const d = wrapDim(dim, output.ndim);
  const y = contiguousTensor(output);
  const g = contiguousTensor(grad);
  const lines = planLines(y, d);
  const out = emptyTensor(y.sizes, dtype);
  const [cg, cy, co] = [lineCursor(g, lines), lineCursor(y, lines), lineCursor(out, lines)];
  const [xg, xy, xo] = [new Float64Array(lines.length), new Float64Array(lines.length), new Float64Array(lines.length)];
  for (let i = 0; i < lines.count; i++) {
    cg.load(xg, lines.length);
    cy.load(xy, lines.length);
    line(xg, xy, xo);
    co.store(xo, lines.length, true);
  }
  return out;
}
op(
  "aten::_softmax_backward_data(Tensor grad_output, Tensor output, int dim, ScalarType input_dtype) -> Tensor",
  (grad, output, dim, dtype) =>
    backward(grad, output, dim, dtype, (g, y, out) => {
      let dot = 0;
      for (let i = 0; i < g.length; i++) dot += g[i]! * y[i]!;
      for (let i = 0; i < g.length; i++) out[i] = y[i]! * (g[i]! - dot);
    }),
);
op(
  "aten::_log_softmax_backward_data(Tensor grad_output, Tensor output, int dim, ScalarType input_dtype) -> Tensor",
  (grad, output, dim, dtype) =>
    backward(grad, output, dim, dtype, (g, y, out) => {
      let sum = 0;
      for (let i = 0; i < g.length; i++) sum += g[i]!;
      for (let i = 0; i < g.length; i++) out[i] = g[i]! - Math.exp(y[i]!) * sum;
    }),
);
