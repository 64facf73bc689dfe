/** @file Operators on small plain float32 tensors: short ways that give undefined where the general kernel is to run. Upstream: none. Spec: none.
 *
 * Note [Short ways]: a small operator costs what its checks and objects cost. These take the cases that scripts are made of (plain float32, equal
 * shapes, numbers, few rows) straight to a loop; every result is what the general kernel gives, to the bit, except for the order of a sum. */
import { DTYPES } from "./dtype.ts";
import type { Loop1, Loop2 } from "./pointwise.ts";
import { Float } from "./scalar.ts";
import { allocateStorage } from "./storage.ts";
import { contiguousStrides, sameSizes } from "./strides.ts";
import { Tensor } from "./tensor.ts";
import type { SequenceBinary, SequenceUnary } from "./kernels/wasm/sequence_names.ts";
import { Sequence, type SequenceStep } from "./kernels/wasm/sequences.ts";
import { FEW_ROWS, multiplyRow, residentRows, type Resident } from "./kernels/wasm/row_vectors.ts";

const FLOAT32 = DTYPES.float32;
const BOOL = DTYPES.bool;
/** Elements up to which a short way runs: what shares a segment. More may be worth a vectorised kernel and a planned place. */
const MAX_ELEMENTS = 1024;

const NO_SIZES: readonly number[] = Object.freeze([]);

/** An uninitialised float32 tensor of a plain tensor's shape. */
export function emptyAs(t: Tensor): Tensor {
  return Tensor.like(t, allocateStorage(4 * t.numel));
}

/** Whether two tensors go element by element, and are small. */
export function matches(a: Tensor, b: Tensor): boolean {
  return a.isPlainFloat32 && b.isPlainFloat32 && sameSizes(a.sizes, b.sizes) && a.numel <= MAX_ELEMENTS && a.numel > 0;
}

/** Whether one tensor is small and plain. */
export function isSmall(a: Tensor): boolean {
  return a.isPlainFloat32 && a.numel <= MAX_ELEMENTS && a.numel > 0;
}

/** An operator of one tensor. */
export function smallUnary(loop: Loop1): (a: Tensor) => Tensor | undefined {
  return (a) => {
    if (!isSmall(a)) return undefined;
    const out = emptyAs(a);
    loop(out.storage.segment.f32, out.base32, a.storage.segment.f32, a.base32, a.numel);
    return out;
  };
}

/** An operator of two tensors of one shape. */
export function smallBinary(loop: Loop2): (a: Tensor, b: Tensor) => Tensor | undefined {
  return (a, b) => {
    if (!matches(a, b)) return undefined;
    const out = emptyAs(a);
    const [x, y] = [a.storage.segment.f32, b.storage.segment.f32];
    loop(out.storage.segment.f32, out.base32, x, a.base32, 1, y, b.base32, 1, a.numel);
    return out;
  };
}

/** Operands that are numbers, rounded as a 0-dim tensor would be. */
const NUMBER = new Float32Array(1);

/** Whether a dynamic scalar is an int or a float. */
function isReal(value: unknown): value is number | Float {
  return typeof value === "number" || value instanceof Float;
}

/** An operator of a tensor and a number. */
export function smallScalar(loop: Loop2): (a: Tensor, b: unknown) => Tensor | undefined {
  return (a, b) => {
    if (!isReal(b) || !isSmall(a)) return undefined;
    NUMBER[0] = Number(b);
    const out = emptyAs(a);
    loop(out.storage.segment.f32, out.base32, a.storage.segment.f32, a.base32, 1, NUMBER, 0, 0, a.numel);
    return out;
  };
}

/** Comparisons with a number, by operator. */
export const COMPARISONS = {
  gt: (a, b) => a > b,
  lt: (a, b) => a < b,
  ge: (a, b) => a >= b,
  le: (a, b) => a <= b,
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
} as const satisfies Record<string, (a: number, b: number) => boolean>;

const TRUE: readonly unknown[] = [true];
const FALSE: readonly unknown[] = [false];

/** The truth of a comparison of a number with a tensor's one element, or with the sum of its elements: what scripts decide by. */
export class SmallDecision {
  private readonly sums: boolean;
  private readonly test: (a: number, b: number) => boolean;
  private readonly number: number;

  constructor(sums: boolean, comparison: keyof typeof COMPARISONS, number: number) {
    this.sums = sums;
    this.test = COMPARISONS[comparison];
    this.number = Math.fround(number);
  }

  /** One bool, or undefined for a tensor that is not small and plain. */
  run(values: readonly unknown[]): readonly unknown[] | undefined {
    const a = values[0];
    if (!(a instanceof Tensor) || !isSmall(a) || (a.numel !== 1 && !this.sums)) return undefined;
    return this.test(Math.fround(sumOf(a)), this.number) ? TRUE : FALSE;
  }
}

/** A comparison with a number. */
export function smallComparison(
  test: (a: number, b: number) => boolean,
): (a: Tensor, b: unknown) => Tensor | undefined {
  return (a, b) => {
    if (!isReal(b) || !isSmall(a)) return undefined;
    const n = a.numel;
    const out = Tensor.like(a, allocateStorage(n));
    out.dtype = BOOL;
    const y = out.storage.segment.u8;
    const x = a.storage.segment.f32;
    const from = a.base32;
    const to = out.base0;
    const number = Math.fround(Number(b));
    for (let i = 0; i < n; i++) y[to + i] = test(x[from + i]!, number) ? 1 : 0;
    return out;
  };
}

function sumOf(a: Tensor): number {
  const x = a.storage.segment.f32;
  let total = 0;
  for (let i = a.base32, end = i + a.numel; i < end; i++) total += x[i]!;
  return total;
}

/** The sum of all elements. */
export function smallSum(a: Tensor): Tensor | undefined {
  if (!isSmall(a)) return undefined;
  const total = sumOf(a);
  const out = new Tensor(allocateStorage(4), FLOAT32, NO_SIZES, NO_SIZES, 0);
  out.storage.segment.f32[out.base32] = total;
  return out;
}

/** Truth of a plain one-element bool tensor; undefined for others. */
export function smallTruth(a: Tensor): boolean | undefined {
  return a.dtype === BOOL && a.numel === 1 ? a.storage.segment.u8[a.base0] !== 0 : undefined;
}

/** Multiplications of a product that needs no vector kernel. */
const MAX_SCALAR_WORK = 2048;

/** How rows are multiplied by a weight: where it is resident, by a plain loop, or not here. */
type Way = Resident | "scalar" | undefined;

function wayOf(weight: Tensor, rows: number): Way {
  if (rows * weight.numel <= MAX_SCALAR_WORK) return "scalar";
  return rows <= FEW_ROWS ? residentRows(weight) : undefined;
}

/** y = x @ weight.T + bias for rows that lie one behind the other. */
function multiplyRows(
  way: Resident | "scalar",
  weight: Tensor,
  bias: Tensor | null,
  rows: number,
  x: Float32Array,
  xAt: number,
  y: Float32Array,
  yAt: number,
): boolean {
  const n = weight.sizes[0]!;
  const k = weight.sizes[1]!;
  const b = bias === null ? undefined : bias.storage.segment.f32;
  const biasAt = bias === null ? 0 : bias.base32;
  if (way !== "scalar") {
    for (let r = 0; r < rows; r++, xAt += k, yAt += n) if (!multiplyRow(way, x, xAt, b, biasAt, y, yAt)) return false;
    return true;
  }
  const w = weight.storage.segment.f32;
  const start = weight.base32;
  for (let r = 0; r < rows; r++, xAt += k, yAt += n) {
    let j = 0;
    // four sums at a time: one waits for its own last addition
    for (let at = start; j + 4 <= n; j += 4, at += 3 * k) {
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let p = 0; p < k; p++, at++) {
        const v = x[xAt + p]!;
        s0 += v * w[at]!;
        s1 += v * w[at + k]!;
        s2 += v * w[at + 2 * k]!;
        s3 += v * w[at + 3 * k]!;
      }
      const to = yAt + j;
      y[to] = s0;
      y[to + 1] = s1;
      y[to + 2] = s2;
      y[to + 3] = s3;
    }
    for (let at = start + j * k; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++, at++) sum += x[xAt + p]! * w[at]!;
      y[yAt + j] = sum;
    }
    if (b !== undefined) for (j = 0; j < n; j++) y[yAt + j]! += b[biasAt + j]!;
  }
  return true;
}

/** Whether a bias of `n` elements is missing or plain. */
function isBias(bias: Tensor | null, n: number): boolean {
  return bias === null || (bias.sizes.length === 1 && bias.numel === n && bias.isPlainFloat32);
}

/** `input @ weight.T + bias` with few rows, for one place of a program. */
export function smallLinear(): (input: Tensor, weight: Tensor, bias: Tensor | null) => Tensor | undefined {
  // the shape of the last result: the next one is most often of the same
  let lastSizes: readonly number[] | undefined;
  let lastN = 0;
  let shape: readonly number[] = NO_SIZES;
  let strides: readonly number[] = NO_SIZES;
  return (input, weight, bias) => {
    const { sizes } = input;
    const dims = sizes.length;
    if (dims === 0 || weight.sizes.length !== 2 || !input.isPlainFloat32 || !weight.isPlainFloat32) return undefined;
    const n = weight.sizes[0]!;
    const k = weight.sizes[1]!;
    const rows = input.numel / k;
    if (!(rows >= 1) || n === 0 || sizes[dims - 1] !== k || !isBias(bias, n)) return undefined;
    const way = wayOf(weight, rows);
    if (way === undefined) return undefined;
    if (sizes !== lastSizes || n !== lastN) {
      shape = [...sizes.slice(0, -1), n];
      strides = contiguousStrides(shape);
      lastSizes = sizes;
      lastN = n;
    }
    const out = new Tensor(allocateStorage(4 * rows * n), FLOAT32, shape, strides, 0);
    const x = input.storage.segment.f32;
    const y = out.storage.segment.f32;
    return multiplyRows(way, weight, bias, rows, x, input.base32, y, out.base32) ? out : undefined;
  };
}

/** A recurrent cell of one place of a program: the new states, or undefined where the general kernel is to run. */
export type SmallCell = (
  states: readonly Tensor[],
  input: Tensor,
  wIh: Tensor,
  wHh: Tensor,
  bIh: Tensor | null,
  bHh: Tensor | null,
) => Tensor[] | undefined;

/** Writes the steps of a cell; values are numbered as they are made. */
class CellSteps {
  readonly steps: SequenceStep[] = [];
  private count: number;
  constructor(inputs: number) {
    this.count = inputs;
  }
  private add(step: SequenceStep): number {
    this.steps.push(step);
    return this.count++;
  }
  unary(name: SequenceUnary, a: number): number {
    return this.add({ op: "unary", name, a });
  }
  binary(name: SequenceBinary, a: number, b: number): number {
    return this.add({ op: "binary", name, a, b });
  }
  /** The gates of a product, side by side. */
  gates(x: number, weight: number, bias: number, count: number): number[] {
    const product = this.add({ op: "linear", x, weight, bias });
    const first = this.add({ op: "parts", x: product, count, size: undefined, dim: 1 });
    this.count = first + count;
    return Array.from({ length: count }, (_, i) => first + i);
  }
}

/** A cell as a sequence: its inputs are the input, the states, both weights and both biases. */
function smallCell(
  states: number,
  gates: number,
  write: (c: CellSteps, input: readonly number[], state: readonly number[]) => readonly number[],
): SmallCell {
  const c = new CellSteps(states + 5);
  const [wIh, wHh, bIh, bHh] = [states + 1, states + 2, states + 3, states + 4];
  const outs = write(c, c.gates(0, wIh, bIh, gates), c.gates(1, wHh, bHh, gates));
  // whatever it costs: the general kernel costs more
  const sequence = new Sequence(c.steps, outs, 0);
  return (hx, input, ...weights) => {
    // biases come in pairs or not at all
    const fits = input.sizes.length === 2 && hx.length === states && (weights[2] === null) === (weights[3] === null);
    return fits && hx.every((h) => h.sizes.length === 2) ? sequence.run([input, ...hx, ...weights]) : undefined;
  };
}

/** One step of a GRU: n + z * (h - n). */
export function smallGruCell(): SmallCell {
  return smallCell(1, 3, (c, [rIn, zIn, nIn], [rState, zState, nState]) => {
    const h = 1;
    const r = c.unary("sigmoid", c.binary("add", rIn!, rState!));
    const z = c.unary("sigmoid", c.binary("add", zIn!, zState!));
    const n = c.unary("tanh", c.binary("add", nIn!, c.binary("mul", r, nState!)));
    return [c.binary("add", n, c.binary("mul", z, c.binary("sub", h, n)))];
  });
}

/** One step of an LSTM: the new state and cell. */
export function smallLstmCell(): SmallCell {
  return smallCell(2, 4, (c, input, state) => {
    const cell = 2;
    const [i, f, g, o] = input.map((gate, k) => c.binary("add", gate, state[k]!)) as [number, number, number, number];
    const kept = c.binary("mul", c.unary("sigmoid", f), cell);
    const next = c.binary("add", kept, c.binary("mul", c.unary("sigmoid", i), c.unary("tanh", g)));
    return [c.binary("mul", c.unary("sigmoid", o), c.unary("tanh", next)), next];
  });
}

/** A view of a tensor that is dense in memory and on the CPU; nothing but geometry changes. */
function viewAs(self: Tensor, sizes: readonly number[], strides: readonly number[], offset: number): Tensor {
  const view = new Tensor(self.storage, self.dtype, sizes, strides, offset);
  view.takeTraits(self);
  view.base = self.base ?? self;
  return view;
}

function without(values: readonly number[], d: number): readonly number[] {
  return [...values.slice(0, d), ...values.slice(d + 1)];
}

/** self[index] along a dimension, for one place of a program. */
export function smallSelect(): (self: Tensor, dim: number, index: number) => Tensor | undefined {
  // the geometry of the last result
  let lastSizes: readonly number[] | undefined;
  let lastStrides: readonly number[] | undefined;
  let lastDim = -1;
  let newSizes: readonly number[] = NO_SIZES;
  let newStrides: readonly number[] = NO_SIZES;
  return (self, dim, index) => {
    const { sizes, strides } = self;
    const dims = sizes.length;
    const d = dim < 0 ? dim + dims : dim;
    if (d < 0 || d >= dims || self.sparse !== undefined || self.quantizer !== undefined) return undefined;
    const size = sizes[d]!;
    const at = index < 0 ? index + size : index;
    if (!(at >= 0 && at < size)) return undefined;
    if (sizes !== lastSizes || strides !== lastStrides || d !== lastDim) {
      newSizes = without(sizes, d);
      newStrides = without(strides, d);
      lastSizes = sizes;
      lastStrides = strides;
      lastDim = d;
    }
    return viewAs(self, newSizes, newStrides, self.storageOffset + at * strides[d]!);
  };
}

/** Equal parts along a dimension; undefined unless it divides evenly. */
export function smallChunk(self: Tensor, chunks: number, dim: number): Tensor[] | undefined {
  const { sizes, strides } = self;
  const dims = sizes.length;
  const d = dim < 0 ? dim + dims : dim;
  if (d < 0 || d >= dims || self.sparse !== undefined || self.quantizer !== undefined) return undefined;
  const size = sizes[d]!;
  if (!(chunks > 0) || size === 0 || size % chunks !== 0) return undefined;
  const part = size / chunks;
  const shape = sizes.slice();
  shape[d] = part;
  const step = part * strides[d]!;
  const out: Tensor[] = [];
  // the parts share their sizes and strides, which nobody writes to
  for (let c = 0, at = self.storageOffset; c < chunks; c++, at += step) out.push(viewAs(self, shape, strides, at));
  return out;
}
