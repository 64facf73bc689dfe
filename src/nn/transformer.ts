/** @file Attention and transformers. Upstream: torch/nn/modules/activation.py MultiheadAttention, torch/nn/modules/transformer.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { emitWarning } from "../base/sinks.ts";
import { isGradEnabled } from "../core/grad_mode.ts";
import { toNumbers } from "../tensor/data.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { GELU, ReLU } from "./activation.ts";
import { aten, emptyParameter, float } from "./aten.ts";
import { ModuleList } from "./containers.ts";
import { Dropout } from "./dropout.ts";
import { gelu, relu } from "./functional_activation.ts";
import { canonicalMask, multi_head_attention_forward } from "./functional_attention.ts";
import { constant_, xavier_normal_, xavier_uniform_ } from "./init.ts";
import { Linear, NonDynamicallyQuantizableLinear } from "./linear.ts";
import { activationOf, clones } from "./transformer_parts.ts";
import type {
  AttentionArguments,
  DecoderArguments,
  DecoderLayerArguments,
  EncoderArguments,
  EncoderLayerArguments,
  MultiheadAttentionOptions,
  TransformerArguments,
  TransformerEncoderOptions,
  TransformerLayerOptions,
} from "./transformer_arguments.ts";
import type { NAMED_CALL } from "./keywords.ts";
import { Module } from "./module.ts";
import { dimDiffers, dimNumber, sizeOf, sizesOf, type Dim } from "./sizes.ts";
import { LayerNorm } from "./normalization.ts";
import type { Parameter } from "./parameter.ts";
import type { ModuleScript } from "./module_script.ts";
import {
  ATTENTION_SCRIPT,
  DECODER_LAYER_SCRIPT,
  DECODER_SCRIPT,
  ENCODER_LAYER_SCRIPT,
  ENCODER_SCRIPT,
  TRANSFORMER_SCRIPT,
} from "./scripts/transformer_modules.ts";

/** Attention of several heads. */
export class MultiheadAttention extends Module {
  static readonly torchscript: ModuleScript = ATTENTION_SCRIPT;
  /** See NAMED_CALL. @internal */
  declare readonly [NAMED_CALL]: [query: Tensor, key: Tensor, value: Tensor, named: AttentionArguments];
  /** Size of the features. */
  readonly embed_dim: number;
  /** Size of the keys' features. */
  readonly kdim: number;
  /** Size of the values' features. */
  readonly vdim: number;
  /** Whether query, key and value have the same size, so that one matrix projects all. */
  readonly _qkv_same_embed_dim: boolean;
  /** Number of attention heads. */
  readonly num_heads: number;
  /** Probability of zeroing an element in training, or the layer that does it. */
  readonly dropout: number;
  /** Whether the batch is dimension 0 instead of 1. */
  readonly batch_first: boolean;
  /** Size of the features of a head. */
  readonly head_dim: number;
  /** The projections of query, key and value as one matrix; null where they are apart. */
  declare in_proj_weight: Parameter | null;
  /** The projection of queries; null where one matrix holds all. */
  declare q_proj_weight: Parameter | null;
  /** The projection of keys; null where one matrix holds all. */
  declare k_proj_weight: Parameter | null;
  /** The projection of values; null where one matrix holds all. */
  declare v_proj_weight: Parameter | null;
  /** Bias of the projections of query, key and value; null without. */
  declare in_proj_bias: Parameter | null;
  /** The projection at the end. */
  declare out_proj: NonDynamicallyQuantizableLinear;
  /** A learned key at the end of the sequence; null without. */
  declare bias_k: Parameter | null;
  /** A learned value at the end of the sequence; null without. */
  declare bias_v: Parameter | null;
  /** Whether a zero key and value are added. */
  declare readonly add_zero_attn: boolean;

  constructor(embedDim: number, numHeads: number, options: MultiheadAttentionOptions = {}) {
    if (embedDim <= 0 || numHeads <= 0) {
      throw new OperatorError(
        `embed_dim and num_heads must be greater than 0, got embed_dim=${embedDim} and num_heads=${numHeads} instead`,
      );
    }
    super();
    const { bias = true } = options;
    this.embed_dim = embedDim;
    this.kdim = options.kdim ?? embedDim;
    this.vdim = options.vdim ?? embedDim;
    this._qkv_same_embed_dim = this.kdim === embedDim && this.vdim === embedDim;
    this.num_heads = numHeads;
    this.dropout = options.dropout ?? 0;
    this.batch_first = options.batchFirst ?? false;
    this.head_dim = Math.floor(embedDim / numHeads);
    if (this.head_dim * numHeads !== embedDim) throw new OperatorError("embed_dim must be divisible by num_heads");
    const separate = (features: number): Parameter | null =>
      this._qkv_same_embed_dim ? null : emptyParameter([embedDim, features], options);
    const packed = this._qkv_same_embed_dim ? emptyParameter([3 * embedDim, embedDim], options) : null;
    if (packed) this.registerParameter("in_proj_weight", packed);
    this.registerParameter("q_proj_weight", separate(embedDim));
    this.registerParameter("k_proj_weight", separate(this.kdim));
    this.registerParameter("v_proj_weight", separate(this.vdim));
    if (!packed) this.registerParameter("in_proj_weight", null);
    this.registerParameter("in_proj_bias", bias ? emptyParameter([3 * embedDim], options) : null);
    this.out_proj = new NonDynamicallyQuantizableLinear(embedDim, embedDim, { ...options, bias });
    this.bias_k = options.addBiasKv ? emptyParameter([1, 1, embedDim], options) : null;
    this.bias_v = options.addBiasKv ? emptyParameter([1, 1, embedDim], options) : null;
    this.add_zero_attn = options.addZeroAttn ?? false;
    this.resetParameters();
  }

  /** Draws the default initial values. */
  resetParameters(): void {
    for (const weight of [this.in_proj_weight, this.q_proj_weight, this.k_proj_weight, this.v_proj_weight])
      if (weight) xavier_uniform_(weight);
    if (this.in_proj_bias) {
      constant_(this.in_proj_bias, 0);
      constant_(this.out_proj.bias!, 0);
    }
    if (this.bias_k) xavier_normal_(this.bias_k);
    if (this.bias_v) xavier_normal_(this.bias_v);
  }

  /** The attended values and, where `needWeights`, the attention weights (their mean over heads, or each). */
  forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    keyPaddingMask: Tensor | null = null,
    needWeights = true,
    attnMask: Tensor | null = null,
    averageAttnWeights = true,
    isCausal = false,
  ): [output: Tensor, weights: Tensor | null] {
    const isBatched = query.ndim === 3;
    keyPaddingMask = canonicalMask(keyPaddingMask, "key_padding_mask", query.dtype, {
      dtype: attnMask?.dtype,
      name: "attn_mask",
    });
    attnMask = canonicalMask(attnMask, "attn_mask", query.dtype, null);
    const isTurned = this.batch_first && isBatched;
    if (isTurned) {
      const [isOne, isKeyValue] = [query === key && key === value, key === value];
      const turn = (x: Tensor): Tensor => aten("transpose", x, 1, 0);
      if (isOne) query = key = value = aten("transpose", query, 1, 0);
      else {
        query = turn(query);
        key = turn(key);
        value = isKeyValue ? key : turn(value);
      }
    }
    const [output, weights] = multi_head_attention_forward(query, key, value, {
      embedDim: this.embed_dim,
      numHeads: this.num_heads,
      inProjWeight: this.in_proj_weight,
      separateWeights: this._qkv_same_embed_dim
        ? null
        : [this.q_proj_weight!, this.k_proj_weight!, this.v_proj_weight!],
      inProjBias: this.in_proj_bias,
      biasK: this.bias_k,
      biasV: this.bias_v,
      addZeroAttn: this.add_zero_attn,
      dropoutP: this.dropout,
      outProjWeight: this.out_proj.weight,
      outProjBias: this.out_proj.bias,
      training: this.training,
      keyPaddingMask,
      needWeights,
      attnMask,
      averageAttnWeights,
      isCausal,
    });
    let attnOutput = output;
    if (isTurned) attnOutput = aten("transpose", attnOutput, 1, 0);
    return [attnOutput, weights];
  }
}

export type { ActivationLike } from "./transformer_parts.ts";

/** Self-attention and feed-forward. */
export class TransformerEncoderLayer extends Module {
  static readonly torchscript: ModuleScript = ENCODER_LAYER_SCRIPT;
  /** See NAMED_CALL. @internal */
  declare readonly [NAMED_CALL]: [src: Tensor, named: EncoderLayerArguments];
  /** The attention of the sequence to itself. */
  self_attn: MultiheadAttention;
  /** First linear layer of the feed-forward part. */
  linear1: Linear;
  /** Probability of zeroing an element in training, or the layer that does it. */
  dropout: Dropout;
  /** Second linear layer of the feed-forward part. */
  linear2: Linear;
  /** Whether parts are normalized before they are computed instead of after. */
  readonly norm_first: boolean;
  /** Normalization of the first part. */
  norm1: LayerNorm;
  /** Normalization of the second part. */
  norm2: LayerNorm;
  /** Dropout behind the attention. */
  dropout1: Dropout;
  /** Dropout behind the second part. */
  dropout2: Dropout;
  /** Which activation the fused operator would use: 1 is relu, 2 is gelu, 0 any other. */
  readonly activation_relu_or_gelu: number;
  // in PyTorch an activation that is a module is one of the children
  /** The function between the two linear layers. */
  activation: (input: Tensor) => Tensor;

  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super();
    const { dimFeedforward = 2048, dropout = 0.1, layerNormEps: eps = 1e-5, batchFirst = false, bias = true } = options;
    const factory = options.dtype ? { bias, dtype: options.dtype } : { bias };
    this.self_attn = new MultiheadAttention(dModel, nhead, { ...factory, dropout, batchFirst });
    this.linear1 = new Linear(dModel, dimFeedforward, factory);
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel, factory);
    this.norm_first = options.normFirst ?? false;
    this.norm1 = new LayerNorm(dModel, { ...factory, eps });
    this.norm2 = new LayerNorm(dModel, { ...factory, eps });
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    const activation = activationOf(options.activation ?? "relu");
    const isKind = (fn: unknown, kind: typeof ReLU | typeof GELU): boolean =>
      activation === fn || (activation as unknown) instanceof kind;
    this.activation_relu_or_gelu = isKind(relu, ReLU) ? 1 : isKind(gelu, GELU) ? 2 : 0;
    this.activation = activation;
  }

  forward(
    src: Tensor,
    srcMask: Tensor | null = null,
    srcKeyPaddingMask: Tensor | null = null,
    isCausal = false,
  ): Tensor {
    const padding = canonicalMask(srcKeyPaddingMask, "src_key_padding_mask", src.dtype, {
      dtype: srcMask?.dtype,
      name: "src_mask",
    });
    const mask = canonicalMask(srcMask, "src_mask", src.dtype, null);
    let x = src;
    if (this.norm_first) {
      x = aten("add", x, this.attend(this.norm1(x), mask, padding, isCausal));
      return aten("add", x, this.feed(this.norm2(x)));
    }
    x = this.norm1(aten("add", x, this.attend(x, mask, padding, isCausal)));
    return this.norm2(aten("add", x, this.feed(x)));
  }

  private attend(x: Tensor, attnMask: Tensor | null, keyPaddingMask: Tensor | null, isCausal: boolean): Tensor {
    return this.dropout1(this.self_attn(x, x, x, keyPaddingMask, false, attnMask, true, isCausal)[0]);
  }

  private feed(x: Tensor): Tensor {
    return this.dropout2(this.linear2(this.dropout(this.activation(this.linear1(x)))));
  }
}

/** Self-attention, attention to a memory, and feed-forward. */
export class TransformerDecoderLayer extends Module {
  static readonly torchscript: ModuleScript = DECODER_LAYER_SCRIPT;
  /** See NAMED_CALL. @internal */
  declare readonly [NAMED_CALL]: [tgt: Tensor, memory: Tensor, named: DecoderLayerArguments];
  /** The attention of the sequence to itself. */
  self_attn: MultiheadAttention;
  /** The attention to what the encoder gave. */
  multihead_attn: MultiheadAttention;
  /** First linear layer of the feed-forward part. */
  linear1: Linear;
  /** Probability of zeroing an element in training, or the layer that does it. */
  dropout: Dropout;
  /** Second linear layer of the feed-forward part. */
  linear2: Linear;
  /** Whether parts are normalized before they are computed instead of after. */
  readonly norm_first: boolean;
  /** Normalization of the first part. */
  norm1: LayerNorm;
  /** Normalization of the second part. */
  norm2: LayerNorm;
  /** Normalization of the third part. */
  norm3: LayerNorm;
  /** Dropout behind the attention. */
  dropout1: Dropout;
  /** Dropout behind the second part. */
  dropout2: Dropout;
  /** Dropout behind the feed-forward part. */
  dropout3: Dropout;
  /** The function between the two linear layers. */
  activation: (input: Tensor) => Tensor;

  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super();
    const { dimFeedforward = 2048, dropout = 0.1, layerNormEps: eps = 1e-5, batchFirst = false, bias = true } = options;
    const factory = options.dtype ? { bias, dtype: options.dtype } : { bias };
    this.self_attn = new MultiheadAttention(dModel, nhead, { ...factory, dropout, batchFirst });
    this.multihead_attn = new MultiheadAttention(dModel, nhead, { ...factory, dropout, batchFirst });
    this.linear1 = new Linear(dModel, dimFeedforward, factory);
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel, factory);
    this.norm_first = options.normFirst ?? false;
    this.norm1 = new LayerNorm(dModel, { ...factory, eps });
    this.norm2 = new LayerNorm(dModel, { ...factory, eps });
    this.norm3 = new LayerNorm(dModel, { ...factory, eps });
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.dropout3 = new Dropout(dropout);
    this.activation = activationOf(options.activation ?? "relu");
  }

  forward(
    tgt: Tensor,
    memory: Tensor,
    tgtMask: Tensor | null = null,
    memoryMask: Tensor | null = null,
    tgtKeyPaddingMask: Tensor | null = null,
    memoryKeyPaddingMask: Tensor | null = null,
    tgtIsCausal = false,
    memoryIsCausal = false,
  ): Tensor {
    let x = tgt;
    if (this.norm_first) {
      x = aten("add", x, this.attend(this.norm1(x), tgtMask, tgtKeyPaddingMask, tgtIsCausal));
      x = aten("add", x, this.recall(this.norm2(x), memory, memoryMask, memoryKeyPaddingMask, memoryIsCausal));
      return aten("add", x, this.feed(this.norm3(x)));
    }
    x = this.norm1(aten("add", x, this.attend(x, tgtMask, tgtKeyPaddingMask, tgtIsCausal)));
    x = this.norm2(aten("add", x, this.recall(x, memory, memoryMask, memoryKeyPaddingMask, memoryIsCausal)));
    return this.norm3(aten("add", x, this.feed(x)));
  }

  private attend(x: Tensor, attnMask: Tensor | null, keyPaddingMask: Tensor | null, isCausal: boolean): Tensor {
    return this.dropout1(this.self_attn(x, x, x, keyPaddingMask, false, attnMask, true, isCausal)[0]);
  }

  private recall(
    x: Tensor,
    mem: Tensor,
    attnMask: Tensor | null,
    keyPaddingMask: Tensor | null,
    isCausal: boolean,
  ): Tensor {
    return this.dropout2(this.multihead_attn(x, mem, mem, keyPaddingMask, false, attnMask, true, isCausal)[0]);
  }

  private feed(x: Tensor): Tensor {
    return this.dropout3(this.linear2(this.dropout(this.activation(this.linear1(x)))));
  }
}

function sequenceLength(src: Tensor, batchFirst: boolean): Dim {
  const srcSize = sizesOf(src);
  return srcSize[src.ndim === 3 && batchFirst ? 1 : 0]!;
}

/** Whether a mask is the causal one, where that is not said. */
function isCausalMask(
  mask: Tensor | null,
  given: boolean | null,
  layer: { readonly batch_first: boolean },
  source: Tensor,
): boolean {
  const length = sequenceLength(source, layer.batch_first);
  if (given !== null || !mask) return given === true;
  const causal = Transformer.generateSquareSubsequentMask(dimNumber(length), mask.dtype);
  return mask.sizes.join() === causal.sizes.join() && toNumbers(aten("all", aten("eq", mask, causal)))[0] !== 0;
}

/** What keeps PyTorch from running a stack of the layer on nested tensors. */
function whyNotNested(layer: TransformerEncoderLayer): string | undefined {
  if (!(layer instanceof TransformerEncoderLayer)) return " was not TransformerEncoderLayer";
  const { self_attn: attention } = layer;
  if (layer.norm_first) return ".norm_first was True";
  if (!attention.batch_first)
    return ".self_attn.batch_first was not True(use batch_first for better inference performance)";
  if (!attention._qkv_same_embed_dim) return ".self_attn._qkv_same_embed_dim was not True";
  if (attention.in_proj_bias === null) return ".self_attn was passed bias=False";
  if (layer.activation_relu_or_gelu === 0) return ".activation_relu_or_gelu was not True";
  if (layer.norm1.eps !== layer.norm2.eps) return ".norm1.eps was not equal to encoder_layer.norm2.eps";
  return attention.num_heads % 2 === 1 ? ".self_attn.num_heads is odd" : undefined;
}

/** A stack of encoder layers. */
export class TransformerEncoder extends Module {
  static readonly torchscript: ModuleScript = ENCODER_SCRIPT;
  /** See NAMED_CALL. @internal */
  declare readonly [NAMED_CALL]: [src: Tensor, named: EncoderArguments];
  /** The layers, first to last. */
  layers: ModuleList<TransformerEncoderLayer>;
  /** Number of layers. */
  readonly num_layers: number;
  /** The normalization at the end; null without. */
  norm: LayerNorm | null;
  /** Whether padding may be left out where no gradient is asked for. */
  readonly enable_nested_tensor: boolean;
  /** Whether it is, which the layer decides, too: what is padded comes out as zeros then. */
  readonly use_nested_tensor: boolean;
  /** Whether padding has to be at the end of sequences for that. */
  readonly mask_check: boolean;

  constructor(
    layer: TransformerEncoderLayer,
    numLayers: number,
    normOrOptions: LayerNorm | null | TransformerEncoderOptions = null,
    more: TransformerEncoderOptions = {},
  ) {
    super();
    const options =
      normOrOptions && !(normOrOptions instanceof Module) ? normOrOptions : { ...more, norm: normOrOptions };
    this.layers = clones(layer, numLayers);
    this.num_layers = numLayers;
    this.norm = options.norm ?? null;
    this.enable_nested_tensor = options.enableNestedTensor ?? true;
    const reason = whyNotNested(layer);
    this.use_nested_tensor = this.enable_nested_tensor && reason === undefined;
    this.mask_check = options.maskCheck ?? true;
    if (this.enable_nested_tensor && reason !== undefined) {
      emitWarning(`enable_nested_tensor is True, but self.use_nested_tensor is False because encoder_layer${reason}`);
    }
  }

  forward(
    src: Tensor,
    mask: Tensor | null = null,
    srcKeyPaddingMask: Tensor | null = null,
    isCausal: boolean | null = null,
  ): Tensor {
    const padding = canonicalMask(srcKeyPaddingMask, "src_key_padding_mask", src.dtype, {
      dtype: mask?.dtype,
      name: "mask",
    });
    const added = canonicalMask(mask, "mask", src.dtype, null);
    const causal = isCausalMask(added, isCausal, this.layers.at(0).self_attn, src);
    let output = src;
    for (const layer of this.layers) output = layer(output, added, padding, causal);
    if (srcKeyPaddingMask && !mask && this.leavesOutPadding(src, srcKeyPaddingMask)) {
      output = aten("masked_fill", output, aten("unsqueeze", aten("ne", srcKeyPaddingMask, 0), -1), 0);
    }
    return this.norm ? this.norm(output) : output;
  }

  /** Whether PyTorch runs nested tensors: the same numbers, and zeros where the input is padded. */
  private leavesOutPadding(src: Tensor, padding: Tensor): boolean {
    const first = this.layers.at(0);
    if (!this.use_nested_tensor || first.training || src.ndim !== 3) return false;
    if (isGradEnabled() && [src, ...first.parameters()].some((t) => t.requiresGrad)) return false;
    if (!this.mask_check) return true;
    const isLeftAligned: unknown = aten("_nested_tensor_from_mask_left_aligned", src, aten("logical_not", padding));
    return isLeftAligned === true;
  }
}

/** A stack of decoder layers. */
export class TransformerDecoder extends Module {
  static readonly torchscript: ModuleScript = DECODER_SCRIPT;
  /** See NAMED_CALL. @internal */
  declare readonly [NAMED_CALL]: [tgt: Tensor, memory: Tensor, named: DecoderArguments];
  /** The layers, first to last. */
  layers: ModuleList<TransformerDecoderLayer>;
  /** Number of layers. */
  readonly num_layers: number;
  /** The normalization at the end; null without. */
  norm: LayerNorm | null;

  constructor(
    layer: TransformerDecoderLayer,
    numLayers: number,
    normOrOptions: LayerNorm | null | { readonly norm?: LayerNorm | null } = null,
  ) {
    super();
    const { norm = null } =
      normOrOptions && !(normOrOptions instanceof Module) ? normOrOptions : { norm: normOrOptions };
    this.layers = clones(layer, numLayers);
    this.num_layers = numLayers;
    this.norm = norm;
  }

  forward(
    tgt: Tensor,
    memory: Tensor,
    tgtMask: Tensor | null = null,
    memoryMask: Tensor | null = null,
    tgtKeyPaddingMask: Tensor | null = null,
    memoryKeyPaddingMask: Tensor | null = null,
    tgtIsCausal: boolean | null = null,
    memoryIsCausal = false,
  ): Tensor {
    const causal = isCausalMask(tgtMask, tgtIsCausal, this.layers.at(0).self_attn, tgt);
    let output = tgt;
    for (const layer of this.layers)
      output = layer(
        output,
        memory,
        tgtMask,
        memoryMask,
        tgtKeyPaddingMask,
        memoryKeyPaddingMask,
        causal,
        memoryIsCausal,
      );
    return this.norm ? this.norm(output) : output;
  }
}

/** Options of Transformer. */
export interface TransformerOptions extends TransformerLayerOptions {
  /** Size of the features at input and output. */
  readonly dModel?: number;
  /** Number of attention heads. */
  readonly nhead?: number;
  /** Layers of the encoder. */
  readonly numEncoderLayers?: number;
  /** Layers of the decoder. */
  readonly numDecoderLayers?: number;
}

/** Encoder and decoder. */
export class Transformer extends Module {
  static readonly torchscript: ModuleScript = TRANSFORMER_SCRIPT;
  /** See NAMED_CALL. @internal */
  declare readonly [NAMED_CALL]: [src: Tensor, tgt: Tensor, named: TransformerArguments];
  /** The stack that reads the source. */
  encoder: TransformerEncoder;
  /** The stack that reads the target. */
  decoder: TransformerDecoder;
  /** Size of the features at input and output. */
  readonly d_model: number;
  /** Number of attention heads. */
  readonly nhead: number;
  /** Whether the batch is dimension 0 instead of 1. */
  readonly batch_first: boolean;

  constructor(options: TransformerOptions = {}) {
    super();
    const {
      dModel = 512,
      nhead = 8,
      numEncoderLayers = 6,
      numDecoderLayers = 6,
      layerNormEps: eps = 1e-5,
      bias = true,
    } = options;
    const normOptions = options.dtype ? { eps, bias, dtype: options.dtype } : { eps, bias };
    this.encoder = new TransformerEncoder(
      new TransformerEncoderLayer(dModel, nhead, options),
      numEncoderLayers,
      new LayerNorm(dModel, normOptions),
    );
    this.decoder = new TransformerDecoder(
      new TransformerDecoderLayer(dModel, nhead, options),
      numDecoderLayers,
      new LayerNorm(dModel, normOptions),
    );
    for (const parameter of this.parameters()) if (parameter.ndim > 1) xavier_uniform_(parameter);
    this.d_model = dModel;
    this.nhead = nhead;
    this.batch_first = options.batchFirst ?? false;
  }

  /** A mask that lets every position attend to itself and what is before it. */
  static generateSquareSubsequentMask(size: number, dtype?: DType): Tensor {
    return aten("triu", aten("full", [size, size], float(-Infinity), dtype ? { dtype } : {}), 1);
  }

  forward(
    src: Tensor,
    tgt: Tensor,
    srcMask: Tensor | null = null,
    tgtMask: Tensor | null = null,
    memoryMask: Tensor | null = null,
    srcKeyPaddingMask: Tensor | null = null,
    tgtKeyPaddingMask: Tensor | null = null,
    memoryKeyPaddingMask: Tensor | null = null,
    srcIsCausal: boolean | null = null,
    tgtIsCausal: boolean | null = null,
    memoryIsCausal = false,
  ): Tensor {
    const batchDim = this.batch_first ? 0 : 1;
    if (dimDiffers(sizeOf(src, batchDim), sizeOf(tgt, batchDim)) && src.ndim === 3)
      throw new OperatorError("the batch number of src and tgt must be equal");
    if (dimDiffers(sizeOf(src, -1), this.d_model) || dimDiffers(sizeOf(tgt, -1), this.d_model)) {
      throw new OperatorError("the feature number of src and tgt must be equal to d_model");
    }
    const memory = this.encoder(src, srcMask, srcKeyPaddingMask, srcIsCausal);
    return this.decoder(
      tgt,
      memory,
      tgtMask,
      memoryMask,
      tgtKeyPaddingMask,
      memoryKeyPaddingMask,
      tgtIsCausal,
      memoryIsCausal,
    );
  }
}
