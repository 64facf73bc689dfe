/** @file String operators: methods, slices, indices, comparisons; on bytes as in PyTorch. Upstream: torch/csrc/jit/runtime/register_prim_ops.cpp. Spec: none. See Note [Bytes of a string]. */
import { OperatorError } from "../base/errors.ts";
import { byteLength, compareBytes, fromByteString, toByteString } from "../base/byte_string.ts";
import { builtin } from "../core/operator_registry.ts";
import type { Int } from "../tensor/scalar.ts";
import { sliceIndices, toIndex } from "./slice_indices.ts";

type Bytes = string;

/** A kernel on byte strings for texts: converts the first `count` arguments there and the result back. */
function onBytes<R>(count: number, kernel: (...args: never[]) => R): (...args: unknown[]) => unknown {
  return (...args) => {
    for (let i = 0; i < count; i++) args[i] = toByteString(args[i] as string);
    const result = kernel(...(args as never[]));
    if (typeof result === "string") return fromByteString(result);
    if (Array.isArray(result)) return result.map((r) => (typeof r === "string" ? fromByteString(r) : (r as unknown)));
    return result;
  };
}

const isLower = (c: string): boolean => c >= "a" && c <= "z";
const isUpper = (c: string): boolean => c >= "A" && c <= "Z";
const isAlpha = (c: string): boolean => isLower(c) || isUpper(c);
const isDigit = (c: string): boolean => c >= "0" && c <= "9";
const isAlnum = (c: string): boolean => isAlpha(c) || isDigit(c);
const isSpace = (c: string): boolean => c === " " || (c >= "\t" && c <= "\r");
const isPunct = (c: string): boolean => c > " " && c < "\x7f" && !isAlnum(c);
// only ASCII letters have cases in the C locale
const lower = (c: string): string => (isUpper(c) ? c.toLowerCase() : c);
const upper = (c: string): string => (isLower(c) ? c.toUpperCase() : c);
const mapChars = (text: string, f: (c: string, i: number) => string): string => {
  let out = "";
  for (let i = 0; i < text.length; i++) out += f(text[i]!, i);
  return out;
};
const everyChar = (text: string, test: (c: string) => boolean): boolean => {
  for (let i = 0; i < text.length; i++) if (!test(text[i]!)) return false;
  return true;
};

/** Python's start and end made offsets: negative ones count from behind, end's -1 being the end itself. */
function range(size: number, start: Int, end: Int): [number, number] {
  const s = toIndex(start);
  const e = toIndex(end);
  return [s < 0 ? Math.max(0, size + s) : s, e < 0 ? Math.max(0, size + e + 1) : e];
}

/** `std::string::substr`, which refuses to start behind the end. */
function substr(text: Bytes, start: number, count: number): Bytes {
  if (start > text.length) {
    throw new OperatorError(`basic_string::substr: __pos (which is ${start}) > this->size() (which is ${text.length})`);
  }
  // a negative count is a huge one in C++
  return count < 0 ? text.slice(start) : text.slice(start, start + count);
}

function find(text: Bytes, part: Bytes, start: Int, end: Int, reverse: boolean): number {
  const [s, e] = range(text.length, start, end);
  const window = e > s ? substr(text, s, e - s) : "";
  if (window.length < part.length) return -1;
  // torch looks for the last match from match to match, so it misses the empty one at the end
  const at = reverse ? (part === "" ? window.length : window.lastIndexOf(part)) : window.indexOf(part);
  return at < 0 ? -1 : at + s;
}

function charAt(text: string, index: Int): string {
  const bytes = toByteString(text);
  const i = toIndex(index);
  const at = i < 0 ? bytes.length + i : i;
  if (at < 0 || at >= bytes.length) {
    const shown = at < 0 ? BigInt.asUintN(64, BigInt(at)).toString() : String(at);
    throw new OperatorError(`basic_string::at: __n (which is ${shown}) >= this->size() (which is ${bytes.length})`);
  }
  return fromByteString(bytes[at]!);
}

builtin("aten::len.str(str s) -> int", byteLength);
builtin("aten::__getitem__.str(str s, int index) -> str", charAt);
builtin("prim::StringIndex(str string, int index) -> str", charAt);
builtin("aten::list(str t) -> str[]", (text: string) => Array.from(toByteString(text), fromByteString));
builtin(
  "aten::slice.str(str string, int? start=None, int? end=None, int step=1) -> str",
  (text: string, start: Int | null, end: Int | null, step: Int) => {
    const bytes = toByteString(text);
    const [from, count, by] = sliceIndices(bytes.length, start, end, step);
    if (by === 1) return fromByteString(bytes.slice(from, from + count));
    let out = "";
    for (let k = 0; k < count; k++) out += bytes[from + k * by]!;
    return fromByteString(out);
  },
);
builtin("aten::add.str(str a, str b) -> str", (a: string, b: string) => a + b);
builtin("aten::eq.str(str a, str b) -> bool", (a: string, b: string) => a === b);
builtin("aten::ne.str(str a, str b) -> bool", (a: string, b: string) => a !== b);
builtin("aten::lt.str(str a, str b) -> bool", (a: string, b: string) => compareBytes(a, b) < 0);
builtin("aten::gt.str(str a, str b) -> bool", (a: string, b: string) => compareBytes(a, b) > 0);
builtin("aten::le.str(str a, str b) -> bool", (a: string, b: string) => compareBytes(a, b) <= 0);
builtin("aten::ge.str(str a, str b) -> bool", (a: string, b: string) => compareBytes(a, b) >= 0);

builtin("aten::ord(str string) -> int", (text: string) => {
  const bytes = toByteString(text);
  if (bytes.length !== 1) throw new OperatorError(`String for ord() must be 1 character, found ${bytes.length}`);
  return bytes.charCodeAt(0);
});
builtin("aten::chr(int i) -> str", (i: Int) => {
  if (i < 0 || i >= 1114111) throw new OperatorError(`chr() arg not in range(0x110000), found ${i}`);
  return fromByteString(String.fromCharCode(Number(i) & 255));
});

builtin("aten::lower(str self) -> str", (s: string) => mapChars(s, lower));
builtin("aten::upper(str self) -> str", (s: string) => mapChars(s, upper));
builtin("aten::swapcase(str self) -> str", (s: string) => mapChars(s, (c) => (isLower(c) ? upper(c) : lower(c))));
builtin("aten::capitalize(str self) -> str", (s: string) => mapChars(s, (c, i) => (i === 0 ? upper(c) : lower(c))));
builtin("aten::title(str self) -> str", (s: string) =>
  mapChars(s, (c, i) => (i > 0 && isAlpha(s[i - 1]!) ? lower(c) : upper(c))),
);

const IS: Readonly<Record<string, (c: string) => boolean>> = {
  isdigit: isDigit,
  isdecimal: isDigit,
  isnumeric: isDigit,
  isspace: isSpace,
  isalnum: isAlnum,
  isalpha: isAlpha,
};
for (const [name, test] of Object.entries(IS))
  builtin(`aten::${name}(str self) -> bool`, (s: string) => s.length > 0 && everyChar(s, test));
builtin("aten::isprintable(str self) -> bool", (s: string) =>
  everyChar(s, (c) => isAlnum(c) || isPunct(c) || c === " "),
);
// Python 2's rule, without underscores, as in torch
builtin(
  "aten::isidentifier(str self) -> bool",
  (s: string) => s.length > 0 && !isDigit(s[0]!) && everyChar(s, isAlnum),
);
const isCased = (good: (c: string) => boolean) => (s: string) =>
  Array.from(s).some(isAlpha) && everyChar(s, (c) => !isAlpha(c) || good(c));
builtin("aten::islower(str self) -> bool", isCased(isLower));
builtin("aten::isupper(str self) -> bool", isCased(isUpper));
builtin("aten::istitle(str self) -> bool", (s: string) => {
  let result = false;
  for (let i = 0; i < s.length; i++) {
    const c = s[i]!;
    const follows = i > 0 && isAlpha(s[i - 1]!);
    if (follows ? isUpper(c) : isLower(c)) return false;
    if (!follows && isAlpha(c)) result = true;
  }
  return result;
});

builtin(
  "aten::find(str self, str substr, int start=0, int end=-1) -> int",
  onBytes(2, (s: Bytes, p: Bytes, a: Int, b: Int) => find(s, p, a, b, false)),
);
builtin(
  "aten::rfind(str self, str substr, int start=0, int end=-1) -> int",
  onBytes(2, (s: Bytes, p: Bytes, a: Int, b: Int) => find(s, p, a, b, true)),
);
const findOrThrow = (reverse: boolean) =>
  onBytes(2, (s: Bytes, p: Bytes, a: Int, b: Int) => {
    const at = find(s, p, a, b, reverse);
    if (at < 0) throw new OperatorError("ValueError: substring not found");
    return at;
  });
builtin("aten::index.str(str self, str substr, int start=0, int end=-1) -> int", findOrThrow(false));
builtin("aten::rindex(str self, str substr, int start=0, int end=-1) -> int", findOrThrow(true));
builtin(
  "aten::count(str self, str substr, int start=0, int end=-1) -> int",
  onBytes(2, (s: Bytes, p: Bytes, start: Int, end: Int) => {
    if (start > s.length) return 0;
    const [from, to] = range(s.length, start, end);
    if (p === "") return Math.max(0, Math.min(to, s.length + 1) - from);
    let count = 0;
    for (let at = s.indexOf(p, from); at >= 0 && at < to; at = s.indexOf(p, at + p.length)) count++;
    return count;
  }),
);
const windowOf = (s: Bytes, start: Int, end: Int): Bytes => {
  const [from, to] = range(s.length, start, end);
  return substr(s, from, to - from);
};
builtin(
  "aten::startswith(str self, str substr, int start=0, int end=-1) -> bool",
  onBytes(2, (s: Bytes, p: Bytes, a: Int, b: Int) => windowOf(s, a, b).startsWith(p)),
);
builtin(
  "aten::endswith(str self, str substr, int start=0, int end=-1) -> bool",
  onBytes(2, (s: Bytes, p: Bytes, a: Int, b: Int) => windowOf(s, a, b).endsWith(p)),
);

// NUL ends the C string of torch's list; the bytes of U+2028 and U+2029 count one by one
const BLANKS = " \t\n\r\v\f\x1c\x1d\x1e\xc2\x85\xe2\x80\xa8\xa9";
const LINE_ENDS = BLANKS.slice(2);

builtin(
  "aten::split.str(str self, str? separator=None, int max=-1) -> str[]",
  (text: string, separator: string | null, max: Int) => {
    const s = toByteString(text);
    const parts: Bytes[] = [];
    if (separator === null) {
      let from = 0;
      for (let i = 0; i < s.length; i++) {
        if (!BLANKS.includes(s[i]!)) continue;
        if (i > from) parts.push(s.slice(from, i));
        from = i + 1;
      }
      if (from !== s.length) parts.push(s.slice(from));
      return parts.map(fromByteString);
    }
    const by = toByteString(separator);
    if (by === "") throw new OperatorError("ValueError: empty separator");
    let from = 0;
    for (let at = s.indexOf(by), count = 1; at >= 0 && !(max >= 0 && count > max); at = s.indexOf(by, from), count++) {
      parts.push(s.slice(from, at));
      from = at + by.length;
    }
    parts.push(s.slice(from));
    return parts.map(fromByteString);
  },
);
builtin(
  'aten::rsplit(str self, str separator=" ", int max=-1) -> str[]',
  onBytes(2, (s: Bytes, by: Bytes, max: Int) => {
    if (by === "") throw new OperatorError("ValueError: empty separator");
    const parts: Bytes[] = [];
    let to = s.length;
    for (let count = 1; to >= by.length && !(max >= 0 && count > max); count++) {
      const at = s.lastIndexOf(by, to - by.length);
      if (at < 0) break;
      parts.unshift(s.slice(at + by.length, to));
      to = at;
    }
    parts.unshift(s.slice(0, to));
    return parts;
  }),
);
builtin(
  "aten::splitlines(str self, bool keepends=False) -> str[]",
  onBytes(1, (s: Bytes, keepends: boolean) => {
    const parts: Bytes[] = [];
    let from = 0;
    for (let i = 0; i < s.length; i++) {
      if (!LINE_ENDS.includes(s[i]!)) continue;
      parts.push(s.slice(from, i));
      // torch keeps an end as a part of its own
      if (keepends) parts.push(s[i]!);
      from = i + 1;
    }
    if (from !== s.length) parts.push(s.slice(from));
    return parts;
  }),
);
builtin(
  "aten::partition(str self, str separator) -> (str, str, str)",
  onBytes(2, (s: Bytes, by: Bytes) => {
    const at = s.indexOf(by);
    return at < 0 ? [s, "", ""] : [s.slice(0, at), by, s.slice(at + by.length)];
  }),
);
builtin(
  "aten::rpartition(str self, str separator) -> (str, str, str)",
  onBytes(2, (s: Bytes, by: Bytes) => {
    const at = s.lastIndexOf(by);
    return at < 0 ? ["", "", s] : [s.slice(0, at), by, s.slice(at + by.length)];
  }),
);
builtin("aten::join(str self, str[] values) -> str", (separator: string, values: readonly string[]) =>
  fromByteString(values.map(toByteString).join(toByteString(separator))),
);
builtin(
  "aten::replace(str self, str old, str new, int max=-1) -> str",
  onBytes(3, (s: Bytes, old: Bytes, by: Bytes, max: Int) => {
    let out = "";
    let from = 0;
    let count = 0;
    if (old === "") {
      // torch inserts before every byte and at the end
      if (by === "") return s;
      for (; from <= s.length && !(max >= 0 && count >= max); count++) {
        out += by + (s[from] ?? "");
        from++;
      }
      return out + s.slice(from);
    }
    for (let at = s.indexOf(old); at >= 0 && !(max >= 0 && ++count > max); at = s.indexOf(old, from)) {
      out += s.slice(from, at) + by;
      from = at + old.length;
    }
    return out + s.slice(from);
  }),
);

function strip(s: Bytes, chars: Bytes, left: boolean, right: boolean): Bytes {
  let from = 0;
  let to = s.length;
  while (right && to > from && chars.includes(s[to - 1]!)) to--;
  while (left && from < to && chars.includes(s[from]!)) from++;
  return s.slice(from, to);
}
builtin(
  'aten::strip(str self, str chars=" \\n\\t\\f\\v") -> str',
  onBytes(2, (s: Bytes, chars: Bytes) => strip(s, chars, true, true)),
);
builtin(
  'aten::lstrip(str self, str chars=" \\n\\t\\f\\v") -> str',
  onBytes(2, (s: Bytes, chars: Bytes) => strip(s, chars, true, false)),
);
builtin(
  'aten::rstrip(str self, str chars=" \\n\\t\\f\\v") -> str',
  onBytes(2, (s: Bytes, chars: Bytes) => strip(s, chars, false, true)),
);

const LONGEST = 2 ** 28;
function padding(width: Int, length: number): number {
  const count = Math.max(0, Number(width) - length);
  if (count > LONGEST) throw new OperatorError("std::bad_alloc");
  return count;
}
function checkFill(fill: Bytes): void {
  if (fill.length !== 1) throw new OperatorError("TypeError: The fill character must be exactly one character long");
}
builtin('aten::ljust(str self, int width, str fillchar=" ") -> str', (s: string, width: Int, fill: string) => {
  checkFill(toByteString(fill));
  return s + fill.repeat(padding(width, byteLength(s)));
});
builtin('aten::rjust(str self, int width, str fillchar=" ") -> str', (s: string, width: Int, fill: string) => {
  checkFill(toByteString(fill));
  return fill.repeat(padding(width, byteLength(s))) + s;
});
builtin('aten::center(str self, int width, str fillchar=" ") -> str', (s: string, width: Int, fill: string) => {
  checkFill(toByteString(fill));
  const full = width < 0 ? 0 : padding(width, byteLength(s));
  const half = Math.floor(full / 2);
  const other = Math.floor((full + 1) / 2);
  const odd = Number(width) % 2 !== 0;
  return fill.repeat(odd ? other : half) + s + fill.repeat(odd ? half : other);
});
builtin(
  "aten::zfill(str self, int width) -> str",
  (s: string, width: Int) => "0".repeat(padding(width, byteLength(s))) + s,
);
builtin(
  "aten::expandtabs(str self, int tabsize=8) -> str",
  onBytes(1, (s: Bytes, tabsize: Int) => {
    let out = "";
    const size = toIndex(tabsize);
    for (const c of s) {
      if (c !== "\t") out += c;
      else if (size > 0) out += " ".repeat(size - (out.length % size));
    }
    return out;
  }),
);
