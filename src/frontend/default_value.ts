/** @file Literals as values: defaults of parameters and fields, class constants. Upstream: torch/csrc/jit/frontend/script_type_parser.cpp (evaluateDefaults). Spec: spec/grammar.md. */
import type { SourceRange } from "../base/source_range.ts";
import { dictKey, toDynamic, isDynamicType } from "../core/ivalue.ts";
import * as T from "../core/type.ts";
import type { Type } from "../core/type.ts";
import { Complex } from "../tensor/scalar.ts";
import { Device } from "../tensor/tensor.ts";
import type { Expr } from "./ast.ts";
import { parseNumber } from "./string_literal.ts";

/** A value in the static form of its type. */
export interface TypedConstant {
  readonly value: unknown;
  readonly type: Type;
}

/** Meaning of names that stand for constants: `inf`, `CONSTANTS.c0`, members of enums. */
export type ConstantLookup = (name: string, range: SourceRange) => TypedConstant | undefined;

/** torch's message for defaults of another type than declared: they are the return value of a function there. */
export function mismatchMessage(want: readonly Type[], found: readonly Type[]): string {
  const text = (types: readonly Type[]): string => T.typeReprStr(T.tupleOf(types));
  return `Return value was annotated as having type ${text(want)} but is actually of type ${text(found)}`;
}

/**
 * The value of a literal, or undefined where the expression is none. `hint` is the type that is asked for: it decides
 * the type of empty lists, and int, float and container values come in its form.
 */
export function evaluateLiteral(
  expr: Expr,
  hint: Type | undefined,
  parseType: (expr: Expr) => Type,
  constants?: ConstantLookup,
): TypedConstant | undefined {
  const found = literal(expr, hint, parseType, constants);
  if (!found || !hint || !isDynamicType(hint) || isDynamicType(found.type)) return found;
  return T.isSubtypeOf(found.type, hint) ? { value: toDynamic(found.value, found.type), type: hint } : found;
}

function literal(
  expr: Expr,
  hint: Type | undefined,
  parseType: (expr: Expr) => Type,
  constants: ConstantLookup | undefined,
): TypedConstant | undefined {
  const evaluate = (e: Expr, h?: Type): TypedConstant | undefined => evaluateLiteral(e, h, parseType, constants);
  const want = hint?.kind === "Optional" ? hint.element : hint;
  switch (expr.kind) {
    case "Number":
      return numberConstant(expr.text, want, expr.range);
    case "String":
      return { value: expr.value, type: T.StringT };
    case "True":
    case "False":
      // a bool is an int in Python; the emitter converts it where an int is asked for
      return want?.kind === "Int"
        ? { value: expr.kind === "True" ? 1 : 0, type: T.IntT }
        : { value: expr.kind === "True", type: T.BoolT };
    case "None":
      return { value: null, type: T.NoneT };
    case "Unary":
      return expr.op === "-" ? negated(evaluate(expr.operand, want)) : undefined;
    case "Binary":
      return expr.op === "+" || expr.op === "-"
        ? complexSum(expr.op, evaluate(expr.left), evaluate(expr.right))
        : undefined;
    case "Tuple": {
      const hints = want?.kind === "Tuple" ? want.elements : [];
      const parts = complete(expr.elements.map((e, i) => evaluate(e, hints[i])));
      if (!parts) return undefined;
      return { value: parts.map((p) => p.value), type: T.tupleOf(parts.map((p) => p.type)) };
    }
    case "List": {
      const element = want?.kind === "List" ? want.element : undefined;
      const parts = complete(expr.elements.map((e) => evaluate(e, element)));
      if (!parts) return undefined;
      const type =
        parts.length === 0 || (element && parts.every((p) => T.isSubtypeOf(p.type, element)))
          ? element
          : T.unifyTypeList(parts.map((p) => p.type));
      return { value: parts.map((p) => p.value), type: T.listOf(type ?? T.TensorT) };
    }
    case "Dict":
      return dictConstant(expr, want, evaluate);
    case "Var":
      return constants?.(expr.name.name, expr.range);
    case "Select": {
      const name = dottedName(expr);
      return name === undefined ? undefined : constants?.(name, expr.range);
    }
    case "Apply":
      return callConstant(expr, parseType, evaluate);
    default:
      return undefined;
  }
}

type Evaluate = (expr: Expr, hint?: Type) => TypedConstant | undefined;

/** The parts if all of them are there. */
function complete(parts: readonly (TypedConstant | undefined)[]): TypedConstant[] | undefined {
  const found = parts.filter((p) => p !== undefined);
  return found.length === parts.length ? found : undefined;
}

function numberConstant(text: string, want: Type | undefined, range: SourceRange): TypedConstant {
  const number = parseNumber(text, range);
  if (number.kind === "complex") return { value: new Complex(0, number.imag), type: T.ComplexT };
  if (number.kind === "float") return { value: number.value, type: T.FloatT };
  // torch prints 1e10 as 10000000000 and then refuses to read it as the float it is: read it
  if (want?.kind === "Float" && Math.abs(Number(number.value)) >= 1e10)
    return { value: Number(number.value), type: T.FloatT };
  return { value: number.value, type: T.IntT };
}

function negated(found: TypedConstant | undefined): TypedConstant | undefined {
  if (!found) return undefined;
  const { value, type } = found;
  if (typeof value === "number") return { value: type.kind === "Int" && value === 0 ? 0 : -value, type };
  if (typeof value === "bigint") return { value: -value, type };
  return value instanceof Complex ? { value: new Complex(-value.re, -value.im), type } : undefined;
}

/** `1.5+2j`: how complex constants are printed. */
function complexSum(
  op: "+" | "-",
  left: TypedConstant | undefined,
  right: TypedConstant | undefined,
): TypedConstant | undefined {
  if (typeof left?.value !== "number" || !(right?.value instanceof Complex)) return undefined;
  const sign = op === "-" ? -1 : 1;
  return { value: new Complex(left.value + sign * right.value.re, sign * right.value.im), type: T.ComplexT };
}

function dictConstant(
  expr: Expr & { kind: "Dict" },
  want: Type | undefined,
  evaluate: Evaluate,
): TypedConstant | undefined {
  const hint = want?.kind === "Dict" ? want : undefined;
  const keys = complete(expr.keys.map((k) => evaluate(k, hint?.key)));
  const values = complete(expr.values.map((v) => evaluate(v, hint?.value)));
  if (!keys || !values) return undefined;
  const map = new Map(keys.map((k, i) => [dictKey(k.value), values[i]!.value]));
  if (keys.length === 0) return { value: map, type: T.dictOf(T.StringT, T.TensorT) };
  const key = T.unifyTypeList(keys.map((k) => k.type));
  const value =
    hint && values.every((v) => T.isSubtypeOf(v.type, hint.value))
      ? hint.value
      : T.unifyTypeList(values.map((v) => v.type));
  return key && value ? { value: map, type: T.dictOf(key, value) } : undefined;
}

/** `annotate(T, literal)`, `torch.device("cpu")`. */
function callConstant(
  expr: Expr & { kind: "Apply" },
  parseType: (expr: Expr) => Type,
  evaluate: Evaluate,
): TypedConstant | undefined {
  const callee = dottedName(expr.callee);
  const [first, second] = expr.args;
  if (expr.kwargs.length > 0 || !first) return undefined;
  if ((callee === "annotate" || callee === "torch.jit.annotate") && second) {
    const type = parseType(first);
    if (second.kind === "Dict" && second.keys.length === 0 && type.kind === "Dict") return { value: new Map(), type };
    const found = evaluate(second, type);
    return found && T.isSubtypeOf(found.type, type) ? { value: found.value, type } : undefined;
  }
  if (callee === "torch.device" && first.kind === "String" && expr.args.length === 1) {
    const parts = /^([a-z_]+)(?::(\d+))?$/.exec(first.value);
    return parts
      ? { value: new Device(parts[1]!, parts[2] === undefined ? undefined : Number(parts[2])), type: T.DeviceT }
      : undefined;
  }
  return undefined;
}

/** `a.b.c` of names, or undefined. */
export function dottedName(expr: Expr): string | undefined {
  if (expr.kind === "Var") return expr.name.name;
  if (expr.kind !== "Select") return undefined;
  const base = dottedName(expr.value);
  return base === undefined ? undefined : `${base}.${expr.selector.name}`;
}
