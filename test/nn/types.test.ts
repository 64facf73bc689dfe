/** @file Types of modules: this file must compile; the expectations at run time are few. */
import { expect, expectTypeOf, test } from "vitest";
import { nn, torch, type Tensor } from "../../src/index.ts";

class TwoHeads extends nn.Module {
  left = new nn.Linear(2, 1);
  right = new nn.LSTM(2, 3);
  forward(x: Tensor, scale = 1, names?: readonly string[]): [Tensor, { count: number }] {
    expectTypeOf(this.left(x)).toEqualTypeOf<Tensor>();
    const [, [hidden]] = this.right(x);
    return [hidden, { count: (names?.length ?? 0) * scale }];
  }
}

test("calls have forward's arguments and result", () => {
  const model = new TwoHeads();
  expectTypeOf(model).parameters.toEqualTypeOf<
    [x: Tensor, scale?: number | undefined, names?: readonly string[] | undefined]
  >();
  expectTypeOf(model).returns.toEqualTypeOf<[Tensor, { count: number }]>();
  const [hidden, { count }] = model(torch.ones([4, 1, 2]), 2, ["a"]);
  expectTypeOf(hidden).toEqualTypeOf<Tensor>();
  expect(count).toBe(2);
  expectTypeOf(new nn.MaxPool2d(2)).returns.toEqualTypeOf<Tensor>();
  expectTypeOf(new nn.MaxPool2d(2, { returnIndices: true })).returns.toEqualTypeOf<[values: Tensor, indices: Tensor]>();
  expectTypeOf(new nn.Conv2d(3, 4, 3, { stride: [1, 2], padding: "valid" }).weight).toEqualTypeOf<nn.Parameter>();
});

test("containers know their modules", () => {
  const layers = new nn.ModuleList([new nn.Linear(2, 2), new nn.Linear(2, 2)]);
  let x: Tensor = torch.ones([1, 2]);
  for (const layer of layers) x = layer(x);
  expectTypeOf(layers.at(0)).toEqualTypeOf<nn.Linear>();
  const chain = new nn.Sequential(new nn.Embedding(3, 2), new nn.LSTM(2, 2));
  expectTypeOf(chain).parameters.toEqualTypeOf<[input: Tensor]>();
  expectTypeOf(chain).returns.toEqualTypeOf<[output: Tensor, state: [hidden: Tensor, cell: Tensor]]>();
  const dict = new nn.ModuleDict({ a: new nn.ReLU() });
  expectTypeOf(dict.get("a")).toEqualTypeOf<nn.ReLU>();
  const some: nn.Module[] = [layers, chain, dict, new TwoHeads()];
  expect(some.length).toBe(4);
  expect(x.sizes).toEqual([1, 2]);
});
