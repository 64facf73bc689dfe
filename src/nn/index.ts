/** @file The `nn` namespace: modules, parameters, `functional` and `init`. Upstream: torch/nn/__init__.py. Spec: none.
 *
 * Classes and their attributes have PyTorch's names, because archives and state dicts show them (`in_features`,
 * `running_mean`); constructor options and methods are in camelCase. */
export * as functional from "./functional.ts";
export * as init from "./init.ts";
export * as utils from "./utils.ts";
export * from "./activation.ts";
export * from "./containers.ts";
export * from "./conv.ts";
export { deepcopy } from "./copy.ts";
export * from "./dropout.ts";
export * from "./embedding.ts";
export * from "./fractional_pooling.ts";
export * from "./linear.ts";
export * from "./loss.ts";
export { Module, type MembersOptions } from "./module.ts";
export type { ForwardHook, ForwardPreHook, HookHandle } from "./module_state.ts";
export * from "./normalization.ts";
export { OrderedDict } from "./ordered_dict.ts";
export * from "./padding.ts";
export { Parameter, type ParameterOptions } from "./parameter.ts";
export * from "./pooling.ts";
export * from "./recurrent.ts";
export * from "./reshape.ts";
export { StateDict, type IncompatibleKeys, type LoadStateDictOptions, type StateDictLike } from "./state_dict.ts";
export * from "./transformer.ts";
export type * from "./transformer_arguments.ts";
export * from "./vision.ts";
