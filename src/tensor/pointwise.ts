/** @file The pointwise engine: maps kernels over broadcast tensors of every dtype and stride, with fast loops for float32. Upstream: aten/src/ATen/native/cpu/Loops.h, TensorIterator.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { canGenerateCode } from "../base/evaluate.ts";
import { contiguousAs, convertTensor, emptyStrided } from "./clone.ts";
import { copyElements } from "./copy.ts";
import { DTYPES, type DType } from "./dtype.ts";
import type { Kernel1, Kernel2, Kernel3, Loop2, Loop64 } from "./element_kernel.ts";
import { float32Operands, mapPieces } from "./float_operands.ts";
import { roundToBfloat16, roundToHalf } from "./half.ts";
import { mapIntegers } from "./integer_maps.ts";
import { broadcastStrides, coalesce, Cursor, iterationOrder, outputStrides, type Run } from "./iterate.ts";
import { C } from "./math/complex.ts";
import { complexLoop, MIN_OWN, ownLoop, type Kind, type OwnLoop } from "./own_loops.ts";
import { BLOCK } from "./runs.ts";
import { broadcastShapes, sameSizes } from "./strides.ts";
import { emptyTensor, META, uninitializedTensor, type Tensor } from "./tensor.ts";

export { C } from "./math/complex.ts";
export type { Kernel1, Kernel2, Kernel3, Loop1, Loop2, Loop3, RowsLoop2 } from "./element_kernel.ts";

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
  // truth values have both: vector instructions come first
  const hasIntegers = "integers" in kernel && compute.category !== "float";
  const direct = hasIntegers ? undefined : mapDirect(inputs, kernel, { compute, out: outDtype });
  if (direct) return direct;
  const sizes = broadcastAll(inputs);
  const strides = outputStrides(inputs, sizes);
  if (inputs.some((t) => t.device.type === "meta")) {
    const meta = emptyStrided(sizes, strides, outDtype);
    meta.device = META;
    return meta;
  }
  const out = emptyStrided(sizes, strides, outDtype, false);
  const n = out.numel;
  if (compute.category === "complex" ? !kernel.complex : !kernel.real) throw notImplemented(kernel.name, compute);
  if (compute === DTYPES.complex32 && WITHOUT_COMPLEX_HALF.has(kernel.name)) throw notImplemented(kernel.name, compute);
  if (n === 0) return out;
  if (compute.category === "complex" && mapComplexDirect(inputs, kernel, compute, out)) return out;
  if (hasIntegers) {
    if (mapIntegers(kernel.integers, out, inputs, compute)) return out;
    if (mapDirect(inputs, kernel, { compute, out: outDtype }, out)) return out;
  }
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
  const real = realOf(kernel, compute);
  const f64 = compute === DTYPES.float64 && outDtype === compute ? kernel.f64 : undefined;
  const loop = n < MIN_OWN ? undefined : ownLoop(kernel.name, real, "d".repeat(inputs.length), "d", BLOCK, UNIT_STEPS);
  for (let left = n; left > 0; left -= BLOCK) {
    const count = left < BLOCK ? left : BLOCK;
    let safe = true;
    for (let k = 0; k < cursors.length; k++) {
      if (!cursors[k]!.load(NUMBERS[k]!, count)) safe = false;
      if (!exact?.[k]) roundScratch(inputs[k]!.dtype, compute, NUMBERS[k]!, count);
    }
    if (safe || !big) {
      const isDone = f64?.(y, 0, NUMBERS.slice(0, inputs.length), FIRSTS, UNIT_STEPS, count);
      if (!isDone && loop) loop(real, 1, count, y, 0, 0, NUMBERS, FIRSTS, UNIT_STEPS, FIRSTS);
      else if (!isDone) runReal(real, cursors.length, count, y);
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

const FIRSTS = [0, 0, 0];
const UNIT_STEPS = [1, 1, 1];

type Real = (...x: number[]) => number;

/** What computes a kernel's real numbers in a dtype. */
function realOf(kernel: Kernel1 | Kernel2 | Kernel3, compute: DType): Real {
  const isSingle = compute.category === "float" && compute !== DTYPES.float64;
  return ((isSingle && kernel.single) || kernel.real!) as Real;
}

function runReal(f: Real, arity: number, n: number, y: Float64Array): void {
  const [a, b, c] = NUMBERS as [Float64Array, Float64Array, Float64Array];
  if (arity === 1) for (let i = 0; i < n; i++) y[i] = f(a[i]!);
  else if (arity === 2) for (let i = 0; i < n; i++) y[i] = f(a[i]!, b[i]!);
  else for (let i = 0; i < n; i++) y[i] = f(a[i]!, b[i]!, c[i]!);
}

const KINDS = new Map<DType, Kind>([
  [DTYPES.float32, "f"],
  [DTYPES.float64, "d"],
  [DTYPES.bool, "b"],
]);
const ARRAYS = { f: "f32", d: "f64", b: "u8" } as const;

/**
 * Maps elements where they lie, in the kernel's own loop: those of the computing dtype, float32, float64 or bool, and truth values.
 * Undefined where it is another case, or few elements.
 */
function mapDirect(
  inputs: readonly Tensor[],
  kernel: Kernel1 | Kernel2 | Kernel3,
  { compute, out: outDtype }: MapOptions,
  into?: Tensor,
): Tensor | undefined {
  const kind = KINDS.get(outDtype);
  if (!kernel.real || !KINDS.has(compute) || (kind !== "b" && outDtype !== compute)) return undefined;
  for (const t of inputs)
    if ((t.dtype !== compute && t.dtype !== DTYPES.bool) || t.isNeg || t.device.type === "meta") return undefined;
  const sizes = broadcastAll(inputs);
  let numel = 1;
  for (const size of sizes) numel *= size;
  if (numel < MIN_OWN) return undefined;
  return canGenerateCode()
    ? walkRows(inputs, sizes, outDtype, into, runOwn(inputs, kernel, realOf(kernel, compute), outDtype))
    : undefined;
}

/** What runs rows of a kernel in its own loops. */
function runOwn(
  inputs: readonly Tensor[],
  kernel: { readonly name: string; readonly f64?: Loop64 },
  f: Real,
  out: DType,
): RowsRunner {
  const kinds = inputs.map((t) => KINDS.get(t.dtype)!).join("");
  const kind = KINDS.get(out)!;
  const f64 = /^d+$/.test(kinds + kind) ? kernel.f64 : undefined;
  let loop: OwnLoop | undefined;
  return (count, n, y, o, row, x, at, steps, rows) => {
    const doubles = x as readonly Float64Array[];
    for (; f64 && count > 0; count--, o += row, at = at.map((start, k) => start + rows[k]!))
      if (!f64(y as Float64Array, o, doubles, at, steps, n)) break;
    if (count === 0) return;
    loop ??= ownLoop(kernel.name, f, kinds, kind, n, steps)!; // every call walks alike
    loop(f, count, n, y, o, row, x, at, steps, rows);
  };
}
type RowsRunner = OwnLoop extends (f: Real, ...rest: infer Rest) => void ? (...args: Rest) => void : never;

/** The result of `inputs`, a new one or `into`, whose elements `run` computes two dimensions at a time: all that lie evenly spaced are one. */
function walkRows(
  inputs: readonly Tensor[],
  sizes: readonly number[],
  dtype: DType,
  into: Tensor | undefined,
  run: RowsRunner,
): Tensor {
  const strides = into ? into.strides : outputStrides(inputs, sizes);
  const result = into ?? emptyStrided(sizes, strides, dtype, false);
  const arrayOf = (t: Tensor): Float32Array | Float64Array | Uint8Array =>
    t.storage.segment[ARRAYS[KINDS.get(t.dtype)!]];
  const [y, x] = [arrayOf(result), inputs.map(arrayOf)];
  const order = iterationOrder(sizes, [strides]);
  const dims = coalesce(sizes, order, [...inputs.map((t) => broadcastStrides(t, sizes)), strides]);
  // the result is dense in this order: its inner stride is 1
  const [inner, outer = { size: 1, strides: dims[0]!.strides }, ...rest] = dims as [Run, ...Run[]];
  const index = rest.map(() => 0);
  const at = [...inputs, result].map((t) => t.base0);
  const last = inputs.length;
  for (;;) {
    run(outer.size, inner.size, y, at[last]!, outer.strides[last]!, x, at, inner.strides, outer.strides);
    let d = 0;
    for (; d < rest.length; d++) {
      const { size, strides: steps } = rest[d]!;
      const isDone = ++index[d]! === size;
      if (isDone) index[d] = 0;
      for (let k = 0; k < at.length; k++) at[k]! += isDone ? steps[k]! * (1 - size) : steps[k]!;
      if (!isDone) break;
    }
    if (d === rest.length) return result;
  }
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

/** Maps complex64 and complex128 where they lie, all as large as the result and as dense, or single elements. False where it is another case. */
function mapComplexDirect(
  inputs: readonly Tensor[],
  kernel: Kernel1 | Kernel2 | Kernel3,
  compute: DType,
  out: Tensor,
): boolean {
  const { complex64, complex128, float32, float64 } = DTYPES;
  if ((compute !== complex64 && compute !== complex128) || out.numel < MIN_OWN || !out.isContiguous()) return false;
  const isPairs = out.dtype === compute;
  if (!isPairs && out.dtype !== (compute === complex64 ? float32 : float64)) return false;
  const fits = (t: Tensor): boolean =>
    t.numel === 1 ||
    (t.dtype === compute && sameSizes(t.sizes, out.sizes) && t.isContiguous() && !t.isConj && !t.isNeg);
  if (!inputs.every(fits)) return false;
  const f = kernel.complex as (...parts: number[]) => void;
  const loop = complexLoop(kernel.name, f, inputs.length, compute.name, isPairs);
  if (!loop) return false;
  const operands = inputs.map((t) => contiguousAs(t, compute));
  const arrayOf = (t: Tensor): Float32Array | Float64Array =>
    t.dtype === complex64 || t.dtype === float32 ? t.storage.segment.f32 : t.storage.segment.f64;
  const at = operands.map((t) => 2 * t.base0);
  const steps = operands.map((t) => (t.numel === 1 ? 0 : 2));
  loop(f, C, out.numel, arrayOf(out), isPairs ? 2 * out.base0 : out.base0, operands.map(arrayOf), at, steps);
  return true;
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
/** The tensor that the next map of it is to write to. */
let target: Tensor | undefined;

/**
 * Marks a kernel as a map, and gives it back.
 *
 * Note [Maps in place]: a kernel that is nothing but checks and one `map1` or `map2` of its first argument, whose result it gives back,
 * has an in-place form without a temporary: while `mapInPlace` runs it, the map writes into the tensor itself wherever its loops for
 * float32 run and the tensor is contiguous. Everything else (strides, other dtypes, special tensors, a second operand that lies across
 * the first) gives a new tensor, which is copied.
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
      const f = realOf(kernel, compute);
      const loop = n < MIN_OWN ? undefined : ownLoop(kernel.name, f, "f", "f", n, UNIT_STEPS);
      if (loop) loop(f, 1, n, y, to, 0, [a], [from], UNIT_STEPS, FIRSTS);
      else for (let i = 0; i < n; i++) y[to + i] = f(a[from + i]!);
    }
    return result;
  }
  return mapThroughFloat32(self, kernel, compute, out) ?? mapElements([self], kernel, { compute, out });
}

/** Elements from which loops of float32 take vectors: from there on all layouts have the same results. */
const MIN_VECTORS = 64;

/**
 * The result of a function that has vectors of float32, by those: of float32 elements that do not lie side by side, which are put so first,
 * and of what is converted to float32 first anyhow, integers, truth values, half and bfloat16. Undefined where it is another case.
 */
function mapThroughFloat32(self: Tensor, kernel: Kernel1, compute: DType, out: DType): Tensor | undefined {
  const { float32, float16, bfloat16 } = DTYPES;
  const isHalf = compute === float16 || compute === bfloat16;
  const { category } = self.dtype;
  const fits = isHalf ? self.dtype === compute : self.dtype === float32 || category === "int" || category === "bool";
  if (!kernel.f32 || out !== compute || (!isHalf && compute !== float32) || !fits) return undefined;
  if (self.numel < MIN_VECTORS || self.isNeg || self.device.type === "meta") return undefined;
  const loop = kernel.f32;
  const pieces = mapPieces([self], compute, out, undefined, (_, to, [x]) =>
    loop(to.storage.segment.f32, to.base0, x!.storage.segment.f32, x!.base0, to.numel),
  );
  if (pieces) return pieces;
  const numbers = emptyStrided(self.sizes, outputStrides([self], self.sizes), float32, false);
  copyElements(numbers, self);
  const { f32 } = numbers.storage.segment;
  loop(f32, numbers.base0, f32, numbers.base0, numbers.numel);
  return convertTensor(numbers, out);
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
    const into = target === a ? takeTarget(a, b, out) : undefined;
    return (
      (kernel.f32 ? undefined : mapDirect([a, b], kernel, { compute, out }, into)) ??
      map2Float32(a, b, kernel, out, into)
    );
  }
  const loop = kernel.f32;
  const pieces =
    loop &&
    mapPieces([a, b], compute, out, exact, (result, to, [x, y], first) => {
      const [p, q] = [x!.storage.segment.f32, y!.storage.segment.f32];
      const [as, bs] = [x!.numel === to.numel ? 1 : 0, y!.numel === to.numel ? 1 : 0];
      const isBool = out === DTYPES.bool;
      const array = isBool ? result.storage.segment.u8 : to.storage.segment.f32;
      loop(array, isBool ? result.base0 + first : to.base0, p, x!.base0, as, q, y!.base0, bs, to.numel);
    });
  if (pieces) return pieces;
  const floats = kernel.f32 && float32Operands([a, b], compute, exact);
  if (floats) {
    const result = map2(floats[0]!, floats[1]!, kernel, DTYPES.float32, out === compute ? DTYPES.float32 : out);
    return convertTensor(result, out);
  }
  if (target === a && kernel.integers && compute === a.dtype && compute.category === "int") {
    const into = takeTarget(a, b, out);
    if (into && mapIntegers(kernel.integers, into, [a, b], compute)) return into;
  }
  return mapElements([a, b], kernel, exact ? { compute, out, exact } : { compute, out });
}

/** Elements of a row up to which an own loop over all rows is faster than a kernel row by row. */
const MAX_SHORT_ROW = 2048;

/** The float32 path without scratch: contiguous inputs in one loop, others by coalesced runs of any stride. */
function map2Float32(a: Tensor, b: Tensor, kernel: Kernel2, outDtype: DType, into: Tensor | undefined): Tensor {
  const loop = kernel.f32 ?? loopOf(realOf(kernel, DTYPES.float32));
  if (a.numel > 0 && b.numel > 0 && a.isContiguous() && b.isContiguous()) {
    const as = a.numel === 1 ? 0 : 1;
    const bs = b.numel === 1 ? 0 : 1;
    const sizes =
      as === 0 || bs === 0 ? broadcastTwo(a.sizes, b.sizes) : sameSizes(a.sizes, b.sizes) ? a.sizes : undefined;
    if (sizes) {
      const result = into ?? uninitializedTensor(sizes, outDtype);
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
  if (sizes.includes(0)) return emptyResult([a, b], outDtype);
  const own = canGenerateCode() ? runOwn([a, b], kernel, realOf(kernel, DTYPES.float32), outDtype) : undefined;
  return walkRows([a, b], sizes, outDtype, into, (count, n, out, o, row, [x0, x1], [i, j], [as, bs], [al, bl]) => {
    const [y, p, q] = [out, x0, x1] as [Float32Array | Uint8Array, Float32Array, Float32Array];
    if (count > 1 && kernel.rows?.(y, o, p, i!, as!, al!, q, j!, bs!, bl!, n, count)) return;
    // what short rows cost beside their elements is less there
    if (own && n < MAX_SHORT_ROW && count * n >= MIN_OWN)
      own(count, n, out, o, row, [x0!, x1!], [i!, j!], [as!, bs!], [al!, bl!]);
    else for (let r = 0; r < count; r++) loop(y, o + r * row, p, i! + r * al!, as!, q, j! + r * bl!, bs!, n);
  });
}

/** `a`, the target, where the result has its place there: undefined where that has another shape or dtype, or `b` lies across it. */
function takeTarget(a: Tensor, b: Tensor, out: DType): Tensor | undefined {
  target = undefined;
  const isSame = a.storageOffset === b.storageOffset && b.isContiguous() && sameSizes(a.sizes, b.sizes);
  const isFree = a.storage !== b.storage || isSame;
  return isFree && out === a.dtype && a.isContiguous() && sameSizes(broadcastTwo(a.sizes, b.sizes), a.sizes)
    ? a
    : undefined;
}

function loopOf(f: (a: number, b: number) => number): Loop2 {
  return (out, o, a, ai, as, b, bi, bs, n) => {
    for (let k = 0, i = ai, j = bi; k < n; k++, i += as, j += bs) out[o + k] = f(a[i]!, b[j]!);
  };
}

/** Maps three tensors with broadcasting. */
export function map3(a: Tensor, b: Tensor, c: Tensor, kernel: Kernel3, compute: DType, out: DType = compute): Tensor {
  const inputs = [a, b, c];
  const { f32 } = kernel;
  const isPlain = (t: Tensor): boolean =>
    t.dtype === DTYPES.float32 && !t.isNeg && t.device.type !== "meta" && t.isContiguous();
  if (f32 && compute === DTYPES.float32 && out === compute && inputs.every(isPlain)) {
    const sizes = broadcastAll(inputs);
    if (inputs.every((t) => t.numel === 1 || sameSizes(t.sizes, sizes))) {
      const isTarget = target === a && inputs.slice(1).every((t) => takeTarget(a, t, out));
      const result = isTarget ? a : uninitializedTensor(sizes);
      const arrays = inputs.map((t) => t.storage.segment.f32);
      const steps = inputs.map((t) => (t.numel === 1 ? 0 : 1));
      const at = inputs.map((t) => t.base0);
      f32(result.storage.segment.f32, result.base0, arrays, at, steps, result.numel);
      return result;
    }
  }
  return mapElements(inputs, kernel, { compute, out });
}

/** An uninitialised result of broadcast shape, with TensorIterator's strides. */
export function emptyResult(inputs: readonly Tensor[], dtype: DType): Tensor {
  const sizes = broadcastAll(inputs);
  const strides = outputStrides(inputs, sizes);
  return strides.length === 0 ? emptyTensor(sizes, dtype) : emptyStrided(sizes, strides, dtype, false);
}
