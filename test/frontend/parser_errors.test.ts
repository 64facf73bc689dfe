/** @file Messages of the parser, with their excerpts, against those of PyTorch (parse_errors.json). Upstream: none. Spec: spec/grammar.md. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ScriptError } from "../../src/base/errors.ts";
import { Source } from "../../src/base/source_range.ts";
import { parseDefinitions } from "../../src/frontend/parser.ts";

const cases = JSON.parse(readFileSync(new URL("./parse_errors.json", import.meta.url), "utf8")) as {
  source: string;
  message: string | null;
}[];

describe("parseDefinitions() refuses with torch's message", () => {
  test.each(cases)("$source", ({ source, message }) => {
    let thrown: unknown;
    try {
      parseDefinitions(new Source(source, "<string>", 1), false);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ScriptError);
    // null: an internal assertion of torch
    if (message !== null) expect((thrown as ScriptError).message).toBe(message);
  });
});
