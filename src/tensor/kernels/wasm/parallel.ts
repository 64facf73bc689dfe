/** @file Work that several threads may share. Upstream: aten/src/ATen/Parallel.h (the aim). Spec: none.
 *
 * Note [Tasks]: a region of work is a number of tasks that may run in any order and at the same time. The body of a task only
 * calls kernels: it reads no results (with several threads it runs before any of the calls do, which are noted and then shared
 * out), and writes nothing by itself. Tasks write to different places, or to areas that every thread has of its own. */
import type { Kernels } from "./build.ts";
import { OWN_ADDRESS } from "./thread_pool.ts";

/** Areas of which every thread has its own. */
export interface ThreadAreas {
  /** For `memory.free`. */
  readonly start: number;
  /** Bytes of one thread's areas: those of the next thread are so far behind. */
  readonly bytes: number;
  /** Addresses that mean the areas of the thread which runs a kernel: arguments for kernels in the body of a task, nothing else. */
  readonly at: readonly number[];
}

/** Areas of so many 4-byte elements each, for every thread; undefined where there is no room. */
export function threadAreas(kernels: Kernels, ...elements: readonly number[]): ThreadAreas | undefined {
  const { memory, pool } = kernels;
  const areas = memory.arenas(pool?.threads ?? 1, elements);
  if (!areas) return undefined;
  const { at, bytes } = areas;
  return { start: at[0]!, bytes, at: pool ? at.map((address) => address + OWN_ADDRESS) : at };
}

/**
 * Runs `body` for the tasks 0 to count - 1. It must call the `kernels` that it is given, see Note [Tasks]. One task runs here.
 * @param areas what the threads have of their own; the calls get the addresses of the thread that runs them.
 */
export function runTasks(
  kernels: Kernels,
  count: number,
  body: (kernels: Kernels, task: number) => void,
  areas?: ThreadAreas,
): void {
  const { pool } = kernels;
  if (pool && count > 1) pool.run(count, areas?.bytes ?? 0, (task) => body(kernels, task));
  else for (let task = 0; task < count; task++) body(kernels, task);
}
