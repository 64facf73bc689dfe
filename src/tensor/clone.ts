/** @file Copies with a chosen layout or dtype: clone, contiguous, conversion. Upstream: aten/src/ATen/native/TensorConversions.cpp, TensorFactories.cpp. Spec: none. */
import { copyElements, copyInto } from "./copy.ts";
import type { DType } from "./dtype.ts";
import { allocateStorage } from "./storage.ts";
import { isContiguousIn, MEMORY_FORMAT, stridesIn, stridesLike, suggestMemoryFormat } from "./memory_format.ts";
import { contiguousStrides, numelOf, sameSizes } from "./strides.ts";
import { Tensor, uninitializedTensor } from "./tensor.ts";

/** A new tensor with given strides over just enough bytes, zeroed unless the caller writes all of them. */
export function emptyStrided(
  sizes: readonly number[],
  strides: readonly number[],
  dtype: DType,
  isZeroed = true,
): Tensor {
  let extent = 1;
  for (let d = 0; d < sizes.length; d++) {
    if (sizes[d] === 0) return new Tensor(allocateStorage(0), dtype, sizes, strides, 0);
    extent += (sizes[d]! - 1) * strides[d]!;
  }
  return new Tensor(allocateStorage(extent * dtype.itemsize, isZeroed), dtype, sizes, strides, 0);
}

/** An uninitialised tensor of `like`'s sizes in a memory format, zeroed unless the caller writes all of it. */
export function emptyLike(
  like: Tensor,
  dtype: DType = like.dtype,
  format: number | null = MEMORY_FORMAT.preserve,
  isZeroed = true,
): Tensor {
  const strides = stridesLike(like, format ?? MEMORY_FORMAT.preserve);
  const out = emptyStrided(like.sizes, strides, dtype, isZeroed);
  out.device = like.device;
  out.quantizer = dtype.category === "quantized" ? like.quantizer : undefined;
  return out;
}

/** A copy with its own storage. */
export function cloneTensor(self: Tensor, format: number | null = MEMORY_FORMAT.preserve): Tensor {
  const out = emptyLike(self, self.dtype, format ?? MEMORY_FORMAT.preserve, false);
  copyInto(out, self);
  return out;
}

/** The tensor itself if it is contiguous in `format`, else a copy that is. */
export function contiguousTensor(self: Tensor, format: number = MEMORY_FORMAT.contiguous): Tensor {
  return isContiguousIn(self, format) ? self : cloneTensor(self, format);
}

/** A new contiguous result in another memory format; rows (N, C, L) as the images of height 1 that they are computed as. */
export function laidOut(result: Tensor, format: number): Tensor {
  if (format === MEMORY_FORMAT.contiguous) return result;
  if (result.ndim !== 3) return cloneTensor(result, format);
  const [n, c, l] = result.sizes as [number, number, number];
  const [dn, dc, , dl] = stridesIn([n, c, 1, l], format) as [number, number, number, number];
  const out = emptyStrided(result.sizes, [dn, dc, dl], result.dtype, false);
  copyInto(out, result);
  return out;
}

/** A new contiguous result in the memory format that `like` suggests, where both have as many dimensions. */
export function laidOutLike(result: Tensor, like: Tensor): Tensor {
  return result.ndim === like.ndim ? laidOut(result, suggestMemoryFormat(like)) : result;
}

/** A new contiguous result with the strides of a copy of `like`, which has the same sizes (empty_like with preserve_format). */
export function laidOutAs(result: Tensor, like: Tensor): Tensor {
  if (sameSizes(like.strides, result.strides)) return result;
  return inStrides(result, stridesLike(like, MEMORY_FORMAT.preserve));
}

/** A tensor with exactly the strides of a contiguous one: also where dimensions of one element leave a choice. */
export function plainlyStrided(self: Tensor): Tensor {
  const strides = contiguousStrides(self.sizes);
  return sameSizes(self.strides, strides) ? self : inStrides(self, strides);
}

/** A new result with strides that PyTorch has chosen for it. */
export function inStrides(result: Tensor, strides: readonly number[]): Tensor {
  if (sameSizes(result.strides, strides)) return result;
  const out = emptyStrided(result.sizes, strides, result.dtype, false);
  [out.isConj, out.isNeg, out.quantizer] = [result.isConj, result.isNeg, result.quantizer];
  copyElements(out, result);
  return out;
}

/** The tensor itself if it has the dtype, else a converted copy. */
export function convertTensor(self: Tensor, dtype: DType): Tensor {
  if (self.dtype === dtype) return self;
  const out = emptyLike(self, dtype);
  copyInto(out, self);
  return out;
}

/** A contiguous tensor of another dtype whose layout no caller can see (always a fresh one if a copy is needed). */
export function contiguousAs(self: Tensor, dtype: DType): Tensor {
  if (self.dtype === dtype && !self.isConj && !self.isNeg && self.isContiguous()) return self;
  const out = uninitializedTensor(self.sizes, dtype);
  copyInto(out, self);
  return out;
}

/** Bytes that a view of these sizes and strides reaches, from its first element. */
export function reachedElements(sizes: readonly number[], strides: readonly number[]): number {
  if (numelOf(sizes) === 0) return 0;
  let extent = 1;
  for (let d = 0; d < sizes.length; d++) extent += (sizes[d]! - 1) * strides[d]!;
  return extent;
}
