/** @file Operators against recorded answers of real PyTorch: values, dtypes, strides, error messages. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { callOperator, findOperatorByKey } from "../../src/core/operator_registry.ts";
import "../../src/ops/index.ts";
import { contiguousData } from "../../src/tensor/data.ts";
import { DTYPES, type DTypeName } from "../../src/tensor/dtype.ts";
import { Complex, boxFloat, normalizeInt } from "../../src/tensor/scalar.ts";
import { allocateStorage } from "../../src/tensor/storage.ts";
import { Tensor } from "../../src/tensor/tensor.ts";

interface Encoded {
  readonly t?: string;
  readonly dtype: DTypeName;
  readonly sizes: number[];
  readonly strides: number[];
  readonly offset?: number;
  readonly data: string;
  readonly v?: string | string[];
}
interface Case {
  readonly key: string;
  readonly args: unknown[];
  readonly expected?: unknown;
  readonly raises?: string;
}

function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, "base64"));
}

function tensorOf(e: Encoded): Tensor {
  const bytes = bytesOf(e.data);
  const storage = allocateStorage(bytes.length);
  storage.bytes().set(bytes);
  return new Tensor(storage, DTYPES[e.dtype], e.sizes, e.strides, e.offset ?? 0);
}

function float(text: string): number {
  return text === "inf" ? Infinity : text === "-inf" ? -Infinity : text === "nan" ? NaN : Number(text);
}

/** An argument as the schema types it: floats are plain where the schema says float, boxed where it says Scalar. */
function argument(value: unknown, type: string): unknown {
  if (Array.isArray(value)) return value.map((v) => argument(v, type));
  if (value === null || typeof value !== "object") return value;
  const e = value as Encoded;
  if (e.t === "tensor") return tensorOf(e);
  if (e.t === "int") {
    const int = normalizeInt(BigInt(e.v as string));
    return type === "Float" ? Number(int) : int;
  }
  if (e.t === "float") return type === "Float" ? float(e.v as string) : boxFloat(float(e.v as string));
  if (e.t === "dtype") return DTYPES[e.v as DTypeName].id;
  const [re, im] = e.v as [string, string];
  return new Complex(float(re), float(im));
}

function run(c: Case): unknown {
  const schema = findOperatorByKey(c.key)!.schema;
  const args = schema.args.map((a, i) => {
    if (i >= c.args.length) return a.defaultValue;
    return argument(c.args[i], a.type.kind);
  });
  return callOperator(c.key, args);
}

const TOLERANCE: Partial<Record<DTypeName, [number, number]>> = {
  float16: [1e-3, 1e-5],
  bfloat16: [1.6e-2, 1e-5],
  float32: [1.3e-6, 1e-6],
  float64: [1e-12, 1e-12],
  complex64: [1.3e-6, 1e-6],
};

function check(actual: unknown, expected: unknown, isExact = false): void {
  if (Array.isArray(expected)) {
    expect(actual).toHaveLength(expected.length);
    (actual as unknown[]).forEach((a, i) => check(a, expected[i], isExact));
    return;
  }
  if (!(actual instanceof Tensor)) {
    expect(actual).toEqual(expected);
    return;
  }
  const e = expected as Encoded;
  expect({ dtype: actual.dtype.name, sizes: actual.sizes, strides: actual.strides }).toEqual({
    dtype: e.dtype,
    sizes: e.sizes,
    strides: e.strides,
  });
  const want = contiguousData(
    new Tensor(
      tensorOf({ ...e, offset: 0 }).storage,
      DTYPES[e.dtype],
      [bytesOf(e.data).length / DTYPES[e.dtype].itemsize],
      [1],
    ),
  );
  const got = contiguousData(actual);
  expect(got.length).toBe(want.length);
  const [rtol, atol] = (!isExact && TOLERANCE[e.dtype]) || [0, 0];
  for (let i = 0; i < got.length; i++) {
    const [g, w] = [Number(got[i]!), Number(want[i]!)];
    if (got[i] === want[i] || (g !== g && w !== w)) continue;
    if (!(Math.abs(g - w) <= atol + rtol * Math.abs(w))) expect.fail(`element ${i} is ${got[i]}, expected ${want[i]}`);
  }
}

function casesOf(name: string): (readonly [string, Case])[] {
  const text = readFileSync(new URL(`./samples/${name}.json`, import.meta.url), "utf8");
  const { cases } = JSON.parse(text) as { cases: Case[] };
  return cases.map((c, i) => [`${i} ${c.key}`, c]);
}

function answer(c: Case, isExact: boolean): void {
  if (c.raises !== undefined) {
    expect(() => run(c)).toThrow(c.raises);
    return;
  }
  check(run(c), c.expected, isExact);
}

describe.each(["layout", "promotion", "conversion", "int64", "errors", "reduction", "op_db"])("%s", (name) => {
  test.each(casesOf(name))("%s gives PyTorch's answer", (_, c) => answer(c, false));
});

describe.each(["padding", "ranges", "scaled_sums", "mended", "formats", "out_dtypes"])("%s", (name) => {
  test.each(casesOf(name))("%s gives PyTorch's answer to the bit", (_, c) => answer(c, true));
});
