/** @file Code that was printed is written again as long as printing would give the same (Note [Printed once]). Upstream: none. Spec: spec/printing.md. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ArchiveReader, ArchiveWriter, MemorySink, PickleEmitter } from "../../src/archive/index.ts";
import { installDeflate } from "../../src/archive/zip_vendor.ts";
import { SourceRange } from "../../src/base/source_range.ts";
import { ScriptObject, tagDynamicType } from "../../src/core/ivalue.ts";
import { schemaOf } from "../../src/core/operator_registry.ts";
import { QualifiedName } from "../../src/core/qualified_name.ts";
import * as T from "../../src/core/type.ts";
import { runFunction } from "../../src/interpreter/run.ts";
import { insertConstant } from "../../src/ir/constants.ts";
import { ScriptFunction } from "../../src/ir/function.ts";
import type { Graph, Node, Value } from "../../src/ir/graph.ts";
import { loadModuleArchive } from "../../src/loader/import_module.ts";
import { jit, torch, type ScriptModule } from "../../src/node/index.ts";
import { installNodePlatform } from "../../src/node/platform.ts";
import { exportModule } from "../../src/saver/export_module.ts";
import { PythonPrint } from "../../src/saver/python_print.ts";
import { makeArchive } from "../support/archive.ts";

const MODELS = join(import.meta.dirname, "../fixtures/models");
const file = (name: string): string => join(MODELS, name, "model.pt");

let printed: { mock: { calls: unknown[][] }; mockClear(): void };
beforeEach(() => {
  printed = vi.spyOn(PythonPrint.prototype, "printFunction");
});
afterEach(() => vi.restoreAllMocks());

function save(root: ScriptObject): Uint8Array {
  const sink = new MemorySink();
  const writer = new ArchiveWriter(sink);
  writer.finish({ version: exportModule(root, writer, { runMethod: runFunction }) });
  sink.close();
  return sink.bytes();
}
/** Saves an object of the same class and contents that was never saved before. */
const saveAnew = (root: ScriptObject): Uint8Array => save(new ScriptObject(root.type, root.slots));

/** Saves, and says how many functions were printed for it. */
function counted(root: ScriptObject): { bytes: Uint8Array; functions: number } {
  printed.mockClear();
  const bytes = save(root);
  return { bytes, functions: printed.mock.calls.length };
}

test.each(readdirSync(MODELS))("%s: a second save prints nothing and gives the bytes of printing anew", (name) => {
  const model = jit.load(file(name));
  const first = model.saveToBuffer();
  printed.mockClear();
  const second = model.saveToBuffer();
  expect(printed.mock.calls).toEqual([]);
  expect(second).toEqual(first);
  expect(jit.load(file(name)).saveToBuffer()).toEqual(first);
  const { object } = model;
  expect(saveAnew(object)).toEqual(save(object));
});

describe("ScriptModule", () => {
  const load = (): ScriptModule => jit.load(readFileSync(file("gru_loop")));
  const reopened = (model: ScriptModule): ScriptModule => jit.load(model.saveToBuffer());

  test("weights and values change without printing", () => {
    const model = load();
    model.saveToBuffer();
    printed.mockClear();
    const [name, weight] = [...model.stateDict()][0]!;
    for (const value of [3, 5]) {
      weight.fill_(value);
      expect(reopened(model).stateDict().get(name)!.equal(torch.full_like(weight, value))).toBe(true);
    }
    model.eval();
    expect(reopened(model).training).toBe(false);
    expect(printed.mock.calls).toEqual([]);
    expect(save(model.object)).toEqual(saveAnew(model.object));
  });

  test("methods that are defined and graphs that are edited are printed", () => {
    const model = load();
    model.saveToBuffer();
    model.define("def twice(self, x: int) -> int:\n  return x * 2\n");
    expect(reopened(model).invoke("twice", [4])).toBe(8);
    const { graph } = model.method("twice");
    const two = [...graph.block.nodes()].find((node) => node.kind === "prim::Constant")!;
    two.setAttr("value", "i", 3);
    expect(reopened(model).invoke("twice", [4])).toBe(12);
    expect(save(model.object)).toEqual(saveAnew(model.object));
  });

  test("copied code and printed code do not mix", () => {
    const model = load();
    const copied = model.saveToBuffer({ copyCode: true });
    const first = model.saveToBuffer();
    expect(model.saveToBuffer({ copyCode: true })).toEqual(first);
    expect(load().saveToBuffer({ copyCode: true })).toEqual(copied);
  });
});

const CODE = `class Pair(NamedTuple):
  a : Tensor
  b : int
class Shape(Interface):
  def area(self: __torch__.Shape, side: int) -> int:
    pass
class Step(ModuleInterface):
  def forward(self: __torch__.Step, x: Tensor) -> Tensor:
    pass
class Relu(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  def forward(self: __torch__.Relu, x: Tensor) -> Tensor:
    return torch.relu(x)
class Neg(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  def forward(self: __torch__.Neg, x: Tensor) -> Tensor:
    return torch.neg(x)
class M(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  step : __torch__.Step
  spare : __torch__.Neg
  sizes : Final[List[int]] = [1, 2]
  def forward(self: __torch__.M, x: Tensor, scale: List[float]=[2.]) -> Tensor:
    step = self.step
    spare = self.spare
    y = (step).forward(x, )
    z = torch.mul(y, scale[0])
    def __forked_function0():
      w = torch.neg(z)
      return w
    task = fork(__forked_function0)
    if self.training:
      r = torch.add(z, y)
    else:
      r = torch.sub(z, y)
    return torch.add(torch.exp(torch.relu(r)), torch.wait(task))
  def measure(self: __torch__.M, shape: __torch__.Shape, pair: __torch__.Pair) -> int:
    return (shape).area((pair).b, )
`;

function pushObject(out: PickleEmitter, name: string, members: Readonly<Record<string, string>>): void {
  out.pushGlobal("__torch__", name);
  out.newObject();
  out.startDict();
  out.pushString("training");
  out.pushBool(true);
  for (const [member, type] of Object.entries(members)) {
    out.pushString(member);
    pushObject(out, type, {});
  }
  out.endDict();
  out.build();
}

interface Loaded {
  readonly root: ScriptObject;
  readonly forward: ScriptFunction;
  readonly graph: Graph;
  /** The constant list that was inserted. */
  readonly list: unknown[];
  /** Two constant tensors that were equal when they were saved. */
  readonly tensors: readonly { fill_(value: number): unknown }[];
  find(kind: string): Node;
}

function loadExample(): Loaded {
  const data = new PickleEmitter();
  pushObject(data, "M", { step: "Relu", spare: "Neg" });
  const constants = new PickleEmitter();
  constants.pushEmptyTuple();
  const archive = makeArchive({
    "data.pkl": data.finishBytes(),
    "code/__torch__.py": CODE,
    "constants.pkl": constants.finishBytes(),
  });
  const { root } = loadModuleArchive(ArchiveReader.open(archive), { runMethod: runFunction });
  const forward = root.type.findMethod("forward") as ScriptFunction;
  forward.ensureDefined();
  const { graph } = forward;
  const all = [...graph.block.nodes()];
  const list: unknown[] = [2, 2];
  const tensors = [torch.ones([2]), torch.ones([2])];
  let result = graph.outputs[0]!;
  const call = (kind: string, ...args: Value[]): void => {
    result = graph.insertNode(graph.create(kind, [result, ...args])).output;
  };
  for (const tensor of tensors)
    call("aten::add", insertConstant(graph, tensor, T.TensorT), insertConstant(graph, 1, T.IntT));
  call("aten::view", insertConstant(graph, list, T.listOf(T.IntT)));
  graph.block.replaceOutput(0, result);
  // values of types that only they tell
  root.type.constants.set("sides", { type: T.AnyT, value: [3] });
  root.type.constants.set("spare", { type: T.AnyT, value: new ScriptObject(memberOf(root, "spare").type, [true]) });
  return { root, forward, graph, list, tensors, find: (kind) => all.find((node) => node.kind === kind)! };
}

const readCode = (bytes: Uint8Array): string => ArchiveReader.open(bytes).readText("code/__torch__.py");
const memberOf = (root: ScriptObject, name: string): ScriptObject => root.getAttr(name) as ScriptObject;

/** Changes that the next save must show; in parentheses the only record that does. */
const CHANGES: Readonly<Record<string, (loaded: Loaded) => void>> = {
  "a node is inserted": ({ graph }) => {
    const neg = graph.create("aten::neg", [graph.outputs[0]!]);
    graph.insertNode(neg);
    graph.block.replaceOutput(0, neg.output);
  },
  "a node is taken out": ({ find }) => {
    const exp = find("aten::exp");
    exp.output.replaceAllUsesWith(exp.inputs[0]!);
    exp.destroy();
  },
  "a node is moved": ({ find }) => find("aten::exp").moveAfter(find("aten::wait")),
  "inputs change places": ({ graph }) => {
    const sub = [...graph.block.nodes()].find((n) => n.kind === "prim::If")!.blocks[1]!.first;
    sub.permuteInputs([1, 0, 2]);
  },
  "an input is replaced by hand": ({ find, graph }) => {
    find("aten::exp").inputs[0] = graph.inputs[1]!;
  },
  "a node within a branch changes": ({ find, graph }) => {
    const branch = find("prim::If").blocks[0]!;
    const neg = graph.create("aten::neg", [branch.outputs[0]!]);
    branch.appendNode(neg);
    branch.replaceOutput(0, neg.output);
  },
  "a task's own graph changes": ({ find }) => {
    const task = find("prim::fork").attr("Subgraph", "g");
    const exp = task.create("aten::exp", [task.outputs[0]!]);
    task.block.appendNode(exp);
    task.block.replaceOutput(0, exp.output);
  },
  "a constant is another": ({ find }) => void find("aten::__getitem__").inputs[1]!.node.setAttr("value", "i", 4),
  "a list in a constant is written": ({ list }) => void list.push(1),
  "equal tensors differ": ({ tensors }) => void tensors[1]!.fill_(2),
  "a value is renamed": ({ find }) => void find("prim::CallMethod").output.setDebugName("renamed"),
  "a value has another type": ({ find }) => void find("prim::If").output.setType(T.optionalOf(T.TensorT)),
  "a value is used by a node outside of the graph": ({ find, graph }) =>
    void graph.create("aten::neg", [find("aten::exp").output]),
  "a node has another source range (debug record)": ({ find }) => {
    const exp = find("aten::exp");
    exp.setSourceRange(new SourceRange(exp.sourceRange!.source, 0, 5));
  },
  "the result is replaced by hand": ({ graph }) => {
    graph.returnNode.inputs[0] = graph.inputs[1]!;
  },
  "a function has another source range (debug record)": ({ graph, find }) =>
    void graph.block.paramNode.setSourceRange(find("aten::exp").sourceRange),
  "a node's schema is of a later version (version record)": ({ find }) => {
    find("aten::mul").schema = schemaOf("aten::div.Tensor");
  },
  "a list gets a type of its own": ({ root }) =>
    tagDynamicType(root.type.constants.get("sides")!.value as unknown[], T.listOf(T.FloatT)),
  "an object gets another class": ({ root }) => {
    (root.type.constants.get("spare")!.value as ScriptObject).type = memberOf(root, "step").type;
  },
  "a default value is written": ({ forward }) => void (forward.schema.args[2]!.defaultValue as unknown[]).push(1),
  "a schema is replaced": ({ forward }) => {
    const { schema } = forward;
    forward.setSchema({ ...schema, args: schema.args.map((arg) => ({ ...arg, name: `${arg.name}_` })) });
  },
  "a method is added": ({ root, forward }) => {
    const { type } = root;
    type.methods.set("again", new ScriptFunction(type.name.child("again"), forward.graph));
  },
  "a method is taken away": ({ root }) => void root.type.methods.delete("measure"),
  "methods change places": ({ root: { type }, forward }) => {
    type.methods.delete("forward");
    type.methods.set("forward", forward);
  },
  "a hook is added": ({ root: { type }, graph }) =>
    void type.forwardHooks.push(new ScriptFunction(type.name.child("hook"), graph)),
  "an attribute is added": ({ root }) => {
    root.type.addAttribute("extra", T.IntT);
    root.slots.push(7);
  },
  "an attribute's type changes": ({ root: { type } }) =>
    type.setAttributeType(type.findSlot("training")!, T.optionalOf(T.BoolT)),
  "a constant of a class is added": ({ root }) => void root.type.constants.set("depth", { type: T.IntT, value: 3 }),
  "a constant of a class is written": ({ root }) => void (root.type.constants.get("sizes")!.value as unknown[]).push(3),
  "a submodule is of another class": ({ root }) =>
    root.setAttr("step", new ScriptObject(memberOf(root, "spare").type, [true])),
  "a method of an interface is another": ({ root }) => {
    const shape = root.type.findMethod("measure")!.schema.args[1]!.type as T.InterfaceType;
    shape.methods[0] = { ...shape.methods[0]!, name: "volume" };
  },
  "an interface gets a method": ({ root }) => {
    const shape = root.type.findMethod("measure")!.schema.args[1]!.type as T.InterfaceType;
    shape.methods.push({ ...shape.methods[0]!, name: "volume" });
  },
};

describe("a change shows in the next save:", () => {
  test.each(Object.entries(CHANGES))("%s", (_, change) => {
    const loaded = loadExample();
    const { root } = loaded;
    const first = save(root);
    expect(counted(root)).toEqual({ bytes: first, functions: 0 });
    change(loaded);
    const changed = counted(root);
    expect(changed.functions).toBeGreaterThan(0);
    expect(changed.bytes).not.toEqual(first);
    expect(changed.bytes).toEqual(saveAnew(root));
    expect(counted(root)).toEqual({ bytes: changed.bytes, functions: 0 });
  });

  test("and what is changed back is printed once more", () => {
    const { root, graph } = loadExample();
    const first = save(root);
    const value = graph.inputs[1]!;
    value.setDebugName("other");
    save(root);
    value.setDebugName("x");
    expect(save(root)).toEqual(first);
  });
});

test("records that come out as before are not deflated again", () => {
  const deflated: string[] = [];
  installDeflate((bytes, level) => {
    deflated.push(Buffer.from(bytes).toString("latin1"));
    return deflateRawSync(bytes, { level });
  });
  try {
    const model = jit.load(file("intro_wrapped_rnn"));
    model.saveToBuffer();
    expect(deflated.length).toBe(8);
    deflated.length = 0;
    const named = [...model.graph.block.nodes()].find((node) => node.outputs[0]?.hasDebugName())!;
    named.outputs[0]!.setDebugName("renamed");
    const changed = model.saveToBuffer();
    // its debug record as well, where the text behind the name moves
    expect(deflated.map((text) => text.includes("renamed"))).toEqual([true, false]);
    expect(changed).toEqual(new Uint8Array(saveAnew(model.object)));
  } finally {
    installNodePlatform();
  }
});

test("a save that fails forgets and remembers nothing", () => {
  const { root, graph } = loadExample();
  const first = save(root);
  graph.returnNode.addInput(graph.inputs[1]!);
  for (let i = 0; i < 2; i++) expect(() => save(root)).toThrow("single return value");
  graph.returnNode.removeInput(1);
  expect(counted(root)).toEqual({ bytes: first, functions: 0 }); // which is what was saved before
});

test("what changes beside the code is written without printing", () => {
  const { root, tensors } = loadExample();
  const first = save(root);
  root.setAttr("training", false);
  for (const tensor of tensors) tensor.fill_(3); // they are still equal
  const { bytes, functions } = counted(root);
  expect(functions).toBe(0);
  expect(bytes).not.toEqual(first);
  expect(bytes).toEqual(saveAnew(root));
  expect(readCode(bytes)).toBe(readCode(first));
});

test("classes of constants keep the names that printing gave", () => {
  const { root, graph } = loadExample();
  const [mentioned, held] = [0, 1].map(() => new T.ClassType(new QualifiedName("__torch__.Thing"), false));
  const measure = root.type.findMethod("measure") as ScriptFunction;
  const { schema } = measure;
  measure.setSchema({ ...schema, args: schema.args.with(1, { ...schema.args[1]!, type: mentioned! }) });
  const constant = graph.create("prim::Constant");
  constant.output.setType(held!);
  graph.insertNode(constant.setAttr("value", "ival", new ScriptObject(held!)));
  graph.insertNode(graph.create("prim::Print", [constant.output], 0));
  const first = save(root);
  expect(readCode(first)).toContain("shape: __torch__.Thing,");
  expect(ArchiveReader.open(first).readText("constants.pkl")).toContain("__torch__.___torch_mangle_0");
  expect(counted(root)).toEqual({ bytes: first, functions: 0 });
});

test("a module that ran and was looked at is not printed again", () => {
  const model = jit.load(file("gru_loop"));
  const first = model.saveToBuffer();
  model(torch.zeros([4, 2, 8]));
  expect(String(model.inlinedGraph)).not.toBe("");
  printed.mockClear();
  expect(model.saveToBuffer()).toEqual(first);
  expect(printed.mock.calls).toEqual([]);
});
