/** @file The examples of README.md and docs/*.md run: fenced ts blocks against a fixture. Upstream: none. Spec: none. */
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { stripTypes } from "../src/jit/strip_types.ts";

const ROOT = resolve(import.meta.dirname, "..");
const DIST = process.env["TSARCHIVE_DIST"] ?? join(ROOT, "dist");
const ONE_PROGRAM = "<!-- one program -->";
const folder = mkdtempSync(join(tmpdir(), "tsarchive-docs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const documents = [
  "README.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];
const textOf = (name: string): string => readFileSync(join(ROOT, name), "utf8");

describe.each(documents)("%s", (name) => {
  const found = [...textOf(name).matchAll(/^```(?:ts|js)\n([\s\S]*?)^```$/gm)].map((match) => match[1]!);
  // a page whose blocks build on each other says so
  const blocks = textOf(name).includes(ONE_PROGRAM) ? [found.join("\n")] : found;
  if (blocks.length > 0) {
    test.each(blocks.map((code, i) => [i, code] as const))("example %i runs", (i, code) => {
      copyFileSync(join(ROOT, "test/fixtures/models/intro_wrapped_rnn/model.pt"), join(folder, "model.zip"));
      const file = join(folder, `example_${i}.mjs`);
      const program = stripTypes(code, name);
      writeFileSync(
        file,
        program.replaceAll(/from (["'])tsarchive\1/g, `from ${JSON.stringify(join(DIST, "node/index.js"))}`),
      );
      const { status, stderr } = spawnSync(process.execPath, [file], { cwd: folder, encoding: "utf8" });
      expect(stderr).toBe("");
      expect(status).toBe(0);
    });
  }

  test("links of files lead somewhere", () => {
    const here = name.includes("/") ? join(ROOT, name, "..") : ROOT;
    // indented lines are code: a schema such as `Tensor[](a)` is no link
    const prose = textOf(name).replaceAll(/^ {4}.*$/gm, "");
    const links = [...prose.matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)].map((match) => match[1]!);
    for (const link of links) expect(() => readdirOrFile(join(here, link)), `${name} links to ${link}`).not.toThrow();
  });
});

function readdirOrFile(path: string): void {
  try {
    readdirSync(path);
  } catch {
    readFileSync(path);
  }
}

test("the commands that the documentation names exist", () => {
  const { scripts } = JSON.parse(textOf("package.json")) as { scripts: Record<string, string> };
  for (const name of documents) {
    for (const [, script] of textOf(name).matchAll(/npm run ([\w:]+)/g))
      expect(Object.keys(scripts), `${name}: npm run ${script!}`).toContain(script);
  }
});
