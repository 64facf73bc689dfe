/** @file Functions of two integer tensors on the WebAssembly kernels. Upstream: none. Spec: none. */
import { DTYPES, type DType } from "../../dtype.ts";
import { broadcastStrides, Cursor, iterationOrder } from "../../iterate.ts";
import type { Tensor } from "../../tensor.ts";
import { family, wasmKernels } from "./build.ts";
import {
  INTEGER_BYTES,
  integerStep,
  isIntegerComparison,
  isIntegerDivision,
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
  const kernels = wasmKernels();
  if (!kind || !kernels) return false;
  const isSwapped = map === "gt" || map === "ge";
  const [a, b] = isSwapped ? [second, first] : [first, second];
  const name = kind === "bool" ? LOGIC[map] : map === "gt" ? "lt" : map === "ge" ? "le" : map;
  const run = name && family(FAMILIES[kind], (exports) => exports as Record<string, Kernel>)?.[name];
  if (!run) return false;
  const { memory } = kernels;
  const bytes = INTEGER_BYTES[kind];
  const outBytes = isIntegerComparison(name) ? 1 : bytes;
  const words = (BLOCK * bytes) / 4;
  const areas = memory.arena(words, words, words);
  if (!areas) return false;
  try {
    const n = out.numel;
    const step = integerStep(kind, name);
    const vector = isIntegerDivision(name) ? bytes : SPLAT_BYTES;
    const order = iterationOrder(out.sizes, [out.strides]);
    const [x, y] = [placeOf(memory, a, out, order, areas[0]!), placeOf(memory, b, out, order, areas[1]!)];
    const target = areas[2]!;
    const to = addressOf(memory, out);
    const runAt = (address: number, p: number, q: number, count: number): void =>
      run(address, p, x.step && vector, q, y.step && vector, Math.ceil(count / step));
    let done = 0;
    if (to !== 0 && x.here !== 0 && y.here !== 0 && !isIntegerDivision(name)) {
      done = n - (n % step);
      runTasks(kernels, Math.ceil(done / TASK_ELEMENTS), (_, task) => {
        const first = task * TASK_ELEMENTS;
        const count = Math.min(TASK_ELEMENTS, done - first);
        runAt(to + first * outBytes, x.here + first * x.step, y.here + first * y.step, count);
      });
    }
    const { u8 } = memory.segment;
    for (let first = done; first < n; first += BLOCK) {
      const count = Math.min(BLOCK, n - first);
      // the last step may write beyond the end
      const isWhole = to !== 0 && count % step === 0;
      const at = isWhole ? to + first * outBytes : target;
      runAt(at, load(memory, x, first, count), load(memory, y, first, count), count);
      if (!isWhole) {
        const start = out.base0 * outBytes + first * outBytes;
        out.storage.segment.u8.set(u8.subarray(target, target + count * outBytes), start);
      }
    }
    return true;
  } catch (cause) {
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
