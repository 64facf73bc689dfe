/** @file The reduction engine: folds of dimensions, and functions of whole lines along one dimension. Upstream: aten/src/ATen/native/ReduceOpsUtils.h, cpu/Reduce.h. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { contiguousAs, convertTensor } from "./clone.ts";
import { DTYPES, type DType } from "./dtype.ts";
import { Cursor } from "./iterate.ts";
import type { IntegerFold } from "./kernels/wasm/integer_fold_programs.ts";
import { wasmFoldIntegers } from "./kernels/wasm/integer_folds.ts";
import { wasmWhere, type Planes } from "./kernels/wasm/centered.ts";
import type { VectorReduction } from "./kernels/wasm/reduction_programs.ts";
import { wasmReduce } from "./kernels/wasm/reductions.ts";
import { BLOCK } from "./runs.ts";
import { wrapDim } from "./strides.ts";
import { emptyTensor, META, viewOf, type Tensor } from "./tensor.ts";

/** Which dimensions a reduction folds, and the shape that it leaves. */
export interface Reduction {
  readonly reduced: readonly boolean[];
  /** Sizes of the result. */
  readonly sizes: readonly number[];
  /** Elements folded into one. */
  readonly count: number;
  /** Dimensions in the order of iteration: the folded ones fastest. */
  readonly order: readonly number[];
}

/** Plans a reduction; `dims` null or empty means all of them. Throws PyTorch's messages on bad dims. */
export function planReduction(self: Tensor, dims: readonly number[] | null, keepdim: boolean): Reduction {
  const { ndim, sizes } = self;
  if (ndim > 64) throw new OperatorError("only tensors with up to 64 dims are supported");
  const reduced = new Array<boolean>(ndim).fill(dims === null || dims.length === 0);
  for (const dim of dims ?? []) {
    const d = wrapDim(dim, ndim);
    if (ndim > 0) {
      if (reduced[d]) throw new OperatorError(`dim ${d} appears multiple times in the list of dims`);
      reduced[d] = true;
    }
  }
  const out: number[] = [];
  let count = 1;
  const inner: number[] = [];
  const outer: number[] = [];
  for (let d = 0; d < ndim; d++) {
    if (reduced[d]) {
      count *= sizes[d]!;
      if (keepdim) out.push(1);
      inner.unshift(d);
    } else {
      out.push(sizes[d]!);
      outer.unshift(d);
    }
  }
  return { reduced, sizes: out, count, order: [...inner, ...outer] };
}

/** A fold over real numbers: `start`, then `fold` on pieces of scratch, then `finish`. */
export interface RealFold {
  start(): void;
  fold(x: Float64Array, from: number, to: number): void;
  finish(): number;
  /** As `fold`, of truth values where they lie. */
  bytes?(x: Uint8Array, from: number, to: number): void;
  /** The same as a reduction of vectors, and what is done to its result. */
  readonly vector?: { readonly kind: VectorReduction; readonly finish?: (result: number) => number };
  /** The same of integers with vector instructions, exactly. */
  readonly integers?: IntegerFold;
}

/** A fold over exact integers. */
export interface BigFold {
  start(): void;
  fold(x: readonly bigint[], from: number, to: number): void;
  finish(): bigint;
}

/** A fold over complex numbers; `finish` gives the parts. */
export interface ComplexFold {
  start(): void;
  fold(re: Float64Array, im: Float64Array, from: number, to: number): void;
  finish(): readonly [number, number];
}

const scratch = new Float64Array(BLOCK);
const scratchIm = new Float64Array(BLOCK);

function cursorOf(self: Tensor, plan: Reduction): Cursor {
  return new Cursor(self, self.sizes, self.strides, plan.order);
}

function emptyOut(self: Tensor, plan: Reduction, dtype: DType): Tensor {
  const out = emptyTensor(plan.sizes, dtype);
  if (self.device.type === "meta") out.device = META;
  return out;
}

function outCursor(out: Tensor): Cursor {
  return new Cursor(out, [out.numel], [1], [0]);
}

/** Feeds `fold` with `plan.count` elements per result and hands each result to `emit`. */
function walk(
  total: number,
  count: number,
  load: (n: number) => void,
  start: () => void,
  fold: (from: number, to: number) => void,
  emit: () => void,
): void {
  let inOne = 0;
  start();
  for (let left = total; left > 0; left -= BLOCK) {
    const n = left < BLOCK ? left : BLOCK;
    load(n);
    let at = 0;
    while (at < n) {
      const need = count - inOne;
      const take = need < n - at ? need : n - at;
      fold(at, at + take);
      at += take;
      inOne += take;
      if (inOne === count) {
        emit();
        start();
        inOne = 0;
      }
    }
  }
}

/**
 * Folds real elements. With `big`, integers that are (or become) unsafe are folded again exactly. `prepare` changes loaded
 * elements first (conversion to the accumulating dtype).
 */
export function reduceReal(
  self: Tensor,
  plan: Reduction,
  fold: RealFold,
  outDtype: DType,
  fromFloat: boolean,
  big?: BigFold,
  prepare?: (x: Float64Array, n: number) => void,
): Tensor {
  const out = emptyOut(self, plan, outDtype);
  if (out.numel === 0 || out.device === META) return out;
  if (fold.integers && big && !prepare && foldIntegers(self, plan, fold.integers, out)) return out;
  const results = new Float64Array(out.numel);
  if (fold.vector && !prepare && !big && reduceVectors(self, plan, fold.vector, results)) {
    outCursor(out).store(results, out.numel, fromFloat);
    return out;
  }
  if (!prepare && !big && foldRows(self, plan, fold, results)) {
    outCursor(out).store(results, out.numel, fromFloat);
    return out;
  }
  const cursor = cursorOf(self, plan);
  let safe = true;
  let next = 0;
  const emit = (): void => {
    const value = fold.finish();
    if (big && !(value <= Number.MAX_SAFE_INTEGER && value >= -Number.MAX_SAFE_INTEGER)) safe = false;
    results[next++] = value;
  };
  if (plan.count === 0) {
    for (let i = 0; i < out.numel; i++) {
      fold.start();
      emit();
    }
  } else {
    walk(
      self.numel,
      plan.count,
      (n) => {
        if (!cursor.load(scratch, n)) safe = false;
        prepare?.(scratch, n);
      },
      () => fold.start(),
      (from, to) => fold.fold(scratch, from, to),
      emit,
    );
  }
  if (big && !safe) return reduceBig(self, plan, big, out);
  outCursor(out).store(results, out.numel, fromFloat);
  return out;
}

/** Folds float64 or truth values of the last dimensions of a contiguous tensor where they lie; false where it is another case. */
function foldRows(self: Tensor, { reduced, count }: Reduction, fold: RealFold, results: Float64Array): boolean {
  const isDouble = self.dtype === DTYPES.float64 && !self.isNeg;
  if (!isDouble && !(fold.bytes && self.dtype === DTYPES.bool)) return false;
  if (!self.isContiguous() || reduced.indexOf(true) < reduced.lastIndexOf(false)) return false;
  const { f64, u8 } = self.storage.segment;
  for (let i = 0; i < results.length; i++) {
    fold.start();
    const at = self.base0 + i * count;
    if (isDouble) fold.fold(f64, at, at + count);
    else fold.bytes!(u8, at, at + count);
    results[i] = fold.finish();
  }
  return true;
}

/** Folds integers with vector instructions; false where it is another case. */
function foldIntegers(self: Tensor, plan: Reduction, fold: IntegerFold, out: Tensor): boolean {
  const planes = planesOf(self, plan, self.dtype);
  if (!planes) return false;
  // sums of columns are int64 from the start
  const x = fold === "sum" && planes.inner > 1 ? convertTensor(self, DTYPES.int64) : self;
  return wasmFoldIntegers(fold, x, planes.outer, planes.count, planes.inner, out);
}

/** A contiguous tensor of a dtype whose folded dimensions lie side by side as (outer, count, inner); undefined where it is another case. */
export function planesOf(
  self: Tensor,
  { reduced, count }: Reduction,
  dtype: DType = DTYPES.float32,
): Planes | undefined {
  if (self.dtype !== dtype || count === 0 || self.isNeg || !self.isContiguous()) return undefined;
  let [outer, inner] = [1, 1];
  let stage: "outer" | "reduced" | "inner" = "outer";
  for (let d = 0; d < self.ndim; d++) {
    const size = self.sizes[d]!;
    if (size === 1) continue;
    if (reduced[d]) {
      if (stage === "inner") return undefined;
      stage = "reduced";
    } else if (stage === "outer") outer *= size;
    else {
      stage = "inner";
      inner *= size;
    }
  }
  return { outer, count, inner };
}

/** Elements from which a copy that lies as vector instructions want it pays. */
const MIN_ARRANGED = 512;

/**
 * A tensor whose elements are float32, half or bfloat16 as float32 planes (outer, count, inner): itself, or a copy whose folded dimensions
 * are the last. Undefined where it is another case, or small.
 */
function floatPlanes(self: Tensor, plan: Reduction): { x: Tensor; planes: Planes } | undefined {
  const { float32, float16, bfloat16 } = DTYPES;
  const { dtype, sizes, strides, ndim } = self;
  if (self.device === META) return undefined;
  const planes = planesOf(self, plan);
  if (planes) return { x: self, planes };
  if (dtype !== float32 && dtype !== float16 && dtype !== bfloat16) return undefined;
  if (self.numel < MIN_ARRANGED || self.isNeg) return undefined;
  const asItLies = dtype === float32 ? undefined : planesOf(self, plan, dtype);
  if (asItLies) return { x: contiguousAs(self, float32), planes: asItLies };
  const dims = Array.from({ length: ndim }, (_, d) => d);
  const order = [...dims.filter((d) => !plan.reduced[d]), ...dims.filter((d) => plan.reduced[d])];
  const turned = viewOf(
    self,
    order.map((d) => sizes[d]!),
    order.map((d) => strides[d]!),
    self.storageOffset,
  );
  const { count } = plan;
  return { x: contiguousAs(turned, float32), planes: { outer: self.numel / count, count, inner: 1 } };
}

/** A reduction of a tensor of at most float32 by `run`, which leaves its results; undefined where it is another case, or `run` declines. */
export function mapPlanes(
  self: Tensor,
  plan: Reduction,
  run: (x: Float32Array, at: number, planes: Planes, results: Float64Array) => boolean,
): Tensor | undefined {
  const found = floatPlanes(self, plan);
  if (!found) return undefined;
  const { x, planes } = found;
  const results = new Float64Array(planes.outer * planes.inner);
  if (!run(x.storage.segment.f32, x.base0, planes, results)) return undefined;
  const out = emptyOut(self, plan, self.dtype);
  outCursor(out).store(results, results.length, true);
  return out;
}

/** Reduces with vector instructions; false where it is another case. */
function reduceVectors(
  self: Tensor,
  plan: Reduction,
  { kind, finish }: NonNullable<RealFold["vector"]>,
  results: Float64Array,
): boolean {
  const found = floatPlanes(self, plan);
  if (!found) return false;
  const { x, planes } = found;
  const { outer, count, inner } = planes;
  if (!wasmReduce(kind, x.storage.segment.f32, x.base0, outer, count, inner, results)) return false;
  if (finish) for (let i = 0; i < results.length; i++) results[i] = finish(results[i]!);
  return true;
}

function reduceBig(self: Tensor, plan: Reduction, fold: BigFold, out: Tensor): Tensor {
  const results: bigint[] = [];
  const cursor = cursorOf(self, plan);
  const values = new Array<bigint>(BLOCK).fill(0n);
  walk(
    self.numel,
    plan.count,
    (n) => cursor.loadBig(values, n),
    () => fold.start(),
    (from, to) => fold.fold(values, from, to),
    () => results.push(fold.finish()),
  );
  outCursor(out).storeBig(results, out.numel);
  return out;
}

/** Folds complex elements into complex (or, where the dtype is real, real) results. */
export function reduceComplex(self: Tensor, plan: Reduction, fold: ComplexFold, outDtype: DType): Tensor {
  const out = emptyOut(self, plan, outDtype);
  if (out.numel === 0 || out.device === META) return out;
  const re = new Float64Array(out.numel);
  const im = new Float64Array(out.numel);
  const cursor = cursorOf(self, plan);
  let next = 0;
  const emit = (): void => {
    const [r, i] = fold.finish();
    re[next] = r;
    im[next++] = i;
  };
  if (plan.count === 0) {
    for (let i = 0; i < out.numel; i++) {
      fold.start();
      emit();
    }
  } else {
    walk(
      self.numel,
      plan.count,
      (n) => cursor.loadComplex(scratch, scratchIm, n),
      () => fold.start(),
      (from, to) => fold.fold(scratch, scratchIm, from, to),
      emit,
    );
  }
  if (outDtype.category === "complex") outCursor(out).storeComplex(re, im, out.numel);
  else outCursor(out).store(re, out.numel, true);
  return out;
}

/** The lines of a tensor along `dim`: their length, and a reader in the order of a keepdim result. */
export interface Lines {
  /** Elements of one line (a 0-dim tensor is one line of one element). */
  readonly length: number;
  /** Number of lines. */
  readonly count: number;
  /** Dimensions, the line's first. */
  readonly order: readonly number[];
}

/** Plans the lines along `dim`. */
export function planLines(self: Tensor, dim: number): Lines {
  const d = wrapDim(dim, self.ndim);
  const length = self.ndim === 0 ? 1 : self.sizes[d]!;
  const order = self.ndim === 0 ? [] : [d];
  for (let i = self.ndim - 1; i >= 0; i--) if (i !== d) order.push(i);
  return { length, count: length === 0 ? 0 : self.numel / length, order };
}

/** A cursor over a tensor in the order of `lines`; works for the input and for outputs of the same shape. */
export function lineCursor(t: Tensor, lines: Lines): Cursor {
  return new Cursor(t, t.sizes, t.strides, lines.order);
}

/** Maps every line of a real tensor to a line of the same length in a new contiguous tensor. */
export function mapLines(
  self: Tensor,
  dim: number,
  outDtype: DType,
  fromFloat: boolean,
  map: (x: Float64Array, y: Float64Array) => void,
): { out: Tensor; safe: boolean } {
  const lines = planLines(self, dim);
  const out = emptyTensor(self.sizes, outDtype);
  if (self.device.type === "meta") {
    out.device = META;
    return { out, safe: true };
  }
  let safe = true;
  if (self.numel > 0) {
    const from = lineCursor(self, lines);
    const to = lineCursor(out, lines);
    const x = new Float64Array(lines.length);
    const y = new Float64Array(lines.length);
    for (let i = 0; i < lines.count; i++) {
      if (!from.load(x, lines.length)) safe = false;
      map(x, y);
      to.store(y, lines.length, fromFloat);
    }
  }
  return { out, safe };
}

/** Maps every line of a complex tensor. */
export function mapComplexLines(
  self: Tensor,
  dim: number,
  outDtype: DType,
  map: (re: Float64Array, im: Float64Array) => void,
): Tensor {
  const lines = planLines(self, dim);
  const out = emptyTensor(self.sizes, outDtype);
  if (self.numel === 0) return out;
  const from = lineCursor(self, lines);
  const to = lineCursor(out, lines);
  const re = new Float64Array(lines.length);
  const im = new Float64Array(lines.length);
  for (let i = 0; i < lines.count; i++) {
    from.loadComplex(re, im, lines.length);
    map(re, im);
    to.storeComplex(re, im, lines.length);
  }
  return out;
}

/** Maps every line of an integer tensor exactly. */
export function mapBigLines(self: Tensor, dim: number, outDtype: DType, map: (x: bigint[]) => void): Tensor {
  const lines = planLines(self, dim);
  const out = emptyTensor(self.sizes, outDtype);
  const from = lineCursor(self, lines);
  const to = lineCursor(out, lines);
  const x = new Array<bigint>(lines.length).fill(0n);
  for (let i = 0; i < lines.count; i++) {
    from.loadBig(x, lines.length);
    map(x);
    to.storeBig(x, lines.length);
  }
  return out;
}

/** The first largest (or smallest) element of every line of float32 with vector instructions, the first that is not a number before all; undefined where it is another case. */
export function selectExtrema(
  self: Tensor,
  dim: number,
  keepdim: boolean,
  isMax: boolean,
): { values: Tensor; indices: Tensor } | undefined {
  const plan = planReduction(self, [dim], keepdim);
  const planes = self.device === META ? undefined : planesOf(self, plan);
  if (!planes) return undefined;
  const { outer, count, inner } = planes;
  const where = new Int32Array(outer * inner);
  const x = self.storage.segment.f32;
  if (!wasmWhere(isMax, x, self.base0, planes, where)) return undefined;
  const values = emptyTensor(plan.sizes, self.dtype);
  const indices = emptyTensor(plan.sizes, DTYPES.int64);
  const y = values.storage.segment.f32;
  for (let o = 0, k = 0; o < outer; o++) {
    const from = self.base0 + o * count * inner;
    for (let i = 0; i < inner; i++, k++) y[values.base0 + k] = x[from + where[k]! * inner + i]!;
  }
  outCursor(indices).store(Float64Array.from(where), where.length, false);
  return { values, indices };
}

/** Picks one element of every line: gives its value and its index within the line. `pick` gets the line as float64. */
export function selectFromLines(
  self: Tensor,
  dim: number,
  keepdim: boolean,
  indexDtype: DType,
  pick: (x: Float64Array) => number,
): { values: Tensor; indices: Tensor } {
  const lines = planLines(self, dim);
  const plan = planReduction(self, [dim], keepdim);
  const values = emptyTensor(plan.sizes, self.dtype);
  const indices = emptyTensor(plan.sizes, indexDtype);
  const n = values.numel;
  const cursor = lineCursor(self, lines);
  const x = new Float64Array(lines.length);
  const chosen = new Float64Array(n);
  const exact = self.dtype.itemsize === 8 && self.dtype.category === "int";
  const bigLine = exact ? new Array<bigint>(lines.length).fill(0n) : undefined;
  const bigOut: bigint[] = [];
  const at = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const safe = cursor.load(x, lines.length);
    if (!safe && bigLine) {
      // order by rank: exact comparisons on a line with values beyond 2^53
      cursor.back(lines.length);
      cursor.loadBig(bigLine, lines.length);
      const sorted = [...new Set(bigLine)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
      const rank = new Map(sorted.map((v, r) => [v, r]));
      for (let k = 0; k < x.length; k++) x[k] = rank.get(bigLine[k]!)!;
      const index = pick(x);
      at[i] = index;
      bigOut.push(bigLine[index]!);
    } else {
      const index = pick(x);
      at[i] = index;
      chosen[i] = x[index]!;
      if (exact) bigOut.push(BigInt(x[index]!));
    }
  }
  if (n > 0) {
    if (exact) outCursor(values).storeBig(bigOut, n);
    else outCursor(values).store(chosen, n, self.dtype.category === "float");
    outCursor(indices).store(at, n, false);
  }
  return { values, indices };
}
