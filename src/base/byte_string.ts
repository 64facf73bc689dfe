/** @file Byte strings: TorchScript strings are UTF-8 bytes, ours are UTF-16; lengths, indices and classes count bytes. Upstream: none. Spec: none.
 *
 * Note [Bytes of a string]: operators on strings work on a "byte string", a JavaScript string whose characters are the UTF-8
 * bytes (0-255). ASCII text is its own byte string. Bytes that are no UTF-8 (half a character after a slice) become lone
 * surrogates U+DC80..U+DCFF on the way back, as Python's surrogateescape does, so that nothing is lost. */

// eslint-disable-next-line no-control-regex
const NON_ASCII = /[^\x00-\x7f]/;

/** Whether every character is one byte. */
export function isAscii(text: string): boolean {
  return !NON_ASCII.test(text);
}

/** The byte string of a text. */
export function toByteString(text: string): string {
  if (isAscii(text)) return text;
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) out += text[i];
    else if (unit < 0x800) out += String.fromCharCode(0xc0 | (unit >> 6), 0x80 | (unit & 63));
    else if (unit >= 0xdc80 && unit <= 0xdcff) out += String.fromCharCode(unit - 0xdc00);
    else {
      const point = text.codePointAt(i)!;
      if (point > 0xffff) {
        i++;
        out += String.fromCharCode(
          0xf0 | (point >> 18),
          0x80 | ((point >> 12) & 63),
          0x80 | ((point >> 6) & 63),
          0x80 | (point & 63),
        );
      } else out += String.fromCharCode(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
    }
  }
  return out;
}

/** The text of a byte string. */
export function fromByteString(bytes: string): string {
  if (isAscii(bytes)) return bytes;
  let out = "";
  for (let i = 0; i < bytes.length;) {
    const b = bytes.charCodeAt(i);
    const length = b < 0x80 ? 1 : b >= 0xc2 && b < 0xe0 ? 2 : b >= 0xe0 && b < 0xf0 ? 3 : b >= 0xf0 && b < 0xf5 ? 4 : 0;
    let point = length === 1 ? b : b & (0xff >> (length + 1));
    let good = length > 0 && i + length <= bytes.length;
    for (let k = 1; good && k < length; k++) {
      const next = bytes.charCodeAt(i + k);
      if ((next & 0xc0) !== 0x80) good = false;
      point = (point << 6) | (next & 63);
    }
    // overlong forms, surrogates and values beyond Unicode are no characters
    if (
      good &&
      ((length === 3 && (point < 0x800 || (point >= 0xd800 && point < 0xe000))) ||
        (length === 4 && (point < 0x10000 || point > 0x10ffff)))
    )
      good = false;
    if (good) {
      out += String.fromCodePoint(point);
      i += length;
    } else {
      out += String.fromCharCode(0xdc00 + b);
      i++;
    }
  }
  return out;
}

/** Number of UTF-8 bytes. */
export function byteLength(text: string): number {
  return isAscii(text) ? text.length : toByteString(text).length;
}

/** Order of two strings by their bytes: negative, zero or positive. */
export function compareBytes(a: string, b: string): number {
  if (a === b) return 0;
  if (isAscii(a) && isAscii(b)) return a < b ? -1 : 1;
  return toByteString(a) < toByteString(b) ? -1 : 1;
}
