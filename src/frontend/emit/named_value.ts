/** @file An argument on its way into a call: a value or a constant yet to be inserted, with name and range. Upstream: torch/csrc/jit/ir/named_value.h. Spec: none. */
import { Source, SourceRange } from "../../base/source_range.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { Complex, Float } from "../../tensor/scalar.ts";
import { insertConstant } from "../../ir/constants.ts";
import type { Graph, Value } from "../../ir/graph.ts";

/** The range of nodes that no source text made. */
export const FAKE_RANGE = new SourceRange(new Source(""), 0, 1);

/** A value or constant with the name and the range that a call gave it. */
export class NamedValue {
  readonly range: SourceRange | undefined;
  private readonly givenName: string | undefined;
  private readonly known: Value | undefined;
  private readonly constant: unknown;
  private readonly constantType: Type;

  private constructor(
    known: Value | undefined,
    constant: unknown,
    constantType: Type,
    name?: string,
    range?: SourceRange,
  ) {
    this.known = known;
    this.constant = constant;
    this.constantType = constantType;
    this.givenName = name;
    this.range = range;
  }
  static of(value: Value, name?: string, range?: SourceRange): NamedValue {
    return new NamedValue(value, undefined, value.type, name, range);
  }
  /** A constant of a type; each use inserts it anew, as PyTorch does. */
  static constant(value: unknown, type: Type, name?: string): NamedValue {
    return new NamedValue(undefined, value, constantType(value, type), name);
  }

  get name(): string {
    return this.givenName ?? "";
  }
  get type(): Type {
    return this.known ? this.known.type : this.constantType;
  }
  /** The value; inserts the constant at the insert point. */
  value(graph: Graph): Value {
    return this.known ?? insertConstant(graph, this.constant, this.constantType);
  }
}

/** The type that PyTorch gives a constant where `declared` is asked for: the dynamic type, as an IValue carries it. */
export function constantType(value: unknown, declared: Type): Type {
  if (value === null || value === undefined) return T.NoneT;
  switch (declared.kind) {
    case "Optional":
      return constantType(value, declared.element);
    case "List":
      // a default of `int[2] x=0` stays the number that it is
      return typeof value === "number" || typeof value === "bigint" ? declared.element : declared;
    case "Number":
    case "Any":
    case "Union":
      if (typeof value === "boolean") return T.BoolT;
      if (typeof value === "string") return T.StringT;
      if (value instanceof Complex) return T.ComplexT;
      if (value instanceof Float) return T.FloatT;
      if (typeof value === "bigint") return T.IntT;
      if (typeof value === "number") return Number.isInteger(value) && !Object.is(value, -0) ? T.IntT : T.FloatT;
      return declared;
    default:
      return declared;
  }
}

/** Values of arguments; constants are inserted. */
export function toValues(graph: Graph, args: readonly NamedValue[]): Value[] {
  return args.map((a) => a.value(graph));
}
