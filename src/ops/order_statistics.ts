/** @file Order statistics: median, kthvalue, mode, quantile; histograms and counts. Upstream: aten/src/ATen/native/Sorting.cpp, Histogram.cpp, SummaryOps.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { contiguousTensor } from "../tensor/clone.ts";
import { fromFloat64Array, scalarTensor, toFloat64Array } from "../tensor/data.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { fromIndices, indicesOf } from "../tensor/kernels/data.ts";
import { modeIndex, nthElement, quickSelect } from "../tensor/kernels/selection.ts";
import { notImplemented } from "../tensor/pointwise.ts";
import { lineCursor, planLines, selectFromLines } from "../tensor/reduce.ts";
import { scalarToNumber } from "../tensor/scalar.ts";
import { numelOf, wrapDim } from "../tensor/strides.ts";
import { emptyTensor, viewOf, type Tensor } from "../tensor/tensor.ts";
import { flatView } from "./reduction.ts";
import { roundingOf } from "./unary.ts";

function checkLine(name: string, self: Tensor, dim: number): number {
  const d = wrapDim(dim, self.ndim);
  if (self.ndim > 0 && self.sizes[d] === 0) {
    throw new OperatorError(`${name}(): Expected reduction dim ${d} to have non-zero size.`);
  }
  return d;
}

function checkOrdered(name: string, self: Tensor): void {
  if (self.dtype === DTYPES.bool || self.dtype.category === "complex") throw notImplemented(name, self.dtype);
}

function medianIndex(ignoreNan: boolean): (x: Float64Array) => number {
  return (x) => {
    let nans = 0;
    let firstNan = -1;
    for (let i = 0; i < x.length; i++) {
      if (x[i]! !== x[i]!) {
        if (firstNan < 0) firstNan = i;
        nans++;
      }
    }
    if (nans > 0 && !ignoreNan) return firstNan;
    return nthElement(x, Math.trunc((x.length - nans - 1) / 2));
  };
}

for (const ignoreNan of [false, true]) {
  const name = ignoreNan ? "nanmedian" : "median";
  const whole = (self: Tensor): Tensor => {
    checkOrdered("median_cpu", self);
    if (self.numel === 0)
      return scalarTensor(
        self.dtype.category === "float" ? NaN : self.dtype === DTYPES.int64 ? -(2n ** 63n) : 0,
        self.dtype,
      );
    return selectFromLines(flatView(self), 0, false, DTYPES.int64, medianIndex(ignoreNan)).values;
  };
  const along = (self: Tensor, dim: number, keepdim: boolean): [Tensor, Tensor] => {
    const d = checkLine("median", self, dim);
    checkOrdered("median_out", self);
    const { values, indices } = selectFromLines(self, d, keepdim, DTYPES.int64, medianIndex(ignoreNan));
    return [values, indices];
  };
  if (name === "median") {
    op("aten::median(Tensor self) -> Tensor", whole);
    op("aten::median.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)", along);
  } else {
    op("aten::nanmedian(Tensor self) -> Tensor", whole);
    op("aten::nanmedian.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)", along);
  }
}

op(
  "aten::kthvalue(Tensor self, SymInt k, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)",
  (self, k, dim, keepdim): [Tensor, Tensor] => {
    const d = checkLine("kthvalue", self, dim);
    const length = self.ndim === 0 ? 1 : self.sizes[d]!;
    if (k < 1 || k > length) throw new OperatorError(`kthvalue(): selected number k out of range for dimension ${d}`);
    checkOrdered("kthvalue_cpu", self);
    const { values, indices } = selectFromLines(self, d, keepdim, DTYPES.int64, (x) => quickSelect(x, k - 1));
    return [values, indices];
  },
);

op(
  "aten::mode(Tensor self, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)",
  (self, dim, keepdim): [Tensor, Tensor] => {
    const d = checkLine("mode", self, dim);
    if (self.dtype.category === "complex") throw notImplemented("mode_cpu", self.dtype);
    const { values, indices } = selectFromLines(self, d, keepdim, DTYPES.int64, modeIndex);
    return [values, indices];
  },
);

const INTERPOLATIONS = new Set(["linear", "lower", "higher", "midpoint", "nearest"]);

/** quantile and nanquantile: q's dimension, if any, comes first in the result. */
function quantileOf(
  self: Tensor,
  q: readonly number[],
  qIsScalar: boolean,
  dim: number | null,
  keepdim: boolean,
  interpolation: string,
  ignoreNan: boolean,
): Tensor {
  if (self.numel === 0) throw new OperatorError("quantile() input tensor must be non-empty");
  if (!INTERPOLATIONS.has(interpolation)) {
    throw new OperatorError(
      `quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, but got ${interpolation}`,
    );
  }
  if (self.dtype !== DTYPES.float32 && self.dtype !== DTYPES.float64) {
    throw new OperatorError("quantile() input tensor must be either float or double dtype");
  }
  for (const v of q)
    if (!(v >= 0 && v <= 1))
      throw new OperatorError(
        qIsScalar
          ? `quantile() q must be in the range [0, 1] but got ${v}`
          : "quantile() q values must be in the range [0, 1]",
      );
  const flat = dim === null ? flatView(self) : self;
  const d = dim === null ? 0 : wrapDim(dim, self.ndim);
  const rest = self.sizes.filter((_, i) => dim !== null && i !== d);
  const shape = keepdim ? self.sizes.map((s, i) => (dim === null || i === d ? 1 : s)) : rest;
  const lines = planLines(flat, d);
  const per = numelOf(rest);
  const results = new Float64Array(q.length * per);
  const cursor = lineCursor(flat, lines);
  const x = new Float64Array(lines.length);
  const isFloat = self.dtype === DTYPES.float32;
  const round = isFloat ? Math.fround : (v: number): number => v;
  for (let i = 0; i < per; i++) {
    cursor.load(x, lines.length);
    // Float64Array.sort puts NaN last
    x.sort();
    let n = x.length;
    while (n > 0 && x[n - 1]! !== x[n - 1]!) n--;
    const hasNan = n < x.length;
    q.forEach((v, k) => {
      const at = i * q.length + k;
      if ((hasNan && !ignoreNan) || n === 0) {
        results[at] = NaN;
        return;
      }
      let rank = round(round(v) * (n - 1));
      if (interpolation === "lower") rank = Math.floor(rank);
      else if (interpolation === "higher") rank = Math.ceil(rank);
      else if (interpolation === "nearest") rank = roundEven(rank);
      const below = Math.floor(rank);
      const lo = x[below]!;
      if (interpolation !== "linear" && interpolation !== "midpoint") {
        results[at] = lo;
        return;
      }
      const weight = interpolation === "midpoint" ? 0.5 : rank - below;
      const hi = x[Math.ceil(rank)]!;
      results[at] = weight < 0.5 ? lo + weight * (hi - lo) : hi - (hi - lo) * (1 - weight);
    });
  }
  if (qIsScalar) return fromFloat64Array(results, shape, self.dtype);
  // the quantiles of a line lie one after another, and their dimension is moved to the front
  const ranked = fromFloat64Array(results, [...shape, q.length], self.dtype);
  const out = viewOf(ranked, [q.length, ...shape], [1, ...ranked.strides.slice(0, -1)]);
  out.base = undefined;
  return out;
}

function roundEven(x: number): number {
  const r = Math.round(x);
  return r - x === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

function quantileTensor(ignoreNan: boolean) {
  return (self: Tensor, q: Tensor, dim: number | null, keepdim: boolean, interpolation: string): Tensor => {
    if (q.ndim > 1) throw new OperatorError("quantile() q must be a scalar or 1D tensor");
    if (self.dtype !== q.dtype && (self.dtype === DTYPES.float32 || self.dtype === DTYPES.float64)) {
      throw new OperatorError("quantile() q tensor must be same dtype as the input tensor");
    }
    return quantileOf(self, Array.from(toFloat64Array(q)), q.ndim === 0, dim, keepdim, interpolation, ignoreNan);
  };
}
function quantileScalar(ignoreNan: boolean) {
  return (self: Tensor, q: number, dim: number | null, keepdim: boolean, interpolation: string): Tensor =>
    quantileOf(self, [q], true, dim, keepdim, interpolation, ignoreNan);
}
op(
  'aten::quantile(Tensor self, Tensor q, int? dim=None, bool keepdim=False, *, str interpolation="linear") -> Tensor',
  quantileTensor(false),
);
op(
  'aten::quantile.scalar(Tensor self, float q, int? dim=None, bool keepdim=False, *, str interpolation="linear") -> Tensor',
  quantileScalar(false),
);
op(
  'aten::nanquantile(Tensor self, Tensor q, int? dim=None, bool keepdim=False, *, str interpolation="linear") -> Tensor',
  quantileTensor(true),
);
op(
  'aten::nanquantile.scalar(Tensor self, float q, int? dim=None, bool keepdim=False, *, str interpolation="linear") -> Tensor',
  quantileScalar(true),
);

op("aten::histc(Tensor self, int bins=100, Scalar min=0, Scalar max=0) -> Tensor", (self, bins, min, max) => {
  if (self.dtype.category !== "float") {
    const kernel =
      self.dtype === DTYPES.bool
        ? "linspace_cpu"
        : self.dtype.category === "int" || min !== max
          ? "histogram_cpu"
          : "aminmax_cpu";
    throw notImplemented(kernel, self.dtype);
  }
  if (bins <= 0) throw new OperatorError(`torch.histogram(): bins must be > 0, but got ${bins} for dimension 0`);
  const x = toFloat64Array(contiguousTensor(self));
  let lo = scalarToNumber(min);
  let hi = scalarToNumber(max);
  if (lo === hi && x.length > 0) {
    lo = Infinity;
    hi = -Infinity;
    for (const v of x) {
      if (v < lo || v !== v) lo = v;
      if (v > hi || v !== v) hi = v;
    }
  }
  if (lo === hi) {
    lo -= 1;
    hi += 1;
  }
  if (!Number.isFinite(lo) || !Number.isFinite(hi)) {
    throw new OperatorError(`torch.histc: range of [${cppFloat(lo)}, ${cppFloat(hi)}] is not finite`);
  }
  if (!(lo < hi)) throw new OperatorError("torch.histc: max must be larger than min");
  const counts = new Float64Array(bins);
  const step = roundingOf(self.dtype);
  const width = step(hi - lo);
  for (const v of x) {
    if (!(v >= lo && v <= hi)) continue;
    let at = Math.trunc(step(step(step(v - lo) * bins) / width));
    if (at === bins) at--;
    counts[at] = counts[at]! + 1;
  }
  return fromFloat64Array(counts, [bins], self.dtype);
});

function cppFloat(x: number): string {
  return x !== x ? "nan" : x === Infinity ? "inf" : x === -Infinity ? "-inf" : String(x);
}

/** Counters of a number: the same one twice in a row waits for itself. */
const COUNTERS = 4;
/** Numbers from which on they are counted once only. */
const MAX_COUNTED = 1 << 16;

/** How often int64 elements that lie side by side are each of the first numbers; undefined where some are others, or many. */
function countsOfWords(self: Tensor, minlength: number): Float64Array | undefined {
  if (self.dtype !== DTYPES.int64 || !self.isContiguous() || self.device.type === "meta") return undefined;
  const words = self.storage.segment.i32;
  const start = 2 * self.base0;
  const end = start + 2 * self.numel;
  let high = 0;
  let most = minlength - 1;
  for (let at = start; at < end; at += 2) {
    high |= words[at + 1]! | (words[at]! >> 31);
    if (words[at]! > most) most = words[at]!;
  }
  const size = most + 1;
  if (high !== 0 || size > MAX_COUNTED || size > self.numel) return undefined;
  const counts = new Int32Array(COUNTERS * size);
  let at = start;
  for (; at + 2 * COUNTERS <= end; at += 2 * COUNTERS) {
    counts[words[at]!]!++;
    counts[words[at + 2]! + size]!++;
    counts[words[at + 4]! + 2 * size]!++;
    counts[words[at + 6]! + 3 * size]!++;
  }
  for (; at < end; at += 2) counts[words[at]!]!++;
  return Float64Array.from(
    { length: size },
    (_, i) => counts[i]! + counts[i + size]! + counts[i + 2 * size]! + counts[i + 3 * size]!,
  );
}

op("aten::bincount(Tensor self, Tensor? weights=None, SymInt minlength=0) -> Tensor", (self, weights, minlength) => {
  if (self.dtype.category !== "int") throw notImplemented("bincount_cpu", self.dtype);
  if (minlength < 0) throw new OperatorError("minlength should be >= 0");
  const outDtype = weights === null ? DTYPES.int64 : weights.dtype === DTYPES.float32 ? DTYPES.float32 : DTYPES.float64;
  if (self.ndim === 1 && self.numel === 0) return emptyTensor([minlength], outDtype);
  const small = weights === null && self.ndim === 1 ? countsOfWords(self, minlength) : undefined;
  if (small) return fromIndices(small, [small.length]);
  const x = indicesOf(self);
  let least = 0;
  let size = minlength;
  for (let i = 0; i < x.length; i++) {
    const v = x[i]!;
    if (v < least) least = v;
    if (v >= size) size = v + 1;
  }
  if (self.ndim !== 1 || least < 0) throw new OperatorError("bincount only supports 1-d non-negative integral inputs.");
  if (weights !== null && (weights.ndim !== 1 || weights.sizes[0] !== self.sizes[0])) {
    throw new OperatorError("weights should be 1-d and have the same length as input");
  }
  const out = emptyTensor([size], outDtype);
  const counts = new Float64Array(size);
  const w = weights === null ? undefined : toFloat64Array(weights);
  // they are below the length of an array
  if (w) for (let i = 0; i < x.length; i++) counts[x[i]! | 0]! += w[i]!;
  else for (let i = 0; i < x.length; i++) counts[x[i]! | 0]!++;
  return out.numel === 0 ? out : fromFloat64Array(counts, [size], outDtype);
});
