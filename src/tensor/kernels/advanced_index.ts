/** @file Advanced indexing: which elements of a tensor a list of index tensors selects. Upstream: aten/src/ATen/native/IndexingUtils.h, TensorAdvancedIndexing.cpp. Spec: none. */
import { OperatorError } from "../../base/errors.ts";
import { DTYPES } from "../dtype.ts";
import { broadcastStrides } from "../iterate.ts";
import { contiguousStrides, numelOf } from "../strides.ts";
import { emptyTensor, viewOf, type Tensor } from "../tensor.ts";
import { formatList } from "../view_geometry.ts";
import { doublesOf, fromDoubles, indicesOf, maskOf } from "./data.ts";

/** The selected elements: `sizes` of the result, and where each run of `run` elements starts in the (contiguous) tensor. */
export interface Selection {
  readonly sizes: number[];
  readonly starts: Float64Array;
  readonly run: number;
}

/** The positions of true elements. */
export function truePositions(mask: Uint8Array): Float64Array {
  // the sign of -x says whether x is not 0, and every position is written, over the last one where that was not true:
  // there are no branches to guess wrong
  let count = 0;
  for (let i = 0; i < mask.length; i++) count += -mask[i]! >>> 31;
  const out = new Float64Array(count + 1);
  for (let i = 0, at = 0; i < mask.length; i++) {
    out[at] = i;
    at += -mask[i]! >>> 31;
  }
  return out.subarray(0, count);
}

/** The multi-indices of true elements, (dimensions, count) in int64. */
export function trueColumns(mask: Uint8Array, sizes: readonly number[]): Tensor {
  const positions = truePositions(mask);
  const count = positions.length;
  const out = emptyTensor([sizes.length, count], DTYPES.int64);
  const words = out.storage.segment.u32;
  for (let d = sizes.length - 1, at = 2 * out.base0 + 2 * count * d; d >= 0; d--, at -= 2 * count) {
    const size = sizes[d]!;
    for (let i = 0, to = at; i < count; i++, to += 2) {
      const position = positions[i]!;
      const before = Math.floor(position / size);
      words[to] = position - before * size;
      positions[i] = before;
    }
  }
  return out;
}

/** An index tensor and the dimensions that it replaces: one, or as many as a mask has. */
interface Indexed {
  readonly dim: number;
  readonly covers: number;
  /** The tensor that indexes its dimension. */
  readonly index?: Tensor;
  /** The positions of a mask's true elements in the dimensions that it covers. */
  readonly positions?: Float64Array;
}

/** Index tensors and masks with the dimensions that they stand at. */
function readIndices(self: Tensor, indices: readonly (Tensor | null)[]): { indexed: Indexed[]; covered: number } {
  const indexed: Indexed[] = [];
  let at = 0;
  for (const index of indices) {
    if (index === null) {
      at++;
      continue;
    }
    const isMask = index.dtype === DTYPES.bool || index.dtype === DTYPES.uint8;
    if (!isMask) {
      if (index.dtype !== DTYPES.int64 && index.dtype !== DTYPES.int32) {
        throw new OperatorError("tensors used as indices must be long, int, byte or bool tensors");
      }
      indexed.push({ dim: at, covers: 1, index });
      at++;
      continue;
    }
    for (let d = 0; d < index.ndim; d++) {
      const dim = at + d;
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
    indexed.push({ dim: at, covers: index.ndim, positions: truePositions(maskOf(index)) });
    at += index.ndim;
  }
  return { indexed, covered: at };
}

/** The common shape of index tensors; a mask counts as one for every dimension that it covers. */
function broadcastIndexShapes(indexed: readonly Indexed[]): number[] {
  const shapes = indexed.flatMap(({ index, positions, covers }) =>
    index ? [index.sizes] : new Array<number[]>(covers).fill([positions!.length]),
  );
  const ndim = Math.max(...shapes.map((sizes) => sizes.length));
  const shape = new Array<number>(ndim).fill(1);
  for (const sizes of shapes) {
    for (let i = 1; i <= sizes.length; i++) {
      const size = sizes[sizes.length - i]!;
      if (size === 1) continue;
      if (shape[ndim - i] !== 1 && shape[ndim - i] !== size) {
        throw new OperatorError(
          `shape mismatch: indexing tensors could not be broadcast together with shapes ${shapes.map((x) => formatList(x)).join(", ")}`,
        );
      }
      shape[ndim - i] = size;
    }
  }
  return shape;
}

/** The positions of one index along the dimensions that it covers, broadcast to `shape`, counted from the front. */
function positionsOf(self: Tensor, { dim, index, positions }: Indexed, shape: readonly number[]): Float64Array {
  if (positions) {
    if (numelOf(shape) === positions.length) return positions;
    const column = fromDoubles(positions, [positions.length]);
    return doublesOf(viewOf(column, shape, broadcastStrides(column, shape)));
  }
  const values = indicesOf(viewOf(index!, shape, broadcastStrides(index!, shape)));
  const size = self.sizes[dim]!;
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!;
    if (v < -size || v >= size)
      throw new OperatorError(`index ${v} is out of bounds for dimension ${dim} with size ${size}`);
    if (v < 0) values[i] = v + size;
  }
  return values;
}

/** Which elements `self[indices]` selects. */
export function selectElements(self: Tensor, given: readonly (Tensor | null)[]): Selection {
  if (given.length > self.ndim) {
    throw new OperatorError(`too many indices for tensor of dimension ${self.ndim} (got ${given.length})`);
  }
  const { indexed, covered } = readIndices(self, given);
  if (covered > self.ndim) throw new OperatorError(`too many indices for tensor of dimension ${self.ndim}`);
  if (indexed.length === 0) return { sizes: [...self.sizes], starts: new Float64Array(1), run: self.numel };
  const strides = contiguousStrides(self.sizes);
  const shape = broadcastIndexShapes(indexed);
  const dims = indexed.flatMap(({ dim, covers }) => rangeOf(dim, dim + covers));
  const first = dims[0]!;
  const isAdjacent = dims.every((d, i) => d === first + i);
  const before = isAdjacent ? rangeOf(0, first) : [];
  const after = rangeOf(isAdjacent ? first : 0, self.ndim).filter((d) => !dims.includes(d));
  const sizesOf = (list: number[]): number[] => list.map((d) => self.sizes[d]!);
  const sizes = [...sizesOf(before), ...shape, ...sizesOf(after)];
  if (numelOf(shape) > 0 && dims.some((d) => self.sizes[d] === 0))
    throw new OperatorError("index is out of bounds for dimension with size 0");
  // where nothing is selected no index is looked at
  if (numelOf(sizes) === 0) return { sizes, starts: new Float64Array(0), run: 1 };
  let points: Float64Array | undefined;
  for (const each of indexed) {
    const positions = positionsOf(self, each, shape);
    const stride = strides[each.dim + each.covers - 1]!;
    if (!points) {
      points = positions;
      if (stride !== 1) for (let i = 0; i < points.length; i++) points[i] = points[i]! * stride;
    } else for (let i = 0; i < points.length; i++) points[i] = points[i]! + positions[i]! * stride;
  }
  // what lies behind the last indexed dimension is side by side
  const last = dims[dims.length - 1]!;
  const spread = after.filter((d) => d < last);
  const run = numelOf(self.sizes.slice(last + 1));
  const beforeOffsets = offsetsOf(
    sizesOf(before),
    before.map((d) => strides[d]!),
  );
  const afterOffsets = offsetsOf(
    sizesOf(spread),
    spread.map((d) => strides[d]!),
  );
  if (beforeOffsets.length === 1 && afterOffsets.length === 1) return { sizes, starts: points!, run };
  const starts = new Float64Array(beforeOffsets.length * points!.length * afterOffsets.length);
  let at = 0;
  for (const b of beforeOffsets) for (const p of points!) for (const a of afterOffsets) starts[at++] = b + p + a;
  return { sizes, starts, run };
}

/** The positions of all selected elements. */
export function elementsOf({ starts, run }: Pick<Selection, "starts" | "run">): Float64Array {
  if (run === 1) return starts;
  const out = new Float64Array(starts.length * run);
  for (let i = 0, at = 0; i < starts.length; i++) for (let w = 0; w < run; w++) out[at++] = starts[i]! + w;
  return out;
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
