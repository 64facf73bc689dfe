/** @file Products of quantized values with the weights of linear layers on the WebAssembly kernels. Upstream: none. Spec: none. */
import type { Storage } from "../../storage.ts";
import { integerKernels, wasmKernels, type Kernels } from "./build.ts";
import { copyElements32 } from "./copies.ts";
import { INTEGER_COLUMNS, INTEGER_STEP, type IntegerFinish, type IntegerKernels } from "./integer_programs.ts";
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
  /** Where its panels begin, and how many rows they have together. */
  readonly address: number;
  readonly width: number;
  /** Elements of a row, with those that pad it. */
  readonly padded: number;
}

/** The layer, or undefined where another kernel is to run for so many rows. */
function layerFor(weights: IntegerWeights, rows: number): Layer | undefined {
  const { owner, key, n, k } = weights;
  if (rows * n * k < MIN_WORK || k > MAX_TERMS) return undefined;
  const kernels = wasmKernels();
  const integers = integerKernels();
  if (!kernels || !integers) return undefined;
  const padded = Math.ceil(k / INTEGER_STEP) * INTEGER_STEP;
  const width = Math.ceil(n / INTEGER_COLUMNS) * INTEGER_COLUMNS;
  const elements = width * padded;
  if (Math.max(elements, rows * k) > MAX_ELEMENTS) return undefined;
  const { memory } = kernels;
  const address = packedWeights(memory, owner, key, elements / 2, (to) => {
    const { i16 } = memory.segment;
    i16.fill(0, to / 2, to / 2 + elements);
    putPanels(i16, to / 2, weights.values(), n, k, padded);
    return true;
  });
  return address === 0 ? undefined : { kernels, integers, address, width, padded };
}

/** Rows of weights as panels, in zeros. */
function putPanels(to: Int16Array, at: number, from: Float64Array, n: number, k: number, padded: number): void {
  for (let row = 0, source = 0; row < n; row++) {
    const column = row % INTEGER_COLUMNS;
    const start = at + (row - column) * padded + 2 * column;
    for (let p = 0; p < k; p++) to[start + (p >> 1) * 2 * INTEGER_COLUMNS + (p & 1)] = from[source++]!;
  }
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

/** Results of `rows` rows of integers at `from`, to `to`. */
function multiply(layer: Layer, finish: Finish, rows: number, from: number, table: number, to: number): void {
  const { kernels, integers, address, width, padded } = layer;
  const { kind, scale, zeroPoint, low } = finish;
  const panels = width / INTEGER_COLUMNS;
  const panelBytes = 2 * INTEGER_COLUMNS * padded;
  const size = kind === "Floats" ? 4 : 1;
  const perTask = Math.max(1, Math.ceil(TASK_WORK / (INTEGER_COLUMNS * padded * rows)));
  runTasks(kernels, Math.ceil(panels / perTask), (_, task) => {
    const first = task * perTask;
    integers[`integers${kind}`](
      from,
      2 * padded,
      rows,
      address + panelBytes * first,
      panelBytes,
      Math.min(perTask, panels - first),
      to + size * INTEGER_COLUMNS * first,
      size * width,
      table + 8 * INTEGER_COLUMNS * first,
      scale,
      zeroPoint,
      low,
    );
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
  const layer = layerFor(weights, rows);
  if (!layer) return false;
  const { kernels, integers, padded, width } = layer;
  const { memory } = kernels;
  const { n, k, table } = weights;
  const block = blockRows(layer, rows);
  const given = memory.addressOf(x);
  const result = width === n ? memory.addressOf(out) : 0;
  const areas = memory.arena(
    given === 0 ? rows * k : 0,
    (block * padded) / 2,
    table.length,
    result === 0 ? block * width : 0,
    8,
  );
  if (!areas) return false;
  const [copy, quantized, scales, to, scratch] = areas as [number, number, number, number, number];
  const { f32 } = memory;
  const from = given || copy;
  if (given === 0) copyElements32(f32, copy / 4, x, 0, rows * k);
  copyElements32(f32, scales / 4, table, 0, table.length);
  const { scale, zeroPoint } = parameters(() => extremesAt(integers, f32, from, rows * k, scratch));
  const inverse = 1 / Math.fround(scale);
  for (let row = 0; row < rows; row += block) {
    const count = Math.min(block, rows - row);
    integers.quantize16(from + 4 * row * k, 4 * k, quantized, padded / INTEGER_STEP, count, inverse, zeroPoint);
    const y = result === 0 ? to : result + 4 * row * n;
    multiply(layer, { kind: "Floats", scale, zeroPoint: 0, low }, count, quantized, scales, y);
    if (result !== 0) continue;
    if (width === n) copyElements32(out, row * n, f32, to / 4, count * n);
    else for (let r = 0; r < count; r++) copyElements32(out, (row + r) * n, f32, to / 4 + r * width, n);
  }
  memory.free(copy);
  return true;
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
  const layer = layerFor(weights, rows);
  if (!layer) return false;
  const { kernels, integers, padded, width } = layer;
  const { memory } = kernels;
  const { n, k, table } = weights;
  const block = blockRows(layer, rows);
  const areas = memory.arena(Math.ceil((block * k) / 4), (block * padded) / 2, table.length, (block * width) / 4);
  if (!areas) return false;
  const [copy, centered, scales, to] = areas as [number, number, number, number];
  const { u8 } = memory.segment;
  copyElements32(memory.f32, scales / 4, table, 0, table.length);
  for (let row = 0; row < rows; row += block) {
    const count = Math.min(block, rows - row);
    u8.set(x.subarray(row * k, (row + count) * k), copy);
    integers.bytes16(copy, k, centered, padded / INTEGER_STEP, count, inputZero);
    multiply(layer, { kind: "Bytes", scale: 1, zeroPoint, low }, count, centered, scales, to);
    if (width === n) out.set(u8.subarray(to, to + count * n), row * n);
    else for (let r = 0; r < count; r++) copyBytes(out, (row + r) * n, u8, to + r * width, n);
  }
  memory.free(copy);
  return true;
}

function copyBytes(to: Uint8Array, toAt: number, from: Uint8Array, fromAt: number, count: number): void {
  if (count < MIN_SET) for (let i = 0; i < count; i++) to[toAt + i] = from[fromAt + i]!;
  else to.set(from.subarray(fromAt, fromAt + count), toAt);
}
