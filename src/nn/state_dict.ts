/** @file StateDict: tensors of a module tree by path, and how they are loaded. Upstream: torch/nn/modules/module.py `load_state_dict`. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { copyInto } from "../tensor/copy.ts";
import { Tensor, viewOf } from "../tensor/tensor.ts";
import type { Module } from "./module.ts";
import { isPersistent, ownBuffers, ownParameters } from "./module_state.ts";
import { Parameter } from "./parameter.ts";

/** Tensors by path such as `layer1.0.weight`, in the module's order. Mirrors the OrderedDict that `state_dict()` returns. */
export class StateDict extends Map<string, Tensor> {
  /** The version of every module by path: `_metadata` in Python. */
  readonly metadata = new Map<string, { version: number }>();
}

/** What can be loaded: a StateDict, a Map or a record. */
export type StateDictLike = ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>;

/** What `loadStateDict` could not place. */
export interface IncompatibleKeys {
  /** Names of the module that the dict does not have. */
  readonly missingKeys: readonly string[];
  /** Names of the dict that the module does not have. */
  readonly unexpectedKeys: readonly string[];
}

/** Options of `loadStateDict`. */
export interface LoadStateDictOptions {
  /** Whether missing and unexpected keys are errors (true where left out). */
  readonly strict?: boolean;
  /** Take the given tensors themselves instead of copying their elements. */
  readonly assign?: boolean;
}

/** One module's share of a load: modules with older formats override `loadOwnState`. */
export interface StateLoad {
  /** A copy that may be changed. */
  readonly tensors: Map<string, Tensor>;
  readonly prefix: string;
  readonly version: number | undefined;
  readonly assign: boolean;
  readonly missingKeys: string[];
  readonly unexpectedKeys: string[];
  readonly errors: string[];
}

/** The detached view that a state dict holds: same elements, no parameter. */
function detached(tensor: Tensor): Tensor {
  const view = viewOf(tensor, tensor.sizes, tensor.strides);
  view.base = undefined;
  return view;
}

/** Adds the tensors of a module and of its children. */
export function collectState(module: Module, into: StateDict, prefix: string, keepVars: boolean): void {
  into.metadata.set(prefix.slice(0, -1), { version: module.stateVersion() });
  for (const [name, value] of ownParameters(module))
    if (value) into.set(prefix + name, keepVars ? value : detached(value));
  for (const [name, value] of ownBuffers(module)) {
    if (value && isPersistent(module, name)) into.set(prefix + name, keepVars ? value : detached(value));
  }
  for (const [name, child] of module.namedChildren({ removeDuplicate: false }))
    collectState(child, into, `${prefix}${name}.`, keepVars);
}

const sizeText = (sizes: readonly number[]): string => `torch.Size([${sizes.join(", ")}])`;

/** Copies parameters and buffers of one module, not of its children. Mirrors `_load_from_state_dict`. */
export function loadOwnTensors(module: Module, load: StateLoad): void {
  const { tensors, prefix, errors } = load;
  const own = new Map<string, Tensor>();
  for (const [name, value] of ownParameters(module)) if (value) own.set(name, value);
  for (const [name, value] of ownBuffers(module)) if (value && isPersistent(module, name)) own.set(name, value);
  for (const [name, target] of own) {
    const key = prefix + name;
    let given: unknown = tensors.get(key);
    if (given === undefined) {
      load.missingKeys.push(key);
      continue;
    }
    if (!(given instanceof Tensor)) {
      errors.push(
        `While copying the parameter named "${key}", expected torch.Tensor or Tensor-like object from checkpoint but received ${typeof given}`,
      );
      continue;
    }
    let source: Tensor = given;
    // checkpoints of PyTorch 0.3 hold scalars as tensors of one element
    if (target.ndim === 0 && source.ndim === 1 && source.sizes[0] === 1) source = viewOf(source, [], []);
    if (source.sizes.length !== target.sizes.length || source.sizes.some((size, d) => size !== target.sizes[d])) {
      errors.push(
        `size mismatch for ${key}: copying a param with shape ${sizeText(source.sizes)} from checkpoint, the shape in current model is ${sizeText(target.sizes)}.`,
      );
      continue;
    }
    if (load.assign) {
      const value = target instanceof Parameter ? new Parameter(source, { requiresGrad: target.requiresGrad }) : source;
      module.setOwn(name, value);
    } else copyInto(target, source);
  }
  const modules = new Set<string>();
  for (const [name] of module.namedChildren({ removeDuplicate: false })) modules.add(name);
  for (const key of tensors.keys()) {
    if (!key.startsWith(prefix)) continue;
    const rest = key.slice(prefix.length);
    const dot = rest.indexOf(".");
    if (dot >= 0 ? !modules.has(rest.slice(0, dot)) : !own.has(rest)) load.unexpectedKeys.push(key);
  }
}

/** Loads a whole tree. Throws OperatorError with PyTorch's text, after having loaded what fits. */
export function loadState(root: Module, dict: StateDictLike, options: LoadStateDictOptions): IncompatibleKeys {
  const { strict = true, assign = false } = options;
  const metadata = dict instanceof StateDict ? dict.metadata : undefined;
  const all = new Map<string, Tensor>(dict instanceof Map ? dict : Object.entries(dict));
  const missingKeys: string[] = [];
  const unexpectedKeys: string[] = [];
  const errors: string[] = [];
  const visit = (module: Module, tensors: Map<string, Tensor>, prefix: string): void => {
    module.loadOwnState({
      tensors,
      prefix,
      version: metadata?.get(prefix.slice(0, -1))?.version,
      assign,
      missingKeys,
      unexpectedKeys,
      errors,
    });
    for (const [name, child] of module.namedChildren({ removeDuplicate: false })) {
      const inner = `${prefix}${name}.`;
      visit(child, new Map([...tensors].filter(([key]) => key.startsWith(inner))), inner);
    }
  };
  visit(root, all, "");
  const quoted = (keys: readonly string[]): string => keys.map((key) => `"${key}"`).join(", ");
  const lines = [...errors];
  if (strict) {
    if (unexpectedKeys.length > 0) lines.unshift(`Unexpected key(s) in state_dict: ${quoted(unexpectedKeys)}. `);
    if (missingKeys.length > 0) lines.unshift(`Missing key(s) in state_dict: ${quoted(missingKeys)}. `);
  }
  if (lines.length > 0)
    throw new OperatorError(`Error(s) in loading state_dict for ${root.getName()}:\n\t${lines.join("\n\t")}`);
  return { missingKeys, unexpectedKeys };
}
