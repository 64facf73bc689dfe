/** @file jit.trace and jit.traceModule: warnings with their lines, checks, calls that are kept, archives. Texts of graphs are in traces.test.ts. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  ArchiveReader,
  MemorySource,
  TracingCheckError,
  jit,
  nn,
  setWarningSink,
  torch,
  type ScriptModule,
  type ScriptWarning,
  type Tensor,
  type WarningSink,
} from "../../src/node/index.ts";
import { resetPythonCu } from "../../src/jit/python_cu.ts";

const THIS = fileURLToPath(import.meta.url);
const LINES = readFileSync(THIS, "utf8").split("\n");

let warnings: ScriptWarning[] = [];
let sink: WarningSink;
beforeEach(() => {
  resetPythonCu(); // names as in a program of its own
  warnings = [];
  sink = setWarningSink((warning) => warnings.push(warning));
});
afterEach(() => {
  setWarningSink(sink);
});

class Gate extends nn.Module {
  forward(x: Tensor): Tensor {
    return Number(x.sum().item()) > 0 ? x : x.neg();
  }
}

class Cell extends nn.Module {
  dg = new Gate();
  linear = new nn.Linear(4, 4);
  forward(x: Tensor, h: Tensor): [Tensor, Tensor] {
    const new_h = torch.tanh(this.dg(this.linear(x)).add(h));
    return [new_h, new_h];
  }
  scaled(x: Tensor): Tensor {
    return this.linear(x).mul(2);
  }
}

const pair = (): [Tensor, Tensor] => [torch.rand([3, 4]), torch.rand([3, 4])];

test("trace() warns where a tensor becomes a number, naming the line", () => {
  jit.trace(new Cell(), pair(), { checkTrace: false });
  expect(warnings.map((w) => w.category)).toEqual(["TracerWarning"]);
  expect(warnings[0]!.message).toMatch(/^Converting a tensor to a JavaScript number might cause the trace/);
  expect(warnings[0]!.filename).toBe(THIS);
  expect(LINES[warnings[0]!.line! - 1]).toContain("x.sum().item()");
});

test("trace() warns of tensors made of numbers", () => {
  jit.trace((x: Tensor) => x.add(torch.tensor([1, 2])), torch.rand([2]), { checkTrace: false });
  expect(warnings.map((w) => w.message.slice(0, 52))).toEqual(["torch.tensor results are registered as constants in "]);
});

test("trace() gives what the module gives, and a hierarchy under the modules' names", () => {
  const cell = new Cell();
  const [x, h] = pair();
  const traced = jit.trace(cell, [x, h]);
  expect(String(traced)).toBe(
    "Cell(\n  original_name=Cell\n  (dg): Gate(original_name=Gate)\n  (linear): Linear(original_name=Linear)\n)",
  );
  expect(String((traced(x, h) as Tensor[])[0])).toBe(String(cell(x, h)[0]));
});

test("trace() runs the hooks of a library module once, outside of the module's own scope", () => {
  const model = new nn.Sequential(new nn.Linear(2, 2));
  let runs = 0;
  model.at(0).registerForwardHook((_, __, output) => {
    runs++;
    return (output as Tensor).add(1);
  });
  const x = torch.rand([1, 2]);
  const traced = jit.trace(model, x, { checkTrace: false });
  expect(runs).toBe(1);
  expect(String(traced(x))).toBe(String(model(x)));
  expect(traced.code).toContain("torch.add((_0).forward(input, )");
});

test("trace() knows sizes in indexes, so that other sizes index other elements", () => {
  const last = (x: Tensor): Tensor => {
    const y = x.clone();
    y.set([x.size(0) - 1, torch.slice(x.size(1) - 1)], 7);
    return y.at(torch.slice(null), torch.slice(x.size(1) - 1, null));
  };
  const traced = jit.trace(last, torch.rand([2, 3]));
  const x = torch.rand([4, 5]);
  expect(String(traced(x))).toBe(String(last(x)));
});

test("trace() points nodes at the lines of this file", () => {
  const { graph } = jit.trace((x: Tensor) => x.relu(), torch.rand([2]), { checkTrace: false });
  const line = /aten::relu\(%x\) # (.*):(\d+):0/.exec(String(graph))!;
  expect(line[1]).toBe(THIS);
  expect(LINES[Number(line[2]) - 1]).toContain("x.relu()");
});

test("trace() throws TracingCheckError where another run gives another graph", () => {
  let runs = 0;
  const unsteady = (x: Tensor): Tensor => (runs++ % 2 === 0 ? x.relu() : x.tanh());
  let error: unknown;
  try {
    jit.trace(unsteady, torch.rand([3]));
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(TracingCheckError);
  const { message } = error as Error;
  expect(message).toContain("Tracing failed sanity checks!\nERROR: Graphs differed across invocations!\n");
  expect(message).toContain("-   %1 : Tensor = aten::relu(%0)\n");
  expect(message).toContain("+   %1 : Tensor = aten::tanh(%0)\n");
});

test("trace() warns where results differ between runs, and names what is random", () => {
  jit.trace((x: Tensor) => x.add(torch.rand([3])), torch.rand([3]));
  expect(warnings[0]!.message).toMatch(/^Trace had nondeterministic nodes\. Did you forget call \.eval\(\)/);
  expect(warnings[0]!.message).toContain("aten::rand");
  expect(warnings[1]!.message).toMatch(/^Output nr 1\. of the traced function does not match/);
  expect(warnings[1]!.message).toContain("Mismatched elements: 3 / 3 (100.0%)");
});

test("trace() checks other inputs where they are given", () => {
  const relu = (x: Tensor): Tensor => (Number(x.sum().item()) > 0 ? x.relu() : x.tanh());
  expect(() => jit.trace(relu, torch.ones([2]), { checkInputs: [torch.ones([2]).neg()] })).toThrow(TracingCheckError);
});

test("trace() keeps compiled functions as calls", () => {
  const unit = new jit.CompilationUnit(
    "def g(x, n: int = 2):\n  if bool(x.sum() > 0):\n    return x * n\n  return x\n",
  );
  const g = unit.get("g");
  const traced = jit.trace((x: Tensor) => (g(x) as Tensor).add(1), torch.ones([3]));
  expect(traced.code).toBe("def _lambda(x: Tensor) -> Tensor:\n  return torch.add(g(x, 2, ), CONSTANTS.c0)\n");
  expect(String(traced(torch.ones([1]).neg()))).toBe("tensor([0.])");
});

test("trace() of something compiled is that thing", () => {
  const traced = jit.trace((x: Tensor) => x.relu(), torch.rand([2]));
  expect(jit.trace(traced as unknown as (x: Tensor) => Tensor, torch.rand([2]))).toBe(traced);
  expect(warnings[0]!.message).toMatch(/^The input to trace is already a ScriptModule/);
});

test("traceModule() traces methods by name", () => {
  const cell = new Cell();
  const [x, h] = pair();
  const traced = jit.traceModule(cell, { forward: [x, h], scaled: x }, { checkTrace: false });
  expect(traced.methodNames()).toEqual(["forward", "scaled"]);
  expect(traced.method("scaled").code).toBe(
    "def scaled(self,\n    x: Tensor) -> Tensor:\n  linear = self.linear\n  _0 = torch.mul((linear).forward1(x, ), CONSTANTS.c0)\n  return _0\n",
  );
  expect(String(traced.method("scaled")(x))).toBe(String(cell.scaled(x)));
});

test("a traced module is saved with PyTorch's code and the shapes of its inputs", () => {
  torch.manual_seed(0);
  const [x, h] = pair();
  const traced = jit.trace(new Cell(), [x, h]);
  const bytes = traced.saveToBuffer();
  const reader = ArchiveReader.open(new MemorySource(bytes));
  const names = reader.recordNames();
  expect(names).toContain("traced_inputs.pkl");
  expect(reader.read("traced_inputs/0").length).toBe(0);
  const code = new TextDecoder().decode(reader.read("code/__torch__.py"));
  expect(code).toContain(
    "    x: Tensor,\n    h: Tensor) -> Tuple[Tensor, Tensor]:\n    dg = self.dg\n    linear = self.linear\n    _0 = (dg).forward((linear).forward(x, ), )\n    _1 = torch.tanh(torch.add(_0, h))\n    return (_1, _1)\n",
  );
  const loaded = jit.load(bytes);
  expect(String((loaded(x, h) as Tensor[])[0])).toBe(String((traced(x, h) as Tensor[])[0]));
});

test("a traced function is saved as a module's forward", () => {
  function double(x: Tensor): Tensor {
    return x.mul(2);
  }
  const loaded = jit.load(jit.trace(double, torch.rand([2])).saveToBuffer());
  expect(String(loaded)).toBe("RecursiveScriptModule(original_name=PlaceholderModule)");
  expect(loaded.code).toBe("def forward(self,\n    x: Tensor) -> Tensor:\n  return torch.mul(x, CONSTANTS.c0)\n");
});

test("a layer that stands in a container several times is called as often", () => {
  const layer = new nn.Linear(8, 8);
  const model = new nn.Sequential(layer, new nn.ReLU(), layer).eval();
  const x = torch.ones([2, 8]);
  const traced = jit.trace(model, [x]);
  expect(torch.equal(traced(x), model(x))).toBe(true);
  // the text of PyTorch 2.13
  expect(traced.code).toBe(`def forward(self,
    input: Tensor) -> Tensor:
  _1 = getattr(self, "1")
  _0 = getattr(self, "0")
  _2 = (_0).forward1((_1).forward((_0).forward(input, ), ), )
  return _2
`);
});

class Named extends nn.Module {
  l = new nn.Linear(2, 2);
  forward(x: Tensor, m: Tensor | null = null, n: Tensor | null = null): Tensor {
    const r = this.l(x);
    return n === null ? r : r.mul(n);
  }
  other(p: Tensor, q: Tensor): Tensor {
    return this.l(p).sub(q);
  }
}

test("methods take example inputs by name, in any order", () => {
  const [a, b] = [torch.ones([2]), torch.full([2], 3.5)];
  const inputs = { forward: { n: b, x: a }, other: { q: b, p: a } };
  const module = new Named();
  const traced = jit.traceModule(module, inputs, {
    exampleInputsIsKwarg: true,
    checkInputs: [inputs, { forward: { x: torch.ones([3, 2]), n: b }, other: { p: b, q: a } }],
  });
  // PyTorch 2.13's
  expect(traced.code).toBe(
    "def forward(self,\n    x: Tensor,\n    n: Tensor) -> Tensor:\n  l = self.l\n  return torch.mul((l).forward(x, ), n)\n",
  );
  expect(traced.method("other").code).toBe(
    "def other(self,\n    p: Tensor,\n    q: Tensor) -> Tensor:\n  l = self.l\n  return torch.sub((l).forward1(p, ), q)\n",
  );
  expect(warnings).toEqual([]);
  expect(String(traced.forward(b, a))).toBe(String(module.forward(b, null, a)));
  const mixed = jit.traceModule(module, { forward: [a], other: { q: b, p: a } }, { exampleInputsIsKwarg: true });
  expect(mixed.method("other").code).toContain("def other(self,\n    p: Tensor,\n    q: Tensor)");
});

test("inputs by name are those that the method has", () => {
  const [a, b] = [torch.ones([2]), torch.ones([2])];
  expect(() => jit.trace(new Named(), null, { exampleKwargInputs: { q: b, x: a } })).toThrow(
    "'q' is not in forward() method's arguments, valid arguments name are [x,m,n]",
  );
  expect(() => jit.trace((x: Tensor) => x.neg(), null, { exampleKwargInputs: { y: a } })).toThrow("'y' is not in");
  expect(() => jit.trace(new Named())).toThrow("A trace needs example inputs");
  expect(() => jit.traceModule(new Named(), { forward: a }, { checkInputs: [{ other: a }] })).toThrow(
    "checkInputs have no inputs for the method 'forward'",
  );
  // checked by name as well: the names are those of the trace
  expect(() =>
    jit.trace(new Named(), null, { exampleKwargInputs: { x: a, n: b }, checkInputs: [{ x: a, m: b }] }),
  ).toThrow(TracingCheckError);
});

class Packed extends nn.Module {
  rnn: nn.RNN | nn.GRU | nn.LSTM;
  constructor(rnn: nn.RNN | nn.GRU | nn.LSTM) {
    super();
    this.rnn = rnn;
  }
  forward(x: Tensor, lengths: Tensor): unknown {
    const packed = nn.utils.rnn.packPaddedSequence(x, lengths, { batchFirst: true, enforceSorted: false });
    const [output, state] = this.rnn.forwardPacked(packed);
    const [y] = nn.utils.rnn.padPackedSequence(output, { batchFirst: true });
    return [y, state];
  }
}

// PyTorch 2.13's code of the network's call
const codeOfCall = (operator: string): string => `def forward(self,
    batch_sizes: Tensor,
    input: Tensor,
    permutation: Tensor) -> Tuple[Tensor, Tensor]:
  bias_hh_l0 = self.bias_hh_l0
  bias_ih_l0 = self.bias_ih_l0
  weight_hh_l0 = self.weight_hh_l0
  weight_ih_l0 = self.weight_ih_l0
  max_batch_size = torch.select(batch_sizes, 0, 0)
  hx = torch.zeros([1, int(max_batch_size), 4], dtype=6, layout=None, device=torch.device("cpu"), pin_memory=False)
  _0 = [weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0]
  _1, tensor = torch.${operator}(input, batch_sizes, hx, _0, True, 1, 0., True, False)
  _2 = torch.index_select(tensor, 1, permutation)
  return (_1, _2)
`;

test.each([
  ["rnn_tanh", (): nn.RNN => new nn.RNN(3, 4)],
  ["gru", (): nn.GRU => new nn.GRU(3, 4)],
  ["lstm", (): nn.LSTM => new nn.LSTM(3, 4, { numLayers: 2 })],
] as const)("a packed batch through %s is a call of the network, with its hooks, for any lengths", (name, make) => {
  const module = new Packed(make());
  const seen: unknown[] = [];
  module.rnn.registerForwardPreHook((_, args) => void seen.push(args.length));
  module.rnn.registerForwardHook((_, __, output) => void seen.push((output as unknown[]).length));
  module.forward(torch.randn([2, 5, 3]), torch.tensor([3, 5]));
  expect(seen).toEqual([1, 2]);
  const traced = jit.trace(module, [torch.randn([2, 5, 3]), torch.tensor([3, 5])]);
  // the LSTM's stands in traces.json
  if (name !== "lstm") expect(traced.children()[0]!.code).toBe(codeOfCall(name));
  expect(warnings).toEqual([]);
  const [x, lengths] = [torch.randn([4, 6, 3]), torch.tensor([2, 6, 1, 4])];
  expect(String(traced(x, lengths))).toBe(String(module(x, lengths)));
});

class Exporting extends nn.Module {
  static readonly exports = ["extra"];
  l = new nn.Linear(2, 2);
  forward(x: Tensor): Tensor {
    return this.l(x);
  }
  extra(x: Tensor): Tensor {
    return this.l(x).add(1);
  }
}

class Several extends nn.Module {
  sub = new Exporting();
  forward(x: Tensor): Tensor {
    return this.sub(x);
  }
  other(x: Tensor): Tensor {
    return this.sub.extra(x);
  }
  two(x: Tensor, y: Tensor): Tensor {
    return this.sub(x).add(this.sub(y));
  }
}

test("several methods share the calls of submodules, whose exported methods are compiled", () => {
  const x = torch.ones([1, 2]);
  const traced = jit.traceModule(new Several(), { forward: x, other: x, two: [x, x] });
  const [sub] = traced.children();
  const bodies = (module: ScriptModule): Record<string, string> =>
    Object.fromEntries(
      module.methodNames().map((name) => [name, module.method(name).code.replace(/^def[^]*?:\n(?= {2}\w)/, "")]),
    );
  // PyTorch 2.13's
  expect(bodies(traced)).toEqual({
    forward: "  sub = self.sub\n  return (sub).forward(x, )\n",
    other: "  sub = self.sub\n  l = sub.l\n  _0 = torch.add((l).forward2(x, ), CONSTANTS.c0)\n  return _0\n",
    two: "  sub = self.sub\n  _0 = torch.add((sub).forward1(x, ), (sub).forward2(y, ))\n  return _0\n",
  });
  expect(bodies(sub!)).toEqual({
    extra: "  l = self.l\n  return torch.add((l).forward(x, ), 1)\n",
    forward: "  l = self.l\n  return (l).forward1(x, )\n",
    forward1: "  l = self.l\n  return (l).forward3(x, )\n",
    forward2: "  l = self.l\n  return (l).forward4(y, )\n",
  });
  expect(warnings).toEqual([]);
});

test("inputs to check with that take another branch say where the graphs differ", () => {
  const branch = (x: Tensor): Tensor => (x.shape[0]! < 2 ? x : x.add(1));
  expect(() => jit.trace(branch, [torch.ones([1, 2])], { checkInputs: [[torch.ones([3, 2])]] })).toThrow(
    /Graphs differed across invocations![^]*\+ {3}%3 : Tensor = aten::add/,
  );
  expect(warnings.map((w) => w.message.split("\n")[0])).toEqual([
    "Output nr 1. of the traced function does not match the corresponding output of the JavaScript function. Detailed error:",
  ]);
});

test.each(["Avg", "Max"] as const)(
  "Adaptive%sPool2d with a size left open traces, and is refused as a script as in PyTorch",
  (kind) => {
    const module = (): nn.Module =>
      kind === "Avg" ? new nn.AdaptiveAvgPool2d([3, null]) : new nn.AdaptiveMaxPool2d([3, null]);
    const x = torch.randn([1, 2, 6, 5]);
    const traced = jit.trace(module(), [x]);
    expect(traced.code).toContain("_0 = ops.prim.NumToTensor(torch.size(input, 3))");
    const wider = torch.randn([1, 2, 6, 8]);
    expect(String(traced.callWithKeywords([wider]))).toBe(String(module().callWith(wider)));
    expect(() => jit.script(module()).code).toThrow(
      "Expected a value of type 'List[int]' for argument 'output_size' but instead found type 'Tuple[int, NoneType]'",
    );
  },
);
