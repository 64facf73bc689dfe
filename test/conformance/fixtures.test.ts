/** @file The archives of test/fixtures: every conformance check, as `npm run conformance` runs them. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCaseFolder } from "../../src/conformance/case_folder.ts";
import { CHECK_NAMES, Checks } from "../../src/conformance/checks.ts";

const MODELS = join(import.meta.dirname, "../fixtures/models");

test.each(readdirSync(MODELS))("%s loads, prints, runs and saves as in PyTorch", (name) => {
  const checks = new Checks();
  checks.subject = name;
  runCaseFolder(join(MODELS, name), checks);
  expect(checks.failures).toEqual([]);
  for (const check of CHECK_NAMES) expect(checks.passed[check], `${check} was not checked`).toBeGreaterThan(0);
});
