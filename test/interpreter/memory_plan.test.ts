/** @file Temporaries: what is planned, that nothing is read behind its end, and that a second call allocates nothing large. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { planMemory } from "../../src/interpreter/memory_plan.ts";
import { parseGraph } from "../../src/ir/parser.ts";
import { jit, torch, type Tensor } from "../../src/node/index.ts";
import { allocationFigures } from "../../src/tensor/storage.ts";
import { liveTemporaries, poisonTemporaries, runForTemporary, releaseTemporary } from "../../src/tensor/temporaries.ts";
import { wasmKernels } from "../../src/tensor/kernels/wasm/build.ts";

beforeAll(() => poisonTemporaries(true));
afterAll(() => poisonTemporaries(false));

/** Temporaries of a graph, and what ends behind which node. */
function planOf(text: string): { temporaries: string[]; ends: string[] } {
  const plan = planMemory(parseGraph(text));
  return {
    temporaries: [...plan.temporaries].map((n) => n.output.debugName()).sort(),
    ends: [...plan.ends]
      .flatMap(([n, values]) => values.map((v) => `${v.debugName()} behind ${n.outputs[0]?.debugName() ?? n.kind}`))
      .sort(),
  };
}

describe("planMemory()", () => {
  test("ends a value, and the views of it, behind the last use of any of them", () => {
    expect(
      planOf(`graph(%x : Tensor, %n : int):
  %a : Tensor = aten::relu(%x)
  %b : Tensor = aten::t(%a)
  %c : Tensor = aten::tanh(%a)
  %d : Tensor = aten::matmul(%b, %c)
  return (%d)
`),
    ).toEqual({ temporaries: ["a", "c"], ends: ["a behind d", "b behind d", "c behind d"] });
  });
  test("plans functions of one, two and three tensors, and truth values", () => {
    expect(
      planOf(`graph(%x : Tensor, %y : Tensor, %w : float, %one : int):
  %a : Tensor = aten::atan2(%x, %y)
  %b : Tensor = aten::lerp(%a, %y, %w)
  %c : Tensor = aten::gt(%a, %b)
  %d : Tensor = aten::where(%c, %a, %b)
  %e : Tensor = aten::addcmul(%d, %a, %b, %one)
  return (%e)
`),
    ).toEqual({
      temporaries: ["a", "b", "c", "d"],
      ends: ["a behind e", "b behind e", "c behind d", "d behind e"],
    });
  });
  test("leaves alone what is returned, kept, or may be an argument", () => {
    expect(
      planOf(`graph(%x : Tensor, %p : float, %t : bool, %l : Tensor[]):
  %a : Tensor = aten::relu(%x)
  %b : Tensor = aten::dropout(%a, %p, %t)
  %c : Tensor = aten::tanh(%x)
  %d : Tensor[] = aten::append(%l, %c)
  %e : Tensor = aten::sigmoid(%x)
  %f : (Tensor) = prim::TupleConstruct(%e)
  return (%b, %f)
`),
    ).toEqual({ temporaries: [], ends: [] });
  });
  test("follows values through tuples, lists that are only read, and what may be a copy", () => {
    expect(
      planOf(`graph(%x : Tensor, %w : Tensor, %t : bool, %n : int):
  %a : Tensor = aten::relu(%x)
  %b : Tensor = aten::contiguous(%a, %n)
  %c : (Tensor, Tensor) = prim::If(%t)
    block0():
      %d : Tensor = aten::tanh(%b)
      %e : (Tensor, Tensor) = prim::TupleConstruct(%d, %b)
      -> (%e)
    block1():
      %f : Tensor, %g : Tensor = aten::_native_multi_head_attention(%x, %x, %x, %n, %n, %w, %w, %w, %w)
      %h : (Tensor, Tensor) = prim::TupleConstruct(%f, %g)
      -> (%h)
  %i : Tensor, %j : Tensor = prim::TupleUnpack(%c)
  %k : Tensor[] = prim::ListConstruct(%i, %x)
  %m : Tensor = aten::cat(%k, %n)
  return (%m)
`),
    ).toEqual({
      temporaries: ["a", "b", "d"],
      ends: ["a behind m", "b behind m", "i behind m", "j behind m"],
    });
    // a sum of lists is no sum of tensors
    expect(
      planOf(`graph(%x : Tensor, %m : Tensor[], %n : int):
  %a : Tensor = aten::relu(%x)
  %b : Tensor[] = prim::ListConstruct(%a, %a)
  %c : Tensor[] = aten::add(%b, %b)
  %d : Tensor[] = aten::mul(%c, %n)
  %e : Tensor = aten::cat(%d, %n)
  return (%e)
`),
    ).toEqual({ temporaries: ["a"], ends: ["a behind e"] });
    // the list leaves, and so does what is in it
    expect(
      planOf(`graph(%x : Tensor, %n : int):
  %a : Tensor = aten::relu(%x)
  %b : Tensor[] = prim::ListConstruct(%a, %x)
  %c : Tensor = aten::cat(%b, %n)
  return (%b, %c)
`),
    ).toEqual({ temporaries: [], ends: [] });
  });
  test("follows values through branches, but not out of loops", () => {
    expect(
      planOf(`graph(%x : Tensor, %t : bool, %n : int):
  %a : Tensor = prim::If(%t)
    block0():
      %b : Tensor = aten::relu(%x)
      -> (%b)
    block1():
      %c : Tensor = aten::tanh(%x)
      -> (%c)
  %d : Tensor = aten::sigmoid(%a)
  %e : Tensor = prim::Loop(%n, %t, %d)
    block0(%i : int, %f : Tensor):
      %g : Tensor = aten::relu(%f)
      %h : Tensor = aten::tanh(%g)
      -> (%t, %h)
  return (%e)
`),
    ).toEqual({ temporaries: ["b", "c", "g"], ends: ["a behind d", "g behind h"] });
  });
});

const SOURCE = `
def net(x, w1, w2, keep: bool):
  y = torch.relu(torch.conv2d(x, w1, None, [1, 1], [1, 1], [1, 1], 1))
  z = torch.tanh(y)
  if keep:
    z = z + y.transpose(2, 3)
  parts = torch.chunk(z, 2, 1)
  total = torch.cat([parts[1], parts[0]], 1)
  for i in range(3):
    total = torch.sigmoid(torch.conv2d(total, w2, None, [1, 1], [1, 1], [1, 1], 1))
  return torch.dropout(total, 0.5, False), torch.flatten(y.sum(1), 1)

def pair(x, other: bool):
  if other:
    return x.transpose(2, 3).contiguous(), torch.tanh(x)
  return x.contiguous(), torch.relu(x)

def joined(x, other: bool):
  y = torch.sigmoid(x)
  a, b = pair(y, other)
  c = torch.cat([a, b, x], 1)
  d = c.reshape([1, 2, 12, 24, 24]).transpose(1, 2).reshape([1, 24, 24, 24])
  return torch.dropout(torch.exp(d.contiguous()), 0.5, False)

def into(x):
  y = torch.relu(x)
  z = torch.add(x, x, out=y)
  z.add_(1)
  return torch.neg(y)

def appended(x, others: Optional[List[Tensor]]):
  rest: List[Tensor] = []
  if others is not None:
    rest = others
  a = torch.relu(x * 2)
  b = torch.relu(x * 3)
  both = [a, b] + rest
  c = torch.cat(both, 1)
  twice = 2 * [torch.relu(x), torch.relu(x * 5)]
  return c.sum(), torch.cat(twice, 1).sum() + c.sum()

def fails(x, w):
  y = torch.relu(torch.conv2d(x, w, None, [1, 1], [1, 1], [1, 1], 1))
  z = torch.tanh(y)
  return torch.matmul(z, torch.ones([3, 5]))
`;

const hasHeap = (): boolean => wasmKernels() !== undefined;

describe("temporaries", () => {
  const cu = new jit.CompilationUnit(SOURCE);
  const operands = (): Tensor[] => [torch.randn([1, 8, 24, 24]), torch.randn([8, 8, 3, 3]), torch.randn([8, 8, 3, 3])];

  test("are not read behind their end: results are those of a run that is watched and has none", () => {
    for (const keep of [false, true]) {
      const a = operands();
      const run = (): Tensor[] => cu.get("net")(...a, keep) as Tensor[];
      const first = run();
      const copies = first.map((t) => Array.from(torch.flatValues(t) as ArrayLike<number>));
      const second = run();
      second.forEach((t, i) => expect(Array.from(torch.flatValues(t) as ArrayLike<number>)).toEqual(copies[i]));
      // results of an earlier call stay as they are
      first.forEach((t, i) => expect(Array.from(torch.flatValues(t) as ArrayLike<number>)).toEqual(copies[i]));
      expect(copies.flat().every(Number.isFinite)).toBe(true);
    }
    expect(liveTemporaries()).toBe(0);
  });

  test("end behind tuples, lists and copies", () => {
    const [x] = operands();
    for (const other of [false, true]) {
      const run = (): number[] =>
        Array.from(torch.flatValues(cu.get("joined")(x, other) as Tensor) as ArrayLike<number>);
      const y = torch.sigmoid(x!);
      const parts = other ? [y.transpose(2, 3), torch.tanh(y), x!] : [y, torch.relu(y), x!];
      const d = torch.cat(parts, 1).reshape([1, 2, 12, 24, 24]).transpose(1, 2).reshape([1, 24, 24, 24]);
      const expected = Array.from(torch.flatValues(torch.exp(d)) as ArrayLike<number>);
      for (let call = 0; call < 3; call++) expect(run()).toEqual(expected);
    }
    expect(liveTemporaries()).toBe(0);
  });

  test("are no results of `out=` forms, which are an argument", () => {
    const [x] = operands();
    const flat = (t: Tensor): number[] => Array.from(torch.flatValues(t) as ArrayLike<number>);
    const expected = flat(x!.add(x!).add(1).neg());
    for (let call = 0; call < 3; call++) expect(flat(cu.get("into")(x) as Tensor)).toEqual(expected);
    expect(liveTemporaries()).toBe(0);
  });

  test("last as long as a list that lists were added or multiplied to", () => {
    const x = torch.ones([2, 8, 32, 32]);
    const sums = (others: Tensor[] | null): unknown[] =>
      (cu.get("appended")(x, others) as Tensor[]).map((t) => t.item());
    for (let call = 0; call < 3; call++) {
      // torch 2.13
      expect(sums(null)).toEqual([81920, 278528]);
      expect(sums([x, x])).toEqual([114688, 311296]);
    }
    expect(liveTemporaries()).toBe(0);
  });

  test("are given back when a run fails", () => {
    const [x, w] = operands();
    expect(() => cu.get("fails")(x, w)).toThrow(/mat1 and mat2|must match/);
    expect(liveTemporaries()).toBe(0);
  });

  test("a kernel that gives back its argument against its promise costs a copy, not the argument", () => {
    if (!hasHeap()) return;
    const make = runForTemporary((() => torch.ones([64, 64])) as (...args: never[]) => unknown);
    const same = runForTemporary(((t: Tensor) => t) as (...args: never[]) => unknown);
    const made = make() as Tensor;
    expect(liveTemporaries()).toBe(1);
    const other = same(made as never) as Tensor;
    releaseTemporary(made);
    expect((torch.flatValues(other) as ArrayLike<number>)[4095]).toBe(1);
    expect((torch.flatValues(made) as ArrayLike<number>)[4095]).toBeUndefined();
    expect(liveTemporaries()).toBe(0);
  });
});

test("a second call allocates outside of the heap what it returns and nothing else that is large", () => {
  if (!hasHeap()) return;
  const f = new jit.CompilationUnit(`
def f(x, w):
  for i in range(10):
    x = torch.relu(torch.conv2d(torch.tanh(x), w, None, [1, 1], [1, 1], [1, 1], 1))
  y = torch.tanh(x)
  return y.sum()
`).get("f");
  const [x, w] = [torch.randn([1, 8, 24, 24]), torch.randn([8, 8, 3, 3])];
  f(x, w);
  const before = allocationFigures().allocatedStorages;
  f(x, w);
  expect(allocationFigures().allocatedStorages - before).toBeLessThan(60);
});

test("masks, integers and conversions between them are planned, and give what they give eagerly", () => {
  expect(
    planOf(`graph(%x : Tensor, %dtype : int, %off : bool, %none : NoneType):
  %a : Tensor = aten::logical_not(%x)
  %b : Tensor = aten::bitwise_and(%a, %x)
  %c : Tensor = aten::to(%b, %dtype, %off, %off, %none)
  %d : Tensor = aten::sum(%c, %none)
  return (%d)
`).temporaries,
  ).toEqual(["a", "b", "c"]);
  const unit = jit.CompilationUnit(`
def f(a: Tensor, b: Tensor) -> Tensor:
    m = torch.logical_and(a < b, ~(a == 7)) | (b > 900)
    x = a.to(torch.float32) * 0.5
    same = x.to(torch.float32)
    y = (same + 1.0).to(torch.int64) % 7
    z = torch.cumsum(m.to(torch.int64), 0) + y // 3
    return torch.where(m, z, y).to(torch.int32)
`);
  const a = torch.arange(0, 5000);
  const b = a.mul(3).remainder(1000);
  const m = torch.logical_and(a.lt(b), a.eq(7).logical_not()).logical_or(b.gt(900));
  const y = a.to(torch.float32).mul(torch.asFloat(0.5)).add(torch.asFloat(1)).to(torch.int64).remainder(7);
  const z = torch.cumsum(m.to(torch.int64), 0).add(torch.floor_divide(y, 3));
  const wanted = torch.where(m, z, y).to(torch.int32).tolist();
  const f = unit.get("f");
  for (let i = 0; i < 3; i++) expect((f(a, b) as Tensor).tolist()).toEqual(wanted);
  expect(liveTemporaries()).toBe(0);
});
