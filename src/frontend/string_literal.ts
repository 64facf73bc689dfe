/** @file Values of string and number literals. Upstream: torch/csrc/jit/frontend/parse_string_literal.h, tree_views.h (Const). Spec: spec/grammar.md. */
import { decodeUtf8, encodeUtf8 } from "../base/bytes.ts";
import { ScriptError } from "../base/errors.ts";
import type { SourceRange } from "../base/source_range.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\",
  "'": "'",
  '"': '"',
  "\n": "\n",
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  v: "\v",
  t: "\t",
  // torch writes \r and cannot read it back: read it
  r: "\r",
};
const OCTAL = /[0-7]{3}/y;
const MAX_BYTE = 255;

/**
 * The value of a literal, quotes included in `literal`. Octal escapes are bytes of UTF-8; bytes that are none become
 * the lone surrogates of `decodeUtf8`.
 */
export function parseStringLiteral(literal: string, range: SourceRange): string {
  const quoteLength = literal.startsWith(literal[0]!.repeat(3)) && literal.length >= 6 ? 3 : 1;
  const body = literal.slice(quoteLength, literal.length - quoteLength);
  let from = body.indexOf("\\");
  if (from < 0) return body;
  let out = body.slice(0, from);
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length === 0) return;
    out += decodeUtf8(Uint8Array.from(bytes));
    bytes = [];
  };
  let plain = from;
  while (from >= 0) {
    if (from > plain) {
      flush();
      out += body.slice(plain, from);
    }
    const char = body[from + 1] ?? "";
    const simple = ESCAPES[char];
    let length = 2;
    if (simple !== undefined) {
      flush();
      out += simple;
    } else if (char === "x") throw new ScriptError("unsupported hex specifier", range);
    else if (char === "u" || char === "U") throw new ScriptError("unsupported unicode specifier", range);
    else {
      OCTAL.lastIndex = from + 1;
      const value = OCTAL.test(body) ? Number.parseInt(body.slice(from + 1, from + 4), 8) : MAX_BYTE + 1;
      if (value > MAX_BYTE) throw new ScriptError(" ill formed octal specifier", range);
      bytes.push(value);
      length = 4;
    }
    plain = from + length;
    from = body.indexOf("\\", plain);
  }
  flush();
  out += body.slice(plain);
  // neighbouring literals or raw text may complete a sequence of bytes
  return /[\udc80-\udcff]/.test(out) ? decodeUtf8(encodeUtf8(out)) : out;
}

/** What a number literal means. */
export type NumberValue =
  | { readonly kind: "int"; readonly value: number | bigint }
  | { readonly kind: "float"; readonly value: number }
  /** Only the imaginary part: `2+3j` is an addition. */
  | { readonly kind: "complex"; readonly imag: number };

const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);

/** Value of a `Number` expression's text. Ints beyond 64 bits are refused with torch's message. */
export function parseNumber(text: string, range?: SourceRange): NumberValue {
  if (text.endsWith("j")) return { kind: "complex", imag: parseFloatLiteral(text.slice(0, -1)) };
  if (/[.eE]/.test(text)) return { kind: "float", value: parseFloatLiteral(text) };
  const negative = text.startsWith("-");
  const digits = text.replace(/^-+/, "");
  // stoll with base 0: 0x is hexadecimal, a leading 0 octal (and stops at the first digit that is none)
  let magnitude: bigint;
  if (/^0[xX]/.test(digits)) magnitude = BigInt(digits.replace(/[pP].*$/, "") || "0");
  else if (/^0\d/.test(digits)) magnitude = BigInt(`0o${/^0[0-7]*/.exec(digits)![0].slice(1) || "0"}`);
  else magnitude = BigInt(digits);
  const value = negative ? -magnitude : magnitude;
  if (value > MAX_INT64 || value < MIN_INT64) {
    throw new ScriptError("Integral constant out of range (must fit in a signed 64 bit integer)", range);
  }
  const small = Number(value);
  return { kind: "int", value: Number.isSafeInteger(small) ? small : value };
}

/** strtod: decimal or hexadecimal. */
function parseFloatLiteral(text: string): number {
  const negative = text.startsWith("-");
  const digits = text.replace(/^-+/, "");
  const hex = /^0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)(?:[pP]([+-]?\d+))?$/.exec(digits);
  let value: number;
  if (hex) {
    const fraction = hex[2]!;
    value = Number(BigInt(`0x${hex[1]! + fraction || "0"}`)) * 2 ** (Number(hex[3] ?? 0) - 4 * fraction.length);
  } else value = Number(digits);
  return negative ? -value : value;
}
