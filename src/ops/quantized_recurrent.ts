/** @file Dynamically quantized recurrent cells and layers. Upstream: aten/src/ATen/native/RNN.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { ScriptObject } from "../core/ivalue.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { makeNative, nativeState, type LinearParams } from "../core/native_class.ts";
import { indicesOf } from "../tensor/kernels/data.ts";
import { GATES, type CellKind, type CellWeights, type RowWeights } from "../tensor/kernels/recurrent.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { dynamicLinearInto } from "./quantized_layers.ts";
import { runCell, runLayers, runPadded, type LayerOptions, type LayerWeights } from "./recurrent.ts";

/** The weights of a direction whose two products quantize what they multiply; each adds its own bias. */
function cellOf(kind: CellKind, weightInput: unknown, weightHidden: unknown, reduceRange: boolean): CellWeights {
  const [input, hidden] = [nativeState<LinearParams>(weightInput), nativeState<LinearParams>(weightHidden)];
  const layer = (params: LinearParams): RowWeights => ({
    multiply: (x, out, rows) => dynamicLinearInto(x as Float32Array, params, reduceRange, out as Float32Array, rows),
  });
  return {
    wIh: layer(input),
    wHh: layer(hidden),
    bIh: undefined,
    bHh: undefined,
    wHr: undefined,
    inputSize: input.weight.sizes[1]!,
    hiddenSize: input.weight.sizes[0]! / GATES[kind],
    stateSize: hidden.weight.sizes[1]!,
  };
}

/** The operands of a product must be float32. */
function requireFloat(...tensors: readonly Tensor[]): void {
  for (const { dtype } of tensors)
    if (dtype !== DTYPES.float32) throw new OperatorError(`qlinear_dynamic expects Float input, got ${dtype.cppName}`);
}

op(
  "quantized::quantized_lstm_cell_dynamic(Tensor input, Tensor[] hx, __torch__.torch.classes.quantized.LinearPackedParamsBase w_ih, __torch__.torch.classes.quantized.LinearPackedParamsBase w_hh, Tensor bias_ih, Tensor bias_hh) -> (Tensor, Tensor)",
  (input, hx, wi, wh): [Tensor, Tensor] => {
    requireFloat(input, ...hx);
    const out = runCell("lstm", input, hx[0]!, hx[1]!, cellOf("lstm", wi, wh, true));
    return [out.h, out.c];
  },
);

for (const kind of ["gru", "rnn_tanh", "rnn_relu"] as const) {
  type Schema =
    "quantized::quantized_gru_cell_dynamic(Tensor input, Tensor hx, Any w_ih, Any w_hh, Tensor b_ih, Tensor b_hh) -> Tensor";
  const packed = "__torch__.torch.classes.quantized.LinearPackedParamsBase";
  op(
    `quantized::quantized_${kind}_cell_dynamic(Tensor input, Tensor hx, ${packed} w_ih, ${packed} w_hh, Tensor b_ih, Tensor b_hh) -> Tensor` as Schema,
    (input, hx, wi, wh) => {
      requireFloat(input, hx);
      return runCell(kind, input, hx, null, cellOf(kind, wi, wh, true)).h;
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

function cellParams(cellKind: CellKind, params: unknown): CellWeights {
  if (!(params instanceof ScriptObject)) throw new OperatorError("expected cell parameters");
  const [kind, , , ints, packed] = nativeState<CellState>(params);
  if (kind !== "quantized_dynamic" && kind !== "quantized_fp16")
    throw new OperatorError(`Cannot run recurrent cell parameters of kind "${kind}"`);
  return cellOf(cellKind, packed[0], packed[1], ints[0] === 1);
}

/** The layers of a list of cells. */
function layersOf({ kind, layers, bidirectional }: LayerOptions, params: unknown): LayerWeights {
  const cells = params as readonly unknown[];
  const expected = layers * (bidirectional ? 2 : 1);
  if (cells.length !== expected) throw new OperatorError(`Expected ${expected} cells, got ${cells.length}`);
  return (index) => cellParams(kind, cells[index]);
}

const PARAMS = "__torch__.torch.classes.rnn.CellParamsBase[] params";

type LstmInput =
  "aten::quantized_lstm.input(Tensor input, Tensor[] hx, Any params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first, *, ScalarType? dtype=None, bool use_dynamic=False) -> (Tensor, Tensor, Tensor)";
op(
  `aten::quantized_lstm.input(Tensor input, Tensor[] hx, ${PARAMS}, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first, *, ScalarType? dtype=None, bool use_dynamic=False) -> (Tensor, Tensor, Tensor)` as LstmInput,
  (input, hx, params, _biases, layers, dropout, train, bidirectional, batchFirst): [Tensor, Tensor, Tensor] => {
    if (hx.length !== 2) throw new OperatorError("lstm expects two hidden states");
    requireFloat(input, ...hx);
    const o: LayerOptions = { kind: "lstm", layers, dropout, train, bidirectional };
    const out = runPadded(input, hx[0]!, hx[1]!, layersOf(o, params), o, batchFirst);
    return [out.out, out.h, out.c!];
  },
);
type LstmData =
  "aten::quantized_lstm.data(Tensor data, Tensor batch_sizes, Tensor[] hx, Any params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, *, ScalarType? dtype=None, bool use_dynamic=False) -> (Tensor, Tensor, Tensor)";
op(
  `aten::quantized_lstm.data(Tensor data, Tensor batch_sizes, Tensor[] hx, ${PARAMS}, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, *, ScalarType? dtype=None, bool use_dynamic=False) -> (Tensor, Tensor, Tensor)` as LstmData,
  (data, batchSizes, hx, params, _biases, layers, dropout, train, bidirectional): [Tensor, Tensor, Tensor] => {
    requireFloat(data, ...hx);
    const o: LayerOptions = { kind: "lstm", layers, dropout, train, bidirectional };
    const out = runLayers(data, indicesOf(batchSizes), hx[0]!, hx[1]!, layersOf(o, params), o);
    return [out.out, out.h, out.c!];
  },
);
type GruInput =
  "aten::quantized_gru.input(Tensor input, Tensor hx, Any params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)";
op(
  `aten::quantized_gru.input(Tensor input, Tensor hx, ${PARAMS}, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)` as GruInput,
  (input, hx, params, _biases, layers, dropout, train, bidirectional, batchFirst): [Tensor, Tensor] => {
    requireFloat(input, hx);
    const o: LayerOptions = { kind: "gru", layers, dropout, train, bidirectional };
    const out = runPadded(input, hx, null, layersOf(o, params), o, batchFirst);
    return [out.out, out.h];
  },
);
type GruData =
  "aten::quantized_gru.data(Tensor data, Tensor batch_sizes, Tensor hx, Any params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional) -> (Tensor, Tensor)";
op(
  `aten::quantized_gru.data(Tensor data, Tensor batch_sizes, Tensor hx, ${PARAMS}, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional) -> (Tensor, Tensor)` as GruData,
  (data, batchSizes, hx, params, _biases, layers, dropout, train, bidirectional): [Tensor, Tensor] => {
    requireFloat(data, hx);
    const o: LayerOptions = { kind: "gru", layers, dropout, train, bidirectional };
    const out = runLayers(data, indicesOf(batchSizes), hx, null, layersOf(o, params), o);
    return [out.out, out.h];
  },
);
