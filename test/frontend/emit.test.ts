/** @file Graphs of TorchScript sources against PyTorch's, byte for byte (test/golden/emit, made by make.py there). Upstream: none. Spec: none. */
import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ScriptError } from "../../src/base/errors.ts";
import { defineSource } from "../../src/frontend/emit/compile.ts";
import { graphText } from "../../src/ir/printer.ts";
import "../../src/ops/index.ts";
import { finishEmission } from "../../src/passes/pipeline.ts";

const folder = new URL("../golden/emit/", import.meta.url);

function compile(source: string): string {
  try {
    const functions = defineSource(source, (graph) => finishEmission(graph));
    for (const fn of functions) fn.ensureDefined();
    return functions.map((fn) => graphText(fn.graph)).join("");
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    return `error: ${error.message.replace(/^\n+|\n+$/g, "")}\n`;
  }
}

for (const file of readdirSync(folder).filter((name) => name.endsWith(".txt"))) {
  describe(file, () => {
    const parts = readFileSync(new URL(file, folder), "utf8").split(/^# /m).slice(1);
    test.each(parts.map((part) => [part.slice(0, part.indexOf("\n")), part] as const))("%s", (_name, part) => {
      const [source, expected] = part.slice(part.indexOf("\n") + 1).split("==>\n") as [string, string];
      expect(compile(source).trimEnd()).toBe(expected.trimEnd());
    });
  });
}
