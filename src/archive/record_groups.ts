/** @file RecordGroups: small records that are asked for one after the other, such as code, inflated many at once. Upstream: none. Spec: spec/container.md. */
import { TorchScriptError } from "../base/errors.ts";
import { crc32 } from "./crc32.ts";
import type { ZipEntry } from "./zip_directory.ts";
import { METHOD } from "./zip_format.ts";
import type { StoredEntry, ZipReader } from "./zip_reader.ts";

const MAX_RECORDS = 128;
const MAX_NBYTES = 1 << 18;

/**
 * Reads records most of which somebody will ask for. Inflating a small record costs little beside the call into the platform and the
 * garbage that it leaves, so the first that is asked for brings those behind it along. A group in which anything is wrong is read one by one.
 */
export class RecordGroups {
  private readonly zip: ZipReader;
  private readonly names: readonly string[];
  private readonly entries: ReadonlyMap<string, ZipEntry>;
  private readonly stored: Map<string, StoredEntry> | undefined;
  private readonly inflated = new Map<string, Uint8Array>();
  private readonly seen = new Set<string>();

  /** @param detaches stored bytes are read now: the source may be closed afterwards. */
  constructor(zip: ZipReader, entries: ReadonlyMap<string, ZipEntry>, detaches: boolean) {
    this.zip = zip;
    this.entries = entries;
    this.names = [...entries.keys()];
    if (detaches) this.stored = new Map(Array.from(entries, ([name, entry]) => [name, zip.stored(entry)] as const));
  }

  /** Whether there is such a record. */
  has(name: string): boolean {
    return this.entries.has(name);
  }

  /** All bytes of a record that there is. */
  read(name: string): Uint8Array {
    if (!this.seen.has(name)) this.inflateFrom(name);
    const bytes = this.inflated.get(name);
    if (!bytes) return this.zip.decode(this.storedOf(name));
    this.inflated.delete(name);
    return bytes;
  }

  /**
   * A record as it lies in the archive, to be copied to another: checked, whatever the reader checks. Undefined where its bytes are not what
   * the directory states.
   */
  checkedStored(name: string): StoredEntry | undefined {
    const stored = this.storedOf(name);
    return crc32(this.read(name)) === stored.entry.crc32 ? stored : undefined;
  }

  private storedOf(name: string): StoredEntry {
    return this.stored?.get(name) ?? this.zip.stored(this.entries.get(name)!);
  }

  private inflateFrom(name: string): void {
    const group: string[] = [];
    let nbytes = 0;
    for (let i = this.names.indexOf(name); i < this.names.length && group.length < MAX_RECORDS; i++) {
      const next = this.names[i]!;
      const { method, size } = this.entries.get(next)!;
      nbytes += size;
      if (nbytes > MAX_NBYTES) break;
      if (method === METHOD.deflated && !this.seen.has(next)) group.push(next);
    }
    this.seen.add(name);
    for (const next of group) this.seen.add(next);
    try {
      const parts = this.zip.decodeTogether(group.map((next) => this.storedOf(next)));
      parts?.forEach((bytes, i) => this.inflated.set(group[i]!, bytes));
    } catch (error) {
      if (!(error instanceof TorchScriptError)) throw error; // a neighbour's defect: it shows when that is asked for
    }
  }
}
