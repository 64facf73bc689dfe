/** @file Where the results of a convolution go, and what is done to them on the way. Upstream: none. Spec: none. */
import type { Kernels } from "./build.ts";
import { copyElements32 } from "./copies.ts";

/** What follows a convolution or product, channel by channel: clamp(x * scale + shift + residual). */
export interface Finish {
  readonly scale?: ArrayLike<number> | undefined;
  readonly shift?: ArrayLike<number> | undefined;
  /** Laid out as the result. */
  readonly residual?: Float32Array | undefined;
  readonly low: number;
  readonly high: number;
}

/** Nothing follows. */
export const PLAIN_FINISH: Finish = { low: -Infinity, high: Infinity };

/** The result: in the kernels' memory, or copied to where it lies. */
export class Target {
  private readonly kernels: Kernels;
  private readonly out: Float32Array;
  private readonly finish: Finish;
  private readonly address: number;
  private readonly residualAddress: number;
  private readonly staging: number;
  private readonly residualStaging: number;

  /** @param staging address of an area for the largest `put`, used where the result lies elsewhere. */
  constructor(kernels: Kernels, out: Float32Array, finish: Finish, staging: number, residualStaging: number) {
    this.kernels = kernels;
    this.out = out;
    this.finish = finish;
    this.address = kernels.memory.addressOf(out);
    this.residualAddress = finish.residual ? kernels.memory.addressOf(finish.residual) : 0;
    this.staging = staging;
    this.residualStaging = residualStaging;
  }

  /** Puts rows of one channel at element `at` of the result, one behind the other; `ldfrom` in elements. */
  put(at: number, channel: number, from: number, ldfrom: number, rows: number, columns: number): void {
    const { kernels, finish } = this;
    const count = rows * columns;
    let residual = 0;
    if (finish.residual) {
      if (this.residualAddress !== 0) residual = this.residualAddress + 4 * at;
      else {
        residual = this.residualStaging;
        copyElements32(kernels.memory.f32, residual / 4, finish.residual, at, count);
      }
    }
    const to = this.address === 0 ? this.staging : this.address + 4 * at;
    if (ldfrom === columns) {
      columns = count;
      rows = 1;
    }
    kernels.finish(
      to,
      4 * columns,
      from,
      4 * ldfrom,
      rows,
      columns,
      residual,
      finish.scale ? finish.scale[channel]! : 1,
      finish.shift ? finish.shift[channel]! : 0,
      finish.low,
      finish.high,
    );
    if (this.address === 0) copyElements32(this.out, at, kernels.memory.f32, to / 4, count);
  }
}
