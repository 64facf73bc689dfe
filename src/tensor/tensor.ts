/** @file Tensor: a strided view of a storage. Arithmetic lives in the operator table. Upstream: c10/core/TensorImpl.h. Spec: none. */
import { sizeReads } from "./size_reads.ts";
import { DTYPES, type DType } from "./dtype.ts";
import { allocateStorage, type Storage } from "./storage.ts";
import { contiguousStrides, numelOf } from "./strides.ts";
import type { TensorApi } from "./tensor_api.ts";

/** How the integers of a quantized tensor map to real values. */
export type Quantizer =
  | { readonly scheme: "per_tensor_affine"; readonly scale: number; readonly zeroPoint: number }
  | {
      readonly scheme: "per_channel_affine" | "per_channel_affine_float_qparams";
      /** float64 (float32 for float_qparams), one per channel. */
      readonly scales: Tensor;
      readonly zeroPoints: Tensor;
      readonly axis: number;
    };

/** Indices and values of a sparse tensor; the dense part of such a Tensor has no elements. */
export type SparseParts =
  | { readonly layout: "sparse_coo"; readonly indices: Tensor; readonly values: Tensor; coalesced: boolean }
  | {
      readonly layout: "sparse_csr" | "sparse_csc" | "sparse_bsr" | "sparse_bsc";
      readonly compressedIndices: Tensor;
      readonly plainIndices: Tensor;
      readonly values: Tensor;
    };

/** State of autograd that hangs on a tensor; owned by `src/autograd`. */
export interface AutogradMeta {
  grad: Tensor | null;
  /** The recorded operation that made the tensor; null for leaves. */
  gradFn: object | null;
  outputNr: number;
}

/** A device; all kernels run on the CPU, but archives name others. */
export class Device {
  readonly type: string;
  /** Index, or undefined where none was given. */
  readonly index: number | undefined;
  constructor(type: string, index?: number) {
    this.type = type;
    this.index = index;
  }
  toString(): string {
    return this.index === undefined ? this.type : `${this.type}:${this.index}`;
  }
}

/** The device of every tensor that tsarchive computes with. */
export const CPU = new Device("cpu");
/** Device of tensors without data. */
export const META = new Device("meta");

/** The methods of Tensor, which `src/torch` installs: every operator, and what speaks JavaScript. */
export interface Tensor extends TensorApi {}

/** A tensor: `sizes`, `strides` and `storageOffset` count elements. */
export class Tensor {
  storage: Storage;
  dtype: DType;
  sizes: readonly number[];
  strides: readonly number[];
  storageOffset: number;
  /** Elements: the product of `sizes`. */
  numel: number;
  requiresGrad = false;
  /** The elements are the conjugates of what the storage holds (complex only). */
  isConj = false;
  /** The elements are the negatives of what the storage holds. */
  isNeg = false;
  /** `torch.inference_mode`-free flag of `nn.Parameter`; affects printing in Python only. */
  isParameter = false;
  /** A number wrapped for a tensor operator: ranks lowest in type promotion. */
  isWrappedNumber = false;
  device: Device = CPU;
  quantizer: Quantizer | undefined = undefined;
  sparse: SparseParts | undefined = undefined;
  autograd: AutogradMeta | undefined = undefined;
  /** The tensor that this one is a view of (for in-place autograd and `_is_view`). */
  base: Tensor | undefined = undefined;

  constructor(storage: Storage, dtype: DType, sizes: readonly number[], strides: readonly number[], storageOffset = 0) {
    this.storage = storage;
    this.dtype = dtype;
    this.sizes = sizes;
    this.strides = strides;
    this.storageOffset = storageOffset;
    this.numel = numelOf(sizes);
  }

  /** Number of dimensions. */
  get ndim(): number {
    return this.sizes.length;
  }

  /** Sizes, under the name that PyTorch users type. A trace records that they were read. */
  get shape(): readonly number[] {
    sizeReads()?.readShape(this);
    return this.sizes;
  }

  /** Whether the elements lie row-major without gaps. */
  isContiguous(): boolean {
    let expected = 1;
    if (this.numel === 0) return true;
    for (let d = this.sizes.length - 1; d >= 0; d--) {
      const size = this.sizes[d]!;
      if (size === 1) continue;
      if (this.strides[d] !== expected) return false;
      expected *= size;
    }
    return true;
  }

  /** Index of element 0 in the segment's typed array of `dtype.array`, in units of `dtype.itemsize` elements. */
  get base0(): number {
    return this.storage.byteOffset / this.dtype.itemsize + this.storageOffset;
  }
}

/** A new zeroed contiguous tensor. */
export function emptyTensor(sizes: readonly number[], dtype: DType = DTYPES.float32): Tensor {
  const numel = numelOf(sizes);
  return new Tensor(allocateStorage(numel * dtype.itemsize), dtype, sizes, contiguousStrides(sizes), 0);
}

/** A new contiguous tensor of whatever its bytes held: for kernels that write every element. */
export function uninitializedTensor(sizes: readonly number[], dtype: DType = DTYPES.float32): Tensor {
  const numel = numelOf(sizes);
  return new Tensor(allocateStorage(numel * dtype.itemsize, false), dtype, sizes, contiguousStrides(sizes), 0);
}

/** Another view of the same storage. Conj, neg and quantizer carry over. */
export function viewOf(
  self: Tensor,
  sizes: readonly number[],
  strides: readonly number[],
  storageOffset: number = self.storageOffset,
): Tensor {
  const view = new Tensor(self.storage, self.dtype, sizes, strides, storageOffset);
  view.isConj = self.isConj;
  view.isNeg = self.isNeg;
  view.device = self.device;
  view.quantizer = self.quantizer;
  view.base = self.base ?? self;
  return view;
}
