import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import "../../src/ops/index.ts";
import { defineSource } from "../../src/frontend/emit/compile.ts";
import { runCleanupPasses } from "../../src/passes/pipeline.ts";
import { functionCode } from "../../src/saver/function_code.ts";

const folder = new URL("../golden/print/", import.meta.url);

interface Case {
  readonly name: string;
  readonly source: string;
  readonly expected: string;
}

/** Cases of a golden file: `# name`, source, `==>`, the text that PyTorch prints for the last function. */
function readCases(text: string): Case[] {
  return text
    .split(/^# /m)
    .slice(1)
    .map((part) => {
      const [head, expected] = part.split(/^==>\n/m) as [string, string];
      const end = head.indexOf("\n");
      return { name: head.slice(0, end), source: head.slice(end + 1), expected };
    });
}

function printed(source: string): string {
  const functions = defineSource(source, (graph) => runCleanupPasses(graph));
  for (const fn of functions) fn.ensureDefined();
  return functionCode(functions[functions.length - 1]!, { isMethod: false }).code;
}

for (const file of readdirSync(folder).filter((name) => name.endsWith(".txt"))) {
  describe(`golden/print/${file}`, () => {
    const path = new URL(file, folder);
    const cases = readCases(readFileSync(path, "utf8"));
    it.each(cases)("$name", ({ source, expected }) => {
      expect(printed(source)).toBe(expected);
    });
    // UPDATE=1 writes our text; test/golden/print/make.py writes PyTorch's
    if (process.env["UPDATE"])
      writeFileSync(path, cases.map((c) => `# ${c.name}\n${c.source}==>\n${printed(c.source)}`).join(""));
  });
}
