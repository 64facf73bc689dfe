/** @file Tensors out of nothing: zeros, full, arange, eye and their kin. Upstream: aten/src/ATen/native/TensorFactories.cpp, RangeFactories.cpp. Spec: none. */
import { LIMITS } from "../base/limits.ts";
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { convertTensor, emptyLike, emptyStrided } from "../tensor/clone.ts";
import { copyInto, resizeTensorTo, writeOutResult } from "../tensor/copy.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { roundToBfloat16, roundToHalf } from "../tensor/half.ts";
import { fromDoubles, fromIndices, wideScalar } from "../tensor/kernels/data.ts";
import { fusedMultiplyAdd } from "../tensor/math/fused.ts";
import { stridesIn } from "../tensor/memory_format.ts";
import { Complex, isFloatScalar, isIntScalar, scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import { contiguousStrides, numelOf } from "../tensor/strides.ts";
import { CPU, emptyTensor, META, type Device, type Tensor } from "../tensor/tensor.ts";
import { formatList } from "../tensor/view_geometry.ts";
import { complexDtype, dtypeArgument } from "./views.ts";

/** The dtype of an optional ScalarType argument. */
export function dtypeOr(id: number | null, fallback: DType): DType {
  return id === null || id === undefined ? fallback : dtypeArgument(id);
}

function checkSizes(size: readonly number[]): void {
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

function placeOf(device: Device | null | undefined): Device {
  if (!device) return CPU;
  return device.type === "meta" ? META : device.type === "cpu" ? CPU : device;
}

/** Writes a scalar to every element. */
export function fillScalar(self: Tensor, value: Scalar): Tensor {
  if (value instanceof Complex && self.dtype.category !== "complex") {
    throw new OperatorError(
      `value cannot be converted to type ${self.dtype.category === "float" ? self.dtype.cppName.toLowerCase() : self.dtype.cppName.toLowerCase()} without overflow`,
    );
  }
  if (self.numel > 0) copyInto(self, wideScalar(value));
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

function bothFinite(start: Scalar, end: Scalar): void {
  const a = scalarToNumber(start);
  const b = scalarToNumber(end);
  if (!Number.isFinite(a) || !Number.isFinite(b)) {
    throw new OperatorError(`unsupported range: ${rangeText(a)} -> ${rangeText(b)}`);
  }
}

function rangeText(value: number): string {
  return Number.isNaN(value) ? "nan" : value === Infinity ? "inf" : value === -Infinity ? "-inf" : String(value);
}

function checkRange(start: Scalar, end: Scalar, step: Scalar): void {
  const s = scalarToNumber(step);
  if (s === 0) throw new OperatorError("step must be nonzero");
  bothFinite(start, end);
  const span = scalarToNumber(end) - scalarToNumber(start);
  if (!((s > 0 && span >= 0) || (s < 0 && span <= 0))) {
    throw new OperatorError("upper bound and lower bound inconsistent with step sign");
  }
}

function arangeTensor(start: Scalar, end: Scalar, step: Scalar, dtypeId: number | null, device: Device | null): Tensor {
  const allInts = [start, end, step].every((s) => isIntScalar(s) || typeof s === "boolean");
  const dtype = dtypeOr(dtypeId, allInts ? DTYPES.int64 : DTYPES.float32);
  if (dtype === DTYPES.bool || dtype.category === "complex")
    throw new OperatorError(`"arange_cpu" not implemented for '${dtype.cppName}'`);
  const isInt = dtype.category === "int";
  // the kernel converts its arguments to the dtype before it checks them
  const whole = (v: Scalar): Scalar =>
    isInt && Number.isFinite(scalarToNumber(v)) ? Math.trunc(scalarToNumber(v)) || 0 : v;
  checkRange(whole(start), whole(end), whole(step));
  let a = scalarToNumber(start);
  let b = scalarToNumber(end);
  let s = scalarToNumber(step);
  if (isInt) {
    // the kernel converts its arguments to the dtype before it computes elements, not before it counts them
    const count =
      dtype === DTYPES.int64 ? Math.ceil((Math.trunc(b) - Math.trunc(a)) / Math.trunc(s)) : Math.ceil((b - a) / s);
    [a, b, s] = [Math.trunc(a), Math.trunc(b), Math.trunc(s)];
    return filledRange(count, (i) => a + s * i, dtype, device);
  }
  return filledRange(Math.ceil((b - a) / s), (i) => a + s * i, dtype, device);
}

function filledRange(count: number, value: (i: number) => number, dtype: DType, device: Device | null): Tensor {
  if (!(count >= 0 && count <= 2 ** 63)) throw new OperatorError("invalid size, possible overflow?");
  checkSizes([count]);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) values[i] = value(i);
  const out = fromDoubles(values, [count], dtype);
  if (device) out.device = placeOf(device);
  return out;
}

export const arange = op(
  "aten::arange(Scalar end, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (end, dtype, _l, device) => arangeTensor(0, end, 1, dtype, device),
);
op(
  "aten::arange.start(Scalar start, Scalar end, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (start, end, dtype, _l, device) => arangeTensor(start, end, 1, dtype, device),
);
op(
  "aten::arange.start_step(Scalar start, Scalar end, Scalar step=1, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (start, end, step, dtype, _l, device) => arangeTensor(start, end, step, dtype, device),
);

function rangeTensor(start: Scalar, end: Scalar, step: Scalar, dtypeId: number | null, device: Device | null): Tensor {
  const dtype = dtypeOr(dtypeId, DTYPES.float32);
  checkRange(start, end, step);
  const a = scalarToNumber(start);
  const s = scalarToNumber(step);
  return filledRange(Math.floor((scalarToNumber(end) - a) / s) + 1, (i) => a + s * i, dtype, device);
}

op(
  "aten::range.step(Scalar start, Scalar end, Scalar step=1, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (start, end, step, dtype, _l, device) => rangeTensor(start, end, step, dtype, device),
);
op(
  "aten::range(Scalar start, Scalar end, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (start, end, dtype, _l, device) => rangeTensor(start, end, 1, dtype, device),
);

/** Evenly spaced numbers, from both ends towards the middle as PyTorch does, whose compiler fuses multiplication and addition. */
function spaced(start: Scalar, end: Scalar, steps: number, dtype: DType): Float64Array {
  if (steps < 0) throw new OperatorError("number of steps must be non-negative");
  checkSizes([steps]);
  if (dtype.category === "int" || dtype.category === "bool") return spacedWhole(start, end, steps);
  const narrow = NARROW.get(dtype) ?? ((x: number): number => x);
  const a = narrow(scalarToNumber(start));
  const b = narrow(scalarToNumber(end));
  const isHalf = dtype.itemsize === 2;
  // halves are rounded at every step, and so are counts
  const step = narrow(narrow(b - a) / (isHalf ? narrow(steps - 1) : steps - 1));
  const along = (from: number, by: number, i: number): number =>
    isHalf
      ? narrow(from + narrow(by * narrow(i)))
      : dtype === DTYPES.float32
        ? narrow(by * i + from)
        : fusedMultiplyAdd(by, i, from);
  return fromBothEnds(steps, a, b, step, along);
}

const NARROW = new Map<DType, (x: number) => number>([
  [DTYPES.float32, Math.fround],
  [DTYPES.float16, roundToHalf],
  [DTYPES.bfloat16, roundToBfloat16],
]);

/** Numbers `step` apart: the first half counted from `a` on, the second back from `b`. One is `a`. */
function fromBothEnds(
  steps: number,
  a: number,
  b: number,
  step: number,
  along: (from: number, by: number, i: number) => number,
): Float64Array {
  const half = Math.floor(steps / 2);
  return Float64Array.from({ length: steps }, (_, i) =>
    steps === 1 ? a : i < half ? along(a, step, i) : along(b, -step, steps - i - 1),
  );
}

function isComplexRange(start: Scalar, end: Scalar): boolean {
  return start instanceof Complex || end instanceof Complex;
}

function spacedComplex(
  start: Scalar,
  end: Scalar,
  steps: number,
  dtype: DType,
  map: (re: number, im: number) => [number, number],
): Tensor {
  const out = emptyTensor([steps], DTYPES.complex128);
  const at = 2 * out.base0;
  const [are, aim] = partsOf(start);
  const [bre, bim] = partsOf(end);
  const half = Math.floor(steps / 2);
  for (let i = 0; i < steps; i++) {
    const f = steps === 1 ? 0 : 1 / (steps - 1);
    const low = i < half || steps === 1;
    const k = low ? i : steps - i - 1;
    const re = low ? are + (bre - are) * f * k : bre - (bre - are) * f * k;
    const im = low ? aim + (bim - aim) * f * k : bim - (bim - aim) * f * k;
    const [x, y] = map(re, im);
    out.storage.segment.f64[at + 2 * i] = x;
    out.storage.segment.f64[at + 2 * i + 1] = y;
  }
  return convertTensor(out, dtype);
}

function partsOf(value: Scalar): [number, number] {
  return value instanceof Complex ? [value.re, value.im] : [scalarToNumber(value), 0];
}

function spaceDtype(id: number | null, start: Scalar, end: Scalar): DType {
  return dtypeOr(id, isComplexRange(start, end) ? complexDtype(DTYPES.float32) : DTYPES.float32);
}

function linspaceTensor(start: Scalar, end: Scalar, steps: number, id: number | null): Tensor {
  const dtype = spaceDtype(id, start, end);
  if (steps < 0) throw new OperatorError("number of steps must be non-negative");
  if (dtype.category === "complex") return spacedComplex(start, end, steps, dtype, (re, im) => [re, im]);
  return fromDoubles(spaced(start, end, steps, dtype), [steps], dtype);
}

function logspaceTensor(start: Scalar, end: Scalar, steps: number, base: number, id: number | null): Tensor {
  const dtype = spaceDtype(id, start, end);
  if (steps < 0) throw new OperatorError("number of steps must be non-negative");
  if (dtype.category === "complex") {
    return spacedComplex(start, end, steps, dtype, (re, im) => {
      const scale = Math.pow(base, re);
      const angle = im * Math.log(base);
      return [scale * Math.cos(angle), scale * Math.sin(angle)];
    });
  }
  const isInt = dtype.category === "int";
  checkSizes([steps]);
  const exponents = exponentsOf(start, end, steps, dtype);
  return fromDoubles(
    exponents.map((x) => (isInt ? Math.trunc(Math.pow(base, x)) : Math.pow(base, x))),
    [steps],
    dtype,
  );
}

/** The exponents of `logspace`, which multiplies and adds one after the other. */
function exponentsOf(start: Scalar, end: Scalar, steps: number, dtype: DType): Float64Array {
  const narrow = dtype === DTYPES.float32 ? Math.fround : (x: number): number => x;
  const whole = dtype.category === "int" ? Math.trunc : narrow;
  const a = whole(scalarToNumber(start));
  const b = whole(scalarToNumber(end));
  const step = narrow(narrow(b - a) / (steps - 1));
  return fromBothEnds(steps, a, b, step, (from, by, i) => narrow(from + narrow(by * i)));
}

function spacedWhole(start: Scalar, end: Scalar, steps: number): Float64Array {
  const a = Math.trunc(scalarToNumber(start));
  const b = Math.trunc(scalarToNumber(end));
  return fromBothEnds(steps, a, b, (b - a) / (steps - 1), (from, by, i) => Math.trunc(fusedMultiplyAdd(by, i, from)));
}

function zeroDim(t: Tensor, name: string, which: "start" | "end"): Scalar {
  if (t.ndim !== 0) {
    throw new OperatorError(
      `${name} only supports 0-dimensional start and end tensors, but got ${which} with ${t.ndim} dimension(s).`,
    );
  }
  const wide = convertTensor(t, t.dtype.category === "complex" ? DTYPES.complex128 : DTYPES.float64);
  const values = wide.storage.segment.f64;
  return t.dtype.category === "complex"
    ? new Complex(values[2 * wide.base0]!, values[2 * wide.base0 + 1]!)
    : values[wide.base0]!;
}

export const linspace = op(
  "aten::linspace(Scalar start, Scalar end, int steps, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  linspaceTensor,
);
op(
  "aten::linspace.Tensor_Tensor(Tensor start, Tensor end, int steps, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (a, b, n, dtype) => linspaceTensor(zeroDim(a, "linspace", "start"), zeroDim(b, "linspace", "end"), n, dtype),
);
op(
  "aten::linspace.Tensor_Scalar(Tensor start, Scalar end, int steps, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (a, b, n, dtype) => linspaceTensor(zeroDim(a, "linspace", "start"), b, n, dtype),
);
op(
  "aten::linspace.Scalar_Tensor(Scalar start, Tensor end, int steps, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (a, b, n, dtype) => linspaceTensor(a, zeroDim(b, "linspace", "end"), n, dtype),
);
op(
  "aten::logspace(Scalar start, Scalar end, int steps, float base=10., *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  logspaceTensor,
);
op(
  "aten::logspace.Tensor_Tensor(Tensor start, Tensor end, int steps, float base=10., *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (a, b, n, base, dtype) =>
    logspaceTensor(zeroDim(a, "logspace", "start"), zeroDim(b, "logspace", "end"), n, base, dtype),
);
op(
  "aten::logspace.Tensor_Scalar(Tensor start, Scalar end, int steps, float base=10., *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (a, b, n, base, dtype) => logspaceTensor(zeroDim(a, "logspace", "start"), b, n, base, dtype),
);
op(
  "aten::logspace.Scalar_Tensor(Scalar start, Tensor end, int steps, float base=10., *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (a, b, n, base, dtype) => logspaceTensor(a, zeroDim(b, "logspace", "end"), n, base, dtype),
);

function eyeTensor(n: number, m: number, dtype: number | null): Tensor {
  if (n < 0) throw new OperatorError(`n must be greater or equal to 0, got ${n}`);
  if (m < 0) throw new OperatorError(`m must be greater or equal to 0, got ${m}`);
  const out = newTensor([n, m], dtypeOr(dtype, DTYPES.float32));
  const values = new Float64Array(n * m);
  for (let i = 0; i < Math.min(n, m); i++) values[i * m + i] = 1;
  if (out.numel > 0) copyInto(out, fromDoubles(values, [n, m]));
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
  rows: number,
  cols: number,
  id: number | null,
  keep: (r: number, c: number) => boolean,
): Tensor {
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
  return convertTensor(fromIndices(at, [2, count]), dtypeOr(id, DTYPES.int64));
}

op(
  "aten::tril_indices(int row, int col, int offset=0, *, ScalarType? dtype=4, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (row, col, offset, dtype) => triangleIndices(row, col, dtype, (r, c) => c - r <= offset),
);
op(
  "aten::triu_indices(int row, int col, int offset=0, *, ScalarType? dtype=4, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (row, col, offset, dtype) => triangleIndices(row, col, dtype, (r, c) => c - r >= offset),
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

op("aten::arange.out(Scalar end, *, Tensor(a!) out) -> Tensor(a!)", (end, out) =>
  into(out, arangeTensor(0, end, 1, out.dtype.id, null)),
);
op(
  "aten::arange.start_out(Scalar start, Scalar end, Scalar step=1, *, Tensor(a!) out) -> Tensor(a!)",
  (start, end, step, out) => into(out, arangeTensor(start, end, step, out.dtype.id, null)),
);
op(
  "aten::range.out(Scalar start, Scalar end, Scalar step=1, *, Tensor(a!) out) -> Tensor(a!)",
  (start, end, step, out) => into(out, rangeTensor(start, end, step, out.dtype.id, null)),
);
op(
  "aten::linspace.out(Scalar start, Scalar end, int steps, *, Tensor(a!) out) -> Tensor(a!)",
  (start, end, steps, out) => into(out, linspaceTensor(start, end, steps, out.dtype.id)),
);
op(
  "aten::linspace.Tensor_Tensor_out(Tensor start, Tensor end, int steps, *, Tensor(a!) out) -> Tensor(a!)",
  (start, end, steps, out) =>
    into(
      out,
      linspaceTensor(zeroDim(start, "linspace", "start"), zeroDim(end, "linspace", "end"), steps, out.dtype.id),
    ),
);
op(
  "aten::linspace.Tensor_Scalar_out(Tensor start, Scalar end, int steps, *, Tensor(a!) out) -> Tensor(a!)",
  (start, end, steps, out) => into(out, linspaceTensor(zeroDim(start, "linspace", "start"), end, steps, out.dtype.id)),
);
op(
  "aten::linspace.Scalar_Tensor_out(Scalar start, Tensor end, int steps, *, Tensor(a!) out) -> Tensor(a!)",
  (start, end, steps, out) => into(out, linspaceTensor(start, zeroDim(end, "linspace", "end"), steps, out.dtype.id)),
);
op(
  "aten::logspace.out(Scalar start, Scalar end, int steps, float base=10., *, Tensor(a!) out) -> Tensor(a!)",
  (start, end, steps, base, out) => into(out, logspaceTensor(start, end, steps, base, out.dtype.id)),
);
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
