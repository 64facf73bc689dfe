/** @file Arithmetic of half, bfloat16 and of integers with floats goes through float32 with the results of the general loops. */
import { afterAll, describe, expect, test } from "vitest";
import { convertTensor } from "../../src/tensor/clone.ts";
import { fromData, scalarTensor } from "../../src/tensor/data.ts";
import { DTYPES, type DType } from "../../src/tensor/dtype.ts";
import { roundToBfloat16, roundToHalf } from "../../src/tensor/half.ts";
import { BINARY } from "../../src/tensor/kernels/binary.ts";
import { kernelBuild, setKernelBuild, supportedKernelBuilds } from "../../src/tensor/kernels/wasm/build.ts";
import { map2 } from "../../src/tensor/pointwise.ts";
import { viewOf, type Tensor } from "../../src/tensor/tensor.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));

const { float16, bfloat16, float32, float64, int64, int32, bool } = DTYPES;

let state = 3;
const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
/** Every pattern of 16 bits, in any order. */
function halves(n: number, dtype: DType): Tensor {
  const t = convertTensor(fromData(new Float32Array(n), [n]), dtype);
  for (let i = 0; i < n; i++) t.storage.segment.u16[t.base0 + i] = next() >>> 16;
  return t;
}
const values = (t: Tensor): Float64Array => {
  const wide = convertTensor(t, float64);
  return wide.storage.segment.f64.slice(wide.base0, wide.base0 + wide.numel);
};

const ARITHMETIC = ["add", "sub", "mul", "div", "maximum", "minimum"] as const;
const COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"] as const;

describe.each(supportedKernelBuilds())("%s", (build) => {
  test.each([
    [float16, roundToHalf],
    [bfloat16, roundToBfloat16],
  ] as const)("%s", (dtype, round) => {
    setKernelBuild(build);
    const n = 60_000;
    const [a, b] = [halves(n, dtype), halves(n, dtype)];
    const [x, y] = [values(a), values(b)];
    for (const name of ARITHMETIC) {
      const found = map2(a, b, BINARY[name], dtype);
      expect(found.dtype).toBe(dtype);
      expect(values(found)).toEqual(x.map((v, i) => round(BINARY[name].real(v, y[i]!))));
    }
    for (const name of COMPARISONS) {
      const found = map2(a, b, BINARY[name], dtype, bool);
      expect(values(found)).toEqual(x.map((v, i) => BINARY[name].real(v, y[i]!)));
    }
    // a number keeps the precision of float32
    const found = map2(a, scalarTensor(0.1, float64), BINARY.mul, dtype, dtype, [false, true]);
    expect(values(found)).toEqual(x.map((v) => round(v * Math.fround(0.1))));
  });

  test("integers with floats, quotients of integers", () => {
    setKernelBuild(build);
    const whole = Array.from({ length: 900 }, () =>
      BigInt.asIntN(next() % 64, (BigInt(next()) << 32n) | BigInt(next())),
    );
    const a = fromData(whole, [30, 30], int64);
    const b = convertTensor(fromData(whole.slice(7, 37), [30], int64), int32);
    const c = fromData(
      Float32Array.from({ length: 900 }, () => next() / 1e5),
      [30, 30],
    );
    const [p, q] = [values(convertTensor(a, float32)), values(convertTensor(b, float32))];
    const z = values(c);
    expect(values(map2(a, b, BINARY.div, float32))).toEqual(p.map((v, i) => Math.fround(v / q[i % 30]!)));
    expect(values(map2(c, a, BINARY.mul, float32))).toEqual(z.map((v, i) => Math.fround(v * p[i]!)));
    expect(values(map2(b, c, BINARY.lt, float32, bool))).toEqual(z.map((v, i) => Number(q[i % 30]! < v)));
    expect(values(map2(a, scalarTensor(0.5, float32), BINARY.mul, float32))).toEqual(p.map((v) => v * 0.5));
    // in other layouts
    const turned = viewOf(a, [30, 30], [1, 30]);
    const sum = map2(turned, c, BINARY.add, float32);
    expect(sum.strides).toEqual([1, 30]);
    const at = (i: number): number => p[(i % 30) * 30 + Math.floor(i / 30)]!;
    expect(values(convertTensor(viewOf(sum, [30, 30], [30, 1]), float32)).length).toBe(900);
    for (let i = 0; i < 900; i++) {
      const found = sum.storage.segment.f32[sum.base0 + Math.floor(i / 30) + 30 * (i % 30)];
      expect(found).toBe(Math.fround(Math.fround(at(i)) + z[i]!));
    }
  });
});
