/** @file Matrix products: mm, bmm, matmul, linear, addmm and their kin. Upstream: aten/src/ATen/native/LinearAlgebra.cpp, Linear.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { notImplemented } from "../tensor/pointwise.ts";
import { isReducedFloat } from "./operands.ts";
import { callOperator, op } from "../core/operator_registry.ts";
import { contiguousAs, convertTensor, laidOutAs } from "../tensor/clone.ts";
import { copyElements, writeOutResult } from "../tensor/copy.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { isNonOverlappingAndDense } from "../tensor/memory_format.ts";
import { fromDoubles, indicesOf } from "../tensor/kernels/data.ts";
import { batchedProduct, cppScalarName, linearProduct, scaledSum, wideProduct } from "../tensor/kernels/matmul.ts";
import { promoteTypes } from "../tensor/promotion.ts";
import { Complex, isFloatScalar, scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import { broadcastShapes } from "../tensor/strides.ts";
import { emptyTensor, viewOf, type Tensor } from "../tensor/tensor.ts";
import { expandView, formatList, narrowView, selectView, unsqueezeView } from "../tensor/view_geometry.ts";
import { conjView, dtypeArgument, expand, reshape, reshapeTensor, tensorTypeName } from "./views.ts";

function checkMatrices(self: Tensor, mat2: Tensor): void {
  if (self.ndim !== 2) throw new OperatorError("self must be a matrix");
  if (mat2.ndim !== 2) throw new OperatorError("mat2 must be a matrix");
  checkProduct(self, mat2);
}

/** A sum with a product wants one dtype, before it looks at sizes. */
export function checkSumDtypes(self: Tensor, mat1: Tensor, mat2: Tensor): void {
  for (const [name, t] of [
    ["self", self],
    ["mat1", mat1],
  ] as const) {
    if (t.dtype !== mat2.dtype)
      throw new OperatorError(
        `${name} and mat2 must have the same dtype, but got ${t.dtype.cppName} and ${mat2.dtype.cppName}`,
      );
  }
}

/** The factors of a product have one dtype. */
export function checkFactorDtypes(a: Tensor, b: Tensor): void {
  if (a.dtype !== b.dtype) {
    throw new OperatorError(
      `expected m1 and m2 to have the same dtype, but got: ${cppScalarName(a.dtype)} != ${cppScalarName(b.dtype)}`,
    );
  }
}

function checkProduct(a: Tensor, b: Tensor): void {
  if (a.sizes[1] !== b.sizes[0]) {
    throw new OperatorError(
      `mat1 and mat2 shapes cannot be multiplied (${a.sizes[0]}x${a.sizes[1]} and ${b.sizes[0]}x${b.sizes[1]})`,
    );
  }
  checkFactorDtypes(a, b);
  // a product of no elements asks no kernel
  if (a.dtype === DTYPES.bool && a.sizes[0] !== 0 && b.sizes[1] !== 0 && a.sizes[1] !== 0)
    throw new OperatorError(`"addmm_impl_cpu_" not implemented for 'Bool'`);
}

function mmTensor(self: Tensor, mat2: Tensor): Tensor {
  checkMatrices(self, mat2);
  const out = batchedProduct(unsqueezeView(self, 0), unsqueezeView(mat2, 0));
  return fresh(out, [self.sizes[0]!, mat2.sizes[1]!]);
}

/** The same data under other sizes; `t` is a contiguous tensor that nobody else has seen. */
function fresh(t: Tensor, sizes: readonly number[]): Tensor {
  const out = reshapeTensor(t, sizes);
  out.base = undefined;
  return out;
}

export const mm = op("aten::mm(Tensor self, Tensor mat2) -> Tensor", mmTensor);
op("aten::mm.dtype(Tensor self, Tensor mat2, ScalarType out_dtype) -> Tensor", (self, mat2, dtype) => {
  checkMatrices(self, mat2);
  return fresh(convertTensor(wideProduct(unsqueezeView(self, 0), unsqueezeView(mat2, 0)), dtypeArgument(dtype)), [
    self.sizes[0]!,
    mat2.sizes[1]!,
  ]);
});
op("aten::_int_mm(Tensor self, Tensor mat2) -> Tensor", (self, mat2) =>
  fresh(convertTensor(wideProduct(unsqueezeView(self, 0), unsqueezeView(mat2, 0)), DTYPES.int32), [
    self.sizes[0]!,
    mat2.sizes[1]!,
  ]),
);

function checkBatches(batch1: Tensor, batch2: Tensor, kernel = "bmm"): void {
  if (batch1.ndim !== 3) throw new OperatorError("batch1 must be a 3D tensor");
  if (batch2.ndim !== 3) throw new OperatorError("batch2 must be a 3D tensor");
  if (batch2.sizes[0] !== batch1.sizes[0] || batch2.sizes[1] !== batch1.sizes[2]) {
    throw new OperatorError(
      `Expected size for first two dimensions of batch2 tensor to be: [${batch1.sizes[0]}, ${batch1.sizes[2]}] but got: [${batch2.sizes[0]}, ${batch2.sizes[1]}].`,
    );
  }
  if (batch1.dtype !== batch2.dtype) {
    throw new OperatorError(`expected scalar type ${batch1.dtype.cppName} but found ${batch2.dtype.cppName}`);
  }
  if (batch1.dtype === DTYPES.bool) throw new OperatorError(`"${kernel}" not implemented for 'Bool'`);
}

export const bmm = op("aten::bmm(Tensor self, Tensor mat2) -> Tensor", (self, mat2) => {
  checkBatches(self, mat2);
  return batchedProduct(self, mat2);
});
op("aten::bmm.dtype(Tensor self, Tensor mat2, ScalarType out_dtype) -> Tensor", (self, mat2, dtype) => {
  checkBatches(self, mat2);
  return convertTensor(wideProduct(self, mat2), dtypeArgument(dtype));
});

function vectorSizes(mat: Tensor, vec: Tensor, input: number): void {
  if (mat.ndim !== 2 || vec.ndim !== 1) {
    throw new OperatorError(`vector + matrix @ vector expected, got ${1}, ${mat.ndim}, ${vec.ndim}`);
  }
  if (mat.sizes[1] !== vec.sizes[0]) {
    throw new OperatorError(
      `size mismatch, got input (${input}), mat (${mat.sizes[0]}x${mat.sizes[1]}), vec (${vec.sizes[0]})`,
    );
  }
}

export const mv = op("aten::mv(Tensor self, Tensor vec) -> Tensor", (self, vec) => {
  vectorSizes(self, vec, self.sizes[0] ?? 0);
  if (self.dtype !== vec.dtype) {
    throw new OperatorError(
      `addmv input tensors must have the same dtype, but got ${vec.dtype.cppName}, ${self.dtype.cppName}, and ${vec.dtype.cppName}`,
    );
  }
  if (self.dtype === DTYPES.bool) throw new OperatorError(`"addmv_impl_cpu" not implemented for 'Bool'`);
  return fresh(batchedProduct(unsqueezeView(self, 0), unsqueezeView(unsqueezeView(vec, 0), 2)), [self.sizes[0]!]);
});

function dotTensor(self: Tensor, other: Tensor): Tensor {
  if (self.ndim !== 1 || other.ndim !== 1)
    throw new OperatorError(`1D tensors expected, but got ${self.ndim}D and ${other.ndim}D tensors`);
  if (self.dtype !== other.dtype) {
    throw new OperatorError(
      `dot : expected both vectors to have same dtype, but found ${self.dtype.cppName} and ${other.dtype.cppName}`,
    );
  }
  if (self.numel !== other.numel) {
    throw new OperatorError(
      `inconsistent tensor size, expected tensor [${self.numel}] and src [${other.numel}] to have the same number of elements, but got ${self.numel} and ${other.numel} elements respectively`,
    );
  }
  if (self.dtype === DTYPES.bool) throw new OperatorError(`"dot" not implemented for 'Bool'`);
  return fresh(batchedProduct(unsqueezeView(unsqueezeView(self, 0), 0), unsqueezeView(unsqueezeView(other, 0), 2)), []);
}

export const dot = op("aten::dot(Tensor self, Tensor tensor) -> Tensor", dotTensor);
op("aten::vdot(Tensor self, Tensor other) -> Tensor", (self, other) => dotTensor(conjView(self), other));

/** torch.matmul: vectors, matrices and batches of them. */
function matmulTensor(a: Tensor, b: Tensor): Tensor {
  if (a.ndim === 0 || b.ndim === 0) {
    throw new OperatorError(`both arguments to matmul need to be at least 1D, but they are ${a.ndim}D and ${b.ndim}D`);
  }
  if (a.ndim === 1 && b.ndim === 1) return dot(a, b);
  if (a.ndim === 2 && b.ndim === 1) return mv(a, b);
  if (a.ndim === 1 && b.ndim === 2) return fresh(mm(unsqueezeView(a, 0), b), [b.sizes[1]!]);
  if (a.ndim === 2 && b.ndim === 2) return mm(a, b);
  if (a.ndim >= 3 && b.ndim <= 2) {
    // a batch of matrices by one matrix is one tall product
    const rows = a.sizes.slice(0, -1);
    const tall = reshape(a, [rows.reduce((x, y) => x * y, 1), a.sizes[a.ndim - 1]!]);
    if (b.ndim === 1) return fresh(mv(tall, b), rows);
    return fresh(mm(tall, b), [...rows, b.sizes[1]!]);
  }
  if (a.ndim === 1 && a.dtype === DTYPES.bool) throw new OperatorError(`"addmv_impl_cpu" not implemented for 'Bool'`);
  const wasVector = a.ndim === 1 || b.ndim === 1;
  const left = a.ndim === 1 ? unsqueezeView(a, 0) : a;
  const right = b.ndim === 1 ? unsqueezeView(b, 1) : b;
  const batch = broadcastShapes(left.sizes.slice(0, -2), right.sizes.slice(0, -2));
  const count = batch.reduce((x, y) => x * y, 1);
  const m = left.sizes[left.ndim - 2]!;
  const k = left.sizes[left.ndim - 1]!;
  const n = right.sizes[right.ndim - 1]!;
  const out = bmm(
    reshape(expand(left, [...batch, m, k]), [count, m, k]),
    reshape(expand(right, [...batch, right.sizes[right.ndim - 2]!, n]), [count, right.sizes[right.ndim - 2]!, n]),
  );
  if (!wasVector) return fresh(out, [...batch, m, n]);
  return fresh(out, a.ndim === 1 ? [...batch, n] : [...batch, m]);
}

export const matmul = op("aten::matmul(Tensor self, Tensor other) -> Tensor", matmulTensor);
op("aten::linalg_matmul(Tensor self, Tensor other) -> Tensor", (self, other) => matmul(self, other));

export const linear = op(
  "aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor",
  (input, weight, bias) => {
    const features = input.sizes[input.ndim - 1] ?? 0;
    const rows = features === 0 ? input.sizes.slice(0, -1).reduce((x, y) => x * y, 1) : input.numel / features;
    if (weight.ndim === 1) {
      if (bias && input.ndim >= 2) throw new OperatorError("mat2 must be a matrix, got 1-D tensor");
      const out = matmul(input, weight);
      return bias ? addBias(out, bias) : out;
    }
    if (weight.ndim !== 2)
      throw new OperatorError("t() expects a tensor with <= 2 dimensions, but self is " + weight.ndim + "D");
    if (bias) checkSumDtypes(bias, input, weight);
    if (weight.sizes[1] !== features || weight.dtype !== input.dtype) {
      checkProduct(
        viewOf(input, [rows, features], [features, 1]),
        viewOf(weight, [weight.sizes[1]!, weight.sizes[0]!], [1, 1]),
      );
    }
    const n = weight.sizes[0]!;
    if (input.dtype.category !== "float" || (bias && (bias.ndim !== 1 || bias.sizes[0] !== n))) {
      const transposedWeight = viewOf(weight, [weight.sizes[1]!, n], [weight.strides[1]!, weight.strides[0]!]);
      if (!bias) return matmul(input, transposedWeight);
      if (input.ndim <= 2) {
        const product = matmul(input, transposedWeight);
        return addBias(product, bias);
      }
      const flat = addmm(bias, reshape(input, [rows, features]), transposedWeight);
      return fresh(flat, [...input.sizes.slice(0, -1), n]);
    }
    return fresh(linearProduct(reshapeTensor(input, [rows, features]), weight, bias), [...input.sizes.slice(0, -1), n]);
  },
);

function addBias(out: Tensor, bias: Tensor): Tensor {
  return scaledSum(expandView(bias, out.sizes, tensorTypeName(bias)), contiguousWide(out), 1, 1);
}

function contiguousWide(t: Tensor): Tensor {
  const wide =
    t.dtype.category === "int"
      ? DTYPES.int64
      : t.dtype === DTYPES.float16 || t.dtype === DTYPES.bfloat16
        ? DTYPES.float32
        : t.dtype;
  return contiguousAs(t, wide);
}

/** beta * self + alpha * product; integer products truncate the factors. */
function combine(self: Tensor, product: Tensor, sizes: readonly number[], beta: Scalar, alpha: Scalar): Tensor {
  const input = expandView(self, sizes, tensorTypeName(self));
  if (product.dtype.category === "complex") return fresh(complexCombine(input, product, beta, alpha), sizes);
  return fresh(scaledSum(input, product, scalarToNumber(beta), scalarToNumber(alpha)), sizes);
}

function complexCombine(input: Tensor, product: Tensor, beta: Scalar, alpha: Scalar): Tensor {
  const [br, bi] = beta instanceof Complex ? [beta.re, beta.im] : [scalarToNumber(beta), 0];
  const [ar, ai] = alpha instanceof Complex ? [alpha.re, alpha.im] : [scalarToNumber(alpha), 0];
  const wide = contiguousAs(input, DTYPES.complex128);
  const sum = contiguousAs(product, DTYPES.complex128);
  const out = emptyTensor(product.sizes, DTYPES.complex128);
  const x = wide.storage.segment.f64;
  const y = sum.storage.segment.f64;
  const z = out.storage.segment.f64;
  for (let i = 0; i < out.numel; i++) {
    const xi = 2 * (wide.base0 + i);
    const yi = 2 * (sum.base0 + i);
    const zi = 2 * (out.base0 + i);
    const skip = br === 0 && bi === 0;
    z[zi] = ar * y[yi]! - ai * y[yi + 1]! + (skip ? 0 : br * x[xi]! - bi * x[xi + 1]!);
    z[zi + 1] = ar * y[yi + 1]! + ai * y[yi]! + (skip ? 0 : br * x[xi + 1]! + bi * x[xi]!);
  }
  return convertTensor(out, input.dtype);
}

export const addmm = op(
  "aten::addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
  (self, mat1, mat2, beta, alpha) => {
    if (mat1.ndim !== 2) throw new OperatorError(`mat1 must be a matrix, got ${mat1.ndim}-D tensor`);
    if (mat2.ndim !== 2) throw new OperatorError(`mat2 must be a matrix, got ${mat2.ndim}-D tensor`);
    checkSumDtypes(self, mat1, mat2);
    checkProduct(mat1, mat2);
    const sizes = [mat1.sizes[0]!, mat2.sizes[1]!];
    // the product is not made, and what is no number in it does not matter
    if (scalarToNumber(alpha) === 0 && !(alpha instanceof Complex) && !isReducedFloat(mat1.dtype))
      return combine(self, emptyTensor(sizes, self.dtype), sizes, beta, 1);
    return combine(self, fresh(wideProduct(unsqueezeView(mat1, 0), unsqueezeView(mat2, 0)), sizes), sizes, beta, alpha);
  },
);

op(
  "aten::addmm.dtype(Tensor self, Tensor mat1, Tensor mat2, ScalarType out_dtype, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
  (self, mat1, mat2, dtype, beta, alpha) => {
    checkMatrices(mat1, mat2);
    const sizes = [mat1.sizes[0]!, mat2.sizes[1]!];
    return convertTensor(
      combine(
        convertTensor(self, dtypeArgument(dtype)),
        fresh(wideProduct(unsqueezeView(mat1, 0), unsqueezeView(mat2, 0)), sizes),
        sizes,
        beta,
        alpha,
      ),
      dtypeArgument(dtype),
    );
  },
);
op(
  "aten::_addmm_activation(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1, bool use_gelu=False) -> Tensor",
  (self, mat1, mat2, beta, alpha, useGelu) => {
    const sum = addmm(self, mat1, mat2, beta, alpha);
    return (useGelu ? callOperator("aten::gelu", [sum, "none"]) : callOperator("aten::relu", [sum])) as Tensor;
  },
);

export const addmv = op(
  "aten::addmv(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
  (self, mat, vec, beta, alpha) => {
    vectorSizes(mat, vec, self.numel);
    const sizes = [mat.sizes[0]!];
    if (self.ndim > 1 || (self.ndim === 1 && self.sizes[0] !== 1 && self.sizes[0] !== sizes[0])) {
      throw new OperatorError(
        `size mismatch, got input (${self.sizes[0]}), mat (${mat.sizes[0]}x${mat.sizes[1]}), vec (${vec.sizes[0]})`,
      );
    }
    if (self.dtype !== mat.dtype || mat.dtype !== vec.dtype) {
      throw new OperatorError(
        `addmv input tensors must have the same dtype, but got ${self.dtype.cppName}, ${mat.dtype.cppName}, and ${vec.dtype.cppName}`,
      );
    }
    if (self.dtype === DTYPES.bool && mat.numel > 0)
      throw new OperatorError(`"addmv_impl_cpu" not implemented for 'Bool'`);
    return combine(
      self,
      fresh(wideProduct(unsqueezeView(mat, 0), unsqueezeView(unsqueezeView(vec, 0), 2)), sizes),
      sizes,
      beta,
      alpha,
    );
  },
);

function outerProduct(a: Tensor, b: Tensor): Tensor {
  return fresh(wideProduct(unsqueezeView(unsqueezeView(a, 1), 0), unsqueezeView(unsqueezeView(b, 0), 0)), [
    a.numel,
    b.numel,
  ]);
}

export const addr = op(
  "aten::addr(Tensor self, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
  (self, vec1, vec2, beta, alpha) => {
    if (vec1.ndim !== 1 || vec2.ndim !== 1) {
      const [bad, which] = vec1.ndim !== 1 ? [vec1, "vec1"] : [vec2, "vec2"];
      throw new OperatorError(`addr: Expected 1-D argument ${which}, but got ${bad.ndim}-D`);
    }
    const dtype = [self, vec1, vec2].reduce((d, t) => promoteTypes(d, t.dtype), self.dtype);
    if (dtype === DTYPES.bool) {
      const logical = convertTensor(
        combine(
          convertTensor(self, DTYPES.int64),
          outerProduct(vec1, vec2),
          [vec1.numel, vec2.numel],
          scalarToNumber(beta) ? 1 : 0,
          scalarToNumber(alpha) ? 1 : 0,
        ),
        DTYPES.bool,
      );
      return logical;
    }
    if (dtype.category === "int" && (isFloatScalar(beta) || isFloatScalar(alpha))) {
      throw new OperatorError("For integral input tensors, argument alpha must not be a floating point number.");
    }
    const base = convertTensor(self, dtype);
    const sizes = [vec1.numel, vec2.numel];
    if (dtype === DTYPES.float16 || dtype === DTYPES.bfloat16) {
      // every step of `beta * self + (alpha * vec1) * vec2` is rounded, and so are the factors
      const factor = (value: Scalar): Tensor => fromDoubles([scalarToNumber(value)], [], dtype);
      const times = (a: Tensor, b: Tensor): Tensor => callOperator("aten::mul.Tensor", [a, b]) as Tensor;
      const scaled = times(convertTensor(vec1, dtype), factor(alpha));
      const product = convertTensor(outerProduct(scaled, convertTensor(vec2, dtype)), dtype);
      return scalarToNumber(beta) === 0
        ? product
        : (callOperator("aten::add.Tensor", [
            expandView(times(base, factor(beta)), sizes, tensorTypeName(self)),
            product,
            1,
          ]) as Tensor);
    }
    const sum = combine(base, outerProduct(convertTensor(vec1, dtype), convertTensor(vec2, dtype)), sizes, beta, alpha);
    // the first operand of element-wise kernels orders the elements
    const isWhole = self.ndim === 2 && sum.sizes.every((s, d) => s === self.sizes[d]);
    return isWhole && isNonOverlappingAndDense(self.sizes, self.strides) ? laidOutAs(sum, self) : sum;
  },
);

export const outer = op("aten::outer(Tensor self, Tensor vec2) -> Tensor", outerChecked);
op("aten::ger(Tensor self, Tensor vec2) -> Tensor", outerChecked);

function outerChecked(self: Tensor, vec2: Tensor): Tensor {
  if (self.ndim !== 1) throw new OperatorError(`outer: Expected 1-D argument self, but got ${self.ndim}-D`);
  if (vec2.ndim !== 1) throw new OperatorError(`outer: Expected 1-D argument vec2, but got ${vec2.ndim}-D`);
  return callOperator("aten::mul.Tensor", [unsqueezeView(self, 1), vec2]) as Tensor;
}

export const baddbmm = op(
  "aten::baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
  (self, batch1, batch2, beta, alpha) => {
    if (self.dtype !== batch1.dtype || batch1.dtype !== batch2.dtype) {
      throw new OperatorError(
        `Input dtypes must be the same, got: input ${cppScalarName(self.dtype)}, batch1: ${cppScalarName(batch1.dtype)}, batch2: ${cppScalarName(batch2.dtype)}`,
      );
    }
    checkBatches(batch1, batch2, "baddbmm");
    const sizes = [batch1.sizes[0]!, batch1.sizes[1]!, batch2.sizes[2]!];
    return combine(self, wideProduct(batch1, batch2), sizes, beta, alpha);
  },
);

const addbmm = op(
  "aten::addbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
  (self, batch1, batch2, beta, alpha) => {
    checkSumDtypes(self, batch1, batch2);
    checkBatches(batch1, batch2, "addmm_impl_cpu_");
    const [b, m, k] = batch1.sizes as [number, number, number];
    const n = batch2.sizes[2]!;
    if (b === 0)
      return combine(
        self,
        fresh(wideProduct(reshape(batch1, [1, m, 0]), reshape(batch2, [1, 0, n])), [m, n]),
        [m, n],
        beta,
        alpha,
      );
    // one addmm per batch: the running sum is rounded to the dtype after each
    let result = self;
    for (let i = 0; i < b; i++) {
      const left = viewOf(batch1, [m, k], batch1.strides.slice(1), batch1.storageOffset + i * batch1.strides[0]!);
      const right = viewOf(batch2, [k, n], batch2.strides.slice(1), batch2.storageOffset + i * batch2.strides[0]!);
      result = addmm(result, left, right, i === 0 ? beta : 1, alpha);
    }
    return result;
  },
);
// in place it is the out= form on self, which takes the result's shape
op(
  "aten::addbmm_(Tensor(a!) self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor(a!)",
  (self, batch1, batch2, beta, alpha) => {
    writeOutResult(self, addbmm(self, batch1, batch2, beta, alpha));
    return self;
  },
);

op(
  "aten::_grouped_mm(Tensor self, Tensor mat2, Tensor? offs=None, Tensor? bias=None, ScalarType? out_dtype=None) -> Tensor",
  (self, mat2, offs, _bias, outDtype) => {
    if (self.ndim !== 2 && self.ndim !== 3) throw new OperatorError("mat_a has to be 2 or 3d");
    if (mat2.ndim !== 2 && mat2.ndim !== 3) throw new OperatorError("mat_b has to be 2 or 3d");
    const dtype = outDtype === null ? self.dtype : dtypeArgument(outDtype);
    if (self.ndim === 3 && mat2.ndim === 3) {
      if (offs) throw new OperatorError("Offsets tensor not used, since both matrices are 3d");
      return convertTensor(wideProduct(self, mat2), dtype);
    }
    if (!offs) throw new OperatorError("Have to provide offsets if there is a 2d matrix");
    const ends = Array.from(indicesOf(offs));
    const part = (t: Tensor, d: number, g: number): Tensor =>
      narrowView(t, d, g === 0 ? 0 : ends[g - 1]!, ends[g]! - (g === 0 ? 0 : ends[g - 1]!));
    const product = (a: Tensor, b: Tensor): Tensor =>
      fresh(convertTensor(wideProduct(unsqueezeView(a, 0), unsqueezeView(b, 0)), dtype), [a.sizes[0]!, b.sizes[1]!]);
    // the groups lie along the rows of a, the columns of b, or the dimension between
    const isInner = self.ndim === 2 && mat2.ndim === 2;
    const sizes = isInner
      ? [ends.length, self.sizes[0]!, mat2.sizes[1]!]
      : [self.sizes[self.ndim - 2]!, mat2.sizes[mat2.ndim - 1]!];
    const out = emptyTensor(sizes, dtype);
    ends.forEach((_, g) => {
      if (isInner) copyElements(selectView(out, 0, g), product(part(self, 1, g), part(mat2, 0, g)));
      else if (self.ndim === 2) copyElements(part(out, 0, g), product(part(self, 0, g), selectView(mat2, 0, g)));
      else copyElements(part(out, 1, g), product(selectView(self, 0, g), part(mat2, 1, g)));
    });
    return out;
  },
);

export const inner = op("aten::inner(Tensor self, Tensor other) -> Tensor", (self, other) => {
  if (self.ndim === 0 || other.ndim === 0) {
    const dtype = promoteTypes(self.dtype, other.dtype);
    const flat = outerProduct(convertTensor(reshape(self, [-1]), dtype), convertTensor(reshape(other, [-1]), dtype));
    return fresh(convertTensor(flat, dtype), self.ndim === 0 ? other.sizes : self.sizes);
  }
  if (self.ndim === 1 && other.ndim === 1 && self.dtype === DTYPES.bool && other.dtype === self.dtype)
    throw notImplemented("dot", self.dtype);
  if (self.dtype !== other.dtype) throw new OperatorError("both inputs should have same dtype");
  const k = self.sizes[self.ndim - 1]!;
  if (k !== other.sizes[other.ndim - 1]) {
    throw new OperatorError(
      `inner() the last dimension must match on both input tensors but got shapes ${formatList(self.sizes)} and ${formatList(other.sizes)}`,
    );
  }
  const left = reshape(self, [self.numel / Math.max(k, 1), k]);
  const right = reshape(other, [other.numel / Math.max(k, 1), k]);
  const out = mm(left, viewOf(right, [k, right.sizes[0]!], [right.strides[1]!, right.strides[0]!]));
  return fresh(out, [...self.sizes.slice(0, -1), ...other.sizes.slice(0, -1)]);
});
