/** @file Arithmetic of float32 arrays and normalisation of rows on the WebAssembly kernels. Upstream: none. Spec: none. */
import { MIN_OWN, ownLoop } from "../../own_loops.ts";
import type { Loop2, Loop3, RowsLoop2 } from "../../pointwise.ts";
import {
  broadcastKernels,
  elementKernels,
  family,
  shortKernels,
  wasmKernels,
  type BinaryKernel,
  type Kernels,
} from "./build.ts";
import { copyElements32 } from "./copies.ts";
import {
  BINARY_STEP,
  BINARY_VECTORS,
  type BinaryVector,
  type ShortBinary,
  type TernaryVector,
} from "./element_programs.ts";
import { runTasks } from "./parallel.ts";

/** Elements from which a call pays. */
const MIN_ELEMENTS = 512;
/** Elements of a task. */
const TASK_ELEMENTS = 1 << 16;
/** Elements that are copied into the kernels' memory at a time. */
const BLOCK = 1 << 12;
/** Bytes from one area to the next: more than a block, as elements a multiple of 4 KiB apart wait for each other. */
const AREA_BYTES = 4 * BLOCK + 192;
/** Elements of a row up to which a loop copies them faster than a view of it. */
const MAX_LOOP = 47;
/** Elements of a row: fewer do not pay, for more float32 sums lose too much. */
const MIN_COLUMNS = 16;
const MAX_COLUMNS = 1 << 16;

/** The loop of an operation: the kernel where it pays, else `plain`. */
export function binaryLoop(name: BinaryVector | ShortBinary, plain: Loop2): Loop2 {
  const kernel = (): BinaryKernel | undefined =>
    name in BINARY_VECTORS ? elementKernels()?.[name as BinaryVector] : shortKernels()?.[name as ShortBinary];
  return (out, o, a, ai, as, b, bi, bs, n) => {
    const run = n < MIN_ELEMENTS || as > 1 || bs > 1 || !wasmKernels() ? undefined : kernel();
    if (!run) {
      plain(out, o, a, ai, as, b, bi, bs, n);
      return;
    }
    const whole = n - (n % BINARY_STEP);
    const operands = [
      { array: a, at: ai, step: as },
      { array: b, at: bi, step: bs },
    ];
    const isDone = mapArrays(out, o, operands, whole, (to, [x, y], count) =>
      run(to, x!, 16 * as, y!, 16 * bs, count / BINARY_STEP),
    );
    const done = isDone ? whole : 0;
    plain(out, o + done, a, ai + done * as, as, b, bi + done * bs, bs, n - done);
  };
}

/** An array that a kernel reads, element by element, every `step` elements one, or the same one all the time with a step of 0. */
interface ArrayOperand {
  readonly array: Float32Array;
  readonly at: number;
  readonly step: number;
}

/**
 * Runs a kernel over `n` elements, a multiple of BINARY_STEP: where they lie if that is in the kernels' memory, else some at a time through
 * areas of it. An operand that stays the same is a vector of it. False where there is no room.
 */
export function mapArrays(
  out: Float32Array | Uint8Array,
  o: number,
  operands: readonly ArrayOperand[],
  n: number,
  run: (to: number, from: readonly number[], count: number) => void,
): boolean {
  const kernels = wasmKernels()!;
  const { memory } = kernels;
  const blocks = memory.arena(...operands.map(() => BLOCK), BLOCK);
  if (!blocks) return false;
  const { f32 } = memory;
  const to = memory.addressAt(out, o);
  const size = out.BYTES_PER_ELEMENT;
  const places = operands.map(({ array, at, step }, k) => {
    const block = blocks[k]!;
    if (step === 0) f32.fill(array[at]!, block / 4, block / 4 + 4);
    const here = step === 0 ? block : step === 1 ? memory.addressAt(array, at) : 0;
    return { array, at, step, here, block, bytes: step * array.BYTES_PER_ELEMENT };
  });
  if (to !== 0 && places.every(({ here }) => here !== 0)) {
    runTasks(kernels, Math.ceil(n / TASK_ELEMENTS), (_, task) => {
      const first = task * TASK_ELEMENTS;
      const from = places.map(({ here, bytes }) => here + first * bytes);
      run(to + size * first, from, Math.min(TASK_ELEMENTS, n - first));
    });
  } else {
    for (let first = 0; first < n; first += BLOCK) {
      const count = Math.min(BLOCK, n - first);
      const from = places.map(({ array, at, step, here, block, bytes }) => {
        if (here !== 0) return here + first * bytes;
        if (step === 1) copyElements32(f32, block / 4, array, at + first, count);
        else for (let i = 0, j = at + first * step; i < count; i++, j += step) f32[block / 4 + i] = array[j]!;
        return block;
      });
      run(to === 0 ? blocks.at(-1)! : to + size * first, from, count);
      if (to !== 0) continue;
      if (out instanceof Float32Array) copyElements32(out, o + first, f32, blocks.at(-1)! / 4, count);
      else out.set(memory.segment.u8.subarray(blocks.at(-1), blocks.at(-1)! + count), o + first);
    }
  }
  memory.free(blocks[0]!);
  return true;
}

/** See ternaryProgram. */
type TernaryKernels = Readonly<
  Record<
    TernaryVector,
    (
      to: number,
      a: number,
      aStep: number,
      b: number,
      bStep: number,
      c: number,
      cStep: number,
      steps: number,
      value: number,
    ) => void
  >
>;

/** The loop of an operation on three operands, with its number: the kernel where it pays, else a loop of `f`'s own. */
export function ternaryLoop(name: TernaryVector, f: (a: number, b: number, c: number) => number, value = 1): Loop3 {
  /** How many elements the kernel computes: the rest is left. */
  const byKernel: (...of: Parameters<Loop3>) => number = (out, o, x, at, steps, n) => {
    const isPlain = steps.every((step) => step <= 1) && wasmKernels();
    const run = isPlain ? family("moduli", (exports) => exports as unknown as TernaryKernels)?.[name] : undefined;
    if (!run) return 0;
    const whole = n - (n % BINARY_STEP);
    const operands = x.map((array, k) => ({ array, at: at[k]!, step: steps[k]! }));
    const [as, bs, cs] = steps.map((step) => 16 * step) as [number, number, number];
    const isDone = mapArrays(out, o, operands, whole, (to, [a, b, c], count) =>
      run(to, a!, as, b!, bs, c!, cs, count / 4, value),
    );
    return isDone ? whole : 0;
  };
  return (out, o, x, at, steps, n) => {
    const done = n < MIN_ELEMENTS ? 0 : byKernel(out, o, x, at, steps, n);
    const rest = n - done;
    const from = done === 0 ? at : at.map((start, k) => start + done * steps[k]!);
    const loop = rest < MIN_OWN ? undefined : ownLoop(name, f, "fff", "f", rest, steps);
    if (loop) {
      loop(f, 1, rest, out, o + done, 0, x, from, steps, [0, 0, 0]);
      return;
    }
    const a = x[0]!;
    const b = x[1]!;
    const c = x[2]!;
    for (let i = 0; i < rest; i++)
      out[o + done + i] = f(a[from[0]! + i * steps[0]!]!, b[from[1]! + i * steps[1]!]!, c[from[2]! + i * steps[2]!]!);
  };
}

/** The loop of a + factor b, rounded once. */
export function scaledSum(factor: number): Loop2 {
  const loop = ternaryLoop("addcmul", (a, b, c) => a + b * c);
  const factors = Float32Array.of(factor);
  return (out, o, a, ai, as, b, bi, bs, n) =>
    loop(out as Float32Array, o, [a, b, factors], [ai, bi, 0], [as, bs, 0], n);
}

/** One operand of rows: those of `columns` elements, or of a single one that is repeated (a step of 0), `ld` elements apart. */
interface RowOperand {
  readonly array: Float32Array;
  readonly at: number;
  readonly step: number;
  readonly ld: number;
}

/** The loop of an operation over rows: where they lie if that is in the kernels' memory, else some rows at a time through areas of it. */
export function binaryRows(name: BinaryVector): RowsLoop2 {
  const [ofRows, ofNumbers] = [`${name}Rows`, `${name}Numbers`] as const;
  return (out, o, a, ai, as, lda, b, bi, bs, ldb, columns, rows) => {
    if (rows * columns < MIN_ELEMENTS || columns < 4 || as > 1 || bs > 1 || as + bs === 0) return false;
    // the second operand is the one that may be a number; a sum and a product do not mind
    if (as === 0 && (name === "sub" || name === "div")) return false;
    const kernels = out instanceof Float32Array ? wasmKernels() : undefined;
    const run = kernels && broadcastKernels()?.[as === bs ? ofRows : ofNumbers];
    if (!run) return false;
    const first = { array: a, at: ai, step: as, ld: lda };
    const second = { array: b, at: bi, step: bs, ld: ldb };
    return as === 0
      ? mapRows(kernels, run, out as Float32Array, o, second, first, columns, rows)
      : mapRows(kernels, run, out as Float32Array, o, first, second, columns, rows);
  };
}

/** See broadcastKernels. */
type RowsKernel = (
  to: number,
  a: number,
  aBytes: number,
  b: number,
  bBytes: number,
  rows: number,
  columns: number,
) => void;

/** Elements from the first to the last of an operand. */
function extentOf({ ld, step }: RowOperand, columns: number, rows: number): number {
  return (rows - 1) * ld + (columns - 1) * step + 1;
}

/**
 * Runs a kernel over rows, see `binaryRows`. False where the rows are too long or there is no room. Calls for few rows are many where there
 * are three dimensions: their operands have names here and lie in no lists.
 */
function mapRows(
  kernels: Kernels,
  run: RowsKernel,
  out: Float32Array,
  o: number,
  a: RowOperand,
  b: RowOperand,
  columns: number,
  rows: number,
): boolean {
  const { memory } = kernels;
  const to = memory.addressAt(out, o);
  const aHere = memory.addressAt(a.array, a.at);
  const bHere = memory.addressAt(b.array, b.at);
  const aExtent = extentOf(a, columns, rows);
  const bExtent = extentOf(b, columns, rows);
  // what is short is copied once, what is longer some rows at a time
  const isACopied = aHere === 0 && aExtent <= BLOCK;
  const isBCopied = bHere === 0 && bExtent <= BLOCK;
  const isAPacked = aHere === 0 && !isACopied;
  const isBPacked = bHere === 0 && !isBCopied;
  const isWhole = to !== 0 && !isAPacked && !isBPacked;
  if (!isWhole && columns > BLOCK) return false;
  const area = isWhole && !isACopied && !isBCopied ? 0 : memory.allocate(3 * AREA_BYTES);
  if (area === 0 && !(isWhole && !isACopied && !isBCopied)) return false;
  const { f32 } = memory;
  const aArea = area;
  const bArea = area + AREA_BYTES;
  if (isACopied) copyElements32(f32, aArea / 4, a.array, a.at, aExtent);
  if (isBCopied) copyElements32(f32, bArea / 4, b.array, b.at, bExtent);
  const aFrom = isACopied ? aArea : aHere;
  const bFrom = isBCopied ? bArea : bHere;
  const aBytes = 4 * (isAPacked ? packedLd(a, columns) : a.ld);
  const bBytes = 4 * (isBPacked ? packedLd(b, columns) : b.ld);
  if (isWhole) {
    const share = Math.max(1, Math.floor(TASK_ELEMENTS / columns));
    runTasks(kernels, Math.ceil(rows / share), (_, task) => {
      const r = task * share;
      const count = Math.min(share, rows - r);
      run(to + 4 * r * columns, aFrom + r * aBytes, aBytes, bFrom + r * bBytes, bBytes, count, columns);
    });
  } else {
    const target = area + 2 * AREA_BYTES;
    const some = Math.max(1, Math.floor(BLOCK / columns));
    for (let r = 0; r < rows; r += some) {
      const count = Math.min(some, rows - r);
      if (isAPacked) packRows(f32, aArea / 4, a, r, count, columns);
      if (isBPacked) packRows(f32, bArea / 4, b, r, count, columns);
      const x = isAPacked ? aArea : aFrom + r * aBytes;
      const y = isBPacked ? bArea : bFrom + r * bBytes;
      run(to === 0 ? target : to + 4 * r * columns, x, aBytes, y, bBytes, count, columns);
      if (to === 0) copyElements32(out, o + r * columns, f32, target / 4, count * columns);
    }
  }
  if (area !== 0) memory.free(area);
  return true;
}

/** Elements between rows that `packRows` copied. */
const packedLd = ({ step }: RowOperand, columns: number): number => (step === 0 ? 1 : columns);

/** Copies `count` rows from row `r` on, one behind the other; of repeated elements one each. */
function packRows(
  f32: Float32Array,
  block: number,
  { array, at, step, ld }: RowOperand,
  r: number,
  count: number,
  columns: number,
): void {
  const start = at + r * ld;
  if (step === 0) for (let i = 0; i < count; i++) f32[block + i] = array[start + i * ld]!;
  else if (ld === columns) copyElements32(f32, block, array, start, count * columns);
  else if (columns > MAX_LOOP)
    for (let i = 0; i < count; i++) copyElements32(f32, block + i * columns, array, start + i * ld, columns);
  else
    for (let i = 0, to = block, from = start; i < count; i++, to += columns, from += ld)
      for (let j = 0; j < columns; j++) f32[to + j] = array[from + j]!;
}

/**
 * Normalises `rows` rows of `columns` elements; `weight` and `bias` are of a row. Mean and 1 / sqrt(variance + eps) of row r go to
 * moments[2 r] and moments[2 r + 1]. Returns false where the reference is to run.
 */
export function wasmLayerNorm(
  x: Float32Array,
  out: Float32Array,
  rows: number,
  columns: number,
  weight: Float32Array | undefined,
  bias: Float32Array | undefined,
  eps: number,
  moments: Float32Array,
): boolean {
  if (rows * columns < MIN_ELEMENTS || columns < MIN_COLUMNS || columns > MAX_COLUMNS) return false;
  const kernels = wasmKernels();
  const run = elementKernels()?.layerNorm;
  if (!kernels || !run) return false;
  const { memory } = kernels;
  const [from, to] = [memory.addressOf(x), memory.addressOf(out)];
  const isHere = from !== 0 && to !== 0;
  const some = isHere ? rows : Math.min(rows, Math.max(1, Math.floor(BLOCK / columns)));
  const areas = memory.arena(columns, columns, 2 * rows, isHere ? 0 : some * columns);
  if (!areas) return false;
  const [w, b, stats, block] = areas as [number, number, number, number];
  const { f32 } = memory;
  if (weight) copyElements32(f32, w / 4, weight, 0, columns);
  else f32.fill(1, w / 4, w / 4 + columns);
  if (bias) copyElements32(f32, b / 4, bias, 0, columns);
  else f32.fill(0, b / 4, b / 4 + columns);
  if (isHere) {
    const share = Math.max(1, Math.floor(TASK_ELEMENTS / columns));
    runTasks(kernels, Math.ceil(rows / share), (_, task) => {
      const first = task * share;
      const at = 4 * first * columns;
      run(to + at, from + at, Math.min(share, rows - first), columns, w, b, stats + 8 * first, eps);
    });
  } else {
    for (let r = 0; r < rows; r += some) {
      const count = Math.min(some, rows - r);
      copyElements32(f32, block / 4, x, r * columns, count * columns);
      run(block, block, count, columns, w, b, stats + 8 * r, eps);
      copyElements32(out, r * columns, f32, block / 4, count * columns);
    }
  }
  copyElements32(moments, 0, f32, stats / 4, 2 * rows);
  memory.free(w);
  return true;
}
