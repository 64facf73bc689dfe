/** @file Square windows plane by plane: depthwise convolutions and maxima. Upstream: none. Spec: none.
 *
 * Planes are padded into an area that the first-level cache holds, a few at a time, and read from there. */
import type { Triple } from "../convolution.ts";
import type { ConvolutionKernels, Kernels } from "./build.ts";
import { runTasks, threadAreas, type ThreadAreas } from "./parallel.ts";
import { fillSome, paddedPlane } from "./planes.ts";

/** Elements of the planes that are padded at a time, where one has not more. */
const PADDED_ELEMENTS = 6 << 10;
/** Most elements of a padded plane. */
const MAX_PLANE = 1 << 22;
/** Most tasks of an image, and results from which one pays. */
const MAX_TASKS = 16;
const TASK_RESULTS = 1 << 15;

interface WindowGeometry {
  readonly input: Triple;
  readonly output: Triple;
  readonly kernel: Triple;
  readonly stride: Triple;
  readonly padding: Triple;
  readonly dilation: Triple;
}

/** How far apart windows of `size` by `size` are; 0 where they are others, or there are no kernels for them. */
export function windowStride(g: WindowGeometry, size = 3): 0 | 1 | 2 {
  const [, , across] = g.stride;
  const fits =
    g.input[0] === 1 &&
    g.output[0] === 1 &&
    g.kernel[0] === 1 &&
    g.kernel[1] === size &&
    g.kernel[2] === size &&
    g.dilation.every((d) => d === 1) &&
    g.padding[0] === 0 &&
    g.stride[1] === across &&
    g.output[2] >= 4 &&
    ((g.output[1] - 1) * across + size) * ((g.output[2] - 1) * across + size) <= MAX_PLANE;
  return fits && (across === 1 || across === 2) ? across : 0;
}

/** Planes of a task. */
function shareOf(planes: number, results: number): number {
  const tasks = Math.max(1, Math.min(MAX_TASKS, planes, Math.floor((planes * results) / TASK_RESULTS)));
  return Math.ceil(planes / tasks);
}

/** Runs `body` for shares of `planes` planes of `results` results each, as tasks. */
export function eachShare(
  kernels: Kernels,
  planes: number,
  results: number,
  body: (first: number, count: number) => void,
  areas?: ThreadAreas,
): void {
  const share = shareOf(planes, results);
  runTasks(
    kernels,
    Math.ceil(planes / share),
    (_, task) => body(task * share, Math.min(share, planes - task * share)),
    areas,
  );
}

/**
 * Runs `body` for some of `planes` planes at a time, for windows of 3 by 3: they lie padded at `at`, `plane` and `row` bytes apart, in the memory of the task's thread.
 * @param from byte address of the first plane.
 * @returns false where there is no room.
 */
export function eachPadded(
  kernels: Kernels,
  pad: ConvolutionKernels["padPlanes"],
  g: WindowGeometry,
  stride: 1 | 2,
  from: number,
  planes: number,
  padding: number,
  body: (first: number, count: number, at: number, plane: number, row: number) => void,
): boolean {
  const [, height, width] = g.output;
  const columns = (width - 1) * stride + 3;
  const plan = paddedPlane(g.padding, (height - 1) * stride + 3, columns);
  const inPlane = g.input[1] * g.input[2];
  const some = Math.max(1, Math.min(shareOf(planes, height * width), Math.floor(PADDED_ELEMENTS / plan.channel)));
  const own = threadAreas(kernels, some * plan.channel);
  if (!own) return false;
  const at = own.at[0]!;
  eachShare(
    kernels,
    planes,
    height * width,
    (start, share) => {
      for (let done = 0; done < share; done += some) {
        const first = start + done;
        const count = Math.min(some, share - done);
        fillSome(pad, plan, at, from + 4 * first * inPlane, count, g.input, padding);
        body(first, count, at, 4 * plan.channel, 4 * columns);
      }
    },
    own,
  );
  kernels.memory.free(own.start);
  return true;
}
