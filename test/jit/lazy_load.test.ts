/** @file load with `lazy`: the same module, nothing read before it is touched, damage found where it can be. */
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ArchiveReader, MemorySource, type ByteSource } from "../../src/archive/index.ts";
import { Source } from "../../src/base/source_range.ts";
import { DeferredClass, hasPlainMargin, plainClass } from "../../src/frontend/deferred_class.ts";
import { DeferredDef } from "../../src/frontend/deferred_def.ts";
import { endOfBlock } from "../../src/frontend/lexer.ts";
import { Parser } from "../../src/frontend/parser.ts";
import { ArchiveError, ScriptError, jit, nn, torch, type Tensor } from "../../src/node/index.ts";
import { makeArchive, recordsOf } from "../support/archive.ts";

const MODELS = join(import.meta.dirname, "../fixtures/models");
const names = readdirSync(MODELS);
const file = (name: string): string => join(MODELS, name, "model.pt");
const folder = mkdtempSync(join(tmpdir(), "tsarchive-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** An archive with some records replaced. */
function rewriteArchive(bytes: Uint8Array, replace: (name: string, data: Uint8Array) => Uint8Array): Uint8Array {
  const records = [...recordsOf(bytes)].filter(
    ([name]) => !["version", "byteorder", ".data/serialization_id"].includes(name),
  );
  return makeArchive(Object.fromEntries(records.map(([name, data]) => [name, replace(name, data)])));
}

/** A source in memory that counts the bytes which are read of it. */
function counting(bytes: Uint8Array): ByteSource & { count: number } {
  const source = new MemorySource(bytes);
  return {
    size: source.size,
    count: 0,
    read(byteOffset, nbytes) {
      this.count += nbytes;
      return source.read(byteOffset, nbytes);
    },
  };
}

test.each(names)("a lazily loaded %s is the same module", (name) => {
  const [eager, lazy] = [jit.load(file(name)), jit.load(file(name), { lazy: true })];
  expect(String(lazy)).toBe(String(eager));
  expect(lazy.code).toBe(eager.code);
  expect(String(lazy.graph)).toBe(String(eager.graph));
  const values = (m: typeof eager): unknown[] => [...m.stateDict()].map(([k, t]) => [k, t.tolist()]);
  expect(values(lazy)).toEqual(values(eager));
  expect(jit.load(file(name), { lazy: true }).saveToBuffer()).toEqual(eager.saveToBuffer());
});

test("no weight is read before it is touched, and each one once", () => {
  const bytes = readFileSync(file("gru_loop"));
  const reader = ArchiveReader.open(bytes);
  const weights = reader.recordNames("data/").reduce((sum, name) => sum + reader.sizeOf(name), 0);
  const source = counting(bytes);
  const model = jit.load(source, { lazy: true });
  const opened = source.count;
  expect(opened).toBeLessThan(bytes.length - weights + 2048);
  for (const tensor of model.stateDict().values()) tensor.tolist();
  const touched = source.count;
  expect(touched - opened).toBeGreaterThanOrEqual(weights);
  for (const tensor of model.stateDict().values()) tensor.tolist();
  expect(source.count).toBe(touched);
});

test("a storage that is touched by its offset first lies where it says", () => {
  const [eager, lazy] = [jit.load(file("gru_loop")), jit.load(file("gru_loop"), { lazy: true })];
  for (const [name, tensor] of lazy.stateDict()) {
    const { storage } = tensor;
    const offset = tensor.base0;
    expect(storage.segment.f32.slice(offset, offset + tensor.numel)).toEqual(
      Float32Array.from([eager.stateDict().get(name)!.tolist()].flat(9) as number[]),
    );
  }
});

test("a model may be saved over the file that it is lazily loaded from", () => {
  const path = join(folder, "own.pt");
  copyFileSync(file("intro_wrapped_rnn"), path);
  const lazy = jit.load(path, { lazy: true });
  lazy.save(path);
  expect(jit.load(path).saveToBuffer()).toEqual(jit.load(file("intro_wrapped_rnn")).saveToBuffer());
  expect(String(lazy.graph)).toBe(String(jit.load(path).graph));
});

test("weights that are only packed are lent: answers are the same, and who asks for one, writes to it or saves it finds it", () => {
  torch.manual_seed(3);
  const layers = [
    new nn.Conv2d(3, 16, 3),
    new nn.Conv2d(16, 8, 3, { stride: 2 }),
    new nn.Flatten(),
    new nn.Linear(392, 80),
  ];
  const image = torch.randn([2, 3, 17, 17]);
  const bytes = jit.trace(new nn.Sequential(...layers).eval(), [image]).saveToBuffer();
  const [eager, lazy] = [jit.load(bytes), jit.load(bytes, { lazy: true })];
  const run = (m: typeof eager): unknown => (m(image) as Tensor).tolist();
  expect(run(lazy)).toEqual(run(eager));
  const weights = [...lazy.stateDict()].filter(([name]) => name.endsWith("weight")).map(([, t]) => t);
  expect(weights.map((t) => t.storage.untouched() !== undefined)).toEqual([true, true, true]);
  expect(run(lazy)).toEqual(run(eager));
  expect(jit.load(lazy.saveToBuffer()).stateDict().get("0.weight")!.tolist()).toEqual(
    eager.stateDict().get("0.weight")!.tolist(),
  );
  for (const model of [eager, lazy]) for (const name of ["0.weight", "3.weight"]) model.stateDict().get(name)!.mul_(2);
  expect(weights.map((t) => t.storage.untouched() !== undefined)).toEqual([false, true, false]);
  expect(run(lazy)).toEqual(run(eager));
  torch.setNumThreads(2);
  try {
    expect(run(lazy)).toEqual(run(eager));
  } finally {
    torch.setNumThreads(1);
  }
});

/** What goes through Winograd's transforms and what does not, each in several pieces of which the last is smaller. */
function widePair(): { bytes: Uint8Array; image: Tensor } {
  torch.manual_seed(4);
  const layers = [new nn.Conv2d(256, 84, 3, { padding: 1 }), new nn.Conv2d(84, 250, 5, { stride: 2 })];
  const image = torch.randn([1, 256, 9, 9]);
  return { bytes: jit.trace(new nn.Sequential(...layers).eval(), [image]).saveToBuffer(), image };
}

test.each([1, 2])("large filters pass in pieces and give the same answers (%i threads)", (threads) => {
  const { bytes, image } = widePair();
  torch.setNumThreads(threads);
  try {
    const [eager, lazy] = [jit.load(bytes), jit.load(bytes, { lazy: true })];
    const expected = (eager(image) as Tensor).tolist();
    for (let call = 0; call < 3; call++) expect((lazy(image) as Tensor).tolist()).toEqual(expected);
    const pair = torch.cat([image, image]);
    const several = jit.load(bytes, { lazy: true });
    expect((several(pair) as Tensor).tolist()).toEqual((eager(pair) as Tensor).tolist());
  } finally {
    torch.setNumThreads(1);
  }
});

test.each([
  ["a weight", (): [nn.Module, Tensor] => [new nn.Conv2d(8, 16, 3), torch.ones([1, 8, 9, 9])]],
  [
    "a weight that passes in pieces",
    (): [nn.Module, Tensor] => [new nn.Conv2d(256, 84, 3), torch.ones([1, 256, 9, 9])],
  ],
])("damage in %s is found, every time", (_, make) => {
  const [layer, image] = make();
  const bytes = jit.trace(layer.eval(), [image]).saveToBuffer();
  const reader = ArchiveReader.open(bytes);
  const largest = reader.recordNames("data/").reduce((a, b) => (reader.sizeOf(a) > reader.sizeOf(b) ? a : b));
  const stored = reader.read(largest);
  const where = Buffer.from(bytes).indexOf(Buffer.from(stored));
  const damaged = bytes.slice();
  damaged[where + 5]! ^= 1;
  const model = jit.load(damaged, { lazy: true });
  for (let i = 0; i < 2; i++) expect(() => model(image)).toThrow(/crc-32 check failed/);
});

test("a storage that is too short is found while loading, damage inside one when it is touched", () => {
  const bytes = readFileSync(file("gru_loop"));
  const short = rewriteArchive(bytes, (name, data) => (name === "data/0" ? data.subarray(4) : data));
  expect(() => jit.load(short, { lazy: true })).toThrow(/record has \d+ bytes, \d+ float32 elements need/);
  const damaged = new Uint8Array(bytes);
  const { dataOffset } = ArchiveReader.open(bytes).stat("data/0");
  damaged[dataOffset] = damaged[dataOffset]! ^ 1;
  const model = jit.load(damaged, { lazy: true });
  expect(() => [...model.stateDict().values()].map((t) => t.tolist())).toThrow(ArchiveError);
  expect(() => jit.load(damaged)).toThrow(/crc-32 check failed/);
  expect(() => jit.load(damaged, { verifyCrc: false })).not.toThrow();
});

test("a file that is cut after opening gives an error at the touch", () => {
  const path = join(folder, "cut.pt");
  writeFileSync(path, readFileSync(file("gru_loop")));
  const model = jit.load(path, { lazy: true });
  truncateSync(path, 10);
  expect(() => [...model.stateDict().values()].map((t) => t.tolist())).toThrow(/the file ends at byte/);
});

test("an error of syntax inside a method shows when the method is needed", () => {
  const broken = rewriteArchive(readFileSync(file("gru_loop")), (name, data) =>
    name.endsWith(".py")
      ? new TextEncoder().encode(new TextDecoder().decode(data).replace("return", "return return"))
      : data,
  );
  for (const lazy of [false, true]) {
    const model = jit.load(broken, { lazy });
    expect(String(model)).toBe(String(jit.load(file("gru_loop"))));
    expect(() => model.code).toThrow(ScriptError);
  }
});

const CLASS = `class A(Module):
  __parameters__ = ["weight", ]
  __buffers__ = []
  weight : Tensor
  child : __torch__.pkg.B
  bias : Optional[Tensor]
  n : NoneType
  padding : List[int]
  __annotations__ = []
  __annotations__["0"] = __torch__.pkg.B
  mode : Final[str] = "zeros"
  size : Final[Tuple[int, int]] = (1, -2)
  rate : Final[float] = 1.0000000000000001e-05
  def forward(self: __torch__.A,
    input: Tensor) -> Tensor:
    # def nothing():
    text = "a(b\\"#"

    if torch.eq(1, 2):
      _0 = input
    else:
      pass
    return ops.prim.add(input,
  text)
  def other(self: __torch__.A) -> NoneType:
    return None
`;

/** A tree with everything parsed, without its places. */
function withoutRanges(tree: unknown): unknown {
  return JSON.parse(
    JSON.stringify(tree, (key, v: unknown) => {
      if (key === "range" || key === "declRange") return undefined;
      if (v instanceof DeferredDef) return v.full;
      return typeof v === "object" && v !== null && "full" in v ? v.full : v;
    }),
  );
}

test("deferred parsing gives the tree of the parser", () => {
  const plain = new Parser(new Source(CLASS, "a.py", 1)).parseClass();
  const parser = new Parser(new Source(CLASS, "a.py", 1));
  parser.defersBodies = true;
  const deferred = parser.parseClass();
  expect(withoutRanges(deferred)).toEqual(withoutRanges(plain));
  expect(deferred.body.filter((s) => s.kind === "Def").every((s) => s.def instanceof DeferredDef)).toBe(true);
});

test("endOfBlock() leaves to the lexer what only that can judge", () => {
  const ends = (text: string): number | undefined => endOfBlock(text, 0, 0);
  expect(ends("def f():\n  return 1\nclass A:\n")).toBe(20);
  expect(ends("def f():\n  return '''\nx'''\n")).toBe(27);
  expect(ends("def f():\n  return (\n1)\nx")).toBe(23);
  expect(ends("def f():\n  return )\nx")).toBeUndefined();
  expect(ends("def f():\n  return 'a\nx")).toBeUndefined();
  expect(ends("def f():\n  a = 1 + \\\n1\nx")).toBeUndefined();
});

test("an untouched storage is copied from the file to the file, in pieces", () => {
  const path = join(folder, "copy.pt");
  const lazy = jit.load(file("gru_loop"), { lazy: true });
  lazy.save(path, { durable: true });
  for (const tensor of lazy.stateDict().values()) expect(tensor.storage.untouched()?.pieces()).toBeDefined();
  expect([...recordsOf(new Uint8Array(readFileSync(path))).entries()]).toEqual([
    ...recordsOf(jit.load(file("gru_loop")).saveToBuffer()).entries(),
  ]);
});

test("a defect in a class shows when something of it is asked for, each time the same", () => {
  const bytes = readFileSync(file("gru_loop"));
  const broken = (from: RegExp, to: string): Uint8Array =>
    rewriteArchive(bytes, (name, data) =>
      name.endsWith(".py") ? new TextEncoder().encode(new TextDecoder().decode(data).replace(from, to)) : data,
    );
  for (const [from, to, message] of [
    [/^ {2}training : bool$/m, "  training : ]", /expected|valid/],
    [/^ {2}training : bool$/m, "  training : Nowhere", /Unknown type name 'Nowhere'/],
    [/^ {2}training : bool$/m, "  training : bool\n  missing : int", /has no attribute "missing"/],
  ] as const) {
    expect(() => jit.load(broken(from, to))).toThrow(message);
    const load = (): string => String(jit.load(broken(from, to), { lazy: true }));
    expect(load).toThrow(message);
  }
});

test("an object that nobody looked into is filled once, and fails the same way each time", () => {
  const bytes = rewriteArchive(readFileSync(file("intro_wrapped_rnn")), (name, data) =>
    name === "data.pkl"
      ? new Uint8Array(Buffer.from(Buffer.from(data).toString("latin1").replaceAll("weight", "w_ight"), "latin1"))
      : data,
  );
  const model = jit.load(bytes, { lazy: true });
  expect(String(model)).toBe(String(jit.load(file("intro_wrapped_rnn"))));
  const message = /has no attribute "weight/;
  expect(() => jit.load(bytes)).toThrow(message);
  expect(() => model.stateDict()).toThrow(message);
  expect(() => model.stateDict()).toThrow(message);
  const whole = jit.load(file("intro_wrapped_rnn"), { lazy: true });
  expect([...whole.stateDict().keys()]).toEqual([...jit.load(file("intro_wrapped_rnn")).stateDict().keys()]);
});

test("plainClass() gives what the parser gives, and leaves the rest to it", () => {
  const source = new Source(`${CLASS}# a comment\n\nclass B(NamedTuple):\n  x : int\ndef f():\n  pass\n`, "a.py", 1);
  const first = plainClass(source, 0, undefined)!;
  const second = plainClass(source, first.end, undefined)!;
  expect(first.def).toBeInstanceOf(DeferredClass);
  expect([first.def.name.name, first.def.superclass?.range.text()]).toEqual(["A", "Module"]);
  expect([second.def.name.name, second.def.superclass?.range.text()]).toEqual(["B", "NamedTuple"]);
  expect(source.text.slice(second.end)).toMatch(/^def f/);
  expect(plainClass(source, second.end, undefined)).toBeUndefined();
  const full = (text: string): unknown => withoutRanges(new Parser(new Source(text, "a.py", 1)).parseClass().body);
  expect(withoutRanges(first.def.body)).toEqual(full(CLASS));
  // PyTorch prints continued lines deeper: then no token is read
  const printed = CLASS.replace("\n  text)", "\n      text)");
  expect(withoutRanges(plainClass(new Source(printed), 0, undefined)!.def.body)).toEqual(full(printed));
  const plain = (text: string): boolean => plainClass(new Source(text), 0, undefined) !== undefined;
  expect(plain("class A:\n  x : int\n")).toBe(true);
  expect(plain("class A:\n  x = (\n1)\n")).toBe(false);
  expect(plain("class A(B, C):\n  x : int\n")).toBe(false);
  expect(plain("class if:\n  x : int\n")).toBe(false);
  expect(plain("class A:\nx : int\n")).toBe(false);
  expect(hasPlainMargin(new Source("class A:\n  x = '''\nclass B:\n'''\n"))).toBe(false);
  expect(hasPlainMargin(new Source('class A:\n  x = "\\\nclass B:"\n'))).toBe(false);
});
