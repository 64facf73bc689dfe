/** @file Half and bfloat16 to float32 and back on the WebAssembly kernels. Upstream: none. Spec: none. */
import { conversionKernels, wasmKernels } from "./build.ts";
import { CONVERSION_STEP, type Conversion } from "./conversion_programs.ts";

/** Elements from which a call pays. */
const MIN_ELEMENTS = 256;
/** Elements that are copied into the kernels' memory at a time. */
const BLOCK = 8192;

type Elements = Float32Array | Uint16Array;

/** to[toAt + i] = from[fromAt + i], converted, for n elements. Returns false where another loop is to run. */
export function wasmConvert(
  name: Conversion,
  to: Elements,
  toAt: number,
  from: Elements,
  fromAt: number,
  n: number,
): boolean {
  if (n < MIN_ELEMENTS) return false;
  const memory = wasmKernels()?.memory;
  const kernels = conversionKernels();
  if (!memory || !kernels) return false;
  const areas = memory.arena(BLOCK, BLOCK);
  if (!areas) return false;
  const [source, target] = areas as [number, number];
  const isWide = from instanceof Float32Array;
  const { f32, segment } = memory;
  for (let i = 0; i < n; i += BLOCK) {
    const count = Math.min(BLOCK, n - i);
    const some = from.subarray(fromAt + i, fromAt + i + count);
    if (isWide) f32.set(some, source / 4);
    else segment.u16.set(some, source / 2);
    kernels[name](target, source, Math.ceil(count / CONVERSION_STEP) * CONVERSION_STEP);
    const [result, at] = isWide ? [segment.u16, target / 2] : [f32, target / 4];
    to.set(result.subarray(at, at + count), toAt + i);
  }
  memory.free(source);
  return true;
}
