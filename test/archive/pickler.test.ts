/** @file The pickle emitter: opcode choices, memo, replay of PyTorch's pickles. Upstream: none. Spec: none. */
import { describe, expect, test } from "vitest";
import {
  ArchiveReader,
  type OpcodeName,
  PickleEmitter,
  PickleFloat,
  disassemble,
  unpickle,
} from "../../src/archive/index.ts";
import { torchArchive } from "../support/archive.ts";

/** What the emitter writes between PROTO and STOP. */
function emitted(write: (out: PickleEmitter) => void): number[] {
  const out = new PickleEmitter();
  write(out);
  return [...out.finishBytes().subarray(2, -1)];
}

/** Emits an existing pickle again, opcode by opcode, through the emitter's own choices. */
function replay(bytes: Uint8Array): Uint8Array {
  const out = new PickleEmitter();
  const instructions = [...disassemble(bytes)].slice(1, -1);
  const push: Partial<Record<OpcodeName, (at: Uint8Array, argument: string) => void>> = {
    BININT1: (_, text) => out.pushInt(Number(text)),
    BININT2: (_, text) => out.pushInt(Number(text)),
    BININT: (_, text) => out.pushInt(Number(text)),
    LONG1: (_, text) => out.pushInt(BigInt(text)),
    BINFLOAT: (at) => out.pushDouble((unpickle(Uint8Array.of(0x80, 2, ...at, 0x2e)) as PickleFloat).value),
    BINGET: (_, text) => out.recallId(Number(text)),
    LONG_BINGET: (_, text) => out.recallId(Number(text)),
    BINPUT: () => void out.memoizeTop(),
    LONG_BINPUT: () => void out.memoizeTop(),
    NEWTRUE: () => out.pushBool(true),
    NEWFALSE: () => out.pushBool(false),
    NONE: () => out.pushNone(),
  };
  for (let i = 0; i < instructions.length; i++) {
    const { name, argument, byteOffset, nbytes } = instructions[i]!;
    const memoized = instructions[i + 1]?.name.endsWith("BINPUT") ?? false;
    if (name === "BINUNICODE") {
      const text = JSON.parse(argument) as string;
      if (memoized) out.pushString(text);
      else out.pushStringUnmemoized(text);
      if (memoized) i++;
    } else if (name === "GLOBAL") {
      const [module, attribute] = (JSON.parse(argument) as string).split(" ");
      out.pushGlobal(module!, attribute!);
      i++;
    } else if (push[name]) push[name](bytes.subarray(byteOffset, byteOffset + nbytes), argument);
    else out.op(name);
  }
  return out.finishBytes();
}

describe("PickleEmitter", () => {
  test.each([
    [0, [0x4b, 0]],
    [255, [0x4b, 255]],
    [256, [0x4d, 0, 1]],
    [65535, [0x4d, 255, 255]],
    [65536, [0x4a, 0, 0, 1, 0]],
    [-1, [0x4a, 255, 255, 255, 255]],
    [2 ** 31 - 1, [0x4a, 255, 255, 255, 127]],
    [-(2 ** 31), [0x4a, 0, 0, 0, 128]],
    [2 ** 31, [0x8a, 8, 0, 0, 0, 128, 0, 0, 0, 0]],
    [-(2 ** 31) - 1, [0x8a, 8, 255, 255, 255, 127, 255, 255, 255, 255]],
    [2n ** 63n - 1n, [0x8a, 8, 255, 255, 255, 255, 255, 255, 255, 127]],
    [7n, [0x4b, 7]],
  ])("pushInt(%s) takes the shortest opcode of PyTorch's", (value, bytes) => {
    expect(emitted((out) => out.pushInt(value))).toEqual(bytes);
  });

  test("pushDouble() is big-endian and keeps -0 and NaN", () => {
    expect(emitted((out) => out.pushDouble(-0))).toEqual([0x47, 0x80, 0, 0, 0, 0, 0, 0, 0]);
    expect(emitted((out) => out.pushDouble(NaN))).toEqual([0x47, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]);
  });

  test("strings and globals are memoized by value, other things by key", () => {
    const key = {};
    expect(
      emitted((out) => {
        out.pushString("a");
        out.pushGlobal("m", "C");
        out.pushString("a");
        out.pushGlobal("m", "C");
        out.startList();
        out.endList();
        expect(out.recall(key)).toBe(false);
        expect(out.memoizeTop(key)).toBe(2);
        expect(out.getMemo(key)).toBe(2);
        expect(out.recall(key)).toBe(true);
      }),
    ).toEqual([
      0x58, 1, 0, 0, 0, 97, 0x71, 0, 0x63, 109, 10, 67, 10, 0x71, 1, 0x68, 0, 0x68, 1, 0x5d, 0x28, 0x65, 0x71, 2, 0x68,
      2,
    ]);
  });

  test("memo ids from 256 on take LONG_BINPUT and LONG_BINGET", () => {
    const bytes = emitted((out) => {
      for (let i = 0; i < 257; i++) out.pushString(`${i}`);
      out.pushString("255");
      out.pushString("256");
    });
    expect(bytes.slice(-12)).toEqual([0x72, 0, 1, 0, 0, 0x68, 255, 0x6a, 0, 1, 0, 0]);
  });

  test.each([
    [0, [0x29]],
    [1, [0x4e, 0x85]],
    [2, [0x4e, 0x4e, 0x86]],
    [3, [0x4e, 0x4e, 0x4e, 0x87]],
    [4, [0x28, 0x4e, 0x4e, 0x4e, 0x4e, 0x74]],
  ])("a tuple of %s elements takes PyTorch's opcode", (length, bytes) => {
    expect(
      emitted((out) => {
        out.startTupleOf(length);
        for (let i = 0; i < length; i++) out.pushNone();
        out.endTupleOf(length);
      }),
    ).toEqual(bytes);
  });

  test("replaying the pickles of an archive gives PyTorch's bytes", () => {
    const reader = ArchiveReader.open(torchArchive());
    for (const name of reader.recordNames().filter((it) => it.endsWith("pkl"))) {
      expect([name, [...replay(reader.read(name))]]).toEqual([name, [...reader.read(name)]]);
    }
  });

  test("a pickle of several megabytes comes in chunks", () => {
    const out = new PickleEmitter();
    out.startList();
    for (let i = 0; i < 700_000; i++) out.pushInt(i);
    out.endList();
    const chunks = out.finish();
    expect(chunks.length).toBeGreaterThan(1);
    const list = unpickle(Buffer.concat(chunks)) as { items: number[] };
    expect(list.items.length).toBe(700_000);
    expect(list.items[699_999]).toBe(699_999);
  });
});
