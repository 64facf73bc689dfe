/** @file What calls of one geometry read from the kernels' memory and does not change between them. Upstream: none. Spec: none.
 *
 * Note [Kept tables]: a model calls the same convolutions again and again, and between two calls all that was in the caches is gone: every
 * table that is written anew, every block that is taken and given back costs more than it seems. So from the second call of a geometry on,
 * its tables lie in a block of their own. Geometries of single calls are new objects and keep nothing. */
import { kernelChoice, type Kernels } from "./build.ts";
import { affinePairs } from "./finish.ts";
import { KeptBlock } from "./kept_block.ts";
import type { Weights } from "./packed_weights.ts";

/** Areas that stay, the last one for scale and shift of every channel. */
export class KeptTables {
  /** Byte addresses of the areas. */
  readonly at: readonly number[];
  private readonly block: KeptBlock;
  /** What the last area holds; null where that is scales of one and shifts of zero. */
  private affine: Float32Array | null | undefined;
  private weights: { readonly owner: object; readonly version: number; readonly at: number } | undefined;

  private constructor(block: KeptBlock, at: readonly number[]) {
    this.block = block;
    this.at = at;
  }

  /** Areas of so many 4-byte elements each, and one for `channels` channels; undefined where there is no room. */
  static of({ memory }: Kernels, elements: readonly number[], channels: number): KeptTables | undefined {
    const before = memory.used;
    const areas = memory.arena(...elements, 2 * channels);
    return areas && new KeptTables(new KeptBlock(memory, areas[0]!, memory.used - before), areas);
  }

  /** Address of scales and shifts (`Finish.affine`). */
  affineTable(affine: Float32Array | undefined, channels: number): number {
    const at = this.at.at(-1)!;
    if (this.affine !== (affine ?? null)) {
      this.affine = affine ?? null;
      this.block.memory.f32.set(affine ?? affinePairs(channels, undefined, undefined), at / 4);
    }
    return at;
  }

  /** Address of the values of weights, in an area with room for them. */
  valuesOf(w: Weights, area: number): number {
    const { memory } = this.block;
    const { owner } = w;
    const known = this.weights;
    const isKnown =
      known !== undefined && known.owner === owner && known.version === owner?.version && known.at === w.at;
    if (!isKnown) {
      memory.f32.set(w.values, area / 4);
      // values of a run's own storages change without notice
      this.weights = owner && !memory.holds(owner) ? { owner, version: owner.version, at: w.at } : undefined;
    }
    return area;
  }
}

/** What a geometry makes of its calls, as long as build, threads and memory stay. */
export class Prepared<P> {
  private readonly plans = new WeakMap<object, { readonly choice: number; readonly plan: P; calls: number }>();

  /** The plan of a geometry, and how many calls have asked for it before. */
  get(geometry: object, make: () => P): { readonly plan: P; readonly calls: number } {
    const choice = kernelChoice();
    const known = this.plans.get(geometry);
    if (known?.choice === choice) {
      known.calls++;
      return known;
    }
    const made = { choice, plan: make(), calls: 0 };
    this.plans.set(geometry, made);
    return made;
  }
}
