/** @file Few rows by a weight matrix that stays in the kernels' memory: what recurrent networks and decoders do all the time. Upstream: none. Spec: none. */
import type { Storage } from "../../storage.ts";
import type { Tensor } from "../../tensor.ts";
import { wasmKernels } from "./build.ts";
import { copyElements32 } from "./copies.ts";
import type { KernelMemory } from "./memory.ts";
import { packedWeights } from "./packed_weights.ts";

/** Largest inner dimension, and most elements of a result, that the standing area takes. */
const MAX_INNER = 4096;
const MAX_OUTER = 8192;
/** Multiplications from which the call pays. */
const MIN_WORK = 1024;

/** One area for operand and result, never freed: small products come by the thousand. */
let area = 0;
let areaMemory: KernelMemory | undefined;

function standingArea(memory: KernelMemory): number {
  if (areaMemory !== memory) {
    area = memory.allocate(4 * (MAX_INNER + MAX_OUTER + 8));
    areaMemory = memory;
  }
  return area;
}

/** A weight matrix that was multiplied by, and where its rows lie since its second use. */
interface Resident {
  version: number;
  readonly offset: number;
  readonly n: number;
  readonly k: number;
  /** 0: not moved in yet; -1: it cannot be. */
  address: number;
}

const residents = new WeakMap<Storage, Resident>();

/**
 * Where the rows of a contiguous float32 weight (n, k) lie in the kernels' memory, padded to a multiple of 4 floats; 0 where they do not. They
 * move in when they are asked for a second time, unchanged. The memory may grow here: read arrays afterwards.
 */
export function residentRows(weight: Tensor): number {
  const { storage, sizes } = weight;
  const known = residents.get(storage);
  if (known !== undefined && known.version === storage.version && known.offset === weight.storageOffset) {
    if (known.n !== sizes[0] || known.k !== sizes[1]) return 0;
    if (known.address === 0) known.address = moveIn(weight, known.n, known.k);
    return known.address > 0 ? known.address : 0;
  }
  const [n, k] = sizes as [number, number];
  if (n * k >= MIN_WORK) {
    residents.set(storage, { version: storage.version, offset: weight.storageOffset, n, k, address: 0 });
  }
  return 0;
}

function moveIn(weight: Tensor, n: number, k: number): number {
  const kernels = wasmKernels();
  if (!kernels) return 0;
  const { memory } = kernels;
  if (k > MAX_INNER || n > MAX_OUTER || standingArea(memory) === 0) return -1;
  const padded = (k + 3) & -4;
  const rows = (n + 3) & -4;
  const from = weight.base0;
  const address = packedWeights(memory, weight.storage, `rows ${from} ${n} ${k}`, rows * padded, (to) => {
    const { f32 } = memory;
    const source = weight.storage.segment.f32;
    for (let r = 0; r < n; r++) {
      copyElements32(f32, to / 4 + r * padded, source, from + r * k, k);
      f32.fill(0, to / 4 + r * padded + k, to / 4 + (r + 1) * padded);
    }
    f32.fill(0, to / 4 + n * padded, to / 4 + rows * padded);
    return true;
  });
  return address === 0 ? -1 : address;
}

/** y = w x + bias for one row x; `address` is what `residentRows` gave. False where the platform's kernels have been switched off. */
export function multiplyRow(
  address: number,
  n: number,
  k: number,
  x: Float32Array,
  xAt: number,
  bias: Float32Array | undefined,
  biasAt: number,
  y: Float32Array,
  yAt: number,
): boolean {
  const kernels = wasmKernels();
  if (!kernels) return false;
  const { f32 } = kernels.memory;
  const padded = (k + 3) & -4;
  const at = area >> 2;
  for (let i = 0; i < k; i++) f32[at + i] = x[xAt + i]!;
  for (let i = k; i < padded; i++) f32[at + i] = 0;
  const result = at + padded;
  kernels.dots(area, address, 4 * padded, padded, (n + 3) & -4, result << 2);
  if (bias) for (let i = 0; i < n; i++) y[yAt + i] = f32[result + i]! + bias[biasAt + i]!;
  else for (let i = 0; i < n; i++) y[yAt + i] = f32[result + i]!;
  return true;
}
