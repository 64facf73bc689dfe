/** @file float32 convolution on the WebAssembly kernels. Upstream: none. Spec: none.
 *
 * Note [Phase planes]: the input of a group is copied once into the kernels' memory, padded, and with strided dimensions split
 * into phases (columns 0, s, 2s, ... then 1, s + 1, ...). Output position p, counted in rows as long as a phase's, then reads
 * element offsets[tap] + p for every tap, whatever stride, padding and dilation are: the convolution is a product whose right
 * operand is gathered tile by tile through a table of offsets, and no column matrix is ever made. Positions between the end of
 * an output row and the end of the phase's row are computed and thrown away. */
import type { ConvGeometry, Triple } from "../convolution.ts";
import { wasmKernels, type Kernels } from "./build.ts";
import { KernelLayout } from "./memory.ts";
import { COLUMNS, DEPTHWISE_STEP, ROWS } from "./programs.ts";
import { copyElements32, packedElements, packLeft, runPacked, stagingElements } from "./product.ts";

/** Multiplications of a whole convolution from which the copies pay. */
const MIN_WORK = 1 << 13;
/** Elements of one area: larger groups run on the reference kernel, whose products come back here in parts. */
const MAX_AREA = 1 << 24;
/** Elements of the results that are computed before they are copied out. */
const RESULT_ELEMENTS = 1 << 18;
/** Elements of the depthwise planes that are in memory at a time. */
const DEPTHWISE_ELEMENTS = 1 << 17;
/** Most computed positions for one that is kept. */
const MAX_WASTE = 3;

/** One dimension of a phase plane. */
interface PhaseAxis {
  readonly stride: number;
  /** First input coordinate of each phase, minus the padding. */
  readonly starts: readonly number[];
  /** Elements of one phase. */
  readonly length: number;
  /** Phase and position of each tap. */
  readonly taps: readonly { readonly phase: number; readonly shift: number }[];
}

interface PhasePlan {
  readonly axes: readonly [PhaseAxis, PhaseAxis, PhaseAxis];
  /** Elements of one phase and of one channel. */
  readonly phase: number;
  readonly channel: number;
  /** Byte offsets of the taps within a channel. */
  readonly taps: readonly number[];
}

function phaseAxis(kernel: number, stride: number, padding: number, dilation: number, output: number): PhaseAxis {
  const residues: number[] = [];
  const taps = Array.from({ length: kernel }, (_, t) => {
    const residue = (t * dilation) % stride;
    let phase = residues.indexOf(residue);
    if (phase < 0) phase = residues.push(residue) - 1;
    return { phase, shift: Math.floor((t * dilation) / stride) };
  });
  return {
    stride,
    starts: residues.map((r) => r - padding),
    length: output + Math.floor((dilation * (kernel - 1)) / stride),
    taps,
  };
}

function phasePlan(g: ConvGeometry): PhasePlan {
  const axis = (d: 0 | 1 | 2): PhaseAxis =>
    phaseAxis(g.kernel[d], g.stride[d], g.padding[d], g.dilation[d], g.output[d]);
  const axes = [axis(0), axis(1), axis(2)] as const;
  const [z, y, x] = axes;
  const phase = z.length * y.length * x.length;
  const taps = z.taps.flatMap((a) =>
    y.taps.flatMap((b) =>
      x.taps.map((c) => {
        const at = (a.phase * y.starts.length + b.phase) * x.starts.length + c.phase;
        return 4 * (at * phase + (a.shift * y.length + b.shift) * x.length + c.shift);
      }),
    ),
  );
  const elements = phase * z.starts.length * y.starts.length * x.starts.length;
  // an odd number of cache lines between channels, or they fall on the same few sets of the cache
  return { axes, phase, channel: (Math.ceil(elements / 16) | 1) * 16, taps };
}

/** Fills the phase planes of `channels` channels at byte address `to`; the input passes through `staging`. */
function fillPlanes(
  kernels: Kernels,
  plan: PhasePlan,
  to: number,
  staging: number,
  x: Float32Array,
  source: number,
  channels: number,
  input: Triple,
): void {
  const { f32 } = kernels.memory;
  const [az, ay, ax] = plan.axes;
  const [id, ih, iw] = input;
  const plane = id * ih * iw;
  const isWhole =
    plan.phase === plane &&
    az.starts.length * ay.starts.length * ax.starts.length === 1 &&
    az.starts[0] === 0 &&
    ay.starts[0] === 0 &&
    ax.starts[0] === 0;
  if (isWhole && az.stride * ay.stride * ax.stride === 1) {
    for (let c = 0; c < channels; c++) copyElements32(f32, to / 4 + c * plan.channel, x, source + c * plane, plane);
    return;
  }
  f32.fill(0, to / 4, to / 4 + channels * plan.channel);
  copyElements32(f32, staging / 4, x, source, channels * plane);
  for (let c = 0; c < channels; c++) {
    let at = to / 4 + c * plan.channel;
    for (const z0 of az.starts) {
      for (const y0 of ay.starts) {
        const rows = inside(y0, ay.stride, ay.length, ih);
        for (const x0 of ax.starts) {
          const columns = inside(x0, ax.stride, ax.length, iw);
          for (let z = 0; z < az.length; z++, at += ay.length * ax.length) {
            const iz = z0 + z * az.stride;
            if (iz < 0 || iz >= id || rows.count <= 0 || columns.count <= 0) continue;
            const first = at + rows.start * ax.length + columns.start;
            const from =
              staging + 4 * (c * plane + (iz * ih + y0 + rows.start * ay.stride) * iw + x0 + columns.start * ax.stride);
            kernels.copyRows(
              4 * first,
              4 * ax.length,
              from,
              4 * ay.stride * iw,
              rows.count,
              4 * columns.count,
              4 * ax.stride,
            );
          }
        }
      }
    }
  }
}

/** The positions of a phase whose input coordinate lies in [0, size). */
function inside(first: number, stride: number, length: number, size: number): { start: number; count: number } {
  const start = first < 0 ? Math.ceil(-first / stride) : 0;
  const end = Math.min(length, Math.ceil((size - first) / stride));
  return { start, count: end - start };
}

/** out (N, O, ...) = x (N, C, ...) convolved with w (O, C / groups, ...). Returns false where the reference kernel is to run. */
export function wasmConvolve(x: Float32Array, w: Float32Array, out: Float32Array, g: ConvGeometry): boolean {
  const inPer = g.inChannels / g.groups;
  const taps = g.kernel[0] * g.kernel[1] * g.kernel[2];
  const outPlane = g.output[0] * g.output[1] * g.output[2];
  const outPer = g.outChannels / g.groups;
  if (g.groups * outPer * outPlane * inPer * taps < MIN_WORK) return false;
  const kernels = wasmKernels();
  if (kernels === undefined) return false;
  const plan = phasePlan(g);
  const [, ay, ax] = plan.axes;
  const computed = ((g.output[0] - 1) * ay.length + g.output[1]) * ax.length;
  if (computed > MAX_WASTE * outPlane + 64) return false;
  if (inPer === 1 && outPer <= 2) return depthwise(kernels, plan, x, w, out, g);
  const k = inPer * taps;
  const inPlane = g.input[0] * g.input[1] * g.input[2];
  const rowsPerPass = Math.max(1, Math.min(g.output[1], Math.floor(RESULT_ELEMENTS / (outPer * ax.length))));
  const width = Math.ceil((rowsPerPass * ax.length) / COLUMNS) * COLUMNS;
  const elements = [
    packedElements(outPer, k),
    inPer * plan.channel,
    Math.ceil(outPer / ROWS) * ROWS * width,
    k * COLUMNS,
    inPer * inPlane,
  ];
  if (elements.some((n) => n > MAX_AREA)) return false;
  const layout = new KernelLayout();
  const offsets = layout.area(k);
  const scratch = layout.area(k * COLUMNS);
  const weights = layout.area(elements[0]!);
  const planes = layout.area(elements[1]! + width);
  const staging = layout.area(Math.max(inPer * inPlane, stagingElements(k)));
  const result = layout.area(elements[2]!);
  const kept = layout.area(rowsPerPass * g.output[2]);
  if (!kernels.memory.reserve(layout.bytes)) return false;
  const { i32 } = kernels.memory;
  for (let c = 0, at = offsets / 4; c < inPer; c++) for (const tap of plan.taps) i32[at++] = 4 * c * plan.channel + tap;
  for (let group = 0; group < g.groups; group++) {
    packLeft(kernels, weights, staging, w, group * outPer * k, k, outPer, k);
    for (let n = 0; n < g.batch; n++) {
      fillPlanes(kernels, plan, planes, staging, x, (n * g.inChannels + group * inPer) * inPlane, inPer, g.input);
      const target = (n * g.outChannels + group * outPer) * outPlane;
      for (let z = 0; z < g.output[0]; z++) {
        for (let y = 0; y < g.output[1]; y += rowsPerPass) {
          const rows = Math.min(rowsPerPass, g.output[1] - y);
          const tiles = Math.ceil(((rows - 1) * ax.length + g.output[2]) / COLUMNS);
          const ldc = tiles * COLUMNS;
          const b = planes + 4 * (z * ay.length + y) * ax.length;
          runPacked(kernels, {
            a: weights,
            m: outPer,
            k,
            b,
            tileStride: 4 * COLUMNS,
            offsets,
            scratch,
            tiles,
            c: result,
            ldc,
          });
          for (let o = 0; o < outPer; o++) {
            const to = target + o * outPlane + (z * g.output[1] + y) * g.output[2];
            keepRows(kernels, result + 4 * o * ldc, ax.length, kept, out, to, rows, g.output[2]);
          }
        }
      }
    }
  }
  return true;
}

/** Copies the first `columns` elements of every row, `stride` elements apart, out of the kernels' memory. */
function keepRows(
  kernels: Kernels,
  from: number,
  stride: number,
  kept: number,
  out: Float32Array,
  to: number,
  rows: number,
  columns: number,
): void {
  if (stride !== columns) {
    kernels.copyRows(kept, 4 * columns, from, 4 * stride, rows, 4 * columns, 4);
    from = kept;
  }
  copyElements32(out, to, kernels.memory.f32, from / 4, rows * columns);
}

/** One input channel for every one or two output channels; as many channels at a time as fit the cache. */
function depthwise(
  kernels: Kernels,
  plan: PhasePlan,
  x: Float32Array,
  w: Float32Array,
  out: Float32Array,
  g: ConvGeometry,
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
  const layout = new KernelLayout();
  const offsets = layout.area(taps);
  const weights = layout.area(g.outChannels * taps);
  const planes = layout.area(some * plan.channel + width);
  const staging = layout.area(some * inPlane);
  const result = layout.area(width);
  const kept = layout.area(some * perGroup * outPlane);
  if (!kernels.memory.reserve(layout.bytes)) return false;
  const { f32, i32 } = kernels.memory;
  plan.taps.forEach((tap, t) => (i32[offsets / 4 + t] = tap));
  copyElements32(f32, weights / 4, w, 0, g.outChannels * taps);
  for (let n = 0; n < g.batch; n++) {
    for (let c0 = 0; c0 < g.groups; c0 += some) {
      const count = Math.min(some, g.groups - c0);
      fillPlanes(kernels, plan, planes, staging, x, (n * g.groups + c0) * inPlane, count, g.input);
      let to = kept;
      for (let o = 0; o < count * perGroup; o++) {
        const plane = planes + 4 * Math.floor(o / perGroup) * plan.channel;
        kernels.depthwise(plane, offsets, weights + 4 * (c0 * perGroup + o) * taps, taps, steps, result);
        for (let z = 0; z < od; z++, to += 4 * oh * ow) {
          kernels.copyRows(to, 4 * ow, result + 4 * z * ay.length * ax.length, 4 * ax.length, oh, 4 * ow, 4);
        }
      }
      copyElements32(out, (n * g.outChannels + c0 * perGroup) * outPlane, f32, kept / 4, count * perGroup * outPlane);
    }
  }
  return true;
}
