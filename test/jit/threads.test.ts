/** @file Models give the same answers when the number of threads changes between their calls: what is kept in the old heap is not used in the new one. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decode, type CaseValue } from "../../src/conformance/values.ts";
import { jit, torch } from "../../src/node/index.ts";

const folder = join(import.meta.dirname, "../fixtures/models");

beforeAll(() => torch.setNumThreads(1));
afterAll(() => torch.setNumThreads(1));

test.each(["gru_loop", "intro_wrapped_rnn", "control_flow", "spectral"])("%s", async (name) => {
  const model = jit.load(join(folder, name, "model.pt"));
  const document = JSON.parse(readFileSync(join(folder, name, "case.json"), "utf8")) as {
    calls: readonly { inputs: CaseValue[] }[];
  };
  const call = (): string => String(model(...document.calls[0]!.inputs.map(decode)));
  const wanted = call();
  // often enough for weights to be kept and code to be generated
  for (let i = 0; i < 20; i++) expect(call()).toBe(wanted);
  for (const threads of [2, 1, 3]) {
    torch.setNumThreads(threads);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(torch.getNumThreads()).toBe(threads);
    for (let i = 0; i < 5; i++) expect(call()).toBe(wanted);
  }
});
