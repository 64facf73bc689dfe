/** @file Every clause of the specification has an identifier of its own and a test that cites it; every file is in the table of contents. Upstream: none. Spec: spec/README.md. */
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const SPEC = join(ROOT, "spec");

function filesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesBelow(path) : [path];
  });
}

const documents = readdirSync(SPEC).filter((name) => name.endsWith(".md"));
const textOf = (name: string): string => readFileSync(join(SPEC, name), "utf8");
const clausesOf = (text: string): string[] => [...text.matchAll(/^- \*\*([A-Z]+-\d+)\*\*/gm)].map((match) => match[1]!);
const tests = ["spec", "saver", "loader", "golden", "archive", "invalid"]
  .flatMap((folder) => filesBelow(join(ROOT, "test", folder)))
  .filter((path) => /\.(ts|txt)$/.test(path))
  .map((path) => readFileSync(path, "utf8"))
  .join("\n");
const cited = new Set(tests.match(/\b[A-Z]{3}-\d+\b/g));

describe.each(documents.filter((name) => name !== "README.md"))("spec/%s", (name) => {
  const clauses = clausesOf(textOf(name));
  test("states clauses, each once", () => {
    expect(clauses.length).toBeGreaterThan(0);
    expect(clauses.filter((clause, i) => clauses.indexOf(clause) !== i)).toEqual([]);
  });
  test.each(clauses)("%s is cited by a test", (clause) => {
    expect(cited.has(clause)).toBe(true);
  });
});

test("the entry names every document", () => {
  const entry = textOf("README.md");
  for (const name of documents) if (name !== "README.md") expect(entry).toContain(`(${name})`);
});

test("the prefixes of the documents differ", () => {
  const prefixes = documents
    .map((name) => [name, [...new Set(clausesOf(textOf(name)).map((c) => c.split("-")[0]))]] as const)
    .filter(([, p]) => p.length > 0);
  const all = prefixes.flatMap(([, p]) => p);
  expect(new Set(all).size).toBe(all.length);
});
