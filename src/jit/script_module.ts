/** @file ScriptModule: a loaded or scripted module, callable like a function. Upstream: torch/jit/_script.py RecursiveScriptModule, torch/csrc/jit/api/module.h. Spec: none. */
import { ScriptError } from "../base/errors.ts";
import { moduleText } from "../base/module_text.ts";
import { guardStack } from "../base/stack_guard.ts";
import { printableGraph } from "./compilation_unit.ts";
import { ScriptObject, dynamicTypeTag, tagDynamicType } from "../core/ivalue.ts";
import type { ClassType, FunctionLike } from "../core/type.ts";
import { dynamicTypeOf } from "../core/ivalue.ts";
import { typeStr, TensorT, isSubtypeOf } from "../core/type.ts";
import { checkAndConvertInputs, fromUser, toUser } from "../interpreter/convert.ts";
import { runFunction, type RunOptions } from "../interpreter/run.ts";
import type { CompilationUnit } from "../ir/compilation_unit.ts";
import { ScriptFunction } from "../ir/function.ts";
import type { Graph } from "../ir/graph.ts";
import { inlinedGraph } from "../passes/inliner.ts";
import { Module, runWithHooks, type MembersOptions } from "../nn/module.ts";
import { CALL, STATE, type ForeignMembers } from "../nn/module_state.ts";
import type { Parameter } from "../nn/parameter.ts";
import { functionCode } from "../saver/function_code.ts";
import { cloneTensor } from "../tensor/clone.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { SaveOptions, Saver } from "./save.ts";
import { runTraced } from "./tracing/script_call.ts";

/** What a module needs to know of the program it belongs to. */
export interface ModuleOwner {
  readonly cu: CompilationUnit;
  /** Writes a module; `load` and `script` give it, so that a module knows how to save itself. */
  readonly saver: Saver;
  /** What each call may cost. */
  readonly budget?: RunOptions;
  /** Adds methods to the type of an object. */
  define(object: ScriptObject, text: string): void;
}

/** How a module shows itself. */
export interface ModuleAppearance {
  /** The name that is printed before the parentheses: the eager class for traced modules. */
  readonly displayName?: string;
}

/** The module of an object; the same module for the same object. */
export function moduleOf(object: ScriptObject, owner: ModuleOwner, appearance: ModuleAppearance = {}): ScriptModule {
  let module = object.wrapper as ScriptModule | undefined;
  if (!module) {
    const constructor = constructorOf(object.type);
    module = Reflect.construct(ScriptModule, [object, owner, appearance], constructor) as ScriptModule;
    object.wrapper = module;
  }
  return module;
}

/** What the modules of a class have in common: a prototype with the class's members, and how many of them it has. */
interface MemberPrototype {
  readonly constructor: new () => unknown;
  count: number;
}

/** The constructor whose prototype has attributes, constants and methods as properties, as in Python: model.fc.weight, model.encode(x); what every module has comes first. */
function constructorOf(type: ClassType): new () => unknown {
  let known = type.wrapper as MemberPrototype | undefined;
  if (!known) {
    const constructor = function () {} as unknown as new () => unknown;
    constructor.prototype = Object.create(ScriptModule.prototype);
    type.wrapper = known = { constructor, count: 0 };
  }
  const { attributes, constants, properties, methods } = type;
  const count = attributes.length + constants.size + properties.length + methods.size;
  if (count === known.count) return known.constructor;
  known.count = count;
  const { prototype } = known.constructor as { prototype: object };
  const expose = (name: string, descriptor: PropertyDescriptor): void => {
    if (!(name in prototype) && !OWN_NAMES.has(name)) Object.defineProperty(prototype, name, descriptor);
  };
  for (const { name } of attributes) expose(name, memberAccessor(name, true));
  for (const name of constants.keys()) expose(name, memberAccessor(name, false));
  for (const { name } of properties) expose(name, memberAccessor(name, true));
  for (const name of methods.keys()) expose(name, methodAccessor(name));
  return known.constructor;
}

/** A method of a module, bound to it. */
export interface ScriptMethod {
  /** Calls with positional arguments; values of lists, tuples and dicts as arrays, arrays and Maps. */
  (...args: unknown[]): unknown;
  /** The method's name. */
  readonly methodName: string;
  /** The method as TorchScript's text. */
  readonly code: string;
  /** The method's graph. */
  readonly graph: Graph;
  /** The graph with its calls put in. */
  readonly inlinedGraph: Graph;
}

/** Calling a module runs `forward` with its hooks. */
export interface ScriptModule {
  (...args: unknown[]): unknown;
}

/**
 * A module with its code. Call it: `model(x)`. Mirrors `torch.jit.ScriptModule`: an `nn.Module` like any other, which can stand
 * in containers and as a member of eager modules. Attributes and exported methods are properties too (`model.fc.code`,
 * `model.encode(x)`); `model.getattr("fc")` and `model.method("encode")` are the typed ways to them. Made by `jit.load`, `jit.script` and `jit.trace`.
 */
export class ScriptModule extends Module {
  /** The object behind the module. */
  declare readonly object: ScriptObject;
  /** What the module runs by. */
  declare readonly owner: ModuleOwner;
  /** The name that `toString` prints. */
  declare readonly displayName: string;

  /** @internal */
  constructor(object: ScriptObject, owner: ModuleOwner, appearance: ModuleAppearance) {
    super();
    const define = (name: string, descriptor: PropertyDescriptor): void =>
      void Object.defineProperty(this, name, descriptor);
    define("object", { value: object });
    define("owner", { value: owner });
    define("displayName", { value: appearance.displayName ?? "RecursiveScriptModule" });
    this[STATE].foreign = membersOf(this);
  }

  /**
   * Adds methods, written in TorchScript's own language, to this module and all others of its type.
   *
   *     model.define("def twice(self, x):\n    return self(x) * 2\n");
   *
   * @throws ScriptError with PyTorch's text and a caret, for text that cannot be compiled; then nothing is added.
   */
  define(text: string): void {
    this.owner.define(this.object, text);
    constructorOf(this.object.type);
  }

  /** The last atom of the class name. */
  get originalName(): string {
    return this.object.type.name.name;
  }

  /** Names of the methods that the archive exports. */
  methodNames(): string[] {
    return [...this.object.type.methods.keys()];
  }

  private findMethod(name: string): ScriptFunction {
    const fn = this.object.type.findMethod(name);
    if (!(fn instanceof ScriptFunction)) {
      throw new ScriptError(
        `Module '${this.originalName}' has no method '${name}'; it has: ${this.methodNames().join(", ") || "none"}`,
      );
    }
    return fn;
  }

  /** A method with its code and graph. Throws ScriptError where there is none. */
  method(name: string): ScriptMethod {
    const fn = this.findMethod(name);
    const bound = (...args: unknown[]): unknown => this.invoke(name, args);
    return Object.defineProperties(bound, {
      methodName: { value: name },
      code: { get: () => functionCode(fn).code },
      graph: { get: () => graphOf(fn) },
      inlinedGraph: { get: () => printableGraph(inlinedGraph(graphOf(fn))) },
    }) as unknown as ScriptMethod;
  }

  /**
   * Calls a method without hooks. `kwargs` by name.
   * @throws ScriptRuntimeError with both tracebacks where the code fails.
   */
  invoke(name: string, args: readonly unknown[], kwargs: Readonly<Record<string, unknown>> = {}): unknown {
    const fn = this.findMethod(name);
    const schema = fn.schema;
    const values = checkAndConvertInputs(schema, [this.object, ...args], kwargs);
    const result = runTraced(fn, values, true, () => runFunction(fn, values, this.owner.budget));
    const returned = schema.returns[0];
    return returned ? this.wrap(toUser(result, returned.type)) : undefined;
  }

  /** What calling the module does: hooks that were registered here, around those of its code, around `forward`. @internal */
  override [CALL](args: readonly unknown[]): unknown {
    return runWithHooks(this, args, (given) => this.callWithKeywords(given));
  }

  /** Runs `forward` with the hooks of the module's code around it; `kwargs` by name. */
  callWithKeywords(args: readonly unknown[], kwargs: Readonly<Record<string, unknown>> = {}): unknown {
    let inputs = args;
    const { forwardPreHooks, forwardHooks } = this.object.type;
    for (const hook of forwardPreHooks) {
      const result = this.runHook(hook, [inputs]);
      if (result !== null && result !== undefined) inputs = Array.isArray(result) ? result : [result];
    }
    let output = this.invoke("forward", inputs, kwargs);
    for (const hook of forwardHooks) {
      const result = this.runHook(hook, [inputs, output]);
      if (result !== null && result !== undefined) output = result;
    }
    return output;
  }

  private runHook(hook: FunctionLike, args: unknown[]): unknown {
    const fn = hook as ScriptFunction;
    const schema = fn.schema;
    const result = runFunction(fn, checkAndConvertInputs(schema, [this.object, ...args], {}), this.owner.budget);
    return schema.returns[0] ? toUser(result, schema.returns[0].type) : undefined;
  }

  /** `forward` without hooks. */
  override forward(...args: unknown[]): unknown {
    return this.invoke("forward", args);
  }

  private wrap(value: unknown): unknown {
    return value instanceof ScriptObject && value.type.isModule ? moduleOf(value, this.owner) : value;
  }

  /** Source of `forward` as PyTorch prints it. */
  get code(): string {
    return this.method("forward").code;
  }
  /** Source of `forward` and the tensors that it names `CONSTANTS.cN`. */
  get codeWithConstants(): [string, Map<string, unknown>] {
    const { code, constants } = functionCode(this.findMethod("forward"));
    return [code, new Map(constants.map((value, i) => [`c${i}`, value]))];
  }
  /** IR of `forward`; `String(graph)` is PyTorch's text. */
  get graph(): Graph {
    return this.method("forward").graph;
  }
  /** IR of `forward` with every call inlined. */
  get inlinedGraph(): Graph {
    return this.method("forward").inlinedGraph;
  }

  override getName(): string {
    return this.displayName;
  }
  override extraRepr(): string {
    return `original_name=${this.originalName}`;
  }

  override toString(): string {
    return guardStack("module", () => hierarchyText(this.object));
  }

  /** Submodules by attribute name, in order. */
  override *namedChildren(
    options: { readonly removeDuplicate?: boolean } = {},
  ): Generator<[string, ScriptModule], void, undefined> {
    yield* super.namedChildren(options) as Generator<[string, ScriptModule], void, undefined>;
  }
  /** Sets the training mode of the tree; no module is made for what is below. */
  override train(mode = true): this {
    setTraining(this.object, mode);
    return this;
  }
  override children(): ScriptModule[] {
    return [...this.namedChildren()].map(([, child]) => child);
  }
  /** This module and all below it, with dotted paths; a shared module is given once. */
  override *namedModules(
    options: { readonly prefix?: string; readonly removeDuplicate?: boolean } = {},
    seen: Set<Module> = new Set(),
  ): Generator<[string, ScriptModule], void, undefined> {
    yield* super.namedModules(options, seen) as Generator<[string, ScriptModule], void, undefined>;
  }
  override modules(): ScriptModule[] {
    return [...this.namedModules()].map(([, module]) => module);
  }
  /** Parameters with dotted names; a shared one is given once. */
  override namedParameters(options: MembersOptions = {}): Map<string, Parameter> {
    return new Map(super.namedParameters(options));
  }
  override parameters(options: { readonly recurse?: boolean } = {}): Parameter[] {
    return [...super.parameters(options)];
  }
  /** Buffers with dotted names; a shared one is given once. */
  override namedBuffers(options: MembersOptions = {}): Map<string, Tensor> {
    return new Map(super.namedBuffers(options));
  }
  override buffers(options: { readonly recurse?: boolean } = {}): Tensor[] {
    return [...super.buffers(options)];
  }

  private cannotAdd(what: string, name: string): never {
    throw new ScriptError(
      `Cannot add ${what} '${name}' to ${this.originalName}: a compiled module has the members it was compiled with`,
    );
  }
  override registerBuffer(name: string): never {
    return this.cannotAdd("buffer", name);
  }
  override registerParameter(name: string): never {
    return this.cannotAdd("parameter", name);
  }
  override registerModule(name: string): never {
    return this.cannotAdd("submodule", name);
  }

  /** Value of an attribute or constant; submodules come as modules. Throws ScriptError where there is none. */
  getattr(name: string): unknown {
    const { type } = this.object;
    const slot = type.findSlot(name);
    if (slot !== undefined) {
      const value = this.object.slots[slot];
      return this.wrap(value instanceof Tensor ? value : toUser(value, type.attributes[slot]!.type));
    }
    const constant = type.constants.get(name);
    if (constant) return toUser(constant.value, constant.type);
    const property = type.findProperty(name);
    if (property) return this.invoke(property.getter.name, []);
    if (type.methods.has(name)) return this.method(name);
    throw new ScriptError(`'${this.originalName}' object has no attribute '${name}'`);
  }
  /** Whether the object has such an attribute. */
  hasattr(name: string): boolean {
    const { type } = this.object;
    return (
      type.findSlot(name) !== undefined ||
      type.constants.has(name) ||
      type.methods.has(name) ||
      type.findProperty(name) !== undefined
    );
  }
  /** Sets an attribute; its type stays. Throws ScriptError where the name or the type does not fit. */
  setattr(name: string, value: unknown): void {
    const { type } = this.object;
    const slot = type.findSlot(name);
    if (slot === undefined) {
      const property = type.findProperty(name);
      if (property?.setter) {
        this.invoke(property.setter.name, [value]);
        return;
      }
      throw new ScriptError(
        `'${this.originalName}' object has no attribute '${name}'; attributes cannot be added to a compiled module`,
      );
    }
    const attribute = type.attributes[slot]!;
    const own = value instanceof ScriptModule ? value.object : value;
    const converted = fromUser(own, attribute.type);
    if (converted === undefined) {
      throw new ScriptError(
        `Cannot set attribute "${name}" of ${this.originalName}: found ${typeStr(dynamicTypeOf(own))}, expected ${typeStr(attribute.type)}`,
      );
    }
    this.object.slots[slot] = converted;
  }

  /**
   * Writes the module. A path needs a platform with files; a crash leaves an old file untouched.
   * @throws ArchiveError where the file cannot be written.
   */
  save(path: string, options: SaveOptions = {}): void {
    this.owner.saver.saveToFile(this.object, path, options, this.owner.cu);
  }
  /** The archive as bytes (root folder `archive`). */
  saveToBuffer(options: SaveOptions = {}): Uint8Array {
    return this.owner.saver.saveToBuffer(this.object, options, this.owner.cu);
  }
}

Object.defineProperty(ScriptModule.prototype, "training", {
  get(this: ScriptModule): boolean {
    const { type, slots } = this.object;
    const slot = type.findSlot("training");
    return slot === undefined ? true : slots[slot] === true;
  },
  set(this: ScriptModule, mode: boolean) {
    const { object } = this as { object?: ScriptObject };
    const slot = object?.type.findSlot("training");
    if (slot !== undefined) object!.slots[slot] = mode;
  },
  configurable: true,
});

/** Names that the constructor of ScriptModule gives each module. */
const OWN_NAMES: ReadonlySet<string> = new Set(["object", "owner", "displayName"]);

/*
 * Note [Accessors]: V8 keeps the functions of an accessor in the hidden class of its object, which only a full garbage collection frees. What
 * they close over lives as long: a model with its weights, if that is a module. So accessors know their module by `this` alone.
 */
function memberAccessor(name: string, isWritable: boolean): PropertyDescriptor {
  const get = function (this: ScriptModule): unknown {
    return this.getattr(name);
  };
  const set = function (this: ScriptModule, value: unknown): void {
    this.setattr(name, value);
  };
  return isWritable ? { get, set } : { get };
}

/** A method, bound to the module that it is asked of. */
function methodAccessor(name: string): PropertyDescriptor {
  return {
    get(this: ScriptModule) {
      return (...args: unknown[]): unknown => this.invoke(name, args);
    },
  };
}

/**
 * The ScriptModule of an eager module of class M: called with the arguments of M's `forward`; submodules are ScriptModules, and
 * other members keep their types.
 */
export type Scripted<M extends Module> = M extends ScriptModule
  ? M
  : ((...args: Parameters<M["forward"]>) => ReturnType<M["forward"]>) &
      ScriptModule & {
        [K in Exclude<keyof M, keyof ScriptModule>]: M[K] extends Module ? Scripted<M[K]> : M[K];
      };

/** The members of a module's object, as the methods of `nn.Module` see them. */
function membersOf(module: ScriptModule): ForeignMembers {
  const { object, owner } = module;
  function* tensors(parameters: boolean): Generator<[string, Parameter]> {
    const { attributes } = object.type;
    for (let i = 0; i < attributes.length; i++) {
      const attribute = attributes[i]!;
      const value = object.slots[i];
      if (!(value instanceof Tensor)) continue;
      // a tensor attribute that the class does not list in `__buffers__` is neither
      if (parameters ? attribute.isParameter : attribute.isBuffer && isSubtypeOf(attribute.type, TensorT))
        yield [attribute.name, value];
    }
  }
  return {
    *modules() {
      for (const [name, child] of childObjects(object)) yield [name, moduleOf(child, owner)];
    },
    parameters: () => tensors(true),
    buffers: () => tensors(false),
    set: (name, value) => module.setattr(name, value),
    copy: () => moduleOf(copyObject(object, new Map()), owner, { displayName: module.displayName }),
  };
}

/** A copy of an object with copies of the tensors, containers and objects in it. */
function copyObject(object: ScriptObject, seen: Map<unknown, unknown>): ScriptObject {
  const copyValue = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value;
    if (seen.has(value)) return seen.get(value);
    let made: unknown = value;
    if (value instanceof ScriptObject) return copyObject(value, seen);
    if (value instanceof Tensor) {
      made = cloneTensor(value);
      (made as Tensor).requiresGrad = value.requiresGrad;
      (made as Tensor).isParameter = value.isParameter;
    } else if (Array.isArray(value)) {
      made = value.map(copyValue);
      const tag = dynamicTypeTag(value);
      if (tag) tagDynamicType(made as object, tag);
    } else if (value instanceof Map) {
      made = new Map(Array.from(value, ([k, v]) => [k as unknown, copyValue(v)] as const));
      const tag = dynamicTypeTag(value);
      if (tag) tagDynamicType(made as object, tag);
    }
    seen.set(value, made);
    return made;
  };
  const copy = new ScriptObject(object.type);
  seen.set(object, copy);
  copy.slots = object.slots.map(copyValue);
  return copy;
}

/** Sets the mode of an object and all below it. */
function setTraining(object: ScriptObject, mode: boolean): void {
  const slot = object.type.findSlot("training");
  if (slot !== undefined) object.slots[slot] = mode;
  for (const [, child] of childObjects(object)) setTraining(child, mode);
}

/** Submodules of an object by attribute name, in order. */
function childObjects(object: ScriptObject): [string, ScriptObject][] {
  if (object.holdsNoObjects()) return [];
  const {
    type: { attributes },
    slots,
  } = object;
  const children: [string, ScriptObject][] = [];
  for (let i = 0; i < attributes.length; i++) {
    const { name, type } = attributes[i]!;
    const value = slots[i];
    const isModule = (type.kind === "Class" || type.kind === "Interface") && type.isModule;
    if (isModule && value instanceof ScriptObject) children.push([name, value]);
  }
  return children;
}

/** The text of a hierarchy, without making a ScriptModule of every object in it. */
function hierarchyText(object: ScriptObject): string {
  const children = childObjects(object).map(([name, child]) => [name, hierarchyText(child)] as const);
  const shown = (object.wrapper as ScriptModule | undefined)?.displayName ?? "RecursiveScriptModule";
  return moduleText(shown, `original_name=${object.type.name.name}`, children);
}

function graphOf(fn: ScriptFunction): Graph {
  fn.ensureDefined();
  return printableGraph(fn.graph);
}
