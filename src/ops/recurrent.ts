/** @file Recurrent operators: lstm, gru, rnn_tanh, rnn_relu, their cells, packed sequences. Upstream: aten/src/ATen/native/RNN.cpp, PackedSequence.cpp. Spec: none. */
import { OperatorError, UnsupportedError } from "../base/errors.ts";
import { callOperator, op } from "../core/operator_registry.ts";
import { contiguousAs, convertTensor } from "../tensor/clone.ts";
import type { DType } from "../tensor/dtype.ts";
import { computeDtype, floatsAs, floatsOf, fromIndices, indicesOf, type Floats } from "../tensor/kernels/data.ts";
import { isPlain } from "../tensor/kernels/matmul.ts";
import { GATES, runDirection, type CellKind, type CellWeights, type RowWeights } from "../tensor/kernels/recurrent.ts";
import { Weights } from "../tensor/kernels/wasm/packed_weights.ts";
import { copyElements } from "../tensor/copy.ts";
import type { Scalar } from "../tensor/scalar.ts";
import { wrapDim } from "../tensor/strides.ts";
import { emptyTensor, viewOf, type Tensor } from "../tensor/tensor.ts";
import { narrowView, transposeView } from "../tensor/view_geometry.ts";
import { fillScalar } from "./creation.ts";
import { checkFactorDtypes, checkSumDtypes } from "./matrix.ts";

/** What the layers of a recurrent operator are. */
export interface LayerOptions {
  readonly kind: CellKind;
  readonly layers: number;
  readonly dropout: number;
  readonly train: boolean;
  readonly bidirectional: boolean;
}

function rowWeights(weight: Tensor, dtype: DType): RowWeights {
  return dtype === weight.dtype && isPlain(weight) ? Weights.of(weight) : { values: floatsAs(weight, dtype) };
}

/** Input and state are multiplied with weights of their own dtype. */
function checkFactor(factor: Tensor, weight: Tensor, bias: Tensor | undefined): void {
  if (bias) checkSumDtypes(bias, factor, weight);
  else checkFactorDtypes(factor, weight);
}

/** The weights at a place of a list of parameters, for inputs and states like `input` and `h0`. */
function weightsOf(
  kind: CellKind,
  params: readonly Tensor[],
  at: number,
  hasBiases: boolean,
  hasProjection: boolean,
  input: Tensor,
  h0: Tensor,
): CellWeights {
  const wIh = params[at]!;
  const wHh = params[at + 1]!;
  checkFactor(input, wIh, hasBiases ? params[at + 2] : undefined);
  checkFactor(h0, wHh, hasBiases ? params[at + 3] : undefined);
  if (input.dtype.category !== "float")
    throw new UnsupportedError(kind, `Cannot run ${kind}: inputs of torch.${input.dtype.name} are not supported`);
  const dtype = computeDtype(input.dtype);
  const hr = hasProjection ? params[at + 2 + (hasBiases ? 2 : 0)]! : undefined;
  return {
    wIh: rowWeights(wIh, dtype),
    wHh: rowWeights(wHh, dtype),
    bIh: hasBiases ? floatsAs(params[at + 2]!, dtype) : undefined,
    bHh: hasBiases ? floatsAs(params[at + 3]!, dtype) : undefined,
    wHr: hr && rowWeights(hr, dtype),
    inputSize: wIh.sizes[1]!,
    hiddenSize: wIh.sizes[0]! / GATES[kind],
    stateSize: wHh.sizes[1]!,
  };
}

/** The weights of one direction of one layer, by its number. */
export type LayerWeights = (index: number) => CellWeights;

/** The layers of a list of parameters. */
function layersOf(
  { kind, layers, bidirectional }: LayerOptions,
  params: readonly Tensor[],
  hasBiases: boolean,
  input: Tensor,
  h0: Tensor,
  c0: Tensor | null,
): LayerWeights {
  const hasProjection = kind === "lstm" && h0.sizes[2] !== c0!.sizes[2];
  const perDirection = (hasBiases ? 4 : 2) + (hasProjection ? 1 : 0);
  const expected = perDirection * (bidirectional ? 2 : 1) * layers;
  if (params.length !== expected)
    throw new OperatorError(`Expected number of parameters to be ${expected}, but got ${params.length}`);
  return (index) => weightsOf(kind, params, index * perDirection, hasBiases, hasProjection, input, h0);
}

function copyOf(values: Floats): Floats {
  return values.slice();
}

/** All layers over packed rows `x` (rows, features). Returns the last layer's rows and the final states. */
export function runLayers(
  x: Tensor,
  batchSizes: ArrayLike<number>,
  h0: Tensor,
  c0: Tensor | null,
  weights: LayerWeights,
  o: LayerOptions,
): { out: Tensor; h: Tensor; c: Tensor | null } {
  const directions = o.bidirectional ? 2 : 1;
  const dtype = computeDtype(x.dtype);
  const batch = h0.sizes[1]!;
  const state = h0.sizes[2]!;
  const hidden = c0 ? c0.sizes[2]! : state;
  const h = copyOf(floatsAs(h0, dtype));
  const c = c0 ? copyOf(floatsAs(c0, dtype)) : copyOf(h.subarray(0, 0));
  let rows = x;
  for (let layer = 0; layer < o.layers; layer++) {
    const out = emptyTensor([rows.sizes[0]!, directions * state], dtype);
    for (let d = 0; d < directions; d++) {
      const index = layer * directions + d;
      const w = weights(index);
      if (w.inputSize !== rows.sizes[1]) {
        throw new OperatorError(
          `input.size(-1) must be equal to input_size. Expected ${w.inputSize}, got ${rows.sizes[1]}`,
        );
      }
      const hPart = h.subarray(index * batch * state, (index + 1) * batch * state);
      const cPart = c0 ? c.subarray(index * batch * hidden, (index + 1) * batch * hidden) : c;
      runDirection(
        o.kind,
        w,
        floatsAs(rows, dtype),
        batchSizes,
        d === 1,
        hPart,
        cPart,
        floatsOf(out),
        directions * state,
        d * state,
      );
    }
    rows = out;
    if (o.train && o.dropout > 0 && layer + 1 < o.layers)
      rows = callOperator("aten::dropout", [rows, o.dropout, true]) as Tensor;
  }
  return { out: convertTensor(rows, x.dtype), h: fromFloats(h, h0, dtype), c: c0 && fromFloats(c, c0, dtype) };
}

function fromFloats(values: Floats, like: Tensor, dtype: DType): Tensor {
  const out = emptyTensor(like.sizes, dtype);
  floatsOf(out).set(values);
  return convertTensor(out, like.dtype);
}

/** A padded sequence (steps, batch, features), or with batch first; state may lack the batch. */
export function runPadded(
  input: Tensor,
  h0: Tensor,
  c0: Tensor | null,
  weights: LayerWeights,
  o: LayerOptions,
  batchFirst: boolean,
): { out: Tensor; h: Tensor; c: Tensor | null } {
  const x = batchFirst ? transposeView(input, 0, 1) : input;
  const [steps, batch, features] = x.sizes as [number, number, number];
  if (h0.sizes[1] !== batch) {
    throw new OperatorError(
      `Expected hidden${c0 ? "[0]" : ""} size (${h0.sizes[0]}, ${batch}, ${h0.sizes[2]}), got [${h0.sizes.join(", ")}]`,
    );
  }
  const flat = contiguousAs(x, input.dtype);
  const result = runLayers(
    viewOf(flat, [steps * batch, features], [features, 1]),
    new Array<number>(steps).fill(batch),
    h0,
    c0,
    weights,
    o,
  );
  const width = result.out.sizes[1]!;
  const out = viewOf(result.out, [steps, batch, width], [batch * width, width, 1]);
  out.base = undefined;
  return { ...result, out: batchFirst ? transposeView(out, 0, 1) : out };
}

op(
  "aten::lstm.input(Tensor input, Tensor[] hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor, Tensor)",
  (input, hx, params, hasBiases, layers, dropout, train, bidirectional, batchFirst): [Tensor, Tensor, Tensor] => {
    if (hx.length !== 2) throw new OperatorError("lstm expects two hidden states");
    const [h0, c0] = hx as [Tensor, Tensor];
    const o: LayerOptions = { kind: "lstm", layers, dropout, train, bidirectional };
    const r = runPadded(input, h0, c0, layersOf(o, params, hasBiases, input, h0, c0), o, batchFirst);
    return [r.out, r.h, r.c!];
  },
);
op(
  "aten::lstm.data(Tensor data, Tensor batch_sizes, Tensor[] hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional) -> (Tensor, Tensor, Tensor)",
  (data, batchSizes, hx, params, hasBiases, layers, dropout, train, bidirectional): [Tensor, Tensor, Tensor] => {
    if (hx.length !== 2) throw new OperatorError("lstm expects two hidden states");
    const [h0, c0] = hx as [Tensor, Tensor];
    const o: LayerOptions = { kind: "lstm", layers, dropout, train, bidirectional };
    const r = runLayers(data, indicesOf(batchSizes), h0, c0, layersOf(o, params, hasBiases, data, h0, c0), o);
    return [r.out, r.h, r.c!];
  },
);

function padded(kind: CellKind) {
  return (
    input: Tensor,
    hx: Tensor,
    params: Tensor[],
    hasBiases: boolean,
    layers: number,
    dropout: number,
    train: boolean,
    bidirectional: boolean,
    batchFirst: boolean,
  ): [Tensor, Tensor] => {
    const o: LayerOptions = { kind, layers, dropout, train, bidirectional };
    const r = runPadded(input, hx, null, layersOf(o, params, hasBiases, input, hx, null), o, batchFirst);
    return [r.out, r.h];
  };
}

function packed(kind: CellKind) {
  return (
    data: Tensor,
    batchSizes: Tensor,
    hx: Tensor,
    params: Tensor[],
    hasBiases: boolean,
    layers: number,
    dropout: number,
    train: boolean,
    bidirectional: boolean,
  ): [Tensor, Tensor] => {
    const o: LayerOptions = { kind, layers, dropout, train, bidirectional };
    const r = runLayers(data, indicesOf(batchSizes), hx, null, layersOf(o, params, hasBiases, data, hx, null), o);
    return [r.out, r.h];
  };
}

op(
  "aten::gru.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)",
  padded("gru"),
);
op(
  "aten::gru.data(Tensor data, Tensor batch_sizes, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional) -> (Tensor, Tensor)",
  packed("gru"),
);
op(
  "aten::rnn_tanh.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)",
  padded("rnn_tanh"),
);
op(
  "aten::rnn_tanh.data(Tensor data, Tensor batch_sizes, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional) -> (Tensor, Tensor)",
  packed("rnn_tanh"),
);
op(
  "aten::rnn_relu.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)",
  padded("rnn_relu"),
);
op(
  "aten::rnn_relu.data(Tensor data, Tensor batch_sizes, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional) -> (Tensor, Tensor)",
  packed("rnn_relu"),
);

/** One step of a cell; input (batch, features), states (batch, hidden). */
function cell(
  kind: CellKind,
  input: Tensor,
  hx: Tensor,
  cx: Tensor | null,
  wIh: Tensor,
  wHh: Tensor,
  bIh: Tensor | null,
  bHh: Tensor | null,
): { h: Tensor; c: Tensor } {
  checkCell(kind, input, hx, cx, wIh, wHh);
  const hasBiases = bIh !== null && bHh !== null;
  const params = hasBiases ? [wIh, wHh, bIh, bHh] : [wIh, wHh];
  return runCell(kind, input, hx, cx, weightsOf(kind, params, 0, hasBiases, false, input, hx));
}

/** One step of a cell with the weights. */
export function runCell(
  kind: CellKind,
  input: Tensor,
  hx: Tensor,
  cx: Tensor | null,
  w: CellWeights,
): { h: Tensor; c: Tensor } {
  const dtype = computeDtype(input.dtype);
  const batch = input.ndim === 2 ? input.sizes[0]! : 1;
  const h = copyOf(floatsAs(hx, dtype));
  const c = cx ? copyOf(floatsAs(cx, dtype)) : h;
  const out = copyOf(h);
  runDirection(kind, w, floatsAs(input, dtype), [batch], false, h, c, out, w.stateSize, 0);
  return { h: fromFloats(h, hx, dtype), c: fromFloats(c, cx ?? hx, dtype) };
}

/** @throws OperatorError where sizes of input, states (`hx`, and `cx` where there is one) and weights do not fit. */
function checkCell(kind: CellKind, input: Tensor, hx: Tensor, cx: Tensor | null, wIh: Tensor, wHh: Tensor): void {
  const sizeAt = (t: Tensor, dim: number): number => t.sizes[wrapDim(dim, t.ndim)]!;
  const features = sizeAt(wIh, 1);
  if (sizeAt(input, 1) !== features)
    throw new OperatorError(`input has inconsistent input_size: got ${sizeAt(input, 1)} expected ${features}`);
  const hidden = sizeAt(wHh, 1);
  const batch = sizeAt(input, 0);
  for (const [label, state] of [hx, cx].entries()) {
    if (!state) continue;
    if (sizeAt(state, 0) !== batch)
      throw new OperatorError(`Input batch size ${batch} doesn't match hidden${label} batch size ${sizeAt(state, 0)}`);
    if (sizeAt(state, 1) !== hidden)
      throw new OperatorError(
        `hidden${label} has inconsistent hidden_size: got ${sizeAt(state, 1)}, expected ${hidden}`,
      );
  }
  const gates = GATES[kind];
  for (const [name, weight] of Object.entries({ weight_ih: wIh, weight_hh: wHh })) {
    if (sizeAt(weight, 0) !== gates * hidden)
      throw new OperatorError(
        `${name} first dim must be ${gates} * hidden_size = ${gates * hidden}, but got ${sizeAt(weight, 0)}`,
      );
  }
}

op(
  "aten::lstm_cell(Tensor input, Tensor[] hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None) -> (Tensor, Tensor)",
  (input, hx, wIh, wHh, bIh, bHh): [Tensor, Tensor] => {
    if (hx.length !== 2) throw new OperatorError("lstm_cell expects two hidden states");
    const r = cell("lstm", input, hx[0]!, hx[1]!, wIh, wHh, bIh, bHh);
    return [r.h, r.c];
  },
);
op(
  "aten::gru_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None) -> Tensor",
  (input, hx, wIh, wHh, bIh, bHh) => cell("gru", input, hx, null, wIh, wHh, bIh, bHh).h,
);
op(
  "aten::rnn_tanh_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None) -> Tensor",
  (input, hx, wIh, wHh, bIh, bHh) => cell("rnn_tanh", input, hx, null, wIh, wHh, bIh, bHh).h,
);
op(
  "aten::rnn_relu_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None) -> Tensor",
  (input, hx, wIh, wHh, bIh, bHh) => cell("rnn_relu", input, hx, null, wIh, wHh, bIh, bHh).h,
);

op(
  "aten::_pack_padded_sequence(Tensor input, Tensor lengths, bool batch_first) -> (Tensor, Tensor)",
  (inputIn, lengthsIn, batchFirst): [Tensor, Tensor] => {
    const input = batchFirst ? transposeView(inputIn, 0, 1) : inputIn;
    const lengths = indicesOf(lengthsIn);
    const batch = input.sizes[1]!;
    if (input.numel === 0) throw new OperatorError("Cannot pack empty tensors.");
    if (lengths.length !== batch) {
      throw new OperatorError(
        `Expected \`len(lengths)\` to be equal to batch_size, but got ${lengths.length} (batch_size=${batch})`,
      );
    }
    if (lengths[batch - 1]! <= 0) {
      throw new OperatorError(
        "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0",
      );
    }
    for (let i = 0; i + 1 < batch; i++) {
      if (lengths[i + 1]! > lengths[i]!) {
        throw new OperatorError(
          "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you do not need ONNX exportability.",
        );
      }
    }
    const steps = lengths[0]!;
    if (input.sizes[0]! < steps) {
      throw new OperatorError(
        `Expected sequence length to be larger than or equal to the longest length, got ${input.sizes[0]} and ${steps}`,
      );
    }
    const sizes: number[] = [];
    for (let t = 0; t < steps; t++) sizes.push(lengths.filter((l) => l > t).length);
    const rows = sizes.reduce((a, b) => a + b, 0);
    const out = emptyTensor([rows, ...input.sizes.slice(2)], input.dtype);
    let at = 0;
    sizes.forEach((count, t) => {
      const from = narrowView(narrowView(input, 0, t, 1), 1, 0, count);
      copyElements(narrowView(out, 0, at, count), viewOf(from, from.sizes.slice(1), from.strides.slice(1)));
      at += count;
    });
    return [out, fromIndices(sizes, [steps])];
  },
);

op(
  "aten::_pad_packed_sequence(Tensor data, Tensor batch_sizes, bool batch_first, Scalar padding_value, int total_length) -> (Tensor, Tensor)",
  (data, batchSizes, batchFirst, paddingValue: Scalar, totalLength): [Tensor, Tensor] => {
    const sizes = indicesOf(batchSizes);
    const batch = sizes[0]!;
    let steps = sizes.length;
    if (totalLength > 0) {
      if (totalLength < steps) {
        throw new OperatorError(
          `Expected total_length to be at least the length of the longest sequence in input, but got total_length=${totalLength} and max sequence length being ${steps}`,
        );
      }
      steps = totalLength;
    }
    const out = fillScalar(emptyTensor([steps, batch, ...data.sizes.slice(1)], data.dtype), paddingValue);
    let at = 0;
    sizes.forEach((count, t) => {
      const to = narrowView(narrowView(out, 0, t, 1), 1, 0, count);
      copyElements(viewOf(to, to.sizes.slice(1), to.strides.slice(1)), narrowView(data, 0, at, count));
      at += count;
    });
    const lengths = Array.from({ length: batch }, (_, b) => sizes.filter((count) => count > b).length);
    return [batchFirst ? transposeView(out, 0, 1) : out, fromIndices(lengths, [batch])];
  },
);

op(
  "aten::_thnn_fused_lstm_cell(Tensor input_gates, Tensor hidden_gates, Tensor cx, Tensor? input_bias=None, Tensor? hidden_bias=None) -> (Tensor, Tensor, Tensor)",
  (inputGates, hiddenGates, cx, inputBias, hiddenBias): [Tensor, Tensor, Tensor] => {
    const dtype = computeDtype(cx.dtype);
    const [batch, hidden] = cx.sizes as [number, number];
    const a = floatsAs(inputGates, dtype);
    const b = floatsAs(hiddenGates, dtype);
    const x = inputBias && floatsAs(inputBias, dtype);
    const y = hiddenBias && floatsAs(hiddenBias, dtype);
    const old = floatsAs(cx, dtype);
    const workspace = emptyTensor([batch, 4 * hidden], dtype);
    const h = emptyTensor([batch, hidden], dtype);
    const c = emptyTensor([batch, hidden], dtype);
    const gates = floatsOf(workspace);
    const [hOut, cOut] = [floatsOf(h), floatsOf(c)];
    for (let r = 0; r < batch; r++) {
      for (let j = 0; j < 4 * hidden; j++) {
        const g = r * 4 * hidden + j;
        const v = a[g]! + b[g]! + (x ? x[j]! : 0) + (y ? y[j]! : 0);
        gates[g] = Math.floor(j / hidden) === 2 ? Math.tanh(v) : 1 / (1 + Math.exp(-v));
      }
      for (let j = 0; j < hidden; j++) {
        const g = r * 4 * hidden + j;
        const next = gates[g + hidden]! * old[r * hidden + j]! + gates[g]! * gates[g + 2 * hidden]!;
        cOut[r * hidden + j] = next;
        hOut[r * hidden + j] = gates[g + 3 * hidden]! * Math.tanh(next);
      }
    }
    return [convertTensor(h, cx.dtype), convertTensor(c, cx.dtype), convertTensor(workspace, cx.dtype)];
  },
);
