/** @file Dynamically quantized recurrent cells and layers. Upstream: aten/src/ATen/native/RNN.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { ScriptObject } from "../core/ivalue.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { makeNative, nativeState } from "../core/native_class.ts";
import { doublesOf, fromDoubles, indicesOf } from "../tensor/kernels/data.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { transposeView } from "../tensor/view_geometry.ts";
import { dynamicLinear } from "./quantized_layers.ts";

const f = Math.fround;
const sigmoid = (x: number): number => f(1 / (1 + Math.exp(-x)));

/** The two products of a cell; each adds its own bias. */
interface Cell {
  readonly input: (x: Tensor) => Tensor;
  readonly hidden: (h: Tensor) => Tensor;
}

function cellOf(weightInput: unknown, weightHidden: unknown, reduceRange: boolean): Cell {
  return {
    input: (x) => dynamicLinear(x, weightInput, reduceRange),
    hidden: (h) => dynamicLinear(h, weightHidden, reduceRange),
  };
}

type Kind = "lstm" | "gru" | "rnn_tanh" | "rnn_relu";

/** One step: gates of the input and the previous state give the next state. */
function step(kind: Kind, gates: Tensor, h: Tensor, c: Tensor | null, cell: Cell): { h: Tensor; c: Tensor | null } {
  const x = doublesOf(gates);
  const y = doublesOf(cell.hidden(h));
  const [rows, size] = h.sizes as [number, number];
  const next = new Float64Array(rows * size);
  const width = x.length / Math.max(1, rows);
  if (kind === "lstm") {
    const before = doublesOf(c!);
    const memory = new Float64Array(rows * size);
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < size; j++) {
        const gate = (k: number): number => f(x[r * width + k * size + j]! + y[r * width + k * size + j]!);
        const m = f(sigmoid(gate(1)) * before[r * size + j]! + sigmoid(gate(0)) * f(Math.tanh(gate(2))));
        memory[r * size + j] = m;
        next[r * size + j] = sigmoid(gate(3)) * f(Math.tanh(m));
      }
    }
    return { h: fromDoubles(next, [rows, size], DTYPES.float32), c: fromDoubles(memory, [rows, size], DTYPES.float32) };
  }
  const before = doublesOf(h);
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < size; j++) {
      const at = (k: number): number => r * width + k * size + j;
      if (kind === "gru") {
        const reset = sigmoid(f(x[at(0)]! + y[at(0)]!));
        const update = sigmoid(f(x[at(1)]! + y[at(1)]!));
        const fresh = f(Math.tanh(f(x[at(2)]! + f(reset * y[at(2)]!))));
        next[r * size + j] = f((before[r * size + j]! - fresh) * update) + fresh;
      } else {
        const sum = f(x[at(0)]! + y[at(0)]!);
        next[r * size + j] = kind === "rnn_tanh" ? Math.tanh(sum) : Math.max(sum, 0);
      }
    }
  }
  return { h: fromDoubles(next, [rows, size], DTYPES.float32), c: null };
}

op(
  "quantized::quantized_lstm_cell_dynamic(Tensor input, Tensor[] hx, __torch__.torch.classes.quantized.LinearPackedParamsBase w_ih, __torch__.torch.classes.quantized.LinearPackedParamsBase w_hh, Tensor bias_ih, Tensor bias_hh) -> (Tensor, Tensor)",
  (input, hx, wi, wh): [Tensor, Tensor] => {
    const cell = cellOf(wi, wh, true);
    const out = step("lstm", cell.input(input), hx[0]!, hx[1]!, cell);
    return [out.h, out.c!];
  },
);

for (const kind of ["gru", "rnn_tanh", "rnn_relu"] as const) {
  type Schema =
    "quantized::quantized_gru_cell_dynamic(Tensor input, Tensor hx, Any w_ih, Any w_hh, Tensor b_ih, Tensor b_hh) -> Tensor";
  const packed = "__torch__.torch.classes.quantized.LinearPackedParamsBase";
  op(
    `quantized::quantized_${kind}_cell_dynamic(Tensor input, Tensor hx, ${packed} w_ih, ${packed} w_hh, Tensor b_ih, Tensor b_hh) -> Tensor` as Schema,
    (input, hx, wi, wh) => {
      const cell = cellOf(wi, wh, true);
      return step(kind, cell.input(input), hx, null, cell).h;
    },
  );
}

/** State of a `CellParamsBase`: kind, tensors, floats, ints, packed weights. */
type CellState = [string, Tensor[], number[], number[], unknown[]];

op(
  "quantized::make_quantized_cell_params_dynamic(__torch__.torch.classes.quantized.LinearPackedParamsBase w_ih, __torch__.torch.classes.quantized.LinearPackedParamsBase w_hh, Tensor bias_ih, Tensor bias_hh, bool reduce_range=False) -> __torch__.torch.classes.rnn.CellParamsBase",
  (wi, wh, bi, bh, reduceRange) =>
    makeNative<CellState>("rnn.CellParamsBase", ["quantized_dynamic", [bi, bh], [], [reduceRange ? 1 : 0], [wi, wh]]),
);
op(
  "quantized::make_quantized_cell_params_fp16(__torch__.torch.classes.quantized.LinearPackedParamsBase w_ih, __torch__.torch.classes.quantized.LinearPackedParamsBase w_hh) -> __torch__.torch.classes.rnn.CellParamsBase",
  (wi, wh) => makeNative<CellState>("rnn.CellParamsBase", ["quantized_fp16", [], [], [], [wi, wh]]),
);

function cellParams(params: unknown): Cell {
  if (!(params instanceof ScriptObject)) throw new OperatorError("expected cell parameters");
  const [kind, , , ints, packed] = nativeState<CellState>(params);
  if (kind !== "quantized_dynamic" && kind !== "quantized_fp16")
    throw new OperatorError(`Cannot run recurrent cell parameters of kind "${kind}"`);
  return cellOf(packed[0], packed[1], ints[0] === 1);
}

/** A padded or packed sequence: rows of all steps, and how many belong to each. */
interface Sequence {
  readonly data: Tensor;
  readonly sizes: readonly number[];
}

function rowsOf(t: Tensor, from: number, count: number): Tensor {
  const width = t.sizes[t.ndim - 1]!;
  return fromDoubles(doublesOf(t).slice(from * width, (from + count) * width), [count, width], DTYPES.float32);
}

interface LayerOutput {
  readonly data: Float64Array;
  readonly h: Tensor;
  readonly c: Tensor | null;
}

/** One direction of one layer. The products with the inputs of all steps are one product: its activations are quantized together. */
function runLayer(
  kind: Kind,
  { data, sizes }: Sequence,
  h0: Tensor,
  c0: Tensor | null,
  cell: Cell,
  isReverse: boolean,
): LayerOutput {
  const gates = cell.input(data);
  const size = h0.sizes[1]!;
  const total = sizes.reduce((a, b) => a + b, 0);
  const out = new Float64Array(total * size);
  const starts: number[] = [];
  let at = 0;
  for (const s of sizes) {
    starts.push(at);
    at += s;
  }
  const finalH = Float64Array.from(doublesOf(h0));
  const finalC = c0 ? Float64Array.from(doublesOf(c0)) : undefined;
  for (let k = 0; k < sizes.length; k++) {
    const t = isReverse ? sizes.length - 1 - k : k;
    const count = sizes[t]!;
    const h = fromDoubles(finalH.slice(0, count * size), [count, size], DTYPES.float32);
    const c = finalC ? fromDoubles(finalC.slice(0, count * size), [count, size], DTYPES.float32) : null;
    const next = step(kind, rowsOf(gates, starts[t]!, count), h, c, cell);
    finalH.set(doublesOf(next.h));
    if (finalC && next.c) finalC.set(doublesOf(next.c));
    out.set(doublesOf(next.h), starts[t]! * size);
  }
  return {
    data: out,
    h: fromDoubles(finalH, h0.sizes, DTYPES.float32),
    c: finalC ? fromDoubles(finalC, h0.sizes, DTYPES.float32) : null,
  };
}

interface Recurrent {
  readonly kind: Kind;
  readonly params: readonly unknown[];
  readonly layers: number;
  readonly isBidirectional: boolean;
}

/** All layers; states are (layers * directions, batch, size). */
function runRecurrent(
  { kind, params, layers, isBidirectional }: Recurrent,
  input: Sequence,
  h0: Tensor,
  c0: Tensor | null,
): { data: Tensor; h: Tensor; c: Tensor | null } {
  const directions = isBidirectional ? 2 : 1;
  if (params.length !== layers * directions)
    throw new OperatorError(`Expected ${layers * directions} cells, got ${params.length}`);
  const [, batch, size] = h0.sizes as [number, number, number];
  const state = (t: Tensor, k: number): Tensor =>
    fromDoubles(doublesOf(t).slice(k * batch * size, (k + 1) * batch * size), [batch, size], DTYPES.float32);
  const hs: Tensor[] = [];
  const cs: Tensor[] = [];
  let { data } = input;
  const total = input.sizes.reduce((a, b) => a + b, 0);
  for (let layer = 0; layer < layers; layer++) {
    const outputs: LayerOutput[] = [];
    for (let d = 0; d < directions; d++) {
      const k = layer * directions + d;
      const out = runLayer(
        kind,
        { data, sizes: input.sizes },
        state(h0, k),
        c0 ? state(c0, k) : null,
        cellParams(params[k]),
        d === 1,
      );
      outputs.push(out);
      hs.push(out.h);
      if (out.c) cs.push(out.c);
    }
    const width = size * directions;
    const joined = new Float64Array(total * width);
    outputs.forEach((o, d) => {
      for (let r = 0; r < total; r++) joined.set(o.data.subarray(r * size, (r + 1) * size), r * width + d * size);
    });
    data = fromDoubles(joined, [total, width], DTYPES.float32);
  }
  const stacked = (list: readonly Tensor[]): Tensor => {
    const all = new Float64Array(list.length * batch * size);
    list.forEach((t, i) => all.set(doublesOf(t), i * batch * size));
    return fromDoubles(all, [list.length, batch, size], DTYPES.float32);
  };
  return { data, h: stacked(hs), c: cs.length > 0 ? stacked(cs) : null };
}

function paddedInput(input: Tensor, batchFirst: boolean): { sequence: Sequence; steps: number; batch: number } {
  const t = batchFirst ? transposeView(input, 0, 1) : input;
  const [steps, batch, width] = t.sizes as [number, number, number];
  return {
    sequence: {
      data: fromDoubles(doublesOf(t), [steps * batch, width], DTYPES.float32),
      sizes: new Array<number>(steps).fill(batch),
    },
    steps,
    batch,
  };
}

function unpadded(data: Tensor, steps: number, batch: number, batchFirst: boolean): Tensor {
  const out = fromDoubles(doublesOf(data), [steps, batch, data.sizes[1]!], DTYPES.float32);
  return batchFirst ? transposeView(out, 0, 1) : out;
}

const PARAMS = "__torch__.torch.classes.rnn.CellParamsBase[] params";

type LstmInput =
  "aten::quantized_lstm.input(Tensor input, Tensor[] hx, Any params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first, *, ScalarType? dtype=None, bool use_dynamic=False) -> (Tensor, Tensor, Tensor)";
op(
  `aten::quantized_lstm.input(Tensor input, Tensor[] hx, ${PARAMS}, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first, *, ScalarType? dtype=None, bool use_dynamic=False) -> (Tensor, Tensor, Tensor)` as LstmInput,
  (input, hx, params, _biases, layers, _dropout, _train, isBidirectional, batchFirst): [Tensor, Tensor, Tensor] => {
    if (hx.length !== 2) throw new OperatorError("lstm expects two hidden states");
    const { sequence, steps, batch } = paddedInput(input, batchFirst);
    const out = runRecurrent(
      { kind: "lstm", params: params as unknown[], layers, isBidirectional },
      sequence,
      hx[0]!,
      hx[1]!,
    );
    return [unpadded(out.data, steps, batch, batchFirst), out.h, out.c!];
  },
);
type LstmData =
  "aten::quantized_lstm.data(Tensor data, Tensor batch_sizes, Tensor[] hx, Any params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, *, ScalarType? dtype=None, bool use_dynamic=False) -> (Tensor, Tensor, Tensor)";
op(
  `aten::quantized_lstm.data(Tensor data, Tensor batch_sizes, Tensor[] hx, ${PARAMS}, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, *, ScalarType? dtype=None, bool use_dynamic=False) -> (Tensor, Tensor, Tensor)` as LstmData,
  (data, batchSizes, hx, params, _biases, layers, _dropout, _train, isBidirectional): [Tensor, Tensor, Tensor] => {
    const out = runRecurrent(
      { kind: "lstm", params: params as unknown[], layers, isBidirectional },
      { data, sizes: Array.from(indicesOf(batchSizes)) },
      hx[0]!,
      hx[1]!,
    );
    return [out.data, out.h, out.c!];
  },
);
type GruInput =
  "aten::quantized_gru.input(Tensor input, Tensor hx, Any params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)";
op(
  `aten::quantized_gru.input(Tensor input, Tensor hx, ${PARAMS}, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)` as GruInput,
  (input, hx, params, _biases, layers, _dropout, _train, isBidirectional, batchFirst): [Tensor, Tensor] => {
    const { sequence, steps, batch } = paddedInput(input, batchFirst);
    const out = runRecurrent({ kind: "gru", params: params as unknown[], layers, isBidirectional }, sequence, hx, null);
    return [unpadded(out.data, steps, batch, batchFirst), out.h];
  },
);
type GruData =
  "aten::quantized_gru.data(Tensor data, Tensor batch_sizes, Tensor hx, Any params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional) -> (Tensor, Tensor)";
op(
  `aten::quantized_gru.data(Tensor data, Tensor batch_sizes, Tensor hx, ${PARAMS}, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional) -> (Tensor, Tensor)` as GruData,
  (data, batchSizes, hx, params, _biases, layers, _dropout, _train, isBidirectional): [Tensor, Tensor] => {
    const out = runRecurrent(
      { kind: "gru", params: params as unknown[], layers, isBidirectional },
      { data, sizes: Array.from(indicesOf(batchSizes)) },
      hx,
      null,
    );
    return [out.data, out.h];
  },
);
