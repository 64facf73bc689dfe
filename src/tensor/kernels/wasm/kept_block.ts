/** @file Blocks of the kernels' memory that stay as long as somebody holds them: weights. Upstream: none. Spec: none.
 *
 * Note [Ballast]: the garbage collector does not know what a block takes, and would let a program that loads one model after another
 * wait for a gigabyte to fill. So blocks hold buffers of about their size that nobody writes to: resizable ones, whose memory is only
 * reserved. What they take up is what makes a collector hurry. */
import type { KernelMemory } from "./memory.ts";

interface Place {
  readonly memory: KernelMemory;
  readonly address: number;
  readonly nbytes: number;
}

function giveBack({ memory, address, nbytes }: Place): void {
  memory.free(address);
  memory.kept -= nbytes;
}

const finalizer = new FinalizationRegistry<Place>(giveBack);

/** Bytes in blocks up to which none has ballast: one small model is no reason to collect garbage while it starts. */
const LIGHT_BYTES = 3 << 24;
/** Bytes of blocks for which one buffer stands: reserving memory is a call of the system. */
const BALLAST_BYTES = 1 << 20;
/** Bytes of ballast for one of a block: more blocks come while the collector marks. */
const BALLAST_RATIO = 1.25;

const ResizableBuffer = ArrayBuffer as new (byteLength: number, options: { maxByteLength: number }) => ArrayBuffer;
const canReserve = "resizable" in ArrayBuffer.prototype;
let unreported = 0;

/** Ballast for so many bytes, and for those that had none yet. See Note [Ballast]. */
function ballastFor(nbytes: number): ArrayBuffer | undefined {
  unreported += nbytes;
  if (!canReserve || unreported < BALLAST_BYTES) return undefined;
  const size = Math.ceil(BALLAST_RATIO * unreported);
  unreported = 0;
  try {
    return new ResizableBuffer(size, { maxByteLength: size });
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    return undefined;
  }
}

/** A block that is given back when nobody holds this object any more, or at once by `free`. */
export class KeptBlock {
  readonly memory: KernelMemory;
  readonly address: number;
  readonly nbytes: number;
  /** Held, not used. */
  readonly ballast: ArrayBuffer | undefined;

  /** @param address a block that was allocated in the memory. */
  constructor(memory: KernelMemory, address: number, nbytes: number) {
    this.memory = memory;
    this.address = address;
    this.nbytes = nbytes;
    memory.kept += nbytes;
    this.ballast = memory.kept > LIGHT_BYTES ? ballastFor(nbytes) : undefined;
    finalizer.register(this, { memory, address, nbytes }, this);
  }

  /** Gives the block back. Idempotent. */
  free(): void {
    if (finalizer.unregister(this)) giveBack(this);
  }
}
