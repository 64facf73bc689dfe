/** @file The selection and sorting steps of libstdc++ (nth_element, sort, partial_sort): which of equal elements comes first is part of topk's result. Upstream: aten/src/ATen/native/TopKImpl.h. Spec: none. */

/** What is put in order, ascending: numbers (no NaN) and with each of them the position that it came from. */
export interface Keyed {
  readonly key: Float64Array;
  readonly from: Int32Array;
}

const THRESHOLD = 16;

function swap({ key, from }: Keyed, i: number, j: number): void {
  const k = key[i]!;
  key[i] = key[j]!;
  key[j] = k;
  const f = from[i]!;
  from[i] = from[j]!;
  from[j] = f;
}

/** Puts what is at `j` to `i`. */
function move({ key, from }: Keyed, i: number, j: number): void {
  key[i] = key[j]!;
  from[i] = from[j]!;
}

function put({ key, from }: Keyed, i: number, k: number, f: number): void {
  key[i] = k;
  from[i] = f;
}

function medianToFirst(v: Keyed, result: number, a: number, b: number, c: number): void {
  const { key } = v;
  const [x, y, z] = [key[a]!, key[b]!, key[c]!];
  if (x < y) swap(v, result, y < z ? b : x < z ? c : a);
  else swap(v, result, x < z ? a : y < z ? c : b);
}

/** Partitions [first, last) around a median of three that it puts at `first`; returns the cut. */
function partition(v: Keyed, first: number, last: number): number {
  medianToFirst(v, first, first + 1, first + ((last - first) >> 1), last - 1);
  const { key } = v;
  const pivot = key[first]!;
  let low = first + 1;
  let high = last;
  for (;;) {
    while (key[low]! < pivot) low++;
    high--;
    while (pivot < key[high]!) high--;
    if (low >= high) return low;
    swap(v, low, high);
    low++;
  }
}

function linearInsert(v: Keyed, at: number): void {
  const k = v.key[at]!;
  const f = v.from[at]!;
  let i = at;
  for (; k < v.key[i - 1]!; i--) move(v, i, i - 1);
  put(v, i, k, f);
}

function insertionSort(v: Keyed, first: number, last: number): void {
  for (let i = first + 1; i < last; i++) {
    const k = v.key[i]!;
    if (k < v.key[first]!) {
      const f = v.from[i]!;
      v.key.copyWithin(first + 1, first, i);
      v.from.copyWithin(first + 1, first, i);
      put(v, first, k, f);
    } else linearInsert(v, i);
  }
}

function adjustHeap(v: Keyed, first: number, holeIn: number, length: number, k: number, f: number): void {
  const { key } = v;
  let hole = holeIn;
  const top = hole;
  let child = hole;
  while (child < (length - 1) >> 1) {
    child = 2 * (child + 1);
    if (key[first + child]! < key[first + child - 1]!) child--;
    move(v, first + hole, first + child);
    hole = child;
  }
  if ((length & 1) === 0 && child === (length - 2) >> 1) {
    child = 2 * (child + 1);
    move(v, first + hole, first + child - 1);
    hole = child - 1;
  }
  let parent = (hole - 1) >> 1;
  while (hole > top && key[first + parent]! < k) {
    move(v, first + hole, first + parent);
    hole = parent;
    parent = (hole - 1) >> 1;
  }
  put(v, first + hole, k, f);
}

function makeHeap(v: Keyed, first: number, last: number): void {
  const length = last - first;
  for (let parent = (length - 2) >> 1; length >= 2 && parent >= 0; parent--)
    adjustHeap(v, first, parent, length, v.key[first + parent]!, v.from[first + parent]!);
}

function popHeap(v: Keyed, first: number, last: number, result: number): void {
  const k = v.key[result]!;
  const f = v.from[result]!;
  move(v, result, first);
  adjustHeap(v, first, 0, last - first, k, f);
}

function heapSelect(v: Keyed, first: number, middle: number, last: number): void {
  makeHeap(v, first, middle);
  for (let i = middle; i < last; i++) if (v.key[i]! < v.key[first]!) popHeap(v, first, middle, i);
}

function sortHeap(v: Keyed, first: number, lastIn: number): void {
  for (let last = lastIn; last - first > 1;) {
    last--;
    popHeap(v, first, last, last);
  }
}

/** std::partial_sort: the first `middle - first` of [first, last) in order. */
export function partialSort(v: Keyed, first: number, middle: number, last: number): void {
  heapSelect(v, first, middle, last);
  sortHeap(v, first, middle);
}

/** std::nth_element over [first, last). */
export function nthElement(v: Keyed, firstIn: number, nth: number, lastIn: number): void {
  let first = firstIn;
  let last = lastIn;
  if (first === last || nth === last) return;
  let depth = 2 * Math.floor(Math.log2(last - first));
  while (last - first > 3) {
    if (depth === 0) {
      heapSelect(v, first, nth + 1, last);
      swap(v, first, nth);
      return;
    }
    depth--;
    const cut = partition(v, first, last);
    if (cut <= nth) first = cut;
    else last = cut;
  }
  insertionSort(v, first, last);
}

function sortLoop(v: Keyed, first: number, lastIn: number, depthIn: number): void {
  let last = lastIn;
  let depth = depthIn;
  while (last - first > THRESHOLD) {
    if (depth === 0) {
      partialSort(v, first, last, last);
      return;
    }
    depth--;
    const cut = partition(v, first, last);
    sortLoop(v, cut, last, depth);
    last = cut;
  }
}

/** std::sort over [first, last). */
export function introSort(v: Keyed, first: number, last: number): void {
  if (first === last) return;
  sortLoop(v, first, last, 2 * Math.floor(Math.log2(last - first)));
  if (last - first > THRESHOLD) {
    insertionSort(v, first, first + THRESHOLD);
    for (let i = first + THRESHOLD; i < last; i++) linearInsert(v, i);
  } else insertionSort(v, first, last);
}
