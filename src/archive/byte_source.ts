/** @file Where archive bytes come from and go to: positional sources and append-only sinks. Upstream: caffe2/serialize/read_adapter_interface.h. Spec: spec/container.md. */
import { ArchiveError } from "../base/errors.ts";
import { concatBytes } from "../base/bytes.ts";

/** Bytes with random access. Reading is synchronous; offsets go beyond 4 GiB. */
export interface ByteSource {
  /** Bytes in all. */
  readonly size: number;
  /** File name or URL, for messages. */
  readonly name?: string;
  /** Bytes `[byteOffset, byteOffset + nbytes)`, possibly a view that the caller must not change. Throws `ArchiveError` out of range. */
  read(byteOffset: number, nbytes: number): Uint8Array;
  /** Fills `target` without an intermediate copy. */
  readInto?(target: Uint8Array, byteOffset: number): void;
  /** The same beside the main thread. `target` must stay where it is and the source open until then. */
  readIntoAsync?(target: Uint8Array, byteOffset: number): Promise<void>;
  /** Whether the bytes are here; absent when all of them are. */
  has?(byteOffset: number, nbytes: number): boolean;
  /** Gives the resource back. */
  close?(): void;
}

/** Bytes with random access over something slow: HTTP, a Blob. `prefetch` makes a `ByteSource` of it. */
export interface AsyncByteSource {
  /** Bytes in all. */
  readonly size: number;
  readonly name?: string;
  /** Reads bytes at a position. */
  read(byteOffset: number, nbytes: number): Promise<Uint8Array>;
  /** Gives the resource back. */
  close?(): void;
}

/** Takes the bytes of a file in order. After `abort` nothing of them may be visible. */
export interface ByteSink {
  /** Must be done with `bytes` on return: the caller may reuse them. */
  write(bytes: Uint8Array): void;
  /** Makes what was written final. */
  close(): void;
  /** Throws away what was written. */
  abort(): void;
}

/** Throws the `ArchiveError` for a read outside `[0, source.size)`. */
export function checkRange(
  source: { readonly size: number; readonly name?: string },
  byteOffset: number,
  nbytes: number,
): void {
  if (!(byteOffset >= 0 && nbytes >= 0 && byteOffset + nbytes <= source.size)) {
    throw new ArchiveError(
      `Cannot read ${describeSource(source)}: bytes ${byteOffset} to ${byteOffset + nbytes} are asked for, the file has ${source.size} bytes`,
      { file: source.name, byteOffset },
    );
  }
}

/** `archive "name"`, or `archive` when it has no name. */
export function describeSource(source: { readonly name?: string }): string {
  return source.name === undefined ? "archive" : `archive "${source.name}"`;
}

/** Reads into `target`, through `readInto` where the source has it. */
export function readSourceInto(source: ByteSource, target: Uint8Array, byteOffset: number): void {
  if (source.readInto) source.readInto(target, byteOffset);
  else target.set(source.read(byteOffset, target.length));
}

/** A source over bytes in memory; reads are views of them. */
export class MemorySource implements ByteSource {
  /** Bytes in all. */
  readonly size: number;
  readonly name?: string;
  private readonly bytes: Uint8Array;

  constructor(bytes: ArrayBuffer | SharedArrayBuffer | Uint8Array, name?: string) {
    this.bytes = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
    this.size = this.bytes.length;
    if (name !== undefined) this.name = name;
  }

  read(byteOffset: number, nbytes: number): Uint8Array {
    checkRange(this, byteOffset, nbytes);
    return this.bytes.subarray(byteOffset, byteOffset + nbytes);
  }

  readInto(target: Uint8Array, byteOffset: number): void {
    target.set(this.read(byteOffset, target.length));
  }
}

/** A sink that keeps everything in memory. */
export class MemorySink implements ByteSink {
  private chunks: Uint8Array[] = [];
  private closed = false;

  write(bytes: Uint8Array): void {
    this.chunks.push(bytes.slice());
  }

  /** Makes what was written final. */
  close(): void {
    this.closed = true;
  }

  /** Throws away what was written. */
  abort(): void {
    this.chunks = [];
  }

  /** The whole file; only after `close`. */
  bytes(): Uint8Array {
    if (!this.closed) throw new Error("internal: MemorySink.bytes before close");
    const all = concatBytes(this.chunks);
    this.chunks = [all];
    return all;
  }
}

/** Runs `write` on a sink: closes it at the end, aborts it when anything throws. */
export function withSink<T>(sink: ByteSink, write: (sink: ByteSink) => T): T {
  try {
    const result = write(sink);
    sink.close();
    return result;
  } catch (error) {
    sink.abort();
    throw error;
  }
}
