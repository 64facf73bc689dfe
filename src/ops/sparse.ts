/** @file Sparse tensors in coordinate form: making, reading, coalescing, arithmetic. Upstream: aten/src/ATen/native/sparse/SparseTensor.cpp, SparseTensorMath.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { callOperator, op, specializeKernel } from "../core/operator_registry.ts";
import { tensorOfParts } from "../tensor/absent_elements.ts";
import { cloneTensor, convertTensor } from "../tensor/clone.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { fromIndices, indicesOf } from "../tensor/kernels/data.ts";
import { Float, scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import { numelOf, wrapDim } from "../tensor/strides.ts";
import { emptyTensor, Tensor, viewOf, type SparseParts } from "../tensor/tensor.ts";
import { formatList } from "../tensor/view_geometry.ts";
import { dtypeOr } from "./creation.ts";
import { reshapeTensor } from "./views.ts";

type Coo = Extract<SparseParts, { layout: "sparse_coo" }>;

/** A tensor that is its indices (sparse dims, nnz) and values (nnz, ...dense sizes). */
export function sparseTensor(indices: Tensor, values: Tensor, sizes: readonly number[], coalesced: boolean): Tensor {
  return tensorOfParts({ layout: "sparse_coo", indices, values, coalesced }, sizes);
}

// not a type guard: a strided tensor is a Tensor too
/** Whether a value is a sparse tensor in coordinate form. */
export const isCoo = (t: unknown): boolean => t instanceof Tensor && t.sparse?.layout === "sparse_coo";

/** Indices and values of a sparse tensor; `name` is the operator that needs them. */
export function partsOf(t: Tensor, name: string): Coo {
  if (t.sparse?.layout !== "sparse_coo")
    throw new OperatorError(
      `${name} expected sparse coordinate tensor layout but got ${t.sparse ? "SparseCsr" : "Strided"}`,
    );
  return t.sparse;
}

/** Number of stored entries. */
export function nnzOf(p: Coo): number {
  return p.indices.sizes[1]!;
}

/** Row-major position of each entry among the sparse dimensions. */
function positions(p: Coo, sizes: readonly number[]): Float64Array {
  const dims = p.indices.sizes[0]!;
  const nnz = nnzOf(p);
  const all = indicesOf(p.indices);
  const out = new Float64Array(nnz);
  for (let k = 0; k < nnz; k++) {
    let at = 0;
    for (let d = 0; d < dims; d++) at = at * sizes[d]! + all[d * nnz + k]!;
    out[k] = at;
  }
  return out;
}

/** Indices (dims, count) of row-major positions. */
function indicesFrom(at: ArrayLike<number>, sizes: readonly number[]): Tensor {
  const count = at.length;
  const out = new Float64Array(sizes.length * count);
  for (let k = 0; k < count; k++) {
    let rest = at[k]!;
    for (let d = sizes.length - 1; d >= 0; d--) {
      out[d * count + k] = rest % sizes[d]!;
      rest = Math.floor(rest / sizes[d]!);
    }
  }
  return fromIndices(out, [sizes.length, count]);
}

const plus = (a: Tensor, b: Tensor): Tensor => callOperator("aten::add.Tensor", [a, b, 1]) as Tensor;
const take = (values: Tensor, index: Tensor): Tensor =>
  callOperator("aten::index_select", [values, 0, index]) as Tensor;

/** Values of equal positions summed: rows of `values` go to the slots that `slot` names. */
function summed(values: Tensor, slot: ArrayLike<number>, count: number): Tensor {
  const zero = emptyTensor([count, ...values.sizes.slice(1)], values.dtype);
  if (slot.length === 0) return zero;
  return callOperator("aten::index_add", [zero, 0, fromIndices(slot, [slot.length]), values, 1]) as Tensor;
}

/** The same tensor with sorted, unique indices. */
export function coalesced(t: Tensor): Tensor {
  const p = partsOf(t, "coalesce");
  if (p.coalesced) return t;
  const dims = p.indices.sizes[0]!;
  const nnz = nnzOf(p);
  if (nnz < 2) return sparseTensor(p.indices, p.values, t.sizes, true);
  const at = positions(p, t.sizes);
  const unique = [...new Set(at)].sort((a, b) => a - b);
  const slots = new Map(unique.map((v, i) => [v, i]));
  const values = summed(
    p.values,
    Array.from(at, (v) => slots.get(v)!),
    unique.length,
  );
  return sparseTensor(indicesFrom(unique, t.sizes.slice(0, dims)), values, t.sizes, true);
}

/** The strided tensor that a sparse tensor stands for. */
export function densified(t: Tensor): Tensor {
  const p = partsOf(t, "to_dense");
  const dims = p.indices.sizes[0]!;
  const rows = numelOf(t.sizes.slice(0, dims));
  return reshapeTensor(summed(p.values, positions(p, t.sizes), rows), t.sizes);
}

function checkParts(indices: Tensor, values: Tensor): void {
  if (indices.dtype !== DTYPES.int64) throw new OperatorError("indices must be an int64 tensor");
  if (indices.ndim !== 2)
    throw new OperatorError(`indices must be sparse_dim x nnz, but got: ${formatList(indices.sizes)}`);
  const nnz = values.sizes[0] ?? 1;
  if (indices.sizes[1] !== nnz)
    throw new OperatorError(
      `indices and values must have same nnz, but got nnz from indices: ${indices.sizes[1]}, nnz from values: ${nnz}`,
    );
}

function make(
  indices: Tensor,
  valuesIn: Tensor,
  size: readonly number[] | null,
  dtype: number | null,
  isCoalesced: boolean | null,
): Tensor {
  const values = convertTensor(valuesIn, dtypeOr(dtype, valuesIn.dtype));
  checkParts(indices, values);
  const dims = indices.sizes[0]!;
  let sizes = size;
  if (!sizes) {
    const nnz = indices.sizes[1]!;
    const all = indicesOf(indices);
    const own = Array.from(
      { length: dims },
      (_, d) => all.slice(d * nnz, (d + 1) * nnz).reduce((m, v) => Math.max(m, v), -1) + 1,
    );
    sizes = [...own, ...values.sizes.slice(1)];
  } else if (sizes.length !== dims + values.ndim - 1) {
    throw new OperatorError(
      `number of dimensions must be sparse_dim (${dims}) + dense_dim (${values.ndim - 1}), but got ${sizes.length}`,
    );
  }
  return sparseTensor(indices, values, sizes, isCoalesced === true);
}

/** A sparse tensor without entries. */
export function emptySparse(sizes: readonly number[], dtype: DType, dims = sizes.length): Tensor {
  return sparseTensor(emptyTensor([dims, 0], DTYPES.int64), emptyTensor([0, ...sizes.slice(dims)], dtype), sizes, true);
}

op(
  "aten::sparse_coo_tensor.indices(Tensor indices, Tensor values, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, bool? is_coalesced=None) -> Tensor",
  (indices, values, dtype, _l, _d, _p, isCoalesced) => make(indices, values, null, dtype, isCoalesced),
);
op(
  "aten::sparse_coo_tensor.indices_size(Tensor indices, Tensor values, int[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, bool? is_coalesced=None) -> Tensor",
  (indices, values, size, dtype, _l, _d, _p, isCoalesced) => make(indices, values, size, dtype, isCoalesced),
);
op(
  "aten::sparse_coo_tensor.size(int[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=False) -> Tensor",
  (size, dtype) => emptySparse(size, dtypeOr(dtype, DTYPES.float32)),
);
op(
  "aten::_sparse_coo_tensor_unsafe(Tensor indices, Tensor values, SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, bool? is_coalesced=None) -> Tensor",
  (indices, values, size, dtype, _l, _d, _p, isCoalesced) => make(indices, values, size, dtype, isCoalesced),
);
op(
  "aten::_sparse_coo_tensor_with_dims(int sparse_dim, int dense_dim, int[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=False) -> Tensor",
  (dims, _dense, size, dtype) => emptySparse(size, dtypeOr(dtype, DTYPES.float32), dims),
);
op(
  "aten::_sparse_coo_tensor_with_dims_and_tensors(int sparse_dim, int dense_dim, SymInt[] size, Tensor indices, Tensor values, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=False, bool? is_coalesced=None) -> Tensor",
  (_dims, _dense, size, indices, values, dtype, _l, _d, _p, isCoalesced) =>
    make(indices, values, size, dtype, isCoalesced),
);

function toSparse(self: Tensor, dims: number): Tensor {
  if (isCoo(self)) return self;
  if (!(dims >= 0 && dims <= self.ndim))
    throw new OperatorError(`sparse_dim must be in the range [0, ${self.ndim}], but got ${dims}`);
  const front = self.sizes.slice(0, dims);
  const back = self.sizes.slice(dims);
  const rows = numelOf(front);
  const flat = reshapeTensor(self, [rows, numelOf(back)]);
  const present = callOperator("aten::any.dim", [callOperator("aten::ne.Scalar", [flat, 0]), 1, false]) as Tensor;
  const flags = indicesOf(convertTensor(present, DTYPES.int64));
  const kept: number[] = [];
  flags.forEach((v, i) => {
    if (v !== 0) kept.push(i);
  });
  const values = take(reshapeTensor(self, [rows, ...back]), fromIndices(kept, [kept.length]));
  return sparseTensor(indicesFrom(kept, front), values, self.sizes, true);
}

op("aten::to_sparse.sparse_dim(Tensor self, int sparse_dim) -> Tensor", toSparse);
op("aten::_to_sparse.sparse_dim(Tensor self, int sparse_dim) -> Tensor", toSparse);
const whole = (self: Tensor, layout: number | null, _blocks: unknown, denseDim: number | null): Tensor => {
  if (layout !== null && layout !== undefined && layout !== 1)
    throw new OperatorError("to_sparse: only the sparse_coo layout is supported");
  return toSparse(self, self.ndim - (denseDim ?? 0));
};
op(
  "aten::to_sparse(Tensor self, *, Layout? layout=None, int[2]? blocksize=None, int? dense_dim=None) -> Tensor",
  whole,
);
op(
  "aten::_to_sparse(Tensor self, *, Layout? layout=None, int[2]? blocksize=None, int? dense_dim=None) -> Tensor",
  whole,
);

function toDense(self: Tensor, dtype: number | null): Tensor {
  const out = isCoo(self) ? densified(self) : self;
  return convertTensor(out, dtypeOr(dtype, out.dtype));
}

op("aten::to_dense(Tensor self, ScalarType? dtype=None, *, bool? masked_grad=None) -> Tensor", toDense);
op("aten::_to_dense(Tensor self, ScalarType? dtype=None, bool? masked_grad=None) -> Tensor", toDense);
op("aten::coalesce(Tensor(a) self) -> Tensor(a)", coalesced);
op("aten::_coalesce(Tensor self) -> Tensor", coalesced);
op("aten::_coalesced(Tensor self, bool coalesced) -> Tensor", (self, flag) => {
  const p = partsOf(self, "_coalesced");
  return sparseTensor(cloneTensor(p.indices), cloneTensor(p.values), self.sizes, flag);
});
op("aten::_coalesced_(Tensor(a!) self, bool coalesced) -> Tensor(a!)", (self, flag) => {
  partsOf(self, "_coalesced_").coalesced = flag;
  return self;
});

const aliased = (t: Tensor): Tensor => viewOf(t, t.sizes, t.strides);

function readable(t: Tensor, name: string): Coo {
  const p = partsOf(t, name);
  if (!p.coalesced)
    throw new OperatorError(`Cannot get ${name} on an uncoalesced tensor, please call .coalesce() first`);
  return p;
}

op("aten::indices(Tensor(a) self) -> Tensor(a)", (self) => aliased(readable(self, "indices").indices));
op("aten::values(Tensor(a) self) -> Tensor(a)", (self) =>
  aliased(self.sparse && self.sparse.layout !== "sparse_coo" ? self.sparse.values : readable(self, "values").values),
);
op("aten::_indices(Tensor(a) self) -> Tensor(a)", (self) => aliased(partsOf(self, "_indices").indices));
op("aten::_values(Tensor(a) self) -> Tensor(a)", (self) => aliased(partsOf(self, "_values").values));
op("aten::_nnz(Tensor self) -> int", (self) =>
  self.sparse && self.sparse.layout !== "sparse_coo"
    ? self.sparse.plainIndices.sizes.at(-1)!
    : nnzOf(partsOf(self, "_nnz")),
);
op("aten::_dimI(Tensor self) -> int", (self) => partsOf(self, "_dimI").indices.sizes[0]!);
op("aten::_dimV(Tensor self) -> int", (self) => partsOf(self, "_dimV").values.ndim - 1);
op(
  "aten::_validate_sparse_coo_tensor_args(Tensor indices, Tensor values, int[] size, bool? is_coalesced=None, bool? check_pinning=None) -> ()",
  (indices, values) => checkParts(indices, values),
);

/** Another sparse tensor with the same indices. */
function withValues(self: Tensor, values: Tensor): Tensor {
  const p = partsOf(self, "values");
  return sparseTensor(p.indices, values, self.sizes, p.coalesced);
}

function special(key: string, kernel: (...args: never[]) => unknown): void {
  specializeKernel(key, isCoo, () => kernel as (...args: unknown[]) => unknown);
}

// functions with f(0) = 0: linear ones on the values as they are, the others after summing duplicates
const LINEAR = ["neg", "real", "conj_physical", "deg2rad", "rad2deg", "positive"];
const ZERO_PRESERVING = [
  "abs",
  "relu",
  "sin",
  "tan",
  "asin",
  "atan",
  "sinh",
  "tanh",
  "asinh",
  "atanh",
  "sqrt",
  "square",
  "sign",
  "sgn",
  "floor",
  "ceil",
  "trunc",
  "round",
  "expm1",
  "log1p",
  "erf",
  "erfinv",
  "isnan",
  "isinf",
  "signbit",
  "isposinf",
  "isneginf",
  "frac",
  "nan_to_num",
];
for (const name of LINEAR)
  specializeKernel(
    `aten::${name}`,
    isCoo,
    (plain) =>
      (self, ...rest) =>
        withValues(self as Tensor, plain(partsOf(self as Tensor, name).values, ...rest) as Tensor),
  );
for (const name of [...ZERO_PRESERVING, "pow.Tensor_Scalar"]) {
  specializeKernel(`aten::${name}`, isCoo, (plain) => (self, ...rest) => {
    const t = coalesced(self as Tensor);
    return withValues(t, plain(partsOf(t, name).values, ...rest) as Tensor);
  });
}
special("aten::clone", (self: Tensor) => {
  const p = partsOf(self, "clone");
  return sparseTensor(cloneTensor(p.indices), cloneTensor(p.values), self.sizes, p.coalesced);
});
special("aten::detach", (self: Tensor) => withValues(self, partsOf(self, "detach").values));
special("aten::zeros_like", (self: Tensor, dtype: number | null) =>
  emptySparse(self.sizes, dtypeOr(dtype, self.dtype), partsOf(self, "zeros_like").indices.sizes[0]!),
);
special("aten::to.dtype", (self: Tensor, dtype: number) =>
  withValues(self, convertTensor(partsOf(self, "to").values, dtypeOr(dtype, self.dtype))),
);
special("aten::t", (self: Tensor) => {
  const dims = partsOf(self, "t").indices.sizes[0]!;
  if (dims > 2 || dims < self.ndim) {
    throw new OperatorError(
      `t() expects a tensor with <= 2 sparse and 0 dense dimensions, but got ${dims} sparse and ${self.ndim - dims} dense dimensions`,
    );
  }
  return transposed(self, 0, self.ndim > 1 ? 1 : 0);
});
special("aten::transpose.int", (self: Tensor, a: number, b: number) =>
  transposed(self, wrapDim(a, self.ndim), wrapDim(b, self.ndim)),
);

function transposed(self: Tensor, a: number, b: number): Tensor {
  const p = partsOf(self, "transpose");
  const dims = p.indices.sizes[0]!;
  if (a >= dims || b >= dims)
    throw new OperatorError(
      `sparse transpose: transposed dimensions must be sparse Got sparse_dim: ${dims}, d0: ${a}, d1: ${b}`,
    );
  const order = Array.from({ length: dims }, (_, d) => (d === a ? b : d === b ? a : d));
  const sizes = self.sizes.map((s, d) => (d === a ? self.sizes[b]! : d === b ? self.sizes[a]! : s));
  return sparseTensor(take(p.indices, fromIndices(order, [dims])), p.values, sizes, p.coalesced && a === b);
}

const scaled = (values: Tensor, alpha: Scalar): Tensor =>
  scalarToNumber(alpha) === 1 ? values : (callOperator("aten::mul.Scalar", [values, alpha]) as Tensor);

/** Merges the entries of two tensors in the order of their indices, as torch does with contiguous values. */
function addSparse(a: Tensor, b: Tensor, alpha: Scalar): Tensor {
  if (a.sizes.length !== b.sizes.length || a.sizes.some((s, d) => s !== b.sizes[d])) {
    throw new OperatorError(
      `add: expected sizes of 'self' and 'other' to match, but ${formatList(a.sizes)} != ${formatList(b.sizes)}`,
    );
  }
  const p = partsOf(a, "add");
  const q = partsOf(b, "add");
  const [x, y] = [positions(p, a.sizes), positions(q, b.sizes)];
  const at: number[] = [];
  const slotA = new Array<number>(x.length);
  const slotB = new Array<number>(y.length);
  for (let i = 0, j = 0; i < x.length || j < y.length;) {
    const order = j >= y.length ? -1 : i >= x.length ? 1 : x[i]! - y[j]!;
    at.push(order <= 0 ? x[i]! : y[j]!);
    if (order <= 0) slotA[i++] = at.length - 1;
    if (order >= 0) slotB[j++] = at.length - 1;
  }
  const count = at.length;
  const values = plus(summed(p.values, slotA, count), scaled(summed(q.values, slotB, count), alpha));
  const dims = p.indices.sizes[0]!;
  return sparseTensor(indicesFrom(at, a.sizes.slice(0, dims)), values, a.sizes, p.coalesced && q.coalesced);
}

const eitherCoo = (a: unknown, b: unknown): boolean => isCoo(a) || isCoo(b);
for (const [name, sign] of [
  ["add", 1],
  ["sub", -1],
] as const) {
  specializeKernel(`aten::${name}.Tensor`, eitherCoo, (plain) => (a, b, alpha) => {
    const factor = sign === 1 ? ((alpha as Scalar | undefined) ?? 1) : negative((alpha as Scalar | undefined) ?? 1);
    if (isCoo(a) && isCoo(b)) return addSparse(a as Tensor, b as Tensor, factor);
    if (isCoo(a)) throw new OperatorError("add(sparse, dense) is not supported. Use add(dense, sparse) instead.");
    return plain(a, densified(b as Tensor), alpha);
  });
}

function negative(alpha: Scalar): Scalar {
  return alpha instanceof Float ? new Float(-alpha.value) : -scalarToNumber(alpha);
}

/** Entries that both tensors have, multiplied. Duplicates stay on one side, the smaller, where both have them. */
function mulSparse(aIn: Tensor, bIn: Tensor): Tensor {
  const [m, n] = [partsOf(aIn, "mul"), partsOf(bIn, "mul")];
  const swaps = m.coalesced ? !n.coalesced : !n.coalesced && nnzOf(m) > nnzOf(n);
  const [a, b] = swaps ? [bIn, aIn] : [aIn, bIn];
  const p = partsOf(a, "mul");
  const q = partsOf(coalesced(b), "mul");
  const other = new Map(Array.from(positions(q, b.sizes), (v, i) => [v, i]));
  const at = positions(p, a.sizes);
  const left: number[] = [];
  const right: number[] = [];
  at.forEach((v, i) => {
    const j = other.get(v);
    if (j === undefined) return;
    left.push(i);
    right.push(j);
  });
  const values = callOperator("aten::mul.Tensor", [
    take(p.values, fromIndices(left, [left.length])),
    take(q.values, fromIndices(right, [right.length])),
  ]) as Tensor;
  return sparseTensor(
    indicesFrom(
      left.map((i) => at[i]!),
      a.sizes.slice(0, p.indices.sizes[0]),
    ),
    values,
    a.sizes,
    m.coalesced && n.coalesced,
  );
}

specializeKernel("aten::mul.Tensor", eitherCoo, (plain) => (aIn, bIn) => {
  let [a, b] = [aIn as Tensor, bIn as Tensor];
  if (!isCoo(a)) [a, b] = [b, a];
  if (isCoo(b)) return mulSparse(a, b);
  const p = partsOf(a, "mul");
  if (b.ndim === 0) return withValues(a, plain(p.values, b) as Tensor);
  const wide = callOperator("aten::expand", [b, a.sizes, false]) as Tensor;
  const dims = p.indices.sizes[0]!;
  const rows = reshapeTensor(wide, [numelOf(a.sizes.slice(0, dims)), ...a.sizes.slice(dims)]);
  const at = positions(p, a.sizes);
  return withValues(a, plain(p.values, take(rows, fromIndices(at, [at.length]))) as Tensor);
});
for (const name of ["mul.Scalar", "div.Scalar", "div.Tensor"]) {
  specializeKernel(`aten::${name}`, isCoo, (plain) => (self, other) => {
    if (other instanceof Tensor && (other.ndim > 0 || isCoo(other))) {
      throw new OperatorError(
        `Sparse division requires a scalar or zero-dim dense tensor divisor (got shape ${formatList(other.sizes)} for divisor)`,
      );
    }
    return withValues(self as Tensor, plain(partsOf(self as Tensor, name).values, other) as Tensor);
  });
}
special("aten::mul_.Scalar", (self: Tensor, other: Scalar) => {
  self.sparse = (callOperator("aten::mul.Scalar", [self, other]) as Tensor).sparse;
  return self;
});

const dense = (t: Tensor): Tensor => (isCoo(t) ? densified(t) : t);

/** Products with a dense operand are dense; of two sparse ones, sparse. */
function product(a: Tensor, b: Tensor): Tensor {
  const out = callOperator("aten::mm", [dense(a), dense(b)]) as Tensor;
  return isCoo(a) && isCoo(b) ? toSparse(out, 2) : out;
}

op("aten::_sparse_mm(Tensor sparse, Tensor dense) -> Tensor", product);
op("aten::_sparse_sparse_matmul(Tensor self, Tensor other) -> Tensor", product);
op("aten::smm(Tensor self, Tensor mat2) -> Tensor", (a, b) => toSparse(product(a, b), 2));
op("aten::hspmm(Tensor mat1, Tensor mat2) -> Tensor", (a, b) => toSparse(product(a, b), 1));
op(
  "aten::_sparse_addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
  (self, a, b, beta, alpha) => callOperator("aten::addmm", [dense(self), dense(a), dense(b), beta, alpha]) as Tensor,
);
for (const name of ["mm", "matmul", "mv", "bmm"]) {
  specializeKernel(`aten::${name}`, eitherCoo, (plain) => (a, b) => {
    const out = plain(dense(a as Tensor), dense(b as Tensor)) as Tensor;
    return isCoo(a) && isCoo(b) ? toSparse(out, out.ndim) : out;
  });
}
specializeKernel(
  "aten::addmm",
  (a, b) => eitherCoo(a, b),
  (plain) => (self, a, b, beta, alpha) =>
    plain(dense(self as Tensor), dense(a as Tensor), dense(b as Tensor), beta, alpha),
);

/** Sums over some sparse and dense dimensions; what is left of the sparse ones stays sparse. */
export function sumSparse(self: Tensor, dimsIn: readonly number[] | null, dtype: number | null): Tensor {
  const p = partsOf(dimsIn ? coalesced(self) : self, "sum");
  const values = convertTensor(p.values, dtypeOr(dtype, p.values.dtype));
  const dims = (dimsIn ?? self.sizes.map((_, d) => d)).map((d) => wrapDim(d, self.ndim));
  const sparseDims = p.indices.sizes[0]!;
  const denseSums = dims.filter((d) => d >= sparseDims).map((d) => d - sparseDims + 1);
  const summedValues =
    denseSums.length > 0 ? (callOperator("aten::sum.dim_IntList", [values, denseSums, false, null]) as Tensor) : values;
  const kept = Array.from({ length: sparseDims }, (_, d) => d).filter((d) => !dims.includes(d));
  if (kept.length === 0) return callOperator("aten::sum.dim_IntList", [summedValues, [0], false, null]) as Tensor;
  const sizes = [
    ...kept.map((d) => self.sizes[d]!),
    ...self.sizes.slice(sparseDims).filter((_, d) => !dims.includes(d + sparseDims)),
  ];
  if (kept.length === sparseDims) return sparseTensor(p.indices, summedValues, sizes, p.coalesced);
  return coalesced(sparseTensor(take(p.indices, fromIndices(kept, [kept.length])), summedValues, sizes, false));
}

op("aten::_sparse_sum(Tensor self) -> Tensor", (self) => sumSparse(self, null, null));
op("aten::_sparse_sum.dtype(Tensor self, *, ScalarType dtype) -> Tensor", (self, dtype) =>
  sumSparse(self, null, dtype),
);
op("aten::_sparse_sum.dim(Tensor self, int[1] dim) -> Tensor", (self, dim) => sumSparse(self, dim, null));
op("aten::_sparse_sum.dim_dtype(Tensor self, int[1] dim, *, ScalarType dtype) -> Tensor", (self, dim, dtype) =>
  sumSparse(self, dim, dtype),
);
special("aten::sum", (self: Tensor, dtype: number | null) => sumSparse(self, null, dtype));
specializeKernel(
  "aten::norm.Scalar",
  isCoo,
  (plain) => (self, p) => plain(partsOf(coalesced(self as Tensor), "norm").values, p),
);

op("aten::sparse_mask(Tensor self, Tensor mask) -> Tensor", (self, mask) => {
  const p = partsOf(mask, "sparse_mask");
  const source = dense(self);
  const dims = p.indices.sizes[0]!;
  const rows = reshapeTensor(source, [numelOf(mask.sizes.slice(0, dims)), ...mask.sizes.slice(dims)]);
  const at = positions(p, mask.sizes);
  return sparseTensor(p.indices, take(rows, fromIndices(at, [at.length])), mask.sizes, p.coalesced);
});

/** Softmax over the entries that are there: the others are minus infinity. */
function softmaxSparse(self: Tensor, dimIn: number, isLog: boolean): Tensor {
  const t = coalesced(self);
  const p = partsOf(t, "softmax");
  const dims = p.indices.sizes[0]!;
  const dim = wrapDim(dimIn, t.ndim);
  const name = isLog ? "aten::log_softmax.int" : "aten::softmax.int";
  if (dim >= dims) return withValues(t, callOperator(name, [p.values, dim - dims + 1, null]) as Tensor);
  const nnz = nnzOf(p);
  const all = indicesOf(p.indices);
  const groups = new Map<number, number[]>();
  for (let k = 0; k < nnz; k++) {
    let key = 0;
    for (let d = 0; d < dims; d++) if (d !== dim) key = key * t.sizes[d]! + all[d * nnz + k]!;
    const group = groups.get(key);
    if (group) group.push(k);
    else groups.set(key, [k]);
  }
  const out = cloneTensor(p.values);
  for (const rows of groups.values()) {
    const index = fromIndices(rows, [rows.length]);
    callOperator("aten::index_copy_", [out, 0, index, callOperator(name, [take(p.values, index), 0, null])]);
  }
  return withValues(t, out);
}

op("aten::_sparse_softmax(Tensor self, int dim, bool half_to_float) -> Tensor", (self, dim) =>
  softmaxSparse(self, dim, false),
);
op("aten::_sparse_softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", (self, dim) =>
  softmaxSparse(self, dim, false),
);
op("aten::_sparse_log_softmax(Tensor self, int dim, bool half_to_float) -> Tensor", (self, dim) =>
  softmaxSparse(self, dim, true),
);
op("aten::_sparse_log_softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", (self, dim) =>
  softmaxSparse(self, dim, true),
);
