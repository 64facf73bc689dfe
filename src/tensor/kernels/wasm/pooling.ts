/** @file float32 pooling on the WebAssembly kernels. Upstream: none. Spec: none. */
import type { PoolGeometry } from "../pooling.ts";
import { convolutionKernels, wasmKernels, windowKernels, type ConvolutionKernels, type Kernels } from "./build.ts";
import { addressIn, MAX_STAGED, PLAIN_FINISH, Results, stagedElements, Target } from "./finish.ts";
import { fillPlanes, phasePlan } from "./planes.ts";
import { DEPTHWISE_STEP } from "./programs.ts";
import { eachPadded, windowStride } from "./windows.ts";

/** Comparisons from which the copies pay. */
const MIN_WORK = 1 << 12;
/** Elements of the planes that are in memory at a time. */
const PLANE_ELEMENTS = 1 << 17;
const MAX_AREA = 1 << 24;

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
