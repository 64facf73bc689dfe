/** @file Tensors out of nothing: zeros, full, eye and their kin. Upstream: aten/src/ATen/native/TensorFactories.cpp. Spec: none. */
import { LIMITS } from "../base/limits.ts";
import { OperatorError } from "../base/errors.ts";
import { checkedScalar } from "./scalar_checks.ts";
import { op } from "../core/operator_registry.ts";
import { convertTensor, emptyLike, emptyStrided } from "../tensor/clone.ts";
import { copyElements, copyInto, resizeTensorTo, writeOutResult } from "../tensor/copy.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { fromDoubles, fromIndices, wideScalar } from "../tensor/kernels/data.ts";
import { stridesIn } from "../tensor/memory_format.ts";
import { notImplemented } from "../tensor/pointwise.ts";
import { Complex, isFloatScalar, isIntScalar, type Scalar } from "../tensor/scalar.ts";
import { contiguousStrides, numelOf } from "../tensor/strides.ts";
import { CPU, emptyTensor, META, viewOf, type Device, type Tensor } from "../tensor/tensor.ts";
import { formatList } from "../tensor/view_geometry.ts";
import { dtypeArgument } from "./views.ts";

/** The dtype of an optional ScalarType argument. */
export function dtypeOr(id: number | null, fallback: DType): DType {
  return id === null || id === undefined ? fallback : dtypeArgument(id);
}

/** Refuses negative sizes, and more elements than there may be. */
export function checkSizes(size: readonly number[]): void {
  for (const s of size) {
    if (s < 0) throw new OperatorError(`Trying to create tensor with negative dimension ${s}: ${formatList(size)}`);
  }
  if (numelOf(size) > LIMITS.maxNumel) {
    throw new OperatorError("Storage size calculation overflowed with sizes=" + formatList(size));
  }
}

/** A zeroed tensor of checked sizes on a device. */
export function newTensor(size: readonly number[], dtype: DType, device: Device | null = null): Tensor {
  checkSizes(size);
  const out = emptyTensor([...size], dtype);
  out.device = placeOf(device);
  return out;
}

/** Where a device argument says: the CPU where there is none. */
export function placeOf(device: Device | null | undefined): Device {
  if (!device) return CPU;
  return device.type === "meta" ? META : device.type === "cpu" ? CPU : device;
}

/** Writes a scalar to every element. */
export function fillScalar(self: Tensor, value: Scalar): Tensor {
  if (value !== 0) checkedScalar(value, self.dtype);
  // an expanded tensor may be filled, unlike others that are written to
  self.storage.version++;
  copyElements(self, wideScalar(value));
  return self;
}

/** The dtype that a fill value implies: bool, int64, float32 or complex64. */
export function scalarDtype(value: Scalar): DType {
  if (typeof value === "boolean") return DTYPES.bool;
  if (value instanceof Complex) return DTYPES.complex64;
  return isIntScalar(value) ? DTYPES.int64 : DTYPES.float32;
}

export const zeros = op(
  "aten::zeros(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (size, dtype, _layout, device) => newTensor(size, dtypeOr(dtype, DTYPES.float32), device),
);
export const ones = op(
  "aten::ones(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (size, dtype, _layout, device) => fillScalar(newTensor(size, dtypeOr(dtype, DTYPES.float32), device), 1),
);
export const full = op(
  "aten::full(SymInt[] size, Scalar fill_value, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (size, value, dtype, _layout, device) =>
    fillScalar(newTensor(size, dtypeOr(dtype, scalarDtype(value)), device), value),
);
export const empty = op(
  "aten::empty.memory_format(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
  (size, dtype, _layout, device, _pin, format) => {
    checkSizes(size);
    if (format === 1) {
      throw new OperatorError("Preserve memory format isn't supported by the `empty` operator");
    }
    const out = emptyStrided([...size], stridesIn(size, format ?? 0), dtypeOr(dtype, DTYPES.float32));
    out.device = placeOf(device);
    return out;
  },
);
op(
  "aten::_efficientzerotensor(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (size, dtype, _layout, device) => newTensor(size, dtypeOr(dtype, DTYPES.float32), device),
);
op(
  "aten::empty_strided(SymInt[] size, SymInt[] stride, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (size, stride, dtype) => strided(size, stride, dtypeOr(dtype, DTYPES.float32)),
);
op(
  "aten::new_empty_strided(Tensor self, SymInt[] size, SymInt[] stride, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (self, size, stride, dtype) => strided(size, stride, dtypeOr(dtype, self.dtype)),
);

function strided(size: readonly number[], stride: readonly number[], dtype: DType): Tensor {
  checkSizes(size);
  if (size.length !== stride.length) {
    throw new OperatorError(
      `dimensionality of sizes (${size.length}) must match dimensionality of strides (${stride.length})`,
    );
  }
  return emptyStrided([...size], [...stride], dtype);
}

op(
  "aten::empty_permuted(SymInt[] size, int[] physical_layout, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (size, layout, dtype) => {
    checkSizes(size);
    if (size.length !== layout.length) {
      throw new OperatorError(
        `Number of dimensions in size does not match the length of the physical_layout; i.e. len(size) = ${size.length} is not equal to len(physical_layout) = ${layout.length}`,
      );
    }
    const strides = new Array<number>(size.length).fill(0);
    const physical = contiguousStrides(layout.map((d) => size[d] ?? 1));
    const seen = new Set<number>();
    layout.forEach((d, i) => {
      if (d < 0 || d >= size.length)
        throw new OperatorError(
          `Dimension out of range (expected to be between 0 and ${size.length - 1}, but got ${d} at index ${i}).  NB: negative dims not currently supported; file an issue if you want it.`,
        );
      if (seen.has(d)) throw new OperatorError("Duplicate dim not allowed");
      seen.add(d);
      strides[d] = physical[i]!;
    });
    return emptyStrided([...size], strides, dtypeOr(dtype, DTYPES.float32));
  },
);

function like(self: Tensor, dtype: number | null, device: Device | null, format: number | null): Tensor {
  const out = emptyLike(self, dtypeOr(dtype, self.dtype), format ?? 1);
  if (device) out.device = placeOf(device);
  return out;
}

export const zeros_like = op(
  "aten::zeros_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
  (self, dtype, _l, device, _p, format) => like(self, dtype, device, format),
);
export const ones_like = op(
  "aten::ones_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
  (self, dtype, _l, device, _p, format) => fillScalar(like(self, dtype, device, format), 1),
);
export const full_like = op(
  "aten::full_like(Tensor self, Scalar fill_value, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
  (self, value, dtype, _l, device, _p, format) => fillScalar(like(self, dtype, device, format), value),
);
export const empty_like = op(
  "aten::empty_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
  (self, dtype, _l, device, _p, format) => like(self, dtype, device, format),
);
op(
  "aten::new_zeros(Tensor self, SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (self, size, dtype, _l, device) => newTensor(size, dtypeOr(dtype, self.dtype), device ?? self.device),
);
op(
  "aten::new_ones(Tensor self, SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (self, size, dtype, _l, device) => fillScalar(newTensor(size, dtypeOr(dtype, self.dtype), device ?? self.device), 1),
);
op(
  "aten::new_full(Tensor self, SymInt[] size, Scalar fill_value, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (self, size, value, dtype, _l, device) =>
    fillScalar(newTensor(size, dtypeOr(dtype, self.dtype), device ?? self.device), value),
);
op(
  "aten::new_empty(Tensor self, SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (self, size, dtype, _l, device) => newTensor(size, dtypeOr(dtype, self.dtype), device ?? self.device),
);
export const scalar_tensor = op(
  "aten::scalar_tensor(Scalar s, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (s, dtype, _l, device) => fillScalar(newTensor([], dtypeOr(dtype, DTYPES.float32), device), s),
);

function eyeTensor(n: number, m: number, dtype: number | null): Tensor {
  if (n < 0) throw new OperatorError(`n must be greater or equal to 0, got ${n}`);
  if (m < 0) throw new OperatorError(`m must be greater or equal to 0, got ${m}`);
  const out = newTensor([n, m], dtypeOr(dtype, DTYPES.float32));
  if (out.numel > 0) copyElements(viewOf(out, [Math.min(n, m)], [m + 1], 0), wideScalar(1));
  return out;
}

op(
  "aten::eye(SymInt n, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (n, dtype) => eyeTensor(n, n, dtype),
);
export const eye = op(
  "aten::eye.m(SymInt n, SymInt m, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  eyeTensor,
);

function triangleIndices(
  name: string,
  rows: number,
  cols: number,
  id: number | null,
  keep: (r: number, c: number) => boolean,
): Tensor {
  const dtype = dtypeOr(id, DTYPES.int64);
  if (dtype !== DTYPES.int64 && dtype !== DTYPES.int32 && dtype !== DTYPES.int16 && dtype !== DTYPES.int8)
    throw notImplemented(name, dtype);
  if (rows < 0) throw new OperatorError(`row must be non-negative, got${rows}`);
  if (cols < 0) throw new OperatorError(`col must be non-negative, got${cols}`);
  const at: number[] = [];
  const cs: number[] = [];
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      if (!keep(r, c)) continue;
      at.push(r);
      cs.push(c);
    }
  }
  const count = at.length;
  for (const c of cs) at.push(c);
  return convertTensor(fromIndices(at, [2, count]), dtype);
}

op(
  "aten::tril_indices(int row, int col, int offset=0, *, ScalarType? dtype=4, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (row, col, offset, dtype) => triangleIndices("tril_indices", row, col, dtype, (r, c) => c - r <= offset),
);
op(
  "aten::triu_indices(int row, int col, int offset=0, *, ScalarType? dtype=4, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (row, col, offset, dtype) => triangleIndices("triu_indices", row, col, dtype, (r, c) => c - r >= offset),
);

op(
  "aten::fft_fftfreq(int n, float d=1., *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (n, d, dtype) =>
    fromDoubles(
      Float64Array.from({ length: n }, (_, i) => (i < Math.ceil(n / 2) ? i : i - n) * (1 / (n * d))),
      [n],
      dtypeOr(dtype, DTYPES.float32),
    ),
);
op(
  "aten::fft_rfftfreq(int n, float d=1., *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (n, d, dtype) => {
    const count = Math.floor(n / 2) + 1;
    return fromDoubles(
      Float64Array.from({ length: count }, (_, i) => i * (1 / (n * d))),
      [count],
      dtypeOr(dtype, DTYPES.float32),
    );
  },
);

/** Whether a scalar makes a float of an int tensor. */
export function isInexact(value: Scalar): boolean {
  return isFloatScalar(value) || value instanceof Complex;
}

op("aten::fill_.Scalar(Tensor(a!) self, Scalar value) -> Tensor(a!)", fillScalar);
op("aten::fill_.Tensor(Tensor(a!) self, Tensor value) -> Tensor(a!)", (self, value) => {
  if (value.ndim !== 0) {
    throw new OperatorError(
      `fill_ only supports 0-dimension value tensor but got tensor with ${value.ndim} dimensions.`,
    );
  }
  copyInto(self, value);
  return self;
});
op("aten::fill.Scalar(Tensor self, Scalar value) -> Tensor", (self, value) => fillScalar(emptyLike(self), value));
op("aten::fill.Tensor(Tensor self, Tensor value) -> Tensor", (self, value) => {
  if (value.ndim !== 0) {
    throw new OperatorError(
      `fill only supports 0-dimension value tensor but got tensor with ${value.ndim} dimensions.`,
    );
  }
  const out = emptyLike(self);
  copyInto(out, value);
  return out;
});
op("aten::zero_(Tensor(a!) self) -> Tensor(a!)", (self) => fillScalar(self, 0));
op("aten::_no_grad_zero_(Tensor(a!) tensor) -> Tensor(a!)", (self) => fillScalar(self, 0));
op("aten::_no_grad_fill_(Tensor(a!) tensor, float val) -> Tensor(a!)", (self, value) => fillScalar(self, value));
op("aten::zero(Tensor self) -> Tensor", (self) => emptyLike(self));

/** Ends an out= form: the values of a fresh tensor go to `out`, which takes its sizes. */
function into(out: Tensor, result: Tensor): Tensor {
  writeOutResult(out, result);
  return out;
}

op("aten::eye.out(SymInt n, *, Tensor(a!) out) -> Tensor(a!)", (n, out) => into(out, eyeTensor(n, n, out.dtype.id)));
op("aten::eye.m_out(SymInt n, SymInt m, *, Tensor(a!) out) -> Tensor(a!)", (n, m, out) =>
  into(out, eyeTensor(n, m, out.dtype.id)),
);
op("aten::zeros.out(SymInt[] size, *, Tensor(a!) out) -> Tensor(a!)", (size, out) =>
  into(out, newTensor(size, out.dtype)),
);
op("aten::ones.out(SymInt[] size, *, Tensor(a!) out) -> Tensor(a!)", (size, out) =>
  into(out, fillScalar(newTensor(size, out.dtype), 1)),
);
op("aten::full.out(SymInt[] size, Scalar fill_value, *, Tensor(a!) out) -> Tensor(a!)", (size, value, out) =>
  into(out, fillScalar(newTensor(size, out.dtype), value)),
);
op(
  "aten::empty.out(SymInt[] size, *, MemoryFormat? memory_format=None, Tensor(a!) out) -> Tensor(a!)",
  (size, _format, out) => {
    checkSizes(size);
    resizeTensorTo(out, [...size]);
    return out;
  },
);
