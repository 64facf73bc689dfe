/** @file Parser of TorchScript statements, functions and classes. Upstream: torch/csrc/jit/frontend/parser.cpp. Spec: spec/grammar.md. */
import { keepShape } from "../base/shapes.ts";
import { ScriptError } from "../base/errors.ts";
import type { LimitOverrides } from "../base/limits.ts";
import { Source, type SourceRange } from "../base/source_range.ts";
import type { BinaryOperator, ClassDef, Def, Expr, Param, Stmt, WithItem } from "./ast.ts";
import { plainClassLine } from "./class_line.ts";
import { DeferredDef, type ParsePart } from "./deferred_def.ts";
import { endOfBlock } from "./lexer.ts";
import { ExpressionParser, widen, widenAll, type Ranged, type RangedList } from "./parser_expression.ts";
import { LHS_PRECEDENCE, tokenName, type TokenKind } from "./tokens.ts";

/** Parameters and return type: of a `def` line or of a type comment. */
interface Decl extends Ranged {
  readonly params: readonly Param[];
  readonly returnType: Expr | undefined;
  /** Range of the return type, or of what stands where it would be. */
  readonly returnRange: SourceRange;
}

const AUGMENTED: Readonly<Partial<Record<TokenKind, BinaryOperator>>> = {
  "+=": "+",
  "-=": "-",
  "*=": "*",
  "/=": "/",
  "%=": "%",
  "|=": "|",
  "&=": "&",
  "^=": "^",
  "<<=": "<<",
  ">>=": ">>",
  "**=": "**",
};

/** Parses one source; the caller asks for what it expects next. */
export class Parser extends ExpressionParser {
  /** Of functions at the top and in classes only the name is read; see DeferredDef. */
  defersBodies = false;

  /** A `def` with its body. `isMethod`: a type comment leaves out `self`. */
  parseFunction(isMethod: boolean): Def {
    const deferred = this.defersBodies ? this.deferFunction(isMethod) : undefined;
    if (deferred) return deferred;
    this.lexer.expect("def");
    const name = this.parseIdent();
    let decl = this.parseDecl();
    let body: RangedList<Stmt>;
    if (this.lexer.nextIf("indent")) {
      if (this.kind() === "# type:") {
        const types = this.parseTypeComment();
        this.lexer.expect("newline");
        decl = mergeTypeComment(decl, types, isMethod);
      }
      body = this.parseStatements(false);
    } else {
      // one statement on the line of the def
      if (this.kind() === "# type:") decl = mergeTypeComment(decl, this.parseTypeComment(), isMethod);
      const stmt = this.parseStatement(isMethod);
      body = { items: [stmt], range: widen(this.here(), stmt) };
    }
    const { params, returnType, range: declRange } = decl;
    return { name, params, returnType, body: body.items, declRange, range: widen(name.range, decl, body) };
  }

  /** Passes over a `def` with its body; undefined, and nothing is taken, where its text does not show plainly where it ends. */
  private deferFunction(isMethod: boolean): Def | undefined {
    const { lexer } = this;
    const { text } = lexer.source;
    const { start: at } = lexer.cur();
    const name = lexer.lookahead();
    const start = text.lastIndexOf("\n", at - 1) + 1;
    if (lexer.cur().kind !== "def" || name.kind !== "ident" || text.slice(start, at).trim() !== "") return undefined;
    const end = endOfBlock(text, at, at - start);
    if (end === undefined) return undefined;
    const ident = { name: lexer.textOf(name), range: lexer.rangeOf(name) };
    lexer.jumpTo(end);
    return new DeferredDef(ident, start, end, this.limits, isMethod ? parseMethodIn : parseFunctionIn);
  }

  /** A `class` with its body. */
  parseClass(): ClassDef {
    this.lexer.expect("class");
    const name = this.parseIdent();
    let superclass: Expr | undefined;
    if (this.lexer.nextIf("(")) {
      superclass = this.parseExp();
      this.lexer.expect(")");
    }
    this.lexer.expect(":");
    const body = this.parseStatements(true, true);
    return { name, superclass, body: body.items, range: widen(name.range, superclass, body) };
  }

  private parseDecl(): Decl {
    const at = this.here();
    const params: Param[] = [];
    let kwargOnly = false;
    this.parseSequence("(", ",", ")", () => {
      if (!kwargOnly && this.lexer.nextIf("*")) kwargOnly = true;
      else params.push(this.parseFormalParam(kwargOnly));
    });
    const range = widenAll(at, params);
    const { returnType, range: returnRange } = this.parseReturnType();
    this.lexer.expect(":");
    return { params, returnType, returnRange, range: widen(range, { range: returnRange }) };
  }

  private parseReturnType(): { returnType: Expr | undefined; range: SourceRange } {
    if (!this.lexer.nextIf("->")) return { returnType: undefined, range: this.here() };
    const at = this.here();
    const returnType = this.parseExp();
    return { returnType, range: widen(at, returnType) };
  }

  private parseFormalParam(kwargOnly: boolean): Param {
    const name = this.parseIdent();
    const { type, range } = this.parseAnnotation();
    let defaultValue: Expr | undefined;
    let defaultRange: SourceRange;
    if (this.lexer.nextIf("=")) {
      defaultValue = this.parseExp();
      defaultRange = defaultValue.range;
    } else defaultRange = this.here();
    return { name, type, defaultValue, kwargOnly, range: widen(range, name, { range: defaultRange }) };
  }

  private parseAnnotation(): { type: Expr | undefined; range: SourceRange } {
    if (!this.lexer.nextIf(":")) return { type: undefined, range: this.here() };
    const type = this.parseExp();
    return { type, range: type.range };
  }

  /** `# type: (int, Tensor) -> int`. */
  parseTypeComment(): Decl {
    const at = this.here();
    this.lexer.expect("# type:");
    const params = this.parseList("(", ",", ")", (): Param => {
      const type = this.parseExp();
      return {
        name: { name: "", range: type.range },
        type,
        defaultValue: undefined,
        kwargOnly: false,
        range: type.range,
      };
    });
    const { returnType, range: returnRange } = this.parseReturnType();
    return { params: params.items, returnType, returnRange, range: widen(at, params, { range: returnRange }) };
  }

  private parseStatements(expectIndent: boolean, inClass = false): RangedList<Stmt> {
    const at = this.here();
    if (expectIndent) this.lexer.expect("indent");
    this.enter();
    const items: Stmt[] = [];
    do {
      items.push(this.parseStatement(inClass));
    } while (!this.lexer.nextIf("dedent"));
    this.leave();
    return { items, range: widenAll(at, items) };
  }

  /** One statement. `inClass`: of a class's body. */
  parseStatement(inClass: boolean): Stmt {
    const { lexer } = this;
    const token = lexer.cur();
    if (inClass && this.defersBodies && token.kind === "ident") {
      const { source } = lexer;
      const line = plainClassLine(source, token.start, (end) =>
        parseStatementIn(source, this.limits, token.start, end),
      );
      if (line) {
        lexer.jumpTo(line.end);
        return line.stmt;
      }
    }
    switch (token.kind) {
      case "if":
        return this.parseIf(true);
      case "while":
        return this.parseWhile();
      case "for":
        return this.parseFor();
      case "with":
        return this.parseWith();
      case "def": {
        const def = this.parseFunction(inClass);
        return { kind: "Def", def, range: def.range };
      }
      case "global": {
        lexer.next();
        const names = this.parseList(undefined, ",", undefined, () => this.parseIdent());
        lexer.expect("newline");
        throw new ScriptError("Unrecognized statement kind global", widen(lexer.rangeOf(token), names));
      }
      case "return":
      case "raise":
      case "assert":
      case "break":
      case "continue":
      case "pass":
      case "del": {
        lexer.next();
        const stmt = this.parseSimple(token.kind, lexer.rangeOf(token));
        lexer.expect("newline");
        return stmt;
      }
      default: {
        const left = this.parseExpOrTuple();
        if (this.kind() !== "newline") return this.parseAssign(left);
        lexer.expect("newline");
        return { kind: "ExprStmt", expr: left, range: left.range };
      }
    }
  }

  /** A statement of one line that begins with a keyword, up to its end. */
  private parseSimple(
    keyword: "return" | "raise" | "assert" | "break" | "continue" | "pass" | "del",
    at: SourceRange,
  ): Stmt {
    switch (keyword) {
      case "return": {
        const value: Expr = this.kind() === "newline" ? { kind: "None", range: at } : this.parseExpOrTuple();
        return { kind: "Return", value, range: widen(at, value) };
      }
      case "raise": {
        const value = this.parseExp();
        return { kind: "Raise", value, range: widen(at, value) };
      }
      case "assert": {
        const test = this.parseExp();
        const message = this.lexer.nextIf(",") ? this.parseExp() : undefined;
        return { kind: "Assert", test, message, range: widen(at, test, message) };
      }
      case "del": {
        const targets = this.parseList(undefined, ",", undefined, () => this.parseExp());
        return { kind: "Delete", targets: targets.items, range: widen(at, targets) };
      }
      case "break":
        return { kind: "Break", range: at };
      case "continue":
        return { kind: "Continue", range: at };
      case "pass":
        return { kind: "Pass", range: at };
    }
  }

  /** `left` has been parsed; an annotation, `=` or an augmented assignment follows. */
  private parseAssign(left: Expr): Stmt {
    const { lexer } = this;
    const { type, range: typeRange } = this.parseAnnotation();
    const operator = lexer.cur();
    const op = AUGMENTED[operator.kind];
    if (op) {
      lexer.next();
      const value = this.parseExpOrTuple();
      lexer.expect("newline");
      if (left.kind === "Tuple")
        throw new ScriptError(" augmented assignment can only have one LHS expression", left.range);
      return {
        kind: "AugAssign",
        target: left,
        op,
        value,
        range: widen(left.range, { range: lexer.rangeOf(operator) }, value),
      };
    }
    const targets = [left];
    let value: Expr | undefined;
    if (lexer.nextIf("=")) {
      value = this.parseExpOrTuple();
      while (lexer.nextIf("=")) {
        targets.push(value);
        value = this.parseExpOrTuple();
      }
      if (type && targets.length > 1)
        throw new ScriptError("Annotated multiple assignment is not supported in python", type.range);
    } else if (!type) lexer.expected(tokenName("newline"));
    lexer.expect("newline");
    return {
      kind: "Assign",
      targets,
      value,
      annotation: type,
      range: widen(widenAll(left.range, targets), value, { range: typeRange }),
    };
  }

  private parseIf(expectIf: boolean): Stmt {
    const { lexer } = this;
    const at = this.here();
    if (expectIf) lexer.expect("if");
    const condition = this.parseExp();
    lexer.expect(":");
    const then = this.parseStatements(true);
    let otherwise: RangedList<Stmt> = { items: [], range: this.here() };
    if (lexer.nextIf("else")) {
      lexer.expect(":");
      otherwise = this.parseStatements(true);
    } else if (lexer.nextIf("elif")) {
      const range = this.here();
      this.enter();
      const stmt = this.parseIf(false);
      this.leave();
      otherwise = { items: [stmt], range: widen(range, stmt) };
    }
    return {
      kind: "If",
      condition,
      then: then.items,
      otherwise: otherwise.items,
      range: widen(at, condition, then, otherwise),
    };
  }

  private parseWhile(): Stmt {
    const at = this.here();
    this.lexer.expect("while");
    const condition = this.parseExp();
    this.lexer.expect(":");
    const body = this.parseStatements(true);
    return { kind: "While", condition, body: body.items, range: widen(at, condition, body) };
  }

  private parseFor(): Stmt {
    const at = this.here();
    this.lexer.expect("for");
    const targets = this.parseList(undefined, ",", "in", () => this.parseExp(LHS_PRECEDENCE));
    const iters = this.parseList(undefined, ",", ":", () => this.parseExp());
    const body = this.parseStatements(true);
    return {
      kind: "For",
      targets: targets.items,
      iters: iters.items,
      body: body.items,
      range: widen(at, targets, iters, body),
    };
  }

  private parseWith(): Stmt {
    const at = this.here();
    this.lexer.expect("with");
    const items = this.parseList(undefined, ",", ":", () => this.parseWithItem());
    const body = this.parseStatements(true);
    return { kind: "With", items: items.items, body: body.items, range: widen(at, items, body) };
  }

  private parseWithItem(): WithItem {
    const value = this.parseExp();
    const at = this.here();
    if (!this.lexer.nextIf("as")) return { value, target: undefined, range: value.range };
    const name = this.parseIdent();
    return { value, target: { kind: "Var", name, range: name.range }, range: widen(at, value, name) };
  }
}

/** The declaration with the types of a type comment. */
function mergeTypeComment(decl: Decl, types: Decl, isMethod: boolean): Decl {
  const skipped = isMethod ? 1 : 0;
  const expected = decl.params.length - skipped;
  if (expected !== types.params.length) {
    throw new ScriptError(
      `Number of type annotations (${types.params.length}) did not match the number of ${isMethod ? "method" : "function"} parameters (${expected})`,
      decl.range,
    );
  }
  const params = decl.params.map((param, i): Param => {
    const typed = types.params[i - skipped];
    return typed && i >= skipped ? { ...param, type: typed.type, range: widen(param.range, typed) } : param;
  });
  const { returnType, returnRange } = types;
  return { params, returnType, returnRange, range: widen(widenAll(decl.range, params), { range: returnRange }) };
}

/** All functions of a text that consists of functions only: `CompilationUnit(text)`, `module.define(text)`. */
export function parseDefinitions(source: Source, isMethod: boolean, limits?: LimitOverrides): Def[] {
  const parser = new Parser(source, limits);
  const defs: Def[] = [];
  while (parser.lexer.cur().kind !== "eof") defs.push(parser.parseFunction(isMethod));
  return defs;
}

/** A single expression, such as the text of a type. What follows it is not looked at, as in torch. */
export function parseExpression(source: Source, limits?: LimitOverrides): Expr {
  return new Parser(source, limits).parseExp();
}

/** The statement of a class body in a part of a source. */
export function parseStatementIn(source: Source, limits: LimitOverrides | undefined, start: number, end: number): Stmt {
  return new Parser(source, limits, start, end).parseStatement(true);
}

/** The method in a part of a source. */
export const parseMethodIn: ParsePart = (source, limits, start, end) =>
  new Parser(source, limits, start, end).parseFunction(true);

const parseFunctionIn: ParsePart = (source, limits, start, end) =>
  new Parser(source, limits, start, end).parseFunction(false);

keepShape(new Parser(new Source("pass\n"))); // with a lexer and a token
