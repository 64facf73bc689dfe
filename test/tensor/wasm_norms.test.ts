/** @file Softmax over any dimension, its logarithm, batch and group normalisation of float32 give on every kernel build what float64 gives. */
import { afterAll, describe, expect, test } from "vitest";
import { callOperator } from "../../src/core/operator_registry.ts";
import "../../src/ops/index.ts";
import { fromData } from "../../src/tensor/data.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { convertTensor } from "../../src/tensor/clone.ts";
import { floatsOf } from "../../src/tensor/kernels/data.ts";
import { kernelBuild, setKernelBuild, supportedKernelBuilds } from "../../src/tensor/kernels/wasm/build.ts";
import { releaseTemporary, runForTemporary } from "../../src/tensor/temporaries.ts";
import { numelOf } from "../../src/tensor/strides.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));

const values = (sizes: readonly number[], scale: number): Tensor =>
  fromData(
    Float32Array.from({ length: numelOf(sizes) }, (_, i) => Math.sin(i * 7.3) * scale),
    sizes,
  );

/** Largest difference to what float64 gives, both for a tensor in ordinary memory and for one in the kernels' memory. */
function worstOf(run: (x: Tensor) => Tensor, x: Tensor): number {
  const wanted = floatsOf(run(convertTensor(x, DTYPES.float64)));
  const here = runForTemporary(() => fromData(floatsOf(x), x.sizes))() as Tensor;
  const there = runForTemporary(() => run(here))() as Tensor;
  let worst = 0;
  for (const result of [run(x), there]) {
    const actual = floatsOf(result);
    expect(actual.length).toBe(wanted.length);
    for (let i = 0; i < wanted.length; i++) {
      if (Number.isFinite(wanted[i]!)) worst = Math.max(worst, Math.abs(actual[i]! - wanted[i]!));
      else expect(actual[i]).toBe(wanted[i]);
    }
  }
  releaseTemporary(here);
  releaseTemporary(there);
  return worst;
}

describe.each(supportedKernelBuilds())("%s kernels", (build) => {
  test.each(["aten::softmax.int", "aten::log_softmax.int"])("%s over every dimension", (name) => {
    setKernelBuild(build);
    for (const sizes of [
      [64],
      [7, 13],
      [3, 1001],
      [5, 6, 7],
      [2, 30, 4],
      [2, 3, 5, 9],
      [1, 40, 3],
      [200, 4],
      [2, 21, 16, 17],
    ])
      for (let dim = 0; dim < sizes.length; dim++) {
        const x = values(sizes, 20);
        floatsOf(x)[1] = -Infinity;
        expect(worstOf((t) => callOperator(name, [t, dim, null]) as Tensor, x)).toBeLessThan(1e-5);
      }
  });

  test("rows and columns with NaN, infinities and nothing but -infinity", () => {
    setKernelBuild(build);
    const x = values([4, 16, 8], 3);
    floatsOf(x).set([NaN, Infinity], 3);
    for (let r = 0; r < 16; r++) floatsOf(x)[2 * 128 + 8 * r + 5] = -Infinity;
    floatsOf(x).fill(-Infinity, 3 * 128, 3 * 128 + 8);
    for (const name of ["aten::softmax.int", "aten::log_softmax.int"])
      for (const dim of [1, 2]) worstOf((t) => callOperator(name, [t, dim, null]) as Tensor, x);
  });

  test("batch normalisation of planes of any size", () => {
    setKernelBuild(build);
    for (const sizes of [
      [2, 5, 7, 9],
      [1, 3, 80, 80],
      [4, 6, 16],
      [3, 200],
      [2, 4, 3, 4, 5],
    ]) {
      const channels = sizes[1]!;
      const each = (scale: number, add: number): Tensor =>
        fromData(
          Float32Array.from({ length: channels }, (_, i) => Math.cos(i) * scale + add),
          [channels],
        );
      const parameters = [each(1, 1.5), each(2, 0), each(1, 0.3), each(0.4, 0.9)];
      const run = (t: Tensor): Tensor => {
        const [w, b, mean, variance] = parameters.map((p) => convertTensor(p, t.dtype));
        return callOperator("aten::batch_norm", [t, w, b, mean, variance, false, 0.1, 1e-5, true]) as Tensor;
      };
      expect(worstOf(run, values(sizes, 4))).toBeLessThan(5e-6);
    }
  });

  test("group normalisation with and without weights", () => {
    setKernelBuild(build);
    for (const [sizes, groups] of [
      [[2, 6, 7, 9], 3],
      [[1, 8, 64, 64], 2],
      [[3, 12], 4],
      [[2, 4, 5], 1],
    ] as const) {
      const channels = sizes[1]!;
      const w = values([channels], 2);
      const b = values([channels], 1);
      for (const hasWeights of [true, false]) {
        const run = (t: Tensor): Tensor =>
          callOperator("aten::group_norm", [
            t,
            groups,
            hasWeights ? convertTensor(w, t.dtype) : null,
            hasWeights ? convertTensor(b, t.dtype) : null,
            1e-5,
            true,
          ]) as Tensor;
        expect(worstOf(run, values(sizes, 4))).toBeLessThan(1e-5);
      }
    }
  });

  test("many groups and planes, those of an instance, and what is not finite in its own group", () => {
    setKernelBuild(build);
    for (const [sizes, groups] of [
      [[40, 16, 15, 31], 4],
      [[3, 10, 90, 85], 5],
      [[50, 6, 3], 2],
      [[700, 12], 3],
      [[2, 4, 200, 201], 1],
    ] as const) {
      const channels = sizes[1]!;
      const [w, b] = [values([channels], 2), values([channels], 3)];
      const x = values(sizes, 4);
      floatsOf(x).forEach((v, i, all) => (all[i] = v + 5));
      const group = (t: Tensor, k: number): Tensor => {
        const same = (p: Tensor): Tensor => convertTensor(p, t.dtype);
        const plane = numelOf(sizes.slice(2));
        const outputs = callOperator("aten::native_group_norm", [
          ...[t, same(w), same(b), sizes[0], channels, plane, groups, 1e-5],
        ]) as Tensor[];
        return outputs[k]!;
      };
      for (const k of [0, 1, 2]) expect(worstOf((t) => group(t, k), x)).toBeLessThan(k === 0 ? 2e-5 : 5e-6);
      if (sizes.length > 2) {
        const instance = (t: Tensor): Tensor =>
          callOperator("aten::instance_norm", [
            ...[t, convertTensor(w, t.dtype), convertTensor(b, t.dtype), null, null, true, 0.1, 1e-5, true],
          ]) as Tensor;
        expect(worstOf(instance, x)).toBeLessThan(2e-5);
      }
      const per = floatsOf(x).length / sizes[0]! / groups;
      const clean = floatsOf(group(x, 0)).slice();
      floatsOf(x)[per * (groups + 1) - 1] = NaN;
      const wrong = floatsOf(group(x, 0)).findIndex((v, i) =>
        Math.floor(i / per) === groups ? v === v : v !== clean[i],
      );
      expect(wrong).toBe(-1);
    }
  });
});
