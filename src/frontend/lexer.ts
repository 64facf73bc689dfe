/** @file Lexer: TorchScript text to tokens, one ahead of the parser, with indentation as tokens. Upstream: torch/csrc/jit/frontend/lexer.h. Spec: spec/grammar.md. */
import { ScriptError } from "../base/errors.ts";
import { SourceRange, type Source } from "../base/source_range.ts";
import { symbolAt, tokenName, wordKind, type TokenKind } from "./tokens.ts";

/** A token; `[start, end)` are offsets in the source. */
export interface Token {
  readonly kind: TokenKind;
  readonly start: number;
  readonly end: number;
}

const TYPE_COMMENT = "# type:";
// what strtod takes, without a sign, `inf` and `nan`
const NUMBER =
  /(?:0[xX](?:[0-9a-fA-F]+(?:\.[0-9a-fA-F]*)?|\.[0-9a-fA-F]+)(?:[pP][+-]?\d+)?|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)j?/y;

/** What a character can begin or continue, by its code. */
const DIGIT = 1;
const LETTER = 2; // letters and the underscore
const CLASS_OF = new Uint8Array(128);
for (let code = 0; code < 128; code++) {
  const char = String.fromCharCode(code);
  CLASS_OF[code] = /\d/.test(char) ? DIGIT : /[A-Za-z_]/.test(char) ? LETTER : 0;
}
/** Class of a character; 0 for all others and beyond the end (NaN). */
function classOf(code: number): number {
  return code < 128 ? CLASS_OF[code]! : 0;
}

/** Lexes lazily, so that an error in the grammar is reported before a bad token behind it. */
export class Lexer {
  readonly source: Source;
  private readonly text: string;
  private readonly end: number;
  private at: number;
  /** Open brackets: inside them line ends do not count. */
  private nesting = 0;
  private readonly indents: number[] = [];
  /** Tokens that were lexed and not taken; never empty. */
  private readonly queue: Token[] = [];
  private head = 0;

  /** @param start where to begin, at the start of a line. @param end where the text ends for this lexer, likewise. */
  constructor(source: Source, start = 0, end = source.text.length) {
    this.source = source;
    this.text = source.text;
    this.at = start;
    this.end = end;
    const first = this.lexRaw(true);
    this.indents.push(first.end - first.start);
    this.lex();
  }

  /** Goes on at `start`, the start of a line that is indented as the current block: what lies before it is passed over. */
  jumpTo(start: number): void {
    this.queue.length = 0;
    this.head = 0;
    this.at = start;
    this.pushIndentation(this.lexRaw(true));
    this.next(); // the line end
  }

  /** The current token. */
  cur(): Token {
    return this.queue[this.head]!;
  }
  /** The token after the current one. */
  lookahead(): Token {
    if (this.queue.length - this.head < 2) this.lex();
    return this.queue[this.head + 1]!;
  }
  /** Takes the current token. */
  next(): Token {
    const token = this.queue[this.head++]!;
    if (this.head === this.queue.length) {
      this.queue.length = 0;
      this.head = 0;
      this.lex();
    }
    return token;
  }
  /** Takes the current token if it is of the kind. */
  nextIf(kind: TokenKind): boolean {
    if (this.cur().kind !== kind) return false;
    this.next();
    return true;
  }
  /** Takes the current token, which must be of the kind. */
  expect(kind: TokenKind): Token {
    if (this.cur().kind !== kind) this.expected(tokenName(kind));
    return this.next();
  }

  rangeOf(token: Token): SourceRange {
    return new SourceRange(this.source, token.start, token.end);
  }
  textOf(token: Token): string {
    return this.text.slice(token.start, token.end);
  }

  /** Throws torch's "expected ... but found". */
  expected(what: string, token: Token = this.cur(), found: string = tokenName(token.kind)): never {
    throw new ScriptError(`expected ${what} but found '${found}' here`, this.rangeOf(token));
  }

  /** Queues the next token, or the several that one change of indentation makes. */
  private lex(): void {
    const token = this.lexRaw(false);
    switch (token.kind) {
      case "(":
      case "[":
      case "{":
        this.nesting++;
        break;
      case ")":
      case "]":
      case "}":
        this.nesting--;
        break;
      case "whitespace":
      case "whitespace_eof":
        this.pushIndentation(token);
        return;
      default:
        break;
    }
    this.queue.push(token);
  }

  private pushIndentation(token: Token): void {
    const { start, end } = token;
    // the last line may be indented as it likes: the text may stand inside an indented literal
    const depth = token.kind === "whitespace_eof" ? this.indents[0]! : end - start;
    const top = this.indents.at(-1)!;
    if (depth > top) {
      this.indents.push(depth);
      this.queue.push({ kind: "indent", start, end });
      return;
    }
    this.queue.push({ kind: "newline", start, end });
    while (this.indents.at(-1)! !== depth) {
      this.indents.pop();
      this.queue.push({ kind: "dedent", start, end });
      if (this.indents.length === 0) throw new ScriptError(`invalid indent level ${depth}`, this.rangeOf(token));
    }
  }

  /** The next token of the text. White space counts where a line begins outside brackets. */
  private lexRaw(atLineStart: boolean): Token {
    const text = this.text;
    const from = this.at;
    const continuation = this.nesting !== 0;
    let whitespaceToken = atLineStart;
    let pos = from;
    let start = pos;
    for (;;) {
      start = pos;
      while (isBlank(text.charCodeAt(pos))) pos++;
      const char = text[pos];
      if (char === "#" && !text.startsWith(TYPE_COMMENT, pos)) {
        const lineEnd = text.indexOf("\n", pos);
        pos = lineEnd < 0 ? text.length : lineEnd;
      } else if (char === "\\" && text[pos + 1] === "\n" && !whitespaceToken) {
        pos += 2;
        whitespaceToken = false;
      } else if (char === "\n") {
        pos++;
        whitespaceToken = !continuation;
      } else break;
    }
    const isEnd = pos >= this.end;
    if (whitespaceToken) return this.took(isEnd ? "whitespace_eof" : "whitespace", start, pos);
    if (isEnd) return this.took("eof", pos, pos);
    start = pos;
    const code = text.charCodeAt(start);
    const charClass = classOf(code);
    if (charClass === LETTER) {
      let end = start + 1;
      while (classOf(text.charCodeAt(end)) !== 0) end++;
      return this.word(start, end);
    }
    if (charClass === DIGIT || (code === DOT && classOf(text.charCodeAt(start + 1)) === DIGIT)) {
      NUMBER.lastIndex = start;
      if (NUMBER.test(text)) return this.took("number", start, NUMBER.lastIndex);
    }
    const char = text[start]!;
    if (char === '"' || char === "'") {
      const end = stringEnd(text, start, char);
      if (end !== undefined) return this.took("string_literal", start, end);
    }
    if (char === "#") return this.took(TYPE_COMMENT, start, start + TYPE_COMMENT.length);
    const symbol = symbolAt(text, start);
    if (symbol) return this.took(symbol, start, start + symbol.length);
    // torch names the character where it began to look, which may be the blank before
    return this.expected("a valid token", { kind: "eof", start, end: start + 1 }, text[from]!);
  }

  private word(start: number, end: number): Token {
    const word = this.text.slice(start, end);
    // torch also splits "not input" into "not in" and "put"; nobody can want that
    const pair = word === "is" ? "is not" : word === "not" ? "not in" : undefined;
    if (pair && this.text.startsWith(pair, start) && classOf(this.text.charCodeAt(start + pair.length)) === 0) {
      return this.took(pair, start, start + pair.length);
    }
    return this.took(wordKind(word), start, end);
  }

  private took(kind: TokenKind, start: number, end: number): Token {
    this.at = end;
    return { kind, start, end };
  }
}

const DOT = 46;
const LINE_FEED = 10;

/**
 * Where the block ends whose lines are indented deeper than `indent` columns: the start of the first line after `from` that is not, as the
 * lexer sees lines. Undefined where the text has something that only the lexer can judge.
 */
export function endOfBlock(text: string, from: number, indent: number): number | undefined {
  let nesting = 0;
  for (let at = from; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 40: // ( [ {
      case 91:
      case 123:
        nesting++;
        break;
      case 41: // ) ] }
      case 93:
      case 125:
        if (--nesting < 0) return undefined;
        break;
      case 34: // " '
      case 39: {
        const end = stringEnd(text, at, text[at]!);
        if (end === undefined) return undefined;
        at = end - 1;
        break;
      }
      case 92: // backslash outside strings
        return undefined;
      case 35: {
        // # up to the end of the line
        const lineEnd = text.indexOf("\n", at);
        at = (lineEnd < 0 ? text.length : lineEnd) - 1;
        break;
      }
      case LINE_FEED: {
        if (nesting > 0) break;
        let pos = at + 1;
        while (text.charCodeAt(pos) === 32) pos++;
        const code = text.charCodeAt(pos);
        if (pos - at - 1 > indent || code === LINE_FEED || code === 35) break;
        return isBlank(code) ? undefined : at + 1;
      }
      default:
        break;
    }
  }
  return nesting === 0 ? text.length : undefined;
}

/** White space within a line: `isspace` without the line feed. */
function isBlank(code: number): boolean {
  return code === 32 || code === 9 || code === 13 || code === 11 || code === 12;
}

/** End of the string literal that starts at `start`, or undefined if it is not closed. */
function stringEnd(text: string, start: number, quote: string): number | undefined {
  const triple = quote.repeat(3);
  const close = text.startsWith(triple, start) ? triple : quote;
  let end = start + close.length;
  while (end < text.length && !text.startsWith(close, end)) {
    const char = text[end];
    if (char === "\n" && close.length === 1) return undefined;
    end += char === "\\" ? 2 : 1;
  }
  return end < text.length ? end + close.length : undefined;
}
