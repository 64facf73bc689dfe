/** @file Which types alias analysis follows, and which of them can stand for each other. Upstream: torch/csrc/jit/ir/alias_analysis.cpp. Spec: none. */
import * as T from "../core/type.ts";
import type { Type } from "../core/type.ts";

/** Types of the mutable things that a value of the type can be; undefined for immutable types. */
export function aliasTypes(type: Type): readonly Type[] | undefined {
  switch (type.kind) {
    case "List":
    case "Dict":
    case "Class":
    case "Tensor":
      return [T.unshapedType(type)];
    case "Union": {
      const inner = T.containedTypes(type).flatMap((t) => aliasTypes(t) ?? []);
      return inner.length === 0 ? undefined : inner;
    }
    case "Optional":
      return aliasTypes(type.element);
    case "Any":
      return [type];
    case "Future":
    case "Await": {
      const inner = aliasTypes(type.element);
      return inner && [{ kind: type.kind, element: single(inner) }];
    }
    case "Tuple": {
      // a tuple cannot change, but what it holds can
      const inner = type.elements.flatMap((t) => aliasTypes(t) ?? []);
      return inner.length === 0 ? undefined : [T.tupleOf(inner)];
    }
    default:
      return undefined;
  }
}

function single(types: readonly Type[]): Type {
  return types.length === 1 ? types[0]! : T.unionOf(types);
}

/** Whether values of the type can be changed, or hold something that can. */
export function isMutableType(type: Type): boolean {
  return aliasTypes(type) !== undefined;
}

/** A text that is the same for types whose values share a wildcard. */
export function wildcardKey(types: readonly Type[]): string {
  return T.annotationStr(single(types));
}
