/** @file Functional attention. Upstream: torch/nn/functional.py `multi_head_attention_forward`. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { emitWarning } from "../base/sinks.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { aten, atenMany, float } from "./aten.ts";
import { dropout, softmax } from "./functional_activation.ts";
import { pad } from "./functional_vision.ts";
import {
  dimDiffers,
  dimEquals,
  dimNumber,
  multiplyDims,
  sizeOf,
  sizesEqual,
  sizesOf,
  truncateDims,
  type Dim,
} from "./sizes.ts";

/** Options of `scaled_dot_product_attention`. */
export interface AttentionOptions {
  /** Which positions may be attended to, or what is added to their scores. */
  readonly attnMask?: Tensor | null;
  /** Probability of zeroing an attention weight. */
  readonly dropoutP?: number;
  /** Positions see only those before them. */
  readonly isCausal?: boolean;
  /** 1/sqrt(head size) where left out. */
  readonly scale?: number | null;
  /** Let several query heads share a key and value head. */
  readonly enableGqa?: boolean;
}

/** softmax(query @ key.T * scale) @ value. */
export function scaled_dot_product_attention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: AttentionOptions = {},
): Tensor {
  const { attnMask = null, dropoutP = 0, isCausal = false, scale = null, enableGqa = false } = options;
  return aten("scaled_dot_product_attention", query, key, value, attnMask, dropoutP, isCausal, {
    scale,
    enable_gqa: enableGqa,
  });
}

/** A mask as numbers to add: minus infinity where a boolean mask is true. */
export function canonicalMask(
  mask: Tensor | null,
  name: string,
  target: DType,
  other: { readonly dtype: DType | undefined; readonly name: string } | null,
): Tensor | null {
  if (!mask) return null;
  const isFloat = mask.dtype.category === "float";
  if (!isFloat && mask.dtype.category !== "bool")
    throw new OperatorError(`only bool and floating types of ${name} are supported`);
  if (other?.dtype && other.dtype !== mask.dtype) {
    emitWarning(`Support for mismatched ${name} and ${other.name} is deprecated. Use same type for both instead.`);
  }
  return isFloat ? mask : aten("masked_fill_", aten("zeros_like", mask, { dtype: target }), mask, float(-Infinity));
}

/** Everything that `multi_head_attention_forward` takes besides query, key and value. */
export interface MultiHeadAttentionArguments {
  /** Size of the features. */
  readonly embedDim: number;
  /** Number of attention heads. */
  readonly numHeads: number;
  /** One weight for query, key and value, or three. */
  readonly inProjWeight: Tensor | null;
  /** Query, key and value have matrices of their own. */
  readonly separateWeights?: readonly [query: Tensor, key: Tensor, value: Tensor] | null;
  /** Bias of the projections of query, key and value. */
  readonly inProjBias: Tensor | null;
  /** A learned key at the end of the sequence. */
  readonly biasK: Tensor | null;
  /** A learned value at the end of the sequence. */
  readonly biasV: Tensor | null;
  /** Add a zero key and value at the end of the sequence. */
  readonly addZeroAttn: boolean;
  /** Probability of zeroing an attention weight. */
  readonly dropoutP: number;
  /** The projection at the end. */
  readonly outProjWeight: Tensor;
  /** Bias of the projection at the end. */
  readonly outProjBias: Tensor | null;
  /** Behave as in training. */
  readonly training: boolean;
  /** Which keys are padding and do not count. */
  readonly keyPaddingMask?: Tensor | null;
  /** Give the attention weights too. */
  readonly needWeights?: boolean;
  /** Which positions may be attended to, or what is added to their scores. */
  readonly attnMask?: Tensor | null;
  /** Give the mean over the heads instead of weights for each. */
  readonly averageAttnWeights?: boolean;
  /** Positions see only those before them. */
  readonly isCausal?: boolean;
}

function checkShapes(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  padding: Tensor | null,
  mask: Tensor | null,
  heads: number,
): boolean {
  const ndim = query.ndim;
  if (ndim !== 3 && ndim !== 2)
    throw new OperatorError(`query should be unbatched 2D or batched 3D tensor but received ${ndim}-D query tensor`);
  const kind = ndim === 3 ? "batched (3-D)" : "unbatched (2-D)";
  if (key.ndim !== ndim || value.ndim !== ndim) {
    throw new OperatorError(
      `For ${kind} \`query\`, expected \`key\` and \`value\` to be ${ndim}-D but found ${key.ndim}-D and ${value.ndim}-D tensors respectively`,
    );
  }
  if (padding && padding.ndim !== ndim - 1) {
    throw new OperatorError(
      `For ${kind} \`query\`, expected \`key_padding_mask\` to be \`None\` or ${ndim - 1}-D but found ${padding.ndim}-D tensor instead`,
    );
  }
  if (mask && mask.ndim !== 2 && mask.ndim !== 3) {
    throw new OperatorError(
      `For ${kind} \`query\`, expected \`attn_mask\` to be \`None\`, 2-D or 3-D but found ${mask.ndim}-D tensor instead`,
    );
  }
  if (ndim === 2 && mask?.ndim === 3) {
    const expected = [heads, query.sizes[0]!, key.sizes[0]!];
    if (mask.sizes.join() !== expected.join())
      throw new OperatorError(
        `Expected \`attn_mask\` shape to be (${expected.join(", ")}) but got torch.Size([${mask.sizes.join(", ")}])`,
      );
  }
  return ndim === 3;
}

/** Projects query, key and value with one packed weight; shared inputs are projected together. */
function projectPacked(q: Tensor, k: Tensor, v: Tensor, w: Tensor, b: Tensor | null): [Tensor, Tensor, Tensor] {
  const E = sizeOf(q, -1);
  const separate = (x: Tensor, count: number): Tensor =>
    aten(
      "contiguous",
      aten("squeeze", aten("transpose", aten("unsqueeze", aten("unflatten", x, -1, [count, E]), 0), 0, -2), -2),
    );
  if (k === v) {
    if (q === k) {
      let proj = aten("linear", q, w, b);
      proj = separate(proj, 3);
      return [aten("select", proj, 0, 0), aten("select", proj, 0, 1), aten("select", proj, 0, 2)];
    }
    const [wQ, wKv] = atenMany("split_with_sizes", w, [E, multiplyDims(E, 2)]) as [Tensor, Tensor];
    const [bQ, bKv] = b ? (atenMany("split_with_sizes", b, [E, multiplyDims(E, 2)]) as [Tensor, Tensor]) : [null, null];
    const qProj = aten("linear", q, wQ, bQ);
    let kvProj = aten("linear", k, wKv, bKv);
    kvProj = separate(kvProj, 2);
    return [qProj, aten("select", kvProj, 0, 0), aten("select", kvProj, 0, 1)];
  }
  const [wQ, wK, wV] = atenMany("chunk", w, 3) as [Tensor, Tensor, Tensor];
  const [bQ, bK, bV] = b ? (atenMany("chunk", b, 3) as [Tensor, Tensor, Tensor]) : [null, null, null];
  return [aten("linear", q, wQ, bQ), aten("linear", k, wK, bK), aten("linear", v, wV, bV)];
}

type Projections = readonly [query: Tensor, key: Tensor, value: Tensor];

/** Projects query, key and value with a weight each. */
function projectSeparately(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  weights: Projections,
  biases: readonly (Tensor | null)[],
): [Tensor, Tensor, Tensor] {
  const [wQ, wK, wV] = weights;
  const [bQ, bK, bV] = biases as [Tensor | null, Tensor | null, Tensor | null];
  const Eq = sizeOf(q, -1);
  const Ek = sizeOf(k, -1);
  const Ev = sizeOf(v, -1);
  const want = (what: string, weight: Tensor, expected: readonly Dim[], fits: boolean): void => {
    if (fits) return;
    throw new OperatorError(
      `expecting ${what} shape of (${expected.map(dimNumber).join(", ")}), but got torch.Size([${weight.sizes.join(", ")}])`,
    );
  };
  want("query weights", wQ, [Eq, Eq], sizesEqual(sizesOf(wQ), [Eq, Eq]));
  want("key weights", wK, [Eq, Ek], sizesEqual(sizesOf(wK), [Eq, Ek]));
  want("value weights", wV, [Eq, Ev], sizesEqual(sizesOf(wV), [Eq, Ev]));
  if (bQ) want("query bias", bQ, [Eq], sizesEqual(sizesOf(bQ), [Eq]));
  if (bK) want("key bias", bK, [Eq], sizesEqual(sizesOf(bK), [Eq]));
  if (bV) want("value bias", bV, [Eq], sizesEqual(sizesOf(bV), [Eq]));
  return [aten("linear", q, wQ, bQ), aten("linear", k, wK, bK), aten("linear", v, wV, bV)];
}

const shapeText = (tensor: Tensor): string => `torch.Size([${tensor.sizes.join(", ")}])`;

/** A mask of two or three dimensions as one of three. */
function checkMask(attnMask: Tensor, tgtLen: Dim, srcLen: Dim, bsz: Dim, heads: number): Tensor {
  const isFlat = attnMask.ndim === 2;
  const expected = isFlat ? [tgtLen, srcLen] : [multiplyDims(bsz, heads), tgtLen, srcLen];
  if (!sizesEqual(sizesOf(attnMask), expected)) {
    throw new OperatorError(
      `The shape of the ${attnMask.ndim}D attn_mask is ${shapeText(attnMask)}, but should be (${expected.map(dimNumber).join(", ")}).`,
    );
  }
  return isFlat ? aten("unsqueeze", attnMask, 0) : attnMask;
}

/** Attention of several heads over (length, batch, features), or without a batch. The weights are null where not needed. */
export function multi_head_attention_forward(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  a: MultiHeadAttentionArguments,
): [output: Tensor, weights: Tensor | null] {
  const { numHeads, needWeights = true, averageAttnWeights = true, inProjWeight, inProjBias, biasK, biasV } = a;
  const { outProjWeight, outProjBias } = a;
  let { keyPaddingMask = null, attnMask = null, isCausal = false } = a;
  const isBatched = checkShapes(query, key, value, keyPaddingMask, attnMask, numHeads);
  if (!isBatched) {
    // the same tensor stays the same tensor: projections are shared by identity
    const [isOne, isKeyValue] = [query === key && key === value, key === value];
    query = aten("unsqueeze", query, 1);
    key = isOne ? query : aten("unsqueeze", key, 1);
    value = isKeyValue ? key : aten("unsqueeze", value, 1);
    if (keyPaddingMask) keyPaddingMask = aten("unsqueeze", keyPaddingMask, 0);
  }
  const [tgtLen, bsz, embedDim] = sizesOf(query) as [Dim, Dim, Dim];
  let srcLen = sizesOf(key)[0]!;
  keyPaddingMask = canonicalMask(keyPaddingMask, "key_padding_mask", query.dtype, {
    dtype: attnMask?.dtype,
    name: "attn_mask",
  });
  if (isCausal && !attnMask) {
    throw new OperatorError(
      "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method `generate_square_subsequent_mask` to create this mask.",
    );
  }
  if (isCausal && !keyPaddingMask && !needWeights) attnMask = null;
  else {
    attnMask = canonicalMask(attnMask, "attn_mask", query.dtype, null);
    if (keyPaddingMask) isCausal = false;
  }
  if (dimDiffers(embedDim, a.embedDim))
    throw new OperatorError(`was expecting embedding dimension of ${a.embedDim}, but got ${dimNumber(embedDim)}`);
  const headDim = truncateDims(embedDim, numHeads);
  if (dimDiffers(multiplyDims(headDim, numHeads), embedDim))
    throw new OperatorError(`embed_dim ${dimNumber(embedDim)} not divisible by num_heads ${numHeads}`);
  let q: Tensor;
  let k: Tensor;
  let v: Tensor;
  if (a.separateWeights) {
    if (!sizesEqual(sizesOf(key).slice(0, 2), sizesOf(value).slice(0, 2))) {
      const two = (x: Tensor): string => `torch.Size([${x.sizes.slice(0, 2).join(", ")}])`;
      throw new OperatorError(`key's sequence and batch dims ${two(key)} do not match value's ${two(value)}`);
    }
    const biases = inProjBias ? atenMany("chunk", inProjBias, 3) : [null, null, null];
    [q, k, v] = projectSeparately(query, key, value, a.separateWeights, biases);
  } else {
    if (!sizesEqual(sizesOf(key), sizesOf(value)))
      throw new OperatorError(`key shape ${shapeText(key)} does not match value shape ${shapeText(value)}`);
    if (!inProjWeight) throw new OperatorError("use_separate_proj_weight is False but in_proj_weight is None");
    [q, k, v] = projectPacked(query, key, value, inProjWeight, inProjBias);
  }
  if (attnMask) attnMask = checkMask(attnMask, tgtLen, srcLen, bsz, numHeads);
  if (biasK && biasV) {
    k = aten("cat", [k, aten("repeat", biasK, [1, bsz, 1])]);
    v = aten("cat", [v, aten("repeat", biasV, [1, bsz, 1])]);
    if (attnMask) attnMask = pad(attnMask, [0, 1]);
    if (keyPaddingMask) keyPaddingMask = pad(keyPaddingMask, [0, 1]);
  }
  q = aten("transpose", aten("view", q, [tgtLen, multiplyDims(bsz, numHeads), headDim]), 0, 1);
  k = aten("transpose", aten("view", k, [sizesOf(k)[0]!, multiplyDims(bsz, numHeads), headDim]), 0, 1);
  v = aten("transpose", aten("view", v, [sizesOf(v)[0]!, multiplyDims(bsz, numHeads), headDim]), 0, 1);
  if (a.addZeroAttn) {
    const shape = [multiplyDims(bsz, numHeads), 1, headDim];
    k = aten("cat", [k, aten("zeros", shape, { dtype: k.dtype })], 1);
    v = aten("cat", [v, aten("zeros", shape, { dtype: v.dtype })], 1);
    if (attnMask) attnMask = pad(attnMask, [0, 1]);
    if (keyPaddingMask) keyPaddingMask = pad(keyPaddingMask, [0, 1]);
  }
  srcLen = sizeOf(k, 1);
  if (keyPaddingMask) {
    checkPadding(keyPaddingMask, dimNumber(srcLen), dimNumber(bsz));
    const wide = aten("expand", aten("view", keyPaddingMask, [bsz, 1, 1, srcLen]), [-1, numHeads, -1, -1]);
    keyPaddingMask = aten("reshape", wide, [multiplyDims(bsz, numHeads), 1, srcLen]);
    attnMask = attnMask ? aten("add", attnMask, keyPaddingMask) : keyPaddingMask;
  }
  const dropoutP = a.training ? a.dropoutP : 0;
  if (needWeights) {
    const E = sizesOf(q)[2]!;
    const qScaled = aten("mul", q, Math.sqrt(1 / dimNumber(E)));
    let attnOutputWeights = attnMask
      ? aten("baddbmm", attnMask, qScaled, aten("transpose", k, -2, -1))
      : aten("bmm", qScaled, aten("transpose", k, -2, -1));
    attnOutputWeights = softmax(attnOutputWeights, -1);
    if (dropoutP > 0) attnOutputWeights = dropout(attnOutputWeights, dropoutP);
    let attnOutput = aten("bmm", attnOutputWeights, v);
    attnOutput = aten("reshape", aten("transpose", attnOutput, 0, 1), [multiplyDims(tgtLen, bsz), embedDim]);
    attnOutput = aten("linear", attnOutput, outProjWeight, outProjBias);
    attnOutput = aten("view", attnOutput, [tgtLen, bsz, sizeOf(attnOutput, 1)]);
    attnOutputWeights = aten("view", attnOutputWeights, [bsz, numHeads, tgtLen, srcLen]);
    if (averageAttnWeights) attnOutputWeights = aten("mean", attnOutputWeights, [1]);
    if (!isBatched) {
      attnOutput = aten("squeeze", attnOutput, 1);
      attnOutputWeights = aten("squeeze", attnOutputWeights, 0);
    }
    return [attnOutput, attnOutputWeights];
  }
  if (attnMask) {
    attnMask =
      dimEquals(sizeOf(attnMask, 0), 1) && attnMask.ndim === 3
        ? aten("unsqueeze", attnMask, 0)
        : aten("view", attnMask, [bsz, numHeads, -1, srcLen]);
  }
  q = aten("view", q, [bsz, numHeads, tgtLen, headDim]);
  k = aten("view", k, [bsz, numHeads, srcLen, headDim]);
  v = aten("view", v, [bsz, numHeads, srcLen, headDim]);
  let attnOutput = scaled_dot_product_attention(q, k, v, { attnMask, dropoutP, isCausal });
  attnOutput = aten("reshape", aten("permute", attnOutput, [2, 0, 1, 3]), [multiplyDims(bsz, tgtLen), embedDim]);
  attnOutput = aten("linear", attnOutput, outProjWeight, outProjBias);
  attnOutput = aten("view", attnOutput, [tgtLen, bsz, sizeOf(attnOutput, 1)]);
  return [isBatched ? attnOutput : aten("squeeze", attnOutput, 1), null];
}

function checkPadding(padding: Tensor, source: number, batch: number): void {
  if (padding.sizes[0] !== batch)
    throw new OperatorError(`Expected key_padded_mask.shape[0] to be ${batch}, but got ${padding.sizes[0]}`);
  if (padding.sizes[1] !== source)
    throw new OperatorError(`Expected key_padded_mask.shape[1] to be ${source}, but got ${padding.sizes[1]}`);
}
