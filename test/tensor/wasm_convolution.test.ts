/** @file Convolutions and maxima in the kernels' memory: what follows is done where results are stored, and nothing else is written. */
import { afterAll, describe, expect, test } from "vitest";
import { convolve, convolveTransposed, type ConvGeometry, type Triple } from "../../src/tensor/kernels/convolution.ts";
import { floatsOf } from "../../src/tensor/kernels/data.ts";
import { maxPool } from "../../src/tensor/kernels/pooling.ts";
import {
  kernelBuild,
  setKernelBuild,
  supportedKernelBuilds,
  wasmKernels,
  type KernelBuild,
} from "../../src/tensor/kernels/wasm/build.ts";
import { wasmConvolve } from "../../src/tensor/kernels/wasm/convolution.ts";
import { affinePairs } from "../../src/tensor/kernels/wasm/finish.ts";
import { Weights } from "../../src/tensor/kernels/wasm/packed_weights.ts";
import { wasmConvolveTransposed } from "../../src/tensor/kernels/wasm/transposed_convolution.ts";
import { wasmMaxPool } from "../../src/tensor/kernels/wasm/pooling.ts";
import { emptyTensor } from "../../src/tensor/tensor.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));
const fast = supportedKernelBuilds().filter((b): b is Exclude<KernelBuild, "reference"> => b !== "reference");

let state = 4711;
function next(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}
const integer = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
const random = (count: number): Float32Array => Float32Array.from({ length: count }, () => 2 * next() - 1);
const volume = (t: Triple): number => t[0] * t[1] * t[2];

function geometry(
  batch: number,
  [c, o, groups]: readonly [number, number, number],
  size: readonly [number, number],
  kernel: readonly [number, number],
  stride: number,
  padding: number,
): ConvGeometry {
  const output = ([0, 1] as const).map((d) => Math.floor((size[d] + 2 * padding - kernel[d]) / stride) + 1);
  return {
    batch,
    inChannels: c,
    outChannels: o,
    groups,
    input: [1, ...size],
    kernel: [1, ...kernel],
    stride: [1, stride, stride],
    padding: [0, padding, padding],
    dilation: [1, 1, 1],
    output: [1, output[0]!, output[1]!],
  };
}

/** Windows, padded so that they are centred, that have kernels of planes as they lie: size, size, and how far apart they are. */
const CENTRED = [
  [3, 3, 1],
  [3, 3, 2],
  [5, 5, 1],
  [5, 5, 2],
  [7, 7, 1],
] as const;

/** Elements before and behind an array: those around the result must stay as they are, what lies around others must not matter. */
const FENCE = 16;
const UNTOUCHED = -7;

/** Copies arrays into the kernels' memory, runs `body` with them, and returns the first; checks that nothing around it was written. */
function resident(arrays: readonly Float32Array[], body: (views: Float32Array[]) => void): Float32Array {
  const { memory } = wasmKernels()!;
  const areas = memory.arena(...arrays.map((a) => a.length + 2 * FENCE))!;
  const fenced = areas.map((at, i) => memory.f32.subarray(at / 4, at / 4 + arrays[i]!.length + 2 * FENCE));
  const views = fenced.map((f) => f.subarray(FENCE, f.length - FENCE));
  fenced.forEach((f, i) => f.fill(i === 0 ? UNTOUCHED : NaN).set(arrays[i]!, FENCE));
  memory.residents++; // the memory must not grow under the views
  body(views);
  memory.residents--;
  const [first] = fenced as [Float32Array];
  for (const edge of [first.subarray(0, FENCE), first.subarray(first.length - FENCE)])
    expect(edge.every((v) => v === UNTOUCHED)).toBe(true);
  const result = views[0]!.slice();
  memory.free(areas[0]!);
  return result;
}

const areSame = (a: Float32Array, b: Float32Array): boolean => a.every((v, i) => Object.is(v, b[i]));

function expectFinished(build: KernelBuild, g: ConvGeometry, bound: number): void {
  if (g.outChannels * volume(g.output) * (g.inChannels / g.groups) * volume(g.kernel) < 1 << 13) return; // little work
  const x = random(g.batch * g.inChannels * volume(g.input));
  const w = random((g.outChannels * g.inChannels * volume(g.kernel)) / g.groups);
  const size = g.batch * g.outChannels * volume(g.output);
  const [scale, shift, residual] = [random(g.outChannels), random(g.outChannels), random(size)];
  setKernelBuild("reference");
  const [plain, sums] = [new Float32Array(size), new Float32Array(size)];
  convolve(x, w, plain, g);
  convolve(x.map(Math.abs), w.map(Math.abs), sums, g);
  setKernelBuild(build);
  const staged = new Float32Array(size);
  const finish = { affine: affinePairs(g.outChannels, scale, shift), low: -0.5, high: 1.5 };
  expect(wasmConvolve(x, Weights.ofArray(w), staged, g, { ...finish, residual })).toBe(true);
  const run = (hasResidual: boolean): Float32Array =>
    resident([new Float32Array(size), x, w, residual], ([to, a, b, r]) => {
      const all = hasResidual ? { ...finish, residual: r } : finish;
      expect(wasmConvolve(a!, Weights.ofArray(b!), to!, g, all)).toBe(true);
    });
  const plane = volume(g.output);
  const worst = (out: Float32Array, hasResidual: boolean): number => {
    let error = 0;
    out.forEach((value, i) => {
      const c = Math.floor(i / plane) % g.outChannels;
      const sum = plain[i]! * scale[c]! + shift[c]! + (hasResidual ? residual[i]! : 0);
      const wanted = Math.min(1.5, Math.max(-0.5, sum));
      error = Math.max(error, Math.abs(value - wanted) / (2 + sums[i]!));
    });
    return error;
  };
  const out = run(true);
  expect(areSame(out, staged)).toBe(true);
  expect(worst(out, true)).toBeLessThan(bound);
  expect(worst(run(false), false)).toBeLessThan(bound);
}

describe.each(fast)("%s kernels", (build) => {
  test("finish products of random geometries and write nothing else", () => {
    for (let i = 0; i < 40; i++) {
      const groups = integer(1, 2);
      const kernel = [integer(1, 4), integer(1, 4)] as const;
      const size = [integer(5, 24), integer(5, 24)] as const;
      const channels = [groups * integer(3, 40), groups * integer(3, 40), groups] as const;
      expectFinished(build, geometry(integer(1, 2), channels, size, kernel, integer(1, 2), integer(0, 1)), 2 ** -16);
    }
    // several passes of the inner dimension, several tasks, a few columns in the last tile
    expectFinished(build, geometry(1, [150, 70, 1], [15, 15], [3, 3], 2, 1), 2 ** -20);
    expectFinished(build, geometry(1, [700, 50, 1], [7, 7], [1, 1], 1, 0), 2 ** -20);
    expectFinished(build, geometry(1, [16, 30, 1], [60, 60], [1, 1], 1, 0), 2 ** -20);
  });
  test("finish a column that is alone in its tile, and planes of one element", () => {
    for (const side of [1, 3, 5, 7, 9, 15]) {
      for (let i = 0; i < 4; i++) {
        const channels = [integer(1, 40) * integer(1, 50), integer(9, 70), 1] as const;
        expectFinished(build, geometry(1, channels, [side, side], [1, 1], 1, 0), 2 ** -18);
      }
    }
    expectFinished(build, geometry(1, [60, 35, 1], [13, 13], [3, 3], 2, 1), 2 ** -20);
  });
  test("finish what Winograd's transforms give, at every edge, and write nothing else", () => {
    for (let i = 0; i < 30; i++) {
      const channels = [integer(8, 40), integer(8, 40), 1] as const;
      const size = [integer(4, 30), integer(4, 30)] as const;
      expectFinished(build, geometry(integer(1, 2), channels, size, [3, 3], 1, integer(0, 4)), 2 ** -17);
    }
    expectFinished(build, geometry(1, [530, 20, 1], [7, 7], [3, 3], 1, 1), 2 ** -17);
    expectFinished(build, geometry(1, [64, 64, 1], [56, 56], [3, 3], 1, 1), 2 ** -17);
  });
  test("finish depthwise convolutions of random geometries and write nothing else", () => {
    for (let i = 0; i < 40; i++) {
      const c = integer(20, 60);
      const size = [integer(6, 40), integer(6, 40)] as const;
      const [stride, padding] = [integer(1, 2), integer(0, 2)];
      expectFinished(build, geometry(integer(1, 2), [c, c, c], size, [3, 3], stride, padding), 2 ** -20);
    }
  });
  test.each(CENTRED)("finish depthwise convolutions of %i by %i, every width and number of rows", (size, _, stride) => {
    const [c, padding] = [30, (size - 1) / 2];
    for (let i = 0; i < 27; i++) {
      // the widths and numbers of rows of results around those of vectors and blocks, with inputs that end with a window or behind it
      const input = [7 + (i % 9), 4 + (i % 10)].map((n) => (n - 1) * stride + 1 + integer(0, stride - 1));
      expectFinished(
        build,
        geometry(integer(1, 2), [c, c, c], input as [number, number], [size, size], stride, padding),
        2 ** -20,
      );
    }
    expectFinished(build, geometry(1, [9, 9, 9], [56, 57], [size, size], stride, padding), 2 ** -20);
  });
  test("give call after call what they give for a geometry that is new", () => {
    setKernelBuild(build);
    const geometries = [
      geometry(1, [40, 25, 1], [9, 9], [1, 1], 1, 0),
      geometry(2, [12, 20, 2], [14, 13], [3, 3], 2, 1),
      ...[3, 5, 7].map((size) => geometry(1, [24, 24, 24], [28, 28], [size, size], 1, (size - 1) / 2)),
      geometry(2, [64, 64, 64], [30, 21], [3, 3], 2, 1),
      geometry(1, [24, 48, 24], [28, 28], [3, 3], 1, 1),
    ];
    for (const g of geometries) {
      const count = (g.outChannels * g.inChannels * volume(g.kernel)) / g.groups;
      const size = g.batch * g.outChannels * volume(g.output);
      let weight = emptyTensor([count]);
      let affine: Float32Array | undefined;
      for (let call = 0; call < 14; call++) {
        // the values of the weight, the weight, or what follows is another, or nothing is
        if (call % 3 === 0) {
          if (call % 6 === 0) weight = emptyTensor([count]);
          (floatsOf(weight) as Float32Array).set(random(count));
          weight.storage.version++;
        }
        if (call % 4 === 1) affine = affinePairs(g.outChannels, random(g.outChannels), random(g.outChannels));
        if (call % 4 === 3) affine = undefined;
        const x = random(g.batch * g.inChannels * volume(g.input));
        const finish = { affine, residual: call % 5 === 2 ? random(size) : undefined, low: -0.5, high: 1.5 };
        const [kept, fresh] = [g, { ...g }].map((which) => {
          const to = new Float32Array(size);
          expect(wasmConvolve(x, Weights.of(weight), to, which, finish)).toBe(true);
          return to;
        });
        expect(areSame(kept!, fresh!)).toBe(true);
        if (call === 9) {
          setKernelBuild("reference");
          setKernelBuild(build);
        }
      }
    }
  });
  test("sum windows of 3 by 3 in the same order, whether the rows of results are worth blocks or not", () => {
    setKernelBuild(build);
    const [c, width] = [12, 21];
    const [x, w] = [random(c * 28 * width), random(9 * c)];
    const rowsOf = (values: Float32Array, of: number, rows: number): Float32Array =>
      values.filter((_, i) => i % (of * width) < rows * width);
    const run = (rows: number): Float32Array => {
      const out = new Float32Array(c * rows * width);
      const g = geometry(1, [c, c, c], [rows, width], [3, 3], 1, 1);
      expect(wasmConvolve(rowsOf(x, 28, rows), Weights.ofArray(w), out, g)).toBe(true);
      return rowsOf(out, rows, 22);
    };
    // 28 rows are four blocks, 23 are too few for four; the last row of each sees what the other has not
    expect(areSame(run(28), run(23))).toBe(true);
  });
  test.each([...CENTRED, [7, 7, 2] as const])(
    "keep NaN and infinities of depthwise convolutions in their windows of %i by %i, %i apart",
    (size, _, stride) => {
      const g = geometry(1, [40, 40, 40], [17, 19], [size, size], stride, (size - 1) / 2);
      const x = random(40 * volume(g.input));
      const w = random(40 * volume(g.kernel));
      // the ends of rows and planes are next to others in memory
      const plane = volume(g.input);
      [x[5], x[700], x[1000], x[18], x[3 * plane], x[8 * plane - 1]] = [NaN, Infinity, -Infinity, NaN, NaN, NaN];
      const kind = (values: Float32Array): string[] =>
        Array.from(values, (v) => (Number.isFinite(v) ? "finite" : String(v)));
      const wanted = new Float32Array(40 * volume(g.output));
      setKernelBuild("reference");
      convolve(x, w, wanted, g);
      setKernelBuild(build);
      const out = resident([new Float32Array(wanted.length), x, w], ([to, a, b]) => {
        expect(wasmConvolve(a!, Weights.ofArray(b!), to!, g)).toBe(true);
      });
      expect(kind(out)).toEqual(kind(wanted));
    },
  );
  test("take the maximum of windows as the reference does, NaN where one is", () => {
    setKernelBuild(build);
    for (let i = 0; i < 40; i++) {
      const planes = integer(10, 40);
      const three = i % 4 !== 0;
      const kernel = three ? ([3, 3] as const) : ([integer(1, 3), 2] as const);
      const size = [integer(12, 30), integer(12, 30)] as const;
      const g = { ...geometry(1, [1, 1, 1], size, kernel, integer(1, 3), three ? integer(0, 1) : 0), planes };
      const x = random(planes * volume(g.input));
      for (const special of [NaN, NaN, NaN, NaN, Infinity, -Infinity]) x[integer(0, x.length - 1)] = special;
      // windows of nothing but zeros of both signs; other windows than these add 0 as they finish
      const keepsZeros = three && g.stride[1] < 3;
      for (let k = 0; keepsZeros && k < x.length / 2; k++)
        x[k] = Number.isFinite(x[k]!) ? (next() < 0.5 ? 0 : -0) : x[k]!;
      const wanted = new Float32Array(planes * volume(g.output));
      maxPool(x, wanted, new Float64Array(wanted.length), g);
      const staged = new Float32Array(wanted.length);
      if (!wasmMaxPool(x, staged, g)) continue; // little work
      const out = resident([new Float32Array(wanted.length), x], ([to, from]) => {
        expect(wasmMaxPool(from!, to!, g)).toBe(true);
      });
      expect(areSame(staged, wanted)).toBe(true);
      expect(areSame(out, wanted)).toBe(true);
    }
  });
});

/** A transposed convolution of random sizes; `out` has at least one element a dimension. */
function transposedGeometry(): ConvGeometry {
  for (;;) {
    const groups = integer(1, 3);
    const triple = (low: number, high: number, deep: number): Triple => [deep, integer(low, high), integer(low, high)];
    const isFlat = integer(0, 2) > 0;
    const input = triple(1, 12, isFlat ? 1 : integer(1, 4));
    const kernel = triple(1, 5, isFlat ? 1 : integer(1, 3));
    const stride = integer(0, 2) === 0 ? kernel : triple(1, 3, isFlat ? 1 : integer(1, 2));
    const padding = triple(0, 2, isFlat ? 0 : integer(0, 1));
    const dilation = triple(1, 2, 1);
    const size = (d: 0 | 1 | 2): number =>
      (input[d] - 1) * stride[d] - 2 * padding[d] + dilation[d] * (kernel[d] - 1) + 1 + integer(0, d);
    const output = [size(0), size(1), size(2)] as const;
    const [inChannels, outChannels] = [groups * integer(1, 20), groups * integer(1, 20)];
    if (output.every((n) => n > 0))
      return {
        batch: integer(1, 2),
        groups,
        inChannels,
        outChannels,
        input,
        kernel,
        stride,
        padding,
        dilation,
        output,
      };
  }
}

describe.each(fast)("transposed convolutions of the %s build", (build) => {
  test("are what float64 gives, wherever the arrays lie", () => {
    setKernelBuild(build);
    let runs = 0;
    for (let round = 0; round < 150; round++) {
      const g = transposedGeometry();
      const x = random(g.batch * g.inChannels * volume(g.input));
      const w = random((g.inChannels * g.outChannels * volume(g.kernel)) / g.groups);
      const bias = round % 2 === 0 ? random(g.outChannels) : undefined;
      const count = g.batch * g.outChannels * volume(g.output);
      const wanted = new Float64Array(count);
      convolveTransposed(Float64Array.from(x), Float64Array.from(w), wanted, g);
      const plane = volume(g.output);
      if (bias) wanted.forEach((v, i) => (wanted[i] = v + bias[Math.floor(i / plane) % g.outChannels]!));
      const staged = new Float32Array(count).fill(UNTOUCHED);
      if (!wasmConvolveTransposed(x, Weights.ofArray(w), staged, g, bias)) continue; // little work
      runs++;
      const there = resident([new Float32Array(count), x, w], ([out, from, weights]) => {
        expect(wasmConvolveTransposed(from!, Weights.ofArray(weights!), out!, g, bias)).toBe(true);
      });
      for (const result of [staged, there])
        for (let i = 0; i < count; i++) {
          if (!(Math.abs(result[i]! - wanted[i]!) < 1e-4))
            expect.fail(`element ${i} is ${result[i]}, expected ${wanted[i]} (${JSON.stringify(g)})`);
        }
    }
    expect(runs).toBeGreaterThan(50);
  });
});
