/** @file Hooks and properties of modules in scripts; a ScriptModule's members as properties. Expected texts: PyTorch 2.13. */
import { beforeEach, expect, test } from "vitest";
import { ArchiveReader, MemorySource, jit, nn, torch, type Scripted, type Tensor } from "../../../src/index.ts";
import type { ModuleScript } from "../../../src/nn/module_script.ts";
import { resetPythonCu } from "../../../src/jit/python_cu.ts";
import { stubsOfText } from "../../../src/jit/scripting/compile_methods.ts";
import { addMethodSource } from "../../../src/jit/scripting/method_source.ts";
import { scriptModule } from "../../../src/jit/scripting/recursive.ts";

const HOOKS = new Map<unknown, string>();
class Sub extends nn.Module {
  static readonly torchscript: ModuleScript = {
    name: "Sub",
    source: "def forward(self, x: Tensor, y: int = 2) -> Tensor:\n    return x * y\n",
  };
  forward(x: Tensor, _y?: number): Tensor {
    return x;
  }
}
class Outer extends nn.Module {
  static readonly torchscript: ModuleScript = {
    name: "P",
    source: "def forward(self, x):\n    return self.s(x, 3)\n",
  };
  s = new Sub();
  forward(x: Tensor): Tensor {
    return this.s(x, 3);
  }
}
class WithProperty extends nn.Module {
  static readonly torchscript: ModuleScript = {
    name: "M",
    source: "def forward(self, x):\n    self.scale = 5\n    return x * self.scale\n",
  };
  v = 2;
  forward(x: Tensor): Tensor {
    return x;
  }
}

addMethodSource(() => ({
  exportedNames: () => [],
  findMethod: () => undefined,
  hookStub(_module, hook) {
    const text = HOOKS.get(hook);
    return text === undefined ? undefined : stubsOfText(text)[0];
  },
  properties(cls) {
    if ((cls as unknown) !== WithProperty) return [];
    const [getter, setter] = stubsOfText(
      "def __scale_getter(self) -> int:\n    return self.v * 2\ndef __scale_setter(self, x: int):\n    self.v = x\n",
    );
    return [{ name: "scale", getter: getter!, setter }];
  },
}));
beforeEach(() => resetPythonCu());

const withoutLocations = (text: string): string => text.replace(/ # .*?:\d+:\d+$/gm, "");

function classText(bytes: Uint8Array, record: string): string {
  return new TextDecoder().decode(ArchiveReader.open(new MemorySource(bytes)).read(record));
}

test("hooks are compiled and called around forward", () => {
  const outer = new Outer();
  const hook = (text: string): (() => undefined) => {
    const fn = (): undefined => undefined;
    HOOKS.set(fn, text);
    return fn;
  };
  outer.s.registerForwardPreHook(
    hook("def pre1(self, inp: Tuple[Tensor, int]) -> Tuple[Tensor, int]:\n    return (inp[0] + 1, inp[1])\n"),
  );
  outer.s.registerForwardPreHook(hook("def pre2(self, inp: Tuple[Tensor, int]) -> None:\n    print(inp[1])\n"));
  outer.s.registerForwardHook(
    hook("def post(self, inp: Tuple[Tensor, int], out: Tensor) -> Tensor:\n    return out + inp[0]\n"),
  );
  const scripted = scriptModule(outer);
  expect(withoutLocations(String(scripted.graph))).toBe(`graph(%self : __torch__.P,
      %x.1 : Tensor):
  %13 : Function = prim::Constant[name="post"]()
  %8 : Function = prim::Constant[name="pre2"]()
  %6 : Function = prim::Constant[name="pre1"]()
  %4 : int = prim::Constant[value=3]()
  %s : __torch__.Sub = prim::GetAttr[name="s"](%self)
  %5 : (Tensor, int) = prim::TupleConstruct(%x.1, %4)
  %7 : (Tensor, int) = prim::CallFunction(%6, %s, %5)
  %9 : NoneType = prim::CallFunction(%8, %s, %7)
  %10 : Tensor, %11 : int = prim::TupleUnpack(%7)
  %12 : Tensor = prim::CallMethod[name="forward"](%s, %10, %11)
  %14 : Tensor = prim::CallFunction(%13, %s, %7, %12)
  return (%14)
`);
  const bytes = scripted.saveToBuffer();
  expect(classText(bytes, "code/__torch__.py")).toContain(
    `  __forward_pre_hooks__ = ["pre1", "pre2", ]\n  __forward_hooks__ = ["post", ]\n`,
  );
  const x = torch.ones([1]);
  expect((scripted(x) as Tensor).tolist()).toEqual([8]);
  expect((jit.load(bytes)(x) as Tensor).tolist()).toEqual([8]);
});

test("a hook without source is refused", () => {
  const outer = new Outer();
  outer.s.registerForwardHook(() => undefined);
  expect(() => scriptModule(outer)).toThrow(/forward hook whose source is not known/);
});

test("properties are compiled to methods", () => {
  const scripted = scriptModule(new WithProperty());
  expect(withoutLocations(String(scripted.graph))).toBe(`graph(%self : __torch__.M,
      %x.1 : Tensor):
  %2 : int = prim::Constant[value=5]()
  %3 : NoneType = prim::CallMethod[name="__scale_setter"](%self, %2)
  %5 : int = prim::CallMethod[name="__scale_getter"](%self)
  %6 : Tensor = aten::mul(%x.1, %5)
  return (%6)
`);
  expect(scripted.methodNames()).toEqual(["__scale_getter", "__scale_setter", "forward"]);
  expect(scripted.getattr("scale")).toBe(4);
  scripted.setattr("scale", 7);
  expect(scripted.getattr("scale")).toBe(14);
});

test("attributes, constants and submodules of a ScriptModule are properties", () => {
  const scripted = scriptModule(new Outer()) as Scripted<Outer>;
  expect(scripted.s.code).toContain("return torch.mul(x, y)");
  const y: Tensor = scripted(torch.ones([1]));
  expect(y.tolist()).toEqual([3]);
  const property = scriptModule(new WithProperty()) as Scripted<WithProperty>;
  property.v = 6;
  expect(property.getattr("v")).toBe(6);
  expect((scriptModule(new nn.Linear(2, 3)) as Scripted<nn.Linear>).out_features).toBe(3);
});
