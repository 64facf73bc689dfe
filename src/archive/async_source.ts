/** @file Asynchronous sources: Blob, HTTP ranges, streams, and any synchronous source. Upstream: none. Spec: spec/container.md. */
import { ArchiveError } from "../base/errors.ts";
import { concatBytes } from "../base/bytes.ts";
import { type AsyncByteSource, type ByteSource, MemorySource, checkRange, describeSource } from "./byte_source.ts";

/** What `openAsyncSource` takes. */
export type AsyncInput =
  | URL
  | Blob
  | ReadableStream<Uint8Array>
  | Response
  | ArrayBuffer
  | Uint8Array
  | ByteSource
  | AsyncByteSource;

/** Makes an `AsyncByteSource` of a URL (HTTP ranges), Blob, stream, response, bytes or source. */
export async function openAsyncSource(input: AsyncInput): Promise<AsyncByteSource> {
  if (input instanceof URL) return HttpRangeSource.open(input);
  if (typeof Blob !== "undefined" && input instanceof Blob) return new BlobSource(input);
  if (typeof ReadableStream !== "undefined" && input instanceof ReadableStream) return StreamSource.collect(input);
  if (typeof Response !== "undefined" && input instanceof Response) {
    if (!input.ok)
      throw new ArchiveError(`Cannot read archive "${input.url}": HTTP status ${input.status}, expected 200`, {
        file: input.url,
      });
    return new SyncAsAsyncSource(new MemorySource(await input.arrayBuffer(), input.url));
  }
  if (input instanceof ArrayBuffer || input instanceof Uint8Array)
    return new SyncAsAsyncSource(new MemorySource(input));
  return new SyncAsAsyncSource(input as ByteSource | AsyncByteSource);
}

/** A synchronous source behind the asynchronous interface. */
export class SyncAsAsyncSource implements AsyncByteSource {
  /** Bytes in all. */
  readonly size: number;
  readonly name?: string;
  private readonly source: ByteSource | AsyncByteSource;

  constructor(source: ByteSource | AsyncByteSource) {
    this.source = source;
    this.size = source.size;
    if (source.name !== undefined) this.name = source.name;
  }

  /** Reads bytes at a position. */
  async read(byteOffset: number, nbytes: number): Promise<Uint8Array> {
    return this.source.read(byteOffset, nbytes);
  }

  /** Closes the source. */
  close(): void {
    this.source.close?.();
  }
}

/** A Blob or File; nothing but the asked-for slices is read. */
export class BlobSource implements AsyncByteSource {
  /** Bytes in all. */
  readonly size: number;
  readonly name?: string;
  private readonly blob: Blob;

  constructor(blob: Blob) {
    this.blob = blob;
    this.size = blob.size;
    const name = (blob as { name?: unknown }).name; // File has one
    if (typeof name === "string") this.name = name;
  }

  /** Reads bytes at a position. */
  async read(byteOffset: number, nbytes: number): Promise<Uint8Array> {
    checkRange(this, byteOffset, nbytes);
    return new Uint8Array(await this.blob.slice(byteOffset, byteOffset + nbytes).arrayBuffer());
  }
}

/** A stream, which has no random access: collected into memory. */
export class StreamSource {
  /** Reads the stream to its end. */
  static async collect(stream: ReadableStream<Uint8Array>, name?: string): Promise<AsyncByteSource> {
    const chunks: Uint8Array[] = [];
    const reader = stream.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
    }
    return new SyncAsAsyncSource(new MemorySource(concatBytes(chunks), name));
  }
}

/** `fetch`, or a stand-in for it. */
export type FetchFunction = (url: URL, init?: { headers?: Record<string, string> }) => Promise<Response>;

/** A file on a server that answers range requests; the file must not change between them. */
export class HttpRangeSource implements AsyncByteSource {
  /** Bytes in all. */
  readonly size: number;
  readonly name: string;
  private readonly url: URL;
  private readonly etag: string | null;
  private readonly fetch: FetchFunction;

  private constructor(url: URL, size: number, etag: string | null, fetchFunction: FetchFunction) {
    this.url = url;
    this.name = url.href;
    this.size = size;
    this.etag = etag;
    this.fetch = fetchFunction;
  }

  /** Asks for one byte to learn the size; a server that ignores ranges has sent the whole file, which is kept. */
  static async open(url: URL, fetchFunction: FetchFunction = fetch): Promise<AsyncByteSource> {
    const response = await request(fetchFunction, url, { Range: "bytes=0-0" });
    if (response.status === 206) {
      const total = /^bytes 0-0\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1];
      const body = await response.arrayBuffer();
      if (total !== undefined && body.byteLength === 1) {
        return new HttpRangeSource(url, Number(total), response.headers.get("etag"), fetchFunction);
      }
      // A browser hides Content-Range unless the server exposes it (CORS): take the whole file then.
      return new SyncAsAsyncSource(new MemorySource(await download(fetchFunction, url), url.href));
    }
    if (response.status === 416) return new SyncAsAsyncSource(new MemorySource(new Uint8Array(0), url.href));
    if (response.status !== 200) throw statusError(url, response.status, "200 or 206");
    return new SyncAsAsyncSource(new MemorySource(await response.arrayBuffer(), url.href));
  }

  /** Reads bytes at a position. */
  async read(byteOffset: number, nbytes: number): Promise<Uint8Array> {
    checkRange(this, byteOffset, nbytes);
    if (nbytes === 0) return new Uint8Array(0);
    const response = await request(this.fetch, this.url, {
      Range: `bytes=${byteOffset}-${byteOffset + nbytes - 1}`,
    });
    if (response.status !== 206) throw statusError(this.url, response.status, "206");
    const etag = response.headers.get("etag");
    if (etag !== this.etag) {
      throw new ArchiveError(
        `Cannot read ${describeSource(this)}: the file changed while it was read (ETag ${etag}, expected ${this.etag})`,
        {
          file: this.name,
          byteOffset,
        },
      );
    }
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (bytes.length !== nbytes) {
      throw new ArchiveError(
        `Cannot read ${describeSource(this)}: the server sent ${bytes.length} bytes, expected ${nbytes}`,
        {
          file: this.name,
          byteOffset,
        },
      );
    }
    return bytes;
  }
}

async function request(fetchFunction: FetchFunction, url: URL, headers: Record<string, string>): Promise<Response> {
  try {
    return await fetchFunction(url, { headers });
  } catch (cause) {
    throw new ArchiveError(
      `Cannot read archive "${url.href}": ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        file: url.href,
        cause,
      },
    );
  }
}

async function download(fetchFunction: FetchFunction, url: URL): Promise<ArrayBuffer> {
  const response = await request(fetchFunction, url, {});
  if (!response.ok) throw statusError(url, response.status, "200");
  return response.arrayBuffer();
}

function statusError(url: URL, status: number, expected: string): ArchiveError {
  return new ArchiveError(`Cannot read archive "${url.href}": HTTP status ${status}, expected ${expected}`, {
    file: url.href,
  });
}
