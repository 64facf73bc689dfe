/** @file Joining and repeating: cat, stack, repeat, tile, meshgrid, block_diag. Upstream: aten/src/ATen/native/TensorShape.cpp, Repeat.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { emptyStrided } from "../tensor/clone.ts";
import { copyElements } from "../tensor/copy.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { fromIndices, indicesOf } from "../tensor/kernels/data.ts";
import { gatherDim } from "../tensor/kernels/gather.ts";
import { stridesIn, suggestMemoryFormat } from "../tensor/memory_format.ts";
import { promoteTypes } from "../tensor/promotion.ts";
import { wrapDim } from "../tensor/strides.ts";
import { emptyTensor, uninitializedTensor, viewOf, type Tensor } from "../tensor/tensor.ts";
import { expandView, formatList, narrowView, unsqueezeView } from "../tensor/view_geometry.ts";
import { atleast1d, atleast2d, atleast3d, reshape, reshapeTensor, tensorTypeName } from "./views.ts";

/** A 1-d tensor without elements joins anything (an old rule that PyTorch keeps). */
function isSkipped(t: Tensor): boolean {
  return t.ndim === 1 && t.sizes[0] === 0;
}

function catTensors(tensors: readonly Tensor[], dimIn: number): Tensor {
  if (tensors.length === 0) throw new OperatorError("torch.cat(): expected a non-empty list of Tensors");
  tensors.forEach((t, i) => {
    if (t.ndim === 0) throw new OperatorError(`zero-dimensional tensor (at position ${i}) cannot be concatenated`);
  });
  const first = tensors.find((t) => !isSkipped(t));
  const dtype = tensors.map((t) => t.dtype).reduce((a, b) => (a === b ? a : promoteTypes(a, b)));
  if (!first) {
    wrapDim(dimIn, 1);
    return emptyTensor([0], dtype);
  }
  const dim = wrapDim(dimIn, first.ndim);
  let size = 0;
  tensors.forEach((t, i) => {
    if (isSkipped(t)) return;
    if (t.ndim !== first.ndim)
      throw new OperatorError(`Tensors must have same number of dimensions: got ${first.ndim} and ${t.ndim}`);
    for (let d = 0; d < t.ndim; d++) {
      if (d !== dim && t.sizes[d] !== first.sizes[d]) {
        throw new OperatorError(
          `Sizes of tensors must match except in dimension ${dim}. Expected size ${first.sizes[d]} but got size ${t.sizes[d]} for tensor number ${i} in the list.`,
        );
      }
    }
    size += t.sizes[dim]!;
  });
  const sizes = [...first.sizes];
  sizes[dim] = size;
  const formats = tensors.filter((t) => !isSkipped(t)).map(suggestMemoryFormat);
  const format = formats.every((f) => f === formats[0]) ? formats[0]! : 0;
  const out = emptyStrided(sizes, stridesIn(sizes, format), dtype, false);
  out.quantizer = first.quantizer;
  let at = 0;
  for (const t of tensors) {
    if (isSkipped(t)) continue;
    copyElements(narrowView(out, dim, at, t.sizes[dim]!), t);
    at += t.sizes[dim]!;
  }
  return out;
}

export const cat = op("aten::cat(Tensor[] tensors, int dim=0) -> Tensor", catTensors);
op("aten::concat(Tensor[] tensors, int dim=0) -> Tensor", catTensors);
op("aten::concatenate(Tensor[] tensors, int dim=0) -> Tensor", catTensors);

export const stack = op("aten::stack(Tensor[] tensors, int dim=0) -> Tensor", (tensors, dimIn) => {
  if (tensors.length === 0) throw new OperatorError("stack expects a non-empty TensorList");
  const first = tensors[0]!;
  const dim = wrapDim(dimIn, first.ndim + 1);
  tensors.forEach((t, i) => {
    if (t.ndim !== first.ndim || t.sizes.some((s, d) => s !== first.sizes[d])) {
      throw new OperatorError(
        `stack expects each tensor to be equal size, but got ${formatList(first.sizes)} at entry 0 and ${formatList(t.sizes)} at entry ${i}`,
      );
    }
  });
  return catTensors(
    tensors.map((t) => unsqueezeView(t, dim)),
    dim,
  );
});

function nonEmpty(tensors: readonly Tensor[], name: string): void {
  if (tensors.length === 0) throw new OperatorError(`${name} expects a non-empty TensorList`);
}

op("aten::hstack(Tensor[] tensors) -> Tensor", (tensors) => {
  nonEmpty(tensors, "hstack");
  const wide = tensors.map(atleast1d);
  return catTensors(wide, wide[0]!.ndim === 1 ? 0 : 1);
});

function vstack(tensors: Tensor[]): Tensor {
  nonEmpty(tensors, "vstack");
  return catTensors(tensors.map(atleast2d), 0);
}

op("aten::vstack(Tensor[] tensors) -> Tensor", vstack);
op("aten::row_stack(Tensor[] tensors) -> Tensor", vstack);
op("aten::dstack(Tensor[] tensors) -> Tensor", (tensors) => {
  nonEmpty(tensors, "dstack");
  return catTensors(tensors.map(atleast3d), 2);
});
op("aten::column_stack(Tensor[] tensors) -> Tensor", (tensors) => {
  nonEmpty(tensors, "column_stack");
  const columns = tensors.map((t) => (t.ndim <= 1 ? reshape(t, [t.numel, 1]) : t));
  return catTensors(columns, 1);
});

op("aten::block_diag(Tensor[] tensors) -> Tensor", (tensors) => {
  tensors.forEach((t, i) => {
    if (t.ndim > 2)
      throw new OperatorError(
        `torch.block_diag: Input tensors must have 2 or fewer dimensions. Input ${i} has ${t.ndim} dimensions`,
      );
  });
  const blocks = tensors.length === 0 ? [emptyTensor([1, 0], DTYPES.float32)] : tensors.map(atleast2d);
  const dtype = blocks.map((t) => t.dtype).reduce((a, b) => promoteTypes(a, b));
  const rows = blocks.reduce((n, t) => n + t.sizes[0]!, 0);
  const cols = blocks.reduce((n, t) => n + t.sizes[1]!, 0);
  const out = emptyTensor([rows, cols], dtype);
  let r = 0;
  let c = 0;
  for (const t of blocks) {
    copyElements(narrowView(narrowView(out, 0, r, t.sizes[0]!), 1, c, t.sizes[1]!), t);
    r += t.sizes[0]!;
    c += t.sizes[1]!;
  }
  return out;
});

export const repeat = op("aten::repeat(Tensor self, SymInt[] repeats) -> Tensor", (self, repeats) => {
  if (repeats.length < self.ndim) {
    throw new OperatorError(
      "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor",
    );
  }
  const lead = repeats.length - self.ndim;
  const padded = [...new Array<number>(lead).fill(1), ...self.sizes];
  const target = padded.map((s, d) => s * repeats[d]!);
  const negative = target.find((s) => s < 0);
  if (negative !== undefined)
    throw new OperatorError(`Trying to create tensor with negative dimension ${negative}: ${formatList(target)}`);
  const out = uninitializedTensor(target, self.dtype);
  out.quantizer = self.quantizer;
  if (out.numel === 0) return out;
  // every dimension as (repeat, size), the tensor broadcast over the repeats
  const sizes = padded.flatMap((s, d) => [repeats[d]!, s]);
  const to = viewOf(
    out,
    sizes,
    padded.flatMap((s, d) => [out.strides[d]! * s, out.strides[d]!]),
  );
  const strides = [...new Array<number>(lead).fill(0), ...self.strides];
  copyElements(
    to,
    viewOf(
      self,
      sizes,
      padded.flatMap((_, d) => [0, strides[d]!]),
    ),
  );
  return out;
});
op("aten::tile(Tensor self, SymInt[] dims) -> Tensor", (self, dims) =>
  repeat(self, [...new Array<number>(Math.max(self.ndim - dims.length, 0)).fill(1), ...dims]),
);

function repeatIndices(repeats: Tensor, outputSize: number | null): Float64Array {
  if (repeats.ndim !== 1) throw new OperatorError("repeat_interleave only accept 1D vector as repeat");
  if (repeats.dtype !== DTYPES.int64 && repeats.dtype !== DTYPES.int32) {
    throw new OperatorError(`"repeat_interleave_cpu" not implemented for '${repeats.dtype.cppName}'`);
  }
  const counts = indicesOf(repeats);
  let total = 0;
  for (const c of counts) {
    if (c < 0) throw new OperatorError("repeats can not be negative");
    total += c;
  }
  if (outputSize !== null && outputSize !== total)
    throw new OperatorError("allocated size does not match required size");
  const out = new Float64Array(total);
  let at = 0;
  counts.forEach((c, i) => {
    out.fill(i, at, at + c);
    at += c;
  });
  return out;
}

op("aten::repeat_interleave.Tensor(Tensor repeats, *, SymInt? output_size=None) -> Tensor", (repeats, size) => {
  const indices = repeatIndices(repeats, size);
  return fromIndices(indices, [indices.length]);
});

function repeatInterleave(selfIn: Tensor, repeatsIn: Tensor, dimIn: number | null, size: number | null): Tensor {
  const self = dimIn === null ? reshapeTensor(selfIn, [-1]) : selfIn;
  const dim = wrapDim(dimIn ?? 0, self.ndim);
  const source = self.ndim === 0 ? reshapeTensor(self, [1]) : self;
  const length = source.sizes[dim]!;
  let repeats = repeatsIn;
  if (repeats.ndim === 0 || (repeats.ndim === 1 && repeats.sizes[0] === 1)) {
    repeats = expandView(reshapeTensor(repeats, [1]), [length], tensorTypeName(repeats));
  } else if (repeats.ndim === 1) {
    if (repeats.sizes[0] !== length) {
      throw new OperatorError(
        `repeats must have the same size as input along dim, but got repeats.size(0) = ${repeats.sizes[0]} and input.size(${dim}) = ${length}`,
      );
    }
  } else throw new OperatorError("repeats must be 0-dim or 1-dim tensor");
  return gatherDim(source, dim, repeatIndices(repeats, size));
}

op(
  "aten::repeat_interleave.self_Tensor(Tensor self, Tensor repeats, int? dim=None, *, SymInt? output_size=None) -> Tensor",
  repeatInterleave,
);
op(
  "aten::repeat_interleave.self_int(Tensor self, SymInt repeats, int? dim=None, *, SymInt? output_size=None) -> Tensor",
  (self, repeats, dim, size) => repeatInterleave(self, fromIndices([repeats], [1]), dim, size),
);

function meshgrid(tensors: readonly Tensor[], indexing: string): Tensor[] {
  if (tensors.length === 0) throw new OperatorError("meshgrid expects a non-empty TensorList");
  for (const t of tensors)
    if (t.ndim > 1)
      throw new OperatorError(
        `torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: ${formatList(t.sizes)}`,
      );
  if (tensors.some((t) => t.dtype !== tensors[0]!.dtype))
    throw new OperatorError("torch.meshgrid expects all tensors to have the same dtype");
  if (indexing !== "ij" && indexing !== "xy") {
    throw new OperatorError(`torch.meshgrid: indexing must be one of "xy" or "ij", but received: ${indexing}`);
  }
  const swaps = indexing === "xy" && tensors.length >= 2;
  const list = [...tensors];
  if (swaps) [list[0], list[1]] = [list[1]!, list[0]!];
  const shape = list.map((t) => t.numel);
  const grids = list.map((t, i) =>
    expandView(
      reshapeTensor(
        t,
        shape.map((_, d) => (d === i ? -1 : 1)),
      ),
      shape,
      tensorTypeName(t),
    ),
  );
  if (!swaps) return grids;
  [grids[0], grids[1]] = [grids[1]!, grids[0]!];
  return grids;
}

op("aten::meshgrid(Tensor[] tensors) -> Tensor[]", (tensors) => meshgrid(tensors, "ij"));
op("aten::meshgrid.indexing(Tensor[] tensors, *, str indexing) -> Tensor[]", meshgrid);

op("aten::cartesian_prod(Tensor[] tensors) -> Tensor", (tensors) => {
  for (const t of tensors)
    if (t.ndim !== 1) throw new OperatorError(`Expect a 1D vector, but got shape ${formatList(t.sizes)}`);
  if (tensors.length === 1) return tensors[0]!;
  const columns = meshgrid(tensors, "ij").map((g) => reshapeTensor(g, [-1]));
  return catTensors(
    columns.map((c) => unsqueezeView(c, 1)),
    1,
  );
});

op("aten::combinations(Tensor self, int r=2, bool with_replacement=False) -> Tensor", (self, r, withReplacement) => {
  if (self.ndim !== 1) throw new OperatorError(`Expect a 1D vector, but got shape ${formatList(self.sizes)}`);
  if (r < 0) throw new OperatorError(`Expect a non-negative number, but got ${r}`);
  if (r === 0) return emptyTensor([0], self.dtype);
  const n = self.numel;
  const at: number[] = [];
  const pick = (chosen: number[], from: number): void => {
    if (chosen.length === r) {
      for (const c of chosen) at.push(c);
      return;
    }
    for (let i = from; i < n; i++) pick([...chosen, i], withReplacement ? i : i + 1);
  };
  pick([], 0);
  return reshapeTensor(gatherDim(self, 0, at), [at.length / r, r]);
});
