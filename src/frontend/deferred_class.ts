/** @file DeferredClass: a class whose body is only parsed when somebody looks at more than its header. Upstream: none (PyTorch parses whole files). Spec: spec/grammar.md. */
import type { LimitOverrides } from "../base/limits.ts";
import { SourceRange, type Source } from "../base/source_range.ts";
import type { ClassDef, Expr, Ident, Stmt } from "./ast.ts";
import { plainClassLine } from "./class_line.ts";
import { DeferredDef } from "./deferred_def.ts";
import { Parser, parseMethodIn, parseStatementIn } from "./parser.ts";
import { wordKind } from "./tokens.ts";

const HEADER = /class ([A-Za-z_]\w*)(?:\(([A-Za-z_]\w*)\))?:\n(?= )/y;
/** The end of the line before one that begins at the margin with anything but a comment. */
const MARGIN = /\n(?=[^\s#])/g;
const DEFINITION = /(?:class|def) /y;

/** A `ClassDef` that parses its body itself. Errors in its text show then. */
export class DeferredClass implements ClassDef {
  readonly name: Ident;
  readonly superclass: Expr | undefined;
  readonly range: SourceRange;
  private readonly parse: () => readonly Stmt[];
  private known: readonly Stmt[] | undefined;

  /** @param start of the line of `class`. @param bodyStart of the line after it. @param end of its last line. */
  constructor(
    name: Ident,
    superclass: Expr | undefined,
    start: number,
    bodyStart: number,
    end: number,
    limits: LimitOverrides | undefined,
  ) {
    const { source } = name.range;
    this.name = name;
    this.superclass = superclass;
    this.range = new SourceRange(source, name.range.start, end);
    this.parse = () => {
      const plain = plainBody(source, bodyStart, end, limits);
      if (plain) return plain;
      const parser = new Parser(source, limits, start, end);
      parser.defersBodies = true;
      return parser.parseClass().body;
    };
  }

  get body(): readonly Stmt[] {
    return (this.known ??= this.parse());
  }
}

const INDENT = "  ";
/** The end of a line before one that is indented no deeper than a class body. */
const BODY_LEVEL = /\n(?= {0,2}[^\s#])/g;
const METHOD = /  def ([A-Za-z_]\w*)\(/y;

/**
 * The statements of a class body as PyTorch prints it: lines that show what they are (Note [Plain lines]), then methods, all indented by two
 * blanks. Undefined for any other body. For sources with a plain margin: a definition cannot stand inside a literal or bracket.
 */
function plainBody(
  source: Source,
  start: number,
  end: number,
  limits: LimitOverrides | undefined,
): readonly Stmt[] | undefined {
  const { text } = source;
  const stmts: Stmt[] = [];
  let at = start;
  while (at < end && !text.startsWith("  def ", at)) {
    if (!text.startsWith(INDENT, at)) return undefined;
    const lineStart = at + INDENT.length;
    const line = plainClassLine(source, lineStart, (lineEnd) => parseStatementIn(source, limits, lineStart, lineEnd));
    if (!line || line.end > end) return undefined;
    stmts.push(line.stmt);
    at = line.end;
  }
  while (at < end) {
    METHOD.lastIndex = at;
    const name = METHOD.exec(text)?.[1];
    if (name === undefined || wordKind(name) !== "ident") return undefined;
    BODY_LEVEL.lastIndex = METHOD.lastIndex;
    const next = BODY_LEVEL.test(text) ? Math.min(BODY_LEVEL.lastIndex, end) : end;
    const nameStart = at + "  def ".length;
    const range = new SourceRange(source, nameStart, nameStart + name.length);
    const def = new DeferredDef({ name, range }, at, next, limits, parseMethodIn);
    stmts.push({ kind: "Def", def, range: def.range });
    at = next;
  }
  return stmts.length > 0 ? stmts : undefined;
}

/** Whether the margin shows what begins and ends in a source: no literal and no line goes on there. */
export function hasPlainMargin(source: Source): boolean {
  const { text } = source;
  return !text.includes("'''") && !text.includes('"""') && !text.includes("\\\n");
}

/** The class whose line starts at `at`, and where the next definition starts; undefined where only the parser can judge. For sources with a plain margin. */
export function plainClass(
  source: Source,
  at: number,
  limits: LimitOverrides | undefined,
): { readonly def: DeferredClass; readonly end: number } | undefined {
  const { text } = source;
  HEADER.lastIndex = at;
  const match = HEADER.exec(text);
  if (!match) return undefined;
  const [, name = "", base] = match;
  if (wordKind(name) !== "ident" || (base !== undefined && wordKind(base) !== "ident")) return undefined;
  const bodyStart = HEADER.lastIndex;
  MARGIN.lastIndex = bodyStart;
  const end = MARGIN.test(text) ? MARGIN.lastIndex : text.length;
  DEFINITION.lastIndex = end;
  // a bracket may be open at the margin, but no definition stands in one
  if (end < text.length && !DEFINITION.test(text)) return undefined;
  const ident = (word: string, start: number): Ident => ({
    name: word,
    range: new SourceRange(source, start, start + word.length),
  });
  const own = ident(name, at + "class ".length);
  const above = base === undefined ? undefined : ident(base, own.range.end + 1);
  const superclass: Expr | undefined = above && { kind: "Var", name: above, range: above.range };
  return { def: new DeferredClass(own, superclass, at, bodyStart, end, limits), end };
}
