/** @file Names of memory formats, layouts and quantization schemes: `torch.channels_last` and the like. Upstream: c10/core/MemoryFormat.h, Layout.h, QScheme.h. Spec: none. */

/** How the elements of a tensor lie in memory. Mirrors `torch.memory_format`. */
export class MemoryFormat {
  /** Name as in `torch.channels_last`. */
  readonly name: string;
  /** c10::MemoryFormat number. */
  readonly id: number;
  constructor(name: string, id: number) {
    this.name = name;
    this.id = id;
  }
  /** `torch.channels_last`. */
  toString(): string {
    return `torch.${this.name}`;
  }
}

/** Whether and how a tensor is sparse. Mirrors `torch.layout`. */
export class Layout {
  /** Name as in `torch.strided`. */
  readonly name: string;
  /** c10::Layout number. */
  readonly id: number;
  constructor(name: string, id: number) {
    this.name = name;
    this.id = id;
  }
  /** `torch.strided`. */
  toString(): string {
    return `torch.${this.name}`;
  }
}

/** How integers map to real values. Mirrors `torch.qscheme`. */
export class QScheme {
  /** Name as in `torch.per_tensor_affine`. */
  readonly name: string;
  /** c10::QScheme number. */
  readonly id: number;
  constructor(name: string, id: number) {
    this.name = name;
    this.id = id;
  }
  /** `torch.per_tensor_affine`. */
  toString(): string {
    return `torch.${this.name}`;
  }
}

/** Every memory format by name. */
export const MEMORY_FORMATS = {
  /** Row-major. */
  contiguous_format: new MemoryFormat("contiguous_format", 0),
  /** As the input has it. */
  preserve_format: new MemoryFormat("preserve_format", 1),
  /** NHWC order in memory, for tensors of shape (N, C, H, W). */
  channels_last: new MemoryFormat("channels_last", 2),
  /** NDHWC order in memory, for tensors of shape (N, C, D, H, W). */
  channels_last_3d: new MemoryFormat("channels_last_3d", 3),
} as const;

/** Every layout by name. */
export const LAYOUTS = {
  /** Dense: an element for every index. */
  strided: new Layout("strided", 0),
  /** Coordinates and values. */
  sparse_coo: new Layout("sparse_coo", 1),
  /** Compressed rows. */
  sparse_csr: new Layout("sparse_csr", 2),
  /** Compressed columns. */
  sparse_csc: new Layout("sparse_csc", 4),
  /** Compressed rows of blocks. */
  sparse_bsr: new Layout("sparse_bsr", 5),
  /** Compressed columns of blocks. */
  sparse_bsc: new Layout("sparse_bsc", 6),
} as const;

/** Quantization schemes by name. */
export const QSCHEMES = {
  /** One scale and zero point. */
  per_tensor_affine: new QScheme("per_tensor_affine", 0),
  /** A scale and zero point for each channel. */
  per_channel_affine: new QScheme("per_channel_affine", 1),
  /** One scale, zero point 0. */
  per_tensor_symmetric: new QScheme("per_tensor_symmetric", 2),
  /** A scale for each channel, zero point 0. */
  per_channel_symmetric: new QScheme("per_channel_symmetric", 3),
  /** A float scale and zero point for each channel. */
  per_channel_affine_float_qparams: new QScheme("per_channel_affine_float_qparams", 4),
} as const;
