/** @file Few rows by a weight matrix that stays in the kernels' memory: what recurrent networks and decoders do all the time. Upstream: none. Spec: none. */
import type { Storage } from "../../storage.ts";
import type { Tensor } from "../../tensor.ts";
import { afterMemoryReplaced, wasmKernels } from "./build.ts";
import type { KernelMemory } from "./memory.ts";
import { packedFrom, Weights } from "./packed_weights.ts";
import { Panels } from "./panels.ts";
import { copyPadded, denseDots } from "./product.ts";

/** Rows up to which a product is taken row by row. */
export const FEW_ROWS: number = 4;
/** Largest inner dimension, and most elements of a result, that the standing area takes. */
const MAX_INNER = 4096;
const MAX_OUTER = 8192;
/** Multiplications from which the call pays. */
const MIN_WORK = 1024;
/** Results shorter than this are copied by a loop. */
const MIN_SET = 48;

/** One area for operand and result, never freed: small products come by the thousand. */
let area = 0;
let areaMemory: KernelMemory | undefined;
const RESULT = MAX_INNER + 8;

function standingArea(memory: KernelMemory): number {
  if (areaMemory !== memory) {
    area = memory.allocate(4 * (RESULT + MAX_OUTER + 8));
    areaMemory = memory;
  }
  return area;
}

/**
 * A weight matrix (n, k) that was multiplied by, and where its rows lie since its second use.
 */
export interface Resident {
  readonly version: number;
  readonly offset: number;
  readonly n: number;
  readonly k: number;
  /** 0: not moved in yet; -1: it cannot be. */
  address: number;
  /** The result's place in an array of the kernels' memory, which changes when the memory grows. */
  result: Float32Array | undefined;
  memory: Float32Array | undefined;
}

let residents = new WeakMap<Storage, Resident>();
afterMemoryReplaced.push(() => (residents = new WeakMap()));
/** Elements of a row: zeros follow up to a multiple of 4. */
export const rowElements = (k: number): number => (k + 3) & -4;

/** Whether few rows by a weight (n, k) are products row by row, also when the weight has not moved in: answers are the same every time. */
export function fitsRowByRow(n: number, k: number): boolean {
  return k <= MAX_INNER && n <= MAX_OUTER;
}

/** Address of the rows of a weight (n, k), as many as the next multiple of 4; 0 where there is no room. `mayPass` as in `packedFrom`. */
export function packedRows(memory: KernelMemory, weights: Weights, n: number, k: number, mayPass: boolean): number {
  const padded = rowElements(k);
  const rows = (n + 3) & -4;
  const fill = (to: number, values: Float32Array): boolean => {
    const { f32 } = memory;
    copyPadded(f32, to / 4, padded, values, 0, k, n, k);
    f32.fill(0, to / 4 + n * padded, to / 4 + rows * padded);
    return true;
  };
  return packedFrom(memory, weights, `rows ${n} ${k}`, rows * padded, fill, new Panels(n, k, 1, { padded }), mayPass);
}

/**
 * A contiguous float32 weight (n, k) in the kernels' memory, or undefined where it is not there. It moves in when it is asked for a second time,
 * unchanged. The memory may grow here: read arrays afterwards.
 */
export function residentRows(weight: Tensor): Resident | undefined {
  const { storage, sizes } = weight;
  const known = residents.get(storage);
  if (known !== undefined && known.version === storage.version && known.offset === weight.storageOffset) {
    if (known.address < 0 || known.n !== sizes[0] || known.k !== sizes[1]) return undefined;
    return known.address === 0 && !moveIn(known, weight) ? undefined : known;
  }
  const [n, k] = sizes as [number, number];
  if (n * k >= MIN_WORK) {
    const { version } = storage;
    const offset = weight.storageOffset;
    residents.set(storage, { version, offset, n, k, address: 0, result: undefined, memory: undefined });
  }
  return undefined;
}

function moveIn(known: Resident, weight: Tensor): boolean {
  const kernels = wasmKernels();
  if (!kernels) return false;
  const { n, k } = known;
  const { memory } = kernels;
  known.address = -1;
  if (!fitsRowByRow(n, k) || standingArea(memory) === 0) return false;
  const address = packedRows(memory, Weights.of(weight), n, k, false);
  if (address === 0) return false;
  known.address = address;
  return true;
}

/** y = w x + bias for one row x. False where the platform's kernels have been switched off. */
export function multiplyRow(
  weight: Resident,
  x: Float32Array,
  xAt: number,
  bias: Float32Array | undefined,
  biasAt: number,
  y: Float32Array,
  yAt: number,
): boolean {
  const kernels = wasmKernels();
  if (!kernels) return false;
  const { n, k, address } = weight;
  const { f32 } = kernels.memory;
  const padded = rowElements(k);
  const at = area >> 2;
  for (let i = 0; i < k; i++) f32[at + i] = x[xAt + i]!;
  for (let i = k; i < padded; i++) f32[at + i] = 0;
  const result = at + RESULT;
  denseDots(kernels, area, address, padded, n, result << 2);
  if (bias) for (let i = 0; i < n; i++) y[yAt + i] = f32[result + i]! + bias[biasAt + i]!;
  else if (n < MIN_SET) for (let i = 0; i < n; i++) y[yAt + i] = f32[result + i]!;
  else {
    if (weight.memory !== f32) {
      weight.memory = f32;
      weight.result = f32.subarray(result, result + n);
    }
    y.set(weight.result!, yAt);
  }
  return true;
}
