/** @file Tensors of sequences and segments: padding, chunked cat, flattening, segment reductions. Upstream: aten/src/ATen/native/PackedSequence.cpp, SegmentReduce.cpp, TensorShape.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { copyElements } from "../tensor/copy.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { doublesOf, fromDoubles, fromIndices, indicesOf } from "../tensor/kernels/data.ts";
import { scalarToNumber } from "../tensor/scalar.ts";
import { numelOf, wrapDim } from "../tensor/strides.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { narrowView, selectView } from "../tensor/view_geometry.ts";
import { fillScalar } from "./creation.ts";
import { cat, stack } from "./joining.ts";
import { batchNorm } from "./normalization.ts";
import { constantPad } from "./padding.ts";
import { toCopy } from "./conversion.ts";
import { reshapeTensor, view } from "./views.ts";

op("aten::chalf(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor", (self, format) =>
  self.dtype === DTYPES.complex32 ? self : toCopy(self, DTYPES.complex32, null, format),
);
op("aten::_dim_arange(Tensor like, int dim) -> Tensor", (like, dim) => {
  const size = like.sizes[wrapDim(dim, like.ndim)]!;
  return fromIndices(
    Float64Array.from({ length: size }, (_, i) => i),
    [size],
  );
});
op("aten::_stack(Tensor[] tensors, int dim=0) -> Tensor", (tensors, dim) => stack(tensors, dim));
op("aten::_reshape_from_tensor(Tensor self, Tensor shape) -> Tensor", (self, shape) =>
  reshapeTensor(self, Array.from(indicesOf(shape))),
);

op("aten::_chunk_cat(Tensor[] tensors, int dim, int num_chunks) -> Tensor", (tensors, dimIn, chunks) => {
  if (tensors.length === 0) throw new OperatorError("_chunk_cat expects a non-empty input tensor list");
  if (chunks < 1) throw new OperatorError("_chunk_cat expects positive num_chunks");
  const first = tensors[0]!;
  if (dimIn < 0 && tensors.some((t) => t.ndim !== first.ndim)) {
    throw new OperatorError("_chunk_cat expects non-negative dim when input tensors have different ndims");
  }
  const dim = dimIn < 0 ? wrapDim(dimIn, first.ndim) : dimIn;
  for (const t of tensors) {
    if (t.numel === 0) throw new OperatorError("_chunk_cat expects non-empty tensor");
    if (t.dtype !== first.dtype) throw new OperatorError("_chunk_cat expects all input tensors with the same dtype");
    if (dim >= t.ndim) throw new OperatorError("_chunk_cat expects dim < ndim for all input tensors");
    for (let d = 0; d < dim; d++) {
      if (t.sizes[d] !== first.sizes[d])
        throw new OperatorError("_chunk_cat expects same sizes of 0,...,dim-1 dimensions for all tensors");
    }
  }
  const parts = tensors.map((t) => {
    const size = t.sizes[dim]!;
    const padded = Math.ceil(size / chunks) * chunks;
    const pad = [...new Array<number>(2 * (t.ndim - 1 - dim)).fill(0), 0, padded - size];
    return reshapeTensor(padded === size ? t : constantPad(t, pad, 0), [...t.sizes.slice(0, dim), chunks, -1]);
  });
  return cat(parts, dim + 1);
});

op(
  'aten::pad_sequence(Tensor[] sequences, bool batch_first=False, float padding_value=0., str padding_side="right") -> Tensor',
  (sequences, batchFirst, value, side) => {
    if (sequences.length === 0) throw new OperatorError("received an empty list of sequences");
    if (side !== "left" && side !== "right")
      throw new OperatorError(`Expected padding_side to be one of left or right, but got ${side}.`);
    const first = sequences[0]!;
    const longest = Math.max(...sequences.map((t) => t.sizes[0]!));
    const rest = first.sizes.slice(1);
    const count = sequences.length;
    const out = fillScalar(
      emptyTensor(batchFirst ? [count, longest, ...rest] : [longest, count, ...rest], first.dtype),
      value,
    );
    sequences.forEach((t, i) => {
      const length = t.sizes[0]!;
      const row = selectView(out, batchFirst ? 0 : 1, i);
      copyElements(narrowView(row, 0, side === "left" ? longest - length : 0, length), t);
    });
    return out;
  },
);

op("aten::flatten_dense_tensors(Tensor[] tensors) -> Tensor", (tensors) =>
  tensors.length === 1
    ? reshapeTensor(tensors[0]!, [-1])
    : cat(
        tensors.map((t) => reshapeTensor(t, [-1])),
        0,
      ),
);
op("aten::unflatten_dense_tensors(Tensor flat, Tensor[] tensors) -> Tensor[]", (flat, tensors) => {
  let at = 0;
  return tensors.map((t) => {
    const part = view(narrowView(flat, 0, at, t.numel), [...t.sizes]);
    at += t.numel;
    return part;
  });
});

const SEGMENT_START: Readonly<Record<string, number>> = { sum: 0, mean: 0, prod: 1, max: -Infinity, min: Infinity };

op(
  "aten::segment_reduce(Tensor data, str reduce, *, Tensor? lengths=None, Tensor? indices=None, Tensor? offsets=None, int axis=0, bool unsafe=False, Scalar? initial=None) -> Tensor",
  (data, reduce, lengths, indices, offsets, axisIn, isUnsafe, initial) => {
    const axis = wrapDim(axisIn, data.ndim);
    if (data.numel === 0) throw new OperatorError("segment_reduce(): Expected data.numel() > 0");
    const start = SEGMENT_START[reduce];
    if (start === undefined)
      throw new OperatorError(`reduce argument must be either sum, prod, mean, amax or amin, got ${reduce}`);
    if (indices) throw new OperatorError("segment_reduce(): indices based reduction is not supported yet.");
    if (!lengths && !offsets) throw new OperatorError("segment_reduce(): Either lengths or offsets must be defined.");
    const given = (offsets ?? lengths)!;
    if (data.dtype.category !== "float")
      throw new OperatorError(`"_segment_reduce_cpu" not implemented for '${data.dtype.cppName}'`);
    const perRow = given.sizes[given.ndim - 1]!;
    const segments = offsets ? perRow - 1 : perRow;
    const values = indicesOf(given);
    const rows = given.numel / Math.max(perRow, 1);
    const size = data.sizes[axis]!;
    const inner = numelOf(data.sizes.slice(axis + 1));
    const x = doublesOf(data);
    const out = new Float64Array(rows * segments * inner);
    for (let r = 0; r < rows; r++) {
      if (!offsets && !isUnsafe) {
        const row = values.subarray(r * perRow, (r + 1) * perRow);
        if (row.some((v) => v < 0)) throw new OperatorError("lengths contains negative value!");
        if (row.reduce((a, b) => a + b, 0) !== size)
          throw new OperatorError(
            "segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when !unsafe.",
          );
      }
      let at = 0;
      for (let s = 0; s < segments; s++) {
        const from = offsets ? values[r * perRow + s]! : at;
        const to = offsets ? values[r * perRow + s + 1]! : at + values[r * perRow + s]!;
        at = to;
        for (let i = 0; i < inner; i++) {
          let total = initial === null ? start : scalarToNumber(initial);
          for (let k = from; k < to; k++) {
            const v = x[(r * size + k) * inner + i]!;
            if (reduce === "max") total = v !== v ? v : Math.max(total, v);
            else if (reduce === "min") total = v !== v ? v : Math.min(total, v);
            else if (reduce === "prod") total *= v;
            else total += v;
          }
          if (reduce === "mean") {
            if (to > from) total /= to - from;
            else if (initial === null) total = NaN;
          }
          out[(r * segments + s) * inner + i] = total;
        }
      }
    }
    const sizes = [...given.sizes.slice(0, -1), segments, ...data.sizes.slice(axis + 1)];
    return fromDoubles(out, sizes, data.dtype);
  },
);

op(
  "aten::_batch_norm_with_update(Tensor input, Tensor? weight, Tensor? bias, Tensor(a!) running_mean, Tensor(b!) running_var, float momentum, float eps) -> (Tensor, Tensor, Tensor, Tensor)",
  (input, weight, bias, mean, variance, momentum, eps): [Tensor, Tensor, Tensor, Tensor] => [
    ...batchNorm(input, weight, bias, mean, variance, true, momentum, eps),
    emptyTensor([0], DTYPES.uint8),
  ],
);
