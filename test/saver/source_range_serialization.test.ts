import { describe, expect, it } from "vitest";
import {
  ArchiveReader,
  MemorySource,
  PickleReduce,
  PickleTuple,
  unpickle,
  type PickleValue,
} from "../../src/archive/index.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import { Source, SourceRange } from "../../src/base/source_range.ts";
import { SourceRangeTags, numberRanges, pickleSourceRanges } from "../../src/saver/source_range_serialization.ts";
import { RangeStack, TaggedText } from "../../src/saver/tagged_text.ts";
import { torchArchive } from "../support/archive.ts";

function items(value: PickleValue | undefined): readonly PickleValue[] {
  if (value instanceof PickleTuple) return value.items;
  throw new Error("no tuple");
}

/** Ranges of a debug record; a source that the memo holds is one source. */
function readRecord(bytes: Uint8Array): {
  ranges: { byteOffset: number; range: SourceRange | undefined }[];
  tags: number[];
} {
  const [, texts, rows] = items(unpickle(bytes));
  const sources = new Map<PickleValue, Source | undefined>();
  const tags: number[] = [];
  const ranges = items(rows).map((row) => {
    const [byteOffset, where, tag] = items(row);
    const [source, start, end] = items(where);
    tags.push(tag as number);
    if (!sources.has(source!)) {
      const [lines, filename, startingLine] = items(source);
      const list = items((lines as PickleReduce).args)[0] as { items: number[] };
      const text = list.items.map((i) => items(texts)[i] as string).join("");
      sources.set(
        source!,
        list.items.length === 0
          ? undefined
          : new Source(text, items(texts)[filename as number] as string, startingLine as number),
      );
    }
    const known = sources.get(source!);
    return {
      byteOffset: byteOffset as number,
      range: known && new SourceRange(known, start as number, end as number),
    };
  });
  return { ranges, tags };
}

describe("pickleSourceRanges", () => {
  it("DBG-1..4: gives the bytes of PyTorch's debug records back", () => {
    const reader = ArchiveReader.open(new MemorySource(torchArchive()));
    const names = reader.recordNames().filter((name) => name.endsWith(".debug_pkl"));
    expect(names.length).toBeGreaterThan(2);
    for (const name of names) {
      const bytes = reader.read(name);
      const { ranges, tags } = readRecord(bytes);
      const recorded = new SourceRangeTags();
      recorded.tagOf = () => tags.shift()!;
      expect(
        Buffer.compare(concatBytes(pickleSourceRanges(numberRanges(ranges, recorded), recorded)), bytes),
        name,
      ).toBe(0);
    }
  });

  it("DBG-3: counts in bytes of UTF-8", () => {
    const source = new Source("é = '€😀'\nx\n", "a.py", 3);
    const range = new SourceRange(source, 4, 9);
    const bytes = concatBytes(pickleSourceRanges([{ byteOffset: 0, range, tag: 0 }], new SourceRangeTags()));
    const [, texts, rows] = items(unpickle(bytes));
    expect(items(texts)).toEqual(["", "é = '€😀'\n", "x\n", "a.py"]);
    const [, where] = items(items(rows)[0]);
    expect(items(where).slice(1)).toEqual([5, 14]);
  });

  it("DBG-4: numbers equal ranges once", () => {
    const tags = new SourceRangeTags();
    const source = new Source("abc");
    const same = new Source("abc");
    const ranges = [
      undefined,
      new SourceRange(source, 0, 1),
      new SourceRange(source, 0, 1),
      new SourceRange(same, 0, 1),
      undefined,
    ];
    expect(ranges.map((range) => tags.tagOf(range))).toEqual([0, 1, 1, 2, 0]);
  });
});

describe("TaggedText", () => {
  it("DBG-2: starts an entry where the range changes, also inside appended text", () => {
    const stack = new RangeStack();
    const source = new Source("abcdef");
    const range = new SourceRange(source, 1, 2);
    const body = new TaggedText(stack);
    stack.enter(range);
    const inner = new TaggedText(stack).add("é").add("x");
    stack.leave();
    body.add("12").append(inner).add("3");
    expect(body.text).toBe("12éx3");
    expect(body.ranges().map((r) => [r.byteOffset, r.range?.start])).toEqual([
      [0, undefined],
      [2, 1],
      [5, undefined],
    ]);
  });
});
