/** @file Loops of their own (Note [Own loops]) give what shared loops give, for every kernel, dtype, stride and broadcast. */
import { afterEach, describe, expect, test } from "vitest";
import { allowGeneratedCode } from "../../src/base/evaluate.ts";
import { fromData, toFloat64Array } from "../../src/tensor/data.ts";
import { DTYPES, type DTypeName } from "../../src/tensor/dtype.ts";
import { BINARY } from "../../src/tensor/kernels/binary.ts";
import { UNARY } from "../../src/tensor/kernels/unary.ts";
import { map1, map2, map3, type Kernel1, type Kernel2, type Kernel3 } from "../../src/tensor/pointwise.ts";
import { viewOf, type Tensor } from "../../src/tensor/tensor.ts";

afterEach(() => allowGeneratedCode(true));

const SPECIAL = [NaN, Infinity, -Infinity, 0, -0, 1e-45, -1e-40, 3e38, -3e38, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 1, -1];
const values = (count: number, shift: number): number[] =>
  Array.from({ length: count }, (_, i) =>
    i % 3 === 0 ? SPECIAL[(i / 3 + shift) % SPECIAL.length]! : 9 * Math.sin(i * (1.7 + shift)),
  );
const tensor = (sizes: readonly number[], shift: number, dtype: DTypeName = "float32"): Tensor =>
  fromData(
    values(
      sizes.reduce((a, b) => a * b, 1),
      shift,
    ),
    sizes,
    DTYPES[dtype],
  );
/** A transposed part of a larger tensor, with something in front. */
function strided(rows: number, columns: number, shift: number, dtype?: DTypeName): Tensor {
  const whole = tensor([columns + 1, rows + 2], shift, dtype);
  return viewOf(whole, [rows, columns], [1, rows + 2], 3);
}
/** Both ways of a computation. */
function bothWays(compute: () => Tensor): [Tensor, Tensor] {
  allowGeneratedCode(false);
  const shared = compute();
  allowGeneratedCode(true);
  return [compute(), shared];
}
function expectSame(compute: () => Tensor): void {
  const [own, shared] = bothWays(compute);
  expect([own.sizes, own.strides, own.dtype]).toEqual([shared.sizes, shared.strides, shared.dtype]);
  const [x, y] = [toFloat64Array(own), toFloat64Array(shared)];
  const at = x.findIndex((v, i) => !Object.is(v, y[i]));
  if (at >= 0) expect.fail(`element ${at}: ${x[at]} instead of ${y[at]}`);
}

const real = <K extends { real?: unknown }>(kernels: Readonly<Record<string, K>>): [string, K][] =>
  Object.entries(kernels).filter(([name, kernel]) => kernel.real && !/Int$|bitwise|igamma|zeta|gcd|lcm/.test(name));

const PREDICATES = /^(eq|ne|lt|le|gt|ge|logical.*|is.*|signbit)$/;

describe.each(real<Kernel1>(UNARY))("%s", (name, kernel) => {
  test.each(["float32", "float64", "float16"] as const)("%s", (dtype) => {
    const inputs = [tensor([700], 1, dtype), tensor([3, 1, 200], 2, dtype), strided(30, 20, 3, dtype)];
    for (const x of inputs) {
      expectSame(() => map1(x, kernel));
      if (PREDICATES.test(name)) expectSame(() => map1(x, kernel, x.dtype, DTYPES.bool));
    }
  });
});

describe.each(real<Kernel2>(BINARY))("%s", (name, kernel) => {
  test.each(["float32", "float64", "bfloat16", "bool"] as const)("%s", (dtype) => {
    const whole = tensor([4, 15, 20], 1, dtype);
    for (const [a, b] of [
      [whole, tensor([4, 15, 20], 2, dtype)],
      [whole, tensor([20], 2, dtype)],
      [tensor([15, 1], 2, dtype), whole],
      [tensor([], 4, dtype), whole],
      [strided(30, 20, 3, dtype), tensor([30, 20], 2, dtype)],
      [strided(30, 20, 3, dtype), strided(30, 1, 1, dtype)],
      [tensor([4, 1, 20], 5, dtype), tensor([15, 1], 6, dtype)],
      [tensor([2, 1, 5, 1, 6], 5, dtype), tensor([3, 1, 7, 1], 6, dtype)],
    ] as const) {
      expectSame(() => map2(a, b, kernel, a.dtype));
      if (PREDICATES.test(name)) expectSame(() => map2(a, b, kernel, a.dtype, DTYPES.bool));
    }
  });
});

test("three operands, of which one is a truth value or all are", () => {
  const kernel: Kernel3 = { name: "three", real: (a, b, c) => (a !== 0 ? b + 2 * c : c) };
  const mask = tensor([4, 15, 20], 7, "bool");
  for (const dtype of ["float32", "float64", "float16", "bool"] as const) {
    const [x, y] = [tensor([15, 20], 1, dtype), tensor([4, 15, 1], 2, dtype)];
    expectSame(() => map3(mask, x, y, kernel, x.dtype));
    expectSame(() =>
      map3(strided(30, 20, 1, "bool"), strided(30, 20, 3, dtype), tensor([20], 4, dtype), kernel, x.dtype),
    );
    expectSame(() => map3(y, x, mask, kernel, x.dtype));
  }
});

test("bytes that are neither 0 nor 1 are true", () => {
  const [a, b] = [tensor([600], 1, "bool"), tensor([600], 5, "bool")];
  a.storage.bytes().forEach((x, i, all) => (all[i] = x * (1 + (i % 200))));
  for (const kernel of [BINARY.logicalAnd, BINARY.logicalXor, BINARY.eq, BINARY.maximum])
    expectSame(() => map2(a, b, kernel, DTYPES.bool));
});
