/** @file The pointwise engine: maps kernels over broadcast tensors of every dtype and stride, with fast loops for float32. Upstream: aten/src/ATen/native/cpu/Loops.h, TensorIterator.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { emptyStrided } from "./clone.ts";
import { DTYPES, type DType } from "./dtype.ts";
import { roundToBfloat16, roundToHalf } from "./half.ts";
import { broadcastStrides, Cursor, iterationOrder, outputStrides } from "./iterate.ts";
import { C } from "./math/complex.ts";
import { BLOCK } from "./runs.ts";
import { broadcastShapes } from "./strides.ts";
import { emptyTensor, META, uninitializedTensor, type Tensor } from "./tensor.ts";

export { C } from "./math/complex.ts";

/** float32 loop over one input: `out[o + i] = f(a[ai + i])`. */
export type Loop1 = (out: Float32Array, o: number, a: Float32Array, ai: number, n: number) => void;
/** float32 loop over two inputs, `as` and `bs` elements apart; comparisons write bytes. */
export type Loop2 = (
  out: Float32Array | Uint8Array,
  o: number,
  a: Float32Array,
  ai: number,
  as: number,
  b: Float32Array,
  bi: number,
  bs: number,
  n: number,
) => void;

/**
 * The same for `rows` rows of `n` elements, those of `a` and `b` so many elements apart as `al` and `bl` say, those of `out` one behind
 * the other. Returns false where row after row is to run.
 */
export type RowsLoop2 = (
  out: Float32Array | Uint8Array,
  o: number,
  a: Float32Array,
  ai: number,
  as: number,
  al: number,
  b: Float32Array,
  bi: number,
  bs: number,
  bl: number,
  n: number,
  rows: number,
) => boolean;

/** A function of one element, for every kind of number that it is defined on. */
export interface Kernel1 {
  /** PyTorch's kernel name in "not implemented for" messages. */
  readonly name: string;
  readonly real?: (x: number) => number;
  readonly big?: (x: bigint) => bigint;
  /** Leaves the result in `C`. */
  readonly complex?: (re: number, im: number) => void;
  readonly f32?: Loop1;
}

/** A function of two elements. */
export interface Kernel2 {
  readonly name: string;
  readonly real?: (a: number, b: number) => number;
  readonly big?: (a: bigint, b: bigint) => bigint;
  readonly complex?: (ar: number, ai: number, br: number, bi: number) => void;
  readonly f32?: Loop2;
  readonly rows?: RowsLoop2;
}

/** A function of three elements. */
export interface Kernel3 {
  readonly name: string;
  readonly real?: (a: number, b: number, c: number) => number;
  readonly big?: (a: bigint, b: bigint, c: bigint) => bigint;
  readonly complex?: (ar: number, ai: number, br: number, bi: number, cr: number, ci: number) => void;
}

const NUMBERS = Array.from({ length: 5 }, () => new Float64Array(BLOCK));
const IMAGINARY = Array.from({ length: 5 }, () => new Float64Array(BLOCK));

/** PyTorch's text for a kernel without an implementation for a dtype. */
export function notImplemented(name: string, dtype: DType): OperatorError {
  return new OperatorError(`"${name}" not implemented for '${dtype.cppName}'`);
}

/** Broadcast shape of several tensors. */
export function broadcastAll(tensors: readonly Tensor[]): readonly number[] {
  let sizes = tensors[0]!.sizes;
  for (let i = 1; i < tensors.length; i++) sizes = broadcastTwo(sizes, tensors[i]!.sizes);
  return sizes;
}

function broadcastTwo(a: readonly number[], b: readonly number[]): readonly number[] {
  if (a === b) return a;
  if (a.length === b.length) {
    let same = true;
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) same = false;
    if (same) return a;
  }
  if (b.length === 0) return a;
  return broadcastShapes(a, b);
}

/** Rounds scratch values, loaded from another dtype, to the common dtype: TensorIterator casts inputs first. */
function roundScratch(from: DType, to: DType, x: Float64Array, n: number): void {
  if (from === to) return;
  if (to.category === "int") {
    if (from.itemsize > to.itemsize || from.isSigned !== to.isSigned) {
      const bits = 8 * to.itemsize;
      if (bits === 64) return;
      for (let i = 0; i < n; i++) {
        const v = BigInt(Math.trunc(x[i]!) || 0);
        x[i] = Number(to.isSigned ? BigInt.asIntN(bits, v) : BigInt.asUintN(bits, v));
      }
    }
    return;
  }
  if (to.category === "bool") {
    for (let i = 0; i < n; i++) x[i] = x[i] !== 0 ? 1 : 0;
    return;
  }
  switch (to.id) {
    case 6:
    case 9:
      if (from.itemsize >= 4) for (let i = 0; i < n; i++) x[i] = Math.fround(x[i]!);
      return;
    case 5:
    case 8:
      for (let i = 0; i < n; i++) x[i] = roundToHalf(x[i]!);
      return;
    case 15:
      for (let i = 0; i < n; i++) x[i] = roundToBfloat16(x[i]!);
      return;
    default:
  }
}

const MAX_SAFE = 9007199254740991;

/** Complex kernels that PyTorch does not have for complex32. */
const WITHOUT_COMPLEX_HALF = new Set([
  "div_cpu",
  "pow",
  "logical_and_cpu",
  "logical_or_cpu",
  "logical_xor_cpu",
  "logical_not_cpu",
  "logaddexp_cpu",
  "logaddexp2_cpu",
  "lerp_kernel_scalar",
  "lerp_kernel_tensor",
  "addcdiv_cpu_out",
  "nan_to_num",
  "angle_cpu",
  "sigmoid_backward_cpu",
  "tanh_backward_cpu",
]);

/** How to map: the dtype that inputs convert to, and the dtype of the result. */
export interface MapOptions {
  readonly compute: DType;
  readonly out: DType;
  /** Inputs that keep their own precision (PyTorch's opmath scalars), by position. */
  readonly exact?: readonly boolean[];
}

/** Runs `kernel` over broadcast inputs into a new tensor. The general path of every pointwise operator. */
export function mapElements(
  inputs: readonly Tensor[],
  kernel: Kernel1 | Kernel2 | Kernel3,
  { compute, out: outDtype, exact }: MapOptions,
): Tensor {
  const sizes = broadcastAll(inputs);
  const strides = outputStrides(inputs, sizes);
  if (inputs.some((t) => t.device.type === "meta")) {
    const meta = emptyStrided(sizes, strides, outDtype);
    meta.device = META;
    return meta;
  }
  const out = emptyStrided(sizes, strides, outDtype);
  const n = out.numel;
  if (compute.category === "complex" ? !kernel.complex : !kernel.real) throw notImplemented(kernel.name, compute);
  if (compute === DTYPES.complex32 && WITHOUT_COMPLEX_HALF.has(kernel.name)) throw notImplemented(kernel.name, compute);
  if (n === 0) return out;
  const views = inputs.map((t) => broadcastStrides(t, sizes));
  const order = iterationOrder(sizes, [strides]);
  const cursors = inputs.map((t, i) => new Cursor(t, sizes, views[i]!, order));
  const to = new Cursor(out, sizes, strides, order);
  if (compute.category === "complex") {
    mapComplex(inputs, cursors, to, n, kernel, compute, outDtype, exact);
    return out;
  }
  const integral = compute.category === "int";
  const big = integral ? kernel.big : undefined;
  const checkResult = big !== undefined && outDtype.category !== "bool";
  const fromFloat = compute.category === "float";
  const y = NUMBERS[4]!;
  for (let left = n; left > 0; left -= BLOCK) {
    const count = left < BLOCK ? left : BLOCK;
    let safe = true;
    for (let k = 0; k < cursors.length; k++) {
      if (!cursors[k]!.load(NUMBERS[k]!, count)) safe = false;
      if (!exact?.[k]) roundScratch(inputs[k]!.dtype, compute, NUMBERS[k]!, count);
    }
    if (safe || !big) {
      runReal(kernel, cursors.length, count, y);
      if (checkResult) {
        for (let i = 0; i < count; i++) {
          const r = y[i]!;
          if (!(r <= MAX_SAFE && r >= -MAX_SAFE)) {
            safe = false;
            break;
          }
        }
      }
    }
    if (!safe && big) {
      for (const cursor of cursors) cursor.back(count);
      runBig(inputs, cursors, to, count, kernel, compute);
    } else to.store(y, count, fromFloat);
  }
  return out;
}

function runReal(kernel: Kernel1 | Kernel2 | Kernel3, arity: number, n: number, y: Float64Array): void {
  const a = NUMBERS[0]!;
  if (arity === 1) {
    const f = kernel.real as (x: number) => number;
    for (let i = 0; i < n; i++) y[i] = f(a[i]!);
    return;
  }
  const b = NUMBERS[1]!;
  if (arity === 2) {
    const f = kernel.real as (a: number, b: number) => number;
    for (let i = 0; i < n; i++) y[i] = f(a[i]!, b[i]!);
    return;
  }
  const c = NUMBERS[2]!;
  const f = kernel.real as (a: number, b: number, c: number) => number;
  for (let i = 0; i < n; i++) y[i] = f(a[i]!, b[i]!, c[i]!);
}

function runBig(
  inputs: readonly Tensor[],
  cursors: readonly Cursor[],
  to: Cursor,
  n: number,
  kernel: Kernel1 | Kernel2 | Kernel3,
  compute: DType,
): void {
  const columns = cursors.map(() => new Array<bigint>(n).fill(0n));
  const bits = 8 * compute.itemsize;
  cursors.forEach((cursor, k) => {
    const column = columns[k]!;
    const { category } = inputs[k]!.dtype;
    if (category === "int" || category === "bool") cursor.loadBig(column, n);
    else {
      cursor.load(NUMBERS[k]!, n);
      for (let i = 0; i < n; i++) column[i] = BigInt(Math.trunc(NUMBERS[k]![i]!) || 0);
    }
    for (let i = 0; i < n; i++) {
      column[i] = compute.isSigned ? BigInt.asIntN(bits, column[i]!) : BigInt.asUintN(bits, column[i]!);
    }
  });
  const result = new Array<bigint>(n);
  const f = kernel.big as (...args: bigint[]) => bigint;
  for (let i = 0; i < n; i++) result[i] = f(columns[0]![i]!, columns[1]?.[i] ?? 0n, columns[2]?.[i] ?? 0n);
  to.storeBig(result, n);
}

function mapComplex(
  inputs: readonly Tensor[],
  cursors: readonly Cursor[],
  to: Cursor,
  n: number,
  kernel: Kernel1 | Kernel2 | Kernel3,
  compute: DType,
  outDtype: DType,
  exact: readonly boolean[] | undefined,
): void {
  const y = NUMBERS[4]!;
  const z = IMAGINARY[4]!;
  const f = kernel.complex as (...parts: number[]) => void;
  const [a, b, c] = NUMBERS as [Float64Array, Float64Array, Float64Array];
  const [ai, bi, ci] = IMAGINARY as [Float64Array, Float64Array, Float64Array];
  for (let left = n; left > 0; left -= BLOCK) {
    const count = left < BLOCK ? left : BLOCK;
    for (let k = 0; k < cursors.length; k++) {
      cursors[k]!.loadComplex(NUMBERS[k]!, IMAGINARY[k]!, count);
      if (inputs[k]!.dtype !== compute && !exact?.[k]) {
        const real = inputs[k]!.dtype === DTYPES.complex128 ? DTYPES.float64 : inputs[k]!.dtype;
        roundScratch(real, compute, NUMBERS[k]!, count);
        roundScratch(real, compute, IMAGINARY[k]!, count);
      }
    }
    for (let i = 0; i < count; i++) {
      if (cursors.length === 1) f(a[i]!, ai[i]!);
      else if (cursors.length === 2) f(a[i]!, ai[i]!, b[i]!, bi[i]!);
      else f(a[i]!, ai[i]!, b[i]!, bi[i]!, c[i]!, ci[i]!);
      y[i] = C.re;
      z[i] = C.im;
    }
    if (outDtype.category === "complex") to.storeComplex(y, z, count);
    else to.store(y, count, true);
  }
}

/** Kernels for which the in-place form writes where it reads. */
const maps = new WeakSet<object>();
/** The tensor that the next `map1` of it is to write to. */
let target: Tensor | undefined;

/**
 * Marks a kernel as a map, and gives it back.
 *
 * Note [Maps in place]: a kernel that is nothing but checks and one `map1` of its first argument, whose result it gives back, has an
 * in-place form without a temporary: while `mapInPlace` runs it, `map1` writes into the tensor itself wherever its loop for contiguous
 * float32 runs. Everything else (strides, other dtypes, special tensors) gives a new tensor, which is copied.
 */
export function asMap<K extends (self: Tensor, ...args: never[]) => Tensor>(kernel: K): K {
  maps.add(kernel);
  return kernel;
}

/** Whether a kernel was marked by `asMap`. */
export function isMap(kernel: object): boolean {
  return maps.has(kernel);
}

/** Runs a marked kernel on `self`, the first argument: the result is `self`, written to but not counted as written, or a new tensor. */
export function mapInPlace(self: Tensor, kernel: (...args: never[]) => unknown, args: readonly unknown[]): unknown {
  target = self;
  try {
    return kernel(...(args as never[]));
  } finally {
    target = undefined;
  }
}

/** Maps one tensor. `compute` defaults to the tensor's dtype, the result's dtype to `compute`. */
export function map1(self: Tensor, kernel: Kernel1, compute: DType = self.dtype, out: DType = compute): Tensor {
  if (
    self.dtype === DTYPES.float32 &&
    compute === DTYPES.float32 &&
    out === DTYPES.float32 &&
    kernel.real &&
    !self.isNeg &&
    self.device.type !== "meta" &&
    self.isContiguous()
  ) {
    const result = target === self ? self : uninitializedTensor(self.sizes);
    target = undefined;
    const a = self.storage.segment.f32;
    const y = result.storage.segment.f32;
    const n = self.numel;
    const from = self.base0;
    const to = result.base0;
    if (kernel.f32) kernel.f32(y, to, a, from, n);
    else {
      const f = kernel.real;
      for (let i = 0; i < n; i++) y[to + i] = f(a[from + i]!);
    }
    return result;
  }
  return mapElements([self], kernel, { compute, out });
}

/** Maps two tensors with broadcasting. */
export function map2(
  a: Tensor,
  b: Tensor,
  kernel: Kernel2,
  compute: DType,
  out: DType = compute,
  exact?: readonly boolean[],
): Tensor {
  if (
    compute === DTYPES.float32 &&
    a.dtype === compute &&
    b.dtype === compute &&
    kernel.real &&
    (out === compute || out === DTYPES.bool) &&
    !a.isNeg &&
    !b.isNeg &&
    a.device.type !== "meta" &&
    b.device.type !== "meta"
  ) {
    return map2Float32(a, b, kernel, out);
  }
  return mapElements([a, b], kernel, exact ? { compute, out, exact } : { compute, out });
}

/** The float32 path without scratch: contiguous inputs in one loop, others by coalesced runs of any stride. */
function map2Float32(a: Tensor, b: Tensor, kernel: Kernel2, outDtype: DType): Tensor {
  const loop = kernel.f32 ?? loopOf(kernel.real!);
  if (a.isContiguous() && b.isContiguous()) {
    const as = a.numel === 1 ? 0 : 1;
    const bs = b.numel === 1 ? 0 : 1;
    const sizes =
      as === 0 || bs === 0 ? broadcastTwo(a.sizes, b.sizes) : sameSizes(a.sizes, b.sizes) ? a.sizes : undefined;
    if (sizes) {
      const result = uninitializedTensor(sizes, outDtype);
      const seg = result.storage.segment;
      loop(
        outDtype === DTYPES.bool ? seg.u8 : seg.f32,
        result.base0,
        a.storage.segment.f32,
        a.base0,
        as,
        b.storage.segment.f32,
        b.base0,
        bs,
        result.numel,
      );
      return result;
    }
  }
  const sizes = broadcastTwo(a.sizes, b.sizes);
  const strides = outputStrides([a, b], sizes);
  const result = emptyStrided(sizes, strides, outDtype);
  if (result.numel === 0) return result;
  const seg = result.storage.segment;
  const y = outDtype === DTYPES.bool ? seg.u8 : seg.f32;
  const x0 = a.storage.segment.f32;
  const x1 = b.storage.segment.f32;
  const order = iterationOrder(sizes, [strides]);
  const dims = coalesce(sizes, order, [strides, broadcastStrides(a, sizes), broadcastStrides(b, sizes)]);
  const inner = dims[0]!;
  const index = new Array<number>(dims.length).fill(0);
  let at = result.base0;
  let i = a.base0;
  let j = b.base0;
  const [, as, bs] = inner.strides as [number, number, number];
  const [, al, bl] = (dims[1]?.strides ?? [0, 0, 0]) as [number, number, number];
  for (;;) {
    // the output is dense in this order: its inner stride is 1
    const isDone = index[1] === 0 && kernel.rows?.(y, at, x0, i, as, al, x1, j, bs, bl, inner.size, dims[1]!.size);
    if (!isDone) loop(y, at, x0, i, as, x1, j, bs, inner.size);
    let d = isDone ? 2 : 1;
    for (; d < dims.length; d++) {
      const { size, strides: step } = dims[d]!;
      at += step[0]!;
      i += step[1]!;
      j += step[2]!;
      if (++index[d]! < size) break;
      index[d] = 0;
      at -= size * step[0]!;
      i -= size * step[1]!;
      j -= size * step[2]!;
    }
    if (d === dims.length) return result;
  }
}

function loopOf(f: (a: number, b: number) => number): Loop2 {
  return (out, o, a, ai, as, b, bi, bs, n) => {
    for (let k = 0, i = ai, j = bi; k < n; k++, i += as, j += bs) out[o + k] = f(a[i]!, b[j]!);
  };
}

/** One dimension of a coalesced iteration: its size and every operand's stride. */
interface Run {
  size: number;
  strides: number[];
}

/** Merges neighbouring dimensions (fastest first) that every operand walks as one. */
function coalesce(sizes: readonly number[], order: readonly number[], operands: readonly (readonly number[])[]): Run[] {
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

function sameSizes(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Maps three tensors with broadcasting. */
export function map3(a: Tensor, b: Tensor, c: Tensor, kernel: Kernel3, compute: DType, out: DType = compute): Tensor {
  return mapElements([a, b, c], kernel, { compute, out });
}

/** An uninitialised result of broadcast shape, with TensorIterator's strides. */
export function emptyResult(inputs: readonly Tensor[], dtype: DType): Tensor {
  const sizes = broadcastAll(inputs);
  const strides = outputStrides(inputs, sizes);
  return strides.length === 0 ? emptyTensor(sizes, dtype) : emptyStrided(sizes, strides, dtype);
}
