/** @file Moving elements of any dtype by index, without looking at them. Upstream: none. Spec: none. */
import { cloneTensor } from "../clone.ts";
import { DTYPES, type DType } from "../dtype.ts";
import { uninitializedTensor, type Tensor } from "../tensor.ts";
import type { Segment } from "../storage.ts";
import { floatsAs, floatsOf } from "./data.ts";
import { wasmGatherPlanes } from "./wasm/gathers.ts";

type Words = Uint8Array | Uint16Array | Uint32Array;

/** The array that moves elements of a dtype, and how many of its entries make one. */
export interface MoveUnit {
  readonly of: (segment: Segment) => Words;
  readonly per: number;
}

/** How elements of `dtype` are moved: as 1, 2 or 4 byte words, so that no bit pattern is touched. */
export function moveUnit(dtype: DType): MoveUnit {
  switch (dtype.itemsize) {
    case 1:
      return { of: (s) => s.u8, per: 1 };
    case 2:
      return { of: (s) => s.u16, per: 1 };
    default:
      return { of: (s) => s.u32, per: dtype.itemsize / 4 };
  }
}

/** A tensor with contiguous elements and no conj or neg bit (a copy only where needed). */
export function plainContiguous(t: Tensor): Tensor {
  return t.isContiguous() && !t.isConj && !t.isNeg ? t : cloneTensor(t, 0);
}

/** out[i * run + j] = self[from[i] + j] over logical element indices: runs of elements that lie side by side. */
export function gatherElements(self: Tensor, from: ArrayLike<number>, sizes: readonly number[], run = 1): Tensor {
  const source = plainContiguous(self);
  const out = uninitializedTensor(sizes, self.dtype);
  out.quantizer = self.quantizer;
  const { of, per } = moveUnit(self.dtype);
  const a = of(source.storage.segment);
  const b = of(out.storage.segment);
  const base = source.base0 * per;
  const at = out.base0 * per;
  const n = out.numel / run;
  const words = run * per;
  if (words === 1) for (let i = 0; i < n; i++) b[at + i] = a[base + from[i]!]!;
  else for (let i = 0, to = at; i < n; i++, to += words) copyWords(b, to, a, base + from[i]! * per, words);
  return out;
}

/** Copies `count` words, the long ones as a whole. */
function copyWords(to: Words, at: number, from: Words, start: number, count: number): void {
  if (count >= LONG_RUN) to.set(from.subarray(start, start + count), at);
  else for (let w = 0; w < count; w++) to[at + w] = from[start + w]!;
}

/** self[to[i] + j] = source[i * run + j] over logical element indices; `self` is contiguous, later writes win. */
export function scatterElements(self: Tensor, to: ArrayLike<number>, source: Tensor, run = 1): void {
  const values = plainContiguous(source);
  const { of, per } = moveUnit(self.dtype);
  const a = of(values.storage.segment);
  const b = of(self.storage.segment);
  const base = self.base0 * per;
  const from = values.base0 * per;
  const n = to.length;
  const words = run * per;
  if (values.numel === 1) {
    for (let i = 0; i < n; i++) {
      const end = base + to[i]! * per + words;
      for (let p = end - words; p < end; p += per) for (let w = 0; w < per; w++) b[p + w] = a[from + w]!;
    }
  } else if (words === 1) for (let i = 0; i < n; i++) b[base + to[i]!] = a[from + i]!;
  else for (let i = 0, q = from; i < n; i++, q += words) copyWords(b, base + to[i]! * per, a, q, words);
}

/** self[to[i] + j] += scale * source[i * run + j] of float32, float64 or int64 (of which the scale is 1), one after another; `self` is contiguous. */
export function addElements(self: Tensor, to: ArrayLike<number>, source: Tensor, run: number, scale = 1): void {
  if (self.dtype.category === "float") {
    const x = floatsOf(self);
    const y = floatsAs(source, self.dtype);
    for (let i = 0, q = 0; i < to.length; i++) {
      const end = to[i]! + run;
      if (scale === 1) for (let p = end - run; p < end; p++, q++) x[p] = x[p]! + y[q]!;
      else for (let p = end - run; p < end; p++, q++) x[p] = x[p]! + scale * y[q]!;
    }
    return;
  }
  // words with a carry: sums of 64 bits wrap around
  const values = plainContiguous(source);
  const x = self.storage.segment.u32;
  const y = values.storage.segment.u32;
  for (let i = 0, q = 2 * values.base0; i < to.length; i++) {
    const end = 2 * (self.base0 + to[i]! + run);
    for (let p = end - 2 * run; p < end; p += 2, q += 2) {
      const low = x[p]! + y[q]!;
      x[p] = low;
      x[p + 1] = x[p + 1]! + y[q + 1]! + (low > 0xffffffff ? 1 : 0);
    }
  }
}

/** Bytes of a slice from which one is read out of a storage that nobody has touched: an embedding leaves its table where it is. */
const MIN_PART = 256;

/** Words from which a view and one copy cost less than a loop. */
const LONG_RUN = 48;

/** out[at + o * columns + j] = from[base + o * size + index[j]]: a loop of one kind of array. */
function gatherColumns(
  out: Uint32Array,
  at: number,
  from: Uint32Array,
  base: number,
  size: number,
  index: Int32Array,
  rows: number,
): void {
  for (let o = 0, q = base; o < rows; o++, q += size)
    for (let j = 0; j < index.length; j++) out[at++] = from[q + index[j]!]!;
}

/** Whole slices along one dimension: out[..., j, ...] = self[..., index[j], ...]. */
export function gatherDim(self: Tensor, dim: number, index: ArrayLike<number>): Tensor {
  const source = plainContiguous(self);
  const sizes = [...self.sizes];
  sizes[dim] = index.length;
  const out = uninitializedTensor(sizes, self.dtype);
  out.quantizer = self.quantizer;
  if (out.numel === 0) return out;
  let inner = 1;
  for (let d = dim + 1; d < sizes.length; d++) inner *= sizes[d]!;
  const size = self.sizes[dim]!;
  const outer = out.numel / (inner * index.length);
  const nbytes = inner * self.dtype.itemsize;
  const untouched = nbytes >= MIN_PART && nbytes % 4 === 0 ? source.storage.untouched() : undefined;
  if (untouched?.part) {
    const to = out.storage.bytes();
    const first = source.storageOffset * self.dtype.itemsize;
    for (let o = 0, at = 0; o < outer; o++) {
      for (let j = 0; j < index.length; j++, at += nbytes)
        untouched.part(first + (o * size + index[j]!) * nbytes, to.subarray(at, at + nbytes));
    }
    return out;
  }
  const { of, per } = moveUnit(self.dtype);
  const a = of(source.storage.segment);
  const b = of(out.storage.segment);
  const run = inner * per;
  let at = out.base0 * per;
  const base = source.base0 * per;
  if (run === 1 && per === 1 && b instanceof Uint32Array && a instanceof Uint32Array) {
    gatherColumns(b, at, a, base, size, Int32Array.from(index), outer);
    return out;
  }
  if (run === 1) {
    for (let o = 0, q = base; o < outer; o++, q += size)
      for (let j = 0; j < index.length; j++) b[at++] = a[q + index[j]!]!;
    return out;
  }
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < index.length; j++) {
      const q = base + (o * size + index[j]!) * run;
      copyWords(b, at, a, q, run);
      at += run;
    }
  }
  return out;
}

/**
 * out[..., i, j] = self[..., rows[i], columns[j]]. Rows that follow themselves are copied as a whole. Several dimensions may be the rows of a
 * plane: then its `height` and the sizes of the result are given.
 */
export function gatherPlanes(
  self: Tensor,
  rows: ArrayLike<number>,
  columns: ArrayLike<number>,
  height: number = self.sizes.at(-2)!,
  sizes: readonly number[] = [...self.sizes.slice(0, -2), rows.length, columns.length],
): Tensor {
  const source = plainContiguous(self);
  const out = uninitializedTensor(sizes, self.dtype);
  out.quantizer = self.quantizer;
  if (out.numel === 0) return out;
  const width = self.sizes.at(-1)!;
  if (self.dtype === DTYPES.float32) {
    const [to, from] = [floatsOf(out), floatsOf(source)] as [Float32Array, Float32Array];
    if (wasmGatherPlanes(to, from, height * width, width, rows, columns)) return out;
  }
  const { of, per } = moveUnit(self.dtype);
  const a = of(source.storage.segment);
  const b = of(out.storage.segment);
  const length = columns.length * per;
  const end = (out.base0 + out.numel) * per;
  let plane = source.base0 * per;
  for (let at = out.base0 * per; at < end; plane += height * width * per) {
    for (let i = 0; i < rows.length; i++, at += length) {
      if (i > 0 && rows[i] === rows[i - 1]) {
        b.copyWithin(at, at - length, at);
        continue;
      }
      const row = plane + rows[i]! * width * per;
      if (per === 1) for (let j = 0; j < length; j++) b[at + j] = a[row + columns[j]!]!;
      else
        for (let j = 0, to = at; j < columns.length; j++)
          for (let w = 0, from = row + columns[j]! * per; w < per; w++) b[to++] = a[from++]!;
    }
  }
  return out;
}
