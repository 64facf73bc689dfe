/** @file torch.linspace: the numbers of PyTorch 2.13, whose compiler fuses multiplication and addition. */
import { expect, test } from "vitest";
import { torch } from "../../src/node/index.ts";

/** dtype, start, end, steps, some places and what PyTorch has there. */
const RECORDED: readonly (readonly [string, number, number, number, readonly number[], readonly number[]])[] = [
  [
    "float32",
    -3.7,
    11.2,
    300,
    [7, 48, 89, 130, 171, 212, 253, 294],
    [
      -3.351170539855957, -1.3080267906188965, 0.7351170182228088, 2.7782609462738037, 4.821404457092285,
      6.864548206329346, 8.907691955566406, 10.950836181640625,
    ],
  ],
  [
    "float64",
    -3.7,
    11.2,
    300,
    [7, 48, 89, 130, 171, 212, 253, 294],
    [
      -3.351170568561873, -1.3080267558528431, 0.7351170568561869, 2.7782608695652167, 4.821404682274247,
      6.864548494983277, 8.907692307692306, 10.950836120401338,
    ],
  ],
  [
    "float16",
    -3.7,
    11.2,
    300,
    [7, 48, 89, 130, 171, 212, 253, 294],
    [-3.349609375, -1.3046875, 0.73828125, 2.78515625, 4.8203125, 6.86328125, 8.90625, 10.953125],
  ],
  [
    "bfloat16",
    -3.7,
    11.2,
    300,
    [7, 48, 89, 130, 171, 212, 253, 294],
    [-3.359375, -1.328125, 0.703125, 2.734375, 4.84375, 6.875, 8.875, 10.9375],
  ],
  ["int64", -9, 4, 118, [7, 48, 89], [-8.0, -3.0, 0.0]],
];

test.each(RECORDED)(
  "linspace of %s from %d to %d in %d steps has PyTorch's numbers",
  (name, start, end, steps, at, values) => {
    const dtype = torch[name as "float32"];
    const numbers = torch.linspace(start, end, steps, { dtype }).to(torch.float64).tolist() as number[];
    expect(at.map((i) => numbers[i])).toEqual(values);
  },
);

test("no step and one step", () => {
  expect(torch.linspace(2, 5, 0).tolist()).toEqual([]);
  expect(torch.linspace(2, 5, 1).tolist()).toEqual([2]);
});
