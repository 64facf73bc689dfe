/** @file The pickle opcodes: code, argument, meaning on the machine; one entry each. Upstream: torch/csrc/jit/serialization/unpickler.cpp, Python's pickletools. Spec: spec/pickle.md. */
import type { ByteReader } from "../base/bytes.ts";
import { decodeUtf8 } from "../base/bytes.ts";
import type { PickleMachine } from "./unpickler.ts";
import { PickleDict, PickleFloat, PickleList, PickleTuple, type PickleValue } from "./pickle_value.ts";

/** How an argument is read from the bytes after the opcode, and how a disassembly shows it. */
export interface ArgumentKind<T> {
  read(reader: ByteReader): T;
  text(argument: T): string;
}

/** One opcode. `torch` tells whether PyTorch's own reader knows it. */
export interface OpcodeSpec<T = unknown> {
  readonly code: number;
  /** Pickle protocol that introduced it. */
  readonly protocol: number;
  readonly torch: boolean;
  readonly argument: ArgumentKind<T>;
  run(machine: PickleMachine, argument: T): void;
}

const quoted = (text: string): string => JSON.stringify(text);
const plain = (value: number | bigint): string => String(value);

const NONE: ArgumentKind<undefined> = { read: () => undefined, text: () => "" };
const U1: ArgumentKind<number> = { read: (r) => r.u1(), text: plain };
const U2: ArgumentKind<number> = { read: (r) => r.u2(), text: plain };
const U4: ArgumentKind<number> = { read: (r) => r.u4(), text: plain };
const U8: ArgumentKind<number> = { read: (r) => r.u8(), text: plain };
const I4: ArgumentKind<number> = { read: (r) => r.i4(), text: plain };
const F8: ArgumentKind<number> = {
  read: (r) => r.f8BigEndian(),
  text: (v) => (Object.is(v, -0) ? "-0" : String(v)),
};
const longText = (bytes: Uint8Array): string => plain(twosComplement(bytes));
const LONG1: ArgumentKind<Uint8Array> = { read: (r) => r.bytes(r.u1()), text: longText };
const LONG4: ArgumentKind<Uint8Array> = { read: (r) => r.bytes(r.u4()), text: longText };
const UNICODE1: ArgumentKind<string> = { read: (r) => r.text(r.u1()), text: quoted };
const UNICODE4: ArgumentKind<string> = { read: (r) => r.text(r.u4()), text: quoted };
const UNICODE8: ArgumentKind<string> = { read: (r) => r.text(r.u8()), text: quoted };
const bytesText = (bytes: Uint8Array): string => `${bytes.length} bytes`;
const BYTES1: ArgumentKind<Uint8Array> = { read: (r) => r.bytes(r.u1()), text: bytesText };
const BYTES4: ArgumentKind<Uint8Array> = { read: (r) => r.bytes(r.u4()), text: bytesText };
const BYTES8: ArgumentKind<Uint8Array> = { read: (r) => r.bytes(r.u8()), text: bytesText };
const LINE: ArgumentKind<string> = { read: (r) => r.line(), text: quoted };
const NAMES: ArgumentKind<[string, string]> = {
  read: (r) => [r.line(), r.line()],
  text: ([module, name]) => quoted(`${module} ${name}`),
};

/** A Python long: little-endian two's complement of any length; no bytes mean 0. */
export function twosComplement(bytes: Uint8Array): number | bigint {
  if (bytes.length === 0) return 0;
  if (bytes.length === 8) return normalizeInt(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true));
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).toReversed();
  return normalizeInt(BigInt.asIntN(bytes.length * 8, BigInt(`0x${digits.join("")}`)));
}

/** An int as a `number` while it is safe. */
export function normalizeInt(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

interface Facts {
  protocol?: number;
  torch?: boolean;
}

function opcode<T>(
  code: number,
  argument: ArgumentKind<T>,
  facts: Facts,
  run: (machine: PickleMachine, argument: T) => void,
): OpcodeSpec {
  const spec: OpcodeSpec<T> = {
    code,
    protocol: facts.protocol ?? 0,
    torch: facts.torch ?? false,
    argument,
    run,
  };
  return spec as OpcodeSpec<unknown> as OpcodeSpec;
}

const push =
  <T extends PickleValue>() =>
  (machine: PickleMachine, value: T): void =>
    machine.push(value);

const TORCH: Facts = { torch: true };
const TORCH_1: Facts = { torch: true, protocol: 1 };
const TORCH_2: Facts = { torch: true, protocol: 2 };
const P1: Facts = { protocol: 1 };
const P2: Facts = { protocol: 2 };
const P3: Facts = { protocol: 3 };
const P4: Facts = { protocol: 4 };
const P5: Facts = { protocol: 5 };

/** Every opcode that is read. Those without `torch` are harmless data that PyTorch's writer never makes. */
export const OPCODES = {
  // Structure
  PROTO: opcode(0x80, U1, TORCH_2, (m, version) => m.protocol(version)),
  STOP: opcode(0x2e, NONE, TORCH, (m) => m.stop()),
  MARK: opcode(0x28, NONE, TORCH, (m) => m.mark()),
  FRAME: opcode(0x95, U8, P4, () => {}),
  POP: opcode(0x30, NONE, {}, (m) => m.popOrMark()),
  POP_MARK: opcode(0x31, NONE, P1, (m) => void m.popToMark()),
  DUP: opcode(0x32, NONE, {}, (m) => m.pushAgain(m.top())),

  // Memo
  BINPUT: opcode(0x71, U1, TORCH_1, (m, id) => m.memoize(id)),
  LONG_BINPUT: opcode(0x72, U4, TORCH_1, (m, id) => m.memoize(id)),
  PUT: opcode(0x70, LINE, {}, (m, text) => m.memoize(m.decimal(text))),
  MEMOIZE: opcode(0x94, NONE, P4, (m) => m.memoize(m.memoSize)),
  BINGET: opcode(0x68, U1, TORCH_1, (m, id) => m.recall(id)),
  LONG_BINGET: opcode(0x6a, U4, TORCH_1, (m, id) => m.recall(id)),
  GET: opcode(0x67, LINE, {}, (m, text) => m.recall(m.decimal(text))),

  // Scalars
  NONE: opcode(0x4e, NONE, TORCH, (m) => m.push(null)),
  NEWTRUE: opcode(0x88, NONE, TORCH_2, (m) => m.push(true)),
  NEWFALSE: opcode(0x89, NONE, TORCH_2, (m) => m.push(false)),
  BININT: opcode(0x4a, I4, TORCH_1, push<number>()),
  BININT1: opcode(0x4b, U1, TORCH_1, push<number>()),
  BININT2: opcode(0x4d, U2, TORCH_1, push<number>()),
  LONG1: opcode(0x8a, LONG1, TORCH_2, (m, bytes) => m.long(bytes)),
  LONG4: opcode(0x8b, LONG4, P2, (m, bytes) => m.long(bytes)),
  INT: opcode(0x49, LINE, {}, (m, text) => m.push(m.textInt(text))),
  LONG: opcode(0x4c, LINE, {}, (m, text) => m.push(m.textInt(text.replace(/L$/, "")))),
  BINFLOAT: opcode(0x47, F8, TORCH_1, (m, value) => m.push(new PickleFloat(value))),
  FLOAT: opcode(0x46, LINE, {}, (m, text) => m.push(new PickleFloat(m.textFloat(text)))),
  BINUNICODE: opcode(0x58, UNICODE4, TORCH_1, push<string>()),
  SHORT_BINUNICODE: opcode(0x8c, UNICODE1, P4, push<string>()),
  BINUNICODE8: opcode(0x8d, UNICODE8, P4, push<string>()),
  BINSTRING: opcode(0x54, BYTES4, P1, (m, bytes) => m.push(decodeUtf8(bytes))),
  SHORT_BINSTRING: opcode(0x55, BYTES1, P1, (m, bytes) => m.push(decodeUtf8(bytes))),
  BINBYTES: opcode(0x42, BYTES4, P3, (m, bytes) => m.push(bytes.slice())),
  SHORT_BINBYTES: opcode(0x43, BYTES1, P3, (m, bytes) => m.push(bytes.slice())),
  BINBYTES8: opcode(0x8e, BYTES8, P4, (m, bytes) => m.push(bytes.slice())),
  BYTEARRAY8: opcode(0x96, BYTES8, P5, (m, bytes) => m.push(bytes.slice())),

  // Containers
  EMPTY_TUPLE: opcode(0x29, NONE, TORCH_1, (m) => m.push(new PickleTuple([]))),
  TUPLE: opcode(0x74, NONE, TORCH, (m) => m.push(new PickleTuple(m.popToMark()))),
  TUPLE1: opcode(0x85, NONE, TORCH_2, (m) => m.push(new PickleTuple(m.popMany(1)))),
  TUPLE2: opcode(0x86, NONE, TORCH_2, (m) => m.push(new PickleTuple(m.popMany(2)))),
  TUPLE3: opcode(0x87, NONE, TORCH_2, (m) => m.push(new PickleTuple(m.popMany(3)))),
  EMPTY_LIST: opcode(0x5d, NONE, TORCH_1, (m) => m.push(new PickleList())),
  LIST: opcode(0x6c, NONE, TORCH, (m) => m.push(new PickleList(m.popToMark()))),
  APPENDS: opcode(0x65, NONE, TORCH_1, (m) => m.append(m.popToMark())),
  APPEND: opcode(0x61, NONE, {}, (m) => m.append(m.popMany(1))),
  EMPTY_DICT: opcode(0x7d, NONE, TORCH_1, (m) => m.push(new PickleDict())),
  DICT: opcode(0x64, NONE, TORCH, (m) => m.makeDict(m.popToMark())),
  SETITEMS: opcode(0x75, NONE, TORCH_1, (m) => m.setItems(m.popToMark())),
  SETITEM: opcode(0x73, NONE, TORCH, (m) => m.setItems(m.popMany(2))),
  EMPTY_SET: opcode(0x8f, NONE, P4, (m) => m.makeSet([], false)),
  ADDITEMS: opcode(0x90, NONE, P4, (m) => m.addItems(m.popToMark())),
  FROZENSET: opcode(0x91, NONE, P4, (m) => m.makeSet(m.popToMark(), true)),

  // Names, calls and objects: recorded, never carried out
  GLOBAL: opcode(0x63, NAMES, TORCH, (m, [module, name]) => m.global(module, name)),
  STACK_GLOBAL: opcode(0x93, NONE, P4, (m) => m.stackGlobal()),
  REDUCE: opcode(0x52, NONE, TORCH, (m) => m.reduce()),
  NEWOBJ: opcode(0x81, NONE, TORCH_2, (m) => m.newObject()),
  NEWOBJ_EX: opcode(0x92, NONE, P4, (m) => m.newObjectWithKeywords()),
  BUILD: opcode(0x62, NONE, TORCH, (m) => m.build()),
  BINPERSID: opcode(0x51, NONE, TORCH_1, (m) => m.persistentId(m.pop())),
  PERSID: opcode(0x50, LINE, {}, (m, text) => m.persistentId(text)),
} as const satisfies Record<string, OpcodeSpec>;

/** Name of an opcode. */
export type OpcodeName = keyof typeof OPCODES;

/** Names by code; undefined where no opcode is. */
export const OPCODE_NAMES: readonly (OpcodeName | undefined)[] = (() => {
  const names: (OpcodeName | undefined)[] = Array.from({ length: 256 });
  for (const name of Object.keys(OPCODES) as OpcodeName[]) names[OPCODES[name].code] = name;
  return names;
})();

/** Entries by code; undefined where no opcode is. */
export const OPCODES_BY_CODE: readonly (OpcodeSpec | undefined)[] = OPCODE_NAMES.map((name) =>
  name === undefined ? undefined : OPCODES[name],
);
