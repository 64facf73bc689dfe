/** @file The selection and sorting steps of libstdc++ (nth_element, sort, partial_sort): which of equal elements comes first is part of topk's result. Upstream: aten/src/ATen/native/TopKImpl.h. Spec: none. */

/** Whether `a` comes before `b`; both are positions. */
export type Before = (a: number, b: number) => boolean;

const THRESHOLD = 16;

function swap(v: number[], i: number, j: number): void {
  const t = v[i]!;
  v[i] = v[j]!;
  v[j] = t;
}

function medianToFirst(v: number[], result: number, a: number, b: number, c: number, before: Before): void {
  if (before(v[a]!, v[b]!)) {
    if (before(v[b]!, v[c]!)) swap(v, result, b);
    else if (before(v[a]!, v[c]!)) swap(v, result, c);
    else swap(v, result, a);
  } else if (before(v[a]!, v[c]!)) swap(v, result, a);
  else if (before(v[b]!, v[c]!)) swap(v, result, c);
  else swap(v, result, b);
}

/** Partitions [first, last) around a median of three that it puts at `first`; returns the cut. */
function partition(v: number[], first: number, last: number, before: Before): number {
  medianToFirst(v, first, first + 1, first + ((last - first) >> 1), last - 1, before);
  let low = first + 1;
  let high = last;
  for (;;) {
    while (before(v[low]!, v[first]!)) low++;
    high--;
    while (before(v[first]!, v[high]!)) high--;
    if (low >= high) return low;
    swap(v, low, high);
    low++;
  }
}

function linearInsert(v: number[], at: number, before: Before): void {
  const value = v[at]!;
  let i = at;
  while (before(value, v[i - 1]!)) {
    v[i] = v[i - 1]!;
    i--;
  }
  v[i] = value;
}

function insertionSort(v: number[], first: number, last: number, before: Before): void {
  for (let i = first + 1; i < last; i++) {
    if (before(v[i]!, v[first]!)) {
      const value = v[i]!;
      v.copyWithin(first + 1, first, i);
      v[first] = value;
    } else linearInsert(v, i, before);
  }
}

function adjustHeap(v: number[], first: number, holeIn: number, length: number, value: number, before: Before): void {
  let hole = holeIn;
  const top = hole;
  let child = hole;
  while (child < (length - 1) >> 1) {
    child = 2 * (child + 1);
    if (before(v[first + child]!, v[first + child - 1]!)) child--;
    v[first + hole] = v[first + child]!;
    hole = child;
  }
  if ((length & 1) === 0 && child === (length - 2) >> 1) {
    child = 2 * (child + 1);
    v[first + hole] = v[first + child - 1]!;
    hole = child - 1;
  }
  let parent = (hole - 1) >> 1;
  while (hole > top && before(v[first + parent]!, value)) {
    v[first + hole] = v[first + parent]!;
    hole = parent;
    parent = (hole - 1) >> 1;
  }
  v[first + hole] = value;
}

function makeHeap(v: number[], first: number, last: number, before: Before): void {
  const length = last - first;
  for (let parent = (length - 2) >> 1; length >= 2 && parent >= 0; parent--)
    adjustHeap(v, first, parent, length, v[first + parent]!, before);
}

function popHeap(v: number[], first: number, last: number, result: number, before: Before): void {
  const value = v[result]!;
  v[result] = v[first]!;
  adjustHeap(v, first, 0, last - first, value, before);
}

function heapSelect(v: number[], first: number, middle: number, last: number, before: Before): void {
  makeHeap(v, first, middle, before);
  for (let i = middle; i < last; i++) if (before(v[i]!, v[first]!)) popHeap(v, first, middle, i, before);
}

function sortHeap(v: number[], first: number, lastIn: number, before: Before): void {
  for (let last = lastIn; last - first > 1;) {
    last--;
    popHeap(v, first, last, last, before);
  }
}

/** std::partial_sort: the first `middle - first` of [first, last) in order. */
export function partialSort(v: number[], first: number, middle: number, last: number, before: Before): void {
  heapSelect(v, first, middle, last, before);
  sortHeap(v, first, middle, before);
}

/** std::nth_element over [first, last). */
export function nthElement(v: number[], firstIn: number, nth: number, lastIn: number, before: Before): void {
  let first = firstIn;
  let last = lastIn;
  if (first === last || nth === last) return;
  let depth = 2 * Math.floor(Math.log2(last - first));
  while (last - first > 3) {
    if (depth === 0) {
      heapSelect(v, first, nth + 1, last, before);
      swap(v, first, nth);
      return;
    }
    depth--;
    const cut = partition(v, first, last, before);
    if (cut <= nth) first = cut;
    else last = cut;
  }
  insertionSort(v, first, last, before);
}

function sortLoop(v: number[], first: number, lastIn: number, depthIn: number, before: Before): void {
  let last = lastIn;
  let depth = depthIn;
  while (last - first > THRESHOLD) {
    if (depth === 0) {
      partialSort(v, first, last, last, before);
      return;
    }
    depth--;
    const cut = partition(v, first, last, before);
    sortLoop(v, cut, last, depth, before);
    last = cut;
  }
}

/** std::sort over [first, last). */
export function introSort(v: number[], first: number, last: number, before: Before): void {
  if (first === last) return;
  sortLoop(v, first, last, 2 * Math.floor(Math.log2(last - first)), before);
  if (last - first > THRESHOLD) {
    insertionSort(v, first, first + THRESHOLD, before);
    for (let i = first + THRESHOLD; i < last; i++) linearInsert(v, i, before);
  } else insertionSort(v, first, last, before);
}
