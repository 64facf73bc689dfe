/** @file ScriptModule: calling, attributes, state, training mode, saving. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unzipSync } from "fflate";
import JSZip from "jszip";
import { afterAll, expect, test } from "vitest";
import { ArchiveError, ScriptError, ScriptRuntimeError, Tensor, jit, nn, torch } from "../../src/node/index.ts";

const MODELS = join(import.meta.dirname, "../fixtures/models");
const load = (name: string): ReturnType<typeof jit.load> => jit.load(join(MODELS, name, "model.pt"));
const folder = mkdtempSync(join(tmpdir(), "tsarchive-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("named parameters, buffers and modules have PyTorch's names and order", () => {
  const model = load("stateful_train");
  expect([...model.namedParameters().keys()]).toEqual(["bn.weight", "bn.bias"]);
  expect([...model.namedBuffers().keys()]).toEqual([
    "steps",
    "bn.running_mean",
    "bn.running_var",
    "bn.num_batches_tracked",
  ]);
  expect([...model.namedModules()].map(([path]) => path)).toEqual(["", "bn"]);
  expect(model.children().map((m) => m.originalName)).toEqual(["BatchNorm1d"]);
});

// PyTorch 2.13: a module with `self.plain = torch.ones(2)`, a buffer `own` and a parameter `w` says ['own'] and ['w', 'own'],
// before and after it is saved; quantized RNN cells and PReLU keep their biases and weights as such attributes
test("tensors that are neither parameters nor buffers are not in namedBuffers() or stateDict()", () => {
  class Plain extends nn.Module {
    plain = torch.ones([2]);
    w = new nn.Parameter(torch.ones([1]));
    constructor() {
      super();
      this.registerBuffer("own", torch.zeros([3]));
    }
    forward(x: Tensor): Tensor {
      return x.add(this.plain.sum());
    }
  }
  const scripted = jit.script(new Plain());
  for (const module of [scripted, jit.load(scripted.saveToBuffer())]) {
    expect([...module.namedBuffers().keys()]).toEqual(["own"]);
    expect([...module.stateDict().keys()]).toEqual(["w", "own"]);
    expect((module(torch.zeros([1])) as Tensor).item()).toBe(2);
  }
});

test("train() and eval() set the flag here and below", () => {
  const model = load("stateful_train");
  model.eval();
  expect(model.modules().map((m) => m.training)).toEqual([false, false]);
  model.train();
  expect(model.modules().map((m) => m.training)).toEqual([true, true]);
});

test("loadStateDict() copies values and names what does not fit", () => {
  const model = load("stateful_train");
  const state = new Map([...model.stateDict()].map(([k, v]) => [k, torch.call("zeros_like", v) as Tensor]));
  model.loadStateDict(state);
  expect((model.getattr("bn") as ReturnType<typeof load>).stateDict().get("weight")!.tolist()).toEqual([0, 0, 0, 0]);
  state.delete("steps");
  expect(() => model.loadStateDict(state)).toThrow(/Missing key\(s\) in state_dict: "steps"/);
  state.set("steps", torch.zeros([2]));
  expect(() => model.loadStateDict(state)).toThrow(/size mismatch for steps/);
});

test("getattr() and setattr() keep types", () => {
  const model = load("attributes");
  expect(model.getattr("names")).toEqual(["alpha", "beta", 'gamma "quoted" \n é']);
  expect(model.getattr("kind")).toBe(3);
  model.setattr("ratio", 2);
  expect(model.getattr("ratio")).toBe(2);
  expect(() => model.setattr("ratio", "much")).toThrow(ScriptError);
  expect(() => model.setattr("nothing", 1)).toThrow(/has no attribute 'nothing'/);
  expect(() => model.getattr("nothing")).toThrow(ScriptError);
});

test("exported methods are properties, and method() names what there is", () => {
  const model = load("attributes");
  const [base] = (model as unknown as { point(label: string): Tensor[] }).point("here");
  expect(base).toBeInstanceOf(Tensor);
  expect(() => model.method("nope")).toThrow(/it has: forward, point, update, which/);
});

test("a failing call carries both tracebacks", () => {
  const model = load("control_flow");
  expect(() => model("no tensor", 1, [])).toThrow(/forward\(\) Expected a value of type 'Tensor'/);
  try {
    model(torch.ones([]), 1, []);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(ScriptRuntimeError);
    expect(String(error)).toContain("Traceback of TorchScript, serialized code (most recent call last)");
    expect(String(error)).toContain("Traceback of TorchScript, original code (most recent call last)");
  }
});

test("saved archives open in JSZip, fflate and here, with equal contents", async () => {
  const path = join(folder, "copy.zip");
  load("attributes").save(path, { extraFiles: { "labels/a.txt": "äb" } });
  const bytes = new Uint8Array(readFileSync(path));
  const fromFflate = unzipSync(bytes);
  const fromJsZip = await JSZip.loadAsync(bytes, { checkCRC32: true });
  const names = Object.keys(fromFflate);
  expect(names[0]).toBe("copy/extra/labels/a.txt");
  expect(names).toEqual(
    Object.values(fromJsZip.files)
      .filter((f) => !f.dir)
      .map((f) => f.name),
  );
  for (const name of names) expect(await fromJsZip.files[name]!.async("uint8array")).toEqual(fromFflate[name]);
  // repacked by both, other order and compression: opens and saves the same
  const again = load("attributes").saveToBuffer();
  const repacked = new JSZip();
  for (const name of [...names].reverse()) repacked.file(name, fromFflate[name]!);
  const deflated = await repacked.generateAsync({ type: "uint8array", compression: "DEFLATE" });
  expect(jit.load(deflated).saveToBuffer()).toEqual(again);
});

test("a save that fails leaves the old file and no other", () => {
  const path = join(folder, "kept.zip");
  writeFileSync(path, "old");
  expect(() => load("attributes").save(join(folder, "no-such-folder", "x.zip"))).toThrow(ArchiveError);
  const model = load("attributes");
  Object.defineProperty(model.object.type.attributes, "forEach", {
    value: () => {
      throw new Error("power cut");
    },
  });
  expect(() => model.save(path)).toThrow("power cut");
  expect(readFileSync(path, "utf8")).toBe("old");
  expect(readdirSync(folder).filter((f) => f.includes("kept"))).toEqual(["kept.zip"]);
});
