/** @file Functional attention. Upstream: torch/nn/functional.py `multi_head_attention_forward`. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { emitWarning } from "../base/sinks.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { aten, atenMany, float } from "./aten.ts";

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
  const size = q.sizes.at(-1)!;
  const project = (x: Tensor, weight: Tensor, bias: Tensor | null): Tensor => aten("linear", x, weight, bias);
  const separate = (x: Tensor, count: number): Tensor => {
    const parts = aten("unsqueeze", aten("unflatten", x, -1, [count, size]), 0);
    return aten("contiguous", aten("squeeze", aten("transpose", parts, 0, -2), -2));
  };
  const at = (x: Tensor, index: number): Tensor => aten("select", x, 0, index);
  if (k === v) {
    if (q === k) {
      const all = separate(project(q, w, b), 3);
      return [at(all, 0), at(all, 1), at(all, 2)];
    }
    const [wq, wkv] = atenMany("split_with_sizes", w, [size, size * 2]) as [Tensor, Tensor];
    const [bq, bkv] = b ? (atenMany("split_with_sizes", b, [size, size * 2]) as [Tensor, Tensor]) : [null, null];
    const query = project(q, wq, bq);
    const both = separate(project(k, wkv, bkv), 2);
    return [query, at(both, 0), at(both, 1)];
  }
  const [wq, wk, wv] = atenMany("chunk", w, 3) as [Tensor, Tensor, Tensor];
  const [bq, bk, bv] = b ? (atenMany("chunk", b, 3) as [Tensor, Tensor, Tensor]) : [null, null, null];
  return [project(q, wq, bq), project(k, wk, bk), project(v, wv, bv)];
}

/** Attention of several heads over (length, batch, features), or without a batch. The weights are null where not needed. */
export function multi_head_attention_forward(
  queryIn: Tensor,
  keyIn: Tensor,
  valueIn: Tensor,
  a: MultiHeadAttentionArguments,
): [output: Tensor, weights: Tensor | null] {
  const { numHeads: heads, needWeights = true, averageAttnWeights = true } = a;
  let { keyPaddingMask: padding = null, attnMask: mask = null, isCausal = false } = a;
  const batched = checkShapes(queryIn, keyIn, valueIn, padding, mask, heads);
  const lift = new Map<Tensor, Tensor>();
  // the same tensor stays the same tensor: projections are shared by identity
  const withBatch = (x: Tensor): Tensor => {
    if (batched) return x;
    const lifted = lift.get(x) ?? aten("unsqueeze", x, 1);
    lift.set(x, lifted);
    return lifted;
  };
  const [query, key, value] = [withBatch(queryIn), withBatch(keyIn), withBatch(valueIn)];
  if (!batched && padding) padding = aten("unsqueeze", padding, 0);
  const [length, batch, embed] = query.sizes as [number, number, number];
  padding = canonicalMask(padding, "key_padding_mask", query.dtype, { dtype: mask?.dtype, name: "attn_mask" });
  if (isCausal && !mask) {
    throw new OperatorError(
      "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method `generate_square_subsequent_mask` to create this mask.",
    );
  }
  if (isCausal && !padding && !needWeights) mask = null;
  else {
    mask = canonicalMask(mask, "attn_mask", query.dtype, null);
    if (padding) isCausal = false;
  }
  if (embed !== a.embedDim)
    throw new OperatorError(`was expecting embedding dimension of ${a.embedDim}, but got ${embed}`);
  const head = Math.floor(embed / heads);
  if (head * heads !== embed) throw new OperatorError(`embed_dim ${embed} not divisible by num_heads ${heads}`);
  const shape = (sizes: readonly number[]): string => `torch.Size([${sizes.join(", ")}])`;
  let q: Tensor;
  let k: Tensor;
  let v: Tensor;
  if (a.separateWeights) {
    if (key.sizes[0] !== value.sizes[0] || key.sizes[1] !== value.sizes[1]) {
      throw new OperatorError(
        `key's sequence and batch dims ${shape(key.sizes.slice(0, 2))} do not match value's ${shape(value.sizes.slice(0, 2))}`,
      );
    }
    const biases = a.inProjBias ? atenMany("chunk", a.inProjBias, 3) : [null, null, null];
    [q, k, v] = [query, key, value].map((x, i) => aten("linear", x, a.separateWeights![i], biases[i])) as [
      Tensor,
      Tensor,
      Tensor,
    ];
  } else {
    if (shape(key.sizes) !== shape(value.sizes))
      throw new OperatorError(`key shape ${shape(key.sizes)} does not match value shape ${shape(value.sizes)}`);
    if (!a.inProjWeight) throw new OperatorError("use_separate_proj_weight is False but in_proj_weight is None");
    [q, k, v] = projectPacked(query, key, value, a.inProjWeight, a.inProjBias);
  }
  if (mask) {
    if (mask.ndim === 2) {
      if (mask.sizes[0] !== length || mask.sizes[1] !== key.sizes[0]) {
        throw new OperatorError(
          `The shape of the 2D attn_mask is ${shape(mask.sizes)}, but should be (${length}, ${key.sizes[0]}).`,
        );
      }
      mask = aten("unsqueeze", mask, 0);
    } else if (mask.sizes[0] !== batch * heads || mask.sizes[1] !== length || mask.sizes[2] !== key.sizes[0]) {
      throw new OperatorError(
        `The shape of the 3D attn_mask is ${shape(mask.sizes)}, but should be (${batch * heads}, ${length}, ${key.sizes[0]}).`,
      );
    }
  }
  const widen = (count: number): void => {
    if (mask) mask = aten("pad", mask, [0, count]);
    if (padding) padding = aten("pad", padding, [0, count]);
  };
  if (a.biasK && a.biasV) {
    k = aten("cat", [k, aten("repeat", a.biasK, [1, batch, 1])]);
    v = aten("cat", [v, aten("repeat", a.biasV, [1, batch, 1])]);
    widen(1);
  }
  const split = (x: Tensor): Tensor => aten("transpose", aten("view", x, [x.sizes[0]!, batch * heads, head]), 0, 1);
  q = split(q);
  k = split(k);
  v = split(v);
  if (a.addZeroAttn) {
    const zero = (like: Tensor): Tensor => aten("zeros", [batch * heads, 1, head], { dtype: like.dtype });
    k = aten("cat", [k, zero(k)], 1);
    v = aten("cat", [v, zero(v)], 1);
    widen(1);
  }
  const source = k.sizes[1]!;
  if (padding) {
    if (padding.sizes[0] !== batch)
      throw new OperatorError(`Expected key_padded_mask.shape[0] to be ${batch}, but got ${padding.sizes[0]}`);
    if (padding.sizes[1] !== source)
      throw new OperatorError(`Expected key_padded_mask.shape[1] to be ${source}, but got ${padding.sizes[1]}`);
    const wide = aten("expand", aten("view", padding, [batch, 1, 1, source]), [-1, heads, -1, -1]);
    padding = aten("reshape", wide, [batch * heads, 1, source]);
    mask = mask ? aten("add", mask, padding) : padding;
  }
  const dropoutP = a.training ? a.dropoutP : 0;
  const finish = (rows: Tensor): Tensor => {
    const projected = aten("linear", rows, a.outProjWeight, a.outProjBias);
    const output = aten("view", projected, [length, batch, projected.sizes[1]!]);
    return batched ? output : aten("squeeze", output, 1);
  };
  if (!needWeights) {
    if (mask)
      mask =
        mask.sizes[0] === 1 && mask.ndim === 3
          ? aten("unsqueeze", mask, 0)
          : aten("view", mask, [batch, heads, -1, source]);
    const byHead = (x: Tensor, n: number): Tensor => aten("view", x, [batch, heads, n, head]);
    const mixed = scaled_dot_product_attention(byHead(q, length), byHead(k, source), byHead(v, source), {
      attnMask: mask,
      dropoutP,
      isCausal,
    });
    return [finish(aten("reshape", aten("permute", mixed, [2, 0, 1, 3]), [batch * length, embed])), null];
  }
  const scaled = aten("mul", q, Math.sqrt(1 / head));
  const turned = aten("transpose", k, -2, -1);
  let weights = aten("softmax", mask ? aten("baddbmm", mask, scaled, turned) : aten("bmm", scaled, turned), -1, null);
  if (dropoutP > 0) weights = aten("dropout", weights, dropoutP, true);
  const output = finish(aten("reshape", aten("transpose", aten("bmm", weights, v), 0, 1), [length * batch, embed]));
  weights = aten("view", weights, [batch, heads, length, source]);
  if (averageAttnWeights) weights = aten("mean", weights, [1]);
  return [output, batched ? weights : aten("squeeze", weights, 0)];
}
