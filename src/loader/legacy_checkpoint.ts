/** @file torch.save's format before PyTorch 1.6: pickles one behind the other, then the storages. Upstream: torch/serialization.py `_legacy_load`. Spec: spec/pickle.md. */
import { describeSource, type ByteSource } from "../archive/byte_source.ts";
import {
  PersistentId,
  PickleDict,
  PickleGlobal,
  PickleList,
  PickleTuple,
  pickleChildren,
  pickleTypeName,
  type PickleValue,
} from "../archive/pickle_value.ts";
import { unpickleAll, type Unpickled } from "../archive/unpickler.ts";
import { ByteReader } from "../base/bytes.ts";
import { ArchiveError, PickleError, UnsupportedError } from "../base/errors.ts";
import { checkLimit, type LimitOverrides } from "../base/limits.ts";
import { dtypeFromStorageName, type DType } from "../tensor/dtype.ts";
import { Storage, allocateStorage } from "../tensor/storage.ts";
import { CPU } from "../tensor/tensor.ts";
import type { StorageReference } from "./storage_import.ts";
import type { StorageResolver } from "./tensor_import.ts";

const MAGIC = 0x1950a86a20f9469cfc6cn; // serialization.py: MAGIC_NUMBER
const PROTOCOL = 1001;
const FIRST_BYTES = 1 << 16;

/** Whether bytes begin like such a file: a pickle of protocol 2 that holds the magic number. */
export function isLegacyCheckpoint(head: Uint8Array): boolean {
  const magic = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
  return magic.every((byte, i) => head[i] === byte);
}

/** A file in the old format, read up to the storages. */
export class LegacyCheckpoint implements StorageResolver {
  /** The pickled object. */
  readonly root: PickleValue;
  private readonly source: ByteSource;
  private readonly limits: LimitOverrides | undefined;
  private position = 0;
  private readonly storages = new Map<string, Storage>();
  private readonly dtypes = new Map<string, DType>();
  private readonly views = new Map<string, Storage>();

  /** Reads the pickles and the storages. Throws ArchiveError or PickleError where they are not as they should be. */
  constructor(source: ByteSource, limits?: LimitOverrides) {
    this.source = source;
    this.limits = limits;
    if (this.pickle("magic number") !== MAGIC) this.fail("it does not begin with the magic number of torch.save");
    const protocol = this.pickle("protocol");
    if (protocol !== PROTOCOL) this.fail(`protocol is ${String(protocol)}, expected ${PROTOCOL}`);
    const system = this.pickle("system information");
    if (system instanceof PickleDict && system.get("little_endian") === false)
      throw new UnsupportedError(
        "big-endian",
        `Cannot read ${describeSource(source)}: it was written on a big-endian machine`,
      );
    this.root = this.pickle("object");
    const types = this.storageTypes(this.root);
    const keys = this.pickle("list of storages");
    if (!(keys instanceof PickleList)) return this.fail(`list of storages is ${pickleTypeName(keys)}, expected a list`);
    for (const key of keys.items) {
      if (typeof key !== "string") return this.fail(`storage key is ${pickleTypeName(key)}, expected str`);
      this.readStorage(key, types);
    }
  }

  private fail(message: string): never {
    throw new ArchiveError(`Cannot read ${describeSource(this.source)}: ${message}`, {
      file: this.source.name,
      byteOffset: this.position,
    });
  }

  /** The next pickle; how long it is shows only when it is read. */
  private pickle(what: string): PickleValue {
    const left = this.source.size - this.position;
    for (let length = Math.min(FIRST_BYTES, left); ; length = Math.min(length * 4, left)) {
      checkLimit("maxRecordBytes", length, `pickle of ${describeSource(this.source)}`, this.limits);
      let read: Unpickled;
      try {
        read = unpickleAll(this.source.read(this.position, length), { record: what, limits: this.limits });
      } catch (error) {
        if (error instanceof PickleError && length < left && isAtEnd(error, length)) continue;
        throw error;
      }
      this.position += read.nbytes;
      return read.value;
    }
  }

  /** The dtype of every storage that a pickle names. Walks without recursion. */
  private storageTypes(root: PickleValue): Map<string, DType> {
    const types = new Map<string, DType>();
    for (const id of persistentIds(root)) {
      const { key, dtype } = this.parts(id);
      types.set(key, dtype);
    }
    return types;
  }

  private parts(id: PersistentId): { key: string; dtype: DType; numel: number; view: PickleValue } {
    const items = id.value instanceof PickleTuple ? id.value.items : [];
    const [word, type, key, , numel, view = null] = items;
    const name = type instanceof PickleGlobal && type.module === "torch" ? type.name : pickleTypeName(type);
    const dtype = dtypeFromStorageName(name);
    if (word !== "storage" || typeof key !== "string" || typeof numel !== "number" || !dtype) {
      throw new PickleError(
        `Cannot unpickle "object": storage is (${items.map((v) => pickleTypeName(v)).join(", ")}) of type ${name}, expected ("storage", a storage class, key, device, elements, view)`,
        { record: "object", byteOffset: id.byteOffset },
      );
    }
    return { key, dtype, numel, view };
  }

  private readStorage(key: string, types: ReadonlyMap<string, DType>): void {
    const dtype = types.get(key) ?? this.fail(`storage ${key} has no tensor`);
    if (this.source.size - this.position < 8) this.fail(`storage ${key} has no length`);
    const header = new ByteReader(this.source.read(this.position, 8), (message) =>
      this.fail(`storage ${key}: ${message}`),
    );
    const nbytes = header.u8() * dtype.itemsize;
    this.position += 8;
    if (nbytes > this.source.size - this.position)
      this.fail(`storage ${key} has ${this.source.size - this.position} bytes left, its elements need ${nbytes}`);
    const storage = allocateStorage(nbytes);
    storage.bytes().set(this.source.read(this.position, nbytes));
    this.position += nbytes;
    this.storages.set(key, storage);
    this.dtypes.set(key, dtype);
  }

  /** The storage that `('storage', FloatStorage, key, device, numel, view)` means. */
  resolve(id: PickleValue | undefined): StorageReference {
    if (!(id instanceof PersistentId))
      throw new PickleError(`Cannot unpickle "object": tensor is made of ${pickleTypeName(id)}, expected a storage`, {
        record: "object",
      });
    const { key, dtype, view } = this.parts(id);
    const storage = this.storages.get(key) ?? this.fail(`storage ${key} is not in the file`);
    return { storage: view instanceof PickleTuple ? this.viewOf(storage, dtype, view) : storage, dtype, device: CPU };
  }

  /** A part of a storage that counts as a storage by itself, as PyTorch 0.4 and earlier made them. */
  private viewOf(storage: Storage, dtype: DType, view: PickleTuple): Storage {
    const [key, offset, size] = view.items;
    if (typeof key !== "string" || typeof offset !== "number" || typeof size !== "number")
      return this.fail("view of a storage is no (key, offset, size)");
    const known = this.views.get(key);
    if (known) return known;
    const [start, nbytes] = [offset * dtype.itemsize, size * dtype.itemsize];
    if (start < 0 || nbytes < 0 || start + nbytes > storage.nbytes)
      this.fail(`view of a storage reaches from byte ${start} to ${start + nbytes}, the storage has ${storage.nbytes}`);
    const made = new Storage(storage.segment, storage.byteOffset + start, nbytes);
    this.views.set(key, made);
    return made;
  }
}

/** Whether a pickle failed because its bytes ended: there may be more of them. */
function isAtEnd(error: PickleError, length: number): boolean {
  // the longest argument of an opcode begins within the bytes and ends behind them
  return (
    error.byteOffset !== undefined &&
    (error.byteOffset >= length || /bytes are left|line feed not found|Unexpected end/.test(error.message))
  );
}

function* persistentIds(root: PickleValue): Generator<PersistentId> {
  const seen = new Set<PickleValue>();
  const stack: PickleValue[] = [root];
  while (stack.length > 0) {
    const value = stack.pop()!;
    if (typeof value !== "object" || value === null || seen.has(value)) continue;
    seen.add(value);
    if (value instanceof PersistentId) yield value;
    else for (const child of pickleChildren(value)) stack.push(child);
  }
}
