/** @file Reads debug records: which range of the original Python every piece of archived code came from. Upstream: torch/csrc/jit/serialization/source_range_serialization.cpp. Spec: spec/debug.md. */
import { unpickle } from "../archive/unpickler.ts";
import { PickleTuple, PickleList, PickleReduce, type PickleValue } from "../archive/pickle_value.ts";
import { TorchScriptError } from "../base/errors.ts";
import type { LimitOverrides } from "../base/limits.ts";
import { NO_SOURCE, Source, SourceRange, type SourceRangeOrigin } from "../base/source_range.ts";

const STRING_TABLE_TAG = "FORMAT_WITH_STRING_TABLE";
const MAX_OFFSET = 2 ** 40;

/** One entry: code from `byteOffset` on came from `range`. */
export interface DebugEntry {
  readonly byteOffset: number;
  readonly range: SourceRange;
  /** Number of the range in `.ptl` debug handles; -1 without one. */
  readonly tag: number;
}

/*
 * Note [Empty sources]: PyTorch reads "no source" as an empty source, which it writes back as another kind of empty source, and takes the
 * two for different ranges: what it saves is not what it then loads and saves again. Archives of PyTorch are read as PyTorch reads them,
 * so that saving gives its bytes. In archives that tsarchive wrote (`ArchiveReader.isOwn`), saving must give the same bytes again: "no
 * source" alone stays none, and beside one empty source it is that source. With more of them PyTorch's way is stable.
 */
/** What `.debug_pkl` says of one code file. Read when the first location is asked for; a record that cannot be read gives none. */
export class DebugRecord implements SourceRangeOrigin {
  private readonly load: () => Uint8Array | undefined;
  private readonly limits: LimitOverrides | undefined;
  private readonly isOwn: () => boolean;
  private known: readonly DebugEntry[] | undefined;

  /** @param isOwn whether tsarchive wrote the archive; see Note [Empty sources]. */
  constructor(load: () => Uint8Array | undefined, limits?: LimitOverrides, isOwn: () => boolean = () => false) {
    this.load = load;
    this.limits = limits;
    this.isOwn = isOwn;
  }

  /** All entries in ascending order of `byteOffset`. */
  entries(): readonly DebugEntry[] {
    this.known ??= this.read();
    return this.known;
  }

  private read(): readonly DebugEntry[] {
    try {
      const bytes = this.load();
      return bytes ? readDebugEntries(bytes, this.limits, this.isOwn()) : [];
    } catch (error) {
      // locations are a help, never a condition: an archive with a damaged record works as one without it
      if (error instanceof TorchScriptError) return [];
      throw error;
    }
  }

  findSourceRangeThatGenerated(range: SourceRange): SourceRange | undefined {
    const entries = this.entries();
    const byteOffset = range.startByte;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (entries[middle]!.byteOffset <= byteOffset) low = middle + 1;
      else high = middle;
    }
    return entries[low - 1]?.range;
  }
}

/** Entries of a debug record in either format; entries that make no sense are left out. Throws `PickleError` or `LimitError`. */
export function readDebugEntries(bytes: Uint8Array, limits?: LimitOverrides, isOwn = false): DebugEntry[] {
  const items = itemsOf(unpickle(bytes, { limits, record: "debug_pkl" })) ?? [];
  const reader =
    items[0] === STRING_TABLE_TAG
      ? new SourceTable((itemsOf(items[1]) ?? []).map((t) => (typeof t === "string" ? t : "")))
      : new SourceTable();
  const rows = items[0] === STRING_TABLE_TAG ? (itemsOf(items[2]) ?? []) : items;
  if (isOwn) reader.settleEmptySources(rows);
  const entries: DebugEntry[] = [];
  let previous = 0;
  for (const row of rows) {
    const parts = itemsOf(row);
    const byteOffset = offsetOf(parts?.[0]);
    if (!parts || byteOffset === undefined || byteOffset < previous) continue;
    // PyTorch 1.8 to 1.10 wrote the tag before the range
    const at = itemsOf(parts[1]) ? 1 : 2;
    const range = reader.range(parts[at]);
    const tag = parts[at === 1 ? 2 : 1];
    if (!range) continue;
    entries.push({ byteOffset, range, tag: typeof tag === "number" ? tag : -1 });
    previous = byteOffset;
  }
  return entries;
}

/** Items of a tuple or list, with the calls off that tag lists. */
function itemsOf(value: PickleValue | undefined): readonly PickleValue[] | undefined {
  if (value instanceof PickleTuple || value instanceof PickleList) return value.items;
  if (value instanceof PickleReduce && value.args instanceof PickleTuple) return itemsOf(value.args.items[0]);
  return undefined;
}

function offsetOf(value: PickleValue | undefined): number | undefined {
  return typeof value === "number" && value >= 0 && value <= MAX_OFFSET ? value : undefined;
}

/** Makes each source once, whichever entries refer to it. */
class SourceTable {
  private readonly texts: readonly string[] | undefined;
  private readonly sources = new Map<PickleValue, Source | undefined>();

  /** @param texts lines and file names by number; undefined: sources hold their text themselves. */
  constructor(texts?: readonly string[]) {
    this.texts = texts;
  }

  /** Settles what empty sources mean in an archive of our own; see Note [Empty sources]. */
  settleEmptySources(rows: readonly PickleValue[]): void {
    const empty: PickleValue[] = [];
    for (const row of rows) {
      const [value, , end] = itemsOf(itemsOf(row)?.[1]) ?? [];
      if (value !== undefined && end === 0 && this.source(value)?.text === "" && !empty.includes(value))
        empty.push(value);
      if (empty.length > 2) return;
    }
    const [first] = empty;
    if (first === undefined) return;
    const isNone = empty.length === 1 && itemsOf(itemsOf(first)?.[0])?.length === 0;
    const source = isNone ? NO_SOURCE : this.source(first);
    for (const value of empty) this.sources.set(value, source);
  }

  /** The range of `(source, start, end)`. */
  range(value: PickleValue | undefined): SourceRange | undefined {
    const parts = itemsOf(value);
    const start = offsetOf(parts?.[1]);
    const end = offsetOf(parts?.[2]);
    if (!parts || start === undefined || end === undefined || end < start) return undefined;
    const source = this.source(parts[0]);
    return source && SourceRange.ofBytes(source, start, end);
  }

  private source(value: PickleValue | undefined): Source | undefined {
    if (value === undefined) return undefined;
    if (!this.sources.has(value)) this.sources.set(value, this.makeSource(value));
    return this.sources.get(value);
  }

  private makeSource(value: PickleValue): Source | undefined {
    const parts = itemsOf(value);
    if (!parts) return undefined;
    const [text, name, line] = parts;
    const startingLine = offsetOf(line);
    if (startingLine === undefined) return undefined;
    if (!this.texts) {
      if (typeof text !== "string") return undefined;
      return new Source(text, typeof name === "string" ? name : undefined, startingLine);
    }
    const { texts } = this;
    const ids = itemsOf(text);
    if (!ids) return undefined;
    const lines = ids.map((id) => (typeof id === "number" ? texts[id] : undefined));
    if (lines.includes(undefined)) return undefined;
    return new Source(lines.join(""), typeof name === "number" ? texts[name] : undefined, startingLine);
  }
}
