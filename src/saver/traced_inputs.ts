/** @file The example inputs that a module was traced with: archives say their types and shapes. Upstream: torch/csrc/jit/api/module.cpp (store_traced_inputs). Spec: spec/records.md. */
import type { ScriptObject } from "../core/ivalue.ts";
import { AnyT, StringT, dictOf, listOf } from "../core/type.ts";
import { holdTensors } from "./reference_counts.ts";

/** Inputs by the name of the method. */
export const TRACED_INPUTS_TYPE = dictOf(StringT, listOf(AnyT));

const inputs = new WeakMap<ScriptObject, Map<string, readonly unknown[]>>();

/** Remembers what a method was traced with. */
export function storeTracedInputs(module: ScriptObject, method: string, values: readonly unknown[]): void {
  if (values.length === 0) return;
  holdTensors(values); // whoever traced still has them
  const known = inputs.get(module) ?? new Map<string, readonly unknown[]>();
  known.set(method, values);
  inputs.set(module, known);
}

/** What the methods of a module were traced with; undefined for modules that were not traced. */
export function tracedInputsOf(module: ScriptObject): ReadonlyMap<string, readonly unknown[]> | undefined {
  return inputs.get(module);
}
