/** @file ScriptModules inside eager modules and the other way round; ScriptModule.define. */
import { beforeEach, describe, expect, test } from "vitest";
import { ScriptError, ScriptModule, Tensor, jit, nn, torch } from "../../../src/index.ts";
import type { ModuleScript } from "../../../src/nn/module_script.ts";
import { resetPythonCu } from "../../../src/jit/python_cu.ts";
import { scriptModule } from "../../../src/jit/scripting/recursive.ts";

beforeEach(() => resetPythonCu());

const ones = (...sizes: number[]): Tensor => torch.ones(sizes);
const numbers = (value: unknown): unknown => (value as Tensor).tolist();

describe("a ScriptModule in an eager module", () => {
  class Cell extends nn.Module {
    inner: ScriptModule;
    relu = new nn.ReLU();
    constructor(inner: ScriptModule) {
      super();
      this.inner = inner;
    }
    forward(x: Tensor): Tensor {
      return this.relu(this.inner(x) as Tensor);
    }
  }

  test("is a child like any other: text, state, mode, call", () => {
    const linear = new nn.Linear(2, 2);
    const inner = scriptModule(linear);
    const cell = new Cell(inner);
    expect(inner).toBeInstanceOf(nn.Module);
    expect([...cell.children()][0]).toBe(inner);
    expect(String(cell)).toBe("Cell(\n  (inner): RecursiveScriptModule(original_name=Linear)\n  (relu): ReLU()\n)");
    expect([...cell.stateDict().keys()]).toEqual(["inner.weight", "inner.bias"]);
    const [weight, bias] = cell.parameters();
    expect(weight === linear.weight && bias === linear.bias).toBe(true);
    cell.eval();
    expect(inner.training).toBe(false);
    expect(inner.object.getAttr("training")).toBe(false);
    expect(numbers(cell(ones(1, 2)))).toEqual(numbers(new nn.ReLU()(linear(ones(1, 2)))));
  });

  test("loads state and changes dtype with the tree", () => {
    const cell = new Cell(scriptModule(new nn.Linear(2, 2)));
    cell.loadStateDict({ "inner.weight": torch.full([2, 2], 2), "inner.bias": torch.zeros([2]) });
    expect(numbers(cell(ones(1, 2)))).toEqual([[4, 4]]);
    cell.double();
    expect((cell.inner.getattr("weight") as Tensor).dtype.name).toBe("float64");
    expect(() => cell.loadStateDict({ "inner.weight": ones(3, 2) })).toThrow(/Missing key.*size mismatch/s);
  });

  test("stands in containers", () => {
    const seq = new nn.Sequential(scriptModule(new nn.Linear(2, 3)), new nn.ReLU());
    expect((seq(ones(1, 2)) as Tensor).sizes).toEqual([1, 3]);
    expect(seq.at(0)).toBeInstanceOf(ScriptModule);
  });

  test("is copied by deepcopy", () => {
    const cell = new Cell(scriptModule(new nn.Linear(2, 2)));
    const copy = nn.deepcopy(cell);
    cell.loadStateDict({ "inner.weight": torch.zeros([2, 2]), "inner.bias": torch.zeros([2]) });
    expect(numbers(cell(ones(1, 2)))).toEqual([[0, 0]]);
    expect(numbers(copy.inner.getattr("weight"))).not.toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect([...copy.parameters()].every((p) => p.requiresGrad)).toBe(true);
  });

  test("stays what it is when the module around it is scripted", () => {
    const inner = scriptModule(new nn.Linear(2, 2));
    const outer = scriptModule(new nn.Sequential(inner, new nn.ReLU()));
    expect(outer.children()[0]).toBe(inner);
    expect(String(outer)).toContain("(0): RecursiveScriptModule(original_name=Linear)");
    const again = jit.load(outer.saveToBuffer());
    expect(numbers(again(ones(1, 2)))).toEqual(numbers(outer(ones(1, 2))));
  });

  test("stays what it is when it was loaded", () => {
    const loaded = jit.load(scriptModule(new nn.Linear(2, 2)).saveToBuffer());
    const outer = scriptModule(new nn.Sequential(loaded, new nn.Linear(2, 2)));
    expect(outer.children()[0]).toBe(loaded);
    const again = jit.load(outer.saveToBuffer());
    expect(numbers(again(ones(1, 2)))).toEqual(numbers(outer(ones(1, 2))));
  });
});

describe("scripts and traces in each other", () => {
  class Gate extends nn.Module {
    static readonly torchscript: ModuleScript = {
      name: "MyDecisionGate",
      source: "def forward(self, x):\n    if x.sum() > 0:\n        return x\n    else:\n        return -x\n",
    };
    forward(x: Tensor): Tensor {
      return x;
    }
  }
  class MyCell extends nn.Module {
    dg: ScriptModule;
    linear = new nn.Linear(4, 4);
    constructor(dg: ScriptModule) {
      super();
      this.dg = dg;
    }
    forward(x: Tensor, h: Tensor): Tensor {
      return torch.tanh((this.dg(this.linear(x)) as Tensor).add(h));
    }
  }
  class Loop extends nn.Module {
    static readonly torchscript: ModuleScript = {
      name: "MyRNNLoop",
      source:
        "def forward(self, xs):\n    h = torch.zeros(3, 4)\n    for i in range(xs.size(0)):\n        h = self.cell(xs[i], h)\n    return h\n",
    };
    cell: nn.Module;
    constructor(cell: nn.Module) {
      super();
      this.cell = cell;
    }
    forward(xs: Tensor): Tensor {
      return xs;
    }
  }

  test("a traced module keeps a scripted one, a script keeps a traced one", () => {
    const gate = scriptModule(new Gate());
    const cell = jit.trace(new MyCell(gate), [ones(3, 4), torch.zeros([3, 4])]) as unknown as ScriptModule;
    // torch 2.13
    expect(String(cell)).toBe(`MyCell(
  original_name=MyCell
  (dg): RecursiveScriptModule(original_name=MyDecisionGate)
  (linear): Linear(original_name=Linear)
)`);
    expect(cell.code).toBe(`def forward(self,
    x: Tensor,
    h: Tensor) -> Tensor:
  dg = self.dg
  linear = self.linear
  _0 = torch.add((dg).forward((linear).forward(x, ), ), h)
  return torch.tanh(_0)
`);
    expect(String(cell.graph)).toContain(
      'Float(3, 4, strides=[4, 1], requires_grad=0, device=cpu) = prim::CallMethod[name="forward"](%dg,',
    );
    const loop = scriptModule(new Loop(cell));
    expect(loop.children()[0]).toBe(cell);
    expect(loop.code).toBe(`def forward(self,
    xs: Tensor) -> Tensor:
  h = torch.zeros([3, 4])
  h0 = h
  for i in range(torch.size(xs, 0)):
    cell = self.cell
    h1 = (cell).forward(torch.select(xs, 0, i), h0, )
    h0 = h1
  return h0
`);
    const again = jit.load(loop.saveToBuffer());
    const xs = torch.call("randn", [5, 3, 4]) as Tensor;
    expect(numbers(again(xs))).toEqual(numbers(loop(xs)));
  });
});

describe("ScriptModule.define()", () => {
  test("adds methods that see the module", () => {
    const module = scriptModule(new nn.Linear(2, 2));
    module.define("def twice(self, x, n: int = 2):\n    return self(x) * n + self.in_features\n");
    const once = numbers(module(ones(2))) as number[];
    expect(numbers(module.invoke("twice", [ones(2)]))).toEqual(once.map((v) => Math.fround(Math.fround(v * 2) + 2)));
    // torch 2.13
    expect(module.method("twice").code).toBe(`def twice(self,
    x: Tensor,
    n: int=2) -> Tensor:
  _0 = torch.add(torch.mul((self).forward(x, ), n), 2)
  return _0
`);
    expect(jit.load(module.saveToBuffer()).methodNames()).toEqual(["forward", "twice"]);
  });

  test("adds methods to loaded modules", () => {
    const loaded = jit.load(scriptModule(new nn.Linear(2, 2)).saveToBuffer());
    loaded.define("def size(self) -> int:\n    return self.in_features + self.out_features\n");
    expect(loaded.invoke("size", [])).toBe(4);
  });

  test("adds nothing where the text cannot be compiled", () => {
    const module = scriptModule(new nn.Linear(2, 2));
    expect(() => module.define("def a(self):\n    return 1\ndef b(self):\n    return self.nope\n")).toThrow(
      ScriptError,
    );
    expect(module.methodNames()).toEqual(["forward"]);
    expect(() => module.define("def forward(self, x):\n    return x\n")).toThrow(
      /Can't redefine method: forward on class/,
    );
  });
});

test("jit.trace and jit.script give modules typed as what they were made of", () => {
  const scripted = jit.script(new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU()));
  const y: Tensor = scripted(ones(1, 2));
  expect(y.sizes).toEqual([1, 3]);
  const linear = new nn.Linear(2, 3);
  const traced = jit.trace(linear, [ones(1, 2)]);
  const z: Tensor = traced(ones(1, 2));
  expect(z.sizes).toEqual([1, 3]);
  expect(traced.weight === linear.weight).toBe(true);
  const again: typeof traced = jit.script(traced);
  expect(again).toBe(traced);
});

test("functions of the library can stand in attributes", () => {
  class Activated extends nn.Module {
    static readonly torchscript: ModuleScript = {
      name: "Activated",
      source: "def forward(self, x):\n    return self.outer(self.inner(x))\n",
    };
    inner = nn.functional.relu;
    outer = torch.tanh;
    forward(x: Tensor): Tensor {
      return this.outer(this.inner(x));
    }
  }
  // torch 2.13
  expect(scriptModule(new Activated()).code).toBe(`def forward(self,
    x: Tensor) -> Tensor:
  _0 = __torch__.torch.nn.functional.relu(x, False, )
  return torch.tanh(_0)
`);
});
