/** @file createScriptModule: an eager module and all below it to a ScriptModule that shares its tensors. Upstream: torch/jit/_recursive.py create_script_module, torch/jit/_trace.py TracedModule. Spec: none. */
import { ScriptError, internalAssert } from "../../base/errors.ts";
import { ScriptObject } from "../../core/ivalue.ts";
import { typeStr } from "../../core/type.ts";
import { fromUser } from "../../interpreter/convert.ts";
import type { Module } from "../../nn/module.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { pythonCu } from "../python_cu.ts";
import { saver } from "../save.ts";
import { ScriptModule, moduleOf, type ModuleOwner } from "../script_module.ts";
import { setConcreteType, type ConcreteModuleType } from "./concrete_type.ts";
import {
  attributeValue,
  concreteTypeOfModule,
  inferConcreteType,
  partsOf,
  type AnyModule,
  type ModuleParts,
} from "./infer_concrete_type.ts";
import type { MethodStub } from "./method_source.ts";

/** The methods of a module to start compiling from. */
export type StubsOf = (module: Module) => readonly MethodStub[];

/** How to make a ScriptModule. */
export interface CreateOptions {
  /** None where left out: methods are added afterwards, as tracing does. */
  readonly stubs?: StubsOf;
  /** Whether modules that look the same get one type; true where left out. */
  readonly shareTypes?: boolean;
  /** Whether a trace will add the methods. */
  readonly isTracing?: boolean;
}

/** The owner of modules that are made here. */
export function scriptOwner(): ModuleOwner {
  return { cu: pythonCu(), saver };
}

/**
 * Makes a ScriptModule of an eager module: parameters and buffers are the same tensors, other attributes are copied, submodules
 * are made into ScriptModules too, and those that are ScriptModules already stay what they are.
 * @throws ScriptError where a method cannot be compiled.
 */
export function createScriptModule(module: Module, options: CreateOptions = {}): ScriptModule {
  const { stubs = () => [], shareTypes = true } = options;
  return createFrom(module, concreteTypeOfModule(module, { shareTypes }), stubs);
}

/** The IValue that a slot of a module holds for an attribute's value. */
function slotValue(concrete: ConcreteModuleType, name: string, value: unknown): unknown {
  if (value instanceof Tensor || value === null) return value;
  const { type } = concrete.attributes.get(name)!;
  const converted = fromUser(value, type);
  if (converted === undefined)
    throw new ScriptError(
      `Could not convert attribute '${name}' of ${concrete.className.name} to type ${typeStr(type)}`,
    );
  return converted;
}

/** The object of a module, with its slots filled but for submodules. */
function createObject(parts: ModuleParts, concrete: ConcreteModuleType): ScriptObject {
  const object = new ScriptObject(concrete.classType, new Array<unknown>(concrete.classType.attributes.length));
  for (const name of concrete.attributes.keys())
    object.setAttr(name, slotValue(concrete, name, attributeValue(parts, name)));
  setConcreteType(object, concrete);
  return object;
}

function createFrom(module: Module, concrete: ConcreteModuleType, stubs: StubsOf): ScriptModule {
  const parts = partsOf(module);
  const object = createObject(parts, concrete);
  const methodStubs = stubs(module);
  for (const [name, meta] of concrete.modules) {
    const child = parts.modules.get(name);
    internalAssert(child, `${concrete.className.name} lost its submodule "${name}"`);
    const scripted = child instanceof ScriptModule ? child : createFrom(child, meta, stubs);
    object.setAttr(name, scripted.object);
  }
  internalAssert(methodStubs.length === 0, "methods cannot be compiled yet");
  return moduleOf(object, scriptOwner());
}

/**
 * Makes the ScriptModule that a trace fills: no methods, no constants, only parameters, buffers, `training` and submodules,
 * each with a type of its own. ScriptModules stay what they are.
 * @throws ScriptError where a module has one parameter or buffer under two names.
 */
export function createTracedModule(module: AnyModule): ScriptModule {
  if (module instanceof ScriptModule) return module;
  const all = partsOf(module);
  const unique = new Set<Tensor>();
  const present = (tensors: ReadonlyMap<string, Tensor | null>): Map<string, Tensor> => {
    const kept = new Map<string, Tensor>();
    for (const [name, tensor] of tensors) {
      if (!tensor) continue;
      if (unique.has(tensor)) throw new ScriptError("TracedModules don't support parameter sharing between modules");
      unique.add(tensor);
      kept.set(name, tensor);
    }
    return kept;
  };
  const attributes = new Map<string, unknown>();
  for (const [name, value] of all.attributes)
    if (name === "training" || name === "_is_full_backward_hook" || value instanceof ScriptObject)
      attributes.set(name, value);
  const parts: ModuleParts = {
    ...all,
    // a class of its own stands between: it has PyTorch's name, and no constants or annotations
    iterableKind: "none",
    annotations: { training: "bool", _is_full_backward_hook: "Optional[bool]" },
    constants: [],
    parameters: present(all.parameters),
    buffers: present(all.buffers),
    modules: new Map(
      Array.from(all.modules)
        .filter((entry): entry is [string, AnyModule] => entry[1] !== null)
        .map(([name, child]) => [name, createTracedModule(child)]),
    ),
    attributes,
    ignored: new Set(),
  };
  const concrete = inferConcreteType(parts, undefined, { shareTypes: false });
  concrete.isPoisoned = true;
  const object = createObject(parts, concrete);
  for (const name of concrete.modules.keys()) object.setAttr(name, (parts.modules.get(name) as ScriptModule).object);
  return moduleOf(object, scriptOwner(), { displayName: parts.className.name });
}
