/** @file Points-to graph of values: elements, what they may point to and what they hold. Upstream: torch/csrc/jit/passes/utils/memory_dag.cpp. Spec: none. */
import { internalAssert } from "../base/errors.ts";
import type { Value } from "./graph.ts";

/** One thing in memory, or a pointer to such things. Values that alias the same may share an element. */
export interface Element {
  readonly index: number;
  /** Elements that this one may be. Absent: it is a memory location of its own. Most elements are, so that sets are made late. */
  pointsTo: Set<number> | undefined;
  /** Elements inside this one. */
  contained: Set<number> | undefined;
  /** The element's value; undefined for wildcards. */
  readonly value: Value | undefined;
}

/** Memory locations by element index. */
export type Locations = Set<number>;

/** Whether two sets of locations meet. */
export function intersects(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  const [small, large] = a.size <= b.size ? [a, b] : [b, a];
  for (const x of small) if (large.has(x)) return true;
  return false;
}

/** Adds the members of `from` to `to`. */
export function addAll<E>(to: Set<E>, from: Iterable<E>): void {
  for (const x of from) to.add(x);
}

/** The points-to graph. Build it first; the first question fixes it. */
export class MemoryDag {
  private readonly elements: Element[] = [];
  private readonly locations = new Map<Element, Locations>();

  /** A new element for a value, or for a wildcard. */
  makeElement(value?: Value): Element {
    const element: Element = { index: this.elements.length, pointsTo: undefined, contained: undefined, value };
    this.elements.push(element);
    return element;
  }
  makePointer(from: Element, to: Element): void {
    if (from !== to) (from.pointsTo ??= new Set()).add(to.index);
  }
  addContained(inner: Element, container: Element): void {
    internalAssert(inner !== container, "an element cannot hold itself");
    (container.contained ??= new Set()).add(inner.index);
  }
  element(index: number): Element {
    return this.elements[index]!;
  }

  /**
   * Every location that the element may stand for. Computed once for it and for all that it points to: pointers that
   * `setWildcards` adds later do not change what is known, and may close circles.
   */
  locationsOf(element: Element): Locations {
    const known = this.locations.get(element);
    if (known) return known;
    if (!element.pointsTo) {
      const own: Locations = new Set([element.index]);
      this.locations.set(element, own);
      return own;
    }
    const stack = [element];
    const open = new Set<Element>();
    for (let next = stack.at(-1); next; next = stack.at(-1)) {
      if (this.locations.has(next)) {
        stack.pop();
        continue;
      }
      const pending = open.has(next)
        ? []
        : [...(next.pointsTo ?? [])].map((i) => this.element(i)).filter((e) => !this.locations.has(e) && !open.has(e));
      open.add(next);
      if (pending.length > 0) {
        stack.push(...pending);
        continue;
      }
      const found: Locations = new Set();
      if (!next.pointsTo) found.add(next.index);
      for (const to of next.pointsTo ?? []) addAll(found, this.locations.get(this.element(to)) ?? []);
      this.locations.set(next, found);
      stack.pop();
    }
    return this.locations.get(element)!;
  }

  /** Locations of the element and of everything inside it. */
  collectContained(element: Element, out: Locations): void {
    const queue = [element];
    for (let next = queue.pop(); next; next = queue.pop()) {
      if (out.has(next.index)) continue;
      out.add(next.index);
      for (const location of this.locationsOf(next)) queue.push(this.element(location));
      for (const inner of next.contained ?? []) queue.push(this.element(inner));
    }
  }

  mayAlias(a: Element, b: Element): boolean {
    return intersects(this.locationsOf(a), this.locationsOf(b));
  }
  mayContainAlias(a: readonly Element[], b: readonly Element[]): boolean {
    if (a.length === 0 || b.length === 0) return false;
    const left: Locations = new Set();
    const right: Locations = new Set();
    for (const element of a) this.collectContained(element, left);
    for (const element of b) this.collectContained(element, right);
    return intersects(left, right);
  }

  /**
   * Makes everything that a wildcard value may stand for point to the wildcard of its type. Locations known before keep their
   * own index beside the wildcard's: two values of one origin still alias.
   */
  setWildcards(
    wildcards: Iterable<Value>,
    elementOf: (value: Value) => Element,
    wildcardOf: (value: Value) => Element | undefined,
  ): void {
    const edited = new Map<Element, Locations>();
    for (const value of wildcards) {
      const wildcard = wildcardOf(value);
      if (!wildcard) continue;
      const pointees = this.locationsOf(elementOf(value));
      for (const pointee of pointees) this.makePointer(this.element(pointee), wildcard);
      let known = edited.get(wildcard);
      if (!known) edited.set(wildcard, (known = new Set()));
      addAll(known, pointees);
    }
    for (const element of this.elements) {
      const { value } = element;
      const wildcard = value && wildcardOf(value);
      const changed = wildcard && edited.get(wildcard);
      if (!changed) continue;
      const locations = this.locationsOf(element);
      if (intersects(locations, changed)) locations.add(wildcard.index);
    }
  }
}
