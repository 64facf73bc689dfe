/** @file Tensor methods: every operator with a `self`, from the operator registry, and those that speak JavaScript. Upstream: torch/csrc/autograd/python_variable_methods.cpp (generated), torch/_tensor.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { contiguousData } from "../tensor/data.ts";
import { DTYPES, isDifferentiable, type DType } from "../tensor/dtype.ts";
import { LAYOUTS } from "../tensor/format_names.ts";
import { tensorText } from "../tensor/print.ts";
import { disposeStorage, isDisposed } from "../tensor/release.ts";
import { Complex, type Int, type Scalar } from "../tensor/scalar.ts";
import { Tensor, setRequiresGrad } from "../tensor/tensor.ts";
import { traceListener } from "../tensor/trace_listener.ts";
import type { Index, NestedData, NormOptions, UniqueOptions } from "../tensor/tensor_api.ts";
import { callByName, overloadsOf, type OverloadSet } from "./eager_call.ts";
import { norm, unique, uniqueConsecutive } from "./functions.ts";
import { METHOD_NAMES } from "./generated/names.ts";
import { assignTensor, indexTensor } from "./indexing.ts";
import { tensorFromNested, toNested } from "./tensor_data.ts";

type Method = (this: Tensor, ...args: never[]) => unknown;

/**
 * Where the methods are. An object of more than 1020 properties is a hash table for V8, and nothing on it is inlined: what kernels use all the
 * time stays alone on Tensor.prototype, and the methods come behind.
 */
const METHODS: object = Object.create(Object.prototype) as object;
Object.setPrototypeOf(Tensor.prototype, METHODS);

const home = (name: string | symbol): object => (Object.hasOwn(Tensor.prototype, name) ? Tensor.prototype : METHODS);

function define(name: string | symbol, value: Method): void {
  Object.defineProperty(home(name), name, { value, configurable: true, writable: true, enumerable: false });
}

function getter(name: string, get: (this: Tensor) => unknown, set?: (this: Tensor, value: never) => void): void {
  Object.defineProperty(home(name), name, {
    get,
    configurable: true,
    enumerable: false,
    ...(set ? { set } : {}),
  });
}

function installOperators(): void {
  for (const name of METHOD_NAMES.split(/\s+/)) {
    if (name === "") continue;
    let overloads: OverloadSet | undefined;
    define(name, function (...args: unknown[]) {
      return (overloads ??= overloadsOf(name)).call([this, ...args]);
    });
  }
}

const CONVERSIONS: Readonly<Record<string, DType>> = {
  float: DTYPES.float32,
  double: DTYPES.float64,
  half: DTYPES.float16,
  bfloat16: DTYPES.bfloat16,
  long: DTYPES.int64,
  int: DTYPES.int32,
  short: DTYPES.int16,
  char: DTYPES.int8,
  byte: DTYPES.uint8,
  bool: DTYPES.bool,
  cfloat: DTYPES.complex64,
  cdouble: DTYPES.complex128,
};

function typeText(tensor: Tensor): string {
  const sparse = tensor.sparse ? "sparse." : "";
  return `torch.${sparse}${tensor.dtype.cppName}Tensor`;
}

function installConversions(): void {
  for (const [name, dtype] of Object.entries(CONVERSIONS)) {
    define(name, function (options?: Record<string, unknown>) {
      return callByName("to", options ? [this, dtype, options] : [this, dtype]);
    });
  }
  define("type", function (dtype?: DType) {
    return dtype ? callByName("to", [this, dtype]) : typeText(this);
  });
  define("new_tensor", function (data: NestedData, options: { dtype?: DType; requires_grad?: boolean } = {}) {
    const tensor = tensorFromNested(data, options.dtype ?? this.dtype);
    setRequiresGrad(tensor, options.requires_grad ?? false);
    return tensor;
  });
}

function matrixOnly(tensor: Tensor, name: string): Tensor {
  if (tensor.ndim !== 2 && tensor.ndim !== 0)
    throw new OperatorError(
      `tensor.${name} is only supported on matrices (2-D tensors). Got ${tensor.ndim}-D tensor.${
        tensor.ndim > 2 ? ` For batches of matrices, consider using tensor.m${name}` : ""
      }`,
    );
  return tensor;
}

function installProperties(): void {
  const attribute = (name: string, operator: string): void =>
    getter(name, function () {
      return callByName(operator, [this]);
    });
  attribute("T", "numpy_T");
  attribute("mT", "mT");
  attribute("mH", "mH");
  attribute("imag", "imag");
  getter("H", function () {
    return callByName("matrix_H", [matrixOnly(this, "H")]);
  });
  getter("real", function () {
    return callByName("real", [this]);
  });
  getter(
    "requires_grad",
    function () {
      return this.requiresGrad;
    },
    function (value: boolean) {
      if (value && !isDifferentiable(this.dtype))
        throw new OperatorError("only Tensors of floating point and complex dtype can require gradients");
      callByName("requires_grad_", [this, value]);
    },
  );
  getter("grad", function () {
    return this.autograd?.grad ?? null;
  });
  getter("is_leaf", function () {
    return !this.autograd?.gradFn;
  });
  getter("output_nr", function () {
    return this.autograd?.outputNr ?? 0;
  });
  getter("retains_grad", () => false);
  getter("_version", function () {
    return this.storage.version;
  });
  getter("layout", function () {
    return LAYOUTS[this.sparse?.layout ?? "strided"];
  });
  getter("itemsize", function () {
    return this.dtype.itemsize;
  });
  getter("nbytes", function () {
    return this.numel * this.dtype.itemsize;
  });
  getter("is_cpu", function () {
    return this.device.type === "cpu";
  });
  getter("is_cuda", function () {
    return this.device.type === "cuda";
  });
  getter("is_meta", function () {
    return this.device.type === "meta";
  });
  getter("is_sparse", function () {
    return this.sparse?.layout === "sparse_coo";
  });
  getter("is_quantized", function () {
    return this.dtype.category === "quantized";
  });
  getter("isDisposed", function () {
    return isDisposed(this.storage);
  });
}

/** Nested data as JSON can hold it. */
function jsonOf(value: NestedData): unknown {
  if (typeof value === "bigint") return String(value);
  if (value instanceof Complex) return [value.re, value.im];
  return Array.isArray(value) ? value.map((item) => jsonOf(item as NestedData)) : value;
}

function installJavaScript(): void {
  define("toString", function () {
    return tensorText(this);
  });
  define(Symbol.for("nodejs.util.inspect.custom"), function () {
    return isDisposed(this.storage) ? "tensor(<disposed>)" : this.toString();
  });
  define("toJSON", function () {
    return jsonOf(toNested(this));
  });
  define("tolist", function () {
    traceListener()?.readValues("a JavaScript array");
    return toNested(this);
  });
  define("data", function () {
    traceListener()?.readValues("a typed array");
    return contiguousData(this);
  });
  define("item", function () {
    traceListener()?.readValues("a JavaScript number");
    if (this.numel !== 1) throw new OperatorError(`a Tensor with ${this.numel} elements cannot be converted to Scalar`);
    let value = toNested(this);
    while (Array.isArray(value)) value = value[0] as NestedData;
    return value;
  });
  define("at", function (...index: Index[]) {
    return indexTensor(this, index);
  });
  define("get", function (...index: Int[]) {
    return indexTensor(this, index);
  });
  define("set", function (index: readonly Index[] | Index, value: Tensor | Scalar | readonly NestedData[]) {
    assignTensor(this, Array.isArray(index) ? (index as Index[]) : [index as Index], value);
    return this;
  });
  define(Symbol.iterator, function () {
    if (this.ndim === 0) throw new OperatorError("iteration over a 0-d tensor");
    return (callByName("unbind", [this, 0]) as Tensor[])[Symbol.iterator]();
  });
  define("dispose", function () {
    disposeStorage(this.storage);
  });
  define(Symbol.dispose, function () {
    disposeStorage(this.storage);
  });
  define(Symbol.toPrimitive, function (hint: string) {
    if (hint === "string") return this.toString();
    throw new TypeError(
      "Cannot use a Tensor with an operator such as + or <: JavaScript has no operators for tensors. Call a method: " +
        "x.add(y), x.sub(y), x.mul(y), x.div(y), x.neg(), x.eq(y), x.lt(y), x.gt(y); x.item() is the number of a one-element tensor",
    );
  });
  define("valueOf", function () {
    return this;
  });
}

function installPythonMethods(): void {
  define("where", function (condition: Tensor, other: Tensor | Scalar) {
    return callByName("where", [condition, this, other]);
  });
  define("polygamma", function (n: Int) {
    return callByName("polygamma", [n, this]);
  });
  define("nelement", function () {
    return callByName("numel", [this]);
  });
  define("ndimension", function () {
    return this.ndim;
  });
  define("unique", function (options?: UniqueOptions) {
    return unique(this, options);
  });
  define("unique_consecutive", function (options?: UniqueOptions) {
    return uniqueConsecutive(this, options);
  });
  define("norm", function (p?: NormOptions["p"], dim?: NormOptions["dim"], keepdim?: boolean, dtype?: DType) {
    return norm(this, p, dim, keepdim, dtype);
  });
}

let isInstalled = false;

/** Puts the methods on Tensor. Operators that the class has as a property keep the property. Idempotent. */
export function installTensorMethods(): void {
  if (isInstalled) return;
  isInstalled = true;
  // platforms before `using`: a compiled `using` looks the symbol up at run time
  if (!Reflect.has(Symbol, "dispose")) Object.defineProperty(Symbol, "dispose", { value: Symbol("Symbol.dispose") });
  installJavaScript();
  installPythonMethods();
  installConversions();
  installProperties();
  installOperators();
}
