/** @file `nn.utils`: packed sequences, parameters as one vector. Upstream: torch/nn/utils/. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { copyInto } from "../tensor/copy.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { aten } from "./aten.ts";

export * as rnn from "./utils_rnn.ts";

/** The elements of all parameters, one after the other. */
export function parametersToVector(parameters: Iterable<Tensor>): Tensor {
  const parts = Array.from(parameters, (parameter) => aten("reshape", parameter, [-1]));
  return aten("cat", parts, 0);
}

/** Copies the elements of a vector into parameters. */
export function vectorToParameters(vector: Tensor, parameters: Iterable<Tensor>): void {
  let start = 0;
  for (const parameter of parameters) {
    if (start + parameter.numel > vector.numel)
      throw new OperatorError(
        `vector_to_parameters: the vector has ${vector.numel} elements, the parameters have more`,
      );
    const part = aten("narrow", vector, 0, start, parameter.numel);
    copyInto(parameter, aten("reshape", part, parameter.sizes));
    start += parameter.numel;
  }
}
