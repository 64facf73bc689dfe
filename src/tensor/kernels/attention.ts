/** @file Scaled dot product attention of one head at a time. Upstream: aten/src/ATen/native/transformers/attention.cpp. Spec: none. */
import type { Floats } from "./data.ts";
import { denseProduct, rowProductFor, transposed } from "./gemm.ts";

/** Softmax of each row in place; returns log-sum-exp of the rows. Rows of -Infinity become NaN (`safe`: zeros). */
export function softmaxRows(x: Floats, rows: number, width: number, safe: boolean): Float64Array {
  const logsumexp = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    const at = r * width;
    let most = -Infinity;
    // a NaN is taken, too: it makes the row NaN, and not one that sees nothing
    for (let i = 0; i < width; i++) if (!(x[at + i]! <= most)) most = x[at + i]!;
    if (most === -Infinity && safe) {
      x.fill(0, at, at + width);
      logsumexp[r] = -Infinity;
      continue;
    }
    let sum = 0;
    for (let i = 0; i < width; i++) {
      const e = Math.exp(x[at + i]! - most);
      x[at + i] = e;
      sum += e;
    }
    for (let i = 0; i < width; i++) x[at + i] = x[at + i]! / sum;
    logsumexp[r] = most + Math.log(sum);
  }
  return logsumexp;
}

/** Sizes of one attention head. */
export interface HeadShape {
  /** Queries. */
  readonly L: number;
  /** Keys. */
  readonly S: number;
  /** Width of queries and keys. */
  readonly E: number;
  /** Width of values. */
  readonly V: number;
}

/** scores (L, S) = q k^T * scale (+ mask), ready for the softmax. `mask` adds; -Infinity excludes. */
export function headScores(
  q: Floats,
  qAt: number,
  k: Floats,
  kAt: number,
  scores: Floats,
  s: HeadShape,
  scale: number,
  mask: ((i: number, j: number) => number) | undefined,
): void {
  rowProductFor(q)(q, qAt, s.E, k, kAt, s.E, scores, 0, s.S, s.L, s.S, s.E);
  for (let i = 0, at = 0; i < s.L; i++) {
    for (let j = 0; j < s.S; j++, at++) scores[at] = scores[at]! * scale + (mask ? mask(i, j) : 0);
  }
}

/** out (L, V) = weights (L, S) times v (S, V). */
export function headValues(weights: Floats, v: Floats, vAt: number, out: Floats, outAt: number, s: HeadShape): void {
  if (weights instanceof Float32Array) {
    denseProduct(weights, 0, v, vAt, out, outAt, s.L, s.V, s.S);
    return;
  }
  rowProductFor(weights)(weights, 0, s.S, transposed(v, vAt, s.S, s.V), 0, s.S, out, outAt, s.V, s.L, s.V, s.S);
}
