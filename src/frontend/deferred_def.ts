/** @file DeferredDef: a function whose text is only parsed when somebody looks at more than its name. Upstream: none (PyTorch parses whole files). Spec: spec/grammar.md. */
import type { LimitOverrides } from "../base/limits.ts";
import { SourceRange, type Source } from "../base/source_range.ts";
import type { Def, Expr, Ident, Param, Stmt } from "./ast.ts";

/** Parses the function in a part of a source. */
export type ParsePart = (source: Source, limits: LimitOverrides | undefined, start: number, end: number) => Def;

/** A `Def` that parses itself. Errors in its text show then. */
export class DeferredDef implements Def {
  readonly name: Ident;
  readonly range: SourceRange;
  private readonly parse: () => Def;
  private known: Def | undefined;

  /** @param start of the line of `def`. @param end of the last line. */
  constructor(name: Ident, start: number, end: number, limits: LimitOverrides | undefined, parse: ParsePart) {
    this.name = name;
    const { source } = name.range;
    let last = end;
    while (last > name.range.end && source.text.charCodeAt(last - 1) <= 32) last--;
    this.range = new SourceRange(source, name.range.start, last);
    this.parse = () => parse(source, limits, start, end);
  }

  /** The parsed function. */
  get full(): Def {
    return (this.known ??= this.parse());
  }
  get params(): readonly Param[] {
    return this.full.params;
  }
  get returnType(): Expr | undefined {
    return this.full.returnType;
  }
  get body(): readonly Stmt[] {
    return this.full.body;
  }
  get declRange(): SourceRange {
    return this.full.declRange;
  }
}
