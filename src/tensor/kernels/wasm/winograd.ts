/** @file 3 by 3 convolutions with stride 1 by Winograd's algorithm. Upstream: none. Spec: none. See Note [Winograd] in winograd_programs.ts and docs/adr/0008-winograd.md. */
import type { Storage } from "../../storage.ts";
import type { ConvGeometry } from "../convolution.ts";
import { convolutionKernels, winogradKernels, type Kernels, type WinogradKernels } from "./build.ts";
import { addressIn, Target, type Finish } from "./finish.ts";
import { packedWeights } from "./packed_weights.ts";
import { fillPlanes, paddedPlane } from "./planes.ts";
import { innerStep, packedElements, packPanels, runPacked, stagingElements } from "./product.ts";
import { COLUMNS } from "./programs.ts";
import { WINOGRAD_POINTS, WINOGRAD_TEMP_BYTES, type TileSize } from "./winograd_programs.ts";

/** Fewest channels on either side from which the transforms pay. */
const MIN_CHANNELS = 8;
/** Elements of the transformed tiles and their products at a time: about what the second-level cache holds. */
const BLOCK_ELEMENTS = 1 << 18;
/** Tiles of a block, so that the transformed weights are not read too often. */
const MIN_BLOCK_TILES = 16;
const MAX_AREA = 1 << 24;

let isExact = false;

/** With `true`, convolutions are plain sums of products: no Winograd transforms, whose rounding errors are up to twice as large. */
export function setExactConvolution(exact: boolean): void {
  isExact = exact;
}

/** Whether convolutions are plain sums of products. */
export function exactConvolution(): boolean {
  return isExact;
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
  w: Float32Array,
  out: Float32Array,
  g: ConvGeometry,
  finish: Finish,
  owner: Storage | undefined,
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
  const n = m + 2;
  const parts = n * n;
  const [down, across] = [Math.ceil(height / m), Math.ceil(width / m)];
  const group = Math.max(across, 4);
  const blockRows = Math.min(
    down,
    Math.max(1, Math.ceil(MIN_BLOCK_TILES / across), Math.floor(BLOCK_ELEMENTS / (parts * (channels + outs) * across))),
  );
  const tiles = Math.ceil((blockRows * across) / COLUMNS);
  const ldv = tiles * COLUMNS + 8;
  const ldy = tiles * COLUMNS;
  const padded = packedElements(kernels, outs, 1);
  const packed = padded * channels;
  const plan = paddedPlane(g.padding, down * m + 2, group * m + 4);
  const [partOfV, partOfY] = [channels * ldv + 16, padded * ldy + 16];
  const inPlane = g.input[1] * g.input[2];
  const elements = [parts * packed, parts * partOfV, parts * partOfY, channels * plan.channel];
  if (elements.some((count) => count > MAX_AREA)) return false;
  const fill = (address: number): boolean => transformWeights(kernels, transforms, address, w, outs, channels, m);
  const key = `winograd${m}:${kernels.rows}:${w.byteOffset}:${outs}:${channels}`;
  const kept = packedWeights(kernels.memory, owner, key, parts * packed, fill);
  const areas = kernels.memory.arena(
    channels,
    channels * COLUMNS,
    kept === 0 ? parts * packed : 0,
    channels * plan.channel,
    channels * inPlane,
    parts * partOfV,
    parts * partOfY,
    blockRows * m * group * m,
    blockRows * m * width,
    blockRows * m * width,
    WINOGRAD_TEMP_BYTES / 4,
  );
  if (!areas) return false;
  const [offsets, scratch, own, planes, staging, v, y, result, stagedOut, stagedResidual, temp] = areas as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (kept === 0 && !fill(own)) {
    kernels.memory.free(offsets);
    return false;
  }
  const weights = kept === 0 ? own : kept;
  const { i32 } = kernels.memory;
  for (let c = 0; c < channels; c++) i32[offsets / 4 + c] = 4 * c * ldv;
  const target = new Target(kernels, out, finish, stagedOut, stagedResidual);
  const ldx = plan.axes[2].length;
  for (let batch = 0; batch < g.batch; batch++) {
    const source = addressIn(kernels, x, batch * channels * inPlane, channels * inPlane, staging);
    fillPlanes(kernels, convolution.padPlanes, plan, planes, source, channels, g.input);
    for (let row0 = 0; row0 < down; row0 += blockRows) {
      const rows = Math.min(blockRows, down - row0);
      for (let c = 0; c < channels; c++) {
        const plane = planes + 4 * (c * plan.channel + row0 * m * ldx);
        for (let r = 0; r < rows; r++) {
          transforms.input(plane + 4 * r * m * ldx, 4 * ldx, v + 4 * (c * ldv + r * across), 4 * partOfV, across, temp);
        }
      }
      const some = Math.ceil((rows * across) / COLUMNS);
      for (let part = 0; part < parts; part++) {
        runPacked(kernels, {
          a: weights + 4 * part * packed,
          m: outs,
          k: channels,
          b: v + 4 * part * partOfV,
          tileStride: 4 * COLUMNS,
          offsets,
          scratch,
          tiles: some,
          c: y + 4 * part * partOfY,
          ldc: ldy,
        });
      }
      const kept = Math.min(rows * m, height - row0 * m);
      for (let o = 0; o < outs; o++) {
        for (let r = 0; r < rows; r++) {
          const from = y + 4 * (o * ldy + r * across);
          transforms.output(from, 4 * partOfY, result + 4 * r * m * group * m, 4 * group * m, across, temp);
        }
        const to = ((batch * outs + o) * height + row0 * m) * width;
        target.put(to, o, result, group * m, kept, width);
      }
    }
  }
  kernels.memory.free(offsets);
  return true;
}

/** G of the transform: n rows of 3. */
function weightTransform(m: TileSize): number[][] {
  const points = WINOGRAD_POINTS[m];
  const rows = points.map((p, i) => {
    const f = points.reduce((product, q, j) => (j === i ? product : product * (p - q)), 1);
    return [1 / f, p / f, (p * p) / f];
  });
  return [...rows, [0, 0, 1]];
}

/** G g G^T of every filter, in double precision, packed as the left operands of the products (see packLeft); false where there is no room. */
function transformWeights(
  kernels: Kernels,
  transforms: WinogradKernels,
  to: number,
  w: Float32Array,
  outs: number,
  channels: number,
  m: TileSize,
): boolean {
  const { memory, rows } = kernels;
  const areas = memory.arena(
    2 * 3 * (m + 2),
    WINOGRAD_TEMP_BYTES / 4,
    stagingElements(9 * channels),
    9 * channels * rows,
  );
  if (!areas) return false;
  const [table, temp, staging, panel] = areas as [number, number, number, number];
  memory.segment.f64.set(weightTransform(m).flat(), table / 8);
  const padded = packedElements(kernels, outs, 1);
  const step = innerStep(channels);
  for (let o = 0; o < outs; o += rows) {
    packPanels(
      kernels,
      panel,
      staging,
      w,
      o * 9 * channels,
      9 * channels,
      Math.min(rows, outs - o),
      9 * channels,
      rows,
    );
    for (let c0 = 0; c0 < channels; c0 += step) {
      const count = Math.min(step, channels - c0);
      const at = to + 4 * (padded * c0 + o * count);
      transforms.weights(panel + 4 * 9 * rows * c0, at, 4 * padded * channels, count, table, temp);
    }
  }
  memory.free(table);
  return true;
}
