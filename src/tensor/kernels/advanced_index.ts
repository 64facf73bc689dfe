/** @file Advanced indexing: which elements of a tensor a list of index tensors selects. Upstream: aten/src/ATen/native/IndexingUtils.h, TensorAdvancedIndexing.cpp. Spec: none. */
import { OperatorError } from "../../base/errors.ts";
import { DTYPES } from "../dtype.ts";
import { broadcastStrides } from "../iterate.ts";
import { contiguousStrides, numelOf } from "../strides.ts";
import { viewOf, type Tensor } from "../tensor.ts";
import { formatList } from "../view_geometry.ts";
import { fromIndices, indicesOf, maskOf } from "./data.ts";

/** The selected elements: `sizes` of the result and, for each, the logical position in the (contiguous) tensor. */
export interface Selection {
  readonly sizes: number[];
  readonly offsets: Float64Array;
}

/** The multi-indices of true elements, one array per dimension. */
export function trueIndices(mask: Uint8Array, sizes: readonly number[]): Float64Array[] {
  let count = 0;
  for (let i = 0; i < mask.length; i++) if (mask[i] !== 0) count++;
  const out = sizes.map(() => new Float64Array(count));
  let at = 0;
  const strides = contiguousStrides(sizes);
  for (let i = 0; i < mask.length; i++) {
    if (mask[i] === 0) continue;
    let rest = i;
    for (let d = 0; d < sizes.length; d++) {
      const q = Math.floor(rest / strides[d]!);
      out[d]![at] = q;
      rest -= q * strides[d]!;
    }
    at++;
  }
  return out;
}

/** Turns masks into index tensors, one per dimension that they cover. */
function expandMasks(self: Tensor, indices: readonly (Tensor | null)[]): (Tensor | null)[] {
  const out: (Tensor | null)[] = [];
  for (const index of indices) {
    if (index === null) {
      out.push(null);
      continue;
    }
    const isMask = index.dtype === DTYPES.bool || index.dtype === DTYPES.uint8;
    if (!isMask) {
      if (index.dtype !== DTYPES.int64 && index.dtype !== DTYPES.int32) {
        throw new OperatorError("tensors used as indices must be long, int, byte or bool tensors");
      }
      out.push(index);
      continue;
    }
    for (let d = 0; d < index.ndim; d++) {
      const dim = out.length + d;
      if (index.sizes[d] !== self.sizes[dim]) {
        if (dim >= self.ndim) {
          throw new OperatorError(`too many indices for tensor of dimension ${self.ndim}`);
        }
        throw new OperatorError(
          `The shape of the mask ${formatList(index.sizes)} at index ${d} does not match the shape of the indexed tensor ${formatList(self.sizes)} at index ${dim}`,
        );
      }
    }
    if (index.ndim === 0) {
      // a 0-dim mask adds a dimension of size 0 or 1; the callers unsqueeze the tensor for it
      throw new OperatorError("a 0-dim mask must be expanded by the caller");
    }
    for (const column of trueIndices(maskOf(index), index.sizes)) out.push(fromIndices(column, [column.length]));
  }
  return out;
}

function broadcastIndexShapes(indices: readonly Tensor[]): number[] {
  const ndim = Math.max(...indices.map((t) => t.ndim));
  const shape = new Array<number>(ndim).fill(1);
  for (const t of indices) {
    for (let i = 1; i <= t.ndim; i++) {
      const size = t.sizes[t.ndim - i]!;
      if (size === 1) continue;
      if (shape[ndim - i] !== 1 && shape[ndim - i] !== size) {
        throw new OperatorError(
          `shape mismatch: indexing tensors could not be broadcast together with shapes ${indices.map((x) => formatList(x.sizes)).join(", ")}`,
        );
      }
      shape[ndim - i] = size;
    }
  }
  return shape;
}

/** Which elements `self[indices]` selects. */
export function selectElements(self: Tensor, given: readonly (Tensor | null)[]): Selection {
  if (given.length > self.ndim) {
    throw new OperatorError(`too many indices for tensor of dimension ${self.ndim} (got ${given.length})`);
  }
  const indices = expandMasks(self, given);
  if (indices.length > self.ndim) throw new OperatorError(`too many indices for tensor of dimension ${self.ndim}`);
  const strides = contiguousStrides(self.sizes);
  const indexed = indices.flatMap((t, d) => (t ? [d] : []));
  if (indexed.length === 0) {
    return { sizes: [...self.sizes], offsets: Float64Array.from({ length: self.numel }, (_, i) => i) };
  }
  const shape = broadcastIndexShapes(indexed.map((d) => indices[d]!));
  const points = numelOf(shape);
  const pointOffsets = new Float64Array(points);
  for (const d of indexed) {
    const index = indices[d]!;
    const values = indicesOf(viewOf(index, shape, broadcastStrides(index, shape)));
    const size = self.sizes[d]!;
    const stride = strides[d]!;
    for (let i = 0; i < points; i++) {
      let v = values[i]!;
      if (v < -size || v >= size)
        throw new OperatorError(`index ${v} is out of bounds for dimension ${d} with size ${size}`);
      if (v < 0) v += size;
      pointOffsets[i] = pointOffsets[i]! + v * stride;
    }
  }
  const first = indexed[0]!;
  const isAdjacent = indexed.every((d, i) => d === first + i);
  const before = isAdjacent ? rangeOf(0, first) : [];
  const after = rangeOf(isAdjacent ? first : 0, self.ndim).filter((d) => !indexed.includes(d));
  const beforeOffsets = offsetsOf(
    before.map((d) => self.sizes[d]!),
    before.map((d) => strides[d]!),
  );
  const afterOffsets = offsetsOf(
    after.map((d) => self.sizes[d]!),
    after.map((d) => strides[d]!),
  );
  const offsets = new Float64Array(beforeOffsets.length * points * afterOffsets.length);
  let at = 0;
  for (let b = 0; b < beforeOffsets.length; b++) {
    for (let p = 0; p < points; p++) {
      const base = beforeOffsets[b]! + pointOffsets[p]!;
      for (let a = 0; a < afterOffsets.length; a++) offsets[at++] = base + afterOffsets[a]!;
    }
  }
  return { sizes: [...before.map((d) => self.sizes[d]!), ...shape, ...after.map((d) => self.sizes[d]!)], offsets };
}

function rangeOf(from: number, to: number): number[] {
  return Array.from({ length: Math.max(to - from, 0) }, (_, i) => from + i);
}

/** Offsets of all elements of a strided block, row-major. */
export function offsetsOf(sizes: readonly number[], strides: readonly number[]): Float64Array {
  let out = new Float64Array(1);
  for (let d = 0; d < sizes.length; d++) {
    const size = sizes[d]!;
    const next = new Float64Array(out.length * size);
    for (let i = 0, at = 0; i < out.length; i++) for (let j = 0; j < size; j++) next[at++] = out[i]! + j * strides[d]!;
    out = next;
  }
  return out;
}
