/** @file Tensor methods: every operator with a `self`, from the operator registry, and the few that speak JavaScript. Upstream: torch/csrc/autograd/python_variable_methods.cpp (generated). Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { operatorNames, schemasFor } from "../core/operator_registry.ts";
import { contiguousData } from "../tensor/data.ts";
import { tensorText } from "../tensor/print.ts";
import { Tensor } from "../tensor/tensor.ts";
import { callByName } from "./eager_call.ts";
import { toNested, type NestedData } from "./tensor_data.ts";

declare module "../tensor/tensor.ts" {
  interface Tensor {
    /** PyTorch's text, `tensor([[1., 2.]])`. */
    toString(): string;
    /** Nested arrays; a plain value for a zero-dim tensor. */
    tolist(): NestedData;
    /** The one element. Throws OperatorError where there is not exactly one. */
    item(): NestedData;
    /** The elements, row-major, in a typed array (float16 and bfloat16 as float32, complex as pairs). A view where the tensor is contiguous. */
    data(): ReturnType<typeof contiguousData>;
  }
}

function define(name: string, value: (this: Tensor, ...args: never[]) => unknown): void {
  Object.defineProperty(Tensor.prototype, name, { value, configurable: true, writable: true, enumerable: false });
}

/** Puts the methods on Tensor. Operators that the class has as a property keep the property. */
export function installTensorMethods(): void {
  for (const qualified of operatorNames()) {
    const [namespace, name] = qualified.split("::");
    if (namespace !== "aten" || name === undefined || name in Tensor.prototype || FIELDS.has(name)) continue;
    if (!schemasFor(qualified).some((s) => s.args[0]?.name === "self" && s.args[0].type.kind === "Tensor")) continue;
    define(name, function (...args: unknown[]) {
      return callByName(name, [this, ...args]);
    });
  }
  define("toString", function () {
    return tensorText(this);
  });
  define("tolist", function () {
    return toNested(this);
  });
  define("data", function () {
    return contiguousData(this);
  });
  define("item", function () {
    if (this.numel !== 1) throw new OperatorError(`a Tensor with ${this.numel} elements cannot be converted to Scalar`);
    let value = toNested(this);
    while (Array.isArray(value)) value = value[0] as NestedData;
    return value;
  });
}

const FIELDS = new Set(["storage", "dtype", "sizes", "strides", "numel", "device", "data", "item"]);
