/** @file Reads JavaScript and TypeScript: the text of one function or class as the engine gives it, or a whole file. Upstream: none (inspect.getsource and ast.parse in torch/_sources.py). Spec: docs/scripting.md. */
import { parse, parseExpression, type ParserOptions } from "@babel/parser";
import type * as B from "@babel/types";
import { ScriptError } from "../../base/errors.ts";
import { SourceRange, type Source } from "../../base/source_range.ts";
import { bare, childNodes, dottedPath } from "./lowering.ts";

/** A function where it is written. */
export type FunctionNode =
  | B.FunctionDeclaration
  | B.FunctionExpression
  | B.ArrowFunctionExpression
  | B.ObjectMethod
  | B.ClassMethod;
export type ClassNode = B.ClassDeclaration | B.ClassExpression;

/** A function with the text that holds it. */
export interface FunctionSource {
  readonly node: FunctionNode;
  readonly source: Source;
  /** Offset in the source's text of the parser's offset 0. */
  readonly offset: number;
}

const OPTIONS: ParserOptions = {
  sourceType: "module",
  plugins: ["typescript", "decorators", "explicitResourceManagement"],
  allowReturnOutsideFunction: true,
  allowAwaitOutsideFunction: true,
  errorRecovery: false,
};

interface BabelError {
  readonly pos?: number;
  readonly message: string;
}

function parseOrThrow<T>(source: Source, offset: number, body: () => T): T {
  try {
    return body();
  } catch (error) {
    const { pos, message } = error as BabelError;
    if (pos === undefined) throw error;
    const at = Math.max(0, pos + offset);
    throw new ScriptError(
      `The source cannot be read: ${message.replace(/ \(\d+:\d+\)$/, "")}`,
      new SourceRange(source, at, Math.min(at + 1, source.text.length)),
    );
  }
}

const FUNCTIONS = new Set(["FunctionExpression", "ArrowFunctionExpression", "ObjectMethod", "ClassMethod"]);

/** Parses the text of a function (`Function.prototype.toString`) that stands at `at` of a source. */
export function parseFunctionText(text: string, source: Source, at: number): FunctionSource {
  if (/\{\s*\[native code\]\s*\}\s*$/.test(text))
    throw new ScriptError("A function without source (native or bound) cannot be compiled; pass the function itself");
  for (const [before, after] of [
    ["(", "\n)"],
    // methods are written without `function`
    ["({", "\n})"],
  ] as const) {
    let node: B.Expression;
    try {
      node = parseExpression(before + text + after, OPTIONS);
    } catch (error) {
      if ((error as BabelError).pos === undefined) throw error;
      continue;
    }
    const inner = node.type === "ObjectExpression" ? node.properties[0]! : bare(node);
    if (FUNCTIONS.has(inner.type)) return { node: inner as FunctionNode, source, offset: at - before.length };
  }
  return parseOrThrow(source, at - 1, () => {
    parseExpression(`(${text}\n)`, OPTIONS);
    throw new ScriptError("The text is no function");
  });
}

/** Parses the text of a class that stands at `at` of a source. */
export function parseClassText(
  text: string,
  source: Source,
  at: number,
): { node: ClassNode; offset: number } | undefined {
  const node = bare(parseOrThrow(source, at - 1, () => parseExpression(`(${text}\n)`, OPTIONS)));
  return node.type === "ClassExpression" ? { node, offset: at - 1 } : undefined;
}

/** The method of a class, or the arrow function in a field. */
export function methodOfClass(node: ClassNode, name: string): FunctionNode | undefined {
  for (const member of node.body.body) {
    if (member.type === "ClassMethod" && !member.static && keyOf(member) === name) return member;
    if (member.type === "ClassProperty" && !member.static && keyOf(member) === name && member.value) {
      const value = bare(member.value);
      if (value.type === "ArrowFunctionExpression" || value.type === "FunctionExpression") return value;
    }
  }
  return undefined;
}

/** Types of fields that say int or float, or null, and their text in TorchScript. */
const FIELD_TYPES: readonly (readonly [RegExp, string])[] = [
  [/^(int|float)$/, "$1"],
  [/^(?:readonly\s+)?(int|float)\[\]$/, "List[$1]"],
  [/^(int|float|Tensor)\s*\|\s*null$/, "Optional[$1]"],
];

/** Whether a number is written as a float. */
function isFloatLiteral(node: B.Node): boolean {
  const inner = bare(node);
  if (inner.type === "UnaryExpression" && inner.operator === "-") return isFloatLiteral(inner.argument);
  return inner.type === "NumericLiteral" && /^[\d_]*\.|^[\d_.]+e/i.test(String(inner.extra?.["raw"]));
}

/** What a class says of the type of a field: its annotation, or a first value such as `2.0`; `text` is the source's. */
export function fieldTypeOfClass(node: ClassNode, name: string, text: (node: B.Node) => string): string | undefined {
  let value: B.Node | null | undefined;
  for (const member of node.body.body) {
    if (member.type === "ClassProperty" && !member.static && keyOf(member) === name) {
      const annotation =
        member.typeAnnotation?.type === "TSTypeAnnotation" ? member.typeAnnotation.typeAnnotation : undefined;
      const written = annotation ? text(annotation) : "";
      for (const [pattern, type] of FIELD_TYPES) if (pattern.test(written)) return written.replace(pattern, type);
      value ??= member.value;
    }
    if (member.type !== "ClassMethod" || member.kind !== "constructor") continue;
    for (const statement of member.body.body) {
      const assigned = statement.type === "ExpressionStatement" ? statement.expression : undefined;
      if (assigned?.type !== "AssignmentExpression" || assigned.operator !== "=") continue;
      const path = assigned.left.type === "MemberExpression" && !assigned.left.computed ? assigned.left : undefined;
      if (path?.object.type === "ThisExpression" && path.property.type === "Identifier" && path.property.name === name)
        value ??= assigned.right;
    }
  }
  return value && isFloatLiteral(value) ? "float" : undefined;
}

function keyOf(member: B.ClassMethod | B.ClassProperty): string | undefined {
  if (member.computed) return undefined;
  return member.key.type === "Identifier"
    ? member.key.name
    : member.key.type === "StringLiteral"
      ? member.key.value
      : undefined;
}

/** What a name of a file's outermost level is. */
export type Declaration =
  | { readonly kind: "function"; readonly node: FunctionNode }
  | { readonly kind: "class"; readonly node: ClassNode }
  | { readonly kind: "value"; readonly node: B.Expression }
  /** Imported: the name there (`*` for all of it, `default`) and the module. */
  | { readonly kind: "import"; readonly name: string; readonly from: string }
  /** Part of a value: `const { functional: F } = nn`. */
  | { readonly kind: "alias"; readonly path: readonly string[] };

function addTo<V>(map: Map<string, V[]>, key: string, value: V): void {
  const known = map.get(key);
  if (known) known.push(value);
  else map.set(key, [value]);
}

/** A source file with what it declares. */
export class SourceFile {
  readonly source: Source;
  readonly declarations = new Map<string, Declaration>();
  /** Functions and classes at any depth, by the name that they get where they are written. */
  readonly functions = new Map<string, FunctionNode[]>();
  readonly classes = new Map<string, ClassNode[]>();

  constructor(source: Source) {
    this.source = source;
    const file = parseOrThrow(source, 0, () => parse(source.text, OPTIONS));
    for (const statement of file.program.body) this.declare(statement);
    this.index(file.program, undefined);
  }

  private index(node: B.Node, name: string | undefined): void {
    let own = name;
    let inner: string | undefined;
    switch (node.type) {
      case "FunctionDeclaration":
      case "FunctionExpression":
        own = node.id?.name ?? name;
        break;
      case "ClassDeclaration":
      case "ClassExpression":
        own = node.id?.name ?? name;
        if (own !== undefined) addTo(this.classes, own, node);
        break;
      case "ObjectMethod":
        own = node.key.type === "Identifier" ? node.key.name : undefined;
        break;
      case "VariableDeclarator":
        inner = node.id.type === "Identifier" ? node.id.name : undefined;
        break;
      case "ObjectProperty":
        inner = node.key.type === "Identifier" ? node.key.name : undefined;
        break;
      case "AssignmentExpression":
        inner = node.left.type === "Identifier" ? node.left.name : undefined;
        break;
      default:
    }
    if (
      own !== undefined &&
      node.type !== "ClassMethod" &&
      (FUNCTIONS.has(node.type) || node.type === "FunctionDeclaration")
    )
      addTo(this.functions, own, node as FunctionNode);
    for (const child of childNodes(node)) this.index(child, inner);
  }

  private declare(statement: B.Statement): void {
    switch (statement.type) {
      case "ExportNamedDeclaration":
        if (statement.declaration) this.declare(statement.declaration);
        return;
      case "ExportDefaultDeclaration": {
        const { declaration } = statement;
        if (declaration.type === "FunctionDeclaration" || declaration.type === "ClassDeclaration") {
          this.declare(declaration);
          if (declaration.type === "FunctionDeclaration")
            this.declarations.set("default", { kind: "function", node: declaration });
          else this.declarations.set("default", { kind: "class", node: declaration });
        }
        return;
      }
      case "FunctionDeclaration":
        if (statement.id) this.declarations.set(statement.id.name, { kind: "function", node: statement });
        return;
      case "ClassDeclaration":
        if (statement.id) this.declarations.set(statement.id.name, { kind: "class", node: statement });
        return;
      case "ImportDeclaration":
        for (const specifier of statement.specifiers) {
          const name =
            specifier.type === "ImportNamespaceSpecifier"
              ? "*"
              : specifier.type === "ImportDefaultSpecifier"
                ? "default"
                : specifier.imported.type === "Identifier"
                  ? specifier.imported.name
                  : specifier.imported.value;
          this.declarations.set(specifier.local.name, { kind: "import", name, from: statement.source.value });
        }
        return;
      case "VariableDeclaration":
        // only constants: another's value may change between compilation and run
        if (statement.kind === "const")
          for (const declarator of statement.declarations) this.declareConstant(declarator);
        return;
      default:
        return;
    }
  }

  private declareConstant(node: B.VariableDeclarator): void {
    if (!node.init) return;
    const init = bare(node.init);
    if (node.id.type === "ObjectPattern") {
      const path = dottedPath(init);
      if (!path) return;
      for (const property of node.id.properties) {
        if (
          property.type !== "ObjectProperty" ||
          property.value.type !== "Identifier" ||
          property.key.type !== "Identifier"
        )
          continue;
        this.declarations.set(property.value.name, { kind: "alias", path: [...path, property.key.name] });
      }
      return;
    }
    if (node.id.type !== "Identifier") return;
    const { name } = node.id;
    if (init.type === "ArrowFunctionExpression" || init.type === "FunctionExpression")
      this.declarations.set(name, { kind: "function", node: init });
    else if (init.type === "ClassExpression") this.declarations.set(name, { kind: "class", node: init });
    else {
      const path = dottedPath(init);
      this.declarations.set(name, path ? { kind: "alias", path } : { kind: "value", node: node.init });
    }
  }
}

/** Keys of nodes that say nothing of what the code does. */
const IGNORED = new Set(
  "loc start end extra type leadingComments trailingComments innerComments typeAnnotation returnType typeParameters typeArguments superTypeParameters accessibility optional declare readonly override definite abstract directives id predicate decorators range implements".split(
    " ",
  ),
);

/** The name of `__vi_import_0__.name`, as tools write imported names. */
export function importedName(node: B.Node): string | undefined {
  if (node.type !== "MemberExpression" || node.computed || node.object.type !== "Identifier") return undefined;
  return isImportVariable(node.object.name) && node.property.type === "Identifier" ? node.property.name : undefined;
}
/** Whether a variable holds an imported module: of test runners, bundlers and TypeScript's CommonJS output. */
export function isImportVariable(name: string): boolean {
  return /^__vi(?:te_ssr)?_import_\d+__$|^__vi_import|^\w+_\d+$|^import_\w+$/.test(name);
}

/** Whether two functions are the same code: one may have types, and imported names written out. */
export function sameFunction(a: FunctionNode, b: FunctionNode): boolean {
  return sameList(a.params, b.params) && same(a.body, b.body);
}

function stripped(node: B.Node): B.Node {
  const inner = bare(node);
  if (inner.type === "TSNonNullExpression") return stripped(inner.expression);
  if (
    inner.type === "SequenceExpression" &&
    inner.expressions.length === 2 &&
    inner.expressions[0]!.type === "NumericLiteral"
  )
    return stripped(inner.expressions[1]!);
  return inner;
}

function same(first: unknown, second: unknown): boolean {
  if (Array.isArray(first) && Array.isArray(second)) return sameList(first, second);
  if (typeof first !== "object" || first === null || typeof second !== "object" || second === null)
    return first === second;
  const a = stripped(first as B.Node);
  const b = stripped(second as B.Node);
  const [nameA, nameB] = [importedName(a), importedName(b)];
  if (nameA !== undefined && b.type === "Identifier") return nameA === b.name;
  if (nameB !== undefined && a.type === "Identifier") return nameB === a.name;
  if (a.type !== b.type) return false;
  if (a.type === "NumericLiteral") return a.value === (b as B.NumericLiteral).value;
  if (a.type === "TemplateElement") return a.value.cooked === (b as B.TemplateElement).value.cooked;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  for (const key of keys) {
    if (IGNORED.has(key) && !(key === "id" && a.type === "VariableDeclarator")) continue;
    // `{ x }` and `{ x: x }`
    if (key === "shorthand") continue;
    const [x, y] = [(a as unknown as Record<string, unknown>)[key], (b as unknown as Record<string, unknown>)[key]];
    if ((x === undefined || x === null || x === false) && (y === undefined || y === null || y === false)) continue;
    if (!same(x, y)) return false;
  }
  return true;
}

function sameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  // tools leave an empty statement behind
  const counts = (x: unknown): boolean => {
    const node = x as B.Node | null;
    return (
      node?.type !== "EmptyStatement" &&
      !(node?.type === "Identifier" && node.name === "this") &&
      !node?.type?.startsWith("TSType")
    );
  };
  const [left, right] = [a.filter(counts), b.filter(counts)];
  return left.length === right.length && left.every((x, i) => same(x, right[i]));
}
