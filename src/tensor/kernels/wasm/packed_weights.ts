/** @file Packed and transformed weights, made once and kept with the storage they come from. Upstream: none. Spec: none.
 *
 * A packed weight lives in the kernels' memory as long as its storage: a finalizer frees it. It is made again, in place, when
 * the storage was written to since (`Storage.version`). */
import type { Storage } from "../../storage.ts";
import type { KernelMemory } from "./memory.ts";

/** Bytes that all packed weights may take; beyond, kernels pack at every call. */
const MAX_BYTES = 1.5 * 2 ** 30;

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
  if (owner === undefined || owner.segment === memory.segment) return 0;
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
