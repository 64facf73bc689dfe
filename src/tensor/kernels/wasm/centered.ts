/** @file Variances, log-sum-exps and places of extrema of many float32 elements on the WebAssembly kernels. Upstream: none. Spec: none. See Note [Centred sums]. */
import { family, reductionKernels, wasmKernels } from "./build.ts";
import type { CenteredSum } from "./centered_programs.ts";
import { copyElements32 } from "./copies.ts";
import { wasmReduce } from "./reductions.ts";
import { wideConstants } from "./wide.ts";

/** Elements from which a call pays. */
const MIN_ELEMENTS = 512;
/** Elements that are copied into the kernels' memory at a time. */
const BLOCK = 1 << 14;

/** See centered_programs.ts. */
type CenteredKernels = Readonly<
  Record<
    `${CenteredSum}${"Rows" | "Columns"}`,
    (x: number, rows: number, columns: number, ld: number, y: number, centers: number, table: number) => void
  > & {
    findRows: (x: number, rows: number, columns: number, ld: number, wanted: number, to: number) => void;
  } & Record<
      "maxWhere" | "minWhere",
      (x: number, rows: number, columns: number, ld: number, best: number, where: number, first: number) => void
    >
>;
const centeredKernels = (): CenteredKernels | undefined =>
  family("centered", (exports) => exports as unknown as CenteredKernels);

/** Elements as (outer, count, inner), of which the middle ones are taken together. */
export interface Planes {
  readonly outer: number;
  readonly count: number;
  readonly inner: number;
}

const isWorth = ({ outer, count, inner }: Planes): boolean =>
  outer * count * inner >= MIN_ELEMENTS && (inner === 1 ? count >= 8 : inner >= 4) && inner <= BLOCK;

/** sums[o * inner + i] = the sum over c of what `kind` says of x[at + (o * count + c) * inner + i] - centers[o * inner + i]. False where the reference is to run. */
function centeredSums(
  kind: CenteredSum,
  x: Float32Array,
  at: number,
  planes: Planes,
  centers: Float64Array,
  sums: Float64Array,
): boolean {
  const { outer, count, inner } = planes;
  const memory = wasmKernels()?.memory;
  const kernels = centeredKernels();
  const table = memory && kernels ? wideConstants(memory) : 0;
  if (!memory || !kernels || table === 0) return false;
  const width = inner === 1 ? Math.max(1, Math.floor(BLOCK / count)) : inner + (inner & 1);
  const areas = memory.arena(BLOCK, 2 * width, 2 * width);
  if (!areas) return false;
  const [block, folded, middles] = areas as [number, number, number];
  const { f32 } = memory;
  const { f64 } = memory.segment;
  const resident = memory.addressOf(x);
  /** Address of elements, where they lie or copied. */
  const place = (from: number, n: number): number => {
    if (resident !== 0) return resident + 4 * from;
    copyElements32(f32, block / 4, x, from, n);
    return block;
  };
  const setCenters = (from: number, n: number): void => f64.set(centers.subarray(from, from + n), middles / 8);
  if (inner > 1) {
    const someRows = Math.max(1, Math.floor(BLOCK / inner));
    for (let o = 0; o < outer; o++) {
      f64.fill(0, folded / 8, folded / 8 + width);
      setCenters(o * inner, inner);
      for (let c = 0; c < count; c += someRows) {
        const rows = Math.min(someRows, count - c);
        const from = place(at + (o * count + c) * inner, rows * inner);
        kernels[`${kind}Columns`](from, rows, inner, 4 * inner, folded, middles, table);
      }
      sums.set(f64.subarray(folded / 8, folded / 8 + inner), o * inner);
    }
  } else {
    // whole rows, some at a time, or pieces of one
    const piece = Math.min(count, BLOCK);
    for (let o = 0; o < outer; o += width) {
      const rows = Math.min(width, outer - o);
      setCenters(o, rows);
      for (let c = 0; c < count; c += piece) {
        const some = Math.min(piece, count - c);
        kernels[`${kind}Rows`](place(at + o * count + c, rows * some), rows, some, 4 * some, folded, middles, table);
        for (let r = 0; r < rows; r++) sums[o + r] = (c === 0 ? 0 : sums[o + r]!) + f64[folded / 8 + r]!;
      }
    }
  }
  memory.free(block);
  return true;
}

/** Means, and sums of squares of differences from them. False where the reference is to run. */
export function wasmMoments(
  x: Float32Array,
  at: number,
  planes: Planes,
  means: Float64Array,
  squares: Float64Array,
): boolean {
  const { outer, count, inner } = planes;
  if (!isWorth(planes) || !wasmReduce("sum", x, at, outer, count, inner, means)) return false;
  for (let i = 0; i < means.length; i++) means[i]! /= count;
  return centeredSums("squares", x, at, planes, means, squares);
}

/** The logarithms of sums of exponentials. False where the reference is to run. */
export function wasmLogSumExp(x: Float32Array, at: number, planes: Planes, results: Float64Array): boolean {
  const { outer, count, inner } = planes;
  if (!isWorth(planes)) return false;
  const maxima = new Float64Array(results.length);
  if (!wasmReduce("max", x, at, outer, count, inner, maxima)) return false;
  if (!centeredSums("exponentials", x, at, planes, maxima, results)) return false;
  // of infinities and of what is not a number the maximum is the result
  for (let i = 0; i < results.length; i++) {
    const most = maxima[i]!;
    results[i] = Number.isFinite(most) ? most + Math.log(results[i]!) : most;
  }
  return true;
}

/**
 * where[o * inner + i] = the first c at which x[at + (o * count + c) * inner + i] is largest, or not a number; smallest where `isMax` is false.
 * False where the reference is to run.
 */
export function wasmWhere(isMax: boolean, x: Float32Array, at: number, planes: Planes, where: Int32Array): boolean {
  const { outer, count, inner } = planes;
  const memory = wasmKernels()?.memory;
  const kernels = isWorth(planes) ? centeredKernels() : undefined;
  const reductions = kernels && reductionKernels();
  if (!memory || !kernels || !reductions) return false;
  const width = inner === 1 ? Math.max(1, Math.floor(BLOCK / count)) : Math.ceil(inner / 4) * 4;
  const areas = memory.arena(BLOCK, width, width);
  if (!areas) return false;
  const [block, best, places] = areas as [number, number, number];
  const { f32, i32 } = memory;
  const resident = memory.addressOf(x);
  const place = (from: number, n: number): number => {
    if (resident !== 0) return resident + 4 * from;
    copyElements32(f32, block / 4, x, from, n);
    return block;
  };
  const least = isMax ? -Infinity : Infinity;
  if (inner > 1) {
    const someRows = Math.max(1, Math.floor(BLOCK / inner));
    for (let o = 0; o < outer; o++) {
      f32.fill(least, best / 4, best / 4 + width);
      i32.fill(0, places / 4, places / 4 + width);
      for (let c = 0; c < count; c += someRows) {
        const rows = Math.min(someRows, count - c);
        const from = place(at + (o * count + c) * inner, rows * inner);
        kernels[isMax ? "maxWhere" : "minWhere"](from, rows, inner, 4 * inner, best, places, c);
      }
      where.set(i32.subarray(places / 4, places / 4 + inner), o * inner);
    }
  } else {
    const piece = Math.min(count, BLOCK);
    const fold = reductions[isMax ? "maxRows" : "minRows"];
    for (let o = 0; o < outer; o += width) {
      const rows = Math.min(width, outer - o);
      let before = least;
      for (let c = 0; c < count; c += piece) {
        const some = Math.min(piece, count - c);
        const from = place(at + o * count + c, rows * some);
        fold(from, rows, some, 4 * some, best);
        // a row in pieces is alone: a later piece counts where it has something better
        const value = f32[best / 4]!;
        if (c > 0 && !(isMax ? value > before : value < before) && (value === value || before !== before)) continue;
        before = value;
        kernels.findRows(from, rows, some, 4 * some, best, places);
        for (let r = 0; r < rows; r++) where[o + r] = c + i32[places / 4 + r]!;
      }
    }
  }
  memory.free(block);
  return true;
}
