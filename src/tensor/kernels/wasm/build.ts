/** @file Which build of the kernels runs: reference, SIMD, or SIMD with fused multiply-add. Upstream: none. Spec: none.
 *
 * A family of kernels is one module, encoded and compiled at its first use, synchronously: each stays below the 4 KiB that
 * older browsers compile on their main thread. Only panels of six rows make one larger: they are for engines with fused multiply-add,
 * whose limit is 8 MiB. All share one memory. Where a platform has no SIMD, or forbids compiling, the
 * reference kernels run. */
import { OperatorError, UnsupportedError } from "../../../base/errors.ts";
import { setTemporaryHeap } from "../../temporaries.ts";
import { encodeModule, FunctionBuilder, MEMORY_MODULE, MEMORY_NAME } from "../../../base/wasm_assembler.ts";
import type { BinaryVector, RowsProgram, ShortBinary } from "./element_programs.ts";
import {
  KERNEL_FAMILIES,
  kernelModuleBytes,
  programsOf,
  rowsOf,
  type FastBuild,
  type KernelFamily,
} from "./kernel_modules.ts";
import type { IntegerKernels, SevenBitKernels } from "./integer_programs.ts";
import { KernelMemory } from "./memory.ts";
import type { PanelRows } from "./programs.ts";
import type { RandomKernels } from "./random_programs.ts";
import type { VectorReduction } from "./reduction_programs.ts";
import type { TapCount } from "./resample_programs.ts";
import type { Spread } from "./spread_programs.ts";
import { MAX_THREADS, requireSharedMemory, ThreadPool } from "./thread_pool.ts";
import type { ActivationKernels, SHORT_VECTORS, UnaryKernel, VectorKernels } from "./vector_programs.ts";

/** `reference`: plain TypeScript, sums in double precision; `simd`: WebAssembly SIMD; `relaxed`: with fused multiply-add. */
export type KernelBuild = "reference" | FastBuild;

/** The compiled kernels and their memory. All arguments are addresses, byte strides or counts: see programs.ts. */
export interface Kernels {
  readonly memory: KernelMemory;
  /** Threads that share the memory, where there are several. */
  readonly pool: ThreadPool | undefined;
  /** Rows of a panel of a packed left operand. */
  readonly rows: PanelRows;
  gemm(
    a: number,
    b: number,
    tileStride: number,
    offsets: number,
    k: number,
    panels: number,
    tiles: number,
    c: number,
    ldc: number,
    adds: number,
    scratch: number,
  ): void;
  dots(x: number, w: number, ldw: number, k: number, rows: number, y: number): void;
  dotsInTurn(x: number, w: number, k: number, rows: number, y: number): void;
  depthwise(x: number, offsets: number, w: number, taps: number, steps: number, out: number): void;
  interleave(to: number, step: number, from: number, stride: number, k: number): void;
  windowMax(x: number, offsets: number, taps: number, steps: number, out: number): void;
  finish(
    to: number,
    ldto: number,
    from: number,
    ldfrom: number,
    rows: number,
    columns: number,
    residual: number,
    scale: number,
    shift: number,
    low: number,
    high: number,
  ): void;
}

/** The kernels of convolutions: see convolution_programs.ts and window_programs.ts. */
export interface ConvolutionKernels {
  convolve(
    a: number,
    b: number,
    positions: number,
    offsets: number,
    k: number,
    rows: number,
    columns: number,
    c: number,
    ldc: number,
    adds: number,
    scratch: number,
    group: number,
    table: number,
    delta: number,
    low: number,
    high: number,
  ): void;
  padPlanes(
    to: number,
    toPlane: number,
    toRow: number,
    size: number,
    from: number,
    fromPlane: number,
    fromRow: number,
    first: number,
    rows: number,
    bytes: number,
    step: number,
    planes: number,
    padding: number,
  ): void;
}

/** Linear layers: see dense_programs.ts. */
export interface DenseKernels {
  dense(
    a: number,
    b: number,
    tileStride: number,
    k: number,
    rows: number,
    columns: number,
    c: number,
    ldc: number,
    adds: number,
    bias: number,
  ): void;
  addRows(x: number, k: number, b: number, ldb: number, vectors: number, y: number): void;
}

/** A function of two arrays: see element_programs.ts. */
export type BinaryKernel = (to: number, a: number, aStep: number, b: number, bStep: number, steps: number) => void;

/** Functions of an instruction or two: see vector_programs.ts and element_programs.ts. */
export type ShortKernels = Readonly<Record<(typeof SHORT_VECTORS)[number], UnaryKernel>> &
  Readonly<Record<ShortBinary, BinaryKernel>>;

/** Arithmetic of arrays, normalisation of rows: see element_programs.ts; softmax: see vector_programs.ts. */
export type ElementKernels = Readonly<Record<BinaryVector, BinaryKernel>> & {
  softmax(to: number, ldto: number, from: number, ldfrom: number, rows: number, columns: number, table: number): void;
  layerNorm(
    to: number,
    from: number,
    rows: number,
    columns: number,
    weight: number,
    bias: number,
    moments: number,
    eps: number,
  ): void;
};

/** Arithmetic of matrices with rows and columns: see element_programs.ts. */
export type BroadcastKernels = Readonly<
  Record<
    RowsProgram,
    (to: number, a: number, lda: number, b: number, ldb: number, rows: number, columns: number) => void
  >
>;

/** Softmax of columns, and log-softmax: see softmax_programs.ts. */
export interface SoftmaxKernels {
  logSoftmax: ElementKernels["softmax"];
  softmaxColumns(to: number, from: number, ld: number, rows: number, columns: number, table: number): void;
  logSoftmaxColumns: SoftmaxKernels["softmaxColumns"];
}

/** Windows of 3 by 3 by how far apart they are: see window_programs.ts. */
export interface WindowKernels {
  readonly depthwise: Readonly<Record<1 | 2, DepthwiseKernel>>;
  readonly max: Readonly<Record<1 | 2, WindowKernel>>;
}

/** Maxima of windows of 3 by 3. */
export type WindowKernel = (
  x: number,
  xPlane: number,
  xRow: number,
  out: number,
  rows: number,
  bytes: number,
  planes: number,
) => void;

/** 3 by 3 convolutions plane by plane. */
export type DepthwiseKernel = (
  x: number,
  xPlane: number,
  xRow: number,
  out: number,
  rows: number,
  bytes: number,
  planes: number,
  w: number,
  table: number,
  delta: number,
  low: number,
  high: number,
) => void;

/** Depthwise convolutions of planes as they lie, to be padded so that windows are centred: see depthwise_programs.ts. */
export type UnpaddedKernel = (
  x: number,
  xPlane: number,
  xRow: number,
  xRows: number,
  out: number,
  rows: number,
  bytes: number,
  planes: number,
  line: number,
  w: number,
  table: number,
  delta: number,
  low: number,
  high: number,
) => void;

/** Winograd's transforms of inputs and filters: see winograd_programs.ts. */
export interface WinogradInKernels {
  input(
    x: number,
    xPlane: number,
    ldx: number,
    line: number,
    height: number,
    zeros: number,
    masks: number,
    v: number,
    vChannel: number,
    stride: number,
    tiles: number,
    rows: number,
    channels: number,
    temp: number,
  ): void;
  filters(from: number, to: number, count: number): void;
}

/** Winograd's products and the transform back: see winograd_programs.ts. */
export interface WinogradOutKernels {
  multiply(
    u: number,
    v: number,
    vPart: number,
    vChannel: number,
    count: number,
    tiles: number,
    sums: number,
    sPart: number,
    adds: number,
  ): void;
  output(
    sums: number,
    sPart: number,
    to: number,
    toPlane: number,
    height: number,
    width: number,
    tiles: number,
    outs: number,
    temp: number,
    table: number,
    delta: number,
    low: number,
    high: number,
  ): void;
}

/** Sums and extrema: see reduction_programs.ts. */
export type ReductionKernels = Readonly<
  Record<
    `${VectorReduction}${"Rows" | "Columns"}`,
    (x: number, rows: number, columns: number, ld: number, y: number) => void
  >
>;

/** Sums of rows and of columns: see resample_programs.ts. */
export type ResampleKernels = Readonly<
  Record<`sumRows${TapCount}`, (to: number, from: number, table: number, rows: number, bytes: number) => void> &
    Record<`sumColumns${TapCount}`, (to: number, ldto: number, from: number, table: number, columns: number) => void>
>;

/** What transposed convolutions need around their product: see spread_programs.ts. */
export type SpreadKernels = Readonly<
  Record<
    `spread${Spread}`,
    (
      to: number,
      toPlane: number,
      toRow: number,
      step: number,
      from: number,
      second: number,
      fromPlane: number,
      fromRow: number,
      planes: number,
      rows: number,
      columns: number,
    ) => void
  >
> & {
  packTransposed(to: number, from: number, ld: number, k: number, panels: number, width: number): void;
};

/** Runs records of small operators: see Note [Sequences]. */
export interface SequenceKernels {
  runSequence(at: number, end: number, table: number): void;
  rowProduct(x: number, w: number, k: number, n: number, bias: number, y: number): void;
}

function hasInstruction(write: (f: FunctionBuilder) => void): boolean {
  if (typeof WebAssembly === "undefined") return false;
  const f = new FunctionBuilder("probe", ["i32"]);
  const v = f.local("v128");
  write(f.get(v));
  return WebAssembly.validate(encodeModule([f.set(v)]));
}

/** The builds that this platform can run, best last. */
export function supportedKernelBuilds(): readonly KernelBuild[] {
  const builds: KernelBuild[] = ["reference"];
  if (hasInstruction((f) => f.get(1).op("f32x4.mul"))) builds.push("simd");
  if (hasInstruction((f) => f.get(1).get(1).op("f32x4.relaxed_madd"))) builds.push("relaxed");
  return builds;
}

let sharedMemory: KernelMemory | undefined;

/** The memory of all kernels, made at the first use; undefined where the platform refuses. */
export function kernelMemory(): KernelMemory | undefined {
  if (sharedMemory === undefined && typeof WebAssembly !== "undefined") {
    try {
      sharedMemory = new KernelMemory();
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
    }
  }
  return sharedMemory;
}

type Exports = Record<string, (...args: number[]) => void>;

/** Modules that were compiled ahead, by the key of `moduleKey`. */
const compiledAhead = new Map<string, WebAssembly.Module>();
const moduleKey = (build: FastBuild, family: KernelFamily, isShared: boolean): string =>
  `${build}:${family}${isShared ? ":shared" : ""}`;

/** Compiles all modules of the chosen build, beside this thread where the platform can. Where it may not, nothing happens. */
export async function compileKernels(): Promise<void> {
  const build = kernelBuild();
  const isShared = kernelMemory()?.isShared;
  if (build === "reference" || isShared === undefined) return;
  const one = async (family: KernelFamily): Promise<void> => {
    const key = moduleKey(build, family, isShared);
    if (compiled.has(`${build}:${family}`) || compiledAhead.has(key)) return;
    compiledAhead.set(key, await WebAssembly.compile(kernelModuleBytes(build, family, isShared)));
  };
  // a content security policy may forbid it: then the first use finds out, too
  await Promise.allSettled(KERNEL_FAMILIES.map(one));
}

/** Kept when the build changes: compiling again would start in the engine's slow tier. */
const compiled = new Map<string, Exports | undefined>();
/** The same for the threads of the pool. */
const pooled = new Map<string, Exports>();

function compile(build: FastBuild, family: KernelFamily): Exports | undefined {
  const memory = kernelMemory();
  if (!memory) return undefined;
  const key = `${build}:${family}`;
  if (!compiled.has(key)) {
    let exports: Exports | undefined;
    try {
      const ahead = moduleKey(build, family, memory.isShared);
      const module =
        compiledAhead.get(ahead) ?? new WebAssembly.Module(kernelModuleBytes(build, family, memory.isShared));
      compiledAhead.delete(ahead);
      const imports = { [MEMORY_MODULE]: { [MEMORY_NAME]: memory.memory } };
      exports = new WebAssembly.Instance(module, imports).exports as Exports;
    } catch {
      exports = undefined; // a content security policy forbids compiling, or there is no memory left
    }
    compiled.set(key, exports);
  }
  const exports = compiled.get(key);
  if (!exports || !pool) return exports;
  let shared = pooled.get(key);
  if (!shared) {
    const programs = programsOf(build, family);
    shared = pool.share(kernelModuleBytes(build, family, true), programs, exports);
    pooled.set(key, shared);
  }
  return shared;
}

let pool: ThreadPool | undefined;

/** Called where the memory was replaced: addresses in the old one mean nothing any more. */
export const afterMemoryReplaced: (() => void)[] = [];

/** Threads that the kernels use. */
export function kernelThreads(): number {
  return pool?.threads ?? 1;
}

/** Sets how many threads the kernels use. Throws OperatorError for a bad number, UnsupportedError where threads cannot share memory. */
export function setKernelThreads(threads: number): void {
  if (!Number.isInteger(threads) || threads < 1) {
    throw new OperatorError(`set_num_threads expects a positive integer, but got ${threads}`);
  }
  threads = Math.min(threads, MAX_THREADS);
  if (threads === kernelThreads()) return;
  if (threads > 1) requireSharedMemory(threads);
  pool?.stop();
  pool = undefined;
  pooled.clear();
  current.clear();
  choice++;
  if (threads === 1) return;
  if (!kernelMemory()?.isShared) {
    sharedMemory = new KernelMemory(true);
    compiled.clear();
    for (const forget of afterMemoryReplaced) forget();
  }
  pool = new ThreadPool(sharedMemory!, threads);
}

let chosen: KernelBuild | undefined;
/** The families of the chosen build, made at their first use. */
const current = new Map<KernelFamily, unknown>();

/** Counts changes of build and threads: while it stays, so do the kernels and their memory. */
let choice = 0;

/** How often build or threads were changed: what was taken from here before may be gone. */
export function kernelChoice(): number {
  return choice;
}

/** The build in use: the best supported one unless chosen otherwise. */
export function kernelBuild(): KernelBuild {
  return (chosen ??= supportedKernelBuilds().at(-1)!);
}

/** Chooses the build from now on. Throws UnsupportedError where the platform lacks it. */
export function setKernelBuild(build: KernelBuild): void {
  const supported = supportedKernelBuilds();
  if (!supported.includes(build)) {
    throw new UnsupportedError(
      "kernels",
      `Cannot use kernel build "${build}": this platform has ${supported.join(", ")}`,
    );
  }
  chosen = build;
  current.clear();
  choice++;
}

// temporaries lie where the kernels can use them; without kernels there is no reason for the heap
setTemporaryHeap(() => (wasmKernels() ? kernelMemory() : undefined));

/** A family of the chosen build, undefined where the reference kernels are to run. */
export function family<T>(name: KernelFamily, make: (exports: Exports) => T): T | undefined {
  if (!current.has(name)) {
    const build = kernelBuild();
    const exports = build === "reference" ? undefined : compile(build, name);
    current.set(name, exports && make(exports));
  }
  return current.get(name) as T | undefined;
}

/** The WebAssembly kernels, or undefined where the reference ones are to run. */
export function wasmKernels(): Kernels | undefined {
  return family("product", (exports) => ({
    memory: kernelMemory()!,
    pool,
    rows: rowsOf(kernelBuild() as FastBuild),
    ...(exports as unknown as Omit<Kernels, "memory" | "rows" | "pool">),
  }));
}

/** The kernels of convolutions, two modules, or undefined where the reference kernels are to run. */
export function convolutionKernels(): ConvolutionKernels | undefined {
  const planes = family("planes", (exports) => exports);
  return planes && family("convolution", (exports) => ({ ...exports, ...planes }) as unknown as ConvolutionKernels);
}

/** The kernel of linear layers, or undefined where the reference kernels are to run. */
export function denseKernels(): DenseKernels | undefined {
  return family("dense", (exports) => exports as unknown as DenseKernels);
}

/** The kernels of arrays and rows, or undefined where the reference kernels are to run. */
export function elementKernels(): ElementKernels | undefined {
  return family("elements", (exports) => exports as unknown as ElementKernels);
}

/** The kernels of operands that are repeated, or undefined where the reference kernels are to run. */
export function broadcastKernels(): BroadcastKernels | undefined {
  return family("broadcasts", (exports) => exports as unknown as BroadcastKernels);
}

/** The kernels of softmax over columns and of log-softmax, or undefined where the reference kernels are to run. */
export function softmaxKernels(): SoftmaxKernels | undefined {
  return family("softmax", (exports) => exports as unknown as SoftmaxKernels);
}

/** The kernels of windows of 3 by 3, or undefined where the reference kernels are to run. */
export function windowKernels(): WindowKernels | undefined {
  return family("windows", (exports) => ({
    depthwise: { 1: exports["depthwise31"]!, 2: exports["depthwise32"]! } as WindowKernels["depthwise"],
    max: { 1: exports["windowMax31"]!, 2: exports["windowMax32"]! } as WindowKernels["max"],
  }));
}

/** Depthwise convolutions by how far apart the windows are. */
type UnpaddedKernels = Readonly<Record<1 | 2, UnpaddedKernel | undefined>>;

/** The depthwise convolutions of planes as they lie by windows of 3 by 3, or undefined where the reference kernels are to run. */
export function unpaddedKernels(): UnpaddedKernels | undefined {
  return family("unpadded", (exports) => ({ 1: exports["unpadded1"], 2: exports["unpadded2"] }) as UnpaddedKernels);
}

const TALL_FAMILIES: Readonly<Record<number, KernelFamily>> = { 3: "tall3", 5: "tall5", 7: "tall7" };

/** The same by windows of `size` by `size`, see Note [Tall blocks]; undefined where there are none, too. */
export function tallKernels(size: number): UnpaddedKernels | undefined {
  const name = TALL_FAMILIES[size];
  return name && family(name, (exports) => ({ 1: exports[`${name}1`], 2: exports[`${name}2`] }) as UnpaddedKernels);
}

/** The functions of vectors, or undefined where the reference kernels are to run. */
export function vectorKernels(): VectorKernels | undefined {
  return family("vectors", (exports) => exports as unknown as VectorKernels);
}

/** Functions of an instruction or two, or undefined where the reference kernels are to run. */
export function shortKernels(): ShortKernels | undefined {
  return family("short", (exports) => exports as unknown as ShortKernels);
}

/** The activation functions, or undefined where the reference kernels are to run. */
export function activationKernels(): ActivationKernels | undefined {
  return family("activations", (exports) => exports as unknown as ActivationKernels);
}

/** Normal random numbers, or undefined where the reference kernels are to run. */
export function randomKernels(): RandomKernels | undefined {
  return family("random", (exports) => exports as unknown as RandomKernels);
}

/** Products of bytes with activations of seven bits, two modules, or undefined where the platform has no instruction for them. */
export function sevenBitKernels(): SevenBitKernels | undefined {
  // V8 11.3 (Node 20 behind its flag) forgets what the products are added to in some registers; what has Array.fromAsync is younger
  const bytes = "fromAsync" in Array ? family("sevenBitBytes", (exports) => exports) : undefined;
  const all = bytes && family("sevenBits", (exports) => ({ ...exports, ...bytes }) as Partial<SevenBitKernels>);
  return all?.quantize8 && (all as SevenBitKernels);
}

/** The products of integers, two modules, or undefined where the reference kernels are to run. */
export function integerKernels(): IntegerKernels | undefined {
  const bytes = family("integerBytes", (exports) => exports);
  return bytes && family("integers", (exports) => ({ ...exports, ...bytes }) as unknown as IntegerKernels);
}

/** The reductions, or undefined where the reference is to run. */
export function reductionKernels(): ReductionKernels | undefined {
  return family("reductions", (exports) => exports as unknown as ReductionKernels);
}

/** The sums of resampling, or undefined where the reference is to run. */
export function resampleKernels(): ResampleKernels | undefined {
  return family("resample", (exports) => exports as unknown as ResampleKernels);
}

/** What transposed convolutions need around their product, or undefined where the reference is to run. */
export function spreadKernels(): SpreadKernels | undefined {
  return family("spread", (exports) => exports as unknown as SpreadKernels);
}

/** What runs sequences of small operators, or undefined where the reference kernels are to run. */
export function sequenceKernels(): SequenceKernels | undefined {
  return family("sequences", (exports) => exports as unknown as SequenceKernels);
}

/** Winograd's transforms of inputs and filters, or undefined where the reference kernels are to run. */
export function winogradInKernels(): WinogradInKernels | undefined {
  return family("winogradIn", (exports) => ({
    input: exports["winogradInput"]!,
    filters: exports["winogradFilters"]!,
  }));
}

/** Winograd's products and the transform back, or undefined where the reference kernels are to run. */
export function winogradOutKernels(): WinogradOutKernels | undefined {
  return family("winogradOut", (exports) => ({
    multiply: exports["winogradMultiply"]!,
    output: exports["winogradOutput"]!,
  }));
}
