/** @file Blocks of the kernels' memory that stay as long as somebody holds them: weights. Upstream: none. Spec: none. */
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

/** A block that is given back when nobody holds this object any more, or at once by `free`. */
export class KeptBlock {
  readonly memory: KernelMemory;
  readonly address: number;
  readonly nbytes: number;

  /** @param address a block that was allocated in the memory. */
  constructor(memory: KernelMemory, address: number, nbytes: number) {
    this.memory = memory;
    this.address = address;
    this.nbytes = nbytes;
    memory.kept += nbytes;
    finalizer.register(this, { memory, address, nbytes }, this);
  }

  /** Gives the block back. Idempotent. */
  free(): void {
    if (finalizer.unregister(this)) giveBack(this);
  }
}
