/** @file Definitions as Python's own parser reads them: where TorchScript's parser and PyTorch's reader of Python sources differ. Upstream: torch/jit/frontend.py. Spec: none. */
import type { Source } from "../base/source_range.ts";
import type { Def, Expr } from "./ast.ts";
import { parseDefinitions } from "./parser.ts";

/** In Python `-1` is a minus before a literal: the emitter folds it, and uses up numbers of values. */
function signed(expr: Expr): Expr {
  if (expr.kind !== "Number" || !expr.text.startsWith("-")) return expr;
  return { kind: "Unary", op: "-", operand: { ...expr, text: expr.text.slice(1) }, range: expr.range };
}

function rewrite(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rewrite);
  if (typeof value !== "object" || value === null || !("range" in value)) return value;
  const node = value as Readonly<Record<string, unknown>>;
  const copy = Object.fromEntries(
    Object.entries(node).map(([key, part]) => [key, /[rR]ange$/.test(key) ? part : rewrite(part)]),
  );
  return "kind" in copy ? signed(copy as unknown as Expr) : copy;
}

/** The functions of a Python source; annotations and defaults are as TorchScript writes them. */
export function parsePythonDefinitions(source: Source): Def[] {
  return parseDefinitions(source, false).map((def) => ({
    ...def,
    body: rewrite(def.body) as Def["body"],
  }));
}
