/** @file Tensor: a strided view of a storage. Arithmetic lives in the operator table. Upstream: c10/core/TensorImpl.h. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { traceListener } from "./trace_listener.ts";
import { DTYPES, isDifferentiable, type DType } from "./dtype.ts";
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
  /** `"cpu"`, `"cuda"`, `"meta"`, ... */
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

/** What few tensors have. */
interface Rare {
  device: Device;
  quantizer: Quantizer | undefined;
  sparse: SparseParts | undefined;
  nested: readonly Tensor[] | undefined;
  autograd: AutogradMeta | undefined;
}

const REQUIRES_GRAD = 1;
const CONJ = 2;
const NEG = 4;
const PARAMETER = 8;
const WRAPPED = 16;
/** What is known of the geometry: that it was looked at, that the elements lie row by row, that the strides are those of a new tensor. */
const LOOKED_AT = 32;
const CONTIGUOUS = 64;
const ROW_MAJOR = 128;
const GEOMETRY = LOOKED_AT | CONTIGUOUS | ROW_MAJOR;

/** The methods of Tensor, which `src/torch` installs: every operator, and what speaks JavaScript. */
export interface Tensor extends TensorApi {}

/**
 * A tensor: `sizes`, `strides` and `storageOffset` count elements.
 *
 * Note [Small tensors]: making one is most of the cost of a small operator, so an object has few fields: flags share a number, and what few
 * tensors have lies in an object of its own.
 */
export class Tensor {
  /** The bytes, shared by views. */
  storage: Storage;
  /** Dtype of the elements. */
  dtype: DType;
  /** Size of each dimension; `shape` is the same. Changed by `setGeometry`. */
  readonly sizes: readonly number[];
  /** Distance between neighbours in each dimension, in elements. */
  readonly strides: readonly number[];
  /** First element in the storage, in elements. */
  storageOffset: number;
  /** Elements: the product of `sizes`. */
  readonly numel: number;
  private flags = 0;
  private rare: Rare | undefined = undefined;
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

  /** A new tensor like a plain one, of the same sizes, in a storage of its own. */
  static like(t: Tensor, storage: Storage): Tensor {
    const { sizes } = t;
    const isRowMajor = (t.geometry() & ROW_MAJOR) !== 0;
    const out = new Tensor(storage, t.dtype, sizes, isRowMajor ? t.strides : contiguousStrides(sizes), 0);
    out.flags = GEOMETRY;
    return out;
  }

  /** Gives other sizes and strides, in place. The storage must reach. */
  setGeometry(sizes: readonly number[], strides: readonly number[]): void {
    const self = this as { -readonly [K in "sizes" | "strides" | "numel"]: Tensor[K] };
    self.sizes = sizes;
    self.strides = strides;
    self.numel = numelOf(sizes);
    this.flags &= ~GEOMETRY;
  }

  /** The flags, with what there is to know of the geometry. */
  private geometry(): number {
    return (this.flags & LOOKED_AT) !== 0 ? this.flags : this.lookAtGeometry();
  }

  private lookAtGeometry(): number {
    const { sizes, strides } = this;
    let expected = 1;
    let found = GEOMETRY;
    for (let d = sizes.length - 1; d >= 0; d--) {
      const size = sizes[d]!;
      if (strides[d] !== expected) found &= size === 1 ? ~ROW_MAJOR : ~(ROW_MAJOR | CONTIGUOUS);
      expected *= size;
    }
    if (this.numel === 0) found |= CONTIGUOUS;
    return (this.flags |= found);
  }

  private setFlag(flag: number, value: boolean): void {
    this.flags = value ? this.flags | flag : this.flags & ~flag;
  }
  private makeRare(): Rare {
    return (this.rare ??= {
      device: CPU,
      quantizer: undefined,
      sparse: undefined,
      nested: undefined,
      autograd: undefined,
    });
  }

  /** Whether training changes the tensor; `requires_grad` checks the dtype when it is set. */
  get requiresGrad(): boolean {
    return (this.flags & REQUIRES_GRAD) !== 0;
  }
  set requiresGrad(value: boolean) {
    this.setFlag(REQUIRES_GRAD, value);
  }
  /** The elements are the conjugates of what the storage holds (complex only). */
  get isConj(): boolean {
    return (this.flags & CONJ) !== 0;
  }
  set isConj(value: boolean) {
    this.setFlag(CONJ, value);
  }
  /** The elements are the negatives of what the storage holds. */
  get isNeg(): boolean {
    return (this.flags & NEG) !== 0;
  }
  set isNeg(value: boolean) {
    this.setFlag(NEG, value);
  }
  /** `torch.inference_mode`-free flag of `nn.Parameter`; affects printing in Python only. */
  get isParameter(): boolean {
    return (this.flags & PARAMETER) !== 0;
  }
  set isParameter(value: boolean) {
    this.setFlag(PARAMETER, value);
  }
  /** A number wrapped for a tensor operator: ranks lowest in type promotion. */
  get isWrappedNumber(): boolean {
    return (this.flags & WRAPPED) !== 0;
  }
  set isWrappedNumber(value: boolean) {
    this.setFlag(WRAPPED, value);
  }

  /** Where the tensor lies; tsarchive computes on the CPU. */
  get device(): Device {
    return this.rare === undefined ? CPU : this.rare.device;
  }
  set device(value: Device) {
    if (value !== this.device) this.makeRare().device = value;
  }
  /** How integers map to real values; undefined unless quantized. */
  get quantizer(): Quantizer | undefined {
    return this.rare === undefined ? undefined : this.rare.quantizer;
  }
  set quantizer(value: Quantizer | undefined) {
    if (value !== this.quantizer) this.makeRare().quantizer = value;
  }
  /** Indices and values of a sparse tensor; undefined for a dense one. */
  get sparse(): SparseParts | undefined {
    return this.rare === undefined ? undefined : this.rare.sparse;
  }
  set sparse(value: SparseParts | undefined) {
    if (value !== this.sparse) this.makeRare().sparse = value;
  }
  /** The components of a nested tensor, a sequence each; undefined for others. Its sizes are those that hold them all. */
  get nested(): readonly Tensor[] | undefined {
    return this.rare === undefined ? undefined : this.rare.nested;
  }
  set nested(value: readonly Tensor[] | undefined) {
    if (value !== this.nested) this.makeRare().nested = value;
  }
  /** Whether the elements are numbers that lie in the storage: the tensor is not quantized, sparse or nested. */
  get isOrdinary(): boolean {
    const { rare } = this;
    return (
      rare === undefined || (rare.quantizer === undefined && rare.sparse === undefined && rare.nested === undefined)
    );
  }
  /** State of autograd; undefined without. */
  get autograd(): AutogradMeta | undefined {
    return this.rare === undefined ? undefined : this.rare.autograd;
  }
  set autograd(value: AutogradMeta | undefined) {
    if (value !== this.autograd) this.makeRare().autograd = value;
  }

  /** Makes the elements of a view mean what its base's mean: conj, neg, device and quantizer carry over. */
  takeTraits(base: Tensor): void {
    this.flags = base.flags & (CONJ | NEG);
    if (base.rare !== undefined) {
      this.device = base.device;
      this.quantizer = base.quantizer;
    }
  }

  /** Float32 elements on the CPU that lie in the storage as they are, row by row: what small kernels take. */
  get isPlainFloat32(): boolean {
    if (this.dtype !== FLOAT32 || this.rare !== undefined) return false;
    return (this.geometry() & (CONJ | NEG | CONTIGUOUS)) === CONTIGUOUS;
  }

  /** Number of dimensions. */
  get ndim(): number {
    return this.sizes.length;
  }

  /** Sizes, under the name that PyTorch users type. A trace records that they were read. */
  get shape(): readonly number[] {
    traceListener()?.readShape(this);
    return this.sizes;
  }

  /** Whether the elements lie row-major without gaps. */
  isContiguous(): boolean {
    return (this.geometry() & CONTIGUOUS) !== 0;
  }

  /** Index of element 0 in the segment's typed array of `dtype.array`, in units of `dtype.itemsize` elements. */
  get base0(): number {
    return this.storage.byteOffset / this.dtype.itemsize + this.storageOffset;
  }

  /** The same for a float32 tensor. */
  get base32(): number {
    return this.storage.byteOffset / 4 + this.storageOffset;
  }
}

const FLOAT32 = DTYPES.float32;

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

/**
 * Sets `requires_grad` of a tensor that is being made.
 * @throws OperatorError where the dtype has no gradients.
 */
export function setRequiresGrad(made: Tensor, requires: boolean): void {
  if (requires && !isDifferentiable(made.dtype))
    throw new OperatorError("Only Tensors of floating point and complex dtype can require gradients");
  made.requiresGrad = requires;
}

/** Another view of the same storage. Conj, neg, quantizer and requires_grad carry over. */
export function viewOf(
  self: Tensor,
  sizes: readonly number[],
  strides: readonly number[],
  storageOffset: number = self.storageOffset,
): Tensor {
  const view = new Tensor(self.storage, self.dtype, sizes, strides, storageOffset);
  view.takeTraits(self);
  // torch: views of a leaf ask for gradients even where none are recorded
  if (self.requiresGrad) view.requiresGrad = true;
  view.base = self.base ?? self;
  return view;
}
