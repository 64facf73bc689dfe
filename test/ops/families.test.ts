/** @file Operator families (views, products, convolutions, norms, pools, indexing) against recorded answers of real PyTorch. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { callOperator, findOperatorByKey } from "../../src/core/operator_registry.ts";
import "../../src/ops/index.ts";
import { contiguousData } from "../../src/tensor/data.ts";
import { DTYPES, type DTypeName } from "../../src/tensor/dtype.ts";
import { boxFloat } from "../../src/tensor/scalar.ts";
import { allocateStorage } from "../../src/tensor/storage.ts";
import { contiguousStrides } from "../../src/tensor/strides.ts";
import { Tensor } from "../../src/tensor/tensor.ts";

interface Encoded {
  readonly t?: string;
  readonly dtype: DTypeName;
  readonly sizes: number[];
  readonly strides: number[];
  readonly offset?: number;
  readonly data: string;
  readonly v?: string;
}
interface Case {
  readonly key: string;
  readonly args: unknown[];
  readonly expected?: unknown;
  readonly raises?: string;
}

function tensorOf(e: Encoded, strides: readonly number[]): Tensor {
  const bytes = new Uint8Array(Buffer.from(e.data, "base64"));
  const storage = allocateStorage(bytes.length);
  storage.bytes().set(bytes);
  return new Tensor(storage, DTYPES[e.dtype], e.sizes, strides, e.offset ?? 0);
}

function argument(value: unknown, type: string): unknown {
  if (Array.isArray(value)) return value.map((v) => argument(v, type));
  if (value === null || typeof value !== "object") return value;
  const e = value as Encoded;
  if (e.t === "tensor") return tensorOf(e, e.strides);
  const number = Number(e.v === "inf" ? Infinity : e.v);
  return e.t === "float" && type !== "Float" ? boxFloat(number) : number;
}

function run(c: Case): unknown {
  const args = findOperatorByKey(c.key)!.schema.args.map((a, i) =>
    i < c.args.length ? argument(c.args[i], a.type.kind) : a.defaultValue,
  );
  return callOperator(c.key, args);
}

// sums of products: PyTorch adds in float32, these kernels in float64, so that float32 results differ by a few ulp of the largest term
const TOLERANCE: Partial<Record<DTypeName, number>> = {
  float32: 1e-5,
  complex64: 1e-5,
  float64: 1e-10,
  bfloat16: 2e-2,
};

function check(actual: unknown, expected: unknown): void {
  if (Array.isArray(expected)) {
    expect(actual).toHaveLength(expected.length);
    expected.forEach((e, i) => check((actual as unknown[])[i], e));
    return;
  }
  if (!(actual instanceof Tensor)) {
    expect(actual).toEqual(expected);
    return;
  }
  const e = expected as Encoded;
  expect({ dtype: actual.dtype.name, sizes: actual.sizes }).toEqual({ dtype: e.dtype, sizes: e.sizes });
  const got = contiguousData(actual);
  const want = contiguousData(tensorOf({ ...e, offset: 0 }, contiguousStrides(e.sizes)));
  const tolerance = TOLERANCE[e.dtype] ?? 0;
  for (let i = 0; i < want.length; i++) {
    if (got[i] === want[i]) continue;
    const [g, w] = [Number(got[i]!), Number(want[i]!)];
    if (typeof want[i] === "bigint") expect(got[i], `element ${i}`).toBe(want[i]);
    if (g === w || (g !== g && w !== w)) continue;
    expect(Math.abs(g - w), `element ${i} is ${g}, expected ${w}`).toBeLessThanOrEqual(tolerance * (1 + Math.abs(w)));
  }
}

const file = (name: string): Case[] =>
  (JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8")) as { cases: Case[] }).cases;
const cases = ["./samples/families.json", "./samples/structure.json"].flatMap(file);

test.each(cases.map((c, i) => [`${i} ${c.key}`, c] as const))("%s gives PyTorch's answer", (_, c) => {
  if (c.raises === undefined) check(run(c), c.expected);
  else expect(() => run(c)).toThrow(c.raises);
});
