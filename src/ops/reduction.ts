/** @file Reductions: sums, products, extrema, truth, counts. Upstream: aten/src/ATen/native/ReduceOps.cpp, TensorCompare.cpp, ReduceAllOps.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { aliasOperator, op } from "../core/operator_registry.ts";
import { contiguousTensor, convertTensor } from "../tensor/clone.ts";
import { writeOutResult } from "../tensor/copy.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import {
  bigExtremum,
  bigProd,
  bigSum,
  complexLogsumexp,
  complexProd,
  complexSum,
  countFold,
  intProdFold,
  intSumFold,
  logsumexpFold,
  maxFold,
  meanFold,
  minFold,
  nansumFold,
  ofMagnitudes,
  prodFold,
  sumFold,
  truthFold,
} from "../tensor/kernels/folds.ts";
import { BINARY } from "../tensor/kernels/binary.ts";
import { wasmLogSumExp } from "../tensor/kernels/wasm/centered.ts";
import { selectIntegers } from "../tensor/integer_extrema.ts";
import { floatExp } from "../tensor/math/float_exp.ts";
import { notImplemented } from "../tensor/pointwise.ts";
import { floatResult } from "../tensor/promotion.ts";
import {
  mapPlanes,
  planReduction,
  reduceComplex,
  reduceReal,
  selectExtrema,
  selectFromLines,
} from "../tensor/reduce.ts";
import { wrapDim } from "../tensor/strides.ts";
import { viewOf, type Tensor } from "../tensor/tensor.ts";
import { div } from "./arithmetic.ts";
import { comparison } from "./operands.ts";
import { isnan, logical_not } from "./unary.ts";
import { dtypeArgument } from "./views.ts";

/** The tensor as the accumulating dtype sees it: converted unless the conversion only widens. */
function accumulated(self: Tensor, dtype: DType): Tensor {
  if (self.dtype === dtype) return self;
  const widens = self.dtype.category === dtype.category && self.dtype.itemsize <= dtype.itemsize && self.dtype.isSigned;
  return widens || self.dtype === DTYPES.bool || (self.dtype.category === "int" && dtype === DTYPES.int64)
    ? self
    : convertTensor(self, dtype);
}

function sumDtype(self: Tensor, id: number | null): DType {
  if (id !== null) return dtypeArgument(id);
  return self.dtype.category === "int" || self.dtype.category === "bool" ? DTYPES.int64 : self.dtype;
}

function sumOver(self: Tensor, dims: readonly number[] | null, keepdim: boolean, id: number | null): Tensor {
  const dtype = sumDtype(self, id);
  const input = accumulated(self, dtype);
  const plan = planReduction(input, dims, keepdim);
  if (dtype === DTYPES.complex32) throw notImplemented("sum_cpu", dtype);
  if (dtype.category === "complex") return reduceComplex(input, plan, complexSum(), dtype);
  if (dtype === DTYPES.bool) return reduceReal(input, plan, truthFold(false), dtype, false);
  if (dtype.category === "int") return reduceReal(input, plan, intSumFold(), dtype, false, bigSum());
  return reduceReal(input, plan, sumFold(), dtype, true);
}
export const sum = op("aten::sum(Tensor self, *, ScalarType? dtype=None) -> Tensor", (self, dtype) =>
  sumOver(self, null, false, dtype),
);
export const sumDim = op(
  "aten::sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
  sumOver,
);

op(
  "aten::nansum(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
  (self, dims, keepdim, id) => {
    if (self.dtype.category === "complex") throw new OperatorError("nansum on CPU does not support complex inputs");
    const dtype = sumDtype(self, id);
    if (dtype.category !== "float") return sumOver(self, dims, keepdim, id);
    const input = accumulated(self, dtype);
    return reduceReal(input, planReduction(input, dims, keepdim), nansumFold(), dtype, true);
  },
);

function meanOver(self: Tensor, dims: readonly number[] | null, keepdim: boolean, id: number | null): Tensor {
  const dtype = id === null ? self.dtype : dtypeArgument(id);
  if (dtype.category !== "float" && dtype.category !== "complex") {
    const what = id === null ? "Input" : "Optional";
    throw new OperatorError(
      `mean(): could not infer output dtype. ${what} dtype must be either a floating point or complex dtype. Got: ${dtype.cppName}`,
    );
  }
  const input = accumulated(self, dtype);
  const plan = planReduction(input, dims, keepdim);
  if (dtype.category === "complex") return reduceComplex(input, plan, complexSum(plan.count), dtype);
  return reduceReal(input, plan, meanFold(plan.count), dtype, true);
}
export const mean = op("aten::mean(Tensor self, *, ScalarType? dtype=None) -> Tensor", (self, dtype) =>
  meanOver(self, null, false, dtype),
);
export const meanDim = op(
  "aten::mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
  meanOver,
);

op(
  "aten::nanmean(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
  (self, dims, keepdim, dtype) => {
    if (self.dtype.category !== "float" && self.dtype.category !== "complex") {
      throw new OperatorError(
        `nanmean(): expected input to have floating point or complex dtype but got ${self.dtype.cppName}`,
      );
    }
    if (self.dtype.category === "complex") throw new OperatorError("nansum on CPU does not support complex inputs");
    const wanted = dtype === null ? self.dtype : dtypeArgument(dtype);
    if (wanted.category !== "float" && wanted.category !== "complex") {
      throw new OperatorError(
        `nanmean(): could not infer output dtype. Optional dtype must be either a floating point or complex dtype. Got: ${wanted.cppName}`,
      );
    }
    const count = sumDim(logical_not(isnan(self)), dims, keepdim);
    const total = reduceReal(
      accumulated(self, sumDtype(self, dtype)),
      planReduction(self, dims, keepdim),
      nansumFold(),
      sumDtype(self, dtype),
      true,
    );
    return div(total, count);
  },
);

function prodOver(self: Tensor, dims: readonly number[] | null, keepdim: boolean, id: number | null): Tensor {
  const dtype = sumDtype(self, id);
  const input = accumulated(self, dtype);
  const plan = planReduction(input, dims, keepdim);
  if (dtype.category === "complex") return reduceComplex(input, plan, complexProd(), dtype);
  if (dtype === DTYPES.bool) return reduceReal(input, plan, truthFold(true), dtype, false);
  if (dtype.category === "int") return reduceReal(input, plan, intProdFold(), dtype, false, bigProd());
  return reduceReal(input, plan, prodFold(), dtype, true);
}
op("aten::prod(Tensor self, *, ScalarType? dtype=None) -> Tensor", (self, dtype) => prodOver(self, null, false, dtype));
op(
  "aten::prod.dim_int(Tensor self, int dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
  (self, dim, keepdim, dtype) => prodOver(self, [dim], keepdim, dtype),
);

function needElements(name: string, self: Tensor, dims: readonly number[] | null): void {
  if (self.numel > 0) return;
  if (dims === null || dims.length === 0) {
    throw new OperatorError(
      `${name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument.`,
    );
  }
  for (const dim of dims) {
    const d = wrapDim(dim, self.ndim);
    if (self.sizes[d] === 0) throw new OperatorError(`${name}(): Expected reduction dim ${d} to have non-zero size.`);
  }
}

function extremum(self: Tensor, dims: readonly number[] | null, keepdim: boolean, max: boolean): Tensor {
  const plan = planReduction(self, dims, keepdim);
  return reduceReal(
    self,
    plan,
    max ? maxFold() : minFold(),
    self.dtype,
    self.dtype.category === "float",
    self.dtype.category === "int" ? bigExtremum(max) : undefined,
  );
}
export const amax = op(
  "aten::amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor",
  (self, dims, keepdim) => {
    needElements("amax", self, dims);
    if (self.dtype.category === "complex") throw notImplemented("max_values_cpu", self.dtype);
    return extremum(self, dims, keepdim, true);
  },
);
export const amin = op(
  "aten::amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor",
  (self, dims, keepdim) => {
    needElements("amin", self, dims);
    if (self.dtype.category === "complex") throw notImplemented("min_values_cpu", self.dtype);
    return extremum(self, dims, keepdim, false);
  },
);
/** The out= forms of amax and amin do not convert. */
const extremumOut =
  (compute: (self: Tensor, dims: number[], keepdim: boolean) => Tensor) =>
  (self: Tensor, dims: number[], keepdim: boolean, out: Tensor): Tensor => {
    if (self.dtype !== out.dtype) {
      throw new OperatorError(
        `Expected the dtype for input and out to match, but got ${self.dtype.cppName} for input's dtype and ${out.dtype.cppName} for out's dtype.`,
      );
    }
    writeOutResult(out, compute(self, dims, keepdim));
    return out;
  };
op(
  "aten::amax.out(Tensor self, int[1] dim=[], bool keepdim=False, *, Tensor(a!) out) -> Tensor(a!)",
  extremumOut(amax),
);
op(
  "aten::amin.out(Tensor self, int[1] dim=[], bool keepdim=False, *, Tensor(a!) out) -> Tensor(a!)",
  extremumOut(amin),
);
op("aten::aminmax(Tensor self, *, int? dim=None, bool keepdim=False) -> (Tensor min, Tensor max)", aminmax);
op("aten::_aminmax(Tensor self) -> (Tensor, Tensor)", (self) => aminmax(self, null, false));
op("aten::_aminmax.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor, Tensor)", aminmax);

function aminmax(self: Tensor, dim: number | null, keepdim: boolean): [Tensor, Tensor] {
  if (self.numel === 0) {
    if (dim === null) {
      throw new OperatorError(
        "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.",
      );
    }
    const d = wrapDim(dim, self.ndim);
    if (self.sizes[d] === 0) throw new OperatorError(`aminmax: Expected reduction dim ${d} to have non-zero size.`);
  }
  if (self.dtype.category === "complex") throw notImplemented("aminmax_cpu", self.dtype);
  const dims = dim === null ? null : [dim];
  return [extremum(self, dims, keepdim, false), extremum(self, dims, keepdim, true)];
}

const wholeExtremum =
  (name: string, max: boolean) =>
  (self: Tensor): Tensor => {
    needElements(name, self, null);
    if (self.dtype.category === "complex") throw notImplemented(`${name}_all`, self.dtype);
    return extremum(self, null, false, max);
  };
export const max = op("aten::max(Tensor self) -> Tensor", wholeExtremum("max", true));
export const min = op("aten::min(Tensor self) -> Tensor", wholeExtremum("min", false));

/** Index of the first largest (or smallest) element; the first NaN wins. */
function firstExtremum(isMax: boolean): (x: Float64Array) => number {
  return (x) => {
    let best = 0;
    let value = x[0]!;
    if (value !== value) return 0;
    for (let i = 1; i < x.length; i++) {
      const v = x[i]!;
      if (v !== v) return i;
      if (isMax ? v > value : v < value) {
        value = v;
        best = i;
      }
    }
    return best;
  };
}

/** The first largest (or smallest) elements along a dimension, and where they are. */
function extremes(self: Tensor, dim: number, keepdim: boolean, isMax: boolean): { values: Tensor; indices: Tensor } {
  return (
    selectExtrema(self, dim, keepdim, isMax) ??
    selectIntegers(self, dim, keepdim, isMax ? "max" : "min") ??
    selectFromLines(self, dim, keepdim, DTYPES.int64, firstExtremum(isMax))
  );
}

const extremumAlong =
  (name: string, isMax: boolean) =>
  (self: Tensor, dim: number, keepdim: boolean): [Tensor, Tensor] => {
    const d = wrapDim(dim, self.ndim);
    if (self.ndim > 0 && self.sizes[d] === 0)
      throw new OperatorError(`${name}(): Expected reduction dim ${d} to have non-zero size.`);
    if (self.dtype.category === "complex") throw new OperatorError(`${name}(): does not support complex input`);
    const { values, indices } = extremes(self, d, keepdim, isMax);
    return [values, indices];
  };
export const maxDim = op(
  "aten::max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
  extremumAlong("max", true),
);
export const minDim = op(
  "aten::min.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
  extremumAlong("min", false),
);

const argExtremum =
  (name: string, isMax: boolean) =>
  (self: Tensor, dim: number | null, keepdim: boolean): Tensor => {
    if (self.dtype.category === "complex") throw new OperatorError(`${name}(): does not support complex input`);
    if (self.dtype === DTYPES.bool) throw new OperatorError(`${name}(): does not support bool input`);
    if (dim === null) {
      if (self.numel === 0)
        throw new OperatorError(`${name}(): Expected reduction dim to be specified for input.numel() == 0.`);
      const flat = flatView(self);
      const { indices } = extremes(flat, 0, false, isMax);
      return keepdim
        ? viewOf(
            indices,
            self.sizes.map(() => 1),
            self.sizes.map(() => 1),
          )
        : indices;
    }
    const d = wrapDim(dim, self.ndim);
    if (self.ndim > 0 && self.sizes[d] === 0)
      throw new OperatorError(`${name}(): Expected reduction dim ${d} to have non-zero size.`);
    return extremes(self, d, keepdim, isMax).indices;
  };
export const argmax = op(
  "aten::argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor",
  argExtremum("argmax", true),
);
export const argmin = op(
  "aten::argmin(Tensor self, int? dim=None, bool keepdim=False) -> Tensor",
  argExtremum("argmin", false),
);

/** All elements as one line, copied where the strides need it. */
export function flatView(self: Tensor): Tensor {
  const t = contiguousTensor(self);
  return viewOf(t, [self.numel], [1]);
}

function truth(self: Tensor, dims: readonly number[] | null, keepdim: boolean, all: boolean): Tensor {
  const plan = planReduction(self, dims, keepdim);
  const dtype = self.dtype === DTYPES.uint8 ? DTYPES.uint8 : DTYPES.bool;
  const fold = truthFold(all);
  // bytes are looked through where they lie
  if (self.dtype.category === "int" && dtype === DTYPES.bool)
    return reduceReal(convertTensor(self, dtype), plan, fold, dtype, false);
  if (self.dtype.category === "complex") return reduceComplex(self, plan, ofMagnitudes(fold), dtype);
  return reduceReal(self, plan, fold, dtype, false);
}
for (const all of [true, false]) {
  const name = all ? "all" : "any";
  const one = (self: Tensor, dim: number, keepdim: boolean): Tensor => truth(self, [dim], keepdim, all);
  const many = (self: Tensor, dims: readonly number[] | null, keepdim: boolean): Tensor => {
    if (dims === null) return truth(self, null, keepdim, all);
    if (dims.length > 0) return truth(self, dims, keepdim, all);
    // no dims: the truth of each element
    const result = contiguousTensor(logical_not(logical_not(self)));
    return self.dtype === DTYPES.uint8 ? convertTensor(result, self.dtype) : result;
  };
  if (name === "all") {
    op("aten::all(Tensor self) -> Tensor", (self) => truth(self, null, false, true));
    op("aten::all.dim(Tensor self, int dim, bool keepdim=False) -> Tensor", one);
    op("aten::all.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor", many);
  } else {
    op("aten::any(Tensor self) -> Tensor", (self) => truth(self, null, false, false));
    op("aten::any.dim(Tensor self, int dim, bool keepdim=False) -> Tensor", one);
    op("aten::any.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor", many);
  }
}
op("aten::_is_all_true(Tensor self) -> Tensor", (self) => truth(self, null, false, true));
op("aten::_is_any_true(Tensor self) -> Tensor", (self) => truth(self, null, false, false));

function countNonzero(self: Tensor, dims: readonly number[] | null): Tensor {
  if (self.dtype.category === "complex")
    return reduceComplex(self, planReduction(self, dims, false), ofMagnitudes(countFold()), DTYPES.int64);
  return sumOver(self.dtype === DTYPES.bool ? self : comparison(BINARY.ne, self, 0), dims, false, null);
}
op("aten::count_nonzero(Tensor self, int? dim=None) -> Tensor", (self, dim) =>
  countNonzero(self, dim === null ? null : [dim]),
);
op("aten::count_nonzero.dim_IntList(Tensor self, int[] dim) -> Tensor", countNonzero);

op("aten::logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor", (self, dims, keepdim) => {
  const dtype = floatResult(self.dtype);
  const input = self.dtype === dtype ? self : convertTensor(self, dtype);
  const plan = planReduction(input, dims, keepdim);
  if (dtype.category === "complex") return reduceComplex(input, plan, complexLogsumexp(), dtype);
  return (
    mapPlanes(input, plan, wasmLogSumExp) ??
    reduceReal(input, plan, logsumexpFold(dtype === DTYPES.float64 ? Math.exp : floatExp), dtype, true)
  );
});
aliasOperator("aten::special_logsumexp", "aten::logsumexp");

/** Sums `self` down to a shape that broadcasts to it. */
export function sumToSize(self: Tensor, size: readonly number[]): Tensor {
  if (size.length === 0) return sum(self);
  if (self.ndim === size.length && self.sizes.every((s, d) => s === size[d])) return self;
  const lead = self.ndim - size.length;
  const dims: number[] = [];
  for (let d = 0; d < self.ndim; d++) {
    const want = d < lead ? 1 : size[d - lead]!;
    if (d < lead || (want === 1 && self.sizes[d] !== 1)) dims.push(d);
    else if (want !== self.sizes[d]) {
      throw new OperatorError(`size {[${size.join(", ")}]} is not expandable to size {[${self.sizes.join(", ")}]}.`);
    }
  }
  if (lead < 0)
    throw new OperatorError(`size {[${size.join(", ")}]} is not expandable to size {[${self.sizes.join(", ")}]}.`);
  if (dims.length === 0) return self;
  const kept = sumDim(self, dims, true);
  return lead > 0 ? viewOf(kept, kept.sizes.slice(lead), kept.strides.slice(lead)) : kept;
}
op("aten::sum_to_size(Tensor self, SymInt[] size) -> Tensor", sumToSize);
op("aten::_grad_sum_to_size(Tensor(a) self, int[]? size) -> Tensor(a)", (self, size) =>
  size === null ? self : sumToSize(self, size),
);
