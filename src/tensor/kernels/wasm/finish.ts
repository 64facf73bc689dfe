/** @file Where the results of a convolution go, and what is done to them on the way. Upstream: none. Spec: none. */
import type { Kernels } from "./build.ts";
import { copyElements32 } from "./copies.ts";
import type { KeptTables } from "./kept_tables.ts";

/** What follows a convolution or product, channel by channel: clamp(x * scale + shift + residual). */
export interface Finish {
  /** Scale and shift of every channel, in turn. Nobody writes to it any more. */
  readonly affine?: Float32Array | undefined;
  /** Laid out as the result. */
  readonly residual?: Float32Array | undefined;
  readonly low: number;
  readonly high: number;
}

/** Nothing follows. */
export const PLAIN_FINISH: Finish = { low: -Infinity, high: Infinity };

/** What `Finish.affine` holds, of scales and shifts that may be absent. */
export function affinePairs(
  channels: number,
  scale: ArrayLike<number> | undefined,
  shift: ArrayLike<number> | undefined,
): Float32Array {
  const pairs = new Float32Array(2 * channels);
  for (let c = 0; c < channels; c++) {
    pairs[2 * c] = scale ? scale[c]! : 1;
    pairs[2 * c + 1] = shift ? shift[c]! : 0;
  }
  return pairs;
}

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
      finish.affine ? finish.affine[2 * channel]! : 1,
      finish.affine ? finish.affine[2 * channel + 1]! : 0,
      finish.low,
      finish.high,
    );
    if (this.address === 0) copyElements32(this.out, at, kernels.memory.f32, to / 4, count);
  }
}

/** Stands for areas that nothing needs; there is nothing to free. */
export const NO_AREAS: readonly number[] = [0, 0, 0, 0, 0];

interface ResultOptions {
  /** Makes the table of scales and shifts where nothing follows, too. */
  readonly wantsTable?: boolean;
  /** Where it stays from call to call. */
  readonly tables?: KeptTables | undefined;
}

/** Where the results of an image go, and how many bytes behind them the residual lies (0: there is none). */
export interface ResultPlace {
  readonly to: number;
  readonly delta: number;
}

/** The results of kernels that finish what they store (Note [Finished stores]), image by image: where they lie if that is in the kernels' memory, else in an area that is copied. */
export class Results {
  /** Scale and shift of every channel; 0 where nothing follows. */
  readonly table: number;
  readonly low: number;
  readonly high: number;
  private readonly kernels: Kernels;
  private readonly out: Float32Array;
  private readonly residual: Float32Array | undefined;
  private readonly image: number;
  private readonly areas: readonly number[];

  private constructor(
    kernels: Kernels,
    out: Float32Array,
    finish: Finish,
    channels: number,
    image: number,
    areas: readonly number[],
    { wantsTable, tables }: ResultOptions,
  ) {
    this.kernels = kernels;
    this.out = out;
    this.residual = finish.residual;
    this.low = finish.low;
    this.high = finish.high;
    this.image = image;
    this.areas = areas;
    const { affine, residual, low, high } = finish;
    const isPlain = !wantsTable && !affine && !residual && low === -Infinity && high === Infinity;
    if (isPlain) this.table = 0;
    else if (tables) this.table = tables.affineTable(affine, channels);
    else {
      this.table = areas[0]!;
      kernels.memory.f32.set(affine ?? affinePairs(channels, undefined, undefined), this.table / 4);
    }
  }

  /** @param image elements of one image, which are those of `channels` channels. Undefined where there is no room; else to be freed. */
  static of(
    kernels: Kernels,
    out: Float32Array,
    finish: Finish,
    channels: number,
    image: number,
    options: ResultOptions = {},
  ): Results | undefined {
    const { memory } = kernels;
    const { residual } = finish;
    const outStaged = stagedElements(kernels, out, image);
    const residualStaged = residual ? stagedElements(kernels, residual, image) : 0;
    const tableElements = options.tables ? 0 : 2 * channels;
    const needsNone = tableElements + outStaged + residualStaged === 0;
    const areas = needsNone ? NO_AREAS : memory.arena(tableElements, outStaged, residualStaged);
    return areas && new Results(kernels, out, finish, channels, image, areas, options);
  }

  /** Where the results of image n go. */
  begin(n: number): ResultPlace {
    const { memory } = this.kernels;
    const at = n * this.image;
    const to = memory.addressAt(this.out, at) || this.areas[1]!;
    if (!this.residual) return { to, delta: 0 };
    let from = memory.addressAt(this.residual, at);
    if (from === 0) {
      from = this.areas[2]!;
      copyElements32(memory.f32, from / 4, this.residual, at, this.image);
    }
    return { to, delta: from - to };
  }

  /** Image n is complete. */
  end(n: number): void {
    const { memory } = this.kernels;
    if (memory.addressOf(this.out) !== 0) return;
    copyElements32(this.out, n * this.image, memory.f32, this.areas[1]! / 4, this.image);
  }

  free(): void {
    this.kernels.memory.free(this.areas[0]!);
  }
}

/** Most elements of an image that lies elsewhere and passes through an area. */
export const MAX_STAGED: number = 1 << 25;

/** Elements of the area that an array's `count` elements pass through: none where they lie in the kernels' memory. */
export function stagedElements(kernels: Kernels, array: Float32Array, count: number): number {
  return kernels.memory.addressOf(array) === 0 ? count : 0;
}

/** Address of `count` elements of an array: where they lie, or where they were copied to. */
export function addressIn(kernels: Kernels, array: Float32Array, at: number, count: number, staging: number): number {
  const address = kernels.memory.addressAt(array, at);
  if (address !== 0) return address;
  copyElements32(kernels.memory.f32, staging / 4, array, at, count);
  return staging;
}
