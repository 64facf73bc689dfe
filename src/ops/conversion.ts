/** @file Copies and conversions: contiguous, clone, to, type_as, resize_, set_. Upstream: aten/src/ATen/native/TensorConversions.cpp, Resize.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { cloneTensor, contiguousTensor, emptyLike, reachedElements } from "../tensor/clone.ts";
import { copyInto, growStorage } from "../tensor/copy.ts";
import { DTYPES, isDifferentiable, type DType } from "../tensor/dtype.ts";
import { fromIndices } from "../tensor/kernels/data.ts";
import { isContiguousIn, stridesIn } from "../tensor/memory_format.ts";
import { allocateStorage, Storage } from "../tensor/storage.ts";
import { contiguousStrides } from "../tensor/strides.ts";
import { META, type Device, type Tensor } from "../tensor/tensor.ts";
import { formatList } from "../tensor/view_geometry.ts";
import { detached, dtypeArgument } from "./views.ts";

export const contiguous = op(
  "aten::contiguous(Tensor(a) self, *, MemoryFormat memory_format=0) -> Tensor(a)",
  (self, format) => {
    if (format === 1) throw new OperatorError("preserve memory format is unsupported by the contiguous operator");
    return contiguousTensor(self, format);
  },
);
export const clone = op("aten::clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor", (self, format) =>
  cloneTensor(self, format),
);

/** A copy with another dtype, device or memory format. */
export function toCopy(self: Tensor, dtype: DType, device: Device | null, format: number | null): Tensor {
  const out = emptyLike(self, dtype, format ?? 1);
  if (device) out.device = device.type === "meta" ? META : self.device;
  out.sparse = self.sparse;
  copyInto(out, self);
  return out;
}

function convert(self: Tensor, dtype: DType, device: Device | null, copy: boolean, format: number | null): Tensor {
  const wanted = format ?? 1;
  const moves = device !== null && device !== undefined && device.type !== self.device.type;
  if (!copy && dtype === self.dtype && !moves && (wanted === 1 || isContiguousIn(self, wanted))) return self;
  return toCopy(self, dtype, device ?? null, format);
}

function optionalDtype(self: Tensor, id: number | null): DType {
  return id === null || id === undefined ? self.dtype : dtypeArgument(id);
}

op(
  "aten::to.device(Tensor(a) self, Device device, ScalarType dtype, bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)",
  (self, device, dtype, _n, copy, format) => convert(self, dtypeArgument(dtype), device, copy, format),
);
export const to = op(
  "aten::to.dtype(Tensor(a) self, ScalarType dtype, bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)",
  (self, dtype, _n, copy, format) => convert(self, dtypeArgument(dtype), null, copy, format),
);
op(
  "aten::to.other(Tensor(a) self, Tensor other, bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)",
  (self, other, _n, copy, format) => convert(self, other.dtype, other.device, copy, format),
);
op(
  "aten::to.dtype_layout(Tensor(a) self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)",
  (self, dtype, _layout, device, _pin, _n, copy, format) =>
    convert(self, optionalDtype(self, dtype), device, copy, format),
);
op(
  "aten::to.prim_Device(Tensor(a) self, Device? device, int? dtype=None, bool non_blocking=False, bool copy=False) -> Tensor(b|a)",
  (self, device, dtype, _n, copy) => convert(self, optionalDtype(self, dtype), device, copy, null),
);
op(
  "aten::to.prim_dtype(Tensor(a) self, int? dtype=None, bool non_blocking=False, bool copy=False) -> Tensor(b|a)",
  (self, dtype, _n, copy) => convert(self, optionalDtype(self, dtype), null, copy, null),
);
op("aten::to.prim_other(Tensor(a) self, bool non_blocking=False, bool copy=False) -> Tensor(b|a)", (self, _n, copy) =>
  convert(self, self.dtype, null, copy, null),
);
op(
  "aten::_to_copy(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, bool non_blocking=False, MemoryFormat? memory_format=None) -> Tensor",
  (self, dtype, _layout, device, _pin, _n, format) => toCopy(self, optionalDtype(self, dtype), device, format),
);
op("aten::type_as(Tensor self, Tensor other) -> Tensor", (self, other) =>
  convert(self, other.dtype, other.device, false, null),
);
op("aten::cpu(Tensor(a) self) -> Tensor(b|a)", (self) => self);
op("aten::_cast_Float(Tensor self, bool non_blocking=False) -> Tensor", (self) =>
  convert(self, DTYPES.float32, null, false, null),
);
op("aten::_cast_Double(Tensor self, bool non_blocking=False) -> Tensor", (self) =>
  convert(self, DTYPES.float64, null, false, null),
);
op("aten::_cast_Half(Tensor self, bool non_blocking=False) -> Tensor", (self) =>
  convert(self, DTYPES.float16, null, false, null),
);
op("aten::_cast_Long(Tensor self, bool non_blocking=False) -> Tensor", (self) =>
  convert(self, DTYPES.int64, null, false, null),
);
op("aten::_cast_Int(Tensor self, bool non_blocking=False) -> Tensor", (self) =>
  convert(self, DTYPES.int32, null, false, null),
);
op("aten::_cast_Short(Tensor self, bool non_blocking=False) -> Tensor", (self) =>
  convert(self, DTYPES.int16, null, false, null),
);
op("aten::_cast_Char(Tensor self, bool non_blocking=False) -> Tensor", (self) =>
  convert(self, DTYPES.int8, null, false, null),
);
op("aten::_cast_Byte(Tensor self, bool non_blocking=False) -> Tensor", (self) =>
  convert(self, DTYPES.uint8, null, false, null),
);

// the casts that passes/autocast.ts puts in front of operators; there is no CUDA
op(
  "aten::_autocast_to_reduced_precision(Tensor(a) self, bool cuda_enabled, bool cpu_enabled, ScalarType cuda_dtype, ScalarType cpu_dtype) -> Tensor(a)",
  (self, _cuda, cpu, _cudaType, type) =>
    cpu && self.dtype === DTYPES.float32 ? convert(self, dtypeArgument(type), null, false, null) : self,
);
op(
  "aten::_autocast_to_full_precision(Tensor(a) self, bool cuda_enabled, bool cpu_enabled) -> Tensor(a)",
  (self, _cuda, cpu) =>
    cpu && (self.dtype === DTYPES.float16 || self.dtype === DTYPES.bfloat16)
      ? convert(self, DTYPES.float32, null, false, null)
      : self,
);

/** Gives the tensor other sizes; its storage grows in place where it is too small, and keeps its bytes. */
export function resizeTensor(self: Tensor, size: readonly number[], format: number | null = null): Tensor {
  if (format === 1) throw new OperatorError("Unsupported memory formatPreserve");
  const negative = size.find((s) => s < 0);
  if (negative !== undefined) {
    throw new OperatorError(`Trying to create tensor with negative dimension ${negative}: ${formatList(size)}`);
  }
  const isSame = self.ndim === size.length && self.sizes.every((s, d) => s === size[d]);
  if (isSame && !format) return self;
  self.setGeometry([...size], format ? stridesIn(size, format) : contiguousStrides(size));
  growStorage(self.storage, (self.storageOffset + reachedElements(self.sizes, self.strides)) * self.dtype.itemsize);
  return self;
}

op("aten::resize_(Tensor(a!) self, SymInt[] size, *, MemoryFormat? memory_format=None) -> Tensor(a!)", resizeTensor);
op("aten::resize(Tensor self, SymInt[] size, *, MemoryFormat? memory_format=None) -> Tensor", (self, size, format) =>
  resizeTensor(cloneTensor(self), size, format),
);
op(
  "aten::resize_as_(Tensor(a!) self, Tensor the_template, *, MemoryFormat? memory_format=None) -> Tensor(a!)",
  (self, template, format) => {
    resizeTensor(self, template.sizes, format === 1 ? null : format);
    if (format === 1) self.setGeometry(self.sizes, [...template.strides]);
    return self;
  },
);

op(
  "aten::resize_as(Tensor self, Tensor the_template, *, MemoryFormat? memory_format=None) -> Tensor",
  (self, template, format) => resizeTensor(cloneTensor(self), template.sizes, format === 1 ? null : format),
);

function setGeometry(
  self: Tensor,
  storage: Storage,
  offset: number,
  size: readonly number[],
  stride: readonly number[],
): Tensor {
  const negative = stride.find((s) => s < 0);
  if (negative !== undefined) throw new OperatorError("Negative strides are not supported");
  self.storage = storage;
  self.storageOffset = offset;
  self.setGeometry([...size], stride.length === size.length ? [...stride] : contiguousStrides(size));
  growStorage(storage, (offset + reachedElements(self.sizes, self.strides)) * self.dtype.itemsize);
  return self;
}

op("aten::set_.source_Tensor(Tensor(a!) self, Tensor source) -> Tensor(a!)", (self, source) =>
  setGeometry(self, source.storage, source.storageOffset, source.sizes, source.strides),
);
op(
  "aten::set_.source_Tensor_storage_offset(Tensor(a!) self, Tensor source, SymInt storage_offset, SymInt[] size, SymInt[] stride=[]) -> Tensor(a!)",
  (self, source, offset, size, stride) =>
    setGeometry(self, source.storage, offset, size, stride as unknown as number[]),
);
op("aten::set_.source_Storage(Tensor(a!) self, Storage source) -> Tensor(a!)", (self, source) => {
  const storage = expectStorage(source);
  return setGeometry(self, storage, 0, [Math.floor(storage.nbytes / self.dtype.itemsize)], [1]);
});
op(
  "aten::set_.source_Storage_storage_offset(Tensor(a!) self, Storage source, SymInt storage_offset, SymInt[] size, SymInt[] stride=[]) -> Tensor(a!)",
  (self, source, offset, size, stride) =>
    setGeometry(self, expectStorage(source), offset, size, stride as unknown as number[]),
);
op("aten::set_(Tensor(a!) self) -> Tensor(a!)", (self) => setGeometry(self, allocateStorage(0), 0, [0], [1]));

function expectStorage(value: unknown): Storage {
  if (value instanceof Storage) return value;
  throw new OperatorError("Cannot set storage: the argument is not a Storage");
}

op("aten::requires_grad_(Tensor(a!) self, bool requires_grad=True) -> Tensor(a!)", (self, requires) => {
  if (requires && !isDifferentiable(self.dtype)) {
    throw new OperatorError("only Tensors of floating point dtype can require gradients");
  }
  self.requiresGrad = requires;
  return self;
});
op("aten::data(Tensor self) -> Tensor", detached);
op("aten::_shape_as_tensor(Tensor self) -> Tensor", (self) => fromIndices(self.sizes, [self.ndim]));

op("aten::copy_(Tensor(a!) self, Tensor src, bool non_blocking=False) -> Tensor(a!)", (self, src) => {
  copyInto(self, src);
  return self;
});
op("aten::copy(Tensor self, Tensor src, bool non_blocking=False) -> Tensor", (self, src) => {
  const out = emptyLike(self);
  copyInto(out, src);
  return out;
});
