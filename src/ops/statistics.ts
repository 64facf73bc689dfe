/** @file Moments and norms: var, std, mean with them, vector norms, dist. Upstream: aten/src/ATen/native/ReduceOps.cpp, LinearAlgebra.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { convertTensor } from "../tensor/clone.ts";
import type { DType } from "../tensor/dtype.ts";
import { fromFloat64Array, fromComplexArrays } from "../tensor/data.ts";
import { complexVariance, normFold, ofMagnitudes, varianceFold } from "../tensor/kernels/folds.ts";
import { wasmMoments } from "../tensor/kernels/wasm/centered.ts";
import { canCast, toRealDtype } from "../tensor/promotion.ts";
import { mapPlanes, planReduction, reduceComplex, reduceReal } from "../tensor/reduce.ts";
import { scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import { numelOf, wrapDim } from "../tensor/strides.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { sub } from "./arithmetic.ts";
import { dtypeArgument } from "./views.ts";

/** Variance or standard deviation, with the means. */
function moments(
  self: Tensor,
  dims: readonly number[] | null,
  correction: number,
  keepdim: boolean,
  root: boolean,
  name = "std and var",
): [Tensor, Tensor] {
  const { dtype } = self;
  if (dtype.category !== "float" && dtype.category !== "complex") {
    throw new OperatorError(`${name} only support floating point and complex dtypes`);
  }
  const plan = planReduction(self, dims, keepdim);
  if (dtype.category === "complex") {
    const fold = complexVariance(correction, root);
    const value = reduceComplex(self, plan, fold, toRealDtype(dtype));
    return [
      value,
      fromComplexArrays(Float64Array.from(fold.meansRe), Float64Array.from(fold.meansIm), plan.sizes, dtype),
    ];
  }
  const means = new Float64Array(numelOf(plan.sizes));
  const vectors = mapPlanes(self, plan, (x, at, planes, squares) => {
    if (!wasmMoments(x, at, planes, means, squares)) return false;
    const degrees = Math.max(0, planes.count - correction);
    for (let i = 0; i < squares.length; i++) {
      const variance = squares[i]! / degrees;
      squares[i] = root ? Math.sqrt(variance) : variance;
    }
    return true;
  });
  if (vectors) return [vectors, fromFloat64Array(means, plan.sizes, dtype)];
  const fold = varianceFold(correction, root);
  const value = reduceReal(self, plan, fold, dtype, true);
  return [value, fromFloat64Array(Float64Array.from(fold.means), plan.sizes, dtype)];
}

function correctionOf(correction: Scalar | null): number {
  return correction === null ? 1 : scalarToNumber(correction);
}

type Dims = readonly number[] | null;
op(
  "aten::var(Tensor self, bool unbiased=True) -> Tensor",
  (self, unbiased) => moments(self, null, unbiased ? 1 : 0, false, false)[0],
);
op(
  "aten::var.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor",
  (self, dim: Dims, unbiased, keepdim) => moments(self, dim, unbiased ? 1 : 0, keepdim, false)[0],
);
op(
  "aten::var.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor",
  (self, dim, correction, keepdim) => moments(self, dim, correctionOf(correction), keepdim, false)[0],
);
op(
  "aten::std(Tensor self, bool unbiased=True) -> Tensor",
  (self, unbiased) => moments(self, null, unbiased ? 1 : 0, false, true)[0],
);
op(
  "aten::std.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor",
  (self, dim, unbiased, keepdim) => moments(self, dim, unbiased ? 1 : 0, keepdim, true)[0],
);
op(
  "aten::std.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor",
  (self, dim, correction, keepdim) => moments(self, dim, correctionOf(correction), keepdim, true)[0],
);
op("aten::var_mean(Tensor self, bool unbiased=True) -> (Tensor, Tensor)", (self, unbiased) =>
  moments(self, null, unbiased ? 1 : 0, false, false, "var_mean"),
);
op(
  "aten::var_mean.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> (Tensor, Tensor)",
  (self, dim, unbiased, keepdim) => moments(self, dim, unbiased ? 1 : 0, keepdim, false, "var_mean"),
);
op(
  "aten::var_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> (Tensor, Tensor)",
  (self, dim, correction, keepdim) => moments(self, dim, correctionOf(correction), keepdim, false, "var_mean"),
);
op("aten::std_mean(Tensor self, bool unbiased=True) -> (Tensor, Tensor)", (self, unbiased) =>
  moments(self, null, unbiased ? 1 : 0, false, true, "std_mean"),
);
op(
  "aten::std_mean.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> (Tensor, Tensor)",
  (self, dim, unbiased, keepdim) => moments(self, dim, unbiased ? 1 : 0, keepdim, true, "std_mean"),
);
op(
  "aten::std_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> (Tensor, Tensor)",
  (self, dim, correction, keepdim) => moments(self, dim, correctionOf(correction), keepdim, true, "std_mean"),
);

function checkNormDtype(self: Tensor, dtype: DType): void {
  const name = "linalg.vector_norm";
  if (dtype.category !== "float" && dtype.category !== "complex") {
    throw new OperatorError(`${name}: dtype should be floating point or complex, but got ${dtype.cppName}`);
  }
  if ((self.dtype.category === "complex") !== (dtype.category === "complex")) {
    const kind = self.dtype.category === "complex" ? "complex" : "real";
    throw new OperatorError(`${name}: dtype should be ${kind} for ${kind} inputs, but got ${dtype.cppName}`);
  }
  if (!canCast(self.dtype, dtype) || dtype.itemsize < self.dtype.itemsize) {
    throw new OperatorError(
      `${name}: the dtype of the input (${self.dtype.cppName}) should be convertible without narrowing to the specified dtype (${dtype.cppName})`,
    );
  }
}

/** linalg.vector_norm; `dims` null or empty means all elements. */
export function vectorNorm(self: Tensor, ord: number, dims: Dims, keepdim: boolean, id: number | null): Tensor {
  if (self.dtype.category !== "float" && self.dtype.category !== "complex") {
    throw new OperatorError(
      `linalg.vector_norm: Expected a floating point or complex tensor as input. Got ${self.dtype.cppName}`,
    );
  }
  if (id !== null) checkNormDtype(self, dtypeArgument(id));
  if (self.numel === 0 && (ord < 0 || ord === Infinity)) {
    const whole = dims === null || dims.length === 0;
    const text = ord === Infinity ? "inf" : ord === -Infinity ? "-inf" : String(ord);
    if (whole) {
      throw new OperatorError(
        `linalg.vector_norm cannot compute the ${text} norm on an empty tensor because the operation does not have an identity`,
      );
    }
    for (const dim of dims) {
      if (self.sizes[wrapDim(dim, self.ndim)] === 0) {
        throw new OperatorError(
          `linalg.vector_norm cannot compute the ${text} norm on the dimension ${wrapDim(dim, self.ndim)} because this dimension is empty and the operation does not have an identity`,
        );
      }
    }
  }
  const input = id === null ? self : convertTensor(self, dtypeArgument(id));
  const plan = planReduction(input, dims, keepdim);
  const fold = normFold(ord);
  if (input.dtype.category === "complex")
    return reduceComplex(input, plan, ofMagnitudes(fold), toRealDtype(input.dtype));
  return reduceReal(input, plan, fold, input.dtype, true);
}
export const linalg_vector_norm = op(
  "aten::linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
  (self, ord, dim, keepdim, dtype) => vectorNorm(self, scalarToNumber(ord), dim, keepdim, dtype),
);
/** The older norm operators name themselves in their message. */
function legacyNorm(self: Tensor, p: number, dims: Dims, keepdim: boolean, id: number | null): Tensor {
  if (self.dtype.category !== "float" && self.dtype.category !== "complex") {
    throw new OperatorError(
      `norm(): input dtype should be either floating point or complex. Got ${self.dtype.cppName} instead.`,
    );
  }
  return vectorNorm(self, p, dims, keepdim, id);
}
const p2 = (p: Scalar | null): number => (p === null ? 2 : scalarToNumber(p));
op("aten::norm.Scalar(Tensor self, Scalar p=2) -> Tensor", (self, p) => legacyNorm(self, p2(p), null, false, null));
op(
  "aten::norm.ScalarOpt_dim(Tensor self, Scalar? p, int[1] dim, bool keepdim=False) -> Tensor",
  (self, p, dim, keepdim) => legacyNorm(self, p2(p), dim, keepdim, null),
);
op(
  "aten::norm.ScalarOpt_dim_dtype(Tensor self, Scalar? p, int[1] dim, bool keepdim, *, ScalarType dtype) -> Tensor",
  (self, p, dim, keepdim, dtype) => legacyNorm(self, p2(p), dim, keepdim, dtype),
);
op("aten::norm.ScalarOpt_dtype(Tensor self, Scalar? p, *, ScalarType dtype) -> Tensor", (self, p, dtype) =>
  legacyNorm(self, p2(p), null, false, dtype),
);
op("aten::frobenius_norm.dim(Tensor self, int[1] dim, bool keepdim=False) -> Tensor", (self, dim, keepdim) =>
  vectorNorm(self, 2, dim, keepdim, null),
);
op("aten::native_norm(Tensor self, Scalar p=2) -> Tensor", (self, p) => vectorNorm(self, p2(p), null, false, null));
op(
  "aten::native_norm.ScalarOpt_dim_dtype(Tensor self, Scalar? p, int[1] dim, bool keepdim, ScalarType? dtype) -> Tensor",
  (self, p, dim, keepdim, dtype) => vectorNorm(self, p2(p), dim, keepdim, dtype),
);
op("aten::dist(Tensor self, Tensor other, Scalar p=2) -> Tensor", (self, other, p) =>
  legacyNorm(sub(self, other), p2(p), null, false, null),
);
