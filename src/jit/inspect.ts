/** @file inspect: what an archive holds, read from its directory and pickle only; no storage is read and no code runs. Upstream: torch/utils/model_dump. Spec: spec/records.md. */
import {
  ArchiveReader, METHOD, PersistentId, PickleDict, PickleGlobal, PickleList, PickleObject, PickleReduce, PickleTuple, RECORD,
  describeVersion, unpickle, type ByteSource, type PickleValue,
} from "../archive/index.ts";
import { dtypeFromStorageName } from "../tensor/dtype.ts";

/** A tensor as the pickle describes it; offsets and strides in elements. */
export interface TensorSummary {
  /** Dotted path from the root, with `[i]` and `["key"]` inside containers. */
  readonly path: string;
  readonly kind: "parameter" | "buffer" | "attribute";
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly storageOffset: number;
  readonly requiresGrad: boolean;
  readonly device: string;
  /** Record that holds the storage, e.g. `data/3`. */
  readonly record: string;
  /** Bytes of the elements; a view may be smaller or (expanded) larger than its storage. */
  readonly nbytes: number;
  /** Sparse, quantized, conjugated, ...: what else the pickle says. */
  readonly note?: string;
}

/** A module or object of the hierarchy. */
export interface ModuleSummary {
  readonly name: string;
  readonly path: string;
  /** `__torch__.pkg.Net`. */
  readonly className: string;
  readonly tensors: readonly TensorSummary[];
  /** Attributes that are no tensors or modules: name and a short text of the value. */
  readonly attributes: readonly (readonly [string, string])[];
  readonly children: readonly ModuleSummary[];
  /** Path of the first place of an object that stands in several; then nothing else is filled in. */
  readonly sameAs?: string;
}

/** A storage and the tensors that view it. */
export interface StorageSummary {
  readonly record: string;
  readonly dtype: string;
  readonly numel: number;
  readonly nbytes: number;
  readonly device: string;
  readonly usedBy: readonly string[];
}

/** A record of the container. */
export interface RecordSummary {
  readonly name: string;
  readonly nbytes: number;
  readonly compressedNbytes: number;
  readonly compression: "stored" | "deflated" | string;
  readonly crc32: number;
  readonly aligned?: boolean;
  readonly dataOffset?: number;
}

/** Facts about the file. */
export interface ArchiveSummary {
  readonly file: string | undefined;
  readonly nbytes: number;
  readonly rootName: string;
  readonly version: number;
  readonly versionMeaning: string;
  readonly versionSince: string;
  readonly byteorder: string | undefined;
  readonly records: readonly RecordSummary[];
  readonly deflated: number;
  /** Storage records whose data starts at a multiple of 64 bytes, of those looked at (the first 64). */
  readonly aligned: readonly [number, number];
  readonly extraFiles: readonly string[];
  readonly codeFiles: readonly string[];
  readonly hasDebugRecords: boolean;
  readonly hasBytecode: boolean;
  readonly root: ModuleSummary;
  readonly storages: readonly StorageSummary[];
  readonly totals: { readonly parameters: number; readonly parameterBytes: number; readonly buffers: number; readonly bufferBytes: number; readonly storageBytes: number };
}

const ALIGNMENT_SAMPLE = 64;
const MAX_TEXT = 60;

/** Parameter names of each class, by qualified name: read from the code's `__parameters__` lines. */
function parameterNames(reader: ArchiveReader, className: string, cache: Map<string, Map<string, Set<string>>>): ReadonlySet<string> {
  const dot = className.lastIndexOf(".");
  const record = `code/${className.slice(0, Math.max(dot, 0)).replaceAll(".", "/")}.py`;
  let classes = cache.get(record);
  if (!classes) {
    classes = new Map();
    if (reader.has(record)) {
      let current: Set<string> | undefined;
      for (const line of reader.readText(record).split("\n")) {
        const cls = /^class (\w+)/.exec(line);
        if (cls) classes.set(cls[1]!, (current = new Set()));
        const list = /^ {2}__parameters__ = \[(.*)\]$/.exec(line);
        if (list && current) for (const [, name] of list[1]!.matchAll(/"((?:[^"\\]|\\.)*)"/g)) current.add(name!);
      }
    }
    cache.set(record, classes);
  }
  return classes.get(className.slice(dot + 1)) ?? new Set();
}

class Inspector {
  readonly storages = new Map<string, StorageSummary & { usedBy: string[] }>();
  readonly tensors: TensorSummary[] = [];
  private readonly reader: ArchiveReader;
  private readonly seen = new Map<PickleObject, string>();
  private readonly parameters = new Map<string, Map<string, Set<string>>>();

  constructor(reader: ArchiveReader) {
    this.reader = reader;
  }

  module(object: PickleObject, name: string, path: string): ModuleSummary {
    const className = object.cls.qualifiedName;
    const first = this.seen.get(object);
    const base = { name, path, className };
    if (first !== undefined) return { ...base, tensors: [], attributes: [], children: [], sameAs: first };
    this.seen.set(object, path);
    const tensors: TensorSummary[] = [];
    const attributes: [string, string][] = [];
    const children: ModuleSummary[] = [];
    const parameters = parameterNames(this.reader, className, this.parameters);
    const entries: [string, PickleValue][] =
      object.state instanceof PickleDict ? object.state.entries.map(([k, v]) => [String(k), v]) : object.state === undefined ? [] : [["(state)", object.state]];
    for (const [key, value] of entries) {
      const at = path ? `${path}.${key}` : key;
      if (value instanceof PickleObject) {
        children.push(this.module(value, key, at));
        continue;
      }
      const found = this.collect(value, at, parameters.has(key) ? "parameter" : "buffer");
      if (found.length > 0) tensors.push(...found);
      if (found.length === 0 || !isTensor(value)) attributes.push([key, shortText(value)]);
      this.nestedModules(value, at, children);
    }
    return { ...base, tensors, attributes, children };
  }

  /** Objects inside containers are shown as children too. */
  private nestedModules(value: PickleValue, path: string, children: ModuleSummary[]): void {
    if (value instanceof PickleReduce) this.nestedModules(value.args, path, children);
    else if (value instanceof PickleList || value instanceof PickleTuple) {
      value.items.forEach((item, i) => (item instanceof PickleObject ? children.push(this.module(item, `[${i}]`, `${path}[${i}]`)) : this.nestedModules(item, `${path}[${i}]`, children)));
    } else if (value instanceof PickleDict) {
      for (const [key, item] of value.entries) {
        const name = `[${shortText(key)}]`;
        if (item instanceof PickleObject) children.push(this.module(item, name, path + name));
        else this.nestedModules(item, path + name, children);
      }
    }
  }

  private collect(value: PickleValue, path: string, kind: TensorSummary["kind"]): TensorSummary[] {
    const tensor = this.tensor(value, path, kind);
    if (tensor) return [tensor];
    const inner: [PickleValue, string][] = [];
    if (value instanceof PickleReduce) inner.push([value.args, path]);
    else if (value instanceof PickleList || value instanceof PickleTuple) value.items.forEach((item, i) => inner.push([item, `${path}[${i}]`]));
    else if (value instanceof PickleDict) for (const [k, v] of value.entries) inner.push([v, `${path}[${shortText(k)}]`]);
    return inner.flatMap(([v, p]) => (v instanceof PickleObject ? [] : this.collect(v, p, "attribute")));
  }

  private tensor(value: PickleValue, path: string, kind: TensorSummary["kind"]): TensorSummary | undefined {
    if (!(value instanceof PickleReduce) || !(value.callable instanceof PickleGlobal) || !(value.args instanceof PickleTuple)) return undefined;
    const { name } = value.callable;
    if (name !== "_rebuild_tensor_v2" && name !== "_rebuild_qtensor" && name !== "_rebuild_parameter") return undefined;
    if (name === "_rebuild_parameter") return this.tensor(value.args.items[0] ?? null, path, kind);
    const [id, offset, sizes, strides] = value.args.items;
    if (!(id instanceof PersistentId) || !(id.value instanceof PickleTuple)) return undefined;
    const [, type, key, device, numel] = id.value.items;
    const dtype = type instanceof PickleGlobal ? dtypeFromStorageName(type.name) : undefined;
    const itemsize = dtype?.itemsize ?? 1;
    const record = `${RECORD_DATA}${String(key)}`;
    let storage = this.storages.get(record);
    if (!storage) {
      const count = Number(numel ?? 0);
      storage = { record, dtype: dtype?.name ?? String(type), numel: count, nbytes: count * itemsize, device: String(device), usedBy: [] };
      this.storages.set(record, storage);
    }
    storage.usedBy.push(path);
    const shape = numbers(sizes);
    const summary: TensorSummary = {
      path,
      kind,
      dtype: dtype?.name ?? "unknown",
      shape,
      strides: numbers(strides),
      storageOffset: Number(offset ?? 0),
      requiresGrad: value.args.items[name === "_rebuild_qtensor" ? 5 : 4] === true,
      device: String(device),
      record,
      nbytes: shape.reduce((n, s) => n * s, 1) * itemsize,
      ...(name === "_rebuild_qtensor" ? { note: "quantized" } : {}),
    };
    this.tensors.push(summary);
    return summary;
  }
}

const RECORD_DATA = "data/";

function isTensor(value: PickleValue): boolean {
  return value instanceof PickleReduce && value.callable instanceof PickleGlobal && value.callable.name.startsWith("_rebuild_");
}

function numbers(value: PickleValue | undefined): number[] {
  return value instanceof PickleTuple || value instanceof PickleList ? value.items.map(Number) : [];
}

function shortText(value: PickleValue): string {
  const text = longText(value, 0);
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text;
}

function longText(value: PickleValue, depth: number): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return JSON.stringify(value.length > MAX_TEXT ? value.slice(0, MAX_TEXT) : value);
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (depth > 3) return "…";
  if (isTensor(value)) return "tensor";
  if (value instanceof PickleList || value instanceof PickleTuple) {
    const inner = value.items.slice(0, 12).map((v) => longText(v, depth + 1)).join(", ");
    return value instanceof PickleList ? `[${inner}]` : `(${inner})`;
  }
  if (value instanceof PickleDict) return `{${value.entries.slice(0, 12).map(([k, v]) => `${longText(k, depth + 1)}: ${longText(v, depth + 1)}`).join(", ")}}`;
  if (value instanceof PickleReduce) {
    const args = value.args instanceof PickleTuple ? value.args.items : [value.args];
    const name = value.callable instanceof PickleGlobal ? value.callable.name : "";
    if (name.startsWith("build_") || name === "restore_type_tag") return longText(args[0] ?? null, depth);
    return `${name}(${args.map((v) => longText(v, depth + 1)).join(", ")})`;
  }
  if (value instanceof PickleObject) return `object of ${value.cls.name}`;
  if (value instanceof PickleGlobal) return value.qualifiedName;
  if ("value" in value && typeof value.value === "number") return String(value.value);
  return "…";
}

function compressionName(method: number): string {
  return method === METHOD.stored ? "stored" : method === METHOD.deflated ? "deflated" : `method ${method}`;
}

/**
 * Summarises an archive: reads the directory, the version, `data.pkl` and the code's attribute lists, and nothing else.
 * @throws ArchiveError, PickleError where these cannot be read.
 */
export function inspect(source: ByteSource): ArchiveSummary {
  const reader = ArchiveReader.open(source);
  const version = reader.checkTorchScript();
  const root = unpickle(reader.read(RECORD.data), { record: RECORD.data });
  const inspector = new Inspector(reader);
  const hierarchy =
    root instanceof PickleObject ? inspector.module(root, "", "") : { name: "", path: "", className: "(not a module)", tensors: [], attributes: [], children: [] };
  const names = reader.recordNames();
  const records: RecordSummary[] = names.map((name) => {
    const entry = reader.entry(name);
    return { name, nbytes: entry.size, compressedNbytes: entry.compressedSize, compression: compressionName(entry.method), crc32: entry.crc32 };
  });
  const sample = names.filter((n) => n.startsWith(RECORD_DATA)).slice(0, ALIGNMENT_SAMPLE);
  const known = describeVersion(version);
  const sum = (kind: TensorSummary["kind"], of: (t: TensorSummary) => number): number => inspector.tensors.filter((t) => t.kind === kind).reduce((n, t) => n + of(t), 0);
  const numel = (t: TensorSummary): number => t.shape.reduce((n, s) => n * s, 1);
  const storages = [...inspector.storages.values()];
  return {
    file: source.name,
    nbytes: source.size,
    rootName: reader.rootName,
    version,
    versionMeaning: known?.meaning ?? "unknown",
    versionSince: known?.since ?? "unknown",
    byteorder: reader.byteorder(),
    records,
    deflated: records.filter((r) => r.compression === "deflated").length,
    aligned: [sample.filter((n) => reader.stat(n).aligned).length, sample.length],
    extraFiles: reader.extraFileNames(),
    codeFiles: names.filter((n) => n.startsWith("code/") && n.endsWith(".py")),
    hasDebugRecords: names.some((n) => n.endsWith(".debug_pkl")),
    hasBytecode: names.includes("bytecode.pkl"),
    root: hierarchy,
    storages,
    totals: {
      parameters: sum("parameter", numel),
      parameterBytes: sum("parameter", (t) => t.nbytes),
      buffers: sum("buffer", numel),
      bufferBytes: sum("buffer", (t) => t.nbytes),
      storageBytes: storages.reduce((n, s) => n + s.nbytes, 0),
    },
  };
}
