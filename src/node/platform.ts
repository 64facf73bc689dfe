/** @file Installs what Node does faster than the portable code. Upstream: none. Spec: none. */
import { createRequire } from "node:module";
import { installCrc32 } from "../archive/crc32.ts";
import { installDeflate, installInflate, installInflateMembers, type DeflatedMember } from "../archive/zip_vendor.ts";
import { setKernelBuild, setKernelThreads, type KernelBuild } from "../tensor/kernels/wasm/build.ts";
import { setStartWorker } from "../tensor/kernels/wasm/thread_pool.ts";
import { installUnwrittenBuffers } from "../tensor/storage.ts";
import { startNodeWorker } from "./worker.ts";

// an import of all of it would name what older versions of Node do not have, or be copied by a bundler
const zlib = createRequire(import.meta.url)("node:zlib") as typeof import("node:zlib");

const MIN_INFLATE_CHUNK = 64; // the least that zlib takes
const DEFLATE_OVERHEAD = 64; // bytes that cannot be compressed become stored blocks
const MAX_INFLATE_CHUNK = 1 << 18;

/** Bytes from which glibc asks the kernel for memory of its own at first. */
const MIN_MAPPED_BYTES = 1 << 17;
/** The largest block whose release raises that bound (DEFAULT_MMAP_THRESHOLD_MAX), without its header and what it is rounded up by. */
const MAX_MAPPED_BYTES = (1 << 25) - (1 << 16);

let isFreedMemoryKept = false;

/**
 * Makes malloc keep the memory of large results for those that follow.
 *
 * Note [Kept memory]: glibc gives blocks from a bound on back to the kernel when they are released, and as much as twice that bound from
 * the end of its heap. It raises the bound, 128 KiB at first, to the size of each larger block that is released, up to 32 MiB: results
 * of a few megabytes in turn then hand most of their memory back, and getting it anew, page by page, takes several times what an addition
 * does. One block of the largest such size, which nobody touches and the next collection releases, sets the bound for good.
 */
function keepFreedMemory(): void {
  if (isFreedMemoryKept) return;
  isFreedMemoryKept = true;
  if (process.platform === "linux") Buffer.allocUnsafeSlow(MAX_MAPPED_BYTES);
}

/** Uses zlib's crc32 (Node 20.15 and later) and inflate, buffers that are not cleared, Node's workers, and the kernel build and number of threads that TSARCHIVE_KERNELS and TSARCHIVE_THREADS name. Idempotent. */
export function installNodePlatform(): void {
  const build = process.env["TSARCHIVE_KERNELS"];
  if (build) setKernelBuild(build as KernelBuild); // which refuses other names
  setStartWorker((program, data) => startNodeWorker(program, data));
  const threads = process.env["TSARCHIVE_THREADS"];
  if (threads) setKernelThreads(Number(threads)); // which refuses other numbers
  const platformCrc = (zlib as { crc32?: (data: Uint8Array, value?: number) => number }).crc32;
  if (typeof platformCrc === "function") installCrc32(platformCrc);
  // the bytes of an archive are written over what malloc gives: clearing it first costs as much as a third of reading
  installUnwrittenBuffers((size) => {
    if (size >= MIN_MAPPED_BYTES) keepFreedMemory();
    return Buffer.allocUnsafeSlow(size).buffer as ArrayBuffer;
  });
  installInflate((compressed, maxBytes) => {
    // maxOutputLength must be positive; one more than allowed lets the caller see a stream that holds too much.
    // A chunk of the known size saves zlib's own buffers, which for small records cost more than inflating.
    const chunkSize = Math.min(Math.max(maxBytes + 1, MIN_INFLATE_CHUNK), MAX_INFLATE_CHUNK);
    const out = zlib.inflateRawSync(compressed, { maxOutputLength: maxBytes + 1, chunkSize });
    return new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
  });
  installInflateMembers((members, nbytes) => {
    const out = zlib.gunzipSync(gzipOf(members), {
      maxOutputLength: nbytes + 1,
      chunkSize: nbytes + MIN_INFLATE_CHUNK,
    });
    return new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
  });
  installDeflate((bytes, level) => {
    // of a few hundred bytes, mostly: the buffer for the result is as large as it can become
    const chunkSize = Math.max(bytes.length + DEFLATE_OVERHEAD, MIN_INFLATE_CHUNK);
    const out = zlib.deflateRawSync(bytes, { level, chunkSize });
    return new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
  });
}

const GZIP_HEADER = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]; // RFC 1952 2.3: deflate, no flags, no time, unknown system
const GZIP_TRAILER_NBYTES = 8;

/** Raw deflate streams as the members of one gzip file, which zlib inflates and checks in one call. RFC 1952 2.2. */
function gzipOf(members: readonly DeflatedMember[]): Uint8Array {
  const frame = GZIP_HEADER.length + GZIP_TRAILER_NBYTES;
  const file = new Uint8Array(members.reduce((sum, { compressed }) => sum + frame + compressed.length, 0));
  const view = new DataView(file.buffer);
  let at = 0;
  for (const { compressed, crc32, size } of members) {
    file.set(GZIP_HEADER, at);
    file.set(compressed, at + GZIP_HEADER.length);
    at += frame + compressed.length;
    view.setUint32(at - 8, crc32, true);
    view.setUint32(at - 4, size, true);
  }
  return file;
}
