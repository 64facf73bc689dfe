/** @file What runs for a function: its calls inlined, without dead code. Upstream: torch/csrc/jit/runtime/graph_executor.cpp. Spec: none. */
import { describe, expect, test } from "vitest";
import { jit, torch, type Tensor } from "../../src/node/index.ts";

const SOURCE = `
def check(k: int, x: Tensor) -> Tensor:
  assert k > 0, "not positive"
  xs: List[Tensor] = []
  for i in range(k):
    xs.append(x.view(4 - i))
  return torch.stack(xs)

def nested(k: int, x: Tensor) -> Tensor:
  if k < 9:
    y = check(k, x)
  else:
    y = x
  return y

def outer(k: int, x: Tensor) -> Tensor:
  if k == 7:
    return check(0, x)
  return nested(k, x) + check(1, x)

def shape(x: Tensor) -> int:
  a, b, c = x.shape
  return a

def fails(x: Tensor) -> Tensor:
  return x.view(7)

def unused(k: int, x: Tensor) -> Tensor:
  if k == 0:
    z = torch.rand([3])
  elif k == 1:
    z = fails(x)
  elif k == 2:
    xs = [1, 2]
    xs.append(3)
    y = xs.pop(9)
  elif k == 3:
    z = x.clone()
    z.add_(torch.rand([9]))
  elif k == 4:
    z = x[0]
    z.uniform_()
  elif k == 5:
    z = x
    while bool(z.sum() > 0):
      z = z - torch.rand([4])
  return x + torch.rand([4])
`;

const cu = new jit.CompilationUnit(SOURCE);

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  return "no error";
}

const HEAD =
  "The following operation failed in the TorchScript interpreter.\nTraceback of TorchScript (most recent call last):\n";

describe("tracebacks of inlined calls are torch 2.13's", () => {
  const outer = (k: number): string => messageOf(() => cu.get("outer")(k, torch.zeros([4])));

  test("a node without outputs names the calls in which something around it has outputs", () => {
    expect(outer(0)).toBe(`${HEAD}  File "<string>", line 19, in outer
  if k == 7:
    return check(0, x)
  return nested(k, x) + check(1, x)
         ~~~~~~ <--- HERE

def shape(x: Tensor) -> int:
  File "<string>", line 3, in nested

def check(k: int, x: Tensor) -> Tensor:
  assert k > 0, "not positive"
  ~~~~~~~~~~~~~~~~~~~~~~~~~~~~ <--- HERE
  xs: List[Tensor] = []
  for i in range(k):
RuntimeError: AssertionError: not positive`);
    expect(outer(7)).toBe(`${HEAD}  File "<string>", line 3, in outer

def check(k: int, x: Tensor) -> Tensor:
  assert k > 0, "not positive"
  ~~~~~~~~~~~~~~~~~~~~~~~~~~~~ <--- HERE
  xs: List[Tensor] = []
  for i in range(k):
RuntimeError: AssertionError: not positive`);
  });

  test("so does what stands in a loop without outputs", () => {
    expect(outer(2)).toBe(`${HEAD}  File "<string>", line 19, in outer
  if k == 7:
    return check(0, x)
  return nested(k, x) + check(1, x)
         ~~~~~~ <--- HERE

def shape(x: Tensor) -> int:
  File "<string>", line 6, in nested
  xs: List[Tensor] = []
  for i in range(k):
    xs.append(x.view(4 - i))
              ~~~~~~ <--- HERE
  return torch.stack(xs)
RuntimeError: shape '[3]' is invalid for input of size 4`);
  });

  test("what has no source leaves no line", () => {
    expect(messageOf(() => cu.get("shape")(torch.zeros([4])))).toBe(
      `${HEAD}RuntimeError: Expected 3 elements in a list but found 1`,
    );
  });
});

test("what nobody uses neither fails nor draws random numbers, what writes to arguments does", () => {
  const run = (k: number): unknown => {
    torch.manualSeed(3);
    return (cu.get("unused")(k, torch.arange(4).to(torch.float32)) as Tensor).tolist();
  };
  // torch 2.13
  const first = [0.004263520240783691, 1.1055693626403809, 2.2858424186706543, 3.0269548892974854];
  for (const k of [0, 1, 2, 3, 6]) expect(run(k)).toEqual(first);
  expect(run(4)).toEqual([0.10983288288116455, 1.2858424186706543, 2.0269548892974854, 3.471614360809326]);
  // a loop whose length only running tells stays
  expect(run(5)).toEqual([0.17560523748397827, 1.9491828680038452, 2.847318649291992, 3.8748562335968018]);
});
