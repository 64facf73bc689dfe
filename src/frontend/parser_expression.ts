/** @file Parser of TorchScript expressions, with the ranges that PyTorch gives them. Upstream: torch/csrc/jit/frontend/parser.cpp. Spec: spec/grammar.md.
 *
 * Note [Tree ranges]: PyTorch makes a node with the range of one token and widens it to the ranges of all subtrees,
 * absent ones included: an absent default or annotation has the range of the token that stands there instead. The start
 * of a range is printed by `graph`, start and end are saved in debug records, so every widening is mirrored here. */
import { ScriptError } from "../base/errors.ts";
import { LIMITS, checkLimit, type LimitOverrides } from "../base/limits.ts";
import { SourceRange, type Source } from "../base/source_range.ts";
import type { BinaryOperator, Expr, Ident, KeywordArgument } from "./ast.ts";
import { Lexer } from "./lexer.ts";
import { parseStringLiteral } from "./string_literal.ts";
import { LHS_PRECEDENCE, binaryPrecedence, isRightAssociative, unaryPrecedence, type TokenKind } from "./tokens.ts";

/** Anything with a range. */
export interface Ranged {
  readonly range: SourceRange;
}

/** `range` widened to the ranges of all parts. See Note [Tree ranges]. */
export function widen(range: SourceRange, ...parts: readonly (Ranged | undefined)[]): SourceRange {
  return widenAll(range, parts);
}
/** `widen` for a list of parts. */
export function widenAll(range: SourceRange, parts: readonly (Ranged | undefined)[]): SourceRange {
  let { start, end } = range;
  for (const part of parts) {
    if (!part) continue;
    if (part.range.start < start) start = part.range.start;
    if (part.range.end > end) end = part.range.end;
  }
  return start === range.start && end === range.end ? range : new SourceRange(range.source, start, end);
}

/** A list with the range that PyTorch gives it. */
export interface RangedList<T> extends Ranged {
  readonly items: readonly T[];
}

const AFTER_TUPLE = new Set<TokenKind>([
  "+=",
  "-=",
  "*=",
  "/=",
  "%=",
  "|=",
  "&=",
  "^=",
  "<<=",
  ">>=",
  "**=",
  "newline",
  "=",
  ")",
]);

/** Parses expressions; the base of `Parser`. */
export class ExpressionParser {
  readonly lexer: Lexer;
  protected readonly limits: LimitOverrides | undefined;
  private depth = 0;

  /** @param start see Lexer. */
  constructor(source: Source, limits?: LimitOverrides, start = 0, end = source.text.length) {
    this.lexer = new Lexer(source, start, end);
    this.limits = limits;
  }

  /** Counts nesting: the parser and all who walk the tree recurse. */
  protected enter(levels = 1): void {
    this.depth += levels;
    if (this.depth > (this.limits?.maxSourceDepth ?? LIMITS.maxSourceDepth))
      checkLimit("maxSourceDepth", this.depth, "source: nested constructs", this.limits);
  }
  protected leave(levels = 1): void {
    this.depth -= levels;
  }

  protected here(): SourceRange {
    return this.lexer.rangeOf(this.lexer.cur());
  }
  protected kind(): TokenKind {
    return this.lexer.cur().kind;
  }

  parseIdent(): Ident {
    const token = this.lexer.expect("ident");
    return { name: this.lexer.textOf(token), range: this.lexer.rangeOf(token) };
  }

  /** One expression: everything but a bare tuple. */
  parseExp(precedence = 0): Expr {
    this.enter();
    let expr = this.parsePrefix();
    let chain = 0;
    for (;;) {
      const kind = this.kind();
      const strength = binaryPrecedence(kind);
      if (strength === 0 || strength <= precedence) break;
      const range = this.here();
      this.lexer.next();
      this.enter();
      chain++;
      expr = this.parseOperator(kind, expr, range, isRightAssociative(kind) ? strength - 1 : strength);
    }
    this.leave(chain + 1);
    return expr;
  }

  /** The operator and right side behind `left`. */
  private parseOperator(kind: TokenKind, left: Expr, at: SourceRange, precedence: number): Expr {
    switch (kind) {
      case "not in": {
        const right = this.parseExp(precedence);
        const range = widen(at, left, right);
        return { kind: "Unary", op: "not", operand: { kind: "Binary", op: "in", left, right, range }, range };
      }
      case "if": {
        const condition = this.parseExp();
        this.lexer.expect("else");
        const no = this.parseExp(precedence);
        return { kind: "Ternary", condition, yes: left, no, range: widen(at, condition, left, no) };
      }
      case "for": {
        const target = this.parseExp(LHS_PRECEDENCE);
        this.lexer.expect("in");
        const iter = this.parseExp();
        return { kind: "ListComp", element: left, target, iter, range: widen(at, left, target, iter) };
      }
      default: {
        const right = this.parseExp(precedence);
        return { kind: "Binary", op: kind as BinaryOperator, left, right, range: widen(at, left, right) };
      }
    }
  }

  private parsePrefix(): Expr {
    const kind = this.kind();
    const strength = unaryPrecedence(kind);
    if (strength === undefined) return this.parseBase();
    const at = this.here();
    this.lexer.next();
    const operand = this.parseExp(strength);
    if (kind === "*") return { kind: "Starred", value: operand, range: widen(at, operand) };
    // negative literals are one node, with the range of the digits
    if (kind === "-" && operand.kind === "Number") return { ...operand, text: `-${operand.text}` };
    return { kind: "Unary", op: kind as "-" | "not" | "~", operand, range: widen(at, operand) };
  }

  /** `a`, `a,` or `a, b`. */
  parseExpOrTuple(): Expr {
    const first = this.parseExp();
    if (this.kind() !== ",") return first;
    const elements = [first];
    while (this.lexer.nextIf(",")) {
      if (AFTER_TUPLE.has(this.kind())) break;
      elements.push(this.parseExp());
    }
    return { kind: "Tuple", elements, range: widenAll(first.range, elements) };
  }

  /** An atom and what is appended to it: attributes, calls, subscripts. */
  private parseBase(): Expr {
    let expr = this.parseAtom();
    let chain = 0;
    for (;;) {
      if (this.lexer.nextIf(".")) {
        const selector = this.parseIdent();
        expr = { kind: "Select", value: expr, selector, range: widen(selector.range, expr) };
      } else if (this.kind() === "(") expr = this.parseApply(expr);
      else if (this.kind() === "[") expr = this.parseSubscript(expr);
      else break;
      this.enter();
      chain++;
    }
    this.leave(chain);
    return expr;
  }

  private parseAtom(): Expr {
    const { lexer } = this;
    const token = lexer.cur();
    const range = lexer.rangeOf(token);
    switch (token.kind) {
      case "number":
        lexer.next();
        return { kind: "Number", text: lexer.textOf(token), range };
      case "True":
      case "False":
      case "None":
        lexer.next();
        return { kind: token.kind, range };
      case "NoneType":
        lexer.next();
        return { kind: "None", range };
      case "Ellipsis":
      case "...":
        lexer.next();
        return { kind: "Dots", range };
      case "(": {
        lexer.next();
        // the empty tuple has the range of what follows it, as in torch
        if (lexer.nextIf(")")) return { kind: "Tuple", elements: [], range: this.here() };
        const inner = this.parseExpOrTuple();
        lexer.expect(")");
        return inner;
      }
      case "[":
        return this.parseListLiteral();
      case "{":
        return this.parseDictLiteral();
      case "string_literal":
        return this.parseStrings(range);
      default: {
        const name = this.parseIdent();
        return { kind: "Var", name, range: name.range };
      }
    }
  }

  private parseStrings(range: SourceRange): Expr {
    let value = "";
    while (this.kind() === "string_literal") {
      const token = this.lexer.cur();
      value += parseStringLiteral(this.lexer.textOf(token), this.lexer.rangeOf(token));
      this.lexer.next();
    }
    return { kind: "String", value, range };
  }

  private parseListLiteral(): Expr {
    const { items: elements, range } = this.parseList("[", ",", "]", () => this.parseExp());
    const [first] = elements;
    if (elements.length === 1 && first!.kind === "ListComp") return first!;
    if (elements.some((e) => e.kind === "ListComp")) {
      throw new ScriptError(" expected a single list comprehension within '[' , ']'", range);
    }
    return { kind: "List", elements, range };
  }

  private parseDictLiteral(): Expr {
    this.lexer.next();
    const at = this.here();
    const keys: Expr[] = [];
    const values: Expr[] = [];
    let comprehension: (Expr & { kind: "ListComp" }) | undefined;
    if (this.kind() !== "}") {
      do {
        keys.push(this.parseExp());
        this.lexer.expect(":");
        const { kind, start } = this.lexer.cur();
        const value = this.parseExp();
        // in `{k: [v for v in x]}` the brackets lie outside the range of the list comprehension
        if (value.kind === "ListComp" && !(kind === "[" && start < value.range.start)) comprehension = value;
        values.push(value);
      } while (this.lexer.nextIf(","));
    }
    this.lexer.expect("}");
    if (keys.length === 1 && comprehension) {
      const { element: value, target, iter } = comprehension;
      return { kind: "DictComp", key: keys[0]!, value, target, iter, range: widen(at, keys[0]!, value, target, iter) };
    }
    return { kind: "Dict", keys, values, range: widenAll(widenAll(at, keys), values) };
  }

  private parseApply(callee: Expr): Expr {
    const at = this.here();
    const args: Expr[] = [];
    const kwargs: KeywordArgument[] = [];
    this.parseSequence("(", ",", ")", () => {
      if (this.kind() === "ident" && this.lexer.lookahead().kind === "=") {
        const name = this.parseIdent();
        this.lexer.expect("=");
        const value = this.parseExp();
        kwargs.push({ name, value, range: widen(name.range, value) });
      } else args.push(this.parseExp());
    });
    return { kind: "Apply", callee, args, kwargs, range: widenAll(widenAll(widen(at, callee), args), kwargs) };
  }

  private parseSubscript(value: Expr): Expr {
    const at = this.here();
    const { items: indices, range } = this.parseList("[", ",", "]", () => this.parseSubscriptItem());
    return {
      kind: "Subscript",
      value,
      indices,
      range: widen(new SourceRange(at.source, at.start, range.end + 1), value),
    };
  }

  /** An index or one of `a:b`, `a:b:c` with any part left out. */
  private parseSubscriptItem(): Expr {
    const at = this.here();
    const start = this.kind() === ":" ? undefined : this.parseExp();
    if (!this.lexer.nextIf(":")) return start!;
    const isPart = (kind: TokenKind): boolean => kind !== "," && kind !== "]";
    const end = isPart(this.kind()) && this.kind() !== ":" ? this.parseExp() : undefined;
    const step = this.lexer.nextIf(":") && isPart(this.kind()) ? this.parseExp() : undefined;
    return { kind: "Slice", start, end, step, range: widen(at, start, end, step) };
  }

  /** Items up to `end`; undefined for `begin` or `end`: the list just starts, or stops where no separator follows. */
  protected parseSequence(
    begin: TokenKind | undefined,
    separator: TokenKind,
    end: TokenKind | undefined,
    parse: () => void,
  ): void {
    if (begin) this.lexer.expect(begin);
    while (this.kind() !== end) {
      parse();
      if (!this.lexer.nextIf(separator)) {
        if (end) this.lexer.expect(end);
        return;
      }
    }
    if (end) this.lexer.expect(end);
  }

  protected parseList<T extends Ranged>(
    begin: TokenKind | undefined,
    separator: TokenKind,
    end: TokenKind | undefined,
    parse: () => T,
  ): RangedList<T> {
    const at = this.here();
    const items: T[] = [];
    this.parseSequence(begin, separator, end, () => items.push(parse()));
    return { items, range: widenAll(at, items) };
  }
}
