/** @file Conversions between dtypes on the WebAssembly kernels. Upstream: none. Spec: none. */
import type { Tensor } from "../../tensor.ts";
import { family, wasmKernels } from "./build.ts";
import { CAST_STEP, type Cast } from "./cast_programs.ts";
import { CONVERSION_STEP, type Conversion } from "./conversion_programs.ts";
import { runTasks } from "./parallel.ts";

/** Elements from which a call pays. */
const MIN_ELEMENTS = 256;
/** Elements that are copied into the kernels' memory at a time. */
const BLOCK = 4096;
/** Elements of a task. */
const TASK_ELEMENTS = 1 << 16;

const FAMILIES = {
  float16: "conversions",
  bfloat16: "conversions",
  float32: "castWords",
  int64: "castWords",
  int32: "castWords",
  uint8: "castBytes",
  bool: "castBytes",
} as const;

/** What typed arrays convert themselves in less time than two copies take. */
const NATIVE: ReadonlySet<string> = new Set<Cast>(["int32:float32", "uint8:float32"]);

type Kernel = (to: number, from: number, steps: number) => void;

/** Converts elements in the order in which both tensors have them in memory. Returns false where another loop is to run. */
export function wasmConvert(dst: Tensor, src: Tensor): boolean {
  const n = src.numel;
  const kernels = n < MIN_ELEMENTS ? undefined : wasmKernels();
  const name = `${src.dtype.name}:${dst.dtype.name}` satisfies string as Cast | Conversion;
  const isHalf = name.includes("float16");
  const source = (isHalf ? "float16" : src.dtype.name) as keyof typeof FAMILIES;
  if (!kernels || !(source in FAMILIES)) return false;
  const run = family(FAMILIES[source], (exports) => exports as Record<string, Kernel>)?.[name];
  const { memory } = kernels;
  const [size, from] = [src.dtype.itemsize, src.base0 * src.dtype.itemsize];
  const [outSize, to] = [dst.dtype.itemsize, dst.base0 * dst.dtype.itemsize];
  const isThere = dst.storage.segment === memory.segment;
  const isHere = src.storage.segment === memory.segment;
  if (NATIVE.has(name) && !(isHere && isThere)) return false;
  const areas = run && memory.arena((BLOCK * size) / 4, (BLOCK * outSize) / 4);
  if (!areas) return false;
  const [block, target] = areas as [number, number];
  const step = isHalf ? CONVERSION_STEP : CAST_STEP;
  let first = 0;
  if (isHere && isThere) {
    first = n - (n % step);
    runTasks(kernels, Math.ceil(first / TASK_ELEMENTS), (_, task) => {
      const at = task * TASK_ELEMENTS;
      run(to + at * outSize, from + at * size, Math.min(TASK_ELEMENTS, first - at) / step);
    });
  }
  const { u8 } = memory.segment;
  for (; first < n; first += BLOCK) {
    const count = Math.min(BLOCK, n - first);
    const at = from + first * size;
    if (!isHere) u8.set(src.storage.segment.u8.subarray(at, at + count * size), block);
    // the last step may write beyond the end
    const isWhole = isThere && count % step === 0;
    run(isWhole ? to + first * outSize : target, isHere ? at : block, Math.ceil(count / step));
    if (!isWhole) dst.storage.segment.u8.set(u8.subarray(target, target + count * outSize), to + first * outSize);
  }
  memory.free(block);
  return true;
}
