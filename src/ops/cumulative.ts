/** @file Cumulative operators: cumsum, cumprod, cummax, cummin, logcumsumexp. Upstream: aten/src/ATen/native/ReduceOps.cpp, cpu/ReduceOpsKernel.cpp. Spec: none. */
import { op } from "../core/operator_registry.ts";
import { convertTensor } from "../tensor/clone.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { wasmScanIntegers } from "../tensor/kernels/wasm/integer_folds.ts";
import { C, clogaddexp } from "../tensor/math/complex.ts";
import { notImplemented } from "../tensor/pointwise.ts";
import { lineCursor, mapBigLines, mapComplexLines, mapLines, planLines } from "../tensor/reduce.ts";
import { wrapDim } from "../tensor/strides.ts";
import { emptyTensor, uninitializedTensor, type Tensor } from "../tensor/tensor.ts";
import { dtypeArgument } from "./views.ts";

function resultDtype(self: Tensor, id: number | null): DType {
  if (id !== null) return dtypeArgument(id);
  return self.dtype.category === "int" || self.dtype.category === "bool" ? DTYPES.int64 : self.dtype;
}

/** Running totals in double precision, of lines or of as many lines at once as lie side by side. */
function accumulateFloats(self: Tensor, dim: number, product: boolean): Tensor {
  const out = uninitializedTensor(self.sizes);
  const length = self.ndim === 0 ? 1 : self.sizes[dim]!;
  const inner = self.sizes.slice(dim + 1).reduce((a, b) => a * b, 1);
  const [x, y] = [self, out].map((t) => t.storage.segment.f32.subarray(t.base32, t.base32 + t.numel)) as [
    Float32Array,
    Float32Array,
  ];
  const totals = new Float64Array(inner);
  for (let at = 0; at < x.length;) {
    let total = product ? 1 : 0;
    if (inner === 1) {
      for (const end = at + length; at < end; at++) {
        total = product ? total * x[at]! : total + x[at]!;
        y[at] = total;
      }
      continue;
    }
    totals.fill(total);
    for (let k = 0; k < length; k++)
      for (let i = 0; i < inner; i++, at++) {
        total = product ? totals[i]! * x[at]! : totals[i]! + x[at]!;
        totals[i] = total;
        y[at] = total;
      }
  }
  return out;
}

/** Running sums of int64 that lie side by side; undefined where another loop is to run. */
function scanInteger(self: Tensor, dim: number): Tensor | undefined {
  const d = wrapDim(dim, self.ndim);
  const isLast = self.sizes.slice(d + 1).every((size) => size === 1);
  if (self.ndim === 0 || self.numel === 0 || !isLast || !self.isContiguous() || self.device.type === "meta")
    return undefined;
  const out = uninitializedTensor(self.sizes, DTYPES.int64);
  const columns = self.sizes[d]!;
  return wasmScanIntegers(self, self.numel / columns, columns, out) ? out : undefined;
}

function accumulate(self: Tensor, dim: number, id: number | null, product: boolean): Tensor {
  const dtype = resultDtype(self, id);
  const input = convertTensor(self, dtype);
  if (dtype.category === "complex") {
    return mapComplexLines(input, dim, dtype, (re, im) => {
      let [r, i] = product ? [1, 0] : [0, 0];
      for (let k = 0; k < re.length; k++) {
        if (product) [r, i] = [r * re[k]! - i * im[k]!, r * im[k]! + i * re[k]!];
        else [r, i] = [r + re[k]!, i + im[k]!];
        re[k] = r;
        im[k] = i;
      }
    });
  }
  if (dtype === DTYPES.float32 && input.isPlainFloat32)
    return accumulateFloats(input, wrapDim(dim, input.ndim), product);
  if (dtype === DTYPES.int64 && !product) {
    const sums = scanInteger(input, dim);
    if (sums) return sums;
  }
  let lost = false;
  const { out, safe } = mapLines(input, dim, dtype, dtype.category === "float", (x, y) => {
    let total = product ? 1 : 0;
    for (let k = 0; k < x.length; k++) {
      total = product ? total * x[k]! : total + x[k]!;
      y[k] = total;
    }
    if (dtype.category === "int") for (let k = 0; k < y.length; k++) if (!Number.isSafeInteger(y[k])) lost = true;
  });
  if (dtype.category !== "int" || (safe && !lost)) return out;
  return mapBigLines(input, dim, dtype, (x) => {
    let total = product ? 1n : 0n;
    for (let k = 0; k < x.length; k++) {
      total = BigInt.asIntN(64, product ? total * x[k]! : total + x[k]!);
      x[k] = total;
    }
  });
}
export const cumsum = op(
  "aten::cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor",
  (self, dim, dtype) => accumulate(self, dim, dtype, false),
);
export const cumprod = op(
  "aten::cumprod(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor",
  (self, dim, dtype) => accumulate(self, dim, dtype, true),
);

/** Running extrema of a line, and where they are: later equal elements win; a NaN stays until the next NaN. */
function runningBest(x: Float64Array, values: Float64Array, places: Float64Array, isMax: boolean): void {
  let best = x[0]!;
  let place = 0;
  for (let k = 0; k < x.length; k++) {
    const v = x[k]!;
    if (v !== v || (isMax ? v >= best : v <= best)) {
      best = v;
      place = k;
    }
    values[k] = best;
    places[k] = place;
  }
}

function running(self: Tensor, dim: number, name: string, isMax: boolean): [Tensor, Tensor] {
  if (self.dtype.category === "complex") throw notImplemented(`${name}_cpu`, self.dtype);
  const lines = planLines(self, dim);
  const values = emptyTensor(self.sizes, self.dtype);
  const indices = emptyTensor(self.sizes, DTYPES.int64);
  const from = lineCursor(self, lines);
  const [toValues, toIndices] = [lineCursor(values, lines), lineCursor(indices, lines)];
  const x = new Float64Array(lines.length);
  const y = new Float64Array(lines.length);
  const at = new Float64Array(lines.length);
  const exact = new Array<bigint>(lines.length).fill(0n);
  for (let i = 0; i < lines.count; i++) {
    const safe = from.load(x, lines.length);
    if (!safe) {
      from.back(lines.length);
      from.loadBig(exact, lines.length);
    }
    if (safe) {
      runningBest(x, y, at, isMax);
      toValues.store(y, lines.length, self.dtype.category === "float");
    } else {
      for (let k = 0, best = 0; k < x.length; k++) {
        if (isMax ? exact[k]! >= exact[best]! : exact[k]! <= exact[best]!) best = k;
        at[k] = best;
      }
      toValues.storeBig(
        exact.map((_, k) => exact[at[k]!]!),
        lines.length,
      );
    }
    toIndices.store(at, lines.length, false);
  }
  return [values, indices];
}
op("aten::cummax(Tensor self, int dim) -> (Tensor values, Tensor indices)", (self, dim) =>
  running(self, dim, "cummax", true),
);
op("aten::cummin(Tensor self, int dim) -> (Tensor values, Tensor indices)", (self, dim) =>
  running(self, dim, "cummin", false),
);

function logcumsumexp(self: Tensor, dim: number): Tensor {
  const { dtype } = self;
  if (dtype.category === "complex") {
    return mapComplexLines(self, dim, dtype, (re, im) => {
      let [r, i] = [-Infinity, 0];
      for (let k = 0; k < re.length; k++) {
        clogaddexp(re[k]!, im[k]!, r, i);
        [r, i] = [C.re, C.im];
        re[k] = r;
        im[k] = i;
      }
    });
  }
  if (dtype.category !== "float") throw notImplemented("logcumsumexp_out_cpu", dtype);
  return mapLines(self, dim, dtype, true, (x, y) => {
    let total = -Infinity;
    for (let k = 0; k < x.length; k++) {
      const v = x[k]!;
      const hi = total > v ? total : v;
      const lo = total > v ? v : total;
      if (total !== total || v !== v) total = NaN;
      else if (hi === lo && !Number.isFinite(hi)) total = hi;
      else total = hi + Math.log1p(Math.exp(lo - hi));
      y[k] = total;
    }
  }).out;
}
op("aten::logcumsumexp(Tensor self, int dim) -> Tensor", logcumsumexp);
op("aten::_logcumsumexp(Tensor self, int dim) -> Tensor", logcumsumexp);
