/** @file Archived code whose floats lost their dot. Upstream: aten/src/ATen/core/ivalue.cpp (IValue::repr), which drops it. Spec: spec/grammar.md.
 *
 * Note [Floats without a dot]: PyTorch writes float constants with an integral value from 1e10 to 1e17 as `10000000000`, which reads as
 * an int: where the types then do not fit, it cannot open its own file. Such code is compiled again with these literals as floats. */
import { ScriptError } from "../base/errors.ts";
import { SourceRange } from "../base/source_range.ts";
import type { Def } from "../frontend/ast.ts";
import type { ScriptFunction } from "../ir/function.ts";

const DOTLESS_FLOAT = /^-?\d{11,17}$/;

/** Compiles with the code as written and, where that fails with a ScriptError, with long integers as floats. */
export function compileWithDotlessFloats(fn: ScriptFunction, def: Def, compile: (def: Def) => void): void {
  try {
    compile(def);
  } catch (error) {
    const repaired = error instanceof ScriptError ? withFloats(def) : def;
    if (repaired === def) throw error;
    clearGraph(fn);
    try {
      compile(repaired);
    } catch {
      throw error; // the literals were not the reason
    }
  }
}

function clearGraph({ graph }: ScriptFunction): void {
  graph.block.destroy();
  graph.uniqueNames.clear();
  graph.nameBaseSuffix.clear();
  graph.nextUnique = 0;
}

/** A copy of the tree with floats for long integers; the tree itself where it has none. */
function withFloats<T>(tree: T): T {
  if (typeof tree !== "object" || tree === null || tree instanceof SourceRange) return tree;
  if (Array.isArray(tree)) {
    const items = tree.map((item: unknown) => withFloats(item));
    return items.some((item, i) => item !== (tree as unknown[])[i]) ? (items as T) : tree;
  }
  const node = tree as Record<string, unknown>;
  if (node["kind"] === "Number" && DOTLESS_FLOAT.test(String(node["text"])))
    return { ...node, text: `${String(node["text"])}.` } as T;
  let copy: Record<string, unknown> | undefined;
  for (const [key, value] of Object.entries(node)) {
    const next = withFloats(value);
    if (next !== value) (copy ??= { ...node })[key] = next;
  }
  return (copy as T | undefined) ?? tree;
}
