/** @file Reads debug records: which range of the original Python every piece of archived code came from. Upstream: torch/csrc/jit/serialization/source_range_serialization.cpp. Spec: spec/debug.md. */
import { unpickle } from "../archive/unpickler.ts";
import { PickleTuple, PickleList, PickleReduce, type PickleValue } from "../archive/pickle_value.ts";
import { TorchScriptError } from "../base/errors.ts";
import type { LimitOverrides } from "../base/limits.ts";
import { Source, SourceRange, type SourceRangeOrigin } from "../base/source_range.ts";

const STRING_TABLE_TAG = "FORMAT_WITH_STRING_TABLE";
const MAX_OFFSET = 2 ** 40;

/** One entry: code from `byteOffset` on came from `range`. */
export interface DebugEntry {
  readonly byteOffset: number;
  readonly range: SourceRange;
  /** Number of the range in `.ptl` debug handles; -1 without one. */
  readonly tag: number;
}

/** What `.debug_pkl` says of one code file. Read when the first location is asked for; a record that cannot be read gives none. */
export class DebugRecord implements SourceRangeOrigin {
  private readonly load: () => Uint8Array | undefined;
  private readonly limits: LimitOverrides | undefined;
  private known: readonly DebugEntry[] | undefined;

  constructor(load: () => Uint8Array | undefined, limits?: LimitOverrides) {
    this.load = load;
    this.limits = limits;
  }

  /** All entries in ascending order of `byteOffset`. */
  entries(): readonly DebugEntry[] {
    this.known ??= this.read();
    return this.known;
  }

  private read(): readonly DebugEntry[] {
    try {
      const bytes = this.load();
      return bytes ? readDebugEntries(bytes, this.limits) : [];
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
export function readDebugEntries(bytes: Uint8Array, limits?: LimitOverrides): DebugEntry[] {
  const items = itemsOf(unpickle(bytes, { limits, record: "debug_pkl" })) ?? [];
  const reader = items[0] === STRING_TABLE_TAG ? new SourceTable((itemsOf(items[1]) ?? []).map((t) => (typeof t === "string" ? t : ""))) : new SourceTable();
  const rows = items[0] === STRING_TABLE_TAG ? (itemsOf(items[2]) ?? []) : items;
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
  private empty: Source | undefined;

  /** @param texts lines and file names by number; undefined: sources hold their text themselves. */
  constructor(texts?: readonly string[]) {
    this.texts = texts;
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
    if (!this.sources.has(value)) {
      let source = this.makeSource(value);
      // Note [One empty source]: "no source" is read as an empty one and written back as another. Upstream keeps the two apart, so that its
      // second save differs from its first; as one source they give the first again.
      if (source?.text === "") source = this.empty ??= source;
      this.sources.set(value, source);
    }
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
