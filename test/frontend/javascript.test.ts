/** @file JavaScript functions compile to the graph and the code that PyTorch makes of their Python twins, and run to what they give eagerly. */
import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, test } from "vitest";
import { Tensor, jit, torch } from "../../src/node/index.ts";
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

test("an array that is a default and only read gives the same at every call", () => {
  function reads(x: Tensor, dims = [0, 1], names: string[] = []) {
    let n = dims.length + names.length;
    for (const d of dims) n += d;
    const sums = torch.sum(x, dims as number[]);
    dims = [...dims, dims.at(-1)!];
    return x.permute([dims[1]!, dims[0]!]).add(sums).mul(n);
  }
  const scripted = jit.script(reads);
  const x = torch.ones([2, 3]);
  for (let call = 0; call < 2; call++) expect(shown(scripted(x))).toBe(shown(reads(x)));
  expect(shown(scripted(x, [1, 0], ["a"]))).toBe(shown(reads(x, [1, 0], ["a"])));
});
