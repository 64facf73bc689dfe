/** @file Reduced-precision floats: half, bfloat16 and the float8 kinds, both ways, rounding to nearest even. Upstream: c10/util/Half.h, BFloat16.h, Float8_*.h. Spec: none. */
import { DTYPES, type DType } from "./dtype.ts";

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

let halfValues: Float32Array | undefined;

/** Value of every half by its bits; built when first needed. */
export function halfTable(): Float32Array {
  if (halfValues) return halfValues;
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const exponent = (bits >>> 10) & 31;
    const mantissa = bits & 1023;
    const sign = bits & 0x8000 ? -1 : 1;
    if (exponent === 0) table[bits] = sign * mantissa * 2 ** -24;
    else if (exponent === 31) table[bits] = mantissa === 0 ? sign * Infinity : NaN;
    else table[bits] = sign * (1024 + mantissa) * 2 ** (exponent - 25);
  }
  return (halfValues = table);
}

/** The value of a half. */
export function halfToFloat(bits: number): number {
  return halfTable()[bits]!;
}

/** The bits of the half nearest to `value`, which is first rounded to float32 as PyTorch does. */
export function floatToHalf(value: number): number {
  f32[0] = value;
  const bits = u32[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const abs = bits & 0x7fffffff;
  if (abs >= 0x477ff000) return sign | (abs > 0x7f800000 ? 0x7e00 : 0x7c00); // 65520 and above round to infinity
  if (abs < 0x38800000) {
    const scaled = Math.abs(f32[0]!) * 16777216;
    const floor = Math.floor(scaled);
    const rest = scaled - floor;
    return sign | (rest > 0.5 || (rest === 0.5 && (floor & 1) === 1) ? floor + 1 : floor);
  }
  const rebiased = abs - 0x38000000;
  return sign | ((rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13);
}

/** The value of a bfloat16. */
export function bfloat16ToFloat(bits: number): number {
  u32[0] = bits << 16;
  return f32[0]!;
}

/** The bits of the bfloat16 nearest to `value`. */
export function floatToBfloat16(value: number): number {
  if (value !== value) return 0x7fc0;
  f32[0] = value;
  const bits = u32[0]!;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** `value` rounded to half precision. */
export function roundToHalf(value: number): number {
  return halfTable()[floatToHalf(value)]!;
}

/** `value` rounded to bfloat16 precision. */
export function roundToBfloat16(value: number): number {
  return bfloat16ToFloat(floatToBfloat16(value));
}

/** Layout of one float8 kind. */
interface Float8 {
  readonly mantissaBits: number;
  readonly bias: number;
  /** fnuz kinds have one NaN (0x80), no infinities and no negative zero. */
  readonly fnuz: boolean;
  readonly hasInfinity: boolean;
}

const FLOAT8: Readonly<Record<number, Float8>> = {
  [DTYPES.float8_e5m2.id]: { mantissaBits: 2, bias: 15, fnuz: false, hasInfinity: true },
  [DTYPES.float8_e4m3fn.id]: { mantissaBits: 3, bias: 7, fnuz: false, hasInfinity: false },
  [DTYPES.float8_e5m2fnuz.id]: { mantissaBits: 2, bias: 16, fnuz: true, hasInfinity: false },
  [DTYPES.float8_e4m3fnuz.id]: { mantissaBits: 3, bias: 8, fnuz: true, hasInfinity: false },
};

/** Magnitude of codes 0..0x80 as if none were special: rounding up to a special code then gives that code. */
function float8Magnitude(kind: Float8, code: number): number {
  const exponent = code >>> kind.mantissaBits;
  const mantissa = code & ((1 << kind.mantissaBits) - 1);
  const scale = 1 << kind.mantissaBits;
  return exponent === 0
    ? (mantissa / scale) * 2 ** (1 - kind.bias)
    : (1 + mantissa / scale) * 2 ** (exponent - kind.bias);
}

const float8Tables = new Map<number, Float32Array>();

/** Value of every code of a float8 dtype. */
export function float8Table(dtype: DType): Float32Array {
  let table = float8Tables.get(dtype.id);
  if (table) return table;
  const kind = FLOAT8[dtype.id]!;
  table = new Float32Array(256);
  for (let code = 0; code < 256; code++) {
    const low = code & 0x7f;
    const sign = code & 0x80 ? -1 : 1;
    table[code] = sign * float8Magnitude(kind, low);
    if (kind.fnuz) {
      if (code === 0x80) table[code] = NaN;
    } else if (kind.hasInfinity) {
      if (low === 0x7c) table[code] = sign * Infinity;
      else if (low > 0x7c) table[code] = NaN;
    } else if (low === 0x7f) table[code] = NaN;
  }
  float8Tables.set(dtype.id, table);
  return table;
}

/** The code of the float8 nearest to `value`; beyond the range infinity, the largest value (e4m3fn) or NaN (fnuz kinds). */
export function floatToFloat8(value: number, dtype: DType): number {
  const kind = FLOAT8[dtype.id]!;
  const nan = kind.fnuz ? 0x80 : 0x7f;
  f32[0] = value;
  const x = f32[0]!;
  if (x !== x) return nan;
  const sign = u32[0]! >>> 31 === 1 ? 0x80 : 0;
  const abs = Math.abs(x);
  // e4m3fn saturates: beyond 448 stays 448, infinity too (since torch 2.13)
  if (!kind.hasInfinity && !kind.fnuz && abs >= 448) return sign | 0x7e;
  const top = kind.hasInfinity ? 0x7c : 0x80;
  if (abs >= float8Magnitude(kind, top)) return kind.hasInfinity ? sign | 0x7c : 0x80;
  let low = 0;
  let high = top;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (float8Magnitude(kind, middle) <= abs) low = middle;
    else high = middle;
  }
  const below = abs - float8Magnitude(kind, low);
  const above = float8Magnitude(kind, high) - abs;
  const code = below < above || (below === above && (low & 1) === 0) ? low : high;
  if (kind.fnuz) return code === 0 ? 0 : code >= 0x80 ? 0x80 : sign | code;
  return sign | code;
}
