/** @file Functions of two integer tensors, and selections of elements of any kind, on the WebAssembly kernels. Upstream: none. Spec: none. */
import { DTYPES, type DType } from "../../dtype.ts";
import { broadcastStrides, Cursor, iterationOrder } from "../../iterate.ts";
import type { Tensor } from "../../tensor.ts";
import { family, wasmKernels } from "./build.ts";
import {
  INTEGER_BYTES,
  integerStep,
  SELECT_STEP,
  isIntegerDivision,
  isIntegerSingle,
  type IntegerFunction,
  type IntegerKind,
  type LogicFunction,
} from "./integer_map_programs.ts";
import type { KernelMemory } from "./memory.ts";
import { runTasks } from "./parallel.ts";

/** Elements from which a call pays. */
const MIN_ELEMENTS = 256;
/** Elements of a task. */
const TASK_ELEMENTS = 1 << 16;
/** Elements that are copied into the kernels' memory at a time. */
const BLOCK = 1 << 12;
/** Bytes of a vector that every lane of is the same element. */
const SPLAT_BYTES = 16;

const KINDS = new Map<DType, IntegerKind>([
  [DTYPES.int64, "i64"],
  [DTYPES.int32, "i32"],
  [DTYPES.uint8, "u8"],
  [DTYPES.bool, "bool"],
]);
const FAMILIES = { bool: "integers8", u8: "integers8", i32: "integers32", i64: "integers64" } as const;

/** A function of two integers by name. */
export type IntegerMap = Exclude<IntegerFunction, "logicalEq"> | "gt" | "ge";

/** What functions of truth values are. */
const LOGIC: Partial<Record<IntegerMap, LogicFunction>> = {
  add: "logicalOr",
  mul: "logicalAnd",
  minimum: "logicalAnd",
  maximum: "logicalOr",
  eq: "logicalEq",
  ne: "logicalXor",
  logicalAnd: "logicalAnd",
  logicalOr: "logicalOr",
  logicalXor: "logicalXor",
};

type Kernel = (to: number, a: number, aStep: number, b: number, bStep: number, steps: number) => void;

/** Whether there may be a kernel for so many elements of a dtype. */
export function hasIntegerMaps(dtype: DType, numel: number): boolean {
  return numel >= MIN_ELEMENTS && KINDS.has(dtype) && wasmKernels() !== undefined;
}

/** Where a kernel finds the elements of an operand. */
interface Place {
  /** Address of the first element, or of a vector of the only one; 0 where the elements are copied to `block` first. */
  readonly here: number;
  readonly block: number;
  /** Bytes from one element to the next. */
  readonly step: number;
  readonly cursor: Cursor | undefined;
}

/**
 * out = f(a, b) of two tensors of one dtype, broadcast. `out` is dense, has the broadcast shape, and lies across neither input unless it is
 * the same view. Returns false where another loop is to run, also for divisions by zero.
 */
export function wasmIntegerMap(map: IntegerMap, out: Tensor, first: Tensor, second: Tensor): boolean {
  const kind = KINDS.get(first.dtype);
  const isSwapped = map === "gt" || map === "ge";
  const name = kind === "bool" ? LOGIC[map] : map === "gt" ? "lt" : map === "ge" ? "le" : map;
  const run = kind && name && family(FAMILIES[kind], (exports) => exports as Record<string, Kernel>)?.[name];
  if (!run) return false;
  const vector = isIntegerSingle(name) ? INTEGER_BYTES[kind] : SPLAT_BYTES;
  return runBlocks(
    out,
    isSwapped ? [second, first] : [first, second],
    { step: integerStep(kind, name), isTask: !isIntegerDivision(name), vector },
    (to, [x, y], [xStep, yStep], steps) => run(to, x!, xStep!, y!, yStep!, steps),
  );
}

type SelectKernel = (
  to: number,
  c: number,
  cs: number,
  a: number,
  as: number,
  b: number,
  bs: number,
  n: number,
) => void;

/**
 * out = a where the byte of the condition is not 0, else b: three broadcast tensors, the last two and `out` of one dtype. `out` is dense, and
 * lies across no input unless it is the same view. Returns false where another loop is to run.
 */
export function wasmSelectBits(out: Tensor, condition: Tensor, a: Tensor, b: Tensor): boolean {
  const run =
    out.numel < MIN_ELEMENTS || !wasmKernels()
      ? undefined
      : family("selections", (exports) => exports as Record<string, SelectKernel>)?.[`select${out.dtype.itemsize}`];
  if (!run) return false;
  return runBlocks(
    out,
    [condition, a, b],
    { step: SELECT_STEP, isTask: true, vector: SPLAT_BYTES },
    (to, [c, x, y], [cStep, xStep, yStep], steps) => run(to, c!, cStep!, x!, xStep!, y!, yStep!, steps),
  );
}
/** How a kernel walks: elements of a step, bytes from one vector (or element) of an operand to the next, whether threads may share it. */
interface Walk {
  readonly step: number;
  readonly vector: number;
  readonly isTask: boolean;
}

/**
 * Runs a kernel over the elements of `out` and of the operands that are broadcast to it: where they lie, or some at a time through areas of the
 * kernels' memory. `run` gets addresses, the bytes between vectors (0 for a single element), and the count of steps.
 */
function runBlocks(
  out: Tensor,
  operands: readonly Tensor[],
  { step, vector, isTask }: Walk,
  run: (to: number, from: readonly number[], between: readonly number[], steps: number) => void,
): boolean {
  const kernels = wasmKernels();
  const areas = kernels?.memory.arena(...[...operands, out].map((t) => (BLOCK * t.dtype.itemsize) / 4));
  if (!kernels || !areas) return false;
  const { memory } = kernels;
  try {
    const n = out.numel;
    const order = iterationOrder(out.sizes, [out.strides]);
    const places = operands.map((t, k) => placeOf(memory, t, out, order, areas[k]!));
    const between = places.map((place) => (place.step === 0 ? 0 : vector));
    const target = areas.at(-1)!;
    const bytes = out.dtype.itemsize;
    const to = addressOf(memory, out);
    let done = 0;
    if (isTask && to !== 0 && places.every(({ here }) => here !== 0)) {
      done = n - (n % step);
      runTasks(kernels, Math.ceil(done / TASK_ELEMENTS), (_, task) => {
        const first = task * TASK_ELEMENTS;
        const from = places.map((place) => place.here + first * place.step);
        run(to + first * bytes, from, between, Math.min(TASK_ELEMENTS, done - first) / step);
      });
    }
    const { u8 } = memory.segment;
    for (let first = done; first < n; first += BLOCK) {
      const count = Math.min(BLOCK, n - first);
      // the last step may write beyond the end
      const isWhole = to !== 0 && count % step === 0;
      const from = places.map((place) => load(memory, place, first, count));
      run(isWhole ? to + first * bytes : target, from, between, Math.ceil(count / step));
      if (!isWhole)
        out.storage.segment.u8.set(u8.subarray(target, target + count * bytes), (out.base0 + first) * bytes);
    }
    return true;
  } catch (cause) {
    // a division by zero
    if (cause instanceof WebAssembly.RuntimeError) return false;
    throw cause;
  } finally {
    memory.free(areas[0]!);
  }
}

function addressOf(memory: KernelMemory, t: Tensor): number {
  return t.storage.segment === memory.segment ? t.base0 * t.dtype.itemsize : 0;
}

function placeOf(memory: KernelMemory, t: Tensor, out: Tensor, order: readonly number[], block: number): Place {
  const bytes = t.dtype.itemsize;
  if (t.numel === 1) {
    const { u8 } = memory.segment;
    const from = t.base0 * bytes;
    for (let at = 0; at < SPLAT_BYTES; at += bytes)
      u8.set(t.storage.segment.u8.subarray(from, from + bytes), block + at);
    return { here: block, block, step: 0, cursor: undefined };
  }
  const strides = broadcastStrides(t, out.sizes);
  const isDense = strides.every((stride, d) => stride === out.strides[d] || out.sizes[d] === 1);
  const here = isDense ? addressOf(memory, t) : 0;
  return { here, block, step: bytes, cursor: here === 0 ? new Cursor(t, out.sizes, strides, order) : undefined };
}

/** Address of `count` elements of an operand from `first` on: where they lie or where they are copied to, one block after another. */
function load(memory: KernelMemory, { here, block, step, cursor }: Place, first: number, count: number): number {
  if (!cursor) return here + first * step;
  cursor.copyBits(memory.segment, block / step, count);
  return block;
}
