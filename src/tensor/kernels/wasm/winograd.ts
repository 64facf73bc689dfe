/** @file 3 by 3 convolutions with stride 1 by Winograd's algorithm. Upstream: none. Spec: none. See Note [Winograd] in winograd_programs.ts and docs/adr/0008-winograd.md. */
import type { ConvGeometry } from "../convolution.ts";
import {
  winogradInKernels,
  winogradOutKernels,
  type Kernels,
  type WinogradInKernels,
  type WinogradOutKernels,
} from "./build.ts";
import { addressIn, MAX_STAGED, Results, stagedElements, type Finish, type ResultPlace } from "./finish.ts";
import { packedFrom, PASSING_ELEMENTS, type Weights } from "./packed_weights.ts";
import { Panels } from "./panels.ts";
import { runTasks, threadAreas, type ThreadAreas } from "./parallel.ts";
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

/** How the tiles of a geometry are worked through. */
interface Blocks {
  /** Rows and columns of tiles, and rows that are transformed at a time. */
  readonly down: number;
  readonly across: number;
  readonly rows: number;
  /** Channels that are multiplied at a time. */
  readonly some: number;
  /** Elements of a row of transformed tiles, from one of their parts to the next, and from one part of the sums to the next. */
  readonly ldv: number;
  readonly partOfV: number;
  readonly partOfSums: number;
  /** Elements of a panel of filters, and how many there are. */
  readonly panel: number;
  readonly panels: number;
}

/** Undefined where the geometry is another or the transforms do not pay. */
function blocksOf(g: ConvGeometry): Blocks | undefined {
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
  if (!fits) return undefined;
  const [down, across] = [Math.ceil(height / TILE), Math.ceil(width / TILE)];
  // a panel has at least four tiles
  if (PARTS * Math.ceil((down * across) / 4) * 4 + FILTER_COST >= 9 * height * width) return undefined;
  const mostRows = Math.max(
    1,
    Math.ceil(MIN_BLOCK_TILES / across),
    Math.floor(BLOCK_ELEMENTS / (PARTS * channels * across)),
  );
  const rows = Math.ceil(down / Math.ceil(down / mostRows));
  const tiles = rows * across;
  // whole groups of four tiles are written
  const ldv = Math.ceil((tiles + Math.max(4 - across, 0)) / 4) * 4;
  const blocks = {
    down,
    across,
    rows,
    some: Math.ceil(channels / Math.ceil(channels / SOME_CHANNELS)),
    ldv,
    // not a power of two from one part to the next, or what belongs together falls on the same few sets of the caches
    partOfV: channels * ldv + 16,
    partOfSums: (tiles + 8) * COLUMNS + 16,
    panel: COLUMNS * 9 * channels,
    panels: Math.ceil(outs / COLUMNS),
  };
  const elements = [blocks.panels * blocks.panel, PARTS * blocks.partOfV, PARTS * blocks.partOfSums];
  return elements.some((count) => count > MAX_AREA) ? undefined : blocks;
}

/** Where a call's operands and areas lie. */
interface Call {
  readonly kernels: Kernels;
  readonly into: WinogradInKernels;
  readonly back: WinogradOutKernels;
  readonly g: ConvGeometry;
  readonly blocks: Blocks;
  readonly results: Results;
  /** What is read above and below a plane, and the masks of `fillMasks`. */
  readonly zeros: number;
  readonly masks: number;
  /** Transformed tiles. */
  readonly v: number;
  readonly filters: number;
  readonly own: ThreadAreas;
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
  const blocks = blocksOf(g);
  const [into, back] = blocks ? [winogradInKernels(), winogradOutKernels()] : [];
  if (!blocks || !into || !back) return false;
  const { down, across, panel, panels } = blocks;
  const [, height, width] = g.output;
  const [channels, outs] = [g.inChannels, g.outChannels];
  const inImage = channels * g.input[1] * g.input[2];
  const outImage = outs * height * width;
  const inStaged = stagedElements(kernels, x, inImage);
  if (Math.max(inStaged, stagedElements(kernels, out, outImage)) > MAX_STAGED) return false;
  const { memory } = kernels;
  const k = 9 * channels;
  const fill = (address: number, values: Float32Array): boolean => packFilters(kernels, address, values, outs, k);
  // each filter is asked for once
  const passes = g.batch === 1 && blocks.rows === down && w.mayPassInPieces;
  const form = new Panels(outs, k, COLUMNS);
  const kept = passes ? 0 : packedFrom(memory, w, `filters:${outs}:${channels}`, panels * panel, fill, form, true);
  const piece = (passes ? Math.min(panels, Math.ceil(PASSING_ELEMENTS / panel)) : panels) * panel;
  const results = Results.of(kernels, out, finish, outs, outImage, { wantsTable: true });
  const areas =
    results &&
    memory.arena(
      kept === 0 ? piece : 0,
      (Math.ceil(across / 4) + 1) * MASK_WORDS,
      inStaged,
      PARTS * blocks.partOfV,
      passes ? piece : 0,
      passes ? stagingElements(k) : 0,
    );
  const own = areas && threadAreas(kernels, WINOGRAD_TEMP_BYTES / 4, FILTERS_ELEMENTS, PARTS * blocks.partOfSums);
  try {
    const filters = kept || areas?.[0];
    if (!own || !filters || (kept === 0 && !passes && !fill(filters, w.values))) return false;
    const [, zeros, staging, v, raw, packing] = areas as [number, number, number, number, number, number];
    const masks = zeros + 4 * MASK_WORDS;
    memory.i32.fill(0, zeros / 4, masks / 4);
    fillMasks(memory.i32, masks / 4, across, g.padding[2], g.input[2]);
    const call: Call = { kernels, into, back, g, blocks, results, zeros, masks, v, filters, own };
    for (let batch = 0; batch < g.batch; batch++) {
      const image = addressIn(kernels, x, batch * inImage, inImage, staging);
      const place = results.begin(batch);
      for (let row0 = 0; row0 < down; row0 += blocks.rows) {
        transformTiles(call, image, row0);
        if (!passes) multiplyFilters(call, place, row0, 0, outs);
        else
          w.passInPieces(memory, raw, piece, (values, first) => {
            packPanels(kernels, filters, packing, values, 0, k, values.length / k, k, COLUMNS);
            multiplyFilters(call, place, row0, first / k, values.length / k);
          });
      }
      results.end(batch);
    }
    return true;
  } finally {
    if (own) memory.free(own.start);
    if (areas) memory.free(areas[0]!);
    results?.free();
  }
}

/** Transforms a block of tiles, from row `row0` of them on. */
function transformTiles({ kernels, into, g, blocks, zeros, masks, v, own }: Call, image: number, row0: number): void {
  const channels = g.inChannels;
  const [, inHeight, inWidth] = g.input;
  const { across, ldv } = blocks;
  const rows = Math.min(blocks.rows, blocks.down - row0);
  const line = row0 * TILE - g.padding[1];
  const work = channels * rows * across * PARTS;
  const share = Math.ceil(channels / Math.max(1, Math.min(MAX_TASKS, Math.floor(work / TASK_ELEMENTS))));
  const [temp] = own.at as [number];
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
        4 * blocks.partOfV,
        across,
        rows,
        Math.min(share, channels - first),
        temp,
      );
    },
    own,
  );
}

/** Multiplies a block of tiles with `count` filters, which give the outputs from channel `out0` on. */
function multiplyFilters(
  { kernels, into, back, g, blocks, results, v, filters, own }: Call,
  { to, delta }: ResultPlace,
  row0: number,
  out0: number,
  count: number,
): void {
  const channels = g.inChannels;
  const [, height, width] = g.output;
  const { across, some, ldv, partOfV, partOfSums, panel } = blocks;
  const rows = Math.min(blocks.rows, blocks.down - row0);
  const [temp, u, sums] = own.at as [number, number, number];
  runTasks(
    kernels,
    Math.ceil(count / COLUMNS),
    (_, task) => {
      const first = out0 + task * COLUMNS;
      for (let c = 0; c < channels; c += some) {
        const depth = Math.min(some, channels - c);
        into.filters(filters + 4 * (task * panel + 9 * COLUMNS * c), u, depth);
        back.multiply(u, v + 4 * c * ldv, 4 * partOfV, 4 * ldv, depth, rows * across, sums, 4 * partOfSums, c);
      }
      back.output(
        sums,
        4 * partOfSums,
        to + 4 * (first * height + row0 * TILE) * width,
        4 * height * width,
        Math.min(rows * TILE, height - row0 * TILE),
        width,
        across,
        Math.min(COLUMNS, g.outChannels - first),
        temp,
        results.table + 8 * first,
        delta,
        results.low,
        results.high,
      );
    },
    own,
  );
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
