/** @file TypeScript without its types: every character stays where it was, what needs code of its own is refused. */
import { describe, expect, test } from "vitest";
import { stripTypes } from "../../src/jit/strip_types.ts";

/** Runs of blanks as one, for reading. */
function squeezed(text: string): string {
  return stripTypes(text)
    .replace(/[ \t]+/g, " ")
    .trim();
}

describe("stripTypes", () => {
  test("keeps lines and columns", () => {
    const text = "const x: number = 1;\nlet y = x as number;\n  f(y!);\n";
    const stripped = stripTypes(text);
    expect(stripped).toBe("const x         = 1;\nlet y = x          ;\n  f(y );\n");
    expect(stripped.length).toBe(text.length);
  });
  test.each([
    ["type T = { a: number };\nconst x = 1;", "const x = 1;"],
    ["interface A { b(): void }\nclass C implements A, B { }", "class C { }"],
    [
      'import type { A } from "a";\nimport { type B, c, D } from "b";\nc(); let d: D;',
      'import { c, } from "b";\nc(); let d ;',
    ],
    ['import { OnlyType } from "a";\nlet x: OnlyType;', "let x ;"],
    ['import "effects";', 'import "effects";'],
    [
      "class C extends B { private readonly a: number = 1; declare b: string; static override c?: T; d!: E; }",
      "class C extends B { a = 1; static c ; d ; }",
    ],
    ["abstract class C { abstract f(): void; public g<T>(this: C, a?: T): void {} }", "class C { g ( a ) {} }"],
    ["function f(x: number): string;\nfunction f(x: any) { return <any>x; }", "function f(x ) { return x; }"],
    ["const f = <T,>(x: T): T => x satisfies T;", "const f = (x ) => x ;"],
    [
      "type A = 2;\nexport type { A };\nexport type B = 1;\ndeclare const c: number;\nexport const d = 1;",
      "export const d = 1;",
    ],
  ])("%s", (text, expected) => {
    expect(squeezed(text)).toBe(expected);
  });
  test.each([
    ["enum E { A }", "An enum"],
    ["namespace N { export const a = 1; }", "A namespace"],
    ["class C { constructor(private a: number) {} }", "A parameter property"],
  ])("refuses %s", (text, what) => {
    expect(() => stripTypes(text, "a.ts")).toThrow(
      `${what} needs code of its own and cannot be run by taking types off`,
    );
  });
});
