/** @file index_add and scatter_add of float32 against sums element by element. */
import { expect, test } from "vitest";
import { torch, type Tensor } from "../../src/node/index.ts";

const values = (t: Tensor): number[] => (t.reshape([-1]).tolist() as readonly unknown[]).map(Number);

test.each([
  [0, 1],
  [1, 1],
  [2, 1],
  [1, -0.3],
  [0, 2],
])("index_add along dimension %i, alpha %d", (dim, alpha) => {
  torch.manual_seed(3);
  const sizes = [4, 5, 3];
  const self = torch.randn(sizes);
  const index = [1, 0, 1, 2, 1, 0];
  const source = torch.randn(sizes.map((s, d) => (d === dim ? index.length : s)));
  const turned = source.transpose(0, 2).contiguous().transpose(0, 2); // not contiguous
  const expected = self.clone();
  index.forEach((to, from) => {
    const slice = expected.select(dim, to);
    slice.copy_(slice.add(source.select(dim, from).mul(alpha)));
  });
  for (const given of [source, turned]) {
    const result = torch.index_add(self, dim, torch.tensor(index), given, { alpha });
    expect(torch.allclose(result, expected, 1e-6, 1e-6)).toBe(true);
    expect(result.sizes).toEqual(sizes);
  }
  expect(() => torch.index_add(self, dim, torch.tensor([9, 0, 0, 0, 0, 0]), source)).toThrow(
    /index 9 is out of bounds/,
  );
});

test("scatter_add adds in the order of the index", () => {
  const self = torch.zeros([3, 2]);
  const index = torch.tensor([
    [0, 1],
    [0, 1],
    [2, 1],
  ]);
  const result = torch.scatter_add(
    self,
    0,
    index,
    torch.tensor([
      [1.5, 2],
      [3, 4],
      [5, 6],
    ]),
  );
  expect(values(result)).toEqual([4.5, 0, 0, 12, 5, 0]);
  expect(values(self)).toEqual([0, 0, 0, 0, 0, 0]);
});

test("nothing is added where nothing is given", () => {
  const self = torch.ones([3, 2]);
  expect(values(torch.index_add(self, 0, torch.tensor([], { dtype: torch.int64 }), torch.zeros([0, 2])))).toEqual([
    1, 1, 1, 1, 1, 1,
  ]);
});
