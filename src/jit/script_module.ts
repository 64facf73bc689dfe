/** @file ScriptModule: a loaded or scripted module, callable like a function. Upstream: torch/jit/_script.py RecursiveScriptModule, torch/csrc/jit/api/module.h. Spec: none. */
import { ScriptError } from "../base/errors.ts";
import { printableGraph } from "./compilation_unit.ts";
import { moduleText } from "../base/module_text.ts";
import { ScriptObject } from "../core/ivalue.ts";
import type { FunctionLike } from "../core/type.ts";
import { dynamicTypeOf } from "../core/ivalue.ts";
import { typeStr, TensorT, isSubtypeOf } from "../core/type.ts";
import { checkAndConvertInputs, fromUser, toUser } from "../interpreter/convert.ts";
import { runFunction, type RunOptions } from "../interpreter/run.ts";
import type { CompilationUnit } from "../ir/compilation_unit.ts";
import { ScriptFunction } from "../ir/function.ts";
import type { Graph } from "../ir/graph.ts";
import { inlinedGraph } from "../passes/inliner.ts";
import { functionCode } from "../saver/function_code.ts";
import { copyInto } from "../tensor/copy.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { SaveOptions, Saver } from "./save.ts";

/** What a module needs to know of the program it belongs to. */
export interface ModuleOwner {
  readonly cu: CompilationUnit;
  /** Writes a module; `load` and `script` give it, so that a module knows how to save itself. */
  readonly saver: Saver;
  /** What each call may cost. */
  readonly budget?: RunOptions;
}

const wrappers = new WeakMap<ScriptObject, ScriptModule>();

/** How a module shows itself. */
export interface ModuleAppearance {
  /** The name that is printed before the parentheses: the eager class for traced modules. */
  readonly displayName?: string;
}

/** The module of an object; the same module for the same object. */
export function moduleOf(object: ScriptObject, owner: ModuleOwner, appearance: ModuleAppearance = {}): ScriptModule {
  let module = wrappers.get(object);
  if (!module) {
    module = createModule(object, owner, appearance);
    wrappers.set(object, module);
  }
  return module;
}

/** Makes the callable: a function whose prototype is ScriptModule's. */
function createModule(object: ScriptObject, owner: ModuleOwner, appearance: ModuleAppearance): ScriptModule {
  const callable = ((...args: unknown[]): unknown => module.callWith(args, {})) as unknown as object;
  Object.setPrototypeOf(callable, ScriptModule.prototype);
  Object.defineProperty(callable, "object", { value: object });
  Object.defineProperty(callable, "owner", { value: owner });
  Object.defineProperty(callable, "displayName", { value: appearance.displayName ?? "RecursiveScriptModule" });
  const module = callable as ScriptModule;
  for (const name of object.type.methods.keys()) {
    // exported methods are called as in Python: model.encode(x); the module's own members come first
    if (!(name in module))
      Object.defineProperty(callable, name, {
        value: (...args: unknown[]) => module.invoke(name, args),
        configurable: true,
      });
  }
  return module;
}

/** A method of a module, bound to it. */
export interface ScriptMethod {
  /** Calls with positional arguments; values of lists, tuples and dicts as arrays, arrays and Maps. */
  (...args: unknown[]): unknown;
  readonly methodName: string;
  readonly code: string;
  readonly graph: Graph;
  readonly inlinedGraph: Graph;
}

/** Calling a module runs `forward` with its hooks. */
export interface ScriptModule {
  (...args: unknown[]): unknown;
}

/**
 * A module with its code. Call it: `model(x)`. Mirrors `torch.jit.ScriptModule`.
 * Every exported method is a property too: `model.encode(x)`; `model.method("encode")` is the typed way to it.
 */
export abstract class ScriptModule {
  declare readonly object: ScriptObject;
  declare readonly owner: ModuleOwner;
  /** The name that `toString` prints. */
  declare readonly displayName: string;

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
    const result = runFunction(fn, values, this.owner.budget);
    const returned = schema.returns[0];
    return returned ? this.wrap(toUser(result, returned.type)) : undefined;
  }

  /** Runs `forward` with the module's hooks around it, as calling the module does. */
  callWith(args: readonly unknown[], kwargs: Readonly<Record<string, unknown>> = {}): unknown {
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
  forward(...args: unknown[]): unknown {
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

  /** The hierarchy, as Python's `str(module)` prints it. */
  toString(): string {
    const children = [...this.namedChildren()].map(([name, child]) => [name, child.toString()] as const);
    return moduleText(this.displayName, `original_name=${this.originalName}`, children);
  }

  /** Submodules by attribute name, in order. */
  *namedChildren(): Generator<[string, ScriptModule]> {
    const { attributes } = this.object.type;
    for (let i = 0; i < attributes.length; i++) {
      const { name, type } = attributes[i]!;
      const value = this.object.slots[i];
      const isModule = (type.kind === "Class" || type.kind === "Interface") && type.isModule;
      if (isModule && value instanceof ScriptObject) yield [name, moduleOf(value, this.owner)];
    }
  }
  children(): ScriptModule[] {
    return [...this.namedChildren()].map(([, child]) => child);
  }
  /** This module and all below it, with dotted paths; a shared module is given once. */
  *namedModules(prefix = "", seen = new Set<ScriptObject>()): Generator<[string, ScriptModule]> {
    if (seen.has(this.object)) return;
    seen.add(this.object);
    yield [prefix, this];
    for (const [name, child] of this.namedChildren())
      yield* child.namedModules(prefix ? `${prefix}.${name}` : name, seen);
  }
  modules(): ScriptModule[] {
    return [...this.namedModules()].map(([, module]) => module);
  }

  private *ownTensors(parameters: boolean): Generator<[string, Tensor]> {
    const { attributes } = this.object.type;
    for (let i = 0; i < attributes.length; i++) {
      const attribute = attributes[i]!;
      const value = this.object.slots[i];
      if (!(value instanceof Tensor)) continue;
      // torch: every attribute of type Tensor that is no parameter is a buffer
      if (parameters ? attribute.isParameter : !attribute.isParameter && isSubtypeOf(attribute.type, TensorT))
        yield [attribute.name, value];
    }
  }
  private *tensors(parameters: boolean): Generator<[string, Tensor]> {
    const seen = new Set<Tensor>();
    for (const [path, module] of this.namedModules()) {
      for (const [name, tensor] of module.ownTensors(parameters)) {
        if (seen.has(tensor)) continue;
        seen.add(tensor);
        yield [path ? `${path}.${name}` : name, tensor];
      }
    }
  }
  /** Parameters with dotted names; a shared one is given once. */
  namedParameters(): Map<string, Tensor> {
    return new Map(this.tensors(true));
  }
  parameters(): Tensor[] {
    return [...this.namedParameters().values()];
  }
  /** Buffers with dotted names; a shared one is given once. */
  namedBuffers(): Map<string, Tensor> {
    return new Map(this.tensors(false));
  }
  buffers(): Tensor[] {
    return [...this.namedBuffers().values()];
  }
  /** Parameters and buffers of this module and all below it, by dotted name, not copied. */
  stateDict(prefix = ""): Map<string, Tensor> {
    const state = new Map<string, Tensor>();
    for (const parameters of [true, false])
      for (const [name, tensor] of this.ownTensors(parameters)) state.set(prefix + name, tensor);
    for (const [name, child] of this.namedChildren())
      for (const [key, tensor] of child.stateDict(`${prefix}${name}.`)) state.set(key, tensor);
    return state;
  }
  /**
   * Copies values into parameters and buffers by name. With `strict` (the default) the names must be the same.
   * @throws ScriptError naming missing and unexpected keys and sizes that differ.
   */
  loadStateDict(
    state: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
    options: { strict?: boolean } = {},
  ): void {
    const given = state instanceof Map ? (state as ReadonlyMap<string, Tensor>) : new Map(Object.entries(state));
    const own = this.stateDict();
    const problems: string[] = [];
    if (options.strict ?? true) {
      const quote = (names: string[]): string => names.map((n) => `"${n}"`).join(", ");
      const unexpected = [...given.keys()].filter((k) => !own.has(k));
      const missing = [...own.keys()].filter((k) => !given.has(k));
      if (unexpected.length > 0) problems.push(`Unexpected key(s) in state_dict: ${quote(unexpected)}. `);
      if (missing.length > 0) problems.push(`Missing key(s) in state_dict: ${quote(missing)}. `);
    }
    for (const [name, tensor] of own) {
      const value = given.get(name);
      if (
        value &&
        (value.sizes.length !== tensor.sizes.length ||
          value.sizes.some((s: number, i: number) => s !== tensor.sizes[i]))
      ) {
        const size = (t: Tensor): string => `torch.Size([${t.sizes.join(", ")}])`;
        problems.push(
          `size mismatch for ${name}: copying a param with shape ${size(value)} from checkpoint, the shape in current model is ${size(tensor)}.`,
        );
      }
    }
    if (problems.length > 0) {
      throw new ScriptError(`Error(s) in loading state_dict for ${this.originalName}:\n\t${problems.join("\n\t")}`);
    }
    for (const [name, tensor] of own) {
      const value = given.get(name);
      if (value) copyInto(tensor, value);
    }
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

  /** Sets `training` here and below. */
  train(mode = true): this {
    for (const module of this.modules()) {
      const slot = module.object.type.findSlot("training");
      if (slot !== undefined) module.object.slots[slot] = mode;
    }
    return this;
  }
  eval(): this {
    return this.train(false);
  }
  get training(): boolean {
    const slot = this.object.type.findSlot("training");
    return slot === undefined ? true : this.object.slots[slot] === true;
  }

  /**
   * Writes the module. A path needs a platform with files; a crash leaves an old file untouched.
   * @throws ArchiveError where the file cannot be written.
   */
  save(path: string, options: SaveOptions = {}): void {
    this.owner.saver.saveToFile(this.object, path, options);
  }
  /** The archive as bytes (root folder `archive`). */
  saveToBuffer(options: SaveOptions = {}): Uint8Array {
    return this.owner.saver.saveToBuffer(this.object, options);
  }
}

function graphOf(fn: ScriptFunction): Graph {
  fn.ensureDefined();
  return printableGraph(fn.graph);
}
