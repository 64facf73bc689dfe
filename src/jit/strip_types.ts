/** @file stripTypes: TypeScript to the JavaScript that runs, every character where it was. Upstream: none. Spec: docs/scripting.md.
 *
 * Types are blanked out, so that lines and columns of errors and stack traces are those of the TypeScript. What would need new
 * code (enums, namespaces, parameter properties) is refused, as Node's own type stripping does. */
import { parse } from "@babel/parser";
import type * as B from "@babel/types";
import { ScriptError } from "../base/errors.ts";
import { Source, SourceRange } from "../base/source_range.ts";
import { childNodes } from "../frontend/javascript/index.ts";

/** Nodes that are types as a whole. */
const TYPES = new Set([
  "TSTypeAnnotation",
  "TSTypeParameterDeclaration",
  "TSTypeParameterInstantiation",
  "TSInterfaceDeclaration",
  "TSTypeAliasDeclaration",
  "TSDeclareFunction",
  "TSDeclareMethod",
  "TSIndexSignature",
  "TSExpressionWithTypeArguments",
  "TSClassImplements",
  "TSInterfaceHeritage",
]);
const MODIFIERS = /^(?:(?:public|private|protected|readonly|override|abstract|declare)\s+)+/;

class Stripper {
  private readonly text: string;
  private readonly source: Source;
  private readonly out: string[];
  /** Names that code uses, types aside. */
  private readonly used = new Set<string>();

  constructor(text: string, filename: string) {
    this.text = text;
    this.source = new Source(text, filename, 1);
    this.out = [...Array(text.length).keys()].map((i) => text.charAt(i));
  }

  private blank(start: number, end: number): void {
    for (let i = start; i < end; i++) if (!/\s/.test(this.out[i]!)) this.out[i] = " ";
  }
  private remove(node: B.Node): void {
    this.blank(node.start!, node.end!);
  }
  private refuse(node: B.Node, what: string): never {
    throw new ScriptError(
      `${what} needs code of its own and cannot be run by taking types off; write plain JavaScript instead`,
      new SourceRange(this.source, node.start!, node.end!),
    );
  }

  run(): string {
    const file = parse(this.text, {
      sourceType: "module",
      plugins: ["typescript", "decorators", "explicitResourceManagement"],
    });
    this.walk(file.program);
    for (const statement of file.program.body) if (statement.type === "ImportDeclaration") this.stripImport(statement);
    return this.out.join("");
  }

  /** Imports that only types use are none when the code runs. */
  private stripImport(node: B.ImportDeclaration): void {
    if (node.importKind === "type") return this.remove(node);
    if (node.specifiers.length === 0) return undefined;
    const kept = node.specifiers.filter(
      (s) => !(s.type === "ImportSpecifier" && s.importKind === "type") && this.used.has(s.local.name),
    );
    if (kept.length === 0) return this.remove(node);
    for (const specifier of node.specifiers) {
      if (kept.includes(specifier) || specifier.type !== "ImportSpecifier") continue;
      this.remove(specifier);
      const comma = /^\s*,/.exec(this.text.slice(specifier.end!));
      if (comma) this.blank(specifier.end!, specifier.end! + comma[0].length);
    }
    return undefined;
  }

  /** Blanks the modifiers that stand before a member or a parameter. */
  private stripModifiers(start: number): void {
    const rest = this.text.slice(start);
    const isStatic = /^static\s+/.exec(rest)?.[0].length ?? 0;
    const found = MODIFIERS.exec(rest.slice(isStatic)) ?? MODIFIERS.exec(rest);
    if (!found) return;
    const from = MODIFIERS.test(rest) ? start : start + isStatic;
    this.blank(from, from + found[0].length);
    const after = /^static\s+/.exec(this.text.slice(from + found[0].length))?.[0].length ?? 0;
    const more = after > 0 ? MODIFIERS.exec(this.text.slice(from + found[0].length + after)) : null;
    if (more) this.blank(from + found[0].length + after, from + found[0].length + after + more[0].length);
  }

  private walk(node: B.Node): void {
    if (TYPES.has(node.type)) return this.remove(node);
    switch (node.type) {
      case "TSEnumDeclaration":
        return this.refuse(node, "An enum");
      case "TSModuleDeclaration":
        return node.declare ? this.remove(node) : this.refuse(node, "A namespace");
      case "TSParameterProperty":
        return this.refuse(node, "A parameter property");
      case "TSImportEqualsDeclaration":
      case "TSExportAssignment":
        return this.refuse(node, "`import =` and `export =`");
      case "ImportDeclaration":
        return undefined;
      case "ExportNamedDeclaration":
        if (node.exportKind === "type" || (node.declaration && TYPES.has(node.declaration.type)))
          return this.remove(node);
        break;
      case "VariableDeclaration":
        if (node.declare) return this.remove(node);
        break;
      case "ClassDeclaration":
      case "ClassExpression":
        this.stripClass(node);
        if (node.type === "ClassDeclaration" && node.declare) return this.remove(node);
        break;
      case "ClassProperty":
      case "ClassMethod":
      case "ClassPrivateProperty":
      case "ClassPrivateMethod":
        if (this.stripMember(node)) return undefined;
        break;
      case "TSAsExpression":
      case "TSSatisfiesExpression":
        this.walk(node.expression);
        return this.blank(node.expression.end!, node.end!);
      case "TSNonNullExpression":
        this.walk(node.expression);
        return this.blank(node.end! - 1, node.end!);
      case "TSTypeAssertion":
        this.walk(node.expression);
        return this.blank(node.start!, node.expression.start!);
      case "TSInstantiationExpression":
        this.walk(node.expression);
        return this.blank(node.expression.end!, node.end!);
      case "Identifier":
        this.used.add(node.name);
        if (node.optional) this.stripMark(node.start! + node.name.length, "?");
        break;
      default:
    }
    if ("params" in node && Array.isArray(node.params)) this.stripThis(node.params as B.Node[]);
    for (const child of childNodes(node)) this.walk(child);
    return undefined;
  }

  /** `this` as a parameter is a type. */
  private stripThis(params: readonly B.Node[]): void {
    const [first, second] = params;
    if (first?.type !== "Identifier" || first.name !== "this") return;
    const comma = /^\s*,/.exec(this.text.slice(first.end!));
    this.blank(first.start!, second ? second.start! : first.end! + (comma?.[0].length ?? 0));
  }

  private stripMark(from: number, mark: "?" | "!"): void {
    const rest = /^\s*[?!]/.exec(this.text.slice(from));
    if (rest?.[0].endsWith(mark)) this.blank(from, from + rest[0].length);
  }

  private stripClass(node: B.ClassDeclaration | B.ClassExpression): void {
    if (node.type === "ClassDeclaration" && node.abstract) {
      const at = this.text.slice(node.start!).indexOf("abstract");
      this.blank(node.start! + at, node.start! + at + "abstract".length);
    }
    const list = node.implements ?? [];
    if (list.length === 0) return;
    const before = this.text.slice(0, list[0]!.start!).lastIndexOf("implements");
    this.blank(before, list.at(-1)!.end!);
  }

  /** A member of a class; true where nothing of it is left. */
  private stripMember(node: B.ClassProperty | B.ClassMethod | B.ClassPrivateProperty | B.ClassPrivateMethod): boolean {
    const isDeclared = ("declare" in node && node.declare) || ("abstract" in node && node.abstract);
    if (isDeclared) {
      this.remove(node);
      return true;
    }
    const start = node.decorators?.at(-1)?.end ?? node.start!;
    const space = /^\s*/.exec(this.text.slice(start))![0].length;
    this.stripModifiers(start + space);
    if ("optional" in node && node.optional) this.stripMark(node.key.end!, "?");
    if ("definite" in node && node.definite) this.stripMark(node.key.end!, "!");
    return false;
  }
}

/** The JavaScript of a TypeScript text, every character at its place. Throws ScriptError for what is no type and no JavaScript. */
export function stripTypes(text: string, filename = "<source>"): string {
  return new Stripper(text, filename).run();
}
