/** @file Storages that last from one instruction of a run to another: in a heap that takes them back, instead of the garbage collector. Upstream: torch/csrc/jit/runtime/static/memory_planner.h (the aim). Spec: none.
 *
 * Note [Temporaries]: the memory plan of a compiled graph (interpreter/memory_plan.ts) knows results that nobody outside of the
 * graph can ever see, and behind which instruction the last view of them is dead. While the kernel of such a result runs
 * (`runForTemporary`), what it allocates comes from the heap; all but the result is taken back when the kernel ends, the result
 * at its `releaseTemporary`. Whatever is left at the end of the outermost run is taken back then. */
import { copyInto } from "./copy.ts";
import { setStorageSource, type Storage } from "./storage.ts";
import { emptyTensor, Tensor } from "./tensor.ts";

/** What temporaries are taken from. */
export interface TemporaryHeap {
  /** A storage of what the bytes held before, or undefined where there is no room. */
  allocateStorage(nbytes: number): Storage | undefined;
  freeStorage(storage: Storage): void;
  holds(storage: Storage): boolean;
  /** Makes room for what was refused; nobody holds a view of the heap's arrays. */
  satisfy(): void;
}

let findHeap: () => TemporaryHeap | undefined = () => undefined;
let isPoisoned = false;
/** Storages that the heap holds for the current run. */
const live = new Set<Storage>();
let collecting: Storage[] | undefined;

/** Installs the heap; it may be absent where the platform or the kernel build has none. */
export function setTemporaryHeap(find: () => TemporaryHeap | undefined): void {
  findHeap = find;
}

/** Fills what is taken back with NaN, so that a test notices who still reads it. */
export function poisonTemporaries(poison: boolean): void {
  isPoisoned = poison;
}

/** Storages that are lent out at the moment. */
export function liveTemporaries(): number {
  return live.size;
}

/** A kernel whose result and temporaries lie in the heap. Its result must be a tensor of its own, unless `mayShare`: then it ends with the argument. */
export function runForTemporary(
  kernel: (...args: never[]) => unknown,
  mayShare = false,
): (...args: never[]) => unknown {
  return (...args) => {
    const heap = findHeap();
    if (!heap) return kernel(...args);
    const outer = collecting;
    const made: Storage[] = [];
    collecting = made;
    const restore = setStorageSource((nbytes, isZeroed) => {
      const storage = heap.allocateStorage(nbytes);
      if (storage) {
        made.push(storage);
        live.add(storage);
        if (isZeroed) storage.bytes().fill(0);
      }
      return storage;
    });
    let result: unknown;
    try {
      result = kernel(...args);
      if (result instanceof Tensor && !result.storage.hasBytes) keepParts(result, made);
    } finally {
      setStorageSource(restore);
      collecting = outer;
      const kept = result instanceof Tensor ? result.storage : undefined;
      for (const storage of made) if (storage !== kept) giveBack(heap, storage);
    }
    if (outer === undefined) heap.satisfy();
    // a kernel that gave back an argument, against its promise: the result must not share the argument's end
    if (!mayShare && result instanceof Tensor && !made.includes(result.storage) && heap.holds(result.storage))
      return copyOf(result);
    return result;
  };
}

/** `body`, whose storages are no temporaries: for what a kernel keeps. */
export function withLastingStorages<R>(body: () => R): R {
  const restore = setStorageSource(undefined);
  try {
    return body();
  } finally {
    setStorageSource(restore);
  }
}

/** Moves the parts of a sparse or nested result out of the heap: only a tensor's own storage is given back at its end. */
function keepParts(t: Tensor, made: readonly Storage[]): void {
  const kept = (part: Tensor): Tensor => (made.includes(part.storage) ? withLastingStorages(() => copyOf(part)) : part);
  const { sparse, nested } = t;
  if (nested) t.nested = nested.map(kept);
  if (!sparse) return;
  const values = kept(sparse.values);
  t.sparse =
    sparse.layout === "sparse_coo"
      ? { ...sparse, values, indices: kept(sparse.indices) }
      : {
          ...sparse,
          values,
          compressedIndices: kept(sparse.compressedIndices),
          plainIndices: kept(sparse.plainIndices),
        };
}

function copyOf(t: Tensor): Tensor {
  const copy = emptyTensor(t.sizes, t.dtype);
  copyInto(copy, t);
  return copy;
}

function giveBack(heap: TemporaryHeap, storage: Storage): void {
  if (!live.delete(storage)) return;
  if (isPoisoned) storage.bytes().fill(0xff);
  heap.freeStorage(storage);
}

/** Takes back the storage of a tensor whose last view is dead; storages that are not the heap's stay as they are. */
export function releaseTemporary(value: unknown): null {
  if (live.size > 0 && value instanceof Tensor && live.has(value.storage)) giveBack(findHeap()!, value.storage);
  return null;
}

/** Takes back what is left: the outermost run has ended. */
export function releaseAllTemporaries(): void {
  if (live.size === 0) return;
  const heap = findHeap();
  for (const storage of [...live]) {
    if (heap) giveBack(heap, storage);
    else live.delete(storage);
  }
}
