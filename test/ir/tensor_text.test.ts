/** @file Text of tensors as TorchScript's print writes them, against PyTorch's. Upstream: none. Spec: none. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import "../../src/ops/index.ts";
import { formatFixed, formatG, formatScientific } from "../../src/base/float_text.ts";
import { cppTensorText } from "../../src/tensor/cpp_text.ts";
import { DTYPES, type DType } from "../../src/tensor/dtype.ts";
import { emptyTensor, type Tensor } from "../../src/tensor/tensor.ts";

function made(sizes: readonly number[], value: (i: number) => number, dtype: DType = DTYPES.float32): Tensor {
  const tensor = emptyTensor(sizes, dtype);
  const { segment, byteOffset } = tensor.storage;
  for (let i = 0; i < tensor.numel; i++) {
    if (dtype === DTYPES.int64) segment.i64[byteOffset / 8 + i] = BigInt(value(i));
    else segment[dtype.array][tensor.base0 + i] = value(i);
  }
  return tensor;
}
const I = DTYPES.int64;

test("tensors print as in PyTorch", () => {
  const tensors = [
    made([2, 15], (i) => i * 1.5),
    made([2, 30], (i) => i * 1000.5),
    made([2, 2, 25], (i) => (i + 1) * 1e-5),
    made([], () => 1234567.5),
    made([], () => 1 / 3),
    made([], () => 1e20),
    made([], () => 2 ** 60, I),
    made([2, 2, 2], (i) => i, I),
    made([2, 3, 1, 2], (i) => i * 0.5),
    made([2], (i) => [1e200, 1.5][i]!, DTYPES.float64),
    made([2], (i) => [1234567, 1][i]!, I),
    made([], () => -0),
  ];
  const want = readFileSync(new URL("../golden/graph/tensors.txt", import.meta.url), "utf8");
  expect(tensors.map((t) => `${cppTensorText(t)}\n--\n`).join("")).toBe(want);
});

test("numbers print as in C, halves rounded to even", () => {
  expect([formatG(100000.5, 6), formatG(1e6, 6), formatG(0.0001, 6), formatG(0.00001, 6), formatG(-0, 6)]).toEqual([
    "100000",
    "1e+06",
    "0.0001",
    "1e-05",
    "-0",
  ]);
  expect([
    formatFixed(0.5, 0),
    formatFixed(1.5, 0),
    formatFixed(2.5, 0),
    formatFixed(0.125, 2),
    formatFixed(1e22, 1),
    formatFixed(1e-30, 3),
  ]).toEqual(["0", "2", "2", "0.12", "10000000000000000000000.0", "0.000"]);
  expect([formatScientific(12345, 2), formatScientific(0, 4), formatScientific(9.9999, 2)]).toEqual([
    "1.23e+04",
    "0.0000e+00",
    "1.00e+01",
  ]);
});
