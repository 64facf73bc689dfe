/** @file Indexing by tensors: index, index_put, index_select, masks, take, put. Upstream: aten/src/ATen/native/TensorAdvancedIndexing.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { checkOutDtype } from "../core/out_dtypes.ts";
import { cloneTensor, convertTensor, laidOutAs } from "../tensor/clone.ts";
import { assertNoInternalOverlap, assertNoOverlap, copyInto, writeOutResult } from "../tensor/copy.ts";
import { fromComplexArrays, toComplexArrays } from "../tensor/data.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { roundToBfloat16, roundToHalf } from "../tensor/half.ts";
import { broadcastStrides } from "../tensor/iterate.ts";
import {
  elementsOf,
  offsetsOf,
  selectElements,
  trueColumns,
  truePositions,
  type Selection,
} from "../tensor/kernels/advanced_index.ts";
import {
  doublesOf,
  floatsAs,
  floatsOf,
  fromDoubles,
  fromIndices,
  indicesOf,
  maskOf,
  wideScalar,
} from "../tensor/kernels/data.ts";
import { addElements, gatherDim, gatherElements, plainContiguous, scatterElements } from "../tensor/kernels/gather.ts";
import { Complex, type Scalar } from "../tensor/scalar.ts";
import { broadcastShapes, contiguousStrides, wrapDim } from "../tensor/strides.ts";
import { emptyTensor, viewOf, type Tensor } from "../tensor/tensor.ts";
import { formatList, selectView, unsqueezeView } from "../tensor/view_geometry.ts";
import { itemOf } from "./builtin_convert.ts";
import { fillScalar } from "./creation.ts";
import { fillMasked } from "./ternary.ts";

type Indices = readonly (Tensor | null)[];

/** Handles 0-dim masks: each adds a dimension of size 1 in front of its position. */
function expandScalarMasks(self: Tensor, indices: Indices): { self: Tensor; indices: Indices } {
  let target = self;
  const out: (Tensor | null)[] = [];
  let dim = 0;
  for (const index of indices) {
    if (index && index.ndim === 0 && (index.dtype === DTYPES.bool || index.dtype === DTYPES.uint8)) {
      target = unsqueezeView(target, dim);
      out.push(viewOf(index, [1], [1]));
      dim++;
      continue;
    }
    out.push(index);
    dim += index && (index.dtype === DTYPES.bool || index.dtype === DTYPES.uint8) ? index.ndim : 1;
  }
  return { self: target, indices: out };
}

/** As many places as dimensions at most, also where masks of no dimensions take none. */
function checkCount(self: Tensor, indices: Indices): void {
  if (indices.length > self.ndim)
    throw new OperatorError(`too many indices for tensor of dimension ${self.ndim} (got ${indices.length})`);
}

function indexTensor(selfIn: Tensor, indicesIn: Indices): Tensor {
  checkCount(selfIn, indicesIn);
  const { self, indices } = expandScalarMasks(selfIn, indicesIn);
  const only = indices.findIndex((t) => t !== null);
  const last = indices.reduce((at, t, d) => (t ? d : at), -1);
  if (
    only >= 0 &&
    only === last &&
    (indices[only]!.dtype === DTYPES.int64 || indices[only]!.dtype === DTYPES.int32) &&
    indices.length <= self.ndim &&
    self.numel > 0
  ) {
    // one index tensor selects whole slices
    const index = indices[only]!;
    const size = self.sizes[only]!;
    const values = indicesOf(index);
    for (let i = 0; i < values.length; i++) {
      const v = values[i]!;
      if (v < -size || v >= size)
        throw new OperatorError(`index ${v} is out of bounds for dimension ${only} with size ${size}`);
      if (v < 0) values[i] = v + size;
    }
    const out = gatherDim(self, only, values);
    const sizes = [...self.sizes.slice(0, only), ...index.sizes, ...self.sizes.slice(only + 1)];
    const shaped = viewOf(out, sizes, contiguousStrides(sizes));
    shaped.base = undefined;
    return shaped;
  }
  const selection = selectElements(self, indices);
  return gatherElements(self, selection.starts, selection.sizes, selection.run);
}

export const index = op("aten::index.Tensor(Tensor self, Tensor?[] indices) -> Tensor", indexTensor);
op("aten::index.Tensor_hacked_twin(Tensor self, Tensor[] indices) -> Tensor", indexTensor);
op("aten::_unsafe_index.Tensor(Tensor self, Tensor?[] indices) -> Tensor", indexTensor);
op("aten::_unsafe_index.Tensor_hacked_twin(Tensor self, Tensor[] indices) -> Tensor", indexTensor);

/** a + b, in the arithmetic that the elements have. */
export const plainSum = (a: number, b: number): number => a + b;

/** a + scale * b, rounded to the dtype where a sum over many indices has no wide accumulator: index_put, put and index_add, but not scatter. */
export function stepwiseSum(dtype: DType, scale = 1): (a: number, b: number) => number {
  const round = dtype === DTYPES.float16 ? roundToHalf : dtype === DTYPES.bfloat16 ? roundToBfloat16 : undefined;
  if (round) return (a, b) => round(a + scale * b);
  return scale === 1 ? plainSum : (a, b) => a + scale * b;
}

/** Whether `addElements` adds with this scale in the dtype itself. */
export function addsPlainly(dtype: DType, scale = 1): boolean {
  return dtype === DTYPES.float32 || dtype === DTYPES.float64 || (dtype === DTYPES.int64 && scale === 1);
}

/** Adds `source` to the selected elements, in the arithmetic of the dtype; `self` is contiguous. */
function accumulateElements(self: Tensor, selection: Selection, source: Tensor): void {
  if (addsPlainly(self.dtype)) addElements(self, selection.starts, source, selection.run);
  else copyInto(self, combineElements(self, elementsOf(selection), source, stepwiseSum(self.dtype)));
}

/** A tensor like `self` whose element to[i] was combined with source[i], one after another. Complex only for sums and products. */
export function combineElements(
  self: Tensor,
  to: ArrayLike<number>,
  source: Tensor,
  combine: (a: number, b: number) => number,
  complexKind: "add" | "multiply" = "add",
): Tensor {
  if (self.dtype.category === "complex") {
    const x = toComplexArrays(self);
    const y = toComplexArrays(source);
    for (let i = 0; i < to.length; i++) {
      const p = to[i]!;
      const [a, b, c, d] = [x.re[p]!, x.im[p]!, y.re[i]!, y.im[i]!];
      if (complexKind === "add") {
        x.re[p] = combine(a, c);
        x.im[p] = combine(b, d);
      } else {
        x.re[p] = a * c - b * d;
        x.im[p] = a * d + b * c;
      }
    }
    return fromComplexArrays(x.re, x.im, self.sizes, self.dtype);
  }
  if (combine === plainSum && addsPlainly(self.dtype)) {
    const out = cloneTensor(self, 0);
    addElements(out, to, source, 1);
    return out;
  }
  if (self.dtype === DTYPES.float32) {
    const out = cloneTensor(self, 0);
    const x = floatsOf(out);
    const y = floatsAs(source, DTYPES.float32);
    for (let i = 0; i < to.length; i++) x[to[i]!] = combine(x[to[i]!]!, y[i]!);
    return out;
  }
  const x = doublesOf(self).slice();
  const y = doublesOf(source);
  for (let i = 0; i < to.length; i++) x[to[i]!] = combine(x[to[i]!]!, y[i]!);
  if (self.dtype.category === "int" && self.dtype.itemsize < 8)
    return convertTensor(fromDoubles(x, self.sizes, DTYPES.int64), self.dtype);
  return fromDoubles(x, self.sizes, self.dtype);
}

/** The mask, shaped to broadcast to `self`, where one number is put at one mask: PyTorch fills there, whatever the dtypes (`canDispatchToMaskedFill`). */
function maskToFill(self: Tensor, indices: Indices, values: Tensor): Tensor | undefined {
  if (values.numel !== 1) return undefined;
  let mask: Tensor | undefined;
  let dim = 0;
  for (const index of indices) {
    if (index && (mask || (index.dtype !== DTYPES.bool && index.dtype !== DTYPES.uint8))) return undefined;
    mask ??= index ?? undefined;
    dim += index ? index.ndim : 1;
  }
  // what does not fit is refused where elements are selected
  if (!mask || dim > self.ndim) return undefined;
  const first = indices.indexOf(mask);
  if (mask.sizes.some((size, d) => size !== self.sizes[first + d])) return undefined;
  const behind = self.ndim - first - mask.ndim;
  return viewOf(
    mask,
    [...mask.sizes, ...new Array<number>(behind).fill(1)],
    [...mask.strides, ...new Array<number>(behind).fill(0)],
  );
}

/** Writes values at an advanced index; `self` itself is changed. */
function putInPlace(selfIn: Tensor, indicesIn: Indices, values: Tensor, accumulate: boolean): Tensor {
  checkCount(selfIn, indicesIn);
  const mask = accumulate ? undefined : maskToFill(selfIn, indicesIn, values);
  if (mask) {
    fillMasked(selfIn, mask, itemOf(values));
    selfIn.storage.version++;
    return selfIn;
  }
  if (selfIn.dtype !== values.dtype) {
    throw new OperatorError(
      `Index put requires the source and destination dtypes match, got ${selfIn.dtype.cppName} for the destination and ${values.dtype.cppName} for the source.`,
    );
  }
  const { self, indices } = expandScalarMasks(selfIn, indicesIn);
  const selection = selectElements(self, indices);
  const ok =
    values.ndim <= selection.sizes.length ||
    values.sizes.slice(0, values.ndim - selection.sizes.length).every((s) => s === 1);
  const trimmed =
    values.ndim > selection.sizes.length && ok
      ? viewOf(
          values,
          values.sizes.slice(values.ndim - selection.sizes.length),
          values.strides.slice(values.ndim - selection.sizes.length),
        )
      : values;
  const lead = selection.sizes.length - trimmed.ndim;
  if (!ok || trimmed.sizes.some((s, d) => s !== 1 && s !== selection.sizes[lead + d])) {
    throw new OperatorError(
      `shape mismatch: value tensor of shape ${formatList(values.sizes)} cannot be broadcast to indexing result of shape ${formatList(selection.sizes)}`,
    );
  }
  const source = viewOf(trimmed, selection.sizes, broadcastStrides(trimmed, selection.sizes));
  const isPlain = selfIn.isContiguous() && !selfIn.isConj && !selfIn.isNeg;
  const target = isPlain ? selfIn : cloneTensor(selfIn, 0);
  if (accumulate) accumulateElements(target, selection, source);
  else scatterElements(target, selection.starts, trimmed.numel === 1 ? trimmed : source, selection.run);
  if (target === selfIn) selfIn.storage.version++;
  else copyInto(selfIn, target);
  return selfIn;
}

function put(self: Tensor, indices: Indices, values: Tensor, accumulate: boolean): Tensor {
  return putInPlace(cloneTensor(self), indices, values, accumulate);
}

export const index_put = op(
  "aten::index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor",
  put,
);
op("aten::index_put.hacked_twin(Tensor self, Tensor[] indices, Tensor values, bool accumulate=False) -> Tensor", put);
op(
  "aten::index_put_(Tensor(a!) self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor(a!)",
  putInPlace,
);
op(
  "aten::index_put_.hacked_twin(Tensor(a!) self, Tensor[] indices, Tensor values, bool accumulate=False) -> Tensor(a!)",
  putInPlace,
);
op(
  "aten::_index_put_impl(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False, bool unsafe=False) -> Tensor",
  put,
);
op(
  "aten::_index_put_impl_(Tensor(a!) self, Tensor?[] indices, Tensor values, bool accumulate=False, bool unsafe=False) -> Tensor(a!)",
  putInPlace,
);
op(
  "aten::_index_put_impl_.hacked_twin(Tensor(a!) self, Tensor[] indices, Tensor values, bool accumulate=False, bool unsafe=False) -> Tensor(a!)",
  putInPlace,
);
op("aten::_unsafe_index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor", put);
op(
  "aten::_unsafe_index_put.hacked_twin(Tensor self, Tensor[] indices, Tensor values, bool accumulate=False) -> Tensor",
  put,
);

op(
  "aten::_unsafe_masked_index(Tensor self, Tensor mask, Tensor?[] indices, Scalar fill) -> Tensor",
  (self, mask, indices, fill) => {
    const clamped = indices.map(
      (t, d) =>
        t &&
        fromIndices(
          indicesOf(t).map((v) => Math.min(Math.max(v, 0), self.sizes[d]! - 1)),
          t.sizes,
        ),
    );
    const out = indexTensor(self, clamped);
    const sizes = broadcastShapes(out.sizes, mask.sizes);
    const keep = maskOf(viewOf(mask, sizes, broadcastStrides(mask, sizes)));
    const filled = cloneTensor(viewOf(out, sizes, broadcastStrides(out, sizes)), 0);
    const holes = Float64Array.from(keep.reduce<number[]>((list, k, i) => (k === 0 && list.push(i), list), []));
    scatterElements(filled, holes, convertTensor(wideScalar(fill), self.dtype));
    return filled;
  },
);
op(
  "aten::_unsafe_masked_index_put_accumulate(Tensor self, Tensor mask, Tensor?[] indices, Tensor values) -> Tensor",
  (self, mask, indices, values) => {
    const clamped = indices.map(
      (t, d) =>
        t &&
        fromIndices(
          indicesOf(t).map((v) => Math.min(Math.max(v, -self.sizes[d]!), self.sizes[d]! - 1)),
          t.sizes,
        ),
    );
    const keep = convertTensor(viewOf(mask, values.sizes, broadcastStrides(mask, values.sizes)), DTYPES.bool);
    const kept = maskOf(keep);
    const zeroed = cloneTensor(values, 0);
    const holes = Float64Array.from(kept.reduce<number[]>((list, k, i) => (k === 0 && list.push(i), list), []));
    scatterElements(zeroed, holes, emptyTensor([], values.dtype));
    return put(self, clamped, zeroed, true);
  },
);

export const index_select = op(
  "aten::index_select(Tensor self, int dim, Tensor index) -> Tensor",
  (self, dimIn, indexArg) => {
    const dim = wrapDim(dimIn, self.ndim);
    if (indexArg.ndim > 1) throw new OperatorError("index_select(): Index is supposed to be a vector");
    if (indexArg.dtype !== DTYPES.int64 && indexArg.dtype !== DTYPES.int32) {
      throw new OperatorError("index_select(): Expected dtype int32 or int64 for index");
    }
    if (self.ndim === 0 && indexArg.numel !== 1) {
      throw new OperatorError(
        "index_select(): Index to scalar can have only 1 value, got " + indexArg.numel + " value(s)",
      );
    }
    const values = indicesOf(indexArg);
    const size = self.ndim === 0 ? 1 : self.sizes[dim]!;
    for (let i = 0; i < values.length; i++)
      if (values[i]! < 0 || values[i]! >= size) throw new OperatorError("index out of range in self");
    return self.ndim === 0 ? cloneTensor(self) : gatherDim(self, dim, values);
  },
);

op(
  "aten::index_select.out(Tensor self, int dim, Tensor index, *, Tensor(a!) out) -> Tensor(a!)",
  (self, dim, indexArg, out) => {
    const result = index_select(self, dim, indexArg);
    checkOutDtype("aten::index_select.out", out, result, self);
    assertNoInternalOverlap(out);
    writeOutResult(out, result);
    return out;
  },
);

function booleanMask(mask: Tensor, name: string): void {
  if (mask.dtype !== DTYPES.bool) {
    throw new OperatorError(
      name === "masked_select"
        ? "masked_select: expected BoolTensor for mask"
        : `masked_scatter_ only supports boolean masks, but got mask with dtype ${mask.dtype.cppName}`,
    );
  }
}

export const masked_select = op("aten::masked_select(Tensor self, Tensor mask) -> Tensor", (self, mask) => {
  booleanMask(mask, "masked_select");
  const sizes = broadcastShapes(mask.sizes, self.sizes);
  const bits = maskOf(viewOf(mask, sizes, broadcastStrides(mask, sizes)));
  const source = viewOf(self, sizes, broadcastStrides(self, sizes));
  const at = truePositions(bits);
  return gatherElements(source, at, [at.length]);
});

op("aten::masked_select.out(Tensor self, Tensor mask, *, Tensor(a!) out) -> Tensor(a!)", (self, mask, out) => {
  if (out.dtype !== self.dtype)
    throw new OperatorError("masked_select(): self and result must have the same scalar type");
  assertNoInternalOverlap(out);
  assertNoOverlap(out, self);
  assertNoOverlap(out, mask);
  writeOutResult(out, masked_select(self, mask));
  return out;
});

function maskedScatter(self: Tensor, mask: Tensor, source: Tensor): Tensor {
  if (self.dtype !== source.dtype) {
    throw new OperatorError(
      `masked_scatter: expected self and source to have same dtypes but got${self.dtype.cppName} and ${source.dtype.cppName}`,
    );
  }
  booleanMask(mask, "masked_scatter");
  const sizes = broadcastShapes(mask.sizes, self.sizes);
  const bits = maskOf(viewOf(mask, sizes, broadcastStrides(mask, sizes)));
  const out = cloneTensor(viewOf(self, sizes, broadcastStrides(self, sizes)), 0);
  const at = truePositions(bits);
  if (at.length > source.numel) throw new OperatorError("Number of elements of source < number of ones in mask");
  scatterElements(out, at, source);
  return out;
}

op("aten::masked_scatter(Tensor self, Tensor mask, Tensor source) -> Tensor", maskedScatter);

function linearIndices(self: Tensor, indexArg: Tensor, name: string): Float64Array {
  if (indexArg.dtype !== DTYPES.int64)
    throw new OperatorError(`${name}(): Expected a long tensor for index, but got ${indexArg.dtype.cppName}`);
  if (self.numel === 0 && indexArg.numel > 0)
    throw new OperatorError(
      name === "put_"
        ? "put_(): Tried to put elements into an empty tensor"
        : `${name}(): tried to take from an empty tensor`,
    );
  const values = indicesOf(indexArg);
  const { numel } = self;
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!;
    if (v < -numel || v >= numel)
      throw new OperatorError(`out of range: tried to access index ${v} on a tensor of ${numel} elements.`);
    if (v < 0) values[i] = v + numel;
  }
  return values;
}

export const take = op("aten::take(Tensor self, Tensor index) -> Tensor", (self, indexArg) =>
  gatherElements(self, linearIndices(self, indexArg, "take"), indexArg.sizes),
);
op(
  "aten::put(Tensor self, Tensor index, Tensor source, bool accumulate=False) -> Tensor",
  (self, indexArg, source, accumulate) => {
    if (indexArg.dtype !== DTYPES.int64)
      throw new OperatorError(`put_(): Expected a long tensor for index, but got ${indexArg.dtype.cppName}`);
    if (self.dtype !== source.dtype) {
      throw new OperatorError(
        `put_(): self and source expected to have the same dtype, but got self.dtype = ${self.dtype.cppName} and source.dtype = ${source.dtype.cppName}`,
      );
    }
    if (indexArg.numel !== source.numel) {
      throw new OperatorError(
        `put_(): Expected source and index to have the same number of elements, but got source.numel() = ${source.numel}, index.numel() = ${indexArg.numel}`,
      );
    }
    const out = cloneTensor(self, 0);
    const at = linearIndices(self, indexArg, "put_");
    if (accumulate) accumulateElements(out, { sizes: [], starts: at, run: 1 }, source);
    else scatterElements(out, at, source.numel === 1 && at.length !== 1 ? source : plainContiguous(source));
    return laidOutAs(out, self);
  },
);

/** The coordinates of elements that are not zero, (count, ndim); PyTorch writes columns one after another. */
function nonzeroTensor(self: Tensor): Tensor {
  const columns = trueColumns(maskOf(self), self.sizes);
  const count = self.ndim === 0 ? maskOf(self)[0]! : columns.sizes[1]!;
  const out = viewOf(columns, [count, self.ndim], [1, count]);
  out.base = undefined;
  return out;
}

export const nonzero = op("aten::nonzero(Tensor self) -> Tensor", nonzeroTensor);
op("aten::argwhere(Tensor self) -> Tensor", (self) => nonzero(self));

function nonzeroColumns(self: Tensor): Tensor[] {
  const source = self.ndim === 0 ? unsqueezeView(self, 0) : self;
  const columns = trueColumns(maskOf(source), source.sizes);
  return source.sizes.map((_, d) => cloneTensor(selectView(columns, 0, d)));
}

op("aten::nonzero_numpy(Tensor self) -> Tensor[]", nonzeroColumns);
op("aten::where(Tensor condition) -> Tensor[]", nonzeroColumns);
op("aten::nonzero_static(Tensor self, *, SymInt size, int fill_value=-1) -> Tensor", (self, size, fill) => {
  if (size < 0) throw new OperatorError("nonzero_static: 'size' must be an non-negative integer");
  const columns = trueColumns(maskOf(self), self.sizes);
  const out = fillScalar(emptyTensor([size, self.ndim], DTYPES.int64), fill);
  const count = Math.min(size, columns.sizes[1]!);
  copyInto(viewOf(out, [count, self.ndim], out.strides), viewOf(columns, [count, self.ndim], [1, columns.sizes[1]!]));
  return out;
});

/** Makes the error of an index along a dimension that is none. */
export const outOfBounds =
  (self: Tensor, dim: number) =>
  (value: number): OperatorError => {
    const size = self.ndim === 0 ? 1 : self.sizes[dim]!;
    return new OperatorError(`index ${value} is out of bounds for dimension ${dim} with size ${size}`);
  };

/** Positions in `self` (logical) of each element of an index tensor that replaces dimension `dim`. */
export function dimOffsets(self: Tensor, dim: number, indexArg: Tensor): Float64Array {
  const strides = contiguousStrides(self.sizes);
  const size = self.ndim === 0 ? 1 : self.sizes[dim]!;
  const stride = strides[dim] ?? 1;
  const values = indicesOf(indexArg);
  const length = indexArg.sizes[dim] ?? 1;
  const before = offsetsOf(indexArg.sizes.slice(0, dim), strides.slice(0, dim));
  const after = offsetsOf(indexArg.sizes.slice(dim + 1), strides.slice(dim + 1));
  let at = 0;
  for (const outer of before) {
    for (let j = 0; j < length; j++) {
      for (let i = 0; i < after.length; i++, at++) {
        const v = values[at]!;
        if (v < 0 || v >= size) throw outOfBounds(self, dim)(v);
        values[at] = outer + after[i]! + v * stride;
      }
    }
  }
  return values;
}

/** A scalar as a tensor of a dtype, expanded to sizes. */
export function expandedScalar(value: Scalar, dtype: DType, sizes: readonly number[]): Tensor {
  // whether a complex number is not zero is a truth value
  if (value instanceof Complex && dtype.category !== "complex" && dtype !== DTYPES.bool) {
    throw new OperatorError(`value cannot be converted to type ${dtype.cppName} without overflow`);
  }
  return fillScalar(emptyTensor(sizes, dtype), value);
}
