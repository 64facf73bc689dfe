/** @file Columns of patches, their sums and averages of windows of float32 are bit for bit what PyTorch's loops give, on every kernel build. */
import { afterAll, describe, expect, test } from "vitest";
import { callOperator } from "../../src/core/operator_registry.ts";
import "../../src/ops/index.ts";
import { fromData } from "../../src/tensor/data.ts";
import { floatsOf } from "../../src/tensor/kernels/data.ts";
import { kernelBuild, setKernelBuild, supportedKernelBuilds } from "../../src/tensor/kernels/wasm/build.ts";
import { numelOf } from "../../src/tensor/strides.ts";
import { releaseTemporary, runForTemporary } from "../../src/tensor/temporaries.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { transposeView } from "../../src/tensor/view_geometry.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));

const SPECIAL = [NaN, Infinity, -Infinity, -0, 1e-45, 3e38];

const tensor = (sizes: readonly number[], special = true): Tensor =>
  fromData(
    Float32Array.from({ length: numelOf(sizes) }, (_, i) =>
      special && i % 97 === 13 ? SPECIAL[((i / 97) % 6) | 0]! : Math.sin(i * 7.3) * 5,
    ),
    sizes,
  );

const random = (seed: number): ((n: number) => number) => {
  let state = seed;
  return (n) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * n);
  };
};

interface Windows {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
}

const bits = (t: Tensor): Uint32Array => {
  const floats = floatsOf(t).slice() as Float32Array;
  floats.forEach((v, i) => {
    if (v !== v) floats[i] = NaN;
  });
  return new Uint32Array(floats.buffer);
};

/** The result for a tensor in ordinary memory and for one in the kernels' memory. */
function expectBits(run: (x: Tensor) => Tensor, x: Tensor, wanted: Tensor, what: string): void {
  expect(run(x).sizes, what).toEqual(wanted.sizes);
  expect(bits(run(x)), what).toEqual(bits(wanted));
  const here = runForTemporary(() => fromData(floatsOf(x), x.sizes))() as Tensor;
  const there = runForTemporary(() => run(here))() as Tensor;
  expect(bits(there), what).toEqual(bits(wanted));
  releaseTemporary(here);
  releaseTemporary(there);
}

/** Visits tap, position and pixel (-1 where it is outside) of every element of the columns. */
function eachElement(
  [h, w]: readonly [number, number],
  [oh, ow]: readonly [number, number],
  p: Windows,
  visit: (tap: number, position: number, pixel: number) => void,
): void {
  for (let a = 0; a < p.kernel[0]; a++)
    for (let b = 0; b < p.kernel[1]; b++)
      for (let i = 0; i < oh; i++)
        for (let j = 0; j < ow; j++) {
          const y = i * p.stride[0] - p.padding[0] + a * p.dilation[0];
          const x = j * p.stride[1] - p.padding[1] + b * p.dilation[1];
          const isInside = y >= 0 && y < h && x >= 0 && x < w;
          visit(a * p.kernel[1] + b, i * ow + j, isInside ? y * w + x : -1);
        }
}

function windows(next: (n: number) => number): Windows {
  const pair = (least: number, most: number): [number, number] => [
    least + next(most - least + 1),
    least + next(most - least + 1),
  ];
  return { kernel: pair(1, 4), stride: pair(1, 3), padding: pair(0, 3), dilation: pair(1, 2) };
}

describe.each(supportedKernelBuilds())("%s kernels", (build) => {
  test("columns of patches, and their sums", () => {
    setKernelBuild(build);
    const next = random(5);
    for (let round = 0; round < 60; round++) {
      const p = windows(next);
      const [n, c, h, w] = [1 + next(3), 1 + next(round % 10 === 0 ? 60 : 5), 7 + next(20), 7 + next(20)];
      const count = (size: number, d: 0 | 1): number =>
        Math.floor((size + 2 * p.padding[d] - p.dilation[d] * (p.kernel[d] - 1) - 1) / p.stride[d]) + 1;
      const [oh, ow] = [count(h, 0), count(w, 1)];
      const taps = p.kernel[0] * p.kernel[1];
      const rest = [p.kernel, p.dilation, p.padding, p.stride];
      const what = JSON.stringify({ n, c, h, w, ...p });
      const x = tensor([n, c, h, w]);
      const columns = new Float32Array(n * c * taps * oh * ow);
      const sums = new Float32Array(n * c * h * w);
      const y = tensor([n, c * taps, oh * ow], round % 2 === 0);
      for (let k = 0; k < n * c; k++)
        eachElement([h, w], [oh, ow], p, (tap, position, pixel) => {
          const at = (k * taps + tap) * oh * ow + position;
          if (pixel < 0) return;
          columns[at] = floatsOf(x)[k * h * w + pixel]!;
          sums[k * h * w + pixel]! += floatsOf(y)[at]!;
        });
      expectBits(
        (t) => callOperator("aten::im2col", [t, ...rest]) as Tensor,
        x,
        fromData(columns, [n, c * taps, oh * ow]),
        what,
      );
      expectBits(
        (t) => callOperator("aten::col2im", [t, [h, w], ...rest]) as Tensor,
        y,
        fromData(sums, [n, c, h, w]),
        what,
      );
    }
    const x = tensor([2, 3, 30, 40]);
    const args = [
      [3, 3],
      [1, 1],
      [1, 1],
      [1, 1],
    ];
    const wanted = callOperator("aten::im2col", [tensor([2, 3, 40, 30]), ...args]) as Tensor;
    expect(wanted.sizes).toEqual([2, 27, 1200]);
    const turned = transposeView(x, 2, 3);
    const copy = callOperator("aten::contiguous", [turned, 0]) as Tensor;
    expect(bits(callOperator("aten::im2col", [turned, ...args]) as Tensor)).toEqual(
      bits(callOperator("aten::im2col", [copy, ...args]) as Tensor),
    );
  });

  test("averages of windows", () => {
    setKernelBuild(build);
    const next = random(9);
    for (let round = 0; round < 80; round++) {
      const { kernel, stride, padding } = windows(next);
      const pads = [0, 1].map((d) => Math.min(padding[d]!, Math.floor(kernel[d]! / 2)));
      const [n, c, h, w] = [1 + next(3), 1 + next(round % 10 === 0 ? 90 : 5), 7 + next(30), 7 + next(30)];
      const ceil = next(2) === 1;
      const includePad = next(2) === 1;
      const divisor = next(4) === 0 ? 7 : null;
      const count = (size: number, d: 0 | 1): number => {
        const span = size + 2 * pads[d]! - kernel[d] + (ceil ? stride[d] - 1 : 0);
        const out = Math.floor(span / stride[d]) + 1;
        return ceil && (out - 1) * stride[d] >= size + pads[d]! ? out - 1 : out;
      };
      const [oh, ow] = [count(h, 0), count(w, 1)];
      const x = tensor([n, c, h, w]);
      const values = floatsOf(x);
      const wanted = new Float32Array(n * c * oh * ow);
      for (let k = 0, at = 0; k < n * c; k++)
        for (let i = 0; i < oh; i++)
          for (let j = 0; j < ow; j++, at++) {
            let [y0, x0] = [i * stride[0] - pads[0]!, j * stride[1] - pads[1]!];
            let [y1, x1] = [Math.min(y0 + kernel[0], h + pads[0]!), Math.min(x0 + kernel[1], w + pads[1]!)];
            const padded = (y1 - y0) * (x1 - x0);
            [y0, x0, y1, x1] = [Math.max(y0, 0), Math.max(x0, 0), Math.min(y1, h), Math.min(x1, w)];
            if (y0 >= y1 || x0 >= x1) continue;
            let sum = 0;
            for (let y = y0; y < y1; y++)
              for (let z = x0; z < x1; z++) sum = Math.fround(sum + values[(k * h + y) * w + z]!);
            wanted[at] = sum / (divisor ?? (includePad ? padded : (y1 - y0) * (x1 - x0)));
          }
      const what = JSON.stringify({ n, c, h, w, kernel, stride, pads, ceil, includePad, divisor });
      const run = (t: Tensor): Tensor =>
        callOperator("aten::avg_pool2d", [t, kernel, stride, pads, ceil, includePad, divisor]) as Tensor;
      expectBits(run, x, fromData(wanted, [n, c, oh, ow]), what);
    }
  });
});
