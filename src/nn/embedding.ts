/** @file Embeddings. Upstream: torch/nn/modules/sparse.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { viewOf, type Tensor } from "../tensor/tensor.ts";
import { emptyParameter, floatText, valueText, type FactoryOptions } from "./aten.ts";
import * as F from "./functional_layers.ts";
import type { BagMode } from "./functional_layers.ts";
import { normal_, zeros_ } from "./init.ts";
import type { NAMED_CALL } from "./keywords.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";
import type { ModuleScript } from "./module_script.ts";
import { callScript, moduleScript } from "./scripts/module_text.ts";

/** Options of Embedding. */
export interface EmbeddingOptions extends FactoryOptions {
  /** A row that stays zero. */
  readonly paddingIdx?: number | null;
  /** Vectors that are longer are scaled down to this length. */
  readonly maxNorm?: number | null;
  /** Order of the norm that lengths are measured by. */
  readonly normType?: number;
  /** Divide gradients by how often a vector occurs. */
  readonly scaleGradByFreq?: boolean;
  /** Whether gradients are sparse. */
  readonly sparse?: boolean;
}

/** Options of EmbeddingBag. */
export interface EmbeddingBagOptions extends EmbeddingOptions {
  /** Which way of computing, by PyTorch's name. */
  readonly mode?: BagMode;
  /** The last offset is the end of the last bag. */
  readonly includeLastOffset?: boolean;
}

/** What both embeddings share. */
abstract class EmbeddingBase extends Module {
  /** Number of vectors. */
  readonly num_embeddings: number;
  /** Size of each vector. */
  readonly embedding_dim: number;
  /** The vector that is not trained; null without. */
  readonly padding_idx: number | null;
  /** Length that vectors are scaled down to; null without. */
  readonly max_norm: number | null;
  /** Order of the norm. */
  readonly norm_type: number;
  /** Whether gradients are divided by how often a vector occurs. */
  readonly scale_grad_by_freq: boolean;
  /** What inputs are multiplied by; learned. In losses: what each class counts. */
  weight: Parameter;
  /** Whether gradients are sparse. */
  readonly sparse: boolean;

  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingOptions, given: Parameter | null) {
    super();
    this.num_embeddings = numEmbeddings;
    this.embedding_dim = embeddingDim;
    const padding = options.paddingIdx ?? null;
    if (padding !== null && (padding >= numEmbeddings || padding < -numEmbeddings)) {
      throw new OperatorError(`${this.paddingName()} must be within num_embeddings`);
    }
    this.padding_idx = padding !== null && padding < 0 ? padding + numEmbeddings : padding;
    this.max_norm = options.maxNorm ?? null;
    this.norm_type = options.normType ?? 2;
    this.scale_grad_by_freq = options.scaleGradByFreq ?? false;
    this.weight = given ?? emptyParameter([numEmbeddings, embeddingDim], options);
    if (!given) this.resetParameters();
    this.sparse = options.sparse ?? false;
  }

  /** How PyTorch's messages write the padding index. */
  protected abstract paddingName(): string;

  /** Draws the default initial values. */
  resetParameters(): void {
    normal_(this.weight);
    if (this.padding_idx === null) return;
    const { weight } = this;
    zeros_(
      viewOf(
        weight,
        [this.embedding_dim],
        [weight.strides[1]!],
        weight.storageOffset + this.padding_idx * weight.strides[0]!,
      ),
    );
  }

  protected limitsText(): string {
    let text = "";
    if (this.max_norm !== null) text += `, max_norm=${floatText(this.max_norm)}`;
    if (this.norm_type !== 2) text += `, norm_type=${floatText(this.norm_type)}`;
    if (this.scale_grad_by_freq) text += ", scale_grad_by_freq=True";
    return text;
  }
}

function checkPretrained(weight: Tensor): [number, number] {
  if (weight.ndim !== 2) throw new OperatorError("Embeddings parameter is expected to be 2-dimensional");
  return weight.sizes as readonly number[] as [number, number];
}

/** Rows of a learned table. */
export class Embedding extends EmbeddingBase {
  static readonly torchscript: ModuleScript = moduleScript(
    "sparse.Embedding",
    "def forward(self, input: Tensor) -> Tensor:\n    return F.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse)\n",
    {
      constants: [
        "num_embeddings",
        "embedding_dim",
        "padding_idx",
        "max_norm",
        "norm_type",
        "scale_grad_by_freq",
        "sparse",
      ],
      attributes: {
        num_embeddings: "int",
        embedding_dim: "int",
        padding_idx: "Optional[int]",
        max_norm: "Optional[float]",
        norm_type: "float",
        scale_grad_by_freq: "bool",
        weight: "Tensor",
        sparse: "bool",
      },
    },
  );

  constructor(
    numEmbeddings: number,
    embeddingDim: number,
    options: EmbeddingOptions = {},
    given: Parameter | null = null,
  ) {
    super(numEmbeddings, embeddingDim, options, given);
  }

  /** An embedding of given rows, which training leaves as they are unless `freeze` is false. */
  static fromPretrained(rows: Tensor, options: EmbeddingOptions & { readonly freeze?: boolean } = {}): Embedding {
    const [count, size] = checkPretrained(rows);
    return new Embedding(count, size, options, new Parameter(rows, { requiresGrad: !(options.freeze ?? true) }));
  }

  protected paddingName(): string {
    return "Padding_idx";
  }

  forward(input: Tensor): Tensor {
    return F.embedding(input, this.weight, {
      paddingIdx: this.padding_idx,
      maxNorm: this.max_norm,
      normType: this.norm_type,
      scaleGradByFreq: this.scale_grad_by_freq,
      sparse: this.sparse,
    });
  }

  override extraRepr(): string {
    const padding = this.padding_idx === null ? "" : `, padding_idx=${this.padding_idx}`;
    return `${this.num_embeddings}, ${this.embedding_dim}${padding}${this.limitsText()}${this.sparse ? ", sparse=True" : ""}`;
  }
}

/** Sums, means or maxima of bags of rows. */
export class EmbeddingBag extends EmbeddingBase {
  /** See NAMED_CALL. @internal */
  declare readonly [NAMED_CALL]: [
    input: Tensor,
    named: { readonly offsets?: Tensor | null; readonly perSampleWeights?: Tensor | null },
  ];
  static readonly torchscript: ModuleScript = callScript(
    "sparse.EmbeddingBag",
    "input: Tensor, offsets: Optional[Tensor] = None, per_sample_weights: Optional[Tensor] = None",
    "F.embedding_bag(input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.mode, self.sparse, per_sample_weights, self.include_last_offset, self.padding_idx)",
    {
      constants: [
        "num_embeddings",
        "embedding_dim",
        "max_norm",
        "norm_type",
        "scale_grad_by_freq",
        "mode",
        "sparse",
        "include_last_offset",
        "padding_idx",
      ],
      attributes: {
        num_embeddings: "int",
        embedding_dim: "int",
        max_norm: "Optional[float]",
        norm_type: "float",
        scale_grad_by_freq: "bool",
        weight: "Tensor",
        mode: "str",
        sparse: "bool",
        include_last_offset: "bool",
        padding_idx: "Optional[int]",
      },
    },
  );
  /** Which way of computing, by PyTorch's name. */
  readonly mode: BagMode;
  /** Whether the last offset is the end of the last bag. */
  readonly include_last_offset: boolean;

  constructor(
    numEmbeddings: number,
    embeddingDim: number,
    options: EmbeddingBagOptions = {},
    given: Parameter | null = null,
  ) {
    super(numEmbeddings, embeddingDim, options, given);
    this.mode = options.mode ?? "mean";
    this.include_last_offset = options.includeLastOffset ?? false;
  }

  /** Bags of given rows, which training leaves as they are unless `freeze` is false. */
  static fromPretrained(rows: Tensor, options: EmbeddingBagOptions & { readonly freeze?: boolean } = {}): EmbeddingBag {
    const [count, size] = checkPretrained(rows);
    return new EmbeddingBag(count, size, options, new Parameter(rows, { requiresGrad: !(options.freeze ?? true) }));
  }

  protected paddingName(): string {
    return "padding_idx";
  }

  forward(input: Tensor, offsets: Tensor | null = null, perSampleWeights: Tensor | null = null): Tensor {
    return F.embedding_bag(input, this.weight, offsets, {
      maxNorm: this.max_norm,
      normType: this.norm_type,
      scaleGradByFreq: this.scale_grad_by_freq,
      mode: this.mode,
      sparse: this.sparse,
      perSampleWeights,
      includeLastOffset: this.include_last_offset,
      paddingIdx: this.padding_idx,
    });
  }

  override extraRepr(): string {
    const padding = this.padding_idx === null ? "" : `, padding_idx=${valueText(this.padding_idx)}`;
    return `${this.num_embeddings}, ${this.embedding_dim}${this.limitsText()}, mode='${this.mode}'${padding}`;
  }
}
