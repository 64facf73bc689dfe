/** @file Regions of `torch.autocast("cpu")` run with the casts that PyTorch puts in. The archive: test/fixtures/make_autocast.py. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { jit, torch, type Tensor } from "../../src/node/index.ts";

const model = jit.load(join(import.meta.dirname, "../fixtures/autocast.pt"));
const input = (): Tensor => torch.arange(4).to(torch.float32).div(7).reshape([2, 2]);
const run = (x: Tensor, inner: boolean): [string, number[]][] =>
  (model(x, inner) as Tensor[]).map((t) => [t.dtype.name, t.flatten().tolist() as number[]]);

// torch 2.13
const BEFORE = [0.013605442829430103, 0.020408164709806442, 0.040816329419612885, 0.07482993602752686];
const REDUCED = [0.013590495102107525, 0.02034505270421505, 0.0406901054084301, 0.0745442733168602];
const FULL = [1.0136833190917969, 1.020553469657898, 1.0415292978286743, 1.0773930549621582];
const SQUARE = [0.040816329419612885, 0.06122449412941933, 0.12244898825883865, 0.22448980808258057];

function expectClose(actual: [string, number[]], dtype: string, values: readonly number[]): void {
  expect(actual[0]).toBe(dtype);
  actual[1].forEach((value, i) => expect(Math.abs(value - values[i]!)).toBeLessThanOrEqual(1e-7 * values[i]!));
}

test("products are computed in bfloat16, exponentials in float32", () => {
  const [before, reduced, full, kept, double] = run(input(), false);
  expectClose(before!, "float32", BEFORE);
  expectClose(reduced!, "float32", REDUCED);
  expectClose(full!, "float32", FULL);
  expect(kept).toEqual(["bfloat16", [0.1484375, 0.1533203125, 0.734375, 0.75390625]]);
  expectClose(double!, "float64", [0.04081633017987629, 0.06122449314107703, 0.12244898628215406, 0.22448980321689538]);
});

test("a region inside that is off casts nothing", () => {
  const kept = run(input(), true)[3]!;
  expectClose(kept, "float32", SQUARE);
});

test("only float32 is reduced", () => {
  const results = run(input().to(torch.float16), true);
  expect(results.map(([dtype]) => dtype)).toEqual(["float16", "float32", "float32", "float16", "float64"]);
  expect(() => run(input().to(torch.float16), false)).toThrow(
    "expected m1 and m2 to have the same dtype, but got: c10::Half != c10::BFloat16",
  );
});
