/** @file Kernels of one element: arithmetic, exponentials, trigonometry, rounding, predicates. Upstream: aten/src/ATen/native/cpu/UnaryOpsKernel.cpp. Spec: none. */
import { nearestCos, nearestLog, nearestSin } from "../math/nearest.ts";
import {
  C,
  cacos,
  cacosh,
  casin,
  casinh,
  catan,
  catanh,
  ccos,
  ccosh,
  cdiv,
  cexp,
  cexpm1,
  clog,
  clog1p,
  cmul,
  creciprocal,
  csigmoid,
  csin,
  csinh,
  csqrt,
  ctan,
  ctanh,
} from "../math/complex.ts";
import { erf, erfc, erfinv } from "../math/erf.ts";
import { floatExp, floatSigmoid, floatTanh } from "../math/float_exp.ts";
import { floatCos, floatExpm1, floatLog, floatLog1p, floatSin } from "../math/float_log.ts";
import { digamma, lgamma } from "../math/gamma.ts";
import type { Kernel1, Loop1 } from "../pointwise.ts";
import type { SHORT_VECTORS } from "./wasm/vector_programs.ts";
import { doubleLoop } from "./wasm/doubles.ts";
import { vectorLoop, wasmClamp } from "./wasm/vectors.ts";
import { wideLoop } from "./wasm/wide.ts";

/** The loop of a function. */
const plainLoop =
  (f: (x: number) => number): Loop1 =>
  (out, o, a, ai, n) => {
    for (let i = 0; i < n; i++) out[o + i] = f(a[ai + i]!);
  };
const expLoop: Loop1 = (out, o, a, ai, n) => {
  for (let i = 0; i < n; i++) out[o + i] = floatExp(a[ai + i]!);
};
const tanhLoop: Loop1 = (out, o, a, ai, n) => {
  for (let i = 0; i < n; i++) out[o + i] = floatTanh(a[ai + i]!);
};
const sigmoidLoop: Loop1 = (out, o, a, ai, n) => {
  for (let i = 0; i < n; i++) out[o + i] = floatSigmoid(a[ai + i]!);
};
/** Keeps what is not a number, and the sign of zero. */
function relu(x: number): number {
  return x < 0 ? 0 : x;
}
const reluLoop: Loop1 = (out, o, a, ai, n) => {
  if (!wasmClamp(out, o, a, ai, n, 0, Infinity)) for (let i = 0; i < n; i++) out[o + i] = relu(a[ai + i]!);
};
/** The kernel of vectors of a function of one instruction or two; few elements, and platforms without, take the shared loop. */
const short = (name: (typeof SHORT_VECTORS)[number], f: (x: number) => number): Loop1 => vectorLoop(name, plainLoop(f));

function identity(x: number): number {
  return x;
}

const square = (x: number): number => x * x;
const cube = (x: number): number => x * x * x;
const reciprocal = (x: number): number => 1 / x;
const rsqrt = (x: number): number => 1 / Math.sqrt(x);

const WHOLE = 2 ** 52;

/** Rounds half to even. */
export function roundHalfEven(x: number): number {
  const size = Math.abs(x);
  // beyond 2^52 numbers are whole; what is not a number stays
  if (x === 0 || !(size < WHOLE)) return x;
  const r = size + WHOLE - WHOLE;
  return x < 0 ? -r : r;
}

const floatExp2 = (x: number): number => floatExp(x * Math.LN2);
const floatLog2 = (x: number): number => floatLog(x) * Math.LOG2E;
const floatLog10 = (x: number): number => floatLog(x) * Math.LOG10E;

const LOG2 = Math.LN2;
const LOG10 = Math.LN10;

/** Sign without NaN: PyTorch's sign of NaN is 0. */
function sign(x: number): number {
  return Number(x > 0) - Number(x < 0); // no branch to be guessed
}

function sinc(x: number): number {
  if (x === 0) return 1;
  const p = Math.PI * x;
  return Math.sin(p) / p;
}

const FLOAT_PI = Math.fround(Math.PI);

/** sinc in float32, which rounds the angle: PyTorch's multiples of pi are not quite zeros. */
function floatSinc(x: number): number {
  if (x === 0) return 1;
  const p = Math.fround(FLOAT_PI * x);
  return Math.fround(Math.sin(p)) / p;
}

function bigAbs(x: bigint): bigint {
  return x < 0n ? -x : x;
}

/** Every kernel of one element, by name. */
export const UNARY = {
  abs: {
    name: "abs_cpu",
    integers: "abs",
    real: Math.abs,
    big: bigAbs,
    complex: (r, i) => {
      C.re = Math.hypot(r, i);
      C.im = 0;
    },
    f32: short("abs", Math.abs),
  },
  neg: {
    name: "neg",
    integers: "neg",
    real: (x) => -x,
    big: (x) => -x,
    complex: (r, i) => {
      C.re = -r;
      C.im = -i;
    },
    f32: short("neg", (x) => -x),
  },
  conj: {
    name: "conj_cpu",
    real: identity,
    big: (x) => x,
    complex: (r, i) => {
      C.re = r;
      C.im = -i;
    },
  },
  positive: {
    name: "positive",
    real: identity,
    big: (x) => x,
    complex: (r, i) => {
      C.re = r;
      C.im = i;
    },
  },
  square: {
    name: "pow",
    integers: "square",
    real: square,
    big: (x) => x * x,
    complex: (r, i) => cmul(r, i, r, i),
    f32: short("square", square),
  },
  cube: { name: "pow", real: cube, f32: short("cube", cube) },
  reciprocal: { name: "reciprocal_cpu", real: reciprocal, complex: creciprocal, f32: short("reciprocal", reciprocal) },
  sqrt: { name: "sqrt_vml_cpu", real: Math.sqrt, complex: csqrt, f32: short("sqrt", Math.sqrt) },
  rsqrt: {
    name: "rsqrt_cpu",
    real: rsqrt,
    complex: (r, i) => {
      csqrt(r, i);
      creciprocal(C.re, C.im);
    },
    f32: short("rsqrt", rsqrt),
  },
  exp: { name: "exp_vml_cpu", real: Math.exp, complex: cexp, f32: vectorLoop("exp", expLoop), f64: doubleLoop("exp") },
  exp2: {
    name: "exp2",
    real: (x) => 2 ** x,
    single: floatExp2,
    f32: wideLoop("exp2", floatExp2),
    complex: (r, i) => cexp(r * LOG2, i * LOG2),
  },
  expm1: {
    name: "expm1_vml_cpu",
    real: Math.expm1,
    single: floatExpm1,
    complex: cexpm1,
    f32: wideLoop("expm1", floatExpm1),
  },
  log: {
    name: "log_vml_cpu",
    real: nearestLog,
    single: Math.log,
    complex: clog,
    f32: vectorLoop("log", plainLoop(Math.log)),
  },
  log2: {
    name: "log2_vml_cpu",
    real: Math.log2,
    single: floatLog2,
    f32: wideLoop("log2", floatLog2),
    complex: (r, i) => {
      clog(r, i);
      C.re /= LOG2;
      C.im /= LOG2;
    },
  },
  log10: {
    name: "log10_vml_cpu",
    real: Math.log10,
    single: floatLog10,
    f32: wideLoop("log10", floatLog10),
    complex: (r, i) => {
      clog(r, i);
      C.re /= LOG10;
      C.im /= LOG10;
    },
  },
  log1p: {
    name: "log1p_vml_cpu",
    real: Math.log1p,
    single: floatLog1p,
    complex: clog1p,
    f32: wideLoop("log1p", floatLog1p),
  },
  sin: { name: "sin_vml_cpu", real: nearestSin, single: floatSin, complex: csin, f32: wideLoop("sin", floatSin) },
  cos: { name: "cos_vml_cpu", real: nearestCos, single: floatCos, complex: ccos, f32: wideLoop("cos", floatCos) },
  tan: { name: "tan_vml_cpu", real: Math.tan, complex: ctan, f32: wideLoop("tan", Math.tan) },
  asin: { name: "asin_vml_cpu", real: Math.asin, complex: casin, f32: wideLoop("asin", Math.asin) },
  acos: { name: "acos_vml_cpu", real: Math.acos, complex: cacos, f32: wideLoop("acos", Math.acos) },
  atan: { name: "atan_vml_cpu", real: Math.atan, complex: catan, f32: wideLoop("atan", Math.atan) },
  sinh: { name: "sinh_cpu", real: Math.sinh, complex: csinh, f32: wideLoop("sinh", Math.sinh) },
  cosh: { name: "cosh_cpu", real: Math.cosh, complex: ccosh, f32: wideLoop("cosh", Math.cosh) },
  tanh: { name: "tanh_vml_cpu", real: Math.tanh, complex: ctanh, f32: vectorLoop("tanh", tanhLoop) },
  asinh: { name: "asinh_cpu", real: Math.asinh, complex: casinh, f32: wideLoop("asinh", Math.asinh) },
  acosh: { name: "acosh_cpu", real: Math.acosh, complex: cacosh, f32: wideLoop("acosh", Math.acosh) },
  atanh: { name: "atanh_cpu", real: Math.atanh, complex: catanh, f32: wideLoop("atanh", Math.atanh) },
  sigmoid: {
    name: "sigmoid_cpu",
    real: (x) => 1 / (1 + Math.exp(-x)),
    complex: csigmoid,
    f32: vectorLoop("sigmoid", sigmoidLoop),
  },
  sinc: {
    name: "sinc_cpu",
    real: sinc,
    single: floatSinc,
    complex: (r, i) => {
      if (r === 0 && i === 0) {
        C.re = 1;
        C.im = 0;
        return;
      }
      csin(Math.PI * r, Math.PI * i);
      cdiv(C.re, C.im, Math.PI * r, Math.PI * i);
    },
  },
  erf: { name: "erf_vml_cpu", real: erf, f32: vectorLoop("erf", plainLoop(erf)) },
  erfc: { name: "erfc_vml_cpu", real: erfc },
  erfinv: { name: "erfinv_vml_cpu", real: erfinv },
  lgamma: { name: "lgamma_vml_cpu", real: lgamma },
  digamma: { name: "digamma", real: digamma },
  ceil: { name: "ceil_vml_cpu", real: Math.ceil, big: (x) => x, f32: short("ceil", Math.ceil) },
  floor: { name: "floor_vml_cpu", real: Math.floor, big: (x) => x, f32: short("floor", Math.floor) },
  round: { name: "round_vml_cpu", real: roundHalfEven, big: (x) => x, f32: short("round", roundHalfEven) },
  trunc: { name: "trunc_vml_cpu", real: Math.trunc, big: (x) => x, f32: short("trunc", Math.trunc) },
  frac: { name: "frac_cpu", real: (x) => x - Math.trunc(x) },
  sign: { name: "sign_cpu", real: sign, big: (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n) },
  sgn: {
    name: "sgn_cpu",
    real: sign,
    big: (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n),
    complex: (r, i) => {
      const a = Math.hypot(r, i);
      C.re = a === 0 ? 0 : r / a;
      C.im = a === 0 ? 0 : i / a;
    },
  },
  angle: {
    name: "angle_cpu",
    real: (x) => (x !== x ? NaN : x < 0 ? Math.PI : 0),
    complex: (r, i) => {
      C.re = Math.atan2(i, r);
      C.im = 0;
    },
  },
  deg2rad: { name: "deg2rad", real: (x) => x * (Math.PI / 180) },
  rad2deg: { name: "rad2deg", real: (x) => x * (180 / Math.PI) },
  relu: { name: "clamp_min_scalar_cpu", integers: "relu", real: relu, big: (x) => (x < 0n ? 0n : x), f32: reluLoop },
  bitwiseNot: { name: "bitwise_not_cpu", integers: "not", real: (x) => -x - 1, big: (x) => ~x },
  logicalNot: {
    name: "logical_not_cpu",
    integers: "logicalNot",
    real: (x) => Number(x === 0),
    complex: (r, i) => {
      C.re = r === 0 && i === 0 ? 1 : 0;
      C.im = 0;
    },
  },
  isnan: {
    name: "isnan",
    real: (x) => Number(x !== x),
    complex: (r, i) => {
      C.re = r !== r || i !== i ? 1 : 0;
      C.im = 0;
    },
  },
  isinf: {
    name: "isinf",
    real: (x) => Number(Math.abs(x) === Infinity),
    complex: (r, i) => {
      C.re = Math.abs(r) === Infinity || Math.abs(i) === Infinity ? 1 : 0;
      C.im = 0;
    },
  },
  isfinite: {
    name: "isfinite",
    real: (x) => Number(x - x === 0),
    complex: (r, i) => {
      C.re = Number.isFinite(r) && Number.isFinite(i) ? 1 : 0;
      C.im = 0;
    },
  },
  isposinf: { name: "isposinf_cpu", real: (x) => Number(x === Infinity) },
  isneginf: { name: "isneginf_cpu", real: (x) => Number(x === -Infinity) },
  isreal: {
    name: "isreal",
    real: () => 1,
    complex: (_r, i) => {
      C.re = i === 0 ? 1 : 0;
      C.im = 0;
    },
  },
  signbit: { name: "signbit_cpu", real: (x) => (x < 0 || Object.is(x, -0) ? 1 : 0) },
} as const satisfies Record<string, Kernel1>;
