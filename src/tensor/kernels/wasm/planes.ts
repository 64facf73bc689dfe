/** @file Padded copies of a convolution's input, split into phases. Upstream: none. Spec: none.
 *
 * Note [Phase planes]: the input of a group is copied once into the kernels' memory, padded, and with strided dimensions split
 * into phases (columns 0, s, 2s, ... then 1, s + 1, ...). Output position p, counted in rows as long as a phase's, then reads
 * element offsets[tap] + p for every tap, whatever stride, padding and dilation are: the convolution is a product whose right
 * operand is gathered tile by tile through a table of offsets, and no column matrix is ever made. Positions between the end of
 * an output row and the end of the phase's row are computed and thrown away. An input that is its own plane and lies in the
 * kernels' memory is used where it is. */
import type { ConvGeometry, Triple } from "../convolution.ts";
import type { Kernels } from "./build.ts";
import { copyElements32 } from "./copies.ts";

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

/** The planes of a geometry. */
export function phasePlan(g: Pick<ConvGeometry, "kernel" | "stride" | "padding" | "dilation" | "output">): PhasePlan {
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

/** Whether the one plane of a channel is the channel as it is. */
export function isWhole(plan: PhasePlan, plane: number): boolean {
  return (
    plan.phase === plane &&
    plan.axes.every((axis) => axis.starts.length === 1 && axis.starts[0] === 0 && axis.stride === 1)
  );
}

/** Fills the phase planes, with `padding` around the input, of `channels` channels at byte address `to`; an input that lies elsewhere passes through `staging`. */
export function fillPlanes(
  kernels: Kernels,
  plan: PhasePlan,
  to: number,
  staging: number,
  x: Float32Array,
  source: number,
  channels: number,
  input: Triple,
  padding = 0,
): void {
  const { f32 } = kernels.memory;
  const [az, ay, ax] = plan.axes;
  const [id, ih, iw] = input;
  const plane = id * ih * iw;
  if (isWhole(plan, plane)) {
    for (let c = 0; c < channels; c++) copyElements32(f32, to / 4 + c * plan.channel, x, source + c * plane, plane);
    return;
  }
  f32.fill(padding, to / 4, to / 4 + channels * plan.channel);
  const resident = kernels.memory.addressOf(x);
  if (resident === 0) copyElements32(f32, staging / 4, x, source, channels * plane);
  const origin = resident === 0 ? staging : resident + 4 * source;
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
              origin + 4 * (c * plane + (iz * ih + y0 + rows.start * ay.stride) * iw + x0 + columns.start * ax.stride);
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
