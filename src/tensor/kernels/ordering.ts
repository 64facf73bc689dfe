/** @file Ordering: sort lines, binary search. Upstream: aten/src/ATen/native/cpu/SortingKernel.cpp, Bucketization.cpp. Spec: none. */
import { contiguousAs } from "../clone.ts";
import { DTYPES } from "../dtype.ts";
import { loadRun } from "../runs.ts";
import type { Tensor } from "../tensor.ts";
import { bigintsOf, doublesOf } from "./data.ts";

/** Elements that compare with `<`: doubles, or bigints where doubles would confuse them. */
export type Keys = Float64Array | BigInt64Array;

/** The elements of a real tensor in logical order, exact for comparison. */
export function keysOf(t: Tensor): Keys {
  if (t.dtype === DTYPES.int64) {
    const plain = contiguousAs(t, DTYPES.int64);
    const keys = new Float64Array(t.numel);
    return loadRun(t.dtype, plain.storage.segment, plain.base0, 1, keys.length, keys, 0) ? keys : bigintsOf(plain);
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
export function sortedOrder(keys: Keys, at: number, stride: number, n: number, descending: boolean): ArrayLike<number> {
  const words = n >= MIN_DIGITS && keys instanceof Float64Array ? wordsOf(keys, at, stride, n, descending) : undefined;
  if (words) return orderByDigits(words);
  const order = Array.from({ length: n }, (_, i) => i);
  const sign = descending ? -1 : 1;
  return order.sort((a, b) => sign * compareKeys(keys[at + a * stride]!, keys[at + b * stride]!));
}

/** Keys from which sorting by digits pays. */
const MIN_DIGITS = 64;
const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;

/** Words that are in the order of the keys, where all of these are float32 numbers. */
function wordsOf(
  keys: Float64Array,
  at: number,
  stride: number,
  n: number,
  descending: boolean,
): Uint32Array | undefined {
  const floats = new Float32Array(n);
  for (let i = 0, p = at; i < n; i++, p += stride) {
    const key = keys[p]!;
    floats[i] = key + 0; // one zero
    if (floats[i] !== key && key === key) return undefined;
  }
  const words = new Uint32Array(floats.buffer);
  const flip = descending ? 0xffffffff : 0;
  for (let i = 0; i < n; i++) {
    const word = words[i]!;
    // negative numbers grow downwards; NaN is greater than everything
    const rank = floats[i] !== floats[i] ? 0xffffffff : word >>> 31 === 1 ? ~word : word | 0x80000000;
    words[i] = rank ^ flip;
  }
  return words;
}

/** Stable ascending order of words, by their digits from the lowest on. */
function orderByDigits(words: Uint32Array): Uint32Array {
  const n = words.length;
  let order = new Uint32Array(n);
  let next = new Uint32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  const starts = new Uint32Array(DIGITS);
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    starts.fill(0);
    for (let i = 0; i < n; i++) starts[(words[i]! >>> shift) & (DIGITS - 1)]!++;
    if (starts[(words[0]! >>> shift) & (DIGITS - 1)] === n) continue;
    for (let digit = 0, sum = 0; digit < DIGITS; digit++) {
      const count = starts[digit]!;
      starts[digit] = sum;
      sum += count;
    }
    for (let i = 0; i < n; i++) next[starts[(words[order[i]!]! >>> shift) & (DIGITS - 1)]!++] = order[i]!;
    [order, next] = [next, order];
  }
  return order;
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
