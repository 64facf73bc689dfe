/** @file createScriptModule: an eager module and all below it to a ScriptModule that shares its tensors. Upstream: torch/jit/_recursive.py create_script_module, torch/jit/_trace.py TracedModule. Spec: none. */
import { ScriptError, internalAssert } from "../../base/errors.ts";
import { quotedString } from "../../base/float_text.ts";
import { ScriptObject } from "../../core/ivalue.ts";
import { typeStr } from "../../core/type.ts";
import { fromUser } from "../../interpreter/convert.ts";
import type { Module } from "../../nn/module.ts";
import { holdTensors } from "../../saver/reference_counts.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { pythonCu } from "../python_cu.ts";
import { saver } from "../save.ts";
import { ScriptModule, moduleOf, type ModuleOwner } from "../script_module.ts";
import { createHooks, createMethods, defineMethods, stubsOfText } from "./compile_methods.ts";
import { setConcreteType, type ConcreteModuleType } from "./concrete_type.ts";
import {
  attributeValue,
  concreteTypeOfModule,
  inferConcreteType,
  partsOf,
  type AnyModule,
  type ModuleParts,
} from "./infer_concrete_type.ts";
import { addMethodSource, methodSources, type MethodStub } from "./method_source.ts";
import { libraryMethods } from "./library_methods.ts";
import { baseClasses, classOf, ownScript, type ModuleClass } from "./module_class.ts";

addMethodSource(() => libraryMethods);

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
  const cu = pythonCu();
  return { cu, saver, define: (object, text) => defineMethods(object, text, cu) };
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
  for (const name of concrete.attributes.keys()) {
    const value = slotValue(concrete, name, attributeValue(parts, name));
    holdTensors(value);
    object.setAttr(name, value);
  }
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
  compile(module, concrete, methodStubs);
  return moduleOf(object, scriptOwner());
}

/** Compiles the methods and hooks of a module's type, once for all modules of it. */
function compile(module: Module, concrete: ConcreteModuleType, stubs: readonly MethodStub[]): void {
  if (concrete.methodsCompiled) return;
  createMethods(concrete, stubs, { properties: methodSources.properties(classOf(module)) });
  createHooks(concrete, hookStubs(module, concrete.hooks), hookStubs(module, concrete.preHooks));
  const { iterableKind, classType } = concrete;
  const names = [...concrete.modules.keys()];
  const define = (text: string): void => createMethods(concrete, stubsOfText(text));
  if ((iterableKind === "list" || iterableKind === "dict") && !classType.methods.has("__len__"))
    define(`def __len__(self):\n   return ${names.length}\n`);
  if (iterableKind === "dict" && !classType.methods.has("__contains__")) {
    const found = names.length > 0 ? `key in [${names.map(quotedString).join(", ")}]` : "False";
    define(`def __contains__(self, key: str):\n   return ${found}\n`);
  }
  concrete.methodsCompiled = true;
}

function hookStubs(module: Module, hooks: readonly unknown[]): MethodStub[] {
  return hooks.map((hook) => {
    const stub = methodSources.hookStub(module, hook);
    if (!stub) {
      throw new ScriptError(
        `Cannot script ${module.getName()}: it has a forward hook whose source is not known; remove the hook, or script the module before it is registered`,
      );
    }
    return stub;
  });
}

/** The methods that scripting starts from: `forward` and the exported ones, overloads instead of what they overload. */
export function methodsToCompile(module: Module): MethodStub[] {
  const cls = classOf(module);
  const overloads = methodSources.overloads(cls);
  const find = (name: string): MethodStub[] => {
    const stub = methodSources.findMethod(cls, name);
    if (stub === "ignored" || stub !== undefined) return stub === "ignored" ? [] : [stub];
    if (name === "forward" && !ownsMethod(cls, name)) return [];
    throw new ScriptError(`Cannot script ${cls.name}: the source of its method '${name}' is not known`);
  };
  const names = ["forward", ...methodSources.exportedNames(cls)].filter((name) => !overloads.has(name));
  return [...[...overloads.values()].flat(), ...new Set(names)].flatMap(find);
}

/** Whether a method is the user's, not the library's. */
function ownsMethod(cls: ModuleClass, name: string): boolean {
  for (const base of baseClasses(cls)) {
    if (ownScript(base)) return false;
    if (Object.hasOwn(base.prototype, name)) return true;
  }
  return false;
}

/** The methods that a trace keeps: the exported ones. */
export function exportedMethods(module: Module): MethodStub[] {
  const cls = classOf(module);
  return methodSources.exportedNames(cls).flatMap((name) => {
    const stub = methodSources.findMethod(cls, name);
    return stub === undefined || stub === "ignored" ? [] : [stub];
  });
}

/**
 * Scripts an eager module and all below it, as `torch.jit.script(module)`.
 * @throws ScriptError with PyTorch's text and a caret for what cannot be compiled.
 */
export function scriptModule(module: AnyModule, stubs: StubsOf = methodsToCompile): ScriptModule {
  return module instanceof ScriptModule ? module : createScriptModule(module, { stubs });
}

/**
 * Makes the ScriptModule that a trace fills: no methods, no constants, only parameters, buffers, `training` and submodules,
 * each with a type of its own. ScriptModules stay what they are.
 * @throws ScriptError where a module has one parameter or buffer under two names.
 */
export function createTracedModule(module: AnyModule): ScriptModule {
  if (module instanceof ScriptModule) return module;
  if (methodSources.exportedNames(classOf(module)).length > 0)
    return createScriptModule(module, { stubs: exportedMethods, shareTypes: false, isTracing: true });
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
