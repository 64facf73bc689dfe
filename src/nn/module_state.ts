/** @file What a module keeps beside its fields: registered names, hooks, items of containers. Upstream: torch/nn/modules/module.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

/** Runs before `forward`; may return other arguments. */
export type ForwardPreHook<M = Module> = (module: M, args: readonly unknown[]) => unknown;
/** Runs after `forward`; may return another result. */
export type ForwardHook<M = Module> = (module: M, args: readonly unknown[], output: unknown) => unknown;

const originals = new WeakMap<object, unknown>();
/** Wraps a hook, so that one that is registered twice can be taken back once. */
export function wrapHook<H extends object>(hook: unknown, wrapper: H): H {
  originals.set(wrapper, hook);
  return wrapper;
}
/** The function that was registered. */
export function originalHook(wrapper: ForwardPreHook | ForwardHook): unknown {
  return originals.get(wrapper) ?? wrapper;
}

/** What registering a hook gives: a way to take it back. */
export interface HookHandle {
  /** Takes the hook away. */
  remove(): void;
}

/**
 * The members of a module that keeps them elsewhere than in fields: a ScriptModule's lie in its object. The same kinds of
 * things come out of every module, so that containers, state dicts and `to()` need not know which one they have.
 */
export interface ForeignMembers {
  /** Submodules by name. */
  modules(): Iterable<[string, Module]>;
  parameters(): Iterable<[string, Tensor]>;
  buffers(): Iterable<[string, Tensor]>;
  /** Replaces a parameter or buffer. */
  set(name: string, value: unknown): void;
  /** A copy of the module with copies of its tensors. */
  copy(): Module;
}

/** The part of a module that is no field. */
export interface ModuleState {
  /** Where the members are if they are no fields. */
  foreign?: ForeignMembers;
  /** Names given to registerParameter, also those registered as null. */
  readonly parameters: Set<string>;
  /** Names given to registerBuffer, and whether state dicts hold them. */
  readonly buffers: Map<string, { readonly persistent: boolean }>;
  /** Names given to registerModule, also those registered as null. */
  readonly modules: Set<string>;
  /** Children and parameters of a container in their own order: as fields, "10" would come before "a" and after "9". */
  readonly items: Map<string, Module | Parameter | Tensor | null>;
  preHooks: ForwardPreHook[];
  hooks: ForwardHook[];
}

/** The key of a module's state. */
export const STATE: unique symbol = Symbol("nn.Module state");

/** Runs a module's call, hooks included; subclasses whose `forward` is not all of it override it. */
export const CALL: unique symbol = Symbol("nn.Module call");

/** A fresh state. */
export function newState(): ModuleState {
  return { parameters: new Set(), buffers: new Map(), modules: new Set(), items: new Map(), preHooks: [], hooks: [] };
}

/** Every own value of a module by name: a container's items first, then the fields in the order of their assignment. */
export function* ownEntries(module: Module): Generator<[string, unknown]> {
  const { foreign } = module[STATE];
  if (foreign) {
    yield* foreign.modules();
    return;
  }
  yield* module[STATE].items;
  for (const name of Object.keys(module)) yield [name, (module as unknown as Record<string, unknown>)[name]];
}

/** Own parameters by name, null where registered so. Throws OperatorError where another value took a parameter's place. */
export function* ownParameters(module: Module): Generator<[string, Parameter | null]> {
  const { parameters, foreign } = module[STATE];
  if (foreign) {
    yield* foreign.parameters();
    return;
  }
  for (const [name, value] of ownEntries(module)) {
    if (value instanceof Parameter) yield [name, value];
    else if (parameters.has(name)) {
      if (value !== null && value !== undefined) {
        const type = value instanceof Tensor ? `torch.${value.dtype.cppName}Tensor` : typeof value;
        throw new OperatorError(`cannot assign '${type}' as parameter '${name}' (torch.nn.Parameter or None expected)`);
      }
      yield [name, null];
    }
  }
}

/** Whether state dicts hold a buffer. */
export function isPersistent(module: Module, name: string): boolean {
  return module[STATE].buffers.get(name)?.persistent ?? true;
}

/** Own buffers by name, null where registered so. */
export function* ownBuffers(module: Module): Generator<[string, Tensor | null]> {
  const { buffers, foreign } = module[STATE];
  if (foreign) {
    yield* foreign.buffers();
    return;
  }
  for (const name of buffers.keys()) {
    const value = (module as unknown as Record<string, unknown>)[name];
    if (value !== null && value !== undefined && !(value instanceof Tensor)) {
      throw new OperatorError(
        `cannot assign '${typeof value}' object to buffer '${name}' (torch.Tensor or None required)`,
      );
    }
    yield [name, value ?? null];
  }
}
