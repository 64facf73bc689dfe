/** @file Sums, extrema and running sums of integers on the WebAssembly kernels. Upstream: none. Spec: none. */
import { DTYPES, type DType } from "../../dtype.ts";
import type { Tensor } from "../../tensor.ts";
import { family, wasmKernels } from "./build.ts";
import { isFoldProgram, type FoldKind, type IntegerFold } from "./integer_fold_programs.ts";
import { integerStep } from "./integer_map_programs.ts";
import type { KernelMemory } from "./memory.ts";

/** Elements from which a call pays. */
const MIN_ELEMENTS = 256;
/** Elements that are copied into the kernels' memory, or folded by one call, at a time. */
const BLOCK = 1 << 13;
/** Columns from which rows are folded into one by functions of two arrays. */
const MIN_COLUMNS = 8;

const KINDS = new Map<DType, FoldKind>([
  [DTYPES.int64, "i64"],
  [DTYPES.int32, "i32"],
  [DTYPES.uint8, "u8"],
  [DTYPES.bool, "bool"],
]);

type FoldKernel = (x: number, rows: number, columns: number, y: number) => void;
type ScanKernel = (to: number, x: number, rows: number, columns: number, before: number) => void;
type MapKernel = (to: number, a: number, aStep: number, b: number, bStep: number, steps: number) => void;
const MAPS = { sum: "add", max: "maximum", min: "minimum" } as const;
const MERGE: Readonly<Record<IntegerFold, (a: bigint, b: bigint) => bigint>> = {
  sum: (a, b) => BigInt.asIntN(64, a + b),
  max: (a, b) => (a > b ? a : b),
  min: (a, b) => (a < b ? a : b),
};

/** The elements of a contiguous tensor as a kernel reads them: where they lie or copied to a block. */
function reader(memory: KernelMemory, x: Tensor, block: number): (from: number, n: number) => number {
  const size = x.dtype.itemsize;
  const { segment } = x.storage;
  if (segment === memory.segment) return (from) => (x.base0 + from) * size;
  return (from, n) => {
    const at = (x.base0 + from) * size;
    memory.segment.u8.set(segment.u8.subarray(at, at + n * size), block);
    return block;
  };
}

/**
 * out[o * inner + i] = the fold over c of x[(o * count + c) * inner + i]: sums are int64, extrema of the dtype of x. Both are contiguous.
 * Returns false where another loop is to run.
 */
export function wasmFoldIntegers(
  fold: IntegerFold,
  x: Tensor,
  outer: number,
  count: number,
  inner: number,
  out: Tensor,
): boolean {
  const kind = KINDS.get(x.dtype);
  if (!kind || x.numel < MIN_ELEMENTS || !wasmKernels()) return false;
  if (out.dtype !== (fold === "sum" ? DTYPES.int64 : x.dtype)) return false;
  return inner === 1
    ? foldRows(fold, kind, x, outer, count, out)
    : foldColumns(fold, kind, x, outer, count, inner, out);
}

function foldRows(fold: IntegerFold, kind: FoldKind, x: Tensor, rows: number, columns: number, out: Tensor): boolean {
  const name = `${fold}:${kind}`;
  if (!isFoldProgram(name) || columns < MIN_COLUMNS) return false;
  const { memory } = wasmKernels()!;
  const run = family("integerFolds", (exports) => exports as Record<string, FoldKernel>)?.[name];
  const some = Math.max(1, Math.floor(BLOCK / columns));
  const areas = run && memory.arena((BLOCK * x.dtype.itemsize) / 4, 2 * some);
  if (!areas) return false;
  const [block, y] = areas as [number, number];
  const at = reader(memory, x, block);
  const { i32, i64 } = memory.segment;
  const to = out.storage.segment;
  const words = out.dtype.itemsize / 4;
  for (let r = 0; r < rows; r += some) {
    const n = Math.min(some, rows - r);
    const first = Math.min(columns, BLOCK);
    run(at(r * columns, n * first), n, first, y);
    // a row that is longer than a block is alone
    for (let c = first; c < columns; c += BLOCK) {
      const before = i64[y / 8]!;
      const piece = Math.min(BLOCK, columns - c);
      run(at(r * columns + c, piece), 1, piece, y);
      i64[y / 8] = MERGE[fold](before, i64[y / 8]!);
    }
    for (let i = 0; i < n; i++)
      for (let w = 0; w < words; w++) to.i32[(out.base0 + r + i) * words + w] = i32[y / 4 + 2 * i + w]!;
  }
  memory.free(block);
  return true;
}

function foldColumns(
  fold: IntegerFold,
  kind: FoldKind,
  x: Tensor,
  outer: number,
  count: number,
  inner: number,
  out: Tensor,
): boolean {
  if (kind !== "i64" && (kind !== "i32" || fold === "sum")) return false;
  if (inner < MIN_COLUMNS || inner > BLOCK) return false;
  const { memory } = wasmKernels()!;
  const name = kind === "i64" ? "integers64" : "integers32";
  const run = family(name, (exports) => exports as Record<string, MapKernel>)?.[MAPS[fold]];
  const size = x.dtype.itemsize;
  const step = integerStep(kind, MAPS[fold]);
  const padded = Math.ceil(inner / step) * step;
  const areas = run && memory.arena((BLOCK * size) / 4, (padded * size) / 4);
  if (!areas) return false;
  const [block, total] = areas as [number, number];
  const at = reader(memory, x, block);
  const some = Math.floor(BLOCK / inner);
  const { u8 } = memory.segment;
  for (let o = 0; o < outer; o++) {
    for (let c = 0; c < count; c += some) {
      const rows = Math.min(some, count - c);
      let row = at((o * count + c) * inner, rows * inner);
      for (let r = 0; r < rows; r++, row += inner * size) {
        if (c + r === 0) u8.copyWithin(total, row, row + inner * size);
        else run(total, total, 16, row, 16, padded / step);
      }
    }
    out.storage.segment.u8.set(u8.subarray(total, total + inner * size), (out.base0 + o * inner) * size);
  }
  memory.free(block);
  return true;
}

/** Running sums of the rows of a contiguous int64 tensor. Returns false where another loop is to run. */
export function wasmScanIntegers(x: Tensor, rows: number, columns: number, out: Tensor): boolean {
  const memory = x.numel < MIN_ELEMENTS ? undefined : wasmKernels()?.memory;
  const run = memory && family("integerFolds", (exports) => exports as { scan?: ScanKernel })?.scan;
  const areas = run && memory.arena(2 * BLOCK, 2);
  if (!areas) return false;
  const [block, before] = areas as [number, number];
  const at = reader(memory, x, block);
  const { i32, u8 } = memory.segment;
  const isThere = out.storage.segment === memory.segment;
  const some = Math.max(1, Math.floor(BLOCK / columns));
  for (let r = 0; r < rows; r += some) {
    const n = Math.min(some, rows - r);
    i32.fill(0, before / 4, before / 4 + 2);
    for (let c = 0; c < columns; c += BLOCK) {
      const piece = Math.min(BLOCK, columns - c);
      const start = r * columns + c;
      const to = isThere ? 8 * (out.base0 + start) : block;
      run(to, at(start, n * piece), n, piece, before);
      if (!isThere) out.storage.segment.u8.set(u8.subarray(block, block + 8 * n * piece), 8 * (out.base0 + start));
    }
  }
  memory.free(block);
  return true;
}
