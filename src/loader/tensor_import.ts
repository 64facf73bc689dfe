/** @file Tensors from what pickles call to rebuild them: strided, quantized, sparse, with Python attributes. Upstream: torch/csrc/jit/serialization/unpickler.cpp (rebuildTensor). Spec: spec/records.md. */
import {
  PickleDict,
  PickleFloat,
  PickleGlobal,
  PickleReduce,
  PickleTuple,
  pickleTypeName,
  type PickleValue,
} from "../archive/pickle_value.ts";
import { ArchiveError, PickleError, UnsupportedError } from "../base/errors.ts";
import { checkLimit, type LimitOverrides } from "../base/limits.ts";
import { metaTensor, tensorOfParts } from "../tensor/absent_elements.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { Tensor, type Quantizer } from "../tensor/tensor.ts";
import type { StorageReference } from "./storage_import.ts";

/** Finds the storage that a persistent id names. */
export interface StorageResolver {
  resolve(id: PickleValue | undefined): StorageReference;
}

/** Elements that share one byte of a packed dtype. */
const PER_BYTE: Readonly<Record<string, number>> = { quint4x2: 2, quint2x4: 4 };
const LAYOUT_SPARSE = 1; // c10::Layout::Sparse
const LAYOUT_SPARSE_CSR = 2;

/** Rebuilds the tensors of one pickle. A tensor that is referred to twice is made once. */
export class TensorImporter {
  private readonly storages: StorageResolver;
  private readonly pickle: string;
  private readonly limits: LimitOverrides | undefined;
  private readonly tensors = new Map<PickleReduce, Tensor>();

  constructor(storages: StorageResolver, pickle: string, limits?: LimitOverrides) {
    this.storages = storages;
    this.pickle = pickle;
    this.limits = limits;
  }

  /** The tensor that a call rebuilds, or undefined if it is a call of something else. */
  rebuild(call: PickleReduce): Tensor | undefined {
    const known = this.tensors.get(call);
    if (known) return known;
    if (!(call.callable instanceof PickleGlobal)) return undefined;
    const tensor = this.apply(call.callable, call.args, call.byteOffset);
    if (tensor) this.tensors.set(call, tensor);
    return tensor;
  }

  private apply(callable: PickleGlobal, args: PickleValue, at: number): Tensor | undefined {
    switch (callable.qualifiedName) {
      case "torch._utils._rebuild_tensor_v2":
        return this.strided(this.items(args, 6, at), at);
      case "torch._utils._rebuild_tensor_v3":
        return this.untyped(this.items(args, 7, at), at);
      case "torch._utils._rebuild_tensor":
        return this.view(this.items(args, 4, at), at);
      case "torch._utils._rebuild_meta_tensor_no_storage":
        return this.withoutData(this.items(args, 4, at), at);
      case "torch._utils._rebuild_qtensor":
        return this.quantized(this.items(args, 7, at), at);
      case "torch._utils._rebuild_sparse_tensor":
        return this.sparse(this.items(args, 1, at), at);
      case "torch._utils._rebuild_parameter": {
        const [data, requiresGrad] = this.items(args, 3, at);
        const tensor = this.tensor(data, at);
        tensor.requiresGrad = this.bool(requiresGrad, at);
        return tensor;
      }
      case "torch._tensor._rebuild_from_type_v2": {
        // Python attributes are dropped, as in torch
        const [rebuild, , inner] = this.items(args, 4, at);
        if (!(rebuild instanceof PickleGlobal))
          return this.fail(`tensor is rebuilt by ${pickleTypeName(rebuild)}, expected a global`, at);
        return (
          this.apply(rebuild, inner!, at) ??
          this.fail(`tensor is rebuilt by ${rebuild.qualifiedName}, which is not known`, at)
        );
      }
      default:
        return undefined;
    }
  }

  private fail(message: string, byteOffset: number): never {
    throw new PickleError(`Cannot unpickle "${this.pickle}": ${message}`, { record: this.pickle, byteOffset });
  }
  private items(value: PickleValue | undefined, atLeast: number, at: number): readonly PickleValue[] {
    if (!(value instanceof PickleTuple) || value.items.length < atLeast)
      return this.fail(`tensor is rebuilt from ${pickleTypeName(value)}, expected a tuple of ${atLeast}`, at);
    return value.items;
  }
  private int(value: PickleValue | undefined, at: number): number {
    if (typeof value !== "number") return this.fail(`part of a tensor is ${pickleTypeName(value)}, expected int`, at);
    return value;
  }
  private bool(value: PickleValue | undefined, at: number): boolean {
    if (typeof value !== "boolean") return this.fail(`part of a tensor is ${pickleTypeName(value)}, expected bool`, at);
    return value;
  }
  private float(value: PickleValue | undefined, at: number): number {
    if (value instanceof PickleFloat) return value.value;
    return this.int(value, at);
  }
  private ints(value: PickleValue | undefined, at: number): number[] {
    return this.items(value, 0, at).map((v) => this.int(v, at));
  }
  private tensor(value: PickleValue | undefined, at: number): Tensor {
    const tensor = value instanceof PickleReduce ? this.rebuild(value) : undefined;
    return tensor ?? this.fail(`part of a tensor is ${pickleTypeName(value)}, expected a tensor`, at);
  }

  /** `(storage, storage_offset, size, stride, requires_grad, hooks[, {"conj": True}])`. */
  private strided(parts: readonly PickleValue[], at: number): Tensor {
    const tensor = this.view(parts, at);
    tensor.requiresGrad = this.bool(parts[4], at);
    // torch writes restore_type_tag(dict, "Dict[str, bool]"); the dict alone is Python's
    const given = parts[6];
    const bits = given instanceof PickleReduce && given.args instanceof PickleTuple ? given.args.items[0] : given;
    if (bits instanceof PickleDict) {
      tensor.isConj = bits.get("conj") === true;
      tensor.isNeg = bits.get("neg") === true;
    }
    return tensor;
  }

  /** `(untyped storage, storage_offset, size, stride, requires_grad, hooks, dtype[, bits])`: dtypes without a storage class. */
  private untyped(parts: readonly PickleValue[], at: number): Tensor {
    const tensor = this.view(parts, at, this.dtype(parts[6], at));
    tensor.requiresGrad = this.bool(parts[4], at);
    const bits = parts[7];
    if (bits instanceof PickleDict) {
      tensor.isConj = bits.get("conj") === true;
      tensor.isNeg = bits.get("neg") === true;
    }
    return tensor;
  }

  /** `(dtype, size, stride, requires_grad)`: a tensor of the meta device. */
  private withoutData(parts: readonly PickleValue[], at: number): Tensor {
    const dtype = this.dtype(parts[0], at);
    const sizes = this.sizes(parts[1], at);
    const tensor = metaTensor(dtype, sizes, this.ints(parts[2], at));
    tensor.requiresGrad = this.bool(parts[3], at);
    return tensor;
  }

  private dtype(value: PickleValue | undefined, at: number): DType {
    const dtype: DType | undefined =
      value instanceof PickleGlobal && value.module === "torch" && Object.hasOwn(DTYPES, value.name)
        ? DTYPES[value.name as keyof typeof DTYPES]
        : undefined;
    return dtype ?? this.fail(`dtype of a tensor is ${pickleTypeName(value)}, expected one of torch's`, at);
  }

  /** `(storage, storage_offset, size, stride, quantizer, requires_grad, hooks)`. */
  private quantized(parts: readonly PickleValue[], at: number): Tensor {
    const tensor = this.view(parts, at);
    tensor.quantizer = this.quantizer(this.items(parts[4], 3, at), at);
    tensor.requiresGrad = this.bool(parts[5], at);
    return tensor;
  }

  private quantizer(parts: readonly PickleValue[], at: number): Quantizer {
    const scheme = parts[0] instanceof PickleGlobal ? parts[0].name : "";
    switch (scheme) {
      case "per_tensor_affine":
        return { scheme, scale: this.float(parts[1], at), zeroPoint: this.int(parts[2], at) };
      case "per_channel_affine":
      case "per_channel_affine_float_qparams":
        return {
          scheme,
          scales: this.tensor(parts[1], at),
          zeroPoints: this.tensor(parts[2], at),
          axis: this.int(parts[3], at),
        };
      default:
        return this.fail(`Unsupported tensor quantization type in serialization ${pickleTypeName(parts[0])}`, at);
    }
  }

  /** Python's form `(layout, (indices..., values, size[, is_coalesced]))` in the order of TorchScript's. */
  private flatSparse(layout: PickleReduce, rest: PickleValue | undefined, at: number): readonly PickleValue[] {
    const name = layout.args instanceof PickleTuple ? layout.args.items[0] : undefined;
    const parts = this.items(rest, 3, at);
    const size = parts.find((part) => part instanceof PickleReduce && isSize(part));
    const sizes = size instanceof PickleReduce && size.args instanceof PickleTuple ? size.args.items[0] : size;
    const tensors = parts.filter((part) => part instanceof PickleReduce && !isSize(part));
    const id = name === "torch.sparse_coo" ? LAYOUT_SPARSE : name === "torch.sparse_csr" ? LAYOUT_SPARSE_CSR : 0;
    if (id === 0) {
      throw new UnsupportedError(
        "sparse layout",
        `Cannot unpickle "${this.pickle}": layout ${String(name)} is not read`,
      );
    }
    return [id, sizes ?? null, false, ...tensors, parts.at(-1) === true];
  }

  /** `(layout, size, requires_grad, indices..., values, ...)`. */
  private sparse(given: readonly PickleValue[], at: number): Tensor {
    const parts = given[0] instanceof PickleReduce ? this.flatSparse(given[0], given[1], at) : given;
    const layout = this.int(parts[0], at);
    const sizes = this.sizes(parts[1], at);
    const requiresGrad = this.bool(parts[2], at);
    const inner = parts.slice(3);
    let tensor: Tensor;
    if (layout === LAYOUT_SPARSE) {
      const [indices, values] = [this.tensor(inner[0], at), this.tensor(inner[1], at)];
      this.checkCoo(indices, values, sizes, at);
      tensor = tensorOfParts({ layout: "sparse_coo", indices, values, coalesced: inner[2] === true }, sizes);
    } else if (layout === LAYOUT_SPARSE_CSR) {
      const [compressedIndices, plainIndices, values] = [
        this.tensor(inner[0], at),
        this.tensor(inner[1], at),
        this.tensor(inner[2], at),
      ];
      tensor = tensorOfParts({ layout: "sparse_csr", compressedIndices, plainIndices, values }, sizes);
    } else
      throw new UnsupportedError(
        "sparse layout",
        `Cannot unpickle "${this.pickle}": Unsupported sparse tensor layout type in serialization ${layout}`,
      );
    tensor.requiresGrad = requiresGrad;
    return tensor;
  }

  private checkCoo(indices: Tensor, values: Tensor, sizes: readonly number[], at: number): void {
    const [dims = 0, count = 0] = indices.sizes;
    const dense = values.sizes.length - 1;
    if (indices.ndim !== 2 || values.ndim < 1 || values.sizes[0] !== count || dims + dense !== sizes.length) {
      this.fail(
        `sparse tensor has indices of shape [${indices.sizes.join(", ")}] and values of shape [${values.sizes.join(", ")}], expected them to fit shape [${sizes.join(", ")}]`,
        at,
      );
    }
  }

  private sizes(value: PickleValue | undefined, at: number): number[] {
    const sizes = this.ints(value, at);
    checkLimit("maxDim", sizes.length, `"${this.pickle}": dimensions of a tensor`, this.limits);
    let numel = 1;
    for (const size of sizes) {
      if (size < 0) this.fail(`tensor has size ${size}, expected 0 or more`, at);
      numel *= size;
      checkLimit("maxNumel", numel, `"${this.pickle}": elements of a tensor`, this.limits);
    }
    return sizes;
  }

  /** The view `(storage, storage_offset, size, stride)`, all of whose elements lie inside the storage. */
  private view(parts: readonly PickleValue[], at: number, given?: DType): Tensor {
    const { storage, dtype: own, device } = this.storages.resolve(parts[0]);
    const dtype = given ?? own;
    const offset = this.int(parts[1], at);
    const sizes = this.sizes(parts[2], at);
    const strides = this.ints(parts[3], at);
    if (strides.length !== sizes.length)
      this.fail(`tensor has ${sizes.length} sizes and ${strides.length} strides, expected as many`, at);
    if (offset < 0 || strides.some((s) => s < 0))
      this.fail(`tensor has offset ${offset} and strides [${strides.join(", ")}], expected none below 0`, at);
    if (!sizes.includes(0)) {
      const last = sizes.reduce((sum, size, d) => sum + (size - 1) * strides[d]!, offset);
      const need = Math.ceil((last + 1) / (PER_BYTE[dtype.name] ?? 1)) * dtype.itemsize;
      if (!(need <= storage.nbytes)) {
        throw new ArchiveError(
          `Cannot read tensor of "${this.pickle}": shape [${sizes.join(", ")}], strides [${strides.join(", ")}] and offset ${offset} need ${need} bytes, its storage has ${storage.nbytes}`,
          { record: this.pickle, byteOffset: at },
        );
      }
    }
    const tensor = new Tensor(storage, dtype, sizes, strides, offset);
    tensor.device = device;
    return tensor;
  }
}

function isSize(call: PickleReduce): boolean {
  return call.callable instanceof PickleGlobal && call.callable.is("torch", "Size");
}
