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
  if (n < MIN_DIGITS) {
    const order = Array.from({ length: n }, (_, i) => i);
    const sign = descending ? -1 : 1;
    return order.sort((a, b) => sign * compareKeys(keys[at + a * stride]!, keys[at + b * stride]!));
  }
  const order = new Uint32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  const words =
    keys instanceof Float64Array
      ? (wholeWords(keys, at, stride, n, descending) ?? floatWords(keys, at, stride, n, descending))
      : undefined;
  if (words) return orderByDigits(words, order);
  const { low, high } = wordPairs(keys, at, stride, n, descending);
  const byLow = orderByDigits(low, order);
  return orderByDigits(
    high.map((_, i) => high[byLow[i]!]!),
    byLow,
  );
}

/** Keys from which sorting by digits pays. */
const MIN_DIGITS = 64;
const MAX_WORD = 0xffffffff;

/** Words that are in the order of the keys, where all of these are whole numbers of a range below 2^32. */
function wholeWords(
  keys: Float64Array,
  at: number,
  stride: number,
  n: number,
  descending: boolean,
): Uint32Array | undefined {
  let least = Infinity;
  let most = -Infinity;
  for (let i = 0, p = at; i < n; i++, p += stride) {
    const key = keys[p]!;
    if (Math.floor(key) !== key) return undefined;
    if (key < least) least = key;
    if (key > most) most = key;
  }
  if (!(most - least <= MAX_WORD)) return undefined;
  const words = new Uint32Array(n);
  if (descending) for (let i = 0, p = at; i < n; i++, p += stride) words[i] = most - keys[p]!;
  else for (let i = 0, p = at; i < n; i++, p += stride) words[i] = keys[p]! - least;
  return words;
}

/** The same where all of them are float32 numbers. */
function floatWords(
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
  const flip = descending ? MAX_WORD : 0;
  for (let i = 0; i < n; i++) {
    const word = words[i]!;
    // negative numbers grow downwards; NaN is greater than everything
    const rank = floats[i] !== floats[i] ? MAX_WORD : word >>> 31 === 1 ? ~word : word | 0x80000000;
    words[i] = rank ^ flip;
  }
  return words;
}

/** Pairs of words that are in the order of any keys. */
function wordPairs(
  keys: Keys,
  at: number,
  stride: number,
  n: number,
  descending: boolean,
): { low: Uint32Array; high: Uint32Array } {
  const low = new Uint32Array(n);
  const high = new Uint32Array(n);
  const isFloat = keys instanceof Float64Array;
  const line = isFloat ? new Float64Array(n) : new BigInt64Array(n);
  if (isFloat) for (let i = 0, p = at; i < n; i++, p += stride) line[i] = keys[p]! + 0;
  else for (let i = 0, p = at; i < n; i++, p += stride) line[i] = keys[p]!;
  const words = new Uint32Array(line.buffer);
  const flip = descending ? MAX_WORD : 0;
  for (let i = 0; i < n; i++) {
    const top = words[2 * i + 1]!;
    const isNaN = isFloat && line[i] !== line[i];
    const turn = isFloat && top >>> 31 === 1 ? MAX_WORD : 0;
    low[i] = (isNaN ? MAX_WORD : words[2 * i]! ^ turn) ^ flip;
    high[i] = (isNaN ? MAX_WORD : turn !== 0 ? ~top : top ^ 0x80000000) ^ flip;
  }
  return { low, high };
}

/** Words from which digits are longer: the counts of short ones take less time than few words. */
const MIN_LONG = 1 << 12;

/** `order`, stably sorted by the word that each of its entries comes with, by digits from the lowest on. Both arrays are written to. */
function orderByDigits(wordsIn: Uint32Array, orderIn: Uint32Array): Uint32Array {
  const n = orderIn.length;
  const bits = n < MIN_LONG ? 8 : 11;
  const mask = (1 << bits) - 1;
  let words: Uint32Array = wordsIn;
  let order: Uint32Array = orderIn;
  let nextWords: Uint32Array = new Uint32Array(n);
  let nextOrder: Uint32Array = new Uint32Array(n);
  let varying = 0;
  for (let i = 0; i < n; i++) varying |= words[i]! ^ words[0]!;
  const starts = new Uint32Array(mask + 1);
  for (let shift = 0; shift < 32; shift += bits) {
    if (((varying >>> shift) & mask) === 0) continue;
    starts.fill(0);
    for (let i = 0; i < n; i++) starts[(words[i]! >>> shift) & mask]!++;
    for (let digit = 0, sum = 0; digit <= mask; digit++) {
      const count = starts[digit]!;
      starts[digit] = sum;
      sum += count;
    }
    for (let i = 0; i < n; i++) {
      const word = words[i]!;
      const to = starts[(word >>> shift) & mask]!++;
      nextWords[to] = word;
      nextOrder[to] = order[i]!;
    }
    [words, nextWords] = [nextWords, words];
    [order, nextOrder] = [nextOrder, order];
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
