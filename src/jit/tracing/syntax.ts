/** @file The call expression at a call site: the running program's own source, parsed. Upstream: none. Spec: none.
 *
 * Python's tracer looks into the frame of the caller: which variable holds a tensor. JavaScript has no such view of a frame, but
 * the text of the call says the same where an argument is a plain variable. */
import { parse, type ParserPlugin } from "@babel/parser";
import { sourceFile, type CallSite } from "../call_site.ts";

/** A node of Babel's syntax tree. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/** A parsed source file. */
export interface SyntaxFile {
  /** Calls and member accesses by the offset at which their name starts: the place that stack traces give. */
  readonly byPosition: ReadonlyMap<number, SyntaxNode>;
  readonly parents: WeakMap<SyntaxNode, SyntaxNode>;
  readonly file: string;
}

/** A child of a node by name. */
export function child(node: SyntaxNode, name: string): SyntaxNode | undefined {
  const value = (node as unknown as Record<string, unknown>)[name];
  return isNode(value) ? value : undefined;
}

/** A list of children; holes are undefined. */
export function childList(node: SyntaxNode, name: string): readonly (SyntaxNode | undefined)[] {
  const value = (node as unknown as Record<string, unknown>)[name];
  return Array.isArray(value) ? value.map((item: unknown) => (isNode(item) ? item : undefined)) : [];
}

/** A plain field: a name, an operator, a number. */
export function field(node: SyntaxNode, name: string): unknown {
  return (node as unknown as Record<string, unknown>)[name];
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}

const IGNORED = new Set(["loc", "extra", "leadingComments", "trailingComments", "innerComments", "errors", "tokens"]);

function* childrenOf(node: SyntaxNode): Generator<SyntaxNode> {
  for (const [key, value] of Object.entries(node)) {
    if (IGNORED.has(key)) continue;
    if (isNode(value)) yield value;
    else if (Array.isArray(value)) for (const item of value) if (isNode(item)) yield item;
  }
}

/** Every node below a node. */
export function* descendants(node: SyntaxNode): Generator<SyntaxNode> {
  for (const inner of childrenOf(node)) {
    yield inner;
    yield* descendants(inner);
  }
}

/** The offset that a stack trace gives for a call or an access: where the name starts. */
function namePosition(node: SyntaxNode): number | undefined {
  switch (node.type) {
    case "CallExpression":
    case "OptionalCallExpression": {
      const callee = bare(child(node, "callee")!);
      return isMember(callee) ? child(callee, "property")!.start : callee.start;
    }
    case "NewExpression":
      return node.start;
    case "MemberExpression":
    case "OptionalMemberExpression":
      return child(node, "property")!.start;
    default:
      return undefined;
  }
}

/**
 * The offset for a call through a namespace in a bundle, `F.linear(x)`: bundlers write `linear(x)`, whose position maps to the start
 * of the whole.
 */
function bundledPosition(node: SyntaxNode): number | undefined {
  if (node.type !== "CallExpression") return undefined;
  const callee = bare(child(node, "callee")!);
  return isMember(callee) && bare(child(callee, "object")!).type === "Identifier" ? node.start : undefined;
}

export function isMember(node: SyntaxNode): boolean {
  return node.type === "MemberExpression" || node.type === "OptionalMemberExpression";
}

/** An expression without parentheses and TypeScript's assertions. */
export function bare(node: SyntaxNode): SyntaxNode {
  let current = node;
  while (
    /^(TSAsExpression|TSNonNullExpression|TSSatisfiesExpression|TSTypeAssertion|ParenthesizedExpression)$/.test(
      current.type,
    )
  )
    current = child(current, "expression")!;
  return current;
}

function parseFile(file: string): SyntaxFile | undefined {
  const source = sourceFile(file);
  if (!source) return undefined;
  const plugins: ParserPlugin[] = [];
  if (/\.[cm]?tsx?$/.test(file)) plugins.push("typescript");
  if (/x$/.test(file)) plugins.push("jsx");
  let root: SyntaxNode;
  try {
    root = parse(source.text, {
      sourceType: "unambiguous",
      errorRecovery: true,
      allowReturnOutsideFunction: true,
      attachComment: false,
      plugins,
    }).program as unknown as SyntaxNode;
  } catch {
    return undefined; // another language, or a file that changed since it was loaded
  }
  const byPosition = new Map<number, SyntaxNode>();
  const parents = new WeakMap<SyntaxNode, SyntaxNode>();
  const walk = (node: SyntaxNode): void => {
    for (const position of [namePosition(node), bundledPosition(node)])
      if (position !== undefined && !byPosition.has(position)) byPosition.set(position, node);
    for (const inner of childrenOf(node)) {
      parents.set(inner, node);
      walk(inner);
    }
  };
  walk(root);
  return { byPosition, parents, file };
}

const files = new Map<string, SyntaxFile | null>();

/** The syntax of a source file, parsed once; undefined where it cannot be read. */
export function syntaxOf(file: string): SyntaxFile | undefined {
  let syntax = files.get(file);
  if (syntax === undefined) {
    syntax = parseFile(file) ?? null;
    files.set(file, syntax);
  }
  return syntax ?? undefined;
}

/** The offset of a call site in its file's text. */
export function offsetOf(site: CallSite): number | undefined {
  const source = sourceFile(site.file);
  return source && source.offsetOfLine(site.line - 1) + site.column - 1;
}

/** The call that a frame of the stack is in. */
export function callAt(site: CallSite): { readonly call: SyntaxNode; readonly file: SyntaxFile } | undefined {
  const offset = offsetOf(site);
  if (offset === undefined) return undefined;
  const file = syntaxOf(site.file);
  const call = file?.byPosition.get(offset);
  return file && call && { call, file };
}

const NAMESPACE = /^(torch|F|functional|nnF|nn)$/;

/** Whether a call goes through a namespace (`torch.add(x, y)`), not to a method of a tensor (`x.add(y)`). */
export function isNamespace(node: SyntaxNode): boolean {
  const object = bare(node);
  if (object.type === "Identifier") return NAMESPACE.test(String(field(object, "name")));
  return isMember(object) && field(child(object, "property")!, "name") === "functional";
}

/** How many arguments of our own helpers come before those of the operator: `aten("relu", x)`. */
const LEADING: Readonly<Record<string, number>> = { aten: 1, atenMany: 1, atenInplace: 2 };

/** The expressions that gave the arguments of a call, the object of a method call first. */
export function argumentExpressions(call: SyntaxNode): readonly (SyntaxNode | undefined)[] {
  // a property was read: x.shape
  if (isMember(call)) return [child(call, "object")];
  const callee = bare(child(call, "callee")!);
  const args = childList(call, "arguments");
  if (!isMember(callee)) return args.slice(LEADING[String(field(callee, "name"))] ?? 0);
  const object = child(callee, "object")!;
  if (!isNamespace(object)) return [object, ...args];
  return field(child(callee, "property")!, "name") === "call" ? args.slice(1) : args;
}
