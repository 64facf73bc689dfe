/** @file State of one JavaScript function on its way to TorchScript's syntax tree: ranges, refusals, scopes. Upstream: none (torch/jit/frontend.py does this for Python). Spec: docs/scripting.md.
 *
 * Note [Lowering and forms]: what a JavaScript operator means depends on types, which only the emitter knows. The lowering
 * therefore turns `a + b` into a call of a form named `$js:+`, which the front end's resolver gives the emitter (forms.ts). A
 * form looks at the types, refuses what would not mean the same, and emits exactly what the Python twin emits, value by value:
 * the numbers of a graph's values are part of its text. `$free:x` is a name that the function does not define itself. */
import type * as B from "@babel/types";
import { ScriptError } from "../../base/errors.ts";
import { SourceRange, type Source } from "../../base/source_range.ts";
import type { Expr, Ident, KeywordArgument, Stmt } from "../ast.ts";

/** Prefix of the names of forms. */
export const FORM = "$js:";
/** Prefix of the names that come from outside of the function. */
export const FREE = "$free:";

/** Names that the emitter itself looks up, and Python's words: a variable of such a name gets another. */
const RESERVED = new Set(
  "self bool AssertionError and or not is in def lambda None True False pass raise assert elif except from global nonlocal del with as async await print torch ops".split(
    " ",
  ),
);

/** A variable of the function. */
export interface Binding {
  readonly name: string;
  /** Its name in the compiled function. */
  readonly emitted: string;
  readonly constant: boolean;
  /** Whether it is a constant that holds an array made for it: no other name can mean that array, if none is given it. */
  isFresh: boolean;
  /** Whether it is a parameter of the function. */
  isParameter: boolean;
  /** How JavaScript got its dict: only records have properties, only Maps have `get`. */
  container: "record" | "map" | undefined;
}

/** The variables of one block. */
export class Scope {
  readonly parent: Scope | undefined;
  readonly bindings = new Map<string, Binding>();
  constructor(parent?: Scope) {
    this.parent = parent;
  }
  find(name: string): Binding | undefined {
    return this.bindings.get(name) ?? this.parent?.find(name);
  }
  private holdsEmitted(emitted: string): boolean {
    for (const binding of this.bindings.values()) if (binding.emitted === emitted) return true;
    return this.parent?.holdsEmitted(emitted) ?? false;
  }
  /** Whether an enclosing block has a variable that the compiled function calls so. */
  shadows(emitted: string): boolean {
    return this.holdsEmitted(emitted);
  }
}

/** What free names stand for. */
export interface FreeNames {
  /** The dotted package path of a name, such as `nn.functional` for `F`; undefined where it is no package's. */
  packageOf(name: string): string | undefined;
  /** The text of a name that stands for a number, as TorchScript reads it. */
  numberOf(name: string): string | undefined;
}

/** How an array literal is meant where nothing says it. */
export type ArrayUse = "list" | "tuple";

/** The parts of the lowering that need each other; see Note [Parts of the emitter]. */
export interface LoweringParts {
  expr(c: Lowering, node: B.Node, arrays?: ArrayUse): Expr;
  condition(c: Lowering, node: B.Node): Expr;
  call(c: Lowering, node: B.CallExpression, twice: boolean): Expr;
  block(c: Lowering, nodes: readonly B.Statement[]): Stmt[];
  /** A pattern as the target of an assignment. */
  pattern(c: Lowering, node: B.Node): Expr;
}

/** One function being lowered. */
export class Lowering {
  readonly source: Source;
  /** Offset in `source` of the parser's offset 0. */
  readonly offset: number;
  readonly isMethod: boolean;
  readonly names: FreeNames;
  readonly parts: LoweringParts;
  scope = new Scope();
  /** Names given so far in the compiled function. */
  private readonly given = new Set<string>();
  private temps = 0;
  /** The loops around, innermost last: what `continue` has to do first. */
  readonly loops: { readonly beforeContinue: () => Stmt[] }[] = [];
  /** The call that is a statement of its own: nobody sees what it gives. */
  statementCall: B.Node | undefined;
  /** Type parameters of the function and what they extend. */
  readonly typeParameters = new Map<string, B.Node>();
  /** Names that the function assigns after their declaration. */
  readonly assigned = new Set<string>();
  /** Whether array literals that are returned are lists, by annotation. */
  returnsList = false;

  constructor(source: Source, offset: number, options: { isMethod: boolean; names: FreeNames; parts: LoweringParts }) {
    this.source = source;
    this.offset = offset;
    this.isMethod = options.isMethod;
    this.names = options.names;
    this.parts = options.parts;
  }

  range(node: B.Node): SourceRange {
    return new SourceRange(this.source, node.start! + this.offset, node.end! + this.offset);
  }
  /** A node as it is written. */
  textOf(node: B.Node): string {
    const { start, end } = this.range(node);
    return this.source.text.slice(start, end);
  }
  /** The range from the start of one node to the end of another. */
  between(from: B.Node, to: B.Node): SourceRange {
    return new SourceRange(this.source, from.start! + this.offset, to.end! + this.offset);
  }
  /** The range of a function up to its body. */
  head(node: B.Node & { readonly body: B.Node }): SourceRange {
    return new SourceRange(
      this.source,
      node.start! + this.offset,
      Math.max(node.start! + 1, node.body.start! - 1) + this.offset,
    );
  }
  /** `refuse` of a function as a whole. */
  refuseFunction(node: B.Node & { readonly body: B.Node }, message: string): never {
    throw new ScriptError(message, this.head(node));
  }
  /** Says why something cannot be compiled and what to write instead. */
  refuse(node: B.Node, message: string): never {
    throw new ScriptError(message, this.range(node));
  }

  /** Declares a variable of the current scope. `initialized`: it never has a value from before its declaration. */
  declare(name: string, options: { constant: boolean; initialized: boolean }): Binding {
    let emitted = name.replaceAll("$", "_S").replace(/[^\w]/g, "_");
    if (RESERVED.has(emitted)) emitted += "_";
    // an inner variable must not overwrite an outer one; one without a value must not see an earlier one's
    if (this.scope.shadows(emitted) || (!options.initialized && this.given.has(emitted))) {
      const base = emitted;
      for (let i = 1; this.given.has(emitted); i++) emitted = `${base}_${i}`;
    }
    this.given.add(emitted);
    const binding: Binding = {
      name,
      emitted,
      constant: options.constant,
      isFresh: false,
      isParameter: false,
      container: undefined,
    };
    this.scope.bindings.set(name, binding);
    return binding;
  }
  /** Declares the names of a pattern in the current scope. */
  declarePattern(node: B.Node, constant: boolean): void {
    if (node.type === "Identifier") this.declare(node.name, { constant, initialized: true });
    else if (node.type === "ArrayPattern") {
      for (const element of node.elements) if (element) this.declarePattern(element, constant);
    } else if (node.type === "RestElement") this.declarePattern(node.argument, constant);
  }
  /** Runs `body` in a scope of its own. */
  inScope<R>(body: () => R): R {
    const outer = this.scope;
    this.scope = new Scope(outer);
    try {
      return body();
    } finally {
      this.scope = outer;
    }
  }

  ident(name: string, node: B.Node): Ident {
    return { name, range: this.range(node) };
  }
  variable(name: string, node: B.Node): Expr & { kind: "Var" } {
    const range = this.range(node);
    return { kind: "Var", name: { name, range }, range };
  }
  /** A temporary variable; the graph does not keep its name. */
  temp(node: B.Node): Expr & { kind: "Var" } {
    return this.variable(`$tmp_js_${this.temps++}`, node);
  }
  string(value: string, node: B.Node): Expr {
    return { kind: "String", value, range: this.range(node) };
  }
  int(value: number, node: B.Node): Expr {
    return { kind: "Number", text: String(value), range: this.range(node) };
  }
  apply(callee: Expr, args: readonly Expr[], node: B.Node, kwargs: readonly KeywordArgument[] = []): Expr {
    return { kind: "Apply", callee, args, kwargs, range: this.range(node) };
  }
  /** A call of a form. */
  form(name: string, args: readonly Expr[], node: B.Node, kwargs: readonly KeywordArgument[] = []): Expr {
    return this.apply(this.variable(`${FORM}${name}`, node), args, node, kwargs);
  }
  select(value: Expr, name: string, node: B.Node): Expr {
    return { kind: "Select", value, selector: this.ident(name, node), range: this.range(node) };
  }
}

/** Whether a value is a node of the parser's tree. */
function isNode(value: unknown): value is B.Node {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}

/** The nodes directly below one. */
export function* childNodes(node: B.Node): Generator<B.Node> {
  for (const [key, value] of Object.entries(node) as [string, unknown][]) {
    if (key === "loc" || key === "extra" || key.endsWith("Comments")) continue;
    if (isNode(value)) yield value;
    else if (Array.isArray(value)) for (const item of value) if (isNode(item)) yield item;
  }
}

/** Whether a node or one below it is such; `enter` says which to look into. */
export function someNode(
  node: B.Node,
  test: (node: B.Node) => boolean,
  enter: (node: B.Node) => boolean = () => true,
): boolean {
  if (test(node)) return true;
  if (!enter(node)) return false;
  for (const child of childNodes(node)) if (someNode(child, test, enter)) return true;
  return false;
}

/** `a.b.c` of identifiers, or undefined. */
export function dottedPath(node: B.Node): string[] | undefined {
  if (node.type === "Identifier") return [node.name];
  if (node.type !== "MemberExpression" || node.computed || node.property.type !== "Identifier") return undefined;
  const path = dottedPath(node.object);
  path?.push(node.property.name);
  return path;
}

/** The root name and the nodes of wrappers that only the type checker sees are stripped. */
export function bare(node: B.Node): B.Node {
  if (
    node.type === "TSAsExpression" ||
    node.type === "TSSatisfiesExpression" ||
    node.type === "ParenthesizedExpression" ||
    node.type === "TSTypeAssertion"
  )
    return bare(node.expression);
  return node;
}
