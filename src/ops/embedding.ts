/** @file Embedding lookups and bags. Upstream: aten/src/ATen/native/Embedding.cpp, EmbeddingBag.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { cloneTensor, convertTensor } from "../tensor/clone.ts";
import { copyInto } from "../tensor/copy.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { computeDtype, doublesOf, floatsAs, fromDoubles, fromIndices, indicesOf } from "../tensor/kernels/data.ts";
import { gatherDim } from "../tensor/kernels/gather.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { formatList } from "../tensor/view_geometry.ts";
import { reshapeTensor, tensorTypeName } from "./views.ts";

function indexKind(t: Tensor, position: number, name: string, operator: string): void {
  if (t.dtype !== DTYPES.int64 && t.dtype !== DTYPES.int32) {
    throw new OperatorError(
      `Expected tensor for argument #${position} '${name}' to have one of the following scalar types: Long, Int; but got ${tensorTypeName(t)} instead (while checking arguments for ${operator})`,
    );
  }
}

export const embedding = op(
  "aten::embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor",
  (weight, indices) => {
    if (weight.ndim !== 2) throw new OperatorError("'weight' must be 2-D");
    indexKind(indices, 1, "indices", "embedding");
    const rows = indicesOf(indices);
    const count = weight.sizes[0]!;
    for (const r of rows) if (r < 0 || r >= count) throw new OperatorError("index out of range in self");
    const out = gatherDim(weight, 0, rows);
    return indices.ndim === 1 ? out : withSizes(out, [...indices.sizes, weight.sizes[1]!]);
  },
);

function withSizes(t: Tensor, sizes: readonly number[]): Tensor {
  const out = reshapeTensor(t, sizes);
  out.base = undefined;
  return out;
}

function renormRows(self: Tensor, indices: Tensor, maxNorm: number, normType: number): Tensor {
  indexKind(indices, 2, "indices", "embedding_renorm_");
  const width = self.sizes[1]!;
  const values = doublesOf(self).slice();
  for (const row of new Set(indicesOf(indices))) {
    if (row < 0 || row >= self.sizes[0]!) throw new OperatorError("index out of range in self");
    const at = row * width;
    let norm = 0;
    for (let i = 0; i < width; i++) {
      const a = Math.abs(values[at + i]!);
      norm = normType === Infinity ? Math.max(norm, a) : norm + a ** normType;
    }
    if (normType !== Infinity) norm **= 1 / normType;
    if (norm > maxNorm) {
      const scale = maxNorm / (norm + 1e-7);
      for (let i = 0; i < width; i++) values[at + i] = values[at + i]! * scale;
    }
  }
  copyInto(self, fromDoubles(values, self.sizes, DTYPES.float64));
  return self;
}

op(
  "aten::embedding_renorm_(Tensor(a!) self, Tensor indices, float max_norm, float norm_type) -> Tensor(a!)",
  renormRows,
);
op(
  "aten::embedding_renorm(Tensor self, Tensor indices, float max_norm, float norm_type) -> Tensor",
  (self, indices, maxNorm, normType) => renormRows(cloneTensor(self), indices, maxNorm, normType),
);
op(
  "aten::_no_grad_embedding_renorm_(Tensor weight, Tensor input, float max_norm, float norm_type) -> Tensor",
  renormRows,
);

const SUM = 0;
const MEAN = 1;
const MAX = 2;

function embeddingBag(
  weight: Tensor,
  indices: Tensor,
  offsets: Tensor,
  mode: number,
  perSample: Tensor | null,
  includeLast: boolean,
  paddingIdx: number | null,
): [Tensor, Tensor, Tensor, Tensor] {
  if (indices.ndim !== 1 && indices.ndim !== 2)
    throw new OperatorError("input has to be a 1D or 2D Tensor, but got Tensor of dimension " + indices.ndim);
  indexKind(indices, 1, "indices", "embedding_bag");
  indexKind(offsets, 1, "offsets", "embedding_bag");
  if (weight.dtype.category !== "float")
    throw new OperatorError(`expected weight to be a float tensor, but got ${weight.dtype.cppName}`);
  const rows = indicesOf(indices);
  const starts = indicesOf(offsets);
  if (starts.length > 0) {
    if (starts[0] !== 0)
      throw new OperatorError(
        `offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. However, got ${starts[0]}`,
      );
    if (starts[starts.length - 1]! > rows.length) {
      throw new OperatorError(
        `offsets[-1] can not be greater than input's length(${rows.length}) but got offsets[-1] of ${starts[starts.length - 1]}`,
      );
    }
  }
  if (includeLast && starts.length < 1)
    throw new OperatorError("include_last_offset: number of offset should be at least 1");
  if (perSample) {
    if (mode !== SUM) throw new OperatorError("embedding_bag: per_sample_weights only supported with mode='sum'");
    if (perSample.numel !== indices.numel)
      throw new OperatorError(
        `expected per_sample_weights to have the same number of elements as indices, but got ${formatList(perSample.sizes)}`,
      );
  }
  const bags = includeLast ? starts.length - 1 : starts.length;
  const [vocabulary, width] = weight.sizes as [number, number];
  const padding = paddingIdx === null ? -1 : paddingIdx < 0 ? paddingIdx + vocabulary : paddingIdx;
  const w = floatsAs(weight, computeDtype(weight.dtype));
  const scale = perSample ? doublesOf(perSample) : undefined;
  const out = new Float64Array(bags * width);
  const sizes = new Float64Array(bags);
  const owner = new Float64Array(rows.length);
  const maxIndices = new Float64Array(mode === MAX ? bags * width : bags).fill(mode === MAX ? -1 : 0);
  for (let b = 0; b < bags; b++) {
    const last = b + 1 < starts.length ? starts[b + 1]! : rows.length;
    for (let i = starts[b]!; i < last; i++) {
      const row = rows[i]!;
      owner[i] = b;
      if (row < 0 || row >= vocabulary) {
        throw new OperatorError(`embedding_bag: Expected idx >= 0 && idx < num_embeddings but found idx to be ${row}`);
      }
      if (row === padding) continue;
      const isFirst = sizes[b] === 0;
      sizes[b]!++;
      const end = (b + 1) * width;
      let from = row * width;
      if (mode === MAX) {
        for (let at = end - width; at < end; at++, from++) {
          const v = w[from]!;
          if (isFirst || v > out[at]!) {
            out[at] = v;
            maxIndices[at] = row;
          }
        }
      } else if (scale) {
        const s = scale[i]!;
        for (let at = end - width; at < end; at++, from++) out[at] = out[at]! + w[from]! * s;
      } else for (let at = end - width; at < end; at++, from++) out[at] = out[at]! + w[from]!;
    }
    if (mode === MEAN && sizes[b]! > 0)
      for (let j = 0; j < width; j++) out[b * width + j] = out[b * width + j]! / sizes[b]!;
  }
  return [
    fromDoubles(out, [bags, width], weight.dtype),
    // sums of float32 rows take a path that leaves the bookkeeping out
    mode === SUM && weight.dtype !== DTYPES.float64 && padding < 0
      ? emptyTensor([0], indices.dtype)
      : convertTensor(fromIndices(owner, [rows.length]), indices.dtype),
    convertTensor(
      fromIndices(mode === SUM ? new Float64Array(starts.length) : sizes, [mode === SUM ? starts.length : bags]),
      indices.dtype,
    ),
    convertTensor(
      mode === MAX
        ? fromIndices(
            maxIndices.map((v) => Math.max(v, 0)),
            [bags, width],
          )
        : fromIndices(mode === SUM ? new Float64Array(starts.length) : sizes, [mode === SUM ? starts.length : bags]),
      indices.dtype,
    ),
  ];
}

op(
  "aten::embedding_bag(Tensor weight, Tensor indices, Tensor offsets, bool scale_grad_by_freq=False, int mode=0, bool sparse=False, Tensor? per_sample_weights=None, bool include_last_offset=False) -> (Tensor, Tensor, Tensor, Tensor)",
  (weight, indices, offsets, _scale, mode, _sparse, weights, includeLast) =>
    embeddingBag(weight, indices, offsets, mode, weights, includeLast, null),
);
op(
  "aten::embedding_bag.padding_idx(Tensor weight, Tensor indices, Tensor offsets, bool scale_grad_by_freq, int mode, bool sparse, Tensor? per_sample_weights, bool include_last_offset, int? padding_idx) -> (Tensor, Tensor, Tensor, Tensor)",
  (weight, indices, offsets, _scale, mode, _sparse, weights, includeLast, padding) =>
    embeddingBag(weight, indices, offsets, mode, weights, includeLast, padding),
);
op(
  "aten::_embedding_bag(Tensor weight, Tensor indices, Tensor offsets, bool scale_grad_by_freq=False, int mode=0, bool sparse=False, Tensor? per_sample_weights=None, bool include_last_offset=False, int padding_idx=-1) -> (Tensor, Tensor, Tensor, Tensor)",
  (weight, indices, offsets, _scale, mode, _sparse, weights, includeLast, padding) =>
    embeddingBag(weight, indices, offsets, mode, weights, includeLast, padding === -1 ? null : padding),
);
op(
  "aten::_embedding_bag_forward_only(Tensor weight, Tensor indices, Tensor offsets, bool scale_grad_by_freq=False, int mode=0, bool sparse=False, Tensor? per_sample_weights=None, bool include_last_offset=False, int padding_idx=-1) -> (Tensor, Tensor, Tensor, Tensor)",
  (weight, indices, offsets, _scale, mode, _sparse, weights, includeLast, padding) =>
    embeddingBag(weight, indices, offsets, mode, weights, includeLast, padding === -1 ? null : padding),
);
