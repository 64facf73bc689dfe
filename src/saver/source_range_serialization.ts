/** @file Debug records: which source range each byte of a code file came from. Upstream: torch/csrc/jit/serialization/source_range_serialization.cpp. Spec: spec/debug.md. */
import { PickleEmitter } from "../archive/pickler.ts";
import type { Source, SourceRange } from "../base/source_range.ts";
import type { TaggedRange } from "./tagged_text.ts";

const FORMAT_TAG = "FORMAT_WITH_STRING_TABLE";

const MAX_END = 2 ** 26;

/** Tells the ranges of a source apart: one number for both ends, where that holds them. */
const keyOf = ({ start, end }: SourceRange): number | string =>
  start >= 0 && end < MAX_END ? start * MAX_END + end : `${start}:${end}`;

/** What the debug records of an archive share: numbers of ranges in the order in which it first mentions them, and the lines of sources. */
export class SourceRangeTags {
  private readonly bySource = new Map<Source | undefined, Map<number | string, number>>();
  private readonly lines = new Map<Source, readonly string[]>();
  private next = 0;

  /** The lines of a source with their ends, cut once. */
  linesOf(source: Source): readonly string[] {
    let lines = this.lines.get(source);
    if (!lines) {
      const count = source.numLines();
      const endOf = (line: number): number => (line + 1 < count ? source.offsetOfLine(line + 1) : source.text.length);
      lines = Array.from({ length: count }, (_, line) => source.text.slice(source.offsetOfLine(line), endOf(line)));
      this.lines.set(source, lines);
    }
    return lines;
  }

  tagOf(range: SourceRange | undefined): number {
    let tags = this.bySource.get(range?.source);
    if (!tags) this.bySource.set(range?.source, (tags = new Map()));
    const key = range ? keyOf(range) : "";
    const known = tags.get(key);
    if (known !== undefined) return known;
    tags.set(key, this.next);
    return this.next++;
  }
}

interface SourceEntry {
  readonly lines: readonly number[];
  readonly filename: number;
  readonly startingLine: number;
}

/** The string table of one record: lines and file names. */
class TextTable {
  readonly texts: string[] = [""];
  private readonly indices = new Map<string, number>([["", 0]]);
  private readonly sources = new Map<Source | undefined, SourceEntry>();
  private readonly tags: SourceRangeTags;

  constructor(tags: SourceRangeTags) {
    this.tags = tags;
  }

  private indexOf(text: string): number {
    let index = this.indices.get(text);
    if (index === undefined) {
      index = this.texts.length;
      this.texts.push(text);
      this.indices.set(text, index);
    }
    return index;
  }

  entryOf(source: Source | undefined): SourceEntry {
    let entry = this.sources.get(source);
    if (!entry) {
      entry = source ? this.makeEntry(source) : { lines: [], filename: 0, startingLine: 0 };
      this.sources.set(source, entry);
    }
    return entry;
  }

  private makeEntry(source: Source): SourceEntry {
    const lines = this.tags.linesOf(source).map((line) => this.indexOf(line));
    const filename = source.filename === undefined ? 0 : this.indexOf(source.filename);
    return { lines, filename, startingLine: source.startingLine };
  }
}

/** A range with its number in the archive: all that a debug record's entry is made from. */
export interface NumberedRange extends TaggedRange {
  readonly tag: number;
}

/** Numbers the ranges of one code file, after those of the files before. */
export function numberRanges(ranges: readonly TaggedRange[], tags: SourceRangeTags): NumberedRange[] {
  return ranges.map(({ byteOffset, range }) => ({ byteOffset, range, tag: tags.tagOf(range) }));
}

/** Pickles the ranges of one code file. */
export function pickleSourceRanges(ranges: readonly NumberedRange[], tags: SourceRangeTags): Uint8Array[] {
  const table = new TextTable(tags);
  const sources = ranges.map(({ range }) => table.entryOf(range?.source)); // the texts come first
  const out = new PickleEmitter();
  out.pushString(FORMAT_TAG);
  pushTuple(out, table.texts, (text) => out.pushString(text));
  out.memoizeTop();
  pushTuple(out, ranges, ({ byteOffset, range, tag }, i) => {
    out.pushInt(byteOffset);
    pushSource(out, sources[i]!);
    out.pushInt(range ? range.startByte : 0);
    out.pushInt(range ? range.endByte : 0);
    out.op("TUPLE3");
    out.pushInt(tag);
    out.op("TUPLE3");
  });
  out.memoizeTop();
  out.op("TUPLE3");
  return out.finish();
}

function pushTuple<T>(out: PickleEmitter, items: readonly T[], push: (item: T, index: number) => void): void {
  out.startTupleOf(items.length);
  items.forEach(push);
  out.endTupleOf(items.length);
}

function pushSource(out: PickleEmitter, source: SourceEntry): void {
  if (out.recall(source)) return;
  out.pushGlobal("torch.jit._pickle", "build_intlist");
  out.startTuple();
  out.startList();
  for (const line of source.lines) out.pushInt(line);
  out.endList();
  out.endTuple();
  out.reduce();
  out.pushInt(source.filename);
  out.pushInt(source.startingLine);
  out.op("TUPLE3");
  out.memoizeTop(source);
}
