/** @file Arithmetic of arrays and normalisation of rows on the WebAssembly kernels give what the reference gives. */
import { afterAll, describe, expect, test } from "vitest";
import { fromData } from "../../src/tensor/data.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { BINARY } from "../../src/tensor/kernels/binary.ts";
import { floatsOf } from "../../src/tensor/kernels/data.ts";
import { normalizedRows } from "../../src/tensor/kernels/normalization.ts";
import {
  kernelBuild,
  setKernelBuild,
  supportedKernelBuilds,
  wasmKernels,
} from "../../src/tensor/kernels/wasm/build.ts";
import { BINARY_NAMES, SHORT_BINARY } from "../../src/tensor/kernels/wasm/element_programs.ts";
import { map2 } from "../../src/tensor/pointwise.ts";
import { contiguousStrides, numelOf } from "../../src/tensor/strides.ts";
import { releaseTemporary, runForTemporary } from "../../src/tensor/temporaries.ts";
import { viewOf, type Tensor } from "../../src/tensor/tensor.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));
const fast = supportedKernelBuilds().filter((b) => b !== "reference");

const SPECIAL = [NaN, Infinity, -Infinity, 0, -0, 1e-45, 3e38, -3e38];
const values = (count: number, shift: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) =>
    (i + shift) % 37 === 0 ? SPECIAL[((i + shift) / 37) % SPECIAL.length]! : Math.sin(i * 1.7 + shift) * 9,
  );

describe.each(fast)("%s arrays", (build) => {
  test.each(BINARY_NAMES)("%s of arrays and single elements in the kernels' memory, at any position", (name) => {
    setKernelBuild(build);
    const { memory } = wasmKernels()!;
    const loop = BINARY[name].f32;
    for (const n of [512, 1000, 4099, 70001]) {
      for (const [as, bs] of [
        [1, 1],
        [1, 0],
        [0, 1],
        [0, 0],
      ] as const) {
        const [x, y] = [values(n, 3), values(n, 11)];
        const start = memory.allocate(4 * (3 * n + 20));
        const { f32 } = memory;
        const [ai, bi, o] = [start / 4 + 1, start / 4 + n + 3, start / 4 + 2 * n + 6];
        f32.set(x, ai);
        f32.set(y, bi);
        f32.fill(-7, o - 1, o + n + 1);
        loop(f32, o, f32, ai, as, f32, bi, bs, n);
        const wanted = new Float32Array(n);
        for (let i = 0; i < n; i++) wanted[i] = BINARY[name].real(x[i * as]!, y[i * bs]!);
        expect(f32.slice(o, o + n)).toEqual(wanted);
        expect([f32[o - 1], f32[o + n]]).toEqual([-7, -7]);
        // arrays elsewhere, on one side or on all
        const other = new Float32Array(n + 2).fill(-7);
        loop(other, 1, x, 0, as, y, 0, bs, n);
        expect(other.slice(1, n + 1)).toEqual(wanted);
        expect([other[0], other[n + 1]]).toEqual([-7, -7]);
        loop(f32, o, x, 0, as, f32, bi, bs, n);
        expect(f32.slice(o, o + n)).toEqual(wanted);
        // in place
        loop(f32, ai, f32, ai, 1, f32, bi, bs, n);
        for (let i = 0; i < n; i++) wanted[i] = BINARY[name].real(x[i]!, y[i * bs]!);
        expect(f32.slice(ai, ai + n)).toEqual(wanted);
        memory.free(start);
      }
    }
  });

  test.each(BINARY_NAMES)("%s of operands that are repeated, transposed or parts of others", (name) => {
    const shapes: readonly (readonly [readonly number[], readonly number[]])[] = [
      [
        [2, 24, 7, 7],
        [2, 24, 1, 1],
      ],
      [
        [2, 24, 7, 7],
        [24, 1, 1],
      ],
      [
        [1, 5, 1, 1],
        [3, 5, 20, 20],
      ],
      [[40, 33], [33]],
      [[300, 40], [40]],
      [
        [9, 1000],
        [9, 1],
      ],
      [
        [6, 4000],
        [1, 4000],
      ],
      [
        [40, 1],
        [40, 70],
      ],
      [
        [3, 1, 40],
        [1, 50, 40],
      ],
      [
        [30, 1, 20],
        [1, 9, 20],
      ],
      [
        [70, 20, 1],
        [70, 1, 5],
      ],
    ];
    const tensor = (sizes: readonly number[], shift: number, layout: number): Tensor => {
      const n = numelOf(sizes);
      const data = fromData(values(n * 2 + 3, shift), [n * 2 + 3]);
      if (layout === 0) return viewOf(data, sizes, contiguousStrides(sizes), data.storageOffset + 3);
      // every second element, or the last two dimensions the other way round
      const last = sizes.length - 1;
      const turned = [...sizes.slice(0, last - 1), sizes[last]!, sizes[last - 1]!];
      const strides = contiguousStrides(layout === 1 || last < 1 ? sizes : turned);
      if (layout === 1)
        return viewOf(
          data,
          sizes,
          strides.map((s) => 2 * s),
        );
      return viewOf(data, sizes, last < 1 ? strides : [...strides.slice(0, -2), strides[last]!, strides[last - 1]!]);
    };
    for (const [left, right] of shapes) {
      for (let round = 0; round < 18; round++) {
        const layouts = [round % 3, Math.floor(round / 3) % 3] as const;
        const make = (isHere: boolean): [Tensor, Tensor] => {
          const both = (): [Tensor, Tensor] => [tensor(left, 3, layouts[0]), tensor(right, 11, layouts[1])];
          if (!isHere) return both();
          // both in the kernels' memory, as far as they are large enough
          return [0, 1].map((which) => runForTemporary(() => both()[which])()) as [Tensor, Tensor];
        };
        setKernelBuild("reference");
        const wanted = floatsOf(map2(...make(false), BINARY[name], DTYPES.float32));
        setKernelBuild(build);
        const [a, b] = make(round < 9);
        const result = runForTemporary(() => map2(a, b, BINARY[name], DTYPES.float32))() as Tensor;
        expect(floatsOf(result)).toEqual(wanted);
        expect(floatsOf(map2(a, b, BINARY[name], DTYPES.float32))).toEqual(wanted);
        for (const t of [a, b, result]) releaseTemporary(t);
      }
    }
  });

  test.each(SHORT_BINARY)("%s of arrays and single elements, at any position", (name) => {
    setKernelBuild(build);
    const { memory } = wasmKernels()!;
    const { f32, real, isBool } = { ...BINARY[name], isBool: name.length === 2 };
    for (const n of [512, 1003, 70001]) {
      for (const [as, bs] of [
        [1, 1],
        [1, 0],
        [0, 1],
      ] as const) {
        const [x, y] = [values(n, 3), values(n, 11)];
        for (let i = 0; i < n; i += 5) y[i] = x[i]!;
        y[8] = -0;
        x[8] = 0;
        const wanted = (isBool ? new Uint8Array(n) : new Float32Array(n)).map((_, i) => real(x[i * as]!, y[i * bs]!));
        const start = memory.allocate(4 * (3 * n + 20));
        const [ai, bi, o] = [start / 4 + 1, start / 4 + n + 3, start / 4 + 2 * n + 6];
        memory.f32.set(x, ai);
        memory.f32.set(y, bi);
        const { f32: here, u8: bytes } = memory.segment;
        const [inHeap, at] = isBool ? [bytes, 4 * o + 1] : [here, o];
        const outside = isBool ? new Uint8Array(n + 2) : new Float32Array(n + 2);
        for (const [out, from] of [
          [inHeap, at],
          [outside, 1],
        ] as const) {
          out.fill(7, from - 1, from + n + 1);
          f32(out, from, here, ai, as, here, bi, bs, n);
          expect(out.slice(from, from + n)).toEqual(wanted);
          f32(out, from, x, 0, as, y, 0, bs, n);
          expect(out.slice(from, from + n)).toEqual(wanted);
          expect([out[from - 1], out[from + n]]).toEqual([7, 7]);
        }
        memory.free(start);
      }
    }
  });

  test("layer norm of rows of any length, in the kernels' memory and outside", () => {
    for (const [rows, columns, shift] of [
      [16, 16, 0],
      [197, 768, 0],
      [3, 1001, 100],
      [1000, 21, -3],
      [2, 30003, 0],
      [200, 513, 0],
    ] as const) {
      const x = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i * i) * 3 + shift);
      x[columns] = NaN;
      const [w, b] = [1, 2].map((k) => Float32Array.from({ length: columns }, (_, i) => Math.cos(i * k)));
      for (const [weight, bias] of [[w, b], [w], [undefined, b], []]) {
        setKernelBuild("reference");
        const wanted = new Float32Array(x.length);
        const moments = normalizedRows(x, wanted, rows, columns, weight, bias, 1e-5);
        setKernelBuild(build);
        const { memory } = wasmKernels()!;
        const start = memory.allocate(4 * (2 * x.length + 4));
        const here = memory.f32.subarray(start / 4, start / 4 + x.length);
        const there = memory.f32.subarray(start / 4 + x.length, start / 4 + 2 * x.length);
        here.set(x);
        for (const [from, to] of [
          [x, new Float32Array(x.length)],
          [here, there],
          [here, here],
        ] as const) {
          const actual = normalizedRows(from, to, rows, columns, weight, bias, 1e-5);
          const tolerance = shift === 0 ? 3e-6 : 3e-5;
          const near = (a: number, v: number, scale = 1): boolean =>
            Number.isNaN(v) ? Number.isNaN(a) : Math.abs(a - v) <= tolerance * scale * (1 + Math.abs(v));
          expect(to.every((v, i) => near(v, wanted[i]!))).toBe(true);
          expect(actual.mean.every((v, i) => near(v, moments.mean[i]!))).toBe(true);
          expect(actual.rstd.every((v, i) => near(v, moments.rstd[i]!))).toBe(true);
        }
        memory.free(start);
      }
    }
  });
});
