/** @file Default values that are no literals: compiled and run as a function. Upstream: torch/csrc/jit/frontend/script_type_parser.cpp (evaluateDefaults). Spec: spec/grammar.md. */
import type { SourceRange } from "../base/source_range.ts";
import { QualifiedName } from "../core/qualified_name.ts";
import type { Def, Expr, Ident } from "../frontend/ast.ts";
import { defineFunction } from "../frontend/emit/compile.ts";
import type { Resolver } from "../frontend/resolver.ts";
import { setDefaultEvaluator, type ScriptTypeParser } from "../frontend/script_type_parser.ts";
import { runFunction } from "../interpreter/run.ts";
import { CompilationUnit } from "../ir/compilation_unit.ts";
import { ScriptFunction } from "../ir/function.ts";
import { finishEmission } from "../passes/pipeline.ts";

/** Steps that a default value may take: it is computed while a file is opened. */
const MAX_STEPS = 100_000;

/** `def defaults() -> Tuple[types]: return values`, all of it at `range`. */
function defaultsFunction(range: SourceRange, types: readonly Expr[], values: readonly Expr[]): Def {
  const ident = (name: string): Ident => ({ name, range });
  const returnType: Expr = {
    kind: "Subscript",
    value: { kind: "Var", name: ident("Tuple"), range },
    indices: types,
    range,
  };
  const value: Expr = { kind: "Tuple", elements: values, range };
  return {
    name: ident("defaults"),
    params: [],
    returnType,
    body: [{ kind: "Return", value, range }],
    declRange: range,
    range,
  };
}

function evaluateDefaults(
  parser: ScriptTypeParser,
  range: SourceRange,
  types: readonly Expr[],
  values: readonly Expr[],
): readonly unknown[] {
  const known: Partial<Resolver> = parser.resolver ?? {};
  const resolver: Resolver = {
    resolveValue: (name, fn, at) => known.resolveValue?.(name, fn, at),
    resolveType: (name, at) => known.resolveType?.(name, at),
  };
  const fn = new ScriptFunction(new QualifiedName("defaults"), undefined, (f) => {
    defineFunction(f, defaultsFunction(range, types, values), resolver, undefined, {
      cu: new CompilationUnit(),
      cleanup: finishEmission,
      types: parser,
    });
  });
  fn.ensureDefined();
  return runFunction(fn, [], { maxSteps: MAX_STEPS }) as readonly unknown[];
}

/** Makes such defaults known to the type parser. */
export function installDefaultEvaluator(): void {
  setDefaultEvaluator(evaluateDefaults);
}
