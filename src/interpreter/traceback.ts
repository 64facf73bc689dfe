/** @file Text of tracebacks: the serialized code's and the original's. Upstream: torch/csrc/jit/frontend/source_range.cpp (format_stack_trace). Spec: none. */
import type { SourceRange } from "../base/source_range.ts";

/** One line of a traceback. */
export interface StackEntry {
  readonly functionName: string;
  readonly range: SourceRange | undefined;
}

const CONTEXT_LINES = 3; // torch: SourceRange::CONTEXT

/** Both tracebacks, outermost call first. */
export function stackTrace(entries: readonly StackEntry[]): string {
  const originals = entries.map((e) => e.range?.findSourceRangeThatGenerated());
  const hasOriginals = originals.some((r) => r !== undefined);
  let out = `Traceback of TorchScript${hasOriginals ? ", serialized code" : ""} (most recent call last):\n`;
  for (const { range, functionName } of entries) out += excerpt(range, functionName);
  if (hasOriginals) {
    out += "\nTraceback of TorchScript, original code (most recent call last):\n";
    // frames whose original is not known show the serialized code
    entries.forEach((entry, i) => (out += excerpt(originals[i] ?? entry.range, entry.functionName)));
  }
  return out;
}

/** Nothing where there is no source, not even the function's name: torch's SourceRange::print_with_context. */
function excerpt(range: SourceRange | undefined, functionName: string): string {
  return range === undefined ? "" : range.printWithContext(CONTEXT_LINES, true, functionName);
}
