/** @file Questions about a tensor that read no element: sizes, strides, flags. Upstream: aten/src/ATen/native/TensorProperties.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { isContiguousIn, isNonOverlappingAndDense } from "../tensor/memory_format.ts";
import { wrapDim } from "../tensor/strides.ts";
import type { Tensor } from "../tensor/tensor.ts";

function sizeAt(self: Tensor, dim: number): number {
  if (self.ndim === 0) throw new OperatorError("Dimension specified as " + dim + " but tensor has no dimensions");
  return self.sizes[wrapDim(dim, self.ndim)]!;
}

function strideAt(self: Tensor, dim: number): number {
  if (self.ndim === 0) throw new OperatorError("Dimension specified as " + dim + " but tensor has no dimensions");
  return self.strides[wrapDim(dim, self.ndim)]!;
}

op("aten::size.int(Tensor self, int dim) -> int", sizeAt);
op("aten::size(Tensor self) -> int[]", (self) => [...self.sizes]);
op("aten::sym_size.int(Tensor self, int dim) -> SymInt", sizeAt);
op("aten::sym_size(Tensor self) -> SymInt[]", (self) => [...self.sizes]);
op("aten::stride.int(Tensor self, int dim) -> int", strideAt);
op("aten::stride(Tensor self) -> int[]", (self) => [...self.strides]);
op("aten::sym_stride.int(Tensor self, int dim) -> SymInt", strideAt);
op("aten::sym_stride(Tensor self) -> SymInt[]", (self) => [...self.strides]);
op("aten::numel(Tensor self) -> int", (self) => self.numel);
op("aten::sym_numel(Tensor self) -> SymInt", (self) => self.numel);
op("aten::dim(Tensor self) -> int", (self) => self.ndim);
op("aten::storage_offset(Tensor self) -> int", (self) => self.storageOffset);
op("aten::sym_storage_offset(Tensor self) -> SymInt", (self) => self.storageOffset);
op("aten::element_size(Tensor self) -> int", (self) => self.dtype.itemsize);
op("aten::is_contiguous(Tensor self) -> bool", (self) => self.isContiguous());
op("aten::is_contiguous.memory_format(Tensor self, MemoryFormat memory_format) -> bool", isContiguousIn);
op("aten::is_strides_like_format(Tensor self, MemoryFormat memory_format) -> bool", isContiguousIn);
op("aten::is_non_overlapping_and_dense(Tensor self) -> bool", (self) =>
  isNonOverlappingAndDense(self.sizes, self.strides),
);
op("aten::is_floating_point(Tensor self) -> bool", (self) => self.dtype.category === "float");
op("aten::is_complex(Tensor self) -> bool", (self) => self.dtype.category === "complex");
op("aten::is_conj(Tensor self) -> bool", (self) => self.isConj);
op("aten::is_neg(Tensor self) -> bool", (self) => self.isNeg);
op("aten::is_signed(Tensor self) -> bool", (self) => self.dtype.isSigned);
op("aten::is_same_size(Tensor self, Tensor other) -> bool", (self, other) => sameNumbers(self.sizes, other.sizes));
op(
  "aten::is_set_to(Tensor self, Tensor tensor) -> bool",
  (self, tensor) =>
    self.storage === tensor.storage &&
    self.storageOffset === tensor.storageOffset &&
    sameNumbers(self.sizes, tensor.sizes) &&
    sameNumbers(self.strides, tensor.strides),
);
op("aten::is_inference(Tensor self) -> bool", () => false);
op("aten::is_distributed(Tensor self) -> bool", () => false);
op("aten::is_leaf(Tensor self) -> bool", (self) => (self.autograd?.gradFn ?? null) === null);
op("aten::is_pinned(Tensor self, Device? device=None) -> bool", () => false);
op("aten::is_coalesced(Tensor self) -> bool", (self) => {
  if (self.sparse?.layout !== "sparse_coo") {
    throw new OperatorError(
      `is_coalesced expected sparse coordinate tensor layout but got ${self.sparse ? "SparseCsr" : "Strided"}`,
    );
  }
  return self.sparse.coalesced;
});
op("aten::_is_zerotensor(Tensor self) -> bool", () => false);
op("aten::dense_dim(Tensor self) -> int", (self) =>
  self.sparse === undefined ? self.ndim : self.sparse.values.ndim - 1,
);
op("aten::sparse_dim(Tensor self) -> int", (self) =>
  self.sparse?.layout === "sparse_coo" ? self.sparse.indices.sizes[0]! : self.sparse ? 2 : 0,
);
op("aten::output_nr(Tensor self) -> int", (self) => self.autograd?.outputNr ?? 0);
op("aten::_version(Tensor self) -> int", (self) => self.storage.version);
op("aten::get_device(Tensor self) -> int", (self) => self.device.index ?? -1);
op(
  "aten::_has_same_storage_numel(Tensor self, Tensor other) -> bool",
  (self, other) => self.storage.nbytes / self.dtype.itemsize === other.storage.nbytes / other.dtype.itemsize,
);

/** Whether two lists of sizes are equal. */
export function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
