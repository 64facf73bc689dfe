/** @file float32 convolution on the WebAssembly kernels. Upstream: none. Spec: none.
 *
 * 3 by 3 convolutions with stride 1 take Winograd's way (winograd.ts), others are products over phase planes (planes.ts). */
import type { ConvGeometry, Triple } from "../convolution.ts";
import {
  convolutionKernels,
  tallKernels,
  unpaddedKernels,
  wasmKernels,
  windowKernels,
  type ConvolutionKernels,
  type Kernels,
} from "./build.ts";
import { copyElements32 } from "./copies.ts";
import { TALL_ROWS } from "./depthwise_programs.ts";
import { addressIn, MAX_STAGED, PLAIN_FINISH, Results, stagedElements, Target, type Finish } from "./finish.ts";
import { packedFrom, type Weights } from "./packed_weights.ts";
import { Panels } from "./panels.ts";
import { runTasks, threadAreas } from "./parallel.ts";
import { fillPlanes, isWhole, phasePlan, type PhasePlan } from "./planes.ts";
import { innerStep, packedElements, packLeft, PASS_PANELS, stagingElements } from "./product.ts";
import { COLUMNS, DEPTHWISE_STEP } from "./programs.ts";
import { eachPadded, eachShare, windowStride } from "./windows.ts";
import { winogradConvolve } from "./winograd.ts";

/** Multiplications of a whole convolution from which the copies pay. */
const MIN_WORK = 1 << 13;
/** Elements of one area: larger groups run on the reference kernel, whose products come back here in parts. */
const MAX_AREA = 1 << 24;
/** Most tasks of a product, and multiplications from which one pays. */
const MAX_TASKS = 16;
const TASK_WORK = 1 << 19;
/** The same for one thread. */
const LONE_WORK = 1 << 21;
/** Elements of the tiles that are gathered at a time: a quarter of the first-level cache, as panels and results want room in it as well. */
const GATHERED_ELEMENTS = 1 << 11;
/** Elements of the depthwise planes that are in memory at a time. */
const DEPTHWISE_ELEMENTS = 1 << 17;
/** Elements behind a line of zeros or of masks that is as long as a row of the input: windows reach beyond it. */
const LINE_SLACK = 16;
/** Most computed positions for one that is kept. */
const MAX_WASTE = 3;

/**
 * out (N, O, ...) = x (N, C, ...) convolved with w (O, C / groups, ...), then `finish`. Arrays of the kernels' memory are used in
 * place, and what is made of w is kept with its storage. Returns false where the reference kernel is to run.
 */
export function wasmConvolve(
  x: Float32Array,
  w: Weights,
  out: Float32Array,
  g: ConvGeometry,
  finish: Finish = PLAIN_FINISH,
): boolean {
  const inPer = g.inChannels / g.groups;
  const taps = g.kernel[0] * g.kernel[1] * g.kernel[2];
  const outPlane = g.output[0] * g.output[1] * g.output[2];
  const outPer = g.outChannels / g.groups;
  if (g.groups * outPer * outPlane * inPer * taps < MIN_WORK) return false;
  const kernels = wasmKernels();
  if (kernels === undefined) return false;
  if (winogradConvolve(kernels, x, w, out, g, finish)) return true;
  const convolution = convolutionKernels();
  if (!convolution) return false;
  if (inPer === 1 && outPer === 1 && depthwiseWindows(kernels, convolution, x, w.values, out, g, finish)) return true;
  if (inPer === 1 && outPer <= 2) {
    const plan = phasePlan(g);
    const [, ay, ax] = plan.axes;
    const computed = ((g.output[0] - 1) * ay.length + g.output[1]) * ax.length;
    if (computed <= MAX_WASTE * outPlane + 64)
      return depthwise(kernels, convolution, plan, x, w.values, out, g, finish);
  }
  return product(kernels, convolution, x, w, out, g, finish);
}

/** What a convolution as a product makes of its geometry, for one kind of kernels. */
interface ProductPlan {
  readonly rows: number;
  readonly isShared: boolean;
  readonly plan: PhasePlan;
  /** Whether the planes are the input as it is, and elements of one. */
  readonly isInPlace: boolean;
  readonly channel: number;
  /** Inner dimension, and what of it is done at a time. */
  readonly k: number;
  readonly step: number;
  readonly tiles: number;
  /** Tiles that are gathered at a time. */
  readonly group: number;
  /** Elements of the packed weights of a group of channels. */
  readonly packed: number;
  /** Whether a plane is covered by its outputs in order: then positions need no table. */
  readonly isDense: boolean;
  readonly parts: readonly Part[];
  /** Names and describes the form of the packed weights. */
  readonly key: string;
  readonly panels: Panels;
}

/** The products of geometries that are still in use. */
const productPlans = new WeakMap<ConvGeometry, ProductPlan>();

function productPlan(kernels: Kernels, g: ConvGeometry): ProductPlan {
  const known = productPlans.get(g);
  const isShared = kernels.pool !== undefined;
  if (known?.rows === kernels.rows && known.isShared === isShared) return known;
  const plan = phasePlan(g);
  const [, ay, ax] = plan.axes;
  const k = (g.inChannels / g.groups) * plan.taps.length;
  const outPer = g.outChannels / g.groups;
  const inPlane = g.input[0] * g.input[1] * g.input[2];
  const outPlane = g.output[0] * g.output[1] * g.output[2];
  const isInPlace = isWhole(plan, inPlane);
  const tiles = Math.ceil(outPlane / COLUMNS);
  const step = innerStep(k);
  const group = Math.max(1, Math.min(tiles, Math.floor(GATHERED_ELEMENTS / (COLUMNS * step))));
  const made = {
    rows: kernels.rows,
    isShared,
    plan,
    isInPlace,
    channel: isInPlace ? inPlane : plan.channel,
    k,
    step,
    tiles,
    group,
    packed: packedElements(kernels, outPer, k),
    isDense: ax.length === g.output[2] && (g.output[0] === 1 || ay.length === g.output[1]),
    parts: divide(outPer, tiles, kernels.rows, group, outPer * outPlane * k, isShared),
    key: `conv:${kernels.rows}:${g.groups}:${k}`,
    panels: new Panels(outPer, k, kernels.rows, { step, groups: g.groups }),
  };
  productPlans.set(g, made);
  return made;
}

/** Products of the weights and the planes of every group. */
function product(
  kernels: Kernels,
  convolution: ConvolutionKernels,
  x: Float32Array,
  w: Weights,
  out: Float32Array,
  g: ConvGeometry,
  finish: Finish,
): boolean {
  const inPer = g.inChannels / g.groups;
  const outPer = g.outChannels / g.groups;
  const inPlane = g.input[0] * g.input[1] * g.input[2];
  const outPlane = g.output[0] * g.output[1] * g.output[2];
  const { memory } = kernels;
  const made = productPlan(kernels, g);
  const { plan, isInPlace, channel, k, step, tiles, group, packed, isDense, parts } = made;
  const inStaged = stagedElements(kernels, x, g.inChannels * inPlane);
  const outStaged = stagedElements(kernels, out, g.outChannels * outPlane);
  if (Math.max(inStaged, outStaged) > MAX_STAGED) return false;
  const elements = [packed, inPer * channel];
  if (elements.some((n) => n > MAX_AREA)) return false;
  const pack = (address: number, values: Float32Array): boolean =>
    packGroups(kernels, address, values, g.groups, outPer, k);
  const kept = packedFrom(memory, w, made.key, g.groups * packed, pack, made.panels);
  const results = Results.of(kernels, out, finish, g.outChannels, g.outChannels * outPlane);
  const areas =
    results &&
    memory.arena(
      k,
      isDense ? 0 : tiles * COLUMNS,
      kept === 0 ? g.groups * packed : 0,
      isInPlace ? 0 : inPer * channel,
      inStaged,
    );
  const own = areas && threadAreas(kernels, group * COLUMNS * step);
  const release = (): void => {
    if (own) memory.free(own.start);
    if (areas) memory.free(areas[0]!);
    results?.free();
  };
  const weights = kept || areas?.[2];
  if (!own || !weights || (kept === 0 && !pack(weights, w.values))) {
    release();
    return false;
  }
  const [offsets, table, , planes, staging] = areas as [number, number, number, number, number];
  const positions = isDense ? 0 : table;
  const { i32 } = memory;
  for (let c = 0, at = offsets / 4; c < inPer; c++) for (const tap of plan.taps) i32[at++] = 4 * c * channel + tap;
  if (!isDense) fillPositions(i32, positions / 4, plan, g.output);
  for (let n = 0; n < g.batch; n++) {
    const image = addressIn(kernels, x, n * g.inChannels * inPlane, g.inChannels * inPlane, staging);
    const { to, delta } = results.begin(n);
    for (let index = 0; index < g.groups; index++) {
      const source = image + 4 * index * inPer * inPlane;
      if (!isInPlace) fillPlanes(kernels, convolution.padPlanes, plan, planes, source, inPer, g.input);
      const b = isInPlace ? source : planes;
      const a = weights + 4 * index * packed;
      runTasks(
        kernels,
        parts.length,
        (_, task) => {
          const { row, rows, tile, tiles: some } = parts[task]!;
          const column = tile * COLUMNS;
          const columns = Math.min(some * COLUMNS, outPlane - column);
          for (let k0 = 0; k0 < k; k0 += step) {
            const count = Math.min(step, k - k0);
            const isLast = k0 + count === k;
            convolution.convolve(
              a + 4 * (packedElements(kernels, outPer, k0) + row * count),
              positions === 0 ? b + 4 * column : b,
              positions === 0 ? 0 : positions + 4 * column,
              offsets + 4 * k0,
              count,
              rows,
              columns,
              to + 4 * ((index * outPer + row) * outPlane + column),
              4 * outPlane,
              k0,
              own.at[0]!,
              group,
              isLast && results.table !== 0 ? results.table + 8 * (index * outPer + row) : 0,
              delta,
              results.low,
              results.high,
            );
          }
        },
        own,
      );
    }
    results.end(n);
  }
  release();
  return true;
}

/** Byte offsets of the outputs' positions in a plane, up to whole tiles. */
function fillPositions(i32: Int32Array, at: number, plan: PhasePlan, [od, oh, ow]: Triple): void {
  const [, ay, ax] = plan.axes;
  let last = 0;
  let to = at;
  for (let z = 0; z < od; z++) {
    for (let y = 0; y < oh; y++) {
      last = 4 * (z * ay.length + y) * ax.length;
      for (let c = 0; c < ow; c++, last += 4) i32[to++] = last;
    }
  }
  for (; (to - at) % COLUMNS !== 0; last += 4) i32[to++] = last;
}

interface Part {
  readonly row: number;
  readonly rows: number;
  readonly tile: number;
  readonly tiles: number;
}

/**
 * Divides a product into parts of similar work: of columns, and for several threads, where there are far too few, of rows, for which
 * tiles are gathered again. One thread has parts as well: the first calls of a kernel run in the engine's quick compilation, which it
 * leaves for the better one between two calls only.
 */
function divide(
  rows: number,
  tiles: number,
  panelRows: number,
  group: number,
  work: number,
  isShared: boolean,
): Part[] {
  const wanted = Math.max(1, Math.min(MAX_TASKS, Math.floor(work / (isShared ? TASK_WORK : LONE_WORK))));
  const groups = Math.ceil(tiles / group);
  const someTiles = Math.ceil(groups / Math.min(wanted, groups)) * group;
  const across = Math.ceil(tiles / someTiles);
  const panels = Math.ceil(rows / panelRows);
  const somePanels = Math.min(
    PASS_PANELS,
    isShared ? Math.ceil(panels / Math.min(panels, Math.max(1, Math.round(wanted / across)))) : panels,
  );
  const someRows = somePanels * panelRows;
  const parts: Part[] = [];
  for (let row = 0; row < rows; row += someRows) {
    for (let tile = 0; tile < tiles; tile += someTiles) {
      parts.push({ row, rows: Math.min(someRows, rows - row), tile, tiles: Math.min(someTiles, tiles - tile) });
    }
  }
  return parts;
}

/** Packs the weights of every group; false where there is no room. */
function packGroups(
  kernels: Kernels,
  address: number,
  w: Float32Array,
  groups: number,
  outPer: number,
  k: number,
): boolean {
  const areas = kernels.memory.arena(stagingElements(k));
  if (!areas) return false;
  const packed = packedElements(kernels, outPer, k);
  for (let group = 0; group < groups; group++) {
    packLeft(kernels, address + 4 * group * packed, areas[0]!, w, group * outPer * k, k, outPer, k);
  }
  kernels.memory.free(areas[0]!);
  return true;
}

/** Columns up to which blocks of rows pay for windows of 3 by 3: rows of longer ones lie too far apart. */
const MAX_TALL_COLUMNS = 64;

/** Whether results of such sizes are worth blocks of TALL_ROWS: those of 3 by 3 have another way, a fifth slower. */
function fillsBlocks(rows: number, columns: number, size: number): boolean {
  const computed = Math.ceil(rows / TALL_ROWS) * TALL_ROWS;
  return rows >= TALL_ROWS && (size > 3 || (columns <= MAX_TALL_COLUMNS && 5 * computed <= 6 * rows));
}

/** One input channel for every output channel, in square windows; false where there is no kernel for them. */
function depthwiseWindows(
  kernels: Kernels,
  { padPlanes }: ConvolutionKernels,
  x: Float32Array,
  w: Float32Array,
  out: Float32Array,
  g: ConvGeometry,
  finish: Finish,
): boolean {
  const size = g.kernel[2];
  const stride = windowStride(g, size);
  if (stride === 0) return false;
  const padding = (size - 1) / 2;
  const isCentred = g.padding[1] === padding && g.padding[2] === padding;
  const tall = isCentred && fillsBlocks(g.output[1], g.output[2], size) ? tallKernels(size)?.[stride] : undefined;
  const unpadded = tall ?? (isCentred && size === 3 && g.output[2] > 4 ? unpaddedKernels()?.[stride] : undefined);
  const windows = size === 3 && !unpadded ? windowKernels() : undefined;
  if (!unpadded && !windows) return false;
  const { memory } = kernels;
  const channels = g.outChannels;
  const [, height, width] = g.input;
  const outPlane = g.output[1] * g.output[2];
  const inPlane = height * width;
  const taps = size * size;
  const inStaged = stagedElements(kernels, x, channels * inPlane);
  if (Math.max(inStaged, stagedElements(kernels, out, channels * outPlane)) > MAX_STAGED) return false;
  // the scale of every channel is wanted, even where nothing follows
  const results = Results.of(kernels, out, finish, channels, channels * outPlane, true);
  const lineElements = windows ? 0 : width + LINE_SLACK;
  const areas = results && memory.arena(taps * channels, inStaged, lineElements);
  let isDone = areas !== undefined;
  if (areas) {
    const weights = addressIn(kernels, w, 0, taps * channels, areas[0]!);
    const line = areas[2]!;
    // zeros, or masks of the columns that are there
    memory.i32.fill(0, line / 4, line / 4 + lineElements);
    if (tall) memory.i32.fill(-1, line / 4 + padding, line / 4 + padding + width);
    const bytes = 4 * g.output[2];
    for (let n = 0; isDone && n < g.batch; n++) {
      const image = addressIn(kernels, x, n * channels * inPlane, channels * inPlane, areas[1]!);
      const { to, delta } = results.begin(n);
      const { table, low, high } = results;
      if (windows) {
        isDone = eachPadded(kernels, padPlanes, g, stride, image, channels, 0, (first, count, at, plane, row) =>
          windows.depthwise[stride](
            at,
            plane,
            row,
            to + 4 * first * outPlane,
            g.output[1],
            bytes,
            count,
            weights + 4 * taps * first,
            table + 8 * first,
            delta,
            low,
            high,
          ),
        );
      } else {
        eachShare(kernels, channels, outPlane, (first, count) =>
          unpadded!(
            image + 4 * first * inPlane,
            4 * inPlane,
            4 * width,
            height,
            to + 4 * first * outPlane,
            g.output[1],
            bytes,
            count,
            line,
            weights + 4 * taps * first,
            table + 8 * first,
            delta,
            low,
            high,
          ),
        );
      }
      results.end(n);
    }
    memory.free(areas[0]!);
  }
  results?.free();
  return isDone;
}

/** One input channel for every one or two output channels; as many channels at a time as fit the cache. */
function depthwise(
  kernels: Kernels,
  convolution: ConvolutionKernels,
  plan: PhasePlan,
  x: Float32Array,
  w: Float32Array,
  out: Float32Array,
  g: ConvGeometry,
  finish: Finish,
): boolean {
  const [, ay, ax] = plan.axes;
  const [od, oh, ow] = g.output;
  const perGroup = g.outChannels / g.groups;
  const taps = plan.taps.length;
  const inPlane = g.input[0] * g.input[1] * g.input[2];
  const outPlane = od * oh * ow;
  const steps = Math.ceil((((od - 1) * ay.length + oh - 1) * ax.length + ow) / DEPTHWISE_STEP);
  const width = steps * DEPTHWISE_STEP;
  if (Math.max(plan.channel, width, inPlane, g.outChannels * taps) > MAX_AREA) return false;
  const some = Math.max(1, Math.min(g.groups, Math.floor(DEPTHWISE_ELEMENTS / plan.channel)));
  const areas = kernels.memory.arena(
    taps,
    g.outChannels * taps,
    some * plan.channel + width,
    some * inPlane,
    width,
    oh * ow,
    oh * ow,
  );
  if (!areas) return false;
  const [offsets, weights, planes, staging, result, stagedOut, stagedResidual] = areas as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const { f32, i32 } = kernels.memory;
  plan.taps.forEach((tap, t) => (i32[offsets / 4 + t] = tap));
  copyElements32(f32, weights / 4, w, 0, g.outChannels * taps);
  const target = new Target(kernels, out, finish, stagedOut, stagedResidual);
  for (let n = 0; n < g.batch; n++) {
    for (let c0 = 0; c0 < g.groups; c0 += some) {
      const count = Math.min(some, g.groups - c0);
      const source = addressIn(kernels, x, (n * g.groups + c0) * inPlane, count * inPlane, staging);
      fillPlanes(kernels, convolution.padPlanes, plan, planes, source, count, g.input);
      for (let o = 0; o < count * perGroup; o++) {
        const plane = planes + 4 * Math.floor(o / perGroup) * plan.channel;
        const channel = c0 * perGroup + o;
        kernels.depthwise(plane, offsets, weights + 4 * channel * taps, taps, steps, result);
        const to = (n * g.outChannels + channel) * outPlane;
        for (let z = 0; z < od; z++) {
          target.put(to + z * oh * ow, channel, result + 4 * z * ay.length * ax.length, ax.length, oh, ow);
        }
      }
    }
  }
  kernels.memory.free(offsets);
  return true;
}
