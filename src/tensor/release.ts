/** @file Giving memory back by hand: disposed storages, scopes that collect them, figures. Upstream: none. Spec: none.
 *
 * Note [Disposed storages]: a disposed storage gets a segment whose arrays throw when they are read, so that no kernel checks
 * anything and a tensor that is used too late says so instead of giving wrong numbers. Without disposal the garbage collector
 * frees what nobody holds; disposal only makes it happen at once. */
import { OperatorError } from "../base/errors.ts";
import { Segment, allocationFigures, type Storage } from "./storage.ts";

function refuse(): never {
  throw new OperatorError(
    "Cannot use this tensor: its memory was given back (dispose(), the end of its `using` block, or the end of torch.tidy, from which it must be returned or kept with torch.keep)",
  );
}

let disposed: Segment | undefined;

function disposedSegment(): Segment {
  if (!disposed) {
    disposed = new Segment(new ArrayBuffer(0));
    for (const name of ["u8", "i8", "i16", "u16", "i32", "u32", "f32", "f64", "i64"])
      Object.defineProperty(disposed, name, { get: refuse });
  }
  return disposed;
}

/** Whether a storage was given back. */
export function isDisposed(storage: Storage): boolean {
  return (
    disposed !== undefined && storage.hasBytes && storage.untouched() === undefined && storage.segment === disposed
  );
}

let forget: (storage: Storage) => void = () => {};

/** Calls `next` with every storage that is given back: where somebody keeps what was made of its bytes. */
export function whenDisposed(next: (storage: Storage) => void): void {
  forget = next;
}

let disposedBytes = 0;
let disposedStorages = 0;

/** Gives the bytes of a storage back; every tensor that views it throws when it is used. Idempotent. */
export function disposeStorage(storage: Storage): void {
  if (!storage.hasBytes || isDisposed(storage)) return;
  disposedBytes += storage.nbytes;
  disposedStorages++;
  forget(storage);
  storage.version++; // what others keep of it, they read again, and are refused
  storage.segment = disposedSegment();
  storage.byteOffset = 0;
}

/** Storages that a scope will give back. */
const scopes: Set<Storage>[] = [];

/** Whether a scope collects what operators make. */
export function hasScope(): boolean {
  return scopes.length > 0;
}

/** Leaves a new storage to the innermost scope. */
export function leaveToScope(storage: Storage): void {
  scopes.at(-1)?.add(storage);
}

/** Takes a storage out of all scopes. */
export function keepStorage(storage: Storage): void {
  for (const scope of scopes) scope.delete(storage);
}

/** Runs `body`; then disposes the storages that were left to the scope, except for those that `kept` finds in the result. */
export function inScope<R>(body: () => R, kept: (result: R) => Iterable<Storage>): R {
  const scope = new Set<Storage>();
  scopes.push(scope);
  let isDone = false;
  try {
    const result = body();
    const results = new Set(kept(result));
    scopes.pop();
    isDone = true;
    for (const storage of scope) {
      if (!results.has(storage)) disposeStorage(storage);
      else leaveToScope(storage);
    }
    return result;
  } finally {
    if (!isDone) {
      scopes.pop();
      for (const storage of scope) disposeStorage(storage);
    }
  }
}

/** What was allocated for tensors since the start. */
export interface MemoryFigures {
  /** Storages that were made. */
  readonly allocatedStorages: number;
  /** Their bytes. */
  readonly allocatedBytes: number;
  /** Storages that were given back by `dispose`, `using` or `torch.tidy`; the garbage collector frees the others. */
  readonly disposedStorages: number;
  /** Their bytes. */
  readonly disposedBytes: number;
}

/** The figures now. */
export function memoryFigures(): MemoryFigures {
  return { ...allocationFigures(), disposedStorages, disposedBytes };
}
