/** @file Memory formats and dense stride orders. Upstream: c10/core/MemoryFormat.h, aten/src/ATen/ExpandUtils.cpp (infer_dense_strides). Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { contiguousStrides } from "./strides.ts";
import type { Tensor } from "./tensor.ts";

/** c10::MemoryFormat numbers, as archived code writes them. */
export const MEMORY_FORMAT = { contiguous: 0, preserve: 1, channelsLast: 2, channelsLast3d: 3 } as const;

const CHANNELS_LAST_ORDER: Readonly<Record<number, readonly number[]>> = { 4: [1, 3, 2, 0], 5: [1, 4, 3, 2, 0] };

/** Strides of a dense tensor in channels_last order: (N, C, H, W) or (N, C, D, H, W). */
export function channelsLastStrides(sizes: readonly number[]): number[] {
  const order = CHANNELS_LAST_ORDER[sizes.length];
  if (!order) {
    throw new OperatorError(
      `required rank ${sizes.length > 4 ? 5 : 4} tensor to use channels_last${sizes.length > 4 ? "_3d" : ""} format`,
    );
  }
  const strides = new Array<number>(sizes.length);
  let stride = 1;
  for (const d of order) {
    strides[d] = stride;
    stride *= Math.max(sizes[d]!, 1);
  }
  return strides;
}

/** Whether the elements lie densely in channels_last order (is_contiguous(memory_format=channels_last)). */
export function isChannelsLastContiguous(t: Pick<Tensor, "sizes" | "strides">): boolean {
  const order = CHANNELS_LAST_ORDER[t.sizes.length];
  if (!order) return false;
  let expected = 1;
  for (const d of order) {
    if (t.sizes[d] === 1) continue;
    if (t.strides[d] !== expected) return false;
    expected *= t.sizes[d]!;
  }
  return true;
}

/** Whether strides are ordered like channels_last, possibly with gaps (is_channels_last_strides_2d/3d). */
export function isChannelsLastStrides(sizes: readonly number[], strides: readonly number[]): boolean {
  const order = CHANNELS_LAST_ORDER[sizes.length];
  if (!order || strides[1] === 0) return false;
  let least = 0;
  for (const d of order) {
    if (sizes[d] === 0 || strides[d]! < least) return false;
    // (N, 1, H, W) contiguous is not channels_last
    if (d === 0 && least === strides[1]) return false;
    least = strides[d]!;
    if (sizes[d]! > 1) least *= sizes[d]!;
  }
  return true;
}

/** suggest_memory_format(): channels_last where the strides say so, else contiguous. */
export function suggestMemoryFormat(t: Tensor): number {
  if (t.sparse) return MEMORY_FORMAT.contiguous;
  if (!isChannelsLastStrides(t.sizes, t.strides)) return MEMORY_FORMAT.contiguous;
  return t.sizes.length === 4 ? MEMORY_FORMAT.channelsLast : MEMORY_FORMAT.channelsLast3d;
}

/** The same of rows (N, C, L) seen as images of height 1: operators of one dimension are run as those of two. */
export function suggestRowFormat(t: Pick<Tensor, "sizes" | "strides">): number {
  const [n, c, l] = t.sizes;
  const [dn, dc, dl] = t.strides;
  // rows that lie densely cannot be channels last
  if (t.sizes.length !== 3 || dc! > dl!) return MEMORY_FORMAT.contiguous;
  return isChannelsLastStrides([n!, c!, 1, l!], [dn!, dc!, l! * dl!, dl!])
    ? MEMORY_FORMAT.channelsLast
    : MEMORY_FORMAT.contiguous;
}

/** Whether the tensor is dense in the given memory format. */
export function isContiguousIn(t: Tensor, memoryFormat: number): boolean {
  if (memoryFormat === MEMORY_FORMAT.channelsLast) return t.sizes.length === 4 && isChannelsLastContiguous(t);
  if (memoryFormat === MEMORY_FORMAT.channelsLast3d) return t.sizes.length === 5 && isChannelsLastContiguous(t);
  return t.isContiguous();
}

/** Whether some permutation of the dimensions is contiguous. */
export function isNonOverlappingAndDense(sizes: readonly number[], strides: readonly number[]): boolean {
  const ndim = sizes.length;
  // what has no elements is contiguous, whatever its strides
  if (sizes.includes(0)) return true;
  if (ndim === 1) return sizes[0]! < 2 || strides[0] === 1;
  const order = Array.from({ length: ndim }, (_, d) => d).sort((a, b) => {
    if (sizes[a]! < 2) return sizes[b]! < 2 ? 0 : 1;
    if (sizes[b]! < 2) return -1;
    return strides[a]! - strides[b]!;
  });
  let expected = 1;
  for (const d of order) {
    if (sizes[d]! < 2) return true;
    if (strides[d] !== expected) return false;
    expected *= sizes[d]!;
  }
  return true;
}

/** Dense strides in the order that the given strides have: what empty_like(preserve_format) uses for tensors with gaps. */
export function inferDenseStrides(sizes: readonly number[], strides: readonly number[]): number[] {
  const ndim = sizes.length;
  if (ndim === 0) return [];
  if (ndim === 1) return [1];
  const perm = Array.from({ length: ndim }, (_, i) => ndim - 1 - i);
  const shouldSwap = (dim0: number, dim1: number): number => {
    const s0 = strides[dim0]!;
    const s1 = strides[dim1]!;
    if (s0 === 0 || s1 === 0) return 0;
    if (s0 < s1) return -1;
    if (s0 > s1) return 1;
    return sizes[dim0]! > sizes[dim1]! ? 1 : 0;
  };
  insertionSortDims(perm, shouldSwap);
  const out = new Array<number>(ndim);
  let current = 1;
  for (const d of perm) {
    out[d] = current;
    if (sizes[d]! > 1) current *= sizes[d]!;
  }
  return out;
}

/** The insertion sort with ambiguous comparisons (0) that TensorIterator and infer_dense_strides share. */
export function insertionSortDims(perm: number[], shouldSwap: (dim0: number, dim1: number) => number): void {
  for (let i = 1; i < perm.length; i++) {
    let dim1 = i;
    for (let dim0 = i - 1; dim0 >= 0; dim0--) {
      const comparison = shouldSwap(perm[dim0]!, perm[dim1]!);
      if (comparison > 0) {
        const t = perm[dim0]!;
        perm[dim0] = perm[dim1]!;
        perm[dim1] = t;
        dim1 = dim0;
      } else if (comparison < 0) break;
    }
  }
}

/** Strides of a new tensor with `like`'s sizes in a memory format (empty_like). */
export function stridesLike(like: Tensor, memoryFormat: number): number[] {
  if (memoryFormat === MEMORY_FORMAT.preserve) {
    if (isNonOverlappingAndDense(like.sizes, like.strides)) return [...like.strides];
    return inferDenseStrides(like.sizes, like.strides);
  }
  return stridesIn(like.sizes, memoryFormat);
}

/** Dense strides in a memory format. */
export function stridesIn(sizes: readonly number[], memoryFormat: number): number[] {
  if (memoryFormat === MEMORY_FORMAT.channelsLast || memoryFormat === MEMORY_FORMAT.channelsLast3d) {
    const rank = memoryFormat === MEMORY_FORMAT.channelsLast ? 4 : 5;
    if (sizes.length !== rank) {
      throw new OperatorError(`required rank ${rank} tensor to use channels_last${rank === 5 ? "_3d" : ""} format`);
    }
    return channelsLastStrides(sizes);
  }
  return contiguousStrides(sizes);
}
