/** @file The `_copy` twins of views: the same geometry with storage of its own. Upstream: native_functions.yaml (view_copy). Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { cloneTensor } from "../tensor/clone.ts";
import { MEMORY_FORMAT } from "../tensor/memory_format.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { conjView } from "./views.ts";
import * as selection from "./selection.ts";
import * as views from "./views.ts";

function copied(view: Tensor): Tensor {
  return cloneTensor(view, MEMORY_FORMAT.contiguous);
}

op("aten::view_copy(Tensor self, SymInt[] size) -> Tensor", (self, size) => copied(views.reshape(self, size)));
op("aten::_reshape_copy(Tensor self, SymInt[] size) -> Tensor", (self, size) => copied(views.reshape(self, size)));
op("aten::_reshape_alias_copy(Tensor self, SymInt[] size, SymInt[] stride) -> Tensor", (self, size) =>
  copied(views.reshape(self, size)),
);
op("aten::expand_copy(Tensor self, SymInt[] size, *, bool implicit=False) -> Tensor", (self, size) =>
  copied(views.expand(self, size)),
);
op("aten::permute_copy(Tensor self, int[] dims) -> Tensor", (self, dims) => copied(views.permute(self, dims)));
op("aten::t_copy(Tensor self) -> Tensor", (self) => copied(views.t(self)));
op("aten::transpose_copy.int(Tensor self, int dim0, int dim1) -> Tensor", (self, a, b) =>
  copied(views.transpose(self, a, b)),
);
op("aten::squeeze_copy(Tensor self) -> Tensor", (self) => copied(views.squeezeAll(self)));
op("aten::squeeze_copy.dim(Tensor self, int dim) -> Tensor", (self, dim) => copied(views.squeeze(self, dim)));
op("aten::squeeze_copy.dims(Tensor self, int[] dim) -> Tensor", (self, dims) => copied(views.squeezeMany(self, dims)));
op("aten::unsqueeze_copy(Tensor self, int dim) -> Tensor", (self, dim) => copied(views.unsqueeze(self, dim)));
op("aten::select_copy.int(Tensor self, int dim, SymInt index) -> Tensor", (self, dim, index) =>
  copied(selection.select(self, dim, index)),
);
op(
  "aten::slice_copy.Tensor(Tensor self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> Tensor",
  (self, dim, start, end, step) => copied(selection.slice(self, dim, start, end, step)),
);
op("aten::narrow_copy(Tensor self, int dim, SymInt start, SymInt length) -> Tensor", (self, dim, start, length) => {
  if (self.ndim > 0 && dim >= self.ndim) {
    throw new OperatorError(
      "Expected dim < static_cast<int64_t>(self_sizes.size()) to be true, but got false.  (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)",
    );
  }
  const size = self.sizes[dim < 0 ? dim + self.ndim : dim];
  if (size !== undefined && length < 0)
    throw new OperatorError(`start (${start}) + length (${length}) exceeds dimension size (${size}).`);
  return copied(selection.narrow(self, dim, start, length));
});
op("aten::diagonal_copy(Tensor self, int offset=0, int dim1=0, int dim2=1) -> Tensor", (self, offset, dim1, dim2) =>
  copied(views.diagonal(self, offset, dim1, dim2)),
);
op(
  "aten::as_strided_copy(Tensor self, SymInt[] size, SymInt[] stride, SymInt? storage_offset=None) -> Tensor",
  (self, size, stride, offset) => copied(views.as_strided(self, size, stride, offset)),
);
op("aten::unfold_copy(Tensor self, int dimension, int size, int step) -> Tensor", (self, dim, size, step) =>
  copied(views.unfold(self, dim, size, step)),
);
op("aten::split_copy.Tensor(Tensor self, SymInt split_size, int dim=0) -> Tensor[]", (self, size, dim) =>
  selection.split(self, size, dim).map(copied),
);
op("aten::split_with_sizes_copy(Tensor self, SymInt[] split_sizes, int dim=0) -> Tensor[]", (self, sizes, dim) =>
  selection.split_with_sizes(self, sizes, dim).map(copied),
);
op("aten::unbind_copy.int(Tensor self, int dim=0) -> Tensor[]", (self, dim) => selection.unbind(self, dim).map(copied));
op("aten::alias_copy(Tensor self) -> Tensor", copied);
op("aten::detach_copy(Tensor self) -> Tensor", copied);
op("aten::view_as_real_copy(Tensor self) -> Tensor", (self) => copied(views.view_as_real(self)));
op("aten::view_as_complex_copy(Tensor self) -> Tensor", (self) => copied(views.view_as_complex(self)));
op("aten::_conj_copy(Tensor self) -> Tensor", (self) => copied(conjView(self)));
op("aten::lift(Tensor self) -> Tensor", (self) => self);
op("aten::lift_fresh(Tensor(a) self) -> Tensor(a)", (self) => self);
op("aten::lift_fresh_copy(Tensor self) -> Tensor", (self) => cloneTensor(self));
