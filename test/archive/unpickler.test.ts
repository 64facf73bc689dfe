/** @file The unpickler: values, identity, order, limits, defects. Upstream: none. Spec: none. */
import { describe, expect, test } from "vitest";
import {
  ArchiveReader,
  OPCODES,
  PersistentId,
  PickleDict,
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
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { OPCODES_BY_CODE } from "../../src/archive/opcodes.ts";
import { checkNesting } from "../../src/archive/pickle_nesting.ts";
import { PickleMachine, type Unpickled } from "../../src/archive/unpickler.ts";
import { LimitError, PickleError } from "../../src/base/errors.ts";
import { type LeField, le, seededRandom, torchArchive } from "../support/archive.ts";

/** A pickle of protocol 2 around opcodes. */
const pickle = (...parts: LeField[]): Uint8Array => le([1, 0x80], [1, 2], ...parts, ".");
const read = (...parts: LeField[]): PickleValue => unpickle(pickle(...parts), { record: "r.pkl" });

function errorOf(bytes: Uint8Array, options: Parameters<typeof unpickle>[1] = {}): PickleError {
  try {
    unpickle(bytes, { record: "r.pkl", ...options });
  } catch (error) {
    expect(error).toBeInstanceOf(PickleError);
    return error as PickleError;
  }
  throw new Error("nothing was thrown");
}

describe("unpickle", () => {
  test("reads scalars, ints and floats apart", () => {
    expect(read("N")).toBe(null);
    expect(read([1, 0x88])).toBe(true);
    expect(read("K", [1, 255])).toBe(255);
    expect(read("M", [2, 65535])).toBe(65535);
    expect(read("J", [4, 2 ** 32 - 2])).toBe(-2);
    expect(read([1, 0x8a], [1, 8], [4, 0], [4, 1 << 20])).toBe(2 ** 52);
    expect(read([1, 0x8a], [1, 8], [4, 1], [4, 1 << 30])).toBe(2n ** 62n + 1n);
    expect(read([1, 0x8a], [1, 1], [1, 255])).toBe(-1);
    expect(read([1, 0x8a], [1, 0])).toBe(0);
    expect(read("G", [1, 0x3f], [1, 0xf0], [6, 0])).toEqual(new PickleFloat(1));
    expect(read("X", [4, 3], "ünx".slice(0, 2))).toBe("ün");
  });

  test("reads containers", () => {
    expect(read("K", [1, 1], [1, 0x85])).toEqual(new PickleTuple([1]));
    expect(read("NN", [1, 0x88], [1, 0x87])).toEqual(new PickleTuple([null, null, true]));
    expect(read("](K", [1, 1], "K", [1, 2], "e")).toEqual(new PickleList([1, 2]));
    expect(read("](Ne0](Ne")).toEqual(new PickleList([null]));
    const dict = read("}(X", [4, 1], "aK", [1, 5], "X", [4, 1], "aK", [1, 6], "u") as PickleDict;
    expect(dict.entries).toEqual([
      ["a", 5],
      ["a", 6],
    ]);
    expect(dict.get("a")).toBe(6);
  });

  test("keeps identity through the memo", () => {
    const tuple = read("]q", [1, 0], "h", [1, 0], [1, 0x86]) as PickleTuple;
    expect(tuple.items[0]).toBe(tuple.items[1]);
  });

  test("records objects, calls and persistent ids, and calls nothing", () => {
    const object = read("cos\nsystem\n)", [1, 0x81], "}(X", [4, 1], "xK", [1, 1], "ub") as PickleObject;
    expect(object).toBeInstanceOf(PickleObject);
    expect(object.cls.qualifiedName).toBe("os.system");
    expect((object.state as PickleDict).get("x")).toBe(1);
    const call = read("cos\nsystem\n(X", [4, 2], "lstR") as PickleReduce;
    expect((call.callable as PickleGlobal).is("os", "system")).toBe(true);
    expect(call.args).toEqual(new PickleTuple(["ls"]));
    expect((read("NQ") as PersistentId).value).toBe(null);
  });

  test("an enum is a call whose argument is no tuple", () => {
    expect((read("c__torch__\nCol\nK", [1, 3], "R") as PickleReduce).args).toBe(3);
  });

  test("tells the order in which PyTorch runs BUILD and REDUCE", () => {
    // outer is made before inner, but built after it
    const bytes = pickle("cm\nOuter\n)", [1, 0x81], "cm\nInner\n)", [1, 0x81], "Nb", "b");
    const { operations, value, nbytes } = unpickleAll(bytes);
    expect(operations.map((it) => (it as PickleObject).cls.name)).toEqual(["Inner", "Outer"]);
    expect((value as PickleObject).order).toBe(1);
    expect(nbytes).toBe(bytes.length);
  });

  test("a BUILD of a bare global makes an object, as old files have it", () => {
    const list = read("c__main__\nIntList\n](K", [1, 1], "eb") as PickleObject;
    expect(list.cls.name).toBe("IntList");
    expect(list.state).toEqual(new PickleList([1]));
  });

  test("reads Python's OrderedDict with items and state", () => {
    const value = read("ccollections\nOrderedDict\n)R(X", [4, 1], "aNu}b") as PickleReduce;
    expect(value.items?.get("a")).toBe(null);
    expect(value.state).toBeInstanceOf(PickleDict);
  });

  test("reads text opcodes and protocol 4", () => {
    expect(read("I01\n")).toBe(true);
    expect(read("I-12\n")).toBe(-12);
    expect(read("L9007199254740993L\n")).toBe(9007199254740993n);
    expect(read("F1.5\n")).toEqual(new PickleFloat(1.5));
    expect(unpickle(le([1, 0x80], [1, 4], [1, 0x95], [8, 4], [1, 0x8c], [1, 1], "a", [1, 0x94], "."))).toBe("a");
  });

  test("torchOnly refuses what PyTorch's reader refuses", () => {
    expect(errorOf(pickle("I01\n"), { torchOnly: true }).message).toMatch(/Unknown opcode for unpickling at 0x49: 73/);
    expect(errorOf(le([1, 0x80], [1, 4], "N."), { torchOnly: true }).message).toMatch(
      /Only Pickle protocol 2 is supported, found protocol = 4/,
    );
    expect(errorOf(pickle([1, 0x8a], [1, 1], [1, 1]), { torchOnly: true }).message).toMatch(
      /Expected length to be 8, got 1/,
    );
  });

  test.each([
    ["no PROTO", le("N."), "Expected PROTO opcode at the start of pickle archive, found 78", 0],
    ["nothing", new Uint8Array(0), "0 bytes, expected a pickle", 0],
    ["an old protocol", le([1, 0x80], [1, 1], "N."), "Only Pickle protocol 2 is supported, found protocol = 1", 0],
    ["an unknown opcode", pickle([1, 0xfe]), "Unknown opcode for unpickling at 0xfe: 254", 2],
    ["a missing STOP", le([1, 0x80], [1, 2], "N"), "Unexpected end of pickler archive.", 3],
    ["a cut argument", le([1, 0x80], [1, 2], "X", [4, 100], "abc"), "3 bytes are left, 100 bytes are needed", 7],
    ["an empty stack", pickle([1, 0x85]), "Parsing error: stack_ contains 0 elements, at least 1 expected", 2],
    ["a mark in the way", pickle("N(", [1, 0x85]), "Parsing error: stack_ contains 0 elements, at least 1 expected", 4],
    ["no mark", pickle("t"), "Parsing error: marks_ is empty", 2],
    [
      "a memo id that was never set",
      pickle("h", [1, 3]),
      "Parsing error: out of bounds access at 3 to memo_table_ which is of size 0",
      2,
    ],
    ["two values", pickle("NN"), "Unpickler expected 1 element on the stack, but found 2", 4],
    ["a dict with an odd number", pickle("}(Nu"), "dict has 1 keys and values, expected an even number", 5],
    ["items appended to a tuple", pickle(")(Ne"), "items are appended to tuple, expected a list", 5],
    ["a state for a string", pickle("X", [4, 0], "Nb"), "state is given to str, expected an object", 8],
    ["an object of an int", pickle("K", [1, 1], ")", [1, 0x81]), "object is made of int, expected a global", 5],
    ["a global without end", le([1, 0x80], [1, 2], "cabc"), "line feed not found in the remaining 3 bytes", 3],
    ["a list in itself", pickle("]q", [1, 0], "(h", [1, 0], "e"), "list contains itself, expected a tree of values", 9],
  ])("%s is a PickleError with byte offset", (_, bytes, message, byteOffset) => {
    const error = errorOf(bytes);
    expect(error.message).toMatch(/^Cannot unpickle "r.pkl": /);
    expect(error.message).toContain(message);
    expect([error.record, error.byteOffset]).toEqual(["r.pkl", byteOffset]);
  });

  test("a memo id of 4 billion costs nothing", () => {
    expect(read("Nr", [4, 0xffffffff], "0j", [4, 0xffffffff])).toBe(null);
  });

  test("nesting is limited, without recursion", () => {
    const deep = (n: number): Uint8Array => pickle("N", new Uint8Array(n).fill(0x85));
    expect(unpickle(deep(9_000))).toBeInstanceOf(PickleTuple);
    expect(() => unpickle(deep(1_000_000))).toThrow(LimitError);
    expect(() => unpickle(deep(20), { limits: { maxPickleDepth: 10 } })).toThrow(LimitError);
  });

  test("a value that shares its parts a thousand levels deep is read in no time", () => {
    const levels = Array.from({ length: 1000 }, () => [le("q", [1, 0], "h", [1, 0], [1, 0x86])]).flat();
    expect(read("N", ...levels)).toBeInstanceOf(PickleTuple);
  });

  test("items are limited", () => {
    expect(() => unpickle(pickle("(", "N".repeat(100), "t"), { limits: { maxPickleItems: 50 } })).toThrow(LimitError);
  });

  test("a list of a million ints is read", () => {
    const list = read("](", new Uint8Array(1_000_000).fill(0x4e), "e") as PickleList;
    expect(list.items.length).toBe(1_000_000);
  });
});

/** What a machine gives or says; with `table` each opcode by its entry in the table. */
function outcome(bytes: Uint8Array, table: boolean, options: Parameters<typeof unpickle>[1] = {}): unknown {
  const machine = new PickleMachine(bytes, { record: "r.pkl", ...options });
  if (table) Object.assign(machine, { runFrequent: () => undefined });
  try {
    return machine.run();
  } catch (error) {
    if (!(error instanceof PickleError || error instanceof LimitError)) throw error;
    return `${error.constructor.name} ${error.message}`;
  }
}

describe("frequent opcodes", () => {
  const parts: LeField[][] = [
    ...[..."N()]}teubRQ02a"].map((code): LeField[] => [code]),
    ...[0x81, 0x85, 0x86, 0x88, 0x89, 0x8f, 0x90, 0x94].map((code): LeField[] => [[1, code]]),
    ["K", [1, 7]],
    ["M", [2, 65535]],
    ["J", [4, 2 ** 32 - 2]],
    ["X", [4, 1], "a"],
    ["cm\nC\n"],
    ["cm\nC\n)", [1, 0x81], "}"],
    ...[0, 1, 2].flatMap((id): LeField[][] => [
      ["q", [1, id]],
      ["r", [4, id]],
      ["h", [1, id]],
      ["j", [4, id]],
    ]),
  ];

  test("do what the table says of them", () => {
    const folder = join(import.meta.dirname, "../fixtures/models");
    for (const name of readdirSync(folder)) {
      const bytes = ArchiveReader.open(readFileSync(join(folder, name, "model.pt"))).read("data.pkl");
      expect(outcome(bytes, false)).toEqual(outcome(bytes, true));
      for (let end = 0; end < bytes.length; end += 7)
        expect(outcome(bytes.subarray(0, end), false)).toEqual(outcome(bytes.subarray(0, end), true));
    }
    const random = seededRandom(1);
    let read = 0;
    for (let i = 0; i < 20_000; i++) {
      const chosen = Array.from({ length: 1 + random(14) }, () => parts[random(parts.length)]!);
      const bytes = pickle(...chosen.flat());
      const options = i % 3 === 0 ? { limits: { maxPickleItems: 1 + random(4) } } : {};
      const found = outcome(bytes, false, options);
      expect(found).toEqual(outcome(bytes, true, options));
      if (typeof found !== "string") read++;
    }
    expect(read).toBeGreaterThan(500);
  });

  test("a value that holds itself is found however it came to do so", () => {
    const random = seededRandom(2);
    const fill: LeField[][] = [
      ["h", [1, 0]],
      ["(h", [1, 0], "e"],
      ["h", [1, 0], "a"],
      ["]("],
      ["e"],
      ["2"],
      ["(Nh", [1, 0], "u"],
    ];
    const targets: LeField[][] = [["]"], ["}"], ["cm\nC\n)R"], ["cm\nC\n)", [1, 0x81]]];
    let cycles = 0;
    for (let i = 0; i < 20_000; i++) {
      const chosen = Array.from({ length: 1 + random(6) }, () => {
        const at = random(fill.length + parts.length);
        return at < fill.length ? fill[at]! : parts[at - fill.length]!;
      });
      const bytes = pickle(...targets[random(4)]!, "q", [1, 0], ...chosen.flat());
      const found = outcome(bytes, false);
      if (typeof found === "string") {
        if (found.includes("contains itself")) cycles++;
      } else expect(checkNesting((found as Unpickled).value)).toBeUndefined();
    }
    expect(cycles).toBeGreaterThan(20);
  });
});

describe("opcodes", () => {
  test("codes are unique", () => {
    expect(new Set(Object.values(OPCODES).map((spec) => spec.code)).size).toBe(Object.keys(OPCODES).length);
    expect(OPCODES_BY_CODE[0x71]).toBe(OPCODES.BINPUT);
  });
});

describe("disassemble", () => {
  test("lists opcodes as pickletools does", () => {
    const bytes = pickle("cm\nC\nq", [1, 0], ")", [1, 0x81], "}(X", [4, 1], "aK", [1, 7], "ub");
    expect(
      [...disassemble(bytes)].map(({ byteOffset, name, argument, depth }) =>
        `${byteOffset}: ${" ".repeat(depth)}${name} ${argument}`.trimEnd(),
      ),
    ).toEqual([
      "0: PROTO 2",
      '2: GLOBAL "m C"',
      "7: BINPUT 0",
      "9: EMPTY_TUPLE",
      "10: NEWOBJ",
      "11: EMPTY_DICT",
      "12: MARK",
      '13:  BINUNICODE "a"',
      "19:  BININT1 7",
      "21: SETITEMS",
      "22: BUILD",
      "23: STOP",
    ]);
  });

  test("covers every byte of the pickles of an archive", () => {
    const reader = ArchiveReader.open(torchArchive());
    for (const name of reader.recordNames().filter((it) => it.endsWith("pkl"))) {
      const bytes = reader.read(name);
      let at = 0;
      for (const instruction of disassemble(bytes, name)) {
        expect(instruction.byteOffset).toBe(at);
        at += instruction.nbytes;
      }
      expect(at).toBe(bytes.length);
    }
  });

  test("throws PickleError at a byte that is no opcode", () => {
    expect(() => [...disassemble(pickle([1, 0xff]), "r.pkl")]).toThrow(
      'Cannot disassemble "r.pkl": unknown opcode 0xff (byte 2)',
    );
  });
});
