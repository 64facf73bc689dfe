/** @file What code takes for granted about the attributes of modules. Upstream: none (torch/csrc/jit/passes/freeze_module.cpp does the like for good). Spec: none. */
import type { ScriptObject } from "./ivalue.ts";

/** An attribute that has a value. */
export interface Assumption {
  readonly object: ScriptObject;
  readonly slot: number;
  readonly value: unknown;
}

/** Whether all of it is so. */
export function allHold(assumptions: readonly Assumption[]): boolean {
  for (let i = 0; i < assumptions.length; i++) {
    const { object, slot, value } = assumptions[i]!;
    if (object.slots[slot] !== value) return false;
  }
  return true;
}
