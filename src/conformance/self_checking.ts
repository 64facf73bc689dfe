/** @file Runs one self-checking archive (`ops/*.pt`): cases on stored inputs, expected results, expected errors. Upstream: none. Spec: none. */
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  Complex,
  Float,
  ScriptRuntimeError,
  Tensor,
  TorchScriptError,
  jit,
  setPrintSink,
  setWarningSink,
  type ScriptModule,
} from "../node/index.ts";
import type { Checks } from "./checks.ts";
import { checkSaving, type SavedRecord } from "./saving.ts";
import { tensorDifference, type Tolerance } from "./values.ts";

const resavedByFolder = new Map<string, Readonly<Record<string, readonly SavedRecord[]>>>();

function resavedOf(path: string): readonly SavedRecord[] | undefined {
  const folder = dirname(path);
  let table = resavedByFolder.get(folder);
  if (!table) {
    const file = join(folder, "RESAVED.json");
    table = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, SavedRecord[]>) : {};
    resavedByFolder.set(folder, table);
  }
  return table[basename(path)];
}

/** Why two IValues differ, or undefined. */
function valueDifference(
  actual: unknown,
  expected: unknown,
  tolerance: Tolerance,
  path = "result",
): string | undefined {
  const fail = (what: string): string => `${path}: ${what}`;
  if (expected instanceof Tensor) {
    const why = tensorDifference(actual, expected, tolerance);
    return why === undefined ? undefined : fail(why);
  }
  if (expected instanceof Float) return valueDifference(actual, expected.value, tolerance, path);
  if (actual instanceof Float) return valueDifference(actual.value, expected, tolerance, path);
  if (typeof expected === "number" && typeof actual === "number") {
    const ok =
      actual === expected ||
      (Number.isNaN(actual) && Number.isNaN(expected)) ||
      Math.abs(actual - expected) <= tolerance.atol + tolerance.rtol * Math.abs(expected);
    return ok ? undefined : fail(`found ${actual}, expected ${expected}`);
  }
  if (expected instanceof Complex && actual instanceof Complex) {
    return (
      valueDifference(actual.re, expected.re, tolerance, `${path}.real`) ??
      valueDifference(actual.im, expected.im, tolerance, `${path}.imag`)
    );
  }
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length)
      return fail(`found ${String(actual)}, expected ${expected.length} elements`);
    for (let i = 0; i < expected.length; i++) {
      const why = valueDifference(actual[i], expected[i], tolerance, `${path}[${i}]`);
      if (why !== undefined) return why;
    }
    return undefined;
  }
  if (expected instanceof Map) {
    if (!(actual instanceof Map) || actual.size !== expected.size) return fail(`expected a dict of ${expected.size}`);
    for (const [key, value] of expected) {
      const why = valueDifference(actual.get(key), value, tolerance, `${path}[${String(key)}]`);
      if (why !== undefined) return why;
    }
    return undefined;
  }
  return actual === expected || String(actual) === String(expected)
    ? undefined
    : fail(`found ${String(actual)}, expected ${String(expected)}`);
}

/** Whether a module checks itself. */
export function isSelfChecking(module: ScriptModule): boolean {
  return module.hasattr("tolerances") && module.hasattr("names");
}

/** Runs every check of a self-checking archive; what its code prints or warns is no part of the report. */
export function runSelfChecking(path: string, checks: Checks): void {
  const printSink = setPrintSink(() => {});
  const warningSink = setWarningSink(() => {});
  try {
    runQuietly(path, checks);
  } finally {
    setPrintSink(printSink);
    setWarningSink(warningSink);
  }
}

function runQuietly(path: string, checks: Checks): void {
  let module: ScriptModule | undefined;
  checks.run("load", () => {
    module = jit.load(path);
    return isSelfChecking(module)
      ? undefined
      : "the archive has no attributes `names` and `tolerances`: no case folder and no self-checking archive";
  });
  if (!module || !isSelfChecking(module)) return;
  const loaded = module;
  const expected = resavedOf(path);
  if (expected) checkSaving(path, loaded, expected, checks);
  const count = Number(loaded.hasattr("forward") ? loaded.forward() : 0);
  const names = loaded.getattr("names") as string[];
  const tolerances = loaded.getattr("tolerances") as [number, number][];
  for (let k = 0; k < count; k++) {
    checks.run(
      "run",
      () => {
        const [rtol, atol] = tolerances[k]!;
        return valueDifference(loaded.invoke(`case_${k}`, []), loaded.getattr(`expected_${k}`), { rtol, atol });
      },
      `case_${k} ${names[k] ?? ""}`,
    );
  }
  const errors = loaded.hasattr("n_errors") ? Number(loaded.getattr("n_errors")) : 0;
  for (let k = 0; k < errors; k++) {
    checks.run(
      "run",
      () => {
        const pattern = String(loaded.getattr(`error_regex_${k}`));
        try {
          loaded.invoke(`error_${k}`, []);
        } catch (error) {
          if (!(error instanceof TorchScriptError)) throw error;
          const message = error instanceof ScriptRuntimeError ? `${error.reason}\n${error.message}` : error.message;
          return pythonRegExp(pattern).test(message)
            ? undefined
            : `raised ${JSON.stringify(message.slice(0, 200))}, expected a match of ${pattern}`;
        }
        return `did not raise ${pattern}`;
      },
      `error_${k}`,
    );
  }
}

/** A Python regular expression as JavaScript's: the few spellings that differ. */
function pythonRegExp(pattern: string): RegExp {
  const flags = /^\(\?([ims]+)\)/.exec(pattern);
  const body = (flags ? pattern.slice(flags[0].length) : pattern)
    .replaceAll("\\A", "^")
    .replaceAll("\\Z", "$")
    .replaceAll("(?P<", "(?<");
  return new RegExp(body, `${flags?.[1] ?? ""}`);
}
