/** @file Convolutions that wait: same results as one operator after the other, whatever stands between. */
import { expect, test } from "vitest";
import { deferConvolutions } from "../../src/passes/defer_convolutions.ts";
import { parseGraph } from "../../src/ir/parser.ts";
import { graphText } from "../../src/ir/printer.ts";
import { jit, torch, type Tensor } from "../../src/node/index.ts";

const rewritten = (text: string): string => {
  const graph = parseGraph(text);
  deferConvolutions(graph);
  return graphText(graph);
};

test("a chain is rewritten and settled behind its last step", () => {
  const text = rewritten(`graph(%x : Tensor, %w : Tensor, %b : Tensor, %r : Tensor):
  %one : int = prim::Constant[value=1]()
  %two : int[] = prim::ListConstruct(%one, %one)
  %y : Tensor = aten::conv2d(%x, %w, %b, %two, %two, %two, %one)
  %n : int = aten::dim(%y)
  %s : Tensor = aten::add(%r, %y, %one)
  %z : Tensor = aten::relu_(%s)
  return (%z)
`);
  expect(text.split("\n").slice(-7)).toEqual([
    "  %y : Tensor = tsarchive::deferred_conv2d(%x, %w, %b, %two, %two, %two, %one)",
    "  %n : int = aten::dim(%y)",
    "  %s : Tensor = tsarchive::deferred_add_to(%r, %y, %one)",
    "  %z : Tensor = tsarchive::deferred_relu_(%s)",
    "   = tsarchive::settle(%z, %x, %w, %b, %r)",
    "  return (%z)",
    "",
  ]);
});

test("a value with another reader does not wait", () => {
  const text = `graph(%x : Tensor, %w : Tensor, %b : Tensor):
  %one : int = prim::Constant[value=1]()
  %two : int[] = prim::ListConstruct(%one, %one)
  %y : Tensor = aten::conv2d(%x, %w, %b, %two, %two, %two, %one)
  %z : Tensor = aten::relu(%y)
  %s : Tensor = aten::add(%z, %y, %one)
  return (%s)
`;
  expect(rewritten(text)).toBe(graphText(parseGraph(text)));
});

const SOURCE = `
def chain(x, w, b: Optional[Tensor], gamma, beta, mean, var, r, training: bool):
  y = torch.conv2d(x, w, b, [1, 1], [1, 1], [1, 1], 1)
  y = torch.batch_norm(y, gamma, beta, mean, var, training, 0.1, 1e-5, True)
  y += r
  return torch.relu_(y)

def change(x, w, b: Optional[Tensor], gamma, beta, mean, var, r, training: bool):
  y = torch.conv2d(x, w, b, [1, 1], [1, 1], [1, 1], 1)
  x.mul_(2)
  if training:
    w.zero_()
  y = torch.batch_norm(y, gamma, beta, mean, var, training, 0.1, 1e-5, True)
  z = torch.conv2d(x, w, b, [1, 1], [1, 1], [1, 1], 1)
  w.zero_()
  r.zero_()
  z = r + torch.batch_norm(z, gamma, beta, mean, var, False, 0.1, 1e-5, True)
  return torch.hardtanh_(y, 0., 6.) + z

def size(x, w):
  y = torch.conv2d(x, w, None, [1, 1], [1, 1], [1, 1], 1)
  if y.size(2) > 1:
    print("large")
  return torch.hardtanh(y, 0., 6.)
`;

/** Operators one at a time: what a function gives while every call is watched would be the same, but slower to set up. */
function eagerChain(a: Tensor[], bias: Tensor | null, training: boolean, add: boolean): Tensor {
  const [x, w, gamma, beta, mean, variance, r] = a as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
  const y = torch.call("conv2d", x, w, bias, [1, 1], [1, 1], [1, 1], 1);
  const z = torch.call("batch_norm", y, gamma, beta, mean, variance, training, 0.1, 1e-5, true) as Tensor;
  return torch.call("relu", add ? torch.call("add", z, r) : z) as Tensor;
}

function operands(dtype = torch.float): Tensor[] {
  const make = (shape: number[]): Tensor => torch.randn(shape, { dtype });
  const vector = (): Tensor => torch.rand([12], { dtype });
  return [make([2, 10, 9, 11]), make([12, 10, 3, 3]), vector(), vector(), vector(), vector(), make([2, 12, 9, 11])];
}

const clones = (a: Tensor[]): Tensor[] => a.map((t) => torch.call("clone", t) as Tensor);

function expectClose(a: Tensor, b: Tensor): void {
  expect(a.shape).toEqual(b.shape);
  const [x, y] = [a, b].map((t) => torch.flatValues(t) as ArrayLike<number>) as [ArrayLike<number>, ArrayLike<number>];
  for (let i = 0; i < x.length; i++) expect(Math.abs(x[i]! - y[i]!)).toBeLessThan(1e-4);
}

test("convolution, normalisation, residual and relu give what the operators give", () => {
  const f = new jit.CompilationUnit(SOURCE).get("chain");
  for (const dtype of [torch.float, torch.double]) {
    for (const training of [false, true]) {
      for (const hasBias of [false, true]) {
        const a = operands(dtype);
        const bias = hasBias ? torch.rand([12], { dtype }) : null;
        const [ours, theirs] = [clones(a), clones(a)];
        const [x, w, ...rest] = ours;
        const y = f(x, w, bias, ...rest, training) as Tensor;
        expectClose(y, eagerChain(theirs, bias, training, true));
        ours.forEach((t, i) => expectClose(t, theirs[i]!));
      }
    }
  }
});

test("parameters of a normalisation that change between calls are seen", () => {
  const f = new jit.CompilationUnit(SOURCE).get("chain");
  const a = operands();
  for (const changed of [[], [2], [3], [4], [5], [1], [2, 5]]) {
    for (const i of changed) torch.call("mul_", a[i]!, 1.5);
    const [x, w, ...rest] = a;
    for (let twice = 0; twice < 2; twice++)
      expectClose(f(x, w, null, ...rest, false) as Tensor, eagerChain(clones(a), null, false, true));
  }
});

test("writes between the steps are seen in their order", () => {
  const f = new jit.CompilationUnit(SOURCE).get("change");
  for (const training of [false, true]) {
    const a = operands();
    const [ours, theirs] = [clones(a), clones(a)];
    const [x, w, ...rest] = ours;
    const y = f(x, w, null, ...rest, training) as Tensor;
    const first = torch.call("hardtanh", eagerChainWithoutRelu(theirs, training), 0, 6) as Tensor;
    torch.call("mul_", theirs[0]!, 2);
    if (training) torch.call("zero_", theirs[1]!);
    const second = eagerChainWithoutRelu(theirs, false);
    expectClose(y, torch.call("add", first, second) as Tensor);
  }
});

function eagerChainWithoutRelu(a: Tensor[], training: boolean): Tensor {
  const [x, w, gamma, beta, mean, variance] = a as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
  const y = torch.call("conv2d", x, w, null, [1, 1], [1, 1], [1, 1], 1);
  return torch.call("batch_norm", y, gamma, beta, mean, variance, training, 0.1, 1e-5, true) as Tensor;
}

test("sizes may be asked for while the values wait; errors name the operator that was written", () => {
  const f = new jit.CompilationUnit(SOURCE).get("size");
  const [x, w] = operands();
  const y = f(x, w) as Tensor;
  expectClose(y, torch.call("relu6", torch.call("conv2d", x, w, null, [1, 1], [1, 1], [1, 1], 1)) as Tensor);
  expect(() => f(torch.rand([1, 3, 4, 4]), w)).toThrow(/to have 10 channels, but got 3 channels instead/);
});

test("an out= form of a step is none: it writes to its argument", () => {
  const f = new jit.CompilationUnit(`
def into(x, w, y):
  z = torch.relu(torch.conv2d(x, w, None, [1, 1], [1, 1], [1, 1], 1), out=y)
  return z
`).get("into");
  const [x, w] = operands();
  const expected = torch.call("relu", torch.call("conv2d", x, w, null, [1, 1], [1, 1], [1, 1], 1)) as Tensor;
  const y = torch.zeros(expected.sizes);
  expectClose(f(x, w, y) as Tensor, expected);
  expectClose(y, expected);
});

test("channels_last of the input or of the weight is kept, also by a kernel of one element", () => {
  const f = new jit.CompilationUnit(SOURCE).get("size");
  const last = (t: Tensor): Tensor => t.clone({ memory_format: torch.channels_last });
  const x = torch.rand([2, 4, 3, 5]);
  for (const size of [1, 3]) {
    const w = torch.rand([6, 4, size, size]);
    const expected = torch.call("relu6", torch.call("conv2d", x, w, null, [1, 1], [1, 1], [1, 1], 1)) as Tensor;
    for (const [input, weight] of [
      [last(x), w],
      [x, last(w)],
      [last(x), last(w)],
    ] as const) {
      const y = f(input, weight) as Tensor;
      expect(y.is_contiguous(torch.channels_last)).toBe(true);
      expect(y.strides[1]).toBe(1);
      expectClose(y, expected);
    }
    expect((f(x, w) as Tensor).isContiguous()).toBe(true);
  }
});

test("a chain in channels_last waits, too: values and strides of operators one at a time, weights that change are read again", () => {
  const f = new jit.CompilationUnit(SOURCE).get("chain");
  const last = (t: Tensor): Tensor => t.clone({ memory_format: torch.channels_last });
  for (const lasts of [[0], [1], [6], [0, 1], [0, 6], [1, 6], [0, 1, 6]]) {
    const a = operands().map((t, i) => (lasts.includes(i) ? last(t) : t));
    for (const factor of [1, 2, 0.5]) {
      torch.call("mul_", a[1]!, factor);
      const [x, w, ...rest] = a;
      const y = f(x, w, null, ...rest, false) as Tensor;
      const expected = eagerChain(a, null, false, true);
      expectClose(y, expected);
      expect(y.strides, `channels_last: ${lasts.join()}`).toEqual(expected.strides);
    }
  }
});
