/** @file Ordering: sort lines, binary search. Upstream: aten/src/ATen/native/cpu/SortingKernel.cpp, Bucketization.cpp. Spec: none. */
import { DTYPES } from "../dtype.ts";
import type { Tensor } from "../tensor.ts";
import { bigintsOf, doublesOf } from "./data.ts";

/** Elements that compare with `<`: doubles, or bigints where doubles would confuse them. */
export type Keys = Float64Array | BigInt64Array;

/** The elements of a real tensor in logical order, exact for comparison. */
export function keysOf(t: Tensor): Keys {
  if (t.dtype === DTYPES.int64) {
    const wide = bigintsOf(t);
    if (wide.some((v) => v > 9007199254740991n || v < -9007199254740991n)) return wide;
  }
  return doublesOf(t);
}

/** Order of two keys; NaN is greater than everything. */
export function compareKeys(a: number | bigint, b: number | bigint): number {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a === b) return 0;
  return (a !== a ? 1 : 0) - (b !== b ? 1 : 0);
}

/** Stable order of the `n` keys at `at`, `at + stride`, ... */
export function sortedOrder(keys: Keys, at: number, stride: number, n: number, descending: boolean): number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  const sign = descending ? -1 : 1;
  return order.sort((a, b) => sign * compareKeys(keys[at + a * stride]!, keys[at + b * stride]!));
}

/** First position in sorted keys [from, to) that is not less than (`right`: greater than) `value`. */
export function searchSorted(
  keys: Keys,
  order: ArrayLike<number> | undefined,
  from: number,
  to: number,
  value: number | bigint,
  right: boolean,
): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = low + ((high - low) >>> 1);
    const key = keys[order ? from + order[middle]! : middle]!;
    if (right ? !(key > value) : !(key >= value)) low = middle + 1;
    else high = middle;
  }
  return low - from;
}
