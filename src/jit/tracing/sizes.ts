/** @file Sizes in a trace: which number of a call was computed from which size of a tensor. Upstream: torch/csrc/jit/frontend/tracer.cpp (getSizeOf, ArgumentStash). Spec: none.
 *
 * Note [Traced sizes]: in Python, `x.size(0)` gives a tensor while a trace runs, so that arithmetic on it is recorded. JavaScript's
 * numbers carry nothing. So every read of a size (`x.shape`, `x.size(0)`) is recorded as PyTorch records it, together with its place
 * in the source; a number that an operator is called with is looked up in the source text of the call: the read itself, a constant
 * that holds it (`const n = x.size(0)`, `const [b, c] = x.shape`), or arithmetic on these (`+ - * / %`, `Math.floor(a / b)`). What is
 * found is used only where it has the number's value; everything else is a constant of the trace. */
import { callByName } from "../../torch/eager_call.ts";
import { contiguousData } from "../../tensor/data.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { bare, child, childList, descendants, field, isMember, type SyntaxFile, type SyntaxNode } from "./syntax.ts";

/** Sizes that were read at one place: tensors without dimensions, whose values the trace knows. */
interface SizeRead {
  readonly sizes: readonly Tensor[];
  /** Whether all sizes were read (`x.shape`), not one (`x.size(0)`). */
  readonly isList: boolean;
  /** Counts reads: tells whether what was computed from one is still current. */
  readonly serial: number;
}

/** A number of the trace with the variable that held it. */
export interface TracedNumber {
  readonly tensor: Tensor;
  readonly name: string;
}

/** What computing a number records needs: runs an operator with names for its operands. */
export type RunNamed = (names: ReadonlyMap<Tensor, string>, body: () => Tensor) => Tensor;

const BINARY: Readonly<Record<string, string>> = { "+": "add", "-": "sub", "*": "mul", "/": "div", "%": "remainder" };

function numberOf(tensor: Tensor): number {
  return Number(contiguousData(tensor)[0]);
}

/** Finds where numbers come from. */
export class SizeTracker {
  private readonly reads = new Map<string, SizeRead>();
  private readonly computed = new Map<SyntaxNode, { readonly key: string; readonly tensor: Tensor }>();
  private serial = 0;
  private readonly run: RunNamed;

  constructor(run: RunNamed) {
    this.run = run;
  }

  get isEmpty(): boolean {
    return this.serial === 0;
  }

  /** Remembers a read at an offset of a file. */
  addRead(file: string, offset: number, sizes: readonly Tensor[], isList: boolean): void {
    this.reads.set(`${file}:${offset}`, { sizes, isList, serial: ++this.serial });
  }

  /** The traced number that an expression stands for, where it has the value `actual`. */
  numberOf(file: SyntaxFile, expression: SyntaxNode, actual: unknown): TracedNumber | undefined {
    const found = this.resolve(file, expression, 0);
    return found && numberOf(found.tensor) === Number(actual) ? found : undefined;
  }

  /** The traced numbers of a list that has the values `actual`; elements that are constants are undefined. */
  listOf(
    file: SyntaxFile,
    expression: SyntaxNode,
    actual: readonly unknown[],
  ): (TracedNumber | undefined)[] | undefined {
    const found = this.resolveList(file, expression, 0);
    if (found?.length !== actual.length) return undefined;
    return found.map((item, i) => (item && numberOf(item.tensor) === Number(actual[i]) ? item : undefined));
  }

  private readAt(file: SyntaxFile, name: SyntaxNode): SizeRead | undefined {
    return this.reads.get(`${file.file}:${name.start}`);
  }

  private resolve(file: SyntaxFile, expression: SyntaxNode, depth: number): TracedNumber | undefined {
    const node = bare(expression);
    if (depth > MAX_DEPTH) return undefined;
    switch (node.type) {
      case "CallExpression":
        return this.resolveCall(file, node, depth);
      case "MemberExpression": {
        if (field(node, "computed") !== true) return undefined;
        const list = this.resolveList(file, child(node, "object")!, depth + 1);
        const index = literal(child(node, "property")!);
        return index === undefined ? undefined : list?.[index];
      }
      case "Identifier": {
        const found = this.resolveVariable(file, node, depth, (init, pattern) => {
          if (!pattern) return this.resolve(file, init, depth + 1);
          return this.resolveList(file, init, depth + 1)?.[pattern.index];
        });
        return found && { tensor: found.tensor, name: String(field(node, "name")) };
      }
      case "BinaryExpression":
        return this.compute(file, node, String(field(node, "operator")), depth);
      case "UnaryExpression": {
        if (field(node, "operator") !== "-") return undefined;
        const inner = this.resolve(file, child(node, "argument")!, depth + 1);
        return inner && this.record(node, [inner], () => callByName("neg", [inner.tensor]));
      }
      default:
        return undefined;
    }
  }

  private resolveCall(file: SyntaxFile, node: SyntaxNode, depth: number): TracedNumber | undefined {
    const callee = bare(child(node, "callee")!);
    if (!isMember(callee)) return undefined;
    const name = child(callee, "property")!;
    const read = this.readAt(file, name);
    if (read) return read.isList ? undefined : unnamed(read.sizes[0]);
    const [first] = childList(node, "arguments");
    const object = bare(child(callee, "object")!);
    if (
      field(object, "name") === "Math" &&
      (field(name, "name") === "floor" || field(name, "name") === "trunc") &&
      first
    ) {
      const inner = bare(first);
      if (inner.type === "BinaryExpression" && field(inner, "operator") === "/")
        return this.compute(file, inner, "//", depth);
      return this.resolve(file, inner, depth + 1);
    }
    if (field(name, "name") === "at" && first) {
      const list = this.resolveList(file, object, depth + 1);
      const index = literal(first);
      return index === undefined ? undefined : list?.at(index);
    }
    return undefined;
  }

  private resolveList(
    file: SyntaxFile,
    expression: SyntaxNode,
    depth: number,
  ): (TracedNumber | undefined)[] | undefined {
    const node = bare(expression);
    if (depth > MAX_DEPTH) return undefined;
    switch (node.type) {
      case "MemberExpression":
        return listOfRead(this.readAt(file, child(node, "property")!));
      case "CallExpression": {
        const callee = bare(child(node, "callee")!);
        if (!isMember(callee)) return undefined;
        const name = child(callee, "property")!;
        const read = this.readAt(file, name);
        if (read) return listOfRead(read);
        if (field(name, "name") !== "slice") return undefined;
        const list = this.resolveList(file, child(callee, "object")!, depth + 1);
        const bounds = childList(node, "arguments").map((a) => a && literal(a));
        return bounds.includes(undefined) ? undefined : list?.slice(...(bounds as number[]));
      }
      case "ArrayExpression": {
        const items: (TracedNumber | undefined)[] = [];
        for (const element of childList(node, "elements")) {
          if (element?.type === "SpreadElement") {
            const inner = this.resolveList(file, child(element, "argument")!, depth + 1);
            if (!inner) return undefined;
            items.push(...inner);
          } else items.push(element && this.resolve(file, element, depth + 1));
        }
        return items;
      }
      case "Identifier":
        return this.resolveVariable(file, node, depth, (init, pattern) => {
          const list = this.resolveList(file, init, depth + 1);
          return pattern ? (pattern.isRest ? list?.slice(pattern.index) : undefined) : list;
        });
      default:
        return undefined;
    }
  }

  /** Follows a variable that is set once to what it was set to. */
  private resolveVariable<R>(
    file: SyntaxFile,
    identifier: SyntaxNode,
    depth: number,
    use: (init: SyntaxNode, pattern: { readonly index: number; readonly isRest: boolean } | undefined) => R | undefined,
  ): R | undefined {
    if (depth > MAX_DEPTH) return undefined;
    const name = String(field(identifier, "name"));
    const declared = declarationOf(file, identifier, name);
    return declared && use(declared.init, declared.pattern);
  }

  private compute(file: SyntaxFile, node: SyntaxNode, operator: string, depth: number): TracedNumber | undefined {
    const left = this.resolve(file, child(node, "left")!, depth + 1);
    const right = this.resolve(file, child(node, "right")!, depth + 1);
    const operands = [left, right].filter((item) => item !== undefined);
    if (operands.length === 0) return undefined;
    const a = left ? left.tensor : literal(child(node, "left")!);
    const b = right ? right.tensor : literal(child(node, "right")!);
    if (a === undefined || b === undefined) return undefined;
    if (operator === "//") return this.record(node, operands, () => callByName("floor_divide", [a, b]));
    const op = BINARY[operator];
    if (op === undefined) return undefined;
    if (left) return this.record(node, operands, () => callByName(op, [a, b]));
    // Python asks the tensor for the reflected operator
    if (op === "add" || op === "mul") return this.record(node, operands, () => callByName(op, [b, a]));
    return op === "sub" ? this.record(node, operands, () => callByName("rsub", [b, a])) : undefined;
  }

  /** Records an operator on traced numbers, once for each value of its operands. */
  private record(node: SyntaxNode, operands: readonly TracedNumber[], call: () => unknown): TracedNumber {
    const key = operands.map(({ tensor }) => this.serialOf(tensor)).join();
    const known = this.computed.get(node);
    if (known?.key === key) return { tensor: known.tensor, name: "" };
    const names = new Map(operands.flatMap(({ tensor, name }) => (name ? [[tensor, name] as const] : [])));
    const tensor = this.run(names, () => call() as Tensor);
    this.computed.set(node, { key, tensor });
    return { tensor, name: "" };
  }

  private readonly serials = new WeakMap<Tensor, number>();
  private serialOf(tensor: Tensor): number {
    let serial = this.serials.get(tensor);
    if (serial === undefined) {
      serial = ++this.serial;
      this.serials.set(tensor, serial);
    }
    return serial;
  }
}

const MAX_DEPTH = 50;

function unnamed(tensor: Tensor | undefined): TracedNumber | undefined {
  return tensor && { tensor, name: "" };
}

function listOfRead(read: SizeRead | undefined): TracedNumber[] | undefined {
  return read?.isList ? read.sizes.map((tensor) => ({ tensor, name: "" })) : undefined;
}

/** A whole number that is written out. */
function literal(expression: SyntaxNode): number | undefined {
  const node = bare(expression);
  if (node.type === "NumericLiteral") return field(node, "value") as number;
  if (node.type !== "UnaryExpression" || field(node, "operator") !== "-") return undefined;
  const inner = literal(child(node, "argument")!);
  return inner === undefined ? undefined : -inner;
}

interface Declaration {
  readonly init: SyntaxNode;
  readonly pattern: { readonly index: number; readonly isRest: boolean } | undefined;
}

/** Where a variable gets its only value, as seen from one of its uses. */
function declarationOf(file: SyntaxFile, use: SyntaxNode, name: string): Declaration | undefined {
  for (let scope = file.parents.get(use); scope; scope = file.parents.get(scope)) {
    if (/Function|Method/.test(scope.type) && childList(scope, "params").some((p) => p && declares(p, name)))
      return undefined;
    if (scope.type !== "BlockStatement" && scope.type !== "Program" && scope.type !== "StaticBlock") continue;
    for (const statement of childList(scope, "body")) {
      const declaration = statement?.type === "ExportNamedDeclaration" ? child(statement, "declaration") : statement;
      if (declaration?.type !== "VariableDeclaration") continue;
      for (const declarator of childList(declaration, "declarations")) {
        if (!declarator || !declares(child(declarator, "id")!, name)) continue;
        const init = child(declarator, "init");
        if (!init || (field(declaration, "kind") !== "const" && isAssigned(scope, name))) return undefined;
        return declarationIn(child(declarator, "id")!, init, name);
      }
    }
  }
  return undefined;
}

function declares(pattern: SyntaxNode, name: string): boolean {
  if (pattern.type === "Identifier") return field(pattern, "name") === name;
  for (const inner of descendants(pattern))
    if (inner.type === "Identifier" && field(inner, "name") === name) return true;
  return false;
}

/** `n = init` or `[b, n] = init`; other patterns hold no sizes. */
function declarationIn(id: SyntaxNode, init: SyntaxNode, name: string): Declaration | undefined {
  if (id.type === "Identifier") return { init, pattern: undefined };
  if (id.type !== "ArrayPattern") return undefined;
  const elements = childList(id, "elements");
  const index = elements.findIndex((e) => e && declares(e, name));
  const element = elements[index];
  if (element?.type !== "Identifier" && element?.type !== "RestElement") return undefined;
  return { init, pattern: { index, isRest: element.type === "RestElement" } };
}

function isAssigned(scope: SyntaxNode, name: string): boolean {
  for (const node of descendants(scope)) {
    const target =
      node.type === "AssignmentExpression"
        ? child(node, "left")
        : node.type === "UpdateExpression"
          ? child(node, "argument")
          : undefined;
    if (target && declares(target, name)) return true;
  }
  return false;
}
