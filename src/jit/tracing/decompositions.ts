/** @file Operators that PyTorch's tracer does not record as such but by what they are made of. Upstream: tools/autograd/gen_trace_type.py (DONT_RECORD_TRACE), aten/src/ATen/native/Convolution.cpp, RNN.cpp. Spec: none. */
import type { FunctionSchema } from "../../core/schema.ts";
import { OperatorError } from "../../base/errors.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { callByName } from "../../torch/eager_call.ts";

/** Computes an operator by calling its parts, which are recorded. */
export type Decomposition = (args: readonly unknown[], schema: FunctionSchema) => unknown;

function call(name: string, ...args: unknown[]): Tensor {
  return callByName(name, args) as Tensor;
}

/** One number for all dimensions becomes a list. */
function expanded(values: readonly number[], n: number): readonly number[] {
  return values.length === 1 ? new Array<number>(n).fill(values[0]!) : values;
}

function convolution(
  n: number,
  transposed: boolean,
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  stride: readonly number[],
  padding: readonly number[],
  dilation: readonly number[],
  outputPadding: readonly number[],
  groups: number,
): Tensor {
  const isBatched = input.sizes.length === n + 2;
  const x = isBatched ? input : call("unsqueeze", input, 0);
  const result = call(
    "_convolution",
    x,
    weight,
    bias,
    expanded(stride, n),
    expanded(padding, n),
    expanded(dilation, n),
    transposed,
    expanded(outputPadding, n),
    groups,
    false,
    false,
    true,
    true,
  );
  return isBatched ? result : call("squeeze", result, 0);
}

function conv(n: number): Decomposition {
  return (args) => {
    const [input, weight, bias, stride, padding, dilation, groups] = args as [
      Tensor,
      Tensor,
      Tensor | null,
      number[],
      number[] | string,
      number[],
      number,
    ];
    if (typeof padding === "string") return convWithMode(n, input, weight, bias, stride, padding, dilation, groups);
    return convolution(n, false, input, weight, bias, stride, padding, dilation, new Array<number>(n).fill(0), groups);
  };
}

/** `padding="same"` and `"valid"`. */
function convWithMode(
  n: number,
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  stride: readonly number[],
  padding: string,
  dilation: readonly number[],
  groups: number,
): Tensor {
  if (padding !== "same" && padding !== "valid") throw new OperatorError(`Invalid padding string: '${padding}'`);
  return call("_convolution_mode", input, weight, bias, stride, padding, dilation, groups);
}

function convTranspose(n: number): Decomposition {
  return (args) => {
    const [input, weight, bias, stride, padding, outputPadding, groups, dilation] = args as [
      Tensor,
      Tensor,
      Tensor | null,
      number[],
      number[],
      number[],
      number,
      number[],
    ];
    return convolution(n, true, input, weight, bias, stride, padding, dilation, outputPadding, groups);
  };
}

type CellArguments = readonly [
  input: Tensor,
  hidden: Tensor,
  weightIh: Tensor,
  weightHh: Tensor,
  biasIh: Tensor | null,
  biasHh: Tensor | null,
];

function simpleCell(activation: string): Decomposition {
  return (args) => {
    const [input, hidden, weightIh, weightHh, biasIh, biasHh] = args as unknown as CellArguments;
    const state = call("linear", hidden, weightHh, biasHh);
    return call(activation, call("add_", state, call("linear", input, weightIh, biasIh)));
  };
}

function chunks(x: Tensor, count: number): Tensor[] {
  return callByName("unsafe_chunk", [x, count, 1]) as Tensor[];
}

const gruCell: Decomposition = (args) => {
  const [input, hidden, weightIh, weightHh, biasIh, biasHh] = args as unknown as CellArguments;
  const [inReset, inUpdate, inNew] = chunks(call("linear", input, weightIh, biasIh), 3);
  const [hiddenReset, hiddenUpdate, hiddenNew] = chunks(call("linear", hidden, weightHh, biasHh), 3);
  const reset = call("sigmoid_", call("add_", hiddenReset, inReset));
  const update = call("sigmoid_", call("add_", hiddenUpdate, inUpdate));
  const candidate = call("tanh_", call("add", inNew, call("mul_", hiddenNew, reset)));
  return call("add_", call("mul_", call("sub", hidden, candidate), update), candidate);
};

const lstmCell: Decomposition = (args) => {
  const [input, state, weightIh, weightHh, biasIh, biasHh] = args as [
    Tensor,
    readonly [Tensor, Tensor],
    Tensor,
    Tensor,
    Tensor | null,
    Tensor | null,
  ];
  const gates = call("linear", state[0], weightHh, biasHh);
  const parts = chunks(call("add_", gates, call("linear", input, weightIh, biasIh)), 4);
  const ingate = call("sigmoid_", parts[0]);
  const forget = call("sigmoid_", parts[1]);
  const candidate = call("tanh_", parts[2]);
  const outgate = call("sigmoid_", parts[3]);
  const kept = call("mul", forget, state[1]);
  const cell = call("add_", kept, call("mul", ingate, candidate));
  return [call("mul", outgate, call("tanh", cell)), cell];
};

/** By operator name. */
export const DECOMPOSITIONS: Readonly<Record<string, Decomposition>> = {
  "aten::conv1d": conv(1),
  "aten::conv2d": conv(2),
  "aten::conv3d": conv(3),
  "aten::conv_transpose1d": convTranspose(1),
  "aten::conv_transpose2d": convTranspose(2),
  "aten::conv_transpose3d": convTranspose(3),
  "aten::rnn_tanh_cell": simpleCell("tanh"),
  "aten::rnn_relu_cell": simpleCell("relu"),
  "aten::gru_cell": gruCell,
  "aten::lstm_cell": lstmCell,
};
