/** @file Callables: modules of operators, functions, methods, classes, casts, exceptions, enums. Upstream: torch/csrc/jit/frontend/sugared_value.h, sugared_value.cpp. Spec: none. */
import { ScriptError, internalAssert } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";
import { enumValue } from "../../core/ivalue.ts";
import type { FunctionSchema } from "../../core/schema.ts";
import { argument, type Argument } from "../../core/schema.ts";
import * as T from "../../core/type.ts";
import type { ClassType, EnumType, TupleType, Type } from "../../core/type.ts";
import { createObject, createTuple, insertFunctionCall, insertMethodCall } from "../../ir/build_nodes.ts";
import { insertConstant } from "../../ir/constants.ts";
import { ScriptFunction } from "../../ir/function.ts";
import type { Value } from "../../ir/graph.ts";
import { emitBuiltinCall, insertOp } from "./emit_builtin.ts";
import { NamedValue, toValues } from "./named_value.ts";
import { matchSchema, matchSchemas } from "./schema_matching.ts";
import { BuiltinFunction, SimpleValue, SpecialFormValue, SugaredValue, setCallables } from "./sugared_value.ts";

/** `torch`, `ops.quantized` and the like: attributes are operators of the namespace. */
export class BuiltinModule extends SugaredValue {
  readonly namespace: string;
  constructor(namespace: string) {
    super();
    this.namespace = namespace;
  }
  kind(): string {
    return "builtin module";
  }
  override attr(_range: SourceRange, _fn: ScriptFunction, field: string): SugaredValue {
    // torch.autograd.grad is aten::grad
    if (field === "autograd") return new BuiltinModule("aten");
    return new BuiltinFunction(`${this.namespace}::${field}`);
  }
}

/** Compiles a callee, with PyTorch's text for recursion. */
function defineCallee(callee: ScriptFunction, what: "function" | "method", range: SourceRange): void {
  try {
    callee.ensureDefined();
  } catch (error) {
    if (error instanceof ScriptError && error.range === undefined && error.reason.includes("is called recursively")) {
      throw new ScriptError(
        ` ${what} '${callee.name}' is called recursively. Recursive calls are not supported`,
        range,
      );
    }
    throw error;
  }
}

/** A compiled (or yet to be compiled) function. */
export class FunctionValue extends SugaredValue {
  readonly callee: ScriptFunction;
  constructor(callee: ScriptFunction) {
    super();
    this.callee = callee;
  }
  kind(): string {
    return "function";
  }
  override formals(range: SourceRange): readonly Argument[] {
    defineCallee(this.callee, "function", range);
    return this.callee.schema.args;
  }
  override call(
    range: SourceRange,
    fn: ScriptFunction,
    args: readonly NamedValue[],
    kwargs: readonly NamedValue[],
  ): SugaredValue {
    defineCallee(this.callee, "function", range);
    const matched = matchSchema(this.callee.schema, range, fn.graph, args, kwargs);
    const output = insertFunctionCall(fn.graph, this.callee, matched.inputs, matched.returnTypes[0] ?? T.NoneT);
    output.node.setSourceRange(range);
    return new SimpleValue(output);
  }
}

/** A nested function, used by `fork` only. */
export class ClosureValue extends SugaredValue {
  readonly value: Value;
  constructor(value: Value) {
    super();
    internalAssert(value.node.kind === "prim::Closure", "closure of another node");
    this.value = value;
  }
  kind(): string {
    return "closure";
  }
  override asValue(): Value {
    return this.value;
  }
}

/** A method of a class or interface, bound to its object; of several, which are overloads, the first that the arguments fit. */
export class MethodValue extends SugaredValue {
  readonly self: Value;
  readonly names: readonly string[];
  constructor(self: Value, names: string | readonly string[]) {
    super();
    this.self = self;
    this.names = typeof names === "string" ? [names] : names;
  }
  kind(): string {
    return "method";
  }
  override formals(range: SourceRange): readonly Argument[] | undefined {
    // of several signatures the first stands for all
    const [first] = this.names;
    return first === undefined ? undefined : this.schema(first, range).args.slice(1);
  }
  private schema(name: string, range: SourceRange): FunctionSchema {
    const { type } = this.self;
    if (type.kind === "Interface") {
      const schema = type.findMethod(name);
      internalAssert(schema, `${type.name.qualifiedName} has no method "${name}"`);
      return schema;
    }
    internalAssert(type.kind === "Class", "method of neither class nor interface");
    const method = type.findMethod(name);
    internalAssert(method, `${type.name.qualifiedName} has no method "${name}"`);
    if (method instanceof ScriptFunction) defineCallee(method, "method", range);
    return method.schema;
  }
  override call(
    range: SourceRange,
    fn: ScriptFunction,
    args: readonly NamedValue[],
    kwargs: readonly NamedValue[],
  ): SugaredValue {
    const [chosen, matched] = matchSchemas(
      this.names.map((name) => ({ schema: this.schema(name, range) })),
      range,
      fn.graph,
      [NamedValue.of(this.self), ...args],
      kwargs,
    );
    const output = insertMethodCall(fn.graph, this.names[chosen]!, matched.inputs, matched.returnTypes[0] ?? T.NoneT);
    output.node.setSourceRange(range);
    return new SimpleValue(output);
  }
}

/** What a statement-like call gives. */
class NoneValue extends SugaredValue {
  kind(): string {
    return "None";
  }
}

/** `print`. */
export class PrintValue extends SugaredValue {
  kind(): string {
    return "print";
  }
  override call(
    range: SourceRange,
    fn: ScriptFunction,
    args: readonly NamedValue[],
    kwargs: readonly NamedValue[],
  ): SugaredValue {
    if (kwargs.length > 0) throw new ScriptError("print doesn't accept any keyword arguments", range);
    fn.graph.insertNode(fn.graph.create("prim::Print", toValues(fn.graph, args), 0).setSourceRange(range));
    return new NoneValue();
  }
}

/** `int(x)` and the like: nothing where the value has the type already. */
export class CastValue extends BuiltinFunction {
  readonly type: Type;
  constructor(type: Type, operator: string) {
    super(operator);
    this.type = type;
  }
  override call(
    range: SourceRange,
    fn: ScriptFunction,
    args: readonly NamedValue[],
    kwargs: readonly NamedValue[],
    binders: number,
  ): SugaredValue {
    if (args.length === 1 && kwargs.length === 0) {
      const { graph } = fn;
      // made in any case, as upstream does
      const zero = insertConstant(graph, 0, T.IntT);
      const value = args[0]!.value(graph);
      if (T.isSubtypeOf(value.type, this.type)) return new SimpleValue(value);
      if (
        this.type.kind === "Bool" &&
        (T.isSubtypeOf(value.type, T.AnyListT) || T.isSubtypeOf(value.type, T.StringT) || value.type.kind === "Dict")
      ) {
        const length = insertOp(graph, "aten::len", [value], range);
        return new SimpleValue(insertOp(graph, "aten::gt", [length, zero], range));
      }
    }
    return super.call(range, fn, args, kwargs, binders);
  }
}

/** `x.float()` and the like. */
class TensorCastValue extends SugaredValue {
  private readonly dtype: number;
  private readonly self: NamedValue;
  constructor(dtype: number, self: NamedValue) {
    super();
    this.dtype = dtype;
    this.self = self;
  }
  kind(): string {
    return "Cast";
  }
  override call(
    range: SourceRange,
    fn: ScriptFunction,
    args: readonly NamedValue[],
    kwargs: readonly NamedValue[],
  ): SugaredValue {
    if (args.length > 0 || kwargs.length > 0)
      throw new ScriptError("args.empty() && kwargs.empty() INTERNAL ASSERT FAILED: casts take no arguments", range);
    const dtype = insertConstant(fn.graph, this.dtype, T.IntT, range);
    return new SimpleValue(
      emitBuiltinCall(range, fn.graph, "aten::to", [], [this.self, NamedValue.of(dtype, "dtype", range)]),
    );
  }
}
setCallables(
  (self, name) => new MethodValue(self, name),
  (dtype, self) => new TensorCastValue(dtype, self),
);

/** `len(x)`, `x + y`: the method of a class where the first argument is an object, else the operator. */
export class MagicMethod extends SugaredValue {
  readonly method: string;
  readonly base: SugaredValue;
  constructor(method: string, base: SugaredValue) {
    super();
    this.method = method;
    this.base = base;
  }
  kind(): string {
    return this.method;
  }
  override call(
    range: SourceRange,
    fn: ScriptFunction,
    args: readonly NamedValue[],
    kwargs: readonly NamedValue[],
    binders: number,
  ): SugaredValue {
    if (args.length > 0) {
      const self = args[0]!.value(fn.graph);
      if (self.type.kind === "Class")
        return new SimpleValue(self).attr(range, fn, this.method).call(range, fn, args.slice(1), kwargs, binders);
    }
    return this.base.call(range, fn, args, kwargs, binders);
  }
}

/** A class: calling it makes an object. */
export class ClassValue extends SugaredValue {
  readonly type: ClassType;
  constructor(type: ClassType) {
    super();
    this.type = type;
  }
  kind(): string {
    return T.typeStr(this.type);
  }
  override call(
    range: SourceRange,
    fn: ScriptFunction,
    args: readonly NamedValue[],
    kwargs: readonly NamedValue[],
    binders: number,
  ): SugaredValue {
    const self = fn.graph.insertNode(createObject(fn.graph, this.type)).setSourceRange(range).output;
    if (!this.type.findMethod("__init__")) {
      throw new ScriptError(`Class ${this.type.name.name} does not have an __init__ function defined`, range);
    }
    new MethodValue(self, "__init__").call(range, fn, args, kwargs);
    void binders;
    return new SimpleValue(self);
  }
  override attr(range: SourceRange, _fn: ScriptFunction, field: string): SugaredValue {
    // a module's code calls the hooks of its submodules through their class
    const hook = [...this.type.forwardHooks, ...this.type.forwardPreHooks].find((h) => h.name === field);
    if (hook instanceof ScriptFunction) return new FunctionValue(hook);
    if (field !== "__new__")
      throw new ScriptError(`Tried to lookup unknown attribute on class ${T.annotationStr(this.type)}`, range);
    return new SpecialFormValue("prim::CreateObject");
  }
}

/** A NamedTuple: calling it makes a tuple. */
export class NamedTupleConstructor extends SugaredValue {
  readonly type: TupleType;
  constructor(type: TupleType) {
    super();
    this.type = type;
  }
  kind(): string {
    return T.typeStr(this.type);
  }
  private schema(): FunctionSchema {
    const { fieldNames = [], elements, fieldDefaults = [], name } = this.type;
    const firstDefault = elements.length - fieldDefaults.length;
    const args = fieldNames.map((field, i) =>
      i < firstDefault
        ? argument(field, elements[i]!)
        : argument(field, elements[i]!, { hasDefault: true, defaultValue: fieldDefaults[i - firstDefault] }),
    );
    return { name: name?.name ?? "", overloadName: "", args, returns: [], isVararg: false, isVarret: false };
  }
  override call(
    range: SourceRange,
    fn: ScriptFunction,
    args: readonly NamedValue[],
    kwargs: readonly NamedValue[],
  ): SugaredValue {
    const matched = matchSchema(this.schema(), range, fn.graph, args, kwargs);
    return new SimpleValue(
      fn.graph.insertNode(createTuple(fn.graph, matched.inputs, this.type).setSourceRange(range)).output,
    );
  }
}

/** What `raise` takes: the message of an exception that was called. */
export class ExceptionMessageValue extends SugaredValue {
  readonly value: Value;
  readonly className: Value | undefined;
  constructor(value: Value, className?: Value) {
    super();
    this.value = value;
    this.className = className;
  }
  kind(): string {
    return "exception message";
  }
}

/** An exception class. */
export class ExceptionValue extends SugaredValue {
  readonly name: string;
  constructor(name: string) {
    super();
    this.name = name;
  }
  kind(): string {
    return "exception";
  }
  override call(range: SourceRange, fn: ScriptFunction, args: readonly NamedValue[]): SugaredValue {
    const { graph } = fn;
    let message = insertConstant(graph, `${this.name}: `, T.StringT, range);
    for (const arg of args) {
      let text = arg.value(graph);
      if (!T.isSubtypeOf(text.type, T.StringT)) text = insertOp(graph, "aten::str", [text], range);
      message = insertOp(graph, "aten::add", [message, text], range);
    }
    return new ExceptionMessageValue(message);
  }
}

/** An enum class: attributes are its members. */
export class SugaredEnumClass extends SugaredValue {
  readonly type: EnumType;
  constructor(type: EnumType) {
    super();
    this.type = type;
  }
  kind(): string {
    return "EnumClass";
  }
  override attr(range: SourceRange, fn: ScriptFunction, field: string): SugaredValue {
    if (!this.type.members.some(([name]) => name === field))
      throw new ScriptError(`${T.typeReprStr(this.type)}' has no attribute '${field}'`, range);
    return new SimpleValue(insertConstant(fn.graph, enumValue(this.type, field), this.type, range));
  }
  override iter(range: SourceRange, fn: ScriptFunction): SugaredValue {
    const members = this.type.members.map(([name]) => enumValue(this.type, name));
    return new SimpleValue(insertConstant(fn.graph, members, T.listOf(this.type), range));
  }
}
