/** @file JavaScript functions compile to the graph and the code that PyTorch makes of their Python twins, and run to what they give eagerly. */
import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, test } from "vitest";
import { Tensor, jit } from "../../src/node/index.ts";
import { resetPythonCu } from "../../src/jit/python_cu.ts";
import { CASES } from "./javascript_cases.ts";

const recorded = JSON.parse(readFileSync(new URL("javascript_cases.json", import.meta.url), "utf8")) as Record<
  string,
  { readonly code: string; readonly graph: string }
>;

/** A graph without locations. */
function plain(graph: unknown): string {
  return String(graph).replace(/ # .*$/gm, "");
}

/** A result as text; a record and a Map count as one. */
function shown(value: unknown): string {
  if (value instanceof Tensor) return `${value.dtype.name} ${String(value)}`;
  if (Array.isArray(value)) return `[${value.map(shown).join(", ")}]`;
  if (value instanceof Map) return `{${Array.from(value, ([k, v]) => `${String(k)}: ${shown(v)}`).join(", ")}}`;
  if (typeof value === "object" && value !== null) return shown(new Map(Object.entries(value)));
  return String(value);
}

beforeEach(() => resetPythonCu());

describe.each(CASES)("$fn.name", ({ fn, calls }) => {
  test("compiles to the graph and code of its Python twin", () => {
    const scripted = jit.script(fn);
    const twin = recorded[fn.name]!;
    expect(scripted.code).toBe(twin.code);
    expect(plain(scripted.graph)).toBe(twin.graph);
  });
  test("runs as it does eagerly", () => {
    const scripted = jit.script(fn) as (...args: readonly unknown[]) => unknown;
    for (const args of calls) {
      const eager = (fn as (...args: readonly unknown[]) => unknown)(...args());
      expect(shown(scripted(...args()))).toBe(shown(eager));
    }
  });
});
