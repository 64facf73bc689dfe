/** @file Executes the rules of spec/debug.md. Upstream: none. Spec: spec/debug.md. */
import { expect, test } from "vitest";
import { ScriptError } from "../../src/base/errors.ts";
import { Source, SourceRange } from "../../src/base/source_range.ts";
import { DebugRecord, readDebugEntries } from "../../src/loader/source_debug.ts";
import { pickleOf, tuple as T, type Pickled } from "../support/pickle.ts";

const source = T([1, 2], 3, 10);
const table = T("", "a = 1\n", "b = \u00fc(2)\n", "file.py");
const modern = (entries: Pickled): Uint8Array => pickleOf(T("FORMAT_WITH_STRING_TABLE", table, entries));
const at = (entries: Uint8Array, offset: number, text = "x".repeat(100)): SourceRange | undefined =>
  new DebugRecord(() => entries).findSourceRangeThatGenerated(new SourceRange(new Source(text), offset, offset + 1));

test("DBG-1: sources are joined from lines, offsets count bytes", () => {
  const [entry] = readDebugEntries(modern(T(T(3, T(source, 10, 15), -1))));
  expect(entry!.range.source.text).toBe("a = 1\nb = \u00fc(2)\n");
  expect(entry!.range.text()).toBe("\u00fc(2)");
  expect([entry!.byteOffset, entry!.range.startByte, entry!.range.endByte]).toEqual([3, 10, 15]);
});

test("DBG-1: older forms", () => {
  const old = T("a = 1\nb = 2\n", "file.py", 10);
  for (const entry of [T(3, T(old, 6, 7)), T(3, -1, T(old, 6, 7)), T(3, T(old, 6, 7), -1)]) {
    const [read] = readDebugEntries(pickleOf(T(entry)));
    expect([read!.byteOffset, read!.range.text(), read!.range.fileLineCol()]).toEqual([3, "b", ["file.py", 11, 0]]);
  }
  expect(readDebugEntries(pickleOf(T(T(3, T(T("x", null, 0), 0, 1)))))[0]!.range.fileLineCol()).toBeUndefined();
});

test("DBG-2: the last entry at or before the position counts", () => {
  const entries = modern(T(T(3, T(source, 0, 1), -1), T(7, T(source, 4, 5), -1)));
  expect([2, 3, 6, 7, 50].map((offset) => at(entries, offset)?.start)).toEqual([undefined, 0, 0, 4, 4]);
  // four characters, five bytes: the entry at byte 7 covers offset 6
  expect(at(entries, 6, "\u00fc".padEnd(20))?.start).toBe(4);
});

test("DBG-3: shared sources are one source", () => {
  const entries = readDebugEntries(modern(T(T(0, T(source, 0, 1), -1), T(5, T(source, 2, 3), -1))));
  expect(entries[0]!.range.source).toBe(entries[1]!.range.source);
});

test("DBG-4: absent, damaged and senseless records give no locations", () => {
  expect(new DebugRecord(() => undefined).entries()).toEqual([]);
  expect(new DebugRecord(() => new Uint8Array([1, 2, 3])).entries()).toEqual([]);
  expect(new DebugRecord(() => pickleOf("x")).entries()).toEqual([]);
  const bad = [
    T(9),
    T(-1, T(source, 0, 1), -1),
    T(5, T(T([99], 3, 0), 0, 1), -1),
    T(5, T(source, 3, 1), -1),
    T("a", "b", "c"),
    4,
  ];
  expect(readDebugEntries(modern({ tuple: bad }))).toEqual([]);
  const descending = readDebugEntries(
    modern(T(T(5, T(source, 0, 1), -1), T(4, T(source, 0, 1), -1), T(6, T(source, 0, 1), -1))),
  );
  expect(descending.map((e) => e.byteOffset)).toEqual([5, 6]);
  let reads = 0;
  const lazy = new DebugRecord(() => (reads++, modern(T())));
  expect(reads).toBe(0);
  lazy.entries();
  lazy.entries();
  expect(reads).toBe(1);
});

test("DBG-5: lines from the first line, columns in bytes", () => {
  const text = new Source("ab\n\u00fc\u{1f600}x\n", "f.py", 1);
  expect(new SourceRange(text, 6, 7).text()).toBe("x");
  expect(new SourceRange(text, 6, 7).fileLineCol()).toEqual(["f.py", 2, 6]);
  expect([6, 4, 20].map((o) => text.offsetOfByte(text.byteOffset(o)))).toEqual([6, 4, 20]);
});

const LINES = "l1\nl2\nl3\nl4\n  f(a,\n    b)\nl7\nl8\nl9\nl10\n";

test("DBG-6: an excerpt", () => {
  const start = LINES.indexOf("f(a");
  expect(new SourceRange(new Source(LINES, "f.py", 1), start, LINES.indexOf(")")).highlight()).toBe(
    '  File "f.py", line 5\nl3\nl4\n  f(a,\n  ~~~~\n    b)\n    ~ <--- HERE\nl7\nl8\n',
  );
  expect(new SourceRange(new Source("a\n\u00fc = x\nb\n"), 2, 7).highlight()).toBe(
    "a\n\u00fc = x\n~~~~~~ <--- HERE\nb\n",
  );
});

test("DBG-7: a range over everything shows the text as it is", () => {
  expect(new SourceRange(new Source("/a.py(7): forward\n"), 0, 18).highlight()).toBe("/a.py(7): forward\n");
});

test("DBG-8: an empty range", () => {
  expect(new SourceRange(new Source("a\nb", "f", 1), 3, 3).highlight()).toBe('  File "f", line 2\na\nb');
});

test("DBG-9: archived code and its origin", () => {
  const origin = new SourceRange(new Source("x = 1\ny = 2\n", "orig.py", 1), 6, 7);
  const code = new Source("z\nw\n", "code/a.py", 1, { findSourceRangeThatGenerated: () => origin });
  expect(new SourceRange(code, 2, 3).highlight()).toBe(
    '  File "orig.py", line 2\nx = 1\ny = 2\n~ <--- HERE\nSerialized   File "code/a.py", line 2\nz\nw\n~ <--- HERE\n',
  );
  expect(new ScriptError("Unknown type name 'z'", new SourceRange(code, 2, 3)).message).toBe(
    "Unknown type name 'z':\n  File \"code/a.py\", line 2\nz\nw\n~ <--- HERE\n",
  );
});
