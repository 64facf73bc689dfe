/** @file Filling a contiguous tensor with one element, in every dtype and through views. */
import { expect, test } from "vitest";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { copyElements, copyInto } from "../../src/tensor/copy.ts";
import { getElement } from "../../src/tensor/elements.ts";
import { wideScalar } from "../../src/tensor/kernels/data.ts";
import { emptyTensor, viewOf } from "../../src/tensor/tensor.ts";
import { Complex } from "../../src/tensor/scalar.ts";

test.each(
  Object.values(DTYPES)
    .filter((d) => d.category !== "quantized")
    .map((d) => [d.name, d] as const),
)("copyInto() writes one element everywhere and nowhere else: %s", (_, dtype) => {
  for (const [from, count] of [
    [0, 7],
    [3, 1],
    [2, 5],
    [1, 4],
  ] as const) {
    const whole = emptyTensor([7], dtype);
    copyInto(viewOf(whole, [count], [1], from), wideScalar(1));
    const read = Array.from({ length: 7 }, (_v, i) => {
      const value = getElement(whole, i);
      return value instanceof Complex ? value.re : Number(value);
    });
    expect(read).toEqual(Array.from({ length: 7 }, (_v, i) => Number(i >= from && i < from + count)));
  }
});

test("copyElements() of an element of the tensor itself, a NaN with its payload", () => {
  const bits = emptyTensor([5]);
  new Uint32Array(bits.storage.segment.u8.buffer, bits.base0 * 4, 5).set([1, 0x7fc01234, 3, 4, 5]);
  copyElements(bits, viewOf(bits, [], [], bits.storageOffset + 1));
  expect([...new Uint32Array(bits.storage.segment.u8.buffer, bits.base0 * 4, 5)]).toEqual(Array(5).fill(0x7fc01234));
});
