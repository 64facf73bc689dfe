/** @file What an annotation such as `Optional[List[int]]` or `Union[List[int], str]` says of a list or dict expression. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp (refineAndSet...). Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";
import * as T from "../../core/type.ts";
import type { DictType, Type } from "../../core/type.ts";

/** A hint narrowed to the container, or the containers of a union that are all still possible. */
export interface ContainerHint {
  readonly refined: Type;
  /** Not empty: `refined` is a union still, and the elements will decide. */
  readonly candidates: readonly Type[];
}

/** Narrows a hint to a list or dict. `isDictCall`: for `dict(...)`, where anything goes. Throws ScriptError where the hint has no place for one. */
export function refineHint(hint: Type, what: "List" | "Dict", range: SourceRange, isDictCall = false): ContainerHint {
  const matches = (t: Type): boolean => t.kind === what || (what === "List" && T.isSubtypeOf(t, T.AnyListT));
  let refined = hint;
  let candidates: readonly Type[] = [];
  if (hint.kind === "Union") {
    const fitting = hint.members.filter(matches);
    if (!isDictCall && fitting.length === 0) {
      throw new ScriptError(
        `Expected an Union type annotation with an inner ${what} type, but got ${T.typeReprStr(hint)}`,
        range,
      );
    }
    if (fitting.length === 1) refined = fitting[0]!;
    else candidates = fitting;
  } else if (hint.kind === "Optional") refined = hint.element;
  if (isDictCall) return { refined, candidates };
  if (candidates.length === 0 && !matches(refined) && refined.kind !== "Any") {
    throw new ScriptError(`Expected an annotation of type ${what} but got ${T.typeReprStr(hint)}`, range);
  }
  return { refined, candidates };
}

function candidateText(candidates: readonly Type[]): string {
  return candidates
    .map((c, i) => {
      const comma = i > 0 && candidates.length > 2 ? ", " : "";
      const or = i !== 0 && i === candidates.length - 1 ? " or " : "";
      return comma + or + T.typeReprStr(c);
    })
    .join("");
}

/** The list type of the candidates that holds elements of a type. */
export function chooseList(candidates: readonly Type[], hint: Type, element: Type, range: SourceRange): Type {
  let greatest: Type | undefined;
  for (const candidate of candidates) {
    if (candidate.kind !== "List" || !T.isSubtypeOf(element, candidate.element)) continue;
    greatest = greatest ? T.unifyTypes(greatest, candidate.element) : candidate.element;
  }
  if (!greatest) {
    throw new ScriptError(
      `Union type annotation \`${T.typeReprStr(hint)}\` can hold ${candidateText(candidates)}, but none of those types match the types of the given list elements, which were unified to ${T.typeReprStr(element)}`,
      range,
    );
  }
  return T.listOf(greatest);
}

/** The dict type of the candidates that holds keys and values of two types. */
export function chooseDict(
  candidates: readonly Type[],
  hint: Type,
  key: Type,
  value: Type,
  range: SourceRange,
): DictType {
  let chosen: DictType | undefined;
  for (const candidate of candidates) {
    if (candidate.kind !== "Dict" || !T.isSubtypeOf(key, candidate.key) || !T.isSubtypeOf(value, candidate.value))
      continue;
    if (!chosen || (T.isSubtypeOf(chosen.key, candidate.key) && T.isSubtypeOf(chosen.value, candidate.value)))
      chosen = candidate;
  }
  if (!chosen) {
    throw new ScriptError(
      `Union type annotation \`${T.typeReprStr(hint)}\` can hold ${candidateText(candidates)}, but none of those dict types can hold the types of the given keys and values, which were unified to Dict[${T.typeReprStr(key)}, ${T.typeReprStr(value)}`,
      range,
    );
  }
  return chosen;
}
