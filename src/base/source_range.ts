/** @file Source text and ranges in it, with PyTorch's caret excerpts. Upstream: torch/csrc/jit/frontend/source_range.cpp. Spec: spec/debug.md.
 *
 * Note [Bytes and UTF-16]: offsets here count UTF-16 units of the text; PyTorch counts bytes of UTF-8 wherever it prints
 * or stores one (columns, tildes, debug records). `byteOffset` and `offsetOfByte` convert; in ASCII text they are the same. */
import { isAscii } from "./byte_string.ts";
import { decodeUtf8, encodeUtf8 } from "./bytes.ts";

/** A source range that generated text came from: how an archive's code points at the original Python. */
export interface SourceRangeOrigin {
  /** Finds the range of the original source for a range of archived code, or undefined. */
  findSourceRangeThatGenerated(range: SourceRange): SourceRange | undefined;
}

/** A piece of source text with the name and line where it starts. Offsets count UTF-16 units of `text`. */
export class Source {
  readonly text: string;
  readonly filename: string | undefined;
  /** Number that the first line of `text` has in messages: 1 for a whole file. */
  readonly startingLine: number;
  readonly origin: SourceRangeOrigin | undefined;
  private lineStarts: number[] | undefined;
  private lineByteStarts: number[] | undefined;
  private knownByteText: string | undefined;

  constructor(text: string, filename?: string, startingLine = 0, origin?: SourceRangeOrigin) {
    this.text = text;
    this.filename = filename;
    this.startingLine = startingLine;
    this.origin = origin;
  }

  private starts(): number[] {
    if (!this.lineStarts) {
      const starts = [0];
      for (let i = this.text.indexOf("\n"); i >= 0; i = this.text.indexOf("\n", i + 1)) starts.push(i + 1);
      this.lineStarts = starts;
    }
    return this.lineStarts;
  }

  /** Byte offsets at which the lines start. */
  private byteStarts(): number[] {
    if (!this.lineByteStarts) {
      const bytes = this.byteText;
      const starts = [0];
      for (let i = bytes.indexOf("\n"); i >= 0; i = bytes.indexOf("\n", i + 1)) starts.push(i + 1);
      this.lineByteStarts = starts;
    }
    return this.lineByteStarts;
  }

  /** The UTF-8 bytes of the text, one character each. The text itself where that is ASCII. */
  get byteText(): string {
    if (this.knownByteText === undefined) {
      this.knownByteText = isAscii(this.text) ? this.text : binaryString(encodeUtf8(this.text));
    }
    return this.knownByteText;
  }

  /** 0-based line of `text` that holds `offset`. */
  lineOf(offset: number): number {
    return lineIn(this.starts(), offset);
  }

  /** Offset at which the 0-based line starts. */
  offsetOfLine(line: number): number {
    return this.starts()[line] ?? this.text.length;
  }

  /** Number in the file of a 0-based line of `text`. */
  fileLine(line: number): number {
    return this.filename === undefined ? line : this.startingLine + line;
  }

  numLines(): number {
    return this.starts().length;
  }

  /** The byte offset of an offset. See Note [Bytes and UTF-16]. Offsets past the end keep their distance from it. */
  byteOffset(offset: number): number {
    const { byteText, text } = this;
    if (byteText === text) return offset;
    if (offset >= text.length) return byteText.length + (offset - text.length);
    const line = this.lineOf(offset);
    let bytes = this.byteStarts()[line]!;
    for (let i = this.offsetOfLine(line); i < offset; i++) bytes += unitBytes(text, i);
    return bytes;
  }

  /** The offset of a byte offset; a byte inside a character gives the character's start. */
  offsetOfByte(byteOffset: number): number {
    const { byteText, text } = this;
    if (byteText === text) return byteOffset;
    if (byteOffset >= byteText.length) return text.length + (byteOffset - byteText.length);
    const line = lineIn(this.byteStarts(), byteOffset);
    let at = this.offsetOfLine(line);
    let bytes = this.byteStarts()[line]!;
    for (;;) {
      const size = unitBytes(text, at);
      if (bytes + size > byteOffset) return at;
      bytes += size;
      at++;
    }
  }
}

/** Index of the last start that is not beyond `offset`. */
function lineIn(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle;
  }
  return low;
}

/** Bytes of UTF-8 that one UTF-16 unit stands for: a surrogate pair's four are counted with its first unit. */
function unitBytes(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  if (code >= 0xd800 && code <= 0xdbff && isLowSurrogate(text.charCodeAt(at + 1))) return 4;
  if (isLowSurrogate(code)) {
    const before = text.charCodeAt(at - 1);
    if (before >= 0xd800 && before <= 0xdbff) return 0;
    if (code >= 0xdc80 && code <= 0xdcff) return 1; // a byte that is no UTF-8, as decodeUtf8 keeps it
  }
  return 3;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}

const CHUNK = 8192;
function binaryString(bytes: Uint8Array): string {
  let out = "";
  for (let i = 0; i < bytes.length; i += CHUNK) out += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
  return out;
}

const CONTEXT_LINES = 3; // torch: SourceRange::CONTEXT

/** Stands for "no source" where a range is needed. */
export const NO_SOURCE = new Source("", "");

/** A half-open range `[start, end)` of a `Source`. */
export class SourceRange {
  readonly source: Source;
  readonly start: number;
  readonly end: number;

  constructor(source: Source, start: number, end: number) {
    this.source = source;
    this.start = start;
    this.end = end;
  }

  /** The range between two byte offsets, as debug records store it. */
  static ofBytes(source: Source, startByte: number, endByte: number): SourceRange {
    return new SourceRange(source, source.offsetOfByte(startByte), source.offsetOfByte(endByte));
  }

  get startByte(): number {
    return this.source.byteOffset(this.start);
  }
  get endByte(): number {
    return this.source.byteOffset(this.end);
  }

  equals(other: SourceRange): boolean {
    return this.source === other.source && this.start === other.start && this.end === other.end;
  }

  text(): string {
    return this.source.text.slice(this.start, this.end);
  }

  /** `[filename, line, column]` as `graph` prints them, the column 0-based in bytes; undefined without a file name. */
  fileLineCol(): [string, number, number] | undefined {
    const { source, start } = this;
    if (source.filename === undefined) return undefined;
    const line = source.lineOf(start);
    return [
      source.filename,
      source.fileLine(line),
      source.byteOffset(start) - source.byteOffset(source.offsetOfLine(line)),
    ];
  }

  /** The range of the original source that this range of archived code was printed from. */
  findSourceRangeThatGenerated(): SourceRange | undefined {
    return this.source.origin?.findSourceRangeThatGenerated(this);
  }

  /** The lines of the range itself, marked: what stands below the message of an error in source code. */
  excerpt(): string {
    return this.printWithContext(CONTEXT_LINES, true, "");
  }

  /** The excerpt of the original source, if it is known, then that of the archived code. */
  highlight(): string {
    const original = this.findSourceRangeThatGenerated();
    const own = this.excerpt();
    return original ? `${original.highlight()}Serialized ${own}` : own;
  }

  /** Prints the lines around the range, with `~~~ <--- HERE` below what it covers. `funcname` is the function of a traceback. */
  printWithContext(context: number, highlight: boolean, funcname: string): string {
    const bytes = this.source.byteText;
    const start = this.startByte;
    const end = Math.min(this.endByte, bytes.length);
    // a range over the whole text is a trace's Python stack, printed as it is
    if (this.endByte - start === bytes.length) return this.source.text;
    if (start > bytes.length) return "";
    const lines = contextLines(bytes, start, end, context);
    let header = "";
    const at = this.fileLineCol();
    if (at) header = `  File "${at[0]}", line ${at[1]}${funcname ? `, in ${funcname}` : ""}\n`;
    let out = bytes.slice(lines.begin, start);
    let rest = start;
    if (highlight) {
      const marked = markLines(bytes, start, end);
      out += marked.text;
      rest = marked.next;
    } else {
      out += bytes.slice(start, end);
      rest = end;
    }
    if (rest <= bytes.length) {
      const tail = bytes.slice(rest, Math.max(rest, lines.end));
      out += tail === "" || tail.endsWith("\n") ? tail : `${tail}\n`;
    }
    return header + (bytes === this.source.text ? out : decodeUtf8(Uint8Array.from(out, (c) => c.charCodeAt(0))));
  }
}

/** The range of bytes that shows `context` lines around a range. */
function contextLines(bytes: string, start: number, end: number, context: number): { begin: number; end: number } {
  let begin = start === 0 ? 0 : bytes.lastIndexOf("\n", start - 1) + 1;
  for (let lines = 0; begin > 0; --begin) {
    if (bytes[begin - 1] === "\n") ++lines;
    if (lines >= context) break;
  }
  let last = bytes.indexOf("\n", end);
  if (last < 0) last = bytes.length;
  for (let lines = 0; last < bytes.length; ++last) {
    if (bytes[last] === "\n") ++lines;
    if (lines >= context) break;
  }
  return { begin, end: last };
}

/** The lines of a range with tildes below; `next` is where the text continues. */
function markLines(bytes: string, start: number, end: number): { text: string; next: number } {
  let text = "";
  let lineStart = start;
  let lineEnd = start;
  while (lineStart < end) {
    const newline = bytes.indexOf("\n", lineEnd);
    lineEnd = newline < 0 ? bytes.length : newline;
    text += newline < 0 ? `${bytes.slice(lineStart)}\n` : bytes.slice(lineStart, lineEnd + 1);
    const from = lineStart === 0 ? 0 : bytes.lastIndexOf("\n", lineStart - 1) + 1;
    const to = Math.max(lineStart, Math.min(lineEnd, end));
    let blanks = 0;
    while (from + blanks < to && (bytes[from + blanks] === " " || from + blanks < start)) blanks++;
    const tildes = to - from - blanks;
    if (tildes > 0) {
      const more = lineEnd !== end && hasMore(bytes, lineEnd, end);
      text += `${" ".repeat(blanks)}${"~".repeat(tildes)}${more ? "\n" : " <--- HERE\n"}`;
    }
    lineEnd++;
    lineStart = lineEnd;
  }
  return { text, next: lineEnd };
}

/** Whether anything but white space follows in `[from, end]`; the end of the text counts as something, as in C++. */
function hasMore(bytes: string, from: number, end: number): boolean {
  for (let i = from; i <= end; i++) if (bytes[i] !== "\n" && bytes[i] !== " ") return true;
  return false;
}
