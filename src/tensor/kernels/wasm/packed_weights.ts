/** @file Packed and transformed weights, made once and kept with the storage they come from. Upstream: none. Spec: none.
 *
 * Note [Lent weights]: a storage that was loaded lazily and is only packed is never touched: its bytes pass from the file through a
 * block of the kernels' memory. Who asks for them later makes it read them again.
 *
 * A packed weight lives in the kernels' memory as long as its storage: a finalizer frees it. It is made again, in place, when
 * the storage was written to since (`Storage.version`). */
import type { Storage } from "../../storage.ts";
import type { Tensor } from "../../tensor.ts";
import type { KernelMemory } from "./memory.ts";

/** Bytes that all packed weights may take; beyond, kernels pack at every call. */
const MAX_BYTES = 1.5 * 2 ** 30;

/** What packing needs besides the weights. */
const SCRATCH_BYTES = 1 << 22;

interface Packed {
  version: number;
  readonly address: number;
}

/** What one memory holds. */
class Cache {
  readonly forms = new WeakMap<Storage, Map<string, Packed>>();
  total = 0;
}

const caches = new WeakMap<KernelMemory, Cache>();

const finalizer = new FinalizationRegistry<{ memory: KernelMemory; address: number; bytes: number }>(
  ({ memory, address, bytes }) => {
    memory.free(address);
    caches.get(memory)!.total -= bytes;
  },
);

/** float32 weights of a kernel, which need not be in memory. */
export class Weights {
  readonly length: number;
  /** The storage that they view, where something may be kept for it. */
  readonly owner: Storage | undefined;
  /** Where they begin in it, in bytes. */
  readonly at: number;
  private readonly read: () => Float32Array;
  private array: Float32Array | undefined;

  private constructor(length: number, owner: Storage | undefined, at: number, read: () => Float32Array) {
    this.length = length;
    this.owner = owner;
    this.at = at;
    this.read = read;
  }

  /** Those of a contiguous float32 tensor without a neg bit. */
  static of({ storage, storageOffset, numel }: Tensor): Weights {
    return new Weights(numel, storage, 4 * storageOffset, () => {
      const at = storage.byteOffset / 4 + storageOffset;
      return storage.segment.f32.subarray(at, at + numel);
    });
  }

  static ofArray(array: Float32Array, owner?: Storage): Weights {
    return new Weights(array.length, owner, owner ? array.byteOffset - owner.byteOffset : 0, () => array);
  }

  /** The values. Touches the storage. */
  get values(): Float32Array {
    return (this.array ??= this.read());
  }

  /** What reads all of them, where nobody has touched the storage. */
  get reader(): ((target: Uint8Array) => void) | undefined {
    return this.at === 0 && this.owner?.nbytes === 4 * this.length ? this.owner.untouchedReader() : undefined;
  }

  /** `body` of the values, or of a copy that is gone afterwards: see Note [Lent weights]. False where there is no room for one. */
  lend(memory: KernelMemory, body: (values: Float32Array) => boolean): boolean {
    const { reader, length } = this;
    if (!reader) return body(this.values);
    memory.makeRoom(4 * length + SCRATCH_BYTES);
    const address = memory.allocate(4 * length);
    if (address === 0) return false;
    // the memory must not grow under the view
    memory.residents++;
    try {
      reader(memory.segment.u8.subarray(address, address + 4 * length));
      return body(memory.f32.subarray(address / 4, address / 4 + length));
    } finally {
      memory.residents--;
      memory.free(address);
    }
  }
}

/** `packedWeights` of weights that are lent to `fill`. */
export function packedFrom(
  memory: KernelMemory,
  weights: Weights,
  key: string,
  elements: number,
  fill: (address: number, values: Float32Array) => boolean,
): number {
  const whole = `${key}:${weights.at}:${weights.length}`;
  return packedWeights(memory, weights.owner, whole, elements, (address) =>
    weights.lend(memory, (values) => fill(address, values)),
  );
}

/**
 * Address of what `fill` makes of the weights in `owner`, `elements` floats; 0 where it cannot be kept. `key` says which part of
 * the storage and which form. `fill` may use arenas.
 */
export function packedWeights(
  memory: KernelMemory,
  owner: Storage | undefined,
  key: string,
  elements: number,
  fill: (address: number) => boolean,
): number {
  if (owner === undefined || (!owner.untouchedReader() && owner.segment === memory.segment)) return 0;
  let cache = caches.get(memory);
  if (!cache) caches.set(memory, (cache = new Cache()));
  const known = cache.forms.get(owner)?.get(key);
  if (known?.version === owner.version) return known.address;
  const bytes = 4 * elements;
  let address = known?.address ?? 0;
  if (address === 0) {
    if (cache.total + bytes > MAX_BYTES) return 0;
    address = memory.allocate(bytes);
    if (address === 0) return 0;
  }
  if (!fill(address)) {
    if (!known) memory.free(address);
    return 0;
  }
  if (known) known.version = owner.version;
  else {
    let forms = cache.forms.get(owner);
    if (!forms) cache.forms.set(owner, (forms = new Map()));
    forms.set(key, { version: owner.version, address });
    cache.total += bytes;
    finalizer.register(owner, { memory, address, bytes });
  }
  return address;
}
