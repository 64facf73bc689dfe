/** @file Sparse tensors moved, selected, joined and reduced. Upstream: aten/src/ATen/native/sparse/SparseTensor.cpp, TensorShape.cpp (index_select_sparse_cpu, cat_sparse). Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { callOperator, specializeKernel } from "../core/operator_registry.ts";
import { fromIndices, indicesOf } from "../tensor/kernels/data.ts";
import { wrapDim } from "../tensor/strides.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { coalesced, densified, emptySparse, isCoo, nnzOf, partsOf, sparseTensor, sumSparse } from "./sparse.ts";

const isCooList = (list: unknown): boolean => Array.isArray(list) && isCoo(list[0]);
const take = (values: Tensor, dim: number, index: readonly number[]): Tensor =>
  callOperator("aten::index_select", [values, dim, fromIndices(index, [index.length])]) as Tensor;

function special(key: string, kernel: (...args: never[]) => unknown): void {
  specializeKernel(key, isCoo, () => kernel as (...args: unknown[]) => unknown);
}

/** A new sparse dimension of size 1, or a dense one behind the sparse ones. */
special("aten::unsqueeze", (self: Tensor, dimIn: number) => {
  const p = partsOf(self, "unsqueeze");
  const dim = wrapDim(dimIn, self.ndim + 1);
  const dims = p.indices.sizes[0]!;
  const sizes = [...self.sizes.slice(0, dim), 1, ...self.sizes.slice(dim)];
  if (dim > dims) {
    return sparseTensor(
      p.indices,
      callOperator("aten::unsqueeze", [p.values, dim - dims + 1]) as Tensor,
      sizes,
      p.coalesced,
    );
  }
  const nnz = nnzOf(p);
  const all = indicesOf(p.indices);
  const out = new Float64Array((dims + 1) * nnz);
  out.set(all.subarray(0, dim * nnz));
  out.set(all.subarray(dim * nnz), (dim + 1) * nnz);
  return sparseTensor(fromIndices(out, [dims + 1, nnz]), p.values, sizes, p.coalesced);
});

special("aten::permute", (self: Tensor, orderIn: readonly number[]) => {
  const p = partsOf(self, "permute");
  const dims = p.indices.sizes[0]!;
  const order = orderIn.map((d) => wrapDim(d, self.ndim));
  if (order.length !== self.ndim || new Set(order).size !== self.ndim) {
    throw new OperatorError(
      `permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering of dimensions i.e. input.dim() = ${self.ndim} is not equal to len(dims) = ${order.length}`,
    );
  }
  if (order.slice(0, dims).some((d) => d >= dims)) {
    throw new OperatorError(
      `permute(sparse_coo): transpositions between sparse and dense dimensions are not allowed.Got sparse_dim: ${dims}`,
    );
  }
  const sizes = order.map((d) => self.sizes[d]!);
  const values = callOperator("aten::permute", [
    p.values,
    [0, ...order.slice(dims).map((d) => d - dims + 1)],
  ]) as Tensor;
  const isSame = order.slice(0, dims).every((d, i) => d === i);
  return sparseTensor(take(p.indices, 0, order.slice(0, dims)), values, sizes, p.coalesced && isSame);
});

/** Entries whose index along `dim` is among `wanted`, at the places where it stands there (more than one where it repeats). */
function selectIndices(self: Tensor, dim: number, wanted: readonly number[]): Tensor {
  const p = partsOf(self, "index_select");
  const dims = p.indices.sizes[0]!;
  const sizes = self.sizes.map((s, d) => (d === dim ? wanted.length : s));
  const size = self.sizes[dim]!;
  for (const w of wanted) {
    if (w < -size || w >= size) {
      throw new OperatorError(
        `index_select(): index contains ${w} that is out of range for tensor of size ${size} at dimension ${dim}`,
      );
    }
  }
  const places = wanted.map((w) => (w < 0 ? w + size : w));
  if (dim >= dims) return sparseTensor(p.indices, take(p.values, dim - dims + 1, places), sizes, p.coalesced);
  const nnz = nnzOf(p);
  const all = indicesOf(p.indices);
  const at = new Map<number, number[]>();
  for (let k = 0; k < nnz; k++) {
    const value = all[dim * nnz + k]!;
    const entries = at.get(value);
    if (entries) entries.push(k);
    else at.set(value, [k]);
  }
  const kept: number[] = [];
  const targets: number[] = [];
  places.forEach((place, target) => {
    for (const k of at.get(place) ?? []) {
      kept.push(k);
      targets.push(target);
    }
  });
  // the entries keep their order where they come in ascending order of the wanted places
  const indices = indicesOf(take(p.indices, 1, kept));
  indices.set(targets, dim * kept.length);
  return sparseTensor(fromIndices(indices, [dims, kept.length]), take(p.values, 0, kept), sizes, false);
}

special("aten::index_select", (self: Tensor, dim: number, index: Tensor) =>
  selectIndices(self, wrapDim(dim, self.ndim), Array.from(indicesOf(index))),
);

/** One slice along a dimension: dense where it was the only sparse one. */
special("aten::select.int", (self: Tensor, dimIn: number, indexIn: number) => {
  const p = partsOf(self, "select");
  const dims = p.indices.sizes[0]!;
  const dim = wrapDim(dimIn, self.ndim);
  const size = self.sizes[dim]!;
  if (indexIn < -size || indexIn >= size) {
    throw new OperatorError(
      `select(): index ${indexIn} out of range for tensor of size [${self.sizes.join(", ")}] at dimension ${dim}`,
    );
  }
  const index = indexIn < 0 ? indexIn + size : indexIn;
  const sizes = self.sizes.filter((_, d) => d !== dim);
  if (dim >= dims)
    return sparseTensor(
      p.indices,
      callOperator("aten::select.int", [p.values, dim - dims + 1, index]) as Tensor,
      sizes,
      p.coalesced,
    );
  const nnz = nnzOf(p);
  const all = indicesOf(p.indices);
  const kept: number[] = [];
  for (let k = 0; k < nnz; k++) if (all[dim * nnz + k] === index) kept.push(k);
  const values = take(p.values, 0, kept);
  if (dims === 1) return callOperator("aten::sum.dim_IntList", [values, [0], false, null]);
  const rest = Array.from({ length: dims }, (_, d) => d).filter((d) => d !== dim);
  return sparseTensor(take(take(p.indices, 0, rest), 1, kept), values, sizes, p.coalesced);
});

special("aten::unbind.int", (self: Tensor, dimIn: number) => {
  const dim = wrapDim(dimIn, self.ndim);
  return Array.from({ length: self.sizes[dim]! }, (_, i) => callOperator("aten::select.int", [self, dim, i]));
});

for (const name of ["narrow", "narrow_copy"]) {
  special(`aten::${name}`, (self: Tensor, dimIn: number, startIn: number, length: number) => {
    const p = partsOf(self, name);
    const dims = p.indices.sizes[0]!;
    const dim = wrapDim(dimIn, self.ndim);
    const size = self.sizes[dim]!;
    const start = startIn < 0 ? startIn + size : startIn;
    if (length < 0) throw new OperatorError("narrow(): length must be non-negative.");
    if (start + length > size)
      throw new OperatorError(`start (${start}) + length (${length}) exceeds dimension size (${size}).`);
    const sizes = self.sizes.map((s, d) => (d === dim ? length : s));
    if (dim >= dims)
      return sparseTensor(
        p.indices,
        callOperator("aten::narrow", [p.values, dim - dims + 1, start, length]) as Tensor,
        sizes,
        p.coalesced,
      );
    const nnz = nnzOf(p);
    const all = indicesOf(p.indices);
    const kept: number[] = [];
    for (let k = 0; k < nnz; k++)
      if (all[dim * nnz + k]! >= start && all[dim * nnz + k]! < start + length) kept.push(k);
    const indices = indicesOf(take(p.indices, 1, kept));
    for (let k = 0; k < kept.length; k++) indices[dim * kept.length + k]! -= start;
    return sparseTensor(fromIndices(indices, [dims, kept.length]), take(p.values, 0, kept), sizes, p.coalesced);
  });
}

/** Joins along a sparse dimension by shifting indices, along a dense one by padding each tensor's values with zeros. */
specializeKernel("aten::cat", isCooList, () => (list, dimIn) => {
  const tensors = list as Tensor[];
  const first = tensors[0]!;
  const dim = wrapDim(dimIn as number, first.ndim);
  const dims = partsOf(first, "cat").indices.sizes[0]!;
  tensors.forEach((t, i) => {
    const p = partsOf(t, "cat");
    if (p.indices.sizes[0] !== dims || t.ndim !== first.ndim) {
      throw new OperatorError(
        `All tensors must have the same: sparse_dim, ${dims} and dense_dim, ${first.ndim - dims}, but tensor at position ${i} has ${p.indices.sizes[0]}, ${t.ndim - p.indices.sizes[0]!}.`,
      );
    }
    if (t.sizes.some((s, d) => d !== dim && s !== first.sizes[d])) {
      throw new OperatorError(
        `All tensors must have the same shape: [${first.sizes.join(", ")}] (except in the concatenating dimension), but found shape: [${t.sizes.join(", ")}] at tensor ${i}`,
      );
    }
  });
  const total = tensors.reduce((sum, t) => sum + t.sizes[dim]!, 0);
  const sizes = first.sizes.map((s, d) => (d === dim ? total : s));
  let shift = 0;
  const indices: Tensor[] = [];
  const values: Tensor[] = [];
  for (const t of tensors) {
    const p = partsOf(t, "cat");
    const nnz = nnzOf(p);
    if (dim < dims) {
      const moved = indicesOf(p.indices);
      for (let k = 0; k < nnz; k++) moved[dim * nnz + k]! += shift;
      indices.push(fromIndices(moved, [dims, nnz]));
      values.push(p.values);
    } else {
      const at = dim - dims + 1;
      const zeros = (count: number): Tensor =>
        callOperator("aten::new_zeros", [
          p.values,
          p.values.sizes.map((s, d) => (d === at ? count : s)),
          null,
          null,
          null,
          null,
        ]) as Tensor;
      indices.push(p.indices);
      values.push(
        callOperator("aten::cat", [[zeros(shift), p.values, zeros(total - shift - t.sizes[dim]!)], at]) as Tensor,
      );
    }
    shift += t.sizes[dim]!;
  }
  return sparseTensor(
    callOperator("aten::cat", [indices, 1]) as Tensor,
    callOperator("aten::cat", [values, 0]) as Tensor,
    sizes,
    false,
  );
});

special(
  "aten::sum.dim_IntList",
  (self: Tensor, dims: readonly number[] | null, keepdim: boolean, dtype: number | null) => {
    const out = sumSparse(self, dims && dims.length > 0 ? dims : null, dtype);
    if (!keepdim) return out;
    const all = (dims ?? self.sizes.map((_, d) => d)).map((d) => wrapDim(d, self.ndim)).sort((a, b) => a - b);
    return all.reduce((t, d) => callOperator("aten::unsqueeze", [t, d]) as Tensor, out);
  },
);

specializeKernel("aten::any", isCoo, (plain) => (self) => plain(partsOf(self as Tensor, "any").values));
for (const name of ["norm.ScalarOpt_dim", "linalg_vector_norm", "norm.ScalarOpt_dtype", "frobenius_norm.dim"]) {
  specializeKernel(
    `aten::${name}`,
    isCoo,
    (plain) =>
      (self, ...rest) =>
        plain(densified(coalesced(self as Tensor)), ...rest),
  );
}
special("aten::zero_", (self: Tensor) => {
  self.sparse = emptySparse(self.sizes, self.dtype, partsOf(self, "zero_").indices.sizes[0]!).sparse;
  self.storage.version++;
  return self;
});
for (const name of ["reshape", "view", "flatten.using_ints"]) {
  special(`aten::${name}`, () => {
    throw new OperatorError(
      name === "view" ? "view is not implemented for sparse tensors" : "reshape is not implemented for sparse tensors",
    );
  });
}
specializeKernel("aten::float_power.Tensor_Scalar", isCoo, (plain) => (self, exponent) => {
  const t = coalesced(self as Tensor);
  const p = partsOf(t, "float_power");
  return sparseTensor(p.indices, plain(p.values, exponent) as Tensor, t.sizes, true);
});
