/** @file Runs library texts as Python would while a trace records: the operators that PyTorch's own code calls, with the names of its variables. Upstream: torch/nn (the code that is traced there), torch/jit/_trace.py (_create_interpreter_name_lookup_fn). Spec: none.
 *
 * Note [Traced library code]: our `forward`s compute PyTorch's results, but a trace shows the code that computed them: which
 * operators, on which sizes, and what the variables were called. So a library module that is called under a trace runs from the
 * text that scripts are compiled from, read as Python. */
import { OperatorError, ScriptError, internalAssert } from "../../base/errors.ts";
import type { Def, Expr, Stmt } from "../../frontend/ast.ts";
import { BuiltinFunction } from "../../frontend/emit/sugared_value.ts";
import { parseNumber } from "../../frontend/string_literal.ts";
import * as functional from "../../nn/functional.ts";
import { Module } from "../../nn/module.ts";
import { PackedSequence } from "../../nn/utils_rnn.ts";
import { DTYPES } from "../../tensor/dtype.ts";
import { boxFloat } from "../../tensor/scalar.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { callByName } from "../../torch/eager_call.ts";
import { libraryDefinition, libraryFunctionPath, libraryName, type LibraryDefinition } from "../scripting/library.ts";
import { moduleAttribute, moduleMethod } from "./library_modules.ts";
import { BUILTINS, TORCH_FUNCTIONS, callTorch, setNameless, tensorMember, type Call } from "./python_builtins.ts";
import { augmented, binary, equals, isTuple, numberOf, textOf, truth, tuple, unary } from "./python_values.ts";

/** A dotted name that is not a value yet. */
class Path {
  readonly path: string;
  constructor(path: string) {
    this.path = path;
  }
}

/** Something that can be called with positional and keyword arguments. */
class Callable {
  readonly call: Call;
  constructor(call: Call) {
    this.call = call;
  }
}

class ReturnSignal {
  readonly value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
}

const localNames = new WeakMap<Def, readonly string[]>();
/** Names of a function's variables in Python's order: parameters, then others as they first appear. */
function variablesOf(def: Def): readonly string[] {
  let names = localNames.get(def);
  if (!names) {
    const found = new Set(def.params.map((p) => p.name.name));
    const target = (expr: Expr): void => {
      if (expr.kind === "Var") found.add(expr.name.name);
      else if (expr.kind === "Tuple" || expr.kind === "List") expr.elements.forEach(target);
    };
    const visit = (list: readonly Stmt[]): void => {
      for (const s of list) {
        if (s.kind === "Assign") s.targets.forEach(target);
        else if (s.kind === "If") {
          visit(s.then);
          visit(s.otherwise);
        } else if (s.kind === "For") {
          s.targets.forEach(target);
          visit(s.body);
        }
      }
    };
    visit(def.body);
    names = [...found];
    localNames.set(def, names);
  }
  return names;
}

/** The frame that runs; its variables name tensors. */
let current: PythonFrame | undefined;

/** The name of the variable of the running frame that holds a tensor; undefined while no frame runs. */
export function frameName(tensor: Tensor): string | undefined {
  return current?.nameOf(tensor);
}

/** Whether library text runs. */
export function isFrameRunning(): boolean {
  return current !== undefined;
}

/** Runs a function that Python has a frame of its own for, whose variables name nothing. */
function nameless<R>(body: () => R): R {
  const outer = current;
  current &&= new PythonFrame("", []);
  try {
    return body();
  } finally {
    current = outer;
  }
}
setNameless(nameless);

/** Runs code that belongs to no frame of library text: the user's own. */
export function outsideFrames<R>(body: () => R): R {
  const outer = current;
  current = undefined;
  try {
    return body();
  } finally {
    current = outer;
  }
}

/** Runs a definition with arguments. */
export function runDefinition(
  { def, module }: LibraryDefinition,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>> = {},
): unknown {
  const frame = new PythonFrame(module, variablesOf(def));
  def.params.forEach((param, i) => {
    const name = param.name.name;
    // None is null here: what is undefined was not given
    if (args[i] !== undefined) frame.variables.set(name, args[i]);
    else if (Object.hasOwn(kwargs, name)) frame.variables.set(name, kwargs[name]);
    else if (param.defaultValue) frame.variables.set(name, frame.expression(param.defaultValue));
    else throw new OperatorError(`${def.name.name}() missing required argument: '${name}'`);
  });
  return frame.run(def.body);
}

/** One call of a Python function. */
class PythonFrame {
  readonly variables = new Map<string, unknown>();
  private readonly order: readonly string[];
  private readonly module: string;
  private readonly outer: PythonFrame | undefined;

  constructor(module: string, order: readonly string[], outer?: PythonFrame) {
    this.module = module;
    this.order = order;
    this.outer = outer;
  }

  nameOf(tensor: Tensor): string {
    for (const name of this.order) if (this.variables.get(name) === tensor) return name === "self" ? "" : name;
    return "";
  }

  /** Runs as the innermost frame. */
  private within<R>(body: () => R): R {
    const outer = current;
    current = this;
    try {
      return body();
    } finally {
      current = outer;
    }
  }

  run(body: readonly Stmt[]): unknown {
    return this.within(() => {
      try {
        this.statements(body);
        return null;
      } catch (signal) {
        if (signal instanceof ReturnSignal) return signal.value;
        throw signal;
      }
    });
  }

  private statements(list: readonly Stmt[]): void {
    for (const statement of list) this.statement(statement);
  }

  private statement(s: Stmt): void {
    switch (s.kind) {
      case "Pass":
        return;
      case "ExprStmt":
        this.expression(s.expr);
        return;
      case "Assign": {
        if (!s.value) return;
        const value = this.expression(s.value);
        for (const target of s.targets) this.assign(target, value);
        return;
      }
      case "AugAssign": {
        internalAssert(s.target.kind === "Var", "a library text changes something that is no variable");
        const value = augmented(s.op, this.expression(s.target), this.expression(s.value));
        this.variables.set(s.target.name.name, value);
        return;
      }
      case "If":
        this.statements(truth(this.expression(s.condition)) ? s.then : s.otherwise);
        return;
      case "For":
        for (const item of this.iterate(this.expression(s.iters[0]!))) {
          this.assign(s.targets.length === 1 ? s.targets[0]! : tupleOf(s.targets), item);
          this.statements(s.body);
        }
        return;
      case "Return":
        throw new ReturnSignal(this.expression(s.value));
      case "Raise":
        throw new OperatorError(String(this.expression(s.value)));
      case "Assert":
        if (!truth(this.expression(s.test)))
          throw new OperatorError(`AssertionError: ${s.message ? textOf(this.expression(s.message)) : ""}`);
        return;
      default:
        throw new ScriptError(`Cannot trace a statement of kind ${s.kind} in a library text`, s.range);
    }
  }

  private assign(target: Expr, value: unknown): void {
    if (target.kind === "Var") {
      this.variables.set(target.name.name, value);
      return;
    }
    internalAssert(target.kind === "Tuple" || target.kind === "List", "a library text assigns to an expression");
    const items = this.iterate(value);
    target.elements.forEach((element, i) => this.assign(element, items[i]));
  }

  private iterate(value: unknown): readonly unknown[] {
    if (Array.isArray(value)) return value as unknown[];
    if (value instanceof PackedSequence)
      return [value.data, value.batchSizes, value.sortedIndices, value.unsortedIndices];
    if (value instanceof Module) return itemsOf(value);
    if (value instanceof Tensor) return callByName("unbind", [value, 0]) as Tensor[];
    throw new ScriptError(`Cannot iterate over ${textOf(value)} in a library text`);
  }

  /** The value of an expression. */
  expression(e: Expr): unknown {
    const value = this.evaluate(e);
    if (!(value instanceof Path)) return value;
    const { path } = value;
    const name = path.slice(path.lastIndexOf(".") + 1);
    if (/^torch\.\w+$/.test(path) && Object.hasOwn(DTYPES, name)) return DTYPES[name as keyof typeof DTYPES];
    if (path === "torch.long") return DTYPES.int64;
    const found = libraryName(path);
    if (found !== undefined && "constant" in found) return found.constant;
    return value;
  }

  private evaluate(e: Expr): unknown {
    switch (e.kind) {
      case "Var":
        return this.lookUp(e.name.name);
      case "Number": {
        const number = parseNumber(e.text, e.range);
        return number.kind === "float" ? boxFloat(number.value) : Number((number as { value: number | bigint }).value);
      }
      case "String":
        return e.value;
      case "True":
      case "False":
        return e.kind === "True";
      case "None":
        return null;
      case "Unary":
        return unary(e.op, this.expression(e.operand));
      case "Binary":
        return this.binary(e);
      case "Ternary":
        return this.expression(truth(this.expression(e.condition)) ? e.yes : e.no);
      case "Tuple":
        return tuple(e.elements.map((x) => this.expression(x)));
      case "List":
        return e.elements.map((x) => this.expression(x));
      case "Dict":
        return new Map(e.keys.map((k, i) => [this.expression(k), this.expression(e.values[i]!)]));
      case "ListComp":
        return this.comprehension(e);
      case "Select":
        return this.attribute(this.evaluate(e.value), e.selector.name);
      case "Subscript":
        return this.subscript(this.expression(e.value), e.indices);
      case "Apply":
        return this.apply(e);
      default:
        throw new ScriptError(`Cannot trace an expression of kind ${e.kind} in a library text`, e.range);
    }
  }

  private lookUp(name: string): unknown {
    for (let frame: PythonFrame | undefined = this; frame; frame = frame.outer)
      if (frame.variables.has(name)) return frame.variables.get(name);
    const own = `${this.module}.${name}`;
    return new Path(libraryDefinition(own) ? own : name);
  }

  private binary(e: Expr & { kind: "Binary" }): unknown {
    const left = this.expression(e.left);
    if (e.op === "and") return truth(left) ? this.expression(e.right) : left;
    if (e.op === "or") return truth(left) ? left : this.expression(e.right);
    const right = this.expression(e.right);
    switch (e.op) {
      case "is":
        return left === right;
      case "is not":
        return left !== right;
      case "in":
      case "not in":
        return this.iterate(right).some((item) => equals(item, left)) === (e.op === "in");
      default:
        return binary(e.op, left, right);
    }
  }

  private comprehension(e: Expr & { kind: "ListComp" }): unknown[] {
    const items = this.iterate(this.expression(e.iter));
    const names = e.target.kind === "Var" ? [e.target.name.name] : [];
    const frame = new PythonFrame(this.module, names, this);
    return frame.within(() =>
      items.map((item) => {
        frame.assign(e.target, item);
        return frame.expression(e.element);
      }),
    );
  }

  private attribute(object: unknown, name: string): unknown {
    if (object instanceof Path) return new Path(`${object.path}.${name}`);
    if (object instanceof Tensor) {
      const member = tensorMember(object, name);
      return typeof member === "function" ? new Callable(member as Call) : member;
    }
    if (object instanceof Module && name === "modules") return new Callable(() => [...object.modules()]);
    if (object instanceof Module) {
      const value = moduleAttribute(object, name);
      if (value !== undefined) return value;
      const method = moduleMethod(object, name);
      if (method) return new Callable((args, kwargs) => runDefinition(method, [object, ...args], kwargs));
    }
    if (typeof object === "string" && name === "format")
      return new Callable((args) => args.reduce<string>((text, arg) => text.replace("{}", textOf(arg)), object));
    if (Array.isArray(object) && name === "append") {
      return new Callable(([item]) => {
        object.push(item);
        return null;
      });
    }
    if (typeof object === "object" && object !== null && name in object)
      return (object as Record<string, unknown>)[name];
    throw new ScriptError(`Cannot read '${name}' of ${textOf(object)} in a library text`);
  }

  private subscript(object: unknown, indices: readonly Expr[]): unknown {
    const [index] = indices;
    internalAssert(indices.length === 1 && index, "a library text has an index with several parts");
    const items = object instanceof Module ? itemsOf(object) : object;
    if (Array.isArray(items)) {
      if (index.kind === "Slice") {
        const bound = (x: Expr | undefined): number | undefined => x && numberOf(this.expression(x));
        const part = items.slice(bound(index.start), bound(index.end));
        return isTuple(items) ? tuple(part) : part;
      }
      return items.at(numberOf(this.expression(index)));
    }
    internalAssert(object instanceof Tensor, "a library text indexes something that has no items");
    return callByName("select", [object, 0, this.expression(index)]);
  }

  private apply(e: Expr & { kind: "Apply" }): unknown {
    const callee = this.evaluate(e.callee);
    if (callee instanceof Path && callee.path === "isinstance") return this.isInstance(e);
    if (callee instanceof Path && (callee.path === "getattr" || callee.path === "hasattr"))
      return this.member(e, callee.path);
    if (callee instanceof Path && callee.path.endsWith("jit.annotate")) return this.expression(e.args[1]!);
    const args = e.args.map((arg) => this.expression(arg));
    const kwargs = Object.fromEntries(e.kwargs.map((k) => [k.name.name, this.expression(k.value)]));
    if (callee instanceof Callable) return callee.call(args, kwargs);
    if (callee instanceof Module) return callModule(callee, args, kwargs);
    if (callee instanceof Path) return callPath(callee.path, args, kwargs);
    if (typeof callee === "function") {
      const path = libraryFunctionPath(callee);
      return path === undefined
        ? outsideFrames(() => (callee as (...x: unknown[]) => unknown)(...args))
        : callPath(path, args, kwargs);
    }
    throw new ScriptError(`Cannot call ${textOf(callee)} in a library text`, e.range);
  }

  private member(e: Expr & { kind: "Apply" }, which: string): unknown {
    const object = this.expression(e.args[0]!);
    const name = String(this.expression(e.args[1]!));
    const value = object instanceof Module ? moduleAttribute(object, name) : undefined;
    if (which === "hasattr") return value !== undefined;
    return value ?? (e.args[2] ? this.expression(e.args[2]) : null);
  }

  private isInstance(e: Expr & { kind: "Apply" }): boolean {
    const value = this.expression(e.args[0]!);
    const classes = e.args[1]!;
    const names = (classes.kind === "Tuple" ? classes.elements : [classes]).map((c) =>
      c.kind === "Select" ? c.selector.name : c.kind === "Var" ? c.name.name : "",
    );
    return names.some((name) => {
      switch (name) {
        case "Tensor":
          return value instanceof Tensor;
        case "PackedSequence":
          return value instanceof PackedSequence;
        case "int":
          return typeof value === "number" && Number.isInteger(value);
        case "float":
          return typeof value !== "boolean" && !Array.isArray(value) && value === boxFloat(numberOf(value));
        case "list":
          return Array.isArray(value) && !isTuple(value);
        case "tuple":
          return isTuple(value);
        default:
          return false;
      }
    });
  }
}

function tupleOf(elements: readonly Expr[]): Expr {
  return { kind: "Tuple", elements, range: elements[0]!.range };
}

/** Calls a module with the keywords of its text put in their places. */
function callModule(module: Module, args: readonly unknown[], kwargs: Readonly<Record<string, unknown>>): unknown {
  const names = Object.keys(kwargs);
  if (names.length === 0) return module.callWith(...args);
  const method = moduleMethod(module, "forward");
  internalAssert(method, `${module.getName()} is called with keywords, but has no text`);
  const params = method.def.params.slice(1);
  const last = Math.max(...params.map((p, i) => (Object.hasOwn(kwargs, p.name.name) ? i : -1)));
  const frame = new PythonFrame(method.module, []);
  const full = params.slice(0, last + 1).map((p, i) => {
    if (i < args.length) return args[i];
    return Object.hasOwn(kwargs, p.name.name)
      ? kwargs[p.name.name]
      : p.defaultValue && frame.expression(p.defaultValue);
  });
  return module.callWith(...full);
}

function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** What a container holds, as often as it does: `children` names every module once. */
function itemsOf(module: Module): readonly unknown[] {
  return Symbol.iterator in module ? [...(module as Module & Iterable<unknown>)] : [...module.children()];
}

function ownFunction(path: string): (...args: unknown[]) => unknown {
  const fn = (functional as Readonly<Record<string, unknown>>)[path.slice(path.lastIndexOf(".") + 1)];
  internalAssert(typeof fn === "function", `a library text calls ${path}, which is no function`);
  return fn as (...args: unknown[]) => unknown;
}

/** Calls what a dotted name means. */
export function callPath(path: string, args: readonly unknown[], kwargs: Readonly<Record<string, unknown>>): unknown {
  const special = BUILTINS[path] ?? TORCH_FUNCTIONS[path.slice(path.lastIndexOf(".") + 1)];
  if (special) return special(args, kwargs);
  const found = libraryName(path);
  internalAssert(found, `a library text calls ${path}, which is not known`);
  if ("dispatch" in found) {
    const { argIndex, argName, ifTrue, ifFalse } = found.dispatch;
    return callPath(truth(args[argIndex] ?? kwargs[argName] ?? false) ? ifTrue : ifFalse, args, kwargs);
  }
  if ("definition" in found) return runDefinition(found.definition, args, kwargs);
  internalAssert("value" in found, `a library text calls ${path}, which is a constant`);
  // what has no text is our own function; it takes keywords as one object
  if (!(found.value instanceof BuiltinFunction)) {
    const options = Object.fromEntries(Object.entries(kwargs).map(([name, value]) => [camelCase(name), value]));
    return outsideFrames(() => ownFunction(path)(...args, options));
  }
  return callTorch(found.value.name.replace(/^\w+::/, ""), args, kwargs);
}
