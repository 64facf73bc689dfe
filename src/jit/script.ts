/** @file jit.script, and the functions that scripts and eager code share: annotate, isinstance, assert, marks. Upstream: torch/jit/_script.py, torch/jit/__init__.py, torch/_jit_internal.py. Spec: docs/scripting.md. */
import { ScriptError, ScriptRuntimeError } from "../base/errors.ts";
import { Source, SourceRange } from "../base/source_range.ts";
import type { Type } from "../core/type.ts";
import { typeFromText } from "../frontend/javascript/index.ts";
import { ScriptTypeParser } from "../frontend/script_type_parser.ts";
import type { ScriptFunction } from "../ir/function.ts";
import { Module } from "../nn/module.ts";
import { Device, Tensor } from "../tensor/tensor.ts";
import { compiledFunction, functionOf, type CompiledFunction } from "./compiled_function.ts";
import { ScriptModule, type Scripted } from "./script_module.ts";
import {
  compileFunctionValue,
  javascriptSource,
  markFunction,
  withScope,
  type AnyFunction,
  type ScopeValues,
} from "./scripting/javascript.ts";
import { withSources } from "./scripting/javascript_sources.ts";
import { addMethodSource } from "./scripting/method_source.ts";
import { scriptModule } from "./scripting/recursive.ts";

addMethodSource(() => javascriptSource);

/** A whole number: TorchScript's `int`, for type annotations of code that is compiled. */
export type int = number;
/** A number that may have a fraction: TorchScript's `float`, for type annotations of code that is compiled. */
export type float = number;

/** What the compiler may need besides the function or module. */
export interface ScriptOptions {
  /** Values that the code names and the compiler cannot see: functions, numbers, texts. */
  readonly scope?: ScopeValues;
  /** Text of the TypeScript or JavaScript file that the code is written in, for types and lines. */
  readonly source?: string;
  /** Name of that file, as messages and debug records show it. */
  readonly file?: string;
  /** The types of a function in schema syntax: `(Tensor x, int n=3) -> Tensor`. */
  readonly signature?: string;
}

/** A compiled JavaScript function: call it as before; `code` and `graph` print PyTorch's text. */
export type ScriptedFunction<F extends AnyFunction = AnyFunction> = CompiledFunction & F;

function isOptions(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** The callable of a compiled function; options at the end are keyword arguments, as in the JavaScript function. */
function callableOf(fn: ScriptFunction): CompiledFunction {
  const split = (args: readonly unknown[]): readonly [readonly unknown[], Readonly<Record<string, unknown>>] => {
    const last = args.at(-1);
    return isOptions(last) && fn.schema.args.some((a) => a.kwargOnly) ? [args.slice(0, -1), last] : [args, {}];
  };
  return compiledFunction(fn, split);
}

function scriptFunction(fn: AnyFunction, options: ScriptOptions): CompiledFunction {
  if (functionOf(fn)) return fn as unknown as CompiledFunction;
  const compiled = compileFunctionValue(fn, options.signature);
  compiled.ensureDefined();
  return callableOf(compiled);
}

/**
 * Compiles a module with all below it, or a function, from its JavaScript source. Mirrors `torch.jit.script`.
 * What compiles is written down in docs/scripting.md.
 *
 * @throws ScriptError with the line, a caret and what to write instead, for code that cannot be compiled or would not mean
 * the same.
 */
export function script<M extends Module>(module: M, options?: ScriptOptions): Scripted<M>;
export function script<F extends AnyFunction>(fn: F, options?: ScriptOptions): ScriptedFunction<F>;
export function script(
  what: Module | ScriptModule | AnyFunction,
  options: ScriptOptions = {},
): ScriptModule | CompiledFunction {
  const given = options.source === undefined ? [] : [new Source(options.source, options.file ?? "<source>", 1)];
  return withSources(given, () =>
    withScope(options.scope, () => {
      if (what instanceof Module || what instanceof ScriptModule) return scriptModule(what);
      if (typeof what !== "function")
        throw new ScriptError(`jit.script takes a module or a function, found ${what === null ? "null" : typeof what}`);
      return scriptFunction(what, options);
    }),
  );
}

/** Says the type of a value that has none of its own, such as `jit.annotate("List[int]", [])`. Eagerly it gives the value. */
export function annotate<V>(_type: string, value: V): V {
  return value;
}

function matches(value: unknown, type: Type): boolean {
  switch (type.kind) {
    case "Any":
      return true;
    case "None":
      return value === null;
    case "Optional":
      return value === null || matches(value, type.element);
    case "Union":
      return type.members.some((m) => matches(value, m));
    case "Tensor":
      return value instanceof Tensor;
    case "Int":
      return typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));
    case "Float":
      return typeof value === "number" && !Number.isInteger(value);
    case "Bool":
      return typeof value === "boolean";
    case "String":
      return typeof value === "string";
    case "Device":
      return value instanceof Device;
    case "List":
      return Array.isArray(value) && value.every((x) => matches(x, type.element));
    case "Tuple":
      return (
        Array.isArray(value) &&
        value.length === type.elements.length &&
        value.every((x, i) => matches(x, type.elements[i]!))
      );
    case "Dict": {
      const entries = value instanceof Map ? [...value] : isOptions(value) ? Object.entries(value) : undefined;
      return entries?.every(([k, v]) => matches(k, type.key) && matches(v, type.value)) ?? false;
    }
    default:
      return false;
  }
}

/** Whether a value is of a type, or of one of several: `jit.isinstance(x, "List[Tensor]")`. Refines the type in compiled code. */
export function isinstance(value: unknown, type: string | readonly string[]): boolean {
  const parser = new ScriptTypeParser();
  return (typeof type === "string" ? [type] : type).some((text) =>
    matches(value, parser.parseTypeFromExpr(typeFromText(text, new SourceRange(new Source(text), 0, text.length)))),
  );
}

/** Raises where the condition does not hold, in both worlds. */
function assertion(condition: boolean, message = ""): asserts condition {
  if (!condition) throw new ScriptRuntimeError(`AssertionError: ${message}`, message, "AssertionError");
}
export { assertion as assert };

/** False: this is JavaScript. True in compiled code, which leaves the other branch out. */
export function isScripting(): boolean {
  return false;
}

/** A number as TorchScript's float: `jit.float(2)` is 2.0. */
export function toFloat(value: number | boolean): float {
  return Number(value);
}
/** A number without its fraction, as TorchScript's int. */
export function toInt(value: number | boolean): int {
  return Math.trunc(Number(value));
}
/** The remainder with the sign of the divisor: Python's `%`. */
export function mod(a: number, b: number): number {
  if (b === 0) throw new ScriptRuntimeError("modulo by zero", "modulo by zero", "ZeroDivisionError");
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

/** Compiles a method although nothing calls it: `@jit.export`, or `jit.export(Net.prototype.encode)`; `static exports = ["encode"]` says the same. */
export function exportMethod<F extends AnyFunction>(method: F, _context?: unknown): F {
  markFunction(method, "exported");
  return method;
}
/** Leaves a method out of the compiled module; code that calls it is refused. `static ignored = ["report"]` says the same. */
export function ignore<F extends AnyFunction>(method: F, _context?: unknown): F {
  markFunction(method, "ignored");
  return method;
}
/** Compiles a method to an exception: `static unused = ["debug"]` says the same. */
export function unused<F extends AnyFunction>(method: F, _context?: unknown): F {
  markFunction(method, "unused");
  return method;
}
