/** @file Moving elements of any dtype by index, without looking at them. Upstream: none. Spec: none. */
import { cloneTensor } from "../clone.ts";
import type { DType } from "../dtype.ts";
import { numelOf } from "../strides.ts";
import { emptyTensor, uninitializedTensor, type Tensor } from "../tensor.ts";
import type { Segment } from "../storage.ts";
import { floatsAs, floatsOf } from "./data.ts";

/** The array that moves elements of a dtype, and how many of its entries make one. */
export interface MoveUnit {
  readonly of: (segment: Segment) => Uint8Array | Uint16Array | Uint32Array;
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

/** out[i] = self[from[i]] over logical element indices. */
export function gatherElements(self: Tensor, from: ArrayLike<number>, sizes: readonly number[]): Tensor {
  const source = plainContiguous(self);
  const out = emptyTensor(sizes, self.dtype);
  out.quantizer = self.quantizer;
  const { of, per } = moveUnit(self.dtype);
  const a = of(source.storage.segment);
  const b = of(out.storage.segment);
  const base = source.base0 * per;
  let at = out.base0 * per;
  const n = out.numel;
  if (per === 1) {
    for (let i = 0; i < n; i++) b[at++] = a[base + from[i]!]!;
  } else {
    for (let i = 0; i < n; i++) {
      const q = base + from[i]! * per;
      for (let w = 0; w < per; w++) b[at++] = a[q + w]!;
    }
  }
  return out;
}

/** self[to[i]] = source[i] over logical element indices; `self` is contiguous, later writes win. */
export function scatterElements(self: Tensor, to: ArrayLike<number>, source: Tensor): void {
  const values = plainContiguous(source);
  const { of, per } = moveUnit(self.dtype);
  const a = of(values.storage.segment);
  const b = of(self.storage.segment);
  const base = self.base0 * per;
  const n = to.length;
  const isOne = values.numel === 1;
  for (let i = 0; i < n; i++) {
    const p = base + to[i]! * per;
    const q = (values.base0 + (isOne ? 0 : i)) * per;
    for (let w = 0; w < per; w++) b[p + w] = a[q + w]!;
  }
}

/** Bytes of a slice from which one is read out of a storage that nobody has touched: an embedding leaves its table where it is. */
const MIN_PART = 256;

/** Words from which a view and one copy cost less than a loop. */
const LONG_RUN = 48;

/** Whole slices along one dimension: out[..., j, ...] = self[..., index[j], ...]. */
export function gatherDim(self: Tensor, dim: number, index: ArrayLike<number>): Tensor {
  const source = plainContiguous(self);
  const sizes = [...self.sizes];
  sizes[dim] = index.length;
  const out = emptyTensor(sizes, self.dtype);
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
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < index.length; j++) {
      const q = base + (o * size + index[j]!) * run;
      if (run >= LONG_RUN) b.set(a.subarray(q, q + run), at);
      else for (let w = 0; w < run; w++) b[at + w] = a[q + w]!;
      at += run;
    }
  }
  return out;
}

/** out[..., i, j] = self[..., rows[i], columns[j]]. Rows that follow themselves are copied as a whole. */
export function gatherPlanes(self: Tensor, rows: ArrayLike<number>, columns: ArrayLike<number>): Tensor {
  const source = plainContiguous(self);
  const out = uninitializedTensor([...self.sizes.slice(0, -2), rows.length, columns.length], self.dtype);
  out.quantizer = self.quantizer;
  const [height, width] = self.sizes.slice(-2) as [number, number];
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

/** out[..., index[j], ...] += scale * source[..., j, ...] along one dimension, one slice after another; both float32 and contiguous. */
export function addSlices(out: Tensor, dim: number, index: ArrayLike<number>, source: Tensor, scale: number): void {
  const x = floatsOf(out);
  const y = floatsAs(source, out.dtype);
  const size = out.sizes[dim] ?? 1;
  const inner = numelOf(out.sizes.slice(dim + 1));
  const outer = y.length / (inner * index.length);
  for (let o = 0, from = 0; o < outer; o++) {
    for (let j = 0; j < index.length; j++) {
      const to = (o * size + index[j]!) * inner;
      const end = to + inner;
      if (scale === 1) for (let p = to; p < end; p++, from++) x[p] = x[p]! + y[from]!;
      else for (let p = to; p < end; p++, from++) x[p] = x[p]! + scale * y[from]!;
    }
  }
}
