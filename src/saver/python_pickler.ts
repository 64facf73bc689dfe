/** @file Pickles JavaScript data and tensors as Python's own pickler does for torch.save: memo ids, batches and reduce calls alike. Upstream: torch/_tensor.py (__reduce_ex__), torch/serialization.py (persistent_id), CPython Modules/_pickle.c. Spec: spec/pickle.md. */
import { OperatorError, UnsupportedError } from "../base/errors.ts";
import type { PickleEmitter } from "../archive/pickler.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { Complex, Float } from "../tensor/scalar.ts";
import type { Storage } from "../tensor/storage.ts";
import { Device, Tensor, type Quantizer, type SparseParts } from "../tensor/tensor.ts";

const BATCH = 1000; // _pickle.c: BATCHSIZE
const MAX_DEPTH = 1000; // Python's recursion limit
const dtypes = new Set<unknown>(Object.values(DTYPES));

/** dtypes that have no storage class of their own: torch/storage.py `_new_dtypes`. */
function isNewDType(dtype: DType): boolean {
  return (
    dtype === DTYPES.complex32 ||
    dtype.category === "bits" ||
    dtype.id >= DTYPES.uint16.id ||
    /^float8/.test(dtype.name)
  );
}

/** How a caller's objects count: what is an OrderedDict, and the state that is kept beside its items. */
export interface PickledKinds {
  /** The state of an OrderedDict: null for one without; undefined for what is none. */
  orderedDictState(value: ReadonlyMap<unknown, unknown>): Readonly<Record<string, unknown>> | null | undefined;
}

/** Writes values into an emitter and collects the storages that they name. */
export class PythonPickler {
  /** Storages in the order of their records `data/0`, `data/1`, ... */
  readonly storages: Storage[] = [];
  private readonly out: PickleEmitter;
  private readonly kinds: PickledKinds;
  private readonly keys = new Map<Storage, string>();
  private readonly path: string[] = [];

  constructor(out: PickleEmitter, kinds: PickledKinds) {
    this.out = out;
    this.kinds = kinds;
  }

  /** Writes a value. Throws OperatorError naming the place of what has no pickled form. */
  push(value: unknown): void {
    if (this.path.length > MAX_DEPTH)
      throw new OperatorError(`Cannot save: values are nested more than ${MAX_DEPTH} deep`);
    const { out } = this;
    if (value === null) return out.pushNone();
    if (typeof value === "boolean") return out.pushBool(value);
    if (typeof value === "number") return this.pushNumber(value);
    if (typeof value === "bigint") return this.pushInt(value);
    if (typeof value === "string") return out.pushString(value);
    if (value instanceof Float) return out.pushDouble(value.value);
    if (dtypes.has(value)) return out.pushGlobal("torch", (value as DType).name);
    if (typeof value !== "object") return this.refuse(value);
    if (out.recall(value)) return;
    if (value instanceof Tensor) this.pushTensor(value);
    else if (Array.isArray(value)) this.pushArray(value);
    else if (value instanceof Map) this.pushMap(value);
    else if (value instanceof Set) this.pushSet(value);
    else if (value instanceof Uint8Array) this.pushBytes(value);
    else if (value instanceof Complex)
      this.pushCall("__builtin__", "complex", [new Float(value.re), new Float(value.im)], value);
    else if (value instanceof Device)
      this.pushCall("torch", "device", value.index === undefined ? [value.type] : [value.type, value.index], value);
    else if (isPlainObject(value)) this.pushDict(Object.entries(value), value);
    else this.refuse(value);
  }

  private refuse(value: unknown): never {
    const place = this.path.length === 0 ? "" : ` at ${this.path.join("")}`;
    const what =
      typeof value === "function"
        ? value.toString === Function.prototype.toString
          ? "a function"
          : "a module (save its stateDict())"
        : typeof value === "object"
          ? `an object of class ${(value as object).constructor.name}${ArrayBuffer.isView(value) ? " (make a tensor of it with torch.from)" : ""}`
          : String(value);
    throw new OperatorError(
      `Cannot save ${what}${place}: expected tensors, numbers, strings, booleans, null, arrays, maps and plain objects`,
    );
  }

  private within(step: string, value: unknown): void {
    this.path.push(step);
    this.push(value);
    this.path.pop();
  }

  private pushNumber(value: number): void {
    if (Number.isInteger(value) && !Object.is(value, -0)) this.pushInt(value);
    else this.out.pushDouble(value);
  }

  /** Python writes what is beyond 32 bits in as few bytes as two's complement needs. */
  private pushInt(value: number | bigint): void {
    const big = BigInt(value);
    if (big >= -(2n ** 31n) && big < 2n ** 31n) return this.out.pushInt(Number(big));
    const bytes: number[] = [];
    let rest = big;
    while (!(rest === 0n || rest === -1n) || (bytes.at(-1)! & 0x80) !== (rest < 0n ? 0x80 : 0)) {
      bytes.push(Number(rest & 0xffn));
      rest >>= 8n;
      if (bytes.length > 255) throw new OperatorError(`Cannot save an int of more than 255 bytes`);
    }
    this.out.op("LONG1");
    this.out.bytes(Uint8Array.of(bytes.length, ...bytes));
  }

  /** A frozen array is a tuple, any other a list. */
  private pushArray(value: readonly unknown[]): void {
    if (Object.isFrozen(value)) return this.pushTuple(value, value);
    const { out } = this;
    out.op("EMPTY_LIST");
    out.memoizeTop(value);
    if (value.length === 1) {
      this.within("[0]", value[0]);
      return out.op("APPEND");
    }
    for (let start = 0; start < value.length; start += BATCH) {
      out.mark();
      for (let i = start; i < Math.min(start + BATCH, value.length); i++) this.within(`[${i}]`, value[i]);
      out.op("APPENDS");
    }
  }

  private pushTuple(items: readonly unknown[], key?: object): void {
    const { out } = this;
    out.startTupleOf(items.length);
    items.forEach((item, i) => this.within(`[${i}]`, item));
    out.endTupleOf(items.length);
    if (items.length > 0) out.memoizeTop(key);
  }

  private pushMap(value: ReadonlyMap<unknown, unknown>): void {
    const state = this.kinds.orderedDictState(value);
    if (state === undefined) return this.pushDict([...value], value);
    const { out } = this;
    this.pushEmptyOrderedDict(value);
    this.pushItems([...value], false);
    if (state === null) return;
    this.pushDict(Object.entries(state), state);
    out.build();
  }

  private pushEmptyOrderedDict(key?: object): void {
    this.out.pushGlobal("collections", "OrderedDict");
    this.out.pushEmptyTuple();
    this.out.reduce();
    this.out.memoizeTop(key);
  }

  private pushDict(entries: readonly (readonly [unknown, unknown])[], key: object): void {
    this.out.pushEmptyDict();
    this.out.memoizeTop(key);
    this.pushItems(entries, true);
  }

  /** Items in batches; a dict's own batches end with an empty one where the count is a multiple of 1000. */
  private pushItems(entries: readonly (readonly [unknown, unknown])[], isExact: boolean): void {
    const { out } = this;
    const one = ([key, value]: readonly [unknown, unknown]): void => {
      this.push(key);
      this.within(typeof key === "string" && /^\w+$/.test(key) ? `.${key}` : `[${JSON.stringify(String(key))}]`, value);
    };
    if (entries.length === 0) return;
    if (entries.length === 1) {
      one(entries[0]!);
      return out.op("SETITEM");
    }
    for (let start = 0; start < entries.length || (isExact && start === entries.length); start += BATCH) {
      const batch = entries.slice(start, start + BATCH);
      if (batch.length === 1 && !isExact) {
        one(batch[0]!);
        out.op("SETITEM");
        continue;
      }
      out.mark();
      batch.forEach(one);
      out.op("SETITEMS");
    }
  }

  private pushCall(module: string, name: string, args: readonly unknown[], key?: object): void {
    const { out } = this;
    out.pushGlobal(module, name);
    this.pushTuple(args);
    out.reduce();
    out.memoizeTop(key);
  }

  private pushSet(value: ReadonlySet<unknown>): void {
    this.pushCall("__builtin__", "set", [[...value]], value);
  }

  /** Protocol 2 has no bytes: Python writes text that encodes to them. */
  private pushBytes(value: Uint8Array): void {
    if (value.length === 0) {
      this.out.pushGlobal("__builtin__", "bytes");
      this.out.pushEmptyTuple();
      this.out.reduce();
      this.out.memoizeTop(value);
      return;
    }
    let text = "";
    for (const byte of value) text += String.fromCharCode(byte);
    this.pushCall("_codecs", "encode", [text, "latin1"], value);
  }

  // Tensors

  private pushTensor(tensor: Tensor): void {
    const { out } = this;
    if (tensor.isParameter) {
      out.pushGlobal("torch._utils", "_rebuild_parameter");
      this.pushTensorCall(tensor, false);
      out.memoizeTop();
      out.pushBool(tensor.requiresGrad);
      this.pushEmptyOrderedDict();
      out.op("TUPLE3");
      out.memoizeTop();
      out.reduce();
    } else this.pushTensorCall(tensor, tensor.requiresGrad);
    out.memoizeTop(tensor);
  }

  /** The rebuild call of a tensor; its result is not memoized yet. */
  private pushTensorCall(tensor: Tensor, requiresGrad: boolean): void {
    const { out } = this;
    const { dtype, quantizer, sparse } = tensor;
    if (sparse) return this.pushSparse(tensor, sparse);
    if (tensor.device.type === "meta") {
      out.pushGlobal("torch._utils", "_rebuild_meta_tensor_no_storage");
      out.startTuple();
      out.pushGlobal("torch", dtype.name);
      this.pushTuple(tensor.sizes);
      this.pushTuple(tensor.strides);
      out.pushBool(requiresGrad);
      this.endCall();
      return;
    }
    const isNew = isNewDType(dtype);
    out.pushGlobal(
      "torch._utils",
      quantizer ? "_rebuild_qtensor" : isNew ? "_rebuild_tensor_v3" : "_rebuild_tensor_v2",
    );
    out.startTuple();
    this.pushStorage(tensor.storage, dtype, isNew);
    out.pushInt(tensor.storageOffset);
    this.pushTuple(tensor.sizes);
    this.pushTuple(tensor.strides);
    if (quantizer) this.pushQuantizer(quantizer);
    out.pushBool(requiresGrad);
    this.pushEmptyOrderedDict();
    if (isNew) out.pushGlobal("torch", dtype.name);
    const bits = [...(tensor.isConj ? ["conj"] : []), ...(tensor.isNeg ? ["neg"] : [])];
    if (bits.length > 0) {
      const state = bits.map((bit) => [bit, true] as const);
      this.pushDict(state, state);
    }
    this.endCall();
  }

  private endCall(): void {
    const { out } = this;
    out.endTuple();
    out.memoizeTop();
    out.reduce();
  }

  private pushStorage(storage: Storage, dtype: DType, isUntyped: boolean): void {
    const { out } = this;
    let key = this.keys.get(storage);
    if (key === undefined) {
      key = String(this.storages.length);
      this.keys.set(storage, key);
      this.storages.push(storage);
    }
    out.startTuple();
    out.pushString("storage");
    if (isUntyped) out.pushGlobal("torch.storage", "UntypedStorage");
    else out.pushGlobal("torch", dtype.storageName);
    this.pushStorageKey(key);
    out.pushString("cpu");
    out.pushInt(isUntyped ? storage.nbytes : Math.floor(storage.nbytes / dtype.itemsize));
    out.endTuple();
    out.memoizeTop();
    out.pushPersistentId();
  }

  /** Python makes the text of a storage's key anew: it is remembered for the storage, not as equal text elsewhere. */
  private pushStorageKey(key: string): void {
    const { out } = this;
    const memo = `storage ${key}`;
    if (out.recall(memo)) return;
    out.pushStringUnmemoized(key);
    out.memoizeTop(memo);
  }

  private pushQuantizer(quantizer: Quantizer): void {
    const { out } = this;
    const isWhole = quantizer.scheme === "per_tensor_affine";
    out.startTupleOf(isWhole ? 3 : 4);
    out.pushGlobal("torch", quantizer.scheme);
    if (quantizer.scheme === "per_tensor_affine") {
      out.pushDouble(quantizer.scale);
      out.pushInt(quantizer.zeroPoint);
    } else {
      this.push(quantizer.scales);
      this.push(quantizer.zeroPoints);
      out.pushInt(quantizer.axis);
    }
    out.endTupleOf(isWhole ? 3 : 4);
    out.memoizeTop();
  }

  private pushSparse(tensor: Tensor, sparse: SparseParts): void {
    const { out } = this;
    const parts =
      sparse.layout === "sparse_coo"
        ? [sparse.indices, sparse.values]
        : [sparse.compressedIndices, sparse.plainIndices, sparse.values];
    if (tensor.requiresGrad)
      throw new UnsupportedError("sparse", "Cannot save a sparse tensor that requires gradients");
    out.pushGlobal("torch._utils", "_rebuild_sparse_tensor");
    this.pushCall("torch.serialization", "_get_layout", [`torch.${sparse.layout}`]);
    const count = sparse.layout === "sparse_coo" ? 4 : parts.length + 1;
    out.startTupleOf(count);
    for (const part of parts) this.push(part);
    this.pushCall("torch", "Size", [Object.freeze([...tensor.sizes])]);
    if (sparse.layout === "sparse_coo") out.pushBool(sparse.coalesced);
    out.endTupleOf(count);
    out.memoizeTop();
    out.op("TUPLE2");
    out.memoizeTop();
    out.reduce();
  }
}

function isPlainObject(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
