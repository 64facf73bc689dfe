/** @file jit.loadAsync: URL with ranges, Blob, stream, custom source; only what is needed is read. */
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { jit, torch, type AsyncByteSource } from "../../src/node/index.ts";

const PATH = join(import.meta.dirname, "../fixtures/models/intro_wrapped_rnn/model.pt");
const bytes = new Uint8Array(readFileSync(PATH));
const expected = String(jit.load(PATH)(torch.ones([10, 1, 2])));
const run = (model: Awaited<ReturnType<typeof jit.loadAsync>>): string => String(model(torch.ones([10, 1, 2])));

test("loadAsync() opens a path, a Blob, a stream and bytes", async () => {
  expect(run(await jit.loadAsync(PATH))).toBe(expected);
  expect(run(await jit.loadAsync(new Blob([bytes])))).toBe(expected);
  expect(run(await jit.loadAsync(new Blob([bytes]).stream()))).toBe(expected);
  expect(run(await jit.loadAsync(bytes))).toBe(expected);
});

test("loadAsync() reads neither extra files nor trace inputs of a custom source unless asked", async () => {
  const big = new Uint8Array(1 << 20).fill(7);
  const archive = jit.load(PATH).saveToBuffer({ extraFiles: { "big.bin": big, "note.txt": "hi" } });
  let read = 0;
  const source: AsyncByteSource = {
    size: archive.length,
    read: async (byteOffset, nbytes) => {
      read += nbytes;
      return archive.slice(byteOffset, byteOffset + nbytes);
    },
  };
  expect(run(await jit.loadAsync(source))).toBe(expected);
  expect(read).toBeLessThan(200_000);
  const extraFiles = new Map<string, Uint8Array | null>([
    ["note.txt", null],
    ["absent", null],
  ]);
  await jit.loadAsync(source, { extraFiles });
  expect(new TextDecoder().decode(extraFiles.get("note.txt")!)).toBe("hi");
  expect(extraFiles.get("absent")).toBe(null);
});

test("loadAsync() opens a URL by ranges, and as a whole where the server has none", async () => {
  for (const ranges of [true, false]) {
    let sent = 0;
    const server = createServer((request, response) => {
      const range = ranges ? /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") : null;
      const part = range ? bytes.subarray(Number(range[1]), Number(range[2]) + 1) : bytes;
      sent += part.length;
      response.writeHead(range ? 206 : 200, {
        "content-length": part.length,
        ...(range ? { "content-range": `bytes ${range[1]}-${range[2]}/${bytes.length}` } : {}),
      });
      response.end(part);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as AddressInfo;
      expect(run(await jit.loadAsync(`http://127.0.0.1:${port}/model.pt`))).toBe(expected);
      expect(sent).toBeGreaterThan(0);
    } finally {
      server.close();
    }
  }
});
