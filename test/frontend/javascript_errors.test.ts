/** @file What is refused in JavaScript, with the line, a caret and what to write instead. `UPDATE=1` writes the messages anew. */
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import "../../src/node/index.ts";
import { ScriptError } from "../../src/base/errors.ts";
import { Source } from "../../src/base/source_range.ts";
import { SourceFile } from "../../src/frontend/javascript/index.ts";
import { resetPythonCu } from "../../src/jit/python_cu.ts";
import { compileDeclaration } from "../../src/jit/scripting/javascript.ts";

const path = new URL("../golden/javascript_errors.txt", import.meta.url);

/** The message of the refusal, or the code where nothing was refused. */
function compile(text: string): string {
  resetPythonCu();
  try {
    const fn = compileDeclaration(new SourceFile(new Source(text, "model.ts", 1)), "f");
    fn.ensureDefined();
    return `compiles: ${fn.schema.name}`;
  } catch (error) {
    if (error instanceof ScriptError) return error.message.trimEnd();
    throw error;
  }
}

describe("refusals", () => {
  const parts = readFileSync(path, "utf8")
    .split(/^# /m)
    .slice(1)
    .map((part) => {
      const [name = ""] = part.split("\n", 1);
      const [source = "", expected = ""] = part.slice(name.length + 1).split("\n==>\n");
      return { name, source, expected: expected.trimEnd() };
    });
  const seen: string[] = [];
  test.each(parts)("$name", ({ name, source, expected }) => {
    const found = compile(source);
    seen.push(`# ${name}\n${source}\n==>\n${found}\n`);
    if (!process.env["UPDATE"]) expect(found).toBe(expected);
    expect(found).toContain("<--- HERE");
  });
  afterAll(() => {
    if (process.env["UPDATE"]) writeFileSync(path, seen.join("\n"));
  });
});
