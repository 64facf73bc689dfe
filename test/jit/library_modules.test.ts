/** Library classes script to PyTorch's own graphs and archived code; recorded by make_library_scripts.py. */
import { readFileSync } from "node:fs";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import "../../src/index.ts";
import { recordsOf } from "../support/archive.ts";
import { ScriptFunction } from "../../src/ir/function.ts";
import { graphText } from "../../src/ir/printer.ts";
import { resetPythonCu } from "../../src/jit/python_cu.ts";
import { makeLibraryModule } from "./library/make_module.ts";
import { scriptModule } from "../../src/jit/scripting/recursive.ts";

interface Case {
  readonly graphs?: Readonly<Record<string, string>>;
  /** Number of the text by file. */
  readonly code?: Readonly<Record<string, number>>;
  /** Why PyTorch cannot compile it. */
  readonly error?: string;
}
const { texts, cases } = JSON.parse(readFileSync(new URL("./library/modules.json", import.meta.url), "utf8")) as {
  texts: readonly string[];
  cases: Readonly<Record<string, Case>>;
};

// numbers of warnings count up through a process
const withoutLocations = (graph: string): string =>
  graph.replace(/ # \S+:\d+:\d+$/gm, "").replace(/warn_id=\d+/g, "warn_id");

/** Python keeps the names of constants in a set: their order is not the same in every run. */
function sortedConstants(code: string): string {
  return code.replace(
    /(?:^  \w+ : Final\[.*\n)+/gm,
    (lines) => lines.split("\n").filter(Boolean).sort().join("\n") + "\n",
  );
}

beforeEach(() => {
  resetPythonCu();
  vi.spyOn(console, "warn").mockImplementation(() => {});
});
afterAll(() => vi.restoreAllMocks());

const compiled = Object.entries(cases).filter(([, recorded]) => recorded.graphs);

describe("library modules", () => {
  test.each(compiled)("%s: graphs", (name, { graphs = {} }) => {
    const { type } = scriptModule(makeLibraryModule(name)).object;
    const methods = [...type.methods.values()].filter((m) => m instanceof ScriptFunction);
    const found = methods
      .map((m) => [m.name, withoutLocations(graphText(m.graph))] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    const wanted = Object.entries(graphs).map(([method, graph]) => [method, withoutLocations(graph)]);
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(wanted));
  });
  test.each(compiled.filter(([, { code }]) => code))("%s: archived code", (name, { code = {} }) => {
    const records = recordsOf(scriptModule(makeLibraryModule(name)).saveToBuffer());
    const files = [...records].filter(([path]) => path.endsWith(".py"));
    const found = Object.fromEntries(
      files.map(([path, text]) => [path.replace(/^code\//, ""), sortedConstants(new TextDecoder().decode(text))]),
    );
    expect(found).toEqual(
      Object.fromEntries(Object.entries(code).map(([path, at]) => [path, sortedConstants(texts[at]!)])),
    );
  });
});
