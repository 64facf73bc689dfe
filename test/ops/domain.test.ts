/** @file Losses, distances, linear algebra, quantized and sparse operators against recorded answers of real PyTorch. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { callOperator, findOperatorByKey } from "../../src/core/operator_registry.ts";
import "../../src/ops/index.ts";
import { fromData, toComplexArrays, toFloat64Array } from "../../src/tensor/data.ts";
import { DTYPES, type DTypeName } from "../../src/tensor/dtype.ts";
import { fromIntegers, integersOf } from "../../src/tensor/kernels/quantized.ts";
import { boxFloat } from "../../src/tensor/scalar.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { sparseTensor } from "../../src/ops/sparse.ts";

interface Encoded {
  readonly t: "tensor" | "dtype" | "float";
  readonly v: string;
  readonly dtype: DTypeName;
  readonly sizes: number[];
  readonly data: string;
  readonly scale?: number;
  readonly zeroPoint?: number;
  readonly scales?: Encoded;
  readonly zeroPoints?: Encoded;
  readonly axis?: number;
  readonly indices?: Encoded;
  readonly values?: Encoded;
  readonly coalesced?: boolean;
}
interface Case {
  readonly key: string;
  readonly args: unknown[];
  readonly expected?: unknown;
  readonly raises?: string;
  readonly tolerance?: [number, number];
}

function numbers(base64: string): Float64Array {
  const bytes = new Uint8Array(Buffer.from(base64, "base64"));
  return new Float64Array(bytes.buffer, 0, bytes.length / 8);
}

function tensorOf(e: Encoded): Tensor {
  if (e.indices) return sparseTensor(tensorOf(e.indices), tensorOf(e.values!), e.sizes, e.coalesced!);
  const dtype = DTYPES[e.dtype];
  const values = numbers(e.data);
  if (e.scale !== undefined)
    return fromIntegers(values, e.sizes, dtype, {
      scheme: "per_tensor_affine",
      scale: e.scale,
      zeroPoint: e.zeroPoint!,
    });
  if (e.scales)
    return fromIntegers(values, e.sizes, dtype, {
      scheme: "per_channel_affine",
      scales: tensorOf(e.scales),
      zeroPoints: tensorOf(e.zeroPoints!),
      axis: e.axis!,
    });
  return fromData(values, e.sizes, dtype);
}

function argument(value: unknown, type: string): unknown {
  if (Array.isArray(value)) return value.map((v) => argument(v, type));
  if (value === null || typeof value !== "object") return value;
  const e = value as Encoded;
  if (e.t === "tensor") return tensorOf(e);
  if (e.t === "dtype") return DTYPES[e.v as DTypeName].id;
  const n = e.v === "inf" ? Infinity : Number(e.v);
  return type === "NumberType" || type === "Number" ? boxFloat(n) : n;
}

// kernels compute in float64 and round once; PyTorch accumulates in the dtype
const TOLERANCE: Partial<Record<DTypeName, [number, number]>> = {
  float32: [2e-5, 2e-5],
  complex64: [3e-5, 3e-5],
  float64: [1e-9, 1e-9],
};

function flat(t: Tensor): Float64Array {
  if (t.dtype.category === "quantized") return integersOf(t);
  if (t.dtype.category !== "complex") return toFloat64Array(t);
  const { re, im } = toComplexArrays(t);
  return Float64Array.from({ length: 2 * t.numel }, (_, i) => (i % 2 === 0 ? re : im)[i >> 1]!);
}

function check(actual: unknown, expected: unknown, tolerance: [number, number] | undefined): void {
  if (Array.isArray(expected)) {
    expect(actual).toHaveLength(expected.length);
    expected.forEach((e, i) => check((actual as unknown[])[i], e, tolerance));
    return;
  }
  if (!(actual instanceof Tensor)) {
    const e = expected as Encoded | null;
    expect(actual).toEqual(e !== null && typeof e === "object" ? expect.closeTo(Number(e.v), 6) : e);
    return;
  }
  const e = expected as Encoded;
  expect(actual.dtype.name).toBe(e.dtype);
  expect(actual.sizes).toEqual(e.sizes);
  if (e.indices) {
    const parts = actual.sparse;
    if (parts?.layout !== "sparse_coo") throw new Error("expected a sparse tensor");
    expect(parts.coalesced).toBe(e.coalesced);
    check(parts.indices, e.indices, tolerance);
    check(parts.values, e.values, tolerance);
    return;
  }
  if (e.scale !== undefined)
    expect(actual.quantizer).toEqual({ scheme: "per_tensor_affine", scale: e.scale, zeroPoint: e.zeroPoint });
  const [rtol, atol] = tolerance ?? TOLERANCE[e.dtype] ?? [0, 0];
  const [got, want] = [flat(actual), numbers(e.data)];
  want.forEach((w, i) => {
    const g = got[i]!;
    if (g === w || (Number.isNaN(g) && Number.isNaN(w))) return;
    if (!(Math.abs(g - w) <= atol + rtol * Math.abs(w))) throw new Error(`element ${i} is ${g}, expected ${w}`);
  });
}

const cases = JSON.parse(readFileSync(new URL("samples/domain.json", import.meta.url), "utf8")) as Case[];
const byKey = new Map<string, Case[]>();
for (const c of cases) byKey.set(c.key, [...(byKey.get(c.key) ?? []), c]);

test.each([...byKey.keys()])("%s answers as PyTorch does", (key) => {
  for (const c of byKey.get(key)!) {
    const { schema } = findOperatorByKey(key)!;
    const args = c.args.map((a, i) => argument(a, schema.args[i]!.type.kind));
    if (c.raises !== undefined) expect(() => callOperator(key, args)).toThrow(c.raises);
    else check(callOperator(key, args), c.expected, c.tolerance);
  }
});
