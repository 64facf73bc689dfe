/** @file Views that change the shape: view, reshape, expand, permute, squeeze and their kin. Upstream: aten/src/ATen/native/TensorShape.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { cloneTensor, contiguousTensor, reachedElements } from "../tensor/clone.ts";
import { dtypeFromId, DTYPES, type DType } from "../tensor/dtype.ts";
import { MEMORY_FORMAT } from "../tensor/memory_format.ts";
import { broadcastShapes, numelOf, wrapDim } from "../tensor/strides.ts";
import { viewOf, type Tensor } from "../tensor/tensor.ts";
import {
  diagonalView,
  expandView,
  formatList,
  inferSize,
  permuteView,
  squeezeView,
  transposeView,
  tryView,
  unsqueezeView,
  viewStrides,
} from "../tensor/view_geometry.ts";

/** The dtype of a number in a schema's ScalarType argument. */
export function dtypeArgument(id: number): DType {
  const dtype = dtypeFromId(id);
  if (!dtype) throw new OperatorError(`Unrecognized ScalarType ${id}`);
  return dtype;
}

/** `torch.FloatTensor`, as messages name a tensor's type. */
export function tensorTypeName(self: Tensor): string {
  return `torch.${self.dtype.cppName}Tensor`;
}

function viewWith(self: Tensor, size: readonly number[]): Tensor {
  const sizes = inferSize(size, self.numel);
  const strides = viewStrides(self.sizes, self.strides, sizes);
  if (!strides) {
    throw new OperatorError(
      "view size is not compatible with input tensor's size and stride (at least one dimension spans across two contiguous subspaces). Use .reshape(...) instead.",
    );
  }
  return viewOf(self, sizes, strides);
}

function viewDtype(self: Tensor, id: number): Tensor {
  const dtype = dtypeArgument(id);
  if (dtype === self.dtype) return viewOf(self, self.sizes, self.strides);
  if (self.isConj) {
    throw new OperatorError(
      "torch.Tensor.view is not supported for conjugate view tensors when converting to a different dtype.",
    );
  }
  if (self.isNeg) {
    throw new OperatorError(
      "torch.Tensor.view is not supported for tensors with negative bit set when converting to a different dtype.",
    );
  }
  const own = self.dtype.itemsize;
  const next = dtype.itemsize;
  const sizes = [...self.sizes];
  let strides = [...self.strides];
  let offset = self.storageOffset;
  const last = self.ndim - 1;
  if (own !== next && last < 0) {
    throw new OperatorError(
      `self.dim() cannot be 0 to view ${self.dtype.cppName} as ${dtype.cppName} (different element sizes)`,
    );
  }
  if (own > next) {
    const ratio = own / next;
    if (strides[last] !== 1) {
      throw new OperatorError(
        `self.stride(-1) must be 1 to view ${self.dtype.cppName} as ${dtype.cppName} (different element sizes), but got ${strides[last]}`,
      );
    }
    sizes[last] = sizes[last]! * ratio;
    strides = strides.map((s, d) => (d === last ? s : s * ratio));
    offset *= ratio;
  } else if (own < next) {
    const ratio = next / own;
    if (sizes[last]! % ratio !== 0) {
      throw new OperatorError(
        `self.size(-1) must be divisible by ${ratio} to view ${self.dtype.cppName} as ${dtype.cppName} (different element sizes), but got ${sizes[last]}`,
      );
    }
    if (offset % ratio !== 0) {
      throw new OperatorError(
        `self.storage_offset() must be divisible by ${ratio} to view ${self.dtype.cppName} as ${dtype.cppName} (different element sizes), but got ${offset}`,
      );
    }
    for (let d = 0; d < last; d++) {
      if (strides[d]! % ratio !== 0) {
        throw new OperatorError(
          `self.stride(${d}) must be divisible by ${ratio} to view ${self.dtype.cppName} as ${dtype.cppName} (different element sizes), but got ${strides[d]}`,
        );
      }
    }
    if (strides[last] !== 1) {
      throw new OperatorError(
        `self.stride(-1) must be 1 to view ${self.dtype.cppName} as ${dtype.cppName} (different element sizes), but got ${strides[last]}`,
      );
    }
    sizes[last] = sizes[last]! / ratio;
    strides = strides.map((s, d) => (d === last ? s : s / ratio));
    offset /= ratio;
  }
  const view = viewOf(self, sizes, strides, offset);
  view.dtype = dtype;
  return view;
}

/** Reshapes: a view where the strides allow it, else a copy. */
export function reshapeTensor(self: Tensor, shape: readonly number[]): Tensor {
  const sizes = inferSize(shape, self.numel);
  return tryView(self, sizes) ?? viewOf(cloneTensor(self, MEMORY_FORMAT.contiguous), sizes, viewStridesOf(sizes));
}

function viewStridesOf(sizes: readonly number[]): number[] {
  const strides = new Array<number>(sizes.length);
  let stride = 1;
  for (let d = sizes.length - 1; d >= 0; d--) {
    strides[d] = stride;
    stride *= Math.max(sizes[d]!, 1);
  }
  return strides;
}

export const view = op("aten::view(Tensor(a) self, SymInt[] size) -> Tensor(a)", viewWith);
op("aten::view.dtype(Tensor(a) self, ScalarType dtype) -> Tensor(a)", viewDtype);
op("aten::_unsafe_view(Tensor self, SymInt[] size) -> Tensor", viewWith);
op("aten::view_as(Tensor(a) self, Tensor other) -> Tensor(a)", (self, other) => view(self, [...other.sizes]));
export const reshape = op("aten::reshape(Tensor(a) self, SymInt[] shape) -> Tensor(a)", reshapeTensor);
op("aten::reshape_as(Tensor(a) self, Tensor other) -> Tensor(a)", (self, other) => reshape(self, [...other.sizes]));
op("aten::_reshape_alias(Tensor(a) self, SymInt[] size, SymInt[] stride) -> Tensor(a)", (self, size, stride) =>
  viewOf(self, size, stride),
);
op("aten::ravel(Tensor(a) self) -> Tensor(a)", (self) => reshape(contiguousTensor(self), [-1]));

export const expand = op(
  "aten::expand(Tensor(a) self, SymInt[] size, *, bool implicit=False) -> Tensor(a)",
  (self, size) => expandView(self, size, tensorTypeName(self)),
);
op("aten::expand_as(Tensor(a) self, Tensor other) -> Tensor(a)", (self, other) => expand(self, [...other.sizes]));
op("aten::broadcast_to(Tensor(a) self, SymInt[] size) -> Tensor(a)", (self, size) => expand(self, size));
op("aten::broadcast_tensors(Tensor[] tensors) -> Tensor[]", broadcastTensors);

/** Expands tensors to their common shape. */
export function broadcastTensors(tensors: readonly Tensor[]): Tensor[] {
  const shape = tensors.map((t) => t.sizes).reduce((a, b) => broadcastShapes(a, b), []);
  // a tensor that has the shape is given back as it is
  return tensors.map((t) => (t.sizes.join() === shape.join() ? t : expand(t, [...shape])));
}

export const permute = op("aten::permute(Tensor(a) self, int[] dims) -> Tensor(a)", (self, dims) => {
  if (dims.length !== self.ndim) {
    throw new OperatorError(
      `permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering of dimensions i.e. input.dim() = ${self.ndim} is not equal to len(dims) = ${dims.length}`,
    );
  }
  const wrapped = dims.map((d) => wrapDim(d, self.ndim));
  if (new Set(wrapped).size !== wrapped.length) throw new OperatorError("permute(): duplicate dims are not allowed.");
  return permuteView(self, wrapped);
});

function transposeChecked(self: Tensor, dim0: number, dim1: number): Tensor {
  return transposeView(self, wrapDim(dim0, self.ndim), wrapDim(dim1, self.ndim));
}

export const transpose = op("aten::transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)", transposeChecked);
op("aten::swapaxes(Tensor(a) self, int axis0, int axis1) -> Tensor(a)", (self, a, b) => transpose(self, a, b));
op("aten::swapdims(Tensor(a) self, int dim0, int dim1) -> Tensor(a)", (self, a, b) => transpose(self, a, b));

function t2d(self: Tensor): Tensor {
  if (self.ndim > 2) throw new OperatorError(`t() expects a tensor with <= 2 dimensions, but self is ${self.ndim}D`);
  return self.ndim < 2 ? transposeView(self, 0, 0) : transposeView(self, 0, 1);
}

export const t = op("aten::t(Tensor(a) self) -> Tensor(a)", t2d);

/** Makes the in-place form of a view: the tensor itself takes the view's geometry. */
function becomes(self: Tensor, view: Tensor): Tensor {
  self.setGeometry(view.sizes, view.strides);
  self.storageOffset = view.storageOffset;
  return self;
}

op("aten::t_(Tensor(a!) self) -> Tensor(a!)", (self) => becomes(self, t2d(self)));
op("aten::transpose_(Tensor(a!) self, int dim0, int dim1) -> Tensor(a!)", (self, a, b) =>
  becomes(self, transposeChecked(self, a, b)),
);
op("aten::swapaxes_(Tensor(a!) self, int axis0, int axis1) -> Tensor(a!)", (self, a, b) =>
  becomes(self, transposeChecked(self, a, b)),
);
op("aten::swapdims_(Tensor(a!) self, int dim0, int dim1) -> Tensor(a!)", (self, a, b) =>
  becomes(self, transposeChecked(self, a, b)),
);
op(
  "aten::as_strided_(Tensor(a!) self, SymInt[] size, SymInt[] stride, SymInt? storage_offset=None) -> Tensor(a!)",
  (self, size, stride, offset) => becomes(self, asStrided(self, size, stride, offset)),
);

function numpyT(self: Tensor): Tensor {
  return permute(
    self,
    self.sizes.map((_, d) => self.ndim - 1 - d),
  );
}

op("aten::numpy_T(Tensor(a) self) -> Tensor(a)", numpyT);
op("aten::numpy_T.a(Tensor(a) self) -> Tensor(a)", numpyT);

function matrixTranspose(self: Tensor, name: string): Tensor {
  // deprecated, but allowed
  if (self.ndim === 0 && name !== "mH") return self;
  if (self.ndim < 2) {
    throw new OperatorError(
      `tensor.${name} is only supported on matrices or batches of matrices. Got ${self.ndim}-D tensor.`,
    );
  }
  return transpose(self, -2, -1);
}

/** The conjugate as a view (the tensor itself where it is real). */
export function conjView(self: Tensor): Tensor {
  if (self.dtype.category !== "complex") return self;
  const view = viewOf(self, self.sizes, self.strides);
  view.isConj = !self.isConj;
  return view;
}

export const mT = op("aten::mT(Tensor(a) self) -> Tensor(a)", (self) => matrixTranspose(self, "mT"));
op("aten::mT.a(Tensor(a) self) -> Tensor(a)", (self) => matrixTranspose(self, "mT"));
export const mH = op("aten::mH(Tensor(a) self) -> Tensor(a)", (self) => conjView(matrixTranspose(self, "mH")));
op("aten::mH.a(Tensor(a) self) -> Tensor(a)", (self) => conjView(matrixTranspose(self, "mH")));
op("aten::adjoint(Tensor(a) self) -> Tensor(a)", (self) => conjView(matrixTranspose(self, "adjoint()")));

function matrixH(self: Tensor): Tensor {
  if (self.ndim === 0) return conjView(self);
  if (self.ndim !== 2) {
    throw new OperatorError(`tensor.H is only supported on matrices (2-D tensors). Got ${self.ndim}-D tensor.`);
  }
  return conjView(transpose(self, 0, 1));
}

op("aten::matrix_H(Tensor(a) self) -> Tensor(a)", matrixH);
op("aten::matrix_H.a(Tensor(a) self) -> Tensor(a)", matrixH);

function squeezeDims(self: Tensor, dims: readonly number[]): Tensor {
  const wrapped = dims.map((d) => wrapDim(d, self.ndim));
  const repeated = wrapped.find((d, i) => wrapped.indexOf(d) !== i);
  if (repeated !== undefined) throw new OperatorError(`dim ${repeated} appears multiple times in the list of dims`);
  return squeezeView(self, wrapped);
}

export const squeezeAll = op("aten::squeeze(Tensor(a) self) -> Tensor(a)", (self) => squeezeView(self));
export const squeeze = op("aten::squeeze.dim(Tensor(a) self, int dim) -> Tensor(a)", (self, dim) =>
  squeezeDims(self, [dim]),
);
export const squeezeMany = op("aten::squeeze.dims(Tensor(a) self, int[] dim) -> Tensor(a)", squeezeDims);
op("aten::squeeze_(Tensor(a!) self) -> Tensor(a!)", (self) => becomes(self, squeezeView(self)));
op("aten::squeeze_.dim(Tensor(a!) self, int dim) -> Tensor(a!)", (self, dim) =>
  becomes(self, squeezeDims(self, [dim])),
);
op("aten::squeeze_.dims(Tensor(a!) self, int[] dim) -> Tensor(a!)", (self, dim) =>
  becomes(self, squeezeDims(self, dim)),
);

function unsqueezeChecked(self: Tensor, dim: number): Tensor {
  return unsqueezeView(self, wrapDim(dim, self.ndim + 1));
}

export const unsqueeze = op("aten::unsqueeze(Tensor(a) self, int dim) -> Tensor(a)", unsqueezeChecked);
op("aten::unsqueeze_(Tensor(a!) self, int dim) -> Tensor(a!)", (self, dim) =>
  becomes(self, unsqueezeChecked(self, dim)),
);

export const flatten = op(
  "aten::flatten.using_ints(Tensor(a) self, int start_dim=0, int end_dim=-1) -> Tensor(a)",
  (self, startDim, endDim) => {
    const start = wrapDim(startDim, self.ndim);
    const end = wrapDim(endDim, self.ndim);
    if (start > end) throw new OperatorError("flatten() has invalid args: start_dim cannot come after end_dim");
    if (self.ndim === 0) return reshape(self, [1]);
    if (start === end) return self;
    const flat = numelOf(self.sizes.slice(start, end + 1));
    return reshape(self, [...self.sizes.slice(0, start), flat, ...self.sizes.slice(end + 1)]);
  },
);

op("aten::unflatten.int(Tensor(a) self, int dim, SymInt[] sizes) -> Tensor(a)", (self, dimIn, sizes) => {
  const dim = wrapDim(dimIn, self.ndim);
  if (sizes.length === 0) throw new OperatorError("unflatten: sizes must be non-empty");
  const size = self.sizes[dim] ?? 1;
  const known = sizes.reduce((n, s) => (s === -1 ? n : n * s), 1);
  const holes = sizes.filter((s) => s === -1).length;
  if (holes > 1) throw new OperatorError("only one dimension can be inferred");
  if (holes === 0 ? known !== size : known === 0 || size % known !== 0) {
    throw new OperatorError(
      `unflatten: Provided sizes ${formatList(sizes)} don't multiply up to the size of dim ${dim} (${size}) in the input tensor`,
    );
  }
  const full = sizes.map((s) => (s === -1 ? size / known : s));
  return view(self, [...self.sizes.slice(0, dim), ...full, ...self.sizes.slice(dim + 1)]);
});

function asStrided(
  self: Tensor,
  size: readonly number[],
  stride: readonly number[],
  storageOffset: number | null,
): Tensor {
  if (size.length !== stride.length) throw new OperatorError("mismatch in length of strides and shape");
  const negative = stride.find((s) => s < 0);
  if (negative !== undefined) {
    throw new OperatorError(
      `as_strided: Negative strides are not supported at the moment, got strides: ${formatList(stride)}`,
    );
  }
  const offset = storageOffset ?? self.storageOffset;
  const need = (offset + reachedElements(size, stride)) * self.dtype.itemsize;
  if (offset < 0) throw new OperatorError(`Tensor: invalid storage offset ${offset}`);
  if (need > self.storage.nbytes && numelOf(size) > 0) {
    throw new OperatorError(
      `setStorage: sizes ${formatList(size)}, strides ${formatList(stride)}, storage offset ${offset}, and itemsize ${self.dtype.itemsize} requiring a storage size of ${need} are out of bounds for storage of size ${self.storage.nbytes}`,
    );
  }
  return viewOf(self, [...size], [...stride], offset);
}

export const as_strided = op(
  "aten::as_strided(Tensor(a) self, SymInt[] size, SymInt[] stride, SymInt? storage_offset=None) -> Tensor(a)",
  asStrided,
);

export const diagonal = op(
  "aten::diagonal(Tensor(a) self, int offset=0, int dim1=0, int dim2=1) -> Tensor(a)",
  diagonalView,
);
op(
  "aten::linalg_diagonal(Tensor(a) A, *, int offset=0, int dim1=-2, int dim2=-1) -> Tensor(a)",
  (self, offset, dim1, dim2) => diagonal(self, offset, dim1, dim2),
);

function moveDims(self: Tensor, source: readonly number[], destination: readonly number[]): Tensor {
  if (source.length !== destination.length) {
    throw new OperatorError(
      `movedim: Invalid source or destination dims: source (${formatList(source)} dims) should contain the same number of dims as destination (${formatList(destination)} dims)`,
    );
  }
  const from = source.map((d) => wrapDim(d, self.ndim));
  const to = destination.map((d) => wrapDim(d, self.ndim));
  if (new Set(from).size !== from.length)
    throw new OperatorError(`movedim: repeated dim in \`source\` (${formatList(source)})`);
  if (new Set(to).size !== to.length) {
    throw new OperatorError(`movedim: repeated dim in \`destination\` (${formatList(destination)})`);
  }
  if (self.ndim === 0) return viewOf(self, [], []);
  const order = new Array<number>(self.ndim).fill(-1);
  from.forEach((d, i) => (order[to[i]!] = d));
  const rest = self.sizes.map((_, d) => d).filter((d) => !from.includes(d));
  return permute(
    self,
    order.map((d) => (d >= 0 ? d : rest.shift()!)),
  );
}

export const movedim = op(
  "aten::movedim.intlist(Tensor(a) self, int[] source, int[] destination) -> Tensor(a)",
  moveDims,
);
op("aten::movedim.int(Tensor(a) self, int source, int destination) -> Tensor(a)", (self, a, b) =>
  moveDims(self, [a], [b]),
);
op("aten::moveaxis.intlist(Tensor(a) self, int[] source, int[] destination) -> Tensor(a)", moveDims);
op("aten::moveaxis.int(Tensor(a) self, int source, int destination) -> Tensor(a)", (self, a, b) =>
  moveDims(self, [a], [b]),
);

export const unfold = op(
  "aten::unfold(Tensor(a) self, int dimension, int size, int step) -> Tensor(a)",
  (self, dimension, size, step) => {
    const dim = wrapDim(dimension, self.ndim);
    const maxSize = self.ndim === 0 ? 1 : self.sizes[dim]!;
    if (size < 0) throw new OperatorError(`size is ${size} but must be >= 0`);
    if (size > maxSize)
      throw new OperatorError(`maximum size for tensor at dimension ${dim} is ${maxSize} but size is ${size}`);
    if (step <= 0) throw new OperatorError(`step is ${step} but must be > 0`);
    if (self.ndim === 0) return viewOf(self, [size], [1]);
    const sizes = [...self.sizes, size];
    const strides = [...self.strides, self.strides[dim]!];
    sizes[dim] = Math.floor((self.sizes[dim]! - size) / step) + 1;
    strides[dim] = step * self.strides[dim]!;
    return viewOf(self, sizes, strides);
  },
);

const REAL_OF = new Map<DType, DType>([
  [DTYPES.complex32, DTYPES.float16],
  [DTYPES.complex64, DTYPES.float32],
  [DTYPES.complex128, DTYPES.float64],
]);
const COMPLEX_OF = new Map<DType, DType>([...REAL_OF].map(([complex, real]) => [real, complex]));

/** The dtype of the parts of a complex dtype; another dtype is its own. */
export function realDtype(dtype: DType): DType {
  return REAL_OF.get(dtype) ?? dtype;
}

/** The complex dtype whose parts have this dtype (itself where it is complex). */
export function complexDtype(dtype: DType): DType {
  return COMPLEX_OF.get(dtype) ?? dtype;
}

function asReal(self: Tensor): Tensor {
  const dtype = REAL_OF.get(self.dtype);
  if (!dtype) throw new OperatorError("view_as_real is only supported for complex tensors");
  const view = viewOf(self, [...self.sizes, 2], [...self.strides.map((s) => 2 * s), 1], 2 * self.storageOffset);
  view.dtype = dtype;
  view.isConj = false;
  return view;
}

export const view_as_real = op("aten::view_as_real(Tensor(a) self) -> Tensor(a)", (self) => {
  if (self.isConj) {
    throw new OperatorError(
      "view_as_real doesn't work on unresolved conjugated tensors.  To resolve the conjugate tensor so you can view it as real, use self.resolve_conj(); however, be warned that the resulting tensor will NOT alias the original.",
    );
  }
  return asReal(self);
});

export const view_as_complex = op("aten::view_as_complex(Tensor(a) self) -> Tensor(a)", (self) => {
  const dtype = COMPLEX_OF.get(self.dtype);
  if (!dtype) {
    throw new OperatorError(
      `view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar type: ${self.dtype.cppName}`,
    );
  }
  if (self.ndim === 0) throw new OperatorError("Input tensor must have one or more dimensions");
  if (self.sizes[self.ndim - 1] !== 2) throw new OperatorError("Tensor must have a last dimension of size 2");
  if (self.strides[self.ndim - 1] !== 1) throw new OperatorError("Tensor must have a last dimension with stride 1");
  const strides = self.strides.slice(0, -1);
  if (strides.some((s) => s % 2 !== 0)) {
    throw new OperatorError("Tensor must have a stride divisible by 2 for all but last dimension");
  }
  if (self.storageOffset % 2 !== 0) throw new OperatorError("Tensor must have a storage_offset divisible by 2");
  const source = self.isNeg ? cloneTensor(self, MEMORY_FORMAT.contiguous) : self;
  const view = viewOf(
    source,
    self.sizes.slice(0, -1),
    (source === self ? self.strides : source.strides).slice(0, -1).map((s) => s / 2),
    source.storageOffset / 2,
  );
  view.dtype = dtype;
  return view;
});

function lastOf(self: Tensor, index: number): Tensor {
  return viewOf(self, self.sizes.slice(0, -1), self.strides.slice(0, -1), self.storageOffset + index);
}

export const real = op("aten::real(Tensor(a) self) -> Tensor(a)", (self) =>
  self.dtype.category === "complex" ? lastOf(asReal(self), 0) : self,
);
export const imag = op("aten::imag(Tensor(a) self) -> Tensor(a)", (self) => {
  if (self.dtype.category !== "complex")
    throw new OperatorError("imag is not implemented for tensors with non-complex dtypes.");
  const part = lastOf(asReal(self), 1);
  part.isNeg = self.isConj !== self.isNeg;
  return part;
});
export const conj = op("aten::conj(Tensor(a) self) -> Tensor(a)", conjView);
op("aten::_conj(Tensor(a) self) -> Tensor(a)", (self) => {
  const view = viewOf(self, self.sizes, self.strides);
  view.isConj = !self.isConj;
  return view;
});
op("aten::_neg_view(Tensor(a) self) -> Tensor(a)", (self) => {
  const view = viewOf(self, self.sizes, self.strides);
  view.isNeg = !self.isNeg;
  return view;
});
op("aten::resolve_conj(Tensor(a) self) -> Tensor(a)", (self) => (self.isConj ? cloneTensor(self) : self));
op("aten::resolve_neg(Tensor(a) self) -> Tensor(a)", (self) => (self.isNeg ? cloneTensor(self) : self));

export const alias = op("aten::alias(Tensor(a) self) -> Tensor(a)", (self) => viewOf(self, self.sizes, self.strides));

/** A view that requires no gradient. */
export function detached(self: Tensor): Tensor {
  const view = viewOf(self, self.sizes, self.strides);
  view.requiresGrad = false;
  view.sparse = self.sparse;
  return view;
}
export const detach = op("aten::detach(Tensor(a) self) -> Tensor(a)", detached);
op("aten::detach_(Tensor(a!) self) -> Tensor(a!)", (self) => {
  self.requiresGrad = false;
  self.autograd = undefined;
  return self;
});

op("aten::atleast_1d(Tensor self) -> Tensor", atleast1d);
op("aten::atleast_1d.Sequence(Tensor[] tensors) -> Tensor[]", (tensors) => tensors.map(atleast1d));
op("aten::atleast_2d(Tensor self) -> Tensor", atleast2d);
op("aten::atleast_2d.Sequence(Tensor[] tensors) -> Tensor[]", (tensors) => tensors.map(atleast2d));
op("aten::atleast_3d(Tensor self) -> Tensor", atleast3d);
op("aten::atleast_3d.Sequence(Tensor[] tensors) -> Tensor[]", (tensors) => tensors.map(atleast3d));

/** At least one dimension. */
export function atleast1d(self: Tensor): Tensor {
  return self.ndim === 0 ? reshape(self, [1]) : self;
}

/** At least two dimensions; a vector becomes a row. */
export function atleast2d(self: Tensor): Tensor {
  return self.ndim === 0 ? reshape(self, [1, 1]) : self.ndim === 1 ? unsqueeze(self, 0) : self;
}

/** At least three dimensions: `[1, n, 1]`, `[m, n, 1]`. */
export function atleast3d(self: Tensor): Tensor {
  if (self.ndim === 0) return reshape(self, [1, 1, 1]);
  if (self.ndim === 1) return unsqueeze(unsqueeze(self, 0), -1);
  return self.ndim === 2 ? unsqueeze(self, -1) : self;
}
