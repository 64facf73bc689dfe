/** @file Types of JavaScript values as attributes. Texts of refusals: PyTorch 2.13. */
import { describe, expect, test } from "vitest";
import { Complex, DTYPES, Device, Float, annotationStr, nn, torch } from "../../../src/index.ts";
import { inferType } from "../../../src/jit/scripting/infer_type.ts";

const typeOf = (value: unknown): string | undefined => {
  const { type, reason } = inferType(value);
  return type === undefined ? reason : annotationStr(type);
};

test.each([
  [1, "int"],
  [1.5, "float"],
  [new Float(1), "float"],
  [-0, "float"],
  [Infinity, "float"],
  [2n ** 62n, "int"],
  [true, "bool"],
  ["a", "str"],
  [null, "NoneType"],
  [new Complex(1, 2), "complex"],
  [new Device("cpu", undefined), "Device"],
  [DTYPES.float32, "int"],
  [[1, 2], "List[int]"],
  [[1, 2.5], "List[float]"],
  [[null, 1], "List[Optional[int]]"],
  [[[1], [2, 3]], "List[List[int]]"],
  [[1, "a"], "Tuple[int, str]"],
  [Object.freeze([1, 2]), "Tuple[int, int]"],
  [Object.freeze([]), "Tuple[()]"],
  [{ a: 1.5 }, "Dict[str, float]"],
  [new Map([[1, "a"]]), "Dict[int, str]"],
])("%o is a %s", (value, type) => {
  expect(typeOf(value)).toBe(type);
});

test("tensors, alone and in containers", () => {
  expect(typeOf(torch.ones([1]))).toBe("Tensor");
  expect(typeOf([torch.ones([1]), null])).toBe("List[Optional[Tensor]]");
  expect(typeOf(new nn.Parameter(torch.ones([1])))).toBe("Tensor");
});

describe("what has no type is refused as in PyTorch", () => {
  test.each([
    [[], "List trace inputs must have elements"],
    [{}, "Dictionary inputs must have entries"],
    [[[1], []], "Could not infer type of list element: List trace inputs must have elements"],
    [{ a: 1, b: "x" }, "Dictionary inputs to traced functions must have consistent type. Found int and str"],
    [
      new Set([1]),
      "Only tensors and (possibly nested) tuples of tensors, lists, or dicts are supported as inputs or outputs of traced functions, but instead got value of type Set.",
    ],
  ])("%o", (value, reason) => {
    expect(typeOf(value)).toBe(reason);
  });
  test("modules in arrays", () => {
    expect(typeOf([new nn.ReLU()])).toBe(
      "Could not infer type of list element: Cannot infer concrete type of torch.nn.Module",
    );
  });
});

test("a declared type goes first", () => {
  expect(inferType(1, { kind: "Float" })).toEqual({ type: { kind: "Float" }, value: 1 });
  expect(inferType("a", { kind: "Float" }).reason).toBe("expected a value of type 'float', found string");
});
