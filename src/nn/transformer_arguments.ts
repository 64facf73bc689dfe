/** @file What the transformer modules take by name: options when they are made, masks when they are called. Upstream: torch/nn/modules/transformer.py. Spec: none. */
import type { Tensor } from "../tensor/tensor.ts";
import type { FactoryOptions } from "./aten.ts";
import type { LayerNorm } from "./normalization.ts";
import type { ActivationLike } from "./transformer_parts.ts";

/** What `MultiheadAttention` takes by name. */
export interface AttentionArguments {
  /** True where a key is left out, or what is added to its scores: (N, S). */
  readonly keyPaddingMask?: Tensor | null;
  /** Whether the weights are returned; true where left out. */
  readonly needWeights?: boolean;
  /** True where a query may not see a key, or what is added to the scores: (L, S) or (N * heads, L, S). */
  readonly attnMask?: Tensor | null;
  /** Whether the weights are the mean over heads; true where left out. */
  readonly averageAttnWeights?: boolean;
  /** Says that `attnMask` is the causal one. */
  readonly isCausal?: boolean;
}

/** What `TransformerEncoderLayer` takes by name. */
export interface EncoderLayerArguments {
  /** Mask of the scores: (S, S). */
  readonly srcMask?: Tensor | null;
  /** Mask of the keys: (N, S). */
  readonly srcKeyPaddingMask?: Tensor | null;
  /** Says that `srcMask` is the causal one. */
  readonly isCausal?: boolean;
}

/** What `TransformerDecoderLayer` takes by name. */
export interface DecoderLayerArguments {
  /** Mask of the scores of the target: (T, T). */
  readonly tgtMask?: Tensor | null;
  /** Mask of the scores of the memory: (T, S). */
  readonly memoryMask?: Tensor | null;
  /** Mask of the target's keys: (N, T). */
  readonly tgtKeyPaddingMask?: Tensor | null;
  /** Mask of the memory's keys: (N, S). */
  readonly memoryKeyPaddingMask?: Tensor | null;
  /** Says that `tgtMask` is the causal one. */
  readonly tgtIsCausal?: boolean;
  /** Says that `memoryMask` is the causal one. */
  readonly memoryIsCausal?: boolean;
}

/** What `TransformerEncoder` takes by name. */
export interface EncoderArguments {
  /** Mask of the scores: (S, S). */
  readonly mask?: Tensor | null;
  /** Mask of the keys: (N, S). */
  readonly srcKeyPaddingMask?: Tensor | null;
  /** Says that `mask` is the causal one; found out where null. */
  readonly isCausal?: boolean | null;
}

/** What `TransformerDecoder` takes by name. */
export interface DecoderArguments {
  /** Mask of the scores of the target: (T, T). */
  readonly tgtMask?: Tensor | null;
  /** Mask of the scores of the memory: (T, S). */
  readonly memoryMask?: Tensor | null;
  /** Mask of the target's keys: (N, T). */
  readonly tgtKeyPaddingMask?: Tensor | null;
  /** Mask of the memory's keys: (N, S). */
  readonly memoryKeyPaddingMask?: Tensor | null;
  /** Says that `tgtMask` is the causal one. */
  readonly tgtIsCausal?: boolean | null;
  /** Says that `memoryMask` is the causal one. */
  readonly memoryIsCausal?: boolean;
}

/** What `Transformer` takes by name. */
export interface TransformerArguments {
  /** Mask of the scores of the source: (S, S). */
  readonly srcMask?: Tensor | null;
  /** Mask of the scores of the target: (T, T). */
  readonly tgtMask?: Tensor | null;
  /** Mask of the scores of the memory: (T, S). */
  readonly memoryMask?: Tensor | null;
  /** Mask of the source's keys: (N, S). */
  readonly srcKeyPaddingMask?: Tensor | null;
  /** Mask of the target's keys: (N, T). */
  readonly tgtKeyPaddingMask?: Tensor | null;
  /** Mask of the memory's keys: (N, S). */
  readonly memoryKeyPaddingMask?: Tensor | null;
  /** Says that `srcMask` is the causal one. */
  readonly srcIsCausal?: boolean | null;
  /** Says that `tgtMask` is the causal one. */
  readonly tgtIsCausal?: boolean | null;
  /** Says that `memoryMask` is the causal one. */
  readonly memoryIsCausal?: boolean;
}

/** Options of MultiheadAttention. */
export interface MultiheadAttentionOptions extends FactoryOptions {
  /** Probability of zeroing an element in training, or the layer that does it. */
  readonly dropout?: number;
  /** Values that are added, one for each output; null or false without. */
  readonly bias?: boolean;
  /** Add a learned key and value at the end of the sequence. */
  readonly addBiasKv?: boolean;
  /** Add a zero key and value at the end of the sequence. */
  readonly addZeroAttn?: boolean;
  /** Features of keys, where not `embedDim`. */
  readonly kdim?: number | null;
  /** Features of values, where not `embedDim`. */
  readonly vdim?: number | null;
  /** Whether inputs are (N, L, E) instead of (L, N, E). */
  readonly batchFirst?: boolean;
}

/** Options of the transformer layers. */
export interface TransformerLayerOptions extends FactoryOptions {
  /** Size of the hidden features of the feed-forward part. */
  readonly dimFeedforward?: number;
  /** Probability of zeroing an element in training, or the layer that does it. */
  readonly dropout?: number;
  /** The function between the two linear layers. */
  readonly activation?: ActivationLike;
  /** Added to the variance in normalization. */
  readonly layerNormEps?: number;
  /** The batch is dimension 0 instead of 1. */
  readonly batchFirst?: boolean;
  /** Whether inputs are normalised before attention and feed-forward instead of after. */
  readonly normFirst?: boolean;
  /** Values that are added, one for each output; null or false without. */
  readonly bias?: boolean;
}

/** Options of TransformerEncoder. They decide what scripts of it do in PyTorch; nothing here is nested. */
export interface TransformerEncoderOptions {
  /** The normalization at the end; none where left out. */
  readonly norm?: LayerNorm | null;
  /** Taken as in PyTorch; nothing depends on it here. */
  readonly enableNestedTensor?: boolean;
  /** Taken as in PyTorch; nothing depends on it here. */
  readonly maskCheck?: boolean;
}
