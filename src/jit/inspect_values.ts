/** @file What pickled values hold, as summaries: modules, tensors, storages, short texts. Upstream: torch/utils/model_dump. Spec: spec/types.md. */
import {
  FOLDER,
  PersistentId,
  PickleDict,
  PickleFloat,
  PickleGlobal,
  PickleList,
  PickleObject,
  PickleReduce,
  PickleTuple,
  type ArchiveReader,
  type PickleValue,
} from "../archive/index.ts";
import { dtypeFromStorageName } from "../tensor/dtype.ts";
import type { ModuleSummary, StorageSummary, TensorSummary } from "./inspect.ts";

type Kind = TensorSummary["kind"];
/** What a walk over an attribute finds. */
interface Found {
  readonly tensors: TensorSummary[];
  readonly children: ModuleSummary[];
}

const MAX_TEXT = 60;
const MAX_ITEMS = 12;
const MAX_TEXT_DEPTH = 3;
/** Elements that share one byte of a packed dtype. */
const PER_BYTE: Readonly<Record<string, number>> = { quint4x2: 2, quint2x4: 4 };
/** Parts of a sparse tensor by layout number. */
const SPARSE_PARTS: Readonly<Record<number, readonly string[]>> = {
  1: ["indices", "values"],
  2: ["crow_indices", "col_indices", "values"],
};

/** Walks the values of one pickle. Nothing is looked up or called. */
export class PickleInspector {
  readonly storages = new Map<string, StorageSummary & { readonly usedBy: string[] }>();
  readonly tensors: TensorSummary[] = [];
  private readonly reader: ArchiveReader;
  /** Folder of the pickle's storages: `data/` or `constants/`. */
  private readonly folder: string;
  private readonly seen = new Map<PickleObject, string>();
  /** Containers that were walked: what the memo shares is walked once, or sharing would multiply. */
  private readonly walked = new Set<PickleValue>();
  private readonly parameters = new Map<string, Map<string, Set<string>>>();

  constructor(reader: ArchiveReader, folder: string) {
    this.reader = reader;
    this.folder = folder;
  }

  module(object: PickleObject, name: string, path: string): ModuleSummary {
    const className = object.cls.qualifiedName;
    const base = { name, path, className };
    const first = this.seen.get(object);
    if (first !== undefined) return { ...base, tensors: [], attributes: [], children: [], sameAs: first };
    this.seen.set(object, path);
    const found: Found = { tensors: [], children: [] };
    const attributes: [string, string][] = [];
    const parameters = this.parameterNames(className);
    const { state } = object;
    const entries: readonly (readonly [PickleValue, PickleValue])[] =
      state instanceof PickleDict ? state.entries : state === undefined ? [] : [["(state)", state]];
    for (const [given, value] of entries) {
      const key = typeof given === "string" ? given : shortText(given);
      const before = found.tensors.length + found.children.length;
      this.walk(value, key, path ? `${path}.${key}` : key, parameters.has(key) ? "parameter" : "buffer", found);
      const isWhole = value instanceof PickleObject || isTensor(value);
      if (!isWhole || found.tensors.length + found.children.length === before) attributes.push([key, shortText(value)]);
    }
    return { ...base, ...found, attributes };
  }

  /** An element of the constants table: what it is in a few words, and its tensors. */
  constant(value: PickleValue, name: string): readonly TensorSummary[] {
    const found: Found = { tensors: [], children: [] };
    this.walk(value, name, name, "constant", found);
    const inside = (module: ModuleSummary): TensorSummary[] => [...module.tensors, ...module.children.flatMap(inside)];
    return [...found.tensors, ...found.children.flatMap(inside)];
  }

  private walk(value: PickleValue, name: string, path: string, kind: Kind, found: Found): void {
    if (value instanceof PickleObject) {
      found.children.push(this.module(value, name, path));
      return;
    }
    if (value instanceof PickleReduce && this.tensor(value, path, kind, found)) return;
    if (
      !(
        value instanceof PickleReduce ||
        value instanceof PickleList ||
        value instanceof PickleTuple ||
        value instanceof PickleDict
      )
    )
      return;
    if (this.walked.has(value)) return;
    this.walked.add(value);
    const inner = kind === "constant" ? kind : "attribute";
    if (value instanceof PickleReduce)
      this.walk(
        value.args instanceof PickleTuple ? (value.args.items[0] ?? null) : value.args,
        name,
        path,
        kind,
        found,
      );
    else if (value instanceof PickleDict)
      for (const [k, v] of value.entries)
        this.walk(v, `${name}[${shortText(k)}]`, `${path}[${shortText(k)}]`, inner, found);
    else value.items.forEach((item, i) => this.walk(item, `${name}[${i}]`, `${path}[${i}]`, inner, found));
  }

  /** Adds the tensors that a call rebuilds; false if it is a call of something else. */
  private tensor(call: PickleReduce, path: string, kind: Kind, found: Found): boolean {
    const args = call.args instanceof PickleTuple ? call.args.items : [];
    const part = (value: PickleValue | undefined, name: string, partKind: Kind = "attribute"): void => {
      if (value !== undefined) this.walk(value, `${path}{${name}}`, `${path}{${name}}`, partKind, found);
    };
    switch (tensorCall(call)) {
      case "_rebuild_tensor_v2":
        return this.strided(args, path, kind, args[4] === true, bitNote(args[6]), found);
      case "_rebuild_qtensor": {
        const scheme = args[4] instanceof PickleTuple ? args[4].items : [];
        const isPerTensor = !(scheme[1] instanceof PickleReduce);
        const name = scheme[0] instanceof PickleGlobal ? scheme[0].name : "quantized";
        const note = isPerTensor
          ? `${name} scale=${shortText(scheme[1] ?? null)} zero_point=${shortText(scheme[2] ?? null)}`
          : `${name} axis=${shortText(scheme[3] ?? null)}`;
        const isTensorCall = this.strided(args, path, kind, args[5] === true, note, found);
        if (!isPerTensor) {
          part(scheme[1], "scales");
          part(scheme[2], "zero_points");
        }
        return isTensorCall;
      }
      case "_rebuild_sparse_tensor": {
        const names = SPARSE_PARTS[typeof args[0] === "number" ? args[0] : 0] ?? [];
        names.forEach((name, i) => part(args[3 + i], name, name === "values" ? kind : "attribute"));
        return names.length > 0;
      }
      case "_rebuild_parameter":
        return args[0] instanceof PickleReduce && this.tensor(args[0], path, kind, found);
      case "_rebuild_from_type_v2":
        return (
          args[2] !== undefined &&
          this.tensor(new PickleReduce(args[0] ?? null, args[2], 0, call.byteOffset), path, kind, found)
        );
      default:
        return false;
    }
  }

  private strided(
    args: readonly PickleValue[],
    path: string,
    kind: Kind,
    requiresGrad: boolean,
    note: string | undefined,
    found: Found,
  ): boolean {
    const [id, offset, sizes, strides] = args;
    if (!(id instanceof PersistentId) || !(id.value instanceof PickleTuple)) return false;
    const storage = this.storage(id.value.items);
    storage.usedBy.push(path);
    const shape = counts(sizes);
    const dtype = dtypeFromStorageName(`${storage.storageName}`);
    const elements = shape.reduce((n, s) => n * s, 1);
    const summary: TensorSummary = {
      path,
      kind,
      dtype: storage.dtype,
      shape,
      strides: counts(strides),
      storageOffset: countOf(offset),
      requiresGrad,
      device: storage.device,
      record: storage.record,
      nbytes: Math.ceil(elements / (PER_BYTE[storage.dtype] ?? 1)) * (dtype?.itemsize ?? 1),
      ...(note === undefined ? {} : { note }),
    };
    this.tensors.push(summary);
    found.tensors.push(summary);
    return true;
  }

  private storage([, type, key, device, numel]: readonly PickleValue[]): StorageSummary & {
    readonly usedBy: string[];
  } {
    const record = `${this.folder}${typeof key === "string" ? key : shortText(key ?? null)}`;
    const known = this.storages.get(record);
    if (known) return known;
    const storageName = type instanceof PickleGlobal ? type.name : "";
    const dtype = dtypeFromStorageName(storageName);
    const elements = countOf(numel);
    const storage = {
      record,
      storageName,
      dtype: dtype?.name ?? (storageName || "unknown"),
      numel: elements,
      nbytes: elements * (dtype?.itemsize ?? 1),
      recordNbytes: this.reader.has(record) ? this.reader.sizeOf(record) : null,
      device: typeof device === "string" ? device : "unknown",
      usedBy: [],
    };
    this.storages.set(record, storage);
    return storage;
  }

  /** Names of a class's parameters, from the `__parameters__` line of its code. */
  private parameterNames(className: string): ReadonlySet<string> {
    const dot = className.lastIndexOf(".");
    const record = `${FOLDER.code}${className.slice(0, Math.max(dot, 0)).replaceAll(".", "/")}.py`;
    let classes = this.parameters.get(record);
    if (!classes)
      this.parameters.set(
        record,
        (classes = this.reader.has(record)
          ? parameterLists(this.reader.readText(record))
          : new Map<string, Set<string>>()),
      );
    return classes.get(className.slice(dot + 1)) ?? new Set();
  }
}

function parameterLists(text: string): Map<string, Set<string>> {
  const classes = new Map<string, Set<string>>();
  let current: Set<string> | undefined;
  for (const line of text.split("\n")) {
    const name = /^class (\w+)/.exec(line)?.[1];
    if (name !== undefined) classes.set(name, (current = new Set()));
    const list = /^ {2}__parameters__ = \[(.*)\]$/.exec(line)?.[1];
    if (list !== undefined && current)
      for (const [, parameter] of list.matchAll(/"((?:[^"\\]|\\.)*)"/g)) current.add(parameter!);
  }
  return classes;
}

/** The rebuild function that a call names, or undefined. */
function tensorCall(call: PickleReduce): string | undefined {
  const { callable } = call;
  return callable instanceof PickleGlobal &&
    callable.module.startsWith("torch._") &&
    callable.name.startsWith("_rebuild_")
    ? callable.name
    : undefined;
}

function isTensor(value: PickleValue): boolean {
  return value instanceof PickleReduce && tensorCall(value) !== undefined;
}

/** `conj` and `neg` of the seventh argument of `_rebuild_tensor_v2`. */
function bitNote(value: PickleValue | undefined): string | undefined {
  const bits = value instanceof PickleReduce && value.args instanceof PickleTuple ? value.args.items[0] : value;
  if (!(bits instanceof PickleDict)) return undefined;
  const set = ["conj", "neg"].filter((bit) => bits.get(bit) === true);
  return set.length > 0 ? set.join(" ") : undefined;
}

function countOf(value: PickleValue | undefined): number {
  const number = typeof value === "bigint" ? Number(value) : value;
  return typeof number === "number" ? number : 0;
}

function counts(value: PickleValue | undefined): number[] {
  return value instanceof PickleTuple || value instanceof PickleList ? value.items.map(countOf) : [];
}

/** A value in at most 60 characters, as Python would print it. */
export function shortText(value: PickleValue): string {
  const text = longText(value, 0);
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text;
}

function itemsText(items: readonly PickleValue[], depth: number): string {
  const shown = items
    .slice(0, MAX_ITEMS)
    .map((item) => longText(item, depth + 1))
    .join(", ");
  return items.length > MAX_ITEMS ? `${shown}, …` : shown;
}

function longText(value: PickleValue, depth: number): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return JSON.stringify(value.length > MAX_TEXT ? value.slice(0, MAX_TEXT) : value);
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (value instanceof PickleFloat) return Number.isInteger(value.value) ? value.value.toFixed(1) : String(value.value);
  if (value instanceof PickleGlobal) return value.qualifiedName;
  if (value instanceof PickleObject) return `object of ${value.cls.name}`;
  if (isTensor(value)) return "tensor";
  if (depth > MAX_TEXT_DEPTH) return "…";
  if (value instanceof PickleList) return `[${itemsText(value.items, depth)}]`;
  if (value instanceof PickleTuple) return `(${itemsText(value.items, depth)}${value.items.length === 1 ? "," : ""})`;
  if (value instanceof PickleDict) {
    const shown = value.entries
      .slice(0, MAX_ITEMS)
      .map(([k, v]) => `${longText(k, depth + 1)}: ${longText(v, depth + 1)}`);
    return `{${shown.join(", ")}${value.entries.length > MAX_ITEMS ? ", …" : ""}}`;
  }
  if (value instanceof PickleReduce) {
    const args = value.args instanceof PickleTuple ? value.args.items : [value.args];
    const name = value.callable instanceof PickleGlobal ? value.callable.name : "";
    if (name.startsWith("build_") || name === "restore_type_tag") return longText(args[0] ?? null, depth);
    return `${name}(${itemsText(args, depth)})`;
  }
  return "…";
}
