/** @file Containers of modules and parameters. Upstream: torch/nn/modules/container.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { indentRest } from "../base/module_text.ts";
import { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";
import type { ModuleScript } from "./module_script.ts";
import { STATE } from "./module_state.ts";
import { Parameter } from "./parameter.ts";

/** The place of an item; negative ones count from the end. Throws OperatorError where there is none. */
function place(index: number, length: number): number {
  if (index < -length || index >= length) throw new OperatorError(`index ${index} is out of range`);
  return index < 0 ? index + length : index;
}

function checkModule(value: unknown): void {
  if (!(value instanceof Module)) throw new OperatorError(`${String(value)} is not a Module subclass`);
}

/** The arguments of the first of some modules. */
export type FirstArguments<L extends readonly Module[]> = L extends readonly [infer F extends Module, ...Module[]]
  ? Parameters<F["forward"]>
  : [input: Tensor];
/** The result of the last of some modules. */
export type LastResult<L extends readonly Module[]> = L extends readonly [...Module[], infer E extends Module]
  ? ReturnType<E["forward"]>
  : Tensor;

/** Modules that run one after the other, each on the result of the one before. */
export class Sequential<L extends readonly Module[] = readonly Module[]> extends Module implements Iterable<Module> {
  static readonly torchscript: ModuleScript = {
    name: "torch.nn.modules.container.Sequential",
    attributes: {},
    // the text takes up a number of a value, as PyTorch's own does
    source: `def forward(self, input):
    """One after the other."""
    for module in self:
        input = module(input)
    return input
`,
  };
  constructor(...modules: L);
  constructor(named: Readonly<Record<string, Module>> | ReadonlyMap<string, Module>);
  constructor(...given: readonly unknown[]) {
    super();
    const [first] = given;
    if (given.length === 1 && typeof first === "object" && first !== null) {
      const named =
        first instanceof Map ? (first as Map<string, Module>) : Object.entries(first as Record<string, Module>);
      for (const [name, module] of named) this.put(name, module);
    } else given.forEach((module, i) => this.put(String(i), module as Module));
  }

  private put(name: string, module: Module): void {
    checkModule(module);
    this[STATE].items.set(name, module);
  }

  /** How many modules there are. */
  get size(): number {
    return this[STATE].items.size;
  }

  /** The module at a place (negative: from the end) or under a name. */
  at(index: number | string): Module {
    const { items } = this[STATE];
    const found = typeof index === "string" ? items.get(index) : [...items.values()][place(index, items.size)];
    if (!(found instanceof Module)) throw new OperatorError(`'${this.getName()}' object has no attribute '${index}'`);
    return found;
  }

  /** Adds a module at the end. */
  append(module: Module): this {
    this.put(String(this.size), module);
    return this;
  }

  /** Adds modules at the end. */
  extend(modules: Iterable<Module>): this {
    for (const module of modules) this.append(module);
    return this;
  }

  override registerModule(name: string, module: Module | null): void {
    if (module) this.put(name, module);
    else super.registerModule(name, module);
  }

  [Symbol.iterator](): Iterator<Module> {
    return ([...this[STATE].items.values()] as Module[])[Symbol.iterator]();
  }

  forward(...args: FirstArguments<L>): LastResult<L> {
    let values: readonly unknown[] = args;
    for (const module of this) values = [module.callWith(...values)];
    return values[0] as LastResult<L>;
  }
}

/** A list of modules; it cannot be called itself. */
export class ModuleList<M extends Module = Module> extends Module implements Iterable<M> {
  static readonly torchscript: ModuleScript = { name: "torch.nn.modules.container.ModuleList", attributes: {} };
  constructor(modules: Iterable<M> = []) {
    super();
    this.extend(modules);
  }

  /** How many modules there are. */
  get size(): number {
    return this[STATE].items.size;
  }

  private list(): M[] {
    return [...this[STATE].items.values()] as M[];
  }

  private reset(modules: readonly M[]): void {
    const { items } = this[STATE];
    items.clear();
    modules.forEach((module, i) => {
      checkModule(module);
      items.set(String(i), module);
    });
  }

  /** The module at a place; negative ones count from the end. */
  at(index: number): M {
    const list = this.list();
    return list[place(index, list.length)]!;
  }

  /** Replaces the module at a place. */
  set(index: number, module: M): void {
    const list = this.list();
    list[place(index, list.length)] = module;
    this.reset(list);
  }

  /** Adds a module at the end. */
  append(module: M): this {
    this.reset([...this.list(), module]);
    return this;
  }

  /** Adds modules at the end. */
  extend(modules: Iterable<M>): this {
    this.reset([...this.list(), ...modules]);
    return this;
  }

  /** Puts a module before another. */
  insert(index: number, module: M): void {
    this.reset(this.list().toSpliced(index, 0, module));
  }

  [Symbol.iterator](): Iterator<M> {
    return this.list()[Symbol.iterator]();
  }

  forward(): never {
    throw new OperatorError(`Module [${this.getName()}] is missing the required "forward" function`);
  }

  /** Equal neighbours are printed once: `(0-2): 3 x Linear(...)`. */
  override toString(): string {
    const texts = this.list().map(String);
    if (texts.length === 0) return `${this.getName()}()`;
    const lines: string[] = [];
    for (let start = 0; start < texts.length;) {
      let end = start;
      while (texts[end + 1] === texts[start]) end++;
      const text = texts[start]!;
      lines.push(indentRest(start === end ? `(${start}): ${text}` : `(${start}-${end}): ${end - start + 1} x ${text}`));
      start = end + 1;
    }
    return `${this.getName()}(\n  ${lines.join("\n  ")}\n)`;
  }
}

/** Modules by name; it cannot be called itself. */
export class ModuleDict<M extends Module = Module> extends Module implements Iterable<string> {
  static readonly torchscript: ModuleScript = { name: "torch.nn.modules.container.ModuleDict", attributes: {} };
  constructor(modules: Readonly<Record<string, M>> | ReadonlyMap<string, M> = {}) {
    super();
    this.update(modules);
  }

  /** How many modules there are. */
  get size(): number {
    return this[STATE].items.size;
  }

  /** The module under a name. Throws OperatorError where there is none. */
  get(name: string): M {
    const found = this[STATE].items.get(name);
    if (!(found instanceof Module)) throw new OperatorError(`KeyError: '${name}'`);
    return found as M;
  }

  /** Whether there is a module under a name. */
  has(name: string): boolean {
    return this[STATE].items.has(name);
  }

  /** Adds or replaces a module. */
  set(name: string, module: M): this {
    checkModule(module);
    if (name === "") throw new OperatorError('module name can\'t be empty string ""');
    if (name.includes(".")) throw new OperatorError(`module name can't contain ".", got: ${name}`);
    this[STATE].items.set(name, module);
    return this;
  }

  /** Removes a module and gives it back. */
  pop(name: string): M {
    const module = this.get(name);
    this[STATE].items.delete(name);
    return module;
  }

  /** Adds or replaces modules. */
  update(modules: Readonly<Record<string, M>> | ReadonlyMap<string, M>): this {
    for (const [name, module] of modules instanceof Map
      ? (modules as Map<string, M>)
      : Object.entries(modules as Record<string, M>))
      this.set(name, module);
    return this;
  }

  /** The names. */
  keys(): string[] {
    return [...this[STATE].items.keys()];
  }

  /** The modules. */
  values(): M[] {
    return [...this[STATE].items.values()] as M[];
  }

  /** Names and modules. */
  items(): [string, M][] {
    return [...this[STATE].items.entries()] as [string, M][];
  }

  [Symbol.iterator](): Iterator<string> {
    return this.keys()[Symbol.iterator]();
  }

  forward(): never {
    throw new OperatorError(`Module [${this.getName()}] is missing the required "forward" function`);
  }
}

const asParameter = (value: Tensor): Parameter => (value instanceof Parameter ? value : new Parameter(value));

function parameterLine(name: string, value: Parameter, type: string): string {
  return `  (${name}): Parameter containing: [${type} of size ${value.sizes.join("x")}]`;
}

/** A list of parameters; plain tensors become parameters. */
export class ParameterList extends Module implements Iterable<Parameter> {
  static readonly torchscript: ModuleScript = { name: "torch.nn.modules.container.ParameterList" };
  constructor(values: Iterable<Tensor> = []) {
    super();
    this.extend(values);
  }

  /** How many parameters there are. */
  get size(): number {
    return this[STATE].items.size;
  }

  /** The parameter at a place; negative ones count from the end. */
  at(index: number): Parameter {
    return this[STATE].items.get(String(place(index, this.size))) as Parameter;
  }

  /** Replaces the parameter at a place. */
  set(index: number, value: Tensor): void {
    this[STATE].items.set(String(place(index, this.size)), asParameter(value));
  }

  /** Adds a parameter at the end. */
  append(value: Tensor): this {
    this[STATE].items.set(String(this.size), asParameter(value));
    return this;
  }

  /** Adds parameters at the end. */
  extend(values: Iterable<Tensor>): this {
    for (const value of values) this.append(value);
    return this;
  }

  [Symbol.iterator](): Iterator<Parameter> {
    return ([...this[STATE].items.values()] as Parameter[])[Symbol.iterator]();
  }

  forward(): never {
    throw new OperatorError("ParameterList should not be called.");
  }

  override extraRepr(): string {
    return [...this].map((value, i) => parameterLine(String(i), value, `torch.${value.dtype.name}`)).join("\n");
  }
}

/** Parameters by name; plain tensors become parameters. */
export class ParameterDict extends Module implements Iterable<string> {
  static readonly torchscript: ModuleScript = { name: "torch.nn.modules.container.ParameterDict" };
  constructor(values: Readonly<Record<string, Tensor>> | ReadonlyMap<string, Tensor> = {}) {
    super();
    this.update(values);
  }

  /** How many parameters there are. */
  get size(): number {
    return this[STATE].items.size;
  }

  /** The parameter under a name. Throws OperatorError where there is none. */
  get(name: string): Parameter {
    const found = this[STATE].items.get(name);
    if (!(found instanceof Parameter)) throw new OperatorError(`KeyError: '${name}'`);
    return found;
  }

  /** Whether there is a parameter under a name. */
  has(name: string): boolean {
    return this[STATE].items.has(name);
  }

  /** Adds or replaces a parameter. */
  set(name: string, value: Tensor): this {
    this[STATE].items.set(name, asParameter(value));
    return this;
  }

  /** Adds or replaces parameters: of a Map in its order, of a record by name, as PyTorch does for a dict. */
  update(values: Readonly<Record<string, Tensor>> | ReadonlyMap<string, Tensor>): this {
    const entries =
      values instanceof Map
        ? [...(values as Map<string, Tensor>)]
        : Object.entries(values as Record<string, Tensor>).sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [name, value] of entries) this.set(name, value);
    return this;
  }

  /** The names. */
  keys(): string[] {
    return [...this[STATE].items.keys()];
  }

  /** The parameters. */
  values(): Parameter[] {
    return [...this[STATE].items.values()] as Parameter[];
  }

  /** Names and parameters. */
  items(): [string, Parameter][] {
    return [...this[STATE].items.entries()] as [string, Parameter][];
  }

  [Symbol.iterator](): Iterator<string> {
    return this.keys()[Symbol.iterator]();
  }

  forward(): never {
    throw new OperatorError("ParameterDict should not be called.");
  }

  override extraRepr(): string {
    return this.items()
      .map(([name, value]) => parameterLine(name, value, `torch.${value.dtype.cppName}Tensor`))
      .join("\n");
  }
}
