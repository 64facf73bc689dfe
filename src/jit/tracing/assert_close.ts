/** @file Whether two tensors are close, and where they are not. Upstream: torch/testing/_comparison.py (assert_close). Spec: none. */
import { pythonFloat } from "../../base/float_text.ts";
import { contiguousData } from "../../tensor/data.ts";
import type { DType } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Relative and absolute tolerance by dtype. */
const TOLERANCES: Readonly<Record<string, readonly [number, number]>> = {
  float16: [1e-3, 1e-5],
  bfloat16: [1.6e-2, 1e-5],
  float32: [1.3e-6, 1e-5],
  float64: [1e-7, 1e-7],
  complex64: [1.3e-6, 1e-5],
  complex128: [1e-7, 1e-7],
};

function tolerancesOf(a: DType, b: DType): readonly [number, number] {
  const [x, y] = [TOLERANCES[a.name] ?? [0, 0], TOLERANCES[b.name] ?? [0, 0]];
  return [Math.max(x[0]!, y[0]!), Math.max(x[1]!, y[1]!)];
}

/** Index of an element by its number in row-major order. */
function indexText(at: number, sizes: readonly number[]): string {
  const index: number[] = [];
  let rest = at;
  for (let d = sizes.length - 1; d >= 0; d--) {
    index.unshift(rest % sizes[d]!);
    rest = Math.floor(rest / sizes[d]!);
  }
  return index.length === 1 ? `(${index[0]!},)` : `(${index.join(", ")})`;
}

/** What differs between two tensors beyond tolerance, in PyTorch's words; undefined where they are close. NaN equals NaN. */
export function closenessError(actual: Tensor, expected: Tensor, rtol?: number): string | undefined {
  if (actual.sizes.join() !== expected.sizes.join()) {
    const shape = (t: Tensor): string => `torch.Size([${t.sizes.join(", ")}])`;
    return `The values for attribute 'shape' do not match: ${shape(actual)} != ${shape(expected)}.`;
  }
  const [defaultRtol, atol] = tolerancesOf(actual.dtype, expected.dtype);
  const relative = rtol ?? defaultRtol;
  const a = contiguousData(actual);
  const b = contiguousData(expected);
  let mismatches = 0;
  let worstAbsolute = -1;
  let worstRelative = -1;
  let absoluteAt = 0;
  let relativeAt = 0;
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [Number(a[i]), Number(b[i])];
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    const difference = Math.abs(x - y);
    if (difference <= atol + relative * Math.abs(y)) continue;
    mismatches++;
    const ratio = difference / Math.abs(y);
    if (difference > worstAbsolute) [worstAbsolute, absoluteAt] = [difference, i];
    if (ratio > worstRelative) [worstRelative, relativeAt] = [ratio, i];
  }
  if (mismatches === 0) return undefined;
  const allowed = (value: number): string => `(up to ${pythonFloat(value)} allowed)`;
  if (actual.sizes.length === 0) {
    return `Scalars are not close!\n\nExpected ${pythonFloat(Number(b[0]))} but got ${pythonFloat(Number(a[0]))}.\nAbsolute difference: ${pythonFloat(worstAbsolute)} ${allowed(atol)}\nRelative difference: ${pythonFloat(worstRelative)} ${allowed(relative)}`;
  }
  const { sizes } = actual;
  const percent = ((100 * mismatches) / a.length).toFixed(1);
  return `Tensor-likes are not close!\n\nMismatched elements: ${mismatches} / ${a.length} (${percent}%)\nGreatest absolute difference: ${pythonFloat(worstAbsolute)} at index ${indexText(absoluteAt, sizes)} ${allowed(atol)}\nGreatest relative difference: ${pythonFloat(worstRelative)} at index ${indexText(relativeAt, sizes)} ${allowed(relative)}`;
}
