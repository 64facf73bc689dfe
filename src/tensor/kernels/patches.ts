/** @file Patches of images as columns and back (unfold, fold). Upstream: aten/src/ATen/native/im2col.h. Spec: none. */
import type { Floats } from "./data.ts";
import { wasmAddPatches, wasmGatherPatches } from "./wasm/patches.ts";

/** Patches by height and width. */
export interface Patches {
  readonly kernel: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: readonly number[];
  readonly stride: readonly number[];
}

/** Patches of images of one size. */
export interface PatchGeometry {
  readonly height: number;
  readonly width: number;
  /** Pixels of an image. */
  readonly plane: number;
  readonly kernel: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly stride: readonly [number, number];
  /** Patches in height and width, and all of them. */
  readonly counts: readonly [number, number];
  readonly positions: number;
  /** Elements of the columns of an image. */
  readonly columns: number;
}

/** What `p` makes of images of a size; `counts` may be below one. */
export function patchGeometry(spatial: readonly number[], p: Patches): PatchGeometry {
  const [height, width] = spatial as [number, number];
  const pair = (values: readonly number[]): readonly [number, number] => [values[0]!, values[1]!];
  const [kernel, dilation, padding, stride] = [pair(p.kernel), pair(p.dilation), pair(p.padding), pair(p.stride)];
  const count = (size: number, d: 0 | 1): number =>
    Math.floor((size + 2 * padding[d] - (dilation[d] * (kernel[d] - 1) + 1)) / stride[d]) + 1;
  const counts = [count(height, 0), count(width, 1)] as const;
  const positions = counts[0] * counts[1];
  return {
    height,
    width,
    plane: height * width,
    kernel,
    dilation,
    padding,
    stride,
    counts,
    positions,
    columns: kernel[0] * kernel[1] * positions,
  };
}

/** The positions of a dimension at which a tap is inside the image. */
function inside(offset: number, size: number, stride: number, count: number): [first: number, length: number] {
  const first = Math.max(0, Math.ceil(-offset / stride));
  return [first, Math.max(0, Math.min(count, Math.ceil((size - offset) / stride)) - first)];
}

/**
 * Visits the taps in PyTorch's order. Of the positions of each those from `first` on, `rows` rows of `length`, read the image, the first one at
 * `pixel`; where there are none, `rows` is 0.
 */
export function eachTap(
  g: PatchGeometry,
  visit: (tap: number, pixel: number, first: number, rows: number, length: number) => void,
): void {
  for (let a = 0, tap = 0; a < g.kernel[0]; a++) {
    const top = a * g.dilation[0] - g.padding[0];
    const [row, rows] = inside(top, g.height, g.stride[0], g.counts[0]);
    for (let b = 0; b < g.kernel[1]; b++, tap++) {
      const left = b * g.dilation[1] - g.padding[1];
      const [column, length] = inside(left, g.width, g.stride[1], g.counts[1]);
      if (rows === 0 || length === 0) visit(tap, 0, 0, 0, 0);
      else {
        const pixel = (top + row * g.stride[0]) * g.width + left + column * g.stride[1];
        visit(tap, pixel, row * g.counts[1] + column, rows, length);
      }
    }
  }
}

/** The same row by row: `length` elements from `at` on in the columns, whose pixels begin with `pixel`. */
function eachPatchRow(g: PatchGeometry, visit: (pixel: number, at: number, length: number) => void): void {
  eachTap(g, (tap, pixel, first, rows, length) => {
    const at = tap * g.positions + first;
    for (let r = 0; r < rows; r++) visit(pixel + r * g.stride[0] * g.width, at + r * g.counts[1], length);
  });
}

type Words = Uint8Array | Uint16Array | Uint32Array;

/** The columns of images, elements of `per` words each, to an array of zeros. */
export function gatherPatches(to: Words, from: Words, images: number, g: PatchGeometry, per: number): void {
  if (to instanceof Uint32Array && per === 1) {
    const floats = (words: Uint32Array | Words): Float32Array =>
      new Float32Array(words.buffer, words.byteOffset, words.length);
    if (wasmGatherPatches(floats(to), floats(from), images, g)) return;
  }
  const step = g.stride[1] * per;
  for (let n = 0; n < images; n++)
    eachPatchRow(g, (pixel, start, length) => {
      let at = (n * g.columns + start) * per;
      let source = (n * g.plane + pixel) * per;
      for (const end = at + length * per; at < end; source += step - per)
        for (let w = 0; w < per; w++) to[at++] = from[source++]!;
    });
}

/** Adds the columns of images, elements of `per` numbers each, to the images, which hold zeros. */
export function addPatches(to: Floats, columns: Floats, images: number, g: PatchGeometry, per: number): void {
  if (to instanceof Float32Array && columns instanceof Float32Array && per === 1)
    if (wasmAddPatches(to, columns, images, g)) return;
  const step = g.stride[1] * per;
  for (let n = 0; n < images; n++)
    eachPatchRow(g, (pixel, start, length) => {
      let from = (n * g.columns + start) * per;
      let at = (n * g.plane + pixel) * per;
      for (const end = from + length * per; from < end; at += step, from += per)
        for (let w = 0; w < per; w++) to[at + w] = to[at + w]! + columns[from + w]!;
    });
}
