/** @file IValues: what a register of a running graph, an attribute or a constant holds. Upstream: aten/src/ATen/core/ivalue.h. Spec: spec/types.md.
 *
 * Note [IValue forms]: Tensor -> Tensor; int -> number | bigint (beyond 2^53); float -> number; bool -> boolean; str -> string; None -> null;
 * complex -> Complex; Device -> Device; List[T] -> Array; Tuple and NamedTuple -> Array; Dict -> Map in insertion order (keys by `dictKey`);
 * class and module instances -> ScriptObject; enum -> EnumValue; Future and Await -> Future; functions -> ScriptFunction; Generator -> Generator.
 * The static type of the IR tells lists from tuples and ints from floats. Where a value flows into Any, a Union or Scalar it takes its dynamic
 * form (`toDynamic`): integral floats are boxed (`Float`), arrays and maps are tagged with their type (`dynamicTypeTag`). */
import { internalAssert } from "../base/errors.ts";
import { Complex, Float, boxFloat, isIntScalar } from "../tensor/scalar.ts";
import { Device, Tensor } from "../tensor/tensor.ts";
import * as T from "./type.ts";
import type { ClassType, EnumType, Type } from "./type.ts";

/** An instance of a script class or module; `slots` follow `type.attributes`. */
export class ScriptObject {
  /** The class. */
  type: ClassType;
  /** The attributes' values in the order of the type. */
  slots: unknown[];
  /** What users see of a module; owned by `src/jit`. Not a WeakMap: its entries outlive every young garbage collection. */
  wrapper: unknown = undefined;
  /** Methods that were compiled for this object; owned by `src/interpreter`. */
  compiled: unknown = undefined;
  constructor(type: ClassType, slots: unknown[] = []) {
    this.type = type;
    this.slots = slots;
  }
  /** Whether it is known, without filling the slots, that no class instance is among them. */
  holdsNoObjects(): boolean {
    return false;
  }
  /** The value of an attribute. */
  getAttr(name: string): unknown {
    const slot = this.type.findSlot(name);
    if (slot === undefined) internalAssert(false, `${this.type.name.qualifiedName} has no attribute "${name}"`);
    return this.slots[slot];
  }
  /** Sets an attribute. */
  setAttr(name: string, value: unknown): void {
    const slot = this.type.findSlot(name);
    if (slot === undefined) internalAssert(false, `${this.type.name.qualifiedName} has no attribute "${name}"`);
    this.slots[slot] = value;
  }
}

type UnfilledObject = ScriptObject & { fill: ((object: ScriptObject) => void) | undefined; isLeaf: boolean };

/** What stands before `ScriptObject.prototype` until the slots are filled; then they are a plain property, as fast as any. */
const UNFILLED: object = Object.create(ScriptObject.prototype, {
  holdsNoObjects: {
    value(this: UnfilledObject) {
      return this.isLeaf && this.fill !== undefined;
    },
  },
  slots: {
    get(this: UnfilledObject): unknown[] {
      const { fill } = this;
      place(this, new Array<unknown>(this.type.attributes.length).fill(null));
      try {
        fill!(this);
      } catch (error) {
        delete (this as Partial<ScriptObject>).slots; // and asks again next time, for the same error
        throw error;
      }
      this.fill = undefined;
      return this.slots;
    },
    set(this: UnfilledObject, slots: unknown[]) {
      place(this, slots);
      this.fill = undefined;
    },
  },
});

function place(object: ScriptObject, slots: unknown[]): void {
  Object.defineProperty(object, "slots", { value: slots, writable: true, enumerable: true, configurable: true });
}

/**
 * An object whose slots are filled when somebody first asks for them.
 * @param fill gets the object with null in all slots; what it throws is thrown to whoever asked, each time again.
 * @param isLeaf no class instance will be in the slots.
 */
export function unfilledObject(type: ClassType, isLeaf: boolean, fill: (object: ScriptObject) => void): ScriptObject {
  const object = Object.create(UNFILLED) as UnfilledObject;
  object.type = type;
  object.wrapper = undefined;
  object.isLeaf = isLeaf;
  object.fill = fill;
  return object;
}

/** One member of an enum. Interned by `enumValue`, so that identity is equality. */
export class EnumValue {
  /** The enum's type. */
  readonly type: EnumType;
  readonly name: string;
  /** The member's value. */
  readonly value: unknown;
  constructor(type: EnumType, name: string, value: unknown) {
    this.type = type;
    this.name = name;
    this.value = value;
  }
}

const enumValues = new WeakMap<EnumType, Map<string, EnumValue>>();
/** The value of an enum's member; internal error where there is none. */
export function enumValue(type: EnumType, name: string): EnumValue {
  let values = enumValues.get(type);
  if (!values) {
    values = new Map(type.members.map(([n, v]) => [n, new EnumValue(type, n, v)]));
    enumValues.set(type, values);
  }
  const value = values.get(name);
  internalAssert(value, `${type.name.qualifiedName} has no member "${name}"`);
  return value;
}

/** A value that is there already or will be computed by `wait`. */
export class Future {
  /** Type of the value. */
  readonly elementType: Type;
  private compute: (() => unknown) | undefined;
  private result: unknown;
  private error: unknown;
  private failed = false;
  constructor(elementType: Type, compute: () => unknown) {
    this.elementType = elementType;
    this.compute = compute;
  }
  /** A future that has its value already. */
  static completed(elementType: Type, value: unknown): Future {
    const future = new Future(elementType, () => value);
    future.wait();
    return future;
  }
  /** The value; throws what the computation threw. */
  wait(): unknown {
    const compute = this.compute;
    if (compute) {
      this.compute = undefined;
      try {
        this.result = compute();
      } catch (error) {
        this.failed = true;
        this.error = error;
      }
    }
    if (this.failed) throw this.error;
    return this.result;
  }
  /** Whether the value is there. */
  get done(): boolean {
    return this.compute === undefined;
  }
}

const tags = new WeakMap<object, Type>();
/** The type that an array or map was tagged with when it became dynamic. */
export function dynamicTypeTag(value: object): Type | undefined {
  return tags.get(value);
}
/** Tags an array or map with its static type. The first tag stays: a list keeps the type it was made with. */
export function tagDynamicType(value: object, type: Type): void {
  if (!tags.has(value)) tags.set(value, type);
}

/** Whether values of the type are in dynamic form: Any, Scalar, and unions of more than one member besides None. */
export function isDynamicType(type: Type): boolean {
  switch (type.kind) {
    case "Any":
    case "Number":
    case "Union":
    case "AnyList":
    case "AnyTuple":
      return true;
    case "Optional":
      return isDynamicType(type.element);
    default:
      return false;
  }
}

/** The dynamic form of a value of static type `type`. Shares lists, maps and objects; copies nothing. */
export function toDynamic(value: unknown, type: Type): unknown {
  switch (type.kind) {
    case "Float":
      return boxFloat(value as number);
    case "List":
    case "Dict":
    case "Tuple":
      tagDynamicType(value as object, type);
      return value;
    case "Optional":
      return value === null ? null : toDynamic(value, type.element);
    default:
      return value;
  }
}

/** The static form, for type `type`, of a value in dynamic form. */
export function fromDynamic(value: unknown, type: Type): unknown {
  if (value instanceof Float && !isDynamicType(type)) return value.value;
  return value;
}

/** Whether a value of type `from` needs conversion where `to` is expected. */
export function needsCoercion(from: Type, to: Type): boolean {
  if (from === to) return false;
  if (isDynamicType(to)) {
    const inner = from.kind === "Optional" ? from.element : from;
    return (
      !isDynamicType(from) &&
      (inner.kind === "Float" || inner.kind === "List" || inner.kind === "Dict" || inner.kind === "Tuple")
    );
  }
  if (isDynamicType(from)) return true;
  if (from.kind === "Optional" && to.kind === "Optional") return needsCoercion(from.element, to.element);
  if (to.kind === "Optional") return needsCoercion(from, to.element);
  if (from.kind === "Optional") return needsCoercion(from.element, to);
  if (from.kind === "Tuple" && to.kind === "Tuple")
    return from.elements.some((f, i) => needsCoercion(f, to.elements[i] ?? f));
  return false;
}

/** Converts a value of static type `from` to the form of `to`; tuples are copied where an element changes form. */
export function coerce(value: unknown, from: Type, to: Type): unknown {
  if (!needsCoercion(from, to) || value === null) return value;
  if (isDynamicType(to)) return toDynamic(value, from);
  if (isDynamicType(from)) return fromDynamic(value, to);
  const f = from.kind === "Optional" ? from.element : from;
  const t = to.kind === "Optional" ? to.element : to;
  if (f.kind === "Tuple" && t.kind === "Tuple") {
    return (value as unknown[]).map((v, i) => coerce(v, f.elements[i]!, t.elements[i] ?? f.elements[i]!));
  }
  return coerce(value, f, t);
}

/** The type of a value in dynamic form. */
export function dynamicTypeOf(value: unknown): Type {
  if (value === null || value === undefined) return T.NoneT;
  if (value instanceof Tensor) return T.TensorT;
  switch (typeof value) {
    case "boolean":
      return T.BoolT;
    case "string":
      return T.StringT;
    case "bigint":
      return T.IntT;
    case "number":
      return isIntScalar(value) ? T.IntT : T.FloatT;
    default:
      break;
  }
  if (value instanceof Float) return T.FloatT;
  if (value instanceof Complex) return T.ComplexT;
  if (value instanceof Device) return T.DeviceT;
  if (value instanceof ScriptObject) return value.type;
  if (value instanceof EnumValue) return value.type;
  if (value instanceof Future) return T.futureOf(value.elementType);
  if (typeof value === "object") {
    const tag = dynamicTypeTag(value);
    if (tag) return tag;
    if (Array.isArray(value)) {
      // untagged arrays come from callers: a list, of the type of its elements
      const element = value.length === 0 ? T.TensorT : T.unifyTypeList(value.map(dynamicTypeOf));
      return T.listOf(element ?? T.AnyT);
    }
    if (value instanceof Map) {
      const [first] = value.entries();
      return first ? T.dictOf(dynamicTypeOf(first[0]), dynamicTypeOf(first[1])) : T.dictOf(T.StringT, T.TensorT);
    }
  }
  return T.CapsuleT;
}

const complexKeys = new Map<string, Complex>();
/** The Map key of a dict key: equal keys are the same Map key. */
export function dictKey(key: unknown): unknown {
  if (key instanceof Complex) {
    const text = `${key.re},${key.im}`;
    const known = complexKeys.get(text);
    if (known) return known;
    complexKeys.set(text, key);
    return key;
  }
  return key instanceof Float ? key.value : key;
}
