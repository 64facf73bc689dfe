/** @file Methods of a module's type, compiled from stubs: those to start from, hooks, and those that others call. Upstream: torch/csrc/jit/python/script_init.cpp (_create_methods_and_properties), torch/jit/_recursive.py (compile_unbound_method). Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import { Source } from "../../base/source_range.ts";
import type { ScriptObject } from "../../core/ivalue.ts";
import type { ClassType } from "../../core/type.ts";
import { defineFunction } from "../../frontend/emit/compile.ts";
import { parseDefinitions } from "../../frontend/parser.ts";
import type { Resolver } from "../../frontend/resolver.ts";
import type { CompilationUnit } from "../../ir/compilation_unit.ts";
import { ScriptFunction } from "../../ir/function.ts";
import { finishEmission } from "../../passes/pipeline.ts";
import { installDefaultEvaluator } from "../../loader/evaluate_defaults.ts";
import { pythonCu } from "../python_cu.ts";
import { concreteTypeOf, type ConcreteModuleType } from "./concrete_type.ts";
import { libraryResolver } from "./library.ts";
import { methodSources, type MethodStub, type PropertyStub } from "./method_source.ts";
import { ModuleSelf, setMethodCompiler } from "./module_value.ts";

function functionOf(concrete: ConcreteModuleType, { def, resolver }: MethodStub, cu = pythonCu()): ScriptFunction {
  const self = new ModuleSelf(concrete);
  return new ScriptFunction(concrete.classType.name.child(def.name.name), undefined, (fn) =>
    defineFunction(fn, def, resolver, self, { cu, cleanup: finishEmission }),
  );
}

function checkNew(type: ClassType, name: string): void {
  if (type.methods.has(name))
    throw new ScriptError(`Can't redefine method: ${name} on class: ${type.name.qualifiedName}`);
}

/** What `createMethods` may be told. */
export interface CreateMethodsOptions {
  /** The unit of the module's type; that of scripts where left out. */
  readonly cu?: CompilationUnit;
  /** Properties, compiled before the methods. */
  readonly properties?: readonly PropertyStub[];
}

/**
 * Adds methods to a module's type and compiles them in order; a method may call those behind it.
 * @throws ScriptError for code that cannot be compiled: then none of them is there.
 */
export function createMethods(
  concrete: ConcreteModuleType,
  stubs: readonly MethodStub[],
  { cu, properties = [] }: CreateMethodsOptions = {},
): void {
  installDefaultEvaluator();
  const type = concrete.classType;
  const before = new Set(type.methods.keys());
  const functions: ScriptFunction[] = [];
  const propertyCount = type.properties.length;
  const add = (stub: MethodStub): ScriptFunction => {
    checkNew(type, stub.def.name.name);
    const fn = functionOf(concrete, stub, cu);
    type.methods.set(fn.name, fn);
    functions.push(fn);
    return fn;
  };
  for (const { name, getter, setter } of properties)
    type.properties.push({ name, getter: add(getter), setter: setter && add(setter) });
  stubs.forEach(add);
  try {
    for (const fn of functions) fn.ensureDefined();
  } catch (error) {
    for (const name of [...type.methods.keys()]) if (!before.has(name)) type.methods.delete(name);
    type.properties.length = propertyCount;
    throw error;
  }
}

/** Methods of a module from TorchScript text. */
export function stubsOfText(text: string, resolver: Resolver = libraryResolver): MethodStub[] {
  return parseDefinitions(new Source(text, "<string>", 1), true).map((def) => ({ def, resolver }));
}

/** Adds methods of a text to the type of an object: `ScriptModule.define`. */
export function defineMethods(object: ScriptObject, text: string, cu: CompilationUnit): void {
  createMethods(concreteTypeOf(object), stubsOfText(text), { cu });
}

/** Adds hooks to a module's type. */
export function createHooks(
  concrete: ConcreteModuleType,
  hooks: readonly MethodStub[],
  preHooks: readonly MethodStub[],
): void {
  const type = concrete.classType;
  const made = new Map<string, ScriptFunction>();
  const hookOf = (stub: MethodStub): ScriptFunction => {
    const { name } = stub.def.name;
    const known = made.get(name);
    if (known) return known;
    const fn = functionOf(concrete, stub);
    made.set(name, fn);
    return fn;
  };
  type.forwardHooks.push(...hooks.map(hookOf));
  type.forwardPreHooks.push(...preHooks.map(hookOf));
  for (const fn of made.values()) fn.ensureDefined();
}

/** Compiles a method because it is called; "absent" where the module's class has none. */
function compileOnDemand(concrete: ConcreteModuleType, name: string): "compiled" | "ignored" | "absent" {
  if (!concrete.moduleClass) return "absent";
  const stub = methodSources.findMethod(concrete.moduleClass, name);
  if (stub === undefined) return "absent";
  if (stub === "ignored") return "ignored";
  createMethods(concrete, [stub]);
  return "compiled";
}
setMethodCompiler(compileOnDemand);
