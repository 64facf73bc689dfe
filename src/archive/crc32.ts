/** @file CRC-32 of zip (reflected 0xEDB88320): sixteen bytes a step, or the platform's, or for long data folded by vectors. Upstream: none. Spec: spec/container.md. */
import { makeFoldingCrc } from "./crc32_folding.ts";

/** Continues a CRC-32 over more bytes: `crc32(b, crc32(a))` is the CRC of `a` followed by `b`. */
export type Crc32 = (bytes: Uint8Array, seed?: number) => number;

const STEP = 16;

function makeTables(): Int32Array {
  const tables = new Int32Array(STEP * 256);
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    tables[i] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const previous = tables[i - 256]!;
    tables[i] = (previous >>> 8) ^ tables[previous & 255]!;
  }
  return tables;
}

let tables: Int32Array | undefined;

/** The TypeScript implementation: table k advances a byte over k further bytes ("slicing by 16"). */
export function crc32Portable(bytes: Uint8Array, seed = 0): number {
  const t = (tables ??= makeTables());
  let crc = ~seed;
  let i = 0;
  const end = bytes.length;
  // Single bytes up to a 4-byte boundary, so that the words below are an aligned view.
  while (i < end && ((bytes.byteOffset + i) & 3) !== 0) crc = (crc >>> 8) ^ t[(crc ^ bytes[i++]!) & 255]!;
  const nsteps = LITTLE_ENDIAN ? (end - i) >>> 4 : 0;
  if (nsteps > 0) {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + i, nsteps * 4);
    for (let w = 0; w < words.length; w += 4) {
      const a = words[w]! ^ crc;
      const b = words[w + 1]!;
      const c = words[w + 2]!;
      const d = words[w + 3]!;
      crc =
        t[3840 + (a & 255)]! ^
        t[3584 + ((a >>> 8) & 255)]! ^
        t[3328 + ((a >>> 16) & 255)]! ^
        t[3072 + (a >>> 24)]! ^
        t[2816 + (b & 255)]! ^
        t[2560 + ((b >>> 8) & 255)]! ^
        t[2304 + ((b >>> 16) & 255)]! ^
        t[2048 + (b >>> 24)]! ^
        t[1792 + (c & 255)]! ^
        t[1536 + ((c >>> 8) & 255)]! ^
        t[1280 + ((c >>> 16) & 255)]! ^
        t[1024 + (c >>> 24)]! ^
        t[768 + (d & 255)]! ^
        t[512 + ((d >>> 8) & 255)]! ^
        t[256 + ((d >>> 16) & 255)]! ^
        t[d >>> 24]!;
    }
    i += nsteps * STEP;
  }
  while (i < end) crc = (crc >>> 8) ^ t[(crc ^ bytes[i++]!) & 255]!;
  return ~crc >>> 0;
}

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

let implementation: Crc32 = crc32Portable;

/** Shorter data gain nothing. */
const MIN_FOLDED = 1 << 15;
/** So much is checked before folding is worth its module: programs that only look into archives never see as much. */
const MIN_BYTES = 1 << 22;
let nbytesSeen = 0;
let folding: Crc32 | undefined;

/** CRC-32 of `bytes`, continuing from `seed`: an unsigned 32-bit number. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  if (bytes.length < MIN_FOLDED) return implementation(bytes, seed);
  if (folding) return folding(bytes, seed);
  if (nbytesSeen < MIN_BYTES) {
    nbytesSeen += bytes.length;
    return implementation(bytes, seed);
  }
  const shorter: Crc32 = (part, from) => implementation(part, from);
  folding = makeFoldingCrc(shorter) ?? shorter;
  return folding(bytes, seed);
}

/** Replaces the implementation for short data, for example by zlib's; `undefined` restores the portable one. */
export function installCrc32(replacement: Crc32 | undefined): void {
  implementation = replacement ?? crc32Portable;
}
