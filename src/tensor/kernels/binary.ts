/** @file Kernels of two elements: arithmetic, comparison, logic, bits. Upstream: aten/src/ATen/native/cpu/BinaryOpsKernel.cpp. Spec: none. */
import { OperatorError } from "../../base/errors.ts";
import { C, cdiv, clog, clogaddexp, cmul, copySign, cpow } from "../math/complex.ts";
import { igamma, igammac, zeta } from "../math/gamma.ts";
import { floatExp } from "../math/float_exp.ts";
import { floatLog, floatLog1p } from "../math/float_log.ts";
import type { Kernel2, Loop2, RowsLoop2 } from "../pointwise.ts";
import { doubleLoop } from "./wasm/doubles.ts";
import { binaryLoop, binaryRows } from "./wasm/elements.ts";
import { widePairLoop, widePairRows } from "./wasm/wide.ts";
import type { WidePair } from "./wasm/wide_programs.ts";

const addLoop: Loop2 = binaryLoop("add", (out, o, a, ai, as, b, bi, bs, n) => {
  for (let i = 0, j = ai, k = bi; i < n; i++, j += as, k += bs) out[o + i] = a[j]! + b[k]!;
});
const subLoop: Loop2 = binaryLoop("sub", (out, o, a, ai, as, b, bi, bs, n) => {
  for (let i = 0, j = ai, k = bi; i < n; i++, j += as, k += bs) out[o + i] = a[j]! - b[k]!;
});
const mulLoop: Loop2 = binaryLoop("mul", (out, o, a, ai, as, b, bi, bs, n) => {
  for (let i = 0, j = ai, k = bi; i < n; i++, j += as, k += bs) out[o + i] = a[j]! * b[k]!;
});
const divLoop: Loop2 = binaryLoop("div", (out, o, a, ai, as, b, bi, bs, n) => {
  for (let i = 0, j = ai, k = bi; i < n; i++, j += as, k += bs) out[o + i] = a[j]! / b[k]!;
});

const gtLoop = binaryLoop("gt", (out, o, a, ai, as, b, bi, bs, n) => {
  for (let i = 0, j = ai, k = bi; i < n; i++, j += as, k += bs) out[o + i] = Number(a[j]! > b[k]!);
});
const ltLoop = binaryLoop("lt", (out, o, a, ai, as, b, bi, bs, n) => {
  for (let i = 0, j = ai, k = bi; i < n; i++, j += as, k += bs) out[o + i] = Number(a[j]! < b[k]!);
});
const geLoop = binaryLoop("ge", (out, o, a, ai, as, b, bi, bs, n) => {
  for (let i = 0, j = ai, k = bi; i < n; i++, j += as, k += bs) out[o + i] = Number(a[j]! >= b[k]!);
});
const leLoop = binaryLoop("le", (out, o, a, ai, as, b, bi, bs, n) => {
  for (let i = 0, j = ai, k = bi; i < n; i++, j += as, k += bs) out[o + i] = Number(a[j]! <= b[k]!);
});
const eqLoop = binaryLoop("eq", (out, o, a, ai, as, b, bi, bs, n) => {
  for (let i = 0, j = ai, k = bi; i < n; i++, j += as, k += bs) out[o + i] = Number(a[j]! === b[k]!);
});
const neLoop = binaryLoop("ne", (out, o, a, ai, as, b, bi, bs, n) => {
  for (let i = 0, j = ai, k = bi; i < n; i++, j += as, k += bs) out[o + i] = Number(a[j]! !== b[k]!);
});
const maximum = (a: number, b: number): number => (a !== a || b !== b ? NaN : a > b ? a : b);
const minimum = (a: number, b: number): number => (a !== a || b !== b ? NaN : a < b ? a : b);
const maximumLoop = binaryLoop("maximum", (out, o, a, ai, as, b, bi, bs, n) => {
  for (let i = 0, j = ai, k = bi; i < n; i++, j += as, k += bs) out[o + i] = maximum(a[j]!, b[k]!);
});
const minimumLoop = binaryLoop("minimum", (out, o, a, ai, as, b, bi, bs, n) => {
  for (let i = 0, j = ai, k = bi; i < n; i++, j += as, k += bs) out[o + i] = minimum(a[j]!, b[k]!);
});

/** C's pow, which has 1 where JavaScript has NaN. */
export function pow(a: number, b: number): number {
  if (a === 1) return 1;
  if (a === -1 && (b === Infinity || b === -Infinity)) return 1;
  return a ** b;
}

/** The same for results that are rounded to float32. */
export function powFloat(a: number, b: number): number {
  return a > 0 && a < Infinity && b < 1e9 && b > -1e9 ? floatExp(b * floatLog(a)) : powRare(a, b);
}
function powRare(a: number, b: number): number {
  if (!(a < 0 && a > -Infinity && b === Math.floor(b) && Math.abs(b) < 1e9)) return pow(a, b);
  const power = floatExp(b * floatLog(-a));
  return b % 2 === 0 ? power : -power;
}

/** Integer power with wrap-around; negative exponents give 0 except for bases 1 and -1. */
export function powInt(a: bigint, b: bigint): bigint {
  if (b < 0n) return a === 1n ? 1n : a === -1n ? (b % 2n === 0n ? 1n : -1n) : 0n;
  let result = 1n;
  let base = a;
  for (let e = b; e > 0n; e >>= 1n) {
    if (e & 1n) result = BigInt.asIntN(64, result * base);
    base = BigInt.asIntN(64, base * base);
  }
  return result;
}

function powIntNumber(a: number, b: number): number {
  if (b < 0) return a === 1 ? 1 : a === -1 ? (b % 2 === 0 ? 1 : -1) : 0;
  const result = a ** b;
  // beyond 2^53 the engine starts over with powInt
  return result;
}

function zeroDivision(): never {
  throw new OperatorError("ZeroDivisionError");
}

/** Python's floor division of floats, as PyTorch computes it. `step` rounds to the dtype. */
export function floorDivide(a: number, b: number): number {
  if (b === 0) return a / b;
  const mod = a % b;
  let div = (a - mod) / b;
  if (mod !== 0 && b < 0 !== mod < 0) div -= 1;
  if (div !== 0) {
    const floor = Math.floor(div);
    return div - floor > 0.5 ? floor + 1 : floor;
  }
  return copySign(0, a / b);
}

const fmod = (a: number, b: number): number => a % b;
const hypot = (a: number, b: number): number => Math.hypot(a, b);

/** Python's modulo of floats. */
export function remainder(a: number, b: number): number {
  const mod = a % b;
  return mod !== 0 && b < 0 !== mod < 0 ? mod + b : mod;
}

/** Python's modulo of integers; those of 32 bits with the machine's own remainder instead of that of doubles. */
function intRemainder(a: number, b: number): number {
  if ((a | 0) !== a || (b | 0) !== b) return remainder(a, b);
  const mod = ((a | 0) % (b | 0)) | 0;
  return mod !== 0 && b < 0 !== mod < 0 ? mod + b : mod;
}

function gcd(a: number, b: number): number {
  let x = Math.abs(a);
  let y = Math.abs(b);
  while (x !== 0) {
    const t = x;
    x = y % x;
    y = t;
  }
  return y;
}

function gcdBig(a: bigint, b: bigint): bigint {
  let x = a < 0n ? -a : a;
  let y = b < 0n ? -b : b;
  while (x !== 0n) {
    const t = x;
    x = y % x;
    y = t;
  }
  return y;
}

function isInt32(a: number): boolean {
  return (a | 0) === a;
}

function bool(value: boolean): void {
  C.re = value ? 1 : 0;
  C.im = 0;
}

function logaddexp(a: number, b: number): number {
  if (a === b && Math.abs(a) === Infinity) return a;
  const m = a > b ? a : b;
  return m + Math.log1p(Math.exp(-Math.abs(a - b)));
}

function logaddexpFloat(a: number, b: number): number {
  if (a === b && Math.abs(a) === Infinity) return a;
  return (a > b ? a : b) + floatLog1p(floatExp(-Math.abs(a - b)));
}

function logaddexp2(a: number, b: number): number {
  if (a === b && Math.abs(a) === Infinity) return a;
  const m = a > b ? a : b;
  return m + Math.log1p(2 ** -Math.abs(a - b)) * Math.LOG2E;
}

/** The loops of a function that has a kernel in double precision. */
function wide(name: WidePair, f: (a: number, b: number) => number): { readonly f32: Loop2; readonly rows: RowsLoop2 } {
  const f32 = widePairLoop(name, f);
  return { f32, rows: widePairRows(f32) };
}

/** Every kernel of two elements, by name. */
export const BINARY = {
  add: {
    name: "add_stub",
    integers: "add",
    real: (a, b) => a + b,
    big: (a, b) => a + b,
    complex: (ar, ai, br, bi) => {
      C.re = ar + br;
      C.im = ai + bi;
    },
    f32: addLoop,
    f64: doubleLoop("add"),
    rows: binaryRows("add"),
  },
  sub: {
    name: "sub_stub",
    integers: "sub",
    real: (a, b) => a - b,
    big: (a, b) => a - b,
    complex: (ar, ai, br, bi) => {
      C.re = ar - br;
      C.im = ai - bi;
    },
    f32: subLoop,
    f64: doubleLoop("sub"),
    rows: binaryRows("sub"),
  },
  mul: {
    name: "mul_cpu",
    integers: "mul",
    real: (a, b) => a * b,
    big: (a, b) => a * b,
    complex: cmul,
    f32: mulLoop,
    f64: doubleLoop("mul"),
    rows: binaryRows("mul"),
  },
  div: {
    name: "div_cpu",
    real: (a, b) => a / b,
    complex: cdiv,
    f32: divLoop,
    f64: doubleLoop("div"),
    rows: binaryRows("div"),
  },
  divTruncInt: {
    name: "div_trunc_cpu",
    integers: "divTrunc",
    real: (a, b) => (b === 0 ? zeroDivision() : Math.trunc(a / b)),
    big: (a, b) => (b === 0n ? zeroDivision() : a / b),
  },
  divFloorInt: {
    name: "div_floor_cpu",
    integers: "divFloor",
    real: (a, b) => (b === 0 ? zeroDivision() : (a - intRemainder(a, b)) / b),
    big: (a, b) => {
      if (b === 0n) zeroDivision();
      const q = a / b;
      return a % b !== 0n && a < 0n !== b < 0n ? q - 1n : q;
    },
  },
  divFloor: { name: "div_floor_cpu", real: floorDivide },
  remainderInt: {
    name: "remainder_cpu",
    integers: "remainder",
    real: (a, b) => (b === 0 ? zeroDivision() : intRemainder(a, b)),
    big: (a, b) => {
      if (b === 0n) zeroDivision();
      const r = a % b;
      return r !== 0n && r < 0n !== b < 0n ? r + b : r;
    },
  },
  remainder: { name: "remainder_cpu", real: remainder, ...wide("remainder", remainder) },
  fmodInt: {
    name: "fmod_cpu",
    integers: "fmod",
    real: (a, b) => (b === 0 ? zeroDivision() : a % b),
    big: (a, b) => (b === 0n ? zeroDivision() : a % b),
  },
  fmod: { name: "fmod_cpu", real: fmod, ...wide("fmod", fmod) },
  pow: { name: "pow", real: pow, single: powFloat, complex: cpow, ...wide("pow", powFloat) },
  powInt: { name: "pow", real: powIntNumber, big: powInt },
  atan2: { name: "atan2_cpu", real: Math.atan2, ...wide("atan2", Math.atan2) },
  hypot: { name: "hypot_cpu", real: hypot, ...wide("hypot", hypot) },
  copysign: { name: "copysign_cpu", real: copySign },
  maximum: {
    name: "maximum_cpu",
    integers: "maximum",
    real: maximum,
    big: (a, b) => (a > b ? a : b),
    f32: maximumLoop,
  },
  minimum: {
    name: "minimum_cpu",
    integers: "minimum",
    real: minimum,
    big: (a, b) => (a < b ? a : b),
    f32: minimumLoop,
  },
  fmax: {
    name: "fmax_cpu",
    integers: "maximum",
    real: (a, b) => (a !== a ? b : b !== b ? a : a > b ? a : b),
    big: (a, b) => (a > b ? a : b),
  },
  fmin: {
    name: "fmin_cpu",
    integers: "minimum",
    real: (a, b) => (a !== a ? b : b !== b ? a : a < b ? a : b),
    big: (a, b) => (a < b ? a : b),
  },
  // comparisons are numbers without a branch to be guessed
  eq: {
    name: "eq_cpu",
    integers: "eq",
    real: (a, b) => Number(a === b),
    big: (a, b) => (a === b ? 1n : 0n),
    complex: (ar, ai, br, bi) => bool(ar === br && ai === bi),
    f32: eqLoop,
  },
  ne: {
    name: "ne_cpu",
    integers: "ne",
    real: (a, b) => Number(a !== b),
    big: (a, b) => (a !== b ? 1n : 0n),
    complex: (ar, ai, br, bi) => bool(ar !== br || ai !== bi),
    f32: neLoop,
  },
  lt: {
    name: "lt_cpu",
    integers: "lt",
    real: (a, b) => Number(a < b),
    big: (a, b) => (a < b ? 1n : 0n),
    f32: ltLoop,
  },
  le: {
    f32: leLoop,
    name: "le_cpu",
    integers: "le",
    real: (a, b) => Number(a <= b),
    big: (a, b) => (a <= b ? 1n : 0n),
  },
  gt: {
    name: "gt_cpu",
    integers: "gt",
    real: (a, b) => Number(a > b),
    big: (a, b) => (a > b ? 1n : 0n),
    f32: gtLoop,
  },
  ge: {
    f32: geLoop,
    name: "ge_cpu",
    integers: "ge",
    real: (a, b) => Number(a >= b),
    big: (a, b) => (a >= b ? 1n : 0n),
  },
  logicalAnd: {
    name: "logical_and_cpu",
    integers: "logicalAnd",
    real: (a, b) => Number(a !== 0) & Number(b !== 0), // no branch to be guessed
    complex: (ar, ai, br, bi) => bool((ar !== 0 || ai !== 0) && (br !== 0 || bi !== 0)),
  },
  logicalOr: {
    name: "logical_or_cpu",
    integers: "logicalOr",
    real: (a, b) => Number(a !== 0) | Number(b !== 0),
    complex: (ar, ai, br, bi) => bool(ar !== 0 || ai !== 0 || br !== 0 || bi !== 0),
  },
  logicalXor: {
    name: "logical_xor_cpu",
    integers: "logicalXor",
    real: (a, b) => Number(a !== 0) ^ Number(b !== 0),
    complex: (ar, ai, br, bi) => bool((ar !== 0 || ai !== 0) !== (br !== 0 || bi !== 0)),
  },
  bitwiseAnd: {
    name: "bitwise_and_cpu",
    integers: "and",
    real: (a, b) => (isInt32(a) && isInt32(b) ? a & b : Number(BigInt(a) & BigInt(b))),
    big: (a, b) => a & b,
  },
  bitwiseOr: {
    name: "bitwise_or_cpu",
    integers: "or",
    real: (a, b) => (isInt32(a) && isInt32(b) ? a | b : Number(BigInt(a) | BigInt(b))),
    big: (a, b) => a | b,
  },
  bitwiseXor: {
    name: "bitwise_xor_cpu",
    integers: "xor",
    real: (a, b) => (isInt32(a) && isInt32(b) ? a ^ b : Number(BigInt(a) ^ BigInt(b))),
    big: (a, b) => a ^ b,
  },
  gcd: { name: "gcd_cpu", real: gcd, big: gcdBig },
  lcm: {
    name: "lcm_cpu",
    real: (a, b) => (a === 0 || b === 0 ? 0 : Math.abs((a / gcd(a, b)) * b)),
    big: (a, b) => {
      if (a === 0n || b === 0n) return 0n;
      const r = BigInt.asIntN(64, (a / gcdBig(a, b)) * b);
      return r < 0n ? -r : r;
    },
  },
  heaviside: {
    name: "heaviside_cpu",
    real: (a, b) => (a === 0 ? b : a > 0 ? 1 : 0),
    big: (a, b) => (a === 0n ? b : a < 0n ? 0n : 1n),
  },
  logaddexp: { name: "logaddexp_cpu", real: logaddexp, single: logaddexpFloat, complex: clogaddexp },
  logaddexp2: { name: "logaddexp2_cpu", real: logaddexp2 },
  xlogy: {
    name: "xlogy_cpu",
    real: (a, b) => (b !== b ? NaN : a === 0 ? 0 : a * Math.log(b)),
    complex: (ar, ai, br, bi) => {
      if (br !== br || bi !== bi) {
        C.re = NaN;
        C.im = NaN;
        return;
      }
      if (ar === 0 && ai === 0) {
        C.re = 0;
        C.im = 0;
        return;
      }
      clog(br, bi);
      cmul(ar, ai, C.re, C.im);
    },
  },
  xlog1py: { name: "xlog1py_cpu", real: (a, b) => (b !== b ? NaN : a === 0 ? 0 : a * Math.log1p(b)) },
  zeta: { name: "zeta_cpu", real: zeta },
  igamma: { name: "igamma_cpu", real: igamma },
  igammac: { name: "igammac_cpu", real: igammac },
} as const satisfies Record<string, Kernel2>;

/** Shift kernels of an integer dtype of `bits` bits: shifts out of range give 0, or the sign for right shifts. */
export function shiftKernels(bits: number): { left: Kernel2; right: Kernel2 } {
  return {
    left: {
      name: "lshift_cpu",
      integers: "shiftLeft",
      real: (a, b) => (b < 0 || b >= bits ? 0 : a * 2 ** b),
      big: (a, b) => (b < 0n || b >= BigInt(bits) ? 0n : a << b),
    },
    right: {
      name: "rshift_cpu",
      integers: "shiftRight",
      real: (a, b) => (b < 0 || b >= bits ? (a < 0 ? -1 : 0) : Math.floor(a / 2 ** b)),
      big: (a, b) => (b < 0n || b >= BigInt(bits) ? (a < 0n ? -1n : 0n) : a >> b),
    },
  };
}
