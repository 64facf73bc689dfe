/** @file Writing results into existing tensors: copy_, in-place and out= forms. Upstream: aten/src/ATen/native/Copy.cpp, Resize.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { DTYPES } from "./dtype.ts";
import { broadcastStrides, Cursor, iterationOrder } from "./iterate.ts";
import { convertElements } from "./kernels/conversions.ts";
import { wasmTranspose } from "./kernels/wasm/transposes.ts";
import { wasmConvert } from "./kernels/wasm/conversions.ts";
import { isNonOverlappingAndDense } from "./memory_format.ts";
import { canCast } from "./promotion.ts";
import { BLOCK } from "./runs.ts";
import { allocateStorage, type Storage } from "./storage.ts";
import { broadcastShapes, contiguousStrides } from "./strides.ts";
import { emptyTensor, uninitializedTensor, viewOf, type Tensor } from "./tensor.ts";

const OVERLAP_WITHIN =
  "unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please clone() the tensor before performing the operation.";
const OVERLAP_PARTIAL =
  "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory location. Please clone() the tensor before performing the operation.";

/** Elements from which those that do not lie in order are put so before they are converted. */
const MIN_GATHERED = 256;

const re = new Float64Array(BLOCK);
const im = new Float64Array(BLOCK);

function sameList(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Whether an expanded dimension makes elements share memory (the only overlap that PyTorch detects within a tensor). */
export function hasInternalOverlap(t: Tensor): boolean {
  let hasRepeats = false;
  for (let d = 0; d < t.sizes.length; d++) {
    if (t.sizes[d] === 0) return false;
    if (t.strides[d] === 0 && t.sizes[d]! > 1) hasRepeats = true;
  }
  return hasRepeats;
}

/** Throws PyTorch's message when a tensor that is written to overlaps itself. */
export function assertNoInternalOverlap(t: Tensor): void {
  if (hasInternalOverlap(t)) throw new OperatorError(OVERLAP_WITHIN);
}

/** Whether two dense tensors share some bytes without being the same view. */
function partlyOverlaps(a: Tensor, b: Tensor): boolean {
  if (a.storage !== b.storage || a.numel === 0 || b.numel === 0) return false;
  if (!isNonOverlappingAndDense(a.sizes, a.strides) || !isNonOverlappingAndDense(b.sizes, b.strides)) return false;
  const aStart = a.storageOffset * a.dtype.itemsize;
  const bStart = b.storageOffset * b.dtype.itemsize;
  const aEnd = aStart + a.numel * a.dtype.itemsize;
  const bEnd = bStart + b.numel * b.dtype.itemsize;
  if (aStart === bStart && aEnd === bEnd) return !sameList(a.strides, b.strides) || !sameList(a.sizes, b.sizes);
  return aStart < bEnd && bStart < aEnd;
}

/** Throws PyTorch's message when a written-to tensor shares memory with an input at all; for kernels that cannot even take the same tensor. */
export function assertNoOverlap(out: Tensor, input: Tensor): void {
  const isSame =
    out.storage === input.storage &&
    out.numel > 0 &&
    input.numel > 0 &&
    out.storageOffset === input.storageOffset &&
    out.dtype === input.dtype;
  if (isSame || partlyOverlaps(out, input)) throw new OperatorError(OVERLAP_PARTIAL);
}

/** Copies `src` into `dst` with broadcasting and dtype conversion, and counts the write. */
export function copyInto(dst: Tensor, src: Tensor): void {
  if (dst === src) return;
  assertNoInternalOverlap(dst);
  if (partlyOverlaps(dst, src)) {
    throw new OperatorError(OVERLAP_PARTIAL);
  }
  if (!sameList(dst.sizes, src.sizes)) {
    const shape = broadcastShapes(dst.sizes, src.sizes);
    if (!sameList(shape, dst.sizes)) {
      throw new OperatorError(
        `output with shape [${dst.sizes.join(", ")}] doesn't match the broadcast shape [${shape.join(", ")}]`,
      );
    }
  }
  dst.storage.version++;
  copyElements(dst, src);
}

/** Writes one element, in the form that it has in `dst`, to all of a contiguous tensor. */
function fillWith(dst: Tensor, element: Tensor): void {
  copyElements(viewOf(dst, element.sizes, element.sizes, dst.storageOffset), element);
  const { u8 } = dst.storage.segment;
  const size = dst.dtype.itemsize;
  const start = dst.base0 * size;
  const total = dst.numel * size;
  for (let done = size; done < total; done *= 2)
    u8.copyWithin(start + done, start, start + Math.min(done, total - done));
}

/** `copyInto` without checks and without counting the write. */
export function copyElements(dst: Tensor, srcIn: Tensor): void {
  const n = dst.numel;
  if (n === 0 || srcIn === dst) return;
  let src = srcIn;
  if (src.storage === dst.storage) {
    if (
      src.storageOffset === dst.storageOffset &&
      src.dtype === dst.dtype &&
      sameList(src.strides, dst.strides) &&
      sameList(src.sizes, dst.sizes) &&
      src.isConj === dst.isConj &&
      src.isNeg === dst.isNeg
    )
      return;
    if (!isDisjoint(dst, src)) {
      // reading and writing the same bytes: through a copy
      const fresh = emptyTensor(src.sizes, src.dtype);
      copyElements(fresh, src);
      src = fresh;
    }
  }
  if (n > 1 && src.numel === 1 && dst.isContiguous()) {
    fillWith(dst, src);
    return;
  }
  const plain = src.isConj === dst.isConj && src.isNeg === dst.isNeg;
  if (plain && src.dtype === dst.dtype) {
    if (sameList(src.sizes, dst.sizes) && sameLayout(src, dst)) {
      const size = dst.dtype.itemsize;
      const from = src.base0 * size;
      dst.storage.segment.u8.set(src.storage.segment.u8.subarray(from, from + n * size), dst.base0 * size);
      return;
    }
    copyRaw(dst, src);
    return;
  }
  if (plain && !src.isNeg && !src.isConj) {
    if (n >= MIN_GATHERED && dst.isContiguous() && !(sameList(src.sizes, dst.sizes) && src.isContiguous())) {
      // moving elements first costs less than converting them one by one
      const gathered = uninitializedTensor(dst.sizes, src.dtype);
      copyRaw(gathered, src);
      src = gathered;
    }
    if (sameList(src.sizes, dst.sizes) && sameLayout(src, dst)) {
      if (wasmConvert(dst, src) || convertElements(dst, src)) return;
    }
  }
  const srcStrides = broadcastStrides(src, dst.sizes);
  const order = iterationOrder(dst.sizes, [dst.strides, srcStrides]);
  const to = new Cursor(dst, dst.sizes, dst.strides, order);
  const from = new Cursor(src, dst.sizes, srcStrides, order);
  const toComplex = dst.dtype.category === "complex";
  if (toComplex || src.dtype.category === "complex") {
    for (let left = n; left > 0; left -= BLOCK) {
      const count = Math.min(left, BLOCK);
      from.loadComplex(re, im, count);
      if (toComplex || dst.dtype === DTYPES.bool) to.storeComplex(re, im, count);
      else to.store(re, count, true);
    }
    return;
  }
  const isFloat = src.dtype.category === "float";
  const wideToInt = src.dtype.itemsize === 8 && src.dtype.category === "int" && dst.dtype.category === "int";
  if (wideToInt) {
    // the low words, sign-extended: wrap-around without rounding
    const big = new Array<bigint>(Math.min(n, BLOCK));
    for (let left = n; left > 0; left -= BLOCK) {
      const count = Math.min(left, BLOCK);
      if (from.load(re, count)) {
        to.store(re, count, false);
      } else {
        from.back(count);
        from.loadBig(big, count);
        to.storeBig(big, count);
      }
    }
    return;
  }
  for (let left = n; left > 0; left -= BLOCK) {
    const count = Math.min(left, BLOCK);
    from.load(re, count);
    to.store(re, count, isFloat);
  }
}

function isDisjoint(a: Tensor, b: Tensor): boolean {
  const [aStart, aEnd] = reach(a);
  const [bStart, bEnd] = reach(b);
  return aEnd <= bStart || bEnd <= aStart;
}

function reach(t: Tensor): [number, number] {
  let last = t.storageOffset;
  for (let d = 0; d < t.sizes.length; d++) last += (t.sizes[d]! - 1) * t.strides[d]!;
  return [t.storageOffset * t.dtype.itemsize, (last + 1) * t.dtype.itemsize];
}

function sameLayout(a: Tensor, b: Tensor): boolean {
  if (a.isContiguous() && b.isContiguous()) return true;
  return sameList(a.strides, b.strides) && isNonOverlappingAndDense(a.sizes, a.strides);
}

/** Rows and columns of the part of a plane that is copied at a time: its cache lines stay in the first-level cache. */
const TILE = 32;

/** Elements of a row from which filling it with the only one costs less than a loop. */
const MIN_FILL = 32;

/** Elements of a row from which copying it as it is and turning it around costs less than a loop. */
const MIN_REVERSED = 128;

type Words = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/** a[at + i * ai + j * aj] = b[bt + i * bi + j * bj] for ni by nj elements, in tiles of `tile` by `tile`. */
function copyPlane(
  a: Words,
  at: number,
  ai: number,
  aj: number,
  b: Words,
  bt: number,
  bi: number,
  bj: number,
  ni: number,
  nj: number,
  tile: number,
): void {
  for (let i0 = 0; i0 < ni; i0 += tile) {
    const some = Math.min(tile, ni - i0);
    for (let j0 = 0; j0 < nj; j0 += tile) {
      const last = Math.min(j0 + tile, nj);
      for (let j = j0; j < last; j++) {
        let to = at + i0 * ai + j * aj;
        let from = bt + i0 * bi + j * bj;
        for (let i = 0; i < some; i++, to += ai, from += bi) a[to] = b[from]!;
      }
    }
  }
}

/** The same row by row, of words of four bytes: a loop of its own, as one that meets several kinds of arrays is slower for each. */
function copyWordRows(
  a: Uint32Array,
  at: number,
  ai: number,
  aj: number,
  b: Uint32Array,
  bt: number,
  bi: number,
  bj: number,
  ni: number,
  nj: number,
): void {
  for (let j = 0, row = at, start = bt; j < nj; j++, row += aj, start += bj) {
    let to = row;
    let from = start;
    let left = ni;
    if (ai === 1 && bi === 1) {
      for (; left >= 4; left -= 4, to += 4, from += 4) {
        a[to] = b[from]!;
        a[to + 1] = b[from + 1]!;
        a[to + 2] = b[from + 2]!;
        a[to + 3] = b[from + 3]!;
      }
    }
    for (; left > 0; left--, to += ai, from += bi) a[to] = b[from]!;
  }
}

/** The same of pairs of such words. */
function copyPairRows(
  a: Uint32Array,
  at: number,
  ai: number,
  aj: number,
  b: Uint32Array,
  bt: number,
  bi: number,
  bj: number,
  ni: number,
  nj: number,
): void {
  for (let j = 0, row = at, start = bt; j < nj; j++, row += aj, start += bj) {
    for (let i = 0, to = row, from = start; i < ni; i++, to += ai, from += bi) {
      a[to] = b[from]!;
      a[to + 1] = b[from + 1]!;
    }
  }
}

/** a[at + i + j * aj] = b[bt + i * bi + j] of words on the kernels. Returns false where the loop is to run. */
function turnWords(
  a: Words,
  at: number,
  aj: number,
  b: Words,
  bt: number,
  bi: number,
  ni: number,
  nj: number,
): boolean {
  return a instanceof Uint32Array && b instanceof Uint32Array && wasmTranspose(a, at, aj, b, bt, bi, ni, nj);
}

/** Moves elements of one dtype without looking at them. */
function copyRaw(dst: Tensor, src: Tensor): void {
  const srcStrides = broadcastStrides(src, dst.sizes);
  const order = iterationOrder(dst.sizes, [dst.strides, srcStrides]);
  const size = dst.dtype.itemsize;
  // element moves by 1, 2, 4 or 8 bytes; 16-byte elements are two of 8
  const unit = size === 16 ? 2 : 1;
  const pick = size === 1 ? "u8" : size === 2 ? "u16" : size === 4 ? "u32" : "f64";
  const to = dst.storage.segment;
  const from = src.storage.segment;
  // float64 moves may quieten signalling NaN bits of int64 data: move such elements as two words
  const words = size === 8 && dst.dtype.array !== "f64" && dst.dtype.array !== "f32";
  const a = words ? to.u32 : to[pick];
  const b = words ? from.u32 : from[pick];
  const step = words ? 2 : unit;
  const sizes: number[] = [];
  const ds: number[] = [];
  const ss: number[] = [];
  for (const d of order) {
    const extent = dst.sizes[d]!;
    if (extent === 1) continue;
    const top = sizes.length - 1;
    if (top >= 0 && dst.strides[d] === ds[top]! * sizes[top]! && srcStrides[d] === ss[top]! * sizes[top]!)
      sizes[top]! *= extent;
    else {
      sizes.push(extent);
      ds.push(dst.strides[d]!);
      ss.push(srcStrides[d]!);
    }
  }
  if (sizes.length === 0) {
    sizes.push(1);
    ds.push(0);
    ss.push(0);
  }
  // the dimension whose elements lie side by side where they come from: with the first one it makes a plane to transpose
  const near = step === 1 && ss[0] !== 0 && ss[0] !== 1 && sizes[0]! >= TILE ? ss.indexOf(1) : -1;
  const isPlane = near > 0 && sizes[near]! >= TILE;
  if (isPlane) for (const list of [sizes, ds, ss]) [list[1], list[near]] = [list[near]!, list[1]!];
  const index = new Array<number>(sizes.length).fill(0);
  const n0 = sizes[0]!;
  const d0 = ds[0]! * step;
  const s0 = ss[0]! * step;
  // the second dimension has a loop of its own: short rows are many
  const n1 = sizes[1] ?? 1;
  const d1 = (ds[1] ?? 0) * step;
  const s1 = (ss[1] ?? 0) * step;
  const whole = Math.max(n0, n1);
  let at = dst.base0 * step;
  let bt = src.base0 * step;
  for (;;) {
    if (isPlane) {
      const isTurned = size === 4 && d0 === 1 && turnWords(a, at, d1, b, bt, s0, n0, n1);
      if (!isTurned) copyPlane(a, at, d0, d1, b, bt, s0, s1, n0, n1, TILE);
    } else if (d0 === step && s0 === step && n0 * step > 32) {
      for (let r = 0, j = at, k = bt; r < n1; r++, j += d1, k += s1) a.set(b.subarray(k, k + n0 * step), j);
    } else if (step === 1 && d0 === 1 && s0 === 0 && n0 >= MIN_FILL) {
      for (let r = 0, j = at, k = bt; r < n1; r++, j += d1, k += s1) a.fill(b[k]!, j, j + n0);
    } else if (step === 1 && d0 === 1 && s0 === -1 && n0 >= MIN_REVERSED) {
      for (let r = 0, j = at, k = bt + 1; r < n1; r++, j += d1, k += s1) {
        a.set(b.subarray(k - n0, k), j);
        a.subarray(j, j + n0).reverse();
      }
    } else if (step === 1 && a instanceof Uint32Array && b instanceof Uint32Array) {
      copyWordRows(a, at, d0, d1, b, bt, s0, s1, n0, n1);
    } else if (step === 1) copyPlane(a, at, d0, d1, b, bt, s0, s1, n0, n1, whole);
    else if (a instanceof Uint32Array && b instanceof Uint32Array) {
      copyPairRows(a, at, d0, d1, b, bt, s0, s1, n0, n1);
    } else {
      copyPlane(a, at, d0, d1, b, bt, s0, s1, n0, n1, whole);
      copyPlane(a, at + 1, d0, d1, b, bt + 1, s0, s1, n0, n1, whole);
    }
    let d = 2;
    for (; d < sizes.length; d++) {
      at += ds[d]! * step;
      bt += ss[d]! * step;
      if (++index[d]! < sizes[d]!) break;
      index[d] = 0;
      at -= ds[d]! * sizes[d]! * step;
      bt -= ss[d]! * sizes[d]! * step;
    }
    if (d >= sizes.length) return;
  }
}

function assertCanCast(result: Tensor, target: Tensor): void {
  if (!canCast(result.dtype, target.dtype)) {
    throw new OperatorError(
      `result type ${result.dtype.cppName} can't be cast to the desired output type ${target.dtype.cppName}`,
    );
  }
}

/** Ends an in-place operator: checks shape and castability with PyTorch's messages, counts the write, then copies what is not there yet. */
export function writeInplaceResult(self: Tensor, result: Tensor): void {
  if (self.sparse && result.sparse) {
    // a sparse tensor is its parts: there are no elements to copy
    assertCanCast(result, self);
    self.sparse = result.sparse;
    self.storage.version++;
    return;
  }
  if (!sameList(self.sizes, result.sizes)) {
    throw new OperatorError(
      `output with shape [${self.sizes.join(", ")}] doesn't match the broadcast shape [${result.sizes.join(", ")}]`,
    );
  }
  assertNoInternalOverlap(self);
  assertCanCast(result, self);
  self.storage.version++;
  copyElements(self, result);
}

/** Ends an out= operator: resizes `out` to the result's shape where needed, checks castability, then copies. */
export function writeOutResult(out: Tensor, result: Tensor, isCopied = false): void {
  if (out === result) return;
  assertCanCast(result, out);
  if (!sameList(out.sizes, result.sizes)) {
    const dense = !isCopied && isNonOverlappingAndDense(result.sizes, result.strides);
    resizeTensorTo(out, result.sizes, dense ? result.strides : contiguousStrides(result.sizes));
  } else assertNoInternalOverlap(out);
  out.storage.version++;
  copyElements(out, result);
}

/** Grows a storage to at least `nbytes`, keeping its bytes; every view sees the new bytes. */
export function growStorage(storage: Storage, nbytes: number): void {
  if (nbytes <= storage.nbytes) return;
  const fresh = allocateStorage(nbytes);
  fresh.bytes().set(storage.bytes());
  storage.segment = fresh.segment;
  storage.byteOffset = fresh.byteOffset;
  storage.nbytes = nbytes;
}

/** Gives a tensor new sizes (resize_): keeps the offset, grows the storage where needed. */
export function resizeTensorTo(
  t: Tensor,
  sizes: readonly number[],
  strides: readonly number[] = contiguousStrides(sizes),
): void {
  t.setGeometry(sizes, strides);
  if (t.numel > 0) {
    let last = t.storageOffset;
    for (let d = 0; d < sizes.length; d++) last += (sizes[d]! - 1) * strides[d]!;
    growStorage(t.storage, (last + 1) * t.dtype.itemsize);
  }
}
