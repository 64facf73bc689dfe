/** @file inferConcreteType: an eager module to its concrete type. Upstream: torch/jit/_recursive.py infer_concrete_type_builder. Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import { emitWarning } from "../../base/sinks.ts";
import type { QualifiedName } from "../../core/qualified_name.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import type { TypedConstant } from "../../frontend/default_value.ts";
import { ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential } from "../../nn/containers.ts";
import { Module } from "../../nn/module.ts";
import { STATE, originalHook, ownBuffers, ownEntries, ownParameters } from "../../nn/module_state.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { ScriptModule } from "../script_module.ts";
import { ConcreteModuleType, concreteTypeOf, shareConcreteType, type IterableKind } from "./concrete_type.ts";
import { inferType, pythonTypeText } from "./infer_type.ts";
import { methodSources } from "./method_source.ts";
import {
  annotatedType,
  annotationsOf,
  classOf,
  constantNames,
  ignoredAttributes,
  moduleClassName,
  type ModuleClass,
} from "./module_class.ts";

/** A module that the compiler takes: eager, or compiled already. */
export type AnyModule = Module | ScriptModule;

/** What is read off a module: its members by kind, each in order. */
export interface ModuleParts {
  readonly className: QualifiedName;
  readonly moduleClass: ModuleClass;
  readonly iterableKind: IterableKind;
  readonly annotations: Readonly<Record<string, string>>;
  readonly parameters: ReadonlyMap<string, Tensor | null>;
  readonly buffers: ReadonlyMap<string, Tensor | null>;
  readonly modules: ReadonlyMap<string, AnyModule | null>;
  readonly constants: readonly string[];
  /** Other attributes. */
  readonly attributes: ReadonlyMap<string, unknown>;
  readonly ignored: ReadonlySet<string>;
}

function iterableKindOf(module: Module): IterableKind {
  if (module instanceof ModuleDict) return "dict";
  if (module instanceof ModuleList || module instanceof Sequential) return "list";
  if (module instanceof ParameterList) return "paramlist";
  return module instanceof ParameterDict ? "paramdict" : "none";
}

/** Whether a value is a module. */
export function isAnyModule(value: unknown): value is AnyModule {
  return value instanceof Module || value instanceof ScriptModule;
}

/** The members of an eager module. */
export function partsOf(module: Module): ModuleParts {
  const cls = classOf(module);
  const parameters = new Map(ownParameters(module));
  const buffers = new Map(ownBuffers(module));
  const modules = new Map<string, AnyModule | null>();
  const attributes = new Map<string, unknown>();
  for (const [name, value] of ownEntries(module)) {
    if (parameters.has(name) || buffers.has(name)) continue;
    if (isAnyModule(value)) modules.set(name, value);
    else if (module[STATE].modules.has(name)) modules.set(name, null);
    else attributes.set(name, value);
    // PyTorch's modules have it right behind; here backward hooks are kept elsewhere
    if (name === "training") attributes.set("_is_full_backward_hook", null);
  }
  // PyTorch's classes keep these beside their parameters
  if (module instanceof ParameterList) attributes.set("_size", module.size);
  if (module instanceof ParameterDict) attributes.set("_keys", new Map(module.keys().map((key) => [key, null])));
  return {
    className: moduleClassName(cls),
    moduleClass: cls,
    iterableKind: iterableKindOf(module),
    annotations: annotationsOf(cls),
    parameters,
    buffers,
    modules,
    constants: constantNames(cls),
    attributes,
    ignored: new Set(ignoredAttributes(cls)),
  };
}

const VALID_CONSTANTS = new Set(["Bool", "Float", "Int", "String", "None", "Device", "Complex"]);

/** A constant: arrays are tuples, whatever they would be as attributes. */
function constantOf(name: string, value: unknown, declared: Type | undefined, owner: string): TypedConstant {
  if (Array.isArray(value)) {
    const hints = declared?.kind === "Tuple" ? declared.elements : [];
    const element = declared?.kind === "List" ? declared.element : undefined;
    const items = value.map((item, i) => constantOf(name, item, hints[i] ?? element, owner));
    return { value: items.map((i) => i.value), type: T.tupleOf(items.map((i) => i.type)) };
  }
  // one value may stand for a list of them
  const wanted =
    (declared?.kind === "Optional" || declared?.kind === "List") && value !== null ? declared.element : declared;
  // an annotation decides between int and float; for the rest the value speaks
  const found = inferType(value, typeof value === "number" && wanted?.kind === "Float" ? T.FloatT : undefined);
  if (found.type === undefined || !VALID_CONSTANTS.has(found.type.kind)) {
    throw new ScriptError(
      `'${pythonTypeText(value)}' object in attribute '${owner}.${name}' is not a valid constant.\nValid constants are:\n1. a nn.ModuleList\n2. a boolean, number, string, null, device or dtype\n3. an array of (2)`,
    );
  }
  return { value: found.value, type: found.type };
}

function declaredType(parts: ModuleParts, name: string, value: unknown): Type | undefined {
  const text = Object.hasOwn(parts.annotations, name)
    ? parts.annotations[name]
    : methodSources.attributeType(parts.moduleClass, name);
  if (text === undefined) return undefined;
  try {
    return annotatedType(text);
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    throw new ScriptError(`Error inferring type for ${name}: ${pythonTypeText(value)}: ${error.reason}`, undefined, {
      cause: error,
    });
  }
}

/** The value of an attribute of a module. */
export function attributeValue(parts: ModuleParts, name: string): unknown {
  for (const members of [parts.parameters, parts.buffers, parts.modules, parts.attributes])
    if (members.has(name)) return members.get(name);
  return undefined;
}

function addTensors(
  concrete: ConcreteModuleType,
  parts: ModuleParts,
  tensors: ReadonlyMap<string, Tensor | null>,
  kind: { readonly isParameter: boolean; readonly isBuffer: boolean },
): void {
  for (const [name, tensor] of tensors) {
    if (parts.ignored.has(name)) continue;
    const type = declaredType(parts, name, tensor) ?? (tensor === null ? T.NoneT : T.TensorT);
    concrete.attributes.set(name, { type, ...kind });
  }
}

function addConstants(concrete: ConcreteModuleType, parts: ModuleParts): void {
  for (const name of parts.constants) {
    const kinds = [
      ["submodule", concrete.modules.has(name)],
      ["buffer", parts.buffers.has(name)],
      ["parameter", parts.parameters.has(name)],
    ] as const;
    const kind = kinds.find(([, is]) => is)?.[0];
    if (kind) {
      emitWarning(
        `'${name}' was found in ScriptModule constants,  but it is a non-constant ${kind}. Consider removing it.`,
      );
      continue;
    }
    const value = attributeValue(parts, name);
    if (value === undefined) {
      emitWarning(
        `'${name}' was found in ScriptModule constants, but was not actually set in __init__. Consider removing it.`,
      );
      continue;
    }
    const owner = parts.className.name;
    concrete.constants.set(name, constantOf(name, value, declaredType(parts, name, value), owner));
  }
}

function addAttributes(concrete: ConcreteModuleType, parts: ModuleParts): void {
  for (const [name, value] of parts.attributes) {
    const isKnown = concrete.attributes.has(name) || concrete.constants.has(name) || parts.ignored.has(name);
    if (isKnown || name.startsWith("__")) continue;
    if (typeof value === "function") {
      concrete.functionAttributes.set(name, value);
      continue;
    }
    const declared = declaredType(parts, name, value);
    const found = inferType(value, declared);
    if (found.type !== undefined) {
      concrete.attributes.set(name, { type: found.type, isParameter: false, isBuffer: false });
      continue;
    }
    const advice = declared ? "" : "Its type was inferred; try adding a type annotation for the attribute.";
    concrete.failedAttributes.set(
      name,
      `(This attribute exists on the Python module, but we failed to convert Python type: '${pythonTypeText(value)}' to a TorchScript type. ${found.reason}. ${advice})`,
    );
  }
}

/** How types are made. */
export interface TypeOptions {
  /** Whether modules that look the same get one type; a trace may give each its own methods. */
  readonly shareTypes: boolean;
}

/** The concrete type of a module: that of an equal one where types are shared. Throws ScriptError for constants that cannot be. */
export function concreteTypeOfModule(module: AnyModule, options: TypeOptions): ConcreteModuleType {
  if (module instanceof ScriptModule) return concreteTypeOf(module.object);
  const concrete = inferConcreteType(partsOf(module), module, options);
  if (options.shareTypes) return shareConcreteType(concrete);
  concrete.isPoisoned = true;
  void concrete.jitType;
  return concrete;
}

/** The concrete type that members of a module make, not built yet. */
export function inferConcreteType(
  parts: ModuleParts,
  module: Module | undefined,
  options: TypeOptions,
): ConcreteModuleType {
  const concrete = new ConcreteModuleType(parts.moduleClass, parts.className);
  concrete.iterableKind = parts.iterableKind;
  for (const name of parts.ignored) concrete.ignoredAttributes.add(name);
  addTensors(concrete, parts, parts.parameters, { isParameter: true, isBuffer: false });
  addTensors(concrete, parts, parts.buffers, { isParameter: false, isBuffer: true });
  for (const [name, child] of parts.modules) {
    if (parts.ignored.has(name)) continue;
    // there are no optional modules: None is an attribute of its own type
    if (child === null) concrete.attributes.set(name, { type: T.NoneT, isParameter: false, isBuffer: false });
    else concrete.modules.set(name, concreteTypeOfModule(child, options));
  }
  addConstants(concrete, parts);
  addAttributes(concrete, parts);
  if (module) {
    concrete.hooks.push(...module[STATE].hooks.map(originalHook));
    concrete.preHooks.push(...module[STATE].preHooks.map(originalHook));
    for (const [name, methods] of methodSources.overloads(parts.moduleClass)) concrete.overloads.set(name, methods);
  }
  return concrete;
}
