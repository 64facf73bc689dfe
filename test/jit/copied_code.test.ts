/** @file Saving a loaded module copies its code on request while nobody has looked at it, and prints it otherwise. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ArchiveReader, METHOD } from "../../src/archive/index.ts";
import { jit, torch, type ScriptModule } from "../../src/node/index.ts";
import { makeArchive, recordsOf } from "../support/archive.ts";

const MODELS = join(import.meta.dirname, "../fixtures/models");
const names = readdirSync(MODELS);
const file = (name: string): string => join(MODELS, name, "model.pt");

/** The stored bytes of the records of code, as they lie in the archive. */
function storedCode(bytes: Uint8Array): Map<string, string> {
  const reader = ArchiveReader.open(bytes);
  return new Map(
    reader.recordNames("code/").map((name) => {
      const { dataOffset, compressedSize } = reader.stat(name);
      return [name, Buffer.from(bytes.subarray(dataOffset, dataOffset + compressedSize)).toString("latin1")] as const;
    }),
  );
}
const isCompiled = (model: ScriptModule): boolean =>
  [...model.owner.cu.functions.values()].some((fn) => fn.isDefined());

test.each(names)("saving %s copies what printing gives", (name) => {
  const bytes = new Uint8Array(readFileSync(file(name)));
  const model = jit.load(file(name));
  const copied = model.saveToBuffer({ copyCode: true });
  const printed = jit.load(file(name)).saveToBuffer();
  // PyTorch's debug records are not printed to the byte: Note [Empty sources]
  const plain = (archive: Uint8Array): [string, Uint8Array][] =>
    [...recordsOf(archive)].filter(([record]) => !/debug_pkl$|serialization_id$/.test(record));
  expect(plain(copied)).toEqual(plain(printed));
  expect(ArchiveReader.open(copied).duplicates).toEqual([]);
  if (ArchiveReader.open(bytes).read("constants.pkl").length === 4 && !isCompiled(model)) {
    expect([...storedCode(copied)]).toEqual([...storedCode(bytes)]);
    expect(isCompiled(model)).toBe(false);
    // what PyTorch wrote stays PyTorch's: its debug records mean what they meant
    expect(ArchiveReader.open(copied).isOwn()).toBe(false);
    expect(ArchiveReader.open(printed).isOwn()).toBe(true);
    expect(ArchiveReader.open(jit.load(printed).saveToBuffer({ copyCode: true })).isOwn()).toBe(true);
  }
  for (const options of [{}, { lazy: true }]) {
    expect(jit.load(copied, options).saveToBuffer({ copyCode: true })).toEqual(copied);
    expect(jit.load(bytes, options).saveToBuffer({ copyCode: true })).toEqual(copied);
  }
  const again = jit.load(copied);
  expect(again.code).toBe(model.code);
  expect(String(again.graph)).toBe(String(jit.load(file(name)).graph));
});

const deflatedCode = (bytes: Uint8Array): string => [...storedCode(bytes)].map(([name, raw]) => name + raw).join("\n");

test("changed weights go into the copy, and a second change after it", () => {
  const model = jit.load(file("gru_loop"));
  const [name, weight] = [...model.stateDict()][0]!;
  for (const value of [3, 5]) {
    weight.fill_(value);
    const bytes = model.saveToBuffer({ copyCode: true });
    expect(deflatedCode(bytes)).toBe(deflatedCode(readFileSync(file("gru_loop"))));
    expect(jit.load(bytes).stateDict().get(name)!.equal(torch.full_like(weight, value))).toBe(true);
  }
  expect(isCompiled(model)).toBe(false);
});

test("what was compiled, defined, or is only a part of the archive is printed", () => {
  const own = deflatedCode(readFileSync(file("intro_wrapped_rnn")));
  const load = (): ScriptModule => jit.load(file("intro_wrapped_rnn"));
  expect(deflatedCode(load().saveToBuffer({ copyCode: true }))).toBe(own);
  const seen = load();
  String(seen.graph);
  expect(ArchiveReader.open(seen.saveToBuffer({ copyCode: true })).isOwn()).toBe(true);
  const more = load();
  more.define("def twice(self, x: int) -> int:\n  return x * 2\n");
  const reloaded = jit.load(more.saveToBuffer({ copyCode: true }));
  expect(reloaded.invoke("twice", [4])).toBe(8);
  const part = load().children()[0]!;
  expect(ArchiveReader.open(part.saveToBuffer({ copyCode: true })).isOwn()).toBe(true);
});

test("records that are not as the writer makes them are not copied", () => {
  const records = [...recordsOf(readFileSync(file("gru_loop")))].filter(
    ([name]) => !["version", "byteorder", ".data/serialization_id"].includes(name),
  );
  const odd = makeArchive({
    ...Object.fromEntries(records),
    "code/../up.py": "x = 1\n".repeat(100),
    "code/a.txt": "a",
  });
  const saved = ArchiveReader.open(jit.load(odd).saveToBuffer({ copyCode: true }));
  expect(saved.recordNames("code/").filter((name) => /up|txt/.test(name))).toEqual([]);
  expect(saved.isOwn()).toBe(true);
});

test("a damaged record is not copied", () => {
  const bytes = new Uint8Array(readFileSync(file("gru_loop")));
  const reader = ArchiveReader.open(bytes);
  const name = reader
    .recordNames("code/")
    .find((n) => n.endsWith(".py") && reader.entry(n).method === METHOD.deflated)!;
  const damaged = new Uint8Array(bytes);
  // the directory states another CRC
  const entry = Buffer.from(`${reader.rootName}/${name}`);
  const at = Buffer.from(bytes).lastIndexOf(entry) - 46; // the fixed part of a directory entry
  expect(Buffer.from(bytes.subarray(at, at + 4)).toString("latin1")).toBe("PK\x01\x02");
  damaged[at + 16] = damaged[at + 16]! ^ 1;
  const model = jit.load(damaged, { verifyCrc: false });
  expect(ArchiveReader.open(model.saveToBuffer({ copyCode: true })).isOwn()).toBe(true);
  expect(isCompiled(model)).toBe(true);
});
