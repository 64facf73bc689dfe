/** @file The only file that imports fflate: bounded raw inflate, raw deflate. Upstream: none. Spec: spec/container.md. */
import { Inflate, deflateSync, inflateSync } from "fflate";

/** Inflates a whole raw deflate stream; throws when the result would exceed `maxBytes`. */
export type InflateAll = (compressed: Uint8Array, maxBytes: number) => Uint8Array;

let platformInflate: InflateAll | undefined;

/** Lets the platform's zlib inflate whole records; `undefined` restores fflate. */
export function installInflate(replacement: InflateAll | undefined): void {
  platformInflate = replacement;
}

/**
 * Inflates raw deflate data whose size the directory states. Throws an `Error` when the stream is broken or holds
 * another number of bytes; never allocates more than `size + 1` bytes for the result.
 */
export function inflateExact(compressed: Uint8Array, size: number): Uint8Array {
  if (platformInflate) return expectSize(platformInflate(compressed, size), size);
  // fflate cuts the result at the end of `out`: one spare byte shows a stream that holds more than it should.
  const out = inflateSync(compressed, { out: new Uint8Array(size + 1) });
  return expectSize(out, size).subarray(0, size);
}

/** A raw deflate stream, and what the directory states of what it holds. */
export interface DeflatedMember {
  readonly compressed: Uint8Array;
  readonly size: number;
  readonly crc32: number;
}

/** Inflates all members to one array, one after the other; throws where sizes or CRCs are others than stated. */
export type InflateMembers = (members: readonly DeflatedMember[], nbytes: number) => Uint8Array;

let platformInflateMembers: InflateMembers | undefined;

/** Lets the platform inflate many records in one call; `undefined`: one by one. */
export function installInflateMembers(replacement: InflateMembers | undefined): void {
  platformInflateMembers = replacement;
}

/** Inflates several members in one call, views of one array; undefined where the platform cannot, or anything is wrong with any of them. */
export function inflateTogether(members: readonly DeflatedMember[]): Uint8Array[] | undefined {
  if (!platformInflateMembers || members.length === 0) return undefined;
  const nbytes = members.reduce((sum, { size }) => sum + size, 0);
  let all: Uint8Array;
  try {
    all = platformInflateMembers(members, nbytes);
  } catch {
    return undefined; // one by one it will show which
  }
  if (all.length !== nbytes) return undefined;
  let at = 0;
  return members.map(({ size }) => all.subarray(at, (at += size)));
}

function expectSize(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length !== size) {
    const more = bytes.length > size ? "more than " : "";
    throw new Error(`inflated to ${more}${Math.min(bytes.length, size)} bytes, the directory states ${size}`);
  }
  return bytes;
}

/**
 * Inflates raw deflate data that arrives in chunks, and hands on what it gives; throws when that is not `size` bytes.
 * Memory is bounded by one chunk's output.
 */
export function inflateChunks(compressed: Iterable<Uint8Array>, size: number, take: (part: Uint8Array) => void): void {
  let filled = 0;
  const stream = new Inflate((part) => {
    filled += part.length;
    if (filled > size) throw new Error(`inflated to more than ${size} bytes, the directory states ${size}`);
    take(part);
  });
  for (const chunk of compressed) stream.push(chunk, false);
  stream.push(new Uint8Array(0), true); // throws when the stream is cut off
  if (filled !== size) throw new Error(`inflated to ${filled} bytes, the directory states ${size}`);
}

/** As `inflateChunks`, straight into `target`, which has exactly the stated size. */
export function inflateInto(compressed: Iterable<Uint8Array>, target: Uint8Array): void {
  let filled = 0;
  inflateChunks(compressed, target.length, (part) => {
    target.set(part, filled);
    filled += part.length;
  });
}

const BEST_LEVEL = 9; // miniz's MZ_BEST_COMPRESSION, which torch asks for

let platformDeflate: ((bytes: Uint8Array, level: number) => Uint8Array) | undefined;

/** Lets the platform's zlib deflate; `undefined` restores fflate. */
export function installDeflate(replacement: typeof platformDeflate): void {
  platformDeflate = replacement;
}

/** Deflates to a raw stream. On one platform the bytes depend on the input alone. */
export function deflate(bytes: Uint8Array): Uint8Array {
  return platformDeflate ? platformDeflate(bytes, BEST_LEVEL) : deflateSync(bytes, { level: BEST_LEVEL });
}
