/** @file State of one function's compilation, and the way from one part of the emitter to another. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp (to_ir). Spec: none.
 *
 * Note [Parts of the emitter]: expressions, calls, loops and statements need each other. Each part is a file of functions that
 * take the context first and reach the others through `context.parts`, so that no two files import each other. */
import { SourceRange } from "../../base/source_range.ts";
import type { Type } from "../../core/type.ts";
import type { ScriptFunction } from "../../ir/function.ts";
import type { Block, Graph, Value } from "../../ir/graph.ts";
import { insertConstant } from "../../ir/constants.ts";
import type { Expr, Stmt } from "../ast.ts";
import type { Resolver } from "../resolver.ts";
import type { ScriptTypeParser } from "../script_type_parser.ts";
import { Environment } from "./environment.ts";
import { FAKE_RANGE, NamedValue } from "./named_value.ts";
import type { CondValue } from "./refinements.ts";
import type { SugaredValue } from "./sugared_value.ts";

/** Return types of a function or nested function. */
export interface DefContext {
  declaredReturn: Type | undefined;
  /** Unified over the returns so far; undefined before the first. */
  mergedReturn: Type | undefined;
}

export type LoopStatus = "none" | "loop" | "unrolled";

/** What the parts of the emitter offer each other. */
export interface EmitterParts {
  expr(e: EmitContext, tree: Expr, hint?: Type): Value;
  sugared(e: EmitContext, tree: Expr, binders: number, hint?: Type): SugaredValue;
  condition(e: EmitContext, tree: Expr): CondValue;
  isInstance(e: EmitContext, object: Expr, classes: Expr): CondValue;
  hasAttr(e: EmitContext, object: Expr, name: Expr): CondValue;
  statements(e: EmitContext, list: readonly Stmt[]): void;
  /** `return None` at the end of a function. */
  returnNone(e: EmitContext, range: SourceRange): void;
  forLoop(e: EmitContext, targets: readonly Expr[], iters: readonly Expr[], range: SourceRange, body: () => void): void;
  /** Assigns meanings to targets; `binders`: how many targets are not starred. */
  assign(
    e: EmitContext,
    targets: readonly Expr[],
    values: readonly SugaredValue[],
    range: SourceRange,
    binders: number,
  ): void;
  index(e: EmitContext, range: SourceRange, input: Value, indices: readonly Value[]): Value;
  listComprehension(e: EmitContext, tree: Expr & { kind: "ListComp" }, hint: Type | undefined): Value;
  dictComprehension(e: EmitContext, tree: Expr & { kind: "DictComp" }, hint: Type | undefined): Value;
}

/** The compilation of one function. */
export class EmitContext {
  readonly fn: ScriptFunction;
  readonly graph: Graph;
  readonly resolver: Resolver;
  readonly types: ScriptTypeParser;
  readonly parts: EmitterParts;
  env: Environment;
  readonly defs: DefContext[] = [];
  /** Blocks that return or raise on every path. */
  readonly exitBlocks = new Set<Block>();
  loopStatus: LoopStatus = "none";
  /** Literals: one constant each, at the top of the graph. */
  private readonly literals = new Map<string, Map<unknown, Value>>();
  private tempNames = 0;

  constructor(fn: ScriptFunction, resolver: Resolver, types: ScriptTypeParser, parts: EmitterParts) {
    this.fn = fn;
    this.graph = fn.graph;
    this.resolver = resolver;
    this.types = types;
    this.parts = parts;
    this.env = new Environment(fn, resolver, this.graph.block);
  }

  get def(): DefContext {
    return this.defs[this.defs.length - 1]!;
  }
  tempName(prefix: string): string {
    return `${prefix}${this.tempNames++}`;
  }

  /** Runs `body` in a new frame at the end of `block`; gives the frame. */
  inFrame(block: Block, body: () => void): Environment {
    const frame = new Environment(this.fn, this.resolver, block, this.env);
    this.env = frame;
    try {
      this.graph.withInsertPoint(block, body);
    } finally {
      this.env = frame.next!;
    }
    return frame;
  }
  withLoopStatus(status: LoopStatus, body: () => void): void {
    const old = this.loopStatus;
    this.loopStatus = status;
    try {
      body();
    } finally {
      this.loopStatus = old;
    }
  }

  /** The constant of a literal: the first one is put at the top of the graph and shared. */
  literal(key: unknown, value: unknown, type: Type, range: SourceRange): Value {
    let known = this.literals.get(type.kind);
    if (!known) this.literals.set(type.kind, (known = new Map()));
    const existing = known.get(key);
    if (existing) return existing;
    const constant = this.graph.withInsertPoint(this.graph.block.first, () =>
      insertConstant(this.graph, value, type, range),
    );
    known.set(key, constant);
    return constant;
  }

  /** A named argument with the range of its expression. */
  named(tree: Expr, name?: string): NamedValue {
    return NamedValue.of(this.parts.expr(this, tree), name, tree.range);
  }
}

/** The range from the first to the last of some expressions. */
export function rangeOf(list: readonly { readonly range: SourceRange }[]): SourceRange {
  const [first] = list;
  if (!first) return FAKE_RANGE;
  return new SourceRange(first.range.source, first.range.start, Math.max(...list.map((x) => x.range.end)));
}

/** The range of a bracketed list behind something: from the bracket to the end of its last item. */
export function bracketRange(before: SourceRange, list: readonly { readonly range: SourceRange }[]): SourceRange {
  return new SourceRange(before.source, before.end, Math.max(before.end + 1, ...list.map((x) => x.range.end)));
}
