/** @file Methods of modules: submodules, containers, constants, methods on demand; graph, code and errors as PyTorch's (make_module_methods.py). */
import { readFileSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import { ScriptError, nn, torch, type Tensor } from "../../../src/index.ts";
import type { ModuleScript } from "../../../src/nn/module_script.ts";
import { resetPythonCu } from "../../../src/jit/python_cu.ts";
import { scriptModule } from "../../../src/jit/scripting/recursive.ts";

interface Case {
  readonly source: string;
  readonly graph?: string;
  readonly code?: string;
  readonly methods?: readonly string[];
  readonly error?: string;
}
const { cases } = JSON.parse(readFileSync(new URL("./module_methods.json", import.meta.url), "utf8")) as {
  cases: Record<string, Case>;
};

class Scale extends nn.Module {
  static readonly torchscript: ModuleScript = {
    name: "Scale",
    source:
      "def forward(self, x: Tensor, times: int = 1) -> Tensor:\n    return x * self.by * times\n\ndef helper(self, x):\n    return x + self.by\n",
  };
  by = 2.5;
  forward(x: Tensor): Tensor {
    return x;
  }
}

function moduleOf(source: string): nn.Module {
  const parameter = (size: number): nn.Parameter => new nn.Parameter(torch.ones([size]));
  class Q extends nn.Module {
    static readonly torchscript: ModuleScript = { name: "Q", constants: ["k", "word"], source };
    ml = new nn.ModuleList<nn.Module>([new nn.Linear(2, 2), new nn.Identity()]);
    md = new nn.ModuleDict<nn.Module>({ x: new nn.Linear(2, 2), y: new Scale() });
    seq = new nn.Sequential(new nn.Linear(2, 3), new nn.Linear(3, 2, { bias: false }));
    pl = new nn.ParameterList([parameter(2), parameter(3)]);
    pd = new nn.ParameterDict({ a: parameter(2), b: parameter(3) });
    scale = new Scale();
    deep = new nn.ModuleList<nn.Module>([
      new nn.Sequential(new nn.Linear(2, 2), new nn.Tanh()),
      new nn.ModuleList([new Scale()]),
    ]);
    heads = new nn.ModuleDict<nn.Module>({ a: new nn.ModuleList([new Scale(), new Scale()]) });
    lstm = new nn.LSTM(2, 3);
    k = [1, 2];
    word = "w";
    count = 3;
    rate = 0.5;
    names = ["a", "b"];
    table = { a: 1.5 };
    nothing = null;
    empty: unknown[] = [];
    constructor() {
      super();
      this.registerModule("gone", null);
      this.registerBuffer("buf", torch.ones([2]));
      this.registerParameter("none", null);
    }
    forward(x: Tensor): Tensor {
      return x;
    }
  }
  return new Q();
}

const withoutLocations = (text: string): string =>
  text.replace(/ # .*?:\d+:\d+$/gm, "").replace(/\.___torch_mangle_\d+/g, "");

beforeEach(() => resetPythonCu());

test.each(Object.entries(cases))("%s", (_name, expected) => {
  const module = moduleOf(expected.source);
  if (expected.error !== undefined) {
    let thrown: unknown;
    try {
      scriptModule(module);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ScriptError);
    expect((thrown as ScriptError).message.trim().split(":\n  File")[0]).toBe(expected.error);
    return;
  }
  const scripted = scriptModule(module);
  expect(withoutLocations(String(scripted.graph))).toBe(expected.graph);
  expect(withoutLocations(scripted.code)).toBe(expected.code);
  expect(scripted.methodNames().toSorted()).toEqual(expected.methods);
});
