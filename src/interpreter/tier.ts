/** @file Which tier runs a function: closures, or JavaScript generated from the same instructions. Upstream: none. Spec: none. See docs/adr/0004-compiled-form.md. */
import { OperatorError } from "../base/errors.ts";
import { allowGeneratedCode, canGenerateCode } from "../base/evaluate.ts";
import type { Code, DirectCode } from "./instructions.ts";

/** `auto`: closures first, generated code for functions with loops and for those that are called often. */
export type ExecutionTier = "closures" | "generated" | "auto";

const TIERS: readonly ExecutionTier[] = ["closures", "generated", "auto"];
/** Calls after which code without loops is generated: making it costs about as much as this many calls save. */
const HOT_CALLS = 12;

let tier: ExecutionTier = "auto";
let generate: ((code: Code) => DirectCode | undefined) | undefined;

/** Installs the generator. */
export function setCodeGenerator(make: (code: Code) => DirectCode | undefined): void {
  generate = make;
}

/**
 * Chooses how script code runs. Where the platform forbids evaluation, everything runs on closures whatever is chosen.
 * With `closures` no text is evaluated, for loops over elements neither.
 * @throws OperatorError for another name.
 */
export function setExecutionTier(name: ExecutionTier): void {
  if (!TIERS.includes(name)) {
    throw new OperatorError(`Unknown execution tier "${String(name)}": choose ${TIERS.join(", ")}`);
  }
  tier = name;
  allowGeneratedCode(name !== "closures");
}

/** The tier that was chosen. */
export function executionTier(): ExecutionTier {
  return tier;
}

/** The generated code of a function, made where it is time; null where closures are to run. */
export function directCode(code: Code): DirectCode | null {
  if (tier === "closures") return null;
  const known = code.direct;
  return known === undefined ? choose(code) : known;
}

function choose(code: Code): DirectCode | null {
  if (tier === "auto" && !code.hasLoop && ++code.calls < HOT_CALLS) return null;
  return (code.direct = (canGenerateCode() && generate?.(code)) || null);
}
