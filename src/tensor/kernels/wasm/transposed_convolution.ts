/** @file float32 transposed convolution on the WebAssembly kernels. Upstream: none. Spec: none.
 *
 * A product makes of some lines of the input what every point of the kernel adds to the output, for as many output channels and lines as
 * the second-level cache holds; then it is added there, point by point. Weights are packed at every call: it costs what reading them does. */
import type { ConvGeometry } from "../convolution.ts";
import { convolutionKernels, spreadKernels, wasmKernels, type Kernels, type SpreadKernels } from "./build.ts";
import { addressIn, MAX_STAGED, PLAIN_FINISH, Results, stagedElements } from "./finish.ts";
import type { Weights } from "./packed_weights.ts";
import { runTasks, threadAreas } from "./parallel.ts";
import { innerStep, packedElements, PASS_PANELS } from "./product.ts";
import { COLUMNS } from "./programs.ts";
import type { Spread } from "./spread_programs.ts";

/** Multiplications from which the copies pay. */
const MIN_WORK = 1 << 13;
/** Most tasks of an image, and multiplications from which one pays. */
const MAX_TASKS = 16;
const TASK_WORK = 1 << 19;
/** Elements of the product that wait to be added. */
const WAITING_ELEMENTS = 1 << 16;
/** Elements of the tiles that are gathered at a time. */
const GATHERED_ELEMENTS = 1 << 11;
/** Most elements of weights that are copied. */
const MAX_WEIGHTS = 1 << 24;

/** What a point of the kernel does along a dimension: input positions [from, to) go to every `stride`th output from `first` on. */
interface Reach {
  readonly from: number;
  readonly to: number;
  readonly first: number;
}

function reachOf(g: ConvGeometry, d: 0 | 1 | 2, tap: number): Reach {
  const [stride, shift] = [g.stride[d], tap * g.dilation[d] - g.padding[d]];
  const from = Math.max(0, Math.ceil(-shift / stride));
  const to = Math.min(g.input[d], Math.floor((g.output[d] - 1 - shift) / stride) + 1);
  return { from, to, first: from * stride + shift };
}

const reaches = (g: ConvGeometry, d: 0 | 1 | 2): Reach[] =>
  Array.from({ length: g.kernel[d] }, (_, tap) => reachOf(g, d, tap));

/** Columns of one or two neighbouring points of the kernel. */
interface Across extends Reach {
  readonly spread: Spread;
  readonly tap: number;
}

function acrossOf(g: ConvGeometry): Across[] {
  const out: Across[] = [];
  const all = reaches(g, 2);
  for (let tap = 0; tap < all.length; tap++) {
    const [reach, next] = [all[tap]!, all[tap + 1]];
    if (reach.from >= reach.to) continue;
    const isPair = g.stride[2] === 2 && g.dilation[2] === 1 && next?.from === reach.from && next.to === reach.to;
    out.push({ ...reach, tap, spread: isPair ? "Pairs" : g.stride[2] === 1 ? "Dense" : "Any" });
    if (isPair) tap++;
  }
  return out;
}

/** How an image is divided, and where its points go. */
interface Plan {
  /** Channels of a group of the input. */
  readonly k: number;
  /** Channels of a group of the output, those of a task, and the tasks of a group. */
  readonly outPer: number;
  readonly some: number;
  readonly parts: number;
  readonly taps: number;
  readonly inPlane: number;
  readonly outPlane: number;
  /** Lines of the input, and those that are multiplied at a time. */
  readonly allLines: number;
  readonly lines: number;
  readonly reach: readonly [deep: readonly Reach[], down: readonly Reach[], across: readonly Across[]];
}

function planOf(kernels: Kernels, g: ConvGeometry): Plan {
  const [k, outPer] = [g.inChannels / g.groups, g.outChannels / g.groups];
  const [depth, height, width] = g.input;
  const taps = g.kernel[0] * g.kernel[1] * g.kernel[2];
  const inPlane = depth * height * width;
  const tasks = kernels.pool
    ? Math.max(1, Math.min(MAX_TASKS, Math.floor((outPer * taps * k * inPlane) / TASK_WORK)))
    : 1;
  const most = Math.min(Math.floor(WAITING_ELEMENTS / width), PASS_PANELS * kernels.rows);
  const some = Math.max(1, Math.min(Math.ceil(outPer / tasks), Math.floor(most / taps)));
  return {
    k,
    outPer,
    some,
    parts: Math.ceil(outPer / some),
    taps,
    inPlane,
    outPlane: g.output[0] * g.output[1] * g.output[2],
    allLines: depth * height,
    lines: Math.min(depth * height, Math.floor(WAITING_ELEMENTS / (some * taps * width))),
    reach: [reaches(g, 0), reaches(g, 1), acrossOf(g)],
  };
}

/** Adds what waits of `count` lines to `outs` channels of the output. */
function spreadLines(
  spreads: SpreadKernels,
  g: ConvGeometry,
  { outPlane, taps, reach: [deep, down, across] }: Plan,
  waiting: number,
  line: number,
  count: number,
  target: number,
  outs: number,
): void {
  const [, height, width] = g.input;
  const [, oh, ow] = g.output;
  const columns = count * width;
  for (let z = Math.floor(line / height); z * height < line + count; z++) {
    const first = line - z * height;
    for (const [a, zs] of deep.entries()) {
      if (z < zs.from || z >= zs.to) continue;
      const oz = zs.first + (z - zs.from) * g.stride[0];
      for (const [b, ys] of down.entries()) {
        const [from, to] = [Math.max(first, ys.from, 0), Math.min(first + count, ys.to)];
        if (from >= to) continue;
        const oy = ys.first + (from - ys.from) * g.stride[1];
        for (const { spread, tap, ...xs } of across)
          spreads[`spread${spread}`](
            target + 4 * ((oz * oh + oy) * ow + xs.first),
            4 * outPlane,
            4 * g.stride[1] * ow,
            4 * g.stride[2],
            waiting + 4 * (((a * g.kernel[1] + b) * g.kernel[2] + tap) * columns + (from - first) * width + xs.from),
            4 * columns,
            4 * taps * columns,
            4 * width,
            outs,
            to - from,
            xs.to - xs.from,
          );
      }
    }
  }
}

/** Address of weights where they lie or, in an area, were copied to: 0 where they are too many. */
function weightsIn({ memory }: Kernels, w: Weights): { address: number; area: number } {
  const address = w.addressIn(memory);
  if (address !== 0 || w.length > MAX_WEIGHTS) return { address, area: 0 };
  const area = memory.allocate(4 * w.length);
  if (area !== 0) memory.f32.set(w.values, area / 4);
  return { address: area, area };
}

/**
 * out (N, O, ...) = x (N, C, ...) convolved, transposed, with w (C, O / groups, ...), plus the bias of every channel; `input` is x's
 * size. Returns false where the reference kernel is to run.
 */
export function wasmConvolveTransposed(
  x: Float32Array,
  w: Weights,
  out: Float32Array,
  g: ConvGeometry,
  bias: ArrayLike<number> | undefined,
): boolean {
  const inImage = g.inChannels * g.input[0] * g.input[1] * g.input[2];
  const outImage = g.outChannels * g.output[0] * g.output[1] * g.output[2];
  const taps = g.kernel[0] * g.kernel[1] * g.kernel[2];
  if ((inImage * g.outChannels * taps) / g.groups < MIN_WORK || taps * g.input[2] > WAITING_ELEMENTS) return false;
  const [kernels, convolution, spreads] = [wasmKernels(), convolutionKernels(), spreadKernels()];
  if (!kernels || !convolution || !spreads) return false;
  const { memory } = kernels;
  const inStaged = stagedElements(kernels, x, inImage);
  if (Math.max(inStaged, stagedElements(kernels, out, outImage)) > MAX_STAGED) return false;
  const plan = planOf(kernels, g);
  const { k, some, lines, parts, outPer, inPlane, outPlane } = plan;
  const group = Math.max(1, Math.floor(GATHERED_ELEMENTS / (COLUMNS * innerStep(k))));
  const { address: weights, area } = weightsIn(kernels, w);
  const results = weights === 0 ? undefined : Results.of(kernels, out, PLAIN_FINISH, g.outChannels, outImage);
  const areas = results && memory.arena(k, inStaged);
  const own =
    areas &&
    threadAreas(
      kernels,
      packedElements(kernels, some * taps, k),
      some * taps * lines * g.input[2],
      group * COLUMNS * innerStep(k),
    );
  if (own) {
    const [offsets, staging] = areas as [number, number];
    const [left, waiting, gathered] = own.at as [number, number, number];
    for (let c = 0; c < k; c++) memory.i32[offsets / 4 + c] = 4 * c * inPlane;
    /** Multiplies and spreads so many channels of the output, the first of which has its weights at `a` and goes to `target`. */
    const multiply = (a: number, source: number, target: number, outs: number): void => {
      const rows = outs * taps;
      packTransposed(kernels, spreads, left, a, 4 * outPer * taps, rows, k);
      for (let line = 0; line < plan.allLines; line += lines) {
        const count = Math.min(lines, plan.allLines - line);
        const columns = count * g.input[2];
        const from = source + 4 * line * g.input[2];
        for (let k0 = 0; k0 < k; k0 += innerStep(k)) {
          const [packed, depth] = [left + 4 * packedElements(kernels, rows, k0), Math.min(innerStep(k), k - k0)];
          const [c, ldc] = [waiting, 4 * columns];
          const at = offsets + 4 * k0;
          convolution.convolve(packed, from, 0, at, depth, rows, columns, c, ldc, k0, gathered, group, 0, 0, 0, 0);
        }
        spreadLines(spreads, g, plan, waiting, line, count, target, outs);
      }
    };
    for (let n = 0; n < g.batch; n++) {
      const image = addressIn(kernels, x, n * inImage, inImage, staging);
      const { to } = results.begin(n);
      for (let c = 0, at = to / 4; c < g.outChannels; c++, at += outPlane)
        memory.f32.fill(bias ? bias[c]! : 0, at, at + outPlane);
      const body = (_: Kernels, task: number): void => {
        const index = Math.floor(task / parts);
        const first = (task % parts) * some;
        const a = weights + 4 * (index * k * outPer + first) * taps;
        const target = to + 4 * (index * outPer + first) * outPlane;
        multiply(a, image + 4 * index * k * inPlane, target, Math.min(some, outPer - first));
      };
      runTasks(kernels, g.groups * parts, body, own);
      results.end(n);
    }
    memory.free(own.start);
  }
  if (areas) memory.free(areas[0]!);
  results?.free();
  if (area !== 0) memory.free(area);
  return own !== undefined;
}

/** `packResident` for an operand that lies transposed: `rows` columns of k rows, `ld` bytes apart. */
function packTransposed(
  kernels: Kernels,
  { packTransposed: pack }: SpreadKernels,
  to: number,
  from: number,
  ld: number,
  rows: number,
  k: number,
): void {
  const step = innerStep(k);
  const panels = Math.ceil(rows / kernels.rows);
  for (let k0 = 0; k0 < k; k0 += step)
    pack(to + 4 * packedElements(kernels, rows, k0), from + k0 * ld, ld, Math.min(step, k - k0), panels, kernels.rows);
}
