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

test("slices of list literals by what is computed", () => {
  const f = new jit.CompilationUnit(
    "def f(n: int, s: int):\n  return [1, 2, 3][n:], [1, 2, 3][:n], [1, 2, 3][::s], [1, 2, 3][1:]\n",
  ).get("f");
  // torch 2.13
  expect(f(2, 2)).toEqual([[3], [1, 2], [1, 3], [2, 3]]);
  expect(f(-1, 1)).toEqual([[3], [1, 2], [1, 2, 3], [2, 3]]);
});

test("numbers have the bits of the C library's functions", () => {
  const text = `
def f(x: float, n: int):
  return math.log(2, 3), math.exp(x), x ** 1.7, x ** 3, 2 ** x, math.log10(x), math.cosh(x), divmod(n, x), divmod(x, n)
`;
  const f = new jit.CompilationUnit(text).get("f");
  // torch 2.13: the mixed divmod computes in single precision
  expect(f(0.3, 7)).toEqual([
    0.6309297535714574,
    1.3498588075760032,
    0.12915348607498026,
    0.026999999999999996,
    1.2311444133449163,
    -0.5228787452803376,
    1.0453385141288605,
    [23, 0.09999972581863403],
    [0, 0.30000001192092896],
  ]);
});

test("an index into a tuple that is out of range is an error", () => {
  const f = new jit.CompilationUnit("def f(t: Tuple[int, int], i: int):\n  return t[i]\n").get("f");
  expect([f([3, 4], 1), f([3, 4], -2)]).toEqual([4, 3]);
  expect(() => f([3, 4], 2)).toThrow(/RuntimeError: Tuple list index out of range$/m);
});

test("one number at a mask is filled in, whatever its dtype", () => {
  const f = new jit.CompilationUnit("def f(x, m, v):\n  x[:, m] = v\n  return x\n").get("f");
  const x = (): Tensor => torch.zeros([2, 2], { dtype: torch.int64 });
  const mask = torch.tensor([true, false]);
  // torch 2.13
  expect((f(x(), mask, torch.tensor(2.5)) as Tensor).tolist()).toEqual([
    [2, 0],
    [2, 0],
  ]);
  expect(() => f(x(), mask, torch.tensor([2.5, 1.5]).reshape([2, 1]))).toThrow(
    "Index put requires the source and destination dtypes match, got Long for the destination and Float for the source.",
  );
  const g = new jit.CompilationUnit("def f(x):\n  x[x > 1] = 0\n  return x[x > 1]\n").get("f");
  expect(() => g(torch.tensor(3))).toThrow("too many indices for tensor of dimension 0 (got 1)");
  expect(() => f(x(), torch.tensor([1, 0], { dtype: torch.uint8 }), torch.tensor(3))).toThrow(
    "masked_fill_ only supports boolean masks, but got mask with dtype unsigned char",
  );
});

test("messages say what was inferred, and what is there already", () => {
  // torch 2.13
  const hint = (name: string): string =>
    `Inferred the value for argument '${name}' to be of type 'Tensor' because it was not annotated with an explicit type.`;
  expect(() => new jit.CompilationUnit("def f(x):\n  return x + 'a'\n")).toThrow(hint("a"));
  expect(() => new jit.CompilationUnit("def f(x):\n  return x\ndef g(n: int):\n  return f(n)\n")).toThrow(
    "Inferred 'x' to be of type 'Tensor' because it was not annotated with an explicit type.",
  );
  const cu = new jit.CompilationUnit("def f(x):\n  return x\n");
  expect(() => cu.get("f")(3))
    .toThrow(`f() Expected a value of type 'Tensor (inferred)' for argument 'x' but instead found type 'int'.
Inferred 'x' to be of type 'Tensor' because it was not annotated with an explicit type.
Position: 0
Value: 3
Declaration: f(Tensor x) -> Tensor
`);
  expect(() => cu.define("def f(x):\n  return x\n")).toThrow("method 'f' already defined.");
  expect(() => new jit.CompilationUnit("def f():\n  return torch.tensor([1, 2.5])\n").get("f")()).toThrow(
    "Add new condition, expected Float, Complex, Int, or Bool but gotUnion(float, int)",
  );
});

test("exceptions without arguments, operators of other namespaces", () => {
  const cu = new jit.CompilationUnit(
    "def f(x):\n  raise ValueError\ndef g(x):\n  return torch.ops.quantized.add(x, x, 1.0, 0)\n",
  );
  // torch 2.13
  expect(cu.get("f").code).toBe(
    'def f(x: Tensor) -> NoneType:\n  _0 = uninitialized(NoneType)\n  ops.prim.RaiseException("")\n  return _0\n',
  );
  expect(cu.get("g").code).toBe("def g(x: Tensor) -> Tensor:\n  return ops.quantized.add(x, x, 1., 0)\n");
});
