/** @file gather, scatter and the index_* operators along one dimension. Upstream: aten/src/ATen/native/TensorAdvancedIndexing.cpp, ScatterGatherChecks.h. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { checkedScalar } from "./scalar_checks.ts";

import { op } from "../core/operator_registry.ts";
import { cloneTensor, convertTensor, laidOutAs } from "../tensor/clone.ts";
import { assertNoInternalOverlap, assertNoOverlap, writeInplaceResult, writeOutResult } from "../tensor/copy.ts";
import { fromComplexArrays, toComplexArrays } from "../tensor/data.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { broadcastStrides } from "../tensor/iterate.ts";
import { elementsOf, type Selection } from "../tensor/kernels/advanced_index.ts";
import { addAlong, gatherAlong, scatterAlong } from "../tensor/kernels/along.ts";
import { doublesOf, fromDoubles, fromIndices, indicesOf } from "../tensor/kernels/data.ts";
import { addElements, gatherElements, scatterElements } from "../tensor/kernels/gather.ts";
import { cppScalarName } from "../tensor/kernels/matmul.ts";
import { Complex, scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import { broadcastShapes, numelOf, wrapDim } from "../tensor/strides.ts";
import { viewOf, type Tensor } from "../tensor/tensor.ts";
import { formatList, narrowView } from "../tensor/view_geometry.ts";
import {
  addsPlainly,
  combineElements,
  dimOffsets,
  outOfBounds,
  expandedScalar,
  plainSum,
  stepwiseSum,
} from "./indexing.ts";
import { roundingOf } from "./unary.ts";
import { reshapeTensor } from "./views.ts";

function indexDtype(index: Tensor, name: string): void {
  if (index.dtype !== DTYPES.int64 && index.dtype !== DTYPES.int32) {
    throw new OperatorError(`${name}(): Expected dtype int32/int64 for index`);
  }
}

function sameRank(self: Tensor, index: Tensor, what: string): void {
  if (Math.max(index.ndim, 1) !== Math.max(self.ndim, 1)) {
    throw new OperatorError(`Index tensor must have the same number of dimensions as ${what} tensor`);
  }
}

export const gather = op(
  "aten::gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor",
  (self, dimIn, index) => {
    const dim = wrapDim(dimIn, self.ndim);
    if (index.numel === 0) return gatherElements(self, [], index.sizes);
    indexDtype(index, "gather");
    sameRank(self, index, "input");
    for (let d = 0; d < self.ndim; d++) {
      if (d !== dim && index.sizes[d]! > self.sizes[d]!) {
        throw new OperatorError(
          `Size does not match at dimension ${d} expected index ${formatList(index.sizes)} to be no larger than self ${formatList(self.sizes)} apart from dimension ${dim}`,
        );
      }
    }
    return (
      gatherAlong(self, dim, index, outOfBounds(self, dim)) ??
      gatherElements(self, dimOffsets(self, dim, index), index.sizes)
    );
  },
);

op("aten::take_along_dim(Tensor self, Tensor indices, int? dim=None) -> Tensor", (self, indices, dimIn) => {
  if (indices.dtype !== DTYPES.int64)
    throw new OperatorError(`torch.take_along_dim(): dtype of indices should be Long but got ${indices.dtype.cppName}`);
  if (dimIn === null) return gather(reshapeTensor(self, [-1]), 0, wrapped(reshapeTensor(indices, [-1]), self.numel));
  if (self.ndim !== indices.ndim) {
    throw new OperatorError(
      `torch.take_along_dim(): input and indices should have the same number of dimensions, but got ${self.ndim} dimensions for input, and ${indices.ndim} dimensions for indices`,
    );
  }
  const dim = wrapDim(dimIn, self.ndim);
  const common = broadcastShapes(
    self.sizes.map((s, d) => (d === dim ? 1 : s)),
    indices.sizes.map((s, d) => (d === dim ? 1 : s)),
  );
  const selfSizes = common.map((s, d) => (d === dim ? self.sizes[d]! : s));
  const indexSizes = common.map((s, d) => (d === dim ? indices.sizes[d]! : s));
  return gather(
    viewOf(self, selfSizes, broadcastStrides(self, selfSizes)),
    dim,
    wrapped(viewOf(indices, indexSizes, broadcastStrides(indices, indexSizes)), self.sizes[dim]!),
  );
});

/** Indices with negative ones counted from the end. */
function wrapped(indices: Tensor, size: number): Tensor {
  return fromIndices(
    indicesOf(indices).map((v) => (v < 0 ? v + size : v)),
    indices.sizes,
  );
}

op(
  "aten::gather.out(Tensor self, int dim, Tensor index, *, bool sparse_grad=False, Tensor(a!) out) -> Tensor(a!)",
  (self, dim, index, _sparse, out) => {
    if (out.dtype !== self.dtype)
      throw new OperatorError(
        `Expected out tensor to have dtype ${cppScalarName(self.dtype)}, but got ${cppScalarName(out.dtype)} instead`,
      );
    assertNoInternalOverlap(out);
    assertNoOverlap(out, self);
    assertNoOverlap(out, index);
    writeOutResult(out, gather(self, dim, index));
    return out;
  },
);

function checkScatter(self: Tensor, dim: number, index: Tensor, src: Tensor | null, name: string): void {
  if (src && src.dtype !== self.dtype)
    throw new OperatorError(`${name}(): Expected self.dtype to be equal to src.dtype`);
  if (index.numel === 0) return;
  indexDtype(index, name);
  sameRank(self, index, "self");
  if (src) sameRank(src, index, "src");
  const bad =
    self.sizes.some((s, d) => d !== dim && index.sizes[d]! > s) ||
    (src !== null && index.sizes.some((s, d) => s > (src.sizes[d] ?? 1)));
  if (bad) {
    throw new OperatorError(
      src
        ? `Expected index ${formatList(index.sizes)} to be no larger than self ${formatList(self.sizes)} apart from dimension ${dim} and to be no larger size than src ${formatList(src.sizes)}`
        : `Expected index ${formatList(index.sizes)} to be no larger than self ${formatList(self.sizes)} apart from dimension ${dim}`,
    );
  }
}

/** The part of `src` that the index covers. */
function coveredPart(src: Tensor, index: Tensor): Tensor {
  let part = src;
  for (let d = 0; d < index.ndim; d++)
    if (part.sizes[d] !== index.sizes[d]) part = narrowView(part, d, 0, index.sizes[d]!);
  return part;
}

type Reduction = "sum" | "prod" | "amax" | "amin" | "mean";

const COMBINE: Readonly<Record<Reduction, (a: number, b: number) => number>> = {
  sum: plainSum,
  mean: plainSum,
  prod: (a, b) => a * b,
  amax: (a, b) => (a !== a ? a : b !== b ? b : Math.max(a, b)),
  amin: (a, b) => (a !== a ? a : b !== b ? b : Math.min(a, b)),
};

function scatterSource(self: Tensor, dimIn: number, index: Tensor, src: Tensor, name = "scatter"): Tensor {
  const dim = wrapDim(dimIn, self.ndim);
  checkScatter(self, dim, index, src, name);
  const out = cloneTensor(self, 0);
  if (index.numel === 0) return out;
  const part = coveredPart(src, index);
  if (!scatterAlong(out, dim, index, part, outOfBounds(self, dim)))
    scatterElements(out, dimOffsets(self, dim, index), part);
  return out;
}

function scatterCombine(
  self: Tensor,
  dimIn: number,
  index: Tensor,
  src: Tensor,
  reduction: Reduction,
  name: string,
): Tensor {
  const dim = wrapDim(dimIn, self.ndim);
  checkScatter(self, dim, index, src, name);
  const out = cloneTensor(self, 0);
  if (index.numel === 0) return out;
  const part = coveredPart(src, index);
  if (reduction === "sum" && addAlong(out, dim, index, part, outOfBounds(self, dim))) return out;
  return combineElements(
    out,
    dimOffsets(self, dim, index),
    part,
    COMBINE[reduction],
    reduction === "prod" ? "multiply" : "add",
  );
}

function legacyReduction(reduce: string): Reduction {
  if (reduce === "add") return "sum";
  if (reduce === "multiply") return "prod";
  throw new OperatorError("reduce argument must be either add or multiply.");
}

export const scatter = op(
  "aten::scatter.src(Tensor self, int dim, Tensor index, Tensor src) -> Tensor",
  (self, dim, index, src) => scatterSource(self, dim, index, src),
);
op("aten::scatter.value(Tensor self, int dim, Tensor index, Scalar value) -> Tensor", (self, dimIn, index, value) => {
  const dim = wrapDim(dimIn, self.ndim);
  checkScatter(self, dim, index, null, "scatter");
  const out = cloneTensor(self, 0);
  if (index.numel === 0) return out;
  checkedScalar(value, self.dtype);
  scatterElements(out, dimOffsets(self, dim, index), expandedScalar(value, self.dtype, []));
  return out;
});
op(
  "aten::scatter.reduce(Tensor self, int dim, Tensor index, Tensor src, *, str reduce) -> Tensor",
  (self, dim, index, src, reduce) => scatterCombine(self, dim, index, src, legacyReduction(reduce), "scatter"),
);
op(
  "aten::scatter.value_reduce(Tensor self, int dim, Tensor index, Scalar value, *, str reduce) -> Tensor",
  (self, dim, index, value, reduce) =>
    scatterCombine(
      self,
      dim,
      index,
      expandedScalar(value, self.dtype, index.sizes),
      legacyReduction(reduce),
      "scatter",
    ),
);
export const scatter_add = op(
  "aten::scatter_add(Tensor self, int dim, Tensor index, Tensor src) -> Tensor",
  (self, dim, index, src) => scatterCombine(self, dim, index, src, "sum", "scatter"),
);

function reductionOf(reduce: string): Reduction {
  if (reduce in COMBINE) return reduce as Reduction;
  throw new OperatorError(`reduce argument must be either sum, prod, mean, amax or amin, got ${reduce}`);
}

/** Value that a reduction starts from where the tensor itself does not count. */
function identityOf(reduction: Reduction, self: Tensor): number {
  if (reduction === "prod") return 1;
  if (reduction === "sum" || reduction === "mean") return 0;
  const isMax = reduction === "amax";
  if (self.dtype.category === "float") return isMax ? -Infinity : Infinity;
  if (self.dtype === DTYPES.bool) return isMax ? 0 : 1;
  const bits = 8 * self.dtype.itemsize;
  return self.dtype.isSigned ? (isMax ? -(2 ** (bits - 1)) : 2 ** (bits - 1) - 1) : isMax ? 0 : 2 ** bits - 1;
}

/** Combines sources into positions; those hit start from the identity unless `includeSelf`, mean divides by the hits. */
/** @param narrow rounds what is accumulated. */
function reduceInto(
  self: Tensor,
  to: Float64Array,
  src: Tensor,
  reduction: Reduction,
  includeSelf: boolean,
  narrow: (x: number) => number,
): Tensor {
  const x = doublesOf(self).slice();
  const y = doublesOf(src);
  const combine = COMBINE[reduction];
  const hits = new Float64Array(x.length).fill(includeSelf ? 1 : 0);
  if (!includeSelf) {
    const start = identityOf(reduction, self);
    for (const p of to) x[p] = start;
  }
  for (let i = 0; i < to.length; i++) {
    const p = to[i]!;
    x[p] = narrow(combine(x[p]!, y[i]!));
    hits[p] = hits[p]! + 1;
  }
  if (reduction === "mean") {
    const isFloat = self.dtype.category === "float";
    for (let p = 0; p < x.length; p++)
      if (hits[p]! > 1) x[p] = isFloat ? x[p]! / hits[p]! : Math.floor(x[p]! / hits[p]!);
  }
  if (self.dtype.category === "int" && self.dtype.itemsize < 8)
    return convertTensor(fromDoubles(x, self.sizes, DTYPES.int64), self.dtype);
  return fromDoubles(x, self.sizes, self.dtype);
}

function reduceComplex(
  self: Tensor,
  to: Float64Array,
  src: Tensor,
  reduction: Reduction,
  includeSelf: boolean,
): Tensor {
  const x = toComplexArrays(self);
  const y = toComplexArrays(src);
  const hits = new Float64Array(x.re.length).fill(includeSelf ? 1 : 0);
  if (!includeSelf) {
    for (const p of to) {
      x.re[p] = reduction === "prod" ? 1 : 0;
      x.im[p] = 0;
    }
  }
  for (let i = 0; i < to.length; i++) {
    const p = to[i]!;
    hits[p] = hits[p]! + 1;
    const [a, b, c, d] = [x.re[p]!, x.im[p]!, y.re[i]!, y.im[i]!];
    x.re[p] = reduction === "prod" ? a * c - b * d : a + c;
    x.im[p] = reduction === "prod" ? a * d + b * c : b + d;
  }
  if (reduction === "mean") {
    for (let p = 0; p < hits.length; p++) {
      x.re[p] = x.re[p]! / Math.max(hits[p]!, 1);
      x.im[p] = x.im[p]! / Math.max(hits[p]!, 1);
    }
  }
  return fromComplexArrays(x.re, x.im, self.sizes, self.dtype);
}

op(
  "aten::scatter_reduce.two(Tensor self, int dim, Tensor index, Tensor src, str reduce, *, bool include_self=True) -> Tensor",
  (self, dimIn, index, src, reduce, includeSelf) => {
    const dim = wrapDim(dimIn, self.ndim);
    checkScatter(self, dim, index, src, "scatter");
    const reduction = reductionOf(reduce);
    if (index.numel === 0) return cloneTensor(self, 0);
    const unsupported =
      self.dtype.category === "complex"
        ? reduction === "amax" || reduction === "amin"
        : self.dtype === DTYPES.bool && reduction === "mean";
    if (unsupported)
      throw new OperatorError(
        `"scatter_gather_tensor_cpu_reduce_${reduction}" not implemented for '${self.dtype.cppName}'`,
      );
    if (self.dtype.category === "complex")
      return reduceComplex(
        self,
        dimOffsets(self, dim, index),
        cloneTensor(coveredPart(src, index), 0),
        reduction,
        includeSelf,
      );
    return reduceInto(
      self,
      dimOffsets(self, dim, index),
      cloneTensor(coveredPart(src, index), 0),
      reduction,
      includeSelf,
      self.dtype === DTYPES.float32 ? Math.fround : (x) => x,
    );
  },
);

/** Slices of a contiguous tensor: where each run of elements starts, and how long the runs are. */
type Slices = Pick<Selection, "starts" | "run">;

/** The slices at `index` along `dim`. */
function slicesOf(self: Tensor, dim: number, index: Float64Array): Slices {
  const size = self.ndim === 0 ? 1 : self.sizes[dim]!;
  const run = numelOf(self.sizes.slice(dim + 1));
  const outer = numelOf(self.sizes.slice(0, dim));
  const starts = new Float64Array(outer * index.length);
  for (let o = 0, i = 0; o < outer; o++)
    for (let j = 0; j < index.length; j++) starts[i++] = (o * size + index[j]!) * run;
  return { starts, run };
}

/** Positions of all their elements. */
function sliceOffsets(self: Tensor, dim: number, index: Float64Array): Float64Array {
  return elementsOf(slicesOf(self, dim, index));
}

function checkedIndices(
  self: Tensor,
  dim: number,
  index: Tensor,
  message: (v: number, size: number) => string,
  isWrapped = false,
): Float64Array {
  const size = self.ndim === 0 ? 1 : self.sizes[dim]!;
  const values = indicesOf(index);
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!;
    if (v < (isWrapped ? -size : 0) || v >= size) throw new OperatorError(message(v, size));
    if (v < 0) values[i] = v + size;
  }
  return values;
}

/** A factor as an element of the dtype: whole for integers, one or zero for truth values. */
function wholeFor(dtype: DType, value: number): number {
  if (dtype === DTYPES.bool) return value === 0 ? 0 : 1;
  return dtype.category === "int" ? Math.trunc(value) : value;
}

export const index_add = op(
  "aten::index_add(Tensor self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor",
  (self, dimIn, index, source, alpha) => {
    const dim = wrapDim(dimIn, self.ndim);
    if (index.ndim > 1)
      throw new OperatorError(
        "index_add_(): Index is supposed to be a vector, but got dim: " +
          index.ndim +
          " with type: " +
          index.dtype.cppName +
          " and size: " +
          formatList(index.sizes),
      );
    if (index.dtype !== DTYPES.int64 && index.dtype !== DTYPES.int32) {
      throw new OperatorError(`index_add_(): Expected dtype int32/int64 for index but got: ${index.dtype.cppName}`);
    }
    if (self.dtype !== source.dtype) {
      throw new OperatorError(
        `index_add_(): self (${self.dtype.cppName}) and source (${source.dtype.cppName}) must have the same scalar type`,
      );
    }
    const count = source.ndim === 0 ? 1 : source.sizes[dim]!;
    if (index.numel !== count) {
      throw new OperatorError(
        `index_add_(): Number of indices (${index.numel}) should be equal to source.size(dim): (${count}), for dim: ${dim}`,
      );
    }
    const fits = source.ndim === self.ndim && source.sizes.every((s, d) => d === dim || s === self.sizes[d]);
    if (self.ndim > 0 && source.ndim > 0 && !fits) {
      throw new OperatorError(
        `source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = ${formatList(self.sizes)} source.shape = ${formatList(source.sizes)}`,
      );
    }
    const at = checkedIndices(
      self,
      dim,
      index,
      (v, size) => `index ${v} is out of bounds for dimension ${dim} with size ${size}`,
    );
    const scaled = alpha instanceof Complex ? null : wholeFor(self.dtype, scalarToNumber(alpha));
    if (scaled === null) throw new OperatorError("index_add_() does not take a complex alpha here");
    const out = cloneTensor(self, 0);
    const slices = slicesOf(self, dim, at);
    if (addsPlainly(self.dtype, scaled)) {
      addElements(out, slices.starts, source, slices.run, scaled);
      return out;
    }
    return combineElements(out, elementsOf(slices), source, stepwiseSum(self.dtype, scaled));
  },
);

/** The starts of the slices that `source` goes to, one after another. */
function copiedSlices(self: Tensor, dimIn: number, index: Tensor, source: Tensor): Slices {
  const dim = wrapDim(dimIn, self.ndim);
  if (index.ndim > 1)
    throw new OperatorError("index_copy_(): Index should have dimension 1 or 0 (got " + index.ndim + ")");
  const count = source.ndim === 0 ? 1 : source.sizes[dim]!;
  if (index.dtype !== DTYPES.int64)
    throw new OperatorError(`index_copy_(): Expected a long tensor for index, but got ${index.dtype.cppName}`);
  if (self.dtype !== source.dtype) {
    throw new OperatorError(
      `index_copy_(): self and source expected to have the same dtype, but got (self) ${self.dtype.cppName} and (source) ${source.dtype.cppName}`,
    );
  }
  if (index.numel !== count)
    throw new OperatorError(
      `index_copy_(): Number of indices (${index.numel}) should be equal to source.size(dim) (${count})`,
    );
  const at = checkedIndices(
    self,
    dim,
    index,
    (v, size) => `index_copy_(): index ${v} is out of bounds for dimension ${dim} with size ${size}`,
  );
  return slicesOf(self, dim, at);
}

export const index_copy = op(
  "aten::index_copy(Tensor self, int dim, Tensor index, Tensor source) -> Tensor",
  (self, dim, index, source) => {
    const { starts, run } = copiedSlices(self, dim, index, source);
    const out = cloneTensor(self, 0);
    scatterElements(out, starts, source, run);
    return out;
  },
);
// caches of decoders are large, and what is written to them at a step is small
op(
  "aten::index_copy_(Tensor(a!) self, int dim, Tensor index, Tensor source) -> Tensor(a!)",
  (self, dim, index, source) => {
    if (!self.isContiguous() || self.isConj || self.isNeg || self.storage === source.storage)
      writeInplaceResult(self, index_copy(self, dim, index, source));
    else {
      const { starts, run } = copiedSlices(self, dim, index, source);
      self.storage.version++;
      scatterElements(self, starts, source, run);
    }
    return self;
  },
);

function indexFill(self: Tensor, dimIn: number, index: Tensor, value: Tensor): Tensor {
  const dim = wrapDim(dimIn, self.ndim);
  if (index.dtype !== DTYPES.int64) throw new OperatorError("index_fill_(): Expected dtype int64 for index.");
  if (index.ndim > 1) throw new OperatorError("Index has to be a vector/scalar");
  const at = checkedIndices(
    self,
    dim,
    index,
    (v, size) => `index ${v} is out of bounds for dimension ${dim} with size ${size}`,
    true,
  );
  const out = cloneTensor(self, 0);
  const { starts, run } = slicesOf(self, dim, at);
  scatterElements(out, starts, convertTensor(value, self.dtype), run);
  return laidOutAs(out, self);
}

op(
  "aten::index_fill.int_Tensor(Tensor self, int dim, Tensor index, Tensor value) -> Tensor",
  (self, dim, index, value) => {
    if (value.ndim !== 0)
      throw new OperatorError(
        `Only supports 0-dimension value tensor, but got tensor with ${value.ndim} dimension(s).`,
      );
    return indexFill(self, dim, index, value);
  },
);
op(
  "aten::index_fill.int_Scalar(Tensor self, int dim, Tensor index, Scalar value) -> Tensor",
  (self, dim, index, value: Scalar) => {
    if (value instanceof Complex && self.dtype.category !== "complex") {
      throw new OperatorError("index_fill_(): Converting complex Scalar to non-complex type is not supported");
    }
    checkedScalar(value, self.dtype);
    return indexFill(self, dim, index, expandedScalar(value, self.dtype, []));
  },
);

op(
  "aten::index_reduce(Tensor self, int dim, Tensor index, Tensor source, str reduce, *, bool include_self=True) -> Tensor",
  (self, dimIn, index, source, reduce, includeSelf) => {
    if (!["prod", "mean", "amax", "amin"].includes(reduce)) {
      throw new OperatorError(
        `index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got ${reduce}.`,
      );
    }
    const dim = wrapDim(dimIn, self.ndim);
    const count = source.ndim === 0 ? 1 : source.sizes[dim]!;
    if (index.dtype !== DTYPES.int64 && index.dtype !== DTYPES.int32)
      throw new OperatorError("index_reduce_(): Expected dtype int32/int64 for index");
    if (self.dtype !== source.dtype)
      throw new OperatorError("index_reduce_(): self and source must have the same scalar type");
    if (index.numel !== count)
      throw new OperatorError("index_reduce_(): Number of indices should be equal to self.size(dim)");
    const at = checkedIndices(
      self,
      dim,
      index,
      (v, size) => `index ${v} is out of bounds for dimension ${dim} with size ${size}`,
    );
    if (!includeSelf && (self.dtype === DTYPES.bool || self.dtype.category === "complex")) {
      throw new OperatorError(`"index_reduce_func_exclude_input_init" not implemented for '${self.dtype.cppName}'`);
    }
    if (self.dtype.category === "complex")
      return reduceComplex(self, sliceOffsets(self, dim, at), cloneTensor(source, 0), reduce as Reduction, includeSelf);
    return reduceInto(
      cloneTensor(self, 0),
      sliceOffsets(self, dim, at),
      cloneTensor(source, 0),
      reduce as Reduction,
      includeSelf,
      roundingOf(self.dtype),
    );
  },
);
