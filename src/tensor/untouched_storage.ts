/** @file Storages that take a place of their own when somebody first asks where their bytes are. Upstream: none. Spec: none. See Note [Untouched storages]. */
import { allocateUnwrittenStorage, Storage, type Segment, type UntouchedBytes } from "./storage.ts";

type UntouchedStorage = Storage & { origin: UntouchedBytes | undefined };

/** A storage of bytes that are elsewhere until it is touched. */
export function untouchedStorage(nbytes: number, origin: UntouchedBytes): Storage {
  const storage = Object.create(UNTOUCHED) as UntouchedStorage;
  storage.nbytes = nbytes;
  storage.version = 0;
  storage.origin = origin;
  return storage;
}

/** Where the bytes of a storage begin and end in a stretch of them. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Makes untouched storages of bytes that are read now. */
export interface StorageHolder {
  /** What ranges begin at multiples of. */
  readonly alignment: number;
  /** A storage of bytes that `fill` writes; undefined where there is no room for them. */
  hold(nbytes: number, fill: (target: Uint8Array) => void): Storage | undefined;
  /**
   * Storages whose bytes lie in one stretch: `fill` writes it and says which there are, in their order, none over another, each at a multiple of
   * `alignment`. Undefined where there is no room.
   */
  holdStretch<R extends ByteRange>(
    nbytes: number,
    fill: (target: Uint8Array) => readonly R[],
  ): (readonly [R, Storage])[] | undefined;
}

/** Gives a storage its place as plain properties: once touched it is as fast as any. */
function place(storage: UntouchedStorage, segment: Segment, byteOffset: number): void {
  const plain = { writable: true, enumerable: true, configurable: true };
  Object.defineProperties(storage, {
    segment: { value: segment, ...plain },
    byteOffset: { value: byteOffset, ...plain },
  });
  storage.origin?.release();
  storage.origin = undefined; // lets a file go
}

function touch(storage: UntouchedStorage): UntouchedStorage {
  const { segment, byteOffset } = allocateUnwrittenStorage(storage.nbytes);
  storage.origin!.read(segment.u8.subarray(byteOffset, byteOffset + storage.nbytes));
  place(storage, segment, byteOffset);
  return storage;
}

/** What stands before `Storage.prototype` until then. */
const UNTOUCHED: object = Object.create(Storage.prototype, {
  untouched: {
    value(this: UntouchedStorage) {
      return this.origin;
    },
  },
  segment: {
    get(this: UntouchedStorage) {
      return touch(this).segment;
    },
    set(this: UntouchedStorage, segment: Segment) {
      place(this, segment, 0);
    },
  },
  byteOffset: {
    get(this: UntouchedStorage) {
      return touch(this).byteOffset;
    },
    set(this: UntouchedStorage, byteOffset: number) {
      place(this, touch(this).segment, byteOffset);
    },
  },
});
