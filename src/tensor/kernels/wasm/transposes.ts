/** @file Transposed copies of elements of four bytes on the WebAssembly kernels. Upstream: none. Spec: none. */
import { family, wasmKernels } from "./build.ts";
import { runTasks } from "./parallel.ts";

interface TransposeKernels {
  transpose(to: number, ldto: number, from: number, ldfrom: number, rows: number, columns: number): void;
}

/** Elements from which a call pays. */
const MIN_ELEMENTS = 1 << 10;
/** Rows that a call turns: as many make a cache line where they go to. */
const ROWS = 16;
/** Elements that pass through areas at a time. */
const AREA_ELEMENTS = 1 << 18;
const MAX_AREA = 1 << 22;
/** Rows and columns that do where neither side lies without gaps. */
const SIDE = 512;

/** to[at + j * ldto + i] = from[start + i * ldfrom + j] for `rows` i and `columns` j. Returns false where another loop is to run. */
export function wasmTranspose(
  to: Uint32Array,
  at: number,
  ldto: number,
  from: Uint32Array,
  start: number,
  ldfrom: number,
  rows: number,
  columns: number,
): boolean {
  if (rows < 4 || columns < 4 || rows * columns < MIN_ELEMENTS || Math.min(ldto, ldfrom) < 1) return false;
  const kernels = wasmKernels();
  const run = family("transposes", (exports) => exports as unknown as TransposeKernels)?.transpose;
  if (!kernels || !run) return false;
  const { memory } = kernels;
  /** Turns what lies in the memory, in shares of rows. */
  const turn = (target: number, tstep: number, source: number, sstep: number, m: number, n: number): void => {
    // fewer than four that are left belong to the last share
    const tasks = Math.max(1, Math.ceil((m - 3) / ROWS));
    runTasks(kernels, tasks, (_, task) => {
      const first = task * ROWS;
      const count = task === tasks - 1 ? m - first : ROWS;
      run(target + 4 * first, 4 * tstep, source + 4 * first * sstep, 4 * sstep, count, n);
    });
  };
  const [here, there] = [memory.addressAt(from, start), memory.addressAt(to, at)];
  if (here !== 0 && there !== 0) {
    turn(there, ldto, here, ldfrom, rows, columns);
    return true;
  }
  // as much as possible is copied at once: whole rows of the one side or of the other
  const some = (length: number): number => Math.max(ROWS, Math.floor(AREA_ELEMENTS / length));
  const [rowsAtOnce, columnsAtOnce] =
    ldfrom === columns ? [some(columns), columns] : ldto === rows ? [rows, some(rows)] : [SIDE, SIDE];
  const [high, wide] = [Math.min(rows, rowsAtOnce), Math.min(columns, columnsAtOnce)];
  if (high * wide > MAX_AREA) return false;
  const areas = memory.arena(high * wide, high * wide);
  if (!areas) return false;
  const [source, target] = areas as [number, number];
  const { u32 } = memory.segment;
  // the last rows and columns come with some of those before them: never fewer than four
  const last = (i: number, side: number, size: number): number => Math.min(i, size - Math.min(side, size));
  for (let i0 = 0; i0 < rows; i0 += high) {
    const i = last(i0, high, rows);
    for (let j0 = 0; j0 < columns; j0 += wide) {
      const j = last(j0, wide, columns);
      copyRows(u32, source / 4, wide, from, start + i * ldfrom + j, ldfrom, high, wide);
      turn(target, high, source, wide, high, wide);
      copyRows(to, at + j * ldto + i, ldto, u32, target / 4, high, wide, high);
    }
  }
  memory.free(source);
  return true;
}

/** Copies rows of words, all at once where they lie without gaps. */
function copyRows(
  to: Uint32Array,
  at: number,
  ldto: number,
  from: Uint32Array,
  start: number,
  ldfrom: number,
  rows: number,
  columns: number,
): void {
  if (ldto === columns && ldfrom === columns) {
    columns *= rows;
    rows = 1;
  }
  for (let r = 0; r < rows; r++) to.set(from.subarray(start + r * ldfrom, start + r * ldfrom + columns), at + r * ldto);
}
