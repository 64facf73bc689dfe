/** @file The private memory of the WebAssembly kernels: operands are packed into it, results copied out. Upstream: none. Spec: none.
 *
 * Note [Kernel arena]: a kernel call lays its areas out from the start (`KernelLayout`), asks for the bytes once, and reads
 * `f32` and `i32` only after that, because growing replaces them. Nothing survives a call, so there is nothing to free; what a
 * call may ask for is bounded by the kernels' blocking, not by the size of their operands. */

const PAGE_BYTES = 65536;
const LINE_BYTES = 64;
/** Kernels may read this far beyond an area (never store). */
const SLACK_BYTES = 256;

/** Areas one behind the other, each on its own cache line. */
export class KernelLayout {
  /** Address 0 stays free: kernels take it for "none". */
  bytes = LINE_BYTES;

  /** Address of an area for so many 4-byte elements. */
  area(elements: number): number {
    const at = this.bytes;
    this.bytes += Math.ceil((elements * 4 + SLACK_BYTES) / LINE_BYTES) * LINE_BYTES;
    return at;
  }
}

/** A growing WebAssembly memory with its typed arrays. */
export class KernelMemory {
  readonly memory = new WebAssembly.Memory({ initial: 16 });
  f32 = new Float32Array(this.memory.buffer);
  i32 = new Int32Array(this.memory.buffer);

  /** Makes room for `bytes`; false where the platform refuses. */
  reserve(bytes: number): boolean {
    const missing = bytes - this.memory.buffer.byteLength;
    if (missing <= 0) return true;
    try {
      this.memory.grow(Math.ceil(missing / PAGE_BYTES));
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      return false;
    }
    this.f32 = new Float32Array(this.memory.buffer);
    this.i32 = new Int32Array(this.memory.buffer);
    return true;
  }
}
