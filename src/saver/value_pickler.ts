/** @file ValuePickler: IValues to a pickle, opcode for opcode as PyTorch writes it. Upstream: torch/csrc/jit/serialization/pickler.cpp. Spec: spec/pickle.md. */
import { PickleEmitter } from "../archive/pickler.ts";
import { LimitError, ScriptError, UnsupportedError, internalAssert } from "../base/errors.ts";
import { valueType } from "../core/ivalue_text.ts";
import { EnumValue, ScriptObject } from "../core/ivalue.ts";
import type { QualifiedName } from "../core/qualified_name.ts";
import { annotationStr, isSubtypeOf, type ClassType, type ListType, type Type } from "../core/type.ts";
import type { FunctionLike } from "../core/type.ts";
import { Complex, Float } from "../tensor/scalar.ts";
import { Tensor } from "../tensor/tensor.ts";
import { ReferenceCounts } from "./reference_counts.ts";
import { StateConstants } from "./state_constants.ts";
import { TensorPickler, type PickledStorage } from "./tensor_pickler.ts";

/** Calls a method of an object: `__getstate__`. */
export type MethodRunner = (method: FunctionLike, args: readonly unknown[]) => unknown;

/** What pickling asks of its owner. */
export interface ValuePicklerOptions {
  /** Name of a class in the archive; asked for every object that is written. */
  readonly nameOf: (type: ClassType) => QualifiedName;
  readonly runMethod: MethodRunner;
}

/** A finished pickle and the storages that it names, in the order of their records. */
export interface PickledValue {
  readonly bytes: Uint8Array[];
  readonly storages: readonly PickledStorage[];
}

const GETSTATE_OWNERS = 2; // the call's stack and its result
const PICKLE_MODULE = "torch.jit._pickle";
const SPECIALIZED_LISTS: Partial<Record<Type["kind"], string>> = {
  Int: "build_intlist",
  Tensor: "build_tensorlist",
  Float: "build_doublelist",
  Bool: "build_boollist",
};

/** Writes one value graph. */
export class ValuePickler {
  private readonly out = new PickleEmitter();
  private readonly tensors = new TensorPickler(this.out);
  private readonly counts = new ReferenceCounts();
  private readonly constants = new StateConstants();
  private readonly options: ValuePicklerOptions;

  constructor(options: ValuePicklerOptions) {
    this.options = options;
  }

  /** Pickles a value that `owners` others hold beside this call. */
  pickle(value: unknown, type: Type, owners: number): PickledValue {
    this.counts.add(value, owners);
    return this.finish(() => this.push(value, type));
  }

  /** Pickles a tuple that nobody else holds, whose elements have `owners` owners each. */
  pickleTuple(elements: readonly { readonly value: unknown; readonly type: Type }[], owners: number): PickledValue {
    for (const { value } of elements) this.counts.add(value, owners);
    return this.finish(() => {
      this.out.startTupleOf(elements.length);
      for (const { value, type } of elements) this.push(value, type);
      this.out.endTupleOf(elements.length);
    });
  }

  private finish(push: () => void): PickledValue {
    try {
      push();
    } catch (cause) {
      // the call stack is the limit of nesting: a list that holds itself has no end
      if (!(cause instanceof RangeError)) throw cause;
      throw new LimitError(
        "maxPickleDepth",
        Infinity,
        "Cannot pickle value: its nesting exceeds the call stack, or it contains itself",
      );
    }
    return { bytes: this.out.finish(), storages: this.tensors.storages };
  }

  private push(given: unknown, staticType: Type): void {
    const type = valueType(given, staticType);
    const value = given instanceof Float ? given.value : given;
    if (!this.isMemoized(value)) return this.pushValue(value, type);
    if (this.out.recall(value)) return;
    this.pushValue(value, type);
    this.out.memoizeTop(value);
  }

  private isMemoized(value: unknown): value is object {
    return typeof value === "object" && value !== null && this.counts.isShared(value);
  }

  private pushValue(value: unknown, type: Type): void {
    const { out } = this;
    switch (type.kind) {
      case "None":
        return out.pushNone();
      case "Tensor":
        return this.tensors.push(value as Tensor);
      case "Tuple":
        return this.pushTuple(value as unknown[], type.elements);
      case "Float":
        return out.pushDouble(value as number);
      case "Complex":
        return this.pushComplex(value instanceof Complex ? value : new Complex(Number(value), 0));
      case "Int":
        return out.pushInt(value as number | bigint);
      case "Bool":
        return out.pushBool(Boolean(value));
      case "String":
        return out.pushString(value as string);
      case "Dict":
        return this.pushTagged(type, () => {
          out.startDict();
          for (const [key, item] of value as Map<unknown, unknown>) {
            this.push(key, type.key);
            this.push(item, type.value);
          }
          out.endDict();
        });
      case "List":
        return this.pushList(value as unknown[], type);
      case "Device":
        return this.pushDevice(String(value));
      case "Enum":
        return this.pushEnum(value as EnumValue);
      case "Class":
      case "Interface":
        return this.pushObject(value as ScriptObject);
      default:
        throw new UnsupportedError(`pickle:${type.kind}`, `Unknown IValue type for pickling: ${type.kind}`);
    }
  }

  private pushTuple(items: readonly unknown[], types: readonly Type[]): void {
    this.out.startTupleOf(items.length);
    items.forEach((item, i) => this.push(item, types[i]!));
    this.out.endTupleOf(items.length);
  }

  private pushComplex({ re, im }: Complex): void {
    this.out.pushGlobal("builtins", "complex");
    this.out.pushDouble(re);
    this.out.pushDouble(im);
    this.out.op("TUPLE2");
    this.out.reduce();
  }

  private pushList(items: readonly unknown[], type: ListType): void {
    const { out } = this;
    const builder = SPECIALIZED_LISTS[type.element.kind];
    if (builder === undefined) {
      return this.pushTagged(type, () => {
        out.startList();
        for (const item of items) this.push(item, type.element);
        out.endList();
      });
    }
    out.pushGlobal(PICKLE_MODULE, builder);
    out.startTuple();
    out.startList();
    for (const item of items) this.pushElement(item, type.element);
    out.endList();
    out.endTuple();
    out.reduce();
  }

  /** An element of a specialized list. Tensors are always memoized: upstream copies the list to walk it. */
  private pushElement(item: unknown, type: Type): void {
    if (!(item instanceof Tensor)) return this.pushValue(item instanceof Float ? item.value : item, type);
    if (this.out.recall(item)) return;
    this.tensors.push(item);
    this.out.memoizeTop(item);
  }

  /** A container with the text of its type beside it. */
  private pushTagged(type: Type, push: () => void): void {
    this.out.pushGlobal(PICKLE_MODULE, "restore_type_tag");
    push();
    this.out.pushString(annotationStr(type));
    this.out.op("TUPLE2");
    this.out.reduce();
  }

  private pushDevice(text: string): void {
    const { out } = this;
    const key = `device ${text}`;
    if (out.recall(key)) return;
    out.pushGlobal("torch", "device");
    out.pushString(text);
    out.op("TUPLE1");
    out.reduce();
    out.memoizeTop(key);
  }

  private pushEnum({ type, value }: EnumValue): void {
    this.out.pushGlobal(type.name.prefix, type.name.name);
    this.push(value, type.valueType);
    this.out.reduce();
  }

  private pushObject(object: ScriptObject): void {
    const { out } = this;
    const { type } = object;
    const name = this.options.nameOf(type);
    out.pushGlobal(name.prefix, name.name);
    out.newObject();
    const getState = findGetState(type);
    if (getState) {
      const returned = this.options.runMethod(getState, [object]);
      const state = this.constants.share(getState, returned, (value) => this.counts.add(value));
      this.counts.add(state, GETSTATE_OWNERS);
      this.push(state, getState.schema.returns[0]!.type);
    } else {
      out.startDict();
      type.attributes.forEach((attribute, i) => {
        out.pushString(attribute.name);
        const value = object.slots[i];
        if (value === undefined)
          internalAssert(false, `attribute ${attribute.name} of ${type.name.qualifiedName} has no value`);
        this.push(value, attribute.type);
      });
      out.endDict();
    }
    out.build();
  }
}

/** `__getstate__` of a class that has the pair with `__setstate__`; throws with PyTorch's text where their schemas do not fit. */
function findGetState(type: ClassType): FunctionLike | undefined {
  const getState = type.findMethod("__getstate__");
  if (!getState) return undefined;
  const get = getState.schema;
  if (get.args.length !== 1)
    throw new ScriptError(
      `'__getstate__' must have 'self' as its only argument, but found ${get.args.length} arguments`,
    );
  if (get.returns.length !== 1)
    throw new ScriptError(`'__getstate__' must return 1 value, but found ${get.returns.length}`);
  const set = type.findMethod("__setstate__")?.schema;
  if (!set) return undefined;
  if (set.args.length !== 2) {
    throw new ScriptError(
      `'__setstate__' must have 'self' and the state as its only arguments, but found ${set.args.length} arguments`,
    );
  }
  const returned = set.returns[0]?.type;
  if (returned?.kind !== "None") {
    throw new ScriptError(
      `'__setstate__' must return None, but found value of type ${returned ? annotationStr(returned) : "none"}`,
    );
  }
  const given = get.returns[0]!.type;
  const taken = set.args[1]!.type;
  if (!isSubtypeOf(given, taken)) {
    throw new ScriptError(
      `'__getstate__'s return type (${annotationStr(given)}) does not match '__setstate__'s argument type (${annotationStr(taken)})`,
    );
  }
  return getState;
}
