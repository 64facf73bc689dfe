/** @file Which functions are being compiled, for errors: "'g' is being compiled since it was called from 'f'". Upstream: torch/csrc/jit/frontend/error_report.cpp. Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";

interface Call {
  readonly name: string;
  range: SourceRange;
}

const calls: Call[] = [];
const explained = new WeakSet<ScriptError>();

/** Where the innermost function is now. */
export function updatePendingRange(range: SourceRange): void {
  const call = calls[calls.length - 1];
  if (call) call.range = range;
}

/** Runs the compilation of a function; a ScriptError that comes out of it says who asked for the function. */
export function whileCompiling<R>(name: string, range: SourceRange, body: () => R): R {
  calls.push({ name, range });
  try {
    return body();
  } catch (error) {
    if (error instanceof ScriptError && !explained.has(error)) {
      explained.add(error);
      for (let i = calls.length - 1; i > 0; i--) {
        const caller = calls[i - 1]!;
        error.message += `'${calls[i]!.name}' is being compiled since it was called from '${caller.name}'\n${caller.range.highlight()}`;
      }
    }
    throw error;
  } finally {
    calls.pop();
  }
}
