/** @file Definitions as Python's own parser reads them: where TorchScript's parser and PyTorch's reader of Python sources differ. Upstream: torch/jit/frontend.py. Spec: none. */
import type { Source } from "../base/source_range.ts";
import type { Def, Expr, Stmt } from "./ast.ts";
import { parseDefinitions } from "./parser.ts";

/** In Python `-1` is a minus before a literal: the emitter folds it, and uses up numbers of values. */
function signed(expr: Expr): Expr {
  if (expr.kind !== "Number" || !expr.text.startsWith("-")) return expr;
  return { kind: "Unary", op: "-", operand: { ...expr, text: expr.text.slice(1) }, range: expr.range };
}

/** In Python `for a, b in` has one target, a tuple. */
function oneTarget(stmt: Stmt & { kind: "For" }): Stmt {
  if (stmt.targets.length < 2) return stmt;
  const tuple: Expr = { kind: "Tuple", elements: stmt.targets, range: stmt.targets[0]!.range };
  return { ...stmt, targets: [tuple] };
}

function rewrite(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rewrite);
  if (typeof value !== "object" || value === null || !("range" in value)) return value;
  const node = value as Readonly<Record<string, unknown>>;
  const copy = Object.fromEntries(
    Object.entries(node).map(([key, part]) => [key, /[rR]ange$/.test(key) ? part : rewrite(part)]),
  );
  if (!("kind" in copy)) return copy;
  const tree = copy as unknown as Expr | Stmt;
  return tree.kind === "For" ? oneTarget(tree) : signed(tree as Expr);
}

/** The functions, or methods, of a Python source; annotations and defaults are as TorchScript writes them. */
export function parsePythonDefinitions(source: Source, isMethod = false): Def[] {
  return parseDefinitions(source, isMethod).map((def) => ({
    ...def,
    body: rewrite(def.body) as Def["body"],
  }));
}
