/** @file The tour of examples/introduction.ts prints what introduction.py prints in PyTorch. Upstream: none. Spec: none. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "..");

test("introduction.ts prints the text that PyTorch prints and warns of the branch that a trace bakes in", () => {
  execFileSync(process.execPath, [
    join(ROOT, "node_modules/typescript/bin/tsc"),
    "-p",
    join(ROOT, "tsconfig.programs.json"),
  ]);
  const folder = mkdtempSync(join(tmpdir(), "tsarchive-introduction-"));
  const run = spawnSync(
    process.execPath,
    [join(ROOT, "build/programs/examples/introduction.js"), join(folder, "introduction.pt")],
    { encoding: "utf8" },
  );
  rmSync(folder, { recursive: true });
  expect(run.stderr).toMatch(/introduction\.ts:46: TracerWarning: /);
  const expected = readFileSync(join(ROOT, "examples/introduction.expected.txt"), "utf8");
  expect(run.stdout.replaceAll(/ # [^\n]*/g, "")).toBe(expected);
  expect(run.status).toBe(0);
}, 120_000);
