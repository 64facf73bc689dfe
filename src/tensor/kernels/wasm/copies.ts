/** @file Copies between the kernels' memory and other arrays. Upstream: none. Spec: none. */

/** Rows shorter than this are copied by a loop: cheaper than a subarray. */
const MIN_SET = 48;

/** Copies `count` elements; both ways, so small counts avoid the two subarrays. */
export function copyElements32(
  to: Float32Array,
  toAt: number,
  from: Float32Array,
  fromAt: number,
  count: number,
): void {
  if (count < MIN_SET) for (let i = 0; i < count; i++) to[toAt + i] = from[fromAt + i]!;
  else to.set(from.subarray(fromAt, fromAt + count), toAt);
}

/** The same within one buffer, all of which `to` views, bit by bit: the short loop of `copyElements32` gives signalling NaNs another form. */
export function moveElements32(
  to: Float32Array,
  toAt: number,
  from: Float32Array,
  fromAt: number,
  count: number,
): void {
  const start = fromAt + (from.byteOffset - to.byteOffset) / 4;
  to.copyWithin(toAt, start, start + count);
}
