/** @file Recurrent layers over packed rows: LSTM, GRU, plain RNN. Upstream: aten/src/ATen/native/RNN.cpp. Spec: none.
 *
 * Note [Packed steps]: a sequence is rows of all steps one after another, step t with `batchSizes[t]` rows, sizes never growing.
 * The state keeps a row for every sequence: going forward, rows that ended keep their last state; going backward, rows that have
 * not begun keep their initial one. So one loop serves padded, packed and reversed sequences. */
import { floatSigmoid, floatTanh } from "../math/float_exp.ts";
import type { Floats } from "./data.ts";
import { rowProductFor } from "./gemm.ts";

/** Which recurrence. */
export type CellKind = "lstm" | "gru" | "rnn_tanh" | "rnn_relu";

/** Weights of one direction of one layer. */
export interface CellWeights {
  readonly wIh: Floats;
  readonly wHh: Floats;
  readonly bIh: Floats | undefined;
  readonly bHh: Floats | undefined;
  /** LSTM projection (projected, hidden). */
  readonly wHr: Floats | undefined;
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

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

type Step = (
  kind: CellKind,
  w: CellWeights,
  pre: Floats,
  preAt: number,
  hh: Floats,
  h: Floats,
  c: Floats,
  raw: Floats,
  count: number,
) => void;

// one closure per element type: each keeps its own type feedback, and float32 has functions of its own
const stepFloat32 = makeStep(floatSigmoid, floatTanh);
const stepFloat64 = makeStep(sigmoid, Math.tanh);

/** gates[r] += bias for each row. */
function addBias(rows: Floats, count: number, width: number, bias: Floats | undefined): void {
  if (!bias) return;
  for (let r = 0, at = 0; r < count; r++) for (let j = 0; j < width; j++, at++) rows[at] = rows[at]! + bias[j]!;
}

/** One step of `count` rows: reads input gates at `pre`, updates `h` (and `c`) in place. `hh` and `raw` are scratch. */
function makeStep(sigmoidOf: (x: number) => number, tanh: (x: number) => number): Step {
  return (kind, w, pre, preAt, hh, h, c, raw, count) => {
    const H = w.hiddenSize;
    const G = GATES[kind] * H;
    const product = rowProductFor(h);
    product(h, 0, w.stateSize, w.wHh, 0, w.stateSize, hh, 0, G, count, G, w.stateSize);
    addBias(hh, count, G, w.bHh);
    const target = w.wHr ? raw : h;
    for (let r = 0; r < count; r++) {
      const a = preAt + r * G;
      const b = r * G;
      const o = r * H;
      if (kind === "lstm") {
        for (let j = 0; j < H; j++) {
          const i = sigmoidOf(pre[a + j]! + hh[b + j]!);
          const f = sigmoidOf(pre[a + H + j]! + hh[b + H + j]!);
          const g = tanh(pre[a + 2 * H + j]! + hh[b + 2 * H + j]!);
          const y = sigmoidOf(pre[a + 3 * H + j]! + hh[b + 3 * H + j]!);
          const cell = f * c[o + j]! + i * g;
          c[o + j] = cell;
          target[o + j] = y * tanh(cell);
        }
      } else if (kind === "gru") {
        for (let j = 0; j < H; j++) {
          const reset = sigmoidOf(pre[a + j]! + hh[b + j]!);
          const update = sigmoidOf(pre[a + H + j]! + hh[b + H + j]!);
          const fresh = tanh(pre[a + 2 * H + j]! + reset * hh[b + 2 * H + j]!);
          h[o + j] = fresh + update * (h[o + j]! - fresh);
        }
      } else {
        for (let j = 0; j < H; j++) {
          const x = pre[a + j]! + hh[b + j]!;
          h[o + j] = kind === "rnn_tanh" ? tanh(x) : x > 0 || x !== x ? x : 0;
        }
      }
    }
    if (w.wHr) product(raw, 0, H, w.wHr, 0, H, h, 0, w.stateSize, count, w.stateSize, H);
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
  rowProductFor(h)(x, 0, w.inputSize, w.wIh, 0, w.inputSize, pre, 0, G, rows, G, w.inputSize);
  addBias(pre, rows, G, w.bIh);
  const hh = like(h, most * G);
  const step = h instanceof Float32Array ? stepFloat32 : stepFloat64;
  const raw = w.wHr ? like(h, most * w.hiddenSize) : h;
  for (let s = 0; s < steps; s++) {
    const t = isReverse ? steps - 1 - s : s;
    const count = batchSizes[t]!;
    step(kind, w, pre, starts[t]! * G, hh, h, c, raw, count);
    for (let r = 0; r < count; r++) {
      const o = (starts[t]! + r) * outStride + outAt;
      for (let j = 0; j < w.stateSize; j++) out[o + j] = h[r * w.stateSize + j]!;
    }
  }
}
