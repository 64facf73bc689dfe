/** @file jit.CompilationUnit: functions from text. */
import { expect, test } from "vitest";
import { CompilationUnit, ScriptError, jit, torch, type Tensor } from "../../src/node/index.ts";

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
    /object has no attribute rellu[\s\S]*~~~~~~~~~~~ <--- HERE/,
  );
  expect(() => new jit.CompilationUnit("def f(x:\n")).toThrow(ScriptError);
});

test("functions of the library, and defaults that are no literals", () => {
  const cu = new jit.CompilationUnit(
    "def f(x: torch.Tensor, d: torch.dtype = torch.float64, n: int = 2 + 3):\n  return F.relu(x).to(d) * n\n",
  );
  const f = cu.get("f");
  // torch 2.13
  expect(f.schema).toBe("f(Tensor x, int d=7, int n=5) -> Tensor");
  expect(f.code).toBe(`def f(x: Tensor,
    d: int=7,
    n: int=5) -> Tensor:
  _0 = __torch__.torch.nn.functional.relu(x, False, )
  return torch.mul(torch.to(_0, d), n)
`);
  expect((f(torch.ones([1])) as Tensor).tolist()).toEqual([5]);
});

test("schemas print defaults as PyTorch", () => {
  const schemaOf = (type: string, value: string): string =>
    new jit.CompilationUnit(`def f(x: ${type} = ${value}):\n  return 1\n`).get("f").schema;
  // torch 2.13
  expect(schemaOf("Dict[str, int]", "{'a': 1}")).toBe("f(Dict(str, int) x={a: 1}) -> int");
  expect(schemaOf("Tuple[int, str]", "(1, 'a')")).toBe("f((int, str) x=(1, a)) -> int");
  expect(schemaOf("Tuple[int]", "(1,)")).toBe("f((int) x=(1,)) -> int");
  expect(schemaOf("List[str]", "['a', 'b']")).toBe("f(str[] x=[a, b]) -> int");
  expect(schemaOf("Optional[str]", "'q'")).toBe('f(str? x="q") -> int');
  expect(schemaOf("complex", "1.5j")).toBe("f(complex x=0.+1.5j) -> int");
});

test("jit.CompilationUnit is called without new too, and its functions are properties", () => {
  const unit = jit.CompilationUnit("def double(x, by: int = 2):\n  return x * by\n");
  expect(unit).toBeInstanceOf(CompilationUnit);
  const { double } = unit as unknown as { double: (x: Tensor) => Tensor };
  expect(double(torch.ones([2])).tolist()).toEqual([2, 2]);
});

test("pow_ with a number raises the tensor, not the number", () => {
  const unit = jit.CompilationUnit("def f(x):\n  y = x.clone()\n  y.pow_(2)\n  return y\n");
  expect((unit.get("f")(torch.tensor([2.0, 3.0])) as Tensor).tolist()).toEqual([4, 9]);
});
