/** @file Interpolation of float32 gives on every kernel build, wherever the tensors lie, what PyTorch gives. */
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { callOperator } from "../../src/core/operator_registry.ts";
import "../../src/ops/index.ts";
import { cloneTensor } from "../../src/tensor/clone.ts";
import { fromData } from "../../src/tensor/data.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { floatsAs, floatsOf } from "../../src/tensor/kernels/data.ts";
import { kernelBuild, setKernelBuild, supportedKernelBuilds } from "../../src/tensor/kernels/wasm/build.ts";
import { numelOf } from "../../src/tensor/strides.ts";
import { releaseTemporary, runForTemporary } from "../../src/tensor/temporaries.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { permuteView } from "../../src/tensor/view_geometry.ts";

interface Case {
  readonly sizes: readonly number[];
  readonly mode: string;
  readonly align: boolean | null;
  readonly infinity: number | null;
  readonly channelsLast: boolean;
  readonly size: number[] | null;
  readonly scale: number[] | null;
  readonly result: { readonly sizes: readonly number[]; readonly data: string };
}

const { cases } = JSON.parse(readFileSync(new URL("../ops/samples/resample.json", import.meta.url), "utf8")) as {
  cases: Case[];
};
const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));

/** As test/ops/make_resample_samples.py makes it. */
function made(c: Case): Tensor {
  const x = fromData(
    Float32Array.from({ length: numelOf(c.sizes) }, (_, i) => (((i * 37) % 101) - 50) / 8),
    c.sizes,
  );
  if (c.infinity !== null) floatsOf(x)[c.infinity] = Infinity;
  return c.channelsLast ? permuteView(cloneTensor(permuteView(x, [0, 2, 3, 1]), 0), [0, 3, 1, 2]) : x;
}

const interpolated = (x: Tensor, c: Case): Tensor =>
  callOperator("aten::__interpolate.size_list_scale_list", [
    x,
    c.size,
    c.scale,
    c.mode,
    c.align,
    null,
    false,
  ]) as Tensor;

function expectResult(y: Tensor, { result }: Case): void {
  const wanted = new Float32Array(new Uint8Array(Buffer.from(result.data, "base64")).buffer);
  expect(y.sizes).toEqual(result.sizes);
  // in logical order: results lie as their inputs do
  floatsAs(y, DTYPES.float32).forEach((value, i) => {
    const want = wanted[i]!;
    if (Number.isFinite(want)) expect(Math.abs(value - want), `element ${i}`).toBeLessThan(1e-5);
    else expect(value, `element ${i}`).toBe(want);
  });
}

describe.each(supportedKernelBuilds())("%s kernels", (build) => {
  test.each(cases.map((c, i) => [`${i}: ${c.mode} of ${c.sizes.join(" x ")}`, c] as const))("%s", (_, c) => {
    setKernelBuild(build);
    const x = made(c);
    expectResult(interpolated(x, c), c);
    if (c.channelsLast) return;
    const here = runForTemporary(() => fromData(floatsOf(x), x.sizes))() as Tensor;
    const there = runForTemporary(() => interpolated(here, c))() as Tensor;
    expectResult(there, c);
    releaseTemporary(here);
    releaseTemporary(there);
  });
});
