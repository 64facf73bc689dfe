/** @file Selection within a line: nth element, quick select, mode; the index found among equals is PyTorch's. Upstream: aten/src/ATen/native/SortingUtils.h, libstdc++'s nth_element. Spec: none. */
import { introSort } from "./introselect.ts";

/** Index of the element at position `n` in sorted order (NaN last, equal elements by index), as PyTorch's median picks it. */
export function nthElement(x: Float64Array, n: number): number {
  const at = new Int32Array(x.length);
  for (let i = 0; i < at.length; i++) at[i] = i;
  const less = (i: number, j: number): boolean => {
    const a = x[i]!;
    const b = x[j]!;
    return (b !== b && a === a) || a < b || (a === b && i < j);
  };
  const swap = (i: number, j: number): void => {
    const t = at[i]!;
    at[i] = at[j]!;
    at[j] = t;
  };
  let first = 0;
  let last = at.length;
  while (last - first > 3) {
    const mid = first + ((last - first) >> 1);
    const [a, b, c] = [first + 1, mid, last - 1];
    // the median of three goes first: the pivot
    if (less(at[a]!, at[b]!)) {
      if (less(at[b]!, at[c]!)) swap(first, b);
      else if (less(at[a]!, at[c]!)) swap(first, c);
      else swap(first, a);
    } else if (less(at[a]!, at[c]!)) swap(first, a);
    else if (less(at[b]!, at[c]!)) swap(first, c);
    else swap(first, b);
    let i = first + 1;
    let j = last;
    const pivot = at[first]!;
    for (;;) {
      while (less(at[i]!, pivot)) i++;
      j--;
      while (less(pivot, at[j]!)) j--;
      if (i >= j) break;
      swap(i, j);
      i++;
    }
    if (i <= n) first = i;
    else last = i;
  }
  for (let i = first + 1; i < last; i++) {
    const value = at[i]!;
    let j = i;
    while (j > first && less(value, at[j - 1]!)) {
      at[j] = at[j - 1]!;
      j--;
    }
    at[j] = value;
  }
  return at[n]!;
}

/** Index of the k-th smallest element by PyTorch's quick select (NaN is largest). */
export function quickSelect(x: Float64Array, k: number): number {
  const at = new Int32Array(x.length);
  for (let i = 0; i < at.length; i++) at[i] = i;
  const greater = (i: number, j: number): boolean => {
    const a = x[at[i]!]!;
    const b = x[at[j]!]!;
    return (a !== a && b === b) || a > b;
  };
  const swap = (i: number, j: number): void => {
    const t = at[i]!;
    at[i] = at[j]!;
    at[j] = t;
  };
  let low = 0;
  let high = x.length - 1;
  while (low < high) {
    if (high === low + 1) {
      if (greater(low, high)) swap(low, high);
      break;
    }
    swap(low + ((high - low) >> 1), low + 1);
    if (greater(low + 1, high)) swap(low + 1, high);
    if (greater(low, high)) swap(low, high);
    if (greater(low + 1, low)) swap(low + 1, low);
    let i = low + 1;
    let j = high;
    for (;;) {
      do i++;
      while (greater(low, i));
      do j--;
      while (greater(j, low));
      if (j < i) break;
      swap(i, j);
    }
    swap(low, j);
    if (j <= k) low = i;
    if (j >= k) high = j - 1;
  }
  return at[k]!;
}

/** Index of the most frequent value: of the smallest such value the place that std::sort puts last. */
export function modeIndex(x: Float64Array): number {
  const v = { key: x.slice(), from: Int32Array.from(x, (_, i) => i) };
  introSort(v, 0, x.length);
  let best = 0;
  let bestCount = 0;
  let count = 0;
  for (let i = 0; i < x.length; i++) {
    count++;
    if (i === x.length - 1 || v.key[i] !== v.key[i + 1]) {
      if (count > bestCount) {
        bestCount = count;
        best = i;
      }
      count = 0;
    }
  }
  return v.from[best]!;
}
