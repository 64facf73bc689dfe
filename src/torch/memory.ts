/** @file `torch.tidy` and `torch.keep`: memory that is given back at the end of a function. Upstream: none. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { inScope, keepStorage, leaveToScope, memoryFigures, type MemoryFigures } from "../tensor/release.ts";
import type { Storage } from "../tensor/storage.ts";
import { Tensor } from "../tensor/tensor.ts";

export { memoryFigures, type MemoryFigures };

function* storagesOf(tensor: Tensor): Generator<Storage> {
  yield tensor.storage;
  const { sparse, nested, quantizer } = tensor;
  for (const component of nested ?? []) yield* storagesOf(component);
  if (sparse) {
    yield* storagesOf(sparse.values);
    if (sparse.layout === "sparse_coo") yield* storagesOf(sparse.indices);
    else {
      yield* storagesOf(sparse.compressedIndices);
      yield* storagesOf(sparse.plainIndices);
    }
  }
  if (quantizer && quantizer.scheme !== "per_tensor_affine") {
    yield* storagesOf(quantizer.scales);
    yield* storagesOf(quantizer.zeroPoints);
  }
}

/** The storages of all tensors in a value: arrays, maps, sets, records and modules are searched. */
function* storagesIn(value: unknown, seen: Set<unknown> = new Set()): Generator<Storage> {
  if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return;
  seen.add(value);
  if (value instanceof Tensor) yield* storagesOf(value);
  else if (ArrayBuffer.isView(value)) return;
  else if (value instanceof Map) {
    for (const [key, item] of value as Map<unknown, unknown>) {
      yield* storagesIn(key, seen);
      yield* storagesIn(item, seen);
    }
  } else if (Array.isArray(value) || value instanceof Set) {
    for (const item of value as Iterable<unknown>) yield* storagesIn(item, seen);
  } else for (const item of Object.values(value)) yield* storagesIn(item, seen);
}

/**
 * Runs a function at once; then gives the memory of every tensor that `torch.*` functions and methods made in it back, except
 * for those in its result and those that `torch.keep` was called with. Throws OperatorError where the result is a promise.
 */
export function tidy<R>(body: () => R): R {
  return inScope(() => {
    const result = body();
    if (result instanceof Promise)
      throw new OperatorError("torch.tidy takes a function that does its work at once, found an asynchronous one");
    return result;
  }, storagesIn);
}

/** Keeps a tensor beyond the `torch.tidy` that runs; gives it back. */
export function keep<T extends Tensor>(tensor: T): T {
  for (const storage of storagesOf(tensor)) keepStorage(storage);
  return tensor;
}

/** Leaves what an operator made to the scope that runs; views of its arguments belong to whom the arguments belong. */
export function leaveResult(result: unknown, args: readonly unknown[]): void {
  if (result instanceof Tensor) {
    for (const storage of storagesOf(result)) if (!isArgument(storage, args)) leaveToScope(storage);
  } else if (Array.isArray(result)) for (const item of result) leaveResult(item, args);
}

function isArgument(storage: Storage, args: readonly unknown[]): boolean {
  return args.some((arg) =>
    arg instanceof Tensor ? arg.storage === storage : Array.isArray(arg) && isArgument(storage, arg),
  );
}
