/** @file Source text and ranges in it, with PyTorch's caret excerpts. Upstream: torch/csrc/jit/frontend/source_range.cpp. Spec: spec/debug.md. */

/** A source range that generated text came from: how an archive's code points at the original Python. */
export interface SourceRangeOrigin {
  /** Finds the range of the original source for a range of archived code, or undefined. */
  findSourceRangeThatGenerated(range: SourceRange): SourceRange | undefined;
}

/** A piece of source text with the name and line where it starts. Offsets count UTF-16 units of `text`. */
export class Source {
  readonly text: string;
  readonly filename: string | undefined;
  /** 0-based line of the file on which `text` starts. */
  readonly startingLine: number;
  readonly origin: SourceRangeOrigin | undefined;
  private lineStarts: number[] | undefined;

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

  /** 0-based line of `text` that holds `offset`. */
  lineOf(offset: number): number {
    const starts = this.starts();
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Offset at which the 0-based line starts. */
  offsetOfLine(line: number): number {
    return this.starts()[line] ?? this.text.length;
  }

  /** 0-based line in the file, counting from `startingLine`. */
  fileLine(line: number): number {
    return this.startingLine + line;
  }

  numLines(): number {
    return this.starts().length;
  }
}

const CONTEXT_LINES = 3; // torch: SourceRange::highlight prints three lines before and after

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

  text(): string {
    return this.source.text.slice(this.start, this.end);
  }

  /** `[filename, line, column]`, line 1-based and column 0-based as `graph` prints them; undefined without a file name. */
  fileLineCol(): [string, number, number] | undefined {
    if (this.source.filename === undefined) return undefined;
    const line = this.source.lineOf(this.start);
    return [this.source.filename, this.source.fileLine(line) + 1, this.start - this.source.offsetOfLine(line)];
  }

  /** The range of the original source that this range of archived code was printed from. */
  findSourceRangeThatGenerated(): SourceRange | undefined {
    return this.source.origin?.findSourceRangeThatGenerated(this);
  }

  /** The excerpt that PyTorch prints, and below it, if known, the original source ("Serialized ..."). */
  highlight(): string {
    const original = this.findSourceRangeThatGenerated();
    if (!original) return this.printWithContext(CONTEXT_LINES, true, "");
    return `${original.highlight()}Serialized ${this.printWithContext(CONTEXT_LINES, true, "")}`;
  }

  /** Prints the lines around the range with `~~~ <--- HERE` below each marked line. */
  printWithContext(context: number, highlight: boolean, funcname: string): string {
    const text = this.source.text;
    if (text.length === 0) return "";
    // Note [Raw traceback]: a range over the whole text is a trace's Python stack, printed as it is.
    if (this.start === 0 && this.end === text.length) return text;
    const begin = Math.min(Math.max(0, this.start), text.length);
    const finish = Math.min(Math.max(begin, this.end), text.length);
    let beginLine = begin;
    while (beginLine > 0 && text[beginLine - 1] !== "\n") beginLine--;
    let beginContext = beginLine;
    for (let lines = 0; beginContext > 0; --beginContext) {
      if (text[beginContext - 1] === "\n") ++lines;
      if (lines > context) break;
    }
    let endLine = begin;
    while (endLine < text.length && text[endLine] !== "\n") endLine++;
    let endContext = endLine;
    for (let lines = 0; endContext < text.length; ++endContext) {
      if (text[endContext] === "\n") ++lines;
      if (lines >= context) break;
    }
    let out = "";
    const at = this.fileLineCol();
    if (at) {
      out += `  File "${at[0]}", line ${at[1]}`;
      if (funcname) out += `, in ${funcname}`;
      out += "\n";
    }
    if (beginContext > 0) while (beginContext < begin && beginContext > 0 && text[beginContext - 1] !== "\n") beginContext++;
    const initialIndent = leadingBlanks(text, beginLine);
    let lineStart = beginContext;
    let first = true;
    while (lineStart < endContext || first) {
      first = false;
      let lineEnd = text.indexOf("\n", lineStart);
      if (lineEnd < 0 || lineEnd > endContext) lineEnd = Math.min(text.length, Math.max(endContext, lineStart));
      const actual = text.slice(lineStart, lineEnd);
      out += `${at ? "    " : ""}${actual}\n`;
      if (highlight && lineEnd >= begin && lineStart < finish) {
        const emptySpace = lineStart === beginLine ? begin - lineStart : Math.min(initialIndent, leadingBlanks(text, lineStart));
        const marks = Math.max(0, Math.min(finish, lineEnd) - Math.max(begin, lineStart + (lineStart === beginLine ? 0 : emptySpace)));
        const isLast = finish <= lineEnd + 1 || lineEnd >= text.length;
        out += `${at ? "    " : ""}${" ".repeat(emptySpace)}${"~".repeat(marks)}${isLast ? " <--- HERE" : ""}\n`;
      }
      lineStart = lineEnd + 1;
      if (lineStart > text.length) break;
    }
    return out;
  }
}

function leadingBlanks(text: string, from: number): number {
  let i = from;
  while (i < text.length && text[i] === " ") i++;
  return i - from;
}
