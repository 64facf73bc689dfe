/** @file Which arguments of an operator call are printed: trailing ones that equal their defaults are not. Upstream: torch/csrc/jit/runtime/calculate_necessary_args.h. Spec: spec/printing.md. */
import type { Type } from "../core/type.ts";
import { isOutArgument, type Argument } from "../core/schema.ts";
import { valueType } from "../core/ivalue_text.ts";
import { Complex, Float } from "../tensor/scalar.ts";
import { Device } from "../tensor/tensor.ts";
import type { Value } from "../ir/graph.ts";
import { toIValue } from "../ir/constants.ts";

/** How many leading inputs are printed, and how many `out` arguments follow. */
export interface NecessaryArgs {
  readonly inputs: number;
  readonly outs: number;
}

/** Counts the inputs that are not the defaults of their arguments. */
export function necessaryArgs(args: readonly Argument[], inputs: readonly Value[]): NecessaryArgs {
  let count = args.length;
  while (count > 0 && isOutArgument(args[count - 1]!)) count--;
  const outs = args.length - count;
  if (args.length < inputs.length) return { inputs: inputs.length, outs };
  while (count > 0 && isDefault(args[count - 1]!, inputs[count - 1]!)) count--;
  return { inputs: count, outs };
}

function isDefault(arg: Argument, input: Value): boolean {
  if (!arg.hasDefault) return false;
  const constant = toIValue(input);
  return constant !== undefined && equalValues(arg.defaultValue, arg.type, constant.value, input.type);
}

/** Equality of two IValues: an int never equals a float or a bool. */
function equalValues(a: unknown, typeA: Type, b: unknown, typeB: Type): boolean {
  const ownA = valueType(a, typeA);
  const ownB = valueType(b, typeB);
  if (ownA.kind !== ownB.kind) return false;
  if (ownA.kind === "List" && ownB.kind === "List") {
    const left = a as unknown[];
    const right = b as unknown[];
    return left.length === right.length && left.every((v, i) => equalValues(v, ownA.element, right[i], ownB.element));
  }
  if (a instanceof Complex && b instanceof Complex) return a.re === b.re && a.im === b.im;
  if (a instanceof Device && b instanceof Device) return String(a) === String(b);
  const plain = (v: unknown): unknown => (v instanceof Float ? v.value : v);
  return plain(a) === plain(b);
}
