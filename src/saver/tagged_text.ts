/** @file TaggedText: printed code that knows which source range each part came from. Upstream: torch/csrc/jit/serialization/python_print.cpp (TaggedStringStream). Spec: spec/debug.md. */
import { isAscii } from "../base/byte_string.ts";
import { NO_SOURCE, Source, type SourceRange } from "../base/source_range.ts";

/** From byte `byteOffset` of the text on, the text was printed for `range`; undefined: for nothing in particular. */
export interface TaggedRange {
  readonly byteOffset: number;
  readonly range: SourceRange | undefined;
}

/** Whether two ranges are one: sources compare by identity. */
export function isSameRange(a: SourceRange | undefined, b: SourceRange | undefined): boolean {
  return (
    a === b || (a !== undefined && b !== undefined && a.source === b.source && a.start === b.start && a.end === b.end)
  );
}

/** The ranges of the nodes that are being printed. */
export class RangeStack {
  private readonly outer: (SourceRange | undefined)[] = [];
  private innermost: SourceRange | undefined = undefined;

  get top(): SourceRange | undefined {
    return this.innermost;
  }

  /** Starts a range, of the original source where the code was printed from one; `leave` ends it. */
  enter(range: SourceRange | undefined): void {
    this.outer.push(this.innermost);
    const origin = range?.findSourceRangeThatGenerated() ?? range;
    this.innermost = origin?.source === NO_SOURCE ? undefined : origin;
  }

  leave(): void {
    this.innermost = this.outer.pop();
  }
}

/** From UTF-16 unit `offset` of the text on. */
interface Mark {
  readonly offset: number;
  readonly range: SourceRange | undefined;
}

/** Text under construction. */
export class TaggedText {
  text = "";
  private readonly marks: Mark[] = [];
  private readonly stack: RangeStack;

  constructor(stack: RangeStack) {
    this.stack = stack;
  }

  /** Appends text for the current range. Empty text still marks the place, as upstream does for its literals. */
  add(text: string): this {
    this.mark(this.text.length, this.stack.top);
    this.text += text;
    return this;
  }

  /** Appends another text with its ranges, a string for the current one. */
  append(other: TaggedText | string): this {
    if (typeof other === "string") return this.add(other);
    const at = this.text.length;
    const { marks } = other;
    for (let i = 0; i < marks.length; i++) this.mark(at + marks[i]!.offset, marks[i]!.range);
    this.text += other.text;
    return this;
  }

  /** What each part of the text was printed for. */
  ranges(): TaggedRange[] {
    const source = isAscii(this.text) ? undefined : new Source(this.text);
    return this.marks.map(({ offset, range }) => ({ byteOffset: source ? source.byteOffset(offset) : offset, range }));
  }

  private mark(offset: number, range: SourceRange | undefined): void {
    const last = this.marks[this.marks.length - 1];
    if (last === undefined || !isSameRange(last.range, range)) this.marks.push({ offset, range });
  }
}
