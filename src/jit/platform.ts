/** @file What the host gives: files and source texts. Installed by `src/node`; absent in a browser. Upstream: none. Spec: none. */
import type { ByteSink, ByteSource } from "../archive/index.ts";
import { ArchiveError } from "../base/errors.ts";

/** Files by path. */
export interface Platform {
  /** Opens a file for positional reads. */
  openFile(path: string): ByteSource;
  /** A sink that replaces the file when it is closed. */
  createFile(path: string, options?: { readonly durable?: boolean }): ByteSink;
  /** The text of a program's source file under the name that stack traces give it; undefined where it cannot be read. */
  readSource?(file: string): SourceText | undefined;
}

/** A source file of the running program. */
export interface SourceText {
  /** The text. */
  readonly text: string;
  /** Where a 1-based line and column of a generated file comes from; absent for files that were written by hand. */
  originOf?(line: number, column: number): SourcePosition | undefined;
}

/** A place in a source file; line and column are 1-based. */
export interface SourcePosition {
  /** The file. */
  readonly file: string;
  /** Line, from 1. */
  readonly line: number;
  /** Column, from 1. */
  readonly column: number;
  /** The file's text where the source map carries it. */
  readonly text?: string;
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

/** The URL that a string names; undefined for the path of a file. Where there are no files, it may be relative to the page or worker, as for `fetch`. */
export function urlNamedBy(text: string): URL | undefined {
  if (/^(https?|blob|data):/.test(text)) return new URL(text);
  if (current !== noFiles) return undefined;
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  try {
    return base === undefined ? undefined : new URL(text, base);
  } catch {
    return undefined; // a worker that was made from a Blob has no place that anything is relative to
  }
}

/** Installs a platform. */
export function setPlatform(next: Platform): void {
  current = next;
}
