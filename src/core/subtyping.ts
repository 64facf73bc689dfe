/** @file Relations of types: equality, unions, subtyping, unification, type variables. Upstream: aten/src/ATen/core/type.cpp, union_type.cpp. Spec: spec/types.md. */
import type { FunctionSchema } from "./schema.ts";
import {
  type TypeKind,
  type Type,
  type TensorDetail,
  type TensorType,
  type DictType,
  type UnionType,
  type TupleType,
  type WrapperType,
  type VarType,
  type FunctionType,
  ClassType,
  InterfaceType,
  EnumType,
  TensorT,
  IntT,
  FloatT,
  ComplexT,
  NumberT,
  NoneT,
  listOf,
  dictOf,
  optionalOf,
  tupleOf,
  futureOf,
  containedAlternatives,
  containedTypes,
} from "./type_kinds.ts";
import { typeStr, holdsNumber } from "./type_text.ts";

/** Order of `c10::TypeKind`, by which the members of a union are sorted. */
const KIND_ORDER: readonly TypeKind[] = [
  "Any",
  "Enum",
  "AnyEnum",
  "Tensor",
  "Storage",
  "Tuple",
  "List",
  "Dict",
  "Number",
  "Float",
  "Complex",
  "Future",
  "Await",
  "RRef",
  "Int",
  "None",
  "String",
  "Generator",
  "Bool",
  "Optional",
  "Var",
  "Device",
  "Stream",
  "Function",
  "Class",
  "Capsule",
  "Interface",
  "QScheme",
  "AnyList",
  "AnyTuple",
  "AnyClass",
  "Union",
];

function flattenUnion(type: Type, out: Type[]): void {
  if (type.kind === "Union") for (const member of type.members) flattenUnion(member, out);
  else if (type.kind === "Optional") {
    flattenUnion(type.element, out);
    out.push(NoneT);
  } else if (type.kind === "Number") out.push(IntT, FloatT, ComplexT);
  else out.push(type);
}

/** Types as a union holds them: flattened, unified where one fits the other, sorted. Mirrors `standardizeVectorForUnion`. */
export function standardizeUnion(given: readonly Type[]): Type[] {
  const types: Type[] = [];
  for (const type of given) flattenUnion(type, types);
  const isNone = (t: Type): boolean => isSubtypeOf(t, NoneT);
  let end = types.length - 1;
  for (let i = types.length - 1; i > 0; i--) {
    for (let j = Math.min(i - 1, end); j >= 0; j--) {
      const a = types[i]!;
      const b = types[j]!;
      // None stays apart: an Optional would keep other types from unifying
      const unified = isNone(a) === isNone(b) ? unifyTypes(a, b) : undefined;
      if (!unified) continue;
      types[j] = unified;
      types[i] = types[end]!;
      end--;
      break;
    }
  }
  types.length = Math.max(0, end + 1);
  const text = new Map(types.map((t) => [t, typeStr(t)]));
  return types.sort(
    (a, b) =>
      KIND_ORDER.indexOf(a.kind) - KIND_ORDER.indexOf(b.kind) ||
      (text.get(a)! < text.get(b)! ? -1 : text.get(a)! > text.get(b)! ? 1 : 0),
  );
}

/**
 * Union of types, standardized; `Optional[T]` where it is T and None only. The union of int, float and complex stays one:
 * it equals the type number and prints as `Union[number]`.
 */
export function unionOf(types: readonly Type[]): Type {
  const members = standardizeUnion(types);
  const none = members.findIndex((t) => t.kind === "None");
  if (holdsNumber(members) && members.length === 4 && none >= 0) return { kind: "Optional", element: NumberT };
  if (members.length === 1) return members[0]!;
  if (members.length === 2 && none >= 0) return { kind: "Optional", element: members[1 - none]! };
  return { kind: "Union", members };
}

/** Structural equality; classes by identity. */
export function typesEqual(a: Type, b: Type): boolean {
  if (a === b) return true;
  if (a.kind !== b.kind) {
    const union = a.kind === "Number" ? b : b.kind === "Number" ? a : undefined;
    return union?.kind === "Union" && union.members.length === 3 && holdsNumber(union.members);
  }
  switch (a.kind) {
    case "List":
    case "Future":
    case "Await":
    case "RRef":
    case "Optional":
      return typesEqual(a.element, (b as WrapperType).element);
    case "Dict":
      return typesEqual(a.key, (b as DictType).key) && typesEqual(a.value, (b as DictType).value);
    case "Union": {
      const other = (b as UnionType).members;
      return (
        a.members.length === other.length &&
        a.members.every((t) => other.some((o) => typesEqual(t, o))) &&
        other.every((t) => a.members.some((o) => typesEqual(t, o)))
      );
    }
    case "Tuple": {
      const other = b as TupleType;
      if (a.elements.length !== other.elements.length) return false;
      if ((a.fieldNames === undefined) !== (other.fieldNames === undefined)) return false;
      if (
        a.fieldNames &&
        (a.name?.qualifiedName !== other.name?.qualifiedName || a.fieldNames.some((f, i) => f !== other.fieldNames![i]))
      ) {
        return false;
      }
      return a.elements.every((t, i) => typesEqual(t, other.elements[i]!));
    }
    case "Var":
      return a.name === (b as VarType).name;
    case "Function":
      return a.fn === (b as FunctionType).fn;
    case "Class":
    case "Interface":
      return false;
    case "Enum":
      return (
        a.name.qualifiedName === (b as EnumType).name.qualifiedName &&
        typesEqual(a.valueType, (b as EnumType).valueType)
      );
    case "Tensor":
      return JSON.stringify(a.detail) === JSON.stringify((b as TensorType).detail);
    default:
      return true;
  }
}

/** Collects why a type is not a subtype. */
export interface WhyNot {
  text: string;
}

/** Whether a value of type `a` can stand where `b` is asked for. Mirrors `Type::isSubtypeOfExt`. */
export function isSubtypeOf(a: Type, b: Type, whyNot?: WhyNot): boolean {
  if (b.kind === "Any" || typesEqual(a, b)) return true;
  switch (a.kind) {
    case "Union":
    case "Optional": {
      if (a.kind === "Optional" && b.kind === "Optional") return isSubtypeOf(a.element, b.element, whyNot);
      if (b.kind !== "Union" && b.kind !== "Optional" && !(a.kind === "Union" && b.kind === "Number")) return false;
      return containedAlternatives(a).every((m) => isSubtypeOf(m, b, whyNot));
    }
    case "Int":
    case "Float":
    case "Complex":
      if (b.kind === "Number") return true;
      break;
    case "Tensor":
      if (b.kind === "Tensor") return tensorSubtype(a, b);
      break;
    case "List":
      if (b.kind === "AnyList") return true;
      break;
    case "Tuple":
      if (b.kind === "AnyTuple") return true;
      if (b.kind === "Tuple") return tupleSubtype(a, b, whyNot);
      break;
    case "Future":
    case "Await":
      if (b.kind === a.kind) return isSubtypeOf(a.element, b.element, whyNot);
      break;
    case "RRef":
      if (b.kind === "RRef") return isSubtypeOf(a.element, b.element, whyNot);
      break;
    case "Enum":
      if (b.kind === "AnyEnum") return true;
      break;
    case "Class":
      if (b.kind === "AnyClass") return true;
      if (b.kind === "Interface") return classImplements(a, b, whyNot);
      break;
    case "Interface":
      if (b.kind === "Interface") return interfaceSubtype(a, b, whyNot);
      break;
    default:
      break;
  }
  if (b.kind === "Optional") return a.kind === "None" || isSubtypeOf(a, b.element, whyNot);
  if (b.kind === "Union") return b.members.some((m) => isSubtypeOf(a, m, whyNot));
  return false;
}

function tensorSubtype(a: TensorType, b: TensorType): boolean {
  const want = b.detail;
  if (!want) return true;
  const have = a.detail ?? {};
  return (Object.keys(want) as (keyof TensorDetail)[]).every(
    (k) => JSON.stringify(want[k]) === JSON.stringify(have[k]),
  );
}

function tupleSubtype(a: TupleType, b: TupleType, whyNot?: WhyNot): boolean {
  // an unnamed tuple is not a NamedTuple, but a NamedTuple is a tuple
  if (a.fieldNames === undefined && b.fieldNames !== undefined) return false;
  if (a.elements.length !== b.elements.length) return false;
  if (a.fieldNames && b.fieldNames) {
    // torch compares the field names of the two schemas
    if (a.fieldNames.some((f, i) => f !== b.fieldNames![i])) return false;
  }
  return a.elements.every((t, i) => isSubtypeOf(t, b.elements[i]!, whyNot));
}

/** Replaced by `src/core/schema.ts` with schema subtyping; a hook keeps the import graph acyclic. */
let schemaSubtype: (a: FunctionSchema, b: FunctionSchema, asMethod: boolean, whyNot?: WhyNot) => boolean = () => false;
/** Installs schema subtyping. */
export function setSchemaSubtype(fn: typeof schemaSubtype): void {
  schemaSubtype = fn;
}

function classImplements(cls: ClassType, iface: InterfaceType, whyNot?: WhyNot): boolean {
  if (!cls.isModule && iface.isModule) {
    if (whyNot)
      whyNot.text += `Class '${cls.name.qualifiedName}' is not a subtype of the module interface '${iface.name.qualifiedName}' , only ScriptModule class can be subtype of module interface.\n`;
    return false;
  }
  for (const schema of iface.methods) {
    const method = cls.findMethod(schema.name);
    if (!method) {
      if (whyNot)
        whyNot.text += `Class '${cls.name.qualifiedName}' does not have method '${schema.name}' but '${iface.name.qualifiedName}' does.\n`;
      return false;
    }
    if (!schemaSubtype(method.schema, schema, true, whyNot)) {
      if (whyNot)
        whyNot.text += `Method on class '${cls.name.qualifiedName}' (1) is not compatible with interface '${iface.name.qualifiedName}' (2)\n`;
      return false;
    }
  }
  return true;
}

function interfaceSubtype(a: InterfaceType, b: InterfaceType, whyNot?: WhyNot): boolean {
  if (!a.isModule && b.isModule) return false;
  return b.methods.every((schema) => {
    const own = a.findMethod(schema.name);
    return own !== undefined && schemaSubtype(own, schema, true, whyNot);
  });
}

/** Tensor types lose what a trace knew; other types stay. Mirrors `unshapedType`. */
export function unshapedType(type: Type): Type {
  switch (type.kind) {
    case "Tensor":
      return type.detail ? TensorT : type;
    case "List":
      return listOf(unshapedType(type.element));
    case "Optional":
      return optionalOf(unshapedType(type.element));
    case "Dict":
      return dictOf(unshapedType(type.key), unshapedType(type.value));
    case "Tuple":
      return type.name ? type : tupleOf(type.elements.map(unshapedType));
    case "Future":
    case "Await":
    case "RRef":
      return { kind: type.kind, element: unshapedType(type.element) };
    default:
      return type;
  }
}

/** The narrowest type that both fit, or undefined. Mirrors `unifyTypes`. */
export function unifyTypes(a: Type, b: Type, defaultToUnion = false, hint?: Type): Type | undefined {
  const unified = unifyTypesWithoutUnion(a, b, defaultToUnion, hint);
  if (unified || !defaultToUnion) return unified;
  return unionOf([a, b]);
}

function unifyTypesWithoutUnion(a: Type, b: Type, defaultToUnion: boolean, hint?: Type): Type | undefined {
  if (isSubtypeOf(a, b)) return b;
  if (isSubtypeOf(b, a)) return a;
  if (a.kind === "Tensor" && b.kind === "Tensor") return TensorT;
  if (a.kind === "None" && b.kind !== "None") return optionalOf(b);
  if (b.kind === "None" && a.kind !== "None") return optionalOf(a);
  if (a.kind === "Optional" && b.kind !== "Optional") {
    const inner = unifyTypesWithoutUnion(a.element, b, defaultToUnion, hint);
    return inner && optionalOf(inner);
  }
  if (b.kind === "Optional" && a.kind !== "Optional") {
    const inner = unifyTypesWithoutUnion(b.element, a, defaultToUnion, hint);
    return inner && optionalOf(inner);
  }
  if (a.kind === "Tuple" && b.kind === "Tuple") {
    if (a.elements.length !== b.elements.length) return undefined;
    const elements: Type[] = [];
    for (let i = 0; i < a.elements.length; i++) {
      const element = unifyTypes(a.elements[i]!, b.elements[i]!, defaultToUnion);
      if (!element) return undefined;
      elements.push(element);
    }
    return tupleOf(elements);
  }
  if (a.kind === "Future" && b.kind === "Future") {
    const inner = unifyTypes(a.element, b.element);
    return inner && futureOf(inner);
  }
  // lists and dicts of tensors that differ only in what a trace knew of them
  const plainA = unshapedType(a);
  const plainB = unshapedType(b);
  if (isSubtypeOf(plainA, plainB)) return plainB;
  if (isSubtypeOf(plainB, plainA)) return plainA;
  if (hint && isSubtypeOf(a, hint) && isSubtypeOf(b, hint)) return hint;
  return undefined;
}

/** Unifies many types; undefined where it fails or the list is empty. Mirrors `unifyTypeList`. */
export function unifyTypeList(types: readonly Type[], defaultToUnion = false, hint?: Type): Type | undefined {
  let result = types[0];
  for (let i = 1; i < types.length && result; i++) result = unifyTypes(result, types[i]!, defaultToUnion, hint);
  return result;
}

/** Whether a type mentions a type variable. */
export function hasFreeVariables(type: Type): boolean {
  return type.kind === "Var" || containedTypes(type).some(hasFreeVariables);
}

/** Replaces type variables; undefined where one has no binding. */
export function evalTypeVariables(type: Type, env: ReadonlyMap<string, Type>): Type | undefined {
  if (type.kind === "Var") return env.get(type.name);
  if (!hasFreeVariables(type)) return type;
  const parts = containedTypes(type).map((t) => evalTypeVariables(t, env));
  if (parts.some((t) => t === undefined)) return undefined;
  const p = parts as Type[];
  switch (type.kind) {
    case "List":
      return listOf(p[0]!);
    case "Optional":
      return optionalOf(p[0]!);
    case "Dict":
      return dictOf(p[0]!, p[1]!);
    case "Tuple":
      return type.name ? { ...type, elements: p } : tupleOf(p);
    case "Future":
    case "Await":
    case "RRef":
      return { kind: type.kind, element: p[0]! };
    case "Union":
      return unionOf(p);
    default:
      return type;
  }
}

/** Types whose values are shared by reference and can change: alias analysis follows them. */
export function isMutableType(type: Type): boolean {
  switch (type.kind) {
    case "Tensor":
    case "List":
    case "Dict":
    case "Class":
    case "Interface":
    case "Any":
    case "AnyList":
    case "AnyTuple":
    case "AnyClass":
    case "Future":
    case "Await":
    case "RRef":
    case "Capsule":
    case "Generator":
    case "Storage":
    case "Stream":
    case "Var":
      return true;
    case "Optional":
    case "Union":
    case "Tuple":
      return containedTypes(type).some(isMutableType);
    default:
      return false;
  }
}
