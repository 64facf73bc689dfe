/** @file Executes the rules of spec/grammar.md. Upstream: none. Spec: spec/grammar.md. */
import { expect, test } from "vitest";
import { Source, type SourceRange } from "../../src/base/source_range.ts";
import { annotationStr, ClassType } from "../../src/core/type.ts";
import { QualifiedName } from "../../src/core/qualified_name.ts";
import type { Expr, Stmt } from "../../src/frontend/ast.ts";
import { parseDefinitions, parseExpression } from "../../src/frontend/parser.ts";
import { ScriptTypeParser } from "../../src/frontend/script_type_parser.ts";
import { parseNumber } from "../../src/frontend/string_literal.ts";

const exp = (text: string): Expr => parseExpression(new Source(text));
const body = (text: string): readonly Stmt[] => parseDefinitions(new Source(text), false)[0]!.body;
const type = (text: string): string => annotationStr(new ScriptTypeParser().parseTypeText(text));
const covers = (range: SourceRange): string => range.text();

/** An expression with all grouping written out. */
function show(e: Expr): string {
  switch (e.kind) {
    case "Var":
      return e.name.name;
    case "Number":
      return e.text;
    case "String":
      return JSON.stringify(e.value);
    case "Binary":
      return `(${show(e.left)} ${e.op} ${show(e.right)})`;
    case "Unary":
      return `(${e.op} ${show(e.operand)})`;
    case "Ternary":
      return `(${show(e.yes)} if ${show(e.condition)} else ${show(e.no)})`;
    case "Tuple":
      return `<${e.elements.map(show).join(", ")}>`;
    case "List":
      return `[${e.elements.map(show).join(", ")}]`;
    case "ListComp":
      return `[${show(e.element)} for ${show(e.target)} in ${show(e.iter)}]`;
    case "DictComp":
      return `{${show(e.key)}: ${show(e.value)} for ${show(e.target)} in ${show(e.iter)}}`;
    case "Dict":
      return `{${e.keys.map((k, i) => `${show(k)}: ${show(e.values[i]!)}`).join(", ")}}`;
    case "Select":
      return `${show(e.value)}.${e.selector.name}`;
    case "Apply":
      return `${show(e.callee)}(${[...e.args.map(show), ...e.kwargs.map((k) => `${k.name.name}=${show(k.value)}`)].join(", ")})`;
    case "Subscript":
      return `${show(e.value)}[${e.indices.map(show).join(", ")}]`;
    case "Slice":
      return [e.start, e.end, e.step].map((p) => (p ? show(p) : "")).join(":");
    case "Starred":
      return `*${show(e.value)}`;
    default:
      return e.kind;
  }
}

test("GRM-1: comments make no token, type comments do", () => {
  expect(body("# c\ndef f(x): # c\n\n  # c\n  return x # c\n")).toHaveLength(1);
  const [def] = parseDefinitions(new Source("def f(x, y):\n  # type: (int, str) -> bool\n  return x\n"), false);
  expect([...def!.params.map((p) => show(p.type!)), show(def!.returnType!)]).toEqual(["int", "str", "bool"]);
  expect(() => body("def f(x):\n  y = x # type: int\n  return y\n")).toThrow(
    "expected newline but found 'type comment' here",
  );
});

test("GRM-2: indentation makes blocks", () => {
  expect(body("    def f(x):\n      if x:\n        y = 1\n      return y\n  ")).toHaveLength(2);
  expect(body("def f(x):\n\tif x:\n\t\ty = 1\n\treturn y\n")).toHaveLength(2);
  expect(() => body("def f(x):\n    if x:\n      return x\n   return 2\n")).toThrow("invalid indent level 3");
});

test("GRM-3: brackets and backslashes continue lines", () => {
  expect(body("def f(x):\n  y = (x +\n1,\n      2)\n  z = x + \\\n   1\n  return y\n")).toHaveLength(3);
});

test("GRM-4: the last line needs its end", () => {
  expect(() => body("def f(x):\n  return x")).toThrow("expected newline but found 'eof' here");
});

test("GRM-5: escapes", () => {
  expect(exp(String.raw`"\\\'\"\a\b\f\n\t\v\r\101\303\274"`)).toMatchObject({ value: "\\'\"\x07\b\f\n\t\v\rA\u00fc" });
  expect(exp(String.raw`"\377"`)).toMatchObject({ value: "\udcff" });
  expect(exp("'''a\n'b''\\\nc'''")).toMatchObject({ value: "a\n'b''\nc" });
  for (const [text, message] of [
    ["\\x41", "unsupported hex specifier"],
    ["\\u0041", "unsupported unicode specifier"],
    ["\\400", " ill formed octal specifier"],
    ["\\q", " ill formed octal specifier"],
  ]) {
    expect(() => exp(`"${text}"`)).toThrow(message);
  }
});

test("GRM-6: neighbouring strings are joined, there are no prefixes", () => {
  expect(exp(`"a" 'b' """c"""`)).toMatchObject({ value: "abc" });
  expect(() => body("def f(x):\n  return f'{x}'\n")).toThrow("expected newline but found 'string_literal' here");
});

test("GRM-7: numbers", () => {
  const values = [
    "10",
    "0x1F",
    "010",
    "1.",
    ".5",
    "1e3",
    "0x1e",
    "2.5j",
    "-3",
    "9223372036854775807",
    "-9223372036854775808",
  ].map((t) => parseNumber(t));
  expect(values).toEqual([
    { kind: "int", value: 10 },
    { kind: "int", value: 31 },
    { kind: "int", value: 8 },
    { kind: "float", value: 1 },
    { kind: "float", value: 0.5 },
    { kind: "float", value: 1000 },
    { kind: "float", value: 30 },
    { kind: "complex", imag: 2.5 },
    { kind: "int", value: -3 },
    { kind: "int", value: 9223372036854775807n },
    { kind: "int", value: -9223372036854775808n },
  ]);
  expect(() => parseNumber("9223372036854775808")).toThrow(
    "Integral constant out of range (must fit in a signed 64 bit integer)",
  );
  expect(show(exp("x[1.:0x1p3]"))).toBe("x[1.:0x1p3:]");
});

test("GRM-8: two-word operators", () => {
  expect(show(exp("a is not b"))).toBe("(a is not b)");
  expect(show(exp("a not in b"))).toBe("(not (a in b))");
  expect(show(exp("not input"))).toBe("(not input)");
  expect(show(exp("a is notb"))).toBe("(a is notb)");
});

test("GRM-9: operators group to the left by strength", () => {
  expect(show(exp("a or b and c"))).toBe("((a or b) and c)");
  expect(show(exp("1 < x < 3"))).toBe("((1 < x) < 3)");
  expect(show(exp("a | b ^ c & d << e + f * g ** h ** i"))).toBe(
    "(a | (b ^ (c & (d << (e + (f * (g ** (h ** i))))))))",
  );
  expect(show(exp("a - b - c"))).toBe("((a - b) - c)");
  expect(show(exp("not a == b"))).toBe("(not (a == b))");
  expect(show(exp("~a + b"))).toBe("(~ (a + b))");
  expect(show(exp("a if b else c if d else e"))).toBe("(a if b else (c if d else e))");
});

test("GRM-10: negative literals", () => {
  expect(show(exp("-1"))).toBe("-1");
  expect(show(exp("-2 ** 2"))).toBe("(- (2 ** 2))");
  expect(show(exp("-x * y"))).toBe("((- x) * y)");
});

test("GRM-11: not in", () => {
  const e = exp("a not in b");
  expect(e).toMatchObject({ kind: "Unary", op: "not", operand: { kind: "Binary", op: "in" } });
  expect(covers(e.range)).toBe("a not in b");
});

test("GRM-12: comprehensions", () => {
  expect(show(exp("[i + 1 for i in x]"))).toBe("[(i + 1) for i in x]");
  expect(show(exp("{k: v for k in x}"))).toBe("{k: v for k in x}");
  expect(show(exp("{k: [v for v in x]}"))).toBe("{k: [v for v in x]}");
  expect(() => exp("[i for i in x, 2]")).toThrow(" expected a single list comprehension within '[' , ']'");
  expect(() => exp("[i for i in x if i]")).toThrow("expected else but found ']' here");
});

test("GRM-13: what is no part of the grammar", () => {
  expect(() => body("def f(x):\n  global y\n  return x\n")).toThrow("Unrecognized statement kind global");
  for (const text of ["return lambda y: y", "try:\n    pass", "yield x", "y = {1, 2}", "(y := 2)"])
    expect(() => body(`def f(x):\n  ${text}\n`)).toThrow();
  expect(() => parseDefinitions(new Source("@d\ndef f(x):\n  return x\n"), false)).toThrow(
    "expected def but found '@' here",
  );
});

test("GRM-14: nesting is limited", () => {
  for (const text of ["(".repeat(2000), `x${" + x".repeat(2000)}`, `x${".y".repeat(2000)}`, "-".repeat(100_000)])
    expect(() => exp(text)).toThrow(/limit maxSourceDepth/);
  expect(() =>
    body(`def f(x):\n${Array.from({ length: 1100 }, (_, i) => `${" ".repeat(i + 1)}if x:\n`).join("")}`),
  ).toThrow(/limit maxSourceDepth/);
  expect(exp(`x${" + x".repeat(900)}`).kind).toBe("Binary");
});

test("GRM-15: ranges are widened to all parts", () => {
  const ranges: [string, string][] = [
    ["a + b", "a + b"],
    ["f(x, y=1)", "f(x, y=1"],
    ["f()", "f("],
    ["x[1, 2]", "x[1, 2]"],
    ["x[1 ,]", "x[1 "],
    ["[1, 2]", "[1, 2"],
    ["{1: 2}", "1: 2"],
    ["{}", "}"],
    ["a.b.c", "a.b.c"],
    ["(a, b)", "a, b"],
    ["(a)", "a"],
    ["- x", "- x"],
    ["x if y else z", "x if y else z"],
  ];
  for (const [text, range] of ranges) expect(covers(exp(text).range), text).toBe(range);
  const [assign, ret] = body("def f(x):\n  a, b = x.y(1), 2\n  return a\n");
  expect([covers(assign!.range), covers(ret!.range)]).toEqual(["a, b = x.y(1), 2", "return a"]);
  expect(covers(parseDefinitions(new Source("def f(x: int) -> int:\n  return x\n"), false)[0]!.declRange)).toBe(
    "(x: int) -> int",
  );
});

test("GRM-16: absent parts have the range of the token there", () => {
  const [def] = parseDefinitions(new Source("def f(x, y: int):\n  if x:\n    y = 1\n  return y\n"), false);
  expect(def!.params.map((p) => covers(p.range))).toEqual(["x,", "y: int)"]);
  expect(covers(def!.declRange)).toBe("(x, y: int):");
  expect(covers(def!.body[0]!.range)).toBe("if x:\n    y = 1\n  return");
});

test("GRM-17: odd ranges", () => {
  const [ret] = body("def f(x):\n  return () + x\n");
  expect(ret).toMatchObject({ kind: "Return" });
  if (ret!.kind === "Return" && ret!.value.kind === "Binary") expect(covers(ret!.value.left.range)).toBe("+");
  expect(covers(exp("-12").range)).toBe("12");
  expect(covers(exp("'a' 'b'").range)).toBe("'a'");
});

test("GRM-18, GRM-20: names of types", () => {
  expect(type("dict[str, list[tuple[int, torch.LongTensor]]]")).toBe("Dict[str, List[Tuple[int, Tensor]]]");
  expect(type("int | None")).toBe("Optional[int]");
  expect(() => type("BroadcastingList2[int]")).toThrow("Unknown type constructor BroadcastingList2");
});

test("GRM-19: keys of dicts", () => {
  expect(() => type("Dict[List[int], int]")).toThrow(
    "Cannot create dict for key type 'int[]', only int, float, complex, Tensor, device and string keys are supported",
  );
});

test("GRM-21, GRM-22: parameters and defaults", () => {
  const schema = (text: string): unknown => {
    const [def] = parseDefinitions(new Source(text), false);
    return new ScriptTypeParser()
      .parseSchemaFromDef(def!, false)
      .args.map((a) => [annotationStr(a.type), a.defaultValue]);
  };
  expect(schema("def f(x, y: Optional[List[float]]=[1.], z: str = 'a'):\n  return x\n")).toEqual([
    ["Tensor", undefined],
    ["Optional[List[float]]", [1]],
    ["str", "a"],
  ]);
  expect(() => schema("def f(x=3):\n  return x\n")).toThrow("Keyword arguments with defaults need to be type-hinted");
  expect(() => schema("def f(x: float=3):\n  return x\n")).toThrow(
    "Return value was annotated as having type Tuple[float] but is actually of type Tuple[int]",
  );
});

test("GRM-23: dotted names are resolved", () => {
  const cls = new ClassType(new QualifiedName("__torch__.a.B"), false);
  const parser = new ScriptTypeParser({ resolveType: (name) => (name === "__torch__.a.B" ? cls : undefined) });
  expect(annotationStr(parser.parseTypeText("List[__torch__.a.B]"))).toBe("List[__torch__.a.B]");
  expect(() => parser.parseTypeText("__torch__.a.C")).toThrow("Unknown type name '__torch__.a.C'");
});
