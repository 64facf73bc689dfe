/** @file What compiled methods assume of their object: values may change between calls, and in them. See Note [Assumptions]. */
import { beforeEach, describe, expect, test } from "vitest";
import { jit, nn, torch, type Tensor } from "../../src/index.ts";
import type { ScriptObject } from "../../src/core/ivalue.ts";
import { resetPythonCu } from "../../src/jit/python_cu.ts";
import type { ModuleScript } from "../../src/nn/module_script.ts";
import { executableGraph } from "../../src/passes/executable_graph.ts";
import { allNodes } from "../../src/ir/graph.ts";
import type { ScriptFunction } from "../../src/ir/function.ts";
import type { ScriptModule } from "../../src/jit/script_module.ts";

beforeEach(() => resetPythonCu());

class Inner extends nn.Module {
  static readonly torchscript: ModuleScript = {
    name: "Inner",
    attributes: { flag: "bool", scale: "Optional[Tensor]" },
    source: `def forward(self, x: Tensor) -> Tensor:
    if self.training:
        x = x * 2.0
    scale = self.scale
    if self.flag and scale is not None:
        x = x * scale
    return x
`,
  };
  flag = true;
  scale: Tensor | null;
  constructor(scale: number | null) {
    super();
    this.scale = scale === null ? null : torch.tensor(scale);
  }
  forward(x: Tensor): Tensor {
    return x;
  }
}
class Outer extends nn.Module {
  static readonly torchscript: ModuleScript = {
    name: "Outer",
    source: "def forward(self, x: Tensor) -> Tensor:\n    return self.a(x) + self.b(x)\n",
  };
  a = new Inner(10);
  b = new Inner(null);
  forward(x: Tensor): Tensor {
    return x;
  }
}

const run = (module: ScriptModule): number => (module(torch.ones([1])) as Tensor).item() as number;
const script = (module: nn.Module): ScriptModule => jit.script(module) as unknown as ScriptModule;
const kinds = (module: ScriptModule): string[] => {
  const object = module.object as ScriptObject;
  const { graph } = executableGraph(object.type.findMethod("forward") as ScriptFunction, object);
  return [...allNodes(graph.block)].map((node) => node.kind).filter((kind) => kind !== "prim::Constant");
};

describe("a method runs for the values that its object has", () => {
  test("branches that are not taken are not in the graph", () => {
    const module = script(new Outer()).eval() as ScriptModule;
    // a tensor in an attribute that may be None is not assumed to stay
    const scaled = ["aten::__isnot__", "prim::If", "prim::unchecked_cast", "aten::mul"];
    expect(kinds(module)).toEqual(["prim::GetAttr", "prim::GetAttr", ...scaled, "aten::add"]);
    module.train();
    const twice = "aten::mul";
    expect(kinds(module)).toEqual([...["prim::GetAttr", twice, "prim::GetAttr", ...scaled], ...[twice, "aten::add"]]);
  });

  test("flags, None and submodules may change between calls, back and forth", () => {
    const module = script(new Outer()).eval() as ScriptModule;
    for (let round = 0; round < 3; round++) {
      expect(run(module)).toBe(11);
      module.train();
      expect(run(module)).toBe(22);
      const { a } = module as unknown as { a: ScriptModule };
      a.eval();
      expect(run(module)).toBe(12);
      a.setattr("flag", false);
      expect(run(module)).toBe(3);
      a.setattr("flag", true);
      module.eval();
    }
  });

  test("an attribute that was None and becomes a tensor is seen, and another module in its place", () => {
    const module = script(new Outer()).eval() as ScriptModule;
    const { b } = module as unknown as { b: ScriptModule };
    expect(run(module)).toBe(11);
    b.setattr("scale", torch.tensor(5));
    expect(run(module)).toBe(15);
    b.setattr("scale", null);
    expect(run(module)).toBe(11);
    const other = (script(new Outer()) as unknown as { b: ScriptModule }).b;
    module.setattr("b", other); // it trains
    expect(run(module)).toBe(12);
    module.setattr("b", b);
    expect(run(module)).toBe(11);
  });

  test("more objects than have code of their own share code that assumes nothing", () => {
    const modules = Array.from({ length: 7 }, () => script(new Outer()));
    modules.forEach((module, i) => module.train(i % 2 === 0));
    for (let round = 0; round < 2; round++) {
      expect(modules.map(run)).toEqual([22, 11, 22, 11, 22, 11, 22]);
      for (const module of modules) module.train(!module.training);
      expect(modules.map(run)).toEqual([11, 22, 11, 22, 11, 22, 11]);
      for (const module of modules) module.train(!module.training);
    }
  });

  test("nothing is assumed of an attribute that the code sets, in the method or in what it calls", () => {
    class Toggle extends nn.Module {
      static readonly torchscript: ModuleScript = {
        name: "Toggle",
        source: `def flip(self) -> None:
    self.on = not self.on
def forward(self, x: Tensor) -> Tensor:
    for i in range(3):
        if self.on:
            x = x * 2.0
        else:
            x = x + 1.0
        self.flip()
    return x
`,
      };
      on = true;
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    const module = script(new Toggle());
    expect(run(module)).toBe(6); // on, off, on
    expect(run(module)).toBe(5); // off, on, off
    expect(run(module)).toBe(6);
  });
});
