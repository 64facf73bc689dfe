/** @file Positional reads from a file descriptor. Upstream: caffe2/serialize/file_adapter.cc. Spec: spec/container.md. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { type ByteSource, checkRange } from "../archive/byte_source.ts";
import { ArchiveError } from "../base/errors.ts";

const MAX_READ = 1 << 30; // one read(2) gives at most 2 GiB

/** A file that is read where asked, never as a whole. Keeps the file open until `close`. */
export class FileSource implements ByteSource {
  readonly size: number;
  readonly name: string;
  private descriptor: number | undefined;

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
  }

  read(byteOffset: number, nbytes: number): Uint8Array {
    checkRange(this, byteOffset, nbytes);
    const out = new Uint8Array(nbytes);
    this.readInto(out, byteOffset);
    return out;
  }

  readInto(target: Uint8Array, byteOffset: number): void {
    checkRange(this, byteOffset, target.length);
    if (this.descriptor === undefined) {
      throw new ArchiveError(`Cannot read archive "${this.name}": the file was closed`, {
        file: this.name,
        byteOffset,
      });
    }
    let filled = 0;
    while (filled < target.length) {
      let got: number;
      try {
        got = readSync(
          this.descriptor,
          target,
          filled,
          Math.min(MAX_READ, target.length - filled),
          byteOffset + filled,
        );
      } catch (cause) {
        throw new ArchiveError(
          `Cannot read archive "${this.name}": ${messageOf(cause)} (byte ${byteOffset + filled})`,
          {
            file: this.name,
            byteOffset: byteOffset + filled,
            cause,
          },
        );
      }
      if (got === 0) {
        throw new ArchiveError(
          `Cannot read archive "${this.name}": the file ends at byte ${byteOffset + filled}, it had ${this.size} bytes when it was opened`,
          { file: this.name, byteOffset: byteOffset + filled },
        );
      }
      filled += got;
    }
  }

  close(): void {
    if (this.descriptor === undefined) return;
    closeSync(this.descriptor);
    this.descriptor = undefined;
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
