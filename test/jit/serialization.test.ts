/** @file torch.save and torch.load against files of PyTorch (checkpoints.json by make_checkpoints.py): values both ways, and the same pickle and records. */
import { readFileSync } from "node:fs";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ArchiveReader, Complex, Device, disassemble, nn, Tensor, torch, type DType } from "../../src/node/index.ts";

interface Case {
  readonly zip: string;
  readonly legacy: string | null;
  readonly text: unknown;
}
const recorded = JSON.parse(readFileSync(new URL("checkpoints.json", import.meta.url), "utf8")) as {
  readonly cases: { readonly [name: string]: Case };
  readonly refused: string;
  readonly refused_legacy: string;
};
const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));
const CASES = Object.entries(recorded.cases);

/** A value in the form that make_checkpoints.py records. */
function textOf(value: unknown): unknown {
  if (value instanceof nn.Parameter) {
    const data = value.detach();
    return `parameter ${value.requiresGrad ? "True" : "False"} ${String(data)}`;
  }
  if (value instanceof Tensor || value instanceof Device) return String(value);
  if (value instanceof Complex) return `(${value.re}+${value.im}j)`;
  if (value instanceof nn.StateDict || value instanceof nn.OrderedDict)
    return { ordered: [...(value as Map<unknown, unknown>)].map(([k, v]) => [k, textOf(v)]) };
  if (value instanceof Map)
    return { dict: [...(value as Map<unknown, unknown>)].map(([k, v]) => [textOf(k), textOf(v)]) };
  if (value instanceof Set) return { set: [...(value as Set<number>)].sort((a, b) => a - b) };
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (Array.isArray(value)) return Object.isFrozen(value) ? { tuple: value.map(textOf) } : value.map(textOf);
  if (typeof value === "bigint") return { int: String(value) };
  if (typeof value === "object" && value !== null && "itemsize" in value) return `torch.${(value as DType).name}`;
  if (typeof value === "object" && value !== null)
    return { dict: Object.entries(value).map(([k, v]) => [k, textOf(v)]) };
  return value;
}

describe("torch.load reads what PyTorch wrote", () => {
  test.each(CASES)("%s", (_, { zip, text }) => {
    expect(textOf(torch.load(bytesOf(zip)))).toEqual(text);
  });
  test.each(CASES.filter(([, c]) => c.legacy !== null))("%s, format before 1.6", (_, { legacy, text }) => {
    expect(textOf(torch.load(bytesOf(legacy!)))).toEqual(text);
  });
  test.each(CASES)("%s, from a Blob and lazily", async (_, { zip, text }) => {
    expect(textOf(await torch.loadAsync(new Blob([bytesOf(zip) as BlobPart])))).toEqual(text);
    expect(textOf(torch.load(bytesOf(zip), { mmap: true }))).toEqual(text);
  });
});

const pickleText = (bytes: Uint8Array): string[] =>
  [...disassemble(bytes)].map(({ name, argument }) => `${name} ${argument}`);

describe("torch.save writes what PyTorch writes", () => {
  // a torch.Size comes as a frozen array: a tuple; a whole float as a number: an int
  const SAME = CASES.filter(([name]) => !["others"].includes(name));
  test.each(SAME)("%s: the same pickle and the same records in the same order", (_, { zip }) => {
    const theirs = ArchiveReader.open(bytesOf(zip));
    const ours = ArchiveReader.open(torch.saveToBuffer(torch.load(bytesOf(zip))));
    expect(pickleText(ours.read("data.pkl"))).toEqual(pickleText(theirs.read("data.pkl")));
    expect(ours.recordNames()).toEqual(theirs.recordNames());
    for (const name of theirs.recordNames()) {
      if (name !== ".data/serialization_id") expect(ours.read(name), name).toEqual(theirs.read(name));
      expect(ours.stat(name).dataOffset, name).toBe(theirs.stat(name).dataOffset);
    }
  });

  test("every case comes back as it was", () => {
    for (const [name, { zip, text }] of CASES)
      expect(textOf(torch.load(torch.saveToBuffer(torch.load(bytesOf(zip))))), name).toEqual(text);
  });
});

test("a model is saved to a file and loaded into another", () => {
  const folder = mkdtempSync(join(tmpdir(), "tsarchive-"));
  try {
    torch.manualSeed(1);
    const make = (): nn.Sequential<[nn.Linear, nn.BatchNorm1d]> =>
      new nn.Sequential(new nn.Linear(2, 3), new nn.BatchNorm1d(3));
    const [one, other] = [make(), make()];
    const path = join(folder, "w.pt");
    torch.save(one.stateDict(), path);
    expect(other.loadStateDict(torch.load(path))).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(String(other.getParameter("0.weight"))).toBe(String(one.getParameter("0.weight")));
    expect(ArchiveReader.open(new Uint8Array(readFileSync(path))).rootName).toBe("w");
    const dict = torch.load<nn.StateDict>(path);
    expect(dict.metadata.get("1")).toEqual({ version: 2 });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("tensors that share memory share it again, and a tensor that occurs twice is one", () => {
  const base = torch.zeros(2, 3);
  const [a, b, c] = torch.load<Tensor[]>(torch.saveToBuffer([base, base.get(1), base]));
  expect(a).toBe(c);
  b!.fill_(5);
  expect(a!.tolist()).toEqual([
    [0, 0, 0],
    [5, 5, 5],
  ]);
});

test("what a file names beyond the known is refused, never run", () => {
  expect(() => torch.load(bytesOf(recorded.refused))).toThrow(/names torch\.nn\.modules\.linear\.Linear \(byte \d+\)/);
  expect(() => torch.load(bytesOf(recorded.refused_legacy))).toThrow(/names torch\.nn\.modules\.linear\.Linear/);
});

test("damaged and foreign files are refused with what was found", () => {
  const { zip, legacy } = recorded.cases["tensor"]!;
  for (const bytes of [bytesOf(zip), bytesOf(legacy!)]) {
    for (let length = 0; length < bytes.length; length += 7)
      expect(() => torch.load(bytes.slice(0, length)), `${length} bytes`).toThrow(/^Cannot /);
  }
  const archive = readFileSync(new URL("../fixtures/builtins.pt", import.meta.url));
  expect(() => torch.load(new Uint8Array(archive))).toThrow("it is a TorchScript archive; jit.load opens it");
});

test("what has no pickled form is refused with its place", () => {
  expect(() => torch.saveToBuffer({ a: [1, () => 1] })).toThrow("Cannot save a function at .a[1]");
  expect(() => torch.saveToBuffer({ m: new nn.Linear(1, 1) })).toThrow("a module (save its stateDict()) at .m");
  expect(() => torch.saveToBuffer([undefined])).toThrow("Cannot save undefined at [0]");
  expect(() => torch.saveToBuffer(new Map([["x y", new Float32Array(1)]]))).toThrow(
    'an object of class Float32Array (make a tensor of it with torch.from) at ["x y"]',
  );
  let deep: unknown = 0;
  for (let i = 0; i < 2000; i++) deep = [deep];
  expect(() => torch.saveToBuffer(deep)).toThrow("nested more than 1000 deep");
});

test("a key __proto__ stays a key", () => {
  const value = JSON.parse('{"__proto__": 1, "a": 2}') as object;
  const back = torch.load<Record<string, unknown>>(torch.saveToBuffer(value));
  expect(Object.entries(back)).toEqual([
    ["__proto__", 1],
    ["a", 2],
  ]);
  expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
});
