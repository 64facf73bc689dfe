/** @file The lines of a class body that archives are full of, read without tokens: attributes, lists of names, constants. Upstream: none. Spec: spec/grammar.md.
 *
 * Note [Plain lines]: `name : Type`, `__parameters__ = ["a", ]` and `name : Final[int] = 3` make up most of the code that opening an
 * archive looks at. They are recognized by one expression each and give the tree that the parser gives; any other line is the parser's. */
import { SourceRange, type Source } from "../base/source_range.ts";
import type { Expr, Ident, Stmt } from "./ast.ts";
import { wordKind } from "./tokens.ts";

type Assign = Stmt & { kind: "Assign" };

const ATTRIBUTE = /([A-Za-z_]\w*) : (?:(Optional|List)\[)?([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(\])?\n/y;
const NUMBERED = /__annotations__\["(\w+)"\] = ([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\n/y;
const NAMES = /(__[a-z_]+__) = \[((?:"\w+", ?)*)\]\n/y;
const CONSTANT =
  /([A-Za-z_]\w*) : Final\[[^\n\\#"']*\] = (?:[^\n\\#"'[\](){}]+|"[^"\\\n]*"|\([\w., +-]*\)|\[[\w., +-]*\])\n/y;

/** A constant of a class whose type and value are parsed when they are asked for. */
export class DeferredConstant {
  readonly kind = "Assign";
  readonly targets: readonly Expr[];
  readonly range: SourceRange;
  private readonly parse: () => Assign;
  private known: Assign | undefined;

  constructor(name: Ident, range: SourceRange, parse: () => Assign) {
    this.targets = [{ kind: "Var", name, range: name.range }];
    this.range = range;
    this.parse = parse;
  }
  /** The parsed statement. */
  get full(): Assign {
    return (this.known ??= this.parse());
  }
  get annotation(): Expr | undefined {
    return this.full.annotation;
  }
  get value(): Expr | undefined {
    return this.full.value;
  }
}

/** The statement of the plain line at `at` and where the next line starts; undefined where the line is not plain. See Note [Plain lines]. */
export function plainClassLine(
  source: Source,
  at: number,
  parse: (end: number) => Stmt,
): { readonly stmt: Assign; readonly end: number } | undefined {
  const { text } = source;
  ATTRIBUTE.lastIndex = at;
  let match = ATTRIBUTE.exec(text);
  const assign = (name: string, end: number, annotation?: Expr, value?: Expr): { stmt: Assign; end: number } => {
    const target: Expr = { kind: "Var", name: identAt(source, name, at), range: rangeAt(source, name, at) };
    return {
      stmt: { kind: "Assign", targets: [target], annotation, value, range: new SourceRange(source, at, end - 1) },
      end,
    };
  };
  if (match) {
    const [, name = "", outer = "", type = "", close = ""] = match;
    const start = at + name.length + " : ".length;
    const element = typeName(source, type, outer === "" ? start : start + outer.length + 1);
    if (!element || wordKind(name) !== "ident" || (outer === "") !== (close === "")) return undefined;
    const annotation = outer === "" ? element : subscript(source, start, outer, element);
    return assign(name, ATTRIBUTE.lastIndex, annotation);
  }
  NUMBERED.lastIndex = at;
  match = NUMBERED.exec(text);
  if (match) {
    const [, name = "", type = ""] = match;
    const keyStart = at + "__annotations__[".length;
    const keyEnd = keyStart + name.length + 2;
    const key: Expr = { kind: "String", value: name, range: new SourceRange(source, keyStart, keyEnd) };
    const value = typeName(source, type, keyEnd + "] = ".length);
    if (!value) return undefined;
    const end = NUMBERED.lastIndex;
    const targets = [subscript(source, at, "__annotations__", key)];
    const range = new SourceRange(source, at, end - 1);
    return { stmt: { kind: "Assign", targets, annotation: undefined, value, range }, end };
  }
  CONSTANT.lastIndex = at;
  match = CONSTANT.exec(text);
  if (match && wordKind(match[1]!) === "ident") {
    const name = identAt(source, match[1]!, at);
    const end = CONSTANT.lastIndex;
    const range = new SourceRange(source, at, end - 1);
    return { stmt: new DeferredConstant(name, range, () => parse(end) as Assign), end };
  }
  NAMES.lastIndex = at;
  match = NAMES.exec(text);
  if (!match) return undefined;
  const [, name = "", list = ""] = match;
  const end = NAMES.lastIndex;
  const range = new SourceRange(source, at + name.length + 3, end - 1);
  const names = list === "" ? [] : list.trimEnd().slice(1, -2).split(/", ?"/);
  const elements = names.map((value): Expr => ({ kind: "String", value, range }));
  return assign(name, end, undefined, { kind: "List", elements, range });
}

function rangeAt(source: Source, text: string, at: number): SourceRange {
  return new SourceRange(source, at, at + text.length);
}
function identAt(source: Source, name: string, at: number): Ident {
  return { name, range: rangeAt(source, name, at) };
}

/** `name[index]`, where `name` starts at `at`. */
function subscript(source: Source, at: number, name: string, index: Expr): Expr {
  const value: Expr = { kind: "Var", name: identAt(source, name, at), range: rangeAt(source, name, at) };
  return { kind: "Subscript", value, indices: [index], range: new SourceRange(source, at, index.range.end + 1) };
}

/** `a.b.C` as a tree. */
function typeName(source: Source, text: string, at: number): Expr | undefined {
  if (text === "NoneType" || text === "None") return { kind: "None", range: rangeAt(source, text, at) };
  let expr: Expr | undefined;
  let from = 0;
  for (const atom of text.split(".")) {
    if (!expr && wordKind(atom) !== "ident") return undefined;
    const selector = identAt(source, atom, at + from);
    from += atom.length + 1;
    const range = new SourceRange(source, at, at + from - 1);
    expr = expr ? { kind: "Select", value: expr, selector, range } : { kind: "Var", name: selector, range };
  }
  return expr;
}
