/** @file Pickled values as plain data: what a pickle names is recorded, never called. Upstream: none. Spec: spec/pickle.md. */
import { keepShape } from "../base/shapes.ts";

/**
 * A pickled value. Python ints are `number` while safe integers and `bigint` beyond; floats are `PickleFloat`, so that
 * 1 and 1.0 stay apart. A value that the memo refers to twice is the same JavaScript object in both places.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleFloat
  | PickleTuple
  | PickleList
  | PickleDict
  | PickleSet
  | PickleGlobal
  | PickleReduce
  | PickleObject
  | PersistentId;

/** A Python float. */
export class PickleFloat {
  /** The number. */
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** A tuple. */
export class PickleTuple {
  /** The elements. */
  readonly items: readonly PickleValue[];
  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

/** A list; APPENDS fills it after it was made. */
export class PickleList {
  /** The elements. */
  readonly items: PickleValue[];
  constructor(items: PickleValue[] = []) {
    this.items = items;
  }
}

/** A dict: pairs in the order they were set. A key that occurs twice counts with its last value at its first place. */
export class PickleDict {
  /** Keys and values in the order they were set. */
  readonly entries: [PickleValue, PickleValue][] = [];

  /** The value last set for a string key, or undefined. Linear. */
  get(key: string): PickleValue | undefined {
    for (let i = this.entries.length - 1; i >= 0; i--) if (this.entries[i]![0] === key) return this.entries[i]![1];
    return undefined;
  }
}

/** A set or frozenset. */
export class PickleSet {
  /** The elements. */
  readonly items: PickleValue[];
  /** Whether it is a frozenset. */
  readonly frozen: boolean;
  constructor(items: PickleValue[], frozen: boolean) {
    this.items = items;
    this.frozen = frozen;
  }
}

/** A name: a class or a function. Nothing is looked up. */
export class PickleGlobal {
  /** The module that the name is of. */
  readonly module: string;
  readonly name: string;
  /** Where in the pickle the opcode stands. */
  readonly byteOffset: number;
  constructor(module: string, name: string, byteOffset: number) {
    this.module = module;
    this.name = name;
    this.byteOffset = byteOffset;
  }

  /** `module.name`. */
  get qualifiedName(): string {
    return this.module === "" ? this.name : `${this.module}.${this.name}`;
  }

  /** Whether it is this name of this module. */
  is(module: string, name: string): boolean {
    return this.module === module && this.name === name;
  }
}

/** The result of REDUCE: `callable(*args)`. TorchScript enums have the value itself as `args`. */
export class PickleReduce {
  /** What is called, by name. */
  readonly callable: PickleValue;
  /** What it is called with. */
  readonly args: PickleValue;
  /** The argument of a BUILD that followed; undefined without one. */
  state: PickleValue | undefined = undefined;
  /** What SETITEMS put into the result (Python's OrderedDict); undefined without one. */
  items: PickleDict | undefined = undefined;
  /** Place among all REDUCE and BUILD operations of the pickle: PyTorch runs them in this order. */
  readonly order: number;
  /** Where in the pickle the opcode stands. */
  readonly byteOffset: number;
  constructor(callable: PickleValue, args: PickleValue, order: number, byteOffset: number) {
    this.callable = callable;
    this.args = args;
    this.order = order;
    this.byteOffset = byteOffset;
  }
}

/** The result of NEWOBJ and BUILD: an instance of `cls`, whose attributes or state the BUILD gives. */
export class PickleObject {
  /** The class by name. */
  readonly cls: PickleGlobal;
  /** What the class is called with. */
  readonly args: PickleValue;
  /** The argument of BUILD: a dict of attributes, or what `__getstate__` returned. Undefined without BUILD. */
  state: PickleValue | undefined = undefined;
  /** Place of the BUILD among all REDUCE and BUILD operations: `__setstate__` runs in this order. -1 without BUILD. */
  order = -1;
  /** Where in the pickle the opcode stands. */
  readonly byteOffset: number;
  constructor(cls: PickleGlobal, args: PickleValue, byteOffset: number) {
    this.cls = cls;
    this.args = args;
    this.byteOffset = byteOffset;
  }
}

/** A reference to something outside the pickle: a storage, in TorchScript. */
export class PersistentId {
  /** What the id is made of. */
  readonly value: PickleValue;
  /** Where in the pickle the opcode stands. */
  readonly byteOffset: number;
  constructor(value: PickleValue, byteOffset: number) {
    this.value = value;
    this.byteOffset = byteOffset;
  }
}

/** What Python calls a value's type, for messages. */
export function pickleTypeName(value: PickleValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "NoneType";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number" || typeof value === "bigint") return "int";
  if (typeof value === "string") return "str";
  if (value instanceof PickleFloat) return "float";
  if (value instanceof PickleTuple) return "tuple";
  if (value instanceof PickleList) return "list";
  if (value instanceof PickleDict) return "dict";
  if (value instanceof PickleSet) return value.frozen ? "frozenset" : "set";
  if (value instanceof PickleGlobal) return `global ${value.qualifiedName}`;
  if (value instanceof PickleObject) return `object of ${value.cls.qualifiedName}`;
  if (value instanceof PickleReduce)
    return `result of ${value.callable instanceof PickleGlobal ? value.callable.qualifiedName : "a call"}`;
  if (value instanceof PersistentId) return "persistent id";
  return "bytes";
}

/** The values directly inside a value, in the order they were pickled. */
export function pickleChildren(value: PickleValue): readonly PickleValue[] {
  if (value instanceof PickleTuple || value instanceof PickleList || value instanceof PickleSet) return value.items;
  if (value instanceof PickleDict) return value.entries.flat();
  if (value instanceof PickleReduce) {
    if (value.items === undefined && value.state === undefined) return [value.callable, value.args];
    return [value.callable, value.args, value.items, value.state].filter((child) => child !== undefined);
  }
  if (value instanceof PickleObject)
    return value.state === undefined ? [value.cls, value.args] : [value.cls, value.args, value.state];
  if (value instanceof PersistentId) return [value.value];
  return [];
}

const exampleName = new PickleGlobal("", "", 0);
for (const example of [
  exampleName,
  new PickleFloat(0.5),
  new PickleTuple([]),
  new PickleList(),
  new PickleDict(),
  new PickleReduce(exampleName, null, 0, 0),
  new PickleObject(exampleName, null, 0),
  new PersistentId("", 0),
])
  keepShape(example);
