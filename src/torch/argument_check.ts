/** @file What hand-written functions of `torch` ask of their arguments before they use them; operators ask their schemas. Upstream: torch/csrc/utils/python_arg_parser.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { Tensor } from "../tensor/tensor.ts";
import { isDType, isInt } from "./argument_fit.ts";

const KINDS = {
  Tensor: (value: unknown) => value instanceof Tensor,
  "torch.dtype": isDType,
  "list of ints": (value: unknown) => Array.isArray(value) && value.every(isInt),
  "typed array": (value: unknown) => ArrayBuffer.isView(value),
  function: (value: unknown) => typeof value === "function",
} as const;

/** What an argument is: `name: kind`, with `?` at the end where it may be left out; `...name: kind` is all that follow. */
type Parameter = `${string}: ${keyof typeof KINDS}${"" | "?"}`;

function nameOfKind(value: unknown): string {
  if (value === null || value === undefined) return "None";
  return typeof value === "object" ? value.constructor.name : typeof value;
}

/**
 * The function `f`, which throws an OperatorError that names it, the argument, what was expected and what was found, where an
 * argument is of another kind. Arguments without a parameter are `f`'s own affair.
 */
export function checked<F extends (...args: never[]) => unknown>(
  name: string,
  f: F,
  parameters: readonly Parameter[],
): F {
  const tests = parameters.map((text) => {
    const [parameter, kind] = text.split(": ") as [string, string];
    const isOptional = kind.endsWith("?");
    const wanted = (isOptional ? kind.slice(0, -1) : kind) as keyof typeof KINDS;
    return { parameter: parameter.replace("...", ""), isRest: parameter.startsWith("..."), isOptional, wanted };
  });
  const check = (args: readonly unknown[]): void => {
    tests.forEach(({ parameter, isRest, isOptional, wanted }, at) => {
      for (let i = at; i < (isRest ? args.length : at + 1); i++) {
        const value = args[i];
        if (KINDS[wanted](value) || (isOptional && value === undefined)) continue;
        throw new OperatorError(
          `${name}(): argument '${parameter}' (position ${i + 1}) must be ${wanted}, not ${nameOfKind(value)}`,
        );
      }
    });
  };
  return ((...args: never[]) => {
    check(args);
    return f(...args);
  }) as F;
}
