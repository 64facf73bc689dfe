/** @file Which operator a node means: the schema that the front end chose, or the first overload that takes its inputs' types. Upstream: torch/csrc/jit/runtime/operator.cpp (matches). Spec: none. */
import { UnsupportedError } from "../base/errors.ts";
import { findOperator, schemasFor, type OperatorEntry } from "../core/operator_registry.ts";
import { operatorName, type FunctionSchema } from "../core/schema.ts";
import {
  evalTypeVariables,
  hasFreeVariables,
  isSubtypeOf,
  typeStr,
  typesEqual,
  unifyTypeList,
  type Type,
} from "../core/type.ts";
import type { Node } from "../ir/graph.ts";

/** An operator with its type variables replaced by what the inputs say. */
export interface ResolvedOperator {
  readonly entry: OperatorEntry;
  readonly schema: FunctionSchema;
  /** Type that each input is passed as. */
  readonly argTypes: readonly Type[];
  readonly returnTypes: readonly Type[];
}

/** Binds type variables of `formal` to parts of `actual`; false where they contradict. */
function bind(formal: Type, actual: Type, env: Map<string, Type>): boolean {
  if (!hasFreeVariables(formal)) return true;
  switch (formal.kind) {
    case "Var": {
      const known = env.get(formal.name);
      if (!known) {
        env.set(formal.name, actual);
        return true;
      }
      return typesEqual(known, actual) || isSubtypeOf(actual, known);
    }
    case "List": {
      if (actual.kind === "List") return bind(formal.element, actual.element, env);
      if (actual.kind !== "Tuple") return false;
      const element = unifyTypeList(actual.elements);
      return element !== undefined && bind(formal.element, element, env);
    }
    case "Dict":
      return actual.kind === "Dict" && bind(formal.key, actual.key, env) && bind(formal.value, actual.value, env);
    case "Optional":
      if (actual.kind === "None") return true;
      return bind(formal.element, actual.kind === "Optional" ? actual.element : actual, env);
    case "Future":
    case "Await":
    case "RRef":
      return actual.kind === formal.kind && bind(formal.element, actual.element, env);
    case "Tuple":
      return (
        actual.kind === "Tuple" &&
        actual.elements.length === formal.elements.length &&
        formal.elements.every((f, i) => bind(f, actual.elements[i]!, env))
      );
    default:
      return true;
  }
}

/** Types of a schema's arguments and returns for given inputs, or undefined where it does not take them. */
function matchSchema(
  schema: FunctionSchema,
  actuals: readonly Type[],
  strict: boolean,
): Pick<ResolvedOperator, "argTypes" | "returnTypes"> | undefined {
  const { args } = schema;
  if (actuals.length < args.length || (actuals.length > args.length && !schema.isVararg)) return undefined;
  const env = new Map<string, Type>();
  const argTypes: Type[] = [];
  for (let i = 0; i < actuals.length; i++) {
    const actual = actuals[i]!;
    const formal = args[i]?.type;
    if (!formal) {
      argTypes.push(actual);
      continue;
    }
    if (!bind(formal, actual, env) && strict) return undefined;
    const wanted = evalTypeVariables(formal, env) ?? actual;
    if (strict && !isSubtypeOf(actual, wanted) && !(wanted.kind === "List" && actual.kind === "Tuple"))
      return undefined;
    argTypes.push(wanted);
  }
  return {
    argTypes,
    returnTypes: schema.returns.map((r, i) => evalTypeVariables(r.type, env) ?? schema.returns[i]!.type),
  };
}

/** The operator of a node. @throws UnsupportedError with the source line where there is none. */
export function resolveOperator(node: Node): ResolvedOperator {
  const actuals = node.inputs.map((v) => v.type);
  const chosen = node.schema;
  const candidates = chosen ? [chosen] : schemasFor(node.kind);
  let named: FunctionSchema | undefined = chosen;
  for (const schema of candidates) {
    const match = matchSchema(schema, actuals, chosen === undefined);
    if (!match) continue;
    named ??= schema;
    const entry = findOperator(schema);
    if (entry) return { entry, schema, ...match };
    break;
  }
  const name = named ? operatorName(named) : node.kind;
  const what = named
    ? `Cannot compile operator ${name}: tsarchive has no kernel for it`
    : `Cannot compile operator ${name}(${actuals.map(typeStr).join(", ")}): no overload takes these types (${candidates.length} overloads)`;
  throw new UnsupportedError(name, what, node.sourceRange);
}
