/** @file Ordering: sort, topk, unique, searchsorted, histogram. Upstream: aten/src/ATen/native/Sorting.cpp, Unique.cpp, Bucketization.cpp, Histogram.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { cloneTensor, convertTensor, laidOutAs } from "../tensor/clone.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { notImplemented } from "../tensor/pointwise.ts";
import { promoteTypes } from "../tensor/promotion.ts";
import { doublesOf, fromDoubles, fromIndices, indicesOf, wideScalar } from "../tensor/kernels/data.ts";
import { gatherDim, gatherElements } from "../tensor/kernels/gather.ts";
import { introSort, nthElement, partialSort, type Keyed } from "../tensor/kernels/introselect.ts";
import { compareKeys, keysOf, searchSorted, sortedOrder, type Keys } from "../tensor/kernels/ordering.ts";
import type { Scalar } from "../tensor/scalar.ts";
import { numelOf, wrapDim } from "../tensor/strides.ts";
import { emptyTensor, viewOf, type Tensor } from "../tensor/tensor.ts";
import { formatList } from "../tensor/view_geometry.ts";
import { reshapeTensor } from "./views.ts";

/** Lines along a dimension: calls `visit` with the offset of each line's first element. */
function eachLine(self: Tensor, dim: number, visit: (at: number, stride: number, line: number) => void): void {
  let inner = 1;
  for (let d = dim + 1; d < self.ndim; d++) inner *= self.sizes[d]!;
  const n = self.ndim === 0 ? 1 : self.sizes[dim]!;
  const lines = n === 0 ? 0 : self.numel / n;
  for (let line = 0; line < lines; line++) visit(Math.floor(line / inner) * n * inner + (line % inner), inner, line);
}

function requireOrdered(self: Tensor, name: string): void {
  if (self.dtype.category === "complex")
    throw new OperatorError(`"${name}" not implemented for '${self.dtype.cppName}'`);
}

function sortTensor(self: Tensor, dimIn: number, descending: boolean): [Tensor, Tensor] {
  const dim = wrapDim(dimIn, self.ndim);
  if (self.dtype.category === "complex") throw new OperatorError(" Sort does not support complex dtypes on CPU");
  if (self.ndim === 0) return [cloneTensor(self), fromIndices([0], [])];
  const n = self.sizes[dim]!;
  const keys = keysOf(self);
  const from = new Float64Array(self.numel);
  const indices = new Float64Array(self.numel);
  eachLine(self, dim, (at, stride) => {
    const order = sortedOrder(keys, at, stride, n, descending);
    for (let i = 0; i < n; i++) {
      from[at + i * stride] = at + order[i]! * stride;
      indices[at + i * stride] = order[i]!;
    }
  });
  const values = gatherElements(self, from, self.sizes);
  return [laidOutAs(values, self), laidOutAs(fromIndices(indices, self.sizes), self)];
}

export const sort = op(
  "aten::sort(Tensor self, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)",
  sortTensor,
);
op(
  "aten::sort.stable(Tensor self, *, bool? stable, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)",
  (self, _stable, dim, descending) => sortTensor(self, dim, descending),
);
op(
  "aten::argsort(Tensor self, int dim=-1, bool descending=False) -> Tensor",
  (self, dim, descending) => sortTensor(self, dim, descending)[1],
);
op(
  "aten::argsort.stable(Tensor self, *, bool stable, int dim=-1, bool descending=False) -> Tensor",
  (self, _stable, dim, descending) => sortTensor(self, dim, descending)[1],
);
op("aten::msort(Tensor self) -> Tensor", (self) => sortTensor(self, 0, false)[0]);

export const topk = op(
  "aten::topk(Tensor self, SymInt k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, Tensor indices)",
  (self, k, dimIn, largest, isSorted): [Tensor, Tensor] => {
    const dim = wrapDim(dimIn, self.ndim);
    const n = self.ndim === 0 ? 1 : self.sizes[dim]!;
    if (k < 0 || k > n) throw new OperatorError("selected index k out of range");
    if (self.dtype.category === "complex") throw new OperatorError(" topk does not support complex dtypes on CPU");
    if (self.dtype === DTYPES.bool) throw new OperatorError("topk does not support bool dtypes on CPU");
    if (self.ndim === 0) return [cloneTensor(self), fromIndices([0], [])];
    const keys = keysOf(self);
    const sizes = self.sizes.map((s, d) => (d === dim ? k : s));
    const from = new Float64Array(numelOf(sizes));
    const indices = new Float64Array(from.length);
    const line: Keyed = { key: new Float64Array(n), from: new Int32Array(n) };
    eachLine(self, dim, (at, stride) => {
      readLine(line, keys, at, stride, largest);
      selectTop(line, k, isSorted);
      const to = Math.floor(at / (n * stride)) * k * stride + (at % stride);
      for (let i = 0; i < k; i++) {
        const index = line.from[i]!;
        from[to + i * stride] = at + index * stride;
        indices[to + i * stride] = index;
      }
    });
    return [gatherElements(self, from, sizes), fromIndices(indices, sizes)];
  },
);

/** Fills a line with numbers that ascend where the keys do, or where they descend. */
function readLine({ key, from }: Keyed, keys: Keys, at: number, stride: number, descending: boolean): void {
  const n = key.length;
  let isPlain = keys instanceof Float64Array;
  if (keys instanceof Float64Array) {
    for (let i = 0, p = at; i < n; i++, p += stride) {
      const k = keys[p]!;
      if (k !== k) isPlain = false;
      key[i] = descending ? -k : k;
    }
  }
  for (let i = 0; i < n; i++) from[i] = i;
  if (isPlain) return;
  // NaN and what doubles would confuse: by their ranks
  const order = sortedOrder(keys, at, stride, n, descending);
  for (let i = 0, rank = 0; i < n; i++) {
    if (i > 0 && compareKeys(keys[at + order[i]! * stride]!, keys[at + order[i - 1]! * stride]!) !== 0) rank++;
    key[order[i]!] = rank;
  }
}

/** Brings the first k to the front, in the order that PyTorch's selection leaves them in. */
function selectTop(line: Keyed, k: number, isSorted: boolean): void {
  const n = line.key.length;
  if (k === 0) return;
  if (k * 64 <= n) partialSort(line, 0, k, n);
  else {
    nthElement(line, 0, k - 1, n);
    if (isSorted) introSort(line, 0, k - 1);
  }
}

interface Distinct {
  /** Position of a representative of each distinct element. */
  readonly first: number[];
  readonly inverse: Float64Array;
  readonly counts: number[];
}

/** Groups elements that compare equal among positions given in order. */
function distinct(order: ArrayLike<number>, isSame: (a: number, b: number) => boolean): Distinct {
  const first: number[] = [];
  const counts: number[] = [];
  const inverse = new Float64Array(order.length);
  for (let i = 0; i < order.length; i++) {
    const p = order[i]!;
    if (i === 0 || !isSame(order[i - 1]!, p)) {
      first.push(p);
      counts.push(0);
    }
    counts[counts.length - 1]!++;
    inverse[p] = first.length - 1;
  }
  return { first, inverse, counts };
}

function uniqueFlat(self: Tensor): Distinct {
  requireOrdered(self, "unique");
  const keys = keysOf(self);
  return distinct(sortedOrder(keys, 0, 1, self.numel, false), (a, b) => keys[a] === keys[b]);
}

function emptyIndices(): Tensor {
  return emptyTensor([0], DTYPES.int64);
}

op(
  "aten::_unique2(Tensor self, bool sorted=True, bool return_inverse=False, bool return_counts=False) -> (Tensor, Tensor, Tensor)",
  (self, _sorted, wantInverse, wantCounts): [Tensor, Tensor, Tensor] => {
    const u = uniqueFlat(self);
    return [
      gatherElements(self, u.first, [u.first.length]),
      wantInverse ? fromIndices(u.inverse, self.sizes) : emptyIndices(),
      wantCounts ? fromIndices(u.counts, [u.counts.length]) : emptyIndices(),
    ];
  },
);
op(
  "aten::_unique(Tensor self, bool sorted=True, bool return_inverse=False) -> (Tensor, Tensor)",
  (self, _sorted, wantInverse): [Tensor, Tensor] => {
    const u = uniqueFlat(self);
    return [
      gatherElements(self, u.first, [u.first.length]),
      wantInverse ? fromIndices(u.inverse, self.sizes) : emptyIndices(),
    ];
  },
);

/** Whole slices along `dim` as rows of keys. */
function sliceRows(self: Tensor, dim: number): { rows: number; compare: (a: number, b: number) => number } {
  const keys = keysOf(self);
  let inner = 1;
  for (let d = dim + 1; d < self.ndim; d++) inner *= self.sizes[d]!;
  const n = self.sizes[dim]!;
  const outer = n === 0 ? 0 : self.numel / (n * inner);
  return {
    rows: n,
    compare: (a, b) => {
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < inner; i++) {
          const c = compareKeys(keys[(o * n + a) * inner + i]!, keys[(o * n + b) * inner + i]!);
          if (c !== 0) return c;
        }
      }
      return 0;
    },
  };
}

/** A view with the dimension `from` at `to`. */
function moveDim(self: Tensor, from: number, to: number): Tensor {
  if (self.ndim === 0) return self;
  const order = self.sizes.map((_, d) => d);
  order.splice(to, 0, ...order.splice(from, 1));
  return viewOf(
    self,
    order.map((d) => self.sizes[d]!),
    order.map((d) => self.strides[d]!),
  );
}

function uniqueSlices(self: Tensor, dimIn: number, isSorted: boolean): [Tensor, Tensor, Tensor] {
  const dim = wrapDim(dimIn, self.ndim);
  const zeros = self.sizes.filter((s) => s === 0).length;
  if (self.ndim > 0 && self.sizes[dim] === 0) {
    if (zeros !== 1)
      throw new OperatorError("Number of zero sized dimensions is more than one, so unique cannot be applied ");
    return [emptyTensor(self.sizes, self.dtype), emptyIndices(), emptyIndices()];
  }
  if (zeros !== 0)
    throw new OperatorError("There are 0 sized dimensions, and they aren't selected, so unique cannot be applied");
  requireOrdered(self, "unique_dim");
  const { rows, compare } = sliceRows(self, dim);
  const order = Array.from({ length: rows }, (_, i) => i);
  if (isSorted) order.sort(compare);
  const u = distinct(order, (a, b) => compare(a, b) === 0);
  // the slices are laid one behind the other
  const first = moveDim(self, dim, 0);
  const values = moveDim(gatherDim(first, 0, u.first), 0, dim);
  values.base = undefined;
  return [values, fromIndices(u.inverse, [rows]), fromIndices(u.counts, [u.counts.length])];
}

op(
  "aten::unique_dim(Tensor self, int dim, bool sorted=True, bool return_inverse=False, bool return_counts=False) -> (Tensor, Tensor, Tensor)",
  (self, dim) => uniqueSlices(self, dim, true),
);
op(
  "aten::unique_dim_consecutive(Tensor self, int dim, bool return_inverse=False, bool return_counts=False) -> (Tensor, Tensor, Tensor)",
  (self, dim) => uniqueSlices(self, dim, false),
);
op(
  "aten::unique_consecutive(Tensor self, bool return_inverse=False, bool return_counts=False, int? dim=None) -> (Tensor, Tensor, Tensor)",
  (self, wantInverse, wantCounts, dim): [Tensor, Tensor, Tensor] => {
    if (dim !== null) return uniqueSlices(self, dim, false);
    requireOrdered(self, "unique");
    const keys = keysOf(self);
    const u = distinct(
      Array.from({ length: self.numel }, (_, i) => i),
      (a, b) => keys[a] === keys[b],
    );
    return [
      gatherElements(self, u.first, [u.first.length]),
      wantInverse ? fromIndices(u.inverse, self.sizes) : emptyIndices(),
      wantCounts ? fromIndices(u.counts, [u.counts.length]) : emptyIndices(),
    ];
  },
);

function searchTensor(
  sorted: Tensor,
  self: Tensor,
  outInt32: boolean,
  rightIn: boolean,
  side: string | null,
  sorter: Tensor | null,
  isScalar: boolean,
): Tensor {
  if (side !== null && side !== "left" && side !== "right") {
    throw new OperatorError(`torch.searchsorted(): side can only be 'left' or 'right' but got ${side}`);
  }
  if (side === "left" && rightIn) {
    throw new OperatorError(
      "torch.searchsorted(): side and right can't be set to opposites, got side of left while right was True",
    );
  }
  const right = side !== null ? side === "right" : rightIn;
  if (isScalar && sorted.ndim !== 1) {
    throw new OperatorError(
      `torch.searchsorted(): input value can be a scalar only when boundaries tensor dimension is 1, but we got boundaries tensor dim(${sorted.ndim}) and input value's dim(0) numel(1)`,
    );
  }
  if (sorted.ndim === 0) {
    throw new OperatorError(
      "torch.searchsorted(): boundaries tensor should have positive dimension, but got 0 dimension",
    );
  }
  if (sorted.ndim !== 1) {
    const ok = self.ndim === sorted.ndim && sorted.sizes.slice(0, -1).every((s, d) => s === self.sizes[d]);
    if (!ok) {
      throw new OperatorError(
        `torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and input value tensor must match, but we got boundaries tensor ${formatList(sorted.sizes)} and input value tensor ${formatList(self.sizes)}`,
      );
    }
  }
  if (sorter) {
    if (sorter.sizes.length !== sorted.ndim || sorter.sizes.some((s, d) => s !== sorted.sizes[d])) {
      throw new OperatorError(
        `torch.searchsorted(): boundary and sorter must have the same size, but got boundary tensor ${formatList(sorted.sizes)}and got sorter tensor ${formatList(sorter.sizes)}`,
      );
    }
    if (sorter.dtype !== DTYPES.int64)
      throw new OperatorError(
        `torch.searchsorted(): sorter must be a tensor of long dtype but got dtype ${cppTypeName(sorter)}`,
      );
  }
  const common = isScalar ? undefined : promoteTypes(sorted.dtype, self.dtype);
  let keys: Keys = keysOf(common ? convertTensor(sorted, common) : sorted);
  let values: Keys = keysOf(common ? convertTensor(self, common) : self);
  if (keys instanceof BigInt64Array !== values instanceof BigInt64Array) {
    keys = doublesOf(sorted);
    values = doublesOf(self);
  }
  const isOrdered = sorted.dtype !== DTYPES.bool && sorted.dtype.category !== "complex";
  if (!isOrdered && self.dtype === sorted.dtype && self.numel > 0)
    throw notImplemented("searchsorted_out_cpu", sorted.dtype);
  const width = sorted.sizes[sorted.ndim - 1]!;
  const perRow = sorted.ndim === 1 ? 0 : (self.sizes[self.ndim - 1] ?? 1);
  const order = sorter ? indicesOf(sorter) : undefined;
  const out = new Float64Array(self.numel);
  for (let i = 0; i < out.length; i++) {
    const row = perRow === 0 ? 0 : Math.floor(i / perRow);
    const from = row * width;
    out[i] = searchRow(keys, order, from, width, values[i]!, right);
  }
  const result = fromIndices(out, self.sizes);
  return outInt32 ? convertTensor(result, DTYPES.int32) : result;
}

function searchRow(
  keys: Keys,
  order: Float64Array | undefined,
  from: number,
  width: number,
  value: number | bigint,
  right: boolean,
): number {
  if (!order) return searchSorted(keys, undefined, from, from + width, value, right);
  let low = 0;
  let high = width;
  while (low < high) {
    const middle = low + ((high - low) >>> 1);
    const key = keys[from + order[from + middle]!]!;
    if (right ? !(key > value) : !(key >= value)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function cppTypeName(t: Tensor): string {
  const names: Readonly<Record<string, string>> = {
    float32: "float",
    float64: "double",
    int64: "long int",
    int32: "int",
    int16: "short int",
    int8: "signed char",
    uint8: "unsigned char",
    float16: "c10::Half",
    bfloat16: "c10::BFloat16",
    bool: "bool",
  };
  return names[t.dtype.name] ?? t.dtype.name;
}

op(
  "aten::searchsorted.Tensor(Tensor sorted_sequence, Tensor self, *, bool out_int32=False, bool right=False, str? side=None, Tensor? sorter=None) -> Tensor",
  (sorted, self, int32, right, side, sorter) => searchTensor(sorted, self, int32, right, side, sorter, false),
);
op(
  "aten::searchsorted.Scalar(Tensor sorted_sequence, Scalar self, *, bool out_int32=False, bool right=False, str? side=None, Tensor? sorter=None) -> Tensor",
  (sorted, self: Scalar, int32, right, side, sorter) =>
    searchTensor(sorted, wideScalar(self), int32, right, side, sorter, true),
);

function boundaryRank(boundaries: Tensor): void {
  if (boundaries.ndim !== 1)
    throw new OperatorError(`boundaries tensor must be 1 dimension, but got dim(${boundaries.ndim})`);
}

op(
  "aten::bucketize.Tensor(Tensor self, Tensor boundaries, *, bool out_int32=False, bool right=False) -> Tensor",
  (self, boundaries, int32, right) => {
    boundaryRank(boundaries);
    return searchTensor(boundaries, self, int32, right, null, null, false);
  },
);
op(
  "aten::bucketize.Scalar(Scalar self, Tensor boundaries, *, bool out_int32=False, bool right=False) -> Tensor",
  (self: Scalar, boundaries, int32, right) => {
    boundaryRank(boundaries);
    return searchTensor(boundaries, wideScalar(self), int32, right, null, null, true);
  },
);

/** Counts of points (rows of `x`) in the cells between edges. */
function countCells(
  x: Float64Array,
  dims: number,
  edges: readonly ArrayLike<number>[],
  weight: Float64Array | undefined,
  density: boolean,
): Float64Array {
  const bins = edges.map((e) => e.length - 1);
  const out = new Float64Array(bins.reduce((a, b) => a * b, 1));
  const points = dims === 0 ? 0 : x.length / dims;
  for (let p = 0; p < points; p++) {
    let cell = 0;
    let isInside = true;
    for (let d = 0; d < dims && isInside; d++) {
      const v = x[p * dims + d]!;
      const e = edges[d]!;
      const n = bins[d]!;
      if (!(v >= e[0]! && v <= e[n]!)) {
        isInside = false;
        break;
      }
      let low = 0;
      let high = n + 1;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (e[middle]! <= v) low = middle + 1;
        else high = middle;
      }
      cell = cell * n + Math.min(low - 1, n - 1);
    }
    if (isInside) out[cell] = out[cell]! + (weight ? weight[p]! : 1);
  }
  if (density) {
    const total = out.reduce((a, b) => a + b, 0);
    for (let i = 0; i < out.length; i++) {
      let volume = 1;
      let rest = i;
      for (let d = dims - 1; d >= 0; d--) {
        const k = rest % bins[d]!;
        rest = Math.floor(rest / bins[d]!);
        volume *= edges[d]![k + 1]! - edges[d]![k]!;
      }
      out[i] = out[i]! / (total * volume);
    }
  }
  return out;
}

/** Edges of equal bins over a range, or over the data's own where none is given. */
function equalEdges(
  x: Float64Array,
  dims: number,
  d: number,
  bins: number,
  range: readonly number[] | null,
  name: string,
): Float64Array {
  let low = 0;
  let high = 1;
  if (range) {
    if (range.length !== 2 * dims)
      throw new OperatorError(
        `torch.${name}(): for a ${dims}-dimensional histogram range should have ${2 * dims} elements, but got ${range.length}`,
      );
    low = range[2 * d]!;
    high = range[2 * d + 1]!;
  } else if (x.length > 0) {
    low = Infinity;
    high = -Infinity;
    for (let i = d; i < x.length; i += dims) {
      low = Math.min(low, x[i]!);
      high = Math.max(high, x[i]!);
    }
  }
  if (!Number.isFinite(low) || !Number.isFinite(high))
    throw new OperatorError(`torch.${name}(): dimension ${d}'s range [${low}, ${high}] is not finite`);
  if (low > high)
    throw new OperatorError(
      `torch.${name}(): min should not exceed max, but got min ${low} max ${high} for dimension ${d}`,
    );
  if (low === high) {
    low -= 0.5;
    high += 0.5;
  }
  const half = Math.floor((bins + 1) / 2);
  const step = (high - low) / bins;
  return Float64Array.from({ length: bins + 1 }, (_, i) => (i < half ? low + step * i : high - step * (bins - i)));
}

/** What edges between the extrema are made of. */
function checkHistogram(self: Tensor, name: string): void {
  if (self.dtype !== DTYPES.float32 && self.dtype !== DTYPES.float64) throw notImplemented(name, self.dtype);
}

function histogram(self: Tensor, edges: Float64Array, weight: Tensor | null, density: boolean): [Tensor, Tensor] {
  if (self.dtype.category !== "float") throw notImplemented("histogram_cpu", self.dtype);
  const out = countCells(doublesOf(self), 1, [edges], weight ? doublesOf(weight) : undefined, density);
  return [fromDoubles(out, [out.length], self.dtype), fromDoubles(edges, [edges.length], self.dtype)];
}

function narrowed(edges: Float64Array, self: Tensor): Float64Array {
  return self.dtype === DTYPES.float32 ? edges.map(Math.fround) : edges;
}

op(
  "aten::histogram.bins_tensor(Tensor self, Tensor bins, *, Tensor? weight=None, bool density=False) -> (Tensor hist, Tensor bin_edges)",
  (self, bins, weight, density) => {
    if (bins.dtype !== self.dtype)
      throw new OperatorError(
        "torch.histogramdd(): input tensor and bins tensors should have the same dtype, but got input with dtype " +
          cppTypeName(self) +
          " and bins for dimension 0 with dtype " +
          cppTypeName(bins),
      );
    return histogram(self, doublesOf(bins).slice(), weight, density);
  },
);
op(
  "aten::histogram.bin_ct(Tensor self, int bins=100, *, float[]? range=None, Tensor? weight=None, bool density=False) -> (Tensor hist, Tensor bin_edges)",
  (self, bins, range, weight, density) => {
    if (bins <= 0) throw new OperatorError(`torch.histogram(): bins must be > 0, but got ${bins} for dimension 0`);
    checkHistogram(self, "histogramdd");
    return histogram(
      self,
      narrowed(equalEdges(doublesOf(self), 1, 0, bins, range, "histogram"), self),
      weight,
      density,
    );
  },
);

function histogramDd(
  self: Tensor,
  edges: (x: Float64Array, d: number) => Float64Array,
  weight: Tensor | null,
  density: boolean,
): [Tensor, Tensor[]] {
  const dims = self.sizes[self.ndim - 1]!;
  const x = doublesOf(reshapeTensor(self, [-1, dims]));
  const all = Array.from({ length: dims }, (_, d) => edges(x, d));
  const out = countCells(x, dims, all, weight ? doublesOf(weight) : undefined, density);
  return [
    fromDoubles(
      out,
      all.map((e) => e.length - 1),
      self.dtype,
    ),
    all.map((e) => fromDoubles(e, [e.length], self.dtype)),
  ];
}

op(
  "aten::histogramdd(Tensor self, int[] bins, float[]? range=None, Tensor? weight=None, bool density=False) -> (Tensor hist, Tensor[] bin_edges)",
  (self, bins, range, weight, density) => {
    if (bins.length !== self.sizes[self.ndim - 1])
      throw new OperatorError("histogramdd: The size of bins must be equal to the innermost dimension of the input.");
    checkHistogram(self, "histogramdd");
    return histogramDd(
      self,
      (x, d) => narrowed(equalEdges(x, self.sizes[self.ndim - 1]!, d, bins[d]!, range, "histogramdd"), self),
      weight,
      density,
    );
  },
);
op(
  "aten::histogramdd.int_bins(Tensor self, int bins, float[]? range=None, Tensor? weight=None, bool density=False) -> (Tensor hist, Tensor[] bin_edges)",
  (self, bins, range, weight, density) => {
    checkHistogram(self, "histogramdd");
    return histogramDd(
      self,
      (x, d) => narrowed(equalEdges(x, self.sizes[self.ndim - 1]!, d, bins, range, "histogramdd"), self),
      weight,
      density,
    );
  },
);
op(
  "aten::histogramdd.TensorList_bins(Tensor self, Tensor[] bins, float[]? range=None, Tensor? weight=None, bool density=False) -> (Tensor hist, Tensor[] bin_edges)",
  (self, bins, _range, weight, density): [Tensor, Tensor[]] => {
    if (self.dtype.category !== "float") throw notImplemented("histogram_cpu", self.dtype);
    // the edges come back as they are, not as copies
    return [histogramDd(self, (_x, d) => doublesOf(bins[d]!).slice(), weight, density)[0], [...bins]];
  },
);
