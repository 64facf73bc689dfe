/** @file Pointwise operators of three operands: where, clamp, lerp, addcmul, addcdiv, masked_fill. Upstream: aten/src/ATen/native/TensorCompare.cpp, PointwiseOps.cpp, Lerp.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { aliasOperator, op } from "../core/operator_registry.ts";
import { cloneTensor, convertTensor } from "../tensor/clone.ts";
import { assertNoInternalOverlap } from "../tensor/copy.ts";
import { contiguousData, scalarTensor } from "../tensor/data.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { writeElement } from "../tensor/elements.ts";
import { forEachStrided } from "../tensor/iterate.ts";
import { BINARY } from "../tensor/kernels/binary.ts";
import { moveUnit, type MoveUnit } from "../tensor/kernels/gather.ts";
import { ternaryLoop } from "../tensor/kernels/wasm/elements.ts";
import { wasmSelectBits } from "../tensor/kernels/wasm/integer_maps.ts";
import { wasmClamp } from "../tensor/kernels/wasm/vectors.ts";
import { isNonOverlappingAndDense, MEMORY_FORMAT } from "../tensor/memory_format.ts";
import { C, cdiv, cmul } from "../tensor/math/complex.ts";
import { fusedMultiplyAdd } from "../tensor/math/fused.ts";
import {
  asMap,
  broadcastAll,
  emptyResult,
  map1,
  map2,
  map3,
  notImplemented,
  type Kernel3,
} from "../tensor/pointwise.ts";
import { resultType } from "../tensor/promotion.ts";
import { Complex, isFloatScalar, scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import { emptyTensor, Tensor, uninitializedTensor } from "../tensor/tensor.ts";
import { numelOf } from "../tensor/strides.ts";
import { expandView } from "../tensor/view_geometry.ts";
import { itemOf } from "./builtin_convert.ts";
import { operand, wrapped } from "./operands.ts";
import { checkedScalar, cppTypeName } from "./scalar_checks.ts";
import { kernelParameter } from "./unary.ts";

type Words = ReturnType<MoveUnit["of"]>;

const WHERE: Kernel3 = {
  name: "where_cpu",
  real: (c, a, b) => (c !== 0 ? a : b),
  big: (c, a, b) => (c !== 0n ? a : b),
  complex: (c, _ci, ar, ai, br, bi) => {
    C.re = c !== 0 ? ar : br;
    C.im = c !== 0 ? ai : bi;
  },
};

function whereOf(condition: Tensor, self: Tensor | Scalar, other: Tensor | Scalar): Tensor {
  if (condition.dtype !== DTYPES.bool && condition.dtype !== DTYPES.uint8) {
    throw new OperatorError(
      `where expected condition to be a boolean tensor, but got a tensor with dtype ${condition.dtype.cppName}`,
    );
  }
  const dtype = resultType(self, other);
  // the condition must not decide the layout's dtype conversion: it loads as 0 or 1 in every dtype
  const checked = (v: Tensor | Scalar): Tensor =>
    operand(v instanceof Tensor || dtype.category !== "int" ? v : checkedScalar(v, dtype), dtype);
  const [a, b] = [checked(self), checked(other)];
  return (
    selectBits(condition, a, b, dtype) ??
    selectContiguous(condition, a, b, dtype) ??
    map3(condition, a, b, WHERE, dtype)
  );
}

/** `where` with vector instructions: elements of 1, 4 or 8 bytes are moved as they are. */
function selectBits(condition: Tensor, a: Tensor, b: Tensor, dtype: DType): Tensor | undefined {
  const inputs = [condition, a, b];
  const isPlain = (t: Tensor): boolean => t.device.type === "cpu" && !t.isNeg && t.dtype.category !== "complex";
  if (!inputs.every(isPlain) || inputs.every((t) => t.numel < MIN_SELECTED)) return undefined;
  const out = emptyResult(inputs, dtype);
  return wasmSelectBits(out, condition, convertTensor(a, dtype), convertTensor(b, dtype)) ? out : undefined;
}

/** Elements of one input from which vector instructions pay. */
const MIN_SELECTED = 256;

/** `where` of contiguous tensors of one dtype and shape, or of single elements: their bits are moved as they are. */
function selectContiguous(condition: Tensor, a: Tensor, b: Tensor, dtype: DType): Tensor | undefined {
  const { per, of } = moveUnit(dtype);
  const isPlain = (t: Tensor): boolean =>
    t.dtype === dtype &&
    !t.isNeg &&
    t.device.type === "cpu" &&
    ((t.ndim === 0 && t.numel === 1) ||
      (t.isContiguous() && t.ndim === condition.ndim && t.sizes.every((size, d) => size === condition.sizes[d])));
  const fits = per === 1 && condition.isContiguous() && condition.device.type === "cpu" && isPlain(a) && isPlain(b);
  if (!fits || condition.ndim === 0) return undefined;
  const out = uninitializedTensor(condition.sizes, dtype);
  const flags = condition.storage.segment.u8;
  const [step0, step1] = [a.ndim === 0 ? 0 : 1, b.ndim === 0 ? 0 : 1];
  const { numel } = out;
  const [y, x0, x1] = [out, a, b].map((t) => of(t.storage.segment)) as [Words, Words, Words];
  for (
    let i = 0, to = out.base0, c = condition.base0, p = a.base0, q = b.base0;
    i < numel;
    i++, p += step0, q += step1
  ) {
    y[to + i] = flags[c + i]! !== 0 ? x0[p]! : x1[q]!;
  }
  return out;
}
export const where = op("aten::where.self(Tensor condition, Tensor self, Tensor other) -> Tensor", whereOf);
op("aten::where.ScalarSelf(Tensor condition, Scalar self, Tensor other) -> Tensor", whereOf);
op("aten::where.ScalarOther(Tensor condition, Tensor self, Scalar other) -> Tensor", whereOf);
op("aten::where.Scalar(Tensor condition, Scalar self, Scalar other) -> Tensor", whereOf);

/** A function of its own: a loop in a closure that is made for one call is never compiled well. */
function clampLoop(
  out: Float32Array,
  o: number,
  a: Float32Array,
  ai: number,
  n: number,
  low: number,
  high: number,
): void {
  const least = low > high ? high : low;
  for (let i = 0; i < n; i++) {
    const x = a[ai + i]!; // what is not a number fails both comparisons
    out[o + i] = x < low ? least : x > high ? high : x;
  }
}

function clampRange(name: string, self: Tensor, min: Scalar | null, max: Scalar | null): Tensor {
  if (min === null && max === null) {
    throw new OperatorError("torch.clamp: At least one of 'min' or 'max' must not be None");
  }
  const operands: (Tensor | Scalar)[] = [self];
  if (min !== null) operands.push(min);
  if (max !== null) operands.push(max);
  const dtype = resultType(...operands);
  if (self.dtype.category === "float" && dtype.category === "complex")
    throw new OperatorError("value cannot be converted to type double without overflow");
  if (dtype.category === "complex") throw new OperatorError("clamp is not supported for complex types");
  if (dtype === DTYPES.bool) throw notImplemented(name, dtype);
  const low = min === null ? -Infinity : bound(min, dtype);
  const high = max === null ? Infinity : bound(max, dtype);
  const bigLow = min === null ? -(2n ** 64n) : bigBound(checkedScalar(min, dtype));
  const bigHigh = max === null ? 2n ** 64n : bigBound(checkedScalar(max, dtype));
  const poisoned = low !== low || high !== high;
  if (dtype.category === "int" && self.isContiguous() && self.numel > 0) {
    const above =
      min === null ? self : map2(self, scalarTensor(checkedScalar(min, dtype), dtype), BINARY.maximum, dtype);
    return max === null ? above : map2(above, scalarTensor(checkedScalar(max, dtype), dtype), BINARY.minimum, dtype);
  }
  return map1(
    self,
    {
      name,
      real: poisoned ? () => NaN : (x) => (x < low ? (low > high ? high : low) : x > high ? high : x),
      big: (x) => {
        const y = x < bigLow ? bigLow : x;
        return y > bigHigh ? bigHigh : y;
      },
      f32: (out, o, a, ai, n) => {
        if (poisoned) out.fill(NaN, o, o + n);
        else if (!wasmClamp(out, o, a, ai, n, low, high)) clampLoop(out, o, a, ai, n, low, high);
      },
    },
    dtype,
  );
}

function bound(value: Scalar, dtype: DType): number {
  const x = scalarToNumber(checkedScalar(value, dtype));
  if (dtype.category === "float") return kernelParameter(dtype, x);
  // a negative bound of an unsigned dtype wraps around
  return x < 0 && !dtype.isSigned && dtype.category === "int" ? x + 2 ** (8 * dtype.itemsize) : Math.trunc(x);
}

function bigBound(value: Scalar): bigint {
  if (typeof value === "bigint") return value;
  const x = scalarToNumber(value);
  return Number.isFinite(x) ? BigInt(Math.trunc(x)) : 0n;
}

const clampScalar = asMap((self: Tensor, min: Scalar | null, max: Scalar | null): Tensor =>
  clampRange("clamp_scalar_cpu", self, min, max),
);
export const clamp = op("aten::clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor", clampScalar);
op(
  "aten::clamp_min(Tensor self, Scalar min) -> Tensor",
  asMap((self: Tensor, min: Scalar) => clampRange("clamp_min_scalar_cpu", self, min, null)),
);
op(
  "aten::clamp_max(Tensor self, Scalar max) -> Tensor",
  asMap((self: Tensor, max: Scalar) => clampRange("clamp_max_scalar_cpu", self, null, max)),
);

const CLAMP: Kernel3 = {
  name: "clamp_cpu",
  real: (x, lo, hi) => {
    if (x !== x || lo !== lo || hi !== hi) return NaN;
    const y = x < lo ? lo : x;
    return y > hi ? hi : y;
  },
  big: (x, lo, hi) => {
    const y = x < lo ? lo : x;
    return y > hi ? hi : y;
  },
};
const CLAMP_MIN = {
  name: "maximum_cpu",
  real: (x: number, lo: number) => (x !== x || lo !== lo ? NaN : x < lo ? lo : x),
  big: (x: bigint, lo: bigint) => (x < lo ? lo : x),
};
const CLAMP_MAX = {
  name: "minimum_cpu",
  real: (x: number, hi: number) => (x !== x || hi !== hi ? NaN : x > hi ? hi : x),
  big: (x: bigint, hi: bigint) => (x > hi ? hi : x),
};

function clampTensor(self: Tensor, min: Tensor | null, max: Tensor | null): Tensor {
  if (min === null && max === null) {
    throw new OperatorError("torch.clamp: At least one of 'min' or 'max' must not be None");
  }
  const inputs = [self, min, max].filter((t) => t !== null);
  const dtype = resultType(...inputs);
  if (self.dtype.category === "complex") throw new OperatorError("clamp is not supported for complex types");
  if (dtype.category === "complex" || (dtype === DTYPES.bool && min !== null && max !== null))
    throw notImplemented("clamp_cpu", dtype);
  if (min !== null && max !== null) return map3(self, min, max, CLAMP, dtype);
  return min !== null ? map2(self, min, CLAMP_MIN, dtype) : map2(self, max!, CLAMP_MAX, dtype);
}
op("aten::clamp.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor", clampTensor);
function refuseComplex(kernel: string, self: Tensor, bound: Tensor): void {
  const dtype = resultType(self, bound);
  if (dtype.category === "complex") throw notImplemented(kernel, dtype);
}
op("aten::clamp_min.Tensor(Tensor self, Tensor min) -> Tensor", (self, min) => {
  refuseComplex("maximum_cpu", self, min);
  return clampTensor(self, min, null);
});
op("aten::clamp_max.Tensor(Tensor self, Tensor max) -> Tensor", (self, max) => {
  refuseComplex("minimum_cpu", self, max);
  return clampTensor(self, null, max);
});
aliasOperator("aten::clip", "aten::clamp");

/** lerp of float32 as PyTorch's vectors compute it: differences are rounded, the product only with the sum. */
function floatLerp(a: number, b: number, w: number): number {
  const d = Math.fround(b - a);
  return Math.abs(w) < 0.5 ? a + w * d : b + Math.fround(w - 1) * d;
}

/** lerp of float64, so. */
function doubleLerp(a: number, b: number, w: number): number {
  return Math.abs(w) < 0.5 ? fusedMultiplyAdd(w, b - a, a) : fusedMultiplyAdd(w - 1, b - a, b);
}

const LERP: Kernel3 = {
  name: "lerp_kernel_tensor",
  single: floatLerp,
  f32: ternaryLoop("lerp", floatLerp),
  real: doubleLerp,
  complex: (ar, ai, br, bi, wr, wi) => {
    const [dr, di] = [br - ar, bi - ai];
    if (wr * wr + wi * wi < 0.25) {
      cmul(wr, wi, dr, di);
      C.re += ar;
      C.im += ai;
    } else {
      cmul(dr, di, 1 - wr, -wi);
      C.re = br - C.re;
      C.im = bi - C.im;
    }
  },
};

function sameDtype(self: Tensor, other: Tensor, name: string): void {
  if (self.dtype !== other.dtype) {
    throw new OperatorError(
      `expected dtype ${cppTypeName(self.dtype)} for \`${name}\` but got dtype ${cppTypeName(other.dtype)}`,
    );
  }
}
op(
  "aten::lerp.Tensor(Tensor self, Tensor end, Tensor weight) -> Tensor",
  asMap((self, end, weight) => {
    sameDtype(self, end, "end");
    // a 0-dim weight of another dtype is a number
    if (weight.ndim > 0 || weight.dtype.category === "complex") sameDtype(self, weight, "weight");
    if (self.dtype.category !== "float" && self.dtype.category !== "complex")
      throw notImplemented("lerp_kernel_tensor", self.dtype);
    return map3(self, end, weight, LERP, self.dtype);
  }),
);
op(
  "aten::lerp.Scalar(Tensor self, Tensor end, Scalar weight) -> Tensor",
  asMap((self, end, weight) => {
    sameDtype(self, end, "end");
    if (self.dtype.category !== "float" && self.dtype.category !== "complex")
      throw notImplemented("lerp_kernel_scalar", self.dtype);
    if (weight instanceof Complex) return map3(self, end, wrapped(weight), LERP, self.dtype);
    const w = kernelParameter(self.dtype, scalarToNumber(weight));
    if (self.dtype.category === "complex") return map3(self, end, wrapped(weight), LERP, self.dtype);
    if (self.dtype === DTYPES.float32) return map3(self, end, operand(w, self.dtype), LERP, self.dtype);
    return map2(
      self,
      end,
      { name: "lerp_kernel_scalar", real: (a, b) => doubleLerp(a, b, w), single: (a, b) => floatLerp(a, b, w) },
      self.dtype,
    );
  }),
);

function scale(value: Scalar, dtype: DType): { re: number; im: number; big: bigint } {
  if (
    dtype.category === "int" &&
    (isFloatScalar(value) || value instanceof Complex) &&
    !Number.isInteger(scalarToNumber(value))
  ) {
    // PyTorch converts the number to the integer dtype
    return { re: Math.trunc(scalarToNumber(value)), im: 0, big: bigBound(value) };
  }
  const re = scalarToNumber(value);
  const round = (x: number): number => (dtype.category === "int" ? x : kernelParameter(dtype, x));
  return { re: round(re), im: value instanceof Complex ? round(value.im) : 0, big: bigBound(value) };
}

op(
  "aten::addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
  asMap((self, a, b, value) => {
    const dtype = resultType(self, a, b);
    if (dtype === DTYPES.bool) throw notImplemented("addcmul_cpu_out", dtype);
    const { re, im, big } = scale(value, dtype);
    const single = (x: number, y: number, z: number): number => Math.fround(re * y) * z + x;
    return map3(
      self,
      a,
      b,
      {
        name: "addcmul_cpu_out",
        real: dtype === DTYPES.float64 ? (x, y, z) => fusedMultiplyAdd(re * y, z, x) : (x, y, z) => x + re * y * z,
        single,
        f32: ternaryLoop("addcmul", single, re),
        big: (x, y, z) => x + big * y * z,
        complex: (xr, xi, yr, yi, zr, zi) => {
          cmul(re, im, yr, yi);
          cmul(C.re, C.im, zr, zi);
          C.re += xr;
          C.im += xi;
        },
      },
      dtype,
    );
  }),
);

op(
  "aten::addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
  asMap((self, a, b, value) => {
    const integral = (t: Tensor): boolean => t.dtype.category === "int" || t.dtype.category === "bool";
    if (integral(a) && integral(b)) {
      throw new OperatorError(
        "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a true division of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + value * torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / tensor2) for float inputs. The future addcdiv behavior is just the latter implementation: (input + value * tensor1 / tensor2), for all dtypes.",
      );
    }
    const dtype = resultType(self, a, b);
    const { re, im } = scale(value, dtype);
    const single = (x: number, y: number, z: number): number => x + Math.fround(Math.fround(re * y) / z);
    return map3(
      self,
      a,
      b,
      {
        name: "addcdiv_cpu_out",
        real: (x, y, z) => x + (re * y) / z,
        single,
        f32: ternaryLoop("addcdiv", single, re),
        complex: (xr, xi, yr, yi, zr, zi) => {
          cmul(re, im, yr, yi);
          cdiv(C.re, C.im, zr, zi);
          C.re += xr;
          C.im += xi;
        },
      },
      dtype,
    );
  }),
);

/** Writes a number where the mask, broadcast to `self`, says so. @throws OperatorError for other masks, and for numbers beyond the dtype. */
export function fillMasked(self: Tensor, mask: Tensor, value: Scalar): void {
  if (mask.dtype !== DTYPES.bool) {
    throw new OperatorError(
      `masked_fill_ only supports boolean masks, but got mask with dtype ${cppTypeName(mask.dtype)}`,
    );
  }
  const element = checkedScalar(value, self.dtype);
  const sizes = broadcastAll([self, mask]);
  if (sizes.length !== self.ndim || sizes.some((s, d) => s !== self.sizes[d])) {
    throw new OperatorError(
      `output with shape [${self.sizes.join(", ")}] doesn't match the broadcast shape [${sizes.join(", ")}]`,
    );
  }
  const { dtype } = self;
  const seg = self.storage.segment;
  const bits = mask.storage.segment.u8;
  // a tensor whose mask is itself is its own element's place
  const isFree = mask.storage !== self.storage && self.device.type === "cpu" && !self.isConj && !self.isNeg;
  if (isFree && isNonOverlappingAndDense(self.sizes, self.strides)) {
    if (wasmSelectBits(self, mask, scalarTensor(element, dtype), self)) return;
  }
  if (dtype === DTYPES.float32) {
    const x = scalarToNumber(element);
    const { f32 } = seg;
    forEachStrided([self, mask], (i, m) => {
      if (bits[m] !== 0) f32[i] = x;
    });
    return;
  }
  forEachStrided([self, mask], (i, m) => {
    if (bits[m] !== 0) writeElement(dtype, seg, i, element);
  });
}

function maskedFill(self: Tensor, mask: Tensor, value: Scalar): Tensor {
  const sizes = broadcastAll([self, mask]);
  const wide =
    sizes.length === self.ndim && sizes.every((s, d) => s === self.sizes[d])
      ? self
      : expandView(self, sizes, self.dtype.cppName);
  const isPlain = mask.dtype === DTYPES.bool && self.device.type === "cpu" && !self.isConj && !self.isNeg;
  if (isPlain && numelOf(sizes) >= MIN_SELECTED && numelOf(sizes) === wide.numel) {
    const selected = uninitializedTensor(sizes, self.dtype);
    const element = scalarTensor(checkedScalar(value, self.dtype), self.dtype);
    if (wasmSelectBits(selected, mask, element, wide)) return selected;
  }
  const out = cloneTensor(wide, MEMORY_FORMAT.contiguous);
  fillMasked(out, mask, value);
  return out;
}

function onlyNumber(value: Tensor): Scalar {
  if (value.ndim !== 0) {
    throw new OperatorError(
      `masked_fill_ only supports a 0-dimensional value tensor, but got tensor with ${value.ndim} dimension(s).`,
    );
  }
  return itemOf(value);
}

export const masked_fill = op("aten::masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor", maskedFill);
op("aten::masked_fill.Tensor(Tensor self, Tensor mask, Tensor value) -> Tensor", (self, mask, value) =>
  maskedFill(self, mask, onlyNumber(value)),
);
op("aten::masked_fill_.Scalar(Tensor(a!) self, Tensor mask, Scalar value) -> Tensor(a!)", (self, mask, value) => {
  assertNoInternalOverlap(self);
  fillMasked(self, mask, value);
  self.storage.version++;
  return self;
});
op("aten::masked_fill_.Tensor(Tensor(a!) self, Tensor mask, Tensor value) -> Tensor(a!)", (self, mask, value) => {
  assertNoInternalOverlap(self);
  fillMasked(self, mask, onlyNumber(value));
  self.storage.version++;
  return self;
});

function isIn(elements: Tensor, tests: Tensor, invert: boolean): Tensor {
  for (const t of [elements, tests]) {
    if (t.dtype.category === "complex" || t.dtype === DTYPES.bool) {
      throw new OperatorError(`Unsupported input type encountered for isin(): ${t.dtype.cppName}`);
    }
  }
  const set = new Set<number | bigint>();
  for (const x of contiguousData(tests)) set.add(x);
  const out = new Uint8Array(elements.numel);
  const data = contiguousData(elements);
  for (let i = 0; i < out.length; i++) out[i] = set.has(data[i]!) && data[i] === data[i] ? 1 : 0;
  return boolTensor(out, elements.sizes, invert);
}

function boolTensor(values: Uint8Array, sizes: readonly number[], invert: boolean): Tensor {
  const out = emptyTensor(sizes, DTYPES.bool);
  const u8 = out.storage.segment.u8;
  for (let i = 0; i < values.length; i++) u8[out.base0 + i] = invert ? 1 - values[i]! : values[i]!;
  return out;
}

op(
  "aten::isin.Tensor_Tensor(Tensor elements, Tensor test_elements, *, bool assume_unique=False, bool invert=False) -> Tensor",
  (a, b, _u, invert) => isIn(a, b, invert),
);
op(
  "aten::isin.Tensor_Scalar(Tensor elements, Scalar test_element, *, bool assume_unique=False, bool invert=False) -> Tensor",
  (a, b, _u, invert) => isIn(a, wrapped(b), invert),
);
op(
  "aten::isin.Scalar_Tensor(Scalar element, Tensor test_elements, *, bool assume_unique=False, bool invert=False) -> Tensor",
  (a, b, _u, invert) => isIn(wrapped(a), b, invert),
);
