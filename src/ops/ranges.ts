/** @file Numbers in a row: arange, range, linspace, logspace. Upstream: aten/src/ATen/native/RangeFactories.cpp, cpu/RangeFactoriesKernel.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { convertTensor } from "../tensor/clone.ts";
import { writeOutResult } from "../tensor/copy.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { roundToBfloat16, roundToHalf } from "../tensor/half.ts";
import { fromDoubles, fromProgression } from "../tensor/kernels/data.ts";
import { fusedMultiplyAdd } from "../tensor/math/fused.ts";
import { notImplemented } from "../tensor/pointwise.ts";
import { Complex, isIntScalar, scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import { emptyTensor, type Device, type Tensor } from "../tensor/tensor.ts";
import { checkSizes, dtypeOr, placeOf } from "./creation.ts";
import { checkedScalar } from "./scalar_checks.ts";
import { complexDtype, reshapeTensor } from "./views.ts";

type Round = (x: number) => number;

const asIs: Round = (x) => x;
const NARROW = new Map<DType, Round>([
  [DTYPES.float32, Math.fround],
  [DTYPES.float16, roundToHalf],
  [DTYPES.bfloat16, roundToBfloat16],
]);

/** A number as an element of the dtype: integers wrap around, floats are rounded. */
function element(value: Scalar, dtype: DType): number {
  const x = scalarToNumber(checkedScalar(value, dtype));
  if (dtype.category !== "int") return (NARROW.get(dtype) ?? asIs)(x);
  return dtype === DTYPES.uint8 ? ((x % 256) + 256) % 256 : x;
}

/** Whether a dtype's numbers in a row are computed in float32. */
function isHalf(dtype: DType): boolean {
  return dtype === DTYPES.float16 || dtype === DTYPES.bfloat16;
}

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

/** Elements of the vectors of a processor with AVX2, on which PyTorch takes two at a time and what is left one by one. */
const VECTOR_BYTES = 32;

/**
 * Elements `step` apart. PyTorch rounds the first of every vector to the dtype and counts the others from it, hence the numbers depend
 * on the width of vectors: these are those of AVX2, the usual one, computed by one thread, with multiplication and addition fused.
 */
function inVectors(start: number, step: number, count: number, dtype: DType): Float64Array {
  const narrow = NARROW.get(dtype) ?? asIs;
  // halves are computed in float32, float32 in float64
  const inner = isHalf(dtype) ? Math.fround : asIs;
  const [from, by] = [inner(start), inner(step)];
  const along = (base: number, i: number): number => narrow(inner(fusedMultiplyAdd(by, i, base)));
  const width = VECTOR_BYTES / dtype.itemsize;
  const inPairs = count - (count % (2 * width));
  const values = new Float64Array(count);
  for (let i = 0; i < count; i += i < inPairs ? width : 1) {
    values[i] = along(from, i);
    if (i < inPairs) for (let k = 1; k < width; k++) values[i + k] = along(values[i]!, k);
  }
  return values;
}

/** `arange` of the dtype with the id, or of the one that the numbers imply. */
export function arangeTensor(
  start: Scalar,
  end: Scalar,
  step: Scalar,
  dtypeId: number | null,
  device: Device | null,
): Tensor {
  const allInts = [start, end, step].every((s) => isIntScalar(s) || typeof s === "boolean");
  const dtype = dtypeOr(dtypeId, allInts ? DTYPES.int64 : DTYPES.float32);
  if (dtype === DTYPES.bool || dtype.category === "complex")
    throw new OperatorError(`"arange_cpu" not implemented for '${dtype.cppName}'`);
  const isInt = dtype.category === "int";
  // the kernel converts its arguments to the dtype before it checks them
  const whole = (v: Scalar): Scalar =>
    isInt && Number.isFinite(scalarToNumber(v)) ? Math.trunc(scalarToNumber(v)) || 0 : v;
  checkRange(whole(start), whole(end), whole(step));
  const [a, b, s] = [scalarToNumber(start), scalarToNumber(end), scalarToNumber(step)];
  // only for int64 does it count what it converted
  const count =
    dtype === DTYPES.int64 ? Math.ceil((Math.trunc(b) - Math.trunc(a)) / Math.trunc(s)) : Math.ceil((b - a) / s);
  checkCount(count);
  return placed(
    isInt
      ? fromProgression(count, Math.trunc(a), Math.trunc(s), dtype)
      : fromDoubles(inVectors(a, s, count, dtype), [count], dtype),
    device,
  );
}

function checkCount(count: number): void {
  if (!(count >= 0 && count <= 2 ** 63)) throw new OperatorError("invalid size, possible overflow?");
  checkSizes([count]);
}

function placed(out: Tensor, device: Device | null): Tensor {
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

/** The deprecated `range`, whose end is in it: start, end and step are whole numbers for an integer dtype, floats of float32 for a half. */
function rangeTensor(start: Scalar, end: Scalar, step: Scalar, dtypeId: number | null, device: Device | null): Tensor {
  const dtype = dtypeOr(dtypeId, DTYPES.float32);
  const round = dtype.category === "int" ? Math.trunc : isHalf(dtype) ? Math.fround : asIs;
  const [a, b, s] = [scalarToNumber(start), scalarToNumber(end), scalarToNumber(step)].map(round) as [
    number,
    number,
    number,
  ];
  checkRange(a, b, s);
  const count = Math.trunc(round(round(round(b - a) / s) + 1));
  checkCount(count);
  const narrow = NARROW.get(dtype) ?? asIs;
  const values = Float64Array.from({ length: count }, (_, i) => narrow(round(a + round(i * s))));
  return placed(fromDoubles(values, [count], dtype), device);
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
  const [a, b] = [element(start, dtype), element(end, dtype)];
  if (dtype.category === "int" || dtype.category === "bool") {
    const along = (from: number, by: number, i: number): number => Math.trunc(fusedMultiplyAdd(by, i, from));
    return fromBothEnds(steps, a, b, (b - a) / (steps - 1), along);
  }
  const narrow = NARROW.get(dtype) ?? asIs;
  // halves are rounded at every step, and so are counts
  const step = narrow(narrow(b - a) / (isHalf(dtype) ? narrow(steps - 1) : steps - 1));
  if (isHalf(dtype)) return fromBothEnds(steps, a, b, step, (from, by, i) => narrow(from + narrow(by * narrow(i))));
  // float32 is rounded where it is stored
  if (dtype === DTYPES.float32) return fromBothEnds(steps, a, b, step, (from, by, i) => by * i + from);
  return fromBothEnds(steps, a, b, step, (from, by, i) => fusedMultiplyAdd(by, i, from));
}

/** Numbers `step` apart: the first half counted from `a` on, the second back from `b`. One is `a`. */
function fromBothEnds(
  steps: number,
  a: number,
  b: number,
  step: number,
  along: (from: number, by: number, i: number) => number,
): Float64Array {
  const half = Math.floor(steps / 2);
  const out = new Float64Array(steps);
  for (let i = 0; i < half; i++) out[i] = along(a, step, i);
  for (let i = half; i < steps; i++) out[i] = steps === 1 ? a : along(b, -step, steps - i - 1);
  return out;
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

/** Truth values take one step at most, which asks no kernel. */
function checkSteps(steps: number, dtype: DType, kernel: string): void {
  if (steps < 0) throw new OperatorError("number of steps must be non-negative");
  if (dtype === DTYPES.bool && steps > 1) throw notImplemented(kernel, dtype);
}

function linspaceTensor(start: Scalar, end: Scalar, steps: number, id: number | null): Tensor {
  const dtype = spaceDtype(id, start, end);
  checkSteps(steps, dtype, "linspace_cpu");
  if (dtype.category === "complex") return spacedComplex(start, end, steps, dtype, (re, im) => [re, im]);
  return fromDoubles(spaced(start, end, steps, dtype), [steps], dtype);
}

function logspaceTensor(start: Scalar, end: Scalar, steps: number, base: number, id: number | null): Tensor {
  const dtype = spaceDtype(id, start, end);
  checkSteps(steps, dtype, "logspace_cpu");
  if (dtype.category === "complex") {
    return spacedComplex(start, end, steps, dtype, (re, im) => {
      const scale = Math.pow(base, re);
      const angle = im * Math.log(base);
      return [scale * Math.cos(angle), scale * Math.sin(angle)];
    });
  }
  checkSizes([steps]);
  // powers become halves by way of float32
  const round = dtype.category === "int" ? Math.trunc : isHalf(dtype) ? Math.fround : asIs;
  // a single one is computed in float64
  const exponents = steps === 1 ? Float64Array.of(scalarToNumber(start)) : exponentsOf(start, end, steps, dtype);
  const powers = exponents.map((x) => round(Math.pow(base, x)));
  return fromDoubles(powers, [steps], dtype);
}

/** The exponents of `logspace`: the ends and what lies between them in the dtype, the rest a kind of float wider, that of integers in float32. */
function exponentsOf(start: Scalar, end: Scalar, steps: number, dtype: DType): Float64Array {
  const narrow = NARROW.get(dtype) ?? asIs;
  const inner = dtype.category === "int" || isHalf(dtype) ? Math.fround : asIs;
  const [a, b] = [element(start, dtype), element(end, dtype)];
  const step = inner(narrow(b - a) / (steps - 1));
  return fromBothEnds(steps, a, b, step, (from, by, i) => inner(from + inner(by * i)));
}

/** Both ends as numbers. */
function zeroDims(start: Tensor, end: Tensor, name: string): [Scalar, Scalar] {
  if (start.ndim !== 0 || end.ndim !== 0) {
    throw new OperatorError(
      `${name} only supports 0-dimensional start and end tensors, but got start with ${start.ndim} dimension(s) and end with ${end.ndim} dimension(s).`,
    );
  }
  return [zeroDim(start, name, "start"), zeroDim(end, name, "end")];
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
  (a, b, n, dtype) => linspaceTensor(...zeroDims(a, b, "linspace"), n, dtype),
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
  (a, b, n, base, dtype) => logspaceTensor(...zeroDims(a, b, "logspace"), n, base, dtype),
);
op(
  "aten::logspace.Tensor_Scalar(Tensor start, Scalar end, int steps, float base=10., *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (a, b, n, base, dtype) => logspaceTensor(zeroDim(a, "logspace", "start"), b, n, base, dtype),
);
op(
  "aten::logspace.Scalar_Tensor(Scalar start, Tensor end, int steps, float base=10., *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (a, b, n, base, dtype) => logspaceTensor(a, zeroDim(b, "logspace", "end"), n, base, dtype),
);

/** Ends an out= form: the values of a fresh tensor go to `out`, which takes its sizes unless it has as many elements. */
function into(out: Tensor, result: Tensor): Tensor {
  if (out.numel === result.numel) {
    if (out.numel > 0) writeOutResult(out, reshapeTensor(result, out.sizes));
    return out;
  }
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
  (start, end, steps, out) => into(out, linspaceTensor(...zeroDims(start, end, "linspace"), steps, out.dtype.id)),
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
op(
  "aten::logspace.Tensor_Tensor_out(Tensor start, Tensor end, int steps, float base=10., *, Tensor(a!) out) -> Tensor(a!)",
  (start, end, steps, base, out) =>
    into(out, logspaceTensor(...zeroDims(start, end, "logspace"), steps, base, out.dtype.id)),
);
op(
  "aten::logspace.Tensor_Scalar_out(Tensor start, Scalar end, int steps, float base=10., *, Tensor(a!) out) -> Tensor(a!)",
  (start, end, steps, base, out) =>
    into(out, logspaceTensor(zeroDim(start, "logspace", "start"), end, steps, base, out.dtype.id)),
);
op(
  "aten::logspace.Scalar_Tensor_out(Scalar start, Tensor end, int steps, float base=10., *, Tensor(a!) out) -> Tensor(a!)",
  (start, end, steps, base, out) =>
    into(out, logspaceTensor(start, zeroDim(end, "logspace", "end"), steps, base, out.dtype.id)),
);
