/** @file Strided iteration: broadcasting, TensorIterator's dimension order and output strides, cursors over blocks of elements. Upstream: aten/src/ATen/TensorIterator.cpp. Spec: none. */
import type { DType } from "./dtype.ts";
import {
  insertionSortDims,
  isChannelsLastContiguous,
  isNonOverlappingAndDense,
  channelsLastStrides,
} from "./memory_format.ts";
import { copyBitsRun, loadBigRun, loadComplexRun, loadRun, storeBigRun, storeComplexRun, storeRun } from "./runs.ts";
import type { Segment } from "./storage.ts";
import { contiguousStrides } from "./strides.ts";
import type { Tensor } from "./tensor.ts";

/** Strides of `t` seen with the broadcast shape `sizes`: 0 where it repeats. */
export function broadcastStrides(t: Tensor, sizes: readonly number[]): number[] {
  const lead = sizes.length - t.sizes.length;
  const out = new Array<number>(sizes.length);
  for (let d = 0; d < sizes.length; d++) {
    out[d] = d < lead || (t.sizes[d - lead] === 1 && sizes[d] !== 1) ? 0 : t.strides[d - lead]!;
  }
  return out;
}

/** The order in which TensorIterator walks dimensions, fastest first, for inputs with the given (broadcast) strides. */
export function iterationOrder(sizes: readonly number[], operandStrides: readonly (readonly number[])[]): number[] {
  const ndim = sizes.length;
  const perm = Array.from({ length: ndim }, (_, i) => ndim - 1 - i);
  if (ndim < 2) return perm;
  insertionSortDims(perm, (dim0, dim1) => {
    for (const strides of operandStrides) {
      const s0 = strides[dim0]!;
      const s1 = strides[dim1]!;
      if (s0 === 0 || s1 === 0) continue;
      if (s0 < s1) return -1;
      if (s0 > s1) return 1;
      if (sizes[dim0]! > sizes[dim1]!) return 1;
    }
    return 0;
  });
  return perm;
}

function sameList(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Strides that TensorIterator gives a new output of broadcast shape `sizes` for these inputs. */
export function outputStrides(inputs: readonly Tensor[], sizes: readonly number[]): number[] {
  let allSame = true;
  let allContiguous = true;
  for (const t of inputs) {
    if (!sameList(t.sizes, sizes)) {
      allSame = false;
      if (t.numel !== 1) allContiguous = false;
    } else if (!t.isContiguous()) allContiguous = false;
  }
  if (allSame) {
    if (allContiguous) return contiguousStrides(sizes);
    if (inputs.every(isChannelsLastContiguous)) return channelsLastStrides(sizes);
    const first = inputs[0]!;
    if (
      isNonOverlappingAndDense(first.sizes, first.strides) &&
      inputs.every((t) => sameList(t.strides, first.strides))
    ) {
      return [...first.strides];
    }
  } else if (allContiguous && sizes.length < 2) return contiguousStrides(sizes);
  const perm = iterationOrder(
    sizes,
    inputs.map((t) => broadcastStrides(t, sizes)),
  );
  let inverted = true;
  for (let j = 0; j < perm.length; j++) if (perm[j] !== perm.length - 1 - j) inverted = false;
  if (inverted) return contiguousStrides(sizes);
  const strides = new Array<number>(sizes.length);
  let next = 1;
  for (const d of perm) {
    strides[d] = next;
    next *= sizes[d]!;
  }
  return strides;
}

/** Dimension order, fastest first, in which dense `strides` are walked without gaps. */
export function orderOf(sizes: readonly number[], strides: readonly number[]): number[] {
  return iterationOrder(sizes, [strides]);
}

/** One dimension of a coalesced iteration: its size and every operand's stride. */
export interface Run {
  size: number;
  strides: number[];
}

/** Merges neighbouring dimensions (fastest first) that every operand walks as one. */
export function coalesce(
  sizes: readonly number[],
  order: readonly number[],
  operands: readonly (readonly number[])[],
): Run[] {
  const runs: Run[] = [];
  for (const d of order) {
    const size = sizes[d]!;
    if (size === 1) continue;
    const last = runs.at(-1);
    if (last && operands.every((strides, k) => strides[d] === last.strides[k]! * last.size)) last.size *= size;
    else runs.push({ size, strides: operands.map((strides) => strides[d]!) });
  }
  if (runs.length === 0) runs.push({ size: 1, strides: operands.map(() => 1) });
  return runs;
}

/** Walks the elements of one tensor, block by block, in a given dimension order; loads to and stores from scratch. */
export class Cursor {
  readonly dtype: DType;
  private readonly tensor: Tensor;
  private readonly sizes: number[] = [];
  private readonly strides: number[] = [];
  private readonly index: number[] = [];
  /** Element index in the segment. */
  private at: number;
  private readonly start: number;
  /** Elements walked so far. */
  private done = 0;
  private readonly flipIm: boolean;
  private readonly negate: boolean;

  /** @param order dimensions, fastest first; `sizes` and `strides` are the tensor's, broadcast. */
  constructor(t: Tensor, sizes: readonly number[], strides: readonly number[], order: readonly number[]) {
    this.tensor = t;
    this.dtype = t.dtype;
    this.start = this.at = t.base0;
    this.flipIm = t.isConj;
    this.negate = t.isNeg;
    for (const d of order) {
      const size = sizes[d]!;
      if (size === 1) continue;
      const last = this.sizes.length - 1;
      if (last >= 0 && strides[d] === this.strides[last]! * this.sizes[last]!) this.sizes[last]! *= size;
      else {
        this.sizes.push(size);
        this.strides.push(strides[d]!);
        this.index.push(0);
      }
    }
    if (this.sizes.length === 0) {
      this.sizes.push(1);
      this.strides.push(0);
      this.index.push(0);
    }
  }

  /** Back to the first element. */
  rewind(): void {
    this.at = this.start;
    this.done = 0;
    this.index.fill(0);
  }

  /** Steps back over the last `count` elements, which were loaded in one call. */
  back(count: number): void {
    const target = this.done - count;
    this.rewind();
    this.pieces(target, () => {});
  }

  /** Calls `run(at, stride, n, pos)` for evenly spaced pieces of the next `count` elements and moves on. */
  private pieces(count: number, run: (at: number, stride: number, n: number, pos: number) => void): void {
    const { sizes, strides, index } = this;
    const size0 = sizes[0]!;
    const stride0 = strides[0]!;
    let pos = 0;
    this.done += count;
    while (pos < count) {
      const left = size0 - index[0]!;
      const n = left < count - pos ? left : count - pos;
      run(this.at, stride0, n, pos);
      pos += n;
      index[0]! += n;
      this.at += n * stride0;
      for (let d = 0; d < sizes.length && index[d] === sizes[d]; d++) {
        this.at -= sizes[d]! * strides[d]!;
        index[d] = 0;
        if (d + 1 < sizes.length) {
          index[d + 1]!++;
          this.at += strides[d + 1]!;
        }
      }
    }
  }

  /** Loads the next `n` elements as numbers. Returns false when int64 values were rounded. */
  load(dst: Float64Array, n: number): boolean {
    const seg = this.tensor.storage.segment;
    let safe = true;
    this.pieces(n, (at, stride, count, pos) => {
      if (!loadRun(this.dtype, seg, at, stride, count, dst, pos)) safe = false;
    });
    if (this.negate) for (let i = 0; i < n; i++) dst[i] = -dst[i]!;
    return safe;
  }

  /** Copies the next `n` elements as they are to those of `to` from element `toAt` on. */
  copyBits(to: Segment, toAt: number, n: number): void {
    const seg = this.tensor.storage.segment;
    this.pieces(n, (at, stride, count, pos) => copyBitsRun(this.dtype, seg, at, stride, count, to, toAt + pos));
  }

  /** Loads the next `n` elements as complex numbers. */
  loadComplex(re: Float64Array, im: Float64Array, n: number): void {
    const seg = this.tensor.storage.segment;
    this.pieces(n, (at, stride, count, pos) => loadComplexRun(this.dtype, seg, at, stride, count, re, im, pos));
    this.flip(re, im, n);
  }

  /** Loads the next `n` elements as exact integers. */
  loadBig(dst: bigint[], n: number): void {
    const seg = this.tensor.storage.segment;
    this.pieces(n, (at, stride, count, pos) => loadBigRun(this.dtype, seg, at, stride, count, dst, pos));
  }

  /** Stores the next `n` elements. */
  store(src: Float64Array, n: number, fromFloat: boolean): void {
    const seg = this.tensor.storage.segment;
    if (this.negate) for (let i = 0; i < n; i++) src[i] = -src[i]!;
    this.pieces(n, (at, stride, count, pos) => storeRun(this.dtype, seg, at, stride, count, src, pos, fromFloat));
  }

  /** Stores the next `n` complex elements. */
  storeComplex(re: Float64Array, im: Float64Array, n: number): void {
    const seg = this.tensor.storage.segment;
    this.flip(re, im, n);
    this.pieces(n, (at, stride, count, pos) => storeComplexRun(this.dtype, seg, at, stride, count, re, im, pos));
  }

  /** Stores the next `n` integers exactly. */
  storeBig(src: readonly bigint[], n: number): void {
    const seg = this.tensor.storage.segment;
    this.pieces(n, (at, stride, count, pos) => storeBigRun(this.dtype, seg, at, stride, count, src, pos));
  }

  private flip(re: Float64Array, im: Float64Array, n: number): void {
    if (this.negate) for (let i = 0; i < n; i++) re[i] = -re[i]!;
    if (this.flipIm !== this.negate) for (let i = 0; i < n; i++) im[i] = -im[i]!;
  }
}

/** A cursor in logical row-major order. */
export function rowMajorCursor(t: Tensor): Cursor {
  const ndim = t.sizes.length;
  return new Cursor(
    t,
    t.sizes,
    t.strides,
    Array.from({ length: ndim }, (_, i) => ndim - 1 - i),
  );
}

/**
 * Calls `visit` with one element index per tensor (absolute, in units of elements of its dtype) in row-major order of the
 * broadcast shape `sizes` (default: the first tensor's). Up to three tensors.
 */
export function forEachStrided(
  tensors: readonly Tensor[],
  visit: (a: number, b: number, c: number) => void,
  sizes: readonly number[] = tensors[0]!.sizes,
): void {
  const ndim = sizes.length;
  const zero = new Array<number>(ndim).fill(0);
  const sa = broadcastStrides(tensors[0]!, sizes);
  const sb = tensors[1] ? broadcastStrides(tensors[1], sizes) : zero;
  const sc = tensors[2] ? broadcastStrides(tensors[2], sizes) : zero;
  let a = tensors[0]!.base0;
  let b = tensors[1]?.base0 ?? 0;
  let c = tensors[2]?.base0 ?? 0;
  let left = 1;
  for (const s of sizes) left *= s;
  if (left === 0) return;
  if (ndim === 0) {
    visit(a, b, c);
    return;
  }
  const index = new Array<number>(ndim).fill(0);
  const last = ndim - 1;
  const inner = sizes[last]!;
  const [ia, ib, ic] = [sa[last]!, sb[last]!, sc[last]!];
  for (;;) {
    for (let i = 0; i < inner; i++) visit(a + i * ia, b + i * ib, c + i * ic);
    let d = last - 1;
    for (; d >= 0; d--) {
      a += sa[d]!;
      b += sb[d]!;
      c += sc[d]!;
      if (++index[d]! < sizes[d]!) break;
      index[d] = 0;
      a -= sizes[d]! * sa[d]!;
      b -= sizes[d]! * sb[d]!;
      c -= sizes[d]! * sc[d]!;
    }
    if (d < 0) return;
  }
}

/** Absolute element index of every element in row-major order. */
export function elementOffsets(t: Tensor): Float64Array {
  const out = new Float64Array(t.numel);
  let i = 0;
  forEachStrided([t], (a) => {
    out[i++] = a;
  });
  return out;
}
