/** @file Functions of float64 arrays on the WebAssembly kernels give what plain loops give; exponentials to less than a unit in the last place. */
import { afterAll, describe, expect, test } from "vitest";
import { BINARY } from "../../src/tensor/kernels/binary.ts";
import { UNARY } from "../../src/tensor/kernels/unary.ts";
import {
  kernelBuild,
  setKernelBuild,
  supportedKernelBuilds,
  wasmKernels,
} from "../../src/tensor/kernels/wasm/build.ts";
import { map1, map2 } from "../../src/tensor/pointwise.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { fromFloat64Array } from "../../src/tensor/data.ts";
import { floatsOf } from "../../src/tensor/kernels/data.ts";
import { releaseTemporary, runForTemporary } from "../../src/tensor/temporaries.ts";
import { viewOf, type Tensor } from "../../src/tensor/tensor.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));
const fast = supportedKernelBuilds().filter((b) => b !== "reference");

const SPECIAL = [
  [NaN, Infinity, -Infinity, 0, -0, 5e-324, -5e-324, 709.782712893384, 709.7827128933841, -745.1332191019411],
  [-745.1332191019412, -708.4, -720.3, 1e300, -1e300, 1, -1, 1e-17, 2 ** -1022, 1.7e308],
].flat();
const values = (n: number, shift: number, size: number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) =>
    (i + shift) % 7 === 0 ? SPECIAL[((i + shift) / 7) % SPECIAL.length]! : Math.sin(i * 1.7 + shift) * size,
  );

describe.each(fast)("%s build", (build) => {
  test.each(["add", "sub", "mul", "div"] as const)(
    "%s of arrays and single elements in the kernels' memory",
    (name) => {
      setKernelBuild(build);
      const { memory } = wasmKernels()!;
      const { real } = BINARY[name];
      for (const n of [64, 65, 1003, 70001]) {
        const [x, y] = [values(n, 3, 9), values(n, 12, 5)];
        for (const [as, bs] of [
          [1, 1],
          [1, 0],
          [0, 1],
          [0, 0],
        ] as const) {
          const start = memory.allocate(8 * (3 * n + 6)) / 8;
          const { f64 } = memory.segment;
          const [ai, bi, o] = [start, start + n + 1, start + 2 * n + 3];
          f64.set(x, ai);
          f64.set(y, bi);
          f64.fill(-7, o - 1, o + n + 1);
          const wanted = Float64Array.from({ length: n }, (_, i) => real(x[i * as]!, y[i * bs]!));
          expect(BINARY[name].f64(f64, o, [f64, f64], [ai, bi], [as, bs], n)).toBe(true);
          expect(f64.slice(o, o + n)).toEqual(wanted);
          expect([f64[o - 1], f64[o + n]]).toEqual([-7, -7]);
          if (as === 1) expect(BINARY[name].f64(f64, ai, [f64, f64], [ai, bi], [as, bs], n)).toBe(true);
          if (as === 1) expect(f64.slice(ai, ai + n)).toEqual(wanted);
          memory.free(8 * start);
        }
        // elsewhere, in other steps, or few: another loop
        expect(BINARY[name].f64(new Float64Array(n), 0, [x, y], [0, 0], [1, 1], n)).toBe(false);
        expect(BINARY[name].f64(new Float64Array(n), 0, [x, y], [0, 0], [2, 1], 30)).toBe(false);
      }
    },
  );

  test("exp, wherever the elements lie", () => {
    setKernelBuild(build);
    const { memory } = wasmKernels()!;
    for (const n of [64, 2048, 2049, 20011]) {
      const x = values(n, 1, n === 2048 ? 2 : 740);
      const start = memory.allocate(8 * n) / 8;
      const { f64 } = memory.segment;
      f64.set(x, start);
      const out = new Float64Array(n + 2).fill(-7);
      expect(UNARY.exp.f64(out, 1, [x], [0], [1], n)).toBe(true);
      expect([out[0], out[n + 1]]).toEqual([-7, -7]);
      expect(UNARY.exp.f64(f64, start, [f64], [start], [1], n)).toBe(true);
      for (const y of [out.subarray(1, n + 1), f64.subarray(start, start + n)]) {
        const wrong = [...y].flatMap((value, i) => {
          const wanted = Math.exp(x[i]!);
          const isSame = Object.is(value, wanted);
          // both may be off by less than one
          return isSame || Math.abs(value - wanted) <= 2 ** -52 * wanted + 5e-324 ? [] : [x[i]];
        });
        expect(wrong).toEqual([]);
      }
      memory.free(8 * start);
    }
  });

  test("tensors whose rows lie apart, or are repeated", () => {
    setKernelBuild(build);
    const make = (shift: number): Tensor => fromFloat64Array(values(40 * 130, shift, 3), [40, 130], DTYPES.float64);
    const [x, y] = [make(2), make(5)];
    const part = viewOf(x, [20, 129], [260, 1], 1);
    const other = viewOf(y, [20, 129], [0, 1], 3);
    const plain = (f: (a: number, b: number) => number): number[] =>
      Array.from({ length: 20 * 129 }, (_, i) => {
        const [r, c] = [Math.floor(i / 129), i % 129];
        return f(floatsOf(x)[1 + 260 * r + c]!, floatsOf(y)[3 + c]!);
      });
    const near = (a: ArrayLike<number>, b: readonly number[]): void =>
      b.forEach((w, i) => {
        if (!Object.is(a[i], w)) expect(Math.abs(a[i]! - w)).toBeLessThanOrEqual(2 ** -52 * Math.abs(w) + 5e-324);
      });
    near(
      floatsOf(map1(part, UNARY.exp)),
      plain((a) => Math.exp(a)),
    );
    near(
      floatsOf(map2(part, other, BINARY.mul, DTYPES.float64)),
      plain((a, b) => a * b),
    );
    const temporary = runForTemporary(() => map2(x, y, BINARY.sub, DTYPES.float64))() as Tensor;
    const product = runForTemporary(() => map2(temporary, temporary, BINARY.mul, DTYPES.float64))() as Tensor;
    const [p, q] = [floatsOf(x), floatsOf(y)];
    near(
      floatsOf(product),
      Array.from({ length: 40 * 130 }, (_, i) => (p[i]! - q[i]!) ** 2),
    );
    for (const t of [temporary, product]) releaseTemporary(t);
  });
});
