/** @file The largest and smallest integers of lines, and where they are. Upstream: aten/src/ATen/native/cpu/TensorCompareKernel.cpp. Spec: none. */
import { contiguousTensor } from "./clone.ts";
import { DTYPES } from "./dtype.ts";
import { wasmFoldIntegers } from "./kernels/wasm/integer_folds.ts";
import { planReduction } from "./reduce.ts";
import { uninitializedTensor, type Tensor } from "./tensor.ts";
import { permuteView } from "./view_geometry.ts";

/** The extrema of int64 or int32 along a dimension and their first places; undefined where another loop is to run. */
export function selectIntegers(
  self: Tensor,
  dim: number,
  keepdim: boolean,
  fold: "max" | "min",
): { values: Tensor; indices: Tensor } | undefined {
  const isWide = self.dtype === DTYPES.int64;
  if ((!isWide && self.dtype !== DTYPES.int32) || self.device.type === "meta" || self.ndim === 0) return undefined;
  const { sizes, count } = planReduction(self, [dim], keepdim);
  const order = self.sizes.map((_, d) => d).filter((d) => d !== dim);
  const lines = contiguousTensor(permuteView(self, [...order, dim]));
  const values = uninitializedTensor(sizes, self.dtype);
  if (values.numel === 0 || !wasmFoldIntegers(fold, lines, values.numel, count, 1, values)) return undefined;
  const indices = uninitializedTensor(sizes, DTYPES.int64);
  const [x, y, z] = [lines, values, indices].map((t) => t.storage.segment.i32) as [Int32Array, Int32Array, Int32Array];
  const words = self.dtype.itemsize / 4;
  for (let r = 0; r < values.numel; r++) {
    const low = y[(values.base0 + r) * words]!;
    const high = y[(values.base0 + r) * words + words - 1]!;
    let at = (lines.base0 + r * count) * words;
    const start = at;
    while (x[at] !== low || x[at + words - 1] !== high) at += words;
    z[2 * (indices.base0 + r)] = (at - start) / words;
    z[2 * (indices.base0 + r) + 1] = 0;
  }
  return { values, indices };
}
