/** @file Recurrent layers over packed rows: LSTM, GRU, plain RNN. Upstream: aten/src/ATen/native/RNN.cpp. Spec: none.
 *
 * Note [Packed steps]: a sequence is rows of all steps one after another, step t with `batchSizes[t]` rows, sizes never growing.
 * The state keeps a row for every sequence: going forward, rows that ended keep their last state; going backward, rows that have
 * not begun keep their initial one. So one loop serves padded, packed and reversed sequences. */
import type { Floats } from "./data.ts";
import { rowProductFor } from "./gemm.ts";
import { UNARY } from "./unary.ts";
import { wasmLinear } from "./wasm/linear.ts";
import { Weights } from "./wasm/packed_weights.ts";

/** Which recurrence. */
export type CellKind = "lstm" | "gru" | "rnn_tanh" | "rnn_relu";

/** A weight, row by row; `Weights` are those that may be kept packed. A layer with a bias of its own does its product itself. */
export type RowWeights =
  | Weights
  | { readonly values: Floats }
  | { readonly multiply: (x: Floats, out: Floats, rows: number) => void };

/** Weights of one direction of one layer. */
export interface CellWeights {
  readonly wIh: RowWeights;
  readonly wHh: RowWeights;
  readonly bIh: Floats | undefined;
  readonly bHh: Floats | undefined;
  /** LSTM projection (projected, hidden). */
  readonly wHr: RowWeights | undefined;
  readonly inputSize: number;
  readonly hiddenSize: number;
  /** Size of the state that feeds back: `hiddenSize`, or the projection's. */
  readonly stateSize: number;
}

/** Rows of gates per hidden unit. */
export const GATES: Readonly<Record<CellKind, number>> = { lstm: 4, gru: 3, rnn_tanh: 1, rnn_relu: 1 };

function like(values: Floats, count: number): Floats {
  return values instanceof Float32Array ? new Float32Array(count) : new Float64Array(count);
}

/** out (rows, n) = x (rows, k) times the transpose of w (n, k), plus bias. */
function project(
  x: Floats,
  w: RowWeights,
  bias: Floats | undefined,
  out: Floats,
  rows: number,
  n: number,
  k: number,
): void {
  if ("multiply" in w) {
    w.multiply(x, out, rows);
    return;
  }
  if (w instanceof Weights) {
    const [a, b, c] = [x, bias, out] as [Float32Array, Float32Array | undefined, Float32Array];
    if (wasmLinear(a, w, b, c, rows, n, k)) return;
  }
  rowProductFor(out)(x, 0, k, w.values, 0, k, out, 0, n, rows, n, k);
  if (!bias) return;
  for (let r = 0, at = 0; r < rows; r++) for (let j = 0; j < n; j++, at++) out[at] = out[at]! + bias[j]!;
}

/** One step of `count` rows: reads input gates at `pre`, updates `h` (and `c`) in place. */
type Step = (pre: Floats, preAt: number, h: Floats, c: Floats, count: number) => void;

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** The steps of at most `most` rows of float64. */
function stepFloat64(kind: CellKind, w: CellWeights, most: number): Step {
  const H = w.hiddenSize;
  const G = GATES[kind] * H;
  const hh = new Float64Array(most * G);
  const raw = new Float64Array(w.wHr ? most * H : 0);
  return (pre, preAt, h, c, count) => {
    project(h, w.wHh, w.bHh, hh, count, G, w.stateSize);
    const target = w.wHr ? raw : h;
    for (let r = 0; r < count; r++) {
      const a = preAt + r * G;
      const b = r * G;
      const o = r * H;
      if (kind === "lstm") {
        for (let j = 0; j < H; j++) {
          const i = sigmoid(pre[a + j]! + hh[b + j]!);
          const f = sigmoid(pre[a + H + j]! + hh[b + H + j]!);
          const g = Math.tanh(pre[a + 2 * H + j]! + hh[b + 2 * H + j]!);
          const y = sigmoid(pre[a + 3 * H + j]! + hh[b + 3 * H + j]!);
          const cell = f * c[o + j]! + i * g;
          c[o + j] = cell;
          target[o + j] = y * Math.tanh(cell);
        }
      } else if (kind === "gru") {
        for (let j = 0; j < H; j++) {
          const reset = sigmoid(pre[a + j]! + hh[b + j]!);
          const update = sigmoid(pre[a + H + j]! + hh[b + H + j]!);
          const fresh = Math.tanh(pre[a + 2 * H + j]! + reset * hh[b + 2 * H + j]!);
          h[o + j] = fresh + update * (h[o + j]! - fresh);
        }
      } else {
        for (let j = 0; j < H; j++) {
          const x = pre[a + j]! + hh[b + j]!;
          h[o + j] = kind === "rnn_tanh" ? Math.tanh(x) : rectified(x);
        }
      }
    }
    if (w.wHr) project(raw, w.wHr, undefined, h, count, w.stateSize, H);
  };
}

/** The larger of a number and 0; what is no number stays. */
const rectified = (x: number): number => (x > 0 || x !== x ? x : 0);

const round = Math.fround;
const sigmoids = UNARY.sigmoid.f32;

/**
 * Hyperbolic tangents, rounded from doubles. What is next to PyTorch's number may become another integer where a product quantizes it, and PyTorch's
 * is nearly always the nearest one: its sigmoid is not, so that one needs no more than the vectors' arithmetic.
 */
function nearestTanhs(out: Floats, outAt: number, x: Floats, at: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const value = x[at + i]!;
    const square = value * value;
    // below 0.02 the difference would lose digits, and four terms are exact
    out[outAt + i] =
      square < 4e-4
        ? value * (1 + square * (-1 / 3 + square * (2 / 15 - (square * 17) / 315)))
        : 1 - 2 / (Math.exp(2 * value) + 1);
  }
}

/** The steps of at most `most` rows of float32: sums of gates first, then their functions for all rows at once. Each operation rounds, as PyTorch's do. */
function stepFloat32(kind: CellKind, w: CellWeights, most: number): Step {
  const tanhs = "multiply" in w.wHh ? nearestTanhs : UNARY.tanh.f32;
  const H = w.hiddenSize;
  const G = GATES[kind] * H;
  const hh = new Float32Array(most * G);
  const fresh = new Float32Array(most * H);
  const raw = new Float32Array(w.wHr ? most * H : 0);
  const lstm: Step = (pre, preAt, h, c, count) => {
    const target = w.wHr ? raw : h;
    for (let r = 0; r < count; r++) {
      const [a, b, o] = [preAt + r * G, r * G, r * H];
      for (let j = 0; j < 2 * H; j++) hh[b + j] = pre[a + j]! + hh[b + j]!;
      for (let j = 0; j < H; j++) fresh[o + j] = pre[a + 2 * H + j]! + hh[b + 2 * H + j]!;
      for (let j = 3 * H; j < G; j++) hh[b + j] = pre[a + j]! + hh[b + j]!;
    }
    // of the third gate as well, where nobody looks any more
    sigmoids(hh, 0, hh, 0, count * G);
    tanhs(fresh, 0, fresh, 0, count * H);
    for (let r = 0; r < count; r++) {
      const [b, o] = [r * G, r * H];
      for (let j = 0; j < H; j++) {
        const cell = round(round(hh[b + H + j]! * c[o + j]!) + round(hh[b + j]! * fresh[o + j]!));
        c[o + j] = cell;
        fresh[o + j] = cell;
      }
    }
    tanhs(fresh, 0, fresh, 0, count * H);
    for (let r = 0; r < count; r++) {
      const [b, o] = [r * G + 3 * H, r * H];
      for (let j = 0; j < H; j++) target[o + j] = hh[b + j]! * fresh[o + j]!;
    }
    if (w.wHr) project(raw, w.wHr, undefined, h, count, w.stateSize, H);
  };
  const gru: Step = (pre, preAt, h, _, count) => {
    for (let r = 0; r < count; r++) {
      const [a, b, o] = [preAt + r * G, r * G, r * H];
      for (let j = 0; j < 2 * H; j++) hh[b + j] = pre[a + j]! + hh[b + j]!;
      for (let j = 0; j < H; j++) fresh[o + j] = hh[b + 2 * H + j]!;
    }
    sigmoids(hh, 0, hh, 0, count * G);
    for (let r = 0; r < count; r++) {
      const [a, b, o] = [preAt + r * G + 2 * H, r * G, r * H];
      for (let j = 0; j < H; j++) fresh[o + j] = pre[a + j]! + round(hh[b + j]! * fresh[o + j]!);
    }
    tanhs(fresh, 0, fresh, 0, count * H);
    for (let r = 0; r < count; r++) {
      const [b, o] = [r * G + H, r * H];
      for (let j = 0; j < H; j++) h[o + j] = fresh[o + j]! + round(hh[b + j]! * round(h[o + j]! - fresh[o + j]!));
    }
  };
  const rnn: Step = (pre, preAt, h, _, count) => {
    for (let i = 0; i < count * H; i++) fresh[i] = pre[preAt + i]! + hh[i]!;
    if (kind === "rnn_tanh") tanhs(fresh, 0, fresh, 0, count * H);
    else for (let i = 0; i < count * H; i++) fresh[i] = rectified(fresh[i]!);
    for (let i = 0; i < count * H; i++) h[i] = fresh[i]!;
  };
  const activate = kind === "lstm" ? lstm : kind === "gru" ? gru : rnn;
  return (pre, preAt, h, c, count) => {
    project(h, w.wHh, w.bHh, hh, count, G, w.stateSize);
    activate(pre, preAt, h, c, count);
  };
}

/**
 * Runs one direction of one layer. `x` holds the packed rows; `h` (batch, stateSize) and `c` (batch, hiddenSize, LSTM only) are the
 * initial state and become the final one. The state after each step goes to `out` rows of `outStride`, at column `outAt`.
 */
export function runDirection(
  kind: CellKind,
  w: CellWeights,
  x: Floats,
  batchSizes: ArrayLike<number>,
  isReverse: boolean,
  h: Floats,
  c: Floats,
  out: Floats,
  outStride: number,
  outAt: number,
): void {
  const G = GATES[kind] * w.hiddenSize;
  const steps = batchSizes.length;
  let rows = 0;
  let most = 0;
  const starts = new Array<number>(steps);
  for (let t = 0; t < steps; t++) {
    starts[t] = rows;
    rows += batchSizes[t]!;
    most = Math.max(most, batchSizes[t]!);
  }
  const pre = like(h, rows * G);
  project(x, w.wIh, w.bIh, pre, rows, G, w.inputSize);
  const step = (h instanceof Float32Array ? stepFloat32 : stepFloat64)(kind, w, most);
  for (let s = 0; s < steps; s++) {
    const t = isReverse ? steps - 1 - s : s;
    const count = batchSizes[t]!;
    step(pre, starts[t]! * G, h, c, count);
    for (let r = 0; r < count; r++) {
      const o = (starts[t]! + r) * outStride + outAt;
      for (let j = 0; j < w.stateSize; j++) out[o + j] = h[r * w.stateSize + j]!;
    }
  }
}
