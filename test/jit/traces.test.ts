/** @file Traces of functions, user modules and the module library: PyTorch's graphs and code, as traces/make_traces.py records them. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { setWarningSink, type WarningSink } from "../../src/node/index.ts";
import { FUNCTION_CASES } from "./traces/function_cases.ts";
import { LIBRARY_CASES } from "./traces/library_cases.ts";
import { MODULE_CASES } from "./traces/module_cases.ts";
import { traceTexts, type TraceTexts } from "./traces/trace_case.ts";

const recorded = JSON.parse(readFileSync(new URL("traces/traces.json", import.meta.url), "utf8")) as Record<
  string,
  TraceTexts
>;

let sink: WarningSink;
beforeAll(() => {
  sink = setWarningSink(() => undefined);
});
afterAll(() => {
  setWarningSink(sink);
});

describe.each([
  ["functions", FUNCTION_CASES],
  ["modules", MODULE_CASES],
  ["library", LIBRARY_CASES],
] as const)("jit.trace() of %s gives PyTorch's text", (_, cases) => {
  test.each(Object.keys(cases))("%s", (name) => {
    expect(traceTexts(cases[name]!)).toEqual(recorded[name]);
  });
});
