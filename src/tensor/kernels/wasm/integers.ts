/** @file Products of quantized values with the weights of linear layers on the WebAssembly kernels. Upstream: none. Spec: none.
 *
 * Note [Seven bits]: where the platform has an instruction for products of bytes, it wants one operand without a sign and with seven bits at most.
 * PyTorch's observers choose such ranges by default (`reduce_range`). Whether activations keep to it is seen when they are there; those that
 * do not are multiplied with 16 bits, as are weights whose zero point is not 0. */
import type { Segment, Storage } from "../../storage.ts";
import { integerKernels, sevenBitKernels, wasmKernels, type Kernels } from "./build.ts";
import { copyElements32 } from "./copies.ts";
import {
  BYTE_STEP,
  INTEGER_COLUMNS,
  INTEGER_STEP,
  SUM_BYTES,
  type IntegerFinish,
  type IntegerKernels,
  type SevenBitKernels,
} from "./integer_programs.ts";
import { packedWeights } from "./packed_weights.ts";
import { runTasks } from "./parallel.ts";

/** Multiplications from which the call pays. */
const MIN_WORK = 1 << 10;
/** Most terms of a sum: products are below 2^16, and 32 bits must hold their sum. */
const MAX_TERMS = 1 << 15;
/** Multiplications of a task. */
const TASK_WORK = 1 << 21;
/** Elements of a weight, of an input, and of a block of results. */
const MAX_ELEMENTS = 1 << 24;
const BLOCK_ELEMENTS = 1 << 18;
/** Elements up to which a loop copies faster than `set`. */
const MIN_SET = 48;

/** Weights of a layer, and what scales its sums. */
export interface IntegerWeights {
  /** The storage that they view, and which part of it they are. */
  readonly owner: Storage;
  readonly key: string;
  /** Integers from -255 to 255, (n, k) by rows: less their zero points. */
  readonly values: () => Float64Array;
  /** Whether they are from -128 to 127. */
  readonly areBytes: boolean;
  readonly n: number;
  readonly k: number;
  /** Factors and shifts of the rows: see `scaleTable`. */
  readonly table: Float32Array;
}

/** Scale and zero point of an input. */
export interface InputParameters {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Factors and shifts of n rows as the kernels read them. */
export function scaleTable(n: number, factor: (row: number) => number, shift: (row: number) => number): Float32Array {
  const table = new Float32Array(2 * INTEGER_COLUMNS * Math.ceil(n / INTEGER_COLUMNS));
  for (let i = 0; i < n; i++) {
    const at = i + INTEGER_COLUMNS * Math.floor(i / INTEGER_COLUMNS);
    table[at] = factor(i);
    table[at + INTEGER_COLUMNS] = shift(i);
  }
  return table;
}

/** A layer whose weights are in the kernels' memory. */
interface Layer {
  readonly kernels: Kernels;
  readonly integers: IntegerKernels;
  /** The kernels of bytes, where the panels have such: see Note [Seven bits]. */
  readonly bytes: SevenBitKernels | undefined;
  /** Where its panels begin, the bytes of one, and how many rows they have together. */
  readonly address: number;
  readonly panelBytes: number;
  readonly width: number;
  /** Elements of a row, with those that pad it. */
  readonly padded: number;
}

/** The layer, or undefined where another kernel is to run for so many rows. */
function layerFor(weights: IntegerWeights, rows: number, hasBytes: boolean): Layer | undefined {
  const { owner, key, n, k, areBytes } = weights;
  if (rows * n * k < MIN_WORK || k > MAX_TERMS || (hasBytes && !areBytes)) return undefined;
  const kernels = wasmKernels();
  const integers = integerKernels();
  const bytes = hasBytes ? sevenBitKernels() : undefined;
  if (!kernels || !integers || (hasBytes && !bytes)) return undefined;
  const step = hasBytes ? BYTE_STEP : INTEGER_STEP;
  const padded = Math.ceil(k / step) * step;
  const width = Math.ceil(n / INTEGER_COLUMNS) * INTEGER_COLUMNS;
  if (Math.max(width * padded, rows * k) > MAX_ELEMENTS) return undefined;
  const panelBytes = hasBytes ? SUM_BYTES + INTEGER_COLUMNS * padded : 2 * INTEGER_COLUMNS * padded;
  const total = (width / INTEGER_COLUMNS) * panelBytes;
  const { memory } = kernels;
  const address = packedWeights(memory, owner, hasBytes ? `${key}:bytes` : key, total / 4, (to) => {
    memory.segment.u8.fill(0, to, to + total);
    if (hasBytes) putBytePanels(memory.segment, to, panelBytes, weights.values(), n, k);
    else putPanels(memory.segment.i16, to / 2, weights.values(), n, k, padded);
    return true;
  });
  return address === 0 ? undefined : { kernels, integers, bytes, address, panelBytes, width, padded };
}

/** Rows of weights as panels, in zeros. */
function putPanels(to: Int16Array, at: number, from: Float64Array, n: number, k: number, padded: number): void {
  for (let row = 0, source = 0; row < n; row++) {
    const column = row % INTEGER_COLUMNS;
    const start = at + (row - column) * padded + 2 * column;
    for (let p = 0; p < k; p++) to[start + (p >> 1) * 2 * INTEGER_COLUMNS + (p & 1)] = from[source++]!;
  }
}

/** The same for panels of bytes, with the sums of rows in front. */
function putBytePanels(
  { i8, i32 }: Segment,
  at: number,
  panelBytes: number,
  from: Float64Array,
  n: number,
  k: number,
): void {
  for (let row = 0, source = 0; row < n; row++) {
    const column = row % INTEGER_COLUMNS;
    const panel = at + ((row - column) / INTEGER_COLUMNS) * panelBytes;
    const start = panel + SUM_BYTES + 4 * column;
    let sum = 0;
    for (let p = 0; p < k; p++) {
      const value = from[source++]!;
      i8[start + (p >> 2) * 4 * INTEGER_COLUMNS + (p & 3)] = value;
      sum += value;
    }
    i32[panel / 4 + column] = sum;
  }
}

/** Whether bytes have seven bits: `count` of them and what is behind, up to a multiple of 4. */
function haveSevenBits(i32: Int32Array, address: number, count: number): boolean {
  let all = 0;
  for (let at = address / 4, end = at + Math.ceil(count / 4); at < end; at++) all |= i32[at]!;
  return (all & 0x80808080) === 0;
}

/** Scales, zero point and least value of results. */
interface Finish {
  readonly kind: IntegerFinish;
  readonly scale: number;
  readonly zeroPoint: number;
  readonly low: number;
}

/** Rows of results that are made at once: they and their input stay in the cache. */
function blockRows({ padded, width }: Layer, rows: number): number {
  return Math.min(rows, Math.max(2, Math.floor(BLOCK_ELEMENTS / Math.max(padded, width)) & -2));
}

/** Rows of integers: their address and how many bytes they are apart; bytes still have their zero point. */
interface Rows {
  readonly at: number;
  readonly stride: number;
  readonly zeroPoint: number;
}

/** Results of `count` rows, to `to`. */
function multiply(layer: Layer, finish: Finish, count: number, rows: Rows, table: number, to: number): void {
  const { kernels, integers, bytes, address, panelBytes, width } = layer;
  const { kind, scale, zeroPoint, low } = finish;
  const panels = width / INTEGER_COLUMNS;
  const size = kind === "Floats" ? 4 : 1;
  const perTask = Math.max(1, Math.ceil(TASK_WORK / (INTEGER_COLUMNS * layer.padded * count)));
  runTasks(kernels, Math.ceil(panels / perTask), (_, task) => {
    const first = task * perTask;
    const w = address + panelBytes * first;
    const some = Math.min(perTask, panels - first);
    const y = to + size * INTEGER_COLUMNS * first;
    const scales = table + 8 * INTEGER_COLUMNS * first;
    const { at, stride } = rows;
    const args = [at, stride, count, w, panelBytes, some, y, size * width, scales, scale, zeroPoint, low] as const;
    if (bytes) bytes[`bytes${kind}`](...args, rows.zeroPoint);
    else integers[`integers${kind}`](...args);
  });
}

/** Smallest and largest element; infinities where none is a number. `scratch` has room for eight elements. */
function extremesAt(integers: IntegerKernels, f32: Float32Array, x: number, count: number, scratch: number): number[] {
  let min = Infinity;
  let max = -Infinity;
  const vectors = count >> 2;
  if (vectors > 0) {
    integers.extremes(x, vectors, scratch);
    for (let lane = 0, at = scratch >> 2; lane < 4; lane++, at++) {
      min = Math.min(min, f32[at]!);
      max = Math.max(max, f32[at + 4]!);
    }
  }
  for (let at = (x >> 2) + 4 * vectors; at < (x >> 2) + count; at++) {
    const value = f32[at]!;
    min = value < min ? value : min;
    max = value > max ? value : max;
  }
  return [min, max];
}

/**
 * out (rows, n) = the layer of x (rows, k), as float32, at least `low`. x becomes integers from 0 to 255 with `parameters`, which may depend on its
 * smallest and largest element. Returns false where another kernel is to run.
 */
export function wasmFloatLayer(
  x: Float32Array,
  parameters: (extremes: () => number[]) => InputParameters,
  weights: IntegerWeights,
  low: number,
  out: Float32Array,
  rows: number,
): boolean {
  return [true, false].some((hasBytes) => {
    const layer = layerFor(weights, rows, hasBytes);
    return layer !== undefined && floatLayer(layer, x, parameters, weights, low, out, rows);
  });
}

/** The same by one kind of panels; false where activations do not fit them. */
function floatLayer(
  layer: Layer,
  x: Float32Array,
  parameters: (extremes: () => number[]) => InputParameters,
  { n, k, table }: IntegerWeights,
  low: number,
  out: Float32Array,
  rows: number,
): boolean {
  const { kernels, integers, bytes, padded, width } = layer;
  const { memory } = kernels;
  const block = blockRows(layer, rows);
  // what is behind the last row of bytes must not have eight bits, either
  const given = bytes && padded !== k ? 0 : memory.addressOf(x);
  const result = width === n ? memory.addressOf(out) : 0;
  const stride = bytes ? padded : 2 * padded;
  const areas = memory.arena(
    given === 0 ? rows * k + BYTE_STEP : 0,
    (block * stride) / 4,
    table.length,
    result === 0 ? block * width : 0,
    8,
  );
  if (!areas) return false;
  const [copy, quantized, scales, to, scratch] = areas as [number, number, number, number, number];
  const { f32, i32 } = memory;
  const from = given || copy;
  if (given === 0) {
    copyElements32(f32, copy / 4, x, 0, rows * k);
    f32.fill(0, copy / 4 + rows * k, copy / 4 + rows * k + BYTE_STEP);
  }
  copyElements32(f32, scales / 4, table, 0, table.length);
  let most = 0;
  const { scale, zeroPoint } = parameters(() => {
    const range = extremesAt(integers, f32, from, rows * k, scratch);
    most = range[1]!;
    return range;
  });
  const inverse = 1 / Math.fround(scale);
  let isDone = !bytes || most * Math.fround(inverse) + zeroPoint < 128;
  for (let row = 0; row < rows && isDone; row += block) {
    const count = Math.min(block, rows - row);
    const start = from + 4 * row * k;
    if (bytes) {
      bytes.quantize8(start, 4 * k, quantized, padded / BYTE_STEP, count, inverse, zeroPoint);
      isDone = haveSevenBits(i32, quantized, count * padded);
      if (!isDone) break;
    } else integers.quantize16(start, 4 * k, quantized, padded / INTEGER_STEP, count, inverse, zeroPoint);
    const y = result === 0 ? to : result + 4 * row * n;
    const integerRows = { at: quantized, stride, zeroPoint };
    multiply(layer, { kind: "Floats", scale, zeroPoint: 0, low }, count, integerRows, scales, y);
    if (result !== 0) continue;
    if (width === n) copyElements32(out, row * n, f32, to / 4, count * n);
    else for (let r = 0; r < count; r++) copyElements32(out, (row + r) * n, f32, to / 4 + r * width, n);
  }
  memory.free(copy);
  return isDone;
}

/**
 * out (rows, n) = the layer of x (rows, k), as bytes from `low` with a zero point. x has bytes with the zero point `inputZero`. Factors and shifts
 * are those of sums. Returns false where another kernel is to run.
 */
export function wasmByteLayer(
  x: Uint8Array,
  inputZero: number,
  weights: IntegerWeights,
  zeroPoint: number,
  low: number,
  out: Uint8Array,
  rows: number,
): boolean {
  const finish: Finish = { kind: "Bytes", scale: 1, zeroPoint, low };
  return [true, false].some((hasBytes) => {
    const layer = layerFor(weights, rows, hasBytes);
    return layer !== undefined && byteLayer(layer, x, inputZero, weights, finish, out, rows);
  });
}

/** The same by one kind of panels; false where activations do not fit them. */
function byteLayer(
  layer: Layer,
  x: Uint8Array,
  inputZero: number,
  { n, k, table }: IntegerWeights,
  finish: Finish,
  out: Uint8Array,
  rows: number,
): boolean {
  const { kernels, integers, bytes, padded, width } = layer;
  const { memory } = kernels;
  const block = blockRows(layer, rows);
  const areas = memory.arena(
    Math.ceil((block * k + BYTE_STEP) / 4),
    bytes ? 0 : (block * padded) / 2,
    table.length,
    (block * width) / 4,
  );
  if (!areas) return false;
  const [copy, centered, scales, to] = areas as [number, number, number, number];
  const { u8 } = memory.segment;
  copyElements32(memory.f32, scales / 4, table, 0, table.length);
  let isDone = true;
  for (let row = 0; row < rows && isDone; row += block) {
    const count = Math.min(block, rows - row);
    u8.set(x.subarray(row * k, (row + count) * k), copy);
    u8.fill(0, copy + count * k, copy + count * k + BYTE_STEP);
    let integerRows: Rows = { at: copy, stride: k, zeroPoint: inputZero };
    if (bytes) {
      isDone = haveSevenBits(memory.i32, copy, count * k);
      if (!isDone) break;
    } else {
      integers.bytes16(copy, k, centered, padded / INTEGER_STEP, count, inputZero);
      integerRows = { at: centered, stride: 2 * padded, zeroPoint: 0 };
    }
    multiply(layer, finish, count, integerRows, scales, to);
    if (width === n) out.set(u8.subarray(to, to + count * n), row * n);
    else for (let r = 0; r < count; r++) copyBytes(out, (row + r) * n, u8, to + r * width, n);
  }
  memory.free(copy);
  return isDone;
}

function copyBytes(to: Uint8Array, toAt: number, from: Uint8Array, fromAt: number, count: number): void {
  if (count < MIN_SET) for (let i = 0; i < count; i++) to[toAt + i] = from[fromAt + i]!;
  else to.set(from.subarray(fromAt, fromAt + count), toAt);
}
