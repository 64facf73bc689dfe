/** @file The out= forms of sums, products and truth values, for which the dtype of `out` counts. Upstream: aten/src/ATen/native/ReduceOps.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { callOperator, op } from "../core/operator_registry.ts";
import { convertTensor } from "../tensor/clone.ts";
import { writeOutResult } from "../tensor/copy.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { notImplemented } from "../tensor/pointwise.ts";
import { cppScalarName } from "../tensor/kernels/matmul.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { dtypeArgument } from "./views.ts";

/** Computes in the dtype of `out`, unless one is given, which `out` must then take. */
function foldInto(out: Tensor, key: string, args: readonly unknown[], dtype: number | null): Tensor {
  writeOutResult(out, callOperator(key, [...args, dtype ?? out.dtype.id]) as Tensor);
  return out;
}

op(
  "aten::sum.IntList_out(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None, Tensor(a!) out) -> Tensor(a!)",
  (self, dim, keepdim, dtype, out) => foldInto(out, "aten::sum.dim_IntList", [self, dim, keepdim], dtype),
);
op(
  "aten::prod.int_out(Tensor self, int dim, bool keepdim=False, *, ScalarType? dtype=None, Tensor(a!) out) -> Tensor(a!)",
  (self, dim, keepdim, dtype, out) => foldInto(out, "aten::prod.dim_int", [self, dim, keepdim], dtype),
);
function scanInto(out: Tensor, name: string, args: readonly unknown[], dtype: number | null): Tensor {
  if (dtype !== null && dtype !== out.dtype.id)
    throw new OperatorError(
      `Expected out tensor to have dtype ${cppScalarName(dtypeArgument(dtype))}, but got ${cppScalarName(out.dtype)} instead`,
    );
  if ((dtype ?? out.dtype.id) === DTYPES.bool.id) throw notImplemented(`${name}_out_cpu`, DTYPES.bool);
  return foldInto(out, `aten::${name}`, args, dtype);
}
op(
  "aten::cumsum.out(Tensor self, int dim, *, ScalarType? dtype=None, Tensor(a!) out) -> Tensor(a!)",
  (self, dim, dtype, out) => scanInto(out, "cumsum", [self, dim], dtype),
);
op(
  "aten::cumprod.out(Tensor self, int dim, *, ScalarType? dtype=None, Tensor(a!) out) -> Tensor(a!)",
  (self, dim, dtype, out) => scanInto(out, "cumprod", [self, dim], dtype),
);

function truthInto(name: string, self: Tensor, dim: number, keepdim: boolean, out: Tensor): Tensor {
  if (out.dtype !== DTYPES.bool && out.dtype !== DTYPES.uint8)
    throw new OperatorError(`${name} only supports bool tensor for result, got: ${out.dtype.cppName}`);
  const result = callOperator(`aten::${name}.dim`, [self, dim, keepdim]) as Tensor;
  writeOutResult(out, convertTensor(result, out.dtype));
  return out;
}

op(
  "aten::all.out(Tensor self, int dim, bool keepdim=False, *, Tensor(a!) out) -> Tensor(a!)",
  (self, dim, keepdim, out) => truthInto("all", self, dim, keepdim, out),
);
op(
  "aten::any.out(Tensor self, int dim, bool keepdim=False, *, Tensor(a!) out) -> Tensor(a!)",
  (self, dim, keepdim, out) => truthInto("any", self, dim, keepdim, out),
);

/** Sums and means without NaN are computed in the dtype of `out`, of which there are kernels where it is a float. */
function withoutNanInto(
  name: string,
  self: Tensor,
  dim: readonly number[] | null,
  keepdim: boolean,
  dtype: number | null,
  out: Tensor,
): Tensor {
  if (self.dtype.category === "float" && out.dtype.category !== "float") throw notImplemented("nansum_cpu", out.dtype);
  writeOutResult(out, callOperator(`aten::${name}`, [self, dim, keepdim, dtype]) as Tensor);
  return out;
}
op(
  "aten::nansum.out(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None, Tensor(a!) out) -> Tensor(a!)",
  (self, dim, keepdim, dtype, out) => withoutNanInto("nansum", self, dim, keepdim, dtype, out),
);
op(
  "aten::nanmean.out(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None, Tensor(a!) out) -> Tensor(a!)",
  (self, dim, keepdim, dtype, out) => withoutNanInto("nanmean", self, dim, keepdim, dtype, out),
);
