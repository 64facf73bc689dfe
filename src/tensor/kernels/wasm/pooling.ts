/** @file float32 pooling on the WebAssembly kernels. Upstream: none. Spec: none. */
import type { PoolGeometry } from "../pooling.ts";
import type { AverageStride } from "./average_programs.ts";
import {
  convolutionKernels,
  family,
  wasmKernels,
  windowKernels,
  type ConvolutionKernels,
  type Kernels,
} from "./build.ts";
import { copyElements32 } from "./copies.ts";
import { addressIn, MAX_STAGED, PLAIN_FINISH, Results, stagedElements, Target } from "./finish.ts";
import { fillPlanes, paddedPlane, phasePlan } from "./planes.ts";
import { runTasks } from "./parallel.ts";
import { DEPTHWISE_STEP } from "./programs.ts";
import { eachPadded, windowStride } from "./windows.ts";

/** Comparisons from which the copies pay. */
const MIN_WORK = 1 << 12;
/** Elements of the planes that are in memory at a time. */
const PLANE_ELEMENTS = 1 << 17;
const MAX_AREA = 1 << 24;
/** Additions of a task. */
const TASK_ELEMENTS = 1 << 16;

/** Maximum of each window, NaN where one is in it. Returns false where the reference kernel is to run. */
export function wasmMaxPool(x: Float32Array, out: Float32Array, g: PoolGeometry): boolean {
  const taps = g.kernel[0] * g.kernel[1] * g.kernel[2];
  if (out.length * taps < MIN_WORK) return false;
  const kernels = wasmKernels();
  const convolution = convolutionKernels();
  if (!kernels || !convolution) return false;
  if (maxPool3(kernels, convolution, x, out, g)) return true;
  const plan = phasePlan(g);
  const [, ay, ax] = plan.axes;
  const [od, oh, ow] = g.output;
  const inPlane = g.input[0] * g.input[1] * g.input[2];
  const steps = Math.ceil((((od - 1) * ay.length + oh - 1) * ax.length + ow) / DEPTHWISE_STEP);
  const width = steps * DEPTHWISE_STEP;
  if (Math.max(plan.channel, width, inPlane) > MAX_AREA) return false;
  const some = Math.max(1, Math.min(g.planes, Math.floor(PLANE_ELEMENTS / plan.channel)));
  const areas = kernels.memory.arena(taps, some * plan.channel + width, some * inPlane, width, oh * ow);
  if (!areas) return false;
  const [offsets, planes, staging, result, staged] = areas as [number, number, number, number, number];
  const { i32 } = kernels.memory;
  plan.taps.forEach((tap, t) => (i32[offsets / 4 + t] = tap));
  const target = new Target(kernels, out, PLAIN_FINISH, staged, 0);
  for (let p0 = 0; p0 < g.planes; p0 += some) {
    const count = Math.min(some, g.planes - p0);
    const source = addressIn(kernels, x, p0 * inPlane, count * inPlane, staging);
    fillPlanes(kernels, convolution.padPlanes, plan, planes, source, count, g.input, -Infinity);
    for (let p = 0; p < count; p++) {
      kernels.windowMax(planes + 4 * p * plan.channel, offsets, taps, steps, result);
      for (let z = 0; z < od; z++) {
        const at = ((p0 + p) * od + z) * oh * ow;
        target.put(at, 0, result + 4 * z * ay.length * ax.length, ax.length, oh, ow);
      }
    }
  }
  kernels.memory.free(offsets);
  return true;
}

/** In windows of 3 by 3; false where they are others. */
function maxPool3(
  kernels: Kernels,
  { padPlanes }: ConvolutionKernels,
  x: Float32Array,
  out: Float32Array,
  g: PoolGeometry,
): boolean {
  const stride = windowStride(g);
  const windows = windowKernels();
  if (stride === 0 || !windows) return false;
  const { memory } = kernels;
  const outPlane = g.output[1] * g.output[2];
  const inAll = g.planes * g.input[1] * g.input[2];
  const inStaged = stagedElements(kernels, x, inAll);
  if (Math.max(inStaged, stagedElements(kernels, out, out.length)) > MAX_STAGED) return false;
  const results = Results.of(kernels, out, PLAIN_FINISH, 0, g.planes * outPlane);
  const areas = results && memory.arena(inStaged);
  let isDone = areas !== undefined;
  if (areas) {
    const from = addressIn(kernels, x, 0, inAll, areas[0]!);
    const { to } = results.begin(0);
    const run = windows.max[stride];
    isDone = eachPadded(kernels, padPlanes, g, stride, from, g.planes, -Infinity, (first, count, at, plane, row) =>
      run(at, plane, row, to + 4 * first * outPlane, g.output[1], 4 * g.output[2], count),
    );
    results.end(0);
  }
  if (areas) memory.free(areas[0]!);
  results?.free();
  return isDone;
}

/** Averages of windows: see average_programs.ts. */
type AverageKernels = Readonly<
  Record<
    `average${AverageStride}`,
    (
      to: number,
      from: number,
      ld: number,
      down: number,
      step: number,
      high: number,
      wide: number,
      divisors: number,
      rows: number,
      columns: number,
    ) => void
  >
>;

/** What the sum of the window at a place of the result is divided by. */
export type WindowDivisor = (y: number, x: number) => number;

/** Average of each window of planes, row by row as PyTorch sums it. Returns false where the reference kernel is to run. */
export function wasmAveragePool(x: Float32Array, out: Float32Array, g: PoolGeometry, divisor: WindowDivisor): boolean {
  const [[kd, kh, kw], [sd, sy, sx], [pd, py, px]] = [g.kernel, g.stride, g.padding];
  const [, oh, ow] = g.output;
  const [, ih, iw] = g.input;
  const planes = g.planes * g.input[0];
  if (out.length * kh * kw < MIN_WORK || ow < 4 || kd !== 1 || sd !== 1 || pd !== 0) return false;
  const kernels = wasmKernels();
  const pad = convolutionKernels()?.padPlanes;
  const averages = family("averages", (exports) => exports as unknown as AverageKernels);
  if (!kernels || !pad || !averages) return false;
  const [height, width] = [(oh - 1) * sy + kh, (ow - 1) * sx + kw];
  const isPadded = py > 0 || px > 0 || height > ih || width > iw;
  const plan = paddedPlane(g.padding, isPadded ? height : ih, isPadded ? width : iw);
  const [inPlane, outPlane, channel] = [ih * iw, oh * ow, isPadded ? plan.channel : ih * iw];
  if (Math.max(channel, inPlane, outPlane) > MAX_AREA) return false;
  const { memory } = kernels;
  const some = Math.max(1, Math.min(planes, Math.floor(PLANE_ELEMENTS / channel) * (kernels.pool?.threads ?? 1)));
  const staged = [stagedElements(kernels, x, some * inPlane), stagedElements(kernels, out, some * outPlane)] as const;
  const areas = memory.arena(outPlane, ...staged, isPadded ? some * channel : 0);
  if (!areas) return false;
  const [divisors, source, target, padded] = areas as [number, number, number, number];
  for (let i = 0, at = divisors / 4; i < oh; i++) for (let j = 0; j < ow; j++) memory.f32[at++] = divisor(i, j);
  const run = averages[`average${sx === 1 || sx === 2 ? sx : 0}`];
  const ld = 4 * (isPadded ? width : iw);
  const share = Math.max(1, Math.floor(TASK_ELEMENTS / (outPlane * kh * kw)));
  for (let first = 0; first < planes; first += some) {
    const count = Math.min(some, planes - first);
    let from = addressIn(kernels, x, first * inPlane, count * inPlane, source);
    const to = memory.addressAt(out, first * outPlane) || target;
    if (isPadded) {
      fillPlanes(kernels, pad, plan, padded, from, count, [1, ih, iw]);
      from = padded;
    }
    runTasks(kernels, Math.ceil(count / share), (_, task) => {
      for (let p = task * share; p < Math.min(count, (task + 1) * share); p++)
        run(to + 4 * p * outPlane, from + 4 * p * channel, ld, sy * ld, 4 * sx, kh, kw, divisors, oh, ow);
    });
    if (to === target) copyElements32(out, first * outPlane, memory.f32, target / 4, count * outPlane);
  }
  memory.free(divisors);
  return true;
}
