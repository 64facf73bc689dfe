/** @file Calls an operator by name with JavaScript values: picks the overload as PyTorch's argument parser does. Upstream: torch/csrc/utils/python_arg_parser.cpp. Spec: none.
 *
 * Note [Binders]: the overloads of a name are compiled once to binders, which hold a function per argument that makes the IValue
 * or refuses. A call tries the binders in order; what is looked up by name happens at the first call only. */
import { OperatorError, UnsupportedError } from "../base/errors.ts";
import { dispatch, isIntercepted, saturated } from "../core/dispatcher.ts";
import { findOperator, schemasFor, type OperatorEntry } from "../core/operator_registry.ts";
import { isOutArgument, schemaText, type Argument, type FunctionSchema } from "../core/schema.ts";
import { dtypeFromId } from "../tensor/dtype.ts";
import { hasScope } from "../tensor/release.ts";
import { Float } from "../tensor/scalar.ts";
import { Tensor, setRequiresGrad } from "../tensor/tensor.ts";
import { leaveResult } from "./memory.ts";
import { NO_FIT, fitFor, fitNumbersAsTensors, isDType, isInt, type Fit } from "./argument_fit.ts";

/** Keyword arguments: a plain object behind the positional ones. */
export type Kwargs = Readonly<Record<string, unknown>>;

/** A call as it was written: the name and the arguments before an overload was chosen. */
export interface EagerCall {
  readonly name: string;
  /** Positional arguments, `self` first for methods, and last the object of keyword arguments if one was given. */
  readonly args: readonly unknown[];
  /** Set where an index makes several calls: `args` are then the index's, not the operator's. */
  readonly index?: WrittenIndex;
  /** Of each argument of the operator that the index gives: where it stands there. */
  readonly numbers?: Readonly<Record<string, IndexNumber>>;
}

/** An index as it was written: `x.at(i, torch.slice(j))`, `x.set([i, j], y)`. One object for all calls that it makes. */
export interface WrittenIndex {
  /** Whether the places stand in an array, not one by one. */
  readonly isArray: boolean;
  readonly places: readonly unknown[];
}

/** A number of an index: the place, and which part of the slice that stands there. */
export interface IndexNumber {
  readonly place: number;
  readonly part: "index" | "start" | "stop" | "step";
}

let current: EagerCall | undefined;

/** The call that an interceptor is asked about; undefined where an operator was called past its name. */
export function currentEagerCall(): EagerCall | undefined {
  return current;
}

function isKwargs(value: unknown): value is Kwargs {
  return (
    typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype && !isDType(value)
  );
}

/** Whether a schema is one of Python's `torch` functions: about tensors or generators, not about lists, dicts and strings. */
export function isEagerSchema(schema: FunctionSchema): boolean {
  if (/^prim_|hacked_twin|^list_Tensor$/.test(schema.overloadName)) return false;
  let speaksOfTensors = false;
  for (const { type } of [...schema.args, ...schema.returns]) {
    const inner = type.kind === "Optional" ? type.element : type;
    const element = inner.kind === "List" ? inner.element : inner;
    const last = element.kind === "Optional" ? element.element : element;
    if (!EAGER_KINDS.has(last.kind)) return false;
    if (last.kind === "Tensor" || last.kind === "Generator") speaksOfTensors = true;
  }
  return speaksOfTensors && !schema.isVararg;
}

const EAGER_KINDS = new Set([
  "Tensor",
  "Int",
  "Float",
  "Number",
  "Bool",
  "String",
  "Complex",
  "Device",
  "Generator",
  "QScheme",
  "None",
]);

/** Names whose Tensor arguments take numbers too, as PyTorch's `should_allow_numbers_as_tensors` says. */
const NUMBERS_AS_TENSORS = new Set(
  ["add", "sub", "mul", "div", "subtract", "multiply", "divide", "true_divide", "floor_divide"].flatMap((name) => [
    name,
    `${name}_`,
  ]),
);

/** One overload, ready to be called. */
class Binder {
  readonly schema: FunctionSchema;
  readonly outs: readonly Argument[];
  private readonly fits: readonly Fit[];
  private readonly minPositional: number;
  private readonly maxPositional: number;
  /** Keyword-only arguments without a default make a call without keywords impossible. */
  private readonly needsKwargs: boolean;
  /** Where `x.view(2, 3)` may give the items of a list one by one; -1 where it may not. */
  private readonly spreadAt: number;
  private readonly positions = new Map<string, number>();
  private entry: OperatorEntry | undefined;
  private readonly convertsResult: boolean;

  constructor(schema: FunctionSchema, fitOf: (argument: Argument) => Fit = fitFor) {
    this.schema = schema;
    this.fits = schema.args.map(fitOf);
    this.outs = schema.args.filter(isOutArgument);
    const positional = schema.args.filter((a) => !a.kwargOnly);
    this.maxPositional = positional.length;
    let min = positional.length;
    while (min > 0 && positional[min - 1]!.hasDefault) min--;
    this.minPositional = min;
    this.needsKwargs = schema.args.some((a) => a.kwargOnly && !a.hasDefault);
    const first = positional.findIndex((a) => a.name !== "self");
    const only = positional[first];
    this.spreadAt =
      only?.type.kind === "List" && only.type.element.kind === "Int" && first === positional.length - 1 ? first : -1;
    schema.args.forEach((a, i) => this.positions.set(a.name, i));
    this.convertsResult = schema.returns.some((r) => r.realType === "ScalarType" || r.type.kind === "Number");
  }

  /** IValues for positional arguments alone, or undefined where they do not fit. */
  bind(args: readonly unknown[]): unknown[] | undefined {
    const { fits, schema, spreadAt } = this;
    let count = args.length;
    if (this.needsKwargs) return undefined;
    if (spreadAt >= 0 && count > spreadAt && isSpread(args, spreadAt)) {
      args = [...args.slice(0, spreadAt), args.slice(spreadAt)];
      count = spreadAt + 1;
    }
    if (count < this.minPositional || count > this.maxPositional) return undefined;
    const values = new Array<unknown>(fits.length);
    for (let i = 0; i < count; i++) {
      const given = args[i];
      const value = given === undefined && schema.args[i]!.hasDefault ? schema.args[i]!.defaultValue : fits[i]!(given);
      if (value === NO_FIT) return undefined;
      values[i] = value;
    }
    for (let i = count; i < fits.length; i++) values[i] = schema.args[i]!.defaultValue;
    return values;
  }

  /** IValues for positional and keyword arguments, or undefined where they do not fit. */
  bindKwargs(args: readonly unknown[], kwargs: Kwargs): unknown[] | undefined {
    const { fits, schema, spreadAt } = this;
    if (spreadAt >= 0 && args.length > spreadAt && isSpread(args, spreadAt)) {
      args = [...args.slice(0, spreadAt), args.slice(spreadAt)];
    }
    if (args.length > this.maxPositional) return undefined;
    const given = new Array<unknown>(fits.length);
    for (let i = 0; i < args.length; i++) given[i] = args[i];
    for (const name in kwargs) {
      const value = kwargs[name];
      const at = this.positions.get(name) ?? (name === "input" ? this.positions.get("self") : undefined);
      if (at === undefined) {
        if (name !== "out" || !this.fillOuts(given, value)) return undefined;
      } else if (at < args.length) {
        return undefined;
      } else given[at] = value;
    }
    for (let i = 0; i < fits.length; i++) {
      const argument = schema.args[i]!;
      const value = given[i];
      if (value === undefined) {
        if (!argument.hasDefault) return undefined;
        given[i] = argument.defaultValue;
        continue;
      }
      const fitted = fits[i]!(value);
      if (fitted === NO_FIT) return undefined;
      given[i] = fitted;
    }
    return given;
  }

  /** `out` is one tensor, or a list where the operator has several results. */
  private fillOuts(given: unknown[], value: unknown): boolean {
    const { outs } = this;
    if (outs.length === 0) return false;
    const values: unknown[] = outs.length > 1 && Array.isArray(value) ? value : [value];
    if (values.length !== outs.length) return false;
    outs.forEach((out, i) => (given[this.positions.get(out.name)!] = values[i]));
    return true;
  }

  /** Runs the operator. Throws UnsupportedError where it has no kernel. */
  run(values: unknown[]): unknown {
    const entry = (this.entry ??= this.find());
    const result = dispatch(entry, isIntercepted() ? values : saturated(entry, values));
    if (hasScope()) leaveResult(result, values);
    if (!this.convertsResult) return result;
    if (result instanceof Float) return result.value;
    return this.schema.returns[0]!.realType === "ScalarType" && typeof result === "number"
      ? dtypeFromId(result)
      : result;
  }

  private find(): OperatorEntry {
    const entry = findOperator(this.schema);
    if (!entry) {
      const text = schemaText(this.schema);
      throw new UnsupportedError(text, `Operator ${text} is not supported`);
    }
    return entry;
  }
}

function isSpread(args: readonly unknown[], from: number): boolean {
  for (let i = from; i < args.length; i++) if (!isInt(args[i])) return false;
  return true;
}

/** PyTorch tries an overload with a tensor before the one that has a number there, which a zero-dim tensor fits as well. */
function tensorsFirst(schemas: readonly FunctionSchema[]): FunctionSchema[] {
  const ordered: FunctionSchema[] = [];
  for (const schema of schemas) {
    const before = ordered.findIndex((other) => takesTensorForNumber(schema, other));
    ordered.splice(before < 0 ? ordered.length : before, 0, schema);
  }
  return ordered;
}

function takesTensorForNumber(a: FunctionSchema, b: FunctionSchema): boolean {
  if (a.args.length !== b.args.length) return false;
  const at = a.args.findIndex((arg, i) => arg.type.kind !== b.args[i]!.type.kind);
  return at >= 0 && a.args[at]!.type.kind === "Tensor" && b.args[at]!.type.kind === "Number";
}

/** Where Python's function calls another operator for some arguments. */
const REDIRECTED: Readonly<Record<string, (args: readonly unknown[]) => string | undefined>> = {
  split: (args) => (Array.isArray(args[1]) ? "split_with_sizes" : undefined),
};

/** The overloads of one name. */
export class OverloadSet {
  readonly name: string;
  private readonly redirect: ((args: readonly unknown[]) => string | undefined) | undefined;
  private readonly plain: readonly Binder[];
  private readonly withOut: readonly Binder[];
  /** The overloads that PyTorch's Python binding has where ours prefers a Scalar one; see `preferTensors`. */
  private readonly asTensors: readonly Binder[];

  constructor(name: string) {
    this.name = name;
    this.redirect = Object.hasOwn(REDIRECTED, name) ? REDIRECTED[name] : undefined;
    const all = schemasFor(`aten::${name}`);
    const eager = all.filter(isEagerSchema);
    const schemas = tensorsFirst(eager.length > 0 ? eager : all);
    const isOut = (s: FunctionSchema): boolean => s.args.some(isOutArgument);
    this.plain = schemas.filter((s) => !isOut(s)).map((s) => new Binder(s));
    this.withOut = schemas.filter(isOut).map((s) => new Binder(s));
    this.asTensors = NUMBERS_AS_TENSORS.has(name)
      ? schemas.filter((s) => !s.overloadName.startsWith("Scalar")).map((s) => new Binder(s, fitNumbersAsTensors))
      : [];
  }

  /**
   * Positional arguments, then an object of keyword arguments if the last is a plain object. `written` is what stands in the
   * caller's source where that differs: an index is written once and makes several calls.
   */
  call(args: readonly unknown[], written: Omit<EagerCall, "name"> = { args }): unknown {
    if (!isIntercepted()) return this.choose(args);
    const outer = current;
    current = { name: this.name, ...written };
    try {
      return this.choose(args);
    } finally {
      current = outer;
    }
  }

  private choose(args: readonly unknown[]): unknown {
    const other = this.redirect?.(args);
    if (other !== undefined) return overloadsOf(other).choose(args);
    const last = args.length > 0 ? args[args.length - 1] : undefined;
    if (isKwargs(last)) return this.callWithKwargs(args.slice(0, -1), last);
    // Python has no add.Scalar: `x + 2` is add.Tensor with a tensor of the number, and a trace shows it
    if (this.asTensors.length > 0 && isIntercepted()) return this.callAsTensors(args, {});
    for (const binder of this.plain) {
      const values = binder.bind(args);
      if (values) return binder.run(values);
    }
    return this.callAsTensors(args, {});
  }

  private callWithKwargs(args: readonly unknown[], given: Kwargs): unknown {
    const { requires_grad: requiresGrad, ...rest } = given;
    const takesRequiresGrad = this.plain.some((b) => b.schema.args.some((a) => a.name === "requires_grad"));
    const kwargs = requiresGrad === undefined || takesRequiresGrad ? given : rest;
    let result: unknown;
    if (this.asTensors.length > 0 && isIntercepted()) result = this.callAsTensors(args, kwargs);
    else {
      const found = this.bindAll(args, kwargs);
      result = found ? found[0].run(found[1]) : this.callAsTensors(args, kwargs);
    }
    if (kwargs !== given && result instanceof Tensor) setRequiresGrad(result, requiresGrad === true);
    return result;
  }

  private bindAll(args: readonly unknown[], kwargs: Kwargs): [Binder, unknown[]] | undefined {
    for (const binder of this.plain) {
      const values = binder.bindKwargs(args, kwargs);
      if (values) return [binder, values];
    }
    for (const binder of this.withOut) {
      const values = binder.bindKwargs(args, kwargs);
      if (values) return [binder, values];
    }
    return undefined;
  }

  private callAsTensors(args: readonly unknown[], kwargs: Kwargs): unknown {
    for (const binder of this.asTensors) {
      const values = binder.bindKwargs(args, kwargs);
      if (values) return binder.run(values);
    }
    return this.refuse(args, kwargs);
  }

  private refuse(args: readonly unknown[], kwargs: Kwargs): never {
    const given = [...args.map(describe), ...Object.entries(kwargs).map(([k, v]) => `${k}=${describe(v)}`)].join(", ");
    const schemas = [...this.plain, ...this.withOut].map((b) => b.schema);
    if (schemas.length === 0) throw new OperatorError(`Unknown operator "aten::${this.name}"`);
    throw new OperatorError(
      `${this.name}(): no overload takes (${given}); the overloads are:\n${schemas.map((s) => `  ${schemaText(s)}`).join("\n")}`,
    );
  }
}

const sets = new Map<string, OverloadSet>();

/** The overloads of `aten::NAME`, compiled at first use. */
export function overloadsOf(name: string): OverloadSet {
  let set = sets.get(name);
  if (!set) {
    set = new OverloadSet(name);
    sets.set(name, set);
  }
  return set;
}

/**
 * Calls `aten::NAME` with positional arguments and, last, an object of keyword arguments.
 * @throws OperatorError where no overload takes the arguments, and what the operator throws.
 */
export function callByName(name: string, args: readonly unknown[], written?: Omit<EagerCall, "name">): unknown {
  return overloadsOf(name).call(args, written);
}

function describe(value: unknown): string {
  if (value === null) return "None";
  if (value instanceof Tensor) return "Tensor";
  if (isDType(value)) return `torch.${value.name}`;
  if (Array.isArray(value)) return `list of ${value.length === 0 ? "nothing" : describe(value[0])}`;
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float";
  return typeof value === "object" ? value.constructor.name : typeof value;
}
