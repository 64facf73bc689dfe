/** @file Resampling of float32 rows and planes on the WebAssembly kernels. Upstream: none. Spec: none. */
import type { Taps } from "../resample.ts";
import { resampleKernels, wasmKernels, type Kernels, type ResampleKernels } from "./build.ts";
import { copyElements32 } from "./copies.ts";
import { addressIn, MAX_STAGED, stagedElements } from "./finish.ts";
import { runTasks, threadAreas } from "./parallel.ts";
import { TAP_BYTES, TAPS, type TapCount } from "./resample_programs.ts";

/** Results from which a call pays. */
const MIN_ELEMENTS = 64;
/** Elements of the rows that wait for the second pass: they stay in the second-level cache. */
const WAITING_ELEMENTS = 1 << 15;
/** Most elements of the waiting rows of one plane. */
const MAX_PLANE = 1 << 22;

const isTapCount = (taps: number): taps is TapCount => (TAPS as readonly number[]).includes(taps);

/** Whether there are kernels for columns with such taps, and so many results. */
export function isResampled(columns: Taps, results: number): boolean {
  return isTapCount(columns.taps) && columns.count >= 4 && results >= MIN_ELEMENTS && resampleKernels() !== undefined;
}

/** Words of the table of taps. */
const tableWords = (t: Taps): number => (t.index.length * TAP_BYTES) / 4;

/** Writes the table of taps; an index means so many bytes. */
function writeTable({ memory }: Kernels, at: number, t: Taps, bytes: number): void {
  const { f32, i32 } = memory;
  for (let k = 0, word = at / 4; k < t.index.length; k++, word += 2) {
    i32[word] = t.index[k]! * bytes;
    if (t.taps > 1) f32[word + 1] = t.weight[k]!;
  }
}

/**
 * Applies taps to the columns of (planes, height, width), and to its rows where there are taps for them: columns first, as PyTorch does
 * it. Both have equally many taps, see `isResampled`. Returns false where there is no room.
 */
export function wasmResample(
  x: Float32Array,
  out: Float32Array,
  planes: number,
  height: number,
  width: number,
  rows: Taps | undefined,
  columns: Taps,
): boolean {
  const { taps, count: length } = columns;
  const [kernels, run] = [wasmKernels(), resampleKernels()];
  if (!kernels || !run || !isTapCount(taps) || Math.max(height * length, 4 * width) > MAX_PLANE) return false;
  const { memory } = kernels;
  const [inPlane, outPlane] = [height * width, (rows?.count ?? height) * length];
  const some = Math.max(1, Math.min(planes, Math.floor(WAITING_ELEMENTS / (height * length))));
  const isHere = memory.addressOf(x) !== 0 && memory.addressOf(out) !== 0;
  // what lies elsewhere passes through areas, as much at a time as keeps the threads busy
  const round = isHere ? planes : Math.min(planes, some * (kernels.pool?.threads ?? 1));
  const staged = [stagedElements(kernels, x, round * inPlane), stagedElements(kernels, out, round * outPlane)] as const;
  if (Math.max(...staged) > MAX_STAGED) return false;
  const areas = memory.arena(...staged, tableWords(columns), rows ? tableWords(rows) : 0);
  const own = areas && threadAreas(kernels, 4 * width, rows ? some * height * length : 0);
  if (own) {
    const [source, target, columnTable, rowTable] = areas as [number, number, number, number];
    writeTable(kernels, columnTable, columns, 16);
    if (rows) writeTable(kernels, rowTable, rows, 4 * length);
    const [interleaved, waiting] = own.at as [number, number];
    for (let start = 0; start < planes; start += round) {
      const inRound = Math.min(round, planes - start);
      const from = addressIn(kernels, x, start * inPlane, inRound * inPlane, source);
      const to = memory.addressAt(out, start * outPlane) || target;
      const body = (using: Kernels, task: number): void => {
        const first = task * some;
        const count = Math.min(some, inRound - first);
        const columnsTo = rows ? waiting : to + 4 * first * outPlane;
        const read = from + 4 * first * inPlane;
        sumColumns(using, run, taps, columnsTo, read, columnTable, interleaved, count * height, width, length);
        if (!rows) return;
        for (let p = 0; p < count; p++) {
          const [target, source] = [to + 4 * (first + p) * outPlane, waiting + 4 * p * height * length];
          run[`sumRows${taps}`](target, source, rowTable, rows.count, 4 * length);
        }
      };
      runTasks(kernels, Math.ceil(inRound / some), body, own);
      if (staged[1] > 0) copyElements32(out, start * outPlane, memory.f32, to / 4, inRound * outPlane);
    }
    memory.free(own.start);
  }
  if (areas) memory.free(areas[0]!);
  return own !== undefined;
}

/** The columns of `rows` dense rows, four rows at a time: the last four overlap those before; fewer than four come one by one. */
function sumColumns(
  kernels: Kernels,
  run: ResampleKernels,
  taps: TapCount,
  to: number,
  from: number,
  table: number,
  interleaved: number,
  rows: number,
  width: number,
  length: number,
): void {
  const [step, ldfrom, ldto] = rows < 4 ? [1, 0, 0] : [4, 4 * width, 4 * length];
  for (let r = 0; r < rows; r += step) {
    const row = Math.min(r, rows - step);
    kernels.interleave(interleaved, 16, from + 4 * row * width, ldfrom, width);
    run[`sumColumns${taps}`](to + 4 * row * length, ldto, interleaved, table, length);
  }
}
