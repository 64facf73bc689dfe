/** @file Pointwise operators of one tensor: arithmetic, exponentials, trigonometry, rounding, predicates. Upstream: aten/src/ATen/native/UnaryOps.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { aliasOperator, op } from "../core/operator_registry.ts";
import { cloneTensor } from "../tensor/clone.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { roundToBfloat16, roundToHalf } from "../tensor/half.ts";
import { roundHalfEven, UNARY } from "../tensor/kernels/unary.ts";
import { wasmNanToNum } from "../tensor/kernels/wasm/vectors.ts";
import { C } from "../tensor/math/complex.ts";
import { asMap, map1, notImplemented, type Kernel1 } from "../tensor/pointwise.ts";
import { floatResult, toRealDtype } from "../tensor/promotion.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** An operator whose integer inputs give floats. */
export function floatUnary(kernel: Kernel1): (self: Tensor) => Tensor {
  return asMap((self) => {
    if (self.dtype === DTYPES.complex32) throw notImplemented(kernel.name, self.dtype);
    return map1(self, kernel, floatResult(self.dtype));
  });
}

/** An operator that keeps the dtype; `refuse` says which categories have a message of their own. */
export function sameUnary(
  kernel: Kernel1,
  refuse: Partial<Record<DType["category"], string>> = {},
): (self: Tensor) => Tensor {
  return asMap((self) => {
    const message = refuse[self.dtype.category];
    if (message !== undefined) {
      if (message === "") throw notImplemented(kernel.name, self.dtype);
      throw new OperatorError(message);
    }
    if (self.dtype.category === "int" && kernel.real && !kernel.big) throw notImplemented(kernel.name, self.dtype);
    return map1(self, kernel);
  });
}

function predicate(kernel: Kernel1, complexMessage?: string): (self: Tensor) => Tensor {
  return (self) => {
    if (complexMessage !== undefined && self.dtype.category === "complex") throw new OperatorError(complexMessage);
    return map1(self, kernel, self.dtype, DTYPES.bool);
  };
}

/** A result of the dtype of the real parts, e.g. abs of complex. */
function realUnary(kernel: Kernel1, integersToFloat: boolean): (self: Tensor) => Tensor {
  return asMap((self) => {
    if (self.dtype === DTYPES.bool && !integersToFloat) throw notImplemented(kernel.name, self.dtype);
    const compute = integersToFloat ? floatResult(self.dtype) : self.dtype;
    return map1(self, kernel, compute, toRealDtype(compute));
  });
}

const NO_BOOL_NEG =
  "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the `~` or `logical_not()` operator instead.";
const SIGN_COMPLEX =
  "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use torch.sgn instead.";

export const abs = op("aten::abs(Tensor self) -> Tensor", realUnary(UNARY.abs, false));
export const neg = op("aten::neg(Tensor self) -> Tensor", sameUnary(UNARY.neg, { bool: NO_BOOL_NEG }));
op("aten::_conj_physical(Tensor self) -> Tensor", sameUnary(UNARY.conj));
export const conj_physical = op("aten::conj_physical(Tensor self) -> Tensor", (self) => {
  if (self.dtype.category !== "complex") return self;
  return map1(self, UNARY.conj);
});
op("aten::positive(Tensor(a) self) -> Tensor(a)", (self) => {
  if (self.dtype === DTYPES.bool) throw new OperatorError("The `+` operator, on a bool tensor is not supported.");
  return self;
});
export const square = op("aten::square(Tensor self) -> Tensor", (self) => {
  if (self.dtype === DTYPES.complex32) throw notImplemented("pow", self.dtype);
  return self.dtype === DTYPES.bool ? map1(self, UNARY.square, DTYPES.int64) : map1(self, UNARY.square);
});
export const reciprocal = op("aten::reciprocal(Tensor self) -> Tensor", floatUnary(UNARY.reciprocal));
export const sqrt = op("aten::sqrt(Tensor self) -> Tensor", floatUnary(UNARY.sqrt));
export const rsqrt = op("aten::rsqrt(Tensor self) -> Tensor", floatUnary(UNARY.rsqrt));
export const exp = op("aten::exp(Tensor self) -> Tensor", floatUnary(UNARY.exp));
op("aten::exp2(Tensor self) -> Tensor", floatUnary(UNARY.exp2));
op("aten::expm1(Tensor self) -> Tensor", floatUnary(UNARY.expm1));
export const log = op("aten::log(Tensor self) -> Tensor", floatUnary(UNARY.log));
op("aten::log2(Tensor self) -> Tensor", floatUnary(UNARY.log2));
op("aten::log10(Tensor self) -> Tensor", floatUnary(UNARY.log10));
op("aten::log1p(Tensor self) -> Tensor", floatUnary(UNARY.log1p));
op("aten::sin(Tensor self) -> Tensor", floatUnary(UNARY.sin));
export const cos = op("aten::cos(Tensor self) -> Tensor", floatUnary(UNARY.cos));
op("aten::tan(Tensor self) -> Tensor", floatUnary(UNARY.tan));
op("aten::asin(Tensor self) -> Tensor", floatUnary(UNARY.asin));
op("aten::acos(Tensor self) -> Tensor", floatUnary(UNARY.acos));
op("aten::atan(Tensor self) -> Tensor", floatUnary(UNARY.atan));
op("aten::sinh(Tensor self) -> Tensor", floatUnary(UNARY.sinh));
op("aten::cosh(Tensor self) -> Tensor", floatUnary(UNARY.cosh));
export const tanh = op("aten::tanh(Tensor self) -> Tensor", floatUnary(UNARY.tanh));
op("aten::asinh(Tensor self) -> Tensor", floatUnary(UNARY.asinh));
op("aten::acosh(Tensor self) -> Tensor", floatUnary(UNARY.acosh));
op("aten::atanh(Tensor self) -> Tensor", floatUnary(UNARY.atanh));
export const sigmoid = op("aten::sigmoid(Tensor self) -> Tensor", floatUnary(UNARY.sigmoid));
op("aten::sinc(Tensor self) -> Tensor", floatUnary(UNARY.sinc));
export const erf = op("aten::erf(Tensor self) -> Tensor", floatUnary(UNARY.erf));
op("aten::erfc(Tensor self) -> Tensor", floatUnary(UNARY.erfc));
op("aten::erfinv(Tensor self) -> Tensor", floatUnary(UNARY.erfinv));
op("aten::lgamma(Tensor self) -> Tensor", floatUnary(UNARY.lgamma));
op("aten::digamma(Tensor self) -> Tensor", floatUnary(UNARY.digamma));
op(
  "aten::ceil(Tensor self) -> Tensor",
  sameUnary(UNARY.ceil, { bool: "", complex: "ceil is not supported for complex inputs" }),
);
op(
  "aten::floor(Tensor self) -> Tensor",
  sameUnary(UNARY.floor, { bool: "", complex: "floor is not supported for complex inputs" }),
);
op(
  "aten::trunc(Tensor self) -> Tensor",
  sameUnary(UNARY.trunc, { bool: "", complex: "trunc is not supported for complex inputs" }),
);
export const round = op("aten::round(Tensor self) -> Tensor", sameUnary(UNARY.round, { bool: "" }));
op("aten::frac(Tensor self) -> Tensor", sameUnary(UNARY.frac, { bool: "" }));
op("aten::sign(Tensor self) -> Tensor", sameUnary(UNARY.sign, { complex: SIGN_COMPLEX }));
op("aten::sgn(Tensor self) -> Tensor", sameUnary(UNARY.sgn));
op("aten::angle(Tensor self) -> Tensor", realUnary(UNARY.angle, true));
const toRadians = floatUnary(UNARY.deg2rad);
const toDegrees = floatUnary(UNARY.rad2deg);
op("aten::deg2rad(Tensor self) -> Tensor", (self) => {
  if (self.dtype.category === "complex") throw new OperatorError("deg2rad is not supported for complex tensors.");
  return toRadians(self);
});
op("aten::rad2deg(Tensor self) -> Tensor", (self) => {
  if (self.dtype.category === "complex") throw new OperatorError("rad2deg is not supported for complex tensors.");
  return toDegrees(self);
});
export const bitwise_not = op("aten::bitwise_not(Tensor self) -> Tensor", (self) => {
  if (self.dtype === DTYPES.bool) return map1(self, UNARY.logicalNot);
  if (self.dtype.category !== "int") throw notImplemented("bitwise_not_cpu", self.dtype);
  return map1(self, UNARY.bitwiseNot);
});
export const logical_not = op("aten::logical_not(Tensor self) -> Tensor", predicate(UNARY.logicalNot));
export const isnan = op("aten::isnan(Tensor self) -> Tensor", predicate(UNARY.isnan));
export const isinf = op("aten::isinf(Tensor self) -> Tensor", predicate(UNARY.isinf));
export const isfinite = op("aten::isfinite(Tensor self) -> Tensor", predicate(UNARY.isfinite));
op("aten::isposinf(Tensor self) -> Tensor", predicate(UNARY.isposinf, "isposinf does not support complex inputs."));
op("aten::isneginf(Tensor self) -> Tensor", predicate(UNARY.isneginf, "isneginf does not support complex inputs."));
op("aten::isreal(Tensor self) -> Tensor", predicate(UNARY.isreal));
op("aten::signbit(Tensor self) -> Tensor", predicate(UNARY.signbit, "signbit is not implemented for complex tensors."));

op("aten::round.decimals(Tensor self, *, int decimals) -> Tensor", (self, decimals) => {
  if (self.dtype.category !== "float") {
    throw notImplemented(decimals === 0 ? "round_vml_cpu" : "round_cpu", self.dtype);
  }
  const scale = 10 ** Math.abs(decimals);
  // each step is rounded to the computing precision, as in PyTorch's kernel: float32 for the half kinds
  const step = self.dtype === DTYPES.float64 ? (x: number): number => x : Math.fround;
  const real =
    decimals === 0
      ? roundHalfEven
      : decimals > 0
        ? (x: number) => roundHalfEven(step(x * scale)) / scale
        : (x: number) => roundHalfEven(step(x / scale)) * scale;
  return map1(self, { name: "round_vml_cpu", real });
});

/** Rounds a double to a float dtype's precision. */
export function roundingOf(dtype: DType): (x: number) => number {
  if (dtype === DTYPES.float32 || dtype === DTYPES.complex64) return Math.fround;
  if (dtype === DTYPES.float16) return roundToHalf;
  if (dtype === DTYPES.bfloat16) return roundToBfloat16;
  return (x) => x;
}

/** The parameter of a kernel in the precision it computes with: float32 for float32 and the half kinds. */
export function kernelParameter(dtype: DType, value: number): number {
  return dtype === DTYPES.float64 || dtype === DTYPES.complex128 ? value : Math.fround(value);
}

op(
  "aten::nan_to_num(Tensor self, float? nan=None, float? posinf=None, float? neginf=None) -> Tensor",
  (self, nan, posinf, neginf) => {
    if (self.dtype.category === "int" || self.dtype.category === "bool") return cloneTensor(self);
    if (self.dtype === DTYPES.complex32) throw notImplemented("nan_to_num", self.dtype);
    const max = largestOf(toRealDtype(self.dtype));
    const [forNan, high, low] = [nan ?? 0, posinf ?? max, neginf ?? -max];
    const replacement = (x: number): number => (x !== x ? forNan : x > 0 ? high : low);
    const cleanup = (x: number): number => (x - x === 0 ? x : replacement(x));
    return map1(self, {
      name: "nan_to_num",
      real: cleanup,
      f32: (out, o, a, ai, n) => {
        if (!wasmNanToNum(out, o, a, ai, n, forNan, high, low))
          for (let i = 0; i < n; i++) out[o + i] = cleanup(a[ai + i]!);
      },
      complex: (r, i) => {
        C.re = cleanup(r);
        C.im = cleanup(i);
      },
    });
  },
);

/** The largest finite value of a float dtype. */
export function largestOf(dtype: DType): number {
  if (dtype === DTYPES.float64) return Number.MAX_VALUE;
  if (dtype === DTYPES.float16) return 65504;
  if (dtype === DTYPES.bfloat16) return 3.3895313892515355e38;
  return 3.4028234663852886e38;
}

/** The logit kernel; `eps` clamps the input to [eps, 1 - eps]. */
function logit(self: Tensor, eps: number | null): Tensor {
  const compute = floatResult(self.dtype);
  if (compute.category === "complex") throw notImplemented("logit_cpu", self.dtype);
  // every step is rounded: the kernel computes in the dtype itself
  const round = roundingOf(compute);
  const odds = (x: number): number => Math.log(round(x / round(1 - x)));
  if (eps === null) return map1(self, { name: "logit_cpu", real: odds }, compute);
  const low = kernelParameter(compute, eps);
  const high = kernelParameter(compute, 1 - low);
  return map1(
    self,
    {
      name: "logit_cpu",
      real: (x) => {
        return odds(x < low ? low : x > high ? high : x);
      },
    },
    compute,
  );
}
op("aten::logit(Tensor self, float? eps=None) -> Tensor", logit);
op("aten::special_logit(Tensor self, float? eps=None) -> Tensor", logit);

op("aten::is_nonzero(Tensor self) -> bool", (self) => {
  if (self.numel === 0) throw new OperatorError("Boolean value of Tensor with no values is ambiguous");
  if (self.numel > 1) throw new OperatorError("Boolean value of Tensor with more than one value is ambiguous");
  const bool = map1(self, UNARY.logicalNot, self.dtype, DTYPES.bool);
  return bool.storage.segment.u8[bool.base0] === 0;
});

op("aten::frexp.Tensor(Tensor self) -> (Tensor mantissa, Tensor exponent)", (self): [Tensor, Tensor] => {
  if (self.dtype.category !== "float") {
    throw new OperatorError("torch.frexp() only supports floating-point dtypes");
  }
  const exponentOf = (x: number): number => {
    if (x === 0 || !Number.isFinite(x)) return 0;
    let e = Math.max(-1023, Math.floor(Math.log2(Math.abs(x))) + 1);
    let m = Math.abs(x) * 2 ** -e;
    if (e < -1000) m = Math.abs(x) * 2 ** 100 * 2 ** (-e - 100);
    while (m < 0.5) {
      m *= 2;
      e--;
    }
    while (m >= 1) {
      m /= 2;
      e++;
    }
    return e;
  };
  const scaled = (x: number): number => {
    const e = exponentOf(x);
    return e < -1000 ? x * 2 ** 100 * 2 ** (-e - 100) : x * 2 ** -e;
  };
  const mantissa = map1(self, { name: "frexp", real: scaled });
  const exponent = map1(self, { name: "frexp", real: exponentOf }, self.dtype, DTYPES.int32);
  return [mantissa, exponent];
});

const ALIASES = {
  absolute: "abs",
  negative: "neg",
  arccos: "acos",
  arccosh: "acosh",
  arcsin: "asin",
  arcsinh: "asinh",
  arctan: "atan",
  arctanh: "atanh",
  fix: "trunc",
};
for (const [alias, name] of Object.entries(ALIASES)) aliasOperator(`aten::${alias}`, `aten::${name}`);
const SPECIAL = {
  digamma: "digamma",
  psi: "digamma",
  erf: "erf",
  erfc: "erfc",
  erfinv: "erfinv",
  exp2: "exp2",
  expm1: "expm1",
  expit: "sigmoid",
  gammaln: "lgamma",
  log1p: "log1p",
  sinc: "sinc",
  round: "round",
};
for (const [alias, name] of Object.entries(SPECIAL)) aliasOperator(`aten::special_${alias}`, `aten::${name}`);
