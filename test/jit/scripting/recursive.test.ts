/** @file Eager modules made into ScriptModules: class text, shared tensors, type sharing. Expected text: as PyTorch 2.13 prints such classes. */
import { beforeEach, describe, expect, test } from "vitest";
import { ArchiveReader, DTYPES, Float, MemorySource, jit, nn, torch } from "../../../src/index.ts";
import { resetPythonCu } from "../../../src/jit/python_cu.ts";
import { createScriptModule, createTracedModule } from "../../../src/jit/scripting/recursive.ts";
import type { ScriptModule } from "../../../src/jit/script_module.ts";

function codeOf(module: ScriptModule, record: string): string {
  const reader = ArchiveReader.open(new MemorySource(module.saveToBuffer()));
  return new TextDecoder().decode(reader.read(`code/__torch__${record}.py`));
}

class Attributes extends nn.Module {
  b = 3;
  a = 2.5;
  lin = new nn.Linear(2, 3, { bias: false });
  t = torch.ones([2]);
  s = "x";
  l = [1, 2];
  lt = [torch.ones([1])];
  d = new Map([["a", 1]]);
  tu = [1, 2.5, "a"];
  n = null;
  e = [];
  p = new nn.Parameter(torch.ones([2]));
  dt = DTYPES.float32;
  whole = new Float(2);
  declare buf: unknown;
  constructor() {
    super();
    this.registerBuffer("buf", torch.ones([1]));
    this.registerBuffer("nb", null);
    this.registerParameter("np", null);
  }
  forward(): null {
    return null;
  }
}

beforeEach(() => resetPythonCu());

describe("createScriptModule()", () => {
  test("declares attributes in PyTorch's order and types", () => {
    expect(codeOf(createScriptModule(new Attributes()), "")).toBe(`class Attributes(Module):
  __parameters__ = ["p", "np", ]
  __buffers__ = ["buf", "nb", ]
  p : Tensor
  np : NoneType
  buf : Tensor
  nb : NoneType
  training : bool
  _is_full_backward_hook : Optional[bool]
  b : int
  a : float
  t : Tensor
  s : str
  l : List[int]
  lt : List[Tensor]
  d : Dict[str, int]
  tu : Tuple[int, float, str]
  n : NoneType
  dt : int
  whole : float
  lin : __torch__.torch.nn.modules.linear.Linear
`);
  });

  test("keeps constants and annotations of library classes", () => {
    const module = createScriptModule(new nn.Linear(2, 3, { bias: false }));
    expect(codeOf(module, "/torch/nn/modules/linear")).toBe(`class Linear(Module):
  __parameters__ = ["weight", "bias", ]
  __buffers__ = []
  weight : Tensor
  bias : NoneType
  training : bool
  _is_full_backward_hook : NoneType
  in_features : Final[int] = 2
  out_features : Final[int] = 3
`);
  });

  test("shares parameters and buffers with the eager module", () => {
    const eager = new Attributes();
    const scripted = createScriptModule(eager);
    expect(scripted.getattr("p")).toBe(eager.p);
    expect(scripted.getattr("buf")).toBe(eager.buf);
    expect(scripted.namedParameters().get("lin.weight")).toBe(eager.lin.weight);
  });

  test("gives equal modules one type, and others a mangled name", () => {
    const seq = createScriptModule(
      new nn.Sequential(new nn.Linear(3, 3), new nn.ReLU(), new nn.Linear(3, 3), new nn.Linear(3, 4)),
    );
    const names = seq.children().map((child) => child.object.type.name.qualifiedName);
    expect(names).toEqual([
      "__torch__.torch.nn.modules.linear.Linear",
      "__torch__.torch.nn.modules.activation.ReLU",
      "__torch__.torch.nn.modules.linear.Linear",
      "__torch__.torch.nn.modules.linear.___torch_mangle_0.Linear",
    ]);
    expect(String(seq)).toBe(`RecursiveScriptModule(
  original_name=Sequential
  (0): RecursiveScriptModule(original_name=Linear)
  (1): RecursiveScriptModule(original_name=ReLU)
  (2): RecursiveScriptModule(original_name=Linear)
  (3): RecursiveScriptModule(original_name=Linear)
)`);
  });
});

test("a scripted Sequential numbers its values as PyTorch's", () => {
  const module = jit.script(new nn.Sequential(new nn.ConvTranspose2d(3, 4, 3), new nn.ReLU()));
  // torch 2.13
  expect(String(module.graph).replace(/ # .*$/gm, ""))
    .toBe(`graph(%self : __torch__.torch.nn.modules.container.Sequential,
      %input.1 : Tensor):
  %9 : NoneType = prim::Constant()
  %_0 : __torch__.torch.nn.modules.conv.ConvTranspose2d = prim::GetAttr[name="0"](%self)
  %_1 : __torch__.torch.nn.modules.activation.ReLU = prim::GetAttr[name="1"](%self)
  %input.5 : Tensor = prim::CallMethod[name="forward"](%_0, %input.1, %9)
  %input.9 : Tensor = prim::CallMethod[name="forward"](%_1, %input.5)
  return (%input.9)
`);
});

describe("createTracedModule()", () => {
  test("keeps what PyTorch's traced modules keep, with types of their own", () => {
    const module = createTracedModule(new nn.Sequential(new nn.Linear(2, 2), new nn.Linear(2, 2)));
    expect(String(module)).toBe(
      "Sequential(\n  original_name=Sequential\n  (0): Linear(original_name=Linear)\n  (1): Linear(original_name=Linear)\n)",
    );
    expect(codeOf(module, "/torch/nn/modules/container")).toBe(`class Sequential(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  _is_full_backward_hook : Optional[bool]
  __annotations__["0"] = __torch__.torch.nn.modules.linear.Linear
  __annotations__["1"] = __torch__.torch.nn.modules.linear.___torch_mangle_0.Linear
`);
    expect(codeOf(module, "/torch/nn/modules/linear")).toBe(`class Linear(Module):
  __parameters__ = ["weight", "bias", ]
  __buffers__ = []
  weight : Tensor
  bias : Tensor
  training : bool
  _is_full_backward_hook : Optional[bool]
`);
  });

  test("a module that was made reloads with its state", () => {
    const eager = new nn.Linear(2, 2);
    const again = jit.load(createTracedModule(eager).saveToBuffer());
    expect((again.getattr("weight") as { tolist(): unknown }).tolist()).toEqual(
      (eager.weight as unknown as { tolist(): unknown }).tolist(),
    );
    expect(String(again)).toBe("RecursiveScriptModule(original_name=Linear)");
  });
});
