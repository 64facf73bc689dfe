/** @file Sums and extrema of many float32 elements on the WebAssembly kernels. Upstream: none. Spec: none. See Note [Reductions]. */
import { reductionKernels, wasmKernels } from "./build.ts";
import { copyElements32 } from "./copies.ts";
import { isWide, NEUTRAL, type VectorReduction } from "./reduction_programs.ts";

/** Elements from which a call pays. */
const MIN_ELEMENTS = 512;
/** Elements that are copied into the kernels' memory at a time. */
const BLOCK = 1 << 14;

const MERGE: Readonly<Record<VectorReduction, (a: number, b: number) => number>> = {
  sum: (a, b) => a + b,
  squares: (a, b) => a + b,
  prod: (a, b) => a * b,
  max: Math.max,
  min: Math.min,
};

/**
 * results[o * inner + i] = the reduction over c of x[at + (o * count + c) * inner + i]: sums, or extrema that are NaN where an
 * element is. Returns false where the reference is to run.
 */
export function wasmReduce(
  kind: VectorReduction,
  x: Float32Array,
  at: number,
  outer: number,
  count: number,
  inner: number,
  results: Float64Array,
): boolean {
  const total = outer * count * inner;
  if (total < MIN_ELEMENTS || (inner > 1 && inner < 4) || (inner === 1 && count < 8) || inner > BLOCK) return false;
  const memory = wasmKernels()?.memory;
  const kernels = reductionKernels();
  if (!memory || !kernels) return false;
  const padded = inner === 1 ? Math.max(1, Math.floor(BLOCK / count)) : Math.ceil(inner / 4) * 4;
  const areas = memory.arena(BLOCK, 2 * padded);
  if (!areas) return false;
  const [block, folded] = areas as [number, number];
  const { f32, segment } = memory;
  const resident = memory.addressOf(x);
  /** Address of elements, where they lie or copied. */
  const place = (from: number, n: number): number => {
    if (resident !== 0) return resident + 4 * from;
    copyElements32(f32, block / 4, x, from, n);
    return block;
  };
  const wide = isWide(kind);
  const value = (i: number): number => (wide ? segment.f64[folded / 8 + i]! : f32[folded / 4 + i]!);
  if (inner > 1) {
    const someRows = Math.max(1, Math.floor(BLOCK / inner));
    for (let o = 0; o < outer; o++) {
      if (wide) segment.f64.fill(NEUTRAL[kind], folded / 8, folded / 8 + padded);
      else f32.fill(NEUTRAL[kind], folded / 4, folded / 4 + padded);
      for (let c = 0; c < count; c += someRows) {
        const rows = Math.min(someRows, count - c);
        const from = place(at + (o * count + c) * inner, rows * inner);
        kernels[`${kind}Columns`](from, rows, inner, 4 * inner, folded);
      }
      for (let i = 0; i < inner; i++) results[o * inner + i] = value(i);
    }
  } else if (count <= BLOCK) {
    for (let o = 0; o < outer; o += padded) {
      const rows = Math.min(padded, outer - o);
      kernels[`${kind}Rows`](place(at + o * count, rows * count), rows, count, 4 * count, folded);
      for (let i = 0; i < rows; i++) results[o + i] = value(i);
    }
  } else {
    for (let o = 0; o < outer; o++) {
      let result: number = NEUTRAL[kind];
      for (let c = 0; c < count; c += BLOCK) {
        const some = Math.min(BLOCK, count - c);
        kernels[`${kind}Rows`](place(at + o * count + c, some), 1, some, 4 * some, folded);
        result = MERGE[kind](result, value(0));
      }
      results[o] = result;
    }
  }
  memory.free(block);
  return true;
}
