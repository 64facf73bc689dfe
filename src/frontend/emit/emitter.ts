/** @file The emitter: its parts put together, and the compilation of a function's syntax tree to its graph. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp (to_ir). Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import type { FunctionSchema } from "../../core/schema.ts";
import type { ScriptFunction } from "../../ir/function.ts";
import type { Def } from "../ast.ts";
import type { Resolver } from "../resolver.ts";
import type { ScriptTypeParser } from "../script_type_parser.ts";
import { emitExprsAssign } from "./assignments.ts";
import { emitCondition, emitHasAttr, emitIsInstance } from "./conditions.ts";
import { emitDictComprehension, emitListComprehension } from "./comprehensions.ts";
import { emitDef, type Self } from "./definitions.ts";
import { EmitContext, type EmitterParts } from "./emit_context.ts";
import { emitExpr, emitSugaredExpr } from "./expressions.ts";
import { emitIndex } from "./indexing.ts";
import { emitForLoop } from "./loops.ts";
import { emitReturn, emitStatements } from "./statements.ts";

const PARTS: EmitterParts = {
  expr: emitExpr,
  sugared: emitSugaredExpr,
  condition: emitCondition,
  isInstance: emitIsInstance,
  hasAttr: emitHasAttr,
  statements: emitStatements,
  returnNone: (e, range) => emitReturn(e, { kind: "None", range }, range),
  forLoop: emitForLoop,
  assign: emitExprsAssign,
  index: emitIndex,
  listComprehension: emitListComprehension,
  dictComprehension: emitDictComprehension,
};

/** Emits a function into its graph, in the form before conversion to SSA; gives its schema. */
export function emitFunction(
  fn: ScriptFunction,
  def: Def,
  resolver: Resolver,
  types: ScriptTypeParser,
  self: Self | undefined,
): FunctionSchema {
  const e = new EmitContext(fn, resolver, types, PARTS);
  e.defs.push({ declaredReturn: undefined, mergedReturn: undefined });
  if (self && def.params.length === 0) throw new ScriptError("methods must have a self argument", def.declRange);
  return emitDef(e, def, self, fn.graph.block);
}
