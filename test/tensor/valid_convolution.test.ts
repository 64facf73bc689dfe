/** @file Convolutions without padding by kernels wider than one element, and sums of two convolutions: every build alike. */
import { afterAll, describe, expect, test } from "vitest";
import { findOperatorByKey } from "../../src/core/operator_registry.ts";
import { parseGraph } from "../../src/ir/parser.ts";
import { deferConvolutions } from "../../src/passes/defer_convolutions.ts";
import { fromData, toFloat64Array } from "../../src/tensor/data.ts";
import { setKernelBuild, supportedKernelBuilds } from "../../src/tensor/kernels/wasm/build.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import "../../src/ops/index.ts";

const conv2d = findOperatorByKey("aten::conv2d")!.kernel as unknown as (...args: unknown[]) => Tensor;
const builds = supportedKernelBuilds();
afterAll(() => setKernelBuild(builds.at(-1)!));

function tensor(...sizes: number[]): Tensor {
  const count = sizes.reduce((a, b) => a * b, 1);
  return fromData(
    Array.from({ length: count }, (_, i) => ((i * 7919) % 2003) / 1001.5 - 1),
    sizes,
  );
}

describe.each(builds)("%s", (build) => {
  test.each([
    [
      [2, 3, 16, 16],
      [5, 3, 5, 5],
    ],
    [
      [1, 8, 20, 13],
      [8, 8, 5, 3],
    ],
    [
      [1, 4, 12, 40],
      [6, 4, 1, 7],
    ],
    [
      [1, 8, 17, 16],
      [8, 8, 7, 1],
    ],
    [
      [1, 8, 16, 16],
      [16, 8, 1, 1],
    ],
  ])("input %j, weight %j", (sizes, weights) => {
    const args = [tensor(...sizes), tensor(...weights), tensor(weights[0]!), [1, 1], [0, 0], [1, 1], 1];
    setKernelBuild("reference");
    const expected = toFloat64Array(conv2d(...args));
    setKernelBuild(build);
    toFloat64Array(conv2d(...args)).forEach((v, i) => expect(Math.abs(v - expected[i]!)).toBeLessThan(1e-4));
  });
});

test("a sum of two convolutions is deferred behind one of them", () => {
  const graph = parseGraph(`graph(%x : Tensor, %a : Tensor, %b : Tensor):
  %none : NoneType = prim::Constant()
  %zero : int = prim::Constant[value=0]()
  %one : int = prim::Constant[value=1]()
  %ones : int[] = prim::ListConstruct(%one, %one)
  %zeros : int[] = prim::ListConstruct(%zero, %zero)
  %p : Tensor = aten::conv2d(%x, %a, %none, %ones, %zeros, %ones, %one)
  %q : Tensor = aten::conv2d(%x, %b, %none, %ones, %zeros, %ones, %one)
  %s : Tensor = aten::add(%p, %q, %one)
  %r : Tensor = aten::relu(%s)
  return (%r)
`);
  expect(deferConvolutions(graph)).toBe(true);
  const kinds = [...graph.block.nodes()].map((node) => node.kind);
  expect(kinds.filter((kind) => kind === "tsarchive::deferred_conv2d")).toHaveLength(1);
  expect(kinds.filter((kind) => kind === "aten::conv2d")).toHaveLength(1);
});
