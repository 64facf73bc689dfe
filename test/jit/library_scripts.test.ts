/** Library functions compile to PyTorch's own graphs and code; recorded by make_library_scripts.py. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { nn } from "../../src/index.ts";
import { Source } from "../../src/base/source_range.ts";
import { QualifiedName } from "../../src/core/qualified_name.ts";
import { defineFunction } from "../../src/frontend/emit/compile.ts";
import { parsePythonDefinitions } from "../../src/frontend/python_syntax.ts";
import { ScriptFunction } from "../../src/ir/function.ts";
import { graphText } from "../../src/ir/printer.ts";
import { libraryFunctionPath, libraryType, libraryValue } from "../../src/jit/scripting/library.ts";
import { pythonCu, resetPythonCu } from "../../src/jit/python_cu.ts";
import { finishEmission } from "../../src/passes/pipeline.ts";
import { functionCode } from "../../src/saver/function_code.ts";

interface Text {
  readonly graph: string;
  readonly code: string;
}
interface Recorded {
  readonly cases: readonly ({ readonly name: string; readonly source: string } & Text)[];
  readonly functions: Readonly<Record<string, Text>>;
}
const recorded = JSON.parse(readFileSync(new URL("./library/functionals.json", import.meta.url), "utf8")) as Recorded;

const withoutLocations = (graph: string): string => graph.replace(/ # \S+:\d+:\d+$/gm, "");
const textOf = (fn: ScriptFunction): Text => ({
  graph: withoutLocations(graphText(fn.graph)),
  code: functionCode(fn, { isMethod: false }).code,
});

/** Compiles a function that uses the library by its Python names. */
function compile(source: string): ScriptFunction {
  const [def] = parsePythonDefinitions(new Source(source, "case.py", 1));
  const cu = pythonCu();
  const fn = new ScriptFunction(new QualifiedName(`__torch__.${def!.name.name}`), undefined, (own) =>
    defineFunction(own, def!, { resolveValue: libraryValue, resolveType: libraryType }, undefined, {
      cu,
      cleanup: finishEmission,
    }),
  );
  cu.addFunction(fn);
  fn.ensureDefined();
  return fn;
}

describe("functions that call the library", () => {
  resetPythonCu();
  test.each(recorded.cases)("$name", ({ source, graph, code }) => {
    const text = textOf(compile(source));
    expect(text.code).toBe(code);
    expect(text.graph).toBe(graph);
  });
});

describe("library functions compiled on the way", () => {
  test.each(Object.entries(recorded.functions))("%s", (name, text) => {
    const fn = pythonCu().findFunction(name);
    expect(fn, `${name} was not compiled`).toBeDefined();
    expect(textOf(fn!)).toEqual(text);
  });
});

test("every function of nn.functional has one name", () => {
  const values = Object.values(nn.functional);
  expect(new Set(values).size).toBe(values.length);
  expect(libraryFunctionPath(nn.functional.interpolate)).toBe("torch.nn.functional.interpolate");
});
