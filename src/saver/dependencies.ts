/** @file The named types and functions that printed code mentions, in the order of mention. Upstream: torch/csrc/jit/serialization/python_print.cpp (PrintDepsTable). Spec: spec/printing.md. */
import type { QualifiedName } from "../core/qualified_name.ts";
import {
  containedTypes,
  typesEqual,
  type ClassType,
  type EnumType,
  type FunctionType,
  type InterfaceType,
  type TupleType,
  type Type,
} from "../core/type.ts";

/** A type that has a definition of its own in a code file. */
export type PrintedType = ClassType | InterfaceType | EnumType | TupleType | FunctionType;

/** Narrows a type to those that have a name and a definition. */
export function asPrintedType(type: Type): PrintedType | undefined {
  switch (type.kind) {
    case "Class":
    case "Interface":
    case "Enum":
    case "Function":
      return type;
    case "Tuple":
      return type.name ? type : undefined;
    default:
      return undefined;
  }
}

/** Qualified name of the definition. */
export function definitionName(type: PrintedType): QualifiedName {
  return type.kind === "Function" ? type.fn.qualname : type.name!;
}

/** A map from named types: classes and functions by identity, NamedTuples by structure. */
export class NamedTypeMap<V> {
  private readonly byIdentity = new Map<object, V>();
  private readonly tuples: { readonly type: TupleType; readonly value: V }[] = [];

  get(type: PrintedType): V | undefined {
    const known = this.byIdentity.get(identity(type));
    if (known !== undefined || type.kind !== "Tuple") return known;
    return this.tuples.find((t) => typesEqual(t.type, type))?.value;
  }
  set(type: PrintedType, value: V): void {
    this.byIdentity.set(identity(type), value);
    if (type.kind === "Tuple") this.tuples.push({ type, value });
  }
}

function identity(type: PrintedType): object {
  return type.kind === "Function" ? type.fn : type;
}

/** The list of dependencies; it grows while it is worked off. */
export class Dependencies {
  readonly types: PrintedType[] = [];
  private readonly known = new NamedTypeMap<true>();
  private readonly registered = new Set<Type>();

  add(type: PrintedType): void {
    if (this.known.get(type)) return;
    this.known.set(type, true);
    this.types.push(type);
  }

  /** Adds a type and what it contains: the elements of containers, the attributes of classes. */
  register(type: Type): void {
    if (type.kind !== "Tensor" && !this.registered.has(type)) this.registerNew(type);
  }

  private registerNew(type: Type): void {
    this.registered.add(type);
    const named = asPrintedType(type);
    if (named && named.kind !== "Function") this.add(named);
    if (type.kind === "Class") for (const attribute of type.attributes) this.register(attribute.type);
    else for (const inner of containedTypes(type)) this.register(inner);
  }
}
