/** @file Defaults that are compiled and run. Upstream: none. Spec: spec/grammar.md. */
import { expect, test } from "vitest";
import "../../src/ops/index.ts";
import { Source } from "../../src/base/source_range.ts";
import { BuiltinModule } from "../../src/frontend/emit/sugared_callable.ts";
import { parseDefinitions } from "../../src/frontend/parser.ts";
import { ScriptTypeParser } from "../../src/frontend/script_type_parser.ts";
import { installDefaultEvaluator } from "../../src/loader/evaluate_defaults.ts";
import { Tensor } from "../../src/tensor/tensor.ts";

installDefaultEvaluator();
const resolver = {
  resolveType: () => undefined,
  resolveValue: (name: string) => (name === "torch" ? new BuiltinModule("aten") : undefined),
};

function defaults(params: string): unknown[] {
  const [def] = parseDefinitions(new Source(`def f(${params}):\n  return x\n`, "<string>", 1), false);
  return new ScriptTypeParser(resolver).parseSchemaFromDef(def!, false).args.map((a) => a.defaultValue);
}

test("expressions are computed", () => {
  expect(defaults("x: int = 2 + 3, y: List[int] = [1] * 3, z: str = 'a'")).toEqual([5, [1, 1, 1], "a"]);
  expect(defaults("x: Tensor=torch.ones(1)")[0]).toBeInstanceOf(Tensor);
});

test("torch's message where the type is another or a name is unknown", () => {
  const message = (params: string): string => {
    try {
      defaults(params);
    } catch (error) {
      return (error as Error).message;
    }
    return "";
  };
  expect(message("x: float = 1")).toBe(
    'Return value was annotated as having type Tuple[float] but is actually of type Tuple[int]:\n  File "<string>", line 1\ndef f(x: float = 1):\n     ~~~~~~~~~~~~~~~ <--- HERE\n  return x\n',
  );
  expect(message("x: int = foo")).toBe(
    'undefined value foo:\n  File "<string>", line 1\ndef f(x: int = foo):\n               ~~~ <--- HERE\n  return x\n',
  );
  expect(message("x: Dict[str,int]={}")).toContain("is actually of type Tuple[Dict[str, Tensor]]");
});
