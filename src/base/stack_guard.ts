/** @file Turns the platform's stack overflow into an error of this library. Upstream: none. Spec: spec/limits.md. */
import { LimitError } from "./errors.ts";

/** V8 and JavaScriptCore: RangeError "Maximum call stack size exceeded"; SpiderMonkey: InternalError "too much recursion". */
function isStackOverflow(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.name === "RangeError" || error.name === "InternalError") &&
    /call stack|recursion/.test(error.message)
  );
}

/** Runs what recurses over untrusted input; nesting that the limits allow may still be too much for a small stack. */
export function guardStack<R>(what: string, run: () => R): R {
  try {
    return run();
  } catch (error) {
    if (!isStackOverflow(error)) throw error;
    throw new LimitError("stack", 0, `Cannot read ${what}: its nesting is deeper than the stack of this platform`);
  }
}
