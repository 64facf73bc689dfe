/** @file What a name or expression means while a function is compiled: a value of the graph, or something that only becomes one when used. Upstream: torch/csrc/jit/frontend/sugared_value.h, sugared_value.cpp. Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";
import { schemasFor } from "../../core/operator_registry.ts";
import type { Argument } from "../../core/schema.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import {
  createEnumName,
  createEnumValue,
  createGetAttr,
  createListUnpack,
  createSetAttr,
  createTuple,
  createTupleIndex,
  unpackTuple,
} from "../../ir/build_nodes.ts";
import { constantInt, insertConstant } from "../../ir/constants.ts";
import type { ScriptFunction } from "../../ir/function.ts";
import type { Value } from "../../ir/graph.ts";
import { emitBuiltinCall, insertOp } from "./emit_builtin.ts";
import { matchTypeVariables } from "../../core/match_types.ts";
import { NamedValue } from "./named_value.ts";

/** A meaning. Each use has a default that says why it is not possible. */
export abstract class SugaredValue {
  /** What it is, for messages. */
  abstract kind(): string;

  /** As a value of the graph. */
  asValue(range: SourceRange, _fn: ScriptFunction): Value {
    throw new ScriptError(`${this.kind()} cannot be used as a value`, range);
  }
  /** `this.field`. */
  attr(range: SourceRange, _fn: ScriptFunction, _field: string): SugaredValue {
    throw new ScriptError(`attribute lookup is not defined on ${this.kind()}`, range);
  }
  /** `hasattr(this, field)`. */
  hasAttr(range: SourceRange, _fn: ScriptFunction, _field: string): boolean {
    throw new ScriptError(`attribute lookup is not defined on ${this.kind()}`, range);
  }
  /** `this.field = value`. */
  setAttr(range: SourceRange, _fn: ScriptFunction, _field: string, _value: Value): void {
    throw new ScriptError(`attribute assignment is not defined on ${this.kind()}`, range);
  }
  /** The elements for unpacking; `sizeHint`: how many are wanted. */
  asTuple(range: SourceRange, _fn: ScriptFunction, _sizeHint?: number): readonly SugaredValue[] {
    throw new ScriptError(`${this.kind()} cannot be used as a tuple`, range);
  }
  asTupleValue(range: SourceRange, _fn: ScriptFunction): SugaredValue {
    throw new ScriptError(`${this.kind()} cannot be used as a tuplevalue`, range);
  }
  /** `this(args, kwargs)`. `binders`: number of names the result is bound to. */
  call(
    range: SourceRange,
    _fn: ScriptFunction,
    _args: readonly NamedValue[],
    _kwargs: readonly NamedValue[],
    _binders: number,
  ): SugaredValue {
    throw new ScriptError(`cannot call a ${this.kind()}`, range);
  }
  /** The parameters of a call, where they are known before it: without `self`. */
  formals(_range: SourceRange, _fn: ScriptFunction): readonly Argument[] | undefined {
    return undefined;
  }
  /** What a loop over it runs over. */
  iter(range: SourceRange, _fn: ScriptFunction): SugaredValue {
    throw new ScriptError(`${this.kind()} cannot be used as an iterable`, range);
  }
  /** The length, where it is known at compile time: loops over it are unrolled. */
  staticLength(): number | undefined {
    return undefined;
  }
  len(range: SourceRange, _fn: ScriptFunction): Value {
    throw new ScriptError(`'${this.kind()}' object is not iterable`, range);
  }
  getitem(range: SourceRange, _fn: ScriptFunction, _index: Value, _typeHint?: Type): SugaredValue {
    throw new ScriptError(`'${this.kind()}' object is not subscriptable`, range);
  }
}

/** Makes the callable of a class's or interface's method; installed by `sugared_callable.ts`. */
let methodOf: (self: Value, name: string) => SugaredValue = () => {
  throw new Error("internal: methods are not installed");
};
/** Calls a function value made of a graph: closures. Installed by `sugared_callable.ts`. */
let tensorCast: (dtype: number, self: NamedValue) => SugaredValue = () => {
  throw new Error("internal: casts are not installed");
};
/** Installs the callables that `SimpleValue` makes. */
export function setCallables(method: typeof methodOf, cast: typeof tensorCast): void {
  methodOf = method;
  tensorCast = cast;
}

/** Tensor methods that cast, with the number of the dtype (`c10::ScalarType`). */
const CAST_METHODS: ReadonlyMap<string, number> = new Map([
  ["byte", 0],
  ["char", 1],
  ["short", 2],
  ["int", 3],
  ["long", 4],
  ["half", 5],
  ["float", 6],
  ["double", 7],
  ["cfloat", 9],
  ["cdouble", 10],
]);

const prim = (names: string): [string, string][] => names.split(" ").map((n) => [n, `prim::${n}`]);
const aten = (names: string): [string, string][] => names.split(" ").map((n) => [n, `aten::${n}`]);
/** Attributes of builtin types that are operators. */
const PROPERTIES: Readonly<Record<string, ReadonlyMap<string, string>>> = {
  Optional: new Map(prim("unchecked_unwrap_optional")),
  Tensor: new Map([
    ...prim(
      "dtype device grad data shape is_cuda is_cpu is_xla is_xpu is_sparse is_sparse_csr is_mkldnn is_mps is_mtia is_quantized is_vulkan is_ipu is_meta is_nested requires_grad layout T H is_maia itemsize nbytes ndim name",
    ),
    ...aten("is_leaf mT mH real imag retains_grad"),
  ]),
  Device: new Map(prim("type index")),
};

/** A value of the graph. */
export class SimpleValue extends SugaredValue {
  readonly value: Value;
  constructor(value: Value) {
    super();
    this.value = value;
  }
  kind(): string {
    return `value of type '${T.annotationStr(this.value.type)}'`;
  }
  override asValue(): Value {
    return this.value;
  }

  override asTuple(range: SourceRange, fn: ScriptFunction, sizeHint?: number): readonly SugaredValue[] {
    const { value } = this;
    const { graph } = fn;
    switch (value.type.kind) {
      case "Tuple":
        return unpackTuple(graph, value).map((v) => new SimpleValue(v));
      case "List":
        if (sizeHint === undefined)
          throw new ScriptError("cannot statically infer the expected size of a list in this context", range);
        return graph.insertNode(createListUnpack(graph, value, sizeHint)).outputs.map((v) => new SimpleValue(v));
      case "AnyTuple":
        throw new ScriptError(
          "Provided tuple is not fully defined/refined including its element types, please provide a value of type like Tuple[int, int]",
          range,
        );
      default:
        throw new ScriptError(`${T.typeReprStr(value.type)} cannot be used as a tuple`, range);
    }
  }

  override attr(range: SourceRange, fn: ScriptFunction, field: string): SugaredValue {
    const { value } = this;
    const { graph } = fn;
    const { type } = value;
    const isTensor = T.isSubtypeOf(type, T.TensorT);
    if (isTensor) {
      const dtype = CAST_METHODS.get(field);
      if (dtype !== undefined) return tensorCast(dtype, NamedValue.of(value, "self", range));
    }
    const property = PROPERTIES[type.kind]?.get(field);
    if (property !== undefined) return new SimpleValue(insertOp(graph, property, [value]));
    const own = this.attributeOfType(range, fn, field);
    if (own) return own;
    const self = NamedValue.of(value, "self", range);
    const builtin =
      (field === "type" ? BuiltinFunction.tryCreate("aten::to", self) : undefined) ??
      BuiltinFunction.tryCreate(`aten::${field}`, self);
    if (builtin) return builtin;
    if (isTensor && field === "tolist") return new SpecialFormValue("prim::tolist");
    // the operator of subscripts has another name
    if (isTensor && field === "__getitem__") return new SpecialFormValue("aten::index");
    let text = `'${T.typeReprStr(type)}' object has no attribute or method '${field}'.`;
    if (type.kind === "Class") text += " Did you forget to initialize an attribute in __init__()?";
    throw new ScriptError(text, range);
  }

  /** Fields of named tuples, awaited values, classes, interfaces and enums. */
  private attributeOfType(range: SourceRange, fn: ScriptFunction, field: string): SugaredValue | undefined {
    const { value } = this;
    const { graph } = fn;
    const { type } = value;
    switch (type.kind) {
      case "Tuple": {
        const at = type.fieldNames?.indexOf(field) ?? -1;
        if (at < 0) return undefined;
        const index = insertConstant(graph, at, T.IntT);
        return new SimpleValue(graph.insertNode(createTupleIndex(graph, value, index, type.elements[at]!)).output);
      }
      case "Await":
        return new SimpleValue(insertOp(graph, "prim::awaitable_wait", [value], range)).attr(range, fn, field);
      case "Class": {
        if (type.findMethod(field)) return methodOf(value, field);
        if (type.findSlot(field) !== undefined)
          return new SimpleValue(graph.insertNode(createGetAttr(graph, value, field)).output);
        const property = type.findProperty(field);
        return property && methodOf(value, property.getter.name).call(range, fn, [], [], 1);
      }
      case "Interface":
        return type.findMethod(field) ? methodOf(value, field) : undefined;
      case "Enum":
        if (field === "name") return new SimpleValue(graph.insertNode(createEnumName(graph, value)).output);
        if (field === "value") return new SimpleValue(graph.insertNode(createEnumValue(graph, value)).output);
        return undefined;
      default:
        return undefined;
    }
  }

  override hasAttr(range: SourceRange, _fn: ScriptFunction, field: string): boolean {
    const { type } = this.value;
    if (type.kind === "Class")
      return type.findMethod(field) !== undefined || type.findSlot(field) !== undefined || type.constants.has(field);
    if (type.kind === "Tuple") {
      if (type.fieldNames) return type.fieldNames.includes(field);
      throw new ScriptError(
        `hasattr's first argument must be a object or NamedTuple, but got a normal Tuple ${T.typeReprStr(type)} instead`,
        range,
      );
    }
    throw new ScriptError(
      `hasattr's first argument must be an object or NamedTuple, got ${T.typeReprStr(type)} instead`,
      range,
    );
  }

  override setAttr(range: SourceRange, fn: ScriptFunction, field: string, newValue: Value): void {
    const { value } = this;
    const { graph } = fn;
    const cls = value.type;
    if (cls.kind !== "Class")
      throw new ScriptError(`Tried to set an attribute: ${field} on a non-class: ${T.typeReprStr(cls)}`, range);
    let expected = cls.findAttribute(field);
    if (!expected) {
      // `__init__` of the class itself declares attributes by assigning them
      if (fn.name === "__init__" && graph.inputs[0]?.type === cls) {
        if (containsClass(cls, newValue.type)) {
          throw new ScriptError(
            `Assignment to attribute '${field}' cannot be of a type that contains class '${T.typeReprStr(cls)}'.\nClasses that recursively contain instances of themselves are not yet supported`,
            range,
          );
        }
        cls.addAttribute(field, newValue.type);
        expected = newValue.type;
        if (graph.insertPoint.owningBlock !== graph.block) {
          throw new ScriptError(
            "First assignment cannot be in a control-flow block. Initialize the field at the top level first",
            range,
          );
        }
      } else {
        const property = cls.findProperty(field);
        if (property?.setter) {
          methodOf(value, property.setter.name).call(range, fn, [NamedValue.of(newValue)], [], 1);
          return;
        }
        if (property) throw new ScriptError(`Tried to set read-only attribute: ${field}`, range);
        throw new ScriptError(
          `Tried to set nonexistent attribute: ${field}. Did you forget to initialize it in __init__()?`,
          range,
        );
      }
    }
    if (!T.isSubtypeOf(newValue.type, expected)) {
      throw new ScriptError(
        `Wrong type for attribute assignment. Expected ${T.typeReprStr(expected)} but got ${T.typeReprStr(newValue.type)}`,
        range,
      );
    }
    graph.insertNode(createSetAttr(graph, value, field, newValue));
  }

  override call(
    range: SourceRange,
    fn: ScriptFunction,
    args: readonly NamedValue[],
    kwargs: readonly NamedValue[],
    binders: number,
  ): SugaredValue {
    if (this.value.type.kind === "Class")
      return this.attr(range, fn, "__call__").call(range, fn, args, kwargs, binders);
    return super.call(range, fn, args, kwargs, binders);
  }

  override len(range: SourceRange, fn: ScriptFunction): Value {
    const { type } = this.value;
    if (type.kind === "List" || type.kind === "String" || T.isSubtypeOf(type, T.TensorT))
      return insertOp(fn.graph, "aten::len", [this.value], range);
    throw new ScriptError(`'${T.typeReprStr(type)}' object is not iterable`, range);
  }

  override getitem(range: SourceRange, fn: ScriptFunction, index: Value, typeHint?: Type): SugaredValue {
    const { value } = this;
    const { graph } = fn;
    const { type } = value;
    if (type.kind === "List" || type.kind === "String" || type.kind === "Dict") {
      return new SimpleValue(insertOp(graph, "aten::__getitem__", [value, index], range));
    }
    if (T.isSubtypeOf(type, T.TensorT)) {
      return new SimpleValue(
        emitBuiltinCall(range, graph, "aten::select", [
          NamedValue.of(value),
          NamedValue.constant(0, T.IntT),
          NamedValue.of(index),
        ]),
      );
    }
    if (type.kind === "Class") {
      if (type.isModule && typeHint) {
        return new SimpleValue(insertOp(graph, "prim::ModuleContainerIndex", [value, index], range).setType(typeHint));
      }
      return this.attr(range, fn, "__getitem__").call(range, fn, [NamedValue.of(index)], [], 1);
    }
    throw new ScriptError(`'${T.typeReprStr(type)}' object is not subscriptable`, range);
  }

  override iter(range: SourceRange, fn: ScriptFunction): SugaredValue {
    const { value } = this;
    switch (value.type.kind) {
      case "List":
      case "String":
      case "Tensor":
        return new SimpleValue(value);
      case "Dict":
        return new SimpleValue(insertOp(fn.graph, "aten::keys", [value], range));
      case "Tuple":
        return new SugaredTupleValue(unpackTuple(fn.graph, value).map((v) => new SimpleValue(v)));
      default:
        throw new ScriptError(`'${T.typeReprStr(value.type)}' object is not iterable`, range);
    }
  }
}

function containsClass(cls: T.ClassType, type: Type): boolean {
  return T.isSubtypeOf(type, cls) || T.containedTypes(type).some((t) => containsClass(cls, t));
}

/** The value of a `SimpleValue`, else undefined. */
export function asSimple(value: SugaredValue | undefined): Value | undefined {
  return value instanceof SimpleValue ? value.value : undefined;
}

/** An operator, as a method with its object in `self`. */
export class BuiltinFunction extends SugaredValue {
  readonly name: string;
  readonly self: NamedValue | undefined;
  constructor(name: string, self?: NamedValue) {
    super();
    this.name = name;
    this.self = self;
  }
  kind(): string {
    return "builtin";
  }
  override call(
    range: SourceRange,
    fn: ScriptFunction,
    args: readonly NamedValue[],
    kwargs: readonly NamedValue[],
    _binders: number,
  ): SugaredValue {
    return new SimpleValue(emitBuiltinCall(range, fn.graph, this.name, args, kwargs, this.self));
  }
  /** The operator as a method of `self`, if there is an overload that takes it. */
  static tryCreate(name: string, self: NamedValue): BuiltinFunction | undefined {
    for (const schema of schemasFor(name)) {
      const formal = schema.args.find((a) => a.name === "self")?.type;
      if (!formal) continue;
      const env = new Map<string, Type>();
      if (matchTypeVariables(formal, self.type, env) !== undefined) continue;
      const concrete = T.evalTypeVariables(formal, env);
      if (concrete && T.isSubtypeOf(self.type, concrete)) return new BuiltinFunction(name, self);
    }
    return undefined;
  }
}

/** Something that looks like a function but evaluates its arguments in its own way; see `special_forms.ts`. */
export class SpecialFormValue extends SugaredValue {
  readonly form: string;
  constructor(form: string) {
    super();
    this.form = form;
  }
  kind(): string {
    return this.form.slice(this.form.indexOf("::") + 2);
  }
}

/** A tuple whose elements may be any meaning; loops over it are unrolled. */
export class SugaredTupleValue extends SugaredValue {
  readonly elements: readonly SugaredValue[];
  constructor(elements: readonly SugaredValue[]) {
    super();
    this.elements = elements;
  }
  kind(): string {
    return "Tuple";
  }
  override asTuple(): readonly SugaredValue[] {
    return this.elements;
  }
  override asValue(range: SourceRange, fn: ScriptFunction): Value {
    const values = this.elements.map((e) => e.asValue(range, fn));
    return fn.graph.insertNode(createTuple(fn.graph, values)).output;
  }
  override getitem(range: SourceRange, _fn: ScriptFunction, index: Value): SugaredValue {
    const constant = constantInt(index);
    if (constant === undefined) {
      throw new ScriptError(
        "Expected integer literal for index but got a variable or non-integer. ModuleList/Sequential indexing is only supported with integer literals. For example, 'i = 4; self.layers[i](x)' will fail because i is not a literal. Enumeration is supported, e.g. 'for index, v in enumerate(self): out = v(inp)'",
        range,
      );
    }
    const at = Number(constant);
    const element = this.elements[at < 0 ? at + this.elements.length : at];
    if (!element) throw new ScriptError(`Index ${at} out of range of length ${this.elements.length}`, range);
    return element;
  }
  override iter(): SugaredValue {
    return this;
  }
  override staticLength(): number {
    return this.elements.length;
  }
}
