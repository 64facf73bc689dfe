/** @file What names of Python's side mean to the compiler: constants, modules, exceptions, functions with overloads or a constant choice. Upstream: torch/csrc/jit/python/python_sugared_value.cpp. Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";
import * as T from "../../core/type.ts";
import type { TypedConstant } from "../../frontend/default_value.ts";
import type { NamedValue } from "../../frontend/emit/named_value.ts";
import { matchSchemas } from "../../frontend/emit/schema_matching.ts";
import { ExceptionMessageValue, ExceptionValue } from "../../frontend/emit/sugared_callable.ts";
import { SimpleValue, SugaredValue } from "../../frontend/emit/sugared_value.ts";
import { createTuple, insertFunctionCall } from "../../ir/build_nodes.ts";
import { constantBool, insertConstant } from "../../ir/constants.ts";
import type { ScriptFunction } from "../../ir/function.ts";
import type { Value } from "../../ir/graph.ts";
import type { BooleanDispatch } from "../../nn/scripts/script_text.ts";

/** A constant that a name stands for: `torch.float32`, `math.pi`. */
export class ConstantName extends SugaredValue {
  readonly constant: TypedConstant;
  constructor(constant: TypedConstant) {
    super();
    this.constant = constant;
  }
  kind(): string {
    return "constant";
  }
  override asValue(range: SourceRange, fn: ScriptFunction): Value {
    return insertConstant(fn.graph, this.constant.value, this.constant.type, range);
  }
}

/** A module of names: `torch.nn`, `math`. */
export class PythonModule extends SugaredValue {
  private readonly lookUp: (name: string) => SugaredValue | undefined;
  constructor(lookUp: (name: string) => SugaredValue | undefined) {
    super();
    this.lookUp = lookUp;
  }
  kind(): string {
    return "python value of type 'module'";
  }
  override asValue(range: SourceRange): Value {
    throw new ScriptError(
      `${this.kind()} cannot be used as a value. Perhaps it is a closed over global variable? If so, please consider passing it in as an argument or use a local variable instead.`,
      range,
    );
  }
  override attr(range: SourceRange, fn: ScriptFunction, field: string): SugaredValue {
    const found = this.lookUp(field);
    if (!found) throw new ScriptError(`object has no attribute ${field}`, range);
    // inserted where the name is met, as upstream does
    return found instanceof ConstantName ? new SimpleValue(found.asValue(range, fn)) : found;
  }
}

/** An exception class: `raise` says its name in the graph. */
export class PythonException extends ExceptionValue {
  override kind(): string {
    return "Python exception";
  }
  override call(range: SourceRange, fn: ScriptFunction, args: readonly NamedValue[]): SugaredValue {
    const { graph } = fn;
    const values = args.map((arg) => arg.value(graph));
    const [first] = values;
    let message: Value;
    if (first === undefined) message = insertConstant(graph, "", T.StringT, range);
    else message = values.length === 1 ? first : graph.insertNode(createTuple(graph, values)).output;
    const name = insertConstant(graph, this.name, T.StringT, range);
    return new ExceptionMessageValue(message, name);
  }
}

/** A function that was compiled once for each of its signatures. */
export class OverloadedFunction extends SugaredValue {
  readonly callees: readonly ScriptFunction[];
  constructor(callees: readonly ScriptFunction[]) {
    super();
    this.callees = callees;
  }
  kind(): string {
    return "function";
  }
  override call(
    range: SourceRange,
    fn: ScriptFunction,
    args: readonly NamedValue[],
    kwargs: readonly NamedValue[],
  ): SugaredValue {
    const [index, matched] = matchSchemas(this.callees, range, fn.graph, args, kwargs);
    const output = insertFunctionCall(
      fn.graph,
      this.callees[index]!,
      matched.inputs,
      matched.returnTypes[0] ?? T.NoneT,
    );
    output.node.setSourceRange(range);
    return new SimpleValue(output);
  }
}

/** A function that stands for one of two others, by a constant argument. */
export class DispatchedFunction extends SugaredValue {
  private readonly dispatch: BooleanDispatch;
  private readonly choose: (name: string) => SugaredValue;
  constructor(dispatch: BooleanDispatch, choose: (name: string) => SugaredValue) {
    super();
    this.dispatch = dispatch;
    this.choose = choose;
  }
  kind(): string {
    return "boolean dispatch";
  }
  override call(
    range: SourceRange,
    fn: ScriptFunction,
    args: readonly NamedValue[],
    kwargs: readonly NamedValue[],
    binders: number,
  ): SugaredValue {
    const { argName, argIndex, ifTrue, ifFalse } = this.dispatch;
    const keyword = kwargs.find((arg) => arg.name === argName);
    const given = args[argIndex] ?? keyword;
    const chosen = given ? constantBool(given.value(fn.graph)) : false;
    if (chosen === undefined) {
      throw new ScriptError(
        args[argIndex]
          ? `Argument for boolean dispatch at position ${argIndex} was not constant`
          : `Keyword argument '${argName}' for boolean dispatch was not constant`,
        range,
      );
    }
    return this.choose(chosen ? ifTrue : ifFalse).call(range, fn, args, kwargs, binders);
  }
}

/** A function that PyTorch cannot compile either: it says why when it is called. */
export class UncompilableFunction extends SugaredValue {
  private readonly reason: string;
  constructor(reason: string) {
    super();
    this.reason = reason;
  }
  kind(): string {
    return "python value";
  }
  override call(range: SourceRange): SugaredValue {
    throw new ScriptError(this.reason, range);
  }
}
