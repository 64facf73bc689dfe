/** @file What hangs on nodes: attributes, scopes, call stacks, and which names values may have. Upstream: torch/csrc/jit/ir/attributes.h, scope.h. Spec: none. */
import type { SourceRange } from "../base/source_range.ts";
import type { Type } from "../core/type.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** An attribute of a node. `ival` holds any IValue. */
export type Attribute<G = unknown> =
  | { readonly kind: "i"; readonly value: number | bigint }
  | { readonly kind: "f"; readonly value: number }
  | { readonly kind: "c"; readonly value: { readonly re: number; readonly im: number } }
  | { readonly kind: "s"; readonly value: string }
  | { readonly kind: "t"; readonly value: Tensor }
  | { readonly kind: "g"; readonly value: G }
  | { readonly kind: "ty"; readonly value: Type }
  | { readonly kind: "is"; readonly value: readonly (number | bigint)[] }
  | { readonly kind: "fs"; readonly value: readonly number[] }
  | { readonly kind: "ss"; readonly value: readonly string[] }
  | { readonly kind: "ts"; readonly value: readonly Tensor[] }
  | { readonly kind: "gs"; readonly value: readonly G[] }
  | { readonly kind: "tys"; readonly value: readonly Type[] }
  | { readonly kind: "ival"; readonly value: unknown };
export type AttributeKind = Attribute["kind"];

/** The attributes of a node that has none. */
export const NO_ATTRIBUTES: ReadonlyMap<string, never> = new Map<string, never>();

type Attributes<G> = ReadonlyMap<string, Attribute<G>>;

/** Attributes, and copies of others: graphs among them are copied. The others themselves where that is all. */
export function withCopies<G extends { copy(): G }>(own: Attributes<G>, others: Attributes<G>): Attributes<G> {
  if (own.size === 0 && !holdsGraphs(others)) return others;
  const all = new Map(own);
  for (const [name, attribute] of others) {
    if (attribute.kind === "g") all.set(name, { kind: "g", value: attribute.value.copy() });
    else if (attribute.kind === "gs") all.set(name, { kind: "gs", value: attribute.value.map((g) => g.copy()) });
    else all.set(name, attribute);
  }
  return all;
}

function holdsGraphs(attributes: Attributes<unknown>): boolean {
  for (const { kind } of attributes.values()) if (kind === "g" || kind === "gs") return true;
  return false;
}

/** A call on the way to an inlined node. */
export interface InlinedCall {
  readonly caller: InlinedCall | undefined;
  /** Function that was inlined. */
  readonly functionName: string;
  readonly range: SourceRange | undefined;
  /** Module instance path, where known. */
  readonly moduleInfo?: { readonly typeName: string; readonly instanceName: string };
  /** The object whose method it is, in graphs that are made for a profile. */
  readonly self?: object;
}

/** Where a traced node belongs in the module hierarchy. */
export class Scope {
  readonly parent: Scope | undefined;
  readonly name: string;
  constructor(parent?: Scope, name = "") {
    this.parent = parent;
    this.name = name;
  }
  /** Names from the root, joined by `/`. */
  path(separator = "/"): string {
    if (!this.parent) return "";
    const outer = this.parent.path(separator);
    return outer ? `${outer}${separator}${this.name}` : this.name;
  }
}

const NUMBER_NAME = /^[0-9]+$/;

/** Whether a debug name may be given: anything but a pure number. Attribute names such as `block1-0` reach the graph as they are. */
export function isValidDebugName(name: string): boolean {
  return !NUMBER_NAME.test(name);
}

/** A name without the number that made it unique: `x.12` is `x` and 12. */
export function splitName(name: string): { readonly base: string; readonly number: number | undefined } {
  const dot = name.lastIndexOf(".");
  const suffix = name.slice(dot + 1);
  if (dot < 0 || !NUMBER_NAME.test(suffix)) return { base: name, number: undefined };
  return { base: name.slice(0, dot), number: Number(suffix) };
}
