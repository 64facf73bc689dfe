/** @file Copies between layouts move every element to its place, over random permutations, slices and dtypes. */
import { expect, test } from "vitest";
import { copyInto } from "../../src/tensor/copy.ts";
import { fromData } from "../../src/tensor/data.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { contiguousStrides, numelOf } from "../../src/tensor/strides.ts";
import { emptyTensor, viewOf, type Tensor } from "../../src/tensor/tensor.ts";

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
