/** @file float32 convolution on the WebAssembly kernels. Upstream: none. Spec: none.
 *
 * 3 by 3 convolutions with stride 1 take Winograd's way (winograd.ts), others are products over phase planes (planes.ts). */
import type { Storage } from "../../storage.ts";
import type { ConvGeometry } from "../convolution.ts";
import { wasmKernels, type Kernels } from "./build.ts";
import { copyElements32 } from "./copies.ts";
import { PLAIN_FINISH, Target, type Finish } from "./finish.ts";
import { packedWeights } from "./packed_weights.ts";
import { fillPlanes, isWhole, phasePlan, type PhasePlan } from "./planes.ts";
import { packedElements, packLeft, runPacked, stagingElements } from "./product.ts";
import { COLUMNS, DEPTHWISE_STEP } from "./programs.ts";
import { winogradConvolve } from "./winograd.ts";

/** Multiplications of a whole convolution from which the copies pay. */
const MIN_WORK = 1 << 13;
/** Elements of one area: larger groups run on the reference kernel, whose products come back here in parts. */
const MAX_AREA = 1 << 24;
/** Elements of the results that are computed before they are finished. */
const RESULT_ELEMENTS = 1 << 17;
/** Elements of the depthwise planes that are in memory at a time. */
const DEPTHWISE_ELEMENTS = 1 << 17;
/** Most computed positions for one that is kept. */
const MAX_WASTE = 3;

/**
 * out (N, O, ...) = x (N, C, ...) convolved with w (O, C / groups, ...), then `finish`. Arrays of the kernels' memory are used in
 * place; `owner` is the storage that w views, for keeping what is made of it. Returns false where the reference kernel is to run.
 */
export function wasmConvolve(
  x: Float32Array,
  w: Float32Array,
  out: Float32Array,
  g: ConvGeometry,
  finish: Finish = PLAIN_FINISH,
  owner?: Storage,
): boolean {
  const inPer = g.inChannels / g.groups;
  const taps = g.kernel[0] * g.kernel[1] * g.kernel[2];
  const outPlane = g.output[0] * g.output[1] * g.output[2];
  const outPer = g.outChannels / g.groups;
  if (g.groups * outPer * outPlane * inPer * taps < MIN_WORK) return false;
  const kernels = wasmKernels();
  if (kernels === undefined) return false;
  if (winogradConvolve(kernels, x, w, out, g, finish, owner)) return true;
  const plan = phasePlan(g);
  const [, ay, ax] = plan.axes;
  const computed = ((g.output[0] - 1) * ay.length + g.output[1]) * ax.length;
  if (computed > MAX_WASTE * outPlane + 64) return false;
  if (inPer === 1 && outPer <= 2) return depthwise(kernels, plan, x, w, out, g, finish);
  const k = inPer * taps;
  const inPlane = g.input[0] * g.input[1] * g.input[2];
  const resident = isWhole(plan, inPlane) ? kernels.memory.addressOf(x) : 0;
  const channel = resident === 0 ? plan.channel : inPlane;
  const panelRows = packedElements(kernels, outPer, 1);
  // where a kernel is one element wide, a plane that is used as it is has no ends of rows to throw away
  const row = isWhole(plan, inPlane) && ax.length === g.output[2] ? g.output[1] * g.output[2] : ax.length;
  const [rows, columns] = row === ax.length ? [g.output[1], g.output[2]] : [1, row];
  const rowsPerPass = Math.max(1, Math.min(rows, Math.floor(RESULT_ELEMENTS / (panelRows * row))));
  const columnsPerPass =
    rows > 1 ? columns : Math.min(columns, Math.max(COLUMNS, Math.floor(RESULT_ELEMENTS / panelRows) & -COLUMNS));
  const width = Math.ceil((rowsPerPass * Math.min(row, rows > 1 ? row : columnsPerPass)) / COLUMNS) * COLUMNS;
  const packed = packedElements(kernels, outPer, k);
  const elements = [packed, inPer * channel, panelRows * width, k * COLUMNS];
  if (elements.some((n) => n > MAX_AREA)) return false;
  const kept = packedWeights(
    kernels.memory,
    owner,
    `conv:${kernels.rows}:${w.byteOffset}:${w.length}:${g.groups}:${k}`,
    g.groups * packed,
    (address) => packGroups(kernels, address, w, g.groups, outPer, k),
  );
  const put = rowsPerPass * columnsPerPass;
  const areas = kernels.memory.arena(
    k,
    k * COLUMNS,
    kept === 0 ? g.groups * packed : 0,
    resident === 0 ? inPer * channel + width : 0,
    resident === 0 ? inPer * inPlane : 0,
    panelRows * width,
    put,
    put,
  );
  if (!areas) return false;
  const [offsets, scratch, own, planes, staging, result, stagedOut, stagedResidual] = areas as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const weights = kept === 0 ? own : kept;
  const { i32 } = kernels.memory;
  for (let c = 0, at = offsets / 4; c < inPer; c++) for (const tap of plan.taps) i32[at++] = 4 * c * channel + tap;
  const isReady = kept !== 0 || packGroups(kernels, weights, w, g.groups, outPer, k);
  const target = new Target(kernels, out, finish, stagedOut, stagedResidual);
  for (let n = 0; isReady && n < g.batch; n++) {
    for (let group = 0; group < g.groups; group++) {
      const source = (n * g.inChannels + group * inPer) * inPlane;
      if (resident === 0) fillPlanes(kernels, plan, planes, staging, x, source, inPer, g.input);
      const base = resident === 0 ? planes : resident + 4 * source;
      const first = (n * g.outChannels + group * outPer) * outPlane;
      for (let z = 0; z < g.output[0]; z++) {
        for (let y = 0; y < rows; y += rowsPerPass) {
          for (let c0 = 0; c0 < columns; c0 += columnsPerPass) {
            const someRows = Math.min(rowsPerPass, rows - y);
            const someColumns = Math.min(columnsPerPass, columns - c0);
            const tiles = Math.ceil(((someRows - 1) * row + someColumns) / COLUMNS);
            const ldc = tiles * COLUMNS;
            runPacked(kernels, {
              a: weights + 4 * group * packed,
              m: outPer,
              k,
              b: base + 4 * ((z * ay.length + y) * ax.length + c0),
              tileStride: 4 * COLUMNS,
              offsets,
              scratch,
              tiles,
              c: result,
              ldc,
            });
            for (let o = 0; o < outPer; o++) {
              const to = first + o * outPlane + (z * g.output[1] + y) * g.output[2] + c0;
              target.put(
                to,
                group * outPer + o,
                result + 4 * o * ldc,
                rows > 1 ? row : someColumns,
                someRows,
                someColumns,
              );
            }
          }
        }
      }
    }
  }
  kernels.memory.free(offsets);
  return isReady;
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

/** One input channel for every one or two output channels; as many channels at a time as fit the cache. */
function depthwise(
  kernels: Kernels,
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
      fillPlanes(kernels, plan, planes, staging, x, (n * g.groups + c0) * inPlane, count, g.input);
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
