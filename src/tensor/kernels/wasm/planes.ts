/** @file Padded copies of a convolution's input, split into phases. Upstream: none. Spec: none.
 *
 * Note [Phase planes]: the input of a group is copied once into the kernels' memory, padded, and with strided dimensions split
 * into phases (columns 0, s, 2s, ... then 1, s + 1, ...). Output position p, counted in rows as long as a phase's, then reads
 * element offsets[tap] + p for every tap, whatever stride, padding and dilation are: the convolution is a product whose right
 * operand is gathered tile by tile through a table of offsets, and no column matrix is ever made. Positions between the end of
 * an output row and the end of the phase's row are computed and thrown away. An input that is its own plane and lies in the
 * kernels' memory is used where it is. */
import type { ConvGeometry, Triple } from "../convolution.ts";
import type { ConvolutionKernels, Kernels } from "./build.ts";
import { runTasks } from "./parallel.ts";

/** Elements that a task pads. */
const TASK_ELEMENTS = 1 << 16;

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

export interface PhasePlan {
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

type Windows = Pick<ConvGeometry, "kernel" | "stride" | "padding" | "dilation" | "output">;

/** The planes of geometries that are still in use. */
const plans = new WeakMap<Windows, PhasePlan>();

/** The planes of a geometry, made once. */
export function phasePlan(g: Windows): PhasePlan {
  let plan = plans.get(g);
  if (!plan) plans.set(g, (plan = makePlan(g)));
  return plan;
}

function makePlan(g: Windows): PhasePlan {
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

/** One padded plane a channel, of so many rows and columns. */
export function paddedPlane(padding: Triple, height: number, width: number): PhasePlan {
  const axis = (start: number, length: number): PhaseAxis => ({ stride: 1, starts: [start], length, taps: [] });
  const phase = height * width;
  return {
    axes: [axis(0, 1), axis(-padding[1], height), axis(-padding[2], width)],
    phase,
    channel: (Math.ceil(phase / 16) | 1) * 16,
    taps: [],
  };
}

/** Whether the one plane of a channel is the channel as it is. */
export function isWhole(plan: PhasePlan, plane: number): boolean {
  return (
    plan.phase === plane &&
    plan.axes.every((axis) => axis.starts.length === 1 && axis.starts[0] === 0 && axis.stride === 1)
  );
}

/** Fills the phase planes of `channels` channels at byte address `to`, with `padding` around the input, which lies at byte address `from`. */
export function fillPlanes(
  kernels: Kernels,
  pad: ConvolutionKernels["padPlanes"],
  plan: PhasePlan,
  to: number,
  from: number,
  channels: number,
  input: Triple,
  padding = 0,
): void {
  const share = Math.ceil(channels / Math.ceil((channels * plan.channel) / TASK_ELEMENTS));
  runTasks(kernels, Math.ceil(channels / share), (_, task) => {
    const first = task * share;
    const count = Math.min(share, channels - first);
    const plane = input[0] * input[1] * input[2];
    fillSome(pad, plan, to + 4 * first * plan.channel, from + 4 * first * plane, count, input, padding);
  });
}

/** The same in one task. */
export function fillSome(
  pad: ConvolutionKernels["padPlanes"],
  plan: PhasePlan,
  to: number,
  from: number,
  channels: number,
  input: Triple,
  padding: number,
): void {
  const [az, ay, ax] = plan.axes;
  const [id, ih, iw] = input;
  for (const z0 of az.starts) {
    for (const y0 of ay.starts) {
      const rows = inside(y0, ay.stride, ay.length, ih);
      for (const x0 of ax.starts) {
        const columns = inside(x0, ax.stride, ax.length, iw);
        for (let z = 0; z < az.length; z++, to += 4 * ay.length * ax.length) {
          const iz = z0 + z * az.stride;
          const isEmpty = iz < 0 || iz >= id || rows.count <= 0 || columns.count <= 0;
          const start = (iz * ih + y0 + rows.start * ay.stride) * iw + x0 + columns.start * ax.stride;
          pad(
            to,
            4 * plan.channel,
            4 * ax.length,
            4 * ay.length * ax.length,
            isEmpty ? from : from + 4 * start,
            4 * id * ih * iw,
            4 * ay.stride * iw,
            4 * (rows.start * ax.length + columns.start),
            isEmpty ? 0 : rows.count,
            4 * columns.count,
            4 * ax.stride,
            channels,
            padding,
          );
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
