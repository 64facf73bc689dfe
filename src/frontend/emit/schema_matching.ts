/** @file Matching of call arguments to schemas: conversions, variable arguments, defaults and PyTorch's error texts. Upstream: torch/csrc/jit/frontend/schema_matching.cpp. Spec: none.
 *
 * Note [Traces of failed matches]: an overload that turns out not to match leaves the constants and conversions that were
 * inserted for it in the graph. They are dead, but they used up value numbers, so this file inserts exactly what PyTorch does. */
import { ScriptError } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";
import { argument, schemaText, type Argument, type FunctionSchema } from "../../core/schema.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { createList, createTuple, unpackTuple } from "../../ir/build_nodes.ts";
import type { Graph, Value } from "../../ir/graph.ts";
import { matchTypeVariables, type TypeEnv } from "../../core/match_types.ts";
import { NamedValue } from "./named_value.ts";

/** A schema with the inputs that a call gives it, in schema order. */
export interface MatchedSchema {
  readonly schema: FunctionSchema;
  readonly inputs: readonly Value[];
  readonly returnTypes: readonly Type[];
  /** Names of the returns, where every one has a name. */
  readonly returnNames: readonly string[] | undefined;
}

/** Inserts the operator call of an implicit conversion; installed by `emit_builtin.ts`, which needs this file. */
let insertOperator: (graph: Graph, name: string, value: Value, range: SourceRange) => Value = () => {
  throw new Error("internal: operator insertion is not installed");
};
/** Installs the insertion of operator calls. */
export function setInsertOperator(fn: typeof insertOperator): void {
  insertOperator = fn;
}

function unwrapOptional(type: Type): Type {
  return type.kind === "Optional" ? type.element : type;
}

function isNumberUsedAsList(value: Value, arg: Argument): boolean {
  const kind = value.type.kind;
  if (kind !== "Float" && kind !== "Int") return false;
  const type = unwrapOptional(arg.type);
  return type.kind === "List" && type.element.kind === kind && arg.fixedLength !== undefined;
}

/** Whether the type is a tuple whose elements all fit the list, or the list itself. */
export function convertibleToList(type: Type, list: Type): boolean {
  if (list.kind !== "List") return false;
  if (T.isSubtypeOf(type, list)) return true;
  return type.kind === "Tuple" && type.elements.every((t) => T.isSubtypeOf(t, list.element));
}

// what tensors, Scalars and bools become where a number of a known type is asked for
const FROM_TENSOR: Readonly<Record<string, string>> = {
  Float: "aten::FloatImplicit",
  Complex: "aten::ComplexImplicit",
  Int: "aten::IntImplicit",
  Number: "aten::ScalarImplicit",
};
const FROM_NUMBER: Readonly<Record<string, string>> = {
  Float: "aten::Float",
  Complex: "aten::Complex",
  Int: "aten::Int",
};
const FROM_BOOL: Readonly<Record<string, string>> = { Float: "aten::Float", Int: "aten::Int", Number: "aten::Int" };

/** Converts a value implicitly towards `wanted`; the result may still not fit. */
export function tryConvertToType(
  range: SourceRange,
  graph: Graph,
  wanted: Type,
  given: Value,
  allowConversions: boolean,
): Value {
  let value = given;
  if (wanted.kind === "Optional" && value.type.kind !== "Optional" && !T.isSubtypeOf(value.type, T.NoneT)) {
    return tryConvertToType(range, graph, wanted.element, value, allowConversions);
  }
  // a literal [] that was given no type fits every list
  if (value.node.kind === "prim::EmptyListLiteral" && wanted.kind === "List") {
    value = graph.insertNode(createList(graph, wanted.element, [])).output;
  }
  const tuple = value.type;
  if (tuple.kind === "Tuple") {
    const list = unwrapOptional(wanted);
    if (list.kind === "List" && convertibleToList(tuple, list)) {
      const unpacked = unpackTuple(graph, value);
      value = graph.insertNode(createList(graph, list.element, unpacked)).output;
    }
    if (wanted.kind === "Tuple" && !T.isSubtypeOf(tuple, wanted) && wanted.elements.length === tuple.elements.length) {
      const unpacked = unpackTuple(graph, value);
      const converted = wanted.elements.map((type, i) =>
        tryConvertToType(range, graph, type, unpacked[i]!, allowConversions),
      );
      value = graph.insertNode(createTuple(graph, converted)).output;
    }
  }
  if (!allowConversions) return value;
  let conversion: string | undefined;
  if (T.isSubtypeOf(value.type, T.TensorT)) conversion = FROM_TENSOR[wanted.kind];
  else if (value.type.kind === "Number") conversion = FROM_NUMBER[wanted.kind];
  else if (value.type.kind === "Bool") conversion = FROM_BOOL[wanted.kind];
  if (conversion !== undefined) value = insertOperator(graph, conversion, value, range);
  if (T.isSubtypeOf(value.type, T.StringT) && T.isSubtypeOf(wanted, T.DeviceT))
    return insertOperator(graph, "aten::device", value, range);
  return value;
}

const EMPTY_LIST_HINT =
  "Empty lists default to List[Tensor]. Add a variable annotation to the assignment to create an empty list of another type (torch.jit.annotate(List[T, []]) where T is the type of elements in the list for Python 2)\n";

/** One attempt at one schema. */
class Attempt {
  readonly schema: FunctionSchema;
  private readonly range: SourceRange;
  private readonly graph: Graph;
  private readonly allowConversions: boolean;
  /** Where to explain failures; undefined: nobody asks. */
  private readonly failures: string[] | undefined;
  private readonly env: TypeEnv = new Map();

  constructor(
    schema: FunctionSchema,
    range: SourceRange,
    graph: Graph,
    allowConversions: boolean,
    failures: string[] | undefined,
  ) {
    this.schema = schema;
    this.range = range;
    this.graph = graph;
    this.allowConversions = allowConversions;
    this.failures = failures;
  }

  private fail(reason: () => string): undefined {
    this.failures?.push(`\n${schemaText(this.schema)}:\n${reason()}`);
    return undefined;
  }

  private argument(arg: Argument, named: NamedValue): Value | undefined {
    const { graph } = this;
    let value = named.value(graph);
    if (isNumberUsedAsList(value, arg)) {
      value = graph.insertNode(createList(graph, value.type, new Array<Value>(arg.fixedLength!).fill(value))).output;
    }
    const actual = value.type;
    const mismatch = matchTypeVariables(arg.type, actual, this.env);
    if (mismatch !== undefined) {
      return this.fail(
        () =>
          `Could not match type ${T.typeReprStr(actual)} to ${T.typeReprStr(arg.type)} in argument '${arg.name}': ${mismatch}.\n`,
      );
    }
    const wanted = T.evalTypeVariables(arg.type, this.env);
    if (!wanted) {
      return this.fail(
        () =>
          `Type variables in type ${T.typeReprStr(arg.type)} could not be inferred from actual type ${T.typeReprStr(actual)}`,
      );
    }
    value = tryConvertToType(this.range, graph, wanted, value, this.allowConversions);
    const whyNot: T.WhyNot | undefined = this.failures ? { text: "" } : undefined;
    if (T.isSubtypeOf(value.type, wanted, whyNot)) return value;
    const { type } = value;
    return this.fail(() => {
      let text = `Expected a value of type '${T.typeReprStr(arg.type)}' for argument '${arg.name}' but instead found type '${T.typeReprStr(type)}'.\n`;
      if (arg.type === T.InferredTensorT)
        text += `Inferred '${arg.name}' to be of type 'Tensor' because it was not annotated with an explicit type.\n`;
      if (type === T.InferredTensorT)
        text += `Inferred the value for argument '${arg.name}' to be of type 'Tensor' because it was not annotated with an explicit type.\n`;
      if (type.kind === "List" && T.isSubtypeOf(type.element, T.TensorT)) text += EMPTY_LIST_HINT;
      return text + (whyNot?.text ?? "");
    });
  }

  private listOfArguments(element: Type, args: readonly NamedValue[]): Value | undefined {
    const arg = argument("<varargs>", element);
    const values: Value[] = [];
    for (const named of args) {
      const value = this.argument(arg, named);
      if (!value) return undefined;
      values.push(value);
    }
    return this.graph.insertNode(createList(this.graph, element, values)).output;
  }

  run(
    args: readonly NamedValue[],
    kwargs: readonly NamedValue[],
    givenSelf: NamedValue | undefined,
  ): MatchedSchema | undefined {
    const { schema, graph } = this;
    if (isBlocked(schema)) return undefined;
    let self = givenSelf;
    const isAten = schema.name.startsWith("aten::");
    const inputs: Value[] = [];
    const usedKwargs = new Set<number>();
    let used = 0;
    for (let i = 0; i < schema.args.length; i++) {
      const arg = schema.args[i]!;
      let actual: NamedValue;
      if (arg.name === "self" && self) {
        actual = self;
        self = undefined;
      } else if (!arg.kwargOnly && used < args.length) {
        // zeros(1, 2) means zeros([1, 2])
        if (this.allowConversions && varargsCanBeUsedAsList(schema, i, arg)) {
          const first = args[used]!.value(graph);
          const formal = unwrapOptional(arg.type);
          if (first.type.kind !== "List" && !convertibleToList(first.type, formal) && formal.kind === "List") {
            const list = this.listOfArguments(formal.element, args.slice(used));
            if (!list) return undefined;
            used = args.length;
            inputs.push(list);
            continue;
          }
        }
        actual = args[used++]!;
      } else {
        const index = findInputWithName(arg.name, kwargs, isAten);
        if (index !== undefined) {
          actual = kwargs[index]!;
          if (usedKwargs.has(index))
            return this.fail(() => `Argument ${actual.name} specified twice in schema, submit a bug report!\n`);
          usedKwargs.add(index);
        } else if (arg.hasDefault) {
          actual = NamedValue.constant(arg.defaultValue, arg.type);
        } else return this.fail(() => `Argument ${arg.name} not provided.\n`);
      }
      const input = this.argument(arg, actual);
      if (!input) return undefined;
      inputs.push(input);
    }
    if (self) return this.fail(() => "Provided self argument not used in schema.\n");
    if (schema.isVararg) for (; used < args.length; used++) inputs.push(args[used]!.value(graph));
    if (used < args.length) {
      return this.fail(() => `Expected at most ${used} arguments but found ${args.length} positional arguments.\n`);
    }
    for (let i = 0; i < kwargs.length; i++) {
      if (usedKwargs.has(i)) continue;
      const { name } = kwargs[i]!;
      return this.fail(
        () => `Keyword argument ${name} ${schema.args.some((a) => a.name === name) ? "specified twice" : "unknown"}.\n`,
      );
    }
    const returnTypes = schema.returns.map((r) => {
      const type = T.evalTypeVariables(r.type, this.env);
      if (!type) throw new ScriptError(`${T.typeReprStr(r.type)} has unbound type variables.`, this.range);
      return type;
    });
    const returnNames = schema.returns.every((r) => r.name !== "") ? schema.returns.map((r) => r.name) : undefined;
    return { schema, inputs, returnTypes, returnNames };
  }
}

/** The keyword argument for a parameter; operators also take `input` for `self`. */
function findInputWithName(name: string, kwargs: readonly NamedValue[], isAten: boolean): number | undefined {
  const index = kwargs.findIndex((k) => (isAten && name === "self" && k.name === "input") || k.name === name);
  return index < 0 ? undefined : index;
}

function varargsCanBeUsedAsList(schema: FunctionSchema, index: number, arg: Argument): boolean {
  const isLast = index + 1 === schema.args.length || schema.args[index + 1]!.kwargOnly;
  // a list of a fixed length like int[3] takes one int already
  return isLast && arg.type.kind === "List" && arg.fixedLength === undefined && arg.type.element.kind !== "Var";
}

/** Overloads that source text can never mean, because ScalarType is int there, or for clashes of argument names. */
function isBlocked(schema: FunctionSchema): boolean {
  if (schema.name === "aten::view") return schema.overloadName === "dtype";
  return (schema.name === "aten::max" || schema.name === "aten::min") && schema.overloadName === "unary_out";
}

/** Matches one schema; throws ScriptError that says why it does not match. */
export function matchSchema(
  schema: FunctionSchema,
  range: SourceRange,
  graph: Graph,
  args: readonly NamedValue[],
  kwargs: readonly NamedValue[],
  self?: NamedValue,
): MatchedSchema {
  const failures: string[] = [];
  const matched = new Attempt(schema, range, graph, true, failures).run(args, kwargs, self);
  if (!matched) throw new ScriptError(failures.join(""), range);
  return matched;
}

/** What has a schema: asked for when its turn comes. */
export interface Overload {
  readonly schema: FunctionSchema;
}

/** The first of some overloads that matches, first without and then with implicit conversions; throws ScriptError that lists them. */
export function matchSchemas(
  overloads: readonly Overload[],
  range: SourceRange,
  graph: Graph,
  args: readonly NamedValue[],
  kwargs: readonly NamedValue[],
  self?: NamedValue,
): [index: number, matched: MatchedSchema] {
  if (overloads.length === 1) return [0, matchSchema(overloads[0]!.schema, range, graph, args, kwargs, self)];
  let failures: string[] = [];
  // a call that matches nothing is tried again to collect the reasons
  for (const explain of [false, true]) {
    for (const allowConversions of [false, true]) {
      failures = [];
      for (let i = 0; i < overloads.length; i++) {
        const matched = new Attempt(
          overloads[i]!.schema,
          range,
          graph,
          allowConversions,
          explain ? failures : undefined,
        ).run(args, kwargs, self);
        if (matched) return [i, matched];
      }
    }
  }
  const list = failures.join("").replace(/^/gm, "  ").replace(/  $/, "");
  throw new ScriptError(
    `Arguments for call are not valid.\nThe following variants are available:\n${list}\nThe original call is`,
    range,
  );
}
