/** @file Module: the base of every eager module; its instances are functions that run `forward`. Upstream: torch/nn/modules/module.py. Spec: none.
 *
 * Note [Modules are functions]: the constructor makes an arrow function, gives it the class's prototype and returns it, so
 * that class fields land on the function and `layer(x)` runs `forward` with its hooks. Fields are ordinary properties: which
 * of them are parameters and submodules is read off their values when somebody asks, in the order of their assignment. Only
 * what values cannot say (buffers, names registered as null, a container's items) is kept beside them, under STATE. */
import { OperatorError } from "../base/errors.ts";
import { moduleText } from "../base/module_text.ts";
import { convertTensor } from "../tensor/clone.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { Tensor } from "../tensor/tensor.ts";
import {
  CALL,
  STATE,
  newState,
  ownBuffers,
  ownEntries,
  ownParameters,
  wrapHook,
  type ForwardHook,
  type ForwardPreHook,
  type HookHandle,
  type ModuleState,
} from "./module_state.ts";
import { positionalArguments, type NamedCall } from "./keywords.ts";
import { Parameter, setData } from "./parameter.ts";
import {
  StateDict,
  collectState,
  loadOwnTensors,
  loadState,
  type IncompatibleKeys,
  type LoadStateDictOptions,
  type StateDictLike,
  type StateLoad,
} from "./state_dict.ts";

/** Sees every call of a module's `forward`: the tracer's scopes. Calls `next` to go on. */
export type ModuleInterceptor = (
  module: Module,
  args: readonly unknown[],
  next: (args: readonly unknown[]) => unknown,
) => unknown;

let interceptor: ModuleInterceptor | undefined;

/** Runs `body` with `watch` around every `forward` that a module call runs; hooks run outside of it. */
export function withModuleInterceptor<R>(watch: ModuleInterceptor, body: () => R): R {
  const before = interceptor;
  interceptor = watch;
  try {
    return body();
  } finally {
    interceptor = before;
  }
}

/** Runs `body` on the arguments with the module's hooks around it. */
export function runWithHooks(
  module: Module,
  given: readonly unknown[],
  body: (args: readonly unknown[]) => unknown,
): unknown {
  const state = module[STATE];
  let args = given;
  for (const hook of state.preHooks) {
    const result = hook(module, args);
    if (result !== null && result !== undefined) args = Array.isArray(result) ? (result as unknown[]) : [result];
  }
  let output = body(args);
  for (const hook of state.hooks) {
    const result = hook(module, args, output);
    if (result !== null && result !== undefined) output = result;
  }
  return output;
}

/** Runs `forward` as a call of the module: with its hooks, as part of a trace. */
export function callAs(
  module: Module,
  args: readonly unknown[],
  forward: (args: readonly unknown[]) => unknown,
): unknown {
  return runWithHooks(module, args, (given) => (interceptor ? interceptor(module, given, forward) : forward(given)));
}

/** Calling a module runs its `forward` with hooks; arguments and result are `forward`'s. Library modules take arguments by name, too. */
export interface Module {
  (...args: Parameters<this["forward"]> | NamedCall<this>): ReturnType<this["forward"]>;
}

/** What a walk over members is limited to. */
export interface MembersOptions {
  /** Put before every name, with a dot. */
  readonly prefix?: string;
  /** Whether children are walked too; true where left out. */
  readonly recurse?: boolean;
  /** Whether what is reached twice is named once; true where left out. */
  readonly removeDuplicate?: boolean;
}

function* mapSecond<V>(entries: Iterable<readonly [string, V]>): Generator<V> {
  for (const [, value] of entries) yield value;
}

/** The base class of all modules. Mirrors `torch.nn.Module`. */
export abstract class Module {
  /** Whether the module is in training mode: dropout and batch statistics depend on it. */
  declare training: boolean;
  /** See Note [Modules are functions]. @internal */
  declare readonly [STATE]: ModuleState;

  constructor() {
    const callable = (...args: unknown[]): unknown => module[CALL](args);
    // a field may be called so
    Reflect.deleteProperty(callable, "name");
    Reflect.deleteProperty(callable, "length");
    Object.setPrototypeOf(callable, new.target.prototype as object);
    Object.defineProperty(callable, STATE, { value: newState() });
    const module = callable as unknown as this;
    module.training = true;
    return module;
  }

  /** What calling the module computes. */
  abstract forward(...args: never[]): unknown;

  /** See CALL. @internal */
  [CALL](args: readonly unknown[]): unknown {
    return callAs(this, positionalArguments(this, args), (given) => this.forward(...(given as never[])));
  }

  /** Calls the module where its type says nothing of the arguments: children of containers. */
  callWith(...args: unknown[]): unknown {
    return (this as unknown as (...given: unknown[]) => unknown)(...args);
  }

  /** The class's name as printed. */
  getName(): string {
    return this.constructor.name;
  }

  /** What is printed in the parentheses, before the children. */
  extraRepr(): string {
    return "";
  }

  /** The hierarchy, exactly as Python's `print(module)`. */
  toString(): string {
    const children = Array.from(
      this.childrenOrNull(),
      ([name, child]) => [name, child === null ? "None" : child.toString()] as const,
    );
    return moduleText(this.getName(), this.extraRepr(), children);
  }

  /** Node's console prints the hierarchy. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  private checkName(kind: string, name: string, taken: boolean): void {
    if (name.includes("."))
      throw new OperatorError(`${kind} name can't contain "."${kind === "module" ? `, got: ${name}` : ""}`);
    if (name === "") throw new OperatorError(`${kind} name can't be empty string ""`);
    if (!taken && name in this && (this as unknown as Record<string, unknown>)[name] !== undefined)
      throw new OperatorError(`attribute '${name}' already exists`);
  }

  /** Adds a buffer: a tensor that is no parameter but part of the state, such as running statistics. */
  registerBuffer(name: string, tensor: Tensor | null, options: { readonly persistent?: boolean } = {}): void {
    this.checkName("buffer", name, this[STATE].buffers.has(name));
    this[STATE].buffers.set(name, { persistent: options.persistent ?? true });
    (this as unknown as Record<string, unknown>)[name] = tensor;
  }

  /** Adds a parameter under a name; null keeps the name without a parameter. */
  registerParameter(name: string, parameter: Parameter | null): void {
    this.checkName("parameter", name, this[STATE].parameters.has(name));
    if (parameter !== null && !(parameter instanceof Parameter)) {
      throw new OperatorError(
        `cannot assign '${typeof parameter}' object to parameter '${name}' (torch.nn.Parameter or None required)`,
      );
    }
    this[STATE].parameters.add(name);
    (this as unknown as Record<string, unknown>)[name] = parameter;
  }

  /** Adds a submodule under a name. */
  registerModule(name: string, module: Module | null): void {
    if (module !== null && !(module instanceof Module))
      throw new OperatorError(`${String(module)} is not a Module subclass`);
    this.checkName("module", name, this[STATE].modules.has(name));
    this[STATE].modules.add(name);
    (this as unknown as Record<string, unknown>)[name] = module;
  }

  /** Adds a submodule under a name: another name of `registerModule`. */
  addModule(name: string, module: Module | null): void {
    this.registerModule(name, module);
  }

  /** Replaces the submodule at a path such as `layer1.0`. Throws OperatorError where there is none. */
  setSubmodule(path: string, module: Module): void {
    if (path === "") throw new OperatorError("Cannot set the submodule without a target name!");
    const dot = path.lastIndexOf(".");
    const parent = this.getSubmodule(dot < 0 ? "" : path.slice(0, dot));
    const name = path.slice(dot + 1);
    parent.getSubmodule(name);
    parent.setOwn(name, module);
  }

  /** Replaces an own value by name; containers keep some of theirs beside the fields. */
  setOwn(name: string, value: unknown): void {
    const { items, foreign } = this[STATE];
    if (foreign) foreign.set(name, value);
    else if (items.has(name)) items.set(name, value as Module);
    else (this as unknown as Record<string, unknown>)[name] = value;
  }

  /** Own submodules by name, null where registered so. */
  private *childrenOrNull(): Generator<[string, Module | null]> {
    const { modules } = this[STATE];
    for (const [name, value] of ownEntries(this)) {
      if (value instanceof Module) yield [name, value];
      else if (modules.has(name)) yield [name, null];
    }
  }

  /** The submodules by name, each once. */
  *namedChildren(options: { readonly removeDuplicate?: boolean } = {}): Generator<[string, Module]> {
    const seen = new Set<Module>();
    for (const [name, child] of this.childrenOrNull()) {
      if (child === null || seen.has(child)) continue;
      if (options.removeDuplicate ?? true) seen.add(child);
      yield [name, child];
    }
  }

  /** The submodules. */
  children(): Iterable<Module> {
    return mapSecond(this.namedChildren());
  }

  /** This module (under the prefix) and all modules below it by path. */
  *namedModules(
    options: { readonly prefix?: string; readonly removeDuplicate?: boolean } = {},
    seen: Set<Module> = new Set(),
  ): Generator<[string, Module]> {
    if (seen.has(this)) return;
    const { prefix = "", removeDuplicate = true } = options;
    if (removeDuplicate) seen.add(this);
    yield [prefix, this];
    for (const [name, child] of this.namedChildren({ removeDuplicate: false })) {
      yield* child.namedModules({ prefix: prefix ? `${prefix}.${name}` : name, removeDuplicate }, seen);
    }
  }

  /** This module and all modules below it. */
  modules(): Iterable<Module> {
    return mapSecond(this.namedModules());
  }

  private *members<T extends Tensor>(
    own: (module: Module) => Iterable<[string, T | null]>,
    options: MembersOptions,
  ): Generator<[string, T]> {
    const { prefix = "", recurse = true, removeDuplicate = true } = options;
    const seen = new Set<T>();
    for (const [path, module] of recurse ? this.namedModules({ prefix, removeDuplicate }) : [[prefix, this] as const]) {
      for (const [name, value] of own(module)) {
        if (value === null || seen.has(value)) continue;
        if (removeDuplicate) seen.add(value);
        yield [path ? `${path}.${name}` : name, value];
      }
    }
  }

  /** Parameters of the tree by path, each once. */
  namedParameters(options: MembersOptions = {}): Iterable<[string, Parameter]> {
    return this.members(ownParameters, options);
  }

  /** Parameters of the tree. */
  parameters(options: { readonly recurse?: boolean } = {}): Iterable<Parameter> {
    return mapSecond(this.namedParameters(options));
  }

  /** Buffers of the tree by path, each once. */
  namedBuffers(options: MembersOptions = {}): Iterable<[string, Tensor]> {
    return this.members(ownBuffers, options);
  }

  /** Buffers of the tree. */
  buffers(options: { readonly recurse?: boolean } = {}): Iterable<Tensor> {
    return mapSecond(this.namedBuffers(options));
  }

  /** The module at a path such as `layer1.0`. Throws OperatorError where there is none. */
  getSubmodule(path: string): Module {
    let module: Module = this;
    for (const name of path === "" ? [] : path.split(".")) {
      let next: Module | undefined;
      for (const [own, child] of module.namedChildren({ removeDuplicate: false })) if (own === name) next = child;
      if (!next) throw new OperatorError(`${module.getName()} has no attribute \`${name}\``);
      module = next;
    }
    return module;
  }

  private getMember<T extends Tensor>(
    path: string,
    own: (module: Module) => Iterable<[string, T | null]>,
    kind: string,
  ): T {
    const dot = path.lastIndexOf(".");
    const module = this.getSubmodule(dot < 0 ? "" : path.slice(0, dot));
    const name = path.slice(dot + 1);
    for (const [key, value] of own(module)) if (key === name && value) return value;
    throw new OperatorError(
      name in module ? `\`${name}\` is not ${kind}` : `${module.getName()} has no attribute \`${name}\``,
    );
  }

  /** The parameter at a path. Throws OperatorError where there is none. */
  getParameter(path: string): Parameter {
    return this.getMember(path, ownParameters, "an nn.Parameter");
  }

  /** The buffer at a path. Throws OperatorError where there is none. */
  getBuffer(path: string): Tensor {
    return this.getMember(path, ownBuffers, "a buffer");
  }

  /** Parameters and persistent buffers of the tree by path; they share their elements with the module. */
  stateDict(options: { readonly prefix?: string; readonly keepVars?: boolean } = {}): StateDict {
    const result = new StateDict();
    collectState(this, result, options.prefix ?? "", options.keepVars ?? false);
    return result;
  }

  /** Copies tensors into parameters and buffers. Throws OperatorError with PyTorch's text where they do not fit. */
  loadStateDict(dict: StateDictLike, options: LoadStateDictOptions = {}): IncompatibleKeys {
    return loadState(this, dict, options);
  }

  /** The version of this class's state, written beside state dicts. */
  stateVersion(): number {
    return 1;
  }

  /** Loads what belongs to this module alone; classes that read older formats override it. */
  loadOwnState(load: StateLoad): void {
    loadOwnTensors(this, load);
  }

  /** Sets the training mode of the tree. */
  train(mode = true): this {
    this.training = mode;
    for (const child of this.children()) child.train(mode);
    return this;
  }

  /** Sets evaluation mode: `train(false)`. */
  eval(): this {
    return this.train(false);
  }

  /** Calls `fn` with every module of the tree, children first. */
  apply(fn: (module: Module) => void): this {
    for (const child of this.children()) child.apply(fn);
    fn(this);
    return this;
  }

  /** Replaces the elements of every parameter and buffer by what `fn` makes of them; parameters stay the same objects. */
  private mapTensors(fn: (tensor: Tensor) => Tensor): this {
    for (const child of this.children()) child.mapTensors(fn);
    for (const [, parameter] of ownParameters(this)) if (parameter) setData(parameter, fn(parameter));
    for (const [name, buffer] of ownBuffers(this)) if (buffer) this.setOwn(name, fn(buffer));
    return this;
  }

  /** Converts floating-point (and complex) parameters and buffers to a dtype; the only device is "cpu", where they are. */
  to(dtype: DType | "cpu"): this {
    if (dtype === "cpu") return this;
    if (typeof dtype === "string")
      throw new OperatorError(`nn.Module.to: there is no device "${String(dtype)}" here, only "cpu"`);
    if (dtype.category !== "float" && dtype.category !== "complex") {
      throw new OperatorError(
        `nn.Module.to only accepts floating point or complex dtypes, but got desired dtype=torch.${dtype.name}`,
      );
    }
    return this.mapTensors((t) =>
      t.dtype.category === "float" || t.dtype.category === "complex" ? convertTensor(t, dtype) : t,
    );
  }

  private toFloating(dtype: DType): this {
    return this.mapTensors((t) => (t.dtype.category === "float" ? convertTensor(t, dtype) : t));
  }

  /** Converts floating-point parameters and buffers to float32. */
  float(): this {
    return this.toFloating(DTYPES.float32);
  }

  /** Converts floating-point parameters and buffers to float64. */
  double(): this {
    return this.toFloating(DTYPES.float64);
  }

  /** Converts floating-point parameters and buffers to float16. */
  half(): this {
    return this.toFloating(DTYPES.float16);
  }

  /** Converts floating-point parameters and buffers to bfloat16. */
  bfloat16(): this {
    return this.toFloating(DTYPES.bfloat16);
  }

  /** Parameters and buffers are on the CPU already. */
  cpu(): this {
    return this;
  }

  /** Converts every parameter and buffer to a dtype, whatever it has. */
  type(dtype: DType): this {
    return this.mapTensors((t) => convertTensor(t, dtype));
  }

  /** Forgets the gradients of the parameters. */
  zeroGrad(): void {
    for (const { autograd } of this.parameters()) if (autograd) autograd.grad = null;
  }

  /** Says whether training changes the parameters. */
  requiresGrad_(requiresGrad = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad = requiresGrad;
    return this;
  }

  /** Runs `hook` before every call; what it returns replaces the arguments. */
  registerForwardPreHook(hook: ForwardPreHook<this>, options: { readonly prepend?: boolean } = {}): HookHandle {
    const state = this[STATE];
    const own = wrapHook<ForwardPreHook>(hook, (module, args) => hook(module as this, args));
    state.preHooks = options.prepend ? [own, ...state.preHooks] : [...state.preHooks, own];
    return { remove: () => void (state.preHooks = state.preHooks.filter((h) => h !== own)) };
  }

  /** Runs `hook` after every call; what it returns replaces the result. */
  registerForwardHook(hook: ForwardHook<this>, options: { readonly prepend?: boolean } = {}): HookHandle {
    const state = this[STATE];
    const own = wrapHook<ForwardHook>(hook, (module, args, output) => hook(module as this, args, output));
    state.hooks = options.prepend ? [own, ...state.hooks] : [...state.hooks, own];
    return { remove: () => void (state.hooks = state.hooks.filter((h) => h !== own)) };
  }
}
