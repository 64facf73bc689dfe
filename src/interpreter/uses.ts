/** @file Who reads and writes the registers of a function. Upstream: none. Spec: none. */
import type { Instruction } from "./instructions.ts";

/** Reads and writes of every register of a function; releases do not count as reads. */
export interface Uses {
  readonly reads: ReadonlyMap<number, number>;
  readonly writes: ReadonlyMap<number, number>;
}

/** Instructions that only end lives: they may wait until a run of others is over. */
export function isRelease(i: Instruction): boolean {
  return i.op === "release" || (i.op === "kernel" && i.key === "tsarchive::release");
}

/** Counts the uses of registers. */
export function countUses(instructions: readonly Instruction[], outputs: readonly number[]): Uses {
  const reads = new Map<number, number>();
  const writes = new Map<number, number>();
  const add = (to: Map<number, number>, registers: readonly number[]): void => {
    for (const r of registers) to.set(r, (to.get(r) ?? 0) + 1);
  };
  const visit = (list: readonly Instruction[]): void => {
    for (const i of list) {
      if (isRelease(i)) continue;
      // what a sequence reads and writes, its steps do
      if (i.op === "sequence") {
        visit(i.steps);
        continue;
      }
      // every field that names registers, whatever the instruction
      if ("args" in i) add(reads, i.args);
      if ("arg" in i) add(reads, [i.arg]);
      if ("object" in i) add(reads, [i.object]);
      if ("value" in i) add(reads, [i.value]);
      if ("message" in i) add(reads, [i.message]);
      if ("keys" in i) add(reads, [...i.keys, ...i.values]);
      if ("condition" in i) add(reads, [i.condition]);
      if ("max" in i) add(reads, [i.max]);
      if ("outs" in i) add(writes, i.outs);
      if ("out" in i) add(writes, [i.out]);
      if ("counter" in i) add(writes, [i.counter]);
      if (i.op === "if") {
        visit(i.yes);
        visit(i.no);
      } else if (i.op === "loop") visit(i.body);
    }
  };
  visit(instructions);
  add(reads, outputs);
  return { reads, writes };
}
