/** @file What a condition says of the types of variables when it holds and when it does not. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp (RefinementSet). Spec: none. */
import { typesEqual, type Type } from "../../core/type.ts";
import type { Value } from "../../ir/graph.ts";

/** A variable has a narrower type. */
export interface Refinement {
  readonly name: string;
  readonly type: Type;
}

/** Refinements for the branch where the condition is true and for the one where it is false. */
export class RefinementSet {
  readonly whenTrue: readonly Refinement[];
  readonly whenFalse: readonly Refinement[];
  constructor(whenTrue: readonly Refinement[] = [], whenFalse: readonly Refinement[] = []) {
    this.whenTrue = whenTrue;
    this.whenFalse = whenFalse;
  }
  and(other: RefinementSet): RefinementSet {
    return new RefinementSet(union(this.whenTrue, other.whenTrue), intersection(this.whenFalse, other.whenFalse));
  }
  or(other: RefinementSet): RefinementSet {
    return new RefinementSet(intersection(this.whenTrue, other.whenTrue), union(this.whenFalse, other.whenFalse));
  }
  not(): RefinementSet {
    return new RefinementSet(this.whenFalse, this.whenTrue);
  }
}

function union(a: readonly Refinement[], b: readonly Refinement[]): Refinement[] {
  const result = [...a];
  for (const refinement of b) {
    const at = result.findIndex((r) => r.name === refinement.name);
    if (at < 0) result.push(refinement);
    // two different types of one variable: nothing is said
    else if (!typesEqual(result[at]!.type, refinement.type)) result.splice(at, 1);
  }
  return result;
}

function intersection(a: readonly Refinement[], b: readonly Refinement[]): Refinement[] {
  return a.filter((r) => {
    const other = b.find((o) => o.name === r.name);
    // upstream compares the addresses of the types
    return (
      other !== undefined &&
      (other.type === r.type ||
        (r.type.kind === other.type.kind && typesEqual(r.type, other.type) && isSingleton(r.type)))
    );
  });
}

function isSingleton(type: Type): boolean {
  return !["List", "Dict", "Optional", "Union", "Tuple", "Future", "Await", "RRef"].includes(type.kind);
}

/** A condition: its value, what it refines, and its outcome where the branch is chosen at compile time. */
export interface CondValue {
  readonly value: Value;
  readonly refinements: RefinementSet;
  readonly staticIf: boolean | undefined;
}
