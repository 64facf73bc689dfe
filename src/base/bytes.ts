/** @file Bounds-checked little-endian reading and writing of bytes, and lossless text. Upstream: none. Spec: spec/pickle.md. */
import { keepShape } from "./shapes.ts";

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();
const SHORT_TEXT = 12; // up to this a loop beats the call into TextDecoder; longer texts are no longer joined in place

/**
 * Decodes UTF-8. A byte that is not UTF-8 becomes the lone surrogate U+DC00 + byte (Python's surrogateescape),
 * so that `encodeUtf8` gives the same bytes back: TorchScript strings may hold any bytes.
 */
export function decodeUtf8(bytes: Uint8Array): string {
  if (bytes.length <= SHORT_TEXT) {
    let text = "";
    let i = 0;
    for (; i < bytes.length; i++) {
      const byte = bytes[i]!;
      if (byte >= 0x80) break;
      text += String.fromCharCode(byte);
    }
    if (i === bytes.length) return text;
  }
  try {
    return DECODER.decode(bytes);
  } catch {
    return decodeWithEscapes(bytes);
  }
}

/** Length of the well-formed UTF-8 sequence at `at`, or 0. Unicode 15, table 3-7. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const second = bytes[at + 1] ?? 0;
  const isTail = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;
  if (first >= 0xc2 && first <= 0xdf) return isTail(second) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const low = first === 0xe0 ? 0xa0 : 0x80;
    const high = first === 0xed ? 0x9f : 0xbf;
    return second >= low && second <= high && isTail(bytes[at + 2]) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const low = first === 0xf0 ? 0x90 : 0x80;
    const high = first === 0xf4 ? 0x8f : 0xbf;
    return second >= low && second <= high && isTail(bytes[at + 2]) && isTail(bytes[at + 3]) ? 4 : 0;
  }
  return 0;
}

function decodeWithEscapes(bytes: Uint8Array): string {
  const parts: string[] = [];
  let from = 0;
  let i = 0;
  while (i < bytes.length) {
    const length = sequenceLength(bytes, i);
    if (length > 0) {
      i += length;
      continue;
    }
    if (i > from) parts.push(DECODER.decode(bytes.subarray(from, i)));
    parts.push(String.fromCharCode(0xdc00 + bytes[i]!));
    i++;
    from = i;
  }
  if (i > from) parts.push(DECODER.decode(bytes.subarray(from, i)));
  return parts.join("");
}

/** Encodes text as UTF-8; the lone surrogates that `decodeUtf8` made become their bytes again. */
export function encodeUtf8(text: string): Uint8Array {
  if (!/[\ud800-\udfff]/.test(text)) return ENCODER.encode(text);
  const out = new ByteWriter(text.length * 3);
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (code >= 0xdc80 && code <= 0xdcff) out.u1(code - 0xdc00);
    else if (code >= 0xd800 && code <= 0xdfff) {
      // A lone surrogate that no byte made: generalized UTF-8, as Python's surrogatepass writes it.
      out.u1(0xe0 | (code >> 12));
      out.u1(0x80 | ((code >> 6) & 0x3f));
      out.u1(0x80 | (code & 0x3f));
    } else out.bytes(ENCODER.encode(char));
  }
  return out.finish();
}

/** Reports a defect at a byte: throws the error class of the reader's owner. */
export type ByteFailure = (message: string, byteOffset: number) => never;

/** Reads little-endian values forward through bytes; every read is bounds-checked. */
export class ByteReader {
  readonly data: Uint8Array;
  private readonly view: DataView;
  private readonly fail: ByteFailure;
  /** Next byte to read. */
  position: number;

  constructor(data: Uint8Array, fail: ByteFailure, position = 0) {
    this.data = data;
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.fail = fail;
    this.position = position;
  }

  get remaining(): number {
    return this.data.length - this.position;
  }

  private advance(nbytes: number): number {
    const at = this.position;
    if (nbytes > this.data.length - at) {
      this.fail(`${this.data.length - at} bytes are left, ${nbytes} bytes are needed`, at);
    }
    this.position = at + nbytes;
    return at;
  }

  u1(): number {
    const at = this.position;
    if (at >= this.data.length) this.fail("0 bytes are left, 1 bytes are needed", at);
    this.position = at + 1;
    return this.data[at]!;
  }

  u2(): number {
    return this.view.getUint16(this.advance(2), true);
  }

  u4(): number {
    return this.view.getUint32(this.advance(4), true);
  }

  i4(): number {
    return this.view.getInt32(this.advance(4), true);
  }

  /** An unsigned 64-bit count or offset; beyond 2^53 there is no such file. */
  u8(): number {
    const at = this.advance(8);
    const value = this.view.getUint32(at + 4, true) * 2 ** 32 + this.view.getUint32(at, true);
    if (value > Number.MAX_SAFE_INTEGER)
      this.fail(`64-bit count is ${value}, at most ${Number.MAX_SAFE_INTEGER} is possible`, at);
    return value;
  }

  i8(): bigint {
    return this.view.getBigInt64(this.advance(8), true);
  }

  /** A big-endian double, as pickle's BINFLOAT has it. */
  f8BigEndian(): number {
    return this.view.getFloat64(this.advance(8), false);
  }

  /** Passes over bytes. */
  skip(nbytes: number): void {
    this.advance(nbytes);
  }

  /** A view of the next bytes. */
  bytes(nbytes: number): Uint8Array {
    const at = this.advance(nbytes);
    return this.data.subarray(at, at + nbytes);
  }

  text(nbytes: number): string {
    return decodeUtf8(this.bytes(nbytes));
  }

  /** Text up to the next line feed, which is skipped. */
  line(): string {
    const at = this.position;
    const end = this.data.indexOf(0x0a, at);
    if (end < 0) this.fail(`line feed not found in the remaining ${this.data.length - at} bytes`, at);
    this.position = end + 1;
    return decodeUtf8(this.data.subarray(at, end));
  }
}

const MAX_SHORT_TEXT = 200; // above, the encoder is faster than a loop

/** Appends little-endian values to a growing buffer. */
export class ByteWriter {
  private buffer: Uint8Array;
  private view: DataView;
  /** Bytes written so far. */
  length = 0;

  constructor(capacity = 64) {
    this.buffer = new Uint8Array(capacity);
    this.view = new DataView(this.buffer.buffer);
  }

  private reserve(nbytes: number): number {
    const at = this.length;
    const need = at + nbytes;
    if (need > this.buffer.length) {
      const grown = new Uint8Array(Math.max(need, this.buffer.length * 2));
      grown.set(this.buffer.subarray(0, at));
      this.buffer = grown;
      this.view = new DataView(grown.buffer);
    }
    this.length = need;
    return at;
  }

  u1(value: number): void {
    const at = this.reserve(1); // before `this.buffer` is read: reserve may replace it
    this.buffer[at] = value;
  }

  u2(value: number): void {
    const at = this.reserve(2);
    this.view.setUint16(at, value, true);
  }

  u4(value: number): void {
    const at = this.reserve(4);
    this.view.setUint32(at, value, true);
  }

  i4(value: number): void {
    const at = this.reserve(4);
    this.view.setInt32(at, value, true);
  }

  /** An unsigned 64-bit value below 2^53. */
  u8(value: number): void {
    const at = this.reserve(8);
    this.view.setUint32(at, value >>> 0, true);
    this.view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
  }

  i8(value: bigint): void {
    const at = this.reserve(8);
    this.view.setBigInt64(at, value, true);
  }

  f8BigEndian(value: number): void {
    const at = this.reserve(8);
    this.view.setFloat64(at, value, false);
  }

  bytes(data: Uint8Array): void {
    const at = this.reserve(data.length);
    this.buffer.set(data, at);
  }

  /** ASCII text; one byte for each UTF-16 unit. */
  ascii(text: string): void {
    const at = this.reserve(text.length);
    for (let i = 0; i < text.length; i++) this.buffer[at + i] = text.charCodeAt(i);
  }

  /** Text as `encodeUtf8` writes it, and how many bytes that are. Short texts of ASCII, nearly all, are written without a detour. */
  utf8(text: string): number {
    const { length } = text;
    if (length <= MAX_SHORT_TEXT) {
      const at = this.reserve(length);
      const { buffer } = this;
      let i = 0;
      for (; i < length; i++) {
        const code = text.charCodeAt(i);
        if (code > 0x7f) break;
        buffer[at + i] = code;
      }
      if (i === length) return length;
      this.length = at;
    }
    const bytes = encodeUtf8(text);
    this.bytes(bytes);
    return bytes.length;
  }

  fill(byte: number, nbytes: number): void {
    const at = this.reserve(nbytes);
    this.buffer.fill(byte, at, at + nbytes);
  }

  /** Writes a 32-bit value over what was written at a byte. */
  putU4(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }

  /** Forgets what was written. */
  clear(): void {
    this.length = 0;
  }

  /** The bytes written so far: a view, valid until the next write. */
  finish(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }
}

/** Joins chunks into one array. A single chunk is returned as it is. */
export function concatBytes(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  let nbytes = 0;
  for (const chunk of chunks) nbytes += chunk.length;
  const out = new Uint8Array(nbytes);
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

keepShape(
  new ByteReader(new Uint8Array(0), (message) => {
    throw new Error(message);
  }),
);
