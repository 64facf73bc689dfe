/** @file Every function of `nn.functional`. Upstream: torch/nn/functional.py. Spec: none.
 *
 * Names are PyTorch's own (`max_pool2d`, `cross_entropy`): they are the operators' names, which archives and printed code
 * show. Tensors and what cannot be left out are positional, in PyTorch's order; the rest is an object of options in
 * camelCase, as in the modules' constructors. */
export * from "./functional_activation.ts";
export * from "./functional_attention.ts";
export * from "./functional_layers.ts";
export * from "./functional_loss.ts";
export * from "./functional_pooling.ts";
export * from "./functional_vision.ts";
