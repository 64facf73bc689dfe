/** @file Bounds the nesting of an unpickled value and refuses values that contain themselves. Upstream: none. Spec: spec/pickle.md. */
import { type LimitOverrides, checkLimit } from "../base/limits.ts";
import { PickleFloat, PickleGlobal, type PickleValue, pickleChildren, pickleTypeName } from "./pickle_value.ts";

/** Objects that hold no others: they make a nesting no deeper than limits are meant for. */
function isLeaf(value: object): boolean {
  return value instanceof PickleGlobal || value instanceof PickleFloat || value instanceof Uint8Array;
}

/**
 * Walks a value without recursion. Returns what is wrong, or undefined; throws `LimitError` above `maxPickleDepth`.
 * PyTorch cannot write cycles, and every consumer that walks values would need a guard against them.
 */
export function checkNesting(root: PickleValue, limits?: LimitOverrides): string | undefined {
  if (typeof root !== "object" || root === null) return undefined;
  /** Height of finished values; 0 while a value is on the path. */
  const heights = new Map<object, number>();
  const path: { value: object; children: readonly PickleValue[]; next: number; height: number }[] = [];
  const enter = (value: object): void => {
    heights.set(value, 0);
    path.push({ value, children: pickleChildren(value as PickleValue), next: 0, height: 1 });
    checkLimit("maxPickleDepth", path.length, "pickled value (nesting)", limits);
  };
  enter(root);
  while (path.length > 0) {
    const frame = path[path.length - 1]!;
    if (frame.next < frame.children.length) {
      const child = frame.children[frame.next++]!;
      if (typeof child !== "object" || child === null || isLeaf(child)) continue;
      const known = heights.get(child);
      if (known === 0) return `${pickleTypeName(child)} contains itself, expected a tree of values`;
      if (known === undefined) enter(child);
      else {
        frame.height = Math.max(frame.height, known + 1);
        checkLimit("maxPickleDepth", path.length + known, "pickled value (nesting)", limits);
      }
      continue;
    }
    path.pop();
    heights.set(frame.value, frame.height);
    const parent = path[path.length - 1];
    if (parent) parent.height = Math.max(parent.height, frame.height + 1);
  }
  return undefined;
}
