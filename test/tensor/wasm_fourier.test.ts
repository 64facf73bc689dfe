/** @file Fourier transforms of float32 give on every kernel build, wherever the tensors lie, what float64 gives. */
import { afterAll, describe, expect, test } from "vitest";
import { callOperator } from "../../src/core/operator_registry.ts";
import "../../src/ops/index.ts";
import { contiguousAs, convertTensor } from "../../src/tensor/clone.ts";
import { fromData } from "../../src/tensor/data.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { floatsOf } from "../../src/tensor/kernels/data.ts";
import { kernelBuild, setKernelBuild, supportedKernelBuilds } from "../../src/tensor/kernels/wasm/build.ts";
import { wasmFourier, wasmFourierToReal, wasmRealFourier } from "../../src/tensor/kernels/wasm/fourier.ts";
import { releaseTemporary, runForTemporary } from "../../src/tensor/temporaries.ts";
import { numelOf } from "../../src/tensor/strides.ts";
import { emptyTensor, type Tensor } from "../../src/tensor/tensor.ts";
import { narrowView, transposeView } from "../../src/tensor/view_geometry.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));

const noise = (i: number): number => Math.sin(i * 12.9898) * Math.cos(i * i * 0.37);

const real = (...sizes: number[]): Tensor =>
  fromData(
    Float32Array.from({ length: numelOf(sizes) }, (_, i) => noise(i)),
    sizes,
  );

const complex = (...sizes: number[]): Tensor =>
  fromData(
    Float64Array.from({ length: 2 * numelOf(sizes) }, (_, i) => noise(i + 1)),
    sizes,
    DTYPES.complex64,
  );

const widened = (t: Tensor): Tensor =>
  convertTensor(t, t.dtype.category === "complex" ? DTYPES.complex128 : DTYPES.float64);

/** The largest error of `actual` for the root of the mean square of what is right. */
function errorOf(actual: Tensor, wanted: Tensor): number {
  expect(actual.sizes).toEqual(wanted.sizes);
  expect(widened(actual).dtype).toBe(wanted.dtype);
  const [a, b] = [floatsOf(contiguousAs(actual, actual.dtype)), floatsOf(contiguousAs(wanted, wanted.dtype))];
  let [squares, worst] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    squares += b[i]! * b[i]!;
    worst = Math.max(worst, Math.abs(a[i]! - b[i]!));
  }
  return worst === 0 ? 0 : worst / Math.sqrt(squares / b.length);
}

/** Float32 rounds after every pass: errors of single results are some roundings. */
const BOUND = 2.5e-6;

function expectClose(run: (x: Tensor) => Tensor, x: Tensor): void {
  const wanted = run(widened(x));
  expect(errorOf(run(x), wanted)).toBeLessThan(BOUND);
  const here = runForTemporary(() =>
    contiguousAs(fromData(floatsOf(contiguousAs(x, x.dtype)), x.sizes, x.dtype), x.dtype),
  )() as Tensor;
  const there = runForTemporary(() =>
    contiguousAs(run(here), wanted.dtype === DTYPES.float64 ? DTYPES.float32 : DTYPES.complex64),
  )() as Tensor;
  expect(errorOf(there, wanted)).toBeLessThan(BOUND);
  releaseTemporary(here);
  releaseTemporary(there);
}

const op =
  (name: string, ...rest: unknown[]) =>
  (x: Tensor): Tensor =>
    callOperator(`aten::${name}`, [x, ...rest]) as Tensor;

/** Even and odd products of 2, 3 and 5, and lengths that there are no passes for. */
const LENGTHS = [
  1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 16, 20, 25, 30, 36, 48, 60, 64, 75, 100, 125, 128, 240, 256, 360, 400, 480, 512, 14,
  49, 98,
];

describe.each(supportedKernelBuilds())("%s kernels", (build) => {
  test("rows of every length, of every count", () => {
    setKernelBuild(build);
    for (const n of LENGTHS)
      for (const rows of [1, 2, 3, 5, 13, 130]) {
        if (rows * n > 9000) continue;
        expectClose(op("fft_fft", null, -1, null), complex(rows, n));
        expectClose(op("fft_ifft", null, -1, null), complex(rows, n));
        expectClose(op("fft_rfft", null, -1, null), real(rows, n));
        expectClose(op("fft_irfft", n, -1, null), complex(rows, Math.floor(n / 2) + 1));
      }
  });

  test("long rows", () => {
    setKernelBuild(build);
    for (const n of [1024, 2048, 3000, 6144, 15625, 65536]) {
      expectClose(op("fft_fft", null, -1, null), complex(2, n));
      expectClose(op("fft_rfft", null, -1, null), real(3, n));
      expectClose(op("fft_irfft", null, -1, null), complex(3, Math.floor(n / 2) + 1));
    }
  });

  test("every dimension, cropped and padded, in every normalisation", () => {
    setKernelBuild(build);
    for (const sizes of [
      [8, 12, 20],
      [2, 30, 3],
      [64, 1, 5],
      [3, 18, 40],
    ])
      for (let dim = 0; dim < 3; dim++)
        for (const [n, norm] of [
          [null, "ortho"],
          [10, "forward"],
          [24, "backward"],
          [15, null],
        ] as const) {
          for (const name of ["fft_fft", "fft_ifft", "fft_irfft", "fft_hfft"])
            if (n !== null || sizes[dim]! > 1) expectClose(op(name, n, dim, norm), complex(...sizes));
          for (const name of ["fft_rfft", "fft_ihfft", "fft_fft"]) expectClose(op(name, n, dim, norm), real(...sizes));
        }
  });

  test("several dimensions", () => {
    setKernelBuild(build);
    for (const dims of [[0, 1], [2, 1], [-1, -2, -3], [1], null] as const)
      for (const norm of [null, "ortho"]) {
        expectClose(op("fft_fftn", null, dims, norm), complex(6, 8, 10));
        expectClose(op("fft_ifftn", null, dims, norm), complex(6, 8, 10));
        expectClose(op("fft_rfftn", null, dims, norm), real(6, 8, 10));
        expectClose(op("fft_irfftn", null, dims, norm), complex(6, 8, 9));
        expectClose(op("fft_hfftn", null, dims, norm), complex(6, 8, 9));
        expectClose(op("fft_ihfftn", null, dims, norm), real(6, 8, 10));
      }
    for (const mode of [0, 1, 2]) {
      expectClose(op("_fft_c2c", [0, 2], mode, false), complex(6, 8, 10));
      expectClose(op("_fft_r2c", [1, 0], mode, true), real(6, 8, 10));
      expectClose(op("_fft_r2c", [2], mode, false), real(6, 8, 10));
      expectClose(op("_fft_c2r", [1, 2], mode, 16), complex(6, 8, 9));
    }
    expectClose(op("fft_fft2", [16, 30], [-2, -1], null), complex(3, 20, 20));
    expectClose(op("fft_rfft2", [16, 30], [0, 2], null), real(20, 3, 20));
  });

  test("views, conjugates and what PyTorch converts", () => {
    setKernelBuild(build);
    const x = complex(30, 40);
    const turned = transposeView(x, 0, 1);
    const part = narrowView(turned, 0, 3, 20);
    part.isConj = true;
    for (const view of [turned, part]) {
      const wanted = op("fft_fft", null, -1, null)(widened(view));
      expect(errorOf(op("fft_fft", null, -1, null)(view), wanted)).toBeLessThan(BOUND);
    }
    const whole = fromData([...Array(200).keys()], [4, 50], DTYPES.int64);
    const y = op("fft_rfft", null, -1, null)(whole);
    expect(y.dtype).toBe(DTYPES.complex64);
    expect(errorOf(y, op("fft_rfft", null, -1, null)(convertTensor(whole, DTYPES.float64)))).toBeLessThan(BOUND);
    expect(op("fft_fft", null, -1, null)(emptyTensor([0, 64], DTYPES.complex64)).sizes).toEqual([0, 64]);
  });

  test("the ends of a real row's transform are real, and what is not finite stays in its row", () => {
    setKernelBuild(build);
    const x = real(9, 32);
    const numbers = floatsOf(x);
    for (let i = 0; i < 32; i++) numbers[64 + i]! *= 1e-38;
    numbers[4 * 32] = Infinity;
    numbers[6 * 32 + 5] = NaN;
    const y = floatsOf(op("fft_rfft", null, -1, null)(x));
    for (let r = 0; r < 9; r++) {
      const row = y.subarray(34 * r, 34 * (r + 1));
      if (r === 4 || r === 6) expect(row.every(Number.isFinite)).toBe(false);
      else {
        expect(row.every(Number.isFinite)).toBe(true);
        expect([row[1], row[33]]).toEqual([0, 0]);
      }
    }
    expect(y[4 * 34]).toBe(Infinity);
  });

  test("short-time transforms and back", () => {
    setKernelBuild(build);
    const hann = (n: number): Tensor => callOperator("aten::hann_window", [n, null, null, null, null]) as Tensor;
    for (const [sizes, nFft, hop, win] of [
      [[4000], 400, 160, 400],
      [[2, 1000], 64, 16, 50],
      [[700], 100, null, null],
      [[3, 333], 25, 5, 25],
      [[90], 90, 90, 60],
    ] as const)
      for (const normalized of [false, true])
        for (const [center, mode] of [
          [true, "reflect"],
          [true, "constant"],
          [false, "reflect"],
        ] as const)
          for (const window of [hann(win ?? nFft), null]) {
            const forward = (x: Tensor): Tensor =>
              callOperator("aten::stft.center", [
                x,
                nFft,
                hop,
                win,
                window && (x.dtype === DTYPES.float64 ? widened(window) : window),
                center,
                mode,
                normalized,
                null,
                true,
                null,
              ]) as Tensor;
            expectClose(forward, real(...sizes));
            if (!center || (window && hop === nFft)) continue;
            const length = sizes.at(-1)! - 10;
            const back = (x: Tensor): Tensor =>
              callOperator("aten::istft", [
                x,
                nFft,
                hop,
                win,
                window && (x.dtype === DTYPES.complex128 ? widened(window) : window),
                center,
                normalized,
                null,
                length,
                false,
              ]) as Tensor;
            if (hop === null || (win ?? nFft) >= 2 * hop) expectClose(back, forward(real(...sizes)));
          }
  });
});

test("errors are those of PyTorch's own float32 transforms or smaller", () => {
  setKernelBuild(initial);
  // torch 2.13 (MKL), root mean square of the error over that of the result for 64 normal rows: rfft, fft, irfft
  for (const [n, ...torch] of [
    [256, 1.02e-7, 1.06e-7, 1.03e-7],
    [400, 1.12e-7, 1.1e-7, 1.16e-7],
    [512, 1.14e-7, 1.08e-7, 1.13e-7],
    [1024, 1.15e-7, 1.18e-7, 1.14e-7],
    [2048, 1.25e-7, 1.3e-7, 1.25e-7],
  ] as const) {
    const spectrum = op("fft_rfft", null, -1, null)(real(64, n));
    [
      [op("fft_rfft", null, -1, null), real(64, n)] as const,
      [op("fft_fft", null, -1, null), complex(64, n)] as const,
      [op("fft_irfft", null, -1, null), spectrum] as const,
    ].forEach(([run, x], i) => {
      const [a, b] = [floatsOf(run(x)), floatsOf(run(widened(x)))];
      let [error, size] = [0, 0];
      for (let k = 0; k < b.length; k++) {
        error += (a[k]! - b[k]!) ** 2;
        size += b[k]! ** 2;
      }
      // products that round on their own, in the build without fused ones, cost a little in one place
      expect(Math.sqrt(error / size), `${n}: ${i}`).toBeLessThan(torch[i]! * 1.05);
    });
  }
});

test("arrays that lie elsewhere pass in rounds", () => {
  if (initial === "reference") return;
  setKernelBuild(initial);
  const [rows, n] = [2000, 64];
  const x = Float32Array.from({ length: rows * n }, (_, i) => noise(i));
  const [y, one] = [new Float32Array(rows * (n + 2)), new Float32Array(4 * (n + 2))];
  expect(wasmRealFourier({ array: x, start: 0, step: n }, y, 0, rows, n, -1, 1)).toBe(true);
  for (let r = 0; r < rows; r += 4) {
    expect(wasmRealFourier({ array: x, start: r * n, step: n }, one, 0, 4, n, -1, 1)).toBe(true);
    expect(y.subarray(r * (n + 2), (r + 4) * (n + 2))).toEqual(one);
  }
  const back = new Float32Array(rows * n);
  expect(wasmFourierToReal(y, back, rows, n, 1 / n)).toBe(true);
  back.forEach((v, i) => expect(Math.abs(v - x[i]!)).toBeLessThan(1e-6));
  expect(wasmFourier(x, x, 1, 7, 100, -1, 1)).toBe(false);
});
