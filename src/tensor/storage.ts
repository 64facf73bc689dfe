/** @file Segment and Storage: the bytes that tensors view. Upstream: c10/core/StorageImpl.h. Spec: none.
 *
 * Note [Segments]: a Segment is one ArrayBuffer with a typed array of every kind over all of it; a Storage is a byte
 * range of a Segment. Kernels index the segment's arrays with absolute element offsets and never make a typed array of
 * their own: a small tensor then costs two small objects. Small storages share 64 KiB segments (bump allocation, the
 * garbage collector frees a segment with its last storage), large ones own theirs, and one segment may be a
 * WebAssembly heap, whose arrays are replaced when it grows: read `storage.segment.f32` after the last allocation.
 * See docs/adr/0003-heap.md. */
import { LimitError } from "../base/errors.ts";

/** One ArrayBuffer seen through every typed array. */
export class Segment {
  u8!: Uint8Array;
  i8!: Int8Array;
  i16!: Int16Array;
  u16!: Uint16Array;
  i32!: Int32Array;
  u32!: Uint32Array;
  f32!: Float32Array;
  f64!: Float64Array;
  private i64View: BigInt64Array | undefined;
  /** @param buffer its byteLength is a multiple of 8. */
  constructor(shared: ArrayBuffer | SharedArrayBuffer) {
    this.replace(shared);
  }

  /** Views another buffer from now on: a WebAssembly memory has grown. */
  replace(shared: ArrayBuffer | SharedArrayBuffer): void {
    const buffer = shared as ArrayBuffer;
    this.i64View = undefined;
    this.u8 = new Uint8Array(buffer);
    this.i8 = new Int8Array(buffer);
    this.i16 = new Int16Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
  }
  get i64(): BigInt64Array {
    return (this.i64View ??= new BigInt64Array(this.u8.buffer));
  }
}

/**
 * The bytes of a storage that nobody has touched since it was loaded.
 *
 * Note [Untouched storages]: a loaded storage may have its bytes elsewhere: in its file, or in the kernels' memory, where weights are
 * used. Whoever asks where they are (`segment`, `byteOffset`) makes the storage take a place of its own, and from then on it is like any
 * other; who only wants to read all of them asks for this.
 */
export interface UntouchedBytes {
  /** Writes all of them to `target`, which begins at a multiple of 4. */
  read(target: Uint8Array): void;
  /** Writes those from `byteOffset` on until `target` is full; both begin and end at multiples of 4. Absent where they come from a file. */
  readonly part?: (byteOffset: number, target: Uint8Array) => void;
  /** All of them in pieces, each valid until the next is taken; every one but the last fills `place`, where it is given. Undefined where `read` is the only way. */
  pieces(place?: Uint8Array): Iterable<Uint8Array> | undefined;
  /** Their CRC-32, where they were compared with it or will be as they are read: who saves them need not take it again. */
  crc32: number | undefined;
  /** Where they lie as they are, valid until the next allocation; undefined where they do not. */
  view(): Uint8Array | undefined;
  /** The storage has a place of its own now, or none any more. */
  release(): void;
}

/** Bytes shared by views. Reference identity is storage identity. */
export class Storage {
  segment: Segment;
  /** Where the storage starts in its segment; a multiple of 16. */
  byteOffset: number;
  nbytes: number;
  /** Counts in-place writes through any view (autograd's version counter). */
  version = 0;

  constructor(segment: Segment, byteOffset: number, nbytes: number) {
    this.segment = segment;
    this.byteOffset = byteOffset;
    this.nbytes = nbytes;
  }

  /** The bytes of a storage that nobody has touched; undefined for all others. See Note [Untouched storages]. */
  untouched(): UntouchedBytes | undefined {
    return undefined;
  }

  /** Whether there are bytes at all; false where a tensor's elements are kept another way (`absent_elements.ts`). */
  get hasBytes(): boolean {
    return true;
  }

  /** The bytes of this storage (a view; do not keep it across an allocation). */
  bytes(): Uint8Array {
    return this.segment.u8.subarray(this.byteOffset, this.byteOffset + this.nbytes);
  }
}

const SLAB_BYTES = 1 << 16;
const SMALL_BYTES = 1 << 12;
const ALIGN = 16;

let slab: Segment | undefined;
let slabUsed = SLAB_BYTES;

let allocatedStorages = 0;
let allocatedBytes = 0;

/** Storages made since the start, and their bytes. */
export function allocationFigures(): { allocatedStorages: number; allocatedBytes: number } {
  return { allocatedStorages, allocatedBytes };
}

/** Another place for large storages: gives undefined where it has no room. */
export type StorageSource = (nbytes: number, isZeroed: boolean) => Storage | undefined;

let source: StorageSource | undefined;

/** Takes large storages from `next` from now on; gives what they were taken from. */
export function setStorageSource(next: StorageSource | undefined): StorageSource | undefined {
  const before = source;
  source = next;
  return before;
}

/** Allocates bytes, zeroed unless the caller writes all of them. The only place that storages come from. */
export function allocateStorage(nbytes: number, isZeroed = true): Storage {
  allocatedStorages++;
  allocatedBytes += nbytes;
  if (nbytes <= SMALL_BYTES) {
    const need = (nbytes + ALIGN - 1) & -ALIGN;
    if (slab === undefined || slabUsed + need > SLAB_BYTES) {
      slab = new Segment(new ArrayBuffer(SLAB_BYTES));
      slabUsed = 0;
    }
    const storage = new Storage(slab, slabUsed, nbytes);
    slabUsed += need;
    return storage;
  }
  return (
    source?.(nbytes, isZeroed) ?? ownStorage(nbytes, (!isZeroed && makeUnwritten) || ((size) => new ArrayBuffer(size)))
  );
}

let makeUnwritten: ((size: number) => ArrayBuffer) | undefined;

/** Lets the platform give buffers that were not cleared; `undefined` restores cleared ones. */
export function installUnwrittenBuffers(make: typeof makeUnwritten): void {
  makeUnwritten = make;
}

/**
 * Allocates bytes that hold anything, never in the heap of the kernels: for those who write every byte before anybody else sees the
 * storage, and drop it where they cannot.
 */
export function allocateUnwrittenStorage(nbytes: number): Storage {
  if (nbytes <= SMALL_BYTES) return allocateStorage(nbytes, false);
  allocatedStorages++;
  allocatedBytes += nbytes;
  return ownStorage(nbytes, makeUnwritten ?? ((size) => new ArrayBuffer(size)));
}

function ownStorage(nbytes: number, make: (size: number) => ArrayBuffer): Storage {
  try {
    return new Storage(new Segment(make(Math.ceil(nbytes / 8) * 8)), 0, nbytes);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new LimitError("memory", nbytes, `Cannot allocate ${nbytes} bytes: the platform refused`);
  }
}
