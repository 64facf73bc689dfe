/** @file 3 by 3 convolutions with stride 1 by Winograd's algorithm. Upstream: none. Spec: none. See Note [Winograd] in winograd_programs.ts and docs/adr/0008-winograd.md. */
import type { ConvGeometry } from "../convolution.ts";
import { convolutionKernels, winogradKernels, type Kernels, type WinogradKernels } from "./build.ts";
import { addressIn, MAX_STAGED, Results, stagedElements, type Finish } from "./finish.ts";
import { packedFrom, type Weights } from "./packed_weights.ts";
import { runTasks, threadAreas } from "./parallel.ts";
import { fillPlanes, paddedPlane } from "./planes.ts";
import { GROUP_ELEMENTS, innerStep, packedElements, packPanels, stagingElements } from "./product.ts";
import { COLUMNS } from "./programs.ts";
import { WINOGRAD_TEMP_BYTES, type TileSize } from "./winograd_programs.ts";

/** Fewest channels on either side from which the transforms pay. */
const MIN_CHANNELS = 8;
/** Elements of the transformed tiles and their products at a time: about what the second-level cache holds. */
const BLOCK_ELEMENTS = 1 << 18;
/** Tiles of a block, so that the transformed weights are not read too often. */
const MIN_BLOCK_TILES = 16;
const MAX_AREA = 1 << 24;
/** Most tasks of a transform, and transformed elements from which one pays. */
const MAX_TASKS = 16;
const TASK_ELEMENTS = 1 << 15;

let isExact = false;

/** With `true`, convolutions are plain sums of products: no Winograd transforms, whose rounding errors are up to twice as large. */
export function setExactConvolution(exact: boolean): void {
  isExact = exact;
}

/** The size of tile with the least work for a plane, counted in multiplications and in reading weights. */
function tileSize(height: number, width: number): TileSize {
  const cost = (m: TileSize): number => {
    const tiles = Math.ceil(height / m) * Math.ceil(width / m);
    return (m + 2) ** 2 * Math.ceil(tiles / COLUMNS) * COLUMNS;
  };
  return cost(2) <= cost(4) ? 2 : 4;
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
    g.padding[0] === 0 &&
    g.stride.every((s) => s === 1) &&
    g.dilation.every((d) => d === 1) &&
    Math.min(channels, outs) >= MIN_CHANNELS &&
    height * width >= 16;
  if (!fits) return false;
  const m = tileSize(height, width);
  const transforms = winogradKernels(m);
  const convolution = convolutionKernels();
  if (!transforms || !convolution) return false;
  const parts = (m + 2) ** 2;
  const [down, across] = [Math.ceil(height / m), Math.ceil(width / m)];
  const group = Math.max(across, 4);
  const blockRows = Math.min(
    down,
    Math.max(1, Math.ceil(MIN_BLOCK_TILES / across), Math.floor(BLOCK_ELEMENTS / (parts * (channels + outs) * across))),
  );
  const tiles = Math.ceil((blockRows * across) / COLUMNS);
  // whole groups of four tiles are written, and read
  const [ldv, ldy] = [tiles * COLUMNS + 8, tiles * COLUMNS];
  const plan = paddedPlane(g.padding, down * m + 2, group * m + 4);
  const [partOfA, partOfV, partOfY] = partsOf(kernels, outs, channels, ldv, ldy);
  const inImage = channels * g.input[1] * g.input[2];
  const outImage = outs * height * width;
  const inStaged = stagedElements(kernels, x, inImage);
  const outStaged = stagedElements(kernels, out, outImage);
  if (Math.max(inStaged, outStaged) > MAX_STAGED) return false;
  const elements = [parts * partOfA, parts * partOfV, parts * partOfY, channels * plan.channel];
  if (elements.some((count) => count > MAX_AREA)) return false;
  const { memory } = kernels;
  const fill = (address: number, values: Float32Array): boolean =>
    transformWeights(kernels, transforms, address, values, outs, channels, partOfA);
  const kept = packedFrom(memory, w, `winograd${m}:${kernels.rows}:${outs}:${channels}`, parts * partOfA, fill);
  const results = Results.of(kernels, out, finish, outs, outImage, true);
  const areas =
    results &&
    memory.arena(
      channels,
      kept === 0 ? parts * partOfA : 0,
      channels * plan.channel,
      inStaged,
      parts * partOfV,
      parts * partOfY,
    );
  const step = innerStep(channels);
  const someTiles = Math.max(1, Math.min(tiles, Math.floor(GROUP_ELEMENTS / (COLUMNS * step))));
  const own = areas && threadAreas(kernels, someTiles * COLUMNS * step, WINOGRAD_TEMP_BYTES / 4);
  const release = (): void => {
    if (own) memory.free(own.start);
    if (areas) memory.free(areas[0]!);
    results?.free();
  };
  const weights = kept || areas?.[1];
  if (!own || !weights || (kept === 0 && !fill(weights, w.values))) {
    release();
    return false;
  }
  const [offsets, , planes, staging, v, y] = areas as [number, number, number, number, number, number];
  const [scratch, temp] = own.at as [number, number];
  for (let c = 0; c < channels; c++) memory.i32[offsets / 4 + c] = 4 * c * ldv;
  const ldx = plan.axes[2].length;
  /** Some of `count` channels in every task. */
  const inShares = (count: number, work: number, body: (first: number, some: number) => void): void => {
    const share = Math.ceil(count / Math.max(1, Math.min(MAX_TASKS, Math.floor((count * work) / TASK_ELEMENTS))));
    const tasks = Math.ceil(count / share);
    runTasks(kernels, tasks, (_, task) => body(task * share, Math.min(share, count - task * share)), own);
  };
  for (let batch = 0; batch < g.batch; batch++) {
    const image = addressIn(kernels, x, batch * inImage, inImage, staging);
    const { to, delta } = results.begin(batch);
    fillPlanes(kernels, convolution.padPlanes, plan, planes, image, channels, g.input);
    for (let row0 = 0; row0 < down; row0 += blockRows) {
      const rows = Math.min(blockRows, down - row0);
      const columns = Math.ceil((rows * across) / COLUMNS) * COLUMNS;
      inShares(channels, rows * across * parts, (first, some) =>
        transforms.input(
          planes + 4 * (first * plan.channel + row0 * m * ldx),
          4 * plan.channel,
          4 * ldx,
          v + 4 * first * ldv,
          4 * ldv,
          4 * partOfV,
          across,
          rows,
          some,
          temp,
        ),
      );
      runTasks(
        kernels,
        parts,
        (_, part) => {
          for (let k0 = 0; k0 < channels; k0 += step) {
            convolution.convolve(
              weights + 4 * (part * partOfA + packedElements(kernels, outs, k0)),
              v + 4 * part * partOfV,
              0,
              offsets + 4 * k0,
              Math.min(step, channels - k0),
              outs,
              columns,
              y + 4 * part * partOfY,
              4 * ldy,
              k0,
              scratch,
              someTiles,
              0,
              0,
              0,
              0,
            );
          }
        },
        own,
      );
      const lines = Math.min(rows * m, height - row0 * m);
      inShares(outs, rows * across * parts, (first, some) =>
        transforms.output(
          y + 4 * first * ldy,
          4 * ldy,
          4 * partOfY,
          to + 4 * (first * height + row0 * m) * width,
          4 * height * width,
          lines,
          width,
          across,
          some,
          temp,
          results.table + 8 * first,
          delta,
          results.low,
          results.high,
        ),
      );
    }
    results.end(batch);
  }
  release();
  return true;
}

/** Elements from one part of the transformed filters, tiles and products to the next: not a power of two, or what belongs together falls on the same few sets of the caches. */
function partsOf(kernels: Kernels, outs: number, channels: number, ldv: number, ldy: number): [number, number, number] {
  return [packedElements(kernels, outs, channels) + 16, channels * ldv + 16, outs * ldy + 16];
}

/** G g G^T of every filter, packed as the left operands of the products (see packLeft), `part` elements from one product to the next; false where there is no room. */
function transformWeights(
  kernels: Kernels,
  transforms: WinogradKernels,
  to: number,
  w: Float32Array,
  outs: number,
  channels: number,
  part: number,
): boolean {
  const { memory, rows } = kernels;
  const areas = memory.arena(WINOGRAD_TEMP_BYTES / 4, stagingElements(9 * channels), 9 * channels * rows);
  if (!areas) return false;
  const [temp, staging, panel] = areas as [number, number, number];
  const padded = packedElements(kernels, outs, 1);
  const step = innerStep(channels);
  for (let o = 0; o < outs; o += rows) {
    const some = Math.min(rows, outs - o);
    packPanels(kernels, panel, staging, w, o * 9 * channels, 9 * channels, some, 9 * channels, rows);
    for (let c0 = 0; c0 < channels; c0 += step) {
      const count = Math.min(step, channels - c0);
      transforms.weights(panel + 4 * 9 * rows * c0, to + 4 * (padded * c0 + o * count), 4 * part, count, temp);
    }
  }
  memory.free(temp);
  return true;
}
