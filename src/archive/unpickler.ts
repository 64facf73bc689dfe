/** @file Reads a pickle into plain values with stack, memo and marks; runs OPCODES. Upstream: torch/csrc/jit/serialization/unpickler.cpp. Spec: spec/pickle.md. */
import { ByteReader } from "../base/bytes.ts";
import { PickleError } from "../base/errors.ts";
import { type LimitOverrides, LIMITS, checkLimit } from "../base/limits.ts";
import { OPCODES, OPCODES_BY_CODE, OPCODE_NAMES, normalizeInt, twosComplement } from "./opcodes.ts";
import { checkNesting } from "./pickle_nesting.ts";
import {
  PersistentId,
  PickleDict,
  PickleGlobal,
  PickleList,
  PickleObject,
  PickleReduce,
  PickleSet,
  PickleTuple,
  type PickleValue,
  pickleTypeName,
} from "./pickle_value.ts";

/** Options of `unpickle`. */
export interface UnpickleOptions {
  /** Name of the record, for messages. */
  record?: string | undefined;
  /** Overrides of the limits that untrusted input is held to. */
  limits?: LimitOverrides | undefined;
  /** Refuse opcodes and protocols that PyTorch's own reader does not know. Default false. */
  torchOnly?: boolean;
}

/** A pickle that was read. */
export interface Unpickled {
  /** What was pickled. */
  readonly value: PickleValue;
  /** Objects and calls with a state or arguments, in the order in which PyTorch runs BUILD and REDUCE. */
  readonly operations: readonly (PickleObject | PickleReduce)[];
  /** Bytes up to and including STOP. */
  readonly nbytes: number;
}

const TORCH_PROTOCOL = 2;
const MAX_PROTOCOL = 5;
const MAX_LONG_NBYTES = 1 << 10; // far above int64; the conversion is quadratic
const MAX_INT_DIGITS = 2466; // of as many bytes

/** Reads one pickle and returns its value. Nothing that it names is looked up or called. Throws `PickleError` or `LimitError`. */
export function unpickle(bytes: Uint8Array, options: UnpickleOptions = {}): PickleValue {
  return unpickleAll(bytes, options).value;
}

/** Reads one pickle, and tells also the order of its operations and where it ends. */
export function unpickleAll(bytes: Uint8Array, options: UnpickleOptions = {}): Unpickled {
  return new PickleMachine(bytes, options).run();
}

/** `"record"` or, without a name, `pickle`: the object of messages. */
function describe(record: string | undefined): string {
  return record === undefined ? "pickle" : `"${record}"`;
}

/** torch.save before 1.6 names the classes of modules by persistent ids: ("module", class, file, source). */
function classOf(value: PickleValue): PickleValue {
  if (!(value instanceof PersistentId) || !(value.value instanceof PickleTuple)) return value;
  const [word, cls] = value.value.items;
  return word === "module" && cls instanceof PickleGlobal ? cls : value;
}

/** The machine that opcodes run on. */
export class PickleMachine {
  private readonly reader: ByteReader;
  private readonly record: string | undefined;
  private readonly limits: LimitOverrides | undefined;
  private readonly torchOnly: boolean;
  private readonly maxItems: number;
  private readonly stack: PickleValue[] = [];
  private readonly marks: number[] = [];
  private readonly memo: PickleValue[] = [];
  /** Memo entries that skip ids: a hostile id must not size an array. */
  private readonly sparseMemo = new Map<number, PickleValue>();
  private readonly operations: (PickleObject | PickleReduce)[] = [];
  private opcodeOffset = 0;
  private opcode = 0;
  private stopped = false;

  constructor(bytes: Uint8Array, options: UnpickleOptions) {
    this.record = options.record;
    this.limits = options.limits;
    this.torchOnly = options.torchOnly ?? false;
    this.maxItems = options.limits?.maxPickleItems ?? LIMITS.maxPickleItems;
    checkLimit("maxRecordBytes", bytes.length, `pickle ${describe(this.record)}`, this.limits);
    this.reader = new ByteReader(bytes, (message, at) => this.failAt(message, at));
  }

  /** Runs all opcodes up to STOP. */
  run(): Unpickled {
    const { reader } = this;
    this.opcode = reader.remaining > 0 ? reader.data[0]! : 0;
    if (this.opcode !== OPCODES.PROTO.code) {
      if (reader.remaining === 0) this.failAt("0 bytes, expected a pickle", 0);
      this.failAt(`Expected PROTO opcode at the start of pickle archive, found ${this.opcode}`, 0);
    }
    while (!this.stopped) {
      this.opcodeOffset = reader.position;
      if (reader.remaining === 0) this.failAt("Unexpected end of pickler archive.", reader.position);
      this.opcode = reader.u1();
      const spec = OPCODES_BY_CODE[this.opcode];
      if (!spec || (this.torchOnly && !spec.torch)) {
        this.fail(`Unknown opcode for unpickling at 0x${this.opcode.toString(16).padStart(2, "0")}: ${this.opcode}`);
      }
      spec.run(this, spec.argument.read(reader));
    }
    if (this.stack.length !== 1) this.fail(`Unpickler expected 1 element on the stack, but found ${this.stack.length}`);
    const value = this.stack[0]!;
    const problem = checkNesting(value, this.limits);
    if (problem !== undefined) this.fail(problem);
    return { value, operations: this.operations, nbytes: reader.position };
  }

  /** Throws at the running opcode. */
  fail(message: string): never {
    return this.failAt(message, this.opcodeOffset);
  }

  private failAt(message: string, byteOffset: number): never {
    const name = OPCODE_NAMES[this.opcode];
    const at =
      name === undefined ? `byte ${byteOffset}` : `byte ${byteOffset}, opcode ${name} at byte ${this.opcodeOffset}`;
    throw new PickleError(`Cannot unpickle ${describe(this.record)}: ${message} (${at})`, {
      record: this.record,
      byteOffset,
      opcode: this.opcode,
    });
  }

  // Structure

  protocol(version: number): void {
    const supported = this.torchOnly
      ? version === TORCH_PROTOCOL
      : version >= TORCH_PROTOCOL && version <= MAX_PROTOCOL;
    if (!supported) this.fail(`Only Pickle protocol 2 is supported, found protocol = ${version}`);
  }

  stop(): void {
    this.stopped = true;
  }

  mark(): void {
    this.marks.push(this.stack.length);
  }

  push(value: PickleValue): void {
    if (this.stack.length >= this.maxItems)
      checkLimit("maxPickleItems", this.stack.length + 1, `stack of ${describe(this.record)}`, this.limits);
    this.stack.push(value);
  }

  top(): PickleValue {
    this.need(1);
    return this.stack[this.stack.length - 1]!;
  }

  pop(): PickleValue {
    this.need(1);
    return this.stack.pop()!;
  }

  /** Values above the last mark are out of reach of opcodes that do not take the mark. */
  private need(count: number): void {
    const floor = this.marks.length === 0 ? 0 : this.marks[this.marks.length - 1]!;
    const available = this.stack.length - floor;
    if (available < count)
      this.fail(`Parsing error: stack_ contains ${available} elements, at least ${count} expected`);
  }

  /** POP takes a mark away when that is on top. */
  popOrMark(): void {
    if (this.marks.length > 0 && this.marks[this.marks.length - 1] === this.stack.length) this.marks.pop();
    else this.pop();
  }

  /** The last `count` values, removed from the stack. */
  popMany(count: number): PickleValue[] {
    this.need(count);
    return this.stack.splice(this.stack.length - count, count);
  }

  /** The values above the last mark; both are removed. */
  popToMark(): PickleValue[] {
    const start = this.marks.pop();
    if (start === undefined) this.fail("Parsing error: marks_ is empty");
    return this.stack.splice(start, this.stack.length - start);
  }

  // Memo

  get memoSize(): number {
    return this.memo.length + this.sparseMemo.size;
  }

  memoize(id: number): void {
    const value = this.top();
    if (id < this.memo.length) this.memo[id] = value;
    else if (id === this.memo.length) this.memo.push(value);
    else this.sparseMemo.set(id, value);
    if (this.memoSize > this.maxItems)
      checkLimit("maxPickleItems", this.memoSize, `memo of ${describe(this.record)}`, this.limits);
  }

  recall(id: number): void {
    const value = id < this.memo.length ? this.memo[id] : this.sparseMemo.get(id);
    if (value === undefined) {
      this.fail(`Parsing error: out of bounds access at ${id} to memo_table_ which is of size ${this.memoSize}`);
    }
    this.push(value);
  }

  /** torch reads longs of 8 bytes only; Python's writer makes them as short as they can be. */
  long(bytes: Uint8Array): void {
    if (this.torchOnly && bytes.length !== 8) this.fail(`Expected length to be 8, got ${bytes.length}`);
    if (bytes.length > MAX_LONG_NBYTES) this.fail(`int has ${bytes.length} bytes, at most ${MAX_LONG_NBYTES} are read`);
    this.push(twosComplement(bytes));
  }

  // Text forms of protocol 0

  decimal(text: string): number {
    if (!/^\d{1,10}$/.test(text)) this.fail(`memo id is ${JSON.stringify(text.slice(0, 40))}, expected decimal digits`);
    return Number(text);
  }

  textInt(text: string): PickleValue {
    if (this.opcode === OPCODES.INT.code && (text === "00" || text === "01")) return text === "01"; // pickletools: booleans of protocol 0
    if (text.length > MAX_INT_DIGITS || !/^\s*-?\d+\s*$/.test(text))
      this.fail(`int is ${JSON.stringify(text.slice(0, 40))}, expected decimal digits`);
    return normalizeInt(BigInt(text));
  }

  textFloat(text: string): number {
    const special = { inf: Infinity, "-inf": -Infinity, nan: NaN, "-nan": NaN }[text.trim()];
    if (special !== undefined) return special;
    if (!/^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/.test(text))
      this.fail(`float is ${JSON.stringify(text.slice(0, 40))}, expected a decimal number`);
    return Number(text);
  }

  // Containers

  append(items: PickleValue[]): void {
    const list = this.top();
    if (!(list instanceof PickleList)) this.fail(`items are appended to ${pickleTypeName(list)}, expected a list`);
    if (list.items.length === 0) {
      // The first batch is by far the most frequent case, and may be large: no spread, which overflows the call stack.
      for (let i = 0; i < items.length; i++) list.items[i] = items[i]!;
    } else for (const item of items) list.items.push(item);
  }

  makeDict(items: PickleValue[]): void {
    const dict = new PickleDict();
    this.fillDict(dict, items);
    this.push(dict);
  }

  setItems(items: PickleValue[]): void {
    const target = this.top();
    // OrderedDict() is a REDUCE result that SETITEMS fills, in pickles of Python (torch.save).
    if (target instanceof PickleReduce) return this.fillDict((target.items ??= new PickleDict()), items);
    if (!(target instanceof PickleDict)) this.fail(`items are set in ${pickleTypeName(target)}, expected a dict`);
    this.fillDict(target, items);
  }

  private fillDict(dict: PickleDict, items: PickleValue[]): void {
    if (items.length % 2 !== 0) this.fail(`dict has ${items.length} keys and values, expected an even number`);
    for (let i = 0; i < items.length; i += 2) dict.entries.push([items[i]!, items[i + 1]!]);
  }

  makeSet(items: PickleValue[], frozen: boolean): void {
    this.push(new PickleSet(items, frozen));
  }

  addItems(items: PickleValue[]): void {
    const set = this.top();
    if (!(set instanceof PickleSet) || set.frozen)
      this.fail(`items are added to ${pickleTypeName(set)}, expected a set`);
    for (const item of items) set.items.push(item);
  }

  // Names, calls and objects

  global(module: string, name: string): void {
    this.push(new PickleGlobal(module, name, this.opcodeOffset));
  }

  stackGlobal(): void {
    const [module, name] = this.popMany(2);
    if (typeof module !== "string" || typeof name !== "string") {
      this.fail(`global is named by ${pickleTypeName(module)} and ${pickleTypeName(name)}, expected str and str`);
    }
    this.global(module, name);
  }

  reduce(): void {
    const [callable, args] = this.popMany(2);
    if (!(callable instanceof PickleGlobal) && this.torchOnly)
      this.fail(`${pickleTypeName(callable)} is called, expected a global`);
    const result = new PickleReduce(callable!, args!, this.operations.length, this.opcodeOffset);
    this.operations.push(result);
    this.push(result);
  }

  newObject(): void {
    const [given, args] = this.popMany(2);
    const cls = classOf(given!);
    if (!(cls instanceof PickleGlobal)) this.fail(`object is made of ${pickleTypeName(cls)}, expected a global`);
    this.push(new PickleObject(cls, args!, this.opcodeOffset));
  }

  newObjectWithKeywords(): void {
    const [cls, args, keywords] = this.popMany(3);
    if (!(cls instanceof PickleGlobal)) this.fail(`object is made of ${pickleTypeName(cls)}, expected a global`);
    this.push(new PickleObject(cls, new PickleTuple([args!, keywords!]), this.opcodeOffset));
  }

  /** The object stays the same one, so that earlier memo entries see the state. */
  build(): void {
    const state = this.pop();
    let target = this.pop();
    if (target instanceof PickleGlobal) {
      // torch's reader lets NEWOBJ do nothing, so old files may BUILD a bare global (`__main__.IntList`).
      target = new PickleObject(target, new PickleTuple([]), this.opcodeOffset);
    }
    if (!(target instanceof PickleObject) && !(target instanceof PickleReduce)) {
      this.fail(`state is given to ${pickleTypeName(target)}, expected an object`);
    }
    if (target.state !== undefined) this.fail(`state is given to ${pickleTypeName(target)} twice, expected once`);
    target.state = state;
    if (target instanceof PickleObject) {
      target.order = this.operations.length;
      this.operations.push(target);
    }
    this.push(target);
  }

  persistentId(value: PickleValue): void {
    this.push(new PersistentId(value, this.opcodeOffset));
  }
}
