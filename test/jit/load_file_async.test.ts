/** @file jit.loadAsync of a file: weights come beside the main thread, and nothing else differs from jit.load. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ArchiveReader, ArchiveWriter, MemorySink, MemorySource, type ByteSource } from "../../src/archive/index.ts";
import { encodeUtf8 } from "../../src/base/bytes.ts";
import { ArchiveError, jit, nn, torch, type ScriptModule, type Tensor } from "../../src/node/index.ts";
import { platform, setPlatform } from "../../src/jit/platform.ts";
import { FileSource } from "../../src/node/file_source.ts";
import { kernelMemory } from "../../src/tensor/kernels/wasm/build.ts";
import { HeldBytes } from "../../src/tensor/kernels/wasm/held_bytes.ts";

const folder = mkdtempSync(join(tmpdir(), "tsarchive-async-"));
afterAll(() => rmSync(folder, { recursive: true }));
const FIXTURES = join(import.meta.dirname, "../fixtures/models");

/** 22 MB: two runs, one of them a record that is larger than a run; large and small records in turn. */
const model = new nn.Sequential(
  new nn.Linear(1100, 1100),
  new nn.ReLU(),
  new nn.Linear(1100, 4000),
  new nn.BatchNorm1d(4000),
  new nn.Linear(4000, 10),
).eval();
const input = torch.ones([1, 1100]);
const archive = jit.trace(model, [input]).saveToBuffer();
const path = join(folder, "model.pt");
writeFileSync(path, archive);

/** Which weights are in the kernels' memory, and the bytes of all. */
function bytesOf(module: { parameters(): Iterable<Tensor> }): { held: boolean[]; bytes: Buffer[] } {
  const all = [...module.parameters()];
  const held = all.map(({ storage }) => storage.untouched() instanceof HeldBytes);
  return { held, bytes: all.map(({ storage }) => Buffer.from(storage.bytes())) };
}

test("weights are where load() puts them, with the same bytes; the answers are the same", async () => {
  const memory = kernelMemory()!;
  const { pins } = memory;
  const expected = jit.load(path);
  const found = await jit.loadAsync(path);
  expect(memory.pins).toBe(pins);
  expect(String(found)).toBe(String(expected));
  expect(found.code).toBe(expected.code);
  expect(torch.equal(found(input) as Tensor, expected(input) as Tensor)).toBe(true);
  const [a, b] = [bytesOf(await jit.loadAsync(path)), bytesOf(jit.load(path))];
  expect(a.held).toEqual(b.held);
  expect(a.held).toContain(true);
  expect(a.held).toContain(false);
  a.bytes.forEach((bytes, i) => expect(Buffer.compare(bytes, b.bytes[i]!)).toBe(0));
});

test("every fixture is the model that load() gives", async () => {
  for (const name of readdirSync(FIXTURES)) {
    const file = join(FIXTURES, name, "model.pt");
    const [found, expected] = [await jit.loadAsync(file), jit.load(file)];
    expect(String(found)).toBe(String(expected));
    expect(found.saveToBuffer()).toEqual(expected.saveToBuffer());
  }
});

test("damage is found while loading; nothing is left behind", async () => {
  const memory = kernelMemory()!;
  const reader = ArchiveReader.open(archive);
  const file = join(folder, "damaged.pt");
  for (const name of ["data/0", "data/5"]) {
    const damaged = archive.slice();
    const { dataOffset } = reader.stat(name);
    damaged[dataOffset + 3]! ^= 4;
    writeFileSync(file, damaged);
    const { pins } = memory;
    const error = await jit.loadAsync(file).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(ArchiveError);
    expect(String(error)).toBe(String(catching(() => jit.load(file))));
    expect(String(error)).toContain("crc-32 check failed");
    expect(memory.pins).toBe(pins);
    await expect(jit.loadAsync(file, { verifyCrc: false })).resolves.toBeDefined();
  }
  await expect(jit.loadAsync(join(folder, "absent.pt"))).rejects.toThrow("does not exist");
});

function catching(body: () => unknown): unknown {
  try {
    return body();
  } catch (cause) {
    return cause;
  }
}

/** Serves the archive for one name, with reads that end when they are let. */
class SlowSource implements ByteSource {
  readonly size = archive.length;
  readonly name = "slow.pt";
  readonly pending: { readonly finish: () => void; readonly fail: (cause: unknown) => void }[] = [];
  isClosed = false;
  private readonly bytes = new MemorySource(archive);

  read(byteOffset: number, nbytes: number): Uint8Array {
    return this.bytes.read(byteOffset, nbytes);
  }

  readIntoAsync(target: Uint8Array, byteOffset: number): Promise<void> {
    return new Promise((resolve, reject) =>
      this.pending.push({
        finish: () => {
          this.bytes.readInto(target, byteOffset);
          resolve();
        },
        fail: reject,
      }),
    );
  }

  close(): void {
    this.isClosed = true;
  }
}

function startSlowly(): { source: SlowSource; loaded: Promise<ScriptModule> } {
  const source = new SlowSource();
  const before = platform();
  setPlatform({ ...before, openFile: () => source });
  try {
    return { source, loaded: jit.loadAsync("slow.pt") };
  } finally {
    setPlatform(before);
  }
}

test("while weights are on their way the memory stays where it is, and other models run", async () => {
  const memory = kernelMemory()!;
  const { pins } = memory;
  const { source, loaded } = startSlowly();
  await Promise.resolve();
  expect(source.pending.length).toBeGreaterThan(1);
  expect(memory.pins).toBe(pins + source.pending.length);
  const { buffer } = memory.memory;
  const other = jit.trace(new nn.Linear(3000, 3000).eval(), [torch.ones([1, 3000])]);
  const y = jit.load(other.saveToBuffer())(torch.ones([1, 3000])) as Tensor;
  expect(torch.allclose(y, other(torch.ones([1, 3000])) as Tensor, { rtol: 1e-4, atol: 1e-5 })).toBe(true);
  expect(memory.memory.buffer).toBe(buffer);
  for (const { finish } of source.pending.toReversed()) finish();
  const found = await loaded;
  expect(source.isClosed).toBe(true);
  expect(memory.pins).toBe(pins);
  expect(torch.equal(found(input) as Tensor, jit.load(path)(input) as Tensor)).toBe(true);
});

test("a read that fails is told when no other is under way", async () => {
  const memory = kernelMemory()!;
  const { pins } = memory;
  const { source, loaded } = startSlowly();
  await Promise.resolve();
  let isTold = false;
  const told = loaded.catch((cause: unknown) => {
    isTold = true;
    return cause;
  });
  source.pending[0]!.fail(new ArchiveError("Cannot read: the disk is gone", {}));
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(isTold).toBe(false);
  expect(source.isClosed).toBe(false);
  for (const { finish } of source.pending.slice(1)) finish();
  expect(String(await told)).toContain("the disk is gone");
  expect(source.isClosed).toBe(true);
  expect(memory.pins).toBe(pins);
});

test("what is wrong in `forward` shows when it is called, as after load()", async () => {
  const reader = ArchiveReader.open(archive);
  const name = reader.recordNames("code/").find((record) => record.endsWith("container.py"))!;
  const code = new TextDecoder().decode(reader.read(name));
  const file = join(folder, "unknown.pt");
  const changed = encodeUtf8(code.replace(".forward(", ".unheard_of("));
  writeFileSync(
    file,
    rewritten(reader, (record) => (record === name ? changed : reader.read(record))),
  );
  const expected = catching(() => jit.load(file)(input));
  expect(String(expected)).toContain("unheard_of");
  const found = await jit.loadAsync(file);
  expect(String(catching(() => found(input)))).toBe(String(expected));
});

function rewritten(reader: ArchiveReader, contentOf: (record: string) => Uint8Array): Uint8Array {
  const sink = new MemorySink();
  const writer = new ArchiveWriter(sink);
  for (const record of reader.recordNames())
    if (!/^(version|byteorder|\.data\/)/.test(record)) writer.writeRecord(record, contentOf(record));
  writer.finish();
  sink.close();
  return sink.bytes();
}

test("FileSource.readIntoAsync() reads what readInto() reads, and says what it cannot", async () => {
  const source = new FileSource(path);
  const target = new Uint8Array(3_000_001);
  const expected = target.slice();
  source.readInto(expected, 77);
  await source.readIntoAsync(target, 77);
  expect(Buffer.compare(target, expected)).toBe(0);
  expect(Buffer.compare(target, readFileSync(path).subarray(77, 77 + target.length))).toBe(0);
  await source.readIntoAsync(new Uint8Array(0), 0);
  await expect(source.readIntoAsync(target, source.size - 5)).rejects.toThrow("the file has");
  source.close();
  await expect(source.readIntoAsync(target, 0)).rejects.toThrow("the file was closed");
});
