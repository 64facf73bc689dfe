/** @file Functions of many float32 elements on the WebAssembly kernels. Upstream: none. Spec: none. See Note [Vector functions]. */
import type { Loop1 } from "../../pointwise.ts";
import {
  activationKernels,
  elementKernels,
  shortKernels,
  softmaxKernels,
  vectorKernels,
  wasmKernels,
  type Kernels,
} from "./build.ts";
import { copyElements32 } from "./copies.ts";
import type { KernelMemory } from "./memory.ts";
import { runTasks } from "./parallel.ts";
import {
  ACTIVATION_VECTORS,
  SHORT_VECTORS,
  VECTOR_TABLE,
  type ActivationKernels,
  type UnaryKernel,
  type UnaryVector,
} from "./vector_programs.ts";

/** Elements from which a call pays. */
const MIN_ELEMENTS = 64;
/** Elements that are copied into the kernels' memory at a time: they stay in the first-level cache. */
const BLOCK = 4096;
/** Elements of a task. */
const TASK_ELEMENTS = 1 << 15;
/** Most elements of a matrix whose columns are taken. */
const MAX_PLANE = 1 << 22;

const tables = new WeakMap<KernelMemory, number>();

/** Address of the constants, 0 where there is no room. */
export function vectorTable(memory: KernelMemory): number {
  let address = tables.get(memory) ?? 0;
  if (address === 0) {
    address = memory.allocate(4 * VECTOR_TABLE.length);
    if (address === 0) return 0;
    memory.f32.set(VECTOR_TABLE, address / 4);
    tables.set(memory, address);
  }
  return address;
}

/** The function of vectors of a name, or undefined where the reference kernel is to run. */
function unaryKernel(name: UnaryVector): UnaryKernel | undefined {
  const isOf = (names: readonly UnaryVector[]): boolean => names.includes(name);
  const kernels: Partial<Record<UnaryVector, UnaryKernel>> | undefined = isOf(SHORT_VECTORS)
    ? shortKernels()
    : isOf(ACTIVATION_VECTORS)
      ? activationKernels()
      : vectorKernels();
  return kernels?.[name];
}

/** The loop of a function: the vector kernel where it pays, else `plain`. */
export function vectorLoop(name: UnaryVector, plain: Loop1): Loop1 {
  return (out, o, a, ai, n) => {
    if (n < MIN_ELEMENTS || !wasmUnary(name, out, o, a, ai, n)) plain(out, o, a, ai, n);
  };
}

/** Runs a kernel over n elements of `a` into `out`: in place where both lie in the kernels' memory, else in blocks that are copied. */
export function mapBlocks(
  out: Float32Array,
  o: number,
  a: Float32Array,
  ai: number,
  n: number,
  run: (to: number, from: number, count: number) => void,
): boolean {
  const kernels = wasmKernels()!;
  const { memory } = kernels;
  const block = memory.allocate(4 * BLOCK);
  if (block === 0) return false;
  const { f32 } = memory;
  const [from, to] = [memory.addressAt(a, ai), memory.addressAt(out, o)];
  let done = 0;
  if (from !== 0 && to !== 0 && n >= 4) {
    done = n & -4;
    runTasks(kernels, Math.ceil(done / TASK_ELEMENTS), (_, task) => {
      const first = task * TASK_ELEMENTS;
      run(to + 4 * first, from + 4 * first, Math.min(TASK_ELEMENTS, done - first));
    });
  }
  for (; done < n; done += BLOCK) {
    const count = Math.min(BLOCK, n - done);
    copyElements32(f32, block / 4, a, ai + done, count);
    run(block, block, (count + 3) & -4);
    copyElements32(out, o + done, f32, block / 4, count);
  }
  memory.free(block);
  return true;
}

/** out[o + i] = f(a[ai + i]) for n elements. Returns false where the reference kernel is to run. */
export function wasmUnary(
  name: UnaryVector,
  out: Float32Array,
  o: number,
  a: Float32Array,
  ai: number,
  n: number,
): boolean {
  const run = unaryKernel(name);
  const memory = wasmKernels()?.memory;
  const table = run && memory ? vectorTable(memory) : 0;
  if (!run || table === 0) return false;
  return mapBlocks(out, o, a, ai, n, (to, from, count) => run(to, from, count, table));
}

/** out[o + i] = a[ai + i], or the bound beyond which it lies; what is not a number stays. Returns false where the reference loop is to run. */
export function wasmClamp(
  out: Float32Array,
  o: number,
  a: Float32Array,
  ai: number,
  n: number,
  low: number,
  high: number,
): boolean {
  if (n < MIN_ELEMENTS || !wasmKernels()) return false;
  const kernels = vectorKernels();
  return !!kernels && mapBlocks(out, o, a, ai, n, (to, from, count) => kernels.clamp(to, from, count, low, high));
}

/** Maps elements by a kernel of activations. Returns false where the reference loop is to run. */
function mapActivation(
  out: Float32Array,
  o: number,
  a: Float32Array,
  ai: number,
  n: number,
  run: (kernels: ActivationKernels, to: number, from: number, count: number) => void,
): boolean {
  if (n < MIN_ELEMENTS || !wasmKernels()) return false;
  const kernels = activationKernels();
  return !!kernels && mapBlocks(out, o, a, ai, n, (to, from, count) => run(kernels, to, from, count));
}

/** out[o + i] = a[ai + i], times `slope` where that is not above zero. Returns false where the reference loop is to run. */
export function wasmLeakyRelu(
  out: Float32Array,
  o: number,
  a: Float32Array,
  ai: number,
  n: number,
  slope: number,
): boolean {
  return mapActivation(out, o, a, ai, n, (kernels, to, from, count) => kernels.leakyRelu(to, from, count, slope));
}

/** out[o + i] = a[ai + i], or `value` where that lies from `low` to `high`. Returns false where the reference loop is to run. */
export function wasmReplace(
  out: Float32Array,
  o: number,
  a: Float32Array,
  ai: number,
  n: number,
  low: number,
  high: number,
  value: number,
): boolean {
  return mapActivation(out, o, a, ai, n, (kernels, to, from, count) =>
    kernels.replace(to, from, count, low, high, value),
  );
}

/** out[o + i] = a[ai + i], or what stands for NaN, infinity and its negative. Returns false where the reference loop is to run. */
export function wasmNanToNum(
  out: Float32Array,
  o: number,
  a: Float32Array,
  ai: number,
  n: number,
  nan: number,
  high: number,
  low: number,
): boolean {
  return mapActivation(out, o, a, ai, n, (kernels, to, from, count) =>
    kernels.nanToNum(to, from, count, nan, high, low),
  );
}

/**
 * out[o + i] = positive * a[ai + i], or negative * (exp(slope * a[ai + i]) - 1) where that is below zero. Returns false where the
 * reference loop is to run.
 */
export function wasmElu(
  out: Float32Array,
  o: number,
  a: Float32Array,
  ai: number,
  n: number,
  slope: number,
  negative: number,
  positive: number,
): boolean {
  if (n < MIN_ELEMENTS || !(slope >= 0)) return false;
  const memory = wasmKernels()?.memory;
  const kernels = memory && activationKernels();
  const table = kernels ? vectorTable(memory) : 0;
  if (!kernels || table === 0) return false;
  return mapBlocks(out, o, a, ai, n, (to, from, count) =>
    kernels.elu(to, from, count, table, slope, negative, positive),
  );
}

/** Softmax of rows that lie one behind the other, or its logarithm; `out` may be `x`. Returns false where the reference kernel is to run. */
export function wasmSoftmax(
  x: Float32Array,
  xAt: number,
  out: Float32Array,
  outAt: number,
  rows: number,
  columns: number,
  isLog = false,
): boolean {
  if (rows * columns < MIN_ELEMENTS || columns < 4) return false;
  const kernels = wasmKernels();
  const run = kernels && (isLog ? softmaxKernels()?.logSoftmax : elementKernels()?.softmax);
  const table = run ? vectorTable(kernels.memory) : 0;
  if (!kernels || !run || table === 0) return false;
  return throughHeap(kernels, x, xAt, out, outAt, rows, columns, (to, from, count) =>
    run(to, 4 * columns, from, 4 * columns, count, columns, table),
  );
}

/**
 * Softmax, or its logarithm, over the middle dimension of (outer, length, inner); `out` is not `x`. Returns false where the reference
 * kernel is to run.
 */
export function wasmSoftmaxColumns(
  x: Float32Array,
  xAt: number,
  out: Float32Array,
  outAt: number,
  outer: number,
  length: number,
  inner: number,
  isLog: boolean,
): boolean {
  const plane = length * inner;
  if (outer * plane < MIN_ELEMENTS || inner < 4 || plane > MAX_PLANE) return false;
  const kernels = wasmKernels();
  const run = kernels && softmaxKernels()?.[isLog ? "logSoftmaxColumns" : "softmaxColumns"];
  const table = run ? vectorTable(kernels.memory) : 0;
  if (!kernels || !run || table === 0) return false;
  return throughHeap(kernels, x, xAt, out, outAt, outer, plane, (to, from, count) => {
    for (let i = 0; i < count; i++) run(to + 4 * i * plane, from + 4 * i * plane, 4 * inner, length, inner, table);
  });
}

/** Runs a kernel over `count` pieces of `size` elements: where they lie if that is in the kernels' memory, else some at a time through areas of it. False where there is no room. */
function throughHeap(
  kernels: Kernels,
  x: Float32Array,
  xAt: number,
  out: Float32Array,
  outAt: number,
  count: number,
  size: number,
  run: (to: number, from: number, count: number) => void,
): boolean {
  const { memory } = kernels;
  const [from, to] = [memory.addressAt(x, xAt), memory.addressAt(out, outAt)];
  if (from !== 0 && to !== 0) {
    const share = Math.max(1, Math.floor(TASK_ELEMENTS / size));
    runTasks(kernels, Math.ceil(count / share), (_, task) => {
      const first = task * share;
      run(to + 4 * first * size, from + 4 * first * size, Math.min(share, count - first));
    });
    return true;
  }
  const some = Math.max(1, Math.min(count, Math.floor(BLOCK / size)));
  const areas = memory.arena(some * size, some * size);
  if (!areas) return false;
  const [source, target] = areas as [number, number];
  const { f32 } = memory;
  for (let i = 0; i < count; i += some) {
    const part = Math.min(some, count - i);
    copyElements32(f32, source / 4, x, xAt + i * size, part * size);
    run(target, source, part);
    copyElements32(out, outAt + i * size, f32, target / 4, part * size);
  }
  memory.free(source);
  return true;
}
