/** @file str(tensor) against recorded texts of real PyTorch (made by test/ops/make_samples.py). */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { DTYPES, type DTypeName } from "../../src/tensor/dtype.ts";
import { formatFixed, formatScientific, pythonFloat } from "../../src/base/float_text.ts";
import { tensorText } from "../../src/tensor/print.ts";
import { allocateStorage } from "../../src/tensor/storage.ts";
import { META, Tensor, emptyTensor } from "../../src/tensor/tensor.ts";

interface Case {
  readonly tensor: { dtype: DTypeName; sizes: number[]; strides: number[]; offset: number; data: string };
  readonly requires_grad: boolean;
  readonly text: string;
}

describe("tensorText()", () => {
  const file = JSON.parse(readFileSync(new URL("../ops/samples/print.json", import.meta.url), "utf8")) as {
    cases: Case[];
  };
  test.each(file.cases.map((c, i) => [`${i} ${c.tensor.dtype} [${c.tensor.sizes.join()}]`, c] as const))(
    "%s prints as Python does",
    (_, c) => {
      const bytes = new Uint8Array(Buffer.from(c.tensor.data, "base64"));
      const storage = allocateStorage(bytes.length);
      storage.bytes().set(bytes);
      const t = new Tensor(storage, DTYPES[c.tensor.dtype], c.tensor.sizes, c.tensor.strides, c.tensor.offset);
      t.requiresGrad = c.requires_grad;
      expect(tensorText(t)).toBe(c.text);
    },
  );

  test("prints meta tensors without elements", () => {
    const t = emptyTensor([2, 3]);
    t.device = META;
    expect(tensorText(t)).toBe("tensor(..., device='meta', size=(2, 3))");
  });

  test("prints quantized tensors dequantized", () => {
    const t = emptyTensor([2], DTYPES.quint8);
    t.storage.bytes().set([13, 23]);
    t.quantizer = { scheme: "per_tensor_affine", scale: 0.1, zeroPoint: 3 };
    expect(tensorText(t)).toBe(
      "tensor([1., 2.], size=(2,), dtype=torch.quint8,\n       quantization_scheme=torch.per_tensor_affine, scale=0.1, zero_point=3)",
    );
  });
});

test("formatFixed() rounds exact ties to even", () => {
  expect([formatFixed(0.03125, 4), formatFixed(2.5, 0), formatFixed(-0, 0), formatFixed(1e22, 1)]).toEqual([
    "0.0312",
    "2",
    "-0",
    "10000000000000000000000.0",
  ]);
});

test("formatScientific() writes two exponent digits", () => {
  expect([
    formatScientific(0, 4),
    formatScientific(12345, 2),
    formatScientific(9.9996, 3),
    formatScientific(1e-300, 1),
  ]).toEqual(["0.0000e+00", "1.23e+04", "1.000e+01", "1.0e-300"]);
});

test("pythonFloat() is the shortest repr", () => {
  expect([
    pythonFloat(1),
    pythonFloat(1e16),
    pythonFloat(0.1),
    pythonFloat(1e-5),
    pythonFloat(1.5e-7),
    pythonFloat(123456.789),
  ]).toEqual(["1.0", "1e+16", "0.1", "1e-05", "1.5e-07", "123456.789"]);
});
