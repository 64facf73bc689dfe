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

/** Memory for bytes that are about to be read. Whoever opens it closes it. */
export interface Stretch {
  /** Where to write them; from the first call on the memory stays where it is until `close`. */
  bytes(): Uint8Array;
  /** What untouched storages hold from now on: what lies at these ranges, in their order, none over another, each at a multiple of `alignment`. Once. */
  keep(ranges: readonly ByteRange[]): UntouchedBytes[];
  /** Gives the memory back, but for what is kept. Idempotent. */
  close(): void;
}

/** Takes the bytes of storages in. */
export interface StorageHolder {
  /** What ranges begin at multiples of. */
  readonly alignment: number;
  /** Memory for so many bytes; undefined where there is no room. */
  open(nbytes: number): Stretch | undefined;
}

/** The bytes of an untouched storage are elsewhere from now on: in a place of their own, or where somebody holds them. */
export function moveUntouched(storage: Storage, where: Storage | UntouchedBytes): void {
  const moved = storage as UntouchedStorage;
  if (where instanceof Storage) place(moved, where.segment, where.byteOffset);
  else {
    moved.origin!.release();
    moved.origin = where;
  }
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
