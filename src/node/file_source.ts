/** @file Positional reads from a file descriptor. Upstream: caffe2/serialize/file_adapter.cc. Spec: spec/container.md. */
import { closeSync, fstatSync, openSync, read, readSync } from "node:fs";
import { type ByteSource, checkRange } from "../archive/byte_source.ts";
import { ArchiveError } from "../base/errors.ts";

const MAX_READ = 1 << 30; // one read(2) gives at most 2 GiB
const MIN_WINDOW = 1 << 12;
const MAX_WINDOW = 1 << 16;

/*
 * Note [Bounce]: large reads go through a small buffer that stays in the cache. Where a virtual machine keeps page tables of its own, memory
 * that the system has written to first costs twice: when the system writes and again when we look; copying costs a tenth of that.
 */
const BOUNCE_BYTES = 1 << 18;
let bounce: Buffer | undefined;

/** Closes files whose source nobody holds any more: what is loaded lazily has no end that anybody announces. */
const forgotten = new FinalizationRegistry<number>((descriptor) => closeSync(descriptor));

/**
 * A file that is read where asked, never as a whole. Keeps the file open until `close`. Small reads are served from a window
 * that grows while they go forward: headers and code records lie side by side, and each call into the system costs microseconds.
 */
export class FileSource implements ByteSource {
  readonly size: number;
  readonly name: string;
  private descriptor: number | undefined;
  private window = new Uint8Array(0);
  private windowOffset = 0;

  constructor(path: string) {
    this.name = path;
    let descriptor: number;
    try {
      descriptor = openSync(path, "r");
    } catch (cause) {
      throw openError(path, cause);
    }
    try {
      const stat = fstatSync(descriptor);
      if (stat.isDirectory()) throw new ArchiveError(`The provided filename ${path} is a directory`, { file: path });
      if (!stat.isFile())
        throw new ArchiveError(`Cannot read archive "${path}": not a regular file, random access is needed`, {
          file: path,
        });
      this.size = stat.size;
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
    this.descriptor = descriptor;
    forgotten.register(this, descriptor, this);
  }

  read(byteOffset: number, nbytes: number): Uint8Array {
    checkRange(this, byteOffset, nbytes);
    const at = byteOffset - this.windowOffset;
    if (at >= 0 && at + nbytes <= this.window.length && this.descriptor !== undefined)
      return this.window.subarray(at, at + nbytes);
    if (nbytes >= MAX_WINDOW) {
      const out = new Uint8Array(nbytes);
      this.readInto(out, byteOffset);
      return out;
    }
    const goesOn = at >= 0 && at <= this.window.length + MIN_WINDOW;
    const wanted = Math.max(nbytes, goesOn ? Math.min(this.window.length * 2, MAX_WINDOW) : MIN_WINDOW);
    const window = new Uint8Array(Math.min(wanted, this.size - byteOffset)); // a new one: views of the old one are in use
    this.readInto(window, byteOffset);
    this.window = window;
    this.windowOffset = byteOffset;
    return window.subarray(0, nbytes);
  }

  readInto(target: Uint8Array, byteOffset: number): void {
    checkRange(this, byteOffset, target.length);
    const descriptor = this.opened(byteOffset);
    let filled = 0;
    while (filled < target.length) {
      const at = byteOffset + filled;
      const wanted = target.length - filled;
      let got: number;
      try {
        if (wanted >= BOUNCE_BYTES) {
          // see Note [Bounce]
          bounce ??= Buffer.allocUnsafeSlow(BOUNCE_BYTES);
          got = readSync(descriptor, bounce, 0, BOUNCE_BYTES, at);
          target.set(got === BOUNCE_BYTES ? bounce : bounce.subarray(0, got), filled);
        } else got = readSync(descriptor, target, filled, wanted, at);
      } catch (cause) {
        throw this.readError(cause, at);
      }
      if (got === 0) throw this.endError(at);
      filled += got;
    }
  }

  readIntoAsync(target: Uint8Array, byteOffset: number): Promise<void> {
    return new Promise((resolve, reject) => {
      checkRange(this, byteOffset, target.length);
      const descriptor = this.opened(byteOffset);
      const readFrom = (filled: number): void => {
        const at = byteOffset + filled;
        read(descriptor, target, filled, Math.min(MAX_READ, target.length - filled), at, (cause, got) => {
          if (cause) reject(this.readError(cause, at));
          else if (filled + got === target.length) resolve();
          else if (got === 0) reject(this.endError(at));
          else readFrom(filled + got);
        });
      };
      readFrom(0);
    });
  }

  private opened(byteOffset: number): number {
    if (this.descriptor !== undefined) return this.descriptor;
    throw new ArchiveError(`Cannot read archive "${this.name}": the file was closed`, { file: this.name, byteOffset });
  }

  private readError(cause: unknown, byteOffset: number): ArchiveError {
    const text = `Cannot read archive "${this.name}": ${messageOf(cause)} (byte ${byteOffset})`;
    return new ArchiveError(text, { file: this.name, byteOffset, cause });
  }

  private endError(byteOffset: number): ArchiveError {
    return new ArchiveError(
      `Cannot read archive "${this.name}": the file ends at byte ${byteOffset}, it had ${this.size} bytes when it was opened`,
      { file: this.name, byteOffset },
    );
  }

  close(): void {
    if (this.descriptor === undefined) return;
    forgotten.unregister(this);
    closeSync(this.descriptor);
    this.descriptor = undefined;
    this.window = new Uint8Array(0);
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function openError(path: string, cause: unknown): ArchiveError {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return new ArchiveError(`The provided filename ${path} does not exist`, { file: path, cause });
  return new ArchiveError(`Cannot read archive "${path}": ${messageOf(cause)}`, { file: path, cause });
}
