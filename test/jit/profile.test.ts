/** @file profile: operators and modules of a call with their counts and floating-point operations. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { profile } from "../../src/jit/profile.ts";
import { jit, nn, torch, type Tensor } from "../../src/node/index.ts";

const MODEL = join(import.meta.dirname, "../fixtures/models/intro_wrapped_rnn/model.pt");

test("operators and modules are counted per run, products with their operations", () => {
  const x = torch.ones([10, 1, 2]);
  const expected = String(jit.load(MODEL)(x));
  const model = jit.load(MODEL);
  let result: unknown;
  const found = profile(model, () => (result = model(x)), 2);
  expect(String(result)).toBe(expected);
  expect(found.runs).toBe(2);
  const linear = found.operators.find(({ operator }) => operator === "aten::linear")!;
  // 2 runs of 10 steps: 2 outputs of 2 multiplications and additions each
  expect([linear.calls, linear.shapes, linear.flops]).toEqual([20, "1x2, 2x2, 2", 20 * 8]);
  const calls = Object.fromEntries(found.modules.map((m) => [m.path, [m.className, m.calls, m.flops]]));
  expect(calls).toEqual({
    "": ["WrapRNN", 2, 160],
    loop: ["MyRNNLoop", 2, 160],
    "loop.cell": ["MyCellDGP", 20, 160],
    "loop.cell.dg": ["MyDecisionGate", 20, 0],
    "loop.cell.linear": ["Linear", 20, 160],
  });
  const ms = (list: readonly { readonly ms: number }[]): number[] => list.map((o) => o.ms);
  expect(ms(found.operators)).toEqual(ms(found.operators).toSorted((a, b) => b - a));
  const [root, loop] = [found.modules.find((m) => m.path === "")!, found.modules.find((m) => m.path === "loop")!];
  expect(root.ms).toBeGreaterThanOrEqual(loop.ms);
  expect(found.ms).toBeGreaterThanOrEqual(root.ms);
});

test("nothing watches after a profile", () => {
  const model = jit.load(MODEL);
  const x = torch.ones([10, 1, 2]);
  const { operators } = profile(model, () => model(x));
  const before = operators.map((o) => o.calls);
  model(x);
  expect(operators.map((o) => o.calls)).toEqual(before);
  expect(() =>
    profile(model, () => {
      throw new Error("stop");
    }),
  ).toThrow("stop");
  expect(String(jit.load(MODEL)(x))).toBe(String(model(x)));
});

test("what is done where a convolution stores counts to the convolution, also for a model that ran before", () => {
  const model = jit.script(
    new nn.Sequential(
      new nn.Conv2d(3, 16, 3, { padding: 1 }),
      new nn.BatchNorm2d(16),
      new nn.ReLU(),
      new nn.Flatten(1),
    ),
  );
  model.eval();
  // so large that no pause of the machine is longer
  const x = torch.ones([1, 3, 128, 128]);
  const expected = (model(x) as Tensor).tolist();
  const { operators, modules } = profile(model, () => model(x), 4);
  const calls = Object.fromEntries(operators.map((o) => [o.operator, o.calls]));
  expect(calls).toMatchObject({ "aten::conv2d": 4, "aten::batch_norm": 4, "aten::relu": 4, "aten::flatten": 4 });
  const conv = operators.find((o) => o.operator === "aten::conv2d")!;
  expect(conv.flops).toBe(4 * 2 * 27 * 16 * 128 * 128);
  // others only note what is to be done
  for (const other of operators) expect(other.ms).toBeLessThanOrEqual(conv.ms);
  const module = (path: string) => modules.find((m) => m.path === path)!;
  expect(module("0").ms).toBeCloseTo(conv.ms, 6);
  expect(module("").flops).toBe(conv.flops);
  expect(module("").ms).toBeGreaterThanOrEqual(module("0").ms);
  expect((model(x) as Tensor).tolist()).toEqual(expected);
});
