/** @file Graphs from their text. Upstream: torch/csrc/jit/ir/irparser.cpp. Spec: none.
 *
 * What a text does not say comes back as something that prints the same: elements of large tensors are zeros, classes are empty. */
import { Source, SourceRange } from "../base/source_range.ts";
import * as T from "../core/type.ts";
import type { Type } from "../core/type.ts";
import { ScriptObject } from "../core/ivalue.ts";
import { parseLiteral, valueFromLiteral, type Literal } from "./literal_parser.ts";
import { Graph, Scope, type Block, type Node, type Value } from "./graph.ts";
import { Scanner, TypeParser, type TypeResolver } from "./type_parser.ts";

/** How to read. */
export interface ParseOptions {
  readonly resolveType?: TypeResolver;
  /** Number values anew and drop the names of outputs, as `torch._C.parse_ir` does (default: keep numbers and names). */
  readonly renumber?: boolean;
}

/** Parses a graph as `graphText` prints it, with its `with` groups. @throws ScriptError with the line at fault. */
export function parseGraph(text: string, options: ParseOptions = {}): Graph {
  return new GraphParser(text, options).parse();
}

const NAME = /%[\w.]+/y;
const END_OF_LINE = /\s*/y;

interface TypedName {
  readonly name: string;
  readonly type: Type | undefined;
}

class GraphParser {
  private readonly s: Scanner;
  private readonly types: TypeParser;
  private readonly renumber: boolean;
  /** Nodes that wait for `with prim::X_n = graph(...)`, per graph. */
  private groups: Node[] = [];

  constructor(text: string, options: ParseOptions) {
    this.s = new Scanner(text);
    this.types = new TypeParser(options.resolveType);
    this.renumber = options.renumber ?? false;
  }

  parse(): Graph {
    const graph = this.graph();
    this.lines();
    if (this.s.at < this.s.text.length) this.s.fail("the end");
    return graph;
  }

  private graph(): Graph {
    const { s } = this;
    const outer = this.groups;
    this.groups = [];
    this.lines();
    s.expect("graph(");
    const graph = new Graph();
    const values = new Map<string, Value>();
    let highest = -1;
    const declare = (make: () => Value, { name, type }: TypedName, keepName: boolean): void => {
      const isNumber = /^\d+$/.test(name);
      if (isNumber && !this.renumber) graph.nextUnique = Number(name);
      const value = make().setType(type ?? T.TensorT);
      if (!isNumber && keepName) value.setDebugName(name);
      highest = Math.max(highest, value.unique);
      graph.nextUnique = highest + 1;
      values.set(name, value);
    };
    for (const input of this.typedNames(")")) declare(() => graph.addInput(), input, true);
    s.expect(":");
    const block = (into: Block, close: string): void => {
      for (;;) {
        this.lines();
        if (s.accept(close)) break;
        node(into);
      }
      s.expect("(");
      for (const name of s.list(")", () => s.need(NAME, "a value"))) into.registerOutput(this.find(values, name));
    };
    const node = (into: Block): void => {
      const outputs = this.typedNames("=");
      const kind = s.need(/[A-Za-z_]\w*::\w+/y, "an operator");
      const group = /^(.*)_(\d+)$/.exec(kind);
      const isGroup =
        group !== null &&
        /^prim::(fork|awaitable|Closure|DifferentiableGraph|FusionGroup|TensorExprGroup|FunctionalGraph|FallbackGraph|StaticSubgraph)$/.test(
          group[1]!,
        );
      const made = graph.create(isGroup ? group[1]! : kind, [], 0);
      if (s.accept("[")) this.attributes(made, outputs[0]?.type);
      if (isGroup) this.groups.push(made);
      s.expect("(");
      for (const name of s.list(")", () => s.need(NAME, "a value"))) made.addInput(this.find(values, name));
      if (s.accept(", scope: ")) made.scope = scopeOf(s.need(/[^#\n]*/y, "a scope").trim());
      if (s.accept("#")) this.location(made);
      for (const output of outputs) declare(() => made.addOutput(), output, !this.renumber);
      into.appendNode(made);
      this.lines();
      while (s.match(/block\d+(?=\()/y) !== undefined) {
        const inner = made.addBlock();
        s.expect("(");
        for (const input of this.typedNames(")")) declare(() => inner.addInput(), input, true);
        s.expect(":");
        s.nested(() => block(inner, "->"));
        this.lines();
      }
    };
    block(graph.block, "return");
    this.lines();
    for (const owner of this.groups) {
      if (s.match(/with [\w:]+ =/y) === undefined) s.fail('"with"');
      owner.setAttr(
        "Subgraph",
        "g",
        s.nested(() => this.graph()),
      );
      this.lines();
    }
    this.groups = outer;
    return graph;
  }

  private find(values: ReadonlyMap<string, Value>, name: string): Value {
    return values.get(name.slice(1)) ?? this.s.fail(`a known value instead of ${name}`);
  }

  /** Skips ends of lines and indentation. */
  private lines(): void {
    this.s.match(END_OF_LINE);
  }

  private typedNames(close: string): TypedName[] {
    const { s } = this;
    const names: TypedName[] = [];
    for (;;) {
      this.lines();
      if (s.accept(close)) return names;
      const name = s.need(NAME, "a value").slice(1);
      names.push({ name, type: s.accept(":") ? (s.skip(), this.types.parse(s)) : undefined });
      s.accept(",");
    }
  }

  private attributes(node: Node, outputType: Type | undefined): void {
    const { s } = this;
    s.list("]", () => {
      const name = s.need(/\w+/y, "an attribute");
      s.expect("=");
      if (name === "types" && s.accept("[")) {
        node.setAttr(
          name,
          "tys",
          s.list("]", () => (s.skip(), this.types.parse(s))),
        );
      } else setAttribute(node, name, parseLiteral(s), node.kind === "prim::Constant" ? outputType : undefined);
    });
  }

  private location(node: Node): void {
    const text = this.s.need(/[^\n]*/y, "a location").trim();
    const found = /^(.*):(\d+):(\d+)$/.exec(text);
    if (!found) return;
    const column = Number(found[3]);
    node.setSourceRange(new SourceRange(new Source("", found[1]!, Number(found[2])), column, column));
  }
}

function scopeOf(path: string): Scope {
  let scope = new Scope();
  for (const name of path.split("/")) scope = new Scope(scope, name);
  return scope;
}

/** Sets an attribute from a literal, of the kind that the node's type asks for, or that the literal shows. */
function setAttribute(node: Node, name: string, literal: Literal, type: Type | undefined): void {
  if (type && name === "value") {
    const value = valueFromLiteral(literal, type);
    switch (type.kind) {
      case "Int":
        node.setAttr(name, "i", value as number);
        return;
      case "Bool":
        node.setAttr(name, "i", Number(value));
        return;
      case "Float":
        node.setAttr(name, "f", Number(value));
        return;
      case "Complex":
        node.setAttr(name, "c", value as { re: number; im: number });
        return;
      case "String":
      case "Device":
        node.setAttr(name, "s", value as string);
        return;
      case "Tensor":
        node.setAttr(name, "t", value as never);
        return;
      case "Class":
        node.setAttr(name, "ival", new ScriptObject(type));
        return;
      default:
        node.setAttr(name, "ival", value);
        return;
    }
  }
  switch (literal.kind) {
    case "int":
      node.setAttr(name, "i", valueFromLiteral(literal, T.IntT) as number);
      return;
    case "float":
      node.setAttr(name, "f", valueFromLiteral(literal, T.FloatT) as number);
      return;
    case "string":
      node.setAttr(name, "s", literal.text);
      return;
    case "list": {
      const [first] = literal.items;
      if (first?.kind === "string")
        node.setAttr(name, "ss", valueFromLiteral(literal, T.listOf(T.StringT)) as string[]);
      else if (first?.kind === "float")
        node.setAttr(name, "fs", valueFromLiteral(literal, T.listOf(T.FloatT)) as number[]);
      else node.setAttr(name, "is", valueFromLiteral(literal, T.listOf(T.IntT)) as number[]);
      return;
    }
    default:
      node.setAttr(name, "t", valueFromLiteral(literal, T.TensorT) as never);
  }
}
