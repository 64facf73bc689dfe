/** @file Executes the rules of spec/types.md, its tables row by row. Upstream: none. Spec: spec/types.md. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import "../../src/ops/index.ts";
import { ArchiveReader } from "../../src/archive/index.ts";
import { EnumValue, ScriptObject, dynamicTypeTag } from "../../src/core/ivalue.ts";
import { QualifiedName } from "../../src/core/qualified_name.ts";
import { parseSchema, schemaText } from "../../src/core/schema.ts";
import { operatorNames, schemasFor } from "../../src/core/operator_registry.ts";
import * as T from "../../src/core/type.ts";
import { defineSource } from "../../src/frontend/emit/compile.ts";
import { ScriptTypeParser } from "../../src/frontend/script_type_parser.ts";
import { runFunction } from "../../src/interpreter/run.ts";
import { graphText } from "../../src/ir/printer.ts";
import { loadModuleArchive } from "../../src/loader/import_module.ts";
import { runCleanupPasses } from "../../src/passes/pipeline.ts";
import { makeArchive } from "../support/archive.ts";
import { float, object, pickleOf, tagged, tuple, type Pickled } from "../support/pickle.ts";

const spec = readFileSync(new URL("../../spec/types.md", import.meta.url), "utf8");
const rows = (pattern: RegExp): string[][] => [...spec.matchAll(pattern)].map((match) => match.slice(1));
const type = (text: string): T.Type => new ScriptTypeParser().parseTypeText(text);

const texts = rows(/^\| `([^`]+)` \| `([^`]+)` \|$/gm);
const relations = rows(/^\| `([^`]+)` \| `([^`]+)` \| (yes|no) \|$/gm);

/** The object of `class M` with attributes `x` of the types, pickled as given. */
function load(code: string, root: Pickled, run = runFunction): ScriptObject {
  const archive = makeArchive({
    "data.pkl": pickleOf(root),
    "code/__torch__.py": code,
    "constants.pkl": pickleOf(tuple()),
  });
  return loadModuleArchive(ArchiveReader.open(archive), { runMethod: (fn, args) => run(fn, args) }).root;
}
const moduleCode = (attributes: string): string => `class M(Module):\n  __parameters__ = []\n${attributes}`;
const valueOf = (typeText: string, value: Pickled, more = ""): unknown =>
  load(moduleCode(`  x : ${typeText}\n`) + more, object("__torch__ M", { x: value })).getAttr("x");

test("the tables are there", () => {
  expect(texts.length).toBeGreaterThan(20);
  expect(relations.length).toBeGreaterThan(15);
});

test.each(texts)("TYP-1: %s is %s", (source, graph) => {
  expect(T.annotationStr(type(source!))).toBe(source);
  expect(T.typeStr(type(source!))).toBe(graph);
});

test("TYP-2: named types", () => {
  const name = new QualifiedName("__torch__.pkg.Color");
  expect(T.typeStr(new T.ClassType(name, false))).toBe("__torch__.pkg.Color");
  const color = new T.EnumType(name, T.IntT, [["RED", 1]]);
  expect([T.annotationStr(color), T.typeStr(color)]).toEqual(["__torch__.pkg.Color", "Enum<__torch__.pkg.Color>"]);
});

test("TYP-3: unions are flat, sorted and without subtypes", () => {
  expect(T.annotationStr(type("Union[str, Union[int, str]]"))).toBe("Union[int, str]");
  expect(T.annotationStr(type("Union[int, NoneType]"))).toBe("Optional[int]");
  expect(T.annotationStr(type("Optional[Optional[int]]"))).toBe("Optional[int]");
});

test("TYP-4: what a graph knows of a tensor", () => {
  const detail = { scalarType: "Float", sizes: [2, 3], strides: [3, 1], requiresGrad: false, device: "cpu" };
  expect(T.typeStr({ kind: "Tensor", detail } as T.Type)).toBe(
    "Float(2, 3, strides=[3, 1], requires_grad=0, device=cpu)",
  );
});

test.each(relations)("TYP-5: %s under %s: %s", (a, b, answer) => {
  expect(T.isSubtypeOf(type(a!), type(b!))).toBe(answer === "yes");
});

test("TYP-6: a NamedTuple is a tuple", () => {
  const point = T.namedTupleOf(new QualifiedName("__torch__.Point"), ["x", "y"], [T.IntT, T.IntT]);
  expect(T.isSubtypeOf(point, type("Tuple[int, int]"))).toBe(true);
  expect(T.isSubtypeOf(type("Tuple[int, int]"), point)).toBe(false);
});

test("TYP-7: a class implements an interface by its methods", () => {
  const code = (method: string): string =>
    `${moduleCode("  x : __torch__.I\n")}class I(Interface):\n  def f(self, a: int) -> int:\n    pass\nclass C:\n  n : int\n  def ${method}(self: __torch__.C, a: int) -> int:\n    return a\n  def g(self: __torch__.C, i: __torch__.I) -> int:\n    return (i).f(1, )\n  def h(self: __torch__.C) -> int:\n    return (self).g(self, )\n`;
  const compile = (method: string): void => {
    const root = load(code(method), object("__torch__ M", { x: object("__torch__ C", { n: 1 }) }));
    const h = (root.getAttr("x") as ScriptObject).type.findMethod("h")!;
    expect(runFunction(h, [root.getAttr("x")])).toBe(1);
  };
  compile("f");
  expect(() => compile("other")).toThrow(/does not have method 'f'/);
});

test("TYP-8: values are read by their static types", () => {
  expect(valueOf("int", 3)).toBe(3);
  expect(valueOf("float", float(0.5))).toBe(0.5);
  expect(valueOf("float", 2)).toBe(2);
  expect(valueOf("int", null)).toBe(null);
  expect(() => valueOf("int", "3")).toThrow('attribute "x" of __torch__.M is str, expected int');
});

test("TYP-9: tags state the types of containers", () => {
  const any = valueOf("Any", tagged([1, 2], "List[int]"));
  expect(any).toEqual([1, 2]);
  expect(T.annotationStr(dynamicTypeTag(any as object)!)).toBe("List[int]");
  expect(() => valueOf("Dict[str, int]", tagged([1], "List[int]"))).toThrow("expected Dict[str, int]");
});

test("TYP-10: a member of an enum is known by its value", () => {
  const color = "class Color(Enum):\n  RED = 1\n  BLUE = 2\n";
  const value = valueOf("__torch__.Color", { call: "__torch__ Color", args: 2 }, color);
  expect(value).toBeInstanceOf(EnumValue);
  expect((value as EnumValue).name).toBe("BLUE");
  expect(() => valueOf("__torch__.Color", { call: "__torch__ Color", args: 3 }, color)).toThrow(
    "3 is no value of the enum __torch__.Color",
  );
});

test("TYP-11: attributes are those that the class declares", () => {
  const code = moduleCode("  a : int\n");
  expect(load(code, object("__torch__ M", { b: 2, a: 1 })).slots).toEqual([1]);
  expect(() => load(code, object("__torch__ M", { b: 2 }))).toThrow(
    'object of __torch__.M has no attribute "a", expected int',
  );
});

test("TYP-12: __setstate__ builds the object", () => {
  const code = (body: string): string =>
    `${moduleCode("  x : __torch__.C\n")}class C:\n  n : int\n  def __getstate__(self: __torch__.C) -> int:\n    return self.n\n  def __setstate__(self: __torch__.C, state: int) -> NoneType:\n    ${body}\n    return None\n`;
  const root = object("__torch__ M", { x: object("__torch__ C", 20) });
  expect((load(code("self.n = torch.add(state, 1)"), root).getAttr("x") as ScriptObject).getAttr("n")).toBe(21);
  expect(() => load(code("pass"), root)).toThrow("The field 'n' was left uninitialized after '__setstate__'");
});

test("TYP-13: what the memo shares stays shared", () => {
  const list = tagged([1], "List[int]");
  const root = load(moduleCode("  a : List[int]\n  b : List[int]\n"), object("__torch__ M", { a: list, b: list }));
  expect(root.getAttr("a")).toBe(root.getAttr("b"));
});

test("TYP-14: arguments of schemas", () => {
  const schema = parseSchema(
    'ns::op.over(Tensor self, int[2] size=1, *, bool? flag=None, str mode="a", int kind=long) -> (Tensor out, int)',
  );
  expect(schema.args.map((a) => [a.name, a.kwargOnly, a.hasDefault])).toEqual([
    ["self", false, false],
    ["size", false, true],
    ["flag", true, true],
    ["mode", true, true],
    ["kind", true, true],
  ]);
  expect([schema.overloadName, schema.args[1]!.fixedLength, schema.args[4]!.defaultValue]).toEqual(["over", 2, 4]);
});

test("TYP-15: aliases", () => {
  const [written, viewed, held] = [
    "(Tensor(a!) self) -> Tensor(a!)",
    "(Tensor(a) self) -> Tensor(a)",
    "(t[](a!) self, t(b -> *) el) -> t[](a!)",
  ].map((s) => parseSchema(`ns::op${s}`));
  expect(written!.args[0]!.aliasInfo?.isWrite).toBe(true);
  expect(viewed!.args[0]!.aliasInfo?.isWrite).toBe(false);
  expect(schemaText(held!)).toBe("ns::op(t[](a!) self, t(b -> *) el) -> t[](a!)");
});

test("TYP-16: a schema's text parses to the schema", () => {
  for (const name of operatorNames().slice(0, 300)) {
    for (const schema of schemasFor(name)) {
      const text = schemaText(schema);
      expect(schemaText(parseSchema(text, () => T.AnyT))).toBe(text);
    }
  }
});

test("TYP-17: overloads without conversions come first", () => {
  const graph = (source: string): string => {
    const [fn] = defineSource(source, (g) => void runCleanupPasses(g));
    fn!.ensureDefined();
    return graphText(fn!.graph);
  };
  expect(graph("def f(x: Tensor, n: int) -> Tensor:\n  return torch.add(x, n)\n")).toMatch(
    /aten::add\(%x\.?\d*, %n\.?\d*, %/,
  );
  expect(graph("def f(n: int) -> float:\n  return math.sqrt(n)\n".replace("math.", "torch."))).toContain("aten::sqrt");
});
