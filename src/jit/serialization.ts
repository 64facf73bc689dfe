/** @file torch.save and torch.load: tensors, state dicts and plain data in PyTorch's checkpoint format. Upstream: torch/serialization.py. Spec: spec/container.md. */
import {
  ArchiveReader,
  ArchiveWriter,
  BUFFER_ROOT_NAME,
  MemorySink,
  MemorySource,
  PickleEmitter,
  describeSource,
  openAsyncSource,
  prefetch,
  rootNameOf,
  unpickle,
  type AsyncByteSource,
  type AsyncInput,
  type ByteSink,
  type ByteSource,
} from "../archive/index.ts";
import { encodeUtf8 } from "../base/bytes.ts";
import { ArchiveError } from "../base/errors.ts";
import type { LimitOverrides } from "../base/limits.ts";
import { CheckpointImporter, versionsOf, type ImportedKinds } from "../loader/checkpoint_import.ts";
import { LegacyCheckpoint, isLegacyCheckpoint } from "../loader/legacy_checkpoint.ts";
import { StorageImporter } from "../loader/storage_import.ts";
import { TensorImporter } from "../loader/tensor_import.ts";
import { OrderedDict } from "../nn/ordered_dict.ts";
import { Parameter } from "../nn/parameter.ts";
import { StateDict } from "../nn/state_dict.ts";
import { PythonPickler, type PickledKinds } from "../saver/python_pickler.ts";
import { Tensor } from "../tensor/tensor.ts";
import { openSource, type LoadInput } from "./load.ts";
import { platform, urlNamedBy } from "./platform.ts";

const DATA = "data.pkl";
const FORMAT_VERSION = ".format_version";
const STORAGE_ALIGNMENT = ".storage_alignment";
const ALIGNMENT = 64;
const HEAD_BYTES = 16;

/** How to load a checkpoint. */
export interface CheckpointOptions {
  /** Check the CRC of each record that is read (default true). */
  readonly verifyCrc?: boolean;
  /** Read the elements of a tensor when they are first used; the source must stay as it is. Default false. */
  readonly mmap?: boolean;
  /** Overrides of the limits that untrusted files are held to. */
  readonly limits?: LimitOverrides;
}

const PICKLED: PickledKinds = {
  orderedDictState(value) {
    if (value instanceof StateDict) {
      return value.metadata.size === 0 ? null : { _metadata: new OrderedDict<string, unknown>(value.metadata) };
    }
    return value instanceof OrderedDict ? null : undefined;
  },
};

const IMPORTED: ImportedKinds = {
  orderedDict(entries, state) {
    const isState = entries.every(([key, value]) => typeof key === "string" && value instanceof Tensor);
    if (!isState || (entries.length === 0 && state === null)) return new OrderedDict<unknown, unknown>(entries);
    const dict = new StateDict(entries as [string, Tensor][]);
    for (const [path, version] of versionsOf(state)) dict.metadata.set(path, version);
    return dict;
  },
  parameter: (data, requiresGrad) => new Parameter(data, { requiresGrad }),
};

function writeTo(sink: ByteSink, rootName: string, value: unknown): void {
  try {
    const out = new PickleEmitter();
    const pickler = new PythonPickler(out, PICKLED);
    pickler.push(value);
    const writer = new ArchiveWriter(sink, { rootName, alignment: ALIGNMENT });
    writer.writeRecord(DATA, out.finish(), { compress: false });
    writer.writeRecord(FORMAT_VERSION, encodeUtf8("1"));
    writer.writeRecord(STORAGE_ALIGNMENT, encodeUtf8(String(ALIGNMENT)));
    writer.writeRecord("byteorder", encodeUtf8("little"));
    pickler.storages.forEach((storage, i) => writer.writeRecord(`data/${i}`, storage.bytes(), { compress: false }));
    writer.finish({ byteorder: false });
    sink.close();
  } catch (error) {
    sink.abort();
    throw error;
  }
}

/**
 * Saves tensors, state dicts, numbers, strings, booleans, null, and arrays, maps, sets and plain objects of them to a file or
 * sink that `torch.load` in Python opens. A frozen array is a tuple; whole numbers are ints, `torch.asFloat(1)` is a float; a
 * plain object or Map is a dict, a StateDict or OrderedDict an OrderedDict. Tensors that share memory still do when loaded.
 * Mirrors `torch.save`. Throws OperatorError naming the place of a value that cannot be saved.
 */
export function save(value: unknown, target: string | ByteSink): void {
  if (typeof target === "string") writeTo(platform().createFile(target), rootNameOf(target), value);
  else writeTo(target, BUFFER_ROOT_NAME, value);
}

/** The bytes that `save` writes. */
export function saveToBuffer(value: unknown): Uint8Array {
  const sink = new MemorySink();
  writeTo(sink, BUFFER_ROOT_NAME, value);
  return sink.bytes();
}

/**
 * Loads what `torch.save` wrote, here or in Python, from a path, bytes or a source of bytes; also the format before PyTorch 1.6.
 * Tuples come as frozen arrays, dicts as plain objects (as a Map where a key is no text or is all digits), OrderedDicts of
 * tensors as StateDict, others as OrderedDict; tensors on any device come to the CPU. Mirrors `torch.load` with
 * `weights_only=True`: nothing that the file names is ever run, and what is not known is refused with UnsupportedError.
 * Throws ArchiveError or PickleError where the file is damaged.
 */
export function load<T = unknown>(input: LoadInput, options: CheckpointOptions = {}): T {
  const source = openSource(input);
  try {
    return loadFrom(source, options) as T;
  } finally {
    if (typeof input === "string" && !options.mmap) source.close?.();
  }
}

/** As `load`, from a URL, Blob, stream or asynchronous source as well. */
export async function loadAsync<T = unknown>(input: string | AsyncInput, options: CheckpointOptions = {}): Promise<T> {
  const named = typeof input === "string" ? urlNamedBy(input) : input;
  if (named === undefined) return load<T>(input as string, options);
  const source = await openAsyncSource(named);
  const isZip = await beginsAsZip(source);
  const bytes = isZip
    ? await prefetch(source, { records: () => true, limits: options.limits })
    : new MemorySource(await source.read(0, source.size));
  return loadFrom(bytes, options) as T;
}

async function beginsAsZip(source: AsyncByteSource): Promise<boolean> {
  const head = await source.read(0, Math.min(2, source.size));
  return head[0] === 0x50 && head[1] === 0x4b;
}

function loadFrom(source: ByteSource, options: CheckpointOptions): unknown {
  const { limits } = options;
  const mayRead = !source.has || source.has(0, Math.min(HEAD_BYTES, source.size));
  const head = mayRead ? source.read(0, Math.min(HEAD_BYTES, source.size)) : new Uint8Array(0);
  if (isLegacyCheckpoint(head)) {
    const legacy = new LegacyCheckpoint(source, limits);
    return new CheckpointImporter(new TensorImporter(legacy, "object", limits), IMPORTED, "object").value(legacy.root);
  }
  const reader = ArchiveReader.open(source, { verifyCrc: options.verifyCrc ?? true, limits });
  const refuse = (message: string): never => {
    throw new ArchiveError(`Cannot load ${describeSource(source)}: ${message}`, { file: source.name });
  };
  if (reader.has("constants.pkl")) return refuse("it is a TorchScript archive; jit.load opens it");
  if (!reader.has(DATA)) return refuse(`it has no record "${DATA}", which torch.save writes`);
  const byteorder = reader.byteorder() ?? "little";
  if (byteorder !== "little" && byteorder !== "big")
    return refuse(`byteorder is "${byteorder}", expected little or big`);
  const storages = new StorageImporter(reader, "data/", DATA, { byteorder, limits, lazy: options.mmap });
  const value = unpickle(reader.read(DATA), { record: DATA, limits });
  return new CheckpointImporter(new TensorImporter(storages, DATA, limits), IMPORTED, DATA).value(value);
}

/** The functions that join `torch`. */
export interface Serialization {
  /** Saves tensors, state dicts and plain data to a file that `torch.load` in Python opens. Mirrors `torch.save`. */
  readonly save: typeof save;
  /** The bytes that `torch.save` writes. */
  readonly saveToBuffer: typeof saveToBuffer;
  /** Loads what `torch.save` wrote, here or in Python. Mirrors `torch.load` with `weights_only=True`. */
  readonly load: typeof load;
  /** As `torch.load`, from a URL, Blob or stream as well. */
  readonly loadAsync: typeof loadAsync;
}

/** See `Serialization`. */
export const serialization: Serialization = { save, saveToBuffer, load, loadAsync };
