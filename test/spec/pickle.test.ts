/** @file Executes the rules of spec/pickle.md. Upstream: none. Spec: spec/pickle.md. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  ArchiveReader,
  OPCODES,
  type OpcodeName,
  PersistentId,
  PickleDict,
  PickleEmitter,
  PickleFloat,
  PickleGlobal,
  PickleList,
  PickleObject,
  PickleReduce,
  PickleTuple,
  type PickleValue,
  disassemble,
  unpickle,
  unpickleAll,
} from "../../src/archive/index.ts";
import { PickleError } from "../../src/base/errors.ts";
import { type LeField, le, torchArchive } from "../support/archive.ts";

const pickle = (...parts: LeField[]): Uint8Array => le([1, 0x80], [1, 2], ...parts, ".");
const read = (...parts: LeField[]): PickleValue => unpickle(pickle(...parts));

/** What the emitter writes between PROTO and STOP, as opcode names and arguments. */
function emitted(write: (out: PickleEmitter) => void): string[] {
  const out = new PickleEmitter();
  write(out);
  const instructions = [...disassemble(out.finishBytes())].slice(1, -1);
  return instructions.map(({ name, argument }) => `${name} ${argument}`.trimEnd());
}

/** The fixture's module. */
function torchModule(): PickleObject {
  return unpickle(ArchiveReader.open(torchArchive()).read("data.pkl"), { torchOnly: true }) as PickleObject;
}

/** The first value in the fixture's data.pkl that passes. */
function findValue<T extends PickleValue>(accept: (value: PickleValue) => value is T): T {
  const { operations } = unpickleAll(ArchiveReader.open(torchArchive()).read("data.pkl"));
  for (const operation of operations) {
    if (accept(operation)) return operation;
    if (!(operation instanceof PickleReduce) || !(operation.args instanceof PickleTuple)) continue;
    for (const item of operation.args.items) if (accept(item)) return item;
  }
  throw new Error("nothing found");
}

test("PKL-1: PROTO comes first", () => {
  expect(() => unpickle(le("N."))).toThrow(/Expected PROTO opcode at the start of pickle archive, found 78/);
  expect(unpickle(le([1, 0x80], [1, 5], "N."))).toBe(null);
  expect(() => unpickle(le([1, 0x80], [1, 3], "N."), { torchOnly: true })).toThrow(
    /Only Pickle protocol 2 is supported, found protocol = 3/,
  );
});

test("PKL-2: the opcode table is the code's", () => {
  const text = readFileSync(new URL("../../spec/pickle.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\| ([0-9a-f]{2}) \| (\w+) \|.*\| R \|/gm)];
  expect(rows.length).toBe(33);
  for (const [, code, name] of rows)
    expect([name, OPCODES[name as OpcodeName].code]).toEqual([name, Number.parseInt(code!, 16)]);
  const strict = (Object.keys(OPCODES) as OpcodeName[]).filter((name) => OPCODES[name].torch);
  expect(strict.toSorted()).toEqual(rows.map((row) => row[2]!).toSorted());
});

test("PKL-3: one value is left at STOP", () => {
  expect(() => read("NN")).toThrow(/Unpickler expected 1 element on the stack, but found 2/);
  expect(unpickle(le([1, 0x80], [1, 2], "N.and more"))).toBe(null);
});

test("PKL-4: nothing is called", () => {
  const call = read("cos\nsystem\n(X", [4, 2], "lstR") as PickleReduce;
  expect((call.callable as PickleGlobal).qualifiedName).toBe("os.system");
  expect(call.args).toEqual(new PickleTuple(["ls"]));
});

test("PKL-5: ints and floats stay apart, ints are exact", () => {
  expect(read("K", [1, 1])).toBe(1);
  expect(read("G", [1, 0x3f], [1, 0xf0], [6, 0])).toEqual(new PickleFloat(1));
  expect(read([1, 0x8a], [1, 8], new Uint8Array(8).fill(0xff).fill(0x7f, 7))).toBe(2n ** 63n - 1n);
});

test("PKL-6: the memo keeps identity", () => {
  const tuple = read("]q", [1, 0], "h", [1, 0], [1, 0x86]) as PickleTuple;
  expect(tuple.items[0]).toBe(tuple.items[1]);
});

test("PKL-7: opcodes do not reach below a mark", () => {
  expect(() => read("N(", [1, 0x85])).toThrow(/stack_ contains 0 elements, at least 1 expected/);
});

test("PKL-8: BUILD and REDUCE keep their order", () => {
  const { operations } = unpickleAll(pickle("cm\nA\n)", [1, 0x81], "cm\nB\n)", [1, 0x81], "Nbb"));
  expect(operations.map((it) => (it as PickleObject).cls.name)).toEqual(["B", "A"]);
});

test("PKL-9: BUILD may follow a class", () => {
  expect((read("c__main__\nIntList\n]b") as PickleObject).state).toEqual(new PickleList());
});

test("PKL-10: REDUCE takes any argument", () => {
  expect((read("c__torch__\nCol\nK", [1, 2], "R") as PickleReduce).args).toBe(2);
});

test("PKL-11: no value contains itself", () => {
  expect(() => read("]q", [1, 0], "(h", [1, 0], "e")).toThrow(/list contains itself/);
});

test("PKL-12: strings hold any bytes", () => {
  const text = read("X", [4, 2], Uint8Array.of(0x61, 0xff)) as string;
  expect(text).toBe("a\udcff");
  const out = new PickleEmitter();
  out.pushStringUnmemoized(text);
  expect(out.finishBytes()).toEqual(pickle("X", [4, 2], Uint8Array.of(0x61, 0xff)));
});

test("PKL-13: defects have record, offset and opcode", () => {
  let error: unknown;
  try {
    unpickle(pickle("N", [1, 0x86]), { record: "data.pkl" });
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(PickleError);
  expect(error).toMatchObject({ record: "data.pkl", byteOffset: 3, opcode: 0x86 });
});

test("PKL-20: ints take the shortest opcode", () => {
  const values = [255, 256, 65535, 65536, -1, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1];
  const names = emitted((out) => values.forEach((value) => out.pushInt(value))).map((line) => line.split(" ")[0]);
  expect(names).toEqual(["BININT1", "BININT2", "BININT2", "BININT", "BININT", "BININT", "LONG1", "BININT", "LONG1"]);
});

test("PKL-21: memo ids from 256 on are long", () => {
  const lines = emitted((out) => {
    for (let i = 0; i <= 256; i++) {
      out.pushNone();
      out.memoizeTop();
    }
    out.recallId(255);
    out.recallId(256);
  });
  expect([lines[1], lines.at(-5), lines.at(-3), lines.at(-2), lines.at(-1)]).toEqual([
    "BINPUT 0",
    "BINPUT 255",
    "LONG_BINPUT 256",
    "BINGET 255",
    "LONG_BINGET 256",
  ]);
});

test("PKL-22: strings and globals are memoized by value", () => {
  expect(
    emitted((out) => {
      out.pushString("x");
      out.pushGlobal("torch", "device");
      out.pushString("x");
      out.pushGlobal("torch", "device");
    }),
  ).toEqual(['BINUNICODE "x"', "BINPUT 0", 'GLOBAL "torch device"', "BINPUT 1", "BINGET 0", "BINGET 1"]);
});

test("PKL-23: short tuples have no MARK, lists and dicts have", () => {
  const tuple = (length: number): string[] =>
    emitted((out) => {
      out.startTupleOf(length);
      for (let i = 0; i < length; i++) out.pushNone();
      out.endTupleOf(length);
    }).filter((name) => name !== "NONE");
  expect([0, 1, 2, 3, 4].map(tuple)).toEqual([["EMPTY_TUPLE"], ["TUPLE1"], ["TUPLE2"], ["TUPLE3"], ["MARK", "TUPLE"]]);
  expect(emitted((out) => (out.startList(), out.endList()))).toEqual(["EMPTY_LIST", "MARK", "APPENDS"]);
  expect(emitted((out) => (out.startDict(), out.endDict()))).toEqual(["EMPTY_DICT", "MARK", "SETITEMS"]);
});

test("PKL-24: doubles are big-endian", () => {
  const bytes = (value: number): number[] => {
    const out = new PickleEmitter();
    out.pushDouble(value);
    return [...out.finishBytes().subarray(3, -1)];
  };
  expect(bytes(1)).toEqual([0x3f, 0xf0, 0, 0, 0, 0, 0, 0]);
  expect(bytes(NaN)).toEqual([0x7f, 0xf8, 0, 0, 0, 0, 0, 0]);
});

test("PKL-30: a storage is a persistent id", () => {
  const storage = findValue((value): value is PersistentId => value instanceof PersistentId);
  const [kind, dtype, key, device, numel] = (storage.value as PickleTuple).items;
  expect([kind, (dtype as PickleGlobal).qualifiedName, key, device, numel]).toEqual([
    "storage",
    "torch.FloatStorage",
    "0",
    "cpu",
    4,
  ]);
});

test("PKL-31: a tensor is a call of _rebuild_tensor_v2", () => {
  const tensor = findValue(
    (value): value is PickleReduce =>
      value instanceof PickleReduce &&
      value.callable instanceof PickleGlobal &&
      value.callable.name === "_rebuild_tensor_v2",
  );
  const [storage, storageOffset, size, strides, requiresGrad, hooks] = (tensor.args as PickleTuple).items;
  expect(storage).toBeInstanceOf(PersistentId);
  expect([storageOffset, requiresGrad]).toEqual([0, true]);
  expect((size as PickleTuple).items.length).toBe((strides as PickleTuple).items.length);
  expect(((hooks as PickleReduce).callable as PickleGlobal).qualifiedName).toBe("collections.OrderedDict");
});

test("PKL-32: a module is an object with a dict of attributes", () => {
  const module = torchModule();
  expect(module.cls.qualifiedName).toMatch(/^__torch__\./);
  expect((module.state as PickleDict).get("training")).toBe(true);
});
