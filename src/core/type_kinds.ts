/** @file The kinds of types, their singletons and plain constructors. Upstream: aten/src/ATen/core/jit_type.h. Spec: spec/types.md. */
import { keepShape } from "../base/shapes.ts";
import type { FunctionSchema } from "./schema.ts";
import { QualifiedName } from "./qualified_name.ts";
import { unionOf } from "./subtyping.ts";

/** Kinds without parameters, with the text of `str()` and of annotations. */
// prettier-ignore
export const SIMPLE = {
  Tensor:       ["Tensor", "Tensor"],
  Int:          ["int", "int"],
  Float:        ["float", "float"],
  Complex:      ["complex", "complex"],
  Bool:         ["bool", "bool"],
  String:       ["str", "str"],
  Number:       ["Scalar", "number"],
  None:         ["NoneType", "NoneType"],
  Any:          ["Any", "Any"],
  Device:       ["Device", "Device"],
  Generator:    ["Generator", "Generator"],
  Stream:       ["Stream", "Stream"],
  Storage:      ["Storage", "Storage"],
  Capsule:      ["Capsule", "Capsule"],
  QScheme:      ["QScheme", "QScheme"],
  AnyList:      ["list", "list"],
  AnyTuple:     ["tuple", "tuple"],
  AnyClass:     ["AnyClassType", "AnyClassType"],
  AnyEnum:      ["AnyEnumType", "AnyEnumType"],
} as const;

export type SimpleKind = keyof typeof SIMPLE;
export type TypeKind =
  | SimpleKind
  | "List"
  | "Dict"
  | "Optional"
  | "Union"
  | "Tuple"
  | "Future"
  | "Await"
  | "RRef"
  | "Var"
  | "Function"
  | "Class"
  | "Interface"
  | "Enum";

/** A type. Compare with `typesEqual`; simple types are singletons. */
export type Type =
  | SimpleType
  | TensorType
  | ListType
  | DictType
  | OptionalType
  | UnionType
  | TupleType
  | WrapperType
  | VarType
  | FunctionType
  | ClassType
  | InterfaceType
  | EnumType;

/** A type without parameters. */
export interface SimpleType {
  readonly kind: Exclude<SimpleKind, "Tensor">;
}

/** What a trace knows of a tensor value; all optional. Archives and scripts only ever say `Tensor`. */
export interface TensorDetail {
  /** c10 name of the dtype, e.g. `Float`. */
  readonly scalarType?: string;
  readonly sizes?: readonly (number | null)[];
  readonly strides?: readonly (number | null)[];
  readonly requiresGrad?: boolean;
  readonly device?: string;
}
export interface TensorType {
  readonly kind: "Tensor";
  readonly detail?: TensorDetail;
}
export interface ListType {
  readonly kind: "List";
  readonly element: Type;
}
export interface DictType {
  readonly kind: "Dict";
  readonly key: Type;
  readonly value: Type;
}
export interface OptionalType {
  readonly kind: "Optional";
  readonly element: Type;
}
export interface UnionType {
  readonly kind: "Union";
  /** Members, none of which is a subtype of another. */
  readonly members: readonly Type[];
}
/** A tuple; a NamedTuple has `name` and `fieldNames`. */
export interface TupleType {
  readonly kind: "Tuple";
  readonly elements: readonly Type[];
  readonly name?: QualifiedName;
  readonly fieldNames?: readonly string[];
  /** Defaults of the last fields of a NamedTuple (IValues). */
  readonly fieldDefaults?: readonly unknown[];
}
export interface WrapperType {
  readonly kind: "Future" | "Await" | "RRef";
  readonly element: Type;
}
export interface VarType {
  readonly kind: "Var";
  readonly name: string;
}
/** The type of a function constant. */
export interface FunctionType {
  readonly kind: "Function";
  /** A `ScriptFunction` of `src/ir`. */
  readonly fn: { readonly qualname: QualifiedName };
}

/** Attribute of a class. */
export interface ClassAttribute {
  readonly name: string;
  readonly type: Type;
  readonly isParameter: boolean;
  readonly isBuffer: boolean;
}
/** What a class needs to know of a compiled function; the whole of it is `ScriptFunction` in `src/ir`. */
export interface FunctionLike {
  readonly name: string;
  readonly qualname: QualifiedName;
  /** The schema; compiles the function first where it is not compiled yet. */
  readonly schema: FunctionSchema;
}
export interface PropertyLike<F extends FunctionLike = FunctionLike> {
  readonly name: string;
  readonly getter: F;
  readonly setter: F | undefined;
}

/** What a class has. */
class ClassMembers {
  readonly attributes: ClassAttribute[] = [];
  readonly constants = new Map<string, { readonly type: Type; readonly value: unknown }>();
  readonly methods = new Map<string, FunctionLike>();
  readonly staticMethods = new Map<string, FunctionLike>();
  readonly properties: PropertyLike[] = [];
  readonly forwardHooks: FunctionLike[] = [];
  readonly forwardPreHooks: FunctionLike[] = [];
  readonly slots = new Map<string, number>();
}

/** A class or module. Identity is type identity. */
export class ClassType {
  readonly kind = "Class";
  readonly name: QualifiedName;
  readonly isModule: boolean;
  docString = "";
  /** What users see of its modules; owned by `src/jit`. */
  wrapper: unknown = undefined;
  private known: ClassMembers | undefined;
  private creator: ((cls: ClassType) => void) | undefined;
  private failure: Error | undefined;

  /** @param creator adds the members when somebody first asks for one; what it throws is thrown then, and each time again. */
  constructor(name: QualifiedName, isModule: boolean, creator?: (cls: ClassType) => void) {
    this.name = name;
    this.isModule = isModule;
    this.creator = creator;
  }

  private get members(): ClassMembers {
    return this.known ?? this.create();
  }

  private create(): ClassMembers {
    if (this.failure) throw this.failure;
    const members = (this.known = new ClassMembers());
    const { creator } = this;
    this.creator = undefined;
    try {
      creator?.(this);
    } catch (error) {
      this.known = undefined;
      if (error instanceof Error) this.failure = error;
      throw error;
    }
    return members;
  }

  get attributes(): ClassAttribute[] {
    return this.members.attributes;
  }
  /** Constants (`Final`): name -> [type, IValue]. */
  get constants(): Map<string, { readonly type: Type; readonly value: unknown }> {
    return this.members.constants;
  }
  get methods(): Map<string, FunctionLike> {
    return this.members.methods;
  }
  get staticMethods(): Map<string, FunctionLike> {
    return this.members.staticMethods;
  }
  get properties(): PropertyLike[] {
    return this.members.properties;
  }
  get forwardHooks(): FunctionLike[] {
    return this.members.forwardHooks;
  }
  get forwardPreHooks(): FunctionLike[] {
    return this.members.forwardPreHooks;
  }

  /** Adds an attribute and gives its slot. */
  addAttribute(name: string, type: Type, isParameter = false, isBuffer = false): number {
    const { attributes, slots } = this.members;
    const slot = attributes.length;
    attributes.push({ name, type, isParameter, isBuffer });
    slots.set(name, slot);
    return slot;
  }
  /** Slot of an attribute, or undefined. */
  findSlot(name: string): number | undefined {
    return this.members.slots.get(name);
  }
  findAttribute(name: string): Type | undefined {
    const slot = this.findSlot(name);
    return slot === undefined ? undefined : this.attributes[slot]!.type;
  }
  /** Replaces the type of an attribute (upgrades, retargeting). */
  setAttributeType(slot: number, type: Type): void {
    const { attributes } = this;
    attributes[slot] = { ...attributes[slot]!, type };
  }
  /** Removes an attribute; later slots move down. */
  removeAttribute(name: string): void {
    const { attributes, slots } = this.members;
    const slot = slots.get(name);
    if (slot === undefined) return;
    attributes.splice(slot, 1);
    slots.clear();
    attributes.forEach((a, i) => slots.set(a.name, i));
  }
  findMethod(name: string): FunctionLike | undefined {
    return this.methods.get(name);
  }
  findProperty(name: string): PropertyLike | undefined {
    return this.properties.find((p) => p.name === name);
  }
}

/** A class or module interface: method schemas only. */
export class InterfaceType {
  readonly kind = "Interface";
  readonly name: QualifiedName;
  readonly isModule: boolean;
  readonly methods: FunctionSchema[] = [];
  constructor(name: QualifiedName, isModule: boolean) {
    this.name = name;
    this.isModule = isModule;
  }
  findMethod(name: string): FunctionSchema | undefined {
    return this.methods.find((m) => m.name === name);
  }
}

/** An enum class: all values have one type. */
export class EnumType {
  readonly kind = "Enum";
  readonly name: QualifiedName;
  readonly valueType: Type;
  /** `[name, IValue]` in order of definition. */
  readonly members: readonly (readonly [string, unknown])[];
  constructor(name: QualifiedName, valueType: Type, members: readonly (readonly [string, unknown])[]) {
    this.name = name;
    this.valueType = valueType;
    this.members = members;
  }
}

function simple<K extends SimpleKind>(kind: K): { readonly kind: K } {
  return Object.freeze({ kind });
}

/** The singletons. */
export const TensorT: TensorType = simple("Tensor");
/** The type of parameters without annotation: a Tensor like any other, but another object, as in PyTorch, which numbers values by it. */
export const InferredTensorT: TensorType = simple("Tensor");
export const IntT = simple("Int");
export const FloatT = simple("Float");
export const ComplexT = simple("Complex");
export const BoolT = simple("Bool");
export const StringT = simple("String");
export const NumberT = simple("Number");
export const NoneT = simple("None");
export const AnyT = simple("Any");
export const DeviceT = simple("Device");
export const GeneratorT = simple("Generator");
export const StreamT = simple("Stream");
export const StorageT = simple("Storage");
export const CapsuleT = simple("Capsule");
export const QSchemeT = simple("QScheme");
export const AnyListT = simple("AnyList");
export const AnyTupleT = simple("AnyTuple");
export const AnyClassT = simple("AnyClass");
export const AnyEnumT = simple("AnyEnum");

export function listOf(element: Type): ListType {
  return { kind: "List", element };
}
export function dictOf(key: Type, value: Type): DictType {
  return { kind: "Dict", key, value };
}
/** Optional[T]; None and Any stay what they are, Optional does not nest. */
export function optionalOf(element: Type): Type {
  if (element.kind === "Optional") return element;
  if (element.kind === "Union") return unionOf([...element.members, NoneT]);
  return { kind: "Optional", element };
}
export function tupleOf(elements: readonly Type[]): TupleType {
  return { kind: "Tuple", elements };
}
export function namedTupleOf(
  name: QualifiedName,
  fieldNames: readonly string[],
  elements: readonly Type[],
  fieldDefaults: readonly unknown[] = [],
): TupleType {
  return { kind: "Tuple", elements, name, fieldNames, fieldDefaults };
}
export function futureOf(element: Type): WrapperType {
  return { kind: "Future", element };
}
export function awaitOf(element: Type): WrapperType {
  return { kind: "Await", element };
}
export function rrefOf(element: Type): WrapperType {
  return { kind: "RRef", element };
}
export function varOf(name: string): VarType {
  return { kind: "Var", name };
}

/** Members of a union or optional, or the type alone. */
export function containedAlternatives(type: Type): readonly Type[] {
  if (type.kind === "Union") return type.members;
  if (type.kind === "Optional") return [type.element, NoneT];
  return [type];
}

/** Types directly inside. */
export function containedTypes(type: Type): readonly Type[] {
  switch (type.kind) {
    case "List":
    case "Future":
    case "Await":
    case "RRef":
    case "Optional":
      return [type.element];
    case "Dict":
      return [type.key, type.value];
    case "Tuple":
      return type.elements;
    case "Union":
      return type.members;
    default:
      return [];
  }
}

const example = new ClassType(new QualifiedName("Example"), true);
example.addAttribute("training", BoolT);
keepShape(example);
