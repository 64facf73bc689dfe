/** @file gather and scatter along one dimension, without a list of places. Upstream: aten/src/ATen/native/cpu/ScatterGatherKernel.cpp. Spec: none. */
import { contiguousAs } from "../clone.ts";
import { DTYPES } from "../dtype.ts";
import { readInt64 } from "../int64.ts";
import { contiguousStrides } from "../strides.ts";
import { uninitializedTensor, type Tensor } from "../tensor.ts";
import { offsetsOf } from "./advanced_index.ts";
import { floatsAs, floatsOf, type Floats } from "./data.ts";
import { plainContiguous } from "./gather.ts";

/** How the places of an index follow from its values: those of element (b, j, a) of it are before[b] + after[a] + value * stride. */
interface Walk {
  readonly before: Float64Array;
  readonly after: Float64Array;
  readonly length: number;
  readonly stride: number;
  readonly size: number;
}

/** Words of an element whose tensors can be walked so; undefined for others. */
function wordsOf(self: Tensor): 1 | 2 | undefined {
  return self.dtype.itemsize === 4 ? 1 : self.dtype.itemsize === 8 ? 2 : undefined;
}

function walkOf(self: Tensor, dim: number, index: Tensor): Walk {
  const strides = contiguousStrides(self.sizes);
  return {
    before: offsetsOf(index.sizes.slice(0, dim), strides.slice(0, dim)),
    after: offsetsOf(index.sizes.slice(dim + 1), strides.slice(dim + 1)),
    length: index.sizes[dim] ?? 1,
    stride: strides[dim] ?? 1,
    size: self.ndim === 0 ? 1 : self.sizes[dim]!,
  };
}

/** Indices as words of int64 from `at` on. */
function indexWords(index: Tensor): { words: Int32Array; at: number } {
  const wide = contiguousAs(index, DTYPES.int64);
  return { words: wide.storage.segment.i32, at: 2 * wide.base0 };
}

/** Makes the error of an index that is none. */
export type BadIndex = (value: number) => Error;

/** The elements of `self` at the values of `index` along a dimension; undefined for elements of other sizes than 4 and 8 bytes. */
export function gatherAlong(self: Tensor, dim: number, index: Tensor, bad: BadIndex): Tensor | undefined {
  const per = wordsOf(self);
  if (!per) return undefined;
  const source = plainContiguous(self);
  const out = uninitializedTensor(index.sizes, self.dtype);
  out.quantizer = self.quantizer;
  const { words, at } = indexWords(index);
  const [to, from] = [out.storage.segment.u32, source.storage.segment.u32];
  const gather = per === 1 ? gatherWords : gatherPairs;
  const failed = gather(to, out.base0, from, source.base0, words, at, walkOf(self, dim, index));
  if (failed >= 0) throw bad(readInt64(words, failed / 2));
  return out;
}

/** Puts the elements of `source`, of the sizes of `index`, to its values in `self`, which is contiguous; false for elements of other sizes. */
export function scatterAlong(self: Tensor, dim: number, index: Tensor, source: Tensor, bad: BadIndex): boolean {
  const per = wordsOf(self);
  if (!per) return false;
  const values = plainContiguous(source);
  const { words, at } = indexWords(index);
  const [to, from] = [self.storage.segment.u32, values.storage.segment.u32];
  const scatter = per === 1 ? scatterWords : scatterPairs;
  const failed = scatter(to, self.base0, from, values.base0, words, at, walkOf(self, dim, index));
  if (failed >= 0) throw bad(readInt64(words, failed / 2));
  return true;
}

/** A loop over the elements of an index; gives the place of a value that is no index, or -1. */
type Loop = (
  to: Uint32Array,
  toAt: number,
  from: Uint32Array,
  fromAt: number,
  words: Int32Array,
  at: number,
  walk: Walk,
) => number;

const gatherWords: Loop = (to, toAt, from, fromAt, words, at, { before, after, length, stride, size }) => {
  for (let b = 0; b < before.length; b++) {
    const start = fromAt + before[b]!;
    // a loop of one element costs as much as its element
    if (after.length === 1) {
      for (const end = at + 2 * length; at < end; at += 2) {
        const v = words[at]!;
        if (v < 0 || v >= size || words[at + 1] !== 0) return at;
        to[toAt++] = from[start + v * stride]!;
      }
      continue;
    }
    for (let j = 0; j < length; j++) {
      for (let a = 0; a < after.length; a++, at += 2) {
        const v = words[at]!;
        if (v < 0 || v >= size || words[at + 1] !== 0) return at;
        to[toAt++] = from[start + after[a]! + v * stride]!;
      }
    }
  }
  return -1;
};

const gatherPairs: Loop = (to, toAt, from, fromAt, words, at, { before, after, length, stride, size }) => {
  let p = 2 * toAt;
  for (let b = 0; b < before.length; b++) {
    const start = fromAt + before[b]!;
    if (after.length === 1) {
      for (const end = at + 2 * length; at < end; at += 2, p += 2) {
        const v = words[at]!;
        if (v < 0 || v >= size || words[at + 1] !== 0) return at;
        const q = 2 * (start + v * stride);
        to[p] = from[q]!;
        to[p + 1] = from[q + 1]!;
      }
      continue;
    }
    for (let j = 0; j < length; j++) {
      for (let a = 0; a < after.length; a++, at += 2, p += 2) {
        const v = words[at]!;
        if (v < 0 || v >= size || words[at + 1] !== 0) return at;
        const q = 2 * (start + after[a]! + v * stride);
        to[p] = from[q]!;
        to[p + 1] = from[q + 1]!;
      }
    }
  }
  return -1;
};

const scatterWords: Loop = (to, toAt, from, fromAt, words, at, { before, after, length, stride, size }) => {
  for (let b = 0; b < before.length; b++) {
    const start = toAt + before[b]!;
    if (after.length === 1) {
      for (const end = at + 2 * length; at < end; at += 2) {
        const v = words[at]!;
        if (v < 0 || v >= size || words[at + 1] !== 0) return at;
        to[start + v * stride] = from[fromAt++]!;
      }
      continue;
    }
    for (let j = 0; j < length; j++) {
      for (let a = 0; a < after.length; a++, at += 2) {
        const v = words[at]!;
        if (v < 0 || v >= size || words[at + 1] !== 0) return at;
        to[start + after[a]! + v * stride] = from[fromAt++]!;
      }
    }
  }
  return -1;
};

const scatterPairs: Loop = (to, toAt, from, fromAt, words, at, { before, after, length, stride, size }) => {
  let p = 2 * fromAt;
  for (let b = 0; b < before.length; b++) {
    const start = toAt + before[b]!;
    for (let j = 0; j < length; j++) {
      for (let a = 0; a < after.length; a++, at += 2, p += 2) {
        const v = words[at]!;
        if (v < 0 || v >= size || words[at + 1] !== 0) return at;
        const q = 2 * (start + after[a]! + v * stride);
        to[q] = from[p]!;
        to[q + 1] = from[p + 1]!;
      }
    }
  }
  return -1;
};

/**
 * Adds the elements of `source`, of the sizes of `index`, to those at its values in `self`, which is contiguous, one after another; false
 * for others than float32 and float64.
 */
export function addAlong(self: Tensor, dim: number, index: Tensor, source: Tensor, bad: BadIndex): boolean {
  if (self.dtype !== DTYPES.float32 && self.dtype !== DTYPES.float64) return false;
  const { words, at } = indexWords(index);
  const failed = addFloats(floatsOf(self), floatsAs(source, self.dtype), words, at, walkOf(self, dim, index));
  if (failed >= 0) throw bad(readInt64(words, failed / 2));
  return true;
}

/** A loop like the others. */
function addFloats(
  to: Floats,
  from: Floats,
  words: Int32Array,
  at: number,
  { before, after, length, stride, size }: Walk,
): number {
  let p = 0;
  for (let b = 0; b < before.length; b++) {
    const start = before[b]!;
    for (let j = 0; j < length; j++) {
      for (let a = 0; a < after.length; a++, at += 2) {
        const v = words[at]!;
        if (v < 0 || v >= size || words[at + 1] !== 0) return at;
        const q = start + after[a]! + v * stride;
        to[q] = to[q]! + from[p++]!;
      }
    }
  }
  return -1;
}
