/** @file Pickled values to IValues, directed by static types and type tags: containers, enums, objects. Upstream: torch/csrc/jit/serialization/unpickler.cpp. Spec: spec/records.md.
 *
 * Note [Order of unpickling]: PyTorch builds objects while it reads, so `__setstate__` runs in the order of the BUILD
 * opcodes. Here the pickle is data first; its operations are then replayed in that order, which also keeps the
 * recursion as shallow as the containers between two objects. */
import type { Unpickled } from "../archive/unpickler.ts";
import {
  PersistentId,
  PickleDict,
  PickleFloat,
  PickleGlobal,
  PickleList,
  PickleObject,
  PickleReduce,
  PickleTuple,
  pickleTypeName,
  type PickleValue,
} from "../archive/pickle_value.ts";
import { PickleError, ScriptError, TorchScriptError, UnsupportedError } from "../base/errors.ts";
import { LIMITS, checkLimit, type LimitOverrides } from "../base/limits.ts";
import { guardStack } from "../base/stack_guard.ts";
import { ScriptObject, dictKey, dynamicTypeOf, enumValue, tagDynamicType, unfilledObject } from "../core/ivalue.ts";
import * as T from "../core/type.ts";
import type { ClassType, EnumType, FunctionLike, Type } from "../core/type.ts";
import type { TypedConstant } from "../frontend/default_value.ts";
import { ScriptFunction } from "../ir/function.ts";
import { Complex, boxFloat } from "../tensor/scalar.ts";
import { Device, Tensor } from "../tensor/tensor.ts";
import type { TensorImporter } from "./tensor_import.ts";

/** Runs a method: `__setstate__` needs the interpreter, which lies above. */
export type RunMethod = (fn: FunctionLike, args: readonly unknown[]) => unknown;

/** What values need from outside their pickle. */
export interface ValueEnvironment {
  /** Name of the pickle, for messages. */
  readonly record: string;
  readonly tensors: TensorImporter;
  /** The type of a qualified name or of a tag such as `Dict[str, Tensor]`. */
  readonly loadType: (text: string) => Type;
  /** Undefined: nothing runs, and objects with `__setstate__` stay without state. */
  readonly runMethod: RunMethod | undefined;
  readonly limits?: LimitOverrides | undefined;
  /** Objects whose state is a dict are filled when somebody looks into them. Default false. */
  readonly lazy?: boolean | undefined;
  /** Tensors that `build_tensor_from_id` numbers, in archives before 1.4. */
  readonly tensorTable?: readonly Tensor[] | undefined;
}

/** Recursion of the conversion between two objects. */
const MAX_CONTAINER_DEPTH = LIMITS.maxSourceDepth;

const LIST_BUILDERS: ReadonlyMap<string, Type> = new Map<string, Type>([
  ["build_intlist", T.IntT],
  ["build_doublelist", T.FloatT],
  ["build_boollist", T.BoolT],
  ["build_tensorlist", T.TensorT],
]);

/** Converts the values of one pickle. Values that the memo shares stay shared. */
export class ValueImporter {
  private readonly env: ValueEnvironment;
  private readonly types = new Map<string, Type>();
  private readonly objects = new Map<PickleObject, ScriptObject>();
  private readonly containers = new Map<PickleValue, unknown>();
  private readonly tuples = new Map<PickleTuple, { type: Type; value: unknown[] }[]>();
  private depth = 0;

  constructor(env: ValueEnvironment) {
    this.env = env;
  }

  /** Builds all objects and tensors in PyTorch's order. See Note [Order of unpickling]. */
  replay(unpickled: Unpickled): void {
    for (const operation of unpickled.operations) {
      if (operation instanceof PickleObject) {
        if (!this.isOldList(operation) && !this.isDeferred(operation)) this.object(operation);
      } else if (operation.callable instanceof PickleGlobal && operation.callable.module.startsWith("torch."))
        this.env.tensors.rebuild(operation);
    }
  }

  private fail(message: string, byteOffset?: number): never {
    const at = byteOffset === undefined ? "" : ` (byte ${byteOffset})`;
    throw new PickleError(`Cannot unpickle "${this.env.record}": ${message}${at}`, {
      record: this.env.record,
      byteOffset,
    });
  }

  private mismatch(value: PickleValue, type: Type, where: string): never {
    const at = value instanceof PickleObject || value instanceof PickleReduce ? value.byteOffset : undefined;
    return this.fail(`${where} is ${pickleTypeName(value)}, expected ${T.typeReprStr(type)}`, at);
  }

  /** The value in the form of its static type. `where` names it in messages. */
  convert(value: PickleValue, type: Type, where: string): unknown {
    // None stands in slots of any type: what is registered and not set
    if (value === null) return null;
    switch (type.kind) {
      case "Int":
        if (typeof value === "number" || typeof value === "bigint") return value;
        break;
      case "Float":
        if (value instanceof PickleFloat) return value.value;
        if (typeof value === "number" || typeof value === "bigint") return Number(value);
        break;
      case "Bool":
        if (typeof value === "boolean") return value;
        break;
      case "String":
        if (typeof value === "string") return value;
        break;
      case "Optional":
        return this.convert(value, type.element, where);
      case "List":
      case "Dict":
      case "Tuple":
        return this.nested(() => this.container(value, type, where));
      case "Any":
      case "Union":
      case "Number":
      case "AnyList":
      case "AnyTuple":
        return this.nested(() => this.dynamic(value, where));
      case "Class":
      case "Interface":
        if (value instanceof PickleObject) return this.object(value);
        break;
      case "Enum":
        if (value instanceof PickleReduce) return this.enumMember(value, type);
        break;
      case "Future":
      case "Await":
      case "RRef":
        throw new UnsupportedError(
          `pickled ${type.kind}`,
          `Cannot unpickle "${this.env.record}": ${where} is of type ${T.typeReprStr(type)}, which no archive can hold`,
        );
      default: {
        const plain = this.plain(value);
        if (plain && T.isSubtypeOf(plain.type, T.unshapedType(type))) return plain.value;
        // dtypes, layouts and the like are ints
        if (
          plain?.type.kind === "Int" &&
          (type.kind === "QScheme" || type.kind === "Stream" || type.kind === "Storage")
        )
          return plain.value;
      }
    }
    return this.mismatch(value, type, where);
  }

  /** A value and its own type, in static form: an element of the constants table. */
  typed(value: PickleValue, where: string): TypedConstant {
    const plain = this.plain(value);
    if (plain) return plain;
    const tag = this.tagOf(value);
    if (tag) return { value: this.convert(value, tag, where), type: tag };
    const dynamic = this.nested(() => this.dynamic(value, where));
    return { value: dynamic, type: dynamicTypeOf(dynamic) };
  }

  private nested<R>(convert: () => R): R {
    this.depth++;
    checkLimit("maxSourceDepth", this.depth, `"${this.env.record}": nested containers`, {
      maxSourceDepth: this.env.limits?.maxSourceDepth ?? MAX_CONTAINER_DEPTH,
    });
    try {
      return convert();
    } finally {
      this.depth--;
    }
  }

  /** Numbers, strings, tensors, devices, complex numbers, objects, enums: what says its type itself. */
  private plain(value: PickleValue): TypedConstant | undefined {
    if (value === null) return { value, type: T.NoneT };
    if (typeof value === "boolean") return { value, type: T.BoolT };
    if (typeof value === "number" || typeof value === "bigint") return { value, type: T.IntT };
    if (typeof value === "string") return { value, type: T.StringT };
    if (value instanceof PickleFloat) return { value: value.value, type: T.FloatT };
    if (value instanceof PickleObject && !this.isOldList(value)) {
      const object = this.objectOrTensor(value);
      return { value: object, type: object instanceof Tensor ? T.TensorT : object.type };
    }
    if (value instanceof PickleGlobal) return this.globalNumber(value);
    if (!(value instanceof PickleReduce) || !(value.callable instanceof PickleGlobal)) return undefined;
    const { callable, args } = value;
    const items = args instanceof PickleTuple ? args.items : [];
    switch (callable.qualifiedName) {
      case "builtins.complex":
        return { value: new Complex(this.floatOf(items[0]), this.floatOf(items[1])), type: T.ComplexT };
      case "torch.device":
        return { value: this.device(items[0]), type: T.DeviceT };
      case "torch.jit._pickle.build_tensor_from_id":
        return { value: this.numberedTensor(items[0]), type: T.TensorT };
      default: {
        const tensor = this.env.tensors.rebuild(value);
        if (tensor) return { value: tensor, type: T.TensorT };
        if (!callable.module.startsWith("__torch__")) return undefined;
        const type = this.loadType(callable.qualifiedName);
        return type.kind === "Enum" ? { value: this.enumMember(value, type), type } : undefined;
      }
    }
  }

  /** `torch.FloatStorage`, `torch.per_tensor_affine`: enums that torch reads as their number. */
  private globalNumber(global: PickleGlobal): TypedConstant | undefined {
    const scheme = [
      "per_tensor_affine",
      "per_channel_affine",
      "per_tensor_symmetric",
      "per_channel_symmetric",
      "per_channel_affine_float_qparams",
    ].indexOf(global.name);
    return global.module === "torch" && scheme >= 0 ? { value: scheme, type: T.IntT } : undefined;
  }

  private floatOf(value: PickleValue | undefined): number {
    if (value instanceof PickleFloat) return value.value;
    if (typeof value === "number") return value;
    return this.fail(`part of a complex number is ${pickleTypeName(value)}, expected float`);
  }

  private device(value: PickleValue | undefined): Device {
    const parts = typeof value === "string" ? /^([a-z_]+)(?::(\d{1,3}))?$/.exec(value) : undefined;
    if (!parts)
      return this.fail(
        `device is ${typeof value === "string" ? JSON.stringify(value) : pickleTypeName(value)}, expected a name such as "cpu"`,
      );
    return new Device(parts[1]!, parts[2] === undefined ? undefined : Number(parts[2]));
  }

  private numberedTensor(value: PickleValue | undefined): Tensor {
    const tensor = typeof value === "number" ? this.env.tensorTable?.[value] : undefined;
    return tensor ?? this.fail("Found a tensor table reference but Unpickler has no tensor table");
  }

  private loadType(text: string): Type {
    let type = this.types.get(text);
    if (!type) {
      type = this.env.loadType(text);
      this.types.set(text, type);
    }
    return type;
  }

  /** The type that a tag around a container states, or undefined. */
  private tagOf(value: PickleValue): Type | undefined {
    if (value instanceof PickleObject && this.isOldList(value)) return T.listOf(T.IntT);
    if (
      !(value instanceof PickleReduce) ||
      !(value.callable instanceof PickleGlobal) ||
      value.callable.module !== "torch.jit._pickle"
    )
      return undefined;
    const { name } = value.callable;
    const element = LIST_BUILDERS.get(name);
    if (element) return T.listOf(element);
    if (name !== "restore_type_tag") return undefined;
    const text = value.args instanceof PickleTuple ? value.args.items[1] : undefined;
    if (typeof text !== "string")
      return this.fail(`type tag is ${pickleTypeName(text)}, expected str`, value.byteOffset);
    const type = this.loadType(text);
    if (type.kind !== "List" && type.kind !== "Dict")
      return this.fail(`Unknown type for tag restoration: ${T.annotationStr(type)}`, value.byteOffset);
    return type;
  }

  /** The container inside a tag, or the value itself. */
  private untagged(value: PickleValue): PickleValue {
    if (value instanceof PickleReduce && value.args instanceof PickleTuple) return value.args.items[0] ?? null;
    if (value instanceof PickleObject && this.isOldList(value)) return value.state ?? null;
    return value;
  }

  /** `__main__.IntList`, as PyTorch 1.1 wrote lists of ints. */
  private isOldList(value: PickleObject): boolean {
    return value.cls.is("__main__", "IntList");
  }

  private container(value: PickleValue, type: T.ListType | T.DictType | T.TupleType, where: string): unknown {
    const tag = this.tagOf(value);
    const inner = tag ? this.untagged(value) : value;
    // torch believes the tag; code is compiled for the static type, so a file whose tag says otherwise would confuse them
    if (tag && tag.kind !== type.kind) return this.mismatch(value, type, where);
    if (type.kind === "List" && inner instanceof PickleList) return this.list(inner, type.element, where);
    if (type.kind === "Dict" && inner instanceof PickleDict) return this.dict(inner, type, where);
    if (type.kind === "Tuple" && inner instanceof PickleTuple) return this.tuple(inner, type, where);
    return this.mismatch(value, type, where);
  }

  private list(value: PickleList, element: Type, where: string): unknown[] {
    const known = this.containers.get(value);
    if (known) return known as unknown[];
    const out: unknown[] = [];
    this.containers.set(value, out);
    const item = `item of ${where}`;
    for (const v of value.items) out.push(this.convert(v, element, item));
    return out;
  }

  private dict(value: PickleDict, type: T.DictType, where: string): Map<unknown, unknown> {
    const known = this.containers.get(value);
    if (known) return known as Map<unknown, unknown>;
    const out = new Map<unknown, unknown>();
    this.containers.set(value, out);
    const item = `item of ${where}`;
    for (const [k, v] of value.entries)
      out.set(dictKey(this.convert(k, type.key, item)), this.convert(v, type.value, item));
    return out;
  }

  /** Tuples have no identity of their own, but what is shared in the file is one value when it is saved again. */
  private tuple(value: PickleTuple, type: T.TupleType, where: string): unknown[] {
    let known = this.tuples.get(value);
    if (!known) this.tuples.set(value, (known = []));
    const same = known.find((k) => T.typesEqual(k.type, type));
    if (same) return same.value;
    if (value.items.length !== type.elements.length)
      return this.fail(`${where} is a tuple of ${value.items.length}, expected ${T.typeReprStr(type)}`);
    const item = `item of ${where}`;
    const out = value.items.map((v, i) => this.convert(v, type.elements[i]!, item));
    known.push({ type, value: out });
    return out;
  }

  /** The dynamic form of a value whose static type does not say what it is. */
  private dynamic(value: PickleValue, where: string): unknown {
    if (value instanceof PickleFloat) return boxFloat(value.value);
    const tag = this.tagOf(value);
    if (tag) {
      const out = this.convert(value, tag, where) as object;
      tagDynamicType(out, tag);
      return out;
    }
    if (value instanceof PickleList || value instanceof PickleDict) {
      const type = value instanceof PickleList ? T.listOf(T.AnyT) : T.dictOf(T.AnyT, T.AnyT);
      const out = this.convert(value, type, where) as object;
      tagDynamicType(out, type);
      return out;
    }
    if (value instanceof PickleTuple) {
      const type = T.tupleOf(value.items.map((v) => this.typed(v, where).type));
      const out = this.tuple(value, type, where);
      tagDynamicType(out, type);
      return out;
    }
    const plain = this.plain(value);
    if (!plain)
      return this.fail(
        `${where} is ${pickleTypeName(value)}, which is not known`,
        value instanceof PersistentId || value instanceof PickleReduce ? value.byteOffset : undefined,
      );
    return plain.value;
  }

  private enumMember(call: PickleReduce, type: EnumType): unknown {
    const own = call.callable instanceof PickleGlobal ? this.loadType(call.callable.qualifiedName) : type;
    if (own.kind !== "Enum") return this.mismatch(call, type, "enum");
    const value = this.convert(call.args, own.valueType, "value of an enum");
    const member = own.members.find(([, v]) => v === value);
    if (!member)
      return this.fail(`${String(value)} is no value of the enum ${own.name.qualifiedName}`, call.byteOffset);
    return enumValue(own, member[0]);
  }

  private objectOrTensor(value: PickleObject): ScriptObject | Tensor {
    return value.cls.is("__main__", "TensorID") ? this.numberedTensor(value.state) : this.object(value);
  }

  /** Whether nothing of the object is needed before somebody looks into it: `__setstate__` takes a dict with a type tag around it. */
  private isDeferred(value: PickleObject): boolean {
    return this.env.lazy === true && value.state instanceof PickleDict;
  }

  /** The instance that NEWOBJ and BUILD make. */
  object(value: PickleObject): ScriptObject {
    const known = this.objects.get(value);
    if (known) return known;
    const { cls, byteOffset } = value;
    if (value.state === undefined)
      return this.fail(`object of ${cls.qualifiedName} has no state, expected BUILD`, byteOffset);
    const type = this.loadType(cls.qualifiedName);
    if (type.kind !== "Class") return this.fail(`object is of ${T.typeReprStr(type)}, expected a class`, byteOffset);
    if (this.isDeferred(value)) {
      const isLeaf = !(value.state as PickleDict).entries.some(([, v]) => v instanceof PickleObject);
      const object = unfilledObject(type, isLeaf, (it) => guardStack("archive", () => this.fill(it, value)));
      this.objects.set(value, object);
      return object;
    }
    const object = new ScriptObject(
      type,
      type.attributes.map(() => null),
    );
    this.objects.set(value, object);
    this.fill(object, value);
    return object;
  }

  private fill(object: ScriptObject, { state = null, byteOffset }: PickleObject): void {
    const setState = setStateMethod(object.type);
    if (setState) this.runSetState(object, setState, state);
    else this.fillSlots(object, state, byteOffset);
  }

  private fillSlots(object: ScriptObject, state: PickleValue, byteOffset: number): void {
    const { type } = object;
    if (!(state instanceof PickleDict))
      this.fail(`state of ${type.name.qualifiedName} is ${pickleTypeName(state)}, expected dict`, byteOffset);
    const found = new Set<string>();
    for (const [name, value] of state.entries) {
      const slot = typeof name === "string" ? type.findSlot(name) : undefined;
      // attributes that the class does not declare are dropped, as in torch
      if (slot === undefined) continue;
      const attribute = type.attributes[slot]!;
      found.add(attribute.name);
      object.slots[slot] = this.convert(
        value,
        attribute.type,
        `attribute "${attribute.name}" of ${type.name.qualifiedName}`,
      );
    }
    const missing = type.attributes.find((a) => !found.has(a.name));
    if (missing)
      this.fail(
        `object of ${type.name.qualifiedName} has no attribute "${missing.name}", expected ${T.typeReprStr(missing.type)}`,
        byteOffset,
      );
  }

  private runSetState(object: ScriptObject, setState: FunctionLike, state: PickleValue): void {
    const { type } = object;
    if (!this.env.runMethod) return;
    const argument = setState.schema.args[1]!.type;
    const value = this.convert(state, argument, `state of ${type.name.qualifiedName}`);
    try {
      this.env.runMethod(setState, [object, value]);
    } catch (cause) {
      // a native class takes its state apart without asking: what does not fit fails somewhere
      if (cause instanceof TorchScriptError || setState instanceof ScriptFunction) throw cause;
      const message = `Cannot unpickle "${this.env.record}": state of ${type.name.qualifiedName} does not fit ${T.typeReprStr(argument)}`;
      throw new PickleError(message, { record: this.env.record, cause });
    }
    for (const [slot, attribute] of type.attributes.entries()) {
      const { kind } = attribute.type;
      if (kind === "Optional" || kind === "None" || (object.slots[slot] ?? null) !== null) continue;
      this.fail(
        `The field '${attribute.name}' was left uninitialized after '__setstate__', but expected a value of type '${T.typeReprStr(attribute.type)}'`,
      );
    }
  }
}

/**
 * `__setstate__` of a class that has a fitting pair of `__getstate__` and `__setstate__`, else undefined. Throws
 * torch's errors for pairs that do not fit. Mirrors `checkHasValidSetGetState`.
 */
export function setStateMethod(cls: ClassType): FunctionLike | undefined {
  const getState = cls.findMethod("__getstate__");
  if (!getState) return undefined;
  const get = getState.schema;
  const check = (condition: boolean, message: string): void => {
    if (!condition) throw new ScriptError(message);
  };
  check(
    get.args.length === 1,
    `'__getstate__' must have 'self' as its only argument, but found ${get.args.length} arguments`,
  );
  check(get.returns.length === 1, `'__getstate__' must return 1 value, but found ${get.returns.length}`);
  const setState = cls.findMethod("__setstate__");
  if (!setState) return undefined;
  const set = setState.schema;
  check(
    set.args.length === 2,
    `'__setstate__' must have 'self' and the state as its only arguments, but found ${set.args.length} arguments`,
  );
  check(set.returns.length === 1, `'__setstate__' must return None, but found ${set.returns.length} return values`);
  const returned = set.returns[0]!.type;
  check(
    T.isSubtypeOf(returned, T.NoneT),
    `'__setstate__' must return None, but found value of type${T.annotationStr(returned)}`,
  );
  const from = get.returns[0]!.type;
  const to = set.args[1]!.type;
  check(
    T.isSubtypeOf(from, to),
    `'__getstate__'s return type (${T.annotationStr(from)}) does not match '__setstate__'s argument type (${T.annotationStr(to)})`,
  );
  return setState;
}
