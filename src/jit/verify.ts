/** @file verify: everything that can be checked of an archive without running it. Upstream: none. Spec: spec/limits.md. */
import { ArchiveReader, FOLDER, RECORD, unpickle, verifyContainer, type ByteSource } from "../archive/index.ts";
import { ArchiveError, PickleError, ScriptError, TorchScriptError, UnsupportedError } from "../base/errors.ts";
import { guardStack } from "../base/stack_guard.ts";
import { findNativeClass } from "../core/native_class.ts";
import { loadModuleArchive } from "../loader/import_module.ts";
import { inspect, type ArchiveSummary, type StorageSummary } from "./inspect.ts";
import { openProgram, type Program } from "./program.ts";

/** A defect or oddity. */
export interface Finding {
  /** How bad it is. */
  readonly severity: "error" | "warning";
  /** The first line of what is wrong. */
  readonly message: string;
  /** Record without the root folder. */
  readonly record?: string;
  /** In the file for findings about the container, else in the record. */
  readonly byteOffset?: number;
  /** 1-based line of a code record. */
  readonly line?: number;
}

type Severity = Finding["severity"];

const PREFIX = /^Cannot (?:read|unpickle|disassemble) (?:[a-z ]+)?(?:"[^"]*")?(?: of archive(?: "[^"]*")?)?: /;

/** The first line without what the finding says anyway: file, record, offset. Some of PyTorch's texts begin with a line feed. */
function firstLine(text: string): string {
  return text
    .trim()
    .split("\n")[0]!
    .replace(PREFIX, "")
    .replace(/ \(byte \d+\)$/, "")
    .replace(/:$/, "");
}

/** The finding that an error is; `record` where the error names none. */
function findingOf(error: TorchScriptError, record: string | undefined, severity: Severity): Finding {
  const where: { record?: string; byteOffset?: number; line?: number } = {};
  const ownRecord = error instanceof ArchiveError || error instanceof PickleError ? error.record : undefined;
  const name = ownRecord ?? record;
  if (name !== undefined) where.record = name;
  if ((error instanceof ArchiveError || error instanceof PickleError) && error.byteOffset !== undefined)
    where.byteOffset = error.byteOffset;
  let message = firstLine(error.message);
  if (error instanceof ScriptError) {
    message = firstLine(error.reason);
    const place = error.range?.fileLineCol();
    if (place) {
      [where.record, where.line] = place;
      where.byteOffset = error.range!.startByte;
    }
  }
  return { severity, message, ...where };
}

/** Runs a check; an error of this library is a finding. */
function* caught(record: string | undefined, check: () => void, severity: Severity = "error"): Generator<Finding> {
  try {
    guardStack(record ?? "archive", check);
  } catch (error) {
    if (!(error instanceof TorchScriptError)) throw error;
    yield findingOf(error, record, error instanceof UnsupportedError ? "warning" : severity);
  }
}

/**
 * Container, CRCs, pickles, storage bounds and code, in this order; what cannot be looked at for an earlier error is left out.
 * Nothing of the archive runs. Reads the whole file, a record at a time.
 */
export function* verify(source: ByteSource): Generator<Finding> {
  const seen = new Set<string>();
  for (const finding of checks(source)) {
    // one fault shows in several checks: the first names it best
    const key =
      finding.line === undefined && finding.severity === "error"
        ? (finding.record ?? finding.message)
        : JSON.stringify(finding);
    if (seen.has(key)) continue;
    seen.add(key);
    yield finding;
  }
}

function* checks(source: ByteSource): Generator<Finding> {
  let opened: ArchiveReader | undefined;
  yield* caught(undefined, () => (opened = ArchiveReader.open(source)));
  if (!opened) return;
  const prefix = `${opened.rootName}/`;
  for (const { record, ...finding } of verifyContainer(opened)) {
    yield {
      ...finding,
      message: firstLine(finding.message),
      ...(record === undefined ? {} : { record: record.startsWith(prefix) ? record.slice(prefix.length) : record }),
    };
  }
  // the container has been checked: what it holds is looked at all the same
  const reader = ArchiveReader.open(source, { verifyCrc: false });
  let isTorchScript = false;
  yield* caught(undefined, () => {
    reader.checkTorchScript();
    isTorchScript = true;
  });
  let isReadable = isTorchScript;
  for (const record of reader.recordNames()) {
    if (!record.endsWith("pkl") || record.startsWith(FOLDER.extra)) continue;
    for (const finding of caught(record, () => void unpickle(reader.read(record), { record, torchOnly: true }))) {
      if (record === RECORD.data || record === RECORD.constants) isReadable = false;
      // locations are a help: a damaged debug record stops nothing
      yield record.endsWith(".debug_pkl") ? { ...finding, severity: "warning" } : finding;
    }
  }
  if (!isReadable) return;
  yield* storageFindings(reader);
  yield* caught(
    RECORD.data,
    () => void loadModuleArchive(reader, { runMethod: undefined, lazy: true, findNativeClass }),
  );
  yield* codeFindings(reader);
}

function* storageFindings(reader: ArchiveReader): Generator<Finding> {
  let summary: ArchiveSummary | undefined;
  yield* caught(RECORD.data, () => (summary = inspect(reader)));
  if (!summary) return;
  const used = new Set<string>();
  for (const storage of summary.storages) {
    used.add(storage.record);
    yield* storageFinding(storage);
  }
  for (const record of [...reader.recordNames(FOLDER.data), ...reader.recordNames(FOLDER.constants)]) {
    if (!used.has(record) && reader.sizeOf(record) > 0)
      yield { severity: "warning", record, message: "no tensor uses this storage" };
  }
}

function* storageFinding({
  record,
  numel,
  nbytes,
  recordNbytes,
  dtype,
  device,
  usedBy,
}: StorageSummary): Generator<Finding> {
  if (numel === 0 || device === "meta") return; // neither has bytes
  const first = usedBy[0] ?? "?";
  if (recordNbytes === null)
    yield { severity: "error", record, message: `record is missing, "${first}" needs ${nbytes} bytes of it` };
  else if (recordNbytes < nbytes)
    yield {
      severity: "error",
      record,
      message: `record has ${recordNbytes} bytes, ${numel} ${dtype} elements of "${first}" need ${nbytes}`,
    };
  else if (recordNbytes > nbytes)
    yield { severity: "warning", record, message: `record has ${recordNbytes} bytes, the pickle names ${nbytes}` };
}

function* codeFindings(reader: ArchiveReader): Generator<Finding> {
  let program: Program | undefined;
  yield* caught(undefined, () => (program = openProgram(reader)));
  if (!program) return;
  for (const record of reader.recordNames(FOLDER.code)) {
    if (record.endsWith(".py")) yield* caught(record, () => program!.loadRecord(record));
  }
  for (const { qualname, compile } of program.functions()) {
    for (const finding of caught(undefined, compile))
      yield finding.record === undefined ? { ...finding, message: `${qualname}: ${finding.message}` } : finding;
  }
}
