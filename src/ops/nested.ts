/** @file Nested tensors: sequences of different lengths side by side, as padding masks make them. Upstream: aten/src/ATen/native/nested/NestedTensorTransformerFunctions.cpp, NestedTensorMath.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { callOperator, op, specializeKernel } from "../core/operator_registry.ts";
import { AbsentElements, tensorOfComponents } from "../tensor/absent_elements.ts";
import { cloneTensor } from "../tensor/clone.ts";
import { copyInto } from "../tensor/copy.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { maskOf } from "../tensor/kernels/data.ts";
import { Float } from "../tensor/scalar.ts";
import { wrapDim } from "../tensor/strides.ts";
import { Tensor } from "../tensor/tensor.ts";
import { narrowView, selectView } from "../tensor/view_geometry.ts";

const isNested = (t: unknown): boolean => t instanceof Tensor && t.nested !== undefined;

/** For each row of a mask (true keeps) of sequences (batch, length, features): what it keeps, and whether that is a run from the left. */
function keptOf(t: Tensor, mask: Tensor): { readonly counts: readonly number[]; readonly isLeftAligned: boolean } {
  if (mask.dtype !== DTYPES.bool) {
    throw new OperatorError(`Expected mask to be of ScalarType Bool, but got ${mask.dtype.cppName} instead.`);
  }
  if (mask.ndim !== 2) throw new OperatorError("Padding mask should be 2D");
  if (t.ndim !== 3) throw new OperatorError("Input should be a 3D tensor, N * L * D");
  const [rows, length] = mask.sizes as [number, number];
  if (t.sizes[0] !== rows || t.sizes[1] !== length) throw new OperatorError("Mask size should match input size");
  const bits = maskOf(mask);
  const counts = new Array<number>(rows).fill(0);
  let isLeftAligned = true;
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < length; i++) {
      if (bits[row * length + i] === 0) continue;
      if (counts[row] !== i) isLeftAligned = false;
      counts[row]!++;
    }
  }
  return { counts, isLeftAligned };
}

op(
  "aten::_nested_tensor_from_mask_left_aligned(Tensor t, Tensor mask) -> bool",
  (t, mask) => keptOf(t, mask).isLeftAligned,
);

op("aten::_nested_tensor_from_mask(Tensor t, Tensor mask, bool mask_check=True) -> Tensor", (t, mask, isChecked) => {
  const { counts, isLeftAligned } = keptOf(t, mask);
  if (isChecked && !isLeftAligned) throw new OperatorError("Mask must be left-aligned without gaps");
  return tensorOfComponents(
    counts.map((count, row) => cloneTensor(narrowView(selectView(t, 0, row), 0, 0, count))),
    t,
  );
});

op(
  "aten::to_padded_tensor(Tensor self, float padding, SymInt[]? output_size=None) -> Tensor",
  (self, padding, size) => {
    const components = self.nested;
    if (!components) throw new AbsentElements("CPU").of("aten::to_padded_tensor");
    if (!components.some((component) => component.numel > 0)) {
      throw new OperatorError("to_padded_tensor: at least one constituent tensor should have non-zero numel");
    }
    if (size && size.length !== self.ndim) {
      throw new OperatorError("Length of output_size does not match NestedTensor dims. Broadcasting is not supported.");
    }
    if (size?.some((extent, d) => extent < self.sizes[d]!)) {
      throw new OperatorError(
        "Value in output_size is less than NestedTensor padded size. Truncation is not supported.",
      );
    }
    const out = callOperator("aten::full", [
      size ?? self.sizes,
      new Float(padding),
      self.dtype.id,
      null,
      null,
      null,
    ]) as Tensor;
    components.forEach((component, row) => {
      const place = component.sizes.reduce(
        (view, extent, d) => narrowView(view, d, 0, extent),
        selectView(out, 0, row),
      );
      copyInto(place, component);
    });
    return out;
  },
);

function special(key: string, make: (plain: (...args: unknown[]) => unknown) => (...args: never[]) => unknown): void {
  specializeKernel(key, isNested, (plain) => make(plain) as (...args: unknown[]) => unknown);
}

/** The components of `self`, each through `f`. */
function mapped(self: Tensor, f: (component: Tensor, row: number) => unknown): Tensor {
  return tensorOfComponents(
    self.nested!.map((component, row) => f(component, row) as Tensor),
    self,
  );
}

// what works on the last dimensions of every sequence alone
for (const name of [
  "relu",
  "gelu",
  "silu",
  "tanh",
  "abs",
  "neg",
  "sin",
  "cos",
  "logical_not",
  "clone",
  "contiguous",
  "detach",
  "to.dtype",
  "linear",
  "mul.Scalar",
  "div.Scalar",
]) {
  special(
    `aten::${name}`,
    (plain) =>
      (self: Tensor, ...rest: unknown[]) =>
        mapped(self, (c) => plain(c, ...rest)),
  );
}

for (const name of ["add.Tensor", "sub.Tensor", "mul.Tensor", "div.Tensor"]) {
  special(`aten::${name}`, (plain) => (self: Tensor, other: Tensor, ...rest: unknown[]) => {
    const others = other.nested;
    if (!others && other.numel !== 1) {
      throw new OperatorError(`${name.split(".")[0]!} does not support broadcasting when given a NestedTensor`);
    }
    return mapped(self, (c, row) => plain(c, others?.[row] ?? other, ...rest));
  });
}

/** A dimension of the components; `self` has the one of the batch before them. */
function inComponent(self: Tensor, dimIn: number, name: string): number {
  const dim = wrapDim(dimIn, self.ndim);
  if (dim === 0) throw new OperatorError(`${name}: the dimension of the batch is not allowed for a NestedTensor`);
  return dim - 1;
}

special(
  "aten::softmax.int",
  (plain) => (self: Tensor, dim: number, dtype: unknown) =>
    mapped(self, (c) => plain(c, inComponent(self, dim, "softmax"), dtype)),
);
special(
  "aten::transpose.int",
  (plain) => (self: Tensor, a: number, b: number) =>
    mapped(self, (c) => plain(c, inComponent(self, a, "transpose"), inComponent(self, b, "transpose"))),
);
special(
  "aten::layer_norm",
  (plain) =>
    (self: Tensor, shape: unknown, weight: unknown, bias: unknown, ...rest: unknown[]) => {
      if (weight === null || bias === null) throw new OperatorError("NestedTensor layer_norm requires weight and bias");
      return mapped(self, (c) => plain(c, shape, weight, bias, ...rest));
    },
);
special("aten::unbind.int", () => (self: Tensor, dim: number) => {
  if (wrapDim(dim, self.ndim) !== 0) {
    throw new OperatorError(`NestedTensor can only be unbound along dimension 0 got dimension ${dim} instead.`);
  }
  return [...self.nested!];
});

special("aten::size", () => () => {
  throw new OperatorError("Internal error: NestedTensorImpl doesn't support sizes. Please file an issue.");
});
special("aten::size.int", () => (self: Tensor, dimIn: number) => {
  const dim = wrapDim(dimIn, self.ndim);
  if (dim > 0 && self.nested!.some((component) => component.sizes[dim - 1] !== self.sizes[dim])) {
    throw new OperatorError(`Given dimension ${dim} is irregular and does not have a size.`);
  }
  return self.sizes[dim];
});
special("aten::stride", () => () => {
  throw new OperatorError("Internal error: NestedTensorImpl doesn't support strides. Please file an issue.");
});
special("aten::numel", () => (self: Tensor) => self.nested!.reduce((sum, component) => sum + component.numel, 0));
