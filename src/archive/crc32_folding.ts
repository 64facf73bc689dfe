/** @file CRC-32 of long data without tables, in vectors of 16 bytes. Upstream: none (S. Russell, "Chorba: A novel CRC32 implementation", arXiv 2412.16398). Spec: WebAssembly core 2.0.
 *
 * Note [Sparse multiple]: a CRC is the remainder of the data, a polynomial over GF(2) whose highest powers come first, by P of degree 32. P divides
 * x^300 + x^155 + x^117 + x^89 + 1, the lowest of its multiples with five terms. Raised to the power of 128, which doubles exponents seven times,
 * it says that 16 bytes at one place can be left out if they are added (xor) to those 300, 211, 183 and 145 times 16 bytes behind it. Done from the front
 * on, this leaves a remainder of 300 vectors with the CRC of all: five loads and a store for 16 bytes, where tables take a load for every byte. */
import { encodedModule } from "../base/encoded_modules.ts";
import { encodeModule, FunctionBuilder, MEMORY_MODULE, MEMORY_NAME } from "../base/wasm_assembler.ts";

/** Distances that a vector is added at. */
const DISTANCES = [145, 183, 211, 300] as const;
const VECTOR = 16;
/** Vectors before this place may still be added to what comes; memory begins with as many. */
const HISTORY = VECTOR * DISTANCES[3];
const PAGES = 2;
/** What is folded at once: the rest of the memory, but for an incomplete vector at the end of the data. */
const ROOM = 65536 * PAGES - HISTORY - VECTOR;

/** What the bundles keep this module under. */
export const CRC_MODULE = "crc32";

/** fold<n>(at, end): to vectors from `at` to `end`, which is not `at`, those of the `distances` before them are added. Addresses begin behind the history. */
function foldProgram(distances: readonly number[]): FunctionBuilder {
  const f = new FunctionBuilder(`fold${distances.length}`, ["i32", "i32"]);
  const [at, end] = f.parameters;
  return f.loop(() => {
    f.get(at).get(at).memory("v128.load", HISTORY);
    for (const distance of distances) {
      f.get(at)
        .memory("v128.load", HISTORY - VECTOR * distance)
        .op("v128.xor");
    }
    f.memory("v128.store", HISTORY);
    f.increase(at, { by: VECTOR }).get(at).get(end).op("i32.ne");
  });
}

/** The bytes of the module. */
export const crcModuleBytes = (): Uint8Array<ArrayBuffer> =>
  encodedModule(CRC_MODULE) ?? encodeModule(DISTANCES.map((_, i) => foldProgram(DISTANCES.slice(i))));

type Fold = (at: number, end: number) => void;

/**
 * Makes the function: CRC-32 of `bytes`, of more than 4,800, continuing from `seed`. Undefined where the platform has no vectors or forbids WebAssembly.
 * @param short what computes the CRC of the few kilobytes that are left.
 */
export function makeFoldingCrc(
  short: (bytes: Uint8Array, seed?: number) => number,
): ((bytes: Uint8Array, seed?: number) => number) | undefined {
  let memory: WebAssembly.Memory;
  let folds: Fold[];
  try {
    memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
    const module = new WebAssembly.Module(crcModuleBytes());
    const { exports } = new WebAssembly.Instance(module, { [MEMORY_MODULE]: { [MEMORY_NAME]: memory } });
    folds = DISTANCES.map((_, i) => exports[`fold${DISTANCES.length - i}`] as Fold);
  } catch {
    return undefined;
  }
  const room = new Uint8Array(memory.buffer);
  const view = new DataView(memory.buffer);
  /** How much of `nbytes` is folded when no more come: all but the remainder. */
  const foldable = (nbytes: number): number => nbytes - (nbytes % VECTOR) - HISTORY;
  return (bytes, seed = 0) => {
    room.fill(0, 0, HISTORY);
    for (let at = 0; ;) {
      const nbytes = Math.min(ROOM, bytes.length - at);
      room.set(bytes.subarray(at, at + nbytes), HISTORY);
      // what a CRC begins with is added to the first four bytes
      if (at === 0) view.setInt32(HISTORY, view.getInt32(HISTORY, true) ^ ~seed, true);
      const isLast = at + nbytes === bytes.length;
      const end = isLast ? foldable(nbytes) : Math.min(nbytes, foldable(bytes.length - at));
      if (end > 0) folds[0]!(0, end);
      if (isLast) {
        let from = end;
        DISTANCES.forEach((distance, i) => {
          folds[i]!(from, end + VECTOR * distance);
          from = end + VECTOR * distance;
        });
        // ~0 here makes it begin with nothing
        return short(room.subarray(HISTORY + end, HISTORY + nbytes), -1 >>> 0);
      }
      room.copyWithin(0, end, end + HISTORY);
      at += end;
    }
  };
}
