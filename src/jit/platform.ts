/** @file What the host gives: files. Installed by `src/node`; absent in a browser. Upstream: none. Spec: none. */
import type { ByteSink, ByteSource } from "../archive/index.ts";
import { ArchiveError } from "../base/errors.ts";

/** Files by path. */
export interface Platform {
  /** Opens a file for positional reads. */
  openFile(path: string): ByteSource;
  /** A sink that replaces the file when it is closed. */
  createFile(path: string): ByteSink;
}

const noFiles: Platform = {
  openFile(path) {
    throw new ArchiveError(
      `Cannot open "${path}": this platform has no files, pass bytes, a Blob or a URL to jit.loadAsync`,
      { file: path },
    );
  },
  createFile(path) {
    throw new ArchiveError(`Cannot write "${path}": this platform has no files, use saveToBuffer()`, { file: path });
  },
};

let current = noFiles;

/** The platform in use. */
export function platform(): Platform {
  return current;
}

/** Installs a platform. */
export function setPlatform(next: Platform): void {
  current = next;
}
