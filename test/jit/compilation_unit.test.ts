/** @file jit.CompilationUnit: functions from text. */
import { expect, test } from "vitest";
import { ScriptError, jit, torch, type Tensor } from "../../src/node/index.ts";

test("functions call each other, take defaults and keyword arguments", () => {
  const cu = new jit.CompilationUnit(`
def twice(x, n: int = 2):
  return x * n

def f(xs: List[int], scale: float = 0.5):
  total = 0
  for x in xs:
    if x < 0:
      continue
    total += x
  return twice(torch.ones([2]), total), total * scale
`);
  expect(cu.functionNames()).toEqual(["twice", "f"]);
  const f = cu.get("f");
  const [y, scaled] = f([1, -2, 3]) as [Tensor, number];
  expect(y.tolist()).toEqual([4, 4]);
  expect(scaled).toBe(2);
  expect((f.callWith([[4]], { scale: 2 }) as [Tensor, number])[1]).toBe(8);
  expect(f.schema).toBe("f(int[] xs, float scale=0.5) -> ((Tensor, float))");
});

test("code and graph are PyTorch's text", () => {
  const f = new jit.CompilationUnit(
    "def f(x: Tensor) -> Tensor:\n  if bool(x.sum() > 0):\n    return x\n  return -x\n",
  ).get("f");
  // torch 2.13
  expect(f.code).toBe(
    "def f(x: Tensor) -> Tensor:\n  if bool(torch.gt(torch.sum(x), 0)):\n    _0 = x\n  else:\n    _0 = torch.neg(x)\n  return _0\n",
  );
  expect(String(f.graph)).toContain("%27 : Tensor = prim::If(%7) # <string>:2:2");
  expect((f(torch.full([2], torch.asFloat(-1))) as Tensor).tolist()).toEqual([1, 1]);
});

test("text that cannot be compiled is refused with a caret", () => {
  expect(() => new jit.CompilationUnit("def f(x):\n  return torch.rellu(x)\n")).toThrow(ScriptError);
  expect(() => new jit.CompilationUnit("def f(x):\n  return torch.rellu(x)\n")).toThrow(
    /Unknown builtin op: aten::rellu[\s\S]*~~~~~~~~~~~ <--- HERE/,
  );
  expect(() => new jit.CompilationUnit("def f(x:\n")).toThrow(ScriptError);
});
