/** @file Whole tensors to and from typed arrays; strided iteration; writing results. */
import { describe, expect, test } from "vitest";
import { copyInto, growStorage, resizeTensorTo, writeInplaceResult, writeOutResult } from "../../src/tensor/copy.ts";
import { contiguousData, fromData } from "../../src/tensor/data.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { getElement, setElement } from "../../src/tensor/elements.ts";
import { elementOffsets, forEachStrided, outputStrides } from "../../src/tensor/iterate.ts";
import { Complex } from "../../src/tensor/scalar.ts";
import { viewOf } from "../../src/tensor/tensor.ts";

const matrix = () => fromData([0, 1, 2, 3, 4, 5], [2, 3]);
const transposed = () => viewOf(matrix(), [3, 2], [1, 3]);

describe("contiguousData()", () => {
  test("gives a view of contiguous float32 elements without a copy", () => {
    const t = matrix();
    const data = contiguousData(t);
    expect(data.buffer).toBe(t.storage.segment.f32.buffer);
    expect([...data]).toEqual([0, 1, 2, 3, 4, 5]);
  });
  test("gathers strided elements in row-major order", () => {
    expect([...contiguousData(transposed())]).toEqual([0, 3, 1, 4, 2, 5]);
  });
  test("gives float64 for safe int64 and bigints beyond", () => {
    expect(contiguousData(fromData([1, -2], [2], DTYPES.int64))).toEqual(Float64Array.of(1, -2));
    expect(contiguousData(fromData([2n ** 62n, -1n], [2], DTYPES.int64))).toEqual(BigInt64Array.of(2n ** 62n, -1n));
  });
  test("applies the conj bit", () => {
    const t = fromData([1, 2], [1], DTYPES.complex64);
    t.isConj = true;
    expect([...contiguousData(t)]).toEqual([1, -2]);
    expect(getElement(t, 0)).toEqual(new Complex(1, -2));
  });
});

test("fromData() rounds to nearest even, truncates and wraps around", () => {
  expect([...contiguousData(fromData([2049, 2051, 65520], [3], DTYPES.float16))]).toEqual([2048, 2052, Infinity]);
  expect([...contiguousData(fromData([1.9, -1.9, 300], [3], DTYPES.uint8))]).toEqual([1, 255, 44]);
  expect([...contiguousData(fromData([0, 0.5], [2], DTYPES.bool))]).toEqual([0, 1]);
});

test("setElement() writes through strides", () => {
  const t = transposed();
  setElement(t, 1, 9);
  expect([...contiguousData(t)]).toEqual([0, 9, 1, 4, 2, 5]);
});

test("forEachStrided() visits broadcast operands in row-major order", () => {
  const a = transposed();
  const row = fromData([10, 20], [2]);
  const sums: number[] = [];
  forEachStrided([a, row], (i, j) => sums.push(a.storage.segment.f32[i]! + row.storage.segment.f32[j]!));
  expect(sums).toEqual([10, 23, 11, 24, 12, 25]);
  expect([...elementOffsets(a)].map((i) => i - a.base0)).toEqual([0, 3, 1, 4, 2, 5]);
});

test("outputStrides() keeps the inputs' dimension order", () => {
  expect(outputStrides([transposed(), transposed()], [3, 2])).toEqual([1, 3]);
  expect(outputStrides([transposed(), fromData([1, 2], [2])], [3, 2])).toEqual([1, 3]);
});

describe("copyInto()", () => {
  test("reads before it writes when views share elements", () => {
    const t = fromData([1, 2, 3, 4], [2, 2]);
    expect(() => copyInto(t, viewOf(t, [2, 2], [1, 2]))).toThrow(
      "some elements of the input tensor and the written-to tensor refer to a single memory location",
    );
  });
  test("refuses to write to an expanded tensor", () => {
    const t = viewOf(fromData([1], [1]), [3], [0]);
    expect(() => copyInto(t, fromData([1, 2, 3], [3]))).toThrow(
      "more than one element of the written-to tensor refers to a single memory location",
    );
  });
  test("counts the write", () => {
    const t = matrix();
    copyInto(t, fromData([7], []));
    expect([t.storage.version, ...contiguousData(t)]).toEqual([1, 7, 7, 7, 7, 7, 7]);
  });
});

test("writeInplaceResult() throws PyTorch's texts on shape and dtype", () => {
  expect(() => writeInplaceResult(fromData([1, 2], [2]), fromData([1, 2, 3, 4], [2, 2]))).toThrow(
    "output with shape [2] doesn't match the broadcast shape [2, 2]",
  );
  expect(() => writeInplaceResult(fromData([1], [1], DTYPES.int64), fromData([1], [1]))).toThrow(
    "result type Float can't be cast to the desired output type Long",
  );
});

test("writeOutResult() resizes and converts", () => {
  const out = fromData([], [0], DTYPES.float64);
  writeOutResult(out, matrix());
  expect([out.sizes, [...contiguousData(out)]]).toEqual([
    [2, 3],
    [0, 1, 2, 3, 4, 5],
  ]);
});

test("growStorage() keeps bytes and serves every view", () => {
  const t = matrix();
  const view = viewOf(t, [2], [1]);
  growStorage(t.storage, 100_000);
  expect([...contiguousData(view)]).toEqual([0, 1]);
  resizeTensorTo(t, [1000, 20]);
  expect(getElement(t, 5)).toBe(5);
});
