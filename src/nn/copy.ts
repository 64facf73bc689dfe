/** @file Deep copies of modules. Upstream: Python's copy.deepcopy. Spec: none. */
import { cloneTensor } from "../tensor/clone.ts";
import { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";
import { STATE } from "./module_state.ts";
import { Parameter } from "./parameter.ts";

/** The constructor of Module alone makes the callable; the copy's fields follow. */
class Blank extends Module {
  forward(): never {
    throw new Error("internal: a module under construction was called");
  }
}

function copyValue(value: unknown, seen: Map<unknown, unknown>): unknown {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return value;
  const known = seen.get(value);
  if (known !== undefined) return known;
  let made: unknown;
  if (value instanceof Parameter) made = new Parameter(cloneTensor(value), { requiresGrad: value.requiresGrad });
  else if (value instanceof Tensor) made = cloneTensor(value);
  else if (value instanceof Module) return copyModule(value, seen);
  else if (Array.isArray(value)) made = value.map((item) => copyValue(item, seen));
  else if (value instanceof Map)
    made = new Map(Array.from(value, ([k, v]) => [k as unknown, copyValue(v, seen)] as const));
  else if (Object.getPrototypeOf(value) === Object.prototype)
    made = Object.fromEntries(Object.entries(value).map(([k, v]) => [k, copyValue(v, seen)]));
  else return value;
  seen.set(value, made);
  return made;
}

function copyModule<M extends Module>(module: M, seen: Map<unknown, unknown>): M {
  const { foreign } = module[STATE];
  if (foreign) {
    const made = foreign.copy() as M;
    seen.set(module, made);
    return made;
  }
  const copy = new Blank() as Module as M;
  Object.setPrototypeOf(copy, Object.getPrototypeOf(module) as object);
  seen.set(module, copy);
  const from = module[STATE];
  const to = copy[STATE];
  for (const name of from.parameters) to.parameters.add(name);
  for (const name of from.modules) to.modules.add(name);
  for (const [name, options] of from.buffers) to.buffers.set(name, options);
  for (const [name, item] of from.items) to.items.set(name, copyValue(item, seen) as Module);
  to.preHooks = [...from.preHooks];
  to.hooks = [...from.hooks];
  for (const name of Object.keys(module)) {
    (copy as unknown as Record<string, unknown>)[name] = copyValue(
      (module as unknown as Record<string, unknown>)[name],
      seen,
    );
  }
  return copy;
}

/**
 * A module with copies of all parameters, buffers, submodules, arrays, Maps and plain objects; other values are shared.
 * Private `#fields` are out of reach: classes that have them cannot be copied.
 */
export function deepcopy<M extends Module>(module: M): M {
  return copyModule(module, new Map());
}
