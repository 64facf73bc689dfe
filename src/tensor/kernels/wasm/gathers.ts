/** @file Planes whose rows and columns are those of other planes, float32, on the WebAssembly kernels. Upstream: none. Spec: none. */
import { convolutionKernels, family, wasmKernels } from "./build.ts";
import { eachImage } from "./images.ts";

interface GatherKernels {
  gatherRows(
    to: number,
    from: number,
    rowTable: number,
    rows: number,
    columnTable: number,
    left: number,
    run: number,
    right: number,
  ): void;
}

/** Elements from which a call pays. */
const MIN_ELEMENTS = 1 << 10;
/** Columns side by side from which it pays. */
const MIN_RUN = 8;

/** The longest run of columns that lie side by side. */
function longestRun(columns: ArrayLike<number>): [start: number, length: number] {
  let [best, length] = [0, 0];
  for (let start = 0; start < columns.length;) {
    let end = start + 1;
    while (end < columns.length && columns[end] === columns[end - 1]! + 1) end++;
    if (end - start > length) [best, length] = [start, end - start];
    start = end;
  }
  return [best, length];
}

/**
 * out[n, i, j] = x[n, rows[i], columns[j]] for planes of `plane` elements in rows of `width`, where many columns lie side by side. Returns
 * false where the reference is to run.
 */
export function wasmGatherPlanes(
  out: Float32Array,
  x: Float32Array,
  plane: number,
  width: number,
  rows: ArrayLike<number>,
  columns: ArrayLike<number>,
): boolean {
  if (out.length < MIN_ELEMENTS) return false;
  const [left, run] = longestRun(columns);
  if (run < MIN_RUN) return false;
  const kernels = wasmKernels();
  const gather = family("gathers", (exports) => exports as unknown as GatherKernels)?.gatherRows;
  if (!kernels || !gather) return false;
  const { memory } = kernels;
  const right = columns.length - left - run;
  const tables = memory.arena(rows.length, left + 1 + right);
  if (!tables) return false;
  const [rowTable, columnTable] = tables as [number, number];
  const { i32 } = memory;
  for (let i = 0; i < rows.length; i++) i32[rowTable / 4 + i] = 4 * rows[i]! * width;
  for (let j = 0; j <= left; j++) i32[columnTable / 4 + j] = 4 * columns[j]!;
  for (let j = 0; j < right; j++) i32[columnTable / 4 + left + 1 + j] = 4 * columns[left + run + j]!;
  const size = rows.length * columns.length;
  const isDone = eachImage(kernels, x, out, out.length / size, plane, size, false, (from, to, count) => {
    for (let n = 0; n < count; n++)
      gather(to + 4 * n * size, from + 4 * n * plane, rowTable, rows.length, columnTable, left, run, right);
  });
  memory.free(rowTable);
  return isDone;
}

/** A part of planes that goes into larger planes, in elements. */
export interface PaddedPart {
  /** Elements of a plane and of a row, and the first element of the part. */
  readonly plane: number;
  readonly width: number;
  readonly start: number;
  readonly rows: number;
  readonly columns: number;
  /** The same of the planes that it goes into. */
  readonly outPlane: number;
  readonly outWidth: number;
  readonly outStart: number;
}

/** Planes that hold a part of others and `value` around it. Returns false where the reference is to run. */
export function wasmPadPlanes(out: Float32Array, x: Float32Array, p: PaddedPart, value: number): boolean {
  if (out.length < MIN_ELEMENTS || p.columns < MIN_RUN || p.rows < 1) return false;
  const [kernels, pad] = [wasmKernels(), convolutionKernels()?.padPlanes];
  if (!kernels || !pad) return false;
  const { plane, width, rows, columns, outPlane, outWidth } = p;
  return eachImage(kernels, x, out, out.length / outPlane, plane, outPlane, false, (from, to, count) => {
    const read = from + 4 * p.start;
    const first = 4 * p.outStart;
    pad(
      to,
      4 * outPlane,
      4 * outWidth,
      4 * outPlane,
      read,
      4 * plane,
      4 * width,
      first,
      rows,
      4 * columns,
      4,
      count,
      value,
    );
  });
}
