/** @file Normalisation of groups of channels of float32, and maps of channels, on the WebAssembly kernels. Upstream: none. Spec: none. */
import { family, wasmKernels } from "./build.ts";
import { eachImage } from "./images.ts";

interface NormKernels {
  affinePlanes(
    to: number,
    from: number,
    planes: number,
    bytes: number,
    pairs: number,
    first: number,
    end: number,
  ): void;
  normGroup(
    to: number,
    from: number,
    channels: number,
    bytes: number,
    pairs: number,
    moments: number,
    eps: number,
  ): void;
}

/** Elements from which a call pays. */
const MIN_ELEMENTS = 256;
/** Most elements that are normalised together: float32 sums of more lose digits. */
const MAX_GROUP = 1 << 16;

const normKernels = (): NormKernels | undefined => family("norms", (exports) => exports as unknown as NormKernels);

/**
 * out = x * scale + shift for `planes` planes of `size` elements, each with its own two numbers: plane i has those at i modulo their count.
 * `out` is not `x`. Returns false where the reference is to run.
 */
export function wasmScalePlanes(
  x: Float32Array,
  out: Float32Array,
  planes: number,
  size: number,
  scale: ArrayLike<number>,
  shift: ArrayLike<number>,
): boolean {
  if (planes * size < MIN_ELEMENTS) return false;
  const [kernels, run] = [wasmKernels(), normKernels()];
  if (!kernels || !run) return false;
  const { memory } = kernels;
  const channels = scale.length;
  const areas = memory.arena(2 * channels);
  if (!areas) return false;
  const [pairs] = areas as [number];
  const { f32 } = memory;
  for (let c = 0; c < channels; c++) {
    f32[pairs / 4 + 2 * c] = scale[c]!;
    f32[pairs / 4 + 2 * c + 1] = shift[c]!;
  }
  const isDone = eachImage(kernels, x, out, planes, size, size, false, (from, to, count, first) => {
    const own = pairs + 8 * (first % channels);
    run.affinePlanes(to, from, count, 4 * size, own, pairs, pairs + 8 * channels);
  });
  memory.free(pairs);
  return isDone;
}

/**
 * Normalises each of `rows` groups of `per` channels of `plane` elements by its own moments, which go to moments[2 r] (mean) and
 * moments[2 r + 1] (1 / sqrt(variance + eps)); then channels are multiplied and shifted by gamma and beta, which hold those of all groups
 * in turn. Returns false where the reference is to run.
 */
export function wasmNormGroups(
  x: Float32Array,
  out: Float32Array,
  rows: number,
  per: number,
  plane: number,
  gamma: ArrayLike<number> | undefined,
  beta: ArrayLike<number> | undefined,
  eps: number,
  moments: Float32Array,
): boolean {
  const size = per * plane;
  if (rows * size < MIN_ELEMENTS || size === 0 || size > MAX_GROUP) return false;
  const [kernels, run] = [wasmKernels(), normKernels()];
  if (!kernels || !run) return false;
  const { memory } = kernels;
  const channels = gamma?.length ?? beta?.length ?? per;
  const areas = memory.arena(2 * channels, 2 * rows);
  if (!areas) return false;
  const [pairs, stats] = areas as [number, number];
  const { f32 } = memory;
  for (let c = 0; c < channels; c++) {
    f32[pairs / 4 + 2 * c] = gamma ? gamma[c]! : 1;
    f32[pairs / 4 + 2 * c + 1] = beta ? beta[c]! : 0;
  }
  const isDone = eachImage(kernels, x, out, rows, size, size, false, (from, to, count, first) => {
    for (let r = 0; r < count; r++) {
      const own = pairs + 8 * (((first + r) * per) % channels);
      run.normGroup(to + 4 * r * size, from + 4 * r * size, per, 4 * plane, own, stats + 8 * (first + r), eps);
    }
  });
  if (isDone) moments.set(f32.subarray(stats / 4, stats / 4 + 2 * rows));
  memory.free(pairs);
  return isDone;
}
