/** @file Python's slice rules for lists and strings. Upstream: torch/csrc/jit/runtime/slice_indices_adjust.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import type { Int } from "../tensor/scalar.ts";

/** An int as an index: a number, saturated beyond 2^53. */
export function toIndex(value: Int): number {
  return typeof value === "bigint" ? Number(value) : value;
}

/** First index, number of elements and step of `[start:end:step]` over `length` elements. */
export function sliceIndices(length: number, start: Int | null, end: Int | null, step: Int): [number, number, number] {
  const by = toIndex(step);
  if (by === 0) throw new OperatorError("List slice should have non-zero step");
  const clamp = (value: number): number => {
    const v = value < 0 ? value + length : value;
    if (v < 0) return by < 0 ? -1 : 0;
    return v >= length ? (by < 0 ? length - 1 : length) : v;
  };
  const from = start === null ? (by < 0 ? length - 1 : 0) : clamp(toIndex(start));
  const to = end === null ? (by < 0 ? -1 : length) : clamp(toIndex(end));
  const count =
    by < 0
      ? to < from
        ? Math.floor((from - to - 1) / -by) + 1
        : 0
      : from < to
        ? Math.floor((to - from - 1) / by) + 1
        : 0;
  return [from, count, by];
}
