/** @file The memory of the WebAssembly kernels: weights, scratch areas and temporaries of the interpreter. Upstream: none. Spec: none. See docs/adr/0007-kernel-heap.md.
 *
 * Note [Kernel heap]: one WebAssembly memory serves every build. Blocks are taken best fit from an address-ordered list of free
 * ranges; neighbours merge when they are freed. Scratch of a kernel is one block with areas inside, freed at the end of the
 * call. Growing replaces `f32` and `i32` and kills every view of the old ones, so the memory grows by itself only while no
 * tensor lives in it (`residents`); with residents, a request that does not fit is refused and noted in `wanted`, and the
 * interpreter grows the memory between two instructions, when nobody holds a view. */
import { Segment, Storage } from "../../storage.ts";
import type { TemporaryHeap } from "../../temporaries.ts";

const PAGE_BYTES = 65536;
/** What addresses of blocks are multiples of. */
export const LINE_BYTES = 64;
/** Kernels may read this far beyond an area (never store). */
const SLACK_BYTES = 256;
/** Pages of the start: address space only, the platform commits what is touched. A first call that has room finds its temporaries here. */
const INITIAL_PAGES = 2048;
const SMALLEST_PAGES = 16;
const MAX_PAGES = 65536;
/** Free bytes in one range that there should be before a kernel starts. */
const HEADROOM_BYTES = 1 << 24;

function makeMemory(shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: MAX_PAGES, shared });
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    return new WebAssembly.Memory({ initial: SMALLEST_PAGES, maximum: MAX_PAGES, shared });
  }
}

const aligned = (bytes: number): number => Math.ceil((bytes + SLACK_BYTES) / LINE_BYTES) * LINE_BYTES;

/** A growing WebAssembly memory with its typed arrays and an allocator. */
export class KernelMemory implements TemporaryHeap {
  /** Whether workers may use it, too. Copies of short arrays to and from shared memory cost four times as much. */
  readonly isShared: boolean;
  readonly memory: WebAssembly.Memory;
  /** The memory as a segment: storages of temporaries lie in it. */
  readonly segment: Segment;
  /** Storages that live here. */
  residents = 0;
  /** Views that are in use while something else is allocated, or beside the main thread: while there are any, the memory does not grow. */
  pins = 0;
  /** Bytes that were asked for and refused because growing would have killed views. */
  wanted = 0;
  /** Bytes in blocks of weights, see KeptBlock. */
  kept = 0;
  /** Bytes in blocks, and the most there ever were. */
  used = 0;
  peak = 0;
  /** Free ranges by address; address 0 stays free: kernels take it for "none". */
  private readonly starts: number[] = [LINE_BYTES];
  private readonly lengths: number[];
  private readonly blocks = new Map<number, number>();

  constructor(isShared = false) {
    this.isShared = isShared;
    this.memory = makeMemory(isShared);
    this.segment = new Segment(this.memory.buffer);
    this.lengths = [this.memory.buffer.byteLength - LINE_BYTES - SLACK_BYTES];
  }

  get f32(): Float32Array {
    return this.segment.f32;
  }
  get i32(): Int32Array {
    return this.segment.i32;
  }

  /** Address of a block, or 0 where there is no room. */
  allocate(bytes: number, mayGrow = this.residents === 0): number {
    const need = aligned(bytes);
    let at = this.fit(need);
    if (at < 0) {
      if (!mayGrow) {
        this.wanted += need;
        return 0;
      }
      if (!this.grow(need)) return 0;
      at = this.fit(need);
    }
    const address = this.starts[at]!;
    if (this.lengths[at] === need) {
      this.starts.splice(at, 1);
      this.lengths.splice(at, 1);
    } else {
      this.starts[at] = address + need;
      this.lengths[at]! -= need;
    }
    this.blocks.set(address, need);
    this.used += need;
    this.peak = Math.max(this.peak, this.used);
    return address;
  }

  /** The smallest free range of at least so many bytes, -1 where there is none. */
  private fit(need: number): number {
    let best = -1;
    let bestLength = Infinity;
    for (let i = 0; i < this.lengths.length; i++) {
      const length = this.lengths[i]!;
      if (length >= need && length < bestLength) {
        best = i;
        bestLength = length;
      }
    }
    return best;
  }

  /** Grows so that a block of so many bytes finds room, unless somebody may hold views. */
  makeRoom(bytes: number): void {
    if (this.residents === 0 && this.fit(aligned(bytes)) < 0) this.grow(aligned(bytes));
  }

  /** As `allocate`, for what may as well go elsewhere: nothing is noted where there is no room. As much room is left for what is made of it. */
  allocateSpare(bytes: number): number {
    this.makeRoom(bytes);
    if (this.fit(aligned(bytes)) < 0) return 0;
    const address = this.allocate(bytes, false);
    this.makeRoom(bytes + HEADROOM_BYTES);
    return address;
  }

  /** Makes several blocks of one, which begin so many bytes behind its start: 0 is the first, all are multiples of LINE_BYTES and ascend. */
  divide(address: number, starts: readonly number[]): void {
    const length = this.blocks.get(address)!;
    starts.forEach((start, i) => this.blocks.set(address + start, (starts[i + 1] ?? length) - start));
  }

  /** Gives a block back. */
  free(address: number): void {
    const length = this.blocks.get(address);
    if (length === undefined) return;
    this.blocks.delete(address);
    this.used -= length;
    this.insert(address, length);
  }

  private insert(address: number, length: number): void {
    const { starts, lengths } = this;
    let low = 0;
    for (let high = starts.length; low < high;) {
      const middle = (low + high) >> 1;
      if (starts[middle]! < address) low = middle + 1;
      else high = middle;
    }
    const joinsBefore = low > 0 && starts[low - 1]! + lengths[low - 1]! === address;
    const joinsAfter = low < starts.length && address + length === starts[low];
    if (joinsBefore && joinsAfter) {
      lengths[low - 1]! += length + lengths[low]!;
      starts.splice(low, 1);
      lengths.splice(low, 1);
    } else if (joinsBefore) lengths[low - 1]! += length;
    else if (joinsAfter) {
      starts[low] = address;
      lengths[low]! += length;
    } else {
      starts.splice(low, 0, address);
      lengths.splice(low, 0, length);
    }
  }

  /** Adds room for a block of so many bytes and half as much as there is. Kills all views. False where it cannot, or must stay where it is. */
  grow(need: number): boolean {
    if (this.pins > 0) return false;
    const before = this.memory.buffer.byteLength;
    const missing = Math.ceil((need + SLACK_BYTES) / PAGE_BYTES);
    const generous = Math.min(missing + (before >> 17), MAX_PAGES - before / PAGE_BYTES);
    if (!this.tryGrow(Math.max(missing, generous)) && !this.tryGrow(missing)) return false;
    this.segment.replace(this.memory.buffer);
    this.insert(before - SLACK_BYTES, this.memory.buffer.byteLength - before);
    return true;
  }

  private tryGrow(pages: number): boolean {
    try {
      this.memory.grow(pages);
      return true;
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      return false;
    }
  }

  /** Grows by what was refused, and so that scratch finds room. Only where nobody holds a view of the arrays. */
  satisfy(): void {
    if (this.wanted > 0) {
      this.grow(this.wanted);
      this.wanted = 0;
    } else if (this.residents > 0 && this.fit(HEADROOM_BYTES) < 0) this.grow(HEADROOM_BYTES);
  }

  /** One block with areas for so many 4-byte elements each, each on its own cache line; undefined where there is no room. */
  arena(...elements: readonly number[]): number[] | undefined {
    return this.arenas(1, elements)?.at;
  }

  /** One block with so many copies of the areas; the addresses are those of the first. */
  arenas(copies: number, elements: readonly number[]): { at: number[]; bytes: number } | undefined {
    let bytes = 0;
    const offsets = elements.map((count) => {
      const at = bytes;
      bytes += aligned(count * 4);
      return at;
    });
    const start = this.allocate(copies * bytes);
    return start === 0 ? undefined : { at: offsets.map((at) => start + at), bytes };
  }

  /** Address of the first element of an array that lies in this memory, 0 where it lies elsewhere. */
  addressOf(array: Float32Array): number {
    return array.buffer === this.segment.f32.buffer ? array.byteOffset : 0;
  }

  /** Address of an element of an array that views this memory, 0 where it lies elsewhere. */
  addressAt(array: Float32Array | Float64Array | Uint32Array | Uint8Array, index: number): number {
    return array.buffer === this.segment.f32.buffer ? array.byteOffset + array.BYTES_PER_ELEMENT * index : 0;
  }

  /** A storage in this memory, of what the block held before; undefined where there is no room. */
  allocateStorage(nbytes: number): Storage | undefined {
    const address = this.allocate(nbytes, false);
    if (address === 0) return undefined;
    this.residents++;
    return new Storage(this.segment, address, nbytes);
  }

  /** Whether the bytes of a storage are here. */
  holds(storage: Storage): boolean {
    return storage.hasBytes && storage.untouched() === undefined && storage.segment === this.segment;
  }

  /** Takes the bytes of a storage that nobody will read again. */
  freeStorage(storage: Storage): void {
    if (!this.holds(storage)) return;
    this.residents--;
    this.free(storage.byteOffset);
    storage.segment = RELEASED;
    storage.byteOffset = 0;
  }
}

/** Segment of storages whose bytes were given back: reading one by mistake finds nothing. */
const RELEASED = new Segment(new ArrayBuffer(0));
