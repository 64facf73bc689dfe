/** @file Which conversion a value needs where it flows from one static type to another. Upstream: none. Spec: none. See Note [IValue forms]. */
import { coerce, isDynamicType, needsCoercion } from "../core/ivalue.ts";
import type { Type } from "../core/type.ts";
import { Float, boxFloat } from "../tensor/scalar.ts";

export type Converter = (value: unknown) => unknown;

const box: Converter = (v) => (typeof v === "number" ? boxFloat(v) : v);
const unbox: Converter = (v) => (v instanceof Float ? v.value : v);

function mayBeFloat(type: Type): boolean {
  return type.kind === "Float" || type.kind === "Var" || (type.kind === "Optional" && mayBeFloat(type.element));
}

/** The conversion of a value of type `from` for a place of type `to`, or undefined where its form is right already. */
export function converterFor(from: Type, to: Type): Converter | undefined {
  if (!needsCoercion(from, to)) return undefined;
  if (isDynamicType(from) && !isDynamicType(to)) return mayBeFloat(to) ? unbox : undefined;
  if (isDynamicType(to) && mayBeFloat(from)) return box;
  // values of prim::Uninitialized are never looked at
  return (v) => (v === undefined ? v : coerce(v, from, to));
}

/** An int as kernels with plain numbers take it: rounded beyond 2^53. */
export const saturateInt: Converter = (v) => (typeof v === "bigint" ? Number(v) : v);
export const saturateList: Converter = (v) => {
  if (!Array.isArray(v)) return saturateInt(v);
  for (let i = 0; i < v.length; i++) if (typeof v[i] === "bigint") return v.map(saturateInt);
  return v;
};

/** The conversion of ints for kernels that do not take bigints. */
export function saturatorFor(type: Type): Converter | undefined {
  const inner = type.kind === "Optional" ? type.element : type;
  if (inner.kind === "Int") return saturateInt;
  return inner.kind === "List" && inner.element.kind === "Int" ? saturateList : undefined;
}

/** Both conversions in turn. */
export function chain(first: Converter | undefined, second: Converter | undefined): Converter | undefined {
  if (!first || !second) return first ?? second;
  return (v) => second(first(v));
}
