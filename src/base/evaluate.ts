/** @file Functions made of generated text, where the platform allows it. Upstream: none. Spec: none. */

/** Whether the platform evaluates text; a Content-Security-Policy may forbid it. */
let canEvaluate: boolean | undefined;
let isAllowed = true;

/** Switches generated text on or off; where the platform forbids it, it stays off. */
export function allowGeneratedCode(allow: boolean): void {
  isAllowed = allow;
}

/** Whether generated code can run here at all. */
export function canGenerateCode(): boolean {
  return isAllowed && (canEvaluate ??= evaluates());
}

/** Makes a function of generated text, whose one parameter is K. The only place that evaluates text. See Note [Generated text]. */
export function evaluate(text: string): (K?: unknown) => unknown {
  // oxlint-disable-next-line typescript/no-implied-eval -- generating code is the point; what goes in is said at Note [Generated text]
  return new Function("K", text) as (K?: unknown) => unknown;
}

function evaluates(): boolean {
  try {
    return evaluate("return true")() === true;
  } catch {
    return false; // a Content-Security-Policy without 'unsafe-eval'
  }
}
