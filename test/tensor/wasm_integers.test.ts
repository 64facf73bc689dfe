/** @file Quantized linear layers on the WebAssembly kernels have the bits of plain arithmetic, over random sizes, special values and the largest sums. */
import { afterAll, describe, expect, test } from "vitest";
import { extremes, quantizeActivations } from "../../src/tensor/kernels/quantized.ts";
import { roundHalfEven } from "../../src/tensor/kernels/unary.ts";
import {
  kernelBuild,
  setKernelBuild,
  supportedKernelBuilds,
  type KernelBuild,
} from "../../src/tensor/kernels/wasm/build.ts";
import {
  scaleTable,
  wasmByteLayer,
  wasmFloatLayer,
  type IntegerWeights,
} from "../../src/tensor/kernels/wasm/integers.ts";
import { allocateStorage } from "../../src/tensor/storage.ts";

const f = Math.fround;
const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));

let state = 77;
function uniform(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}
const integer = (low: number, high: number): number => low + Math.floor(uniform() * (high - low + 1));
const floats = (count: number, make: () => number): Float32Array => Float32Array.from({ length: count }, make);

interface Layer {
  readonly w: Float64Array;
  readonly factors: Float32Array;
  readonly shifts: Float32Array;
  readonly weights: IntegerWeights;
}

function layer(n: number, k: number, make: () => number, factor: () => number, shift: () => number): Layer {
  const w = Float64Array.from({ length: n * k }, make);
  const [factors, shifts] = [floats(n, factor), floats(n, shift)];
  const table = scaleTable(
    n,
    (i) => factors[i]!,
    (i) => shifts[i]!,
  );
  return {
    w,
    factors,
    shifts,
    weights: {
      owner: allocateStorage(n * k),
      key: "w",
      values: () => w,
      areBytes: w.every((v) => v >= -128 && v < 128),
      n,
      k,
      table,
    },
  };
}

/** The sum of row r of integers by row j of the weights. */
function sumOf({ w, weights }: Layer, x: ArrayLike<number>, r: number, j: number): number {
  const { k } = weights;
  let sum = 0;
  for (let p = 0; p < k; p++) sum += x[r * k + p]! * w[j * k + p]!;
  return sum;
}

function expectSame(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  for (let i = 0; i < expected.length; i++)
    if (!Object.is(actual[i], expected[i])) throw new Error(`${what}: ${i} is ${actual[i]}, not ${expected[i]}`);
}

function checkFloats(rows: number, l: Layer, x: Float32Array, scale: number, zeroPoint: number, low: number): void {
  const { n, k } = l.weights;
  const integers = quantizeActivations(x, scale, zeroPoint).map((q) => q - zeroPoint);
  const expected = new Float32Array(rows * n);
  for (let r = 0; r < rows; r++)
    for (let j = 0; j < n; j++) {
      const y = f(f(sumOf(l, integers, r, j)) * f(f(scale) * l.factors[j]!) + l.shifts[j]!);
      expected[r * n + j] = y < low ? low : y;
    }
  for (let call = 0; call < 2; call++) {
    const out = new Float32Array(rows * n).fill(7);
    const { min, max } = extremes(x);
    const isDone = wasmFloatLayer(
      x,
      (range) => {
        expect(range()).toEqual([min, max]);
        return { scale, zeroPoint };
      },
      l.weights,
      low,
      out,
      rows,
    );
    expect(isDone).toBe(true);
    expectSame(out, expected, `${rows} x ${n} x ${k}`);
  }
}

function checkBytes(rows: number, l: Layer, x: Uint8Array, inputZero: number, zeroPoint: number, low: number): void {
  const { n, k } = l.weights;
  const integers = Float64Array.from(x, (q) => q - inputZero);
  const expected = new Uint8Array(rows * n);
  for (let r = 0; r < rows; r++)
    for (let j = 0; j < n; j++) {
      const q = zeroPoint + roundHalfEven(f(f(f(sumOf(l, integers, r, j)) + l.shifts[j]!) * l.factors[j]!));
      expected[r * n + j] = q >= low ? Math.min(q, 255) : low;
    }
  const out = new Uint8Array(rows * n).fill(7);
  expect(wasmByteLayer(x, inputZero, l.weights, zeroPoint, low, out, rows)).toBe(true);
  expectSame(out, expected, `bytes ${rows} x ${n} x ${k}`);
}

const SPECIAL = [NaN, Infinity, -Infinity, -0, 0, 1e-45, -1e-45, 3.4e38, 0.5, 1.5, -2.5];
const special = (): number => (uniform() < 0.3 ? SPECIAL[integer(0, SPECIAL.length - 1)]! : 20 * uniform() - 10);
/** Without denormals: added to a product halfway between two floats, they decide a rounding that doubles do not see. */
const specialShift = (): number => {
  const shift = special();
  return shift !== 0 && Math.abs(shift) < 1e-30 ? 0 : shift;
};

function randomSizes(): [rows: number, n: number, k: number] {
  const [rows, n] = [integer(1, 9), integer(1, 70)];
  return [rows, n, Math.ceil(1024 / (rows * n)) + integer(0, 70)];
}

describe.each(supportedKernelBuilds().filter((b): b is Exclude<KernelBuild, "reference"> => b !== "reference"))(
  "%s",
  (build) => {
    test("random sizes to float32", () => {
      setKernelBuild(build);
      for (let round = 0; round < 80; round++) {
        const [rows, n, k] = randomSizes();
        const l = layer(
          n,
          k,
          () => integer(-255, 255),
          () => uniform() / 100,
          () => 4 * uniform() - 2,
        );
        const x = floats(rows * k, () => 9 * uniform() - 4);
        checkFloats(rows, l, x, 9 / 255, integer(0, 255), round % 2 ? 0 : -Infinity);
      }
    });
    test("random sizes to bytes", () => {
      setKernelBuild(build);
      for (let round = 0; round < 80; round++) {
        const [rows, n, k] = randomSizes();
        const l = layer(
          n,
          k,
          () => integer(-255, 255),
          () => uniform() / 1000,
          () => integer(-9999, 9999),
        );
        const x = Uint8Array.from({ length: rows * k }, () => integer(0, 255));
        const zeroPoint = integer(0, 255);
        checkBytes(rows, l, x, integer(0, 255), zeroPoint, round % 2 ? zeroPoint : 0);
      }
    });
    test("bytes by activations of seven bits, of eight, and of both", () => {
      setKernelBuild(build);
      for (let round = 0; round < 90; round++) {
        const [rows, n, k] = randomSizes();
        const l = layer(
          n,
          k,
          () => integer(-128, 127),
          () => uniform() / 100,
          () => integer(-99, 99),
        );
        const zeroPoint = integer(0, 127);
        const most = round % 3 === 0 ? 128 : 127;
        const numbers = Array.from({ length: rows * k }, () => (round % 2 ? 127 : integer(0, most)));
        checkBytes(rows, l, Uint8Array.from(numbers), zeroPoint, integer(0, 255), 0);
        checkFloats(
          rows,
          l,
          Float32Array.from(numbers, (q) => (q - zeroPoint) / 8),
          1 / 8,
          zeroPoint,
          -Infinity,
        );
      }
      const l = layer(
        16,
        32768,
        () => -128,
        () => 1,
        () => 0,
      );
      checkBytes(2, l, new Uint8Array(65536).fill(127), 3, 0, 0);
    });
    test("special values of inputs, factors and shifts", () => {
      setKernelBuild(build);
      for (let round = 0; round < 60; round++) {
        const [rows, n, k] = randomSizes();
        const l = layer(n, k, () => integer(-128, 127), special, specialShift);
        checkFloats(
          rows,
          l,
          floats(rows * k, special),
          Math.abs(special()) || 0.1,
          integer(0, 255),
          round % 2 ? 0 : -9,
        );
        const bytes = Uint8Array.from({ length: rows * k }, () => (uniform() < 0.5 ? 0 : 255));
        checkBytes(rows, l, bytes, integer(0, 255), 128, round % 2 ? 128 : 0);
      }
    });
    test("ties of inputs round to even, and inputs that are no numbers have no extremes", () => {
      setKernelBuild(build);
      const l = layer(
        16,
        64,
        () => integer(-9, 9),
        () => 1,
        () => 0,
      );
      checkFloats(
        3,
        l,
        floats(192, () => integer(-300, 300) / 2),
        1,
        100,
        -Infinity,
      );
      checkFloats(
        1,
        l,
        floats(64, () => NaN),
        1,
        0,
        -Infinity,
      );
    });
    test("the largest values and longest sums", () => {
      setKernelBuild(build);
      for (const sign of [1, -1]) {
        const l = layer(
          5,
          32768,
          () => 255 * sign,
          () => 1,
          () => 0.5,
        );
        checkFloats(
          2,
          l,
          floats(65536, () => 1000),
          1,
          0,
          -Infinity,
        );
        checkBytes(1, l, new Uint8Array(32768).fill(255), 0, 0, 0);
      }
    });
    test("more rows than a block has", () => {
      setKernelBuild(build);
      const l = layer(
        48,
        30,
        () => integer(-128, 127),
        () => 0.01,
        () => 1,
      );
      checkFloats(
        5501,
        l,
        floats(5501 * 30, () => uniform()),
        1 / 255,
        3,
        0,
      );
    });
    test("sums that 32 bits may not hold, and small work, are left to others", () => {
      setKernelBuild(build);
      const call = (rows: number, n: number, k: number): boolean => {
        const l = layer(
          n,
          k,
          () => 1,
          () => 1,
          () => 0,
        );
        const parameters = { scale: 1, zeroPoint: 0 };
        const x = new Float32Array(rows * k);
        return wasmFloatLayer(x, () => parameters, l.weights, 0, new Float32Array(rows * n), rows);
      };
      expect(call(1, 1, 32769)).toBe(false);
      expect(call(1, 4, 8)).toBe(false);
    });
    test("weights that were written to are packed again", () => {
      setKernelBuild(build);
      const l = layer(
        20,
        60,
        () => integer(-128, 127),
        () => 0.01,
        () => 1,
      );
      const x = floats(60, () => uniform());
      checkFloats(1, l, x, 1 / 255, 0, -Infinity);
      l.w.fill(3);
      l.weights.owner.version++;
      checkFloats(1, l, x, 1 / 255, 0, -Infinity);
    });
  },
);
