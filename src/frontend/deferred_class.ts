/** @file DeferredClass: a class whose body is only parsed when somebody looks at more than its header. Upstream: none (PyTorch parses whole files). Spec: spec/grammar.md. */
import type { LimitOverrides } from "../base/limits.ts";
import { SourceRange, type Source } from "../base/source_range.ts";
import type { ClassDef, Expr, Ident, Stmt } from "./ast.ts";
import { Parser } from "./parser.ts";
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
  private readonly parse: () => ClassDef;
  private known: readonly Stmt[] | undefined;

  /** @param start of the line of `class`. @param end of its last line. */
  constructor(
    name: Ident,
    superclass: Expr | undefined,
    start: number,
    end: number,
    limits: LimitOverrides | undefined,
  ) {
    const { source } = name.range;
    this.name = name;
    this.superclass = superclass;
    this.range = new SourceRange(source, name.range.start, end);
    this.parse = () => {
      const parser = new Parser(source, limits, start, end);
      parser.defersBodies = true;
      return parser.parseClass();
    };
  }

  get body(): readonly Stmt[] {
    return (this.known ??= this.parse().body);
  }
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
  MARGIN.lastIndex = HEADER.lastIndex;
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
  return { def: new DeferredClass(own, superclass, at, end, limits), end };
}
