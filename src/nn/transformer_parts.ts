/** @file Parts of transformers: activations by name, stacks of copies. Upstream: torch/nn/modules/transformer.py (_get_activation_fn, _get_clones). Spec: none. */
import { OperatorError } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ModuleList } from "./containers.ts";
import { deepcopy } from "./copy.ts";
import { gelu, relu } from "./functional_activation.ts";
import type { Module } from "./module.ts";

/** An activation: by name, as a function, or as a module. */
export type ActivationLike = "relu" | "gelu" | ((input: Tensor) => Tensor);

/** The function of an activation. */
export function activationOf(given: ActivationLike): (input: Tensor) => Tensor {
  if (typeof given === "function") return given;
  if (given === "relu") return relu;
  if (given === "gelu") return gelu;
  throw new OperatorError(`activation should be relu/gelu, not ${String(given)}`);
}

/** Copies of a layer, each with parameters of its own. */
export function clones<M extends Module>(layer: M, count: number): ModuleList<M> {
  return new ModuleList(Array.from({ length: count }, () => deepcopy(layer)));
}
