/** @file Binding of a schema's type variables to the types of actual arguments. Upstream: aten/src/ATen/core/type.cpp (matchTypeVariables). Spec: none. */
import { internalAssert } from "../base/errors.ts";
import { hasFreeVariables, isSubtypeOf, NoneT, typeReprStr, unifyTypeList, unifyTypes, type Type } from "./type.ts";

/** Bindings of type variables by name. */
export type TypeEnv = Map<string, Type>;

const CONTAINER_NAMES: Readonly<Record<string, string>> = {
  Future: "a future",
  Await: "an await",
  RRef: "a rref",
  Dict: "a dict",
  Tuple: "a tuple",
};

/** Binds the variables of `formal` to what stands there in `actual`; gives the reason where the two do not match. */
export function matchTypeVariables(formal: Type, actual: Type, env: TypeEnv): string | undefined {
  if (!hasFreeVariables(formal)) return undefined;
  switch (formal.kind) {
    case "Var": {
      const bound = env.get(formal.name);
      if (!bound) {
        env.set(formal.name, actual);
        return undefined;
      }
      // whether the binding is wide enough is checked when the argument is converted
      if (unifyTypes(bound, actual)) return undefined;
      return `Type variable '${formal.name}' previously matched to type ${typeReprStr(bound)} is matched to type ${typeReprStr(actual)}`;
    }
    case "List": {
      if (actual.kind === "List") return matchTypeVariables(formal.element, actual.element, env);
      if (actual.kind === "Tuple") {
        const unified = unifyTypeList(actual.elements);
        if (unified) return matchTypeVariables(formal.element, unified, env);
      }
      return `Cannot match ${typeReprStr(formal)} to ${typeReprStr(actual)}`;
    }
    case "Tuple": {
      if (actual.kind !== "Tuple") break;
      if (formal.elements.length !== actual.elements.length) return "Cannot match tuples of mismatched size";
      for (let i = 0; i < formal.elements.length; i++) {
        const reason = matchTypeVariables(formal.elements[i]!, actual.elements[i]!, env);
        if (reason !== undefined) return reason;
      }
      return undefined;
    }
    case "Future":
    case "Await":
    case "RRef":
      if (actual.kind === formal.kind) return matchTypeVariables(formal.element, actual.element, env);
      break;
    case "Optional":
      if (actual.kind === "Optional") return matchTypeVariables(formal.element, actual.element, env);
      // None says nothing of the variable: whether it gets bound elsewhere shows when the type is evaluated
      if (isSubtypeOf(actual, NoneT)) return undefined;
      return matchTypeVariables(formal.element, actual, env);
    case "Dict":
      if (actual.kind === "Dict")
        return matchTypeVariables(formal.key, actual.key, env) ?? matchTypeVariables(formal.value, actual.value, env);
      break;
    default:
      internalAssert(false, `type variable inside ${formal.kind}`);
  }
  return `Cannot match ${CONTAINER_NAMES[formal.kind]!} to ${typeReprStr(actual)}`;
}
