/** @file Runs: loading and storing evenly spaced elements of every dtype to and from float64 scratch. Upstream: c10/util/TypeCast.h. Spec: none. */
import type { DType } from "./dtype.ts";
import { bfloat16ToFloat, float8Table, floatToBfloat16, floatToFloat8, floatToHalf, halfTable } from "./half.ts";
import { truncateToInt64, writeInt64 } from "./int64.ts";
import type { Segment } from "./storage.ts";

const TWO_32 = 4294967296;
/** High words of safe int64 values lie in [-SAFE_HIGH, SAFE_HIGH). */
const SAFE_HIGH = 1 << 21;

/** Elements of the scratch arrays of block loops. */
export const BLOCK = 1024;

/**
 * Loads `n` elements, `stride` apart, starting at element `at` of the segment, into `dst` from `pos`.
 * Returns false when an int64 or uint64 beyond 2^53 was rounded. See Note [Safe int64].
 */
export function loadRun(
  dtype: DType,
  seg: Segment,
  at: number,
  stride: number,
  n: number,
  dst: Float64Array,
  pos: number,
): boolean {
  switch (dtype.id) {
    case 6: {
      const a = seg.f32;
      for (let i = 0, j = at; i < n; i++, j += stride) dst[pos + i] = a[j]!;
      return true;
    }
    case 7: {
      const a = seg.f64;
      for (let i = 0, j = at; i < n; i++, j += stride) dst[pos + i] = a[j]!;
      return true;
    }
    case 4: {
      const a = seg.i32;
      let safe = true;
      for (let i = 0, j = 2 * at; i < n; i++, j += 2 * stride) {
        const high = a[j + 1]!;
        if (high >= SAFE_HIGH || high < -SAFE_HIGH) safe = false;
        dst[pos + i] = high * TWO_32 + (a[j]! >>> 0);
      }
      return safe;
    }
    case 29: {
      const a = seg.u32;
      let safe = true;
      for (let i = 0, j = 2 * at; i < n; i++, j += 2 * stride) {
        const high = a[j + 1]!;
        if (high >= SAFE_HIGH) safe = false;
        dst[pos + i] = high * TWO_32 + a[j]!;
      }
      return safe;
    }
    case 5: {
      const a = seg.u16;
      const table = halfTable();
      for (let i = 0, j = at; i < n; i++, j += stride) dst[pos + i] = table[a[j]!]!;
      return true;
    }
    case 15: {
      const a = seg.u16;
      for (let i = 0, j = at; i < n; i++, j += stride) dst[pos + i] = bfloat16ToFloat(a[j]!);
      return true;
    }
    case 23:
    case 24:
    case 25:
    case 26: {
      const a = seg.u8;
      const table = float8Table(dtype);
      for (let i = 0, j = at; i < n; i++, j += stride) dst[pos + i] = table[a[j]!]!;
      return true;
    }
    case 11: {
      const a = seg.u8;
      for (let i = 0, j = at; i < n; i++, j += stride) dst[pos + i] = a[j]! !== 0 ? 1 : 0;
      return true;
    }
    default: {
      const a = seg[dtype.array];
      for (let i = 0, j = at; i < n; i++, j += stride) dst[pos + i] = a[j]!;
      return true;
    }
  }
}

/** Loads complex (or real) elements as two runs. */
export function loadComplexRun(
  dtype: DType,
  seg: Segment,
  at: number,
  stride: number,
  n: number,
  re: Float64Array,
  im: Float64Array,
  pos: number,
): void {
  switch (dtype.id) {
    case 9: {
      const a = seg.f32;
      for (let i = 0, j = 2 * at; i < n; i++, j += 2 * stride) {
        re[pos + i] = a[j]!;
        im[pos + i] = a[j + 1]!;
      }
      return;
    }
    case 10: {
      const a = seg.f64;
      for (let i = 0, j = 2 * at; i < n; i++, j += 2 * stride) {
        re[pos + i] = a[j]!;
        im[pos + i] = a[j + 1]!;
      }
      return;
    }
    case 8: {
      const a = seg.u16;
      const table = halfTable();
      for (let i = 0, j = 2 * at; i < n; i++, j += 2 * stride) {
        re[pos + i] = table[a[j]!]!;
        im[pos + i] = table[a[j + 1]!]!;
      }
      return;
    }
    default:
      loadRun(dtype, seg, at, stride, n, re, pos);
      im.fill(0, pos, pos + n);
  }
}

/** x86's float to int32: values out of range and NaN give -2^31. */
function truncateToInt32(value: number): number {
  return value > -2147483649 && value < 2147483648 ? Math.trunc(value) : -2147483648;
}

/**
 * Stores `n` values from `src[pos...]`. Integers wrap around; floats are truncated as x86 does when `fromFloat`;
 * floats are rounded to nearest even. Integral values must be exact (see Note [Safe int64]).
 */
export function storeRun(
  dtype: DType,
  seg: Segment,
  at: number,
  stride: number,
  n: number,
  src: Float64Array,
  pos: number,
  fromFloat: boolean,
): void {
  switch (dtype.id) {
    case 6: {
      const a = seg.f32;
      for (let i = 0, j = at; i < n; i++, j += stride) a[j] = src[pos + i]!;
      return;
    }
    case 7: {
      const a = seg.f64;
      for (let i = 0, j = at; i < n; i++, j += stride) a[j] = src[pos + i]!;
      return;
    }
    case 4: {
      const a = seg.i32;
      for (let i = 0, j = 2 * at; i < n; i++, j += 2 * stride) {
        const given = src[pos + i]!;
        if (given > -2147483649 && given < 2147483648) {
          a[j] = given | 0;
          a[j + 1] = (given | 0) >> 31;
          continue;
        }
        const value = fromFloat ? truncateToInt64(given) : given;
        const high = Math.floor(value / TWO_32);
        a[j] = value - high * TWO_32;
        a[j + 1] = high;
      }
      return;
    }
    case 29: {
      const a = seg.u32;
      for (let i = 0, j = at; i < n; i++, j += stride)
        writeInt64(a, j, fromFloat ? truncateToUint64(src[pos + i]!) : src[pos + i]!);
      return;
    }
    case 5: {
      const a = seg.u16;
      for (let i = 0, j = at; i < n; i++, j += stride) a[j] = floatToHalf(src[pos + i]!);
      return;
    }
    case 15: {
      const a = seg.u16;
      for (let i = 0, j = at; i < n; i++, j += stride) a[j] = floatToBfloat16(src[pos + i]!);
      return;
    }
    case 23:
    case 24:
    case 25:
    case 26: {
      const a = seg.u8;
      for (let i = 0, j = at; i < n; i++, j += stride) a[j] = floatToFloat8(src[pos + i]!, dtype);
      return;
    }
    case 11: {
      const a = seg.u8;
      for (let i = 0, j = at; i < n; i++, j += stride) a[j] = src[pos + i]! !== 0 ? 1 : 0;
      return;
    }
    default: {
      const a = seg[dtype.array];
      if (!fromFloat) {
        for (let i = 0, j = at; i < n; i++, j += stride) a[j] = src[pos + i]!;
      } else if (dtype.isSigned) {
        for (let i = 0, j = at; i < n; i++, j += stride) a[j] = truncateToInt32(src[pos + i]!);
      } else {
        // PyTorch goes through int64 to unsigned kinds
        for (let i = 0, j = at; i < n; i++, j += stride) a[j] = truncateToInt64(src[pos + i]!);
      }
    }
  }
}

function truncateToUint64(value: number): number {
  const whole = Math.trunc(value);
  return whole >= -9223372036854775808 && whole < 18446744073709551616 ? whole : 9223372036854775808;
}

/** Stores two runs as complex elements; a real dtype gets the real parts. */
export function storeComplexRun(
  dtype: DType,
  seg: Segment,
  at: number,
  stride: number,
  n: number,
  re: Float64Array,
  im: Float64Array,
  pos: number,
): void {
  switch (dtype.id) {
    case 9: {
      const a = seg.f32;
      for (let i = 0, j = 2 * at; i < n; i++, j += 2 * stride) {
        a[j] = re[pos + i]!;
        a[j + 1] = im[pos + i]!;
      }
      return;
    }
    case 10: {
      const a = seg.f64;
      for (let i = 0, j = 2 * at; i < n; i++, j += 2 * stride) {
        a[j] = re[pos + i]!;
        a[j + 1] = im[pos + i]!;
      }
      return;
    }
    case 8: {
      const a = seg.u16;
      for (let i = 0, j = 2 * at; i < n; i++, j += 2 * stride) {
        a[j] = floatToHalf(re[pos + i]!);
        a[j + 1] = floatToHalf(im[pos + i]!);
      }
      return;
    }
    case 11: {
      const a = seg.u8;
      for (let i = 0, j = at; i < n; i++, j += stride) a[j] = re[pos + i]! !== 0 || im[pos + i]! !== 0 ? 1 : 0;
      return;
    }
    default:
      storeRun(dtype, seg, at, stride, n, re, pos, true);
  }
}

/** Loads integers exactly (integral dtypes and bool only). */
export function loadBigRun(
  dtype: DType,
  seg: Segment,
  at: number,
  stride: number,
  n: number,
  dst: bigint[],
  pos: number,
): void {
  if (dtype.id === 4) {
    const a = seg.i64;
    for (let i = 0, j = at; i < n; i++, j += stride) dst[pos + i] = a[j]!;
  } else if (dtype.id === 29) {
    const a = seg.i64;
    for (let i = 0, j = at; i < n; i++, j += stride) dst[pos + i] = BigInt.asUintN(64, a[j]!);
  } else {
    const a = seg[dtype.array];
    for (let i = 0, j = at; i < n; i++, j += stride) dst[pos + i] = BigInt(a[j]!);
  }
}

/** Stores bigints, wrapping around at the dtype's width; float kinds get the nearest value. */
export function storeBigRun(
  dtype: DType,
  seg: Segment,
  at: number,
  stride: number,
  n: number,
  src: readonly bigint[],
  pos: number,
): void {
  if (dtype.id === 4 || dtype.id === 29) {
    const a = seg.i64;
    for (let i = 0, j = at; i < n; i++, j += stride) a[j] = src[pos + i]!;
  } else if (dtype.category === "int") {
    const a = seg[dtype.array];
    for (let i = 0, j = at; i < n; i++, j += stride) a[j] = Number(BigInt.asIntN(32, src[pos + i]!));
  } else {
    const one = new Float64Array(1);
    for (let i = 0, j = at; i < n; i++, j += stride) {
      one[0] = Number(src[pos + i]!);
      storeRun(dtype, seg, j, 1, 1, one, 0, false);
    }
  }
}

/** Elements from which a view and one copy cost less than a loop. */
const LONG_RUN = 32;

/** Copies `n` elements, `stride` apart in `from`, side by side to `to`: bits, whatever they mean. */
export function copyBitsRun(
  dtype: DType,
  from: Segment,
  at: number,
  stride: number,
  n: number,
  to: Segment,
  toAt: number,
): void {
  const size = dtype.itemsize;
  if (stride === 1 && n >= LONG_RUN) to.u8.set(from.u8.subarray(at * size, (at + n) * size), toAt * size);
  else if (stride === 0 && n >= LONG_RUN) {
    copyBitsRun(dtype, from, at, 1, 1, to, toAt);
    if (size === 1) to.u8.fill(to.u8[toAt]!, toAt, toAt + n);
    else if (size === 4) to.i32.fill(to.i32[toAt]!, toAt, toAt + n);
    else
      for (let done = 1; done < n; done *= 2)
        copyBitsRun(dtype, to, toAt, 1, Math.min(done, n - done), to, toAt + done);
  } else if (size < 4) {
    const [a, b] = size === 1 ? [from.u8, to.u8] : [from.u16, to.u16];
    for (let i = 0, j = at; i < n; i++, j += stride) b[toAt + i] = a[j]!;
  } else {
    const [a, b] = [from.i32, to.i32];
    const words = size / 4;
    for (let w = 0; w < words; w++)
      for (let i = toAt * words + w, j = at * words + w, end = i + n * words; i < end; i += words, j += stride * words)
        b[i] = a[j]!;
  }
}
