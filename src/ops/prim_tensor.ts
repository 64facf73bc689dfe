/** @file Tensors made of lists and scalars, tolist, and the attributes of tensors that scripts read. Upstream: torch/csrc/jit/runtime/register_special_ops.cpp, register_prim_ops.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { emitWarning } from "../base/sinks.ts";
import { parseDevice } from "../core/device_text.ts";
import { valueType } from "../core/ivalue_text.ts";
import { builtin, callOperator } from "../core/operator_registry.ts";
import { typedBuiltin } from "../core/typed_builtin.ts";
import { AnyT, isSubtypeOf, NumberT, typeReprStr, typeStr, type Type } from "../core/type.ts";
import { convertTensor } from "../tensor/clone.ts";
import { scalarTensor } from "../tensor/data.ts";
import { DTYPES, dtypeFromId, type DType } from "../tensor/dtype.ts";
import { getElement, setElement } from "../tensor/elements.ts";
import type { Int, Scalar } from "../tensor/scalar.ts";
import { broadcastShapes } from "../tensor/strides.ts";
import { getDefaultDtype, toComplexDtype } from "../tensor/promotion.ts";
import { Device, Tensor, emptyTensor, viewOf } from "../tensor/tensor.ts";

function castTo(t: Tensor, dtype: number | null, device: Device | null): Tensor {
  if (device !== null && String(device) !== "cpu" && device.type !== "cpu") {
    return callOperator("aten::to.prim_Device", [t, device, dtype, false, false]) as Tensor;
  }
  const wanted = dtype === null ? t.dtype : dtypeFromId(dtype);
  if (!wanted) throw new OperatorError(`Unrecognized ScalarType ${dtype}`);
  return wanted === t.dtype ? t : convertTensor(t, wanted);
}

/** `torch.tensor(number)` and `torch.as_tensor(number)`. */
/** Dtype of each kind of number; floats and complex numbers take the default. */
const NUMBERS: readonly (readonly [string, DType | undefined])[] = [
  ["bool", DTYPES.bool],
  ["float", undefined],
  ["int", DTYPES.int64],
  ["complex", undefined],
];
for (const [name, own] of NUMBERS) {
  const make = (value: Scalar, dtype: Int | null, device: Device | null): Tensor => {
    const plain = own ?? (name === "complex" ? toComplexDtype(getDefaultDtype()) : getDefaultDtype());
    return castTo(scalarTensor(value, plain), dtype === null ? null : Number(dtype), device);
  };
  builtin(
    `aten::tensor.${name}(${name} t, *, ScalarType? dtype=None, Device? device=None, bool requires_grad=False) -> Tensor`,
    (value: Scalar, dtype: Int | null, device: Device | null, requiresGrad: boolean) =>
      withGrad(make(value, dtype, device), requiresGrad),
  );
  builtin(`aten::as_tensor.${name}(${name} t, *, ScalarType? dtype=None, Device? device=None) -> Tensor`, make);
}
builtin(
  "aten::as_tensor(Tensor(a) data, *, ScalarType? dtype=None, Device? device=None) -> Tensor(b|a)",
  (data: Tensor, dtype: Int | null, device: Device | null) =>
    castTo(data, dtype === null ? null : Number(dtype), device),
);

function withGrad(t: Tensor, requiresGrad: boolean): Tensor {
  if (requiresGrad) callOperator("aten::requires_grad_", [t, true]);
  return t;
}

function sequence(n: number, dim: number, size: number): void {
  if (size !== n) throw new OperatorError(`Expected sequence of length ${n} at dim ${dim} (got ${size})`);
}

/** A tensor of nested lists; the static type says the element type, also of an empty list. */
function tensorFromList(data: unknown[], type: Type, dtype: number | null, device: Device | null): Tensor {
  let element = valueType(data, type);
  while (element.kind === "List") element = element.element;
  const sizes: number[] = [];
  for (let level: unknown = data; Array.isArray(level); level = level[0]) sizes.push(level.length);
  const isUnion = element.kind === "Union";
  if (!isUnion && !isSubtypeOf(element, NumberT) && element.kind !== "Bool") {
    let message = `Input must be of ints, floats, or bools, got ${typeReprStr(element)}`;
    if (element.kind === "Tensor" && sizes.length === 1 && sizes[0] === 0) {
      message +=
        "\nEmpty lists default to List[Tensor]. Add a variable annotation to the assignment to create an empty list of another type (torch.jit.annotate(List[T, []]) where T is the type of elements in the list for Python 2)";
    }
    throw new OperatorError(message);
  }
  if (isUnion || element.kind === "Complex" || element.kind === "Number") {
    throw new OperatorError(`Add new condition, expected Float, Complex, Int, or Bool but got${typeStr(element)}`);
  }
  const own = element.kind === "Float" ? getDefaultDtype() : element.kind === "Bool" ? DTYPES.bool : DTYPES.int64;
  const t = emptyTensor(sizes, own);
  let next = 0;
  const fill = (level: unknown[], dim: number): void => {
    sequence(sizes[dim]!, dim, level.length);
    if (dim + 1 < sizes.length) for (const inner of level) fill(inner as unknown[], dim + 1);
    else for (const value of level) setElement(t, next++, value as Scalar);
  };
  if (t.numel !== 0) fill(data, 0);
  const result = castTo(t, dtype, device);
  if (dtype === null && result.numel === 0 && result.dtype !== getDefaultDtype()) {
    const text = typeReprStr(element);
    emitWarning(
      `Creating a tensor from an empty ${text}list will create a tensor of default floating point type  (currently ${getDefaultDtype().cppName}) in python but a tensor of type ${text} in torchscript.\nPass in a dtype argument to ensure consistent behavior (Triggered internally at /__w/pytorch/pytorch/torch/csrc/jit/runtime/register_special_ops.cpp:221.)`,
    );
  }
  return result;
}
const listKernel =
  ([type]: readonly Type[]) =>
  (data: unknown[], dtype: Int | null, device: Device | null, requiresGrad?: boolean) =>
    withGrad(tensorFromList(data, type ?? AnyT, dtype === null ? null : Number(dtype), device), requiresGrad === true);
typedBuiltin(
  "aten::tensor(t[] data, *, ScalarType? dtype=None, Device? device=None, bool requires_grad=False) -> Tensor",
  listKernel,
);
typedBuiltin("aten::as_tensor.list(t[] data, *, ScalarType? dtype=None, Device? device=None) -> Tensor", listKernel);

const TOLIST = [
  { kind: "Int", dtype: DTYPES.int64 },
  { kind: "Float", dtype: DTYPES.float32 },
  { kind: "Bool", dtype: DTYPES.bool },
  { kind: "Complex", dtype: DTYPES.complex64 },
] as const;
builtin("prim::tolist(...) -> ...", (t: Tensor, dim: Int, elementType: Int) => {
  const element = TOLIST[Number(elementType)];
  if (!element)
    throw new OperatorError("Unsupported element type for tolist; only int, float, complex and bool are supported");
  const { category } = t.dtype;
  if (
    !(
      (element.kind === "Float" && category === "float") ||
      (element.kind === "Complex" && category === "complex") ||
      element.dtype === t.dtype
    )
  ) {
    throw new OperatorError(
      `Output annotation element type and runtime tensor element type must match for tolist(): ${element.dtype.cppName} vs ${t.dtype.cppName}`,
    );
  }
  if (Number(dim) !== t.ndim)
    throw new OperatorError("Output annotation list dimension and runtime tensor dimension must match for tolist()");
  if (element.kind === "Float" && t.dtype !== DTYPES.float32 && t.dtype !== DTYPES.float64) {
    throw new OperatorError(
      'scalar_ty == at::ScalarType::Float || scalar_ty == at::ScalarType::Double INTERNAL ASSERT FAILED at "/__w/pytorch/pytorch/torch/csrc/jit/mobile/register_ops_common_utils.cpp":33, please report a bug to PyTorch. Unexpected scalar type for Tensor',
    );
  }
  let next = 0;
  const read = (d: number): unknown => {
    if (d === t.ndim) {
      const value = getElement(t, next++);
      return element.kind === "Bool" ? value !== 0 : value;
    }
    return Array.from({ length: t.sizes[d]! }, () => read(d + 1));
  };
  return read(0);
});
builtin("aten::_tensor_to_list(Tensor self) -> int[]", (t: Tensor) =>
  Array.from({ length: t.sizes[0] ?? 0 }, (_, i) => getElement(t, i)),
);
builtin("aten::_list_to_tensor(int[] self) -> Tensor", (values: Int[]) => {
  const t = emptyTensor([values.length], DTYPES.int32);
  values.forEach((v, i) => setElement(t, i, v));
  return t;
});
builtin("aten::len.Tensor(Tensor t) -> int", (t: Tensor) => {
  if (t.ndim === 0) throw new OperatorError("len() of a 0-d tensor");
  return t.sizes[0];
});

// attributes
const LAYOUTS: Readonly<Record<string, number>> = {
  strided: 0,
  sparse_coo: 1,
  sparse_csr: 2,
  mkldnn: 3,
  sparse_csc: 4,
  sparse_bsr: 5,
  sparse_bsc: 6,
  jagged: 7,
};
builtin("prim::layout(Tensor a) -> Layout", (t: Tensor) => LAYOUTS[t.sparse?.layout ?? "strided"]);
builtin("prim::dtype(Tensor a) -> int", (t: Tensor) => t.dtype.id);
builtin("prim::device(Tensor a) -> Device", (t: Tensor) => t.device);
builtin("prim::requires_grad(Tensor a) -> bool", (t: Tensor) => t.requiresGrad);
builtin("prim::grad(Tensor a) -> Tensor(*)", (t: Tensor) => t.autograd?.grad ?? null);
builtin("prim::itemsize(Tensor a) -> int", (t: Tensor) => t.dtype.itemsize);
builtin("prim::nbytes(Tensor a) -> int", (t: Tensor) => t.dtype.itemsize * t.numel);
builtin("prim::name(Tensor a) -> str?", () => null);
builtin("prim::data(Tensor(a) a) -> Tensor(a)", (t: Tensor) => {
  const data = viewOf(t, t.sizes, t.strides);
  data.sparse = t.sparse;
  data.requiresGrad = false;
  data.base = undefined;
  return data;
});
builtin("prim::is_cpu(Tensor a) -> bool", (t: Tensor) => t.device.type === "cpu");
builtin("prim::is_meta(Tensor a) -> bool", (t: Tensor) => t.device.type === "meta");
builtin("prim::is_quantized(Tensor a) -> bool", (t: Tensor) => t.dtype.category === "quantized");
builtin("prim::is_sparse(Tensor a) -> bool", (t: Tensor) => t.sparse?.layout === "sparse_coo");
builtin("prim::is_sparse_csr(Tensor a) -> bool", (t: Tensor) => t.sparse?.layout === "sparse_csr");
for (const [name, device] of Object.entries({
  cuda: "cuda",
  xpu: "xpu",
  mps: "mps",
  vulkan: "vulkan",
  ipu: "ipu",
  mtia: "mtia",
  maia: "maia",
  xla: "xla",
})) {
  builtin(`prim::is_${name}(Tensor a) -> bool`, (t: Tensor) => t.device.type === device);
}
builtin("prim::is_mkldnn(Tensor a) -> bool", () => false);
builtin("prim::is_nested(Tensor a) -> bool", (t: Tensor) => t.nested !== undefined);

typedBuiltin("aten::dequantize.any(Any tensors) -> Any", ([type]) => (value: unknown) => {
  const one = (t: unknown): unknown => (t instanceof Tensor ? callOperator("aten::dequantize.self", [t]) : t);
  const own = valueType(value, type ?? AnyT);
  if (!Array.isArray(value) || (own.kind !== "Tuple" && !(own.kind === "List" && own.element.kind === "Tensor"))) {
    throw new OperatorError(
      `Unsupported type in dequantize, only List[Tensor] and Tuple[Tensor or other types] are supported, got type:${typeReprStr(own)}`,
    );
  }
  return value.map(one);
});
builtin("prim::abs(Tensor x) -> Tensor", (t: Tensor) => callOperator("aten::abs", [t]));
builtin("aten::copy_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)", (t: Tensor, other: Tensor) =>
  callOperator("aten::copy_", [t, other, false]),
);
builtin("aten::copy_.int(Tensor(a!) self, int other) -> Tensor(a!)", (t: Tensor, other: Int) =>
  callOperator("aten::fill_.Scalar", [t, other]),
);
builtin("aten::copy_.float(Tensor(a!) self, float other) -> Tensor(a!)", (t: Tensor, other: number) =>
  callOperator("aten::copy_", [t, scalarTensor(other, DTYPES.float64), false]),
);
builtin("aten::cuda(Tensor(a) self) -> Tensor(b|a)", () => {
  throw new OperatorError("Cannot move a tensor to cuda: no CUDA device is available");
});

// devices
builtin("aten::device(str a) -> Device", parseDevice);
builtin("aten::device.with_index(str type, int index) -> Device", (type: string, index: Int) => {
  const device = parseDevice(type);
  if (device.index !== undefined)
    throw new OperatorError(`type (string) must not include an index because index was passed explicitly: ${type}`);
  return new Device(device.type, Number(index));
});
builtin("prim::type(Device self) -> str", (device: Device) => device.type);
builtin("prim::index(Device self) -> int?", (device: Device) => device.index ?? null);

// shapes
builtin("aten::_infer_size(int[] a, int[] b) -> int[]", broadcastShapes);
builtin("aten::broadcast_shapes(int[] a, int[] b) -> int[]", broadcastShapes);
builtin("prim::BroadcastSizes(...) -> int[]", (...sizes: number[][]) =>
  sizes.reduce((a, b) => broadcastShapes(a, b), []),
);
builtin("aten::_size_if_not_equal(int[] self_size, int[] other_size) -> int[]?", (a: Int[], b: Int[]) =>
  a.length === b.length && a.every((v, i) => v === b[i]) ? null : a,
);
builtin(
  "prim::ReductionSizes(int[] size, int[] red_axes, bool keepdim=False) -> int[]",
  (size: Int[], axes: Int[], keepdim: boolean) =>
    keepdim ? size.map((s, i) => (axes.includes(i) ? 1 : s)) : size.filter((_, i) => !axes.includes(i)),
);
builtin("prim::AutogradZero() -> Tensor", () => null);
for (const [name, test] of [
  ["AllZero", (v: unknown[]) => v.every(isUndefined)],
  ["AllNonZero", (v: unknown[]) => !v.some(isUndefined)],
  ["AnyNonZero", (v: unknown[]) => v.some((x) => !isUndefined(x))],
] as const) {
  builtin(`prim::Autograd${name}(...) -> bool`, (...values: unknown[]) => test(values.flat()));
}
function isUndefined(v: unknown): boolean {
  return v === null || v === undefined;
}
builtin("prim::AutogradAdd(Any a, Any b) -> Any", (a: Tensor | null, b: Tensor | null) =>
  a === null ? b : b === null ? a : callOperator("aten::add.Tensor", [a, b, 1]),
);
builtin("prim::VarConcat(...) -> Tensor", (...args: unknown[]) =>
  callOperator("aten::cat", [args.slice(0, -1), args[args.length - 1]]),
);
builtin("prim::VarStack(...) -> Tensor", (...args: unknown[]) =>
  callOperator("aten::stack", [args.slice(0, -1), args[args.length - 1]]),
);
