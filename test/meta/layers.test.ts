/** @file The house rules that a machine can check: import direction, file size, headers, node: at the edges. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const SRC = resolve(import.meta.dirname, "../../src");

/** docs/architecture.md, "Layers". */
const BELOW_JIT = [
  "base",
  "archive",
  "tensor",
  "core",
  "ops",
  "ir",
  "autograd",
  "frontend",
  "passes",
  "interpreter",
  "loader",
  "saver",
  "nn",
  "torch",
];
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  archive: ["base"],
  tensor: ["base"],
  core: ["base", "tensor"],
  ops: ["base", "tensor", "core"],
  ir: ["base", "core", "tensor"],
  autograd: ["base", "tensor", "core", "ops"],
  frontend: ["base", "core", "ir", "tensor"],
  passes: ["base", "core", "ir", "tensor"],
  interpreter: ["base", "tensor", "core", "ir"],
  loader: ["base", "archive", "tensor", "core", "ir", "frontend", "passes", "interpreter"],
  saver: ["base", "archive", "tensor", "core", "ir", "passes"],
  nn: ["base", "tensor", "core", "ops", "autograd", "torch"],
  torch: ["base", "tensor", "core", "ops", "autograd"],
  jit: BELOW_JIT,
  backends: [...BELOW_JIT, "jit"],
  index: [...BELOW_JIT, "jit", "backends"],
  node: ["index", "archive", "base", "tensor"],
  // not through the index alone: dump starts without the operator table, which costs more than the dump
  cli: ["index", "node", "conformance", "base", "archive", "tensor", "jit"],
  server: ["index", "node"],
  viewer: ["index"],
  conformance: ["index", "node"],
};
const MAY_USE_NODE = new Set(["node", "cli", "server", "conformance"]);
/** Tables and generated files may be longer than a screenful of ideas. */
const TABLES = new Set([
  "core/schema_table.ts",
  "tensor/generated/tensor_methods.ts",
  "torch/generated/names.ts",
  "torch/generated/torch_functions.ts",
]);

function filesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesBelow(path) : path.endsWith(".ts") ? [path] : [];
  });
}

const files = filesBelow(SRC).map((path) => relative(SRC, path));
const textOf = (file: string): string => readFileSync(join(SRC, file), "utf8");
const folderOf = (file: string): string =>
  file.includes("/") ? file.slice(0, file.indexOf("/")) : file.replace(/\.ts$/, "");

function importsOf(file: string): string[] {
  return [...textOf(file).matchAll(/^\s*(?:import|export)\b[^;"']*?(?:from\s*)?["']([^"']+)["']/gm)].map((m) => m[1]!);
}

describe.each(files)("%s", (file) => {
  test("imports only from the layers below it", () => {
    const own = folderOf(file);
    for (const target of importsOf(file)) {
      if (target.startsWith("node:")) {
        expect(MAY_USE_NODE.has(own), `${file} imports ${target}: node: modules belong to the edges`).toBe(true);
      } else if (target.startsWith(".")) {
        const path = relative(SRC, resolve(SRC, dirname(file), target));
        expect([own, ...(MAY_IMPORT[own] ?? [])], `${file} must not import ${path}`).toContain(folderOf(path));
      }
    }
  });

  test("says what it is, in at most 600 lines", () => {
    const text = textOf(file);
    expect(text.replace(/^#!.*\n/, ""), `${file} has no @file header`).toMatch(/^\/\*\* @file /);
    if (!TABLES.has(file)) expect(text.split("\n").length, `${file} has grown`).toBeLessThanOrEqual(600);
  });

  test("leaks no any and silences no check", () => {
    const text = textOf(file).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
    expect(text).not.toMatch(/@ts-(ignore|nocheck|expect-error)/);
    expect(text).not.toMatch(/\bas any\b|(?<!:):\s*any\b|<any>/);
  });
});

test("every Note that is cited exists", () => {
  const all = files.map(textOf).join("\n");
  const defined = new Set([...all.matchAll(/^\s*(?:\*|\/\/)?\s*Note \[([^\]]+)\]/gm)].map((m) => m[1]));
  for (const [, note] of all.matchAll(/[Ss]ee Note \[([^\]]+)\]/g)) expect(defined, `Note [${note}]`).toContain(note);
});
