/** @file verify: everything that can be checked of an archive without running it. Upstream: none. Spec: spec/limits.md. */
import { ArchiveReader, FOLDER, RECORD, unpickle, verifyContainer, type ByteSource, type ContainerFinding } from "../archive/index.ts";
import { TorchScriptError } from "../base/errors.ts";
import { inspect } from "./inspect.ts";
import { openProgram } from "./program.ts";

/** A defect or oddity. */
export type Finding = ContainerFinding;

function* caught(record: string | undefined, body: () => void): Generator<Finding> {
  try {
    body();
  } catch (error) {
    if (!(error instanceof TorchScriptError)) throw error;
    yield { severity: "error", message: error.message, ...(record === undefined ? {} : { record }) };
  }
}

/** Container, CRCs, pickles, storage bounds and code, in this order; what cannot be looked at for an earlier error is left out. */
export function* verify(source: ByteSource): Generator<Finding> {
  let reader: ArchiveReader | undefined;
  yield* caught(undefined, () => {
    reader = ArchiveReader.open(source);
    reader.checkTorchScript();
  });
  if (!reader) return;
  const archive = reader;
  yield* verifyContainer(archive);
  for (const record of archive.recordNames().filter((name) => name.endsWith(".pkl") || name.endsWith(".debug_pkl"))) {
    if (record === RECORD.tracedInputs) continue;
    yield* caught(record, () => void unpickle(archive.read(record), { record }));
  }
  yield* storageFindings(archive, source);
  yield* caught(undefined, () => {
    for (const _name of openProgram(archive).compileAll()) void _name;
  });
}

function* storageFindings(archive: ArchiveReader, source: ByteSource): Generator<Finding> {
  const found: Finding[] = [];
  yield* caught(RECORD.data, () => {
    const summary = inspect(source);
    const used = new Set<string>();
    for (const storage of summary.storages) {
      used.add(storage.record);
      if (storage.numel === 0) continue;
      if (!archive.has(storage.record)) {
        found.push({ severity: "error", record: storage.record, message: `storage of ${storage.usedBy[0] ?? "?"} is missing` });
        continue;
      }
      const size = archive.sizeOf(storage.record);
      if (size < storage.nbytes) {
        found.push({ severity: "error", record: storage.record, message: `record has ${size} bytes, ${storage.numel} ${storage.dtype} elements need ${storage.nbytes}` });
      } else if (size > storage.nbytes) {
        found.push({ severity: "warning", record: storage.record, message: `record has ${size} bytes, the pickle names ${storage.nbytes}` });
      }
    }
    for (const record of archive.recordNames(FOLDER.data)) {
      if (!used.has(record)) found.push({ severity: "warning", record, message: "no tensor of data.pkl uses this storage" });
    }
  });
  yield* found;
}
