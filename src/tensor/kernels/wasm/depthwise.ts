/** @file float32 depthwise convolutions on the WebAssembly kernels. Upstream: none. Spec: none. */
import type { ConvGeometry } from "../convolution.ts";
import {
  tallKernels,
  unpaddedKernels,
  windowKernels,
  type ConvolutionKernels,
  type Kernels,
  type UnpaddedKernel,
  type WindowKernels,
} from "./build.ts";
import { copyElements32 } from "./copies.ts";
import { TALL_ROWS } from "./depthwise_programs.ts";
import { addressIn, MAX_STAGED, NO_AREAS, Results, stagedElements, Target, type Finish } from "./finish.ts";
import { KeptTables, Prepared } from "./kept_tables.ts";
import type { Weights } from "./packed_weights.ts";
import { fillPlanes, type PhasePlan } from "./planes.ts";
import { DEPTHWISE_STEP } from "./programs.ts";
import { eachPadded, eachShare, windowStride } from "./windows.ts";

/** Elements of one area: larger ones run on the reference kernel. */
const MAX_AREA = 1 << 24;
/** Elements of the planes that are in memory at a time. */
const DEPTHWISE_ELEMENTS = 1 << 17;
/** Elements behind a line of zeros or of masks that is as long as a row of the input: windows reach beyond it. */
const LINE_SLACK = 16;

/** Columns up to which blocks of rows pay for windows of 3 by 3: rows of longer ones lie too far apart. */
const MAX_TALL_COLUMNS = 64;

/** Whether results of such sizes are worth blocks of TALL_ROWS: those of 3 by 3 have another way, a fifth slower. */
function fillsBlocks(rows: number, columns: number, size: number): boolean {
  const computed = Math.ceil(rows / TALL_ROWS) * TALL_ROWS;
  return rows >= TALL_ROWS && (size > 3 || (columns <= MAX_TALL_COLUMNS && 5 * computed <= 6 * rows));
}

/** The kernel for windows of a geometry. */
interface WindowPlan {
  readonly stride: 1 | 2;
  /** One for planes as they lie, or those for padded ones. */
  readonly unpadded: UnpaddedKernel | undefined;
  readonly windows: WindowKernels | undefined;
  /** Elements of the line of zeros or masks. */
  readonly lineElements: number;
  readonly fillLine: (i32: Int32Array, at: number) => void;
  /** Filters and line, see Note [Kept tables]. */
  tables?: KeptTables | undefined;
}

const windowPlans = new Prepared<WindowPlan | undefined>();

function windowPlan(g: ConvGeometry): WindowPlan | undefined {
  const size = g.kernel[2];
  const stride = windowStride(g, size);
  if (stride === 0) return undefined;
  const padding = (size - 1) / 2;
  const width = g.input[2];
  const isCentred = g.padding[1] === padding && g.padding[2] === padding;
  const tall = isCentred && fillsBlocks(g.output[1], g.output[2], size) ? tallKernels(size)?.[stride] : undefined;
  const unpadded = tall ?? (isCentred && size === 3 && g.output[2] > 4 ? unpaddedKernels()?.[stride] : undefined);
  const windows = size === 3 && !unpadded ? windowKernels() : undefined;
  if (!unpadded && !windows) return undefined;
  const lineElements = windows ? 0 : width + LINE_SLACK;
  // zeros, or masks of the columns that are there
  const fillLine = (i32: Int32Array, at: number): void => {
    i32.fill(0, at, at + lineElements);
    if (tall) i32.fill(-1, at + padding, at + padding + width);
  };
  return { stride, unpadded, windows, lineElements, fillLine };
}

/** One input channel for every output channel, in square windows; false where there is no kernel for them. */
export function depthwiseWindows(
  kernels: Kernels,
  { padPlanes }: ConvolutionKernels,
  x: Float32Array,
  w: Weights,
  out: Float32Array,
  g: ConvGeometry,
  finish: Finish,
): boolean {
  const { plan, calls } = windowPlans.get(g, () => windowPlan(g));
  if (!plan) return false;
  const { stride, unpadded, windows, lineElements } = plan;
  const { memory } = kernels;
  const channels = g.outChannels;
  const [, height, width] = g.input;
  const outPlane = g.output[1] * g.output[2];
  const inPlane = height * width;
  const taps = g.kernel[1] * g.kernel[2];
  const inStaged = stagedElements(kernels, x, channels * inPlane);
  if (Math.max(inStaged, stagedElements(kernels, out, channels * outPlane)) > MAX_STAGED) return false;
  if (calls === 1) {
    plan.tables = KeptTables.of(kernels, [taps * channels, lineElements], channels);
    if (plan.tables) plan.fillLine(memory.i32, plan.tables.at[1]! / 4);
  }
  const { tables } = plan;
  // the scale of every channel is wanted, even where nothing follows
  const results = Results.of(kernels, out, finish, channels, channels * outPlane, { wantsTable: true, tables });
  const needsNone = inStaged === 0 && tables !== undefined;
  const areas =
    results && (needsNone ? NO_AREAS : memory.arena(inStaged, tables ? 0 : taps * channels, tables ? 0 : lineElements));
  let isDone = areas !== undefined;
  if (areas) {
    const weights = tables
      ? tables.valuesOf(w, tables.at[0]!)
      : addressIn(kernels, w.values, 0, taps * channels, areas[1]!);
    const line = tables ? tables.at[1]! : areas[2]!;
    if (!tables) plan.fillLine(memory.i32, line / 4);
    const bytes = 4 * g.output[2];
    for (let n = 0; isDone && n < g.batch; n++) {
      const image = addressIn(kernels, x, n * channels * inPlane, channels * inPlane, areas[0]!);
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
export function depthwise(
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
