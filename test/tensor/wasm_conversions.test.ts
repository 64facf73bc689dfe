/** @file The WebAssembly conversions give what the scalar ones give, for every half and bfloat16 and for float32 values of every size. */
import { afterAll, describe, expect, test } from "vitest";
import { bfloat16ToFloat, floatToBfloat16, floatToHalf, halfToFloat } from "../../src/tensor/half.ts";
import {
  kernelBuild,
  setKernelBuild,
  supportedKernelBuilds,
  type KernelBuild,
} from "../../src/tensor/kernels/wasm/build.ts";
import { wasmConvert } from "../../src/tensor/kernels/wasm/conversions.ts";

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

describe.each(supportedKernelBuilds().filter((b): b is Exclude<KernelBuild, "reference"> => b !== "reference"))(
  "%s",
  (build) => {
    test.each([
      ["halfToFloat", halfToFloat],
      ["bfloat16ToFloat", bfloat16ToFloat],
    ] as const)("%s", (name, scalar) => {
      setKernelBuild(build);
      const out = new Float32Array(65536 + 3);
      expect(wasmConvert(name, out, 3, all16, 0, 65536)).toBe(true);
      for (let i = 0; i < 65536; i++) if (!Object.is(out[3 + i], scalar(i))) throw new Error(`${i}: ${out[3 + i]}`);
    });
    test.each([
      ["floatToHalf", floatToHalf],
      ["floatToBfloat16", floatToBfloat16],
    ] as const)("%s", (name, scalar) => {
      setKernelBuild(build);
      const values = patterns();
      const out = new Uint16Array(values.length + 1);
      expect(wasmConvert(name, out, 1, values, 0, values.length)).toBe(true);
      values.forEach((value, i) => {
        const expected = scalar(value);
        // the sign of what is not a number does not survive every way through JavaScript
        const mask = value === value ? 0xffff : 0x7fff;
        if ((out[1 + i]! & mask) !== (expected & mask)) throw new Error(`${value}: ${out[1 + i]}, not ${expected}`);
      });
    });
  },
);
