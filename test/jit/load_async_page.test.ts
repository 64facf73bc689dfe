/** @file jit.loadAsync where there are no files: strings are URLs, relative ones belong to the page. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { jit, torch } from "../../src/index.ts";

const bytes = new Uint8Array(readFileSync(join(import.meta.dirname, "../fixtures/models/intro_wrapped_rnn/model.pt")));

afterEach(() => vi.unstubAllGlobals());

function serve(): string[] {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (url: URL) => {
    asked.push(url.href);
    return new Response(bytes);
  });
  return asked;
}

test("a relative URL belongs to the page, or to the worker", async () => {
  const asked = serve();
  vi.stubGlobal("location", { href: "https://example.org/app/worker.js" });
  const model = await jit.loadAsync("../models/rnn.pt");
  expect(String(model(torch.ones([10, 1, 2])))).toBe(String(jit.load(bytes)(torch.ones([10, 1, 2]))));
  vi.stubGlobal("document", { baseURI: "https://example.org/app/index.html" });
  await jit.loadAsync("rnn.pt");
  expect(asked.slice(0, 2)).toEqual(["https://example.org/models/rnn.pt", "https://example.org/app/rnn.pt"]);
});

test("without a place to be relative to, the error says what to pass", async () => {
  const asked = serve();
  await expect(jit.loadAsync("models/rnn.pt")).rejects.toThrow(/no files, pass bytes, a Blob or a URL/);
  vi.stubGlobal("location", { href: "blob:https://example.org/0b1c" });
  await expect(jit.loadAsync("models/rnn.pt")).rejects.toThrow(/no files, pass bytes, a Blob or a URL/);
  expect(asked).toEqual([]);
});
