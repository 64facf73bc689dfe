/** @file Tensors in a pickle: rebuild calls and storages. Upstream: torch/csrc/jit/serialization/pickler.cpp (pushLiteralTensor). Spec: spec/pickle.md. */
import type { PickleEmitter } from "../archive/pickler.ts";
import { UnsupportedError } from "../base/errors.ts";
import type { Storage } from "../tensor/storage.ts";
import type { Quantizer, SparseParts, Tensor } from "../tensor/tensor.ts";

/** A storage that a pickle names; its record's name is its place in the list. */
export interface PickledStorage {
  readonly storage: Storage;
  /** Storages of the meta device have records without bytes. */
  readonly isMeta: boolean;
}

const TENSOR_MODULE = "torch._utils";
const SPARSE_LAYOUTS = { sparse_coo: 1, sparse_csr: 2 } as const; // c10::Layout

/** Writes tensors into an emitter and collects their storages. */
export class TensorPickler {
  readonly storages: PickledStorage[] = [];
  private readonly out: PickleEmitter;

  constructor(out: PickleEmitter) {
    this.out = out;
  }

  push(tensor: Tensor): void {
    if (tensor.sparse) return this.pushSparse(tensor, tensor.sparse);
    const { out } = this;
    const { quantizer } = tensor;
    out.pushGlobal(TENSOR_MODULE, quantizer ? "_rebuild_qtensor" : "_rebuild_tensor_v2");
    out.startTuple();
    this.pushStorage(tensor);
    out.pushInt(tensor.storageOffset);
    this.pushInts(tensor.sizes);
    this.pushInts(tensor.strides);
    if (quantizer) this.pushQuantizer(quantizer);
    out.pushBool(tensor.requiresGrad);
    this.pushHooks();
    if (!quantizer) this.pushMathBits(tensor);
    out.endTuple();
    out.reduce();
  }

  private pushInts(values: readonly number[]): void {
    this.out.startTuple();
    for (const value of values) this.out.pushInt(value);
    this.out.endTuple();
  }

  private pushStorage(tensor: Tensor): void {
    const { out, storages } = this;
    const { storage, dtype } = tensor;
    if (out.recall(storage)) return;
    out.startTuple();
    out.pushString("storage");
    out.pushGlobal("torch", dtype.storageName);
    out.pushString(String(storages.length));
    out.pushString(String(tensor.device));
    out.pushInt(Math.floor(storage.nbytes / dtype.itemsize));
    out.endTuple();
    out.pushPersistentId();
    out.memoizeTop(storage);
    storages.push({ storage, isMeta: tensor.device.type === "meta" });
  }

  private pushQuantizer(quantizer: Quantizer): void {
    const { out } = this;
    out.startTuple();
    out.pushGlobal("torch", quantizer.scheme);
    if (quantizer.scheme === "per_tensor_affine") {
      out.pushDouble(quantizer.scale);
      out.pushInt(quantizer.zeroPoint);
    } else {
      this.push(quantizer.scales);
      this.push(quantizer.zeroPoints);
      out.pushInt(quantizer.axis);
    }
    out.endTuple();
  }

  /** An empty OrderedDict: the backward hooks, which TorchScript does not have. */
  private pushHooks(): void {
    this.out.pushGlobal("collections", "OrderedDict");
    this.out.pushEmptyTuple();
    this.out.reduce();
  }

  private pushMathBits(tensor: Tensor): void {
    const bits = [...(tensor.isConj ? ["conj"] : []), ...(tensor.isNeg ? ["neg"] : [])];
    if (bits.length === 0) return;
    const { out } = this;
    out.pushGlobal("torch.jit._pickle", "restore_type_tag");
    out.startDict();
    for (const bit of bits) {
      out.pushString(bit);
      out.pushBool(true);
    }
    out.endDict();
    out.pushString("Dict[str, bool]");
    out.op("TUPLE2");
    out.reduce();
  }

  private pushSparse(tensor: Tensor, sparse: SparseParts): void {
    const { out } = this;
    const { layout } = sparse;
    if (layout !== "sparse_coo" && layout !== "sparse_csr") {
      throw new UnsupportedError("sparse", `Unsupported sparse tensor layout type in serialization ${layout}`);
    }
    out.pushGlobal(TENSOR_MODULE, "_rebuild_sparse_tensor");
    out.startTuple();
    out.pushInt(SPARSE_LAYOUTS[layout]);
    this.pushInts(tensor.sizes);
    out.pushBool(tensor.requiresGrad);
    if (sparse.layout === "sparse_coo") this.push(sparse.indices);
    else {
      this.push(sparse.compressedIndices);
      this.push(sparse.plainIndices);
    }
    this.push(sparse.values);
    this.pushHooks();
    out.endTuple();
    out.reduce();
  }
}
