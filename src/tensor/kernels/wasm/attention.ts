/** @file float32 attention without the whole matrix of scores. Upstream: aten/src/ATen/native/cpu/FlashAttentionKernel.cpp (the aim). Spec: none.
 *
 * A task takes some queries of one head: their scores against all keys, the softmax and the product with the values stay in areas
 * of the thread. Queries, keys and values are read where they lie in the kernels' memory, whatever their strides. */
import { contiguousAs } from "../../clone.ts";
import { elementOffsets } from "../../iterate.ts";
import { viewOf, type Tensor } from "../../tensor.ts";
import { elementKernels, wasmKernels, type Kernels } from "./build.ts";
import { copyElements32 } from "./copies.ts";
import type { KernelMemory } from "./memory.ts";
import { runTasks, threadAreas } from "./parallel.ts";
import { packedElements, packResident } from "./product.ts";
import { COLUMNS } from "./programs.ts";
import { vectorTable } from "./vectors.ts";

/** Multiplications of a head from which this pays. */
const MIN_WORK = 1 << 12;
/** Scores that a task has at a time: they stay in the second-level cache. */
const SCORES = 1 << 14;
/** Queries of a task are a multiple of this: whole panels of either build. */
const QUERIES = 12;
/** Most elements of all masks that differ. */
const MAX_MASKS = 1 << 27;
const MIN_ROWS = 4;

/** An operand in the kernels' memory: where its heads start, and bytes between its rows. */
interface Placed {
  readonly heads: readonly number[];
  readonly ld: number;
}

/** Whether `t` can be read where it lies: in the kernels' memory, rows dense. */
function isInPlace(memory: KernelMemory, t: Tensor): boolean {
  return memory.holds(t.storage) && t.strides[t.ndim - 1] === 1 && t.strides[t.ndim - 2]! >= 0 && !t.isNeg;
}

/** Where the matrices of a tensor start in its segment, in bytes. */
function matrixOffsets(t: Tensor): number[] {
  return Array.from(elementOffsets(viewOf(t, t.sizes.slice(0, -2), t.strides.slice(0, -2))), (at) => 4 * at);
}

/**
 * out = softmax(q k^T * scale + mask) v over the last two dimensions: q (..., L, E), k (..., S, E), v (..., S, V), mask (..., L, S), out
 * (..., L, V), float32 with the same leading dimensions; rows of out and of the mask are dense. Returns false where another kernel is
 * to run, and where a row of the mask excludes all.
 */
export function wasmAttention(q: Tensor, k: Tensor, v: Tensor, out: Tensor, scale: number, mask?: Tensor): boolean {
  const [L, E] = q.sizes.slice(-2) as [number, number];
  const [S, V] = v.sizes.slice(-2) as [number, number];
  if (L < MIN_ROWS || S < MIN_ROWS || V < MIN_ROWS || L * S * E < MIN_WORK || out.strides[out.ndim - 1] !== 1)
    return false;
  const kernels = wasmKernels();
  const elements = elementKernels();
  const table = kernels && elements ? vectorTable(kernels.memory) : 0;
  if (!kernels || !elements || table === 0) return false;
  const { memory } = kernels;
  const operands = [q, k, v].map((t) => (isInPlace(memory, t) ? t : contiguousAs(t, t.dtype)));
  const heads = out.numel / (L * V);
  const tiles = Math.ceil(S / COLUMNS);
  // packing may write a few elements before the first tile
  const keyElements = COLUMNS + tiles * COLUMNS * E;
  const isOutHere = memory.holds(out.storage);
  const moved = operands.map((t) => (memory.holds(t.storage) ? 0 : t.numel));
  // an odd number of cache lines, or the rows of scores fall on the same few sets of the cache
  const ld = (Math.ceil(S / 16) | 1) * 16;
  const masksAt = mask ? matrixOffsets(mask) : [];
  const distinct = [...new Set(masksAt)];
  if (distinct.length * L * ld > MAX_MASKS) return false;
  const areas = memory.arena(S, distinct.length * L * ld, heads * keyElements, ...moved, isOutHere ? 0 : out.numel);
  if (!areas) return false;
  const [offsets, masks, keyArea, ...rest] = areas as [number, number, number, ...number[]];
  const keys = keyArea + 4 * COLUMNS;
  const step = Math.max(QUERIES, Math.min(Math.ceil(L / QUERIES), Math.floor(SCORES / (ld * QUERIES))) * QUERIES);
  const valueTiles = Math.ceil(V / COLUMNS);
  const isSeen = !mask || distinct.every((from, i) => copyMask(memory, mask, from, masks + 4 * i * L * ld, ld));
  const own =
    isSeen &&
    threadAreas(
      kernels,
      COLUMNS + packedElements(kernels, step, Math.max(E, S)),
      step * ld,
      COLUMNS * S,
      step * valueTiles * COLUMNS,
      step * E,
      mask ? step * ld : 0,
    );
  if (!own) {
    memory.free(offsets);
    return false;
  }
  const placed = operands.map((t, i): Placed => {
    const here = moved[i] === 0;
    if (!here) memory.f32.set(t.storage.segment.f32.subarray(t.base0, t.base0 + t.numel), rest[i]! / 4);
    const start = here ? 0 : rest[i]! - 4 * t.base0;
    return { heads: matrixOffsets(t).map((at) => start + at), ld: 4 * t.strides[t.ndim - 2]! };
  });
  const [pq, pk, pv] = placed as [Placed, Placed, Placed];
  const results = isOutHere ? matrixOffsets(out) : Array.from({ length: heads }, (_, h) => rest[3]! + 4 * h * L * V);
  const ldOut = isOutHere ? 4 * out.strides[out.ndim - 2]! : 4 * V;
  const places = new Map(distinct.map((from, i) => [from, masks + 4 * i * L * ld]));
  for (let p = 0; p < S; p++) memory.i32[offsets / 4 + p] = p * pv.ld;
  runTasks(kernels, heads, (kernels_, h) =>
    packResident(kernels_, keys + 4 * h * keyElements, pk.heads[h]!, pk.ld, S, E, COLUMNS),
  );
  const blocks = Math.ceil(L / step);
  const [leftArea, product, scratch, result, scaled, sums] = own.at as [number, number, number, number, number, number];
  const scores = mask ? sums : product;
  const left = leftArea + 4 * COLUMNS;
  const attendBlock = (using: Kernels, task: number): void => {
    const h = Math.floor(task / blocks);
    const first = (task % blocks) * step;
    const rows = Math.min(step, L - first);
    const panels = Math.ceil(rows / using.rows);
    const query = pq.heads[h]! + first * pq.ld;
    using.finish(scaled, 4 * E, query, pq.ld, rows, E, 0, scale, 0, -Infinity, Infinity);
    packResident(using, left, scaled, 4 * E, rows, E, using.rows);
    const tile = 4 * COLUMNS * E;
    using.gemm(left, keys + 4 * h * keyElements, tile, 0, E, panels, tiles, product, 4 * ld, 0, 0);
    if (mask) {
      const added = places.get(masksAt[h]!)! + 4 * first * ld;
      using.finish(scores, 4 * ld, product, 4 * ld, rows, S, added, 1, 0, -Infinity, Infinity);
    }
    elements.softmax(scores, 4 * ld, scores, 4 * ld, rows, S, table);
    packResident(using, left, scores, 4 * ld, rows, S, using.rows);
    const ldResult = 4 * valueTiles * COLUMNS;
    using.gemm(left, pv.heads[h]!, 4 * COLUMNS, offsets, S, panels, valueTiles, result, ldResult, 0, scratch);
    using.finish(results[h]! + first * ldOut, ldOut, result, ldResult, rows, V, 0, 1, 0, -Infinity, Infinity);
  };
  runTasks(kernels, heads * blocks, attendBlock, own);
  if (!isOutHere) copyOut(memory, out, rest[3]!, L, V);
  memory.free(own.start);
  memory.free(offsets);
  return true;
}

/** Copies a matrix of a mask, `from` bytes into its segment, to rows of `ld` elements. False where a row is nothing but -Infinity: who sees nothing is not for these kernels. */
function copyMask(memory: KernelMemory, mask: Tensor, from: number, to: number, ld: number): boolean {
  const [L, S] = mask.sizes.slice(-2) as [number, number];
  const stride = mask.strides[mask.ndim - 2]!;
  const values = mask.storage.segment.f32;
  for (let r = 0, at = from / 4; r < L; r++, at += stride) {
    copyElements32(memory.f32, to / 4 + r * ld, values, at, S);
    let p = at;
    while (p < at + S && values[p] === -Infinity) p++;
    if (p === at + S) return false;
  }
  return true;
}

function copyOut(memory: KernelMemory, out: Tensor, from: number, L: number, V: number): void {
  const to = out.storage.segment.f32;
  let at = from / 4;
  for (const start of matrixOffsets(out)) {
    let row = start / 4;
    for (let r = 0; r < L; r++, at += V, row += out.strides[out.ndim - 2]!) copyElements32(to, row, memory.f32, at, V);
  }
}
