/** @file Operators that PyTorch's tracer does not record as such but by what they are made of. Upstream: tools/autograd/gen_trace_type.py (DONT_RECORD_TRACE), aten/src/ATen/native/Convolution.cpp, RNN.cpp. Spec: spec/tracing.md. */
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

/** By operator name. */
export const DECOMPOSITIONS: Readonly<Record<string, Decomposition>> = {
  "aten::conv1d": conv(1),
  "aten::conv2d": conv(2),
  "aten::conv3d": conv(3),
  "aten::conv_transpose1d": convTranspose(1),
  "aten::conv_transpose2d": convTranspose(2),
  "aten::conv_transpose3d": convTranspose(3),
};
