/** @file ReferenceCounts: how many owners each object of a saved graph has. Upstream: torch/csrc/jit/serialization/pickler.cpp (pushIValue: use_count() > 1). Spec: spec/pickle.md.
 *
 * Note [Memo by use count]: PyTorch memoizes an object in a pickle when its reference count is above one at that moment. Counts are
 * not ours to see, so they are computed: one for every slot and container element that holds the object, one more for each module
 * (its Python wrapper holds it), one more for each tensor of an eager module (`holdTensors`), and what the caller holds (a constant table, the stack of `__getstate__`). */
import { ScriptObject } from "../core/ivalue.ts";
import { Complex } from "../tensor/scalar.ts";
import { Tensor } from "../tensor/tensor.ts";

const MODULE_WRAPPERS = 1;
const heldTensors = new WeakSet<Tensor>();

/** Remembers that an eager module holds the tensors in a value besides the object that it was put into. */
export function holdTensors(value: unknown): void {
  if (value instanceof Tensor) heldTensors.add(value);
  else if (Array.isArray(value)) value.forEach(holdTensors);
  else if (value instanceof Map) for (const [key, item] of value) [key, item].forEach(holdTensors);
}

/** Counts owners from the roots that are added. */
export class ReferenceCounts {
  private readonly counts = new Map<object, number>();

  /** Counts one more owner of a value and, the first time, what the value owns. */
  add(value: unknown, owners = 1): void {
    const pending: unknown[] = [value];
    let weight = owners;
    while (pending.length > 0) {
      const item = pending.pop();
      if (isCounted(item)) {
        const known = this.counts.get(item);
        this.counts.set(item, (known ?? firstCount(item)) + weight);
        if (known === undefined) pushOwned(item, pending);
      }
      weight = 1;
    }
  }

  /** Whether the value has more than one owner. */
  isShared(value: object): boolean {
    return (this.counts.get(value) ?? 0) > 1;
  }
}

function isCounted(value: unknown): value is object {
  return (
    value instanceof Tensor ||
    value instanceof ScriptObject ||
    value instanceof Map ||
    value instanceof Complex ||
    Array.isArray(value)
  );
}

function firstCount(value: object): number {
  if (value instanceof Tensor) return heldTensors.has(value) ? 1 : 0;
  return value instanceof ScriptObject && value.type.isModule ? MODULE_WRAPPERS : 0;
}

function pushOwned(value: object, pending: unknown[]): void {
  if (value instanceof ScriptObject) for (const slot of value.slots) pending.push(slot);
  else if (Array.isArray(value)) for (const item of value) pending.push(item);
  else if (value instanceof Map) for (const [key, item] of value) pending.push(key, item);
}
