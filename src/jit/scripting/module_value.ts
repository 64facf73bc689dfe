/** @file ModuleValue: what `self` and its submodules mean while a method is compiled. Upstream: torch/csrc/jit/python/python_sugared_value.cpp (ModuleValue, SugaredDict). Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";
import * as T from "../../core/type.ts";
import type { ClassType, Type } from "../../core/type.ts";
import type { TypedConstant } from "../../frontend/default_value.ts";
import type { Self } from "../../frontend/emit/definitions.ts";
import { insertOp } from "../../frontend/emit/emit_builtin.ts";
import { IterableTree } from "../../frontend/emit/iterables.ts";
import { NamedValue } from "../../frontend/emit/named_value.ts";
import { FunctionValue, MethodValue } from "../../frontend/emit/sugared_callable.ts";
import { SimpleValue, SugaredTupleValue, SugaredValue } from "../../frontend/emit/sugared_value.ts";
import { createGetAttr, createTuple } from "../../ir/build_nodes.ts";
import { insertConstant, toIValue } from "../../ir/constants.ts";
import { ScriptFunction } from "../../ir/function.ts";
import type { Value } from "../../ir/graph.ts";
import { ConcreteModuleType } from "./concrete_type.ts";
import { methodSources } from "./method_source.ts";

/** Compiles a method that somebody calls; installed by `compile_methods.ts`, which needs this file. */
let compileOnDemand: (concrete: ConcreteModuleType, name: string) => "compiled" | "ignored" | "absent" = () => "absent";
/** Installs what compiles methods. */
export function setMethodCompiler(compile: typeof compileOnDemand): void {
  compileOnDemand = compile;
}

function isModuleType(type: Type | undefined): type is T.ClassType | T.InterfaceType {
  return (type?.kind === "Class" || type?.kind === "Interface") && type.isModule;
}

/** A constant of a class: a tuple is made of constants of its elements. */
function constantValue(fn: ScriptFunction, { value, type }: TypedConstant, range: SourceRange): SugaredValue {
  if (type.kind !== "Tuple") return new SimpleValue(insertConstant(fn.graph, value, type, range));
  const items = (value as unknown[]).map((item, i) =>
    constantValue(fn, { value: item, type: type.elements[i]! }, range).asValue(range, fn),
  );
  return new SimpleValue(fn.graph.insertNode(createTuple(fn.graph, items)).output);
}

/** `items`, `children` and the like: calling it gives what to loop over. */
class ModuleDictMethod extends SugaredValue {
  private readonly iterable: SugaredValue;
  private readonly name: string;
  constructor(iterable: SugaredValue, name: string) {
    super();
    this.iterable = iterable;
    this.name = name;
  }
  kind(): string {
    return this.name;
  }
  override call(
    range: SourceRange,
    _fn: ScriptFunction,
    args: readonly NamedValue[],
    kwargs: readonly NamedValue[],
  ): SugaredValue {
    if (args.length > 0 || kwargs.length > 0)
      throw new ScriptError(`${this.name} method does not accept any arguments`, range);
    return this.iterable;
  }
}

/** A method that is not compiled, because its class says so. */
class IgnoredMethod extends SugaredValue {
  private readonly name: string;
  constructor(name: string) {
    super();
    this.name = name;
  }
  kind(): string {
    return `method '${this.name}' that is marked as ignored`;
  }
  override call(range: SourceRange): SugaredValue {
    throw new ScriptError(
      `Method '${this.name}' is marked as ignored: it is not compiled, and scripts cannot call back into JavaScript. Mark it as unused to compile a call of it to an exception`,
      range,
    );
  }
}

/** Names and values of a module's members, in order. */
interface Members {
  readonly keys: SugaredTupleValue;
  readonly values: SugaredTupleValue;
}

function pairs(range: SourceRange, { keys, values }: Members): IterableTree {
  const tree = new IterableTree();
  tree.addChild(range, keys);
  tree.addChild(range, values);
  return tree;
}

/** What the members of a module tree are asked for by. */
const TREE_METHODS = new Set(["named_modules", "modules", "children", "named_children"]);
const DICT_METHODS = new Set(["items", "keys", "values"]);

/** A module: its attributes are values, submodules are modules again, methods are compiled when they are called. */
export class ModuleValue extends SugaredValue {
  readonly self: Value;
  readonly concrete: ConcreteModuleType;
  constructor(self: Value, concrete: ConcreteModuleType) {
    super();
    this.self = self;
    this.concrete = concrete;
  }
  kind(): string {
    return "module";
  }
  override asValue(): Value {
    return this.self;
  }

  private get classType(): ClassType {
    return this.concrete.classType;
  }

  private child(fn: ScriptFunction, name: string): ModuleValue {
    const { graph } = fn;
    const object = graph.insertNode(createGetAttr(graph, this.self, name)).output;
    const known = this.concrete.modules.get(name);
    if (known) return new ModuleValue(object, known);
    const type = this.classType.findAttribute(name) as T.ClassType | T.InterfaceType;
    return new ModuleValue(object, ConcreteModuleType.fromJitType(type));
  }

  private members(range: SourceRange, fn: ScriptFunction, names: readonly string[], make: "module" | "value"): Members {
    const keys: SugaredValue[] = [];
    const values: SugaredValue[] = [];
    for (const name of names) {
      keys.push(new SimpleValue(insertConstant(fn.graph, name, T.StringT)));
      if (make === "module") values.push(this.child(fn, name));
      else {
        // upstream reads tensors twice; the numbers of the values that follow show it
        fn.graph.insertNode(createGetAttr(fn.graph, this.self, name));
        values.push(new SimpleValue(this.self).attr(range, fn, name));
      }
    }
    return { keys: new SugaredTupleValue(keys), values: new SugaredTupleValue(values) };
  }

  private submodules(range: SourceRange, fn: ScriptFunction): Members {
    const names = this.classType.attributes.filter((a) => isModuleType(a.type)).map((a) => a.name);
    return this.members(range, fn, names, "module");
  }
  private parameters(range: SourceRange, fn: ScriptFunction): Members {
    const names = this.classType.attributes.filter((a) => a.isParameter).map((a) => a.name);
    return this.members(range, fn, names, "value");
  }
  private buffers(range: SourceRange, fn: ScriptFunction): Members {
    const names = this.classType.attributes.filter((a) => a.isBuffer).map((a) => a.name);
    return this.members(range, fn, names, "value");
  }

  /** All modules below, with their paths, this one first. */
  private collectTree(
    range: SourceRange,
    fn: ScriptFunction,
    prefix: string,
    into: [SugaredValue[], SugaredValue[]],
  ): void {
    into[0].push(new SimpleValue(insertConstant(fn.graph, prefix, T.StringT)));
    into[1].push(this);
    const { keys, values } = this.submodules(range, fn);
    keys.elements.forEach((key, i) => {
      const name = toIValue(key.asValue(range, fn))!.value as string;
      const child = values.elements[i] as ModuleValue;
      child.collectTree(range, fn, prefix === "" ? name : `${prefix}.${name}`, into);
    });
  }

  private treeMethod(range: SourceRange, fn: ScriptFunction, field: string): SugaredValue {
    const own = this.submodules(range, fn);
    switch (field) {
      case "keys":
        return new ModuleDictMethod(own.keys, field);
      case "values":
      case "children":
        return new ModuleDictMethod(own.values, field);
      case "items":
      case "named_children":
        return new ModuleDictMethod(pairs(range, own), field);
      default: {
        const found: [SugaredValue[], SugaredValue[]] = [[], []];
        this.collectTree(range, fn, "", found);
        const tree = { keys: new SugaredTupleValue(found[0]), values: new SugaredTupleValue(found[1]) };
        return new ModuleDictMethod(field === "modules" ? tree.values : pairs(range, tree), field);
      }
    }
  }

  private tryGetAttr(range: SourceRange, fn: ScriptFunction, field: string): SugaredValue | undefined {
    const { concrete } = this;
    const type = concrete.jitType;
    const simple = new SimpleValue(this.self);
    if (type.kind === "Interface") return simple.attr(range, fn, field);
    const attribute = type.findAttribute(field);
    if (isModuleType(attribute)) return this.child(fn, field);
    if (attribute || type.findMethod(field)) return simple.attr(range, fn, field);
    const constant = type.constants.get(field);
    if (constant) return constantValue(fn, constant, range);
    if (concrete.iterableKind === "dict" && DICT_METHODS.has(field)) return this.treeMethod(range, fn, field);
    if (TREE_METHODS.has(field)) return this.treeMethod(range, fn, field);
    if (field === "named_buffers") return new ModuleDictMethod(pairs(range, this.buffers(range, fn)), field);
    if (concrete.iterableKind === "paramdict" && DICT_METHODS.has(field)) {
      const own = this.parameters(range, fn);
      return new ModuleDictMethod(
        field === "keys" ? own.keys : field === "values" ? own.values : pairs(range, own),
        field,
      );
    }
    const overloads = concrete.overloads.get(field);
    if (overloads) return new MethodValue(this.self, overloads);
    const fnAttribute = concrete.functionAttributes.get(field);
    if (fnAttribute !== undefined) return methodSources.functionValue(fnAttribute, field);
    switch (compileOnDemand(concrete, field)) {
      case "compiled":
        return simple.attr(range, fn, field);
      case "ignored":
        return new IgnoredMethod(field);
      case "absent":
        return undefined;
    }
  }

  override attr(range: SourceRange, fn: ScriptFunction, field: string): SugaredValue {
    const found = this.tryGetAttr(range, fn, field);
    if (found) return found;
    const { concrete } = this;
    const property = concrete.jitType.kind === "Class" ? concrete.jitType.findProperty(field) : undefined;
    if (property) return new MethodValue(this.self, property.getter.name).call(range, fn, [], []);
    let hint = concrete.failedAttributes.get(field) ?? "";
    if (concrete.ignoredAttributes.has(field)) hint ||= "attribute was ignored during compilation";
    if (concrete.functionAttributes.has(field))
      hint ||= "(This function exists as an attribute of the module, but it cannot be compiled)";
    throw new ScriptError(`Module '${concrete.jitType.name.name}' has no attribute '${field}' ${hint}`, range);
  }
  override hasAttr(range: SourceRange, fn: ScriptFunction, field: string): boolean {
    return this.tryGetAttr(range, fn, field) !== undefined;
  }
  override setAttr(range: SourceRange, fn: ScriptFunction, field: string, value: Value): void {
    new SimpleValue(this.self).setAttr(range, fn, field, value);
  }

  override call(
    range: SourceRange,
    fn: ScriptFunction,
    args: readonly NamedValue[],
    kwargs: readonly NamedValue[],
    binders: number,
  ): SugaredValue {
    const type = this.concrete.jitType;
    if (type.kind !== "Class" || (type.forwardHooks.length === 0 && type.forwardPreHooks.length === 0))
      return this.attr(range, fn, "forward").call(range, fn, args, kwargs, binders);
    return this.callWithHooks(range, fn, type, args, kwargs);
  }

  /** Hooks see the arguments as a tuple; what they return takes the place of arguments or result. */
  private callWithHooks(
    range: SourceRange,
    fn: ScriptFunction,
    type: ClassType,
    args: readonly NamedValue[],
    kwargs: readonly NamedValue[],
  ): SugaredValue {
    const { graph } = fn;
    const tupleOf = (values: readonly Value[]): Value => graph.insertNode(createTuple(graph, values)).output;
    const run = (hook: T.FunctionLike, ...values: Value[]): Value =>
      new FunctionValue(hook as ScriptFunction)
        .call(
          range,
          fn,
          [this.self, ...values].map((value) => NamedValue.of(value)),
          [],
        )
        .asValue(range, fn);
    let input = tupleOf(args.map((arg) => arg.value(graph)));
    let given = args;
    if (type.forwardPreHooks.length > 0) {
      for (const hook of type.forwardPreHooks) {
        const result = run(hook, input);
        if (result.type.kind !== "None") input = result.type.kind === "Tuple" ? result : tupleOf([result]);
      }
      given = new SimpleValue(input).asTuple(range, fn).map((value) => NamedValue.of(value.asValue(range, fn)));
    }
    let output = this.attr(range, fn, "forward").call(range, fn, given, kwargs, 1).asValue(range, fn);
    for (const hook of type.forwardHooks) {
      const result = run(hook, input, output);
      if (result.type.kind !== "None") output = result;
    }
    return new SimpleValue(output);
  }

  override asTupleValue(range: SourceRange, fn: ScriptFunction): SugaredValue {
    if (this.concrete.iterableKind === "list") return this.submodules(range, fn).values;
    throw new ScriptError("Only ModuleList or Sequential modules can be used as tuple", range);
  }

  override iter(range: SourceRange, fn: ScriptFunction): SugaredValue {
    switch (this.concrete.iterableKind) {
      case "list":
        return this.submodules(range, fn).values;
      case "dict":
        return this.submodules(range, fn).keys;
      case "paramlist":
        return this.parameters(range, fn).values;
      case "paramdict":
        return this.parameters(range, fn).keys;
      case "none":
        throw new ScriptError(
          "Only constant Sequential, ModuleList, ModuleDict, or ParameterList can be used as an iterable",
          range,
        );
    }
  }

  override len(range: SourceRange, fn: ScriptFunction): Value {
    return insertConstant(fn.graph, this.submodules(range, fn).keys.staticLength(), T.IntT, range);
  }

  override getitem(range: SourceRange, fn: ScriptFunction, index: Value, hint?: Type): SugaredValue {
    const { iterableKind } = this.concrete;
    switch (iterableKind) {
      case "list":
        if (hint) return this.dynamicItem(range, fn, index, hint);
        return this.submodules(range, fn).values.getitem(range, fn, index);
      case "paramlist":
        return this.parameters(range, fn).values.getitem(range, fn, index);
      case "dict":
      case "paramdict": {
        const key = toIValue(index)?.value;
        if (typeof key !== "string") {
          if (hint) return this.dynamicItem(range, fn, index, hint);
          throw new ScriptError(
            `Unable to extract string literal index. ModuleDict indexing is only supported with string literals. For example, 'i = "a"; self.layers[i](x)' will fail because i is not a literal. Enumeration of ModuleDict is supported, e.g. 'for k, v in self.items(): ...'`,
            range,
          );
        }
        const { keys, values } = iterableKind === "dict" ? this.submodules(range, fn) : this.parameters(range, fn);
        const at = keys.elements.findIndex((name) => toIValue(name.asValue(range, fn))?.value === key);
        if (at < 0) throw new ScriptError(`Key Error, ${key}`, range);
        return values.elements[at]!;
      }
      case "none":
        throw new ScriptError(
          "Only ModuleList, Sequential, ModuleDict, ParameterList, and ParameterDict modules are subscriptable",
          range,
        );
    }
  }

  /** An item whose place is only known when the code runs: all must comply with the interface that is asked for. */
  private dynamicItem(range: SourceRange, fn: ScriptFunction, index: Value, hint: Type): SugaredValue {
    for (const { name, type } of this.classType.attributes) {
      const whyNot = { text: "" };
      if (isModuleType(type) && !T.isSubtypeOf(type, hint, whyNot)) {
        throw new ScriptError(
          `Attribute ${name} is not of annotated type ${T.annotationStr(hint)}: ${whyNot.text}`,
          range,
        );
      }
    }
    return new SimpleValue(insertOp(fn.graph, "prim::ModuleContainerIndex", [this.self, index], range).setType(hint));
  }
}

/** `self` of a module's methods. */
export class ModuleSelf implements Self {
  private readonly concrete: ConcreteModuleType;
  constructor(concrete: ConcreteModuleType) {
    this.concrete = concrete;
  }
  get classType(): ClassType {
    return this.concrete.classType;
  }
  makeSugared(value: Value): SugaredValue {
    return new ModuleValue(value.setType(this.concrete.jitType), this.concrete);
  }
}
