/** @file Tasks give the same with several threads as with one: values, areas of threads, regions without end, commands beyond the area. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OperatorError } from "../../src/base/errors.ts";
import {
  kernelBuild,
  kernelThreads,
  setKernelBuild,
  setKernelThreads,
  supportedKernelBuilds,
  wasmKernels,
  type Kernels,
} from "../../src/tensor/kernels/wasm/build.ts";
import { convolveTransposed, type ConvGeometry } from "../../src/tensor/kernels/convolution.ts";
import { wasmConvolve } from "../../src/tensor/kernels/wasm/convolution.ts";
import { Weights } from "../../src/tensor/kernels/wasm/packed_weights.ts";
import { wasmConvolveTransposed } from "../../src/tensor/kernels/wasm/transposed_convolution.ts";
import { runTasks, threadAreas } from "../../src/tensor/kernels/wasm/parallel.ts";
import { linearTaps } from "../../src/tensor/kernels/resample.ts";
import { wasmRealFourier } from "../../src/tensor/kernels/wasm/fourier.ts";
import { wasmResample } from "../../src/tensor/kernels/wasm/resample.ts";
import { setStartWorker } from "../../src/tensor/kernels/wasm/thread_pool.ts";
import { startNodeWorker } from "../../src/node/worker.ts";

const build = supportedKernelBuilds().at(-1)!;

async function workersReady(): Promise<void> {
  const { pool } = wasmKernels()!;
  for (let i = 0; i < 500 && pool!.ready < pool!.threads - 1; i++) await new Promise((r) => setTimeout(r, 10));
  expect(pool!.ready).toBe(pool!.threads - 1);
}

test("the number of threads must be a positive integer", () => {
  for (const bad of [0, -1, 1.5, Number.NaN]) expect(() => setKernelThreads(bad)).toThrow(OperatorError);
  expect(kernelThreads()).toBe(1);
});

/** One call of a kernel that copies. */
function copy(kernels: Kernels, to: number, from: number, bytes: number): void {
  kernels.finish(to, bytes, from, bytes, 1, bytes / 4, 0, 1, 0, -Infinity, Infinity);
}

describe.runIf(build !== "reference")("tasks on three threads", () => {
  const initial = kernelBuild();
  beforeAll(async () => {
    setStartWorker(startNodeWorker);
    setKernelBuild(build);
    setKernelThreads(3);
    await workersReady();
  });
  afterAll(() => {
    setKernelThreads(1);
    setKernelBuild(initial);
  });

  test("every task runs once, whoever takes it", () => {
    const kernels = wasmKernels()!;
    const count = 700;
    const areas = kernels.memory.arena(16 * count, 16 * count, 16)!;
    const [from, to] = areas as [number, number];
    const { f32 } = kernels.memory;
    for (let i = 0; i < 16 * count; i++) f32[from / 4 + i] = i;
    for (let round = 0; round < 300; round++) {
      f32.fill(-1, to / 4, to / 4 + 16 * count);
      const some = 1 + ((round * 7919) % count);
      runTasks(kernels, some, (k, task) => copy(k, to + 64 * task, from + 64 * task, 64));
      for (let i = 0; i < 16 * count; i++) {
        if (f32[to / 4 + i] !== (i < 16 * some ? i : -1)) throw new Error(`round ${round}: element ${i}`);
      }
    }
    kernels.memory.free(areas[0]!);
  });

  test("a thread's own areas are its own, and the calls of a task keep their order", () => {
    const kernels = wasmKernels()!;
    const { memory } = kernels;
    const elements = 2048;
    const tasks = 40;
    const plain = memory.arena(elements * tasks, elements * tasks)!;
    const [from, to] = plain as [number, number];
    const own = threadAreas(kernels, elements)!;
    for (let i = 0; i < elements * tasks; i++) memory.f32[from / 4 + i] = i;
    const bytes = 4 * elements;
    for (let round = 0; round < 50; round++) {
      memory.f32.fill(0, to / 4, to / 4 + elements * tasks);
      runTasks(
        kernels,
        tasks,
        (k, task) => {
          copy(k, own.at[0]!, from + bytes * task, bytes);
          k.finish(to + bytes * task, bytes, own.at[0]!, bytes, 1, elements, 0, 2, 1, -Infinity, Infinity);
        },
        own,
      );
      for (let i = 0; i < elements * tasks; i += 97) expect(memory.f32[to / 4 + i]).toBe(2 * i + 1);
    }
    memory.free(own.start);
    memory.free(plain[0]!);
  });

  test("many resampled planes are those that come one by one", () => {
    const [planes, side] = [40, 33];
    const taps = linearTaps(side, 2 * side, false, null, Math.fround);
    const x = Float32Array.from({ length: planes * side * side }, (_, i) => Math.sin(i));
    const [all, one] = [new Float32Array(4 * x.length), new Float32Array(4 * side * side)];
    expect(wasmResample(x, all, planes, side, side, taps, taps)).toBe(true);
    for (let p = 0; p < planes; p++) {
      expect(wasmResample(x.slice(p * side * side, (p + 1) * side * side), one, 1, side, side, taps, taps)).toBe(true);
      expect(all.subarray(p * one.length, (p + 1) * one.length)).toEqual(one);
    }
  });

  test("many transformed rows are those that come four by four", () => {
    const [rows, n] = [900, 240];
    const x = Float32Array.from({ length: rows * n }, (_, i) => Math.sin(i * i));
    const [all, four] = [new Float32Array(rows * (n + 2)), new Float32Array(4 * (n + 2))];
    const window = Float32Array.from({ length: n }, (_, i) => Math.cos(i));
    expect(wasmRealFourier({ array: x, start: 0, step: n, window }, all, 0, rows, n, -1, 0.5)).toBe(true);
    for (let r = 0; r < rows; r += 4) {
      expect(wasmRealFourier({ array: x, start: r * n, step: n, window }, four, 0, 4, n, -1, 0.5)).toBe(true);
      expect(all.subarray(r * (n + 2), (r + 4) * (n + 2))).toEqual(four);
    }
  });

  test("transposed convolutions are what float64 gives", () => {
    const g: ConvGeometry = {
      batch: 2,
      inChannels: 64,
      outChannels: 48,
      groups: 2,
      input: [1, 28, 27],
      kernel: [1, 4, 3],
      output: [1, 56, 53],
      stride: [1, 2, 2],
      padding: [0, 1, 1],
      dilation: [1, 1, 1],
    };
    const x = Float64Array.from({ length: 2 * 64 * 28 * 27 }, (_, i) => Math.sin(i * 3.7));
    const w = Float64Array.from({ length: 64 * 24 * 12 }, (_, i) => Math.sin(i * 1.3));
    const [wanted, out] = [new Float64Array(2 * 48 * 56 * 53), new Float32Array(2 * 48 * 56 * 53)];
    convolveTransposed(x, w, wanted, g);
    expect(wasmConvolveTransposed(Float32Array.from(x), Weights.ofArray(Float32Array.from(w)), out, g, undefined)).toBe(
      true,
    );
    let worst = 0;
    wanted.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - out[i]!))));
    expect(worst).toBeLessThan(1e-4);
  });

  test.each([3, 5, 7])("depthwise convolutions with windows of %i are those of two channels at a time", (size) => {
    const [channels, side] = [120, 28];
    const geometry = (count: number): ConvGeometry => ({
      batch: 1,
      inChannels: count,
      outChannels: count,
      groups: count,
      input: [1, side, side],
      kernel: [1, size, size],
      output: [1, side, side],
      stride: [1, 1, 1],
      padding: [0, (size - 1) / 2, (size - 1) / 2],
      dilation: [1, 1, 1],
    });
    const [plane, taps] = [side * side, size * size];
    const values = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(i));
    const [x, w, out] = [values(channels * plane), values(channels * taps), new Float32Array(channels * plane)];
    expect(wasmConvolve(x, Weights.ofArray(w), out, geometry(channels))).toBe(true);
    // enough work for the kernels, but not for two tasks
    for (let c = 0; c < channels; c += 2) {
      const some = new Float32Array(2 * plane);
      const filters = Weights.ofArray(w.slice(c * taps, (c + 2) * taps));
      expect(wasmConvolve(x.slice(c * plane, (c + 2) * plane), filters, some, geometry(2))).toBe(true);
      expect(out.slice(c * plane, (c + 2) * plane)).toEqual(some);
    }
  });

  test("more commands than the area takes run in several regions", () => {
    const kernels = wasmKernels()!;
    const { memory } = kernels;
    const calls = 9000; // 14 words each: the area has 131,072
    const areas = memory.arena(8, 4 * calls, 4 * calls)!;
    const [from, to, other] = areas as [number, number, number];
    memory.f32.fill(3, from / 4, from / 4 + 4);
    memory.f32.fill(0, to / 4, to / 4 + 4 * calls);
    memory.f32.fill(0, other / 4, other / 4 + 4 * calls);
    runTasks(kernels, 6, (k, task) => {
      const target = task % 2 === 0 ? to : other;
      const first = Math.floor(task / 2) * (calls / 3);
      for (let i = first; i < first + calls / 3; i++) {
        for (let twice = 0; twice < 6; twice++) copy(k, target + 16 * i, from, 16);
      }
    });
    for (let i = 0; i < 4 * calls; i++) {
      expect(memory.f32[to / 4 + i]).toBe(3);
      expect(memory.f32[other / 4 + i]).toBe(3);
    }
    memory.free(areas[0]!);
  });
});
