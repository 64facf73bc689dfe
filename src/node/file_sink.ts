/** @file Atomic file writing: a temporary file beside the target that replaces it when it is complete. Upstream: none. Spec: spec/container.md. */
import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
  writevSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { ByteSink } from "../archive/byte_source.ts";
import { ArchiveError } from "../base/errors.ts";

const BUFFER_NBYTES = 1 << 16;
const MAX_COPIED = 1 << 13; // more is cheaper to write from where it lies
const MAX_WRITE = 1 << 30;

/** How a file is written. */
export interface FileSinkOptions {
  /** Wait until the bytes are on the disk before the file gets its name (default false): it then survives a power cut, not only a crash. */
  readonly durable?: boolean;
}

let counter = 0;

/**
 * Writes a file that appears under its name only when `close` has written all of it; until then, and after `abort` or a crash of the
 * process, the old file is untouched. Something that is not a regular file (a pipe, a device) is written to
 * as it is.
 */
export class FileSink implements ByteSink {
  readonly path: string;
  private readonly target: string;
  private readonly temporary: string | undefined;
  private descriptor: number | undefined;
  private readonly buffer = new Uint8Array(BUFFER_NBYTES);
  private buffered = 0;
  private readonly durable: boolean;

  constructor(path: string, options: FileSinkOptions = {}) {
    this.path = path;
    this.durable = options.durable ?? false;
    const existing = this.existing();
    this.target = existing?.target ?? path;
    try {
      if (existing && !existing.isFile) {
        this.temporary = undefined;
        this.descriptor = openSync(this.target, "w");
        return;
      }
      const name = `.${basename(this.target).slice(0, 200)}.${process.pid}.${counter++}.tmp`;
      this.temporary = join(dirname(this.target), name);
      // Exclusive: an attacker's link of that name in a shared folder must not be followed.
      this.descriptor = openSync(this.temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o666);
      if (existing) fchmodSync(this.descriptor, existing.mode);
    } catch (cause) {
      const opened = this.descriptor !== undefined;
      this.abort();
      throw this.error(opened ? "write" : "create", cause);
    }
  }

  /** Follows a symbolic link, so that the link stays one and its target is replaced. */
  private existing(): { target: string; isFile: boolean; mode: number } | undefined {
    try {
      const target = realpathSync(this.path);
      const stat = statSync(target);
      if (stat.isDirectory())
        throw new ArchiveError(`Cannot write archive "${this.path}": it is a directory`, { file: this.path });
      return { target, isFile: stat.isFile(), mode: stat.mode & 0o7777 };
    } catch (error) {
      if (error instanceof ArchiveError) throw error;
      return undefined;
    }
  }

  private error(verb: string, cause: unknown): ArchiveError {
    const message = cause instanceof Error ? cause.message : String(cause);
    return new ArchiveError(`Cannot ${verb} archive "${this.path}": ${message}`, { file: this.path, cause });
  }

  write(bytes: Uint8Array): void {
    if (bytes.length > MAX_COPIED) {
      this.writeBuffered(bytes);
      return;
    }
    if (bytes.length > BUFFER_NBYTES - this.buffered) this.flush();
    this.buffer.set(bytes, this.buffered);
    this.buffered += bytes.length;
  }

  /** Writes what is buffered and `bytes` after it with one call into the system. */
  private writeBuffered(bytes: Uint8Array): void {
    if (this.buffered === 0 || this.descriptor === undefined || bytes.length > MAX_WRITE) {
      this.flush();
      this.writeAll(bytes);
      return;
    }
    const before = this.buffer.subarray(0, this.buffered);
    let written: number;
    try {
      written = writevSync(this.descriptor, [before, bytes]);
    } catch (cause) {
      throw this.error("write", cause);
    }
    this.buffered = 0;
    if (written < before.length) this.writeAll(before.subarray(written));
    const done = Math.max(0, written - before.length);
    if (done < bytes.length) this.writeAll(bytes.subarray(done));
  }

  private flush(): void {
    this.writeAll(this.buffer.subarray(0, this.buffered));
    this.buffered = 0;
  }

  private writeAll(bytes: Uint8Array): void {
    if (this.descriptor === undefined)
      throw new ArchiveError(`Cannot write archive "${this.path}": the file was closed`, { file: this.path });
    try {
      for (let at = 0; at < bytes.length;) {
        at += writeSync(this.descriptor, bytes, at, Math.min(MAX_WRITE, bytes.length - at));
      }
    } catch (cause) {
      throw this.error("write", cause);
    }
  }

  close(): void {
    if (this.descriptor === undefined) return;
    this.flush();
    try {
      // Before the rename: after a power cut the name must not stand for a file without its bytes.
      if (this.temporary !== undefined && this.durable) fsyncSync(this.descriptor);
      closeSync(this.descriptor);
      this.descriptor = undefined;
      if (this.temporary !== undefined) {
        renameSync(this.temporary, this.target);
        if (this.durable) syncFolder(dirname(this.target));
      }
    } catch (cause) {
      this.abort();
      throw this.error("write", cause);
    }
  }

  abort(): void {
    try {
      if (this.descriptor !== undefined) closeSync(this.descriptor);
    } catch {
      // The descriptor is gone either way; the first error is the one to report.
    }
    this.descriptor = undefined;
    this.buffered = 0;
    if (this.temporary === undefined) return;
    try {
      unlinkSync(this.temporary);
    } catch {
      // Renamed already, or never created.
    }
  }
}

/** Makes the rename durable; platforms that cannot sync a folder skip it. */
function syncFolder(path: string): void {
  try {
    const descriptor = openSync(path, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // Windows and some file systems refuse; the file itself is on the disk.
  }
}
