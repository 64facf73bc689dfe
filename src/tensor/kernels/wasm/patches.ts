/** @file Patches of float32 images as columns and back on the WebAssembly kernels. Upstream: none. Spec: none. */
import { eachTap, type PatchGeometry } from "../patches.ts";
import { convolutionKernels, spreadKernels, wasmKernels } from "./build.ts";
import { eachImage } from "./images.ts";

/** Elements of columns from which the calls pay. */
const MIN_ELEMENTS = 1 << 10;
/** The columns of images. Returns false where the reference is to run. */
export function wasmGatherPatches(out: Float32Array, x: Float32Array, images: number, g: PatchGeometry): boolean {
  if (out.length < MIN_ELEMENTS) return false;
  const [kernels, pad] = [wasmKernels(), convolutionKernels()?.padPlanes];
  if (!kernels || !pad) return false;
  const { width, plane, positions, columns } = g;
  const [down, across] = g.stride;
  return eachImage(kernels, x, out, images, plane, columns, false, (from, to, count) =>
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
  return eachImage(kernels, x, out, images, columns, plane, true, (from, to, count) =>
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
