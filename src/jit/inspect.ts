/** @file inspect: what an archive holds, read from its directory and pickles only; no storage is read and no code runs. Upstream: torch/utils/model_dump. Spec: spec/records.md. */
import {
  ArchiveReader,
  FOLDER,
  METHOD,
  PickleObject,
  PickleTuple,
  RECORD,
  describeVersion,
  unpickle,
  type ByteSource,
} from "../archive/index.ts";
import { guardStack } from "../base/stack_guard.ts";
import { PickleInspector, shortText } from "./inspect_values.ts";

/** A tensor as the pickle describes it; offsets and strides in elements. */
export interface TensorSummary {
  /** Dotted path from the root, with `[i]` and `["key"]` inside containers and `{part}` inside sparse and quantized tensors. */
  readonly path: string;
  /** Parameter, buffer or attribute. */
  readonly kind: "parameter" | "buffer" | "attribute" | "constant";
  /** Dtype of the elements. */
  readonly dtype: string;
  /** Sizes. */
  readonly shape: readonly number[];
  /** Strides, in elements. */
  readonly strides: readonly number[];
  /** First element in the storage, in elements. */
  readonly storageOffset: number;
  /** Whether training changes it. */
  readonly requiresGrad: boolean;
  /** Where it was when it was saved. */
  readonly device: string;
  /** Record that holds the storage, e.g. `data/3`. */
  readonly record: string;
  /** Bytes of the elements; a view may be smaller or (expanded) larger than its storage. */
  readonly nbytes: number;
  /** Quantized, conjugated, ...: what else the pickle says. */
  readonly note?: string;
}

/** A module or object of the hierarchy. */
export interface ModuleSummary {
  readonly name: string;
  /** Path from the root. */
  readonly path: string;
  /** `__torch__.pkg.Net`. */
  readonly className: string;
  /** The tensors. */
  readonly tensors: readonly TensorSummary[];
  /** Attributes that are no tensors or modules: name and a short text of the value. */
  readonly attributes: readonly (readonly [string, string])[];
  /** The submodules. */
  readonly children: readonly ModuleSummary[];
  /** Path of the first place of an object that stands in several; then nothing else is filled in. */
  readonly sameAs?: string;
}

/** A storage and the tensors that view it. */
export interface StorageSummary {
  /** Name of the record. */
  readonly record: string;
  /** Class in the pickle, e.g. `FloatStorage`. */
  readonly storageName: string;
  /** Dtype of the elements. */
  readonly dtype: string;
  /** Elements. */
  readonly numel: number;
  /** Bytes that the pickle states. */
  readonly nbytes: number;
  /** Bytes that the archive has; null where the record is missing. */
  readonly recordNbytes: number | null;
  /** Where it was when it was saved. */
  readonly device: string;
  /** Paths of the tensors that view it. */
  readonly usedBy: readonly string[];
}

/** An element of the constants table. */
export interface ConstantSummary {
  /** `c0`: as code names it, `CONSTANTS.c0`. */
  readonly name: string;
  /** The constant as text. */
  readonly text: string;
  /** The tensors. */
  readonly tensors: readonly TensorSummary[];
}

/** A record of the container. */
export interface RecordSummary {
  readonly name: string;
  /** Bytes, uncompressed. */
  readonly nbytes: number;
  /** Bytes in the file. */
  readonly compressedNbytes: number;
  /** How it is compressed. */
  readonly compression: string;
  /** Checksum of the uncompressed bytes. */
  readonly crc32: number;
}

/** Facts about the file. */
export interface ArchiveSummary {
  /** Name of the file, where it has one. */
  readonly file: string | undefined;
  /** Bytes of the file. */
  readonly nbytes: number;
  /** The folder that all records lie in. */
  readonly rootName: string;
  /** The archive version. */
  readonly version: number;
  /** What came with the version. */
  readonly versionMeaning: string;
  /** The first PyTorch that wrote it. */
  readonly versionSince: string;
  /** Who wrote it, as far as the records tell: `PyTorch 2.1 or later`, `tsarchive`. */
  readonly producer: string;
  /** What the record `byteorder` says; undefined without. */
  readonly byteorder: string | undefined;
  /** The records in order. */
  readonly records: readonly RecordSummary[];
  /** Number of compressed records. */
  readonly deflated: number;
  /** Storage records whose data starts at a multiple of 64 bytes, of those looked at (the first 64). */
  readonly aligned: readonly [number, number];
  /** Names of the extra files. */
  readonly extraFiles: readonly string[];
  /** Names of the source files. */
  readonly codeFiles: readonly string[];
  /** Whether there are debug records. */
  readonly hasDebugRecords: boolean;
  /** Whether there is mobile bytecode. */
  readonly hasBytecode: boolean;
  /** The root module. */
  readonly root: ModuleSummary;
  /** The constants. */
  readonly constants: readonly ConstantSummary[];
  /** The storages. */
  readonly storages: readonly StorageSummary[];
  /** Elements and bytes; a tensor that stands in several places counts once. */
  readonly totals: {
    readonly parameters: number;
    readonly parameterBytes: number;
    readonly buffers: number;
    readonly bufferBytes: number;
    readonly constants: number;
    readonly constantBytes: number;
    readonly storageBytes: number;
  };
}

const ALIGNMENT_SAMPLE = 64;
/** First release that wrote the `byteorder` record. */
const BYTEORDER_SINCE = "2.1";

function compressionName(method: number): string {
  return method === METHOD.stored ? "stored" : method === METHOD.deflated ? "deflated" : `method ${method}`;
}

function producerOf(reader: ArchiveReader, versionSince: string): string {
  if (reader.isOwn()) return "tsarchive";
  return reader.has(RECORD.byteorder) ? `PyTorch ${BYTEORDER_SINCE} or later` : `PyTorch ${versionSince} to 2.0`;
}

/** Elements and bytes of the tensors of one kind, each view counted once. */
function sumOf(tensors: readonly TensorSummary[], kind: TensorSummary["kind"]): [number, number] {
  const seen = new Set<string>();
  let elements = 0;
  let nbytes = 0;
  for (const t of tensors) {
    if (t.kind !== kind) continue;
    const view = `${t.record} ${t.storageOffset} ${t.shape.join()} ${t.strides.join()}`;
    if (seen.has(view)) continue;
    seen.add(view);
    elements += t.shape.reduce((n, s) => n * s, 1);
    nbytes += t.nbytes;
  }
  return [elements, nbytes];
}

/** The constants table as its pickle states it; no type is looked up and no storage read. */
export function inspectConstants(
  reader: ArchiveReader,
  inspector = new PickleInspector(reader, FOLDER.constants),
): ConstantSummary[] {
  return guardStack("constants", () => {
    const table = unpickle(reader.read(RECORD.constants), { record: RECORD.constants });
    const items = table instanceof PickleTuple ? table.items : [];
    return items.map((value, i) => ({
      name: `c${i}`,
      text: shortText(value),
      tensors: inspector.constant(value, `c${i}`),
    }));
  });
}

/**
 * Summarises an archive: reads the directory, the version, `data.pkl`, `constants.pkl` and the code's attribute lists, and nothing else.
 * @throws ArchiveError, PickleError where these cannot be read.
 */
export function inspect(source: ByteSource | ArchiveReader): ArchiveSummary {
  const reader = source instanceof ArchiveReader ? source : ArchiveReader.open(source);
  return guardStack("archive", () => summarize(reader));
}

function summarize(reader: ArchiveReader): ArchiveSummary {
  const version = reader.checkTorchScript();
  const root = unpickle(reader.read(RECORD.data), { record: RECORD.data });
  const inspector = new PickleInspector(reader, FOLDER.data);
  const notModule: ModuleSummary = {
    name: "",
    path: "",
    className: "(not a module)",
    tensors: [],
    attributes: [["value", shortText(root)]],
    children: [],
  };
  const hierarchy = root instanceof PickleObject ? inspector.module(root, "", "") : notModule;
  const constantInspector = new PickleInspector(reader, FOLDER.constants);
  const constants = inspectConstants(reader, constantInspector);
  const names = reader.recordNames();
  const records: RecordSummary[] = names.map((name) => {
    const entry = reader.entry(name);
    return {
      name,
      nbytes: entry.size,
      compressedNbytes: entry.compressedSize,
      compression: compressionName(entry.method),
      crc32: entry.crc32,
    };
  });
  const sample = names
    .filter((n) => n.startsWith(FOLDER.data) || n.startsWith(FOLDER.constants))
    .slice(0, ALIGNMENT_SAMPLE);
  const known = describeVersion(version);
  const storages = [...inspector.storages.values(), ...constantInspector.storages.values()];
  const [parameters, parameterBytes] = sumOf(inspector.tensors, "parameter");
  const [buffers, bufferBytes] = sumOf(inspector.tensors, "buffer");
  const [constantElements, constantBytes] = sumOf(constantInspector.tensors, "constant");
  const versionSince = known?.since ?? "unknown";
  return {
    file: reader.source.name,
    nbytes: reader.source.size,
    rootName: reader.rootName,
    version,
    versionMeaning: known?.meaning ?? "unknown",
    versionSince,
    producer: producerOf(reader, versionSince),
    byteorder: reader.byteorder(),
    records,
    deflated: records.filter((r) => r.compression === "deflated").length,
    aligned: [sample.filter((n) => reader.stat(n).aligned).length, sample.length],
    extraFiles: reader.extraFileNames(),
    codeFiles: names.filter((n) => n.startsWith(FOLDER.code) && n.endsWith(".py")),
    hasDebugRecords: names.some((n) => n.endsWith(".debug_pkl")),
    hasBytecode: names.includes(RECORD.bytecode),
    root: hierarchy,
    constants,
    storages,
    totals: {
      parameters,
      parameterBytes,
      buffers,
      bufferBytes,
      constants: constantElements,
      constantBytes,
      storageBytes: storages.reduce((n, s) => n + s.nbytes, 0),
    },
  };
}
