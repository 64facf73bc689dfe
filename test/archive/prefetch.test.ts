/** @file Asynchronous sources: HTTP ranges, Blobs, streams; prefetch fetches what is needed and no more. Upstream: none. Spec: none. */
import { describe, expect, test } from "vitest";
import {
  ArchiveReader,
  type AsyncByteSource,
  HttpRangeSource,
  MemorySource,
  SyncAsAsyncSource,
  openAsyncSource,
  prefetch,
} from "../../src/archive/index.ts";
import { ArchiveError } from "../../src/base/errors.ts";
import { makeArchive, torchArchive } from "../support/archive.ts";

/** A source that notes what is read from it. */
function counting(bytes: Uint8Array): AsyncByteSource & { requests: [number, number][] } {
  const inner = new SyncAsAsyncSource(new MemorySource(bytes, "x.pt"));
  const requests: [number, number][] = [];
  return {
    size: bytes.length,
    name: "x.pt",
    requests,
    read(at, n) {
      requests.push([at, n]);
      return inner.read(at, n);
    },
  };
}

/** A server with one file, as `fetch` sees it. */
function server(bytes: Uint8Array, options: { ranges?: boolean; etag?: () => string; exposes?: boolean } = {}) {
  const log: string[] = [];
  const fetchFunction = async (_: URL, init?: { headers?: Record<string, string> }): Promise<Response> => {
    const range = /^bytes=(\d+)-(\d+)$/.exec(init?.headers?.["Range"] ?? "");
    log.push(range?.[0] ?? "all");
    if (!range || options.ranges === false) return new Response(bytes.slice(), { status: 200 });
    const part = bytes.slice(Number(range[1]), Number(range[2]) + 1);
    const headers: Record<string, string> = { etag: options.etag?.() ?? "1" };
    if (options.exposes !== false) headers["content-range"] = `bytes ${range[1]}-${range[2]}/${bytes.length}`;
    return new Response(part, { status: 206, headers });
  };
  return { log, fetchFunction };
}

describe("prefetch", () => {
  const random = Uint8Array.from({ length: 500_000 }, (_, i) => (i * 2654435761) >>> 24);
  const archive = makeArchive({
    "data/0": random,
    "data.pkl": "pickle",
    "data/1": random,
    "constants.pkl": "c",
    "data/2": random,
  });

  test("fetches the directory and the wanted records only", async () => {
    const source = counting(archive);
    const sparse = await prefetch(source, { records: (name) => name.endsWith(".pkl") });
    expect(source.requests.length).toBeLessThanOrEqual(5);
    expect(source.requests.reduce((sum, [, n]) => sum + n, 0)).toBeLessThan(75_000);
    const reader = ArchiveReader.open(sparse);
    expect(reader.readText("data.pkl")).toBe("pickle");
    expect(reader.sizeOf("data/1")).toBe(500_000);
    expect(() => reader.read("data/0")).toThrow(/were not fetched; fetch their record first/);
    expect(() => reader.read("data/0")).toThrow(ArchiveError);
  });

  test("fetches everything, neighbours in one request", async () => {
    const source = counting(archive);
    const reader = ArchiveReader.open(await prefetch(source));
    expect(source.requests.length).toBeLessThanOrEqual(4);
    expect(Buffer.compare(reader.read("data/2"), random)).toBe(0);
    const target = new Uint8Array(500_000);
    reader.readInto("data/0", target);
    expect(Buffer.compare(target, random)).toBe(0);
  });

  test("fails like the synchronous reader on files that are no archives", async () => {
    await expect(prefetch(counting(new Uint8Array(0)))).rejects.toThrow(/0 bytes, expected a zip archive/);
    await expect(prefetch(counting(new Uint8Array(300_000)))).rejects.toThrow(/failed finding central directory/);
    await expect(prefetch(counting(archive.subarray(0, archive.length - 30)))).rejects.toThrow(ArchiveError);
  });
});

describe("openAsyncSource", () => {
  const bytes = torchArchive();
  const expectOpens = async (source: AsyncByteSource): Promise<void> => {
    expect(ArchiveReader.open(await prefetch(source)).recordNames().length).toBe(17);
  };

  test("takes a Blob, a stream, a response, bytes and a source", async () => {
    await expectOpens(await openAsyncSource(new Blob([bytes.slice()])));
    await expectOpens(await openAsyncSource(new Blob([bytes.slice()]).stream()));
    await expectOpens(await openAsyncSource(new Response(bytes.slice())));
    await expectOpens(await openAsyncSource(bytes));
    await expectOpens(await openAsyncSource(new MemorySource(bytes)));
  });

  test("HttpRangeSource reads ranges", async () => {
    const { log, fetchFunction } = server(makeArchive({ "data/0": new Uint8Array(900_000), "data.pkl": "x" }));
    const source = await HttpRangeSource.open(new URL("http://localhost/a.pt"), fetchFunction);
    const reader = ArchiveReader.open(await prefetch(source, { records: (name) => name === "data.pkl" }));
    expect(reader.readText("data.pkl")).toBe("x");
    expect(log[0]).toBe("bytes=0-0");
    expect(log).not.toContain("all");
  });

  test.each([
    ["ignores ranges", { ranges: false }],
    ["hides Content-Range", { exposes: false }],
  ])("HttpRangeSource downloads the file when the server %s", async (_, options) => {
    const { fetchFunction } = server(bytes, options);
    await expectOpens(await HttpRangeSource.open(new URL("http://localhost/a.pt"), fetchFunction));
  });

  test("HttpRangeSource notices that the file changed", async () => {
    let version = 0;
    const { fetchFunction } = server(bytes, { etag: () => String(version++) });
    const source = await HttpRangeSource.open(new URL("http://localhost/a.pt"), fetchFunction);
    await expect(source.read(0, 10)).rejects.toThrow(/the file changed while it was read \(ETag 1, expected 0\)/);
  });

  test("HttpRangeSource reports status and network errors as ArchiveError", async () => {
    const url = new URL("http://localhost/a.pt");
    await expect(HttpRangeSource.open(url, async () => new Response("", { status: 404 }))).rejects.toThrow(
      'Cannot read archive "http://localhost/a.pt": HTTP status 404, expected 200 or 206',
    );
    const broken = async (): Promise<Response> => {
      throw new TypeError("fetch failed");
    };
    await expect(HttpRangeSource.open(url, broken)).rejects.toThrow(ArchiveError);
  });
});
