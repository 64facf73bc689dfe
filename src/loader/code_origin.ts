/** @file CodeOrigin: the code of an archive as it lies there, for saving it unchanged. Upstream: none (PyTorch prints all code anew). Spec: spec/records.md. */
import type { RecordGroups } from "../archive/record_groups.ts";
import { isRecordCompressed } from "../archive/records.ts";
import { METHOD } from "../archive/zip_format.ts";
import type { ScriptObject } from "../core/ivalue.ts";
import type { CodeOrigin, StoredCode } from "../ir/compilation_unit.ts";

const PLAIN_NAME = /^code(?:\/\w+)+\.py(?:\.debug_pkl)?$/;

/** What `codeOrigin` needs of an archive. */
export interface OriginRecords {
  readonly root: ScriptObject;
  readonly version: number;
  /** Names of the records of the code, in the archive's order. */
  readonly names: readonly string[];
  groupOf(name: string): RecordGroups;
  isOwn(): boolean;
}

/** Where the program of an archive comes from. Records that are not as `ArchiveWriter` makes them are none to copy. */
export function codeOrigin({ root, version, names, groupOf, isOwn }: OriginRecords): CodeOrigin {
  const read = (): readonly StoredCode[] | undefined => {
    const found: StoredCode[] = [];
    for (const name of names) {
      const stored = PLAIN_NAME.test(name) ? groupOf(name).checkedStored(name) : undefined;
      if (!stored) return undefined;
      const { method, size } = stored.entry;
      if (method !== (isRecordCompressed(name, size) ? METHOD.deflated : METHOD.stored)) return undefined;
      found.push({ name, stored });
    }
    return found;
  };
  let known: { readonly records: readonly StoredCode[] | undefined } | undefined;
  return { root, version, isOwn, records: () => (known ??= { records: read() }).records };
}
