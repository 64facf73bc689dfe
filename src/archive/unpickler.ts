/** @file Reads a pickle into plain values with stack, memo and marks; runs OPCODES. Upstream: torch/csrc/jit/serialization/unpickler.cpp. Spec: spec/pickle.md.
 *
 * Note [Frequent opcodes]: twelve opcodes make four fifths of every pickle of tensors. `runFrequent` does what the table says of them, in
 * one loop without calls; whatever is not as it mostly is (a limit is near, the memo has gaps, bytes are missing) it leaves to the table,
 * which knows what to say. Tests compare the two.
 *
 * Note [Nesting]: a value can only come to hold itself, or to be deeper than what was put into it, if it is filled after it was on the
 * stack a second time. Where that does not happen, nesting is at most the number of values that hold others; only pickles that exceed
 * the limit by this count, or fill what they recalled, are walked (`checkNesting`). */
import { keepShape } from "../base/shapes.ts";
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

const LONGEST_FREQUENT = 5; // bytes of LONG_BINPUT

function u4At(data: Uint8Array, at: number): number {
  return (data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24)) >>> 0;
}

/** Whether an opcode may still put something into the value. */
function canBeFilled(value: PickleValue): boolean {
  return (
    !(value instanceof PickleGlobal) && // what is recalled most
    (value instanceof PickleList ||
      value instanceof PickleDict ||
      value instanceof PickleObject ||
      value instanceof PickleReduce ||
      value instanceof PickleSet)
  );
}

/** The machine that opcodes run on. */
export class PickleMachine {
  private readonly reader: ByteReader;
  private readonly record: string | undefined;
  private readonly limits: LimitOverrides | undefined;
  private readonly torchOnly: boolean;
  private readonly maxItems: number;
  /** The first `height` elements count; what is above is left over. Arrays that shrink are slow. */
  private readonly stack: PickleValue[] = [];
  private height = 0;
  private readonly marks: number[] = [];
  private readonly memo: PickleValue[] = [];
  /** Memo entries that skip ids: a hostile id must not size an array. */
  private readonly sparseMemo = new Map<number, PickleValue>();
  private readonly operations: (PickleObject | PickleReduce)[] = [];
  private opcodeOffset = 0;
  private opcode = 0;
  private stopped = false;
  /** Values that hold others, or more. See Note [Nesting]. */
  private holders = 0;
  /** What was on the stack a second time and can still be filled. */
  private readonly recalled = new Set<PickleValue>();
  private fillsRecalled = false;

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
      this.runFrequent();
      this.holders++;
      this.opcodeOffset = reader.position;
      if (reader.remaining === 0) this.failAt("Unexpected end of pickler archive.", reader.position);
      this.opcode = reader.u1();
      const spec = OPCODES_BY_CODE[this.opcode];
      if (!spec || (this.torchOnly && !spec.torch)) {
        this.fail(`Unknown opcode for unpickling at 0x${this.opcode.toString(16).padStart(2, "0")}: ${this.opcode}`);
      }
      spec.run(this, spec.argument.read(reader));
    }
    if (this.height !== 1) this.fail(`Unpickler expected 1 element on the stack, but found ${this.height}`);
    const value = this.stack[0]!;
    if (this.fillsRecalled || this.holders > (this.limits?.maxPickleDepth ?? LIMITS.maxPickleDepth)) {
      const problem = checkNesting(value, this.limits);
      if (problem !== undefined) this.fail(problem);
    }
    return { value, operations: this.operations, nbytes: reader.position };
  }

  /** Runs opcodes up to the first that is left to the table. See Note [Frequent opcodes]. */
  private runFrequent(): void {
    const { stack, marks, memo, reader } = this;
    const { data } = reader;
    const last = data.length - LONGEST_FREQUENT;
    const maxHeight = this.maxItems - 1;
    const mayMemoize = this.sparseMemo.size === 0;
    let { height } = this;
    let at = reader.position;
    run: while (at <= last && height < maxHeight) {
      switch (data[at]!) {
        case 0x68: // BINGET
        case 0x6a: {
          // LONG_BINGET
          const isShort = data[at] === 0x68;
          const id = isShort ? data[at + 1]! : u4At(data, at + 1);
          const value = id < memo.length ? memo[id]! : undefined;
          if (value === undefined || (typeof value === "object" && canBeFilled(value))) break run;
          stack[height++] = value;
          at += isShort ? 2 : 5;
          break;
        }
        case 0x71: // BINPUT
        case 0x72: {
          // LONG_BINPUT
          const isShort = data[at] === 0x71;
          const id = isShort ? data[at + 1]! : u4At(data, at + 1);
          const floor = marks.length === 0 ? 0 : marks[marks.length - 1]!;
          if (height <= floor || id !== memo.length || !mayMemoize || id >= maxHeight) break run;
          memo.push(stack[height - 1]!);
          at += isShort ? 2 : 5;
          break;
        }
        case 0x28: // MARK
          marks.push(height);
          at++;
          break;
        case 0x74: {
          // TUPLE
          const start = marks.pop();
          if (start === undefined) break run;
          this.holders++;
          const tuple = new PickleTuple(stack.slice(start, height));
          stack[start] = tuple;
          height = start + 1;
          at++;
          break;
        }
        case 0x29: // EMPTY_TUPLE
          stack[height++] = new PickleTuple([]);
          at++;
          break;
        case 0x4b: // BININT1
          stack[height++] = data[at + 1]!;
          at += 2;
          break;
        case 0x4d: // BININT2
          stack[height++] = data[at + 1]! | (data[at + 2]! << 8);
          at += 3;
          break;
        case 0x4e: // NONE
          stack[height++] = null;
          at++;
          break;
        case 0x88: // NEWTRUE
          stack[height++] = true;
          at++;
          break;
        case 0x89: // NEWFALSE
          stack[height++] = false;
          at++;
          break;
        default:
          break run;
      }
    }
    this.height = height;
    reader.position = at;
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
    this.marks.push(this.height);
  }

  push(value: PickleValue): void {
    if (this.height >= this.maxItems)
      checkLimit("maxPickleItems", this.height + 1, `stack of ${describe(this.record)}`, this.limits);
    this.stack[this.height++] = value;
  }

  /** Pushes what is somewhere else already. */
  pushAgain(value: PickleValue): void {
    if (typeof value === "object" && canBeFilled(value)) this.recalled.add(value);
    this.push(value);
  }

  top(): PickleValue {
    this.need(1);
    return this.stack[this.height - 1]!;
  }

  pop(): PickleValue {
    this.need(1);
    return this.stack[--this.height]!;
  }

  /** Values above the last mark are out of reach of opcodes that do not take the mark. */
  private need(count: number): void {
    const floor = this.marks.length === 0 ? 0 : this.marks[this.marks.length - 1]!;
    const available = this.height - floor;
    if (available < count)
      this.fail(`Parsing error: stack_ contains ${available} elements, at least ${count} expected`);
  }

  /** POP takes a mark away when that is on top. */
  popOrMark(): void {
    if (this.marks.length > 0 && this.marks[this.marks.length - 1] === this.height) this.marks.pop();
    else this.pop();
  }

  /** The last `count` values, removed from the stack. */
  popMany(count: number): PickleValue[] {
    this.need(count);
    return this.cut(this.height - count);
  }

  /** The values from `start` on, removed from the stack. */
  private cut(start: number): PickleValue[] {
    const values = this.stack.slice(start, this.height);
    this.height = start;
    return values;
  }

  /** The values above the last mark; both are removed. */
  popToMark(): PickleValue[] {
    const start = this.marks.pop();
    if (start === undefined) this.fail("Parsing error: marks_ is empty");
    return this.cut(start);
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
    this.pushAgain(value);
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

  /** What is about to be filled. */
  private filled(): PickleValue {
    const value = this.top();
    if (this.recalled.size > 0 && this.recalled.has(value)) this.fillsRecalled = true;
    return value;
  }

  append(items: PickleValue[]): void {
    const list = this.filled();
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
    const target = this.filled();
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
    const set = this.filled();
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
    let target = this.filled();
    this.pop();
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

keepShape(new PickleMachine(new Uint8Array(0), {}));
