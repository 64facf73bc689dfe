/** @file Attention: scaled dot product, fused multi-head attention, the fused encoder layer. Upstream: aten/src/ATen/native/transformers/attention.cpp, transformer.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { callOperator, op } from "../core/operator_registry.ts";
import { tensorOfComponents } from "../tensor/absent_elements.ts";
import { contiguousAs, convertTensor, emptyLike } from "../tensor/clone.ts";
import { copyInto } from "../tensor/copy.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { broadcastStrides } from "../tensor/iterate.ts";
import { headScores, headValues, softmaxRows, type HeadShape } from "../tensor/kernels/attention.ts";
import { computeDtype, doublesOf, floatsAs, floatsOf, fromDoubles, maskOf } from "../tensor/kernels/data.ts";
import { wasmAttention } from "../tensor/kernels/wasm/attention.ts";
import { wasmSoftmax } from "../tensor/kernels/wasm/vectors.ts";
import { broadcastShapes, numelOf } from "../tensor/strides.ts";
import { emptyTensor, uninitializedTensor, viewOf, type Tensor } from "../tensor/tensor.ts";
import { narrowView, transposeView } from "../tensor/view_geometry.ts";
import { linear } from "./matrix.ts";
import { layer_norm } from "./normalization.ts";
import { expand, reshape, reshapeTensor } from "./views.ts";

interface Attention {
  readonly out: Tensor;
  /** Softmax weights (..., L, S); only where asked for. */
  readonly weights: Tensor | undefined;
  readonly logsumexp: Tensor;
}

interface AttentionOptions {
  readonly mask: Tensor | null;
  readonly dropout: number;
  readonly isCausal: boolean;
  readonly scale: number | null;
  readonly gqa: boolean;
  readonly wantWeights: boolean;
  /** Rows that see nothing give zeros instead of NaN. */
  readonly safe: boolean;
  readonly wantLogsumexp?: boolean;
}

function checkAttention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | null, isCausal: boolean): void {
  if (query.dtype !== key.dtype || query.dtype !== value.dtype) {
    throw new OperatorError(
      `Expected query, key, and value to have the same dtype, but got query.dtype: ${cppType(query)} key.dtype: ${cppType(key)} and value.dtype: ${cppType(value)} instead.`,
    );
  }
  if (query.ndim < 2 || key.ndim < 2 || value.ndim < 2) {
    throw new OperatorError(
      `Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: ${query.ndim} key.dim: ${key.ndim} and value.dim: ${value.ndim} instead.`,
    );
  }
  if (mask) {
    if (mask.dtype !== DTYPES.bool && mask.dtype !== query.dtype && mask.dtype !== DTYPES.float32) {
      throw new OperatorError(
        `Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: ${cppType(mask)} and  query.dtype: ${cppType(query)} instead.`,
      );
    }
    if (isCausal) throw new OperatorError("Explicit attn_mask should not be set when is_causal=True");
  }
}

function cppType(t: Tensor): string {
  const names: Readonly<Record<string, string>> = {
    float32: "float",
    float64: "double",
    float16: "c10::Half",
    bfloat16: "c10::BFloat16",
    int64: "long int",
    int32: "int",
    bool: "bool",
  };
  return names[t.dtype.name] ?? t.dtype.name;
}

/** Repeats heads of `t` (dimension -3) so that there are `heads` of them. */
function repeatHeads(t: Tensor, heads: number): Tensor {
  const own = t.sizes[t.ndim - 3]!;
  if (own === heads || own === 0) return t;
  const times = heads / own;
  const lead = t.sizes.slice(0, -3);
  const [s, e] = t.sizes.slice(-2) as [number, number];
  const wide = viewOf(t, [...lead, own, times, s, e], [...t.strides.slice(0, -2), 0, ...t.strides.slice(-2)]);
  return reshapeTensor(wide, [...lead, heads, s, e]);
}

/** Attention over the last two dimensions, broadcast over the others. */
function attend(query: Tensor, keyIn: Tensor, valueIn: Tensor, o: AttentionOptions): Attention {
  let key = keyIn;
  let value = valueIn;
  if (o.gqa) {
    const heads = query.sizes[query.ndim - 3]!;
    key = repeatHeads(key, heads);
    value = repeatHeads(value, heads);
  }
  const batch = [query, key, value].map((t) => t.sizes.slice(0, -2)).reduce((a, b) => broadcastShapes(a, b));
  const shape: HeadShape = {
    L: query.sizes[query.ndim - 2]!,
    S: key.sizes[key.ndim - 2]!,
    E: query.sizes[query.ndim - 1]!,
    V: value.sizes[value.ndim - 1]!,
  };
  if (key.sizes[key.ndim - 1] !== shape.E) {
    throw new OperatorError(
      `mat1 and mat2 shapes cannot be multiplied (${shape.L}x${shape.E} and ${key.sizes[key.ndim - 1]}x${shape.S})`,
    );
  }
  const dtype = computeDtype(query.dtype);
  const spread = (t: Tensor): Tensor => expand(t, [...batch, ...t.sizes.slice(-2)]);
  const q = floatsAs(spread(query), dtype);
  const k = floatsAs(spread(key), dtype);
  const v = floatsAs(spread(value), dtype);
  const heads = numelOf(batch);
  const out = emptyTensor([...batch, shape.L, shape.V], dtype);
  const y = floatsOf(out);
  const scale = o.scale ?? 1 / Math.sqrt(shape.E);
  const masks = o.mask ? additiveMask(o.mask, [...batch, shape.L, shape.S]) : undefined;
  const logsumexp = new Float64Array(heads * shape.L);
  const all = o.wantWeights || o.dropout > 0 ? emptyTensor([...batch, shape.L, shape.S], dtype) : undefined;
  const scores = floatsOf(emptyTensor([shape.L * shape.S], dtype));
  const cells = shape.L * shape.S;
  for (let h = 0; h < heads; h++) {
    const mask = masks
      ? (i: number, j: number): number => masks[h * cells + i * shape.S + j]!
      : o.isCausal
        ? (i: number, j: number): number => (j > i ? -Infinity : 0)
        : undefined;
    headScores(q, h * shape.L * shape.E, k, h * shape.S * shape.E, scores, shape, scale, mask);
    // rows that are excluded as a whole need the careful way
    const isSimple = !o.wantLogsumexp && !(o.safe && masks) && scores instanceof Float32Array;
    if (!isSimple || !wasmSoftmax(scores, 0, scores, 0, shape.L, shape.S))
      logsumexp.set(softmaxRows(scores, shape.L, shape.S, o.safe), h * shape.L);
    if (all) floatsOf(all).set(scores, h * cells);
    if (o.dropout === 0) headValues(scores, v, h * shape.S * shape.V, y, h * shape.L * shape.V, shape);
  }
  let weights = all;
  if (all && o.dropout > 0) {
    weights = callOperator("aten::dropout", [all, o.dropout, true]) as Tensor;
    const w = floatsAs(weights, dtype);
    for (let h = 0; h < heads; h++)
      headValues(w.subarray(h * cells, (h + 1) * cells), v, h * shape.S * shape.V, y, h * shape.L * shape.V, shape);
  }
  return {
    out: convertTensor(out, query.dtype),
    weights: weights && convertTensor(weights, query.dtype),
    logsumexp: fromDoubles(logsumexp, [...batch, shape.L], dtype),
  };
}

function additiveMask(mask: Tensor, sizes: readonly number[]): Float64Array {
  const wide = viewOf(mask, sizes, broadcastStrides(expand(mask, [...sizes]), sizes));
  if (mask.dtype === DTYPES.bool) {
    const bits = maskOf(expand(mask, [...sizes]));
    return Float64Array.from(bits, (b) => (b ? 0 : -Infinity));
  }
  return doublesOf(expand(wide, [...sizes]));
}

/** Whether PyTorch runs its flash kernel on the CPU, whose result lies in memory as the query does. */
function runsFlash(query: Tensor, key: Tensor, value: Tensor, dropout: number): boolean {
  const last = (t: Tensor): number => t.sizes[t.ndim - 1]!;
  return (
    dropout === 0 &&
    [query, key, value].every(
      (t) => t.ndim === 4 && t.strides[3] === 1 && t.sizes[2]! > 0 && t.sizes[0] === query.sizes[0],
    ) &&
    last(query) === last(key) &&
    last(query) === last(value)
  );
}

function laidOutLike(out: Tensor, query: Tensor): Tensor {
  const result = emptyLike(query);
  if (result.strides.join() === out.strides.join()) return out;
  copyInto(result, out);
  return result;
}

/** `t` with its heads (dimension -3) in `groups` groups: one dimension more. */
function groupHeads(t: Tensor, groups: number): Tensor {
  const d = t.ndim - 3;
  if (d < 0) return t;
  const [heads, stride] = [t.sizes[d]!, t.strides[d]!];
  const [some, each] = heads === 1 ? [1, 1] : [groups, heads / groups];
  return viewOf(
    t,
    [...t.sizes.slice(0, d), some, each, ...t.sizes.slice(-2)],
    [...t.strides.slice(0, d), each * stride, stride, ...t.strides.slice(-2)],
  );
}

/** What is added to the scores, in float32 with dense rows; its leading dimensions are those of the mask, if there is one. */
function float32Mask(mask: Tensor | null, L: number, S: number): Tensor {
  if (!mask) {
    const causal = emptyTensor([L, S]);
    const values = floatsOf(causal);
    for (let i = 0; i < L; i++) values.fill(-Infinity, Math.min(i * S + i + 1, (i + 1) * S), (i + 1) * S);
    return causal;
  }
  const wide = expand(mask, [...mask.sizes.slice(0, -2), L, S]);
  if (mask.dtype !== DTYPES.bool) return contiguousAs(wide, DTYPES.float32);
  const bits = maskOf(wide);
  const added = emptyTensor(wide.sizes);
  const values = floatsOf(added);
  for (let i = 0; i < bits.length; i++) if (bits[i] === 0) values[i] = -Infinity;
  return added;
}

/** The result where nothing but it is asked for and the kernels can make it block by block; undefined for the general way. */
function attendBlocks(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  o: Pick<AttentionOptions, "mask" | "dropout" | "isCausal" | "scale" | "gqa">,
): Tensor | undefined {
  const [L, E] = query.sizes.slice(-2) as [number, number];
  const [S, V] = value.sizes.slice(-2) as [number, number];
  const heads = query.sizes[query.ndim - 3];
  const groups = key.sizes[key.ndim - 3];
  const isPlain =
    query.dtype === DTYPES.float32 &&
    o.dropout === 0 &&
    key.sizes[key.ndim - 2] === S &&
    key.sizes[key.ndim - 1] === E &&
    (!o.gqa || (heads !== undefined && value.sizes[value.ndim - 3] === groups && heads % groups! === 0));
  if (!isPlain || query.numel === 0 || value.numel === 0) return undefined;
  const lead = [query, key, value]
    .map((t) => t.sizes.slice(0, o.gqa ? -3 : -2))
    .reduce((a, b) => broadcastShapes(a, b));
  const batch = o.gqa ? [...lead, heads!] : lead;
  const scores = [...batch, L, S];
  const fits = (t: Tensor): boolean =>
    t.ndim >= 2 && t.ndim <= scores.length && t.sizes.every((s, d) => s === 1 || s === scores.at(d - t.ndim));
  // what does not fit is refused by the general way
  if (batch.join() !== query.sizes.slice(0, -2).join() || (o.mask && !fits(o.mask))) return undefined;
  const out = runsFlash(query, key, value, 0) ? emptyLike(query) : uninitializedTensor([...batch, L, V], query.dtype);
  const grouped = (t: Tensor): Tensor => (o.gqa ? groupHeads(t, groups!) : t);
  const target = grouped(out);
  const spread = (t: Tensor): Tensor => expand(grouped(t), [...target.sizes.slice(0, -2), ...t.sizes.slice(-2)]);
  const mask = o.mask || o.isCausal ? spread(float32Mask(o.mask, L, S)) : undefined;
  const scale = o.scale ?? 1 / Math.sqrt(E);
  return wasmAttention(spread(query), spread(key), spread(value), target, scale, mask) ? out : undefined;
}

export const scaled_dot_product_attention = op(
  "aten::scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0., bool is_causal=False, *, float? scale=None, bool enable_gqa=False) -> Tensor",
  (query, key, value, mask, dropout, isCausal, scale, gqa) => {
    checkAttention(query, key, value, mask, isCausal);
    const blocks = attendBlocks(query, key, value, { mask, dropout, isCausal, scale, gqa });
    if (blocks) return blocks;
    const { out } = attend(query, key, value, { mask, dropout, isCausal, scale, gqa, wantWeights: false, safe: true });
    return runsFlash(query, key, value, dropout) ? laidOutLike(out, query) : out;
  },
);
op(
  "aten::_scaled_dot_product_attention_math(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0., bool is_causal=False, Tensor? dropout_mask=None, *, float? scale=None, bool enable_gqa=False) -> (Tensor, Tensor)",
  (query, key, value, mask, dropout, isCausal, _dropoutMask, scale, gqa): [Tensor, Tensor] => {
    const r = attend(query, key, value, { mask, dropout, isCausal, scale, gqa, wantWeights: true, safe: true });
    return [r.out, r.weights!];
  },
);
op(
  "aten::_scaled_dot_product_flash_attention_for_cpu(Tensor query, Tensor key, Tensor value, float dropout_p=0., bool is_causal=False, *, Tensor? attn_mask=None, float? scale=None) -> (Tensor output, Tensor logsumexp)",
  (query, key, value, dropout, isCausal, mask, scale): [Tensor, Tensor] => {
    const r = attend(query, key, value, {
      mask,
      dropout,
      isCausal,
      scale,
      gqa: false,
      wantWeights: false,
      safe: true,
      wantLogsumexp: true,
    });
    return [r.out, r.logsumexp];
  },
);
op(
  "aten::_fused_sdp_choice(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0., bool is_causal=False, *, float? scale=None, bool enable_gqa=False) -> int",
  (_query, _key, _value, _mask, dropout) => (dropout > 0 ? 0 : 1),
);

/** (B, T, D) to (B, heads, T, D / heads). */
function splitHeads(t: Tensor, heads: number): Tensor {
  const [b, n, d] = t.sizes as [number, number, number];
  return transposeView(reshape(t, [b, n, heads, d / heads]), 1, 2);
}

/** Mask of the fused kernels: true excludes. Types: 0 source mask (L, S), 1 padding (B, S), 2 both, already broadcastable. */
function fusedMask(
  mask: Tensor | null,
  maskType: number | null,
  batch: number,
  query: number,
  keys: number,
): Tensor | null {
  if (!mask) return null;
  if (maskType === null) {
    throw new OperatorError("Mask Type should be defined");
  }
  const additive =
    mask.dtype === DTYPES.bool
      ? fromDoubles(
          Float64Array.from(maskOf(mask), (b) => (b ? -Infinity : 0)),
          mask.sizes,
          DTYPES.float64,
        )
      : mask;
  if (maskType === 1 && mask.ndim === 2) return reshapeTensor(additive, [batch, 1, 1, keys]);
  if (maskType === 0 && mask.ndim === 2) return reshapeTensor(additive, [1, 1, query, keys]);
  return additive;
}

function multiHead(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  embed: number,
  heads: number,
  qkvWeight: Tensor,
  qkvBias: Tensor,
  projWeight: Tensor,
  projBias: Tensor,
  mask: Tensor | null,
  needWeights: boolean,
  averageWeights: boolean,
  maskType: number | null,
): [Tensor, Tensor] {
  if (query.ndim !== 3) throw new OperatorError(`expected 3-D \`query\`, got ${query.ndim}-D tensor`);
  if (query.sizes[2] !== embed)
    throw new OperatorError(`passed-in embed_dim ${embed} didn't match last dim of query ${query.sizes[2]}`);
  if (key.ndim !== 3) throw new OperatorError(`expected 3-D \`key\`, got ${key.ndim}-D tensor`);
  if (value.ndim !== 3) throw new OperatorError(`expected 3-D \`value\`, got ${value.ndim}-D tensor`);
  if (qkvWeight.ndim !== 2) throw new OperatorError(`expected 2-D \`qkv_weight\`, got ${qkvWeight.ndim}-D tensor`);
  if (3 * embed !== qkvWeight.sizes[0]) throw new OperatorError("expected `qkv_weight` first dim to be 3x embed_dim");
  if (embed !== qkvWeight.sizes[1]) throw new OperatorError("expected `qkv_weight` second dim to be embed_Dim");
  if (qkvBias.ndim !== 1) throw new OperatorError(`expected 1-D \`qkv_bias\`, got ${qkvBias.ndim}-D tensor`);
  if (embed % heads !== 0) throw new OperatorError("`embed_dim` must divide evenly by `num_heads`");
  const part = (x: Tensor, i: number): Tensor =>
    linear(x, narrowView(qkvWeight, 0, i * embed, embed), narrowView(qkvBias, 0, i * embed, embed));
  const [batch, length] = query.sizes as [number, number];
  const [q, k, v] = [query, key, value].map((x, i) => splitHeads(part(x, i), heads)) as [Tensor, Tensor, Tensor];
  const o = {
    mask: fusedMask(mask, maskType, batch, length, key.sizes[1]!),
    dropout: 0,
    isCausal: false,
    scale: null,
    gqa: false,
  };
  const blocks = needWeights ? undefined : attendBlocks(q, k, v, o);
  const r = blocks
    ? { out: blocks, weights: undefined }
    : attend(q, k, v, { ...o, wantWeights: needWeights, safe: false });
  const joined = reshape(transposeView(r.out, 1, 2), [batch, length, embed]);
  const out = linear(joined, projWeight, projBias);
  if (!needWeights) return [out, emptyTensor([0], query.dtype)];
  return [out, averageWeights ? meanOverHeads(r.weights!) : r.weights!];
}

function meanOverHeads(weights: Tensor): Tensor {
  const [batch, heads, length, keys] = weights.sizes as [number, number, number, number];
  const w = doublesOf(weights);
  const out = new Float64Array(batch * length * keys);
  const plane = length * keys;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < plane; i++)
        out[b * plane + i] = out[b * plane + i]! + w[(b * heads + h) * plane + i]! / heads;
  }
  return fromDoubles(out, [batch, length, keys], weights.dtype);
}

export const _native_multi_head_attention = op(
  "aten::_native_multi_head_attention(Tensor query, Tensor key, Tensor value, int embed_dim, int num_head, Tensor qkv_weight, Tensor qkv_bias, Tensor proj_weight, Tensor proj_bias, Tensor? mask=None, bool need_weights=True, bool average_attn_weights=True, int? mask_type=None) -> (Tensor, Tensor)",
  multiHead,
);

function add(a: Tensor, b: Tensor): Tensor {
  return callOperator("aten::add.Tensor", [a, b, 1]) as Tensor;
}

op(
  "aten::_transformer_encoder_layer_fwd(Tensor src, int embed_dim, int num_heads, Tensor qkv_weight, Tensor qkv_bias, Tensor proj_weight, Tensor proj_bias, bool use_gelu, bool norm_first, float eps, Tensor norm_weight_1, Tensor norm_bias_1, Tensor norm_weight_2, Tensor norm_bias_2, Tensor ffn_weight_1, Tensor ffn_bias_1, Tensor ffn_weight_2, Tensor ffn_bias_2, Tensor? mask=None, int? mask_type=None) -> Tensor",
  (
    src,
    embed,
    heads,
    qkvWeight,
    qkvBias,
    projWeight,
    projBias,
    useGelu,
    normFirst,
    eps,
    nw1,
    nb1,
    nw2,
    nb2,
    fw1,
    fb1,
    fw2,
    fb2,
    mask,
    maskType,
  ) => {
    const norm = (x: Tensor, w: Tensor, b: Tensor): Tensor => layer_norm(x, [embed], w, b, eps, true);
    const attention = (x: Tensor): Tensor =>
      multiHead(x, x, x, embed, heads, qkvWeight, qkvBias, projWeight, projBias, mask, false, true, maskType)[0];
    const feedForward = (x: Tensor): Tensor => {
      const hidden = linear(x, fw1, fb1);
      const active = (
        useGelu ? callOperator("aten::gelu", [hidden, "none"]) : callOperator("aten::relu", [hidden])
      ) as Tensor;
      return linear(active, fw2, fb2);
    };
    const layer = (given: Tensor): Tensor => {
      if (normFirst) {
        const x = add(attention(norm(given, nw1, nb1)), given);
        return add(feedForward(norm(x, nw2, nb2)), x);
      }
      const x = norm(add(attention(given), given), nw1, nb1);
      return norm(add(feedForward(x), x), nw2, nb2);
    };
    if (!src.nested) return layer(src);
    if (mask) throw new OperatorError("NestedTensor with mask is not supported at this time");
    const batchOfOne = (x: Tensor): Tensor => reshape(x, [1, ...x.sizes]);
    return tensorOfComponents(
      src.nested.map((x) => (x.numel === 0 ? x : reshape(layer(batchOfOne(x)), [...x.sizes]))),
      src,
    );
  },
);
