/** @file Types and signatures against what PyTorch makes of them (type_cases.json). Upstream: none. Spec: spec/grammar.md. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ScriptError } from "../../src/base/errors.ts";
import { Source } from "../../src/base/source_range.ts";
import { annotationStr } from "../../src/core/type.ts";
import { parseDefinitions } from "../../src/frontend/parser.ts";
import { ScriptTypeParser } from "../../src/frontend/script_type_parser.ts";
import { Complex } from "../../src/tensor/scalar.ts";

interface Case {
  source: string;
  args?: [string, string, number | null, boolean, string | null][];
  message?: string;
}
const cases = JSON.parse(readFileSync(new URL("./type_cases.json", import.meta.url), "utf8")) as Case[];

function pythonRepr(value: unknown, type: string): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return `'${value}'`;
  if (value instanceof Complex) return `${value.im}j`;
  if (Array.isArray(value)) {
    const items = value.map((v) => pythonRepr(v, "int")).join(", ");
    return type.startsWith("Tuple") ? `(${items})` : `[${items}]`;
  }
  return type === "float" && Number.isInteger(value) ? `${String(value)}.0` : String(value);
}

describe("parseSchemaFromDef() agrees with torch", () => {
  test.each(cases)("$source", ({ source, args, message }) => {
    const parse = (): unknown => {
      const [def] = parseDefinitions(new Source(source, "<string>", 1), false);
      return new ScriptTypeParser().parseSchemaFromDef(def!, false).args.map((a) => {
        const type = annotationStr(a.type);
        return [
          a.name,
          type,
          a.fixedLength ?? null,
          a.kwargOnly,
          a.hasDefault ? pythonRepr(a.defaultValue, type) : null,
        ];
      });
    };
    if (args) expect(parse()).toEqual(args);
    else {
      let thrown: unknown;
      try {
        parse();
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(ScriptError);
      expect((thrown as ScriptError).message).toBe(message);
    }
  });
});
