/** @file Calls leave nothing behind: memory after 2,000 calls is what it was after 500. */
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { jit, torch } from "../../src/node/index.ts";

const MODELS = join(import.meta.dirname, "../fixtures/models");
const MB = 2 ** 20;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes in use once everything that can go has gone: buffers are freed by tasks of their own. */
async function used(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { heapUsed, arrayBuffers, external } = process.memoryUsage();
  return heapUsed + arrayBuffers + external;
}

test.each([
  ["intro_wrapped_rnn", [10, 1, 2]],
  ["gru_loop", [4, 2, 8]],
])("%s", async (name, shape) => {
  const model = jit.load(join(MODELS, name, "model.pt"));
  const x = torch.ones(shape);
  for (let i = 0; i < 500; i++) model(x);
  const before = await used();
  for (let i = 0; i < 2000; i++) model(x);
  expect((await used()) - before).toBeLessThan(2 * MB);
});
