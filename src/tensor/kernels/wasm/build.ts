/** @file Which build of the kernels runs: reference, SIMD, or SIMD with fused multiply-add. Upstream: none. Spec: none.
 *
 * The module is encoded and compiled at the first use, synchronously: it stays below the 4 KiB that browsers compile on their
 * main thread. Where a platform has no SIMD, or forbids compiling, the reference kernels run. */
import { UnsupportedError } from "../../../base/errors.ts";
import { encodeModule, FunctionBuilder, MEMORY_MODULE, MEMORY_NAME } from "./assembler.ts";
import { KernelMemory } from "./memory.ts";
import { copyRowsProgram, depthwiseProgram, dotsProgram, gemmProgram, interleaveProgram } from "./programs.ts";

/** `reference`: plain TypeScript, sums in double precision; `simd`: WebAssembly SIMD; `relaxed`: with fused multiply-add. */
export type KernelBuild = "reference" | "simd" | "relaxed";

/** The compiled kernels and their memory. All arguments are addresses, byte strides or counts: see programs.ts. */
export interface Kernels {
  readonly memory: KernelMemory;
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
  depthwise(x: number, offsets: number, w: number, taps: number, steps: number, out: number): void;
  copyRows(
    to: number,
    toStride: number,
    from: number,
    fromStride: number,
    rows: number,
    bytes: number,
    step: number,
  ): void;
  interleave(to: number, step: number, from: number, stride: number, k: number): void;
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

/** The bytes of the kernels' module. */
export function kernelModuleBytes(build: Exclude<KernelBuild, "reference">): Uint8Array<ArrayBuffer> {
  const fused = build === "relaxed";
  return encodeModule([
    gemmProgram(fused),
    dotsProgram(fused),
    depthwiseProgram(fused),
    copyRowsProgram(),
    interleaveProgram(),
  ]);
}

function compile(build: Exclude<KernelBuild, "reference">): Kernels | undefined {
  try {
    const memory = new KernelMemory();
    const instance = new WebAssembly.Instance(new WebAssembly.Module(kernelModuleBytes(build)), {
      [MEMORY_MODULE]: { [MEMORY_NAME]: memory.memory },
    });
    return { memory, ...(instance.exports as unknown as Omit<Kernels, "memory">) };
  } catch {
    return undefined; // a content security policy forbids compiling, or there is no memory left
  }
}

let chosen: KernelBuild | undefined;
/** Kept when the build changes: compiling again would start in the engine's slow tier. */
const compiled = new Map<KernelBuild, Kernels | undefined>([["reference", undefined]]);
let current: Kernels | undefined;
let isReady = false;

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
  isReady = false;
}

/** The WebAssembly kernels, or undefined where the reference ones are to run. */
export function wasmKernels(): Kernels | undefined {
  if (!isReady) {
    isReady = true;
    const build = kernelBuild();
    if (build !== "reference" && !compiled.has(build)) compiled.set(build, compile(build));
    current = compiled.get(build);
  }
  return current;
}
