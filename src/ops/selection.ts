/** @file Views of a part of a tensor: select, slice, narrow, split, unbind. Upstream: aten/src/ATen/native/TensorShape.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { cloneTensor, contiguousAs } from "../tensor/clone.ts";
import { copyInto } from "../tensor/copy.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { wrapDim } from "../tensor/strides.ts";
import { allocateStorage } from "../tensor/storage.ts";
import { Tensor, viewOf } from "../tensor/tensor.ts";
import { diagonalView, formatList, narrowView, selectView, sliceRange } from "../tensor/view_geometry.ts";
import { as_strided } from "./views.ts";

function selectChecked(self: Tensor, dimIn: number, index: number): Tensor {
  if (self.ndim === 0) throw new OperatorError("select() cannot be applied to a 0-dim tensor.");
  const dim = wrapDim(dimIn, self.ndim);
  const size = self.sizes[dim]!;
  if (index < -size || index >= size) {
    throw new OperatorError(
      `select(): index ${index} out of range for tensor of size ${formatList(self.sizes)} at dimension ${dim}`,
    );
  }
  return selectView(self, dim, index < 0 ? index + size : index);
}

function sliceChecked(self: Tensor, dimIn: number, start: number | null, end: number | null, step: number): Tensor {
  if (self.ndim === 0) throw new OperatorError("slice() cannot be applied to a 0-dim tensor.");
  const dim = wrapDim(dimIn, self.ndim);
  if (step <= 0) throw new OperatorError("slice step must be positive");
  const range = sliceRange(self.sizes[dim]!, start, end, step);
  return narrowView(self, dim, range.start, range.length, step);
}

export const select = op("aten::select.int(Tensor(a) self, int dim, SymInt index) -> Tensor(a)", selectChecked);
export const slice = op(
  "aten::slice.Tensor(Tensor(a) self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> Tensor(a)",
  sliceChecked,
);

function narrowChecked(self: Tensor, dimIn: number, startIn: number, length: number): Tensor {
  if (self.ndim === 0) throw new OperatorError("narrow() cannot be applied to a 0-dim tensor.");
  if (length < 0) throw new OperatorError("narrow(): length must be non-negative.");
  const dim = wrapDim(dimIn, self.ndim);
  const size = self.sizes[dim]!;
  if (startIn < -size || startIn > size) {
    throw new OperatorError(`start out of range (expected to be in range of [${-size}, ${size}], but got ${startIn})`);
  }
  const start = startIn < 0 ? startIn + size : startIn;
  if (start + length > size) {
    throw new OperatorError(`start (${start}) + length (${length}) exceeds dimension size (${size}).`);
  }
  return narrowView(self, dim, start, length);
}

export const narrow = op(
  "aten::narrow(Tensor(a) self, int dim, SymInt start, SymInt length) -> Tensor(a)",
  narrowChecked,
);
op(
  "aten::narrow.Tensor(Tensor(a) self, int dim, Tensor start, SymInt length) -> Tensor(a)",
  (self, dim, start, length) => {
    if (start.ndim !== 0 || start.dtype.category !== "int") {
      throw new OperatorError("start must be an 0-dim integral Tensor.");
    }
    return narrow(self, dim, readInts(start)[0]!, length);
  },
);

/** The integers of an index tensor as numbers, in logical order. */
export function readInts(indices: Tensor): number[] {
  const wide = contiguousAs(indices, DTYPES.int64);
  const values = wide.storage.segment.i64;
  const out = new Array<number>(wide.numel);
  for (let i = 0; i < out.length; i++) out[i] = Number(values[wide.base0 + i]);
  return out;
}

function splitSizes(self: Tensor, sizes: readonly number[], dimIn: number, name = "split_with_sizes"): Tensor[] {
  if (self.ndim === 0) throw new OperatorError("split expects at least a 1-dimensional tensor");
  const dim = wrapDim(dimIn, self.ndim);
  const size = self.sizes[dim]!;
  if (sizes.some((s) => s < 0)) {
    throw new OperatorError(
      `${name} expects split_sizes have only non-negative entries, but got split_sizes=${formatList(sizes)}`,
    );
  }
  if (sizes.reduce((a, b) => a + b, 0) !== size) {
    throw new OperatorError(
      `${name} expects split_sizes to sum exactly to ${size} (input tensor's size at dimension ${dimIn}), but got split_sizes=${formatList(sizes)}`,
    );
  }
  let start = 0;
  return sizes.map((length) => {
    const part = narrowView(self, dim, start, length);
    start += length;
    return part;
  });
}

function splitEvenly(self: Tensor, splitSize: number, dimIn: number): Tensor[] {
  if (self.ndim === 0) throw new OperatorError("split expects at least a 1-dimensional tensor");
  if (splitSize < 0)
    throw new OperatorError(`split expects split_size be non-negative, but got split_size=${splitSize}`);
  const dim = wrapDim(dimIn, self.ndim);
  const size = self.sizes[dim]!;
  if (splitSize === 0 && size !== 0) {
    throw new OperatorError(`split_size can only be 0 if dimension size is 0, but got dimension size of ${size}`);
  }
  const parts = splitSize === 0 ? 1 : Math.max(Math.ceil(size / splitSize), 1);
  const out: Tensor[] = [];
  for (let i = 0; i < parts; i++) {
    const start = i * splitSize;
    out.push(narrowView(self, dim, start, Math.min(splitSize, size - start)));
  }
  return out;
}

function chunkParts(self: Tensor, chunks: number, dimIn: number): Tensor[] {
  if (self.ndim === 0) throw new OperatorError("chunk expects at least a 1-dimensional tensor");
  if (chunks <= 0) throw new OperatorError(`chunk expects \`chunks\` to be greater than 0, got: ${chunks}`);
  const dim = wrapDim(dimIn, self.ndim);
  const size = self.sizes[dim]!;
  const splitSize = Math.ceil(size / chunks);
  if (splitSize === 0 && size === 0) return splitSizes(self, new Array<number>(chunks).fill(0), dim);
  return splitEvenly(self, splitSize, dim);
}

function unbindParts(self: Tensor, dimIn: number): Tensor[] {
  if (self.ndim === 0) throw new OperatorError("Dimension specified as 0 but tensor has no dimensions");
  const dim = wrapDim(dimIn, self.ndim);
  return Array.from({ length: self.sizes[dim]! }, (_, i) => selectView(self, dim, i));
}

export const split = op(
  "aten::split.Tensor(Tensor(a -> *) self, SymInt split_size, int dim=0) -> Tensor(a)[]",
  splitEvenly,
);
op("aten::split.sizes(Tensor(a -> *) self, SymInt[] split_size, int dim=0) -> Tensor(a)[]", (self, sizes, dim) =>
  splitSizes(self, sizes, dim),
);
op("aten::split(Tensor(a -> *) self, int[] split_sizes, int dim=0) -> Tensor(a)[]", (self, sizes, dim) =>
  splitSizes(self, sizes, dim),
);
export const split_with_sizes = op(
  "aten::split_with_sizes(Tensor(a -> *) self, SymInt[] split_sizes, int dim=0) -> Tensor(a)[]",
  (self, sizes, dim) => splitSizes(self, sizes, dim),
);
export const chunk = op("aten::chunk(Tensor(a -> *) self, int chunks, int dim=0) -> Tensor(a)[]", chunkParts);
export const unbind = op("aten::unbind.int(Tensor(a -> *) self, int dim=0) -> Tensor(a)[]", unbindParts);
op("aten::unsafe_split.Tensor(Tensor self, SymInt split_size, int dim=0) -> Tensor[]", splitEvenly);
op("aten::unsafe_split_with_sizes(Tensor self, SymInt[] split_sizes, int dim=0) -> Tensor[]", (self, sizes, dim) =>
  splitSizes(self, sizes, dim),
);
op("aten::unsafe_chunk(Tensor self, int chunks, int dim=0) -> Tensor[]", chunkParts);

function sectionParts(self: Tensor, sections: number, dimIn: number): Tensor[] {
  if (self.ndim === 0) {
    throw new OperatorError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims");
  }
  const dim = wrapDim(dimIn, self.ndim);
  if (sections <= 0) throw new OperatorError(`number of sections must be larger than 0, got ${sections}`);
  const size = self.sizes[dim]!;
  const small = Math.floor(size / sections);
  const extra = size % sections;
  let start = 0;
  return Array.from({ length: sections }, (_, i) => {
    const length = i < extra ? small + 1 : small;
    const part = narrowView(self, dim, start, length);
    start += length;
    return part;
  });
}

function indexParts(self: Tensor, indices: readonly number[], dimIn: number): Tensor[] {
  if (self.ndim === 0) {
    throw new OperatorError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims");
  }
  const dim = wrapDim(dimIn, self.ndim);
  let start = 0;
  const parts = indices.map((end) => {
    const part = sliceChecked(self, dim, start, end, 1);
    start = end;
    return part;
  });
  parts.push(sliceChecked(self, dim, start, self.sizes[dim]!, 1));
  return parts;
}

op("aten::tensor_split.sections(Tensor(a -> *) self, SymInt sections, int dim=0) -> Tensor(a)[]", sectionParts);
op("aten::tensor_split.indices(Tensor(a -> *) self, SymInt[] indices, int dim=0) -> Tensor(a)[]", indexParts);
op(
  "aten::tensor_split.tensor_indices_or_sections(Tensor(a -> *) self, Tensor tensor_indices_or_sections, int dim=0) -> Tensor(a)[]",
  (self, which, dim) => {
    if (self.ndim === 0) {
      throw new OperatorError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims");
    }
    if (which.dtype !== DTYPES.int64) {
      throw new OperatorError(
        `tensor_split expected tensor_indices_or_sections to have dtype of long, but got ${which.dtype.cppName}`,
      );
    }
    if (which.ndim > 1) {
      throw new OperatorError(
        `tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional tensor, but got a tensor with ${which.ndim} dims`,
      );
    }
    return which.ndim === 0 ? sectionParts(self, readInts(which)[0]!, dim) : indexParts(self, readInts(which), dim);
  },
);

function needDims(self: Tensor, name: string, ndim: number): void {
  if (self.ndim < ndim) {
    throw new OperatorError(
      `torch.${name} requires a tensor with at least ${ndim} dimension, but got a tensor with ${self.ndim} dimensions!`,
    );
  }
}

function splitAlong(self: Tensor, name: string, dim: number, sections: number): Tensor[] {
  if (sections <= 0 || self.sizes[dim]! % sections !== 0) {
    throw new OperatorError(
      `torch.${name} attempted to split along dimension ${dim}, but the size of the dimension ${self.sizes[dim]} is not divisible by the split_size ${sections}!`,
    );
  }
  return sectionParts(self, sections, dim);
}

op("aten::hsplit.int(Tensor(a -> *) self, int sections) -> Tensor(a)[]", (self, sections) => {
  needDims(self, "hsplit", 1);
  return splitAlong(self, "hsplit", self.ndim === 1 ? 0 : 1, sections);
});
op("aten::hsplit.array(Tensor(a -> *) self, int[] indices) -> Tensor(a)[]", (self, indices) => {
  needDims(self, "hsplit", 1);
  return indexParts(self, indices, self.ndim === 1 ? 0 : 1);
});
op("aten::vsplit.int(Tensor(a -> *) self, int sections) -> Tensor(a)[]", (self, sections) => {
  needDims(self, "vsplit", 2);
  return splitAlong(self, "vsplit", 0, sections);
});
op("aten::vsplit.array(Tensor(a -> *) self, int[] indices) -> Tensor(a)[]", (self, indices) => {
  needDims(self, "vsplit", 2);
  return indexParts(self, indices, 0);
});
op("aten::dsplit.int(Tensor(a -> *) self, int sections) -> Tensor(a)[]", (self, sections) => {
  needDims(self, "dsplit", 3);
  return splitAlong(self, "dsplit", 2, sections);
});
op("aten::dsplit.array(Tensor(a -> *) self, int[] indices) -> Tensor(a)[]", (self, indices) => {
  needDims(self, "dsplit", 3);
  return indexParts(self, indices, 2);
});

/** Whether elements of a tensor share memory: those of a dimension without a stride. */
function repeatsElements(t: Tensor): boolean {
  return t.strides.some((stride, d) => stride === 0 && t.sizes[d]! > 1);
}

/** A copy with the same strides and offset in a copy of the whole storage; a plain one where elements share memory. */
function clonePreservingStrides(self: Tensor): Tensor {
  if (repeatsElements(self)) return cloneTensor(self);
  const storage = allocateStorage(self.storage.nbytes);
  storage.bytes().set(self.storage.bytes());
  const out = new Tensor(storage, self.dtype, self.sizes, self.strides, self.storageOffset);
  out.isConj = self.isConj;
  out.isNeg = self.isNeg;
  return out;
}

/** A clone of `self` with `src` written into the view that `view` takes of it. */
function scatterInto(self: Tensor, src: Tensor, view: (t: Tensor) => Tensor): Tensor {
  const out = clonePreservingStrides(self);
  const part = view(out);
  if (part.ndim !== src.ndim || part.sizes.some((s, d) => s !== src.sizes[d])) {
    throw new OperatorError(
      `expected src to have a size equal to the slice of self. src size = ${formatList(src.sizes)}, slice size = ${formatList(part.sizes)}`,
    );
  }
  copyInto(part, src);
  return out;
}

op("aten::select_scatter(Tensor self, Tensor src, int dim, SymInt index) -> Tensor", (self, src, dim, index) =>
  scatterInto(self, src, (t) => selectChecked(t, dim, index)),
);
op(
  "aten::slice_scatter(Tensor self, Tensor src, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> Tensor",
  (self, src, dim, start, end, step) => {
    const out = clonePreservingStrides(self);
    const part = sliceChecked(out, dim, start, end, step);
    copyInto(part, viewOf(src, src.sizes, src.strides));
    return out;
  },
);
op(
  "aten::diagonal_scatter(Tensor self, Tensor src, int offset=0, int dim1=0, int dim2=1) -> Tensor",
  (self, src, offset, dim1, dim2) => scatterInto(self, src, (t) => diagonalView(t, offset, dim1, dim2)),
);
op(
  "aten::as_strided_scatter(Tensor self, Tensor src, SymInt[] size, SymInt[] stride, SymInt? storage_offset=None) -> Tensor",
  (self, src, size, stride, offset) => {
    const out = clonePreservingStrides(self);
    const part = as_strided(out, size, stride, offset);
    if (part.ndim !== src.ndim || part.sizes.some((s, d) => s !== src.sizes[d])) {
      throw new OperatorError(
        `expected src to have a size equal to the slice of self. src size = ${formatList(src.sizes)}, slice size = ${formatList(part.sizes)}`,
      );
    }
    copyInto(part, src);
    return out;
  },
);
