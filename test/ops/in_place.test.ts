/** @file In-place forms of operators that are maps write where they read (Note [Maps in place]) and give what their functional form gives. */
import { afterEach, describe, expect, test } from "vitest";
import { OperatorError } from "../../src/base/errors.ts";
import { callOperator, findOperator, operatorNames, schemasFor } from "../../src/core/operator_registry.ts";
import { operatorName } from "../../src/core/schema.ts";
import "../../src/ops/index.ts";
import { fromData } from "../../src/tensor/data.ts";
import { DTYPES, type DTypeName } from "../../src/tensor/dtype.ts";
import { contiguousStrides, numelOf } from "../../src/tensor/strides.ts";
import { setStorageSource } from "../../src/tensor/storage.ts";
import { emptyTensor, viewOf, type Tensor } from "../../src/tensor/tensor.ts";

afterEach(() => void setStorageSource(undefined));

/** Arguments behind the first, where there are no defaults. */
const MORE: Readonly<Record<string, readonly unknown[]>> = {
  "aten::clamp": [-0.5, 0.75],
  "aten::clamp_min": [0.25],
  "aten::clamp_max": [0.25],
  "aten::add": [1.5, 3],
  "aten::sub": [1.5, 3],
  "aten::mul": [1.5],
  "aten::div": [1.5],
};
const SPECIAL = [NaN, Infinity, -Infinity, 0, -0, 1e-45, 3e38, -3e38];
const FLOATS = SPECIAL.concat(Array.from({ length: 600 }, (_, i) => 8 * Math.sin(i * i)));

/** Every in-place operator whose functional form is a map, with both keys and the arguments behind the first. */
const cases = operatorNames()
  .flatMap((name) => schemasFor(name))
  .filter((schema) => schema.args.filter((a) => a.type.kind === "Tensor").length === 1)
  .filter((schema) => findOperator(schema)?.isMap === true)
  .flatMap((schema) => {
    const inPlace = schemasFor(`${schema.name}_`).find((s) => s.args.length === schema.args.length);
    const more = MORE[schema.name] ?? schema.args.slice(1).map((a) => a.defaultValue);
    return inPlace ? [[operatorName(inPlace), operatorName(schema), more] as const] : [];
  });

/** `count` elements of a storage with some in front and behind. */
function within(count: number, dtype: DTypeName = "float32", values: readonly number[] = FLOATS): Tensor {
  const all = Array.from({ length: count + 8 }, (_, i) => values[i % values.length]!);
  const base = fromData(all, [count + 8], DTYPES[dtype]);
  return viewOf(base, [count], [1], base.storageOffset + 5);
}
const bytesOf = (t: Tensor): number[] => [...t.storage.bytes()];
/** The bytes of the storage of `self` after its elements were replaced by those of the functional form. */
function wantedBytes(self: Tensor, functional: string, more: readonly unknown[]): number[] {
  const before = bytesOf(self);
  const result = callOperator(functional, [self, ...more]) as Tensor;
  if (result.dtype !== self.dtype) throw new OperatorError("can't be cast to the desired output type");
  callOperator("aten::copy_", [self, result, false]);
  const wanted = bytesOf(self);
  self.storage.bytes().set(before);
  return wanted;
}

test("there are in-place forms of the activations that networks use", () => {
  const names = cases.map(([name]) => name);
  const used =
    "relu relu6 silu hardswish hardsigmoid hardtanh sigmoid tanh exp elu leaky_relu gelu mish clamp sqrt neg";
  for (const name of used.split(" ")) expect(names).toContain(`aten::${name}_`);
});

describe.each(cases)("%s", (inPlace, functional, more) => {
  test.each([1, 50, 63, 64, 600, 20_001])("writes where it reads: %i elements", (count) => {
    const self = within(count);
    const wanted = wantedBytes(self, functional, more);
    const { version } = self.storage;
    let allocated = 0;
    setStorageSource(() => void allocated++);
    expect(callOperator(inPlace, [self, ...more])).toBe(self);
    expect(allocated).toBe(0);
    expect(self.storage.version).toBe(version + 1);
    expect(bytesOf(self)).toEqual(wanted);
  });

  test("gives the same for strides, other dtypes, and nothing at all", () => {
    const odd = within(600);
    const half = viewOf(odd, [20, 15], [1, 40], odd.storageOffset);
    const whole = [0, 1, 2, 3, 5, 8];
    for (const self of [
      half,
      within(70, "float64"),
      within(70, "bfloat16"),
      within(70, "int32", whole),
      within(70, "bool", [0, 1]),
      emptyTensor([0, 3], DTYPES.float32),
    ]) {
      let wanted: number[];
      try {
        wanted = wantedBytes(self, functional, more);
      } catch (cause) {
        expect(() => callOperator(inPlace, [self, ...more])).toThrow((cause as Error).message);
        continue;
      }
      callOperator(inPlace, [self, ...more]);
      expect(bytesOf(self)).toEqual(wanted);
    }
  });
});

describe.each(["add", "sub", "mul", "div"])("aten::%s_.Tensor", (name) => {
  const more = name === "add" || name === "sub" ? [1] : [];
  const other = (sizes: readonly number[]): Tensor => {
    const t = within(numelOf(sizes));
    return viewOf(t, sizes, contiguousStrides(sizes), t.storageOffset);
  };
  type Case = readonly [string, readonly number[], (self: Tensor) => Tensor, isInPlace: boolean];
  test.each<Case>([
    ["a tensor", [40, 50], () => other([40, 50]), true],
    ["a small tensor", [3, 5], () => other([3, 5]), true],
    ["one number", [40, 50], () => other([]), true],
    ["rows", [40, 50], () => other([50]), true],
    ["a number for each row", [40, 50], () => other([40, 1]), true],
    ["a number for each plane", [2, 6, 9, 9], () => other([2, 6, 1, 1]), true],
    ["a transposed tensor", [40, 50], () => viewOf(other([50, 40]), [40, 50], [1, 40]), true],
    ["itself", [40, 50], (self) => self, true],
    ["itself, transposed", [45, 45], (self) => viewOf(self, [45, 45], [1, 45], self.storageOffset), false],
    ["an element of itself", [40, 50], (self) => viewOf(self, [], [], self.storageOffset + 7), false],
    ["a row of itself", [40, 50], (self) => viewOf(self, [50], [1], self.storageOffset + 50), false],
    ["its neighbours", [40, 50], (self) => viewOf(self, [40, 50], [50, 1], self.storageOffset + 1), false],
  ])("%s", (_what, sizes, second, isInPlace) => {
    const self = other(sizes);
    const operand = second(self);
    const wanted = wantedBytes(self, `aten::${name}.Tensor`, [operand, ...more]);
    const { version } = self.storage;
    let allocated = 0;
    setStorageSource(() => void allocated++);
    expect(callOperator(`aten::${name}_.Tensor`, [self, operand, ...more])).toBe(self);
    setStorageSource(undefined);
    expect(allocated > 0).toBe(!isInPlace);
    expect(self.storage.version).toBe(version + 1);
    expect(bytesOf(self)).toEqual(wanted);
  });

  test("a tensor that does not fit is refused, and nothing is written", () => {
    const self = other([1, 50]);
    const before = bytesOf(self);
    const call = (): unknown => callOperator(`aten::${name}_.Tensor`, [self, other([40, 50]), ...more]);
    expect(call).toThrow("doesn't match the broadcast shape");
    expect(bytesOf(self)).toEqual(before);
  });
});

test("a tensor whose elements share memory is refused and stays as it was", () => {
  const base = within(1);
  const self = viewOf(base, [4, 3], [0, 0], base.storageOffset);
  const before = bytesOf(self);
  expect(() => callOperator("aten::silu_", [self])).toThrow("refers to a single memory location");
  expect(bytesOf(self)).toEqual(before);
});

test("a tensor that a kernel refuses does not become the target of the next one", () => {
  const self = within(100);
  expect(() => callOperator("aten::clamp_", [self, null, null])).toThrow("At least one of");
  const before = bytesOf(self);
  callOperator("aten::silu", [self]);
  expect(bytesOf(self)).toEqual(before);
});
