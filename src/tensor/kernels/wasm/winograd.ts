/** @file 3 by 3 convolutions with stride 1 by Winograd's algorithm. Upstream: none. Spec: none. See Note [Winograd] in winograd_programs.ts and docs/adr/0008-winograd.md. */
import type { ConvGeometry } from "../convolution.ts";
import { winogradInKernels, winogradOutKernels, type Kernels } from "./build.ts";
import { addressIn, MAX_STAGED, Results, stagedElements, type Finish } from "./finish.ts";
import { packedFrom, type Weights } from "./packed_weights.ts";
import { Panels } from "./panels.ts";
import { runTasks, threadAreas } from "./parallel.ts";
import { packPanels, stagingElements } from "./product.ts";
import { COLUMNS } from "./programs.ts";
import { FILTERS_ELEMENTS, MASK_WORDS, PARTS, SOME_CHANNELS, TILE, WINOGRAD_TEMP_BYTES } from "./winograd_programs.ts";

/** Most padding: so far before a plane there is memory. */
const MAX_PADDING = 4;
/** Fewest channels on either side from which the transforms pay. */
const MIN_CHANNELS = 8;
/** Elements of the transformed tiles at a time: about what the second-level cache holds. */
const BLOCK_ELEMENTS = 1 << 18;
/** Tiles of a block where there are so many, so that the filters are not transformed too often. */
const MIN_BLOCK_TILES = 32;
const MAX_AREA = 1 << 24;
/** Elements of filters that pass at a time. */
const PIECE_ELEMENTS = 1 << 16;
/** Most tasks of the input's transform, and transformed elements from which one pays. */
const MAX_TASKS = 16;
const TASK_ELEMENTS = 1 << 15;
/** What the transform of a filter costs, in multiplications. */
const FILTER_COST = 90;

let isExact = false;

/** With `true`, convolutions are plain sums of products: no Winograd transforms, whose rounding errors are up to twice as large. */
export function setExactConvolution(exact: boolean): void {
  isExact = exact;
}

/** Runs `body` with convolutions that are plain sums of products: exact where the sums of whole numbers are. */
export function withExactConvolution<R>(body: () => R): R {
  const before = isExact;
  isExact = true;
  try {
    return body();
  } finally {
    isExact = before;
  }
}

/** As `wasmConvolve`; false where the geometry is another or the transforms do not pay. */
export function winogradConvolve(
  kernels: Kernels,
  x: Float32Array,
  w: Weights,
  out: Float32Array,
  g: ConvGeometry,
  finish: Finish,
): boolean {
  const [, height, width] = g.output;
  const [channels, outs] = [g.inChannels, g.outChannels];
  const fits =
    !isExact &&
    g.groups === 1 &&
    g.input[0] === 1 &&
    g.kernel[0] === 1 &&
    g.kernel[1] === 3 &&
    g.kernel[2] === 3 &&
    g.padding.every((p, d) => p <= (d === 0 ? 0 : MAX_PADDING)) &&
    g.stride.every((s) => s === 1) &&
    g.dilation.every((d) => d === 1) &&
    Math.min(channels, outs) >= MIN_CHANNELS;
  if (!fits) return false;
  const [down, across] = [Math.ceil(height / TILE), Math.ceil(width / TILE)];
  // a panel has at least four tiles
  if (PARTS * Math.ceil((down * across) / 4) * 4 + FILTER_COST >= 9 * height * width) return false;
  const [into, back] = [winogradInKernels(), winogradOutKernels()];
  if (!into || !back) return false;
  const mostRows = Math.max(
    1,
    Math.ceil(MIN_BLOCK_TILES / across),
    Math.floor(BLOCK_ELEMENTS / (PARTS * channels * across)),
  );
  const blockRows = Math.ceil(down / Math.ceil(down / mostRows));
  const tiles = blockRows * across;
  // whole groups of four tiles are written
  const ldv = Math.ceil((tiles + Math.max(4 - across, 0)) / 4) * 4;
  const some = Math.ceil(channels / Math.ceil(channels / SOME_CHANNELS));
  // not a power of two from one part to the next, or what belongs together falls on the same few sets of the caches
  const partOfV = channels * ldv + 16;
  const partOfSums = (tiles + 8) * COLUMNS + 16;
  const inImage = channels * g.input[1] * g.input[2];
  const outImage = outs * height * width;
  const inStaged = stagedElements(kernels, x, inImage);
  const outStaged = stagedElements(kernels, out, outImage);
  if (Math.max(inStaged, outStaged) > MAX_STAGED) return false;
  const panel = COLUMNS * 9 * channels;
  const panels = Math.ceil(outs / COLUMNS);
  const elements = [panels * panel, PARTS * partOfV, PARTS * partOfSums];
  if (elements.some((count) => count > MAX_AREA)) return false;
  const { memory } = kernels;
  const fill = (address: number, values: Float32Array): boolean =>
    packFilters(kernels, address, values, outs, 9 * channels);
  // each filter is asked for once
  const passes = g.batch === 1 && blockRows === down && w.mayPassInPieces;
  const kept = passes
    ? 0
    : packedFrom(
        memory,
        w,
        `filters:${outs}:${channels}`,
        panels * panel,
        fill,
        new Panels(outs, 9 * channels, COLUMNS),
        true,
      );
  const piece = (passes ? Math.min(panels, Math.ceil(PIECE_ELEMENTS / panel)) : panels) * panel;
  const results = Results.of(kernels, out, finish, outs, outImage, { wantsTable: true });
  const areas =
    results &&
    memory.arena(
      kept === 0 ? piece : 0,
      (Math.ceil(across / 4) + 1) * MASK_WORDS,
      inStaged,
      PARTS * partOfV,
      passes ? piece : 0,
      passes ? stagingElements(9 * channels) : 0,
    );
  const own = areas && threadAreas(kernels, WINOGRAD_TEMP_BYTES / 4, FILTERS_ELEMENTS, PARTS * partOfSums);
  const release = (): void => {
    if (own) memory.free(own.start);
    if (areas) memory.free(areas[0]!);
    results?.free();
  };
  const filters = kept || areas?.[0];
  if (!own || !filters || (kept === 0 && !passes && !fill(filters, w.values))) {
    release();
    return false;
  }
  const [, zeros, staging, v, raw, packing] = areas as [number, number, number, number, number, number];
  const [temp, u, sums] = own.at as [number, number, number];
  const masks = zeros + 4 * MASK_WORDS;
  memory.i32.fill(0, zeros / 4, masks / 4);
  fillMasks(memory.i32, masks / 4, across, g.padding[2], g.input[2]);
  const [, inHeight, inWidth] = g.input;
  try {
    for (let batch = 0; batch < g.batch; batch++) {
      const image = addressIn(kernels, x, batch * inImage, inImage, staging);
      const { to, delta } = results.begin(batch);
      for (let row0 = 0; row0 < down; row0 += blockRows) {
        const rows = Math.min(blockRows, down - row0);
        const line = row0 * TILE - g.padding[1];
        const work = channels * rows * across * PARTS;
        const share = Math.ceil(channels / Math.max(1, Math.min(MAX_TASKS, Math.floor(work / TASK_ELEMENTS))));
        runTasks(
          kernels,
          Math.ceil(channels / share),
          (_, task) => {
            const first = task * share;
            into.input(
              image + 4 * ((first * inHeight + line) * inWidth - g.padding[2]),
              4 * inHeight * inWidth,
              4 * inWidth,
              line,
              inHeight,
              zeros,
              masks,
              v + 4 * first * ldv,
              4 * ldv,
              4 * partOfV,
              across,
              rows,
              Math.min(share, channels - first),
              temp,
            );
          },
          own,
        );
        const lines = Math.min(rows * TILE, height - row0 * TILE);
        /** Multiplies so many of the filters there, which give the outputs from channel `out0` on. */
        const multiply = (out0: number, filterCount: number): void =>
          runTasks(
            kernels,
            Math.ceil(filterCount / COLUMNS),
            (_, task) => {
              const first = out0 + task * COLUMNS;
              for (let c = 0; c < channels; c += some) {
                const count = Math.min(some, channels - c);
                into.filters(filters + 4 * (task * panel + 9 * COLUMNS * c), u, count);
                back.multiply(u, v + 4 * c * ldv, 4 * partOfV, 4 * ldv, count, rows * across, sums, 4 * partOfSums, c);
              }
              back.output(
                sums,
                4 * partOfSums,
                to + 4 * (first * height + row0 * TILE) * width,
                4 * height * width,
                lines,
                width,
                across,
                Math.min(COLUMNS, outs - first),
                temp,
                results.table + 8 * first,
                delta,
                results.low,
                results.high,
              );
            },
            own,
          );
        if (!passes) multiply(0, outs);
        else
          w.passInPieces(memory, raw, piece, (values, first) => {
            const count = values.length / (9 * channels);
            packPanels(kernels, filters, packing, values, 0, 9 * channels, count, 9 * channels, COLUMNS);
            multiply(first / (9 * channels), count);
          });
      }
      results.end(batch);
    }
    return true;
  } finally {
    release();
  }
}

/** Says which columns of every group of four tiles there are, see winogradInput. */
function fillMasks(i32: Int32Array, at: number, across: number, padding: number, width: number): void {
  for (let tile = 0; ; at += MASK_WORDS) {
    for (let j = 0, column = tile * TILE - padding; j < MASK_WORDS; j++, column++)
      i32[at + j] = column >= 0 && column < width ? -1 : 0;
    const left = across - 4 - tile;
    if (left <= 0) return;
    tile += Math.min(4, left);
  }
}

/** Packs filters of `k` elements as panels of eight; false where there is no room. */
function packFilters(kernels: Kernels, to: number, w: Float32Array, outs: number, k: number): boolean {
  const areas = kernels.memory.arena(stagingElements(k));
  if (!areas) return false;
  packPanels(kernels, to, areas[0]!, w, 0, k, outs, k, COLUMNS);
  kernels.memory.free(areas[0]!);
  return true;
}
