/** @file The WebAssembly conversions give what the scalar ones give: every half and bfloat16, floats and integers of every size. */
import { afterAll, describe, expect, test } from "vitest";
import { cloneTensor, convertTensor } from "../../src/tensor/clone.ts";
import { copyInto } from "../../src/tensor/copy.ts";
import { DTYPES, type DType } from "../../src/tensor/dtype.ts";
import { getElement } from "../../src/tensor/elements.ts";
import { bfloat16ToFloat, floatToBfloat16, floatToHalf, halfToFloat } from "../../src/tensor/half.ts";
import {
  kernelBuild,
  setKernelBuild,
  supportedKernelBuilds,
  type KernelBuild,
} from "../../src/tensor/kernels/wasm/build.ts";
import { wasmConvert } from "../../src/tensor/kernels/wasm/conversions.ts";
import { releaseTemporary, runForTemporary } from "../../src/tensor/temporaries.ts";
import { emptyTensor, viewOf, type Tensor } from "../../src/tensor/tensor.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));

const all16 = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** Bit patterns of every exponent with the fractions where roundings turn, and many random ones. */
function patterns(): Float32Array {
  const bits: number[] = [];
  for (let exponent = 0; exponent < 256; exponent++) {
    for (const fraction of [
      0, 1, 0xfff, 0x1000, 0x1001, 0x2fff, 0x3000, 0x3001, 0x7fff, 0x8000, 0x8001, 0x18000, 0x7fffff,
    ]) {
      for (const sign of [0, 0x80000000]) bits.push((sign | (exponent << 23) | fraction) >>> 0);
    }
  }
  let state = 5;
  for (let i = 0; i < 50_000; i++) bits.push((state = (Math.imul(state, 1664525) + 1013904223) >>> 0));
  return new Float32Array(Uint32Array.from(bits).buffer);
}

const { float16, bfloat16, float32, float64, int64, int32, uint8, bool } = DTYPES;

/** A tensor whose elements have these bits, behind `lead` others. */
function ofBits(bytes: ArrayBufferView, dtype: DType, lead = 0): Tensor {
  const n = bytes.byteLength / dtype.itemsize;
  const t = emptyTensor([n + lead], dtype);
  const { u8 } = t.storage.segment;
  const start = (t.base0 + lead) * dtype.itemsize;
  u8.set(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), start);
  return viewOf(t, [n], [1], lead);
}

describe.each(supportedKernelBuilds().filter((b): b is Exclude<KernelBuild, "reference"> => b !== "reference"))(
  "%s",
  (build) => {
    test.each([
      [float16, halfToFloat],
      [bfloat16, bfloat16ToFloat],
    ] as const)("%s to float32", (dtype, scalar) => {
      setKernelBuild(build);
      const out = viewOf(emptyTensor([65536 + 3], float32), [65536], [1], 3);
      expect(wasmConvert(out, ofBits(all16, dtype))).toBe(true);
      const y = out.storage.segment.f32;
      for (let i = 0; i < 65536; i++)
        if (!Object.is(y[out.base0 + i], scalar(i))) throw new Error(`${i}: ${y[out.base0 + i]}`);
    });
    test.each([
      [float16, floatToHalf],
      [bfloat16, floatToBfloat16],
    ] as const)("float32 to %s", (dtype, scalar) => {
      setKernelBuild(build);
      const values = patterns();
      const out = viewOf(emptyTensor([values.length + 1], dtype), [values.length], [1], 1);
      expect(wasmConvert(out, ofBits(values, float32))).toBe(true);
      values.forEach((value, i) => {
        const expected = scalar(value);
        // the sign of what is not a number does not survive every way through JavaScript
        const mask = value === value ? 0xffff : 0x7fff;
        const found = out.storage.segment.u16[out.base0 + i]!;
        if ((found & mask) !== (expected & mask)) throw new Error(`${value}: ${found}, not ${expected}`);
      });
    });

    const kinds = [float32, int64, int32, uint8, bool];
    test.each(kinds.flatMap((from) => kinds.filter((to) => to !== from).map((to) => [from, to] as const)))(
      "%s to %s",
      (from, to) => {
        setKernelBuild(build);
        const source = castSource(from);
        const wanted = new BigInt64Array(source.numel);
        for (let i = 0; i < source.numel; i++) wanted[i] = castExactly(source, i, to);
        const check = (out: Tensor, count: number, index: (i: number) => number): void => {
          expect(out.dtype).toBe(to);
          for (let i = 0; i < count; i++) {
            const found = bitsAt(out, i);
            const expected = wanted[index(i)]!;
            if (found !== expected) throw new Error(`${getElement(source, index(i))}: ${found}, not ${expected}`);
          }
        };
        for (const n of [256, 257, 4095, source.numel]) {
          for (const lead of [0, 1, 3]) {
            const all = viewOf(emptyTensor([n + lead + 1], to), [n + lead + 1], [1], 0);
            all.storage.bytes().fill(0x55);
            const out = viewOf(all, [n], [1], lead);
            const some = viewOf(source, [n], [1], source.storageOffset);
            const isNative = to === float32 && (from === int32 || from === uint8);
            expect(wasmConvert(out, some)).toBe(!isNative);
            if (isNative) copyInto(out, some);
            check(out, n, (i) => i);
            for (const at of lead === 0 ? [n] : [0, n + lead]) expect(all.storage.bytes()[at * to.itemsize]).toBe(0x55);
          }
        }
        // other strides, repeated elements
        const strided = viewOf(source, [100, 20], [3, 40], source.storageOffset + 2);
        check(convertTensor(strided, to), 0, (i) => i);
        const dense = emptyTensor([100, 20], to);
        copyInto(dense, strided);
        check(dense, 2000, (i) => 2 + 3 * Math.floor(i / 20) + 40 * (i % 20));
        const repeated = emptyTensor([30, 20], to);
        copyInto(repeated, viewOf(source, [20], [2], source.storageOffset));
        check(repeated, 600, (i) => 2 * (i % 20));
        // in the kernels' memory
        const inside = runForTemporary((t: Tensor) => cloneTensor(t))(source as never) as Tensor;
        const made = runForTemporary((t: Tensor) => convertTensor(t, to))(inside as never) as Tensor;
        check(made, source.numel, (i) => i);
        releaseTemporary(inside);
        releaseTemporary(made);
        // and without the kernels
        setKernelBuild("reference");
        check(convertTensor(source, to), source.numel, (i) => i);
      },
    );
  },
);

/** Elements of every size, and those where conversions turn. */
function castSource(dtype: DType): Tensor {
  const n = 5003;
  const patternsOf = patterns();
  let state = 9;
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
  if (dtype === float32) {
    const turning = [0.5, -0.5, 255.9, 256, 2147483520, 2147483648, -2147483648, -2147483904, 2 ** 63, -(2 ** 63)];
    const near = [NaN, Infinity, -Infinity, -0, 1e-45, 4294967296, 9.223371e18, -9.223373e18, 1e20];
    const values = Float32Array.from({ length: n }, (_, i) =>
      i % 7 < 4
        ? (next() / 2 ** 32 - 0.5) * 1e5
        : i % 7 === 4
          ? [...turning, ...near][next() % 19]!
          : patternsOf[i * 9]!,
    );
    // runs without any of them
    for (let i = 1000; i < 2000; i++) values[i] = i - 1500.25;
    return ofBits(values, dtype, 2);
  }
  const values = BigInt64Array.from({ length: n }, (_, i) => {
    const random = (BigInt(next()) << 32n) | BigInt(next());
    return (
      BigInt.asIntN(i % 3 === 0 ? 8 : i > 2000 ? 32 : 1 + (next() % 64), random) * BigInt(next() % 4 === 0 ? 0 : 1)
    );
  });
  if (dtype === int64) return ofBits(values, dtype, 3);
  if (dtype === int32)
    return ofBits(
      Int32Array.from(values, (v) => Number(BigInt.asIntN(32, v))),
      dtype,
      1,
    );
  return ofBits(
    Uint8Array.from(values, (v) => Number(BigInt.asUintN(8, v))),
    dtype,
    5,
  );
}

const bitsAt = (t: Tensor, i: number): bigint => {
  const { segment } = t.storage;
  if (t.dtype === int64) return segment.i64[t.base0 + i]!;
  return BigInt(t.dtype.itemsize === 4 ? segment.i32[t.base0 + i]! : segment.u8[t.base0 + i]!);
};

/** The bits of element `i` in another dtype, by bigints. */
function castExactly(source: Tensor, i: number, to: DType): bigint {
  const { segment } = source.storage;
  const at = source.base0 + i;
  const number = source.dtype === float32 ? segment.f32[at]! : 0;
  const whole = Math.trunc(number);
  const isInt64 = whole >= -(2 ** 63) && whole < 2 ** 63;
  const value =
    source.dtype === float32
      ? isInt64
        ? BigInt(whole)
        : -(2n ** 63n)
      : source.dtype === bool
        ? BigInt(segment.u8[at] !== 0)
        : bitsAt(source, i);
  if (to === bool) return BigInt(source.dtype === float32 ? number !== 0 : value !== 0n);
  if (to === int64) return value;
  if (to === uint8) return BigInt.asUintN(8, value);
  // floats that are no int32 become the least one
  if (to === int32)
    return source.dtype === float32 && value !== BigInt.asIntN(32, value) ? -(2n ** 31n) : BigInt.asIntN(32, value);
  return BigInt(new Int32Array(new Float32Array([nearestFloat(value)]).buffer)[0]!);
}

/** The float32 nearest to an integer, of two the even one. */
function nearestFloat(value: bigint): number {
  const size = value < 0n ? -value : value;
  const excess = BigInt(Math.max(0, size.toString(2).length - 24));
  const unit = 1n << excess;
  const low = size - (size % unit);
  const twice = 2n * (size - low);
  const up = twice > unit || (twice === unit && (low / unit) % 2n === 1n);
  return Number(value < 0n ? -(up ? low + unit : low) : up ? low + unit : low);
}

test("what is no float32 and no integer keeps its way", () => {
  const t = convertTensor(
    ofBits(
      Float64Array.from({ length: 300 }, (_, i) => i * 1.5),
      float64,
    ),
    int64,
  );
  expect(t.storage.segment.i64[t.base0 + 7]).toBe(10n);
});
