/** @file Geometry of views: -1 inference, strides of a reshaped view, slices, diagonals. Upstream: aten/src/ATen/TensorUtils.cpp, InferSize.h. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { contiguousStrides, numelOf, wrapDim } from "./strides.ts";
import { viewOf, type Tensor } from "./tensor.ts";

/** `[2, 3]` as PyTorch prints shapes in messages. */
export function formatList(values: readonly number[]): string {
  return `[${values.join(", ")}]`;
}

/** Replaces one -1 in `shape` so that it holds `numel` elements. */
export function inferSize(shape: readonly number[], numel: number): number[] {
  let known = 1;
  let inferred = -1;
  for (let d = 0; d < shape.length; d++) {
    const size = shape[d]!;
    if (size === -1) {
      if (inferred >= 0) throw new OperatorError("only one dimension can be inferred");
      inferred = d;
    } else if (size >= 0) {
      known *= size;
    } else {
      throw new OperatorError(`invalid shape dimension ${size} at index ${d} of shape ${formatList(shape)}`);
    }
  }
  if (numel === known || (inferred >= 0 && known > 0 && numel % known === 0)) {
    const result = [...shape];
    if (inferred >= 0) {
      if (known === 0) {
        throw new OperatorError(
          `cannot reshape tensor of 0 elements into shape ${formatList(shape)} because the unspecified dimension size -1 can be any value and is ambiguous`,
        );
      }
      result[inferred] = numel / known;
    }
    return result;
  }
  throw new OperatorError(`shape '${formatList(shape)}' is invalid for input of size ${numel}`);
}

/** Strides that make `newSizes` a view of (`sizes`, `strides`), or undefined where only a copy can. */
export function viewStrides(
  sizes: readonly number[],
  strides: readonly number[],
  newSizes: readonly number[],
): number[] | undefined {
  const numel = numelOf(sizes);
  if (numel === 0) {
    if (sizes.length === newSizes.length && sizes.every((s, i) => s === newSizes[i])) return [...strides];
    return contiguousStrides(newSizes);
  }
  if (sizes.length === 0) return new Array<number>(newSizes.length).fill(1);
  const result = new Array<number>(newSizes.length);
  let viewDim = newSizes.length - 1;
  let chunkBase = strides[strides.length - 1]!;
  let tensorNumel = 1;
  let viewNumel = 1;
  for (let d = sizes.length - 1; d >= 0; d--) {
    tensorNumel *= sizes[d]!;
    // the end of a run of dimensions that are contiguous with respect to each other
    if (d === 0 || (sizes[d - 1] !== 1 && strides[d - 1] !== tensorNumel * chunkBase)) {
      while (viewDim >= 0 && (viewNumel < tensorNumel || newSizes[viewDim] === 1)) {
        result[viewDim] = viewNumel * chunkBase;
        viewNumel *= newSizes[viewDim]!;
        viewDim--;
      }
      if (viewNumel !== tensorNumel) return undefined;
      if (d > 0) {
        chunkBase = strides[d - 1]!;
        tensorNumel = 1;
        viewNumel = 1;
      }
    }
  }
  return viewDim === -1 ? result : undefined;
}

/** A view with another shape, or undefined where only a copy can have it. `sizes` has no -1. */
export function tryView(self: Tensor, sizes: readonly number[]): Tensor | undefined {
  const strides = viewStrides(self.sizes, self.strides, sizes);
  return strides && viewOf(self, sizes, strides);
}

/** Start and length of `start:end:step` over a dimension, as Python clamps them. */
export function sliceRange(
  size: number,
  start: number | null,
  end: number | null,
  step: number,
): { start: number; length: number } {
  let from = start ?? 0;
  let to = end ?? size;
  if (from < 0) from += size;
  if (to < 0) to += size;
  from = Math.min(Math.max(from, 0), size);
  to = Math.min(Math.max(to, from), size);
  return { start: from, length: Math.ceil((to - from) / step) };
}

/** A view without dimension `dim`, at `index` of it. */
export function selectView(self: Tensor, dim: number, index: number): Tensor {
  return viewOf(
    self,
    self.sizes.filter((_, d) => d !== dim),
    self.strides.filter((_, d) => d !== dim),
    self.storageOffset + index * self.strides[dim]!,
  );
}

/** A view of `length` elements of a dimension from `start`; nothing is checked. */
export function narrowView(self: Tensor, dim: number, start: number, length: number, step = 1): Tensor {
  const sizes = [...self.sizes];
  const strides = [...self.strides];
  sizes[dim] = length;
  strides[dim] = strides[dim]! * step;
  return viewOf(self, sizes, strides, self.storageOffset + start * self.strides[dim]!);
}

/** Dimensions made non-negative and checked for repetition. */
export function wrapDims(dims: readonly number[], ndim: number): number[] {
  const wrapped = dims.map((d) => wrapDim(d, ndim));
  const seen = new Set<number>();
  for (const d of wrapped) {
    if (seen.has(d)) throw new OperatorError(`dim ${d} appears multiple times in the list of dims`);
    seen.add(d);
  }
  return wrapped;
}

/** A view with dimensions reordered; `dims` is a permutation of non-negative indices. */
export function permuteView(self: Tensor, dims: readonly number[]): Tensor {
  return viewOf(
    self,
    dims.map((d) => self.sizes[d]!),
    dims.map((d) => self.strides[d]!),
  );
}

/** A view with two dimensions exchanged; indices are non-negative. */
export function transposeView(self: Tensor, dim0: number, dim1: number): Tensor {
  if (self.ndim === 0) return viewOf(self, [], []);
  const dims = self.sizes.map((_, d) => (d === dim0 ? dim1 : d === dim1 ? dim0 : d));
  return permuteView(self, dims);
}

/** A view with a dimension of size 1 put in front of `dim` (0..ndim). */
export function unsqueezeView(self: Tensor, dim: number): Tensor {
  const sizes = [...self.sizes];
  const strides = [...self.strides];
  strides.splice(dim, 0, dim >= self.ndim ? 1 : self.sizes[dim]! * self.strides[dim]!);
  sizes.splice(dim, 0, 1);
  return viewOf(self, sizes, strides);
}

/** A view without the dimensions of size 1 among `dims` (all of them where undefined). */
export function squeezeView(self: Tensor, dims?: readonly number[]): Tensor {
  const sizes: number[] = [];
  const strides: number[] = [];
  for (let d = 0; d < self.ndim; d++) {
    if (self.sizes[d] === 1 && (dims === undefined || dims.includes(d))) continue;
    sizes.push(self.sizes[d]!);
    strides.push(self.strides[d]!);
  }
  return viewOf(self, sizes, strides);
}

/** Strides 0 where a size grows from 1; checks as `Tensor.expand` does. -1 keeps a size. */
export function expandView(self: Tensor, size: readonly number[], cppType: string): Tensor {
  if (size.length < self.ndim) {
    throw new OperatorError(
      `expand(${cppType}{${formatList(self.sizes)}}, size=${formatList(size)}): the number of sizes provided (${size.length}) must be greater or equal to the number of dimensions in the tensor (${self.ndim})`,
    );
  }
  const extra = size.length - self.ndim;
  const isOne = self.ndim === 0; // of one number PyTorch repeats every dimension, also those of size 1
  const sizes = new Array<number>(size.length);
  const strides = new Array<number>(size.length);
  for (let i = size.length - 1; i >= 0; i--) {
    const d = i - extra;
    const own = d >= 0 ? self.sizes[d]! : 1;
    let stride = d >= 0 ? self.strides[d]! : i + 1 < size.length ? sizes[i + 1]! * strides[i + 1]! : 1;
    let target = size[i]!;
    if (target === -1) {
      if (d < 0) {
        throw new OperatorError(
          `The expanded size of the tensor (${target}) isn't allowed in a leading, non-existing dimension ${i}`,
        );
      }
      target = own;
    }
    if (isOne) stride = 0;
    if (own !== target) {
      if (own !== 1) {
        throw new OperatorError(
          `The expanded size of the tensor (${target}) must match the existing size (${own}) at non-singleton dimension ${i}.  Target sizes: ${formatList(size)}.  Tensor sizes: ${formatList(self.sizes)}`,
        );
      }
      stride = 0;
    }
    if (target < -1) throw new OperatorError(`numel: integer multiplication overflow`);
    sizes[i] = target;
    strides[i] = stride;
  }
  return viewOf(self, sizes, strides);
}

/** The diagonal of two dimensions as a new last dimension. */
export function diagonalView(self: Tensor, offset: number, dim1In: number, dim2In: number): Tensor {
  const dim1 = wrapDim(dim1In, self.ndim);
  const dim2 = wrapDim(dim2In, self.ndim);
  if (dim1 === dim2) throw new OperatorError(`diagonal dimensions cannot be identical ${dim1In}, ${dim2In}`);
  const size1 = self.sizes[dim1]!;
  const size2 = self.sizes[dim2]!;
  const length =
    offset >= 0 ? Math.max(Math.min(size1, size2 - offset), 0) : Math.max(Math.min(size1 + offset, size2), 0);
  let at = self.storageOffset;
  if (length > 0) at += offset >= 0 ? offset * self.strides[dim2]! : -offset * self.strides[dim1]!;
  const keep = self.sizes.map((_, d) => d).filter((d) => d !== dim1 && d !== dim2);
  return viewOf(
    self,
    [...keep.map((d) => self.sizes[d]!), length],
    [...keep.map((d) => self.strides[d]!), self.strides[dim1]! + self.strides[dim2]!],
    at,
  );
}
