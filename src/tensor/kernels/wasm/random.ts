/** @file Normal random numbers on the WebAssembly kernels. Upstream: none. Spec: none. */
import { randomKernels, wasmKernels } from "./build.ts";
import { copyElements32 } from "./copies.ts";

/** Elements of a block. */
const BLOCK = 16;
/** Blocks that are copied at once: they stay in the first-level cache. */
const SOME_BLOCKS = 256;

/** Blocks of uniform numbers, at least one, to normal ones: see boxMuller in random_programs.ts. Returns false where another kernel is to run. */
export function wasmBoxMuller(values: Float32Array, at: number, blocks: number, mean: number, std: number): boolean {
  const kernels = wasmKernels();
  const random = randomKernels();
  if (!kernels || !random) return false;
  const { memory } = kernels;
  const address = memory.addressOf(values);
  if (address !== 0) {
    random.boxMuller(address + 4 * at, blocks, mean, std);
    return true;
  }
  const areas = memory.arena(BLOCK * Math.min(blocks, SOME_BLOCKS));
  if (!areas) return false;
  const place = areas[0]!;
  for (let done = 0; done < blocks; done += SOME_BLOCKS) {
    const some = Math.min(SOME_BLOCKS, blocks - done);
    const from = at + BLOCK * done;
    copyElements32(memory.f32, place / 4, values, from, BLOCK * some);
    random.boxMuller(place, some, mean, std);
    copyElements32(values, from, memory.f32, place / 4, BLOCK * some);
  }
  memory.free(place);
  return true;
}
