/** @file Emits pickle opcodes with the choices of PyTorch's writer; knows no values. Upstream: torch/csrc/jit/serialization/pickler.cpp. Spec: spec/pickle.md. */
import { ByteWriter, concatBytes } from "../base/bytes.ts";
import { internalAssert } from "../base/errors.ts";
import { OPCODES, type OpcodeName } from "./opcodes.ts";

const PROTOCOL = 2;
const U1_MAX = 0xff;
const U2_MAX = 0xffff;
const I4_MIN = -(2 ** 31);
const I4_MAX = 2 ** 31 - 1;
const CHUNK = 1 << 20;

// what most of a pickle is made of: looked up once
const BININT1 = OPCODES.BININT1.code;
const BININT2 = OPCODES.BININT2.code;
const BININT = OPCODES.BININT.code;
const BINPUT = OPCODES.BINPUT.code;
const LONG_BINPUT = OPCODES.LONG_BINPUT.code;
const BINGET = OPCODES.BINGET.code;
const LONG_BINGET = OPCODES.LONG_BINGET.code;
const BINUNICODE = OPCODES.BINUNICODE.code;
const MARK = OPCODES.MARK.code;
const TUPLE = OPCODES.TUPLE.code;

/**
 * Writes one pickle. Strings and globals are memoized by value, everything else by keys that the caller chooses: an
 * object (identity) or a string. Memo ids count from 0 in the order of BINPUT.
 */
export class PickleEmitter {
  private out = new ByteWriter(1024);
  private readonly chunks: Uint8Array[] = [];
  private readonly strings = new Map<string, number>();
  /** By module, then by name: joining the two costs more than looking twice. */
  private readonly globals = new Map<string, Map<string, number>>();
  private readonly keys = new Map<unknown, number>();
  private memoSize = 0;

  constructor() {
    this.op("PROTO");
    this.out.u1(PROTOCOL);
  }

  /** Writes an opcode without its argument. */
  op(name: OpcodeName): void {
    this.code(OPCODES[name].code);
  }

  private code(code: number): void {
    if (this.out.length >= CHUNK) {
      this.chunks.push(this.out.finish());
      this.out = new ByteWriter(CHUNK + 64);
    }
    this.out.u1(code);
  }

  /** Writes raw bytes: the argument of the opcode before. */
  bytes(data: Uint8Array): void {
    this.out.bytes(data);
  }

  // Scalars

  /** NONE. */
  pushNone(): void {
    this.op("NONE");
  }

  /** NEWTRUE or NEWFALSE. */
  pushBool(value: boolean): void {
    this.op(value ? "NEWTRUE" : "NEWFALSE");
  }

  /** The shortest of BININT1, BININT2, BININT and an 8-byte LONG1; a bigint wraps at 64 bits. */
  pushInt(value: number | bigint): void {
    if (typeof value === "bigint") {
      const wrapped = BigInt.asIntN(64, value);
      if (wrapped < BigInt(I4_MIN) || wrapped > BigInt(I4_MAX)) return this.pushLong(wrapped);
      value = Number(wrapped);
    }
    if (!Number.isSafeInteger(value)) internalAssert(false, `int ${value} is not safe`);
    if (value >= 0 && value <= U1_MAX) {
      this.code(BININT1);
      this.out.u1(value);
    } else if (value >= 0 && value <= U2_MAX) {
      this.code(BININT2);
      this.out.u2(value);
    } else if (value >= I4_MIN && value <= I4_MAX) {
      this.code(BININT);
      this.out.i4(value);
    } else this.pushLong(BigInt(value));
  }

  private pushLong(value: bigint): void {
    this.op("LONG1");
    this.out.u1(8);
    this.out.i8(value);
  }

  /** BINFLOAT. */
  pushDouble(value: number): void {
    this.op("BINFLOAT");
    this.out.f8BigEndian(value);
  }

  /** A string: written and memoized once, recalled afterwards. */
  pushString(text: string): void {
    const id = this.strings.get(text);
    if (id !== undefined) return this.recallId(id);
    this.pushStringUnmemoized(text);
    this.strings.set(text, this.nextMemoId());
  }

  /** A string that leaves no trace in the memo. */
  pushStringUnmemoized(text: string): void {
    this.code(BINUNICODE);
    const { out } = this;
    const at = out.length;
    out.u4(0);
    out.putU4(at, out.utf8(text));
  }

  /** A class or function by name: written and memoized once, recalled afterwards. */
  pushGlobal(module: string, name: string): void {
    let ids = this.globals.get(module);
    if (!ids) this.globals.set(module, (ids = new Map()));
    const id = ids.get(name);
    if (id !== undefined) return this.recallId(id);
    this.op("GLOBAL");
    this.out.utf8(`${module}\n${name}\n`);
    ids.set(name, this.nextMemoId());
  }

  // Containers: what lies between start and end are the elements

  /** MARK. */
  mark(): void {
    this.code(MARK);
  }

  /** Starts a tuple of unknown length; `endTuple` closes it. */
  startTuple(): void {
    this.code(MARK);
  }

  /** TUPLE: closes a tuple. */
  endTuple(): void {
    this.code(TUPLE);
  }

  /** Starts a tuple value as PyTorch writes them: no MARK up to three elements. `endTupleOf` takes the same length. */
  startTupleOf(length: number): void {
    if (length > 3) this.code(MARK);
  }

  /** Closes a tuple of so many elements. */
  endTupleOf(length: number): void {
    this.op(
      length === 0
        ? "EMPTY_TUPLE"
        : length === 1
          ? "TUPLE1"
          : length === 2
            ? "TUPLE2"
            : length === 3
              ? "TUPLE3"
              : "TUPLE",
    );
  }

  /** EMPTY_TUPLE. */
  pushEmptyTuple(): void {
    this.op("EMPTY_TUPLE");
  }

  /** EMPTY_DICT. */
  pushEmptyDict(): void {
    this.op("EMPTY_DICT");
  }

  /** EMPTY_LIST MARK; PyTorch writes the mark for empty lists too. */
  startList(): void {
    this.op("EMPTY_LIST");
    this.code(MARK);
  }

  /** APPENDS: closes a list. */
  endList(): void {
    this.op("APPENDS");
  }

  /** EMPTY_DICT MARK; PyTorch writes the mark for empty dicts too. */
  startDict(): void {
    this.op("EMPTY_DICT");
    this.code(MARK);
  }

  /** SETITEMS: closes a dict. */
  endDict(): void {
    this.op("SETITEMS");
  }

  // Calls and objects

  /** REDUCE: calls what lies below the arguments. */
  reduce(): void {
    this.op("REDUCE");
  }

  /** EMPTY_TUPLE NEWOBJ after the class. */
  newObject(): void {
    this.op("EMPTY_TUPLE");
    this.op("NEWOBJ");
  }

  /** BUILD: gives the object its state. */
  build(): void {
    this.op("BUILD");
  }

  /** Makes the tuple on top of the stack a persistent id. */
  pushPersistentId(): void {
    this.op("BINPERSID");
  }

  // Memo

  /** Writes BINPUT (LONG_BINPUT from id 256 on) for the value on top of the stack and returns its id. */
  nextMemoId(): number {
    const id = this.memoSize++;
    if (id <= U1_MAX) {
      this.code(BINPUT);
      this.out.u1(id);
    } else {
      this.code(LONG_BINPUT);
      this.out.u4(id);
    }
    return id;
  }

  /** Memoizes the value on top of the stack under a key: an object (by identity) or a string. Returns the id. */
  memoizeTop(key?: unknown): number {
    const id = this.nextMemoId();
    if (key !== undefined) this.keys.set(key, id);
    return id;
  }

  /** The id that a key was memoized under, or undefined. */
  getMemo(key: unknown): number | undefined {
    return this.keys.get(key);
  }

  /** Writes BINGET when the key is in the memo; returns whether it was. */
  recall(key: unknown): boolean {
    const id = this.keys.get(key);
    if (id === undefined) return false;
    this.recallId(id);
    return true;
  }

  /** Writes BINGET (LONG_BINGET from id 256 on). */
  recallId(id: number): void {
    if (id <= U1_MAX) {
      this.code(BINGET);
      this.out.u1(id);
    } else {
      this.code(LONG_BINGET);
      this.out.u4(id);
    }
  }

  /** Writes STOP and returns the pickle in chunks. The emitter is done. */
  finish(): Uint8Array[] {
    this.op("STOP");
    this.chunks.push(this.out.finish());
    return this.chunks;
  }

  /** As `finish`, in one piece. */
  finishBytes(): Uint8Array {
    return concatBytes(this.finish());
  }
}
