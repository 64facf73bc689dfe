/** @file Opens an archive: code importer, constants, and the objects of data.pkl. Upstream: torch/csrc/jit/serialization/import.cpp. Spec: spec/records.md. */
import type { ArchiveReader } from "../archive/archive_reader.ts";
import { PickleObject, PickleTuple, pickleTypeName } from "../archive/pickle_value.ts";
import type { RecordGroups } from "../archive/record_groups.ts";
import { FOLDER, RECORD } from "../archive/records.ts";
import { unpickleAll } from "../archive/unpickler.ts";
import { decodeUtf8 } from "../base/bytes.ts";
import { PickleError } from "../base/errors.ts";
import type { LimitOverrides } from "../base/limits.ts";
import { Source } from "../base/source_range.ts";
import { guardStack } from "../base/stack_guard.ts";
import type { ScriptObject } from "../core/ivalue.ts";
import { findNativeClass as findBuiltinClass } from "../core/native_class.ts";
import type { ClassType } from "../core/type.ts";
import type { TypedConstant } from "../frontend/default_value.ts";
import { CompilationUnit } from "../ir/compilation_unit.ts";
import { codeOrigin } from "./code_origin.ts";
import { installDefaultEvaluator } from "./evaluate_defaults.ts";
import { SourceImporter } from "./import_source.ts";
import type { NativeClassFinder } from "./native_classes.ts";
import { DebugRecord } from "./source_debug.ts";
import { StorageImporter, type StorageOptions } from "./storage_import.ts";
import { TensorImporter } from "./tensor_import.ts";
import { ValueImporter, type RunMethod } from "./value_import.ts";

/** What `loadModuleArchive` needs and may be told. */
export interface LoadOptions extends StorageOptions {
  /** Runs `__setstate__`; undefined: nothing runs, and objects that have one stay without state. */
  readonly runMethod: RunMethod | undefined;
  /** Default: the classes of `src/core/native_class.ts`. */
  readonly findNativeClass?: NativeClassFinder | undefined;
  readonly cu?: CompilationUnit | undefined;
  readonly limits?: LimitOverrides | undefined;
  /** The source is not closed after loading: code is read when it is asked for. */
  readonly staysOpen?: boolean | undefined;
  /** Methods are parsed when they are first needed: errors of syntax in them show then. */
  readonly defersBodies?: boolean | undefined;
}

/** An archive whose objects are there and whose code compiles when it is called. */
export interface LoadedArchive extends LoadedProgram {
  /** The root module. */
  readonly root: ScriptObject;
  readonly reader: ArchiveReader;
  /** The order of bytes that the archive states; undefined if it states none. */
  readonly statedByteorder: string | undefined;
  /** Bytes of storages that were left for later. */
  readonly laterBytes: number;
  /** Reads them, see `StorageImporter.fetch`. */
  fetch(): Promise<void>;
  /** Bytes of the extra files by name, without `extra/`. Read on each call. */
  extraFiles(): Map<string, Uint8Array>;
}

/** The code file of a qualifier, with its debug record. */
export function sourceOfQualifier(
  reader: ArchiveReader,
  qualifier: string,
  limits?: LimitOverrides,
): Source | undefined {
  return sourceFrom(reader, qualifier, limits);
}

/** Where code is read from: an archive, or what `codeRecords` keeps of one. */
interface CodeRecords {
  /** In the archive's order. */
  readonly names: readonly string[];
  groupOf(name: string): RecordGroups;
  has(name: string): boolean;
  read(name: string): Uint8Array;
  /** See Note [Empty sources]. */
  isOwn(): boolean;
}

const DEBUG = ".debug_pkl";

function sourceFrom(
  records: Pick<CodeRecords, "has" | "read" | "isOwn">,
  qualifier: string,
  limits: LimitOverrides | undefined,
): Source | undefined {
  const path = `${FOLDER.code}${qualifier.replaceAll(".", "/")}.py`;
  if (!records.has(path)) return undefined;
  const debugPath = path + DEBUG;
  const debug = records.has(debugPath)
    ? new DebugRecord(
        () => records.read(debugPath),
        limits,
        () => records.isOwn(),
      )
    : undefined;
  return new Source(decodeUtf8(records.read(path)), path, 1, debug);
}

/** The code of an archive, inflated in groups. It is looked at long after loading: of a source that will be closed the stored bytes are read now. */
function codeRecords(reader: ArchiveReader, staysOpen: boolean): CodeRecords {
  const detaches = !staysOpen && reader.source.close !== undefined;
  const code = reader.grouped(FOLDER.code, ".py", detaches);
  const debug = reader.grouped(FOLDER.code, DEBUG, detaches);
  const groupOf = (name: string): RecordGroups => (name.endsWith(DEBUG) ? debug : code);
  const isOwn = detaches ? reader.detachIsOwn() : (): boolean => reader.isOwn();
  return {
    names: reader.recordNames(FOLDER.code),
    groupOf,
    has: (name) => groupOf(name).has(name),
    read: (name) => groupOf(name).read(name),
    isOwn,
  };
}

/** The code and the constants of an archive. */
export interface LoadedProgram {
  readonly cu: CompilationUnit;
  readonly importer: SourceImporter;
  readonly constants: readonly TypedConstant[];
  readonly version: number;
}

function openCode(
  reader: ArchiveReader,
  options: Partial<LoadOptions>,
): LoadedProgram & { readonly code: CodeRecords } {
  installDefaultEvaluator();
  const version = reader.checkTorchScript();
  const { limits, findNativeClass = findBuiltinClass, cu = new CompilationUnit() } = options;
  const constants: TypedConstant[] = [];
  const code = codeRecords(reader, options.staysOpen ?? false);
  const loadSource = (qualifier: string): Source | undefined => sourceFrom(code, qualifier, limits);
  const importer = new SourceImporter(cu, constants, loadSource, version, {
    findNativeClass,
    limits,
    defersBodies: options.defersBodies,
  });
  const table = openPickle(reader, RECORD.constants, FOLDER.constants, importer, { ...options, later: false });
  if (!(table.value instanceof PickleTuple)) {
    throw new PickleError(
      `Cannot unpickle "${RECORD.constants}": it is ${pickleTypeName(table.value)}, expected tuple`,
      { record: RECORD.constants },
    );
  }
  table.values.replay(table);
  table.value.items.forEach((item, i) => constants.push(table.values.typed(item, `constant ${i}`)));
  return { cu, importer, constants, version, code };
}

/** Opens the code of an archive, for tools: nothing runs, and of data.pkl only the root's class is looked at. */
export function loadProgram(
  reader: ArchiveReader,
  options: Omit<Partial<LoadOptions>, "runMethod">,
): LoadedProgram & { readonly rootClass: ClassType } {
  const program = guardStack("archive", () => openCode(reader, { lazy: true, ...options }));
  const root = unpickleAll(reader.read(RECORD.data), {
    record: RECORD.data,
    limits: options.limits,
    torchOnly: true,
  }).value;
  const rootClass = root instanceof PickleObject ? program.importer.loadType(root.cls.qualifiedName) : undefined;
  if (rootClass?.kind !== "Class") throw rootError(pickleTypeName(root));
  return { ...program, rootClass };
}

function rootError(found: string): PickleError {
  return new PickleError(`Cannot unpickle "${RECORD.data}": root is ${found}, expected a module`, {
    record: RECORD.data,
  });
}

/** Opens a TorchScript archive. Throws `ArchiveError`, `PickleError`, `ScriptError`, `LimitError` or what `runMethod` throws. */
export function loadModuleArchive(reader: ArchiveReader, options: LoadOptions): LoadedArchive {
  return guardStack("archive", () => openModule(reader, options));
}

function openModule(reader: ArchiveReader, options: LoadOptions): LoadedArchive {
  const { code, ...program } = openCode(reader, options);
  const data = openPickle(reader, RECORD.data, FOLDER.data, program.importer, options);
  data.values.replay(data);
  const root = data.value instanceof PickleObject ? data.values.object(data.value) : undefined;
  if (!root) throw rootError(pickleTypeName(data.value));
  const { cu, version, constants } = program;
  if (constants.length === 0) cu.codeOrigin = codeOrigin({ root, version, ...code });
  return {
    ...program,
    root,
    reader,
    statedByteorder: reader.byteorder(),
    laterBytes: data.storages.laterBytes(),
    fetch: () => data.storages.fetch(),
    extraFiles: () => new Map(reader.extraFileNames().map((name) => [name, reader.readExtraFile(name)])),
  };
}

/** Reads a pickle of the archive; its tensors lie in `folder`. */
function openPickle(
  reader: ArchiveReader,
  record: string,
  folder: string,
  importer: SourceImporter,
  options: Partial<LoadOptions>,
): ReturnType<typeof unpickleAll> & { values: ValueImporter; storages: StorageImporter } {
  const { limits, runMethod, lazy } = options;
  const unpickled = unpickleAll(reader.read(record), { record, limits, torchOnly: true });
  const storages = new StorageImporter(reader, folder, record, options);
  const tensors = new TensorImporter(storages, record, limits);
  const values = new ValueImporter({
    record,
    tensors,
    runMethod,
    limits,
    lazy,
    loadType: (text) => importer.loadType(text),
  });
  return { ...unpickled, values, storages };
}
