/** @file Fourier transforms of float32 on the WebAssembly kernels, four lines at a time. Upstream: none. Spec: none. */
import { rootOfUnity } from "../fft.ts";
import { family, kernelChoice, wasmKernels, type Kernels } from "./build.ts";
import { copyElements32 } from "./copies.ts";
import { addressIn, MAX_STAGED, stagedElements } from "./finish.ts";
import { ELEMENT_BYTES, RADICES, type Radix } from "./fourier_programs.ts";
import { KeptBlock } from "./kept_block.ts";
import { runTasks, threadAreas } from "./parallel.ts";

/** Forward: powers of exp(-i); backward: of exp(i). */
export type Direction = -1 | 1;

/** See fourier_programs.ts. */
interface FourierKernels
  extends
    Readonly<
      Record<
        `pass${Radix}`,
        (to: number, from: number, delta: number, leg: number, step: number, count: number, twiddles: number) => void
      >
    >,
    Readonly<Record<`last${Radix}`, (to: number, from: number, delta: number, leg: number) => void>> {
  enterRows(to: number, row0: number, row1: number, row2: number, row3: number, count: number): void;
  enterWindow(to: number, row0: number, row1: number, row2: number, row3: number, count: number, window: number): void;
  leaveRows(
    from: number,
    count: number,
    row0: number,
    row1: number,
    row2: number,
    row3: number,
    re: number,
    im: number,
  ): void;
  enterLines(
    to: number,
    line0: number,
    line1: number,
    line2: number,
    line3: number,
    stride: number,
    count: number,
  ): void;
  leaveLines(
    from: number,
    count: number,
    line0: number,
    line1: number,
    line2: number,
    line3: number,
    stride: number,
    re: number,
    im: number,
  ): void;
  splitReal(at: number, end: number, roots: number): void;
  joinReal(at: number, end: number, roots: number): void;
}

/** The kernels of transforms, three modules, or undefined where the reference is to run. */
function fourierKernels(): FourierKernels | undefined {
  const even = family("fourier2", (exports) => exports);
  const odd = even && family("fourier35", (exports) => exports);
  return odd && family("fourier", (exports) => ({ ...exports, ...even, ...odd }) as unknown as FourierKernels);
}

/** Longest transform: the work areas of four lines take 64 bytes an element. */
const MAX_LENGTH = 1 << 18;
/** Elements of lines from which a call pays. */
const MIN_ELEMENTS = 128;
/** Numbers that pass through areas at a time, for each thread. */
const ROUND_ELEMENTS = 1 << 16;
/** Elements of lines that one task transforms. */
const TASK_ELEMENTS = 1 << 12;

function radicesOf(length: number): Radix[] | undefined {
  const radices: Radix[] = [];
  let rest = length;
  for (const radix of RADICES) for (; rest % radix === 0; rest /= radix) radices.push(radix);
  return rest === 1 ? radices : undefined;
}

/** Whether there are passes for a length. */
export function isFourierLength(length: number): boolean {
  return length >= 1 && length <= MAX_LENGTH && radicesOf(length) !== undefined;
}

interface Pass {
  readonly radix: Radix;
  /** Bytes between the elements that go into a group, and between those that come out. */
  readonly leg: number;
  readonly step: number;
  /** Groups of twiddles: 1 where there are none. */
  readonly count: number;
  readonly twiddles: number;
}

/** What transforms of one length need, in the kernels' memory. */
interface Plan {
  readonly passes: readonly Pass[];
  /** Roots for `splitReal` and `joinReal` of twice as many real numbers. */
  readonly roots: number;
  /** Held, not used. */
  readonly block: KeptBlock;
}

const MAX_PLANS = 32;
const plans = new Map<number, Plan>();
let plansChoice = -1;

/** The plan of a length that has passes, made at its first use; undefined where there is no room. */
function planOf(kernels: Kernels, length: number): Plan | undefined {
  if (plansChoice !== kernelChoice()) plans.clear();
  plansChoice = kernelChoice();
  const known = plans.get(length);
  if (known) return known;
  const { memory } = kernels;
  const words: number[] = [];
  const root = (k: number, n: number): void => {
    const [cos, sin] = rootOfUnity(k % n, n);
    words.push(cos, -sin);
  };
  const passes: Pass[] = [];
  let rest = length;
  for (const radix of radicesOf(length) ?? []) {
    const twiddles = words.length;
    const count = rest / radix;
    if (count > 1) for (let p = 0; p < count; p++) for (let k = 1; k < radix; k++) root(p * k, rest);
    passes.push({
      radix,
      leg: (length / radix) * ELEMENT_BYTES,
      step: (length / rest) * ELEMENT_BYTES,
      count,
      twiddles,
    });
    rest = count;
  }
  const roots = words.length;
  for (let k = 1; k <= length >> 1; k++) root(k, 2 * length);
  const before = memory.used;
  const at = memory.allocate(4 * words.length);
  if (at === 0) return undefined;
  memory.f32.set(words, at / 4);
  const plan: Plan = {
    passes: passes.map((pass) => ({ ...pass, twiddles: at + 4 * pass.twiddles })),
    roots: at + 4 * roots,
    block: new KeptBlock(memory, at, memory.used - before),
  };
  if (plans.size >= MAX_PLANS) plans.clear();
  plans.set(length, plan);
  return plan;
}

/** Transforms four lines in the area `from`, with the help of `to`. Returns the area of the results, one of the two. */
function transformFour(run: FourierKernels, { passes }: Plan, from: number, to: number, sign: Direction): number {
  const [shift, delta] = sign === 1 ? [16, -16] : [0, 16];
  for (const { radix, leg, step, count, twiddles } of passes) {
    if (count === 1) run[`last${radix}`](to + shift, from + shift, delta, leg);
    else run[`pass${radix}`](to + shift, from + shift, delta, leg, step, count, twiddles);
    [from, to] = [to, from];
  }
  return from;
}

/** Lines of an array: `inner` of them side by side in each of `outer` units. Counts are of floats. */
interface Side {
  readonly array: Float32Array;
  /** Beginning of the first unit. */
  readonly start: number;
  /** From one unit to the next, and what a unit takes. */
  readonly unit: number;
  readonly extent: number;
}

/** The addresses of the lines of a block, four at a time: those behind the last are the last once more. */
type FourLines = (base: number, unit: number, first: number, r: number) => number;

/**
 * Calls `four` for every four lines, with the addresses of where they come from and go to; what lies elsewhere passes through areas.
 * @param inner lines of a unit. @param length elements of a line in the work areas, of which there are two.
 */
function eachFour(
  kernels: Kernels,
  from: Side,
  to: Side,
  outer: number,
  inner: number,
  length: number,
  four: (a: number, b: number, source: (r: number) => number, target: (r: number) => number) => void,
): boolean {
  const { memory, pool } = kernels;
  const isHere = memory.addressOf(from.array) !== 0 && memory.addressOf(to.array) !== 0;
  const some = Math.max(1, Math.ceil(4 / inner), Math.floor(ROUND_ELEMENTS / Math.max(from.unit, to.unit)));
  const round = isHere ? outer : Math.min(outer, some * (pool?.threads ?? 1));
  const extentOf = (side: Side, units: number): number => (units - 1) * side.unit + side.extent;
  const staged = [
    stagedElements(kernels, from.array, extentOf(from, round)),
    stagedElements(kernels, to.array, extentOf(to, round)),
  ] as const;
  if (Math.max(...staged) > MAX_STAGED) return false;
  const areas = memory.arena(...staged);
  const words = ((length + 1) * ELEMENT_BYTES) / 4;
  const own = areas && threadAreas(kernels, words, words);
  if (own) {
    const [source, target] = areas as [number, number];
    const [a, b] = own.at as [number, number];
    const address: FourLines = (base, unit, line, last) => {
      const at = Math.min(line, last);
      return inner === 1 ? base + 4 * unit * at : base + 4 * unit * Math.floor(at / inner) + 8 * (at % inner);
    };
    for (let start = 0; start < outer; start += round) {
      const units = Math.min(round, outer - start);
      const read = addressIn(kernels, from.array, from.start + start * from.unit, extentOf(from, units), source);
      const write = memory.addressAt(to.array, to.start + start * to.unit) || target;
      const lines = units * inner;
      const perTask = 4 * Math.max(1, Math.floor(TASK_ELEMENTS / (4 * length)));
      runTasks(
        kernels,
        Math.ceil(lines / perTask),
        (_, task) => {
          const end = Math.min(lines, (task + 1) * perTask);
          for (let line = task * perTask; line < end; line += 4)
            four(
              a,
              b,
              (r) => address(read, from.unit, line + r, lines - 1),
              (r) => address(write, to.unit, line + r, lines - 1),
            );
        },
        own,
      );
      if (staged[1] > 0)
        copyElements32(to.array, to.start + start * to.unit, memory.f32, target / 4, extentOf(to, units));
    }
    memory.free(own.start);
  }
  if (areas) memory.free(areas[0]!);
  return own !== undefined;
}

/** Kernels and plan for transforms of `length` elements, `lines` of them. Undefined where the reference is to run. */
function prepare(
  length: number,
  lines: number,
): { readonly kernels: Kernels; readonly run: FourierKernels; readonly plan: Plan } | undefined {
  if (length * lines < MIN_ELEMENTS || !isFourierLength(length)) return undefined;
  const [kernels, run] = [wasmKernels(), fourierKernels()];
  const plan = kernels && run && planOf(kernels, length);
  return plan && { kernels, run, plan };
}

/**
 * Transforms the lines along the middle dimension of complex numbers (outer, length, inner) and multiplies them; `out` may be `x`. Returns
 * false where the reference is to run.
 */
export function wasmFourier(
  x: Float32Array,
  out: Float32Array,
  outer: number,
  length: number,
  inner: number,
  sign: Direction,
  scale: number,
): boolean {
  const ready = prepare(length, outer * inner);
  if (!ready) return false;
  const { kernels, run, plan } = ready;
  const unit = 2 * length * inner;
  const side = (array: Float32Array): Side => ({ array, start: 0, unit, extent: unit });
  return eachFour(kernels, side(x), side(out), outer, inner, length, (a, b, source, target) => {
    if (inner === 1) run.enterRows(a, source(0), source(1), source(2), source(3), 2 * length);
    else run.enterLines(a, source(0), source(1), source(2), source(3), 8 * inner, length);
    const done = transformFour(run, plan, a, b, sign);
    if (inner === 1) run.leaveRows(done, 2 * length, target(0), target(1), target(2), target(3), scale, scale);
    else run.leaveLines(done, length, target(0), target(1), target(2), target(3), 8 * inner, scale, scale);
  });
}

/** Rows of real numbers in an array, that may overlap. */
export interface RealRows {
  readonly array: Float32Array;
  readonly start: number;
  /** From one row to the next. */
  readonly step: number;
  /** What the numbers are multiplied by before. */
  readonly window?: Float32Array | undefined;
}

/**
 * Transforms rows of an even `length` of real numbers to the non-redundant half of a complex row, length / 2 + 1 numbers, from
 * out[outAt] on; backward is the conjugate. Returns false where the reference is to run.
 */
export function wasmRealFourier(
  x: RealRows,
  out: Float32Array,
  outAt: number,
  rows: number,
  length: number,
  sign: Direction,
  scale: number,
): boolean {
  const half = length / 2;
  const ready = prepare(half, rows);
  if (!ready) return false;
  const { kernels, run, plan } = ready;
  const table = x.window ? kernels.memory.arena(length) : undefined;
  if (x.window && !table) return false;
  const window = table?.[0] ?? 0;
  if (x.window) copyElements32(kernels.memory.f32, window / 4, x.window, 0, length);
  const from: Side = { array: x.array, start: x.start, unit: x.step, extent: length };
  const to: Side = { array: out, start: outAt, unit: length + 2, extent: length + 2 };
  const isDone = eachFour(kernels, from, to, rows, 1, half + 1, (a, b, source, target) => {
    if (window === 0) run.enterRows(a, source(0), source(1), source(2), source(3), length);
    else run.enterWindow(a, source(0), source(1), source(2), source(3), length, window);
    const done = transformFour(run, plan, a, b, -1);
    run.splitReal(done, done + half * ELEMENT_BYTES, plan.roots);
    const [re, im] = [scale / 2, (-sign * scale) / 2];
    run.leaveRows(done, length + 2, target(0), target(1), target(2), target(3), re, im);
  });
  if (window !== 0) kernels.memory.free(window);
  return isDone;
}

/**
 * Transforms the non-redundant half of complex rows backward, to rows of an even `length` of real numbers. Returns false where the
 * reference is to run.
 */
export function wasmFourierToReal(
  x: Float32Array,
  out: Float32Array,
  rows: number,
  length: number,
  scale: number,
): boolean {
  const half = length / 2;
  const ready = prepare(half, rows);
  if (!ready) return false;
  const { kernels, run, plan } = ready;
  const from: Side = { array: x, start: 0, unit: length + 2, extent: length + 2 };
  const to: Side = { array: out, start: 0, unit: length, extent: length };
  return eachFour(kernels, from, to, rows, 1, half + 1, (a, b, source, target) => {
    run.enterRows(a, source(0), source(1), source(2), source(3), length + 2);
    run.joinReal(a, a + half * ELEMENT_BYTES, plan.roots);
    const done = transformFour(run, plan, a, b, 1);
    run.leaveRows(done, length, target(0), target(1), target(2), target(3), scale, scale);
  });
}
