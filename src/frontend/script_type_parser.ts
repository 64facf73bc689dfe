/** @file Type expressions and signatures of source code to types and schemas. Upstream: torch/csrc/jit/frontend/script_type_parser.cpp. Spec: spec/grammar.md. */
import { ScriptError } from "../base/errors.ts";
import { Source, SourceRange } from "../base/source_range.ts";
import { argument, schemaText, type Argument, type FunctionSchema } from "../core/schema.ts";
import * as T from "../core/type.ts";
import type { Type } from "../core/type.ts";
import type { Def, Expr, Param, Stmt } from "./ast.ts";
import { evaluateLiteral, mismatchMessage, type ConstantLookup, type TypedConstant } from "./default_value.ts";
import { parseExpression } from "./parser.ts";

/** Finds the types that source code names: classes of the archive, native classes, the caller's own. */
export interface TypeResolver {
  resolveType(name: string, range: SourceRange): Type | undefined;
}

/** Computes default values that are no plain literals; see `setDefaultEvaluator`. */
export type DefaultEvaluator = (
  parser: ScriptTypeParser,
  range: SourceRange,
  types: readonly Expr[],
  values: readonly Expr[],
) => readonly unknown[];

let evaluator: DefaultEvaluator | undefined;
/**
 * Installs what compiles and runs `def defaults() -> Tuple[types]: return values` for defaults such as `2 + 3`. The
 * interpreter lies above this layer; without it such defaults are refused.
 */
export function setDefaultEvaluator(evaluate: DefaultEvaluator): void {
  evaluator = evaluate;
}

const TENSOR_NAMES = [
  "Tensor",
  "LongTensor",
  "FloatTensor",
  "DoubleTensor",
  "IntTensor",
  "ShortTensor",
  "HalfTensor",
  "CharTensor",
  "ByteTensor",
  "BoolTensor",
];

/** Types that need no resolver. Mirrors `basePythonTypes`. */
const BASE_TYPES: ReadonlyMap<string, Type> = new Map<string, Type>([
  ...TENSOR_NAMES.map((name): [string, Type] => [name, T.TensorT]),
  ["int", T.IntT],
  ["float", T.FloatT],
  ["bool", T.BoolT],
  ["complex", T.ComplexT],
  ["str", T.StringT],
  ["Device", T.DeviceT],
  ["Generator", T.GeneratorT],
  ["Stream", T.StreamT],
  ["number", T.NumberT],
  ["None", T.NoneT],
  ["NoneType", T.NoneT],
  ["Any", T.AnyT],
  ["Capsule", T.CapsuleT],
  ["list", T.AnyListT],
  ["tuple", T.AnyTupleT],
]);

/** What Python's resolver makes of names in `torch`: people write them in signatures. */
const TORCH_TYPES: ReadonlyMap<string, Type> = new Map<string, Type>([
  ["torch.device", T.DeviceT],
  ["torch.dtype", T.IntT],
  ["torch.layout", T.IntT],
  ["torch.memory_format", T.IntT],
  ["torch.Generator", T.GeneratorT],
  ["torch.Stream", T.StreamT],
]);

const DICT_KEY_KINDS = new Set(["Any", "Int", "Bool", "Float", "Complex", "String", "Tensor", "Device"]);
const PEP585: Readonly<Record<string, string>> = { list: "List", dict: "Dict", tuple: "Tuple" };
const NODE_NAMES: Readonly<Partial<Record<Expr["kind"], string>>> = {
  Number: "const",
  String: "string_literal",
  Apply: "apply",
  Ternary: "if",
  Starred: "starred",
  Slice: "slice expr",
  List: "list-literal",
  Tuple: "tuple-literal",
  Dict: "dict-literal",
  ListComp: "list comprehension",
  DictComp: "dict comprehension",
  Dots: "dots",
};

/** Parses types and signatures with the names that `resolver` knows. */
export class ScriptTypeParser {
  readonly resolver: TypeResolver | undefined;
  private readonly constants: ConstantLookup | undefined;

  constructor(resolver?: TypeResolver, constants?: ConstantLookup) {
    this.resolver = resolver;
    this.constants = constants;
  }

  /** The type that an annotation means. */
  parseTypeFromExpr(expr: Expr): Type {
    // at the top the resolver goes first, so that a caller's own name hides a builtin one
    const name = this.resolver && (expr.kind === "Var" || expr.kind === "Select") ? baseTypeName(expr) : undefined;
    if (name !== undefined) {
      const type = this.resolver!.resolveType(name, expr.range);
      if (type) return type;
    }
    return this.parseType(expr);
  }

  /** The type that a text means, such as a tag in a pickle. */
  parseTypeText(text: string): Type {
    return this.parseTypeFromExpr(parseExpression(new Source(text)));
  }

  private parseType(expr: Expr): Type {
    if (expr.kind === "Binary" && expr.op === "|") return this.unionOf(unionMembers(expr));
    if (expr.kind === "Subscript") {
      const name = baseTypeName(expr.value);
      if (name === undefined) throw new ScriptError("Subscripted type must be a type identifier", expr.value.range);
      return this.parseSubscript(name, expr);
    }
    if (expr.kind === "String") return this.parseStringType(expr.value, expr.range);
    const name = baseTypeName(expr);
    if (name === undefined) {
      const what = expr.kind === "Binary" || expr.kind === "Unary" ? expr.op : (NODE_NAMES[expr.kind] ?? expr.kind);
      throw new ScriptError(`Expression of type ${what} cannot be used in a type expression`, expr.range);
    }
    const type = BASE_TYPES.get(name) ?? this.resolver?.resolveType(name, expr.range) ?? TORCH_TYPES.get(name);
    if (!type) throw new ScriptError(`Unknown type name '${name}'`, expr.range);
    return type;
  }

  private parseStringType(name: string, range: SourceRange): Type {
    let full = name;
    if (name.startsWith("torch.classes.")) full = `__torch__.${name}`;
    else if (name.startsWith("torch.cuda.Stream") || name.startsWith("torch.cuda.Event"))
      full = `__torch__.torch.classes.cuda.${name.slice(11)}`;
    const type = this.resolver?.resolveType(full, range) ?? BASE_TYPES.get(name);
    if (!type) throw new ScriptError(`Unknown type name '${name}'`, range);
    return type;
  }

  private parseSubscript(name: string, expr: Expr & { kind: "Subscript" }): Type {
    const { indices, range } = expr;
    const element = (): Type => {
      if (indices.length !== 1)
        throw new ScriptError(` expected exactly one element type but found ${indices.length}`, range);
      return this.parseType(indices[0]!);
    };
    switch (PEP585[name] ?? name) {
      case "Tuple": {
        const [first] = indices;
        if (indices.length === 1 && first!.kind === "Tuple") {
          if (first!.elements.length > 0)
            throw new ScriptError("Tuple literal in Tuple type annotation must not have any elements!", first!.range);
          return T.tupleOf([]);
        }
        return T.tupleOf(indices.map((e) => this.parseType(e)));
      }
      case "List":
        return T.listOf(element());
      case "Optional":
        return T.optionalOf(element());
      case "Union":
        return this.unionOf(indices);
      case "Future":
      case "torch.jit.Future":
        return T.futureOf(element());
      case "Await":
        return T.awaitOf(element());
      case "RRef":
        return T.rrefOf(element());
      case "Dict": {
        if (indices.length !== 2)
          throw new ScriptError(` expected exactly 2 element types but found ${indices.length}`, range);
        const key = this.parseType(indices[0]!);
        const value = this.parseType(indices[1]!);
        if (!DICT_KEY_KINDS.has(key.kind)) {
          throw new ScriptError(
            `Cannot create dict for key type '${T.typeStr(key)}', only int, float, complex, Tensor, device and string keys are supported`,
            range,
          );
        }
        return T.dictOf(key, value);
      }
      default:
        throw new ScriptError(`Unknown type constructor ${name}`, range);
    }
  }

  private unionOf(members: readonly Expr[]): Type {
    return T.unionOf(members.map((e) => this.parseType(e)));
  }

  /** `BroadcastingList2[int]`, `_size_2_t` and their Optional: a list type and its length. */
  private parseBroadcastList(expr: Expr): { type: Type; length: number } | undefined {
    if (expr.kind === "Var") {
      const digit = /^_size_(\d)_t$/.exec(expr.name.name)?.[1];
      return digit === undefined ? undefined : { type: T.listOf(T.IntT), length: Number(digit) };
    }
    if (expr.kind !== "Subscript" || expr.value.kind !== "Var") return undefined;
    const name = expr.value.name.name;
    if (name === "Optional") {
      const inner = expr.indices[0] && this.parseBroadcastList(expr.indices[0]);
      return inner && { type: T.optionalOf(inner.type), length: inner.length };
    }
    if (!name.startsWith("BroadcastingList")) return undefined;
    if (expr.indices.length !== 1) {
      throw new ScriptError("BroadcastingList/Optional[BroadcastingList] must be subscripted with a type", expr.range);
    }
    const element = expr.indices[0]!;
    if (element.kind !== "Var") throw new ScriptError("Subscripted type must be a type identifier", expr.value.range);
    const elementName = element.name.name;
    if (elementName !== "float" && elementName !== "int")
      throw new ScriptError("Broadcastable lists only supported for int or float", expr.value.range);
    const digits = name.slice("BroadcastingList".length);
    if (!/^\d*$/.test(digits))
      throw new ScriptError("subscript of Broadcastable list must be a positive integer", subscriptRange(expr));
    return { type: T.listOf(BASE_TYPES.get(elementName)!), length: Number(digits) };
  }

  /** Name, arguments with defaults, and the return type where one is written. `skipSelf` leaves out the first parameter. */
  parseSchemaFromDef(def: Def, skipSelf: boolean): FunctionSchema {
    const params = skipSelf ? def.params.slice(1) : def.params;
    const args = this.parseArguments(def, params);
    const returns = this.parseReturn(def.returnType);
    const schema: FunctionSchema = {
      name: def.name.name,
      overloadName: "",
      args,
      returns,
      isVararg: false,
      isVarret: false,
    };
    let seenDefault = false;
    for (const arg of args) {
      if (arg.hasDefault) seenDefault = true;
      else if (seenDefault && !arg.kwargOnly) {
        throw new ScriptError(
          `Non-default positional argument follows default argument. Parameter ${arg.name} in ${schemaText(schema)}`,
          def.declRange,
        );
      }
    }
    return schema;
  }

  private parseArguments(def: Def, params: readonly Param[]): Argument[] {
    const withDefault = params.filter((p) => p.defaultValue);
    for (const param of withDefault) {
      if (!param.type) {
        throw new ScriptError(
          "Keyword arguments with defaults need to be type-hinted (TorchScript C++ frontend)",
          param.range,
        );
      }
    }
    const types = withDefault.map((p) => p.type!);
    const values = this.evaluateDefaults(
      def.declRange,
      types,
      withDefault.map((p) => p.defaultValue!),
    );
    let next = 0;
    return params.map((param) => {
      const broadcast = param.type && this.parseBroadcastList(param.type);
      const type = broadcast?.type ?? (param.type ? this.parseTypeFromExpr(param.type) : T.InferredTensorT);
      return argument(param.name.name, type, {
        kwargOnly: param.kwargOnly,
        ...(broadcast ? { fixedLength: broadcast.length } : {}),
        ...(param.defaultValue ? { hasDefault: true, defaultValue: values[next++] } : {}),
      });
    });
  }

  private parseReturn(expr: Expr | undefined): Argument[] {
    if (!expr) return [];
    if (this.parseBroadcastList(expr))
      throw new ScriptError("Broadcastable lists cannot appear as a return type", expr.range);
    return [argument("", this.parseTypeFromExpr(expr))];
  }

  /** Values of constant expressions of the given types. */
  evaluateDefaults(range: SourceRange, types: readonly Expr[], values: readonly Expr[]): readonly unknown[] {
    if (values.length === 0) return [];
    const want = types.map((t, i) => this.defaultType(t, values[i]!));
    const found = values.map((v, i): TypedConstant | undefined =>
      evaluateLiteral(v, want[i], (e) => this.parseType(e), this.constants),
    );
    if (found.every((f, i) => f && T.isSubtypeOf(f.type, want[i]!))) return found.map((f) => f!.value);
    if (evaluator) return evaluator(this, range, types, values);
    const unknown = found.findIndex((f) => !f);
    if (unknown >= 0)
      throw new ScriptError(
        "Cannot evaluate default value: it is not a literal, expected a constant",
        values[unknown]!.range,
      );
    throw new ScriptError(
      mismatchMessage(
        want,
        found.map((f) => f!.type),
      ),
      range,
    );
  }

  /** The type of a default: of a broadcast list also a number, which calls repeat. */
  private defaultType(type: Expr, value: Expr): Type {
    const broadcast = this.parseBroadcastList(type)?.type;
    if (broadcast === undefined) return this.parseType(type);
    return broadcast.kind === "List" && value.kind === "Number" ? broadcast.element : broadcast;
  }

  /** Value and type of `name : Final[T] = literal`. */
  parseClassConstant(assign: Stmt & { kind: "Assign" }): TypedConstant {
    const { annotation, value, range } = assign;
    if (assign.targets[0]?.kind !== "Var") throw new ScriptError("Expected to a variable for class constant", range);
    if (!annotation || !value) throw new ScriptError("Expected a type to present for class constant", range);
    if (annotation.kind !== "Subscript") throw new ScriptError("Expected subscripted type for class constant", range);
    const name = baseTypeName(annotation.value);
    if (name === undefined) throw new ScriptError("Subscripted type must be a type identifier", annotation.value.range);
    if (name !== "Final") throw new ScriptError("Base type must be Final for class constant", annotation.range);
    const { indices } = annotation;
    if (indices.length !== 1)
      throw new ScriptError(` expected exactly one element type but found ${indices.length}`, annotation.range);
    const [constant] = this.evaluateDefaults(value.range, indices, [value]);
    return { value: constant, type: this.parseType(indices[0]!) };
  }
}

/** From `[` to the end of the last index: the range of the list of indices. */
function subscriptRange({ value, range }: Expr & { kind: "Subscript" }): SourceRange {
  return new SourceRange(range.source, range.source.text.indexOf("[", value.range.end), range.end - 1);
}

/** `X`, `a.b.X`, `torch.Tensor` (as `Tensor`), None; undefined for anything else. */
export function baseTypeName(expr: Expr): string | undefined {
  switch (expr.kind) {
    case "Var":
      return expr.name.name;
    case "None":
      return "None";
    case "Select": {
      const base = baseTypeName(expr.value);
      const name = expr.selector.name;
      if (base === undefined || expr.value.kind === "None") return undefined;
      return base === "torch" && TENSOR_NAMES.includes(name) ? name : `${base}.${name}`;
    }
    default:
      return undefined;
  }
}

/** The members of `a | b | c`. */
function unionMembers(expr: Expr): Expr[] {
  return expr.kind === "Binary" && expr.op === "|" ? [...unionMembers(expr.left), ...unionMembers(expr.right)] : [expr];
}
