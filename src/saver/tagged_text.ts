/** @file TaggedText: printed code that knows which source range each part came from. Upstream: torch/csrc/jit/serialization/python_print.cpp (TaggedStringStream). Spec: spec/debug.md. */
import { encodeUtf8 } from "../base/bytes.ts";
import { NO_SOURCE, type SourceRange } from "../base/source_range.ts";

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

/** The ranges of the nodes that are being printed, innermost last. */
export class RangeStack {
  private readonly ranges: (SourceRange | undefined)[] = [undefined];

  get top(): SourceRange | undefined {
    return this.ranges[this.ranges.length - 1];
  }

  /** Runs `body` for a range; the range of the original source where the code was printed from one. */
  within<R>(range: SourceRange | undefined, body: () => R): R {
    const origin = range?.findSourceRangeThatGenerated() ?? range;
    this.ranges.push(origin?.source === NO_SOURCE ? undefined : origin);
    try {
      return body();
    } finally {
      this.ranges.pop();
    }
  }
}

const ASCII = /^[\0-\x7f]*$/;

/** Text under construction. */
export class TaggedText {
  text = "";
  readonly ranges: TaggedRange[] = [];
  private nbytes = 0;
  private readonly stack: RangeStack;

  constructor(stack: RangeStack) {
    this.stack = stack;
  }

  /** Appends text for the current range. Empty text still marks the place, as upstream does for its literals. */
  add(text: string): this {
    this.tag(this.nbytes, this.stack.top);
    this.text += text;
    this.nbytes += ASCII.test(text) ? text.length : encodeUtf8(text).length;
    return this;
  }

  /** Appends another text with its ranges. */
  append(other: TaggedText): this {
    for (const { byteOffset, range } of other.ranges) this.tag(this.nbytes + byteOffset, range);
    this.text += other.text;
    this.nbytes += other.nbytes;
    return this;
  }

  private tag(byteOffset: number, range: SourceRange | undefined): void {
    const last = this.ranges[this.ranges.length - 1];
    if (last === undefined || !isSameRange(last.range, range)) this.ranges.push({ byteOffset, range });
  }
}
