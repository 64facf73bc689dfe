/** @file Images that kernels read and write one by one, wherever they lie. Upstream: none. Spec: none. */
import type { Kernels } from "./build.ts";
import { copyElements32 } from "./copies.ts";
import { addressIn, MAX_STAGED, stagedElements } from "./finish.ts";
import { runTasks } from "./parallel.ts";

/** Elements of images that pass through areas at a time, for each thread: they stay in the second-level cache. */
const ROUND_ELEMENTS = 1 << 15;

/**
 * Calls `some` for shares of the images, each of `from` elements of x and `to` elements of the result, with their addresses and the number of the first: what lies
 * elsewhere passes through areas, those of results filled with zeros if they shall be. Returns false where there is no room.
 */
export function eachImage(
  kernels: Kernels,
  x: Float32Array,
  out: Float32Array,
  images: number,
  from: number,
  to: number,
  isZeroed: boolean,
  some: (source: number, target: number, count: number, first: number) => void,
): boolean {
  const { memory } = kernels;
  const share = Math.max(1, Math.floor(ROUND_ELEMENTS / Math.max(from, to)));
  const isHere = memory.addressOf(x) !== 0 && memory.addressOf(out) !== 0;
  const round = isHere ? images : Math.min(images, share * (kernels.pool?.threads ?? 1));
  const staged = [stagedElements(kernels, x, round * from), stagedElements(kernels, out, round * to)] as const;
  if (Math.max(...staged) > MAX_STAGED) return false;
  const areas = memory.arena(...staged);
  if (!areas) return false;
  const [source, target] = areas as [number, number];
  for (let first = 0; first < images; first += round) {
    const count = Math.min(round, images - first);
    const read = addressIn(kernels, x, first * from, count * from, source);
    const write = memory.addressAt(out, first * to) || target;
    if (isZeroed && write === target) memory.f32.fill(0, target / 4, target / 4 + count * to);
    runTasks(kernels, Math.ceil(count / share), (_, task) => {
      const at = task * share;
      some(read + 4 * at * from, write + 4 * at * to, Math.min(share, count - at), first + at);
    });
    if (write === target) copyElements32(out, first * to, memory.f32, target / 4, count * to);
  }
  memory.free(source);
  return true;
}
