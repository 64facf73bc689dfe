/** @file Where the elements of a weight lie once it is packed, and the way back. Upstream: none. Spec: none. */

/**
 * Rows of `k` elements that were interleaved: panels of `width` rows, in each of them one element of every row after the other; pass by pass
 * of `step` elements, in which the panels of all rows follow each other; as often as there are groups of `rows` rows.
 */
export class Panels {
  private readonly rows: number;
  private readonly k: number;
  private readonly width: number;
  private readonly step: number;
  /** Elements from one row to the next, where there is one pass. */
  private readonly padded: number;
  private readonly groups: number;

  constructor(rows: number, k: number, width: number, { step = k, padded = k, groups = 1 } = {}) {
    this.rows = rows;
    this.k = k;
    this.width = width;
    this.step = step;
    this.padded = padded;
    this.groups = groups;
  }

  /** Whether every panel takes the place of its rows, so that all may be packed where they lie. */
  isInPlace(elements: number): boolean {
    const { rows, k, width, step, padded, groups } = this;
    return step === k && padded === k && rows % width === 0 && elements === groups * rows * k;
  }

  /** Whether panels are rows: packing in place moves nothing. */
  get isPlain(): boolean {
    return this.width === 1;
  }

  /** Writes the elements `[start, end)` as they were before to the beginning of `to`. Bits, not numbers: a NaN stays the one that it is. */
  unpack(packed: Uint32Array, at: number, start: number, end: number, to: Uint32Array): void {
    const { rows, k, width, step, padded } = this;
    const panelled = Math.ceil(rows / width) * width;
    for (let element = start; element < end;) {
      const row = Math.floor(element / k);
      const column = element % k;
      const r = row % rows;
      const pass = column - (column % step);
      const depth = step < k ? Math.min(step, k - pass) : padded;
      const lane = r % width;
      let from = at + ((row - r) / rows) * panelled * padded + panelled * pass + (r - lane) * depth + lane;
      from += (column - pass) * width;
      const count = Math.min(end - element, pass + Math.min(step, k - pass) - column);
      for (let i = element - start, last = i + count; i < last; i++, from += width) to[i] = packed[from]!;
      element += count;
    }
  }
}
