/** @file Bytes of loaded storages in the kernels' memory, where weights are used. Upstream: none. Spec: none. See docs/adr/0014-held-weights.md.
 *
 * Note [Held bytes]: what is read from a file is written to memory for the first time, and memory that nobody has written to is slow.
 * So a weight goes to the kernels' memory at once, whose blocks are used again, and it is there in one form only: when a kernel has packed
 * it, the block that it came in is given back, and who asks for its values has them unpacked. The memory may grow meanwhile, as
 * nobody keeps a view of what is held. */
import type { UntouchedBytes } from "../../storage.ts";
import type { ByteRange, StorageHolder, Stretch } from "../../untouched_storage.ts";
import { kernelBuild, kernelMemory } from "./build.ts";
import { KeptBlock } from "./kept_block.ts";
import { LINE_BYTES, type KernelMemory } from "./memory.ts";
import type { Panels } from "./panels.ts";

/** Bytes of weights up to which more are taken in as they are loaded. A loop that loads without a pause holds all that it has loaded. */
const MAX_BYTES = 2 ** 30;
/** Bytes between two storages that are worth a block of their own. */
const MIN_GAP = 1 << 12;
const PIECE_BYTES = 1 << 18;
/** Bytes of a piece that is not copied. */
const VIEW_BYTES = 1 << 22;

/** A packed weight, of which the values can be made again. */
interface Packed {
  readonly block: KeptBlock;
  readonly panels: Panels;
}

/** See Note [Held bytes]. */
export class HeldBytes implements UntouchedBytes {
  crc32: number | undefined = undefined;
  private readonly nbytes: number;
  /** The bytes as they are. */
  private raw: KeptBlock | undefined;
  private packed: Packed | undefined;

  /** @param raw holds the bytes and nothing else. */
  constructor(raw: KeptBlock) {
    this.raw = raw;
    this.nbytes = raw.nbytes;
  }

  /** The block of the bytes as they are, if they are in that memory. */
  rawIn(memory: KernelMemory): KeptBlock | undefined {
    return this.raw?.memory === memory ? this.raw : undefined;
  }

  /** Whether a packed form in that memory stands for the bytes. */
  isPackedIn(memory: KernelMemory): boolean {
    return this.packed?.block.memory === memory;
  }

  /** Takes a packed form for the bytes from now on. It stays as long as the storage does. */
  become(packed: Packed): void {
    if (this.raw !== packed.block) this.raw?.free();
    this.raw = undefined;
    this.packed = packed;
  }

  view(): Uint8Array | undefined {
    if (!this.raw) return undefined;
    const { memory, address } = this.raw;
    return memory.segment.u8.subarray(address, address + this.nbytes);
  }

  read(target: Uint8Array): void {
    this.part(0, target);
  }

  *pieces(place?: Uint8Array): Generator<Uint8Array> {
    if (this.raw && !place) {
      // the memory may grow between two pieces
      for (let at = 0; at < this.nbytes; at += VIEW_BYTES)
        yield this.view()!.subarray(at, Math.min(at + VIEW_BYTES, this.nbytes));
      return;
    }
    const buffer = place ?? new Uint8Array(Math.min(PIECE_BYTES, this.nbytes));
    for (let at = 0; at < this.nbytes; at += buffer.length) {
      const piece = buffer.subarray(0, Math.min(buffer.length, this.nbytes - at));
      this.part(at, piece);
      yield piece;
    }
  }

  part(byteOffset: number, target: Uint8Array): void {
    if (this.packed) {
      const { block, panels } = this.packed;
      const from = byteOffset / 4;
      const to = new Uint32Array(target.buffer, target.byteOffset, target.length / 4);
      panels.unpack(block.memory.segment.u32, block.address / 4, from, from + to.length, to);
    } else target.set(this.view()!.subarray(byteOffset, byteOffset + target.length));
  }

  release(): void {
    this.raw?.free(); // a packed form goes on to serve the kernels
    this.raw = undefined;
  }
}

/** The memory for so many more bytes, undefined where they go elsewhere. Compiles nothing. */
function memoryFor(nbytes: number): KernelMemory | undefined {
  if (kernelBuild() === "reference") return undefined;
  const memory = kernelMemory();
  return memory && memory.kept + nbytes <= MAX_BYTES ? memory : undefined;
}

/** A block that bytes are being read into. */
class KernelStretch implements Stretch {
  private readonly memory: KernelMemory;
  private readonly address: number;
  private readonly nbytes: number;
  private isPinned = false;
  private isKept = false;
  private isOpen = true;

  constructor(memory: KernelMemory, address: number, nbytes: number) {
    this.memory = memory;
    this.address = address;
    this.nbytes = nbytes;
    memory.kept += nbytes;
  }

  bytes(): Uint8Array {
    if (!this.isPinned) this.memory.pins++;
    this.isPinned = true;
    return this.memory.segment.u8.subarray(this.address, this.address + this.nbytes);
  }

  keep(ranges: readonly ByteRange[]): UntouchedBytes[] {
    const { memory, address, nbytes } = this;
    this.isKept = true;
    memory.kept -= nbytes; // the blocks count
    divideBlock(memory, address, nbytes, ranges);
    return ranges.map(({ start, end }) => new HeldBytes(new KeptBlock(memory, address + start, end - start)));
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    if (this.isPinned) this.memory.pins--;
    if (this.isKept) return;
    this.memory.kept -= this.nbytes;
    this.memory.free(this.address);
  }
}

/** Takes the bytes of storages in. See Note [Held bytes]. */
export const KERNEL_HOLDER: StorageHolder = {
  alignment: LINE_BYTES,
  open(nbytes) {
    const memory = memoryFor(nbytes);
    const address = memory?.allocateSpare(nbytes) ?? 0;
    return memory && address !== 0 ? new KernelStretch(memory, address, nbytes) : undefined;
  },
};

/** Makes a block of every range, and gives back what lies between them where that is worth it. */
function divideBlock(memory: KernelMemory, address: number, nbytes: number, ranges: readonly ByteRange[]): void {
  const starts: number[] = [];
  const gaps: number[] = [];
  let at = 0;
  const leaveGap = (to: number): void => {
    if (to - at < MIN_GAP && (starts.length > 0 || to === 0)) return; // it stays with what lies before
    starts.push(at);
    gaps.push(at);
  };
  for (const { start, end } of ranges) {
    leaveGap(start);
    starts.push(start);
    at = Math.ceil(end / LINE_BYTES) * LINE_BYTES;
  }
  leaveGap(nbytes);
  memory.divide(address, starts);
  for (const gap of gaps) memory.free(address + gap);
}
