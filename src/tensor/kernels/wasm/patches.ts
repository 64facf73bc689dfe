/** @file Patches of float32 images as columns and back on the WebAssembly kernels. Upstream: none. Spec: none. */
import { eachTap, type PatchGeometry } from "../patches.ts";
import { convolutionKernels, spreadKernels, wasmKernels, type Kernels } from "./build.ts";
import { copyElements32 } from "./copies.ts";
import { addressIn, MAX_STAGED, stagedElements } from "./finish.ts";
import { runTasks } from "./parallel.ts";

/** Elements of columns from which the calls pay. */
const MIN_ELEMENTS = 1 << 10;
/** Elements of columns that pass through areas at a time, for each thread: they stay in the second-level cache. */
const ROUND_ELEMENTS = 1 << 15;

/** Calls `some` for shares of the images, with the addresses of their `from` and `to` elements each. Returns false where there is no room. */
function eachShare(
  kernels: Kernels,
  x: Float32Array,
  out: Float32Array,
  images: number,
  from: number,
  to: number,
  isZeroed: boolean,
  some: (source: number, target: number, count: number) => void,
): boolean {
  const { memory } = kernels;
  const share = Math.max(1, Math.floor(ROUND_ELEMENTS / Math.max(from, to)));
  const isHere = memory.addressOf(x) !== 0 && memory.addressOf(out) !== 0;
  const round = isHere ? images : Math.min(images, share * (kernels.pool?.threads ?? 1));
  const staged = [stagedElements(kernels, x, round * from), stagedElements(kernels, out, round * to)] as const;
  if (Math.max(...staged) > MAX_STAGED) return false;
  const areas = memory.arena(...staged);
  if (!areas) return false;
  const [source, target] = areas as [number, number];
  for (let first = 0; first < images; first += round) {
    const count = Math.min(round, images - first);
    const read = addressIn(kernels, x, first * from, count * from, source);
    const write = memory.addressAt(out, first * to) || target;
    if (isZeroed && write === target) memory.f32.fill(0, target / 4, target / 4 + count * to);
    runTasks(kernels, Math.ceil(count / share), (_, task) => {
      const at = task * share;
      some(read + 4 * at * from, write + 4 * at * to, Math.min(share, count - at));
    });
    if (write === target) copyElements32(out, first * to, memory.f32, target / 4, count * to);
  }
  memory.free(source);
  return true;
}

/** The columns of images. Returns false where the reference is to run. */
export function wasmGatherPatches(out: Float32Array, x: Float32Array, images: number, g: PatchGeometry): boolean {
  if (out.length < MIN_ELEMENTS) return false;
  const [kernels, pad] = [wasmKernels(), convolutionKernels()?.padPlanes];
  if (!kernels || !pad) return false;
  const { width, plane, positions, columns } = g;
  const [down, across] = g.stride;
  return eachShare(kernels, x, out, images, plane, columns, false, (from, to, count) =>
    eachTap(g, (tap, pixel, first, rows, length) => {
      pad(
        to + 4 * tap * positions,
        4 * columns,
        4 * g.counts[1],
        4 * positions,
        from + 4 * pixel,
        4 * plane,
        4 * down * width,
        4 * first,
        rows,
        4 * length,
        4 * across,
        count,
        0,
      );
    }),
  );
}

/** Adds the columns of images to the images, which hold zeros, in PyTorch's order. Returns false where the reference is to run. */
export function wasmAddPatches(out: Float32Array, x: Float32Array, images: number, g: PatchGeometry): boolean {
  if (x.length < MIN_ELEMENTS) return false;
  const [kernels, spread] = [wasmKernels(), spreadKernels()];
  if (!kernels || !spread) return false;
  const { width, plane, positions, columns } = g;
  const [down, across] = g.stride;
  const run = across === 1 ? spread.spreadDense : spread.spreadAny;
  return eachShare(kernels, x, out, images, columns, plane, true, (from, to, count) =>
    eachTap(g, (tap, pixel, first, rows, length) => {
      if (rows === 0) return;
      run(
        to + 4 * pixel,
        4 * plane,
        4 * down * width,
        4 * across,
        from + 4 * (tap * positions + first),
        0,
        4 * columns,
        4 * g.counts[1],
        count,
        rows,
        length,
      );
    }),
  );
}
