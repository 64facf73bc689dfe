/** @file Padding in every mode moves elements to their places bit for bit, on every kernel build, wherever they lie. */
import { afterAll, describe, expect, test } from "vitest";
import { callOperator } from "../../src/core/operator_registry.ts";
import "../../src/ops/index.ts";
import { convertTensor } from "../../src/tensor/clone.ts";
import { fromData } from "../../src/tensor/data.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { doublesOf, floatsOf } from "../../src/tensor/kernels/data.ts";
import { kernelBuild, setKernelBuild, supportedKernelBuilds } from "../../src/tensor/kernels/wasm/build.ts";
import { contiguousStrides, numelOf } from "../../src/tensor/strides.ts";
import { releaseTemporary, runForTemporary } from "../../src/tensor/temporaries.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));

let state = 11;
function integer(low: number, high: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return low + Math.floor((state / 2 ** 32) * (high - low + 1));
}

const SPECIAL = [NaN, Infinity, -Infinity, -0, 1e-45];

const tensor = (sizes: readonly number[]): Tensor =>
  fromData(
    Float32Array.from({ length: numelOf(sizes) }, (_, i) => (i % 31 === 7 ? SPECIAL[((i / 31) | 0) % 5]! : i - 100)),
    sizes,
  );

/** Where position i of a padded dimension comes from; -1 where it does not. */
function sourceOf(mode: string, i: number, size: number, before: number, after: number): number {
  const at = i - before;
  if (mode === "constant") return at >= 0 && at < size ? at : -1;
  if (mode === "replicate") return Math.min(Math.max(at, 0), size - 1);
  if (mode === "reflect") return at < 0 ? -at : at >= size ? 2 * (size - 1) - at : at;
  // what is cropped does not come back at the other end
  const [low, high] = [Math.max(-before, 0), size - Math.max(-after, 0)];
  return at < low ? at + high - low : at >= high ? at - high + low : at;
}

function padded(x: Tensor, pad: readonly number[], mode: string, value: number): [Float64Array, number[]] {
  const sizes = x.sizes.map((size, d) => {
    const i = x.ndim - 1 - d;
    return size + (pad[2 * i] ?? 0) + (pad[2 * i + 1] ?? 0);
  });
  const strides = contiguousStrides(x.sizes);
  const from = doublesOf(x);
  const out = new Float64Array(numelOf(sizes));
  const index = new Array<number>(sizes.length).fill(0);
  for (let at = 0; at < out.length; at++) {
    let source = 0;
    sizes.forEach((_, d) => {
      const i = x.ndim - 1 - d;
      const place = sourceOf(mode, index[d]!, x.sizes[d]!, pad[2 * i] ?? 0, pad[2 * i + 1] ?? 0);
      source = place < 0 || source < 0 ? -1 : source + place * strides[d]!;
    });
    out[at] = source < 0 ? value : from[source]!;
    for (let d = sizes.length - 1; d >= 0 && ++index[d]! === sizes[d]; d--) index[d] = 0;
  }
  return [out, sizes];
}

describe.each(supportedKernelBuilds())("%s kernels", (build) => {
  test.each(["constant", "reflect", "replicate", "circular"])("%s", (mode) => {
    setKernelBuild(build);
    for (let round = 0; round < 60; round++) {
      const dims = integer(1, 3);
      const lead = mode === "constant" ? integer(0, 2) : integer(1, 2);
      const sizes = [
        ...Array.from({ length: lead }, () => integer(1, round % 6 === 0 ? 40 : 4)),
        ...Array.from({ length: dims }, () => integer(6, dims === 3 ? 12 : 40)),
      ];
      const pad = Array.from({ length: 2 * dims }, () => integer(mode === "constant" || round % 3 > 0 ? -2 : 0, 5));
      const value = mode === "constant" ? [0, -1.5, NaN, Infinity][round % 4]! : 0;
      const x = tensor(sizes);
      const [wanted, outSizes] = padded(x, pad, mode, value);
      const run = (t: Tensor): Tensor =>
        callOperator("aten::pad", [t, pad, mode, mode === "constant" ? value : null]) as Tensor;
      const here = runForTemporary(() => fromData(floatsOf(x), x.sizes))() as Tensor;
      const there = runForTemporary(() => run(here))() as Tensor;
      for (const y of [run(x), there, ...(mode === "constant" ? [] : [run(convertTensor(x, DTYPES.float64))])]) {
        expect(y.sizes).toEqual(outSizes);
        const actual = doublesOf(y);
        for (let i = 0; i < wanted.length; i++)
          if (!Object.is(actual[i], wanted[i]))
            throw new Error(`${mode} ${sizes.join()} by ${pad.join()}: ${actual[i]} at ${i}, not ${wanted[i]}`);
      }
      releaseTemporary(here);
      releaseTemporary(there);
    }
  });
});
