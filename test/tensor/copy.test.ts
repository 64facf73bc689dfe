/** @file Copies between layouts move every element to its place, over random permutations, slices and dtypes. */
import { afterAll, describe, expect, test } from "vitest";
import { copyInto } from "../../src/tensor/copy.ts";
import { fromData } from "../../src/tensor/data.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { kernelBuild, setKernelBuild, supportedKernelBuilds } from "../../src/tensor/kernels/wasm/build.ts";
import { releaseTemporary, runForTemporary } from "../../src/tensor/temporaries.ts";
import { contiguousStrides, numelOf } from "../../src/tensor/strides.ts";
import { emptyTensor, viewOf, type Tensor } from "../../src/tensor/tensor.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));

let state = 4;
function integer(low: number, high: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return low + Math.floor((state / 2 ** 32) * (high - low + 1));
}

/** A tensor of random layout: a permuted view of a part of a larger one. */
function scattered(sizes: readonly number[], make: (numel: number) => Tensor): Tensor {
  const order = sizes.map((_, d) => d);
  for (let i = order.length - 1; i > 0; i--) {
    const j = integer(0, i);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  const room = order.map((d) => sizes[d]! + integer(0, 2));
  const strides = contiguousStrides(room);
  const base = make(numelOf(room) + 3);
  const own = new Array<number>(sizes.length);
  order.forEach((d, i) => (own[d] = strides[i]!));
  return viewOf(base, sizes, own, base.storageOffset + integer(0, 3));
}

const elements = {
  uint8: (t: Tensor) => t.storage.segment.u8,
  float16: (t: Tensor) => t.storage.segment.u16,
  float32: (t: Tensor) => t.storage.segment.u32,
  float64: (t: Tensor) => t.storage.segment.f64,
  int64: (t: Tensor) => t.storage.segment.i64,
} as const;

test.each(Object.keys(elements) as (keyof typeof elements)[])("%s", (name) => {
  const dtype = DTYPES[name];
  for (let round = 0; round < 60; round++) {
    const ndim = integer(1, 4);
    const sizes = Array.from({ length: ndim }, () =>
      integer(0, 2) === 0 ? integer(1, 3) : integer(1, ndim > 2 ? 40 : 90),
    );
    const from = scattered(sizes, (n) =>
      fromData(
        Array.from({ length: n }, () => integer(0, 200)),
        [n],
        dtype,
      ),
    );
    const to = scattered(sizes, (n) => emptyTensor([n], dtype));
    copyInto(to, from);
    const [a, b] = [elements[name](to), elements[name](from)];
    const index = new Array<number>(ndim).fill(0);
    for (let i = 0; i < numelOf(sizes); i++) {
      const place = (t: Tensor): number => t.base0 + index.reduce((sum, at, d) => sum + at * t.strides[d]!, 0);
      if (a[place(to)] !== b[place(from)]) throw new Error(`${sizes.join()}: element ${index.join()}`);
      for (let d = ndim - 1; d >= 0 && ++index[d]! === sizes[d]; d--) index[d] = 0;
    }
    // what lies beside the view stays as it was
    const all = elements[name](to);
    let others = 0;
    for (let i = 0; i < to.storage.nbytes / dtype.itemsize; i++)
      if (Number(all[to.storage.byteOffset / dtype.itemsize + i]) !== 0) others++;
    expect(others).toBeLessThanOrEqual(numelOf(sizes));
  }
});

const NAMES = ["float32", "float64", "float16", "int64", "int32", "int16", "uint8", "bool"] as const;
const SPECIAL = [
  0,
  -0,
  1,
  -1,
  2.5,
  -2.5,
  255,
  256,
  NaN,
  Infinity,
  -Infinity,
  2147483647,
  2147483648,
  -2147483648,
  -2147483649,
  -2147483648.5,
  4294967296,
  2 ** 53 + 2,
  -(2 ** 53),
  2 ** 63,
  -(2 ** 63),
  1e30,
  1e-45,
  16777217,
];

// elements that do not lie side by side go through the loops that define the conversions
test.each(NAMES.flatMap((from) => NAMES.map((to) => [from, to] as const)))(
  "%s to %s, side by side and apart",
  (a, b) => {
    const values = Array.from({ length: 300 }, (_, i) => SPECIAL[i] ?? integer(-70000, 70000) / 4);
    const all = emptyTensor([values.length], DTYPES[a]);
    copyInto(all, fromData(values, [values.length], DTYPES.float64));
    const from = viewOf(all, [values.length - 3], [1], 3);
    const near = emptyTensor(from.sizes, DTYPES[b]);
    const far = viewOf(emptyTensor([2 * from.numel], DTYPES[b]), from.sizes, [2]);
    copyInto(near, from);
    copyInto(far, from);
    const [x, y] = [near.storage.segment, far.storage.segment];
    const key = DTYPES[b].array;
    for (let i = 0; i < from.numel; i++) {
      for (const k of b === "int64" ? [0, 1] : [0]) {
        const [p, q] =
          b === "int64" ? [2 * (near.base0 + i) + k, 2 * (far.base0 + 2 * i) + k] : [near.base0 + i, far.base0 + 2 * i];
        const [got, wanted] = b === "int64" ? [x.i32[p], y.i32[q]] : [x[key][p], y[key][q]];
        expect(Object.is(got, wanted), `${values[i + 3]}: ${got}, not ${wanted}`).toBe(true);
      }
    }
  },
);

describe.each(supportedKernelBuilds())("%s kernels", (build) => {
  test("transposed planes of any size and gap, bit for bit, wherever they lie", () => {
    setKernelBuild(build);
    const words = (t: Tensor): Uint32Array => t.storage.segment.u32;
    for (const [rows, columns, rowGap, columnGap] of [
      [32, 32, 0, 0],
      [33, 70, 1, 0],
      [64, 784, 0, 0],
      [785, 61, 0, 3],
      [600, 700, 0, 0],
      [1100, 530, 2, 5],
      [40, 9000, 0, 1],
      [9000, 40, 0, 0],
    ] as const) {
      const fill = (t: Tensor): Tensor => {
        for (let i = 0; i < t.numel; i++) words(t)[t.base0 + i] = Math.imul(i + 1, 2654435761) ^ 0x7f812345;
        return t;
      };
      const make = (height: number, width: number): Tensor => fill(emptyTensor([3, height, width], DTYPES.float32));
      const check = (to: Tensor, from: Tensor): void => {
        const [target, source] = [
          viewOf(to, [2, columns, rows], [columns * (rows + rowGap), rows + rowGap, 1]),
          viewOf(from, [2, columns, rows], [rows * (columns + columnGap), 1, columns + columnGap]),
        ];
        copyInto(target, source);
        for (let n = 0; n < 2; n++)
          for (let j = 0; j < columns; j++)
            for (let i = 0; i < rows; i++) {
              const a = words(to)[to.base0 + (n * columns + j) * (rows + rowGap) + i];
              const b = words(from)[from.base0 + (n * rows + i) * (columns + columnGap) + j];
              if (a !== b) throw new Error(`${rows} x ${columns}: ${n}, ${i}, ${j}`);
            }
        // nothing else is written
        const end = to.base0 + to.numel - 1;
        expect(words(to)[end]).toBe((Math.imul(to.numel, 2654435761) ^ 0x7f812345) >>> 0);
      };
      check(make(columns, rows + rowGap), make(rows, columns + columnGap));
      const [here, there] = [0, 1].map((k) =>
        runForTemporary(() => (k === 0 ? make(rows, columns + columnGap) : make(columns, rows + rowGap)))(),
      ) as [Tensor, Tensor];
      check(there, here);
      releaseTemporary(here);
      releaseTemporary(there);
    }
  });
});
